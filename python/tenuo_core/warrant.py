# SPDX-License-Identifier: Apache-2.0
"""Warrants: what they say, how they travel, and the proof of possession for a call (include/tenuo/warrant.h, request.h).

A Warrant is one warrant together with the chain that it was made or read with. It is well formed, not trusted: only a Verifier decides.
Immutable and shareable between threads. Times are Unix seconds.
"""

from __future__ import annotations

import datetime
import enum
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from . import errors
from ._ffi import NULL, blob, call, encoded, exact, ffi, lent_bytes, lent_text, lib, sized, text, utf8
from .keys import PublicKey, Signer
from .values import Args, args_handle

if TYPE_CHECKING:
    from .constraints import Constraint
    from .mint import AttenuationBuilder, IssuanceBuilder, MintBuilder

# What `sign` asks for the time when the caller gives none; tenuo.temporal refuses inside a workflow, where the clock is not its own.
clock_guard: Callable[[], None] | None = None


class WarrantType(enum.Enum):
    Execution = "execution"
    Issuer = "issuer"


class Clearance:
    """A clearance level, 0 to 255, with the protocol's words (spec governance.md 9)."""

    __slots__ = ("level",)
    level: int

    def __init__(self, value: int | str | Clearance) -> None:
        if isinstance(value, Clearance):
            level = value.level
        else:
            data = utf8(str(value), "a clearance")
            out = ffi.new("uint8_t *")
            call(lib.tenuo_clearance_parse, data, len(data), out)
            level = int(out[0])
        object.__setattr__(self, "level", level)

    def __setattr__(self, name: str, value: object) -> None:
        raise AttributeError("a clearance does not change")

    @classmethod
    def custom(cls, level: int) -> Clearance:
        return cls(level)

    def meets(self, required: Clearance) -> bool:
        return self.level >= required.level

    def value(self) -> int:
        return self.level

    def __eq__(self, other: object) -> bool:
        return self.level == other.level if isinstance(other, Clearance) else NotImplemented

    def __hash__(self) -> int:
        return hash(self.level)

    def __repr__(self) -> str:
        word = lib.tenuo_clearance_name(self.level)
        return f"Clearance({text(word) if word != NULL else self.level})"


def _iso(when: int) -> str:
    """RFC 3339 in UTC; a time beyond the calendar as its number."""
    try:
        return datetime.datetime.fromtimestamp(when, datetime.timezone.utc).isoformat()
    except (OverflowError, ValueError, OSError):
        return str(when)


