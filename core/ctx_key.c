/* SPDX-License-Identifier: Apache-2.0 */
/*
 * References to signers: which key a caller gets, the newest or the one that a warrant was issued to, from the cache or
 * from the lines, and what a signer holds of the context. Never hands out a key that is not the holder's when there is
 * one.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../common/versions.h"
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

/* What a remote signer holds: the context, whose instance it uses, and which key. */
struct remote {
    struct tenuo_ctx *ctx;
    struct tn_instance *line;
    uint32_t version;
    char id[TN_MAX_KEY_ID + 1];
};

/* Away says nothing about the key; any other failure means that it is not what was cached. */
static int remote_sign(void *arg, const uint8_t *message, size_t len, uint8_t ret_signature[64],
                       struct tenuo_error *err)
{
    struct remote *r = arg;
    int code = tn_resolver_sign(r->line, r->id, r->version, message, len, ret_signature, err);
    if (code == TENUO_E_KEY_NOT_FOUND || code == TENUO_E_KEY_DENIED || code == TENUO_E_KEY_INVALID ||
        code == TENUO_E_KEY_CONFLICT)
        tn_keycache_forget(&r->ctx->keys, r->id);
    return code;
}

static int remote_lied(void *arg, struct tenuo_error *err)
{
    struct remote *r = arg;
    tn_keycache_forget(&r->ctx->keys, r->id);
    return tn_fail(err, TENUO_E_PLUGIN_PROTOCOL,
                   "%s: key '%.60s': the signature does not verify under the public key that the store named: it was "
                   "replaced meanwhile (open it again), or the store is broken",
                   r->line->origin, r->id);
}

static void remote_release(void *arg)
{
    struct remote *r = arg;
    tenuo_ctx_unref(r->ctx);
    free(r);
}

static int make_remote(struct tenuo_ctx *c, const char *key_id, const struct tn_key_found *found,
                       struct tenuo_signer **ret, struct tenuo_error *err)
{
    struct tn_remote_key remote = { .sign = remote_sign, .lied = remote_lied, .release = remote_release };
    struct remote *r = calloc(1, sizeof *r);
    if (r == NULL)
        return tn_fail_code(err, TENUO_E_NOMEM);
    *r = (struct remote){ .ctx = tenuo_ctx_ref(c), .line = found->line, .version = found->version };
    memcpy(r->id, key_id, strlen(key_id) + 1);
    remote.arg = r;
    return tn_signer_remote(found->public_key, &remote, ret, err);
}

int tn_ctx_make_signer(struct tenuo_ctx *c, const char *key_id, const struct tn_key_found *found,
                       struct tenuo_signer **ret, struct tenuo_error *err)
{
    return found->secret != NULL ? tn_signer_local(found->secret, ret, err) : make_remote(c, key_id, found, ret, err);
}

/* What a local signer holds: the cache's entry, whose secret it uses in place. */
struct held {
    struct tenuo_ctx *ctx;
    struct tn_key *key;
};

static void held_release(void *arg)
{
    struct held *h = arg;
    tn_keycache_put(&h->ctx->keys, h->key);
    tenuo_ctx_unref(h->ctx);
    free(h);
}

/* Takes the reference on `key`. */
static int signer_of(struct tenuo_ctx *c, struct tn_key *key, struct tenuo_signer **ret, struct tenuo_error *err)
{
    struct held *h = NULL;
    int r;
    if (key->found.secret == NULL) {
        r = make_remote(c, key->id, &key->found, ret, err);
    } else {
        h = malloc(sizeof *h);
        if (h != NULL)
            *h = (struct held){ c, key };
        r = h != NULL ? tn_signer_shared(key->found.secret, held_release, h, ret, err)
                      : tn_fail_code(err, TENUO_E_NOMEM);
        if (r == TENUO_OK) {
            (void)tenuo_ctx_ref(c);
            return r;
        }
    }
    free(h);
    tn_keycache_put(&c->keys, key);
    return r;
}

/* What a caller wants: an id, maybe of one version, maybe of one holder. */
struct want {
    struct tenuo_ctx *ctx;
    const uint8_t *holder; /* NULL: whoever */
    bool no_io;
    uint32_t version;
    char id[TN_MAX_KEY_ID + 1];
};

static int look_up(const struct want *w, enum tn_key_kind kind, const struct tn_key_version *of,
                   struct tn_key **ret_key, struct tenuo_error *err)
{
    struct tn_key_ask ask = {
        .id = w->id, .version = w->version, .kind = kind, .holder = w->holder, .no_io = w->no_io
    };
    if (of != NULL) {
        ask.version = of->version;
        ask.line = of->line;
    }
    return tn_keycache_get(&w->ctx->keys, &ask, tn_ctx_resolve, w->ctx, ret_key, err);
}

