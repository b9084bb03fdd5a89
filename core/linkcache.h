/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Links whose signature was found good, so that a chain seen before costs a hash instead of a verification. An entry
 * says what its bytes alone decide and nothing else: time, trust, revocation and chain rules are never cached.
 */
#ifndef TN_LINKCACHE_H
#define TN_LINKCACHE_H

#include "str.h"

struct tn_link_cache;

struct tn_link_key {
    uint8_t hash[32];
};

/* NULL when memory is out. `entries` is rounded up to a power of two. */
struct tn_link_cache *tn_link_cache_new(uint32_t entries);
void tn_link_cache_free(struct tn_link_cache *cache);
/* BLAKE2b-256 over 01, issuer (32), signature (64), payload. */
void tn_link_key(struct tn_link_key *ret, const uint8_t issuer[32], const uint8_t signature[64], struct tn_str payload);
/* True when this link was good before; then also the payload's SHA-256. Its holder's key was usable too. */
bool tn_link_cache_get(struct tn_link_cache *cache, const struct tn_link_key *key, uint8_t ret_sha256[32]);
/* How many answers of tn_link_cache_get were yes and no. */
void tn_link_cache_counts(struct tn_link_cache *cache, uint64_t *ret_hits, uint64_t *ret_misses);
/* Call only after the signature verified and the holder's key was checked. */
void tn_link_cache_put(struct tn_link_cache *cache, const struct tn_link_key *key, const uint8_t sha256[32]);

#endif
