/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Bytes to a receipt, in the one accepted form: keys ascending, nothing repeated, unknown, null or left over. What the
 * fields mean together (allow needs a proof, deny a code) is checked here too, so that nobody can forget it.
 */
#include "receipt.h"

#include <stdlib.h>

#include "cbor_read.h"
#include "crypto.h"
#include "err.h"

enum { KEY_VERSION, KEY_AUTHORIZER, KEY_CHAIN, KEY_ACTION, KEY_OUTCOME, KEY_TIME, KEY_PRINCIPAL, KEY_REQUEST_HASH,
       KEY_POP, KEY_REQUEST_ID, KEY_CODE, KEY_POLICY, KEY_SRL_VERSION, KEY_SRL_HASH, KEY_PREV, KEY_ROOTS, KEY_COUNT };

/* Always there, bit by key. */
#define NEEDED \
    (1u << KEY_VERSION | 1u << KEY_CHAIN | 1u << KEY_ACTION | 1u << KEY_OUTCOME | 1u << KEY_TIME | 1u << KEY_REQUEST_ID)

static bool read_fixed(struct tn_reader *r, const char *what, size_t n, const uint8_t **ret)
{
    struct tn_item item;
    if (!tn_read_kind(r, TN_BYTES, what, &item))
        return false;
    if (item.str.n != n)
        return tn_reader_fail(r, TENUO_E_MALFORMED_CBOR, "%s has %zu bytes, not %zu", what, item.str.n, n);
    *ret = item.str.p;
    return true;
}

static bool read_text(struct tn_reader *r, const char *what, const char **ret, size_t *ret_len)
{
    struct tn_str s;
    if (!tn_read_text(r, what, &s))
        return false;
    *ret = (const char *)s.p;
    *ret_len = s.n;
    return true;
}

/* The version comes first in envelope and payload. */
static bool read_version(struct tn_reader *r, const char *what)
{
    uint64_t version;
    if (!tn_read_uint(r, what, UINT64_MAX, &version))
        return false;
    return version == 1 || tn_reader_fail(r, TENUO_E_PAYLOAD_VERSION, "%s is not 1", what);
}

static bool read_chain(struct tn_reader *r, struct tenuo_receipt_fields *f)
{
    struct tn_item item;
    if (!tn_read_kind(r, TN_BYTES, "the warrant chain", &item))
        return false;
    f->warrant_chain = item.str.p;
    f->warrant_chain_len = item.str.n;
    return true;
}

static bool read_action(struct tn_reader *r, struct tenuo_receipt_fields *f)
{
    static const char prefix[] = "tool:";
    if (!read_text(r, "the action", &f->action, &f->action_len))
        return false;
    f->tool = f->action; /* the reference release writes the bare name */
    f->tool_len = f->action_len;
    if (f->action_len >= sizeof prefix - 1 && memcmp(f->action, prefix, sizeof prefix - 1) == 0) {
        f->tool = f->action + sizeof prefix - 1;
        f->tool_len = f->action_len - (sizeof prefix - 1);
    }
    return true;
}

static bool read_outcome(struct tn_reader *r, struct tenuo_receipt_fields *f)
{
    struct tn_str s;
    if (!tn_read_text(r, "the outcome", &s))
        return false;
    f->allow = tn_str_eq(s, tn_lit("allow"));
    return f->allow || tn_str_eq(s, tn_lit("deny")) ||
           tn_reader_fail(r, TENUO_E_PAYLOAD_STRUCTURE, "the outcome is neither allow nor deny");
}

static bool read_time(struct tn_reader *r, struct tenuo_receipt_fields *f)
{
    struct tn_item item;
    if (!tn_read_item(r, &item))
        return false;
    if ((item.kind != TN_UINT && item.kind != TN_NINT) || item.num > INT64_MAX)
        return tn_reader_fail(r, TENUO_E_MALFORMED_CBOR, "the timestamp is no integer of 64 bits");
    f->timestamp = item.kind == TN_UINT ? (int64_t)item.num : -1 - (int64_t)item.num;
    return true;
}

