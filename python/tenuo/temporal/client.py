# SPDX-License-Identifier: Apache-2.0
"""The starter's side: warrants into the headers of a start (spec temporal.md 3). No key is ever sent."""

from __future__ import annotations

import asyncio
import collections
import contextlib
import contextvars
import threading
import time
import warnings
from collections.abc import AsyncIterator, Mapping, Sequence
from typing import Any

import temporalio.client
from tenuo_core.errors import ConfigurationError
from tenuo_core.warrant import Warrant

from . import _local_keys, _shim, _wire
from .exceptions import TenuoContextError, application_error
from .resolvers import in_development, warn_once
from .sources import WarrantSource, resolve_source

_active: contextvars.ContextVar[tuple[Any, str, Any] | None] = contextvars.ContextVar("tenuo_warrant_context", default=None)


def tenuo_headers(warrant: Any, key_id: str, signing_key: Any = None, *, compress: bool = True,
                  warrant_chain: Sequence[Warrant] | None = None) -> dict[str, bytes]:
    """The headers that start a run under `warrant`. key_id: the name under which the worker finds the holder's key.

    signing_key is never sent: it goes into a table of this process, so that a worker in the same process needs no key store. It must be the
    holder's. warrant: a Warrant, a list root first, or an encoded stack."""
    headers = _wire.encode_headers(warrant, key_id, chain=warrant_chain, compress=compress)
    if signing_key is not None:
        leaf = _wire.whole_chain(warrant, warrant_chain)[-1]
        if not hasattr(signing_key, "public_key") or signing_key.public_key != leaf.authorized_holder:
            raise TenuoContextError("signing_key is not the warrant's holder")
        if not in_development():
            warn_once("local-keys", "a signing key was handed to tenuo_headers: only workers of this process can use it; "
                      "use a key store for workers elsewhere")
        _local_keys.put(key_id, signing_key, leaf.expires_at_unix)
    return headers


class _Pending:
    __slots__ = ("generation", "headers", "since")

    def __init__(self, headers: dict[str, bytes], generation: int) -> None:
        self.headers, self.generation, self.since = headers, generation, time.monotonic()


class TenuoClientInterceptor(temporalio.client.Interceptor):
    """Puts bound headers into starts. Bindings are bounded in number and age (seconds)."""

    DEFAULT_PENDING_HEADERS_MAX_SIZE = 10000
    DEFAULT_PENDING_HEADERS_TTL_SECS = 3600.0

    def __init__(self, *, pending_headers_max_size: int | None = None, pending_headers_ttl_secs: float | None = None) -> None:
        self._max = pending_headers_max_size or self.DEFAULT_PENDING_HEADERS_MAX_SIZE
        self._ttl = pending_headers_ttl_secs or self.DEFAULT_PENDING_HEADERS_TTL_SECS
        self._lock = threading.Lock()
        self._by_id: collections.OrderedDict[str, _Pending] = collections.OrderedDict()
        self._once: _Pending | None = None
        self._generation = 0
        _shim.install()

    def intercept_client(self, next: temporalio.client.OutboundInterceptor) -> temporalio.client.OutboundInterceptor:
        return _Outbound(next, self)

    def set_headers(self, headers: dict[str, bytes]) -> None:
        """For the next start of any workflow, once. Deprecated: two starts at the same time could take each other's."""
        warnings.warn("set_headers binds to whatever starts next: use set_headers_for_workflow or execute_workflow_authorized",
                      DeprecationWarning, stacklevel=2)
        _shim.check_ours(headers)
        with self._lock:
            self._once = _Pending(dict(headers), 0)

    def set_headers_for_workflow(self, workflow_id: str, headers: dict[str, bytes]) -> int:
        """For the next start of this workflow id, once. Returns a number for discard_..._if_match."""
        if not workflow_id:
            raise ValueError("workflow_id is empty")
        _shim.check_ours(headers)
        with self._lock:
            self._expire()
            self._generation += 1
            self._by_id.pop(workflow_id, None)
            self._by_id[workflow_id] = _Pending(dict(headers), self._generation)
            while len(self._by_id) > self._max:
                dropped, _ = self._by_id.popitem(last=False)
                warn_once(f"pending-{id(self)}", f"more than {self._max} workflows wait for their start: the headers of '{dropped}' are dropped")
            return self._generation

    def _expire(self) -> None:
        oldest = time.monotonic() - self._ttl
        while self._by_id and next(iter(self._by_id.values())).since < oldest:
            self._by_id.popitem(last=False)
        if self._once is not None and self._once.since < oldest:
            self._once = None

    def discard_headers_for_workflow(self, workflow_id: str) -> bool:
        with self._lock:
            return self._by_id.pop(workflow_id, None) is not None

    def pending_headers_match(self, workflow_id: str, headers: Mapping[str, bytes], token: int | None = None) -> bool:
        with self._lock:
            return self._matches(workflow_id, headers, token)

    def _matches(self, workflow_id: str, headers: Mapping[str, bytes], token: int | None) -> bool:
        pending = self._by_id.get(workflow_id)
        return pending is not None and pending.headers == dict(headers) and token in (None, pending.generation)

    def discard_headers_for_workflow_if_match(self, workflow_id: str, headers: Mapping[str, bytes], token: int | None = None) -> bool:
        with self._lock:
            if not self._matches(workflow_id, headers, token):
                return False
            del self._by_id[workflow_id]
            return True

    def clear_headers(self) -> None:
        with self._lock:
            self._by_id.clear()
            self._once = None

    def take(self, workflow_id: str) -> dict[str, bytes] | None:
        """The headers of a start, consumed: those of its id, else the one-shot ones, else those of tenuo_warrant_context."""
        with self._lock:
            self._expire()
            pending = self._by_id.pop(workflow_id, None)
            if pending is not None:
                return pending.headers
            once, self._once = self._once, None
        if once is not None:
            return once.headers
        active = _active.get()
        return None if active is None else tenuo_headers(active[0], active[1], warrant_chain=active[2])

    async def execute_workflow_authorized(self, client: Any, workflow_run_fn: Any, *, workflow_id: str, warrant: Any, key_id: str,
                                          args: Sequence[Any] | None = None, compress: bool = True,
                                          warrant_chain: Sequence[Warrant] | None = None, **execute_kwargs: Any) -> Any:
        return await execute_workflow_authorized(client=client, client_interceptor=self, workflow_run_fn=workflow_run_fn, workflow_id=workflow_id,
                                                 warrant=warrant, key_id=key_id, args=args, compress=compress, warrant_chain=warrant_chain,
                                                 **execute_kwargs)


