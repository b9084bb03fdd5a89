/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Durations and instants: reading and writing their texts as the reference does, and adding them. Proleptic Gregorian
 * calendar; a leap second is refused.
 */
#include "cel.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>

#define NANOS 1000000000
#define FIRST_SECOND (-62135596800) /* 0001-01-01T00:00:00Z */
#define LAST_SECOND 253402300799    /* 9999-12-31T23:59:59Z */
#define MAX_DURATION (INT64_MAX / 1000 - 1)

static bool is_leap(int64_t y)
{
    return (y % 4 == 0 && y % 100 != 0) || y % 400 == 0;
}

static unsigned days_in(int64_t y, unsigned m)
{
    static const uint8_t days[] = { 31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31 };
    return m == 2 && is_leap(y) ? 29 : days[m - 1];
}

/* Days from 1970-01-01 to the first day of a year, 0 to 10000. */
static int64_t days_before_year(int64_t y)
{
    int64_t n = y + 399; /* years that are complete, counted from -399, which begins a cycle of 400 */
    return n * 365 + n / 4 - n / 100 + n / 400 - 719162 - 146097;
}

static int64_t divide_down(int64_t a, int64_t b)
{
    return a / b - (a % b < 0);
}

struct cel_civil tn_cel_civil(int64_t seconds)
{
    struct cel_civil c = { 0 };
    int64_t days = divide_down(seconds, 86400), rest = seconds - days * 86400;
    c.hour = (unsigned)(rest / 3600);
    c.minute = (unsigned)(rest / 60 % 60);
    c.second = (unsigned)(rest % 60);
    c.weekday = (unsigned)((days % 7 + 11) % 7); /* 1970-01-01 was a Thursday */
    c.year = 1970 + divide_down(days, 366);
    while (days_before_year(c.year + 1) <= days)
        c.year++;
    while (days_before_year(c.year) > days)
        c.year--;
    days -= days_before_year(c.year);
    c.day_of_year = (unsigned)days;
    for (c.month = 1; days >= days_in(c.year, c.month); c.month++)
        days -= days_in(c.year, c.month);
    c.day = (unsigned)days + 1;
    return c;
}

static bool field(struct tn_str s, size_t at, size_t n, unsigned least, unsigned most, unsigned *ret)
{
    unsigned v = 0;
    for (size_t i = at; i < at + n; i++) {
        if (i >= s.n || !tn_is_digit(s.p[i]))
            return false;
        v = v * 10 + (s.p[i] - (unsigned)'0');
    }
    *ret = v;
    return v >= least && v <= most;
}

static bool is_byte(struct tn_str s, size_t at, const char *any)
{
    return at < s.n && s.p[at] != 0 && strchr(any, s.p[at]) != NULL;
}

/* Digits behind a point, cut to nanoseconds. */
static bool fraction(struct tn_str s, size_t *at, uint32_t *ret)
{
    uint32_t v = 0, digits = 0;
    size_t i = *at;
    if (!is_byte(s, i, "."))
        return true;
    for (i++; i < s.n && tn_is_digit(s.p[i]); i++, digits++)
        if (digits < 9)
            v = v * 10 + (s.p[i] - (uint32_t)'0');
    for (uint32_t d = digits; d < 9; d++)
        v *= 10;
    *ret = v;
    *at = i;
    return digits > 0;
}

/* Z, or a sign (the mathematical minus too) and hh:mm, and nothing behind it. */
static bool zone(struct tn_str s, size_t at, int *ret_minutes)
{
    unsigned h, m;
    bool minus = is_byte(s, at, "-");
    if (is_byte(s, at, "Zz")) {
        *ret_minutes = 0;
        return at + 1 == s.n;
    }
    if (s.n - at >= 3 && memcmp(s.p + at, "\xe2\x88\x92", 3) == 0) {
        minus = true;
        at += 2;
    } else if (!minus && !is_byte(s, at, "+")) {
        return false;
    }
    if (!field(s, at + 1, 2, 0, 23, &h) || !is_byte(s, at + 3, ":") || !field(s, at + 4, 2, 0, 59, &m))
        return false;
    *ret_minutes = (minus ? -1 : 1) * (int)(h * 60 + m);
    return at + 6 == s.n;
}

