/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Objects on the token: found by name, read, and used to sign. Every length that a module hands back is checked against
 * the room it was given; what is no Ed25519 key is named as what it is.
 */
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "pkcs11.h"

#define BATCH 64

/* ---- finding ---- */

/* Handles into *list, which grows up to P11_OBJECTS_MAX; more than that is an error of its own. */
struct handles {
    CK_OBJECT_HANDLE *list;
    size_t n, cap;
};

static bool add(struct handles *h, const CK_OBJECT_HANDLE *batch, size_t n)
{
    if (h->cap - h->n < n) {
        size_t cap = h->cap + 4 * BATCH;
        CK_OBJECT_HANDLE *list = reallocarray(h->list, cap, sizeof *list);
        if (list == NULL)
            return false;
        h->list = list;
        h->cap = cap;
    }
    memcpy(h->list + h->n, batch, n * sizeof *batch);
    h->n += n;
    return true;
}

static int collect(struct p11_session *s, size_t most, struct handles *h)
{
    CK_OBJECT_HANDLE batch[BATCH];
    while (h->n < most) {
        CK_ULONG n = 0;
        CK_RV rv = s->token.f->C_FindObjects(s->handle, batch, BATCH, &n);
        if (rv != CKR_OK)
            return p11_fail(s, rv, "cannot be searched");
        if (n > BATCH)
            return p11_fail(s, CKR_GENERAL_ERROR, "finds more than was asked for");
        if (n == 0)
            return TENUO_OK;
        if (!add(h, batch, n))
            return TENUO_E_NOMEM;
    }
    return TENUO_OK;
}

static int search(struct p11_session *s, CK_ATTRIBUTE *template, CK_ULONG count, size_t most, struct handles *h)
{
    CK_RV rv = s->token.f->C_FindObjectsInit(s->handle, template, count);
    if (rv != CKR_OK)
        return p11_fail(s, rv, "cannot be searched");
    int r = collect(s, most, h);
    rv = s->token.f->C_FindObjectsFinal(s->handle);
    if (rv != CKR_OK)
        s->broken = true;
    return r;
}

int p11_find(struct p11_session *s, CK_OBJECT_CLASS class, const char *text, CK_OBJECT_HANDLE *ret, size_t cap,
             size_t *ret_n)
{
    char name[P11_NAME_BYTES];
    CK_BBOOL yes = CK_TRUE;
    struct handles h = { 0 };
    CK_ATTRIBUTE template[] = {
        { CKA_CLASS, &class, sizeof class },
        { CKA_TOKEN, &yes, sizeof yes },
        { s->p->named, name, p11_name(s->p, text, name) },
    };
    int r = search(s, template, 3, cap, &h);
    if (r == TENUO_OK) {
        *ret_n = h.n < cap ? h.n : cap;
        if (*ret_n > 0)
            memcpy(ret, h.list, *ret_n * sizeof *ret);
    }
    free(h.list);
    return r;
}

/* One attribute into room that is large enough for all we want; false when it is absent, secret or larger. */
static bool fits(const CK_ATTRIBUTE *a, size_t room)
{
    return a->ulValueLen != (CK_ULONG)-1 && a->ulValueLen <= room;
}

/* Values that say that some of the attributes are not to be had; the others are there. */
static bool is_partial(CK_RV rv)
{
    return rv == CKR_OK || rv == CKR_ATTRIBUTE_TYPE_INVALID || rv == CKR_ATTRIBUTE_SENSITIVE ||
           rv == CKR_BUFFER_TOO_SMALL;
}

static int each_name(struct p11_session *s, const struct handles *h, p11_each_fn *fn, void *arg)
{
    char name[P11_NAME_MAX];
    int r = TENUO_OK;
    for (size_t i = 0; i < h->n && r == TENUO_OK; i++) {
        CK_ATTRIBUTE a = { s->p->named, name, sizeof name };
        const char *text;
        size_t len;
        CK_RV rv = s->token.f->C_GetAttributeValue(s->handle, h->list[i], &a, 1);
        if (rv == CKR_OBJECT_HANDLE_INVALID) /* removed meanwhile */
            continue;
        if (!is_partial(rv))
            return p11_fail(s, rv, "does not give an object's name");
        if (rv == CKR_OK && fits(&a, sizeof name) && p11_unname(s->p, name, a.ulValueLen, &text, &len))
            r = fn(arg, h->list[i], text, len);
    }
    return r;
}