class Warrant:
    """One warrant. `Warrant(token)` reads any text form; from_bytes the binary one."""

    __slots__ = ("_stack", "_index", "_w")
    _stack: Any
    _index: int
    _w: Any

    def __new__(cls, token: str | bytes) -> Warrant:
        data = blob(token, "a warrant") if isinstance(token, (bytes, bytearray)) else utf8(token, "a warrant")
        return _leaf(_parse(lib.tenuo_stack_parse_any, data))

    @classmethod
    def from_bytes(cls, data: bytes) -> Warrant:
        """One binary warrant of at most 65536 bytes. DeserializationError, SignatureInvalid ..."""
        return _leaf(_parse(lib.tenuo_stack_parse_single, blob(data, "a warrant")))

    @classmethod
    def from_base64(cls, form: str) -> Warrant:
        """base64url of one warrant."""
        return _leaf(_parse(lib.tenuo_stack_parse_warrant_text, utf8(form, "a warrant")))

    # --- forms ---

    def to_bytes(self) -> bytes:
        return encoded(lib.tenuo_warrant_encode, self._w, lib.TENUO_FORM_CBOR)

    def to_base64(self) -> str:
        return encoded(lib.tenuo_warrant_encode, self._w, lib.TENUO_FORM_BASE64URL).decode("ascii")

    def to_pem(self) -> str:
        return encoded(lib.tenuo_warrant_encode, self._w, lib.TENUO_FORM_PEM).decode("ascii")

    # --- what it says ---

    @property
    def id(self) -> str:
        """The id's text: "tnu_wrt_" and 32 hex digits."""
        buffer = ffi.new("char[]", lib.TENUO_WARRANT_ID_TEXT_BYTES)
        lib.tenuo_warrant_id_text(lib.tenuo_warrant_id(self._w), buffer)
        return text(buffer)

    @property
    def id_hex(self) -> str:
        return sized(lib.tenuo_warrant_id(self._w), 16).hex()

    @property
    def warrant_type(self) -> WarrantType:
        return WarrantType.Issuer if lib.tenuo_warrant_get_type(self._w) == lib.TENUO_ISSUER else WarrantType.Execution

    @property
    def authorized_holder(self) -> PublicKey:
        return PublicKey._trusted(sized(lib.tenuo_warrant_holder(self._w), 32))

    holder_key = authorized_holder
    holder = authorized_holder

    @property
    def issuer(self) -> PublicKey:
        return PublicKey._trusted(sized(lib.tenuo_warrant_issuer(self._w), 32))

    @property
    def issued_at(self) -> int:
        return int(lib.tenuo_warrant_issued_at(self._w))

    @property
    def expires_at_unix(self) -> int:
        return int(lib.tenuo_warrant_expires_at(self._w))

    def expires_at(self) -> str:
        """RFC 3339 text."""
        return _iso(self.expires_at_unix)

    def expires_at_datetime(self) -> datetime.datetime | None:
        """None for a time that the calendar does not have."""
        try:
            return datetime.datetime.fromtimestamp(self.expires_at_unix, datetime.timezone.utc)
        except (OverflowError, ValueError, OSError):
            return None

    def is_expired(self) -> bool:
        """By this machine's clock."""
        return time.time() >= self.expires_at_unix

    def ttl_seconds(self) -> int:
        """Seconds left by this machine's clock; 0 when it is over."""
        return max(0, int(self.expires_at_unix - time.time()))

    @property
    def depth(self) -> int:
        return int(lib.tenuo_warrant_depth(self._w))

    @property
    def max_depth(self) -> int:
        return int(lib.tenuo_warrant_max_depth(self._w))

    def is_terminal(self) -> bool:
        """Nothing may be delegated from it."""
        return self.depth >= self.max_depth

    @property
    def max_issue_depth(self) -> int | None:
        depth = int(lib.tenuo_warrant_max_issue_depth(self._w))
        return None if depth < 0 else depth

    @property
    def parent_hash(self) -> bytes | None:
        pointer = lib.tenuo_warrant_parent_hash(self._w)
        return None if pointer == NULL else sized(pointer, 32)

    @property
    def payload_bytes(self) -> bytes:
        return lent_bytes(lib.tenuo_warrant_payload, self._w) or b""

    @property
    def signature(self) -> bytes:
        return sized(lib.tenuo_warrant_signature(self._w), 64)

    @property
    def clearance(self) -> Clearance | None:
        level = int(lib.tenuo_warrant_clearance(self._w))
        return None if level < 0 else Clearance(level)

    @property
    def session_id(self) -> str | None:
        return lent_text(lib.tenuo_warrant_session_id, self._w)

    def agent_id(self) -> str | None:
        return lent_text(lib.tenuo_warrant_agent_id, self._w)

    @property
    def tools(self) -> list[str] | None:
        """Names in byte order; None for an issuer warrant."""
        count = lib.tenuo_warrant_tool_count(self._w)
        if self.warrant_type is WarrantType.Issuer:
            return None
        return [lent_text(lib.tenuo_warrant_tool_name, self._w, i) or "" for i in range(count)]

    @property
    def issuable_tools(self) -> list[str] | None:
        count = lib.tenuo_warrant_issuable_count(self._w)
        if self.warrant_type is WarrantType.Execution:
            return None
        return [lent_text(lib.tenuo_warrant_issuable_name, self._w, i) or "" for i in range(count)]

    @property
    def capabilities(self) -> dict[str, dict[str, Constraint]]:
        """Constraints by tool and argument, copied out of the warrant."""
        from .constraints import constraints_of_set

        return {name: constraints_of_set(lib.tenuo_warrant_tool_set(self._w, i)) for i, name in enumerate(self.tools or [])}

    def constrained_fields(self, tool: str) -> list[str]:
        """Names of the arguments that the tool's capability (or that of "*") constrains; nothing of the constraints is decoded."""
        names = self.tools or []
        index = next((i for wanted in (tool, "*") for i, name in enumerate(names) if name == wanted), None)
        if index is None:
            return []
        handle = lib.tenuo_warrant_tool_set(self._w, index)
        name, length = ffi.new("char **"), ffi.new("size_t *")
        found = []
        for i in range(lib.tenuo_constraint_set_count(handle)):
            lib.tenuo_constraint_set_get(handle, i, name, length)
            found.append(sized(name[0], length[0]).decode("utf-8", "replace"))
        return found

    def allows_unknown(self, tool: str) -> bool:
        """Does the tool's set, if it has constraints at all, let other arguments through?"""
        for i, name in enumerate(self.tools or []):
            if name == tool:
                return bool(lib.tenuo_constraint_set_allows_unknown(lib.tenuo_warrant_tool_set(self._w, i)))
        return False

    def constraint_bounds_dict(self) -> dict[str, Constraint] | None:
        from .constraints import constraints_of_set

        pointer = lib.tenuo_warrant_bounds(self._w)
        return None if pointer == NULL else constraints_of_set(pointer)

    def required_approvers(self) -> list[PublicKey] | None:
        count = lib.tenuo_warrant_approver_count(self._w)
        return [PublicKey._trusted(sized(lib.tenuo_warrant_approver(self._w, i), 32)) for i in range(count)] or None

    def min_approvals(self) -> int | None:
        count = int(lib.tenuo_warrant_min_approvals(self._w))
        return None if count < 0 else count

    def approval_threshold(self) -> int:
        return int(lib.tenuo_warrant_approval_threshold(self._w))

    def requires_multisig(self) -> bool:
        return self.required_approvers() is not None

    def extension(self, key: str) -> bytes | None:
        data = utf8(key, "the key of an extension")
        return lent_bytes(lib.tenuo_warrant_extension, self._w, data, len(data))

    def extensions(self) -> dict[str, bytes]:
        return {lent_text(lib.tenuo_warrant_extension_key, self._w, i) or "": lent_bytes(lib.tenuo_warrant_extension_value, self._w, i) or b""
                for i in range(lib.tenuo_warrant_extension_count(self._w))}

    # --- chain ---

    @property
    def chain(self) -> tuple[Warrant, ...]:
        """The warrants from the root to this one, as far as they came with it."""
        return tuple(_at(self._stack, i) for i in range(self._index + 1))

    @property
    def has_whole_chain(self) -> bool:
        """Did every warrant up to a root come with it?"""
        return self.chain[0].depth == 0 and self.chain[0].parent_hash is None

    # --- calls ---

    def sign(self, key: Signer, tool: str, args: Mapping[str, Any] | Args | None, timestamp: int | None = None) -> bytes:
        """Proof of possession for one call: 64 bytes over the tool, the arguments and the 30-second window of `timestamp` (Unix seconds;
        default: now). HolderMismatch when the key is not the holder's. In a workflow the time must be given: workflow.now()."""
        if timestamp is None:
            if clock_guard is not None:
                clock_guard()
            timestamp = int(time.time())
        name = utf8(tool, "a tool")
        out = ffi.new("uint8_t[64]")
        call(lib.tenuo_pop_sign, key._handle, self._w, name, len(name), args_handle(args), int(timestamp), out)
        return bytes(out)

    def pop_preimage(self, tool: str, args: Mapping[str, Any] | Args | None, timestamp: int) -> bytes:
        """The preimage: "tenuo-pop-v1" and the challenge; the signed message has the outer prefix before it."""
        from ._ffi import allocated

        name = utf8(tool, "a tool")
        return allocated(lib.tenuo_pop_preimage, self._w, name, len(name), args_handle(args), int(timestamp))

    def verify_pop(self, tool: str, args: Mapping[str, Any] | Args | None, signature: bytes, as_of: int, windows: int = 5) -> None:
        """Raises SignatureInvalid (1100) unless the holder signed this call within the windows around `as_of`. No authorization."""
        name = utf8(tool, "a tool")
        call(lib.tenuo_pop_verify, self._w, name, len(name), args_handle(args), exact(signature, 64, "a signature"), int(as_of), windows)

    def dedup_key(self, tool: str, args: Mapping[str, Any] | Args | None) -> str:
        """64 hex digits under which repetitions of the call are recognised."""
        name = utf8(tool, "a tool")
        out = ffi.new("char[65]")
        call(lib.tenuo_pop_dedup_key, self._w, name, len(name), args_handle(args), out)
        return text(out)

    @staticmethod
    def dedup_ttl_secs() -> int:
        return 150

    def prevalidate(self, tool: str, names: Iterable[str]) -> tuple[list[str], list[str]]:
        """Can these argument names pass at all? (unknown, missing). ToolNotAuthorized when the warrant does not name the tool."""
        wanted = list(names)
        data = [utf8(n, "the name of an argument") for n in wanted]
        texts = [ffi.from_buffer("char[]", d) for d in data]
        name = utf8(tool, "a tool")
        out = ffi.new("struct tenuo_prevalidation **")
        call(lib.tenuo_warrant_prevalidate, self._w, name, len(name), ffi.new("char *[]", texts), ffi.new("size_t[]", [len(d) for d in data]),
             len(data), out)
        result = ffi.gc(out[0], lib.tenuo_prevalidation_free)
        unknown = [wanted[lib.tenuo_prevalidation_unknown(result, i)] for i in range(lib.tenuo_prevalidation_unknown_count(result))]
        missing = [lent_text(lib.tenuo_prevalidation_missing, result, i) or "" for i in range(lib.tenuo_prevalidation_missing_count(result))]
        return unknown, missing

    # --- making others ---

    @staticmethod
    def mint_builder() -> MintBuilder:
        """A new root."""
        from .mint import MintBuilder

        return MintBuilder()

    def attenuate_builder(self) -> AttenuationBuilder:
        """A narrower child of the same type."""
        from .mint import AttenuationBuilder

        return AttenuationBuilder(self)

    grant_builder = attenuate_builder

    def issue_execution(self) -> IssuanceBuilder:
        """An execution warrant from this issuer warrant."""
        from .mint import IssuanceBuilder

        return IssuanceBuilder(self)

    def __eq__(self, other: object) -> bool:
        return self.to_bytes() == other.to_bytes() if isinstance(other, Warrant) else NotImplemented

    def __hash__(self) -> int:
        return hash(self.signature)

    def __repr__(self) -> str:
        return f"Warrant(id={self.id}, depth={self.depth}, expires_at={self.expires_at()})"

    def __reduce__(self) -> tuple[Any, ...]:
        return (_restore, (chain_bytes(self.chain),))


