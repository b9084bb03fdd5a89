/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The snapshot that a verifier consults (spec governance.md 10.4). Fails closed: what is configured and not there, or
 * no longer fresh, refuses; and a list, however old, that names a warrant is believed.
 */
#include "revocation.h"

#include <stdlib.h>

#include "err.h"

int tenuo_revocation_new(const struct tenuo_revocation_source *sources, size_t count,
                         struct tenuo_revocation **ret_revocation, struct tenuo_error *reterr)
{
    struct tenuo_revocation *r;
    if (count > TENUO_REVOCATION_MAX_SOURCES || (sources == NULL && count != 0))
        return tn_fail(reterr, TENUO_E_INVALID_ARGUMENT, "a snapshot has at most %u sources of revocation",
                       TENUO_REVOCATION_MAX_SOURCES);
    r = calloc(1, sizeof *r + count * sizeof r->sources[0]);
    if (r == NULL)
        return tn_fail_code(reterr, TENUO_E_NOMEM);
    atomic_init(&r->refs, 1);
    r->n = count;
    for (size_t i = 0; i < count; i++) {
        const char *name = sources[i].name != NULL ? sources[i].name : "";
        const char *why = sources[i].why != NULL ? sources[i].why : "";
        tn_quote(r->sources[i].name, sizeof r->sources[i].name, name, strlen(name));
        tn_quote(r->sources[i].why, sizeof r->sources[i].why, why, strlen(why));
        r->sources[i].fresh_until = sources[i].fresh_until;
        r->sources[i].list = sources[i].list == NULL ? NULL : tenuo_srl_ref(sources[i].list);
    }
    *ret_revocation = r;
    return TENUO_OK;
}

struct tenuo_revocation *tenuo_revocation_ref(struct tenuo_revocation *revocation)
{
    atomic_fetch_add_explicit(&revocation->refs, 1, memory_order_relaxed);
    return revocation;
}

void tenuo_revocation_unref(struct tenuo_revocation *revocation)
{
    if (revocation == NULL || atomic_fetch_sub_explicit(&revocation->refs, 1, memory_order_acq_rel) != 1)
        return;
    for (size_t i = 0; i < revocation->n; i++)
        tenuo_srl_unref(revocation->sources[i].list);
    free(revocation);
}

bool tn_revocation_names(const struct tenuo_srl *list, const uint8_t id[16])
{
    return tenuo_srl_contains(list->newest != NULL ? list->newest : list, id) != 0;
}

static int revoked(const struct tn_revocation_source *from, const uint8_t id[16], struct tenuo_error *err)
{
    bool named = from->name[0] != '\0';
    if (!tn_revocation_names(from->list, id))
        return tn_fail(err, TENUO_E_REVOKED,
                       "the warrant was on an earlier revocation list than version %llu%s%s, and stays revoked here "
                       "(revocation_union)",
                       (unsigned long long)from->list->version, named ? " of " : "", from->name);
    return tn_fail(err, TENUO_E_REVOKED, "the warrant is on revocation list version %llu%s%s",
                   (unsigned long long)from->list->version, named ? " of " : "", from->name);
}

static int unavailable(const struct tn_revocation_source *from, const char *what, struct tenuo_error *err)
{
    bool named = from->name[0] != '\0';
    return tn_fail(err, TENUO_E_UNAVAILABLE, "%s%s%s: %s", what, named ? " for " : "", from->name,
                   from->why[0] != '\0' ? from->why : "publish a current one where it is read from");
}

int tn_revocation_check(const struct tenuo_revocation *r, const struct tenuo_stack *s, int64_t as_of, int *ret_link,
                        struct tenuo_error *err)
{
    for (size_t i = 0; i < s->n; i++)
        for (size_t k = 0; k < r->n; k++)
            if (r->sources[k].list != NULL && tenuo_srl_contains(r->sources[k].list, s->w[i].id)) {
                *ret_link = (int)i;
                return revoked(&r->sources[k], s->w[i].id, err);
            }
    for (size_t k = 0; k < r->n; k++) {
        if (r->sources[k].list == NULL)
            return unavailable(&r->sources[k], "no revocation list is available", err);
        if (as_of > r->sources[k].fresh_until)
            return unavailable(&r->sources[k], "the revocation list is too old to decide by", err);
    }
    if (r->n == 0)
        return tn_fail(err, TENUO_E_UNAVAILABLE, "revocation is configured, and no source of it answers");
    return TENUO_OK;
}
