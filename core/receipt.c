/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Building receipts: fields to payload, payload to envelope. What comes out was read by our own reader, so nothing can
 * be signed that a verifier would refuse.
 */
#include "receipt.h"

#include <stdlib.h>

#include "cbor_read.h"
#include "cbor_write.h"
#include "crypto.h"
#include "err.h"
#include "limits.h"
#include "signer.h"

#define ENVELOPE_ROOM 256 /* heads, names, key and signature around the payload */

/* A missing field is left out; a later one that our caller's header does not know is missing. */
static struct tenuo_receipt_fields known_fields(const struct tenuo_receipt_fields *given)
{
    struct tenuo_receipt_fields f = { 0 };
    memcpy(&f, given, given->size < sizeof f ? given->size : sizeof f);
    return f;
}

static void put_text(struct tn_buf *b, uint64_t key, const char *text, size_t len)
{
    if (text == NULL)
        return;
    tn_put_uint(b, key);
    tn_put_text(b, (struct tn_str){ (const uint8_t *)text, len });
}

static void put_bytes(struct tn_buf *b, uint64_t key, const uint8_t *p, size_t n)
{
    if (p == NULL)
        return;
    tn_put_uint(b, key);
    tn_put_bytes(b, (struct tn_str){ p, n });
}

static size_t count_fields(const struct tenuo_receipt_fields *f)
{
    return 6u + (f->authorizer_id != NULL) + (f->root_principal != NULL) + (f->request_hash != NULL) +
           (f->pop_signature != NULL) + (f->decision_code != NULL) + (f->policy_hash != NULL) +
           (f->has_srl_version != 0) + (f->srl_hash != NULL) + (f->prev_receipt_hash != NULL) +
           (f->trusted_roots_hash != NULL);
}

static void put_action(struct tn_buf *b, const struct tenuo_receipt_fields *f)
{
    uint8_t action[TN_MAX_TOOL_NAME + 8] = "tool:";
    memcpy(action + 5, f->tool, f->tool_len);
    put_text(b, 3, (const char *)action, f->tool_len + 5);
}

static void put_payload(struct tn_buf *b, const struct tenuo_receipt_fields *f)
{
    static const uint8_t empty_stack[] = { 0x80 };
    tn_put_map(b, count_fields(f));
    tn_put_uint(b, 0);
    tn_put_uint(b, 1);
    put_text(b, 1, f->authorizer_id, f->authorizer_id_len);
    if (f->warrant_chain != NULL)
        put_bytes(b, 2, f->warrant_chain, f->warrant_chain_len);
    else
        put_bytes(b, 2, empty_stack, sizeof empty_stack);
    put_action(b, f);
    put_text(b, 4, f->allow ? "allow" : "deny", f->allow ? 5 : 4);
    tn_put_uint(b, 5);
    tn_put_int(b, f->timestamp);
    put_text(b, 6, f->root_principal, f->root_principal_len);
    put_bytes(b, 7, f->request_hash, 32);
    put_bytes(b, 8, f->pop_signature, 64);
    put_text(b, 9, f->request_id, f->request_id_len);
    put_text(b, 10, f->decision_code, f->decision_code_len);
    put_bytes(b, 11, f->policy_hash, 32);
    if (f->has_srl_version) {
        tn_put_uint(b, 12);
        tn_put_uint(b, f->srl_version);
    }
    put_bytes(b, 13, f->srl_hash, 32);
    put_bytes(b, 14, f->prev_receipt_hash, 32);
    put_bytes(b, 15, f->trusted_roots_hash, 32);
}

static bool text_valid(const char *text, size_t len)
{
    return text == NULL ||
           (len <= TENUO_RECEIPT_MAX_BYTES && tn_utf8_valid((struct tn_str){ (const uint8_t *)text, len }));
}

static int check_fields(const struct tenuo_receipt_fields *f, struct tenuo_error *err)
{
    if (f->tool == NULL || f->tool_len > TN_MAX_TOOL_NAME || f->request_id == NULL)
        return tn_fail(err, TENUO_E_INVALID_ARGUMENT, "a receipt needs a request id and a tool of at most %d bytes",
                       TN_MAX_TOOL_NAME);
    if (!text_valid(f->tool, f->tool_len) || !text_valid(f->authorizer_id, f->authorizer_id_len) ||
        !text_valid(f->root_principal, f->root_principal_len) || !text_valid(f->request_id, f->request_id_len) ||
        !text_valid(f->decision_code, f->decision_code_len))
        return tn_fail(err, TENUO_E_INVALID_ARGUMENT, "a text of the receipt is not UTF-8, or too long");
    if (f->warrant_chain != NULL && f->warrant_chain_len > TN_MAX_STACK_BYTES)
        return tn_fail(err, TENUO_E_INVALID_ARGUMENT, "the warrants are larger than %d bytes", TN_MAX_STACK_BYTES);
    return TENUO_OK;
}