static bool fits(const struct want *w, const struct tn_key *key)
{
    return w->holder == NULL || memcmp(w->holder, key->found.public_key, 32) == 0;
}

static int mismatch(const struct want *w, const uint8_t newest[32], size_t looked, struct tenuo_error *err)
{
    char issued_to[TENUO_FINGERPRINT_TEXT_BYTES], held[TENUO_FINGERPRINT_TEXT_BYTES];
    tenuo_fingerprint(w->holder, issued_to);
    tenuo_fingerprint(newest, held);
    if (w->version != 0)
        return tn_fail(err, TENUO_E_HOLDER_MISMATCH,
                       "key '%.80s@%u' is %s, and the warrant was issued to %s: name the id without a version, or "
                       "re-issue the warrant",
                       w->id, (unsigned)w->version, held, issued_to);
    if (looked == 0)
        return tn_fail(err, TENUO_E_HOLDER_MISMATCH,
                       "key '%.60s': the warrant was issued to key %s, the store's newest is %s and there is no older "
                       "one: re-issue the warrant, or bring the old key back",
                       w->id, issued_to, held);
    return tn_fail(err, TENUO_E_HOLDER_MISMATCH,
                   "key '%.60s': the warrant was issued to key %s, the store's newest is %s and none of %zu others is "
                   "it: re-issue the warrant, or bring the old key back",
                   w->id, issued_to, held, looked);
}

static const struct tn_key_version *find_version(const struct tn_key_history *h, const uint8_t holder[32])
{
    for (size_t i = 0; i < h->n; i++)
        if (memcmp(h->v[i].public_key, holder, 32) == 0)
            return &h->v[i];
    return NULL;
}

static int would_block(const struct want *w, const uint8_t newest[32], struct tenuo_error *err)
{
    char issued_to[TENUO_FINGERPRINT_TEXT_BYTES], held[TENUO_FINGERPRINT_TEXT_BYTES];
    tenuo_fingerprint(w->holder, issued_to);
    tenuo_fingerprint(newest, held);
    return tn_fail(err, TENUO_E_WOULD_BLOCK,
                   "key '%.80s': the key cache holds %s, the warrant was issued to %s, and the stores may not be asked "
                   "for another version now",
                   w->id, held, issued_to);
}

/* Replaces *key, the newest, by the older version that the holder has. */
static int find_older(const struct want *w, struct tn_key **key, struct tenuo_error *err)
{
    const struct tn_key_version *of;
    struct tn_key *list = NULL, *old = NULL;
    int r = look_up(w, TN_KEY_OLDER, NULL, &list, err);
    if (r != TENUO_OK)
        return r == TENUO_E_WOULD_BLOCK ? would_block(w, (*key)->found.public_key, err) : r;
    of = find_version(list->found.history, w->holder);
    if (of == NULL && list->found.history->failed.code != TENUO_OK)
        r = tn_fail(err, list->found.history->failed.code, "%s", list->found.history->failed.msg);
    else if (of == NULL)
        r = mismatch(w, (*key)->found.public_key, list->found.history->n > 1 ? list->found.history->n - 1 : 0, err);
    else
        r = look_up(w, TN_KEY_LINE, of, &old, err);
    if (r == TENUO_E_WOULD_BLOCK)
        r = would_block(w, (*key)->found.public_key, err);
    tn_keycache_put(&w->ctx->keys, list);
    if (r != TENUO_OK)
        return r;
    if (!fits(w, old)) { /* the store has another key under this number now */
        tn_keycache_put(&w->ctx->keys, old);
        tn_keycache_forget(&w->ctx->keys, w->id);
        return mismatch(w, (*key)->found.public_key, 0, err);
    }
    tn_keycache_put(&w->ctx->keys, *key);
    *key = old;
    return TENUO_OK;
}

/* *key is not the holder's. It may have been replaced elsewhere, so a cached one is not the last word. */
static int find_holder(const struct want *w, struct tn_key **key, struct tenuo_error *err)
{
    bool is_fresh = tn_clock_ms() - (*key)->asked <= TN_KEY_HOLDER_MS;
    struct tn_key *again = NULL;
    int r;
    if (!is_fresh && !w->no_io) {
        r = look_up(w, TN_KEY_AGAIN, NULL, &again, err);
        if (r != TENUO_OK)
            return r;
        tn_keycache_put(&w->ctx->keys, *key);
        *key = again;
        if (fits(w, again))
            return TENUO_OK;
    }
    if (w->version == 0)
        return find_older(w, key, err);
    return is_fresh || !w->no_io ? mismatch(w, (*key)->found.public_key, 0, err)
                                 : would_block(w, (*key)->found.public_key, err);
}

