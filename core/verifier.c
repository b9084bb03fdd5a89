/* SPDX-License-Identifier: Apache-2.0 */
/* Building a verifier: policy is copied once and never changes afterwards; the link cache is the only thing in it that
 * moves. */
#include "verifier.h"

#include <stdlib.h>
#include <tenuo/key.h>

#include "crypto.h"
#include "err.h"

int tenuo_verifier_builder_new(struct tenuo_verifier_builder **ret_builder, struct tenuo_error *reterr)
{
    struct tenuo_verifier_builder *b = tn_crypto_init() ? calloc(1, sizeof *b) : NULL;
    if (b == NULL)
        return tn_fail_code(reterr, TENUO_E_NOMEM);
    b->policy = (struct tn_policy){ .clock_tolerance = TN_CLOCK_TOLERANCE,
                                    .max_approval_lifetime = TN_APPROVAL_LIFETIME_MAX,
                                    .pop_windows = TN_POP_WINDOWS_DEFAULT,
                                    .max_chain = TN_MAX_CHAIN,
                                    .link_cache = TN_LINK_CACHE_DEFAULT,
                                    .max_lifetime = UINT64_MAX };
    *ret_builder = b;
    return TENUO_OK;
}

static void policy_clear(struct tn_policy *p)
{
    free(p->roots);
    free(p->clearance);
    tenuo_matchers_unref(p->matchers);
}

void tenuo_verifier_builder_free(struct tenuo_verifier_builder *builder)
{
    if (builder == NULL)
        return;
    policy_clear(&builder->policy);
    tenuo_revocation_unref(builder->revocation);
    free(builder);
}

int tenuo_verifier_builder_add_root(struct tenuo_verifier_builder *builder, const uint8_t key[32],
                                    struct tenuo_error *reterr)
{
    return tenuo_verifier_builder_add_root_valid(builder, key, 0, UINT64_MAX, reterr);
}

int tenuo_verifier_builder_add_root_valid(struct tenuo_verifier_builder *builder, const uint8_t key[32],
                                          uint64_t not_before, uint64_t not_after, struct tenuo_error *reterr)
{
    struct tn_policy *p = &builder->policy;
    struct tn_root *grown;
    if (tenuo_public_key_check(key) != TENUO_OK)
        return tn_fail(reterr, TENUO_E_SIGNATURE_INVALID, "a root is not a usable Ed25519 key");
    if (p->nroots == TN_MAX_ROOTS)
        return tn_fail(reterr, TENUO_E_INVALID_ARGUMENT, "more than %d roots", TN_MAX_ROOTS);
    grown = realloc(p->roots, (p->nroots + 1) * sizeof *grown);
    if (grown == NULL)
        return tn_fail_code(reterr, TENUO_E_NOMEM);
    p->roots = grown;
    memcpy(p->roots[p->nroots].key, key, 32);
    p->roots[p->nroots].not_before = not_before;
    p->roots[p->nroots++].not_after = not_after;
    return TENUO_OK;
}

int tenuo_verifier_builder_require_clearance(struct tenuo_verifier_builder *builder, const char *pattern, size_t len,
                                             uint8_t level, struct tenuo_error *reterr)
{
    struct tn_policy *p = &builder->policy;
    struct tn_clearance_pattern *grown, rule = { .len = len, .level = level };
    const char *star = len == 0 ? NULL : memchr(pattern, '*', len);
    if (len == 0 || (star != NULL && star != pattern + len - 1))
        return tn_fail(reterr, TENUO_E_PAYLOAD_STRUCTURE, "a clearance pattern is a tool name, 'prefix*' or '*'");
    if (len > TN_MAX_TOOL_NAME + 1 || p->nclearance == TN_MAX_CLEARANCE_RULES)
        return tn_fail(reterr, TENUO_E_PAYLOAD_STRUCTURE, "a clearance pattern is too long, or there are too many");
    grown = realloc(p->clearance, (p->nclearance + 1) * sizeof *grown);
    if (grown == NULL)
        return tn_fail_code(reterr, TENUO_E_NOMEM);
    p->clearance = grown;
    memcpy(rule.text, pattern, len);
    rule.prefix = star != NULL;
    rule.len -= rule.prefix;
    p->clearance[p->nclearance++] = rule;
    return TENUO_OK;
}

void tenuo_verifier_builder_set_clock_tolerance(struct tenuo_verifier_builder *builder, uint32_t secs)
{
    builder->policy.clock_tolerance = secs;
}
void tenuo_verifier_builder_set_pop_windows(struct tenuo_verifier_builder *builder, uint32_t n)
{
    builder->policy.pop_windows = n;
}
void tenuo_verifier_builder_set_max_lifetime(struct tenuo_verifier_builder *builder, uint64_t secs)
{
    builder->policy.max_lifetime = secs;
}
void tenuo_verifier_builder_set_strict_session(struct tenuo_verifier_builder *builder, int on)
{
    builder->policy.strict_session = on != 0;
}

void tenuo_verifier_builder_set_self_approval(struct tenuo_verifier_builder *builder, int on)
{
    builder->policy.self_approval = on != 0;
}
void tenuo_verifier_builder_set_max_approval_lifetime(struct tenuo_verifier_builder *builder, uint64_t secs)
{
    builder->policy.max_approval_lifetime = secs;
}
void tenuo_verifier_builder_set_strict_gates(struct tenuo_verifier_builder *builder, int on)
{
    builder->policy.strict_gates = on != 0;
}

