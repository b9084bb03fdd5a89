# SPDX-License-Identifier: Apache-2.0
"""The workflow's inbound side: takes the headers of a run, filters signals and updates (spec temporal.md 4). Runs inside the sandbox."""

from __future__ import annotations

import logging
from typing import Any

from temporalio.worker import (ExecuteWorkflowInput, HandleSignalInput, HandleUpdateInput, WorkflowInboundInterceptor,
                               WorkflowOutboundInterceptor)

from . import _runs
from ._outbound import TenuoWorkflowOutbound
from .exceptions import ConstraintViolation, application_error

logger = logging.getLogger("tenuo.temporal")


class TenuoWorkflowInbound(WorkflowInboundInterceptor):
    """One for each run; it owns what is known about the run."""

    STATE: Any = None

    def init(self, outbound: WorkflowOutboundInterceptor) -> None:
        self._run = _runs.Run(self.STATE, outbound.info())
        _runs.register(self._run)
        super().init(TenuoWorkflowOutbound(outbound, self._run))

    async def execute_workflow(self, input: ExecuteWorkflowInput) -> Any:
        return await super().execute_workflow(input)

    async def handle_signal(self, input: HandleSignalInput) -> None:
        """An unlisted signal is dropped: failing the run would let any sender kill it."""
        allowed = self.STATE.config.authorized_signals
        if allowed is not None and input.signal not in allowed:
            self.STATE.reports.dropped_signal(self._run, input.signal)
            return
        await super().handle_signal(input)

    def _check_update(self, name: str) -> None:
        allowed = self.STATE.config.authorized_updates
        if allowed is not None and name not in allowed:
            exc = ConstraintViolation(f"update:{name}", {}, "the update is not in authorized_updates", "none")
            self.STATE.reports.denied(self._run, f"update:{name[:128]}", "update:<unlisted>", exc)
            raise application_error(exc)

    def handle_update_validator(self, input: HandleUpdateInput) -> None:
        self._check_update(input.update)
        super().handle_update_validator(input)

    async def handle_update_handler(self, input: HandleUpdateInput) -> Any:
        self._check_update(input.update)
        return await super().handle_update_handler(input)


def workflow_interceptor_class(state: Any) -> type[WorkflowInboundInterceptor]:
    """The class for one worker."""
    return type("TenuoWorkflowInboundOfWorker", (TenuoWorkflowInbound,), {"STATE": state})
