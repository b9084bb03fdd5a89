/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Changing the token: new keys, imported keys, rotation, removal. A key that the token made, or took, counts only after
 * it has signed something that its public key verifies; else it is destroyed again. Rotation renames in the order that
 * versions.c explains. A seed that is imported goes from the caller's memory to the module and nowhere else.
 */
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "pkcs11.h"

#define ITEMS_MAX 300 /* two objects of 64 versions, and what may be left over */

struct job {
    const char *key_id;
    unsigned flags;
    const uint8_t *seed; /* NULL: the token makes the key */
    uint8_t key[TENUO_PUBKEY_BYTES];
    uint32_t version;
};

struct pair {
    CK_OBJECT_HANDLE public, private;
};

/* ---- making ---- */

static const uint8_t curve_name[] = { 0x13, 12, 'e', 'd', 'w', 'a', 'r', 'd', 's', '2', '5', '5', '1', '9' };
static const uint8_t curve_oid[] = { 0x06, 3, 0x2b, 0x65, 0x70 };

/* Label and id of both objects. */
struct naming {
    char name[P11_NAME_BYTES], other[P11_OTHER_BYTES];
    CK_ULONG len, other_len;
};

static void name_pair(const struct p11_session *s, const char *text, uint32_t version, struct naming *n)
{
    n->len = p11_name(s->p, text, n->name);
    n->other_len = p11_other_name(version, n->other);
}

static CK_ATTRIBUTE attribute(CK_ATTRIBUTE_TYPE type, const void *value, CK_ULONG len)
{
    return (CK_ATTRIBUTE){ type, (void *)(uintptr_t)value, len };
}

static CK_RV generate_pair(struct p11_session *s, const struct naming *n, const uint8_t *params, size_t params_len,
                           struct pair *ret)
{
    static const CK_BBOOL yes = CK_TRUE, no = CK_FALSE;
    CK_MECHANISM mechanism = { CKM_EC_EDWARDS_KEY_PAIR_GEN, NULL, 0 };
    CK_ATTRIBUTE_TYPE named = s->p->named, other = p11_other(s->p);
    CK_ATTRIBUTE public[] = { attribute(CKA_TOKEN, &yes, 1),     attribute(CKA_PRIVATE, &no, 1),
                              attribute(CKA_VERIFY, &yes, 1),    attribute(CKA_EC_PARAMS, params, params_len),
                              attribute(named, n->name, n->len), attribute(other, n->other, n->other_len) };
    CK_ATTRIBUTE private[] = {
        attribute(CKA_TOKEN, &yes, 1),           attribute(CKA_PRIVATE, &yes, 1), attribute(CKA_SENSITIVE, &yes, 1),
        attribute(CKA_EXTRACTABLE, &no, 1),      attribute(CKA_SIGN, &yes, 1),    attribute(named, n->name, n->len),
        attribute(other, n->other, n->other_len)
    };
    return s->token.f->C_GenerateKeyPair(s->handle, &mechanism, public, 6, private, 7, &ret->public, &ret->private);
}

static int make_pair(struct p11_session *s, const char *text, uint32_t version, struct pair *ret)
{
    struct naming n;
    name_pair(s, text, version, &n);
    CK_RV rv = generate_pair(s, &n, curve_name, sizeof curve_name, ret);
    if (rv == CKR_ATTRIBUTE_VALUE_INVALID || rv == CKR_CURVE_NOT_SUPPORTED || rv == CKR_DOMAIN_PARAMS_INVALID)
        rv = generate_pair(s, &n, curve_oid, sizeof curve_oid, ret);
    return rv == CKR_OK ? TENUO_OK : p11_fail(s, rv, "makes no key");
}

static void destroy(struct p11_session *s, const struct pair *pair)
{
    (void)s->token.f->C_DestroyObject(s->handle, pair->private);
    (void)s->token.f->C_DestroyObject(s->handle, pair->public);
}

static CK_RV create_private(struct p11_session *s, const struct naming *n, const uint8_t *seed, CK_OBJECT_HANDLE *ret)
{
    static const CK_BBOOL yes = CK_TRUE, no = CK_FALSE;
    static const CK_OBJECT_CLASS class = CKO_PRIVATE_KEY;
    static const CK_KEY_TYPE type = CKK_EC_EDWARDS;
    CK_ATTRIBUTE a[] = { attribute(CKA_CLASS, &class, sizeof class),
                         attribute(CKA_KEY_TYPE, &type, sizeof type),
                         attribute(CKA_TOKEN, &yes, 1),
                         attribute(CKA_PRIVATE, &yes, 1),
                         attribute(CKA_SENSITIVE, &yes, 1),
                         attribute(CKA_EXTRACTABLE, &no, 1),
                         attribute(CKA_SIGN, &yes, 1),
                         attribute(s->p->named, n->name, n->len),
                         attribute(p11_other(s->p), n->other, n->other_len),
                         attribute(CKA_EC_PARAMS, curve_name, sizeof curve_name),
                         attribute(CKA_VALUE, seed, TENUO_SEED_BYTES) };
    return s->token.f->C_CreateObject(s->handle, a, sizeof a / sizeof a[0], ret);
}

