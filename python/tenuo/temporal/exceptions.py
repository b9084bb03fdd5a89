# SPDX-License-Identifier: Apache-2.0
"""Exceptions of tenuo.temporal, their codes on the wire, and the one place that turns them into ApplicationErrors (spec temporal.md 10.3).

`error_code` becomes ApplicationError.type; details[0] says core_code, core_name, field and reason. No text quotes an argument value.
"""

from __future__ import annotations

import datetime
from typing import TYPE_CHECKING, Any

from temporalio.exceptions import ApplicationError
from tenuo_core.errors import ConfigurationError as ConfigurationError
from tenuo_core.errors import TenuoError

if TYPE_CHECKING:
    from tenuo_core.verify import Decision


class TenuoTemporalError(Exception):
    """The common part. core_code: the library's code, 0 when it was not asked. retryable: nothing was decided and trying again may help."""

    error_code = "CONSTRAINT_VIOLATED"
    core_code: int = 0
    core_name: str = ""
    field: str = ""
    reason: str = ""
    retryable: bool = False

    def detail(self) -> dict[str, Any]:
        return {"core_code": self.core_code, "core_name": self.core_name, "field": self.field, "reason": self.reason or str(self)}


class TenuoContextError(TenuoTemporalError):
    """Headers, key or context that a workflow needs are not there."""

    error_code = "CONTEXT_MISSING"


class TenuoPreValidationError(TenuoContextError):
    """Argument names that the warrant can never allow, found before signing. Lists all unknown and all missing ones."""

    error_code = "PRE_VALIDATION_FAILED"


class TenuoArgNormalizationError(TypeError):
    """An argument of a type that no warrant can speak about."""

    error_code = "ARG_NORMALIZATION_FAILED"
    core_code, core_name, field, reason, retryable = 0, "", "", "", False

    def detail(self) -> dict[str, Any]:
        return {"core_code": 0, "core_name": "", "field": self.field, "reason": str(self)}


class LocalActivityError(TenuoTemporalError):
    """A protected function was started as a local activity, where nothing is checked."""

    error_code = "LOCAL_ACTIVITY_BLOCKED"

    def __init__(self, activity_name: str) -> None:
        self.activity_name = activity_name
        super().__init__(f"activity '{activity_name}' is protected and must not run as a local activity: start it as an activity, or mark it @unprotected")


class PopVerificationError(TenuoTemporalError):
    """The proof of possession is missing or not good."""

    error_code = "POP_VERIFICATION_FAILED"

    def __init__(self, reason: str, activity_name: str) -> None:
        self.reason, self.activity_name = reason, activity_name
        super().__init__(f"proof of possession for '{activity_name}' refused: {reason}")


class ConstraintViolation(TenuoTemporalError):
    """The warrant does not allow the tool or an argument. `arguments` are redacted where the configuration says so."""

    error_code = "CONSTRAINT_VIOLATED"

    def __init__(self, tool: str, arguments: dict[str, Any], constraint: str, warrant_id: str) -> None:
        self.tool, self.arguments, self.constraint, self.warrant_id = tool, arguments, constraint, warrant_id
        super().__init__(f"tool '{tool}' denied: {constraint}")


TemporalConstraintViolation = ConstraintViolation


class WarrantExpired(TenuoTemporalError):
    """The warrant's time is over."""

    error_code = "WARRANT_EXPIRED"

    def __init__(self, warrant_id: str, expired_at: datetime.datetime | None) -> None:
        self.warrant_id, self.expired_at = warrant_id, expired_at
        super().__init__(f"warrant {warrant_id} expired" + (f" at {expired_at.isoformat()}" if expired_at else ""))


class ChainValidationError(TenuoTemporalError):
    """The chain is broken, too deep, untrusted or undecodable."""

    error_code = "CHAIN_INVALID"

    def __init__(self, reason: str, depth: int) -> None:
        self.reason, self.depth = reason, depth
        super().__init__(f"chain refused at depth {depth}: {reason}")


class KeyResolutionError(TenuoTemporalError):
    """No signing key for this id. `not_found`: the store itself said so; otherwise it could not answer."""

    error_code = "KEY_NOT_FOUND"

    def __init__(self, key_id: str, reason: str = "", *, not_found: bool = True) -> None:
        self.key_id, self.reason, self.not_found = key_id, reason, not_found
        super().__init__(f"cannot resolve key '{key_id}'" + (f": {reason}" if reason else ""))


