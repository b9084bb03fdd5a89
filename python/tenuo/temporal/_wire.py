# SPDX-License-Identifier: Apache-2.0
"""Headers to bytes and back (spec temporal.md 2). Bounded; gzip without a time, so that one warrant always gives the same bytes."""

from __future__ import annotations

import base64
import binascii
import dataclasses
import functools
import json
import logging
import zlib
from collections.abc import Mapping, Sequence
from typing import Any

from temporalio.api.common.v1 import Payload
from tenuo_core._pure import PublicKey, SigningKey, TenuoError, Warrant, decode_warrant_stack_base64, encode_warrant_stack

from . import _constants as c
from .exceptions import ChainValidationError, PopVerificationError, TenuoContextError

logger = logging.getLogger("tenuo.temporal")
Headers = Mapping[str, Any]
START_HEADERS = (c.TENUO_WARRANT_HEADER, c.TENUO_COMPRESSED_HEADER, c.TENUO_KEY_ID_HEADER, c.TENUO_WIRE_FORMAT_HEADER, c.TENUO_CHAIN_HEADER)


@dataclasses.dataclass(frozen=True, slots=True)
class WarrantHeaders:
    """What a run or a call carries: the leaf, its chain root first, and the id of the holder's key."""

    warrant: Warrant
    chain: tuple[Warrant, ...]
    key_id: str


def raw(value: Any) -> bytes:
    """A header's bytes, whether it is a Payload or bytes."""
    data = value.data if isinstance(value, Payload) else value
    return bytes(data)


def payloads(headers: Mapping[str, bytes]) -> dict[str, Payload]:
    """As Temporal carries them: data alone, no metadata."""
    return {name: Payload(data=data) for name, data in headers.items()}


def tenuo_only(headers: Headers) -> dict[str, bytes]:
    """Ours among a call's headers."""
    return {name: raw(value) for name, value in headers.items() if name.startswith(c.PREFIX)}


def carried_on(headers: Mapping[str, bytes]) -> dict[str, bytes]:
    """What a successor of a run gets: what a start may have and no more. Of one that came with a signing key, a warrant that cannot be read:
    the secret goes nowhere, and the successor is denied as the run was."""
    if c.SIGNING_KEY_HEADER in headers:
        return {c.TENUO_WARRANT_HEADER: b""}
    return {name: headers[name] for name in START_HEADERS if name in headers}


def _gzip(data: bytes) -> bytes:
    body = zlib.compressobj(9, zlib.DEFLATED, -zlib.MAX_WBITS)
    packed = body.compress(data) + body.flush()
    return b"\x1f\x8b\x08\x00\x00\x00\x00\x00\x02\xff" + packed + zlib.crc32(data).to_bytes(4, "little") + (len(data) & 0xFFFFFFFF).to_bytes(4, "little")


def _gunzip(data: bytes) -> bytes:
    """At most MAX_WARRANT_BYTES come out, whatever goes in."""
    engine = zlib.decompressobj(16 + zlib.MAX_WBITS)
    out = engine.decompress(data, c.MAX_WARRANT_BYTES + 1)
    if len(out) > c.MAX_WARRANT_BYTES:
        raise ValueError(f"more than {c.MAX_WARRANT_BYTES} bytes when decompressed")
    if not engine.eof or engine.unused_data:
        raise ValueError("not one whole gzip stream")
    return out


def check_key_id(key_id: Any) -> str:
    """A key id is text; a key in its place would end in the history."""
    if not isinstance(key_id, str):
        raise TypeError(f"key_id is the name of a key (str), not {type(key_id).__name__}: keys themselves are never sent")
    if not key_id or len(key_id.encode()) > c.MAX_KEY_ID_BYTES:
        raise ValueError(f"key_id must have 1 to {c.MAX_KEY_ID_BYTES} bytes")
    return key_id


def whole_chain(warrant: Any, warrant_chain: Sequence[Warrant] | None = None) -> tuple[Warrant, ...]:
    """Root first, leaf last: from a Warrant (which may know its chain), a root-first list, or an encoded stack.

    warrant_chain: parents only, or the full chain, whose last element is then the leaf."""
    if isinstance(warrant, str):
        given: Sequence[Warrant] = decode_warrant_stack_base64(warrant)
    elif isinstance(warrant, Warrant):
        given = warrant.chain
    elif isinstance(warrant, (list, tuple)) and warrant and all(isinstance(w, Warrant) for w in warrant):
        given = list(warrant)
    else:
        raise TypeError(f"warrant must be a Warrant, a list of warrants root first, or an encoded stack, not {type(warrant).__name__}")
    if not warrant_chain:
        return tuple(given)
    leaf, parents = given[-1], list(warrant_chain)
    if leaf in parents[:-1]:
        raise TenuoContextError("warrant_chain has the warrant itself before its end: give the parents root first")
    if parents[-1] != leaf:
        parents.append(leaf)
    return tuple(parents)


def encode_headers(warrant: Any, key_id: str, *, chain: Sequence[Warrant] | None = None, compress: bool = True) -> dict[str, bytes]:
    """The headers of a start. The chain goes along when it has more than one warrant."""
    if isinstance(key_id, (SigningKey, PublicKey)):
        check_key_id(key_id)
    name = check_key_id(key_id)
    links = whole_chain(warrant, chain)
    data = links[-1].to_bytes()
    headers = {
        c.TENUO_WARRANT_HEADER: _gzip(data) if compress else data,
        c.TENUO_COMPRESSED_HEADER: b"1" if compress else b"0",
        c.TENUO_KEY_ID_HEADER: name.encode("utf-8"),
        c.TENUO_WIRE_FORMAT_HEADER: c.WIRE_FORMAT,
    }
    if len(links) > 1:
        headers[c.TENUO_CHAIN_HEADER] = encode_warrant_stack(links).encode("ascii")
    return headers


