# SPDX-License-Identifier: Apache-2.0
"""Ed25519 keys (include/tenuo/key.h, spec warrant.md 3.4).

A secret lives in the library's guarded memory; Python sees it only where a program asks by name (secret_key_bytes, to_pem). Nothing here
prints, pickles or copies one.
"""

from __future__ import annotations

import os
from typing import Any, NoReturn

from . import errors
from ._ffi import blob, call, call_out, exact, ffi, lib, text, utf8
from ._ffi import path as file_name


class PublicKey:
    """A public key: 32 bytes, a valid point of large order. Equal and hashed by its bytes."""

    __slots__ = ("_raw",)
    _raw: bytes

    @classmethod
    def from_bytes(cls, data: bytes) -> PublicKey:
        """32 bytes. SignatureInvalid (1100) when they are no key or a weak one."""
        raw = exact(data, 32, "a public key")
        code = lib.tenuo_public_key_check(raw)
        if code != 0:
            errors.raise_code(code, "these 32 bytes are no public key, or a weak one")
        return cls._trusted(raw)

    @classmethod
    def _trusted(cls, raw: bytes) -> PublicKey:
        self = object.__new__(cls)
        self._raw = raw
        return self

    @classmethod
    def from_pem(cls, pem: str) -> PublicKey:
        """SPKI PEM alone."""
        return cls._read(lib.tenuo_public_key_parse_pem, pem)

    @classmethod
    def parse(cls, form: str) -> PublicKey:
        """SPKI PEM, 64 hex digits, base64url or base64."""
        return cls._read(lib.tenuo_public_key_parse, form)

    @classmethod
    def _read(cls, function: Any, form: str) -> PublicKey:
        data = utf8(form, "a public key")
        out = ffi.new("uint8_t[32]")
        call(function, data, len(data), out)
        return cls._trusted(bytes(out))

    def to_bytes(self) -> bytes:
        return self._raw

    def to_pem(self) -> str:
        buffer = ffi.new("char[]", lib.TENUO_PUBLIC_PEM_MAX_BYTES)
        lib.tenuo_public_key_pem(self._raw, buffer)
        return text(buffer)

    def to_base64url(self) -> str:
        """43 characters without padding."""
        buffer = ffi.new("char[44]")
        lib.tenuo_public_key_base64url(self._raw, buffer)
        return text(buffer)

    def fingerprint(self) -> str:
        """The first 8 bytes in hex, for people."""
        buffer = ffi.new("char[]", lib.TENUO_FINGERPRINT_TEXT_BYTES)
        lib.tenuo_fingerprint(self._raw, buffer)
        return text(buffer)

    def __bytes__(self) -> bytes:
        return self._raw

    def __eq__(self, other: object) -> bool:
        return self._raw == other._raw if isinstance(other, PublicKey) else NotImplemented

    def __hash__(self) -> int:
        return hash(self._raw)

    def __repr__(self) -> str:
        return f"PublicKey({self._raw.hex()})"

    def __reduce__(self) -> tuple[Any, ...]:
        return (PublicKey.from_bytes, (self._raw,))


def key_bytes(key: PublicKey, what: str = "a public key") -> bytes:
    """The 32 bytes for the library, which does not ask how many there are: of a PublicKey and of nothing else that has a to_bytes."""
    if not isinstance(key, PublicKey):
        raise TypeError(f"{what} must be a PublicKey, not {type(key).__name__}")
    return exact(key._raw, 32, what)


