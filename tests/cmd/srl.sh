# SPDX-License-Identifier: Apache-2.0
warrants
t srl create revoked.srl --key root.key --at $T
t srl show revoked.srl
t srl create revoked.srl --key root.key --at $T
t srl add revoked.srl --key root.key --at $((T + 60)) $ID1 $ID2
cp revoked.srl two.srl
t srl add revoked.srl --key root.key --at $((T + 120)) bob.tenuo 0192f000-0000-7000-8000-000000000003
t srl show revoked.srl
t srl show revoked.srl --json
t srl diff two.srl revoked.srl
t srl diff revoked.srl two.srl
t srl diff revoked.srl two.srl --json
t srl verify revoked.srl --issuer root.pub --at $((T + 120)) --after two.srl
t srl verify revoked.srl --issuer root.pub --at $((T + 120)) --json
t srl verify two.srl --issuer root.pub --at $T --after revoked.srl
t srl verify revoked.srl --issuer mallory.pub --at $T
t srl verify revoked.srl --issuer root.pub --at $((T + 1000)) --max-age 10m
t srl verify revoked.srl --issuer root.pub --at $T --max-age 10m
# never a lower version, never another key without saying so, and the file stays as it was
cp revoked.srl before
t srl add revoked.srl --key root.key --at $T --list-version 3
t srl add revoked.srl --key root.key --at $T --list-version 2 --json
t srl add revoked.srl --key mallory.key --at $T
t srl add revoked.srl --key root.key --at $T missing.tenuo
t srl add revoked.srl --key root.key --at $T tnu_wrt_12
cmp before revoked.srl && ls
# a full disk, and two runs at once
(trap '' XFSZ; ulimit -f 0; "$TENUO" srl add revoked.srl --key root.key --at $T $ID1 2>&1; echo "= $?") | cat
flock revoked.srl.lock "$TENUO" srl add revoked.srl --key root.key --at $T $ID1 2>&1
stat -c %a revoked.srl.lock
cmp before revoked.srl && ls revoked.srl*
# a lock on the list itself, which every reader can take, keeps nobody from revoking
cp revoked.srl open.srl
flock open.srl "$TENUO" srl add open.srl --key root.key --at $T $ID1
rm open.srl open.srl.lock
for i in 1 2 3 4 5 6 7 8; do # of several first lists one is made, and the others say what to do
    "$TENUO" srl create first.srl --key root.key --at $T 2>&1 &
done | sort -u
wait
rm first.srl
quiet srl create many.srl --key root.key --at $T
for i in 1 2 3 4 5 6; do
    "$TENUO" srl add many.srl --key root.key --at $T tnu_wrt_0192f00000007000800000000000001$i >/dev/null 2>many.$i || cat many.$i &
