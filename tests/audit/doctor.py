#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""tenuo doctor on services that are well and on services that are not: each finding, with its remedy, and the exit status. A real
ssh-agent goes away, a real seccomp filter forbids. Prints TAP."""

from __future__ import annotations

import base64
import contextlib
import ctypes
import json
import os
import pathlib
import pwd
import re
import shutil
import socket
import struct
import subprocess
import tempfile
import time
import typing

from host import TENUO, Host, finish, ok, propagation, running, skip

Finding = dict[str, typing.Any]
VECTORS = pathlib.Path(os.environ.get("TENUO_VECTORS", pathlib.Path(__file__).parents[1] / "vectors"))
every: list[Finding] = []
ME = pwd.getpwuid(os.geteuid()).pw_name


def doctor(conf: pathlib.Path, *options: str, user: str | None = ME, env: dict[str, str] | None = None,
           before: typing.Callable[[], None] | None = None) -> tuple[int, list[Finding], str]:
    words = [TENUO, "doctor", "--conf", str(conf), "--json", *options] + (["--user", user] if user else [])
    done = subprocess.run(words, capture_output=True, text=True, timeout=60, env={**os.environ, **(env or {})},
                          preexec_fn=before)
    findings = json.loads(done.stdout).get("findings", [])
    every.extend(findings)
    return done.returncode, findings, done.stdout


def has(findings: list[Finding], level: str, area: str, text: str, remedy: str = "") -> bool:
    return any(f["level"] == level and f["area"] == area and text in f["message"] + f["place"] and remedy in f.get("remedy", "") for f in findings)


def check(got: tuple[int, list[Finding], str], status: int, level: str, area: str, text: str, remedy: str, title: str) -> None:
    ok(got[0] == status and has(got[1], level, area, text, remedy), f"{title}: {level}, exit status {status}", f"{got[0]}\n{got[2][:3000]}")


def forbid_sendto() -> None:
    """A seccomp filter that answers EPERM to sendto, as a unit's SystemCallFilter= would."""
    libc = ctypes.CDLL(None, use_errno=True)
    number = 44  # x86_64
    code = struct.pack("HBBI", 0x20, 0, 0, 0) + struct.pack("HBBI", 0x15, 0, 1, number) + struct.pack("HBBI", 0x06, 0, 0, 0x00050001) + struct.pack("HBBI", 0x06, 0, 0, 0x7FFF0000)
    buffer = ctypes.create_string_buffer(code)
    program = struct.pack("HxxxxxxP", len(code) // 8, ctypes.addressof(buffer))
    libc.prctl(38, 1, 0, 0, 0)
    libc.prctl(22, 2, ctypes.create_string_buffer(program), 0, 0)


def main() -> None:
    with tempfile.TemporaryDirectory(prefix="tenuo-audit-") as folder:
        top = pathlib.Path(folder)
        host = Host(top / "well", "audit required jsonl path=$LOG chain")
        well = doctor(host.conf)
        ok(well[0] == 0 and not [f for f in well[1] if f["level"] == "error"], "a service that is well", well[2][:2000])
        for area, text in (("configuration", "read, with its plugins"), ("service", "opens"), ("root", "trusted roots: 1"), ("store", "answers: 1 key"), ("audit", "takes records")):
            ok(has(well[1], "ok", area, text), f"says ok of {area}", well[2][:2000])
        ok(all("milliseconds" in f for f in well[1] if f["area"] in ("store", "audit")), "with the time that stores and sinks took")
        ok(b'"event":"probe"' in host.log.read_bytes(), "the sink's record tells of the visit")
        ok(doctor(host.conf, "--strict")[0] == 1, "--strict counts warnings")
        text = subprocess.run([TENUO, "doctor", "--conf", str(host.conf), "--user", ME], capture_output=True, text=True, timeout=60).stdout
        ok("-> " in text and bool(re.search(r"^0 errors, \d+ warnings?$", text, re.M)), "text for people", text)
        got = doctor(host.conf, env={"TENUO_KEY_agent": "00" * 32})
        ok(has(got[1], "warning", "environment", "TENUO_KEY_agent") and "00" * 32 not in got[2], "a key in the environment is told, and not shown")
        check(doctor(top / "none.conf"), 3, "error", "configuration", "no such configuration file", "", "no configuration")
        host.conf.chmod(0o666)
        check(doctor(host.conf), 3, "error", "configuration", "tenuo.conf", "", "a configuration that others may write")
        host.conf.chmod(0o644)
        (host.root / "plugins" / "tenuo_jsonl.so").chmod(0o777)
        check(doctor(host.conf), 3, "error", "configuration", "tenuo_jsonl.so", "", "a plugin that others may write")
        (host.root / "plugins" / "tenuo_jsonl.so").chmod(0o755)
        (host.root / "keys" / "gate.key").chmod(0o644)
        got = doctor(host.conf)
        ok(has(got[1], "warning", "key", "chmod 600 it", "do what the line says"), "a key file that others may read", got[2][:2500])
        (host.root / "keys" / "rag.key").write_text("no key")
        (host.root / "keys" / "rag.key").chmod(0o600)
        ok(has(doctor(host.conf)[1], "warning", "key", "holds no Ed25519 secret key", "import it again"), "a key file that holds none")
        (host.root / "keys" / "rag.key").unlink()
        (host.root / "keys" / "gate.key").chmod(0o600)
        for path, mode, other in ((host.log.parent, 0o700, 0o777), (host.log, 0o640, 0o666)):
            path.chmod(other)
            check(doctor(host.conf), 0, "warning", "configuration", "by everybody", "do what the line says", f"a {path.name} that others may write")
            path.chmod(mode)
        got = doctor(Host(top / "dead", "audit required journald socket=$ROOT/none\naudit optional syslog socket=$ROOT/none").conf)
        check(got, 1, "error", "audit", "no journal listens", "start the daemon", "a required sink that is dead")
        ok(has(got[1], "warning", "audit", "cannot send to", "start the daemon"), "an optional one is a warning")
        check(doctor(Host(top / "list", "audit required jsonl path=$LOG\nrevocation required file path=$ROOT/none.srl floor=$ROOT/floor").conf), 1, "error", "revocation",
              "no list that may be used, so every call is denied", "make the file", "no revocation list")
        got = doctor(Host(top / "floor", "audit required jsonl path=$LOG\nrevocation required file path=$ROOT/none.srl floor=$ROOT/none/floor").conf)
        ok(has(got[1], "warning", "configuration", "no list can be accepted", "floor="), "no place for the version floor: which word of the line names one", got[2][:2000])
        rotated = Host(top / "rotated", "audit required jsonl path=$LOG")
        done = [subprocess.run([TENUO, "key", "rotate", "file:gate", "--conf", str(rotated.conf)], capture_output=True, text=True, timeout=30),
                subprocess.run([TENUO, "key", "remove", "file:gate@1", "--yes", "--conf", str(rotated.conf)], capture_output=True, text=True, timeout=30)]
        records = [json.loads(line) for _, line in rotated.lines()]
        ok([r.get("event") for r in records] == ["key-retired"] * 2 and all(r["key_id"] == "gate" for r in records), "rotation and removal of a key are recorded",
           str(records) + str(done))
        check_user(top)
        check_roots(top)
        check_lists(top)
        check_chains(top)
        check_dependencies(top)
        check_names(top)
        check_agent(top)
        check_datagrams(top)
        check_many_keys(top)
        check_silent(top)
        check_tpm(top)
        check_home(top)
        check_journal(top)
        check_seccomp(top)
    bare = [f for f in every if f["level"] in ("warning", "error") and not f.get("remedy")]
    ok(len(every) > 100 and not bare, "each warning and error of all of these has a remedy", str(bare))
    finish()


def check_user(top: pathlib.Path) -> None:
    host = Host(top / "user", "audit required jsonl path=$LOG")
    got = doctor(host.conf, user="nobody-of-this-name")
    ok(got[0] == 2 and "there is no user 'nobody-of-this-name'" in got[2], "a user that is not there is a usage error", got[2])
    if os.geteuid() != 0:
        skip("root and the service's user", "run this as root")
        return
    check(doctor(host.conf, user=None), 1, "error", "user", "nothing is opened as root", "--user NAME", "root without a user's name")
    ok(not host.log.exists(), "so that no log is made that is root's")
    for path in (top, host.root, host.root / "plugins"):
        path.chmod(0o755)
    check(doctor(host.conf, user="nobody"), 1, "error", "audit", "log", "look at owner", "a log that the service's user may not write")
    for path in (host.root / "keys", host.root / "log", host.root / "keys" / "gate.key"):
        shutil.chown(path, "nobody")
    got = doctor(host.conf, user="nobody")
    ok(got[0] == 0 and has(got[1], "ok", "user", "nobody") and host.log.stat().st_uid == pwd.getpwnam("nobody").pw_uid,
       "its own log, which is then that user's", got[2][:2500])
    shutil.chown(host.root / "keys" / "gate.key", "root")
    got = doctor(host.conf, user="nobody")
    ok(has(got[1], "warning", "key", "file:gate", "look at owner"), "a key that only root may read", got[2][:2500])
    got = doctor(host.conf, user="root", before=lambda: os.setuid(pwd.getpwnam("nobody").pw_uid))
    ok(got[0] == 2 and "only root can become 'root'" in got[2], "nobody becomes another", got[2])


def check_roots(top: pathlib.Path) -> None:
    host = Host(top / "roots", "audit required jsonl path=$LOG")
    key = (host.root / "root.pub").read_text()
    soon = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() + 5 * 86400))
    over = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() - 86400))
    conf = host.conf.read_text()
    word = base64.b64decode("".join(line for line in key.splitlines() if not line.startswith("-")))[-32:].hex()
    (host.root / "root.pub").write_text(f"{word} not_after={soon}\n")
    check(doctor(host.conf), 0, "warning", "root", "ends within two weeks", "add the next root", "a root whose time is nearly over")
    (host.root / "root.pub").write_text(f"{word} not_after={over}\n")
    check(doctor(host.conf), 1, "error", "root", "its time is over", "replace", "a root whose time is over")
    (host.root / "root.pub").write_text(f"{word} not_before={soon}\n")
    check(doctor(host.conf), 1, "error", "root", "none is trusted now", "not_before=", "a root whose time is still to come")
    ok(host.call("/data/x").returncode != 0, "and every call is denied")
    ok(conf == host.conf.read_text(), "the configuration is as it was")


