# SPDX-License-Identifier: Apache-2.0
"""tenuo_core and tenuo: keys, values, constraints, warrants and decisions through Python; the reference's vectors where JSON carries them."""

from __future__ import annotations

import base64
import copy
import gc
import json
import os
import pathlib
import pickle
import resource
import subprocess
import sys
import threading
import time
from typing import Any

import pytest

import tenuo
import tenuo_core
from tenuo import (CEL, All, AnyOf, Authorizer, Cidr, Clearance, Contains, Context, Exact, Not, NotOneOf, OneOf, Pattern, PublicKey, Range, Regex, Shlex,
                   SignedRevocationList, SigningKey, Subpath, Subset, UrlPattern, UrlSafe, Verifier, Warrant, Wildcard, exceptions)
from tenuo_core.constraints import parse_constraint

VECTORS = pathlib.Path(os.environ.get("TENUO_VECTORS", pathlib.Path(__file__).resolve().parents[2] / "tests" / "vectors"))
ROOT, HOLDER = SigningKey.generate(), SigningKey.generate()


def lines(name: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (VECTORS / name).read_text(encoding="utf-8").split("\n") if line]


def warrant(**tools: Any) -> Warrant:
    builder = Warrant.mint_builder().holder(HOLDER.public_key).ttl(600)
    for name, fields in (tools or {"read_file": {"path": Subpath("/data")}}).items():
        builder.capability(name, fields)
    return builder.mint(ROOT)


def decide(w: Any, tool: str, args: dict[str, Any], **kw: Any) -> tenuo.Decision:
    now = int(time.time())
    leaf = w if isinstance(w, Warrant) else w[-1]
    return Verifier([ROOT.public_key]).authorize(w, tool, args, leaf.sign(HOLDER, tool, args, now), as_of=now, **kw)


def test_keys() -> None:
    """[O01] [P02] [P03] 32 bytes, every text form, and no way to leak one by accident."""
    key = SigningKey.generate()
    seed = key.secret_key_bytes()
    assert len(seed) == 32
    for again in (SigningKey.from_bytes(seed), SigningKey.from_pem(key.to_pem()), SigningKey.from_text(seed.hex()),
                  SigningKey.from_text(base64.b64encode(seed).decode())):
        assert again.public_key == key.public_key
    public = key.public_key
    assert PublicKey.from_bytes(public.to_bytes()) == PublicKey.from_pem(public.to_pem()) == PublicKey.parse(public.to_base64url()) == public
    assert public.fingerprint() in repr(key) and "REDACTED" in repr(key) and seed.hex() not in repr(key)
    for leak in (pickle.dumps, copy.copy, copy.deepcopy):
        with pytest.raises(TypeError):
            leak(key)
    for wrong in (b"", b"\x00" * 31, b"\x00" * 32):
        with pytest.raises(exceptions.TenuoError):
            PublicKey.from_bytes(wrong)
    assert pickle.loads(pickle.dumps(public)) == public


def test_pop_vectors() -> None:
    """[O04] [X04] the reference's preimages and signatures."""
    checked = 0
    for case in lines("pop.jsonl"):
        expect = case.get("ours", case["expect"])
        if "args_json" not in case or not isinstance(expect, dict) or "signature" not in expect or case.get("window", 30) != 30:
            continue
        key = SigningKey.from_bytes(bytes.fromhex(case["holder_secret"]))
        w = Warrant.from_bytes(bytes.fromhex(case["warrant"]))
        assert w.pop_preimage(case["tool"], case["args_json"], case["timestamp"]).hex() == expect["preimage"], case["id"]
        signature = w.sign(key, case["tool"], case["args_json"], case["timestamp"])
        assert len(signature) == 64 and signature.hex() == expect["signature"], case["id"]
        checked += 1
    assert checked > 50


def test_match_vectors() -> None:
    """[O03] constraints match as the reference's, through Python values."""
    checked = 0
    for case in lines("match.jsonl"):
        expect = case.get("ours", case["expect"])
        if "value_json" not in case or expect not in (True, False):
            continue
        try:
            constraint = parse_constraint(bytes.fromhex(case["constraint"]))
            got: Any = constraint.matches(case["value_json"])
        except exceptions.TenuoError:
            got = "error"
        assert got is expect, (case["id"], got, expect)
        checked += 1
    assert checked > 1000


