#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The audit sinks against the host's own logs: journald (a private one), rsyslog (socket, UDP, TCP), the kernel's audit trail, a
disk that fills. Every record is read back with that system's own tools and compared field by field with the line of jsonl; then
each system is stopped, killed and filled under the load of eight processes. Prints TAP. usage: sinks.py [NAME...]"""

from __future__ import annotations

import json
import os
import pathlib
import re
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
import typing

from host import Host, Load, finish, ok, propagation, running, skip, tenuo

REFUSED = {9301, 9400}
JOURNALD = "/lib/systemd/systemd-journald"
Record = dict[str, str]


# ---- reading back ----


def expected(line: bytes) -> tuple[str, Record]:
    """(sentence, fields) of a line of jsonl, as every other sink should have them."""
    record = json.loads(line)
    for name in ("time", "message_id", "priority", "pid"):
        record.pop(name)
    message = record.pop("message")
    fields = {name: ",".join(value) if isinstance(value, list) else json.dumps(value, separators=(",", ":")) if isinstance(value, dict) else str(value)
              for name, value in record.items()}
    return message, {name: value for name, value in fields.items() if value}


def pairs(text: str) -> Record:
    """name="value" with backslashes."""
    return {name: re.sub(r"\\(.)", r"\1", value) for name, value in re.findall(r'([a-z0-9_]+)="((?:[^"\\]|\\.)*)"', text)}


def compare(host: Host, title: str, read: typing.Callable[[], list[tuple[str, Record]]], lines: bool = True) -> None:
    """Calls of every kind, each found again with all its fields. `lines`: control characters became blanks."""
    hostile = 'a"b\\c]d\te=f \u00e9\U0001f600\nTENUO_DECISION=allow\n" decision="allow"] <34>1 \x01'
    host.call("/data/x", "--request-id", "r-1", "--attribute", "queue=q1")
    host.call("/etc/passwd", "--attribute", f"workflow_id={hostile}", "--attribute", "auth_token=t0ps3cret")
    tenuo("authorize", str(host.root / "w"), "--conf", str(host.conf), "--tool", hostile, "--pop", "00" * 64, check=False)
    wanted = [expected(line) for _, line in host.lines()]
    ok(len(wanted) == 3, f"{title}: three decisions are in the file", str(len(wanted)))
    found = eventually(read, 3)
    ok(len(found) == 3, f"{title}: and in the log", str(found)[:2000])
    for i, (want, got) in enumerate(zip(wanted, found)):
        got_fields = {name: value for name, value in got[1].items() if name != "message_id"}
        want_fields = {name: re.sub(r"[\0-\x1f]", " ", value) if lines else value for name, value in want[1].items()}
        ok(got[0] == want[0], f"{title}: sentence of record {i}", f"{got[0]!r}\n{want[0]!r}")
        ok(got_fields == want_fields, f"{title}: all {len(want_fields)} fields of record {i}",
           str({n: (want_fields.get(n), got_fields.get(n)) for n in want_fields | got_fields if want_fields.get(n) != got_fields.get(n)}))
    ok("t0ps3cret" not in str(found), f"{title}: no secret of an attribute")


def eventually(read: typing.Callable[[], list[typing.Any]], least: int, secs: float = 10) -> list[typing.Any]:
    end = time.monotonic() + secs
    while len(rows := read()) < least and time.monotonic() < end:
        time.sleep(0.1)
    return rows


# ---- faults ----


def under_load(host: Host, title: str, faults: typing.Callable[[], None], read: typing.Callable[[], list[tuple[str, Record]]], *, processes: int = 8,
               loss: bool = False, slow: bool = False, kernel: int = 0) -> None:
    """No allow without its record; recovery without restart; counts agree. `loss`: what the broken system itself held may be gone; `slow`: it
    may have been fast enough for every call; `kernel`: milliseconds that the kernel may hold a sender."""
    before = {fields.get("decision_id", "") for _, fields in read()}
    load = Load(host, processes, 4000)
    time.sleep(0.8)
    faults()
    answers = load.answers()
    allowed = {name for name, code in answers if code == 0}
    refused = [code for _, code in answers if code != 0]
    ok(len(allowed) > 50, f"{title}: calls are allowed: {len(allowed)}")
    ok((slow or bool(refused)) and set(refused) <= REFUSED, f"{title}: and refused while the sink is broken: {len(refused)}", str(set(refused)))
    timeout = int((re.search(r"timeout=(\d+)ms", host.conf.read_text()) or ["", "5000"])[1])
    most = 2 * (timeout + kernel) + 1500  # the record and its taking back, on a machine that is busy with eight processes
    ok(load.slowest <= most, f"{title}: the slowest call took {load.slowest} ms of {most}")
    last = [int(path.read_text().splitlines()[-1].split()[1]) for path in load.folder.iterdir()]
    ok(last == [0] * processes, f"{title}: every process recovered by itself", str(last))
    time.sleep(0.5)
    end = time.monotonic() + 10
    while True:
        rows = read()
        stored = {fields["decision_id"] for _, fields in rows if fields.get("decision") == "allow"}
        if loss or allowed <= stored or time.monotonic() > end:
            break
        time.sleep(0.2)
    taken_back = {fields["decision_id"] for _, fields in rows if fields.get("decision") == "deny"}
    stored -= before
    missing = allowed - stored
    if loss:
        ok(len(missing) < 1000, f"{title}: {len(missing)} of {len(allowed)} records died with the system that held them")
    else:
        ok(not missing, f"{title}: each of {len(allowed)} allows has its record", f"{len(missing)} have none")
    ok(not allowed & taken_back, f"{title}: none of them was taken back")
    extra = stored - taken_back - allowed
    ok(len(extra) <= len(refused) + processes, f"{title}: {len(extra)} records of calls that were refused for being late")


def stop_and_go(process: subprocess.Popen[bytes]) -> None:
    process.send_signal(signal.SIGSTOP)
    time.sleep(1.5)
    process.send_signal(signal.SIGCONT)


def slow_down(process: subprocess.Popen[bytes]) -> None:
    """It runs a tenth of the time."""
    end = time.monotonic() + 2
    while time.monotonic() < end:
        process.send_signal(signal.SIGSTOP)
        time.sleep(0.09)
        process.send_signal(signal.SIGCONT)
        time.sleep(0.01)


# ---- journald ----


def in_own_mounts() -> bool:
    """Root, with mounts of our own: this program again."""
    if os.environ.get("TENUO_OWN_MOUNTS"):
        return True
    return False


def enter_mounts(name: str) -> None:
    """Runs one part of this program where /run/systemd and /run/log are its own."""
    script = "mkdir -p /run/systemd && mount -t tmpfs tmpfs /run/systemd && mkdir -p /run/log && mount -t tmpfs tmpfs /run/log && exec \"$@\""
    done = subprocess.run(["unshare", "-m", "--propagation", propagation(), "sh", "-c", script, "sh", sys.executable, __file__, name],
                          env={**os.environ, "TENUO_OWN_MOUNTS": "1"}, capture_output=True, text=True, timeout=200)
    rows = [line for line in done.stdout.splitlines() if not re.match(r"1\.\.\d", line)]
    if not rows:
        skip(name, f"mounts of our own are not allowed here: {done.stderr.strip()[:100]}")
        return
    for line in rows:
        if match := re.match(r"(ok|not ok) \d+ - (.*)", line):
            ok(match[1] == "ok", match[2])
        else:
            print(line)
    if done.returncode not in (0, 1) or not re.search(r"^1\.\.\d", done.stdout, re.M):
        ok(False, f"{name}: ends", done.stderr)


class Journal:
    """A journald that gets its socket as from a service manager, which keeps it while journald is away."""

    def __init__(self) -> None:
        for folder in ("journal", "journald.conf.d"):
            pathlib.Path("/run/systemd", folder).mkdir(exist_ok=True)
        pathlib.Path("/run/log/journal").mkdir(exist_ok=True)
        pathlib.Path("/run/systemd/journald.conf.d/test.conf").write_text("[Journal]\nStorage=volatile\nRateLimitIntervalSec=0\nReadKMsg=no\nAudit=no\nForwardToSyslog=no\n")
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.bind("/run/systemd/journal/socket")
        self.start()

    def start(self) -> None:
        fd = self.socket.fileno()
        self.process = subprocess.Popen(["sh", "-c", f'exec 3<&{fd}; export LISTEN_PID=$$ LISTEN_FDS=1; exec {JOURNALD}'], pass_fds=[fd], stdout=subprocess.DEVNULL,
                                        stderr=subprocess.DEVNULL)
        time.sleep(0.5)

    def kill(self) -> None:
        self.process.kill()
        self.process.wait()

    def read(self) -> list[tuple[str, Record]]:
        subprocess.run(["journalctl", "--sync"], capture_output=True, timeout=20)
        out = subprocess.run(["journalctl", "-D", "/run/log/journal", "-t", "tenuo", "-o", "json", "--all", "--no-pager"], capture_output=True, text=True, timeout=60).stdout
        rows = []
        for line in out.splitlines():
            entry = {name: bytes(value).decode() if isinstance(value, list) else value for name, value in json.loads(line).items()}
            fields = {name[6:].lower(): value for name, value in entry.items() if name.startswith("TENUO_")}
            rows.append((entry["MESSAGE"], fields | {"message_id": entry["MESSAGE_ID"], "_priority": entry["PRIORITY"]}))
        return rows


def test_journald() -> None:
    if not in_own_mounts():
        if os.geteuid() != 0 or not os.path.exists(JOURNALD):
            skip("journald", "wants root and systemd")
        else:
            enter_mounts("journald")
        return
    journal = Journal()
    with tempfile.TemporaryDirectory(prefix="tenuo-audit-") as folder:
        top = pathlib.Path(folder)
        host = Host(top / "compare", "audit required journald\naudit required jsonl path=$LOG")

        def plain() -> list[tuple[str, Record]]:
            return [(message, {n: v for n, v in fields.items() if n != "_priority"}) for message, fields in journal.read()]

        compare(host, "journald", plain, lines=False)
        ids = {json.loads(line)["message_id"] for _, line in host.lines()}
        ok({fields["message_id"] for _, fields in plain()} == ids, "journald: the message ids")
        ok({fields["_priority"] for _, fields in journal.read()} == {"6", "4"}, "journald: priorities")
        out = subprocess.run(["journalctl", "-D", "/run/log/journal", "TENUO_DECISION=deny", "TENUO_CODE=1501", "-o", "cat", "--no-pager"], capture_output=True, text=True,
                             timeout=30).stdout
        ok("denied tool" in out, "journald: found by its fields", out)
        test_big_record(top, journal)
        test_huge_record(top, journal)
        faulty = Host(top / "faults", "audit required journald timeout=300ms")
        under_load(faulty, "journald stopped", lambda: stop_and_go(journal.process), journal.read)

        under_load(faulty, "journald slow", lambda: slow_down(journal.process), journal.read, slow=True)

        def kill_and_start() -> None:
            journal.kill()
            time.sleep(1.5)
            journal.start()

        under_load(faulty, "journald killed", kill_and_start, journal.read, loss=True)
        journal.kill()
        journal.socket.close()
        gone = faulty.call("/data/x")
        ok(gone.returncode == 3 and "is systemd-journald running" in gone.stdout + gone.stderr, "journald gone: refused, with a remedy", gone.stdout + gone.stderr)
        optional = Host(top / "optional", "audit optional journald\naudit required jsonl path=$LOG")
        answer = optional.call("/data/x")
        ok(answer.returncode == 0 and "records lost so far" in answer.stderr, "journald gone, optional: allowed, and the loss is told", answer.stdout + answer.stderr)
        check_catalog()


def test_big_record(top: pathlib.Path, journal: Journal) -> None:
    """Larger than any datagram: through a sealed file. With the longest name that an attribute may have."""
    name = "a" * 53
    host = Host(top / "big", "set audit_args full\naudit required journald")
    before = len(journal.read())
    answer = host.call("/data/" + "y" * 100000, "--attribute", f"{name}=kept")
    rows = eventually(lambda: journal.read()[before:], 1)
    ok(answer.returncode in (0, 1) and len(rows) == 1 and len(rows[0][1]["args"]) > 90000, "journald: a record of 100 kB", answer.stderr)
    ok(len(rows) == 1 and rows[0][1].get(f"attr_{name}") == "kept", "journald: no attribute is lost for its name", str(rows)[:300])


def test_huge_record(top: pathlib.Path, journal: Journal) -> None:
    """Larger than what the sink sends: without the arguments, and it says so."""
    host = Host(top / "huge", "set audit_args full\naudit required journald")
    before = len(journal.read())
    words = [word for i in range(4) for word in ("-a", f"{'x' * 9}{i}=" + "\x01" * 20000)]
    answer = tenuo("authorize", str(host.root / "w"), "--conf", str(host.conf), "--tool", "read_file", *words, "--pop", "00" * 64, check=False)
    rows = eventually(lambda: journal.read()[before:], 1)
    ok(answer.returncode == 1 and len(rows) == 1 and rows[0][1].get("truncated") == "yes" and "args" not in rows[0][1] and rows[0][1].get("args_sha256", "") != "",
       "journald: a record of half a megabyte", answer.stderr + str(rows)[:300])


def check_catalog() -> None:
    source = pathlib.Path(__file__).parents[2] / "conf" / "tenuo.catalog"
    header = (source.parents[1] / "common" / "audit_ids.h").read_text()
    ids = set(re.findall(r'"([0-9a-f]{32})"', header))
    ok(len(ids) == 7 and set(re.findall(r"^-- ([0-9a-f]{32})$", source.read_text(), re.M)) == ids, "the catalog has every message id")
    root = pathlib.Path(tempfile.mkdtemp(dir="/run/systemd"))
    (root / "usr/lib/systemd/catalog").mkdir(parents=True)
    (root / "var/lib/systemd/catalog").mkdir(parents=True)
    (root / "usr/lib/systemd/catalog/tenuo.catalog").write_text(source.read_text())
    done = subprocess.run(["journalctl", f"--root={root}", "--update-catalog"], capture_output=True, text=True, timeout=60)
    shown = subprocess.run(["journalctl", f"--root={root}", "--list-catalog"], capture_output=True, text=True, timeout=60).stdout
    ok(done.returncode == 0 and all(i in shown for i in ids), "journalctl takes the catalog", done.stderr + shown)


# ---- rsyslog ----

RSYSLOG = """
module(load="imuxsock" SysSock.Use="off")
module(load="imudp")
module(load="imtcp")
global(maxMessageSize="64k" workDirectory="{top}")
main_queue(queue.type="Direct")
template(name="tenuo" type="list") {{
  constant(value="{{\\"msg\\":\\"") property(name="msg" format="json") constant(value="\\",\\"sd\\":\\"") property(name="structured-data" format="json")
  constant(value="\\",\\"app\\":\\"") property(name="app-name" format="json") constant(value="\\",\\"msgid\\":\\"") property(name="msgid" format="json")
  constant(value="\\",\\"pri\\":\\"") property(name="pri" format="json") constant(value="\\"}}\\n")
}}
ruleset(name="all") {{ action(type="omfile" file="{top}/out" template="tenuo" asyncWriting="off" flushOnTXEnd="on") }}
input(type="imuxsock" Socket="{top}/log.sock" ruleset="all" RateLimit.Interval="0" ParseTrusted="off")
input(type="imudp" address="127.0.0.1" port="{udp}" ruleset="all")
input(type="imtcp" address="127.0.0.1" port="{tcp}" ruleset="all")
$EscapeControlCharactersOnReceive off
"""


def free_port(kind: int) -> int:
    with socket.socket(socket.AF_INET, kind) as s:
        s.bind(("127.0.0.1", 0))
        return typing.cast(int, s.getsockname()[1])


class Rsyslog:
    def __init__(self, top: pathlib.Path) -> None:
        self.top, self.udp, self.tcp = top, free_port(socket.SOCK_DGRAM), free_port(socket.SOCK_STREAM)
        top.mkdir(mode=0o700)
        (top / "conf").write_text(RSYSLOG.format(top=top, udp=self.udp, tcp=self.tcp))
        check = subprocess.run(["rsyslogd", "-N1", "-f", str(top / "conf")], capture_output=True, text=True, timeout=30)
        ok(check.returncode == 0, "rsyslog reads the configuration", check.stderr)
        self.start()

    def start(self) -> None:
        self.process = subprocess.Popen(["rsyslogd", "-n", "-f", str(self.top / "conf"), "-i", str(self.top / "pid")], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        eventually(lambda: [1] * (self.top / "log.sock").exists(), 1, 5)
        time.sleep(0.3)

    def stop(self, how: signal.Signals = signal.SIGTERM) -> None:
        self.process.send_signal(how)
        self.process.wait()
        (self.top / "log.sock").unlink(missing_ok=True)
        (self.top / "pid").unlink(missing_ok=True)

    def entries(self) -> list[dict[str, str]]:
        out = self.top / "out"
        return [json.loads(line) for line in out.read_text().splitlines() if line.endswith("}")] if out.exists() else []

    def local(self) -> list[tuple[str, Record]]:
        return [(e["msg"].strip().split(' service="')[0].split(' decision="')[0], pairs(e["msg"])) for e in self.entries()]

    def structured(self) -> list[tuple[str, Record]]:
        return [(e["msg"].strip(), pairs(e["sd"])) for e in self.entries()]

    def forget(self) -> None:
        (self.top / "out").unlink(missing_ok=True)
        self.stop()
        self.start()


def test_syslog() -> None:
    if subprocess.run(["sh", "-c", "command -v rsyslogd"], capture_output=True).returncode != 0:
        skip("syslog", "rsyslogd is not installed")
        return
    with tempfile.TemporaryDirectory(prefix="tenuo-audit-") as folder:
        top = pathlib.Path(folder)
        server = Rsyslog(top / "rsyslog")
        try:
            both = "\naudit required jsonl path=$LOG"
            compare(Host(top / "local", f"audit required syslog socket={server.top}/log.sock{both}"), "syslog, local form", server.local)
            ok({(e["app"], e["pri"]) for e in server.entries()} == {("tenuo", "86"), ("tenuo", "84")}, "syslog: name, facility and level", str(server.entries()[:1]))
            server.forget()
            compare(Host(top / "udp", f"audit required syslog server=udp://127.0.0.1:{server.udp}{both}"), "syslog, UDP", server.structured)
            ok({e["msgid"] for e in server.entries()} == {"allow", "deny"}, "syslog: MSGID")
            server.forget()
            compare(Host(top / "tcp", f"audit required syslog server=tcp://127.0.0.1:{server.tcp} facility=local3{both}"), "syslog, TCP", server.structured)
            ok({e["pri"] for e in server.entries()} == {str(19 * 8 + 6), str(19 * 8 + 4)}, "syslog: another facility")
            server.forget()
            faulty = Host(top / "faulty", f"audit required syslog socket={server.top}/log.sock timeout=300ms")
            under_load(faulty, "rsyslog stopped, socket", lambda: stop_and_go(server.process), server.local)
            server.forget()

            def again() -> None:
                server.stop()
                time.sleep(1)
                server.start()

            under_load(faulty, "rsyslog restarted, socket", again, server.local, loss=True)
            server.forget()
            under_load(Host(top / "restart", f"audit required syslog server=tcp://127.0.0.1:{server.tcp} timeout=300ms"), "rsyslog restarted, TCP", again, server.structured, loss=True)
            server.forget()
            check_slow(top, server)
            check_grammar(top)
            check_talker(top)
            check_nobody(top)
            check_forward(top, server)
        finally:
            server.stop()


class Relay:
    """Between programs and a server, by TCP: takes and hands on `rate` bytes a second of all connections together, when there is one.
    What it took it hands on, also of a connection that ended meanwhile."""

    def __init__(self, port: int) -> None:
        self.to, self.rate = port, 0
        self.carried: list[bytearray] = []  # of each connection
        self.turn = threading.Lock()
        self.listener = socket.socket()
        self.listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        self.listener.bind(("127.0.0.1", 0))
        self.listener.listen(64)
        self.port = self.listener.getsockname()[1]
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self) -> None:
        while True:
            try:
                client = self.listener.accept()[0]
            except OSError:
                return
            threading.Thread(target=self.carry, args=(client,), daemon=True).start()

    def carry(self, client: socket.socket) -> None:
        carried = bytearray()
        self.carried.append(carried)
        with client, socket.create_connection(("127.0.0.1", self.to)) as server:
            while data := self.take(client):
                carried += data
                server.sendall(data)

    def take(self, client: socket.socket) -> bytes:
        rate = self.rate
        if not rate:
            return client.recv(65536)
        with self.turn:
            time.sleep(512 / rate)
        return client.recv(512)


class SlowReader:
    """A daemon on a Unix datagram socket that needs `pause` seconds for each record."""

    def __init__(self, path: pathlib.Path) -> None:
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.bind(str(path))
        self.pause, self.records = 0.0, typing.cast("list[bytes]", [])
        threading.Thread(target=self.run, daemon=True).start()

    def run(self) -> None:
        while data := self.socket.recv(65536):
            self.records.append(data)
            time.sleep(self.pause)

    def read(self) -> list[tuple[str, Record]]:
        return [("", pairs(record.decode())) for record in list(self.records)]


# RFC 5424, section 6, as strictly as it can be read: no blanks but those of the grammar, and no control characters at all.
RFC5424 = re.compile(r"<(\d{1,3})>1 \d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z [!-~]{1,255} tenuo \d{1,10} [!-~]{1,32} "
                     r'\[tenuo@32473((?: [!-<>-~]{1,32}="(?:[^"\\\]\0-\x1f\x7f]|\\["\\\]])*")+)\]( [^\0-\x1f\x7f]*)?')


def check_grammar(top: pathlib.Path) -> None:
    """Hostile names and values, every byte of which another implementation has to read back."""
    words = ('"', "\\", "]", "\\]", '\\"', "\n", "\r\n<34>1 ", "\x7f", "\u00e9", "\U0001f600", "\u2028", "= x=\"y\"", "] [evil@1 a=\"b\"]", "%s%n", "\ufeff", "x" * 200)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as server:
        server.bind(("127.0.0.1", 0))
        server.settimeout(5)
        host = Host(top / "grammar", f"set audit_args full\naudit required syslog server=udp://127.0.0.1:{server.getsockname()[1]}")
        bad = []
        for i, word in enumerate(words):
            done = tenuo("authorize", str(host.root / "w"), "--conf", str(host.conf), "--tool", word[:60], "--pop", "00" * 64, "--request-id", word, "--attribute", f"value={word}",
                  "--attribute", f"{'n' * (i + 20)}={word}", "-a", f"n{word[:60].replace('=', '')}={word}", check=False)
            text = server.recv(65536).decode() if done.returncode == 1 else done.stderr
            match = RFC5424.fullmatch(text)
            shown = re.sub(r"[\0-\x1f\x7f]", " ", word)
            if match is None or pairs(match[2]).get("attr_value") != shown or pairs(match[2]).get("request_id") != shown:
                bad.append(text)
    ok(not bad, f"syslog: {len(words)} hostile records are RFC 5424 to the letter", str(bad)[:1500])


def whole_frames(stream: bytes) -> bool:
    """Octet counting: length, blank, message, and again; the last may be cut where the connection ended."""
    at = 0
    while at < len(stream):
        match = re.match(rb"([1-9]\d{0,4}) <\d+>1 |[1-9]?\d{0,4} ?(?:<\d*>?1? ?)?$", stream[at:at + 16])
        if match is None:
            return False
        at = at + match.end(1) + 1 + int(match[1]) if match[1] else len(stream)
    return True


def slowly(what: Relay | SlowReader, name: str, value: float) -> typing.Callable[[], None]:
    def fault() -> None:
        setattr(what, name, value)
        time.sleep(2)
        setattr(what, name, 0)

    return fault


def check_slow(top: pathlib.Path, server: Rsyslog) -> None:
    """Not stopped: it takes records, but fewer than there are."""
    relay = Relay(server.tcp)
    host = Host(top / "slow-tcp", f"audit required syslog server=tcp://127.0.0.1:{relay.port} timeout=300ms")
    under_load(host, "a slow network", slowly(relay, "rate", 16000), server.structured)
    relay.listener.close()
    broken = [bytes(stream) for stream in relay.carried if not whole_frames(bytes(stream))]
    ok(len(relay.carried) > 8 and not broken, f"a slow network: frames are whole on each of {len(relay.carried)} connections", str(broken)[:300])
    reader = SlowReader(top / "slow.sock")
    host = Host(top / "slow-socket", f"audit required syslog socket={top}/slow.sock timeout=100ms")
    under_load(host, "a slow daemon", slowly(reader, "pause", 0.03), reader.read)
    check_counts(top, reader)


def check_nobody(top: pathlib.Path) -> None:
    """A port that the system gives to those who connect, and nobody listens: a connection to it may be given the port itself."""
    low, high = map(int, pathlib.Path("/proc/sys/net/ipv4/ip_local_port_range").read_text().split())
    port = low + (high - low) // 4 * 2  # every second one is given first
    codes = [code for _, code in Load(Host(top / "nobody", f"audit required syslog server=tcp://127.0.0.1:{port} timeout=300ms"), 8, 5000).answers()]
    ok(set(codes) == {9400}, f"nobody listens: none of {len(codes)} calls is allowed", str({code: codes.count(code) for code in set(codes)}))


TALKER = """
import socket, sys, threading
server = socket.socket()
server.bind(("127.0.0.1", 0))
server.listen(5)
print(server.getsockname()[1], flush=True)
client = server.accept()[0]
threading.Thread(target=lambda: [data for data in iter(lambda: client.recv(65536), b"")], daemon=True).start()
while True:
    client.sendall(b"x" * 1000000)
