#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# out_of_tree.sh SOURCE BUILD: somebody else's plugins, built against a staged install by the commands of examples/README.md and README.md,
# word for word, and used by the installed command. Nothing of the source tree but the examples and these commands is used.
set -u
umask 022
export LC_ALL=C
source=$(cd "${1:?usage: out_of_tree.sh SOURCE BUILD}" && pwd) || exit 1
build=$(cd "${2:?usage: out_of_tree.sh SOURCE BUILD}" && pwd) || exit 1
meson=${MESON:-meson}
unset TENUO_CONF
stage=$(mktemp -d /tmp/tenuo-stage.XXXXXX) || exit 1
receiver=
trap '[ -z "$receiver" ] || kill "$receiver" 2>/dev/null; rm -rf "$stage"' EXIT
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
skip() { # title, why
    n=$((n + 1))
    echo "ok $n - $1 # SKIP $2"
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

# What an installed system has in its PATH, with the staging folder in front of the plugin folder.
real_pkg_config=$(command -v pkg-config)
mkdir "$stage/path"
cat >"$stage/path/pkg-config" <<WRAPPER
#!/bin/sh
[ "\$1" != --variable=plugindir ] || exec echo "$plugindir"
exec "$real_pkg_config" "\$@"
WRAPPER
cat >"$stage/path/tenuo" <<WRAPPER
#!/bin/sh
case \$1 in conf | plugin | key | sign | authorize) exec "$command" "\$@" --plugin-dir "$plugindir" ;; esac
exec "$command" "\$@"
WRAPPER
chmod 0755 "$stage/path/pkg-config" "$stage/path/tenuo"
PATH=$stage/path:$PATH
# The commands of one section, block by block from number $3 to $4; without root nothing can be given to root.
blocks() { # FILE TITLE FIRST LAST
    awk -v title="$2" -v first="$3" -v last="$4" '
        /^## / { on = index($0, title) > 0; next }
        on && /^```sh$/ { n++; inside = 1; next }
        /^```$/ { inside = 0 }
        on && inside && n >= first && n <= last' "$1" |
        if [ "$(id -u)" -eq 0 ]; then cat; else sed 's/install -o root -g root/install/'; fi
}
# The documented commands for one example, in a folder that holds nothing but its source.
example() { # FILE
    mkdir "$stage/build.$1"
    cp "$source/examples/$1" "$stage/build.$1/"
    [ "$(wc -l <"$source/examples/$1")" -lt 80 ] || echo "# $1 has 80 lines or more"
    blocks "$source/examples/README.md" "$1" 1 1 >"$stage/commands"
    (cd "$stage/build.$1" && [ -s ../commands ] && sh -eu ../commands) >"$stage/log" 2>&1
    check $? "$1: builds and installs with the documented commands"
    # shellcheck disable=SC2046
    (cd "$stage/build.$1" && cc -std=c17 -D_GNU_SOURCE -Wall -Wextra -Werror -O2 -fPIC $(pkg-config --cflags tenuo-plugin) -c -o x.o "$1") \
        >"$stage/log" 2>&1
    check $? "$1: without a warning"
    [ "$(wc -l <"$source/examples/$1")" -lt 80 ]
    check $? "$1: less than 80 lines"
}
run() { (cd "$stage" && tenuo "$@") >"$stage/log" 2>&1; }

printf '#include <tenuo/tenuo.h>\n#include <stdio.h>\nint main(void) { return puts(tenuo_version()) < 0; }\n' >"$stage/app.c"
# shellcheck disable=SC2046
(cd "$stage" && cc app.c $(pkg-config --cflags --libs tenuo) -o app && ./app) >"$stage/log" 2>&1
check $? 'an application builds with tenuo.pc and runs'

# ---- a guarded program ----
mkdir "$stage/build.guard"
cp "$source/examples/guard.c" "$stage/build.guard/"
blocks "$source/examples/README.md" guard.c 1 1 | sed 's/^cc /&-Wall -Wextra -Werror /' >"$stage/commands"
(cd "$stage/build.guard" && [ -s ../commands ] && sh -eu ../commands) >"$stage/log" 2>&1
check $? 'guard.c: builds with the documented command, without a warning'
[ "$(wc -l <"$source/examples/guard.c")" -lt 80 ]
check $? 'guard.c: less than 80 lines'
mkdir -m 0700 "$stage/shop"
run keygen shop/root
run mint --key shop/root.key --holder shop/root.pub --tool read_file -c path="subpath:$stage/shop" --ttl 1h -o shop/w.tenuo
cat >"$stage/shop/guard.conf" <<CONF
set plugin_dir $plugindir
[shop]
trust required file path=$stage/shop/root.pub
audit required jsonl path=$stage/shop/log
CONF
guard() { # PATH [PROOF]
    proof=${2-$("$command" sign "$stage/shop/w.tenuo" --key "$stage/shop/root.key" --form hex --tool read_file -a path="$1")}
    TENUO_CONF=$stage/shop/guard.conf "$stage/build.guard/guard" shop "$stage/shop/w.tenuo" "$proof" "$1" 2>&1
}
echo 12 apples >"$stage/shop/prices"
[ "$(guard "$stage/shop/prices")" = '12 apples' ]
check $? 'guard.c: an allowed call is carried out'
for call in '/etc/passwd' "$stage/shop/prices ''"; do
    answer=$(eval "guard $call")
    [ $? -eq 1 ] && case $answer in 'guard: denied: '*) true ;; *) false ;; esac
    check $? "guard.c: another one, or one without a proof, is not: $answer"
