# SPDX-License-Identifier: Apache-2.0
"""Worker and client in two processes, as in production: the client has the warrant, the worker the holder's key and the root's public key.

Run without arguments it makes keys, starts itself as the worker, and is the client. Needs a server at TEMPORAL_ADDRESS (default localhost:7233)."""

import asyncio
import base64
import logging
import os
import subprocess
import sys
import tempfile
import uuid
from datetime import timedelta
from pathlib import Path

from temporalio import activity, workflow
from temporalio.client import Client, WorkflowFailureError
from temporalio.worker import Worker

from tenuo import SigningKey, Subpath, Warrant
from tenuo.temporal import AuthorizedWorkflow, TenuoClientInterceptor, TenuoPluginConfig, TenuoTemporalPlugin, execute_workflow_authorized

ADDRESS = os.environ.get("TEMPORAL_ADDRESS", "localhost:7233")
QUEUE = os.environ.get("DEMO_QUEUE", f"two-processes-{uuid.uuid4().hex[:8]}")


@activity.defn
async def read_file(path: str) -> str:
    return Path(path).read_text()


@workflow.defn
class ReadWorkflow(AuthorizedWorkflow):
    @workflow.run
    async def run(self, path: str) -> str:
        text: str = await self.execute_authorized_activity(read_file, args=[path], start_to_close_timeout=timedelta(seconds=30))
        return text


async def worker() -> None:
    """Keys from TENUO_KEY_agent1, roots from TENUO_TRUSTED_ROOTS; in production a key store and /etc/tenuo.conf (ConfKeyResolver)."""
    plugin = TenuoTemporalPlugin(TenuoPluginConfig.from_env())
    client = await Client.connect(ADDRESS)
    async with Worker(client, task_queue=QUEUE, workflows=[ReadWorkflow], activities=[read_file], plugins=[plugin]):
        print("ready", flush=True)
        await asyncio.sleep(60)


async def client(control_key: SigningKey, holder: SigningKey) -> None:
    folder = Path(tempfile.mkdtemp(prefix="tenuo-two-"))
    (folder / "report.txt").write_text("read by another process")
    warrant = Warrant.mint_builder().holder(holder.public_key).capability("read_file", path=Subpath(str(folder))).ttl(600).mint(control_key)
    connected = await Client.connect(ADDRESS, interceptors=[TenuoClientInterceptor()])

    async def read(path: str) -> str:
        text: str = await execute_workflow_authorized(client=connected, workflow_run_fn=ReadWorkflow.run, workflow_id=f"read-{uuid.uuid4()}",
                                                      warrant=warrant, key_id="agent1", args=[path], task_queue=QUEUE)
        return text

    print(await read(str(folder / "report.txt")))
    try:
        await read("/etc/hostname")
        raise SystemExit("/etc/hostname was read")
    except WorkflowFailureError:
        print("/etc/hostname: denied")


def main() -> None:
    control_key, holder = SigningKey.generate(), SigningKey.generate()
    env = {**os.environ, "DEMO_QUEUE": QUEUE, "TENUO_KEY_agent1": base64.b64encode(holder.secret_key_bytes()).decode(),
           "TENUO_TRUSTED_ROOTS": control_key.public_key.to_base64url()}
    child = subprocess.Popen([sys.executable, __file__, "worker"], env=env, stdout=subprocess.PIPE, text=True)
    try:
        assert child.stdout is not None and child.stdout.readline().strip() == "ready", "the worker did not start"
        asyncio.run(client(control_key, holder))
    finally:
        child.terminate()
        child.wait(15)


if __name__ == "__main__":
    os.environ.setdefault("TENUO_ENV", "development")
    logging.getLogger("temporalio").setLevel(logging.CRITICAL)  # denials are expected here, and told
    asyncio.run(worker()) if sys.argv[1:] == ["worker"] else main()
