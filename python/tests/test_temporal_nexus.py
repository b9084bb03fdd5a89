# SPDX-License-Identifier: Apache-2.0
"""Nexus operations on a real server (spec temporal.md 10.5)."""

from __future__ import annotations

import dataclasses
import subprocess


import lab
import nexusrpc
import nexusrpc.handler
from temporalio import workflow
from temporalio.client import WorkflowFailureError
from temporalio.worker import Worker

from tenuo import OneOf, Range, Wildcard
from tenuo.temporal import TenuoTemporalPlugin, nexus_tool_name, tenuo_execute_nexus_operation


@dataclasses.dataclass
class Payment:
    to: str
    amount: int


@nexusrpc.service
class Bank:
    pay: nexusrpc.Operation[Payment, str]
    close: nexusrpc.Operation[str, str]


@nexusrpc.handler.service_handler(service=Bank)
class BankHandler:
    @nexusrpc.handler.sync_operation
    async def pay(self, ctx: nexusrpc.handler.StartOperationContext, payment: Payment) -> str:
        return f"paid {payment.amount} to {payment.to}"

    @nexusrpc.handler.sync_operation
    async def close(self, ctx: nexusrpc.handler.StartOperationContext, name: str) -> str:
        return f"closed {name}"


@workflow.defn
class Pay:
    @workflow.run
    async def run(self, endpoint: str, amount: int, how: str) -> str:
        client = workflow.create_nexus_client(service=Bank, endpoint=endpoint)
        if how == "plain":
            return await client.execute_operation(Bank.pay, Payment("bob", amount))
        if how == "close":
            done: str = await tenuo_execute_nexus_operation(client, Bank.close, "bob", endpoint=endpoint)
            return done
        return str(await tenuo_execute_nexus_operation(client, Bank.pay, Payment("bob", amount), endpoint=endpoint, service="Bank" if how == "service" else None))


def test_nexus(server: str) -> None:
    """[L3] [C16] [C18] signed operations run within their warrant; unsigned, too large and unnamed ones are refused; a worker without an endpoint serves
    none."""

    async def main() -> list[str]:
        w = await lab.World(server).connect()
        endpoint = f"bank-{w.queue}"
        subprocess.run([lab.temporal_program() or "", "operator", "nexus", "endpoint", "create", "--address", server, "--name", endpoint, "--target-namespace",
                        "default", "--target-task-queue", w.queue], check=True, capture_output=True, timeout=20)
        fields = {"to": OneOf(["bob"]), "amount": Range(0, 10)}
        warrant = w.warrant(**{nexus_tool_name(endpoint, "pay"): fields, nexus_tool_name(endpoint, "pay", service="Bank"): {"to": Wildcard(), "amount": Wildcard()}})

        async def outcome(amount: int, how: str) -> str:
            try:
                return str(await w.execute(Pay.run, endpoint, amount, how, warrant=warrant))
            except WorkflowFailureError as exc:
                text, step = "", exc.__cause__
                while step is not None:
                    text, step = f"{text} {step}", step.__cause__
                return text

        got = []
        for config in (w.config(nexus_endpoint=endpoint, nexus_pop_replay_protection=True), w.config()):
            plugin = TenuoTemporalPlugin(config, client_interceptor=w.interceptor)
            async with Worker(w.client, task_queue=w.queue, workflows=[Pay], nexus_service_handlers=[BankHandler()], plugins=[plugin]):
                calls = [(5, "signed"), (50, "signed"), (50, "service"), (5, "plain"), (0, "close")] if config.nexus_endpoint else [(5, "signed")]
                got += [await outcome(*call) for call in calls]
        return got

    good, large, by_service, plain, close, nowhere = lab.run(main(), 120)
    assert good == "paid 5 to bob" and by_service == "paid 50 to bob"
    assert "CONSTRAINT_VIOLATED" in large and "No warrant" in plain and "CONSTRAINT_VIOLATED" in close and "nexus_endpoint" in nowhere


def test_headers_of_ours_are_ours() -> None:
    """[C16] user headers may not look like ours, in any case of letters."""
    import pytest

    from tenuo.temporal._nexus_call import _check_user_headers
    from tenuo.temporal.exceptions import ChainValidationError
    from tenuo.temporal.nexus import decode

    for name in ("x-tenuo-pop", "X-Tenuo-Warrant"):
        with pytest.raises(Exception, match="own"):
            _check_user_headers({name: "x"})
    for wrong in ({"x-tenuo-warrant": "eA=="}, {"x-tenuo-warrant": "!", "x-tenuo-nexus-header-encoding": "base64-v1"},
                  {"x-tenuo-warrant": "eA==", "x-tenuo-nexus-header-encoding": "BASE64-V1"}):
        with pytest.raises(ChainValidationError):
            decode(wrong)
    assert decode({"other": "x"}) == {}


