/* SPDX-License-Identifier: Apache-2.0 */
/* Which list may follow which (spec governance.md 10.2, 10.3), and what changes between two. Pure: the caller keeps
 * what is remembered. */
#include <stdlib.h>

#include "err.h"
#include "srl.h"

int tenuo_srl_diff(const struct tenuo_srl *older, const struct tenuo_srl *newer,
                   int (*each)(void *arg, int added, const char *id, size_t len), void *arg, size_t *ret_added,
                   size_t *ret_dropped)
{
    struct tn_srl_walk a = { .srl = older }, b = { .srl = newer };
    struct tn_str x, y;
    size_t added = 0, dropped = 0;
    bool more_a = tn_srl_step_over(&a, &x), more_b = tn_srl_step_over(&b, &y);
    int r = 0;
    while (r == 0 && (more_a || more_b)) {
        int c = !more_a ? 1 : !more_b ? -1 : tn_str_cmp(x, y);
        if (c > 0) {
            added++;
            r = each == NULL ? 0 : each(arg, 1, (const char *)y.p, y.n);
        } else if (c < 0) {
            dropped++;
            r = each == NULL ? 0 : each(arg, 0, (const char *)x.p, x.n);
        }
        if (c <= 0)
            more_a = tn_srl_step_over(&a, &x);
        if (c >= 0)
            more_b = tn_srl_step_over(&b, &y);
    }
    if (ret_added != NULL)
        *ret_added = added;
    if (ret_dropped != NULL)
        *ret_dropped = dropped;
    return r;
}

static int any_difference(void *arg, int added, const char *id, size_t len)
{
    (void)arg, (void)added, (void)id, (void)len;
    return 1;
}

static int rollback(uint64_t version, uint64_t than, struct tenuo_error *err)
{
    return tn_fail(err, TENUO_E_SRL_ROLLBACK, "revocation list version %llu is older than version %llu seen before",
                   (unsigned long long)version, (unsigned long long)than);
}

static int changed(uint64_t version, struct tenuo_error *err)
{
    return tn_fail(err, TENUO_E_SRL_CHANGED, "revocation list version %llu has other content than the one seen before",
                   (unsigned long long)version);
}

int tenuo_srl_compare(const struct tenuo_srl *installed, const struct tenuo_srl *candidate, struct tenuo_error *reterr)
{
    if (candidate->version < installed->version)
        return rollback(candidate->version, installed->version, reterr);
    if (candidate->version == installed->version &&
        tenuo_srl_diff(installed, candidate, any_difference, NULL, NULL, NULL) != 0)
        return changed(candidate->version, reterr);
    return TENUO_OK;
}

/* Each text once, and none that `but` (may be NULL) has: what grows with every union must not keep repetitions. */
static void copy_odd(struct tenuo_srl *to, const struct tenuo_srl *from, const struct tenuo_srl *but, uint8_t **text)
{
    size_t k = 0;
    for (size_t i = 0; i < from->nodd; i++) {
        struct tn_str odd = from->odd[i];
        while (but != NULL && k < but->nodd && tn_str_cmp(but->odd[k], odd) < 0)
            k++;
        if ((i != 0 && tn_str_eq(odd, from->odd[i - 1])) ||
            (but != NULL && k < but->nodd && tn_str_eq(but->odd[k], odd)))
            continue;
        if (odd.n != 0)
            memcpy(*text, odd.p, odd.n);
        to->odd[to->nodd++] = (struct tn_str){ *text, odd.n };
        *text += odd.n;
    }
}

static size_t odd_bytes(const struct tenuo_srl *s)
{
    size_t n = 0;
    for (size_t i = 0; i < s->nodd; i++)
        n += s->odd[i].n;
    return n;
}

/* Two sorted runs into one, each id once: a list that grows with every union must not keep repetitions. */
static void merge_ids(struct tenuo_srl *to, const struct tenuo_srl *a, const struct tenuo_srl *b)
{
    size_t i = 0, j = 0;
    while (i < a->nids || j < b->nids) {
        bool first = j == b->nids || (i < a->nids && memcmp(a->ids[i], b->ids[j], 16) <= 0);
        const uint8_t *id = first ? a->ids[i++] : b->ids[j++];
        if (to->nids == 0 || memcmp(to->ids[to->nids - 1], id, 16) != 0)
            memcpy(to->ids[to->nids++], id, 16);
    }
}

