#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# install_vault.sh: builds the Vault server that the tests start, once, into $TENUO_CACHE/vault-VERSION/vault, and prints its path. Takes the
# Go of $GO or of the PATH; when that is too old, or there is none, one into $TENUO_CACHE. The published module has replace directives and
# three lines that need the tree it came from: they are put right here. A test tool only: never linked, never shipped.
set -eu
version=1.21.4
sdk_lines=3
: "${TENUO_CACHE:?}"
target=$TENUO_CACHE/vault-$version
[ ! -x "$target/vault" ] || { echo "$target/vault"; exit 0; }
. "$(dirname "$0")/go.sh"
mkdir -p "$target"
exec 9>"$target/lock"
flock 9
[ ! -x "$target/vault" ] || { echo "$target/vault"; exit 0; }
find_go
from=$("$go" mod download -json "github.com/hashicorp/vault@v$version" | sed -n 's/^[[:space:]]*"Dir": "\(.*\)",*$/\1/p')
[ -n "$from" ] || { echo "install_vault.sh: the module proxy has no vault $version" >&2; exit 1; }
src=$(mktemp -d "$target/src.XXXXXX")
trap 'chmod -R u+w "$src"; rm -rf "$src"' EXIT
cp -r "$from/." "$src"
chmod -R u+w "$src"
cd "$src"
for m in api api/auth/approle api/auth/kubernetes api/auth/userpass sdk; do
    "$go" mod edit -dropreplace "github.com/hashicorp/vault/$m"
done
patched() { # FILE LINE FROM TO
    sed -i "$2s/$3/$4/" "$1"
    grep -qF "$(printf %s "$4" | sed 's/\\//g')" "$1" || { echo "install_vault.sh: $1:$2 is not the line it was" >&2; exit 1; }
    sdk_lines=$((sdk_lines - 1))
}
patched vault/identity_store.go 119 'iStore\.activateDeduplication' \
    'func(ctx context.Context, req *logical.Request, _ string) error { return iStore.activateDeduplication(ctx, req) }'
patched vault/logical_system_activation_flags.go 167 'ActivationFunc(ctx, nil)' 'ActivationFunc(ctx, nil, "")'
patched builtin/logical/transit/path_restore.go 64 'restoredKeyName, err := b\.lm\.RestorePolicy' 'restoredKeyName, err := keyName, b.lm.RestorePolicy'
[ "$sdk_lines" -eq 0 ]
"$go" build -mod=mod -tags minimal -trimpath -ldflags '-s -w' -o "$target/vault.new" . >&2
mv "$target/vault.new" "$target/vault"
echo "$target/vault"
