/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Signed approvals and their carriers: what is taken keeps its bytes, one envelope and an array of it are the same, and
 * a carrier that is refused leaves the request as it was.
 */
#include "fuzz.h"

static size_t taken(const uint8_t *data, size_t size)
{
    struct tenuo_request *request = NULL;
    size_t n;
    REQUIRE(tenuo_request_new("t", 1, &request, NULL) == 0);
    int rc = tenuo_request_add_approvals(request, data, size, NULL);
    n = tenuo_request_approval_count(request);
    REQUIRE(rc == 0 || n == 0);
    REQUIRE(rc == 0 || rc == TENUO_E_MALFORMED_CBOR || rc == TENUO_E_TOO_LARGE);
    tenuo_request_free(request);
    return n;
}

static void require_envelope(const uint8_t *data, size_t size)
{
    struct tenuo_request *request = NULL;
    uint8_t array[4097];
    REQUIRE(tenuo_request_new("t", 1, &request, NULL) == 0);
    if (tenuo_request_add_approval(request, data, size, NULL) == 0 && size < sizeof array) {
        array[0] = 0x81;
        memcpy(array + 1, data, size);
        REQUIRE(taken(array, size + 1) == 1);
    }
    tenuo_request_free(request);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct tenuo_approval *approval = NULL;
    size_t n = 0;
    if (tenuo_approval_parse(data, size, &approval, NULL) == 0) {
        const uint8_t *bytes = tenuo_approval_bytes(approval, &n);
        REQUIRE(n == size && memcmp(bytes, data, n) == 0);
        REQUIRE(tenuo_approval_expires_at(approval) > tenuo_approval_approved_at(approval));
        for (size_t i = 0; i < tenuo_approval_extension_count(approval); i++)
            REQUIRE(tenuo_approval_extension_key(approval, i, &n) != NULL);
        REQUIRE(taken(data, size) == 1);
    }
    tenuo_approval_free(approval);
    require_envelope(data, size);
    (void)taken(data, size);
    return 0;
}
