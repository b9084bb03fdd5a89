/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a receipt claims, held against what the reader has: a chain against roots, hashes against their inputs, a run of
 * receipts against itself. Decides nothing about calls.
 */
#include "receipt.h"

#include <stdlib.h>

#include "cbor_read.h"
#include "crypto.h"
#include "err.h"
#include "request.h"
#include "verifier.h"

int tenuo_receipt_check_chain(const struct tenuo_receipt *receipt, struct tenuo_verifier *verifier,
                              struct tenuo_error *reterr)
{
    const struct tenuo_receipt_fields *f = &receipt->fields;
    struct tenuo_decision *d = NULL;
    int r = tenuo_verify(verifier, f->warrant_chain, f->warrant_chain_len, f->timestamp, &d, reterr);
    if (r == TENUO_OK && tenuo_decision_outcome(d) != TENUO_ALLOW)
        r = tn_fail(reterr, tenuo_decision_code(d), "%s", tenuo_decision_reason(d));
    tenuo_decision_free(d);
    return r;
}

/* Key 2 decoded; the signatures in it are for check_chain to judge. */
static int open_chain(const struct tenuo_receipt *receipt, struct tenuo_stack **ret, struct tenuo_error *err)
{
    const struct tenuo_receipt_fields *f = &receipt->fields;
    return tenuo_stack_parse(f->warrant_chain, f->warrant_chain_len, ret, err);
}

int tenuo_receipt_check_args(const struct tenuo_receipt *receipt, const struct tenuo_args *args,
                             struct tenuo_error *reterr)
{
    const struct tenuo_receipt_fields *f = &receipt->fields;
    char id[TENUO_WARRANT_ID_TEXT_BYTES];
    struct tenuo_stack *s = NULL;
    uint8_t hash[32];
    int r;
    if (f->request_hash == NULL)
        return tn_fail(reterr, TENUO_E_PAYLOAD_STRUCTURE, "the receipt names no request hash");
    r = open_chain(receipt, &s, reterr);
    if (r != TENUO_OK)
        return r;
    tenuo_warrant_id_text(s->w[s->n - 1].id, id);
    r = tenuo_request_hash(id, f->tool, f->tool_len, args, s->w[s->n - 1].holder, hash, reterr);
    if (r == TENUO_OK && memcmp(hash, f->request_hash, 32) != 0)
        r = tn_fail(reterr, TENUO_E_PAYLOAD_STRUCTURE, "the receipt is about a call with other arguments");
    tenuo_stack_free(s);
    return r;
}

int tenuo_receipt_check_pop(const struct tenuo_receipt *receipt, const struct tenuo_args *args, int64_t when,
                            uint32_t windows, struct tenuo_error *reterr)
{
    const struct tenuo_receipt_fields *f = &receipt->fields;
    struct tenuo_stack *s = NULL;
    int r;
    if (f->pop_signature == NULL)
        return tn_fail(reterr, TENUO_E_PAYLOAD_STRUCTURE, "the receipt carries no proof of possession");
    r = open_chain(receipt, &s, reterr);
    if (r != TENUO_OK)
        return r;
    r = tenuo_pop_verify(&s->w[s->n - 1], f->tool, f->tool_len, args, f->pop_signature, when, windows, reterr);
    tenuo_stack_free(s);
    return r;
}

int tenuo_receipt_check_roots(const struct tenuo_receipt *receipt, const struct tenuo_verifier *verifier,
                              struct tenuo_error *reterr)
{
    uint8_t hash[32];
    int r;
    if (receipt->fields.trusted_roots_hash == NULL)
        return tn_fail(reterr, TENUO_E_PAYLOAD_STRUCTURE, "the receipt does not say which roots were trusted");
    r = tenuo_verifier_roots_hash(verifier, hash, reterr);
    if (r == TENUO_OK && memcmp(hash, receipt->fields.trusted_roots_hash, 32) != 0)
        r = tn_fail(reterr, TENUO_E_PAYLOAD_STRUCTURE, "the decision was made under other trusted roots");
    return r;
}

int tenuo_receipt_check_list(const struct tenuo_receipt *receipt, uint64_t version, const uint8_t *list, size_t len,
                             struct tenuo_error *reterr)
{
    const struct tenuo_receipt_fields *f = &receipt->fields;
    uint8_t hash[32];
    if (f->srl_hash == NULL)
        return tn_fail(reterr, TENUO_E_PAYLOAD_STRUCTURE, "the decision was made without a revocation list");
    tn_sha256(hash, (struct tn_str){ list, len });
    if (memcmp(hash, f->srl_hash, 32) != 0 || (f->has_srl_version && f->srl_version != version))
        return tn_fail(reterr, TENUO_E_PAYLOAD_STRUCTURE, "the decision was made under another revocation list");
    return TENUO_OK;
}