class Signer:
    """What signs for one key: a secret in this process, or a store that signs itself. Shareable between threads.

    After a fork the child opens its own: a local signer made before answers 9301 there.
    """

    __slots__ = ("_handle", "_keep", "_public")
    _handle: Any
    _keep: Any
    _public: PublicKey

    def __init__(self) -> None:
        raise TypeError("a signer comes from SigningKey or from Context.signer")

    @classmethod
    def _from_handle(cls, handle: Any, keep: Any = None) -> Any:
        self = object.__new__(cls)
        self._handle = handle
        self._keep = keep  # what the handle needs alive
        self._public = PublicKey._trusted(bytes(ffi.buffer(lib.tenuo_signer_public_key(handle), 32)))
        return self

    @property
    def public_key(self) -> PublicKey:
        return self._public

    @property
    def is_local(self) -> bool:
        """True when the secret is in this process, so that signing asks nobody."""
        return bool(lib.tenuo_signer_is_local(self._handle))

    def self_test(self) -> None:
        """Signs something meaningless and verifies it; raises what the store says, or 9203."""
        call(lib.tenuo_signer_self_test, self._handle)

    def sign(self, message: bytes) -> bytes:
        """64 bytes over "tenuo-warrant-v1" + message. A store refuses (9304): it is no signing oracle."""
        out = ffi.new("uint8_t[64]")
        data = blob(message, "a message")
        call(lib.tenuo_signer_sign, self._handle, data, len(data), out)
        return bytes(out)

    def __repr__(self) -> str:
        return f"{type(self).__name__}(public_key={self._public.fingerprint()}, secret=[REDACTED])"

    def __reduce__(self) -> NoReturn:
        raise TypeError("a signer holds a secret and is never pickled or copied")


class SigningKey(Signer):
    """A key whose secret is in guarded memory of this process."""

    __slots__ = ()

    def __init__(self) -> None:  # as the reference: SigningKey() makes a new one
        fresh = SigningKey.generate()
        self._handle, self._keep, self._public = fresh._handle, None, fresh._public

    @classmethod
    def _made(cls, function: Any, *args: Any) -> SigningKey:
        made: SigningKey = cls._from_handle(call_out(function, args, "struct tenuo_signer *", lib.tenuo_signer_free))
        return made

    @classmethod
    def generate(cls) -> SigningKey:
        """A fresh key from the operating system's randomness."""
        return cls._made(lib.tenuo_signer_generate)

    @classmethod
    def from_bytes(cls, seed: bytes) -> SigningKey:
        """The 32-byte seed."""
        return cls._made(lib.tenuo_signer_from_seed, exact(seed, 32, "a secret key"))

    @classmethod
    def from_pem(cls, pem: str) -> SigningKey:
        """PKCS#8 PEM."""
        data = utf8(pem, "a secret key")
        return cls._made(lib.tenuo_signer_from_pem, data, len(data))

    @classmethod
    def from_text(cls, form: str) -> SigningKey:
        """PKCS#8 PEM, PEM around hex, hex, base64 or base64url."""
        data = utf8(form, "a secret key")
        return cls._made(lib.tenuo_signer_from_text, data, len(data))

    @classmethod
    def from_file(cls, path: str | os.PathLike[str]) -> SigningKey:
        """A key file; refused when it is a link or when others may read it."""
        return cls._made(lib.tenuo_signer_from_file, file_name(path))

    def public_key_bytes(self) -> bytes:
        return self._public.to_bytes()

    def secret_key_bytes(self) -> bytes:
        """The 32-byte seed, in Python's own memory: nobody wipes it there. For writing it into a store."""
        out = ffi.new("uint8_t[32]")
        try:
            call(lib.tenuo_signer_seed, self._handle, out)
            return bytes(out)
        finally:
            lib.tenuo_wipe(out, 32)

    def to_pem(self) -> str:
        """PKCS#8 PEM (version 2, with the public key). The same warning as secret_key_bytes."""
        size = lib.TENUO_SECRET_PEM_MAX_BYTES
        out = ffi.new("char[]", size)
        try:
            call(lib.tenuo_signer_secret_pem, self._handle, 2, out)
            return text(out)
        finally:
            lib.tenuo_wipe(out, size)

    def sign_raw(self, data: bytes) -> bytes:
        """As sign: always under the protocol's own prefix."""
        return self.sign(data)


__all__ = ["PublicKey", "Signer", "SigningKey"]
