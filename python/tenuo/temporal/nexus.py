# SPDX-License-Identifier: Apache-2.0
"""Nexus operations at a guarded worker (spec temporal.md 10.5): every start is verified, strictly by now; a denial is UNAUTHORIZED.

The worker's `nexus_endpoint` says which endpoint it serves: without it every operation is refused. Whether a warrant names the service too is the
warrant's own choice: the tool in the header must be one of the two names that this operation has.
"""

from __future__ import annotations

import asyncio
import base64
import binascii
import dataclasses
import hashlib
import logging
import time
from collections.abc import Mapping
from typing import Any

import nexusrpc
from temporalio import nexus
from temporalio.worker import ExecuteNexusOperationStartInput, NexusOperationInboundInterceptor
from tenuo_core.errors import TenuoError

from . import _constants as c
from . import _wire
from ._nexus_call import ENCODING, input_arguments, nexus_tool_name
from .audit import MALFORMED, NO_WARRANT, TemporalAuditEvent
from .dedup import SPAN_SECS
from .exceptions import (ChainValidationError, ConstraintViolation, PopVerificationError, TenuoArgNormalizationError, TenuoContextError, TenuoTemporalError,
                         from_decision, internal_error)

logger = logging.getLogger("tenuo.temporal")


def decode(headers: Mapping[str, str]) -> dict[str, bytes]:
    """Ours, back to bytes. The encoding must be named exactly."""
    ours = {name: value for name, value in headers.items() if name.startswith(c.PREFIX) and name != c.TENUO_NEXUS_ENCODING_HEADER}
    if ours and headers.get(c.TENUO_NEXUS_ENCODING_HEADER) != ENCODING:
        raise ChainValidationError("Failed to deserialize warrant: unknown encoding of the Nexus headers", 0)
    try:
        return {name: base64.b64decode(value, validate=True) for name, value in ours.items()}
    except (ValueError, binascii.Error):
        raise ChainValidationError("Failed to deserialize warrant: a Nexus header is no base64", 0) from None


@dataclasses.dataclass
class _Seen:
    """What is known about one operation while it is judged."""

    tool: str
    attributes: dict[str, str]
    request_id: str
    carried: _wire.WarrantHeaders | None = None
    warrant_id: str = NO_WARRANT
    arguments: dict[str, Any] = dataclasses.field(default_factory=dict)
    core_recorded: bool = False
    began: float = dataclasses.field(default_factory=time.perf_counter)


