# SPDX-License-Identifier: Apache-2.0
"""On a real server: other processes, replays, attacks with forged headers, late calls, stores that go away (spec temporal.md 12.3)."""

from __future__ import annotations

import asyncio
import base64
import json
import os
import pathlib
import signal
import subprocess
import sys
import uuid
from typing import Any

import flows
import lab
import pytest
import temporalio.api.common.v1
from temporalio.client import ScheduleSpec, WorkflowFailureError
from temporalio.worker import Interceptor, Replayer, Worker, WorkflowInboundInterceptor, WorkflowOutboundInterceptor

from tenuo import SigningKey, Subpath, Wildcard
from tenuo.temporal import (EnvKeyResolver, KeyResolver, TenuoInterceptor, TenuoPluginConfig, TenuoTemporalPlugin,
                            create_scheduled_workflow_with_warrant, execute_workflow_authorized, tenuo_headers, tenuo_warrant_context)
from tenuo.temporal import _runs

HERE = pathlib.Path(__file__).resolve().parent


# --- another process ---

def conf_file(folder: pathlib.Path, w: lab.World) -> pathlib.Path:
    """A configuration as an administrator writes it: a trusted root, a key directory, an audit file."""
    folder.chmod(0o700)
    keys = folder / "keys"
    keys.mkdir(mode=0o700)
    (keys / "agent.key").write_text(w.holder.to_pem())
    (keys / "agent.key").chmod(0o600)
    (folder / "roots.pub").write_text(w.root.public_key.to_pem())
    conf = folder / "tenuo.conf"
    conf.write_text(f"trust required file path={folder}/roots.pub\nresolver required file path={keys}\naudit required jsonl path={folder}/audit.jsonl\n")
    conf.chmod(0o644)
    return conf


def spawn(w: lab.World, conf: pathlib.Path, *more: str) -> subprocess.Popen[str]:
    child = subprocess.Popen([sys.executable, str(HERE / "worker_main.py"), w.address, w.queue, str(conf), *more], stdout=subprocess.PIPE, text=True)
    assert child.stdout is not None and child.stdout.readline().strip() == "ready"
    return child


def stop(child: subprocess.Popen[str]) -> None:
    child.send_signal(signal.SIGKILL)
    child.wait(10)
    if child.stdout is not None:
        child.stdout.close()


@pytest.mark.parametrize("more", [[], ["fork"]])
def test_h07_worker_elsewhere(server: str, tmp_path: pathlib.Path, more: list[str]) -> None:
    """[H07] [C17] [K07] [A09] [L22] worker and client in two processes; keys, roots and audit from a configuration file; also in a forked child."""

    async def main() -> Any:
        w = await lab.World(server).connect()
        child = spawn(w, conf_file(tmp_path, w), *more)
        try:
            good = await w.execute(flows.Plain.run, "/data/x", warrant=w.warrant())
            bad = await lab.denial(w.execute(flows.Plain.run, "/etc/x", warrant=w.warrant()))
        finally:
            stop(child)
        return good, bad.type

    assert lab.run(main()) == ("read /data/x", "CONSTRAINT_VIOLATED")
    records = [json.loads(line) for line in (tmp_path / "audit.jsonl").read_text().splitlines()]
    assert [r["decision"] for r in records] == ["allow", "deny"] and "/etc/x" not in json.dumps(records)


def test_l9_another_worker_goes_on(server: str, tmp_path: pathlib.Path) -> None:
    """[L9] a worker killed between two activities is continued by another process."""

    async def main() -> Any:
        w = await lab.World(server).connect()
        conf = conf_file(tmp_path, w)
        first = spawn(w, conf)
        handle = await w.start(flows.Slow.run, "/data/x", warrant=w.warrant())
        for _ in range(100):
            if any(e.HasField("activity_task_completed_event_attributes") for e in (await handle.fetch_history()).events):
                break
            await asyncio.sleep(0.1)
        stop(first)
        second = spawn(w, conf)
        try:
            await handle.signal(flows.Slow.go)
            return await asyncio.wait_for(handle.result(), 40)
        finally:
            stop(second)

    assert lab.run(main(), 90) == "read /data/x"


# --- forged headers ---

