/* SPDX-License-Identifier: Apache-2.0 */
/* Reading a gate map and finding out whether a gate fires for a call (spec governance.md 6.1, 6.2; stances 3 and 11 of
 * section 14). */
#include "gate.h"

#include <stdlib.h>

#include "err.h"
#include "limits.h"

enum gate_kind { GATE_ALL, GATE_CONSTRAINT, GATE_EXEMPT };

struct arg_gate {
    struct tn_str name;
    enum gate_kind kind;
    struct tenuo_constraint *constraint;
};

struct gate {
    struct tn_str tool;
    bool whole; /* the tool as such, whatever its arguments */
    struct arg_gate *args; /* sorted by name */
    size_t nargs;
};

struct gate_map {
    struct gate *gates; /* sorted by tool */
    size_t n;
};

static bool malformed(struct tn_reader *r, const char *what)
{
    return tn_reader_fail(r, TENUO_E_MALFORMED_CBOR, "approval gates: %s", what);
}

static int arg_cmp(const void *a, const void *b)
{
    const struct arg_gate *x = a, *y = b;
    return tn_str_cmp(x->name, y->name);
}

static int gate_cmp(const void *a, const void *b)
{
    const struct gate *x = a, *y = b;
    return tn_str_cmp(x->tool, y->tool);
}

/* An exemption must say "no" for what it does not know: these types cannot, or would exempt everything. */
static bool may_exempt(const struct tenuo_constraint *c)
{
    return c->known && c->type != TENUO_C_WILDCARD && c->type != TENUO_C_ANY && c->type != TENUO_C_NOT &&
           c->type != TENUO_C_CEL;
}

static bool read_exempt(struct tn_reader *r, struct tn_arena *arena, struct arg_gate *g)
{
    struct tn_str key = { 0 };
    size_t n = 0;
    if (!tn_read_map(r, "an exemption", &n) || !tn_read_text(r, "an exemption's key", &key))
        return false;
    if (n != 1 || !tn_str_eq(key, tn_lit("exempt")))
        return malformed(r, "an argument's map is not {\"exempt\": constraint}");
    g->kind = GATE_EXEMPT;
    if (!tn_constraint_read(r, arena, &g->constraint))
        return false;
    return may_exempt(g->constraint) || malformed(r, "this constraint type cannot be an exemption");
}

static bool read_arg_gate(struct tn_reader *r, struct tn_arena *arena, struct arg_gate *g)
{
    struct tn_str text = { 0 };
    unsigned major;
    if (!tn_read_text(r, "an argument name", &g->name))
        return false;
    major = r->p < r->end ? *r->p >> 5 : 7;
    if (major == 5)
        return read_exempt(r, arena, g);
    if (major == 4) {
        g->kind = GATE_CONSTRAINT;
        return tn_constraint_read(r, arena, &g->constraint);
    }
    g->kind = GATE_ALL;
    if (!tn_read_text(r, "an argument's gate", &text))
        return false;
    return tn_str_eq(text, tn_lit("all")) || malformed(r, "an argument's gate is a text other than \"all\"");
}

static bool read_args(struct tn_reader *r, struct tn_arena *arena, struct gate *g)
{
    if (tn_read_null(r)) {
        g->whole = true;
        return true;
    }
    if (!tn_read_map(r, "a gate's arguments", &g->nargs))
        return false;
    g->args = tn_arena_array(arena, g->nargs, sizeof *g->args);
    if (g->args == NULL)
        return tn_reader_fail(r, TENUO_E_NOMEM, "memory ran out");
    for (size_t i = 0; i < g->nargs; i++)
        if (!read_arg_gate(r, arena, &g->args[i]))
            return false;
    qsort(g->args, g->nargs, sizeof *g->args, arg_cmp);
    for (size_t i = 1; i < g->nargs; i++)
        if (arg_cmp(&g->args[i - 1], &g->args[i]) == 0)
            return malformed(r, "an argument is repeated");
    return true;
}

static bool read_member_value(struct tn_reader *r, struct tn_arena *arena, struct gate *g, bool is_args,
                              bool is_message)
{
    struct tn_str ignored;
    if (is_args)
        return read_args(r, arena, g);
    if (is_message)
        return tn_read_null(r) || tn_read_text(r, "a message", &ignored);
    return tn_read_opaque(r, &ignored);
}

/* Members: args (required), message (optional text); others are ignored, as the reference does. */
static bool read_gate(struct tn_reader *r, struct tn_arena *arena, struct gate *g)
{
    bool has_args = false, has_message = false;
    size_t n = 0;
    if (!tn_read_text(r, "a gated tool", &g->tool) || !tn_read_map(r, "a gate", &n))
        return false;
    for (size_t i = 0; i < n; i++) {
        struct tn_str key = { 0 };
        bool *seen = NULL;
        if (!tn_read_text(r, "a gate's member", &key))
            return false;
        if (tn_str_eq(key, tn_lit("args")))
            seen = &has_args;
        else if (tn_str_eq(key, tn_lit("message")))
            seen = &has_message;
        if (seen != NULL && *seen)
            return malformed(r, "a member is repeated");
        if (seen != NULL)
            *seen = true;
        if (!read_member_value(r, arena, g, seen == &has_args, seen == &has_message))
            return false;
    }
    return has_args || malformed(r, "a gate has no args");
}

