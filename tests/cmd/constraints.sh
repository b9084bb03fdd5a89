# SPDX-License-Identifier: Apache-2.0
# One argument under each constraint, as inspect says it.
c() {
    printf '%s\n' "$*"
    "$TENUO" mint --key root.key --at $T --id $ID1 --tool t "$@" -o c.tenuo 2>.messages || echo "= $?"
    sed 's/^/2> /' .messages
    if [ -e c.tenuo ]; then
        "$TENUO" inspect c.tenuo | sed -n '/^  tool/,/^  [a-z]/{/^    /p;}'
        "$TENUO" inspect c.tenuo --json | sed -n 's/.*"cbor":"\([0-9a-f]*\)".*/    \1/p'
        rm c.tenuo
    fi
}
for text in '*' any exact:text exact: exact:=5 'exact:=[1,2]' 'exact:a=b:c' 'pattern:*.txt' 'regex:^a$' range:1..10 range:..10 range:1.. range:.. 'range:1<..' \
    'range:1<..<2' range:-1.5..1e3 oneof:a,b 'oneof:["a",1,1.0,null]' oneof: notoneof:a cidr:10.0.0.0/8 cidr:2001:db8::/32 \
    'url:https://*.example.com/api/*' contains:a,b subset:a,b subpath:/data urlsafe urlsafe: \
    'urlsafe:schemes=https;allow_domains=a.com,*.b.com;deny_domains=c.com;allow_ports=443,8443;block_private=no;block_internal_tlds=yes' \
    'shlex:ls,cat' 'cel:value > 1'; do
    c -c "x=$text"
done
for json in '5' '5.0' '-0.0' 'true' 'null' '"text"' '"a\u0000b"' '{"exact":{"b":1,"a":[true]}}' '{"wildcard":true}' '{"pattern":"*"}' '{"regex":"^a$"}' \
    '{"cidr":"10.0.0.1"}' '{"url":"https://h/*"}' '{"cel":"value == 1"}' \
    '{"range":{"min":1,"max":9,"min_inclusive":false,"max_inclusive":true}}' '{"range":{"max":null}}' '{"oneof":[1,"a"]}' '{"notoneof":[1]}' \
    '{"contains":[1]}' '{"subset":[]}' '{"all":[{"pattern":"a*"},{"not":{"exact":"ab"}}]}' '{"any":[]}' '{"any":["a",{"cidr":"10.0.0.0/8"}]}' \
    '{"not":{"all":[1,2]}}' '{"subpath":"/Data","case_sensitive":false,"allow_equal":false}' '{"urlsafe":{}}' \
    '{"urlsafe":{"schemes":["https"],"allow_domains":["a.com"],"deny_domains":[],"allow_ports":[443],"block_loopback":false,"block_metadata":false,"block_reserved":false}}' \
    '{"shlex":["ls"]}' '{"cbor":"8210f6"}'; do
    c -c "x:=$json"
done
c --constraint-json 'x={"subpath":"/data"}'
# refused
for text in text '/data/*' nothing:x 'all:x' range:1 range:a..b range:1..0x5 'range:nan..' cidr:10.0.0.0/33 url:nope pattern:'a**' subpath:data \
    urlsafe:x=y urlsafe:block_private=maybe urlsafe:allow_ports=70000 'urlsafe:schemes=a;schemes=b' 'oneof:["a"' ''; do
    c -c "x=$text"
done
for json in '' '{' '[1]' '{}' '{"exact":1,"pattern":"a"}' '{"nothing":1}' '{"pattern":1}' '{"range":5}' '{"range":{"min":"1"}}' '{"range":{"mni":1}}' \
    '{"range":{"min":9007199254740993}}' '{"oneof":"a"}' '{"all":{"a":1}}' '{"subpath":"/a","case":true}' '{"subpath":"/a","allow_equal":1}' \
    '{"urlsafe":{"ports":[1]}}' '{"urlsafe":{"allow_ports":[1.5]}}' '{"urlsafe":{"schemes":"https"}}' '{"shlex":"ls"}' '{"wildcard":false}' \
    '{"cbor":"82"}' '{"cbor":"xyz"}' '{"exact":1,"exact":2}' '9223372036854775808' '1 2'; do
    c -c "x:=$json"
done
c -c =any
c -c x
c -c ':=5'
c --constraint-json 'x:=5'
c --constraint-json x
deep() { # levels of not
    json=1 i=0
    while [ $i -lt "$1" ]; do json="{\"not\":$json}" i=$((i + 1)); done
}
deep 32; c -c "x:=$json" | sed 1d | cut -c1-60
deep 33; c -c "x:=$json" | sed 1d
