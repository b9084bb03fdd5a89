/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The key cache. Everything here happens under its one lock, and never a call into a plugin: the resolve function runs
 * without it. There is no thread of ours to wipe at the very second, so each access first wipes what has expired.
 */
#include "keycache.h"

#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#include "err.h"

bool tn_keycache_init(struct tn_keycache *cache, const struct tn_log *log)
{
    *cache = (struct tn_keycache){ .guard = { .log = log }, .sweep_at = UINT64_MAX, .generation = tn_forkgen() };
    return tn_lock_init(&cache->lock);
}

void tn_key_history_free(struct tn_key_history *history)
{
    if (history != NULL)
        free(history->v);
    free(history);
}

static void destroy(struct tn_keycache *cache, struct tn_key *key)
{
    tn_guard_give(&cache->guard, key->found.secret);
    tn_key_history_free(key->found.history);
    free(key);
}

static void unref(struct tn_keycache *cache, struct tn_key *key)
{
    if (--key->refs == 0)
        destroy(cache, key);
}

static void unlist(struct tn_keycache *cache, struct tn_key *key)
{
    struct tn_key **at = &cache->keys;
    while (*at != NULL && *at != key)
        at = &(*at)->next;
    if (*at == NULL)
        return;
    *at = key->next;
    key->listed = false;
    cache->count--;
    unref(cache, key);
}

static void sweep(struct tn_keycache *cache, uint64_t now)
{
    struct tn_key *next;
    if (now < cache->sweep_at)
        return;
    cache->sweep_at = UINT64_MAX;
    for (struct tn_key *key = cache->keys; key != NULL; key = next) {
        next = key->next;
        if (key->state == TN_KEY_PENDING)
            continue;
        if (key->dead <= now)
            unlist(cache, key);
        else if (key->dead < cache->sweep_at)
            cache->sweep_at = key->dead;
    }
}

/* A child has none of its parent's keys: their pages are empty there, and the list may be half written. */
static void lock_cache(struct tn_keycache *cache)
{
    tn_lock_acquire(&cache->lock);
    if (cache->generation == tn_forkgen())
        return;
    cache->generation = tn_forkgen();
    cache->keys = NULL;
    cache->count = 0;
    cache->hits = cache->misses = 0;
    tn_guard_forget(&cache->guard);
}

void tn_keycache_free(struct tn_keycache *cache)
{
    lock_cache(cache);
    while (cache->keys != NULL)
        unlist(cache, cache->keys);
    tn_guard_free(&cache->guard);
    tn_lock_release(&cache->lock);
    tn_lock_destroy(&cache->lock);
}

static uint32_t hash_of(const char *id)
{
    uint32_t h = 2166136261u; /* FNV-1a: only saves comparing texts */
    for (; *id != '\0'; id++)
        h = (h ^ (uint8_t)*id) * 16777619u;
    return h;
}

static struct tn_key *find(const struct tn_keycache *cache, const struct tn_key_ask *ask, enum tn_key_kind kind)
{
    uint32_t hash = hash_of(ask->id);
    for (struct tn_key *key = cache->keys; key != NULL; key = key->next)
        if (key->hash == hash && key->version == ask->version && key->kind == kind && key->line == ask->line &&
            strcmp(key->id, ask->id) == 0)
            return key;
    return NULL;
}

/* Room for one more: what dies first goes. False when all are being looked up. */
static bool make_room(struct tn_keycache *cache)
{
    struct tn_key *first = NULL;
    if (cache->count < TN_MAX_KEY_CACHE)
        return true;
    for (struct tn_key *key = cache->keys; key != NULL; key = key->next)
        if (key->state != TN_KEY_PENDING && (first == NULL || key->dead < first->dead))
            first = key;
    if (first == NULL)
        return false;
    unlist(cache, first);
    return true;
}

/* A pending entry, listed, with one reference for the list and one for the caller. */
static int begin(struct tn_keycache *cache, const struct tn_key_ask *ask, struct tn_key **ret_key,
                 struct tenuo_error *err)
{
    struct tn_key *key;
    if (!make_room(cache))
        return tn_fail(err, TENUO_E_UNAVAILABLE, "key '%s': %u other keys are being looked up", ask->id,
                       (unsigned)TN_MAX_KEY_CACHE);
    key = calloc(1, sizeof *key);
    if (key == NULL)
        return tn_fail_code(err, TENUO_E_NOMEM);
    memcpy(key->id, ask->id, strlen(ask->id) + 1);
    key->hash = hash_of(ask->id);
    key->version = ask->version;
    key->kind = ask->kind;
    key->line = ask->line;
    key->state = TN_KEY_PENDING;
    key->asked = tn_clock_ms();
    key->refs = 2;
    key->generation = tn_forkgen();
    key->listed = true;
    key->next = cache->keys;
    cache->keys = key;
    cache->count++;
    *ret_key = key;
    return TENUO_OK;
}