"""


def check_talker(top: pathlib.Path) -> None:
    """A server that never stops talking holds nobody."""
    with subprocess.Popen([sys.executable, "-c", TALKER], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as talker:
        assert talker.stdout is not None
        load = Load(Host(top / "talker", f"audit required syslog server=tcp://127.0.0.1:{talker.stdout.readline().strip()} timeout=500ms"), 1, 2000)
        codes = [code for _, code in load.answers()]
        talker.kill()
    ok(len(codes) > 20 and set(codes) == {0} and load.slowest < 500, f"a server that talks: {len(codes)} calls, the slowest took {load.slowest} ms", str(set(codes)))


def check_forward(top: pathlib.Path, server: Rsyslog) -> None:
    """The example of docs/admin-guide.md, but for its TLS: from the host's daemon to another one."""
    text = (pathlib.Path(__file__).parents[2] / "docs" / "admin-guide.md").read_text()
    block = re.findall(r"```conf\n(# /etc/rsyslog.d/.*?)```", text, re.S)[0]
    plain = re.sub(r"global\(defaultNetstreamDriverCAFile=.*\)", "", re.sub(r'\bstreamDriver\w*="[^"]*"', "", block))
    plain = plain.replace("logs.example.org", "127.0.0.1").replace("6514", str(server.tcp))
    folder = top / "forward"
    folder.mkdir()
    (folder / "conf").write_text(f'module(load="imuxsock" SysSock.Use="off")\nglobal(workDirectory="{folder}")\ninput(type="imuxsock" Socket="{folder}/log.sock")\n{plain}')
    check = subprocess.run(["rsyslogd", "-N1", "-f", str(folder / "conf")], capture_output=True, text=True, timeout=30)
    ok(check.returncode == 0 and block.count(" streamDriver") == 4, "rsyslog reads the guide's forwarding, but for TLS", check.stderr)
    with running("rsyslogd", "-n", "-f", str(folder / "conf"), "-i", str(folder / "pid")):
        eventually(lambda: [1] * (folder / "log.sock").exists(), 1, 5)
        before = len(server.entries())
        host = Host(top / "forwarded", f"audit required syslog socket={folder}/log.sock\naudit required jsonl path=$LOG")
        host.call("/data/x")
        wanted = expected(host.lines()[0][1])
        rows = eventually(lambda: server.entries()[before:], 1)
    ok(len(rows) == 1 and rows[0]["app"] == "tenuo" and wanted[0] in rows[0]["msg"] and pairs(rows[0]["msg"]).items() >= wanted[1].items(),
       "and forwards a record with all its fields", str(rows)[:600])


