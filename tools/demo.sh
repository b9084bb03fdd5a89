#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# The main job on real input: keys, a warrant, a narrower child, a signed call, and decisions through a configuration and loaded plugins.
# Prints every command it runs; exits non-zero when an outcome is not the expected one.
# Environment: TENUO (the command), PLUGIN_BUILD_DIR (where the plugins were built).
set -u
umask 022
TENUO=${TENUO:-build/tools/tenuo}
PLUGIN_BUILD_DIR=${PLUGIN_BUILD_DIR:-build/plugins}
TENUO=$(cd "$(dirname "$TENUO")" && pwd)/$(basename "$TENUO") || exit 3
PLUGIN_BUILD_DIR=$(cd "$PLUGIN_BUILD_DIR" && pwd) || exit 3
unset TENUO_CONF

# A checkout may be writable by a group or owned by somebody else; the library loads nothing from such a place.
dir=$(mktemp -d /tmp/tenuo-demo.XXXXXX) || exit 3
trap 'rm -rf "$dir"' EXIT
trap 'exit 3' HUP INT TERM
cd "$dir" || exit 3
wrong=0
decisions=0

say() { printf '\n== %s\n' "$*"; }
fail() { printf '!! %s\n' "$*"; wrong=$((wrong + 1)); }
print_command() {
    printf '$'
    for word; do
        case $word in
        "$TENUO") printf ' tenuo' ;;
        *[!A-Za-z0-9_./:=@,+-]*) printf " '%s'" "$word" ;;
        *) printf ' %s' "$word" ;;
        esac
    done
    printf '\n'
}
# run STATUS COMMAND...: prints and runs; the output stays in ./output too.
run() {
    want=$1
    shift
    print_command "$@"
    "$@" >output 2>&1
    status=$?
    sed 's/^/  /' output
    [ "$status" -eq "$want" ] || fail "exit status $status, expected $want"
}
# decide STATUS CODE TITLE OPTION...: one audited decision; CODE 0 is an allow.
decide() {
    want_status=$1 code=$2
    shift 2
    run "$want_status" "$TENUO" authorize --conf "$dir/demo.conf" "$@"
    decisions=$((decisions + 1))
    case $code in
    0) head=ALLOW ;;
    *) head="DENY $code " ;;
    esac
    case $(sed -n 1p output) in
    "$head"*) ;;
    *) fail "expected $head" ;;
    esac
}
sign() {
    out=$1
    shift
    run 0 "$TENUO" sign -o "$out" "$@"
}