/* The lines do not answer, and allow their last answer to be used a while longer. */
static bool use_stale(struct tn_keycache *cache, struct tn_key *key, const struct tn_key *stale, uint64_t now)
{
    if (stale == NULL || stale->dead <= now)
        return false;
    key->found = stale->found;
    if (stale->found.secret != NULL) {
        key->found.secret = tn_guard_take(&cache->guard);
        if (key->found.secret == NULL)
            return false;
        memcpy(key->found.secret, stale->found.secret, TN_GUARD_SLOT);
    }
    key->asked = stale->asked; /* nobody has answered since */
    key->expires = now + TN_KEY_AWAY_MS;
    key->dead = stale->dead;
    if (key->expires > key->dead)
        key->expires = key->dead;
    return true;
}

/* How long a failure is remembered. */
static uint64_t failed_ms(int code)
{
    switch (code) {
    case TENUO_E_KEY_NOT_FOUND:
    case TENUO_E_KEY_CONFLICT:
    case TENUO_E_KEY_DENIED:
    case TENUO_E_KEY_INVALID:
        return TN_KEY_FAILED_MS;
    case TENUO_E_UNAVAILABLE:
    case TENUO_E_PLUGIN_PROTOCOL:
        return TN_KEY_AWAY_MS;
    default:
        return 0;
    }
}

/* A second opinion on a key that is held: the answer takes its place, a plain no drops it, and "away" says nothing. */
static void settle_again(struct tn_keycache *cache, struct tn_key *key, const struct tn_key_ask *ask, int code)
{
    struct tn_key *held = find(cache, ask, TN_KEY_CHAIN);
    if (held != NULL && (code == TENUO_OK || failed_ms(code) == TN_KEY_FAILED_MS))
        unlist(cache, held);
    if (code == TENUO_OK)
        key->kind = TN_KEY_CHAIN;
}

/* The lookup is over: its outcome for everybody who waits. */
static int finish(struct tn_keycache *cache, struct tn_key *key, const struct tn_key *stale,
                  const struct tn_key_ask *ask, int code, const struct tenuo_error *why)
{
    uint64_t now = tn_clock_ms();
    if (code == TENUO_OK) {
        key->expires = now + key->found.ttl_ms;
        key->dead = key->expires + key->found.stale_ms;
    } else if (code == TENUO_E_UNAVAILABLE && ask->may_serve && use_stale(cache, key, stale, now)) {
        code = TENUO_OK;
    } else {
        key->error = *why;
        key->error.code = code;
        key->expires = key->dead = now + (ask->keeps ? failed_ms(code) : 0);
    }
    key->state = code == TENUO_OK ? TN_KEY_READY : TN_KEY_FAILED;
    if (key->listed && ask->kind == TN_KEY_AGAIN)
        settle_again(cache, key, ask, code);
    if (key->listed && key->dead <= now)
        unlist(cache, key);
    else if (key->dead < cache->sweep_at)
        cache->sweep_at = key->dead;
    tn_lock_wake_all(&cache->lock);
    return code;
}

static int resolve_now(struct tn_keycache *cache, struct tn_key_ask *ask, struct tn_key *old,
                       tn_key_resolve_fn *resolve, void *arg, struct tn_key **ret_key, struct tenuo_error *err)
{
    struct tenuo_error why = { 0 };
    struct tn_key_found found = { 0 };
    struct tn_key *key = NULL,
                  *stale = old != NULL && old->state == TN_KEY_READY && old->found.history == NULL ? old : NULL;
    if (stale != NULL)
        stale->refs++;
    if (old != NULL)
        unlist(cache, old);
    ask->stale = stale != NULL ? &stale->found : NULL;
    ask->may_serve = ask->keeps = false;
    int r = begin(cache, ask, &key, err);
    if (r == TENUO_OK) {
        tn_lock_release(&cache->lock);
        r = resolve(arg, ask, &found, &why);
        tn_lock_acquire(&cache->lock);
        if (r == TENUO_OK)
            key->found = found;
        r = finish(cache, key, stale, ask, r, &why);
        if (r == TENUO_OK) {
            *ret_key = key;
        } else {
            tn_fail(err, r, "%s", why.msg);
            unref(cache, key);
        }
    }
    ask->stale = NULL;
    if (stale != NULL)
        unref(cache, stale);
    return r;
}

/* An entry that is over, with one reference of ours: its key, or its error. */
static int take(struct tn_keycache *cache, struct tn_key *key, struct tn_key **ret_key, struct tenuo_error *err)
{
    if (key->state == TN_KEY_READY) {
        *ret_key = key;
        return TENUO_OK;
    }
    int r = tn_fail(err, key->error.code, "%s", key->error.msg);
    unref(cache, key);
    return r;
}

/* Somebody else is looking: take what that finds. */
static int share(struct tn_keycache *cache, struct tn_key *key, struct tn_key **ret_key, struct tenuo_error *err)
{
    key->refs++;
    while (key->state == TN_KEY_PENDING)
        tn_lock_wait(&cache->lock);
    return take(cache, key, ret_key, err);
}

/* A search for another holder may have stopped too early for this one. */
static bool answers(const struct tn_key *key, const struct tn_key_ask *ask)
{
    const struct tn_key_history *h = key->found.history;
    if (key->state != TN_KEY_READY || ask->kind != TN_KEY_OLDER || h->complete)
        return true;
    for (size_t i = 0; i < h->n; i++)
        if (memcmp(h->v[i].public_key, ask->holder, 32) == 0)
            return true;
    return false;
}

