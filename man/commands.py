#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""commands.py --list | --write TENUO.1 TENUO.C OUT: a manual page for each command that has none of its own, out of tenuo(1): its
synopsis, its section with the options that it has, and those that it shares with others. One text says it for all. The options of
each command stand below; a test holds them against --help, so that no page can miss one or have one too many. `--list` prints the
names of the files."""

from __future__ import annotations

import pathlib
import re
import sys

CONF = "conf plugin-dir service verbose"
CALL = "args arg tool"
SIGNER = "key key-id"
MADE = f"{SIGNER} holder allow-unknown constraint-json constraint tool at expires-at ttl agent approver clearance extension gate gate-message id" \
       f" max-depth min-approvals form output {CONF} matcher"
DECIDE = f"root srl srl-issuer strict-session warrant at explain quiet {CONF} matcher"
OPTIONS = {
    "keygen": f"also-public to force pkcs8 public show-secret {CONF}",
    "mint": f"{MADE} bound issuable max-issue-depth session type",
    "attenuate": f"{MADE} warrant bound issuable keep-all ttl-capped max-issue-depth terminal",
    "issue": f"{MADE} warrant ttl-capped session terminal",
    "inspect": "diff links plugin-dir matcher",
    "sign": f"{CALL} {SIGNER} warrant at form output {CONF}",
    "request": f"{CALL} {SIGNER} warrant at check output {CONF} matcher",
    "approve": f"{SIGNER} root at external-id lifetime yes form output {CONF} matcher",
    "verify": DECIDE,
    "authorize": f"{DECIDE} {CALL} approval pop require-clearance attribute request-id",
    "conf": f"no-load policy {CONF}",
    "plugin": f"key-id kind write {CONF}",
    "receipt": f"line signer args arg exact-roots policy pop-at root srl after anchor {CONF}",
    "srl": f"at {SIGNER} chain list-version prune request root warrant after issuer max-age output reason {CONF}",
    "help": "",
}
LETTERS = {"a": "arg", "c": "constraint", "f": "force", "o": "output", "q": "quiet", "r": "root", "t": "tool"}


class Item:
    """Options of one entry of a list, and what it says. An alternative is the macro line of one option."""

    def __init__(self, head: str, body: list[str]) -> None:
        self.body = body
        self.alternatives: list[tuple[str, str]] = []
        for part in re.split(r" , Fl ", head.removeprefix(".It Fl ")):
            found = re.match(r"(?:(\w) , )?-([a-z][a-z0-9-]*)|(\w)\b", part)
            assert found is not None, head
            self.alternatives.append((found[2] or LETTERS[found[3]], part))

    def lines(self, wanted: set[str]) -> list[str]:
        parts = [part for option, part in self.alternatives if option in wanted]
        return [".It Fl " + " , Fl ".join(parts), *self.body] if parts else []

    def options(self) -> set[str]:
        return {option for option, _ in self.alternatives}


Part = list[str] | list[Item]


def parts(lines: list[str]) -> list[Part]:
    """Text and lists of options, in turn."""
    out: list[Part] = [[]]
    at = 0
    while at < len(lines):
        if not lines[at].startswith(".Bl -tag"):
            out[-1].append(lines[at])  # type: ignore[arg-type]
            at += 1
            continue
        end = lines.index(".El", at)
        starts = [i for i in range(at, end) if lines[i].startswith(".It ")]
        out += [[Item(lines[a], lines[a + 1:b]) for a, b in zip(starts, [*starts[1:], end])], []]
        at = end + 1
    return out


class Manual:
    def __init__(self, text: str) -> None:
        lines = text.splitlines()
        self.date = lines[1]
        self.shared = self.between(lines, ".Sh", "EXIT STATUS")
        self.examples = self.between(lines, ".Sh", "EXAMPLES")
        synopsis = "\n".join(self.between(lines, ".Sh", "SYNOPSIS"))
        self.forms = [".Nm tenuo\n" + form.strip("\n") for form in synopsis.split(".Nm tenuo\n")[1:]]
        titles = [line[4:] for line in self.between(lines, ".Sh", "DESCRIPTION") if line.startswith(".Ss ")]
        self.sections = {title: parts(self.between(lines, ".Ss", title)) for title in titles}
        self.items = [item for section in self.sections.values() for part in section for item in part if isinstance(item, Item)]

    @staticmethod
    def between(lines: list[str], macro: str, title: str) -> list[str]:
        start = lines.index(f"{macro} {title}") + 1
        end = next(i for i in range(start, len(lines) + 1) if i == len(lines) or lines[i].startswith((".Sh ", macro + " ")))
        return lines[start:end]


def bl(items: list[Item], wanted: set[str]) -> list[str]:
    lines = [line for item in items for line in item.lines(wanted)]
    return [".Bl -tag -width Ds", *lines, ".El"] if lines else []


def page(manual: Manual, name: str, about: str) -> str:
    title = next(title for title in manual.sections if name in title.split(", "))
    wanted = set(OPTIONS[name].split())
    own: list[str] = []
    said: set[str] = set()
    for part in manual.sections[title]:
        items = [item for item in part if isinstance(item, Item)]
        text = [line for line in part if isinstance(line, str)]
        own += bl(items, wanted) if items else text
        said |= {option for item in items for option in item.options() & wanted} | set(re.findall(r"(?m)\bFl (?:\w , )?-([a-z][a-z0-9-]*)", "\n".join(text)))
    out = ['.\\" SPDX-License-Identifier: Apache-2.0', manual.date, f".Dt TENUO-{name.upper()} 1", ".Os", ".Sh NAME", f".Nm tenuo-{name}", f".Nd {about}", ".Sh SYNOPSIS"]
    out += [form for form in manual.forms if re.match(rf"\.Nm tenuo\n\.Cm {name}\b", form)]
    out += [".Sh DESCRIPTION", *own, ".Sh COMMON OPTIONS", *once(manual.items, wanted - said)]
    out += ([] if wanted <= said else [".Pp"]) + [".Fl -help" + ("" if name == "help" else " , -usage"), "and", ".Fl -json", "are as in", ".Xr tenuo 1 ,",
            "which says everything about all commands, and what an argument may be."]
    out += [".Sh EXIT STATUS", *manual.shared]
    if any(re.search(rf"^tenuo {name}\b", line) for line in manual.examples):
        out += [".Sh EXAMPLES", *manual.examples]
    return "\n".join([*out, ".Sh SEE ALSO", ".Xr tenuo 1 ,", ".Xr tenuo.conf 5"]) + "\n"


def once(items: list[Item], wanted: set[str]) -> list[str]:
    """Each option by the first entry that has it."""
    left, out = set(wanted), []
    for item in items:
        out += item.lines(left)
        left -= item.options()
    assert not left, f"no section of tenuo(1) has {left}"
    return [".Bl -tag -width Ds", *out, ".El"] if out else []


def main() -> None:
    if sys.argv[1] == "--list":
        print("\n".join(f"tenuo-{name}.1" for name in OPTIONS))
        return
    manual = Manual(pathlib.Path(sys.argv[2]).read_text(encoding="utf-8"))
    table = dict(re.findall(r'\{\s*"(\w+)",\s*cmd_\w+,\s*"([^"]*)"\s*\}', pathlib.Path(sys.argv[3]).read_text(encoding="utf-8")))
    for name in OPTIONS:
        (pathlib.Path(sys.argv[4]) / f"tenuo-{name}.1").write_text(page(manual, name, table[name]), encoding="utf-8")


main()
