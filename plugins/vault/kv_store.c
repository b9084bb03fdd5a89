/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The administrator's operations on the KV engines. KV v2: every change is checked against the version that was seen
 * (cas), so two administrators do not undo each other. KV v1 has no such check: the old key is put under ID@N first.
 */
#include "vault.h"

#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define BODY_BYTES 512
#define HURRY_MS 500 /* with less time than this left, a listing looks at no further key */

/* What KV v2 knows about one id; versions that were deleted or destroyed do not count as there. */
struct kv2_state {
    bool known;              /* Vault has metadata, perhaps of deleted versions alone */
    uint32_t current;        /* highest number ever given: what cas is compared with */
    uint32_t newest, oldest; /* of those that are there; 0: none */
    int64_t created_at;      /* of the version that was asked for */
    bool asked_there;
};

static void note_version(const struct tn_json *j, int one, uint32_t number, uint32_t asked, struct kv2_state *s)
{
    char deleted[64] = "x";
    if (tn_json_true(j, tn_json_get(j, one, "destroyed")) ||
        !tn_json_string(j, tn_json_get(j, one, "deletion_time"), deleted, sizeof deleted, NULL))
        return;
    /* A time to come is one of delete_version_after. */
    if (deleted[0] != '\0' && vault_time(j, tn_json_get(j, one, "deletion_time")) <= 0)
        return;
    if (s->oldest == 0 || number < s->oldest)
        s->oldest = number;
    if (number > s->newest)
        s->newest = number;
    if (number == asked) {
        s->asked_there = true;
        s->created_at = vault_time(j, tn_json_get(j, one, "created_time"));
    }
}

/* A deletion that lies ahead is no deletion yet. */
static bool is_gone(const struct vault *v, const struct tn_json *j, int one)
{
    int64_t when = vault_time(j, tn_json_get(j, one, "deletion_time"));
    return when != 0 && when <= v->host->now();
}

static void read_state(const struct vault *v, const struct tn_json *j, uint32_t asked, struct kv2_state *s)
{
    int data = tn_json_get(j, 0, "data"), at = TN_JSON_NONE, name, one;
    uint64_t current = 0;
    s->known = tn_json_uint(j, tn_json_get(j, data, "current_version"), &current) && current <= UINT32_MAX;
    s->current = (uint32_t)current;
    if (asked == 0)
        asked = s->current;
    while (tn_json_next(j, tn_json_get(j, data, "versions"), &at, &name, &one)) {
        char text[16], *end = NULL;
        if (!tn_json_string(j, name, text, sizeof text, NULL))
            continue;
        unsigned long n = strtoul(text, &end, 10);
        if (*end == '\0' && n > 0 && n <= UINT32_MAX && !is_gone(v, j, one))
            note_version(j, one, (uint32_t)n, asked, s);
    }
}

static int kv2_state(struct vault *v, const char *key_id, uint32_t asked, struct kv2_state *ret)
{
    char api[VAULT_API_BYTES];
    struct vault_ask ask = { TN_WEB_GET, .api = api, .capability = "read" };
    struct tn_web_answer a;
    struct tn_json *j = NULL;
    *ret = (struct kv2_state){ 0 };
    vault_api(v, "metadata/", key_id, api);
    int r = vault_call(v, &ask, &a);
    if (r == TENUO_OK && a.status != 404)
        r = vault_json(v, &a, &j);
    if (j != NULL)
        read_state(v, j, asked, ret);
    tn_json_free(j);
    tn_web_forget(&a);
    return r;
}

static int not_there(const struct vault *v, const char *key_id, uint32_t version)
{
    if (version != 0)
        return vault_say(v, TENUO_E_KEY_NOT_FOUND, "%s: %s has no version %u in %s, or it was deleted or destroyed",
                         tn_web_server(v->web), key_id, (unsigned)version, v->mount);
    return vault_say(v, TENUO_E_KEY_NOT_FOUND, "%s: there is no %s in %s", tn_web_server(v->web), key_id, v->mount);
}

static int taken(const struct vault *v, const char *key_id)
{
    return vault_say(v, TENUO_E_KEY_CONFLICT, "%s: %s is in %s already: rotate it, or remove it first",
                     tn_web_server(v->web), key_id, v->mount);
}

