/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What differs between two warrants in tools, issuable tools and bounds. Constraints are judged by the library's own
 * attenuation rules and by nothing else: where a row speaks of one argument, the library is asked about that change.
 */
#include "diff.h"

#include <string.h>

typedef const struct tenuo_warrant *warrant;
typedef const struct tenuo_constraint_set *set;

/* What the library's answer to "does the child stay within the parent?" means; a matcher that is not loaded answers
 * nothing. */
static enum verdict judge(int code)
{
    if (code == TENUO_E_NOMEM)
        cli_no_memory();
    if (code == TENUO_OK)
        return NARROWER;
    return code == TENUO_E_UNKNOWN_CONSTRAINT || code >= TENUO_E_NOMEM ? UNDECIDED : WIDER;
}

static bool same_constraint(const struct tenuo_constraint *a, const struct tenuo_constraint *b)
{
    size_t n, m;
    const uint8_t *x = tenuo_constraint_cbor(a, &n), *y = tenuo_constraint_cbor(b, &m);
    return n == m && memcmp(x, y, n) == 0;
}

static const struct tenuo_constraint *find(set s, const char *name, size_t len)
{
    for (size_t i = 0; i < tenuo_constraint_set_count(s); i++) {
        size_t n;
        const char *at;
        const struct tenuo_constraint *c = tenuo_constraint_set_get(s, i, &at, &n);
        if (n == len && memcmp(at, name, n) == 0)
            return c;
    }
    return NULL;
}

/* An experimental constraint whose matcher is not loaded: the library has no rule for it. */
static bool unreadable(struct diff *d, const struct tenuo_constraint *c)
{
    unsigned type = c ? tenuo_constraint_needs_matcher(c) : 0;
    return type >= 128 && !tenuo_matchers_has(d->matchers, type);
}

static enum verdict not_judged(const struct tenuo_constraint *c, struct tenuo_error *err)
{
    cli_set_error(err, TENUO_E_UNKNOWN_CONSTRAINT, "constraint type %u: no matcher for it is loaded (--matcher NAME)",
                  tenuo_constraint_needs_matcher(c));
    return UNDECIDED;
}

/* A set of at most two entries of `from` and one more, to ask the library what one change alone means. */
static struct tenuo_constraint_set *probe(set from, const char *name, size_t len, const struct tenuo_constraint *c)
{
    struct tenuo_constraint_set *s = NULL;
    const char *first;
    size_t n;
    const struct tenuo_constraint *kept = from ? tenuo_constraint_set_get(from, 0, &first, &n) : NULL;
    if (tenuo_constraint_set_new(&s, NULL) || (kept && tenuo_constraint_set_put(s, first, n, kept, NULL)) ||
        (c && tenuo_constraint_set_put(s, name, len, c, NULL)))
        cli_no_memory();
    return s;
}

static enum verdict judge_probes(struct diff *d, struct tenuo_constraint_set *parent,
                                 struct tenuo_constraint_set *child, struct tenuo_error *err)
{
    enum verdict v = judge(tenuo_constraint_set_attenuates(parent, child, d->matchers, d->as_of, err));
    tenuo_constraint_set_free(parent);
    tenuo_constraint_set_free(child);
    return v;
}

static enum verdict judge_argument(struct diff *d, set parent, const char *name, size_t len,
                                   const struct tenuo_constraint *p, const struct tenuo_constraint *c,
                                   struct tenuo_error *err)
{
    if (p && c) {
        if (same_constraint(p, c))
            return SAME;
        enum verdict v = judge(tenuo_constraint_attenuates(p, c, d->matchers, d->as_of, err));
        if (v == WIDER && unreadable(d, p) && unreadable(d, c))
            return not_judged(c, err);
        if (v == WIDER && tenuo_constraint_attenuates(c, p, d->matchers, d->as_of, NULL) != TENUO_OK)
            return INCOMPARABLE;
        return v;
    }
    return p ? judge_probes(d, probe(NULL, name, len, p), probe(NULL, name, len, NULL), err)
             : judge_probes(d, probe(parent, name, len, NULL), probe(parent, name, len, c), err);
}

/* Labels of a row about a set: of a tool, or of the issuer's bounds when there is none. */
static json_t *tool_row(struct diff *d, const char *field, const char *tool, size_t len, enum verdict v, json_t *parent,
                        json_t *child)
{
    json_t *r = diff_row(d, field, v, parent, child);
    if (tool)
        cli_set(r, "tool", cli_text(tool, len));
    return r;
}

