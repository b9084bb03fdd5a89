/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The DER of a TSS2 key file, read strictly and written backwards. Four types and three levels: less than what a
 * library's schema for it would take, and it copies nothing. Never reads past the bytes it was given.
 */
#include "keyblob.h"

#include <string.h>

enum { BOOLEAN = 0x01, INTEGER = 0x02, OCTETS = 0x04, OID = 0x06, SEQUENCE = 0x30 };
#define TAGGED(n) (0xa0 + (n))

static const uint8_t oid_prefix[] = { 0x67, 0x81, 0x05, 0x0a, 0x01 }; /* 2.23.133.10.1 */
enum { LOADABLE = 3, IMPORTABLE = 4, SEALED = 5 };

struct der { /* what is left of one value */
    const uint8_t *p;
    size_t len;
};

static bool fail(const char **ret_why, const char *why)
{
    *ret_why = why;
    return false;
}

/* ---- reading ---- */

/* Length in its shortest form, at most two bytes of it. */
static bool take_length(struct der *d, size_t *ret)
{
    if (d->len == 0)
        return false;
    size_t n = d->p[0], bytes = 1;
    if (n == 0x81 && d->len >= 2 && d->p[1] >= 0x80) {
        n = d->p[1];
        bytes = 2;
    } else if (n == 0x82 && d->len >= 3 && d->p[1] != 0) {
        n = (size_t)d->p[1] << 8 | d->p[2];
        bytes = 3;
    } else if (n >= 0x80) {
        return false;
    }
    if (n > d->len - bytes)
        return false;
    d->p += bytes;
    d->len -= bytes;
    *ret = n;
    return true;
}

/* The next value if it has this tag; d stands behind it then. */
static bool take(struct der *d, unsigned tag, struct der *ret)
{
    struct der at = *d;
    size_t n;
    if (at.len == 0 || at.p[0] != tag)
        return false;
    at.p++;
    at.len--;
    if (!take_length(&at, &n))
        return false;
    *ret = (struct der){ at.p, n };
    *d = (struct der){ at.p + n, at.len - n };
    return true;
}

static bool has(const struct der *d, unsigned tag)
{
    return d->len != 0 && d->p[0] == tag;
}

/* A value that is all there is within an explicit tag. */
static bool take_explicit(struct der *d, unsigned n, unsigned tag, struct der *ret)
{
    struct der outer;
    return take(d, TAGGED(n), &outer) && take(&outer, tag, ret) && outer.len == 0;
}

static bool read_u32(const struct der *value, uint32_t *ret)
{
    const uint8_t *p = value->p;
    size_t n = value->len;
    uint32_t number = 0;
    if (n == 0 || (n > 1 && p[0] == 0 && p[1] < 0x80) || n > 5 || (n == 5 && p[0] != 0))
        return false;
    if (n < 5 && p[0] >= 0x80) /* negative: a handle that was written as a signed number */
        return false;
    for (size_t i = 0; i < n; i++)
        number = number << 8 | p[i];
    *ret = number;
    return true;
}

/* DER has 00 and ff; a reader of this format takes every other true as well. */
static bool read_boolean(struct der *d, unsigned n, bool *ret)
{
    struct der value;
    if (!has(d, TAGGED(n)))
        return true;
    if (!take_explicit(d, n, BOOLEAN, &value) || value.len != 1)
        return false;
    *ret = value.p[0] != 0;
    return true;
}

static bool read_type(struct der *d, bool *ret_sealed, const char **ret_why)
{
    struct der oid;
    if (!take(d, OID, &oid) || oid.len != sizeof oid_prefix + 1 || memcmp(oid.p, oid_prefix, sizeof oid_prefix) != 0)
        return fail(ret_why, "is no TSS2 key file: it does not begin with a type of 2.23.133.10.1");
    unsigned type = oid.p[sizeof oid_prefix];
    if (type == IMPORTABLE)
        return fail(ret_why, "is a key that is still to be imported into a TPM (type ..1.4), not a sealed one");
    if (type != LOADABLE && type != SEALED)
        return fail(ret_why, "has a type that is neither sealed data nor a loadable key");
    *ret_sealed = type == SEALED;
    return true;
}

static bool read_statement(struct der *list, struct tpm2_statement *ret)
{
    struct der one, code, body;
    if (!take(list, SEQUENCE, &one) || !take_explicit(&one, 0, INTEGER, &code) ||
        !take_explicit(&one, 1, OCTETS, &body) || one.len != 0)
        return false;
    if (!read_u32(&code, &ret->code))
        return false;
    ret->body = body.p;
    ret->len = body.len;
    return true;
}

static bool known(const struct tpm2_statement *s)
{
    struct tpm2_pcr_statement pcr;
    if (s->code == TPM2_CC_POLICY_PCR)
        return tpm2_pcr_read(s->body, s->len, &pcr);
    return (s->code == TPM2_CC_POLICY_AUTH_VALUE || s->code == TPM2_CC_POLICY_PASSWORD) && s->len == 0;
}

