/* SPDX-License-Identifier: Apache-2.0 */
/* Making a signed approval in the one form that the protocol emits (spec governance.md 3). What comes out was decoded
 * by our own decoder. Nothing is remembered but what was set. */
#include <sodium.h>
#include <stdlib.h>

#include "approval.h"
#include "crypto.h"
#include "err.h"
#include "limits.h"
#include "signer.h"

struct tenuo_approve {
    struct tn_arena arena;
    uint8_t hash[32], nonce[TENUO_APPROVAL_NONCE_BYTES], key[32];
    bool has_nonce, frozen;
    uint64_t lifetime;
    struct tn_str external_id;
    struct tn_extension extensions[TN_MAX_EXTENSIONS];
    size_t nextensions;
    struct tn_buf payload; /* once frozen */
};

int tenuo_approve_new(const uint8_t request_hash[32], struct tenuo_approve **ret_approve, struct tenuo_error *reterr)
{
    struct tenuo_approve *a = tn_crypto_init() ? calloc(1, sizeof *a) : NULL;
    if (a == NULL)
        return tn_fail_code(reterr, TENUO_E_NOMEM);
    tn_arena_init(&a->arena, 256);
    memcpy(a->hash, request_hash, sizeof a->hash);
    a->lifetime = TENUO_APPROVAL_LIFETIME_SECS;
    *ret_approve = a;
    return TENUO_OK;
}

void tenuo_approve_free(struct tenuo_approve *approve)
{
    if (approve == NULL)
        return;
    tn_buf_free(&approve->payload);
    tn_arena_free(&approve->arena);
    free(approve);
}

void tenuo_approve_set_nonce(struct tenuo_approve *approve, const uint8_t nonce[TENUO_APPROVAL_NONCE_BYTES])
{
    memcpy(approve->nonce, nonce, sizeof approve->nonce);
    approve->has_nonce = true;
}

void tenuo_approve_set_lifetime(struct tenuo_approve *approve, uint64_t secs) { approve->lifetime = secs; }

static int copy(struct tenuo_approve *a, struct tn_str s, struct tn_str *ret, struct tenuo_error *err)
{
    uint8_t *p = tn_arena_alloc(&a->arena, s.n);
    if (p == NULL)
        return tn_fail_code(err, TENUO_E_NOMEM);
    if (s.n != 0)
        memcpy(p, s.p, s.n);
    *ret = (struct tn_str){ p, s.n };
    return TENUO_OK;
}

int tenuo_approve_set_external_id(struct tenuo_approve *approve, const char *text, size_t len,
                                  struct tenuo_error *reterr)
{
    const struct tn_str s = { (const uint8_t *)text, len };
    if (len > TN_MAX_EXTERNAL_ID || !tn_utf8_valid(s))
        return tn_fail(reterr, TENUO_E_INVALID_ARGUMENT, "an external id has at most %d bytes of UTF-8",
                       TN_MAX_EXTERNAL_ID);
    return copy(approve, s, &approve->external_id, reterr);
}

int tenuo_approve_add_extension(struct tenuo_approve *approve, const char *key, size_t key_len, const uint8_t *value,
                                size_t value_len, struct tenuo_error *reterr)
{
    struct tn_extension e = { { (const uint8_t *)key, key_len }, { value, value_len } };
    int r;
    if (key_len > TN_MAX_EXTENSION_KEY || value_len > TN_MAX_EXTENSION_VALUE || !tn_utf8_valid(e.key))
        return tn_fail(reterr, TENUO_E_INVALID_ARGUMENT,
                       "an extension has a key of at most %d bytes of UTF-8 and a value of at most %d bytes",
                       TN_MAX_EXTENSION_KEY, TN_MAX_EXTENSION_VALUE);
    if (approve->nextensions == TN_MAX_EXTENSIONS)
        return tn_fail(reterr, TENUO_E_INVALID_ARGUMENT, "more than %d extensions", TN_MAX_EXTENSIONS);
    for (size_t i = 0; i < approve->nextensions; i++)
        if (tn_str_eq(approve->extensions[i].key, e.key))
            return tn_fail(reterr, TENUO_E_INVALID_ARGUMENT, "an extension key is repeated");
    r = copy(approve, e.key, &e.key, reterr);
    if (r == TENUO_OK)
        r = copy(approve, e.value, &e.value, reterr);
    if (r == TENUO_OK)
        approve->extensions[approve->nextensions++] = e;
    return r;
}

static int extension_cmp(const void *a, const void *b)
{
    const struct tn_extension *x = a, *y = b;
    return tn_str_cmp(x->key, y->key);
}

static void put_member(struct tn_buf *b, const char *name) { tn_put_text(b, tn_lit(name)); }

static void put_extensions(struct tn_buf *b, struct tenuo_approve *a)
{
    qsort(a->extensions, a->nextensions, sizeof a->extensions[0], extension_cmp);
    put_member(b, "extensions");
    tn_put_map(b, a->nextensions);
    for (size_t i = 0; i < a->nextensions; i++) {
        tn_put_text(b, a->extensions[i].key);
        tn_put_int_array(b, a->extensions[i].value);
    }
}