say 'A fresh directory for plugins, configuration, keys and the audit log (the library trusts nothing that others could change)'
mkdir -m 0700 plugins keys audit
find "$PLUGIN_BUILD_DIR" -name 'tenuo_*.so' -type f -exec cp {} plugins/ \;
chmod 0755 plugins/*.so || exit 3
cat >demo.conf <<CONF
set       plugin_dir  $dir/plugins
trust     required    file   path=$dir/root.pub
resolver  required    file   path=$dir/keys
audit     required    jsonl  path=$dir/audit/audit.jsonl
CONF
chmod 0644 demo.conf
echo '$ cat demo.conf'
sed 's/^/  /' demo.conf

say 'Key pairs: the root that the service trusts, two holders, and somebody else'
run 0 "$TENUO" keygen root
run 0 "$TENUO" keygen keys/alice
run 0 "$TENUO" keygen --to file:bob --conf "$dir/demo.conf"
run 0 "$TENUO" keygen mallory

say 'The configuration and the plugins it loads'
run 0 "$TENUO" conf check demo.conf
run 0 "$TENUO" plugin list --conf "$dir/demo.conf"

say 'A warrant for alice: two tools, only below /tmp/tenuo-demo, for one hour'
run 0 "$TENUO" mint --key root.key --holder keys/alice.pub --ttl 1h -c path=subpath:/tmp/tenuo-demo \
    --tool read_file --tool list_directory -o alice.tenuo
run 0 "$TENUO" inspect alice.tenuo

say "Alice narrows it for bob: one tool, one folder, ten minutes. Her key comes from the key store of the configuration"
run 0 "$TENUO" attenuate alice.tenuo --conf "$dir/demo.conf" --key-id alice --holder keys/bob.pub --ttl 10m \
    --tool read_file -c path=subpath:/tmp/tenuo-demo/reports -o bob.tenuo
run 0 "$TENUO" verify --conf "$dir/demo.conf" bob.tenuo

say 'Bob signs a call (proof of possession) and the service decides: allowed'
sign inside.pop bob.tenuo --conf "$dir/demo.conf" --key-id bob --tool read_file -a path=/tmp/tenuo-demo/reports/q1.txt
decide 0 0 bob.tenuo --tool read_file -a path=/tmp/tenuo-demo/reports/q1.txt --pop @inside.pop

say 'Outside of the folder: denied'
sign passwd.pop bob.tenuo --key keys/bob.key --tool read_file -a path=/etc/passwd
decide 1 1501 bob.tenuo --tool read_file -a path=/etc/passwd --pop @passwd.pop
sign dots.pop bob.tenuo --key keys/bob.key --tool read_file -a path=/tmp/tenuo-demo/reports/../../../etc/passwd
decide 1 1501 bob.tenuo --tool read_file -a path=/tmp/tenuo-demo/reports/../../../etc/passwd --pop @dots.pop

say 'A tool that bob was not given: denied'
sign list.pop bob.tenuo --key keys/bob.key --tool list_directory -a path=/tmp/tenuo-demo/reports
decide 1 1500 bob.tenuo --tool list_directory -a path=/tmp/tenuo-demo/reports --pop @list.pop

say 'Two hours later: expired'
later=$(($(date +%s) + 7200))
sign later.pop bob.tenuo --key keys/bob.key --at "$later" --tool read_file -a path=/tmp/tenuo-demo/reports/q1.txt
decide 1 1300 bob.tenuo --at "$later" --tool read_file -a path=/tmp/tenuo-demo/reports/q1.txt --pop @later.pop

say 'Forged: one byte of the signature changed'
run 0 "$TENUO" attenuate alice.tenuo --key keys/alice.key --holder keys/bob.pub --ttl 10m --tool read_file --form cbor -o bob.cbor
echo '$ (last byte of bob.cbor + 1) > forged.cbor'
size=$(wc -c <bob.cbor)
{ head -c $((size - 1)) bob.cbor && tail -c 1 bob.cbor | LC_ALL=C tr '\000-\377' '\001-\377\000'; } >forged.cbor
cmp -s bob.cbor forged.cbor && fail 'forged.cbor is not forged'
decide 1 1202 forged.cbor --tool read_file -a path=/tmp/tenuo-demo/a.txt --pop @inside.pop

say 'Widened: the builder refuses to make a child that may do more'
run 1 "$TENUO" attenuate alice.tenuo --key keys/alice.key --holder keys/bob.pub --tool delete_file
run 1 "$TENUO" attenuate alice.tenuo --key keys/alice.key --holder keys/bob.pub --tool read_file -c path=subpath:/

say 'Widened: a warrant by another issuer, glued under the root of the trusted one, is refused by the verifier'
run 0 "$TENUO" mint --key root.key --holder keys/alice.pub --tool read_file -c path=subpath:/tmp/tenuo-demo --form cbor -o parent.cbor
run 0 "$TENUO" mint --key mallory.key --holder keys/bob.pub --tool delete_file -c path=subpath:/ --form cbor -o wide.cbor
printf '%s\n' "\$ (printf '\\202'; cat parent.cbor wide.cbor) > glued.cbor"
{ printf '\202' && cat parent.cbor wide.cbor; } >glued.cbor
sign wide.pop wide.cbor --key keys/bob.key --tool delete_file -a path=/etc/passwd
decide 1 1405 glued.cbor --tool delete_file -a path=/etc/passwd --pop @wide.pop
decide 1 1406 wide.cbor --tool delete_file -a path=/etc/passwd --pop @wide.pop

say "A call signed by the wrong key: mallory signs for the id of bob's warrant"
run 3 "$TENUO" sign bob.tenuo --key mallory.key --tool read_file -a path=/tmp/tenuo-demo/reports/q1.txt
id=$("$TENUO" inspect bob.tenuo | sed -n 's/^Warrant 2 of 2.*: //p')
run 0 "$TENUO" mint --key mallory.key --id "$id" --tool read_file -c 'path=*' -o mallory.tenuo
sign mallory.pop mallory.tenuo --key mallory.key --tool read_file -a path=/tmp/tenuo-demo/reports/q1.txt
decide 1 1100 bob.tenuo --tool read_file -a path=/tmp/tenuo-demo/reports/q1.txt --pop @mallory.pop

say 'A call that a human must approve: denied until somebody has, and only for exactly this call'
run 0 "$TENUO" mint --key root.key --holder keys/alice.pub --ttl 1h --tool deploy -c env=any --approver keys/bob.pub \
    --gate deploy:env=exempt:oneof:dev,test -o deploy.tenuo
sign deploy.pop deploy.tenuo --key keys/alice.key --tool deploy -a env=prod
decide 1 1707 deploy.tenuo --tool deploy -a env=prod --pop @deploy.pop
run 0 "$TENUO" request deploy.tenuo --key keys/alice.key --tool deploy -a env=prod -o deploy.request
run 0 "$TENUO" approve deploy.request --root root.pub --key keys/bob.key --yes -o deploy.approval
decide 0 0 deploy.tenuo --tool deploy -a env=prod --pop @deploy.pop --approval deploy.approval
sign other.pop deploy.tenuo --key keys/alice.key --tool deploy -a env=staging
decide 1 1701 deploy.tenuo --tool deploy -a env=staging --pop @other.pop --approval deploy.approval

say "A new key for bob: his warrant goes on working, since the old key stays and is the one that the warrant names"
run 0 "$TENUO" key rotate file:bob --conf "$dir/demo.conf" --warrants bob.tenuo
sign rotated.pop bob.tenuo --conf "$dir/demo.conf" --key-id bob --tool read_file -a path=/tmp/tenuo-demo/reports/q1.txt
decide 0 0 bob.tenuo --tool read_file -a path=/tmp/tenuo-demo/reports/q1.txt --pop @rotated.pop
run 0 "$TENUO" key test bob --conf "$dir/demo.conf"

say 'Every decision stands in the audit log'
echo '$ cat audit/audit.jsonl'
sed 's/^/  /' audit/audit.jsonl
records=$(grep -c '"decision' audit/audit.jsonl)
records=${records:-0}
printf '\n%s decisions, %s records' "$decisions" "$records"
[ "$records" -eq "$decisions" ] || fail 'the numbers differ'
if [ "$wrong" -ne 0 ]; then
    printf '\ndemo: %s unexpected outcomes\n' "$wrong"
    exit 1
fi
printf '\ndemo: every outcome was the expected one\n'