def check_lists(top: pathlib.Path) -> None:
    """A list that was signed in 2024 and is read every time; one whose time is nearly over, and then is."""
    vector = next(json.loads(line) for line in (VECTORS / "srl.jsonl").open() if '"name":"valid"' in line)
    host = Host(top / "old-list", "audit required jsonl path=$LOG\nrevocation required file path=$ROOT/list.srl floor=$ROOT/floor")
    with (host.root / "root.pub").open("a") as roots:
        roots.write(vector["issuer"] + "\n")
    (host.root / "list.srl").write_bytes(bytes.fromhex(vector["srl"]))
    check(doctor(host.conf), 0, "warning", "revocation", "a list is in force, signed", "is the issuer still at work?", "a list that nobody signs anew")
    for tolerance, status, level, text in (("1h", 0, "warning", "s ahead of this host's clock"), ("30s", 1, "error", "in the future")):
        host = Host(top / f"list-of-the-future-{tolerance}", f"set clock_tolerance {tolerance}\nset revocation_max_age 1d\naudit required jsonl path=$LOG\n"
                    "revocation required file path=$ROOT/list.srl floor=$ROOT/floor")
        subprocess.run([TENUO, "srl", "create", str(host.root / "list.srl"), "--key", str(host.root / "root.key"), "--at",
                        time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() + 1200))], check=True, capture_output=True, timeout=60)
        check(doctor(host.conf), status, level, "revocation", text, "date -u", f"a list from the future, with a tolerance of {tolerance}")
    host = Host(top / "short-list", "set revocation_max_age 8s\nset clock_tolerance 0s\naudit required jsonl path=$LOG\n"
                "revocation required file path=$ROOT/list.srl floor=$ROOT/floor refresh=1s max_age=1m")
    subprocess.run([TENUO, "srl", "create", str(host.root / "list.srl"), "--key", str(host.root / "root.key")], check=True, capture_output=True, timeout=60)
    got = doctor(host.conf)
    ok(got[0] == 0 and has(got[1], "ok", "revocation", "a list is in force, signed") and not has(got[1], "warning", "revocation", ""), "a new list is well", got[2][:2500])
    time.sleep(6.5)
    check(doctor(host.conf), 0, "warning", "revocation", "too old in", "the issuer signs a list anew", "a list that is over soon")
    time.sleep(3)
    check(doctor(host.conf), 1, "error", "revocation", "no list that may be used, so every call is denied", "tenuo srl create", "and when it is over")


