# SPDX-License-Identifier: Apache-2.0
"""Quick start: a workflow whose two activities are checked against its warrant. Needs a Temporal server (`temporal server start-dev`).

    pip install "tenuo[temporal]" && python quick_start.py
"""

import asyncio
import os
import tempfile
import uuid
from datetime import timedelta
from pathlib import Path

from temporalio import activity, workflow
from temporalio.client import Client
from temporalio.worker import Worker

from tenuo import SigningKey, Warrant
from tenuo.temporal import AuthorizedWorkflow, EnvKeyResolver, TenuoPluginConfig, TenuoTemporalPlugin, execute_workflow_authorized, tenuo_headers
from tenuo_core import Subpath, Wildcard


@activity.defn
async def read_file(path: str) -> str:
    return Path(path).read_text()


@activity.defn
async def write_file(path: str, content: str) -> str:
    Path(path).write_text(content)
    return f"Wrote {len(content)} bytes"


@workflow.defn
class DataProcessingWorkflow(AuthorizedWorkflow):
    @workflow.run
    async def run(self, input_path: str, output_path: str) -> str:
        data = await self.execute_authorized_activity(read_file, args=[input_path], start_to_close_timeout=timedelta(seconds=30))
        return await self.execute_authorized_activity(write_file, args=[output_path, data.upper()], start_to_close_timeout=timedelta(seconds=30))


async def main() -> None:
    folder = Path(tempfile.mkdtemp(prefix="tenuo-quick-start-"))
    (folder / "report.txt").write_text("all is well")
    control_key, agent_key = SigningKey.generate(), SigningKey.generate()

    # A capability with constraints is closed: every argument of the tool must be named, `content` too, or it is denied.
    warrant = (
        Warrant.mint_builder()
        .holder(agent_key.public_key)
        .capability("read_file", path=Subpath(str(folder)))
        .capability("write_file", path=Subpath(str(folder)), content=Wildcard())
        .ttl(3600)
        .mint(control_key)
    )

    plugin = TenuoTemporalPlugin(TenuoPluginConfig(key_resolver=EnvKeyResolver(), trusted_roots=[control_key.public_key]))
    client = await Client.connect(os.environ.get("TEMPORAL_ADDRESS", "localhost:7233"), plugins=[plugin])
    tenuo_headers(warrant, "agent-key-1", agent_key)  # worker and client are one process here: no key store is needed
    async with Worker(client, task_queue="quick-start", workflows=[DataProcessingWorkflow], activities=[read_file, write_file]):
        result = await execute_workflow_authorized(
            client=client, workflow_run_fn=DataProcessingWorkflow.run, workflow_id=f"quick-start-{uuid.uuid4()}",
            warrant=warrant, key_id="agent-key-1", args=[str(folder / "report.txt"), str(folder / "copy.txt")], task_queue="quick-start")
    print(result)
    print((folder / "copy.txt").read_text())


if __name__ == "__main__":
    os.environ.setdefault("TENUO_ENV", "development")
    asyncio.run(main())
