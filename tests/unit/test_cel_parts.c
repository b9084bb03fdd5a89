/* SPDX-License-Identifier: Apache-2.0 */
/* The parts of the matcher cel on their own: tokens, numbers, times, and memory that runs out at every allocation. */
#include "../../plugins/cel/cel.h"
#include "tap.h"

#include <math.h>
#include <stdlib.h>

/* The linker sends the allocations of this program here; the one that `fail_at` counts down to fails. */
static long fail_at = -1;
void *__real_malloc(size_t size);
void *__real_calloc(size_t n, size_t size);
void *__real_reallocarray(void *p, size_t n, size_t size);
void *__wrap_malloc(size_t size);
void *__wrap_calloc(size_t n, size_t size);
void *__wrap_reallocarray(void *p, size_t n, size_t size);

static bool fails(void)
{
    return fail_at >= 0 && fail_at-- == 0;
}

void *__wrap_malloc(size_t size)
{
    return fails() ? NULL : __real_malloc(size);
}

void *__wrap_calloc(size_t n, size_t size)
{
    return fails() ? NULL : __real_calloc(n, size);
}

void *__wrap_reallocarray(void *p, size_t n, size_t size)
{
    return fails() ? NULL : __real_reallocarray(p, n, size);
}

/* The tokens as one letter each. */
static void tokens(const char *text, const char *want)
{
    static const char letters[] = "$nIUDSBtfN|&i=~<l>g+-*/%!?:,.()[]{}";
    struct cel_tokens t = { 0 };
    struct cel_fault fault = { 0 };
    char got[64] = "";
    if (!tn_cel_lex(tn_lit(text), &t, &fault)) {
        is_str(fault.why != NULL ? "refused" : "", want, "%s", text);
        return;
    }
    for (size_t i = 0; i < t.n; i++)
        got[i] = letters[t.v[i].kind];
    is_str(got, want, "%s", text);
    free(t.v);
}

static void test_tokens(void)
{
    tokens("", "");
    tokens(" // only a comment", "");
    tokens("a && b || !c", "n&n|!n");
    tokens("1 1u 0xFf 0xFu 1.5 .5 1e3 1.5E-2 007", "IUIUDDDDI");
    tokens("1.e3 1.x 1..2", "I.nI.nI.D");
    tokens("0X1 1f 1_0 0xg", "InInInIn");
    tokens("a in [true, false, null] inx", "ni[t,f,N]n");
    tokens("'a' \"b\" '''c''' \"\"\"d\"\"\" r'\\' R\"\\q\" ''", "SSSSSSS");
    tokens("b'a' B\"b\" br'c' rb", "BBBn");
    tokens("'\\n\\x41\\u00e9\\U0001F600\\101\\'\\\"\\`\\?\\\\'", "S");
    tokens("== != < <= > >= + - * / %", "=~<l>g+-*/%");
    tokens("a.b[c](d) ? {e: f} : -g", "n.n[n](n)?{n:n}:-n");
    tokens("'''a\nb'''", "S");
    tokens("'a\nb'", "refused");
    tokens("'\\q'", "refused");
    tokens("'\\400'", "refused");
    tokens("'\\x4'", "refused");
    tokens("'a", "refused");
    tokens("'''a''", "refused");
    tokens("=", "refused");
    tokens("a & b", "refused");
    tokens("a | b", "refused");
    tokens("`a`", "refused");
    tokens("\xc3\xa9", "refused");
    tokens("(a]", "refused");
    tokens("(a", "refused");
    tokens("a)", "refused");
}

static void test_brackets(void)
{
    struct cel_tokens t = { 0 };
    struct cel_fault fault = { 0 };
    ok(tn_cel_lex(tn_lit("f(a, (b, c), [d, e]) + g() + ('(')"), &t, &fault), "brackets pair");
    is_int(t.v[1].args, 3, "three arguments");
    is_int(t.v[1].mate, 15, "and their end");
    is_int(t.v[4].args, 2, "two within");
    is_int(t.v[18].args, 0, "none");
    ok(t.v[21].kind == T_OPEN && t.v[21].mate == 23 && !t.comments, "a bracket in a text is none");
    free(t.v);
}