def sign_list(host: Host, name: str, key: str = "root") -> None:
    subprocess.run([TENUO, "srl", "create", str(host.root / name), "--key", str(host.root / f"{key}.key")], check=True, capture_output=True, timeout=60)


def check_chains(top: pathlib.Path) -> None:
    """What a list that is not there means hangs on its line, and the reason is told."""
    lines = "audit required jsonl path=$LOG\nrevocation {} file path=$ROOT/a.srl floor=$ROOT/a.floor\nrevocation {} file path=$ROOT/b.srl floor=$ROOT/b.floor"
    host = Host(top / "fallback", lines.format("sufficient", "required"))
    sign_list(host, "a.srl")
    got = doctor(host.conf)
    ok(got[0] == 0 and [f["level"] for f in got[1] if f["area"] == "revocation"] == ["ok"] and host.call("/data/x").returncode == 0, "a list to fall back to that nobody needs now", got[2][:3000])
    (host.root / "a.srl").unlink()
    got = doctor(host.conf)
    check(got, 1, "error", "revocation", "so every call is denied", "make the file", "neither of the two")
    ok(host.call("/data/x").returncode != 0, "and every call is denied")
    sign_list(host, "b.srl")
    got = doctor(host.conf)
    check(got, 0, "warning", "revocation", "tenuo.conf:5", "make the file", "a list that another one stands in for")
    ok(host.call("/data/x").returncode == 0, "and calls pass")
    host = Host(top / "optional", lines.format("required", "optional"))
    sign_list(host, "a.srl")
    check(doctor(host.conf), 0, "warning", "revocation", "there is no list that may be used", "make the file", "an optional list")
    sign_list(host, "b.srl")
    (host.root / "a.srl").unlink()
    sign_list(host, "a.srl", "alice")
    check(doctor(host.conf), 1, "error", "revocation", "signed by a key that is not trusted for it", "issuer=", "a list of a stranger")


