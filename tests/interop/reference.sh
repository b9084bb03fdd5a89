# SPDX-License-Identifier: Apache-2.0
# reference.sh NAME: sourced by the interop tests. Puts the pinned reference package into a throw-away virtualenv, kept under TENUO_CACHE when
# that is set, and sets $venv to it; $drop removes what must not stay. Without Python or the package the test NAME says that it is skipped.
version=0.3.3
drop=:

skip() {
    echo "ok 1 - $name # SKIP $1"
    echo "1..1"
    echo "# 0 passed, 0 failed, 1 skipped"
    exit 0
}

find_reference() {
    command -v python3 >/dev/null 2>&1 || skip "python3 is not installed"
    if [ -n "${TENUO_CACHE:-}" ]; then
        mkdir -p "$TENUO_CACHE"
        venv=$TENUO_CACHE/interop-$version
        exec 9>"$venv.lock" # two tests may want it at once
        ! command -v flock >/dev/null 2>&1 || flock 9
    else
        venv=$(mktemp -d)
        drop="rm -rf $venv"
        trap '$drop' EXIT INT TERM
    fi
    if ! "$venv/bin/python" -c 'import tenuo_core' 2>/dev/null; then
        rm -rf "$venv"
        python3 -m venv "$venv" >/dev/null 2>&1 || skip "python3 cannot make a virtualenv (package python3-venv)"
        "$venv/bin/pip" install -q --disable-pip-version-check "tenuo==$version" || skip "pip cannot install tenuo==$version"
    fi
    exec 9>&-
    export PYTHONDONTWRITEBYTECODE=1
}
