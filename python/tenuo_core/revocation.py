# SPDX-License-Identifier: Apache-2.0
"""Signed revocation lists (include/tenuo/revocation.h, spec governance.md 10)."""

from __future__ import annotations

import time
from collections.abc import Iterable
from typing import Any, Self

from . import errors
from ._ffi import NULL, blob, call, exact, ffi, lib, sized, utf8
from .keys import PublicKey, Signer


def _raw_id(warrant_id: str) -> bytes:
    data = utf8(warrant_id, "a warrant id")
    out = ffi.new("uint8_t[16]")
    call(lib.tenuo_warrant_id_parse, data, len(data), out)
    return bytes(out)


class SignedRevocationList:
    """A list as received; its signature is good under the key that it names. Immutable."""

    __slots__ = ("_handle",)
    _handle: Any

    @classmethod
    def from_bytes(cls, data: bytes) -> SignedRevocationList:
        out = ffi.new("struct tenuo_srl **")
        raw = blob(data, "a revocation list")
        call(lib.tenuo_srl_parse, raw, len(raw), NULL, out)
        self = object.__new__(cls)
        self._handle = ffi.gc(out[0], lib.tenuo_srl_unref)
        return self

    @staticmethod
    def builder() -> SrlBuilder:
        return SrlBuilder()

    @classmethod
    def empty(cls, key: Signer) -> SignedRevocationList:
        return SrlBuilder().version(1).build(key)

    @property
    def version(self) -> int:
        return int(lib.tenuo_srl_version(self._handle))

    @property
    def issued_at(self) -> int:
        return int(lib.tenuo_srl_issued_at(self._handle))

    @property
    def issuer(self) -> PublicKey:
        return PublicKey._trusted(sized(lib.tenuo_srl_issuer(self._handle), 32))

    def is_revoked(self, warrant_id: str) -> bool:
        return bool(lib.tenuo_srl_contains(self._handle, _raw_id(warrant_id)))

    def verify(self, expected_issuer: PublicKey) -> None:
        """Raises ChainError (1406) unless this key issued it; the signature was verified when it was read."""
        if self.issuer != expected_issuer:
            errors.raise_code(1406, "the revocation list is of another issuer")

    def __len__(self) -> int:
        return int(lib.tenuo_srl_count(self._handle))


class SrlBuilder:
    """A new list: each version higher than the one before."""

    def __init__(self) -> None:
        self._version = 1
        self._ids: list[bytes] = []
        self._before: SignedRevocationList | None = None

    def version(self, version: int) -> Self:
        self._version = int(version)
        return self

    def revoke(self, warrant_id: str) -> Self:
        self._ids.append(_raw_id(warrant_id))
        return self

    def revoke_all(self, ids: Iterable[str]) -> Self:
        for one in ids:
            self.revoke(one)
        return self

    def from_existing(self, existing: SignedRevocationList) -> Self:
        """Carries its ids forward, under the next version."""
        self._before, self._version = existing, existing.version + 1
        return self

    def build(self, key: Signer, *, now: int | None = None) -> SignedRevocationList:
        return SignedRevocationList.from_bytes(self.to_bytes(key, now=now))

    def to_bytes(self, key: Signer, *, now: int | None = None) -> bytes:
        """Signs; the bytes that other programs read."""
        out = ffi.new("struct tenuo_srl_builder **")
        call(lib.tenuo_srl_builder_new, self._version, out)
        draft = ffi.gc(out[0], lib.tenuo_srl_builder_free)
        if self._before is not None:
            call(lib.tenuo_srl_builder_carry, draft, self._before._handle, NULL, NULL, NULL)
        for one in self._ids:
            call(lib.tenuo_srl_builder_add, draft, exact(one, 16, "an id"))
        data, length = ffi.new("uint8_t **"), ffi.new("size_t *")
        call(lib.tenuo_srl_builder_sign, draft, key._handle, int(time.time()) if now is None else now, data, length)
        try:
            return sized(data[0], length[0])
        finally:
            lib.tenuo_bytes_free(data[0], length[0])


__all__: list[Any] = ["SignedRevocationList", "SrlBuilder"]