int p11_each(struct p11_session *s, CK_OBJECT_CLASS class, p11_each_fn *fn, void *arg)
{
    CK_BBOOL yes = CK_TRUE;
    struct handles h = { 0 };
    CK_ATTRIBUTE template[] = { { CKA_CLASS, &class, sizeof class }, { CKA_TOKEN, &yes, sizeof yes } };
    int r = search(s, template, 2, P11_OBJECTS_MAX + 1, &h);
    if (r == TENUO_OK && h.n > P11_OBJECTS_MAX)
        r = p11_say(s, TENUO_E_UNAVAILABLE, "holds more than %d keys of one class: use another token", P11_OBJECTS_MAX);
    if (r == TENUO_OK)
        r = each_name(s, &h, fn, arg);
    free(h.list);
    return r;
}

/* ---- reading ---- */

static bool is_ed25519(const uint8_t *params, size_t n)
{
    /* PrintableString "edwards25519"; 1.3.101.112; the older number that OpenPGP cards give */
    static const uint8_t name[] = { 0x13, 12, 'e', 'd', 'w', 'a', 'r', 'd', 's', '2', '5', '5', '1', '9' };
    static const uint8_t oid[] = { 0x06, 3, 0x2b, 0x65, 0x70 };
    static const uint8_t gnu[] = { 0x06, 9, 0x2b, 6, 1, 4, 1, 0xda, 0x47, 0x0f, 1 };
    return (n == sizeof name && memcmp(params, name, n) == 0) || (n == sizeof oid && memcmp(params, oid, n) == 0) ||
           (n == sizeof gnu && memcmp(params, gnu, n) == 0);
}

/* OCTET STRING, BIT STRING or the 32 bytes alone. */
static bool read_point(const uint8_t *p, size_t n, uint8_t ret[TENUO_PUBKEY_BYTES])
{
    if (n == 34 && p[0] == 0x04 && p[1] == 32)
        p += 2;
    else if (n == 35 && p[0] == 0x03 && p[1] == 33 && p[2] == 0)
        p += 3;
    else if (n != 32)
        return false;
    memcpy(ret, p, TENUO_PUBKEY_BYTES);
    return true;
}

static const char *name_of_type(CK_KEY_TYPE type)
{
    switch (type) {
    case CKK_RSA:
        return "an RSA key";
    case CKK_EC:
        return "an EC key of another curve than Ed25519";
    case CKK_DSA:
    case CKK_DH:
        return "a DSA or DH key";
    default:
        return "a key of another type than Ed25519";
    }
}

int p11_key_read(struct p11_session *s, CK_OBJECT_HANDLE object, struct p11_key *ret_key)
{
    CK_KEY_TYPE type = 0;
    uint8_t params[64], point[64];
    CK_BBOOL sign = CK_FALSE, always = CK_FALSE, sensitive = CK_FALSE, extractable = CK_TRUE;
    CK_ATTRIBUTE a[] = {
        { CKA_KEY_TYPE, &type, sizeof type },
        { CKA_EC_PARAMS, params, sizeof params },
        { CKA_EC_POINT, point, sizeof point },
        { CKA_SIGN, &sign, sizeof sign },
        { CKA_ALWAYS_AUTHENTICATE, &always, sizeof always },
        { CKA_SENSITIVE, &sensitive, sizeof sensitive },
        { CKA_EXTRACTABLE, &extractable, sizeof extractable },
    };
    struct p11_key key = { .object = object };
    CK_RV rv = s->token.f->C_GetAttributeValue(s->handle, object, a, sizeof a / sizeof a[0]);
    if (!is_partial(rv))
        return p11_fail(s, rv, "does not say what a key is");
    if (a[0].ulValueLen != sizeof type)
        key.wrong = "an object that does not say which kind of key it is";
    else if (type != CKK_EC_EDWARDS)
        key.wrong = name_of_type(type);
    else if (!fits(&a[1], sizeof params) || !is_ed25519(params, a[1].ulValueLen))
        key.wrong = "an Edwards key of another curve than Ed25519";
    key.has_point = fits(&a[2], sizeof point) && read_point(point, a[2].ulValueLen, key.point);
    key.sign = a[3].ulValueLen == sizeof sign && sign == CK_TRUE;
    key.always_authenticate = a[4].ulValueLen == sizeof always && always == CK_TRUE;
    key.sensitive = a[5].ulValueLen == sizeof sensitive && sensitive == CK_TRUE;
    key.extractable = a[6].ulValueLen != sizeof extractable || extractable == CK_TRUE;
    *ret_key = key;
    return TENUO_OK;
}

