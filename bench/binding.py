# SPDX-License-Identifier: Apache-2.0
"""binding.py LIBRARY: what a call from Python into libtenuo costs by cffi's compiled module, which is what the package uses, and by ctypes.
Nanoseconds, best of several rounds; the work in C is the same."""

import ctypes
import sys
import time

from tenuo_core import SigningKey, Warrant, _native
from tenuo_core.values import Args

ffi, lib = _native.ffi, _native.lib
plain = ctypes.CDLL(sys.argv[1])


def best(work, count=20000):
    found = float("inf")
    for _ in range(7):
        began = time.perf_counter()
        for _ in range(count):
            work()
        found = min(found, (time.perf_counter() - began) / count)
    return found * 1e9


def value_cffi():
    out = ffi.new("struct tenuo_value **")
    lib.tenuo_value_string(b"hello", 5, out, ffi.NULL)
    lib.tenuo_value_free(out[0])


def value_ctypes():
    out = ctypes.c_void_p()
    plain.tenuo_value_string(b"hello", 5, ctypes.byref(out), None)
    plain.tenuo_value_free(out)


def main():
    plain.tenuo_err_http_status.argtypes = [ctypes.c_int]
    plain.tenuo_value_string.argtypes = [ctypes.c_char_p, ctypes.c_size_t, ctypes.POINTER(ctypes.c_void_p), ctypes.c_void_p]
    plain.tenuo_value_free.argtypes = [ctypes.c_void_p]
    key = SigningKey.generate()
    warrant = Warrant.mint_builder().tool("t").mint(key)
    args = Args({"path": "/data/x"})
    print(f"a call without work:       cffi {best(lambda: lib.tenuo_err_http_status(1300)):6.0f} ns, "
          f"ctypes {best(lambda: plain.tenuo_err_http_status(1300)):6.0f} ns")
    print(f"make and free a value:     cffi {best(value_cffi):6.0f} ns, ctypes {best(value_ctypes):6.0f} ns")
    print(f"arguments of a call:       {best(lambda: Args({'path': '/data/x'}), 2000):6.0f} ns")
    print(f"proof of possession:       {best(lambda: warrant.sign(key, 't', args, 1000), 500):6.0f} ns")


main()
