/* SPDX-License-Identifier: Apache-2.0 */
/* common/json_scan.c: what is JSON, what is found in it, and what is refused. */
#include "../../common/json_scan.h"

#include <stdlib.h>

#include "tap.h"

static struct tn_json *parse(const char *text)
{
    bool nomem = false;
    return tn_json_parse(text, strlen(text), &nomem);
}

static void is_refused(const char *text)
{
    struct tn_json *j = parse(text);
    ok(j == NULL, "refused: %.60s", text);
    tn_json_free(j);
}

static void is_taken(const char *text)
{
    struct tn_json *j = parse(text);
    ok(j != NULL, "taken: %.60s", text);
    tn_json_free(j);
}

static void check_grammar(void)
{
    static const char *const good[] = { "{}",
                                        "[]",
                                        " {\"a\":[1,-2.5e3,true,false,null,\"x\"]} ",
                                        "\"x\"",
                                        "{\"a\":{\"b\":{}},\"c\":[[],[{}]]}",
                                        "{\"\":\"\"}",
                                        "{\"a\":1,\"a\":2}" };
    static const char *const bad[] = {
        "",       " ",     "{",          "}",          "{}}",       "{} {}",  "{}x",       "[1 2]",
        "[1,]",   "[,1]",  "{\"a\"}",    "{\"a\":}",   "{\"a\" 1}", "{a:1}",  "{1:2}",     "{\"a\":1 \"b\":2}",
        "[1,,2]", "[tru]", "[truex]",    "[01]",       "[1.]",      "[.5]",   "[+1]",      "[1e]",
        "[1e+]",  "[-]",   "[\"a]",      "{\"a\":1,}", "{,}",       "[1}",    "{\"a\":1]", "[nul]",
        "0",      "null",  "{\"a\"::1}", "{\"a\",1}",  "[\"a\":1]", "{[]:1}", "nan",       "'a'",
    };
    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++)
        is_taken(good[i]);
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        is_refused(bad[i]);
}

static char *nested(size_t depth)
{
    char *text = malloc(2 * depth + 1);
    memset(text, '[', depth);
    memset(text + depth, ']', depth);
    text[2 * depth] = '\0';
    return text;
}

static void check_bounds(void)
{
    char *deep = nested(TN_JSON_DEPTH_MAX), *deeper = nested(TN_JSON_DEPTH_MAX + 1), *deepest = nested(400000);
    size_t n = (size_t)TN_JSON_PARTS_MAX * 2 + 3;
    char *many = malloc(n + 8);
    is_taken(deep);
    is_refused(deeper);
    is_refused(deepest);
    many[0] = '[';
    for (size_t i = 1; i < n; i += 2)
        memcpy(many + i, "1,", 2);
    memcpy(many + n, "]", 2);
    is_refused(many);
    bool nomem = false;
    ok(tn_json_parse("[\0]", 3, &nomem) == NULL && !nomem, "a NUL is refused");
    char *large = calloc(1, TN_JSON_TEXT_MAX + 2);
    memset(large, ' ', TN_JSON_TEXT_MAX + 1);
    memcpy(large, "{}", 2);
    is_refused(large);
    free(large);
    free(many);
    free(deep);
    free(deeper);
    free(deepest);
}

static void check_strings(void)
{
    struct tn_json *j =
        parse("{\"plain\":\"YWJj\",\"esc\":\"a\\/b\\n\\u00e9\\ud83d\\ude00\\\"\",\"nul\":\"a\\u0000b\",\"half\":"
              "\"\\ud83d\",\"low\":\"\\ude00\",\"bare\":\"a\tb\",\"wr\\u006fng\":\"x\"}");
    char text[32];
    const char *slice = NULL;
    size_t n = 0;
    if (!ok(j != NULL, "strings"))
        return;
    ok(tn_json_string(j, tn_json_get(j, 0, "plain"), text, sizeof text, &n) && n == 4 && strcmp(text, "YWJj") == 0,
       "plain");
    ok(!tn_json_string(j, tn_json_get(j, 0, "plain"), text, 4, &n), "no room for the NUL");
    ok(tn_json_string(j, tn_json_get(j, 0, "plain"), text, 5, &n), "room for it");
    ok(tn_json_slice(j, tn_json_get(j, 0, "plain"), &slice, &n) && n == 4 && memcmp(slice, "YWJj", 4) == 0,
       "as it stands");
    ok(tn_json_string(j, tn_json_get(j, 0, "esc"), text, sizeof text, &n), "with escapes");
    is_str(text, "a/b\n\xc3\xa9\xf0\x9f\x98\x80\"", "they are decoded");
    ok(!tn_json_slice(j, tn_json_get(j, 0, "esc"), &slice, &n), "and do not stand there as they are");
    ok(!tn_json_string(j, tn_json_get(j, 0, "nul"), text, sizeof text, &n), "a NUL is no text");
    ok(!tn_json_string(j, tn_json_get(j, 0, "half"), text, sizeof text, &n), "half a pair");
    ok(!tn_json_string(j, tn_json_get(j, 0, "low"), text, sizeof text, &n), "the other half");
    ok(!tn_json_string(j, tn_json_get(j, 0, "bare"), text, sizeof text, &n), "a bare control character");
    ok(tn_json_is(j, tn_json_get(j, 0, "wrong"), "x"), "names are decoded, too");
    ok(!tn_json_is(j, tn_json_get(j, 0, "plain"), "YWJ") && !tn_json_is(j, tn_json_get(j, 0, "plain"), "YWJjZ"),
       "not a part");
    tn_json_free(j);
}