/* ---- the other name ---- */

CK_ATTRIBUTE_TYPE p11_other(const struct p11 *p)
{
    return p->named == CKA_LABEL ? CKA_ID : CKA_LABEL;
}

/* "tn2-5d3c07a1b2c3d4e5": of its own for each pair, so that other tools see which two belong together. */
size_t p11_other_name(uint32_t version, char ret_name[P11_OTHER_BYTES])
{
    uint64_t random;
    randombytes_buf(&random, sizeof random);
    int n = snprintf(ret_name, P11_OTHER_BYTES, "tn%lu-%016llx", (unsigned long)version, (unsigned long long)random);
    return n < 0 ? 0 : (size_t)n;
}

static uint32_t read_number(const char *name, size_t len)
{
    uint32_t number = 0;
    size_t i = 2;
    if (len < 4 || memcmp(name, "tn", 2) != 0 || name[2] == '0')
        return 0;
    for (; i < len && name[i] >= '0' && name[i] <= '9' && number < UINT32_MAX / 20; i++)
        number = number * 10 + (uint32_t)(name[i] - '0');
    return i > 2 && i + 17 == len && name[i] == '-' ? number : 0;
}

int p11_number(struct p11_session *s, CK_OBJECT_HANDLE object, uint32_t *ret_number)
{
    char name[P11_OTHER_BYTES];
    CK_ATTRIBUTE a = { p11_other(s->p), name, sizeof name };
    CK_RV rv = s->token.f->C_GetAttributeValue(s->handle, object, &a, 1);
    if (!is_partial(rv))
        return p11_fail(s, rv, "does not give an object's name");
    *ret_number = rv == CKR_OK && fits(&a, sizeof name) ? read_number(name, a.ulValueLen) : 0;
    return TENUO_OK;
}

/* ---- signing ---- */

int p11_sign_with(struct p11_session *s, const struct p11_key *key, const uint8_t *message, size_t len,
                  uint8_t ret_signature[TENUO_SIG_BYTES])
{
    CK_MECHANISM eddsa = { CKM_EDDSA, NULL, 0 }; /* no parameters: pure Ed25519 */
    uint8_t signature[2 * TENUO_SIG_BYTES];
    CK_ULONG n = sizeof signature;
    CK_RV rv = s->token.f->C_SignInit(s->handle, &eddsa, key->object);
    if (rv != CKR_OK)
        return p11_fail(s, rv, "cannot sign");
    if (key->always_authenticate) {
        int r = p11_login(s, CKU_CONTEXT_SPECIFIC);
        if (r != TENUO_OK)
            return r;
    }
    rv = s->token.f->C_Sign(s->handle, (CK_BYTE_PTR)(uintptr_t)message, len, signature, &n);
    if (rv != CKR_OK)
        return p11_fail(s, rv, "cannot sign");
    if (n != TENUO_SIG_BYTES)
        return p11_say(s, TENUO_E_KEY_INVALID, "signs with %lu bytes, not 64: its module speaks another EdDSA", n);
    memcpy(ret_signature, signature, TENUO_SIG_BYTES);
    return TENUO_OK;
}