/* Appends the payload to b. What no reader would take is the caller's mistake, whatever the reader calls it. */
static int make_payload(struct tn_buf *b, const struct tenuo_receipt_fields *given, struct tenuo_error *err)
{
    struct tenuo_receipt_fields f = known_fields(given), ignored;
    struct tenuo_error why = { 0 };
    size_t before = b->n;
    int r = check_fields(&f, err);
    if (r != TENUO_OK)
        return r;
    put_payload(b, &f);
    if (b->failed)
        return tn_fail_code(err, TENUO_E_NOMEM);
    if (b->n - before > TENUO_RECEIPT_MAX_BYTES - ENVELOPE_ROOM)
        return tn_fail(err, TENUO_E_INVALID_ARGUMENT, "the receipt would be larger than %d bytes",
                       TENUO_RECEIPT_MAX_BYTES);
    r = tn_receipt_payload_read((struct tn_str){ b->p + before, b->n - before }, &ignored, &why);
    return r == TENUO_OK ? r : tn_fail(err, TENUO_E_INVALID_ARGUMENT, "%s", why.msg);
}

static void put_tagged(struct tn_buf *b, const char *name, const uint8_t *p, size_t n)
{
    tn_put_text(b, tn_lit(name));
    tn_put_array(b, 2);
    tn_put_uint(b, 1);
    tn_put_bytes(b, (struct tn_str){ p, n });
}

static int make_envelope(struct tn_str payload, const uint8_t key[32], const uint8_t signature[64], uint8_t **ret_bytes,
                         size_t *ret_len, struct tenuo_error *err)
{
    struct tn_buf b = { 0 };
    tn_put_map(&b, 4);
    tn_put_text(&b, tn_lit("receipt_version"));
    tn_put_uint(&b, 1);
    tn_put_text(&b, tn_lit("payload"));
    tn_put_bytes(&b, payload);
    put_tagged(&b, "signer_key", key, 32);
    put_tagged(&b, "signature", signature, 64);
    if (b.failed) {
        tn_buf_free(&b);
        return tn_fail_code(err, TENUO_E_NOMEM);
    }
    *ret_bytes = b.p;
    *ret_len = b.n;
    return TENUO_OK;
}

int tenuo_receipt_sign(const struct tenuo_receipt_fields *fields, const struct tenuo_signer *signer,
                       uint8_t **ret_bytes, size_t *ret_len, struct tenuo_error *reterr)
{
    static const char domain[] = TN_DOMAIN_RECEIPT "\x01";
    struct tn_buf b = { 0 };
    uint8_t signature[64];
    int r;
    tn_buf_put(&b, domain, sizeof domain - 1);
    r = make_payload(&b, fields, reterr);
    if (r == TENUO_OK)
        r = tn_signer_sign_own(signer, b.p, b.n, signature, reterr);
    if (r == TENUO_OK)
        r = make_envelope((struct tn_str){ b.p + sizeof domain - 1, b.n - (sizeof domain - 1) },
                          tenuo_signer_public_key(signer), signature, ret_bytes, ret_len, reterr);
    tn_buf_free(&b);
    return r;
}

int tenuo_receipt_prepare(const struct tenuo_receipt_fields *fields, uint8_t **ret_message, size_t *ret_len,
                          struct tenuo_error *reterr)
{
    struct tn_buf b = { 0 };
    int r;
    tn_buf_str(&b, tn_lit(TN_RECEIPT_MESSAGE));
    r = make_payload(&b, fields, reterr);
    if (r != TENUO_OK) {
        tn_buf_free(&b);
        return r;
    }
    *ret_message = b.p;
    *ret_len = b.n;
    return TENUO_OK;
}

int tenuo_receipt_finish(const uint8_t *message, size_t len, const uint8_t key[32], const uint8_t signature[64],
                         uint8_t **ret_bytes, size_t *ret_len, struct tenuo_error *reterr)
{
    struct tenuo_receipt_fields ignored;
    struct tenuo_error why = { 0 };
    struct tn_str whole = { message, len }, payload, prefix = tn_lit(TN_RECEIPT_MESSAGE);
    if (message == NULL || !tn_str_starts(whole, prefix) || len - prefix.n > TENUO_RECEIPT_MAX_BYTES - ENVELOPE_ROOM)
        return tn_fail(reterr, TENUO_E_INVALID_ARGUMENT, "this is no message of tenuo_receipt_prepare");
    payload = (struct tn_str){ message + prefix.n, len - prefix.n };
    if (tn_receipt_payload_read(payload, &ignored, &why) != TENUO_OK)
        return tn_fail(reterr, TENUO_E_INVALID_ARGUMENT, "%s", why.msg);
    if (tenuo_public_key_check(key) != TENUO_OK || !tn_verify_whole(key, signature, whole))
        return tn_fail(reterr, TENUO_E_SIGNATURE_INVALID, "the signature does not verify under the signer's key");
    return make_envelope(payload, key, signature, ret_bytes, ret_len, reterr);
}

int tn_receipt_verify_signature(const uint8_t key[32], const uint8_t signature[64], struct tn_str payload)
{
    struct tn_buf b = { 0 };
    bool good;
    if (tenuo_public_key_check(key) != TENUO_OK)
        return TENUO_E_SIGNATURE_INVALID;
    tn_buf_str(&b, tn_lit(TN_RECEIPT_MESSAGE));
    tn_buf_str(&b, payload);
    if (b.failed) {
        tn_buf_free(&b);
        return TENUO_E_NOMEM;
    }
    good = tn_verify_whole(key, signature, tn_buf_view(&b));
    tn_buf_free(&b);
    return good ? TENUO_OK : TENUO_E_SIGNATURE_INVALID;
}
