# SPDX-License-Identifier: Apache-2.0
"""Human approvals (include/tenuo/approval.h, spec governance.md 2 to 8): what an approver signs, and reading it back."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Mapping
from typing import Any

from ._ffi import NULL, blob, call, cstring, exact, ffi, lent_bytes, lent_text, lib, sized, utf8
from .keys import PublicKey, Signer, key_bytes
from .values import Args, args_handle
from .verify import ApprovalWanted

ApprovalRequest = ApprovalWanted


@dataclasses.dataclass(frozen=True, slots=True)
class ApprovalPayload:
    """What is approved: one call by its request hash. Times are Unix seconds; the nonce is random when None."""

    request_hash: bytes
    nonce: bytes | None = None
    external_id: str = ""
    approved_at: int | None = None
    expires_at: int | None = None
    extensions: Mapping[str, bytes] | None = None


class SignedApproval:
    """One signed approval. Well formed and signed by the key that it names; who may approve is the decision's to say."""

    __slots__ = ("_handle",)
    _handle: Any

    def __init__(self) -> None:
        raise TypeError("use SignedApproval.create or from_bytes")

    @classmethod
    def _own(cls, handle: Any) -> SignedApproval:
        self = object.__new__(cls)
        self._handle = ffi.gc(handle, lib.tenuo_approval_free)
        return self

    @classmethod
    def from_bytes(cls, data: bytes) -> SignedApproval:
        out = ffi.new("struct tenuo_approval **")
        raw = blob(data, "an approval")
        call(lib.tenuo_approval_parse, raw, len(raw), out)
        return cls._own(out[0])

    @classmethod
    def create(cls, payload: ApprovalPayload, key: Signer) -> SignedApproval:
        """Signs. The lifetime is expires_at - approved_at (default 300 s from now)."""
        out = ffi.new("struct tenuo_approve **")
        call(lib.tenuo_approve_new, exact(payload.request_hash, 32, "a request hash"), out)
        draft = ffi.gc(out[0], lib.tenuo_approve_free)
        now = int(time.time()) if payload.approved_at is None else payload.approved_at
        if payload.nonce is not None:
            lib.tenuo_approve_set_nonce(draft, exact(payload.nonce, 16, "a nonce"))
        if payload.expires_at is not None:
            lib.tenuo_approve_set_lifetime(draft, max(0, payload.expires_at - now))
        label = utf8(payload.external_id, "an external id")
        call(lib.tenuo_approve_set_external_id, draft, label, len(label))
        for name, value in (payload.extensions or {}).items():
            data = utf8(name, "the key of an extension")
            raw = blob(value, "an extension")
            call(lib.tenuo_approve_add_extension, draft, data, len(data), raw, len(raw))
        made = ffi.new("struct tenuo_approval **")
        call(lib.tenuo_approve_sign, draft, key._handle, now, made)
        return cls._own(made[0])

    @classmethod
    def approve(cls, wanted: ApprovalWanted, key: Signer, *, external_id: str = "", lifetime: int = 300, now: int | None = None) -> SignedApproval:
        """Approves the call that a decision asked approval for."""
        at = int(time.time()) if now is None else now
        return cls.create(ApprovalPayload(wanted.request_hash, external_id=external_id, approved_at=at, expires_at=at + lifetime), key)

    def to_bytes(self) -> bytes:
        return lent_bytes(lib.tenuo_approval_bytes, self._handle) or b""

    @property
    def approver_key(self) -> PublicKey:
        return PublicKey._trusted(sized(lib.tenuo_approval_key(self._handle), 32))

    @property
    def payload(self) -> ApprovalPayload:
        h = self._handle
        extensions = {lent_text(lib.tenuo_approval_extension_key, h, i) or "": lent_bytes(lib.tenuo_approval_extension_value, h, i) or b""
                      for i in range(lib.tenuo_approval_extension_count(h))}
        return ApprovalPayload(sized(lib.tenuo_approval_request_hash(h), 32), sized(lib.tenuo_approval_nonce(h), 16),
                               lent_text(lib.tenuo_approval_external_id, h) or "", int(lib.tenuo_approval_approved_at(h)),
                               int(lib.tenuo_approval_expires_at(h)), extensions)

    def verify(self, as_of: int | None = None, tolerance: int = 30) -> ApprovalPayload:
        """Its payload, unless it is dated ahead; expiry is the caller's to judge."""
        call(lib.tenuo_approval_verify, self._handle, int(time.time()) if as_of is None else as_of, tolerance)
        return self.payload

    def __repr__(self) -> str:
        return f"SignedApproval(approver={self.approver_key.fingerprint()})"


def compute_request_hash(warrant_id: str, tool: str, args: Mapping[str, Any] | Args | None, holder: PublicKey | None = None) -> bytes:
    """32 bytes: what approvers sign and audit records (governance.md 2)."""
    name = utf8(tool, "a tool")
    out = ffi.new("uint8_t[32]")
    call(lib.tenuo_request_hash, cstring(warrant_id, "a warrant id"), name, len(name), args_handle(args), NULL if holder is None else key_bytes(holder), out)
    return bytes(out)