static CK_RV create_public(struct p11_session *s, const struct naming *n, const uint8_t *key, CK_OBJECT_HANDLE *ret)
{
    static const CK_BBOOL yes = CK_TRUE, no = CK_FALSE;
    static const CK_OBJECT_CLASS class = CKO_PUBLIC_KEY;
    static const CK_KEY_TYPE type = CKK_EC_EDWARDS;
    uint8_t point[34] = { 0x04, 32 };
    memcpy(point + 2, key, TENUO_PUBKEY_BYTES);
    CK_ATTRIBUTE a[] = { attribute(CKA_CLASS, &class, sizeof class),
                         attribute(CKA_KEY_TYPE, &type, sizeof type),
                         attribute(CKA_TOKEN, &yes, 1),
                         attribute(CKA_PRIVATE, &no, 1),
                         attribute(CKA_VERIFY, &yes, 1),
                         attribute(s->p->named, n->name, n->len),
                         attribute(p11_other(s->p), n->other, n->other_len),
                         attribute(CKA_EC_PARAMS, curve_name, sizeof curve_name),
                         attribute(CKA_EC_POINT, point, sizeof point) };
    return s->token.f->C_CreateObject(s->handle, a, sizeof a / sizeof a[0], ret);
}

/* The private object first: without a public one nothing is found, so half an import is no key. */
static int import_pair(struct p11_session *s, const char *text, uint32_t version, const uint8_t *seed, struct pair *ret)
{
    uint8_t key[TENUO_PUBKEY_BYTES], secret[crypto_sign_SECRETKEYBYTES];
    struct naming n;
    struct pair pair = { 0 };
    name_pair(s, text, version, &n);
    CK_RV rv = create_private(s, &n, seed, &pair.private);
    if (rv != CKR_OK)
        return p11_fail(s, rv, "takes no key from outside");
    crypto_sign_seed_keypair(key, secret, seed);
    sodium_memzero(secret, sizeof secret);
    rv = create_public(s, &n, key, &pair.public);
    if (rv == CKR_OK) {
        *ret = pair;
        return TENUO_OK;
    }
    (void)s->token.f->C_DestroyObject(s->handle, pair.private);
    return p11_fail(s, rv, "takes no public key object");
}

/* Makers differ in what CKA_VALUE is, and some tokens have Ed25519 but sign with another kind of it. */
static int prove(struct p11_session *s, const struct pair *pair, struct job *job)
{
    static const uint8_t text[] = "tenuo: does this key sign?";
    uint8_t signature[TENUO_SIG_BYTES];
    struct p11_key public, private;
    int r = p11_key_read(s, pair->public, &public);
    if (r == TENUO_OK)
        r = p11_key_read(s, pair->private, &private);
    if (r == TENUO_OK && (public.wrong != NULL || !public.has_point))
        r = p11_say(s, TENUO_E_KEY_INVALID, "made a key that is no Ed25519 key: it cannot be used here");
    if (r == TENUO_OK)
        r = p11_sign_with(s, &private, text, sizeof text, signature);
    if (r == TENUO_OK && crypto_sign_verify_detached(signature, text, sizeof text, public.point) != 0)
        r = p11_say(s, TENUO_E_KEY_INVALID, "signs what its public key does not verify: it cannot be used here");
    if (r == TENUO_OK)
        memcpy(job->key, public.point, sizeof job->key);
    return r;
}

static int new_pair(struct p11_session *s, const char *text, struct job *job, struct pair *ret)
{
    struct pair pair;
    int r = job->seed != NULL ? import_pair(s, text, job->version, job->seed, &pair)
                              : make_pair(s, text, job->version, &pair);
    if (r != TENUO_OK)
        return r;
    r = prove(s, &pair, job);
    if (r != TENUO_OK) {
        destroy(s, &pair);
        return r;
    }
    *ret = pair;
    return TENUO_OK;
}

/* ---- rotation ---- */

static CK_RV rename_to(struct p11_session *s, CK_OBJECT_HANDLE object, const char *text)
{
    char name[P11_NAME_BYTES];
    size_t len = p11_name(s->p, text, name);
    CK_ATTRIBUTE a = attribute(s->p->named, name, len);
    return s->token.f->C_SetAttributeValue(s->handle, object, &a, 1);
}

