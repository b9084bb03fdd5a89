# SPDX-License-Identifier: Apache-2.0
"""Two local activities that workflows of the same worker use: signing with a key that may be in a store, and making child warrants. They refuse
to be anything but local activities (the interceptor does), sign only what they build themselves, and only for the holder's own key.
"""

from __future__ import annotations

import asyncio
import base64
import time
from collections.abc import Callable
from typing import Any

from temporalio import activity
from temporalio.exceptions import ApplicationError
from tenuo_core.constraints import parse_constraint
from tenuo_core.errors import TenuoError
from tenuo_core.keys import PublicKey, Signer
from tenuo_core.warrant import Warrant, decode_warrant_stack_base64, encode_warrant_stack

from . import _constants as c
from . import _local_keys
from ._activity import running_config
from ._decorators import unprotected
from .config import TenuoPluginConfig
from .exceptions import ConstraintViolation, KeyResolutionError, TenuoContextError, TenuoTemporalError, application_error, from_key_error, from_minting

MAX_CLOCK_SECS = 60
DOMAIN = b"tenuo-warrant-v1"  # what a signer of a user's own must sign before the message (spec warrant.md 8.1)
_TRANSIENT = frozenset({9000, 9002, 9301, 9302})


def _config() -> TenuoPluginConfig:
    config = running_config.get()
    if config is None or not activity.info().is_local:
        raise TenuoContextError("an internal activity runs only as a local activity under the Tenuo interceptor")
    return config


def _outage(key_id: str, exc: Exception) -> KeyResolutionError:
    """A resolver of a user's own failed in a way of its own. Its text may say more than anyone else should read."""
    error = KeyResolutionError(key_id, f"the resolver failed: {type(exc).__name__}", not_found=False)
    error.core_code, error.core_name, error.retryable = 9301, "unavailable", True
    return error


def find_signer(config: TenuoPluginConfig, key_id: str, holder: PublicKey) -> Any:
    """The holder's signer: the resolver's; only when that has no such key, the one that a client of this process handed over."""
    assert config.key_resolver is not None
    try:
        signer = config.key_resolver.signer(key_id, holder)
    except KeyResolutionError as exc:
        local = _local_keys.get(key_id, holder, time.time()) if exc.not_found and config.allow_process_local_keys else None
        if local is None:
            exc.retryable = not exc.not_found and (exc.core_code == 0 or exc.core_code in _TRANSIENT)
            raise
        signer = local
    except TenuoError as exc:
        raise from_key_error(exc, key_id) from exc
    except Exception as exc:
        raise _outage(key_id, exc) from exc
    if signer.public_key != holder:
        error = TenuoContextError(f"key id '{key_id}' does not match holder: its public key is not the warrant's holder")
        error.core_code, error.core_name = 9306, "holder-mismatch"
        raise error
    return signer


def _sign(config: TenuoPluginConfig, request: dict[str, Any]) -> str:
    chain = decode_warrant_stack_base64(request["stack"])
    leaf, when = chain[-1], int(request["time"])
    if abs(time.time() - when) > MAX_CLOCK_SECS:
        raise TenuoContextError(f"the time to sign for is more than {MAX_CLOCK_SECS} s from this worker's clock")
    signer = find_signer(config, request["key_id"], leaf.authorized_holder)
    if isinstance(signer, Signer):
        pop = leaf.sign(signer, request["tool"], request["args"], when)
    else:
        pop = bytes(signer.sign(DOMAIN + leaf.pop_preimage(request["tool"], request["args"], when)))
    leaf.verify_pop(request["tool"], request["args"], pop, when)
    return base64.b64encode(pop).decode("ascii")