class _Outbound(temporalio.client.OutboundInterceptor):
    def __init__(self, next: temporalio.client.OutboundInterceptor, owner: TenuoClientInterceptor) -> None:
        super().__init__(next)
        self._owner = owner

    async def start_workflow(self, input: temporalio.client.StartWorkflowInput) -> Any:
        headers = self._owner.take(input.id)
        if headers:
            input.headers = {**input.headers, **_wire.payloads(headers)}
        return await super().start_workflow(input)

    async def start_update_with_start_workflow(self, input: temporalio.client.StartWorkflowUpdateWithStartInput) -> Any:
        """A start like any other: headers that were bound to it must not wait for a later one."""
        start = input.start_workflow_input
        headers = self._owner.take(start.id)
        if headers:
            start.headers = {**start.headers, **_wire.payloads(headers)}
        return await super().start_update_with_start_workflow(input)


def find_interceptor(client: Any) -> TenuoClientInterceptor:
    """Ours among a client's interceptors."""
    for one in client.config(active_config=True)["interceptors"]:
        if isinstance(one, TenuoClientInterceptor):
            return one
    raise TenuoContextError("the client has no TenuoClientInterceptor: Client.connect(..., interceptors=[TenuoClientInterceptor()])")


async def _start(client: Any, interceptor: TenuoClientInterceptor | None, fn: Any, workflow_id: str, warrant: Any, key_id: str,
                 source: WarrantSource | None, args: Sequence[Any] | None, compress: bool, chain: Sequence[Warrant] | None, kw: dict[str, Any]) -> Any:
    if (warrant is None) == (source is None):
        raise TenuoContextError("give a warrant or a warrant_source, and not both")
    if "id" in kw:
        raise ValueError("the workflow's id is workflow_id=")
    if source is not None:
        warrant, key_id, chain = await resolve_source(source)
    owner = interceptor or find_interceptor(client)
    headers = tenuo_headers(warrant, key_id, compress=compress, warrant_chain=chain)
    token = owner.set_headers_for_workflow(workflow_id, headers)
    try:
        return await client.start_workflow(fn, args=list(args or []), id=workflow_id, **kw)
    finally:
        owner.discard_headers_for_workflow_if_match(workflow_id, headers, token)


