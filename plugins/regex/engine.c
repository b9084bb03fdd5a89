/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A pattern or a text on which RE2's answer might not be the reference's is refused with a sentence. What one search
 * may cost is the product of both sizes, since RE2 goes through a text once for each instruction at worst.
 */
#include "engine.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "dialect.h"
#include "re2.h"

#define MAX_TEXT 1048576     /* bytes of a text */
#define MAX_SIZE 30000       /* instructions; the reference refuses programs of its own from about 75000 of these */

struct tn_regex_engine {
    struct tn_re2 *unsure; /* finds characters about which tables of another Unicode version may say something else */
};

struct tn_regex {
    struct tn_re2 *re;
    bool ascii_only, tables;
};

/*
 * What this RE2 does not know as assigned, and characters whose case folding (15.1) or category (16) Unicode changed:
 * about the rest of the characters all versions agree.
 */
static const char unsure_class[] =
    "[^\\pL\\pM\\pN\\pP\\pS\\pZ\\pC]|[\\x{390}\\x{3b0}\\x{1fd3}\\x{1fe3}\\x{fb05}\\x{fb06}\\x{1171e}]";

struct tn_regex_engine *tn_regex_engine_new(void)
{
    struct tn_regex_engine *e = calloc(1, sizeof *e);
    char why[TN_REGEX_WHY];
    if (e != NULL &&
        tn_re2_compile(unsure_class, sizeof unsure_class - 1, 8 << 20, &e->unsure, why, sizeof why) == TN_RE2_YES &&
        tn_re2_search(e->unsure, "a", 1) == TN_RE2_NO)
        return e;
    tn_regex_engine_free(e);
    return NULL;
}

void tn_regex_engine_free(struct tn_regex_engine *engine)
{
    if (engine != NULL)
        tn_re2_free(engine->unsure);
    free(engine);
}

__attribute__((format(printf, 2, 3))) static enum tn_regex_result refuse(char why[TN_REGEX_WHY], const char *fmt, ...)
{
    va_list ap;
    int n = snprintf(why, TN_REGEX_WHY, "regex not supported: ");
    va_start(ap, fmt);
    (void)vsnprintf(why + n, TN_REGEX_WHY - (size_t)n, fmt, ap);
    va_end(ap);
    return TN_REGEX_REFUSED;
}

/* In the smallest budget that holds it: what it may take is what the host counts. */
static enum tn_regex_result compile_re2(const struct tn_dialect *d, struct tn_re2 **ret, size_t *ret_bytes,
                                        char why[TN_REGEX_WHY])
{
    static const int64_t budgets[] = { 256 << 10, 1 << 20, 8 << 20 };
    char said[96] = "";
    for (size_t i = 0; i < sizeof budgets / sizeof budgets[0]; i++) {
        enum tn_re2_result r = tn_re2_compile(d->text, d->len, budgets[i], ret, said, sizeof said);
        if (r == TN_RE2_NOMEM)
            return TN_REGEX_NOMEM;
        if (r == TN_RE2_YES) {
            *ret_bytes = (size_t)budgets[i];
            return TN_REGEX_YES;
        }
        if (said[0] != '\0')
            return refuse(why, "%s", said);
    }
    return refuse(why, "a pattern as large");
}

/* Characters that are compared without regard to case must be ones that all versions fold alike. */
static enum tn_regex_result check_folded(const struct tn_regex_engine *e, const struct tn_dialect *d,
                                         char why[TN_REGEX_WHY])
{
    enum tn_re2_result r = d->nfolded == 0 ? TN_RE2_NO : tn_re2_search(e->unsure, d->folded, d->nfolded);
    if (r == TN_RE2_NOMEM)
        return TN_REGEX_NOMEM;
    return r == TN_RE2_NO ? TN_REGEX_YES
                          : refuse(why, "a character under (?i) that Unicode versions disagree about");
}

static enum tn_regex_result build(const struct tn_regex_engine *e, const struct tn_dialect *d, struct tn_regex **ret,
                                  size_t *ret_bytes, char why[TN_REGEX_WHY])
{
    struct tn_regex *x = calloc(1, sizeof *x);
    enum tn_regex_result r;
    if (x == NULL)
        return TN_REGEX_NOMEM;
    x->ascii_only = d->ascii_only;
    x->tables = d->tables;
    r = compile_re2(d, &x->re, ret_bytes, why);
    if (r == TN_REGEX_YES && tn_re2_size(x->re) > MAX_SIZE)
        r = refuse(why, "a pattern as large");
    if (r == TN_REGEX_YES)
        r = check_folded(e, d, why);
    if (r == TN_REGEX_YES)
        *ret = x;
    else
        tn_regex_free(x);
    return r;
}

enum tn_regex_result tn_regex_compile(const struct tn_regex_engine *engine, const char *pattern, size_t len,
                                      struct tn_regex **ret, size_t *ret_bytes, char why[TN_REGEX_WHY])
{
    struct tn_dialect_error error = { 0 };
    struct tn_dialect d = { 0 };
    enum tn_regex_result r;
    switch (tn_dialect_translate((const uint8_t *)pattern, len, &d, &error)) {
    case TN_DIALECT_NOMEM:
        return TN_REGEX_NOMEM;
    case TN_DIALECT_REFUSED:
        return refuse(why, "%s at offset %zu", error.what, error.at);
    case TN_DIALECT_OK:
        break;
    }
    r = build(engine, &d, ret, ret_bytes, why);
    tn_dialect_free(&d);
    return r;
}

uint64_t tn_regex_cost(const struct tn_regex *regex, size_t len)
{
    return len * (uint64_t)tn_re2_size(regex->re);
}

static bool is_ascii(const char *text, size_t len)
{
    for (size_t i = 0; i < len; i++)
        if ((uint8_t)text[i] >= 0x80)
            return false;
    return true;
}

/* May RE2 be asked about this text? */
static enum tn_regex_result check_text(const struct tn_regex_engine *e, const struct tn_regex *x, const char *text,
                                       size_t len, char why[TN_REGEX_WHY])
{
    enum tn_re2_result unsure;
    if (len > MAX_TEXT)
        return refuse(why, "a text longer than 1 MiB");
    if ((!x->ascii_only && !x->tables) || is_ascii(text, len))
        return TN_REGEX_YES;
    if (x->ascii_only)
        return refuse(why, "\\w, \\W, \\b or \\B on a text that is not ASCII");
    unsure = tn_re2_search(e->unsure, text, len);
    if (unsure == TN_RE2_NOMEM)
        return TN_REGEX_NOMEM;
    return unsure == TN_RE2_NO ? TN_REGEX_YES
                               : refuse(why, "a text with a character that Unicode versions disagree about");
}

enum tn_regex_result tn_regex_search(const struct tn_regex_engine *engine, const struct tn_regex *regex,
                                     const char *text, size_t len, char why[TN_REGEX_WHY])
{
    enum tn_regex_result r = check_text(engine, regex, text, len, why);
    if (r != TN_REGEX_YES)
        return r;
    switch (tn_re2_search(regex->re, text, len)) {
    case TN_RE2_YES: return TN_REGEX_YES;
    case TN_RE2_NO: return TN_REGEX_NO;
    case TN_RE2_REFUSED: case TN_RE2_NOMEM: break;
    }
    return TN_REGEX_NOMEM;
}

void tn_regex_free(struct tn_regex *regex)
{
    tn_re2_free(regex->re);
    free(regex);
}
