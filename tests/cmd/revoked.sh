# SPDX-License-Identifier: Apache-2.0
# needs plugins
warrants
configuration
# The answer, its reason and where, without what other cases show.
mask() {
    sed -e 's/"decision_id":"[0-9a-f]*"/"decision_id":"ID"/' -e 's/asked again in [0-9]* ms/asked again in N ms/' -e 's/ --at .*\( --json\)/\1/' \
        -e 's/ --at .*//' -e '/^  \(tool\|root\|holder\|expires\|decision\|chain\) /d' -e '/^              /d'
}
conf=$DIR/tenuo.conf
echo "revocation required file path=$DIR/list.srl floor=$DIR/floor max_age=3650d" >>tenuo.conf
pop=$("$TENUO" sign bob.tenuo --key bob.key --at $T --tool read_file -a path=/data/reports/a)
au() { t authorize bob.tenuo --conf "$conf" --at $T --tool read_file -a path=/data/reports/a --pop "$pop" "$@" >out; mask <out; }
# no list yet: nothing is allowed, and the message says why
au
quiet srl create list.srl --key root.key --at $T >/dev/null
au
t verify --conf "$conf" --at $T bob.tenuo >out
mask <out
# the warrant above bob's is revoked, and bob's with it
cp list.srl old.srl
quiet srl add list.srl --key root.key --at $T $ID1 >/dev/null
au
au --json
t verify --conf "$conf" --at $T bob.tenuo >out
mask <out
cat floor | sed 's/ [0-9a-f]*$/ HASH/'
# what was accepted once is never followed by something older, also in a new process
cp list.srl new.srl
cp old.srl list.srl
au
# nor by half a list, nor by a stranger's
head -c 100 new.srl >list.srl
au
quiet srl create stranger.srl --key mallory.key --at $T >/dev/null
cp stranger.srl list.srl
au
# issuer= names the one key that counts
sed "s|max_age|issuer=$DIR/mallory.pub max_age|" tenuo.conf >issuer.conf
t authorize bob.tenuo --conf "$DIR/issuer.conf" --at $T --tool read_file -a path=/data/reports/a --pop "$pop" >out
mask <out
# a damaged floor refuses
cp new.srl list.srl
cp floor floor.good
head -c 80 floor.good >floor
au
cp floor.good floor
au
t conf check "$conf"
sed "s|floor=.*|floor=$DIR/none/floor|" tenuo.conf >nofloor.conf
t conf check nofloor.conf
grep -c revocation audit/audit.jsonl
