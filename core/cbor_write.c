/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Deterministic CBOR output. Heads come from libcbor's encoder; floats do not, because its half floats are wrong for
 * most subnormals.
 */
#include "cbor_write.h"

#include <cbor.h>
#include <math.h>
#include <stdlib.h>

void tn_buf_free(struct tn_buf *b)
{
    free(b->p);
    *b = (struct tn_buf){ 0 };
}

static bool reserve(struct tn_buf *b, size_t n)
{
    size_t cap = b->cap == 0 ? 256 : b->cap;
    uint8_t *p;
    if (b->failed || n > SIZE_MAX / 4 - b->n) {
        b->failed = true;
        return false;
    }
    if (b->n + n <= b->cap)
        return true;
    while (cap < b->n + n)
        cap *= 2;
    p = realloc(b->p, cap);
    if (p == NULL) {
        b->failed = true;
        return false;
    }
    b->p = p;
    b->cap = cap;
    return true;
}

void tn_buf_put(struct tn_buf *b, const void *p, size_t n)
{
    if (n == 0 || !reserve(b, n))
        return;
    memcpy(b->p + b->n, p, n);
    b->n += n;
}

void tn_buf_str(struct tn_buf *b, struct tn_str s)
{
    tn_buf_put(b, s.p, s.n);
}

#define HEAD_MAX 9

void tn_put_uint(struct tn_buf *b, uint64_t v)
{
    if (reserve(b, HEAD_MAX))
        b->n += cbor_encode_uint(v, b->p + b->n, HEAD_MAX);
}

void tn_put_int(struct tn_buf *b, int64_t v)
{
    if (v >= 0)
        tn_put_uint(b, (uint64_t)v);
    else if (reserve(b, HEAD_MAX))
        b->n += cbor_encode_negint((uint64_t)(-(v + 1)), b->p + b->n, HEAD_MAX);
}

void tn_put_bytes(struct tn_buf *b, struct tn_str s)
{
    if (reserve(b, HEAD_MAX))
        b->n += cbor_encode_bytestring_start(s.n, b->p + b->n, HEAD_MAX);
    tn_buf_str(b, s);
}

void tn_put_text(struct tn_buf *b, struct tn_str s)
{
    if (reserve(b, HEAD_MAX))
        b->n += cbor_encode_string_start(s.n, b->p + b->n, HEAD_MAX);
    tn_buf_str(b, s);
}

void tn_put_array(struct tn_buf *b, size_t n)
{
    if (reserve(b, HEAD_MAX))
        b->n += cbor_encode_array_start(n, b->p + b->n, HEAD_MAX);
}

void tn_put_map(struct tn_buf *b, size_t n)
{
    if (reserve(b, HEAD_MAX))
        b->n += cbor_encode_map_start(n, b->p + b->n, HEAD_MAX);
}

void tn_put_bool(struct tn_buf *b, bool v)
{
    tn_buf_put(b, v ? "\xf5" : "\xf4", 1);
}

void tn_put_null(struct tn_buf *b)
{
    tn_buf_put(b, "\xf6", 1);
}

/* The float's bits as a half when the half keeps them exactly (normal, subnormal, zero or infinity). */
static bool to_half(float f, uint16_t *ret)
{
    uint32_t bits, sign, mant, shift;
    int exp;
    memcpy(&bits, &f, sizeof bits);
    sign = (bits >> 16) & 0x8000u;
    exp = (int)((bits >> 23) & 0xff) - 127;
    mant = bits & 0x7fffffu;
    if (exp == 128 || (bits & 0x7fffffffu) == 0) { /* infinity (NaN never comes here) or zero */
        *ret = (uint16_t)(sign | (exp == 128 ? 0x7c00u : 0));
        return true;
    }
    if (exp > 15 || exp < -24)
        return false;
    if (exp >= -14) {
        *ret = (uint16_t)(sign | (uint32_t)(exp + 15) << 10 | mant >> 13);
        return (mant & 0x1fffu) == 0;
    }
    mant |= 0x800000u;
    shift = (uint32_t)(-exp - 1); /* subnormal half: units of 2^-24 */
    *ret = (uint16_t)(sign | mant >> shift);
    return (mant & ((1u << shift) - 1)) == 0;
}

static void put_be(struct tn_buf *b, uint8_t head, uint64_t bits, unsigned width)
{
    uint8_t out[HEAD_MAX] = { head };
    for (unsigned i = 0; i < width; i++)
        out[1 + i] = (uint8_t)(bits >> (8 * (width - 1 - i)));
    tn_buf_put(b, out, 1 + width);
}

unsigned tn_float_bits(double v, uint64_t *ret_bits)
{
    float f;
    uint16_t half;
    uint32_t b32;
    *ret_bits = 0x7e00;
    if (isnan(v))
        return 2;
    f = (float)v;
    if ((double)f != v) {
        memcpy(ret_bits, &v, sizeof v);
        return 8;
    }
    if (to_half(f, &half)) {
        *ret_bits = half;
        return 2;
    }
    memcpy(&b32, &f, sizeof b32);
    *ret_bits = b32;
    return 4;
}

void tn_put_float(struct tn_buf *b, double v)
{
    uint64_t bits;
    unsigned width = tn_float_bits(v, &bits);
    put_be(b, width == 2 ? 0xf9 : width == 4 ? 0xfa : 0xfb, bits, width);
}

void tn_put_int_array(struct tn_buf *b, struct tn_str s)
{
    tn_put_array(b, s.n);
    for (size_t i = 0; i < s.n; i++)
        tn_put_uint(b, s.p[i]);
}
