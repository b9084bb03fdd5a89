#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The sink prometheus: eight processes count, promtool reads the text, a real node_exporter and a real Prometheus carry it, and PromQL
is compared with what the processes were told. Then killed writers, damaged files, hostile labels; the alert rules and the
dashboard. Prints TAP."""

from __future__ import annotations

import json
import os
import pathlib
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import typing
import urllib.parse
import urllib.request

from host import Host, Load, finish, ok, running, skip, tenuo

CONF = pathlib.Path(__file__).parents[2] / "conf"


def samples(path: pathlib.Path) -> dict[str, float]:
    return {line.rsplit(" ", 1)[0]: float(line.rsplit(" ", 1)[1]) for line in path.read_text().splitlines() if line and not line.startswith("#")}


def total(path: pathlib.Path, **labels: str) -> float:
    return sum(v for k, v in samples(path).items() if k.startswith("tenuo_decisions_total") and all(f'{n}="{w}"' in k for n, w in labels.items()))


def lint(path: pathlib.Path, title: str) -> None:
    done = subprocess.run(["promtool", "check", "metrics"], input=path.read_text(), capture_output=True, text=True, timeout=30)
    ok(done.returncode == 0, title, done.stderr + done.stdout)


def free_port() -> int:
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return typing.cast(int, s.getsockname()[1])


def get(url: str) -> str:
    with urllib.request.urlopen(url, timeout=5) as answer:
        return typing.cast(str, answer.read().decode())


def wait_for(url: str) -> None:
    for _ in range(100):
        try:
            get(url)
            return
        except OSError:
            time.sleep(0.1)


def check_scrape(top: pathlib.Path, text: pathlib.Path, wanted: dict[str, float]) -> None:
    node, prom = free_port(), free_port()
    (top / "prom").mkdir()
    (top / "prom" / "conf.yml").write_text(f"global: {{scrape_interval: 1s}}\nscrape_configs:\n  - job_name: node\n    static_configs: [{{targets: ['127.0.0.1:{node}']}}]\n"
                                           f"rule_files: ['{CONF}/prometheus/tenuo.rules.yml']\n")
    with running("prometheus-node-exporter", f"--web.listen-address=127.0.0.1:{node}", "--collector.disable-defaults", "--collector.textfile",
                 f"--collector.textfile.directory={text.parent}"):
        wait_for(f"http://127.0.0.1:{node}/metrics")
        ok("tenuo_decisions_total" in get(f"http://127.0.0.1:{node}/metrics"), "node_exporter shows the counters")
        with running("prometheus", f"--config.file={top}/prom/conf.yml", f"--storage.tsdb.path={top}/prom/data", f"--web.listen-address=127.0.0.1:{prom}"):
            wait_for(f"http://127.0.0.1:{prom}/-/ready")
            for query, value in wanted.items():
                got = None
                for _ in range(80):
                    answer = json.loads(get(f"http://127.0.0.1:{prom}/api/v1/query?query={urllib.parse.quote(query)}"))
                    got = float(answer["data"]["result"][0]["value"][1]) if answer["data"]["result"] else None
                    if got == value:
                        break
                    time.sleep(0.2)
                ok(got == value, f"PromQL: {query} = {value:g}", str(got))
            rules = json.loads(get(f"http://127.0.0.1:{prom}/api/v1/rules"))["data"]["groups"]
            written = (CONF / "prometheus" / "tenuo.rules.yml").read_text().count("- alert: ")
            ok(len(rules) == 1 and len(rules[0]["rules"]) == written > 7, "Prometheus runs the alert rules")


def check_counting(top: pathlib.Path) -> None:
    host = Host(top / "host", "audit required prometheus path=$ROOT/text interval=200ms\naudit required jsonl path=$LOG")
    folder = host.root / "text"
    folder.mkdir()
    text = folder / "tenuo_default.prom"
    answers = Load(host, 8, 60000, 500).answers()
    ok(len(answers) == 4000 and all(code == 0 for _, code in answers), "eight processes decide 4000 calls")
    lint(text, "promtool takes the text")
    ok(total(text, decision="allow", code="0", tool="read_file") == 4000, "every allow is counted once", text.read_text()[:600])
    count = samples(text)['tenuo_decision_duration_seconds_count{service="default"}']
    ok(count == 4000 == samples(text)['tenuo_decision_duration_seconds_bucket{service="default",le="+Inf"}'], "and measured once", str(count))
    for path in ("/etc/a", "/etc/b", "/etc/c"):
        host.call(path)
    tenuo("authorize", str(host.root / "w"), "--conf", str(host.conf), "--tool", "no such tool", "--pop", "00" * 64, check=False)
    ok(total(text, decision="deny", code="1501", tool="read_file") == 3, "denials by tool and code")
    ok(total(text, tool="no such tool") == 0 and total(text, tool="other", decision="deny") == 1, "a tool that no warrant grants is no label")
    hits = samples(text)['tenuo_cache_lookups_total{service="default",cache="link",result="hit"}']
    misses = samples(text)['tenuo_cache_lookups_total{service="default",cache="link",result="miss"}']
    ok(hits + misses >= 4000 and hits >= 3990, f"link cache: {hits:g} hits, {misses:g} misses")
    check_scrape(top, text, {'sum(tenuo_decisions_total{decision="allow"})': 4000, 'sum(tenuo_decisions_total{code="1501"})': 3, "count(count by (tool) (tenuo_decisions_total))": 2})


def check_forks(top: pathlib.Path) -> None:
    """Opened and used, then forked: no child counts its parent's once more."""
    host = Host(top / "forks", "audit optional syslog name=away socket=$ROOT/none\naudit required prometheus path=$ROOT/text interval=1h")
    folder = host.root / "text"
    folder.mkdir()
    told = len(Load(host, 4, 60000, 50, early=True).answers())
    got = samples(folder / "tenuo_default.prom")
    ok(told == 250 == sum(v for k, v in got.items() if k.startswith("tenuo_decisions_total")), "a parent and four children: each decision is counted once", str(got))
    ok(got['tenuo_audit_lost_total{service="default",sink="away"}'] == 250, "and so is each loss", str(got))
    looked = sum(v for k, v in got.items() if 'cache="link"' in k)
    ok(245 <= looked <= 250, f"and each look into a cache, but for those before a child's first record: {looked:g}", str(got))


