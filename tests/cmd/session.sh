# SPDX-License-Identifier: Apache-2.0
# Session binding: off by default; on, a chain keeps its root's session id. A delegation always does; an issuer may choose another.
quiet mint --key root.key --holder alice.pub --at $T --ttl 1h --id $ID1 --session run-1 --issuable read_file -o issuer.tenuo
quiet issue issuer.tenuo --key alice.key --holder bob.pub --at $T --ttl 10m --id $ID2 --tool read_file -o same.tenuo
quiet issue issuer.tenuo --key alice.key --holder bob.pub --at $T --ttl 10m --id $ID2 --session run-2 --tool read_file -o other.tenuo
t verify --root root.pub --at $T other.tenuo -q
t verify --root root.pub --at $T --strict-session same.tenuo -q
t verify --root root.pub --at $T --strict-session other.tenuo
t verify --root root.pub --at $T --strict-session other.tenuo --explain
t verify --strict-session other.tenuo
