#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# reference.sh: puts the reference implementation with its Temporal integration into an environment in $TENUO_CACHE, once, and prints its
# Python. A black-box peer of tests and benchmarks.
set -eu
: "${TENUO_CACHE:?}"
home=$TENUO_CACHE/reference-0.3.3-temporalio-1.35.0
mkdir -p "$TENUO_CACHE"
exec 9>"$home.lock"
flock 9
if [ ! -f "$home/done" ]; then
    rm -rf "$home"
    python3 -m venv "$home" >&2
    "$home/bin/pip" install -q --disable-pip-version-check tenuo==0.3.3 temporalio==1.35.0 >&2
    touch "$home/done"
fi
echo "$home/bin/python"
