/* SPDX-License-Identifier: Apache-2.0 */
/*
 * KMS as the signer: an asymmetric key of spec ECC_NIST_EDWARDS25519 that never leaves it, named by a template, as a
 * rule an alias. An alias has no versions, so neither has this store: moving it to another key replaces the key.
 */
#include "aws.h"

#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SPEC "ECC_NIST_EDWARDS25519"
#define ALGORITHM "ED25519_SHA_512"
#define ALIAS "alias/"
#define MESSAGE_MAX 4096 /* bytes that Sign takes as RAW */
#define ARN_MAX 512
#define NAME_MAX_BYTES (256 + TENUO_KEY_ID_MAX + 8)
#define SHORTEST_RECOVERY 7
#define PAGE "100"

static int name_of(const struct aws *a, const char *key_id, uint32_t version, char ret[NAME_MAX_BYTES])
{
    if (version != 0)
        return aws_fail(a, TENUO_E_KEY_NOT_FOUND, "%s: a KMS alias has no versions", key_id);
    /* A dot cannot be in the name of an alias: the service has no such key. */
    if (!a->one_key && strchr(key_id, '.') != NULL)
        return aws_fail(a, TENUO_E_KEY_NOT_FOUND, "%s: no KMS alias can have this name, as it has a dot", key_id);
    int n = snprintf(ret, NAME_MAX_BYTES, "%s%s%s", a->before, a->one_key ? "" : key_id, a->after);
    return n < NAME_MAX_BYTES ? TENUO_OK : aws_fail(a, TENUO_E_INVALID_ARGUMENT, "key= and the key id are too long");
}

static struct aws_body *ask_for(const char *member, const char *name)
{
    struct aws_body *b = aws_body_new();
    aws_put(b, "{\"");
    aws_put(b, member);
    aws_put(b, "\":");
    aws_put_string(b, name);
    return b;
}

/* SPKI (RFC 8410): always these 12 bytes, then the key. */
static bool from_spki(const struct tn_json *j, uint8_t ret_key[32])
{
    static const uint8_t begins[12] = { 0x30, 0x2a, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x03, 0x21, 0x00 };
    uint8_t der[sizeof begins + 32];
    if (!aws_get_bytes(j, tn_json_get(j, 0, "PublicKey"), der, sizeof der) || memcmp(der, begins, sizeof begins) != 0)
        return false;
    memcpy(ret_key, der + sizeof begins, 32);
    return true;
}

/* ret_arn may be NULL: the key itself, whatever the alias points at later. */
static int look(struct aws *a, const char *name, uint8_t ret_key[32], char *ret_arn)
{
    const struct aws_ask q = { .action = "GetPublicKey", .what = name };
    struct aws_reply reply;
    struct aws_body *b = ask_for("KeyId", name);
    aws_put(b, "}");
    int r = aws_call(a, &q, b, &reply);
    if (r != TENUO_OK)
        return r;
    const struct tn_json *j = reply.json;
    if (!tn_json_is(j, tn_json_get(j, 0, "KeySpec"), SPEC) ||
        !tn_json_is(j, tn_json_get(j, 0, "KeyUsage"), "SIGN_VERIFY"))
        r = aws_fail(a, TENUO_E_KEY_INVALID, "%s: %s is no key of spec " SPEC " for signing: make one",
                     tn_web_server(a->web), name);
    else if (!from_spki(j, ret_key) ||
             (ret_arn != NULL && !tn_json_string(j, tn_json_get(j, 0, "KeyId"), ret_arn, ARN_MAX + 1, NULL)))
        r = aws_odd(a, &q, "the answer has no Ed25519 public key");
    aws_reply_end(&reply);
    return r;
}

static int kms_sign_public_key(struct aws *a, const char *key_id, uint32_t version, uint8_t ret_key[32],
                               uint32_t *ret_version)
{
    char name[NAME_MAX_BYTES];
    int r = name_of(a, key_id, version, name);
    if (r == TENUO_OK)
        r = look(a, name, ret_key, NULL);
    if (r == TENUO_OK)
        *ret_version = 0;
    return r;
}

