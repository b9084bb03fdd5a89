/* SPDX-License-Identifier: Apache-2.0 */
/* Times and lifetimes as people write them: RFC 3339 or Unix seconds, 90s 15m 2h 7d. No locale, no time zone database.
 */
#include "cli.h"

#include <string.h>
#include <time.h>

#define LAST_SECOND 253402300799u /* 9999-12-31T23:59:59Z: RFC 3339 ends here, a warrant's u64 does not */

void cli_time_text(uint64_t when, char ret_text[CLI_TIME_TEXT])
{
    if (when > LAST_SECOND) {
        snprintf(ret_text, CLI_TIME_TEXT, "%ju (after the year 9999)", (uintmax_t)when);
        return;
    }
    time_t t = (time_t)when;
    struct tm tm;
    gmtime_r(&t, &tm);
    snprintf(ret_text, CLI_TIME_TEXT, "%04d-%02d-%02dT%02d:%02d:%02dZ", tm.tm_year + 1900, tm.tm_mon + 1, tm.tm_mday,
             tm.tm_hour, tm.tm_min, tm.tm_sec);
}

bool cli_number_parse(const char *text, uint64_t max, uint64_t *ret)
{
    uint64_t n = 0;
    if (!*text)
        return false;
    for (; *text; text++) {
        if (*text < '0' || *text > '9')
            return false;
        uint64_t digit = (uint64_t)(*text - '0');
        if (n > (max - digit) / 10)
            return false;
        n = n * 10 + digit;
    }
    *ret = n;
    return true;
}

bool cli_duration_parse(const char *text, uint64_t *ret_secs)
{
    static const struct {
        char unit;
        uint64_t secs;
    } units[] = { { 's', 1 }, { 'm', 60 }, { 'h', 3600 }, { 'd', 86400 } };
    char digits[16];
    size_t len = strlen(text);
    uint64_t factor = 1, n;
    if (len == 0 || len > sizeof digits)
        return false;
    for (size_t i = 0; i < sizeof units / sizeof units[0]; i++)
        if (text[len - 1] == units[i].unit) {
            factor = units[i].secs;
            len--;
            break;
        }
    if (len >= sizeof digits)
        return false;
    memcpy(digits, text, len);
    digits[len] = '\0';
    if (!cli_number_parse(digits, INT64_MAX / 86400, &n))
        return false;
    *ret_secs = n * factor;
    return true;
}

/* `count` digits at *p as a number within lo..hi. */
static bool take(const char **p, int count, int lo, int hi, int *ret)
{
    int n = 0;
    for (int i = 0; i < count; i++, (*p)++) {
        if (**p < '0' || **p > '9')
            return false;
        n = n * 10 + (**p - '0');
    }
    *ret = n;
    return n >= lo && n <= hi;
}

static bool skip(const char **p, const char *any_of)
{
    if (!**p || !strchr(any_of, **p))
        return false;
    (*p)++;
    return true;
}

static bool take_zone(const char **p, int64_t *ret_offset)
{
    int hours, minutes;
    *ret_offset = 0;
    if (skip(p, "Zz"))
        return true;
    int64_t sign = **p == '-' ? -1 : 1;
    if (!skip(p, "+-") || !take(p, 2, 0, 23, &hours) || !skip(p, ":") || !take(p, 2, 0, 59, &minutes))
        return false;
    *ret_offset = sign * (hours * 3600 + minutes * 60);
    return true;
}

static int64_t days_from_civil(int64_t y, int64_t m, int64_t d)
{
    y -= m <= 2;
    int64_t era = y / 400, yoe = y - era * 400, doy = (153 * (m + (m > 2 ? -3 : 9)) + 2) / 5 + d - 1;
    return era * 146097 + yoe * 365 + yoe / 4 - yoe / 100 + doy - 719468;
}

static int days_in_month(int y, int m)
{
    static const int days[] = { 31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31 };
    return m == 2 && y % 4 == 0 && (y % 100 != 0 || y % 400 == 0) ? 29 : days[m - 1];
}

static bool rfc3339_parse(const char *p, int64_t *ret_when)
{
    int y, mo, d, h, mi, s;
    int64_t offset;
    if (!take(&p, 4, 1970, 9999, &y) || !skip(&p, "-") || !take(&p, 2, 1, 12, &mo) || !skip(&p, "-") ||
        !take(&p, 2, 1, days_in_month(y, mo), &d) || !skip(&p, "Tt ") || !take(&p, 2, 0, 23, &h) || !skip(&p, ":") ||
        !take(&p, 2, 0, 59, &mi) || !skip(&p, ":") || !take(&p, 2, 0, 60, &s))
        return false;
    if (skip(&p, ".")) {
        if (*p < '0' || *p > '9')
            return false;
        while (*p >= '0' && *p <= '9') /* whole seconds are all that the format knows */
            p++;
    }
    if (!take_zone(&p, &offset) || *p)
        return false;
    *ret_when = days_from_civil(y, mo, d) * 86400 + h * 3600 + mi * 60 + s - offset;
    return true;
}

bool cli_time_parse(const char *text, int64_t *ret_when)
{
    uint64_t n;
    if (cli_number_parse(text, INT64_MAX, &n)) {
        *ret_when = (int64_t)n;
        return true;
    }
    return rfc3339_parse(text, ret_when);
}