class Forge(Interceptor):
    """An attacker who holds the key: changes the headers and arguments of activities after they were signed."""

    def __init__(self, change: Any) -> None:
        self.change = change

    def workflow_interceptor_class(self, input: Any) -> type[WorkflowInboundInterceptor]:
        change = self.change

        class Outbound(WorkflowOutboundInterceptor):
            def start_activity(self, input: Any) -> Any:
                headers = {n: p.data for n, p in input.headers.items()}
                input.args = change(headers, list(input.args))
                input.headers = {n: temporalio.api.common.v1.Payload(data=d) for n, d in headers.items()}
                return self.next.start_activity(input)

        class Inbound(WorkflowInboundInterceptor):
            def init(self, outbound: Any) -> None:
                super().init(Outbound(outbound))

        return Inbound


def forged(server: str, change: Any, fn: Any = None, args: list[Any] | None = None, tools: dict[str, Any] | None = None) -> Any:
    """The denial of a call whose headers were changed on the way (our interceptor runs before the forger's)."""

    async def main() -> Any:
        w = await lab.World(server).connect()
        plugin = TenuoTemporalPlugin(w.config(), client_interceptor=w.interceptor)
        config = {"task_queue": w.queue, "workflows": flows.WORKFLOWS, "activities": flows.ACTIVITIES, "plugins": [plugin]}
        async with Worker(w.client, interceptors=[Forge(change)], **config):  # type: ignore[arg-type]
            flows.ran.clear()
            warrant = w.warrant(**(tools or {"write_file": {"path": Subpath("/data"), "content": Wildcard()}, "read_file": {"path": Subpath("/data")}}))
            return await lab.denial(w.execute((fn or flows.Writer).run, *(args or ["/data/x"]), warrant=warrant)), list(flows.ran), w.events

    return lab.run(main())




def test_l6_swapped_argument_keys(server: str) -> None:
    """[L6] names in the header are not the caller's to choose: swapped, renamed, missing, doubled, extra ones are refused, nothing runs."""
    for keys in (b"content,path", b"path", b"path,path", b"path,content,x", b"a,b", None):

        def change(headers: dict[str, bytes], args: list[Any], keys: bytes | None = keys) -> list[Any]:
            headers.pop("x-tenuo-arg-keys", None)
            if keys is not None:
                headers["x-tenuo-arg-keys"] = keys
            return args[::-1] if keys == b"content,path" else args

        error, ran, events = forged(server, change)
        assert error.type == "POP_VERIFICATION_FAILED" and error.non_retryable and not ran, (keys, error)
        assert len(events) == 1 and events[0].decision == "DENY"


@pytest.mark.parametrize(("name", "value", "code"), [
    ("x-tenuo-pop", None, "POP_VERIFICATION_FAILED"), ("x-tenuo-pop", base64.b64encode(b"\x00" * 64), "POP_VERIFICATION_FAILED"),
    ("x-tenuo-pop", b"junk", "POP_VERIFICATION_FAILED"), ("x-tenuo-warrant", b"junk", "CHAIN_INVALID"), ("x-tenuo-warrant", None, "CONSTRAINT_VIOLATED"),
    ("x-tenuo-signing-key", b"secret", "CHAIN_INVALID"), ("x-tenuo-warrant-chain", b"gYMB", "CHAIN_INVALID"), ("x-tenuo-approvals", b"{", "CHAIN_INVALID"),
])
def test_l3_malformed_headers(server: str, name: str, value: bytes | None, code: str) -> None:
    """[L3] [L7] [E03] [E04] each header missing or malformed: non-retryable with its code, one event, nothing runs."""

    def change(headers: dict[str, bytes], args: list[Any]) -> list[Any]:
        headers.pop(name, None)
        if value is not None:
            headers[name] = value
        return args

    error, ran, events = forged(server, change)
    assert error.type == code and error.non_retryable and not ran and len(events) == 1


def test_l3_changed_argument(server: str) -> None:
    """[L3] [E04] an argument that was changed after signing."""
    error, ran, _ = forged(server, lambda headers, args: ["/data/other", *args[1:]])
    assert error.type == "POP_VERIFICATION_FAILED" and not ran


def test_dynamic_activity(server: str) -> None:
    """[L6] a dynamic activity has no names: argN on both sides, the type is the tool."""

    async def main() -> Any:
        w = await lab.World(server).connect()
        async with w.worker(flows.WORKFLOWS, [*flows.ACTIVITIES, flows.anything]):
            return await w.execute(flows.Named.run, "whatever", ["a", "b"], warrant=w.warrant(whatever={}))

    assert lab.run(main()) == "dynamic whatever 2"


# --- late calls ---

