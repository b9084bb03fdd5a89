/* SPDX-License-Identifier: Apache-2.0 */
/* Does a gate fire for a call (spec governance.md 6.2; stances 3 and 4 of section 14)? Pure: gates, arguments and
 * settings in, the gate out. */
#include "gate.h"

#include "err.h"
#include "limits.h"

static bool has_type(const struct tn_values *list, enum tn_type type)
{
    for (size_t i = 0; i < list->n; i++)
        if (tn_value_peek(list->v[i].cbor).type == type)
            return true;
    return false;
}

/* Can no value of this type ever match? "No" where it cannot be told, as for the types of plugins. */
static bool leaf_never(const struct tenuo_constraint *c, enum tn_type type)
{
    switch (c->known ? c->type : 0) {
    case TENUO_C_EXACT: return tn_value_peek(c->u.value.cbor).type != type;
    case TENUO_C_ONE_OF: return !has_type(&c->u.values, type);
    case TENUO_C_RANGE: return type != TN_T_INT && type != TN_T_FLOAT;
    case TENUO_C_CONTAINS: case TENUO_C_SUBSET: return type != TN_T_LIST;
    case TENUO_C_SUBPATH: return type != TN_T_STRING && type != TN_T_LIST;
    case TENUO_C_PATTERN: case TENUO_C_REGEX: case TENUO_C_CIDR: case TENUO_C_URL_PATTERN: case TENUO_C_URL_SAFE:
    case TENUO_C_SHLEX: return type != TN_T_STRING;
    case TENUO_C_ANY: return true; /* an empty one: nothing matches it */
    default: return false;
    }
}

/*
 * The same for a tree: All is for the types that each inner one is for, Any for those of any; a Not is asked what its
 * inner one is for. One frame a level, as in matching.
 */
static bool never_matches(const struct tenuo_constraint *c, enum tn_type type)
{
    const struct tenuo_constraint *nodes[TN_MAX_CONSTRAINT_DEPTH], *next[TN_MAX_CONSTRAINT_DEPTH];
    size_t depth = 0;
    bool never = false;
    for (;;) {
        if (c->child != NULL) {
            nodes[depth] = c;
            next[depth++] = c->child->next;
            c = c->child;
            continue;
        }
        never = leaf_never(c, type);
        /* All is decided by the first that never matches, Any by the first that may. */
        while (depth > 0 && (next[depth - 1] == NULL || never != (nodes[depth - 1]->type == TENUO_C_ANY)))
            depth--;
        if (depth == 0)
            return never;
        c = next[depth - 1];
        next[depth - 1] = c->next;
    }
}

/* Does this argument's gate fire? 0 with *ret, or the code of a constraint that cannot judge. */
static int arg_fires(const struct tn_arg_gate *g, const struct tenuo_args *args, bool strict, struct tn_match_env *env,
                     bool *ret, struct tenuo_error *err)
{
    const struct tn_arg *arg = tn_args_find(args, g->name);
    int code = TENUO_OK;
    enum tn_match m;
    *ret = true; /* an absent argument fires: fail safe */
    if (arg == NULL || g->kind == TENUO_GATE_ALL)
        return TENUO_OK;
    m = tn_constraint_match(g->constraint, arg, env, &code, err);
    if (m == TN_ERROR)
        return code;
    *ret = m == (g->kind == TENUO_GATE_CONSTRAINT ? TN_TRUE : TN_FALSE);
    if (!*ret && strict && g->kind == TENUO_GATE_CONSTRAINT)
        *ret = never_matches(g->constraint, tn_value_peek(arg->eq).type);
    return TENUO_OK;
}

static int gate_fires(const struct tn_gate *g, const struct tenuo_args *args, bool strict, struct tn_match_env *env,
                      bool *ret, struct tenuo_error *err)
{
    *ret = g->whole;
    for (size_t i = 0; i < g->nargs && !*ret; i++) {
        int r = arg_fires(&g->args[i], args, strict, env, ret, err);
        if (r != TENUO_OK)
            return r;
    }
    return TENUO_OK;
}

int tn_gate_fires(const struct tn_gate_map *map, struct tn_str tool, const struct tenuo_args *args, bool strict,
                  struct tn_match_env *env, const struct tn_gate **ret, struct tenuo_error *err)
{
    const struct tn_gate *both[] = { tn_gate_find(map, tool), tn_gate_find(map, tn_lit("*")) };
    *ret = NULL;
    for (size_t i = 0; i < TN_ARRAY_LEN(both) && *ret == NULL; i++) {
        bool fires = false;
        int r = both[i] == NULL ? TENUO_OK : gate_fires(both[i], args, strict, env, &fires, err);
        if (r != TENUO_OK)
            return r;
        if (fires)
            *ret = both[i];
    }
    return TENUO_OK;
}
