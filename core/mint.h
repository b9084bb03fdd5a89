/* SPDX-License-Identifier: Apache-2.0 */
/* The inside of a warrant builder, and the steps that mint*.c share. */
#ifndef TN_MINT_H
#define TN_MINT_H

#include "gate.h"
#include "warrant.h"
#include <tenuo/mint.h>

enum tn_mint_kind { TN_MINT_ROOT, TN_MINT_ATTENUATE, TN_MINT_ISSUE };
enum tn_mint_expiry { TN_EXPIRY_DEFAULT, TN_EXPIRY_TTL, TN_EXPIRY_TTL_CAPPED, TN_EXPIRY_AT };

struct tn_mint_tool {
    struct tn_str name;
    struct tenuo_constraint_set set; /* constraints borrowed from the arena or the parent */
};

struct tenuo_mint {
    enum tn_mint_kind kind;
    struct tn_arena arena;
    struct tenuo_stack *parent_stack;   /* own copy; NULL for a root */
    const struct tenuo_warrant *parent; /* its leaf */
    int type;                           /* -1: inferred */
    bool has_id, has_holder, has_max_depth, terminal, frozen, oversized;
    uint8_t id[16], holder[32], issuer[32];
    enum tn_mint_expiry expiry;
    uint64_t expiry_value, issued_at, expires_at, max_depth, depth;
    int64_t max_issue_depth, min_approvals; /* -1: absent */
    int clearance;                          /* -1: absent */
    struct tn_mint_tool *tools; /* sorted by name */
    size_t ntools;
    struct tn_str *issuable; /* sorted, without repetition */
    size_t nissuable;
    struct tenuo_constraint_set *bounds;
    struct tn_str session, agent; /* p NULL: absent */
    struct tn_extension *extensions;
    size_t nextensions;
    uint8_t (*approvers)[32]; /* sorted, without repetition */
    size_t napprovers;
    struct tenuo_matchers *matchers; /* a reference; NULL: none */
    struct tn_gate_map gates; /* added here; not the parent's */
    struct tn_buf payload;    /* once frozen */
};

#define TN_MINT_MAX_LIST 4096 /* issuable tools or approvers of one builder */

/* mint_check.c: every rule of warrant.md 6 that is decided before the bytes exist; fills the inherited fields. */
int tn_mint_settle(struct tenuo_mint *m, const uint8_t issuer[32], uint64_t now, struct tenuo_error *err);
/* mint_gate.c: gates, approvers and minimum of a root, and of a child under its parent. */
int tn_mint_root_gates(struct tenuo_mint *m, struct tenuo_error *err);
int tn_mint_child_gates(struct tenuo_mint *m, struct tenuo_error *err);
/* mint_payload.c: the canonical payload into m->payload. */
int tn_mint_write(struct tenuo_mint *m, struct tenuo_error *err);
/* An extension without the rules for callers: a child takes its parent's gates. */
int tn_mint_put_extension(struct tenuo_mint *m, struct tn_str key, struct tn_str value, struct tenuo_error *err);
const struct tn_mint_tool *tn_mint_find_tool(const struct tenuo_mint *m, struct tn_str name);

#endif
