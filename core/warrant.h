/* SPDX-License-Identifier: Apache-2.0 */
/* The inside of a warrant and of a stack. Everything points into the stack's own copy of the bytes or its arena. */
#ifndef TN_WARRANT_H
#define TN_WARRANT_H

#include "constraint.h"
#include "linkcache.h"
#include <tenuo/warrant.h>

struct tn_tool {
    struct tn_str name;
    struct tenuo_constraint_set set;
};

struct tn_extension {
    struct tn_str key, value;
};

struct tenuo_warrant {
    struct tn_str envelope, payload;
    const uint8_t *signature; /* 64 */
    const uint8_t *id;        /* 16 */
    const uint8_t *holder, *issuer; /* 32 */
    const uint8_t *parent_hash;     /* 32, or NULL */
    uint64_t version, type, issued_at, expires_at, max_depth, depth;
    int64_t max_issue_depth, min_approvals; /* -1: absent */
    int clearance;                          /* -1: absent */
    struct tn_tool *tools; /* sorted by name */
    size_t ntools;
    struct tn_str *issuable; /* as sent */
    size_t nissuable;
    bool has_issuable, has_approvers;
    struct tenuo_constraint_set *bounds; /* NULL: absent */
    const uint8_t **approvers;           /* as sent */
    size_t napprovers, ndistinct;        /* of them, how many are different */
    struct tn_extension *extensions; /* without session and agent id */
    size_t nextensions;
    struct tn_str session, agent; /* p NULL: absent */
    struct tn_str gates;          /* tenuo.approval_gates; p NULL or empty: none */
    uint8_t hash[32];             /* SHA-256 of the payload; set when has_hash */
    bool has_hash, holder_checked;
};

struct tenuo_stack {
    struct tn_arena arena;
    uint8_t *bytes; /* owned copy of the input */
    size_t len;
    struct tenuo_warrant *w;
    size_t n;
    bool is_array; /* came as an array, also of one */
};

enum tn_stack_kind { TN_STACK_EITHER, TN_STACK_SINGLE, TN_STACK_ARRAY };

/*
 * Decodes and checks everything that bytes alone decide. `cache` may be NULL. With `defer_leaf_holder` the caller
 * promises that it verifies the PoP under the leaf's holder, or calls tn_warrant_check_holder, before it believes the
 * leaf.
 */
int tn_stack_decode(struct tn_str bytes, enum tn_stack_kind kind, struct tn_link_cache *cache, bool defer_leaf_holder,
                    struct tenuo_stack **ret, struct tenuo_error *err);
/* The same for bytes whose signatures and keys this process has checked, or made, itself: everything but those is
 * checked again. */
int tn_stack_decode_own(struct tn_str bytes, enum tn_stack_kind kind, struct tenuo_stack **ret,
                        struct tenuo_error *err);
/* The whole input as it was parsed. */
struct tn_str tn_stack_bytes(const struct tenuo_stack *s);
/* 1202 when the holder's key is unusable. */
int tn_warrant_check_holder(const struct tenuo_warrant *w, struct tenuo_error *err);
/* Structural rules of warrant.md 1.6, first failure. */
int tn_warrant_check_structure(const struct tenuo_warrant *w, struct tenuo_error *err);
const struct tn_tool *tn_warrant_find_tool(const struct tenuo_warrant *w, struct tn_str name);
bool tn_warrant_has_issuable(const struct tenuo_warrant *w, struct tn_str name);
const uint8_t *tn_warrant_envelope(const struct tenuo_warrant *w, size_t *ret_len);

/* payload.c: the payload map to fields. Only what 1202 covers; the reader holds the error. */
bool tn_payload_read(struct tn_reader *r, struct tn_arena *arena, struct tenuo_warrant *w);

#endif