def _parse(function: Any, data: bytes) -> Any:
    out = ffi.new("struct tenuo_stack **")
    call(function, data, len(data), out)
    return ffi.gc(out[0], lib.tenuo_stack_free)


def _at(stack: Any, index: int) -> Warrant:
    self = object.__new__(Warrant)
    self._stack, self._index = stack, index
    self._w = lib.tenuo_stack_warrant(stack, index)
    return self


def _leaf(stack: Any) -> Warrant:
    return _at(stack, lib.tenuo_stack_length(stack) - 1)


def _restore(data: bytes) -> Warrant:
    return parse_chain(data)[-1]


def join(warrants: Sequence[Warrant]) -> Any:
    """A stack handle for a chain, root first; that of the warrants themselves when they are all of one already."""
    if not warrants:
        raise errors.ValidationError("a chain needs at least one warrant")
    first = warrants[0]._stack
    if all(w._stack is first and w._index == i for i, w in enumerate(warrants)) and lib.tenuo_stack_length(first) == len(warrants):
        return first
    out = ffi.new("struct tenuo_stack **")
    call(lib.tenuo_stack_join, ffi.new("struct tenuo_warrant *[]", [w._w for w in warrants]), len(warrants), out)
    return ffi.gc(out[0], lib.tenuo_stack_free)


def chain_bytes(warrants: Sequence[Warrant]) -> bytes:
    """The chain as one binary stack, root first."""
    return encoded(lib.tenuo_stack_encode, join(warrants), lib.TENUO_FORM_STACK)


def parse_chain(data: bytes) -> tuple[Warrant, ...]:
    """A binary stack or a single binary warrant, of at most 256 KiB."""
    return _leaf(_parse(lib.tenuo_stack_parse, blob(data, "a chain"))).chain


def encode_warrant_stack(warrants: Sequence[Warrant]) -> str:
    """base64url without padding of the chain, always as an array."""
    import base64

    return base64.urlsafe_b64encode(chain_bytes(warrants)).rstrip(b"=").decode("ascii")


def decode_warrant_stack_base64(form: str) -> list[Warrant]:
    """base64url of a stack, root first."""
    return list(_leaf(_parse(lib.tenuo_stack_parse_any, utf8(form, "a chain"))).chain)
