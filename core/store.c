/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Key stores by name: which resolver line an administrator means, and what is in it. Asks the line itself, never the
 * key cache; what changes a key is in store_make.c.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ctx.h"
#include "err.h"
#include <tenuo/store.h>

size_t tenuo_ctx_store_count(const struct tenuo_ctx *ctx)
{
    return ctx->lines[TN_F_RESOLVER].n;
}

const char *tenuo_ctx_store_name(const struct tenuo_ctx *ctx, size_t index, const char **ret_module,
                                 const char **ret_origin)
{
    const struct tn_instance *i;
    if (index >= ctx->lines[TN_F_RESOLVER].n)
        return NULL;
    i = ctx->lines[TN_F_RESOLVER].v[index].instance;
    if (ret_module != NULL)
        *ret_module = i->plugin->desc.name;
    if (ret_origin != NULL)
        *ret_origin = i->place;
    return tn_instance_name(i);
}

int tenuo_ctx_store_required(const struct tenuo_ctx *ctx, size_t index)
{
    return index < ctx->lines[TN_F_RESOLVER].n && tn_line_is_required(&ctx->lines[TN_F_RESOLVER].v[index]);
}

/* "vault (FILE:3), file (FILE:4)": those of that name, or all (NULL), as far as they fit. */
static void list_names(const struct tenuo_ctx *c, const char *only, char *buf, size_t size)
{
    size_t n = 0;
    buf[0] = '\0';
    for (size_t k = 0; k < c->lines[TN_F_RESOLVER].n && n < size; k++) {
        const struct tn_instance *i = c->lines[TN_F_RESOLVER].v[k].instance;
        if (only == NULL || strcmp(only, tn_instance_name(i)) == 0)
            n += (size_t)snprintf(buf + n, size - n, "%s%s (%s)", n == 0 ? "" : ", ", tn_instance_name(i), i->place);
    }
}

/* How many lines there are of that name, or else at that place; the last one. */
static size_t find_lines(struct tenuo_ctx *c, const char *store, bool by_place, struct tn_instance **ret)
{
    size_t count = 0;
    for (size_t k = 0; k < c->lines[TN_F_RESOLVER].n; k++) {
        struct tn_instance *i = c->lines[TN_F_RESOLVER].v[k].instance;
        if (strcmp(store, by_place ? i->place : tn_instance_name(i)) != 0)
            continue;
        *ret = i;
        count++;
    }
    return count;
}

int tn_ctx_store(struct tenuo_ctx *c, const char *store, struct tn_instance **ret, struct tenuo_error *err)
{
    char names[150], shown[72];
    struct tn_instance *found = NULL;
    size_t count = find_lines(c, store, false, &found);
    if (count == 0)
        count = find_lines(c, store, true, &found);
    if (count == 1) {
        *ret = found;
        return TENUO_OK;
    }
    tn_quote(shown, sizeof shown, store, strlen(store));
    list_names(c, count == 0 ? NULL : store, names, sizeof names);
    if (c->lines[TN_F_RESOLVER].n == 0)
        return tn_fail(err, TENUO_E_INVALID_ARGUMENT, "no store '%s': the configuration has no resolver line", shown);
    if (count == 0)
        return tn_fail(err, TENUO_E_INVALID_ARGUMENT, "no store '%s'; there are: %s", shown, names);
    return tn_fail(err, TENUO_E_INVALID_ARGUMENT, "'%s' names several stores, give them name=: %s", shown, names);
}

int tn_store_reference(const char *reference, char ret_id[TN_MAX_KEY_ID + 1], uint32_t *ret_version,
                       struct tenuo_error *err)
{
    if (tn_key_reference(reference, ret_id, ret_version))
        return TENUO_OK;
    return tn_fail(err, TENUO_E_INVALID_ARGUMENT,
                   "a key is named by ID or ID@VERSION; an id has 1 to %d characters of [A-Za-z0-9._-], is not \".\" "
                   "and holds no \"..\"",
                   TN_MAX_KEY_ID);
}

int tn_store_cannot(const struct tn_instance *i, const char *what, struct tenuo_error *err)
{
    return tn_fail(err, TENUO_E_INVALID_ARGUMENT, "%s: this store cannot %s keys: use the store's own tools", i->origin,
                   what);
}

int tenuo_store_abilities(struct tenuo_ctx *ctx, const char *store, unsigned *ret_abilities, struct tenuo_error *reterr)
{
    struct tn_instance *i = NULL;
    int r = tn_ctx_store(ctx, store, &i, reterr);
    return r == TENUO_OK ? tn_store_abilities(i, ret_abilities, reterr) : r;
}

static struct tenuo_stored_key stored(const struct tenuo_key_entry *e)
{
    struct tenuo_stored_key k = { .size = sizeof k,
                                  .version = e->version,
                                  .oldest = e->oldest,
                                  .newest = e->newest,
                                  .has_public_key = e->has_public_key,
                                  .created_at = e->created_at,
                                  .expires_at = e->expires_at };
    _Static_assert(sizeof k.id == sizeof e->id && sizeof k.note == sizeof e->note, "one size on both sides");
    memcpy(k.id, e->id, sizeof k.id);
    memcpy(k.note, e->note, sizeof k.note);
    if (e->has_public_key)
        memcpy(k.public_key, e->public_key, sizeof k.public_key);
    return k;
}

