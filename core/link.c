/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One delegation step: does the child stay within its parent? Order and codes of spec warrant.md 5.3, with the holes
 * of 5.5 closed (H1-H4, H6; H7 is a matter of policy and documented in the manual).
 */
#include "err.h"
#include "explain.h"
#include "gate.h"
#include "verifier.h"

typedef const struct tenuo_warrant *warrant;

#define LAST_DATE 8210266876799u  /* 262142-12-31 */
#define FIRST_DATE (-8334601228800) /* -262143-01-01 */

static const struct tn_str star = { (const uint8_t *)"*", 1 };

/* Refuses, and notes which member of the payload was compared. */
static int refuse(struct tn_match_env *env, const char *member, struct tenuo_error *err, int code, const char *what)
{
    tn_fault_member(env, member);
    return tn_fail(err, code, "%s", what);
}

static int broken(struct tn_match_env *env, const char *member, struct tenuo_error *err, const char *what)
{
    return refuse(env, member, err, TENUO_E_CHAIN_BROKEN, what);
}

/*
 * The reference reads times as signed dates, and what is no date as 0. A child must hold under that reading as well, so
 * that nothing is allowed here which it refuses.
 */
static int64_t as_date(uint64_t t)
{
    int64_t date = (int64_t)t; /* wraps, as there */
    return date < FIRST_DATE || date > (int64_t)LAST_DATE ? 0 : date;
}

/* L1-L9: keys, hash, depth and time. Times are compared as they stand on the wire. */
static int check_frame(warrant p, warrant c, struct tn_match_env *env, struct tenuo_error *err)
{
    uint8_t hash[32];
    if (memcmp(c->issuer, p->holder, 32) != 0)
        return broken(env, "issuer", err, "the issuer is not the parent's holder");
    if (c->parent_hash == NULL)
        return broken(env, "parent_hash", err, "parent_hash is missing");
    tenuo_warrant_payload_hash(p, hash);
    if (memcmp(c->parent_hash, hash, 32) != 0)
        return broken(env, "parent_hash", err, "parent_hash is not the hash of the parent's payload");
    if (c->depth != p->depth + 1)
        return broken(env, "depth", err, "depth is not the parent's depth + 1");
    if (c->depth > p->max_depth)
        return broken(env, "max_depth", err, "depth is above the parent's max_depth");
    if (c->max_depth > p->max_depth)
        return broken(env, "max_depth", err, "max_depth is above the parent's");
    if (c->depth > c->max_depth)
        return broken(env, "max_depth", err, "depth is above the own max_depth");
    if (c->issued_at < p->issued_at || as_date(c->issued_at) < as_date(p->issued_at))
        return broken(env, "issued_at", err, "issued before the parent");
    if (c->expires_at > p->expires_at || as_date(c->expires_at) > as_date(p->expires_at))
        return broken(env, "expires_at", err, "expires after the parent");
    return TENUO_OK;
}

/* A clearance may be stated only under a parent that states one, and not above it (H2, H6). */
static int check_clearance(warrant p, warrant c, struct tn_match_env *env, struct tenuo_error *err)
{
    if (c->clearance < 0)
        return TENUO_OK;
    if (p->clearance < 0)
        return refuse(env, "clearance", err, TENUO_E_CAPABILITY_EXPANSION,
                      "a clearance is stated under a parent without one");
    if (c->clearance <= p->clearance)
        return TENUO_OK;
    return refuse(env, "clearance", err,
                  p->type == TENUO_ISSUER && c->type == TENUO_ISSUER ? TENUO_E_CAPABILITY_EXPANSION
                                                                     : TENUO_E_INVALID_ATTENUATION,
                  "the clearance is above the parent's");
}

/* Prefixes the tool to a sentence about its constraints. */
static int in_tool(struct tn_match_env *env, struct tenuo_error *err, int code, struct tn_str tool)
{
    char name[64], why[TENUO_ERROR_MSG_BYTES];
    if (code != TENUO_OK)
        tn_fault_tool(env, tool);
    if (code == TENUO_OK || err == NULL)
        return code;
    tn_quote(name, sizeof name, tool.p, tool.n);
    memcpy(why, err->msg, sizeof why);
    why[180] = '\0';
    return tn_fail(err, code, "tool '%s': %s", name, why);
}

/* With "*" in the child, a tool that the parent names must be named too, or be no tighter than the child's "*" (H4). */
static int check_shadowing(warrant p, warrant c, struct tn_match_env *env, struct tenuo_error *err)
{
    const struct tn_tool *any = tn_warrant_find_tool(c, star);
    if (any == NULL)
        return TENUO_OK;
    for (size_t i = 0; i < p->ntools; i++) {
        const struct tn_tool *t = &p->tools[i];
        if (tn_str_eq(t->name, star) || tn_warrant_find_tool(c, t->name) != NULL)
            continue;
        if (tn_constraint_set_narrower(&t->set, &any->set, env, NULL) != TENUO_OK)
            return in_tool(env, err,
                           refuse(env, "tools", err, TENUO_E_CAPABILITY_EXPANSION,
                                  "the child's \"*\" drops what the parent demands for it"),
                           t->name);
    }
    return TENUO_OK;
}

