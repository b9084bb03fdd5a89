/* SPDX-License-Identifier: Apache-2.0 */
/* The key cache: hits, expiry, failures, one lookup at a time, bounds, stale answers, forks, no secret left behind. */
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
    bool remote, forgetful, may_not_serve;
};

static void sleep_ms(unsigned ms)
{
    struct timespec ts = { ms / 1000, (long)(ms % 1000) * 1000000 };
    nanosleep(&ts, NULL);
}

static int resolve(void *arg, struct tn_key_ask *ask, struct tn_key_found *ret_found, struct tenuo_error *err)
{
    struct store *s = arg;
    atomic_fetch_add(&s->calls, 1);
    sleep_ms(s->delay_ms);
    ask->keeps = !s->forgetful;
    ask->may_serve = !s->may_not_serve;
    if (s->code != TENUO_OK)
        return tn_fail(err, s->code, "store: %s", ask->id);
    *ret_found = (struct tn_key_found){ .ttl_ms = s->ttl_ms, .stale_ms = s->stale_ms };
    memset(ret_found->public_key, ask->id[0] + (int)ask->version, 32);
    if (s->remote)
        return TENUO_OK;
    ret_found->secret = tn_keycache_slot(s->cache);
    if (ret_found->secret == NULL)
        return tn_fail_code(err, TENUO_E_NOMEM);
    memset(ret_found->secret, ask->id[0], TN_GUARD_SLOT);
    return TENUO_OK;
}

static int get_kind(struct store *s, const char *id, enum tn_key_kind kind, bool no_io, struct tn_key **key,
                    struct tenuo_error *err)
{
    struct tn_key_ask ask = { .id = id, .kind = kind, .no_io = no_io };
    return tn_keycache_get(s->cache, &ask, resolve, s, key, err);
}

static int get(struct store *s, const char *id, bool no_io, struct tn_key **key, struct tenuo_error *err)
{
    return get_kind(s, id, TN_KEY_CHAIN, no_io, key, err);
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
    ok(key->found.secret[0] == 'a' && key->found.secret[31] == 'a' && key->found.public_key[0] == 'a', "key and seed");
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
    err.msg[0] = '\0';
    is_int(get(&s, "none", false, &key, &err), TENUO_E_KEY_NOT_FOUND, "again");
    is_str(err.msg, "store: none", "the same sentence");
    is_int(touch(&s, "none", true), TENUO_E_KEY_NOT_FOUND, "and without I/O");
    is_int(atomic_load(&s.calls), 1, "of one lookup");
    is_int((long long)tn_keycache_count(cache), (long long)before, "and it counts as no key");
    tn_keycache_forget(cache, "none");
    is_int(touch(&s, "none", true), TENUO_E_WOULD_BLOCK, "forgotten: nothing is known");
    s.code = TENUO_OK;
    is_int(touch(&s, "none", false), TENUO_OK, "and the store is asked anew");
    tn_keycache_forget(cache, "none");
}

/* Which failures are remembered, and how long. */
static void check_failures(struct tn_keycache *cache)
{
    static const struct {
        int code;
        unsigned ms;
    } rows[] = {
        { TENUO_E_KEY_NOT_FOUND, TN_KEY_FAILED_MS },
        { TENUO_E_KEY_CONFLICT, TN_KEY_FAILED_MS },
        { TENUO_E_KEY_DENIED, TN_KEY_FAILED_MS },
        { TENUO_E_KEY_INVALID, TN_KEY_FAILED_MS },
        { TENUO_E_UNAVAILABLE, TN_KEY_AWAY_MS },
        { TENUO_E_PLUGIN_PROTOCOL, TN_KEY_AWAY_MS },
        { TENUO_E_NOMEM, 0 },
        { TENUO_E_SYSTEM, 0 },
        { TENUO_E_INVALID_ARGUMENT, 0 },
        { TENUO_E_WOULD_BLOCK, 0 },
    };
    struct store s = { .cache = cache, .ttl_ms = 60000 };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct tn_key *key;
        s.code = rows[i].code;
        atomic_store(&s.calls, 0);
        is_int(touch(&s, "fails", false), rows[i].code, "fails with %d", rows[i].code);
        for (key = cache->keys; key != NULL && strcmp(key->id, "fails") != 0; key = key->next)
            ;
        ok(rows[i].ms == 0 ? key == NULL : key != NULL && key->expires - tn_clock_ms() <= rows[i].ms,
           "remembered for %u ms", rows[i].ms);
        is_int(touch(&s, "fails", false), rows[i].code, "fails again");
        is_int(atomic_load(&s.calls), rows[i].ms == 0 ? 2 : 1, "asked");
        tn_keycache_forget(cache, "fails");
    }
    s.code = TENUO_E_UNAVAILABLE;
    atomic_store(&s.calls, 0);
    is_int(touch(&s, "away", false), TENUO_E_UNAVAILABLE, "away");
    sleep_ms(TN_KEY_AWAY_MS + 50);
    s.code = TENUO_OK;
    is_int(touch(&s, "away", false), TENUO_OK, "back: asked again after a moment");
    s.forgetful = true;
    s.code = TENUO_E_KEY_NOT_FOUND;
    atomic_store(&s.calls, 0);
    (void)touch(&s, "off", false);
    (void)touch(&s, "off", false);
    is_int(atomic_load(&s.calls), 2, "where nothing is kept, failures are not either");
}

