# SPDX-License-Identifier: Apache-2.0
# What the cases share. T is 2030-01-01T00:00:00Z: nothing in them depends on the time of the run.
T=1893456000
ID1=tnu_wrt_0192f000000070008000000000000001
ID2=tnu_wrt_0192f000000070008000000000000002
ID3=tnu_wrt_0192f000000070008000000000000003

# One command: its words, its output, its messages after "2>", its exit status.
t() {
    printf '$ tenuo'
    for word; do
        case $word in
        *[!A-Za-z0-9_./:=@,+-]*) printf " '%s'" "$word" ;;
        *) printf ' %s' "$word" ;;
        esac
    done
    printf '\n'
    status=0
    "$TENUO" "$@" 2>.messages || status=$?
    sed 's/^/2> /' .messages
    echo "= $status"
}
# The same without showing the words, to prepare something.
quiet() {
    "$TENUO" "$@" 2>/dev/null || echo "PREPARATION FAILED: $*"
}
# Seeds are public: these keys sign nothing but tests.
seed() { # name, first byte
    i=0
    text=
    while [ $i -lt 32 ]; do
        text=$text$(printf '%02x' $(($2 + i)))
        i=$((i + 1))
    done
    (umask 077 && printf '%s\n' "$text" >"$1.key")
    "$TENUO" keygen --public "$1.key" >"$1.pub"
}
seed root 0
seed alice 32
seed bob 64
seed mallory 96
# alice.tenuo: a root warrant for one hour; bob.tenuo: its child.
warrants() {
    quiet mint --key root.key --holder alice.pub --at $T --ttl 1h --id $ID1 --tool read_file -c path=subpath:/data -o alice.tenuo
    quiet attenuate alice.tenuo --key alice.key --holder bob.pub --at $T --id $ID2 --ttl 10m \
        --tool read_file -c path=subpath:/data/reports -o bob.tenuo
}
# A directory that the trust walk accepts, with plugins and a configuration.
configuration() {
    mkdir -m 0700 plugins keys audit
    find "$PLUGIN_BUILD_DIR" -name 'tenuo_*.so' -type f -exec cp {} plugins/ \;
    chmod 0755 plugins/*.so
    cp alice.key alice.pub bob.key bob.pub keys/
    cat >tenuo.conf <<CONF
set       plugin_dir  $DIR/plugins
trust     required    file   path=$DIR/root.pub
resolver  required    file   path=$DIR/keys
audit     required    jsonl  path=$DIR/audit/audit.jsonl
CONF
}
