# SPDX-License-Identifier: Apache-2.0
# needs plugins
# needs redis
warrants
configuration
redis-server --port 0 --unixsocket "$DIR/s" --dir "$DIR" --save '' --appendonly no >/dev/null 2>&1 &
redis=$!
i=0
while [ ! -S s ] && [ $i -lt 200 ]; do
    sleep 0.05
    i=$((i + 1))
done
echo "replay    required    redis  socket=$DIR/s" >>tenuo.conf
mask() { sed -e 's/\(decision *\)[0-9a-f]\{32\}/\1ID/' -e 's/"decision_id":"[0-9a-f]*"/"decision_id":"ID"/' -e 's/in [0-9]* ms/in N ms/' \
        -e 's/"tool":.*"audited"/... "audited"/'; }
pop() { "$TENUO" sign bob.tenuo --key bob.key --at $T --tool read_file -a path="$1"; }
good=$(pop /data/reports/a)
au() { t authorize bob.tenuo --conf "$DIR/tenuo.conf" --at $T --tool read_file "$@" >out; mask <out; }
t conf check --conf "$DIR/tenuo.conf"
# one proof, one call; another request id makes it another call, which is why the id must not come with the call
au -a path=/data/reports/a --pop "$good"
au -a path=/data/reports/a --pop "$good"
au -a path=/data/reports/a --pop "$good" --json
au -a path=/data/reports/a --pop "$good" --request-id r-1 -q
au -a path=/data/reports/a --pop "$good" --request-id r-1 -q
au -a path=/data/reports/a --pop "$good" --request-id r-2 -q
au -a path=/data/reports/b --pop "$(pop /data/reports/b)" -q
# the steps of a context: replay is asked, and a denial is recorded too
au -a path=/data/reports/c --pop "$(pop /data/reports/c)" --explain >steps; grep -E ' (replay|audit) ' steps
au -a path=/data/reports/c --pop "$(pop /data/reports/c)" --explain >steps; grep -E ' (replay|audit) ' steps
au -a path=/data/c --pop "$(pop /data/c)" --explain >steps; grep -E ' (replay|audit) ' steps
# a denial uses nothing up
au -a path=/data/c --pop "$(pop /data/c)" -q
# the store is gone: nothing can be decided
kill -9 $redis
wait $redis 2>/dev/null
au -a path=/data/reports/a --pop "$good" --request-id r-3
au -a path=/data/reports/a --pop "$good" --request-id r-3 --json
sed 's/.*"decision":"\([a-z]*\)","code":\([0-9]*\).*/\1 \2/' audit/audit.jsonl
