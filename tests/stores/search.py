# SPDX-License-Identifier: Apache-2.0
"""search.py TENUO DRIVER PLUGINS: where a seed is to be found after it signed.

A seed that is known here is put into each store, a program signs with it, and everything that the program leaves behind is searched for the
seed, raw and as text: its memory (guarded pages alone may hold it, and nothing after close), a core dump, its log, and the system calls
that strace sees. Exempt is what the store itself is: read() of a key file, keyctl(), the environment (EXEMPT below)."""

import base64
import hashlib
import os
import pathlib
import re
import secrets
import subprocess
import sys
import time

import lab as bench

EXEMPT = {"file": re.compile(r"^\S*\s*(\[pid +\d+\] )?\d* *(read|pread64)\("), "keyring": re.compile(r"keyctl\(")}


def needles(seed):
    scalar = bytearray(hashlib.sha512(seed).digest()[:32])
    plain = bytes(scalar)
    scalar[0] &= 248
    scalar[31] = scalar[31] & 127 | 64
    half = {"raw, first half": seed[:16], "raw, second half": seed[16:], "hash": plain[:16], "scalar": bytes(scalar[:16])}
    text = {"hex": seed.hex()[:40].encode(), "HEX": seed.hex().upper()[:40].encode()}
    for shift in range(3):  # what stands before the seed decides where its bits begin
        for name, encode in (("base64", base64.b64encode), ("base64url", base64.urlsafe_b64encode)):
            text[f"{name}, shift {shift}"] = encode(bytes(shift) + seed)[4:40]
    return {**half, **text}


def found(data, wanted):
    return [name for name, needle in wanted.items() if needle in data]


def regions(pid):
    """(start, end, guarded) of each readable mapping; guarded ones are locked or left out of core dumps."""
    out, current = [], None
    for line in pathlib.Path(f"/proc/{pid}/smaps").read_text().splitlines():
        head = re.match(r"^([0-9a-f]+)-([0-9a-f]+) (\S+)", line)
        if head:
            current = [int(head.group(1), 16), int(head.group(2), 16), head.group(3), line, False]
            out.append(current)
        elif line.startswith("VmFlags:"):
            current[4] = "dd" in line.split()
    return [r for r in out if r[2].startswith("r") and "[vvar" not in r[3] and "[vsyscall" not in r[3]]


def scan(pid, wanted):
    """Names of what was found outside and inside guarded pages."""
    outside, inside = [], []
    with open(f"/proc/{pid}/mem", "rb", 0) as mem:
        for start, end, _, line, guarded in regions(pid):
            try:
                mem.seek(start)
                data = mem.read(end - start)
            except (OSError, ValueError):
                continue
            for name in found(data, wanted):
                (inside if guarded else outside).append(f"{name} in {line}")
    return outside, inside


