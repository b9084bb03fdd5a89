# SPDX-License-Identifier: Apache-2.0
"""Workflows and activities that the tests run: plain ones, without any of our code in the activities."""

from __future__ import annotations

import asyncio
import dataclasses
from collections.abc import Sequence
from datetime import timedelta
from typing import Any

from temporalio import activity, workflow
from temporalio.common import RawValue, RetryPolicy
from temporalio.exceptions import ActivityError

from tenuo.temporal import (AuthorizedWorkflow, attenuated_headers, current_key_id, current_warrant, set_activity_approvals, tenuo_continue_as_new,
                            tenuo_execute_activity, tenuo_execute_child_workflow, tool, unprotected, workflow_grant)

ONCE = {"start_to_close_timeout": timedelta(seconds=20), "retry_policy": RetryPolicy(maximum_attempts=1)}
ran: list[Any] = []


@dataclasses.dataclass
class Order:
    item: str
    count: int = 1


@activity.defn
async def read_file(path: str) -> str:
    ran.append(("read_file", path))
    return f"read {path}"


@activity.defn
async def write_file(path: str, content: str) -> str:
    ran.append(("write_file", path, content))
    return f"wrote {len(content)} to {path}"


@activity.defn
@tool("read_file")
async def fetch_document(path: str) -> str:
    return f"fetched {path}"


@activity.defn
async def take_order(order: Order) -> str:
    return f"{order.count} x {order.item}"


@activity.defn
async def take_any(value: Any) -> str:
    return type(value).__name__


@activity.defn
async def take_float(value: float) -> str:
    return repr(value)


@activity.defn
@unprotected
async def config_value(key: str) -> str:
    return f"value of {key}"


@activity.defn
async def flaky(path: str) -> str:
    if activity.info().attempt < 3:
        raise RuntimeError("not yet")
    return f"attempt {activity.info().attempt}"


@activity.defn(dynamic=True)
async def anything(args: Sequence[RawValue]) -> str:
    return f"dynamic {activity.info().activity_type} {len(args)}"


@workflow.defn
class Plain:
    """workflow.execute_activity, nothing of ours."""

    @workflow.run
    async def run(self, path: str) -> str:
        return await workflow.execute_activity(read_file, args=[path], **ONCE)


@workflow.defn
class Authorized(AuthorizedWorkflow):
    @workflow.run
    async def run(self, path: str) -> str:
        return await self.execute_authorized_activity(read_file, args=[path], **ONCE)


@workflow.defn
class Copy(AuthorizedWorkflow):
    """The quick start."""

    @workflow.run
    async def run(self, source: str, target: str) -> str:
        text = await self.execute_authorized_activity(read_file, args=[source], **ONCE)
        return await self.execute_authorized_activity(write_file, args=[target, text.upper()], **ONCE)


@workflow.defn
class Named:
    """By name and arguments as they come: [activity, args]."""

    @workflow.run
    async def run(self, name: str, args: list[Any]) -> Any:
        return await workflow.execute_activity(name, args=args, **ONCE)


@workflow.defn
class Orders:
    @workflow.run
    async def run(self, item: str) -> str:
        return await workflow.execute_activity(take_order, Order(item, 2), **ONCE)


@workflow.defn
class Floats:
    @workflow.run
    async def run(self) -> str:
        return await workflow.execute_activity(take_float, 1, **ONCE)


@workflow.defn
class Raw:
    """bytes and tuples are made inside."""

    @workflow.run
    async def run(self, kind: str) -> str:
        value: Any = {"bytes": b"\x00\x01", "tuple": (1, 2)}[kind]
        return await workflow.execute_activity(take_any, value, **ONCE)


@workflow.defn
class Many:
    @workflow.run
    async def run(self, count: int, path: str) -> int:
        results = await asyncio.gather(*(tenuo_execute_activity(read_file, args=[path], **ONCE) for _ in range(count)))
        return len(results)


@workflow.defn
class Fetch:
    @workflow.run
    async def run(self, path: str) -> str:
        return await workflow.execute_activity(fetch_document, args=[path], **ONCE)


@workflow.defn
class Retry:
    @workflow.run
    async def run(self, path: str) -> str:
        return await workflow.execute_activity(flaky, args=[path], start_to_close_timeout=timedelta(seconds=20),
                                               retry_policy=RetryPolicy(initial_interval=timedelta(milliseconds=50), maximum_attempts=3))