done
wait
t srl show many.srl
rm many.*
t srl add revoked.srl --key alice.key --issuer root.pub --at $((T + 180)) --list-version 10
t srl verify revoked.srl --issuer alice.pub --at $((T + 180))
t srl add revoked.srl --key root.key --at $T
# who may read it stays
[ "$(id -u)" -ne 0 ] || chown 1234:1234 revoked.srl
chmod 600 revoked.srl
owner=$(stat -c %u:%g revoked.srl)
quiet srl add revoked.srl --key alice.key --at $((T + 240))
stat -c %a revoked.srl
[ "$owner" = "$(stat -c %u:%g revoked.srl)" ] && echo same owner
# a signed list without ids still has a higher version, and pruning takes what has expired
cp two.srl list.srl
t srl add list.srl --key root.key --at $((T + 600)) --prune bob.tenuo
t srl add list.srl --key root.key --at $((T + 3600)) --prune bob.tenuo
# a stranger's warrant may have any id; a root's counts when it is named
quiet mint --key mallory.key --holder mallory.pub --at $((T - 7200)) --ttl 1h --id $ID1 --tool x -c a=any -o forged.tenuo
t srl add list.srl --key root.key --at $((T + 3600)) --prune forged.tenuo
cp list.srl rolled.srl
t srl add rolled.srl --key alice.key --issuer root.pub --at $((T + 3900)) --prune alice.tenuo
t srl add rolled.srl --key alice.key --issuer root.pub --at $((T + 3900)) --prune alice.tenuo --root root.pub
t srl show list.srl
t srl add list.srl --key root.key --at $((T + 3601)) --chain bob.tenuo --json
# not whole, and not a list
head -c 100 two.srl >cut.srl
t srl show cut.srl
t srl add cut.srl --key root.key --at $T
t srl show bob.tenuo
printf x | cat two.srl - >long.srl
t srl verify long.srl --issuer root.pub --at $T
t srl show - <two.srl
# requests: by the holder, by the issuer, by a stranger, late, for another warrant, without the warrant
t srl request bob.tenuo --key bob.key --reason 'laptop lost' --at $T -o bob.request
t srl request $ID2 --key alice.key --at $T -o alice.request --json
t srl request $ID2 --key mallory.key --at $T -o mallory.request
t srl create asked.srl --key root.key --at $T
t srl add asked.srl --key root.key --at $((T + 300)) --request bob.request --warrant bob.tenuo
t srl add asked.srl --key root.key --at $((T + 300)) --request alice.request --warrant bob.tenuo
t srl add asked.srl --key root.key --at $T --request mallory.request --warrant bob.tenuo
t srl add asked.srl --key root.key --at $((T + 301)) --request bob.request --warrant bob.tenuo
t srl add asked.srl --key root.key --at $((T - 61)) --request bob.request --warrant bob.tenuo
t srl add asked.srl --key root.key --at $T --request bob.request --warrant alice.tenuo
t srl add asked.srl --key root.key --at $T --request bob.request
quiet mint --key mallory.key --holder mallory.pub --at $T --ttl 1h --id $ID2 --tool x -c a=any -o forged.tenuo
t srl add asked.srl --key root.key --at $T --request mallory.request --warrant forged.tenuo
t srl add asked.srl --key root.key --at $T --request two.srl --warrant bob.tenuo
t srl show asked.srl
# what a list does: the leaf, its ancestor, and lists that cannot be used
v() { t verify bob.tenuo --root root.pub --at $T "$@"; }
quiet srl create none.srl --key root.key --at $T
quiet srl create leaf.srl --key root.key --at $T $ID2
quiet srl create top.srl --key root.key --at $T $ID1
quiet srl create other.srl --key mallory.key --at $T $ID1
v --srl none.srl
v --srl leaf.srl
v --srl top.srl
v --srl top.srl --json
v --srl other.srl
v --srl other.srl --srl-issuer mallory.pub
v --srl none.srl --srl-issuer mallory.pub
v --srl cut.srl
v --srl missing.srl
v --srl-issuer mallory.pub
t verify bob.tenuo --srl none.srl
"$TENUO" sign bob.tenuo --key bob.key --at $T --tool read_file -a path=/data/reports/a -o pop
t authorize bob.tenuo --root root.pub --at $T --tool read_file -a path=/data/reports/a --pop @pop --srl none.srl --json
t authorize bob.tenuo --root root.pub --at $T --tool read_file -a path=/data/reports/a --pop @pop --srl top.srl --explain
# versions to the end: exact in JSON beyond 63 bits, and no jump that leaves no room
quiet srl create far.srl --key root.key --at $T --list-version 9223372036854775806
t srl add far.srl --key root.key --at $T --list-version 9223372036854775807 --json
t srl add far.srl --key root.key --at $T --json
t authorize bob.tenuo --root root.pub --at $T --tool read_file -a path=/data/reports/a --pop @pop --srl far.srl --json
t srl add far.srl --key root.key --at $T --list-version 9223372036854775808
t srl add far.srl --key root.key --at $T --list-version 18446744073709551615
# usage
t srl
t srl drop
t srl show
t srl show a b
t srl diff two.srl
t srl show two.srl --key root.key
t srl create - --key root.key
t srl add - --key root.key
t srl create new.srl
t srl request bob.tenuo --key bob.key
t srl create new.srl --key root.key --list-version 0
t srl verify two.srl --issuer root.pub --max-age soon
t srl --help
