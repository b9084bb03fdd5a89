# SPDX-License-Identifier: Apache-2.0
"""reference_peer.py ADDRESS MODE QUEUE ROOT KEY OTHER_QUEUE WARRANT: run by the interpreter of the reference implementation, a black-box peer.

worker: serves QUEUE (workflow and activity), guarded by the reference, with the root's public key and the holder's seed in hex.
client: starts PeerFlow on QUEUE under WARRANT (base64); prints what came back. OTHER_QUEUE: where the activity runs, "-" for the same."""

import asyncio
import os
import sys
from datetime import timedelta

from temporalio import activity, workflow
from temporalio.client import Client, WorkflowFailureError
from temporalio.common import RetryPolicy
from temporalio.worker import Worker

with workflow.unsafe.imports_passed_through():
    from tenuo import PublicKey, SigningKey, Warrant
    from tenuo.temporal import EnvKeyResolver, TenuoClientInterceptor, TenuoPluginConfig, TenuoTemporalPlugin, tenuo_execute_activity, tenuo_headers


@activity.defn(name="read_file")
async def read_file(path: str, lines: int, whole: bool) -> str:
    return f"{path} {lines} {whole}"


@workflow.defn(name="PeerFlow")
class PeerFlow:
    @workflow.run
    async def run(self, path: str, queue: str) -> str:
        return await tenuo_execute_activity(read_file, args=[path, 3, True], start_to_close_timeout=timedelta(seconds=20),
                                            task_queue=None if queue == "-" else queue, retry_policy=RetryPolicy(maximum_attempts=1))


async def worker(address: str, queue: str, root: str, seed: str) -> None:
    os.environ["TENUO_KEY_agent"] = seed
    resolver = EnvKeyResolver()
    resolver.preload_keys(["agent"])
    plugin = TenuoTemporalPlugin(TenuoPluginConfig(key_resolver=resolver, trusted_roots=[PublicKey.from_bytes(bytes.fromhex(root))], activity_fns=[read_file]))
    client = await Client.connect(address, plugins=[plugin])
    async with Worker(client, task_queue=queue, workflows=[PeerFlow], activities=[read_file]):
        print("ready", flush=True)
        await asyncio.sleep(60)


async def client(address: str, queue: str, other: str, text: str, path: str) -> None:
    interceptor = TenuoClientInterceptor()
    connected = await Client.connect(address, interceptors=[interceptor])
    workflow_id = f"peer-{os.getpid()}-{os.urandom(4).hex()}"
    interceptor.set_headers_for_workflow(workflow_id, tenuo_headers(Warrant(text), "agent"))
    try:
        print("got", await connected.execute_workflow("PeerFlow", args=[path, other], id=workflow_id, task_queue=queue), flush=True)
    except WorkflowFailureError as exc:
        cause = exc.cause
        while cause.__cause__ is not None and not hasattr(cause, "type"):
            cause = cause.__cause__
        print("denied", getattr(cause, "type", cause), flush=True)


if __name__ == "__main__":
    mode, rest = sys.argv[2], sys.argv[3:]
    assert SigningKey is not None
    asyncio.run(worker(sys.argv[1], *rest) if mode == "worker" else client(sys.argv[1], *rest))
    os._exit(0)