@workflow.defn
class Local:
    @workflow.run
    async def run(self, protected: bool) -> str:
        fn: Any = read_file if protected else config_value
        return await workflow.execute_local_activity(fn, args=["/data/x"], start_to_close_timeout=timedelta(seconds=5))


@workflow.defn
class Child:
    @workflow.run
    async def run(self, path: str) -> str:
        got = await workflow.execute_activity(read_file, args=[path], **ONCE)
        return f"{current_key_id()} {current_warrant().depth} {got}"


@workflow.defn
class Writer:
    @workflow.run
    async def run(self, path: str) -> str:
        return await workflow.execute_activity(write_file, args=[path, "x"], **ONCE)


@workflow.defn
class Parent:
    """how: plain, headers or tenuo; what the child is asked to do is its own matter."""

    @workflow.run
    async def run(self, how: str, child: str, path: str, options: dict[str, Any]) -> str:
        fn: Any = Writer.run if child == "writer" else Child.run
        if how == "plain":
            return await workflow.execute_child_workflow(fn, args=[path])
        if how == "headers":
            return await workflow.execute_child_workflow(fn, args=[path], headers=attenuated_headers(**options))  # type: ignore[call-overload]
        return await tenuo_execute_child_workflow(fn, args=[path], **options)


@workflow.defn
class Grant:
    @workflow.run
    async def run(self, path: str) -> str:
        grant = await workflow_grant("read_file", ttl_seconds=60)
        return await tenuo_execute_activity(read_file, args=[path], warrant=grant, key_id=current_key_id(), **ONCE)


@workflow.defn
class Again:
    @workflow.run
    async def run(self, rounds: int, path: str) -> str:
        got = await workflow.execute_activity(read_file, args=[path], **ONCE)
        if rounds > 0:
            tenuo_continue_as_new(args=[rounds - 1, path])
        return got


@workflow.defn
class Signals:
    def __init__(self) -> None:
        self.seen: list[str] = []
        self.done = False

    @workflow.run
    async def run(self) -> list[str]:
        await workflow.wait_condition(lambda: self.done)
        return self.seen

    @workflow.signal
    async def note(self, text: str) -> None:
        self.seen.append(text)

    @workflow.signal
    async def forbidden(self, text: str) -> None:
        self.seen.append(f"forbidden {text}")

    @workflow.signal
    async def finish(self) -> None:
        self.done = True

    @workflow.update
    async def change(self, text: str) -> str:
        self.seen.append(text)
        return text

    @workflow.update
    async def other(self, text: str) -> str:
        return text


@workflow.defn
class Approved:
    @workflow.run
    async def run(self, path: str, approvals: list[str]) -> str:
        import base64

        if approvals:
            set_activity_approvals([base64.b64decode(a) for a in approvals])
        return await workflow.execute_activity(read_file, args=[path], **ONCE)


@workflow.defn
class Slow:
    """Waits for a signal between two reads."""

    def __init__(self) -> None:
        self.go_on = False

    @workflow.run
    async def run(self, path: str) -> str:
        await workflow.execute_activity(read_file, args=[path], **ONCE)
        await workflow.wait_condition(lambda: self.go_on)
        return await workflow.execute_activity(read_file, args=[path], **ONCE)

    @workflow.signal
    async def go(self) -> None:
        self.go_on = True


@workflow.defn
class Cancels:
    """Cancels its own call while the signature is waited for."""

    @workflow.run
    async def run(self, path: str) -> str:
        call = asyncio.create_task(tenuo_execute_activity(read_file, args=[path], **ONCE))
        for _ in range(3):
            await asyncio.sleep(0)
        call.cancel()
        try:
            return await call
        except asyncio.CancelledError:
            return "cancelled"
        except ActivityError as exc:
            return f"{type(exc).__name__} {type(exc.cause).__name__}"


ACTIVITIES: list[Any] = [read_file, write_file, fetch_document, take_order, take_any, take_float, config_value, flaky]
WORKFLOWS: list[Any] = [Plain, Authorized, Copy, Named, Orders, Floats, Raw, Many, Fetch, Retry, Local, Child, Writer, Parent, Grant, Again, Signals,
                        Approved, Slow, Cancels]