@functools.lru_cache(maxsize=256)
def _leaf(data: bytes, compressed: bool) -> Warrant:
    """A warrant from a header's bytes. Every call of a run brings the same ones; what is remembered is a function of them alone."""
    return Warrant.from_bytes(_gunzip(data) if compressed else data)


@functools.lru_cache(maxsize=64)
def _links(text: bytes) -> tuple[Warrant, ...]:
    return tuple(decode_warrant_stack_base64(text.decode("ascii")))


def _decode_leaf(headers: Headers) -> Warrant:
    data = raw(headers[c.TENUO_WARRANT_HEADER])
    if len(data) > c.MAX_WARRANT_BYTES:
        raise ValueError(f"larger than {c.MAX_WARRANT_BYTES} bytes")
    return _leaf(data, raw(headers.get(c.TENUO_COMPRESSED_HEADER, b"0")) == b"1")


def _decode_chain(text: bytes, leaf: Warrant) -> tuple[Warrant, ...]:
    if len(text) > c.MAX_CHAIN_TEXT_BYTES:
        raise ValueError("the chain is too large")
    chain = _links(text)
    if chain[-1] != leaf:
        raise ValueError("the chain does not end with the warrant")
    return chain


def decode_headers(headers: Headers) -> WarrantHeaders | None:
    """None when there is no warrant. ChainValidationError (depth 0) for one that cannot be read."""
    if c.SIGNING_KEY_HEADER in headers:
        logger.error("a call carries '%s': its sender put a signing key into the history, where it stays; replace that key", c.SIGNING_KEY_HEADER)
        raise ChainValidationError("Failed to deserialize warrant: the call carries a signing key, which is now in the history: replace that key", 0)
    if c.TENUO_WARRANT_HEADER not in headers:
        return None
    try:
        leaf = _decode_leaf(headers)
        chain: tuple[Warrant, ...] = (leaf,)
        if c.TENUO_CHAIN_HEADER in headers:
            chain = _decode_chain(raw(headers[c.TENUO_CHAIN_HEADER]), leaf)
        name = raw(headers.get(c.TENUO_KEY_ID_HEADER, b""))
        key_id = name.decode("utf-8")
        if len(name) > c.MAX_KEY_ID_BYTES:
            raise ValueError(f"the key id has more than {c.MAX_KEY_ID_BYTES} bytes")
    except TenuoError as exc:
        error = ChainValidationError(f"Failed to deserialize warrant: {exc}", 0)
        error.core_code, error.core_name = exc.code, exc.name
        raise error from exc
    except (ValueError, zlib.error, TypeError) as exc:
        raise ChainValidationError(f"Failed to deserialize warrant: {exc}", 0) from exc
    return WarrantHeaders(chain[-1], chain, key_id)


def decode_pop(headers: Headers, activity_name: str) -> bytes:
    """The 64 bytes, from strict base64."""
    if c.TENUO_POP_HEADER not in headers:
        raise PopVerificationError("missing proof of possession", activity_name)
    data = raw(headers[c.TENUO_POP_HEADER])
    try:
        if len(data) != 88:
            raise ValueError
        pop = base64.b64decode(data, validate=True)
    except (ValueError, binascii.Error):
        raise PopVerificationError("the proof of possession is not base64 of 64 bytes", activity_name) from None
    if len(pop) != 64:
        raise PopVerificationError("the proof of possession is not base64 of 64 bytes", activity_name)
    return pop


def encode_pop(pop: bytes) -> bytes:
    return base64.b64encode(pop)


def decode_arg_keys(headers: Headers) -> list[str] | None:
    """Names in argument order; None when the header is absent or no text."""
    if c.TENUO_ARG_KEYS_HEADER not in headers:
        return None
    data = raw(headers[c.TENUO_ARG_KEYS_HEADER])
    if len(data) > c.MAX_ARG_KEYS_BYTES:
        return None
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError:
        return None
    return text.split(",") if text else []


def encode_arg_keys(names: Sequence[str]) -> bytes:
    return ",".join(names).encode("utf-8")


def encode_approvals(approvals: Sequence[Any]) -> bytes:
    """JSON array of base64 of each signed approval."""
    return json.dumps([base64.b64encode(a if isinstance(a, bytes) else a.to_bytes()).decode("ascii") for a in approvals]).encode("ascii")


def decode_approvals(headers: Headers, activity_name: str) -> list[bytes]:
    """The envelopes, undecoded; the library judges them."""
    if c.TENUO_APPROVALS_HEADER not in headers:
        return []
    data = raw(headers[c.TENUO_APPROVALS_HEADER])
    try:
        if len(data) > c.MAX_APPROVALS_BYTES:
            raise ValueError
        texts = json.loads(data.decode("utf-8"))
        if not isinstance(texts, list) or len(texts) > 64 or not all(isinstance(t, str) for t in texts):
            raise ValueError
        return [base64.b64decode(t, validate=True) for t in texts]
    except (ValueError, binascii.Error, RecursionError):
        raise ChainValidationError(f"the approvals of '{activity_name}' are not a JSON array of base64 texts", 0) from None


__all__ = ["WarrantHeaders", "decode_headers", "encode_headers"]
