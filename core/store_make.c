/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What changes a store: new keys, newer versions, removal. A fresh seed is made in guarded memory and leaves it only
 * into the plugin. Whatever comes of a change, the key cache forgets the id.
 */
#include <sodium.h>
#include <stdio.h>
#include <string.h>

#include "audit.h"
#include "err.h"
#include "signer.h"
#include <tenuo/store.h>

struct make {
    struct tenuo_ctx *ctx;
    struct tn_instance *instance;
    const char *key_id;
    unsigned flags;
    const struct tenuo_signer *signer; /* its key, or NULL: a fresh one */
    uint8_t key[32];
    uint32_t version;
    struct tenuo_key_entry before; /* rotate: what was the newest */
};

/* An answer that came too late, or was lost on a network, is none for a look-up, but here something may have changed
 * all the same. */
static int say_late(const struct tn_instance *i, int code, struct tenuo_error *err)
{
    const bool local = (i->plugin->desc.flags & TENUO_PLUGIN_NO_NETWORK) != 0;
    if (code == TENUO_E_UNAVAILABLE && err != NULL && (!local || strstr(err->msg, TN_LATE_WORDS) != NULL)) {
        char why[TENUO_ERROR_MSG_BYTES];
        snprintf(why, sizeof why, "%s", err->msg);
        return tn_fail(err, code, "%s; look whether it was done before trying again", why);
    }
    return code;
}

static int no_versions(const struct tn_instance *i, struct tenuo_error *err)
{
    return tn_fail(err, TENUO_E_INVALID_ARGUMENT,
                   "%s: this store keeps no versions, so no key can be rotated: generate one under another id",
                   i->origin);
}

/* The sentence is that of the table: the plugin gave none. */
static bool said_nothing(const struct tenuo_error *err)
{
    const char *text = tenuo_err_text(err->code);
    size_t n = strlen(err->msg), m = strlen(text);
    return n >= m && strcmp(err->msg + n - m, text) == 0;
}

/* A failed change in words for who ordered it. */
static int explain(const struct make *m, int code, struct tenuo_error *err)
{
    if (code == TENUO_E_INVALID_ARGUMENT && m->flags != 0 && said_nothing(err))
        return no_versions(m->instance, err);
    if (code == TENUO_E_KEY_CONFLICT && said_nothing(err))
        return tn_fail(err, code, "%s: there is a key '%.60s' already: choose another id, or rotate that key",
                       m->instance->origin, m->key_id);
    return say_late(m->instance, code, err);
}

static int import_seed(struct make *m, struct tenuo_error *err)
{
    uint8_t *seed = tn_keycache_slot(&m->ctx->keys);
    uint8_t expanded[crypto_sign_SECRETKEYBYTES];
    int r = TENUO_OK;
    if (seed == NULL)
        return tn_fail_code(err, TENUO_E_NOMEM);
    if (m->signer != NULL)
        r = tn_signer_seed(m->signer, seed, err);
    else
        randombytes_buf(seed, TENUO_SEED_BYTES);
    if (r == TENUO_OK) {
        (void)crypto_sign_seed_keypair(m->key, expanded, seed);
        sodium_memzero(expanded, sizeof expanded);
        r = tn_store_import(m->instance, m->key_id, m->flags, seed, &m->version, err);
    }
    tn_keycache_give(&m->ctx->keys, seed);
    return r;
}

/* One that does not work on this line is better than none: the store says why. */
static bool makes_itself(const struct make *m, unsigned can)
{
    const struct tenuo_resolver_ops *ops = m->instance->ops;
    return m->signer == NULL && ops->generate != NULL &&
           ((can & TENUO_STORE_GENERATES) != 0 || (can & TENUO_STORE_IMPORTS) == 0);
}

static int put(struct make *m, struct tenuo_error *reterr)
{
    struct tenuo_error why = { 0 }, *err = reterr != NULL ? reterr : &why;
    const struct tenuo_resolver_ops *ops = m->instance->ops;
    unsigned can = 0;
    int r = tn_store_abilities(m->instance, &can, err);
    if (r != TENUO_OK)
        return r;
    if (makes_itself(m, can))
        r = tn_store_generate(m->instance, m->key_id, m->flags, m->key, &m->version, err);
    else if (ops->import != NULL)
        r = import_seed(m, err);
    else
        return tn_store_cannot(m->instance, m->signer == NULL ? "make" : "take", err);
    tn_keycache_forget(&m->ctx->keys, m->key_id);
    return r == TENUO_OK ? r : explain(m, r, err);
}

