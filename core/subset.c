/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Is a child constraint narrower than its parent's? One rule for each pair that is allowed, and a refusal for every
 * other (spec constraints.md 7). An error on the way is a refusal.
 */
#include <tenuo/plugin.h>

#include "constraint.h"
#include "err.h"
#include "explain.h"
#include "limits.h"
#include "matchers.h"

typedef const struct tenuo_constraint *node;

bool tn_budget_pairs(struct tn_budget *budget, size_t n, size_t m)
{
    if (m != 0 && n > budget->pairs / m) {
        budget->pairs = 0;
        return false;
    }
    budget->pairs -= (uint32_t)(n * m);
    return budget->pairs != 0;
}

static int no(struct tenuo_error *err, int code, node p, node c, const char *why)
{
    return tn_fail(err, code, "%s under %s: %s", tn_constraint_type_name(c->type), tn_constraint_type_name(p->type),
                   why);
}

static int incompatible(struct tenuo_error *err, node p, node c)
{
    return no(err, TENUO_E_INVALID_ATTENUATION, p, c, "these types cannot narrow each other");
}

static bool all_in(const struct tn_values *list, const struct tn_values *in)
{
    for (size_t i = 0; i < list->n; i++)
        if (list->v[i].has_nan || !tn_values_have(in, list->v[i].cbor))
            return false;
    return true;
}

/* A bound may only move inwards; at the same place an exclusive one may not become inclusive. */
static bool bound_holds(bool p_has, double p, bool p_incl, bool c_has, double c, bool c_incl)
{
    if (!p_has)
        return true;
    return c_has && (c > p || (c == p && (p_incl || !c_incl)));
}

static int range_range(node p, node c, struct tenuo_error *err)
{
    const struct tn_range *a = &p->u.range, *b = &c->u.range;
    if (bound_holds(a->has_min, a->min, a->min_inclusive, b->has_min, b->min, b->min_inclusive) &&
        bound_holds(a->has_max, -a->max, a->max_inclusive, b->has_max, -b->max, b->max_inclusive))
        return TENUO_OK;
    return no(err, TENUO_E_CAPABILITY_EXPANSION, p, c, "the range is wider");
}

/* Parent matches the child's one value. `code` is the wire's answer for a plain mismatch. */
static int parent_matches(node p, node c, int code, struct tn_match_env *env, struct tenuo_error *err)
{
    const struct tn_arg arg = { .value = c->u.value.cbor, .eq = c->u.value.cbor };
    int match_code = TENUO_OK;
    enum tn_match m;
    if (c->u.value.has_nan)
        return no(err, code, p, c, "the value is not a number");
    m = tn_constraint_match(p, &arg, env, &match_code, err);
    if (m == TN_TRUE)
        return TENUO_OK;
    return m == TN_ERROR ? match_code : no(err, code, p, c, "the parent does not allow the value");
}

/* Types that judge text only: another kind of value cannot be compared at all. */
static int text_parent_exact(node p, node c, struct tn_match_env *env, struct tenuo_error *err)
{
    if (tn_value_peek(c->u.value.cbor).type != TN_T_STRING)
        return incompatible(err, p, c);
    return parent_matches(p, c, TENUO_E_CONSTRAINT_VIOLATION, env, err);
}

static int range_exact(node p, node c, struct tn_match_env *env, struct tenuo_error *err)
{
    enum tn_type type = tn_value_peek(c->u.value.cbor).type;
    if (type != TN_T_INT && type != TN_T_FLOAT)
        return incompatible(err, p, c);
    return parent_matches(p, c, TENUO_E_CONSTRAINT_VIOLATION, env, err);
}

static int check_root(node p, node c, struct tenuo_error *err)
{
    enum tn_match sound = tn_subpath_sound(&p->u.subpath);
    if (sound == TN_NOMEM)
        return tn_fail_code(err, TENUO_E_NOMEM);
    return sound == TN_TRUE
               ? TENUO_OK
               : no(err, TENUO_E_CAPABILITY_EXPANSION, p, c, "the parent's root is not absolute and normalised");
}

