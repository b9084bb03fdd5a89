# SPDX-License-Identifier: Apache-2.0
"""TenuoTemporalPlugin and the worker interceptor: what a program hands to Temporal (spec temporal.md 10.4).

    plugin = TenuoTemporalPlugin(TenuoPluginConfig(key_resolver=..., trusted_roots=[...]))
    client = await Client.connect("localhost:7233", plugins=[plugin])
    worker = Worker(client, task_queue="q", workflows=[...], activities=[...])
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any

import temporalio.client
import temporalio.worker
from temporalio.plugin import SimplePlugin
from temporalio.worker.workflow_sandbox import SandboxedWorkflowRunner, SandboxRestrictions
from tenuo_core.errors import ConfigurationError

from . import _constants as c
from . import _shim
from ._activity import TenuoActivityInbound
from ._authority import Authority
from ._inbound import workflow_interceptor_class
from ._internal import INTERNAL_ACTIVITIES
from ._worker import PASSTHROUGH, WorkerState, only_state, register, state_of_queue
from .client import TenuoClientInterceptor
from .config import TenuoPluginConfig
from .nexus import NexusInbound
from .exceptions import (ChainValidationError, ConstraintViolation, KeyResolutionError, LocalActivityError, PopVerificationError, TenuoContextError,
                         WarrantExpired)

TENUO_TEMPORAL_ACTIVITIES: list[Callable[..., Any]] = list(INTERNAL_ACTIVITIES)
FAILURE_TYPES: tuple[type[BaseException], ...] = (TenuoContextError, PopVerificationError, ConstraintViolation, WarrantExpired,
                                                  ChainValidationError, KeyResolutionError, LocalActivityError)


class TenuoWorkerInterceptor(temporalio.worker.Interceptor):
    """Guards one worker. The plugin makes it; by hand: Worker(..., interceptors=[TenuoInterceptor(config)]) with the sandbox told to pass
    `tenuo` and `tenuo_core` through."""

    def __init__(self, config: TenuoPluginConfig, *, task_queue: str | None = None) -> None:
        self.state = WorkerState(config)
        self.by_plugin = False  # the plugin attaches its own
        if task_queue is not None:
            register(self.state, task_queue)
        _shim.install()
        _shim.on_worker(_attach_ours)

    @property
    def config(self) -> TenuoPluginConfig:
        return self.state.config

    def intercept_activity(self, next: temporalio.worker.ActivityInboundInterceptor) -> temporalio.worker.ActivityInboundInterceptor:
        return TenuoActivityInbound(next, self.state.config, self.state.authority, self.state.dedup)

    def workflow_interceptor_class(self, input: temporalio.worker.WorkflowInterceptorClassInput) -> type[temporalio.worker.WorkflowInboundInterceptor]:
        return workflow_interceptor_class(self.state)

    def intercept_nexus_operation(self, next: Any) -> Any:
        return NexusInbound(next, self.state)


TenuoInterceptor = TenuoWorkerInterceptor


def _ours(kw: dict[str, Any]) -> list[TenuoWorkerInterceptor]:
    found = list(kw.get("interceptors") or [])
    found += kw["__client"].config(active_config=True).get("interceptors", [])
    return [i for i in found if isinstance(i, TenuoWorkerInterceptor) and not i.by_plugin]


def _add_internal(config: Any, own: list[Callable[..., Any]]) -> None:
    """The internal activities, as local ones: a worker that had none of its own must not begin to take activity tasks from its queue."""
    config["activities"] = own + [a for a in TENUO_TEMPORAL_ACTIVITIES if a not in own]
    if not own:
        config["no_remote_activities"] = True


def _attach_ours(kw: dict[str, Any]) -> None:
    """For a worker that is made by hand: what the plugin does for its own."""
    for interceptor in _ours(kw):
        if interceptor.state.task_queue == kw["task_queue"]:
            continue
        activities = list(kw.get("activities") or [])
        if kw.get("workflows"):
            _add_internal(kw, activities)
            require_passthrough(kw.get("workflow_runner"))
        interceptor.state.attach(task_queue=kw["task_queue"], namespace=kw["__client"].namespace, activities=activities)


def require_passthrough(runner: Any) -> None:
    """A sandbox that imports us anew would fail at the first task, or share nothing: refused when the worker is made."""
    if runner is None:
        runner = SandboxedWorkflowRunner()
    if not isinstance(runner, SandboxedWorkflowRunner):
        return
    restrictions = runner.restrictions
    if restrictions.passthrough_all_modules:
        return
    missing = [m for m in PASSTHROUGH if m not in restrictions.passthrough_modules]
    if missing:
        raise ConfigurationError(
            f"the workflow sandbox must pass {' and '.join(PASSTHROUGH)} through: workflow_runner=SandboxedWorkflowRunner(restrictions="
            'SandboxRestrictions.default.with_passthrough_modules("tenuo", "tenuo_core")), or use TenuoTemporalPlugin')


def _runner(existing: Any) -> Any:
    """The runner with our passthrough modules; its own restrictions stay."""
    if existing is None:
        return SandboxedWorkflowRunner(restrictions=SandboxRestrictions.default.with_passthrough_modules(*PASSTHROUGH))
    if isinstance(existing, SandboxedWorkflowRunner):
        import dataclasses

        return dataclasses.replace(existing, restrictions=existing.restrictions.with_passthrough_modules(*PASSTHROUGH))
    warnings.warn("workflows run without the sandbox: nothing keeps them from input and output", UserWarning, stacklevel=3)
    return existing


class TenuoTemporalPlugin(SimplePlugin):
    """Client and worker side in one. For one worker: make one plugin for each."""

    def __init__(self, config: TenuoPluginConfig, *, client_interceptor: TenuoClientInterceptor | None = None) -> None:
        self.client_interceptor = client_interceptor or TenuoClientInterceptor()
        self.worker_interceptor = TenuoWorkerInterceptor(config)
        self.worker_interceptor.by_plugin = True
        self._configured = False
        super().__init__(c.PLUGIN_NAME, interceptors=[self.client_interceptor, self.worker_interceptor],
                         workflow_runner=_runner, workflow_failure_exception_types=list(FAILURE_TYPES))

    def configure_worker(self, config: Any) -> Any:
        if self._configured:
            raise ConfigurationError("this TenuoTemporalPlugin configures a worker already: make one plugin for each worker")
        task_queue = config.get("task_queue")
        if not task_queue:
            raise ConfigurationError("the worker has no task_queue")
        own = list(config.get("activities") or [])
        configured: Any = super().configure_worker(config)
        if configured.get("workflows"):
            _add_internal(configured, own)
        self.worker_interceptor.state.attach(task_queue=task_queue, namespace=config["client"].namespace, activities=own)
        self._configured = True
        return configured


def register_worker_config(config: TenuoPluginConfig, *, task_queue: str) -> None:
    """For programs that need a queue's configuration before, or without, a worker of their own."""
    register(WorkerState(config), task_queue)


def config_for_task_queue(task_queue: str) -> TenuoPluginConfig | None:
    state = state_of_queue(task_queue)
    return None if state is None else state.config


def only_worker(task_queue: str | None) -> Authority:
    return only_state(task_queue).authority
