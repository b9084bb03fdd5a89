# SPDX-License-Identifier: Apache-2.0
"""stores.py COMMAND PLUGINS [STORE...]: keys in every kind of store (services.py), made, used, replaced and removed by the real command; each
proof of possession is judged by the reference package as well as by us. Random chains, made in turn by both. TENUO_SEED repeats a run."""

import base64
import json
import os
import random
import shutil
import sys
import tempfile
import time
import types

import tenuo_core as t

import command
import interop
import services

CASES = int(os.environ.get("TENUO_STORE_CASES", "6"))
TTL = 3600


class Held:
    """The holder, of whom only the public key is known here."""

    def __init__(self, public):
        self.public = public
        self.ref = types.SimpleNamespace(public_key=t.PublicKey.from_bytes(public))


class Tenuo(command.Command):
    """The command with a configuration whose one resolver line is the store's."""

    def __init__(self, program, run, plugins, store):
        super().__init__(program)
        root = os.path.join(run, "roots.pub")
        with open(root, "w", encoding="ascii") as f:
            f.write("29acbae141bccaf0b22e1a94d34d0bc7361e526d0bfe12c89794bc9322966dd7\n")
        self.conf = os.path.join(run, store.name + ".conf")
        with open(self.conf, "w", encoding="ascii") as f:
            f.write(f"set plugin_dir {plugins}\ntrust required file path={root}\nresolver required {store.line()} name=it timeout=20s\n")

    def keys(self, *words):
        done = self.run(*words, "--conf", self.conf, "--json")
        if done.returncode != 0:
            raise RuntimeError(f"{' '.join(words)}: status {done.returncode}: {done.stdout.decode(errors='replace').strip()}")
        return json.loads(done.stdout)

    @staticmethod
    def public(answer):
        key = answer["public_key"] if "public_key" in answer else answer["key"]
        return base64.urlsafe_b64decode(key + "=" * (-len(key) % 4))

    def stored_pop(self, key_id, stack, tool, args, now):
        done = self.run("sign", "--warrant", self.file("warrant", stack), "--conf", self.conf, "--key-id", key_id, "--tool", tool, "--args",
                        json.dumps(args), "--at", str(now), "--form", "hex")
        return bytes.fromhex(self.output(done).decode().strip())


class Run:
    def __init__(self, tap, tenuo, store, rng):
        self.tap, self.tenuo, self.store, self.rng = tap, tenuo, store, rng
        self.judges = [tenuo, interop.Reference()]

    def ok(self, good, what):
        return self.tap.ok(good, f"{self.store.name}: {what}")

    def warrant(self, public, number):
        case = interop.Case(self.rng)
        case.keys[-1] = Held(public)
        now = int(time.time())
        return case, self.judges[number % 2].chain(case, now, TTL), now

    def agree(self, case, stack, pop, args, now, allowed):
        return all(j.decide(case.keys[0], stack, case.tool, args, pop, now)[0] == allowed for j in self.judges)

    def proofs(self, key_id, public, what):
        good = refused = 0
        for number in range(CASES):
            case, stack, now = self.warrant(public, number)
            args, bad = case.args(), case.bad_args()
            pop = self.tenuo.stored_pop(key_id, stack, case.tool, args, now)
            good += self.agree(case, stack, pop, args, now, True)
            refused += self.agree(case, stack, pop, {**args, "zz9": 1}, now, False)
            if bad is not None:
                pop = self.tenuo.stored_pop(key_id, stack, case.tool, bad, now)
                refused += self.agree(case, stack, pop, bad, now, False) - 1
        self.ok(good == CASES, f"{good} of {CASES} proofs of {what} pass with us and the reference")
        self.ok(refused == CASES, "and none with other arguments")

    def fails(self, what, *words):
        done = self.tenuo.run(*words, "--conf", self.tenuo.conf, "--json")
        code = json.loads(done.stdout or b"{}").get("code")
        self.ok(done.returncode != 0 and code in (9300, None) and b"9300" in done.stdout + done.stderr, f"{what}: {done.returncode}, {code}")

    def rotated(self, first):
        second = self.tenuo.public(self.tenuo.keys("key", "rotate", "it:agent")["new"])
        self.ok(first != second, "rotation makes another key")
        self.proofs("agent", second, "the rotated key")
        self.proofs("agent", first, "the old key, for warrants that name it")

    def whole_life(self):
        first = self.tenuo.public(self.tenuo.keys("keygen", "--to", "it:agent"))
        self.proofs("agent", first, "a new key")
        self.rotated(first)
        self.tenuo.keys("key", "remove", "it:agent", "--yes")
        _, stack, now = self.warrant(first, 0)
        self.fails("a removed key signs nothing", "sign", "--warrant", self.tenuo.file("warrant", stack), "--key-id", "agent", "--tool", "x",
                   "--args", "{}", "--at", str(now))

    def everything(self):
        if self.store.key_id is None:
            self.whole_life()
        else:
            shown = self.tenuo.keys("key", "test", self.store.key_id)
            self.proofs(self.store.key_id, self.tenuo.public(shown), "the key that is there")


def run_store(tap, store, program, plugins, folder, rng):
    why = store.missing()
    module = store.name.split("_")[0] if store.name != "ssh_agent" else store.name
    if why is None and not os.path.exists(os.path.join(plugins, f"tenuo_{module}.so")):
        why = f"the plugin {module} is not built"
    if why is not None:
        tap.skip(store.name, why)
        return
    try:
        store.start()
        Run(tap, Tenuo(program, folder, plugins, store), store, rng).everything()
    except (RuntimeError, OSError, KeyError, ValueError) as problem:
        tap.ok(False, f"{store.name}: {type(problem).__name__}: {problem}".replace("\n", " "))
    finally:
        store.stop()


def main():
    program, built, names = sys.argv[1], sys.argv[2], sys.argv[3:]
    os.umask(0o022)
    tap, rng = interop.Tap(), random.Random(interop.SEED)
    print(f"# seed {interop.SEED}", flush=True)
    with tempfile.TemporaryDirectory(prefix="tenuo-stores.", dir="/tmp") as folder:
        plugins = os.path.join(folder, "plugins")
        os.mkdir(plugins, 0o700)
        for path in os.listdir(built):
            if path.endswith(".so") or path == "tenuo-tpm2":
                shutil.copy(os.path.join(built, path), plugins)
                os.chmod(os.path.join(plugins, path), 0o755)
        for kind in services.STORES:
            if not names or kind.name in names:
                run_store(tap, kind(folder), program, plugins, folder, rng)
    print(f"1..{tap.number}")
    print(f"# {tap.passed} passed, {tap.failed} failed, {tap.skipped} skipped")
    return 1 if tap.failed else 0


if __name__ == "__main__":
    sys.exit(main())