static int prepare(struct make *m, const char *store, struct tenuo_error *err)
{
    if (!tn_key_id_valid(m->key_id))
        return tn_fail(
            err, TENUO_E_INVALID_ARGUMENT,
            "a key id has 1 to %d characters of [A-Za-z0-9._-], is not \".\", holds no \"..\" and no version",
            TN_MAX_KEY_ID);
    if (m->signer != NULL && !tenuo_signer_is_local(m->signer))
        return tn_fail(err, TENUO_E_INVALID_ARGUMENT, "a remote key cannot be imported: its store keeps the secret");
    return tn_ctx_store(m->ctx, store, &m->instance, err);
}

int tenuo_store_generate(struct tenuo_ctx *ctx, const char *store, const char *key_id,
                         uint8_t ret_key[TENUO_PUBLIC_KEY_BYTES], uint32_t *ret_version, struct tenuo_error *reterr)
{
    struct make m = { .ctx = ctx, .key_id = key_id };
    int r = prepare(&m, store, reterr);
    if (r == TENUO_OK)
        r = put(&m, reterr);
    if (r == TENUO_OK) {
        memcpy(ret_key, m.key, sizeof m.key);
        *ret_version = m.version;
    }
    return r;
}

int tenuo_store_import(struct tenuo_ctx *ctx, const char *store, const char *key_id, const struct tenuo_signer *signer,
                       uint32_t *ret_version, struct tenuo_error *reterr)
{
    struct make m = { .ctx = ctx, .key_id = key_id, .signer = signer };
    int r = signer == NULL ? tn_fail(reterr, TENUO_E_INVALID_ARGUMENT, "tenuo_store_import: signer must not be NULL")
                           : prepare(&m, store, reterr);
    if (r == TENUO_OK)
        r = put(&m, reterr);
    if (r == TENUO_OK)
        *ret_version = m.version;
    return r;
}

/* The newest key as it is, so that the new one can be told from it. */
static int look(struct make *m, struct tenuo_error *err)
{
    const struct tenuo_resolver_ops *ops = m->instance->ops;
    int r = tn_ctx_describe(m->ctx, m->instance, m->key_id, 0, &m->before, err);
    if (r != TENUO_OK)
        return r;
    if (ops->describe != NULL && m->before.version == 0)
        return no_versions(m->instance, err);
    if (m->signer != NULL && m->before.has_public_key &&
        memcmp(tenuo_signer_public_key(m->signer), m->before.public_key, 32) == 0)
        return tn_fail(err, TENUO_E_INVALID_ARGUMENT, "%s: key '%.80s' is this very key already", m->instance->origin,
                       m->key_id);
    return TENUO_OK;
}

static int judge_rotated(const struct make *m, struct tenuo_error *err)
{
    if (m->before.has_public_key && memcmp(m->key, m->before.public_key, 32) == 0)
        return tn_fail(err, TENUO_E_PLUGIN_PROTOCOL, "%s: the store kept the key and called it a new one",
                       m->instance->origin);
    if (m->version <= m->before.version)
        return tn_fail(err, TENUO_E_PLUGIN_PROTOCOL, "%s: the new key has version %u, the one before had %u",
                       m->instance->origin, (unsigned)m->version, (unsigned)m->before.version);
    return TENUO_OK;
}

int tenuo_store_rotate(struct tenuo_ctx *ctx, const char *store, const char *key_id, const struct tenuo_signer *signer,
                       uint8_t ret_key[TENUO_PUBLIC_KEY_BYTES], uint32_t *ret_version, struct tenuo_error *reterr)
{
    struct make m = { .ctx = ctx, .key_id = key_id, .signer = signer, .flags = TENUO_STORE_NEW_VERSION };
    int r = prepare(&m, store, reterr);
    if (r == TENUO_OK)
        r = look(&m, reterr);
    if (r == TENUO_OK)
        r = put(&m, reterr);
    if (r == TENUO_OK)
        r = judge_rotated(&m, reterr);
    if (r == TENUO_OK) {
        memcpy(ret_key, m.key, sizeof m.key);
        *ret_version = m.version;
        tn_audit_key_retired(ctx, m.instance, key_id, m.before.version, "rotated");
    }
    return r;
}

int tenuo_store_remove(struct tenuo_ctx *ctx, const char *store, const char *reference, struct tenuo_error *reterr)
{
    char id[TN_MAX_KEY_ID + 1];
    const struct tenuo_resolver_ops *ops;
    struct tn_instance *i = NULL;
    uint32_t version = 0;
    int r = tn_store_reference(reference, id, &version, reterr);
    if (r == TENUO_OK)
        r = tn_ctx_store(ctx, store, &i, reterr);
    if (r != TENUO_OK)
        return r;
    ops = i->ops;
    if (ops->remove == NULL)
        return tn_store_cannot(i, "remove", reterr);
    r = tn_store_remove(i, id, version, reterr);
    tn_keycache_forget(&ctx->keys, id);
    if (r == TENUO_OK)
        tn_audit_key_retired(ctx, i, id, version, "removed");
    return say_late(i, r, reterr);
}
