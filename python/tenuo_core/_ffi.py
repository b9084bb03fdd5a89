# SPDX-License-Identifier: Apache-2.0
"""Calls into libtenuo: the one place that knows how its functions report errors and hand out objects.

Every call of `lib` releases the GIL. Handles are owned by ffi.gc, which frees them once, also at interpreter shutdown; the functions that
free do no I/O worth waiting for, so a finalizer never blocks.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

from . import errors
from ._native import ffi as ffi
from ._native import lib as lib

NULL = ffi.NULL


def text(pointer: Any) -> str:
    """A NUL-terminated string of the library."""
    return bytes(ffi.string(pointer)).decode("utf-8", "replace")


def code_name(code: int) -> str:
    return text(lib.tenuo_err_name(code))


def code_text(code: int) -> str:
    return text(lib.tenuo_err_text(code))


def check(code: int, err: Any) -> None:
    """Raises what a call returned, with the sentence of its error structure (or of the code alone)."""
    if code != 0:
        message = text(err.msg) if err is not None and err != NULL else ""
        errors.raise_code(code, message or code_text(code))


def call(function: Callable[..., int], *args: Any) -> None:
    """Calls a function whose last parameter is `reterr`."""
    err = ffi.new("struct tenuo_error *")
    code = function(*args, err)
    if code != 0:
        check(code, err)


def call_out(function: Callable[..., int], before: tuple[Any, ...], kind: str, free: Any, after: tuple[Any, ...] = ()) -> Any:
    """Calls a function that hands out an object: its parameters are `before`, the out parameter, `after`, reterr."""
    out = ffi.new(kind + "*")
    call(function, *before, out, *after)
    return ffi.gc(out[0], free)


def sized(pointer: Any, length: int) -> bytes:
    """A copy of what the library lent; empty for NULL."""
    return bytes(ffi.buffer(pointer, length)) if pointer != NULL else b""


def lent_text(function: Callable[..., Any], *args: Any) -> str | None:
    """Text of a getter that returns a pointer and *ret_len; None for NULL."""
    length = ffi.new("size_t *")
    pointer = function(*args, length)
    return None if pointer == NULL else sized(pointer, length[0]).decode("utf-8", "replace")


def lent_bytes(function: Callable[..., Any], *args: Any) -> bytes | None:
    length = ffi.new("size_t *")
    pointer = function(*args, length)
    return None if pointer == NULL else sized(pointer, length[0])


def allocated(function: Callable[..., int], *args: Any) -> bytes:
    """Bytes of a function that allocates `ret_bytes, ret_len` before `reterr`."""
    out, length = ffi.new("uint8_t **"), ffi.new("size_t *")
    call(function, *args, out, length)
    try:
        return sized(out[0], length[0])
    finally:
        lib.tenuo_bytes_free(out[0], length[0])


def encoded(function: Callable[..., int], handle: Any, form: int) -> bytes:
    """Bytes of tenuo_stack_encode and its kin: asked for the size first."""
    length = ffi.new("size_t *")
    call(function, handle, form, NULL, length)
    buffer = ffi.new("uint8_t[]", length[0])
    call(function, handle, form, buffer, length)
    return bytes(ffi.buffer(buffer, length[0]))


def blob(value: Any, what: str) -> bytes:
    """Plain bytes of anything that holds bytes. Always a copy: the library trusts the length that goes along, and a subclass may lie about its
    own, and of an array of wider items len() is not the number of bytes."""
    try:
        return memoryview(value).tobytes()
    except TypeError:
        raise TypeError(f"{what} must be bytes, not {type(value).__name__}") from None


def utf8(value: str, what: str) -> bytes:
    """Text for the library; a lone surrogate is an error here, not a traceback from the codec."""
    if not isinstance(value, str):
        raise TypeError(f"{what} must be str, not {type(value).__name__}")
    try:
        return str.encode(value, "utf-8")  # not a subclass's own encode, whose bytes could be anything
    except UnicodeEncodeError:
        raise errors.ValidationError(f"{what} is not valid Unicode text") from None


def cstring(value: str, what: str) -> bytes:
    """Text for a NUL-terminated parameter: one with a NUL inside would be cut there, so it is refused."""
    data = utf8(value, what)
    if b"\0" in data:
        raise errors.ValidationError(f"{what} must not contain a NUL character")
    return data


def path(value: str | bytes | os.PathLike[Any]) -> bytes:
    """A file's name: one with a NUL inside would be another file's."""
    data = b"" + os.fsencode(value)
    if b"\0" in data:
        raise errors.ValidationError("a path must not contain a NUL character")
    return data


def exact(value: bytes, size: int, what: str) -> bytes:
    """Bytes of exactly this size."""
    data = blob(value, what)
    if len(data) != size:
        raise errors.ValidationError(f"{what} must be {size} bytes, not {len(data)}")
    return data
