# SPDX-License-Identifier: Apache-2.0
"""The worker's side of an activity: whether it runs (spec temporal.md 8, 9). Everything that is not an allow does not run it.

One decision gives one audit event and one count. Whatever goes wrong unexpectedly is a denial.
"""

from __future__ import annotations

import asyncio
import contextvars
import dataclasses
import functools
import inspect
import logging
import time
from collections.abc import Mapping, Sequence
from typing import Any

from temporalio import activity
from temporalio.worker import ActivityInboundInterceptor, ExecuteActivityInput
from tenuo_core.errors import TenuoError
from tenuo_core.verify import Decision

from . import _constants as c
from . import _wire
from ._args import argument_map, argument_names, scope_args
from ._authority import Authority
from ._decorators import is_unprotected, tool_name
from ._tracing import span
from .audit import MALFORMED, NO_WARRANT, TemporalAuditEvent
from .config import TenuoPluginConfig
from .dedup import SPAN_SECS
from .exceptions import (ChainValidationError, ConstraintViolation, DecisionError, LocalActivityError, PopVerificationError,
                         TenuoArgNormalizationError, TenuoContextError, TenuoTemporalError, application_error, from_decision, internal_error)

logger = logging.getLogger("tenuo.temporal")
running_config: contextvars.ContextVar[TenuoPluginConfig | None] = contextvars.ContextVar("tenuo_running_config", default=None)


@dataclasses.dataclass
class _Call:
    """What is known about one call while it is judged."""

    info: activity.Info
    name: str
    tool: str
    names: list[str]
    arguments: dict[str, Any] = dataclasses.field(default_factory=dict)
    carried: _wire.WarrantHeaders | None = None
    warrant_id: str = NO_WARRANT
    constraint: str | None = None
    core_recorded: bool = False
    decision: Decision | None = None
    began: float = dataclasses.field(default_factory=time.perf_counter)

    @property
    def request_id(self) -> str:
        return f"{self.info.workflow_run_id}:{self.info.activity_id}"

    def attributes(self) -> dict[str, str]:
        i = self.info
        return {"workflow_id": i.workflow_id or "", "workflow_run_id": i.workflow_run_id or "", "workflow_type": i.workflow_type or "",
                "namespace": i.workflow_namespace or "", "activity": self.name, "activity_id": i.activity_id, "attempt": str(i.attempt),
                "task_queue": i.task_queue}


