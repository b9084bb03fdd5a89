# SPDX-License-Identifier: Apache-2.0
"""What is known about each running workflow, by run id: ids of workflows repeat across namespaces. Owned by the run's own interceptor, so that
it goes away with the run, however that ends. No input or output, no clock.
"""

from __future__ import annotations

import contextvars
import dataclasses
import weakref
from collections.abc import Callable, Sequence
from typing import Any

from temporalio import workflow

from . import _wire
from .exceptions import TenuoContextError


@dataclasses.dataclass
class CallOptions:
    """What tenuo_execute_activity was told for one call."""

    fn: Callable[..., Any] | None = None
    carried: _wire.WarrantHeaders | None = None
    compress: bool = True


call_options: contextvars.ContextVar[CallOptions | None] = contextvars.ContextVar("tenuo_call_options", default=None)


class Run:
    """state: the worker's. headers: ours, as they came with the start."""

    def __init__(self, state: Any, info: workflow.Info) -> None:
        self.state = state
        self.run_id, self.workflow_id, self.namespace = info.run_id, info.workflow_id, info.namespace
        self.workflow_type, self.task_queue = info.workflow_type, info.task_queue
        self.headers = _wire.tenuo_only(info.headers)
        self.approvals: Sequence[Any] | None = None
        self.sign_by_activity: dict[str, bool] = {}
        self.dispatches = 0
        self._carried: _wire.WarrantHeaders | None = None
        self._decoded = False

    def carried(self) -> _wire.WarrantHeaders | None:
        """The warrant of the run, decoded once; None when it has none. Raises ChainValidationError for one that cannot be read."""
        if not self._decoded:
            self._carried = _wire.decode_headers(self.headers)
            self._decoded = True
        return self._carried


_runs: weakref.WeakValueDictionary[str, Run] = weakref.WeakValueDictionary()


def register(run: Run) -> None:
    _runs[run.run_id] = run


def current() -> Run:
    """The run that this code belongs to."""
    if not workflow.in_workflow():
        raise TenuoContextError("this is for use inside a workflow")
    run = _runs.get(workflow.info().run_id)
    if run is None:
        raise TenuoContextError("the worker has no TenuoInterceptor or TenuoTemporalPlugin")
    return run


def known() -> Run | None:
    """As current, but None where the worker has no interceptor of ours."""
    return _runs.get(workflow.info().run_id) if workflow.in_workflow() else None


def count() -> int:
    """Runs that are known; for tests of leaks."""
    return len(_runs)
