#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# install_moto.sh: puts moto, a stand-in for the cloud's services that checks signatures and policies, into a virtualenv of its own, once:
# $TENUO_CACHE/moto-VERSION, and prints the path of its python. A test tool only: never shipped.
set -eu
moto=5.2.5
boto3=1.44.5
: "${TENUO_CACHE:?}"
target=$TENUO_CACHE/moto-$moto
[ ! -e "$target/ready" ] || { echo "$target/bin/python"; exit 0; }
mkdir -p "$target"
exec 9>"$target.lock"
flock 9
[ ! -e "$target/ready" ] || { echo "$target/bin/python"; exit 0; }
rm -rf "$target"
python3 -m venv "$target"
"$target/bin/pip" install -q --disable-pip-version-check "moto[server,iam,kms,secretsmanager,ssm,sts]==$moto" "boto3==$boto3" >&2
: >"$target/ready"
echo "$target/bin/python"
