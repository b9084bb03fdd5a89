/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The matcher "regex" as the library loads it: what it matches, what it refuses and with which sentence, on which texts
 * it gives no answer, what it says about delegation, and that threads and forks may share it.
 */
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <tenuo/tenuo.h>
#include <unistd.h>

#include "tap.h"

static struct tenuo_matchers *matchers;

static struct tenuo_constraint *regex(const char *pattern, size_t n)
{
    struct tenuo_constraint *c = NULL;
    if (tenuo_constraint_text(TENUO_C_REGEX, pattern, n, &c, NULL) != TENUO_OK)
        exit(1);
    return c;
}

/* 'y', 'n', or 'E' with the sentence in err. */
static char ask(const struct tenuo_constraint *c, const char *text, size_t n, struct tenuo_error *err)
{
    struct tenuo_value *v = NULL;
    int match = 9, r = tenuo_value_string(text, n, &v, NULL);
    if (r == TENUO_OK)
        r = tenuo_constraint_match(c, v, matchers, 0, &match, err);
    tenuo_value_free(v);
    return r == TENUO_E_CONSTRAINT_VIOLATION ? 'E' : r != TENUO_OK ? '?' : match == TENUO_MATCH ? 'y' : 'n';
}

static void test_answers(void)
{
    static const struct {
        const char *pattern, *text;
        char answer;
    } t[] = {
        { "prod", "x-prod-y", 'y' },       { "^prod$", "x-prod-y", 'n' },        { "^prod$", "prod\n", 'n' },
        { "", "", 'y' },                   { "a.c", "a\nc", 'n' },               { "(?s)a.c", "a\nc", 'y' },
        { "(?m)^b$", "a\nb\nc", 'y' },     { "(?i)PROD", "prod", 'y' },          { "a(?i)b", "AB", 'n' },
        { "(a(?i)b)c", "aBc", 'y' },       { "(a(?i)b)c", "aBC", 'n' },          { "\\d", "\xd9\xa3", 'y' },
        { "^\\D$", "\xd9\xa3", 'n' },      { "\\s", "\xc2\xa0", 'y' },           { "\\s", "\v", 'y' },
        { "^\\S$", "\xc2\xa0", 'n' },      { "[^\\s]", "\xe3\x80\x80", 'n' },    { "\\w", "a", 'y' },
        { "\\w", "\xc3\xa9", 'E' },        { "\\bx\\b", "a x b", 'y' },          { "\\bx\\b", "\xc3\xa9 x", 'E' },
        { "^[[:alpha:]]+$", "abc", 'y' },  { "[[:alpha:]]", "\xc3\xa9", 'n' },   { "\\p{Lu}", "\xc3\x89", 'y' },
        { "^[]a]$", "]", 'y' },            { "^[a-]$", "-", 'y' },               { "^[^a-z]$", "\xe4\xb8\xad", 'y' },
        { "\\x41\\x{42}", "AB", 'y' },     { "^(?P<y>\\d{4})-(\\d\\d)$", "2026-11", 'y' },
        { "^(a{100}){100}$", "a", 'n' },   { "(a{3}){2,3}$", "aaaaaa", 'y' },    { "^((a{2}){600})?$", "", 'y' },
        { "}]", "}]", 'y' },               { "a|", "x", 'y' },                   { "\\p{L}", "\xf0\x9e\xb5\x80", 'E' },
        { "(?i)\xce\x90", "x", 'E' },      { "(?i)k", "\xe2\x84\xaa", 'y' },
    };
    for (size_t i = 0; i < sizeof t / sizeof t[0]; i++) {
        struct tenuo_constraint *c = regex(t[i].pattern, strlen(t[i].pattern));
        struct tenuo_error err = { 0 };
        char got = ask(c, t[i].text, strlen(t[i].text), &err);
        ok(got == t[i].answer, "%s: %c %s", t[i].pattern, got, err.msg);
        tenuo_constraint_free(c);
    }
}