static void argument_row(struct diff *d, set parent, const char *tool, size_t tool_len, const char *name, size_t len,
                         const struct tenuo_constraint *p, const struct tenuo_constraint *c)
{
    struct tenuo_error err = { 0 };
    enum verdict v = judge_argument(d, parent, name, len, p, c, &err);
    json_t *r = tool_row(d, tool ? "constraint" : "bound", tool, tool_len, v, p ? cli_constraint_json(p) : NULL,
                         c ? cli_constraint_json(c) : NULL);
    cli_set(r, "argument", cli_text(name, len));
    diff_because(r, v, err.msg);
}

static void unknown_row(struct diff *d, set parent, set child, const char *tool, size_t len)
{
    struct tenuo_error err = { 0 };
    int p = tenuo_constraint_set_allows_unknown(parent), c = tenuo_constraint_set_allows_unknown(child);
    if (!p == !c)
        return;
    struct tenuo_constraint_set *a = probe(NULL, NULL, 0, NULL), *b = probe(NULL, NULL, 0, NULL);
    tenuo_constraint_set_allow_unknown(a, p);
    tenuo_constraint_set_allow_unknown(b, c);
    enum verdict v = judge_probes(d, a, b, &err);
    json_t *r =
        tool_row(d, tool ? "allow_unknown" : "bounds_allow_unknown", tool, len, v, json_boolean(p), json_boolean(c));
    diff_because(r, v, err.msg);
}

/* Both sets without the pairs that nobody here can read. */
static enum verdict judge_readable(struct diff *d, set parent, set child, struct tenuo_error *err)
{
    struct tenuo_constraint_set *a = probe(NULL, NULL, 0, NULL), *b = probe(NULL, NULL, 0, NULL);
    const char *name;
    size_t len;
    tenuo_constraint_set_allow_unknown(a, tenuo_constraint_set_allows_unknown(parent));
    tenuo_constraint_set_allow_unknown(b, tenuo_constraint_set_allows_unknown(child));
    for (size_t i = 0; i < tenuo_constraint_set_count(parent); i++) {
        const struct tenuo_constraint *p = tenuo_constraint_set_get(parent, i, &name, &len);
        if (!(unreadable(d, p) && unreadable(d, find(child, name, len))) &&
            tenuo_constraint_set_put(a, name, len, p, NULL))
            cli_no_memory();
    }
    for (size_t i = 0; i < tenuo_constraint_set_count(child); i++) {
        const struct tenuo_constraint *c = tenuo_constraint_set_get(child, i, &name, &len);
        if (!(unreadable(d, c) && unreadable(d, find(parent, name, len))) &&
            tenuo_constraint_set_put(b, name, len, c, NULL))
            cli_no_memory();
    }
    return judge_probes(d, a, b, err);
}

/* The verdict on a whole set is the library's; it alone decides, the rows of the arguments explain it. */
static enum verdict judge_set(struct diff *d, set parent, set child, struct tenuo_error *err)
{
    size_t n = tenuo_constraint_set_count(parent);
    bool same = n == tenuo_constraint_set_count(child) &&
                !tenuo_constraint_set_allows_unknown(parent) == !tenuo_constraint_set_allows_unknown(child);
    for (size_t i = 0; same && i < n; i++) {
        const char *name;
        size_t len;
        const struct tenuo_constraint *p = tenuo_constraint_set_get(parent, i, &name, &len), *c;
        c = find(child, name, len);
        same = c && same_constraint(p, c);
    }
    if (same)
        return SAME;
    enum verdict v = judge(tenuo_constraint_set_attenuates(parent, child, d->matchers, d->as_of, err));
    struct tenuo_error rest = { 0 };
    if (v != WIDER || judge_readable(d, parent, child, &rest) == WIDER)
        return v;
    cli_set_error(err, TENUO_E_UNKNOWN_CONSTRAINT, "a constraint needs a matcher that is not loaded");
    return UNDECIDED;
}

static void set_rows(struct diff *d, set parent, set child, const char *tool, size_t tool_len)
{
    const char *name;
    size_t len;
    for (size_t i = 0; i < tenuo_constraint_set_count(parent); i++) {
        const struct tenuo_constraint *p = tenuo_constraint_set_get(parent, i, &name, &len);
        argument_row(d, parent, tool, tool_len, name, len, p, find(child, name, len));
    }
    for (size_t i = 0; i < tenuo_constraint_set_count(child); i++) {
        const struct tenuo_constraint *c = tenuo_constraint_set_get(child, i, &name, &len);
        if (!find(parent, name, len))
            argument_row(d, parent, tool, tool_len, name, len, NULL, c);
    }
    unknown_row(d, parent, child, tool, tool_len);
}

static set tool_set(warrant w, const char *name, size_t len)
{
    for (size_t i = 0; i < tenuo_warrant_tool_count(w); i++) {
        size_t n;
        const char *at = tenuo_warrant_tool_name(w, i, &n);
        if (n == len && memcmp(at, name, n) == 0)
            return tenuo_warrant_tool_set(w, i);
    }
    return NULL;
}