/* What a crash left: the newest key's private object gets its name, and a key that nobody was told of goes. */
static int tidy(struct p11_session *s, const char *key_id, CK_OBJECT_HANDLE private, const char *text)
{
    static const CK_OBJECT_CLASS classes[] = { CKO_PRIVATE_KEY, CKO_PUBLIC_KEY };
    char pending[TN_VERSION_NAME_BYTES];
    CK_OBJECT_HANDLE objects[8];
    size_t n = 0;
    p11_pending(key_id, pending);
    CK_RV rv = strcmp(text, pending) == 0 ? rename_to(s, private, key_id) : CKR_OK;
    for (size_t c = 0; rv == CKR_OK && c < 2; c++) {
        int r = p11_find(s, classes[c], pending, objects, 8, &n);
        if (r != TENUO_OK)
            return r;
        for (size_t i = 0; i < n && rv == CKR_OK; i++)
            rv = s->token.f->C_DestroyObject(s->handle, objects[i]);
    }
    return rv == CKR_OK ? TENUO_OK : p11_fail(s, rv, "does not let what an earlier rotation left be removed");
}

/* The order that versions.c explains. Before the third step nothing has changed for anybody, and is put back. */
static int move(struct p11_session *s, const char *key_id, const char *old_text, const struct pair *old,
                const struct pair *new)
{
    CK_RV rv = rename_to(s, old->private, old_text);
    if (rv == CKR_OK)
        rv = rename_to(s, old->public, old_text);
    if (rv == CKR_OK)
        rv = rename_to(s, new->public, key_id);
    if (rv != CKR_OK) {
        (void)rename_to(s, old->public, key_id);
        (void)rename_to(s, old->private, key_id);
        destroy(s, new);
        return p11_fail(s, rv, "does not let a key be renamed");
    }
    rv = rename_to(s, new->private, key_id);
    if (rv != CKR_OK)
        s->p->host->log(s->p->host, TENUO_LOG_WARNING,
                        "token '%s': the new private object of '%s' kept the name "
                        "'%s" P11_PENDING "'; it is found there",
                        s->token.label, key_id, key_id);
    return TENUO_OK;
}

static int rotate(struct p11_session *s, struct job *job, const struct p11_place *place)
{
    char text[TN_VERSION_NAME_BYTES], pending[TN_VERSION_NAME_BYTES], old_text[TN_VERSION_NAME_BYTES];
    struct p11_key public, private;
    struct pair pair;
    if (place->v.full || place->v.count + 1 >= TENUO_KEY_VERSIONS_MAX)
        return p11_say(s, TENUO_E_INVALID_ARGUMENT, "has %d versions of '%s': remove old ones first",
                       TENUO_KEY_VERSIONS_MAX, job->key_id);
    int r = p11_public_of(s, place, &public);
    if (r == TENUO_OK)
        r = p11_private_of(s, job->key_id, place->number, &private, text);
    if (r == TENUO_OK)
        r = tidy(s, job->key_id, private.object, text);
    p11_pending(job->key_id, pending);
    job->version = place->number + 1;
    if (r == TENUO_OK)
        r = new_pair(s, pending, job, &pair);
    if (r != TENUO_OK)
        return r;
    tn_version_name(job->key_id, place->number, old_text);
    struct pair old = { public.object, private.object };
    return move(s, job->key_id, old_text, &old, &pair);
}

static int put(struct p11_session *s, void *arg)
{
    struct job *job = arg;
    struct p11_place place;
    struct pair pair;
    bool newer = (job->flags & TENUO_STORE_NEW_VERSION) != 0;
    int r = p11_locate(s, job->key_id, 0, &place);
    if (newer)
        return r == TENUO_OK ? rotate(s, job, &place) : r;
    if (r == TENUO_OK)
        return p11_say(s, TENUO_E_KEY_CONFLICT, "has a key '%s': tenuo key rotate gives it a newer version",
                       job->key_id);
    if (r != TENUO_E_KEY_NOT_FOUND)
        return r;
    job->version = 1;
    return new_pair(s, job->key_id, job, &pair);
}

int p11_generate(void *self, const char *key_id, unsigned flags, uint8_t ret_key[TENUO_PUBKEY_BYTES],
                 uint32_t *ret_version)
{
    struct job job = { .key_id = key_id, .flags = flags };
    if ((flags & ~TENUO_STORE_NEW_VERSION) != 0)
        return TENUO_E_INVALID_ARGUMENT;
    int r = p11_with(self, true, put, &job);
    if (r != TENUO_OK)
        return r;
    memcpy(ret_key, job.key, sizeof job.key);
    *ret_version = job.version;
    return TENUO_OK;
}

