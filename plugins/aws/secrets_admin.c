/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Secrets Manager, for the administrator: what is below the prefix, new keys, new versions, removal. A new version puts
 * the old key under ID@N first, then the new one under ID in one step. Asking for the same thing twice is harmless, as
 * the VersionId is made of the key.
 */
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "secrets.h"

#define PAGE "50"

/* One secret of a list. Returns anything but TENUO_OK to stop. */
typedef int take_secret(void *arg, const char *name, const struct tn_json *j, int node);

static struct aws_body *ask_for_page(const char *begins, const char *token)
{
    struct aws_body *b = aws_body_new();
    aws_put(b, "{\"MaxResults\":" PAGE);
    if (begins[0] != '\0') {
        aws_put(b, ",\"Filters\":[{\"Key\":\"name\",\"Values\":[");
        aws_put_string(b, begins);
        aws_put(b, "]}]");
    }
    if (token[0] != '\0') {
        aws_put(b, ",\"NextToken\":");
        aws_put_string(b, token);
    }
    aws_put(b, "}");
    return b;
}

static int take_page(const struct tn_json *j, take_secret *take, void *arg)
{
    int at = TN_JSON_NONE, node, list = tn_json_get(j, 0, "SecretList");
    char name[AWS_NAME_BYTES];
    while (tn_json_next(j, list, &at, NULL, &node)) {
        if (!tn_json_string(j, tn_json_get(j, node, "Name"), name, sizeof name, NULL))
            continue; /* longer than any of ours */
        int r = take(arg, name, j, node);
        if (r != TENUO_OK)
            return r;
    }
    return TENUO_OK;
}

/* All secrets whose name begins so. The service's filter only saves pages: names are looked at by `take`. */
static int each_secret(struct aws *a, const char *begins, take_secret *take, void *arg)
{
    const struct aws_ask q = { .action = "ListSecrets", .what = begins, .list = true };
    struct aws_pages *pages = aws_pages_new();
    int r = pages == NULL ? TENUO_E_NOMEM : TENUO_OK;
    while (r == TENUO_OK && pages->more) {
        struct aws_reply reply;
        r = aws_call(a, &q, ask_for_page(begins, pages->token), &reply);
        if (r != TENUO_OK)
            break;
        r = take_page(reply.json, take, arg);
        if (r == TENUO_OK)
            r = aws_pages_turn(a, &q, reply.json, "NextToken", pages);
        aws_reply_end(&reply);
    }
    free(pages);
    return r;
}

struct noting {
    const struct aws *a;
    const char *key_id;
    struct tn_versions *v;
};

static int note(void *arg, const char *name, const struct tn_json *j, int node)
{
    const struct noting *n = arg;
    size_t len = strlen(n->a->prefix);
    (void)j, (void)node;
    if (strncmp(name, n->a->prefix, len) == 0)
        tn_versions_note(n->v, n->key_id, name + len, strlen(name + len));
    return TENUO_OK;
}

int secrets_siblings(struct aws *a, const char *key_id, struct tn_versions *ret)
{
    struct noting n = { a, key_id, ret };
    char begins[AWS_NAME_BYTES];
    secrets_name(a, key_id, 0, begins);
    return each_secret(a, begins, note, &n);
}

/* ---- list ---- */

struct table {
    const struct aws *a;
    struct tenuo_key_entry *row;
    size_t n, cap;
};

static bool grow(struct table *t)
{
    if (t->n < t->cap)
        return true;
    size_t cap = t->cap == 0 ? 64 : t->cap * 2;
    struct tenuo_key_entry *row = reallocarray(t->row, cap, sizeof *row);
    if (row == NULL)
        return false;
    t->row = row;
    t->cap = cap;
    return true;
}

