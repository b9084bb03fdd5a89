# SPDX-License-Identifier: Apache-2.0
"""lifecycle.py TENUO DRIVER PLUGINS: the life of a key in each real store, from the command that makes it to the one that removes it,
with calls signed by it in between; judged by the core and by the reference package (when this Python has it)."""

import hashlib
import pathlib
import sys
import time

import lab as bench

try:
    import tenuo_core as reference
except ImportError:
    reference = None

DEADLINE = "4s"


def reference_allows(lab, warrant, pop, when):
    root = pathlib.Path(lab.root_pub).read_text()
    key = reference.PublicKey.from_pem(root)
    link = reference.Warrant(warrant.strip())
    try:
        reference.Authorizer(trusted_roots=[key]).check_chain([link], "t", {}, signature=pop, as_of=when)
        return True
    except Exception as why:  # each refusal has an exception of its own
        print(f"# the reference: {why}")
        return False


class Life:
    def __init__(self, tap, lab, store):
        self.tap, self.lab, self.store = tap, lab, store
        self.title = store.title
        self.conf = lab.conf(store.line(more="cache_ttl=off"), settings=[f"set deadline {DEADLINE}"])
        self.admin = lab.conf(store.line(), settings=["set deadline 30s"])  # a busy machine is no outage
        self.driver = lab.driver()
        self.when = int(time.time())

    def ok(self, good, text, *why):
        return self.tap.ok(good, f"{self.title}: {text}", *why)

    def tenuo(self, *words, **more):
        return self.lab.run(*words, "--conf", self.admin, **more)

    def open(self):
        answer = self.driver("open", conf=self.conf)
        return self.ok(answer["code"] == 0, "the configuration opens", answer)

    def signer(self, id, **more):
        return self.driver("signer", id=id, **more)

    def signs(self, id, text, **more):
        """Gets a signer, signs a call of a warrant for its key, and has it judged."""
        got = self.signer(id, **more)
        if not self.ok(got["code"] == 0, text + ": a signer", got):
            return None
        if got["local"] == self.store.remote:
            self.ok(False, f"{text}: local is {got['local']}")
        key = bytes.fromhex(got["public_key"])
        warrant = self.lab.warrant(key)
        signed = self.driver("pop", warrant=warrant, tool="t", when=self.when)
        if not self.ok(signed["code"] == 0, text + ": a signature", signed):
            return key
        print(f"# {self.title}: {text}: signer {got['took'] * 1000:.1f} ms, signature {signed['took'] * 1000:.2f} ms")
        decided = self.driver("decide", warrant=warrant, tool="t", pop=signed["pop"], when=self.when)
        self.ok(decided["code"] == 0 and decided["allow"], text + ": the core allows the call", decided)
        flipped = f"{int(signed['pop'][:2], 16) ^ 1:02x}" + signed["pop"][2:]
        decided = self.driver("decide", warrant=warrant, tool="t", pop=flipped, when=self.when)
        self.ok(decided["code"] == 0 and not decided["allow"], text + ": and no other signature", decided)
        if reference is not None:
            self.ok(reference_allows(self.lab, warrant, bytes.fromhex(signed["pop"]), self.when), text + ": so does the reference")
        return key

    def refused(self, id, codes, text, names=(), **more):
        began = time.monotonic()
        got = self.signer(id, **more)
        took = time.monotonic() - began
        self.ok(got["code"] in codes, f"{text} is {codes}", got)
        message = got.get("message", "")
        for name in names:
            self.ok(name in message, f"{text}: the sentence names {name}", message)
        self.ok(took < 12, f"{text}: within its bound", took)

    def run(self):
        tap_before = self.tap.failed
        made = self.tenuo("keygen", "--to", f"{self.title}:agent", ok=False)
        if not self.ok(made.returncode == 0, "keygen --to", made.stderr.decode()):
            return
        again = self.tenuo("keygen", "--to", f"{self.title}:agent", ok=False)
        self.ok(again.returncode != 0 and any(said in again.stderr for said in (b"already", b"there is", b"has a key")), "an id that is taken is refused", again.stderr.decode())
        if not self.open():
            return
        self.refused("nobody", [9300], "an unknown id", [self.title])
        first = self.signs("agent", "the first key")
        listed = self.tenuo("key", "list", self.title, ok=False)
        self.ok(listed.returncode == 0 and b"agent" in listed.stdout, "key list shows it", listed.stderr.decode())
        if first is None:
            return
        if self.store.versions:
            self.rotation(first)
        self.outage()
        self.removal()
        if self.tap.failed == tap_before:
            print(f"# {self.title}: all well")

    def rotation(self, first):
        done = self.tenuo("key", "rotate", f"{self.title}:agent", ok=False)
        if not self.ok(done.returncode == 0, "key rotate", done.stderr.decode()):
            return
        second = self.signs("agent", "the rotated key")
        self.ok(second is not None and second != first, "is another one")
        self.ok(self.signs("agent", "for a warrant of before", holder=first.hex()) == first, "the old version is chosen by holder")
        self.ok(self.signs("agent@1", "the old version by its number") == first, "is the first key")
        self.ok(self.signs("agent@2", "the new version by its number") == second, "is the second key")
        self.refused("agent@7", [9300], "a version that is not there")
        stranger = hashlib.sha256(b"stranger").hexdigest()
        self.refused("agent", [9306], "a holder that no version is", holder=stranger)

    def outage(self):
        try:
            self.store.away()
        except NotImplementedError:
            return
        try:
            self.refused("agent", [9301], "a store that is away", [self.title])
            self.others()
        finally:
            self.store.back()
        end = time.monotonic() + 15
        while time.monotonic() < end and self.signer("agent")["code"] != 0:
            time.sleep(0.3)
        self.signs("agent", "after the store came back, without a restart")

    def others(self):
        """While the store is away, another line of the chain answers, in time."""
        folder = self.lab.dir / f"beside-{self.title}"
        folder.mkdir(mode=0o700)
        conf = self.lab.conf(self.store.line("sufficient"), f"resolver sufficient file path={folder} name=beside", settings=[f"set deadline {DEADLINE}"])
        self.lab.run("keygen", "--to", "beside:agent", "--conf", conf)
        with self.lab.driver() as driver:
            began = time.monotonic()
            opened = driver("open", conf=conf)
            got = driver("signer", id="agent") if opened["code"] == 0 else opened
            self.ok(got["code"] == 0 and time.monotonic() - began < 12, "while it is away the next line answers", got)

    def removal(self):
        done = self.tenuo("key", "remove", "--yes", f"{self.title}:agent", ok=False)
        if not self.ok(done.returncode == 0, "key remove", done.stderr.decode()):
            return
        time.sleep(2.2)  # what was not found is remembered for a moment, and so may be what was found
        self.refused("agent", [9300], "the removed key")


def main():
    tap = bench.Tap()
    with bench.Lab(*sys.argv[1:4]) as lab:
        if reference is None:
            tap.skip("the reference package judges the signatures", "this Python has no package tenuo")
        for store in bench.stores(lab, tap):
            life = Life(tap, lab, store)
            try:
                life.run()
                life.driver.end()
            except Exception as why:  # one store's fault must not hide the others
                tap.ok(False, f"{store.title}: {type(why).__name__}", why)
                life.driver.p.kill()
    return tap.done()


if __name__ == "__main__":
    sys.exit(main())
