# SPDX-License-Identifier: Apache-2.0
"""@tool and @unprotected, and which tool a call is (spec temporal.md 6). They mark a function and change nothing about it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, TypeVar

F = TypeVar("F", bound=Callable[..., Any])
_TOOL, _UNPROTECTED = "__tenuo_tool__", "__tenuo_unprotected__"


def tool(name: str) -> Callable[[F], F]:
    """The warrant speaks of this tool when it means the activity."""
    if not isinstance(name, str) or not name:
        raise TypeError('@tool wants the name of a tool: @tool("read_file")')

    def mark(fn: F) -> F:
        setattr(fn, _TOOL, name)
        return fn

    return mark


def unprotected(func: F) -> F:
    """The function may run as a local activity, where no warrant is asked for."""
    setattr(func, _UNPROTECTED, True)
    return func


def is_unprotected(fn: Callable[..., Any] | None) -> bool:
    return fn is not None and getattr(fn, _UNPROTECTED, False) is True


def tool_name(mappings: Mapping[str, str], fn: Callable[..., Any] | None, activity_type: str) -> str:
    """The configuration's mapping, else the function's mark, else the activity's type. The same on both sides."""
    return mappings.get(activity_type) or getattr(fn, _TOOL, None) or activity_type


def activity_type(fn: Callable[..., Any]) -> str | None:
    """The name under which @activity.defn registers it; None for a function that is none, or a dynamic one."""
    definition = getattr(fn, "__temporal_activity_definition", None)
    return None if definition is None else definition.name