/* An older version that was found before, and whose time is over: its line alone knows whether it is still there. */
static int find_known(const struct want *w, struct tn_key **ret_key, struct tenuo_error *err)
{
    struct tn_key *known = tn_keycache_holding(&w->ctx->keys, w->id, w->version, w->holder, true);
    int r = TENUO_E_KEY_NOT_FOUND;
    if (known != NULL && known->kind == TN_KEY_LINE) {
        const struct tn_key_version of = { .version = known->version, .line = known->line };
        r = look_up(w, TN_KEY_LINE, &of, ret_key, err);
    }
    tn_keycache_put(&w->ctx->keys, known);
    if (r == TENUO_OK && !fits(w, *ret_key)) {
        tn_keycache_put(&w->ctx->keys, *ret_key);
        *ret_key = NULL;
        tn_keycache_forget(&w->ctx->keys, w->id);
        r = TENUO_E_KEY_NOT_FOUND;
    }
    return r;
}

static int find_key(const struct want *w, struct tn_key **ret_key, struct tenuo_error *err)
{
    struct tn_key *key = NULL;
    int r = TENUO_E_KEY_NOT_FOUND;
    if (w->holder != NULL)
        key = tn_keycache_holding(&w->ctx->keys, w->id, w->version, w->holder, false);
    if (key != NULL)
        r = TENUO_OK;
    else if (w->holder != NULL)
        r = find_known(w, &key, err);
    if (r == TENUO_E_KEY_NOT_FOUND || r == TENUO_E_KEY_INVALID)
        r = look_up(w, TN_KEY_CHAIN, NULL, &key, err);
    if (r == TENUO_OK && !fits(w, key))
        r = find_holder(w, &key, err);
    if (r == TENUO_OK)
        *ret_key = key;
    else
        tn_keycache_put(&w->ctx->keys, key);
    return r;
}

int tenuo_ctx_signer(struct tenuo_ctx *ctx, const char *reference, unsigned flags, const uint8_t *holder,
                     struct tenuo_signer **ret_signer, struct tenuo_error *reterr)
{
    struct want w = { .ctx = ctx, .holder = holder, .no_io = (flags & TENUO_SIGNER_NO_IO) != 0 };
    struct tn_key *key = NULL;
    int r = tn_store_reference(reference, w.id, &w.version, reterr);
    if (r == TENUO_OK)
        r = find_key(&w, &key, reterr);
    return r == TENUO_OK ? signer_of(ctx, key, ret_signer, reterr) : r;
}

void tenuo_ctx_sweep(struct tenuo_ctx *ctx)
{
    tn_keycache_sweep(&ctx->keys);
}

static int load(struct tenuo_ctx *ctx, const char *key, struct tenuo_error *err)
{
    struct tenuo_signer *signer = NULL;
    int r = tenuo_ctx_signer(ctx, key, 0, NULL, &signer, err);
    if (r == TENUO_OK)
        r = tenuo_signer_self_test(signer, err);
    tenuo_signer_free(signer);
    return r;
}

/* Which keys failed, as many as fit. */
struct failures {
    char names[110];
    size_t n, count, named;
    struct tenuo_error first;
};

static void add_failure(struct failures *f, const char *key, const struct tenuo_error *why)
{
    char shown[40], one[64];
    size_t len;
    tn_quote(shown, sizeof shown, key, strlen(key));
    len = (size_t)snprintf(one, sizeof one, "%s'%s' (%d)", f->n == 0 ? "" : ", ", shown, why->code);
    if (f->count++ == 0)
        f->first = *why;
    if (f->named + 1 != f->count || f->n + len + sizeof ", ..." > sizeof f->names) {
        if (f->named + 1 == f->count)
            memcpy(f->names + f->n, ", ...", sizeof ", ...");
        return;
    }
    memcpy(f->names + f->n, one, len + 1);
    f->n += len;
    f->named++;
}

int tenuo_keys_preload(struct tenuo_ctx *ctx, const char *const *keys, size_t count, struct tenuo_error *reterr)
{
    struct failures f = { 0 };
    for (size_t i = 0; i < count; i++) {
        struct tenuo_error why = { 0 };
        if (load(ctx, keys[i], &why) != TENUO_OK)
            add_failure(&f, keys[i], &why);
    }
    if (f.count == 0)
        return TENUO_OK;
    return tn_fail(reterr, f.first.code, "%zu of %zu keys not loaded: %s; %.110s", f.count, count, f.names,
                   f.first.msg);
}
