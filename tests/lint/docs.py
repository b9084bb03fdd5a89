# SPDX-License-Identifier: Apache-2.0
"""docs.py ROOT COMMAND PLUGINS: what is written agrees with what is built, as TAP. The example configuration loads and decides, also with
every setting uncommented; manuals list every setting, default and plugin option; the change log and the symbol map list every
public function; PROTOCOL.md has a row for each rule of the vectors, with the files of its cases."""

import collections
import json
import os
import pathlib
import re
import shutil
import socket
import subprocess
import sys
import tempfile

ROOT, COMMAND, PLUGINS = pathlib.Path(sys.argv[1]).resolve(), os.path.abspath(sys.argv[2]), pathlib.Path(sys.argv[3])
os.environ.pop("TENUO_CONF", None)
os.umask(0o022)


class Tap:
    def __init__(self):
        self.number = self.failed = 0

    def report(self, title, faults):
        self.number += 1
        self.failed += bool(faults)
        print(f"{'not ok' if faults else 'ok'} {self.number} - {title}")
        for fault in faults[:40]:
            print(f"#   {fault}")


def tenuo(*args):
    run = subprocess.run([COMMAND, *map(str, args)], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                         check=False)
    return run.returncode, run.stdout


def expect(status, *args):
    got, text = tenuo(*args)
    return [] if got == status else [f"tenuo {args[0]}: exit status {got}, not {status}", *text.splitlines()]


def stage(top):
    for name in ("plugins", "keys", "audit"):
        (top / name).mkdir(mode=0o700)
    for plugin in sorted(PLUGINS.rglob("tenuo_*.so")):
        shutil.copy(plugin, top / "plugins")
        (top / "plugins" / plugin.name).chmod(0o755)


def write_conf(path, text):
    path.write_text(text, encoding="utf-8")
    path.chmod(0o644)
    return path


def example(tap, top):
    """The example as it is, then with its places moved to where a test may write, deciding a real call."""
    text = (ROOT / "conf" / "tenuo.conf").read_text(encoding="utf-8")
    as_installed = write_conf(top / "installed.conf", text)
    tap.report("conf/tenuo.conf is right as it is", expect(0, "conf", "check", as_installed, "--plugin-dir", top / "plugins"))

    moved = text
    for old, new in (("/etc/tenuo/roots.pub", "root.pub"), ("/var/lib/tenuo/keys", "keys")):
        moved = moved.replace(old, f"{top}/{new}")
    daemon = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    daemon.bind(str(top / "log"))
    daemon.setblocking(False)
    moved = re.sub(r"(?m)^(audit\s+required\s+syslog)$", rf"\1 socket={top}/log", moved)
    conf = write_conf(top / "moved.conf", moved)
    use = ("--conf", conf, "--plugin-dir", top / "plugins")
    warrant, call = top / "w.tenuo", ("--tool", "read_file", "-a", "path=/data/a")
    faults = expect(0, "keygen", top / "root") + expect(0, "keygen", top / "keys" / "alice")
    faults += expect(0, "mint", "--key", top / "root.key", "--holder", top / "keys" / "alice.pub", "--tool", "read_file", "-c",
                     "path=subpath:/data", "-o", warrant)
    faults += expect(0, "sign", warrant, *use, "--key-id", "alice", *call, "-o", top / "pop")
    faults += expect(0, "authorize", warrant, *use, *call, "--pop", f"@{top}/pop")
    try:
        if b'allowed tool "read_file"' not in daemon.recv(65536):
            faults.append("the allow has another record")
    except BlockingIOError:
        faults.append("the allow has no record")
    daemon.close()
    tap.report("conf/tenuo.conf decides and records a call", faults)

    every = re.sub(r"(?m)^#\s*set\s+plugin_dir\s.*$", f"set plugin_dir {top}/plugins", text)
    every = every.split("\n# [", 1)[0]  # a section is another service's
    every = re.sub(r"(?m)^#\s*(set\s+\w+\s+\S+)", r"\1", every)
    tap.report("conf/tenuo.conf is right with every setting in force", expect(0, "conf", "check", write_conf(top / "every.conf", every)))
    return text


def settings(tap, top, text):
    status, shown = tenuo("conf", "show", top / "installed.conf")
    known = dict(re.findall(r"(?m)^set\s+(\w+)\s+(\S+)\s+# default", shown))
    known.pop("plugin_dir", None)
    faults = [] if status == 0 and known else [shown]
    offered = dict(re.findall(r"(?m)^#\s*set\s+(\w+)\s+(\S+)", text.split("\n# [", 1)[0]))
    faults += [f"{name} {value}: missing or another default in conf/tenuo.conf" for name, value in known.items() if offered.get(name) != value]
    page = (ROOT / "man" / "tenuo.conf.5").read_text(encoding="utf-8")
    for name, value in known.items():
        if not re.search(rf"(?m)^\.It Cm {name} .*Pq {re.escape(value)}$", page):
            faults.append(f"{name} {value}: missing or another default in tenuo.conf(5)")
    tap.report("every setting and its default is in the example and in tenuo.conf(5)", faults)


