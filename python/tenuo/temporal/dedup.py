# SPDX-License-Identifier: Apache-2.0
"""Replay protection of first attempts (spec temporal.md 8.1). A full store refuses: forgetting early would let a replay through."""

from __future__ import annotations

import collections
import threading
from typing import Protocol, runtime_checkable

from .exceptions import DecisionError, PopVerificationError, TenuoTemporalError

DEFAULT_CAPACITY = 1_000_000
SPAN_SECS = 150.0  # what five windows accept, before and after


@runtime_checkable
class PopDedupStore(Protocol):
    """Raises PopVerificationError when the key was seen within `ttl_seconds`; `now` is Unix seconds."""

    def check_pop_replay(self, dedup_key: str, now: float, ttl_seconds: float, *, activity_name: str) -> None: ...


def _full() -> TenuoTemporalError:
    error = DecisionError("CONSTRAINT_VIOLATED", "no decision: the replay store is full: give it more room, or share one (replay lines of tenuo.conf)")
    error.core_code, error.core_name, error.retryable = 9301, "unavailable", True
    return error


class InMemoryPopDedupStore:
    """One process's memory, for any thread. capacity: entries; when they are all in use, calls are refused."""

    def __init__(self, capacity: int = DEFAULT_CAPACITY) -> None:
        self.capacity = capacity
        self._lock = threading.Lock()
        self._until: collections.OrderedDict[str, float] = collections.OrderedDict()
        self._owner: dict[str, str] = {}
        self._next_sweep = 0.0

    def after_fork(self) -> None:
        """In a forked child: the lock may be held by a thread that is only in the parent."""
        self._lock = threading.Lock()

    @property
    def cache(self) -> dict[str, float]:
        """A copy: when each entry ends."""
        with self._lock:
            return dict(self._until)

    def _sweep(self, now: float) -> None:
        for key in [k for k, until in self._until.items() if until <= now]:
            del self._until[key]
            self._owner.pop(key, None)
        self._next_sweep = now + 60

    def check_pop_replay(self, dedup_key: str, now: float, ttl_seconds: float, *, activity_name: str) -> None:
        self.check_pop_replay_for_owner(dedup_key, "", now, ttl_seconds, activity_name=activity_name)

    def check_pop_replay_for_owner(self, dedup_key: str, owner_id: str, now: float, ttl_seconds: float, *, activity_name: str) -> None:
        """As check_pop_replay, but the same owner may ask again."""
        with self._lock:
            if now >= self._next_sweep or len(self._until) >= self.capacity:
                self._sweep(now)
            until = self._until.get(dedup_key)
            if until is not None and until > now:
                if owner_id and self._owner.get(dedup_key) == owner_id:
                    return
                raise PopVerificationError("replay detected", activity_name)
            if until is None and len(self._until) >= self.capacity:
                raise _full()
            self._until[dedup_key] = now + ttl_seconds
            if owner_id:
                self._owner[dedup_key] = owner_id
