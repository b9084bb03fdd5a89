# SPDX-License-Identifier: Apache-2.0
"""Authorizer: the reference's changeable front of a Verifier. Each change makes a new verifier; decisions in flight keep the old one."""

from __future__ import annotations

import time
from collections.abc import Iterable, Sequence
from typing import Any

from .approval import SignedApproval
from .keys import PublicKey
from .revocation import SignedRevocationList
from .verify import Arguments, Chain, Decision, Verifier
from .warrant import Clearance, Warrant


class Authorizer:
    """Decides calls by this machine's clock and raises the class of the code on a denial.

    trusted_roots: keys. pop_window_secs is 30 in the protocol; anything else is a ValueError."""

    def __init__(self, trusted_roots: Iterable[PublicKey] | None = None, clock_tolerance_secs: int = 30, pop_window_secs: int = 30,
                 pop_max_windows: int = 5) -> None:
        if pop_window_secs != 30:
            raise ValueError("a window of the proof of possession is 30 seconds")
        self._roots = list(trusted_roots or [])
        self._options: dict[str, Any] = {"clock_tolerance": clock_tolerance_secs, "pop_windows": pop_max_windows, "clearance": {}}
        self._srl: SignedRevocationList | None = None
        self._verifier: Verifier | None = None

    def _current(self) -> Verifier:
        if self._verifier is None:
            self._verifier = Verifier(self._roots, revocation=self._srl, **self._options)
        return self._verifier

    def add_trusted_root(self, key: PublicKey) -> None:
        self._roots.append(key)
        self._verifier = None

    def trusted_root_count(self) -> int:
        return len(self._roots)

    @property
    def trusted_roots_hash(self) -> bytes:
        return self._current().roots_hash

    def require_clearance(self, tool: str, level: Clearance | int | str) -> None:
        self._options["clearance"][tool] = Clearance(level)
        self._verifier = None

    def set_revocation_list(self, srl: SignedRevocationList | None) -> None:
        self._srl = srl
        self._verifier = None

    def installed_revocation_list(self) -> SignedRevocationList | None:
        return self._srl

    def set_clock_tolerance(self, seconds: int) -> None:
        self._options["clock_tolerance"] = seconds
        self._verifier = None

    def decide(self, chain: Chain, tool: str, args: Arguments, signature: bytes | None = None,
               approvals: Sequence[SignedApproval | bytes] | None = None, *, as_of: int | None = None) -> Decision:
        """The decision itself, denials included."""
        return self._current().authorize(chain, tool, args, signature, as_of=int(time.time()) if as_of is None else as_of, approvals=approvals or ())

    def authorize(self, warrant: Chain, tool: str, args: Arguments, signature: bytes | None = None,
                  approvals: Sequence[SignedApproval | bytes] | None = None) -> Decision:
        decision = self.decide(warrant, tool, args, signature, approvals)
        decision.raise_denial()
        return decision

    authorize_one = authorize

    def check(self, warrant: Chain, tool: str, args: Arguments, signature: bytes | None = None,
              approvals: Sequence[SignedApproval | bytes] | None = None) -> bool:
        return self.decide(warrant, tool, args, signature, approvals).allowed

    def check_chain(self, chain: Sequence[Warrant], tool: str, args: Arguments, signature: bytes | None = None,
                    approvals: Sequence[SignedApproval | bytes] | None = None, as_of: int | None = None) -> Decision:
        decision = self.decide(chain, tool, args, signature, approvals, as_of=as_of)
        decision.raise_denial()
        return decision

    def verify_chain(self, chain: Chain, as_of: int | None = None) -> Decision:
        decision = self._current().verify_chain(chain, int(time.time()) if as_of is None else as_of)
        decision.raise_denial()
        return decision

    verify = verify_chain
