/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Do the approvals of a call suffice? The tests of spec governance.md 4 in their order, each rejection under its class,
 * then stances 5 and 6 of section 14 for what the reference would count.
 */
#include <stdio.h>
#include <stdlib.h>

#include "approval.h"
#include "err.h"

struct count {
    const struct tenuo_warrant *leaf;
    const uint8_t *hash;
    const struct tn_policy *policy;
    uint64_t now;
    struct tn_tally *tally;
};

static const char *const class_names[] = {
    [TENUO_APPROVAL_INVALID] = "invalid",
    [TENUO_APPROVAL_NOT_AUTHORIZED] = "not authorized",
    [TENUO_APPROVAL_DUPLICATE] = "duplicate",
    [TENUO_APPROVAL_EXPIRED] = "expired",
    [TENUO_APPROVAL_NOT_YET_VALID] = "not yet valid",
    [TENUO_APPROVAL_HASH_MISMATCH] = "hash mismatch",
    [TENUO_APPROVAL_SELF] = "by the holder itself",
    [TENUO_APPROVAL_TOO_LONG] = "lives too long",
};

/* The sentence when the one approval that came is rejected. */
static const char *const class_texts[] = {
    [TENUO_APPROVAL_INVALID] = "the approval is invalid: version, signature or payload",
    [TENUO_APPROVAL_NOT_AUTHORIZED] = "the approval is by a key that is no approver of the warrant",
    [TENUO_APPROVAL_DUPLICATE] = "the approver has counted already",
    [TENUO_APPROVAL_EXPIRED] = "the approval has expired: ask for a new one",
    [TENUO_APPROVAL_NOT_YET_VALID] = "the approval is dated in the future: compare the clocks",
    [TENUO_APPROVAL_HASH_MISMATCH] = "the approval is for another call: other tool, arguments, warrant or holder",
    [TENUO_APPROVAL_SELF] = "the holder cannot approve its own call: ask another approver",
    [TENUO_APPROVAL_TOO_LONG] = "the approval lives longer than max_approval_lifetime: ask for a shorter one",
};

const char *tenuo_approval_class_name(enum tenuo_approval_class reason)
{
    return (unsigned)reason < TENUO_APPROVAL_CLASSES ? class_names[reason] : "unknown";
}

uint32_t tenuo_warrant_approval_threshold(const struct tenuo_warrant *warrant)
{
    if (warrant->min_approvals >= 0 && (uint64_t)warrant->min_approvals < warrant->ndistinct)
        return (uint32_t)warrant->min_approvals;
    return (uint32_t)warrant->ndistinct;
}

static bool is_approver(const struct tenuo_warrant *w, const uint8_t key[32])
{
    for (size_t i = 0; i < w->napprovers; i++)
        if (memcmp(w->approvers[i], key, 32) == 0)
            return true;
    return false;
}

static bool has_counted(const struct tn_tally *t, const uint8_t key[32])
{
    for (size_t i = 0; i < t->nkeys; i++)
        if (memcmp(t->keys[i], key, 32) == 0)
            return true;
    return false;
}

/* The first test that fails, or TENUO_APPROVAL_CLASSES. False when memory is out. */
static bool classify(const struct count *c, const struct tenuo_approval *a, enum tenuo_approval_class *ret)
{
    const struct tn_policy *p = c->policy;
    int r = tn_approval_check(a, NULL);
    if (r == TENUO_E_NOMEM)
        return false;
    if (r != TENUO_OK)
        *ret = TENUO_APPROVAL_INVALID;
    else if (!is_approver(c->leaf, a->key))
        *ret = TENUO_APPROVAL_NOT_AUTHORIZED;
    else if (has_counted(c->tally, a->key))
        *ret = TENUO_APPROVAL_DUPLICATE;
    else if (c->now >= a->expires_at)
        *ret = TENUO_APPROVAL_EXPIRED;
    else if (a->approved_at > c->now + p->clock_tolerance) /* c->now is below 2^63: no overflow */
        *ret = TENUO_APPROVAL_NOT_YET_VALID;
    else if (memcmp(a->hash, c->hash, 32) != 0)
        *ret = TENUO_APPROVAL_HASH_MISMATCH;
    else if (!p->self_approval && memcmp(a->key, c->leaf->holder, 32) == 0)
        *ret = TENUO_APPROVAL_SELF;
    else if (p->max_approval_lifetime != 0 && a->expires_at - a->approved_at > p->max_approval_lifetime)
        *ret = TENUO_APPROVAL_TOO_LONG;
    else
        *ret = TENUO_APPROVAL_CLASSES;
    return true;
}

/* Too few: which of the two codes, and how many were rejected for what. */
static int insufficient(const struct tn_tally *t, struct tenuo_error *err)
{
    char counts[160] = "";
    size_t n = 0;
    for (size_t i = 0; i < TENUO_APPROVAL_CLASSES; i++) {
        if (t->rejected[i] == 0)
            continue;
        if (t->required == 1 && t->presented == 1)
            return tn_fail(err, TENUO_E_APPROVAL_INVALID, "%s", class_texts[i]);
        if (n < sizeof counts)
            n += (size_t)snprintf(counts + n, sizeof counts - n, "%s%u %s", n == 0 ? " [rejected: " : ", ",
                                  t->rejected[i], class_names[i]);
    }
    return tn_fail(err, TENUO_E_INSUFFICIENT_APPROVALS, "%u approvals are required, %zu of %u count%s%s", t->required,
                   t->nkeys, t->presented, counts, n == 0 ? "" : "]");
}

int tn_approvals_count(const struct tenuo_warrant *leaf, const struct tenuo_request *q, const uint8_t hash[32],
                       const struct tn_policy *policy, int64_t as_of, struct tn_tally *ret, struct tenuo_error *err)
{
    const struct count c = { leaf, hash, policy, as_of < 0 ? 0 : (uint64_t)as_of, ret };
    ret->required = tenuo_warrant_approval_threshold(leaf);
    ret->presented = (uint32_t)q->napprovals;
    if (ret->required == 0)
        return TENUO_OK;
    if (q->napprovals > 2 * leaf->napprovers)
        return tn_fail(err, TENUO_E_APPROVAL_INVALID, "too many approvals: %zu for %zu approvers", q->napprovals,
                       leaf->napprovers);
    ret->keys = calloc(q->napprovals + 1, sizeof *ret->keys);
    if (ret->keys == NULL)
        return tn_fail_code(err, TENUO_E_NOMEM);
    for (size_t i = 0; i < q->napprovals && ret->nkeys < ret->required; i++) {
        enum tenuo_approval_class reason;
        if (!classify(&c, q->approvals[i], &reason))
            return tn_fail_code(err, TENUO_E_NOMEM);
        if (reason != TENUO_APPROVAL_CLASSES)
            ret->rejected[reason]++;
        else
            memcpy(ret->keys[ret->nkeys++], q->approvals[i]->key, 32);
    }
    return ret->nkeys >= ret->required ? TENUO_OK : insufficient(ret, err);
}
