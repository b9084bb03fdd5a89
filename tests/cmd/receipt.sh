# SPDX-License-Identifier: Apache-2.0
# needs plugins
warrants
configuration
mkdir -m 0700 r
conf=$DIR/tenuo.conf
seed gate 192
cp gate.key keys/
printf 'set receipt_key gate\nset receipt_authorizer gate-1\naudit required receipt path=%s/r/j\n' "$DIR" >>tenuo.conf
call() { # path, request id
    pop=$("$TENUO" sign bob.tenuo --key bob.key --at $T --tool read_file -a path="$1")
    "$TENUO" authorize bob.tenuo --conf "$conf" --at $T --tool read_file -a path="$1" --pop "$pop" --request-id "$2" -q || echo "= $?"
}
call /data/reports/a r-1
call /data/reports/b r-2
call /data/reports/c r-3
call /etc/passwd r-4
grep -c receipt r/j r/j.denied
# one
t receipt show r/j --line 2
t receipt show r/j.denied
t receipt show r/j.denied --json
t receipt show r/j
t receipt verify r/j --line 1
t receipt verify r/j --line 1 --signer gate.pub --root root.pub -a path=/data/reports/a --exact-roots
t receipt verify r/j --line 1 --signer gate.pub --conf "$conf" --args '{"path":"/data/reports/a"}' --json
t receipt verify r/j --line 1 --signer root.pub --root mallory.pub --root root.pub -a path=/data/reports/b
t receipt verify r/j --line 1 --root mallory.pub -a path=/data/reports/a --pop-at 2030-01-01T01:00:00Z --json
t receipt verify r/j.denied -a path=/etc/passwd
echo '{"rules":[]}' >policy.json
t receipt verify r/j.denied --policy policy.json --srl nothing
t receipt verify r/j.denied --policy policy.json | grep policy
t conf show --conf "$conf" --policy
"$TENUO" conf show --conf "$conf" --policy >policy.json
t receipt verify r/j.denied --policy policy.json >out
grep policy out
# binary, hex and base64 are the same receipt
sed -n 's/.*"receipt":"\([0-9a-f]*\)".*/\1/p' r/j.denied >hex
t receipt show hex >out1
t receipt show r/j.denied >out2
sed 1d out1 >a; sed 1d out2 >b; cmp a b && echo the same
# the run
t receipt chain --signer gate.pub r/j
t receipt chain r/j --json
t receipt chain r/j r/j.denied
t receipt chain --signer root.pub r/j
t receipt anchor --signer gate.pub r/j
t receipt anchor r/j --json
head=$("$TENUO" receipt anchor r/j | cut -d' ' -f1)
t receipt chain --signer gate.pub --anchor "$head" r/j
# a file of its own for each part: the order counts
sed -n 1,2p r/j >part.1
sed -n 3p r/j >part.2
t receipt chain part.1 part.2 --anchor "$head"
t receipt chain part.2 part.1
second=$("$TENUO" receipt anchor part.1 | cut -d' ' -f1)
t receipt anchor part.2 --after "$second"
t receipt anchor part.2 --after "$head"
# what help and manual page tell to type, in a directory with everything that the sink leaves there
mkdir doc
cp part.1 doc/web.00000001; cp part.2 doc/web; cp r/j.denied doc/web.denied
for x in lock denied.lock torn.1; do : >"doc/web.$x"; done
{ cat "$here/../../man/tenuo_receipt.8"; "$TENUO" receipt --help; } | sed -n 's/receipts/web/g; s/.* \(web\.[^ ]* web\)$/\1/p' |
    sort | uniq -c | while read -r count files; do
    echo "* $count times: $files"
    (cd doc && eval "'$TENUO' receipt chain --signer ../gate.pub --anchor $head $files")
done
# removed, doubled, changed, cut
sed 2d r/j >removed
t receipt chain removed
t receipt anchor removed
sed 2p r/j >doubled
t receipt chain doubled
sed '2s/\(receipt":"a46f72.*\)[0-9]\(.......\)"}/\1f\2"}/' r/j >changed
t receipt chain changed
t receipt chain part.1 --anchor "$head"
t receipt chain part.1 --anchor "$head" --json
{ cat r/j; printf '{"written":1,"receipt":"a46f'; } >torn
t receipt chain torn
echo nothing >garbage
t receipt chain garbage
: >empty
t receipt chain empty
t receipt chain missing
t receipt show garbage
t receipt show r/j --line 9
# usage
t receipt
t receipt show
t receipt frobnicate r/j
t receipt chain --root root.pub r/j
t receipt verify --anchor "$head" r/j
t receipt chain --anchor 00 r/j
t receipt verify --root root.pub --conf "$conf" r/j
t receipt verify --signer nobody r/j --json
# rotation goes on from the last
printf 'set max_chain 65\n' >>tenuo.conf
sed 's/receipt path=\([^ ]*\)/receipt path=\1 max_age=1s/' tenuo.conf >rotating.conf
conf=$DIR/rotating.conf
for journal in r/j r/j.denied; do
    sed 's/"written":[0-9]*/"written":1/' $journal >aged && cat aged >$journal
done
call /data/reports/a r-5
ls r
t receipt chain r/j.0* r/j --anchor "$head"
# no key, no service
grep -v receipt_key tenuo.conf >nokey.conf
t conf check "$DIR/nokey.conf"
