# SPDX-License-Identifier: Apache-2.0
"""The pure decision (include/tenuo/verify.h): no input or output, no clock, no randomness; time comes in.

A Verifier never changes: new roots or a new revocation list make a new one, and the old one stays valid for whoever still uses it.
"""

from __future__ import annotations

import dataclasses
import functools
import os
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from . import errors
from ._ffi import NULL, blob, call, cstring, exact, ffi, lib, sized, text, utf8
from .keys import PublicKey, key_bytes
from .values import Args, args_handle
from .warrant import Clearance, Warrant, join

if TYPE_CHECKING:
    from .approval import SignedApproval
    from .revocation import SignedRevocationList

Chain = Warrant | Sequence[Warrant] | bytes
Arguments = Mapping[str, Any] | Args | None


def plugin_dir() -> str | None:
    """The plugins inside the package, links resolved; None when the system's are meant."""
    inside = os.path.join(os.path.dirname(os.path.abspath(__file__)), "plugins")
    return os.path.realpath(inside) if os.path.isdir(inside) else None


@functools.cache
def matchers() -> Any:
    """Regex and Cel, when they are installed: opened once, at the first use outside of decisions."""
    folder = plugin_dir()
    out = ffi.new("struct tenuo_matchers **")
    call(lib.tenuo_matchers_open, NULL if folder is None else os.fsencode(folder), NULL, 0, out)
    return ffi.gc(out[0], lib.tenuo_matchers_unref)


@dataclasses.dataclass(frozen=True, slots=True)
class ApprovalWanted:
    """What an approver is shown about a call that needs approval (spec governance.md 5). Not signed by itself."""

    request_hash: bytes
    warrant_id: str
    tool: str
    approvers: tuple[PublicKey, ...]
    threshold: int
    message: str
    warrant_expires_at: int


@dataclasses.dataclass(frozen=True, slots=True)
class Decision:
    """One answer. `code` is 0 on allow; `reason` names the place, never a value."""

    allowed: bool
    code: int
    name: str
    precise_code: int
    reason: str
    step: str
    field: str
    link: int
    tool: str
    chain_ids: tuple[str, ...]
    root_key: PublicKey | None
    holder: PublicKey | None
    leaf_depth: int
    expires_at: int
    request_hash: bytes | None
    approved_by: tuple[PublicKey, ...]
    approvals_required: int
    approval_request: ApprovalWanted | None
    id: str
    audited: int
    would_deny: bool = False
    handle: Any = dataclasses.field(default=None, repr=False, compare=False)

    @property
    def warrant_id(self) -> str | None:
        return self.chain_ids[-1] if self.chain_ids else None

    def __bool__(self) -> bool:
        """May the call go on? So that `if ctx.authorize(...)` is no yes to a denial."""
        return self.allowed

    def raise_denial(self) -> None:
        """Raises the class of the code unless the call is allowed."""
        if not self.allowed:
            errors.raise_code(self.code, self.reason)


def _keys(count: int, get: Any, handle: Any) -> tuple[PublicKey, ...]:
    return tuple(PublicKey._trusted(sized(get(handle, i), 32)) for i in range(count))


def _optional_key(pointer: Any) -> PublicKey | None:
    return None if pointer == NULL else PublicKey._trusted(sized(pointer, 32))


def approval_wanted(pointer: Any) -> ApprovalWanted | None:
    """A copy of an approval request of the library."""
    if pointer == NULL:
        return None
    view = ffi.new("struct tenuo_approval_request_view *")
    view.size = ffi.sizeof("struct tenuo_approval_request_view")
    lib.tenuo_approval_request_get(pointer, view)
    return ApprovalWanted(
        request_hash=sized(view.request_hash, 32),
        warrant_id=text(view.warrant_id),
        tool=sized(view.tool, view.tool_len).decode("utf-8", "replace"),
        approvers=tuple(PublicKey._trusted(sized(view.approvers[i], 32)) for i in range(view.approver_count)),
        threshold=int(view.threshold),
        message=sized(view.message, view.message_len).decode("utf-8", "replace"),
        warrant_expires_at=int(view.warrant_expires_at),
    )


def read_decision(handle: Any) -> Decision:
    """Everything that a decision of the library says; the handle goes along for records."""
    outcome = lib.tenuo_decision_outcome(handle)
    allowed = outcome != lib.TENUO_DENY
    digest = lib.tenuo_decision_request_hash(handle)
    return Decision(
        allowed=allowed,
        would_deny=outcome == lib.TENUO_WOULD_DENY,
        code=int(lib.tenuo_decision_code(handle)),
        name=text(lib.tenuo_decision_name(handle)),
        precise_code=int(lib.tenuo_decision_precise_code(handle)),
        reason=text(lib.tenuo_decision_reason(handle)),
        step=text(lib.tenuo_step_name(lib.tenuo_decision_step(handle))),
        field=text(lib.tenuo_decision_field(handle)),
        link=int(lib.tenuo_decision_link(handle)),
        tool=text(lib.tenuo_decision_tool(handle)),
        chain_ids=tuple(text(lib.tenuo_decision_chain_id(handle, i)) for i in range(lib.tenuo_decision_chain_length(handle))),
        root_key=_optional_key(lib.tenuo_decision_root_key(handle)),
        holder=_optional_key(lib.tenuo_decision_holder(handle)),
        leaf_depth=int(lib.tenuo_decision_leaf_depth(handle)),
        expires_at=int(lib.tenuo_decision_expires_at(handle)),
        request_hash=None if digest == NULL else sized(digest, 32),
        approved_by=_keys(lib.tenuo_decision_approved_count(handle), lib.tenuo_decision_approved_by, handle),
        approvals_required=int(lib.tenuo_decision_approvals_required(handle)),
        approval_request=approval_wanted(lib.tenuo_decision_approval_request(handle)),
        id=text(lib.tenuo_decision_id(handle)),
        audited=int(lib.tenuo_decision_audited(handle)),
        handle=handle,
    )