def check_counts(top: pathlib.Path, reader: SlowReader) -> None:
    """What an optional line loses in eight processes is counted, to the last record."""
    host = Host(top / "slow-optional", f"audit optional syslog name=daemon socket={top}/slow.sock timeout=20ms\naudit required jsonl path=$LOG\n"
                "audit required prometheus path=$ROOT/text interval=100ms")
    (host.root / "text").mkdir()
    reader.records.clear()
    load = Load(host, 8, 3000)
    time.sleep(0.5)
    slowly(reader, "pause", 0.01)()
    told = [code for _, code in load.answers()]
    time.sleep(0.5)
    stored = {fields["decision_id"] for _, fields in reader.read()}
    text = (host.root / "text" / "tenuo_default.prom").read_text()
    lost = int(float((re.search(r'^tenuo_audit_lost_total\{.*sink="daemon".*\} (\S+)$', text, re.M) or ["", "-1"])[1]))
    ok(set(told) == {0} and len(host.lines()) == len(told), f"a slow optional daemon: all {len(told)} calls are allowed and in the file", str(set(told)))
    ok(lost > 0 and len(stored) + lost == len(told), f"a slow optional daemon: {lost} lost and {len(stored)} stored are all", text[:1000])


# ---- the kernel's audit trail ----

AUDITD = """
local_events = yes
write_logs = yes
log_file = {top}/log/audit.log
log_group = root
log_format = RAW
flush = NONE
max_log_file = 1000
max_log_file_action = IGNORE
space_left = 2
space_left_action = IGNORE
admin_space_left = 1
admin_space_left_action = IGNORE
disk_full_action = IGNORE
disk_error_action = IGNORE
priority_boost = 0
name_format = NONE
max_restarts = 0
plugin_dir = {top}/etc/plugins.d
"""