/* ---- describe and list ---- */

/* The public key, when this user may read the secret; else the entry goes without it. */
static int fill_key(struct vault *v, const char *key_id, uint32_t version, struct tenuo_key_entry *e)
{
    struct kv_key k;
    int r = kv_read(v, key_id, version, &k);
    if (r == TENUO_OK) {
        memcpy(e->public_key, k.key, sizeof k.key);
        e->has_public_key = 1;
        e->version = k.version;
        if (e->created_at == 0)
            e->created_at = k.created_at;
    }
    sodium_memzero(&k, sizeof k);
    if (r == TENUO_E_KEY_DENIED || r == TENUO_E_KEY_INVALID) {
        snprintf(e->note, sizeof e->note, "%s",
                 r == TENUO_E_KEY_DENIED ? "may not be read by this user" : "no usable key");
        return TENUO_OK;
    }
    return r;
}

static int describe_kv2(struct vault *v, const char *key_id, uint32_t version, struct tenuo_key_entry *e)
{
    struct kv2_state s;
    int r = kv2_state(v, key_id, version, &s);
    if (r != TENUO_OK)
        return r;
    if (!s.asked_there)
        return not_there(v, key_id, version);
    e->version = version != 0 ? version : s.current;
    e->oldest = s.oldest;
    e->newest = s.newest;
    e->created_at = s.created_at;
    return fill_key(v, key_id, e->version, e);
}

/* Without those that were removed. */
static uint32_t oldest_kv1(struct vault *v, const char *key_id, const struct tn_versions *known)
{
    char name[TN_VERSION_NAME_BYTES];
    struct kv_key k;
    for (size_t i = 0; i < known->count; i++) {
        tn_version_name(key_id, known->n[i], name);
        int r = kv1_read_name(v, name, &k);
        sodium_memzero(&k, sizeof k);
        if (r != TENUO_E_KEY_NOT_FOUND)
            return known->n[i];
    }
    return tn_versions_newest(known);
}

static int describe_kv1(struct vault *v, const char *key_id, uint32_t version, struct tenuo_key_entry *e)
{
    struct tn_versions known;
    int r = kv1_versions(v, key_id, &known);
    if (r != TENUO_OK && r != TENUO_E_KEY_DENIED)
        return r;
    if (r == TENUO_OK) {
        if (!known.plain)
            return not_there(v, key_id, version);
        e->oldest = oldest_kv1(v, key_id, &known);
        e->newest = tn_versions_newest(&known);
        e->version = version != 0 ? version : e->newest;
    }
    return fill_key(v, key_id, version, e);
}

int kv_describe(struct vault *v, const char *key_id, uint32_t version, struct tenuo_key_entry *ret_entry)
{
    struct tenuo_key_entry e = { .size = sizeof e };
    snprintf(e.id, sizeof e.id, "%s", key_id);
    snprintf(e.note, sizeof e.note, "Vault %s, seed leaves it", v->engine == ENGINE_KV2 ? "KV v2" : "KV v1");
    int r = v->engine == ENGINE_KV2 ? describe_kv2(v, key_id, version, &e) : describe_kv1(v, key_id, version, &e);
    if (r == TENUO_OK)
        *ret_entry = e;
    return r;
}

struct listing {
    struct vault *v;
    int (*each)(void *arg, const struct tenuo_key_entry *entry);
    void *arg;
    int code;
};

static int list_one(void *arg, const char *entry, size_t len)
{
    struct listing *l = arg;
    struct tenuo_key_entry e = { .size = sizeof e };
    const char *name;
    size_t n;
    uint32_t version;
    if (!vault_id_of(l->v, entry, len, &name, &n) || !tn_version_parse(name, n, e.id, &version) || version != 0)
        return 0;
    char id[TENUO_KEY_ID_MAX + 1];
    memcpy(id, e.id, sizeof id);
    if (l->v->host->deadline(l->v->host) < HURRY_MS) {
        snprintf(e.note, sizeof e.note, "not looked at: the time of this line is over (timeout=)");
    } else {
        int r = kv_describe(l->v, id, 0, &e);
        if (r == TENUO_E_KEY_NOT_FOUND)
            return 0; /* deleted, or just removed */
        if (r != TENUO_OK) {
            l->code = r;
            return 1;
        }
    }
    return l->each(l->arg, &e);
}

