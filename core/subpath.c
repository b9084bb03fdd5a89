/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Subpath: lexical containment of one path in another. Owns normalisation and the containment rule of constraint type
 * 17. Must never touch the file system, decode percent escapes, or fold case outside ASCII: where that would be
 * needed the answer is TN_ERROR.
 */
#include <stdlib.h>

#include "match.h"

#define ON_STACK 1024

static bool is_separator(uint8_t c) { return c == '/' || c == '\\'; }

/* Bytes of "/" or "X:/" or "X:\"; 0 when the path is not absolute. */
static size_t prefix_length(struct tn_str s)
{
    if (s.n >= 1 && s.p[0] == '/')
        return 1;
    return s.n >= 3 && tn_is_alpha(s.p[0]) && s.p[1] == ':' && is_separator(s.p[2]) ? 3 : 0;
}

static bool has_byte(struct tn_str s, uint8_t c)
{
    return s.n != 0 && memchr(s.p, c, s.n) != NULL;
}

static bool is_ascii(struct tn_str s)
{
    for (size_t i = 0; i < s.n; i++) {
        if (s.p[i] >= 0x80)
            return false;
    }
    return true;
}

/* Drops the last component of buf[prefix..n) together with the '/' before it, if there is one. */
static size_t pop(const uint8_t *buf, size_t prefix, size_t n)
{
    while (n > prefix && buf[n - 1] != '/')
        n--;
    return n > prefix ? n - 1 : n;
}

bool tn_subpath_normalise(struct tn_str text, bool lower, uint8_t *buf, size_t *ret_len)
{
    size_t prefix = prefix_length(text), n = prefix;
    if (prefix == 0)
        return false;
    memcpy(buf, text.p, prefix);
    for (size_t i = prefix; i < text.n;) {
        size_t end = i;
        while (end < text.n && !is_separator(text.p[end]))
            end++;
        struct tn_str part = { text.p + i, end - i };
        i = end + 1;
        if (part.n == 0 || tn_str_eq(part, tn_lit(".")))
            continue;
        if (tn_str_eq(part, tn_lit(".."))) {
            n = pop(buf, prefix, n);
            continue;
        }
        if (n > prefix)
            buf[n++] = '/';
        memcpy(buf + n, part.p, part.n);
        n += part.n;
    }
    for (size_t i = 0; lower && i < n; i++)
        buf[i] = tn_lower(buf[i]);
    *ret_len = n;
    return true;
}

/* The root is taken as it is on the wire, so it must already be what a constructor would have written. */
static bool root_is_sound(const struct tn_subpath *c, uint8_t *scratch)
{
    size_t n;
    if (!c->case_sensitive && !is_ascii(c->root))
        return false;
    return tn_subpath_normalise(c->root, !c->case_sensitive, scratch, &n) &&
           tn_str_eq(c->root, (struct tn_str){ scratch, n });
}

static enum tn_match contains_normalised(const struct tn_subpath *c, struct tn_str path)
{
    struct tn_str root = c->root;
    if (tn_str_eq(path, root)) {
        if (c->allow_equal)
            return TN_TRUE;
        /* The file system root would pass the prefix test below against itself. */
        return root.p[root.n - 1] == '/' ? TN_ERROR : TN_FALSE;
    }
    while (root.n > 0 && root.p[root.n - 1] == '/')
        root.n--;
    return path.n > root.n && tn_str_starts(path, root) && path.p[root.n] == '/' ? TN_TRUE : TN_FALSE;
}

static enum tn_match match_with(const struct tn_subpath *c, struct tn_str path, uint8_t *scratch)
{
    size_t n;
    if (!root_is_sound(c, scratch))
        return TN_ERROR;
    if (has_byte(path, 0) || prefix_length(path) == 0)
        return TN_FALSE;
    if (c->root.p[0] == '/' && has_byte(path, '\\'))
        return TN_ERROR;
    if (!c->case_sensitive && !is_ascii(path))
        return TN_ERROR;
    if (!tn_subpath_normalise(path, !c->case_sensitive, scratch, &n))
        return TN_FALSE;
    return contains_normalised(c, (struct tn_str){ scratch, n });
}

/* `small` or the heap; NULL when memory is out. */
static uint8_t *get_scratch(size_t need, uint8_t small[ON_STACK])
{
    return need <= ON_STACK ? small : malloc(need);
}

static void put_scratch(uint8_t *scratch, const uint8_t *small)
{
    if (scratch != small)
        free(scratch);
}

enum tn_match tn_subpath_match(const struct tn_subpath *c, struct tn_str path)
{
    uint8_t small[ON_STACK];
    uint8_t *scratch = get_scratch((c->root.n > path.n ? c->root.n : path.n) + 1, small);
    if (scratch == NULL)
        return TN_NOMEM;
    enum tn_match m = match_with(c, path, scratch);
    put_scratch(scratch, small);
    return m;
}

enum tn_match tn_subpath_sound(const struct tn_subpath *c)
{
    uint8_t small[ON_STACK];
    uint8_t *scratch = get_scratch(c->root.n + 1, small);
    if (scratch == NULL)
        return TN_NOMEM;
    enum tn_match sound = root_is_sound(c, scratch) ? TN_TRUE : TN_FALSE;
    put_scratch(scratch, small);
    return sound;
}

int tn_subpath_narrower(const struct tn_subpath *parent, const struct tn_subpath *child)
{
    enum tn_match p = tn_subpath_sound(parent), c = tn_subpath_sound(child);
    if (p == TN_NOMEM || c == TN_NOMEM)
        return TENUO_E_NOMEM;
    if (p != TN_TRUE || c != TN_TRUE)
        return TENUO_E_CAPABILITY_EXPANSION;
    enum tn_match inside = tn_subpath_match(parent, child->root);
    if (inside != TN_TRUE)
        return inside == TN_NOMEM ? TENUO_E_NOMEM : TENUO_E_CONSTRAINT_VIOLATION;
    if ((parent->case_sensitive && !child->case_sensitive) || (!parent->allow_equal && child->allow_equal))
        return TENUO_E_INVALID_ATTENUATION;
    return TENUO_OK;
}
