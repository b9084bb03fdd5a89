#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# run.sh BUILD [--json]: the library beside its reference, measured in one run. The reference side is built with cargo from the
# crate that peer/Cargo.toml names; where that is not possible, its columns say so.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
build=$(cd "${1:?usage: run.sh BUILD [--json]}" && pwd)
json=${2:-}
peer_dir=${TENUO_CACHE:-$build}/bench-peer
peer=$peer_dir/release/tenuo-bench-peer

if ! command -v cargo >/dev/null 2>&1; then
    echo "bench: cargo is missing, so nothing is measured beside the library" >&2
    peer=
elif ! CARGO_TARGET_DIR=$peer_dir cargo build --release --quiet --manifest-path "$here/peer/Cargo.toml" >&2; then
    echo "bench: cargo could not build the peer, so nothing is measured beside the library" >&2
    peer=
fi

# A context as a service would open it: one trusted root, the file resolver, a required audit log.
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT INT TERM
mkdir -m 0700 "$dir/plugins" "$dir/keys" "$dir/audit"
find "$build/plugins" -name 'tenuo_*.so' -type f -exec cp {} "$dir/plugins/" \; 2>/dev/null || true
chmod 0755 "$dir"/plugins/*.so 2>/dev/null || true
command=$(find "$build" -path '*tools/tenuo' -type f 2>/dev/null | head -n 1)
library=$(find "$build" -maxdepth 2 -name 'libtenuo.so*' -type f 2>/dev/null | head -n 1)
conf=
if [ -n "$command" ] && "$command" keygen "$dir/root" >/dev/null 2>&1; then
    cat >"$dir/bench.conf" <<CONF
set       plugin_dir  $dir/plugins
trust     required    file   path=$dir/root.pub
resolver  required    file   path=$dir/keys
audit     required    jsonl  path=$dir/audit/audit.jsonl
CONF
    chmod 0644 "$dir/bench.conf"
    "$command" keygen "$dir/keys/bench" >/dev/null
    conf=$dir/bench.conf
fi
"$build/bench/tenuo-bench" ${json:+"$json"} ${peer:+--peer "$peer"} ${library:+--lib "$library"} ${command:+--command "$command"} \
    ${conf:+--conf "$conf"} --plugins "$dir/plugins"
