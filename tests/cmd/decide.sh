# SPDX-License-Identifier: Apache-2.0
warrants
pop() { path=$1; shift; "$TENUO" sign bob.tenuo --key bob.key --at $T --tool read_file -a path="$path" "$@"; }
t verify --root root.pub --at $T bob.tenuo
t verify --root root.pub --at 2030-01-01T00:00:00Z bob.tenuo --json
t verify --root "$(cat root.pub)" --at $T - <bob.tenuo
t verify --root mallory.pub --root root.pub --at $T -q bob.tenuo
t verify --root mallory.pub --at $T bob.tenuo
t verify --root mallory.pub --at $T bob.tenuo --json
t verify --root root.pub --at $T --explain bob.tenuo
t verify --root root.pub --at $((T + 600)) bob.tenuo
t verify --root root.pub --at $((T - 3600)) bob.tenuo
t verify --root root.pub bob.tenuo -q
# what cannot be decoded has steps like any other denial
sed 's/....$/AAAA/' bob.tenuo >forged.tenuo
t verify --root root.pub --at $T --explain forged.tenuo
t verify --root root.pub --at $T --explain forged.tenuo --json
au() { t authorize bob.tenuo --root root.pub --at $T --tool read_file "$@"; }
good=$(pop /data/reports/a)
au -a path=/data/reports/a --pop "$good"
au -a path=/data/reports/a --pop "$good" --json
au -a path=/data/reports/a --pop "$good" --explain
au -a path=/data/reports/a --pop "$good" -q
au -a path=/data/reports/a --pop "$(pop /data/reports/a --form hex)" -q
au -a path=/data/reports/a --pop "$(pop /data/reports/a --form base64)" -q
echo "$good" >pop; au -a path=/data/reports/a --pop @pop -q
au --args '{"path":"/data/reports/a"}' --pop "$good" -q
au -a path=/data/reports/a
au -a path=/data/reports/b --pop "$good"
au -a path=/etc/passwd --pop "$(pop /etc/passwd)"
au -a path=/etc/passwd --pop "$(pop /etc/passwd)" --json --explain
au -a path=/etc/passwd --pop "$(pop /etc/passwd)" -q
au -a path=/data/reports/a -a extra=1 --pop "$(pop /data/reports/a -a extra=1)"
au --pop "$("$TENUO" sign bob.tenuo --key bob.key --at $T --tool read_file)"
t authorize bob.tenuo --root root.pub --at $T --tool list --pop "$("$TENUO" sign bob.tenuo --key bob.key --at $T --tool list)"
t authorize bob.tenuo --root root.pub --at $((T + 600)) --tool read_file -a path=/data/reports/a --pop "$good"
t authorize bob.tenuo --root root.pub --at $((T + 89)) --tool read_file -a path=/data/reports/a --pop "$good" -q
t authorize bob.tenuo --root root.pub --at $((T + 90)) --tool read_file -a path=/data/reports/a --pop "$good"
au -a path=/data/reports/a --pop "$good" --require-clearance 'read_*=internal'
au -a path=/data/reports/a --pop "$good" --require-clearance 'read**=internal'
# forged, and no warrant at all
quiet attenuate alice.tenuo --key alice.key --holder bob.pub --at $T --id $ID2 --tool read_file --form cbor -o bob.cbor
size=$(wc -c <bob.cbor)
{ head -c $((size - 1)) bob.cbor; tail -c 1 bob.cbor | tr '\000-\377' '\001-\377\000'; } >forged.cbor
t authorize forged.cbor --root root.pub --at $T --tool read_file --pop "$good"
t authorize forged.cbor --root root.pub --at $T --tool read_file --pop "$good" --json
t authorize forged.cbor --root root.pub --at $T --tool read_file --pop "$good" -q
echo hello >hello
t verify hello --root root.pub
# no answer without a root
t verify bob.tenuo --conf missing.conf
t verify bob.tenuo --conf "$DIR/missing.conf" --json
t authorize bob.tenuo --conf "$DIR/missing.conf" --tool read_file
t verify bob.tenuo --root missing.pub
t verify bob.tenuo --root missing.pub --json
echo nonsense >bad.pub
t verify bob.tenuo --root root.pub --root bad.pub
t verify missing.tenuo --root root.pub
t verify missing.tenuo --root root.pub --json
t authorize bob.tenuo --root root.pub --tool read_file --pop @missing.pop