class Search:
    def __init__(self, tap, lab, store):
        self.tap, self.lab, self.store = tap, lab, store
        self.seed = secrets.token_bytes(32)
        self.wanted = needles(self.seed)
        self.conf = lab.conf(store.line(), settings=["set deadline 5s"])
        self.log = lab.path(f"log-{store.title}")

    def ok(self, good, text, *why):
        return self.tap.ok(good, f"{self.store.title}: {text}", *why)

    def provision(self):
        file = self.lab.dir / "seed"
        file.write_bytes(self.seed)
        file.chmod(0o600)
        done = self.lab.run("key", "import", f"{self.store.title}:spy", str(file), "--conf", self.conf, ok=False)
        file.unlink()
        if done.returncode != 0:
            return self.ok(False, "key import", done.stderr.decode())
        return self.ok(not found(done.stdout + done.stderr, self.wanted), "the command does not show the seed")

    def signed(self, driver):
        opened = driver("open", conf=self.conf)
        got = driver("signer", id="spy") if opened["code"] == 0 else opened
        if got["code"] != 0:
            return self.ok(False, "a signer", got)
        warrant = self.lab.warrant(bytes.fromhex(got["public_key"]))
        pop = driver("pop", warrant=warrant, tool="t", when=int(time.time()))
        return self.ok(pop["code"] == 0, "signs", pop)

    def memory(self):
        with open(self.log, "ab") as log, self.lab.driver(stderr=log) as driver:
            if not self.signed(driver):
                return
            outside, inside = scan(driver.p.pid, self.wanted)
            if self.store.in_process:
                print(f"# {self.store.title}: the store itself lives in this process: its memory is not searched")
                return
            self.ok(not outside, "after signing, memory holds the seed in guarded pages alone", *outside[:8])
            self.ok(bool(inside) != self.store.remote, "where the search does find a seed that this process holds" if not self.store.remote
                    else "nor there, since the store keeps it", *inside[:4])
            driver("close")
            outside, inside = scan(driver.p.pid, self.wanted)
            self.ok(not outside and not inside, "after close, nowhere", *(outside + inside)[:8])
        self.ok(not found(pathlib.Path(self.log).read_bytes(), self.wanted), "nor in the log")

    def core(self):
        """A crash while the key is in use."""
        if self.store.in_process:
            return
        folder = self.lab.dir / f"core-{self.store.title}"
        folder.mkdir(mode=0o700)
        pattern = pathlib.Path("/proc/sys/kernel/core_pattern").read_text().strip()
        if pattern.startswith("|") or "/" in pattern:
            self.tap.skip(f"{self.store.title}: a core dump", f"the kernel sends core dumps to {pattern}")
            return
        driver = bench.Driver([self.lab.driver_path], self.lab.env, folder)
        if not self.signed(driver):
            return
        try:
            driver("abort")
        except RuntimeError:
            pass
        driver.p.stdin.close()
        driver.p.wait(20)
        cores = [p for p in folder.iterdir() if p.name.startswith("core")]
        if self.ok(len(cores) == 1 and cores[0].stat().st_size > 100000, "it leaves a core dump", cores):
            names = found(cores[0].read_bytes(), self.wanted)
            self.ok(not names, "which does not hold the seed", *names)
            cores[0].unlink()

    def calls(self):
        """Every system call of the program and its children."""
        trace = self.lab.dir / f"trace-{self.store.title}"
        wrap = [bench.need("strace"), "-f", "-qq", "-xx", "-s", "1000000", "-o", str(trace)]
        with self.lab.driver(wrap=wrap) as driver:
            if not self.signed(driver):
                return
            driver("close")
        wanted = {name: "".join(f"\\x{b:02x}" for b in needle) for name, needle in self.wanted.items()}
        exempt, hits, lines, seen = EXEMPT.get(self.store.module), [], 0, 0
        with open(trace, encoding="ascii", errors="replace") as f:
            for line in f:
                lines += 1
                names = [name for name, needle in wanted.items() if needle in line]
                if names and exempt and exempt.search(line):
                    seen += 1
                elif names:
                    hits.append(f"{names}: {line[:80]}")
        self.ok(lines > 100 and not hits, f"nor in its {'' if lines > 100 else 'missing '}system calls", *hits[:8])
        self.ok(not exempt or seen > 0, "but for the calls to the store itself, where the search does see it")
        trace.unlink()

    def run(self):
        if not self.provision():
            return
        self.memory()
        self.core()
        self.calls()


class Exported(Search):
    """Transit makes its keys itself; one that may be exported tells what to look for."""

    def provision(self):
        call = self.lab.vault.call
        call("POST", "transit/keys/spy", {"type": "ed25519", "exportable": True})
        key = base64.b64decode(call("GET", "transit/export/signing-key/spy")["data"]["keys"]["1"])
        self.wanted = needles(key[:32])
        return self.ok(len(key) == 64, "a key that may be exported")


def main():
    tap = bench.Tap()
    with bench.Lab(*sys.argv[1:4]) as lab:
        for store in bench.stores(lab, tap):
            try:
                (Search if store.can_import else Exported)(tap, lab, store).run()
            except bench.Missing as why:
                tap.skip(store.title, why)
            except Exception as why:  # one store's fault must not hide the others
                tap.ok(False, f"{store.title}: {type(why).__name__}", why)
    return tap.done()


if __name__ == "__main__":
    sys.exit(main())
