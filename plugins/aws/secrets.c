/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Secrets Manager, for who signs: ID and ID@N below the prefix, 32 raw bytes or base64 text. What this plugin writes
 * has the version's number and the public key in the secret's VersionId, "tenuo-N-KEY", which the service ties to the
 * value for ever and shows to those who may not read it. A secret that somebody else wrote has neither: its public key
 * comes of the seed, and it has no number of its own.
 */
#include "secrets.h"

#include <sodium.h>
#include <stdio.h>
#include <string.h>

#include "../../common/keytext.h"

#define SCRATCH 4096
#define PUBLIC_TEXT 43

void secrets_name(const struct aws *a, const char *key_id, uint32_t version, char ret[AWS_NAME_BYTES])
{
    char name[TN_VERSION_NAME_BYTES];
    tn_version_name(key_id, version, name);
    snprintf(ret, AWS_NAME_BYTES, "%s%s", a->prefix, name);
}

void secrets_version_id(uint32_t version, const uint8_t key[32], char ret[SECRETS_VERSION_ID + 1])
{
    char text[PUBLIC_TEXT + 1] = "";
    tn_base64url_encode(text, key, 32);
    snprintf(ret, SECRETS_VERSION_ID + 1, "tenuo-%lu-%s", (unsigned long)version, text);
}

/* "tenuo-N-KEY": what has another form was written by somebody else. */
static void read_version_id(const char *text, struct secrets_found *f)
{
    static const char begins[] = "tenuo-";
    char id[TENUO_KEY_ID_MAX + 1], at[16];
    snprintf(f->version_id, sizeof f->version_id, "%s", text);
    f->managed = false;
    f->version = 0;
    if (strncmp(text, begins, sizeof begins - 1) != 0)
        return;
    text += sizeof begins - 1;
    size_t n = strcspn(text, "-");
    if (n == 0 || n > 10 || text[n] != '-')
        return;
    snprintf(at, sizeof at, "x@%.*s", (int)n, text); /* the same rule for numbers as in names */
    f->managed = tn_version_parse(at, strlen(at), id, &f->version) && strlen(text + n + 1) == PUBLIC_TEXT &&
                 tn_public_from_base64url(text + n + 1, PUBLIC_TEXT, f->key);
    if (!f->managed)
        f->version = 0;
}

/* The id of the version that has the label AWSCURRENT. */
static bool current_of(const struct tn_json *j, int stages, char ret[SECRETS_VERSION_ID + 1])
{
    int at = TN_JSON_NONE, name, labels;
    while (tn_json_next(j, stages, &at, &name, &labels)) {
        int label_at = TN_JSON_NONE, label;
        while (tn_json_next(j, labels, &label_at, NULL, &label))
            if (tn_json_is(j, label, "AWSCURRENT"))
                return tn_json_string(j, name, ret, SECRETS_VERSION_ID + 1, NULL);
    }
    return false;
}

bool secrets_read_stages(const struct tn_json *j, int stages, struct secrets_found *ret)
{
    char id[SECRETS_VERSION_ID + 1];
    if (!current_of(j, stages, id))
        return false;
    read_version_id(id, ret);
    return true;
}

static struct aws_body *ask_for(const char *name)
{
    struct aws_body *b = aws_body_new();
    aws_put(b, "{\"SecretId\":");
    aws_put_string(b, name);
    aws_put(b, "}");
    return b;
}

int secrets_describe_one(struct aws *a, const char *name, bool quiet_denied, struct secrets_found *ret)
{
    const struct aws_ask q = { .action = "DescribeSecret", .what = name, .quiet_denied = quiet_denied };
    struct aws_reply reply;
    int r = aws_call(a, &q, ask_for(name), &reply);
    if (r != TENUO_OK)
        return r;
    int deleted = tn_json_get(reply.json, 0, "DeletedDate");
    if (deleted != TN_JSON_NONE && !tn_json_null(reply.json, deleted))
        r = aws_fail(a, TENUO_E_KEY_DENIED, "%s: %s is scheduled for deletion: bring it back (restore-secret) or wait",
                     tn_web_server(a->web), name);
    else if (!secrets_read_stages(reply.json, tn_json_get(reply.json, 0, "VersionIdsToStages"), ret))
        r = aws_fail(a, TENUO_E_KEY_INVALID, "%s: %s has no current value: store a key in it, or remove it",
                     tn_web_server(a->web), name);
    (void)tn_json_seconds(reply.json, tn_json_get(reply.json, 0, "LastChangedDate"), &ret->changed_at);
    aws_reply_end(&reply);
    return r;
}

/* Text as temporal.md 7.3 has it (base64), and in the other forms of a key file. */
static bool seed_from_text(const struct tn_json *j, int node, uint8_t ret_seed[32])
{
    char *text = sodium_malloc(SCRATCH);
    size_t n = 0;
    bool good = text != NULL && tn_json_string(j, node, text, SCRATCH, &n) && tn_seed_from_text(text, n, ret_seed);
    sodium_free(text);
    return good;
}