def test_constraints() -> None:
    """[O03] every class, inside and outside."""
    cases: list[tuple[Any, Any, Any]] = [
        (Exact(5), 5, 6), (Pattern("a*"), "ab", "b"), (Range(1, 2), 1.5, 3), (Range.max_value(3), 3, 4), (OneOf(["a", 1]), 1, 2),
        (NotOneOf(["a"]), "b", "a"), (Cidr("10.0.0.0/8"), "10.1.2.3", "11.0.0.1"), (UrlPattern("https://example.com/*"), "https://example.com/x", "https://x.y/"),
        (UrlSafe(), "https://example.com/", "http://127.0.0.1/"), (UrlSafe(allow_domains=["a.com"], allow_ports=[443]), "https://a.com/", "https://b.com/"),
        (Contains(["a"]), ["a", "b"], ["b"]), (Subset(["a", "b"]), ["a"], ["c"]), (All([Pattern("a*"), Pattern("*b")]), "ab", "a"),
        (AnyOf([Exact(1), Exact(2)]), 2, 3), (Not(Exact(1)), 2, 1), (Subpath("/data"), "/data/x", "/data/../etc"),
        (Shlex(["ls"]), "ls -l", "rm x"), (Regex("a+"), "aa", "b"), (CEL("value > 3"), 4, 2)]
    for constraint, inside, outside in cases:
        assert constraint.matches(inside) and not constraint.matches(outside), constraint
        assert parse_constraint(constraint.to_bytes()) == constraint and pickle.loads(pickle.dumps(constraint)) == constraint
    assert Wildcard().matches(None) and Subpath("/data").root == "/data" and Pattern("x").pattern == "x"
    Subpath("/data").validate_attenuation(Subpath("/data/x"))
    with pytest.raises(exceptions.TenuoError):
        Subpath("/data/x").validate_attenuation(Subpath("/data"))
    with pytest.raises(exceptions.TenuoError):
        Regex("(").matches("x")


def test_values() -> None:
    """[L5] what a warrant can speak about, and a TypeError for the rest."""
    w = warrant(t={"a": Wildcard()})
    for value in (None, True, -(2**63), 2**63 - 1, 1.5, "x", [1, [2]], {"k": {"l": None}}, (1, 2)):
        assert decide(w, "t", {"a": value}).allowed, value
    for wrong in (b"x", {1}, object(), {1: 2}):
        with pytest.raises(TypeError):
            w.sign(HOLDER, "t", {"a": wrong})
    for huge in (2**63, "\ud800"):
        with pytest.raises(exceptions.TenuoError):
            w.sign(HOLDER, "t", {"a": huge})
    assert w.dedup_key("t", {"a": 1}) != w.dedup_key("t", {"a": 1.0}) and len(w.dedup_key("t", {})) == 64


def test_warrant() -> None:
    """[O02] [O04] what it says, its forms, and what it refuses."""
    w = warrant()
    assert w.id.startswith("tnu_wrt_") and w.id_hex == w.id[8:] and w.depth == 0 and w.tools == ["read_file"]
    assert w.capabilities == {"read_file": {"path": Subpath("/data")}} and w.authorized_holder == HOLDER.public_key and w.issuer == ROOT.public_key
    for again in (Warrant.from_bytes(w.to_bytes()), Warrant.from_base64(w.to_base64()), Warrant(w.to_pem()), pickle.loads(pickle.dumps(w))):
        assert again == w and hash(again) == hash(w)
    assert w.prevalidate("read_file", ["path", "x"]) == (["x"], []) and w.prevalidate("read_file", []) == ([], ["path"])
    assert w.expires_at_unix - w.issued_at == 600 and not w.is_expired() and 0 < w.ttl_seconds() <= 600
    with pytest.raises(exceptions.DeserializationError):
        Warrant.from_bytes(b"\x00")
    with pytest.raises(exceptions.HolderMismatch):
        w.sign(ROOT, "read_file", {"path": "/data/x"})


