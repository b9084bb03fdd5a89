/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Resolved keys of one context, by id: a seed in guarded memory, or the line whose store signs. Entries live for a time
 * that the caller gives; misses are not kept. Only one thread resolves an id at a time; the others wait for its answer.
 * Asks no plugin itself.
 */
#ifndef TN_KEYCACHE_H
#define TN_KEYCACHE_H

#include <stdbool.h>
#include <stdint.h>

#include "forkgen.h"
#include "guard.h"
#include "limits.h"
#include <tenuo/error.h>

struct tn_instance;

/* ctx_key.c: [A-Za-z0-9._-]{1,128}, not "." and no "..": no store ever sees another one. */
bool tn_key_id_valid(const char *id);
/* ID, or ID@N: *ret_version 0 for the newest. */
bool tn_key_reference(const char *text, char ret_id[TN_MAX_KEY_ID + 1], uint32_t *ret_version);

/* What a resolver chain found. */
struct tn_key_found {
    uint8_t public_key[32];
    uint8_t *seed; /* guarded slot, owned by the entry; NULL: `remote` signs */
    struct tn_instance *remote;
    uint32_t version; /* of the store, 0: it keeps none; what `remote` signs with */
    uint64_t ttl_ms, stale_ms; /* how long it holds, and how much longer while no store answers */
};

struct tn_key {
    struct tn_key *next;
    char id[TN_MAX_KEY_ID + 1];
    enum { TN_KEY_PENDING, TN_KEY_READY, TN_KEY_FAILED } state;
    struct tn_key_found found;
    struct tenuo_error error;
    uint64_t expires, dead; /* tn_clock_ms: ask again after the first, wipe at the second */
    unsigned refs, generation;
    bool listed;
};

struct tn_keycache {
    struct tn_lock lock;
    struct tn_guard guard;
    struct tn_key *keys;
    size_t count;
    unsigned generation; /* fork generation that the entries belong to */
};

typedef int tn_key_resolve_fn(void *arg, const char *key_id, struct tn_key_found *ret_found, struct tenuo_error *err);

bool tn_keycache_init(struct tn_keycache *cache, const struct tn_log *log);
/* Wipes everything. No entry may be in use. */
void tn_keycache_free(struct tn_keycache *cache);
/*
 * An entry that is ready: from the cache, from a lookup under way, or by calling resolve. With no_io: from the cache or
 * 9302. Give it back with tn_keycache_put; its seed stays valid until then.
 */
int tn_keycache_get(struct tn_keycache *cache, const char *key_id, bool no_io, tn_key_resolve_fn *resolve, void *arg,
                    struct tn_key **ret_key, struct tenuo_error *err);
void tn_keycache_put(struct tn_keycache *cache, struct tn_key *key);
/* The key was changed: what is held of that id goes, and a lookup under way is not kept. */
void tn_keycache_forget(struct tn_keycache *cache, const char *key_id);
/* Guarded slots for resolve functions. */
uint8_t *tn_keycache_slot(struct tn_keycache *cache);
void tn_keycache_give(struct tn_keycache *cache, uint8_t *slot);
/* How many keys are held, expired ones not counted. */
size_t tn_keycache_count(struct tn_keycache *cache);

#endif
