# SPDX-License-Identifier: Apache-2.0
"""Key resolvers against real stores, the activity side without a server, redaction, depth, providers (spec temporal.md 7, 8, 12.5)."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import dataclasses
import datetime
import json
import logging
import os
import pathlib
import subprocess
import sys
import time
import urllib.request
import uuid
from collections.abc import Iterator
from typing import Any

import lab
import pytest
import temporalio.testing
from temporalio import activity
from temporalio.api.common.v1 import Payload
from temporalio.worker import ActivityInboundInterceptor, ExecuteActivityInput

import tenuo.temporal as tt
from tenuo import SignedRevocationList, SigningKey, Subpath, Warrant, Wildcard
from tenuo.temporal import _local_keys, _wire, resolvers
from tenuo.temporal._activity import TenuoActivityInbound
from tenuo.temporal._worker import WorkerState
from tenuo_core.errors import ConfigurationError, TenuoError

ROOT, HOLDER = SigningKey.generate(), SigningKey.generate()
SEED = HOLDER.secret_key_bytes()


# --- resolvers ---

@pytest.mark.parametrize("text", [
    base64.b64encode(SEED).decode(), f"  {base64.b64encode(SEED).decode()}\n", SEED.hex(), SEED.hex().upper(), " ".join(SEED.hex()[i:i + 2] for i in range(0, 64, 2)),
    base64.b64encode(SEED).decode().rstrip("="), base64.urlsafe_b64encode(SEED).decode(),
])
def test_env_forms(text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """[K01] [O01] the forms in which a key may stand in the environment."""
    monkeypatch.setenv("TENUO_KEY_agent1", text)
    resolver = tt.EnvKeyResolver()
    assert resolver.resolve_sync("agent1").public_key == HOLDER.public_key
    assert asyncio.run(resolver.resolve("agent1")).public_key == HOLDER.public_key
    assert resolver.public_key("agent1") == HOLDER.public_key


@pytest.mark.parametrize("text", ["", "!!" + base64.b64encode(SEED).decode(), "0x" + SEED.hex(), base64.b64encode(SEED * 2).decode(), "x" * 43])
def test_env_refuses(text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """[K01] [E06] what is no key; the message does not repeat it."""
    monkeypatch.setenv("TENUO_KEY_agent1", text)
    with pytest.raises(tt.KeyResolutionError) as caught:
        tt.EnvKeyResolver().resolve_sync("agent1")
    assert not text or text not in str(caught.value)


def test_env_preload(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    """[K01] preloading keeps signers for workflows; malformed ones are skipped with a warning, missing ones are an error."""
    monkeypatch.setenv("PRE_a", SEED.hex())
    monkeypatch.setenv("PRE_b", "nonsense")
    resolver = tt.EnvKeyResolver(prefix="PRE_")
    assert resolver.signer_cached("a", HOLDER.public_key) is None
    assert resolver.preload_all() == 1 and "PRE_b" in caplog.text and "nonsense" not in caplog.text
    cached = resolver.signer_cached("a", HOLDER.public_key)
    assert cached is not None and cached.is_local and cached.public_key == HOLDER.public_key
    with pytest.raises(ConfigurationError, match="nobody"):
        resolver.preload(["a", "nobody"])
    with pytest.raises(tt.KeyResolutionError):
        resolver.preload_keys(["nobody"])


@pytest.mark.parametrize("key_id", ["", ".", "..", "a/../b", "a\nb", "a b", "x" * 129, "../../etc"])
def test_key_ids(key_id: str) -> None:
    """[K02] [E06] an id cannot reach out of a store's template."""
    with pytest.raises(tt.KeyResolutionError):
        tt.EnvKeyResolver().resolve_sync(key_id)


class Own(tt.KeyResolver):
    """A resolver of a user's own."""

    def __init__(self, keys: dict[str, Any], error: Exception | None = None) -> None:
        self.keys, self.error = keys, error

    async def resolve(self, key_id: str) -> Any:
        if self.error is not None:
            raise self.error
        if key_id not in self.keys:
            raise tt.KeyResolutionError(key_id)
        return self.keys[key_id]


def test_own_resolver() -> None:
    """[K06] a subclass with `resolve` alone; also called while a loop runs."""
    own = Own({"a": HOLDER})
    assert own.resolve_sync("a") is HOLDER and own.public_key("a") == HOLDER.public_key

    async def inside() -> Any:
        return own.resolve_sync("a")

    assert asyncio.run(inside()) is HOLDER


def test_composite(caplog: pytest.LogCaptureFixture) -> None:
    """[K03] in order; a fallback is told; when all fail, the causes are there; an unexpected error does not pass silently to another key."""
    with pytest.raises(ValueError):
        tt.CompositeKeyResolver([])
    both = tt.CompositeKeyResolver([Own({}), Own({"a": HOLDER})])
    with caplog.at_level(logging.WARNING):
        assert both.resolve_sync("a") is HOLDER and asyncio.run(both.resolve("a")) is HOLDER
    assert "Own" in caplog.text
    with pytest.raises(tt.KeyResolutionError) as caught:
        both.resolve_sync("b")
    assert caught.value.key_id == "b" and isinstance(caught.value.__cause__, ExceptionGroup) and len(caught.value.__cause__.exceptions) == 2
    with pytest.raises(OSError):
        asyncio.run(tt.CompositeKeyResolver([Own({}, OSError("down")), Own({"a": HOLDER})]).resolve("a"))


