# SPDX-License-Identifier: Apache-2.0
# Bounds of our own (PROTOCOL.md section 5): both sides of each.
warrants
short() { sed 's/[A-Za-z0-9_-]\{80,\}/(text)/g'; }
sign() { "$TENUO" sign bob.tenuo --key bob.key --at $T "$@" 2>&1 >out | short; }
repeat() { head -c "$2" /dev/zero | tr '\0' "$1"; }
pairs() { # COUNT: a JSON object with that many members
    printf '{"a0":0'
    i=1
    while [ $i -lt "$1" ]; do printf ',"a%d":0' $i; i=$((i + 1)); done
    printf '}'
}
echo 'tool of 256 and of 257 bytes'
pop=$(repeat 0 128)
ask() { "$TENUO" authorize bob.tenuo --root root.pub --at $T --pop "$pop" --tool "$1" 2>&1 | short; }
ask "$(repeat t 256)"
ask "$(repeat t 257)"
echo '1024 and 1025 arguments'
pairs 1024 >args.json; sign --tool x --args @args.json
pairs 1025 >args.json; sign --tool x --args @args.json
echo '1 MiB of arguments, and a byte more'
# one name of a byte, "61", and a head of five bytes
size=$((1048576 - 1 - 5))
{ printf '{"a":"'; repeat v $size; printf '"}'; } >args.json; sign --tool x --args @args.json
{ printf '{"a":"'; repeat v $((size + 1)); printf '"}'; } >args.json; sign --tool x --args @args.json
# Each of n alternatives of the child is compared with all n of the parent, for the one that matches is the last.
list() { # COUNT FIRST STEP
    i=0 v=$2 sep=
    while [ $i -lt "$1" ]; do
        printf '%s%d' "$sep" $v
        sep=, v=$((v + $3)) i=$((i + 1))
    done
}
cost() {
    any=$(list "$1" 1 1) last=$(list "$1" "$1" 0)
    quiet mint --key root.key --holder alice.pub --at $T --ttl 1h --id $ID1 --tool x --constraint-json "n={\"any\":[$any]}" -o wide.tenuo
    "$TENUO" attenuate wide.tenuo --key alice.key --holder bob.pub --at $T --id $ID2 --tool x \
        --constraint-json "n={\"any\":[$last]}" -o deep.tenuo 2>&1 | short
    [ -e deep.tenuo ] && echo 'made' && rm deep.tenuo
}
echo 'a link of 1,000,000 comparisons, and one of 9,000,000'
cost 1000
cost 3000
echo 'what has no matcher, a host that only tables could judge, and gates'
decide() { # VALUE OPTION...: a warrant for x with these options, called with n=VALUE
    value=$1
    shift
    quiet mint --key root.key --holder bob.pub --at $T --id $ID1 --tool x "$@" -o one.tenuo
    quiet sign one.tenuo --key bob.key --at $T --tool x -a "n=$value" -o one.pop
    "$TENUO" authorize one.tenuo --root root.pub --at $T --tool x -a "n=$value" --pop @one.pop 2>&1 | sed -n 1,2p
}
decide a -c 'n=regex:^a$'
decide a -c 'n=cel:value == "a"'
decide a -c 'n:={"cbor":"82186301"}'
decide http://xn--bcher-kva.de/ -c n=urlsafe:
decide http://example.com/ -c n=urlsafe:
gate() { decide a -c 'n=*' --approver root.pub --extension "tenuo.approval_gates=$1"; }
gate a16178a16461726773f6
gate a16178a16461726773a0
for gates in a16178f6 a16178a16461726773f600; do # malformed ones are not minted
    "$TENUO" mint --key root.key --at $T --tool x --approver root.pub --extension "tenuo.approval_gates=$gates" 2>&1
done
echo 'PEM blocks of together less, and more, than a stack may have'
zeros=$(repeat 0 16000)
quiet mint --key root.key --holder bob.pub --at $T --id $ID1 --tool x -c 'n=*' --form pem -o big.pem \
    --extension a=$zeros --extension b=$zeros --extension c=$zeros --extension d=$zeros --extension e=$zeros --extension f=$zeros
cat big.pem big.pem big.pem big.pem big.pem >five.pem
cat five.pem big.pem >six.pem
for file in five.pem six.pem; do
    "$TENUO" verify --root root.pub --at $T $file 2>&1 | sed -n 1,2p
done