def audit_status() -> dict[str, int]:
    out = subprocess.run(["auditctl", "-s"], capture_output=True, text=True, timeout=10).stdout
    return {name: int(value) for name, value in re.findall(r"^([a-z_]+) (\d+)", out, re.M)}


class Auditd:
    """An auditd with a configuration and a log of its own; /run is its own too, for it writes its pid there."""

    def __init__(self, top: pathlib.Path) -> None:
        self.top, self.log = top, top / "log" / "audit.log"
        for folder in (top, top / "etc", top / "etc" / "plugins.d", top / "log"):
            folder.mkdir(mode=0o750)
        (top / "etc" / "auditd.conf").write_text(AUDITD.format(top=top))
        (top / "etc" / "auditd.conf").chmod(0o640)

    def start(self) -> bool:
        script = f"mount -t tmpfs tmpfs /run && exec auditd -n -s nochange -c {self.top}/etc"
        with (self.top / "out").open("ab") as out:
            self.process = subprocess.Popen(["unshare", "-m", "--propagation", propagation(), "sh", "-c", script], stdout=out, stderr=out)
        return bool(eventually(lambda: [1] * (audit_status().get("pid") == self.process.pid), 1, 5))

    def stop(self, how: signal.Signals = signal.SIGKILL) -> None:
        self.process.send_signal(how)
        self.process.wait()

    def read(self) -> list[tuple[str, Record]]:
        """What ausearch finds in the log, as it stands there."""
        out = subprocess.run(["ausearch", "-if", str(self.log), "-m", "TRUSTED_APP", "--raw"], capture_output=True, text=True, timeout=60).stdout
        return [parse_trail(line) for line in out.splitlines() if "op=tenuo-" in line]

    def interpreted(self) -> list[str]:
        out = subprocess.run(["ausearch", "-if", str(self.log), "-m", "TRUSTED_APP", "-i"], capture_output=True, text=True, timeout=60).stdout
        return [line for line in out.splitlines() if "op=tenuo-" in line]


