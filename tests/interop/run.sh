#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Interop test: run.sh DRIVER [COMMAND [PLUGINS VECTORS]]. Runs interop.py with the pinned reference package. Without Python or the package the
# test says that it is skipped.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
driver=${1:?usage: run.sh DRIVER [COMMAND [PLUGINS VECTORS]]}
command=${2:-}
plugins=${3:-}
vectors=${4:-}
name=interop
. "$here/reference.sh"
find_reference
if [ -n "$plugins" ]; then
    # The matchers, in a folder that nobody else may write to.
    staged=$(mktemp -d)
    trap 'rm -rf "$staged"; $drop' EXIT INT TERM
    cp "$plugins/tenuo_regex.so" "$plugins/tenuo_cel.so" "$staged/"
    "$venv/bin/python" "$here/interop.py" "$driver" "$command" "$staged" ${vectors:+"$vectors"}
else
    "$venv/bin/python" "$here/interop.py" "$driver" ${command:+"$command"}
fi