/* A second opinion on a key that is held. */
static void check_again(struct tn_keycache *cache)
{
    struct store s = { .cache = cache, .ttl_ms = 60000 };
    struct tn_key *key = NULL;
    is_int(touch(&s, "twice", false), TENUO_OK, "held");
    s.code = TENUO_E_UNAVAILABLE;
    is_int(get_kind(&s, "twice", TN_KEY_AGAIN, false, &key, NULL), TENUO_E_UNAVAILABLE, "asked again, away");
    is_int(get_kind(&s, "twice", TN_KEY_AGAIN, false, &key, NULL), TENUO_E_UNAVAILABLE, "and once more");
    is_int(atomic_load(&s.calls), 2, "is remembered");
    is_int(touch(&s, "twice", true), TENUO_OK, "and takes nothing from those who use what is held");
    sleep_ms(TN_KEY_AWAY_MS + 50);
    s.code = TENUO_OK;
    is_int(get_kind(&s, "twice", TN_KEY_AGAIN, false, &key, NULL), TENUO_OK, "asked again, answered");
    struct tn_key *held = NULL;
    is_int(get(&s, "twice", true, &held, NULL), TENUO_OK, "the answer");
    ok(held == key && held->kind == TN_KEY_CHAIN, "has taken the old one's place");
    tn_keycache_put(cache, held);
    tn_keycache_put(cache, key);
    key = NULL;
    s.code = TENUO_E_KEY_NOT_FOUND;
    is_int(get_kind(&s, "twice", TN_KEY_AGAIN, false, &key, NULL), TENUO_E_KEY_NOT_FOUND, "asked again, gone");
    is_int(touch(&s, "twice", true), TENUO_E_WOULD_BLOCK, "drops what was held");
}

static void check_holding(struct tn_keycache *cache)
{
    struct store s = { .cache = cache, .ttl_ms = 60000 };
    struct tn_key_ask two = { .id = "many", .version = 2 };
    struct tn_key *key = NULL;
    uint8_t public_key[32];
    is_int(touch(&s, "many", false), TENUO_OK, "the newest");
    is_int(tn_keycache_get(cache, &two, resolve, &s, &key, NULL), TENUO_OK, "and version 2");
    tn_keycache_put(cache, key);
    memset(public_key, 'm' + 2, sizeof public_key);
    key = tn_keycache_holding(cache, "many", 0, public_key, false);
    ok(key != NULL && key->version == 2, "found by its public key");
    tn_keycache_put(cache, key);
    ok(tn_keycache_holding(cache, "many", 3, public_key, false) == NULL, "not as another version");
    ok(tn_keycache_holding(cache, "other", 0, public_key, false) == NULL, "nor under another id");
    memset(public_key, 0, sizeof public_key);
    ok(tn_keycache_holding(cache, "many", 0, public_key, false) == NULL, "nor another key");
    tn_keycache_forget(cache, "many");
    memset(public_key, 'm', sizeof public_key);
    ok(tn_keycache_holding(cache, "many", 0, public_key, false) == NULL, "forgotten with all versions");
}

