# SPDX-License-Identifier: Apache-2.0
# needs plugins
# Constraints that plugins judge: without a configuration, with one, and without the plugin.
configuration
sed '/^audit/d' tenuo.conf >plain.conf
printf 'matcher required regex\n' >matcher.conf
cat plain.conf matcher.conf >regex.conf
P="--plugin-dir $DIR/plugins"
ask() { # VALUE OPTION...: is the call allowed, and why not
    value=$1
    shift
    quiet sign a.tenuo --key alice.key --at $T --tool get -a "id=$value" -o a.pop
    "$TENUO" authorize a.tenuo --at $T --tool get -a "id=$value" --pop @a.pop "$@" 2>&1 | sed -n 1,2p
}

echo 'an expression is made, and judged by the shipped plugin'
t mint --key root.key --holder alice.pub --at $T --ttl 1h --id $ID1 --tool get -c 'id=regex:^ord-[0-9]{4}$' $P -o a.tenuo
ask ord-4711 --root root.pub $P
ask ord-x --root root.pub $P
ask ord-4711 --root root.pub --plugin-dir "$DIR/none"
ask ord-4711 --root root.pub $P --matcher regex
ask ord-4711 --root root.pub $P --matcher cel
ask ord-4711 --root root.pub --matcher plugins/tenuo_regex.so
ask ord-4711 --root root.pub $P --matcher nothing
echo 'a configuration has its lines and no others'
ask ord-4711 --conf regex.conf
ask ord-x --conf regex.conf
ask ord-4711 --conf plain.conf
ask ord-4711 --conf regex.conf --matcher regex
echo 'below it goes the same expression, or a value that it matches'
child() { t attenuate a.tenuo --key alice.key --holder bob.pub --at $T --id $ID2 --tool get "$@" -o b.tenuo; }
child $P
child $P -c id=exact:ord-4711
child $P -c id=exact:ord-x
child $P -c 'id=regex:^ord-[0-9]+$'
child --plugin-dir "$DIR/none" -c id=exact:ord-4711
child --conf regex.conf -c id=exact:ord-4711
child --conf plain.conf -c id=exact:ord-4711
t verify b.tenuo --root root.pub --at $T $P | sed -n 1,2p
t verify b.tenuo --root root.pub --at $T --plugin-dir "$DIR/none" | sed -n 1,2p
t inspect --diff b.tenuo $P | tail -n 4
echo 'what cannot be read is warned about, what is not anchored too'
t mint --key root.key --holder alice.pub --at $T --id $ID1 --tool get -c 'id=regex:^(?=a)b$' $P -o a.tenuo
ask ab --root root.pub $P
t mint --key root.key --holder alice.pub --at $T --id $ID1 --tool get -c 'id=regex:ord' $P -o a.tenuo
t mint --key root.key --holder alice.pub --at $T --id $ID1 --tool get -c 'id=cel:value ==' $P -o a.tenuo
echo 'expressions of both kinds, below each other'
t mint --key root.key --holder alice.pub --at $T --ttl 1h --id $ID1 --tool get $P -o a.tenuo \
    --constraint-json 'id={"all":[{"regex":"^a"},{"cel":"size(value) < 4"}]}'
ask abc --root root.pub $P
ask abcd --root root.pub $P
ask bcd --root root.pub $P
ask "a$(printf '\303\251')" --root root.pub $P
# which line answers for which type
"$TENUO" plugin info cel --plugin-dir "$DIR/plugins" | grep -e ^kind -e ^types
