# SPDX-License-Identifier: Apache-2.0
"""stores.py TENUO DRIVER PLUGINS [--json]: what a key costs in each real store that this machine has: a cold look-up, a signature, and
cached signing from one thread and from eight. Wall time; medians."""

import json
import pathlib
import statistics
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "tests" / "stores"))
import lab as bench  # noqa: E402

ROUNDS = 15


def median_ms(times):
    return round(statistics.median(times) * 1000, 3)


def measure(lab, store):
    cold = lab.conf(store.line(more="cache_ttl=off"), settings=["set deadline 5s"])
    warm = lab.conf(store.line(), settings=["set deadline 5s"])
    lab.run("keygen", "--to", f"{store.title}:bench", "--conf", cold)
    row = {"store": store.title, "where": "store" if store.remote else "process"}
    with lab.driver() as driver:
        driver("open", conf=cold)
        got = driver("signer", id="bench")
        if got["code"] != 0:
            return {**row, "error": got["message"]}
        warrant, when = lab.warrant(bytes.fromhex(got["public_key"])), int(time.time())
        row["cold_lookup_ms"] = median_ms([driver("signer", id="bench")["took"] for _ in range(ROUNDS)])
        row["sign_ms"] = median_ms([driver("pop", warrant=warrant, tool="t", when=when)["took"] for _ in range(ROUNDS)])
        driver("open", conf=warm)
        driver("preload", id="bench")
        for threads in (1, 8):
            each = 40 if store.remote else 2000
            done = driver("crowd", id="bench", threads=threads, each=each, warrant=warrant, when=when)
            row[f"signatures_per_s_{threads}"] = round(threads * each / done["seconds"]) if done["failed"] == 0 else None
    return row


def main():
    rows = []
    with bench.Lab(*sys.argv[1:4]) as lab:
        for kind in bench.STORES:
            try:
                rows.append(measure(lab, kind(lab)))
            except bench.Missing as why:
                rows.append({"store": kind.title, "error": str(why)})
    if "--json" in sys.argv:
        print(json.dumps({"stores": rows}))
        return
    print(f"{'store':20} {'signs in':9} {'cold look-up':>13} {'signature':>11} {'1 thread/s':>11} {'8 threads/s':>12}")
    for r in rows:
        if "error" in r:
            print(f"{r['store']:20} {r['error']}")
        else:
            print(f"{r['store']:20} {r['where']:9} {r['cold_lookup_ms']:>10.2f} ms {r['sign_ms']:>8.2f} ms {r['signatures_per_s_1'] or '-':>11} "
                  f"{r['signatures_per_s_8'] or '-':>12}")


main()
