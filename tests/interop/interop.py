# SPDX-License-Identifier: Apache-2.0
"""Interoperability with the reference package as a black box, both ways, over random cases.

A: what libtenuo makes, the reference must accept, and must refuse once it is spoilt.
B: what the reference makes, libtenuo must decide as the reference does.
Each case has variants: allowed, wrong argument, wrong tool, wrong holder, tampered, expired, foreign root, widened. TENUO_SEED
repeats a run."""

import base64
import json
import os
import random
import subprocess
import sys
import time

import tenuo_core as t

import specs

CASES = int(os.environ.get("TENUO_CASES", "300"))
COMMAND_CASES = int(os.environ.get("TENUO_COMMAND_CASES", "40"))  # each of them starts the real command a few dozen times
GOVERNANCE_CASES = int(os.environ.get("TENUO_GOVERNANCE_CASES", "40"))
SEED = int(os.environ.get("TENUO_SEED", "0") or 0) or random.SystemRandom().randrange(1, 2**31)


class Tap:
    def __init__(self):
        self.passed = self.failed = self.skipped = self.number = 0

    def ok(self, good, text):
        self.number += 1
        self.passed += bool(good)
        self.failed += not good
        print(f"{'ok' if good else 'not ok'} {self.number} - {text}")
        return good

    def skip(self, text, why):
        self.number += 1
        self.skipped += 1
        print(f"ok {self.number} - {text} # SKIP {why}")


class Driver:
    def __init__(self, *command):
        self.p = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def __call__(self, op, **members):
        self.p.stdin.write(json.dumps({"op": op, **members}) + "\n")
        self.p.stdin.flush()
        return json.loads(self.p.stdout.readline())


class Key:
    def __init__(self, rng):
        self.seed = rng.randbytes(32)
        self.ref = t.SigningKey.from_bytes(self.seed)
        self.public = bytes(self.ref.public_key_bytes()) if callable(self.ref.public_key_bytes) else bytes(self.ref.public_key_bytes)


def envelope_end(data, at):
    """End of the envelope at `at`: 83 01 bstr(payload) 82 01 58 40 signature."""
    info = data[at + 2] & 31
    width = {24: 1, 25: 2, 26: 4}.get(info, 0)
    size = int.from_bytes(data[at + 3:at + 3 + width], "big") if width else info
    return at + 3 + width + size + 68


def split_stack(data):
    if data[0] == 0x83 and data[1] == 0x01:
        return [data]
    at, links = 1 if data[0] < 0x98 else 2, []
    while at < len(data):
        end = envelope_end(data, at)
        links.append(data[at:end])
        at = end
    return links


def join_stack(links):
    return specs.cbor_head(4, len(links)) + b"".join(links)


def armor(stack):
    """A stack in the text form that the reference reads, so that its own decoder judges the array around the envelopes."""
    body = base64.urlsafe_b64encode(stack).rstrip(b"=").decode()
    lines = [body[i:i + 64] for i in range(0, len(body), 64)]
    return "\n".join(["-----BEGIN TENUO WARRANT CHAIN-----", *lines, "-----END TENUO WARRANT CHAIN-----", ""])


class Case:
    """A chain with its keys, the call that it allows, and calls that it must not allow."""

    def __init__(self, rng, matchers=False):
        self.rng, self.matchers = rng, matchers
        self.keys = [Key(rng) for _ in range(rng.choice([2, 2, 3, 4, 5]))]  # root issuer, holder of each link
        self.stranger = Key(rng)
        self.levels = [self.first_level()]
        while len(self.levels) < len(self.keys) - 1:
            self.levels.append(self.narrower(self.levels[-1]))
        self.tool = rng.choice(sorted(self.levels[-1]))

    def first_level(self):
        tools = {}
        for _ in range(self.rng.randint(1, 3)):
            args = {specs.word(self.rng): specs.random_spec(self.rng, self.matchers) for _ in range(self.rng.randint(0, 4))}
            tools[specs.word(self.rng)] = args
        return tools

    def narrower(self, tools):
        names = sorted(tools)
        kept = names if len(names) == 1 else names[self.rng.randint(0, 1):]
        return {n: {a: s.narrow if s.narrow and self.rng.random() < 0.4 else s for a, s in tools[n].items()} for n in kept}

    def args(self):
        return {a: s.good for a, s in self.levels[-1][self.tool].items()}

    def bad_args(self):
        """One argument outside its constraint; None where every argument is free."""
        args, names = self.args(), [a for a, s in self.levels[-1][self.tool].items() if s.kind != "wildcard"]
        if not names:
            return None
        name = self.rng.choice(sorted(names))
        args[name] = self.levels[-1][self.tool][name].bad
        return args

    def widened(self):
        """A child of the leaf that is wider than it in one argument; None where no constraint has a wider form."""
        tools = {n: dict(a) for n, a in self.levels[-1].items()}
        wide = [(n, a) for n, args in tools.items() for a, s in args.items() if s.wide is not None]
        if not wide:
            return None
        name, arg = self.rng.choice(sorted(wide))
        tools[name][arg] = tools[name][arg].wide
        return tools


