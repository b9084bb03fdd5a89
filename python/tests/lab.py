# SPDX-License-Identifier: Apache-2.0
"""Real parts for tests: a Temporal server, workers in this process and in others, histories. Everything is on loopback, bounded in time, and
stopped by what started it."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import pathlib
import shutil
import signal
import socket
import subprocess
import time
import uuid
from collections.abc import AsyncIterator, Coroutine, Iterator
from typing import Any

import pytest
from google.protobuf import json_format
from temporalio.client import Client, WorkflowHistory
from temporalio.worker import Worker

from tenuo import SigningKey, Subpath, Warrant, Wildcard
from tenuo.temporal import TenuoClientInterceptor, TenuoPluginConfig, TenuoTemporalPlugin, tenuo_headers

QUICK = 20.0


def cache() -> pathlib.Path:
    return pathlib.Path(os.environ.get("TENUO_CACHE", os.path.expanduser("~/.cache/tenuo")))


def temporal_program() -> str | None:
    found = sorted(cache().glob("temporal-*/temporal"))
    return str(found[-1]) if found else shutil.which("temporal")


def free_port() -> int:
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return int(s.getsockname()[1])


@contextlib.contextmanager
def dev_server() -> Iterator[str]:
    program = temporal_program()
    if program is None:
        pytest.skip("the Temporal server is not installed: sh tests/services/install_temporal.sh")
    port = free_port()
    child = subprocess.Popen([program, "server", "start-dev", "--ip", "127.0.0.1", "--port", str(port), "--headless", "--log-level", "error",
                              "--namespace", "other", "--dynamic-config-value", "frontend.workerVersioningDataAPIs=true",
                              "--http-port", str(free_port()), "--metrics-port", str(free_port())],
                             stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        asyncio.run(_ready(f"127.0.0.1:{port}", child))
        yield f"127.0.0.1:{port}"
    finally:
        child.send_signal(signal.SIGTERM)
        try:
            child.wait(10)
        except subprocess.TimeoutExpired:
            child.kill()
            child.wait(5)


async def _ready(address: str, child: subprocess.Popen[bytes]) -> None:
    until = time.monotonic() + 40
    while True:
        assert child.poll() is None, "the server ended by itself"
        try:
            client = await Client.connect(address)
            async for _ in client.list_workflows("", page_size=1):
                break
            return
        except Exception:
            assert time.monotonic() < until, "the server did not become ready"
            await asyncio.sleep(0.2)


def run(coroutine: Coroutine[Any, Any, Any], seconds: float = 60) -> Any:
    """asyncio.run with a bound."""
    return asyncio.run(asyncio.wait_for(coroutine, seconds))


class World:
    """Keys, a client and the events of one test."""

    def __init__(self, address: str) -> None:
        self.address = address
        self.root, self.holder = SigningKey.generate(), SigningKey.generate()
        self.events: list[Any] = []
        self.queue = f"q-{uuid.uuid4().hex[:10]}"
        self.interceptor = TenuoClientInterceptor()
        self.client: Client

    async def connect(self, namespace: str = "default", **kw: Any) -> World:
        self.client = await Client.connect(self.address, namespace=namespace, interceptors=[self.interceptor], **kw)
        return self

    def config(self, **kw: Any) -> TenuoPluginConfig:
        kw.setdefault("signing_key", self.holder) if "key_resolver" not in kw else None
        kw.setdefault("trusted_roots", [self.root.public_key])
        kw.setdefault("audit_callback", self.events.append)
        return TenuoPluginConfig(**kw)

    def warrant(self, ttl: int = 600, holder: SigningKey | None = None, **tools: Any) -> Warrant:
        """Tools with their constraints; without any: read_file below /data."""
        builder = Warrant.mint_builder().holder((holder or self.holder).public_key).ttl(ttl)
        for name, fields in (tools or {"read_file": {"path": Subpath("/data")}}).items():
            builder.capability(name, fields)
        return builder.mint(self.root)

    @contextlib.asynccontextmanager
    async def worker(self, workflows: list[Any], activities: list[Any], config: TenuoPluginConfig | None = None, **kw: Any) -> AsyncIterator[Worker]:
        plugin = TenuoTemporalPlugin(config or self.config(), client_interceptor=self.interceptor)
        async with Worker(self.client, task_queue=kw.pop("task_queue", self.queue), workflows=workflows, activities=activities, plugins=[plugin],
                          **kw) as worker:
            yield worker

    async def start(self, fn: Any, *args: Any, warrant: Any = None, key_id: str = "agent", headers: dict[str, bytes] | None = None,
                    **kw: Any) -> Any:
        workflow_id = kw.pop("id", f"w-{uuid.uuid4().hex[:12]}")
        if headers is None and warrant is not None:
            headers = tenuo_headers(warrant, key_id)
        if headers:
            self.interceptor.set_headers_for_workflow(workflow_id, headers)
        return await self.client.start_workflow(fn, args=list(args), id=workflow_id, task_queue=kw.pop("task_queue", self.queue), **kw)

    async def execute(self, fn: Any, *args: Any, **kw: Any) -> Any:
        return await (await self.start(fn, *args, **kw)).result()


def cause(exc: BaseException) -> Any:
    """The innermost ApplicationError of ours: what the workflow or the client sees as the denial."""
    from temporalio.exceptions import ApplicationError

    found: Any = None
    step: Any = exc
    while step is not None:
        if isinstance(step, ApplicationError) and found is None:
            found = step
        step = step.__cause__
    return found


async def denial(coroutine: Any) -> Any:
    """The ApplicationError by which this failed."""
    from temporalio.client import WorkflowFailureError

    try:
        result = await coroutine
    except WorkflowFailureError as exc:
        return cause(exc)
    raise AssertionError(f"it was not denied: {result!r}")


def history_json(history: WorkflowHistory) -> str:
    return json.dumps([json_format.MessageToDict(e) for e in history.events])


ANY = Wildcard()
