/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Expressions of the regex matcher, filter and RE2 together: any text, or one made from pieces of the language.
 * Properties: what is refused is refused within the expression, an answer is given twice alike, and a group around the
 * whole expression, or the expression as an alternative to itself, changes no answer.
 */
#include <stdio.h>
#include <tenuo/tenuo.h>

#include "../plugins/regex/dialect.h"
#include "../plugins/regex/engine.h"
#include "fuzz.h"

#define MAX_TEXT 4096

struct text {
    char p[MAX_TEXT];
    size_t n;
};

static void add(struct text *t, const void *bytes, size_t n)
{
    if (n <= sizeof t->p - t->n) {
        memcpy(t->p + t->n, bytes, n);
        t->n += n;
    }
}

static void put(struct text *t, const char *s)
{
    add(t, s, strlen(s));
}

static const char *const pieces[] = {
    "a",        "b",       "[a-c]",  "[^a]",      "(",      "(?:",    ")",       "|",      "*",      "+",      "?",
    "{2}",      "{1,3}",   "{0,}",   "{30}",      "{1000}", "^",      "$",       ".",      "\\d",    "\\D",    "\\s",
    "\\S",      "\\w",     "\\W",    "\\b",       "\\B",    "\\A",    "\\z",     "\\pL",   "\\p{Lu}", "\\P{Greek}",
    "(?i)",     "(?i:",    "(?-i)",  "(?s)",      "(?m)",   "(?U)",   "(?P<n>",  "(?P<m>", "[",      "]",      "-",
    "[[:alpha:]]", "[:^digit:]", "&&", "--",      "\\x41",  "\\x{e9}", "\xc3\xa9", "\xe2\x84\xaa", "\xce\x90", "K", "s",
};

static void generate(struct text *t, struct source *s)
{
    for (unsigned n = source_byte(s) % 24; n > 0; n--)
        put(t, pieces[source_byte(s) % (sizeof pieces / sizeof pieces[0])]);
}

/* What the host checks before a plugin sees a text. */
static bool is_utf8(const struct text *t)
{
    struct tenuo_value *v = NULL;
    bool good = tenuo_value_string(t->p, t->n, &v, NULL) == TENUO_OK;
    tenuo_value_free(v);
    return good;
}

static enum tn_regex_result ask(const struct tn_regex_engine *e, const struct text *pattern, const struct text *text)
{
    char why[TN_REGEX_WHY];
    struct tn_regex *x = NULL;
    size_t bytes = 0;
    enum tn_regex_result r = tn_regex_compile(e, pattern->p, pattern->n, &x, &bytes, why), again;
    if (r != TN_REGEX_YES)
        return r;
    REQUIRE(bytes >= 256u << 10 && bytes <= 8u << 20);
    r = tn_regex_search(e, x, text->p, text->n, why);
    again = tn_regex_search(e, x, text->p, text->n, why);
    REQUIRE(r == again);
    tn_regex_free(x);
    return r;
}

static void check_dialect(const struct text *pattern)
{
    struct tn_dialect d;
    struct tn_dialect_error error = { 0 };
    enum tn_dialect_result r = tn_dialect_translate((const uint8_t *)pattern->p, pattern->n, &d, &error);
    REQUIRE(r != TN_DIALECT_REFUSED || error.at <= pattern->n);
    if (r != TN_DIALECT_OK)
        return;
    REQUIRE(d.len <= TN_REGEX_MAX_OUTPUT && strlen(d.text) == d.len);
    for (size_t i = 0; i < d.len; i++)
        REQUIRE((unsigned char)d.text[i] >= 0x20 && (unsigned char)d.text[i] < 0x7f);
    tn_dialect_free(&d);
}

static void same_in(const struct tn_regex_engine *e, const struct text *pattern, const struct text *text,
                    enum tn_regex_result plain, bool twice)
{
    struct text wrapped = { .n = 0 };
    enum tn_regex_result r;
    if (2 * pattern->n + 8 > sizeof wrapped.p)
        return;
    put(&wrapped, "(?:");
    add(&wrapped, pattern->p, pattern->n);
    put(&wrapped, twice ? ")|(?:" : ")");
    if (twice) {
        add(&wrapped, pattern->p, pattern->n);
        put(&wrapped, ")");
    }
    r = ask(e, &wrapped, text);
    REQUIRE(r == plain || r == TN_REGEX_REFUSED); /* it is larger and deeper, and names are there twice */
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct tn_regex_engine *engine;
    struct source source = { data, size };
    struct text pattern = { .n = 0 }, text = { .n = 0 };
    enum tn_regex_result r;
    if (engine == NULL)
        engine = tn_regex_engine_new();
    REQUIRE(engine != NULL);
    if ((source_byte(&source) & 1) == 0) {
        struct source part = source_part(&source);
        add(&pattern, part.p, part.len);
    } else {
        generate(&pattern, &source);
    }
    add(&text, source.p, source.len);
    if (!is_utf8(&pattern) || !is_utf8(&text))
        return 0;
    check_dialect(&pattern);
    r = ask(engine, &pattern, &text);
    if (r != TN_REGEX_YES && r != TN_REGEX_NO)
        return 0;
    same_in(engine, &pattern, &text, r, false);
    same_in(engine, &pattern, &text, r, true);
    return 0;
}
