/* SPDX-License-Identifier: Apache-2.0 */
/* Conversions between kinds: string, bytes, double, int, uint. */
#include "cel.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>

#include "../../core/cbor_read.h"

static struct cel_value keep_text(struct cel_run *run, const char *text, size_t n)
{
    uint8_t *copy = tn_cel_alloc(run, n);
    if (copy == NULL)
        return cel_error(run->fatal);
    memcpy(copy, text, n);
    return cel_text(copy, n);
}

/* The reference writes replacement characters for bytes that are no UTF-8. */
static struct cel_value text_of_bytes(const struct cel_value *v)
{
    return tn_utf8_valid(cel_str(v)) ? cel_text(v->p, v->n) : cel_error("bytes that are no UTF-8 make no text");
}

struct cel_value tn_cel_string(struct cel_call *c)
{
    const struct cel_value *v = &c->args[0];
    char buf[CEL_DOUBLE_TEXT];
    size_t n;
    switch (v->kind) {
    case CEL_STRING: return *v;
    case CEL_BYTES: tn_cel_charge(c->run, v->n / 64); return text_of_bytes(v);
    case CEL_INT: return keep_text(c->run, buf, (size_t)snprintf(buf, sizeof buf, "%" PRId64, v->i));
    case CEL_UINT: return keep_text(c->run, buf, (size_t)snprintf(buf, sizeof buf, "%" PRIu64, v->u));
    case CEL_DOUBLE:
        tn_cel_charge(c->run, 8);
        return keep_text(c->run, buf, tn_cel_format_double(v->d, buf));
    case CEL_TIME: return keep_text(c->run, buf, tn_cel_format_time(v, buf));
    case CEL_DURATION:
        n = tn_cel_format_duration(v, buf);
        return n == 0 ? tn_cel_fatal(c->run, "a duration is out of range") : keep_text(c->run, buf, n);
    default: return cel_error("string() takes a text, bytes, a number, a duration or a timestamp");
    }
}

struct cel_value tn_cel_bytes_of(struct cel_call *c)
{
    struct cel_value v = c->args[0];
    if (!cel_is(&v, CEL_STRING))
        return cel_error("bytes() takes a text");
    v.kind = CEL_BYTES;
    return v;
}

static bool equals_ignoring_case(struct tn_str s, const char *word)
{
    size_t n = strlen(word);
    if (s.n != n)
        return false;
    for (size_t i = 0; i < n; i++)
        if (tn_lower(s.p[i]) != (uint8_t)word[i])
            return false;
    return true;
}

/* inf, infinity and nan in any case, else a decimal number and nothing around it. */
static bool parse_real(struct tn_str s, double *ret)
{
    bool minus = s.n > 0 && s.p[0] == '-', broken;
    struct tn_str bare = s;
    if (s.n > 0 && (s.p[0] == '-' || s.p[0] == '+'))
        bare = (struct tn_str){ s.p + 1, s.n - 1 };
    if (equals_ignoring_case(bare, "inf") || equals_ignoring_case(bare, "infinity")) {
        *ret = minus ? -(double)INFINITY : (double)INFINITY;
        return true;
    }
    if (equals_ignoring_case(bare, "nan")) {
        *ret = (double)NAN;
        return true;
    }
    return s.n > 0 && tn_cel_float_prefix(s, &broken) == s.n && tn_cel_parse_double(s, ret);
}

struct cel_value tn_cel_double_of(struct cel_call *c)
{
    const struct cel_value *v = &c->args[0];
    double d = 0;
    switch (v->kind) {
    case CEL_DOUBLE: return *v;
    case CEL_INT: return cel_double((double)v->i);
    case CEL_UINT: return cel_double((double)v->u);
    case CEL_STRING:
        tn_cel_charge(c->run, v->n / 16);
        return parse_real(cel_str(v), &d) ? cel_double(d) : cel_error("a text is no number");
    default: return cel_error("double() takes a number or a text");
    }
}

/* Towards zero; the bounds themselves are let through and then cut, as the reference does. */
static struct cel_value int_of_double(double d)
{
    if (isnan(d))
        return cel_int(0);
    if (d > 9223372036854775808.0 || d < -9223372036854775808.0)
        return cel_error("a number is out of range");
    return cel_int(d >= 9223372036854775808.0 ? INT64_MAX : (int64_t)d);
}

static struct cel_value int_of_text(struct tn_str s)
{
    bool minus = s.n > 0 && s.p[0] == '-';
    uint64_t v;
    if (s.n > 0 && (s.p[0] == '-' || s.p[0] == '+'))
        s = (struct tn_str){ s.p + 1, s.n - 1 };
    if (!tn_cel_parse_u64(s, 10, &v) || v > (uint64_t)INT64_MAX + minus)
        return cel_error("a text is no integer");
    return cel_int(minus ? (int64_t)(0 - v) : (int64_t)v);
}

struct cel_value tn_cel_int_of(struct cel_call *c)
{
    const struct cel_value *v = &c->args[0];
    switch (v->kind) {
    case CEL_INT: return *v;
    case CEL_UINT: return v->u > INT64_MAX ? cel_error("a number is out of range") : cel_int((int64_t)v->u);
    case CEL_DOUBLE: return int_of_double(v->d);
    case CEL_STRING: tn_cel_charge(c->run, v->n / 16); return int_of_text(cel_str(v));
    default: return cel_error("int() takes a number or a text");
    }
}

static struct cel_value uint_of_double(double d)
{
    if (isnan(d))
        return cel_uint(0);
    if (d > 18446744073709551616.0 || d < 0)
        return cel_error("a number is out of range");
    return cel_uint(d >= 18446744073709551616.0 ? UINT64_MAX : (uint64_t)d);
}

static struct cel_value uint_of_text(struct tn_str s)
{
    uint64_t v;
    if (s.n > 0 && s.p[0] == '+')
        s = (struct tn_str){ s.p + 1, s.n - 1 };
    return tn_cel_parse_u64(s, 10, &v) ? cel_uint(v) : cel_error("a text is no unsigned integer");
}

struct cel_value tn_cel_uint_of(struct cel_call *c)
{
    const struct cel_value *v = &c->args[0];
    switch (v->kind) {
    case CEL_UINT: return *v;
    case CEL_INT: return v->i < 0 ? cel_error("a number is out of range") : cel_uint((uint64_t)v->i);
    case CEL_DOUBLE: return uint_of_double(v->d);
    case CEL_STRING: tn_cel_charge(c->run, v->n / 16); return uint_of_text(cel_str(v));
    default: return cel_error("uint() takes a number or a text");
    }
}
