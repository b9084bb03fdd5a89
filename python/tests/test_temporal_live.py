# SPDX-License-Identifier: Apache-2.0
"""On a real server: what runs, what does not, and what is said about it (spec temporal.md 12.3)."""

from __future__ import annotations

import asyncio
import base64
import json
import os
import time
from typing import Any

import flows
import lab
import pytest
from temporalio.client import WorkflowFailureError, WorkflowUpdateFailedError

from tenuo import ApprovalPayload, Range, SignedApproval, SigningKey, Subpath, Warrant, Wildcard, compute_request_hash
from tenuo.temporal import TenuoMetrics, tenuo_headers


def test_l1_quick_start(server: str) -> None:
    """[L1] [M05] [X01] [H02] [O02] [O05] [O06] [C01] the corrected quick start runs; one event a decision."""

    async def main() -> None:
        w = await lab.World(server).connect()
        warrant = w.warrant(read_file={"path": Subpath("/data/in")}, write_file={"path": Subpath("/data/out"), "content": Wildcard()})
        async with w.worker(flows.WORKFLOWS, flows.ACTIVITIES):
            got = await w.execute(flows.Copy.run, "/data/in/a", "/data/out/b", warrant=warrant)
        assert got == "wrote 15 to /data/out/b"
        assert [(e.decision, e.tool) for e in w.events] == [("ALLOW", "read_file"), ("ALLOW", "write_file")]

    lab.run(main())


def test_l2_quick_start_verbatim(server: str) -> None:
    """[L2] [M05] [E09] a capability that does not declare `content` denies it, and says so (D1)."""

    async def main() -> Any:
        w = await lab.World(server).connect()
        warrant = w.warrant(read_file={"path": Subpath("/data/in")}, write_file={"path": Subpath("/data/out")})
        async with w.worker(flows.WORKFLOWS, flows.ACTIVITIES):
            return await lab.denial(w.execute(flows.Copy.run, "/data/in/a", "/data/out/b", warrant=warrant))

    error = lab.run(main())
    assert error.type == "PRE_VALIDATION_FAILED" and error.non_retryable and "content" in str(error)


@pytest.mark.parametrize(("fn", "args", "warrant", "code", "name"), [
    ("Copy", ["/data/in/a", "/data/out/b"], {"read_file": {}, "write_file": {"path": Subpath("/data")}}, "PRE_VALIDATION_FAILED", "write_file"),
    ("Named", ["take_any", [2**70]], {"take_any": {"value": Wildcard()}}, "ARG_NORMALIZATION_FAILED", "take_any"),
    ("Authorized", ["/data/x"], None, "CONTEXT_MISSING", "start"),
    ("Local", [True], {}, "LOCAL_ACTIVITY_BLOCKED", "read_file"),
    ("Parent", ["tenuo", "reader", "/data/x", {"tools": ["delete_file"]}], {}, "CONSTRAINT_VIOLATED", "delegation"),
    ("Parent", ["tenuo", "reader", "/data/x", {"ttl_seconds": 9999}], {}, "CONSTRAINT_VIOLATED", "delegation"),
])
def test_denials_of_the_workflow_side_are_audited(server: str, fn: str, args: list[Any], warrant: dict[str, Any] | None, code: str, name: str) -> None:
    """[A01] [A03] [A09] [E08] [E09] [C16] what is refused before anything is scheduled: the documented code, not retryable, one event, one count."""

    async def main() -> Any:
        w = await lab.World(server).connect()
        metrics = TenuoMetrics(prefix=f"wf_{w.queue.replace('-', '_')}")
        async with w.worker(flows.WORKFLOWS, flows.ACTIVITIES, w.config(metrics=metrics)):
            error = await lab.denial(w.execute(fn, *args, warrant=None if warrant is None else w.warrant(**warrant)))
            for _ in range(60):
                if any(e.decision == "DENY" for e in w.events):
                    break
                await asyncio.sleep(0.05)
            await asyncio.sleep(0.1)
        return error, [e for e in w.events if e.decision == "DENY"], metrics.get_stats()["denied"]

    error, denials, counted = lab.run(main())
    assert error.type == code and error.non_retryable
    assert [e.activity_name for e in denials] == [name] and denials[0].denial_reason and len(denials[0].to_dict()) == 16
    assert sum(counted.values()) == 1