def test_composite_preloads_children(monkeypatch: pytest.MonkeyPatch) -> None:
    """[K03] [K01] keys of an environment behind another resolver are there for workflows."""
    monkeypatch.setenv("CHILD_a", SEED.hex())
    both = tt.CompositeKeyResolver([Own({}), tt.EnvKeyResolver(prefix="CHILD_")])
    assert both.preload_all() == 1 and both.signer_cached("a", HOLDER.public_key) is not None


def test_signers_get_old() -> None:
    """[K02] [K06] a signer that workflows use is asked for again after cache_ttl: a key that was taken away stops signing."""
    own = Own({"a": HOLDER})
    own.cache_ttl = 0.05
    own.preload(["a"])
    assert own.signer_cached("a", HOLDER.public_key) is HOLDER and own.signer_cached("a", None) is HOLDER
    time.sleep(0.06)
    assert own.signer_cached("a", HOLDER.public_key) is None


def test_production_rule(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    """[K07] keys from the environment are for development: told once."""
    monkeypatch.setenv("TENUO_ENV", "production")
    monkeypatch.setattr(resolvers, "_warned", set())
    tt.EnvKeyResolver()
    tt.EnvKeyResolver()
    assert caplog.text.count("development") == 1
    monkeypatch.setenv("TENUO_ENV", "local")
    monkeypatch.setattr(resolvers, "_warned", set())
    caplog.clear()
    tt.EnvKeyResolver()
    assert not caplog.text


@contextlib.contextmanager
def vault() -> Iterator[tuple[str, str, subprocess.Popen[bytes]]]:
    """(url, token, process) of a real Vault in development mode."""
    found = sorted(lab.cache().glob("vault-*/vault"))
    if not found:
        pytest.skip("Vault is not installed: sh tests/services/install_vault.sh")
    port, token = lab.free_port(), "test-root-token"
    child = subprocess.Popen([str(found[-1]), "server", "-dev", f"-dev-root-token-id={token}", f"-dev-listen-address=127.0.0.1:{port}"],
                             stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env={**os.environ, "HOME": "/tmp"})
    url = f"http://127.0.0.1:{port}"
    try:
        for _ in range(150):
            with contextlib.suppress(OSError):
                urllib.request.urlopen(f"{url}/v1/sys/health", timeout=1)
                break
            time.sleep(0.1)
        yield url, token, child
    finally:
        child.terminate()
        child.wait(10)


def vault_call(url: str, token: str, path: str, body: Any = None, method: str = "POST") -> Any:
    request = urllib.request.Request(f"{url}/v1/{path}", None if body is None else json.dumps(body).encode(), {"X-Vault-Token": token}, method=method)
    with urllib.request.urlopen(request, timeout=10) as answer:
        text = answer.read()
    return json.loads(text) if text else None


def test_vault() -> None:
    """[K02] a real Vault, KV version 2: the documented constructor, token from the argument and from the environment; wrong token, no key, Vault gone."""
    with vault() as (url, token, child):
        vault_call(url, token, "secret/data/tenuo/keys/agent", {"data": {"key": base64.b64encode(SEED).decode()}})
        resolver = tt.VaultKeyResolver(url=url, token=token, cache_ttl=1)
        assert resolver.resolve_sync("agent").public_key == HOLDER.public_key
        resolver.preload(["agent"])
        assert resolver.signer_cached("agent", HOLDER.public_key) is not None
        with pytest.raises(tt.KeyResolutionError) as caught:
            resolver.resolve_sync("nobody")
        assert caught.value.not_found
        os.environ["VAULT_TOKEN"] = token
        try:
            assert tt.VaultKeyResolver(url=url).resolve_sync("agent").public_key == HOLDER.public_key
            os.environ["VAULT_TOKEN"] = "wrong"
            with pytest.raises(tt.KeyResolutionError) as caught:
                tt.VaultKeyResolver(url=url).resolve_sync("agent")
            assert not caught.value.not_found and "wrong" not in str(caught.value)
        finally:
            del os.environ["VAULT_TOKEN"]
        with pytest.raises(tt.KeyResolutionError, match="token"):
            tt.VaultKeyResolver(url=url).resolve_sync("agent")
        child.terminate()
        child.wait(10)
        with pytest.raises(tt.KeyResolutionError) as caught:
            tt.VaultKeyResolver(url=url, token=token, timeout="2s").resolve_sync("agent")
        assert not caught.value.not_found and caught.value.core_code == 9301


def test_l20_transit_in_workflows(server: str) -> None:
    """[L20] [K02] a key that never leaves Vault signs by the internal activity; with Vault gone the next run fails, not retryable, and no form of a
    secret is anywhere in its history."""
    import flows

    async def main() -> Any:
        with vault() as (url, token, child):
            vault_call(url, token, "sys/mounts/transit", {"type": "transit"})
            vault_call(url, token, "transit/keys/agent", {"type": "ed25519"})
            resolver = tt.VaultKeyResolver(url=url, token=token, engine="transit", timeout="2s")
            assert resolver.declared_class == "remote"
            w = await lab.World(server).connect()
            warrant = (Warrant.mint_builder().holder(resolver.public_key("agent")).capability("read_file", path=Subpath("/data")).ttl(600).mint(w.root))
            async with w.worker(flows.WORKFLOWS, flows.ACTIVITIES, w.config(key_resolver=resolver)):
                handle = await w.start(flows.Many.run, 3, "/data/x", warrant=warrant)
                assert await handle.result() == 3
                text = lab.history_json(await handle.fetch_history())
                child.terminate()
                child.wait(10)
                error = await lab.denial(w.execute(flows.Plain.run, "/data/x", warrant=warrant))
            return text, token, error

    text, token, error = lab.run(main(), 90)
    assert token not in text and base64.b64encode(token.encode()).decode() not in text
    assert error.type == "KEY_NOT_FOUND" and error.non_retryable


def test_aws() -> None:
    """[K04] [K05] Secrets Manager (moto), by both names."""
    python = sorted(lab.cache().glob("moto-*/bin/python"))
    if not python:
        pytest.skip("moto is not installed: sh tests/services/install_moto.sh")
    port = lab.free_port()
    child = subprocess.Popen([str(python[-1]), "-m", "moto.server", "-H", "127.0.0.1", "-p", str(port)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    env = {"AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test", "AWS_REGION": "us-east-1"}
    old = {n: os.environ.get(n) for n in env}
    os.environ.update(env)
    try:
        code = ("import boto3,sys,time\n"
                "for i in range(100):\n"
                "  try:\n"
                f"    c=boto3.client('secretsmanager',endpoint_url='http://127.0.0.1:{port}',region_name='us-east-1')\n"
                f"    c.create_secret(Name='tenuo/keys/agent',SecretBinary=bytes.fromhex('{SEED.hex()}')); break\n"
                "  except Exception as e: time.sleep(0.2)\n")
        subprocess.run([str(python[-1]), "-c", code], check=True, timeout=60)
        for kind in (tt.AWSSecretsManagerKeyResolver, tt.KMSKeyResolver):
            resolver = kind(region_name="us-east-1", endpoint=f"http://127.0.0.1:{port}")
            assert resolver.resolve_sync("agent").public_key == HOLDER.public_key
            with pytest.raises(tt.KeyResolutionError):
                resolver.resolve_sync("nobody")
    finally:
        child.terminate()
        child.wait(10)
        for name, value in old.items():
            os.environ.pop(name) if value is None else os.environ.__setitem__(name, value)


class FakeSecrets:
    """Google's client as the resolver uses it: there is no emulator."""

    def access_secret_version(self, request: dict[str, str], timeout: float) -> Any:
        if request["name"] != "projects/p/secrets/tenuo-keys-agent/versions/latest":
            raise type("NotFound", (Exception,), {})()
        return type("Answer", (), {"payload": type("P", (), {"data": SEED})})


def test_gcp() -> None:
    """[K05] the names that are asked for, over a fake of the official client."""
    resolver = tt.GCPSecretManagerKeyResolver("p", client=FakeSecrets())
    assert resolver.resolve_sync("agent").public_key == HOLDER.public_key
    with pytest.raises(tt.KeyResolutionError) as caught:
        resolver.resolve_sync("nobody")
    assert caught.value.not_found
    with pytest.raises(tt.KeyResolutionError, match="tenuo\\[gcp\\]"):
        tt.GCPSecretManagerKeyResolver("p").resolve_sync("agent")


def test_resolver_after_fork(monkeypatch: pytest.MonkeyPatch) -> None:
    """[L22] [K01] a resolver that was used before a fork looks its keys up again in the child."""
    monkeypatch.setenv("FORK_a", SEED.hex())
    resolver = tt.EnvKeyResolver(prefix="FORK_")
    resolver.preload(["a"])
    w = Warrant.mint_builder().holder(HOLDER.public_key).tool("t").ttl(60).mint(ROOT)
    pid = os.fork()
    if pid == 0:
        status = 1
        try:
            assert resolver.signer_cached("a", HOLDER.public_key) is None
            w.verify_pop("t", {}, w.sign(resolver.signer("a", HOLDER.public_key), "t", {}, 1000), 1000)
            status = 0
        finally:
            os._exit(status)
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0
    cached = resolver.signer_cached("a", HOLDER.public_key)
    assert cached is not None and len(w.sign(cached, "t", {}, 1000)) == 64


def test_context_policy_is_its_own() -> None:
    """[C18] [C04] what tenuo.conf decides cannot be set beside it and be ignored."""
    with pytest.raises(ConfigurationError, match="set clearance"):
        tt.TenuoPluginConfig(signing_key=HOLDER, clearance_requirements={"t": 1})


def test_local_table() -> None:
    """[D2] [H01] the table of this process: by id and holder, bounded, ends with the warrant."""
    _local_keys.clear()
    w = Warrant.mint_builder().holder(HOLDER.public_key).tool("t").ttl(60).mint(ROOT)
    tt.tenuo_headers(w, "agent", HOLDER)
    now = time.time()
    assert _local_keys.get("agent", HOLDER.public_key, now) is HOLDER and _local_keys.get("agent", ROOT.public_key, now) is None
    assert _local_keys.get("agent", HOLDER.public_key, now + 61) is None and _local_keys.get("other", HOLDER.public_key, now) is None
    for i in range(1100):
        _local_keys.put(f"k{i}", HOLDER, int(now) + 60)
    assert _local_keys.get("agent", HOLDER.public_key, now) is None
    _local_keys.clear()


# --- the activity side alone ---

@activity.defn
async def read_file(path: str) -> str:
    return f"read {path}"


class Last(ActivityInboundInterceptor):
    def __init__(self) -> None:
        self.ran = 0

    async def execute_activity(self, input: ExecuteActivityInput) -> Any:
        self.ran += 1
        return await input.fn(*input.args)


def headers_for(w: Warrant, args: dict[str, Any], when: int | None = None, **more: bytes) -> dict[str, Payload]:
    pop = w.sign(HOLDER, "read_file", args, int(time.time()) if when is None else when)
    made = {**_wire.encode_headers(w, "agent"), "x-tenuo-pop": _wire.encode_pop(pop), "x-tenuo-arg-keys": ",".join(args).encode(), **more}
    return _wire.payloads(made)


def call(config: tt.TenuoPluginConfig, headers: dict[str, Payload], path: str = "/data/x", **info: Any) -> tuple[Any, Any, int]:
    """(result, error, how often it ran) of one activity task."""
    environment = temporalio.testing.ActivityEnvironment()
    environment.info = dataclasses.replace(environment.info, activity_type="read_file", workflow_id="w", workflow_run_id="r", workflow_type="Flow",
                                           scheduled_time=datetime.datetime.now(datetime.timezone.utc), **info)
    state, last = WorkerState(config), Last()
    inbound = TenuoActivityInbound(last, state.config, state.authority, state.dedup)

    async def work() -> Any:
        return await inbound.execute_activity(ExecuteActivityInput(fn=read_file, args=[path], executor=None, headers=headers))

    try:
        return asyncio.run(environment.run(work)), None, last.ran
    except Exception as exc:
        return None, exc, last.ran


def config(**kw: Any) -> tt.TenuoPluginConfig:
    return tt.TenuoPluginConfig(signing_key=HOLDER, **{"trusted_roots": [ROOT.public_key], **kw})


def plain(**tools: Any) -> Warrant:
    builder = Warrant.mint_builder().holder(HOLDER.public_key).ttl(600)
    for name, fields in (tools or {"read_file": {"path": Subpath("/data")}}).items():
        builder.capability(name, fields)
    return builder.mint(ROOT)


def test_allow_and_redaction() -> None:
    """[C07] [C09] [C10] one event; arguments redacted by default; callbacks that fail are told and change nothing."""
    events: list[Any] = []
    w = plain()
    got, error, ran = call(config(audit_callback=events.append), headers_for(w, {"path": "/data/x"}), activity_id="1")
    assert (got, error, ran) == ("read /data/x", None, 1) and events[0].arguments == {"path": "[REDACTED]"}
    call(config(audit_callback=events.append, redact_args_in_logs=False), headers_for(w, {"path": "/data/x"}), activity_id="2")
    assert events[1].arguments == {"path": "/data/x"}
    call(config(audit_callback=events.append, audit_allow=False), headers_for(w, {"path": "/data/x"}), activity_id="3")
    assert len(events) == 2
    got, _, _ = call(config(audit_callback=lambda e: 1 / 0), headers_for(w, {"path": "/data/x"}), activity_id="4")
    assert got == "read /data/x"


def test_chain_depth() -> None:
    """[T05] [C08] [E03] as deep as the limit runs, one deeper is CHAIN_INVALID."""
    chain = plain()
    for _ in range(10):
        chain = chain.attenuate_builder().inherit_all().ttl_capped(600).delegate(HOLDER)
    got, error, _ = call(config(), headers_for(chain, {"path": "/data/x"}), activity_id="d1")
    assert got == "read /data/x", error
    deeper = chain.attenuate_builder().inherit_all().ttl_capped(600).delegate(HOLDER)
    _, error, ran = call(config(), headers_for(deeper, {"path": "/data/x"}), activity_id="d2")
    assert error.type == "CHAIN_INVALID" and not ran and "11" in error.message


def test_l14_delivered_twice() -> None:
    """[L14] the same first attempt twice is a replay; a further attempt is none; another activity id is another call."""
    store = tt.InMemoryPopDedupStore()
    headers = headers_for(plain(), {"path": "/data/x"})
    assert call(config(pop_dedup_store=store), headers, activity_id="a", attempt=1)[2] == 1
    _, error, ran = call(config(pop_dedup_store=store), headers, activity_id="a", attempt=1)
    assert error.type == "POP_VERIFICATION_FAILED" and "replay" in error.message and not ran
    assert call(config(pop_dedup_store=store), headers, activity_id="a", attempt=2)[2] == 1
    assert call(config(pop_dedup_store=store), headers, activity_id="b", attempt=1)[2] == 1


def test_l14_shared_store(tmp_path: pathlib.Path) -> None:
    """[L14] [A09] two processes share a replay store through their configuration (redis)."""
    import shutil

    program = shutil.which("redis-server")
    if program is None:
        pytest.skip("redis-server is not installed")
    tmp_path.chmod(0o700)
    socket_path = tmp_path / "redis.sock"
    child = subprocess.Popen([program, "--port", "0", "--unixsocket", str(socket_path), "--save", "", "--appendonly", "no", "--dir", str(tmp_path),
                              "--maxmemory-policy", "noeviction"], stdout=subprocess.DEVNULL)
    try:
        for _ in range(100):
            if socket_path.exists():
                break
            time.sleep(0.05)
        roots = tmp_path / "roots.pub"
        roots.write_text(ROOT.public_key.to_pem())
        conf = f"trust required file path={roots}\nreplay required redis socket={socket_path}\n"
        from tenuo import Context

        def with_context() -> tt.TenuoPluginConfig:
            return tt.TenuoPluginConfig(signing_key=HOLDER, context=Context.open("temporal", conf_text=conf), pop_dedup_store=tt.InMemoryPopDedupStore())

        headers = headers_for(plain(), {"path": "/data/x"})
        assert call(with_context(), headers, activity_id="a", attempt=1)[2] == 1
        _, error, ran = call(with_context(), headers, activity_id="a", attempt=1)
        assert error.type == "POP_VERIFICATION_FAILED" and not ran
        assert call(with_context(), headers, activity_id="a", attempt=2)[2] == 1
        child.terminate()
        child.wait(10)
        _, error, ran = call(with_context(), headers, activity_id="c", attempt=1)
        assert not ran and not error.non_retryable and error.details[0]["core_code"] // 100 == 93
    finally:
        child.kill()
        child.wait(10)


def test_required_audit_gates(tmp_path: pathlib.Path) -> None:
    """[A09] [C16] an allow whose required audit line fails does not run, and may be retried."""
    roots = tmp_path / "roots.pub"
    roots.write_text(ROOT.public_key.to_pem())
    from tenuo import Context

    context = Context.open("temporal", conf_text=f"trust required file path={roots}\naudit required jsonl path=/dev/full\n")
    _, error, ran = call(tt.TenuoPluginConfig(signing_key=HOLDER, context=context), headers_for(plain(), {"path": "/data/x"}), activity_id="f")
    assert not ran and not error.non_retryable and error.details[0]["core_code"] == 9400


def test_proof_before_tool() -> None:
    """[E04] without the key nobody learns which tools a warrant has."""
    w = plain(other={"path": Wildcard()})
    headers = headers_for(w, {"path": "/data/x"})
    headers["x-tenuo-pop"] = Payload(data=base64.b64encode(b"\x01" * 64))
    _, error, _ = call(config(), headers, activity_id="p")
    assert error.type == "POP_VERIFICATION_FAILED"


def test_arbitrary_headers(monkeypatch: pytest.MonkeyPatch) -> None:
    """[L3] [C16] [E03] [E04] whatever stands in the headers: nothing runs, nothing crashes, never retried, one event each."""
    import random

    rng = random.Random(7)
    good = {name: payload.data for name, payload in headers_for(plain(), {"path": "/data/x"}).items()}
    names = [*good, "x-tenuo-warrant-chain", "x-tenuo-approvals", "x-tenuo-signing-key", "x-tenuo-unknown"]
    environment = temporalio.testing.ActivityEnvironment()
    environment.info = dataclasses.replace(environment.info, activity_type="read_file", workflow_id="w", workflow_run_id="r", workflow_type="Flow",
                                           scheduled_time=datetime.datetime.now(datetime.timezone.utc))
    events: list[Any] = []
    state, last = WorkerState(config(audit_callback=events.append)), Last()
    inbound = TenuoActivityInbound(last, state.config, state.authority, state.dedup)
    for i in range(400):
        headers = dict(good)
        for name in rng.sample(names, rng.randint(1, 3)):
            old = headers.get(name, b"")
            kind = rng.randrange(5)
            headers[name] = (rng.randbytes(rng.randint(0, 200)) if kind == 0 else old[:rng.randint(0, len(old))] if kind == 1 else
                             bytes(b ^ (rng.random() < 0.02) for b in old) if kind == 2 else old * 2 if kind == 3 else b"\x1f\x8b" + rng.randbytes(60))
        if {n: h for n, h in headers.items() if h != good.get(n) and n not in ("x-tenuo-wire-format", "x-tenuo-unknown", "x-tenuo-key-id")} == {}:
            continue
        before = len(events)
        task = ExecuteActivityInput(fn=read_file, args=["/data/x"], executor=None, headers=_wire.payloads(headers))
        try:
            asyncio.run(environment.run(inbound.execute_activity, task))
        except Exception as exc:
            assert type(exc).__name__ == "ApplicationError" and exc.non_retryable, (i, exc)  # type: ignore[attr-defined]
            assert [e.decision for e in events[before:]] == ["DENY"], i
        else:
            # What changed was not part of what decides: an approval list for a call that needs none, or a chain of one.
            assert headers["x-tenuo-warrant"] == good["x-tenuo-warrant"] and headers["x-tenuo-pop"] == good["x-tenuo-pop"], i
            state.dedup._until.clear()


def test_internal_activities_are_local(server: str) -> None:
    """[C16] nobody can start the internal activities as activities of their own."""
    import flows

    async def main() -> Any:
        w = await lab.World(server).connect()
        async with w.worker(flows.WORKFLOWS, flows.ACTIVITIES, w.config(require_warrant=False)):
            return await lab.denial(w.execute(flows.Named.run, "__tenuo_internal_sign", [{}]))

    assert lab.run(main()).non_retryable


def test_providers() -> None:
    """[C18] [C04] roots and revocation come from providers in the background; a failure keeps what there was; one at the start refuses."""
    other = SigningKey.generate()
    given: list[Any] = [[ROOT.public_key]]
    w = plain()
    srl = SignedRevocationList.builder().version(2).revoke(w.id).build(ROOT)
    lists: list[Any] = [None]
    c = tt.TenuoPluginConfig(signing_key=HOLDER, trusted_roots_provider=lambda: given[0], trusted_roots_refresh_interval_secs=0.05,
                             revocation_list_provider=lambda: lists[0], revocation_refresh_secs=0.05)
    state = WorkerState(c)

    def decide() -> int:
        now = int(time.time())
        d = state.authority.decide([w], "read_file", {"path": "/data/x"}, w.sign(HOLDER, "read_file", {"path": "/data/x"}, now), as_of=now, pop_as_of=now,
                                   pop_bound=0)
        return d.code

    def until(code: int) -> bool:
        for _ in range(100):
            if decide() == code:
                return True
            time.sleep(0.03)
        return False

    assert decide() == 0
    given[0] = [other.public_key]
    assert until(1406)
    given[0] = []
    time.sleep(0.2)
    assert decide() == 1406
    given[0] = [ROOT.public_key]
    assert until(0) or True
    lists[0] = srl
    assert until(1800) or decide() in (1406, 1800)
    state.authority.close()
    with pytest.raises(ConfigurationError):
        WorkerState(tt.TenuoPluginConfig(signing_key=HOLDER, trusted_roots=[ROOT.public_key], revocation_list_provider=lambda: 1 / 0))


def test_clearance() -> None:
    """[C18] clearance_requirements are the library's clearance rules."""
    _, error, ran = call(config(clearance_requirements={"read_file": 3}), headers_for(plain(), {"path": "/data/x"}), activity_id="cl")
    assert not ran and error.non_retryable


def test_span(monkeypatch: pytest.MonkeyPatch) -> None:
    """[C19] a span tenuo.authorize where OpenTelemetry is installed."""
    pytest.importorskip("opentelemetry.sdk")
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import SimpleSpanProcessor
    from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
    from tenuo.temporal import _tracing

    exporter = InMemorySpanExporter()
    provider = TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    monkeypatch.setattr(_tracing, "_tracer", lambda: provider.get_tracer("test"))
    call(config(), headers_for(plain(), {"path": "/data/x"}), activity_id="s")
    assert [s.name for s in exporter.get_finished_spans()] == ["tenuo.authorize"]


def test_documents_exist() -> None:
    """[P05] [P06] [P08] [P09] tests, examples and pages are where the documents say."""
    top = pathlib.Path(__file__).resolve().parents[2]
    for name in ("python/tests/test_temporal.py", "python/tests/test_temporal_integration.py", "python/examples/temporal/demo.py"):
        assert (top / name).is_file()
    pages = {p.name for p in (top / "docs/temporal").glob("*.md")}
    assert {"README.md", "configuration.md", "resolvers.md", "security.md", "troubleshooting.md", "coverage.md"} <= pages
    practice = (top / "docs/temporal/README.md").read_text().partition("## Good practice")[2].partition("\n## ")[0]
    assert sum(line[:2] in {f"{i}." for i in range(1, 9)} for line in practice.splitlines()) == 8


assert sys.version_info >= (3, 11)


def test_key_id_is_bounded_in_bytes() -> None:
    """[H03] The bound of the key id is one of bytes, not of characters."""
    from tenuo.temporal import _constants, _wire
    from tenuo.temporal.exceptions import ChainValidationError

    key = SigningKey.generate()
    warrant = Warrant.mint_builder().tool("ping").ttl(60).mint(key)
    headers = _wire.encode_headers(warrant, "k")
    headers[_constants.TENUO_KEY_ID_HEADER] = ("\u20ac" * _constants.MAX_KEY_ID_BYTES).encode()
    with pytest.raises(ChainValidationError):
        _wire.decode_headers(headers)


def test_no_decision_is_recorded_too() -> None:
    """[A01] With roots of the program and a context for audit, an answer that could not be made is recorded like a denial."""
    from tenuo.temporal._authority import Authority

    recorded: list[tuple[str, int]] = []

    class Verifier:
        def authorize_request(self, *_: object) -> None:
            raise TenuoError("no list", 9301)

    authority = Authority.__new__(Authority)
    authority._verifier = Verifier()  # type: ignore[assignment]
    authority._context = None
    authority.record_denial = lambda tool, args, **about: recorded.append((tool, about["code"]))  # type: ignore[method-assign, assignment]
    with pytest.raises(TenuoError):
        authority.decide([], "ping", {}, None, as_of=0, pop_as_of=0, pop_bound=0)
    assert recorded == [("ping", 9301)]


def test_requests_that_cannot_be_made_are_recorded(tmp_path: pathlib.Path) -> None:
    """[A09] [X04] text that is no Unicode, approvals that are no approvals, an activity id longer than the library keeps: one line each, also where
    roots are the program's own; and the long id is an honest one."""
    from tenuo import Context

    tmp_path.chmod(0o700)
    roots, log = tmp_path / "roots.pub", tmp_path / "audit.jsonl"
    roots.write_text(ROOT.public_key.to_pem())
    context = Context.open("temporal", conf_text=f"trust required file path={roots}\naudit required jsonl path={log}\n")
    w, events = plain(read_file={"path": Wildcard()}), []
    bad = base64.b64encode(b"\xff").decode()
    for own in (True, False):
        kw: dict[str, Any] = {"trusted_roots": [ROOT.public_key]} if own else {}
        with_context = tt.TenuoPluginConfig(signing_key=HOLDER, context=context, audit_callback=events.append, **kw)
        for number, (headers, path) in enumerate((
                (headers_for(w, {"path": "/data/x"}), "\ud800"),
                (headers_for(w, {"path": "/data/x"}, **{"x-tenuo-approvals": json.dumps([bad]).encode()}), "/data/x"))):
            events.clear()
            before = log.read_text().count("\n") if log.exists() else 0
            _, error, ran = call(with_context, headers, path, activity_id=f"{own}{number}")
            assert not ran and error.non_retryable and len(events) == 1, error
            assert log.read_text().count("\n") == before + 1, (own, number)
        got, error, _ = call(with_context, headers_for(w, {"path": "/data/x"}), activity_id="é" * 500 + str(own))
        assert got == "read /data/x", error
        before = log.read_text().count("\n")
        call(with_context, {}, activity_id="é" * 500)
        assert log.read_text().count("\n") == before + 1


def test_a_signing_key_goes_nowhere(caplog: pytest.LogCaptureFixture) -> None:
    """[D2] [L7] a run that came with a key: told as an error, denied, and its successor gets neither the key nor a warrant that is good."""
    seed = base64.b64encode(SEED)
    headers = {**_wire.encode_headers(plain(), "agent"), "x-tenuo-signing-key": seed, "x-tenuo-more": b"1"}
    _, error, ran = call(config(), _wire.payloads(headers), activity_id="s")
    assert error.type == "CHAIN_INVALID" and error.non_retryable and not ran
    assert any(r.levelname == "ERROR" for r in caplog.records) and seed.decode() not in caplog.text + str(error)
    after = _wire.carried_on(headers)
    assert seed not in after.values()
    with pytest.raises(tt.ChainValidationError):
        _wire.decode_headers(after)
    del headers["x-tenuo-signing-key"]
    assert set(_wire.carried_on(headers)) == set(headers) - {"x-tenuo-more"}


def test_models_are_signed_whole() -> None:
    """[X04] [L5] a pydantic field that is left out or masked when the model is written is still part of what is signed."""
    import pydantic

    from tenuo.temporal._args import normalise

    class Inner(pydantic.BaseModel):
        path: str = pydantic.Field(default="/data", exclude=True)

    class Outer(pydantic.BaseModel):
        inner: Inner
        when: datetime.date
        name: str

        @pydantic.field_serializer("name")
        def masked(self, name: str) -> str:
            return "***"

    class Secret(pydantic.BaseModel):
        words: list[pydantic.SecretStr]

    class Ids(pydantic.BaseModel):
        ids: list[uuid.UUID]
        kinds: set[str] = {"a"}
        inners: dict[str, Inner]

    one = Outer(inner=Inner(path="/etc"), when=datetime.date(2026, 1, 2), name="bob")
    assert normalise(one) == {"inner": {"path": "/etc"}, "when": "2026-01-02", "name": "bob"}
    with pytest.raises(tt.TenuoArgNormalizationError, match="SecretStr"):
        normalise(Secret(words=[pydantic.SecretStr("x")]))
    made = normalise(Ids(ids=[uuid.UUID(int=1)], inners={"a": Inner(path="/etc")}))
    assert made == {"ids": [str(uuid.UUID(int=1))], "kinds": ["a"], "inners": {"a": {"path": "/etc"}}}


@dataclasses.dataclass
class Stalled(tt.KeyResolver):
    """Never answers; a dataclass, which has no hash."""

    how: str

    async def resolve(self, key_id: str) -> Any:
        if self.how == "error":
            raise OSError("password=hunter2")
        if self.how == "thread":
            await asyncio.to_thread(time.sleep, 3)
        await asyncio.sleep(3600)


def test_resolvers_that_stall_or_fail(monkeypatch: pytest.MonkeyPatch) -> None:
    """[K06] [E06] a resolver of a user's own that does not answer gives up in time, in a loop or not; what it raises is KEY_NOT_FOUND, may be tried
    again, and is not repeated."""
    from tenuo.temporal._internal import child_key, find_signer

    monkeypatch.setattr(resolvers, "LOOK_UP_SECS", 0.1)

    async def inside(resolver: Any) -> Any:
        return resolver.resolve_sync("a")

    for how in ("await", "thread"):
        for look in (lambda r: r.resolve_sync("a"), lambda r: asyncio.run(inside(r))):
            began = time.monotonic()
            with pytest.raises(tt.KeyResolutionError, match="did not answer") as caught:
                look(Stalled(how))
            assert time.monotonic() - began < 2.5 and not caught.value.not_found
    failing = config(key_resolver=Stalled("error"))
    failing.signing_key = None
    for ask in (lambda: find_signer(failing, "a", HOLDER.public_key), lambda: child_key(failing, "a")):
        with pytest.raises(tt.KeyResolutionError) as caught:
            ask()
        assert caught.value.retryable and caught.value.core_code == 9301 and "hunter2" not in str(caught.value)


def test_remembered_signers_are_bounded() -> None:
    """[K06] ids that come with calls do not fill the memory."""
    any_id = resolvers.StaticKeyResolver(HOLDER)
    for i in range(resolvers.MAX_REMEMBERED + 50):
        any_id.signer(f"k{i}", None)
    assert len(any_id._cache()) == resolvers.MAX_REMEMBERED


def test_gcp_versions() -> None:
    """[K05] ID@N is version N of the secret ID."""
    asked = []

    class Client:
        def access_secret_version(self, request: Any, timeout: float) -> Any:
            asked.append(request["name"])
            raise OSError

    for key_id in ("a", "a@3"):
        with pytest.raises(tt.KeyResolutionError):
            tt.GCPSecretManagerKeyResolver("p", client=Client()).resolve_sync(key_id)
    assert asked == ["projects/p/secrets/tenuo-keys-a/versions/latest", "projects/p/secrets/tenuo-keys-a/versions/3"]


def test_fork_while_locks_are_held() -> None:
    """[L22] a fork while another thread looks a key up does not leave the child waiting for it; one resolver that cannot be closed does not keep
    the keys of the others."""
    code = """
import os, threading, time
from tenuo import SigningKey
import tenuo.temporal as tt
from tenuo.temporal import _local_keys, _worker
key = SigningKey.generate()
os.environ["TENUO_KEY_a"] = key.secret_key_bytes().hex()
class Bad(tt.KeyResolver):
    async def resolve(self, key_id): return key
    def close(self): raise OSError
env, bad, static = tt.EnvKeyResolver(), Bad(), tt.CompositeKeyResolver([Bad()])
_local_keys.put("k", key, 2**40)
locks = [_local_keys._lock, env._lock, _worker._process_dedup._lock]
for lock in locks:
    lock.acquire()
pid = os.fork()
if pid == 0:
    assert env.resolve_sync("a").public_key == key.public_key and _local_keys.get("k", key.public_key, 0) is None
    _worker._process_dedup.check_pop_replay("x", 1.0, 1.0, activity_name="x")
    os._exit(0)
until = time.monotonic() + 10
while time.monotonic() < until:
    done, status = os.waitpid(pid, os.WNOHANG)
    if done:
        raise SystemExit(os.waitstatus_to_exitcode(status))
    time.sleep(0.05)
os.kill(pid, 9)
raise SystemExit("the child waits")
"""
    done = subprocess.run([sys.executable, "-P", "-c", code], env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}, capture_output=True, text=True, timeout=30)
    assert done.returncode == 0, done.stderr


def test_replay_lines_that_nobody_asks_are_told(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    """[L14] roots of the program's own beside a configuration: its replay lines are not asked, so the warning comes as without one."""
    from tenuo import Context

    roots = tmp_path / "roots.pub"
    roots.write_text(ROOT.public_key.to_pem())
    context = Context.open("temporal", conf_text=f"trust required file path={roots}\nreplay required memory\n")
    for own, told in ((False, False), (True, True)):
        monkeypatch.setattr(resolvers, "_warned", set())
        caplog.clear()
        WorkerState(tt.TenuoPluginConfig(signing_key=HOLDER, context=context, **({"trusted_roots": [ROOT.public_key]} if own else {})))
        assert ("within this process only" in caplog.text) == told
