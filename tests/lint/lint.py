# SPDX-License-Identifier: Apache-2.0
"""lint.py ROOT: the house rules that a program can check, as TAP: file heads, spaces, widths, sizes, words, manual pages."""

import os
import pathlib
import re
import shutil
import statistics
import subprocess
import sys

ROOT = pathlib.Path(sys.argv[1]).resolve()
CODE = {".c", ".h"}
SCRIPTS = {".py", ".sh"}
# Words are written as patterns, so that this file does not match itself.
REGISTRIES = re.compile(r"(pypi\.org|pythonhosted\.org|crates\.io|npmjs\.org|proxy\.golang\.org|deb\.debian\.org)")
MACHINE = re.compile(r"(?<![\w.])/(work|root|farm)(?![\w.-])")
UNFINISHED = re.compile(r"\b(TO" r"DO|FIX" r"ME|X" r"XX)\b")
MAX_COLUMNS, MAX_FILE, MAX_MEDIAN, MAX_FUNCTION, MAX_LONG_SHARE = 120, 600, 15, 120, 0.02


def tracked():
    try:
        out = subprocess.run(["git", "-C", str(ROOT), "ls-files", "-z", "-co", "--exclude-standard"], capture_output=True, check=True).stdout
        names = [ROOT / name.decode() for name in out.split(b"\0") if name]
    except (OSError, subprocess.CalledProcessError):
        names = [p for p in ROOT.rglob("*") if not re.match(r"(\.git|build[^/]*)/", str(p.relative_to(ROOT)))]
    return sorted(p for p in names if p.is_file() and not p.is_symlink())


def texts(paths):
    for path in paths:
        try:
            yield path, path.read_text(encoding="utf-8")
        except UnicodeDecodeError:
            continue


class Tap:
    def __init__(self):
        self.number = self.failed = 0

    def report(self, title, faults):
        self.number += 1
        print(f"{'not ok' if faults else 'ok'} {self.number} - {title}")
        self.failed += bool(faults)
        for fault in faults[:50]:
            print(f"#   {fault}")

    def skip(self, title, why):
        self.number += 1
        print(f"ok {self.number} - {title} # SKIP {why}")


def lines_that(files, test):
    return [f"{path.relative_to(ROOT)}:{n}" for path, text in files for n, line in enumerate(text.split("\n"), 1) if test(line)]


def heads(files):
    bad = []
    for path, text in files:
        first = text.split("\n", 2)
        line = first[1] if first[0].startswith("#!") and len(first) > 1 else first[0]
        if "SPDX-License-Identifier: Apache-2.0" not in line:
            bad.append(str(path.relative_to(ROOT)))
    return bad


def functions(text):
    """Lengths of the functions of one C file: from the brace in column 1 to the closing brace in column 1."""
    start, head = None, ""
    for n, line in enumerate(text.split("\n"), 1):
        if line == "{" and start is None:
            start, name = n, head
        elif line == "}" and start is not None:
            match = re.search(r"(\w+)\(", name)
            yield (match.group(1) if match else "?"), n, n - start - 1
            start = None
        elif start is None and re.match(r"[A-Za-z_].*\(", line):
            head = line


def sizes(files):
    lengths, bad = [], []
    for path, text in files:
        count = text.count("\n")
        if count > MAX_FILE:
            bad.append(f"{path.relative_to(ROOT)}: {count} lines")
        for name, line, length in functions(text):
            lengths.append(length)
            if length > MAX_FUNCTION:
                bad.append(f"{path.relative_to(ROOT)}:{line}: {name} has {length} lines")
    median, long_ones = statistics.median(lengths), sum(n > 60 for n in lengths)
    print(f"# {len(lengths)} functions: median {median:g} lines, {long_ones} over 60, longest {max(lengths)}")
    if median > MAX_MEDIAN:
        bad.append(f"median function has {median:g} lines")
    if long_ones > MAX_LONG_SHARE * len(lengths):
        bad.append(f"{long_ones} functions over 60 lines")
    return bad


def manual_pages(tap):
    pages = sorted(str(p) for p in (ROOT / "man").glob("*.[0-9]"))
    if shutil.which("mandoc") is None:
        return tap.skip("manual pages", "mandoc is not installed")
    run = subprocess.run(["mandoc", "-T", "lint", "-W", "warning", *pages], capture_output=True, text=True, check=False)
    tap.report("manual pages", (run.stdout + run.stderr).splitlines() if run.returncode or run.stdout else [])


def untracked():
    """Building and testing must leave nothing that the project neither tracks nor ignores."""
    run = subprocess.run(["git", "-C", str(ROOT), "ls-files", "-o", "--exclude-standard"], capture_output=True, text=True, check=False)
    return run.stdout.splitlines()


def main():
    tap = Tap()
    files = [(p, t) for p, t in texts(tracked()) if not (p.parent == ROOT / "tests" / "vectors")]
    code = [(p, t) for p, t in files if p.suffix in CODE]
    own = [(p, t) for p, t in files if p.suffix in CODE | SCRIPTS or p.name in ("meson.build", "meson_options.txt", "dev", "run")]
    product = [(p, t) for p, t in code if p.relative_to(ROOT).parts[0] in ("core", "common", "plugins", "tools")]
    plain = [(p, t) for p, t in files if p.suffix not in (".out", ".err", ".conf", ".md") and p.name != "LICENSE"]
    tap.report("every source starts with its licence", heads(own))
    tap.report("no space at the end of a line", lines_that(plain, lambda line: line != line.rstrip()))
    tap.report("no tab in C", lines_that(code, lambda line: "\t" in line))
    tap.report("no C line over 120 columns", lines_that(code, lambda line: len(line) > MAX_COLUMNS))
    tap.report("nothing unfinished is marked", lines_that(files, UNFINISHED.search))
    tap.report("no name of a registry host", lines_that(files, REGISTRIES.search))
    tap.report("no path of a machine", lines_that(files, MACHINE.search))
    tap.report("small functions and files", sizes(product))
    manual_pages(tap)
    if os.environ.get("CI") == "true":
        tap.report("no untracked file", untracked())
    print(f"1..{tap.number}")
    return 1 if tap.failed else 0


sys.exit(main())
