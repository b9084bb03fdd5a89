#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""functions.py --list INCLUDE | --write INCLUDE OUT DATE: the manual of the public functions, one mdoc page for each header of
include/tenuo, and for each function a link of its name to that page. The headers are the contract and are written for people; a
second text beside them could only differ. `--list` prints the names of the files."""

from __future__ import annotations

import pathlib
import re
import sys

SKIPPED = {"tenuo.h", "plugin.h"}  # an umbrella; tenuo-plugin(3) is written by hand


class Header:
    def __init__(self, path: pathlib.Path) -> None:
        self.name = path.name.split(".")[0]
        self.page = f"tenuo-{self.name}.3"
        text = path.read_text(encoding="utf-8")
        parts = re.findall(r"/\*(.*?)\*/", text, re.S)
        self.about = clean(parts[1])
        body = text[text.index("#ifndef TENUO_"):]
        body = re.sub(r"#ifdef __cplusplus\n.*?#endif\n", "", body, flags=re.S)
        self.items = list(items(body))
        self.uses = set(re.findall(r"#include <tenuo/(\w+)\.h>", text))
        self.functions = [item for item in self.items if item["kind"] == "function"]


def clean(comment: str) -> list[str]:
    """Paragraphs and list entries of a comment."""
    lines = [re.sub(r"^\s*\*? ?", "", line).rstrip() for line in comment.strip("\n").splitlines()]
    out: list[str] = []
    for line in lines:
        if not line.strip():
            out.append("")
        elif line.lstrip().startswith("- ") or not out or not out[-1]:
            out.append(line.strip())
        else:
            out[-1] += " " + line.strip()
    return [line for line in out if line]


def items(body: str):
    """Functions, structures, macros and types in order, each with the comment in front of it and behind it."""
    token = re.compile(r"/\*(?P<comment>.*?)\*/|TENUO_API\s+(?P<function>[^;{]*?\));|(?P<struct>(?:struct|enum) \w+ \{[^}]*\});"
                       r"|#define (?P<macro>\w+) (?P<value>[^\n]*)|(?P<typedef>typedef [^;]*;)", re.S)
    comment: list[str] = []
    for match in token.finditer(body):
        if match["comment"] is not None:
            behind = body[:match.start()].rsplit("\n", 1)[-1].strip()
            text = clean(match["comment"])
            if behind and found is not None and (behind.endswith(";") or found["kind"] == "macro"):
                found["comment"] = found["comment"] + text
            elif not behind:
                comment = text
            continue
        if match["macro"] is not None:
            value = match["value"]
            if value.startswith("__attribute__") or match["macro"].endswith("_H"):
                continue
            found = {"kind": "macro", "name": match["macro"], "text": f"#define {match['macro']} {re.sub(r'/[*].*', '', value).strip()}", "comment": comment}
            if "/*" in value:
                found["comment"] = found["comment"] + clean(re.sub(r"^.*?/\*|\*/.*$", "", value))
        elif match["function"] is not None:
            found = {"kind": "function", "text": " ".join(match["function"].replace("TENUO_MUST_USE", "").split()), "comment": comment}
        elif match["struct"] is not None:
            found = {"kind": "struct", "text": match["struct"] + ";", "comment": comment}
        else:
            found = {"kind": "typedef", "text": " ".join(match["typedef"].split()), "comment": comment}
        yield found
        comment = []


def signature(text: str) -> tuple[str, str, list[str]]:
    """(type, name, arguments) of a declaration."""
    start = re.search(r"(\w+)\(", text)
    assert start is not None, text
    inside, depth, args, current = text[start.end():-1], 0, [], ""
    for char in inside:
        depth += (char == "(") - (char == ")")
        if char == "," and depth == 0:
            args.append(current.strip())
            current = ""
        else:
            current += char
    return text[:start.start()].strip(), start[1], [*args, current.strip()]


def roff(text: str) -> str:
    text = text.replace("\\", "\\e")
    return "\\&" + text if text.startswith((".", "'")) else text


def sentences(paragraph: str) -> list[str]:
    """A new sentence on a new line, as mandoc wants it."""
    return [roff(part) for part in re.split(r"(?<=[.?!]) +(?=[A-Z`\"*(])", paragraph) if part]


def paragraphs(comment: list[str], first: bool = True) -> list[str]:
    out: list[str] = []
    in_list = False
    for text in comment:
        entry = text.startswith("- ")
        if entry and not in_list:
            out.append(".Bl -bullet -compact")
        if not entry and in_list:
            out.append(".El")
        if not entry and not first:
            out.append(".Pp")
        in_list, first = entry, False
        if entry:
            out.append(".It")
            text = text[2:]
        out += sentences(text)
    return out + ([".El"] if in_list else [])


def quoted(argument: str) -> str:
    return '"' + argument.replace('"', '\\(dq') + '"'


def groups(header: Header) -> list[str]:
    """A comment is of the functions behind it up to the next comment."""
    out: list[str] = []
    for function in header.functions:
        name = signature(function["text"])[1]
        if function["comment"] or not out:
            out += [".Bl -tag -width Ds" if not out else "", f".It Fn {name}"]
        else:
            out += [f".It Fn {name}"]
        out += paragraphs(function["comment"])
    return [line for line in out if line] + [".El"]


def see_also(header: Header, all_headers: list[Header]) -> list[str]:
    """The pages of headers that this one includes or that include it, and where a program begins."""
    near = {h.name for h in all_headers if h.name in header.uses or header.name in h.uses} | {"context", "request"}
    pages = [("tenuo", 1), *((f"tenuo-{name}", 3) for name in sorted(near | {"plugin"}) if name != header.name), ("tenuo.conf", 5)]
    return [f".Xr {name} {section} ," for name, section in pages[:-1]] + [f".Xr {pages[-1][0]} {pages[-1][1]}"]


def page(header: Header, date: str, all_headers: list[Header]) -> str:
    names = [signature(f["text"])[1] for f in header.functions]
    about = header.about[0].split(". ")[0].rstrip(".:")
    out = ['.\\" SPDX-License-Identifier: Apache-2.0', f".Dd {date}", f".Dt TENUO-{header.name.upper()} 3", ".Os", ".Sh NAME"]
    out += [f".Nm {name} ," for name in names[:-1]] + [f".Nm {names[-1]}", f".Nd {roff(about[0].lower() + about[1:] if not about[1:2].isupper() else about)}"]
    out += [".Sh LIBRARY", "libtenuo (pkg-config tenuo, -ltenuo)", ".Sh SYNOPSIS", f".In tenuo/{header.name}.h"]
    for function in header.functions:
        kind, name, args = signature(function["text"])
        out += [f".Ft {quoted(kind)}", f".Fo {name}", *(f".Fa {quoted(arg)}" for arg in args), ".Fc"]
    out += [".Sh DESCRIPTION", *paragraphs(header.about)]
    constants = [i for i in header.items if i["kind"] == "macro"]
    types = [i for i in header.items if i["kind"] in ("struct", "typedef")]
    if constants:
        out += [".Ss Constants", ".Bd -literal", *(roff(f"{i['text']}" + (f" /* {' '.join(i['comment'])} */" if i["comment"] else "")) for i in constants), ".Ed"]
    for item in types:
        name = re.search(r"(?:struct|enum) (\w+)|(\w+)\(|\(\*(\w+)\)", item["text"])
        out += [f".Ss {next(filter(None, name.groups())) if name else 'Types'}", *paragraphs(item["comment"]), ".Bd -literal", *(roff(line) for line in item["text"].splitlines()), ".Ed"]
    out += [".Ss Functions", *groups(header)]
    out += [".Sh RETURN VALUES", "Functions that can fail return 0 or an error code, and nothing else: see", ".Xr tenuo.conf 5 .",
            "The structure", ".Fa reterr", "may be NULL, and is written on failure alone; outputs are written on success alone."]
    out += [".Sh SEE ALSO", *see_also(header, all_headers)]
    return "\n".join(out) + "\n"


def headers(include: pathlib.Path) -> list[Header]:
    found = [Header(path) for path in sorted([*include.glob("*.h"), *include.glob("*.h.in")]) if path.name not in SKIPPED]
    return [header for header in found if header.functions]


def links(all_headers: list[Header]) -> dict[str, str]:
    return {f"{signature(f['text'])[1]}.3": f"man3/{header.page}" for header in all_headers for f in header.functions}


def main() -> None:
    include = pathlib.Path(sys.argv[2])
    all_headers = headers(include)
    if sys.argv[1] == "--list":
        print("\n".join([header.page for header in all_headers] + sorted(links(all_headers))))
        return
    out, date = pathlib.Path(sys.argv[3]), sys.argv[4]
    out.mkdir(exist_ok=True)
    for header in all_headers:
        (out / header.page).write_text(page(header, date, all_headers), encoding="utf-8")
    for name, target in links(all_headers).items():
        (out / name).write_text(f".so {target}\n", encoding="utf-8")


main()
