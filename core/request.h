/* SPDX-License-Identifier: Apache-2.0 */
/* The inside of a request. */
#ifndef TN_REQUEST_H
#define TN_REQUEST_H

#include "limits.h"
#include "value.h"
#include <tenuo/request.h>

struct tn_attr {
    char name[TN_MAX_ATTRIBUTE_NAME + 1];
    char value[TN_MAX_ATTRIBUTE_VALUE + 1];
};

struct tenuo_request {
    struct tn_str tool; /* points to tool_text */
    uint8_t tool_text[TN_MAX_TOOL_NAME];
    struct tenuo_args *args, *cargs; /* NULL: none; cargs NULL: the same as args */
    bool has_cargs, has_pop, has_pop_as_of;
    bool is_retry; /* replay stores are not asked */
    uint8_t pop[64];
    int64_t pop_as_of;
    uint32_t pop_bound; /* seconds */
    int64_t peer_uid, peer_pid; /* -1: unknown */
    char id[TN_MAX_ATTRIBUTE_VALUE + 1];
    struct tenuo_approval **approvals; /* owned, in the order of presentation */
    size_t napprovals;
    struct tn_attr *attrs;
    size_t nattrs;
};

/* pop.c: array of [key, value] pairs, the arguments' form in PoP and dedup key. */
void tn_put_arg_pairs(struct tn_buf *b, const struct tenuo_args *args);
/* Is the PoP good at `as_of`? 0 with the start of the window that it was signed for, 1100 or 9000. Windows above 10
 * count as 10. */
int tn_pop_check(const struct tenuo_warrant *w, struct tn_str tool, const struct tenuo_args *args,
                 const uint8_t pop[64], int64_t as_of, uint32_t windows, int64_t *ret_window);

#endif
