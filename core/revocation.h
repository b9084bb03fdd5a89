/* SPDX-License-Identifier: Apache-2.0 */
/* The inside of a snapshot, and the one question a decision asks it. */
#ifndef TN_REVOCATION_H
#define TN_REVOCATION_H

#include <stdatomic.h>

#include "srl.h"
#include "warrant.h"

struct tn_revocation_source {
    struct tenuo_srl *list; /* NULL: none available */
    int64_t fresh_until;
    char name[64]; /* escaped; "" when it has none */
    char why[192]; /* likewise */
};

struct tenuo_revocation {
    atomic_uint refs;
    size_t n;
    struct tn_revocation_source sources[];
};

/* Does the list say so itself, and not only an earlier one of a union? */
bool tn_revocation_names(const struct tenuo_srl *list, const uint8_t id[16]);
/* V2: every warrant, root to leaf, on every list. 1800 with *ret_link, or 9301 when a list is missing or not fresh. */
int tn_revocation_check(const struct tenuo_revocation *r, const struct tenuo_stack *s, int64_t as_of, int *ret_link,
                        struct tenuo_error *err);

#endif