def wire_tools(tools):
    return [[n, specs.wire_set(a).hex()] for n, a in tools.items()]


def reference_tools(tools):
    return {n: specs.reference_set(a, t) for n, a in tools.items()}


class Ours:
    """Makes and decides with libtenuo through the driver."""

    name = "ours"

    def __init__(self, driver):
        self.run = driver

    def chain(self, case, now, ttl):
        r = self.run("mint", seed=case.keys[0].seed.hex(), holder=case.keys[1].public.hex(), tools=wire_tools(case.levels[0]),
                     ttl=ttl, now=now)
        for i, tools in enumerate(case.levels[1:], 1):
            r = self.child(case, bytes.fromhex(r["stack"]), i, tools, now, case.keys[i + 1])
        return bytes.fromhex(r["stack"])

    def child(self, case, parent, level, tools, now, holder):
        return self.run("attenuate", parent=parent.hex(), seed=case.keys[level].seed.hex(), holder=holder.public.hex(),
                        tools=wire_tools(tools), now=now)

    def widen(self, case, stack, tools, now):
        return self.child(case, stack, len(case.levels), tools, now, case.stranger)["ok"]

    def pop(self, key, stack, tool, args, now):
        r = self.run("sign", stack=stack.hex(), seed=key.seed.hex(), tool=tool, args=specs.cbor(args).hex(), now=now)
        return bytes.fromhex(r["pop"]) if r["ok"] else None

    def decide(self, root, stack, tool, args, pop, now):
        r = self.run("authorize", stack=stack.hex(), root=root.public.hex(), tool=tool, args=specs.cbor(args).hex(),
                     pop=pop.hex(), now=now)
        return r["ok"], str(r.get("code", ""))


class Reference:
    name = "reference"

    def chain(self, case, now, ttl):
        del now
        w = t.Warrant.issue(case.keys[0].ref, reference_tools(case.levels[0]), ttl_seconds=ttl, holder=case.keys[1].ref.public_key)
        links = [w]
        for i, tools in enumerate(case.levels[1:], 1):
            w = w.attenuate(reference_tools(tools), case.keys[i].ref, holder=case.keys[i + 1].ref.public_key)
            links.append(w)
        return join_stack([bytes(x.to_bytes()) for x in links])

    def widen(self, case, stack, tools, now):
        del now
        leaf = t.Warrant.from_bytes(split_stack(stack)[-1])
        try:
            leaf.attenuate(reference_tools(tools), case.keys[len(case.levels)].ref, holder=case.stranger.ref.public_key)
        except Exception:
            return False
        return True

    def pop(self, key, stack, tool, args, now):
        return bytes(t.Warrant.from_bytes(split_stack(stack)[-1]).sign(key.ref, tool, args, now))

    def decide(self, root, stack, tool, args, pop, now):
        try:
            links = t.decode_warrant_stack_base64(armor(stack))
            t.Authorizer(trusted_roots=[root.ref.public_key]).check_chain(links, tool, args, signature=pop, as_of=now)
        except Exception as e:  # every refusal of the reference is an exception
            return False, type(e).__name__
        return True, ""


def tampered(rng, stack):
    """One bit of a payload or a signature. Not of the array heads around them: the pinned reference release takes some longer
    heads for the right ones, which changes nothing that is signed."""
    links = [bytearray(x) for x in split_stack(stack)]
    link = rng.choice(links)
    size = envelope_end(link, 0) - 68  # end of the payload
    start = 3 + {24: 1, 25: 2}.get(link[2] & 31, 0)
    at = rng.choice([rng.randrange(start, size), rng.randrange(len(link) - 64, len(link))])
    link[at] ^= 1 << rng.randrange(8)
    return join_stack([bytes(x) for x in links])


