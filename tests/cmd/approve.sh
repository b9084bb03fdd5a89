# SPDX-License-Identifier: Apache-2.0
seed carol 128
tty=$here/terminal.py
quiet mint --key root.key --holder alice.pub --at $T --ttl 1h --id $ID1 --tool deploy -c env=any -c n=any --tool list \
    --approver bob.pub --approver carol.pub --min-approvals 1 --gate deploy:env=exempt:oneof:dev,test \
    --gate-message 'deploy=ask the release team' -o gated.tenuo
quiet attenuate gated.tenuo --key alice.key --holder mallory.pub --at $T --id $ID2 --ttl 30m --tool deploy -o child.tenuo
call() { # WARRANT KEY [OPTION...]: the call, signed
    w=$1 k=$2
    shift 2
    t authorize $w --root root.pub --at $T --tool deploy -a env=prod -a n:=5 \
        --pop "$("$TENUO" sign $w --key $k --at $T --tool deploy -a env=prod -a n:=5)" "$@" | sed '1s/ --pop [^ ]*//'
}
req() { t request gated.tenuo --at $T --tool deploy "$@"; }
same() { sed 's/"request_id": *"[^"]*"/"request_id":"ID"/; s/"nonce[^,]*,//'; }
# the call is held up, and the answer says what to do
call gated.tenuo alice.key
call gated.tenuo alice.key --json
# request: with the holder's signature, without, as JSON, and when none is needed
req -a env=prod -a n:=5 --key alice.key -o signed.request
same <signed.request
ls -l signed.request | cut -c1-10
req -a env=prod -a n:=5 -o plain.request
grep -c holder_signature plain.request
req -a env=prod -a n:=5 --json | same
req -a env=dev -a n:=5 -o none.request
ls none.request
req -a env=dev -a n:=5 --json
t request gated.tenuo --at $T --tool list
req -a env=prod -o out --json >json
grep -o '"warnings":.*' json
req -a env=prod -a n:=5 --key bob.key
# preflight
req -a env=prod -a n:=5 --check
req -a env=dev -a n:=5 --check
req -a env=dev -a x=1 -a y=2 --check
req -a env=dev -a x=1 --check --json
req -a env=prod -a n:=5 --check --json
t request gated.tenuo --at $T --tool other --check
t request gated.tenuo --at $T --tool other --check --json
# approve
app() { t approve --root root.pub --at $T "$@"; }
app signed.request --key carol.key --yes --lifetime 10m --external-id carol@example.org -o carol.approval
call gated.tenuo alice.key --approval carol.approval
call gated.tenuo alice.key --approval carol.approval --json
call gated.tenuo alice.key --approval carol.approval --explain | grep gate
app plain.request --key bob.key --yes --form cbor -o bob.approval
call gated.tenuo alice.key --approval bob.approval --approval carol.approval | grep -A3 approved
app plain.request --key bob.key --yes --form base64 -o bob.approval
call gated.tenuo alice.key --approval bob.approval | grep -A3 approved
printf '["%s"]' "$(cat bob.approval)" >list.approval
call gated.tenuo alice.key --approval list.approval | grep -A3 approved
app plain.request --key bob.key --yes --json 2>&1 | sed 's/"approval":"[^"]*"/"approval":"..."/'
code() { "$TENUO" "$@" | grep -o '"code":.*"precise_name":"[a-z-]*"' | sed 's/"message.*"precise_code"/... "precise_code"/'; }
# the answer of authorize is a request too
"$TENUO" authorize gated.tenuo --root root.pub --at $T --tool deploy -a env=prod -a n:=5 --json \
    --pop "$("$TENUO" sign gated.tenuo --key alice.key --at $T --tool deploy -a env=prod -a n:=5)" >answer
app answer --key bob.key --yes -o bob.approval
call gated.tenuo alice.key --approval bob.approval | grep -A3 approved
# of another call, expired, by the wrong holder
t authorize gated.tenuo --root root.pub --at $T --tool deploy -a env=prod -a n:=6 --approval carol.approval \
    --pop "$("$TENUO" sign gated.tenuo --key alice.key --at $T --tool deploy -a env=prod -a n:=6)" | sed -n '2,3p;/rejected/p'
# the coarse code that every implementation answers, and the precise one beside it
code authorize gated.tenuo --root root.pub --at $T --tool deploy -a env=prod -a n:=6 --json --approval carol.approval \
    --pop "$("$TENUO" sign gated.tenuo --key alice.key --at $T --tool deploy -a env=prod -a n:=6)" | sed -n '2,3p;/rejected/p'
t authorize gated.tenuo --root root.pub --at $((T + 600)) --tool deploy -a env=prod -a n:=5 --approval carol.approval \
    --pop "$("$TENUO" sign gated.tenuo --key alice.key --at $((T + 600)) --tool deploy -a env=prod -a n:=5)" | sed -n '2,3p;/rejected/p'
