# SPDX-License-Identifier: Apache-2.0
"""Tenuo: capability warrants. The objects are those of tenuo_core, identically; tenuo.temporal guards Temporal workers.

    root, holder = SigningKey.generate(), SigningKey.generate()
    warrant = Warrant.mint_builder().holder(holder.public_key).capability("read_file", path=Subpath("/data")).ttl(600).mint(root)
    proof = warrant.sign(holder, "read_file", {"path": "/data/report.txt"})
    Authorizer([root.public_key]).authorize(warrant, "read_file", {"path": "/data/report.txt"}, proof)
"""

from __future__ import annotations

from tenuo_core import *  # noqa: F403
from tenuo_core import __all__ as _core_all
from tenuo_core import __version__ as __version__
from tenuo_core.errors import (ApprovalError, AuditRefused, AuthorizationDenied, ChainError, ConstraintViolation, DeserializationError,
                               ExpiredError, HolderMismatch, KeyConflict, KeyDenied, KeyInvalid, KeyNotFound, MonotonicityError, Replayed,
                               RevokedError, SignatureInvalid, ToolNotAuthorized, Unavailable, ValidationError, WouldBlock)

ScopeViolation = AuthorizationDenied

__all__ = [*_core_all, "ApprovalError", "AuditRefused", "AuthorizationDenied", "ChainError", "ConstraintViolation", "DeserializationError",
           "ExpiredError", "HolderMismatch", "KeyConflict", "KeyDenied", "KeyInvalid", "KeyNotFound", "MonotonicityError", "Replayed",
           "RevokedError", "ScopeViolation", "SignatureInvalid", "ToolNotAuthorized", "Unavailable", "ValidationError", "WouldBlock"]
