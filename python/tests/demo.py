# SPDX-License-Identifier: Apache-2.0
"""Starts a real Temporal server on loopback, runs the first example against it, and stops the server."""

from __future__ import annotations

import os
import pathlib
import subprocess
import sys

import lab


def main() -> int:
    example = pathlib.Path(__file__).resolve().parent.parent / "examples" / "temporal" / "demo.py"
    with lab.dev_server() as address:
        print(f"A Temporal server on {address}", flush=True)
        return subprocess.run([sys.executable, str(example)], env={**os.environ, "TEMPORAL_ADDRESS": address}, timeout=120, check=False).returncode


if __name__ == "__main__":
    sys.exit(main())
