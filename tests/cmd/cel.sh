# SPDX-License-Identifier: Apache-2.0
# needs plugins
# Constraints that are expressions, from the first warrant over a child to calls at a service.
configuration
sed '/^audit/d' tenuo.conf >cel.conf
printf 'matcher required cel\n' >>cel.conf
P="--plugin-dir $DIR/plugins"
made() { t mint --key root.key --holder alice.pub --at $T --ttl 1h --id $ID1 --tool pay "$@" $P -o a.tenuo; }
ask() { # ARGUMENT: is the call allowed, and why not
    echo "# $1"
    quiet sign a.tenuo --key alice.key --at $T --tool pay -a "$1" -o a.pop
    "$TENUO" authorize a.tenuo --at $T --tool pay -a "$1" --pop @a.pop --conf cel.conf 2>&1 | sed -n 1,2p
}

echo 'an object is judged by its members'
made -c "order=cel:amount <= 100 && currency in ['EUR', 'USD'] && !has(tenuo_object().override)"
ask 'order:={"amount":100,"currency":"EUR"}'
ask 'order:={"amount":101,"currency":"EUR"}'
ask 'order:={"amount":1,"currency":"GBP"}'
ask 'order:={"amount":1,"currency":"EUR","override":false}'
ask 'order:={"currency":"EUR"}'
ask 'order=secret'
echo 'other values are one variable, and the time is that of the call'
made -c "order=cel:value.all(p, p.startsWith('/data/')) && time_is_expired('2029-12-31T23:59:59Z')"
ask 'order:=["/data/a","/data/b"]'
ask 'order:=["/data/a","/etc/b"]'
ask 'order:=[]'
made -c "order=cel:time_is_expired('2030-01-01T00:00:00Z')"
ask 'order=x'
made -c 'order:={"not":{"cel":"net_in_cidr(value, '"'10.0.0.0/8'"')"}}'
ask order=10.1.2.3
ask order=11.1.2.3
ask order=name
echo 'an expression that has no end is refused'
made -c 'order=cel:[1,2,3,4,5,6,7,8,9].map(a,[1,2,3,4,5,6,7,8,9].map(b,[1,2,3,4,5,6,7,8,9].map(c,[1,2,3,4,5,6,7,8,9].map(d,[1,2,3,4,5,6,7,8,9].map(e,a))))) == []'
ask order=x
echo 'below it goes the same expression, or the same and more'
made -c 'order=cel:value < 10'
child() { t attenuate a.tenuo --key alice.key --holder bob.pub --at $T --id $ID2 --tool pay "$@" $P -o b.tenuo; }
child
child -c 'order=cel:value<10'
child -c 'order=cel:(value < 10) && (value > 1)'
t verify b.tenuo --root root.pub --at $T $P | sed -n 1,2p
child -c 'order=cel:(value < 10) && value > 1'
child -c "order=cel:(value < 10) && ('(' == '') || (true || ')' == '')"
child -c 'order=cel:(value < 10) && (true) // more'
child -c 'order=cel:(value < 10) && (1 +)'
child -c 'order=exact:=5'