def check_dependencies(top: pathlib.Path) -> None:
    """What is wanted for a decision, or after a thousand of them, besides stores and sinks."""
    host = Host(top / "replay", "replay required redis socket=$ROOT/none.sock\naudit required jsonl path=$LOG")
    check(doctor(host.conf), 1, "error", "replay", "cannot be reached", "is its server running", "a replay store that is dead")
    ok(host.call("/data/x").returncode != 0, "and every call is denied")
    host = Host(top / "remembers", "replay required memory strict_start=yes\naudit required jsonl path=$LOG")
    got = doctor(host.conf)
    ok(got[0] == 0 and has(got[1], "ok", "replay", "remembers proofs"), "one that remembers", got[2][:2500])
    for name, conf, what in (("receipts", "set receipt_key seal\naudit required receipt path=$ROOT/log/receipts", "receipt_key"),
                             ("checkpoints", "audit required jsonl path=$LOG chain checkpoint_key=seal", "checkpoint_key")):
        host = Host(top / name, conf)
        check(doctor(host.conf), 1, "error", "audit", what, "tenuo keygen --to", f"a {what} that there is not")
        shutil.copy(host.root / "alice.key", host.root / "keys" / "seal.key")
        got = doctor(host.conf)
        ok(got[0] == 0 and has(got[1], "ok", "audit", "tenuo.conf"), "and with it", got[2][:2500])
    host = Host(top / "hash-key", "set audit_hash_key $ROOT/hash\naudit required jsonl path=$LOG")
    (host.root / "hash").write_bytes(bytes(32))
    (host.root / "hash").chmod(0o644)
    check(doctor(host.conf), 3, "error", "service", "chmod 600 it", "do what the line says", "a hash key that others may read")
    text = subprocess.run([TENUO, "conf", "check", str(host.conf)], capture_output=True, text=True, timeout=60).stdout
    ok(re.search(r"^warning: .*tenuo.conf:4:\d+: audit_hash_key: .*chmod 600 it$", text, re.M) is not None, "which conf check tells, with its line", text)


def check_names(top: pathlib.Path) -> None:
    host = Host(top / "names", "audit required jsonl path=$LOG\nresolver required file path=$ROOT/more\n[shop]\nset pop_windows 3")
    (host.root / "more").mkdir(mode=0o700)
    shutil.copy(host.root / "alice.key", host.root / "more" / "other.key")
    got = doctor(host.conf, "--service", "shop")
    ok(got[0] == 0 and len([f for f in got[1] if f["area"] == "store" and f["message"] == "answers: 1 key"]) == 2, "two stores without names are both looked at", got[2][:3000])
    ok(not has(got[1], "warning", "configuration", "no section"), "a service with a section")
    check(doctor(host.conf, "--service", "shpo"), 0, "warning", "configuration", "service 'shpo' has no section and gets the rules of the top (did you mean 'shop'?)",
          "is the name the one", "a service that is misspelled")
    host.conf.write_text(host.conf.read_text().split("[shop]")[0])
    ok(not has(doctor(host.conf, "--service", "shpo")[1], "warning", "configuration", "no section"), "without sections all services are alike")


