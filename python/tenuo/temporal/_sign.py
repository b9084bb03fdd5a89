# SPDX-License-Identifier: Apache-2.0
"""Signing inside a workflow (spec temporal.md 11.4): inline with a key that this process holds, or in a local activity that may wait for a
store. Which of the two a history shows is decided once and then followed, so that it replays wherever it is replayed.

Inline signing never fails a workflow: what cannot be signed inline goes to the activity, whose failure is in the history.
"""

from __future__ import annotations

import base64
import datetime
from typing import Any

from temporalio import workflow
from temporalio.common import RetryPolicy
from temporalio.exceptions import ActivityError, ApplicationError, is_cancelled_exception
from tenuo_core._pure import Signer, encode_warrant_stack

from . import _constants as c
from . import _local_keys, _wire
from ._runs import Run
from .exceptions import KeyResolutionError, application_error, passed_on

PATCH = "tenuo-sign-activity"
NO_POP = bytes(64)  # while a history is replayed: its headers are compared with nothing
LIMIT = datetime.timedelta(seconds=10)


def local_signer(run: Run, carried: _wire.WarrantHeaders) -> Signer | None:
    """A signer of the holder's key that needs nobody; None when there is none."""
    holder = carried.warrant.authorized_holder
    signer = run.state.resolver.signer_cached(carried.key_id, holder)
    if signer is None and run.state.config.allow_process_local_keys:
        signer = _local_keys.get(carried.key_id, holder, workflow.time())
    if isinstance(signer, Signer) and signer.is_local and signer.public_key == holder:
        return signer
    return None


def by_activity(run: Run, carried: _wire.WarrantHeaders) -> bool:
    """Must this dispatch be signed in a local activity? Answers as the history says where there is one."""
    run.dispatches += 1
    replaying = workflow.unsafe.is_replaying()
    key_id = carried.key_id
    if key_id not in run.sign_by_activity:
        own = run.headers.get(c.TENUO_KEY_ID_HEADER) == key_id.encode()
        patch = PATCH if own else f"{PATCH}-{key_id}"
        wants = replaying or run.state.config.effective_sign_mode == "activity" or local_signer(run, carried) is None
        run.sign_by_activity[key_id] = wants and workflow.patched(patch)
        return run.sign_by_activity[key_id]
    if run.sign_by_activity[key_id]:
        return True
    # The run signs inline; a worker that has not got the key goes on by activity, dispatch by dispatch.
    if replaying or local_signer(run, carried) is None:
        return workflow.patched(f"{PATCH}-late-{run.dispatches}")
    return False


def inline(run: Run, carried: _wire.WarrantHeaders, tool: str, args: dict[str, Any]) -> bytes:
    """The proof, signed here; zeros while replaying."""
    if workflow.unsafe.is_replaying():
        return NO_POP
    signer = local_signer(run, carried)
    if signer is None:
        return NO_POP  # cannot be: by_activity looked in this same task; an invalid proof denies
    return carried.warrant.sign(signer, tool, args, int(workflow.now().timestamp()))


async def local_activity(name: str, request: dict[str, Any]) -> str:
    """Runs one of the internal activities; its denial is the workflow's, not retryable."""
    try:
        answer: str = await workflow.execute_local_activity(
            name, request, result_type=str, schedule_to_close_timeout=LIMIT,
            retry_policy=RetryPolicy(initial_interval=datetime.timedelta(milliseconds=200), maximum_attempts=3))
        return answer
    except (ActivityError, ApplicationError) as exc:
        if is_cancelled_exception(exc):
            raise  # somebody cancelled the call: no denial
        cause = exc.cause if isinstance(exc, ActivityError) else exc
        if isinstance(cause, ApplicationError):
            raise passed_on(cause) from exc
        late = KeyResolutionError(str(request.get("key_id")), "the store of the signing key did not answer in time", not_found=False)
        late.core_code, late.core_name = 9301, "unavailable"
        raise application_error(late) from exc


async def remote(carried: _wire.WarrantHeaders, tool: str, args: dict[str, Any], when: int) -> bytes:
    """The proof, signed by the internal activity. The time is that of the dispatch."""
    answer = await local_activity(c.SIGN_ACTIVITY, {
        "stack": encode_warrant_stack(carried.chain), "key_id": carried.key_id, "tool": tool, "args": args, "time": when})
    return base64.b64decode(answer)
