/* SPDX-License-Identifier: Apache-2.0 */
/* Times as text: every day there is, against the C library, and every way to write one wrong. */
#include "../../core/rfc3339.h"
#include "tap.h"

#include <time.h>

static bool parse(const char *text, uint64_t *ret)
{
    return tn_rfc3339_parse(tn_lit(text), ret);
}

static void time_is(const char *text, long long want)
{
    uint64_t got = 0;
    ok(parse(text, &got), "%s is a time", text);
    is_int((long long)got, want, "and this one");
}

static void refused(const char *text)
{
    uint64_t got = 77;
    ok(!parse(text, &got) && got == 77, "refused: %s", text);
}

/* From 1970 to 9999, at a time that moves through the day. */
static void every_day(void)
{
    unsigned wrong = 0, days = 0;
    for (long long t = 0; t < 253402300800; t += 86400 + 61, days++) {
        char text[64];
        time_t when = (time_t)t;
        struct tm tm;
        uint64_t got = 0;
        gmtime_r(&when, &tm);
        strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%SZ", &tm);
        wrong += !parse(text, &got) || got != (uint64_t)t;
    }
    is_int(wrong, 0, "%u days agree with the C library", days);
}

/* What a NUL, or a byte that is no digit, does at each place. */
static void every_place(void)
{
    static const char good[] = "2030-01-31T12:00:00+02:00";
    unsigned taken = 0;
    for (size_t i = 0; i < sizeof good - 1; i++)
        for (unsigned c = 0; c < 256; c++) {
            char text[sizeof good];
            uint64_t got;
            memcpy(text, good, sizeof good);
            text[i] = (char)c;
            bool digit = c >= '0' && c <= '9', same = text[i] == good[i];
            bool letter = (i == 10 && c == 't') || (i == 19 && c == '-');
            if (tn_rfc3339_parse((struct tn_str){ (const uint8_t *)text, sizeof good - 1 }, &got) && !digit && !same &&
                !letter)
                taken++;
        }
    is_int(taken, 0, "no other byte at any place");
    for (size_t n = 0; n < sizeof good - 1; n++) {
        uint64_t got;
        taken += tn_rfc3339_parse((struct tn_str){ (const uint8_t *)good, n }, &got);
    }
    is_int(taken, 0, "no shorter text");
}

int main(void)
{
    time_is("1970-01-01T00:00:00Z", 0);
    time_is("2030-01-01T00:00:00Z", 1893456000);
    time_is("2030-01-01t00:00:00z", 1893456000);
    time_is("2030-01-01T02:00:00+02:00", 1893456000);
    time_is("2029-12-31T18:30:00-05:30", 1893456000);
    time_is("2000-02-29T23:59:59Z", 951868799);
    time_is("9999-12-31T23:59:59Z", 253402300799);
    time_is("1970-01-01T00:00:00-23:59", 86340);
    refused("");
    refused("2030-01-01");
    refused("2030-01-01T00:00:00");
    refused("2030-01-01 00:00:00Z");
    refused("2030-01-01T00:00:00.5Z");
    refused("2030-01-01T00:00:00+0200");
    refused("2030-01-01T00:00:00+24:00");
    refused("2030-01-01T00:00:00+02:60");
    refused("2030-01-01T00:00:00ZZ");
    refused(" 2030-01-01T00:00:00Z");
    refused("2030-00-01T00:00:00Z");
    refused("2030-13-01T00:00:00Z");
    refused("2030-01-00T00:00:00Z");
    refused("2030-04-31T00:00:00Z");
    refused("2100-02-29T00:00:00Z");
    refused("2029-02-29T00:00:00Z");
    refused("2030-01-01T24:00:00Z");
    refused("2030-01-01T00:60:00Z");
    refused("2016-12-31T23:59:60Z"); /* leap second */
    refused("1969-12-31T23:59:59Z");
    refused("1970-01-01T00:00:00+00:01"); /* before the epoch */
    every_day();
    every_place();
    return done_testing();
}
