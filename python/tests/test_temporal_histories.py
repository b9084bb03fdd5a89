# SPDX-License-Identifier: Apache-2.0
"""Histories that earlier versions of the library recorded must replay for ever (spec temporal.md L10). TENUO_RECORD_HISTORIES=1 adds those of this
version, under the names of the cases below; files that are there are never written again."""

from __future__ import annotations

import asyncio
import json
import os
import pathlib
from typing import Any

import flows
import lab
import pytest
from temporalio.client import WorkflowHistory
from temporalio.worker import Replayer

from tenuo import SigningKey, Subpath
from tenuo.temporal import EnvKeyResolver, TenuoPluginConfig, TenuoTemporalPlugin

FOLDER = pathlib.Path(__file__).parent / "histories"
CASES: dict[str, tuple[Any, list[Any], str]] = {
    "inline": (flows.Many, [3, "/data/x"], "local"), "by-activity": (flows.Many, [3, "/data/x"], "activity"), "denied": (flows.Plain, ["/etc/x"], "local"),
    "prevalidated": (flows.Writer, ["/data/x"], "local"), "child": (flows.Parent, ["tenuo", "reader", "/data/x", {"ttl_seconds": 60}], "local"),
    "grant": (flows.Grant, ["/data/x"], "local"), "successor": (flows.Again, [1, "/data/x"], "local"), "local-blocked": (flows.Local, [True], "local"),
}


def cleaned(value: Any) -> Any:
    """Without what says where it was recorded."""
    if isinstance(value, list):
        return [cleaned(v) for v in value]
    if isinstance(value, dict):
        return {k: "" if k == "stackTrace" else "recorder" if k == "identity" else cleaned(v) for k, v in value.items()}
    return value


async def record(address: str) -> None:
    for name, (fn, args, mode) in CASES.items():
        path = FOLDER / f"0.1.0-{name}.json"
        if path.exists():
            continue
        w = await lab.World(address).connect()
        async with w.worker(flows.WORKFLOWS, flows.ACTIVITIES, w.config(sign_mode=mode)):
            warrant = w.warrant(read_file={"path": Subpath("/data")}, write_file={"path": Subpath("/data")})
            handle = await w.start(fn.run, *args, warrant=warrant, id=f"recorded-{name}")
            first = w.client.get_workflow_handle(handle.id, run_id=handle.first_execution_run_id)
            await asyncio.wait([asyncio.ensure_future(handle.result())])
            path.write_text(json.dumps(cleaned(json.loads((await first.fetch_history()).to_json())), indent=1))


def test_recording(server: str) -> None:
    """[L10] only when asked for: adds the histories of this version."""
    if os.environ.get("TENUO_RECORD_HISTORIES") == "1":
        FOLDER.mkdir(exist_ok=True)
        lab.run(record(server), 90)
    assert len(list(FOLDER.glob("*.json"))) >= len(CASES)


@pytest.mark.parametrize("path", sorted(FOLDER.glob("*.json")), ids=lambda p: p.stem)
def test_recorded_history(path: pathlib.Path) -> None:
    """[L10] [X12] a recorded history takes the same way today, with other keys, other roots and either sign mode."""

    async def main() -> None:
        history = WorkflowHistory.from_json("recorded-" + path.stem.partition("-")[2], path.read_text())
        key = SigningKey.generate()
        for config in ({"signing_key": key}, {"key_resolver": EnvKeyResolver(prefix="NO_SUCH_KEY_")}, {"signing_key": key, "sign_mode": "activity"}):
            made = TenuoPluginConfig(trusted_roots=[key.public_key], **config)  # type: ignore[arg-type]
            await Replayer(workflows=flows.WORKFLOWS, plugins=[TenuoTemporalPlugin(made)]).replay_workflow(history)

    lab.run(main())