static void test_refusals(void)
{
    static const struct {
        const char *pattern, *what;
        unsigned at;
    } t[] = {
        { "ab(?=c)", "look-around", 2 },
        { "a(?<n>b)", "(?<name>...); write (?P<name>...)", 1 },
        { "a**", "a repetition of a repetition", 2 },
        { "a*+", "a repetition of a repetition", 2 },
        { "*a", "a repetition of nothing, or of an assertion,", 0 },
        { "^*", "a repetition of nothing, or of an assertion,", 1 },
        { "a{,3}", "this counted repetition", 1 },
        { "a{3,1}", "this counted repetition", 1 },
        { "a{01}", "this counted repetition", 1 },
        { "a{1001}", "this counted repetition", 1 },
        { "a{", "this counted repetition", 1 },
        { "a)", "an unmatched )", 1 },
        { "(a", "an unclosed group", 2 },
        { "x[a", "an unclosed class", 1 },
        { "[a&&b]", "&&", 2 },
        { "[a--b]", "--", 2 },
        { "[a~~b]", "~~", 2 },
        { "[[a]b]", "a class within a class", 1 },
        { "[a-\\d]", "a range that ends in a class", 1 },
        { "[\\d-a]", "a range that begins with a class", 3 },
        { "[b-a]", "a range that runs backwards", 1 },
        { "[a-c-e]", "a '-' between two ranges", 4 },
        { "[]-a]", "a '-' behind a first ]", 2 },
        { "[[:foo:]]", "this [:name:]", 1 },
        { "\\Qa\\E", "\\Q", 0 },
        { "a\\1", "\\1", 1 },
        { "\\<a", "\\<", 0 },
        { "\\b{start}a", "\\b{...}", 0 },
        { "a\\", "this escape", 1 },
        { "\\x{d800}", "this \\x escape", 0 },
        { "\\x4", "this \\x escape", 0 },
        { "\\u0041", "\\u", 0 },
        { "\\p{Alphabetic}", NULL, 0 },
        { "\\p{gc=Lu}", "this \\p class", 0 },
        { "\\pC", "this \\p class", 0 },
        { "(?i)\\pL", "a \\p class under (?i)", 4 },
        { "(?i)[\xc3\xa0-\xc3\xbf]", "a range beyond ASCII under (?i)", 5 },
        { "(?x)a", "this kind of group", 0 },
        { "(?P<a>x)(?P<a>y)", "a group name that is used twice", 12 },
        { "(a{1000}){1000}", "a pattern as large", 15 },
        { "\\w{101}", "a pattern as large", 7 },
    };
    for (size_t i = 0; i < sizeof t / sizeof t[0]; i++) {
        struct tenuo_constraint *c = regex(t[i].pattern, strlen(t[i].pattern));
        struct tenuo_error err = { 0 };
        char want[160];
        (void)snprintf(want, sizeof want, "matcher 'regex': regex not supported: %s at offset %u",
                       t[i].what == NULL ? "" : t[i].what, t[i].at);
        ok(ask(c, "a", 1, &err) == 'E', "refused: %s", t[i].pattern);
        if (t[i].what != NULL)
            is_str(err.msg, want, "and says where");
        is_int(tenuo_constraint_check(c, matchers, NULL), TENUO_E_CONSTRAINT_VIOLATION, "it does not compile");
        tenuo_constraint_free(c);
    }
}

static void test_depth(void)
{
    char pattern[256] = "";
    for (int depth = 60; depth <= 61; depth++) {
        memset(pattern, '(', (size_t)depth);
        memset(pattern + depth, ')', (size_t)depth);
        struct tenuo_constraint *c = regex(pattern, 2 * (size_t)depth);
        ok(ask(c, "a", 1, NULL) == (depth == 60 ? 'y' : 'E'), "groups nested %d deep", depth);
        tenuo_constraint_free(c);
    }
}

static void test_values(void)
{
    struct tenuo_constraint *c = regex("a", 1), *nul = regex("a\0b", 3), *bad = regex("(", 1),
                            *big = regex("a{100}b", 7);
    struct tenuo_constraint *bigger = regex("a{1000}b", 8);
    struct tenuo_value *number = NULL;
    char *text = malloc(1100000);
    int match = 9;
    if (text == NULL || tenuo_value_int(5, &number) != TENUO_OK)
        exit(1);
    memset(text, 'x', 1100000);
    ok(tenuo_constraint_match(c, number, matchers, 0, &match, NULL) == 0 && match == TENUO_NO_MATCH, "a number: no");
    is_int(tenuo_constraint_match(bad, number, matchers, 0, &match, NULL), TENUO_E_CONSTRAINT_VIOLATION,
           "a number, and a pattern that is none: an error");
    ok(ask(nul, "xa\0b", 4, NULL) == 'y' && ask(nul, "ab", 2, NULL) == 'n', "NUL is a character");
    ok(ask(c, "\0a", 2, NULL) == 'y', "and ends no text");
    ok(ask(c, text, 1048570, NULL) == 'n', "a text of a megabyte");
    ok(ask(big, text, 1000000, NULL) == 'n', "with a hundred instructions");
    ok(ask(bigger, text, 1000000, NULL) == 'E', "with more: too many steps");
    tenuo_value_free(number);
    free(text);
    tenuo_constraint_free(c);
    tenuo_constraint_free(nul);
    tenuo_constraint_free(bad);
    tenuo_constraint_free(big);
    tenuo_constraint_free(bigger);
}

