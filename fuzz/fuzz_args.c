/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Argument maps and values: accepted ones give one hash and one PoP preimage, and canonical bytes read back as
 * themselves.
 */
#include "fuzz.h"

static void require_value(const uint8_t *data, size_t size)
{
    struct tenuo_value *value = NULL, *again = NULL;
    size_t n = 0, m = 0;
    if (tenuo_value_parse(data, size, &value, NULL) != 0)
        return;
    const uint8_t *bytes = tenuo_value_cbor(value, &n);
    REQUIRE(tenuo_value_parse(bytes, n, &again, NULL) == 0);
    const uint8_t *second = tenuo_value_cbor(again, &m);
    REQUIRE(n == m && memcmp(bytes, second, n) == 0);
    tenuo_value_free(again);
    tenuo_value_free(value);
}

static void require_args(const uint8_t *data, size_t size)
{
    static const char id[] = "tnu_wrt_00000000000000000000000000000000";
    struct tenuo_args *args = NULL;
    struct tenuo_request *request = NULL;
    uint8_t a[32] = { 0 }, b[32] = { 1 };
    if (tenuo_args_parse(data, size, &args, NULL) != 0)
        return;
    REQUIRE(tenuo_request_hash(id, "t", 1, args, NULL, a, NULL) == tenuo_request_hash(id, "t", 1, args, NULL, b, NULL));
    REQUIRE(memcmp(a, b, sizeof a) == 0);
    REQUIRE(tenuo_request_new("t", 1, &request, NULL) == 0 && tenuo_request_set_args(request, args, NULL) == 0);
    tenuo_request_free(request);
    tenuo_args_free(args);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    require_value(data, size);
    require_args(data, size);
    return 0;
}
