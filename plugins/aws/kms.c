/* SPDX-License-Identifier: Apache-2.0 */
/*
 * KMS as the wrapper of seeds: ID.kms holds what Encrypt gave, bound to the key id by its encryption context, so that a
 * file under another name does not open. A call of KMS opens it; nobody without that right can. The files are no
 * secrets. They are kms_files.c's.
 */
#include "kms.h"

#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "../../common/keytext.h"

#define SCRATCH 4096

/* The same for every version: a copy under ID@N opens as ID did. */
static void put_context(struct aws_body *b, const char *key_id)
{
    aws_put(b, ",\"EncryptionContext\":{\"tenuo:key_id\":");
    aws_put_string(b, key_id);
    aws_put(b, "}");
}

static void put_wrapping_key(const struct aws *a, struct aws_body *b)
{
    if (a->kms_key == NULL)
        return;
    aws_put(b, ",\"KeyId\":");
    aws_put_string(b, a->kms_key);
}

/* 32 bytes, or a text form that somebody wrapped by hand. */
static bool read_plaintext(const struct tn_json *j, uint8_t ret_seed[32])
{
    const char *text = NULL;
    size_t n = 0, len = 0;
    uint8_t *bytes = sodium_malloc(SCRATCH);
    bool good = bytes != NULL && tn_json_slice(j, tn_json_get(j, 0, "Plaintext"), &text, &n) &&
                sodium_base642bin(bytes, SCRATCH, text, n, NULL, &len, NULL, sodium_base64_VARIANT_ORIGINAL) == 0 &&
                tn_seed_from_file(bytes, len, ret_seed);
    sodium_free(bytes);
    return good;
}

static int decrypt(struct aws *a, const char *key_id, const struct kms_blob *blob, uint8_t ret_seed[32])
{
    const struct aws_ask q = { .action = "Decrypt", .what = key_id };
    struct aws_reply reply;
    struct aws_body *b = aws_body_new();
    aws_put(b, "{\"CiphertextBlob\":");
    aws_put_base64(b, blob->bytes, blob->len);
    put_context(b, key_id);
    put_wrapping_key(a, b);
    aws_put(b, "}");
    int r = aws_call(a, &q, b, &reply);
    if (r != TENUO_OK)
        return r;
    if (!read_plaintext(reply.json, ret_seed))
        r = aws_fail(a, TENUO_E_KEY_INVALID, "%s/%s.kms: what it wraps is no Ed25519 secret key: wrap 32 bytes",
                     a->path, key_id);
    aws_reply_end(&reply);
    return r;
}

/* The place of a version, with the directory open. */
static int locate(const struct aws *a, const char *key_id, uint32_t version, struct kms_place *ret)
{
    int r = kms_open(a, &ret->dir);
    if (r != TENUO_OK)
        return r;
    r = kms_versions(a, ret->dir, key_id, &ret->versions);
    if (r == TENUO_OK && !tn_versions_find(&ret->versions, version, &ret->suffix))
        r = aws_fail(a, TENUO_E_KEY_NOT_FOUND, "%s: there is no %s%s of that version", a->path, key_id, KMS_SUFFIX);
    if (r != TENUO_OK) {
        close(ret->dir);
        return r;
    }
    ret->version = version != 0 ? version : tn_versions_newest(&ret->versions);
    tn_version_name(key_id, ret->suffix, ret->name);
    return TENUO_OK;
}

static int unwrap(struct aws *a, const char *key_id, const struct kms_place *p, uint8_t ret_seed[32])
{
    struct kms_blob blob;
    int r = kms_read_blob(a, p->dir, p->name, &blob);
    return r == TENUO_OK ? decrypt(a, key_id, &blob, ret_seed) : r;
}

