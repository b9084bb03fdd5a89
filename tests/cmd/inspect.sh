# SPDX-License-Identifier: Apache-2.0
warrants
t inspect bob.tenuo
t inspect bob.tenuo --json
t inspect - <bob.tenuo >out; sed -n 1,3p out
t inspect "$(cat alice.tenuo)" >out; sed -n 2,4p out
for form in base64url pem cbor file; do
    quiet mint --key root.key --at $T --id $ID1 --tool a -c x=any --form $form -o f.$form
    "$TENUO" inspect f.$form | cksum
done
# text from strangers is escaped, for the terminal and in JSON
t mint --key root.key --at $T --id $ID1 --tool "$(printf 'a\033[31m\\b\nc')" -c "$(printf 'x\007=exact:\033]0;')" --agent "$(printf 'e\303\251')" -o hostile.tenuo >out
"$TENUO" inspect hostile.tenuo | sed -n -e '/agent/p' -e '/^  tool/,/^    /p'
"$TENUO" inspect hostile.tenuo --json | LC_ALL=C grep -c "$(printf '\033')"
# not a warrant
t inspect missing.tenuo
t inspect missing.tenuo --json
: >empty; t inspect empty
echo hello >hello; t inspect hello
head -c 60 alice.tenuo >cut; t inspect cut
head -c 600000 /dev/zero >big; t inspect big
t inspect .