static void test_doubles(void)
{
    static const struct {
        double d;
        const char *text;
    } cases[] = {
        { 0, "0" },
        { -0.0, "-0" },
        { 5, "5" },
        { -1.5, "-1.5" },
        { 0.1, "0.1" },
        { 0.3, "0.3" },
        { 1e21, "1000000000000000000000" },
        { 1e-7, "0.0000001" },
        { 123456789.125, "123456789.125" },
        { 9007199254740993.0, "9007199254740992" },
        { 2.2250738585072014e-308 * 0, "0" },
        { 1.0 / 3, "0.3333333333333333" },
        { 2.0 / 3, "0.6666666666666666" },
        { 100, "100" },
        { 9.5367431640625e-07, "0.00000095367431640625" },
        { 2251799813685248.5, "2251799813685248.5" },
    };
    char text[CEL_DOUBLE_TEXT];
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        text[tn_cel_format_double(cases[i].d, text)] = '\0';
        is_str(text, cases[i].text, "writes %g", cases[i].d);
    }
    is_int((long long)tn_cel_format_double(1.7976931348623157e308, text), 309, "the largest has 309 digits");
    is_int((long long)tn_cel_format_double(5e-324, text), 326, "the smallest 326");
    is_int((long long)tn_cel_format_double((double)NAN, text), 3, "NaN");
    is_int((long long)tn_cel_format_double(-(double)INFINITY, text), 4, "-inf");
}

/* Every double that is written is read back; powers of two too, whose neighbours lie unevenly. */
static void test_round_trip(void)
{
    uint64_t bits = 88172645463325252u;
    int bad = 0;
    for (int i = 0; i < 20000; i++) {
        char text[CEL_DOUBLE_TEXT];
        double d, back = 0;
        bits ^= bits << 13;
        bits ^= bits >> 7;
        bits ^= bits << 17;
        uint64_t b = i % 4 == 0 ? bits & 0x7ff0000000000000u : bits;
        memcpy(&d, &b, sizeof d);
        if (!isfinite(d))
            continue;
        size_t n = tn_cel_format_double(d, text);
        bad += !tn_cel_parse_double((struct tn_str){ (const uint8_t *)text, n }, &back) || back != d;
    }
    is_int(bad, 0, "20000 doubles survive their text");
}

static void test_long_numbers(void)
{
    static char text[5000];
    double d = 0;
    memset(text, '1', 4000);
    text[1] = '.';
    tn_cel_parse_double((struct tn_str){ (uint8_t *)text, 4000 }, &d);
    ok(d == 1.1111111111111112, "4000 digits");
    memset(text, '0', 4000);
    text[1] = '.';
    text[3999] = '1';
    tn_cel_parse_double((struct tn_str){ (uint8_t *)text, 4000 }, &d);
    ok(d == 0, "a one behind 4000 zeros");
    memcpy(text + 4000, "e3998", 5);
    tn_cel_parse_double((struct tn_str){ (uint8_t *)text, 4005 }, &d);
    ok(d == 1, "and brought back by an exponent");
    memcpy(text, "9007199254740993.", 17);
    memset(text + 17, '0', 2000);
    text[2017] = '1';
    tn_cel_parse_double((struct tn_str){ (uint8_t *)text, 2018 }, &d);
    ok(d == 9007199254740994.0, "a digit far behind the tie decides it");
    tn_cel_parse_double(tn_lit("1e99999999999999999999"), &d);
    ok(isinf(d), "a large exponent");
    tn_cel_parse_double(tn_lit("-1e-99999999999999999999"), &d);
    ok(d == 0 && signbit(d), "a small one");
}

static void time_text(const char *in, const char *want)
{
    struct cel_value t;
    char text[CEL_TIME_TEXT];
    if (!tn_cel_parse_time(tn_lit(in), &t)) {
        is_str("refused", want, "%s", in);
        return;
    }
    text[tn_cel_format_time(&t, text)] = '\0';
    is_str(text, want, "%s", in);
}

static void test_times(void)
{
    time_text("2020-02-29T13:14:15.678901234Z", "2020-02-29T13:14:15.678901234+00:00");
    time_text("2020-02-29t13:14:15z", "2020-02-29T13:14:15+00:00");
    time_text("0000-01-01 00:00:00-00:30", "0000-01-01T00:00:00-00:30");
    time_text("9999-12-31T23:59:59.9999999999+23:59", "9999-12-31T23:59:59.999999999+23:59");
    time_text("1900-03-01T00:00:00.5Z", "1900-03-01T00:00:00.500+00:00");
    time_text("2000-12-31T00:00:00.00001\xe2\x88\x92"
              "01:00",
              "2000-12-31T00:00:00.000010-01:00");
    time_text("1900-02-29T00:00:00Z", "refused");
    time_text("2020-01-01T23:59:60Z", "refused");
    time_text("2020-01-01T24:00:00Z", "refused");
    time_text("2020-13-01T00:00:00Z", "refused");
    time_text("2020-01-01T00:00:00", "refused");
    time_text("2020-01-01T00:00:00.Z", "refused");
    time_text("2020-01-01T00:00:00+24:00", "refused");
    time_text("2020-01-01T00:00:00Z ", "refused");
    time_text("", "refused");
}

