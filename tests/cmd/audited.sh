# SPDX-License-Identifier: Apache-2.0
# needs plugins
warrants
configuration
mask() { sed -e 's/\(decision *\)[0-9a-f]\{32\}/\1ID/' -e 's/"decision_id":"[0-9a-f]*"/"decision_id":"ID"/'; }
conf=$DIR/tenuo.conf
good=$("$TENUO" sign bob.tenuo --conf "$conf" --key-id bob --at $T --tool read_file -a path=/data/reports/a)
[ "$good" = "$("$TENUO" sign bob.tenuo --key bob.key --at $T --tool read_file -a path=/data/reports/a)" ] && echo the same key
au() { t authorize bob.tenuo --conf "$conf" --at $T --tool read_file "$@" >out; mask <out; }
au -a path=/data/reports/a --pop "$good"
au -a path=/data/reports/a --pop "$good" --json
au -a path=/data/reports/a --pop "$good" --explain >steps; grep -E ' (replay|audit) ' steps
au -a path=/data/reports/b --pop "$good"
au -a path=/data/reports/b --pop "$good" --json
au -a path=/data/reports/a --pop "$good" --request-id r-1 --attribute user=u1 -q
au -a path=/data/reports/a --pop "$good" --attribute user=u1 --attribute user=u2
grep -c decision audit/audit.jsonl
grep -c '"r-1"' audit/audit.jsonl
t verify --conf "$conf" --at $T bob.tenuo
grep -c decision audit/audit.jsonl
t sign bob.tenuo --conf "$conf" --key-id nobody --tool x
t sign bob.tenuo --conf "$conf" --key-id alice --tool x
t sign bob.tenuo --conf "$conf" --key-id ../bob --tool x
t attenuate alice.tenuo --conf "$conf" --key-id alice --holder bob.pub --at $T --id $ID2 --tool read_file
# an allow without its record is none
sed 's|path=.*/audit.jsonl|path=/dev/full|' tenuo.conf >full.conf
t authorize bob.tenuo --conf "$DIR/full.conf" --at $T --tool read_file -a path=/data/reports/a --pop "$good" >out
grep -c ALLOW out
tail -n 1 out
t authorize bob.tenuo --conf "$DIR/full.conf" --at $T --tool read_file -a path=/data/reports/a --pop "$good" --json >out
grep -c '"ok":false' out
tail -n 1 out
