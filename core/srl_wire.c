/* SPDX-License-Identifier: Apache-2.0 */
/* Lists and requests on the wire: one accepted form of each part, and the message that is signed. */
#include "srl_wire.h"

#include <stdlib.h>

#include "crypto.h"
#include "err.h"
#include "mem.h"
#include "rfc3339.h"
#include "signer.h"

bool tn_wire_key(struct tn_reader *r, const char *key)
{
    struct tn_str got;
    if (!tn_read_text(r, "a member name", &got))
        return false;
    return tn_str_eq(got, tn_lit(key)) ||
           tn_reader_fail(r, TENUO_E_MALFORMED_CBOR, "'%s' must stand here, and nothing else", key);
}

bool tn_wire_algorithm(struct tn_reader *r, const char *what, size_t want, const uint8_t **ret)
{
    struct tn_item item;
    uint64_t algorithm;
    size_t n;
    if (!tn_read_array(r, what, &n))
        return false;
    if (n != 2)
        return tn_reader_fail(r, TENUO_E_MALFORMED_CBOR, "%s is an array of algorithm and bytes", what);
    if (!tn_read_uint(r, what, UINT64_MAX, &algorithm) || !tn_read_kind(r, TN_BYTES, what, &item))
        return false;
    if (algorithm != 1 || item.str.n != want)
        return tn_reader_fail(r, TENUO_E_MALFORMED_CBOR, "%s is not an Ed25519 one of %zu bytes", what, want);
    *ret = item.str.p;
    return true;
}

bool tn_wire_time(struct tn_reader *r, const char *what, uint64_t *ret)
{
    struct tn_str text;
    if (!tn_read_text(r, what, &text))
        return false;
    return tn_rfc3339_canonical(text, ret) ||
           tn_reader_fail(r, TENUO_E_MALFORMED_CBOR, "%s is not a time like 2030-01-31T12:00:00Z", what);
}

void tn_wire_put_algorithm(struct tn_buf *b, const uint8_t *p, size_t n)
{
    tn_put_array(b, 2);
    tn_put_uint(b, 1);
    tn_put_bytes(b, (struct tn_str){ p, n });
}

void tn_wire_put_time(struct tn_buf *b, uint64_t when)
{
    char text[TN_RFC3339_TEXT];
    tn_rfc3339_format(when, text);
    tn_put_text(b, tn_lit(text));
}

int tn_wire_verify(const uint8_t key[32], const uint8_t signature[64], const char *domain, struct tn_str message)
{
    size_t outer = sizeof TN_DOMAIN_WARRANT - 1, inner = strlen(domain), n;
    uint8_t *whole;
    bool good;
    if (!tn_add_size(message.n, outer + inner, &n))
        return TENUO_E_NOMEM;
    whole = malloc(n);
    if (whole == NULL)
        return TENUO_E_NOMEM;
    memcpy(whole, TN_DOMAIN_WARRANT, outer);
    memcpy(whole + outer, domain, inner);
    memcpy(whole + outer + inner, message.p, message.n);
    good = tn_verify_whole(key, signature, (struct tn_str){ whole, n });
    free(whole);
    return good ? TENUO_OK : TENUO_E_SIGNATURE_INVALID;
}

int tn_wire_sign(const struct tenuo_signer *signer, const char *domain, struct tn_str message, uint8_t ret[64],
                 struct tenuo_error *err)
{
    struct tn_buf whole = { 0 };
    int r;
    tn_buf_str(&whole, tn_lit(domain));
    tn_buf_str(&whole, message);
    r = whole.failed ? tn_fail_code(err, TENUO_E_NOMEM) : tn_signer_sign_own(signer, whole.p, whole.n, ret, err);
    tn_buf_free(&whole);
    return r;
}