static void is_time(const char *text, int64_t want)
{
    char whole[128];
    int64_t got = -1;
    snprintf(whole, sizeof whole, "[%s]", text);
    struct tn_json *j = parse(whole);
    ok(j != NULL && tn_json_seconds(j, 1, &got) == (want >= 0) && got == want, "a time: %s (%lld)", text,
       (long long)got);
    tn_json_free(j);
}

static void check_times(void)
{
    is_time("0", 0);
    is_time("1523477145", 1523477145);
    is_time("1523477145.713", 1523477145);
    is_time("1.523477145713E9", 1523477145);
    is_time("1.5e+3", 1500);
    is_time("1500e-3", 1);
    is_time("1.52347714571312345678901234567890e9", 1523477145);
    is_time("999999999999999", 999999999999999);
    is_time("1e99", -1);
    is_time("1e999999999999", -1);
    is_time("123456789012345678901234567890", -1);
    is_time("-1", -1);
    is_time("true", -1);
    is_time("\"1\"", -1);
}

static void check_lookup(void)
{
    static const char *const deep[] = { "data", "data", "key", NULL }, *const missing[] = { "data", "nix", "key",
                                                                                            NULL };
    struct tn_json *j =
        parse("{\"data\":{\"data\":{\"key\":\"k\",\"n\":7},\"metadata\":{\"version\":3}},\"twice\":1,\"twice\":"
              "2,\"list\":[\"a\",{\"key\":1},\"b\"],\"big\":18446744073709551615,\"bigger\":18446744073709551616,"
              "\"minus\":-1,\"t\":true,\"z\":null}");
    uint64_t number = 5;
    int at = TN_JSON_NONE, name, value, last = TN_JSON_NONE;
    if (!ok(j != NULL, "look-ups"))
        return;
    ok(tn_json_is(j, tn_json_path(j, 0, deep), "k"), "a path");
    is_int(tn_json_path(j, 0, missing), TN_JSON_NONE, "a path that ends early");
    is_int(tn_json_get(j, 0, "key"), TN_JSON_NONE, "only of the object itself");
    is_int(tn_json_get(j, 0, "twice"), TN_JSON_NONE, "twice is none");
    is_int(tn_json_get(j, TN_JSON_NONE, "data"), TN_JSON_NONE, "nothing has nothing in it");
    ok(tn_json_uint(j, tn_json_get(j, 0, "big"), &number) && number == UINT64_MAX, "the largest number");
    ok(!tn_json_uint(j, tn_json_get(j, 0, "bigger"), &number) &&
           !tn_json_uint(j, tn_json_get(j, 0, "minus"), &number) && !tn_json_uint(j, tn_json_get(j, 0, "t"), &number) &&
           number == UINT64_MAX,
       "others are none, and change nothing");
    ok(tn_json_true(j, tn_json_get(j, 0, "t")) && !tn_json_true(j, tn_json_get(j, 0, "z")), "true");
    ok(tn_json_null(j, tn_json_get(j, 0, "z")) && !tn_json_null(j, tn_json_get(j, 0, "nix")), "null");
    is_int((long long)tn_json_count(j, 0), 9, "members");
    is_int((long long)tn_json_count(j, tn_json_get(j, 0, "list")), 3, "elements");
    while (tn_json_next(j, tn_json_get(j, 0, "list"), &at, &name, &value))
        last = value;
    ok(tn_json_is(j, last, "b"), "the last element, past an object");
    is_int(tn_json_type(j, 9999), TN_JSON_MISSING, "a node that is not there");
    tn_json_free(j);
}

int main(void)
{
    check_grammar();
    check_bounds();
    check_strings();
    check_lookup();
    check_times();
    return done_testing();
}
