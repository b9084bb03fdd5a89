/* SPDX-License-Identifier: Apache-2.0 */
/* Proleptic Gregorian calendar, UTC; leap seconds do not exist in Unix time and are refused. */
#include "rfc3339.h"

static bool number(const uint8_t *p, size_t n, int64_t min, int64_t max, int64_t *ret)
{
    int64_t v = 0;
    for (size_t i = 0; i < n; i++) {
        if (!tn_is_digit(p[i]))
            return false;
        v = v * 10 + (p[i] - '0');
    }
    if (v < min || v > max)
        return false;
    *ret = v;
    return true;
}

static bool is_leap(int64_t y)
{
    return (y % 4 == 0 && y % 100 != 0) || y % 400 == 0;
}

static int64_t days_in(int64_t y, int64_t m)
{
    static const int64_t days[] = { 31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31 };
    return m == 2 && is_leap(y) ? 29 : days[m - 1];
}

static int64_t days_since_epoch(int64_t y, int64_t m, int64_t d)
{
    int64_t before = y - 1;
    int64_t days = before * 365 + before / 4 - before / 100 + before / 400 - 719162;
    for (int64_t i = 1; i < m; i++)
        days += days_in(y, i);
    return days + d - 1;
}

/* "Z" or "+hh:mm", in seconds east of UTC. */
static bool offset(struct tn_str s, int64_t *ret_secs)
{
    int64_t h, m;
    if (s.n == 1 && (s.p[0] == 'Z' || s.p[0] == 'z')) {
        *ret_secs = 0;
        return true;
    }
    if (s.n != 6 || (s.p[0] != '+' && s.p[0] != '-') || s.p[3] != ':' || !number(s.p + 1, 2, 0, 23, &h) ||
        !number(s.p + 4, 2, 0, 59, &m))
        return false;
    *ret_secs = (s.p[0] == '-' ? -1 : 1) * (h * 3600 + m * 60);
    return true;
}

bool tn_rfc3339_parse(struct tn_str text, uint64_t *ret_unix)
{
    int64_t y, mon, d, h, min, s, east, t;
    const uint8_t *p = text.p;
    if (text.n < 20 || p[4] != '-' || p[7] != '-' || (p[10] != 'T' && p[10] != 't') || p[13] != ':' || p[16] != ':')
        return false;
    if (!number(p, 4, 1970, 9999, &y) || !number(p + 5, 2, 1, 12, &mon) || !number(p + 8, 2, 1, 31, &d) ||
        d > days_in(y, mon))
        return false;
    if (!number(p + 11, 2, 0, 23, &h) || !number(p + 14, 2, 0, 59, &min) || !number(p + 17, 2, 0, 59, &s))
        return false;
    if (!offset((struct tn_str){ p + 19, text.n - 19 }, &east))
        return false;
    t = days_since_epoch(y, mon, d) * 86400 + h * 3600 + min * 60 + s - east;
    if (t < 0)
        return false;
    *ret_unix = (uint64_t)t;
    return true;
}

/* ".123", ".123456" or ".123456789"; a group of three zeros at the end would not have been written. */
static bool fraction(struct tn_str s)
{
    if (s.n == 0)
        return true;
    if (s.p[0] != '.' || (s.n != 4 && s.n != 7 && s.n != 10) || memcmp(s.p + s.n - 3, "000", 3) == 0)
        return false;
    for (size_t i = 1; i < s.n; i++)
        if (!tn_is_digit(s.p[i]))
            return false;
    return true;
}

bool tn_rfc3339_canonical(struct tn_str text, uint64_t *ret_unix)
{
    uint8_t whole[20];
    if (text.n < sizeof whole || text.p[10] != 'T' || text.p[text.n - 1] != 'Z' ||
        !fraction((struct tn_str){ text.p + 19, text.n - 20 }))
        return false;
    memcpy(whole, text.p, 19);
    whole[19] = 'Z';
    return tn_rfc3339_parse((struct tn_str){ whole, sizeof whole }, ret_unix);
}

static void put_digits(char *p, uint64_t v, size_t n)
{
    for (size_t i = n; i > 0; i--, v /= 10)
        p[i - 1] = (char)('0' + v % 10);
}

void tn_rfc3339_format(uint64_t when, char ret_text[TN_RFC3339_TEXT])
{
    int64_t days, y, m = 1;
    if (when > TN_RFC3339_LAST)
        when = TN_RFC3339_LAST;
    days = (int64_t)(when / 86400);
    y = 1970 + days / 366; /* never too late, and at most a few years too early */
    while (days_since_epoch(y + 1, 1, 1) <= days)
        y++;
    while (m < 12 && days_since_epoch(y, m + 1, 1) <= days)
        m++;
    memcpy(ret_text, "0000-00-00T00:00:00Z", TN_RFC3339_TEXT);
    put_digits(ret_text, (uint64_t)y, 4);
    put_digits(ret_text + 5, (uint64_t)m, 2);
    put_digits(ret_text + 8, (uint64_t)(days - days_since_epoch(y, m, 1) + 1), 2);
    put_digits(ret_text + 11, when / 3600 % 24, 2);
    put_digits(ret_text + 14, when / 60 % 60, 2);
    put_digits(ret_text + 17, when % 60, 2);
}