static bool read_map(struct tn_reader *r, struct tn_arena *arena, struct gate_map *map)
{
    if (!tn_read_map(r, "the gate map", &map->n))
        return false;
    map->gates = tn_arena_array(arena, map->n, sizeof *map->gates);
    if (map->gates == NULL)
        return tn_reader_fail(r, TENUO_E_NOMEM, "memory ran out");
    for (size_t i = 0; i < map->n; i++)
        if (!read_gate(r, arena, &map->gates[i]))
            return false;
    qsort(map->gates, map->n, sizeof *map->gates, gate_cmp);
    for (size_t i = 1; i < map->n; i++)
        if (gate_cmp(&map->gates[i - 1], &map->gates[i]) == 0)
            return malformed(r, "a tool is repeated");
    return tn_read_end(r, "the gate map");
}

/* Does this argument's gate fire? 0 with *ret, or the code of a constraint that cannot judge. */
static int arg_fires(const struct arg_gate *g, const struct tenuo_args *args, struct tn_match_env *env,
                     bool *ret, struct tenuo_error *err)
{
    const struct tn_arg *arg = tn_args_find(args, g->name);
    int code = TENUO_OK;
    enum tn_match m;
    *ret = true; /* an absent argument fires: fail safe */
    if (arg == NULL || g->kind == GATE_ALL)
        return TENUO_OK;
    m = tn_constraint_match(g->constraint, arg, env, &code, err);
    if (m == TN_ERROR)
        return code;
    *ret = m == (g->kind == GATE_CONSTRAINT ? TN_TRUE : TN_FALSE);
    return TENUO_OK;
}

/* The tool's own gate and the one for "*": either may fire. */
static int map_fires(const struct gate_map *map, struct tn_str tool, const struct tenuo_args *args,
                     struct tn_match_env *env, bool *ret, struct tenuo_error *err)
{
    *ret = false;
    for (size_t i = 0; i < map->n; i++) {
        const struct gate *g = &map->gates[i];
        if (!tn_str_eq(g->tool, tool) && !tn_str_eq(g->tool, tn_lit("*")))
            continue;
        if (g->whole)
            *ret = true;
        for (size_t k = 0; k < g->nargs && !*ret; k++) {
            int r = arg_fires(&g->args[k], args, env, ret, err);
            if (r != TENUO_OK)
                return r;
        }
        if (*ret)
            return TENUO_OK;
    }
    return TENUO_OK;
}

int tn_gate_check(const struct tenuo_warrant *leaf, struct tn_str tool, const struct tenuo_args *args,
                  struct tn_match_env *env, struct tenuo_error *err)
{
    struct gate_map map = { 0 };
    struct tn_arena arena;
    struct tn_reader r;
    bool fires = false;
    int code;
    if (leaf->gates.n == 0)
        return TENUO_OK;
    tn_arena_init(&arena, 1024);
    tn_reader_init(&r, leaf->gates, err);
    code = read_map(&r, &arena, &map) ? map_fires(&map, tool, args, env, &fires, err) : r.code;
    tn_arena_free(&arena);
    if (code != TENUO_OK || !fires)
        return code;
    if (leaf->napprovers == 0)
        return tn_fail(err, TENUO_E_APPROVAL_INVALID,
                       "the call needs an approval, and the warrant names nobody who could give it");
    return tn_fail(err, TENUO_E_APPROVAL_REQUIRED, "the call needs an approval");
}

/* Well formed, when there are gates at all. */
static int check_map(struct tn_str gates, struct tenuo_error *err)
{
    struct gate_map map = { 0 };
    struct tn_arena arena;
    struct tn_reader r;
    bool good;
    if (gates.n == 0)
        return TENUO_OK;
    tn_arena_init(&arena, 1024);
    tn_reader_init(&r, gates, err);
    good = read_map(&r, &arena, &map);
    tn_arena_free(&arena);
    return good ? TENUO_OK : r.code;
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

/*
 * A child under a gated parent carries the parent's gates, approvers and minimum unchanged. Comparing gates that differ
 * comes with approvals; until then a link that changes them is refused, which is stricter than the reference and never
 * wider.
 */
int tn_gate_link(const struct tenuo_warrant *p, const struct tenuo_warrant *c, struct tn_match_env *env,
                 struct tenuo_error *err)
{
    int r = check_map(p->gates, err);
    (void)env;
    if (r == TENUO_OK)
        r = check_map(c->gates, err);
    if (r != TENUO_OK || p->gates.n == 0)
        return r;
    if (tn_str_eq(p->gates, c->gates) && same_approvers(p, c))
        return TENUO_OK;
    return tn_fail(err, TENUO_E_CHAIN_BROKEN, "the child changes its parent's approval gates or approvers");
}