async def start_workflow_authorized(*, client: Any, client_interceptor: TenuoClientInterceptor | None = None, workflow_run_fn: Any,
                                    workflow_id: str, warrant: Any = None, key_id: str = "", warrant_source: WarrantSource | None = None,
                                    args: Sequence[Any] | None = None, compress: bool = True,
                                    warrant_chain: Sequence[Warrant] | None = None, **start_kwargs: Any) -> Any:
    """Starts a workflow under a warrant; returns its handle."""
    return await _start(client, client_interceptor, workflow_run_fn, workflow_id, warrant, key_id, warrant_source, args, compress, warrant_chain,
                        start_kwargs)


async def execute_workflow_authorized(*, client: Any, client_interceptor: TenuoClientInterceptor | None = None, workflow_run_fn: Any,
                                      workflow_id: str, warrant: Any = None, key_id: str = "", warrant_source: WarrantSource | None = None,
                                      args: Sequence[Any] | None = None, compress: bool = True,
                                      warrant_chain: Sequence[Warrant] | None = None, **execute_kwargs: Any) -> Any:
    """As start_workflow_authorized, and waits for the result."""
    handle = await _start(client, client_interceptor, workflow_run_fn, workflow_id, warrant, key_id, warrant_source, args, compress, warrant_chain,
                          execute_kwargs)
    return await handle.result()


@contextlib.asynccontextmanager
async def tenuo_warrant_context(warrant_or_source: Any, key_id: str = "", *, warrant_chain: Sequence[Warrant] | None = None) -> AsyncIterator[None]:
    """Every start inside, by a client with our interceptor, runs under the warrant."""
    if isinstance(warrant_or_source, WarrantSource):
        warrant_or_source, key_id, warrant_chain = await resolve_source(warrant_or_source)
    _wire.check_key_id(key_id)
    token = _active.set((warrant_or_source, key_id, warrant_chain))
    try:
        yield
    finally:
        _active.reset(token)


class TenuoWarrantContextPropagator:
    """The same context by hand, for frameworks that have no `async with`."""

    def set(self, warrant: Any, key_id: str) -> contextvars.Token[Any]:
        return _active.set((warrant, _wire.check_key_id(key_id), None))

    def get(self) -> tuple[Any, str] | None:
        active = _active.get()
        return None if active is None else (active[0], active[1])

    def clear(self, token: contextvars.Token[Any]) -> None:
        _active.reset(token)


_ACTION_OWN = frozenset({"args", "id", "task_queue", "memo", "headers"})


async def create_scheduled_workflow_with_warrant(client: Any, schedule_id: str, workflow: Any, warrant: Any, key_id: str, schedule_spec: Any, *,
                                                 workflow_args: Sequence[Any] | None = None, task_queue: str = "default", compress: bool = True,
                                                 memo: Mapping[str, Any] | None = None, action_options: Mapping[str, Any] | None = None,
                                                 warrant_chain: Sequence[Warrant] | None = None, **schedule_kwargs: Any) -> Any:
    """A schedule whose runs all have this warrant: its lifetime must cover the schedule."""
    options = dict(action_options or {})
    taken = sorted(_ACTION_OWN & options.keys())
    if taken:
        raise ValueError(f"action_options must not have {', '.join(taken)}: they are arguments of their own")
    action = temporalio.client.ScheduleActionStartWorkflow(
        workflow, args=list(workflow_args or []), id=f"{schedule_id}-run", task_queue=task_queue, memo=memo, **options)
    action.headers = _wire.payloads(tenuo_headers(warrant, key_id, compress=compress, warrant_chain=warrant_chain))
    return await client.create_schedule(schedule_id, temporalio.client.Schedule(action=action, spec=schedule_spec), **schedule_kwargs)


async def tenuo_complete_async_activity(handle_or_task_token: Any, result: Any, warrant: Any, key_id: str | None = None, *, client: Any = None,
                                        task_queue: str | None = None, warrant_chain: Sequence[Warrant] | None = None) -> None:
    """Completes an activity from elsewhere, if the warrant's chain is still good. There is no proof of possession to check here."""
    from .plugin import only_worker

    chain = _wire.whole_chain(warrant, warrant_chain)
    authority = only_worker(task_queue)
    decision = await asyncio.to_thread(lambda: authority.verifier().verify_chain(chain, int(time.time())))
    if not decision.allowed:
        from .exceptions import from_decision

        raise application_error(from_decision(decision, activity_name="async completion", arguments={}, warrant_id=chain[-1].id))
    handle = handle_or_task_token
    if isinstance(handle, bytes):
        if client is None:
            raise ConfigurationError("completing by task token needs client=")
        handle = client.get_async_activity_handle(task_token=handle)
    await handle.complete(result)


