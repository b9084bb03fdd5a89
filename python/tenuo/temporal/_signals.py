# SPDX-License-Identifier: Apache-2.0
"""What becomes of signals that were dropped: one log line, one count, one audit event, told by a thread of its own, because a workflow must not
wait. Bounded: what does not fit is counted.
"""

from __future__ import annotations

import logging
import queue
import threading
from typing import Any

from .audit import NO_WARRANT, TemporalAuditEvent
from .config import TenuoPluginConfig

logger = logging.getLogger("tenuo.temporal")
UNLISTED = "signal:<unlisted>"


class DroppedSignals:
    """The thread starts with the worker, never in a workflow."""

    def __init__(self, config: TenuoPluginConfig, authority: Any) -> None:
        self._config, self._authority = config, authority
        self._queue: queue.Queue[TemporalAuditEvent] = queue.Queue(1024)
        self.lost = 0
        if config.authorized_signals is not None:
            threading.Thread(target=self._drain, name="tenuo-signals", daemon=True).start()

    def dropped(self, run: Any, signal: str) -> None:
        event = TemporalAuditEvent(
            workflow_id=run.workflow_id, workflow_type=run.workflow_type, workflow_run_id=run.run_id, activity_name=f"signal:{signal[:128]}", activity_id="",
            task_queue=run.task_queue, decision="DENY", tool=UNLISTED, arguments={}, warrant_id=NO_WARRANT, warrant_expires_at=None,
            warrant_capabilities=[], denial_reason="the signal is not in authorized_signals", constraint_violated="authorized_signals")
        try:
            self._queue.put_nowait(event)
        except queue.Full:
            self.lost += 1

    def _drain(self) -> None:
        while True:
            event = self._queue.get()
            logger.warning("dropped %s of workflow %s: not in authorized_signals", event.activity_name, event.workflow_id)
            try:
                if self._config.metrics is not None:
                    self._config.metrics.record_denied(UNLISTED, "dropped_signal", event.workflow_type, 0.0)
                self._authority.record_denial(UNLISTED, {}, code=1500, reason=event.denial_reason or "",
                                              attributes={"workflow_id": event.workflow_id, "workflow_run_id": event.workflow_run_id})
                if self._config.audit_callback is not None and self._config.audit_deny:
                    self._config.audit_callback(event)
            except Exception:
                logger.exception("audit of a dropped signal failed")
