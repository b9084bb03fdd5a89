/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Replay store "memory": the proofs that this program accepted, in one bounded table that its threads and its forked
 * children share. Never forgets early and never grows: where no place is free it refuses. A place whose time has passed
 * is taken again when it is met, so there is nothing to clean up and no call takes longer than another.
 */
#include <errno.h>
#include <inttypes.h>
#include <pthread.h>
#include <sodium.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <tenuo/plugin.h>
#include <time.h>

#define DEFAULT_ENTRIES 1000000u
#define MIN_ENTRIES 1000u
#define MAX_ENTRIES 100000000u
#define SHARDS 16u      /* each with its own lock */
#define WAYS 32u        /* places of a bucket */
#define USUAL_LOAD 27u  /* of them in use when `entries` are; with two buckets to choose from they fill evenly */
#define GRACE 30        /* seconds that an entry is kept beyond its time, for clocks that are set back a little */
#define LOG_EVERY 60    /* seconds */

/* The key itself is not kept: 128 bits of a keyed hash tell it from all others. `expires` 0: never used. */
struct slot {
    uint64_t tag[2];
    int64_t expires;
};

struct shard {
    _Alignas(64) pthread_mutex_t lock;
    int64_t forgotten; /* latest time of an entry whose place was taken again */
};

/* In memory that forked children share. */
struct table {
    struct shard shards[SHARDS];
    atomic_llong logged; /* when a full table was last told of */
    _Alignas(64) struct slot slots[];
};

struct memory {
    const struct tenuo_host *host;
    struct table *table;
    size_t bytes;
    uint64_t buckets; /* of one shard */
    uint32_t entries;
    bool strict_start;
    int64_t begun;
    uint8_t secret[crypto_shorthash_siphashx24_KEYBYTES]; /* whoever chooses keys must not choose places */
};

/* ---- the lock ---- */

static bool take_until(pthread_mutex_t *lock, const struct timespec *deadline, int *ret_code)
{
#ifdef __SANITIZE_THREAD__ /* which does not know the call for that clock, and would see races */
    struct timespec now, pause = { .tv_nsec = 100000 };
    do {
        *ret_code = pthread_mutex_trylock(lock);
        if (*ret_code != EBUSY)
            break;
        nanosleep(&pause, NULL);
        clock_gettime(CLOCK_MONOTONIC, &now);
    } while (now.tv_sec < deadline->tv_sec || (now.tv_sec == deadline->tv_sec && now.tv_nsec < deadline->tv_nsec));
#else
    *ret_code = pthread_mutex_clocklock(lock, CLOCK_MONOTONIC, deadline);
#endif
    return *ret_code == 0 || *ret_code == EOWNERDEAD;
}

/* A process that was stopped while it held the lock must not stop the others for longer than a call may take. One that
 * died leaves nothing half done: a slot counts by its time, which is written last. */
static bool acquire(const struct memory *m, pthread_mutex_t *lock)
{
    int code = pthread_mutex_trylock(lock);
    if (code == EBUSY) {
        struct timespec ends = { 0 };
        uint32_t ms = m->host->deadline(m->host);
        clock_gettime(CLOCK_MONOTONIC, &ends);
        ends.tv_sec += (time_t)(ms / 1000);
        ends.tv_nsec += (long)(ms % 1000) * 1000000;
        if (ends.tv_nsec >= 1000000000) {
            ends.tv_sec++;
            ends.tv_nsec -= 1000000000;
        }
        (void)take_until(lock, &ends, &code);
    }
    if (code == EOWNERDEAD)
        code = pthread_mutex_consistent(lock);
    return code == 0;
}

/* ---- the table ---- */

struct place {
    struct slot *same;     /* the key's own */
    struct slot *reusable; /* the first of them */
    unsigned free;
};

static bool has_passed(int64_t expires, int64_t now, int64_t grace)
{
    int64_t since;
    return __builtin_sub_overflow(now, expires, &since) ? now > expires : since > grace;
}