static bool issuable(warrant w, const char *name, size_t len)
{
    for (size_t i = 0; i < tenuo_warrant_issuable_count(w); i++) {
        size_t n;
        const char *at = tenuo_warrant_issuable_name(w, i, &n);
        if (n == len && memcmp(at, name, n) == 0)
            return true;
    }
    return false;
}

static bool may_issue(warrant w, const char *name, size_t len)
{
    return issuable(w, name, len) || issuable(w, "*", 1);
}

/* What a tool of the child is measured by: the parent's set for it, its "*", or an issuer's bounds. */
static bool source(struct diff *d, const char *name, size_t len, set *ret)
{
    if (tenuo_warrant_get_type(d->p) == TENUO_ISSUER) {
        *ret = tenuo_warrant_bounds(d->p);
        return may_issue(d->p, name, len);
    }
    *ret = tool_set(d->p, name, len);
    if (!*ret)
        *ret = tool_set(d->p, "*", 1);
    return *ret != NULL;
}

static void child_tool(struct diff *d, const char *name, size_t len, set child)
{
    struct tenuo_constraint_set *open = probe(NULL, NULL, 0, NULL);
    struct tenuo_error err = { 0 };
    set parent = NULL;
    bool given = source(d, name, len, &parent), named = tool_set(d->p, name, len) || issuable(d->p, name, len);
    enum verdict v = given ? NARROWER : WIDER;
    if (given && parent)
        v = judge_set(d, parent, child, &err);
    else if (!given)
        snprintf(err.msg, sizeof err.msg, "the parent does not have it");
    if (v == SAME && !named)
        v = NARROWER; /* one tool of the parent's "*" */
    json_t *r = tool_row(d, "tool", name, len, v, json_boolean(named), json_true());
    diff_because(r, v, err.msg);
    if (given)
        set_rows(d, parent ? parent : open, child, name, len);
    tenuo_constraint_set_free(open);
}

void diff_tools(struct diff *d)
{
    const char *name;
    size_t len;
    set any = tool_set(d->c, "*", 1);
    for (size_t i = 0; i < tenuo_warrant_tool_count(d->c); i++) {
        name = tenuo_warrant_tool_name(d->c, i, &len);
        child_tool(d, name, len, tenuo_warrant_tool_set(d->c, i));
    }
    for (size_t i = 0; i < tenuo_warrant_tool_count(d->p); i++) {
        name = tenuo_warrant_tool_name(d->p, i, &len);
        if (tool_set(d->c, name, len))
            continue;
        set own = tenuo_warrant_tool_set(d->p, i);
        enum verdict v = any ? judge(tenuo_constraint_set_attenuates(own, any, d->matchers, d->as_of, NULL)) : NARROWER;
        json_t *r = tool_row(d, "tool", name, len, v, json_true(), json_false());
        diff_because(r, v, "the child's \"*\" drops what the parent demands for it");
    }
}

void diff_issuable(struct diff *d)
{
    const char *name;
    size_t len;
    for (size_t i = 0; i < tenuo_warrant_issuable_count(d->c); i++) {
        name = tenuo_warrant_issuable_name(d->c, i, &len);
        bool named = issuable(d->p, name, len), may = may_issue(d->p, name, len);
        enum verdict v = named ? SAME : may ? NARROWER : WIDER;
        json_t *r = tool_row(d, "issuable_tool", name, len, v, json_boolean(named), json_true());
        diff_because(r, v, "the parent may not issue it");
    }
    for (size_t i = 0; tenuo_warrant_get_type(d->c) == TENUO_ISSUER && i < tenuo_warrant_issuable_count(d->p); i++) {
        name = tenuo_warrant_issuable_name(d->p, i, &len);
        if (!issuable(d->c, name, len))
            tool_row(d, "issuable_tool", name, len, NARROWER, json_true(), json_false());
    }
}

void diff_bounds(struct diff *d)
{
    struct tenuo_constraint_set *open = probe(NULL, NULL, 0, NULL);
    set p = tenuo_warrant_bounds(d->p), c = tenuo_warrant_bounds(d->c);
    if (tenuo_warrant_get_type(d->c) == TENUO_ISSUER && (p || c)) {
        struct tenuo_error err = { 0 };
        enum verdict v = judge_set(d, p ? p : open, c ? c : open, &err);
        diff_because(diff_row(d, "bounds", v, json_boolean(p != NULL), json_boolean(c != NULL)), v, err.msg);
        set_rows(d, p ? p : open, c ? c : open, NULL, 0);
    }
    tenuo_constraint_set_free(open);
}