def check_agent(top: pathlib.Path) -> None:
    if shutil.which("ssh-agent") is None:
        skip("an ssh-agent", "not installed")
        return
    host = Host(top / "agent", "resolver required ssh_agent socket=$ROOT/agent.sock\naudit required jsonl path=$LOG")
    with running("ssh-agent", "-D", "-a", str(host.root / "agent.sock")):
        for _ in range(50):
            if (host.root / "agent.sock").exists():
                break
            time.sleep(0.1)
        ok(has(doctor(host.conf)[1], "ok", "store", "answers"), "a store that answers")
    check(doctor(host.conf), 1, "error", "store", "agent", "is its server running", "the same store when it is gone")
    host.conf.write_text(host.conf.read_text().replace("resolver required ssh_agent", "resolver sufficient ssh_agent"))
    check(doctor(host.conf), 0, "warning", "store", "agent", "is its server running", "the same on a line that is not required")


def check_datagrams(top: pathlib.Path) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as server:
        server.bind(("127.0.0.1", 0))
        host = Host(top / "udp", f"audit required syslog server=udp://127.0.0.1:{server.getsockname()[1]}")
        got = doctor(host.conf)
        ok(got[0] == 0 and has(got[1], "ok", "audit", "takes records") and has(got[1], "note", "audit", "lost unseen", "tcp://"), "a server by UDP", got[2][:2500])
    check(doctor(host.conf), 1, "error", "audit", "is a syslog daemon listening there", "", "one that is not there")


def check_many_keys(top: pathlib.Path) -> None:
    """A store that does not list in time, and serves its keys all the same."""
    host = Host(top / "many", "audit required jsonl path=$LOG")
    host.conf.write_text(host.conf.read_text().replace("resolver required file", "resolver required file timeout=100ms"))
    for i in range(1000):
        shutil.copy(host.root / "alice.key", host.root / "keys" / f"k{i}.key")
    check(doctor(host.conf), 0, "warning", "store", "after its deadline", "the service needs no list", "a store of a thousand keys")


