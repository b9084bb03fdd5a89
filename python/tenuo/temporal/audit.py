# SPDX-License-Identifier: Apache-2.0
"""The event of one decision about an activity (spec temporal.md 10.1). For callbacks; what gates an allow are the library's audit sinks."""

from __future__ import annotations

import dataclasses
import datetime
from typing import Any, Literal

import tenuo_core

NO_WARRANT = "none"
MALFORMED = "<malformed>"


def _now() -> datetime.datetime:
    return datetime.datetime.now(datetime.timezone.utc)


@dataclasses.dataclass
class TemporalAuditEvent:
    """decision: ALLOW or DENY. arguments: redacted unless the configuration says otherwise. timestamp: UTC."""

    workflow_id: str
    workflow_type: str
    workflow_run_id: str
    activity_name: str
    activity_id: str
    task_queue: str
    decision: Literal["ALLOW", "DENY"]
    tool: str
    arguments: dict[str, Any]
    warrant_id: str
    warrant_expires_at: datetime.datetime | None
    warrant_capabilities: list[str]
    denial_reason: str | None = None
    constraint_violated: str | None = None
    timestamp: datetime.datetime = dataclasses.field(default_factory=_now)
    tenuo_version: str = tenuo_core.__version__

    def to_dict(self) -> dict[str, Any]:
        """All 16 fields, times as ISO 8601 text."""
        values = {f.name: getattr(self, f.name) for f in dataclasses.fields(self)}
        for name in ("warrant_expires_at", "timestamp"):
            when = values[name]
            values[name] = when.isoformat() if isinstance(when, datetime.datetime) else when
        return values
