/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Does a value satisfy a constraint? One function a type, and one loop for All, Any and Not, in which an error denies
 * everywhere (spec constraints.md 5.12-5.14). Sentences name the type, never the value.
 */
#include <math.h>
#include <stdlib.h>

#include "constraint.h"
#include "err.h"
#include "limits.h"
#include "matchers.h"

struct match {
    struct tn_match_env *env;
    const struct tn_arg *arg;
    struct tn_peek peek; /* of the eq form */
    int code;
    struct tenuo_error *err;
};

static const char *const type_names[] = {
    [TENUO_C_EXACT] = "Exact",       [TENUO_C_PATTERN] = "Pattern",
    [TENUO_C_RANGE] = "Range",       [TENUO_C_ONE_OF] = "OneOf",
    [TENUO_C_REGEX] = "Regex",       [TENUO_C_NOT_ONE_OF] = "NotOneOf",
    [TENUO_C_CIDR] = "Cidr",         [TENUO_C_URL_PATTERN] = "UrlPattern",
    [TENUO_C_CONTAINS] = "Contains", [TENUO_C_SUBSET] = "Subset",
    [TENUO_C_ALL] = "All",           [TENUO_C_ANY] = "Any",
    [TENUO_C_NOT] = "Not",           [TENUO_C_CEL] = "Cel",
    [TENUO_C_WILDCARD] = "Wildcard", [TENUO_C_SUBPATH] = "Subpath",
    [TENUO_C_URL_SAFE] = "UrlSafe",  [TENUO_C_SHLEX] = "Shlex",
};

const char *tn_constraint_type_name(unsigned type)
{
    return type < TN_ARRAY_LEN(type_names) && type_names[type] != NULL ? type_names[type] : "Unknown";
}

static enum tn_match refuse(struct match *m, int code, const char *sentence)
{
    m->code = tn_fail(m->err, code, "%s", sentence);
    return TN_ERROR;
}

static enum tn_match text_result(struct match *m, const struct tenuo_constraint *c, enum tn_match result)
{
    if (result == TN_NOMEM)
        return refuse(m, TENUO_E_NOMEM, "memory ran out");
    if (result == TN_ERROR) {
        m->code =
            tn_fail(m->err, TENUO_E_CONSTRAINT_VIOLATION, "a %s constraint cannot judge this value, so it is refused",
                    tn_constraint_type_name(c->type));
    }
    return result;
}

bool tn_values_have(const struct tn_values *list, struct tn_str eq)
{
    size_t lo = 0, hi = list->n;
    while (lo < hi) {
        size_t mid = lo + (hi - lo) / 2;
        int c = tn_str_cmp(list->v[mid].cbor, eq);
        if (c == 0)
            return !list->v[mid].has_nan;
        if (c < 0)
            lo = mid + 1;
        else
            hi = mid;
    }
    return false;
}

static enum tn_match match_range(const struct tn_range *r, const struct tn_peek *v)
{
    double x;
    if (v->type == TN_T_INT)
        x = (double)v->integer;
    else if (v->type == TN_T_FLOAT)
        x = v->real;
    else
        return TN_FALSE;
    if (isnan(x))
        return TN_FALSE;
    if (r->has_min && !(r->min_inclusive ? x >= r->min : x > r->min))
        return TN_FALSE;
    if (r->has_max && !(r->max_inclusive ? x <= r->max : x < r->max))
        return TN_FALSE;
    return TN_TRUE;
}

/* Every required member is an element: one walk over the list, one bit for each member that was met. */
static enum tn_match match_contains(struct match *m, const struct tn_values *required)
{
    struct tn_str items = m->peek.items;
    size_t met = 0;
    uint8_t *seen;
    if (m->peek.type != TN_T_LIST)
        return TN_FALSE;
    seen = calloc(required->n + 1, 1);
    if (seen == NULL)
        return refuse(m, TENUO_E_NOMEM, "memory ran out");
    for (size_t i = 0; i < m->peek.count; i++) {
        const struct tn_val key = { .cbor = tn_value_next(&items) };
        size_t lo = 0, hi = required->n;
        while (lo < hi) {
            size_t mid = lo + (hi - lo) / 2;
            if (tn_str_cmp(required->v[mid].cbor, key.cbor) < 0)
                lo = mid + 1;
            else
                hi = mid;
        }
        if (lo < required->n && tn_val_eq(required->v[lo], key) && !seen[lo]) {
            seen[lo] = 1;
            met++;
        }
    }
    free(seen);
    return met == required->n ? TN_TRUE : TN_FALSE;
}