class DecisionError(TenuoTemporalError):
    """A denial that keeps the library's own name on the wire: approvals, revocation; and what could not be decided at all."""

    def __init__(self, name: str, reason: str, *, decision: Decision | None = None) -> None:
        self.error_code = name
        self.decision = decision
        self.reason = reason
        super().__init__(reason)


_KEPT = {1700: "insufficient_approvals", 1701: "invalid_approval", 1702: "invalid_approval", 1703: "approval_expired", 1705: "invalid_approval",
         1706: "invalid_approval", 1707: "approval_required", 1800: "revoked"}
_VIOLATIONS = frozenset({1406, 1500, 1501, 1504})


def _is_chain(code: int, step: str) -> bool:
    if code // 100 in (10, 12, 14, 19) or code in (1302, 1303):
        return True
    return code in (1100, 1502, 1503) and step != "pop"


def from_decision(decision: Decision, *, activity_name: str, arguments: dict[str, Any], warrant_id: str) -> TenuoTemporalError:
    """The exception for a denial. `arguments` are as they may be shown."""
    code, reason = decision.code, decision.reason
    made: TenuoTemporalError
    if code in _KEPT:
        made = DecisionError(_KEPT[code], reason, decision=decision)
    elif code == 9401:
        made = PopVerificationError("replay detected", activity_name)
    elif code >= 9000:
        made = DecisionError("CONSTRAINT_VIOLATED", f"no decision: {reason}", decision=decision)
        made.retryable = True
    elif code == 1300:
        when = datetime.datetime.fromtimestamp(decision.expires_at, datetime.timezone.utc) if 0 < decision.expires_at < 2**40 else None
        made = WarrantExpired(warrant_id, when)
    elif code in _VIOLATIONS:
        made = ConstraintViolation(decision.tool or activity_name, arguments, reason, warrant_id)
    elif _is_chain(code, decision.step):
        made = ChainValidationError(reason, max(decision.link, 0))
    elif code == 1100:
        made = PopVerificationError(reason, activity_name)
    else:
        made = ConstraintViolation(decision.tool or activity_name, arguments, reason, warrant_id)
    made.core_code, made.core_name, made.field, made.reason = code, decision.name, decision.field, reason
    return made


def from_key_error(exc: TenuoError, key_id: str) -> TenuoTemporalError:
    """What a resolver or a signer said, for one key id."""
    made: TenuoTemporalError
    if exc.code == 9306:
        made = TenuoContextError(f"key id '{key_id}' does not match holder: its public key is not the warrant's holder")
    else:
        made = KeyResolutionError(key_id, str(exc), not_found=exc.code == 9300)
    made.core_code, made.core_name, made.reason = exc.code, exc.name, str(exc)
    return made


def from_minting(exc: TenuoError) -> TenuoTemporalError:
    """A child that the library refused to make."""
    made = ConstraintViolation("delegation", {}, str(exc), "<child>")
    made.core_code, made.core_name, made.reason = exc.code, exc.name, str(exc)
    return made


def application_error(exc: BaseException, *, may_retry: bool = False) -> ApplicationError:
    """The error as it crosses the wire. Non-retryable, but for what could not be decided where the caller may try again."""
    code = getattr(exc, "error_code", type(exc).__name__)
    detail = exc.detail() if isinstance(exc, (TenuoTemporalError, TenuoArgNormalizationError)) else {
        "core_code": getattr(exc, "code", 0), "core_name": getattr(exc, "name", ""), "field": "", "reason": str(exc)}
    error = ApplicationError(str(exc), detail, type=code, non_retryable=not (may_retry and getattr(exc, "retryable", False)))
    error.__cause__ = exc
    return error


def passed_on(error: ApplicationError) -> ApplicationError:
    """The denial of an internal activity as the workflow's own: not retryable."""
    return ApplicationError(error.message, *error.details, type=error.type, non_retryable=True)


def internal_error() -> TenuoTemporalError:
    """For any exception that nobody expected: fails closed and says nothing of what it was."""
    return DecisionError("CONSTRAINT_VIOLATED", "Internal authorization error")
