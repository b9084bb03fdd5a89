#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# staged.sh PLUGINS COMMAND...: runs a command with the matcher plugins of a build folder in a private folder of their own, since no
# plugin is loaded from a place that others may write to.
set -eu
umask 077
plugins=${1:?usage: staged.sh PLUGINS COMMAND...}
shift
TENUO_FUZZ_PLUGINS=$(mktemp -d /tmp/tenuo-fuzz.XXXXXX)
export TENUO_FUZZ_PLUGINS
trap 'rm -rf "$TENUO_FUZZ_PLUGINS"' EXIT
trap 'exit 1' HUP INT TERM
for name in regex cel; do
    [ ! -e "$plugins/tenuo_$name.so" ] || cp "$plugins/tenuo_$name.so" "$TENUO_FUZZ_PLUGINS/"
done
"$@"
