/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Gates and approvers of a warrant that is being built: the setters, what a child takes from its parent, and the rules
 * that a builder keeps (spec governance.md 6.5, 7 and 8). The link check of the verifier judges the result once more.
 */
#include "gate.h"

#include <stdlib.h>

#include "err.h"
#include "limits.h"
#include "mint.h"

static int structure(struct tenuo_error *err, const char *what)
{
    return tn_fail(err, TENUO_E_PAYLOAD_STRUCTURE, "%s", what);
}

static int attenuation(struct tenuo_error *err, const char *what)
{
    return tn_fail(err, TENUO_E_INVALID_ATTENUATION, "%s", what);
}

static int copy_name(struct tenuo_mint *m, struct tn_str s, const char *what, struct tn_str *ret,
                     struct tenuo_error *err)
{
    uint8_t *p;
    if (!tn_utf8_valid(s))
        return tn_fail(err, TENUO_E_INVALID_ARGUMENT, "%s is not UTF-8", what);
    p = tn_arena_alloc(&m->arena, s.n + 1);
    if (p == NULL)
        return tn_fail_code(err, TENUO_E_NOMEM);
    if (s.n != 0)
        memcpy(p, s.p, s.n);
    *ret = (struct tn_str){ p, s.n };
    return TENUO_OK;
}

/* Room for one more of n elements in the arena: arrays double, so what is left behind is less than what is used. */
static void *grow(struct tenuo_mint *m, void *array, size_t n, size_t size)
{
    void *p;
    if (n != 0 && (n & (n - 1)) != 0)
        return array;
    p = tn_arena_array(&m->arena, n == 0 ? 1 : 2 * n, size);
    if (p != NULL && n != 0)
        memcpy(p, array, n * size);
    return p;
}

/* The tool's gate among those set here, made when there is none. */
static int gate_of(struct tenuo_mint *m, struct tn_str tool, struct tn_gate **ret, struct tenuo_error *err)
{
    struct tn_gate_map *map = &m->gates;
    struct tn_gate gate = { 0 }, *grown;
    size_t at = 0;
    int r;
    *ret = tn_gate_find(map, tool);
    if (*ret != NULL)
        return TENUO_OK;
    if (tool.n == 0 || tool.n > TN_MAX_TOOL_NAME)
        return structure(err, "a tool name is empty or longer than 256 bytes");
    if (map->n > TN_MAX_TOOLS)
        return structure(err, "more gated tools than a warrant has tools");
    r = copy_name(m, tool, "a tool name", &gate.tool, err);
    if (r != TENUO_OK)
        return r;
    grown = grow(m, map->gates, map->n, sizeof gate);
    if (grown == NULL)
        return tn_fail_code(err, TENUO_E_NOMEM);
    map->gates = grown;
    while (at < map->n && tn_str_cmp(map->gates[at].tool, tool) < 0)
        at++;
    memmove(map->gates + at + 1, map->gates + at, (map->n - at) * sizeof gate);
    map->gates[at] = gate;
    map->n++;
    *ret = &map->gates[at];
    return TENUO_OK;
}

int tenuo_mint_add_gate(struct tenuo_mint *mint, const char *tool, size_t tool_len, struct tenuo_error *reterr)
{
    struct tn_gate *gate = NULL;
    int r = gate_of(mint, (struct tn_str){ (const uint8_t *)tool, tool_len }, &gate, reterr);
    if (r == TENUO_OK)
        gate->whole = true;
    return r;
}

/* The constraint's bytes into the builder's arena, read again from there. */
static int copy_constraint(struct tenuo_mint *m, const struct tenuo_constraint *c, struct tenuo_constraint **ret,
                           struct tenuo_error *err)
{
    struct tn_buf b = { 0 };
    struct tn_reader r;
    uint8_t *p;
    tn_constraint_write(&b, c);
    p = b.failed ? NULL : tn_arena_alloc(&m->arena, b.n);
    if (p != NULL)
        memcpy(p, b.p, b.n);
    tn_reader_init(&r, (struct tn_str){ p, b.n }, err);
    tn_buf_free(&b);
    if (p == NULL)
        return tn_fail_code(err, TENUO_E_NOMEM);
    return tn_constraint_read(&r, &m->arena, ret) ? TENUO_OK : r.code;
}