def parse_trail(line: str) -> tuple[str, Record]:
    inside = re.search(r"msg='(.*?) exe=.* res=(\w+)'", line)
    fields: Record = {}
    for name, value in re.findall(r'([a-z0-9_]+)=("[^"]*"|\S+)', inside[1] if inside else ""):
        fields[name] = value[1:-1] if value.startswith('"') else bytes.fromhex(value).decode() if re.fullmatch(r"(?:[0-9A-F]{2})+", value) else value
    fields["_res"] = inside[2] if inside else ""
    return fields.pop("op", ""), fields


def why_no_auditd() -> str:
    status = audit_status()
    if os.geteuid() != 0 or "enabled" not in status:
        return "the kernel's audit netlink is not usable here"
    if status["pid"] != 0:
        return f"an auditd runs already, as {status['pid']}: its trail is not ours"
    if status["enabled"] == 2:
        return "the audit configuration of this kernel is locked"
    return "" if subprocess.run(["sh", "-c", "command -v auditd ausearch"], capture_output=True).returncode == 0 else "auditd is not installed"


def test_linux() -> None:
    if why := why_no_auditd():
        skip("linux", why)
        return
    was = audit_status()
    with tempfile.TemporaryDirectory(prefix="tenuo-audit-") as folder:
        top = pathlib.Path(folder)
        auditd = Auditd(top / "auditd")
        if not auditd.start():
            auditd.process.kill()
            auditd.process.wait()
            skip("linux", f"auditd does not start here: {(auditd.top / 'out').read_text().strip()[-200:]}")
            return
        try:
            for words in (("-e", "0"), ("--backlog_wait_time", "15000"), ("-b", "64"), ("-r", "0")):
                subprocess.run(["auditctl", *words], capture_output=True, timeout=10)
            off = Host(top / "off", "audit required linux").call("/data/x")
            ok(off.returncode == 3 and "auditing is off" in off.stdout + off.stderr, "linux: refused while auditing is off, with a remedy", off.stdout + off.stderr)
            lenient = Host(top / "lenient", "audit required linux when_disabled=accept").call("/data/x")
            ok(lenient.returncode == 0, "linux: accepted while auditing is off, if told so", lenient.stdout + lenient.stderr)
            subprocess.run(["auditctl", "-e", "1"], capture_output=True, timeout=10)
            compare_trail(Host(top / "on", "audit required linux\naudit required jsonl path=$LOG"), auditd)
            check_limits(top, auditd)
            faulty = Host(top / "faults", "audit required linux timeout=300ms")
            under_load(faulty, "auditd stopped", lambda: stop_and_go(auditd.process), auditd.read, kernel=700)
            under_load(faulty, "auditd slow", lambda: slow_down(auditd.process), auditd.read, slow=True, kernel=700)

            def again() -> None:
                auditd.stop()
                time.sleep(1.5)
                auditd.start()

            under_load(faulty, "auditd killed", again, auditd.read, loss=True, kernel=700)
            auditd.stop()
            check_unread(top, faulty)
        finally:
            auditd.process.kill()
            auditd.process.wait()
            for option, name in (("-e", "enabled"), ("-b", "backlog_limit"), ("-r", "rate_limit"), ("--backlog_wait_time", "backlog_wait_time")):
                subprocess.run(["auditctl", option, str(was[name])], capture_output=True, timeout=10)


