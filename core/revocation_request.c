/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Signed requests to revoke one warrant (spec governance.md 10.5). The signature covers whole seconds only, so nothing
 * finer of the time is kept. A request never takes effect here: whoever signs lists decides.
 */
#include <stdlib.h>

#include "cbor_read.h"
#include "crypto.h"
#include "err.h"
#include "limits.h"
#include "rfc3339.h"
#include "srl.h"
#include "srl_wire.h"

struct tenuo_revocation_request {
    char id[TENUO_WARRANT_ID_TEXT_BYTES];
    uint8_t requestor[32];
    uint64_t requested_at;
    size_t reason_len;
    char reason[]; /* NUL behind it */
};

/* What is signed: [id, reason, requestor, seconds]. */
static void put_signed(struct tn_buf *b, struct tn_str id, struct tn_str reason, const uint8_t requestor[32],
                       uint64_t when)
{
    tn_put_array(b, 4);
    tn_put_text(b, id);
    tn_put_text(b, reason);
    tn_wire_put_algorithm(b, requestor, 32);
    tn_put_uint(b, when);
}

static void put_request(struct tn_buf *b, struct tn_str id, struct tn_str reason, const uint8_t requestor[32],
                        uint64_t when, const uint8_t signature[64])
{
    tn_put_map(b, 5);
    tn_put_text(b, tn_lit("warrant_id"));
    tn_put_text(b, id);
    tn_put_text(b, tn_lit("reason"));
    tn_put_text(b, reason);
    tn_put_text(b, tn_lit("requestor"));
    tn_wire_put_algorithm(b, requestor, 32);
    tn_put_text(b, tn_lit("requested_at"));
    tn_wire_put_time(b, when);
    tn_put_text(b, tn_lit("signature"));
    tn_wire_put_algorithm(b, signature, 64);
}

int tenuo_revocation_request_create(const uint8_t id[16], const char *reason, size_t reason_len,
                                    const struct tenuo_signer *signer, int64_t requested_at, uint8_t **ret_bytes,
                                    size_t *ret_len, struct tenuo_error *reterr)
{
    struct tn_str why = { (const uint8_t *)reason, reason_len };
    struct tn_buf message = { 0 }, out = { 0 };
    char text[TENUO_WARRANT_ID_TEXT_BYTES];
    uint8_t signature[64];
    int r;
    if (signer == NULL || requested_at < 0 || (uint64_t)requested_at > TN_RFC3339_LAST)
        return tn_fail(reterr, TENUO_E_INVALID_ARGUMENT, "a request needs a signer and a time in 1970 to 9999");
    if (reason_len > TN_MAX_REVOCATION_REASON || !tn_utf8_valid(why))
        return tn_fail(reterr, TENUO_E_PAYLOAD_STRUCTURE, "the reason is UTF-8 text of at most %d bytes",
                       TN_MAX_REVOCATION_REASON);
    tn_srl_id_text(id, text);
    put_signed(&message, tn_lit(text), why, tenuo_signer_public_key(signer), (uint64_t)requested_at);
    r = message.failed ? tn_fail_code(reterr, TENUO_E_NOMEM)
                       : tn_wire_sign(signer, TN_DOMAIN_REVOCATION_REQUEST, tn_buf_view(&message), signature, reterr);
    tn_buf_free(&message);
    if (r != TENUO_OK)
        return r;
    put_request(&out, tn_lit(text), why, tenuo_signer_public_key(signer), (uint64_t)requested_at, signature);
    if (out.failed) {
        tn_buf_free(&out);
        return tn_fail_code(reterr, TENUO_E_NOMEM);
    }
    *ret_bytes = out.p;
    *ret_len = out.n;
    return TENUO_OK;
}

struct fields {
    struct tn_str id, reason;
    const uint8_t *requestor, *signature;
    uint64_t when;
};

static bool read_fields(struct tn_reader *r, struct fields *f)
{
    uint8_t id[16];
    size_t n;
    if (!tn_read_map(r, "the request", &n))
        return false;
    if (n != 5)
        return tn_reader_fail(r, TENUO_E_MALFORMED_CBOR, "the request has %zu members instead of 5", n);
    if (!tn_wire_key(r, "warrant_id") || !tn_read_text(r, "warrant_id", &f->id))
        return false;
    if (!tn_srl_id(f->id, id))
        return tn_reader_fail(r, TENUO_E_MALFORMED_CBOR, "warrant_id is not tnu_wrt_ and 32 lower-case hex digits");
    if (!tn_wire_key(r, "reason") || !tn_read_text(r, "reason", &f->reason))
        return false;
    if (f->reason.n > TN_MAX_REVOCATION_REASON)
        return tn_reader_fail(r, TENUO_E_MALFORMED_CBOR, "the reason has more than %d bytes", TN_MAX_REVOCATION_REASON);
    if (!tn_wire_key(r, "requestor") || !tn_wire_algorithm(r, "requestor", 32, &f->requestor))
        return false;
    if (tenuo_public_key_check(f->requestor) != TENUO_OK)
        return tn_reader_fail(r, TENUO_E_MALFORMED_CBOR, "requestor is no usable Ed25519 key");
    return tn_wire_key(r, "requested_at") && tn_wire_time(r, "requested_at", &f->when) && tn_wire_key(r, "signature") &&
           tn_wire_algorithm(r, "signature", 64, &f->signature) && tn_read_end(r, "the request");
}

