# SPDX-License-Identifier: Apache-2.0
"""Errors with the protocol's codes (spec warrant.md 9; include/tenuo/error.h).

One class a family, so that callers catch what they can act on; `code` and `name` say exactly what it was. No message ever holds a key, a
seed, a token or an argument value: the library's own rule, kept here.
"""

from __future__ import annotations

from typing import NoReturn


class TenuoError(Exception):
    """Something was refused or could not be decided.

    code: number of the protocol (1000-2199) or of this library (9000-9999: nothing was decided).
    name: its kebab-case name on the wire, "warrant-expired".
    """

    code: int = 9001

    def __init__(self, message: str, code: int | None = None) -> None:
        super().__init__(message)
        if code is not None:
            self.code = code

    @property
    def name(self) -> str:
        from ._ffi import code_name

        return code_name(self.code)

    @property
    def error_code(self) -> str:
        """The name with underscores, as other implementations put it on the wire: "warrant_expired"."""
        return self.name.replace("-", "_")


class ConfigurationError(TenuoError):
    """The configuration, or the way in which the library is set up, is wrong (9100, 9001, plugins 92xx)."""

    code = 9100


class ValidationError(TenuoError):
    """An argument of this call is wrong (9001)."""


class DeserializationError(TenuoError):
    """Bytes that are not what they should be (10xx, 12xx, 19xx)."""

    code = 1202


class SignatureInvalid(TenuoError):
    """A signature or a key is not good (1100)."""

    code = 1100


class ExpiredError(TenuoError):
    """A warrant is not valid at this time (13xx)."""

    code = 1300


class ChainError(TenuoError):
    """A chain does not hold together or ends at no trusted root (14xx)."""

    code = 1405


class AuthorizationDenied(TenuoError):
    """The warrant does not allow the call (15xx but delegation)."""

    code = 1500


class ToolNotAuthorized(AuthorizationDenied):
    """The warrant does not name the tool (1500)."""


class ConstraintViolation(AuthorizationDenied):
    """An argument is outside of what the warrant allows (1501)."""

    code = 1501


class MonotonicityError(TenuoError):
    """A child that would allow more than its parent (1502, 1503)."""

    code = 1502


class ApprovalError(TenuoError):
    """Approvals are missing or do not count (17xx)."""

    code = 1700


class RevokedError(TenuoError):
    """The warrant, or the list that says so, is refused (18xx)."""

    code = 1800


class KeyNotFound(TenuoError):
    """The store said that it has no such key (9300)."""

    code = 9300


class Unavailable(TenuoError):
    """Something that is needed did not answer (9301)."""

    code = 9301


class WouldBlock(TenuoError):
    """The answer needs input or output, which this call was forbidden (9302)."""

    code = 9302


class KeyConflict(TenuoError):
    """Two stores have two keys for one id (9303)."""

    code = 9303


class KeyDenied(TenuoError):
    """The store refuses (9304)."""

    code = 9304


class KeyInvalid(TenuoError):
    """What the store has under the id is no key (9305)."""

    code = 9305


class HolderMismatch(TenuoError):
    """The key is not the warrant's holder (9306)."""

    code = 9306


class AuditRefused(TenuoError):
    """A required audit sink did not take the record (9400)."""

    code = 9400


class Replayed(TenuoError):
    """The call was seen before, or the replay store is full (9401)."""

    code = 9401


_EXACT: dict[int, type[TenuoError]] = {
    1500: ToolNotAuthorized,
    1501: ConstraintViolation,
    1502: MonotonicityError,
    1503: MonotonicityError,
    9001: ValidationError,
    **{c.code: c for c in (KeyNotFound, Unavailable, WouldBlock, KeyConflict, KeyDenied, KeyInvalid, HolderMismatch, AuditRefused, Replayed)},
}
_FAMILY: dict[int, type[TenuoError]] = {
    10: DeserializationError,
    11: SignatureInvalid,
    12: DeserializationError,
    13: ExpiredError,
    14: ChainError,
    15: AuthorizationDenied,
    17: ApprovalError,
    18: RevokedError,
    19: DeserializationError,
    91: ConfigurationError,
    92: ConfigurationError,
}


def class_of(code: int) -> type[TenuoError]:
    """The class for a code; TenuoError itself for one without a family."""
    return _EXACT.get(code) or _FAMILY.get(code // 100) or TenuoError


def raise_code(code: int, message: str) -> NoReturn:
    """Raises the class of the code. 9000 (memory) is Python's own MemoryError."""
    if code == 9000:
        raise MemoryError(message)
    raise class_of(code)(message, code)
