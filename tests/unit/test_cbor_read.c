/* SPDX-License-Identifier: Apache-2.0 */
/* The strict reader: one form of each item is taken, every other spelling is refused, and nothing is read beyond the
 * end. */
#include "../../core/cbor_read.h"
#include "../../core/cbor_write.h"
#include "tap.h"

#include <math.h>
#include <stdlib.h>

static size_t unhex(const char *hex, uint8_t *out)
{
    size_t n = strlen(hex) / 2;
    for (size_t i = 0; i < n; i++) {
        unsigned v = 0;
        sscanf(hex + 2 * i, "%2x", &v);
        out[i] = (uint8_t)v;
    }
    return n;
}

/* A heap copy of exactly the right size, so that a sanitizer sees any byte read behind it. */
static bool reads(const char *hex, struct tn_item *ret)
{
    uint8_t buf[64], *exact;
    size_t n = unhex(hex, buf);
    struct tn_reader r;
    bool good;
    exact = malloc(n + 1);
    memcpy(exact, buf, n);
    exact = realloc(exact, n == 0 ? 1 : n);
    tn_reader_init(&r, (struct tn_str){ exact, n }, NULL);
    good = tn_read_item(&r, ret) && r.p == r.end;
    free(exact);
    return good;
}

static void test_refused(void)
{
    static const char *const bad[][2] = {
        { "", "nothing" },
        { "18", "cut head" },
        { "1801", "1 in two bytes" },
        { "190018", "24 in three" },
        { "1a0000ffff", "65535 in five" },
        { "1b00000000ffffffff", "32 bits in nine" },
        { "3800", "-1 in two bytes" },
        { "1c", "reserved length" },
        { "5f4100ff", "indefinite bytes" },
        { "7f6100ff", "indefinite text" },
        { "9fff", "indefinite array" },
        { "bfff", "indefinite map" },
        { "ff", "break" },
        { "f7", "undefined" },
        { "f0", "simple value" },
        { "f820", "simple value in two bytes" },
        { "62fffe", "text that is no UTF-8" },
        { "62c080", "overlong UTF-8" },
        { "63eda080", "surrogate" },
        { "6441", "cut text" },
        { "9affffffff", "2^32 elements" },
        { "82", "array of two, nothing left" },
        { "a101", "map of one, one byte left" },
        { "5803010203", "long head for 3 bytes" },
        { "d80100", "tag 1 in two bytes" },
        { "f97c", "cut half" },
        { "fa000000", "cut single" },
    };
    for (size_t i = 0; i < TN_ARRAY_LEN(bad); i++) {
        struct tn_item item = { 0 };
        ok(!reads(bad[i][0], &item), "refused: %s (%s)", bad[i][1], bad[i][0]);
    }
}

static void test_taken(void)
{
    struct tn_item item = { 0 };
    ok(reads("17", &item) && item.kind == TN_UINT && item.num == 23, "23");
    ok(reads("1818", &item) && item.num == 24, "24");
    ok(reads("1bffffffffffffffff", &item) && item.num == UINT64_MAX, "2^64-1");
    ok(reads("20", &item) && item.kind == TN_NINT && item.num == 0, "-1");
    ok(reads("63e282ac", &item) && item.kind == TN_TEXT && item.str.n == 3, "text of three bytes");
    ok(reads("40", &item) && item.kind == TN_BYTES && item.str.n == 0, "empty bytes");
    ok(reads("f5", &item) && item.kind == TN_BOOL && item.num == 1, "true");
    ok(reads("f6", &item) && item.kind == TN_NULL, "null");
    ok(reads("f90001", &item) && item.kind == TN_FLOAT && item.real == ldexp(1, -24) && item.float_width == 2,
       "smallest half");
    ok(reads("f97e00", &item) && isnan(item.real), "NaN");
    ok(reads("f9fc00", &item) && isinf(item.real) && item.real < 0, "-infinity");
    ok(reads("80", &item) && item.kind == TN_ARRAY && item.num == 0, "empty array");
}

/* Every half float comes back as the shortest form of its value. */
static void test_floats(void)
{
    unsigned wrong = 0;
    for (uint32_t half = 0; half < 0x10000; half++) {
        uint8_t in[3] = { 0xf9, (uint8_t)(half >> 8), (uint8_t)half };
        struct tn_reader r;
        struct tn_item item = { 0 };
        struct tn_buf b = { 0 };
        tn_reader_init(&r, (struct tn_str){ in, 3 }, NULL);
        if (!tn_read_item(&r, &item) || isnan(item.real))
            continue;
        tn_put_float(&b, item.real);
        wrong += b.n != 3 || memcmp(b.p, in, 3) != 0;
        tn_buf_free(&b);
    }
    is_int(wrong, 0, "all half floats but NaN survive");
    for (size_t i = 0; i < 7; i++) {
        static const struct { double v; const char *hex;
        } t[] = {
            { 0.1, "fb3fb999999999999a" },   { 65504, "f97bff" }, { 65505, "fa477fe100" },
            { 1e10, "fa501502f9" },          { -0.0, "f98000" },  { 0.5, "f93800" },
            { 1e300, "fb7e37e43c8800759c" },
        };
        uint8_t want[16];
        struct tn_buf b = { 0 };
        size_t n = unhex(t[i].hex, want);
        tn_put_float(&b, t[i].v);
        ok(b.n == n && memcmp(b.p, want, n) == 0, "%g is %s", t[i].v, t[i].hex);
        tn_buf_free(&b);
    }
}

static void test_opaque(void)
{
    uint8_t deep[70];
    struct tn_reader r;
    struct tn_str s = { 0 };
    memset(deep, 0x81, sizeof deep);
    deep[64] = 0x00;
    tn_reader_init(&r, (struct tn_str){ deep, 65 }, NULL);
    ok(tn_read_opaque(&r, &s) && s.n == 65, "64 levels");
    deep[64] = 0x81;
    deep[65] = 0x00;
    tn_reader_init(&r, (struct tn_str){ deep, 66 }, NULL);
    ok(!tn_read_opaque(&r, &s) && r.code == TENUO_E_MALFORMED_CBOR, "65 levels are refused");
}

int main(void)
{
    test_refused();
    test_taken();
    test_floats();
    test_opaque();
    return done_testing();
}