static int check_signature(const struct fields *f, struct tenuo_error *err)
{
    struct tn_buf message = { 0 };
    int r = TENUO_E_NOMEM;
    put_signed(&message, f->id, f->reason, f->requestor, f->when);
    if (!message.failed)
        r = tn_wire_verify(f->requestor, f->signature, TN_DOMAIN_REVOCATION_REQUEST, tn_buf_view(&message));
    tn_buf_free(&message);
    if (r == TENUO_E_SIGNATURE_INVALID)
        return tn_fail(err, r, "the revocation request's signature does not verify under the key that it names");
    return r == TENUO_OK ? r : tn_fail_code(err, r);
}

int tenuo_revocation_request_parse(const uint8_t *bytes, size_t len, struct tenuo_revocation_request **ret_request,
                                   struct tenuo_error *reterr)
{
    struct tenuo_revocation_request *q;
    struct tenuo_error why = { 0 };
    struct fields f = { .when = 0 };
    struct tn_reader r;
    int code;
    if (bytes == NULL && len != 0)
        return tn_fail(reterr, TENUO_E_INVALID_ARGUMENT, "tenuo_revocation_request_parse: bytes must not be NULL");
    tn_reader_init(&r, (struct tn_str){ bytes, len }, &why);
    if (!read_fields(&r, &f))
        return tn_fail(reterr, r.code, "revocation request: %s", why.msg);
    code = check_signature(&f, reterr);
    if (code != TENUO_OK)
        return code;
    q = calloc(1, sizeof *q + f.reason.n + 1);
    if (q == NULL)
        return tn_fail_code(reterr, TENUO_E_NOMEM);
    memcpy(q->id, f.id.p, f.id.n);
    memcpy(q->requestor, f.requestor, 32);
    q->requested_at = f.when;
    q->reason_len = f.reason.n;
    if (f.reason.n != 0)
        memcpy(q->reason, f.reason.p, f.reason.n);
    *ret_request = q;
    return TENUO_OK;
}

void tenuo_revocation_request_free(struct tenuo_revocation_request *request) { free(request); }

const char *tenuo_revocation_request_warrant_id(const struct tenuo_revocation_request *request) { return request->id; }

const char *tenuo_revocation_request_reason(const struct tenuo_revocation_request *request, size_t *ret_len)
{
    if (ret_len != NULL)
        *ret_len = request->reason_len;
    return request->reason;
}

const uint8_t *tenuo_revocation_request_requestor(const struct tenuo_revocation_request *request)
{
    return request->requestor;
}

int64_t tenuo_revocation_request_requested_at(const struct tenuo_revocation_request *request)
{
    return (int64_t)request->requested_at;
}

static bool may_ask(const uint8_t *who, const struct tenuo_warrant *w, const uint8_t *authority)
{
    return (authority != NULL && memcmp(who, authority, 32) == 0) ||
           memcmp(who, tenuo_warrant_issuer(w), 32) == 0 || memcmp(who, tenuo_warrant_holder(w), 32) == 0;
}

int tenuo_revocation_request_check(const struct tenuo_revocation_request *request, const struct tenuo_warrant *warrant,
                                   const uint8_t *authority, int64_t as_of, struct tenuo_error *reterr)
{
    uint64_t now = as_of < 0 ? 0 : (uint64_t)as_of, when = request->requested_at;
    char id[TENUO_WARRANT_ID_TEXT_BYTES];
    tenuo_warrant_id_text(tenuo_warrant_id(warrant), id);
    if (memcmp(id, request->id, sizeof id) != 0)
        return tn_fail(reterr, TENUO_E_INVALID_ISSUER, "the request is for another warrant");
    if (!may_ask(request->requestor, warrant, authority))
        return tn_fail(reterr, TENUO_E_INVALID_ISSUER,
                       "only the warrant's issuer or holder, or who signs the list, may ask to revoke it");
    if (now > when && now - when > TN_REVOCATION_REQUEST_AGE)
        return tn_fail(reterr, TENUO_E_INVALID_ISSUER, "the request is older than %d s: have it signed again",
                       TN_REVOCATION_REQUEST_AGE);
    if (when > now && when - now > TN_REVOCATION_REQUEST_AHEAD)
        return tn_fail(reterr, TENUO_E_INVALID_ISSUER, "the request is dated more than %d s in the future",
                       TN_REVOCATION_REQUEST_AHEAD);
    if (now >= tenuo_warrant_expires_at(warrant))
        return tn_fail(reterr, TENUO_E_EXPIRED, "the warrant has expired: nothing is left to revoke");
    return TENUO_OK;
}
