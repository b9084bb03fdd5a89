# SPDX-License-Identifier: Apache-2.0
"""Patterns and texts for the regex matcher, and what the reference says about them, as test vectors on standard output.

regex_cases.py COUNT [SEED]: each line is a case of kind `match` whose answer is the reference's, or an error: the matcher
may refuse what it does not support, and may never answer otherwise. Ends with one comment line on standard error.
"""
import json
import random
import subprocess
import sys

TEXTS = ["", "a", "b", "ab", "ba", "abc", "aab", "A", "aB", "a\nb", "\n", "a\n", " ", "\t", "0", "9a", "_", "a-b", "[b]", "ab]", "k", "K",
         "s", "{", "a{", "a{,3}", "x&&y", "\x00", "a\x00b", "\u00e9", "\u00c9", "\u212a", "\u017f", "\u00df", "\u1e9e", "\u0390", "\u1fd3",
         "\u0663", "\u00a0", "\u0085", "\u2028", "\u3000", "\u0301", "\u03b1", "\u0391", "\u4e2d", "\U0001f600", "\U0001e4f0", "\U00010d41",
         "\ua7cb", "\u0264", "prod-7", "x-prod-y", "/etc/passwd", "a.b", "a b", "\x0b", "\u1c89", "\x7f", "~", "^", "$", "aaaaaaaaaa"]
LITERALS = list("abkKsSx09_ -.~&{}]@/") + ["\u00e9", "\u00df", "\u03b1", "\u4e2d", "\u212a", "\U0001f600", "\u0390", "\ua7cb", "\n", "\x00"]
ESCAPES = [r"\d", r"\D", r"\s", r"\S", r"\w", r"\W", r"\b", r"\B", r"\A", r"\z", r"\Z", r"\n", r"\r", r"\t", r"\f", r"\v", r"\a", r"\x41",
           r"\x{41}", r"\x{e9}", r"\x4", r"\x{}", r"\x{110000}", r"\x{d800}", r"\u0041", r"\.", r"\*", r"\[", r"\]", r"\{", r"\-", r"\&",
           r"\~", r"\#", r"\/", r"\ ", r"\_", r"\<", r"\>", r"\%", r"\@", r"\Q", r"\E", r"\C", r"\1", r"\0", r"\pL", r"\p{L}", r"\p{Lu}",
           r"\P{Ll}", r"\p{Greek}", r"\p{Nd}", r"\P{Nd}", r"\p{Alphabetic}", r"\p{^Lu}", r"\p{greek}", r"\pC", r"\p{Cn}", r"\p{Han}",
           r"\p{Any}", r"\e", r"\c", r"\h", r"\R", r"\X", r"\K", r"\G", "\\"]
POSIX = ["[:alpha:]", "[:^digit:]", "[:lower:]", "[:space:]", "[:word:]", "[:punct:]", "[:foo:]", "[:xdigit:]"]
REPEATS = ["*", "+", "?", "*?", "+?", "??", "*+", "**", "{0}", "{1}", "{2}", "{2,}", "{1,3}", "{0,2}", "{,3}", "{3,1}", "{01}", "{ 2 }", "{1000}",
           "{1001}", "{2}{3}", "{2}?", "{a}", "{"]
GROUPS = ["(", "(?:", "(?i)", "(?i:", "(?-i)", "(?s)", "(?m)", "(?U)", "(?ms-i:", "(?P<n>", "(?P<a1>", "(?<n>", "(?x)", "(?u)", "(?R)", "(?=",
          "(?!", "(?<=", "(?", "(?)", "(?-)", "(?ii)", "(?P<1>", "(?P>n)", "(?#c)"]


