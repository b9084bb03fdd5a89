#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Stores test: stores.sh COMMAND PLUGINS [STORE...]. Runs stores.py: proofs that keys in each kind of store sign, judged by the pinned reference
# package. With names, those stores alone. What is not installed is a counted skip.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
: "${2:?usage: stores.sh COMMAND PLUGINS [STORE...]}"
name=stores_interop
. "$here/reference.sh"
find_reference
if command -v keyctl >/dev/null 2>&1 && keyctl session - true >/dev/null 2>&1; then
    keyctl session - "$venv/bin/python" "$here/stores.py" "$@"
else
    "$venv/bin/python" "$here/stores.py" "$@"
fi
