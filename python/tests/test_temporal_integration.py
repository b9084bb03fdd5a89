# SPDX-License-Identifier: Apache-2.0
"""The suites that the documents list (spec temporal.md 1.8, 1.10): defaults, decorators, codes, audit events, headers, arguments."""

from __future__ import annotations

import ast
import base64
import dataclasses
import datetime
import enum
import json
import pathlib
import urllib.request
import zlib
from typing import Any

import pytest
import temporalio.converter
from temporalio import activity

import tenuo.temporal as tt
from tenuo import SigningKey, Subpath, Warrant
from tenuo.temporal import _args, _constants, _wire, exceptions
from tenuo.temporal.resolvers import quoted, resolver_line
from tenuo_core.errors import ConfigurationError

ROOT, HOLDER = SigningKey.generate(), SigningKey.generate()


def warrant(**kw: Any) -> Warrant:
    return Warrant.mint_builder().holder(HOLDER.public_key).capability("read_file", path=Subpath("/data")).ttl(600).mint(ROOT)


def config(**kw: Any) -> tt.TenuoPluginConfig:
    kw.setdefault("signing_key", HOLDER)
    kw.setdefault("trusted_roots", [ROOT.public_key])
    return tt.TenuoPluginConfig(**kw)


def test_configuration_defaults() -> None:
    """[T01] [C02] [C05] [C06] [C07] [C08] [C09] [C10] [C11] [C12] [C18] [C19] the documented defaults."""
    c = config()
    assert (c.on_denial, c.require_warrant, c.block_local_activities, c.redact_args_in_logs, c.max_chain_depth) == ("raise", True, True, True, 10)
    assert (c.audit_allow, c.audit_deny, c.audit_callback, c.metrics, c.tool_mappings) == (True, True, None, None, {})
    assert (c.dry_run, c.strict_mode, c.retry_pop_max_windows, c.nexus_pop_replay_protection, c.enable_tracing) == (False, False, 40, False, False)
    for name in ("control_plane", "runtime", "trusted_roots_provider", "trusted_roots_refresh_interval_secs", "pop_dedup_store", "nexus_endpoint",
                 "authorized_signals", "authorized_updates", "activity_fns", "approval_handler", "clearance_requirements", "revocation_list",
                 "revocation_list_provider", "revocation_refresh_secs"):
        assert getattr(c, name) is None
    assert tt.TenuoInterceptorConfig is tt.TenuoPluginConfig and tt.TenuoInterceptor is tt.TenuoWorkerInterceptor


def test_configuration_is_checked() -> None:
    """[C02] [C03] [C04] [C15] [C18] what is wrong is refused when it is made."""
    with pytest.raises(ConfigurationError, match="key_resolver"):
        tt.TenuoPluginConfig(trusted_roots=[ROOT.public_key])
    for wrong in ({"trusted_roots": []}, {"on_denial": "shrug"}, {"authorized_signals": []}, {"authorized_updates": []}, {"max_chain_depth": 99},
                  {"retry_pop_max_windows": -1}, {"trusted_roots_refresh_interval_secs": 5}, {"revocation_refresh_secs": 5}, {"sign_mode": "none"},
                  {"arg_normalization": "x"}):
        with pytest.raises(ConfigurationError):
            config(**wrong)
    with pytest.raises(ConfigurationError, match="trusted roots"):
        tt.TenuoPluginConfig(signing_key=HOLDER, conf="/nonexistent/tenuo.conf")
    assert config(approval_handler=lambda r: None).retry_pop_max_windows == 240
    assert config(approval_handler=lambda r: None, retry_pop_max_windows=100).retry_pop_max_windows == 100
    names = {f.name for f in dataclasses.fields(tt.TenuoPluginConfig)}
    assert not [n for n in names if "pop" in n and n not in ("pop_dedup_store", "nexus_pop_replay_protection", "retry_pop_max_windows")]


def test_from_env(monkeypatch: pytest.MonkeyPatch) -> None:
    """[C18] from_env takes the roots from the environment."""
    monkeypatch.setenv("TENUO_TRUSTED_ROOTS", f"{ROOT.public_key.to_bytes().hex()}, {HOLDER.public_key.to_base64url()}")
    made = tt.TenuoPluginConfig.from_env()
    assert list(made.trusted_roots or []) == [ROOT.public_key, HOLDER.public_key] and isinstance(made.key_resolver, tt.EnvKeyResolver)


