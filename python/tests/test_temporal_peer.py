# SPDX-License-Identifier: Apache-2.0
"""With the reference implementation on the other side, for primitive arguments (spec temporal.md L21)."""

from __future__ import annotations

import asyncio
import os
import pathlib
import subprocess
import uuid
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import lab
import pytest
from temporalio import activity, workflow
from temporalio.client import WorkflowFailureError
from temporalio.common import RetryPolicy

from tenuo import SigningKey, Subpath, Warrant, Wildcard
from tenuo.temporal import tenuo_execute_activity, tenuo_headers

PEER = pathlib.Path(__file__).with_name("reference_peer.py")


@activity.defn(name="read_file")
async def read_file(path: str, lines: int, whole: bool) -> str:
    return f"{path} {lines} {whole}"


@workflow.defn(name="PeerFlow")
class PeerFlow:
    @workflow.run
    async def run(self, path: str, queue: str) -> str:
        return await tenuo_execute_activity(read_file, args=[path, 3, True], start_to_close_timeout=timedelta(seconds=20),
                                            task_queue=None if queue == "-" else queue, retry_policy=RetryPolicy(maximum_attempts=1))


class Peer:
    """The reference's worker on a queue of its own, beside ours."""

    def __init__(self, address: str, python: str) -> None:
        self.address, self.python = address, python
        self.root, self.holder = SigningKey.generate(), SigningKey.generate()
        self.queue = f"peer-{uuid.uuid4().hex[:8]}"
        env = {k: v for k, v in os.environ.items() if k != "PYTHONPATH"}
        self.env = {**env, "TENUO_ENV": "test"}
        self.child = subprocess.Popen([python, str(PEER), address, "worker", self.queue, self.root.public_key.to_bytes().hex(),
                                       self.holder.secret_key_bytes().hex()], stdout=subprocess.PIPE, text=True, env=self.env)
        assert self.child.stdout is not None and self.child.stdout.readline().strip() == "ready"

    def warrant(self) -> Warrant:
        return (Warrant.mint_builder().holder(self.holder.public_key)
                .capability("read_file", path=Subpath("/data"), lines=Wildcard(), whole=Wildcard()).ttl(600).mint(self.root))

    def world(self) -> lab.World:
        w = lab.World(self.address)
        w.root, w.holder = self.root, self.holder
        return w

    def start_from_reference(self, queue: str, other: str, path: str) -> str:
        done = subprocess.run([self.python, str(PEER), self.address, "client", queue, other, self.warrant().to_base64(), path], capture_output=True,
                              text=True, timeout=60, env=self.env, check=False)
        return done.stdout.strip() or done.stderr

    def stop(self) -> None:
        self.child.kill()
        self.child.wait(10)
        if self.child.stdout is not None:
            self.child.stdout.close()


@pytest.fixture(scope="module")
def peer(server: str) -> Iterator[Peer]:
    python = os.environ.get("TENUO_REFERENCE_PYTHON")
    if not python:
        pytest.skip("the reference implementation is not installed: sh tests/python/reference.sh")
    made = Peer(server, python)
    yield made
    made.stop()


async def outcome(call: Any) -> str:
    try:
        return f"got {await call}"
    except WorkflowFailureError as exc:
        return f"denied {lab.cause(exc).type}"


def test_our_client_with_their_worker(peer: Peer) -> None:
    """[L21] our client's headers are read by the reference's worker."""

    async def main() -> list[str]:
        w = await peer.world().connect()
        return [await outcome(w.execute("PeerFlow", path, "-", headers=tenuo_headers(peer.warrant(), "agent"), task_queue=peer.queue))
                for path in ("/data/x", "/etc/x")]

    good, bad = lab.run(main())
    assert good == "got /data/x 3 True" and bad.startswith("denied")


def test_their_client_with_our_worker(peer: Peer) -> None:
    """[L21] the reference's client, our worker."""

    async def main() -> list[str]:
        w = await peer.world().connect()
        async with w.worker([PeerFlow], [read_file]):
            return [await asyncio.to_thread(peer.start_from_reference, w.queue, "-", path) for path in ("/data/x", "/etc/x")]

    assert lab.run(main()) == ["got /data/x 3 True", "denied CONSTRAINT_VIOLATED"]


def test_their_workflow_our_activity_and_back(peer: Peer) -> None:
    """[L21] a call that the reference signed runs on our worker, and the other way round."""

    async def main() -> list[str]:
        w = await peer.world().connect()
        async with w.worker([PeerFlow], [read_file]):
            headers = tenuo_headers(peer.warrant(), "agent")
            return [await outcome(w.execute("PeerFlow", "/data/x", w.queue, headers=headers, task_queue=peer.queue)),
                    await outcome(w.execute("PeerFlow", "/data/x", peer.queue, headers=headers)),
                    await outcome(w.execute("PeerFlow", "/etc/x", w.queue, headers=headers, task_queue=peer.queue)),
                    await outcome(w.execute("PeerFlow", "/etc/x", peer.queue, headers=headers))]

    there, back, bad, bad_back = lab.run(main())
    assert there == back == "got /data/x 3 True" and bad == "denied CONSTRAINT_VIOLATED" and bad_back.startswith("denied")
