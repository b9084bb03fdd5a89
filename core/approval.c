/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A signed approval from bytes (spec governance.md 3; stance 11 of section 14: nothing behind envelope or payload).
 * Decoding never trusts: who may approve, and when, is for approval_count.c.
 */
#include "approval.h"

#include <stdlib.h>

#include "crypto.h"
#include "err.h"
#include "limits.h"

/* One member of a map with text keys: its name and what reads it. */
struct member {
    const char *name;
    bool (*read)(struct tn_reader *r, struct tenuo_approval *a);
    bool optional;
};

static bool malformed(struct tn_reader *r, const char *what)
{
    return tn_reader_fail(r, TENUO_E_MALFORMED_CBOR, "approval: %s", what);
}

/* [1, bstr(len)]: algorithm Ed25519 and the raw bytes. */
static bool read_tagged(struct tn_reader *r, const char *what, size_t len, const uint8_t **ret)
{
    struct tn_item item = { 0 };
    uint64_t algorithm = 0;
    size_t n = 0;
    if (!tn_read_array(r, what, &n))
        return false;
    if (n != 2)
        return malformed(r, "a key or signature is not an array of algorithm and bytes");
    if (!tn_read_uint(r, "an algorithm", UINT64_MAX, &algorithm) || !tn_read_kind(r, TN_BYTES, what, &item))
        return false;
    if (algorithm != 1 || item.str.n != len)
        return malformed(r, "a key or signature is not Ed25519's");
    *ret = item.str.p;
    return true;
}

static bool read_fixed(struct tn_reader *r, const char *what, size_t len, struct tn_arena *arena, const uint8_t **ret)
{
    struct tn_str s = { 0 };
    if (!tn_read_bytes_or_ints(r, what, arena, &s))
        return false;
    if (s.n != len)
        return tn_reader_fail(r, TENUO_E_MALFORMED_CBOR, "approval: %s is not %zu bytes long", what, len);
    *ret = s.p;
    return true;
}

static bool read_envelope_version(struct tn_reader *r, struct tenuo_approval *a)
{
    return tn_read_uint(r, "approval_version", 255, &a->envelope_version);
}
static bool read_payload_bytes(struct tn_reader *r, struct tenuo_approval *a)
{
    return tn_read_bytes_or_ints(r, "payload", &a->arena, &a->payload);
}
static bool read_key(struct tn_reader *r, struct tenuo_approval *a)
{
    return read_tagged(r, "approver_key", 32, &a->key);
}
static bool read_signature(struct tn_reader *r, struct tenuo_approval *a)
{
    return read_tagged(r, "signature", 64, &a->signature);
}

static bool read_version(struct tn_reader *r, struct tenuo_approval *a)
{
    return tn_read_uint(r, "version", 255, &a->version);
}
static bool read_hash(struct tn_reader *r, struct tenuo_approval *a)
{
    return read_fixed(r, "request_hash", 32, &a->arena, &a->hash);
}
static bool read_nonce(struct tn_reader *r, struct tenuo_approval *a)
{
    return read_fixed(r, "nonce", TENUO_APPROVAL_NONCE_BYTES, &a->arena, &a->nonce);
}
static bool read_external_id(struct tn_reader *r, struct tenuo_approval *a)
{
    return tn_read_text(r, "external_id", &a->external_id);
}
static bool read_approved_at(struct tn_reader *r, struct tenuo_approval *a)
{
    return tn_read_uint(r, "approved_at", UINT64_MAX, &a->approved_at);
}
static bool read_expires_at(struct tn_reader *r, struct tenuo_approval *a)
{
    return tn_read_uint(r, "expires_at", UINT64_MAX, &a->expires_at);
}

static int key_cmp(const void *a, const void *b)
{
    const struct tn_str *x = a, *y = b;
    return tn_str_cmp(*x, *y);
}

static bool check_extension_keys(struct tn_reader *r, struct tenuo_approval *a)
{
    struct tn_str *keys = tn_arena_array(&a->arena, a->nextensions, sizeof *keys);
    if (keys == NULL)
        return tn_reader_fail(r, TENUO_E_NOMEM, "memory ran out");
    for (size_t i = 0; i < a->nextensions; i++)
        keys[i] = a->extensions[i].key;
    qsort(keys, a->nextensions, sizeof *keys, key_cmp);
    for (size_t i = 1; i < a->nextensions; i++)
        if (tn_str_eq(keys[i - 1], keys[i]))
            return malformed(r, "an extension key is repeated");
    return true;
}

