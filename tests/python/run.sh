#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# run.sh PART SOURCE BUILD: one part of the suite temporal. package: the wheel, built and installed into a clean environment, types and
# docs; core, pure, live, stores: groups of tests; bench: beside the reference; demo: the first example against a server that it starts. The last line of a test part
# counts. Tools from PyPI go into $TENUO_CACHE, once.
set -eu
part=$1 source=$2 build=$3
: "${TENUO_CACHE:?}"
export PYTHONDONTWRITEBYTECODE=1 TENUO_ENV=test
tools=$(sh "$source/tests/python/tools.sh")
export PATH="$tools/bin:$PATH"
sources() { find "$source/python" "$source/core" "$source/plugins" "$source/common" "$source/include" "$source/meson.build" "$source/pyproject.toml" \
    '(' -name '*.so' -o -name __pycache__ -o -name plugins -type l ')' -prune -o -type f -newer "$build/wheel/done" -print; }
wheel() { # builds the wheel once for all parts
    exec 9>"$build/wheel.lock"
    flock 9
    if [ ! -f "$build/wheel/done" ] || [ -n "$(sources | head -n 1)" ]; then
        rm -rf "$build/wheel" "$build/site"
        mkdir -p "$build/wheel"
        pip wheel -q --disable-pip-version-check --no-build-isolation --no-deps -w "$build/wheel" "$source" >"$build/wheel.log" 2>&1 ||
            { tail -n 30 "$build/wheel.log" >&2; echo "0 passed, 1 failed, 0 skipped"; exit 1; }
        pip install -q --disable-pip-version-check --no-deps --target "$build/site" "$build"/wheel/tenuo-*.whl
        touch "$build/wheel/done"
    fi
    exec 9>&-
}
wheel
export PYTHONPATH="$build/site"
cd "$source/python"
case $part in
package) unset PYTHONPATH; exec python "$source/tests/python/package.py" "$source" "$build" ;;
demo) exec python tests/demo.py ;;
bench)
    python "$source/bench/binding.py" "$build/site/tenuo_core/libtenuo.so.0"
    exec python "$source/bench/temporal.py" "$tools/bin/python" "$(sh "$source/tests/python/reference.sh")" ;;
core) set -- tests/test_core_objects.py tests/test_temporal_integration.py ;;
activity) set -- tests/test_temporal.py tests/test_temporal_examples.py ;;
live) set -- tests/test_temporal_live.py tests/test_temporal_peer.py tests/test_temporal_memory.py tests/test_temporal_nexus.py tests/test_temporal_histories.py ;;
live2) set -- tests/test_temporal_live2.py ;;
esac
TENUO_REFERENCE_PYTHON=$(sh "$source/tests/python/reference.sh" 2>/dev/null) || TENUO_REFERENCE_PYTHON=
export TENUO_REFERENCE_PYTHON
# Not by `python -m`: the sources beside the tests must not stand in for the installed package.
exec pytest -q -p no:cacheprovider "$@"
