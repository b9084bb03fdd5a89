/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Approval gates: which calls need a human's approval (spec governance.md 6). Read by gate_read.c, judged by gate.c,
 * compared along a link by gate_link.c, written and merged by gate_write.c. Nothing here knows who approves.
 */
#ifndef TN_GATE_H
#define TN_GATE_H

#include "request.h"
#include "warrant.h"
#include <tenuo/approval.h>

struct tn_arg_gate {
    struct tn_str name;
    enum tenuo_gate_kind kind;
    struct tenuo_constraint *constraint; /* NULL: TENUO_GATE_ALL */
};

struct tn_gate {
    struct tn_str tool, message; /* message.p NULL: none */
    bool whole;                  /* the tool as such, whatever its arguments */
    struct tn_arg_gate *args;    /* sorted by name */
    size_t nargs;
};

struct tn_gate_map {
    struct tn_gate *gates; /* sorted by tool */
    size_t n;
};

/* gate_read.c. An empty string is an empty map. 1202 or 9000; the result borrows from `bytes` and the arena. */
int tn_gate_map_read(struct tn_str bytes, struct tn_arena *arena, struct tn_gate_map *ret, struct tenuo_error *err);
/* NULL when the tool has no gate of its own. */
struct tn_gate *tn_gate_find(const struct tn_gate_map *map, struct tn_str tool);
struct tn_arg_gate *tn_gate_find_arg(const struct tn_gate *gate, struct tn_str name);
/* Trimmed and cut to what a message may hold; p NULL when nothing is left. A part of `text`. */
struct tn_str tn_gate_message(struct tn_str text);
/* May this constraint be an exemption? */
bool tn_gate_may_exempt(const struct tenuo_constraint *c);

/*
 * gate.c. The gate that fires for a call, or NULL: the tool's own before that of "*". `strict`: a constraint gate fires
 * as well when the value is of a type that it cannot match. A code other than 0: a constraint cannot judge.
 */
int tn_gate_fires(const struct tn_gate_map *map, struct tn_str tool, const struct tenuo_args *args, bool strict,
                  struct tn_match_env *env, const struct tn_gate **ret, struct tenuo_error *err);

/* gate_link.c. Gates, approvers and threshold of one link (6.3, 7 and stances 1 and 3 of 14): 0, 1405, 1202 or 9000. */
int tn_gate_link(const struct tenuo_warrant *p, const struct tenuo_warrant *c, struct tn_match_env *env,
                 struct tenuo_error *err);
/* Is the parent's gate for `tool` binding for a child that carries these names (tools or issuable tools)? */
bool tn_gate_in_scope(struct tn_str tool, const struct tenuo_warrant *c);

/* gate_write.c. The one form that builders emit. */
void tn_gate_map_write(struct tn_buf *b, const struct tn_gate_map *map);
/* The same once it is written? False when memory ran out. */
bool tn_arg_gate_same(const struct tn_arg_gate *a, const struct tn_arg_gate *b, bool *ret_same);
/* The parent's gates and those added by a child (6.5). The result borrows from both and the arena; false: no memory. */
bool tn_gate_map_merge(const struct tn_gate_map *parent, const struct tn_gate_map *added, struct tn_arena *arena,
                       struct tn_gate_map *ret);

#endif