class Source:
    def __init__(self, seed):
        self.random = random.Random(seed)

    def pick(self, items):
        return self.random.choice(items)

    def chance(self, n):
        return self.random.randrange(n) == 0

    def member(self):
        r = self.random.randrange(12)
        if r < 5:
            return self.pick(LITERALS)
        if r < 7:
            return self.pick(LITERALS) + "-" + self.pick(LITERALS)
        if r == 7:
            return self.pick(["a-z", "A-Z", "0-9", "a-", "-", "&&", "--", "~~", "&", "^", "[", "[a]", "!-~"])
        return self.pick(POSIX) if r == 8 else self.pick(ESCAPES)

    def bracket(self):
        inner = "".join(self.member() for _ in range(self.random.randrange(1, 4)))
        return "[" + self.pick(["", "", "^", "]", "^]", "-"]) + inner + self.pick(["]", "]", "]", "]", "]", "-]", ""])

    def atom(self, depth):
        r = self.random.randrange(20)
        if r < 8:
            return self.pick(LITERALS)
        if r < 9:
            return "."
        if r < 10:
            return self.pick(["^", "$"])
        if r < 13:
            return self.pick(ESCAPES)
        if r < 16:
            return self.bracket()
        if r < 17 or depth == 0:
            return self.pick(GROUPS)
        opening = self.pick(["(", "(?:", "(?i:", "(?s:", "(?m:", "(?P<g%d>" % self.random.randrange(3), "(?i-s:"])
        return opening + self.pattern(depth - 1) + ")"

    def pattern(self, depth=3):
        out = []
        for _ in range(self.random.randrange(0, 4)):
            out.append(self.atom(depth))
            if self.chance(3):
                out.append(self.pick(REPEATS[:14]) if not self.chance(4) else self.pick(REPEATS))
            if self.chance(7):
                out.append("|")
        return "".join(out)

    def text(self):
        return self.pick(TEXTS) if not self.chance(4) else self.pick(TEXTS) + self.pick(TEXTS) + self.pick(TEXTS)


def head(major, n):
    for extra, size in ((24, 1), (25, 2), (26, 4)):
        if n < (24 if extra == 24 else 0):
            return bytes([major << 5 | n])
        if n < 1 << (8 * size):
            return bytes([major << 5 | extra]) + n.to_bytes(size, "big")
    raise ValueError(n)


def text_cbor(text):
    data = text.encode()
    return head(3, len(data)) + data


def constraint_cbor(pattern):
    return b"\x82\x05\xa1" + text_cbor("pattern") + text_cbor(pattern)


def reference():
    """The function (pattern, texts) -> one of True, False or None (error) for each text."""
    from tenuo import Regex

    def ask(pattern, texts):
        try:
            regex = Regex(pattern)
        except Exception:  # whatever it is called: the pattern is refused
            return [None] * len(texts)
        return [bool(regex.matches(t)) for t in texts]
    return ask


def patterns(count, seed):
    source = Source(seed)
    for _ in range(count):
        pattern = source.pattern()
        if source.chance(3):
            pattern = "^" + pattern + "$"
        if source.chance(6):
            pattern = "(?i)" + pattern
        yield pattern, [source.text() for _ in range(6)]


def lines(count, seed, answers):
    ask = reference()
    for number, (pattern, texts) in enumerate(patterns(count, seed)):
        for text, answer in zip(texts, ask(pattern, texts)):
            answers[answer] += 1
            yield json.dumps({"id": "regex/%d %r on %r" % (number, pattern, text), "kind": "match", "constraint": constraint_cbor(pattern).hex(),
                              "value": text_cbor(text).hex(), "expect": "error" if answer is None else answer,
                              "ours": "error" if answer is None else [answer, "error"]}) + "\n"


def run_all(tap, runner, plugins, count, seed):
    """The cases through the vector runner, which names each that fails."""
    answers = {True: 0, False: 0, None: 0}
    text = "".join(lines(count, seed, answers))
    done = subprocess.run([runner, "--plugins", plugins, "-"], input=text, stdout=subprocess.PIPE, text=True)
    for line in done.stdout.splitlines()[:20]:
        print("# " + line)
    tap.ok(done.returncode == 0, "%d texts for %d generated expressions (%d match, %d do not, %d errors), seed %d: no other answer" %
           (sum(answers.values()), count, answers[True], answers[False], answers[None], seed))
    # The same once more with errors as failures: the filter must not get by with refusing.
    strict = text.replace(', "error"]', "]")
    done = subprocess.run([runner, "--plugins", plugins, "-"], input=strict, stdout=subprocess.PIPE, text=True)
    passed = int(done.stdout.splitlines()[-1].split()[0])
    share = (passed - answers[None]) / max(1, answers[True] + answers[False])
    tap.ok(share > 0.7, "%d%% of what the reference answers is answered" % int(100 * share))


def main():
    answers = {True: 0, False: 0, None: 0}
    sys.stdout.writelines(lines(int(sys.argv[1]), int(sys.argv[2]) if len(sys.argv) > 2 else 1, answers))
    print("# reference: %d true, %d false, %d errors" % (answers[True], answers[False], answers[None]), file=sys.stderr)


if __name__ == "__main__":
    main()