static int kms_sign_sign(struct aws *a, const char *key_id, uint32_t version, const uint8_t *message, size_t len,
                         uint8_t ret_signature[64])
{
    char name[NAME_MAX_BYTES];
    const struct aws_ask q = { .action = "Sign", .what = name };
    struct aws_reply reply;
    int r = name_of(a, key_id, version, name);
    if (r == TENUO_OK && len > MESSAGE_MAX)
        r = aws_fail(a, TENUO_E_INVALID_ARGUMENT, "KMS signs at most %d bytes, and this is %zu", MESSAGE_MAX, len);
    if (r != TENUO_OK)
        return r;
    struct aws_body *b = ask_for("KeyId", name);
    aws_put(b, ",\"MessageType\":\"RAW\",\"SigningAlgorithm\":\"" ALGORITHM "\",\"Message\":");
    aws_put_base64(b, message, len);
    aws_put(b, "}");
    r = aws_call(a, &q, b, &reply);
    if (r != TENUO_OK)
        return r;
    if (!aws_get_bytes(reply.json, tn_json_get(reply.json, 0, "Signature"), ret_signature, 64))
        r = aws_odd(a, &q, "the answer has no Ed25519 signature");
    aws_reply_end(&reply);
    return r;
}

static int kms_sign_describe(struct aws *a, const char *key_id, uint32_t version, struct tenuo_key_entry *ret_entry)
{
    int r = kms_sign_public_key(a, key_id, version, ret_entry->public_key, &ret_entry->version);
    ret_entry->has_public_key = r == TENUO_OK;
    return r;
}

/* ---- for the administrator ---- */

static bool is_alias(const struct aws *a)
{
    return !a->one_key && strncmp(a->before, ALIAS, sizeof ALIAS - 1) == 0;
}

static unsigned kms_sign_can(const struct aws *a)
{
    const unsigned not = TENUO_RESOLVER_NO_LIST | TENUO_RESOLVER_NO_GENERATE | TENUO_RESOLVER_NO_REMOVE;
    return TENUO_RESOLVER_SIGNS | TENUO_RESOLVER_NO_IMPORT | (is_alias(a) ? 0 : not);
}

static int only_alias(const struct aws *a)
{
    if (is_alias(a))
        return TENUO_OK;
    return aws_fail(a, TENUO_E_INVALID_ARGUMENT,
                    "key= names no alias with {key_id} in it: keys are made and removed in KMS");
}

/* The id within an alias of this line. */
static bool id_of(const struct aws *a, const char *name, char ret_id[TENUO_KEY_ID_MAX + 1])
{
    size_t n = strlen(name), before = strlen(a->before), after = strlen(a->after);
    uint32_t version = 0;
    return n > before + after && strncmp(name, a->before, before) == 0 && strcmp(name + n - after, a->after) == 0 &&
           tn_version_parse(name + before, n - before - after, ret_id, &version) && version == 0;
}

static void hand_out(struct aws *a, const struct tn_json *j,
                     int (*each)(void *arg, const struct tenuo_key_entry *entry), void *arg, bool *ret_stop)
{
    int at = TN_JSON_NONE, node, list = tn_json_get(j, 0, "Aliases");
    char name[NAME_MAX_BYTES];
    while (!*ret_stop && tn_json_next(j, list, &at, NULL, &node)) {
        struct tenuo_key_entry e = { .size = sizeof e };
        if (!tn_json_string(j, tn_json_get(j, node, "AliasName"), name, sizeof name, NULL) || !id_of(a, name, e.id))
            continue;
        e.has_public_key = look(a, name, e.public_key, NULL) == TENUO_OK;
        snprintf(e.note, sizeof e.note, "%s, %s%s", a->service->label, a->region,
                 e.has_public_key ? "" : ", no usable key");
        *ret_stop = each(arg, &e) != 0;
    }
}

static struct aws_body *ask_for_page(const char *token)
{
    struct aws_body *b = aws_body_new();
    aws_put(b, "{\"Limit\":" PAGE);
    if (token[0] != '\0') {
        aws_put(b, ",\"Marker\":");
        aws_put_string(b, token);
    }
    aws_put(b, "}");
    return b;
}

static int kms_sign_list(struct aws *a, int (*each)(void *arg, const struct tenuo_key_entry *entry), void *arg)
{
    const struct aws_ask q = { .action = "ListAliases", .what = a->before, .list = true };
    struct aws_pages *pages = aws_pages_new();
    bool stop = false;
    int r = pages == NULL ? TENUO_E_NOMEM : only_alias(a);
    while (r == TENUO_OK && pages->more && !stop) {
        struct aws_reply reply;
        r = aws_call(a, &q, ask_for_page(pages->token), &reply);
        if (r != TENUO_OK)
            break;
        hand_out(a, reply.json, each, arg, &stop);
        r = aws_pages_turn(a, &q, reply.json, "NextMarker", pages);
        aws_reply_end(&reply);
    }
    free(pages);
    return r;
}

