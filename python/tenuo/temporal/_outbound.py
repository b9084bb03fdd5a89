# SPDX-License-Identifier: Apache-2.0
"""The workflow's outbound side: signs each activity, hands warrants to children, keeps protected functions out of local activities
(spec temporal.md 4, 5, 9, 10). Runs inside the sandbox: no input or output, no clock but workflow.now().
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NoReturn

from temporalio import workflow
from temporalio.exceptions import ApplicationError
from temporalio.worker import (ContinueAsNewInput, StartActivityInput, StartChildWorkflowInput, StartLocalActivityInput,
                               WorkflowOutboundInterceptor)
from tenuo_core._pure import TenuoError, ToolNotAuthorized

from . import _constants as c
from . import _sign, _wire
from ._args import argument_map, argument_names, scope_args, through_converter, type_hints
from ._children import LazyHeaders, make_child
from ._decorators import activity_type, is_unprotected, tool_name
from ._runs import CallOptions, Run, call_options
from ._shim import noted_callable, noted_child_headers
from .exceptions import (LocalActivityError, TenuoArgNormalizationError, TenuoContextError, TenuoPreValidationError, TenuoTemporalError,
                         application_error)

logger = logging.getLogger("tenuo.temporal")
_PLAIN = (str, bool, int, float, type(None))


class _Plan:
    """One dispatch that is to be signed."""

    __slots__ = ("approvals", "args", "base", "carried", "names", "tool")

    def __init__(self, carried: _wire.WarrantHeaders, base: dict[str, bytes], tool: str, names: list[str], args: dict[str, Any],
                 approvals: Sequence[Any] | None) -> None:
        self.carried, self.base, self.tool, self.names, self.args, self.approvals = carried, base, tool, names, args, approvals

    def headers(self, pop: bytes) -> dict[str, bytes]:
        out = dict(self.base)
        out[c.TENUO_POP_HEADER] = _wire.encode_pop(pop)
        out[c.TENUO_ARG_KEYS_HEADER] = _wire.encode_arg_keys(self.names)
        if self.approvals:
            out[c.TENUO_APPROVALS_HEADER] = _wire.encode_approvals(self.approvals)
        return out


class TenuoWorkflowOutbound(WorkflowOutboundInterceptor):
    """One for each run."""

    def __init__(self, next: WorkflowOutboundInterceptor, run: Run) -> None:
        super().__init__(next)
        self._run = run

    # --- activities ---

    def start_activity(self, input: StartActivityInput) -> workflow.ActivityHandle[Any]:
        try:
            plan = self._plan(input)
            by_activity = plan is not None and _sign.by_activity(self._run, plan.carried)
            if plan is not None:
                input.summary = f"[{c.PLUGIN_NAME}] {plan.tool}" + (f": {input.summary}" if input.summary else "")
            if plan is not None and not by_activity:
                self._put(input, plan, _sign.inline(self._run, plan.carried, plan.tool, plan.args))
        except (TenuoTemporalError, TenuoArgNormalizationError) as exc:
            raise self._denied(input.activity, exc) from exc
        except TenuoError as exc:
            raise self._denied(input.activity, TenuoContextError(f"PoP computation failed: {exc}")) from exc
        except Exception as exc:  # else the workflow's task would fail and be tried again for ever
            raise self._denied(input.activity, TenuoContextError(f"PoP computation failed: {type(exc).__name__}")) from exc
        if plan is None or not by_activity:
            return self.next.start_activity(input)  # without a plan unsigned: the activity side denies it
        when = int(workflow.now().timestamp())
        return asyncio.get_running_loop().create_task(self._after_signing(input, plan, when))  # type: ignore[return-value]

    async def _after_signing(self, input: StartActivityInput, plan: _Plan, when: int) -> Any:
        """The real activity, once the internal one has signed. Cancelling this task cancels whichever of the two runs."""
        try:
            pop = await _sign.remote(plan.carried, plan.tool, plan.args, when)
        except ApplicationError as exc:
            self._run.state.reports.denied(self._run, input.activity, plan.tool, exc)
            raise
        self._put(input, plan, pop)
        return await self.next.start_activity(input)

    def _denied(self, name: str, exc: BaseException) -> ApplicationError:
        self._run.state.reports.denied(self._run, name, self._run.state.config.tool_mappings.get(name, name), exc)
        return application_error(exc)

    @staticmethod
    def _put(input: StartActivityInput, plan: _Plan, pop: bytes) -> None:
        kept = {name: value for name, value in input.headers.items() if not name.startswith(c.PREFIX)}
        input.headers = {**kept, **_wire.payloads(plan.headers(pop))}

    def _plan(self, input: StartActivityInput) -> _Plan | None:
        approvals, self._run.approvals = self._run.approvals, None
        options = call_options.get() or CallOptions()
        carried = options.carried or self._run.carried()
        if carried is None:
            return None
        config = self._run.state.config
        fn = self._function(input.activity, options.fn)
        tool = tool_name(config.tool_mappings, fn, input.activity)
        names = argument_names(fn, len(input.args))
        values = self._as_worker_sees(input, fn)
        args = argument_map(names, values)
        constrained = carried.warrant.constrained_fields(tool)
        self._check_positional(names, constrained, tool)
        args |= scope_args(dict.fromkeys(constrained), self._run.namespace, self._run.workflow_id)
        _prevalidate(carried, tool, args)
        if options.carried is None:
            base = _wire.carried_on(self._run.headers)
        else:
            base = _wire.encode_headers(carried.warrant, carried.key_id, chain=carried.chain, compress=options.compress)
        return _Plan(carried, base, tool, names, args, approvals)

    def _function(self, name: str, told: Callable[..., Any] | None) -> Callable[..., Any] | None:
        """What was called, if it is the activity of this name: another interceptor may start one of its own meanwhile."""
        noted = told or noted_callable.get()
        if noted is not None and activity_type(noted) in (name, None):
            return noted
        registered: Callable[..., Any] | None = self._run.state.functions.get(name)
        return registered

    @staticmethod
    def _as_worker_sees(input: StartActivityInput, fn: Callable[..., Any] | None) -> list[Any]:
        """The arguments as they arrive: an int for a float parameter is a float there, a dict a dataclass with its defaults."""
        hints = type_hints(fn) if fn is not None else input.arg_types
        if all(type(a) in _PLAIN and (not hints or i >= len(hints) or hints[i] is type(a)) for i, a in enumerate(input.args)):
            return list(input.args)
        try:
            return through_converter(workflow.payload_converter(), input.args, hints)
        except TenuoTemporalError:
            raise
        except Exception as exc:
            raise TenuoArgNormalizationError(f"the arguments of '{input.activity}' do not pass Temporal's data converter: {type(exc).__name__}") from exc

    def _check_positional(self, names: Sequence[str], constrained: Sequence[str], tool: str) -> None:
        if not names or not constrained or not all(n == f"arg{i}" for i, n in enumerate(names)):
            return
        message = (f"the parameter names of '{tool}' are unknown here, and its warrant constrains {', '.join(constrained)}: pass the function itself, "
                   "or list it in activity_fns")
        if self._run.state.config.strict_mode:
            raise TenuoContextError(message)
        if not workflow.unsafe.is_replaying():
            logger.warning("%s", message)

    # --- local activities ---

    def start_local_activity(self, input: StartLocalActivityInput) -> workflow.ActivityHandle[Any]:
        if not input.activity.startswith(c.INTERNAL_PREFIX) and self._run.state.config.block_local_activities:
            fn = self._function(input.activity, None)
            if fn is not None and not is_unprotected(fn):
                raise self._denied(input.activity, LocalActivityError(input.activity))
        return self.next.start_local_activity(input)

    # --- children and successors ---

    async def start_child_workflow(self, input: StartChildWorkflowInput) -> workflow.ChildWorkflowHandle[Any, Any]:
        """Only headers that were asked for by name: a plain child has no warrant, and its activities are denied."""
        noted: Mapping[str, bytes] | None = noted_child_headers.get()
        kept = {name: value for name, value in input.headers.items() if not name.startswith(c.PREFIX)}
        if noted is not None:
            headers = await make_child(self._run, noted) if isinstance(noted, LazyHeaders) else dict(noted)
            kept = {**kept, **_wire.payloads(headers)}
        input.headers = kept
        return await self.next.start_child_workflow(input)

    def continue_as_new(self, input: ContinueAsNewInput) -> NoReturn:
        kept = {name: value for name, value in input.headers.items() if not name.startswith(c.PREFIX)}
        input.headers = {**kept, **_wire.payloads(_wire.carried_on(self._run.headers))}
        self.next.continue_as_new(input)


def _prevalidate(carried: _wire.WarrantHeaders, tool: str, args: Mapping[str, Any]) -> None:
    """Says all that is wrong with the names before anything is signed (5.4)."""
    try:
        unknown, missing = carried.warrant.prevalidate(tool, list(args))
    except ToolNotAuthorized:
        return
    if unknown or missing:
        said = [f"unknown field not allowed (zero-trust mode): {', '.join(unknown)}"] if unknown else []
        said += [f"missing: {', '.join(missing)}"] if missing else []
        raise TenuoPreValidationError(f"the warrant for '{tool}' can never allow these arguments: {'; '.join(said)}. Declare each argument of the tool "
                                      "in its capability, Wildcard() for any value")
