# SPDX-License-Identifier: Apache-2.0
"""What workflow code calls (spec temporal.md 4, 10). All of it is safe to replay."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NoReturn

import tenuo_core.warrant
from temporalio import workflow
from tenuo_core._pure import Warrant

from . import _runs, _wire
from ._children import LazyHeaders, mint_child, request_child
from ._shim import noted_child_headers
from .exceptions import TenuoContextError, TenuoTemporalError, application_error, from_decision

__all__ = ["AuthorizedWorkflow", "attenuated_headers", "current_key_id", "current_warrant", "set_activity_approvals", "tenuo_continue_as_new",
           "tenuo_execute_activity", "tenuo_execute_child_workflow", "workflow_grant", "workflow_issue_execution"]


def _no_clock_in_workflows() -> None:
    if workflow.in_workflow():
        raise TenuoContextError("Warrant.sign needs timestamp= inside a workflow: int(workflow.now().timestamp()). Activities are signed by themselves")


tenuo_core.warrant.clock_guard = _no_clock_in_workflows


def _carried() -> _wire.WarrantHeaders:
    carried = _runs.current().carried()
    if carried is None:
        raise TenuoContextError("the workflow was started without a warrant: start it with tenuo_headers(), execute_workflow_authorized() "
                                "or tenuo_warrant_context()")
    return carried


def current_warrant() -> Warrant:
    """The run's warrant; TenuoContextError when it has none."""
    return _carried().warrant


def current_key_id() -> str:
    """The id of the holder's key."""
    return _carried().key_id


REFUSED = "tenuo-start-refused"


def _refused_start(run: _runs.Run) -> TenuoTemporalError | None:
    """Why the chain is not good now, by the roots that this worker was given. A refusal is marked in the history, so that a replay takes the same
    way whatever roots it has."""
    carried = _carried()
    if workflow.unsafe.is_replaying():
        return TenuoContextError("the start was refused") if workflow.patched(REFUSED) else None
    verifier = run.state.authority.pure_verifier
    if verifier is None or run.state.config.dry_run:
        return None
    decision = verifier.verify_chain(carried.chain, int(workflow.now().timestamp()))
    if decision.allowed:
        return None
    workflow.patched(REFUSED)
    return from_decision(decision, activity_name="start", arguments={}, warrant_id=carried.warrant.id)


class AuthorizedWorkflow:
    """Base class of workflows that must not run without a good warrant: the start fails at once, non-retryable, CONTEXT_MISSING without one, and
    with the denial's own code when its chain is expired, broken or untrusted.

    A subclass with an __init__ of its own calls super().__init__()."""

    def __init__(self) -> None:
        try:
            current_warrant()
            current_key_id()
        except TenuoTemporalError as exc:
            error = TenuoContextError(f"AuthorizedWorkflow requires Tenuo headers: {exc}")
            run = _runs.known()
            if run is not None:
                run.state.reports.denied(run, "start", run.workflow_type, error)
            raise application_error(error) from exc
        run = _runs.current()
        refused = _refused_start(run)
        if refused is not None:
            run.state.reports.denied(run, "start", run.workflow_type, refused)
            raise application_error(refused)

    async def execute_authorized_activity(self, activity: Any, **kwargs: Any) -> Any:
        """workflow.execute_activity, signed."""
        return await tenuo_execute_activity(activity, **kwargs)


def _call(fn: Any, warrant: Any, key_id: str | None, chain: Sequence[Warrant] | None, compress: bool) -> _runs.CallOptions:
    function = fn if callable(fn) else None
    if warrant is None:
        if key_id is not None or chain is not None:
            raise application_error(TenuoContextError("key_id and warrant_chain go with warrant="))
        return _runs.CallOptions(function, None, compress)
    try:
        links = _wire.whole_chain(warrant, chain)
        carried = _wire.WarrantHeaders(links[-1], links, _wire.check_key_id(key_id if key_id is not None else current_key_id()))
    except TenuoContextError as exc:
        raise application_error(exc) from exc
    return _runs.CallOptions(function, carried, compress)


