/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Envelopes and stacks: framing, signatures, structural rules, in the order in which the reference refuses (spec
 * warrant.md 1.1, 1.6, 4): encoding and signatures of every element (1202), then structure (1201, 1402).
 */
#include "warrant.h"

#include <stdlib.h>
#include <tenuo/key.h>

#include "crypto.h"
#include "err.h"
#include "limits.h"

/* [1, payload, [1, signature]] and nothing else; the reader stands behind it afterwards. */
static bool read_envelope(struct tn_reader *r, struct tn_arena *arena, struct tenuo_warrant *w)
{
    struct tn_item payload = { 0 }, signature = { 0 };
    struct tn_reader inner;
    const uint8_t *start = r->p;
    uint64_t version = 0, algorithm = 0;
    size_t n = 0, m = 0;
    if (!tn_read_array(r, "the envelope", &n) || !tn_read_uint(r, "the envelope version", UINT64_MAX, &version) ||
        !tn_read_kind(r, TN_BYTES, "the payload", &payload) || !tn_read_array(r, "the signature", &m) ||
        !tn_read_uint(r, "the signature algorithm", UINT64_MAX, &algorithm) ||
        !tn_read_kind(r, TN_BYTES, "the signature", &signature))
        return false;
    if (n != 3 || m != 2 || version != 1 || algorithm != 1 || signature.str.n != 64)
        return tn_reader_fail(r, TENUO_E_MALFORMED_CBOR, "the envelope is not [1, payload, [1, 64-byte signature]]");
    w->envelope = (struct tn_str){ start, (size_t)(r->p - start) };
    w->payload = payload.str;
    w->signature = signature.str.p;
    tn_reader_init(&inner, payload.str, r->err);
    if (!tn_payload_read(&inner, arena, w))
        r->code = inner.code;
    return r->code == 0;
}

/* Element 0 tells a single warrant (integer) from a stack (array). */
static bool looks_like_array(struct tn_str bytes)
{
    size_t first = bytes.n > 0 && bytes.p[0] == 0x98 ? 2 : 1; /* 98 nn: an array of 24 and more */
    return bytes.n > first && bytes.p[0] >> 5 == 4 && bytes.p[first] >> 5 == 4;
}

static int check_size(struct tn_str bytes, bool is_array, struct tenuo_error *err)
{
    size_t max = is_array ? TN_MAX_STACK_BYTES : TN_MAX_WARRANT_BYTES;
    if (bytes.n > max)
        return tn_fail(err, TENUO_E_TOO_LARGE, "%zu bytes: a %s has at most %zu", bytes.n,
                       is_array ? "stack" : "warrant", max);
    return TENUO_OK;
}

static bool read_elements(struct tn_reader *r, struct tenuo_stack *s)
{
    size_t n = 1;
    if (s->is_array && !tn_read_array(r, "the stack", &n))
        return false;
    if (n == 0)
        return tn_reader_fail(r, TENUO_E_MALFORMED_CBOR, "the stack is empty");
    if (n > TN_MAX_CHAIN)
        return tn_reader_fail(r, TENUO_E_CHAIN_TOO_LONG, "more than %d warrants in a stack", TN_MAX_CHAIN);
    s->w = tn_arena_array(&s->arena, n, sizeof *s->w);
    if (s->w == NULL)
        return tn_reader_fail(r, TENUO_E_NOMEM, "memory ran out");
    for (s->n = 0; s->n < n; s->n++) {
        if (!read_envelope(r, &s->arena, &s->w[s->n]))
            return false;
        if (s->w[s->n].envelope.n > TN_MAX_WARRANT_BYTES)
            return tn_reader_fail(r, TENUO_E_TOO_LARGE, "an element of the stack is larger than %d bytes",
                                  TN_MAX_WARRANT_BYTES);
    }
    return tn_read_end(r, s->is_array ? "the stack" : "the envelope");
}

int tn_warrant_check_holder(const struct tenuo_warrant *w, struct tenuo_error *err)
{
    if (w->holder_checked || tenuo_public_key_check(w->holder) == TENUO_OK)
        return TENUO_OK;
    return tn_fail(err, TENUO_E_MALFORMED_CBOR, "the holder's key is not a usable Ed25519 key");
}

static int check_approver_keys(const struct tenuo_warrant *w, struct tenuo_error *err)
{
    for (size_t i = 0; i < w->napprovers; i++)
        if (tenuo_public_key_check(w->approvers[i]) != TENUO_OK)
            return tn_fail(err, TENUO_E_MALFORMED_CBOR, "an approver's key is not a usable Ed25519 key");
    return TENUO_OK;
}