/* Every day of 400 years is the day after the one before. */
static void test_calendar(void)
{
    int64_t day = -62135596800 / 86400;
    struct cel_civil before = tn_cel_civil((day - 1) * 86400);
    int bad = 0;
    for (; day < 0; day++) {
        struct cel_civil c = tn_cel_civil(day * 86400 + 86399);
        bool next_day = c.year == before.year && c.month == before.month && c.day == before.day + 1;
        bool next_month = c.year == before.year && c.month == before.month + 1 && c.day == 1 && before.day >= 28;
        bool next_year =
            c.year == before.year + 1 && c.month == 1 && c.day == 1 && before.month == 12 && before.day == 31;
        bad += !(next_day || next_month || next_year) || c.weekday != (before.weekday + 1) % 7 || c.second != 59;
        before = c;
    }
    ok(bad == 0 && before.year == 1969 && before.weekday == 3 && before.day_of_year == 364, "the days of 1969 years");
}

static void duration_text(const char *in, const char *want)
{
    struct cel_value d;
    char text[CEL_TIME_TEXT];
    if (!tn_cel_parse_duration(tn_lit(in), &d)) {
        is_str("refused", want, "%s", in);
        return;
    }
    text[tn_cel_format_duration(&d, text)] = '\0';
    is_str(text, want, "%s", in);
}

static void test_durations(void)
{
    duration_text("1h2m3.5s", "1h2m3.5s");
    duration_text("90m", "1h30m0s");
    duration_text("0", "0s");
    duration_text("1.5ms", "1.5ms");
    duration_text("1us", "1\u00b5s");
    duration_text("1ns", "1ns");
    duration_text("1h-1m", "59m0s");
    duration_text("1h and more", "1h0m0s");
    duration_text("-1s", "-5124095h34m32.709551616s");
    duration_text("99999999999h", "2562047h47m16.854775807s");
    duration_text("1", "refused");
    duration_text("", "refused");
    duration_text("h", "refused");
    duration_text("1d", "refused");
    duration_text("1es", "refused");
    duration_text("1h1e", "refused");
}

/* One compilation and one run, with the allocation at `fail` failing: 'T', or 'N' when memory ran out. */
static char run_once(long fail)
{
    static const char text[] = "tenuo_object().map(k, tenuo_object()[k] + 'x').exists(s, s == 'bx') && "
                               "{'a': [1, 2], 'b': [3]}.size() == 2 && string(1.5) + "
                               "string(timestamp('2020-01-01T00:00:00Z')) != '' && optional.of(1).hasValue()";
    struct cel_run run = { .bytes = TN_CEL_MEMORY, .steps = TN_CEL_STEPS };
    struct cel_fault fault = { 0 };
    struct cel_program *program;
    char answer = '?';
    fail_at = fail;
    program = tn_cel_compile(tn_lit(text), NULL, &fault);
    if (program == NULL)
        return fault.nomem ? 'N' : '?';
    tn_arena_init(&run.arena, 64);
    if (tn_cel_from_cbor((struct tn_str){ (const uint8_t *)"\xa2\x61"
                                                           "a\x61"
                                                           "b\x61"
                                                           "b\x61"
                                                           "c",
                                          9 },
                         &run, &run.value)) {
        struct cel_value v = tn_cel_run(program, &run);
        answer = cel_is(&v, CEL_BOOL) && v.b ? 'T' : '?';
    }
    if (run.nomem)
        answer = 'N';
    tn_arena_free(&run.arena);
    tn_cel_free(program);
    return answer;
}

static void test_memory(void)
{
    long n = 0;
    char answer;
    while ((answer = run_once(n)) == 'N')
        n++;
    fail_at = -1;
    ok(answer == 'T' && n > 10, "each of %ld allocations may fail, then %c", n, answer);
}

int main(void)
{
    test_tokens();
    test_brackets();
    test_doubles();
    test_round_trip();
    test_long_numbers();
    test_times();
    test_calendar();
    test_durations();
    test_memory();
    return done_testing();
}
