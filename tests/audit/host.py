# SPDX-License-Identifier: Apache-2.0
"""What the tests of audit logs share: TAP, the command, and a guarded service in a folder of its own.
Environment: TENUO, PLUGIN_BUILD_DIR, AUDIT_LOAD (tests/audit/load.c, built)."""

from __future__ import annotations

import contextlib
import os
import pathlib
import shutil
import subprocess
import sys
import typing

TENUO = os.environ["TENUO"]
counted = failed = 0


def ok(good: bool, title: str, why: str = "") -> None:
    global counted, failed
    counted += 1
    failed += not good
    print(f"{'ok' if good else 'not ok'} {counted} - {title}", flush=True)
    if not good and why:
        print("\n".join(f"# {line}"[:400] for line in why.splitlines()[:20]), flush=True)


def skip(title: str, why: str) -> None:
    global counted
    counted += 1
    print(f"ok {counted} - {title} # SKIP {why}", flush=True)


def finish() -> typing.NoReturn:
    print(f"1..{counted}")
    sys.exit(failed != 0)


def propagation() -> str:
    """For unshare. The root of a chroot may be no mount, which can be made private then, and no line of mountinfo."""
    mounts = pathlib.Path("/proc/self/mountinfo").read_text().splitlines()
    return "private" if any(line.split()[4] == "/" for line in mounts) else "unchanged"


def tenuo(*words: str, check: bool = True) -> subprocess.CompletedProcess[str]:
    done = subprocess.run([TENUO, *words], capture_output=True, text=True, timeout=60)
    if check and done.returncode != 0:
        sys.exit(f"Bail out! tenuo {' '.join(words)}: {done.stderr}")
    return done


class Host:
    """One service: a root, a holder, a warrant for an hour, and the audit lines that are given."""

    def __init__(self, root: pathlib.Path, audit: str) -> None:
        self.root = root
        root.mkdir(mode=0o700)
        for folder in ("plugins", "keys", "log"):
            (root / folder).mkdir(mode=0o700)
        for plugin in pathlib.Path(os.environ["PLUGIN_BUILD_DIR"]).glob("tenuo_*.so"):
            shutil.copy(plugin, root / "plugins")
        self.log = root / "log" / "audit.jsonl"
        self.conf = root / "tenuo.conf"
        self.conf.write_text(f"set plugin_dir {root}/plugins\ntrust required file path={root}/root.pub\n"
                             f"resolver required file path={root}/keys\n{audit.replace('$LOG', str(self.log)).replace('$ROOT', str(root))}\n")
        for name in ("root", "alice"):
            tenuo("keygen", str(root / name))
        shutil.copy(root / "alice.key", root / "keys" / "gate.key")
        tenuo("mint", "--key", str(root / "root.key"), "--holder", str(root / "alice.pub"), "--ttl", "1h", "--tool", "read_file", "-c", "path=subpath:/data", "-o",
              str(root / "w"))

    def call(self, path: str, *options: str, wrap: tuple[str, ...] = ()) -> subprocess.CompletedProcess[str]:
        """`wrap`: a command that runs ours."""
        pop = tenuo("sign", str(self.root / "w"), "--key", str(self.root / "alice.key"), "--tool", "read_file", "-a", f"path={path}").stdout.strip()
        words = ("authorize", str(self.root / "w"), "--conf", str(self.conf), "--tool", "read_file", "-a", f"path={path}", "--pop", pop, *options)
        return subprocess.run([*wrap, TENUO, *words], capture_output=True, text=True, timeout=60)

    def files(self) -> list[pathlib.Path]:
        """Oldest first."""
        old = sorted(self.log.parent.glob("audit.jsonl.[0-9]*"), key=lambda p: -int(p.suffix[1:]))
        return [*old, self.log]

    def lines(self) -> list[tuple[pathlib.Path, bytes]]:
        return [(path, line) for path in self.files() for line in path.read_bytes().splitlines(keepends=True)]


class Load:
    """Processes that decide one call again and again, and what they were told."""

    def __init__(self, host: Host, processes: int, millis: int, count: int = 0, early: bool = False) -> None:
        self.folder = host.root / "answers"
        self.slowest = 0  # milliseconds of one call; known at the end
        shutil.rmtree(self.folder, ignore_errors=True)
        self.folder.mkdir()
        words = [os.environ["AUDIT_LOAD"], host.conf, "", host.root / "w", host.root / "alice.key", "/data/x", self.folder, processes, millis] + ([count] if count else []) + (["early"] if early else [])
        self.process = subprocess.Popen([str(word) for word in words], stderr=subprocess.PIPE, text=True)

    def answers(self) -> list[tuple[str, int]]:
        """Waits for the end: (decision id, code) of every answer."""
        _, messages = self.process.communicate(timeout=120)
        if self.process.returncode != 0:
            sys.exit(f"Bail out! load: {self.process.returncode} {messages}")
        rows = [line.split() for path in self.folder.iterdir() for line in path.read_text().splitlines()]
        self.slowest = max((int(row[2]) for row in rows if len(row) == 3), default=0)
        return [(row[0], int(row[1])) for row in rows if len(row) == 3]


@contextlib.contextmanager
def running(*words: str, **options: typing.Any) -> typing.Iterator[subprocess.Popen[bytes]]:
    """A server, stopped by its pid."""
    process = subprocess.Popen(list(words), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, **options)
    try:
        yield process
    finally:
        process.kill()
        process.wait()
