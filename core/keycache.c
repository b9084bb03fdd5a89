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
#include <tenuo/key.h>

#define RETRY_MS 1000 /* how often a stale key asks its stores again */

bool tn_keycache_init(struct tn_keycache *cache, const struct tn_log *log)
{
    *cache = (struct tn_keycache){ .guard = { .log = log }, .generation = tn_forkgen() };
    return tn_lock_init(&cache->lock);
}

static void destroy(struct tn_keycache *cache, struct tn_key *key)
{
    tn_guard_give(&cache->guard, key->found.seed);
    sodium_memzero(key, sizeof *key);
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
    for (struct tn_key *key = cache->keys; key != NULL; key = next) {
        next = key->next;
        if (key->state == TN_KEY_READY && key->dead <= now)
            unlist(cache, key);
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

static struct tn_key *find(const struct tn_keycache *cache, const char *key_id)
{
    for (struct tn_key *key = cache->keys; key != NULL; key = key->next)
        if (strcmp(key->id, key_id) == 0)
            return key;
    return NULL;
}

/* Room for one more: the key that dies first goes. False when all are being looked up. */
static bool make_room(struct tn_keycache *cache)
{
    struct tn_key *first = NULL;
    if (cache->count < TN_MAX_KEY_CACHE)
        return true;
    for (struct tn_key *key = cache->keys; key != NULL; key = key->next)
        if (key->state == TN_KEY_READY && (first == NULL || key->dead < first->dead))
            first = key;
    if (first == NULL)
        return false;
    unlist(cache, first);
    return true;
}

/* A pending entry, listed, with one reference for the list and one for the caller. */
static int begin(struct tn_keycache *cache, const char *key_id, struct tn_key **ret_key, struct tenuo_error *err)
{
    struct tn_key *key;
    if (!make_room(cache))
        return tn_fail(err, TENUO_E_UNAVAILABLE, "key '%s': %u other keys are being looked up", key_id,
                       (unsigned)TN_MAX_KEY_CACHE);
    key = calloc(1, sizeof *key);
    if (key == NULL)
        return tn_fail_code(err, TENUO_E_NOMEM);
    memcpy(key->id, key_id, strlen(key_id) + 1);
    key->state = TN_KEY_PENDING;
    key->refs = 2;
    key->generation = tn_forkgen();
    key->listed = true;
    key->next = cache->keys;
    cache->keys = key;
    cache->count++;
    *ret_key = key;
    return TENUO_OK;
}

/* The stores do not answer, and the line allows its last answer to be used a while longer. */
static bool use_stale(struct tn_keycache *cache, struct tn_key *key, struct tn_key *stale, int code)
{
    uint64_t now = tn_clock_ms();
    if (stale == NULL || code != TENUO_E_UNAVAILABLE || stale->dead <= now)
        return false;
    key->found = stale->found;
    if (stale->found.seed != NULL) {
        key->found.seed = tn_guard_take(&cache->guard);
        if (key->found.seed == NULL)
            return false;
        memcpy(key->found.seed, stale->found.seed, TENUO_SECRET_SEED_BYTES);
    }
    key->expires = now + RETRY_MS;
    key->dead = stale->dead;
    return true;
}

/* The lookup is over: its outcome for everybody who waits. */
static int finish(struct tn_keycache *cache, struct tn_key *key, struct tn_key *stale, int code,
                  const struct tenuo_error *why)
{
    uint64_t now = tn_clock_ms();
    if (code == TENUO_OK) {
        key->expires = now + key->found.ttl_ms;
        key->dead = key->expires + key->found.stale_ms;
    } else if (use_stale(cache, key, stale, code)) {
        code = TENUO_OK;
    }
    key->state = code == TENUO_OK ? TN_KEY_READY : TN_KEY_FAILED;
    if (code != TENUO_OK)
        key->error = *why;
    if (key->listed && (code != TENUO_OK || key->dead <= now))
        unlist(cache, key);
    tn_lock_wake_all(&cache->lock);
    return code;
}

static int resolve_now(struct tn_keycache *cache, const char *key_id, struct tn_key *stale, tn_key_resolve_fn *resolve,
                       void *arg, struct tn_key **ret_key, struct tenuo_error *err)
{
    struct tenuo_error why = { 0 };
    struct tn_key_found found = { 0 };
    struct tn_key *key = NULL;
    if (stale != NULL) {
        stale->refs++;
        unlist(cache, stale);
    }
    int r = begin(cache, key_id, &key, err);
    if (r == TENUO_OK) {
        tn_lock_release(&cache->lock);
        r = resolve(arg, key_id, &found, &why);
        tn_lock_acquire(&cache->lock);
        if (r == TENUO_OK)
            key->found = found;
        r = finish(cache, key, stale, r, &why);
        if (r == TENUO_OK) {
            *ret_key = key;
        } else {
            tn_fail(err, r, "%s", why.msg);
            unref(cache, key);
        }
    }
    if (stale != NULL)
        unref(cache, stale);
    return r;
}

/* Somebody else is looking: take what that finds. */
static int share(struct tn_keycache *cache, struct tn_key *key, struct tn_key **ret_key, struct tenuo_error *err)
{
    key->refs++;
    while (key->state == TN_KEY_PENDING)
        tn_lock_wait(&cache->lock);
    if (key->state == TN_KEY_READY) {
        *ret_key = key;
        return TENUO_OK;
    }
    int r = tn_fail(err, key->error.code, "%s", key->error.msg);
    unref(cache, key);
    return r;
}

int tn_keycache_get(struct tn_keycache *cache, const char *key_id, bool no_io, tn_key_resolve_fn *resolve, void *arg,
                    struct tn_key **ret_key, struct tenuo_error *err)
{
    uint64_t now = tn_clock_ms();
    struct tn_key *key;
    int r;
    lock_cache(cache);
    sweep(cache, now);
    key = find(cache, key_id);
    if (key != NULL && key->state == TN_KEY_READY && key->expires > now) {
        key->refs++;
        *ret_key = key;
        r = TENUO_OK;
    } else if (no_io) {
        r = tn_fail(err, TENUO_E_WOULD_BLOCK, "key '%s' is not in the key cache: load it with tenuo_keys_preload first",
                    key_id);
    } else if (key != NULL && key->state == TN_KEY_PENDING) {
        r = share(cache, key, ret_key, err);
    } else {
        r = resolve_now(cache, key_id, key, resolve, arg, ret_key, err);
    }
    tn_lock_release(&cache->lock);
    return r;
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
    lock_cache(cache);
    sweep(cache, tn_clock_ms());
    size_t n = cache->count;
    tn_lock_release(&cache->lock);
    return n;
}
