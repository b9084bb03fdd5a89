#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# conformance.sh NAME [ARG=VALUE...] [--key-id ID] [--write]: `tenuo plugin test` of one built plugin, for the suites that have the store of a
# plugin at hand. Prints the report with "# " in front, as remarks between lines of TAP, and has its exit status: 0 no check failed, 1 one
# did, 3 it could not be tested. From a test program:   ok(system("tests/conformance.sh vault url=... --write") == 0, "...");
# Environment: PLUGIN_BUILD_DIR (default build/plugins), TENUO (default: the command of the same build).
set -u
umask 022
export LC_ALL=C
here=$(cd "$(dirname "$0")" && pwd)
plugins=${PLUGIN_BUILD_DIR:-$here/../build/plugins}
TENUO=${TENUO:-$plugins/../tools/tenuo}
name=${1:?usage: conformance.sh NAME [ARG=VALUE...]}
shift
# A build folder may be writable by others: the library would refuse what is in it.
stage=$(mktemp -d /tmp/tenuo-conform.XXXXXX) || exit 3
trap 'rm -rf "$stage"' EXIT
trap 'exit 3' HUP INT TERM
file=$(find "$plugins" -name "tenuo_$name.so" -type f | head -n 1)
[ -n "$file" ] || {
    echo "# $plugins has no plugin '$name'"
    exit 3
}
install -m 0755 "$file" "$stage/" || exit 3
helper=$(dirname "$file")/tenuo-$name # the program that some plugins have beside them
[ ! -f "$helper" ] || install -m 0755 "$helper" "$stage/" || exit 3
status=0
"$TENUO" plugin test "$stage/tenuo_$name.so" "$@" >"$stage/report" 2>&1 || status=$?
sed 's/^/# /' "$stage/report"
exit "$status"
