# SPDX-License-Identifier: Apache-2.0
"""native.py HEADERS OUTPUT: writes the C source of the extension module tenuo_core._native.

The declarations are those of libtenuo's public headers themselves, so the binding cannot drift from the library: what the headers no
longer say does not compile. Built against Python's limited API, one module serves every Python from 3.11 on.
"""

import pathlib
import re
import sys

import cffi

# Order matters: a header after those that it includes.
HEADERS = ("error", "version", "warrant", "key", "request", "matchers", "constraint", "verify", "approval", "mint", "context", "explain", "receipt",
           "revocation", "store")

EXTRA = """
int tenuo_py_count_import(void);
extern "Python" void tenuo_py_diag(void *arg, int is_error, const char *line);
"""

# alloca.h: what cffi writes calls alloca, and not every version of cffi declares it; undeclared it is a symbol that no library has.
SOURCE = """
#include <alloca.h>
#include <stdatomic.h>
#include <tenuo/tenuo.h>
/* How often the module's Python body ran before in this process. A second time means that it was imported afresh, as a workflow sandbox
 * does without passthrough: the count is kept here because everything in Python is then new. */
static atomic_int imports;
static int tenuo_py_count_import(void) { return atomic_fetch_add(&imports, 1); }
"""


def without_noise(text):
    text = re.sub(r"/\*.*?\*/", " ", text, flags=re.S)
    text = text.replace("\\\n", " ")
    out = []
    for line in text.split("\n"):
        if re.match(r"\s*#", line):
            number = re.match(r"\s*#define\s+(TENUO_\w+)\s+(\d+u?)\s*$", line)
            if number:
                out.append(f"#define {number.group(1)} {number.group(2)}")
            continue
        out.append(line)
    text = "\n".join(out)
    text = re.sub(r'extern\s+"C"\s*\{', "", text)
    text = re.sub(r"\bTENUO_(API|MUST_USE|PRINTF\([^)]*\))", "", text)
    return re.sub(r"^\}\s*$", "", text, flags=re.M)


def declarations(folder):
    parts = []
    for name in HEADERS:
        path = folder / f"{name}.h"
        parts.append(without_noise((path if path.exists() else folder / f"{name}.h.in").read_text(encoding="utf-8")))
    return "\n".join(parts)


def main():
    headers, output = pathlib.Path(sys.argv[1]), pathlib.Path(sys.argv[2])
    ffi = cffi.FFI()
    ffi.set_source("tenuo_core._native", SOURCE, py_limited_api=True)
    ffi.cdef(declarations(headers) + EXTRA)
    ffi.emit_c_code(str(output))


if __name__ == "__main__":
    main()
