/* SPDX-License-Identifier: Apache-2.0 */
/* The administrator's operations on the transit engine. Vault makes the keys and numbers their versions; it can take
 * away the oldest alone. */
#include "vault.h"

#include <stdio.h>
#include <string.h>

#define HURRY_MS 500

static void fill(struct tenuo_key_entry *e, const char *key_id, const struct transit_key *k)
{
    *e = (struct tenuo_key_entry){ .size = sizeof *e, .version = k->version, .oldest = k->oldest };
    snprintf(e->id, sizeof e->id, "%s", key_id);
    e->newest = k->latest;
    memcpy(e->public_key, k->key, sizeof k->key);
    e->has_public_key = 1;
    e->created_at = k->created_at;
    snprintf(e->note, sizeof e->note, "Vault transit, signs in Vault");
    if (k->least_signing > k->version)
        snprintf(e->note, sizeof e->note, "Vault transit, signs no more (min_encryption_version %u)",
                 (unsigned)k->least_signing);
}

int transit_describe(struct vault *v, const char *key_id, uint32_t version, struct tenuo_key_entry *ret_entry)
{
    struct transit_key k;
    int r = transit_read(v, key_id, version, &k);
    if (r == TENUO_OK)
        fill(ret_entry, key_id, &k);
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
    char id[TENUO_KEY_ID_MAX + 1];
    const char *name;
    size_t n;
    uint32_t version;
    if (!vault_id_of(l->v, entry, len, &name, &n) || !tn_version_parse(name, n, id, &version) || version != 0)
        return 0;
    memcpy(e.id, id, sizeof e.id);
    if (l->v->host->deadline(l->v->host) < HURRY_MS) {
        snprintf(e.note, sizeof e.note, "not looked at: the time of this line is over (timeout=)");
        return l->each(l->arg, &e);
    }
    int r = transit_describe(l->v, id, 0, &e);
    if (r == TENUO_E_KEY_NOT_FOUND)
        return 0;
    if (r == TENUO_E_KEY_INVALID || r == TENUO_E_KEY_DENIED)
        snprintf(e.note, sizeof e.note, "%s",
                 r == TENUO_E_KEY_DENIED ? "may not be read by this user" : "no Ed25519 key");
    else if (r != TENUO_OK) {
        l->code = r;
        return 1;
    }
    return l->each(l->arg, &e);
}

int transit_list(struct vault *v, int (*each)(void *arg, const struct tenuo_key_entry *entry), void *arg)
{
    struct listing l = { v, each, arg, TENUO_OK };
    int r = vault_each(v, "keys", false, list_one, &l);
    return r != TENUO_OK ? r : l.code;
}

static int change(struct vault *v, enum tn_web_method method, const char *prefix, const char *key_id, const char *tail,
                  const char *body)
{
    char api[VAULT_API_BYTES], whole[VAULT_API_BYTES + 16];
    struct vault_ask ask = {
        .method = method,
        .api = whole,
        .capability = method == TN_WEB_DELETE ? "delete"
                      : prefix[0] == '\0'     ? "update"
                                              : "create\", \"update",
        .body = body,
        .body_len = body != NULL ? strlen(body) : 0,
        .once = true,
    };
    struct tn_web_answer a;
    vault_api(v, "keys/", key_id, api);
    snprintf(whole, sizeof whole, "%s%s", api, tail);
    if (strlen(whole) >= VAULT_API_BYTES)
        return TENUO_E_INVALID_ARGUMENT;
    int r = vault_call(v, &ask, &a);
    if (r == TENUO_OK && a.status == 404)
        r = vault_say(v, TENUO_E_KEY_NOT_FOUND, "%s: no key at %s/%s", tn_web_server(v->web), v->mount, api);
    tn_web_forget(&a);
    return r;
}

int transit_generate(struct vault *v, const char *key_id, unsigned flags, uint8_t ret_key[TENUO_PUBKEY_BYTES],
                     uint32_t *ret_version)
{
    struct transit_key k;
    bool again = (flags & TENUO_STORE_NEW_VERSION) != 0;
    int r = transit_read(v, key_id, 0, &k);
    if (r != TENUO_OK && (again || r != TENUO_E_KEY_NOT_FOUND))
        return r;
    if (r == TENUO_OK && !again)
        return vault_say(v, TENUO_E_KEY_CONFLICT, "%s: %s is in %s already: rotate it, or remove it first",
                         tn_web_server(v->web), key_id, v->mount);
    r = again ? change(v, TN_WEB_POST, "", key_id, "/rotate", "{}")
              : change(v, TN_WEB_POST, "new", key_id, "", "{\"type\":\"ed25519\"}");
    if (r == TENUO_OK)
        r = transit_read(v, key_id, 0, &k);
    if (r != TENUO_OK)
        return r;
    memcpy(ret_key, k.key, sizeof k.key);
    *ret_version = k.version;
    return TENUO_OK;
}

/* Only from below: first nothing may use it any more, then it can be trimmed. */
static int trim(struct vault *v, const char *key_id, const struct transit_key *k)
{
    uint32_t next = k->version + 1, signing = k->least_signing > next ? k->least_signing : next;
    char body[96];
    snprintf(body, sizeof body, "{\"min_decryption_version\":%u,\"min_encryption_version\":%u}", (unsigned)next,
             (unsigned)signing);
    int r = change(v, TN_WEB_POST, "", key_id, "/config", body);
    snprintf(body, sizeof body, "{\"min_available_version\":%u}", (unsigned)next);
    return r == TENUO_OK ? change(v, TN_WEB_POST, "", key_id, "/trim", body) : r;
}

int transit_remove(struct vault *v, const char *key_id, uint32_t version)
{
    struct transit_key k;
    int r = transit_read(v, key_id, version, &k);
    if (r == TENUO_E_KEY_INVALID && version == 0) /* another type: its owner can still be rid of it */
        return vault_say(v, r, "%s: %s in %s is no Ed25519 key, so it is left alone: vault delete %s/keys/%s",
                         tn_web_server(v->web), key_id, v->mount, v->mount, key_id);
    if (r != TENUO_OK)
        return r;
    if (version != 0 && version == k.latest && k.oldest != k.latest)
        return vault_say(v, TENUO_E_INVALID_ARGUMENT,
                         "%u is the newest version of %s, and older ones stay: remove these first, or all of them",
                         (unsigned)version, key_id);
    if (version != 0 && version != k.oldest)
        return vault_say(v, TENUO_E_INVALID_ARGUMENT,
                         "Vault takes away the oldest version alone, and that is %u of %s: remove it first",
                         (unsigned)k.oldest, key_id);
    if (version != 0 && version != k.latest)
        return trim(v, key_id, &k);
    if (!k.deletion_allowed)
        r = change(v, TN_WEB_POST, "", key_id, "/config", "{\"deletion_allowed\":true}");
    return r == TENUO_OK ? change(v, TN_WEB_DELETE, "", key_id, "", NULL) : r;
}