static bool read_extensions(struct tn_reader *r, struct tenuo_approval *a)
{
    size_t n = 0;
    if (tn_read_null(r))
        return true;
    if (!tn_read_map(r, "extensions", &n))
        return false;
    a->extensions = tn_arena_array(&a->arena, n, sizeof *a->extensions);
    if (a->extensions == NULL)
        return tn_reader_fail(r, TENUO_E_NOMEM, "memory ran out");
    for (size_t i = 0; i < n; i++)
        if (!tn_read_text(r, "an extension key", &a->extensions[i].key) ||
            !tn_read_bytes_or_ints(r, "an extension value", &a->arena, &a->extensions[i].value))
            return false;
    a->nextensions = n;
    return check_extension_keys(r, a);
}

static const struct member envelope_members[] = {
    { "approval_version", read_envelope_version, false },
    { "payload", read_payload_bytes, false },
    { "approver_key", read_key, false },
    { "signature", read_signature, false },
};

static const struct member payload_members[] = {
    { "version", read_version, false },         { "request_hash", read_hash, false },
    { "nonce", read_nonce, false },             { "external_id", read_external_id, false },
    { "approved_at", read_approved_at, false }, { "expires_at", read_expires_at, false },
    { "extensions", read_extensions, true },
};

static const struct member *find_member(const struct member *members, size_t n, struct tn_str name)
{
    for (size_t i = 0; i < n; i++)
        if (tn_str_eq(name, tn_lit(members[i].name)))
            return &members[i];
    return NULL;
}

/* Members in any order, each once, no other, and nothing behind the map. */
static bool read_members(struct tn_reader *r, struct tenuo_approval *a, const struct member *members, size_t count)
{
    unsigned seen = 0;
    size_t n = 0;
    if (!tn_read_map(r, "an approval", &n))
        return false;
    for (size_t i = 0; i < n; i++) {
        struct tn_str name = { 0 };
        const struct member *m;
        if (!tn_read_text(r, "an approval's member", &name))
            return false;
        m = find_member(members, count, name);
        if (m == NULL || (seen & 1u << (m - members)) != 0)
            return malformed(r, m == NULL ? "an unknown member" : "a member is repeated");
        seen |= 1u << (m - members);
        if (!m->read(r, a))
            return false;
    }
    for (size_t i = 0; i < count; i++)
        if (!members[i].optional && (seen & 1u << i) == 0)
            return tn_reader_fail(r, TENUO_E_MALFORMED_CBOR, "approval: %s is missing", members[i].name);
    return true;
}

/* A payload that is no good is 1701, as clients know it; bytes behind a good one are 1202 (stance 11). */
static int read_payload(struct tenuo_approval *a, struct tenuo_error *err)
{
    struct tn_reader r;
    tn_reader_init(&r, a->payload, err);
    if (!read_members(&r, a, payload_members, TN_ARRAY_LEN(payload_members)))
        return r.code == TENUO_E_NOMEM ? r.code : tn_fail(err, TENUO_E_APPROVAL_INVALID, "the payload is malformed");
    if (!tn_read_end(&r, "the approval's payload"))
        return r.code;
    if (a->version != 1)
        return tn_fail(err, TENUO_E_PAYLOAD_VERSION, "approval: the payload is not of version 1");
    if (a->expires_at <= a->approved_at)
        return tn_fail(err, TENUO_E_APPROVAL_INVALID, "the approval expires before it begins");
    return TENUO_OK;
}

static int decode(struct tenuo_approval *a, struct tn_str bytes, struct tenuo_error *err)
{
    uint8_t *copy = tn_arena_alloc(&a->arena, bytes.n);
    struct tn_reader r;
    if (copy == NULL)
        return tn_fail_code(err, TENUO_E_NOMEM);
    if (bytes.n != 0)
        memcpy(copy, bytes.p, bytes.n);
    a->envelope = (struct tn_str){ copy, bytes.n };
    tn_reader_init(&r, a->envelope, err);
    if (!read_members(&r, a, envelope_members, TN_ARRAY_LEN(envelope_members)) || !tn_read_end(&r, "the approval"))
        return r.code;
    if (tenuo_public_key_check(a->key) != TENUO_OK)
        return tn_fail(err, TENUO_E_MALFORMED_CBOR, "approval: approver_key is not a usable Ed25519 key");
    a->payload_code = read_payload(a, &a->payload_error);
    return a->payload_code == TENUO_E_NOMEM ? tn_fail_code(err, TENUO_E_NOMEM) : TENUO_OK;
}