bool tn_cel_parse_time(struct tn_str s, struct cel_value *ret)
{
    unsigned year, month, day, hour, minute, second;
    uint32_t nanos = 0;
    int east = 0;
    size_t at = 19;
    int64_t days;
    if (!field(s, 0, 4, 0, 9999, &year) || !is_byte(s, 4, "-") || !field(s, 5, 2, 1, 12, &month) ||
        !is_byte(s, 7, "-") || !field(s, 8, 2, 1, 31, &day) || day > days_in(year, month) || !is_byte(s, 10, "Tt "))
        return false;
    if (!field(s, 11, 2, 0, 23, &hour) || !is_byte(s, 13, ":") || !field(s, 14, 2, 0, 59, &minute) ||
        !is_byte(s, 16, ":") || !field(s, 17, 2, 0, 59, &second))
        return false;
    if (!fraction(s, &at, &nanos) || !zone(s, at, &east))
        return false;
    days = days_before_year(year);
    for (unsigned m = 1; m < month; m++)
        days += days_in(year, m);
    days += day - 1;
    *ret = (struct cel_value){ .kind = CEL_TIME, .n = nanos, .zone = (int16_t)east };
    ret->i = days * 86400 + hour * 3600 + minute * 60 + second - east * 60;
    return true;
}

/* ---- durations ---- */

static struct cel_value duration(int64_t seconds, int64_t nanos)
{
    int64_t carry = divide_down(nanos, NANOS);
    return (struct cel_value){ .kind = CEL_DURATION, .i = seconds + carry, .n = (uint32_t)(nanos - carry * NANOS) };
}

static size_t unit(struct tn_str s, size_t at, double *ret_nanos)
{
    static const struct {
        char name[3];
        double nanos;
    } units[] = { { "ms", 1e6 }, { "us", 1e3 }, { "ns", 1 }, { "h", 3600e9 }, { "m", 60e9 }, { "s", 1e9 } };
    for (size_t i = 0; i < TN_ARRAY_LEN(units); i++) {
        size_t n = strlen(units[i].name);
        if (s.n - at >= n && memcmp(s.p + at, units[i].name, n) == 0) {
            *ret_nanos = units[i].nanos;
            return n;
        }
    }
    return 0;
}

/* nan, or inf with a sign: what the reference's number parser takes besides digits. */
static size_t word(struct tn_str s, size_t at, double *ret)
{
    size_t start = at;
    bool minus = is_byte(s, at, "-");
    at += is_byte(s, at, "+-");
    if (s.n - at < 3)
        return 0;
    uint8_t low[3] = { tn_lower(s.p[at]), tn_lower(s.p[at + 1]), tn_lower(s.p[at + 2]) };
    if (memcmp(low, "nan", 3) == 0 && at == start)
        *ret = (double)NAN;
    else if (memcmp(low, "inf", 3) == 0)
        *ret = minus ? -(double)INFINITY : (double)INFINITY;
    else
        return 0;
    return at + 3 - start;
}

static int64_t saturate(double d)
{
    if (isnan(d))
        return 0;
    if (d >= 9223372036854775808.0)
        return INT64_MAX;
    return d < -9223372036854775808.0 ? INT64_MIN : (int64_t)d;
}

enum part { PART_NONE, PART_READ, PART_BROKEN };

/* One number with its unit. Not there: the text ends here for the reference, whatever follows. */
static enum part part(struct tn_str s, size_t *at, struct cel_value *sum)
{
    struct tn_str rest = { s.p + *at, s.n - *at };
    double d = 0, scale = 1;
    bool broken = false;
    size_t n = tn_cel_float_prefix(rest, &broken), u;
    int64_t nanos;
    if (broken)
        return PART_BROKEN;
    if (n == 0)
        n = word(s, *at, &d);
    else if (!tn_cel_parse_double((struct tn_str){ rest.p, n }, &d))
        return PART_BROKEN;
    u = n == 0 ? 0 : unit(s, *at + n, &scale);
    if (u == 0)
        return PART_NONE;
    nanos = saturate(d * scale);
    *sum = duration(sum->i + nanos / NANOS, (int64_t)sum->n + nanos % NANOS);
    *at += n + u;
    return sum->i > MAX_DURATION || sum->i < -MAX_DURATION ? PART_BROKEN : PART_READ;
}

