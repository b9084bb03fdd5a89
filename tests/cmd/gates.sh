# SPDX-License-Identifier: Apache-2.0
seed carol 128
m() { t mint --key root.key --holder alice.pub --at $T --ttl 1h --id $ID1 --tool deploy -c env=any -c n=any "$@"; }
m --approver bob.pub --approver carol.pub --min-approvals 1 --gate deploy:env=exempt:oneof:dev,test --gate deploy:n=all \
    --gate-message 'deploy=  ask the release team ' -o gated.tenuo
t inspect gated.tenuo
t inspect gated.tenuo --json
m --approver bob.pub --gate deploy -o whole.tenuo
"$TENUO" inspect whole.tenuo | sed -n '/approv/p'
# the threshold is every approver unless it is said
m --approver bob.pub --approver carol.pub --gate deploy -o both.tenuo
"$TENUO" inspect both.tenuo | grep approvals
# the other forms, and their hazards
m --approver bob.pub --gate deploy:n=range:5.. -o out
"$TENUO" inspect out | sed -n '/gate/,$p'
m --approver bob.pub --gate 'deploy:n:={"not": {"exact": 5}}' --gate 'deploy:env=exempt:={"any": [{"pattern": "dev-*"}, {"exact": "test"}]}' -o out
m --approver bob.pub --gate 'deploy:n:={"not": {"exact": 5}}' --gate 'deploy:env=exempt:={"oneof": ["dev", 1]}' -o out
"$TENUO" inspect out | sed -n '/gate/,$p'
m --approver bob.pub --gate deploy:env=exempt:pattern:'*' -o out
m --approver bob.pub --gate '*' -o out
m --approver alice.pub --gate deploy -o out
m --approver alice.pub --approver bob.pub --min-approvals 1 --gate deploy -o out --json >json
grep -o '"warnings":.*' json
# refused by the library
m --gate deploy
m --approver bob.pub
m --approver bob.pub --gate deploy --min-approvals 2
m --approver bob.pub --gate deploy --min-approvals 0
m --approver bob.pub --gate other
m --approver bob.pub --gate deploy:env
m --approver bob.pub --gate deploy:env=exempt:any
m --approver bob.pub --gate deploy:env=exempt:cel:true
m --approver bob.pub --gate deploy:env=all --gate deploy:env=exact:prod
m --approver bob.pub --gate deploy --gate-message other=x
m --gate deploy --json
# usage
m --approver bob.pub --gate deploy=all
m --approver bob.pub --gate :env=all
m --approver bob.pub --gate deploy:=5
m --approver bob.pub --gate deploy:env=some
m --approver bob.pub --gate deploy:env=exempt:
m --approver bob.pub --gate deploy --gate-message deploy
m --approver bob.pub --min-approvals x --gate deploy
m --approver missing.pub --gate deploy
# a child inherits, and may add
c() { t attenuate gated.tenuo --key alice.key --holder mallory.pub --at $T --id $ID2 --ttl 10m --keep-all "$@"; }
c -o child.tenuo
"$TENUO" inspect child.tenuo | sed -n -e '/2 of 2/,$p' | grep -E 'appro|gate|:.*needs'
c --gate deploy --approver root.pub -o child.tenuo
"$TENUO" inspect child.tenuo | sed -n -e '/2 of 2/,$p' | grep -E 'appro|gate'
# the parent's gate of an argument stays: another one is refused, never dropped
c --gate deploy:env=all -o lost.tenuo
c --gate deploy:env=exempt:oneof:dev -o lost.tenuo
c --gate deploy:env=exempt:oneof:dev,foo -o lost.tenuo
c --gate deploy:env=exempt:oneof:dev,test -o child.tenuo
[ ! -e lost.tenuo ] || echo 'made all the same'
c --min-approvals 0
c --approver root.pub --min-approvals 1
# an issuer warrant passes its gates on
quiet mint --key root.key --holder alice.pub --at $T --ttl 1h --id $ID1 --type issuer --issuable deploy --approver bob.pub --gate deploy -o desk.tenuo
t issue desk.tenuo --key alice.key --holder mallory.pub --at $T --id $ID2 --ttl 10m --tool deploy -c env=any -o out
"$TENUO" inspect out | sed -n -e '/2 of 2/,$p' | grep -E 'appro|gate'
# a gate on an argument that the tool refuses is a gate on every call
m --approver bob.pub --gate deploy:other=all -o out
# a gate that nobody here can read is told
t mint --key root.key --holder alice.pub --at $T --ttl 1h --id $ID1 --tool deploy -c n=any --approver bob.pub --gate 'deploy:n:={"cbor":"8218c86161"}' -o out
# text from strangers
m --approver bob.pub --gate "$(printf 'deploy:a\033[31m=exact:\033]0;')" --gate-message "$(printf 'deploy=\033[2J"')" -o out
"$TENUO" inspect out | sed -n '/gate/,$p'
