/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a shared object would do when it were loaded, read from its bytes alone: is it of our machine, does it define
 * the symbol, and which places would the dynamic linker search for it. Bounds-checked; the bytes may be anything.
 */
#ifndef TN_ELF_SCAN_H
#define TN_ELF_SCAN_H

#include <stddef.h>
#include <stdint.h>
#include <tenuo/error.h>

enum tn_elf_ref {
    TN_ELF_RPATH, /* colon-separated directories */
    TN_ELF_NEEDED /* name or path of another object that is loaded with it */
};

/* Called for each; `text` is NUL-terminated and lent. Anything but 0 ends the scan and is returned. */
typedef int tn_elf_ref_fn(void *arg, enum tn_elf_ref kind, const char *text, struct tenuo_error *err);

/* 9202 when the bytes are no shared object of this machine or do not define `symbol`. *ret_size is the symbol's size.
 */
int tn_elf_scan(const uint8_t *bytes, size_t len, const char *symbol, tn_elf_ref_fn *ref, void *arg, size_t *ret_size,
                struct tenuo_error *err);

#endif
