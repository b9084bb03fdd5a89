# SPDX-License-Identifier: Apache-2.0
"""Python values to the library's typed values (include/tenuo/request.h, spec warrant.md 2).

None, bool, int (64 bits), float, str, lists or tuples of them, and mappings from str. Everything else is a TypeError that names the type,
never a guess. The encoding is the library's.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from . import errors
from ._ffi import NULL, check, ffi, lib, utf8

MAX_DEPTH = 64


def _scalar(value: Any, out: Any) -> int | None:
    """Fills `out`; None when the value is no scalar."""
    if value is None:
        return int(lib.tenuo_value_null(out))
    if isinstance(value, bool):
        return int(lib.tenuo_value_bool(value, out))
    if isinstance(value, int):
        if not -(2**63) <= value < 2**63:
            raise errors.ValidationError("an integer argument must fit into 64 bits")
        return int(lib.tenuo_value_int(int(value), out))
    if isinstance(value, float):
        return int(lib.tenuo_value_float(value, out))
    if isinstance(value, str):
        data = utf8(str(value), "a text argument")
        return int(lib.tenuo_value_string(data, len(data), out, NULL))
    return None


def value_handle(value: Any, depth: int = 0) -> Any:
    """A value of the library, freed with the handle. TypeError for what has no counterpart."""
    out = ffi.new("struct tenuo_value **")
    code = _scalar(value, out)
    if code is None:
        code = _compound(value, depth, out)
    if code != 0:
        check(code, None)
    return ffi.gc(out[0], lib.tenuo_value_free)


def _compound(value: Any, depth: int, out: Any) -> int:
    if depth >= MAX_DEPTH:
        raise errors.ValidationError(f"arguments may be nested at most {MAX_DEPTH} deep")
    err = ffi.new("struct tenuo_error *")
    if isinstance(value, (list, tuple)):
        items = [value_handle(item, depth + 1) for item in value]
        code = int(lib.tenuo_value_list(ffi.new("struct tenuo_value *[]", items), len(items), out, err))
    elif isinstance(value, Mapping):
        pairs = list(value.items())  # once: a mapping that changes meanwhile, or whose values are more than its keys, must not mix them up
        keys = [utf8(key, "a key of an object argument") for key, _ in pairs]
        texts = [ffi.from_buffer("char[]", key) for key in keys]
        items = [value_handle(item, depth + 1) for _, item in pairs]
        code = int(lib.tenuo_value_object(ffi.new("char *[]", texts), ffi.new("size_t[]", [len(k) for k in keys]),
                                          ffi.new("struct tenuo_value *[]", items), len(items), out, err))
    else:
        raise TypeError(f"an argument of type {type(value).__name__} has no counterpart in a warrant: "
                        "use None, bool, int, float, str, list or dict")
    check(code, err)
    return code


class Args:
    """The arguments of one call as the library's argument map. Immutable; shareable between threads."""

    __slots__ = ("_handle",)
    _handle: Any

    def __init__(self, arguments: Mapping[str, Any] | None = None) -> None:
        out = ffi.new("struct tenuo_args **")
        err = ffi.new("struct tenuo_error *")
        check(lib.tenuo_args_new(out, err), err)
        self._handle = ffi.gc(out[0], lib.tenuo_args_free)
        for name, value in (arguments or {}).items():
            data = utf8(name, "the name of an argument")
            check(lib.tenuo_args_put(self._handle, data, len(data), value_handle(value, 1), err), err)

    def __len__(self) -> int:
        return int(lib.tenuo_args_count(self._handle))


def args_handle(arguments: Mapping[str, Any] | Args | None) -> Any:
    """The handle for a call; NULL for none."""
    if arguments is None:
        return NULL
    return (arguments if isinstance(arguments, Args) else Args(arguments))._handle