async def late_call(server: str, windows: int | None) -> str:
    """A call whose activity worker comes 92 s after it was scheduled: past the strict windows and a bound of 15 s, within one of 600 s."""
    w = await lab.World(server).connect()
    async with Worker(w.client, task_queue=w.queue, workflows=flows.WORKFLOWS, plugins=[TenuoTemporalPlugin(w.config(), client_interceptor=w.interceptor)],
                      no_remote_activities=True, activities=flows.ACTIVITIES):
        handle = await w.start(flows.Plain.run, "/data/x", warrant=w.warrant())
        await asyncio.sleep(92)
        late = TenuoTemporalPlugin(w.config(retry_pop_max_windows=windows), client_interceptor=w.interceptor)
        async with Worker(w.client, task_queue=w.queue, activities=flows.ACTIVITIES, plugins=[late]):
            try:
                return str(await handle.result())
            except WorkflowFailureError as exc:
                return f"{lab.cause(exc).type} {lab.cause(exc).message}"


def test_l8_late_calls(server: str) -> None:
    """[L8] [X11] [C18] a call that waited for a worker is judged by its scheduled time, up to the bound: None is strict, 1 is 15 s, 40 is 600 s."""

    async def main() -> Any:
        return await asyncio.gather(*(late_call(server, n) for n in (None, 1, 40)))

    strict, short, wide = lab.run(main(), 150)
    assert strict.startswith("POP_VERIFICATION_FAILED") and short.startswith("POP_VERIFICATION_FAILED") and "pop_too_old" in short
    assert wide == "read /data/x"


# --- replay of histories ---

async def replay(config: TenuoPluginConfig, history: Any) -> None:
    plugin = TenuoTemporalPlugin(config)
    await Replayer(workflows=flows.WORKFLOWS, plugins=[plugin]).replay_workflow(history)


class Remote(KeyResolver):
    """A store of a user's own that signs itself: any object with public_key and sign(message)."""

    declared_class = "remote"

    def __init__(self, key: SigningKey) -> None:
        self.calls = 0
        outer, self._key = self, key

        class Signer:
            public_key = key.public_key

            def sign(self, message: bytes) -> bytes:
                outer.calls += 1
                prefix = b"tenuo-warrant-v1"
                assert message.startswith(prefix)
                return key.sign(message[len(prefix):])

        self._signer = Signer()

    async def resolve(self, key_id: str) -> Any:
        return self._signer


CASES: list[tuple[Any, list[Any]]] = [
    (flows.Plain, ["/data/x"]), (flows.Plain, ["/etc/x"]), (flows.Authorized, ["/data/x"]), (flows.Many, [5, "/data/x"]), (flows.Grant, ["/data/x"]),
    (flows.Again, [1, "/data/x"]), (flows.Parent, ["tenuo", "reader", "/data/x", {"ttl_seconds": 60}]), (flows.Parent, ["headers", "reader", "/data/x", {}]),
    (flows.Retry, ["/data/x"]), (flows.Slow, ["/data/x"]), (flows.Local, [True]), (flows.Writer, ["/data/x"]),
]


@pytest.mark.parametrize("remote", [False, True])
def test_l10_replay(server: str, remote: bool) -> None:
    """[L10] [X12] [L20] histories of both sign modes replay: under the same worker, the other mode, other roots, without any key; signing is not
    repeated. Among them denials, children, grants, successors, retries."""

    async def main() -> None:
        w = await lab.World(server).connect()
        resolver: Any = {"key_resolver": Remote(w.holder)} if remote else {}
        histories = []
        async with w.worker(flows.WORKFLOWS, flows.ACTIVITIES, w.config(**resolver)):
            for fn, args in CASES:
                handle = await w.start(fn.run, *args, warrant=w.warrant(read_file={"path": Subpath("/data")}, flaky={"path": Subpath("/data")}))
                if fn is flows.Slow:
                    await handle.signal(flows.Slow.go)
                first = w.client.get_workflow_handle(handle.id, run_id=handle.first_execution_run_id)
                try:
                    await handle.result()
                except Exception:
                    pass
                histories.append(await first.fetch_history())
        markers = sum("__tenuo_internal_sign" in lab.history_json(h) or "__tenuo_internal_sign" in str(h.events) for h in histories)
        assert (markers > 0) == remote
        other = SigningKey.generate()
        again = Remote(w.holder)
        for config in (w.config(**resolver), w.config(), w.config(key_resolver=again), w.config(trusted_roots=[other.public_key]),
                       w.config(key_resolver=EnvKeyResolver(prefix="NO_SUCH_KEY_")), w.config(sign_mode="activity"), w.config(sign_mode="local")):
            for history in histories:
                await replay(config, history)
        assert again.calls == 0

    lab.run(main(), 100)