/* A path, or a list of paths; anything else has no place under a Subpath. */
static int subpath_exact(node p, node c, struct tn_match_env *env, struct tenuo_error *err)
{
    struct tn_peek v = tn_value_peek(c->u.value.cbor);
    struct tn_str items = v.items;
    int r = check_root(p, c, err);
    if (r != TENUO_OK)
        return r;
    if (v.type != TN_T_STRING && v.type != TN_T_LIST)
        return incompatible(err, p, c);
    for (size_t i = 0; v.type == TN_T_LIST && i < v.count; i++)
        if (tn_value_peek(tn_value_next(&items)).type != TN_T_STRING)
            return incompatible(err, p, c);
    return parent_matches(p, c, TENUO_E_CONSTRAINT_VIOLATION, env, err);
}

static int subpath_subset(node p, node c, struct tenuo_error *err)
{
    int r = check_root(p, c, err);
    if (r != TENUO_OK)
        return r;
    for (size_t i = 0; i < c->u.values.n; i++) {
        struct tn_peek v = tn_value_peek(c->u.values.v[i].cbor);
        if (v.type != TN_T_STRING)
            return incompatible(err, p, c);
        enum tn_match m = tn_subpath_match(&p->u.subpath, v.text);
        if (m == TN_NOMEM)
            return tn_fail_code(err, TENUO_E_NOMEM);
        if (m != TN_TRUE)
            return no(err, TENUO_E_CONSTRAINT_VIOLATION, p, c, "a member lies outside the root");
    }
    return TENUO_OK;
}

static int subpath_subpath(node p, node c, struct tenuo_error *err)
{
    int code = tn_subpath_narrower(&p->u.subpath, &c->u.subpath);
    if (code == TENUO_E_NOMEM)
        return tn_fail_code(err, code);
    return code == TENUO_OK ? code : no(err, code, p, c, "the root is outside the parent's, or a flag is wider");
}

static int shlex_shlex(node p, node c, struct tn_match_env *env, struct tenuo_error *err)
{
    if (!tn_budget_pairs(&env->budget, p->u.shlex.n, c->u.shlex.n))
        return no(err, TENUO_E_INVALID_ATTENUATION, p, c, "comparing the lists takes too many steps");
    for (size_t i = 0; i < c->u.shlex.n; i++) {
        bool found = false;
        for (size_t k = 0; k < p->u.shlex.n && !found; k++)
            found = tn_str_eq(p->u.shlex.v[k], c->u.shlex.v[i]);
        if (!found)
            return no(err, TENUO_E_INVALID_ATTENUATION, p, c, "a command is not in the parent's list");
    }
    return TENUO_OK;
}

/* Every list of one against the same list of the other. */
static bool url_safe_affordable(const struct tn_url_safe *a, const struct tn_url_safe *b, struct tn_match_env *env)
{
    return tn_budget_pairs(&env->budget, a->nschemes, b->nschemes) &&
           tn_budget_pairs(&env->budget, a->nallow_domains, b->nallow_domains) &&
           tn_budget_pairs(&env->budget, a->ndeny_domains, b->ndeny_domains) &&
           tn_budget_pairs(&env->budget, a->nallow_ports, b->nallow_ports);
}

