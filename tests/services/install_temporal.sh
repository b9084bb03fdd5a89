#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# install_temporal.sh: builds the Temporal development server and command line that the tests start, once, into
# $TENUO_CACHE/temporal-VERSION/temporal, and prints its path. Takes the Go of $GO or of the PATH; when that is too old, or there is none,
# one into $TENUO_CACHE. A test tool only: never linked, never shipped.
set -eu
version=1.5.1
: "${TENUO_CACHE:?}"
target=$TENUO_CACHE/temporal-$version
[ ! -x "$target/temporal" ] || { echo "$target/temporal"; exit 0; }
. "$(dirname "$0")/go.sh"
mkdir -p "$target"
exec 9>"$target/lock"
flock 9
[ ! -x "$target/temporal" ] || { echo "$target/temporal"; exit 0; }
find_go
mkdir -p "$target/new"
GOBIN="$target/new" "$go" install -trimpath -ldflags '-s -w' "github.com/temporalio/cli/cmd/temporal@v$version" >&2
mv "$target/new/temporal" "$target/temporal"
rmdir "$target/new"
echo "$target/temporal"