def test_chain() -> None:
    """[X06] [X07] children narrow; joined chains decide; widening is refused when it is made."""
    w = warrant()
    child = w.attenuate_builder().capability("read_file", path=Subpath("/data/x")).ttl(60).delegate(HOLDER)
    assert child.depth == 1 and child.chain[0] == w
    assert decide(child, "read_file", {"path": "/data/x/y"}).allowed and decide(child, "read_file", {"path": "/data/y"}).code == 1501
    alone = [Warrant.from_bytes(w.to_bytes()), Warrant.from_bytes(child.to_bytes())]
    assert decide(alone, "read_file", {"path": "/data/x/y"}).allowed
    assert tenuo.decode_warrant_stack_base64(tenuo.encode_warrant_stack(alone)) == alone
    for widen in (lambda b: b.capability("read_file", path=Subpath("/")), lambda b: b.capability("write_file"), lambda b: b.inherit_all().ttl(99999)):
        with pytest.raises(exceptions.TenuoError):
            widen(w.attenuate_builder()).delegate(HOLDER)


def test_denials_and_authorizer() -> None:
    """[E01] decisions say why; the Authorizer raises by code."""
    w = warrant()
    d = decide(w, "write_file", {"path": "/data/x"})
    assert (d.allowed, d.code, d.name) == (False, 1500, "tool-not-authorized")
    d = decide(w, "read_file", {"path": "/etc/x"})
    assert d.field == "path" and "/etc/x" not in d.reason
    auth = Authorizer([ROOT.public_key])
    good = w.sign(HOLDER, "read_file", {"path": "/data/x"})
    assert auth.authorize(w, "read_file", {"path": "/data/x"}, good).allowed and auth.check(w, "read_file", {"path": "/data/x"}, good)
    for args, signature, kind in (({"path": "/data/y"}, good, exceptions.SignatureInvalid), ({"path": "/data/x"}, None, exceptions.TenuoError)):
        with pytest.raises(kind):
            auth.authorize(w, "read_file", args, signature)
    auth.require_clearance("*", Clearance(3))
    assert not auth.check(w, "read_file", {"path": "/data/x"}, good)


def test_revocation() -> None:
    """[C18] a list revokes, the next verifier without it does not."""
    w, now = warrant(), int(time.time())
    srl = SignedRevocationList.builder().version(2).revoke(w.id).build(ROOT)
    assert srl.is_revoked(w.id) and len(srl) == 1 and srl.version == 2 and srl.issuer == ROOT.public_key
    sign = w.sign(HOLDER, "read_file", {"path": "/data/x"}, now)
    plain = Verifier([ROOT.public_key])
    denied, granted = (v.authorize(w, "read_file", {"path": "/data/x"}, sign, as_of=now) for v in (plain.with_revocation(srl), plain))
    assert denied.code == 1800 and not denied.allowed and not denied  # a decision in an `if` is its answer
    assert granted.allowed and granted


def test_context(tmp_path: pathlib.Path) -> None:
    """[A09] [K06] a configuration: roots, keys, and every decision in its audit file."""
    roots, log = tmp_path / "roots.pub", tmp_path / "audit.jsonl"
    roots.write_text(ROOT.public_key.to_pem())
    os.environ["CTX_agent"] = HOLDER.secret_key_bytes().hex()
    ctx = Context.open("temporal", conf_text=f"trust required file path={roots}\nresolver required env prefix=CTX_\naudit required jsonl path={log}\n")
    w, now = warrant(), int(time.time())
    signer = ctx.signer("agent", holder=HOLDER.public_key)
    assert ctx.roots == (ROOT.public_key,) and signer.is_local and ctx.public_key("agent") == HOLDER.public_key and not ctx.may_block
    d = ctx.authorize(w, "read_file", {"path": "/data/x"}, w.sign(signer, "read_file", {"path": "/data/x"}, now), as_of=now)
    assert d.allowed and d.audited == 1
    from tenuo_core.verify import build_request

    assert ctx.record(build_request("t", {}, None), code=1500, reason="no") == 1
    assert [json.loads(line)["decision"] for line in log.read_text().splitlines()] == ["allow", "deny"]
    with pytest.raises(exceptions.KeyNotFound):
        ctx.signer("nobody")
    with pytest.raises(exceptions.WouldBlock):
        ctx.reload().signer("agent", no_io=True)
    with pytest.raises(exceptions.ConfigurationError, match=r"\(memory\):1:1"):
        Context.open(conf_text="nonsense\n")
    with pytest.raises(exceptions.TenuoError):
        ctx.signer("agent\0x")


