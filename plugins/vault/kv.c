/* SPDX-License-Identifier: Apache-2.0 */
/* Seeds in the KV engines: read whole into guarded memory, taken apart there. KV v2 numbers its versions itself, KV v1
 * has the names ID and ID@N. */
#include "vault.h"

#include <sodium.h>
#include <stdio.h>
#include <string.h>

#include "../../common/keytext.h"

/* The text of a field in guarded memory, or NULL. */
static char *field_text(const struct tn_json *j, int secret, const char *field, size_t *ret_len)
{
    char *text = sodium_malloc(TN_KEYTEXT_MAX + 1);
    if (text != NULL && tn_json_string(j, tn_json_get(j, secret, field), text, TN_KEYTEXT_MAX + 1, ret_len))
        return text;
    sodium_free(text);
    return NULL;
}

/* The public key that stands beside the seed has to be the seed's. */
static int check_public(const struct vault *v, const struct tn_json *j, int secret, const char *place,
                        const struct kv_key *k)
{
    uint8_t stated[TENUO_PUBKEY_BYTES];
    char text[TN_KEYTEXT_PUBLIC_PEM + 64];
    size_t n = 0;
    int node = tn_json_get(j, secret, v->public_field);
    if (node == TN_JSON_NONE)
        return TENUO_OK;
    if (!tn_json_string(j, node, text, sizeof text, &n) || !tn_public_from_text(text, n, stated))
        return vault_say(v, TENUO_E_KEY_INVALID,
                         "%s: %s/%s: field %s holds no Ed25519 public key: put it right, or take "
                         "the field away",
                         tn_web_server(v->web), v->mount, place, v->public_field);
    if (memcmp(stated, k->key, sizeof stated) != 0)
        return vault_say(v, TENUO_E_KEY_INVALID,
                         "%s: %s/%s: field %s is not the public key of field %s: one of them was "
                         "replaced",
                         tn_web_server(v->web), v->mount, place, v->public_field, v->field);
    return TENUO_OK;
}

static int take_secret(const struct vault *v, const struct tn_json *j, int secret, const char *place,
                       struct kv_key *ret)
{
    uint8_t expanded[crypto_sign_SECRETKEYBYTES];
    size_t n = 0;
    char *text = field_text(j, secret, v->field, &n);
    bool good = text != NULL && tn_seed_from_text(text, n, ret->seed);
    bool there = text != NULL;
    sodium_free(text);
    if (!there)
        return vault_say(v, TENUO_E_KEY_INVALID,
                         "%s: %s/%s has no text in field %s: look at field=, or write the key "
                         "there",
                         tn_web_server(v->web), v->mount, place, v->field);
    if (!good)
        return vault_say(v, TENUO_E_KEY_INVALID,
                         "%s: %s/%s: field %s holds no Ed25519 secret key: want 32 bytes in base64, hex or PKCS#8 PEM",
                         tn_web_server(v->web), v->mount, place, v->field);
    crypto_sign_seed_keypair(ret->key, expanded, ret->seed);
    sodium_memzero(expanded, sizeof expanded);
    return check_public(v, j, secret, place, ret);
}

static int not_there(const struct vault *v, const char *place, uint32_t version)
{
    if (version == 0)
        return vault_say(v, TENUO_E_KEY_NOT_FOUND, "%s: nothing at %s/%s", tn_web_server(v->web), v->mount, place);
    return vault_say(v, TENUO_E_KEY_NOT_FOUND, "%s: no version %u at %s/%s, or it was deleted or destroyed",
                     tn_web_server(v->web), (unsigned)version, v->mount, place);
}

static int read_kv2_answer(const struct vault *v, const struct tn_json *j, const char *api, uint32_t version,
                           struct kv_key *ret)
{
    int data = tn_json_get(j, 0, "data"), secret = tn_json_get(j, data, "data");
    int meta = tn_json_get(j, data, "metadata");
    uint64_t number = 0;
    if (tn_json_null(j, secret))
        return not_there(v, api, version);
    if (!tn_json_uint(j, tn_json_get(j, meta, "version"), &number) || number == 0 || number > UINT32_MAX ||
        (version != 0 && number != version))
        return vault_say(v, TENUO_E_UNAVAILABLE, "%s: the answer for %s/%s is none of KV version 2: write engine=kv1?",
                         tn_web_server(v->web), v->mount, api);
    ret->version = (uint32_t)number;
    ret->created_at = vault_time(j, tn_json_get(j, meta, "created_time"));
    return take_secret(v, j, secret, api, ret);
}

