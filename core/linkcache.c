/* SPDX-License-Identifier: Apache-2.0 */
/* Bounded: buckets of four, the oldest of a bucket makes room. Bucket and lock are chosen by the hash; the hash is
 * compared whole. */
#include "linkcache.h"
#include "forkgen.h"

#include <pthread.h>
#include <sodium.h>
#include <stdatomic.h>
#include <stdlib.h>

#define WAYS 4
#define LOCKS 16

struct entry {
    uint8_t key[32], sha256[32];
    bool used;
};

struct bucket {
    struct entry way[WAYS];
    uint32_t next; /* way to replace */
};

struct tn_link_cache {
    pthread_mutex_t lock[LOCKS];
    atomic_uint process;                      /* whose counts these are */
    atomic_ullong hits[LOCKS], misses[LOCKS]; /* one each a lock, so that threads seldom meet */
    uint32_t mask;
    struct bucket buckets[];
};

struct tn_link_cache *tn_link_cache_new(uint32_t entries)
{
    uint32_t n = 1;
    struct tn_link_cache *c;
    while (n * WAYS < entries)
        n *= 2;
    c = calloc(1, sizeof *c + n * sizeof c->buckets[0]);
    if (c == NULL)
        return NULL;
    c->mask = n - 1;
    for (size_t i = 0; i < LOCKS; i++)
        pthread_mutex_init(&c->lock[i], NULL);
    return c;
}

void tn_link_cache_free(struct tn_link_cache *cache)
{
    if (cache == NULL)
        return;
    for (size_t i = 0; i < LOCKS; i++)
        pthread_mutex_destroy(&cache->lock[i]);
    free(cache);
}

void tn_link_key(struct tn_link_key *ret, const uint8_t issuer[32], const uint8_t signature[64], struct tn_str payload)
{
    static const uint8_t version = 1;
    crypto_generichash_state st;
    crypto_generichash_init(&st, NULL, 0, sizeof ret->hash);
    crypto_generichash_update(&st, &version, 1);
    crypto_generichash_update(&st, issuer, 32);
    crypto_generichash_update(&st, signature, 64);
    crypto_generichash_update(&st, payload.p, payload.n);
    crypto_generichash_final(&st, ret->hash, sizeof ret->hash);
}

static uint32_t index_of(const struct tn_link_key *key)
{
    uint32_t i;
    memcpy(&i, key->hash, sizeof i);
    return i;
}

static struct entry *find(struct bucket *b, const struct tn_link_key *key)
{
    for (size_t i = 0; i < WAYS; i++)
        if (b->way[i].used && memcmp(b->way[i].key, key->hash, sizeof key->hash) == 0)
            return &b->way[i];
    return NULL;
}

/* A child has counted nothing; the links that its parent found good are as good there. */
static void forget_counts(void *arg)
{
    struct tn_link_cache *cache = arg;
    for (size_t i = 0; i < LOCKS; i++) {
        atomic_store_explicit(&cache->hits[i], 0, memory_order_relaxed);
        atomic_store_explicit(&cache->misses[i], 0, memory_order_relaxed);
    }
}

static void count(struct tn_link_cache *cache, atomic_ullong *counter)
{
    tn_fork_renew(&cache->process, forget_counts, cache);
    atomic_fetch_add_explicit(counter, 1, memory_order_relaxed);
}

bool tn_link_cache_get(struct tn_link_cache *cache, const struct tn_link_key *key, uint8_t ret_sha256[32])
{
    uint32_t i = index_of(key) & cache->mask;
    pthread_mutex_t *lock = &cache->lock[i % LOCKS];
    struct entry *e;
    if (pthread_mutex_trylock(lock) != 0) {
        count(cache, &cache->misses[i % LOCKS]);
        return false;
    }
    e = find(&cache->buckets[i], key);
    if (e != NULL)
        memcpy(ret_sha256, e->sha256, 32);
    pthread_mutex_unlock(lock);
    count(cache, e != NULL ? &cache->hits[i % LOCKS] : &cache->misses[i % LOCKS]);
    return e != NULL;
}

void tn_link_cache_counts(struct tn_link_cache *cache, uint64_t *ret_hits, uint64_t *ret_misses)
{
    uint64_t hits = 0, misses = 0;
    tn_fork_renew(&cache->process, forget_counts, cache);
    for (size_t i = 0; i < LOCKS; i++) {
        hits += atomic_load_explicit(&cache->hits[i], memory_order_relaxed);
        misses += atomic_load_explicit(&cache->misses[i], memory_order_relaxed);
    }
    *ret_hits = hits;
    *ret_misses = misses;
}

void tn_link_cache_put(struct tn_link_cache *cache, const struct tn_link_key *key, const uint8_t sha256[32])
{
    uint32_t i = index_of(key) & cache->mask;
    pthread_mutex_t *lock = &cache->lock[i % LOCKS];
    struct bucket *b = &cache->buckets[i];
    if (pthread_mutex_trylock(lock) != 0)
        return;
    if (find(b, key) == NULL) {
        struct entry *e = &b->way[b->next];
        b->next = (b->next + 1) % WAYS;
        memcpy(e->key, key->hash, 32);
        memcpy(e->sha256, sha256, 32);
        e->used = true;
    }
    pthread_mutex_unlock(lock);
}
