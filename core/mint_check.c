/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a builder refuses, and what a child takes from its parent (spec warrant.md 6.1-6.3). Rules about authority are
 * not repeated here: the frozen payload is judged by the verifier's own link check before anything is signed.
 */
#include "err.h"
#include "limits.h"
#include "mint.h"

static int structure(struct tenuo_error *err, const char *what)
{
    return tn_fail(err, TENUO_E_PAYLOAD_STRUCTURE, "%s", what);
}

static int settle_type(struct tenuo_mint *m, struct tenuo_error *err)
{
    if (m->type < 0 && m->ntools != 0)
        m->type = TENUO_EXECUTION;
    if (m->type < 0 && (m->nissuable != 0 || m->max_issue_depth >= 0))
        m->type = TENUO_ISSUER;
    if (m->type < 0)
        return structure(err, "the warrant has neither tools nor issuable tools");
    if (m->type == TENUO_EXECUTION && m->ntools == 0)
        return structure(err, "an execution warrant needs at least one tool: add it, or keep all of a parent's");
    if (m->type == TENUO_EXECUTION && (m->nissuable != 0 || m->max_issue_depth >= 0))
        return structure(err, "issuable tools and max_issue_depth belong to issuer warrants");
    if (m->type == TENUO_EXECUTION && m->bounds != NULL)
        return structure(err, "constraint bounds belong to issuer warrants");
    if (m->type == TENUO_ISSUER && m->ntools != 0)
        return structure(err, "an issuer warrant has issuable tools instead of tools");
    if (m->type == TENUO_ISSUER && m->nissuable == 0)
        return structure(err, "an issuer warrant needs at least one issuable tool");
    return TENUO_OK;
}

/* now + ttl, or the given instant; the lifetime is at least one second. */
static int settle_expiry(struct tenuo_mint *m, uint64_t now, struct tenuo_error *err)
{
    uint64_t limit = m->parent == NULL ? UINT64_MAX : m->parent->expires_at;
    uint64_t ttl = m->expiry == TN_EXPIRY_DEFAULT ? TN_DEFAULT_TTL : m->expiry_value;
    m->issued_at = now;
    if (m->expiry == TN_EXPIRY_DEFAULT && m->kind == TN_MINT_ATTENUATE)
        m->expires_at = limit;
    else if (m->expiry == TN_EXPIRY_AT)
        m->expires_at = m->expiry_value;
    else
        m->expires_at = ttl > UINT64_MAX - now ? UINT64_MAX : now + ttl;
    if (m->expiry == TN_EXPIRY_TTL_CAPPED && m->expires_at > limit)
        m->expires_at = limit;
    if (m->expires_at > limit)
        return tn_fail(err, TENUO_E_INVALID_ATTENUATION, "the child would outlive its parent: give a shorter lifetime");
    if (m->expires_at <= now)
        return structure(err, "the lifetime must be at least one second");
    if (m->parent == NULL && m->expires_at - now > TN_MAX_ROOT_TTL)
        return tn_fail(err, TENUO_E_TTL_EXCEEDED, "a root warrant lives at most %d s (90 days)", TN_MAX_ROOT_TTL);
    return TENUO_OK;
}

static int check_reserved_names(const struct tenuo_mint *m, struct tenuo_error *err)
{
    for (size_t i = 0; i < m->ntools; i++)
        if (tn_str_starts(m->tools[i].name, tn_lit("tenuo:")))
            return structure(err, "tool names that start with 'tenuo:' are reserved");
    for (size_t i = 0; i < m->nissuable; i++)
        if (tn_str_starts(m->issuable[i], tn_lit("tenuo:")))
            return structure(err, "tool names that start with 'tenuo:' are reserved");
    return TENUO_OK;
}

static int settle_root(struct tenuo_mint *m, uint64_t now, struct tenuo_error *err)
{
    int r = settle_type(m, err);
    if (!m->has_max_depth)
        m->max_depth = TN_MAX_DEPTH;
    if (m->terminal)
        m->max_depth = 0;
    if (!m->has_holder)
        memcpy(m->holder, m->issuer, 32);
    if (r == TENUO_OK)
        r = check_reserved_names(m, err);
    if (r == TENUO_OK && (m->max_depth > TN_MAX_DEPTH || m->max_issue_depth > (int64_t)m->max_depth))
        r = tn_fail(err, TENUO_E_DEPTH_EXCEEDED, "max_depth is above %d, or max_issue_depth above max_depth",
                    TN_MAX_DEPTH);
    if (r == TENUO_OK)
        r = tn_mint_root_gates(m, err);
    return r != TENUO_OK ? r : settle_expiry(m, now, err);
}

/* Depth and max_depth of a child. */
static int settle_depth(struct tenuo_mint *m, struct tenuo_error *err)
{
    const struct tenuo_warrant *p = m->parent;
    m->depth = p->depth + 1;
    if (!m->has_max_depth)
        m->max_depth = p->max_depth;
    if (m->terminal)
        m->max_depth = m->depth;
    if (m->depth > TN_MAX_DEPTH)
        return tn_fail(err, TENUO_E_DEPTH_EXCEEDED, "the chain has reached %d delegations", TN_MAX_DEPTH);
    if (m->max_depth > p->max_depth)
        return tn_fail(err, TENUO_E_INVALID_ATTENUATION, "max_depth is above the parent's");
    if (m->depth > m->max_depth)
        return tn_fail(err, TENUO_E_DEPTH_EXCEEDED, "the parent allows no further delegation (its max_depth is %llu)",
                       (unsigned long long)p->max_depth);
    return TENUO_OK;
}

