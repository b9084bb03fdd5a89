# SPDX-License-Identifier: Apache-2.0
quiet mint --key root.key --holder alice.pub --at $T --id $ID1 --ttl 1h --type issuer --issuable read_file --issuable list \
    --bound path=subpath:/data --clearance internal --max-issue-depth 2 -o desk.tenuo
iss() { t issue desk.tenuo --key alice.key --at $T --id $ID2 "$@"; }
iss --holder bob.pub --tool read_file -c path=subpath:/data/bob --ttl 10m -o bob.tenuo
t inspect bob.tenuo
t verify --root root.pub --at $T bob.tenuo
iss --holder bob.pub --tool read_file -c path=subpath:/data/bob --ttl 10m --session s2 --agent a2 --clearance external --json
# refused
iss --holder bob.pub --tool read_file -c path=subpath:/etc --ttl 10m
iss --holder bob.pub --tool delete -c path=subpath:/data --ttl 10m
iss --holder bob.pub --tool read_file -c path=subpath:/data
iss --tool read_file -c path=subpath:/data --ttl 10m
iss --holder alice.pub --tool read_file -c path=subpath:/data --ttl 10m
iss --holder bob.pub --tool read_file -c path=subpath:/data --ttl 2h
iss --holder bob.pub --tool read_file -c path=subpath:/data --ttl 10m --clearance system
iss --holder bob.pub --ttl 10m
warrants
t issue alice.tenuo --key alice.key --at $T --holder bob.pub --tool read_file --ttl 10m
