# SPDX-License-Identifier: Apache-2.0
"""A span `tenuo.authorize` around each decision, where OpenTelemetry is installed; nothing otherwise."""

from __future__ import annotations

import contextlib
import functools
from collections.abc import Iterator
from typing import Any


@functools.cache
def _tracer() -> Any:
    try:
        from opentelemetry import trace
    except ImportError:
        return None
    return trace.get_tracer("tenuo.temporal")


@contextlib.contextmanager
def span(tool: str, workflow_type: str) -> Iterator[None]:
    tracer = _tracer()
    if tracer is None:
        yield
        return
    with tracer.start_as_current_span("tenuo.authorize", attributes={"tenuo.tool": tool, "tenuo.workflow_type": workflow_type}):
        yield