/* ---- hashes ---- */

static int by_bytes(const void *a, const void *b)
{
    return memcmp(a, b, 32);
}

int tenuo_verifier_roots_hash(const struct tenuo_verifier *verifier, uint8_t ret_hash[32], struct tenuo_error *reterr)
{
    const struct tn_policy *p = &verifier->policy;
    uint8_t *keys = malloc(p->nroots * 32 + 1);
    size_t n = 0;
    if (keys == NULL)
        return tn_fail_code(reterr, TENUO_E_NOMEM);
    for (size_t i = 0; i < p->nroots; i++)
        memcpy(keys + i * 32, p->roots[i].key, 32);
    qsort(keys, p->nroots, 32, by_bytes);
    for (size_t i = 0; i < p->nroots; i++)
        if (n == 0 || memcmp(keys + (n - 1) * 32, keys + i * 32, 32) != 0)
            memmove(keys + n++ * 32, keys + i * 32, 32);
    tn_sha256(ret_hash, (struct tn_str){ keys, n * 32 });
    free(keys);
    return TENUO_OK;
}

void tenuo_policy_hash(const struct tenuo_value *policy, uint8_t ret_hash[32])
{
    struct tn_str cbor = { 0 };
    cbor.p = tenuo_value_cbor(policy, &cbor.n);
    tn_sha256(ret_hash, cbor);
}

/* ---- a run of receipts ---- */

struct tenuo_receipt_chain {
    uint64_t count;
    bool pinned, has_before; /* `before` is set: demanded until the first came, then what the first says */
    uint8_t signer[32], before[32], head[32];
};

int tenuo_receipt_chain_new(const uint8_t *signer, const uint8_t *before, struct tenuo_receipt_chain **ret_chain,
                            struct tenuo_error *reterr)
{
    struct tenuo_receipt_chain *c = calloc(1, sizeof *c);
    if (c == NULL)
        return tn_fail_code(reterr, TENUO_E_NOMEM);
    c->pinned = signer != NULL;
    c->has_before = before != NULL;
    if (signer != NULL)
        memcpy(c->signer, signer, 32);
    if (before != NULL)
        memcpy(c->before, before, 32);
    *ret_chain = c;
    return TENUO_OK;
}

void tenuo_receipt_chain_free(struct tenuo_receipt_chain *chain)
{
    free(chain);
}

/* The digest that the next receipt must name, or NULL when it may name any or none. */
static const uint8_t *expected(const struct tenuo_receipt_chain *c)
{
    if (c->count != 0)
        return c->head;
    return c->has_before ? c->before : NULL;
}

int tenuo_receipt_chain_add(struct tenuo_receipt_chain *chain, const struct tenuo_receipt *receipt,
                            struct tenuo_error *reterr)
{
    const uint8_t *prev = receipt->fields.prev_receipt_hash, *want = expected(chain);
    if (chain->pinned && memcmp(chain->signer, receipt->signer, 32) != 0)
        return tn_fail(reterr, TENUO_E_INVALID_ISSUER, "the receipt is signed by another key");
    if (want != NULL && prev == NULL)
        return tn_fail(reterr, TENUO_E_CHAIN_BROKEN, "the receipt begins a new run: it names none before it");
    if (want != NULL && memcmp(want, prev, 32) != 0)
        return tn_fail(reterr, TENUO_E_CHAIN_BROKEN,
                       "the receipt does not follow the one before: something was removed, inserted or changed");
    if (chain->count == 0 && prev != NULL)
        memcpy(chain->before, prev, 32);
    if (chain->count == 0)
        chain->has_before = prev != NULL;
    memcpy(chain->signer, receipt->signer, 32);
    chain->pinned = true;
    tenuo_receipt_digest(receipt, chain->head);
    chain->count++;
    return TENUO_OK;
}

uint64_t tenuo_receipt_chain_count(const struct tenuo_receipt_chain *chain)
{
    return chain->count;
}

const uint8_t *tenuo_receipt_chain_head(const struct tenuo_receipt_chain *chain)
{
    return chain->count != 0 ? chain->head : NULL;
}

const uint8_t *tenuo_receipt_chain_signer(const struct tenuo_receipt_chain *chain)
{
    return chain->pinned ? chain->signer : NULL;
}

const uint8_t *tenuo_receipt_chain_before(const struct tenuo_receipt_chain *chain)
{
    return chain->has_before ? chain->before : NULL;
}
