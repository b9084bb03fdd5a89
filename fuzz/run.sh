#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# run.sh BUILD [SECONDS]: runs every fuzz target of a build folder for so many seconds each (60), from seeds of the vectors. Targets built
# with libFuzzer (clang) search; targets built with replay.c go through the seeds and random inputs. Ends with a count line.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
build=${1:?usage: run.sh BUILD [SECONDS]}
seconds=${2:-60}
seeds=$build/fuzz-seeds
passed=0
failed=0
command -v python3 >/dev/null 2>&1 && python3 "$here/seeds.py" "$here/../tests/vectors" "$seeds"
mkdir -p "$seeds/conf" "$seeds/plugin_elf"
cp "$here"/../tests/conf/*.conf "$seeds/conf/"
find "$build/tests/plugin" -maxdepth 1 -name 'mock_marker.so' -exec cp {} "$seeds/plugin_elf/" \; 2>/dev/null || true
for program in "$build"/fuzz/fuzz_*; do
    [ -f "$program" ] && [ -x "$program" ] || continue
    target=${program##*/fuzz_}
    mkdir -p "$seeds/$target" "$build/fuzz-corpus/$target"
    if "$program" -help=1 2>&1 | grep -q max_total_time; then
        set -- -max_total_time="$seconds" -max_len=16384 -print_final_stats=0 -artifact_prefix="$build/fuzz-corpus/crash-$target-" \
            "$build/fuzz-corpus/$target" "$seeds/$target"
    else
        set -- -n 300000 "$seeds/$target"
    fi
    if sh "$here/staged.sh" "$build/plugins" "$program" "$@" >"$build/fuzz-$target.log" 2>&1; then
        passed=$((passed + 1))
        echo "ok - fuzz_$target"
    else
        failed=$((failed + 1))
        echo "not ok - fuzz_$target, see $build/fuzz-$target.log"
        tail -n 5 "$build/fuzz-$target.log"
    fi
done
echo "$passed passed, $failed failed, 0 skipped"
[ "$failed" -eq 0 ] && [ "$passed" -gt 0 ]
