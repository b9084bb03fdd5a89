#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# selftest.sh RUNNER: the vector runner must fail where an answer is wrong, and must count what it skips.
set -u
runner=${1:?usage: selftest.sh RUNNER}
dir=$(mktemp -d) || exit 1
trap 'rm -rf "$dir"' EXIT
number=0
bad=0

# expect STATUS LAST-LINE TITLE: runs the lines on standard input.
expect() {
    number=$((number + 1))
    cat >"$dir/cases.jsonl"
    "$runner" "$dir/cases.jsonl" >"$dir/out" 2>&1
    status=$?
    if [ "$status" -eq "$1" ] && [ "$(tail -n 1 "$dir/out")" = "$2" ]; then
        echo "ok $number - $3"
    else
        echo "not ok $number - $3: status $status, $(tail -n 1 "$dir/out")"
        bad=1
    fi
}

wild='"kind":"match","constraint":"8210f6","value":"60"'
expect 0 '1 passed, 0 failed, 0 skipped' 'a right answer passes' <<E2
{"id":"a",$wild,"expect":true}
E2
expect 1 '0 passed, 1 failed, 0 skipped' 'a wrong answer fails' <<E2
{"id":"a",$wild,"expect":false}
E2
expect 1 '0 passed, 1 failed, 0 skipped' 'ours replaces expect' <<E2
{"id":"a",$wild,"expect":true,"ours":"error"}
E2
expect 0 '1 passed, 0 failed, 0 skipped' 'a list means any of its members' <<E2
{"id":"a",$wild,"expect":false,"ours":[true,"error"]}
E2
expect 1 '0 passed, 1 failed, 0 skipped' 'a list without the answer fails' <<E2
{"id":"a",$wild,"expect":true,"ours":[false,"error"]}
E2
expect 0 '0 passed, 0 failed, 1 skipped' 'unspecified is skipped' <<E2
{"id":"a",$wild,"expect":true,"ours":"unspecified"}
E2
expect 0 '0 passed, 0 failed, 1 skipped' 'an unknown kind is skipped' <<E2
{"id":"a","kind":"nothing_known","expect":true}
E2
id='"kind":"warrant_id","text":"019471f8abcd70008000000000000001"'
expect 0 '1 passed, 0 failed, 0 skipped' 'members of a success are compared' <<E2
{"id":"a",$id,"expect":{"ok":true,"id":"019471f8abcd70008000000000000001"}}
E2
expect 1 '0 passed, 1 failed, 0 skipped' 'a member that differs fails' <<E2
{"id":"a",$id,"expect":{"ok":true,"id":"019471f8abcd70008000000000000002"}}
E2
expect 1 '0 passed, 1 failed, 0 skipped' 'a success where a refusal is expected fails' <<E2
{"id":"a",$id,"expect":{"ok":false}}
E2
bad_id='"kind":"warrant_id","text":"x"'
expect 0 '1 passed, 0 failed, 0 skipped' 'a refusal without code counts by ok alone' <<E2
{"id":"a",$bad_id,"expect":{"ok":false}}
E2
expect 0 '1 passed, 0 failed, 0 skipped' 'a code list holds the code' <<E2
{"id":"a",$bad_id,"expect":{"ok":true},"ours":{"ok":false,"code":[1100,1201]}}
E2
expect 1 '0 passed, 1 failed, 0 skipped' 'another code fails' <<E2
{"id":"a",$bad_id,"expect":{"ok":false,"code":1202}}
E2
expect 0 '1 passed, 0 failed, 0 skipped' 'a case with two faults compares ok alone' <<E2
{"id":"a","name":"x-two-faults-1",$bad_id,"expect":{"ok":false,"code":1202}}
E2
expect 1 '0 passed, 1 failed, 0 skipped' 'a broken line fails' <<E2
{"id":
E2
echo "1..$number"
exit "$bad"
