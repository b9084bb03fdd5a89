/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Key ids to signers: the resolver lines in order, each answer remembered for its time. A store that can sign keeps the
 * key to itself; otherwise the seed goes from the plugin straight into guarded memory.
 */
#include <sodium.h>
#include <stdlib.h>

#include "../common/versions.h"
#include "chain_run.h"
#include "ctx.h"
#include "err.h"
#include "signer.h"

bool tn_key_id_valid(const char *id)
{
    char copy[TN_MAX_KEY_ID + 1];
    uint32_t version;
    return tn_key_reference(id, copy, &version) && version == 0;
}

bool tn_key_reference(const char *text, char ret_id[TN_MAX_KEY_ID + 1], uint32_t *ret_version)
{
    size_t n = strnlen(text, TN_VERSION_NAME_BYTES);
    return n < TN_VERSION_NAME_BYTES && tn_version_parse(text, n, ret_id, ret_version);
}

static int public_from_seed(const uint8_t *seed, uint8_t ret_key[32])
{
    uint8_t expanded[crypto_sign_SECRETKEYBYTES];
    int r = crypto_sign_seed_keypair(ret_key, expanded, seed) == 0 ? TENUO_OK : TENUO_E_SYSTEM;
    sodium_memzero(expanded, sizeof expanded);
    return r;
}

int tn_ctx_ask(struct tenuo_ctx *c, struct tn_instance *i, const char *key_id, uint32_t version, struct tn_key_found *f,
               struct tenuo_error *err)
{
    unsigned can = 0;
    int r = tn_resolver_can(i, &can, err);
    if (r != TENUO_OK)
        return r;
    if ((can & TENUO_RESOLVER_SIGNS) != 0) {
        f->remote = i;
        return tn_resolver_public_key(i, key_id, version, f->public_key, &f->version, err);
    }
    f->seed = tn_keycache_slot(&c->keys);
    if (f->seed == NULL)
        return tn_fail_code(err, TENUO_E_NOMEM);
    r = tn_resolver_export_seed(i, key_id, version, f->seed, err);
    if (r == TENUO_OK)
        r = public_from_seed(f->seed, f->public_key);
    f->version = version;
    return r;
}

void tn_ctx_drop(struct tenuo_ctx *c, struct tn_key_found *f)
{
    if (f->seed != NULL)
        tn_keycache_give(&c->keys, f->seed);
    *f = (struct tn_key_found){ 0 };
}

/* The first answer is kept; a later one must be the same key. */
static int merge(struct tenuo_ctx *c, struct tn_key_found *kept, bool *has, struct tn_key_found *found,
                 const char *key_id, struct tenuo_error *err)
{
    if (!*has) {
        *kept = *found;
        *has = true;
        return TENUO_OK;
    }
    if (memcmp(kept->public_key, found->public_key, 32) == 0) {
        tn_ctx_drop(c, found);
        return TENUO_OK;
    }
    tn_ctx_drop(c, found);
    return tn_fail(err, TENUO_E_KEY_CONFLICT, "key '%s': two stores hold different keys under this id; remove one",
                   key_id);
}

int tn_ctx_resolve(void *arg, const char *key_id, struct tn_key_found *ret_found, struct tenuo_error *err)
{
    struct tenuo_ctx *c = arg;
    struct tn_key_found kept = { 0 };
    struct tn_chain chain;
    char what[TN_MAX_KEY_ID + 16];
    bool has = false;
    int r;
    tn_chain_init(&chain, TN_CHAIN_RESOLVER);
    for (size_t i = 0; i < c->lines[TN_F_RESOLVER].n; i++) {
        struct tn_line *line = &c->lines[TN_F_RESOLVER].v[i];
        struct tn_key_found found = { .ttl_ms =
                                          tn_instance_duration(line->instance, "cache_ttl", c->conf->set.key_cache_ms),
                                      .stale_ms = tn_instance_duration(line->instance, "stale_if_error", 0) };
        struct tenuo_error why = { 0 };
        r = tn_ctx_ask(c, line->instance, key_id, 0, &found, &why);
        if (r == TENUO_OK)
            r = merge(c, &kept, &has, &found, key_id, &why);
        else
            tn_ctx_drop(c, &found);
        if (tn_chain_feed(&chain, line->control, r, &why))
            break;
    }
    snprintf(what, sizeof what, "key '%s'", key_id);
    r = tn_chain_end(&chain, what, err);
    if (r != TENUO_OK)
        tn_ctx_drop(c, &kept);
    else
        *ret_found = kept;
    return r;
}

