# SPDX-License-Identifier: Apache-2.0
"""Warrants for children and grants (spec temporal.md 10): asked for in the workflow, made in the internal activity, so that the result is in the
history. The child's key really becomes the holder.
"""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from typing import Any

from temporalio import workflow
from temporalio.exceptions import ApplicationError
from tenuo_core._pure import Constraint, Warrant, decode_warrant_stack_base64, encode_warrant_stack

from . import _constants as c
from . import _sign, _wire
from ._runs import Run
from .exceptions import ConstraintViolation, TenuoContextError, TenuoTemporalError, application_error


DELEGATION = "delegation"


def _refused(run: Run, exc: TenuoTemporalError) -> ApplicationError:
    run.state.reports.denied(run, DELEGATION, DELEGATION, exc)
    return application_error(exc)


class LazyHeaders(dict[str, bytes]):
    """What attenuated_headers() returns: the request for a child warrant, met when the child workflow is started."""

    def __init__(self, request: dict[str, Any], child_key_id: str | None, compress: bool) -> None:
        super().__init__({c.TENUO_WARRANT_HEADER: b""})
        self.request, self.child_key_id, self.compress = request, child_key_id, compress


def narrowed(constraints: Mapping[str, Mapping[str, Any]] | None) -> dict[str, dict[str, str]] | None:
    """{tool: {argument: constraint}} as text for the internal activity."""
    if constraints is None:
        return None
    out: dict[str, dict[str, str]] = {}
    for tool, fields in constraints.items():
        out[tool] = {}
        for name, constraint in fields.items():
            if not isinstance(constraint, Constraint):
                raise TypeError(f"the constraint for '{name}' of '{tool}' must be a constraint object, such as Subpath(...) or Exact(...)")
            out[tool][name] = base64.b64encode(constraint.to_bytes()).decode("ascii")
    return out


def request_child(run: Run, *, tools: Sequence[str] | None, constraints: Mapping[str, Mapping[str, Any]] | None, ttl_seconds: int | None,
                  child_key_id: str | None, issue: bool = False) -> dict[str, Any]:
    """What the internal activity needs. Tools that the parent has not got are refused here already."""
    carried = run.carried()
    if carried is None:
        raise _refused(run, TenuoContextError("the workflow has no warrant to delegate from"))
    has = set((carried.warrant.issuable_tools if issue else carried.warrant.tools) or [])
    for tool in tools or []:
        if tool not in has and "*" not in has:
            raise _refused(run, ConstraintViolation(tool, {}, "the parent warrant does not have this tool", carried.warrant.id))
    if ttl_seconds is not None and ttl_seconds <= 0:
        raise ValueError("ttl_seconds is a positive number")
    return {"stack": encode_warrant_stack(carried.chain), "key_id": carried.key_id, "tools": None if tools is None else list(tools),
            "constraints": narrowed(constraints), "ttl": ttl_seconds, "child_key_id": child_key_id, "issue": issue,
            "id": workflow.uuid4().bytes.hex(), "time": int(workflow.now().timestamp())}


async def mint_child(run: Run, request: dict[str, Any]) -> Warrant:
    """The child, which knows its chain."""
    try:
        return decode_warrant_stack_base64(await _sign.local_activity(c.MINT_ACTIVITY, request))[-1]
    except ApplicationError as exc:
        run.state.reports.denied(run, DELEGATION, DELEGATION, exc)
        raise


async def make_child(run: Run, lazy: LazyHeaders) -> dict[str, bytes]:
    """The headers of a child workflow."""
    child = await mint_child(run, lazy.request)
    return _wire.encode_headers(child, lazy.child_key_id or lazy.request["key_id"], compress=lazy.compress)
