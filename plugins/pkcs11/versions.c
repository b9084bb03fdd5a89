/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which two objects are version N of a key. The public objects' names decide; the private one of a version is found
 * under any name that an interrupted rotation can have left it with, so a crash loses nothing:
 *
 *   the new pair is made as ID@new; the old private, then the old public object becomes ID@N; the new public object
 *   becomes ID, which is when the key is replaced; the new private one follows.
 *
 * Whatever one finds in between, each public key has its private key under one of three names. Where there is no ID but
 * there are older ones, the newest of these is the newest.
 *
 * What was made here has its number in its other name (CKA_ID, as a rule), so that it keeps it when all older ones are
 * removed. For keys from elsewhere it is one more than the highest ID@N.
 *
 * Another program may rotate while we look. Whatever was taken by another name than ID@N is ours only if there is still
 * nothing under ID@N afterwards, for that is where a rotation puts it first.
 */
#include <stdio.h>
#include <string.h>

#include "pkcs11.h"

#define SAME_NAME_MAX 8

struct note {
    struct tn_versions *v;
    const char *key_id;
    CK_OBJECT_HANDLE plain;
};

static int note_name(void *arg, CK_OBJECT_HANDLE object, const char *text, size_t len)
{
    struct note *n = arg;
    tn_versions_note(n->v, n->key_id, text, len);
    if (strlen(n->key_id) == len && memcmp(n->key_id, text, len) == 0)
        n->plain = object;
    return TENUO_OK;
}

void p11_pending(const char *key_id, char ret_text[TN_VERSION_NAME_BYTES])
{
    snprintf(ret_text, TN_VERSION_NAME_BYTES, "%.*s" P11_PENDING, TENUO_KEY_ID_MAX, key_id);
}

void p11_newest(const struct tn_versions *v, uint32_t number, uint32_t *ret_oldest, uint32_t *ret_newest)
{
    uint32_t counted = tn_versions_newest(v);
    *ret_newest = !v->plain ? (v->count > 0 ? v->n[v->count - 1] : 0) : number > counted ? number : counted;
    *ret_oldest = v->count > 0 ? v->n[0] : *ret_newest;
}

static int absent(struct p11_session *s, const char *key_id, uint32_t version)
{
    if (!p11_still_in(s)) {
        if (!p11_has_pin(s->p)) { /* it never was */
            s->lost = false;
            return p11_say(s, TENUO_E_KEY_DENIED,
                           "shows no key '%s' without a login: set pin_file= or pin_credential=", key_id);
        }
        return s->lost ? TENUO_E_UNAVAILABLE : TENUO_E_KEY_DENIED;
    }
    if (version != 0)
        return p11_say(s, TENUO_E_KEY_NOT_FOUND, "has no version %u of '%s': tenuo key list shows which there are",
                       (unsigned)version, key_id);
    return p11_say(s, TENUO_E_KEY_NOT_FOUND, "has no key '%s': tenuo keygen --to makes one", key_id);
}

/* A private object alone is no missing key, and its public key cannot be asked of it. */
static int not_found(struct p11_session *s, const char *key_id, uint32_t version)
{
    CK_OBJECT_HANDLE object;
    size_t n = 0;
    int r = version != 0 ? TENUO_OK : p11_find(s, CKO_PRIVATE_KEY, key_id, &object, 1, &n);
    if (r != TENUO_OK)
        return r;
    if (n == 0)
        return absent(s, key_id, version);
    return p11_say(s, TENUO_E_KEY_INVALID,
                   "has the private object of '%s' alone: write its public key object beside "
                   "it, or remove it with pkcs11-tool",
                   key_id);
}

int p11_locate(struct p11_session *s, const char *key_id, uint32_t version, struct p11_place *ret_place)
{
    struct p11_place place = { 0 };
    struct note note = { .v = &place.v, .key_id = key_id };
    uint32_t suffix = 0, number = 0;
    int r = p11_each(s, CKO_PUBLIC_KEY, note_name, &note);
    if (r == TENUO_OK && note.plain != 0)
        r = p11_number(s, note.plain, &number);
    if (r != TENUO_OK)
        return r;
    p11_newest(&place.v, number, &place.oldest, &place.newest);
    place.number = version == 0 ? place.newest : version;
    *ret_place = place;
    if (place.newest == 0)
        return not_found(s, key_id, version);
    if (!place.v.plain || place.number != place.newest) {
        if (!tn_versions_find(&place.v, place.number, &suffix) || suffix == 0)
            return absent(s, key_id, version);
    }
    tn_version_name(key_id, suffix, place.text);
    *ret_place = place;
    return TENUO_OK;
}

static int judge_public(struct p11_session *s, const char *text, const struct p11_key *key)
{
    if (key->wrong != NULL)
        return p11_say(s, TENUO_E_KEY_INVALID, "'%s' is %s: use another id", text, key->wrong);
    if (!key->has_point)
        return p11_say(s, TENUO_E_KEY_INVALID, "'%s' has no readable CKA_EC_POINT: write its public key object anew",
                       text);
    return TENUO_OK;
}