def compare_trail(host: Host, auditd: Auditd) -> None:
    hostile = 'a"b c=d \u00e9'
    host.call("/data/x", "--request-id", "r-1", "--attribute", "queue=q1")
    host.call("/etc/passwd", "--attribute", f"workflow_id={hostile}", "--attribute", "auth_token=t0ps3cret")
    tenuo("authorize", str(host.root / "w"), "--conf", str(host.conf), "--tool", hostile, "--pop", "00" * 64, check=False)
    wanted = [expected(line)[1] for _, line in host.lines()]

    def ours() -> list[tuple[str, Record]]:
        ids = {want["decision_id"] for want in wanted}
        return [row for row in auditd.read() if row[1].get("decision_id") in ids]

    found = eventually(ours, 3)
    shown = {match[1]: line for line in auditd.interpreted() if (match := re.search(r"decision_id=(\w+)", line))}
    ok(len(found) == len(wanted) == 3, "linux: ausearch finds three records in auditd's log", str(found)[:500])
    for i, (want, (op, got)) in enumerate(zip(wanted, found)):
        ok(got.pop("_res") == ("success" if want["decision"] == "allow" else "failed"), f"linux: result of record {i}")
        ok(op == "tenuo-decision" and got == want, f"linux: all {len(want)} fields of record {i}", str({n: (want.get(n), got.get(n)) for n in want | got if want.get(n) != got.get(n)}))
        line = shown.get(want["decision_id"], "")
        ok(all(f" {name}={value} " in line for name, value in want.items()), f"linux: and ausearch -i shows them, of record {i}",
           str([pair for pair in want.items() if f" {pair[0]}={pair[1]} " not in line]) + line)
    ok("t0ps3cret" not in str(found), "linux: no secret of an attribute")


