/* SPDX-License-Identifier: Apache-2.0 */
/* The key cache: hits, expiry, misses, one lookup at a time, bounds, stale answers, forks, and no secret left behind.
 */
#include "../../core/keycache.h"

#include <sodium.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "../../core/err.h"
#include "tap.h"

struct store {
    struct tn_keycache *cache;
    atomic_int calls;
    int code;
    uint64_t ttl_ms, stale_ms;
    unsigned delay_ms;
    bool remote;
};

static void sleep_ms(unsigned ms)
{
    struct timespec ts = { ms / 1000, (long)(ms % 1000) * 1000000 };
    nanosleep(&ts, NULL);
}

static int resolve(void *arg, const char *key_id, struct tn_key_found *ret_found, struct tenuo_error *err)
{
    struct store *s = arg;
    atomic_fetch_add(&s->calls, 1);
    sleep_ms(s->delay_ms);
    if (s->code != TENUO_OK)
        return tn_fail(err, s->code, "store: %s", key_id);
    *ret_found = (struct tn_key_found){ .ttl_ms = s->ttl_ms, .stale_ms = s->stale_ms };
    memset(ret_found->public_key, key_id[0], 32);
    if (s->remote)
        return TENUO_OK;
    ret_found->seed = tn_keycache_slot(s->cache);
    if (ret_found->seed == NULL)
        return tn_fail_code(err, TENUO_E_NOMEM);
    memset(ret_found->seed, key_id[0], 32);
    return TENUO_OK;
}

static int get(struct store *s, const char *id, bool no_io, struct tn_key **key, struct tenuo_error *err)
{
    return tn_keycache_get(s->cache, id, no_io, resolve, s, key, err);
}

/* Looks up and gives back; the code. */
static int touch(struct store *s, const char *id, bool no_io)
{
    struct tn_key *key = NULL;
    int r = get(s, id, no_io, &key, NULL);
    tn_keycache_put(s->cache, key);
    return r;
}

static void check_hits(struct tn_keycache *cache)
{
    struct store s = { .cache = cache, .ttl_ms = 60000 };
    struct tenuo_error err = { 0 };
    struct tn_key *key = NULL;
    is_int(get(&s, "a", true, &key, &err), TENUO_E_WOULD_BLOCK, "without I/O and not cached");
    ok(strstr(err.msg, "'a'") != NULL && strstr(err.msg, "preload") != NULL, "names the key and the remedy: %s",
       err.msg);
    is_int(atomic_load(&s.calls), 0, "the store is not asked then");
    is_int(get(&s, "a", false, &key, NULL), TENUO_OK, "looked up");
    ok(key->found.seed[0] == 'a' && key->found.seed[31] == 'a' && key->found.public_key[0] == 'a', "key and seed");
    tn_keycache_put(cache, key);
    is_int(touch(&s, "a", false), TENUO_OK, "again");
    is_int(touch(&s, "a", true), TENUO_OK, "and without I/O");
    is_int(atomic_load(&s.calls), 1, "one lookup for all three");
    is_int(touch(&s, "b", false), TENUO_OK, "another id");
    is_int(atomic_load(&s.calls), 2, "is another lookup");
    is_int((long long)tn_keycache_count(cache), 2, "two keys held");
}

static void check_misses(struct tn_keycache *cache)
{
    struct store s = { .cache = cache, .ttl_ms = 60000, .code = TENUO_E_KEY_NOT_FOUND };
    struct tenuo_error err = { 0 };
    struct tn_key *key = NULL;
    size_t before = tn_keycache_count(cache);
    is_int(get(&s, "none", false, &key, &err), TENUO_E_KEY_NOT_FOUND, "a miss");
    is_str(err.msg, "store: none", "the store's sentence");
    ok(key == NULL, "output untouched");
    is_int(touch(&s, "none", false), TENUO_E_KEY_NOT_FOUND, "again");
    is_int(atomic_load(&s.calls), 2, "misses are not kept");
    is_int((long long)tn_keycache_count(cache), (long long)before, "nor counted");
}

static void check_expiry(struct tn_keycache *cache)
{
    struct store s = { .cache = cache, .ttl_ms = 50 };
    struct tn_key *key = NULL;
    is_int(touch(&s, "short", false), TENUO_OK, "50 ms to live");
    is_int(get(&s, "short", true, &key, NULL), TENUO_OK, "still there");
    uint8_t *seed = key->found.seed;
    sleep_ms(80);
    is_int(touch(&s, "short", true), TENUO_E_WOULD_BLOCK, "gone");
    ok(seed[0] == 's', "but not under the feet of one who uses it");
    tn_keycache_put(cache, key);
    ok(sodium_is_zero(seed, 32) == 1, "wiped when nobody does");
    s.ttl_ms = 0;
    int calls = atomic_load(&s.calls);
    is_int(touch(&s, "never", false), TENUO_OK, "no time to live");
    is_int(touch(&s, "never", false), TENUO_OK, "again");
    is_int(atomic_load(&s.calls), calls + 2, "asks each time");
}

