/* SPDX-License-Identifier: Apache-2.0 */
/* Keys that stay in Vault: the transit engine signs with exactly the version whose public key was read. */
#include "vault.h"

#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MESSAGE_MAX 65536 /* what the host has signed is far smaller */

static int not_there(const struct vault *v, const char *api, uint32_t version)
{
    if (version == 0)
        return vault_say(v, TENUO_E_KEY_NOT_FOUND, "%s: no key at %s/%s", tn_web_server(v->web), v->mount, api);
    return vault_say(v, TENUO_E_KEY_NOT_FOUND, "%s: no version %u of the key at %s/%s, or it is archived",
                     tn_web_server(v->web), (unsigned)version, v->mount, api);
}

static uint32_t number_of(const struct tn_json *j, int object, const char *name)
{
    uint64_t n = 0;
    return tn_json_uint(j, tn_json_get(j, object, name), &n) && n <= UINT32_MAX ? (uint32_t)n : 0;
}

static bool take_public(const struct tn_json *j, int node, uint8_t ret_key[TENUO_PUBKEY_BYTES])
{
    char text[64];
    uint8_t key[TENUO_PUBKEY_BYTES];
    size_t n = 0, len = 0;
    if (!tn_json_string(j, node, text, sizeof text, &n) ||
        sodium_base642bin(key, sizeof key, text, n, NULL, &len, NULL, sodium_base64_VARIANT_ORIGINAL) != 0 ||
        len != sizeof key)
        return false;
    memcpy(ret_key, key, sizeof key);
    return true;
}

/* The lowest version that is there. */
static uint32_t oldest_of(const struct tn_json *j, int keys, uint32_t latest)
{
    uint32_t oldest = latest;
    int at = TN_JSON_NONE, name, value;
    while (tn_json_next(j, keys, &at, &name, &value)) {
        char text[16], *end = NULL;
        if (!tn_json_string(j, name, text, sizeof text, NULL))
            continue;
        unsigned long n = strtoul(text, &end, 10);
        if (*end == '\0' && n > 0 && n < oldest)
            oldest = (uint32_t)n;
    }
    return oldest;
}

static int take_key(const struct vault *v, const struct tn_json *j, const char *api, uint32_t version,
                    struct transit_key *ret)
{
    int data = tn_json_get(j, 0, "data"), keys = tn_json_get(j, data, "keys");
    struct transit_key k = { .latest = number_of(j, data, "latest_version") };
    char text[16];
    const char *server = tn_web_server(v->web);
    if (!tn_json_is(j, tn_json_get(j, data, "type"), "ed25519"))
        return vault_say(v, TENUO_E_KEY_INVALID, "%s: the key at %s/%s is not of type ed25519: make one of that type",
                         server, v->mount, api);
    if (tn_json_true(j, tn_json_get(j, data, "derived")))
        return vault_say(v, TENUO_E_KEY_INVALID,
                         "%s: the key at %s/%s is derived, and has no public key of its own: "
                         "make one that is not",
                         server, v->mount, api);
    k.version = version != 0 ? version : k.latest;
    k.least_signing = number_of(j, data, "min_encryption_version");
    k.deletion_allowed = tn_json_true(j, tn_json_get(j, data, "deletion_allowed"));
    k.oldest = oldest_of(j, keys, k.latest);
    snprintf(text, sizeof text, "%u", (unsigned)k.version);
    int one = tn_json_get(j, keys, text);
    if (one == TN_JSON_NONE)
        return not_there(v, api, k.version);
    if (!take_public(j, tn_json_get(j, one, "public_key"), k.key))
        return vault_say(v, TENUO_E_KEY_INVALID, "%s: version %u of the key at %s/%s has no public key of 32 bytes",
                         server, (unsigned)k.version, v->mount, api);
    k.created_at = vault_time(j, tn_json_get(j, one, "creation_time"));
    *ret = k;
    return TENUO_OK;
}

int transit_read(struct vault *v, const char *key_id, uint32_t version, struct transit_key *ret)
{
    char api[VAULT_API_BYTES];
    struct vault_ask ask = { TN_WEB_GET, .api = api, .capability = "read" };
    struct tn_web_answer a;
    struct tn_json *j = NULL;
    vault_api(v, "keys/", key_id, api);
    int r = vault_call(v, &ask, &a);
    if (r == TENUO_OK && a.status == 404)
        r = not_there(v, api, 0);
    if (r == TENUO_OK)
        r = vault_json(v, &a, &j);
    if (r == TENUO_OK)
        r = take_key(v, j, api, version, ret);
    tn_json_free(j);
    tn_web_forget(&a);
    return r;
}