done
case $("$command" audit show "$stage/shop/log") in *' allow '*' deny '*' deny '*) true ;; *) false ;; esac
check $? 'guard.c: all three are recorded'

# ---- the resolver ----
example resolver_dir.c
mkdir -m 0700 "$stage/keys"
run keygen agent
check $? 'the installed command makes a key'
python3 - "$stage" <<'PYTHON' >"$stage/log" 2>&1
# A PKCS#8 Ed25519 key carries its 32-byte seed after the marks 04 22 04 20.
import base64, os, sys
text = open(sys.argv[1] + "/agent.key").read()
der = base64.b64decode("".join(line for line in text.splitlines() if not line.startswith("-")))
at = der.index(bytes.fromhex("04220420")) + 4
for name, mode, seed in (("agent", 0o600, der[at:at + 32]), ("open", 0o644, der[at:at + 32]), ("short", 0o600, b"x")):
    fd = os.open(f"{sys.argv[1]}/keys/{name}.seed", os.O_WRONLY | os.O_CREAT, mode)
    os.write(fd, seed)
PYTHON
check $? 'its seed is stored as the resolver wants it'
run plugin test dir path="$stage/keys" --key-id agent
check $? 'resolver_dir.c passes tenuo plugin test'
cat >"$stage/tenuo.conf" <<CONF
trust     required    file  path=$stage/agent.pub
resolver  required    dir   path=$stage/keys
CONF
run conf check --conf tenuo.conf
check $? 'the configuration that names it is right'
run mint --key agent.key --holder agent.pub --tool read_file --ttl 1h --out w.tenuo
check $? 'a warrant for the key is made'
run sign --conf tenuo.conf --key-id agent w.tenuo --tool read_file -o w.pop
check $? 'the command signs a call with the key that the resolver gave'
run authorize --conf tenuo.conf w.tenuo --tool read_file --pop @w.pop
check $? 'and the call is allowed'
run sign --conf tenuo.conf --key-id nobody w.tenuo --tool read_file
[ $? -ne 0 ]
check $? 'a key that the resolver does not have is refused'
run sign --conf tenuo.conf --key-id open w.tenuo --tool read_file
[ $? -ne 0 ] && grep -q 'open.seed: others can read it: chmod 0600' "$stage/log"
check $? 'so is one that others can read'
run sign --conf tenuo.conf --key-id short w.tenuo --tool read_file
[ $? -ne 0 ] && grep -q 'short.seed: not 32 bytes' "$stage/log"
check $? 'and one that is none'

# ---- the audit sink ----
example audit_unixgram.c
cat >"$stage/receiver.py" <<'PYTHON'
import os, socket, sys
s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
s.bind(sys.argv[1])
os.rename(sys.argv[1], sys.argv[2])
with open(sys.argv[3], "ab", buffering=0) as out:
    while True:
        out.write(s.recv(65536) + b"\n")
PYTHON
receive() {
    python3 "$stage/receiver.py" "$stage/s.new" "$stage/s" "$stage/received" &
    receiver=$!
    for _ in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20; do [ -S "$stage/s" ] || sleep 0.1; done
}
receive
run plugin test unixgram socket="$stage/s" --write
check $? 'audit_unixgram.c passes tenuo plugin test'
cp "$stage/tenuo.conf" "$stage/audited.conf"
echo "audit required unixgram socket=$stage/s" >>"$stage/audited.conf"
: >"$stage/received"
run authorize --conf audited.conf w.tenuo --tool read_file --pop @w.pop --request-id r1
check $? 'a call is allowed, and told to the receiver'
cp "$stage/received" "$stage/log"
awk -F '\t' '{ n++; good += NF == 8 && $2 == "allow" && $5 == "read_file" && length($6) == 16 && $7 == "r1" } END { exit n != 1 || good != 1 }' "$stage/log"
check $? 'as one line of eight fields'
kill "$receiver"
wait "$receiver" 2>/dev/null
run authorize --conf audited.conf w.tenuo --tool read_file --pop @w.pop
[ $? -ne 0 ] && grep -q '9400.*' "$stage/log"
check $? 'without the receiver a required sink allows nothing'
rm -f "$stage/s"
receive
run authorize --conf audited.conf w.tenuo --tool read_file --pop @w.pop
check $? 'when it is back, it goes on'
kill "$receiver"
wait "$receiver" 2>/dev/null
receiver=

