#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# conform.sh TENUO MOCKS PLUGINS: `tenuo plugin test` passes what keeps the contract, and can fail: for every check there is a plugin that is
# wrong in exactly that way.
set -u
umask 022
export LC_ALL=C
tenuo=$(cd "$(dirname "$1")" && pwd)/$(basename "$1") || exit 1
mocks=$2
plugins=$3
unset TENUO_CONF
top=$(mktemp -d /tmp/tenuo-conform.XXXXXX) || exit 1
trap 'rm -rf "$top"' EXIT
trap 'exit 1' HUP INT TERM
mkdir -m 0700 "$top/p" "$top/store" "$top/keys"
for name in fault fault_kinds dies no_help bad_magic illegal_code good; do
    install -m 0755 "$mocks/mock_$name.so" "$top/p/tenuo_$name.so" || exit 1
done
find "$plugins" -name 'tenuo_*.so' -type f -exec install -m 0755 {} "$top/p" \;
# ThreadSanitizer has its own allocator and its own thread: those two cannot be measured under it.
thread_sanitizer=
! grep -qa __tsan_func_entry "$tenuo" || thread_sanitizer=yes
n=0
bad=0
ok() { # status, title
    n=$((n + 1))
    [ "$1" -eq 0 ] && echo "ok $n - $2" && return
    echo "not ok $n - $2"
    sed 's/^/#   /' "$top/report"
    bad=1
}
run() { # NAME WORD...
    status=0
    "$tenuo" plugin test "$@" --plugin-dir "$top/p" >"$top/report" 2>&1 || status=$?
}
# The store starts with the same two keys each time, one of them replaced once.
fill() {
    rm -rf "$top/store"
    mkdir -m 0700 "$top/store"
    printf '%032d' 1 >"$top/store/mine@1"
    printf '%032d' 2 >"$top/store/mine@2"
    printf '%032d' 3 >"$top/store/other@1"
}
fault() { # FAULT CHECK [WORD...]: the check fails, and no other but those in $with
    name=$1
    check=$2
    shift 2
    fill
    run fault path="$top/store" timeout=400ms fault="$name" --key-id mine "$@"
    [ "$status" -eq 1 ] && grep -q "^FAIL $check: " "$top/report"
    ok $? "fault '$name' is found by '$check'"
}
warning() { # FAULT CHECK [WORD...]
    name=$1
    check=$2
    shift 2
    fill
    run fault path="$top/store" timeout=400ms fault="$name" --key-id mine "$@"
    [ "$status" -eq 0 ] && grep -q "^warn $check: " "$top/report"
    ok $? "fault '$name' is a warning of '$check'"
}

