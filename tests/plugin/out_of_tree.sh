#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# out_of_tree.sh SOURCE BUILD: somebody else's resolver, built against a staged install as the plugin's documentation says, and used by
# the installed command through a configuration. Nothing of the source tree but the example itself is used.
set -u
umask 022
export LC_ALL=C
source=$(cd "${1:?usage: out_of_tree.sh SOURCE BUILD}" && pwd) || exit 1
build=$(cd "${2:?usage: out_of_tree.sh SOURCE BUILD}" && pwd) || exit 1
meson=${MESON:-meson}
unset TENUO_CONF
stage=$(mktemp -d /tmp/tenuo-stage.XXXXXX) || exit 1
trap 'rm -rf "$stage"' EXIT
trap 'exit 1' HUP INT TERM
n=0
bad=0
check() { # status, title
    n=$((n + 1))
    [ "$1" -eq 0 ] && echo "ok $n - $2" && return
    echo "not ok $n - $2"
    sed 's/^/#   /' "$stage/log"
    bad=1
}

"$meson" install -C "$build" --no-rebuild --destdir "$stage" >"$stage/log" 2>&1
check $? 'installs into a staging folder'
export PKG_CONFIG_SYSROOT_DIR="$stage"
PKG_CONFIG_PATH=$(dirname "$(find "$stage" -name tenuo-plugin.pc)")
export PKG_CONFIG_PATH
command=$(find "$stage" -path '*/bin/tenuo' -type f)
libdir=$(dirname "$(find "$stage" -name libtenuo.so)")
export LD_LIBRARY_PATH="$libdir"
plugindir=$stage$(pkg-config --variable=plugindir tenuo-plugin)
plugindir=$(echo "$plugindir" | sed "s|^$stage$stage|$stage|")
{ [ -d "$plugindir" ] && [ "$(pkg-config --variable=abi_major tenuo-plugin)" = 1 ] && [ -z "$(pkg-config --libs tenuo-plugin)" ]; } \
    >"$stage/log" 2>&1
check $? 'tenuo-plugin.pc gives the plugin folder, the ABI number and nothing to link'

cp "$source/examples/resolver_dir.c" "$stage/resolver_dir.c"
# shellcheck disable=SC2046
(cd "$stage" && cc -std=c17 -D_GNU_SOURCE -fPIC -shared -fvisibility=hidden -Wl,-z,defs,-z,nodelete,-z,relro,-z,now \
    $(pkg-config --cflags tenuo-plugin) -o tenuo_dir.so resolver_dir.c) >"$stage/log" 2>&1
check $? 'the resolver builds with the documented command'
install -m 0755 "$stage/tenuo_dir.so" "$plugindir/" >"$stage/log" 2>&1
check $? 'the resolver is put beside the others'

printf '#include <tenuo/tenuo.h>\n#include <stdio.h>\nint main(void) { return puts(tenuo_version()) < 0; }\n' >"$stage/app.c"
# shellcheck disable=SC2046
(cd "$stage" && cc app.c $(pkg-config --cflags --libs tenuo) -o app && ./app) >"$stage/log" 2>&1
check $? 'an application builds with tenuo.pc and runs'

mkdir -m 0700 "$stage/keys"
(cd "$stage" && "$command" keygen agent) >"$stage/log" 2>&1
check $? 'the installed command makes a key'
python3 - "$stage" <<'PYTHON' >"$stage/log" 2>&1
# A PKCS#8 Ed25519 key ends in its 32-byte seed (v1), or carries it after the marks 04 22 04 20.
import base64, os, sys
text = open(sys.argv[1] + "/agent.key").read() if os.path.exists(sys.argv[1] + "/agent.key") else open(sys.argv[1] + "/agent").read()
der = base64.b64decode("".join(line for line in text.splitlines() if not line.startswith("-")))
at = der.index(bytes.fromhex("04220420")) + 4
fd = os.open(sys.argv[1] + "/keys/agent.seed", os.O_WRONLY | os.O_CREAT, 0o600)
os.write(fd, der[at:at + 32])
PYTHON
check $? 'its seed is stored as the resolver wants it'
cat >"$stage/tenuo.conf" <<CONF
set       plugin_dir  $plugindir
trust     required    file  path=$stage/agent.pub
resolver  required    dir   path=$stage/keys
CONF
"$command" conf check --conf "$stage/tenuo.conf" >"$stage/log" 2>&1
check $? 'the configuration that names it is right'
(cd "$stage" && "$command" mint --key agent.key --holder agent.pub --tool read_file --ttl 1h --out w.tenuo) >"$stage/log" 2>&1
check $? 'a warrant for the key is made'
(cd "$stage" && "$command" sign --conf tenuo.conf --key-id agent w.tenuo --tool read_file) >"$stage/out" 2>"$stage/log"
check $? 'the command signs a call with the key that the resolver gave'
(cd "$stage" && "$command" sign --key agent.key w.tenuo --tool read_file) >"$stage/direct" 2>"$stage/log"
check $? 'the command signs the same call with the key file'
[ -s "$stage/out" ]
check $? 'the signature is there'
(cd "$stage" && "$command" sign --conf tenuo.conf --key-id nobody w.tenuo --tool read_file) >"$stage/log" 2>&1
[ $? -ne 0 ]
check $? 'a key that the resolver does not have is refused'