static struct place look(struct slot *bucket, const uint64_t tag[2], int64_t now)
{
    struct place p = { NULL, NULL, 0 };
    for (unsigned i = 0; i < WAYS; i++) {
        struct slot *s = &bucket[i];
        if (s->tag[0] == tag[0] && s->tag[1] == tag[1] && s->expires != 0)
            p.same = s;
        if (s->expires != 0 && !has_passed(s->expires, now, GRACE))
            continue;
        if (p.free++ == 0)
            p.reusable = s;
    }
    return p;
}

static void put(struct shard *shard, struct slot *s, const uint64_t tag[2], int64_t expires)
{
    if (s->expires > shard->forgotten && (s->tag[0] != tag[0] || s->tag[1] != tag[1]))
        shard->forgotten = s->expires;
    s->expires = 0;
    memcpy(s->tag, tag, sizeof s->tag);
    atomic_signal_fence(memory_order_release);
    s->expires = expires;
}

/* With the lock held. */
static int set(struct shard *shard, struct slot *buckets[2], const uint64_t tag[2], int64_t now, int64_t expires)
{
    struct place a = look(buckets[0], tag, now), b = look(buckets[1], tag, now);
    struct slot *same = a.same != NULL ? a.same : b.same, *to = a.free >= b.free ? a.reusable : b.reusable;
    if (same != NULL && same->expires >= now)
        return TENUO_E_REPLAYED;
    if (shard->forgotten > now) /* the clock went back behind what was forgotten: it would be accepted again */
        return TENUO_E_WOULD_BLOCK;
    if (same != NULL)
        to = same;
    if (to == NULL)
        return TENUO_E_UNAVAILABLE;
    put(shard, to, tag, expires);
    return TENUO_OK;
}

static int set_locked(const struct memory *m, const uint8_t key[32], int64_t now, int64_t expires)
{
    uint64_t tag[2];
    crypto_shorthash_siphashx24((uint8_t *)tag, key, 32, m->secret);
    uint64_t in_shard = tag[0] / SHARDS % m->buckets, other = tag[1] % m->buckets;
    struct shard *shard = &m->table->shards[tag[0] % SHARDS];
    if (other == in_shard)
        other = (other + 1) % m->buckets;
    struct slot *first = m->table->slots + tag[0] % SHARDS * m->buckets * WAYS;
    struct slot *buckets[2] = { first + in_shard * WAYS, first + other * WAYS };
    if (!acquire(m, &shard->lock))
        return TENUO_E_SYSTEM;
    int r = set(shard, buckets, tag, now, expires);
    (void)pthread_mutex_unlock(&shard->lock);
    return r;
}

/* ---- the calls ---- */

static void say_full(const struct memory *m, int64_t now)
{
    long long last = atomic_load(&m->table->logged);
    m->host->error(m->host, "the table of %u entries is full: give entries= a higher number, about 200 times "
                            "the calls a second",
                   m->entries);
    if ((last == 0 || now < last || now - last >= LOG_EVERY) &&
        atomic_compare_exchange_strong(&m->table->logged, &last, now))
        m->host->log(m->host, TENUO_LOG_ERR, "the table of %u entries is full and calls are denied", m->entries);
}

/* What the table cannot know of: proofs of the time before it was there. */
static bool is_older(const struct memory *m, int64_t signed_at)
{
    if (!m->strict_start || signed_at > m->begun)
        return false;
    m->host->error(m->host, "the proof was signed before this table began or within 30 s after, and may have "
                            "been used: sign the call again");
    return true;
}

static int memory_check_and_set(void *self, const uint8_t key[32], int64_t signed_at, int64_t expires_at)
{
    struct memory *m = self;
    int64_t now = m->host->now();
    if (expires_at <= 0 || expires_at < now) {
        m->host->error(m->host, "asked to remember a proof until a time that has passed");
        return TENUO_E_INVALID_ARGUMENT;
    }
    if (is_older(m, signed_at))
        return TENUO_E_UNAVAILABLE;
    int r = set_locked(m, key, now, expires_at);
    if (r == TENUO_E_UNAVAILABLE)
        say_full(m, now);
    if (r == TENUO_E_SYSTEM)
        m->host->error(m->host, "another process that shares the table holds it and does not go on");
    if (r == TENUO_E_WOULD_BLOCK)
        m->host->error(m->host, "the clock was set back, and what is remembered ends later: wait, or start "
                                "the program again");
    return r == TENUO_E_WOULD_BLOCK || r == TENUO_E_SYSTEM ? TENUO_E_UNAVAILABLE : r;
}