/* What was removed leaves its number behind: see kv_store.c. */
static int read_kv1_answer(const struct vault *v, const struct tn_json *j, const char *api, struct kv_key *ret)
{
    int secret = tn_json_get(j, 0, "data");
    if (tn_json_get(j, secret, v->field) == TN_JSON_NONE && tn_json_is(j, tn_json_get(j, secret, KV1_REMOVED), "yes"))
        return not_there(v, api, 0);
    return take_secret(v, j, secret, api, ret);
}

/* One GET; `version` is asked for of KV v2 alone. */
static int read_secret(struct vault *v, const char *api, uint32_t version, struct kv_key *ret)
{
    char query[32];
    struct vault_ask ask = { TN_WEB_GET, .api = api, .capability = "read", .secret = true };
    struct tn_web_answer a;
    struct tn_json *j = NULL;
    if (version != 0) {
        snprintf(query, sizeof query, "?version=%u", (unsigned)version);
        ask.query = query;
    }
    int r = vault_call(v, &ask, &a);
    if (r == TENUO_OK && a.status == 404)
        r = not_there(v, api, version);
    if (r == TENUO_OK)
        r = vault_json(v, &a, &j);
    if (r == TENUO_OK)
        r = v->engine == ENGINE_KV2 ? read_kv2_answer(v, j, api, version, ret) : read_kv1_answer(v, j, api, ret);
    tn_json_free(j);
    tn_web_forget(&a);
    if (r != TENUO_OK)
        sodium_memzero(ret, sizeof *ret);
    return r;
}

struct noting {
    const struct vault *v;
    const char *key_id;
    struct tn_versions *versions;
};

static int note(void *arg, const char *entry, size_t len)
{
    struct noting *n = arg;
    const char *name;
    size_t name_len;
    if (vault_id_of(n->v, entry, len, &name, &name_len))
        tn_versions_note(n->versions, n->key_id, name, name_len);
    return 0;
}

int kv1_versions(struct vault *v, const char *key_id, struct tn_versions *ret)
{
    struct noting n = { v, key_id, ret };
    *ret = (struct tn_versions){ 0 };
    return vault_each(v, v->folder, true, note, &n);
}

int kv1_read_name(struct vault *v, const char *name, struct kv_key *ret)
{
    char api[VAULT_API_BYTES];
    vault_api(v, "", name, api);
    return read_secret(v, api, 0, ret);
}

/* Without the right to list the folder this line has no versions: the key that stands under the id, numbered 0. */
static int read_kv1(struct vault *v, const char *key_id, uint32_t version, struct kv_key *ret)
{
    struct tn_versions known;
    char name[TN_VERSION_NAME_BYTES];
    uint32_t suffix = 0;
    int r = kv1_versions(v, key_id, &known);
    bool listed = r == TENUO_OK;
    if (!listed && r != TENUO_E_KEY_DENIED)
        return r;
    if (version != 0 && !listed)
        return vault_say(v, TENUO_E_KEY_NOT_FOUND, "%s: versions of %s are not known without the right to list %s/%s",
                         tn_web_server(v->web), key_id, v->mount, v->folder);
    if (version != 0 && !tn_versions_find(&known, version, &suffix))
        return not_there(v, key_id, version);
    tn_version_name(key_id, suffix, name);
    r = kv1_read_name(v, name, ret);
    if (r == TENUO_OK)
        ret->version = !listed ? 0 : version != 0 ? version : tn_versions_newest(&known);
    return r;
}

int kv_read(struct vault *v, const char *key_id, uint32_t version, struct kv_key *ret)
{
    char api[VAULT_API_BYTES];
    *ret = (struct kv_key){ 0 };
    if (v->engine == ENGINE_KV1)
        return read_kv1(v, key_id, version, ret);
    vault_api(v, "data/", key_id, api);
    return read_secret(v, api, version, ret);
}

int kv_public_key(struct vault *v, const char *key_id, uint32_t version, uint8_t ret_key[TENUO_PUBKEY_BYTES],
                  uint32_t *ret_version)
{
    struct kv_key k;
    int r = kv_read(v, key_id, version, &k);
    if (r == TENUO_OK) {
        memcpy(ret_key, k.key, sizeof k.key);
        *ret_version = k.version;
    }
    sodium_memzero(&k, sizeof k);
    return r;
}

int kv_export_seed(struct vault *v, const char *key_id, uint32_t version, uint8_t ret_seed[TENUO_SEED_BYTES])
{
    struct kv_key k;
    int r = kv_read(v, key_id, version, &k);
    if (r == TENUO_OK)
        memcpy(ret_seed, k.seed, sizeof k.seed);
    sodium_memzero(&k, sizeof k);
    return r;
}