static int read_value(const struct aws *a, const struct tn_json *j, const char *name, struct secrets_found *f,
                      uint8_t ret_seed[32])
{
    char id[SECRETS_VERSION_ID + 1] = "";
    uint8_t key[32];
    if (!aws_get_bytes(j, tn_json_get(j, 0, "SecretBinary"), ret_seed, 32) &&
        !seed_from_text(j, tn_json_get(j, 0, "SecretString"), ret_seed))
        return aws_fail(a, TENUO_E_KEY_INVALID,
                        "%s: %s holds no Ed25519 secret key: want 32 bytes as SecretBinary, or base64 as SecretString",
                        tn_web_server(a->web), name);
    (void)tn_json_string(j, tn_json_get(j, 0, "VersionId"), id, sizeof id, NULL);
    (void)tn_json_seconds(j, tn_json_get(j, 0, "CreatedDate"), &f->changed_at);
    aws_public_of(ret_seed, key);
    read_version_id(id, f);
    if (f->managed && memcmp(f->key, key, sizeof key) != 0) {
        sodium_memzero(ret_seed, 32);
        return aws_fail(a, TENUO_E_KEY_INVALID, "%s: %s is not the key that its VersionId names: store it again",
                        tn_web_server(a->web), name);
    }
    memcpy(f->key, key, sizeof key);
    return TENUO_OK;
}

int secrets_get(struct aws *a, const char *name, struct secrets_found *ret, uint8_t ret_seed[32])
{
    const struct aws_ask q = { .action = "GetSecretValue", .what = name };
    struct aws_reply reply;
    uint8_t *seed = sodium_malloc(32);
    int r = seed == NULL ? TENUO_E_NOMEM : aws_call(a, &q, ask_for(name), &reply);
    if (r == TENUO_OK) {
        r = read_value(a, reply.json, name, ret, seed);
        aws_reply_end(&reply);
    }
    if (r == TENUO_OK && ret_seed != NULL)
        memcpy(ret_seed, seed, 32);
    sodium_free(seed);
    return r;
}

/* Public key and number, if possible without the value. */
static int look(struct aws *a, const char *name, struct secrets_found *ret, uint8_t *ret_seed)
{
    if (ret_seed != NULL)
        return secrets_get(a, name, ret, ret_seed);
    int r = secrets_describe_one(a, name, true, ret);
    if (r == TENUO_OK && ret->managed)
        return r;
    return r == TENUO_OK || r == TENUO_E_KEY_DENIED ? secrets_get(a, name, ret, NULL) : r;
}

static int look_sibling(struct aws *a, const char *key_id, uint32_t version, struct secrets_found *ret,
                        uint8_t *ret_seed)
{
    char name[AWS_NAME_BYTES];
    secrets_name(a, key_id, version, name);
    int r = look(a, name, ret, ret_seed);
    if (r == TENUO_OK && ret->managed && ret->version != version) {
        if (ret_seed != NULL)
            sodium_memzero(ret_seed, 32);
        r = aws_fail(a, TENUO_E_KEY_INVALID, "%s: %s holds version %lu: one of them was copied over the other",
                     tn_web_server(a->web), name, (unsigned long)ret->version);
    }
    if (r == TENUO_OK)
        ret->version = version;
    return r;
}

/* ID has no number of its own; its siblings give it one. */
static int look_unnumbered(struct aws *a, const char *key_id, uint32_t version, struct secrets_found *ret,
                           uint8_t *ret_seed)
{
    struct tn_versions v = { 0 };
    char name[AWS_NAME_BYTES];
    int r = secrets_siblings(a, key_id, &v);
    if (r == TENUO_E_KEY_DENIED || (r == TENUO_OK && tn_versions_newest(&v) != version)) {
        secrets_name(a, key_id, version, name);
        return aws_fail(a, TENUO_E_KEY_NOT_FOUND, "%s: there is no secret %s", tn_web_server(a->web), name);
    }
    if (r != TENUO_OK)
        return r;
    secrets_name(a, key_id, 0, name);
    r = look(a, name, ret, ret_seed);
    if (r == TENUO_OK)
        ret->version = version;
    return r;
}

int secrets_locate(struct aws *a, const char *key_id, uint32_t version, struct secrets_found *ret, uint8_t *ret_seed)
{
    char name[AWS_NAME_BYTES];
    secrets_name(a, key_id, 0, name);
    int r = look(a, name, ret, ret_seed);
    if (version == 0 || (r == TENUO_OK && ret->version == version))
        return r;
    if (r != TENUO_OK && r != TENUO_E_KEY_NOT_FOUND)
        return r;
    bool unnumbered = r == TENUO_OK && !ret->managed;
    if (ret_seed != NULL)
        sodium_memzero(ret_seed, 32);
    r = look_sibling(a, key_id, version, ret, ret_seed);
    return r == TENUO_E_KEY_NOT_FOUND && unnumbered ? look_unnumbered(a, key_id, version, ret, ret_seed) : r;
}

static int secrets_public_key(struct aws *a, const char *key_id, uint32_t version, uint8_t ret_key[32],
                              uint32_t *ret_version)
{
    struct secrets_found f = { 0 };
    int r = secrets_locate(a, key_id, version, &f, NULL);
    if (r != TENUO_OK)
        return r;
    memcpy(ret_key, f.key, 32);
    *ret_version = f.version;
    return TENUO_OK;
}

static int secrets_export(struct aws *a, const char *key_id, uint32_t version, uint8_t ret_seed[32])
{
    struct secrets_found f = { 0 };
    return secrets_locate(a, key_id, version, &f, ret_seed);
}

const struct aws_service aws_secrets = {
    .name = "secretsmanager",
    .target = "secretsmanager",
    .label = "AWS Secrets Manager",
    .can = aws_hands_out,
    .public_key = secrets_public_key,
    .export_seed = secrets_export,
    .list = secrets_list,
    .describe = secrets_describe,
    .import = secrets_import,
    .remove = secrets_remove,
};