static int find_public(struct aws *a, const char *key_id, const struct kms_place *p, uint8_t ret_key[32])
{
    int r = kms_read_public(a, p->dir, p->name, ret_key);
    if (r != TENUO_E_KEY_NOT_FOUND)
        return r;
    uint8_t *seed = sodium_malloc(32);
    r = seed == NULL ? TENUO_E_NOMEM : unwrap(a, key_id, p, seed);
    if (r == TENUO_OK)
        aws_public_of(seed, ret_key);
    sodium_free(seed);
    return r;
}

static int kms_public_key(struct aws *a, const char *key_id, uint32_t version, uint8_t ret_key[32],
                          uint32_t *ret_version)
{
    struct kms_place p = { 0 };
    int r = locate(a, key_id, version, &p);
    if (r != TENUO_OK)
        return r;
    r = find_public(a, key_id, &p, ret_key);
    close(p.dir);
    *ret_version = p.version;
    return r;
}

/* TENUO_E_KEY_CONFLICT, without a sentence: the two files of the key are of different keys. */
static int unwrap_pair(struct aws *a, const char *key_id, const struct kms_place *p, uint8_t ret_seed[32])
{
    uint8_t key[32], stated[32];
    int r = unwrap(a, key_id, p, ret_seed);
    if (r != TENUO_OK)
        return r;
    aws_public_of(ret_seed, key);
    r = kms_read_public(a, p->dir, p->name, stated);
    if (r == TENUO_E_KEY_NOT_FOUND)
        return TENUO_OK;
    return r == TENUO_OK && memcmp(key, stated, sizeof key) != 0 ? TENUO_E_KEY_CONFLICT : r;
}

/* A pair that does not fit may be one that is being replaced: it is looked at again. */
static int kms_export(struct aws *a, const char *key_id, uint32_t version, uint8_t ret_seed[32])
{
    int r = TENUO_E_KEY_CONFLICT;
    for (int tried = 0; r == TENUO_E_KEY_CONFLICT && tried < 2; tried++) {
        struct kms_place p = { 0 };
        r = locate(a, key_id, version, &p);
        if (r != TENUO_OK)
            return r;
        r = unwrap_pair(a, key_id, &p, ret_seed);
        close(p.dir);
    }
    if (r == TENUO_E_KEY_CONFLICT)
        r = aws_fail(a, TENUO_E_KEY_INVALID,
                     "%s: %s.pub is not the public key of what is in its .kms: one was replaced", a->path, key_id);
    if (r != TENUO_OK)
        sodium_memzero(ret_seed, 32);
    return r;
}

static int kms_describe(struct aws *a, const char *key_id, uint32_t version, struct tenuo_key_entry *ret_entry)
{
    struct kms_place p = { 0 };
    int r = locate(a, key_id, version, &p);
    if (r != TENUO_OK)
        return r;
    ret_entry->version = p.version;
    ret_entry->newest = tn_versions_newest(&p.versions);
    ret_entry->oldest = tn_versions_oldest(&p.versions);
    r = find_public(a, key_id, &p, ret_entry->public_key);
    ret_entry->has_public_key = r == TENUO_OK;
    close(p.dir);
    return r;
}

/* ---- new keys ---- */

static int encrypt(struct aws *a, const char *key_id, const uint8_t seed[32], struct kms_blob *ret)
{
    const struct aws_ask q = { .action = "Encrypt", .what = key_id, .secret_body = true };
    struct aws_reply reply;
    struct aws_body *b = aws_body_new();
    const char *text = NULL;
    size_t n = 0;
    aws_put(b, "{\"Plaintext\":");
    aws_put_base64(b, seed, 32);
    put_context(b, key_id);
    put_wrapping_key(a, b);
    aws_put(b, "}");
    int r = aws_call(a, &q, b, &reply);
    if (r != TENUO_OK)
        return r;
    if (!tn_json_slice(reply.json, tn_json_get(reply.json, 0, "CiphertextBlob"), &text, &n) ||
        sodium_base642bin(ret->bytes, sizeof ret->bytes, text, n, NULL, &ret->len, NULL,
                          sodium_base64_VARIANT_ORIGINAL) != 0 ||
        ret->len == 0)
        r = aws_odd(a, &q, "the answer has no ciphertext");
    aws_reply_end(&reply);
    return r;
}

