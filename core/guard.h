/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Secret keys in guarded memory: slots of 64 bytes, a seed and its public key, in pages of libsodium that are locked,
 * left out of core dumps, fenced by guard pages, and empty in a forked child. Not locked against threads: the owner's
 * lock is.
 */
#ifndef TN_GUARD_H
#define TN_GUARD_H

#include <stdbool.h>
#include <stdint.h>

#include "log.h"

struct tn_guard_page;

#define TN_GUARD_SLOT 64 /* bytes */

struct tn_guard {
    struct tn_guard_page *pages;
    const struct tn_log *log;
    bool warned; /* that memory could not be locked: said once */
};

/* Zeroed slot; NULL when memory is out. */
uint8_t *tn_guard_take(struct tn_guard *g);
/* Wipes it. NULL is fine; so is one that the guard does not know (of the parent, after a fork). */
void tn_guard_give(struct tn_guard *g, uint8_t *slot);
/* Wipes and frees every page. */
void tn_guard_free(struct tn_guard *g);
/* In a forked child: lets go of the parent's pages, which are empty here, without touching them. */
void tn_guard_forget(struct tn_guard *g);

#endif
