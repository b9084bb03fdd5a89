#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# headers.sh INCLUDE BUILD-INCLUDE: every public header compiles alone, as C11 and as C++17, without a warning.
set -u
include=${1:?usage: headers.sh INCLUDE BUILD-INCLUDE}
generated=${2:?usage: headers.sh INCLUDE BUILD-INCLUDE}
cxx=
for candidate in g++ clang++ clang++-14; do
    [ -n "$cxx" ] || ! command -v "$candidate" >/dev/null 2>&1 || cxx=$candidate
done
n=0
bad=0
report() { # status, title, remark
    n=$((n + 1))
    if [ "$1" -eq 0 ]; then
        echo "ok $n - $2${3:-}"
    else
        echo "not ok $n - $2"
        bad=1
    fi
}
for header in "$include"/tenuo/*.h "$generated"/tenuo/version.h; do
    name=tenuo/$(basename "$header")
    echo "#include <$name>" | cc -std=c11 -Wall -Wextra -Wpedantic -Werror -I "$include" -I "$generated" -x c -fsyntax-only - >&2
    report $? "$name as C11"
    if [ -z "$cxx" ]; then
        report 0 "$name as C++17" ' # SKIP no C++ compiler'
        continue
    fi
    echo "#include <$name>" | $cxx -std=c++17 -Wall -Wextra -Wpedantic -Werror -I "$include" -I "$generated" -x c++ -fsyntax-only - >&2
    report $? "$name as C++17"
done
echo "1..$n"
exit "$bad"