/* Was the version meanwhile replaced, and is to be looked for anew? */
static int check_still(struct p11_session *s, CK_OBJECT_CLASS class, const char *key_id, uint32_t version)
{
    char text[TN_VERSION_NAME_BYTES];
    CK_OBJECT_HANDLE object;
    size_t n = 0;
    tn_version_name(key_id, version, text);
    int r = p11_find(s, class, text, &object, 1, &n);
    return r != TENUO_OK || n == 0 ? r : p11_fail(s, CKR_OBJECT_HANDLE_INVALID, "had a key replaced while it was read");
}

/* Objects under one name that are not the same key are two keys, and nobody can say which is meant. */
int p11_public_of(struct p11_session *s, const struct p11_place *place, struct p11_key *ret_key)
{
    CK_OBJECT_HANDLE objects[SAME_NAME_MAX];
    struct p11_key first, other;
    size_t n = 0;
    int r = p11_find(s, CKO_PUBLIC_KEY, place->text, objects, SAME_NAME_MAX, &n);
    if (r == TENUO_OK && n == 0) /* renamed since it was seen */
        r = p11_fail(s, CKR_OBJECT_HANDLE_INVALID, "changed a key while it was read");
    if (r == TENUO_OK)
        r = p11_key_read(s, objects[0], &first);
    for (size_t i = 1; r == TENUO_OK && i < n; i++) {
        r = p11_key_read(s, objects[i], &other);
        if (r == TENUO_OK && (first.wrong != NULL || other.wrong != NULL || !first.has_point || !other.has_point ||
                              memcmp(first.point, other.point, sizeof first.point) != 0))
            r = p11_say(s, TENUO_E_KEY_CONFLICT,
                        "has %zu different keys named '%s': rename or remove all but one with "
                        "pkcs11-tool",
                        n, place->text);
    }
    if (r == TENUO_OK)
        r = judge_public(s, place->text, &first);
    if (r == TENUO_OK && strchr(place->text, '@') == NULL)
        r = check_still(s, CKO_PUBLIC_KEY, place->text, place->number);
    if (r == TENUO_OK)
        *ret_key = first;
    return r;
}

/* *ret_found false: none of that name. */
static int private_named(struct p11_session *s, const char *text, struct p11_key *ret_key, bool *ret_found)
{
    CK_OBJECT_HANDLE objects[2];
    struct p11_key key;
    size_t n = 0;
    int r = p11_find(s, CKO_PRIVATE_KEY, text, objects, 2, &n);
    if (r != TENUO_OK || n == 0)
        return r;
    if (n > 1)
        return p11_say(s, TENUO_E_KEY_CONFLICT,
                       "has two private keys named '%s': rename or remove one with pkcs11-tool", text);
    r = p11_key_read(s, objects[0], &key);
    if (r != TENUO_OK)
        return r;
    if (key.wrong != NULL)
        return p11_say(s, TENUO_E_KEY_INVALID, "'%s' is %s: use another id", text, key.wrong);
    *ret_key = key;
    *ret_found = true;
    return TENUO_OK;
}

static int no_private(struct p11_session *s, const char *key_id)
{
    if (!p11_still_in(s)) {
        if (p11_has_pin(s->p))
            return s->lost ? TENUO_E_UNAVAILABLE : TENUO_E_KEY_DENIED;
        s->lost = false;
        return p11_say(s, TENUO_E_KEY_DENIED, "shows no private key without a login: set pin_file= or pin_credential=");
    }
    return p11_say(s, TENUO_E_KEY_INVALID, "has the public object of '%s' and no private one: make a new key", key_id);
}

int p11_private_of(struct p11_session *s, const char *key_id, uint32_t version, struct p11_key *ret_key,
                   char ret_text[TN_VERSION_NAME_BYTES])
{
    struct p11_place place;
    char names[3][TN_VERSION_NAME_BYTES];
    bool found = false;
    int r = version == 0 ? p11_locate(s, key_id, 0, &place) : TENUO_OK;
    if (r != TENUO_OK)
        return r;
    tn_version_name(key_id, version == 0 ? place.number : version, names[0]);
    tn_version_name(key_id, 0, names[1]);
    p11_pending(key_id, names[2]);
    for (size_t i = 0; i < 3; i++) {
        r = i == 1 && version != 0 ? p11_locate(s, key_id, version, &place) : TENUO_OK;
        if (r != TENUO_OK)
            return r;
        if (i >= 1 && (!place.v.plain || place.number != place.newest)) /* these are the newest's names */
            break;
        r = private_named(s, names[i], ret_key, &found);
        if (r == TENUO_OK && found && i > 0)
            r = check_still(s, CKO_PRIVATE_KEY, key_id, place.number);
        if (r != TENUO_OK || found) {
            memcpy(ret_text, names[i], sizeof names[i]);
            return r;
        }
    }
    /* Between the first look and the second it may have become ID@N. */
    r = private_named(s, names[0], ret_key, &found);
    memcpy(ret_text, names[0], sizeof names[0]);
    return r != TENUO_OK || found ? r : no_private(s, key_id);
}
