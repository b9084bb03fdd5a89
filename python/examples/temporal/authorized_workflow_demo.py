# SPDX-License-Identifier: Apache-2.0
"""AuthorizedWorkflow, the recommended start: parallel reads, and a run that fails at once when it was started without a warrant."""

import asyncio
import logging
import os
import tempfile
import time
import uuid
from datetime import timedelta
from pathlib import Path

from temporalio import activity, workflow
from temporalio.client import Client, WorkflowFailureError
from temporalio.worker import Worker

from tenuo import SigningKey, Subpath, Warrant
from tenuo.temporal import AuthorizedWorkflow, EnvKeyResolver, TenuoPluginConfig, TenuoTemporalPlugin, execute_workflow_authorized, tenuo_headers


@activity.defn
async def read_file(path: str) -> str:
    return Path(path).read_text()


@workflow.defn
class ParallelReads(AuthorizedWorkflow):
    @workflow.run
    async def run(self, paths: list[str]) -> int:
        texts = await asyncio.gather(*(self.execute_authorized_activity(read_file, args=[path], start_to_close_timeout=timedelta(seconds=30))
                                       for path in paths))
        return sum(map(len, texts))


async def main() -> None:
    folder = Path(tempfile.mkdtemp(prefix="tenuo-authorized-"))
    paths = [folder / f"{i}.txt" for i in range(4)]
    for path in paths:
        path.write_text("twelve bytes")
    control_key, agent_key = SigningKey.generate(), SigningKey.generate()
    warrant = Warrant.mint_builder().holder(agent_key.public_key).capability("read_file", path=Subpath(str(folder))).ttl(600).mint(control_key)
    tenuo_headers(warrant, "agent", agent_key)
    plugin = TenuoTemporalPlugin(TenuoPluginConfig(key_resolver=EnvKeyResolver(), trusted_roots=[control_key.public_key]))
    client = await Client.connect(os.environ.get("TEMPORAL_ADDRESS", "localhost:7233"), plugins=[plugin])
    async with Worker(client, task_queue="authorized-demo", workflows=[ParallelReads], activities=[read_file]):
        total = await execute_workflow_authorized(client=client, workflow_run_fn=ParallelReads.run, workflow_id=f"reads-{uuid.uuid4()}", warrant=warrant,
                                                  key_id="agent", args=[[str(p) for p in paths]], task_queue="authorized-demo")
        print(f"Read {len(paths)} files in parallel, {total} bytes")
        began = time.monotonic()
        try:
            await client.execute_workflow(ParallelReads.run, [str(paths[0])], id=f"reads-{uuid.uuid4()}", task_queue="authorized-demo")
            raise SystemExit("it ran without a warrant")
        except WorkflowFailureError as exc:
            print(f"Without a warrant: {exc.cause} (after {time.monotonic() - began:.1f} s)")


if __name__ == "__main__":
    os.environ.setdefault("TENUO_ENV", "development")
    logging.getLogger("temporalio").setLevel(logging.CRITICAL)  # denials are expected here, and told below
    asyncio.run(main())
