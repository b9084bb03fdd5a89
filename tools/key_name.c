/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Keys of stores as words name them, STORE:ID@N, and the versions that a store has of one. A word that cannot be read
 * is never shown: it may be a secret in the wrong place.
 */
#include "key.h"

#include <stdlib.h>
#include <string.h>

/* "file, vault": the stores of the configuration, as far as they fit. */
static void store_names(const struct tenuo_ctx *ctx, char *ret, size_t size)
{
    size_t used = 0;
    *ret = '\0';
    for (size_t i = 0; i < tenuo_ctx_store_count(ctx) && used < size; i++)
        used +=
            (size_t)snprintf(ret + used, size - used, "%s%s", i ? ", " : "", tenuo_ctx_store_name(ctx, i, NULL, NULL));
}

static int no_store(const struct tenuo_ctx *ctx, struct tenuo_error *err)
{
    char names[128];
    if (tenuo_ctx_store_count(ctx) == 0)
        return cli_set_error(err, TENUO_E_INVALID_ARGUMENT,
                             "the configuration has no key store: it needs a resolver line, see tenuo.conf(5)");
    store_names(ctx, names, sizeof names);
    return cli_set_error(err, TENUO_E_INVALID_ARGUMENT, "say which store: STORE:ID; the stores here are %s", names);
}

int key_name_open(struct cli *cli, const char *word, bool store, struct key_name *ret, struct tenuo_error *err)
{
    const char *colon = strrchr(word, ':'); /* no key id has one; a module may be a path that does */
    int code = cli_open(cli, err);
    if (code)
        return code;
    if (tenuo_ctx_store_count(cli->ctx) == 0 || (store && !colon) || colon == word || (colon && !colon[1]))
        return no_store(cli->ctx, err);
    char *name = colon ? strndup(word, (size_t)(colon - word)) : NULL;
    if (colon && !name)
        cli_no_memory();
    if (name && cli_looks_like_key(name)) { /* no store has such a name */
        free(name);
        return no_store(cli->ctx, err);
    }
    *ret = (struct key_name){ .store = name, .ref = colon ? colon + 1 : word };
    return TENUO_OK;
}

const char *key_shown(const char *ref)
{
    return cli_looks_like_key(ref) ? "..." : ref;
}

void key_name_free(struct key_name *name)
{
    free(name->store);
    *name = (struct key_name){ 0 };
}

char *key_reference(const char *store, const char *id, uint32_t version)
{
    char *text = NULL;
    if ((version ? asprintf(&text, "%s:%s@%u", store, id, (unsigned)version) : asprintf(&text, "%s:%s", store, id)) < 0)
        cli_no_memory();
    return text;
}

int key_describe(struct tenuo_ctx *ctx, const char *store, const char *ref, struct tenuo_stored_key *ret,
                 struct tenuo_error *err)
{
    struct tenuo_stored_key key = { .size = sizeof key };
    int code = tenuo_store_describe(ctx, store, ref, &key, err);
    if (!code)
        *ret = key;
    return code;
}

int key_versions(struct tenuo_ctx *ctx, const char *store, const char *ref, key_each_fn *each, void *arg,
                 struct tenuo_error *err)
{
    struct tenuo_stored_key newest, older;
    char name[TENUO_KEY_REFERENCE_BYTES];
    unsigned left = KEY_MOST_VERSIONS;
    int code = key_describe(ctx, store, ref, &newest, err);
    if (code)
        return code;
    each(arg, &newest, NULL);
    if (strchr(ref, '@') || newest.version == 0 || newest.oldest == 0)
        return TENUO_OK;
    for (uint32_t n = newest.version; n > newest.oldest && left; left--) {
        struct tenuo_error why = { 0 };
        snprintf(name, sizeof name, "%s@%u", ref, (unsigned)--n);
        code = key_describe(ctx, store, name, &older, &why);
        if (code == TENUO_E_KEY_NOT_FOUND)
            continue;
        if (code) {
            older = (struct tenuo_stored_key){ .size = sizeof older, .version = n };
            memcpy(older.id, newest.id, sizeof older.id);
        }
        each(arg, &older, code ? &why : NULL);
    }
    return TENUO_OK;
}

struct search {
    const uint8_t *key;
    struct tenuo_stored_key found;
    bool has;
};

static void compare(void *arg, const struct tenuo_stored_key *key, const struct tenuo_error *why)
{
    struct search *s = arg;
    if (s->has || why || !key->has_public_key || memcmp(key->public_key, s->key, TENUO_PUBLIC_KEY_BYTES) != 0)
        return;
    s->found = *key;
    s->has = true;
}

bool key_find(struct tenuo_ctx *ctx, const char *store, const char *id, const uint8_t key[TENUO_PUBLIC_KEY_BYTES],
              struct tenuo_stored_key *ret)
{
    struct search s = { .key = key };
    struct tenuo_error err = { 0 };
    if (key_versions(ctx, store, id, compare, &s, &err) != TENUO_OK || !s.has)
        return false;
    *ret = s.found;
    return true;
}
