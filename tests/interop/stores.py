# SPDX-License-Identifier: Apache-2.0
"""stores.py COMMAND PLUGINS [STORE...]: keys in every kind of store (the laboratory of tests/stores), made, used, replaced and removed by the
real command; each proof of possession is judged by the reference package as well as by us. Random chains and calls, made in turn by
both. TENUO_SEED repeats a run."""

import base64
import json
import os
import pathlib
import random
import ssl
import sys
import time
import types
import urllib.request

import tenuo_core as t

import command
import interop

sys.path.insert(1, str(pathlib.Path(__file__).resolve().parent.parent / "stores"))
import lab as laboratory  # noqa: E402

CASES = int(os.environ.get("TENUO_STORE_CASES", "6"))
TTL = 3600


class AwsKms(laboratory.Aws):
    """Seeds that a KMS key has wrapped."""
    title, service = "aws-kms", "kms"

    def __init__(self, lab):
        super().__init__(lab)
        request = urllib.request.Request(lab.moto.url, data=b"{}", headers={
            "X-Amz-Target": "TrentService.CreateKey", "Content-Type": "application/x-amz-json-1.1",
            "Authorization": "AWS4-HMAC-SHA256 Credential=AKIALAB/20260101/eu-central-1/kms/aws4_request, SignedHeaders=host, Signature=0"})
        with urllib.request.urlopen(request, context=ssl.create_default_context(cafile=lab.moto.ca), timeout=10) as answer:
            self.kms_key = json.loads(answer.read())["KeyMetadata"]["KeyId"]
        self.folder = lab.dir / "kms"
        self.folder.mkdir(mode=0o700)

    def args(self):
        return (f"service=kms region=eu-central-1 endpoint={self.lab.moto.url} ca={self.lab.moto.ca} mode=unwrap kms_key={self.kms_key} "
                f"path={self.folder}")


class Held:
    """The holder, of whom only the public key is known here."""

    def __init__(self, public):
        self.public = public
        self.ref = types.SimpleNamespace(public_key=t.PublicKey.from_bytes(public))


class Tenuo(command.Command):
    """The command in the laboratory, with a configuration whose one resolver line is the store's."""

    def __init__(self, lab, store):
        super().__init__(lab.tenuo)
        self.lab = lab
        self.conf = lab.conf(store.line(more="timeout=20s"))

    def run(self, *words, stdin=b""):
        return self.lab.run(*words, stdin=stdin, ok=False)

    def keys(self, *words):
        done = self.run(*words, "--conf", self.conf, "--json")
        if done.returncode != 0:
            raise RuntimeError(f"{' '.join(words)}: status {done.returncode}: {done.stdout.decode(errors='replace').strip()}")
        return json.loads(done.stdout)

    @staticmethod
    def public(answer):
        key = answer["public_key"]
        return base64.urlsafe_b64decode(key + "=" * (-len(key) % 4))

    def stored_pop(self, stack, tool, args, now):
        done = self.run("sign", "--warrant", self.file("warrant", stack), "--conf", self.conf, "--key-id", "agent", "--tool", tool, "--args",
                        json.dumps(args), "--at", str(now), "--form", "hex")
        return bytes.fromhex(self.output(done).decode().strip())


class Run:
    def __init__(self, tap, tenuo, store, rng):
        self.tap, self.tenuo, self.store, self.rng = tap, tenuo, store, rng
        self.judges = [tenuo, interop.Reference()]

    def ok(self, good, what):
        return self.tap.ok(good, f"{self.store.title}: {what}")

    def warrant(self, public, number):
        case = interop.Case(self.rng)
        case.keys[-1] = Held(public)
        now = int(time.time())
        return case, self.judges[number % 2].chain(case, now, TTL), now

    def agree(self, case, stack, pop, args, now, allowed):
        return all(j.decide(case.keys[0], stack, case.tool, args, pop, now)[0] == allowed for j in self.judges)

    def proofs(self, public, what):
        good = refused = 0
        for number in range(CASES):
            case, stack, now = self.warrant(public, number)
            args, bad = case.args(), case.bad_args()
            pop = self.tenuo.stored_pop(stack, case.tool, args, now)
            good += self.agree(case, stack, pop, args, now, True)
            denied = self.agree(case, stack, pop, {**args, "zz9": 1}, now, False)
            if bad is not None:
                pop = self.tenuo.stored_pop(stack, case.tool, bad, now)
                denied = denied and self.agree(case, stack, pop, bad, now, False)
            refused += denied
        self.ok(good == CASES, f"{good} of {CASES} proofs of {what} pass with us and the reference")
        self.ok(refused == CASES, "and none with other arguments")

    def rotated(self, first):
        second = self.tenuo.public(self.tenuo.keys("key", "rotate", f"{self.store.title}:agent")["new"])
        self.ok(first != second, "rotation makes another key")
        self.proofs(second, "the rotated key")
        self.proofs(first, "the old key, for warrants that name it")

    def removed(self, public):
        self.tenuo.keys("key", "remove", f"{self.store.title}:agent", "--yes")
        case, stack, now = self.warrant(public, 0)
        done = self.tenuo.run("sign", "--warrant", self.tenuo.file("warrant", stack), "--conf", self.tenuo.conf, "--key-id", "agent", "--tool",
                              case.tool, "--args", "{}", "--at", str(now), "--json")
        self.ok(done.returncode != 0 and json.loads(done.stdout).get("code") == 9300, "a removed key signs nothing")

    def whole_life(self):
        first = self.tenuo.public(self.tenuo.keys("keygen", "--to", f"{self.store.title}:agent"))
        self.proofs(first, "a new key")
        if self.store.versions:
            self.rotated(first)
        self.removed(first)


def main():
    program, built, names = os.path.abspath(sys.argv[1]), sys.argv[2], sys.argv[3:]
    tap, rng = interop.Tap(), random.Random(interop.SEED)
    kinds = [k for k in [*laboratory.STORES, AwsKms] if not names or k.title in names]
    print(f"# seed {interop.SEED}", flush=True)
    with laboratory.Lab(program, None, built) as lab:
        for store in laboratory.stores(lab, tap, kinds):
            try:
                Run(tap, Tenuo(lab, store), store, rng).whole_life()
            except Exception as problem:  # one store's fault must not hide the others
                tap.ok(False, f"{store.title}: {type(problem).__name__}: {problem}".replace("\n", " "))
    print(f"1..{tap.number}")
    print(f"# {tap.passed} passed, {tap.failed} failed, {tap.skipped} skipped")
    return 1 if tap.failed else 0


if __name__ == "__main__":
    sys.exit(main())
