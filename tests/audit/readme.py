#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""README's way for newcomers, command by command from its own text, with the answers that it promises. Prints TAP.
usage: readme.py SOURCE BUILD"""

from __future__ import annotations

import pathlib
import re
import subprocess
import sys
import tempfile

SECTION = "## Your first warrant in five minutes"
STATUS = {"ALLOW": 0, "DENY 1501": 1, "INVALID 1800": 1}


def main() -> None:
    source, build = pathlib.Path(sys.argv[1]), pathlib.Path(sys.argv[2]).resolve()
    text = (source / "README.md").read_text(encoding="utf-8")
    section = text[text.index(SECTION):]
    section = section[:section.index("\n## ", 3)]
    parts = re.split(r"```sh\n(.*?)```", section, flags=re.S)
    blocks, promises = parts[1::2], parts[2::2]
    last = next(i for i, block in enumerate(blocks) if "tenuo approve" in block)  # a terminal's: tests/cmd/terminal.py
    with tempfile.TemporaryDirectory(prefix="tenuo-readme-") as folder:
        (pathlib.Path(folder) / "build").symlink_to(build)
        script = f"cd {folder}\n" + "".join(
            f"echo '@@ {i}'\nset +e; trap 'c=$?; [ $c -le 1 ] || echo \"@@ BAD $c: $BASH_COMMAND\"; s=$c' ERR; s=0\n{block}\necho \"@@ END $s\"\n"
            for i, block in enumerate(blocks[:last])) + 'rm -rf "$d"\n'
        out = subprocess.run(["bash", "-c", script], capture_output=True, text=True, timeout=120, env={"PATH": "/usr/bin:/bin", "HOME": folder}).stdout
    runs = re.findall(r"@@ (\d+)\n(.*?)@@ END (\d+)", out, re.S)
    failed = 0
    for (number, got, status), promise in zip(runs, promises):
        wanted = next((word for word in STATUS if f"`{word}`" in promise[:200]), None)
        good = "@@ BAD" not in got and (wanted is None or (wanted in got and int(status) == STATUS[wanted])) and (wanted is not None or status == "0" or "--check" in blocks[int(number)])
        failed += not good
        title = next((line for line in blocks[int(number)].splitlines() if line.startswith("tenuo")), "set-up")
        print(f"{'ok' if good else 'not ok'} {int(number) + 1} - {title}" + (f": {wanted}" if wanted else ""))
        if not good:
            print("\n".join(f"# {line}"[:300] for line in [f"status {status}", *got.splitlines()][:30]))
    if len(runs) != last or last < 9:
        failed += 1
        print(f"not ok {len(runs) + 1} - all {last} blocks ran\n# {out[-600:]!r}")
    print(f"1..{len(runs) + (len(runs) != last or last < 9)}")
    sys.exit(failed != 0)


main()
