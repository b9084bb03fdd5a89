# SPDX-License-Identifier: Apache-2.0
"""tenuo_core: libtenuo for Python, and nothing else. Every decision, signature and encoding is the library's.

In Temporal's workflow sandbox `tenuo` and `tenuo_core` must be passthrough modules: the library is loaded once a process, and tables such
as that of signers must be shared. A second import of this module inside the sandbox says so, at the construction of the worker.
"""

from __future__ import annotations

import sys as _sys

from . import errors as errors
from ._ffi import lib as _lib
from ._ffi import text as _text

__version__: str = _text(_lib.tenuo_version())


def _refuse_second_import() -> None:
    if _lib.tenuo_py_count_import() == 0:
        return
    workflow = _sys.modules.get("temporalio.workflow")
    if workflow is not None and workflow.unsafe.in_sandbox():
        raise errors.ConfigurationError(
            "tenuo_core was imported a second time inside Temporal's workflow sandbox: name both modules as passthrough, "
            'SandboxRestrictions.default.with_passthrough_modules("tenuo", "tenuo_core"), or use TenuoTemporalPlugin')


_refuse_second_import()