def test_l10_key_that_was_not_there(server: str) -> None:
    """[L10] [E06] a key that no store has: KEY_NOT_FOUND, and the failed history replays where the key is."""

    async def main() -> Any:
        w = await lab.World(server).connect()
        async with w.worker(flows.WORKFLOWS, flows.ACTIVITIES, w.config(key_resolver=EnvKeyResolver(prefix="NO_SUCH_KEY_"))):
            handle = await w.start(flows.Plain.run, "/data/x", warrant=w.warrant())
            error = await lab.denial(handle.result())
            await replay(w.config(), await handle.fetch_history())
        return error

    error = lab.run(main())
    assert error.type == "KEY_NOT_FOUND" and error.non_retryable and not error.message.count("Traceback")


class Late(KeyResolver):
    """A store that takes its time."""

    declared_class = "remote"

    def __init__(self, key: SigningKey) -> None:
        self.key = key

    async def resolve(self, key_id: str) -> Any:
        await asyncio.sleep(2)
        return self.key


def test_cancelled_while_signing(server: str) -> None:
    """[L20] [X12] a call that is cancelled while its signature is waited for is cancelled, not denied: no error type, no event; it replays."""

    async def main() -> Any:
        w = await lab.World(server).connect()
        config = w.config(key_resolver=Late(w.holder))
        async with w.worker(flows.WORKFLOWS, flows.ACTIVITIES, config):
            handle = await w.start(flows.Cancels.run, "/data/x", warrant=w.warrant())
            got = await handle.result()
            await replay(w.config(), await handle.fetch_history())
        await asyncio.sleep(0.2)
        return got, w.events

    got, events = lab.run(main())
    assert got in ("cancelled", "ActivityError CancelledError") and not events


def test_start_of_a_bad_chain(server: str) -> None:
    """[X03] [X12] [L10] an AuthorizedWorkflow under an expired or untrusted warrant fails at its start, before anything is scheduled, with the denial's
    code and one event; refused and good starts replay under other roots."""

    async def main() -> Any:
        w = await lab.World(server).connect()
        stranger = lab.World(server)
        stranger.holder = w.holder
        expired = w.warrant(1)
        await asyncio.sleep(1.3)
        found, histories = [], []
        async with w.worker(flows.WORKFLOWS, flows.ACTIVITIES):
            for warrant in (expired, stranger.warrant(), w.warrant()):
                handle = await w.start(flows.Authorized.run, "/data/x", warrant=warrant)
                try:
                    found.append(str(await handle.result()))
                except WorkflowFailureError as exc:
                    found.append(lab.cause(exc).type)
                histories.append(await handle.fetch_history())
        for config in (w.config(), stranger.config(), w.config(key_resolver=EnvKeyResolver(prefix="NO_SUCH_KEY_"))):
            for history in histories:
                await replay(config, history)
        await asyncio.sleep(0.2)
        scheduled = [any(e.HasField("activity_task_scheduled_event_attributes") for e in h.events) for h in histories]
        return found, scheduled, [e.decision for e in w.events]

    found, scheduled, decisions = lab.run(main())
    assert found == ["WARRANT_EXPIRED", "CONSTRAINT_VIOLATED", "read /data/x"] and scheduled == [False, False, True]
    assert sorted(decisions) == ["ALLOW", "DENY", "DENY"]


# --- tenants ---

def test_l12_tenants(server: str) -> None:
    """[L12] one workflow id in two namespaces, two queues with two keys, in one process: no warrant or key crosses over."""

    async def main() -> Any:
        a, b = await lab.World(server).connect(), await lab.World(server).connect("other")
        shared = f"same-{uuid.uuid4().hex[:8]}"
        async with a.worker(flows.WORKFLOWS, flows.ACTIVITIES), b.worker(flows.WORKFLOWS, flows.ACTIVITIES):
            got = await asyncio.gather(
                a.execute(flows.Parent.run, "tenuo", "reader", "/data/a", {"ttl_seconds": 60}, id=shared, warrant=a.warrant()),
                b.execute(flows.Parent.run, "tenuo", "reader", "/srv/b", {"ttl_seconds": 60}, id=shared,
                          warrant=b.warrant(read_file={"path": Subpath("/srv")})))
            crossed = await lab.denial(a.execute(flows.Plain.run, "/srv/b", warrant=b.warrant(read_file={"path": Subpath("/srv")}), id=shared + "-x"))
        return got, crossed.type, [e.decision for e in a.events], [e.decision for e in b.events]

    got, crossed, first, second = lab.run(main())
    assert got == ["agent 1 read /data/a", "agent 1 read /srv/b"] and crossed in ("CONTEXT_MISSING", "CONSTRAINT_VIOLATED")
    assert first.count("ALLOW") == 1 and second == ["ALLOW"]