static int url_safe_url_safe(node p, node c, struct tn_match_env *env, struct tenuo_error *err)
{
    if (!url_safe_affordable(p->u.url_safe, c->u.url_safe, env))
        return no(err, TENUO_E_INVALID_ATTENUATION, p, c, "comparing the lists takes too many steps");
    enum tn_match p_valid = tn_url_safe_valid(p->u.url_safe), c_valid = tn_url_safe_valid(c->u.url_safe);
    enum tn_match narrower = tn_url_safe_narrower(p->u.url_safe, c->u.url_safe);
    if (p_valid == TN_NOMEM || c_valid == TN_NOMEM || narrower == TN_NOMEM)
        return tn_fail_code(err, TENUO_E_NOMEM);
    if (p_valid != TN_TRUE || c_valid != TN_TRUE)
        return no(err, TENUO_E_CONSTRAINT_VIOLATION, p, c, "a domain entry is invalid");
    if (narrower != TN_TRUE)
        return no(err, TENUO_E_INVALID_ATTENUATION, p, c, "it allows more than the parent");
    return TENUO_OK;
}

static int is_subset(bool holds, int code, node p, node c, struct tenuo_error *err)
{
    return holds ? TENUO_OK : no(err, code, p, c, "the list allows more than the parent's");
}

/* Types that a matcher plugin compares: never narrower without it, whatever the bytes. */
static int plugin_pair(node p, node c, struct tn_match_env *env, struct tenuo_error *err)
{
    if (p->type == TENUO_C_REGEX && c->type == TENUO_C_EXACT)
        return parent_matches(p, c, TENUO_E_CAPABILITY_EXPANSION, env, err);
    if (tn_matchers_have(env->matchers, p->type))
        return tn_matchers_attenuates(env, (uint8_t)p->type, p->payload, (uint8_t)c->type, c->payload, err);
    if (p->type == TENUO_C_REGEX && c->type == TENUO_C_REGEX)
        return is_subset(tn_str_eq(p->u.text, c->u.text), TENUO_E_INVALID_ATTENUATION, p, c, err);
    if (p->type == TENUO_C_CEL && c->type == TENUO_C_CEL)
        return no(err, TENUO_E_UNKNOWN_CONSTRAINT, p, c, "comparing CEL needs the cel matcher, which is not loaded");
    return incompatible(err, p, c);
}

static int same_type(node p, node c, struct tn_match_env *env, struct tenuo_error *err)
{
    switch (p->type) {
    case TENUO_C_EXACT:
        return is_subset(tn_val_eq(p->u.value, c->u.value), TENUO_E_INVALID_ATTENUATION, p, c, err);
    case TENUO_C_PATTERN:
        return is_subset(tn_glob_narrower(p->u.text, c->u.text), TENUO_E_CAPABILITY_EXPANSION, p, c, err);
    case TENUO_C_RANGE: return range_range(p, c, err);
    case TENUO_C_ONE_OF: return is_subset(all_in(&c->u.values, &p->u.values), TENUO_E_CAPABILITY_EXPANSION, p, c, err);
    case TENUO_C_NOT_ONE_OF:
    case TENUO_C_CONTAINS:
        return is_subset(all_in(&p->u.values, &c->u.values), TENUO_E_CAPABILITY_EXPANSION, p, c, err);
    case TENUO_C_SUBSET: return is_subset(all_in(&c->u.values, &p->u.values), TENUO_E_INVALID_ATTENUATION, p, c, err);
    case TENUO_C_CIDR:
        return is_subset(tn_cidr_contains(&p->u.cidr, &c->u.cidr), TENUO_E_CAPABILITY_EXPANSION, p, c, err);
    case TENUO_C_URL_PATTERN:
        return is_subset(tn_url_pattern_narrower(&p->u.url, &c->u.url), TENUO_E_CAPABILITY_EXPANSION, p, c, err);
    case TENUO_C_SUBPATH: return subpath_subpath(p, c, err);
    case TENUO_C_URL_SAFE: return url_safe_url_safe(p, c, env, err);
    case TENUO_C_SHLEX: return shlex_shlex(p, c, env, err);
    default: return incompatible(err, p, c);
    }
}