static int may_import(const struct aws *a, const char *key_id, unsigned flags, const struct tn_versions *v)
{
    if (a->kms_key == NULL)
        return aws_fail(a, TENUO_E_INVALID_ARGUMENT, "kms_key= is missing: say which KMS key is to wrap new keys");
    if (flags == 0 && v->plain)
        return aws_fail(a, TENUO_E_KEY_CONFLICT, "%s/%s.kms is there already: rotate it, or remove it", a->path,
                        key_id);
    if (flags != 0 && !v->plain)
        return aws_fail(a, TENUO_E_KEY_NOT_FOUND, "%s: there is no %s.kms to rotate", a->path, key_id);
    if (v->full || v->count >= TENUO_KEY_VERSIONS_MAX - 1 || v->highest >= UINT32_MAX - 2)
        return aws_fail(a, TENUO_E_KEY_DENIED, "%s has too many versions: remove old ones first", key_id);
    return TENUO_OK;
}

static int put_aside(struct aws *a, const char *key_id, const struct kms_place *p)
{
    uint8_t key[32];
    int r = find_public(a, key_id, p, key);
    return r == TENUO_OK ? kms_put_aside(a, p->dir, key_id, tn_versions_newest(&p->versions), key) : r;
}

static int kms_import(struct aws *a, const char *key_id, unsigned flags, const uint8_t seed[32], const uint8_t key[32],
                      uint32_t *ret_version)
{
    struct kms_place p = { .dir = -1 };
    struct kms_blob blob;
    int r = kms_open(a, &p.dir);
    if (r != TENUO_OK)
        return r;
    tn_version_name(key_id, 0, p.name);
    r = kms_versions(a, p.dir, key_id, &p.versions);
    if (r == TENUO_OK)
        r = may_import(a, key_id, flags, &p.versions);
    if (r == TENUO_OK)
        r = encrypt(a, key_id, seed, &blob);
    if (r == TENUO_OK && flags != 0)
        r = put_aside(a, key_id, &p);
    if (r == TENUO_OK)
        r = kms_write(a, p.dir, key_id, &blob, key, flags != 0);
    close(p.dir);
    if (r == TENUO_OK)
        *ret_version = p.versions.plain ? tn_versions_newest(&p.versions) + 1 : p.versions.highest + 1;
    return r;
}

static int kms_remove(struct aws *a, const char *key_id, uint32_t version)
{
    struct kms_place p = { 0 };
    int r = locate(a, key_id, version, &p);
    if (r != TENUO_OK)
        return r;
    if (version == 0)
        r = kms_remove_all(a, p.dir, key_id);
    else if (p.suffix == 0 && p.versions.count != 0)
        r = aws_fail(a, TENUO_E_INVALID_ARGUMENT,
                     "%s: version %lu is the newest: remove the older ones first, or all of them", key_id,
                     (unsigned long)version);
    else if (p.suffix == 0)
        r = kms_remove_all(a, p.dir, key_id);
    else
        r = kms_remove_version(a, p.dir, key_id, p.suffix);
    close(p.dir);
    return r;
}

/* Without a key to wrap new ones with, those that are there can be read and removed. */
static unsigned kms_can(const struct aws *a)
{
    return TENUO_RESOLVER_EXPORTS |
           (a->kms_key == NULL ? TENUO_RESOLVER_NO_GENERATE | TENUO_RESOLVER_NO_IMPORT : 0);
}

const struct aws_service aws_kms = {
    .name = "kms",
    .target = "TrentService",
    .label = "keys wrapped by AWS KMS",
    .can = kms_can,
    .public_key = kms_public_key,
    .export_seed = kms_export,
    .list = kms_list,
    .describe = kms_describe,
    .import = kms_import,
    .remove = kms_remove,
};
