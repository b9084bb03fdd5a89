/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Building warrants: what the caller sets, and the way from there to a signed chain. What comes out was decoded by our
 * own decoder and checked as a link, so nothing can be minted that a verifier would refuse (spec warrant.md 6).
 */
#include "mint.h"

#include <stdlib.h>

#include "crypto.h"
#include "err.h"
#include "limits.h"
#include "signer.h"
#include "verifier.h"

static int new_mint(enum tn_mint_kind kind, const struct tenuo_stack *parent, struct tenuo_mint **ret,
                    struct tenuo_error *err)
{
    struct tenuo_mint *m = tn_crypto_init() ? calloc(1, sizeof *m) : NULL;
    int r = TENUO_OK;
    if (m == NULL)
        return tn_fail_code(err, TENUO_E_NOMEM);
    tn_arena_init(&m->arena, 1024);
    m->kind = kind;
    m->type = m->clearance = -1;
    m->max_issue_depth = m->min_approvals = -1;
    if (parent != NULL)
        r = tn_stack_decode_own(tn_stack_bytes(parent), parent->is_array ? TN_STACK_ARRAY : TN_STACK_SINGLE,
                                &m->parent_stack, err);
    if (r != TENUO_OK) {
        tenuo_mint_free(m);
        return r;
    }
    m->parent = m->parent_stack == NULL ? NULL : &m->parent_stack->w[m->parent_stack->n - 1];
    *ret = m;
    return TENUO_OK;
}

int tenuo_mint_root(struct tenuo_mint **ret_mint, struct tenuo_error *reterr)
{
    return new_mint(TN_MINT_ROOT, NULL, ret_mint, reterr);
}

int tenuo_mint_attenuate(const struct tenuo_stack *parent, struct tenuo_mint **ret_mint, struct tenuo_error *reterr)
{
    return new_mint(TN_MINT_ATTENUATE, parent, ret_mint, reterr);
}

int tenuo_mint_issue(const struct tenuo_stack *parent, struct tenuo_mint **ret_mint, struct tenuo_error *reterr)
{
    return new_mint(TN_MINT_ISSUE, parent, ret_mint, reterr);
}

void tenuo_mint_free(struct tenuo_mint *mint)
{
    if (mint == NULL)
        return;
    tn_buf_free(&mint->payload);
    tn_arena_free(&mint->arena);
    tenuo_stack_free(mint->parent_stack);
    free(mint->tools);
    free(mint->issuable);
    free(mint->extensions);
    free(mint->approvers);
    tenuo_matchers_unref(mint->matchers);
    free(mint);
}

/* The verifier's own rules on the bytes that are about to be signed: structure, and the link under the parent. */
static int judge_payload(struct tenuo_mint *m, struct tenuo_error *err)
{
    struct tenuo_warrant w = { .payload = tn_buf_view(&m->payload) };
    struct tn_match_env env = TN_MATCH_ENV(m->matchers, 0);
    struct tn_reader r;
    int code;
    if (m->payload.n > TN_MAX_WARRANT_BYTES - 80) /* envelope: heads and signature */
        return tn_fail(err, TENUO_E_TOO_LARGE, "the warrant would be larger than %d bytes", TN_MAX_WARRANT_BYTES);
    tn_reader_init(&r, w.payload, err);
    code = tn_payload_read(&r, &m->arena, &w) ? tn_warrant_check_structure(&w, err) : r.code;
    env.as_of = (int64_t)w.issued_at;
    return code == TENUO_OK && m->parent != NULL ? tn_link_verify(m->parent, &w, &env, err) : code;
}

static int freeze(struct tenuo_mint *m, const uint8_t issuer[32], uint64_t now, struct tenuo_error *err)
{
    int r;
    if (m->payload.n != 0)
        return tn_fail(err, TENUO_E_INVALID_ARGUMENT, "this builder has made its payload already: make a new one");
    if (!m->has_id)
        tn_uuid7(m->id, now);
    r = tn_mint_settle(m, issuer, now, err);
    if (r == TENUO_OK)
        r = tn_mint_write(m, err);
    if (r == TENUO_OK)
        r = judge_payload(m, err);
    m->frozen = r == TENUO_OK;
    return r;
}

