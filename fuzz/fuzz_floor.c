/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A version floor of any bytes. Properties: a damaged one remembers nothing and says where; a good one is printed as it
 * was read, since no two texts may mean the same.
 */
#include "../core/revoke_floor.c"

#include "fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct tn_floor f = { .path = "/floor", .dir = -1, .lock = -1 };
    struct tenuo_error err = { 0 };
    size_t len = 0;
    if (size == 0 || size > TN_MAX_FLOOR_FILE)
        return 0;
    int r = parse(&f, data, size, &err);
    REQUIRE((r == TENUO_OK) == (err.code == 0));
    if (r == TENUO_OK) {
        char *text = print_all(&f, &len);
        REQUIRE(text != NULL);
        REQUIRE(len == size && memcmp(text, data, size) == 0);
        free(text);
    }
    tn_floor_close(&f);
    return 0;
}