def run_one(server: str, fn: Any, *args: Any, config: dict[str, Any] | None = None, warrant: dict[str, Any] | None = None, no_warrant: bool = False,
            ttl: int = 600, **kw: Any) -> tuple[Any, Any, lab.World]:
    """(result, denial, world) of one workflow."""

    async def main() -> tuple[Any, Any, lab.World]:
        w = await lab.World(server).connect()
        given = None if no_warrant else w.warrant(ttl, **(warrant or {}))
        async with w.worker(flows.WORKFLOWS, flows.ACTIVITIES, w.config(**(config or {}))):
            call = w.execute(fn, *args, warrant=given, **kw)
            try:
                return await call, None, w
            except WorkflowFailureError as exc:
                return None, lab.cause(exc), w

    result: tuple[Any, Any, lab.World] = lab.run(main())
    return result


def test_l3_missing_warrant(server: str) -> None:
    """[L3] [C05] [C16] no warrant: denied, non-retryable, one audit event with warrant_id none."""
    got, error, w = run_one(server, flows.Plain.run, "/data/x", no_warrant=True)
    assert got is None and error.type == "CONSTRAINT_VIOLATED" and error.non_retryable and "No warrant" in error.message
    assert [(e.decision, e.warrant_id) for e in w.events] == [("DENY", "none")]


def test_l3_authorized_workflow_fails_fast(server: str) -> None:
    """[L3] [X03] [E07] AuthorizedWorkflow without headers fails at once."""
    began = time.monotonic()
    _, error, _ = run_one(server, flows.Authorized.run, "/data/x", no_warrant=True)
    assert error.type == "CONTEXT_MISSING" and error.non_retryable and "AuthorizedWorkflow requires Tenuo headers" in error.message
    assert time.monotonic() - began < 10


def test_l3_expired(server: str) -> None:
    """[L3] [E02] [T06] a warrant whose time is over."""

    async def main() -> Any:
        w = await lab.World(server).connect()
        warrant = w.warrant(1)
        await asyncio.sleep(1.2)
        async with w.worker(flows.WORKFLOWS, flows.ACTIVITIES):
            return await lab.denial(w.execute(flows.Plain.run, "/data/x", warrant=warrant))

    error = lab.run(main())
    assert error.type == "WARRANT_EXPIRED" and error.non_retryable
    assert error.details[0]["core_code"] == 1300


def test_l3_tool_not_in_warrant(server: str) -> None:
    """[L3] [E01] [T05] the tool is not in the warrant."""
    _, error, _ = run_one(server, flows.Plain.run, "/data/x", warrant={"other": {}})
    assert error.type == "CONSTRAINT_VIOLATED" and error.details[0]["core_name"] == "tool-not-authorized"


def test_l3_constraint(server: str) -> None:
    """[L3] [E01] [A03] [A01] an argument outside of the constraint: named, its value is not."""
    _, error, w = run_one(server, flows.Plain.run, "/etc/shadow")
    assert error.type == "CONSTRAINT_VIOLATED" and error.non_retryable
    assert error.details[0] == {"core_code": 1501, "core_name": "constraint-violation", "field": "path", "reason": error.details[0]["reason"]}
    assert "/etc/shadow" not in str(error) + json.dumps(error.details[0])
    event = w.events[0]
    assert event.decision == "DENY" and event.denial_reason and event.arguments == {"path": "[REDACTED]"}
    assert len(event.to_dict()) == 16 and json.dumps(event.to_dict())


def test_l3_wrong_key(server: str) -> None:
    """[L3] [E04] a key that is not the holder's never signs: the run fails, and nothing runs."""
    flows.ran.clear()
    _, error, w = run_one(server, flows.Plain.run, "/data/x", config={"signing_key": SigningKey.generate()})
    assert error.type == "CONTEXT_MISSING" and "does not match holder" in error.message and error.details[0]["core_code"] == 9306
    assert not flows.ran and not [e for e in w.events if e.decision == "ALLOW"]


def test_l3_untrusted_root(server: str) -> None:
    """[L3] [C04] a warrant of another root."""
    _, error, _ = run_one(server, flows.Plain.run, "/data/x", config={"trusted_roots": [SigningKey.generate().public_key]})
    assert error.type == "CONSTRAINT_VIOLATED" and error.details[0]["core_code"] == 1406


