# SPDX-License-Identifier: Apache-2.0
"""Making warrants (include/tenuo/mint.h, spec warrant.md 6): a root, a narrower child, an execution warrant of an issuer.

Builders collect what the library's builder is told at the end; they belong to one thread. Nothing is implied: a child carries only what is
named. The result knows its whole chain.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from typing import Any, Self

from . import errors
from ._ffi import NULL, blob, call, exact, ffi, lib, sized, utf8
from .constraints import constraint_of, set_handle
from .keys import PublicKey, Signer, key_bytes
from .verify import matchers
from .warrant import Clearance, Warrant, _leaf, join


class _Prepared:
    """A frozen payload that waits for a signature made elsewhere."""

    __slots__ = ("_mint", "message")

    def __init__(self, mint: Any, message: bytes) -> None:
        self._mint, self.message = mint, message

    def finish(self, signature: bytes) -> Warrant:
        """The warrant, once its issuer's 64-byte signature over `message` is there; it is verified first."""
        out = ffi.new("struct tenuo_stack **")
        call(lib.tenuo_mint_finish, self._mint, exact(signature, 64, "a signature"), out)
        return _leaf(ffi.gc(out[0], lib.tenuo_stack_free))


class _Builder:
    def __init__(self) -> None:
        self._tools: dict[str, Mapping[str, Any] | None] = {}
        self._steps: list[Any] = []  # what the library's builder is told, in order
        self._ttl: int | None = None
        self._capped = False
        self._id: bytes | None = None

    def _start(self) -> Any:
        raise NotImplementedError

    def _step(self, function: Any, *args: Any) -> Self:
        """A setter that reports errors."""
        self._steps.append(lambda m: call(function, m, *args))
        return self

    def _plain(self, function: Any, *args: Any) -> Self:
        """A setter that cannot fail."""
        self._steps.append(lambda m: function(m, *args))
        return self

    def holder(self, public_key: PublicKey) -> Self:
        """Who may use the warrant."""
        return self._step(lib.tenuo_mint_set_holder, key_bytes(public_key))

    def capability(self, tool: str, constraints: Mapping[str, Any] | None = None, /, **more: Any) -> Self:
        """A tool with its constraints. Any constraint closes it: other arguments are refused, unless _allow_unknown=True.

        Plain values mean exactly this value. None at all: every argument is allowed."""
        self._tools[tool] = {**(constraints or {}), **more}
        return self

    def tool(self, tool: str) -> Self:
        """A tool without constraints."""
        return self.capability(tool)

    def tools(self, tools: str | Sequence[str]) -> Self:
        for name in [tools] if isinstance(tools, str) else tools:
            self.capability(name)
        return self

    def ttl(self, seconds: int) -> Self:
        """Lifetime in seconds from the time of signing (default 300)."""
        self._ttl = int(seconds)
        return self

    def expires_at(self, when: int) -> Self:
        """Absolute expiry (Unix seconds) instead of a lifetime."""
        return self._plain(lib.tenuo_mint_set_expires_at, int(when))

    def clearance(self, level: Clearance | int | str) -> Self:
        return self._plain(lib.tenuo_mint_set_clearance, Clearance(level).level)

    def max_depth(self, depth: int) -> Self:
        """How deep delegation may go."""
        return self._plain(lib.tenuo_mint_set_max_depth, int(depth))

    def terminal(self) -> Self:
        """No further delegation."""
        return self._plain(lib.tenuo_mint_set_terminal)

    def session_id(self, session_id: str) -> Self:
        data = utf8(session_id, "a session id")
        return self._step(lib.tenuo_mint_set_session_id, data, len(data))

    def agent_id(self, agent_id: str) -> Self:
        data = utf8(agent_id, "an agent id")
        return self._step(lib.tenuo_mint_set_agent_id, data, len(data))

    def extension(self, key: str, value: bytes) -> Self:
        data = utf8(key, "the key of an extension")
        raw = blob(value, "an extension")
        return self._step(lib.tenuo_mint_add_extension, data, len(data), raw, len(raw))

    def required_approvers(self, approvers: Sequence[PublicKey]) -> Self:
        for key in approvers:
            self._step(lib.tenuo_mint_add_approver, key_bytes(key))
        return self

    def min_approvals(self, count: int) -> Self:
        return self._plain(lib.tenuo_mint_set_min_approvals, int(count))

    def approval_gates(self, gates: Mapping[str, Mapping[str, Any] | None]) -> Self:
        """{tool: None} for every call of it; {tool: {argument: None | constraint}} by argument (spec governance.md 6)."""
        for tool, by_argument in gates.items():
            name = utf8(tool, "a tool")
            if not by_argument:
                self._step(lib.tenuo_mint_add_gate, name, len(name))
            for argument, constraint in (by_argument or {}).items():
                arg = utf8(argument, "the name of an argument")
                if constraint is None:
                    self._step(lib.tenuo_mint_add_arg_gate, name, len(name), arg, len(arg), lib.TENUO_GATE_ALL, NULL)
                else:
                    made = constraint_of(constraint)
                    self._steps.append(lambda m, n=name, a=arg, c=made: call(
                        lib.tenuo_mint_add_arg_gate, m, n, len(n), a, len(a), lib.TENUO_GATE_CONSTRAINT, c._handle))
        return self

    def id(self, raw: bytes) -> Self:
        """The 16-byte id, where it must not be random: in a workflow."""
        self._id = exact(raw, 16, "a warrant id")
        return self

    def constraint_bounds(self, bounds: Mapping[str, Any]) -> Self:
        """What an issuer's warrants must stay within."""
        handle = set_handle(bounds)
        return self._step(lib.tenuo_mint_set_bounds, handle)

    def issuable_tools(self, tools: Sequence[str]) -> Self:
        for name in tools:
            data = utf8(name, "a tool")
            self._step(lib.tenuo_mint_add_issuable, data, len(data))
        return self

    def max_issue_depth(self, depth: int) -> Self:
        return self._plain(lib.tenuo_mint_set_max_issue_depth, int(depth))

    # The names that the reference's lower builders have.

    def with_capability(self, tool: str, constraints: Mapping[str, Any]) -> Self:
        return self.capability(tool, constraints)

    def with_holder(self, holder: PublicKey) -> Self:
        return self.holder(holder)

    def with_ttl(self, seconds: int) -> Self:
        return self.ttl(seconds)

    def with_clearance(self, level: Clearance | int | str) -> Self:
        return self.clearance(level)

    def _filled(self) -> Any:
        mint = self._start()
        for tool, constraints in self._tools.items():
            name = utf8(tool, "a tool")
            call(lib.tenuo_mint_add_tool, mint, name, len(name), set_handle(constraints) if constraints else NULL)
        for step in self._steps:
            step(mint)
        if self._ttl is not None:
            if self._ttl <= 0:
                raise errors.ValidationError("a lifetime is at least one second")
            (lib.tenuo_mint_set_ttl_capped if self._capped else lib.tenuo_mint_set_ttl)(mint, self._ttl)
        if self._id is not None:
            lib.tenuo_mint_set_id(mint, self._id)
        lib.tenuo_mint_set_matchers(mint, matchers())
        return mint

    def _sign(self, key: Signer, now: int | None) -> Warrant:
        out = ffi.new("struct tenuo_stack **")
        call(lib.tenuo_mint_sign, self._filled(), key._handle, int(time.time()) if now is None else int(now), out)
        return _leaf(ffi.gc(out[0], lib.tenuo_stack_free))

    def prepare(self, issuer: PublicKey, now: int) -> _Prepared:
        """Freezes the payload; its `message` is the complete Ed25519 message for the key `issuer`."""
        mint = self._filled()
        out, length = ffi.new("uint8_t **"), ffi.new("size_t *")
        call(lib.tenuo_mint_prepare, mint, key_bytes(issuer), int(now), out, length)
        try:
            return _Prepared(mint, sized(out[0], length[0]))
        finally:
            lib.tenuo_bytes_free(out[0], length[0])