class NexusInbound(NexusOperationInboundInterceptor):
    """Judges each operation that is started on one worker."""

    def __init__(self, next: NexusOperationInboundInterceptor, state: Any) -> None:
        super().__init__(next)
        self._state, self._config = state, state.config

    async def execute_nexus_operation_start(self, input: ExecuteNexusOperationStartInput) -> Any:
        ctx = input.ctx
        seen = _Seen(f"nexus:{ctx.operation}", {"nexus_service": ctx.service, "nexus_operation": ctx.operation, "nexus_request_id": ctx.request_id},
                     f"nexus:{ctx.request_id}")
        exc: BaseException | None = None
        try:
            await self._judge(input, seen)
        except (TenuoTemporalError, TenuoArgNormalizationError) as found:
            exc = found
        except Exception:
            logger.exception("unexpected error while a Nexus operation was judged: denied")
            exc = internal_error()
        await self._report(seen, exc)
        if exc is not None and not self._config.dry_run:
            retryable = getattr(exc, "retryable", False)
            kind = nexusrpc.HandlerErrorType.UNAVAILABLE if retryable else nexusrpc.HandlerErrorType.UNAUTHORIZED
            raise nexusrpc.HandlerError(f"{getattr(exc, 'error_code', '')}: {exc}", type=kind)
        return await self.next.execute_nexus_operation_start(input)

    def _tool(self, input: ExecuteNexusOperationStartInput, named: str) -> str:
        endpoint = self._config.nexus_endpoint
        if not endpoint:
            raise TenuoContextError("this worker has no nexus_endpoint, so it serves no Nexus operation")
        names = (nexus_tool_name(endpoint, input.ctx.operation), nexus_tool_name(endpoint, input.ctx.operation, service=input.ctx.service))
        if named not in names:
            raise ConstraintViolation(names[0], {}, "the call was signed for another operation or endpoint", NO_WARRANT)
        return named

    def _carried(self, input: ExecuteNexusOperationStartInput, seen: _Seen) -> dict[str, bytes]:
        """The headers; what they carry is noted."""
        try:
            headers = decode(input.ctx.headers)
            seen.carried = _wire.decode_headers(headers)
        except ChainValidationError:
            seen.warrant_id = MALFORMED
            raise
        if seen.carried is not None:
            seen.warrant_id = seen.carried.warrant.id
        return headers

    async def _judge(self, input: ExecuteNexusOperationStartInput, seen: _Seen) -> None:
        headers = self._carried(input, seen)
        if seen.carried is None:
            if self._config.require_warrant:
                raise ConstraintViolation(input.ctx.operation, {}, "No warrant provided", NO_WARRANT)
            logger.warning("Nexus operation '%s' runs without a warrant: require_warrant is off", input.ctx.operation)
            return
        seen.tool = tool = self._tool(input, headers.get(c.TENUO_TOOL_NAME_HEADER, b"").decode("utf-8", "replace"))
        depth = seen.carried.warrant.depth
        if depth > self._config.max_chain_depth:
            raise ChainValidationError(f"depth {depth} is more than the {self._config.max_chain_depth} that this worker accepts", depth)
        seen.arguments = input_arguments(input.input)
        keys = _wire.decode_arg_keys(headers)
        if keys is None or len(keys) != len(set(keys)) or set(keys) != set(seen.arguments):
            raise PopVerificationError("arg_keys_mismatch", tool)
        pop = _wire.decode_pop(headers, tool)
        await self._decide(seen, seen.carried, pop, _wire.decode_approvals(headers, tool))
        self._first_time(input, seen, pop)

    async def _decide(self, seen: _Seen, carried: _wire.WarrantHeaders, pop: bytes, approvals: list[bytes]) -> None:
        now = int(time.time())
        seen.core_recorded = True  # the library audits its own answers
        try:
            decision = await asyncio.to_thread(
                lambda: self._state.authority.decide(carried.chain, seen.tool, seen.arguments, pop, as_of=now, pop_as_of=now, pop_bound=0,
                                                     approvals=approvals, request_id=seen.request_id, attributes=seen.attributes))
        except TenuoError as exc:
            error = internal_error()
            error.retryable, error.core_code, error.reason = exc.code in (9000, 9002, 9301, 9302, 9400), exc.code, str(exc)
            raise error from exc
        if not decision.allowed:
            raise from_decision(decision, activity_name=seen.tool, arguments=self._shown(seen), warrant_id=seen.warrant_id)

    def _first_time(self, input: ExecuteNexusOperationStartInput, seen: _Seen, pop: bytes) -> None:
        if not self._config.nexus_pop_replay_protection:
            return
        info = nexus.info()
        owner = "\x1f".join((info.namespace, info.task_queue, input.ctx.request_id))
        try:
            self._state.dedup.check_pop_replay_for_owner("nexus-pop:" + hashlib.sha256(pop).hexdigest(), owner, time.time(), SPAN_SECS,
                                                         activity_name=seen.tool)
        except Exception:
            seen.core_recorded = False  # the library's record says allow
            raise

    def _shown(self, seen: _Seen) -> dict[str, Any]:
        return dict.fromkeys(seen.arguments, "[REDACTED]") if self._config.redact_args_in_logs else dict(seen.arguments)

    async def _report(self, seen: _Seen, exc: BaseException | None) -> None:
        """Metrics, the library's audit lines, the callback. None of them can let a denied call run."""
        config, latency = self._config, time.perf_counter() - seen.began
        if exc is not None and not seen.core_recorded:
            await asyncio.to_thread(lambda: self._state.authority.record_denial(
                seen.tool, {}, code=getattr(exc, "core_code", 0), reason=str(exc), request_id=seen.request_id, attributes=seen.attributes))
        if config.metrics is not None:
            if exc is None:
                config.metrics.record_authorized(seen.tool, "nexus", latency)
            else:
                config.metrics.record_denied("other", str(getattr(exc, "error_code", "")), "nexus", latency)
        if config.audit_callback is None or not (config.audit_allow if exc is None else config.audit_deny):
            return
        try:
            config.audit_callback(self._event(seen, exc))
        except Exception:
            logger.exception("audit_callback failed for '%s'", seen.tool)

    def _event(self, seen: _Seen, exc: BaseException | None) -> TemporalAuditEvent:
        warrant = seen.carried.warrant if seen.carried is not None else None
        return TemporalAuditEvent(
            workflow_id="", workflow_type="nexus", workflow_run_id="", activity_name=f"nexus:{seen.attributes['nexus_operation']}",
            activity_id=seen.attributes["nexus_request_id"], task_queue=self._state.task_queue or "", decision="ALLOW" if exc is None else "DENY",
            tool=seen.tool, arguments=self._shown(seen), warrant_id=seen.warrant_id,
            warrant_expires_at=warrant.expires_at_datetime() if warrant is not None else None,
            warrant_capabilities=list(warrant.tools or []) if warrant is not None else [], denial_reason=None if exc is None else str(exc),
            constraint_violated=getattr(exc, "constraint", None) if exc is not None else None)