int transit_public_key(struct vault *v, const char *key_id, uint32_t version, uint8_t ret_key[TENUO_PUBKEY_BYTES],
                       uint32_t *ret_version)
{
    struct transit_key k;
    int r = transit_read(v, key_id, version, &k);
    if (r != TENUO_OK)
        return r;
    memcpy(ret_key, k.key, sizeof k.key);
    *ret_version = k.version;
    return TENUO_OK;
}

/* "vault:vN:" and the base64 of 64 bytes, N being what was asked for. */
static bool take_signature(const struct tn_json *j, uint32_t version, uint8_t ret_signature[TENUO_SIG_BYTES])
{
    static const char *const path[] = { "data", "signature", NULL };
    char text[160], *end = NULL;
    uint8_t signature[TENUO_SIG_BYTES];
    size_t n = 0, len = 0;
    if (!tn_json_string(j, tn_json_path(j, 0, path), text, sizeof text, &n) || strncmp(text, "vault:v", 7) != 0 ||
        text[7] < '1' || text[7] > '9')
        return false;
    unsigned long number = strtoul(text + 7, &end, 10);
    if (*end != ':' || (version != 0 && number != version))
        return false;
    end++;
    if (sodium_base642bin(signature, sizeof signature, end, n - (size_t)(end - text), NULL, &len, NULL,
                          sodium_base64_VARIANT_ORIGINAL) != 0 ||
        len != sizeof signature)
        return false;
    memcpy(ret_signature, signature, sizeof signature);
    return true;
}

/* Vault answers 500 to a version that is not there: an answer, and no trouble. */
static bool is_about_version(const struct tn_web_answer *a)
{
    char text[160];
    vault_first_error(a, text, sizeof text);
    return strstr(text, "requested version for signing") != NULL;
}

static int judge_refusal(const struct vault *v, const struct tn_web_answer *a, const char *api, uint32_t version)
{
    char text[160];
    vault_first_error(a, text, sizeof text);
    if (strstr(text, "less than the minimum") != NULL)
        return vault_say(v, TENUO_E_KEY_DENIED,
                         "%s: version %u of the key at %s/%s may not sign any more: min_encryption_version is higher",
                         tn_web_server(v->web), (unsigned)version, v->mount, api);
    if (a->status == 404 || strstr(text, "not found") != NULL || is_about_version(a))
        return not_there(v, api, version);
    return vault_say(v, TENUO_E_KEY_INVALID, "%s: %s/%s does not sign (%ld, %s): is the key of type ed25519?",
                     tn_web_server(v->web), v->mount, api, a->status, text);
}

static int make_body(struct vault_text *t, uint32_t version, const uint8_t *message, size_t len)
{
    size_t cap = sodium_base64_ENCODED_LEN(len, sodium_base64_VARIANT_ORIGINAL);
    char number[48], *text = malloc(cap);
    vault_text_begin(t, cap + 64);
    if (text != NULL) {
        sodium_bin2base64(text, cap, message, len, sodium_base64_VARIANT_ORIGINAL);
        vault_text_add(t, "{\"input\":\"");
        vault_text_add(t, text);
        snprintf(number, sizeof number, version != 0 ? "\",\"key_version\":%u}" : "\"}", (unsigned)version);
        vault_text_add(t, number);
    }
    bool good = text != NULL && !t->bad;
    free(text);
    return good ? TENUO_OK : TENUO_E_NOMEM;
}

int transit_sign(struct vault *v, const char *key_id, uint32_t version, const uint8_t *message, size_t len,
                 uint8_t ret_signature[TENUO_SIG_BYTES])
{
    char api[VAULT_API_BYTES];
    struct vault_ask ask = { TN_WEB_POST, .api = api, .capability = "update", .refused_ok = true,
                             .settled = is_about_version };
    struct vault_text body = { 0 };
    struct tn_web_answer a = { 0 };
    struct tn_json *j = NULL;
    if (len > MESSAGE_MAX)
        return TENUO_E_INVALID_ARGUMENT;
    vault_api(v, "sign/", key_id, api);
    int r = make_body(&body, version, message, len);
    ask.body = body.p;
    ask.body_len = body.len;
    if (r == TENUO_OK)
        r = vault_call(v, &ask, &a);
    vault_text_end(&body);
    if (r == TENUO_OK && a.status != 200)
        r = judge_refusal(v, &a, api, version);
    if (r == TENUO_OK)
        r = vault_json(v, &a, &j);
    if (r == TENUO_OK && !take_signature(j, version, ret_signature))
        r = vault_say(v, TENUO_E_KEY_INVALID, "%s: the answer of %s/%s is no signature of version %u of an Ed25519 key",
                      tn_web_server(v->web), v->mount, api, (unsigned)version);
    tn_json_free(j);
    tn_web_forget(&a);
    return r;
}