def build_request(tool: str, args: Arguments, signature: bytes | None, *, approvals: Iterable[SignedApproval | bytes] = (),
                  pop_as_of: int | None = None, pop_bound: int = 0, constraint_args: Arguments = None, request_id: str | None = None,
                  attributes: Mapping[str, str] | None = None, retry: bool = False) -> Any:
    """A request of the library (spec warrant.md 7). `pop_bound` (seconds) comes from the guarding program, never with the call."""
    name = utf8(tool, "a tool")
    out = ffi.new("struct tenuo_request **")
    call(lib.tenuo_request_new, name, len(name), out)
    request = ffi.gc(out[0], lib.tenuo_request_free)
    call(lib.tenuo_request_set_args, request, args_handle({} if args is None else args))
    if constraint_args is not None:
        call(lib.tenuo_request_set_constraint_args, request, args_handle(constraint_args))
    if signature is not None:
        lib.tenuo_request_set_pop(request, exact(signature, 64, "a proof of possession"))
    if pop_as_of is not None:
        lib.tenuo_request_set_pop_as_of(request, int(pop_as_of), int(pop_bound))
    for approval in approvals:
        data = blob(approval if isinstance(approval, bytes) else approval.to_bytes(), "an approval")
        call(lib.tenuo_request_add_approval, request, data, len(data))
    if request_id is not None:
        call(lib.tenuo_request_set_id, request, cstring(request_id, "a request id"))
    if retry:
        lib.tenuo_request_set_retry(request)
    for key, value in (attributes or {}).items():
        call(lib.tenuo_request_add_attribute, request, cstring(key, "an attribute"), cstring(value, "an attribute's value"))
    return request


def stack_of(chain: Chain) -> Any:
    """The stack handle of a chain: a warrant brings the chain that it knows."""
    if isinstance(chain, Warrant):
        return join(chain.chain)
    if isinstance(chain, (bytes, bytearray)):
        raise TypeError("bytes are decided as they are")
    return join(list(chain))