static int get_once(struct tn_keycache *cache, struct tn_key_ask *ask, tn_key_resolve_fn *resolve, void *arg,
                    struct tn_key **ret_key, struct tenuo_error *err)
{
    uint64_t now = tn_clock_ms();
    struct tn_key *key;
    sweep(cache, now);
    key = find(cache, ask, ask->kind);
    if (key != NULL && key->state != TN_KEY_PENDING && key->expires > now && answers(key, ask)) {
        cache->hits++;
        key->refs++;
        return take(cache, key, ret_key, err);
    }
    cache->misses++;
    if (ask->no_io)
        return tn_fail(err, TENUO_E_WOULD_BLOCK,
                       "key '%s' is not in the key cache: load it with tenuo_keys_preload first", ask->id);
    if (key != NULL && key->state == TN_KEY_PENDING)
        return share(cache, key, ret_key, err);
    return resolve_now(cache, ask, key, resolve, arg, ret_key, err);
}

int tn_keycache_get(struct tn_keycache *cache, struct tn_key_ask *ask, tn_key_resolve_fn *resolve, void *arg,
                    struct tn_key **ret_key, struct tenuo_error *err)
{
    struct tn_key *key = NULL;
    int r;
    lock_cache(cache);
    for (;;) {
        r = get_once(cache, ask, resolve, arg, &key, err);
        if (r != TENUO_OK || answers(key, ask))
            break;
        unref(cache, key);
    }
    tn_lock_release(&cache->lock);
    if (r == TENUO_OK)
        *ret_key = key;
    return r;
}

struct tn_key *tn_keycache_holding(struct tn_keycache *cache, const char *key_id, uint32_t version,
                                   const uint8_t public_key[32], bool expired)
{
    uint32_t hash = hash_of(key_id);
    struct tn_key *key;
    uint64_t now = tn_clock_ms();
    lock_cache(cache);
    sweep(cache, now);
    for (key = cache->keys; key != NULL; key = key->next)
        if (key->hash == hash && key->state == TN_KEY_READY && key->kind != TN_KEY_OLDER &&
            (expired || key->expires > now) && (version == 0 || key->version == version) &&
            memcmp(key->found.public_key, public_key, 32) == 0 && strcmp(key->id, key_id) == 0) {
            cache->hits++;
            key->refs++;
            break;
        }
    tn_lock_release(&cache->lock);
    return key;
}

void tn_keycache_put(struct tn_keycache *cache, struct tn_key *key)
{
    if (key == NULL)
        return;
    lock_cache(cache);
    if (key->generation == tn_forkgen())
        unref(cache, key);
    tn_lock_release(&cache->lock);
}

void tn_keycache_forget(struct tn_keycache *cache, const char *key_id)
{
    struct tn_key *next;
    lock_cache(cache);
    for (struct tn_key *key = cache->keys; key != NULL; key = next) {
        next = key->next;
        if (strcmp(key->id, key_id) == 0)
            unlist(cache, key);
    }
    tn_lock_release(&cache->lock);
}

void tn_keycache_sweep(struct tn_keycache *cache)
{
    lock_cache(cache);
    sweep(cache, tn_clock_ms());
    tn_lock_release(&cache->lock);
}

uint8_t *tn_keycache_slot(struct tn_keycache *cache)
{
    lock_cache(cache);
    uint8_t *slot = tn_guard_take(&cache->guard);
    tn_lock_release(&cache->lock);
    return slot;
}

void tn_keycache_give(struct tn_keycache *cache, uint8_t *slot)
{
    lock_cache(cache);
    tn_guard_give(&cache->guard, slot);
    tn_lock_release(&cache->lock);
}

size_t tn_keycache_count(struct tn_keycache *cache)
{
    size_t n = 0;
    lock_cache(cache);
    sweep(cache, tn_clock_ms());
    for (const struct tn_key *key = cache->keys; key != NULL; key = key->next)
        n += key->state != TN_KEY_FAILED && key->kind != TN_KEY_OLDER;
    tn_lock_release(&cache->lock);
    return n;
}

void tn_keycache_counts(struct tn_keycache *cache, uint64_t *ret_hits, uint64_t *ret_misses)
{
    lock_cache(cache);
    *ret_hits = cache->hits;
    *ret_misses = cache->misses;
    tn_lock_release(&cache->lock);
}

size_t tn_keycache_births(struct tn_keycache *cache, struct tn_key_birth *ret, size_t room)
{
    size_t n = 0;
    lock_cache(cache);
    for (const struct tn_key *key = cache->keys; key != NULL && n < room; key = key->next) {
        if (key->state != TN_KEY_READY || key->kind != TN_KEY_CHAIN || key->version != 0 || key->found.created_at <= 0)
            continue;
        memcpy(ret[n].id, key->id, sizeof ret[n].id);
        ret[n++].created_at = key->found.created_at;
    }
    tn_lock_release(&cache->lock);
    return n;
}
