# SPDX-License-Identifier: Apache-2.0
# needs plugins
# The same through a configuration: roots, keys by their ids, settings and audit.
seed carol 128
configuration
cp carol.key carol.pub keys/
quiet mint --key root.key --holder alice.pub --at $T --ttl 1h --id $ID1 --tool deploy -c env=any \
    --approver alice.pub --approver carol.pub --min-approvals 1 --gate deploy -o gated.tenuo
conf() { c=$1; shift; t $c --conf tenuo.conf --at $T "$@"; }
conf request gated.tenuo --tool deploy -a env=prod --key-id alice -o call.request
grep -c holder_signature call.request
conf approve call.request --key-id carol --yes -o carol.approval
conf approve call.request --key-id nobody --yes
conf approve call.request --key-id alice --yes -o alice.approval
call() { conf authorize gated.tenuo --tool deploy -a env=prod --pop @call.pop "$@" | grep -v decision; }
quiet sign gated.tenuo --key alice.key --at $T --tool deploy -a env=prod -o call.pop
call
call --approval carol.approval
call --approval alice.approval
sed -n 's/.*\("code":[0-9]*\).*/\1/p' audit/audit.jsonl
grep -o '"approvers":[^]]*]' audit/audit.jsonl
# a gate that only a matcher can judge
quiet mint --key root.key --holder alice.pub --at $T --ttl 1h --id $ID1 --tool deploy -c env=any --approver carol.pub \
    --gate deploy:env=cel:'value == "prod"' -o cel.tenuo
mkdir none
t request cel.tenuo --tool deploy -a env=prod --check --plugin-dir none
t request cel.tenuo --tool deploy -a env=prod --check --plugin-dir plugins
t request cel.tenuo --tool deploy -a env=dev --check --plugin-dir plugins --matcher cel
quiet request cel.tenuo --at $T --tool deploy -a env=prod --plugin-dir plugins -o cel.request
t approve cel.request --root root.pub --key carol.key --yes --at $T --plugin-dir none
t approve cel.request --root root.pub --key carol.key --yes --at $T --plugin-dir plugins -o cel.approval
sed '$a matcher required cel' tenuo.conf >cel.conf
t request cel.tenuo --tool deploy -a env=dev --check --conf cel.conf
t approve cel.request --key-id carol --yes --at $T --conf cel.conf -o cel.approval 2>&1 | tail -1
# the settings of the configuration
echo 'set self_approval yes' >>tenuo.conf
call --approval alice.approval
echo 'set max_approval_lifetime 60s' >>tenuo.conf
call --approval carol.approval | sed -n 2,3p
conf approve call.request --key-id carol --yes --lifetime 1m -o carol.approval
call --approval carol.approval | sed -n 2p
# observe lets it through and says what is missing
echo 'set mode observe' >>tenuo.conf
call | sed -n 2,3p
# no trust in the roots of this configuration
cp mallory.pub root.pub
conf approve call.request --key-id carol --yes
