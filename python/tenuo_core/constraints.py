# SPDX-License-Identifier: Apache-2.0
"""Argument constraints (include/tenuo/constraint.h, spec constraints.md): what they match and what may replace them is the library's answer.

Immutable. Equal when their encodings are. A constraint that was read out of a warrant has no Python attributes of its own, but the same
behaviour and `describe()`.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

from . import errors
from ._ffi import NULL, blob, call, cstring, ffi, lent_bytes, lib, text, utf8
from .values import value_handle


class Constraint:
    """The common part. `matches` and `satisfies` raise when the value cannot be judged: an error is never a no, which a Not would invert."""

    __slots__ = ("_handle", "_args")
    TYPE: ClassVar[int] = 0
    _handle: Any
    _args: dict[str, Any]

    def __init__(self) -> None:
        raise TypeError("use one of the constraint classes")

    def _set(self, handle: Any, **args: Any) -> None:
        self._handle = ffi.gc(handle, lib.tenuo_constraint_free)
        self._args = args

    def _make(self, function: Any, *before: Any, **args: Any) -> None:
        out = ffi.new("struct tenuo_constraint **")
        call(function, *before, out)
        self._set(out[0], **args)

    def __getattr__(self, name: str) -> Any:
        if not name.startswith("_") and name in self._args:
            return self._args[name]
        raise AttributeError(f"{type(self).__name__} has no attribute {name!r}")

    def matches(self, value: Any) -> bool:
        """Does this one value satisfy the constraint?"""
        from .verify import matchers

        out = ffi.new("int *")
        needs = lib.tenuo_constraint_needs_matcher(self._handle) != 0
        call(lib.tenuo_constraint_match, self._handle, value_handle(value), matchers() if needs else NULL, int(time.time()) if needs else 0, out)
        return bool(out[0] == lib.TENUO_MATCH)

    satisfies = contains = allows = is_safe = matches

    def validate_attenuation(self, child: Constraint) -> None:
        """May `child` replace this one in a delegation? Raises MonotonicityError or ConstraintViolation when not."""
        from .verify import matchers

        needs = any(lib.tenuo_constraint_needs_matcher(c._handle) != 0 for c in (self, child))
        call(lib.tenuo_constraint_attenuates, self._handle, child._handle, matchers() if needs else NULL, int(time.time()) if needs else 0)

    def to_bytes(self) -> bytes:
        """`[type, payload]` as inside a warrant."""
        return lent_bytes(lib.tenuo_constraint_cbor, self._handle) or b""

    def describe(self) -> str:
        """One line for people."""
        buffer = ffi.new("char[]", 1024)
        lib.tenuo_constraint_describe(self._handle, buffer, 1024)
        return text(buffer)

    def __eq__(self, other: object) -> bool:
        return self.to_bytes() == other.to_bytes() if isinstance(other, Constraint) else NotImplemented

    def __hash__(self) -> int:
        return hash(self.to_bytes())

    def __repr__(self) -> str:
        return self.describe()

    def __reduce__(self) -> tuple[Any, ...]:
        return (parse_constraint, (self.to_bytes(),))


class Exact(Constraint):
    """Equal to this one value, of the same type."""

    __slots__ = ()
    TYPE = 1

    def __init__(self, value: Any) -> None:
        self._make(lib.tenuo_constraint_exact, value_handle(value), value=value)


class _Text(Constraint):
    __slots__ = ()

    def _text(self, form: str, name: str) -> None:
        data = utf8(form, f"{type(self).__name__}'s text")
        self._make(lib.tenuo_constraint_text, self.TYPE, data, len(data), **{name: form})


class Pattern(_Text):
    """A text that matches a glob: `*`, `?`, `[...]`."""

    __slots__ = ()
    TYPE = 2

    def __init__(self, pattern: str) -> None:
        self._text(pattern, "pattern")


class Regex(_Text):
    """A text that matches a regular expression as a whole (RE2's dialect); needs the plugin regex."""

    __slots__ = ()
    TYPE = 5

    def __init__(self, pattern: str) -> None:
        self._text(pattern, "pattern")


class Cidr(_Text):
    """An IP address within a network."""

    __slots__ = ()
    TYPE = 8

    def __init__(self, cidr: str) -> None:
        self._text(cidr, "network")


class UrlPattern(_Text):
    """A URL that matches scheme, host and path."""

    __slots__ = ()
    TYPE = 9

    def __init__(self, pattern: str) -> None:
        self._text(pattern, "pattern")


class CEL(_Text):
    """A CEL expression over `value` that is true; needs the plugin cel."""

    __slots__ = ()
    TYPE = 15

    def __init__(self, expression: str) -> None:
        self._text(expression, "expression")


class Range(Constraint):
    """A number from min to max, both included unless said otherwise."""

    __slots__ = ()
    TYPE = 3

    def __init__(self, min: float | None = None, max: float | None = None, *, min_inclusive: bool = True, max_inclusive: bool = True) -> None:
        bounds = [NULL if b is None else ffi.new("double *", float(b)) for b in (min, max)]
        self._make(lib.tenuo_constraint_range, *bounds, min_inclusive, max_inclusive, min=min, max=max, min_inclusive=min_inclusive,
                   max_inclusive=max_inclusive)

    @classmethod
    def max_value(cls, max: float) -> Range:
        return cls(None, max)

    @classmethod
    def min_value(cls, min: float) -> Range:
        return cls(min, None)


class _Values(Constraint):
    __slots__ = ()
    NAME: ClassVar[str]

    def __init__(self, values: Sequence[Any]) -> None:
        handles = [value_handle(v) for v in values]
        self._make(lib.tenuo_constraint_values, self.TYPE, ffi.new("struct tenuo_value *[]", handles), len(handles), **{self.NAME: list(values)})


class OneOf(_Values):
    """One of these values."""

    __slots__ = ()
    TYPE, NAME = 4, "values"


class NotOneOf(_Values):
    """None of these values."""

    __slots__ = ()
    TYPE, NAME = 7, "excluded"


class Contains(_Values):
    """A list that has all of these."""

    __slots__ = ()
    TYPE, NAME = 10, "required"


class Subset(_Values):
    """A list of nothing but these."""

    __slots__ = ()
    TYPE, NAME = 11, "allowed"


class _Combine(Constraint):
    __slots__ = ()

    def _combine(self, inner: Sequence[Constraint]) -> None:
        self._make(lib.tenuo_constraint_combine, self.TYPE, ffi.new("struct tenuo_constraint *[]", [c._handle for c in inner]), len(inner),
                   constraints=list(inner))


class All(_Combine):
    """Every one of these constraints."""

    __slots__ = ()
    TYPE = 12

    def __init__(self, constraints: Sequence[Constraint]) -> None:
        self._combine(list(constraints))


class AnyOf(_Combine):
    """At least one of these constraints."""

    __slots__ = ()
    TYPE = 13

    def __init__(self, constraints: Sequence[Constraint]) -> None:
        self._combine(list(constraints))


class Not(_Combine):
    """Not this constraint."""

    __slots__ = ()
    TYPE = 14

    def __init__(self, constraint: Constraint) -> None:
        self._combine([constraint])


class Wildcard(Constraint):
    """Any value at all: declares an argument without restricting it."""

    __slots__ = ()
    TYPE = 16

    def __init__(self) -> None:
        self._make(lib.tenuo_constraint_wildcard)


AnyValue = Wildcard


class Subpath(Constraint):
    """A path below `root`, normalised, so that no `..` leads out. allow_equal: the root itself too."""

    __slots__ = ()
    TYPE = 17

    def __init__(self, root: str, case_sensitive: bool = True, allow_equal: bool = True) -> None:
        data = utf8(root, "a root")
        self._make(lib.tenuo_constraint_subpath, data, len(data), case_sensitive, allow_equal, root=root, case_sensitive=case_sensitive,
                   allow_equal=allow_equal)


class UrlSafe(Constraint):
    """A URL that leads to no place inside: private, loopback, metadata and reserved addresses are blocked by default."""

    __slots__ = ()
    TYPE = 18

    def __init__(self, allow_schemes: Sequence[str] | None = None, allow_domains: Sequence[str] | None = None,
                 deny_domains: Sequence[str] | None = None, allow_ports: Sequence[int] | None = None, block_private: bool = True,
                 block_loopback: bool = True, block_metadata: bool = True, block_reserved: bool = True,
                 block_internal_tlds: bool = False) -> None:
        options = ffi.new("struct tenuo_url_safe *")
        options.size = ffi.sizeof("struct tenuo_url_safe")
        keep: list[Any] = []
        for name, words in (("schemes", allow_schemes), ("allow_domains", allow_domains), ("deny_domains", deny_domains)):
            if words is not None:
                texts = [ffi.from_buffer("char[]", cstring(w, name) + b"\0") for w in words]
                keep += [texts, ffi.new("char *[]", texts)]
                setattr(options, name, keep[-1])
                setattr(options, "n" + name, len(texts))
        if allow_ports is not None:
            ports = list(allow_ports)
            keep.append(ffi.new("uint16_t[]", ports))
            options.allow_ports, options.nallow_ports = keep[-1], len(ports)
        options.block_private, options.block_loopback = block_private, block_loopback
        options.block_metadata, options.block_reserved = block_metadata, block_reserved
        options.block_internal_tlds = block_internal_tlds
        self._make(lib.tenuo_constraint_url_safe, options, schemes=allow_schemes, allow_domains=allow_domains, deny_domains=deny_domains,
                   allow_ports=allow_ports, block_private=block_private, block_loopback=block_loopback, block_metadata=block_metadata,
                   block_reserved=block_reserved, block_internal_tlds=block_internal_tlds)


class Shlex(Constraint):
    """A command line whose program is one of `allow` and that holds nothing a shell would interpret."""

    __slots__ = ()
    TYPE = 128

    def __init__(self, allow: Sequence[str]) -> None:
        texts = [ffi.from_buffer("char[]", cstring(w, "a program") + b"\0") for w in allow]
        self._make(lib.tenuo_constraint_shlex, ffi.new("char *[]", texts), len(texts), allow=list(allow))


class Unknown(Constraint):
    """A type that this library does not know: kept, and never matched."""

    __slots__ = ()


_CLASSES: dict[int, type[Constraint]] = {
    c.TYPE: c
    for c in (Exact, Pattern, Range, OneOf, Regex, NotOneOf, Cidr, UrlPattern, Contains, Subset, All, AnyOf, Not, CEL, Wildcard, Subpath, UrlSafe, Shlex)
}


def parse_constraint(data: bytes) -> Constraint:
    """A constraint from `[type, payload]`."""
    out = ffi.new("struct tenuo_constraint **")
    raw = blob(data, "a constraint")
    call(lib.tenuo_constraint_parse, raw, len(raw), out)
    made = object.__new__(_CLASSES.get(int(lib.tenuo_constraint_get_type(out[0])), Unknown))
    made._set(out[0])
    return made


def constraints_of_set(handle: Any) -> dict[str, Constraint]:
    """Copies of the constraints of a set by argument name."""
    found: dict[str, Constraint] = {}
    name, length = ffi.new("char **"), ffi.new("size_t *")
    for i in range(lib.tenuo_constraint_set_count(handle)):
        one = lib.tenuo_constraint_set_get(handle, i, name, length)
        found[bytes(ffi.buffer(name[0], length[0])).decode("utf-8", "replace")] = parse_constraint(lent_bytes(lib.tenuo_constraint_cbor, one) or b"")
    return found


ALLOW_UNKNOWN = "_allow_unknown"


def constraint_of(value: Any) -> Constraint:
    """A constraint as it is; anything else means exactly this value."""
    return value if isinstance(value, Constraint) else Exact(value)


def set_handle(constraints: Mapping[str, Any] | None) -> Any:
    """A set of the library: names to constraints or plain values; `_allow_unknown=True` lets other arguments through."""
    out = ffi.new("struct tenuo_constraint_set **")
    call(lib.tenuo_constraint_set_new, out)
    handle = ffi.gc(out[0], lib.tenuo_constraint_set_free)
    for name, value in (constraints or {}).items():
        if name == ALLOW_UNKNOWN:
            if not isinstance(value, bool):
                raise errors.ValidationError(f"{ALLOW_UNKNOWN} is True or False")
            lib.tenuo_constraint_set_allow_unknown(handle, value)
            continue
        data = utf8(name, "the name of an argument")
        call(lib.tenuo_constraint_set_put, handle, data, len(data), constraint_of(value)._handle)
    return handle


__all__ = [c.__name__ for c in _CLASSES.values()] + ["AnyValue", "Constraint"]