def options(tap, top):
    faults = []
    for plugin in sorted((top / "plugins").glob("tenuo_*.so")):
        name = plugin.stem.removeprefix("tenuo_")
        status, text = tenuo("plugin", "info", name, "--plugin-dir", top / "plugins")
        built = set(re.findall(r"(?m)^arg: \w+ (\w+) \((\w+)(, required)?\)", text))
        built = {(option, kind, "yes" if required else "no") for option, kind, required in built}
        page = ROOT / "man" / f"tenuo_{name}.8"
        written = set(re.findall(r"(?m)^\.It Cm (\w+) Ta (\w+) Ta (yes|no) Ta", page.read_text(encoding="utf-8"))) if page.is_file() else set()
        if status != 0 or (not built and "kind: matcher" not in text):  # a matcher may have none
            faults.append(f"{name}: {text}")
        faults += [f"{page.name}: {' '.join(row)} is {'only built' if row in built else 'only written'}" for row in sorted(built ^ written)]
    tap.report("each plugin's manual lists its options", faults)


def example_lines(tap, top):
    """What the pages show of a configuration can be pasted into one."""
    line = r"(?:set \s*\w+|(?:trust|resolver|matcher|revocation|replay|audit)\s+(?:required|requisite|sufficient|optional)) .*"
    faults, count = [], 0
    for page in sorted((ROOT / "man").glob("*.[1-8]")):
        text = re.sub(r"(?m)^\.Dl ", ".Dl", page.read_text(encoding="utf-8").replace("\\e\n", "\\\n"))
        blocks = re.findall(r"(?ms)^\.Bd -literal[^\n]*\n(.*?)^\.Ed", text)
        blocks += [block.replace(".Dl", "") for block in re.findall(r"(?m)(?:^\.Dl.*\n)+", text)]
        for block in (block for block in blocks if re.match(rf"(?:#.*\n|\n|\[\w+\]\n)*{line}", block)):
            trust = "" if re.search(r"(?m)^trust ", block) else f"trust required file path={top}/root.pub\n"
            service = [word for name in re.findall(r"(?m)^\[(\w+)\]", block)[:1] for word in ("--service", name)]
            conf = write_conf(top / "page.conf", trust + block)
            status, said = tenuo("conf", "check", conf, "--plugin-dir", top / "plugins", *service)
            if status != 0 and "is not installed" not in said:  # a build may be without some plugins
                faults.append(f"{page.name}: {said}")
            count += 1
    tap.report(f"{count} examples of configurations in the pages are right as they are", faults if count > 20 else ["too few"])