call child.tenuo mallory.key --approval carol.approval | grep -A1 reason
# approvals that are none
echo hello >junk
call gated.tenuo alice.key --approval junk
call gated.tenuo alice.key --approval missing
call gated.tenuo alice.key --approval signed.request --json
# approve asks on the terminal: only "yes" is one, and nothing that was typed before the question counts
approve() { python3 "$tty" "$1" "$2" "$TENUO" approve --root root.pub --at $T --key carol.key signed.request -o asked.approval; }
# a long value is cut in the middle, and the question says once more what it is about
"$TENUO" request child.tenuo --key mallory.key --at $T --tool deploy -a env="$(head -c 60000 /dev/zero | tr '\0' x)end" -a n=1 -o long.request 2>&1
python3 "$tty" '' no "$TENUO" approve --root root.pub --at $T --key carol.key long.request -o long.approval >long
grep -o 'CUT: .* in the request\|x*end"$\|Approve this.*' long | sed 's/x\{300,\}/xxx/'
approve '' yes
ls asked.approval && rm asked.approval
approve '' no
approve '' y | tail -2
approve yes no | tail -2
approve '' - | tail -2
approve '' ' yes' | tail -1
approve '' yesyesyes | tail -1
ls asked.approval
python3 "$tty" '' no "$TENUO" approve --root root.pub --at $T --key carol.key signed.request --json | grep -v '^tty> [ V]'
t approve --root root.pub --at $T --key carol.key signed.request
t approve --root root.pub --at $T --key carol.key signed.request --json
# who may approve
app signed.request --key alice.key --yes
app signed.request --key root.key --yes --json
app signed.request --yes
app signed.request --key carol.key --key-id carol --yes
quiet attenuate gated.tenuo --key alice.key --holder bob.pub --at $T --id $ID2 --ttl 30m --tool deploy -o own.tenuo
quiet request own.tenuo --at $T --tool deploy -a env=prod -a n:=5 -o own.request
app own.request --key bob.key --yes -o own.approval
call own.tenuo bob.key --approval own.approval | grep -A1 reason
app signed.request --key carol.key --yes --lifetime 2h -o long.approval
call gated.tenuo alice.key --approval long.approval | grep -A1 reason
# a request that is not what the warrant says is never shown
lie() {
    printf 'lie: %s\n' "$1"
    sed "$1" signed.request >lie.request
    cmp -s signed.request lie.request && echo 'NOTHING CHANGED'
    "$TENUO" approve --root root.pub --at $T --key carol.key --yes lie.request 2>&1 >lie.approval
    echo "= $?"
}
lie 's/"tool": "deploy"/"tool": "list"/'
lie 's/"prod"/"dev"/'
lie 's/"n": 5/"n": 5.0/'
lie 's/"n": 5/"n": 6/'
lie 's/"request_hash": "../"request_hash": "00/'
lie 's/"min_approvals": 1/"min_approvals": 2/'
lie 's/"warrant_expires_at": 1893459600/"warrant_expires_at": 1893459601/'
lie 's/"message": ".*"/"message": "harmless"/'
lie '/"message"/d'
lie "s/\"warrant_id\": \"$ID1\"/\"warrant_id\": \"$ID2\"/"
lie '/"required_approvers"/{n;h;N;s/\(.*\),\n\(.*\)/\2,\n\1/;}'
lie 's/"holder_signature": "./"holder_signature": "_/'
lie 's/"warrant": "gw/"warrant": "gx/'
# the request of an untrusted chain, and of one that has expired
t approve --root mallory.pub --at $T --key carol.key --yes signed.request
t approve --root root.pub --at $((T + 3600)) --key carol.key --yes signed.request
# malformed
lie 's/"n": 5/"n": 5, "n": 6/'
lie 's/"tool": "deploy"/"tool": 5/'
lie '/"tool"/d'
lie 's/"args": {/"argz": {/'
lie 's/"request_hash": "../"request_hash": "/'
lie 's/"min_approvals": 1/"min_approvals": -1/'
lie 's/"min_approvals": 1/"min_approvals": 4294967297/'
lie '/"warrant_expires_at"/d'
lie '/"required_approvers"/{n;s/"."*/"/;s/"[^"]*"/"x"/;}'
lie 's/"holder_signature": ".*"/"holder_signature": 5/'
lie '/"warrant":/d;s/\("holder_signature": ".*"\),/\1/'
lie 's,approval-request/1,approval-request/2,'
lie '$d'
lie 's/"message": "/&\\u0000/'
t approve --root root.pub missing --key carol.key --yes
printf '[]' >list; t approve --root root.pub list --key carol.key --yes
head -c 2100000 /dev/zero >big; t approve --root root.pub big --key carol.key --yes --json
t approve --root root.pub bob.approval --key carol.key --yes
# what is shown is escaped
m() { quiet mint --key root.key --holder alice.pub --at $T --ttl 1h --id $ID1 "$@"; }
tool=$(printf 'a\033[31m\\')
m --tool "$tool" --approver carol.pub --gate "$tool" --gate-message "$tool=$(printf '\033[2Jhello\r"\342\200\256')" -o hostile.tenuo
t request hostile.tenuo --tool "$tool" -a "$(printf 'x\033]0;=y\033\\z\r\177')" --args '{"deep":{"b":[1.5,1.0,null,true,{}],"a":"\u202e"}, "env = \"dev\" #": 1}' --at $T -o hostile.request
python3 "$tty" '' yes "$TENUO" approve --root root.pub --at $T --key carol.key hostile.request --json >out
LC_ALL=C grep -c "$(printf '\033')" out
grep '^tty' out
# usage
t approve
t approve signed.request other
t approve signed.request --lifetime 0 --key carol.key
t approve signed.request --lifetime x --key carol.key
t approve signed.request --form pem --key carol.key
t approve signed.request --at x --key carol.key
t approve signed.request --root nothing --key carol.key
t approve --root root.pub --conf x signed.request --key carol.key
t request
t request gated.tenuo
t request gated.tenuo --tool deploy --check -o x
t request gated.tenuo --tool deploy -a x
t request missing.tenuo --tool deploy --json
t approve call.request --key carol.key --root root.pub --at $T --lifetime 91d
