/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Bytes of a signed revocation list to the list (spec governance.md 10.1). One accepted form; the signature is verified
 * over the payload as it was sent. Allocates by the declared count once it is known to fit the input, never per id.
 */
#include <stdlib.h>

#include "cbor_read.h"
#include "crypto.h"
#include "err.h"
#include "srl.h"
#include "srl_wire.h"

struct reading {
    struct tn_reader r;
    struct tenuo_srl *srl;
    size_t odd_cap, text_len;
    struct tn_str payload;
    const uint8_t *signature;
};

static bool out_of_memory(struct tn_reader *r)
{
    return tn_reader_fail(r, TENUO_E_NOMEM, "memory ran out");
}

/* Rare: texts that no warrant has as its id. They point into the input until the end. */
static bool add_odd(struct reading *d, struct tn_str id)
{
    struct tenuo_srl *s = d->srl;
    if (s->nodd == d->odd_cap) {
        size_t cap = d->odd_cap == 0 ? 16 : d->odd_cap * 2;
        struct tn_str *grown = realloc(s->odd, cap * sizeof *grown);
        if (grown == NULL)
            return out_of_memory(&d->r);
        s->odd = grown;
        d->odd_cap = cap;
    }
    s->odd[s->nodd++] = id;
    d->text_len += id.n;
    return true;
}

static bool read_ids(struct reading *d)
{
    struct tn_str id;
    size_t n;
    if (!tn_wire_key(&d->r, "revoked_ids") || !tn_read_array(&d->r, "revoked_ids", &n))
        return false;
    if (n > TENUO_SRL_MAX_IDS)
        return tn_reader_fail(&d->r, TENUO_E_SRL_INVALID, "%zu ids, at most %u are read", n, TENUO_SRL_MAX_IDS);
    d->srl = tn_srl_new(n, 0);
    if (d->srl == NULL)
        return out_of_memory(&d->r);
    for (size_t i = 0; i < n; i++) {
        if (!tn_read_text(&d->r, "a revoked id", &id))
            return false;
        if (tn_srl_id(id, d->srl->ids[d->srl->nids]))
            d->srl->nids++;
        else if (!add_odd(d, id))
            return false;
    }
    return true;
}

static bool read_payload(struct reading *d)
{
    const uint8_t *start = d->r.p, *issuer;
    size_t n;
    if (!tn_read_map(&d->r, "the payload", &n))
        return false;
    if (n != 4)
        return tn_reader_fail(&d->r, TENUO_E_MALFORMED_CBOR, "the payload has %zu members instead of 4", n);
    if (!read_ids(d) || !tn_wire_key(&d->r, "version") ||
        !tn_read_uint(&d->r, "version", UINT64_MAX, &d->srl->version) || !tn_wire_key(&d->r, "issued_at") ||
        !tn_wire_time(&d->r, "issued_at", &d->srl->issued_at) || !tn_wire_key(&d->r, "issuer") ||
        !tn_wire_algorithm(&d->r, "issuer", 32, &issuer))
        return false;
    if (tenuo_public_key_check(issuer) != TENUO_OK)
        return tn_reader_fail(&d->r, TENUO_E_MALFORMED_CBOR, "issuer is no usable Ed25519 key");
    memcpy(d->srl->issuer, issuer, 32);
    d->payload = (struct tn_str){ start, (size_t)(d->r.p - start) };
    return true;
}

static bool read_list(struct reading *d)
{
    size_t n;
    if (!tn_read_map(&d->r, "the list", &n))
        return false;
    if (n != 2)
        return tn_reader_fail(&d->r, TENUO_E_MALFORMED_CBOR, "the list is a map of payload and signature");
    return tn_wire_key(&d->r, "payload") && read_payload(d) && tn_wire_key(&d->r, "signature") &&
           tn_wire_algorithm(&d->r, "signature", 64, &d->signature) && tn_read_end(&d->r, "the list");
}

/* The odd texts move from the input into a block of their own. */
static bool keep_odd(struct reading *d)
{
    struct tenuo_srl *s = d->srl;
    uint8_t *p;
    if (s->nodd == 0)
        return true;
    s->text = malloc(d->text_len + 1);
    if (s->text == NULL)
        return false;
    p = s->text;
    for (size_t i = 0; i < s->nodd; i++) {
        if (s->odd[i].n != 0)
            memcpy(p, s->odd[i].p, s->odd[i].n);
        s->odd[i].p = p;
        p += s->odd[i].n;
    }
    return true;
}

static int verify(struct reading *d, const uint8_t *issuer, struct tenuo_error *err)
{
    int r;
    if (issuer != NULL && memcmp(issuer, d->srl->issuer, 32) != 0)
        return tn_fail(err, TENUO_E_SIGNATURE_INVALID, "the revocation list is by another key than the one expected");
    r = tn_wire_verify(d->srl->issuer, d->signature, TN_DOMAIN_SRL, d->payload);
    if (r == TENUO_E_NOMEM)
        return tn_fail_code(err, r);
    if (r != TENUO_OK)
        return tn_fail(err, r, "the revocation list's signature does not verify under the key that it names");
    return TENUO_OK;
}

int tenuo_srl_parse(const uint8_t *bytes, size_t len, const uint8_t *issuer, struct tenuo_srl **ret_srl,
                    struct tenuo_error *reterr)
{
    struct reading d = { 0 };
    struct tenuo_error why = { 0 };
    int r;
    if (bytes == NULL && len != 0)
        return tn_fail(reterr, TENUO_E_INVALID_ARGUMENT, "tenuo_srl_parse: bytes must not be NULL");
    if (len > TENUO_SRL_MAX_BYTES)
        return tn_fail(reterr, TENUO_E_SRL_INVALID, "the revocation list has more than %u bytes", TENUO_SRL_MAX_BYTES);
    tn_reader_init(&d.r, (struct tn_str){ bytes, len }, &why);
    if (!read_list(&d)) {
        r = d.r.code == TENUO_E_NOMEM ? tn_fail_code(reterr, d.r.code)
                                      : tn_fail(reterr, d.r.code, "revocation list: %s", why.msg);
        goto out;
    }
    r = verify(&d, issuer, reterr);
    if (r == TENUO_OK && !keep_odd(&d))
        r = tn_fail_code(reterr, TENUO_E_NOMEM);
    if (r != TENUO_OK)
        goto out;
    tn_sha256(d.srl->sha256, (struct tn_str){ bytes, len });
    tn_srl_settle(d.srl);
    *ret_srl = d.srl;
    d.srl = NULL;
out:
    tenuo_srl_unref(d.srl);
    return r;
}