def check_faults(top: pathlib.Path) -> None:
    host = Host(top / "faults", "audit required prometheus path=$ROOT/text interval=50ms timeout=2s")
    folder = host.root / "text"
    folder.mkdir()
    text, counters = folder / "tenuo_default.prom", folder / "tenuo_default.counters"
    load = Load(host, 8, 1500)
    seen: list[float] = []
    while load.process.poll() is None:
        if text.exists():
            seen.append(total(text, decision="allow"))
        time.sleep(0.01)
    told = len(load.answers())
    ok(len(seen) > 20 and seen == sorted(seen), f"the text is whole whenever it is read, and never counts back: {len(seen)} readings")
    ok(total(text, decision="allow") == told, f"all {told} are counted at the end", str(total(text)))
    killed = Load(host, 8, 30000)
    time.sleep(0.7)
    subprocess.run(["pkill", "-KILL", "-P", str(killed.process.pid)], check=False) if shutil.which("pkill") else [os.kill(int(p), signal.SIGKILL) for p in children(killed.process.pid)]
    killed.process.wait()
    before = total(text, decision="allow")
    ok(host.call("/data/x").returncode == 0, "killed writers leave no lock behind")
    ok(total(text, decision="allow") > before, "and what they counted is kept")
    for title, content in (("empty", b""), ("short", b"x" * 100), ("of another layout", b"\xff" * counters.stat().st_size), ("of zeros", b"\0" * counters.stat().st_size)):
        counters.write_bytes(content)
        ok(host.call("/data/x").returncode == 0 and total(text) == 1, f"a counter file that is {title} begins anew")
    good = counters.read_bytes()
    counters.write_bytes(good[:64] + bytes((i * 37 + 11) % 256 for i in range(len(good) - 64)))
    ok(host.call("/data/x").returncode in (0, 3), "a counter file of rubbish breaks nothing")
    counters.unlink()
    counters.symlink_to("/etc/hostname")
    ok(host.call("/data/x").returncode == 3, "a link is not followed")
    counters.unlink()
    text.unlink(missing_ok=True)
    text.mkdir()
    ok(host.call("/data/x").returncode == 3, "a text that cannot be written refuses on a required line")


