/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Pattern: the glob dialect of constraint type 2, over Unicode scalar values. No escape, no braces; '*' crosses '/'.
 * Owns syntax, matching and the narrowing rule. Must never allocate, recurse, or use fnmatch(3): the dialects differ.
 * The cost of one match is bounded by MAX_STEPS, whatever the pattern; beyond it the answer is TN_ERROR.
 */
#include "match.h"

#define MAX_TEXT ((size_t)1 << 20)
#define MAX_STEPS ((size_t)1 << 26)

enum kind { LITERAL, ANY_ONE, ANY_RUN, ANY_COMPONENTS, CLASS };

struct token {
    enum kind kind;
    uint32_t literal;
    struct tn_str members; /* of a class, without brackets and '!' */
    bool negated;
};

/* A position in the pattern with the text position where matching from there was last tried. */
struct retry {
    bool active, components;
    size_t pattern_at, text_at;
};

static size_t sequence_length(uint8_t lead)
{
    if (lead < 0xc0)
        return 1;
    if (lead < 0xe0)
        return 2;
    return lead < 0xf0 ? 3 : 4;
}

/* Text is valid UTF-8 (the decoder checks); a cut sequence is still read within bounds. */
static uint32_t read_scalar(struct tn_str s, size_t *at)
{
    uint8_t lead = s.p[*at];
    size_t n = sequence_length(lead);
    if (n > s.n - *at)
        n = 1;
    uint32_t c = n == 1 ? lead : lead & (uint32_t)(0x7f >> n);
    for (size_t i = 1; i < n; i++)
        c = (c << 6) | (s.p[*at + i] & 0x3fu);
    *at += n;
    return c;
}

/* `at` is the first byte after '['. The first member may itself be ']'. */
static bool read_class(struct tn_str p, size_t *at, struct token *ret)
{
    size_t i = *at;
    bool negated = i < p.n && p.p[i] == '!';
    if (negated)
        i++;
    if (i >= p.n)
        return false;
    size_t begin = i;
    (void)read_scalar(p, &i);
    if (i >= p.n)
        return false;
    const uint8_t *close = memchr(p.p + i, ']', p.n - i);
    if (close == NULL)
        return false;
    size_t end = (size_t)(close - p.p);
    *ret = (struct token){ .kind = CLASS, .members = { p.p + begin, end - begin }, .negated = negated };
    *at = end + 1;
    return true;
}

/* `at` is the first '*'. "**" must be a whole component and swallows the '/' behind it. */
static bool read_stars(struct tn_str p, size_t *at, struct token *ret)
{
    size_t begin = *at, end = begin;
    while (end < p.n && p.p[end] == '*')
        end++;
    size_t run = end - begin;
    *ret = (struct token){ .kind = run == 1 ? ANY_RUN : ANY_COMPONENTS };
    if (run > 2)
        return false;
    if (run == 2) {
        bool opens = begin == 0 || p.p[begin - 1] == '/';
        bool closes = end == p.n || p.p[end] == '/';
        if (!opens || !closes)
            return false;
        if (end < p.n)
            end++;
    }
    *at = end;
    return true;
}

static bool read_token(struct tn_str p, size_t *at, struct token *ret)
{
    if (p.p[*at] == '*')
        return read_stars(p, at, ret);
    if (p.p[*at] == '[') {
        ++*at;
        return read_class(p, at, ret);
    }
    uint32_t c = read_scalar(p, at);
    *ret = (struct token){ .kind = c == '?' ? ANY_ONE : LITERAL, .literal = c };
    return true;
}

bool tn_glob_valid(struct tn_str pattern)
{
    struct token t;
    for (size_t at = 0; at < pattern.n;) {
        if (!read_token(pattern, &at, &t))
            return false;
    }
    return true;
}

