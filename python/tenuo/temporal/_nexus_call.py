# SPDX-License-Identifier: Apache-2.0
"""Nexus operations from a workflow (spec temporal.md 10.5): signed like activities. The tool is nexus:ENDPOINT[:SERVICE]:OPERATION, the arguments are
the input's top-level fields, or one named `input`. Runs inside the sandbox.
"""

from __future__ import annotations

import base64
import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

from temporalio import workflow
from tenuo_core._pure import Warrant

from . import _constants as c
from . import _runs, _sign, _wire
from ._args import normalise, through_converter
from .exceptions import TenuoArgNormalizationError, TenuoContextError, TenuoTemporalError, application_error

ENCODING = "base64-v1"


def operation_name(operation: Any) -> str:
    """Of a name, an Operation of a service definition, or the handler's function."""
    name = operation if isinstance(operation, str) else getattr(operation, "name", None) or getattr(operation, "__name__", None)
    if not isinstance(name, str) or not name:
        raise TypeError("a Nexus operation is a name or an operation of a service")
    return name


def nexus_tool_name(endpoint: str, operation: Any, *, service: str | None = None) -> str:
    """What a warrant names: nexus:<endpoint>[:<service>]:<operation>."""
    return ":".join(["nexus", endpoint, *([service] if service else []), operation_name(operation)])


def input_arguments(value: Any) -> dict[str, Any]:
    """The input as the map that is signed and verified; the same on both sides."""
    whole = normalise(value, "input")
    if isinstance(whole, dict) and any(name in c.SCOPE_NAMES for name in whole):
        raise TenuoContextError("a field of the input has a name that is reserved for the running workflow")
    if isinstance(whole, dict) and (isinstance(value, Mapping) or dataclasses.is_dataclass(value) or hasattr(type(value), "model_fields")):
        return whole
    return {"input": whole}


def encode(headers: Mapping[str, bytes]) -> dict[str, str]:
    """Ours as Nexus carries them: text, each value in base64 but the one that says so."""
    out = {name: base64.b64encode(value).decode("ascii") for name, value in headers.items()}
    out[c.TENUO_NEXUS_ENCODING_HEADER] = ENCODING
    return out


def _headers(carried: _wire.WarrantHeaders, tool: str, args: Mapping[str, Any], pop: bytes, approvals: Sequence[Any] | None,
             compress: bool) -> dict[str, str]:
    made = _wire.encode_headers(carried.warrant, carried.key_id, chain=carried.chain, compress=compress)
    made[c.TENUO_POP_HEADER] = _wire.encode_pop(pop)
    made[c.TENUO_ARG_KEYS_HEADER] = _wire.encode_arg_keys(list(args))
    made[c.TENUO_TOOL_NAME_HEADER] = tool.encode("utf-8")
    if approvals:
        made[c.TENUO_APPROVALS_HEADER] = _wire.encode_approvals(approvals)
    return encode(made)


def tenuo_nexus_headers(warrant: Any, key_id: str, signer: Any, *, endpoint: str, operation: Any, input: Any, timestamp: int, service: str | None = None,
                        warrant_chain: Sequence[Warrant] | None = None, compress: bool = True,
                        approvals: Sequence[Any] | None = None) -> dict[str, str]:
    """The headers of one operation, for callers that are no workflow. timestamp: Unix seconds."""
    links = _wire.whole_chain(warrant, warrant_chain)
    carried = _wire.WarrantHeaders(links[-1], links, _wire.check_key_id(key_id))
    tool, args = nexus_tool_name(endpoint, operation, service=service), input_arguments(input)
    return _headers(carried, tool, args, carried.warrant.sign(signer, tool, args, timestamp), approvals, compress)


def _check_user_headers(headers: Mapping[str, str] | None) -> dict[str, str]:
    for name in headers or {}:
        if name.lower().startswith(c.PREFIX):
            raise application_error(TenuoContextError(f"the header '{name}' is Tenuo's own"))
    return dict(headers or {})


async def _signed(operation: Any, input: Any, endpoint: str | None, service: str | None, warrant: Any, key_id: str | None,
                  warrant_chain: Sequence[Warrant] | None, compress: bool, approvals: Sequence[Any] | None) -> dict[str, str]:
    if not endpoint:
        raise application_error(TenuoContextError("a signed Nexus operation needs endpoint=, as the client was made with"))
    try:
        run = _runs.current()
        if warrant is None:
            carried = run.carried()
        else:
            links = _wire.whole_chain(warrant, warrant_chain)
            carried = _wire.WarrantHeaders(links[-1], links, _wire.check_key_id(key_id))
        if carried is None:
            raise TenuoContextError("the workflow was started without a warrant")
        seen = through_converter(workflow.payload_converter(), [input], [type(input)])[0]
        tool, args = nexus_tool_name(endpoint, operation, service=service), input_arguments(seen)
        when = int(workflow.now().timestamp())
        by_activity = _sign.by_activity(run, carried)
        pop = await _sign.remote(carried, tool, args, when) if by_activity else _sign.inline(run, carried, tool, args)
        return _headers(carried, tool, args, pop, approvals, compress)
    except (TenuoTemporalError, TenuoArgNormalizationError) as exc:
        raise application_error(exc) from exc


async def tenuo_start_nexus_operation(nexus_client: Any, operation: Any, input: Any, *, endpoint: str | None = None, service: str | None = None,
                                      warrant: Any = None, key_id: str | None = None, warrant_chain: Sequence[Warrant] | None = None,
                                      compress: bool = True, approvals: Sequence[Any] | None = None, headers: Mapping[str, str] | None = None,
                                      **options: Any) -> Any:
    """nexus_client.start_operation, signed under the run's warrant or another one."""
    own = _check_user_headers(headers)
    signed = await _signed(operation, input, endpoint, service, warrant, key_id, warrant_chain, compress, approvals)
    return await nexus_client.start_operation(operation, input, headers={**own, **signed}, **{k: v for k, v in options.items() if v is not None})


async def tenuo_execute_nexus_operation(nexus_client: Any, operation: Any, input: Any, *, endpoint: str | None = None, service: str | None = None,
                                        warrant: Any = None, key_id: str | None = None, warrant_chain: Sequence[Warrant] | None = None,
                                        compress: bool = True, approvals: Sequence[Any] | None = None, headers: Mapping[str, str] | None = None,
                                        **options: Any) -> Any:
    """As tenuo_start_nexus_operation, and waits for the result."""
    handle = await tenuo_start_nexus_operation(nexus_client, operation, input, endpoint=endpoint, service=service, warrant=warrant, key_id=key_id,
                                               warrant_chain=warrant_chain, compress=compress, approvals=approvals, headers=headers, **options)
    return await handle