def children(pid: int) -> list[str]:
    return pathlib.Path(f"/proc/{pid}/task/{pid}/children").read_text().split()


def check_tools(top: pathlib.Path) -> None:
    host = Host(top / "tools", "audit required prometheus path=$ROOT/text interval=50ms max_tools=5")
    folder = host.root / "text"
    folder.mkdir()
    tools = [f't"{i}\\' for i in range(9)]
    words = [word for tool in tools for word in ("--tool", tool, "--allow-unknown")]
    tenuo("mint", "--key", str(host.root / "root.key"), "--holder", str(host.root / "alice.pub"), "--ttl", "1h", *words, "-o", str(host.root / "many"))
    for tool in tools:
        pop = tenuo("sign", str(host.root / "many"), "--key", str(host.root / "alice.key"), "--tool", tool).stdout.strip()
        tenuo("authorize", str(host.root / "many"), "--conf", str(host.conf), "--tool", tool, "--pop", pop)
    text = folder / "tenuo_default.prom"
    lint(text, "labels with quotes and backslashes are escaped")
    names = set(re.findall(r'tool="((?:[^"\\]|\\.)*)"', text.read_text()))
    ok(len(names) == 6 and "other" in names and total(text, tool="other") == 4, "five tools have a label, the others share one", str(names))


def check_conf() -> None:
    for words in (["check", "rules", "tenuo.rules.yml"], ["test", "rules", "tenuo.test.yml"]):
        done = subprocess.run(["promtool", *words], cwd=CONF / "prometheus", capture_output=True, text=True, timeout=60)
        ok(done.returncode == 0, f"promtool {' '.join(words)}", done.stdout + done.stderr)
    source = (CONF.parent / "plugins" / "prometheus" / "text.c").read_text()
    families = set(re.findall(r'"(tenuo_[a-z_]+)", "(?:counter|gauge|histogram)"', source))
    board = json.loads((CONF / "grafana" / "tenuo.json").read_text())
    ok(len({p["id"] for p in board["panels"]}) == len(board["panels"]) and all(p["title"] and p["targets"] for p in board["panels"]), "the dashboard's panels have ids and queries")
    queries = [t["expr"] for p in board["panels"] for t in p["targets"]] + re.findall(r"expr: (.*(?:\n {10}.*)*)", (CONF / "prometheus" / "tenuo.rules.yml").read_text())
    unknown = {n for q in queries for n in re.findall(r"tenuo_[a-z_]+", q) if re.sub(r"_(bucket|sum|count)$", "", n) not in families and n not in families}
    ok(not unknown and len(families) == 13, "every query names a metric that there is", str(unknown))
    shown = {re.sub(r"_(bucket|sum|count)$", "", n) for q in queries for n in re.findall(r"tenuo_[a-z_]+", q)}
    ok(families - shown <= {"tenuo_revocation_list_version", "tenuo_metrics_uncounted_total"}, "and every metric is in one", str(families - shown))
    slots = [(p["gridPos"]["x"], p["gridPos"]["y"]) for p in board["panels"]]
    ok(len(set(slots)) == len(slots), "no panel lies on another")
    for query in queries:
        query = query.removeprefix(">").replace("$__rate_interval", "5m").replace("$service", ".*")
        probe = pathlib.Path(tempfile.mkdtemp(prefix="tenuo-audit-")) / "r.yml"
        probe.write_text("groups:\n  - name: q\n    rules:\n      - record: x\n        expr: |\n          " + query.strip().replace("\n", "\n          ") + "\n")
        done = subprocess.run(["promtool", "check", "rules", str(probe)], capture_output=True, text=True, timeout=30)
        shutil.rmtree(probe.parent)
        if done.returncode != 0:
            ok(False, f"PromQL reads {query[:60]}", done.stderr)
    ok(True, f"PromQL reads all {len(queries)} queries")


def main() -> None:
    missing = [name for name in ("promtool", "prometheus", "prometheus-node-exporter") if shutil.which(name) is None]
    if missing:
        skip("metrics", f"not installed: {' '.join(missing)}")
        finish()
    with tempfile.TemporaryDirectory(prefix="tenuo-audit-") as folder:
        top = pathlib.Path(folder)
        check_counting(top)
        check_forks(top)
        check_faults(top)
        check_tools(top)
    check_conf()
    finish()


main()
