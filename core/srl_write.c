/* SPDX-License-Identifier: Apache-2.0 */
/* Making a revocation list: ids are gathered, then sorted, made unique, signed and encoded. Never a list that we would
 * not read. */
#include <stdlib.h>

#include "crypto.h"
#include "err.h"
#include "limits.h"
#include "mem.h"
#include "rfc3339.h"
#include "srl.h"
#include "srl_wire.h"

struct tenuo_srl_builder {
    uint64_t version;
    uint8_t (*ids)[16];
    size_t nids, cap;
    struct tn_str *odd; /* each text is owned */
    size_t nodd;
};

int tenuo_srl_builder_new(uint64_t version, struct tenuo_srl_builder **ret_builder, struct tenuo_error *reterr)
{
    struct tenuo_srl_builder *b = tn_crypto_init() ? calloc(1, sizeof *b) : NULL;
    if (b == NULL)
        return tn_fail_code(reterr, TENUO_E_NOMEM);
    b->version = version;
    *ret_builder = b;
    return TENUO_OK;
}

void tenuo_srl_builder_free(struct tenuo_srl_builder *builder)
{
    if (builder == NULL)
        return;
    for (size_t i = 0; i < builder->nodd; i++)
        free((void *)(uintptr_t)builder->odd[i].p);
    free(builder->odd);
    free(builder->ids);
    free(builder);
}

int tenuo_srl_builder_add(struct tenuo_srl_builder *builder, const uint8_t id[16], struct tenuo_error *reterr)
{
    if (builder->nids == builder->cap) {
        size_t cap = builder->cap == 0 ? 64 : builder->cap * 2;
        uint8_t(*grown)[16];
        if (builder->nids >= 2 * (size_t)TENUO_SRL_MAX_IDS)
            return tn_fail(reterr, TENUO_E_SRL_INVALID, "a revocation list has at most %u ids", TENUO_SRL_MAX_IDS);
        grown = realloc(builder->ids, cap * sizeof *grown);
        if (grown == NULL)
            return tn_fail_code(reterr, TENUO_E_NOMEM);
        builder->ids = grown;
        builder->cap = cap;
    }
    memcpy(builder->ids[builder->nids++], id, 16);
    return TENUO_OK;
}

static int add_odd(struct tenuo_srl_builder *b, struct tn_str id, struct tenuo_error *err)
{
    struct tn_str *grown = realloc(b->odd, (b->nodd + 1) * sizeof *grown);
    uint8_t *copy;
    if (grown == NULL)
        return tn_fail_code(err, TENUO_E_NOMEM);
    b->odd = grown;
    copy = malloc(id.n + 1);
    if (copy == NULL)
        return tn_fail_code(err, TENUO_E_NOMEM);
    if (id.n != 0)
        memcpy(copy, id.p, id.n);
    b->odd[b->nodd++] = (struct tn_str){ copy, id.n };
    return TENUO_OK;
}

int tenuo_srl_builder_carry(struct tenuo_srl_builder *builder, const struct tenuo_srl *srl,
                            int (*keep)(void *arg, const char *id, size_t len), void *arg, size_t *ret_dropped,
                            struct tenuo_error *reterr)
{
    struct tn_srl_walk w = { .srl = srl };
    struct tn_str text;
    uint8_t id[16];
    size_t dropped = 0;
    int r = TENUO_OK;
    if (builder->version <= srl->version)
        return tn_fail(reterr, TENUO_E_SRL_ROLLBACK, "version %llu is not higher than the list's %llu",
                       (unsigned long long)builder->version, (unsigned long long)srl->version);
    while (r == TENUO_OK && tn_srl_step_over(&w, &text)) {
        if (keep != NULL && keep(arg, (const char *)text.p, text.n) == 0)
            dropped++;
        else if (tn_srl_id(text, id))
            r = tenuo_srl_builder_add(builder, id, reterr);
        else
            r = add_odd(builder, text, reterr);
    }
    if (r == TENUO_OK && ret_dropped != NULL)
        *ret_dropped = dropped;
    return r;
}

/* The builder's ids as a settled list of its own; odd texts stay the builder's. */
static struct tenuo_srl *gather(const struct tenuo_srl_builder *b)
{
    struct tenuo_srl *s = tn_srl_new(b->nids, b->nodd);
    if (s == NULL)
        return NULL;
    if (b->nids != 0)
        memcpy(s->ids, b->ids, b->nids * sizeof s->ids[0]);
    if (b->nodd != 0)
        memcpy(s->odd, b->odd, b->nodd * sizeof s->odd[0]);
    s->nids = b->nids;
    s->nodd = b->nodd;
    s->version = b->version;
    tn_srl_settle(s);
    return s;
}

static void put_payload(struct tn_buf *b, const struct tenuo_srl *s, const uint8_t issuer[32], uint64_t issued_at)
{
    struct tn_srl_walk w = { .srl = s };
    struct tn_str id;
    tn_put_map(b, 4);
    tn_put_text(b, tn_lit("revoked_ids"));
    tn_put_array(b, s->different);
    while (tn_srl_step_over(&w, &id))
        tn_put_text(b, id);
    tn_put_text(b, tn_lit("version"));
    tn_put_uint(b, s->version);
    tn_put_text(b, tn_lit("issued_at"));
    tn_wire_put_time(b, issued_at);
    tn_put_text(b, tn_lit("issuer"));
    tn_wire_put_algorithm(b, issuer, 32);
}

int tenuo_srl_builder_sign(const struct tenuo_srl_builder *builder, const struct tenuo_signer *signer,
                           int64_t issued_at, uint8_t **ret_bytes, size_t *ret_len, struct tenuo_error *reterr)
{
    struct tn_buf payload = { 0 }, list = { 0 };
    struct tenuo_srl *s = NULL;
    uint8_t signature[64];
    int r = TENUO_OK;
    if (signer == NULL || issued_at < 0 || (uint64_t)issued_at > TN_RFC3339_LAST)
        return tn_fail(reterr, TENUO_E_INVALID_ARGUMENT, "a revocation list needs a signer and a time in 1970 to 9999");
    s = gather(builder);
    if (s == NULL)
        return tn_fail_code(reterr, TENUO_E_NOMEM);
    if (s->different > TENUO_SRL_MAX_IDS) {
        r = tn_fail(reterr, TENUO_E_SRL_INVALID, "a revocation list has at most %u ids", TENUO_SRL_MAX_IDS);
        goto out;
    }
    put_payload(&payload, s, tenuo_signer_public_key(signer), (uint64_t)issued_at);
    if (!payload.failed)
        r = tn_wire_sign(signer, TN_DOMAIN_SRL, tn_buf_view(&payload), signature, reterr);
    if (r != TENUO_OK)
        goto out;
    tn_put_map(&list, 2);
    tn_put_text(&list, tn_lit("payload"));
    tn_buf_str(&list, tn_buf_view(&payload));
    tn_put_text(&list, tn_lit("signature"));
    tn_wire_put_algorithm(&list, signature, sizeof signature);
    if (payload.failed || list.failed)
        r = tn_fail_code(reterr, TENUO_E_NOMEM);
    else if (list.n > TENUO_SRL_MAX_BYTES)
        r = tn_fail(reterr, TENUO_E_SRL_INVALID, "the list would have more than %u bytes", TENUO_SRL_MAX_BYTES);
    if (r != TENUO_OK)
        goto out;
    *ret_bytes = list.p;
    *ret_len = list.n;
    list = (struct tn_buf){ 0 };
out:
    tn_buf_free(&payload);
    tn_buf_free(&list);
    tenuo_srl_unref(s);
    return r;
}