/* What a remote signer holds: the context, whose instance it uses, and the id. */
struct remote {
    struct tenuo_ctx *ctx;
    struct tn_instance *instance;
    uint32_t version;
    char id[TN_MAX_KEY_ID + 1];
};

static int remote_sign(void *arg, const uint8_t *message, size_t len, uint8_t ret_signature[64],
                       struct tenuo_error *err)
{
    struct remote *r = arg;
    return tn_resolver_sign(r->instance, r->id, r->version, message, len, ret_signature, err);
}

static void remote_release(void *arg)
{
    struct remote *r = arg;
    tenuo_ctx_unref(r->ctx);
    free(r);
}

static void local_release(void *arg)
{
    tenuo_ctx_unref(arg);
}

int tn_ctx_make_signer(struct tenuo_ctx *c, const char *key_id, const struct tn_key_found *found,
                       struct tenuo_signer **ret, struct tenuo_error *err)
{
    struct tn_remote_key remote = { .sign = remote_sign, .release = remote_release };
    struct remote *r;
    if (found->seed != NULL) {
        int code = tn_signer_local(found->seed, local_release, tenuo_ctx_ref(c), ret, err);
        if (code != TENUO_OK)
            tenuo_ctx_unref(c);
        return code;
    }
    r = calloc(1, sizeof *r);
    if (r == NULL)
        return tn_fail_code(err, TENUO_E_NOMEM);
    *r = (struct remote){ .ctx = tenuo_ctx_ref(c), .instance = found->remote, .version = found->version };
    memcpy(r->id, key_id, strlen(key_id) + 1);
    remote.arg = r;
    return tn_signer_remote(found->public_key, &remote, ret, err);
}

int tenuo_ctx_signer(struct tenuo_ctx *ctx, const char *key_id, unsigned flags, const uint8_t *holder,
                     struct tenuo_signer **ret_signer, struct tenuo_error *reterr)
{
    struct tn_key *key = NULL;
    int r;
    if (!tn_key_id_valid(key_id))
        return tn_fail(reterr, TENUO_E_INVALID_ARGUMENT,
                       "a key id has 1 to %d characters of [A-Za-z0-9._-], is not \".\" and holds no \"..\"",
                       TN_MAX_KEY_ID);
    r = tn_keycache_get(&ctx->keys, key_id, (flags & TENUO_SIGNER_NO_IO) != 0, tn_ctx_resolve, ctx, &key, reterr);
    if (r != TENUO_OK)
        return r;
    if (holder != NULL && memcmp(holder, key->found.public_key, 32) != 0)
        r = tn_fail(reterr, TENUO_E_HOLDER_MISMATCH, "key '%s' is not the holder of the warrant", key_id);
    else
        r = tn_ctx_make_signer(ctx, key_id, &key->found, ret_signer, reterr);
    tn_keycache_put(&ctx->keys, key);
    return r;
}

int tenuo_keys_preload(struct tenuo_ctx *ctx, const char *const *key_ids, size_t count, struct tenuo_error *reterr)
{
    for (size_t i = 0; i < count; i++) {
        struct tenuo_signer *signer = NULL;
        int r = tenuo_ctx_signer(ctx, key_ids[i], 0, NULL, &signer, reterr);
        if (r != TENUO_OK)
            return r;
        tenuo_signer_free(signer);
    }
    return TENUO_OK;
}
