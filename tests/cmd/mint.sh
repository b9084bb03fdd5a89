# SPDX-License-Identifier: Apache-2.0
mint() { t mint --key root.key --holder alice.pub --at $T --id $ID1 "$@"; }
mint --tool read_file -c path=subpath:/data
mint --tool read_file -c path=subpath:/data --json
mint --tool read_file -c path=subpath:/data --form pem
mint --tool read_file -c path=subpath:/data --form cbor -o out.cbor
mint --tool read_file -c path=subpath:/data --form file -o out.tenuo
cksum out.cbor out.tenuo
stat -c '%n %a' out.cbor
mint --tool read_file -c path=subpath:/data -o out.json --json
ls
# every field
t mint --key root.key --holder alice.pub --at 2030-01-01T01:00:00+01:00 --id 0192f000-0000-7000-8000-000000000001 --ttl 2h \
    --max-depth 3 --clearance internal --session s-1 --agent a-1 --extension k=0102ff \
    -c region=oneof:eu,us --tool one --tool two -c n=range:1..10 --allow-unknown -o full.tenuo
t inspect full.tenuo
t inspect full.tenuo --json
t mint --key root.key --holder alice.pub --at $T --id $ID1 --type issuer --issuable read_file --issuable list \
    --bound path=subpath:/data --max-issue-depth 2 -o issuer.tenuo
t inspect issuer.tenuo
# -c before and after --tool
t mint --key root.key --at $T --id $ID1 -c a=exact:all --tool t1 --tool t2 -c a=exact:own -c b=any -o order.tenuo
"$TENUO" inspect order.tenuo | grep -A2 'tool '
t mint --key root.key --at $T --id $ID1 --tool one,two -c a=any -o comma.tenuo
"$TENUO" inspect comma.tenuo | grep 'tool '
# hazards
hazard() { mint "$@" -o hazard.tenuo; }
hazard --tool a
hazard --tool a -c x=pattern:'*'
hazard --tool a -c x=pattern:'**'
hazard --tool a -c x=regex:prod
hazard --tool a -c x='regex:^prod$'
hazard --tool a -c x='cel:value.matches("prod")'
hazard --tool a -c x="cel:value.matches('^prod\$') && value != 'matches(//'"
hazard --tool a -c x='cel:value == "\\"//" // all'
hazard --tool a -c x=notoneof:b
hazard --tool a -c 'x:={"not":"b"}'
hazard --tool a -c 'x:={"all":[{"notoneof":["b"]},{"pattern":"b*"}]}'
hazard --tool a -c 'x:={"any":[{"notoneof":["b"]},{"pattern":"b*"}]}'
hazard --tool a -c x=url:https://h
hazard --tool a -c x=url:https://h/
hazard --tool a -c 'x=url:https://h:443/*'
hazard --tool a -c 'x=url:http://h:80/*'
hazard --tool a -c 'x=url:https://h/*'
hazard --tool a -c x=any --tool '*' -c y=any
hazard --tool a -c x=any --ttl 25h
hazard --tool a -c x=any --allow-unknown
hazard --tool a --ttl 2d --json >json; sed 's/"warrant".*"warnings"/"warnings"/' json
# refused
mint --tool tenuo:x -c a=any
mint --tool a -c x=any --ttl 91d
mint --tool a -c x=any --max-depth 65
mint --type execution
mint --tool a -c x=any --approver bob.pub
mint
mint --tool a -c x=any --json --ttl 91d
mint --tool a -c x=any -o missing/out
mint --tool a -c x=any -o .
t mint --key root.key --tool a -c x=any --holder missing.pub
echo nothing >bad.pub
t mint --key root.key --tool a -c x=any --holder bad.pub
t mint --tool a -c x=any --key missing.key
t mint --tool a -c x=any --key missing.key --json
t mint --tool a -c x=any --key-id root --conf missing.conf
