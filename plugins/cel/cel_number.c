/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Numbers as decimal text, both ways, exactly as the reference reads and writes them. The C library converts, but only
 * in forms that hold no decimal point: no locale can change an answer.
 */
#include "cel.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#define SIGNIFICANT 1100 /* no double needs more to be told from its neighbours: 767 and what lies behind them */
#define EXPONENT_MAX 100000000 /* more than any text has digits */

bool tn_cel_parse_u64(struct tn_str digits, unsigned base, uint64_t *ret)
{
    uint64_t v = 0;
    if (digits.n == 0)
        return false;
    for (size_t i = 0; i < digits.n; i++) {
        uint8_t c = tn_lower(digits.p[i]);
        unsigned d = base;
        if (tn_is_digit(c))
            d = c - (unsigned)'0';
        else if (c >= 'a' && c <= 'f')
            d = c - (unsigned)'a' + 10;
        if (d >= base || __builtin_mul_overflow(v, base, &v) || __builtin_add_overflow(v, d, &v))
            return false;
    }
    *ret = v;
    return true;
}

static size_t digit_run(struct tn_str s, size_t at)
{
    size_t start = at;
    while (at < s.n && tn_is_digit(s.p[at]))
        at++;
    return at - start;
}

/* How much of s is a number: [+-] digits [. digits] [e [+-] digits], with digits on one side of the point. */
size_t tn_cel_float_prefix(struct tn_str s, bool *ret_broken_exponent)
{
    size_t at = s.n > 0 && (s.p[0] == '+' || s.p[0] == '-') ? 1 : 0, whole = digit_run(s, at), part = 0, e;
    *ret_broken_exponent = false;
    at += whole;
    if (at < s.n && s.p[at] == '.') {
        part = digit_run(s, at + 1);
        if (whole + part > 0)
            at += 1 + part;
    }
    if (whole + part == 0)
        return 0;
    if (at == s.n || tn_lower(s.p[at]) != 'e')
        return at;
    e = at + 1;
    if (e < s.n && (s.p[e] == '+' || s.p[e] == '-'))
        e++;
    part = digit_run(s, e);
    *ret_broken_exponent = part == 0;
    return part == 0 ? at : e + part;
}

/* The power of ten behind 'e', cut where a double is zero or infinite anyway. */
static long exponent_of(struct tn_str s)
{
    bool minus = s.n > 0 && s.p[0] == '-';
    long v = 0;
    for (size_t i = s.n > 0 && (s.p[0] == '+' || s.p[0] == '-') ? 1 : 0; i < s.n && v < EXPONENT_MAX; i++)
        v = v * 10 + (s.p[i] - '0');
    return minus ? -v : v;
}

/* Whole digits and a power of ten, for strtod. What lies behind the digits that count only says "a little more". */
bool tn_cel_parse_double(struct tn_str text, double *ret)
{
    char buf[SIGNIFICANT + 48];
    size_t at = text.n > 0 && (text.p[0] == '-' || text.p[0] == '+'), n = 0, first;
    long shift = 0;
    bool point = false, more = false;
    if (at > 0)
        buf[n++] = (char)text.p[0];
    buf[n++] = '0';
    first = n;
    for (; at < text.n && tn_lower(text.p[at]) != 'e'; at++) {
        uint8_t c = text.p[at];
        if (c == '.') {
            point = true;
        } else if (n < SIGNIFICANT) {
            if (c != '0' || n > first)
                buf[n++] = (char)c;
            shift -= point;
        } else {
            more |= c != '0';
            shift += !point;
        }
    }
    if (more) {
        buf[n++] = '1';
        shift--;
    }
    if (at < text.n)
        shift += exponent_of((struct tn_str){ text.p + at + 1, text.n - at - 1 });
    snprintf(buf + n, sizeof buf - n, "e%ld", shift);
    *ret = strtod(buf, NULL);
    return true;
}

/* Significant digits of d, rounded to `count`; the power of ten of the first. */
static int round_to(double d, int count, char digits[32])
{
    char buf[48];
    size_t n = 0;
    const char *p = buf;
    snprintf(buf, sizeof buf, "%.*e", count - 1, d);
    for (; *p != 'e'; p++)
        if (tn_is_digit((uint8_t)*p))
            digits[n++] = *p;
    digits[n] = 0;
    return (int)strtol(p + 1, NULL, 10);
}

static bool reads_back(const char *digits, int power, double d)
{
    char buf[64];
    snprintf(buf, sizeof buf, "%se%d", digits, power - (int)strlen(digits) + 1);
    return strtod(buf, NULL) == d;
}

/* The next larger number of as many digits; false when there is none with the same power. */
static bool next_up(char *digits)
{
    size_t i = strlen(digits);
    while (i > 0) {
        i--;
        if (digits[i] != '9') {
            digits[i]++;
            return true;
        }
        digits[i] = '0';
    }
    return false;
}

/* Shortest digits that read back as d > 0. Below a power of two the neighbours are closer than above it. */
static int shortest(double d, char digits[32])
{
    int power = 0, binary;
    bool power_of_two = frexp(d, &binary) == 0.5;
    for (int count = 1; count <= 17; count++) {
        power = round_to(d, count, digits);
        if (reads_back(digits, power, d))
            break;
        if (power_of_two && count < 17 && next_up(digits) && reads_back(digits, power, d))
            break;
    }
    return power;
}

/* Never an exponent, no point behind whole numbers. */
size_t tn_cel_format_double(double d, char ret[CEL_DOUBLE_TEXT])
{
    char digits[32];
    size_t n = 0, count;
    int power;
    if (isnan(d))
        return (size_t)snprintf(ret, CEL_DOUBLE_TEXT, "NaN");
    if (signbit(d))
        ret[n++] = '-';
    d = fabs(d);
    if (isinf(d))
        return n + (size_t)snprintf(ret + n, CEL_DOUBLE_TEXT - n, "inf");
    if (d == 0)
        return n + (size_t)snprintf(ret + n, CEL_DOUBLE_TEXT - n, "0");
    power = shortest(d, digits);
    count = strlen(digits);
    if (power < 0) {
        n += (size_t)snprintf(ret + n, CEL_DOUBLE_TEXT - n, "0.");
        for (int i = -1; i > power; i--)
            ret[n++] = '0';
    }
    for (size_t i = 0; i < count; i++) {
        ret[n++] = digits[i];
        if (power >= 0 && i == (size_t)power && i + 1 < count)
            ret[n++] = '.';
    }
    for (int i = (int)count; i <= power; i++)
        ret[n++] = '0';
    return n;
}