/* Did the holder sign the next link? Then its key needs no check of its own: a signature verified under it. */
static bool proven_below(const struct tenuo_stack *s, size_t i)
{
    return i + 1 < s->n && memcmp(s->w[i].holder, s->w[i + 1].issuer, 32) == 0;
}

static int check_crypto(struct tenuo_stack *s, size_t i, struct tn_link_cache *cache, bool defer,
                        struct tenuo_error *err)
{
    struct tenuo_warrant *w = &s->w[i];
    struct tn_link_key key;
    bool last = i + 1 == s->n;
    int r;
    if (cache != NULL) {
        tn_link_key(&key, w->issuer, w->signature, w->payload);
        if (tn_link_cache_get(cache, &key, w->hash)) {
            w->has_hash = w->holder_checked = true;
            return TENUO_OK;
        }
    }
    r = tn_verify_payload(w->issuer, w->signature, w->payload);
    if (r == TENUO_E_NOMEM)
        return tn_fail_code(err, r);
    if (r != TENUO_OK)
        return tn_fail(err, TENUO_E_MALFORMED_CBOR, "warrant %zu: its signature does not verify under its issuer's key",
                       i);
    r = check_approver_keys(w, err);
    if (r == TENUO_OK && !proven_below(s, i) && !(last && defer)) {
        r = tn_warrant_check_holder(w, err);
        w->holder_checked = r == TENUO_OK;
    }
    return r;
}

/* Holders proven by the link below them, payload hashes that children need, and what the cache may learn from it all.
 */
static void settle(struct tenuo_stack *s, struct tn_link_cache *cache)
{
    for (size_t i = 0; i < s->n; i++) {
        struct tenuo_warrant *w = &s->w[i];
        bool cached = w->has_hash;
        if (proven_below(s, i))
            w->holder_checked = true;
        if (!cached && (i + 1 < s->n || cache != NULL)) {
            tn_sha256(w->hash, w->payload);
            w->has_hash = true;
        }
        if (!cached && cache != NULL && w->holder_checked) {
            struct tn_link_key key;
            tn_link_key(&key, w->issuer, w->signature, w->payload);
            tn_link_cache_put(cache, &key, w->hash);
        }
    }
}

static int check_crypto_all(struct tenuo_stack *s, struct tn_link_cache *cache, bool defer, struct tenuo_error *err)
{
    /* With a cache the leaf's holder is checked once and remembered: deferring it would only cost the next decision. */
    for (size_t i = 0; i < s->n; i++) {
        int r = check_crypto(s, i, cache, defer && cache == NULL, err);
        if (r != TENUO_OK)
            return r;
    }
    settle(s, cache);
    return TENUO_OK;
}

static int check_structure_all(const struct tenuo_stack *s, struct tenuo_error *err)
{
    int r = TENUO_OK;
    for (size_t i = 0; i < s->n && r == TENUO_OK; i++)
        r = tn_warrant_check_structure(&s->w[i], err);
    return r;
}

static int new_stack(struct tn_str bytes, enum tn_stack_kind kind, struct tenuo_stack **ret, struct tenuo_error *err)
{
    struct tenuo_stack *s;
    struct tn_reader r;
    bool is_array = kind == TN_STACK_ARRAY || (kind == TN_STACK_EITHER && looks_like_array(bytes));
    int code = check_size(bytes, is_array, err);
    if (code != TENUO_OK)
        return code;
    s = malloc(sizeof *s + bytes.n);
    if (s == NULL)
        return tn_fail_code(err, TENUO_E_NOMEM);
    *s = (struct tenuo_stack){ .bytes = (uint8_t *)(s + 1), .len = bytes.n, .is_array = is_array };
    if (bytes.n != 0)
        memcpy(s->bytes, bytes.p, bytes.n);
    tn_arena_init(&s->arena, 1024 + 2 * bytes.n);
    tn_reader_init(&r, tn_stack_bytes(s), err);
    if (!read_elements(&r, s)) {
        tenuo_stack_free(s);
        return r.code;
    }
    *ret = s;
    return TENUO_OK;
}

int tn_stack_decode(struct tn_str bytes, enum tn_stack_kind kind, struct tn_link_cache *cache, bool defer_leaf_holder,
                    struct tenuo_stack **ret, struct tenuo_error *err)
{
    struct tenuo_stack *s = NULL;
    int code = new_stack(bytes, kind, &s, err);
    if (code == TENUO_OK)
        code = check_crypto_all(s, cache, defer_leaf_holder, err);
    if (code == TENUO_OK)
        code = check_structure_all(s, err);
    if (code != TENUO_OK) {
        tenuo_stack_free(s);
        return code;
    }
    *ret = s;
    return TENUO_OK;
}