def functions(tap):
    declared = set()
    for header in [*(ROOT / "include" / "tenuo").glob("*.h"), ROOT / "include" / "tenuo" / "version.h.in"]:
        if header.name != "plugin.h":
            code = re.sub(r"/\*.*?\*/", "", header.read_text(encoding="utf-8"), flags=re.S)
            declared |= set(re.findall(r"TENUO_API[^;(]*?\b(tenuo_\w+)\(", code))
    mapped = set(re.findall(r"(?m)^\s+(tenuo_\w+);", (ROOT / "core" / "libtenuo.map").read_text(encoding="utf-8")))
    logged = set(re.findall(r"`(tenuo_\w+)`", (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")))
    tap.report("the symbol map has each declared function and no other", sorted(declared ^ mapped))
    tap.report("the change log names each public function", sorted(declared - logged))
    codes = re.findall(r'(?m)^X\((\d+), "([\w-]+)"', (ROOT / "core" / "err_table.h").read_text(encoding="utf-8"))
    log = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    tap.report("the change log names each error code", [f"{number} {name}" for number, name in codes if f"{number} `{name}`" not in log])


def commands(tap, pages):
    """Each command's page against the command table: what it is for, its actions, its options, and no other."""
    faults = []
    whole = (ROOT / "man/tenuo.1").read_text(encoding="utf-8").split(".Sh DESCRIPTION")[0]
    for entry in json.loads(tenuo("help", "--json")[1])["commands"]:
        name = entry["command"]
        found = [page for page in (ROOT / f"man/tenuo-{name}.1", pages / f"tenuo-{name}.1") if page.is_file()]
        if len(found) != 1:
            faults.append(f"tenuo-{name}.1: {len(found)} pages")
            continue
        text, usage = found[0].read_text(encoding="utf-8"), tenuo(name, "--help")[1]
        synopsis = text[text.index(".Sh SYNOPSIS"):text.index(".Sh DESCRIPTION")]
        built = set(re.findall(r"(?m)^ {2,6}(?:-\w(?:=\S+)?, )?--([a-z][a-z0-9-]*)", usage)) if name != "help" else {"json", "help"}
        written = set(re.findall(r"[ ,]-([a-z][a-z0-9-]+)\b", " ".join(re.findall(r"(?m)^\..*\bFl .*$", text))))
        actions = {word for line in re.findall(r"(?m)^(?:Usage:|  or: ) tenuo \w+ \[OPTION\.\.\.\] (.*)$", usage)
                   for word in re.findall(r"(?:^|\|)([a-z]+)", line)}
        if found[0].parent != pages:
            built -= {"help", "usage", "verbose"}  # as in tenuo(1)
        faults += [f"{found[0].name}: --{long} is missing" for long in sorted(built - written)]
        if found[0].parent == pages:
            listed = {word for line in re.findall(r"(?m)^\.It (Fl .*)", text) for word in re.findall(r"(?:Fl|,) -([a-z][a-z0-9-]*)", line)}
            faults += [f"{found[0].name}: --{long} is no option" for long in sorted(listed - built)]
            faults += [] if f"\n.Nd {entry['help']}\n" in text else [f"{found[0].name}: NAME is not '{entry['help']}'"]
        faults += [f"{found[0].name}: {word} is not in the synopsis" for word in sorted(actions) if not re.search(rf"\b{word}\b", synopsis)]
        faults += [] if re.search(rf"(?m)^\.Cm {name}\b", whole) else [f"tenuo.1: {name} is not in the synopsis"]
    tap.report("each command has one page, with its purpose, actions and options as in its help", faults)


def manual(tap):
    """The generated pages against the exports and the command table; every page, also as HTML, through mandoc."""
    pages = PLUGINS.parent / "man"
    exported = {line.split("@@")[0] for line in (ROOT / "tests/lint/exports.txt").read_text(encoding="utf-8").splitlines() if "@@" in line}
    texts = {page: page.read_text(encoding="utf-8") for page in sorted(pages.glob("tenuo-*.3"))}
    named = collections.Counter(name for text in texts.values() for name in re.findall(r"(?m)^\.Nm (\w+)", text))
    shown = collections.Counter(name for text in texts.values() for name in re.findall(r"(?m)^\.Fo (\w+)$", text))
    said = collections.Counter(name for text in texts.values() for name in re.findall(r"(?m)^\.It Fn (\w+)$", text))
    faults = [f"{what}: {name}" for what, have in (("NAME", named), ("SYNOPSIS", shown), ("DESCRIPTION", said)) for name in exported ^ set(have)]
    faults += [f"{name}: more than once" for have in (named, shown, said) for name, n in have.items() if n != 1]
    faults += [f"{name}.3: no link" for name in exported if not (pages / f"{name}.3").is_file()]
    tap.report(f"each of {len(exported)} public functions has its name, synopsis and text in one page", faults if exported else ["no exports"])
    faults = [f"{page.name}: {found}" for page, text in texts.items() for found in re.findall(r"\w+\.md\b|\bspec \w+|\(spec", text)]
    tap.report("no page of functions names a text that does not come along", faults)
    commands(tap, pages)
    if shutil.which("mandoc") is None:
        return
    faults = []
    for page in [*sorted((ROOT / "man").glob("*.[1-8]")), *sorted(pages.glob("tenuo-*.1")), *texts]:
        for words in (["-T", "lint", "-W", "warning"], ["-T", "html", "-W", "error"]):
            run = subprocess.run(["mandoc", *words, page], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)
            if run.returncode != 0 or (words[1] == "lint" and run.stdout):
                faults.append(f"{page.name}: {run.stdout[:200]}")
        faults += [f"{page.name}: quotes within quotes: {line}" for line in re.findall(r"(?m)^\..* ?\bQl .* Ql\b.*$", page.read_text(encoding="utf-8"))]
    tap.report("mandoc has nothing to say about any page", faults)
    with tempfile.TemporaryDirectory(prefix="tenuo-docs.") as name:
        out = pathlib.Path(name) / "html"
        subprocess.run(["sh", ROOT / "man/html.sh", ROOT / "man", pages, out], stdout=subprocess.DEVNULL, check=True)
        links = {(page.name, link) for page in out.glob("*.html") for link in re.findall(r'href="([^"#]+)', page.read_text(encoding="utf-8"))}
        index = {link for page, link in links if page == "index.html"}
        faults = [f"{page}: {link}" for page, link in sorted(links) if (out / link).is_file() == link.startswith("https://") or "/tenuo" in link]
        faults += [f"not in the index: {page.name}" for page in out.glob("*.html") if page.name not in index | {"index.html"}]
        tap.report(f"{len(index)} pages of HTML, and no link to one that is not there", faults if len(index) > 40 else ["too few"])


ZSH = """compadd() { eval "got=(\\$got \\$$2)"; }; _files() { :; }; eval "f() { $(cat $1) }"
while read -rA words; do [[ $words[-1] == . ]] && words[-1]=''; CURRENT=${#words}; PREFIX=$words[-1]; got=(); f; print -r -- ${(M)got:#$PREFIX*}; done"""
BASH = """. "$1"; while read -ra COMP_WORDS; do COMP_CWORD=$((${#COMP_WORDS[@]} - 1))
[ "${COMP_WORDS[-1]}" = . ] && COMP_WORDS[-1]=; _tenuo; echo "${COMPREPLY[*]}"; done"""


def completion(tap):
    """Every command, action and option, and no other word, as the shells would offer them; zsh where it is installed."""
    names = [entry["command"] for entry in json.loads(tenuo("help", "--json")[1])["commands"]]
    wanted = {".": names, "d": ["doctor"], "help .": [*names, "constraints", "--help", "--json"], "doctor --st": ["--strict"]}
    for name in set(names) - {"help"}:
        text = tenuo(name, "--help")[1]
        wanted[f"{name} --"] = [f"--{long}" for long in re.findall(r"(?m)^ {2,6}(?:-\w(?:=\S+)?, )?--([a-z][a-z0-9-]*)", text)]
        usage = re.findall(r"(?m)^(?:Usage:|  or: ) tenuo \w+ \[OPTION\.\.\.\] (.*)$", text)
        wanted[f"{name} ."] = [word for line in usage for word in re.findall(r"(?:^|\|)([a-z]+)", line)]
    for shell, script, file in (("bash", BASH, "tenuo"), ("zsh", ZSH, "_tenuo")):
        if shutil.which(shell) is None:
            tap.number += 1
            print(f"ok {tap.number} - {shell} completes # SKIP there is no {shell}")
            continue
        run = subprocess.run([shell, "-c", script, shell, ROOT / "completions" / file], input="".join(f"{COMMAND} {line}\n" for line in wanted),
                             stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)
        faults = [run.stdout] if run.stdout.count("\n") != len(wanted) else []
        for (line, words), got in zip(wanted.items(), run.stdout.split("\n")):
            fits = {word for word in words if word.startswith(line.split()[-1].strip("."))}
            if fits != set(got.split()):
                faults.append(f"tenuo {line}: {got}")
        tap.report(f"{shell} completes every command, action and option from the command's own table", faults)


def rules(tap):
    cases, rows, settings_in = collections.defaultdict(set), {}, set()
    for path in sorted((ROOT / "tests" / "vectors").glob("*.jsonl")):
        for line in path.read_text(encoding="utf-8").rstrip("\n").split("\n"):
            vector = json.loads(line)
            if "rule" in vector:
                cases[vector["rule"]].add(path.stem)
            elif "ours_setting" in vector:
                settings_in.add(path.stem)
    text = (ROOT / "PROTOCOL.md").read_text(encoding="utf-8")
    for line in text.split("\n"):
        cells = [cell.strip() for cell in line.strip("|").split(" | ")]
        if re.match(r"\| (warrant|constraints|governance) \S", line):
            rows[cells[0]] = set(re.findall(r"`(\w+)`", cells[-1]))
    named = " ".join(text.split())  # rules that say what stays allowed are named in the text below the table
    faults = [f"{rule}: PROTOCOL.md does not name it" for rule in sorted(cases) if rule not in rows and f"`{rule}`" not in named]
    for rule, files in rows.items():
        found = cases.get(rule, set()) or files & settings_in
        if files != found:
            faults.append(f"{rule}: PROTOCOL.md names {sorted(files)}, the cases are in {sorted(found)}")
    tap.report("PROTOCOL.md has each stricter rule and the files with its cases", faults if rows else ["no table"])


def main():
    tap = Tap()
    with tempfile.TemporaryDirectory(prefix="tenuo-docs.", dir="/tmp") as name:
        top = pathlib.Path(name).resolve()
        stage(top)
        text = example(tap, top)
        settings(tap, top, text)
        options(tap, top)
        example_lines(tap, top)
    functions(tap)
    manual(tap)
    completion(tap)
    rules(tap)
    print(f"1..{tap.number}")
    return 1 if tap.failed else 0


sys.exit(main())
