# SPDX-License-Identifier: Apache-2.0
"""Nexus operations at a guarded worker (spec temporal.md 10.5): every start is verified, strictly by now; a denial is UNAUTHORIZED.

The worker's `nexus_endpoint` says which endpoint it serves: without it every operation is refused. Whether a warrant names the service too is the
warrant's own choice: the tool in the header must be one of the two names that this operation has.
"""

from __future__ import annotations

import asyncio
import base64
import binascii
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
from .audit import NO_WARRANT, TemporalAuditEvent
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


class NexusInbound(NexusOperationInboundInterceptor):
    """Judges each operation that is started on one worker."""

    def __init__(self, next: NexusOperationInboundInterceptor, state: Any) -> None:
        super().__init__(next)
        self._state, self._config = state, state.config

    async def execute_nexus_operation_start(self, input: ExecuteNexusOperationStartInput) -> Any:
        exc: BaseException | None = None
        try:
            await self._judge(input)
        except (TenuoTemporalError, TenuoArgNormalizationError) as found:
            exc = found
        except Exception:
            logger.exception("unexpected error while a Nexus operation was judged: denied")
            exc = internal_error()
        self._report(input, exc)
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

    async def _judge(self, input: ExecuteNexusOperationStartInput) -> None:
        headers = decode(input.ctx.headers)
        carried = _wire.decode_headers(headers)
        if carried is None:
            if self._config.require_warrant:
                raise ConstraintViolation(input.ctx.operation, {}, "No warrant provided", NO_WARRANT)
            return
        tool = self._tool(input, headers.get(c.TENUO_TOOL_NAME_HEADER, b"").decode("utf-8", "replace"))
        if carried.warrant.depth > self._config.max_chain_depth:
            raise ChainValidationError(f"depth {carried.warrant.depth} is more than the {self._config.max_chain_depth} that this worker accepts",
                                       carried.warrant.depth)
        args = input_arguments(input.input)
        keys = _wire.decode_arg_keys(headers)
        if keys is None or len(keys) != len(set(keys)) or set(keys) != set(args):
            raise PopVerificationError("arg_keys_mismatch", tool)
        pop, now = _wire.decode_pop(headers, tool), int(time.time())
        await self._decide(input, carried, tool, args, pop, now, _wire.decode_approvals(headers, tool))

    async def _decide(self, input: ExecuteNexusOperationStartInput, carried: _wire.WarrantHeaders, tool: str, args: dict[str, Any], pop: bytes, now: int,
                      approvals: list[bytes]) -> None:
        request = input.ctx.request_id
        attributes = {"nexus_service": input.ctx.service, "nexus_operation": input.ctx.operation, "nexus_request_id": request}
        try:
            decision = await asyncio.to_thread(
                lambda: self._state.authority.decide(carried.chain, tool, args, pop, as_of=now, pop_as_of=now, pop_bound=0, approvals=approvals,
                                                     request_id=f"nexus:{request}"[:256], attributes=attributes))
        except TenuoError as exc:
            error = internal_error()
            error.retryable, error.core_code, error.reason = exc.code in (9000, 9002, 9301, 9302, 9400), exc.code, str(exc)
            raise error from exc
        if not decision.allowed:
            shown = dict.fromkeys(args, "[REDACTED]") if self._config.redact_args_in_logs else args
            raise from_decision(decision, activity_name=tool, arguments=shown, warrant_id=carried.warrant.id)
        if self._config.nexus_pop_replay_protection:
            info = nexus.info()
            owner = "\x1f".join((info.namespace, info.task_queue, request))
            self._state.dedup.check_pop_replay_for_owner("nexus-pop:" + pop.hex(), owner, time.time(), SPAN_SECS, activity_name=tool)

    def _report(self, input: ExecuteNexusOperationStartInput, exc: BaseException | None) -> None:
        config, name = self._config, f"nexus:{input.ctx.operation}"
        if config.metrics is not None:
            if exc is None:
                config.metrics.record_authorized(name, "nexus", 0.0)
            else:
                config.metrics.record_denied("other", str(getattr(exc, "error_code", "")), "nexus", 0.0)
        if config.audit_callback is None or not (config.audit_allow if exc is None else config.audit_deny):
            return
        try:
            config.audit_callback(TemporalAuditEvent(
                workflow_id="", workflow_type="nexus", workflow_run_id="", activity_name=name, activity_id=input.ctx.request_id,
                task_queue=self._state.task_queue or "", decision="ALLOW" if exc is None else "DENY", tool=name, arguments={},
                warrant_id=getattr(exc, "warrant_id", "") or NO_WARRANT, warrant_expires_at=None, warrant_capabilities=[],
                denial_reason=None if exc is None else str(exc)))
        except Exception:
            logger.exception("audit_callback failed for '%s'", name)