def test_decorators() -> None:
    """[T02] [X08] [X09] [X10] marks, in any order, and nothing else changes."""

    @activity.defn
    @tt.tool("read_file")
    async def one(doc: str) -> str:
        return doc

    @tt.tool("read_file")
    @tt.unprotected
    @activity.defn
    async def two(doc: str) -> str:
        return doc

    from tenuo.temporal._decorators import is_unprotected, tool_name

    assert tool_name({}, one, "one") == tool_name({}, two, "two") == "read_file" and tool_name({"one": "x"}, one, "one") == "x"
    assert is_unprotected(two) and not is_unprotected(one) and one.__name__ == "one" and tool_name({}, None, "plain") == "plain"
    with pytest.raises(TypeError):
        tt.tool("")


@pytest.mark.parametrize(("made", "code"), [
    (exceptions.ConstraintViolation("t", {}, "c", "w"), "CONSTRAINT_VIOLATED"),
    (exceptions.WarrantExpired("w", None), "WARRANT_EXPIRED"),
    (exceptions.ChainValidationError("r", 1), "CHAIN_INVALID"),
    (exceptions.PopVerificationError("r", "a"), "POP_VERIFICATION_FAILED"),
    (exceptions.LocalActivityError("a"), "LOCAL_ACTIVITY_BLOCKED"),
    (exceptions.KeyResolutionError("k"), "KEY_NOT_FOUND"),
    (exceptions.TenuoContextError("m"), "CONTEXT_MISSING"),
    (exceptions.TenuoArgNormalizationError("m"), "ARG_NORMALIZATION_FAILED"),
    (exceptions.TenuoPreValidationError("m"), "PRE_VALIDATION_FAILED"),
])
def test_exception_codes(made: Any, code: str) -> None:
    """[T03] [E01] [E02] [E03] [E04] [E05] [E06] [E07] [E08] [E09] error_code, and the same on the wire, non-retryable."""
    assert made.error_code == code
    error = exceptions.application_error(made)
    assert error.type == code and error.non_retryable and error.message == str(made) and error.__cause__ is made
    assert set(error.details[0]) == {"core_code", "core_name", "field", "reason"}
    assert issubclass(exceptions.TenuoPreValidationError, exceptions.TenuoContextError) and issubclass(exceptions.TenuoArgNormalizationError, TypeError)
    assert tt.TemporalConstraintViolation is tt.ConstraintViolation


def test_audit_event() -> None:
    """[T04] [A01] [A02] the 16 fields; to_dict never fails."""
    event = tt.TemporalAuditEvent("w", "t", "r", "a", "1", "q", "ALLOW", "tool", {}, "id", datetime.datetime.now(datetime.timezone.utc), ["tool"])
    assert set(event.to_dict()) == {
        "workflow_id", "workflow_type", "workflow_run_id", "activity_name", "activity_id", "task_queue", "decision", "tool", "arguments", "warrant_id",
        "warrant_expires_at", "warrant_capabilities", "denial_reason", "constraint_violated", "timestamp", "tenuo_version"}
    assert json.dumps(event.to_dict()) and json.dumps(dataclasses.replace(event, warrant_expires_at=None).to_dict())


def test_headers() -> None:
    """[H01] four headers, the same bytes each time, no key in any form; a key where its id belongs is a TypeError."""
    w = warrant()
    two, three = tt.tenuo_headers(w, "agent"), tt.tenuo_headers(w, "agent", HOLDER)
    assert two == three == tt.tenuo_headers(w, "agent") and len(two) == 4
    seed = HOLDER.secret_key_bytes()
    for value in three.values():
        for form in (seed, seed.hex().encode(), base64.b64encode(seed), base64.urlsafe_b64encode(seed)):
            assert form not in value
    got = _wire.decode_headers(two)
    assert got is not None and got.warrant == w and got.key_id == "agent"
    raw = _wire.decode_headers(tt.tenuo_headers(w, "agent", compress=False))
    assert raw is not None and raw.warrant == w
    for wrong in (HOLDER, b"agent", 7):
        with pytest.raises(TypeError):
            tt.tenuo_headers(w, wrong)  # type: ignore[arg-type]
    with pytest.raises(tt.TenuoContextError):
        tt.tenuo_headers(w, "agent", ROOT)


