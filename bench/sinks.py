#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""What each audit sink adds to a decision, and how many decisions a second it lets through from one and from eight processes: all in
one run, beside the same without any sink. journald and rsyslog are real ones of this run's own. usage: sinks.py [--json]
Environment: as tests/audit/host.py. The reference has no sinks to compare with."""

from __future__ import annotations

import json
import os
import pathlib
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, str(pathlib.Path(__file__).parents[1] / "tests" / "audit"))
from host import Host, Load  # noqa: E402

SECS = 2.0
LINES = {
    "none": "",
    "jsonl": "audit required jsonl path=$LOG",
    "jsonl chain": "audit required jsonl path=$LOG chain",
    "jsonl chain, checkpoints": "audit required jsonl path=$LOG chain checkpoint_key=gate",
    "jsonl fsync": "audit required jsonl path=$LOG fsync",
    "prometheus": "audit required prometheus path=$ROOT/log",
    "syslog (rsyslog)": "audit required syslog socket=$SYSLOG",
    "journald": "audit required journald socket=$JOURNAL",
}
RSYSLOG = """module(load="imuxsock" SysSock.Use="off")
input(type="imuxsock" Socket="{0}/log.sock" RateLimit.Interval="0")
action(type="omfile" file="{0}/out")
"""


def rate(host: Host, processes: int) -> float:
    began = time.monotonic()
    load = Load(host, processes, int(SECS * 1000))
    answers = load.answers()
    took = time.monotonic() - began
    bad = [code for _, code in answers if code != 0]
    if bad:
        sys.exit(f"sinks.py: {len(bad)} of {len(answers)} calls were refused: {set(bad)}")
    return len(answers) / took


def measure(top: pathlib.Path, syslog: pathlib.Path, journal: str) -> list[dict[str, object]]:
    rows: list[dict[str, object]] = []
    base = 0.0
    for i, (name, line) in enumerate(LINES.items()):
        line = line.replace("$SYSLOG", str(syslog)).replace("$JOURNAL", journal)
        if not all(pathlib.Path(word.split("=", 1)[1]).exists() for word in line.split() if word.startswith("socket=")):
            rows.append({"sink": name, "skipped": "its daemon cannot run here"})
            continue
        one = rate(Host(top / f"{i}-1", line), 1)
        eight = rate(Host(top / f"{i}-8", line), 8)
        base = base or 1e6 / one
        rows.append({"sink": name, "per_second_1": round(one), "per_second_8": round(eight), "added_us": round(1e6 / one - base, 1)})
    return rows


def main() -> None:
    if "TENUO_OWN_MOUNTS" not in os.environ and os.geteuid() == 0:
        script = 'mount -t tmpfs tmpfs /run/systemd && mkdir -p /run/log && mount -t tmpfs tmpfs /run/log && exec "$@"'
        os.environ["TENUO_OWN_MOUNTS"] = "1"
        sys.exit(subprocess.run(["unshare", "-m", "--propagation", "private", "sh", "-c", script, "sh", sys.executable, *sys.argv]).returncode)
    with tempfile.TemporaryDirectory(prefix="tenuo-bench-") as folder:
        top = pathlib.Path(folder)
        (top / "rsyslog").mkdir(mode=0o700)
        (top / "rsyslog" / "conf").write_text(RSYSLOG.format(top / "rsyslog"))
        servers = [subprocess.Popen(["rsyslogd", "-n", "-f", str(top / "rsyslog" / "conf"), "-i", str(top / "rsyslog" / "pid")], stderr=subprocess.DEVNULL)]
        if os.geteuid() == 0:
            for name in ("/run/systemd/journal", "/run/systemd/journald.conf.d", "/run/log/journal"):
                pathlib.Path(name).mkdir(exist_ok=True)
            pathlib.Path("/run/systemd/journald.conf.d/bench.conf").write_text("[Journal]\nStorage=volatile\nRateLimitIntervalSec=0\nReadKMsg=no\nAudit=no\n")
            servers.append(subprocess.Popen(["/lib/systemd/systemd-journald"], stderr=subprocess.DEVNULL))
        time.sleep(1)
        try:
            rows = measure(top, top / "rsyslog" / "log.sock", "/run/systemd/journal/socket")
        finally:
            for server in servers:
                server.kill()
                server.wait()
    if "--json" in sys.argv:
        print(json.dumps({"schema": "tenuo-bench/1", "seconds": SECS, "sinks": rows}))
        return
    print(f"{'sink':28}{'1 process':>12}{'8 processes':>13}{'added':>11}   decisions/s, microseconds a decision")
    for row in rows:
        print(f"{row['sink']:28}" + (f"  {row['skipped']}" if "skipped" in row else f"{row['per_second_1']:>12}{row['per_second_8']:>13}{row['added_us']:>11}"))


main()
