# SPDX-License-Identifier: Apache-2.0
"""What one worker's parts share: its configuration, its authority, the functions behind activity names, its replay store. One object a worker;
found by task queue and namespace where a part cannot be told (never "the last one").
"""

from __future__ import annotations

import logging
import os
import threading
from collections.abc import Callable, Iterable
from typing import Any

from tenuo_core.errors import ConfigurationError

from ._authority import Authority
from ._decorators import activity_type
from ._reports import WorkflowDenials
from .config import TenuoPluginConfig
from .dedup import InMemoryPopDedupStore
from .resolvers import EnvKeyResolver, KeyResolver, warn_once

logger = logging.getLogger("tenuo.temporal")
_lock = threading.Lock()
_by_queue: dict[str, "WorkerState"] = {}
_process_dedup = InMemoryPopDedupStore()
os.register_at_fork(after_in_child=_process_dedup.after_fork)
PASSTHROUGH = ("tenuo", "tenuo_core")


class WorkerState:
    """config is a copy of its own."""

    def __init__(self, config: TenuoPluginConfig) -> None:
        self.config = config.copied()
        self.authority = Authority(self.config)
        self.functions: dict[str, Callable[..., Any]] = {}
        self.task_queue: str | None = None
        self.namespace: str | None = None
        self.dedup: Any = self.config.pop_dedup_store
        if self.dedup is None:
            self.dedup = _process_dedup
            if not self.authority.asks_replay_lines:
                warn_once("dedup", "replays are recognised within this process only: give pop_dedup_store, or a replay line in tenuo.conf whose roots "
                          "are used too (no trusted_roots), when several workers serve one queue")
        if self.config.nexus_pop_replay_protection and not hasattr(self.dedup, "check_pop_replay_for_owner"):
            raise ConfigurationError("nexus_pop_replay_protection needs a pop_dedup_store with check_pop_replay_for_owner, which this one has not got")
        self.reports = WorkflowDenials(self.config, self.authority)
        self.add_functions(self.config.activity_fns or ())

    @property
    def resolver(self) -> KeyResolver:
        assert self.config.key_resolver is not None
        return self.config.key_resolver

    def add_functions(self, functions: Iterable[Callable[..., Any]]) -> None:
        for fn in functions:
            name = activity_type(fn)
            if name is not None:
                self.functions[name] = fn

    def preload(self) -> None:
        """The keys that the configuration names, and those of the environment; outside of workflows."""
        if self.config.preload_key_ids:
            self.resolver.preload(self.config.preload_key_ids)
        if isinstance(self.resolver, EnvKeyResolver) or hasattr(self.resolver, "resolvers"):
            self.resolver.preload_all()

    def attach(self, *, task_queue: str, namespace: str | None, activities: Iterable[Callable[..., Any]]) -> None:
        """Called once, when the worker is made."""
        if self.task_queue is not None and (self.task_queue, self.namespace) != (task_queue, namespace):
            raise ConfigurationError(f"this interceptor serves the worker of '{self.task_queue}' already: make one for each worker")
        self.task_queue, self.namespace = task_queue, namespace
        self.add_functions(activities)
        self.preload()
        with _lock:
            _by_queue[task_queue] = self


def state_of_queue(task_queue: str) -> WorkerState | None:
    with _lock:
        return _by_queue.get(task_queue)


def register(state: WorkerState, task_queue: str) -> None:
    with _lock:
        _by_queue[task_queue] = state


def only_state(task_queue: str | None) -> WorkerState:
    """The worker of the queue; without a queue the only one there is."""
    with _lock:
        found = [_by_queue[task_queue]] if task_queue in _by_queue else [] if task_queue else list(_by_queue.values())
    if len(found) != 1:
        raise ConfigurationError("which worker's configuration? give task_queue=, or register_worker_config(config, task_queue=...) first")
    return found[0]