def check_limits(top: pathlib.Path, auditd: Auditd) -> None:
    Host(top / "long", "set audit_args full\naudit required linux").call("/data/" + "y" * 3000)
    fields = auditd.read()[-1][1]
    ok(fields.get("truncated") == "yes" and len(fields["args"]) == 1024, "linux: a record that was cut says so", str(fields)[:600])
    host = Host(top / "write", "audit required linux")
    caps = ("setpriv", "--bounding-set=-all,+audit_write", "--inh-caps=-all,+audit_write")
    less = host.call("/data/x", wrap=caps)
    ok(less.returncode == 3 and "CAP_AUDIT_CONTROL" in less.stderr, "linux: without the right to ask it refuses, and says which", less.stdout + less.stderr)
    host.conf.write_text(host.conf.read_text().replace("linux", "linux when_disabled=accept"))
    less = host.call("/data/x", "--request-id", "r-write", wrap=caps)
    found = eventually(lambda: [row for row in auditd.read() if row[1].get("request_id") == "r-write"], 1)
    ok(less.returncode == 0 and len(found) == 1, "linux: with when_disabled=accept the right to write is enough", less.stdout + less.stderr)
    host.conf.write_text(host.conf.read_text().replace(" when_disabled=accept", ""))
    subprocess.run(["auditctl", "-r", "1"], capture_output=True, timeout=10)
    codes = [host.call("/data/x").returncode for _ in range(3)]
    limited = host.call("/data/x")
    subprocess.run(["auditctl", "-r", "0"], capture_output=True, timeout=10)
    ok(3 in codes and limited.returncode == 3 and "loses records" in limited.stderr, "linux: what the kernel's rate limit drops is no record", f"{codes} {limited.stderr}")