static void check_stale(struct tn_keycache *cache)
{
    struct store s = { .cache = cache, .ttl_ms = 30, .stale_ms = 60000 };
    struct tn_key *key = NULL;
    is_int(touch(&s, "kept", false), TENUO_OK, "may be used while the store is away");
    sleep_ms(50);
    is_int(touch(&s, "kept", true), TENUO_E_WOULD_BLOCK, "without I/O an expired key is no answer");
    s.code = TENUO_E_UNAVAILABLE;
    is_int(get(&s, "kept", false, &key, NULL), TENUO_OK, "the store is away: the old answer");
    ok(key != NULL && key->found.seed[5] == 'k', "the old key");
    tn_keycache_put(cache, key);
    is_int(touch(&s, "kept", false), TENUO_OK, "and once more");
    is_int(atomic_load(&s.calls), 2, "without asking again at once");
    s.code = TENUO_E_KEY_NOT_FOUND;
    s.stale_ms = 60000;
    is_int(touch(&s, "kept2", false), TENUO_E_KEY_NOT_FOUND, "no answer before, none now");
    s.code = TENUO_OK;
    is_int(touch(&s, "gone", false), TENUO_OK, "a third key");
    sleep_ms(50);
    s.code = TENUO_E_KEY_NOT_FOUND;
    is_int(touch(&s, "gone", false), TENUO_E_KEY_NOT_FOUND, "a store that answers no is believed");
    s.code = TENUO_E_UNAVAILABLE;
    is_int(touch(&s, "gone", false), TENUO_E_UNAVAILABLE, "and the old answer is gone for good");
}

#define THREADS 8

static void *one_of_many(void *arg)
{
    struct store *s = arg;
    return (void *)(intptr_t)touch(s, "shared", false);
}

static void check_single_flight(struct tn_keycache *cache, int code)
{
    struct store s = { .cache = cache, .ttl_ms = 0, .delay_ms = 300, .code = code };
    pthread_t threads[THREADS];
    int good = 0;
    for (int i = 0; i < THREADS; i++)
        pthread_create(&threads[i], NULL, one_of_many, &s);
    for (int i = 0; i < THREADS; i++) {
        void *result = NULL;
        pthread_join(threads[i], &result);
        good += (int)(intptr_t)result == code;
    }
    is_int(good, THREADS, "all threads get the answer %d", code);
    is_int(atomic_load(&s.calls), 1, "of one lookup");
}

static void check_bound(struct tn_keycache *cache)
{
    struct store s = { .cache = cache, .ttl_ms = 60000 };
    char id[32];
    for (int i = 0; i < TN_MAX_KEY_CACHE + 50; i++) {
        snprintf(id, sizeof id, "many-%d", i);
        if (touch(&s, id, false) != TENUO_OK)
            ok(false, "key %d", i);
    }
    is_int((long long)tn_keycache_count(cache), TN_MAX_KEY_CACHE, "bounded");
    is_int(touch(&s, id, true), TENUO_OK, "the newest is there");
}

static int in_child(struct tn_keycache *cache, struct tn_key *held)
{
    struct store s = { .cache = cache, .ttl_ms = 60000 };
    alarm(20);
    if (sodium_is_zero(held->found.seed, 32) != 1)
        return 1;
    if (touch(&s, "forked", true) != TENUO_E_WOULD_BLOCK)
        return 2;
    if (touch(&s, "forked", false) != TENUO_OK || atomic_load(&s.calls) != 1)
        return 3;
    tn_keycache_put(cache, held); /* the parent's: no harm */
    tn_keycache_free(cache);
    return 0;
}

static void check_fork(struct tn_keycache *cache)
{
    struct store s = { .cache = cache, .ttl_ms = 60000 };
    struct tn_key *key = NULL;
    int status = -1;
    is_int(get(&s, "forked", false, &key, NULL), TENUO_OK, "a key before the fork");
    pid_t child = fork();
    if (child == 0)
        _exit(in_child(cache, key));
    waitpid(child, &status, 0);
    is_int(WIFEXITED(status) ? WEXITSTATUS(status) : 100 + status, 0, "the child has no seed, and resolves its own");
    ok(key->found.seed[0] == 'f', "the parent keeps its own");
    tn_keycache_put(cache, key);
}

int main(void)
{
    struct tn_keycache cache;
    if (sodium_init() < 0 || !tn_keycache_init(&cache, NULL))
        return 1;
    check_hits(&cache);
    check_misses(&cache);
    check_expiry(&cache);
    check_stale(&cache);
    check_single_flight(&cache, TENUO_OK);
    check_single_flight(&cache, TENUO_E_KEY_DENIED);
    check_bound(&cache);
    check_fork(&cache);
    tn_keycache_free(&cache);
    is_int((long long)cache.count, 0, "nothing left");
    return done_testing();
}
