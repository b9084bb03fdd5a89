/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Gates and approvers along one link: a child may gate more calls than its parent, never fewer, and ask for more
 * approvals, never for fewer (spec governance.md 6.3 and 7, with stances 1 and 3 of section 14).
 */
#include "gate.h"

#include <stdio.h>

#include "err.h"
#include "explain.h"

static int broken(struct tenuo_error *err, const char *what)
{
    return tn_fail(err, TENUO_E_CHAIN_BROKEN, "%s", what);
}

/* The same for a tool or an argument, by name. */
static int broken_at(struct tenuo_error *err, const char *what, struct tn_str name)
{
    char quoted[64];
    tn_quote(quoted, sizeof quoted, name.p, name.n);
    return tn_fail(err, TENUO_E_CHAIN_BROKEN, "approval gates: '%s': %s", quoted, what);
}

static bool same_approvers(const struct tenuo_warrant *p, const struct tenuo_warrant *c)
{
    if (p->napprovers != c->napprovers || p->min_approvals != c->min_approvals)
        return false;
    for (size_t i = 0; i < p->napprovers; i++)
        if (memcmp(p->approvers[i], c->approvers[i], 32) != 0)
            return false;
    return true;
}

bool tn_gate_in_scope(struct tn_str tool, const struct tenuo_warrant *c)
{
    struct tn_str any = tn_lit("*");
    if (c->type == TENUO_ISSUER)
        return c->nissuable != 0 && (tn_str_eq(tool, any) || tn_warrant_has_issuable(c, tool) ||
                                     tn_warrant_has_issuable(c, any));
    return c->ntools != 0 && (tn_str_eq(tool, any) || tn_warrant_find_tool(c, tool) != NULL ||
                              tn_warrant_find_tool(c, any) != NULL);
}

static bool is_list(const struct tenuo_constraint *c)
{
    return c->known && (c->type == TENUO_C_ONE_OF || c->type == TENUO_C_NOT_ONE_OF || c->type == TENUO_C_CONTAINS ||
                        c->type == TENUO_C_SUBSET);
}

static bool same_values(const struct tn_values *a, const struct tn_values *b)
{
    if (a->n != b->n)
        return false;
    for (size_t i = 0; i < a->n; i++)
        if (!tn_val_eq(a->v[i], b->v[i]))
            return false;
    return true;
}

/* As builders write it, since the wire has several forms of one constraint. */
static bool same_text(const struct tenuo_constraint *a, const struct tenuo_constraint *b, bool *nomem)
{
    struct tn_buf x = { 0 }, y = { 0 };
    bool same;
    tn_constraint_write(&x, a);
    tn_constraint_write(&y, b);
    *nomem = x.failed || y.failed;
    same = !*nomem && tn_str_eq(tn_buf_view(&x), tn_buf_view(&y));
    tn_buf_free(&x);
    tn_buf_free(&y);
    return same;
}

static bool leaf_has_nan(const struct tenuo_constraint *c)
{
    if (c->known && c->type == TENUO_C_EXACT)
        return c->u.value.has_nan;
    for (size_t i = 0; is_list(c) && i < c->u.values.n; i++)
        if (c->u.values.v[i].has_nan)
            return true;
    return false;
}

/* Does a tree hold a constant NaN, which equals nothing, so that the constraint does not equal itself? */
static bool has_nan(const struct tenuo_constraint *c)
{
    const struct tenuo_constraint *later[TN_MAX_CONSTRAINT_DEPTH + 1];
    size_t depth = 0;
    while (c != NULL) {
        if (leaf_has_nan(c))
            return true;
        if (c->child != NULL) {
            later[depth++] = c->next;
            c = c->child;
            continue;
        }
        c = c->next;
        while (c == NULL && depth > 0)
            c = later[--depth];
    }
    return false;
}

static bool map_has_nan(const struct tn_gate_map *map)
{
    for (size_t i = 0; i < map->n; i++)
        for (size_t k = 0; k < map->gates[i].nargs; k++)
            if (map->gates[i].args[k].constraint != NULL && has_nan(map->gates[i].args[k].constraint))
                return true;
    return false;
}

