/* SPDX-License-Identifier: Apache-2.0 */
/* Values and argument maps: one canonical form whichever way they come in, and the equality of spec warrant.md 2.3. */
#include "../../core/value.h"
#include "tap.h"

#include <math.h>
#include <tenuo/constraint.h>
#include <tenuo/request.h>

static struct tenuo_value *number(double v)
{
    struct tenuo_value *value = NULL;
    return tenuo_value_float(v, &value) == TENUO_OK ? value : NULL;
}

static bool canonical_is(const uint8_t *in, size_t n, const uint8_t *want, size_t want_n)
{
    struct tenuo_value *v = NULL;
    size_t len = 0;
    const uint8_t *p;
    bool same;
    if (tenuo_value_parse(in, n, &v, NULL) != TENUO_OK)
        return false;
    p = tenuo_value_cbor(v, &len);
    same = len == want_n && memcmp(p, want, len) == 0;
    tenuo_value_free(v);
    return same;
}

#define BYTES(...) (const uint8_t[]){ __VA_ARGS__ }, sizeof((const uint8_t[]){ __VA_ARGS__ })

static void test_canonical(void)
{
    ok(canonical_is(BYTES(0xa2, 0x61, 'b', 0x01, 0x62, 'a', 'a', 0x02),
                    BYTES(0xa2, 0x62, 'a', 'a', 0x02, 0x61, 'b', 0x01)),
       "object keys are sorted by bytes, not by length");
    ok(canonical_is(BYTES(0xfa, 0x3f, 0x80, 0, 0), BYTES(0xf9, 0x3c, 0x00)), "a wide float becomes the shortest");
    ok(canonical_is(BYTES(0x81, 0xa1, 0x61, 'x', 0xa2, 0x61, 'b', 0xf6, 0x61, 'a', 0x80),
                    BYTES(0x81, 0xa1, 0x61, 'x', 0xa2, 0x61, 'a', 0x80, 0x61, 'b', 0xf6)), "deep inside too");
}

static void test_refused(void)
{
    struct tenuo_value *v = NULL;
    is_int(tenuo_value_parse(BYTES(0xa2, 0x61, 'b', 0x01, 0x61, 'b', 0x02), &v, NULL), 1202, "repeated key, in order");
    is_int(tenuo_value_parse(BYTES(0xa3, 0x61, 'b', 0x01, 0x61, 'a', 0x02, 0x61, 'b', 0x02), &v, NULL), 1202,
           "repeated key, out of order");
    is_int(tenuo_value_parse(BYTES(0x41, 'a'), &v, NULL), 1202, "byte string");
    is_int(tenuo_value_parse(BYTES(0xc0, 0x61, 'a'), &v, NULL), 1202, "tag");
    is_int(tenuo_value_parse(BYTES(0x1b, 0x80, 0, 0, 0, 0, 0, 0, 0), &v, NULL), 1202, "2^63");
    is_int(tenuo_value_parse(BYTES(0x01, 0x01), &v, NULL), 1202, "bytes behind");
    is_int(tenuo_value_string("\xff", 1, &v, NULL), TENUO_E_INVALID_ARGUMENT, "text that is no UTF-8");
    ok(v == NULL, "outputs are untouched on failure");
}

static int exact(const struct tenuo_value *want, const struct tenuo_value *got)
{
    struct tenuo_constraint *c = NULL;
    int match = -1;
    if (tenuo_constraint_exact(want, &c, NULL) != TENUO_OK)
        return -2;
    if (tenuo_constraint_match(c, got, NULL, 0, &match, NULL) != TENUO_OK)
        match = -3;
    tenuo_constraint_free(c);
    return match;
}

static void test_equality(void)
{
    struct tenuo_value *zero = number(0.0), *minus = number(-0.0), *nan_ = number((double)NAN), *one = number(1.0),
                       *i = NULL;
    ok(tenuo_value_int(1, &i) == TENUO_OK, "an integer");
    is_int(exact(zero, minus), 1, "0.0 equals -0.0");
    is_int(exact(minus, zero), 1, "-0.0 equals 0.0");
    is_int(exact(nan_, nan_), 0, "NaN equals nothing");
    is_int(exact(one, i), 0, "1 is not 1.0");
    is_int(exact(i, i), 1, "1 is 1");
    tenuo_value_free(zero);
    tenuo_value_free(minus);
    tenuo_value_free(nan_);
    tenuo_value_free(one);
    tenuo_value_free(i);
}

static void test_args(void)
{
    struct tenuo_args *a = NULL, *b = NULL;
    struct tenuo_value *v = NULL;
    uint8_t x[32], y[32];
    ok(tenuo_args_new(&a, NULL) == TENUO_OK && tenuo_value_int(7, &v) == TENUO_OK, "an empty map");
    ok(tenuo_args_put(a, "z", 1, v, NULL) == TENUO_OK && tenuo_args_put(a, "aa", 2, v, NULL) == TENUO_OK,
       "two arguments");
    is_int(tenuo_args_put(a, "z", 1, v, NULL), TENUO_E_INVALID_ARGUMENT, "a name twice");
    ok(tenuo_args_parse(BYTES(0xa2, 0x61, 'z', 0x07, 0x62, 'a', 'a', 0x07), &b, NULL) == TENUO_OK,
       "the same from CBOR");
    ok(tenuo_request_hash("w", "t", 1, a, NULL, x, NULL) == TENUO_OK &&
           tenuo_request_hash("w", "t", 1, b, NULL, y, NULL) == TENUO_OK && memcmp(x, y, 32) == 0,
       "both ways in give one hash");
    tenuo_args_free(a);
    tenuo_args_free(b);
    is_int(tenuo_args_parse(BYTES(0xa2, 0x61, 'z', 0x07, 0x61, 'z', 0x07), &b, NULL), 1202, "a repeated name in CBOR");
    tenuo_value_free(v);
}

int main(void)
{
    test_canonical();
    test_refused();
    test_equality();
    test_args();
    return done_testing();
}