static int under_exact_child(node p, node c, struct tn_match_env *env, struct tenuo_error *err)
{
    switch (p->type) {
    case TENUO_C_PATTERN:
    case TENUO_C_ONE_OF: return parent_matches(p, c, TENUO_E_CAPABILITY_EXPANSION, env, err);
    case TENUO_C_RANGE: return range_exact(p, c, env, err);
    case TENUO_C_CIDR: case TENUO_C_URL_PATTERN: case TENUO_C_URL_SAFE:
    case TENUO_C_SHLEX: return text_parent_exact(p, c, env, err);
    case TENUO_C_SUBPATH: return subpath_exact(p, c, env, err);
    case TENUO_C_ALL:
        if (p->child == NULL)
            return no(err, TENUO_E_INVALID_ATTENUATION, p, c, "an empty All matches nothing, so nothing narrows it");
        return parent_matches(p, c, TENUO_E_INVALID_ATTENUATION, env, err);
    default: return incompatible(err, p, c);
    }
}

/* Every pair but All/All, Any/Any and Not/Not, which the loop below takes apart. */
static int leaf_pair(node p, node c, struct tn_match_env *env, struct tenuo_error *err)
{
    if (p->known && p->type == TENUO_C_WILDCARD)
        return TENUO_OK;
    if (c->known && c->type == TENUO_C_WILDCARD)
        return no(err, TENUO_E_CAPABILITY_EXPANSION, p, c, "a wildcard allows everything");
    if (!p->known || p->type == TENUO_C_REGEX || p->type == TENUO_C_CEL)
        return plugin_pair(p, c, env, err);
    if (!c->known)
        return incompatible(err, p, c);
    if (p->type == c->type)
        return same_type(p, c, env, err);
    if (p->type == TENUO_C_SUBPATH && c->type == TENUO_C_SUBSET)
        return subpath_subset(p, c, err);
    return c->type == TENUO_C_EXACT ? under_exact_child(p, c, env, err) : incompatible(err, p, c);
}

/*
 * One pair of combinators being compared: for every outer node some inner one must fit. All: outer = parent's clauses,
 * inner = child's. Any: outer = child's branches, inner = parent's. Not: one pair, with the roles exchanged.
 */
struct frame {
    node outer, inner, inner_first;
    bool outer_is_parent;
};

static bool is_pair(node p, node c)
{
    return p->known && c->known && p->type == c->type &&
           (p->type == TENUO_C_ALL || p->type == TENUO_C_ANY || p->type == TENUO_C_NOT);
}

/* Opens a pair; *code is final when there is nothing to descend into. */
static bool open_pair(node p, node c, struct frame *f, int *code, struct tenuo_error *err)
{
    bool all = p->type == TENUO_C_ALL;
    *code = TENUO_OK;
    if (p->type == TENUO_C_NOT) {
        if (c->child->known && c->child->type == TENUO_C_WILDCARD)
            return false; /* Not(Wildcard) matches nothing: narrower than anything */
        *f = (struct frame){ c->child, p->child, p->child, true };
        return true;
    }
    if (all ? p->child == NULL || c->child == NULL : c->child == NULL) {
        if (all)
            *code = no(err, TENUO_E_INVALID_ATTENUATION, p, c, "an empty All cannot be delegated");
        return false;
    }
    *f = all ? (struct frame){ p->child, c->child, c->child, true }
             : (struct frame){ c->child, p->child, p->child, false };
    if (f->inner == NULL) {
        *code = no(err, TENUO_E_INVALID_ATTENUATION, p, c, "no branch of the parent covers it");
        return false;
    }
    return true;
}

/* Feeds one pair's result to its frame: true when the frame itself is decided, with *code its own. */
static bool fold(struct frame *f, int *code)
{
    if (*code == TENUO_OK) {
        f->outer = f->outer->next;
        f->inner = f->inner_first;
        return f->outer == NULL;
    }
    if (*code == TENUO_E_NOMEM)
        return true; /* no other branch is asked: this one might have covered it */
    f->inner = f->inner->next;
    if (f->inner != NULL)
        return false;
    *code = TENUO_E_INVALID_ATTENUATION;
    return true;
}

