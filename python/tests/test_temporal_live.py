# SPDX-License-Identifier: Apache-2.0
"""On a real server: what runs, what does not, and what is said about it (spec temporal.md 12.3)."""

from __future__ import annotations

from typing import Any

import flows
import lab
from tenuo import Subpath, Wildcard


def test_l1_quick_start(server: str) -> None:
    """[L1] [M05] [X01] [H02] [O02] [O05] [O06] [C01] the corrected quick start runs; one event a decision."""

    async def main() -> None:
        w = await lab.World(server).connect()
        warrant = w.warrant(read_file={"path": Subpath("/data/in")}, write_file={"path": Subpath("/data/out"), "content": Wildcard()})
        async with w.worker(flows.WORKFLOWS, flows.ACTIVITIES):
            got = await w.execute(flows.Copy.run, "/data/in/a", "/data/out/b", warrant=warrant)
        assert got == "wrote 15 to /data/out/b"
        assert [(e.decision, e.tool) for e in w.events] == [("ALLOW", "read_file"), ("ALLOW", "write_file")]

    lab.run(main())


def test_l2_quick_start_verbatim(server: str) -> None:
    """[L2] [M05] [E09] a capability that does not declare `content` denies it, and says so (D1)."""

    async def main() -> Any:
        w = await lab.World(server).connect()
        warrant = w.warrant(read_file={"path": Subpath("/data/in")}, write_file={"path": Subpath("/data/out")})
        async with w.worker(flows.WORKFLOWS, flows.ACTIVITIES):
            return await lab.denial(w.execute(flows.Copy.run, "/data/in/a", "/data/out/b", warrant=warrant))

    error = lab.run(main())
    assert error.type == "PRE_VALIDATION_FAILED" and error.non_retryable and "content" in str(error)