fill
run fault path="$top/store" --key-id mine --write
[ "$status" -eq 0 ] && grep -q ' ok, 0 failed, 0 warnings, 0 skipped$' "$top/report"
ok $? 'a resolver that keeps the contract passes every check'
[ "$(ls "$top/store" | tr '\n' ' ')" = 'mine@1 mine@2 other@1 ' ]
ok $? 'and its store is as it was'
fill
run fault path="$top/store" --key-id mine
[ "$status" -eq 0 ] && grep -q 'skip generate: .*--write' "$top/report" && [ "$(ls "$top/store" | tr '\n' ' ')" = 'mine@1 mine@2 other@1 ' ]
ok $? 'without --write nothing is written'
rm -f "$top"/store/*
run fault path="$top/store" --write
[ "$status" -eq 0 ] && grep -q ' ok, 0 failed, 0 warnings, 0 skipped$' "$top/report" && [ -z "$(ls "$top/store")" ]
ok $? 'with --write it needs no key, and leaves none'
run fault path="$top/store" --json
[ "$status" -eq 0 ] && python3 -c '
import json, sys
r = json.load(open(sys.argv[1]))
assert r["schema"] == "tenuo/1" and r["report"] == "tenuo-plugin-test/1" and r["ok"] and r["kind"] == "resolver", r
assert sum(r["counts"].values()) == len(r["checks"]) and r["counts"]["fail"] == 0, r
assert all(set(c) == {"check", "result", "message"} and c["message"] for c in r["checks"]), r
' "$top/report"
ok $? 'the report as JSON'

# The process that loads it
for name in umask environment directory signal child inherited; do fault $name process; done
fault descriptor cycles
fault lookup_descriptor leaks
if [ -z "$thread_sanitizer" ]; then
    fault thread process
    fault memory cycles
    fault pages cycles
    fault lookup_memory leaks
fi
# What ends a process is a finding, and the other checks are still made
fault abort open
grep -q '^skip key: ' "$top/report"
ok $? 'what cannot be opened is not asked'
for name in exit hang; do
    fault $name list
    [ $name = exit ] || grep -q '^FAIL list: list did not come back within 1900 ms' "$top/report"
    ok $? "'$name' is said, within the deadline of the line"
    grep -q '^ok   fork: ' "$top/report"
    ok $? "after '$name' the other checks are made"
done
fault crash versions
# Answers
fault signature signatures
fault message signatures
fault short_messages signatures
fault pair agree
fault other_version agree
fault ghost versions
fault numbers versions
fault can can
fault cannot can
fault stop list
fault twice list
fault entry outputs
fault absent not_found
fault dots ids
fault second open
fault check schema
warning bad_id bad_ids
# Conditions
fault slow deadline
fault hasty deadline
fault threads threads
fault fork fork
# What holds for every call
fault touched outputs
fault touched_version outputs
fault no_version outputs
fault beyond outputs
fault code codes
fault silent sentences
fault secret secrets
fault secret_log secrets
fault secret_note secrets
fault late in_time
fault prints stdio
fault complains stdio
# Store operations
fault generate generate --write
fault taken taken --write
fault rotate rotate --write
fault rotate_nothing rotate --write
fault import import --write
fault remove remove --write
fault unknown_ability can
warning unsaid import --write
fill
run fault path="$top/store" fault=refuses_seeds --key-id mine --write
[ "$status" -eq 0 ] && grep -q ' ok, 0 failed, 0 warnings, 1 skipped$' "$top/report" && grep -q '^skip import: ' "$top/report"
ok $? 'a line that says that it takes no seed is asked for none'
fault newest remove --write
# The file itself
run no_help
[ "$status" -eq 1 ] && grep -q '^FAIL schema: argument .thing. has no help' "$top/report"
ok $? "an argument without help is found by 'schema'"
run dies
[ "$status" -eq 1 ] && grep -q '^FAIL load: the process died' "$top/report"
ok $? "a plugin that dies when it is loaded is found by 'load'"
run bad_magic
[ "$status" -eq 1 ] && grep -q '^FAIL load: ' "$top/report"
ok $? "a broken descriptor is found by 'load'"
run nothing
[ "$status" -eq 3 ]
ok $? 'no such plugin: exit status 3'
run fault
[ "$status" -eq 3 ] && grep -q "^FAIL schema: the line is refused: .*needs the argument 'path'" "$top/report"
ok $? 'an argument that is missing: exit status 3'
run fault path="$top/store" fautl=x
[ "$status" -eq 3 ] && grep -q "did you mean 'fault'" "$top/report"
ok $? 'an argument that is misspelled: exit status 3'
install -m 0777 "$mocks/mock_dies.so" "$top/p/tenuo_open.so"
chmod 0777 "$top/p/tenuo_open.so"
run open
[ "$status" -eq 3 ] && grep -q '^FAIL load: .*plugin-untrusted' "$top/report"
ok $? 'a file that anybody can write to: not one instruction of it runs'

# The other kinds
for kind in trust audit revocation replay matcher; do
    run fault_kinds --kind $kind --write
    [ "$status" -eq 0 ] && grep -q ' ok, 0 failed, 0 warnings, 1 skipped$' "$top/report"
    ok $? "a plugin of kind $kind that keeps the contract passes"
done
other() { # FAULT CHECK KIND
    run fault_kinds fault="$1" --kind "$3" --write
    [ "$status" -eq 1 ] && grep -q "^FAIL $2: " "$top/report"
    ok $? "fault '$1' of kind $3 is found by '$2'"
}
other root roots trust
other stop roots trust
other decision sentences audit
other fetch fetch revocation
other forgets replay replay
other match matcher matcher
other attenuates matcher matcher
run fault_kinds --kind resolver
[ "$status" -eq 3 ] || [ "$status" -eq 1 ]
ok $? 'a kind that it does not serve'

# What is shipped and needs no server
"$tenuo" keygen "$top/keys/alice" >/dev/null
run file path="$top/keys" --write --key-id alice
[ "$status" -eq 0 ]
ok $? 'resolver file'
TENUO_KEY_bob=000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f run env --key-id bob
[ "$status" -eq 0 ]
ok $? 'resolver env'
run jsonl path="$top/keys/audit.jsonl" --write
[ "$status" -eq 0 ]
ok $? 'audit jsonl'
run jsonl path="$top/keys/chained.jsonl" chain=yes --write
[ "$status" -eq 0 ]
ok $? 'audit jsonl, chained'
run prometheus path="$top/keys" --write
[ "$status" -eq 0 ]
ok $? 'audit prometheus'
run receipt path="$top/keys/receipts" --write
[ "$status" -eq 0 ]
ok $? 'audit receipt'
run memory --write
[ "$status" -eq 0 ]
ok $? 'replay memory'
for name in cel regex; do
    [ -f "$top/p/tenuo_$name.so" ] || continue
    run "$name"
    [ "$status" -eq 0 ]
    ok $? "matcher $name"
done
echo "1..$n"
exit "$bad"