int tn_approval_decode(struct tn_str bytes, struct tenuo_approval **ret, struct tenuo_error *err)
{
    struct tenuo_approval *a;
    int r;
    if (bytes.n > TENUO_APPROVAL_MAX_BYTES)
        return tn_fail(err, TENUO_E_TOO_LARGE, "an approval is larger than %d bytes", TENUO_APPROVAL_MAX_BYTES);
    a = calloc(1, sizeof *a);
    if (a == NULL)
        return tn_fail_code(err, TENUO_E_NOMEM);
    tn_arena_init(&a->arena, bytes.n + 128);
    r = decode(a, bytes, err);
    if (r != TENUO_OK) {
        tenuo_approval_free(a);
        return r;
    }
    *ret = a;
    return TENUO_OK;
}

void tn_approval_message(struct tn_buf *b, struct tn_str payload)
{
    tn_buf_str(b, tn_lit(TN_DOMAIN_APPROVAL "\x01"));
    tn_buf_str(b, payload);
}

int tn_approval_check(const struct tenuo_approval *a, struct tenuo_error *err)
{
    struct tn_buf whole = { 0 };
    bool good;
    if (a->envelope_version != 1)
        return tn_fail(err, TENUO_E_PAYLOAD_VERSION, "approval: the envelope is not of version 1");
    tn_buf_str(&whole, tn_lit(TN_DOMAIN_WARRANT));
    tn_approval_message(&whole, a->payload);
    if (whole.failed) {
        tn_buf_free(&whole);
        return tn_fail_code(err, TENUO_E_NOMEM);
    }
    good = tn_verify_whole(a->key, a->signature, tn_buf_view(&whole));
    tn_buf_free(&whole);
    if (!good)
        return tn_fail(err, TENUO_E_SIGNATURE_INVALID, "approval: the signature does not verify under approver_key");
    return a->payload_code == TENUO_OK ? TENUO_OK : tn_fail(err, a->payload_code, "%s", a->payload_error.msg);
}

int tenuo_approval_parse(const uint8_t *bytes, size_t len, struct tenuo_approval **ret_approval,
                         struct tenuo_error *reterr)
{
    struct tenuo_approval *a = NULL;
    int r = tn_approval_decode((struct tn_str){ bytes, len }, &a, reterr);
    if (r == TENUO_OK)
        r = tn_approval_check(a, reterr);
    if (r != TENUO_OK) {
        tenuo_approval_free(a);
        return r;
    }
    *ret_approval = a;
    return TENUO_OK;
}

void tenuo_approval_free(struct tenuo_approval *approval)
{
    if (approval == NULL)
        return;
    tn_arena_free(&approval->arena);
    free(approval);
}

int tenuo_approval_verify(const struct tenuo_approval *approval, int64_t as_of, uint32_t tolerance,
                          struct tenuo_error *reterr)
{
    uint64_t now = as_of < 0 ? 0 : (uint64_t)as_of; /* + a tolerance of 32 bits: no overflow */
    if (approval->approved_at <= now + tolerance)
        return TENUO_OK;
    return tn_fail(reterr, TENUO_E_APPROVAL_INVALID, "the approval is dated in the future");
}

static const char *lend(struct tn_str s, size_t *ret_len)
{
    *ret_len = s.n;
    return (const char *)s.p;
}

const uint8_t *tenuo_approval_bytes(const struct tenuo_approval *approval, size_t *ret_len)
{
    *ret_len = approval->envelope.n;
    return approval->envelope.p;
}

const uint8_t *tenuo_approval_key(const struct tenuo_approval *approval) { return approval->key; }
const uint8_t *tenuo_approval_request_hash(const struct tenuo_approval *approval) { return approval->hash; }
const uint8_t *tenuo_approval_nonce(const struct tenuo_approval *approval) { return approval->nonce; }
uint64_t tenuo_approval_approved_at(const struct tenuo_approval *approval) { return approval->approved_at; }
uint64_t tenuo_approval_expires_at(const struct tenuo_approval *approval) { return approval->expires_at; }
size_t tenuo_approval_extension_count(const struct tenuo_approval *approval) { return approval->nextensions; }

const char *tenuo_approval_external_id(const struct tenuo_approval *approval, size_t *ret_len)
{
    return lend(approval->external_id, ret_len);
}

const char *tenuo_approval_extension_key(const struct tenuo_approval *approval, size_t index, size_t *ret_len)
{
    return index < approval->nextensions ? lend(approval->extensions[index].key, ret_len) : NULL;
}

const uint8_t *tenuo_approval_extension_value(const struct tenuo_approval *approval, size_t index, size_t *ret_len)
{
    if (index >= approval->nextensions)
        return NULL;
    *ret_len = approval->extensions[index].value.n;
    return approval->extensions[index].value.p;
}
