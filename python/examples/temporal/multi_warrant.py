# SPDX-License-Identifier: Apache-2.0
"""Two tenants, one workflow: each run may read what its own warrant says, and nothing of the other's."""

import asyncio
import logging
import os
import tempfile
import uuid
from datetime import timedelta
from pathlib import Path

from temporalio import activity, workflow
from temporalio.client import Client, WorkflowFailureError
from temporalio.worker import Worker

from tenuo import SigningKey, Subpath, Warrant
from tenuo.temporal import EnvKeyResolver, TenuoPluginConfig, TenuoTemporalPlugin, execute_workflow_authorized, tenuo_execute_activity, tenuo_headers


@activity.defn
async def read_file(path: str) -> str:
    return Path(path).read_text()


@workflow.defn
class TenantReport:
    @workflow.run
    async def run(self, path: str) -> str:
        return await tenuo_execute_activity(read_file, args=[path], start_to_close_timeout=timedelta(seconds=30))


async def main() -> None:
    folder = Path(tempfile.mkdtemp(prefix="tenuo-tenants-"))
    control_key = SigningKey.generate()
    warrants = {}
    for tenant in ("acme", "globex"):
        (folder / tenant).mkdir()
        (folder / tenant / "report.txt").write_text(f"the report of {tenant}")
        key = SigningKey.generate()
        warrants[tenant] = (Warrant.mint_builder().holder(key.public_key).capability("read_file", path=Subpath(str(folder / tenant)))
                            .ttl(600).mint(control_key))
        tenuo_headers(warrants[tenant], f"{tenant}-key", key)
    plugin = TenuoTemporalPlugin(TenuoPluginConfig(key_resolver=EnvKeyResolver(), trusted_roots=[control_key.public_key]))
    client = await Client.connect(os.environ.get("TEMPORAL_ADDRESS", "localhost:7233"), plugins=[plugin])

    async def report(tenant: str, of: str) -> str:
        result: str = await execute_workflow_authorized(
            client=client, workflow_run_fn=TenantReport.run, workflow_id=f"report-{uuid.uuid4()}", warrant=warrants[tenant], key_id=f"{tenant}-key",
            args=[str(folder / of / "report.txt")], task_queue="multi-warrant")
        return result

    async with Worker(client, task_queue="multi-warrant", workflows=[TenantReport], activities=[read_file]):
        for tenant, other in (("acme", "globex"), ("globex", "acme")):
            print(f"{tenant} reads its own: {await report(tenant, tenant)}")
            try:
                await report(tenant, other)
                raise SystemExit(f"{tenant} read a report of {other}")
            except WorkflowFailureError:
                print(f"{tenant} reads {other}'s: denied")


if __name__ == "__main__":
    os.environ.setdefault("TENUO_ENV", "development")
    logging.getLogger("temporalio").setLevel(logging.CRITICAL)  # denials are expected here, and told below
    asyncio.run(main())
