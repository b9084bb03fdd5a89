# SPDX-License-Identifier: Apache-2.0
"""temporal_load.py ADDRESS KIND COUNT: CPU microseconds that one activity costs the worker's process, as JSON. KIND: plain (no interceptor) or
tenuo, which is whichever implementation the interpreter has installed. Workflows of a hundred activities each; server and client apart."""

import asyncio
import json
import os
import resource
import sys
import time
import uuid
from datetime import timedelta

from temporalio import activity, workflow
from temporalio.client import Client
from temporalio.worker import Worker
from temporalio.worker.workflow_sandbox import SandboxedWorkflowRunner, SandboxRestrictions


@activity.defn
async def read_file(path: str) -> str:
    return path


@workflow.defn
class Load:
    @workflow.run
    async def run(self, count: int) -> int:
        calls = (workflow.execute_activity(read_file, args=[f"/data/{i}"], start_to_close_timeout=timedelta(seconds=60)) for i in range(count))
        return len(await asyncio.gather(*calls))


def parts(kind):
    """(worker's plugins, headers of a start, client interceptors)."""
    if kind == "plain":
        return [], None, []
    from tenuo import SigningKey, Subpath, Warrant
    from tenuo.temporal import TenuoClientInterceptor, TenuoPluginConfig, TenuoTemporalPlugin, tenuo_headers

    root, holder = SigningKey.generate(), SigningKey.generate()
    warrant = Warrant.mint_builder().holder(holder.public_key).capability("read_file", path=Subpath("/data")).ttl(3600).mint(root)
    config = TenuoPluginConfig(signing_key=holder, trusted_roots=[root.public_key], activity_fns=[read_file])
    interceptor = TenuoClientInterceptor()
    return [TenuoTemporalPlugin(config, client_interceptor=interceptor)], tenuo_headers(warrant, "agent"), [interceptor]


async def main(address, kind, count):
    plugins, headers, interceptors = parts(kind)
    client = await Client.connect(address, interceptors=interceptors)
    queue = f"bench-{uuid.uuid4()}"
    runner = SandboxedWorkflowRunner(restrictions=SandboxRestrictions.default.with_passthrough_modules("tenuo", "tenuo_core"))
    async with Worker(client, task_queue=queue, workflows=[Load], activities=[read_file], plugins=plugins, workflow_runner=runner):

        async def one():
            workflow_id = str(uuid.uuid4())
            if headers is not None:
                interceptors[0].set_headers_for_workflow(workflow_id, headers)
            return await client.execute_workflow(Load.run, 100, id=workflow_id, task_queue=queue)

        for _ in range(2):
            await one()
        best = float("inf")
        for _ in range(3):
            began = time.process_time()
            for _ in range(count // 100):
                await one()
            best = min(best, (time.process_time() - began) / count)
    print(json.dumps({"kind": kind, "us": best * 1e6, "rss_mib": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024}), flush=True)
    os._exit(0)


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], sys.argv[2], int(sys.argv[3])))