int tenuo_srl_union(const struct tenuo_srl *newer, const struct tenuo_srl *older, struct tenuo_srl **ret_srl,
                    struct tenuo_error *reterr)
{
    struct tenuo_srl *s = tn_srl_new(newer->nids + older->nids, newer->nodd + older->nodd);
    uint8_t *text;
    if (s != NULL)
        s->text = malloc(odd_bytes(newer) + odd_bytes(older) + 1);
    if (s == NULL || s->text == NULL) {
        tenuo_srl_unref(s);
        return tn_fail_code(reterr, TENUO_E_NOMEM);
    }
    text = s->text;
    s->version = newer->version;
    s->issued_at = newer->issued_at;
    memcpy(s->issuer, newer->issuer, sizeof s->issuer);
    memcpy(s->sha256, newer->sha256, sizeof s->sha256);
    merge_ids(s, newer, older);
    copy_odd(s, newer, NULL, &text);
    copy_odd(s, older, newer, &text);
    tn_srl_settle(s);
    s->newest = tenuo_srl_ref(newer->newest != NULL ? newer->newest : (struct tenuo_srl *)(uintptr_t)newer);
    *ret_srl = s;
    return TENUO_OK;
}

static bool trusted(const struct tenuo_srl_rules *rules, const uint8_t issuer[32])
{
    for (size_t i = 0; i < rules->issuer_count; i++)
        if (memcmp(rules->issuers + 32 * i, issuer, 32) == 0)
            return true;
    return false;
}

static int64_t add_sat(int64_t a, uint64_t b)
{
    uint64_t room = (uint64_t)INT64_MAX - (uint64_t)a; /* exact for negative a too */
    return b > room ? INT64_MAX : (int64_t)((uint64_t)a + b);
}

/* One of the two ages: not ahead of the clock, not past its bound. */
static int check_age(const char *what, int64_t when, uint64_t bound, uint32_t tolerance, int64_t as_of,
                     int64_t *fresh_until, struct tenuo_error *err)
{
    if (when > add_sat(as_of, tolerance))
        return tn_fail(err, TENUO_E_SRL_INVALID, "the revocation list was %s in the future: check the clocks", what);
    if (bound == 0)
        return TENUO_OK;
    if (as_of > add_sat(when, bound))
        return tn_fail(err, TENUO_E_UNAVAILABLE, "the revocation list was %s more than %llu s ago", what,
                       (unsigned long long)bound);
    if (add_sat(when, bound) < *fresh_until)
        *fresh_until = add_sat(when, bound);
    return TENUO_OK;
}

int tn_srl_check_floor(const struct tenuo_srl_floor *next, const struct tenuo_srl_floor *floor, struct tenuo_error *err)
{
    if (memcmp(floor->issuer, next->issuer, 32) != 0)
        return tn_fail(err, TENUO_E_INVALID_ARGUMENT, "the version floor is of another issuer");
    if (next->version < floor->version)
        return rollback(next->version, floor->version, err);
    if (next->version == floor->version && memcmp(floor->content_hash, next->content_hash, 32) != 0)
        return changed(next->version, err);
    return TENUO_OK;
}

int tenuo_srl_accept(const struct tenuo_srl *srl, const struct tenuo_srl_rules *rules,
                     const struct tenuo_srl_floor *floor, int64_t fetched_at, int64_t as_of,
                     struct tenuo_srl_floor *ret_floor, int64_t *ret_fresh_until, struct tenuo_error *reterr)
{
    struct tenuo_srl_rules own = { 0 };
    struct tenuo_srl_floor next = { .version = srl->version };
    int64_t fresh_until = INT64_MAX;
    int r = TENUO_OK;
    memcpy(&own, rules, rules->size < sizeof own ? rules->size : sizeof own);
    if (!trusted(&own, srl->issuer))
        return tn_fail(reterr, TENUO_E_UNTRUSTED_ROOT,
                       "the revocation list is signed by a key that is not trusted for it");
    r = check_age("fetched", fetched_at, own.max_age, own.clock_tolerance, as_of, &fresh_until, reterr);
    if (r == TENUO_OK && own.max_issued_age != 0)
        r = check_age("issued", (int64_t)srl->issued_at, own.max_issued_age, own.clock_tolerance, as_of, &fresh_until,
                      reterr);
    if (r != TENUO_OK)
        return r;
    memcpy(next.issuer, srl->issuer, sizeof next.issuer);
    if (floor != NULL || ret_floor != NULL) /* a million ids take a fifth of a second */
        tenuo_srl_content_hash(srl, next.content_hash);
    if (floor != NULL)
        r = tn_srl_check_floor(&next, floor, reterr);
    if (r != TENUO_OK)
        return r;
    if (ret_floor != NULL)
        *ret_floor = next;
    if (ret_fresh_until != NULL)
        *ret_fresh_until = fresh_until;
    return TENUO_OK;
}