static void put_envelope(struct tn_buf *b, const struct tenuo_mint *m, const uint8_t signature[64])
{
    tn_put_array(b, 3);
    tn_put_uint(b, 1);
    tn_put_bytes(b, tn_buf_view(&m->payload));
    tn_put_array(b, 2);
    tn_put_uint(b, 1);
    tn_put_bytes(b, (struct tn_str){ signature, 64 });
}

static void put_chain(struct tn_buf *b, const struct tenuo_mint *m, const uint8_t signature[64])
{
    size_t n = m->parent_stack == NULL ? 0 : m->parent_stack->n;
    if (n != 0)
        tn_put_array(b, n + 1);
    for (size_t i = 0; i < n; i++)
        tn_buf_str(b, m->parent_stack->w[i].envelope);
    put_envelope(b, m, signature);
}

/*
 * Our own output goes through our own decoder; whatever that refuses never leaves. The signature is not verified once
 * more: a local one was just made by libsodium, a remote or split one has been verified by who took it.
 */
static int release(struct tenuo_mint *m, const uint8_t signature[64], struct tenuo_stack **ret, struct tenuo_error *err)
{
    struct tn_buf b = { 0 };
    struct tenuo_stack *s = NULL;
    int r = TENUO_OK;
    put_chain(&b, m, signature);
    if (b.failed)
        r = tn_fail_code(err, TENUO_E_NOMEM);
    else
        r = tn_stack_decode_own(tn_buf_view(&b), m->parent == NULL ? TN_STACK_SINGLE : TN_STACK_ARRAY, &s, err);
    tn_buf_free(&b);
    if (r == TENUO_OK)
        *ret = s;
    return r;
}

int tenuo_mint_sign(struct tenuo_mint *mint, const struct tenuo_signer *signer, uint64_t now,
                    struct tenuo_stack **ret_stack, struct tenuo_error *reterr)
{
    struct tn_buf message = { 0 };
    uint8_t signature[64];
    int r = freeze(mint, tenuo_signer_public_key(signer), now, reterr);
    if (r != TENUO_OK)
        return r;
    tn_buf_put(&message, "\x01", 1);
    tn_buf_str(&message, tn_buf_view(&mint->payload));
    r = message.failed ? tn_fail_code(reterr, TENUO_E_NOMEM)
                       : tn_signer_sign_own(signer, message.p, message.n, signature, reterr);
    tn_buf_free(&message);
    return r != TENUO_OK ? r : release(mint, signature, ret_stack, reterr);
}

int tenuo_mint_prepare(struct tenuo_mint *mint, const uint8_t issuer[32], uint64_t now, uint8_t **ret_message,
                       size_t *ret_len, struct tenuo_error *reterr)
{
    struct tn_buf message = { 0 };
    int r = freeze(mint, issuer, now, reterr);
    if (r != TENUO_OK)
        return r;
    tn_buf_str(&message, tn_lit(TN_DOMAIN_WARRANT "\x01"));
    tn_buf_str(&message, tn_buf_view(&mint->payload));
    if (message.failed) {
        tn_buf_free(&message);
        return tn_fail_code(reterr, TENUO_E_NOMEM);
    }
    *ret_message = message.p;
    *ret_len = message.n;
    return TENUO_OK;
}

int tenuo_mint_finish(struct tenuo_mint *mint, const uint8_t signature[64], struct tenuo_stack **ret_stack,
                      struct tenuo_error *reterr)
{
    int r;
    if (!mint->frozen)
        return tn_fail(reterr, TENUO_E_INVALID_ARGUMENT, "finish comes after prepare");
    r = tn_verify_payload(mint->issuer, signature, tn_buf_view(&mint->payload));
    if (r == TENUO_E_NOMEM)
        return tn_fail_code(reterr, r);
    if (r != TENUO_OK)
        return tn_fail(reterr, TENUO_E_SIGNATURE_INVALID, "the signature does not verify under the issuer's key");
    return release(mint, signature, ret_stack, reterr);
}