static void put_payload(struct tn_buf *b, struct tenuo_approve *a, uint64_t now)
{
    tn_put_map(b, a->nextensions == 0 ? 6 : 7);
    put_member(b, "version");
    tn_put_uint(b, 1);
    put_member(b, "request_hash");
    tn_put_int_array(b, (struct tn_str){ a->hash, sizeof a->hash });
    put_member(b, "nonce");
    tn_put_int_array(b, (struct tn_str){ a->nonce, sizeof a->nonce });
    put_member(b, "external_id");
    tn_put_text(b, a->external_id);
    put_member(b, "approved_at");
    tn_put_uint(b, now);
    put_member(b, "expires_at");
    tn_put_uint(b, now + a->lifetime);
    if (a->nextensions != 0)
        put_extensions(b, a);
}

static int freeze(struct tenuo_approve *a, const uint8_t key[32], uint64_t now, struct tenuo_error *err)
{
    if (a->payload.n != 0)
        return tn_fail(err, TENUO_E_INVALID_ARGUMENT, "this approval has been made already: make a new one");
    if (a->lifetime == 0 || a->lifetime > UINT64_MAX - now)
        return tn_fail(err, TENUO_E_INVALID_ARGUMENT, "the lifetime of an approval is at least one second");
    if (tenuo_public_key_check(key) != TENUO_OK)
        return tn_fail(err, TENUO_E_SIGNATURE_INVALID, "the approver is not a usable Ed25519 key");
    memcpy(a->key, key, sizeof a->key);
    if (!a->has_nonce)
        randombytes_buf(a->nonce, sizeof a->nonce);
    put_payload(&a->payload, a, now);
    if (a->payload.failed)
        return tn_fail_code(err, TENUO_E_NOMEM);
    a->frozen = true;
    return TENUO_OK;
}

static void put_tagged(struct tn_buf *b, const uint8_t *p, size_t n)
{
    tn_put_array(b, 2);
    tn_put_uint(b, 1);
    tn_put_bytes(b, (struct tn_str){ p, n });
}

/* Decoded and verified by our own parser: what it refuses never leaves. */
static int release(const struct tenuo_approve *a, const uint8_t signature[64], struct tenuo_approval **ret,
                   struct tenuo_error *err)
{
    struct tn_buf b = { 0 };
    int r;
    tn_put_map(&b, 4);
    put_member(&b, "approval_version");
    tn_put_uint(&b, 1);
    put_member(&b, "payload");
    tn_put_bytes(&b, tn_buf_view(&a->payload));
    put_member(&b, "approver_key");
    put_tagged(&b, a->key, sizeof a->key);
    put_member(&b, "signature");
    put_tagged(&b, signature, 64);
    r = b.failed ? tn_fail_code(err, TENUO_E_NOMEM) : tenuo_approval_parse(b.p, b.n, ret, err);
    tn_buf_free(&b);
    return r;
}

int tenuo_approve_sign(struct tenuo_approve *approve, const struct tenuo_signer *signer, uint64_t now,
                       struct tenuo_approval **ret_approval, struct tenuo_error *reterr)
{
    struct tn_buf message = { 0 };
    uint8_t signature[64];
    int r = freeze(approve, tenuo_signer_public_key(signer), now, reterr);
    if (r != TENUO_OK)
        return r;
    tn_approval_message(&message, tn_buf_view(&approve->payload));
    r = message.failed ? tn_fail_code(reterr, TENUO_E_NOMEM)
                       : tn_signer_sign_own(signer, message.p, message.n, signature, reterr);
    tn_buf_free(&message);
    return r != TENUO_OK ? r : release(approve, signature, ret_approval, reterr);
}

int tenuo_approve_prepare(struct tenuo_approve *approve, const uint8_t approver[32], uint64_t now,
                          uint8_t **ret_message, size_t *ret_len, struct tenuo_error *reterr)
{
    struct tn_buf message = { 0 };
    int r = freeze(approve, approver, now, reterr);
    if (r != TENUO_OK)
        return r;
    tn_buf_str(&message, tn_lit(TN_DOMAIN_WARRANT));
    tn_approval_message(&message, tn_buf_view(&approve->payload));
    if (message.failed) {
        tn_buf_free(&message);
        return tn_fail_code(reterr, TENUO_E_NOMEM);
    }
    *ret_message = message.p;
    *ret_len = message.n;
    return TENUO_OK;
}

int tenuo_approve_finish(struct tenuo_approve *approve, const uint8_t signature[64],
                         struct tenuo_approval **ret_approval, struct tenuo_error *reterr)
{
    if (!approve->frozen)
        return tn_fail(reterr, TENUO_E_INVALID_ARGUMENT, "finish comes after prepare");
    return release(approve, signature, ret_approval, reterr);
}