static enum tn_match match_subset(const struct match *m, const struct tn_values *allowed)
{
    struct tn_str items = m->peek.items;
    if (m->peek.type != TN_T_LIST)
        return TN_FALSE;
    for (size_t i = 0; i < m->peek.count; i++)
        if (!tn_values_have(allowed, tn_value_next(&items)))
            return TN_FALSE;
    return TN_TRUE;
}

/* A path, or a list of paths that must all be inside; an empty list is. */
static enum tn_match match_subpath(const struct match *m, const struct tn_subpath *s)
{
    struct tn_str items = m->peek.items;
    if (m->peek.type == TN_T_STRING)
        return tn_subpath_match(s, m->peek.text);
    if (m->peek.type != TN_T_LIST)
        return TN_FALSE;
    enum tn_match sound = tn_subpath_sound(s);
    if (sound != TN_TRUE)
        return sound == TN_NOMEM ? TN_NOMEM : TN_ERROR; /* also for an empty list (H-8) */
    for (size_t i = 0; i < m->peek.count; i++) {
        struct tn_peek one = tn_value_peek(tn_value_next(&items));
        enum tn_match result = one.type == TN_T_STRING ? tn_subpath_match(s, one.text) : TN_FALSE;
        if (result != TN_TRUE)
            return result;
    }
    return TN_TRUE;
}

/* Types that a plugin decides; without one the answer is an error, never "no". */
static enum tn_match match_plugin(struct match *m, const struct tenuo_constraint *c)
{
    const struct tenuo_matchers *matchers = m->env->matchers;
    if (tn_matchers_have(matchers, c->type))
        return tn_matchers_match(matchers, (uint8_t)c->type, c->payload, m->arg->value, m->env, &m->code, m->err);
    m->code = tn_matchers_missing(c->type, m->err);
    return TN_ERROR;
}

/* Stars of a pattern make it look at the text again and again: the worst case is charged, not the usual one. */
static uint64_t glob_cost(struct tn_str pattern, size_t text)
{
    size_t stars = 0;
    for (size_t i = 0; i < pattern.n; i++)
        stars += pattern.p[i] == '*';
    return stars < 2 ? pattern.n + text : (uint64_t)pattern.n * text;
}

/* A plugin bounds its own work, and is charged as if it went through the value so many times. */
#define PLUGIN_COST 8u

static bool is_foreign(const struct tenuo_constraint *c)
{
    return !c->known || c->type == TENUO_C_REGEX || c->type == TENUO_C_CEL;
}

/* What judging this value may cost; the constraint's own bytes are bounded by the warrant. */
static uint64_t cost_of(const struct match *m, const struct tenuo_constraint *c)
{
    size_t n = m->arg->eq.n;
    switch (c->type) {
    case TENUO_C_WILDCARD: case TENUO_C_EXACT: case TENUO_C_ONE_OF: case TENUO_C_NOT_ONE_OF: case TENUO_C_RANGE:
        return 0;
    case TENUO_C_PATTERN: return glob_cost(c->u.text, n);
    case TENUO_C_URL_PATTERN: return n + glob_cost(c->u.url.path, n);
    default: return is_foreign(c) ? PLUGIN_COST * n : n;
    }
}

static bool afford(struct match *m, uint64_t cost)
{
    if (cost > m->env->budget.bytes) {
        m->env->budget.bytes = 0;
        return false;
    }
    m->env->budget.bytes -= cost;
    return true;
}