int p11_import(void *self, const char *key_id, unsigned flags, const uint8_t seed[TENUO_SEED_BYTES],
               uint32_t *ret_version)
{
    struct job job = { .key_id = key_id, .flags = flags, .seed = seed };
    if ((flags & ~TENUO_STORE_NEW_VERSION) != 0)
        return TENUO_E_INVALID_ARGUMENT;
    int r = p11_with(self, true, put, &job);
    if (r == TENUO_OK)
        *ret_version = job.version;
    return r;
}

/* ---- removal ---- */

struct item {
    uint32_t rank; /* order of going: older versions first, what is under ID last */
    bool public;
    CK_OBJECT_HANDLE object;
};

struct items {
    const char *key_id;
    struct item list[ITEMS_MAX];
    size_t n;
    bool public, more;
};

static int take(void *arg, CK_OBJECT_HANDLE object, const char *text, size_t len)
{
    struct items *t = arg;
    char id[TENUO_KEY_ID_MAX + 1], pending[TN_VERSION_NAME_BYTES];
    uint32_t version = 0;
    p11_pending(t->key_id, pending);
    bool is_pending = strlen(pending) == len && memcmp(pending, text, len) == 0;
    if (!is_pending && (!tn_version_parse(text, len, id, &version) || strcmp(id, t->key_id) != 0))
        return TENUO_OK;
    t->more = t->n == ITEMS_MAX;
    if (t->more)
        return TENUO_OK;
    uint32_t rank = is_pending ? UINT32_MAX - 1 : version == 0 ? UINT32_MAX : version;
    t->list[t->n++] = (struct item){ rank, t->public, object };
    return TENUO_OK;
}

static int compare(const void *a, const void *b)
{
    const struct item *x = a, *y = b;
    if (x->rank != y->rank)
        return x->rank < y->rank ? -1 : 1;
    return (int)x->public - (int)y->public;
}

static int gather(struct p11_session *s, struct items *t)
{
    int r = p11_each(s, CKO_PRIVATE_KEY, take, t);
    t->public = true;
    if (r == TENUO_OK)
        r = p11_each(s, CKO_PUBLIC_KEY, take, t);
    if (r == TENUO_OK && t->more)
        r = p11_say(s, TENUO_E_KEY_CONFLICT, "has more than %d objects of '%s': remove them with pkcs11-tool",
                    ITEMS_MAX, t->key_id);
    if (t->n > 0)
        qsort(t->list, t->n, sizeof t->list[0], compare);
    return r;
}

/* Nothing goes before all of it is known to be ours. `rank` 0: everything. */
static int destroy_items(struct p11_session *s, const struct items *t, uint32_t rank)
{
    struct p11_key key;
    for (size_t i = 0; i < t->n; i++) {
        if (rank != 0 && t->list[i].rank != rank)
            continue;
        int r = p11_key_read(s, t->list[i].object, &key);
        if (r != TENUO_OK)
            return r;
        if (key.wrong != NULL)
            return p11_say(s, TENUO_E_KEY_INVALID, "'%s' is %s, and is left alone: remove it with pkcs11-tool",
                           t->key_id, key.wrong);
    }
    for (size_t i = 0; i < t->n; i++) {
        if (rank != 0 && t->list[i].rank != rank)
            continue;
        CK_RV rv = s->token.f->C_DestroyObject(s->handle, t->list[i].object);
        if (rv != CKR_OK && rv != CKR_OBJECT_HANDLE_INVALID)
            return p11_fail(s, rv, "does not let a key be removed");
    }
    return TENUO_OK;
}

static int remove_in(struct p11_session *s, const struct job *job, struct items *t)
{
    struct p11_place place;
    int r = p11_locate(s, job->key_id, job->version, &place);
    if (r == TENUO_E_KEY_INVALID && job->version == 0)
        r = TENUO_OK; /* a private object alone: it goes too */
    else if (r == TENUO_OK && job->version != 0 && place.number == place.newest && place.oldest != place.newest)
        r = p11_say(s, TENUO_E_INVALID_ARGUMENT, "keeps older versions of '%s': remove these first, or all of them",
                    job->key_id);
    if (r == TENUO_OK)
        r = gather(s, t);
    if (r != TENUO_OK)
        return r;
    return destroy_items(s, t, job->version == 0 || place.number == place.newest ? 0 : place.number);
}

static int remove_it(struct p11_session *s, void *arg)
{
    struct job *job = arg;
    struct items *t = calloc(1, sizeof *t);
    if (t == NULL)
        return TENUO_E_NOMEM;
    t->key_id = job->key_id;
    int r = remove_in(s, job, t);
    free(t);
    return r;
}

int p11_remove(void *self, const char *key_id, uint32_t version)
{
    struct job job = { .key_id = key_id, .version = version };
    return p11_with(self, true, remove_it, &job);
}
