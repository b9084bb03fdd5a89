#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# exports.sh LIBRARY PLUGIN...: what each object exports is exactly the committed list, and no plugin needs libtenuo.
set -u
here=$(cd "$(dirname "$0")" && pwd)
export LC_ALL=C
n=0
bad=0
report() {
    n=$((n + 1))
    [ "$1" -eq 0 ] && echo "ok $n - $2" && return
    echo "not ok $n - $2"
    bad=1
}
same_exports() { # object, list
    nm -D --defined-only "$1" | awk '$2 != "A" { print $3 }' | sort | diff -u "$here/$2" - >&2
    report $? "$(basename "$1") exports what $2 says"
}
same_exports "$1" exports.txt
shift
for plugin; do
    same_exports "$plugin" exports-plugin.txt
    ! readelf -d "$plugin" | grep -q 'NEEDED.*libtenuo'
    report $? "$(basename "$plugin") does not need libtenuo"
done
echo "1..$n"
exit "$bad"