@pytest.mark.parametrize(("fn", "args", "tools", "want"), [
    (flows.Named, ["take_any", [{"a": 1, "b": [1, 2, {"c": None}]}]], {"take_any": {"value": Wildcard()}}, "dict"),
    (flows.Named, ["take_any", [[[1, 2], [3]]]], {"take_any": {"value": Wildcard()}}, "list"),
    (flows.Named, ["take_any", [None]], {"take_any": {"value": Wildcard()}}, "NoneType"),
    (flows.Named, ["take_any", [1.5]], {"take_any": {"value": Wildcard()}}, "float"),
    (flows.Named, ["take_any", [True]], {"take_any": {"value": Wildcard()}}, "bool"),
    (flows.Named, ["take_order", [{"item": "tea"}]], {"take_order": {"order": Wildcard()}}, "1 x tea"),
    (flows.Raw, ["tuple"], {"take_any": {"value": Wildcard()}}, "list"),
    (flows.Orders, ["cake"], {"take_order": {"order": Wildcard()}}, "2 x cake"),
    (flows.Floats, [], {"take_float": {"value": Range(0, 2)}}, "1.0"),
])
def test_l5_structured_arguments(server: str, fn: Any, args: list[Any], tools: dict[str, Any], want: str) -> None:
    """[L5] [E08] dict, nested list, None, float, bool, dataclass from both sides, tuple, int for a float: all run."""
    got, error, _ = run_one(server, fn.run, *args, warrant=tools)
    assert error is None, error
    assert got == want


def test_l5_bytes(server: str) -> None:
    """[L5] bytes go as base64 text in the map; the activity gets what Temporal delivers."""
    got, error, _ = run_one(server, flows.Raw.run, "bytes", warrant={"take_any": {"value": Wildcard()}})
    assert error is None and got in ("bytes", "list", "str")


def test_l7_history_has_no_key(server: str) -> None:
    """[L7] [D2] [H01] [H06] no form of the seed in the whole history; exactly four headers at the start, six at the activity, without metadata."""

    async def main() -> tuple[Any, bytes]:
        w = await lab.World(server).connect()
        warrant = w.warrant()
        headers = tenuo_headers(warrant, "agent-key-1", w.holder)
        from tenuo.temporal import EnvKeyResolver

        config = w.config(key_resolver=EnvKeyResolver(prefix="NOBODY_"))  # the key comes from the table of this process alone
        async with w.worker(flows.WORKFLOWS, flows.ACTIVITIES, config):
            handle = await w.start(flows.Plain.run, "/data/x", headers=headers)
            await handle.result()
            return await handle.fetch_history(), w.holder.secret_key_bytes()

    history, seed = lab.run(main())
    text = lab.history_json(history)
    for form in (seed.hex(), base64.b64encode(seed).decode(), base64.urlsafe_b64encode(seed).decode(), seed.hex().upper()):
        assert form[:40] not in text
    raw = b"".join(e.SerializeToString() for e in history.events)
    assert seed not in raw and seed[:16] not in raw
    start = history.events[0].workflow_execution_started_event_attributes.header.fields
    assert sorted(start) == ["x-tenuo-compressed", "x-tenuo-key-id", "x-tenuo-warrant", "x-tenuo-wire-format"]
    scheduled = next(e for e in history.events if e.HasField("activity_task_scheduled_event_attributes")).activity_task_scheduled_event_attributes
    ours = {n: p for n, p in scheduled.header.fields.items() if n.startswith("x-tenuo-")}
    assert len(ours) == 6 and all(not p.metadata for p in ours.values()) and len(ours["x-tenuo-pop"].data) == 88


def test_l11_gather(server: str) -> None:
    """[L11] twenty equal calls at once are no replays of each other."""
    got, error, _ = run_one(server, flows.Many.run, 20, "/data/x")
    assert error is None and got == 20


def test_tool_mapping_and_decorator(server: str) -> None:
    """[X08] [X10] [C12] @tool names another tool; tool_mappings go before it."""
    got, _, _ = run_one(server, flows.Fetch.run, "/data/x")
    assert got == "fetched /data/x"
    _, error, _ = run_one(server, flows.Fetch.run, "/data/x", config={"tool_mappings": {"fetch_document": "elsewhere"}})
    assert error.type == "CONSTRAINT_VIOLATED"


def test_retries(server: str) -> None:
    """[X11] two failures, then success: three attempts of one proof."""
    got, error, w = run_one(server, flows.Retry.run, "/data/x", warrant={"flaky": {"path": Subpath("/data")}})
    assert error is None and got == "attempt 3"
    assert [e.decision for e in w.events] == ["ALLOW"] * 3


def test_l16_local_activities(server: str) -> None:
    """[L16] [X09] [E05] [C06] protected functions are no local activities; @unprotected ones are."""
    got, _, _ = run_one(server, flows.Local.run, False)
    assert got == "value of /data/x"
    _, error, _ = run_one(server, flows.Local.run, True)
    assert error.type == "LOCAL_ACTIVITY_BLOCKED" and error.non_retryable


