# SPDX-License-Identifier: Apache-2.0
# needs plugins
# Lines that the library would refuse when it opens the configuration: the check refuses them too, and touches nothing.
configuration
mkdir -m 0700 state
tail -n +2 tenuo.conf >base.conf
key=
c() { # one more line, behind $key
    { cat base.conf; printf '%s' "$key"; echo "$*"; } >one.conf
    echo "* $*"
    "$TENUO" conf check --conf "$DIR/one.conf" --plugin-dir "$DIR/plugins" 2>&1 | grep -v 'conf: no [a-z]* line'
}
when_built() { # module, then its cases; without it, what they said when it was
    if [ -f "plugins/tenuo_$1.so" ]; then
        echo "begin $1"
        "$2"
        echo "end $1"
    else
        sed -n "/^begin $1\$/,/^end $1\$/p" "$here/conf_lines.out"
    fi
}
c resolver required env prefix=A=B
c resolver required env prefix=
c resolver required file credential=x path=/k
c resolver required file credential=nobraces
c audit required jsonl path="$DIR/state/a" mode=0777
c replay required memory entries=5
c set receipt_key root
c audit required receipt path="$DIR/state/r"
key='set receipt_key root
'
c audit required receipt path="$DIR/state/r"
c audit required receipt path="$DIR/state/r" denials=relative
c audit required receipt path="$DIR/state/r" denials="$DIR/state/r"
key="$key
audit optional receipt path=$DIR/state/r
"
c audit required receipt path="$DIR/state/r"
c audit required jsonl path="$DIR/state/r"
key=
http_lines() {
    c revocation required http url=http://example.com/x floor="$DIR/state/floor"
    c revocation required http url=https://user:pw@h/x floor="$DIR/state/floor"
    c revocation required http url=https://h/x cert=/a.pem floor="$DIR/state/floor"
    c revocation required http url=https://h/x connect_timeout=0s floor="$DIR/state/floor"
    c revocation required http url=https://h/x ca="$DIR/ca.pem" floor="$DIR/state/floor"
    echo secret >token
    chmod 0644 token
    c revocation required http url=https://h/x token_file="$DIR/token" floor="$DIR/state/floor"
    chmod 0600 token
    c revocation required http url=https://h/x token_file="$DIR/token" floor="$DIR/state/floor"
    c revocation required http url=https://h/x floor="$DIR/state/floor"
}
when_built http http_lines
redis_lines() {
    c replay required redis
    c replay required redis host=10.0.0.1
    c replay required redis host=127.0.0.1 port=70000
    c replay required redis host=127.0.0.1 port=1
}
when_built redis redis_lines
# what may still come is a warning
c resolver required file path="$DIR/no_keys"
c trust required file path="$DIR/no.pub"
c audit required jsonl path="$DIR/no/a"
key='set receipt_key root
'
c audit required receipt path="$DIR/no/r"
printf 'one line\nanother file' >state/other
c audit required receipt path="$DIR/state/other"
mkdir state/r.denied
c audit required receipt path="$DIR/state/r"
rmdir state/r.denied
cat state/other
echo
key=
c revocation required file path="$DIR/no.srl" floor="$DIR/state/floor"
c replay required memory entries=5000
ls state
