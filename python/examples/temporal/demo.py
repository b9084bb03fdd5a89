# SPDX-License-Identifier: Apache-2.0
"""The free function tenuo_execute_activity: sequential and parallel reads below one folder, and what happens outside of it.

Needs a Temporal server at TEMPORAL_ADDRESS (default localhost:7233)."""

import asyncio
import logging
import os
import uuid
from datetime import timedelta
from pathlib import Path

from temporalio import activity, workflow
from temporalio.client import Client, WorkflowFailureError
from temporalio.common import RetryPolicy
from temporalio.worker import Worker
from temporalio.worker.workflow_sandbox import SandboxedWorkflowRunner, SandboxRestrictions

from tenuo import SigningKey, Warrant
from tenuo.temporal import (EnvKeyResolver, TemporalAuditEvent, TenuoClientInterceptor, TenuoInterceptor, TenuoInterceptorConfig, TenuoMetrics,
                            tenuo_execute_activity, tenuo_headers)
from tenuo_core import Subpath

FOLDER = Path("/tmp/tenuo-demo")
OPTIONS = {"start_to_close_timeout": timedelta(seconds=30), "retry_policy": RetryPolicy(maximum_attempts=3)}


@activity.defn
async def read_file(path: str) -> str:
    return Path(path).read_text()


@activity.defn
async def list_directory(path: str) -> list[str]:
    return sorted(entry.name for entry in Path(path).iterdir())


@workflow.defn
class ResearchWorkflow:
    @workflow.run
    async def run(self, folder: str) -> str:
        names = await tenuo_execute_activity(list_directory, args=[folder], **OPTIONS)
        first = await tenuo_execute_activity(read_file, args=[f"{folder}/{names[0]}"], **OPTIONS)
        rest = await asyncio.gather(*(tenuo_execute_activity(read_file, args=[f"{folder}/{name}"], **OPTIONS) for name in names[1:]))
        return f"{len(names)} files, {sum(map(len, [first, *rest]))} bytes"


def on_audit(event: TemporalAuditEvent) -> None:
    if event.decision == "ALLOW":
        print(f"  allowed {event.tool} in {event.workflow_type} (warrant {event.warrant_id[:16]}...)")
    else:
        print(f"  denied {event.tool}: {event.denial_reason}")


async def main() -> None:
    FOLDER.mkdir(exist_ok=True)
    for name in ("paper1.txt", "paper2.txt", "notes.txt"):
        (FOLDER / name).write_text(f"contents of {name}\n")
    control_key, agent_key = SigningKey.generate(), SigningKey.generate()
    warrant = (
        Warrant.mint_builder()
        .holder(agent_key.public_key)
        .capability("read_file", path=Subpath(str(FOLDER)))
        .capability("list_directory", path=Subpath(str(FOLDER)))
        .ttl(3600)
        .mint(control_key)
    )
    metrics = TenuoMetrics(prefix="tenuo_demo")
    interceptor = TenuoInterceptor(TenuoInterceptorConfig(key_resolver=EnvKeyResolver(), trusted_roots=[control_key.public_key],
                                                          audit_callback=on_audit, metrics=metrics))
    client_interceptor = TenuoClientInterceptor()
    client = await Client.connect(os.environ.get("TEMPORAL_ADDRESS", "localhost:7233"), interceptors=[client_interceptor])
    async with Worker(client, task_queue="tenuo-demo", workflows=[ResearchWorkflow], activities=[read_file, list_directory], interceptors=[interceptor],
                      workflow_runner=SandboxedWorkflowRunner(restrictions=SandboxRestrictions.default.with_passthrough_modules("tenuo", "tenuo_core"))):
        print(f"Reading below {FOLDER}")
        result = await client.execute_workflow(ResearchWorkflow.run, str(FOLDER), id=f"research-{uuid.uuid4()}", task_queue="tenuo-demo",
                                               headers=tenuo_headers(warrant, "agent1", agent_key))  # type: ignore[call-overload]
        print(f"  {result}")
        print("Trying /etc")
        try:
            await client.execute_workflow(ResearchWorkflow.run, "/etc", id=f"research-{uuid.uuid4()}", task_queue="tenuo-demo",
                                          headers=tenuo_headers(warrant, "agent1", agent_key))  # type: ignore[call-overload]
            raise SystemExit("/etc was not denied")
        except WorkflowFailureError:
            print("  the workflow failed, as it must")
    stats = metrics.get_stats()
    print(f"{sum(stats['authorized'].values())} allowed, {sum(stats['denied'].values())} denied")


if __name__ == "__main__":
    os.environ.setdefault("TENUO_ENV", "development")
    logging.getLogger("temporalio").setLevel(logging.CRITICAL)  # denials are expected here, and told below
    asyncio.run(main())