def test_chain_headers() -> None:
    """[X06] [X07] a child brings its chain, whether it knows it, is told it, or is given as a list or text."""
    parent, child_key = warrant(), SigningKey.generate()
    child = parent.attenuate_builder().retain_tool("read_file").holder(child_key.public_key).ttl(60).delegate(HOLDER)
    alone = Warrant.from_bytes(child.to_bytes())
    want = tt.tenuo_headers(child, "c")
    assert len(want) == 5
    from tenuo import encode_warrant_stack

    assert want == tt.tenuo_headers(alone, "c", warrant_chain=[parent]) == tt.tenuo_headers([parent, alone], "c")
    assert want == tt.tenuo_headers(alone, "c", warrant_chain=[parent, alone]) == tt.tenuo_headers(encode_warrant_stack([parent, alone]), "c")
    with pytest.raises(tt.TenuoContextError):
        tt.tenuo_headers(alone, "c", warrant_chain=[alone, parent])
    other = dict(want) | {_constants.TENUO_WARRANT_HEADER: parent.to_bytes(), _constants.TENUO_COMPRESSED_HEADER: b"0"}
    with pytest.raises(tt.ChainValidationError):
        _wire.decode_headers(other)


@pytest.mark.parametrize("headers", [
    {"x-tenuo-warrant": b""}, {"x-tenuo-warrant": b"\x00" * 70000}, {"x-tenuo-warrant": b"garbage", "x-tenuo-compressed": b"1"},
    {"x-tenuo-warrant": zlib.compress(b"0" * 10_000_000, 9), "x-tenuo-compressed": b"1"},
    {"x-tenuo-warrant": _wire._gzip(b"\x00" * 65537), "x-tenuo-compressed": b"1"},
    {"x-tenuo-warrant": _wire._gzip(b"\x00" * 200_000_000)[:60000], "x-tenuo-compressed": b"1"},
    {"x-tenuo-warrant": b"x", "x-tenuo-signing-key": b"secret"}, {"x-tenuo-signing-key": b"secret"},
])
def test_hostile_headers(headers: dict[str, bytes]) -> None:
    """[E03] malformed, oversized and bomb-compressed warrants, and signing keys of old clients, are CHAIN_INVALID at depth 0."""
    with pytest.raises(tt.ChainValidationError) as caught:
        _wire.decode_headers(headers)
    assert caught.value.depth == 0 and "Failed to deserialize warrant" in str(caught.value) and "secret" not in str(caught.value).replace("signing", "")


@pytest.mark.parametrize("pop", [b"", b"A" * 88, base64.b64encode(b"\x01" * 63), base64.urlsafe_b64encode(b"\xff" * 64), b"!" * 88, b"A" * 87 + b"\n"])
def test_hostile_pop(pop: bytes) -> None:
    """[E04] the proof is strict base64 of 64 bytes."""
    if pop == b"A" * 88:
        with pytest.raises(tt.PopVerificationError):
            _wire.decode_pop({"x-tenuo-pop": pop}, "a")
        return
    with pytest.raises(tt.PopVerificationError):
        _wire.decode_pop({"x-tenuo-pop": pop}, "a")
    with pytest.raises(tt.PopVerificationError, match="missing"):
        _wire.decode_pop({}, "a")


class Colour(enum.Enum):
    RED = "red"


@dataclasses.dataclass
class Item:
    name: str
    price: float = 1.0
    tags: list[str] = dataclasses.field(default_factory=list)


@pytest.mark.parametrize("value", [None, True, 1, -(2**63), 1.5, "text", "ümlaut", [1, "a", None], {"a": {"b": [1, {"c": 2.5}]}}, [], {}, [[[]]]])
def test_normalise_is_stable_through_temporal(value: Any) -> None:
    """[L5] [E08] norm(x) == norm(decode(encode(x))) for what JSON carries."""
    converter = temporalio.converter.default().payload_converter
    assert _args.normalise(value) == _args.normalise(_args.through_converter(converter, [value], None)[0])


def test_normalise_types() -> None:
    """[L5] [E08] dataclasses, enums, times, bytes, tuples; what has no counterpart is refused with its type."""
    converter = temporalio.converter.default().payload_converter
    item = Item("tea", 2)
    assert _args.normalise(item) == {"name": "tea", "price": 2, "tags": []}
    seen = _args.through_converter(converter, [{"name": "tea"}], [Item])
    assert _args.normalise(seen[0]) == {"name": "tea", "price": 1.0, "tags": []}
    assert _args.normalise(Colour.RED) == "red" and _args.normalise(b"\x00") == "AA==" and _args.normalise((1, 2)) == [1, 2]
    assert _args.normalise(datetime.datetime(2026, 1, 2, tzinfo=datetime.timezone.utc)) == "2026-01-02T00:00:00+00:00"
    deep: Any = 1
    for _ in range(40):
        deep = [deep]
    for wrong in ({1, 2}, object(), 2**64, deep, {1: 2}, complex(1)):
        with pytest.raises(tt.TenuoArgNormalizationError):
            _args.normalise(wrong)
    with pytest.raises(tt.TenuoContextError):
        _args.argument_map(["_workflow_id"], ["x"])
    assert _args.argument_map(["a"], [{"b": 1}], form="upstream-json") == {"a": '{"b": 1}'}


