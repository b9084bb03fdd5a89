/* SPDX-License-Identifier: Apache-2.0 */
/* Narrowing and matching beyond the vectors: what they may cost, and what they leave in the caller's error. */
#include "tap.h"

#include <stdio.h>
#include <stdlib.h>
#include <tenuo/tenuo.h>

static struct tenuo_constraint *shlex(size_t n)
{
    struct tenuo_constraint *c = NULL;
    const char **allow = malloc(n * sizeof *allow);
    for (size_t i = 0; i < n; i++)
        allow[i] = "x";
    if (tenuo_constraint_shlex(allow, n, &c, NULL) != TENUO_OK)
        c = NULL;
    free(allow);
    return c;
}

static struct tenuo_constraint *domains(size_t n)
{
    struct tenuo_url_safe options = TENUO_URL_SAFE_INIT;
    struct tenuo_constraint *c = NULL;
    const char **allow = malloc(n * sizeof *allow);
    for (size_t i = 0; i < n; i++)
        allow[i] = "a";
    options.allow_domains = allow;
    options.nallow_domains = n;
    if (tenuo_constraint_url_safe(&options, &c, NULL) != TENUO_OK)
        c = NULL;
    free(allow);
    return c;
}

static int pair(struct tenuo_constraint *p, struct tenuo_constraint *c)
{
    int r = tenuo_constraint_attenuates(p, c, NULL, 0, NULL);
    tenuo_constraint_free(p);
    tenuo_constraint_free(c);
    return r;
}

static void test_pairs(void)
{
    is_int(pair(shlex(100), shlex(100)), 0, "a hundred commands under a hundred");
    is_int(pair(shlex(3000), shlex(3000)), 1502, "three thousand under three thousand are too many to compare");
    is_int(pair(domains(100), domains(100)), 0, "a hundred domains under a hundred");
    is_int(pair(domains(10000), domains(10000)), 1502, "ten thousand domains under ten thousand");
}

/* Any of many patterns with many stars: each is cheap to write and dear to judge. */
static struct tenuo_constraint *any_of_globs(size_t n)
{
    static const char glob[] = "*a*a*a*a*a*a*a*a*a*a*a*a*a*b";
    struct tenuo_constraint **inner = calloc(n, sizeof *inner), *any = NULL;
    for (size_t i = 0; i < n; i++)
        if (tenuo_constraint_text(TENUO_C_PATTERN, glob, sizeof glob - 1, &inner[i], NULL) != TENUO_OK)
            return NULL;
    if (tenuo_constraint_combine(TENUO_C_ANY, (const struct tenuo_constraint *const *)inner, n, &any, NULL) != TENUO_OK)
        any = NULL;
    for (size_t i = 0; i < n; i++)
        tenuo_constraint_free(inner[i]);
    free(inner);
    return any;
}

static void test_bytes(void)
{
    struct tenuo_constraint *any = any_of_globs(100);
    struct tenuo_value *small = NULL, *large = NULL;
    size_t n = 1000000;
    char *text = malloc(n);
    int match = -1;
    memset(text, 'a', n);
    ok(any != NULL && tenuo_value_string(text, 100, &small, NULL) == 0 &&
           tenuo_value_string(text, n, &large, NULL) == 0,
       "a hundred patterns and two texts");
    is_int(tenuo_constraint_match(any, small, NULL, 0, &match, NULL), 0, "a short text is judged");
    is_int(match, TENUO_NO_MATCH, "and matches none");
    is_int(tenuo_constraint_match(any, large, NULL, 0, &match, NULL), 1501,
           "a long one costs too much: an error, not a no");
    tenuo_value_free(small);
    tenuo_value_free(large);
    tenuo_constraint_free(any);
    free(text);
}

static struct tenuo_constraint *any_of(const char *const *words, size_t n)
{
    struct tenuo_constraint *inner[2] = { NULL, NULL }, *any = NULL;
    for (size_t i = 0; i < n; i++) {
        struct tenuo_value *v = NULL;
        if (tenuo_value_string(words[i], strlen(words[i]), &v, NULL) != 0 ||
            tenuo_constraint_exact(v, &inner[i], NULL) != 0)
            return NULL;
        tenuo_value_free(v);
    }
    if (tenuo_constraint_combine(TENUO_C_ANY, (const struct tenuo_constraint *const *)inner, n, &any, NULL) != 0)
        any = NULL;
    for (size_t i = 0; i < n; i++)
        tenuo_constraint_free(inner[i]);
    return any;
}

static void test_error_untouched(void)
{
    static const char *const both[] = { "a", "b" }, *const second[] = { "b" };
    struct tenuo_constraint *p = any_of(both, 2), *c = any_of(second, 1);
    struct tenuo_error err = { 77, "untouched" };
    is_int(tenuo_constraint_attenuates(p, c, NULL, 0, &err), 0, "the second branch covers it");
    ok(err.code == 77 && strcmp(err.msg, "untouched") == 0, "and the branch tried before leaves nothing behind");
    is_int(tenuo_constraint_attenuates(c, p, NULL, 0, &err), 1502, "the other way round it fails");
    is_int(err.code, 1502, "and says so");
    tenuo_constraint_free(p);
    tenuo_constraint_free(c);
}

int main(void)
{
    test_pairs();
    test_bytes();
    test_error_untouched();
    return done_testing();
}