async def tenuo_execute_activity(activity: Any, *, args: Sequence[Any] | None = None, warrant: Any = None, key_id: str | None = None,
                                 warrant_chain: Sequence[Warrant] | None = None, compress: bool = True, **options: Any) -> Any:
    """Runs an activity under the run's warrant, or under another one (`warrant`, `key_id`). options: those of workflow.execute_activity."""
    token = _runs.call_options.set(_call(activity, warrant, key_id, warrant_chain, compress))
    try:
        return await workflow.execute_activity(activity, args=list(args or []), **{k: v for k, v in options.items() if v is not None})
    finally:
        _runs.call_options.reset(token)


def attenuated_headers(*, tools: Sequence[str] | None = None, constraints: Mapping[str, Mapping[str, Any]] | None = None,
                       ttl_seconds: int | None = None, child_key_id: str | None = None, compress: bool = True) -> dict[str, bytes]:
    """headers= for a child workflow that gets less: a subset of the tools, narrower constraints, a shorter life (seconds).

    child_key_id: the child's own key, which becomes the holder."""
    request = request_child(_runs.current(), tools=tools, constraints=constraints, ttl_seconds=ttl_seconds, child_key_id=child_key_id)
    return LazyHeaders(request, child_key_id, compress)


async def tenuo_execute_child_workflow(workflow_fn: Any, *, args: Sequence[Any] | None = None, id: str | None = None, tools: Sequence[str] | None = None,
                                       constraints: Mapping[str, Mapping[str, Any]] | None = None, ttl_seconds: int | None = None,
                                       child_key_id: str | None = None, **options: Any) -> Any:
    """Runs a child workflow under an attenuated warrant. options: those of workflow.execute_child_workflow."""
    child_id = id or f"{workflow.info().workflow_id}-child-{workflow.uuid4()}"
    headers = attenuated_headers(tools=tools, constraints=constraints, ttl_seconds=ttl_seconds, child_key_id=child_key_id)
    token = noted_child_headers.set(headers)
    try:
        return await workflow.execute_child_workflow(workflow_fn, args=list(args or []), id=child_id,
                                                     **{k: v for k, v in options.items() if v is not None and v != ""})
    finally:
        noted_child_headers.reset(token)


async def workflow_grant(tool: str, constraints: Mapping[str, Any] | None = None, *, ttl_seconds: int = 300) -> Warrant:
    """A narrower warrant for one tool, for tenuo_execute_activity(..., warrant=, key_id=)."""
    run = _runs.current()
    return await mint_child(run, request_child(run, tools=[tool], constraints={tool: constraints} if constraints else None, ttl_seconds=ttl_seconds,
                                          child_key_id=None))


async def workflow_issue_execution(tool: str, constraints: Mapping[str, Any] | None = None, *, ttl_seconds: int = 300) -> Warrant:
    """An execution warrant for one tool, when the run's warrant is an issuer warrant."""
    run = _runs.current()
    return await mint_child(run, request_child(run, tools=[tool], constraints={tool: constraints} if constraints else None, ttl_seconds=ttl_seconds,
                                          child_key_id=None, issue=True))


def tenuo_continue_as_new(*args: Any, tenuo_attenuation: Mapping[str, Any] | None = None, **kwargs: Any) -> NoReturn:
    """workflow.continue_as_new; the warrant goes along."""
    if tenuo_attenuation is not None:
        raise NotImplementedError("a warrant cannot be attenuated while continuing as new: start a child workflow")
    workflow.continue_as_new(*args, **kwargs)


def set_activity_approvals(approvals: Sequence[Any]) -> None:
    """Signed approvals for the next activity that this run starts, once."""
    run = _runs.current()
    if run.approvals is not None:
        workflow.logger.warning("approvals that no activity used yet are replaced")
    run.approvals = list(approvals)