class Verifier:
    """Roots and policy, ready to decide. Immutable; any number of threads.

    roots: trusted keys. clearance: minimum level by tool, `prefix*` or `*`. revocation: a signed list, or several; judged with no freshness
    bound of its own. clock_tolerance: seconds that an issue time may lie ahead. pop_windows: 30-second windows, 1..10.
    max_chain: warrants of a chain. max_lifetime: seconds. self_approval: may the holder approve its own calls?
    """

    __slots__ = ("_handle", "_roots")
    _handle: Any
    _roots: tuple[PublicKey, ...]

    def __init__(self, roots: Iterable[PublicKey], *, clearance: Mapping[str, Clearance | int | str] | None = None,
                 revocation: SignedRevocationList | Sequence[SignedRevocationList] | None = None, clock_tolerance: int = 30,
                 pop_windows: int = 5, max_chain: int = 65, max_lifetime: int | None = None, self_approval: bool = False,
                 strict_gates: bool = False, link_cache: int = 4096, use_matchers: bool = True) -> None:
        out = ffi.new("struct tenuo_verifier_builder **")
        call(lib.tenuo_verifier_builder_new, out)
        builder = ffi.gc(out[0], lib.tenuo_verifier_builder_free)
        self._roots = tuple(roots)
        for root in self._roots:
            call(lib.tenuo_verifier_builder_add_root, builder, key_bytes(root, "a root"))
        for pattern, level in (clearance or {}).items():
            data = utf8(pattern, "a tool pattern")
            call(lib.tenuo_verifier_builder_require_clearance, builder, data, len(data), Clearance(level).level)
        lib.tenuo_verifier_builder_set_clock_tolerance(builder, clock_tolerance)
        lib.tenuo_verifier_builder_set_pop_windows(builder, pop_windows)
        lib.tenuo_verifier_builder_set_max_chain(builder, max_chain)
        lib.tenuo_verifier_builder_set_link_cache(builder, link_cache)
        lib.tenuo_verifier_builder_set_self_approval(builder, self_approval)
        lib.tenuo_verifier_builder_set_strict_gates(builder, strict_gates)
        if max_lifetime is not None:
            lib.tenuo_verifier_builder_set_max_lifetime(builder, max_lifetime)
        if use_matchers:
            lib.tenuo_verifier_builder_set_matchers(builder, matchers())
        if revocation is not None:
            lib.tenuo_verifier_builder_set_revocation(builder, _revocation(revocation))
        built = ffi.new("struct tenuo_verifier **")
        call(lib.tenuo_verifier_builder_build, builder, built)
        self._handle = ffi.gc(built[0], lib.tenuo_verifier_unref)

    @classmethod
    def _from_handle(cls, handle: Any, roots: tuple[PublicKey, ...]) -> Verifier:
        self = object.__new__(cls)
        self._handle, self._roots = handle, roots
        return self

    @property
    def roots(self) -> tuple[PublicKey, ...]:
        return self._roots

    @property
    def roots_hash(self) -> bytes:
        """SHA-256 over the sorted roots: what receipts name."""
        out = ffi.new("uint8_t[32]")
        call(lib.tenuo_verifier_roots_hash, self._handle, out)
        return bytes(out)

    def with_revocation(self, revocation: SignedRevocationList | Sequence[SignedRevocationList] | None) -> Verifier:
        """A new verifier with this list (None: without any); roots, policy and link cache are shared."""
        out = ffi.new("struct tenuo_verifier **")
        call(lib.tenuo_verifier_with_revocation, self._handle, NULL if revocation is None else _revocation(revocation), out)
        return Verifier._from_handle(ffi.gc(out[0], lib.tenuo_verifier_unref), self._roots)

    def verify_chain(self, chain: Chain, as_of: int) -> Decision:
        """Is the chain good at `as_of` (Unix seconds)? Says nothing about a call."""
        out = ffi.new("struct tenuo_decision **")
        if isinstance(chain, (bytes, bytearray)):
            data = blob(chain, "a chain")
            call(lib.tenuo_verify, self._handle, data, len(data), int(as_of), out)
        else:
            call(lib.tenuo_verify_stack, self._handle, stack_of(chain), int(as_of), out)
        return read_decision(ffi.gc(out[0], lib.tenuo_decision_free))

    def authorize(self, chain: Chain, tool: str, args: Arguments, signature: bytes | None, *, as_of: int,
                  approvals: Iterable[SignedApproval | bytes] = (), pop_as_of: int | None = None, pop_bound: int = 0,
                  constraint_args: Arguments = None, request_id: str | None = None,
                  attributes: Mapping[str, str] | None = None) -> Decision:
        """Decides one call at `as_of` (Unix seconds). pop_as_of: the time for which the proof is judged, at most pop_bound seconds before.

        Undecodable bytes are a denial. Raises for what could not be decided at all (9xxx)."""
        request = build_request(tool, args, signature, approvals=approvals, pop_as_of=pop_as_of, pop_bound=pop_bound,
                                constraint_args=constraint_args, request_id=request_id, attributes=attributes)
        return self.authorize_request(chain, request, as_of)

    def authorize_request(self, chain: Chain, request: Any, as_of: int) -> Decision:
        """As authorize, for a request that is built already."""
        out = ffi.new("struct tenuo_decision **")
        if isinstance(chain, (bytes, bytearray)):
            data = blob(chain, "a chain")
            call(lib.tenuo_authorize, self._handle, data, len(data), request, int(as_of), out)
        else:
            call(lib.tenuo_authorize_stack, self._handle, stack_of(chain), request, int(as_of), out)
        return read_decision(ffi.gc(out[0], lib.tenuo_decision_free))

    def gate_evaluate(self, warrant: Warrant, tool: str, args: Arguments, as_of: int) -> ApprovalWanted | None:
        """Does this call need an approval? Nothing but the warrant's gates is judged."""
        return gate_evaluate(warrant, tool, args, as_of, verifier=self)


def gate_evaluate(warrant: Warrant, tool: str, args: Arguments, as_of: int, *, verifier: Verifier | None = None) -> ApprovalWanted | None:
    """Preflight of approval gates (spec governance.md 6). None when the call needs no approval."""
    request = build_request(tool, args, None)
    out = ffi.new("struct tenuo_approval_request **")
    call(lib.tenuo_gate_evaluate, NULL if verifier is None else verifier._handle, warrant._w, request, int(as_of), out)
    if out[0] == NULL:
        return None
    return approval_wanted(ffi.gc(out[0], lib.tenuo_approval_request_free))


def _revocation(lists: SignedRevocationList | Sequence[SignedRevocationList]) -> Any:
    many: list[Any] = list(lists) if isinstance(lists, (list, tuple)) else [lists]
    sources = ffi.new("struct tenuo_revocation_source[]", len(many))
    for source, one in zip(sources, many, strict=True):
        source.list = one._handle
        source.fresh_until = 2**63 - 1
    out = ffi.new("struct tenuo_revocation **")
    call(lib.tenuo_revocation_new, sources, len(many), out)
    return ffi.gc(out[0], lib.tenuo_revocation_unref)


__all__ = ["ApprovalWanted", "Decision", "Verifier", "gate_evaluate", "plugin_dir"]