def test_runs_do_not_leak(server: str) -> None:
    """[L12] what is known about a run goes away with it."""

    async def main() -> int:
        w = await lab.World(server).connect()
        async with w.worker(flows.WORKFLOWS, flows.ACTIVITIES, max_cached_workflows=2):
            for _ in range(10):
                await w.execute(flows.Plain.run, "/data/x", warrant=w.warrant())
        return _runs.count()

    assert lab.run(main()) <= 6


# --- starts ---

def test_ways_to_start(server: str) -> None:
    """[H02] [H03] [H04] [H05] [L17] one-shot headers with their warning, headers=, a context, a schedule, a start by name; no leak to the next start."""

    async def main() -> Any:
        w = await lab.World(server).connect()
        warrant = w.warrant()
        got = []
        async with w.worker(flows.WORKFLOWS, flows.ACTIVITIES):
            with pytest.warns(DeprecationWarning):
                w.interceptor.set_headers(tenuo_headers(warrant, "agent"))
            got.append(await w.execute(flows.Plain.run, "/data/1"))
            leaked = await lab.denial(w.execute(flows.Plain.run, "/data/1"))
            got.append(await w.client.execute_workflow(flows.Plain.run, "/data/2", id=str(uuid.uuid4()), task_queue=w.queue,
                                                       headers=tenuo_headers(warrant, "agent")))  # type: ignore[call-overload]
            async with tenuo_warrant_context(warrant, "agent"):
                got.append(await w.execute("Plain", "/data/3"))
            got.append(await execute_workflow_authorized(client=w.client, workflow_run_fn=flows.Plain.run, workflow_id=str(uuid.uuid4()), warrant=warrant,
                                                         key_id="agent", args=["/data/4"], task_queue=w.queue))
            with pytest.raises(TypeError):
                await w.client.execute_workflow(flows.Plain.run, "/data/2", id="x", task_queue=w.queue, headers={"other": b"x"})  # type: ignore[call-overload]
            schedule = await create_scheduled_workflow_with_warrant(w.client, f"s-{w.queue}", flows.Plain.run, warrant, "agent", ScheduleSpec(),
                                                                    workflow_args=["/data/5"], task_queue=w.queue)
            await schedule.trigger()
            for _ in range(100):
                info = (await schedule.describe()).info
                if info.recent_actions and len(w.events) >= 6:
                    break
                await asyncio.sleep(0.1)
            await schedule.delete()
        return got, leaked.message, [e.decision for e in w.events].count("ALLOW")

    got, leaked, allowed = lab.run(main())
    assert got == [f"read /data/{i}" for i in range(1, 5)] and "No warrant" in leaked and allowed == 5


def test_replayed_task_headers(server: str) -> None:
    """[L13] the captured headers of one call in another run: refused by a warrant that is bound to its workflow, by both reserved names."""

    async def main() -> Any:
        w = await lab.World(server).connect()
        workflow_id = f"bound-{w.queue}"
        from tenuo import Exact

        bound = w.warrant(read_file={"path": Subpath("/data"), "_workflow_namespace": Exact("default"), "_workflow_id": Exact(workflow_id)})
        async with w.worker(flows.WORKFLOWS, flows.ACTIVITIES):
            good = await w.execute(flows.Plain.run, "/data/x", warrant=bound, id=workflow_id)
            bad = await lab.denial(w.execute(flows.Plain.run, "/data/x", warrant=bound))
        return good, bad.type

    assert lab.run(main()) == ("read /data/x", "CONSTRAINT_VIOLATED")


