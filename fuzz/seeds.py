# SPDX-License-Identifier: Apache-2.0
"""seeds.py VECTORS OUT: a seed corpus for every fuzz target from the bytes of the vector files, OUT/TARGET/HASH."""

import base64
import hashlib
import json
import pathlib
import sys


# Payloads of governance.md 11.2: the denial of its vectors, and one with every key.
RECEIPTS = (
    "a900010241800366746f6f6c3a74046464656e79051a6553f10109657265712d320a6f77617272616e742d657870697265640c182a0e5820"
    "fb58d7369d5397bd835e1aad98d81704431990a45bf402e81c974fc1ff27f263",
    "b000010161670241800366746f6f6c3a740465616c6c6f770520066172075820" + "72" * 32 + "085840" + "70" * 64 + "0961690a61780b5820" +
    "01" * 32 + "0c070d5820" + "02" * 32 + "0e5820" + "03" * 32 + "0f5820" + "04" * 32,
)


CEL = b"\x82\x0f\xa1\x6aexpression"
REGEX = b"\x82\x05\xa1\x67pattern"


def part(data):
    return len(data).to_bytes(2, "big") + data


def expression(constraint, head=CEL):
    """The text of an expression of less than 256 bytes."""
    body = constraint[len(head):]
    return body[1:] if body[:1] < b"\x78" else body[2:]


def seeds(case):
    kind = case["kind"]
    raw = {k: bytes.fromhex(case[k]) for k in ("input", "stack", "warrant", "constraint", "value", "parent", "child", "args", "witness")
           if isinstance(case.get(k), str) and all(c in "0123456789abcdef" for c in case[k]) and len(case[k]) % 2 == 0}
    if kind in ("warrant", "pop"):
        yield "warrant", raw.get("input") or raw.get("warrant", b"")
        yield "ask", ask(raw.get("warrant", b""), **({"holder_signature": "A" * 86} if kind == "pop" else {"request_id": "x"}))
    if kind in ("stack", "authorize"):
        yield "stack", raw.get("input") or raw.get("stack", b"")
    if kind == "match" and {"constraint", "value"} <= raw.keys():
        yield "constraint", part(raw["constraint"]) + raw["value"]
        if raw["constraint"].startswith(REGEX):
            yield "regex", b"\0" + part(expression(raw["constraint"], REGEX)) + raw["value"][1:]
    for parent, child in (("constraint", "constraint"), ("parent", "child")):
        if all(raw.get(k, b"").startswith(CEL) for k in (parent, child)):
            yield "cel", b"\3" + part(expression(raw[parent])) + expression(raw[child])
    if kind == "attenuate" and {"parent", "child"} <= raw.keys():
        yield "subset", b"\0" + part(raw["parent"]) + part(raw["child"]) + raw.get("witness", b"\x61a")
    if kind == "approval_envelope":
        yield "approval", bytes.fromhex(case["approval"])
    if case.get("approvals"):
        envelopes = [bytes.fromhex(a) for a in case["approvals"]]
        yield "approval", bytes([0x80 + min(len(envelopes), 23)]) + b"".join(envelopes[:23])
        yield "approval", json.dumps([base64.b64encode(a).decode() for a in envelopes]).encode()
        yield "approval", base64.urlsafe_b64encode(envelopes[0]).rstrip(b"=")
    if "args" in raw:
        yield "args", raw["args"]
    if "value" in raw:
        yield "args", raw["value"]
    for step in [case, *case.get("steps", [])]:
        if step.get("srl"):
            yield "srl", bytes.fromhex(step["srl"])
    if kind in ("warrant_text", "chain_text"):
        yield "stack", case["text"].encode()
    elif "text" in case:
        yield "text", case["text"].encode()


def ask(warrant, **more):
    """A request for approval as `tenuo request` writes it; its hash is of no call."""
    return json.dumps({"schema": "tenuo-approval-request/1", "warrant_id": "tnu_wrt_" + "0" * 32, "tool": "t", "args": {"a": [1, 1.5, "x", None]},
                       "request_hash": "00" * 32, "required_approvers": ["iojj3XQJ8ZX9UtstPLpdcspnCb8dlBIb83SIAbQPb1w"], "min_approvals": 1,
                       "warrant_expires_at": 1893459600, "message": "m", "warrant": base64.urlsafe_b64encode(warrant).rstrip(b"=").decode(),
                       **more}).encode()


