# SPDX-License-Identifier: Apache-2.0
"""Denials on the workflow's side: one count and one audit event each, told by a thread of its own, because a workflow must not wait. Bounded: what
does not fit is counted. Replays tell nothing again.
"""

from __future__ import annotations

import logging
import queue
import threading
from typing import Any

from temporalio import workflow

from .audit import MALFORMED, NO_WARRANT, TemporalAuditEvent
from .config import TenuoPluginConfig

logger = logging.getLogger("tenuo.temporal")
UNLISTED = "signal:<unlisted>"


class WorkflowDenials:
    """The thread starts with the worker, never in a workflow; it ends with the process."""

    def __init__(self, config: TenuoPluginConfig, authority: Any) -> None:
        self._config, self._authority = config, authority
        self._queue: queue.Queue[tuple[TemporalAuditEvent, str, int]] = queue.Queue(1024)
        self.lost = 0
        threading.Thread(target=self._drain, name="tenuo-workflow-denials", daemon=True).start()

    def dropped_signal(self, run: Any, signal: str) -> None:
        self._put(run, f"signal:{signal[:128]}", UNLISTED, "the signal is not in authorized_signals", "dropped_signal", 1500, "authorized_signals")

    def denied(self, run: Any, name: str, tool: str, exc: BaseException) -> None:
        """name: the activity, or what else was refused."""
        code = getattr(exc, "error_code", None) or getattr(exc, "type", None) or type(exc).__name__
        reason = getattr(exc, "message", None) or str(exc)
        self._put(run, name, tool, reason, str(code), getattr(exc, "core_code", 0), getattr(exc, "constraint", None))

    def _put(self, run: Any, name: str, tool: str, reason: str, code: str, core_code: int, constraint: str | None) -> None:
        if workflow.unsafe.is_replaying():
            return
        try:
            carried = run.carried()
            warrant, warrant_id = (carried.warrant, carried.warrant.id) if carried is not None else (None, NO_WARRANT)
        except Exception:  # the header cannot be read: that is what is denied
            warrant, warrant_id = None, MALFORMED
        event = TemporalAuditEvent(
            workflow_id=run.workflow_id, workflow_type=run.workflow_type, workflow_run_id=run.run_id, activity_name=name, activity_id="",
            task_queue=run.task_queue, decision="DENY", tool=tool, arguments={}, warrant_id=warrant_id, timestamp=workflow.now(),
            warrant_expires_at=warrant.expires_at_datetime() if warrant is not None else None,
            warrant_capabilities=list(warrant.tools or []) if warrant is not None else [], denial_reason=reason, constraint_violated=constraint)
        try:
            self._queue.put_nowait((event, code, core_code))
        except queue.Full:
            self.lost += 1

    def _drain(self) -> None:
        while True:
            event, code, core_code = self._queue.get()
            if event.tool == UNLISTED:
                logger.warning("dropped %s of workflow %s: not in authorized_signals", event.activity_name, event.workflow_id)
            try:
                self._tell(event, code, core_code)
            except Exception:
                logger.exception("the audit of a denial on the workflow's side failed")

    def _tell(self, event: TemporalAuditEvent, code: str, core_code: int) -> None:
        if self._config.metrics is not None:
            tool = event.tool if event.tool == UNLISTED else "other"  # no warrant was verified here: its names are no labels
            self._config.metrics.record_denied(tool, code, event.workflow_type, 0.0)
        self._authority.record_denial(event.tool, {}, code=core_code, reason=event.denial_reason or "",
                                      attributes={"workflow_id": event.workflow_id, "workflow_run_id": event.workflow_run_id,
                                                  "workflow_type": event.workflow_type, "activity": event.activity_name,
                                                  "task_queue": event.task_queue})
        if self._config.audit_callback is not None and self._config.audit_deny:
            self._config.audit_callback(event)