@pytest.mark.parametrize("how", ["headers", "tenuo"])
def test_children(server: str, how: str) -> None:
    """[X06] [H05] a child with fewer tools and a shorter life; one level deeper, signed by the same key."""
    tools = {"read_file": {"path": Subpath("/data")}, "write_file": {"path": Subpath("/data"), "content": Wildcard()}}
    got, error, _ = run_one(server, flows.Parent.run, how, "reader", "/data/x", {"tools": ["read_file"], "ttl_seconds": 60}, warrant=tools)
    assert error is None and got == "agent 1 read /data/x"
    _, error, _ = run_one(server, flows.Parent.run, how, "writer", "/data/x", {"tools": ["read_file"], "ttl_seconds": 60}, warrant=tools)
    assert error.type == "CONSTRAINT_VIOLATED"
    _, error, _ = run_one(server, flows.Parent.run, how, "reader", "/data/x", {"tools": ["delete_file"]}, warrant=tools)
    assert error.type == "CONSTRAINT_VIOLATED" and error.non_retryable


def test_x07_longer_life_is_refused(server: str) -> None:
    """[X07] a child cannot outlive its parent."""
    _, error, _ = run_one(server, flows.Parent.run, "tenuo", "reader", "/data/x", {"ttl_seconds": 6000}, ttl=600)
    assert error.type == "CONSTRAINT_VIOLATED" and error.non_retryable


def test_plain_child_has_no_warrant(server: str) -> None:
    """[X06] a child that was not given a warrant has none."""
    _, error, _ = run_one(server, flows.Parent.run, "plain", "reader", "/data/x", {})
    assert "No warrant" in error.message or error.type == "CONTEXT_MISSING"


def test_child_key_becomes_holder(server: str) -> None:
    """[X06] child_key_id: the child's own key is the holder, and the parent needs no secret of it."""
    child_key = SigningKey.generate()

    async def main() -> Any:
        w = await lab.World(server).connect()
        os.environ["LABC_agent"] = w.holder.secret_key_bytes().hex()
        os.environ["LABC_child"] = child_key.secret_key_bytes().hex()
        from tenuo.temporal import EnvKeyResolver

        async with w.worker(flows.WORKFLOWS, flows.ACTIVITIES, w.config(key_resolver=EnvKeyResolver(prefix="LABC_"))):
            handle = await w.start(flows.Parent.run, "tenuo", "reader", "/data/x", {"child_key_id": "child", "id": f"child-of-{w.queue}"},
                                   warrant=w.warrant())
            got = await handle.result()
            history = await w.client.get_workflow_handle(f"child-of-{w.queue}").fetch_history()
        return got, history

    got, history = lab.run(main())
    assert got == "child 1 read /data/x"
    from tenuo.temporal._wire import decode_headers

    carried = decode_headers(history.events[0].workflow_execution_started_event_attributes.header.fields)
    assert carried is not None and carried.warrant.authorized_holder == child_key.public_key and len(carried.chain) == 2


def test_grant_and_continue_as_new(server: str) -> None:
    """[X02] a grant for one call, and a successor that keeps the warrant."""
    got, error, _ = run_one(server, flows.Grant.run, "/data/x")
    assert error is None and got == "read /data/x"
    got, error, _ = run_one(server, flows.Again.run, 2, "/data/x")
    assert error is None and got == "read /data/x"


@pytest.mark.parametrize("mode", ["log", "skip"])
def test_l19_on_denial_blocks(server: str, mode: str) -> None:
    """[L19] [C03] log and skip block too: None, and nothing ran."""
    flows.ran.clear()
    got, error, w = run_one(server, flows.Plain.run, "/etc/x", config={"on_denial": mode})
    assert error is None and got is None and not flows.ran and w.events[0].decision == "DENY"


def test_l19_dry_run(server: str) -> None:
    """[L19] [C18] dry_run reports and runs."""
    got, error, w = run_one(server, flows.Plain.run, "/etc/x", config={"dry_run": True})
    assert got == "read /etc/x" and error is None and w.events[0].decision == "DENY"


def test_without_required_warrant(server: str) -> None:
    """[C05] require_warrant=False runs, with a warning and an event."""
    got, _, w = run_one(server, flows.Plain.run, "/etc/x", no_warrant=True, config={"require_warrant": False})
    assert got == "read /etc/x" and w.events[0].warrant_id == "none"