static bool read_srl_version(struct tn_reader *r, struct tenuo_receipt_fields *f)
{
    f->has_srl_version = 1;
    return tn_read_uint(r, "the list version", UINT64_MAX, &f->srl_version);
}

static bool read_value(struct tn_reader *r, uint64_t key, struct tenuo_receipt_fields *f)
{
    switch (key) {
    case KEY_VERSION: return read_version(r, "the payload version");
    case KEY_AUTHORIZER: return read_text(r, "the authorizer id", &f->authorizer_id, &f->authorizer_id_len);
    case KEY_CHAIN: return read_chain(r, f);
    case KEY_ACTION: return read_action(r, f);
    case KEY_OUTCOME: return read_outcome(r, f);
    case KEY_TIME: return read_time(r, f);
    case KEY_PRINCIPAL: return read_text(r, "the root principal", &f->root_principal, &f->root_principal_len);
    case KEY_REQUEST_HASH: return read_fixed(r, "the request hash", 32, &f->request_hash);
    case KEY_POP: return read_fixed(r, "the proof of possession", 64, &f->pop_signature);
    case KEY_REQUEST_ID: return read_text(r, "the request id", &f->request_id, &f->request_id_len);
    case KEY_CODE: return read_text(r, "the decision code", &f->decision_code, &f->decision_code_len);
    case KEY_POLICY: return read_fixed(r, "the policy hash", 32, &f->policy_hash);
    case KEY_SRL_VERSION: return read_srl_version(r, f);
    case KEY_SRL_HASH: return read_fixed(r, "the list hash", 32, &f->srl_hash);
    case KEY_PREV: return read_fixed(r, "the link to the receipt before", 32, &f->prev_receipt_hash);
    case KEY_ROOTS: return read_fixed(r, "the hash of the roots", 32, &f->trusted_roots_hash);
    default: break;
    }
    return tn_reader_fail(r, TENUO_E_PAYLOAD_STRUCTURE, "unknown payload key");
}

static int check_together(const struct tenuo_receipt_fields *f, uint32_t seen, struct tenuo_error *err)
{
    for (unsigned key = 0; key < KEY_COUNT; key++)
        if ((NEEDED & 1u << key) != 0 && (seen & 1u << key) == 0)
            return tn_fail(err, TENUO_E_MISSING_FIELD, "a receipt lacks payload key %u", key);
    if (f->allow && f->pop_signature == NULL)
        return tn_fail(err, TENUO_E_MISSING_FIELD, "a receipt of an allow carries its proof of possession (key 8)");
    if (!f->allow && f->decision_code == NULL)
        return tn_fail(err, TENUO_E_MISSING_FIELD, "a receipt of a denial carries its code (key 10)");
    return TENUO_OK;
}

int tn_receipt_payload_read(struct tn_str payload, struct tenuo_receipt_fields *ret_fields, struct tenuo_error *err)
{
    struct tenuo_receipt_fields f = { .size = sizeof f };
    struct tn_reader r;
    uint32_t seen = 0;
    size_t n = 0;
    tn_reader_init(&r, payload, err);
    if (!tn_read_map(&r, "the payload", &n))
        return r.code;
    for (size_t i = 0; i < n; i++) {
        uint64_t key;
        if (!tn_read_uint(&r, "a payload key", KEY_COUNT - 1, &key))
            return r.code;
        if (seen >> key != 0) {
            tn_reader_fail(&r, TENUO_E_MALFORMED_CBOR, "payload keys do not ascend, or one comes twice");
            return r.code;
        }
        seen |= 1u << key;
        if (!read_value(&r, key, &f))
            return r.code;
    }
    if (!tn_read_end(&r, "the payload"))
        return r.code;
    int code = check_together(&f, seen, err);
    if (code == TENUO_OK)
        *ret_fields = f;
    return code;
}

static bool read_key(struct tn_reader *r, const char *want)
{
    struct tn_str s;
    if (!tn_read_text(r, "an envelope key", &s))
        return false;
    return tn_str_eq(s, tn_lit(want)) ||
           tn_reader_fail(r, TENUO_E_PAYLOAD_STRUCTURE, "the envelope key here must be %s", want);
}