static int add_row(void *arg, const char *name, const struct tn_json *j, int node)
{
    struct table *t = arg;
    struct tenuo_key_entry e = { .size = sizeof e };
    struct secrets_found f = { 0 };
    size_t len = strlen(t->a->prefix);
    uint32_t suffix = 0;
    if (strncmp(name, t->a->prefix, len) != 0 || !tn_version_parse(name + len, strlen(name + len), e.id, &suffix))
        return TENUO_OK;
    if (!grow(t))
        return TENUO_E_NOMEM;
    int stages = tn_json_get(j, node, "SecretVersionsToStages");
    if (stages != TN_JSON_NONE && secrets_read_stages(j, stages, &f) && f.managed) {
        memcpy(e.public_key, f.key, sizeof e.public_key);
        e.has_public_key = 1;
    }
    (void)tn_json_seconds(j, tn_json_get(j, node, "LastChangedDate"), &e.created_at);
    e.version = suffix != 0 ? suffix : f.version;
    e.oldest = suffix; /* until the row is handed out: 0 for ID, N for ID@N */
    snprintf(e.note, sizeof e.note, "%s, %s%s", t->a->service->label, t->a->region,
             f.managed ? "" : ", stored by other means");
    t->row[t->n++] = e;
    return TENUO_OK;
}

/* By id; within one id ID first, then ID@N in ascending order. */
static int compare(const void *x, const void *y)
{
    const struct tenuo_key_entry *a = x, *b = y;
    int c = strcmp(a->id, b->id);
    return c != 0 ? c : (a->oldest > b->oldest) - (a->oldest < b->oldest);
}

/* One entry an id. Without ID, a left-over ID@N is no key that anybody can ask for: it is shown, with what it is. */
static int hand_out(struct table *t, int (*each)(void *arg, const struct tenuo_key_entry *entry), void *arg)
{
    size_t end;
    for (size_t i = 0; i < t->n; i = end) {
        struct tenuo_key_entry e = t->row[i];
        for (end = i + 1; end < t->n && strcmp(t->row[end].id, e.id) == 0;)
            end++;
        uint32_t highest = t->row[end - 1].oldest;
        if (e.oldest != 0)
            snprintf(e.note, sizeof e.note, "old versions alone: the newest is gone");
        else if (e.version == 0)
            e.version = highest + 1;
        e.oldest = end > i + 1 && e.oldest == 0 ? t->row[i + 1].oldest : e.oldest != 0 ? e.oldest : e.version;
        e.newest = e.version > highest ? e.version : highest;
        if (each(arg, &e) != 0)
            break;
    }
    return TENUO_OK;
}

int secrets_list(struct aws *a, int (*each)(void *arg, const struct tenuo_key_entry *entry), void *arg)
{
    struct table t = { .a = a };
    int r = each_secret(a, a->prefix, add_row, &t);
    if (r == TENUO_OK && t.n > 1)
        qsort(t.row, t.n, sizeof *t.row, compare);
    if (r == TENUO_OK)
        r = hand_out(&t, each, arg);
    free(t.row);
    return r;
}

int secrets_describe(struct aws *a, const char *key_id, uint32_t version, struct tenuo_key_entry *ret_entry)
{
    struct secrets_found f = { 0 };
    struct tn_versions v = { 0 };
    int r = secrets_locate(a, key_id, version, &f, NULL);
    if (r != TENUO_OK)
        return r;
    memcpy(ret_entry->public_key, f.key, 32);
    ret_entry->has_public_key = 1;
    ret_entry->version = f.version;
    ret_entry->created_at = f.changed_at;
    /* Who may not list sees the one version. */
    if (secrets_siblings(a, key_id, &v) == TENUO_OK && v.plain) {
        ret_entry->newest = f.managed && version == 0 ? f.version : tn_versions_newest(&v);
        ret_entry->oldest = v.count != 0 ? v.n[0] : ret_entry->newest;
        if (f.version == 0)
            ret_entry->version = ret_entry->newest;
    }
    return TENUO_OK;
}

/* ---- new keys ---- */

