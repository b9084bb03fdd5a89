# SPDX-License-Identifier: Apache-2.0
t mint --key root.key --holder alice.pub --at $T --id $ID1 --ttl 1h --clearance internal --tool read_file -c path=subpath:/data -c mode=oneof:r,w \
    --tool list -c path=subpath:/data --tool free -o alice.tenuo
att() { t attenuate alice.tenuo --key alice.key --holder bob.pub --at $T --id $ID2 "$@"; }
att --tool read_file -c path=subpath:/data/a --ttl 10m -o bob.tenuo
t inspect bob.tenuo
att --tool list -o kept.tenuo
"$TENUO" inspect kept.tenuo | sed -n '/^Warrant 2/,$p' | grep -A1 '  tool'
att --keep-all --terminal --form pem -o all.pem
"$TENUO" inspect all.pem | sed -n '/^Warrant 2/,$p' | grep -A2 -e '  tool' -e 'max depth'
att --tool read_file --ttl-capped 9h -o capped.tenuo
"$TENUO" inspect capped.tenuo | grep expires
# the whole stack goes on through a pipe
"$TENUO" attenuate alice.tenuo --key alice.key --holder bob.pub --at $T --id $ID2 --tool list |
    "$TENUO" attenuate - --key bob.key --holder mallory.pub --at $T --id $ID3 --keep-all >three.tenuo
"$TENUO" inspect three.tenuo | grep '^Warrant'
t verify --root root.pub --at $T three.tenuo
att --tool list --json
# refused
att --tool delete
att --tool read_file -c path=subpath:/
att --tool read_file -c path=subpath:/data/a -c extra=any
att --tool free -c x=any --allow-unknown
att --tool list --ttl 2h
att --tool list --clearance system
att --tool list --max-depth 65
att --keep-all --tool list
att --ttl 5m
att --tool list --at 1893470000
t attenuate alice.tenuo --key mallory.key --holder bob.pub --at $T --tool list
t attenuate alice.tenuo --key mallory.key --holder bob.pub --at $T --tool list --json
t attenuate missing.tenuo --key alice.key --tool list
t attenuate root.pub --key alice.key --tool list
ls
