# SPDX-License-Identifier: Apache-2.0
warrants
t inspect --diff alice.tenuo bob.tenuo
t inspect --diff bob.tenuo --json
t inspect --diff bob.tenuo alice.tenuo
t inspect --diff bob.tenuo alice.tenuo --json
t inspect --links 1,1 bob.tenuo
m() { name=$1; shift; quiet mint --key root.key --holder alice.pub --at $T --ttl 1h --id $ID1 "$@" -o $name.tenuo; }
# every kind of change within a tool
m p --tool f -c a=range:1..9 -c b=pattern:'x*' -c c=any --tool g -c a=any --tool open --tool re -c a=regex:'^a$'
m c --tool f -c a=range:2..10 -c b=range:1..2 -c d=any --allow-unknown --tool g -c a=exact:1 --tool open -c a=any \
    --tool new --tool re -c a=regex:'^b$'
t inspect --diff p.tenuo c.tenuo
# a constraint that only a matcher can judge, and nothing wider: no answer
m q --tool re -c a=regex:'^b$'
m r --tool re -c a=exact:b
mkdir none
t inspect --diff q.tenuo r.tenuo --plugin-dir none
t inspect --diff q.tenuo r.tenuo --plugin-dir none --json
# "*": a tool of it, and a "*" that drops what the parent demands of a tool
m any --tool '*' --tool f -c a=exact:1
m one --tool g
m star --tool '*'
t inspect --diff any.tenuo one.tenuo
t inspect --diff any.tenuo star.tenuo
# numbers and texts
m low --tool f --clearance internal --max-depth 3 --session s1 --agent a1 --extension k=00 --extension l=01
m high --tool f --clearance system --max-depth 9 --session s2 --extension k=02 --extension m=03
t inspect --diff low.tenuo high.tenuo
t inspect --diff high.tenuo low.tenuo
t inspect --diff one.tenuo low.tenuo
# issuers: tools, bounds, depth; what is issued is measured by the bounds
m desk --type issuer --issuable f --issuable g --bound a=range:1..9 --max-issue-depth 3
m desk2 --type issuer --issuable f --issuable h --bound a=range:1..10
m desk3 --type issuer --issuable f
t inspect --diff desk.tenuo desk2.tenuo
t inspect --diff desk.tenuo desk3.tenuo
m out --tool f -c a=range:2..3
m out2 --tool f -c a=range:0..3 --tool h -c a=range:2..3
t inspect --diff desk.tenuo out.tenuo
t inspect --diff desk.tenuo out2.tenuo
t inspect --diff out.tenuo desk.tenuo
# approvals: gates, approvers and the threshold are judged together
a() { name=$1; shift; m $name --tool f -c x=any --tool g --approver bob.pub --approver mallory.pub "$@"; }
a gates --min-approvals 1 --gate f:x=exempt:range:..9 --gate g
a whole --min-approvals 1 --gate f --gate g
a message --min-approvals 1 --gate f:x=exempt:range:..9 --gate g --gate-message g=please
a looser --min-approvals 1 --gate f:x=exempt:range:..10 --gate g
a more --min-approvals 2 --gate f:x=exempt:range:..9 --gate g
m fewer --tool f -c x=any --tool g --approver bob.pub --gate f:x=exempt:range:..9 --gate g
m bare --tool f -c x=any --tool g
m scope --tool open
for other in whole message looser more fewer bare; do
    echo "gates -> $other"
    "$TENUO" inspect --diff gates.tenuo $other.tenuo | sed -n '/gate/,$p'
done
t inspect --diff bare.tenuo gates.tenuo --json
quiet attenuate gates.tenuo --key alice.key --holder bob.pub --at $T --tool f -o child.tenuo
"$TENUO" inspect --diff child.tenuo | sed -n '/gate/,$p'
# an experimental type without its plugin: nobody can say; what else is wider stays so
m semver --tool f -c 'v:={"cbor":"8218c8643e312e34"}' -c x=exact:1
m semver2 --tool f -c 'v:={"cbor":"8218c8643e312e35"}' -c x=exact:1
m semver3 --tool f -c 'v:={"cbor":"8218c8643e312e35"}' -c x=any
t inspect --diff semver.tenuo semver2.tenuo
t inspect --diff semver.tenuo semver3.tenuo
# text from strangers
m hostile --tool "$(printf 'a\033[31m')" -c "$(printf 'x\007=exact:\033]0;')"
t inspect --diff one.tenuo hostile.tenuo
# usage
t inspect --diff
t inspect --diff alice.tenuo
t inspect alice.tenuo bob.tenuo
t inspect --links 1 bob.tenuo
t inspect --links 0,1 bob.tenuo
t inspect --links 1,3 bob.tenuo
t inspect --links 1,2 bob.tenuo alice.tenuo
t inspect --diff alice.tenuo missing.tenuo --json
