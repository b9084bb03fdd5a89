#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Stores test: stores.sh COMMAND PLUGINS [STORE...]. Runs stores.py: proofs that keys in each kind of store sign, judged by the pinned reference
# package. With names, those stores alone. What is not installed is a counted skip.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
: "${2:?usage: stores.sh COMMAND PLUGINS [STORE...]}"
name=stores
. "$here/reference.sh"
find_reference
"$venv/bin/python" "$here/stores.py" "$@"