bool kv_can_list(const struct vault *v)
{
    return strchr(v->after, '/') == NULL;
}

int kv_list(struct vault *v, int (*each)(void *arg, const struct tenuo_key_entry *entry), void *arg)
{
    struct listing l = { v, each, arg, TENUO_OK };
    char api[VAULT_API_BYTES];
    if (!kv_can_list(v))
        return vault_say(v, TENUO_E_INVALID_ARGUMENT, "path_template: only ids in the last part of it can be listed");
    snprintf(api, sizeof api, "%s%s", v->engine == ENGINE_KV2 ? "metadata/" : "", v->folder);
    int r = vault_each(v, api, false, list_one, &l);
    return r != TENUO_OK ? r : l.code;
}

/* ---- import ---- */

static void add_pair(const struct vault *v, struct vault_text *t, const uint8_t seed[TENUO_SEED_BYTES])
{
    char *text = sodium_malloc(64), public[64];
    uint8_t key[TENUO_PUBKEY_BYTES], expanded[crypto_sign_SECRETKEYBYTES];
    if (text == NULL) {
        t->bad = true;
        return;
    }
    crypto_sign_seed_keypair(key, expanded, seed);
    sodium_memzero(expanded, sizeof expanded);
    sodium_bin2base64(text, 64, seed, TENUO_SEED_BYTES, sodium_base64_VARIANT_ORIGINAL);
    sodium_bin2base64(public, sizeof public, key, sizeof key, sodium_base64_VARIANT_ORIGINAL);
    vault_text_add(t, "{");
    vault_text_add_string(t, v->field);
    vault_text_add(t, ":\"");
    vault_text_add(t, text);
    vault_text_add(t, "\",");
    vault_text_add_string(t, v->public_field);
    vault_text_add(t, ":\"");
    vault_text_add(t, public);
    vault_text_add(t, "\"}");
    sodium_free(text);
}

/* *ret_cas_failed: somebody else was faster. */
static int write_secret(struct vault *v, const char *api, const struct vault_text *body, bool *ret_cas_failed,
                        uint32_t *ret_version)
{
    static const char *const path[] = { "data", "version", NULL };
    struct vault_ask ask = { TN_WEB_POST,
                             .api = api,
                             .capability = "create\", \"update",
                             .body = body->p,
                             .body_len = body->len,
                             .secret = true,
                             .once = true,
                             .refused_ok = true };
    struct tn_web_answer a;
    struct tn_json *j = NULL;
    uint64_t number = 0;
    char text[160];
    int r = vault_call(v, &ask, &a);
    if (r == TENUO_OK && a.status >= 400) {
        vault_first_error(&a, text, sizeof text);
        *ret_cas_failed = strstr(text, "check-and-set") != NULL;
        if (!*ret_cas_failed)
            r = vault_say(v, TENUO_E_UNAVAILABLE, "%s: %s/%s was not written (%ld, %s)", tn_web_server(v->web),
                          v->mount, api, a.status, text);
    } else if (r == TENUO_OK && v->engine == ENGINE_KV2) {
        r = vault_json(v, &a, &j);
        if (r == TENUO_OK && tn_json_uint(j, tn_json_path(j, 0, path), &number) && number <= UINT32_MAX)
            *ret_version = (uint32_t)number;
    }
    tn_json_free(j);
    tn_web_forget(&a);
    return r;
}

