/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The pre-scan of plugin files over any bytes. Properties: nothing is read outside, texts handed out end within the
 * file, outputs are untouched on failure, and a second scan says the same.
 */
#include "../core/elf_scan.c"

#include "fuzz.h"

struct seen {
    const uint8_t *bytes;
    size_t len, texts;
};

static int see(void *arg, enum tn_elf_ref kind, const char *text, struct tenuo_error *err)
{
    struct seen *s = arg;
    size_t at = (size_t)((const uint8_t *)text - s->bytes);
    (void)err;
    REQUIRE(kind == TN_ELF_RPATH || kind == TN_ELF_NEEDED);
    REQUIRE(at < s->len && at + strlen(text) < s->len);
    s->texts++;
    return TENUO_OK;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct seen first = { data, size, 0 }, second = { data, size, 0 };
    struct tenuo_error err;
    size_t a = SIZE_MAX, b = SIZE_MAX;
    int r = tn_elf_scan(data, size, "tenuo_plugin_v1", see, &first, &a, &err);
    REQUIRE(r == TENUO_OK || (a == SIZE_MAX && err.code == r));
    REQUIRE(tn_elf_scan(data, size, "tenuo_plugin_v1", see, &second, &b, NULL) == r && a == b &&
            first.texts == second.texts);
    return 0;
}