static int narrower(node p, node c, struct tn_match_env *env, struct tenuo_error *err)
{
    TN_UNINIT struct frame stack[TN_MAX_CONSTRAINT_DEPTH + 1];
    size_t depth = 0;
    int code = TENUO_OK;
    for (;;) {
        if (!tn_budget_pairs(&env->budget, 1, 1))
            return tn_fail(err, TENUO_E_INVALID_ATTENUATION, "comparing the constraints takes too many steps");
        if (is_pair(p, c)) {
            if (open_pair(p, c, &stack[depth], &code, err)) {
                p = stack[depth].outer_is_parent ? stack[depth].outer : stack[depth].inner;
                c = stack[depth].outer_is_parent ? stack[depth].inner : stack[depth].outer;
                depth++;
                continue;
            }
        } else {
            code = leaf_pair(p, c, env, err);
        }
        while (depth > 0 && fold(&stack[depth - 1], &code))
            depth--;
        if (depth == 0)
            return code;
        p = stack[depth - 1].outer_is_parent ? stack[depth - 1].outer : stack[depth - 1].inner;
        c = stack[depth - 1].outer_is_parent ? stack[depth - 1].inner : stack[depth - 1].outer;
    }
}

/* Branches that were tried in vain leave their sentences behind: the caller sees one only when the whole fails. */
int tn_constraint_narrower(node p, node c, struct tn_match_env *env, struct tenuo_error *err)
{
    struct tenuo_error why = { 0 };
    int r = narrower(p, c, env, &why);
    return r == TENUO_OK ? r : tn_fail(err, r, "%s", why.msg);
}

/* Notes what was compared, and puts the argument in front of the sentence. */
static int in_argument(struct tn_match_env *env, struct tn_str name, node p, node c, const struct tenuo_error *why,
                       struct tenuo_error *err)
{
    char quoted[64];
    tn_fault_argument(env, name, p, c);
    tn_quote(quoted, sizeof quoted, name.p, name.n);
    return tn_fail(err, why->code, "argument '%s': %.180s", quoted, why->msg);
}

static int extra_argument(const struct tenuo_constraint_set *p, const struct tenuo_constraint_set *c,
                          struct tn_match_env *env, struct tenuo_error *err)
{
    struct tenuo_error why = { 0 };
    size_t i = 0;
    while (i < c->n && tn_set_find(p, c->items[i].name) != NULL)
        i++;
    (void)tn_fail(&why, TENUO_E_INVALID_ATTENUATION, "the parent does not constrain it");
    return in_argument(env, c->items[i].name, NULL, c->items[i].constraint, &why, err);
}

int tn_constraint_set_narrower(const struct tenuo_constraint_set *p, const struct tenuo_constraint_set *c,
                               struct tn_match_env *env, struct tenuo_error *err)
{
    if (c->allow_unknown && !p->allow_unknown) {
        tn_fault_member(env, "allow_unknown");
        tn_fault_texts(env, "no", "yes");
        return tn_fail(err, TENUO_E_INVALID_ATTENUATION, "the child allows unknown arguments, its parent does not");
    }
    for (size_t i = 0; i < p->n; i++) {
        const struct tn_named *theirs = &p->items[i];
        const struct tenuo_constraint *mine = tn_set_find(c, theirs->name);
        struct tenuo_error why = { 0 };
        int r = mine == NULL ? tn_fail(&why, TENUO_E_INVALID_ATTENUATION, "the child drops its constraint")
                             : tn_constraint_narrower(theirs->constraint, mine, env, &why);
        if (r != TENUO_OK)
            return in_argument(env, theirs->name, theirs->constraint, mine, &why, err);
    }
    return p->n != 0 && c->n != p->n ? extra_argument(p, c, env, err) : TENUO_OK;
}
