/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Parameter Store: SecureString parameters, base64 text, with the versions that the service counts itself. What this
 * plugin writes has the public key in the description of each version, where those see it who may not decrypt.
 */
#include "aws.h"

#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../../common/keytext.h"

#define PAGE "50"
#define SCRATCH 4096
#define DESCRIPTION "Tenuo holder key "
#define DESCRIPTION_MAX 1024 /* bytes that the service takes */
#define PUBLIC_TEXT 43

static void name_of(const struct aws *a, const char *key_id, uint32_t version, char ret[AWS_NAME_BYTES])
{
    if (version == 0)
        snprintf(ret, AWS_NAME_BYTES, "%s%s", a->prefix, key_id);
    else
        snprintf(ret, AWS_NAME_BYTES, "%s%s:%lu", a->prefix, key_id, (unsigned long)version);
}

static bool read_version(const struct tn_json *j, int node, uint32_t *ret)
{
    uint64_t n = 0;
    if (!tn_json_uint(j, tn_json_get(j, node, "Version"), &n) || n == 0 || n > UINT32_MAX)
        return false;
    *ret = (uint32_t)n;
    return true;
}

static bool read_description(const struct tn_json *j, int node, uint8_t ret_key[32])
{
    char text[DESCRIPTION_MAX + 1];
    size_t n = 0;
    const size_t skip = sizeof DESCRIPTION - 1;
    return tn_json_string(j, tn_json_get(j, node, "Description"), text, sizeof text, &n) && n == skip + PUBLIC_TEXT &&
           memcmp(text, DESCRIPTION, skip) == 0 && tn_public_from_base64url(text + skip, PUBLIC_TEXT, ret_key);
}

/* A parameter that is not encrypted is readable by more than one thinks: it is no place for a key. */
static int judge_type(const struct aws *a, const struct tn_json *j, int node, const char *name)
{
    if (tn_json_is(j, tn_json_get(j, node, "Type"), "SecureString"))
        return TENUO_OK;
    return aws_fail(a, TENUO_E_KEY_INVALID,
                    "%s: %s is no SecureString, its value lies in clear: make a new key, and remove this one",
                    tn_web_server(a->web), name);
}

static int read_parameter(const struct aws *a, const struct tn_json *j, const char *name, uint8_t ret_seed[32],
                          uint32_t *ret_version)
{
    int node = tn_json_get(j, 0, "Parameter"), r = judge_type(a, j, node, name);
    char *text = sodium_malloc(SCRATCH);
    size_t n = 0;
    if (r == TENUO_OK && text == NULL)
        r = TENUO_E_NOMEM;
    if (r == TENUO_OK &&
        !(tn_json_string(j, tn_json_get(j, node, "Value"), text, SCRATCH, &n) && tn_seed_from_text(text, n, ret_seed)))
        r = aws_fail(a, TENUO_E_KEY_INVALID, "%s: %s holds no Ed25519 secret key: want 32 bytes in base64",
                     tn_web_server(a->web), name);
    if (r == TENUO_OK && !read_version(j, node, ret_version)) {
        sodium_memzero(ret_seed, 32);
        r = aws_fail(a, TENUO_E_UNAVAILABLE,
                     "%s: %s has no version in the answer: look at endpoint=", tn_web_server(a->web), name);
    }
    sodium_free(text);
    return r;
}

static int get(struct aws *a, const char *key_id, uint32_t version, uint8_t ret_seed[32], uint32_t *ret_version)
{
    char name[AWS_NAME_BYTES];
    const struct aws_ask q = { .action = "GetParameter", .what = name };
    struct aws_reply reply;
    struct aws_body *b = aws_body_new();
    name_of(a, key_id, version, name);
    aws_put(b, "{\"Name\":");
    aws_put_string(b, name);
    aws_put(b, ",\"WithDecryption\":true}");
    int r = aws_call(a, &q, b, &reply);
    if (r != TENUO_OK)
        return r;
    r = read_parameter(a, reply.json, name, ret_seed, ret_version);
    aws_reply_end(&reply);
    return r;
}

/* ---- history: all versions, without their values ---- */

struct history {
    uint32_t oldest, newest, wanted, found; /* found: 0, not there */
    uint8_t key[32];
    bool has_key, secure;
    int64_t changed_at;
};

static void take_versions(const struct tn_json *j, struct history *h)
{
    int at = TN_JSON_NONE, node, list = tn_json_get(j, 0, "Parameters");
    while (tn_json_next(j, list, &at, NULL, &node)) {
        uint32_t version = 0;
        if (!read_version(j, node, &version))
            continue;
        if (h->oldest == 0 || version < h->oldest)
            h->oldest = version;
        if (version > h->newest)
            h->newest = version;
        if (h->wanted != 0 ? version != h->wanted : version < h->newest)
            continue;
        h->found = version;
        h->changed_at = 0;
        (void)tn_json_seconds(j, tn_json_get(j, node, "LastModifiedDate"), &h->changed_at);
        h->has_key = read_description(j, node, h->key);
        h->secure = tn_json_is(j, tn_json_get(j, node, "Type"), "SecureString");
    }
}