def check_unread(top: pathlib.Path, host: Host) -> None:
    gone = host.call("/data/x")
    ok(gone.returncode == 3 and "no auditd" in gone.stderr, "linux: refused without an auditd, with a remedy", gone.stdout + gone.stderr)
    with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 9) as reader:
        reader.bind((0, 1))
        reader.settimeout(3)
        lenient = Host(top / "unread", "audit required linux when_unread=accept").call("/data/x")
        data = b""
        while b"op=tenuo-" not in data:
            data = reader.recv(65536)
    ok(lenient.returncode == 0 and b"op=tenuo-decision" in data, "linux: accepted for other readers, if told so", lenient.stdout + lenient.stderr)


# ---- a disk that fills ----


def test_disk() -> None:
    if not in_own_mounts():
        if os.geteuid() != 0:
            skip("disk", "wants root, for a small disk")
        else:
            enter_mounts("disk")
        return
    with tempfile.TemporaryDirectory(prefix="tenuo-audit-") as folder:
        top = pathlib.Path(folder)
        for options in ("chain checkpoint_key=gate checkpoint_every=500", ""):
            name = "a chained log" if options else "a plain log"
            host = Host(top / name.split()[1], f"audit required jsonl path=$LOG {options} timeout=2s")
            subprocess.run(["mount", "-t", "tmpfs", "-o", "size=4m,mode=0700", "tmpfs", str(host.log.parent)], check=True)

            def read(host: Host = host) -> list[tuple[str, Record]]:
                rows = []
                for _, line in host.lines():
                    try:
                        record = json.loads(line)
                    except ValueError:
                        continue
                    if "decision" in record:
                        rows.append(("", {"decision_id": record["decision_id"], "decision": record["decision"]}))
                return rows

            load = Load(host, 8, 3500)
            time.sleep(1.5)
            subprocess.run(["mount", "-o", "remount,size=256m", str(host.log.parent)], check=True)
            answers = load.answers()
            last = [int(path.read_text().splitlines()[-1].split()[1]) for path in load.folder.iterdir()]
            allowed = {name for name, code in answers if code == 0}
            refused = [code for _, code in answers if code != 0]
            stored = {f["decision_id"] for _, f in read() if f["decision"] == "allow"} - {f["decision_id"] for _, f in read() if f["decision"] == "deny"}
            ok(last == [0] * 8, f"{name}: every process goes on when there is room again", str(last))
            ok(bool(refused) and set(refused) <= REFUSED, f"{name} on a full disk: {len(allowed)} allowed, {len(refused)} refused", str(set(refused)))
            ok(allowed <= stored, f"{name}: each allow has its record", str(len(allowed - stored)))
            if options:
                answer = json.loads(tenuo("audit", "verify", "--json", "--key", str(host.root / "alice.pub"), *map(str, host.files()), check=False).stdout)
                ok(answer["ok"], f"{name}: and it is whole", json.dumps(answer.get("problems", answer))[:800])
            subprocess.run(["umount", str(host.log.parent)], check=True)


PARTS = {"journald": test_journald, "syslog": test_syslog, "linux": test_linux, "disk": test_disk}


def main() -> None:
    for name in sys.argv[1:] or PARTS:
        PARTS[name]()
    finish()


main()
