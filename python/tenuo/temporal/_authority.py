# SPDX-License-Identifier: Apache-2.0
"""The decision of a worker: its current verifier, or the context of its configuration file. Never input or output in the path of an activity:
providers run in a thread of their own, and what they bring replaces the verifier as a whole.
"""

from __future__ import annotations

import hashlib
import logging
import threading
import time
import weakref
from collections.abc import Mapping, Sequence
from typing import Any

from tenuo_core.errors import ConfigurationError, TenuoError
from tenuo_core.verify import Decision, Verifier, build_request
from tenuo_core.warrant import Warrant

from .config import TenuoPluginConfig

logger = logging.getLogger("tenuo.temporal")
DEFAULT_REFRESH_SECS = 300.0
RETRY_SECS = 5.0
MAX_ATTRIBUTE = 256


def _bounded(value: str) -> str:
    """An audit attribute of at most 256 bytes."""
    return value.replace("\0", " ").encode("utf-8", "replace")[:MAX_ATTRIBUTE].decode("utf-8", "ignore")


def bounded_id(request_id: str) -> str:
    """A request id of at most 256 bytes; a longer one keeps its beginning and a hash of all, so that two stay two."""
    data = request_id.replace("\0", " ").encode("utf-8", "replace")
    if len(data) <= MAX_ATTRIBUTE:
        return data.decode("utf-8")
    return data[: MAX_ATTRIBUTE - 65].decode("utf-8", "ignore") + "." + hashlib.sha256(data).hexdigest()


class Authority:
    """Built once a worker. Thread-safe: readers take one reference."""

    def __init__(self, config: TenuoPluginConfig) -> None:
        self._config = config
        self._context = config.context
        self._own_roots = config.trusted_roots is not None or config.trusted_roots_provider is not None
        self._roots = tuple(config.trusted_roots or ())
        self._srl = config.revocation_list
        if config.trusted_roots_provider is not None:
            self._roots = tuple(config.trusted_roots_provider()) or self._roots
            if not self._roots:
                raise ConfigurationError("trusted_roots_provider returned no key and there are no trusted_roots")
        if config.revocation_list_provider is not None:
            try:
                self._srl = config.revocation_list_provider() or self._srl
            except Exception as exc:
                raise ConfigurationError(f"revocation_list_provider failed at the start: {type(exc).__name__}") from exc
        self._verifier = self._build() if self._own_roots else None
        self._stop = threading.Event()
        self._start_refresh()

    def _build(self) -> Verifier:
        c = self._config
        return Verifier(self._roots, clearance=c.clearance_requirements, revocation=self._srl, max_chain=65)

    # --- refresh ---

    def _start_refresh(self) -> None:
        c = self._config
        for provider, secs, take in ((c.trusted_roots_provider, c.trusted_roots_refresh_interval_secs, Authority._take_roots),
                                     (c.revocation_list_provider, c.revocation_refresh_secs, Authority._take_list)):
            if provider is not None and self._own_roots:
                name = getattr(take, "__name__", "refresh")
                threading.Thread(target=_refresh, args=(weakref.ref(self), self._stop, provider, secs or DEFAULT_REFRESH_SECS, take),
                                 name=f"tenuo{name}", daemon=True).start()

    def _take_roots(self, roots: Sequence[Any]) -> bool:
        if not roots:
            logger.warning("trusted_roots_provider returned no key: the old roots stay")
            return False
        if tuple(roots) != self._roots:
            self._roots = tuple(roots)
            self._verifier = self._build()
        return True

    def _take_list(self, srl: Any) -> bool:
        if srl is None:
            return True
        if self._srl is not None and srl.version < self._srl.version:
            logger.warning("revocation_list_provider returned version %d after %d: the newer one stays", srl.version, self._srl.version)
            return True
        self._srl = srl
        self._verifier = self._build()
        return True

    def close(self) -> None:
        self._stop.set()

    # --- decisions ---

    @property
    def has_context(self) -> bool:
        return self._context is not None

    @property
    def asks_replay_lines(self) -> bool:
        """Only decisions of a context's own roots ask the replay lines of its configuration."""
        return self._context is not None and not self._own_roots

    def verifier(self) -> Verifier:
        """The verifier of this moment."""
        if self._verifier is not None:
            return self._verifier
        assert self._context is not None
        return self._context.verifier()

    @property
    def pure_verifier(self) -> Verifier | None:
        """The verifier where asking it needs no input or output; None with the roots of a context, whose lists may have to be fetched."""
        return self._verifier

    def decide(self, chain: Sequence[Warrant], tool: str, args: Mapping[str, Any], pop: bytes | None, *, as_of: int, pop_as_of: int, pop_bound: int,
               approvals: Sequence[bytes] = (), request_id: str = "", attributes: Mapping[str, str] | None = None, retry: bool = False) -> Decision:
        """One decision; with a context also its replay stores and audit lines. Raises TenuoError when nothing could be decided."""
        shown = {name: _bounded(value) for name, value in (attributes or {}).items()}
        try:
            request = build_request(tool, args, pop, approvals=approvals, pop_as_of=pop_as_of, pop_bound=pop_bound, request_id=bounded_id(request_id),
                                    attributes=shown, retry=retry)
            decision = None if self._verifier is None else self._verifier.authorize_request(chain, request, as_of)
        except TenuoError as exc:  # nothing was decided, and that is recorded like any other no
            self.record_denial(tool, {}, code=exc.code, reason=str(exc), request_id=request_id, attributes=attributes)
            raise
        if decision is None:
            assert self._context is not None
            return self._context.authorize_request(chain, request, as_of)
        if self._context is not None:
            self._context.record(request, chain=chain, decision=decision, as_of=as_of)
        return decision

    def record_denial(self, tool: str, args: Mapping[str, Any], *, code: int, reason: str, request_id: str = "",
                      attributes: Mapping[str, str] | None = None) -> None:
        """Audits a denial that never reached the library. Nothing hangs on it: the answer is no already."""
        if self._context is None:
            return
        try:
            request = build_request(tool[:64] or "unknown", args, None, request_id=bounded_id(request_id),
                                    attributes={n: _bounded(v) for n, v in (attributes or {}).items()})
            self._context.record(request, code=code or 9001, reason=reason.encode("utf-8", "replace").decode("utf-8"), as_of=int(time.time()))
        except Exception as exc:
            logger.error("a denial could not be audited: %s", exc)


def _refresh(owner: weakref.ref[Authority], stop: threading.Event, provider: Any, interval: float, take: Any) -> None:
    """The loop of one provider; ends with its authority."""
    wait = interval
    while not stop.wait(wait):
        wait = interval
        try:
            brought = provider()
        except Exception as exc:
            logger.warning("%s failed, what there was stays: %s", getattr(provider, "__name__", "provider"), type(exc).__name__)
            wait = min(interval, RETRY_SECS) if take is Authority._take_roots else interval
            continue
        authority = owner()
        if authority is None:
            return
        try:
            if not take(authority, brought):
                wait = min(interval, RETRY_SECS)
        except Exception as exc:
            logger.error("what a provider returned cannot be used, what there was stays: %s", exc)
        del authority
