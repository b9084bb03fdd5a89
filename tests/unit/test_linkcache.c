/* SPDX-License-Identifier: Apache-2.0 */
/* The cache of good links: exact keys, bounded, and nothing but what was put in ever comes out, under threads too. */
#include "../../core/linkcache.h"
#include "tap.h"

#include <pthread.h>
#include <sodium.h>

static void key_of(struct tn_link_key *key, uint32_t n)
{
    uint8_t issuer[32] = { 1 }, signature[64] = { 2 };
    tn_link_key(key, issuer, signature, (struct tn_str){ (const uint8_t *)&n, sizeof n });
}

static void value_of(uint8_t ret[32], uint32_t n)
{
    memset(ret, 0, 32);
    memcpy(ret, &n, sizeof n);
}

static void test_key(void)
{
    struct tn_link_key a, b;
    uint8_t issuer[32] = { 1 }, signature[64] = { 2 };
    const struct tn_str payload = { (const uint8_t *)"xy", 2 };
    tn_link_key(&a, issuer, signature, payload);
    issuer[31] ^= 1;
    tn_link_key(&b, issuer, signature, payload);
    ok(memcmp(&a, &b, sizeof a) != 0, "another issuer is another link");
    issuer[31] ^= 1;
    signature[0] ^= 1;
    tn_link_key(&b, issuer, signature, payload);
    ok(memcmp(&a, &b, sizeof a) != 0, "another signature is another link");
    signature[0] ^= 1;
    tn_link_key(&b, issuer, signature, (struct tn_str){ payload.p, 1 });
    ok(memcmp(&a, &b, sizeof a) != 0, "another payload is another link");
}

static void test_bound(void)
{
    struct tn_link_cache *c = tn_link_cache_new(64);
    struct tn_link_key key;
    uint8_t sha[32], got[32];
    unsigned held = 0, wrong = 0;
    key_of(&key, 7);
    ok(!tn_link_cache_get(c, &key, got), "empty at first");
    for (uint32_t i = 0; i < 1000; i++) {
        key_of(&key, i);
        value_of(sha, i);
        tn_link_cache_put(c, &key, sha);
        if (!tn_link_cache_get(c, &key, got) || memcmp(got, sha, 32) != 0)
            wrong++;
    }
    is_int(wrong, 0, "what was just put is there");
    for (uint32_t i = 0; i < 1000; i++) {
        key_of(&key, i);
        value_of(sha, i);
        if (tn_link_cache_get(c, &key, got)) {
            held++;
            wrong += memcmp(got, sha, 32) != 0;
        }
    }
    ok(held <= 64 && held > 16 && wrong == 0, "bounded: %u of 1000 are left, each with its own hash", held);
    tn_link_cache_free(c);
    tn_link_cache_free(NULL);
}

static struct tn_link_cache *shared;

static void *hammer(void *arg)
{
    unsigned *wrong = arg;
    for (uint32_t i = 0; i < 20000; i++) {
        uint32_t n = i * 2654435761u % 200;
        struct tn_link_key key;
        uint8_t sha[32], got[32];
        key_of(&key, n);
        value_of(sha, n);
        if (tn_link_cache_get(shared, &key, got) && memcmp(got, sha, 32) != 0)
            ++*wrong;
        tn_link_cache_put(shared, &key, sha);
    }
    return NULL;
}

static void test_threads(void)
{
    pthread_t t[4];
    unsigned wrong[4] = { 0 };
    shared = tn_link_cache_new(32);
    for (size_t i = 0; i < 4; i++)
        pthread_create(&t[i], NULL, hammer, &wrong[i]);
    for (size_t i = 0; i < 4; i++)
        pthread_join(t[i], NULL);
    is_int(wrong[0] + wrong[1] + wrong[2] + wrong[3], 0, "four threads never see another link's hash");
    tn_link_cache_free(shared);
}

int main(void)
{
    if (sodium_init() < 0)
        return 1;
    test_key();
    test_bound();
    test_threads();
    return done_testing();
}