/* One constraint said twice: the order in a list of values does not count. */
static bool identical(const struct tenuo_constraint *a, const struct tenuo_constraint *b, bool *nomem)
{
    if (has_nan(a))
        return false;
    if (a->type == b->type && is_list(a) && is_list(b))
        return same_values(&a->u.values, &b->u.values);
    return same_text(a, b, nomem);
}

/* A gate of an argument in words; `g` NULL: there is none. */
static void say_gate(char *buf, size_t size, const struct tn_arg_gate *g)
{
    size_t n = 0;
    if (g == NULL || g->kind == TENUO_GATE_ALL) {
        (void)snprintf(buf, size, "%s", g == NULL ? "no gate" : "all");
        return;
    }
    n = (size_t)snprintf(buf, size, "%s", g->kind == TENUO_GATE_EXEMPT ? "exempt " : "fires on ");
    (void)tenuo_constraint_describe(g->constraint, buf + n, size - n);
}

/* The refusal of an argument's gate, with both sides for who asks why. */
static int arg_broken(const struct tn_arg_gate *p, const struct tn_arg_gate *c, struct tn_match_env *env,
                      const char *what, struct tenuo_error *err)
{
    if (env->fault != NULL) {
        char parent[TN_FAULT_TEXT], child[TN_FAULT_TEXT];
        say_gate(parent, sizeof parent, p);
        say_gate(child, sizeof child, c);
        tn_fault_argument(env, p->name, NULL, NULL);
        tn_fault_texts(env, parent, child);
    }
    return broken_at(err, what, p->name);
}

/* The same for a tool, whose gates are many: in few words. */
static int tool_broken(const struct tn_gate *p, struct tn_match_env *env, const char *parent, const char *child,
                       const char *what, struct tenuo_error *err)
{
    tn_fault_member(env, "approval_gates");
    tn_fault_texts(env, parent, child);
    return broken_at(err, what, p->tool);
}

/* The refusal of the approvers or of their number. */
static int people_broken(const struct tenuo_warrant *p, const struct tenuo_warrant *c, struct tn_match_env *env,
                         const char *what, struct tenuo_error *err)
{
    const struct tenuo_warrant *const both[] = { p, c };
    char text[2][64];
    for (size_t i = 0; i < 2; i++)
        (void)snprintf(text[i], sizeof text[i], "%u of %zu approvers", tenuo_warrant_approval_threshold(both[i]),
                       both[i]->napprovers);
    tn_fault_member(env, "required_approvers");
    tn_fault_texts(env, text[0], text[1]);
    return broken(err, what);
}

/* Is the child's exemption within the parent's? */
static int check_exempt(const struct tn_arg_gate *p, const struct tn_arg_gate *c, struct tn_match_env *env,
                        struct tenuo_error *err)
{
    int r = tn_constraint_narrower(p->constraint, c->constraint, env, err);
    if (r == TENUO_OK || r >= TENUO_E_NOMEM)
        return r;
    return arg_broken(p, c, env, "the child exempts values that its parent gates", err);
}

/*
 * A gate fires on what matches, so a narrower constraint gates fewer calls, and the reference refuses a wider one: only
 * the same constraint is taken (stance 1).
 */
static int check_arg(const struct tn_arg_gate *p, const struct tn_arg_gate *c, struct tn_match_env *env,
                     struct tenuo_error *err)
{
    bool nomem = false;
    if (c->kind == TENUO_GATE_ALL)
        return TENUO_OK;
    if (p->kind != c->kind)
        return arg_broken(p, c, env, "the child's gate for the argument is of a kind that cannot replace the parent's",
                          err);
    if (identical(p->constraint, c->constraint, &nomem))
        return TENUO_OK;
    if (nomem)
        return tn_fail_code(err, TENUO_E_NOMEM);
    if (p->kind == TENUO_GATE_EXEMPT)
        return check_exempt(p, c, env, err);
    return arg_broken(p, c, env, "the child changes the constraint that gates the argument", err);
}

static int check_gate(const struct tn_gate *p, const struct tn_gate *c, struct tn_match_env *env,
                      struct tenuo_error *err)
{
    if (c == NULL)
        return tool_broken(p, env, "a gate", "no gate", "the child drops the gate of a tool that it carries", err);
    if (c->whole)
        return TENUO_OK;
    if (p->whole)
        return tool_broken(p, env, "every call", "by argument", "the parent gates every call, the child only some",
                           err);
    for (size_t i = 0; i < p->nargs; i++) {
        const struct tn_arg_gate *arg = tn_gate_find_arg(c, p->args[i].name);
        int r = arg == NULL ? arg_broken(&p->args[i], NULL, env, "the child drops the gate of the argument", err)
                            : check_arg(&p->args[i], arg, env, err);
        if (r != TENUO_OK)
            return r;
    }
    return TENUO_OK;
}

