#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# run.sh SCRIPT TENUO DRIVER PLUGINS: runs one of the tests here with a session keyring of its own, by the Python that has the reference
# package when that was installed for the interop test.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
script=$1
shift
python=python3
for p in "${TENUO_CACHE:-/nonexistent}"/interop-*/bin/python; do
    [ ! -x "$p" ] || python=$p
done
export PYTHONDONTWRITEBYTECODE=1
umask 077
if command -v keyctl >/dev/null 2>&1 && keyctl session - true >/dev/null 2>&1; then
    exec keyctl session - "$python" "$here/$script" "$@"
fi
exec "$python" "$here/$script" "$@"
