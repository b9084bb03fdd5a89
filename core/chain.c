/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A decoded stack against the verifier's roots and the time (spec warrant.md 5.2). Signatures were checked when it was
 * decoded; nothing else is taken from there.
 */
#include <stdlib.h>

#include "err.h"
#include "explain.h"
#include "verifier.h"


static int id_cmp(const void *a, const void *b)
{
    const uint8_t *const *x = a, *const *y = b;
    return memcmp(*x, *y, 16);
}

static int check_shape(const struct tenuo_verifier *v, const struct tenuo_stack *s, struct tenuo_error *err)
{
    const uint8_t *ids[TN_MAX_CHAIN];
    if (s->n > v->policy.max_chain)
        return tn_fail(err, TENUO_E_CHAIN_TOO_LONG, "the chain has %zu warrants, at most %u are allowed here", s->n,
                       v->policy.max_chain);
    for (size_t i = 0; i < s->n; i++)
        ids[i] = s->w[i].id;
    qsort(ids, s->n, sizeof ids[0], id_cmp);
    for (size_t i = 1; i < s->n; i++)
        if (memcmp(ids[i - 1], ids[i], 16) == 0)
            return tn_fail(err, TENUO_E_CHAIN_BROKEN, "two warrants of the chain have the same id");
    return TENUO_OK;
}

static int check_root(const struct tenuo_verifier *v, const struct tenuo_stack *s, uint64_t now,
                      struct tenuo_error *err)
{
    const struct tenuo_warrant *root = &s->w[0];
    bool known = false, trusted = false;
    for (size_t i = 0; i < v->policy.nroots && !trusted; i++) {
        const struct tn_root *r = &v->policy.roots[i];
        if (memcmp(r->key, root->issuer, 32) != 0)
            continue;
        known = true;
        trusted = now >= r->not_before && now < r->not_after;
    }
    if (!trusted)
        return tn_fail(err, TENUO_E_UNTRUSTED_ROOT, known ? "the root's key is outside its validity window"
                                                          : "the chain starts at a key that is not a trusted root");
    if (s->n > 1 && (root->depth != 0 || root->parent_hash != NULL))
        return tn_fail(err, TENUO_E_CHAIN_BROKEN, "the first warrant of the chain is not a root warrant");
    return TENUO_OK;
}

static int check_time(const struct tenuo_verifier *v, const struct tenuo_warrant *w, uint64_t now,
                      struct tenuo_error *err)
{
    if (w->expires_at - w->issued_at > v->policy.max_lifetime)
        return tn_fail(err, TENUO_E_TTL_EXCEEDED, "the warrant lives longer than the %llu s allowed here",
                       (unsigned long long)v->policy.max_lifetime);
    if (now >= w->expires_at)
        return tn_fail(err, TENUO_E_EXPIRED, "the warrant has expired");
    if (w->issued_at > now && w->issued_at - now > v->policy.clock_tolerance)
        return tn_fail(err, TENUO_E_ISSUED_IN_FUTURE, "the warrant is dated in the future");
    return TENUO_OK;
}

static int check_session(const struct tenuo_stack *s, size_t i, struct tn_match_env *env, struct tenuo_error *err)
{
    const struct tn_str *root = &s->w[0].session, *own = &s->w[i].session;
    if ((root->p == NULL) == (own->p == NULL) && tn_str_eq(*root, *own))
        return TENUO_OK;
    tn_fault_member(env, "session_id");
    return tn_fail(err, TENUO_E_CHAIN_BROKEN, "the session id differs from the root's");
}

static int check_link(const struct tenuo_verifier *v, const struct tenuo_stack *s, size_t i, int64_t as_of,
                      struct tn_explain *x, struct tenuo_error *err)
{
    struct tn_match_env env = TN_MATCH_ENV(v->policy.matchers, as_of);
    int r;
    env.fault = x == NULL ? NULL : &x->fault;
    r = tn_link_verify(&s->w[i - 1], &s->w[i], &env, err);
    if (r == TENUO_OK && v->policy.strict_session)
        r = check_session(s, i, &env, err);
    if (x != NULL)
        tn_explain_link(x, s, i, r, err);
    return r;
}

int tn_chain_verify(const struct tenuo_verifier *v, const struct tenuo_stack *s, int64_t as_of,
                    struct tn_explain *x, enum tenuo_step *ret_step, int *ret_link, struct tenuo_error *err)
{
    uint64_t now = as_of < 0 ? 0 : (uint64_t)as_of;
    int r;
    *ret_link = -1;
    if (v->revocation != NULL) { /* V2: before anything else is believed */
        *ret_step = TENUO_STEP_REVOCATION;
        r = tn_revocation_check(v->revocation, s, as_of, ret_link, err);
        if (x != NULL)
            tn_explain_step(x, TENUO_STEP_REVOCATION, *ret_link, r, err, "no warrant is on a list");
        if (r != TENUO_OK)
            return r;
    }
    *ret_step = TENUO_STEP_CHAIN;
    r = check_shape(v, s, err);
    if (x != NULL)
        tn_explain_step(x, TENUO_STEP_CHAIN, -1, r, err, "%zu warrant%s, no id twice", s->n,
                        s->n == 1 ? "" : "s");
    if (r != TENUO_OK)
        return r;
    *ret_step = TENUO_STEP_TRUST;
    *ret_link = 0;
    r = check_root(v, s, now, err);
    if (x != NULL)
        tn_explain_step(x, TENUO_STEP_TRUST, 0, r, err, "the root's issuer is a trusted root");
    for (size_t i = 0; i < s->n && r == TENUO_OK; i++) {
        *ret_step = TENUO_STEP_TIME;
        *ret_link = (int)i;
        r = check_time(v, &s->w[i], now, err);
        if (x != NULL)
            tn_explain_time(x, s, i, r, err);
    }
    for (size_t i = 1; i < s->n && r == TENUO_OK; i++) {
        *ret_step = TENUO_STEP_LINK;
        *ret_link = (int)i;
        r = check_link(v, s, i, as_of, x, err);
    }
    return r;
}