static void put_value(struct aws_body *b, uint32_t version, const uint8_t seed[32], const uint8_t key[32])
{
    char id[SECRETS_VERSION_ID + 1];
    secrets_version_id(version, key, id);
    aws_put(b, ",\"ClientRequestToken\":");
    aws_put_string(b, id);
    aws_put(b, ",\"SecretBinary\":");
    aws_put_base64(b, seed, 32);
}

static int create(struct aws *a, const char *name, uint32_t version, const uint8_t seed[32], const uint8_t key[32])
{
    const struct aws_ask q = { .action = "CreateSecret", .what = name, .secret_body = true };
    struct aws_reply reply;
    struct aws_body *b = aws_body_new();
    aws_put(b, "{\"Name\":");
    aws_put_string(b, name);
    aws_put(b, ",\"Description\":\"Tenuo holder key\"");
    if (a->kms_key != NULL) {
        aws_put(b, ",\"KmsKeyId\":");
        aws_put_string(b, a->kms_key);
    }
    put_value(b, version, seed, key);
    aws_put(b, "}");
    int r = aws_call(a, &q, b, &reply);
    if (r == TENUO_OK)
        aws_reply_end(&reply);
    return r;
}

static int update(struct aws *a, const char *name, uint32_t version, const uint8_t seed[32], const uint8_t key[32])
{
    const struct aws_ask q = { .action = "UpdateSecret", .what = name, .secret_body = true };
    struct aws_reply reply;
    struct aws_body *b = aws_body_new();
    aws_put(b, "{\"SecretId\":");
    aws_put_string(b, name);
    put_value(b, version, seed, key);
    aws_put(b, "}");
    int r = aws_call(a, &q, b, &reply);
    if (r == TENUO_OK)
        aws_reply_end(&reply);
    return r;
}

/* The service labels the value before AWSPREVIOUS, and keeps what has a label: the old key is under ID@N now. */
static void drop_previous(struct aws *a, const char *name, const char *version_id)
{
    const struct aws_ask q = { .action = "UpdateSecretVersionStage", .what = name };
    struct aws_reply reply;
    struct aws_body *b = aws_body_new();
    aws_put(b, "{\"SecretId\":");
    aws_put_string(b, name);
    aws_put(b, ",\"VersionStage\":\"AWSPREVIOUS\",\"RemoveFromVersionId\":");
    aws_put_string(b, version_id);
    aws_put(b, "}");
    if (aws_call(a, &q, b, &reply) == TENUO_OK)
        aws_reply_end(&reply);
    else
        a->host->log(a->host, TENUO_LOG_WARNING,
                     "%s keeps its previous value until the next rotation: allow UpdateSecretVersionStage", name);
}

/* Under ID@N what stands under ID. A crash between the two steps of a rotation has left it there already. */
static int put_aside(struct aws *a, const char *key_id, uint32_t version, const uint8_t seed[32], const uint8_t key[32])
{
    struct secrets_found there = { 0 };
    char name[AWS_NAME_BYTES];
    secrets_name(a, key_id, version, name);
    int r = create(a, name, version, seed, key);
    if (r != TENUO_E_KEY_CONFLICT)
        return r;
    r = secrets_describe_one(a, name, false, &there);
    if (r == TENUO_OK && (!there.managed || memcmp(there.key, key, 32) != 0))
        r = aws_fail(a, TENUO_E_KEY_INVALID, "%s: %s is there already and holds another key: remove it first",
                     tn_web_server(a->web), name);
    return r;
}

static int replace(struct aws *a, const char *key_id, const struct tn_versions *v, const uint8_t seed[32],
                   const uint8_t key[32], uint32_t *ret_version)
{
    char name[AWS_NAME_BYTES];
    struct secrets_found old = { 0 };
    uint8_t *old_seed = sodium_malloc(32);
    secrets_name(a, key_id, 0, name);
    int r = old_seed == NULL ? TENUO_E_NOMEM : secrets_get(a, name, &old, old_seed);
    /* A crash after the first step has left ID@N with ID's own key: its number counts. */
    uint32_t version = old.managed ? old.version : tn_versions_newest(v);
    if (r == TENUO_OK && version == 0)
        version = 1;
    if (r == TENUO_OK)
        r = put_aside(a, key_id, version, old_seed, old.key);
    sodium_free(old_seed);
    if (r == TENUO_OK)
        r = update(a, name, version + 1, seed, key);
    if (r != TENUO_OK)
        return r;
    drop_previous(a, name, old.version_id);
    *ret_version = version + 1;
    return TENUO_OK;
}

