/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The inside of a signed revocation list: ids packed and sorted, 16 bytes each. What is no id of a warrant ("odd") is
 * kept as text, for hashes and comparisons alone.
 */
#ifndef TN_SRL_H
#define TN_SRL_H

#include <stdatomic.h>

#include "cbor_write.h"
#include "str.h"
#include <tenuo/revocation.h>

#define TN_SRL_ID_TEXT (TENUO_WARRANT_ID_TEXT_BYTES - 1) /* "tnu_wrt_" + 32 digits */

struct tenuo_srl {
    atomic_uint refs;
    uint64_t version, issued_at;
    uint8_t issuer[32], sha256[32];
    uint8_t (*ids)[16]; /* sorted; ids given twice stand twice */
    size_t nids;
    struct tn_str *odd; /* sorted by bytes, likewise; point into text */
    size_t nodd;
    uint8_t *text;
    size_t different; /* ids without repetition */
    struct tenuo_srl *newest; /* of a union: the list whose version and hash it has; else NULL */
};

/* Walks ids and odd texts together in byte order, repetitions included. */
struct tn_srl_walk {
    const struct tenuo_srl *srl;
    size_t i, j;
    char text[TENUO_WARRANT_ID_TEXT_BYTES];
};
/* False at the end; *ret is lent until the next step. */
bool tn_srl_step(struct tn_srl_walk *w, struct tn_str *ret);
/* The same without repetitions: steps over everything that equals *ret. */
bool tn_srl_step_over(struct tn_srl_walk *w, struct tn_str *ret);

/* True when the text is exactly a warrant's id as lists write it. */
bool tn_srl_id(struct tn_str text, uint8_t ret_id[16]);
void tn_srl_id_text(const uint8_t id[16], char ret_text[TENUO_WARRANT_ID_TEXT_BYTES]);
/* With room for so many ids and odd texts (0: NULL); NULL when memory is out. */
struct tenuo_srl *tn_srl_new(size_t nids, size_t nodd);
/* Sorts both arrays and counts, once they are filled. */
void tn_srl_settle(struct tenuo_srl *srl);
/* srl_rules.c: may what is accepted now follow what is remembered? 0, 1802, 1803. */
int tn_srl_check_floor(const struct tenuo_srl_floor *next, const struct tenuo_srl_floor *floor,
                       struct tenuo_error *err);
int tn_srl_id_cmp(const void *a, const void *b);
int tn_srl_odd_cmp(const void *a, const void *b);

#endif
