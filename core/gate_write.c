/* SPDX-License-Identifier: Apache-2.0 */
/* Gate maps as builders emit them, and how a child's gates join its parent's (spec governance.md 6.1, 6.5). */
#include "gate.h"

static void put_arg(struct tn_buf *b, const struct tn_arg_gate *g)
{
    tn_put_text(b, g->name);
    if (g->kind == TENUO_GATE_ALL) {
        tn_put_text(b, tn_lit("all"));
        return;
    }
    if (g->kind == TENUO_GATE_EXEMPT) {
        tn_put_map(b, 1);
        tn_put_text(b, tn_lit("exempt"));
    }
    tn_constraint_write(b, g->constraint);
}

bool tn_arg_gate_same(const struct tn_arg_gate *a, const struct tn_arg_gate *b, bool *ret_same)
{
    struct tn_buf x = { 0 }, y = { 0 };
    put_arg(&x, a);
    put_arg(&y, b);
    bool good = !x.failed && !y.failed;
    *ret_same = good && tn_str_eq(tn_buf_view(&x), tn_buf_view(&y));
    tn_buf_free(&x);
    tn_buf_free(&y);
    return good;
}

static void put_gate(struct tn_buf *b, const struct tn_gate *g)
{
    tn_put_text(b, g->tool);
    tn_put_map(b, g->message.p == NULL ? 1 : 2);
    tn_put_text(b, tn_lit("args"));
    if (g->whole)
        tn_put_null(b);
    else
        tn_put_map(b, g->nargs);
    for (size_t i = 0; !g->whole && i < g->nargs; i++)
        put_arg(b, &g->args[i]);
    if (g->message.p != NULL) {
        tn_put_text(b, tn_lit("message"));
        tn_put_text(b, g->message);
    }
}

void tn_gate_map_write(struct tn_buf *b, const struct tn_gate_map *map)
{
    tn_put_map(b, map->n);
    for (size_t i = 0; i < map->n; i++)
        put_gate(b, &map->gates[i]);
}

/* Both sorted; an argument of both sides has the parent's gate. */
static bool merge_args(const struct tn_gate *p, const struct tn_gate *c, struct tn_arena *arena, struct tn_gate *ret)
{
    size_t i = 0, k = 0;
    ret->args = tn_arena_array(arena, p->nargs + c->nargs, sizeof *ret->args);
    if (ret->args == NULL)
        return false;
    while (i < p->nargs || k < c->nargs) {
        int order = i == p->nargs ? 1 : k == c->nargs ? -1 : tn_str_cmp(p->args[i].name, c->args[k].name);
        ret->args[ret->nargs++] = order <= 0 ? p->args[i] : c->args[k];
        i += order <= 0;
        k += order >= 0;
    }
    return true;
}

static bool merge_gate(const struct tn_gate *p, const struct tn_gate *c, struct tn_arena *arena, struct tn_gate *ret)
{
    *ret = (struct tn_gate){ .tool = p->tool,
                             .message = c->message.p != NULL ? c->message : p->message,
                             .whole = p->whole || c->whole };
    return ret->whole || merge_args(p, c, arena, ret);
}

bool tn_gate_map_merge(const struct tn_gate_map *parent, const struct tn_gate_map *added, struct tn_arena *arena,
                       struct tn_gate_map *ret)
{
    struct tn_gate_map out = { tn_arena_array(arena, parent->n + added->n, sizeof *out.gates), 0 };
    size_t i = 0, k = 0;
    if (out.gates == NULL)
        return false;
    while (i < parent->n || k < added->n) {
        int order = i == parent->n  ? 1
                    : k == added->n ? -1
                                    : tn_str_cmp(parent->gates[i].tool, added->gates[k].tool);
        struct tn_gate *to = &out.gates[out.n++];
        if (order != 0)
            *to = order < 0 ? parent->gates[i] : added->gates[k];
        else if (!merge_gate(&parent->gates[i], &added->gates[k], arena, to))
            return false;
        i += order <= 0;
        k += order >= 0;
    }
    *ret = out;
    return true;
}
