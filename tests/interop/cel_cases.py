# SPDX-License-Identifier: Apache-2.0
"""Expressions for the cel matcher and what the reference package says about them, as test vectors on standard output.

cel_cases.py COUNT [SEED]: each line is a case of kind `match` that the reference answers with true or false. The package holds an older
interpreter than the one that is reproduced (tests/cel/measured.jsonl has that one's answers), so only what both read alike is made, and
its errors are left out: && and || absorb more of them since. Ends with a comment on standard error.
"""
import json
import os
import random
import subprocess
import sys

from regex_cases import text_cbor

INTS = ["0", "1", "2", "7", "10", "-1", "-3", "100", "9223372036854775807"]
TEXTS = ["''", "'a'", "'abc'", "\"b\"", "'x y'", "'\\u00e9'", "'a\\nb'", "r'a\\d'", "'10.0.0.1'", "'/data/x'", "'('"]
DOUBLES = ["0.5", "1.5", "-2.25", "1e3", "100.0"]
RELATIONS = ["==", "!=", "<", "<=", ">", ">="]
VALUES = [5, 0, -3, 10, "a", "abc", "x y", "\u00e9", "/data/x", "", True, False, [], [1, 2, 3], ["a", "b"], 1.5, {"a": 1, "s": "abc"},
          {"a": -7, "b": True, "l": [1, 2]}, {"value": 2}, {"m": {"a": 1}, "s": ""}]


class Source:
    def __init__(self, seed):
        self.random = random.Random(seed)

    def pick(self, items):
        return self.random.choice(items)

    def int(self, depth):
        r = self.random.randrange(8) if depth > 0 else self.random.randrange(4)
        if r < 3:
            return self.pick(INTS)
        if r == 3:
            return self.pick(["value", "a", "m.a"])
        if r == 4:
            return "size(%s)" % self.pick([self.text, self.ints])(depth - 1)
        if r == 5:
            return "(%s ? %s : %s)" % (self.truth(depth - 1), self.int(depth - 1), self.int(depth - 1))
        return "(%s %s %s)" % (self.int(depth - 1), self.pick(["+", "-", "*", "/", "%"]), self.int(depth - 1))

    def double(self, depth):
        return self.pick(DOUBLES) if depth <= 0 or self.random.randrange(2) else "(%s %s %s)" % (
            self.double(depth - 1), self.pick(["+", "-", "*", "/"]), self.double(depth - 1))

    def text(self, depth):
        r = self.random.randrange(6)
        if r < 3 or depth <= 0:
            return self.pick(TEXTS)
        return self.pick(["value", "s"]) if r < 5 else "(%s + %s)" % (self.text(depth - 1), self.text(depth - 1))

    def ints(self, depth):
        r = self.random.randrange(6)
        if r < 2 or depth <= 0:
            return "[%s]" % ", ".join(self.pick(INTS) for _ in range(self.random.randrange(4)))
        if r < 4:
            return self.pick(["value", "l"])
        if r == 4:
            return "%s.map(x, x + %s)" % (self.ints(depth - 1), self.pick(INTS))
        return "%s.filter(x, x %s %s)" % (self.ints(depth - 1), self.pick(RELATIONS), self.pick(INTS))

    def relation(self, depth):
        kind = self.pick([self.int, self.int, self.text, self.double])
        return "%s %s %s" % (kind(depth), self.pick(RELATIONS), kind(depth))

    def call(self, depth):
        return "%s.%s(%s)" % (self.text(depth), self.pick(["startsWith", "endsWith", "contains"]), self.text(depth))

    def truth(self, depth):
        r = self.random.randrange(12) if depth > 0 else self.random.randrange(3)
        if r < 2:
            return self.relation(depth - 1)
        if r == 2:
            return self.pick(["true", "false", "value == null", "b"])
        if r < 6:
            return "%s %s %s" % (self.truth(depth - 1), self.pick(["&&", "||"]), self.truth(depth - 1))
        if r == 6:
            return "!(%s)" % self.truth(depth - 1)
        if r == 7:
            return "%s.%s(x, x %s %s)" % (self.ints(depth - 1), self.pick(["all", "exists", "exists_one"]), self.pick(RELATIONS),
                                          self.int(depth - 1))
        if r == 8:
            return "%s in %s" % (self.pick(INTS), self.ints(depth - 1))
        if r == 9:
            return self.call(depth - 1)
        return "(%s)" % self.truth(depth - 1)


def value_cbor(v):
    if v is None or isinstance(v, bool):
        return {None: b"\xf6", True: b"\xf5", False: b"\xf4"}[v]
    if isinstance(v, int):
        return bytes([v]) if v >= 0 else bytes([0x1f - v])  # small ones only
    if isinstance(v, float):
        return b"\xf9\x3e\x00"  # 1.5
    if isinstance(v, str):
        return text_cbor(v)
    if isinstance(v, list):
        return bytes([0x80 + len(v)]) + b"".join(map(value_cbor, v))
    return bytes([0xa0 + len(v)]) + b"".join(text_cbor(k) + value_cbor(v[k]) for k in sorted(v))


def ask(expression, value):
    """True, False or None (error)."""
    from tenuo import CEL
    try:
        return bool(CEL(expression).matches(value))
    except BaseException as error:  # its panics are no exceptions
        if isinstance(error, (KeyboardInterrupt, SystemExit)):
            raise
        return None


def lines(count, seed, answers):
    source = Source(seed)
    for number in range(count):
        expression, value = source.truth(4), source.pick(VALUES)
        answer = ask(expression, value)
        answers[answer] += 1
        constraint = b"\x82\x0f\xa1" + text_cbor("expression") + text_cbor(expression)
        if answer is not None:
            yield json.dumps({"id": "cel/%d %s on %r" % (number, expression, value), "kind": "match", "constraint": constraint.hex(),
                              "value": value_cbor(value).hex(), "expect": answer}) + "\n"


def quiet_lines(count, seed, answers):
    """What a panic of the interpreter prints is of no interest here."""
    sys.stderr.flush()
    kept, nowhere = os.dup(2), os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 2)
    try:
        return "".join(lines(count, seed, answers))
    finally:
        os.dup2(kept, 2)
        os.close(kept)
        os.close(nowhere)


def run_all(tap, runner, plugins, count, seed):
    """The cases through the vector runner, which names each that fails."""
    answers = {True: 0, False: 0, None: 0}
    text = quiet_lines(count, seed, answers)
    done = subprocess.run([runner, "--plugins", plugins, "-"], input=text, stdout=subprocess.PIPE, text=True, check=False)
    for line in done.stdout.splitlines()[:20]:
        print("# " + line)
    tap.ok(done.returncode == 0, "%d generated expressions (%d match, %d do not, %d errors left out), seed %d: the same answers" %
           (count, answers[True], answers[False], answers[None], seed))


def main():
    answers = {True: 0, False: 0, None: 0}
    sys.stdout.write(quiet_lines(int(sys.argv[1]), int(sys.argv[2]) if len(sys.argv) > 2 else 1, answers))
    print("# reference: %d true, %d false, %d errors" % (answers[True], answers[False], answers[None]), file=sys.stderr)


if __name__ == "__main__":
    main()
