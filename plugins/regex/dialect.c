/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One pass over the pattern, no recursion: groups keep what they must remember on a short stack. What is written is
 * always unambiguous RE2: letters, digits and escapes, never a character that RE2 could read in a way of its own.
 */
#include "dialect.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "parse.h"

/* Parser's state after an item: what may follow it. */
enum item { NOTHING, ATOM, ASSERTION, REPEATED };

struct group {
    bool fold;       /* of the group around */
    size_t start;    /* of its text in the output */
    uint32_t counts; /* of the group around, so far */
    uint64_t weight; /* likewise */
};

struct dialect {
    struct tn_parse p; /* first */
    struct group groups[TN_REGEX_MAX_GROUPS];
    size_t depth;
    enum item last;
    size_t start;         /* of the last item in the output */
    uint32_t own, counts; /* greatest product of nested counts: in the last item, in this group so far */
    size_t names[TN_REGEX_MAX_NAMES], nnames; /* offsets of group names in the pattern */
    uint64_t mass, weight; /* of the last item with its counts written out, and of this group before it */
};

static bool starts(const struct tn_parse *p, const char *text)
{
    size_t n = strlen(text);
    return p->n - p->i >= n && memcmp(p->in + p->i, text, n) == 0;
}

static bool literal(struct dialect *d)
{
    uint32_t c;
    d->last = ATOM;
    return tn_parse_char(&d->p, &c) && tn_put_literal(&d->p, c);
}

static bool assertion(struct dialect *d, const char *text, size_t skip)
{
    d->p.i += skip;
    d->last = ASSERTION;
    return tn_put(&d->p, text);
}

static bool escape(struct dialect *d)
{
    uint8_t c = d->p.n - d->p.i < 2 ? 0 : d->p.in[d->p.i + 1];
    uint32_t value;
    switch (c) {
    case 'A':
        return assertion(d, "\\A", 2);
    case 'z':
        return assertion(d, "\\z", 2);
    case 'b':
    case 'B':
        if (c == 'b' && d->p.n - d->p.i > 2 && d->p.in[d->p.i + 2] == '{')
            return tn_refuse(&d->p, d->p.i, "\\b{...}");
        d->p.ascii_only = true;
        return assertion(d, c == 'b' ? "\\b" : "\\B", 2);
    default:
        break;
    }
    d->last = ATOM;
    if (tn_is_class_escape(c))
        return tn_put_class_escape(&d->p, false);
    return tn_parse_escape(&d->p, &value) && tn_put_literal(&d->p, value);
}

/* "imsU" in any order, each once; false when there is another character. */
static bool flags(const struct tn_parse *p, size_t *i, unsigned *seen)
{
    size_t from = *i;
    for (; *i < p->n; (*i)++) {
        const char *at = memchr("imsU", p->in[*i], 4);
        unsigned bit;
        if (at == NULL || p->in[*i] == 0)
            break;
        bit = 1u << (*at % 32);
        if ((*seen & bit) != 0)
            return false;
        *seen |= bit;
    }
    return *i != from;
}

#define FOLD (1u << ('i' % 32))

static bool push(struct dialect *d, size_t at)
{
    if (d->depth == TN_REGEX_MAX_GROUPS)
        return tn_refuse(&d->p, at, "groups nested as deep");
    d->groups[d->depth++] = (struct group){ d->p.fold, d->p.out.n, d->counts, d->weight };
    d->counts = 1;
    d->weight = 0;
    d->last = NOTHING;
    return true;
}

/* (?flags) for the rest of the group, or (?flags:...): copied as they are, since both dialects scope them alike. */
static bool flag_group(struct dialect *d)
{
    struct tn_parse *p = &d->p;
    size_t start = p->i, i = p->i + 2;
    unsigned on = 0, all = 0;
    bool some = flags(p, &i, &all), opens;
    on = all;
    if (i < p->n && p->in[i] == '-') {
        i++;
        some = (some || on == 0) && flags(p, &i, &all);
    }
    if (!some || i >= p->n || (p->in[i] != ')' && p->in[i] != ':'))
        return tn_refuse(p, start, "this kind of group");
    opens = p->in[i] == ':';
    if (opens && !push(d, start))
        return false;
    if ((all & FOLD) != 0)
        p->fold = (on & FOLD) != 0;
    p->tables = p->tables || p->fold;
    d->last = NOTHING;
    i++;
    if (!tn_put_bytes(p, (const char *)p->in + start, i - start))
        return false;
    p->i = i;
    return true;
}

