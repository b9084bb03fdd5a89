# SPDX-License-Identifier: Apache-2.0
"""worker_main.py ADDRESS QUEUE CONF [FORK]: a worker in a process of its own, whose roots, keys and audit are those of a configuration file.
With FORK the parent opens the configuration, and a forked child runs the worker."""

from __future__ import annotations

import asyncio
import ctypes
import os
import sys

import flows
from temporalio.client import Client
from temporalio.worker import Worker

from tenuo.temporal import ConfKeyResolver, TenuoPluginConfig, TenuoTemporalPlugin


async def main(address: str, queue: str, conf: str) -> None:
    plugin = TenuoTemporalPlugin(TenuoPluginConfig(key_resolver=ConfKeyResolver(conf), conf=conf, preload_key_ids=["agent"]))
    client = await Client.connect(address)
    async with Worker(client, task_queue=queue, workflows=flows.WORKFLOWS, activities=flows.ACTIVITIES, plugins=[plugin]):
        print("ready", flush=True)
        await asyncio.sleep(120)


if __name__ == "__main__":
    if len(sys.argv) > 4:
        from tenuo import Context

        opened = Context.open("temporal", sys.argv[3])
        opened.preload(["agent"])
        pid = os.fork()
        if pid:
            sys.exit(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))
        ctypes.CDLL(None).prctl(1, 9)  # PR_SET_PDEATHSIG: ends with its parent
    asyncio.run(main(*sys.argv[1:4]))