static struct aws_body *ask_for_history(const char *name, const char *token)
{
    struct aws_body *b = aws_body_new();
    aws_put(b, "{\"Name\":");
    aws_put_string(b, name);
    aws_put(b, ",\"WithDecryption\":false,\"MaxResults\":" PAGE);
    if (token[0] != '\0') {
        aws_put(b, ",\"NextToken\":");
        aws_put_string(b, token);
    }
    aws_put(b, "}");
    return b;
}

static int read_history(struct aws *a, const char *key_id, uint32_t version, bool quiet_denied, struct history *ret)
{
    char name[AWS_NAME_BYTES];
    const struct aws_ask q = {
        .action = "GetParameterHistory", .what = name, .list = true, .quiet_denied = quiet_denied
    };
    struct aws_pages *pages = aws_pages_new();
    int r = pages == NULL ? TENUO_E_NOMEM : TENUO_OK;
    name_of(a, key_id, 0, name);
    *ret = (struct history){ .wanted = version };
    while (r == TENUO_OK && pages->more) {
        struct aws_reply reply;
        r = aws_call(a, &q, ask_for_history(name, pages->token), &reply);
        if (r != TENUO_OK)
            break;
        take_versions(reply.json, ret);
        r = aws_pages_turn(a, &q, reply.json, "NextToken", pages);
        aws_reply_end(&reply);
    }
    free(pages);
    if (r == TENUO_OK && ret->found == 0)
        r = aws_fail(a, TENUO_E_KEY_NOT_FOUND, "%s: there is no version %lu of %s", tn_web_server(a->web),
                     (unsigned long)version, name);
    return r;
}

static int ssm_public_key(struct aws *a, const char *key_id, uint32_t version, uint8_t ret_key[32],
                          uint32_t *ret_version)
{
    struct history h;
    int r = read_history(a, key_id, version, true, &h);
    if (r == TENUO_OK && h.has_key && h.secure) {
        memcpy(ret_key, h.key, 32);
        *ret_version = h.found;
        return TENUO_OK;
    }
    if (r != TENUO_OK && r != TENUO_E_KEY_DENIED)
        return r;
    uint8_t *seed = sodium_malloc(32); /* stored by other means, or no right to look: the value itself tells */
    r = seed == NULL ? TENUO_E_NOMEM : get(a, key_id, version, seed, ret_version);
    if (r == TENUO_OK)
        aws_public_of(seed, ret_key);
    sodium_free(seed);
    return r;
}

static int ssm_export(struct aws *a, const char *key_id, uint32_t version, uint8_t ret_seed[32])
{
    uint32_t found = 0;
    return get(a, key_id, version, ret_seed, &found);
}

static int ssm_describe(struct aws *a, const char *key_id, uint32_t version, struct tenuo_key_entry *ret_entry)
{
    struct history h;
    uint32_t found = 0;
    int r = read_history(a, key_id, version, false, &h);
    if (r != TENUO_OK)
        return r;
    ret_entry->version = h.found;
    ret_entry->created_at = h.changed_at;
    ret_entry->oldest = h.oldest;
    ret_entry->newest = h.newest;
    if (!h.secure)
        snprintf(ret_entry->note, sizeof ret_entry->note, "no SecureString: its value lies in clear");
    else if (h.has_key)
        memcpy(ret_entry->public_key, h.key, 32);
    else if (ssm_public_key(a, key_id, version, ret_entry->public_key, &found) == TENUO_OK)
        h.has_key = true;
    ret_entry->has_public_key = h.secure && h.has_key;
    return TENUO_OK;
}

/* ---- list ---- */

static void hand_out(const struct aws *a, const struct tn_json *j,
                     int (*each)(void *arg, const struct tenuo_key_entry *entry), void *arg, bool *ret_stop)
{
    int at = TN_JSON_NONE, node, list = tn_json_get(j, 0, "Parameters");
    const size_t skip = strlen(a->prefix);
    char name[AWS_NAME_BYTES];
    while (!*ret_stop && tn_json_next(j, list, &at, NULL, &node)) {
        struct tenuo_key_entry e = { .size = sizeof e };
        uint32_t suffix = 0;
        if (!tn_json_string(j, tn_json_get(j, node, "Name"), name, sizeof name, NULL) ||
            strncmp(name, a->prefix, skip) != 0 || !tn_version_parse(name + skip, strlen(name + skip), e.id, &suffix) ||
            suffix != 0)
            continue;
        (void)read_version(j, node, &e.version);
        (void)tn_json_seconds(j, tn_json_get(j, node, "LastModifiedDate"), &e.created_at);
        e.newest = e.version;
        e.has_public_key = read_description(j, node, e.public_key);
        snprintf(e.note, sizeof e.note, "%s, %s%s", a->service->label, a->region,
                 tn_json_is(j, tn_json_get(j, node, "Type"), "SecureString") ? ""
                                                                             : ", no SecureString: it lies in clear");
        *ret_stop = each(arg, &e) != 0;
    }
}