class TenuoActivityInbound(ActivityInboundInterceptor):
    """Judges each activity of one worker."""

    def __init__(self, next: ActivityInboundInterceptor, config: TenuoPluginConfig, authority: Authority, dedup: Any) -> None:
        super().__init__(next)
        self._config, self._authority, self._dedup = config, authority, dedup

    async def execute_activity(self, input: ExecuteActivityInput) -> Any:
        token = running_config.set(self._config)
        try:
            if not await self._allowed(input):
                return None
            return await self.next.execute_activity(input)
        finally:
            running_config.reset(token)

    async def _allowed(self, input: ExecuteActivityInput) -> bool:
        """True: run it. False: blocked, and the caller gets None. Else raises."""
        info = activity.info()
        if info.activity_type.startswith(c.INTERNAL_PREFIX):
            return self._internal(info)
        if info.is_local and (is_unprotected(input.fn) or not self._config.block_local_activities):
            return True
        call = _Call(info, info.activity_type, tool_name(self._config.tool_mappings, input.fn, info.activity_type), [])
        with span(call.tool, info.workflow_type or ""):
            try:
                if info.is_local:
                    raise LocalActivityError(info.activity_type)
                call.names = self._names(input)
                await self._judge(call, input)
            except (TenuoTemporalError, TenuoArgNormalizationError) as exc:
                return self._denied(call, exc)
            except Exception:
                logger.exception("unexpected error while '%s' was judged: denied", call.name)
                return self._denied(call, internal_error())
            self._report(call, None)
        return True

    def _internal(self, info: activity.Info) -> bool:
        """Internal activities serve the workflow of the same worker and no one else."""
        if info.is_local:
            return True
        raise application_error(TenuoContextError(f"'{info.activity_type}' runs as a local activity of its own worker only"))

    @staticmethod
    def _is_dynamic(input: ExecuteActivityInput) -> bool:
        definition = getattr(input.fn, "__temporal_activity_definition", None)
        return definition is not None and definition.name is None

    def _names(self, input: ExecuteActivityInput) -> list[str]:
        if self._is_dynamic(input):
            return argument_names(None, len(input.args[0]))
        return argument_names(input.fn, len(input.args))

    def _values(self, input: ExecuteActivityInput) -> list[Any]:
        """The arguments as values; a dynamic activity has them undecoded."""
        if not self._is_dynamic(input):
            return list(input.args)
        return list(activity.payload_converter().from_payloads([raw.payload for raw in input.args[0]]))

    # --- the checks, in the order of the specification ---

    async def _judge(self, call: _Call, input: ExecuteActivityInput) -> None:
        headers = _wire.tenuo_only(input.headers)
        try:
            call.carried = _wire.decode_headers(headers)
        except ChainValidationError:
            call.warrant_id, call.constraint = MALFORMED, "malformed_warrant_header"
            raise
        if call.carried is None:
            self._without_warrant(call)
            return
        carried = call.carried
        call.warrant_id = carried.warrant.id
        self._map_arguments(call, self._values(input))
        if carried.warrant.depth > self._config.max_chain_depth:
            raise ChainValidationError(f"depth {carried.warrant.depth} is more than the {self._config.max_chain_depth} that this worker accepts",
                                       carried.warrant.depth)
        pop = _wire.decode_pop(headers, call.name)
        self._check_names(call, headers, input)
        await self._decide(call, pop, _wire.decode_approvals(headers, call.name))
        self._first_time(call)

    def _without_warrant(self, call: _Call) -> None:
        if self._config.require_warrant:
            raise ConstraintViolation(call.tool, {}, "No warrant provided", NO_WARRANT)
        logger.warning("'%s' of workflow %s runs without a warrant: require_warrant is off", call.name, call.info.workflow_id)

    def _map_arguments(self, call: _Call, args: Sequence[Any]) -> None:
        assert call.carried is not None
        call.arguments = argument_map(call.names, args, form=self._config.arg_normalization)
        constrained = call.carried.warrant.constrained_fields(call.tool)
        call.arguments |= scope_args(dict.fromkeys(constrained), call.info.workflow_namespace or call.info.namespace, call.info.workflow_id or "")

    def _check_names(self, call: _Call, headers: Mapping[str, bytes], input: ExecuteActivityInput) -> None:
        """Names come from the worker's own function: a header that says otherwise would move values between parameters."""
        if not self._is_dynamic(input) and _wire.decode_arg_keys(headers) != call.names:
            raise PopVerificationError("arg_keys_mismatch", call.name)

    def _times(self, call: _Call) -> tuple[int, int, int]:
        """(as_of, pop_as_of, bound): the proof is judged when the server scheduled the call, if that is not too long ago."""
        as_of = int(time.time())
        bound = self._config.pop_bound_secs
        scheduled = as_of if bound == 0 or call.info.is_local else min(int(call.info.scheduled_time.timestamp()), as_of)
        if as_of - scheduled > bound:
            raise PopVerificationError("pop_too_old", call.name)
        return as_of, scheduled, bound

    async def _decide(self, call: _Call, pop: bytes, approvals: list[bytes]) -> None:
        decision = await self._ask(call, pop, approvals)
        if not decision.allowed and decision.code == 1707 and self._config.approval_handler is not None:
            approvals = approvals + await self._approvals_of_handler(call, decision)
            decision = await self._ask(call, pop, approvals)
        if not decision.allowed:
            raise from_decision(decision, activity_name=call.name, arguments=self._shown(call), warrant_id=call.warrant_id)

    async def _ask(self, call: _Call, pop: bytes, approvals: list[bytes]) -> Decision:
        """The pure decision takes microseconds; a context may wait for audit lines and stores, so it is asked in a thread."""
        assert call.carried is not None
        as_of, pop_as_of, bound = self._times(call)
        ask = functools.partial(self._authority.decide, call.carried.chain, call.tool, call.arguments, pop, as_of=as_of, pop_as_of=pop_as_of,
                                pop_bound=bound, approvals=approvals, request_id=call.request_id, attributes=call.attributes(),
                                retry=call.info.attempt > 1)
        call.core_recorded = True  # the library audits its own answers
        try:
            call.decision = await asyncio.to_thread(ask) if self._authority.has_context else ask()
        except TenuoError as exc:
            raise self._undecided(exc) from exc
        return call.decision

    @staticmethod
    def _undecided(exc: TenuoError) -> TenuoTemporalError:
        error: TenuoTemporalError
        if exc.code // 1000 == 9:
            error = DecisionError("CONSTRAINT_VIOLATED", f"no decision: {exc}")
            error.retryable = exc.code in (9000, 9002, 9301, 9302, 9400)
        else:
            error = ChainValidationError(str(exc), 0)
        error.core_code, error.core_name, error.reason = exc.code, exc.name, str(exc)
        return error

    async def _approvals_of_handler(self, call: _Call, decision: Decision) -> list[bytes]:
        assert self._config.approval_handler is not None
        try:
            answer = self._config.approval_handler(decision.approval_request)
            if inspect.isawaitable(answer):
                answer = await answer
        except TenuoTemporalError:
            raise
        except Exception as exc:
            logger.warning("approval_handler failed for '%s': %s", call.name, type(exc).__name__)
            error = DecisionError("approval_required", f"the approval handler failed: {type(exc).__name__}")
            error.core_code, error.core_name, error.retryable = 1707, "approval-required", True
            raise error from exc
        many = list(answer) if isinstance(answer, (list, tuple)) else [answer] if answer is not None else []
        return [a if isinstance(a, bytes) else a.to_bytes() for a in many]

    def _first_time(self, call: _Call) -> None:
        """A first attempt is remembered until no window accepts its proof any more; further attempts are the server's own."""
        if call.info.attempt > 1 or self._dedup is None:
            return
        assert call.carried is not None
        key = ":".join((call.carried.warrant.dedup_key(call.tool, call.arguments), call.info.workflow_id or "", call.info.workflow_run_id or "",
                        call.info.activity_id))
        try:
            self._dedup.check_pop_replay(key, time.time(), SPAN_SECS + self._config.pop_bound_secs, activity_name=call.name)
        except Exception:
            call.core_recorded = False  # the library's record says allow
            raise

    # --- what is said about it ---

    def _shown(self, call: _Call) -> dict[str, Any]:
        return dict.fromkeys(call.arguments, "[REDACTED]") if self._config.redact_args_in_logs else dict(call.arguments)

    def _denied(self, call: _Call, exc: BaseException) -> bool:
        self._report(call, exc)
        if self._config.dry_run:
            logger.warning("dry run: '%s' would be denied: %s", call.tool, exc)
            return True
        retryable = getattr(exc, "retryable", False)
        if self._config.on_denial == "raise" or retryable:
            raise application_error(exc, may_retry=True)
        if self._config.on_denial == "log":
            logger.warning("denied: '%s' in workflow %s: %s", call.tool, call.info.workflow_id, exc)
        return False

    def _report(self, call: _Call, exc: BaseException | None) -> None:
        """Metrics, the library's audit lines, the callback. None of them can let a denied call run."""
        latency = time.perf_counter() - call.began
        reason = str(getattr(exc, "error_code", type(exc).__name__)) if exc is not None else ""
        if exc is not None and not call.core_recorded:
            self._authority.record_denial(call.tool, {}, code=getattr(exc, "core_code", 0), reason=str(exc), request_id=call.request_id,
                                          attributes=call.attributes())
        self._count(call, reason, latency)
        wanted = self._config.audit_allow if exc is None else self._config.audit_deny
        if self._config.audit_callback is None or not wanted:
            return
        try:
            self._config.audit_callback(self._event(call, exc))
        except Exception:
            logger.exception("audit_callback failed for '%s'", call.name)

    def _count(self, call: _Call, reason: str, latency: float) -> None:
        if self._config.metrics is None:
            return
        kind = call.info.workflow_type or ""
        # A tool's name becomes a label only when a warrant that was verified names it.
        verified = call.decision is not None and call.decision.code not in (1100, 1202, 1405, 1406)
        tool = call.tool if verified or call.tool in self._config.tool_mappings.values() else "other"
        if reason:
            self._config.metrics.record_denied(tool, reason, kind, latency)
        else:
            self._config.metrics.record_authorized(call.tool, kind, latency)

    def _event(self, call: _Call, exc: BaseException | None) -> TemporalAuditEvent:
        warrant = call.carried.warrant if call.carried is not None else None
        i = call.info
        return TemporalAuditEvent(
            workflow_id=i.workflow_id or "", workflow_type=i.workflow_type or "", workflow_run_id=i.workflow_run_id or "", activity_name=call.name,
            activity_id=i.activity_id, task_queue=i.task_queue, decision="ALLOW" if exc is None else "DENY", tool=call.tool,
            arguments=self._shown(call), warrant_id=call.warrant_id,
            warrant_expires_at=warrant.expires_at_datetime() if warrant is not None else None,
            warrant_capabilities=list(warrant.tools or []) if warrant is not None else [],
            denial_reason=str(exc) if exc is not None else None,
            constraint_violated=call.constraint or (getattr(exc, "constraint", None) if exc is not None else None))
