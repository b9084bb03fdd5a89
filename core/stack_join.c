/* SPDX-License-Identifier: Apache-2.0 */
/* A stack out of single warrants, for callers that keep them apart. What the envelopes say is decoded anew: nothing is
 * believed because it was parsed before. */
#include "cbor_write.h"
#include "err.h"
#include "limits.h"
#include "warrant.h"

int tenuo_stack_join(const struct tenuo_warrant *const *warrants, size_t count, struct tenuo_stack **ret_stack,
                     struct tenuo_error *reterr)
{
    struct tn_buf b = { 0 };
    int r;
    if (warrants == NULL || ret_stack == NULL || count == 0)
        return tn_fail(reterr, TENUO_E_INVALID_ARGUMENT, "tenuo_stack_join: a chain has at least one warrant");
    if (count > TN_MAX_CHAIN)
        return tn_fail_code(reterr, TENUO_E_CHAIN_TOO_LONG);
    tn_put_array(&b, count);
    for (size_t i = 0; i < count; i++) {
        size_t n = 0;
        const uint8_t *envelope = tn_warrant_envelope(warrants[i], &n);
        tn_buf_put(&b, envelope, n);
    }
    r = b.failed ? tn_fail_code(reterr, TENUO_E_NOMEM) : tenuo_stack_parse_array(b.p, b.n, ret_stack, reterr);
    tn_buf_free(&b);
    return r;
}