static int insert_arg(struct tenuo_mint *m, struct tn_gate *gate, struct tn_arg_gate arg, struct tenuo_error *err)
{
    struct tn_arg_gate *grown = grow(m, gate->args, gate->nargs, sizeof arg);
    size_t at = 0;
    if (grown == NULL)
        return tn_fail_code(err, TENUO_E_NOMEM);
    gate->args = grown;
    while (at < gate->nargs && tn_str_cmp(gate->args[at].name, arg.name) < 0)
        at++;
    memmove(gate->args + at + 1, gate->args + at, (gate->nargs - at) * sizeof arg);
    gate->args[at] = arg;
    gate->nargs++;
    return TENUO_OK;
}

int tenuo_mint_add_arg_gate(struct tenuo_mint *mint, const char *tool, size_t tool_len, const char *arg, size_t arg_len,
                            enum tenuo_gate_kind kind, const struct tenuo_constraint *constraint,
                            struct tenuo_error *reterr)
{
    const struct tn_str name = { (const uint8_t *)arg, arg_len };
    struct tn_arg_gate own = { .kind = kind };
    struct tn_gate *gate = NULL;
    int r;
    if ((kind == TENUO_GATE_ALL) != (constraint == NULL))
        return tn_fail(reterr, TENUO_E_INVALID_ARGUMENT, "a gate on all values has no constraint, the others have one");
    if (kind == TENUO_GATE_EXEMPT && !tn_gate_may_exempt(constraint))
        return tn_fail(reterr, TENUO_E_INVALID_ARGUMENT, "this constraint type cannot be an exemption");
    r = gate_of(mint, (struct tn_str){ (const uint8_t *)tool, tool_len }, &gate, reterr);
    if (r != TENUO_OK)
        return r;
    if (tn_gate_find_arg(gate, name) != NULL)
        return tn_fail(reterr, TENUO_E_INVALID_ARGUMENT, "an argument is gated twice");
    if (gate->nargs == TN_MAX_ARGS)
        return structure(reterr, "too many gated arguments");
    r = copy_name(mint, name, "an argument name", &own.name, reterr);
    if (r == TENUO_OK && constraint != NULL)
        r = copy_constraint(mint, constraint, &own.constraint, reterr);
    return r != TENUO_OK ? r : insert_arg(mint, gate, own, reterr);
}

int tenuo_mint_set_gate_message(struct tenuo_mint *mint, const char *tool, size_t tool_len, const char *text,
                                size_t len, struct tenuo_error *reterr)
{
    struct tn_gate *gate = tn_gate_find(&mint->gates, (struct tn_str){ (const uint8_t *)tool, tool_len });
    struct tn_str own = { 0 };
    int r;
    if (gate == NULL)
        return tn_fail(reterr, TENUO_E_INVALID_ARGUMENT, "a message belongs to a gate: add the tool's gate first");
    r = copy_name(mint, (struct tn_str){ (const uint8_t *)text, len }, "a message", &own, reterr);
    if (r == TENUO_OK)
        gate->message = tn_gate_message(own);
    return r;
}

static bool carries(const struct tenuo_mint *m, struct tn_str tool)
{
    struct tn_str any = tn_lit("*");
    if (tn_str_eq(tool, any) || tn_mint_find_tool(m, tool) != NULL || tn_mint_find_tool(m, any) != NULL)
        return true;
    for (size_t i = 0; i < m->nissuable; i++)
        if (tn_str_eq(m->issuable[i], tool) || tn_str_eq(m->issuable[i], any))
            return true;
    return false;
}

