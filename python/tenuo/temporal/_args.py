# SPDX-License-Identifier: Apache-2.0
"""A call's arguments as the map that is signed and verified (spec temporal.md 5). Pure; the same function on both sides.

Values that go through Temporal's data converter must give the same map before and after, so the signer takes them through it first.
"""

from __future__ import annotations

import base64
import dataclasses
import datetime
import enum
import inspect
import json
import typing
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from . import _constants as c
from .exceptions import TenuoArgNormalizationError, TenuoContextError

MAX_DEPTH = 32
_LEFT_OUT = object()


def parameter_names(fn: Callable[..., Any]) -> list[str]:
    """Positional parameters in order, without self, *args and **kwargs."""
    names = []
    for name, parameter in inspect.signature(fn).parameters.items():
        if name == "self" or parameter.kind in (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD, parameter.KEYWORD_ONLY):
            continue
        names.append(name)
    return names


def argument_names(fn: Callable[..., Any] | None, count: int) -> list[str]:
    """Names for so many arguments: the function's, then argN by absolute index. Defaults are not filled in."""
    known = parameter_names(fn) if fn is not None else []
    return [known[i] if i < len(known) else f"arg{i}" for i in range(count)]


def type_hints(fn: Callable[..., Any] | None) -> list[type] | None:
    """The parameters' annotations as Temporal uses them: all of them, or none at all."""
    if fn is None:
        return None
    try:
        hints = typing.get_type_hints(fn)
    except Exception:  # an annotation that cannot be evaluated: as without hints
        return None
    found = [hints.get(name) for name in parameter_names(fn)]
    return None if any(h is None for h in found) else typing.cast("list[type]", found)


def through_converter(converter: Any, args: Sequence[Any], hints: Sequence[type] | None) -> list[Any]:
    """What the worker will see: the arguments encoded and decoded again with the activity's hints."""
    if not args:
        return []
    payloads = converter.to_payloads(list(args))
    use = list(hints)[: len(args)] if hints and len(hints) >= len(args) else None
    return list(converter.from_payloads(payloads, use))


def _bad(kind: str, path: str) -> TenuoArgNormalizationError:
    error = TenuoArgNormalizationError(f"argument '{path}' is of type {kind}, which a warrant cannot speak about: pass None, bool, int, float, "
                                       "str, bytes, datetime, Enum, list, dict, dataclass or pydantic model")
    error.field = path
    return error


def _fields(value: Any) -> Mapping[str, Any] | None:
    """Fields of a dataclass or pydantic model; a mapping as it is."""
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {f.name: getattr(value, f.name) for f in dataclasses.fields(value)}
    if isinstance(value, Mapping):
        return value
    if hasattr(type(value), "model_dump") and hasattr(type(value), "model_fields"):
        return _model(value)
    return None


def _model(value: Any) -> dict[str, Any]:
    """The fields of a pydantic model as they are, not as they print: a field that the model leaves out or masks when it is written would
    otherwise be no part of what is signed, and could be exchanged."""
    written = value.model_dump(mode="json", by_alias=False)
    extra = getattr(value, "model_extra", None) or {}
    return {name: _unmasked(getattr(value, name), written.get(name, _LEFT_OUT), name) for name in [*type(value).model_fields, *extra]} | {
        name: computed for name, computed in written.items() if name not in type(value).model_fields and name not in extra}


def _unmasked(item: Any, written: Any, path: str) -> Any:
    """A value itself where a warrant can speak of it, else as its model writes it (a UUID, a set)."""
    if hasattr(item, "get_secret_value"):
        raise _bad(type(item).__name__, path)
    if item is None or isinstance(item, (bool, int, float, str)) or hasattr(type(item), "model_fields"):
        return item
    if isinstance(item, (list, tuple)) and isinstance(written, list) and len(written) == len(item):
        return [_unmasked(i, w, path) for i, w in zip(item, written, strict=True)]
    if isinstance(item, Mapping) and isinstance(written, dict) and len(written) == len(item):
        return {name: _unmasked(i, w, path) for i, (name, w) in zip(item.values(), written.items(), strict=True)}
    return item if written is _LEFT_OUT else written


def normalise(value: Any, path: str = "value", depth: int = 0) -> Any:
    """One value as None, bool, int, float, str, list or dict. bytes: base64; datetime: ISO 8601; Enum: its value; tuple: list."""
    if depth > MAX_DEPTH:
        raise TenuoArgNormalizationError(f"argument '{path}' is nested deeper than {MAX_DEPTH}")
    if isinstance(value, enum.Enum):
        return normalise(value.value, path, depth + 1)
    if value is None or isinstance(value, (bool, float)):
        return value
    if isinstance(value, int):
        if not -(2**63) <= value < 2**63:
            raise TenuoArgNormalizationError(f"argument '{path}' is an integer of more than 64 bits")
        return int(value)
    if isinstance(value, str):
        return str(value)
    if isinstance(value, (bytes, bytearray)):
        return base64.b64encode(value).decode("ascii")
    if isinstance(value, (datetime.datetime, datetime.date)):
        return value.isoformat()
    if isinstance(value, (list, tuple)):
        return [normalise(item, path, depth + 1) for item in value]
    fields = _fields(value)
    if fields is None:
        raise _bad(type(value).__name__, path)
    return _object(fields, path, depth)


def _object(fields: Mapping[Any, Any], path: str, depth: int) -> dict[str, Any]:
    out: dict[str, Any] = {}
    for key, item in fields.items():
        if not isinstance(key, str):
            raise TenuoArgNormalizationError(f"argument '{path}' has a key of type {type(key).__name__}: keys are text")
        out[key] = normalise(item, path, depth + 1)
    return out


def _upstream(value: Any) -> Any:
    """What other implementations sign: structures as JSON text. Only for verifying calls that they scheduled."""
    if isinstance(value, dict) or (isinstance(value, list) and any(isinstance(i, (dict, list)) or i is None for i in value)):
        return json.dumps(value, sort_keys=True, default=str, ensure_ascii=False)
    return value


def argument_map(names: Sequence[str], args: Sequence[Any], *, form: str = "native") -> dict[str, Any]:
    """Names to normalised values. Names that the scope reserves are refused."""
    reserved = [n for n in names if n in c.SCOPE_NAMES]
    if reserved:
        raise TenuoContextError(f"'{reserved[0]}' is reserved for the running workflow and cannot be an argument")
    if len(set(names)) != len(names):
        raise TenuoContextError("two arguments have one name")
    values = {name: normalise(value, name) for name, value in zip(names, args, strict=True)}
    return values if form == "native" else {name: _upstream(value) for name, value in values.items()}


def scope_args(constrained: Mapping[str, Any], namespace: str, workflow_id: str) -> dict[str, Any]:
    """The running workflow's own values, when the tool's capability constrains both reserved names (5.3)."""
    present = [n for n in c.SCOPE_NAMES if n in constrained]
    if not present:
        return {}
    if len(present) == 1:
        raise TenuoContextError(f"the warrant constrains '{present[0]}' alone: a workflow scope needs both {c.SCOPE_NAMES[0]} and {c.SCOPE_NAMES[1]}")
    return {c.SCOPE_NAMESPACE: namespace, c.SCOPE_WORKFLOW_ID: workflow_id}