static int import_kv2(struct vault *v, const char *key_id, unsigned flags, const uint8_t seed[TENUO_SEED_BYTES],
                      uint32_t *ret_version)
{
    struct kv2_state s;
    struct vault_text body;
    char api[VAULT_API_BYTES], options[48];
    bool again = (flags & TENUO_STORE_NEW_VERSION) != 0, cas_failed = false;
    int r = kv2_state(v, key_id, 0, &s);
    if (r != TENUO_OK)
        return r;
    if (again != s.asked_there)
        return again ? not_there(v, key_id, 0) : taken(v, key_id);
    vault_api(v, "data/", key_id, api);
    snprintf(options, sizeof options, "{\"options\":{\"cas\":%u},\"data\":", (unsigned)s.current);
    vault_text_begin(&body, BODY_BYTES);
    vault_text_add(&body, options);
    add_pair(v, &body, seed);
    vault_text_add(&body, "}");
    r = body.bad ? TENUO_E_NOMEM : write_secret(v, api, &body, &cas_failed, ret_version);
    vault_text_end(&body);
    if (r == TENUO_OK && cas_failed)
        return again ? vault_say(v, TENUO_E_KEY_CONFLICT, "%s: somebody else has just changed %s: look at it again",
                                 tn_web_server(v->web), key_id)
                     : taken(v, key_id);
    return r;
}

static int write_kv1(struct vault *v, const char *key_id, uint32_t suffix, const uint8_t seed[TENUO_SEED_BYTES])
{
    char name[TN_VERSION_NAME_BYTES], api[VAULT_API_BYTES];
    struct vault_text body;
    uint32_t none = 0;
    bool cas_failed = false;
    tn_version_name(key_id, suffix, name);
    vault_api(v, "", name, api);
    vault_text_begin(&body, BODY_BYTES);
    add_pair(v, &body, seed);
    int r = body.bad ? TENUO_E_NOMEM : write_secret(v, api, &body, &cas_failed, &none);
    vault_text_end(&body);
    return r;
}

static int list_right(const struct vault *v)
{
    return vault_say(v, TENUO_E_KEY_DENIED,
                     "%s: permission denied: the policy needs  path \"%s/%s\" { capabilities = [\"list\"] }",
                     tn_web_server(v->web), v->mount, v->folder);
}

static int import_kv1(struct vault *v, const char *key_id, unsigned flags, const uint8_t seed[TENUO_SEED_BYTES],
                      uint32_t *ret_version)
{
    struct tn_versions known;
    struct kv_key old;
    uint32_t number;
    bool again = (flags & TENUO_STORE_NEW_VERSION) != 0;
    int r = kv1_versions(v, key_id, &known);
    if (r != TENUO_OK)
        return r == TENUO_E_KEY_DENIED ? list_right(v) : r;
    if (again != known.plain)
        return again ? not_there(v, key_id, 0) : taken(v, key_id);
    number = again ? tn_versions_newest(&known) : 0;
    if (again && known.full)
        return vault_say(v, TENUO_E_KEY_CONFLICT, "%s: %s has %d versions: remove old ones first",
                         tn_web_server(v->web), key_id, TENUO_KEY_VERSIONS_MAX);
    if (again) {
        r = kv1_read_name(v, key_id, &old);
        if (r == TENUO_OK)
            r = write_kv1(v, key_id, number, old.seed);
        sodium_memzero(&old, sizeof old);
        if (r != TENUO_OK)
            return r;
    }
    r = write_kv1(v, key_id, 0, seed);
    if (r == TENUO_OK)
        *ret_version = again ? number + 1 : known.count == 0 ? 1 : known.n[known.count - 1] + 1;
    return r;
}

int kv_import(struct vault *v, const char *key_id, unsigned flags, const uint8_t seed[TENUO_SEED_BYTES],
              uint32_t *ret_version)
{
    if (v->engine == ENGINE_KV2)
        return import_kv2(v, key_id, flags, seed, ret_version);
    return import_kv1(v, key_id, flags, seed, ret_version);
}

/* ---- remove ---- */

static int change(struct vault *v, enum tn_web_method method, const char *api, const char *capability, const char *body)
{
    struct vault_ask ask = { method, .api = api, .capability = capability, .body = body,
                             .body_len = body != NULL ? strlen(body) : 0 };
    struct tn_web_answer a;
    int r = vault_call(v, &ask, &a); /* saying it twice does no harm */
    tn_web_forget(&a);
    return r;
}

static int not_alone(const struct vault *v, const char *key_id, uint32_t version)
{
    return vault_say(v, TENUO_E_INVALID_ARGUMENT,
                     "%u is the newest version of %s, and older ones stay: remove these first, or all of them",
                     (unsigned)version, key_id);
}

