#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Audit logs as an administrator meets them: written by eight processes of the real command, rotated, verified, and then
altered in every way that one record, one file or a whole chain can be. Prints TAP (host.py)."""

from __future__ import annotations

import concurrent.futures
import gzip
import hashlib
import json
import os
import pathlib
import shutil
import signal
import subprocess
import tempfile
import time
import typing

from host import TENUO, Host, Load, finish, ok, tenuo

PROCESSES, CALLS = 8, 60


def verify(files: typing.Iterable[pathlib.Path], *options: str) -> dict[str, typing.Any]:
    done = tenuo("audit", "verify", "--json", *options, *map(str, files), check=False)
    answer: dict[str, typing.Any] = json.loads(done.stdout)
    answer["status"] = done.returncode
    return answer


def named(answer: dict[str, typing.Any], record: int, kinds: set[str]) -> bool:
    """Is there a problem of one of these kinds at that record or the one behind it?"""
    return answer["status"] == 1 and any(p["kind"] in kinds and p.get("record", 0) in (record, record + 1) for p in answer["problems"])


class Copy:
    """A log in a folder of its own, to be altered."""

    def __init__(self, folder: pathlib.Path, host: Host) -> None:
        self.folder = folder
        shutil.rmtree(folder, ignore_errors=True)
        shutil.copytree(host.log.parent, folder)
        self.files = [folder / path.name for path in host.files()]
        self.lines = [(folder / path.name, line) for path, line in host.lines()]

    def write(self, lines: list[tuple[pathlib.Path, bytes]], only: set[pathlib.Path]) -> None:
        for path in only:
            path.write_bytes(b"".join(line for where, line in lines if where == path))


def relink(lines: list[tuple[pathlib.Path, bytes]], start: int) -> list[tuple[pathlib.Path, bytes]]:
    """What somebody without the key can do: all hashes anew from a record on."""
    out = lines[:start]
    before = json.loads(lines[start - 1][1])["hash"]
    for path, line in lines[start:]:
        body = line[:line.rindex(b',"prev":')] + b',"prev":"' + before.encode() + b'"'
        before = hashlib.sha256(body).hexdigest()
        out.append((path, body + b',"hash":"' + before.encode() + b'"}\n'))
    return out


def renumber(lines: list[tuple[pathlib.Path, bytes]]) -> list[tuple[pathlib.Path, bytes]]:
    """One chain of these lines, from 1 on."""
    out, before = [], "0" * 64
    for seq, (path, line) in enumerate(lines, 1):
        body = line[:line.rindex(b',"seq":')] + f',"seq":{seq},"prev":"{before}"'.encode()
        before = hashlib.sha256(body).hexdigest()
        out.append((path, body + f',"hash":"{before}"}}\n'.encode()))
    return out


def stripped(lines: list[tuple[pathlib.Path, bytes]], keep: int) -> list[tuple[pathlib.Path, bytes]]:
    """Without the checkpoints behind so many records, and made anew."""
    return lines[:keep] + renumber([row for i, row in enumerate(lines) if i < keep or b'"event":"checkpoint"' not in row[1]])[keep:]


def edited(line: bytes) -> bytes:
    """Another time."""
    place = line.index(b'"time":"') + 10
    return line[:place] + (b"8" if line[place:place + 1] != b"8" else b"7") + line[place + 1:]


def tamper_each(copy: Copy) -> None:
    """Every record edited, deleted, exchanged with its neighbour, doubled."""
    lines, missed = copy.lines, {"edit": [], "delete": [], "swap": [], "double": []}  # type: ignore[var-annotated]

    def attempt(kind: str, i: int, altered: list[tuple[pathlib.Path, bytes]], kinds: set[str], touched: set[pathlib.Path]) -> None:
        copy.write(altered, touched)
        answer = verify(copy.files, "--from-start")
        if not named(answer, json.loads(lines[i][1])["seq"], kinds):
            missed[kind].append((i, answer["problems"][:2]))
        copy.write(lines, touched)

    for i, (path, line) in enumerate(lines):
        attempt("edit", i, [*lines[:i], (path, edited(line)), *lines[i + 1:]], {"altered"}, {path})
        attempt("delete", i, lines[:i] + lines[i + 1:], {"missing"}, {path})
        attempt("double", i, [*lines[:i + 1], (path, line), *lines[i + 1:]], {"reordered"}, {path})
        if i + 1 < len(lines):
            other = lines[i + 1][0]
            swapped = [*lines[:i], (path, lines[i + 1][1]), (other, line), *lines[i + 2:]]
            attempt("swap", i, swapped, {"missing", "reordered", "replaced"}, {path, other})
    for kind, rows in missed.items():
        ok(not rows, f"every single {kind} of {len(lines)} records is found and named", str(rows[:3]))


def tamper_ends(copy: Copy) -> None:
    missed = []
    last = copy.files[-1]
    mine = [line for path, line in copy.lines if path == last]
    for keep in range(len(mine)):
        last.write_bytes(b"".join(mine[:keep]))
        if verify(copy.files)["status"] != 1:
            missed.append(keep)
    ok(not missed, "every cut of the present file is found, by its .head file", str(missed))
    last.unlink()
    answer = verify([*copy.files[:-1], pathlib.Path(f"{last}.head")])
    ok(answer["status"] == 1 and answer["problems"][0]["kind"] == "missing", "the present file left out is found, where its .head is named", json.dumps(answer))
    ok(verify([pathlib.Path(f"{last}.head")])["status"] == 1, "a .head file alone is no log")
    ok(verify([pathlib.Path(f"{last}.none.head")])["status"] == 3, "one that is not there is an error")
    last.write_bytes(b"".join(mine))
    for path in copy.files[:-1]:
        content = path.read_bytes()
        cut = content[:content.rindex(b"\n", 0, len(content) - 1) + 1]
        path.write_bytes(cut)
        answer = verify(copy.files)
        ok(answer["status"] == 1 and answer["problems"][0]["kind"] == "missing", f"a cut of {path.name} is found", json.dumps(answer["problems"]))
        path.unlink()
        answer = verify(copy.files[:copy.files.index(path)] + copy.files[copy.files.index(path) + 1:], "--from-start")
        ok(answer["status"] == 1 and answer["problems"][0]["kind"] == "missing", f"{path.name} left out is found", json.dumps(answer["problems"]))
        path.write_bytes(content)
    last.write_bytes(b"".join(mine)[:-5])
    answer = verify(copy.files)
    ok(answer["status"] == 1, "half a line at the end is found", json.dumps(answer["problems"]))
    last.write_bytes(b"".join(mine))


def tamper_whole(copy: Copy, other: Copy, key: str) -> None:
    """Splices, and chains made anew by somebody without the key."""
    lines = copy.lines
    for a, b in zip(copy.files, other.files):
        content = a.read_bytes()
        a.write_bytes(b.read_bytes())
        answer = verify(copy.files, "--key", key)
        ok(answer["status"] == 1, f"{a.name} of another log is found", json.dumps(answer["notes"]))
        a.write_bytes(content)
    signed = verify(copy.files)["signed_through"]
    tried = missed = 0
    theirs = {json.loads(line)["seq"]: line for _, line in other.lines}
    for i in range(3, len(lines), 37):
        seq = json.loads(lines[i][1])["seq"]
        spliced = [*lines[:i], (lines[i][0], theirs[seq]), *lines[i + 1:]]
        copy.write(spliced, {lines[i][0]})
        missed += verify(copy.files)["status"] != 1
        if seq <= signed:
            forged = relink([*lines[:i], (lines[i][0], edited(lines[i][1])), *lines[i + 1:]], i)
            copy.write(forged, set(copy.files))
            answer = verify(copy.files, "--key", key)
            missed += not (answer["status"] == 1 and any(p["kind"] == "checkpoint" for p in answer["problems"]))
        tried += 1
        copy.write(lines, set(copy.files))
    ok(missed == 0, f"{tried} spliced records and chains made anew are found", str(missed))
    for name, keep in (("no checkpoint", 0), ("only the first checkpoints", 60)):
        bare = stripped(lines, keep)
        copy.write(bare, set(copy.files))
        head = pathlib.Path(f"{copy.files[-1]}.head")
        before = head.read_bytes()
        head.unlink()
        answer = verify(copy.files, "--key", key, "--from-start", "--max-unsigned", "100")
        ok(answer["status"] == 1 and [p["kind"] for p in answer["problems"]] == ["unsigned"], f"a chain made anew with {name} is found", json.dumps(answer))
        head.write_bytes(before)
        copy.write(lines, set(copy.files))
    answer = verify(copy.files, "--key", str(other.folder.parent / "other" / "alice.pub"))
    ok(answer["status"] == 1 and {p["kind"] for p in answer["problems"]} == {"signer", "unsigned"}, "another key than the one that signs is found")


def check_show(host: Host) -> None:
    def show(*words: str) -> list[dict[str, typing.Any]]:
        return typing.cast("list[dict[str, typing.Any]]", json.loads(tenuo("audit", "show", "--json", *words, *map(str, host.files())).stdout)["records"])

    everything, denied = show(), show("--decision", "deny")
    ok(len(everything) == len(host.lines()), "show shows all records")
    ok(bool(denied) and all(r["decision"] == "deny" for r in denied), "denials")
    ok(len(show("--event", "decision")) == PROCESSES * CALLS, "decisions alone")
    ok(len(show("--code", "1501")) == len(denied), "by code")
    ok(len(show("--tool", "read_file")) == PROCESSES * CALLS and not show("--tool", "other"), "by tool")
    ok(len(show("--warrant", denied[0]["warrant_id"])) == PROCESSES * CALLS, "by warrant")
    ok(not show("--until", "2020-01-01T00:00:00Z") and len(show("--since", "2020-01-01T00:00:00Z")) == len(everything), "by time")
    raw = tenuo("audit", "show", "--raw", "--decision", "deny", *map(str, host.files())).stdout.splitlines()
    ok(raw == [line.decode().rstrip("\n") for _, line in host.lines() if b'"decision":"deny"' in line], "raw lines as they stand")
    star = tenuo("audit", "show", "--raw", "--decision", "deny", *map(str, sorted(host.log.parent.glob("audit.jsonl*"))))
    ok(star.stdout.splitlines() == raw and star.stderr == "", "a shell's star shows them in order", star.stderr)
    text = tenuo("audit", "show", "--decision", "deny", str(host.log)).stdout
    ok("denied tool" in text and "1501" in text, "text for people", text)
    ok(tenuo("audit", "show", "--code", "x", str(host.log), check=False).returncode == 2, "a code that is none")
    ok(tenuo("audit", "verify", str(host.log), "--tool", "x", check=False).returncode == 2, "an option of the other action")
    ok(tenuo("audit", "verify", str(host.root / "none"), check=False).returncode == 3, "a file that is not there")
    oldest, *others = host.files()
    packed = host.root / "oldest.gz"
    packed.write_bytes(gzip.compress(oldest.read_bytes()))
    for action in ("verify", "show"):
        done = tenuo("audit", action, str(packed), *map(str, others), check=False)
        ok(done.returncode == 3 and f"<(zcat {packed})" in done.stderr, f"{action}: a compressed file is called one", done.stdout + done.stderr)
    done = subprocess.run(["bash", "-c", f'"$0" audit verify --from-start "$@" <(zcat {packed})', TENUO, *map(str, others)], capture_output=True, text=True, timeout=60)
    ok(done.returncode == 0, "and is read in the way that is said", done.stdout + done.stderr)


def check_strange_lines(host: Host, folder: pathlib.Path) -> None:
    """Lines that other software may have made of a log, and some that only somebody could."""
    lines = [line for path, line in host.lines() if path == host.files()[0]][:30]
    log = folder / "strange.jsonl"

    def kinds(content: bytes, *options: str) -> tuple[int, list[str]]:
        log.write_bytes(content)
        answer = verify([log], *options)
        return answer["status"], [p["kind"] for p in answer["problems"]]

    whole = b"".join(lines)
    ok(kinds(whole) == (0, []), "some records alone")
    ok(kinds(whole.replace(b"\n", b"\r\n")) == (1, ["unchained"]), "ends of lines of another system")
    ok(kinds(b"") == (1, ["unchained"]), "an empty file")
    ok(kinds(b"\n".join([lines[0][:-1], b"", *[line[:-1] for line in lines[1:]], b""])) == (1, ["foreign"]), "an empty line")
    ok(kinds(lines[0] + b"x" * 300000 + b"\n" + b"".join(lines[1:])) == (1, ["foreign"]), "a very long line")
    ok(kinds(lines[0] + b"\0" * 500 + b"\n" + b"".join(lines[1:])) == (1, ["foreign"]), "a line of NULs")
    ok(kinds(b"before\n" + whole) == (0, []), "lines before the first record of all are none of the chain's")
    ok(kinds(lines[4][:-2] + b" \n" + b"".join(lines[5:])) == (1, ["foreign"]), "but the first line of a later file is")
    decisions = [line for line in lines if b'"event":"checkpoint"' not in line]
    double = renumber([(log, line.replace(b'"event":"start"', b'"event":"start","event":"start"')) for line in decisions[:3]])
    ok(kinds(b"".join(line for _, line in double)) == (1, ["altered"]), "a member twice in a record of the chain's own")
    args = b'"args":{"event":"recovery","reason":"a torn line was closed"},"request_id"'
    disguised = renumber([(log, line.replace(b'"request_id"', args)) for line in decisions])
    at = next(i for i, (_, line) in enumerate(disguised) if i > 1 and args in line)
    ok(kinds(b"".join([*[line for _, line in disguised[:at]], b"{}\n", *[line for _, line in disguised[at:]]])) == (1, ["foreign"]),
       "arguments that read like a record of the chain's own", str(kinds(log.read_bytes())))
    deep = renumber([(log, line.replace(b'"request_id"', b'"args":{"n":18446744073709551616,"event":"start"},"request_id"')) for line in decisions])
    ok(kinds(b"".join(line for _, line in deep)) == (0, []), "arguments may hold any number", str(kinds(log.read_bytes())))
    named_so = b"".join(line.replace(b'"request_id"', b'"args":{"a\\u0000b":1,"a\\ufffdb":2},"request_id"') for line in decisions)
    log.write_bytes(named_so)
    shown = tenuo("audit", "show", "--raw", str(log))
    ok(shown.stdout.encode() == named_so and shown.stderr == "", "no name of an argument hides a record", shown.stderr)
    log.write_bytes(whole + b"\n" * 20000)
    answer = verify([log])
    ok(answer["problem_count"] == 20000 and len(answer["problems"]) == 1000, "twenty thousand problems are a thousand, and a number")
    os.mkfifo(folder / "pipe")
    waiting = subprocess.Popen([TENUO, "audit", "verify", str(folder / "pipe"), str(host.log)], stdout=subprocess.PIPE)
    time.sleep(0.3)
    ok(host.call("/data/x").returncode == 0, "programs go on while a verification waits for a pipe")
    (folder / "pipe").write_bytes(b"".join(line for path, line in host.lines() if path != host.log))
    waiting.communicate()
    ok(waiting.returncode == 0, "which is read once, and first")
    ok(verify([log, log])["status"] == 1, "a file that is named twice")


def check_signed_afterwards(top: pathlib.Path) -> None:
    """Somebody makes a log and its .head file anew, and the service signs that: only the checkpoints that are not there show it."""
    host = Host(top / "afterwards", "audit required jsonl path=$LOG chain checkpoint_key=gate checkpoint_every=20")
    Load(host, 1, 60000, 300).answers()
    options = ["--key", str(host.root / "alice.pub"), "--from-start", "--max-unsigned", "40"]
    ok(verify([host.log], *options)["status"] == 0, "little more than checkpoint_every between two checkpoints")
    forged = stripped([(path, line if i != 55 else edited(line)) for i, (path, line) in enumerate(host.lines())], 50)
    forged = renumber(forged)
    host.log.write_bytes(b"".join(line for _, line in forged))
    last, head, status = json.loads(forged[-1][1]), pathlib.Path(f"{host.log}.head"), host.log.stat()
    born = int(head.read_text().split()[6])
    head.write_text(f"tenuo-log-1 {last['seq']:020} {last['hash']} {50:020} {status.st_ino:020} {status.st_size:020} {born:020}\n")
    ok(host.call("/data/x").returncode == 0, "the service goes on and signs")
    answer = verify([host.log], *options)
    ok([p["kind"] for p in answer["problems"]] == ["unsigned"], "which shows", json.dumps(answer))


def check_cut_while_running(top: pathlib.Path) -> None:
    """The log and its .head file are put back to what they were, under a program that goes on."""
    host = Host(top / "cut", "audit required jsonl path=$LOG chain")
    head = pathlib.Path(f"{host.log}.head")
    load = Load(host, 1, 60000)
    while not host.log.exists() or host.log.stat().st_size < 20000:
        time.sleep(0.01)
    content = host.log.read_bytes()
    content = content[:content.rindex(b"\n") + 1]
    last = json.loads(content.splitlines()[-1])
    time.sleep(0.1)
    child = last["pid"]
    os.kill(child, signal.SIGSTOP)
    while pathlib.Path(f"/proc/{child}/stat").read_text().rpartition(")")[2].split()[0] != "T":
        time.sleep(0.001)
    os.truncate(host.log, len(content))
    head.write_text(f"tenuo-log-1 {last['seq']:020} {last['hash']} {0:020} {host.log.stat().st_ino:020} {len(content):020} {0:020}\n")
    ok(verify([host.log], "--from-start")["status"] == 0, "cut off with the .head file, the log looks whole")
    os.kill(child, signal.SIGCONT)
    while host.log.stat().st_size < len(content) + 20000:
        time.sleep(0.01)
    os.kill(child, signal.SIGKILL)
    load.process.communicate()
    answer = verify([host.log], "--from-start")
    ok(answer["status"] == 1 and answer["problems"][0]["kind"] == "missing", "but the program that goes on knows better", json.dumps(answer))


def check_torn(host: Host, key: str) -> None:
    with host.log.open("ab") as f:
        f.write(b'{"time":"20')
    ok(verify(host.files())["status"] == 1, "a torn end is no whole log")
    ok(host.call("/data/x").returncode == 0, "the next decision closes it")
    answer = verify(host.files(), "--key", key)
    ok(answer["status"] == 0 and {"torn", "recovery"} <= {n["kind"] for n in answer["notes"]}, "and says so in a record", json.dumps(answer))


def check_live(top: pathlib.Path) -> None:
    """Verified again and again while programs write and rotate."""
    host = Host(top / "live", "audit required jsonl path=$LOG chain checkpoint_key=gate checkpoint_every=50 max_size=131072 keep=3")
    Load(host, 2, 60000, 500).answers()
    files, load, wrong, tried = host.files(), Load(host, 2, 2500), [], 0
    while load.process.poll() is None:
        answer = verify([*files, pathlib.Path(f"{host.log}.head")], "--key", str(host.root / "alice.pub"))
        wrong += [answer] if answer["status"] != 0 else []
        tried += 1
    ok(len(load.answers()) > 100 and tried > 3 and not wrong, f"a log that is being written is whole: {tried} times", json.dumps(wrong[:2]))


def write_much(host: Host) -> None:
    with concurrent.futures.ThreadPoolExecutor(PROCESSES) as pool:
        codes = list(pool.map(lambda path: host.call(path).returncode, [f"/data/{i}" if i % 3 else f"/etc/{i}" for i in range(PROCESSES * CALLS)]))
    ok(codes.count(0) + codes.count(1) == len(codes) and codes.count(1) == len(codes) // 3, f"{len(codes)} decisions by {PROCESSES} processes at a time")


def main() -> None:
    with tempfile.TemporaryDirectory(prefix="tenuo-audit-") as folder:
        top = pathlib.Path(folder)
        options = "audit required jsonl path=$LOG chain checkpoint_key=gate checkpoint_every=20 max_size=131072 keep=20"
        host, other = Host(top / "host", options), Host(top / "other", options)
        write_much(host)
        write_much(other)
        key = str(host.root / "alice.pub")
        files = host.files()
        answer = verify(reversed(files), "--key", key, "--from-start")
        ok(answer["status"] == 0 and not answer["problems"], "the log is whole, whatever the order of its files", json.dumps(answer["problems"][:5]))
        ok(len(files) >= 3, f"it was rotated: {len(files)} files")
        ok(answer["records"] == len(host.lines()) == answer["last_record"], "each record has its number")
        ok(sum(b'"decision":' in line for _, line in host.lines()) == PROCESSES * CALLS, "nothing lost, nothing twice")
        ok(answer["checkpoints"] >= PROCESSES * CALLS // 20 and answer["signed_through"] > 0, f"{answer['checkpoints']} checkpoints")
        text = tenuo("audit", "verify", "--key", key, *map(str, host.files())).stdout
        ok(f"signs all up to record {answer['signed_through']}\nwhole\n" in text, "text for people says how far", text[-300:])
        tenuo("audit", "verify", *map(str, host.log.parent.glob("audit.jsonl*")))
        check_show(host)
        copy, strange = Copy(top / "copy", host), Copy(top / "strange", other)
        tamper_each(copy)
        tamper_ends(copy)
        tamper_whole(copy, strange, key)
        ok(verify(copy.files, "--key", key)["status"] == 0, "and unaltered it is whole again")
        check_torn(host, key)
        check_strange_lines(other, top)
        check_signed_afterwards(top)
        check_cut_while_running(top)
        check_live(top)
        plain = Host(top / "plain", "audit required jsonl path=$LOG max_age=1s")
        ok(plain.call("/data/a").returncode == 0, "a log without a chain")
        answer = verify(plain.files())
        ok(answer["status"] == 1 and answer["problems"][-1]["kind"] == "unchained", "which proves nothing, and is told so")
    finish()


main()
