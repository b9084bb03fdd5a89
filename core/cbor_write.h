/* SPDX-License-Identifier: Apache-2.0 */
/* Deterministic CBOR output into a growing, bounded buffer. A failed allocation sticks: check `failed` once at the end.
 */
#ifndef TN_CBOR_WRITE_H
#define TN_CBOR_WRITE_H

#include "str.h"

struct tn_buf {
    uint8_t *p;
    size_t n, cap;
    bool failed;
};

void tn_buf_free(struct tn_buf *b);
void tn_buf_put(struct tn_buf *b, const void *p, size_t n);
void tn_buf_str(struct tn_buf *b, struct tn_str s);
static inline struct tn_str tn_buf_view(const struct tn_buf *b)
{
    return (struct tn_str){ b->p, b->n };
}

void tn_put_uint(struct tn_buf *b, uint64_t v);
void tn_put_int(struct tn_buf *b, int64_t v);
void tn_put_bytes(struct tn_buf *b, struct tn_str s);
void tn_put_text(struct tn_buf *b, struct tn_str s);
void tn_put_array(struct tn_buf *b, size_t n);
void tn_put_map(struct tn_buf *b, size_t n);
void tn_put_bool(struct tn_buf *b, bool v);
void tn_put_null(struct tn_buf *b);
/* Shortest width that keeps the value; every NaN is f97e00 (spec warrant.md 1.8). */
void tn_put_float(struct tn_buf *b, double v);
/* The same as bits; returns the width in bytes. */
unsigned tn_float_bits(double v, uint64_t *ret_bits);
/* Bytes as an array of small integers, the form of parent_hash and extension values (1.5). */
void tn_put_int_array(struct tn_buf *b, struct tn_str s);

#endif
