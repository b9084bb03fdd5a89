#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# check_docs.sh ROOT: do the documents say what the source says? TAP: settings, options of plugins, error codes, public names, stricter
# rules, named files. It compares both ways and needs nothing built; docs.py asks what was built.
set -u
export LC_ALL=C
root=$(cd "$1" && pwd) || exit 1
top=$(mktemp -d /tmp/tenuo-docs.XXXXXX) || exit 1
trap 'rm -rf "$top"' EXIT
trap 'exit 1' HUP INT TERM
cd "$root" || exit 1
n=0
bad=0

# equal TITLE: what code says in $top/code, what the document says in $top/text; line by line, and never nothing.
equal() {
    n=$((n + 1))
    sort "$top/code" >"$top/code.sorted"
    sort "$top/text" >"$top/text.sorted"
    if [ -s "$top/code" ] && cmp -s "$top/code.sorted" "$top/text.sorted"; then
        echo "ok $n - $1"
        return
    fi
    echo "not ok $n - $1"
    bad=$((bad + 1))
    [ -s "$top/code" ] || echo '# nothing was found in the code'
    diff "$top/code.sorted" "$top/text.sorted" | sed -n 's/^</# not in the document:/p; s/^>/# not in the code:/p'
}
# named TITLE FILE: every line of $top/code stands in FILE as a whole word.
named() {
    n=$((n + 1))
    sort -u "$top/code" >"$top/code.sorted"
    while IFS= read -r word; do
        grep -qwF -e "$word" "$2" || printf '# not in %s: %s\n' "$2" "$word"
    done <"$top/code.sorted" >"$top/missing"
    if [ -s "$top/code" ] && [ ! -s "$top/missing" ]; then
        echo "ok $n - $1"
    else
        echo "not ok $n - $1"
        bad=$((bad + 1))
        cat "$top/missing"
    fi
}
# The lines of one section of a manual page.
section() { # PAGE TITLE
    awk -v title=".Sh $2" '$0 ~ /^\.Sh / { on = $0 == title; next } on' "man/$1"
}
settings() { # "name default" of the table; "-" when the code has none
    sed -n 's/^    { "\([a-z_]*\)", \(NULL\|"[^"]*"\), ".*/\1 \2/p' core/conf_settings.c | sed 's/NULL$/-/; s/"//g'
}

settings >"$top/code"
section tenuo.conf.5 SETTINGS | sed -n 's/^\.It Cm \([a-z_]*\) .* Pq \(.*\)/\1 \2/p' |
    sed 's/ compiled in$/ -/; s/ none$/ -/' >"$top/text"
equal 'settings of tenuo.conf(5), with their defaults'

settings | grep -v ' -$' >"$top/code"
sed -n 's/^# set  \([a-z_][a-z_]*\)  *\([^ ]*\)$/\1 \2/p' conf/tenuo.conf | grep -v '^plugin_dir \|^clearance \|^receipt_\|^audit_hash_key ' >"$top/text"
equal 'settings of the example configuration, with their defaults'
settings | sed 's/ .*//' >"$top/code"
sed -n 's/^# set  \([a-z_][a-z_]*\)  .*/\1/p' conf/tenuo.conf >"$top/text"
equal 'no setting is missing in the example configuration'

sed -n 's/^X(\([0-9]*\), "\([^"]*\)", [0-9]*, "\([^"]*\)")$/\1 \2 \3/p' core/err_table.h >"$top/code"
section tenuo.conf.5 'ERROR CODES' | sed -n 's/^\.It \([0-9]*\) Ta \([^ ]*\) Ta \(.*\)/\1 \2 \3/p' >"$top/text"
equal 'error codes of tenuo.conf(5), with names and sentences'

# options SOURCE PAGE SECTION: name, type and whether it must be there.
options() {
    sed -n 's/.*{ "\([a-z0-9_]*\)", TENUO_ARG_\([A-Z]*\), \([01]\), ".*/\1 \2 \3/p' "$1" |
        tr '[:upper:]' '[:lower:]' | sed 's/ 0$/ no/; s/ 1$/ yes/' >"$top/code"
    section "$2" "$3" | sed -n 's/^\.It Cm \([a-z0-9_]*\) Ta \([a-z]*\) Ta \(yes\|no\) Ta .*/\1 \2 \3/p' >"$top/text"
    equal "$2, $3"
}
options plugins/env/env.c tenuo_env.8 'RESOLVER OPTIONS'
options plugins/file/file.c tenuo_file.8 'RESOLVER OPTIONS'
options core/trust_file.c tenuo_file.8 'TRUST OPTIONS'
options core/revoke_file.c tenuo_file.8 'REVOCATION OPTIONS'
options plugins/http/http.c tenuo_http.8 'REVOCATION OPTIONS'
options plugins/jsonl/jsonl.c tenuo_jsonl.8 'AUDIT OPTIONS'
options plugins/memory/memory.c tenuo_memory.8 'REPLAY OPTIONS'
options plugins/redis/redis.c tenuo_redis.8 'REPLAY OPTIONS'
options plugins/tpm2/tpm2.c tenuo_tpm2.8 'RESOLVER OPTIONS'
options plugins/receipt/receipt.c tenuo_receipt.8 'AUDIT OPTIONS'

for dir in plugins/*/; do
    name=$(basename "$dir")
    echo "tenuo_$name.8"
done >"$top/code"
for page in man/tenuo_*.8; do basename "$page"; done >"$top/text"
equal 'a page for every plugin'

# Comments speak of other projects' names; guards of headers are nobody's business.
sed 's,/\*.*\*/,,; /^ *\/\*/,/\*\//d' include/tenuo/*.h include/tenuo/version.h.in | grep -owE '(tenuo|TENUO)_[A-Za-z0-9_]+' |
    grep -vE '^TENUO_[A-Z_]*_H$' >"$top/code"
named 'CHANGELOG names every public symbol' CHANGELOG.md
settings | sed 's/ .*//' >"$top/code"
sed -n 's/^X(\([0-9]*\), "\([^"]*\)".*/\1 `\2`/p' core/err_table.h >>"$top/code"
named 'CHANGELOG names every setting and error code' CHANGELOG.md

sed -n 's/^| \([^|]*[^ |]\) |.*/\1/p' tests/vectors/strict-rules.md | sed -e '/^id$/d' -e '/^---*$/d' >"$top/code"
sed -n 's/^| \(\(warrant\|constraints\|governance\) [^|]*[^ |]\) |.*/\1/p' PROTOCOL.md >"$top/text"
equal 'PROTOCOL.md has a row for every stricter rule'
cat tests/vectors/*.jsonl | grep -o '"rule":"[^"]*"' | sed 's/"rule":"//; s/"$//' >"$top/code"
tr '\n' ' ' <PROTOCOL.md >"$top/protocol"
named 'PROTOCOL.md names every rule of the vectors' "$top/protocol"

# Every file that the documents send a reader to is there.
sed 's,build/[^ ]*,,g' README.md PROTOCOL.md docs/admin-guide.md docs/security-model.md |
    grep -oE '\b(tests|core|tools|examples|fuzz|man|conf|include|plugins)/[A-Za-z0-9_./-]+' |
    sed 's/[.,]$//' | sort -u | while read -r path; do
    [ -e "$path" ] || echo "# there is no $path"
done >"$top/missing"
n=$((n + 1))
if [ -s "$top/missing" ]; then
    echo "not ok $n - files that the documents name"
    bad=$((bad + 1))
    cat "$top/missing"
else
    echo "ok $n - files that the documents name"
fi

echo "1..$n"
[ "$bad" -eq 0 ]