def variants(case, maker, stack, now, ttl):
    """(name, root, stack, tool, args, pop, as_of, allowed)"""
    rng, tool, args, root, holder = case.rng, case.tool, case.args(), case.keys[0], case.keys[-1]
    pop = maker.pop(holder, stack, tool, args, now)
    yield "allowed", root, stack, tool, args, pop, now, True
    bad = case.bad_args()
    if bad is not None:
        yield "wrong argument", root, stack, tool, bad, maker.pop(holder, stack, tool, bad, now), now, False
    yield "other arguments than signed", root, stack, tool, {**args, "zz9": 1}, pop, now, False
    yield "wrong tool", root, stack, tool + "x", args, maker.pop(holder, stack, tool + "x", args, now), now, False
    yield "expired", root, stack, tool, args, maker.pop(holder, stack, tool, args, now + ttl + 1), now + ttl + 1, False
    yield "old proof", root, stack, tool, args, pop, now + 200, False
    yield "tampered", root, tampered(rng, stack), tool, args, pop, now, False
    yield "foreign root", case.stranger, stack, tool, args, pop, now, False
    links = split_stack(stack)
    if len(links) > 1:
        yield "leaf alone", root, join_stack(links[-1:]), tool, args, pop, now, False
        yield "reversed", root, join_stack(links[::-1]), tool, args, pop, now, False


def run_case(tap, number, case, maker, judges, now):
    ttl = 3000
    label = f"case {number}, {maker.name} made {len(case.levels)} links"
    try:
        stack = maker.chain(case, now, ttl)
    except Exception as e:
        tap.ok(False, f"{label}: making it failed with {type(e).__name__} {e}")
        return
    for name, root, data, tool, args, pop, as_of, allowed in variants(case, maker, stack, now, ttl):
        answers = [j.decide(root, data, tool, args, pop, as_of) for j in judges]
        good = all(a[0] == allowed for a in answers)
        tap.ok(good, f"{label}: {name}" + ("" if good else f": expected {allowed}, {dict(zip([j.name for j in judges], answers))}"))
    # Another holder's signature, made by the reference, which does not check whose key it is given.
    pop = judges[1].pop(case.stranger, stack, case.tool, case.args(), now)
    answers = [j.decide(case.keys[0], stack, case.tool, case.args(), pop, now)[0] for j in judges]
    tap.ok(answers == [False, False], f"{label}: wrong holder")
    wide = case.widened()
    if wide is not None:
        answers = [j.widen(case, stack, wide, now) for j in judges]
        tap.ok(answers == [False, False], f"{label}: widened child is refused by both builders" +
               ("" if answers == [False, False] else f": {answers}"))


def main():
    rng = random.Random(SEED)
    print(f"# seed {SEED} (TENUO_SEED={SEED} repeats this run), {CASES} cases")
    tap, ours, reference = Tap(), Ours(Driver(sys.argv[1], *sys.argv[3:4])), Reference()
    for number in range(CASES):
        maker = (ours, reference)[number % 2]
        run_case(tap, number, Case(rng, matchers=len(sys.argv) > 3), maker, (ours, reference), int(time.time()))
    import governance
    governance.run_all(tap, ours.run, rng, GOVERNANCE_CASES)
    if len(sys.argv) > 2:
        import command
        ours = command.Command(sys.argv[2])
        for number in range(CASES, CASES + COMMAND_CASES):
            maker = (ours, reference)[number % 2]
            run_case(tap, number, Case(rng), maker, (ours, reference), int(time.time()))
    if len(sys.argv) > 4:
        import cel_cases
        import regex_cases
        regex_cases.run_all(tap, sys.argv[4], sys.argv[3], 3000, SEED)
        cel_cases.run_all(tap, sys.argv[4], sys.argv[3], 3000, SEED)
    print(f"1..{tap.number}")
    print(f"# {tap.passed} passed, {tap.failed} failed, {tap.skipped} skipped")
    return 1 if tap.failed else 0


if __name__ == "__main__":
    sys.exit(main())