/* A tool gated as a whole needs no gates of its arguments. A gate must be able to fire. */
static int check_added(struct tenuo_mint *m, struct tenuo_error *err)
{
    for (size_t i = 0; i < m->gates.n; i++) {
        struct tn_gate *g = &m->gates.gates[i];
        char name[64];
        tn_quote(name, sizeof name, g->tool.p, g->tool.n);
        if (!carries(m, g->tool))
            return tn_fail(err, TENUO_E_PAYLOAD_STRUCTURE, "a gate is for tool '%s', which the warrant does not carry",
                           name);
        if (!g->whole && g->nargs == 0)
            return tn_fail(err, TENUO_E_PAYLOAD_STRUCTURE, "the gate of tool '%s' never fires: it names no argument",
                           name);
        g->nargs = g->whole ? 0 : g->nargs;
    }
    return TENUO_OK;
}

static struct tn_extension *raw_gates(const struct tenuo_mint *m)
{
    for (size_t i = 0; i < m->nextensions; i++)
        if (tn_str_eq(m->extensions[i].key, tn_lit("tenuo.approval_gates")))
            return &m->extensions[i];
    return NULL;
}

static int put_gates(struct tenuo_mint *m, const struct tn_gate_map *map, struct tenuo_error *err)
{
    struct tn_buf b = { 0 };
    int r;
    tn_gate_map_write(&b, map);
    if (b.failed)
        r = tn_fail_code(err, TENUO_E_NOMEM);
    else if (b.n > TN_MAX_EXTENSION_VALUE)
        r = structure(err, "the approval gates are larger than 8192 bytes");
    else
        r = tn_mint_put_extension(m, tn_lit("tenuo.approval_gates"), tn_buf_view(&b), err);
    tn_buf_free(&b);
    return r;
}

int tn_mint_root_gates(struct tenuo_mint *m, struct tenuo_error *err)
{
    const struct tn_extension *raw = raw_gates(m);
    struct tn_gate_map map = m->gates;
    int r = check_added(m, err);
    if (r != TENUO_OK)
        return r;
    if (m->min_approvals > (int64_t)m->napprovers)
        return attenuation(err, "min_approvals is above the number of approvers");
    if (m->min_approvals == 0)
        return structure(err, "min_approvals must be at least 1");
    if (raw != NULL && m->gates.n != 0)
        return tn_fail(err, TENUO_E_INVALID_ARGUMENT, "approval gates are given twice, also as an extension");
    if (raw != NULL)
        r = tn_gate_map_read(raw->value, &m->arena, &map, err);
    if (r != TENUO_OK)
        return r;
    if (m->napprovers != 0 && map.n == 0)
        return structure(err, "approvers without approval gates have no effect: add the gates");
    if (m->napprovers == 0 && map.n != 0)
        return structure(err, "approval gates without approvers: nobody could approve: add the approvers");
    return m->gates.n == 0 ? TENUO_OK : put_gates(m, &m->gates, err);
}

/* The parent's gates for what the child carries. */
static int parent_gates(struct tenuo_mint *m, struct tn_gate_map *ret, bool *ret_all, struct tenuo_error *err)
{
    struct tn_gate_map map = { 0 };
    int r = tn_gate_map_read(m->parent->gates, &m->arena, &map, err);
    if (r != TENUO_OK)
        return r;
    *ret = (struct tn_gate_map){ map.gates, 0 };
    for (size_t i = 0; i < map.n; i++)
        if (carries(m, map.gates[i].tool))
            ret->gates[ret->n++] = map.gates[i];
    *ret_all = ret->n == map.n;
    return TENUO_OK;
}

