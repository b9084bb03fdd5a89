# SPDX-License-Identifier: Apache-2.0
warrants
sign() { t sign bob.tenuo --key bob.key --at $T "$@"; }
sign --tool read_file -a path=/data/reports/a
sign --tool read_file -a path=/data/reports/a --form hex
sign --tool read_file -a path=/data/reports/a --form base64
sign --tool read_file -a path=/data/reports/a --json
sign --tool read_file -a path=/data/reports/a -o pop; cat pop
sign --tool read_file
# the same value always gives the same signature, however it came in
same() { "$TENUO" sign bob.tenuo --key bob.key --at $T --tool x "$@"; }
a=$(same -a n:=1 -a s=text)
[ "$a" = "$(same --args '{"s":"text","n":1}')" ] && echo same
echo '{"s":"te\u0078t","n":1}' >args.json
[ "$a" = "$(same --args @args.json)" ] && echo same
[ "$a" = "$(same --args - <args.json)" ] && echo same
[ "$a" = "$(same -a n:=1 --args '{"s":"text"}')" ] && echo same
[ "$a" = "$(same -a 'n:=1.0' -a s=text)" ] || echo a float is another value
[ "$(same -a 'n:=1e0')" = "$(same -a 'n:=1.0')" ] && echo same
[ "$(same -a 'n:=-0')" = "$(same -a 'n:=0')" ] && echo same
[ "$(same -a 'n:=-0.0')" = "$(same -a 'n:=0.0')" ] || echo minus zero is another float
[ "$(same -a 'n:=9223372036854775807')" != "$(same -a 'n:=9223372036854775806')" ] && echo no rounding
same -a 's:="a\u0000b"' >out && echo NUL in a string is fine
same -a s=a:=b >out && echo only the first equals sign counts
# refused
sign --tool x -a n
sign --tool x -a =v
sign --tool x -a :=1
sign --tool x -a n=1 -a n=2
sign --tool x -a n=1 --args '{"n":2}'
sign --tool x -a n:=
sign --tool x -a 'n:={"a":1,"a":2}'
sign --tool x -a n:=9223372036854775808
sign --tool x -a n:=-9223372036854775809
sign --tool x -a n:=1e999
sign --tool x -a 'n:=1 2'
sign --tool x -a 'n:=NaN'
sign --tool x -a 'n:={"a\u0000":1}'
sign --tool x -a "n:=\"$(printf '\377')\""
sign --tool x --args '[1]'
sign --tool x --args '{"n":1,"n":2}'
sign --tool x --args '{"n":1'
sign --tool x --args @missing.json
head -c 2200000 /dev/zero | tr '\0' ' ' >big.json
sign --tool x --args @big.json
nest() { i=0 open= close=; while [ $i -lt "$1" ]; do open="$open[" close="$close]" i=$((i + 1)); done; }
nest 64; same -a "n:=$open$close" >out && echo 64 levels
nest 65; sign --tool x -a "n:=$open$close"
nest 100000; printf '{"n":%s%s}' "$open" "$close" >deep.json
sign --tool x --args @deep.json
sign --tool x --json -a n=1 -a n=2
t sign bob.tenuo --key alice.key --at $T --tool x
t sign bob.tenuo --key alice.key --at $T --tool x --json
t sign missing.tenuo --key bob.key --tool x