int tn_stack_decode_own(struct tn_str bytes, enum tn_stack_kind kind, struct tenuo_stack **ret, struct tenuo_error *err)
{
    struct tenuo_stack *s = NULL;
    int code = new_stack(bytes, kind, &s, err);
    if (code == TENUO_OK)
        code = check_structure_all(s, err);
    if (code != TENUO_OK) {
        tenuo_stack_free(s);
        return code;
    }
    for (size_t i = 0; i < s->n; i++)
        s->w[i].holder_checked = true;
    *ret = s;
    return TENUO_OK;
}

struct tn_str tn_stack_bytes(const struct tenuo_stack *s)
{
    return (struct tn_str){ s->bytes, s->len };
}

void tenuo_stack_free(struct tenuo_stack *stack)
{
    if (stack == NULL)
        return;
    tn_arena_free(&stack->arena);
    free(stack);
}

int tenuo_stack_parse(const uint8_t *bytes, size_t len, struct tenuo_stack **ret_stack, struct tenuo_error *reterr)
{
    return tn_stack_decode((struct tn_str){ bytes, len }, TN_STACK_EITHER, NULL, false, ret_stack, reterr);
}

int tenuo_stack_parse_single(const uint8_t *bytes, size_t len, struct tenuo_stack **ret_stack,
                             struct tenuo_error *reterr)
{
    return tn_stack_decode((struct tn_str){ bytes, len }, TN_STACK_SINGLE, NULL, false, ret_stack, reterr);
}

int tenuo_stack_parse_array(const uint8_t *bytes, size_t len, struct tenuo_stack **ret_stack,
                            struct tenuo_error *reterr)
{
    return tn_stack_decode((struct tn_str){ bytes, len }, TN_STACK_ARRAY, NULL, false, ret_stack, reterr);
}

static int structure(struct tenuo_error *err, const char *what)
{
    return tn_fail(err, TENUO_E_PAYLOAD_STRUCTURE, "%s", what);
}

static int check_type(const struct tenuo_warrant *w, struct tenuo_error *err)
{
    if (w->type == TENUO_EXECUTION) {
        if (w->has_issuable || w->max_issue_depth >= 0)
            return structure(err, "an execution warrant has fields of an issuer warrant");
        return w->ntools != 0 ? TENUO_OK : structure(err, "an execution warrant has no tools");
    }
    if (w->ntools != 0)
        return structure(err, "an issuer warrant has tools");
    return w->nissuable != 0 ? TENUO_OK : structure(err, "an issuer warrant has no issuable tools");
}

int tn_warrant_check_structure(const struct tenuo_warrant *w, struct tenuo_error *err)
{
    int r;
    if (w->version != 1)
        return structure(err, "the payload version is not 1");
    if (w->expires_at <= w->issued_at)
        return structure(err, "expires_at is not after issued_at");
    r = check_type(w, err);
    if (r != TENUO_OK)
        return r;
    if (w->max_issue_depth > (int64_t)w->max_depth)
        return tn_fail(err, TENUO_E_DEPTH_EXCEEDED, "max_issue_depth is above max_depth");
    if (w->depth > TN_MAX_DEPTH || w->max_depth > TN_MAX_DEPTH)
        return tn_fail(err, TENUO_E_DEPTH_EXCEEDED, "depth or max_depth is above %d", TN_MAX_DEPTH);
    if (w->has_approvers && w->min_approvals >= 0 &&
        (w->min_approvals < 1 || (uint64_t)w->min_approvals > w->ndistinct))
        return structure(err, "min_approvals is 0 or above the number of approvers");
    return TENUO_OK;
}

const struct tn_tool *tn_warrant_find_tool(const struct tenuo_warrant *w, struct tn_str name)
{
    size_t lo = 0, hi = w->ntools;
    while (lo < hi) {
        size_t mid = lo + (hi - lo) / 2;
        int c = tn_str_cmp(w->tools[mid].name, name);
        if (c == 0)
            return &w->tools[mid];
        if (c < 0)
            lo = mid + 1;
        else
            hi = mid;
    }
    return NULL;
}

bool tn_warrant_has_issuable(const struct tenuo_warrant *w, struct tn_str name)
{
    for (size_t i = 0; i < w->nissuable; i++)
        if (tn_str_eq(w->issuable[i], name))
            return true;
    return false;
}

const uint8_t *tn_warrant_envelope(const struct tenuo_warrant *w, size_t *ret_len)
{
    *ret_len = w->envelope.n;
    return w->envelope.p;
}
