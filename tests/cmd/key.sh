# SPDX-License-Identifier: Apache-2.0
# needs plugins
# Keys in stores: the file store, and env as one that only reads.
configuration
sed -i '/^resolver/d' tenuo.conf
cat >>tenuo.conf <<CONF
resolver  sufficient  file   path=$DIR/keys
resolver  optional    env    prefix=TK_
CONF
export TENUO_CONF=$DIR/tenuo.conf
mask() { sed -e 's/[A-Za-z0-9_-]\{43\}/KEY/' -e 's/[0-9a-f]\{16\}/FINGERPRINT/' -e 's/[0-9][0-9]* us/N us/g' \
    -e 's/\(microseconds":\)[0-9]*/\1N/g'; }
# what there is
t key list
t key list file
t key list env
t key list --json
t key list nothing
t key show alice
t key show alice --json
t key show env:alice
t key show nobody
t key show file:nobody --json
t key public alice
t key public file:alice --json
t key show --pem bob
"$TENUO" key public alice | cmp - alice.pub && echo the same as the file
t key public nobody
# new keys
t keygen --to file:dora --also-public dora.pub >out; mask <out
stat -c '%n %a' keys/dora.key keys/dora.pub
"$TENUO" key public dora | cmp - dora.pub && echo the two belong together
t keygen --to file:dora >out; mask <out
t keygen --to file:emil --also-public dora.pub
[ -e keys/emil.key ] || echo no key was made
t keygen --to file:emil --also-public dora.pub --force >out; mask <out
t keygen --to file:frida --json >out; mask <out
t keygen --to file:gina --also-public missing/gina.pub >out; mask <out
[ -e keys/gina.key ] && echo and it is there
t keygen --to emil
t keygen --to nothing:emil
t keygen --to file:
t keygen --to :emil
t keygen --to file:../emil
t keygen --to file:emil@2
t keygen --to env:emil
t keygen --to file:emil emil
t keygen --to file:emil --pkcs8 2
t keygen emil --conf tenuo.conf
t keygen emil --also-public x
t keygen emil --show-secret
# a key that is somewhere already
t key import file:root root.key
t key import file:root root.key
t key import file:root2 - <root.key
t key import file:root3 - <root.key --json
head -c 32 /dev/zero >raw.key; chmod 0600 raw.key
t key import file:raw raw.key
t key import env:root root.key
t key import file:hex 000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f
cp root.key open.key; chmod 0644 open.key
t key import file:open open.key
ln -s root.key link.key
t key import file:link link.key
t key import file:missing missing.key
echo 'not a key' >bad.key; chmod 0600 bad.key
t key import file:bad bad.key
t key import file:bad - <bad.key
python3 "$here/terminal.py" '' '' "$TENUO" key import file:typed - 2>&1
# signing through the chain and through each line
t key test alice >out; mask <out
t key test alice --json >out; mask <out
t key test file:alice >out; mask <out
t key test alice --holder alice.pub >out; mask <out
t key test alice --holder bob.pub >out; mask <out
t key test nobody
t key test nobody --json >out; mask <out
t key test env:alice
t key test nothing:alice
t key test ../alice
TK_alice=$(cat root.key) t key test alice >out; mask <out
TK_nora=$(cat bob.key) t key test nora >out; mask <out
TK_alice=$(cat root.key) t key show alice
chmod 0640 keys/bob.key
t key test bob
t key test bob --json >out; mask <out
chmod 0600 keys/bob.key
cp alice.pub keys/bob.pub
t key test bob
cp bob.pub keys/bob.pub
# a store that is away is an error after the others were told
mv keys away
TK_nora=$(cat bob.key) t key list
TK_nora=$(cat bob.key) t key list --json
t key show alice
t key public alice
t key test alice
TK_nora=$(cat bob.key) t key test nora >out; mask <out
t keygen --to file:nora
mv away keys
# away for ever
t key remove file:dora
remove() { python3 "$here/terminal.py" "$1" "$2" "$TENUO" key remove file:dora 2>&1 | sed 's/[A-Za-z0-9_-]\{43\}/KEY/'; }
remove '' no
remove yes -
[ -e keys/dora.key ] && echo still there
remove '' yes
[ -e keys/dora.key ] || echo gone
t key remove file:dora --yes
t key remove file:root --yes
t key remove file:root2 --yes --json
cp bad.key keys/bad.key
t key list >out; mask <out
t key remove file:bad --yes
t key remove env:alice --yes
t key remove bob --yes
# usage
t key
t key look
t key show
t key show a b
t key import file:a
t key rotate alice
t key list --yes
t key test alice --import x
t key test alice --holder nobody
t key show alice --json --warrants x
t key --help >help; head -n 12 help
sed '/^resolver/d' tenuo.conf >empty.conf
t key list --conf empty.conf
t key show alice --conf empty.conf
t keygen --to file:a --conf empty.conf
t key list --conf missing.conf
# the first key comes before the root that it may become; a rotation then cannot know the roots
echo "trust required file path=$DIR/later.pub" >first.conf
echo "set plugin_dir $DIR/plugins" >>first.conf
echo "resolver required file path=$DIR/keys name=first" >>first.conf
"$TENUO" keygen --conf $DIR/first.conf --to first:root9 --also-public later9.pub >/dev/null 2>&1; echo "= $?"
"$TENUO" key rotate --conf $DIR/first.conf first:root9 --check 2>&1 | grep -c 'whether the old key is a trusted root is not known'