def test_l15_signals_and_updates(server: str) -> None:
    """[L15] [C18] unlisted signals are dropped and audited, the run goes on; unlisted updates are refused."""

    async def main() -> tuple[Any, Any, lab.World]:
        w = await lab.World(server).connect()
        config = w.config(authorized_signals=["note", "finish"], authorized_updates=["change"])
        async with w.worker(flows.WORKFLOWS, flows.ACTIVITIES, config):
            handle = await w.start(flows.Signals.run, warrant=w.warrant(), start_signal="forbidden", start_signal_args=["first"])
            await handle.signal(flows.Signals.note, "a")
            await handle.signal(flows.Signals.forbidden, "b")
            assert await handle.execute_update(flows.Signals.change, "c") == "c"
            refused: Any = None
            try:
                await handle.execute_update(flows.Signals.other, "d")
            except WorkflowUpdateFailedError as exc:
                refused = exc.cause
            await handle.signal(flows.Signals.finish)
            seen = await handle.result()
            for _ in range(50):
                if len(w.events) >= 3:
                    break
                await asyncio.sleep(0.05)
            return seen, refused, w

    seen, refused, w = lab.run(main())
    assert seen == ["a", "c"]
    assert refused.type == "CONSTRAINT_VIOLATED"
    assert [e.tool for e in w.events] == ["signal:<unlisted>", "signal:<unlisted>", "update:<unlisted>"]


def test_l18_approvals(server: str) -> None:
    """[L18] [C18] a gated call: refused without, refused with another's, runs with an approval from the header or from the handler."""
    approver = SigningKey.generate()

    async def main() -> list[Any]:
        w = await lab.World(server).connect()
        warrant = (Warrant.mint_builder().holder(w.holder.public_key).capability("read_file", path=Subpath("/data")).ttl(600)
                   .required_approvers([approver.public_key]).approval_gates({"read_file": None}).mint(w.root))
        asked: list[Any] = []

        def handler(wanted: Any) -> Any:
            asked.append(wanted)
            return SignedApproval.approve(wanted, approver)

        async with w.worker(flows.WORKFLOWS, flows.ACTIVITIES):
            refused = await lab.denial(w.execute(flows.Approved.run, "/data/x", [], warrant=warrant))
            digest = compute_request_hash(warrant.id, "read_file", {"path": "/data/x"}, w.holder.public_key)
            good, bad = (SignedApproval.create(ApprovalPayload(digest), key) for key in (approver, SigningKey.generate()))
            wrong = await lab.denial(w.execute(flows.Approved.run, "/data/x", [base64.b64encode(bad.to_bytes()).decode()], warrant=warrant))
            got = await w.execute(flows.Approved.run, "/data/x", [base64.b64encode(good.to_bytes()).decode()], warrant=warrant)
        w.queue += "-h"
        async with w.worker(flows.WORKFLOWS, flows.ACTIVITIES, w.config(approval_handler=handler)):
            handled = await w.execute(flows.Approved.run, "/data/y", [], warrant=warrant)
        return [refused.type, wrong.type, got, handled, len(asked)]

    assert lab.run(main()) == ["approval_required", "invalid_approval", "read /data/x", "read /data/y", 1]


def test_started_with_an_update(server: str) -> None:
    """[H02] [H04] [L15] an update that starts its workflow brings the warrant that was bound to it, and leaves it for no later start."""
    from temporalio.client import WithStartWorkflowOperation
    from temporalio.common import WorkflowIDConflictPolicy

    async def main() -> None:
        w = await lab.World(server).connect()
        async with w.worker(flows.WORKFLOWS, flows.ACTIVITIES):
            w.interceptor.set_headers_for_workflow("with-update", tenuo_headers(w.warrant(), "agent"))
            start = WithStartWorkflowOperation(flows.Plain.run, "/data/x", id="with-update", task_queue=w.queue,
                                               id_conflict_policy=WorkflowIDConflictPolicy.FAIL)
            try:
                await w.client.execute_update_with_start_workflow("none", start_workflow_operation=start)
            except WorkflowUpdateFailedError:
                pass  # the workflow has no such update
            assert await (await start.workflow_handle()).result() == "read /data/x"
            assert not w.interceptor.discard_headers_for_workflow("with-update")

    lab.run(main())


def test_one_shot_headers_get_old(monkeypatch: pytest.MonkeyPatch) -> None:
    """[H03] headers that no start took in time are given to none."""
    from tenuo.temporal import TenuoClientInterceptor

    ours = TenuoClientInterceptor(pending_headers_ttl_secs=0.05)
    with pytest.warns(DeprecationWarning):
        ours.set_headers({"x-tenuo-warrant": b"x"})
    time.sleep(0.06)
    assert ours.take("w") is None