def check_silent(top: pathlib.Path) -> None:
    """A server that takes connections and says nothing is waited for once."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as server:
        server.bind(("127.0.0.1", 0))
        server.listen(8)
        host = Host(top / "silent", f"audit required jsonl path=$LOG\nresolver required vault url=http://127.0.0.1:{server.getsockname()[1]} auth=token token_file=$ROOT/token timeout=1s")
        if not (host.root / "plugins" / "tenuo_vault.so").exists():
            skip("a store that is silent", "the plugin vault is not built")
            return
        (host.root / "token").write_text("word")
        (host.root / "token").chmod(0o600)
        got = doctor(host.conf)
        check(got, 1, "error", "store", "did not answer in time", "is its server running", "a store that is silent")
        ok(all(f["milliseconds"] < 1900 for f in got[1] if f["area"] == "store"), "which is waited for once", got[2][:3000])


def free_pair() -> int:
    while True:
        with socket.socket() as a, socket.socket() as b:
            a.bind(("127.0.0.1", 0))
            with contextlib.suppress(OSError):
                b.bind(("127.0.0.1", int(a.getsockname()[1]) + 1))
                return int(a.getsockname()[1])


def check_tpm(top: pathlib.Path) -> None:
    """The files of its keys stay when the TPM goes."""
    program = shutil.which("swtpm")
    port = free_pair()
    host = Host(top / "tpm", f"audit required jsonl path=$LOG\nresolver required tpm2 path=$ROOT/sealed tcti=swtpm:host=127.0.0.1,port={port}")
    helper = pathlib.Path(os.environ["PLUGIN_BUILD_DIR"]) / "tenuo-tpm2"
    if program is None or not helper.exists():
        skip("a TPM", "swtpm or the plugin tpm2 is not there")
        return
    shutil.copy(helper, host.root / "plugins")
    (host.root / "sealed").mkdir(mode=0o700)
    (host.root / "state").mkdir(mode=0o700)
    with running(program, "socket", "--tpm2", "--tpmstate", f"dir={host.root}/state", "--server", f"type=tcp,port={port},bindaddr=127.0.0.1,disconnect=off",
                 "--ctrl", f"type=tcp,port={port + 1},bindaddr=127.0.0.1", "--flags", "not-need-init,startup-clear"):
        for _ in range(50):
            made = subprocess.run([TENUO, "keygen", "--to", "tpm2:web", "--conf", str(host.conf)], capture_output=True, text=True, timeout=60)
            if made.returncode == 0:
                break
            time.sleep(0.1)
        got = doctor(host.conf)
        ok(got[0] == 0 and len([f for f in got[1] if f["area"] == "store" and f["message"] == "answers: 1 key"]) == 2, "a TPM that answers", got[2][:3000] + made.stderr)
    check(doctor(host.conf), 1, "error", "store", "tpm2", "", "and when it is gone")


def check_home(top: pathlib.Path) -> None:
    """What root has at home is not the service's."""
    if os.geteuid() != 0:
        skip("the home of the service's user", "run this as root")
        return
    host = Host(top / "home", "audit required jsonl path=$LOG\nresolver optional aws region=eu-west-1 endpoint=http://127.0.0.1:9 timeout=1s")
    if not (host.root / "plugins" / "tenuo_aws.so").exists():
        skip("the home of the service's user", "the plugin aws is not built")
        return
    (host.root / ".aws").mkdir(mode=0o755)
    (host.root / ".aws" / "credentials").write_text("[default]\naws_access_key_id = A\naws_secret_access_key = B\n")
    (host.root / ".aws" / "credentials").chmod(0o600)
    for path in (top, host.root, host.root / "plugins"):
        path.chmod(0o755)
    for path in (host.root / "keys", host.root / "log", host.root / "keys" / "gate.key"):
        shutil.chown(path, "nobody")
    got = doctor(host.conf, user="nobody", env={"HOME": str(host.root), "AWS_EC2_METADATA_DISABLED": "true"})
    ok(has(got[1], "warning", "store", "aws") and str(host.root / ".aws") not in got[2], "root's home is not looked into", got[2][:3000])


def check_journal(top: pathlib.Path) -> None:
    """The rate limit, from the words of journald.conf and its drop-ins, in mounts of our own."""
    host = Host(top / "journal", "audit required journald socket=$ROOT/journal.sock")
    etc = host.root / "systemd"
    (etc / "journald.conf.d").mkdir(parents=True)
    command = f'mount --bind {etc} /etc/systemd && exec {TENUO} doctor --conf {host.conf} --json --user {ME}'
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as daemon:
        daemon.bind(str(host.root / "journal.sock"))
        for conf, drop_in, limit in (("", "", "10000 records in 30s"), ("RateLimitBurst = 7\nRateLimitIntervalSec=2min\n", "#RateLimitBurst=9\n", "7 records in 2min"),
                                     ("RateLimitBurst=7\n", "[Journal]\nRateLimitBurst=9\n", "9 records in 30s"), ("", "RateLimitIntervalSec=0\n", "")):
            (etc / "journald.conf").write_text(conf)
            (etc / "journald.conf.d" / "50-limit.conf").write_text(drop_in)
            done = subprocess.run(["unshare", "-m", "--propagation", propagation(), "sh", "-c", command], capture_output=True, text=True, timeout=60)
            if not done.stdout:
                skip("the journal's rate limit", f"mounts of our own are not allowed here: {done.stderr.strip()[:100]}")
                return
            findings = json.loads(done.stdout)["findings"]
            told = [f["message"] for f in findings if f["level"] == "note" and f["area"] == "audit"]
            ok(done.returncode == 0 and (limit in told[0] if limit else not told), f"the journal's rate limit: {limit or 'off'}", done.stdout[:3000])


def check_seccomp(top: pathlib.Path) -> None:
    if os.uname().machine != "x86_64":
        skip("a seccomp filter", "its numbers are for x86_64")
        return
    host = Host(top / "seccomp", "audit required syslog socket=$ROOT/log.sock")
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as daemon:
        daemon.bind(str(host.root / "log.sock"))
        ok(doctor(host.conf)[0] == 0, "a sink that works without the filter")
        got = doctor(host.conf, before=forbid_sendto)
    ok(has(got[1], "note", "confinement", "seccomp filter"), "the filter is seen", got[2][:2000])
    check(got, 1, "error", "audit", "not permitted", "this process is confined", "what it forbids is told as its doing")


main()