static int create_key(struct aws *a, const char *key_id, char ret_arn[ARN_MAX + 1])
{
    static const char *const member[] = { "KeyMetadata", "KeyId", NULL };
    char text[TENUO_KEY_ID_MAX + 32];
    const struct aws_ask q = { .action = "CreateKey", .what = key_id, .once = true };
    struct aws_reply reply;
    snprintf(text, sizeof text, "Tenuo holder key %s", key_id);
    struct aws_body *b = ask_for("Description", text);
    aws_put(b, ",\"KeySpec\":\"" SPEC "\",\"KeyUsage\":\"SIGN_VERIFY\"}");
    int r = aws_call(a, &q, b, &reply);
    if (r != TENUO_OK)
        return r;
    if (!tn_json_string(reply.json, tn_json_path(reply.json, 0, member), ret_arn, ARN_MAX + 1, NULL))
        r = aws_odd(a, &q, "the answer has no key");
    aws_reply_end(&reply);
    return r;
}

static int simple(struct aws *a, const char *action, const char *what, struct aws_body *b)
{
    const struct aws_ask q = { .action = action, .what = what };
    struct aws_reply reply;
    int r = aws_call(a, &q, b, &reply);
    if (r == TENUO_OK)
        aws_reply_end(&reply);
    return r;
}

static int schedule_deletion(struct aws *a, const char *arn, uint32_t days)
{
    struct aws_body *b = ask_for("KeyId", arn);
    aws_put(b, ",\"PendingWindowInDays\":");
    aws_put_uint(b, days < SHORTEST_RECOVERY ? SHORTEST_RECOVERY : days);
    aws_put(b, "}");
    return simple(a, "ScheduleKeyDeletion", arn, b);
}

static int create_alias(struct aws *a, const char *name, const char *arn)
{
    struct aws_body *b = ask_for("AliasName", name);
    aws_put(b, ",\"TargetKeyId\":");
    aws_put_string(b, arn);
    aws_put(b, "}");
    return simple(a, "CreateAlias", name, b);
}

/* A key that got no alias is of no use, and goes again. */
static int kms_sign_generate(struct aws *a, const char *key_id, unsigned flags, uint8_t ret_key[32],
                             uint32_t *ret_version)
{
    char name[NAME_MAX_BYTES], arn[ARN_MAX + 1];
    int r = only_alias(a);
    if (r == TENUO_OK && flags != 0)
        r = aws_fail(a, TENUO_E_INVALID_ARGUMENT,
                     "a KMS alias has no versions: make a key under another id, and re-issue its warrants");
    if (r == TENUO_OK)
        r = name_of(a, key_id, 0, name);
    if (r != TENUO_OK)
        return r;
    r = look(a, name, ret_key, NULL);
    if (r != TENUO_E_KEY_NOT_FOUND)
        return r == TENUO_OK || r == TENUO_E_KEY_INVALID
                   ? aws_fail(a, TENUO_E_KEY_CONFLICT, "%s is there already: remove it", name)
                   : r;
    r = create_key(a, key_id, arn);
    if (r != TENUO_OK)
        return r;
    r = create_alias(a, name, arn);
    if (r == TENUO_OK)
        r = look(a, name, ret_key, NULL);
    else
        (void)schedule_deletion(a, arn, SHORTEST_RECOVERY);
    if (r == TENUO_OK)
        *ret_version = 0;
    return r;
}

static int kms_sign_remove(struct aws *a, const char *key_id, uint32_t version)
{
    char name[NAME_MAX_BYTES], arn[ARN_MAX + 1];
    uint8_t key[32];
    int r = only_alias(a);
    if (r == TENUO_OK)
        r = name_of(a, key_id, version, name);
    if (r == TENUO_OK)
        r = look(a, name, key, arn);
    if (r == TENUO_OK)
        r = schedule_deletion(a, arn, a->recovery);
    if (r != TENUO_OK)
        return r;
    struct aws_body *b = ask_for("AliasName", name);
    aws_put(b, "}");
    return simple(a, "DeleteAlias", name, b);
}

const struct aws_service aws_kms_sign = {
    .name = "kms",
    .target = "TrentService",
    .label = "AWS KMS",
    .can = kms_sign_can,
    .public_key = kms_sign_public_key,
    .sign = kms_sign_sign,
    .list = kms_sign_list,
    .describe = kms_sign_describe,
    .generate = kms_sign_generate,
    .remove = kms_sign_remove,
};
