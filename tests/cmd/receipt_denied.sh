# SPDX-License-Identifier: Apache-2.0
# needs plugins
# Receipts of denials that are about the chain are good when the chain fails as they say.
warrants
configuration
mkdir -m 0700 r
conf=$DIR/tenuo.conf
seed gate 192
cp gate.key keys/
printf 'set receipt_key gate\naudit required receipt path=%s/r/j\n' "$DIR" >>tenuo.conf
late=$((T + 700))
pop=$("$TENUO" sign bob.tenuo --key bob.key --at $late --tool read_file -a path=/data/reports/a)
"$TENUO" authorize bob.tenuo --conf "$conf" --at $late --tool read_file -a path=/data/reports/a --pop "$pop" --request-id r-1 -q || echo "= $?"
t receipt verify r/j.denied --signer gate.pub --root root.pub
t receipt verify r/j.denied --signer gate.pub --conf "$conf" --json | sed 's/"receipt":{.*},"claims"/"receipt":"...","claims"/'
# under another root it fails otherwise than it says
t receipt verify r/j.denied --signer gate.pub --root mallory.pub