def test_threads_share_handles() -> None:
    """[L23] one warrant and one verifier in eight threads."""
    w, failures = warrant(), []
    verifier, now = Verifier([ROOT.public_key]), int(time.time())

    def work() -> None:
        for i in range(200):
            args = {"path": f"/data/{i}"}
            if not verifier.authorize(w, "read_file", args, w.sign(HOLDER, "read_file", args, now), as_of=now).allowed:
                failures.append(i)

    threads = [threading.Thread(target=work) for _ in range(8)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    assert not failures


def test_no_growth() -> None:
    """[L23] ten thousand decisions leave no memory behind."""
    w = warrant()

    def some(count: int) -> int:
        for _ in range(count):
            decide(w, "read_file", {"path": "/data/x", })
        gc.collect()
        return int(pathlib.Path("/proc/self/statm").read_text().split()[1]) * resource.getpagesize()

    before = some(1500)
    assert some(6000) - before < 4 << 20


def test_fork() -> None:
    """[L22] a signer made before a fork answers an error in the child, never a wrong signature; the child makes its own."""
    w = warrant()
    pid = os.fork()
    if pid == 0:
        status = 1
        try:
            w.sign(HOLDER, "read_file", {"path": "/data/x"})
        except exceptions.Unavailable:
            fresh = SigningKey.generate()
            status = 0 if len(fresh.sign(b"x")) == 64 and w.tools == ["read_file"] else 2
        os._exit(status)
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0


PURE = """
import os, tenuo
from tenuo_core import _pure
from tenuo_core.verify import matchers
root, holder, child = (tenuo.SigningKey.generate() for _ in range(3))
w = tenuo.Warrant.mint_builder().holder(holder.public_key).capability("read_file", path=tenuo.Subpath("/data"), n=tenuo.Regex("a+")).ttl(600).mint(root)
data, verifier = w.to_bytes(), _pure.Verifier([root.public_key])
def once(i):
    leaf = _pure.Warrant.from_bytes(data)
    args = {"path": "/data/x", "n": "aa"}
    pop = leaf.sign(holder, "read_file", args, w.issued_at)
    assert verifier.authorize(leaf, "read_file", args, pop, as_of=w.issued_at).allowed
    assert verifier.verify_chain([leaf], w.issued_at).allowed and leaf.prevalidate("read_file", ["path", "x"]) == (["x"], ["n"])
    leaf.dedup_key("read_file", args)
    c = leaf.attenuate_builder().retain_tool("read_file").holder(child.public_key).ttl(60).id(bytes(16)).delegate(holder, now=w.issued_at)
    return c.to_bytes() + pop
for i in range(20): once(i)
os.write(2, b"BEGIN-PURE")
same = {once(i) for i in range(20)}
os.write(2, b"END-PURE")
assert len(same) == 1
"""


def test_pure_part_asks_the_system_for_nothing(tmp_path: pathlib.Path) -> None:
    """[X12] [X04] what workflows may use: no file, no randomness, no network, between two marks only memory; and the same bytes each time."""
    import re
    import shutil

    if shutil.which("strace") is None:
        pytest.skip("strace is not installed")
    trace = tmp_path / "trace"
    done = subprocess.run(["strace", "-f", "-o", str(trace), sys.executable, "-P", "-c", PURE], capture_output=True, text=True, timeout=120, check=False)
    if "ptrace" in done.stderr and "not permitted" in done.stderr:
        pytest.skip("strace may not trace here")
    assert done.returncode == 0, done.stderr
    between = trace.read_text(errors="replace").partition("BEGIN-PURE")[2].partition("END-PURE")[0]
    calls = set(re.findall(r"^\d+\s+(\w+)\(", between, re.M)) - {"write"}
    assert calls <= {"brk", "mmap", "munmap", "mremap", "madvise", "mprotect", "mlock", "munlock", "futex", "getpid", "rt_sigprocmask"}, calls


def test_shutdown_is_quiet() -> None:
    """[C14] objects that are alive when the interpreter ends are freed without a word."""
    code = ("import tenuo,time\nk=tenuo.SigningKey.generate()\nw=tenuo.Warrant.mint_builder().tool('t').mint(k)\n"
            "v=tenuo.Verifier([k.public_key])\nkeep=[k,w,v,v.authorize(w,'t',{},w.sign(k,'t',{}),as_of=int(time.time()))]\nimport sys\nsys.keep=keep")
    done = subprocess.run([sys.executable, "-P", "-X", "dev", "-c", code], capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0 and done.stderr == ""


def test_second_import() -> None:
    """[C14] the library bears to be imported a second time in one process."""
    code = ("import tenuo_core, sys\nfor n in [n for n in sys.modules if n.startswith('tenuo_core') and not n.endswith('_native')]: del sys.modules[n]\n"
            "import tenuo_core as again\nprint(len(again.SigningKey.generate().secret_key_bytes()))")
    done = subprocess.run([sys.executable, "-P", "-c", code], capture_output=True, text=True, timeout=60, check=False)
    assert done.stdout.strip() == "32", done.stderr
    assert tenuo_core.__version__ == tenuo.__version__


class LongBytes(bytes):
    """Says that it is longer than it is."""

    def __len__(self) -> int:
        return 1 << 24


class OddText(str):
    def encode(self, *args: Any) -> bytes:  # type: ignore[override]
        return LongBytes(b"x")


class Uneven(dict[str, Any]):
    """More values than keys."""

    def values(self) -> Any:
        return [1] * 100000


class Holds:
    """Not bytes, but says that it is 32 of them."""

    def __bytes__(self) -> bytes:
        return b""

    def __len__(self) -> int:
        return 1 << 24

    def to_bytes(self) -> bytes:
        return b"x"


def test_what_lies_about_its_size() -> None:
    """[O01] [O02] the library is told how many bytes there are, never how many an object says; what is no key is not read as one."""
    import array

    w = warrant()
    data = w.to_bytes()
    assert Warrant.from_bytes(LongBytes(data)) == w
    assert Warrant.from_bytes(memoryview(data)) == w  # type: ignore[arg-type]
    assert w.sign(HOLDER, OddText("read_file"), {}, 1) == w.sign(HOLDER, "read_file", {}, 1)
    assert w.sign(HOLDER, "t", {"a": Uneven(b=1)}, 1) == w.sign(HOLDER, "t", {"a": {"b": 1}}, 1)
    wide = array.array("I", [1, 2, 3, 4])
    assert HOLDER.sign(wide) == HOLDER.sign(wide.tobytes()) and HOLDER.sign(LongBytes(b"m")) == HOLDER.sign(b"m")  # type: ignore[arg-type]
    for read in (Warrant.from_bytes, tenuo_core.SignedApproval.from_bytes, SignedRevocationList.from_bytes, parse_constraint, tenuo_core.parse_chain):
        with pytest.raises(TypeError):
            read(Holds())  # type: ignore[arg-type]
        with pytest.raises(exceptions.TenuoError):
            read(LongBytes(b"\xff"))
    for no_key in (5, True, Holds(), w, HOLDER):
        for use in (lambda k: Warrant.mint_builder().holder(k), lambda k: Warrant.mint_builder().required_approvers([k]), lambda k: Verifier([k]),
                    lambda k: Warrant.mint_builder().tool("t").holder(HOLDER.public_key).prepare(k, 1),
                    lambda k: tenuo_core.compute_request_hash(w.id, "t", {}, k), lambda k: Context.open(conf_text="resolver required env\n",
                                                                                                    keys_only=True).signer("x", holder=k)):
            with pytest.raises(TypeError):
                use(no_key)


def test_paths_end_where_they_say(tmp_path: pathlib.Path) -> None:
    """[O01] a NUL in a path does not name the file before it."""
    key = tmp_path / "agent.key"
    key.write_text(HOLDER.to_pem())
    key.chmod(0o600)
    assert SigningKey.from_file(key).public_key == HOLDER.public_key
    with pytest.raises(exceptions.TenuoError):
        SigningKey.from_file(f"{key}\0.pem")
    with pytest.raises(exceptions.TenuoError):
        Context.open(conf=f"{key}\0")