static bool names(const struct tenuo_warrant *w, const uint8_t key[32], size_t upto)
{
    for (size_t i = 0; i < upto; i++)
        if (memcmp(w->approvers[i], key, 32) == 0)
            return true;
    return false;
}

/* Each approver added raises the quorum by one (7, rule 2). */
static int check_approvers(const struct tenuo_warrant *p, const struct tenuo_warrant *c, struct tn_match_env *env,
                           struct tenuo_error *err)
{
    uint64_t added = 0;
    if (!tn_budget_pairs(&env->budget, p->napprovers + c->napprovers, c->napprovers + 1))
        return broken(err, "comparing the approvers takes too many steps");
    for (size_t i = 0; i < p->napprovers; i++)
        if (!names(c, p->approvers[i], c->napprovers))
            return people_broken(p, c, env, "the child removes a parent approver", err);
    for (size_t i = 0; i < c->napprovers; i++)
        added += !names(p, c->approvers[i], p->napprovers) && !names(c, c->approvers[i], i);
    if (tenuo_warrant_approval_threshold(c) < tenuo_warrant_approval_threshold(p) + added)
        return people_broken(
            p, c, env, "the child needs fewer approvals than its parent, with one more for each approver added", err);
    return TENUO_OK;
}

static int check_maps(const struct tenuo_warrant *p, const struct tn_gate_map *pm, const struct tenuo_warrant *c,
                      const struct tn_gate_map *cm, struct tn_match_env *env, struct tenuo_error *err)
{
    bool bound = false;
    /* Issuable tools are looked through one by one. */
    if (c->type == TENUO_ISSUER && !tn_budget_pairs(&env->budget, pm->n, 2 * c->nissuable))
        return broken(err, "comparing the gates with the issuable tools takes too many steps");
    for (size_t i = 0; i < pm->n; i++) {
        int r = TENUO_OK;
        if (!tn_gate_in_scope(pm->gates[i].tool, c))
            continue;
        bound = true;
        r = check_gate(&pm->gates[i], tn_gate_find(cm, pm->gates[i].tool), env, err);
        if (r != TENUO_OK &&
            env->fault != NULL) /* the map is gone when it is told: the warrant's own name for the tool */
            tn_fault_tool(env, pm->gates[i].tool);
        if (r != TENUO_OK)
            return r;
    }
    if (bound && p->napprovers == 0 && c->napprovers != 0)
        return people_broken(p, c, env, "the child names approvers for gates that the parent lets nobody approve", err);
    return p->napprovers == 0 || c->gates.n == 0 ? TENUO_OK : check_approvers(p, c, env, err);
}

int tn_gate_link(const struct tenuo_warrant *p, const struct tenuo_warrant *c, struct tn_match_env *env,
                 struct tenuo_error *err)
{
    struct tn_gate_map pm = { 0 }, cm = { 0 };
    struct tn_arena arena;
    int r;
    if (p->gates.n == 0) /* the child's own gates are read when it is called, or has a child itself */
        return TENUO_OK;
    tn_arena_init(&arena, 1024);
    r = tn_gate_map_read(p->gates, &arena, &pm, err);
    /* Nothing changed: well formed is enough. */
    if (r == TENUO_OK && !(tn_str_eq(p->gates, c->gates) && same_approvers(p, c) && !map_has_nan(&pm))) {
        r = tn_gate_map_read(c->gates, &arena, &cm, err);
        if (r == TENUO_OK)
            r = check_maps(p, &pm, c, &cm, env, err);
    }
    tn_arena_free(&arena);
    return r;
}

int tenuo_gates_attenuate(const struct tenuo_warrant *parent, const struct tenuo_warrant *child,
                          const struct tenuo_matchers *matchers, int64_t as_of, struct tenuo_error *reterr)
{
    struct tn_match_env env = TN_MATCH_ENV(matchers, as_of);
    return tn_gate_link(parent, child, &env, reterr);
}
