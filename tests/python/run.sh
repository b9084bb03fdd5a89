#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# run.sh PART SOURCE BUILD: one part of the suite temporal. package: the wheel, built and installed into a clean environment, types and
# docs; core: tenuo_core and tenuo; temporal: tenuo.temporal. The last line counts. Tools from PyPI go into $TENUO_CACHE, once.
set -eu
part=$1 source=$2 build=$3
: "${TENUO_CACHE:?}"
export PYTHONDONTWRITEBYTECODE=1
tools=$(sh "$source/tests/python/tools.sh")
export PATH="$tools/bin:$PATH"
wheel() { # builds the wheel once for all parts, from a copy of the sources
    exec 9>"$build/wheel.lock"
    flock 9
    if [ ! -f "$build/wheel/done" ] || [ -n "$(find "$source/python" "$source/core" "$source/plugins" "$source/common" "$source/include" \
        "$source/meson.build" "$source/pyproject.toml" -name '*.so' -prune -o -type f -newer "$build/wheel/done" -print | head -n 1)" ]; then
        rm -rf "$build/wheel" "$build/site"
        mkdir -p "$build/wheel"
        pip wheel -q --disable-pip-version-check --no-build-isolation --no-deps -w "$build/wheel" "$source" >"$build/wheel.log" 2>&1 ||
            { cat "$build/wheel.log" >&2; echo "0 passed, 1 failed, 0 skipped"; exit 1; }
        pip install -q --disable-pip-version-check --no-deps --target "$build/site" "$build"/wheel/tenuo-*.whl
        touch "$build/wheel/done"
    fi
    exec 9>&-
}
wheel
for p in "$TENUO_CACHE"/interop-*/bin/python; do
    [ ! -x "$p" ] || export TENUO_REFERENCE_PYTHON="$p"
done
cd "$source/python"
case $part in
package) exec python "$source/tests/python/package.py" "$source" "$build" ;;
core) set -- tests/test_core_*.py tests/test_objects_*.py ;;
temporal) set -- tests/test_temporal*.py ;;
esac
# Not by `python -m`: the sources beside the tests must not stand in for the installed package.
PYTHONPATH="$build/site" exec pytest -q -p no:cacheprovider "$@"