/* [1, bytes]: a key or a signature with its algorithm. */
static bool read_tagged(struct tn_reader *r, const char *what, size_t size, const uint8_t **ret)
{
    uint64_t algorithm;
    size_t n = 0;
    if (!tn_read_array(r, what, &n))
        return false;
    if (n != 2)
        return tn_reader_fail(r, TENUO_E_MALFORMED_CBOR, "%s is not [1, bytes]", what);
    if (!tn_read_uint(r, what, UINT64_MAX, &algorithm))
        return false;
    if (algorithm != 1)
        return tn_reader_fail(r, TENUO_E_SIGNATURE_INVALID, "%s is not of Ed25519", what);
    return read_fixed(r, what, size, ret);
}

static bool read_envelope(struct tn_reader *r, struct tenuo_receipt *ret)
{
    struct tn_item payload;
    size_t n = 0;
    if (!tn_read_map(r, "a receipt", &n))
        return false;
    if (n != 4)
        return tn_reader_fail(r, TENUO_E_PAYLOAD_STRUCTURE, "a receipt has four members");
    if (!read_key(r, "receipt_version") || !read_version(r, "receipt_version") || !read_key(r, "payload") ||
        !tn_read_kind(r, TN_BYTES, "payload", &payload))
        return false;
    ret->payload = payload.str;
    return read_key(r, "signer_key") && read_tagged(r, "signer_key", 32, &ret->signer) && read_key(r, "signature") &&
           read_tagged(r, "signature", 64, &ret->signature) && tn_read_end(r, "the receipt");
}

static int read_all(struct tenuo_receipt *receipt, struct tenuo_error *err)
{
    struct tn_reader r;
    int code;
    tn_reader_init(&r, (struct tn_str){ receipt->bytes, receipt->len }, err);
    if (!read_envelope(&r, receipt))
        return r.code;
    code = tn_receipt_verify_signature(receipt->signer, receipt->signature, receipt->payload);
    if (code == TENUO_E_NOMEM)
        return tn_fail_code(err, code);
    if (code != TENUO_OK)
        return tn_fail(err, code, "the receipt's signature does not verify under the key that it names");
    return tn_receipt_payload_read(receipt->payload, &receipt->fields, err);
}

int tenuo_receipt_parse(const uint8_t *bytes, size_t len, struct tenuo_receipt **ret_receipt,
                        struct tenuo_error *reterr)
{
    struct tenuo_receipt *receipt;
    int r;
    if (bytes == NULL && len != 0)
        return tn_fail(reterr, TENUO_E_INVALID_ARGUMENT, "no bytes are given");
    if (len > TENUO_RECEIPT_MAX_BYTES)
        return tn_fail(reterr, TENUO_E_TOO_LARGE, "a receipt has at most %d bytes", TENUO_RECEIPT_MAX_BYTES);
    receipt = calloc(1, sizeof *receipt + len);
    if (receipt == NULL)
        return tn_fail_code(reterr, TENUO_E_NOMEM);
    receipt->len = len;
    if (len != 0)
        memcpy(receipt->bytes, bytes, len);
    r = read_all(receipt, reterr);
    if (r != TENUO_OK) {
        free(receipt);
        return r;
    }
    *ret_receipt = receipt;
    return TENUO_OK;
}

void tenuo_receipt_free(struct tenuo_receipt *receipt)
{
    free(receipt);
}

const struct tenuo_receipt_fields *tenuo_receipt_get_fields(const struct tenuo_receipt *receipt)
{
    return &receipt->fields;
}

const uint8_t *tenuo_receipt_signer(const struct tenuo_receipt *receipt)
{
    return receipt->signer;
}

void tenuo_receipt_digest(const struct tenuo_receipt *receipt, uint8_t ret_digest[32])
{
    tn_sha256(ret_digest, (struct tn_str){ receipt->bytes, receipt->len });
}