def tpm2():
    """Sealed keys: without a policy, with PCRs and a value, and as tpm2_encodeobject and older tools write them."""
    def tlv(tag, data):
        n = len(data)
        return bytes([tag]) + (bytes([n]) if n < 128 else b"\x81" + bytes([n]) if n < 256 else b"\x82" + n.to_bytes(2, "big")) + data

    def statement(code, body):
        return tlv(0x30, tlv(0xa0, tlv(2, code)) + tlv(0xa1, tlv(4, body)))

    pcrs = bytes.fromhex("00000001000b03810000")
    bound = statement(b"\x01\x7f", b"\0\x20" + bytes(32) + pcrs) + statement(b"\x01\x6b", b"")
    older = statement(b"\x01\x7f", pcrs + bytes(32))
    public, private = bytes.fromhex("002e0008000b00000452000000100020") + bytes(32), b"\0\x9e" + bytes(158)
    for kind, fields, parent in ((5, tlv(0xa0, b"\1\1\xff"), b"\x40\0\0\1"), (5, tlv(0xa1, tlv(0x30, bound)), b"\0\x81\0\0\1"),
                                 (3, tlv(0xa0, b"\1\1\0"), b"\x40\0\0\1"), (3, tlv(0xa1, tlv(0x30, older)), b"\x40\0\0\x0b")):
        yield tlv(0x30, bytes.fromhex("06066781050a01") + bytes([kind]) + fields + tlv(2, parent) + tlv(4, public) + tlv(4, private))


def keep(out, target, data):
    folder = out / target
    folder.mkdir(parents=True, exist_ok=True)
    if 0 < len(data) <= 65536:
        (folder / hashlib.sha256(data).hexdigest()[:16]).write_bytes(data)


def written():
    """Seeds that no vector has."""
    header = b"# tenuo: version floor of revocation lists; see tenuo.conf(5)\n"
    line = b"%064x 7 %064x\n"
    for count in (0, 1, 3):
        yield "floor", header + b"".join(line % (n, n) for n in range(count))
    yield "floor", header + line % (1, 1) * 2
    key, signature = b"\x82\x01\x58\x20" + bytes.fromhex("8a88e3dd7409f195fd52db2d3cba5d72ca6709bf1d94121bf3748801b40f6f5c"), b"\x82\x01\x58\x40" + bytes(64)
    yield "srl", (b"\xa5\x6awarrant_id\x78\x28tnu_wrt_" + b"0" * 32 + b"\x66reason\x63why\x69requestor" + key +
                  b"\x6crequested_at\x742030-01-01T00:00:00Z\x69signature" + signature)
    yield "http_body", b'{"srl": "omdwYXlsb2Fk", "version": 42}'
    yield "http_body", b' {"version": 1, "srl": "****"}'
    yield "http_body", b'{"srl": [[[1, 2], {}], {"srl": ""}]}'
    yield "http_body", bytes.fromhex("a2677061796c6f6164a0")
    yield "json", b'{"data":{"data":{"key":"AAAA\\/\\u00e9\\ud83d\\ude00"},"metadata":{"version":3,"destroyed":false}},"warnings":null}'
    yield "json", b' {"keys":{"1":{"public_key":"eA=="}},"list":[1,-2.5e3,true,"x",[],{}],"a":1,"a":2} '
    yield "json", b'{"errors":["no handler for route"]}'
    for data in tpm2():
        yield "tpm2", b"\1" + data
        yield "tpm2", b"\0-----BEGIN TSS2 PRIVATE KEY-----\n" + base64.encodebytes(data) + b"-----END TSS2 PRIVATE KEY-----\n"
    yield "tpm2", b"\2sha256:0,7,23"
    yield "aws", b"\0[default]\naws_access_key_id = AKIA\r\n aws_secret_access_key=x/y+z\naws_session_token =t==\n[other]\nrole_arn=r\n"
    yield "aws", b'\1{"__type": "com.amazonaws.kms#DisabledException:http://x", "message": "expired"}'
    yield "aws", b"\1<ErrorResponse><Errors><Error><Code>AccessDenied</Code></Error></Errors></ErrorResponse>"
    yield "aws", b'\1{"__type": "InvalidRequestException", "Message": "marked for deletion"}'
    yield "aws", b'\2{"VersionIdsToStages": {"tenuo-12-' + b"A" * 43 + b'": ["AWSPENDING", "AWSCURRENT"], "x": []}}'
    for entry in (b"k", b"k@3", b"k@1", b"other@7"):
        yield "stored", b"".join(len(n).to_bytes(2, "big") + n for n in (b"k", b"k@9", b"k@64", entry))
        yield "stored", (320).to_bytes(4, "little") + entry.ljust(129, b"\0") + bytes(200)
    info = b"# Server\r\nuptime_in_seconds:100\r\nmaxmemory_policy:noeviction\r\nrole:master\r\n"
    for answer in (b"+OK\r\n", b"$-1\r\n", b"-READONLY no\r\n", b":1\r\n", b"*1\r\n+OK\r\n"):
        yield "redis", b"$%d\r\n%s\r\n" % (len(info), info) + answer
    yield "redis", b"$%d\r\n%s\r\n" % (len(info) - 1, info.replace(b"master", b"slave"))


def main():
    out = pathlib.Path(sys.argv[2])
    for payload in RECEIPTS:
        keep(out, "receipt", bytes.fromhex(payload))
    for target, data in written():
        keep(out, target, data)
    for path in sorted(pathlib.Path(sys.argv[1]).glob("*.jsonl")):
        for line in filter(None, path.read_text(encoding="utf-8").split("\n")):
            for target, data in seeds(json.loads(line)):
                keep(out, target, data)


if __name__ == "__main__":
    main()
