# SPDX-License-Identifier: Apache-2.0
warrants
full() { # standard output is a full disk
    status=0
    "$TENUO" "$@" >/dev/full 2>.messages || status=$?
    sed 's/^/2> /' .messages
    echo "= $status ($1)"
}
full help
full --version
full mint --help
full inspect bob.tenuo
full inspect bob.tenuo --json
full mint --key root.key --tool a -c x=any
full verify --root root.pub --at $T bob.tenuo
full verify --root mallory.pub --at $T bob.tenuo
full sign bob.tenuo --key bob.key --tool a
full keygen --public root.key
full conf --nothing --json
t mint --key root.key --tool a -c x=any -o /dev/full
ls -l /dev/full | cut -c1
t mint --key root.key --tool a -c x=any -o /dev/null
ls -l /dev/null | cut -c1
# the reader has gone: no signal, no noise, the answer's status
closed() {
    { { "$TENUO" "$@" 2>.messages; echo "= $? ($1)" >.status; } | :; }
    cat .messages .status
}
closed help constraints
closed inspect bob.tenuo
closed verify --root mallory.pub --at $T bob.tenuo
# nothing half-written
t mint --key root.key --tool tenuo:a -o out
[ -e out ] || echo no file
echo before >out
t mint --key root.key --tool tenuo:a -o out
cat out
quiet mint --key root.key --at $T --id $ID1 --tool a -c x=any -o out
wc -l <out
ls -a | grep -c '\.[A-Za-z0-9]\{6\}$'
# what is quoted from the command line or from a file moves no cursor
esc=$(printf 'a\033[2J\033]0;b\177.srl')
safe() { # every message of the run, and whether a control byte is among them
    "$TENUO" "$@" >.said 2>&1
    echo "= $? $(tr -d '\n -~' <.said | wc -c) bytes that are no text"
    cat .said
}
safe srl show "$esc"
safe inspect "$esc"
safe receipt chain "$esc"
safe keygen "$esc/x"
safe "$esc"
safe "-$esc"
safe srl "--$esc"
safe srl "--$esc=1" --json
safe srl show x --service "$esc"
safe conf check --conf "$DIR/$esc"
safe authorize bob.tenuo --root "$esc"
printf 'frobnicate \033[2J x\n' >"$esc"
chmod 600 "$esc"
safe conf check --conf "$DIR/$esc"
safe verify bob.tenuo --conf "$DIR/$esc"
"$TENUO" inspect bob.tenuo >&-
echo "= $? (no standard output)"
