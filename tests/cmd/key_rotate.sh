# SPDX-License-Identifier: Apache-2.0
# needs plugins
# A key is replaced: the old one stays, whoever signs gets the version that is named, and what names the old key is told.
configuration
seed carol 128
seed dora 160
seed emil 192
sed -i '/^resolver/d' tenuo.conf
cat >>tenuo.conf <<CONF
set         receipt_key  alice
resolver    required     file  path=$DIR/keys
revocation  required     file  path=$DIR/list.srl floor=$DIR/floor issuer=Kay64UG8yvCyLhqU000LxzYeUm0L_hLIl5S8kyKWbdc
CONF
cp root.pub first.pub
cat alice.pub >>root.pub
export TENUO_CONF=$DIR/tenuo.conf
"$TENUO" srl create list.srl --key alice.key --at $T
mask() { sed -e 's/[0-9]\{4\}-[0-9-]*T[0-9:]*Z/TIME/' -e 's/\(_at":\)[0-9]*/\1N/g' -e 's/[0-9][0-9]* us/N us/g'; }
# warrants that name alice as holder, as signer and as approver; one that is over; one that does not name her
quiet mint --key root.key --holder alice.pub --ttl 1h --id $ID1 --tool deploy -c env=any --approver bob.pub --gate deploy -o holder.tenuo
quiet attenuate holder.tenuo --key-id alice --holder bob.pub --id $ID2 --tool deploy --approver alice.pub -o signer.tenuo
quiet mint --key-id alice --holder bob.pub --ttl 1h --id $ID3 --tool read_file -c path=any -o root.tenuo
quiet mint --key root.key --holder alice.pub --at 1577836800 --ttl 1h --tool read_file -c path=any -o over.tenuo
quiet mint --key root.key --holder bob.pub --ttl 1h --tool read_file -c path=any -o other.tenuo
# before
t key rotate file:alice --check --warrants holder.tenuo signer.tenuo root.tenuo over.tenuo other.tenuo
t key rotate file:alice --check --warrants holder.tenuo --json >out; mask <out
t key rotate file:alice --warrants holder.tenuo --warrants tenuo.conf
t key rotate file:alice --warrants missing.tenuo
t key rotate file:alice@1
t key rotate file:nobody
t key rotate file:alice --import alice.key
t key rotate file:alice --import missing.key
t key list >out; mask <out
# the change, and another one
t key rotate file:alice --import carol.key --warrants holder.tenuo
t key show alice >out; mask <out
t key rotate file:alice --import - --json <dora.key >out; mask <out
t key show alice --json >out; mask <out
t key rotate file:bob >out; sed -e '/^new key/s/[^ ]*$/KEY/' -e 's/fingerprint .*/fingerprint FINGERPRINT/' out
t key import file:alice emil.key --new-version
t key list >out; sed '/bob/s/[A-Za-z0-9_-]\{43\}/KEY/' out | mask
# who signs gets the version that the warrant names
sign() { "$TENUO" sign "$1" --key-id "$2" --at $T --tool x -a n:=1; }
[ "$(sign holder.tenuo alice)" = "$("$TENUO" sign holder.tenuo --key alice.key --at $T --tool x -a n:=1)" ] && echo the old key for the old warrant
"$TENUO" key public alice >now.pub; cmp now.pub emil.pub && echo the newest is emil
quiet mint --key root.key --holder now.pub --ttl 1h --tool x -c n=any -o new.tenuo
[ "$(sign new.tenuo alice)" = "$("$TENUO" sign new.tenuo --key emil.key --at $T --tool x -a n:=1)" ] && echo the newest for the new one
t sign new.tenuo --key-id alice@1 --tool x
t sign other.tenuo --key-id alice --tool x
t sign holder.tenuo --key-id alice@9 --tool x
t sign holder.tenuo --key-id alice@ --tool x
t sign holder.tenuo --key-id alice@01 --tool x
for key in alice carol dora emil; do
    t key test alice --holder $key.pub >out; sed -n 's/^version /&/p; /^=/p' out
done
t key test alice@2 >out; mask <out
t key test alice@9
t key public alice@1
# an attenuation by the old holder, an approval by an old approver, a list by its old issuer
t attenuate holder.tenuo --key-id alice --tool deploy --id $ID3 --holder carol.pub -o again.tenuo
quiet request holder.tenuo --key-id alice --tool deploy -a env=prod -o deploy.request
quiet approve deploy.request --root first.pub --key-id bob --yes -o deploy.approval
[ -s deploy.approval ] && echo approved by the key that the warrant names
cp list.srl signed.srl
t srl add signed.srl --key-id alice --at $T $ID1
"$TENUO" srl verify signed.srl --issuer alice.pub >/dev/null && echo still signed by its issuer
t srl add signed.srl --key-id alice --issuer alice.pub --at $T $ID2
"$TENUO" srl verify signed.srl --issuer emil.pub >/dev/null && echo now by the newest, since that was asked for
t srl add signed.srl --key-id alice@2 --issuer emil.pub --at $T $ID3
"$TENUO" srl verify signed.srl --issuer carol.pub >/dev/null && echo and by another version
# old versions go one by one, the newest only with all
t key remove file:alice@4 --yes
t key remove file:alice@2 --yes
t key remove file:alice@2 --yes
t key list file >out; sed '/bob/s/[A-Za-z0-9_-]\{43\}/KEY/' out | mask
t key show alice >out; grep '^file' out
python3 "$here/terminal.py" '' yes "$TENUO" key remove file:alice 2>&1
t key show alice
t key remove file:bob --yes --json >out; sed 's/[A-Za-z0-9_-]\{43\}/KEY/; s/"fingerprint":"[0-9a-f]*"/"fingerprint":"F"/' out | mask
ls keys
# a store that keeps none
echo "resolver  optional  env  prefix=TK_" >>tenuo.conf
TK_nora=$(cat bob.key) t key rotate env:nora --check >out; tail -n 4 out
TK_nora=$(cat bob.key) t key rotate env:nora