cp "$source/examples/matcher_semver.c" "$stage/matcher_semver.c"
# shellcheck disable=SC2046
(cd "$stage" && cc -std=c17 -D_GNU_SOURCE -fPIC -shared -fvisibility=hidden -Wl,-z,defs,-z,nodelete,-z,relro,-z,now \
    $(pkg-config --cflags tenuo-plugin) -Wall -Wextra -Werror -o tenuo_semver.so matcher_semver.c) >"$stage/log" 2>&1
check $? 'the matcher builds with the documented command, without a warning'
install -m 0755 "$stage/tenuo_semver.so" "$plugindir/" >"$stage/log" 2>&1
check $? 'the matcher is put beside the others'
echo 'matcher  required  semver' >>"$stage/tenuo.conf"
"$command" conf check --conf "$stage/tenuo.conf" >"$stage/log" 2>&1
check $? 'the configuration that names it is right'
semver() { # RANGE: a constraint of type 200 as JSON
    printf 'version={"cbor":"8218c8%02x%s"}' $((0x60 + ${#1})) "$(printf %s "$1" | od -An -tx1 | tr -d ' \n')"
}
run() { (cd "$stage" && "$command" "$@") >"$stage/log" 2>&1; }
decided() { # WARRANT VERSION: the first two lines of the decision about a call with it
    run sign "$1" --key agent.key --tool install -a "version=$2" -o w.pop
    run authorize "$1" --conf tenuo.conf --tool install -a "version=$2" --pop @w.pop
    sed -n '1,2p' "$stage/log" | tr -s ' \n' ' '
}
run mint --key agent.key --holder agent.pub --tool install --ttl 1h --conf tenuo.conf --constraint-json "$(semver '>=1.4.0 <2.0.0')" -o v.tenuo
check $? 'a warrant with a range is made'
case $(decided v.tenuo 1.9.3) in "ALLOW "*) true ;; *) false ;; esac
check $? 'a version within it is allowed'
case $(decided v.tenuo 2.0.0) in "DENY 1501 "*"does not match constraint "*) true ;; *) false ;; esac
check $? 'one outside is denied'
case $(decided v.tenuo latest) in "DENY 1501 "*"matcher 'semver': the argument is no version"*) true ;; *) false ;; esac
check $? 'what is no version is denied with the sentence of the matcher'
run attenuate v.tenuo --key agent.key --holder agent.pub --conf tenuo.conf --tool install --constraint-json "$(semver '>=1.5.0 <1.6.0')" -o n.tenuo
check $? 'a narrower range is delegated'
case $(decided n.tenuo 1.5.9)/$(decided n.tenuo 1.9.3) in "ALLOW "*"/DENY 1501 "*) true ;; *) false ;; esac
check $? 'and decides calls'
run attenuate v.tenuo --key agent.key --holder agent.pub --conf tenuo.conf --tool install -c version=exact:1.4.7 -o e.tenuo
check $? 'so is one version within it'
run attenuate v.tenuo --key agent.key --holder agent.pub --conf tenuo.conf --tool install --constraint-json "$(semver '>=1.0.0')" -o x.tenuo
[ $? -eq 1 ] && grep -q "1502" "$stage/log"
check $? 'a wider range is not'
run attenuate v.tenuo --key agent.key --holder agent.pub --tool install --constraint-json "$(semver '>=1.5.0 <1.6.0')" -o x.tenuo
[ $? -eq 1 ]
check $? 'without the matcher nothing is'
run verify n.tenuo --root agent.pub --matcher semver --plugin-dir "$plugindir"
check $? 'it works without a configuration as well'
echo "1..$n"
exit "$bad"
