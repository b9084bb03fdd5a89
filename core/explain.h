/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The observer of a decision: tells each step to who asked, and keeps what a failing link compared. NULL everywhere
 * nobody asks, which costs a decision one comparison a step. Never has a say in the answer.
 */
#ifndef TN_EXPLAIN_H
#define TN_EXPLAIN_H

#include "constraint.h"
#include "warrant.h"
#include <tenuo/explain.h>

#define TN_FAULT_TEXT 512 /* one side of a comparison, cut with "..." */

/* What a failing link compared, lent from the warrants. Filled by link.c, subset.c and gate.c. */
struct tn_fault {
    const char *member; /* of the payload: "max_depth", "tools" ...; NULL: nothing noted */
    struct tn_str tool, arg; /* p NULL: none */
    const struct tenuo_constraint *parent, *child; /* of arg; NULL: that side has none */
    char parent_text[TN_FAULT_TEXT],
        child_text[TN_FAULT_TEXT]; /* instead, when not empty: what does not outlive the check */
};

struct tn_explain {
    tenuo_explain_fn *fn;
    void *arg;
    struct tn_fault fault;
};

/* No-ops without a fault to fill. */
static inline void tn_fault_member(struct tn_match_env *env, const char *member)
{
    if (env->fault != NULL)
        env->fault->member = member;
}
static inline void tn_fault_tool(struct tn_match_env *env, struct tn_str tool)
{
    if (env->fault != NULL)
        env->fault->tool = tool;
}
/* Both sides in words; either may be NULL for "". */
void tn_fault_texts(struct tn_match_env *env, const char *parent, const char *child);
void tn_fault_argument(struct tn_match_env *env, struct tn_str arg, const struct tenuo_constraint *parent,
                       const struct tenuo_constraint *child);

/* One step with a sentence of its own: `code` 0, or the error whose sentence is told instead. `x` is not NULL. */
void tn_explain_step(const struct tn_explain *x, enum tenuo_step step, int link, int code,
                     const struct tenuo_error *err, const char *fmt, ...) __attribute__((format(printf, 6, 7)));
/* An argument of the call against its constraint (NULL: it has none). */
void tn_explain_argument(const struct tn_explain *x, int link, int code, const struct tenuo_error *err,
                         struct tn_str name, const struct tenuo_constraint *c);
/* The tool's entry that decides. */
void tn_explain_tool(const struct tn_explain *x, int link, struct tn_str tool, struct tn_str entry);
/* A member of the chain in time, and one step of delegation. */
void tn_explain_time(const struct tn_explain *x, const struct tenuo_stack *s, size_t i, int code,
                     const struct tenuo_error *err);
void tn_explain_link(const struct tn_explain *x, const struct tenuo_stack *s, size_t i, int code,
                     const struct tenuo_error *err);

#endif
