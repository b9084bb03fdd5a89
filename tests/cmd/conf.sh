# SPDX-License-Identifier: Apache-2.0
# needs plugins
warrants
configuration
t conf check tenuo.conf
t conf check "$DIR/tenuo.conf"
t conf check "$DIR/tenuo.conf" --json
t conf check "$DIR/tenuo.conf" --no-load
t conf show --conf "$DIR/tenuo.conf"
t conf show --conf "$DIR/tenuo.conf" --json
mask() { sed -e 's/ok  *[0-9][0-9.]* /ok VERSION /' -e 's/"version":"[0-9.]*"/"version":"VERSION"/g'; }
t plugin list --conf "$DIR/tenuo.conf" >out; mask <out
t plugin list --conf "$DIR/tenuo.conf" --json >out; mask <out
t plugin info jsonl --plugin-dir "$DIR/plugins" >out; grep -e '^name' -e '^path' -e '^kind' -e '^=' out
t plugin info jsonl --conf tenuo.conf --json >out; grep -c '"properties"' out
t plugin info "$DIR/plugins/tenuo_env.so" >out; grep -e '^name' -e '^path' -e '^kind' -e '^=' out
t plugin info nothing --plugin-dir "$DIR/plugins"
t plugin info nothing --plugin-dir "$DIR/plugins" --json
cat >bad.conf <<CONF
set       plugin_dir  $DIR/plugins
trust     requird     file   path=$DIR/root.pub
resolver  required    nothing
audit     required    jsonl
set       pop_windows 11
CONF
t conf check "$DIR/bad.conf"
t conf check "$DIR/bad.conf" --json
t conf show --conf "$DIR/bad.conf"
t verify bob.tenuo --conf "$DIR/bad.conf"
t verify bob.tenuo --conf "$DIR/bad.conf" --json
t conf check "$DIR/missing.conf"
t conf check "$DIR/missing.conf" --json
printf 'set plugin_dir %s/plugins\nresolver optional nothing\nresolver required jsonl path=/x\n' "$DIR" >list.conf
t plugin list --conf "$DIR/list.conf"
t plugin list --conf "$DIR/list.conf" --json

# what is shown goes into tickets: no PIN, no password
cat >secret.conf <<'CONF'
resolver required pkcs11 uri="pkcs11:token=t?pin-value=12 34&module-name=m"
resolver required vault  url=https://user:word@127.0.0.1:8200/v1
resolver required vault  url=https://127.0.0.1:8200/a:b@c name=plain
CONF
t conf show --conf secret.conf >out; grep ^resolver out

# a mistyped service gets the rules of the top: every command that opens it says so
{ cat tenuo.conf; printf '[shop]\nset mode enforce\n'; } >services.conf
t conf show --conf services.conf --service shpo >out; grep -v '^set' out
t key public alice --conf services.conf --service shpo --json | tail -c 240
t key public alice --conf services.conf --service shop
