# SPDX-License-Identifier: Apache-2.0
"""A guarded program: prints a file for whoever may read it. usage: guard.py SERVICE WARRANT PROOF PATH, PROOF in hex

Exit status: 0 yes, 1 no, 3 "cannot decide", which is a no as well."""

from __future__ import annotations

import pathlib
import sys

import tenuo


def main(service: str, warrant: str, proof: str, path: str) -> int:
    try:
        context = tenuo.Context.open(service)  # a server opens it once, and it serves all its threads
        chain = tenuo.Warrant(pathlib.Path(warrant).read_bytes())
        # The call as it will be carried out. What the caller says about it never gets in here, but for its proof.
        decision = context.authorize(chain, "read_file", {"path": path}, bytes.fromhex(proof))
    except (tenuo.TenuoError, OSError, ValueError) as error:
        print(f"guard: {error}", file=sys.stderr)
        return 3
    if not decision:
        print(f"guard: denied: {decision.reason}", file=sys.stderr)
        return 1
    sys.stdout.write(pathlib.Path(path).read_text(encoding="utf-8"))
    return 0


if __name__ == "__main__":
    if len(sys.argv) != 5:
        sys.exit("usage: guard.py SERVICE WARRANT PROOF PATH")
    sys.exit(main(*sys.argv[1:]))