def test_parameter_names() -> None:
    """[H06] names are the function's own, positions beyond them argN."""

    def fn(self: Any, a: int, b: str = "x", *rest: Any, **more: Any) -> None: ...

    assert _args.argument_names(fn, 3) == ["a", "b", "arg2"] and _args.argument_names(None, 2) == ["arg0", "arg1"]


def test_metrics() -> None:
    """[A04] [A05] [A06] [A07] [A08] the documented series over HTTP, labels bounded, two objects of one prefix."""
    first, second = tt.TenuoMetrics(prefix="tenuo_test"), tt.TenuoMetrics(prefix="tenuo_test")
    first.record_authorized("read_file", "Flow", 0.002)
    second.record_denied("read_file", "CONSTRAINT_VIOLATED", "Flow", 0.02)
    second.record_denied("read_file", "free text 17 seconds", "Flow", 0.02)
    for i in range(500):
        first.record_authorized(f"hostile-{i}", "Flow", 0.001)
    port = first.serve()
    try:
        text = urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=5).read().decode()
    finally:
        first.server.shutdown()
    assert 'tenuo_test_activities_authorized_total{tool="read_file",workflow_type="Flow"} 1.0' in text
    assert 'tenuo_test_activities_denied_total{reason="CONSTRAINT_VIOLATED",tool="read_file",workflow_type="Flow"} 1.0' in text
    assert 'reason="other"' in text and "free text" not in text
    assert 'tenuo_test_authorization_latency_seconds_bucket{le="0.005",tool="read_file"} 1.0' in text
    assert text.count('tenuo_test_activities_authorized_total{tool="hostile-') < 210
    assert first.get_stats()["authorized"]["read_file"] == 1 and tt.TenuoMetrics().prefix == "tenuo_temporal"


def test_dedup() -> None:
    """[C18] a replay is one until its time is over; a full store refuses instead of forgetting."""
    store = tt.InMemoryPopDedupStore(capacity=2)
    store.check_pop_replay("a", 100, 750, activity_name="x")
    with pytest.raises(tt.PopVerificationError, match="replay"):
        store.check_pop_replay("a", 849, 750, activity_name="x")
    store.check_pop_replay("b", 100, 750, activity_name="x")
    with pytest.raises(tt.DecisionError) as caught:
        store.check_pop_replay("c", 100, 750, activity_name="x")
    assert caught.value.retryable and "full" in str(caught.value)
    store.check_pop_replay("c", 900, 750, activity_name="x")
    assert isinstance(store, tt.PopDedupStore)


def test_configuration_text_cannot_be_injected() -> None:
    """[K02] what a program passes to a resolver stays one value of one line."""
    assert quoted('a"b\\c') == '"a\\"b\\\\c"'
    for wrong in ("a\nresolver required env", "a\rb", "a\0b"):
        with pytest.raises(ConfigurationError):
            quoted(wrong)
    for name in ("a b", "x\nresolver", "", "url=1"):
        with pytest.raises(ConfigurationError):
            resolver_line("vault", {name: "v"})


FOLDER = pathlib.Path(tt.__file__).parent
WORKFLOW_SIDE = ("_args.py", "_children.py", "_decorators.py", "_nexus_call.py", "_inbound.py", "_outbound.py", "_runs.py", "_sign.py", "_wire.py", "workflows.py")


@pytest.mark.parametrize("name", WORKFLOW_SIDE)
def test_workflow_side_is_deterministic(name: str) -> None:
    """[X05] [X12] [H06] workflow-side files use of tenuo_core the pure part alone, and no clock, randomness, thread or environment."""
    for node in ast.walk(ast.parse((FOLDER / name).read_text())):
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("tenuo_core"):
            assert node.module == "tenuo_core._pure", f"{name}:{node.lineno} imports {node.module}"
        names = [a.name for a in node.names] if isinstance(node, ast.Import) else [node.module] if isinstance(node, ast.ImportFrom) else []
        for imported in names:
            assert imported not in ("time", "os", "random", "secrets", "threading", "socket", "uuid", "subprocess"), f"{name}:{node.lineno}"
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
            assert node.func.attr not in ("utcnow", "today"), f"{name}:{node.lineno}"


def test_one_place_makes_application_errors() -> None:
    """[E01] what crosses the wire is made in one file."""
    sites = {path.name for path in FOLDER.glob("*.py") for node in ast.walk(ast.parse(path.read_text()))
             if isinstance(node, ast.Call) and getattr(node.func, "id", "") == "ApplicationError"}
    assert sites == {"exceptions.py"}