static void check_expiry(struct tn_keycache *cache)
{
    struct store s = { .cache = cache, .ttl_ms = 50 };
    struct tn_key *key = NULL;
    is_int(touch(&s, "short", false), TENUO_OK, "50 ms to live");
    is_int(get(&s, "short", true, &key, NULL), TENUO_OK, "still there");
    uint8_t *seed = key->found.secret;
    sleep_ms(80);
    is_int(touch(&s, "short", true), TENUO_E_WOULD_BLOCK, "gone");
    ok(seed[0] == 's', "but not under the feet of one who uses it");
    tn_keycache_put(cache, key);
    ok(sodium_is_zero(seed, TN_GUARD_SLOT) == 1, "wiped when nobody does");
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
    ok(key != NULL && key->found.secret[5] == 'k', "the old key");
    tn_keycache_put(cache, key);
    is_int(touch(&s, "kept", false), TENUO_OK, "and once more");
    is_int(atomic_load(&s.calls), 2, "without asking again at once");
    is_int(touch(&s, "kept2", false), TENUO_E_UNAVAILABLE, "no answer before, none now");
    s.code = TENUO_OK;
    is_int(touch(&s, "gone", false), TENUO_OK, "a third key");
    sleep_ms(50);
    s.code = TENUO_E_KEY_NOT_FOUND;
    is_int(touch(&s, "gone", false), TENUO_E_KEY_NOT_FOUND, "a store that answers no is believed");
    sleep_ms(TN_KEY_FAILED_MS + 50);
    s.code = TENUO_E_UNAVAILABLE;
    is_int(touch(&s, "gone", false), TENUO_E_UNAVAILABLE, "and the old answer is gone for good");
    s.code = TENUO_OK;
    is_int(touch(&s, "bound", false), TENUO_OK, "a fourth");
    sleep_ms(50);
    s.code = TENUO_E_UNAVAILABLE;
    s.may_not_serve = true;
    is_int(touch(&s, "bound", false), TENUO_E_UNAVAILABLE, "not when another line forbids it");
}

/* However often it fails, never longer than was said at the last good answer. */
static void check_stale_bound(struct tn_keycache *cache)
{
    struct store s = { .cache = cache, .ttl_ms = 10, .stale_ms = 1300 };
    uint64_t ends;
    int served = 0, late = 0;
    is_int(touch(&s, "aging", false), TENUO_OK, "for 10 ms, and 1300 more while the store is away");
    ends = tn_clock_ms() + 1310;
    sleep_ms(20);
    s.code = TENUO_E_UNAVAILABLE;
    while (tn_clock_ms() < ends + 400) {
        int r = touch(&s, "aging", false);
        served += r == TENUO_OK;
        late += r == TENUO_OK && tn_clock_ms() > ends + 20;
        sleep_ms(20);
    }
    ok(served > 20, "served meanwhile: %d times", served);
    is_int(late, 0, "and not once after");
    ok(atomic_load(&s.calls) <= 7, "the store was asked every half second: %d", atomic_load(&s.calls));
}

#define THREADS 100

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
    tn_keycache_forget(cache, "shared");
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
    if (sodium_is_zero(held->found.secret, TN_GUARD_SLOT) != 1)
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
    ok(key->found.secret[0] == 'f', "the parent keeps its own");
    tn_keycache_put(cache, key);
}

int main(void)
{
    struct tn_keycache cache;
    if (sodium_init() < 0 || !tn_keycache_init(&cache, NULL))
        return 1;
    check_hits(&cache);
    check_misses(&cache);
    check_failures(&cache);
    check_again(&cache);
    check_holding(&cache);
    check_expiry(&cache);
    check_stale(&cache);
    check_stale_bound(&cache);
    check_single_flight(&cache, TENUO_OK);
    check_single_flight(&cache, TENUO_E_KEY_DENIED);
    check_single_flight(&cache, TENUO_E_SYSTEM);
    check_bound(&cache);
    check_fork(&cache);
    tn_keycache_free(&cache);
    is_int((long long)cache.count, 0, "nothing left");
    return done_testing();
}