static void memory_close(void *self)
{
    struct memory *m = self;
    if (m == NULL)
        return;
    if (m->table != NULL)
        munmap(m->table, m->bytes);
    m->host->wipe(m, sizeof *m);
    free(m);
}

/* Robust: the death of a process is no reason to stop the others. */
static bool make_locks(struct table *t)
{
    pthread_mutexattr_t attr;
    bool good = pthread_mutexattr_init(&attr) == 0;
    if (!good)
        return false;
    good = pthread_mutexattr_setpshared(&attr, PTHREAD_PROCESS_SHARED) == 0 &&
           pthread_mutexattr_setrobust(&attr, PTHREAD_MUTEX_ROBUST) == 0;
    for (unsigned i = 0; i < SHARDS && good; i++)
        good = pthread_mutex_init(&t->shards[i].lock, &attr) == 0;
    pthread_mutexattr_destroy(&attr);
    return good;
}

/* The system hands out its pages as they are first used. */
static int make_table(struct memory *m)
{
    m->buckets = m->entries / (SHARDS * USUAL_LOAD) + 2;
    m->bytes = sizeof *m->table + m->buckets * SHARDS * WAYS * sizeof(struct slot);
    void *p = mmap(NULL, m->bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (p == MAP_FAILED) {
        m->host->error(m->host, "the system has no %zu bytes for %u entries: give entries= a lower number",
                       m->bytes, m->entries);
        return TENUO_E_NOMEM;
    }
    m->table = p;
    return make_locks(m->table) ? TENUO_OK : TENUO_E_SYSTEM;
}

static int memory_check(const struct tenuo_host *host, const struct tenuo_arg *args, size_t nargs)
{
    if (nargs < 2)
        return TENUO_E_INVALID_ARGUMENT;
    if (args[0].value != NULL && (args[0].number < MIN_ENTRIES || args[0].number > MAX_ENTRIES)) {
        host->error(host, "entries: want a number from %u to %u", MIN_ENTRIES, MAX_ENTRIES);
        return TENUO_E_CONF;
    }
    return TENUO_OK;
}

static int memory_open(const struct tenuo_host *host, const struct tenuo_arg *args, size_t nargs, void **ret_self)
{
    int r = memory_check(host, args, nargs);
    if (r != TENUO_OK)
        return r;
    struct memory *m = calloc(1, sizeof *m);
    if (m == NULL)
        return TENUO_E_NOMEM;
    m->host = host;
    m->entries = args[0].value != NULL ? (uint32_t)args[0].number : DEFAULT_ENTRIES;
    m->strict_start = args[1].value != NULL && args[1].number != 0;
    m->begun = host->now();
    host->random(m->secret, sizeof m->secret);
    r = make_table(m);
    if (r != TENUO_OK) {
        memory_close(m);
        return r;
    }
    *ret_self = m;
    return TENUO_OK;
}

static const struct tenuo_arg_spec args[] = {
    { "entries", TENUO_ARG_UINT, 0, "proofs remembered at once, 1000 to 100000000 (1000000)" },
    { "strict_start", TENUO_ARG_BOOL, 0, "refuse proofs signed before the program started or within 30 s after (no)" },
    { NULL, 0, 0, NULL },
};

static const struct tenuo_replay_ops ops = {
    .size = sizeof ops,
    .open = memory_open,
    .close = memory_close,
    .check = memory_check,
    .check_and_set = memory_check_and_set,
};

TENUO_PLUGIN_EXPORT const struct tenuo_plugin_v1 tenuo_plugin_v1 = {
    .magic = TENUO_PLUGIN_MAGIC,
    .abi_major = TENUO_PLUGIN_ABI_MAJOR,
    .abi_minor = TENUO_PLUGIN_ABI_MINOR,
    .size = sizeof tenuo_plugin_v1,
    .flags = TENUO_PLUGIN_THREAD_SAFE | TENUO_PLUGIN_FORK_SAFE | TENUO_PLUGIN_NO_NETWORK,
    .name = "memory",
    .version = "1.0",
    .summary = "proofs that this program accepted, in its memory",
    .args = args,
    .replay = &ops,
};