void tenuo_verifier_builder_set_max_chain(struct tenuo_verifier_builder *builder, uint32_t n)
{
    builder->policy.max_chain = n < TN_MAX_CHAIN ? n : TN_MAX_CHAIN;
}

void tenuo_verifier_builder_set_link_cache(struct tenuo_verifier_builder *builder, uint32_t entries)
{
    builder->policy.link_cache = entries < TN_LINK_CACHE_MAX ? entries : TN_LINK_CACHE_MAX;
}

void tenuo_verifier_builder_set_matchers(struct tenuo_verifier_builder *builder, struct tenuo_matchers *matchers)
{
    struct tenuo_matchers *old = builder->policy.matchers;
    builder->policy.matchers = matchers != NULL ? tenuo_matchers_ref(matchers) : NULL;
    tenuo_matchers_unref(old);
}

/* The last of two equal patterns wins, the exact name over any prefix, the longest prefix over a shorter one. */
int tn_required_clearance(const struct tn_policy *policy, struct tn_str tool)
{
    int level = -1;
    size_t best = 0;
    for (size_t i = 0; i < policy->nclearance; i++) {
        const struct tn_clearance_pattern *c = &policy->clearance[i];
        struct tn_str text = { (const uint8_t *)c->text, c->len };
        size_t score = c->prefix ? c->len + 1 : SIZE_MAX;
        bool hit = c->prefix ? tn_str_starts(tool, text) : tn_str_eq(tool, text);
        if (hit && score >= best) {
            best = score;
            level = c->level;
        }
    }
    return level;
}

static void *copy_array(const void *p, size_t bytes)
{
    void *copy = malloc(bytes + 1);
    if (copy != NULL && bytes != 0)
        memcpy(copy, p, bytes);
    return copy;
}

int tenuo_verifier_builder_build(const struct tenuo_verifier_builder *builder, struct tenuo_verifier **ret_verifier,
                                 struct tenuo_error *reterr)
{
    const struct tn_policy *p = &builder->policy;
    struct tenuo_verifier *v;
    if (p->nroots == 0)
        return tn_fail(reterr, TENUO_E_PAYLOAD_STRUCTURE, "a verifier needs at least one trusted root");
    v = calloc(1, sizeof *v);
    if (v == NULL)
        return tn_fail_code(reterr, TENUO_E_NOMEM);
    atomic_init(&v->refs, 1);
    v->policy = *p;
    if (p->matchers != NULL)
        tenuo_matchers_ref(p->matchers);
    v->policy.roots = copy_array(p->roots, p->nroots * sizeof *p->roots);
    v->policy.clearance = copy_array(p->clearance, p->nclearance * sizeof *p->clearance);
    if (p->link_cache != 0)
        v->cache = tn_link_cache_new(p->link_cache);
    if (v->policy.roots == NULL || v->policy.clearance == NULL || (p->link_cache != 0 && v->cache == NULL)) {
        tenuo_verifier_unref(v);
        return tn_fail_code(reterr, TENUO_E_NOMEM);
    }
    v->revocation = builder->revocation == NULL ? NULL : tenuo_revocation_ref(builder->revocation);
    *ret_verifier = v;
    return TENUO_OK;
}

struct tenuo_verifier *tenuo_verifier_ref(struct tenuo_verifier *verifier)
{
    atomic_fetch_add_explicit(&verifier->refs, 1, memory_order_relaxed);
    return verifier;
}

void tenuo_verifier_unref(struct tenuo_verifier *verifier)
{
    if (verifier == NULL || atomic_fetch_sub_explicit(&verifier->refs, 1, memory_order_acq_rel) != 1)
        return;
    tenuo_revocation_unref(verifier->revocation);
    if (verifier->base != NULL) {
        tenuo_verifier_unref(verifier->base); /* never deeper than one */
    } else {
        tn_link_cache_free(verifier->cache);
        policy_clear(&verifier->policy);
    }
    free(verifier);
}

void tenuo_verifier_builder_set_revocation(struct tenuo_verifier_builder *builder, struct tenuo_revocation *revocation)
{
    struct tenuo_revocation *old = builder->revocation;
    builder->revocation = revocation == NULL ? NULL : tenuo_revocation_ref(revocation);
    tenuo_revocation_unref(old);
}

int tenuo_verifier_with_revocation(struct tenuo_verifier *verifier, struct tenuo_revocation *revocation,
                                   struct tenuo_verifier **ret_verifier, struct tenuo_error *reterr)
{
    struct tenuo_verifier *v = calloc(1, sizeof *v);
    if (v == NULL)
        return tn_fail_code(reterr, TENUO_E_NOMEM);
    atomic_init(&v->refs, 1);
    v->policy = verifier->policy;
    v->cache = verifier->cache;
    v->base = tenuo_verifier_ref(verifier->base != NULL ? verifier->base : verifier);
    v->revocation = revocation == NULL ? NULL : tenuo_revocation_ref(revocation);
    *ret_verifier = v;
    return TENUO_OK;
}