/* What one match may cost is not what a decision may: the sum counts. */
static void test_sum(void)
{
    struct tenuo_constraint *one = regex("[ab]*a[ab]{200}c", 16), *list[16], *few = NULL, *many = NULL;
    char *text = malloc(100000);
    if (text == NULL)
        exit(1);
    for (size_t i = 0; i < 100000; i++)
        text[i] = i * i % 7 < 3 ? 'a' : 'b';
    memcpy(text + 99999, "c", 1);
    for (size_t i = 0; i < 16; i++)
        list[i] = one;
    int r = tenuo_constraint_combine(TENUO_C_ALL, (const struct tenuo_constraint *const *)list, 2, &few, NULL);
    r = r != 0 ? r
               : tenuo_constraint_combine(TENUO_C_ALL, (const struct tenuo_constraint *const *)list, 16, &many, NULL);
    is_int(r, 0, "the same pattern many times");
    ok(ask(few, text, 100000, NULL) != 'E', "twice is judged");
    ok(ask(many, text, 100000, NULL) == 'E', "sixteen times is refused");
    tenuo_constraint_free(few);
    tenuo_constraint_free(many);
    tenuo_constraint_free(one);
    free(text);
}

static void test_attenuates(void)
{
    struct tenuo_constraint *p = regex("^a+$", 4), *same = regex("^a+$", 4), *other = regex("^aa$", 4),
                            *bad = regex("(", 1);
    struct tenuo_constraint *in = NULL, *out = NULL, *pattern = NULL;
    struct tenuo_value *v = NULL, *w = NULL;
    struct tenuo_error err = { 0 };
    if (tenuo_value_string("aa", 2, &v, NULL) != 0 || tenuo_value_string("ab", 2, &w, NULL) != 0 ||
        tenuo_constraint_exact(v, &in, NULL) != 0 || tenuo_constraint_exact(w, &out, NULL) != 0 ||
        tenuo_constraint_text(TENUO_C_PATTERN, "aa", 2, &pattern, NULL) != 0)
        exit(1);
    is_int(tenuo_constraint_attenuates(p, same, matchers, 0, NULL), 0, "the same pattern");
    is_int(tenuo_constraint_attenuates(p, other, matchers, 0, &err), TENUO_E_INVALID_ATTENUATION, "another one");
    ok(strstr(err.msg, "the same pattern, or an Exact") != NULL, "says: %s", err.msg);
    is_int(tenuo_constraint_attenuates(p, in, matchers, 0, NULL), 0, "a value that matches");
    is_int(tenuo_constraint_attenuates(p, out, matchers, 0, NULL), TENUO_E_CAPABILITY_EXPANSION, "one that does not");
    is_int(tenuo_constraint_attenuates(bad, in, matchers, 0, NULL), TENUO_E_CONSTRAINT_VIOLATION,
           "a pattern that is none");
    is_int(tenuo_constraint_attenuates(p, pattern, matchers, 0, NULL), TENUO_E_INVALID_ATTENUATION, "another type");
    is_int(tenuo_constraint_attenuates(p, in, NULL, 0, NULL), TENUO_E_UNKNOWN_CONSTRAINT, "a value, and no matcher");
    tenuo_value_free(v);
    tenuo_value_free(w);
    tenuo_constraint_free(p);
    tenuo_constraint_free(same);
    tenuo_constraint_free(other);
    tenuo_constraint_free(bad);
    tenuo_constraint_free(in);
    tenuo_constraint_free(out);
    tenuo_constraint_free(pattern);
}

static void *work(void *arg)
{
    const struct tenuo_constraint *c = arg;
    size_t wrong = 0;
    for (int i = 0; i < 500; i++)
        wrong += ask(c, i % 2 ? "order-17" : "order-x", i % 2 ? 8 : 7, NULL) != (i % 2 ? 'y' : 'n');
    return (void *)wrong;
}

static void test_shared(void)
{
    struct tenuo_constraint *c = regex("^order-[0-9]+$", 14);
    pthread_t t[4];
    size_t wrong = 0;
    int status = 0;
    for (size_t i = 0; i < 4; i++)
        if (pthread_create(&t[i], NULL, work, c) != 0)
            exit(1);
    for (size_t i = 0; i < 4; i++) {
        void *n = NULL;
        (void)pthread_join(t[i], &n);
        wrong += (size_t)n;
    }
    is_int((long long)wrong, 0, "four threads, one pattern");
    pid_t pid = fork();
    if (pid == 0)
        _exit(work(c) == NULL ? 0 : 1);
    ok(pid > 0 && waitpid(pid, &status, 0) == pid && WIFEXITED(status) && WEXITSTATUS(status) == 0,
       "a child of a fork");
    tenuo_constraint_free(c);
}

int main(int argc, char **argv)
{
    static const char *const names[] = { "regex" };
    struct tenuo_error err;
    if (argc != 2)
        return 1;
    if (!ok(tenuo_matchers_open(argv[1], names, 1, &matchers, &err) == TENUO_OK, "the plugin is loaded"))
        return 1;
    test_answers();
    test_refusals();
    test_depth();
    test_values();
    test_sum();
    test_attenuates();
    test_shared();
    tenuo_matchers_unref(matchers);
    return done_testing();
}
