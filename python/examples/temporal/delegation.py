# SPDX-License-Identifier: Apache-2.0
"""A pipeline whose stages have a narrow warrant each, and a child workflow that gets less than its parent."""

import asyncio
import logging
import os
import tempfile
import uuid
import warnings
from datetime import timedelta
from pathlib import Path

from temporalio import activity, workflow
from temporalio.client import Client, WorkflowFailureError
from temporalio.worker import Worker

from tenuo import Pattern, SigningKey, Subpath, Warrant
from tenuo.temporal import (EnvKeyResolver, TenuoClientInterceptor, TenuoPluginConfig, TenuoTemporalPlugin, attenuated_headers, tenuo_execute_activity,
                            tenuo_headers)

OPTIONS = {"start_to_close_timeout": timedelta(seconds=30)}


@activity.defn
async def read_file(path: str) -> str:
    return Path(path).read_text()


@activity.defn
async def list_directory(path: str) -> list[str]:
    return sorted(entry.name for entry in Path(path).iterdir())


@activity.defn
async def write_file(path: str, content: str) -> str:
    Path(path).write_text(content)
    return f"Wrote {len(content)} bytes"


@workflow.defn
class ReadOnly:
    @workflow.run
    async def run(self, path: str) -> str:
        return await tenuo_execute_activity(read_file, args=[path], **OPTIONS)


@workflow.defn
class Ingest:
    """Lists by its own warrant; the child that reads gets read_file alone, for a minute."""

    @workflow.run
    async def run(self, folder: str) -> str:
        names = await tenuo_execute_activity(list_directory, args=[folder], **OPTIONS)
        return await workflow.execute_child_workflow(ReadOnly.run, args=[f"{folder}/{names[0]}"],
                                                     headers=attenuated_headers(tools=["read_file"], ttl_seconds=60))  # type: ignore[call-overload]


@workflow.defn
class Transform:
    @workflow.run
    async def run(self, path: str, content: str) -> str:
        return await tenuo_execute_activity(write_file, args=[path, content.upper()], **OPTIONS)


async def main() -> None:
    folder = Path(tempfile.mkdtemp(prefix="tenuo-delegation-"))
    source, output = folder / "source", folder / "output"
    source.mkdir()
    output.mkdir()
    (source / "data.txt").write_text("raw data")
    control_key, ingest_key, transform_key = (SigningKey.generate() for _ in range(3))
    ingest_warrant = (Warrant.mint_builder().holder(ingest_key.public_key).capability("read_file", path=Subpath(str(source)))
                      .capability("list_directory", path=Subpath(str(source))).ttl(600).mint(control_key))
    transform_warrant = (Warrant.mint_builder().holder(transform_key.public_key)
                         .capability("write_file", path=Subpath(str(output)), content=Pattern("*")).ttl(600).mint(control_key))
    client_interceptor = TenuoClientInterceptor()
    plugin = TenuoTemporalPlugin(TenuoPluginConfig(key_resolver=EnvKeyResolver(), trusted_roots=[control_key.public_key]),
                                 client_interceptor=client_interceptor)
    client = await Client.connect(os.environ.get("TEMPORAL_ADDRESS", "localhost:7233"), plugins=[plugin])
    async with Worker(client, task_queue="delegation", workflows=[Ingest, ReadOnly, Transform], activities=[read_file, list_directory, write_file]):
        client_interceptor.set_headers(tenuo_headers(ingest_warrant, "ingest", ingest_key))
        data = await client.execute_workflow(Ingest.run, str(source), id=f"ingest-{uuid.uuid4()}", task_queue="delegation")
        print(f"Ingest: {data}")
        client_interceptor.set_headers(tenuo_headers(transform_warrant, "transform", transform_key))
        done = await client.execute_workflow(Transform.run, args=[str(output / "data.txt"), data], id=f"transform-{uuid.uuid4()}",
                                             task_queue="delegation")
        print(f"Transform: {done}")
        client_interceptor.set_headers(tenuo_headers(ingest_warrant, "ingest", ingest_key))
        try:
            await client.execute_workflow(Transform.run, args=[str(source / "data.txt"), "x"], id=f"transform-{uuid.uuid4()}", task_queue="delegation")
            raise SystemExit("the ingest warrant wrote a file")
        except WorkflowFailureError:
            print("Transform under the ingest warrant: denied")


if __name__ == "__main__":
    os.environ.setdefault("TENUO_ENV", "development")
    logging.getLogger("temporalio").setLevel(logging.CRITICAL)  # denials are expected here, and told below
    warnings.simplefilter("ignore", DeprecationWarning)
    asyncio.run(main())