/* The reference refuses a name that is there twice; RE2 does not look. `n` counts the '>' as well. */
static bool remember_name(struct dialect *d, size_t at, size_t n)
{
    const uint8_t *in = d->p.in;
    for (size_t k = 0; k < d->nnames; k++)
        if (memcmp(in + d->names[k], in + at, n) == 0) /* an earlier name: its '>' ends the comparison in time */
            return tn_refuse(&d->p, at, "a group name that is used twice");
    if (d->nnames == TN_REGEX_MAX_NAMES)
        return tn_refuse(&d->p, at, "as many group names");
    d->names[d->nnames++] = at;
    return true;
}

/* (?P<name>...), whose name matters to nobody here. */
static bool named_group(struct dialect *d)
{
    struct tn_parse *p = &d->p;
    size_t start = p->i, i = p->i + 4;
    while (i < p->n && (tn_is_word(p->in[i])) && !(i == p->i + 4 && tn_is_decimal(p->in[i])))
        i++;
    if (i == p->i + 4 || i >= p->n || p->in[i] != '>')
        return tn_refuse(p, start, "this group name");
    if (!remember_name(d, start + 4, i + 1 - (start + 4)) || !push(d, start))
        return false;
    p->i = i + 1;
    return tn_put(p, "(?:");
}

static bool open_group(struct dialect *d)
{
    struct tn_parse *p = &d->p;
    size_t at = p->i;
    if (starts(p, "(?P<"))
        return named_group(d);
    if (starts(p, "(?:"))
        p->i += 3;
    else if (starts(p, "(?=") || starts(p, "(?!") || starts(p, "(?<=") || starts(p, "(?<!"))
        return tn_refuse(p, at, "look-around");
    else if (starts(p, "(?<"))
        return tn_refuse(p, at, "(?<name>...); write (?P<name>...)");
    else if (starts(p, "(?"))
        return flag_group(d);
    else
        p->i++;
    return push(d, at) && tn_put(p, "(?:");
}

static bool close_group(struct dialect *d)
{
    if (d->depth == 0)
        return tn_refuse(&d->p, d->p.i, "an unmatched )");
    const struct group *g = &d->groups[--d->depth];
    d->p.i++;
    d->p.fold = g->fold;
    d->start = g->start;
    d->own = d->counts;
    d->mass += d->weight + 1;
    d->weight = g->weight;
    d->counts = g->counts > d->counts ? g->counts : d->counts;
    d->last = ATOM;
    return tn_put(&d->p, ")");
}

/* {n} {n,} {n,m} */
struct counts {
    uint32_t bound[2];
    bool open;  /* {n,}: bound[1] is 0 */
    size_t len; /* of the whole */
};

/* Plain numbers up to 1000. */
static bool counted(const struct tn_parse *p, struct counts *ret)
{
    uint32_t bound[2] = { 0, 0 };
    size_t i = p->i + 1, k = 0;
    for (;;) {
        size_t from = i;
        for (; i < p->n && tn_is_decimal(p->in[i]) && i - from < 4; i++)
            bound[k] = bound[k] * 10 + (uint32_t)(p->in[i] - '0');
        bool open = k == 1 && i == from; /* {n,} */
        if ((i == from && !open) || (i - from > 1 && p->in[from] == '0') || bound[k] > 1000 || i >= p->n)
            return false;
        if (p->in[i] == ',' && k == 0) {
            k = 1;
            i++;
            continue;
        }
        *ret = (struct counts){ { bound[0], k == 0 ? bound[0] : bound[1] }, open, i + 1 - p->i };
        return p->in[i] == '}' && (k == 0 || open || bound[1] >= bound[0]);
    }
}

static bool copies(struct tn_parse *p, const char *text, size_t n, const char *suffix, uint32_t times)
{
    for (uint32_t k = 0; k < times; k++)
        if (!tn_put_bytes(p, text, n) || !tn_put(p, suffix))
            return false;
    return true;
}

/* RE2 counts to 1000 through all levels, the reference does not: the outermost count is written out instead. */
static bool write_out(struct dialect *d, const struct counts *c)
{
    struct tn_parse *p = &d->p;
    size_t n = p->out.n - d->start;
    char *text = malloc(n + 1);
    bool good;
    if (text == NULL)
        return false;
    memcpy(text, p->out.p + d->start, n);
    p->out.n = d->start;
    good = tn_put(p, "(?:") && copies(p, text, n, "", c->bound[0]) &&
           (c->open ? copies(p, text, n, "*", 1) : copies(p, text, n, "?", c->bound[1] - c->bound[0])) &&
           tn_put(p, ")");
    free(text);
    return good;
}