static struct aws_body *ask_for_list(const struct aws *a, const char *token)
{
    struct aws_body *b = aws_body_new();
    aws_put(b, "{\"MaxResults\":" PAGE);
    if (a->prefix[0] != '\0') {
        aws_put(b, ",\"ParameterFilters\":[{\"Key\":\"Name\",\"Option\":\"BeginsWith\",\"Values\":[");
        aws_put_string(b, a->prefix);
        aws_put(b, "]}]");
    }
    if (token[0] != '\0') {
        aws_put(b, ",\"NextToken\":");
        aws_put_string(b, token);
    }
    aws_put(b, "}");
    return b;
}

static int ssm_list(struct aws *a, int (*each)(void *arg, const struct tenuo_key_entry *entry), void *arg)
{
    const struct aws_ask q = { .action = "DescribeParameters", .what = a->prefix, .list = true };
    struct aws_pages *pages = aws_pages_new();
    bool stop = false;
    int r = pages == NULL ? TENUO_E_NOMEM : TENUO_OK;
    while (r == TENUO_OK && pages->more && !stop) {
        struct aws_reply reply;
        r = aws_call(a, &q, ask_for_list(a, pages->token), &reply);
        if (r != TENUO_OK)
            break;
        hand_out(a, reply.json, each, arg, &stop);
        r = aws_pages_turn(a, &q, reply.json, "NextToken", pages);
        aws_reply_end(&reply);
    }
    free(pages);
    return r;
}

/* ---- changes ---- */

static void put_description(struct aws_body *b, const uint8_t key[32])
{
    char text[sizeof DESCRIPTION + PUBLIC_TEXT] = DESCRIPTION;
    tn_base64url_encode(text + sizeof DESCRIPTION - 1, key, 32);
    aws_put(b, ",\"Description\":");
    aws_put_string(b, text);
}

static struct aws_body *ask_to_put(const struct aws *a, const char *name, bool overwrite, const uint8_t seed[32],
                                   const uint8_t key[32])
{
    struct aws_body *b = aws_body_new();
    aws_put(b, "{\"Name\":");
    aws_put_string(b, name);
    aws_put(b, ",\"Type\":\"SecureString\",\"Overwrite\":");
    aws_put(b, overwrite ? "true" : "false");
    put_description(b, key);
    if (a->kms_key != NULL) {
        aws_put(b, ",\"KeyId\":");
        aws_put_string(b, a->kms_key);
    }
    aws_put(b, ",\"Value\":");
    aws_put_base64(b, seed, 32);
    aws_put(b, "}");
    return b;
}

/* Overwriting makes what is not there: so it is looked for first. */
static int ssm_import(struct aws *a, const char *key_id, unsigned flags, const uint8_t seed[32], const uint8_t key[32],
                      uint32_t *ret_version)
{
    char name[AWS_NAME_BYTES];
    const struct aws_ask q = { .action = "PutParameter", .what = name, .secret_body = true, .once = true };
    struct history h;
    struct aws_reply reply;
    int r = flags != 0 ? read_history(a, key_id, 0, false, &h) : TENUO_OK;
    if (r != TENUO_OK)
        return r;
    name_of(a, key_id, 0, name);
    r = aws_call(a, &q, ask_to_put(a, name, flags != 0, seed, key), &reply);
    if (r != TENUO_OK)
        return r;
    if (!read_version(reply.json, 0, ret_version))
        r = aws_odd(a, &q, "the answer has no version");
    aws_reply_end(&reply);
    return r;
}

static int ssm_remove(struct aws *a, const char *key_id, uint32_t version)
{
    char name[AWS_NAME_BYTES];
    const struct aws_ask q = { .action = "DeleteParameter", .what = name };
    struct history h;
    struct aws_reply reply;
    name_of(a, key_id, 0, name);
    int r = version != 0 ? read_history(a, key_id, version, false, &h) : TENUO_OK;
    if (r != TENUO_OK)
        return r;
    if (version != 0 && h.oldest != h.newest)
        return aws_fail(a, TENUO_E_INVALID_ARGUMENT,
                        "%s: Parameter Store keeps every version until the parameter goes: make a key of another id, "
                        "re-issue to it, then remove this one whole",
                        name);
    struct aws_body *b = aws_body_new();
    aws_put(b, "{\"Name\":");
    aws_put_string(b, name);
    aws_put(b, "}");
    r = aws_call(a, &q, b, &reply);
    if (r == TENUO_OK)
        aws_reply_end(&reply);
    return r;
}

const struct aws_service aws_ssm = {
    .name = "ssm",
    .target = "AmazonSSM",
    .label = "AWS Parameter Store",
    .can = aws_hands_out,
    .public_key = ssm_public_key,
    .export_seed = ssm_export,
    .list = ssm_list,
    .describe = ssm_describe,
    .import = ssm_import,
    .remove = ssm_remove,
};
