# SPDX-License-Identifier: Apache-2.0
"""No form of a signing key in a worker's memory, but in the library's own guarded pages, nor in any history (spec temporal.md L7, L20)."""

from __future__ import annotations

import base64
import os
import pathlib
import re
from typing import Any

import flows
import lab
import pytest
from test_temporal_live2 import conf_file, spawn, stop

LINE = re.compile(r"^([0-9a-f]+)-([0-9a-f]+) (\S+) ")


def forms(seed: bytes) -> list[bytes]:
    """Raw, both halves, hex, base64 at each alignment without its edges."""
    out = [seed, seed[:16], seed[16:], seed.hex().encode(), seed.hex().upper().encode()]
    for shift in range(3):
        for encode in (base64.b64encode, base64.urlsafe_b64encode):
            out.append(encode(b"\0" * shift + seed)[4:40])
    return out


def regions(pid: int) -> list[tuple[int, int, bool]]:
    """(start, end, guarded) of readable memory; guarded: excluded from core dumps, as the library's secrets are."""
    found: list[tuple[int, int, bool]] = []
    for line in pathlib.Path(f"/proc/{pid}/smaps").read_text().splitlines():
        head = LINE.match(line)
        if head:
            found.append((int(head[1], 16), int(head[2], 16), not head[3].startswith("r")))
        elif line.startswith("VmFlags:"):
            start, end, skip = found[-1]
            found[-1] = (start, end, skip or " dd" in line)
    return found


def search(pid: int, wanted: list[bytes]) -> tuple[list[int], int]:
    """Indices of the forms that were found outside of guarded pages, and how many bytes were looked at."""
    hits, seen = set(), 0
    with open(f"/proc/{pid}/mem", "rb", 0) as memory:
        for start, end, guarded in regions(pid):
            if guarded or end - start > 1 << 31:
                continue
            at = start
            while at < end:
                try:
                    memory.seek(at)
                    block = memory.read(min(8 << 20, end - at))
                except (OSError, ValueError, OverflowError):
                    break
                if not block:
                    break
                seen += len(block)
                hits.update(i for i, form in enumerate(wanted) if form in block)
                at += max(1, len(block) - 64) if len(block) == 8 << 20 else len(block)
    return sorted(hits), seen


def test_worker_memory_holds_no_key(server: str, tmp_path: pathlib.Path) -> None:
    """[L7] [L20] [O01] a worker that signed a hundred calls: nothing outside of guarded pages; a marker that must be found shows that the search works."""

    async def main() -> Any:
        w = await lab.World(server).connect()
        child = spawn(w, conf_file(tmp_path, w))
        try:
            handle = await w.start(flows.Many.run, 100, "/data/marker-that-is-found", warrant=w.warrant())
            assert await handle.result() == 100
            text = lab.history_json(await handle.fetch_history()).encode()
            try:
                hits, seen = search(child.pid, [*forms(w.holder.secret_key_bytes()), b"marker-that-is-found"])
            except PermissionError:
                pytest.skip("reading another process's memory is not permitted here")
            return hits, seen, text, forms(w.holder.secret_key_bytes())
        finally:
            stop(child)

    hits, seen, text, wanted = lab.run(main())
    assert hits == [len(wanted)], "a form of the key lies open in the worker's memory"
    assert seen > 20 << 20 and not [f for f in wanted[3:] if f in text]
    assert os.path.exists("/proc/self/smaps")