#define RE2_MAX_COUNT 1000

/* *ret_done: written out already. */
static bool count_item(struct dialect *d, const struct counts *c, bool *ret_done)
{
    uint32_t most = c->bound[1] > c->bound[0] ? c->bound[1] : c->bound[0];
    *ret_done = most > 1 && d->own > RE2_MAX_COUNT / most;
    if (*ret_done && !write_out(d, c))
        return false;
    if (!*ret_done && most > 1)
        d->own *= most;
    d->counts = d->own > d->counts ? d->own : d->counts;
    d->mass = d->mass * (most > 1 ? most : 1) + c->len;
    return true;
}

static bool repetition(struct dialect *d)
{
    struct tn_parse *p = &d->p;
    struct counts c = { { 1, 1 }, false, 1 };
    size_t at = p->i, len;
    bool done;
    if (d->last == REPEATED)
        return tn_refuse(p, at, "a repetition of a repetition");
    if (d->last != ATOM)
        return tn_refuse(p, at, "a repetition of nothing, or of an assertion,");
    if (p->in[p->i] == '{' && !counted(p, &c))
        return tn_refuse(p, at, "this counted repetition");
    len = c.len;
    if (!count_item(d, &c, &done))
        return false;
    if (p->i + len < p->n && p->in[p->i + len] == '?')
        len++;
    d->last = REPEATED;
    p->i += len;
    return done || tn_put_bytes(p, (const char *)p->in + at, len);
}

static bool is_repetition(uint8_t c)
{
    return c == '*' || c == '+' || c == '?' || c == '{';
}

static bool item(struct dialect *d)
{
    switch (d->p.in[d->p.i]) {
    case '\\':
        return escape(d);
    case '(':
        return open_group(d);
    case ')':
        return close_group(d);
    case '[':
        d->last = ATOM;
        return tn_parse_class(&d->p);
    case '|':
        d->p.i++;
        d->last = NOTHING;
        return tn_put(&d->p, "|");
    case '.':
        d->p.i++;
        d->last = ATOM;
        return tn_put(&d->p, ".");
    case '^':
        return assertion(d, "^", 1);
    case '$':
        return assertion(d, "$", 1);
    case '*':
    case '+':
    case '?':
    case '{':
        return repetition(d);
    default:
        return literal(d);
    }
}

/* One item, and what is known about it for a count that may follow. */
static bool step(struct dialect *d)
{
    struct tn_parse *p = &d->p;
    uint8_t c = p->in[p->i];
    bool repeats = is_repetition(c);
    size_t extra = p->extra;
    if (!repeats && c != ')') { /* an item begins here */
        d->weight += d->mass;
        d->mass = 0;
        d->start = p->out.n;
        d->own = 1;
    }
    if (!item(d))
        return false;
    if (!repeats && c != ')')
        d->mass = p->out.n - d->start + (p->extra - extra);
    return d->mass + d->weight <= TN_REGEX_MAX_WEIGHT || tn_refuse(p, p->i, "a pattern as large");
}

enum tn_dialect_result tn_dialect_translate(const uint8_t *pattern, size_t len, struct tn_dialect *ret,
                                            struct tn_dialect_error *ret_error)
{
    struct dialect d = { .p = { .in = pattern, .n = len }, .own = 1, .counts = 1 };
    struct tn_parse *p = &d.p;
    bool good = true;
    while (good && p->i < p->n)
        good = step(&d);
    if (good && d.depth != 0)
        good = tn_refuse(p, len, "an unclosed group");
    if (good)
        good = tn_buffer_end(&p->out) && tn_buffer_end(&p->folded);
    if (good) {
        *ret = (struct tn_dialect){ .text = p->out.p, .len = p->out.n, .ascii_only = p->ascii_only,
                                    .tables = p->tables, .folded = p->folded.p, .nfolded = p->folded.n };
        return TN_DIALECT_OK;
    }
    free(p->out.p);
    free(p->folded.p);
    if (!p->refused)
        return TN_DIALECT_NOMEM;
    *ret_error = p->error;
    return TN_DIALECT_REFUSED;
}

void tn_dialect_free(struct tn_dialect *d)
{
    free(d->text);
    free(d->folded);
}