int tenuo_store_list(struct tenuo_ctx *ctx, const char *store,
                     int (*each)(void *arg, const struct tenuo_stored_key *key), void *arg, struct tenuo_error *reterr)
{
    struct tenuo_key_entry *entries = NULL;
    struct tn_instance *i = NULL;
    const struct tenuo_resolver_ops *ops;
    size_t n = 0;
    int r = tn_ctx_store(ctx, store, &i, reterr);
    if (r != TENUO_OK)
        return r;
    ops = i->ops;
    if (ops->list == NULL)
        return tn_store_cannot(i, "list", reterr);
    r = tn_store_list(i, &entries, &n, reterr);
    for (size_t k = 0; k < n; k++) {
        const struct tenuo_stored_key key = stored(&entries[k]);
        if (each(arg, &key) != 0)
            break;
    }
    free(entries);
    return r;
}

/* A store without describe: the key itself says what can be said. */
static int describe_by_key(struct tenuo_ctx *c, struct tn_instance *i, const char *id, uint32_t version,
                           struct tenuo_key_entry *ret, struct tenuo_error *err)
{
    struct tn_key_found found = { 0 };
    int r = tn_ctx_ask(c, i, id, version, &found, err);
    if (r == TENUO_OK) {
        *ret = (struct tenuo_key_entry){ .size = sizeof *ret, .version = found.version, .has_public_key = 1 };
        memcpy(ret->id, id, strlen(id) + 1);
        memcpy(ret->public_key, found.public_key, sizeof ret->public_key);
    }
    tn_ctx_drop(c, &found);
    return r;
}

int tn_ctx_describe(struct tenuo_ctx *c, struct tn_instance *i, const char *id, uint32_t version,
                    struct tenuo_key_entry *ret, struct tenuo_error *err)
{
    const struct tenuo_resolver_ops *ops = i->ops;
    return ops->describe != NULL ? tn_store_describe(i, id, version, ret, err)
                                 : describe_by_key(c, i, id, version, ret, err);
}

int tenuo_store_describe(struct tenuo_ctx *ctx, const char *store, const char *reference,
                         struct tenuo_stored_key *ret_key, struct tenuo_error *reterr)
{
    char id[TN_MAX_KEY_ID + 1];
    struct tenuo_key_entry entry = { 0 };
    struct tenuo_stored_key key;
    struct tn_instance *i = NULL;
    uint32_t version = 0, size = ret_key->size;
    int r = tn_store_reference(reference, id, &version, reterr);
    if (r == TENUO_OK)
        r = tn_ctx_store(ctx, store, &i, reterr);
    if (r == TENUO_OK)
        r = tn_ctx_describe(ctx, i, id, version, &entry, reterr);
    if (r != TENUO_OK)
        return r;
    key = stored(&entry);
    if (size == 0 || size > sizeof key)
        size = sizeof key;
    memcpy(ret_key, &key, size); /* the caller's structure may be of another age */
    ret_key->size = size;
    return TENUO_OK;
}

/*
 * The chain in order, but for public keys alone: a line that has none, or cannot tell, is passed; a line that is away
 * ends it, because its answer would have gone before.
 */
int tenuo_ctx_public_key(struct tenuo_ctx *ctx, const char *key, uint8_t ret_key[TENUO_PUBLIC_KEY_BYTES],
                         struct tenuo_error *reterr)
{
    char id[TN_MAX_KEY_ID + 1];
    uint32_t version = 0;
    int r = tn_store_reference(key, id, &version, reterr);
    if (r != TENUO_OK)
        return r;
    for (size_t k = 0; k < ctx->lines[TN_F_RESOLVER].n; k++) {
        struct tenuo_key_entry entry = { 0 };
        struct tenuo_error why = { 0 };
        r = tn_ctx_describe(ctx, ctx->lines[TN_F_RESOLVER].v[k].instance, id, version, &entry, &why);
        if (r == TENUO_OK && entry.has_public_key) {
            memcpy(ret_key, entry.public_key, sizeof entry.public_key);
            return TENUO_OK;
        }
        if (r != TENUO_OK && r != TENUO_E_KEY_NOT_FOUND)
            return tn_fail(reterr, r, "%s", why.msg);
    }
    return tn_fail(reterr, TENUO_E_KEY_NOT_FOUND, "no resolver line has a public key for '%s'", id);
}

int tenuo_ctx_may_block(struct tenuo_ctx *ctx)
{
    for (size_t k = 0; k < ctx->lines[TN_F_RESOLVER].n; k++) {
        unsigned abilities = 0;
        struct tenuo_error ignored = { 0 };
        if (tn_store_abilities(ctx->lines[TN_F_RESOLVER].v[k].instance, &abilities, &ignored) != TENUO_OK ||
            (abilities & TENUO_STORE_EXPORTS) == 0)
            return 1;
    }
    return 0;
}

int tenuo_store_signer(struct tenuo_ctx *ctx, const char *store, const char *reference,
                       struct tenuo_signer **ret_signer, struct tenuo_error *reterr)
{
    char id[TN_MAX_KEY_ID + 1];
    struct tn_key_found found = { 0 };
    struct tn_instance *i = NULL;
    uint32_t version = 0;
    int r = tn_store_reference(reference, id, &version, reterr);
    if (r == TENUO_OK)
        r = tn_ctx_store(ctx, store, &i, reterr);
    if (r == TENUO_OK)
        r = tn_ctx_ask(ctx, i, id, version, &found, reterr);
    if (r == TENUO_OK)
        r = tn_ctx_make_signer(ctx, id, &found, ret_signer, reterr);
    tn_ctx_drop(ctx, &found);
    return r;
}