static enum tn_match match_leaf(struct match *m, const struct tenuo_constraint *c)
{
    bool is_text = m->peek.type == TN_T_STRING;
    if (!afford(m, cost_of(m, c)))
        return refuse(m, TENUO_E_CONSTRAINT_VIOLATION, "judging the arguments takes too many steps");
    switch (c->type) {
    case TENUO_C_WILDCARD: return TN_TRUE;
    case TENUO_C_EXACT: return !c->u.value.has_nan && tn_str_eq(c->u.value.cbor, m->arg->eq) ? TN_TRUE : TN_FALSE;
    case TENUO_C_ONE_OF: return tn_values_have(&c->u.values, m->arg->eq) ? TN_TRUE : TN_FALSE;
    case TENUO_C_NOT_ONE_OF: return tn_values_have(&c->u.values, m->arg->eq) ? TN_FALSE : TN_TRUE;
    case TENUO_C_CONTAINS: return match_contains(m, &c->u.values);
    case TENUO_C_SUBSET: return match_subset(m, &c->u.values);
    case TENUO_C_RANGE: return match_range(&c->u.range, &m->peek);
    case TENUO_C_PATTERN: /* compiled before the kind is looked at */
        return text_result(m, c, is_text ? tn_glob_match(c->u.text, m->peek.text)
                                         : tn_glob_valid(c->u.text) ? TN_FALSE : TN_ERROR);
    case TENUO_C_CIDR: return text_result(m, c, is_text ? tn_cidr_match(&c->u.cidr, m->peek.text) : TN_FALSE);
    case TENUO_C_URL_PATTERN:
        return text_result(m, c, is_text ? tn_url_pattern_match(&c->u.url, m->peek.text) : TN_FALSE);
    case TENUO_C_URL_SAFE:
        return text_result(m, c, is_text ? tn_url_safe_match(c->u.url_safe, m->peek.text) : TN_FALSE);
    case TENUO_C_SUBPATH: return text_result(m, c, match_subpath(m, &c->u.subpath));
    case TENUO_C_SHLEX:
        return text_result(m, c, is_text ? tn_shlex_match(c->u.shlex.v, c->u.shlex.n, m->peek.text) : TN_FALSE);
    default: return match_plugin(m, c);
    }
}

struct frame {
    const struct tenuo_constraint *node, *next; /* next inner one to judge */
};

/* What an inner result means for its parent: true when the parent is decided by it, with *result its own. */
static bool fold(struct frame *f, enum tn_match *result)
{
    if (f->node->type == TENUO_C_NOT) {
        if (*result == TN_TRUE || *result == TN_FALSE)
            *result = *result == TN_TRUE ? TN_FALSE : TN_TRUE;
        return true;
    }
    if (*result != (f->node->type == TENUO_C_ALL ? TN_TRUE : TN_FALSE))
        return true; /* decided early: an error, a false in All, a true in Any */
    return f->next == NULL;
}

enum tn_match tn_constraint_match(const struct tenuo_constraint *c, const struct tn_arg *arg,
                                  struct tn_match_env *env, int *ret_code, struct tenuo_error *err)
{
    struct match m = { env, arg, tn_value_peek(arg->eq), TENUO_OK, err };
    TN_UNINIT struct frame stack[TN_MAX_CONSTRAINT_DEPTH];
    size_t depth = 0;
    enum tn_match result = TN_FALSE;
    for (;;) {
        bool combinator = c->known && (c->type == TENUO_C_ALL || c->type == TENUO_C_ANY || c->type == TENUO_C_NOT);
        if (combinator && c->child != NULL) {
            stack[depth++] = (struct frame){ c, c->child->next };
            c = c->child;
            continue;
        }
        if (!combinator)
            result = match_leaf(&m, c);
        else /* empty: Any is false, All is never vacuously true */
            result = c->type == TENUO_C_ANY ? TN_FALSE
                                            : refuse(&m, TENUO_E_PAYLOAD_STRUCTURE, "an empty All matches nothing");
        while (depth > 0 && fold(&stack[depth - 1], &result))
            depth--;
        if (depth == 0)
            break;
        c = stack[depth - 1].next;
        stack[depth - 1].next = c->next;
    }
    if (result == TN_ERROR)
        *ret_code = m.code;
    return result;
}
