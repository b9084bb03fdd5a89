/* SPDX-License-Identifier: Apache-2.0 */
/* What a control plane may answer, any bytes. Properties: what is no JSON stays as it is; a list that was taken out is
 * shorter than what it came in; a refusal has a reason. */
#include "../plugins/http/body.c"

#include "fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    uint8_t *body = malloc(size + 1);
    const char *why = NULL;
    size_t len = size;
    REQUIRE(body != NULL);
    if (size != 0)
        memcpy(body, data, size);
    if (http_unwrap(&body, &len, &why)) {
        REQUIRE(is_json(data, size) ? len < size : len == size && (size == 0 || memcmp(body, data, size) == 0));
    } else {
        REQUIRE(why != NULL);
    }
    free(body);
    return 0;
}