def test_thousand_activities(server: str) -> None:
    """[L11] [L23] a thousand concurrent activities: no error, and the process does not grow with them."""

    async def main() -> Any:
        w = await lab.World(server).connect()
        async with w.worker(flows.WORKFLOWS, flows.ACTIVITIES, w.config(audit_callback=None), max_concurrent_activities=200):
            grown = []
            for _ in range(3):
                counts = await asyncio.gather(*(w.execute(flows.Many.run, 100, "/data/x", warrant=w.warrant()) for _ in range(10)))
                assert counts == [100] * 10
                grown.append(int(pathlib.Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE") // 1024)
        return grown

    grown = lab.run(main(), 150)
    assert grown[2] - grown[1] < 24 * 1024, grown


# --- older and other set-ups ---

def test_worker_without_passthrough(server: str) -> None:
    """[C13] [C14] a sandbox without our modules is refused when the worker is made, and told how to mend it."""

    async def main() -> str:
        w = await lab.World(server).connect()
        try:
            Worker(w.client, task_queue=w.queue, workflows=flows.WORKFLOWS, activities=flows.ACTIVITIES, interceptors=[TenuoInterceptor(w.config())])
        except Exception as exc:
            return f"{type(exc).__name__} {exc}"
        return "made"

    said = lab.run(main())
    assert "ConfigurationError" in said and "with_passthrough_modules" in said


def test_workflow_worker_takes_no_activities(server: str) -> None:
    """[C17] [C18] a worker of workflows alone gets the internal activities and leaves the queue's activity tasks to others."""

    async def main() -> Any:
        w = await lab.World(server).connect()
        plugins = [TenuoTemporalPlugin(w.config(activity_fns=flows.ACTIVITIES), client_interceptor=w.interceptor) for _ in range(2)]
        async with Worker(w.client, task_queue=w.queue, workflows=flows.WORKFLOWS, plugins=[plugins[0]]):
            async with Worker(w.client, task_queue=w.queue, activities=flows.ACTIVITIES, plugins=[plugins[1]]):
                return [await w.execute(flows.Many.run, 10, "/data/x", warrant=w.warrant()), await w.execute(flows.Grant.run, "/data/x", warrant=w.warrant())]

    assert lab.run(main()) == [10, "read /data/x"]


def test_plugin_is_for_one_worker(server: str) -> None:
    """[C01] a plugin of a second worker is refused; the configuration that was passed in is not changed."""

    async def main() -> str:
        w = await lab.World(server).connect()
        config = w.config()
        before = dict(config.__dict__)
        plugin = TenuoTemporalPlugin(config)
        async with Worker(w.client, task_queue=w.queue, workflows=[flows.Plain], activities=[flows.read_file], plugins=[plugin]):
            pass
        assert config.__dict__ == before
        try:
            Worker(w.client, task_queue=w.queue + "2", workflows=[flows.Plain], activities=[flows.read_file], plugins=[plugin])
        except Exception as exc:
            return str(exc)
        return "made"

    assert "one plugin for each worker" in lab.run(main())




def test_async_completion(server: str) -> None:
    """[H06] [C18] an activity that is completed from elsewhere: only under a warrant that is still good."""
    from temporalio import activity
    from temporalio.exceptions import ApplicationError

    from tenuo.temporal import tenuo_complete_async_activity

    tokens: list[bytes] = []

    @activity.defn(name="read_file")
    async def later(path: str) -> str:
        tokens.append(activity.info().task_token)
        activity.raise_complete_async()

    async def main() -> Any:
        w = await lab.World(server).connect()
        async with w.worker(flows.WORKFLOWS, [later]):
            handle = await w.start(flows.Plain.run, "/data/x", warrant=w.warrant())
            for _ in range(100):
                if tokens:
                    break
                await asyncio.sleep(0.05)
            with pytest.raises(ApplicationError):
                stranger = lab.World(server)
                await tenuo_complete_async_activity(tokens[0], "no", stranger.warrant(), client=w.client, task_queue=w.queue)
            await tenuo_complete_async_activity(tokens[0], "later", w.warrant(), client=w.client, task_queue=w.queue)
            return await handle.result()

    assert lab.run(main()) == "later"


def test_sign_needs_a_time_in_workflows(server: str) -> None:
    """[X05] [O04] the clock of the machine is refused inside a workflow."""
    from temporalio import workflow as wf

    from tenuo import SigningKey as Key

    key = Key.generate()
    from tenuo import Warrant as W

    made = W.mint_builder().tool("t").mint(key)
    assert len(made.sign(key, "t", {})) == 64
    original = wf.in_workflow
    wf.in_workflow = lambda: True  # type: ignore[assignment]
    try:
        with pytest.raises(Exception, match="timestamp="):
            made.sign(key, "t", {})
        assert len(made.sign(key, "t", {}, 1000)) == 64
    finally:
        wf.in_workflow = original