/* The parent's gate of an argument stays (6.5), so another one would be lost without a word. */
static int check_kept(const struct tn_gate *parent, const struct tn_gate *own, struct tenuo_error *err)
{
    for (size_t i = 0; i < own->nargs && !parent->whole && !own->whole; i++) {
        const struct tn_arg_gate *kept = tn_gate_find_arg(parent, own->args[i].name);
        char tool[64], arg[64];
        bool same = true;
        if (kept != NULL && !tn_arg_gate_same(kept, &own->args[i], &same))
            return tn_fail_code(err, TENUO_E_NOMEM);
        if (same)
            continue;
        tn_quote(tool, sizeof tool, own->tool.p, own->tool.n);
        tn_quote(arg, sizeof arg, kept->name.p, kept->name.n);
        return tn_fail(err, TENUO_E_INVALID_ATTENUATION,
                       "the parent gates argument '%s' of '%s' in another way, and its gate stays: gate the whole tool "
                       "to ask more often",
                       arg, tool);
    }
    return TENUO_OK;
}

static int check_overlap(const struct tenuo_mint *m, const struct tn_gate_map *inherited, struct tenuo_error *err)
{
    int r = TENUO_OK;
    for (size_t i = 0; i < m->gates.n && r == TENUO_OK; i++) {
        const struct tn_gate *parent = tn_gate_find(inherited, m->gates.gates[i].tool);
        if (parent != NULL)
            r = check_kept(parent, &m->gates.gates[i], err);
    }
    return r;
}

/* Parent's and own approvers; each one added asks for one approval more. */
static int join_approvers(struct tenuo_mint *m, struct tenuo_error *err)
{
    const struct tenuo_warrant *p = m->parent;
    uint64_t least;
    int r = TENUO_OK;
    for (size_t i = 0; i < p->napprovers && r == TENUO_OK; i++)
        r = tenuo_mint_add_approver(m, p->approvers[i], err);
    if (r != TENUO_OK)
        return r;
    least = tenuo_warrant_approval_threshold(p) + (m->napprovers - p->ndistinct);
    if (m->min_approvals < 0 || m->min_approvals == p->min_approvals)
        m->min_approvals = p->min_approvals < 0 ? -1 : (int64_t)least;
    if (m->min_approvals == 0)
        return structure(err, "min_approvals must be at least 1");
    if (m->min_approvals > (int64_t)m->napprovers)
        return attenuation(err, "min_approvals is above the number of approvers");
    if (p->napprovers != 0 && m->min_approvals >= 0 && (uint64_t)m->min_approvals < least)
        return attenuation(err, "min_approvals is below the parent's, with one more for each approver added");
    return TENUO_OK;
}

int tn_mint_child_gates(struct tenuo_mint *m, struct tenuo_error *err)
{
    const struct tenuo_warrant *p = m->parent;
    struct tn_gate_map inherited = { 0 }, all = { 0 };
    bool unchanged = false;
    int r = check_added(m, err);
    if (r == TENUO_OK)
        r = parent_gates(m, &inherited, &unchanged, err);
    if (r == TENUO_OK)
        r = check_overlap(m, &inherited, err);
    if (r != TENUO_OK)
        return r;
    if (!tn_gate_map_merge(&inherited, &m->gates, &m->arena, &all))
        return tn_fail_code(err, TENUO_E_NOMEM);
    if (all.n == 0)
        return m->napprovers == 0 && m->min_approvals < 0
            ? TENUO_OK
            : attenuation(err, "approvers or min_approvals without approval gates have no effect: add the gates");
    if (inherited.n != 0 && p->napprovers == 0 && m->napprovers != 0)
        return attenuation(err, "the parent's gates can be approved by nobody, and a child cannot change that");
    r = join_approvers(m, err);
    if (r == TENUO_OK && m->gates.n != 0 && m->napprovers == 0)
        r = structure(err, "approval gates without approvers: nobody could approve: add the approvers");
    if (r != TENUO_OK)
        return r;
    if (unchanged && m->gates.n == 0) /* down to the byte */
        return tn_mint_put_extension(m, tn_lit("tenuo.approval_gates"), p->gates, err);
    return put_gates(m, &all, err);
}