/* "lo-hi" wherever three members are left and the middle one is '-'; an inverted range holds nothing. */
static bool in_class(const struct token *t, uint32_t c)
{
    struct tn_str m = t->members;
    for (size_t at = 0; at < m.n;) {
        uint32_t lo = read_scalar(m, &at), hi = lo;
        if (m.n - at >= 2 && m.p[at] == '-') {
            at++;
            hi = read_scalar(m, &at);
        }
        if (lo <= c && c <= hi)
            return true;
    }
    return false;
}

static bool accepts(const struct token *t, uint32_t c)
{
    if (t->kind == CLASS)
        return in_class(t, c) != t->negated;
    return t->kind == ANY_ONE || t->literal == c;
}

/*
 * Moves a saved star one step on. "**" may end at the start, behind any '/', or at the very end. Only the latest star
 * is kept: whatever an earlier one could still reach, the later one reaches from an earlier position.
 */
static bool advance(struct retry *r, struct tn_str text)
{
    if (!r->active || r->text_at >= text.n)
        return false;
    if (!r->components) {
        (void)read_scalar(text, &r->text_at);
        return true;
    }
    const uint8_t *slash = memchr(text.p + r->text_at, '/', text.n - r->text_at);
    r->text_at = slash == NULL ? text.n : (size_t)(slash - text.p) + 1;
    return true;
}

static enum tn_match match_valid(struct tn_str pattern, struct tn_str text)
{
    struct retry retry = { 0 };
    size_t at = 0, pos = 0, steps = 0;
    while (at < pattern.n || pos < text.n) {
        bool fits = false;
        struct token t;
        size_t next = at;
        if (at < pattern.n && read_token(pattern, &next, &t)) {
            steps += next - at;
            if (t.kind == ANY_RUN || t.kind == ANY_COMPONENTS) {
                retry = (struct retry){ true, t.kind == ANY_COMPONENTS, next, pos };
                fits = true;
            } else if (pos < text.n) {
                fits = accepts(&t, read_scalar(text, &pos));
            }
        }
        if (fits) {
            at = next;
        } else {
            if (!advance(&retry, text))
                return TN_FALSE;
            at = retry.pattern_at;
            pos = retry.text_at;
        }
        if (++steps > MAX_STEPS)
            return TN_ERROR;
    }
    return TN_TRUE;
}

enum tn_match tn_glob_match(struct tn_str pattern, struct tn_str text)
{
    if (text.n > MAX_TEXT || !tn_glob_valid(pattern))
        return TN_ERROR;
    return match_valid(pattern, text);
}

/* The shapes that can be compared; anything else is narrower only when identical. */
enum shape { PLAIN, PREFIX, SUFFIX, COMPLEX };

static enum shape shape_of(struct tn_str s, struct tn_str *ret_text)
{
    size_t stars = 0;
    for (size_t i = 0; i < s.n; i++)
        stars += s.p[i] == '*';
    *ret_text = s;
    if (stars == 0)
        return PLAIN;
    if (stars > 1 || (s.p[s.n - 1] != '*' && s.p[0] != '*'))
        return COMPLEX;
    ret_text->n--;
    if (s.p[s.n - 1] == '*')
        return PREFIX;
    ret_text->p++;
    return SUFFIX;
}

static bool has_class_or_any(struct tn_str s)
{
    for (size_t i = 0; i < s.n; i++) {
        if (s.p[i] == '?' || s.p[i] == '[' || s.p[i] == ']')
            return true;
    }
    return false;
}

bool tn_glob_narrower(struct tn_str parent, struct tn_str child)
{
    if (!tn_glob_valid(parent) || !tn_glob_valid(child))
        return false;
    if (tn_str_eq(parent, child))
        return true;
    if (has_class_or_any(parent) || has_class_or_any(child))
        return false;
    struct tn_str p, c;
    enum shape parent_shape = shape_of(parent, &p), child_shape = shape_of(child, &c);
    if (child_shape != PLAIN && child_shape != parent_shape)
        return false;
    if (parent_shape == PREFIX)
        return tn_str_starts(c, p);
    return parent_shape == SUFFIX && tn_str_ends(c, p);
}
