# SPDX-License-Identifier: Apache-2.0
t
t help
t help --json
t help nosuch --json
t --help
t help constraints
t help nothing
t nothing
t nothing --json
t --version >version; sed 's/[0-9][0-9.a-z+-]*/N/g' version
t --version --json >version; sed 's/"[0-9][0-9.a-z+-]*"/"N"/g' version
for command in keygen mint attenuate issue inspect sign request approve verify authorize conf plugin; do
    t $command --help
    t $command --nothing
    t $command --nothing --json
done
t help sign >help; head -n 3 help
t verify --usage
t mint --ttl
t keygen
t keygen a b
t keygen --json -
t keygen --pkcs8 3 x
t mint extra
t mint --at yesterday
t mint --at 2030-02-30T00:00:00Z
t mint --expires-at 2030-01-01
t mint --ttl 1w
t mint --ttl 0
t mint --ttl 1h --ttl-capped 1h
t mint --ttl 1h --ttl 2h
t mint --max-depth -1
t mint --max-depth 4294967296
t mint --form der
t mint --key root.key --tool a --tool a
t mint --key root.key --tool ''
t mint --key root.key -c a=any
t mint --key root.key --tool a -c a=any -c a=exact:b
t mint --key root.key --tool a --clearance high
t mint --key root.key --tool a --id 12
t mint --key root.key --tool a --type both
t mint --key root.key --tool a --extension x
t mint --key root.key --tool a --extension x=abc
t mint --key root.key --tool a --holder nobody
t mint --key root.key --key alice.key --tool a
t mint --key root.key --key-id root --tool a
t mint --tool a
t mint --key root.key --tool a --ttl 1h --expires-at 2030-01-01T00:00:00Z
t attenuate
t attenuate --key alice.key
t attenuate - --key -
t attenuate a b
t inspect
t inspect a b
t sign
t sign x
t sign x --tool a --at now
t sign x --tool a --form pem
t sign - --tool a --key -
t verify
t verify a b
t verify a --root nobody
t verify a --root root.pub --service web
t authorize a --root root.pub
t authorize a --root root.pub --tool x --pop zz
t authorize a --root root.pub --tool x --attribute k
t authorize a --root root.pub --require-clearance internal
t conf
t conf look
t conf check a b
t plugin
t plugin info
t plugin list a b
