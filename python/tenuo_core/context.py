# SPDX-License-Identifier: Apache-2.0
"""A service's configuration, opened: roots, policy, key stores, replay stores and audit sinks (include/tenuo/context.h).

The only way to an allow that is audited. Opening and looking keys up does input and output: never inside a workflow.
"""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from . import errors
from ._ffi import NULL, blob, call, check, cstring, ffi, lib, path, sized, text, utf8
from .keys import PublicKey, Signer, key_bytes
from .verify import Arguments, Chain, Decision, Verifier, build_request, plugin_dir, read_decision
from .warrant import Warrant, chain_bytes

if TYPE_CHECKING:
    from .approval import SignedApproval

_findings = threading.local()


@ffi.def_extern()  # type: ignore[untyped-decorator]
def tenuo_py_diag(arg: Any, is_error: int, line: Any) -> None:
    """Diagnostics of a configuration while it is opened: collected for the exception's text."""
    found = getattr(_findings, "lines", None)
    if found is not None and is_error and len(found) < 20:
        found.append(text(line))


def _wire(chain: Chain) -> bytes:
    if isinstance(chain, (bytes, bytearray)):
        return blob(chain, "a chain")
    return chain_bytes(chain.chain if isinstance(chain, Warrant) else list(chain))


class Context:
    """An opened configuration. Reference-counted in the library, immutable, for any number of threads."""

    __slots__ = ("_handle", "_roots")
    _handle: Any
    _roots: tuple[PublicKey, ...]

    def __init__(self) -> None:
        raise TypeError("use Context.open")

    @classmethod
    def open(cls, service: str = "", conf: str | os.PathLike[str] | None = None, *, conf_text: str | None = None,
             plugin_dir: str | None = None, keys_only: bool = False) -> Context:
        """Opens the rules of one service.

        conf: main file; None: TENUO_CONF, else /etc/tenuo.conf. conf_text: the configuration itself instead. plugin_dir: where plugins are
        when the file does not say; default: those of this package. keys_only: only its resolver lines; decides nothing.
        ConfigurationError names every finding; Unavailable and others as the library says.
        """
        folder = plugin_dir if plugin_dir is not None else _default_plugin_dir()
        options = ffi.new("struct tenuo_open_options *")
        options.size = ffi.sizeof("struct tenuo_open_options")
        keep = [ffi.from_buffer("char[]", path(p) + b"\0") if p is not None else NULL for p in (conf, folder)]
        options.conf, options.plugin_dir = keep
        options.keys_only = int(keys_only)
        options.diag = lib.tenuo_py_diag
        if conf_text is not None:
            data = utf8(conf_text, "a configuration")
            keep.append(ffi.from_buffer("char[]", data + b"\0"))
            options.conf_text, options.conf_text_len = keep[-1], len(data)
        return cls._opened(lambda out, err: lib.tenuo_open(cstring(service, "a service"), options, out, err))

    @classmethod
    def _opened(cls, function: Any) -> Context:
        out, err = ffi.new("struct tenuo_ctx **"), ffi.new("struct tenuo_error *")
        _findings.lines = []
        code = function(out, err)
        lines, _findings.lines = _findings.lines, None
        if code != 0 and lines and code // 100 == 91:
            raise errors.ConfigurationError("\n".join(lines), code)
        check(code, err)
        self = object.__new__(cls)
        self._handle = ffi.gc(out[0], lib.tenuo_ctx_unref)
        self._roots = tuple(PublicKey._trusted(sized(lib.tenuo_ctx_root(out[0], i), 32)) for i in range(lib.tenuo_ctx_root_count(out[0])))
        return self

    def reload(self) -> Context:
        """The same files read again into a new context; this one stays as it is, also when that fails."""
        return self._opened(lambda out, err: lib.tenuo_ctx_reload(self._handle, out, err))

    @property
    def roots(self) -> tuple[PublicKey, ...]:
        return self._roots

    def verifier(self) -> Verifier:
        """The verifier of this moment, with the revocation lists of this moment: ask again for each decision."""
        handle = lib.tenuo_ctx_verifier(self._handle)
        if handle == NULL:
            raise errors.ValidationError("this context was opened for its keys alone")
        return Verifier._from_handle(ffi.gc(handle, lib.tenuo_verifier_unref), self._roots)

    def authorize(self, chain: Chain, tool: str, args: Arguments, signature: bytes | None, *, as_of: int | None = None,
                  approvals: Iterable[SignedApproval | bytes] = (), pop_as_of: int | None = None, pop_bound: int = 0,
                  constraint_args: Arguments = None, request_id: str | None = None, attributes: Mapping[str, str] | None = None,
                  retry: bool = False) -> Decision:
        """The audited decision: pure decision, replay stores, every audit sink, then the answer. as_of: Unix seconds, default now.

        retry: a further attempt that the guarding program's own engine counts; replay stores are not asked."""
        request = build_request(tool, args, signature, approvals=approvals, pop_as_of=pop_as_of, pop_bound=pop_bound,
                                constraint_args=constraint_args, request_id=request_id, attributes=attributes, retry=retry)
        return self.authorize_request(chain, request, as_of)

    def authorize_request(self, chain: Chain, request: Any, as_of: int | None = None) -> Decision:
        data = _wire(chain)
        out = ffi.new("struct tenuo_decision **")
        call(lib.tenuo_ctx_authorize_at, self._handle, data, len(data), request, int(time.time()) if as_of is None else int(as_of), out)
        return read_decision(ffi.gc(out[0], lib.tenuo_decision_free))

    def record(self, request: Any, *, chain: Chain | None = None, decision: Decision | None = None, code: int = 0, reason: str = "",
               as_of: int | None = None) -> int:
        """Audits a decision of the pure layer, or a denial of the program's own (code and reason). Returns how many sinks took it.

        AuditRefused when a required one did not: an allow is then none."""
        data = b"" if chain is None else _wire(chain)
        denial = NULL
        if decision is None:
            denial = ffi.new("struct tenuo_error *")
            denial.code = code
            denial.msg = cstring(reason.replace("\0", " "), "a reason")[: lib.TENUO_ERROR_MSG_BYTES - 1]
        taken = ffi.new("size_t *")
        call(lib.tenuo_ctx_record, self._handle, data, len(data), request, NULL if decision is None else decision.handle, denial,
             int(time.time()) if as_of is None else int(as_of), taken)
        return int(taken[0])

    def signer(self, key: str, *, holder: PublicKey | None = None, no_io: bool = False) -> Signer:
        """The signer for ID or ID@N from the resolver lines. holder: it has this public key, an older version if need be.

        no_io: only what the key cache holds, else WouldBlock. KeyNotFound, Unavailable, HolderMismatch ..."""
        out = ffi.new("struct tenuo_signer **")
        call(lib.tenuo_ctx_signer, self._handle, cstring(key, "a key id"), lib.TENUO_SIGNER_NO_IO if no_io else 0,
             NULL if holder is None else key_bytes(holder), out)
        signer: Signer = Signer._from_handle(ffi.gc(out[0], lib.tenuo_signer_free), self)
        return signer

    def preload(self, keys: Iterable[str]) -> None:
        """Loads keys into the cache and signs with each. All are tried; the error names all that failed."""
        data = [ffi.from_buffer("char[]", cstring(k, "a key id") + b"\0") for k in keys]
        call(lib.tenuo_keys_preload, self._handle, ffi.new("char *[]", data), len(data))

    def public_key(self, key: str) -> PublicKey:
        """The public key alone: needs no right to sign."""
        out = ffi.new("uint8_t[32]")
        call(lib.tenuo_ctx_public_key, self._handle, cstring(key, "a key id"), out)
        return PublicKey._trusted(bytes(out))

    @property
    def may_block(self) -> bool:
        """Does a resolver line sign in its store, so that signing may wait for it?"""
        return bool(lib.tenuo_ctx_may_block(self._handle))

    def __repr__(self) -> str:
        return f"Context(roots={len(self._roots)})"


def _default_plugin_dir() -> str | None:
    return plugin_dir()