# ---- the matcher ----
example matcher_semver.c
run plugin test semver
check $? 'matcher_semver.c passes tenuo plugin test'
echo 'matcher  required  semver' >>"$stage/tenuo.conf"
run conf check --conf tenuo.conf
check $? 'the configuration that names it is right'
semver() { # VERSION: a constraint of type 200 as JSON
    printf 'version={"cbor":"8218c8%02x%s"}' $((0x60 + ${#1})) "$(printf %s "$1" | od -An -tx1 | tr -d ' \n')"
}
with() { (cd "$stage" && "$command" "$@" --conf tenuo.conf --plugin-dir "$plugindir") >"$stage/log" 2>&1; }
decided() { # WARRANT VERSION: the first two lines of the decision about a call with it
    run sign "$1" --key agent.key --tool install -a "version=$2" -o w.pop
    run authorize "$1" --conf tenuo.conf --tool install -a "version=$2" --pop @w.pop
    sed -n '1,2p' "$stage/log" | tr -s ' \n' ' '
}
grep -qF "$(semver 1.4.0)" "$source/examples/README.md"
check $? 'the documented constraint is the one that is tested'
with mint --key agent.key --holder agent.pub --tool install --ttl 1h --constraint-json "$(semver 1.4.0)" -o v.tenuo
check $? 'a warrant with a version is made'
case $(decided v.tenuo 1.9.3) in "ALLOW "*) true ;; *) false ;; esac
check $? 'a compatible version is allowed'
for version in 2.0.0 1.3.9 0.4.0; do
    case $(decided v.tenuo $version) in "DENY 1501 "*"does not match constraint "*) true ;; *) false ;; esac
    check $? "another is denied ($version)"
done
for version in latest 1.4 1.04.0 1.4.0.0 +1.4.0 ' 1.4.0' 4294967297.4.0; do
    case $(decided v.tenuo "$version") in "DENY 1501 "*"matcher 'semver': not a version"*) true ;; *) false ;; esac
    check $? "what is no version is denied with the sentence of the matcher ($version)"
done
with attenuate v.tenuo --key agent.key --holder agent.pub --tool install --constraint-json "$(semver 1.5.0)" -o n.tenuo
check $? 'a narrower one is delegated'
case $(decided n.tenuo 1.5.9)/$(decided n.tenuo 1.4.9) in "ALLOW "*"/DENY 1501 "*) true ;; *) false ;; esac
check $? 'and decides calls'
with attenuate v.tenuo --key agent.key --holder agent.pub --tool install -c version=exact:1.4.7 -o e.tenuo
check $? 'so is one version within it'
for version in 1.3.0 2.0.0; do
    with attenuate v.tenuo --key agent.key --holder agent.pub --tool install --constraint-json "$(semver $version)" -o x.tenuo
    [ $? -eq 1 ] && grep -q 1502 "$stage/log"
    check $? "a wider one is not ($version)"
done
run attenuate v.tenuo --key agent.key --holder agent.pub --tool install --constraint-json "$(semver 1.5.0)" -o x.tenuo
[ $? -eq 1 ]
check $? 'without the matcher nothing is'
run verify n.tenuo --root agent.pub --matcher semver --plugin-dir "$plugindir"
check $? 'it works without a configuration as well'

# ---- "Write a resolver in an afternoon": the commands of README.md as they stand ----
blocks "$source/README.md" 'Write a resolver in an afternoon' 1 9 >"$stage/commands"
printf '%s\n' 'echo "$d" >"$OLDPWD/where"' >>"$stage/commands"
(cd "$stage" && TMPDIR=$stage sh -eu commands) >"$stage/log" 2>&1
check $? 'README: from an empty file to a decision'
[ "$(grep -c '^tenuo\|^cc\|^install' "$stage/commands")" -ge 8 ] && grep -q ', 0 failed, ' "$stage/log" && grep -q '^ALLOW' "$stage/log"
check $? 'README: its plugin passes tenuo plugin test, its line serves a call'
echo "1..$n"
exit "$bad"
