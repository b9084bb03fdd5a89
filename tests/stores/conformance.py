# SPDX-License-Identifier: Apache-2.0
"""conformance.py TENUO DRIVER PLUGINS [TITLE...]: `tenuo plugin test --write` of each resolver on its real store. No check may fail."""

import json
import shlex
import subprocess
import sys

import lab as bench

DEADLINE = "10s"


# What is not the plugin's: store, check, and why.
KNOWN = {("pkcs11", "leaks"): "SoftHSM keeps 64 bytes of each signature in a table of its own"}


def judge(tap, lab, store):
    done = subprocess.run([lab.tenuo, "plugin", "test", store.module, "--plugin-dir", str(lab.plugins), *shlex.split(store.args()),
                           f"timeout={DEADLINE}", "--write", "--json"], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE, env={**lab.env, **store.env}, cwd=lab.dir, timeout=500, check=False)
    try:
        report = json.loads(done.stdout)
    except json.JSONDecodeError:
        return tap.ok(False, f"{store.title}: a report", done.stdout.decode(), done.stderr.decode())
    bad = []
    for c in report["checks"]:
        known = KNOWN.get((store.title, c["check"]))
        if c["result"] == "fail" and known is None:
            bad.append(f"{c['check']}: {c['message']}")
        elif c["result"] != "ok":
            print(f"# {store.title}: {c['result']} {c['check']}: {c['message']}" + (f" ({known})" if known else ""))
    return tap.ok(report["counts"]["ok"] >= 20 and not bad, f"{store.title}: keeps the contract of plugins", *bad)


def main():
    tenuo, driver, plugins, *titles = sys.argv[1:]
    tap = bench.Tap()
    kinds = [kind for kind in bench.STORES if not titles or kind.title in titles]
    with bench.Lab(tenuo, driver, plugins) as lab:
        for store in bench.stores(lab, tap, kinds):
            judge(tap, lab, store)
    return tap.done()


sys.exit(main())
