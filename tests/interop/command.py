# SPDX-License-Identifier: Apache-2.0
"""The same interface as interop.Ours, over the real `tenuo` command: files, options and exit statuses."""

import json
import os
import subprocess
import tempfile


class Command:
    name = "command"

    def __init__(self, program):
        self.program = os.path.abspath(program)
        self.folder = tempfile.TemporaryDirectory()

    def run(self, *words, stdin=b""):
        env = {k: v for k, v in os.environ.items() if not k.startswith("TENUO_")}
        return subprocess.run([self.program, *words], input=stdin, capture_output=True, env=env, check=False)

    def file(self, name, data):
        path = os.path.join(self.folder.name, name)
        with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as f:
            f.write(data)
        return path

    def key(self, key):
        return self.file("key", key.seed.hex().encode() + b"\n")

    def make(self, verb, signer, holder, tools, now, *more):
        words = [verb, "--key", self.key(signer), "--holder", holder.public.hex(), "--form", "cbor", "--at", str(now), *more]
        for tool, args in tools.items():
            words += ["--tool", tool]
            for arg, spec in args.items():
                words += ["--constraint-json", f"{arg}={json.dumps(spec.cli())}"]
        return self.run(*words)

    def chain(self, case, now, ttl):
        done = self.make("mint", case.keys[0], case.keys[1], case.levels[0], now, "--ttl", f"{ttl}s")
        for i, tools in enumerate(case.levels[1:], 1):
            parent = self.file("parent", self.output(done))
            done = self.make("attenuate", case.keys[i], case.keys[i + 1], tools, now, "--warrant", parent)
        data = self.output(done)
        return b"\x81" + data if data[:2] == b"\x83\x01" else data  # one warrant alone: a stack of one

    @staticmethod
    def output(done):
        if done.returncode != 0:
            raise RuntimeError(f"status {done.returncode}: {done.stderr.decode(errors='replace').strip()}")
        return done.stdout

    def widen(self, case, stack, tools, now):
        done = self.make("attenuate", case.keys[len(case.levels)], case.stranger, tools, now, "--warrant", self.file("parent", stack))
        return done.returncode == 0

    def pop(self, key, stack, tool, args, now):
        done = self.run("sign", "--key", self.key(key), "--warrant", self.file("warrant", stack), "--tool", tool, "--args",
                        json.dumps(args), "--at", str(now), "--form", "hex")
        return bytes.fromhex(self.output(done).decode().strip())

    def decide(self, root, stack, tool, args, pop, now):
        done = self.run("authorize", "--json", "--root", root.public.hex(), "--warrant", self.file("warrant", stack), "--tool", tool,
                        "--args", json.dumps(args), "--pop", pop.hex(), "--at", str(now))
        if done.returncode not in (0, 1):
            raise RuntimeError(f"status {done.returncode}: {done.stdout.decode(errors='replace')}{done.stderr.decode(errors='replace')}")
        return done.returncode == 0, done.stdout.decode(errors="replace").strip()[:200]
