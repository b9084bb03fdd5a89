# SPDX-License-Identifier: Apache-2.0
"""Counters and latency for Prometheus (spec temporal.md A04-A08, 10.2). The label set is bounded whatever callers send.

Without prometheus_client the same numbers are in get_stats().
"""

from __future__ import annotations

import collections
import threading
from typing import Any

BUCKETS = (0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0)
MAX_LABEL_VALUES = 200
OTHER = "other"
REASONS = frozenset({
    "CONSTRAINT_VIOLATED", "WARRANT_EXPIRED", "CHAIN_INVALID", "POP_VERIFICATION_FAILED", "LOCAL_ACTIVITY_BLOCKED", "KEY_NOT_FOUND",
    "CONTEXT_MISSING", "ARG_NORMALIZATION_FAILED", "PRE_VALIDATION_FAILED", "insufficient_approvals", "invalid_approval", "approval_expired",
    "approval_required", "revoked", "dropped_signal", "refused_update",
})
_collectors: dict[str, tuple[Any, Any, Any]] = {}
_lock = threading.Lock()


def _collectors_for(prefix: str) -> tuple[Any, Any, Any] | None:
    """One set a prefix and process: a second TenuoMetrics of the same prefix uses the same ones."""
    try:
        import prometheus_client as prom
    except ImportError:
        return None
    with _lock:
        if prefix not in _collectors:
            _collectors[prefix] = (
                prom.Counter(f"{prefix}_activities_authorized_total", "Activities that a warrant allowed", ["tool", "workflow_type"]),
                prom.Counter(f"{prefix}_activities_denied_total", "Activities that were denied", ["tool", "reason", "workflow_type"]),
                prom.Histogram(f"{prefix}_authorization_latency_seconds", "Time that a decision took", ["tool"], buckets=BUCKETS),
            )
        return _collectors[prefix]


class TenuoMetrics:
    """prefix: of the metric names. Any thread."""

    def __init__(self, prefix: str = "tenuo_temporal") -> None:
        self.prefix = prefix
        self._prom = _collectors_for(prefix)
        self._lock = threading.Lock()
        self._seen: dict[str, set[str]] = {"tool": set(), "workflow_type": set()}
        self._authorized: collections.Counter[str] = collections.Counter()
        self._denied: collections.Counter[str] = collections.Counter()
        self._latencies: collections.deque[float] = collections.deque(maxlen=1024)
        self._count = 0

    def _bounded(self, label: str, value: str) -> str:
        seen = self._seen[label]
        value = str(value)[:128]
        if value not in seen:
            if len(seen) >= MAX_LABEL_VALUES:
                return OTHER
            seen.add(value)
        return value

    def record_authorized(self, tool: str, workflow_type: str, latency_seconds: float) -> None:
        with self._lock:
            tool, kind = self._bounded("tool", tool), self._bounded("workflow_type", workflow_type)
            self._authorized[tool] += 1
            self._note(latency_seconds)
        if self._prom is not None:
            self._prom[0].labels(tool, kind).inc()
            self._prom[2].labels(tool).observe(latency_seconds)

    def record_denied(self, tool: str, reason: str, workflow_type: str, latency_seconds: float) -> None:
        """reason: an error code; anything else counts as "other"."""
        reason = reason if reason in REASONS else OTHER
        with self._lock:
            tool, kind = self._bounded("tool", tool), self._bounded("workflow_type", workflow_type)
            self._denied[tool] += 1
            self._note(latency_seconds)
        if self._prom is not None:
            self._prom[1].labels(tool, reason, kind).inc()
            self._prom[2].labels(tool).observe(latency_seconds)

    def _note(self, latency: float) -> None:
        self._count += 1
        self._latencies.append(latency)

    def get_stats(self) -> dict[str, Any]:
        """authorized and denied by tool, latency_count, latency_avg (seconds, of the last 1024)."""
        with self._lock:
            average = sum(self._latencies) / len(self._latencies) if self._latencies else 0.0
            return {"authorized": dict(self._authorized), "denied": dict(self._denied), "latency_count": self._count, "latency_avg": average}

    def serve(self, port: int = 0, addr: str = "127.0.0.1") -> int:
        """Serves /metrics; returns the port (0: a free one). Needs prometheus_client."""
        import prometheus_client as prom

        server, _thread = prom.start_http_server(port, addr=addr)
        self.server = server
        return int(server.server_port)
