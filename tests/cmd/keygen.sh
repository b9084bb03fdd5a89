# SPDX-License-Identifier: Apache-2.0
mask() { sed -e 's/[A-Za-z0-9_-]\{43\}/KEY/' -e 's/[0-9a-f]\{16\}/FINGERPRINT/'; }
t keygen new >out; mask <out
stat -c '%n %a' new.key new.pub
head -n 1 new.key new.pub
"$TENUO" keygen --public new.key | cmp - new.pub && echo the two belong together
cp new.key before.key
t keygen new
cmp new.key before.key && echo untouched
rm new.pub
t keygen new
cmp new.key before.key && echo untouched
t keygen --force --json new >out; mask <out
cmp -s new.key before.key || echo replaced
stat -c '%n %a' new.key new.pub
rm new.key
t keygen new
[ -e new.key ] || echo no file
t keygen --public root.key
t keygen --public root.key --json
t keygen --public - <root.key
t keygen --pkcs8 2 two >out; wc -l <two.key
t keygen --public two.key --json >out; mask <out
"$TENUO" keygen - >secret.pem 2>public.pem; chmod 0600 secret.pem
"$TENUO" keygen --public secret.pem | cmp - public.pem && echo the two belong together
t keygen missing/new
t keygen --public missing.key
echo 'not a key' >bad.key; chmod 0600 bad.key
t keygen --public bad.key
t keygen --public bad.key --json
chmod 0644 root.key
t keygen --public root.key
ln -s alice.key link.key
t keygen --public link.key
ls
