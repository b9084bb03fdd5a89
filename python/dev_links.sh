#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# dev_links.sh BUILD: lets Python run from this folder (PYTHONPATH=python) on the extension module and the plugins of a build made with
# -Dpython=true, without installing anything.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
build=$(cd "$1" && pwd)
ln -sfn "$build/python/_native.abi3.so" "$here/tenuo_core/_native.abi3.so"
ln -sfn "$build/plugins" "$here/tenuo_core/plugins"