bool tn_cel_parse_duration(struct tn_str s, struct cel_value *ret)
{
    struct cel_value sum = duration(0, 0);
    bool minus = is_byte(s, 0, "-");
    size_t at = minus, parts = 0;
    enum part found;
    if (s.n == at + 1 && s.p[at] == '0') {
        *ret = sum;
        return true;
    }
    while ((found = part(s, &at, &sum)) == PART_READ)
        parts++;
    if (found == PART_BROKEN || parts == 0)
        return false;
    *ret = minus ? duration(-sum.i, -(int64_t)sum.n) : sum;
    return true;
}

/* Both within the reference's range; an instant must stay within years 1 to 9999, a difference of instants need not. */
bool tn_cel_add_time(const struct cel_value *a, const struct cel_value *b, int sign, struct cel_value *ret)
{
    struct cel_value v = duration(a->i + sign * b->i, (int64_t)a->n + sign * (int64_t)b->n);
    bool instant = cel_is(a, CEL_TIME) && cel_is(b, CEL_DURATION);
    if (instant ? v.i < FIRST_SECOND || v.i > LAST_SECOND : v.i > MAX_DURATION || v.i < -MAX_DURATION)
        return false;
    if (instant) {
        v.kind = CEL_TIME;
        v.zone = a->zone;
    }
    *ret = v;
    return true;
}

/* ---- texts ---- */

size_t tn_cel_format_time(const struct cel_value *t, char ret[CEL_TIME_TEXT])
{
    struct cel_civil c = tn_cel_civil(t->i + t->zone * 60);
    unsigned away = (unsigned)(t->zone < 0 ? -t->zone : t->zone);
    char part_text[16] = "";
    if (t->n % 1000 != 0)
        snprintf(part_text, sizeof part_text, ".%09u", t->n);
    else if (t->n % 1000000 != 0)
        snprintf(part_text, sizeof part_text, ".%06u", t->n / 1000);
    else if (t->n != 0)
        snprintf(part_text, sizeof part_text, ".%03u", t->n / 1000000);
    int n = snprintf(ret, CEL_TIME_TEXT, "%04d-%02u-%02uT%02u:%02u:%02u%s%c%02u:%02u", (int)c.year, c.month, c.day,
                     c.hour, c.minute, c.second, part_text, t->zone < 0 ? '-' : '+', away / 60, away % 60);
    return n < 0 || n >= CEL_TIME_TEXT ? 0 : (size_t)n;
}

/* value / scale with the zeros at its end left out. */
static size_t put_decimal(char *out, uint64_t value, uint64_t scale, const char *name)
{
    uint64_t rest = value % scale;
    int n = snprintf(out, 24, "%" PRIu64, value / scale);
    if (rest != 0) {
        out[n++] = '.';
        for (scale /= 10; rest != 0; rest %= scale, scale /= 10) {
            out[n++] = (char)('0' + rest / scale);
            if (scale == 1)
                break;
        }
    }
    return (size_t)n + (size_t)snprintf(out + n, 4, "%s", name);
}

/* The reference takes the nanoseconds of a negative duration for an unsigned number, and so do we. */
size_t tn_cel_format_duration(const struct cel_value *d, char ret[CEL_TIME_TEXT])
{
    uint64_t u, secs, nanos;
    size_t n = 0;
    u = (uint64_t)d->i * NANOS + d->n;
    if (d->i < 0)
        ret[n++] = '-';
    if (u == 0)
        return n + (size_t)snprintf(ret + n, 4, "0s");
    if (u < 1000)
        return n + put_decimal(ret + n, u, 1, "ns");
    if (u < 1000000)
        return n + put_decimal(ret + n, u, 1000, "\u00b5s");
    if (u < NANOS)
        return n + put_decimal(ret + n, u, 1000000, "ms");
    secs = u / NANOS;
    nanos = u % NANOS;
    if (secs >= 3600)
        n += (size_t)snprintf(ret + n, 24, "%" PRIu64 "h", secs / 3600);
    if (secs >= 60)
        n += (size_t)snprintf(ret + n, 8, "%um", (unsigned)(secs / 60 % 60));
    return n + put_decimal(ret + n, secs % 60 * NANOS + nanos, NANOS, "s");
}
