# SPDX-License-Identifier: Apache-2.0
"""run_all.py [--done NAME STATUS LOG]... BUILD:SUITE...: runs the tests that meson knows in each build folder, reads their TAP or their
last count line, prints every failure, and ends with one line `N passed, N failed, N skipped`. --done adds the outcome of a step that
the caller ran itself (a build). A program that dies, runs out of time or does not do what it planned is a failure."""

import concurrent.futures
import json
import os
import pathlib
import re
import subprocess
import sys
import time

COUNTS = re.compile(r"^(\d+) passed, (\d+) failed, (\d+) skipped$")
RESULT = re.compile(r"^(not )?ok\b[ \t]*(\d+)?[ \t]*(.*)$")
PLAN = re.compile(r"^1\.\.(\d+)(?:\s*#\s*skip(.*))?$", re.I)
SHOWN = 60


class Outcome:
    def __init__(self, name):
        self.name, self.passed, self.failed, self.skipped = name, 0, 0, 0
        self.faults, self.skips, self.seconds = [], [], 0.0

    def fail(self, why):
        self.failed += 1
        self.faults.append(why)


def read_tap(out, lines):
    plan, seen, current = None, 0, None
    for line in lines:
        planned, result = PLAN.match(line), RESULT.match(line)
        if planned:
            plan = int(planned.group(1))
            if plan == 0:
                out.skipped += 1
                out.skips.append((planned.group(2) or "").strip())
        elif line.startswith("Bail out!"):
            out.fail(line)
        elif result:
            seen += 1
            current = bool(result.group(1))
            skip = re.search(r"#\s*skip\s*(.*)$", result.group(3), re.I)
            if current:
                out.fail(line)
            elif skip:
                out.skipped += 1
                out.skips.append(result.group(3))
            else:
                out.passed += 1
        elif current and line.startswith("#"):
            out.faults.append(line)
    if plan is None:
        out.fail("no plan: the program ended early")
    elif plan != seen:
        out.fail(f"planned {plan} tests, ran {seen}")


def read_counts(out, lines):
    counts = next((m for m in map(COUNTS.match, reversed(lines[-3:])) if m), None)
    if counts is None:
        return False
    out.passed, out.failed, out.skipped = map(int, counts.groups())
    if out.failed:
        out.faults += lines[:-1]
    if out.skipped:
        out.skips += [line for line in lines if "skip" in line.lower() and not COUNTS.match(line)]
    return True


def with_vectors(command):
    """TENUO_VECTORS names another folder with files of the same names as tests/vectors."""
    other = os.environ.get("TENUO_VECTORS")
    own = os.path.join(os.path.dirname(os.path.abspath(__file__)), "vectors") + os.sep
    if not other:
        return command
    return [os.path.join(other, os.path.basename(a)) if os.path.abspath(a).startswith(own) else a for a in command]


def run(test):
    out = Outcome(test["label"])
    began = time.monotonic()
    env = {**os.environ, **test["env"]}
    try:
        done = subprocess.run(with_vectors(test["cmd"]), env=env, cwd=test["workdir"] or test["build"], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                              stderr=subprocess.PIPE, timeout=test["timeout"] * float(os.environ.get("TENUO_TEST_SLOW", "1")), check=False)
        status, raw, err = done.returncode, done.stdout, done.stderr
    except subprocess.TimeoutExpired as late:
        status, raw, err = None, late.stdout or b"", late.stderr or b""
    except OSError as wrong:
        status, raw, err = 127, b"", str(wrong).encode()
    out.seconds = time.monotonic() - began
    lines = raw.decode(errors="replace").splitlines()
    if test["protocol"] == "tap":
        read_tap(out, lines)
    elif not read_counts(out, lines):
        if status == 0:
            out.passed += 1
        elif status == 77:
            out.skipped += 1
        elif status is not None:
            out.fail(f"exit status {status}")
            out.faults += lines[-20:]
    if status is None:
        out.fail(f"ran out of time ({test['timeout']} s)")
    elif status not in (0, 77) and out.failed == 0:
        out.fail(f"exit status {status} without a failed test")
    if out.failed:
        out.faults += ["| " + line for line in err.decode(errors="replace").splitlines()[-20:]]
    return out


def tests_of(build, suite):
    path = pathlib.Path(build).resolve()
    label = "" if path.name == "build" else path.name + " "
    for test in json.loads((path / "meson-info" / "intro-tests.json").read_text(encoding="utf-8")):
        if any(s.split(":")[-1] == suite for s in test["suite"]):
            yield {**test, "label": label + test["name"], "build": str(path)}


def show(out):
    print(f"{'FAIL' if out.failed else 'ok  '} {out.name}: {out.passed} passed, {out.failed} failed, {out.skipped} skipped ({out.seconds:.1f} s)")
    for fault in out.faults[:SHOWN]:
        print(f"       {fault}")
    if len(out.faults) > SHOWN:
        print(f"       ... and {len(out.faults) - SHOWN} lines more")
    for skip in out.skips[:SHOWN]:
        print(f"       skipped: {skip}")
    sys.stdout.flush()


def main(args):
    outcomes, tests = [], []
    while args:
        if args[0] == "--done":
            out = Outcome(args[1])
            if args[2] == "0":
                out.passed = 1
            elif args[2] == "77":
                out.skipped = 1
                out.skips.append(args[3])
            else:
                out.fail(f"exit status {args[2]}")
                log = pathlib.Path(args[3])
                text = log.read_text(encoding="utf-8", errors="replace").splitlines() if log.is_file() else []
                out.faults += [line for line in text if re.search(r"error|warning|undefined", line)][:30] or text[-20:]
            outcomes.append(out)
            show(out)
            args = args[4:]
        else:
            build, suite = args[0].rsplit(":", 1)
            tests += tests_of(build, suite)
            args = args[1:]
    if not tests and not outcomes:
        sys.exit("run_all.py: nothing to run")
    tests.sort(key=lambda test: -test["timeout"])
    with concurrent.futures.ThreadPoolExecutor(max_workers=max(1, min(4, len(os.sched_getaffinity(0))))) as pool:
        for future in concurrent.futures.as_completed([pool.submit(run, test) for test in tests]):
            outcomes.append(future.result())
            show(outcomes[-1])
    passed, failed, skipped = (sum(getattr(out, key) for out in outcomes) for key in ("passed", "failed", "skipped"))
    bad = [out.name for out in outcomes if out.failed]
    if bad:
        print("failed: " + ", ".join(bad))
    print(f"{passed} passed, {failed} failed, {skipped} skipped")
    return 1 if failed or passed == 0 else 0


sys.exit(main(sys.argv[1:]))