static bool read_policy(struct der *d, struct tpm2_key *key, const char **ret_why)
{
    struct der list;
    if (!has(d, TAGGED(1)))
        return true;
    if (!take_explicit(d, 1, SEQUENCE, &list))
        return fail(ret_why, "is damaged: its policy is no sequence");
    while (list.len != 0) {
        struct tpm2_statement *s = &key->policy[key->npolicy];
        if (key->npolicy == TPM2_POLICY_MAX)
            return fail(ret_why, "has a policy of more than 8 statements");
        if (!read_statement(&list, s))
            return fail(ret_why, "is damaged: a statement of its policy is no command");
        if (!known(s))
            return fail(ret_why, "has a policy that is not understood: only PolicyPCR and PolicyAuthValue are");
        key->npolicy++;
    }
    return true;
}

/* [2] wrapped for import, [3] signed policies, [4] a description, [5] a primary of another kind. */
static bool read_rest(struct der *d, const char **ret_why)
{
    struct der text;
    bool rsa_parent = false;
    if (has(d, TAGGED(2)))
        return fail(ret_why, "is a key that is still to be imported into a TPM, not a sealed one");
    if (has(d, TAGGED(3)))
        return fail(ret_why, "has signed policies, which are not understood");
    if (has(d, TAGGED(4)) && !take(d, TAGGED(4), &text))
        return fail(ret_why, "is damaged: its description has no end");
    if (!read_boolean(d, 5, &rsa_parent))
        return fail(ret_why, "is damaged: a field is no boolean");
    if (rsa_parent)
        return fail(ret_why, "was made under an RSA primary key: make that key persistent and seal under its handle");
    return true;
}

static bool read_parts(struct der *d, struct tpm2_key *key, const char **ret_why)
{
    struct der parent, pub, priv;
    if (!take(d, INTEGER, &parent) || !take(d, OCTETS, &pub) || !take(d, OCTETS, &priv) || d->len != 0)
        return fail(ret_why, "is damaged: want a parent, a public and a private part, and nothing behind them");
    if (!read_u32(&parent, &key->parent))
        return fail(ret_why, "is damaged: its parent is no handle");
    if (key->parent != TPM2_OWNER && key->parent != TPM2_ENDORSEMENT && !TPM2_IS_PERSISTENT(key->parent))
        return fail(ret_why, "names a parent that does not last: want the owner hierarchy or a handle 0x81......");
    key->pub = pub.p;
    key->pub_len = pub.len;
    key->priv = priv.p;
    key->priv_len = priv.len;
    return true;
}

bool tpm2_key_read(const uint8_t *der, size_t len, struct tpm2_key *ret, const char **ret_why)
{
    struct tpm2_key key = { 0 };
    struct tpm2_public public;
    struct der all = { der, len }, d;
    if (!take(&all, SEQUENCE, &d) || all.len != 0)
        return fail(ret_why, "is no TSS2 key file: not one DER sequence");
    if (!read_type(&d, &key.sealed, ret_why))
        return false;
    if (!read_boolean(&d, 0, &key.empty_auth))
        return fail(ret_why, "is damaged: emptyAuth is no boolean");
    if (!read_policy(&d, &key, ret_why) || !read_rest(&d, ret_why) || !read_parts(&d, &key, ret_why) ||
        !tpm2_public_read(key.pub, key.pub_len, &public, ret_why))
        return false;
    *ret = key;
    return true;
}

/* ---- what the TPM's own structures say ---- */

static unsigned u16(const uint8_t *p)
{
    return (unsigned)p[0] << 8 | p[1];
}

static uint32_t u32(const uint8_t *p)
{
    return (uint32_t)u16(p) << 16 | u16(p + 2);
}

/* TPM2B_PUBLIC: size, type, nameAlg, attributes, authPolicy, ... */
bool tpm2_public_read(const uint8_t *pub, size_t len, struct tpm2_public *ret, const char **ret_why)
{
    enum { KEYEDHASH = 0x0008, USER_WITH_AUTH = 1 << 6, NO_DA = 1 << 10, KEY = 1 << 16 | 1 << 17 | 1 << 18 };
    if (len < 12 || u16(pub) != len - 2 || u16(pub + 10) > len - 12)
        return fail(ret_why, "is damaged: its public part is no TPM2B_PUBLIC");
    uint32_t attributes = u32(pub + 6);
    if (u16(pub + 2) != KEYEDHASH || (attributes & KEY) != 0)
        return fail(ret_why, "holds a key that stays in the TPM, not sealed data: an Ed25519 seed must be sealed");
    *ret = (struct tpm2_public){ .user_with_auth = (attributes & USER_WITH_AUTH) != 0,
                                 .no_da = (attributes & NO_DA) != 0,
                                 .has_policy = u16(pub + 10) != 0 };
    return true;
}