static int check_execution(warrant p, warrant c, struct tn_match_env *env, struct tenuo_error *err)
{
    int r;
    for (size_t i = 0; i < c->ntools; i++) {
        const struct tn_tool *t = &c->tools[i], *from = tn_warrant_find_tool(p, t->name);
        if (from == NULL)
            from = tn_warrant_find_tool(p, star);
        if (from == NULL)
            return in_tool(env, err,
                           refuse(env, "tools", err, TENUO_E_INVALID_ATTENUATION, "the parent does not have it"),
                           t->name);
        r = tn_constraint_set_narrower(&from->set, &t->set, env, err);
        if (r != TENUO_OK)
            return in_tool(env, err, r, t->name);
    }
    r = check_clearance(p, c, env, err);
    return r != TENUO_OK ? r : check_shadowing(p, c, env, err);
}

static bool may_issue(warrant p, struct tn_str tool)
{
    return tn_warrant_has_issuable(p, tool) || tn_warrant_has_issuable(p, star);
}

/* Issuer to issuer: issuable tools, bounds (H3), and a max_issue_depth that is neither raised nor dropped. */
static int check_issuer(warrant p, warrant c, struct tn_match_env *env, struct tenuo_error *err)
{
    int r;
    if (!tn_budget_pairs(&env->budget, p->nissuable, c->nissuable))
        return tn_fail(err, TENUO_E_INVALID_ATTENUATION, "comparing the issuable tools takes too many steps");
    for (size_t i = 0; i < c->nissuable; i++)
        if (!may_issue(p, c->issuable[i]))
            return in_tool(
                env, err,
                refuse(env, "issuable_tools", err, TENUO_E_INVALID_ATTENUATION, "the parent may not issue it"),
                c->issuable[i]);
    if (p->bounds != NULL && p->bounds->n != 0 && c->bounds == NULL)
        return refuse(env, "constraint_bounds", err, TENUO_E_CAPABILITY_EXPANSION,
                      "the child drops the parent's constraint bounds");
    if (p->bounds != NULL && c->bounds != NULL) {
        r = tn_constraint_set_narrower(p->bounds, c->bounds, env, err);
        if (r != TENUO_OK)
            return r;
    }
    if (p->max_issue_depth >= 0 && (c->max_issue_depth < 0 || c->max_issue_depth > p->max_issue_depth))
        return refuse(env, "max_issue_depth", err, TENUO_E_DEPTH_EXCEEDED, "max_issue_depth is raised or dropped");
    return check_clearance(p, c, env, err);
}

static int check_issued(warrant p, warrant c, struct tn_match_env *env, struct tenuo_error *err)
{
    int r;
    for (size_t i = 0; i < c->ntools; i++)
        if (!may_issue(p, c->tools[i].name))
            return in_tool(
                env, err,
                refuse(env, "issuable_tools", err, TENUO_E_INVALID_ATTENUATION, "the issuer warrant may not issue it"),
                c->tools[i].name);
    r = check_clearance(p, c, env, err);
    for (size_t i = 0; r == TENUO_OK && p->bounds != NULL && i < c->ntools; i++)
        r = in_tool(env, err, tn_constraint_set_narrower(p->bounds, &c->tools[i].set, env, err), c->tools[i].name);
    if (r != TENUO_OK)
        return r;
    if (memcmp(c->holder, p->holder, 32) == 0 || memcmp(c->holder, p->issuer, 32) == 0)
        return refuse(env, "holder", err, TENUO_E_INVALID_ISSUER,
                      "the holder issued this warrant, or the one above, to itself");
    if (p->max_issue_depth >= 0 && c->depth > (uint64_t)p->max_issue_depth)
        return refuse(env, "max_issue_depth", err, TENUO_E_DEPTH_EXCEEDED,
                      "depth is above the issuer warrant's max_issue_depth");
    return TENUO_OK;
}

int tn_link_authority(warrant p, warrant c, struct tn_match_env *env, struct tenuo_error *err)
{
    if (p->type == TENUO_EXECUTION)
        return c->type == TENUO_EXECUTION ? check_execution(p, c, env, err)
                                          : refuse(env, "type", err, TENUO_E_INVALID_ATTENUATION,
                                                   "an execution warrant cannot delegate an issuer warrant");
    return c->type == TENUO_ISSUER ? check_issuer(p, c, env, err)
                                   : check_issued(p, c, env, err);
}

int tn_link_verify(warrant p, warrant c, struct tn_match_env *env, struct tenuo_error *err)
{
    int r = check_frame(p, c, env, err);
    if (r == TENUO_OK)
        r = tn_link_authority(p, c, env, err);
    return r != TENUO_OK ? r : tn_gate_link(p, c, env, err);
}
