# SPDX-License-Identifier: Apache-2.0
"""package.py SOURCE BUILD: the wheel as a user meets it. Installs it with its extra into a clean environment, imports every documented name
outside of the sources, checks the types, and that the table of the documentation is that of the tests."""

import pathlib
import subprocess
import sys

PASSED = FAILED = 0


def ok(good, text, *why):
    global PASSED, FAILED
    if good:
        PASSED += 1
    else:
        FAILED += 1
        print(f"not ok - {text}")
        for line in why:
            print("   " + str(line)[:4000].replace("\n", "\n   "))


def run(*command, **kw):
    return subprocess.run(command, capture_output=True, text=True, timeout=400, check=False, **kw)


NAMES = """
import tenuo, tenuo_core, tenuo.temporal
from tenuo import SigningKey, Warrant
from tenuo_core import Subpath, Pattern
from tenuo.temporal import *
from tenuo.temporal import (AuthorizedWorkflow, TenuoInterceptor, TenuoInterceptorConfig, TenuoClientInterceptor, EnvKeyResolver, tenuo_headers,
    tenuo_execute_activity, TenuoWorkerInterceptor, TenuoPluginConfig, TenuoTemporalPlugin, VaultKeyResolver, KMSKeyResolver, CompositeKeyResolver,
    AWSSecretsManagerKeyResolver, GCPSecretManagerKeyResolver, ConfKeyResolver, attenuated_headers, tool, unprotected, TemporalAuditEvent,
    TenuoMetrics, ConstraintViolation, WarrantExpired, ChainValidationError, PopVerificationError, LocalActivityError, KeyResolutionError)
assert Subpath is tenuo.Subpath and Pattern is tenuo.Pattern
assert all(getattr(tenuo.temporal, n) is not None for n in tenuo.temporal.__all__)
import os
inside = os.listdir(os.path.join(os.path.dirname(tenuo_core.__file__), "plugins"))
assert {"tenuo_env.so", "tenuo_file.so"} <= set(inside), inside
assert os.path.exists(os.path.join(os.path.dirname(tenuo_core.__file__), "py.typed"))
ctx = tenuo.Context.open(conf_text="resolver required env\\n", keys_only=True)
print("fine")
"""


def main():
    source, build = map(pathlib.Path, sys.argv[1:3])
    clean = build / "clean-venv"
    wheel = next((build / "wheel").glob("tenuo-*.whl"))
    subprocess.run(["rm", "-rf", str(clean)], check=True)
    made = run("python3", "-m", "venv", str(clean))
    ok(made.returncode == 0, "[P01] a clean environment", made.stderr)
    got = run(str(clean / "bin/pip"), "install", "-q", "--disable-pip-version-check", f"{wheel}[temporal,metrics]")
    ok(got.returncode == 0, "[P01] the wheel with its extras installs into it", got.stderr)
    got = run(str(clean / "bin/python"), "-c", NAMES, cwd="/")
    ok(got.stdout.strip() == "fine", "[P02] [P03] [P04] every documented name, the plugins, the types' marker", got.stdout, got.stderr)
    files = run("python3", "-m", "zipfile", "-l", str(wheel)).stdout
    ok("abi3" in wheel.name and "libtenuo.so.0" in files, "[P01] one wheel for all Pythons, with the library inside", wheel.name)
    got = run("mypy", cwd=source)
    ok(got.returncode == 0, "types: mypy --strict", got.stdout)
    got = run(sys.executable, str(source / "tests/python/coverage_table.py"), str(source), "--check")
    ok(got.returncode == 0, "the documentation's table of features and tests is current", got.stdout, got.stderr)
    print(f"{PASSED} passed, {FAILED} failed, 0 skipped")
    return 1 if FAILED else 0


sys.exit(main())