/* The bytes of a TPML_PCR_SELECTION at p, 0 when it is none. */
static size_t selection_len(const uint8_t *p, size_t len)
{
    size_t at = 4;
    if (len < 4 || u32(p) == 0 || u32(p) > TPM2_BANKS_MAX)
        return 0;
    for (uint32_t i = u32(p); i > 0; i--) {
        if (len - at < 3 || p[at + 2] == 0 || p[at + 2] > 4 || len - at - 3 < p[at + 2])
            return 0;
        at += 3 + (size_t)p[at + 2];
    }
    return at;
}

bool tpm2_pcr_read(const uint8_t *body, size_t len, struct tpm2_pcr_statement *ret)
{
    size_t n = len >= 2 ? u16(body) : 0;
    if (len >= 2 && n <= 64 && n <= len - 2 && len - 2 - n != 0 &&
        selection_len(body + 2 + n, len - 2 - n) == len - 2 - n) {
        *ret = (struct tpm2_pcr_statement){ body + 2, body + 2 + n, n, len - 2 - n };
        return true;
    }
    n = selection_len(body, len);
    if (n == 0 || len - n > 64)
        return false;
    *ret = (struct tpm2_pcr_statement){ body + n, body, len - n, n };
    return true;
}

/* ---- writing: from the end to the front, so that every length is known when it is put ---- */

struct back {
    uint8_t *start, *p;
    bool full;
};

static void put(struct back *b, const void *bytes, size_t n)
{
    if (b->full || n > (size_t)(b->p - b->start)) {
        b->full = true;
        return;
    }
    b->p -= n;
    if (n != 0)
        memcpy(b->p, bytes, n);
}

static void put_byte(struct back *b, unsigned byte)
{
    uint8_t one = (uint8_t)byte;
    put(b, &one, 1);
}

/* Tag and length of what was put since `end` was the front. */
static void put_head(struct back *b, unsigned tag, const uint8_t *end)
{
    size_t n = (size_t)(end - b->p);
    if (n >= 0x100) {
        put_byte(b, (unsigned)(n & 0xff));
        put_byte(b, (unsigned)(n >> 8));
        put_byte(b, 0x82);
    } else {
        put_byte(b, (unsigned)n);
        if (n >= 0x80)
            put_byte(b, 0x81);
    }
    put_byte(b, tag);
}

static void put_octets(struct back *b, const uint8_t *bytes, size_t n)
{
    const uint8_t *end = b->p;
    put(b, bytes, n);
    put_head(b, OCTETS, end);
}

static void put_u32(struct back *b, uint32_t number)
{
    const uint8_t *end = b->p;
    do {
        put_byte(b, number & 0xff);
        number >>= 8;
    } while (number != 0);
    if (!b->full && *b->p >= 0x80)
        put_byte(b, 0);
    put_head(b, INTEGER, end);
}

static void put_statement(struct back *b, const struct tpm2_statement *s)
{
    const uint8_t *end = b->p;
    put_octets(b, s->body, s->len);
    put_head(b, TAGGED(1), end);
    const uint8_t *code = b->p;
    put_u32(b, s->code);
    put_head(b, TAGGED(0), code);
    put_head(b, SEQUENCE, end);
}

static void put_policy(struct back *b, const struct tpm2_key *key)
{
    const uint8_t *end = b->p;
    if (key->npolicy == 0)
        return;
    for (size_t i = key->npolicy; i > 0; i--)
        put_statement(b, &key->policy[i - 1]);
    put_head(b, SEQUENCE, end);
    put_head(b, TAGGED(1), end);
}

/* False is said by absence, as the draft recommends. */
static void put_empty_auth(struct back *b, bool empty_auth)
{
    const uint8_t *end = b->p;
    if (!empty_auth)
        return;
    put_byte(b, 0xff);
    put_head(b, BOOLEAN, end);
    put_head(b, TAGGED(0), end);
}

size_t tpm2_key_write(const struct tpm2_key *key, uint8_t ret_der[TPM2_DER_MAX])
{
    uint8_t buf[TPM2_DER_MAX];
    struct back b = { buf, buf + sizeof buf, false };
    const uint8_t *end = b.p;
    put_octets(&b, key->priv, key->priv_len);
    put_octets(&b, key->pub, key->pub_len);
    put_u32(&b, key->parent);
    put_policy(&b, key);
    put_empty_auth(&b, key->empty_auth);
    const uint8_t *type = b.p;
    put_byte(&b, key->sealed ? SEALED : LOADABLE);
    put(&b, oid_prefix, sizeof oid_prefix);
    put_head(&b, OID, type);
    put_head(&b, SEQUENCE, end);
    if (b.full)
        return 0;
    memcpy(ret_der, b.p, (size_t)(end - b.p));
    return (size_t)(end - b.p);
}