static void inherit_ids(struct tenuo_mint *m)
{
    if (m->session.p == NULL)
        m->session = m->parent->session;
    if (m->agent.p == NULL)
        m->agent = m->parent->agent;
}

static int check_parent(const struct tenuo_mint *m, uint64_t now, struct tenuo_error *err)
{
    if (memcmp(m->issuer, m->parent->holder, 32) != 0)
        return tn_fail(err, TENUO_E_INVALID_ISSUER, "the signer is not the holder of the parent warrant");
    if (now >= m->parent->expires_at)
        return tn_fail(err, TENUO_E_EXPIRED, "the parent warrant has expired");
    return TENUO_OK;
}

static int settle_attenuated(struct tenuo_mint *m, uint64_t now, struct tenuo_error *err)
{
    const struct tenuo_warrant *p = m->parent;
    int r = check_parent(m, now, err);
    m->type = (int)p->type;
    if (r == TENUO_OK)
        r = settle_depth(m, err);
    if (m->type == TENUO_ISSUER && m->max_issue_depth < 0)
        m->max_issue_depth = p->max_issue_depth > (int64_t)m->max_depth ? (int64_t)m->max_depth : p->max_issue_depth;
    if (m->type == TENUO_ISSUER && m->bounds == NULL)
        m->bounds = p->bounds;
    if (r == TENUO_OK)
        r = settle_type(m, err);
    if (m->clearance < 0)
        m->clearance = p->clearance;
    if (!m->has_holder)
        memcpy(m->holder, p->holder, 32);
    inherit_ids(m);
    if (r == TENUO_OK)
        r = tn_mint_child_gates(m, err);
    return r != TENUO_OK ? r : settle_expiry(m, now, err);
}

static int check_issuable(const struct tenuo_mint *m, struct tenuo_error *err)
{
    for (size_t i = 0; i < m->ntools; i++)
        if (!tn_warrant_has_issuable(m->parent, m->tools[i].name) && !tn_warrant_has_issuable(m->parent, tn_lit("*")))
            return structure(err, "the issuer warrant may not issue this tool");
    return TENUO_OK;
}

static int check_issue_depth(const struct tenuo_mint *m, struct tenuo_error *err)
{
    const struct tenuo_warrant *p = m->parent;
    if (p->max_issue_depth < 0)
        return TENUO_OK;
    if (p->depth + 1 > (uint64_t)p->max_issue_depth ||
        (m->has_max_depth && m->max_depth > (uint64_t)p->max_issue_depth))
        return tn_fail(err, TENUO_E_DEPTH_EXCEEDED, "the depth is above the issuer warrant's max_issue_depth");
    return TENUO_OK;
}

/* What an issuer gives must lie within the clearance that the issuer warrant states. */
static int check_issue_clearance(const struct tenuo_mint *m, struct tenuo_error *err)
{
    if (m->clearance < 0 || m->clearance <= m->parent->clearance)
        return TENUO_OK;
    if (m->parent->clearance < 0)
        return tn_fail(err, TENUO_E_CAPABILITY_EXPANSION,
                       "the issuer warrant states no clearance, so none can be issued");
    return tn_fail(err, TENUO_E_TOOL_NOT_AUTHORIZED, "the clearance is above the issuer warrant's");
}

static int settle_issued(struct tenuo_mint *m, uint64_t now, struct tenuo_error *err)
{
    int r;
    if (m->parent->type != TENUO_ISSUER)
        return structure(err, "only an issuer warrant can issue");
    r = check_parent(m, now, err);
    m->type = TENUO_EXECUTION;
    if (r == TENUO_OK)
        r = settle_type(m, err);
    if (r == TENUO_OK)
        r = check_issuable(m, err);
    if (r == TENUO_OK && !m->has_holder)
        r = structure(err, "an issued warrant needs a holder");
    if (r == TENUO_OK && m->expiry == TN_EXPIRY_DEFAULT)
        r = tn_fail(err, TENUO_E_MISSING_FIELD, "an issued warrant needs a lifetime: give a ttl or an expiry");
    if (r == TENUO_OK &&
        (memcmp(m->holder, m->parent->holder, 32) == 0 || memcmp(m->holder, m->parent->issuer, 32) == 0))
        r = tn_fail(err, TENUO_E_INVALID_ISSUER, "an issuer cannot issue to itself or to its own issuer");
    if (r == TENUO_OK)
        r = check_issue_clearance(m, err);
    if (r == TENUO_OK)
        r = check_issue_depth(m, err);
    if (r == TENUO_OK)
        r = settle_depth(m, err);
    inherit_ids(m);
    if (r == TENUO_OK)
        r = tn_mint_child_gates(m, err);
    return r != TENUO_OK ? r : settle_expiry(m, now, err);
}

int tn_mint_settle(struct tenuo_mint *m, const uint8_t issuer[32], uint64_t now, struct tenuo_error *err)
{
    int r = TENUO_OK;
    memcpy(m->issuer, issuer, 32);
    switch (m->kind) {
    case TN_MINT_ROOT: r = settle_root(m, now, err); break;
    case TN_MINT_ATTENUATE: r = settle_attenuated(m, now, err); break;
    case TN_MINT_ISSUE: r = settle_issued(m, now, err); break;
    }
    if (r == TENUO_OK && m->oversized)
        r = structure(err, "an extension key is longer than 255 bytes or a value longer than 8192");
    return r;
}
