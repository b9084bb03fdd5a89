# SPDX-License-Identifier: Apache-2.0
"""Every exception of tenuo with its codes, and the names under which other implementations know some of them."""

from __future__ import annotations

from tenuo_core.errors import *  # noqa: F403
from tenuo_core.errors import (ApprovalError, AuthorizationDenied, ChainError, DeserializationError, ExpiredError, SignatureInvalid, TenuoError,
                               ValidationError)

ScopeViolation = AuthorizationError = Unauthorized = AuthorizationDenied
CryptoError = PopError = SignatureMismatch = SignatureInvalid
SerializationError = LimitError = PayloadTooLarge = UnsupportedVersion = DeserializationError
BrokenChain = UntrustedRoot = DepthExceeded = ParentRequired = ChainError
InsufficientApprovals = InvalidApproval = ApprovalExpired = ApprovalGateTriggered = ApprovalError
MissingField = InvalidTtl = InvalidWarrantId = ValidationError
WarrantExpired = ExpiredError

__all__ = [name for name, value in list(globals().items()) if isinstance(value, type) and issubclass(value, (TenuoError,))]
