# SPDX-License-Identifier: Apache-2.0
"""What older documents write and Temporal's SDK does not have (spec temporal.md 11.6), installed when one of our interceptors is made:

- `headers=` on Client.start_workflow / execute_workflow and on workflow.start_child_workflow / execute_child_workflow;
- the callable of workflow.execute_activity / start_activity is noted, because the SDK hands only its name to interceptors, and without the
  function the names of its parameters are unknown;
- a Worker that has our interceptor gets our internal activities.

Each wrapper changes nothing for calls that do not use it. TENUO_TEMPORAL_NO_SHIM=1 leaves the SDK alone.
"""

from __future__ import annotations

import contextvars
import functools
import inspect
import os
from collections.abc import Callable, Mapping
from typing import Any

import temporalio.client
import temporalio.worker
import temporalio.workflow

from . import _constants as c
from .exceptions import TenuoContextError

noted_callable: contextvars.ContextVar[Callable[..., Any] | None] = contextvars.ContextVar("tenuo_noted_callable", default=None)
noted_child_headers: contextvars.ContextVar[Any] = contextvars.ContextVar("tenuo_noted_child_headers", default=None)
_DONE = "__tenuo_shim__"
_worker_hooks: list[Callable[[dict[str, Any]], None]] = []


def check_ours(headers: Mapping[str, Any]) -> None:
    """Only our own headers may come this way."""
    for name in headers:
        if not isinstance(name, str) or not name.startswith(c.PREFIX):
            raise TypeError(f"headers= takes what tenuo_headers() or attenuated_headers() returned, not '{name}'")


def _has_headers(fn: Any) -> bool:
    return "headers" in inspect.signature(fn).parameters


def _wrap(owner: Any, name: str, make: Callable[[Any], Any]) -> None:
    original = getattr(owner, name, None)
    if original is None or getattr(original, _DONE, False):
        return
    wrapped = functools.wraps(original)(make(original))
    setattr(wrapped, _DONE, True)
    setattr(owner, name, wrapped)


def _client_start(original: Any) -> Any:
    async def start(self: Any, *args: Any, headers: Mapping[str, bytes] | None = None, **kw: Any) -> Any:
        if headers is None:
            return await original(self, *args, **kw)
        from .client import find_interceptor

        check_ours(headers)
        if "id" not in kw:
            raise TypeError("headers= needs the workflow's id=")
        interceptor = find_interceptor(self)
        token = interceptor.set_headers_for_workflow(kw["id"], dict(headers))
        try:
            return await original(self, *args, **kw)
        finally:
            interceptor.discard_headers_for_workflow_if_match(kw["id"], dict(headers), token)

    return start


def _noting_sync(original: Any) -> Any:
    def call(activity: Any, *args: Any, **kw: Any) -> Any:
        token = noted_callable.set(activity if callable(activity) else None)
        try:
            return original(activity, *args, **kw)
        finally:
            noted_callable.reset(token)

    return call


def _noting_async(original: Any) -> Any:
    async def call(activity: Any, *args: Any, **kw: Any) -> Any:
        token = noted_callable.set(activity if callable(activity) else None)
        try:
            return await original(activity, *args, **kw)
        finally:
            noted_callable.reset(token)

    return call


def _child(original: Any) -> Any:
    async def call(workflow: Any, *args: Any, headers: Mapping[str, bytes] | None = None, **kw: Any) -> Any:
        if headers is None:
            return await original(workflow, *args, **kw)
        check_ours(headers)
        token = noted_child_headers.set(headers)
        try:
            return await original(workflow, *args, **kw)
        finally:
            noted_child_headers.reset(token)

    return call


def on_worker(hook: Callable[[dict[str, Any]], None]) -> None:
    """Calls `hook` with the keyword arguments of each Worker that is made; it may change them."""
    if hook not in _worker_hooks:
        _worker_hooks.append(hook)


def _worker_init(original: Any) -> Any:
    def init(self: Any, client: Any, **kw: Any) -> None:
        kw["__client"] = client
        for hook in _worker_hooks:
            hook(kw)
        kw.pop("__client")
        original(self, client, **kw)

    return init


def install() -> None:
    """Idempotent. Nothing where the SDK has the parameter already."""
    if os.environ.get("TENUO_TEMPORAL_NO_SHIM") == "1":
        return
    client, workflow = temporalio.client.Client, temporalio.workflow
    for name in ("start_workflow", "execute_workflow"):
        if not _has_headers(getattr(client, name)):
            _wrap(client, name, _client_start)
    for name in ("start_child_workflow", "execute_child_workflow"):
        if not _has_headers(getattr(workflow, name)):
            _wrap(workflow, name, _child)
    for name in ("start_activity", "start_activity_method", "start_local_activity", "start_local_activity_method"):
        _wrap(workflow, name, _noting_sync)
    for name in ("execute_activity", "execute_activity_method", "execute_local_activity", "execute_local_activity_method"):
        _wrap(workflow, name, _noting_async)
    _wrap(temporalio.worker.Worker, "__init__", _worker_init)
