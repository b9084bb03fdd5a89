# SPDX-License-Identifier: Apache-2.0
"""Nexus operations on a real server (spec temporal.md 10.5)."""

from __future__ import annotations

import base64
import dataclasses
import pathlib
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




def test_what_is_said_about_an_operation(tmp_path: pathlib.Path) -> None:
    """[A01] [A03] [A09] [C05] [L6] an operation's event names its tool, warrant and arguments; every denial is one event and one line of the
    library, also before anything was decided and for a replay; a workflow's scope cannot come with the input."""
    import asyncio
    import time
    import types
    from typing import Any

    import pytest
    from temporalio import nexus
    from temporalio.worker import ExecuteNexusOperationStartInput, NexusOperationInboundInterceptor

    import tenuo.temporal as tt
    from tenuo import Context, SigningKey, Warrant
    from tenuo.temporal import nexus as guard
    from tenuo.temporal._worker import WorkerState
    from tenuo_core.errors import ConfigurationError

    root, holder, events = SigningKey.generate(), SigningKey.generate(), []
    tmp_path.chmod(0o700)
    roots, log = tmp_path / "roots.pub", tmp_path / "audit.jsonl"
    roots.write_text(root.public_key.to_pem())
    context = Context.open("temporal", conf_text=f"trust required file path={roots}\naudit required jsonl path={log}\n")
    w = (Warrant.mint_builder().holder(holder.public_key).ttl(60).capability("nexus:e:pay", {"to": Wildcard(), "amount": Wildcard()})
         .capability("nexus:e:run", {"_workflow_id": Wildcard(), "_workflow_namespace": Wildcard()}).mint(root))

    class Last(NexusOperationInboundInterceptor):
        def __init__(self) -> None:
            self.ran = 0

        async def execute_nexus_operation_start(self, input: Any) -> Any:
            self.ran += 1

    last = Last()
    config = tt.TenuoPluginConfig(signing_key=holder, context=context, audit_callback=events.append, nexus_endpoint="e", nexus_pop_replay_protection=True,
                                  pop_dedup_store=tt.InMemoryPopDedupStore())
    inbound = guard.NexusInbound(last, WorkerState(config))

    def start(headers: dict[str, str], value: Any, operation: str = "pay", request: str = "r1") -> tuple[str, Any, int]:
        """(error, its event, lines of the library)"""
        ctx: Any = types.SimpleNamespace(headers=headers, operation=operation, service="Bank", request_id=request)
        before, ran = log.read_text().count("\n") if log.exists() else 0, last.ran
        events.clear()
        text = ""
        try:
            asyncio.run(inbound.execute_nexus_operation_start(ExecuteNexusOperationStartInput(ctx, value)))
        except nexusrpc.HandlerError as exc:
            text = str(exc)
        assert (last.ran == ran) == bool(text) and len(events) == 1
        return text, events[0], log.read_text().count("\n") - before

    info = guard.nexus.info
    guard.nexus.info = lambda: types.SimpleNamespace(namespace="n", task_queue="q")  # type: ignore[assignment,return-value]
    try:
        now = int(time.time())
        signed = tt.tenuo_nexus_headers(w, "k", holder, endpoint="e", operation="pay", input=Payment("bob", 5), timestamp=now)
        text, event, lines = start(signed, Payment("bob", 5))
        assert not text and lines == 1 and event.decision == "ALLOW" and event.warrant_id == w.id and event.tool == "nexus:e:pay"
        assert event.arguments == {"to": "[REDACTED]", "amount": "[REDACTED]"} and event.warrant_capabilities
        for headers, value, request, code, warrant_id in (
                (signed, Payment("bob", 5), "r2", "replay", w.id), ({}, Payment("bob", 5), "r3", "No warrant", "none"),
                ({**signed, "x-tenuo-warrant": "!"}, Payment("bob", 5), "r4", "CHAIN_INVALID", "<malformed>"),
                (signed, Payment("bob", 6), "r5", "POP_VERIFICATION_FAILED", w.id), (signed, {"to": "bob"}, "r6", "arg_keys", w.id),
                (signed, {"to": "bob", "amount": "\ud800"}, "r7", "Internal", w.id)):
            text, event, lines = start(headers, value, request=request)
            assert code in text and event.decision == "DENY" and event.warrant_id == warrant_id, text
            assert lines == (2 if code == "replay" else 1), text
        scope = {"_workflow_id": "w", "_workflow_namespace": "n"}
        with pytest.raises(tt.TenuoContextError, match="reserved"):
            tt.tenuo_nexus_headers(w, "k", holder, endpoint="e", operation="run", input=scope, timestamp=now)
        forged = tt.tenuo_nexus_headers(w, "k", holder, endpoint="e", operation="run", input={}, timestamp=now)
        forged |= guard_encode({"x-tenuo-pop": base64.b64encode(w.sign(holder, "nexus:e:run", scope, now)), "x-tenuo-arg-keys": ",".join(scope).encode()})
        text, event, _ = start(forged, scope, "run")
        assert "reserved" in text and event.decision == "DENY"
    finally:
        guard.nexus.info = info

    class Plain:
        def check_pop_replay(self, dedup_key: str, now: float, ttl_seconds: float, *, activity_name: str) -> None: ...

    assert nexus is guard.nexus
    with pytest.raises(ConfigurationError, match="for_owner"):
        WorkerState(tt.TenuoPluginConfig(signing_key=holder, trusted_roots=[root.public_key], pop_dedup_store=Plain(), nexus_pop_replay_protection=True))


def guard_encode(headers: dict[str, bytes]) -> dict[str, str]:
    from tenuo.temporal._nexus_call import encode

    return encode(headers)
