/* SPDX-License-Identifier: Apache-2.0 */
/* A settled builder to the one canonical payload (spec warrant.md 1.8): ascending keys, absent fields skipped, texts
 * sorted by bytes. */
#include <stdlib.h>

#include "err.h"
#include "mint.h"

static void put_key(struct tn_buf *b, const uint8_t key[32])
{
    tn_put_array(b, 2);
    tn_put_uint(b, 1);
    tn_put_bytes(b, (struct tn_str){ key, 32 });
}

static void put_tools(struct tn_buf *b, const struct tenuo_mint *m)
{
    tn_put_map(b, m->ntools);
    for (size_t i = 0; i < m->ntools; i++) {
        tn_put_text(b, m->tools[i].name);
        tn_constraint_set_write(b, &m->tools[i].set);
    }
}

static int extension_cmp(const void *a, const void *b)
{
    const struct tn_extension *x = a, *y = b;
    return tn_str_cmp(x->key, y->key);
}

/* Session and agent id travel among the extensions and are sorted with them. */
static int put_extensions(struct tn_buf *b, const struct tenuo_mint *m)
{
    size_t n = m->nextensions;
    struct tn_extension *all = calloc(n + 2, sizeof *all);
    if (all == NULL)
        return TENUO_E_NOMEM;
    if (n != 0)
        memcpy(all, m->extensions, n * sizeof *all);
    if (m->agent.p != NULL)
        all[n++] = (struct tn_extension){ tn_lit("tenuo.agent_id"), m->agent };
    if (m->session.p != NULL)
        all[n++] = (struct tn_extension){ tn_lit("tenuo.session_id"), m->session };
    qsort(all, n, sizeof *all, extension_cmp);
    tn_put_map(b, n);
    for (size_t i = 0; i < n; i++) {
        tn_put_text(b, all[i].key);
        tn_put_int_array(b, all[i].value);
    }
    free(all);
    return TENUO_OK;
}

static bool has_extensions(const struct tenuo_mint *m)
{
    return m->nextensions != 0 || m->agent.p != NULL || m->session.p != NULL;
}

static void put_optional_int(struct tn_buf *b, uint64_t key, int64_t v)
{
    if (v < 0)
        return;
    tn_put_uint(b, key);
    tn_put_uint(b, (uint64_t)v);
}

static void put_issuable(struct tn_buf *b, const struct tenuo_mint *m)
{
    tn_put_uint(b, 11);
    tn_put_array(b, m->nissuable);
    for (size_t i = 0; i < m->nissuable; i++)
        tn_put_text(b, m->issuable[i]);
}

static void put_approvers(struct tn_buf *b, const struct tenuo_mint *m)
{
    tn_put_uint(b, 15);
    tn_put_array(b, m->napprovers);
    for (size_t i = 0; i < m->napprovers; i++)
        put_key(b, m->approvers[i]);
}

static size_t count_fields(const struct tenuo_mint *m, bool bounds)
{
    return 10u + (m->parent != NULL) + has_extensions(m) + (m->type == TENUO_ISSUER) + (m->max_issue_depth >= 0) +
           bounds + (m->napprovers != 0) + (m->min_approvals >= 0) + (m->clearance >= 0);
}

static void put_required(struct tn_buf *b, const struct tenuo_mint *m)
{
    tn_put_uint(b, 0);
    tn_put_uint(b, 1);
    tn_put_uint(b, 1);
    tn_put_bytes(b, (struct tn_str){ m->id, 16 });
    tn_put_uint(b, 2);
    tn_put_uint(b, (uint64_t)m->type);
    tn_put_uint(b, 3);
    put_tools(b, m);
    tn_put_uint(b, 4);
    put_key(b, m->holder);
    tn_put_uint(b, 5);
    put_key(b, m->issuer);
    tn_put_uint(b, 6);
    tn_put_uint(b, m->issued_at);
    tn_put_uint(b, 7);
    tn_put_uint(b, m->expires_at);
    tn_put_uint(b, 8);
    tn_put_uint(b, m->max_depth);
}

int tn_mint_write(struct tenuo_mint *m, struct tenuo_error *err)
{
    struct tn_buf *b = &m->payload;
    uint8_t hash[32];
    bool bounds = m->bounds != NULL && m->bounds->n != 0;
    int r = TENUO_OK;
    tn_put_map(b, count_fields(m, bounds));
    put_required(b, m);
    if (m->parent != NULL) {
        tenuo_warrant_payload_hash(m->parent, hash);
        tn_put_uint(b, 9);
        tn_put_int_array(b, (struct tn_str){ hash, sizeof hash });
    }
    if (has_extensions(m)) {
        tn_put_uint(b, 10);
        r = put_extensions(b, m);
    }
    if (m->type == TENUO_ISSUER)
        put_issuable(b, m);
    put_optional_int(b, 13, m->max_issue_depth);
    if (bounds) {
        tn_put_uint(b, 14);
        tn_constraint_set_write(b, m->bounds);
    }
    if (m->napprovers != 0)
        put_approvers(b, m);
    put_optional_int(b, 16, m->min_approvals);
    put_optional_int(b, 17, m->clearance);
    tn_put_uint(b, 18);
    tn_put_uint(b, m->depth);
    return r != TENUO_OK || b->failed ? tn_fail_code(err, TENUO_E_NOMEM) : TENUO_OK;
}