async def _run(work: Callable[[TenuoPluginConfig, dict[str, Any]], str], request: dict[str, Any]) -> str:
    try:
        return await asyncio.to_thread(work, _config(), request)
    except TenuoTemporalError as exc:
        raise application_error(exc, may_retry=True) from exc
    except TenuoError as exc:
        failed = from_key_error(exc, str(request.get("key_id"))) if exc.code // 100 == 93 else from_minting(exc)
        failed.retryable = exc.code in _TRANSIENT
        raise application_error(failed, may_retry=True) from exc
    except ApplicationError:
        raise
    except Exception as exc:
        raise application_error(TenuoContextError(f"internal error: {type(exc).__name__}")) from exc


@activity.defn(name=c.SIGN_ACTIVITY)
@unprotected
async def internal_sign(request: dict[str, Any]) -> str:
    """base64 of the proof for (stack, key_id, tool, args, time)."""
    return await _run(_sign, request)


def _fields_of(parent: Warrant, tool: str, narrowed: dict[str, str]) -> dict[str, Any]:
    """The parent's constraints of the tool with some of them replaced. A name that the parent does not know would be refused by no one else."""
    known: dict[str, Any] = dict(parent.capabilities.get(tool) or parent.capabilities.get("*") or {})
    unknown = sorted(set(narrowed) - set(known))
    if known and unknown and not parent.allows_unknown(tool):
        raise ConstraintViolation(tool, {}, f"the parent warrant has no argument {', '.join(unknown)}", parent.id)
    fields = known | {name: parse_constraint(base64.b64decode(data)) for name, data in narrowed.items()}
    if parent.allows_unknown(tool):
        fields["_allow_unknown"] = True
    return fields


def _mint(config: TenuoPluginConfig, request: dict[str, Any]) -> str:
    """A child of the leaf. The holder is child_key_id's public key, for which nobody's secret is needed; else the parent's."""
    assert config.key_resolver is not None
    parent = decode_warrant_stack_base64(request["stack"])[-1]
    builder: Any = parent.issue_execution() if request["issue"] else parent.attenuate_builder()
    constraints = request["constraints"] or {}
    tools = request["tools"] if request["tools"] is not None else list(parent.tools or [])
    for tool in tools:
        if tool in constraints or request["issue"]:
            builder.capability(tool, _fields_of(parent, tool, constraints.get(tool, {})) if not request["issue"] else
                               {n: parse_constraint(base64.b64decode(d)) for n, d in constraints.get(tool, {}).items()})
        else:
            builder.retain_tool(tool)
    for tool in constraints:
        if tool not in tools:
            raise ConstraintViolation(tool, {}, "constraints for a tool that the child does not get", parent.id)
    if request["ttl"] is None:
        builder.expires_at(parent.expires_at_unix)
    else:
        builder.ttl(int(request["ttl"]))
    if request["child_key_id"]:
        builder.holder(child_key(config, request["child_key_id"]))
    elif request["issue"]:
        builder.holder(parent.authorized_holder)
    builder.id(bytes.fromhex(request["id"]))
    signer = find_signer(config, request["key_id"], parent.authorized_holder)
    if isinstance(signer, Signer):
        child = builder._sign(signer, int(request["time"]))
    else:
        prepared = builder.prepare(parent.authorized_holder, int(request["time"]))
        child = prepared.finish(bytes(signer.sign(prepared.message)))
    return encode_warrant_stack(child.chain)


def child_key(config: TenuoPluginConfig, key_id: str) -> PublicKey:
    """The public key of an id: of the resolver, else of the table of this process."""
    assert config.key_resolver is not None
    try:
        return config.key_resolver.public_key(key_id)
    except KeyResolutionError as exc:
        local = _local_keys.public_key(key_id) if exc.not_found and config.allow_process_local_keys else None
        if local is None:
            raise
        return local
    except TenuoError:
        raise
    except Exception as exc:
        raise _outage(key_id, exc) from exc


@activity.defn(name=c.MINT_ACTIVITY)
@unprotected
async def internal_mint(request: dict[str, Any]) -> str:
    """The child's chain for (stack, key_id, tools, constraints, ttl, child_key_id, issue, id, time)."""
    return await _run(_mint, request)


INTERNAL_ACTIVITIES: tuple[Callable[..., Any], ...] = (internal_mint, internal_sign)
