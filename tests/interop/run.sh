#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Interop test: run.sh DRIVER [COMMAND [PLUGINS VECTORS]]. Installs the pinned reference package into a throw-away virtualenv (kept under
# TENUO_CACHE when that is set) and runs interop.py. Without Python or the package the test says that it is skipped.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
driver=${1:?usage: run.sh DRIVER [COMMAND [PLUGINS VECTORS]]}
command=${2:-}
plugins=${3:-}
vectors=${4:-}
version=0.3.3

skip() {
    echo "ok 1 - interop # SKIP $1"
    echo "1..1"
    echo "# 0 passed, 0 failed, 1 skipped"
    exit 0
}

command -v python3 >/dev/null 2>&1 || skip "python3 is not installed"
if [ -n "${TENUO_CACHE:-}" ]; then
    venv=$TENUO_CACHE/interop-$version
else
    venv=$(mktemp -d)
    trap 'rm -rf "$venv"' EXIT INT TERM
fi
if ! "$venv/bin/python" -c 'import tenuo_core' 2>/dev/null; then
    rm -rf "$venv"
    mkdir -p "$(dirname "$venv")"
    python3 -m venv "$venv" >/dev/null 2>&1 || skip "python3 cannot make a virtualenv (package python3-venv)"
    "$venv/bin/pip" install -q --disable-pip-version-check "tenuo==$version" || skip "pip cannot install tenuo==$version"
fi
export PYTHONDONTWRITEBYTECODE=1
if [ -n "$plugins" ]; then
    # The matchers, in a folder that nobody else may write to.
    staged=$(mktemp -d)
    trap 'rm -rf "$staged"; [ -n "${TENUO_CACHE:-}" ] || rm -rf "$venv"' EXIT INT TERM
    cp "$plugins/tenuo_regex.so" "$plugins/tenuo_cel.so" "$staged/"
    "$venv/bin/python" "$here/interop.py" "$driver" "$command" "$staged" ${vectors:+"$vectors"}
else
    "$venv/bin/python" "$here/interop.py" "$driver" ${command:+"$command"}
fi
