#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Expected-output tests of the command, as TAP. Each NAME.sh runs in a fresh directory with fixed keys; what it prints must be NAME.out
# byte for byte. `run.sh NAME...` runs some; with UPDATE=1 the .out files are written instead: read the difference before committing it.
# Environment: TENUO (the command), PLUGIN_BUILD_DIR (where the plugins were built; without it those cases are skipped).
set -u
umask 022
export LC_ALL=C
here=$(cd "$(dirname "$0")" && pwd)
TENUO=${TENUO:-$here/../../build/tools/tenuo}
TENUO=$(cd "$(dirname "$TENUO")" && pwd)/$(basename "$TENUO") || exit 1
[ -z "${PLUGIN_BUILD_DIR:-}" ] || PLUGIN_BUILD_DIR=$(cd "$PLUGIN_BUILD_DIR" && pwd) || exit 1
unset TENUO_CONF POSIXLY_CORRECT ARGP_HELP_FMT
export TENUO PLUGIN_BUILD_DIR
top=$(mktemp -d /tmp/tenuo-cmd.XXXXXX) || exit 1
trap 'rm -rf "$top"' EXIT
trap 'exit 1' HUP INT TERM

n=0
bad=0
report() { # ok|not ok, name, remark
    n=$((n + 1))
    echo "$1 $n - $2${3:+ # $3}"
    [ "$1" = ok ] || bad=$((bad + 1))
}
[ $# -gt 0 ] || set -- "$here"/*.sh
for case; do
    name=$(basename "$case" .sh)
    case $name in run | lib) continue ;; esac
    if grep -q '^# needs plugins' "$here/$name.sh" && [ -z "${PLUGIN_BUILD_DIR:-}" ]; then
        report ok "$name" 'SKIP PLUGIN_BUILD_DIR is not set'
        continue
    fi
    if grep -q '^# needs redis' "$here/$name.sh" &&
        { ! command -v redis-server >/dev/null || [ ! -f "$PLUGIN_BUILD_DIR/tenuo_redis.so" ]; }; then
        report ok "$name" 'SKIP redis-server is not installed, or the plugin redis not built'
        continue
    fi
    dir=$top/$name
    mkdir -m 0700 "$dir"
    (cd "$dir" && DIR=$dir && . "$here/lib.sh" && . "$here/$name.sh") </dev/null >"$top/$name.raw" 2>&1
    # When a key was stored is the one time that is of the run; everything else is dated 2030.
    sed -E "s|$dir|DIR|g; s/\"created_at\":1(7[0-9]|8[0-8])[0-9]+/\"created_at\":NOW/g; s/\b202[0-8]-[0-9]{2}-[0-9]{2}T[0-9:]{8}Z/20NN-NN-NNTNN:NN:NNZ/g" \
        "$top/$name.raw" >"$top/$name.got"
    if [ -n "${UPDATE:-}" ]; then
        cp "$top/$name.got" "$here/$name.out"
        report ok "$name" 'written'
    elif cmp -s "$here/$name.out" "$top/$name.got"; then
        report ok "$name"
    else
        report 'not ok' "$name"
        diff -u "$here/$name.out" "$top/$name.got" | sed 's/^/# /'
    fi
done
echo "1..$n"
[ "$bad" -eq 0 ]