static int remove_kv2(struct vault *v, const char *key_id, uint32_t version)
{
    struct kv2_state s;
    char api[VAULT_API_BYTES], body[48];
    int r = kv2_state(v, key_id, version, &s);
    if (r != TENUO_OK)
        return r;
    if (version == 0 ? !s.known : !s.asked_there)
        return not_there(v, key_id, version);
    if (version != 0 && version == s.newest && s.oldest != s.newest)
        return not_alone(v, key_id, version);
    if (version == 0 || s.oldest == s.newest) {
        vault_api(v, "metadata/", key_id, api);
        return change(v, TN_WEB_DELETE, api, "delete", NULL);
    }
    vault_api(v, "destroy/", key_id, api);
    snprintf(body, sizeof body, "{\"versions\":[%u]}", (unsigned)version);
    return change(v, TN_WEB_PUT, api, "update", body);
}

static int delete_kv1(struct vault *v, const char *key_id, uint32_t suffix)
{
    char name[TN_VERSION_NAME_BYTES], api[VAULT_API_BYTES];
    tn_version_name(key_id, suffix, name);
    vault_api(v, "", name, api);
    return change(v, TN_WEB_DELETE, api, "delete", NULL);
}

/* The highest number must stay in sight, or the key under ID would take it. */
static int retire_kv1(struct vault *v, const char *key_id, uint32_t suffix)
{
    char name[TN_VERSION_NAME_BYTES], api[VAULT_API_BYTES];
    struct vault_ask ask = { TN_WEB_PUT, .api = api, .capability = "create\", \"update" };
    struct tn_web_answer a;
    tn_version_name(key_id, suffix, name);
    vault_api(v, "", name, api);
    ask.body = "{\"" KV1_REMOVED "\":\"yes\"}";
    ask.body_len = strlen(ask.body);
    int r = vault_call(v, &ask, &a);
    tn_web_forget(&a);
    return r;
}

static int remove_kv1_version(struct vault *v, const char *key_id, uint32_t version, const struct tn_versions *known)
{
    char name[TN_VERSION_NAME_BYTES];
    struct kv_key k;
    uint32_t suffix = 0;
    if (!tn_versions_find(known, version, &suffix))
        return not_there(v, key_id, version);
    if (suffix == 0)
        return oldest_kv1(v, key_id, known) != version ? not_alone(v, key_id, version) : TENUO_OK;
    tn_version_name(key_id, suffix, name);
    int r = kv1_read_name(v, name, &k);
    sodium_memzero(&k, sizeof k);
    if (r == TENUO_E_KEY_NOT_FOUND)
        return not_there(v, key_id, version);
    return suffix == known->n[known->count - 1] ? retire_kv1(v, key_id, suffix) : delete_kv1(v, key_id, suffix);
}

/* All of it. The key under ID goes last: until then nobody takes what is left for no key at all. */
static int remove_kv1_all(struct vault *v, const char *key_id, const struct tn_versions *known)
{
    int r = TENUO_OK;
    for (size_t i = 0; i < known->count && r == TENUO_OK; i++)
        r = delete_kv1(v, key_id, known->n[i]);
    return r == TENUO_OK && known->plain ? delete_kv1(v, key_id, 0) : r;
}

static int remove_kv1(struct vault *v, const char *key_id, uint32_t version)
{
    struct tn_versions known;
    int r = kv1_versions(v, key_id, &known);
    if (r != TENUO_OK)
        return r == TENUO_E_KEY_DENIED ? list_right(v) : r;
    if (version == 0 && !known.plain && known.count == 0)
        return not_there(v, key_id, version);
    if (version != 0) {
        r = remove_kv1_version(v, key_id, version, &known);
        if (r != TENUO_OK || version != tn_versions_newest(&known))
            return r;
    }
    return remove_kv1_all(v, key_id, &known);
}

int kv_remove(struct vault *v, const char *key_id, uint32_t version)
{
    return v->engine == ENGINE_KV2 ? remove_kv2(v, key_id, version) : remove_kv1(v, key_id, version);
}
