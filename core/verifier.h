/* SPDX-License-Identifier: Apache-2.0 */
/* The inside of a verifier: everything that a pure decision may depend on, fixed when it is built. */
#ifndef TN_VERIFIER_H
#define TN_VERIFIER_H

#include <stdatomic.h>

#include "limits.h"
#include "linkcache.h"
#include "matchers.h"
#include "revocation.h"
#include "warrant.h"
#include <tenuo/verify.h>

struct tn_root {
    uint8_t key[32];
    uint64_t not_before, not_after; /* trusted while not_before <= as_of < not_after */
};

struct tn_clearance_pattern {
    char text[TN_MAX_TOOL_NAME + 2];
    size_t len;    /* without the star */
    bool prefix;   /* ended in "*" */
    uint8_t level;
};

struct tn_policy {
    struct tn_root *roots;
    size_t nroots;
    struct tn_clearance_pattern *clearance;
    size_t nclearance;
    uint32_t clock_tolerance, pop_windows, max_chain, link_cache;
    uint64_t max_lifetime; /* seconds */
    uint64_t max_approval_lifetime; /* seconds; 0: none */
    bool strict_session, self_approval, strict_gates;
    struct tenuo_matchers *matchers; /* a reference; NULL: none */
};

struct tenuo_verifier_builder {
    struct tn_policy policy;
    struct tenuo_revocation *revocation;
};

struct tenuo_verifier {
    atomic_uint refs;
    struct tn_policy policy;
    struct tn_link_cache *cache;         /* NULL: off */
    struct tenuo_revocation *revocation; /* NULL: not configured, nothing is looked up */
    struct tenuo_verifier *base;         /* owns what the policy and the cache point to; NULL: this one does */
};

/* -1: no requirement. */
int tn_required_clearance(const struct tn_policy *policy, struct tn_str tool);

/* chain.c: everything of warrant.md 5.2 behind decoding. On failure *ret_step and *ret_link tell where. `x` may be
 * NULL. */
struct tn_explain;
int tn_chain_verify(const struct tenuo_verifier *v, const struct tenuo_stack *s, int64_t as_of,
                    struct tn_explain *x, enum tenuo_step *ret_step, int *ret_link, struct tenuo_error *err);
/* link.c: one parent-child step, 5.3 with the stricter rules of 5.5. */
int tn_link_verify(const struct tenuo_warrant *p, const struct tenuo_warrant *c, struct tn_match_env *env,
                   struct tenuo_error *err);
/* Tools, issuable tools, bounds and clearance alone (L10): what a builder must keep too. */
int tn_link_authority(const struct tenuo_warrant *p, const struct tenuo_warrant *c,
                      struct tn_match_env *env, struct tenuo_error *err);

#endif
