/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Resolved keys of one context: a secret in guarded memory, or the line whose store signs. Entries live for a time that
 * the resolve function gives; failures are remembered for a moment, so that a store that is away or has no such key is
 * not asked by every call. Only one thread asks about a key at a time; the others wait for its answer. Asks no plugin
 * itself.
 */
#ifndef TN_KEYCACHE_H
#define TN_KEYCACHE_H

#include <stdbool.h>
#include <stddef.h>
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

/* Which public keys the lines hold under an id. */
struct tn_key_history {
    bool complete; /* false: the search stopped at the holder that it was for */
    struct tenuo_error failed; /* code not 0: a line could not be searched */
    size_t n, room;
    struct tn_key_version {
        uint8_t public_key[32];
        uint32_t version;
        size_t line;
    } *v;
};

/* What a lookup found. */
struct tn_key_found {
    uint8_t public_key[32];
    uint8_t *secret; /* guarded slot: libsodium's secret key, seed first; owned by the entry. NULL: `line` signs */
    struct tn_instance *line; /* that answered */
    uint32_t version;         /* of the store, 0: it keeps none; what the line signs with */
    uint64_t ttl_ms, stale_ms; /* how long it holds, and how much longer while no store answers */
    struct tn_key_history *history; /* TN_KEY_OLDER; owned by the entry */
    int64_t created_at; /* Unix seconds; 0: nobody asked, or the store does not say */
};

enum tn_key_kind {
    TN_KEY_CHAIN, /* an id and version through all lines */
    TN_KEY_AGAIN, /* the same although an answer is held; on success it takes that one's place */
    TN_KEY_LINE,  /* a version of one line */
    TN_KEY_OLDER  /* found.history; an answer has `holder` in it or is complete */
};

struct tn_key_ask {
    const char *id;
    uint32_t version;
    enum tn_key_kind kind;
    size_t line;           /* TN_KEY_LINE */
    const uint8_t *holder; /* TN_KEY_OLDER */
    bool no_io;
    /* Between cache and resolve function. */
    const struct tn_key_found *stale; /* in: what may serve on while its line is away; NULL: nothing */
    bool may_serve; /* out, with 9301: it may, none of the lines that it needs has said otherwise */
    bool keeps;     /* out: not all lines are told to keep nothing; failures are remembered too */
};

struct tn_key {
    struct tn_key *next;
    char id[TN_MAX_KEY_ID + 1];
    uint32_t hash, version;
    enum tn_key_kind kind;
    size_t line;
    enum { TN_KEY_PENDING, TN_KEY_READY, TN_KEY_FAILED } state;
    struct tn_key_found found;
    struct tenuo_error error;
    uint64_t asked, expires, dead; /* tn_clock_ms: when; ask again after the second, wipe at the third */
    unsigned refs, generation;
    bool listed;
};

struct tn_keycache {
    struct tn_lock lock;
    struct tn_guard guard;
    struct tn_key *keys;
    size_t count;
    uint64_t sweep_at;   /* nothing is dead before */
    uint64_t hits, misses;
    unsigned generation; /* fork generation that the entries belong to */
};

typedef int tn_key_resolve_fn(void *arg, struct tn_key_ask *ask, struct tn_key_found *ret_found,
                              struct tenuo_error *err);

bool tn_keycache_init(struct tn_keycache *cache, const struct tn_log *log);
/* Wipes everything. No entry may be in use. */
void tn_keycache_free(struct tn_keycache *cache);
/*
 * An entry that is ready: from the cache, from a lookup under way, or by calling resolve. With no_io: what the cache
 * has, a failure too, or 9302. Give it back with tn_keycache_put; its secret stays valid until then.
 */
int tn_keycache_get(struct tn_keycache *cache, struct tn_key_ask *ask, tn_key_resolve_fn *resolve, void *arg,
                    struct tn_key **ret_key, struct tenuo_error *err);
/* An entry that is held with this public key, of any version or of that one (not 0); NULL: none. `expired`: it may be
 * one that only says where the key was, and must be asked for. */
struct tn_key *tn_keycache_holding(struct tn_keycache *cache, const char *key_id, uint32_t version,
                                   const uint8_t public_key[32], bool expired);
void tn_keycache_put(struct tn_keycache *cache, struct tn_key *key);
/* The key was changed, or is not what it was taken for: what is held of that id goes, and a lookup under way is not
 * kept. */
void tn_keycache_forget(struct tn_keycache *cache, const char *key_id);
/* Wipes what is over. */
void tn_keycache_sweep(struct tn_keycache *cache);
/* Guarded slots of TN_GUARD_SLOT bytes for resolve functions. */
uint8_t *tn_keycache_slot(struct tn_keycache *cache);
void tn_keycache_give(struct tn_keycache *cache, uint8_t *slot);
void tn_key_history_free(struct tn_key_history *history);
/* How often an entry was there, and how often it was not; waits for no look-up. */
void tn_keycache_counts(struct tn_keycache *cache, uint64_t *ret_hits, uint64_t *ret_misses);
/* Keys that are held and whose store says when they were made; at most `room`. */
struct tn_key_birth {
    char id[TN_MAX_KEY_ID + 1];
    int64_t created_at; /* Unix seconds */
};
size_t tn_keycache_births(struct tn_keycache *cache, struct tn_key_birth *ret, size_t room);
/* How many keys are held, expired ones and failures not counted. */
size_t tn_keycache_count(struct tn_keycache *cache);

#endif