def _new_mint(function: Any, *args: Any) -> Any:
    out = ffi.new("struct tenuo_mint **")
    call(function, *args, out)
    return ffi.gc(out[0], lib.tenuo_mint_free)


class MintBuilder(_Builder):
    """A new root warrant, signed by a trusted key."""

    def _start(self) -> Any:
        return _new_mint(lib.tenuo_mint_root)

    def issuer(self) -> Self:
        """An issuer warrant: it makes execution warrants and calls nothing itself."""
        return self._plain(lib.tenuo_mint_set_type, lib.TENUO_ISSUER)

    def constraint_bound(self, field: str, value: Any) -> Self:
        return self.constraint_bounds({field: value})

    def mint(self, key: Signer, *, now: int | None = None) -> Warrant:
        """Signs it. now: Unix seconds of issue, default this machine's clock."""
        return self._sign(key, now)


class AttenuationBuilder(_Builder):
    """A child of the same type that allows less; signed by the parent's holder."""

    def __init__(self, parent: Warrant) -> None:
        super().__init__()
        self._parent = parent

    def _start(self) -> Any:
        return _new_mint(lib.tenuo_mint_attenuate, join(self._parent.chain))

    @property
    def parent(self) -> Warrant:
        return self._parent

    def retain_tool(self, tool: str) -> Self:
        """The tool with the parent's own constraints."""
        name = utf8(tool, "a tool")
        return self._step(lib.tenuo_mint_keep_tool, name, len(name))

    def retain_tools(self, tools: Sequence[str]) -> Self:
        for name in tools:
            self.retain_tool(name)
        return self

    def inherit_all(self) -> Self:
        """Every tool of the parent with its constraints; what was named before with `capability` stays narrower."""
        for name in self._parent.tools or self._parent.issuable_tools or []:
            if name not in self._tools and self._parent.tools is not None:
                self.retain_tool(name)
        if self._parent.tools is None:
            self._step(lib.tenuo_mint_keep_all)
        return self

    def tool(self, tool: str) -> Self:
        return self.retain_tool(tool)

    def ttl_capped(self, seconds: int) -> Self:
        """A lifetime that the parent's expiry shortens silently."""
        self._ttl, self._capped = int(seconds), True
        return self

    def delegate(self, key: Signer, *, now: int | None = None) -> Warrant:
        """Signs it with the parent's holder key."""
        return self._sign(key, now)

    grant = delegate

    def with_tool(self, tool: str) -> Self:
        return self.retain_tool(tool)

    def with_tools(self, tools: Sequence[str]) -> Self:
        return self.retain_tools(tools)


GrantBuilder = AttenuationBuilder


class IssuanceBuilder(_Builder):
    """An execution warrant from an issuer warrant; signed by that one's holder. `holder` must be set."""

    def __init__(self, parent: Warrant) -> None:
        super().__init__()
        self._parent = parent

    def _start(self) -> Any:
        return _new_mint(lib.tenuo_mint_issue, join(self._parent.chain))

    def build(self, key: Signer, *, now: int | None = None) -> Warrant:
        return self._sign(key, now)

    def with_tool(self, tool: str) -> Self:
        return self.tool(tool)


__all__ = ["AttenuationBuilder", "GrantBuilder", "IssuanceBuilder", "MintBuilder"]