int secrets_import(struct aws *a, const char *key_id, unsigned flags, const uint8_t seed[32], const uint8_t key[32],
                   uint32_t *ret_version)
{
    struct tn_versions v = { 0 };
    char name[AWS_NAME_BYTES];
    secrets_name(a, key_id, 0, name);
    int r = secrets_siblings(a, key_id, &v);
    if (r != TENUO_OK)
        return r;
    if (v.count >= TENUO_KEY_VERSIONS_MAX - 1)
        return aws_fail(a, TENUO_E_INVALID_ARGUMENT, "%s has %zu old versions: remove some first", name, v.count);
    if (flags != 0)
        return replace(a, key_id, &v, seed, key, ret_version);
    /* Old versions that outlived their key keep their numbers. */
    uint32_t version = v.count != 0 ? v.n[v.count - 1] + 1 : 1;
    r = create(a, name, version, seed, key);
    if (r == TENUO_OK)
        *ret_version = version;
    return r;
}

/* ---- removal ---- */

static int delete_one(struct aws *a, const char *key_id, uint32_t suffix)
{
    char name[AWS_NAME_BYTES];
    const struct aws_ask q = { .action = "DeleteSecret", .what = name };
    struct aws_reply reply;
    struct aws_body *b = aws_body_new();
    secrets_name(a, key_id, suffix, name);
    aws_put(b, "{\"SecretId\":");
    aws_put_string(b, name);
    if (a->recovery == 0) {
        aws_put(b, ",\"ForceDeleteWithoutRecovery\":true}");
    } else {
        aws_put(b, ",\"RecoveryWindowInDays\":");
        aws_put_uint(b, a->recovery);
        aws_put(b, "}");
    }
    int r = aws_call(a, &q, b, &reply);
    if (r == TENUO_OK)
        aws_reply_end(&reply);
    return r;
}

static int remove_all(struct aws *a, const char *key_id, const struct tn_versions *v)
{
    int r = TENUO_OK;
    for (size_t i = 0; i < v->count && r == TENUO_OK; i++)
        r = delete_one(a, key_id, v->n[i]);
    return r == TENUO_OK && v->plain ? delete_one(a, key_id, 0) : r;
}

int secrets_remove(struct aws *a, const char *key_id, uint32_t version)
{
    struct secrets_found f = { 0 };
    struct tn_versions v = { 0 };
    char name[AWS_NAME_BYTES];
    secrets_name(a, key_id, 0, name);
    int r = secrets_siblings(a, key_id, &v), plain = secrets_describe_one(a, name, false, &f);
    if (r != TENUO_OK)
        return r;
    if (plain != TENUO_OK && !(plain == TENUO_E_KEY_NOT_FOUND && v.count != 0))
        return plain;
    if (version == 0)
        return remove_all(a, key_id, &v);
    uint32_t newest = f.managed ? f.version : tn_versions_newest(&v);
    if (plain == TENUO_OK && version == newest)
        return v.count == 0 ? delete_one(a, key_id, 0)
                            : aws_fail(a, TENUO_E_INVALID_ARGUMENT,
                                       "%s: version %lu is the newest: remove the older ones first, or all of them",
                                       name, (unsigned long)version);
    for (size_t i = 0; i < v.count; i++)
        if (v.n[i] == version)
            return delete_one(a, key_id, version);
    return aws_fail(a, TENUO_E_KEY_NOT_FOUND, "%s: there is no version %lu of it", name, (unsigned long)version);
}
