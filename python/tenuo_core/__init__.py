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

from .approval import ApprovalPayload, ApprovalRequest, SignedApproval, compute_request_hash  # noqa: E402
from .authorizer import Authorizer  # noqa: E402
from .constraints import (CEL, All, AnyOf, AnyValue, Cidr, Constraint, Contains, Exact, Not, NotOneOf, OneOf, Pattern, Range, Regex,  # noqa: E402
                          Shlex, Subpath, Subset, UrlPattern, UrlSafe, Wildcard)
from .context import Context  # noqa: E402
from .errors import ConfigurationError, TenuoError  # noqa: E402
from .keys import PublicKey, Signer, SigningKey  # noqa: E402
from .mint import AttenuationBuilder, GrantBuilder, IssuanceBuilder, MintBuilder  # noqa: E402
from .revocation import SignedRevocationList, SrlBuilder  # noqa: E402
from .verify import Decision, Verifier, gate_evaluate  # noqa: E402
from .warrant import (Clearance, Warrant, WarrantType, chain_bytes, decode_warrant_stack_base64, encode_warrant_stack,  # noqa: E402
                      parse_chain)

MAX_DELEGATION_DEPTH = 64
MAX_WARRANT_SIZE = 65536
MAX_WARRANT_TTL_SECS = 7776000
DEFAULT_WARRANT_TTL_SECS = 300

__all__ = [
    "All", "AnyOf", "AnyValue", "ApprovalPayload", "ApprovalRequest", "AttenuationBuilder", "Authorizer", "CEL", "Cidr", "Clearance",
    "ConfigurationError", "Constraint", "Contains", "Context", "DEFAULT_WARRANT_TTL_SECS", "Decision", "Exact", "GrantBuilder",
    "IssuanceBuilder", "MAX_DELEGATION_DEPTH", "MAX_WARRANT_SIZE", "MAX_WARRANT_TTL_SECS", "MintBuilder", "Not", "NotOneOf", "OneOf", "Pattern",
    "PublicKey", "Range", "Regex", "Shlex", "SignedApproval", "SignedRevocationList", "Signer", "SigningKey", "SrlBuilder", "Subpath", "Subset",
    "TenuoError", "UrlPattern", "UrlSafe", "Verifier", "Warrant", "WarrantType", "Wildcard", "chain_bytes", "compute_request_hash",
    "decode_warrant_stack_base64", "encode_warrant_stack", "errors", "gate_evaluate", "parse_chain",
]
