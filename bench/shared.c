/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What several callers share: one verifier under two threads, by the clock on the wall, and the replay store memory
 * with a million entries, by CPU time.
 */
#include "bench.h"

#include <dlfcn.h>
#include <pthread.h>
#include <string.h>
#include <sys/random.h>
#include <tenuo/plugin.h>
#include <time.h>

#define THREAD_ROUNDS 60
#define THREAD_CALLS 200
#define LOOP 4000000u
#define ENTRIES 1000000u

static double wall_ns(void)
{
    struct timespec t;
    (void)clock_gettime(CLOCK_MONOTONIC, &t);
    return 1e9 * (double)t.tv_sec + (double)t.tv_nsec;
}

static void *run_calls(void *arg)
{
    const struct item *const *item = arg;
    run_item(*item, THREAD_CALLS);
    return NULL;
}

/* Shares nothing: what two threads can gain on this machine as busy as it is now. */
static void *run_loop(void *arg)
{
    volatile uint64_t x = 1;
    (void)arg;
    for (unsigned i = 0; i < LOOP; i++)
        x = x * 6364136223846793005u + 1;
    return NULL;
}

/* How long `n` threads take to do `work` each. */
static double with_threads(void *(*work)(void *), const struct item *item, size_t n)
{
    pthread_t threads[2];
    double start = wall_ns();
    for (size_t i = 0; i < n; i++)
        must(pthread_create(&threads[i], NULL, work, &item) == 0 ? 0 : TENUO_E_SYSTEM, "thread");
    for (size_t i = 0; i < n; i++)
        (void)pthread_join(threads[i], NULL);
    return wall_ns() - start;
}

/* Best of the rounds, in which one and two threads take turns: two threads' work in the time of one's. */
static double gain(void *(*work)(void *), const struct item *item)
{
    double least[2] = { -1, -1 };
    for (int round = 0; round < THREAD_ROUNDS; round++) {
        for (size_t n = 1; n <= 2; n++) {
            double ns = with_threads(work, item, n);
            if (least[n - 1] < 0 || ns < least[n - 1])
                least[n - 1] = ns;
        }
    }
    return 2 * least[0] / least[1];
}

void report_threads(const struct item *items, size_t count, value_fn *report)
{
    char note[128];
    size_t i = 0;
    while (i < count && (items[i].kind != BENCH_AUTHORIZE || !items[i].warm))
        i++;
    if (i == count) {
        report("two_threads", -1, "x", "no warm item");
        return;
    }
    (void)snprintf(note, sizeof note, "decisions of two threads on one verifier, of one; two empty loops: %.2f",
                   gain(run_loop, NULL));
    report("two_threads", gain(run_calls, &items[i]), "x", note);
}

/* ---- the replay store ---- */

TENUO_PRINTF(3, 4) static void no_log(const struct tenuo_host *host, int level, const char *fmt, ...)
{
    (void)host, (void)level, (void)fmt;
}

TENUO_PRINTF(2, 3) static void no_error(const struct tenuo_host *host, const char *fmt, ...)
{
    (void)host, (void)fmt;
}

static int64_t now(void)
{
    return (int64_t)time(NULL);
}

static uint32_t deadline(const struct tenuo_host *host)
{
    (void)host;
    return 5000;
}

static void fill_random(void *p, size_t len)
{
    must(getrandom(p, len, 0) == (ssize_t)len ? 0 : TENUO_E_SYSTEM, "randomness");
}

static const struct tenuo_host host = {
    .size = sizeof host,
    .abi_major = TENUO_PLUGIN_ABI_MAJOR,
    .abi_minor = TENUO_PLUGIN_ABI_MINOR,
    .log = no_log,
    .error = no_error,
    .wipe = tenuo_wipe,
    .random = fill_random,
    .now = now,
    .deadline = deadline,
};

static double use_all(const struct tenuo_replay_ops *ops, void *self, int want)
{
    uint8_t key[32] = { 0 };
    double start = cpu_ns();
    for (uint32_t i = 0; i < ENTRIES; i++) {
        memcpy(key, &i, sizeof i);
        must(ops->check_and_set(self, key, now(), now() + 3600) == want ? 0 : TENUO_E_UNAVAILABLE, "replay store");
    }
    return (cpu_ns() - start) / ENTRIES;
}

void report_replay(const char *plugins, value_fn *report)
{
    char path[4096];
    struct tenuo_arg args[] = { { "entries", NULL, 0 }, { "strict_start", NULL, 0 } };
    void *self = NULL;
    (void)snprintf(path, sizeof path, "%s/tenuo_memory.so", plugins != NULL ? plugins : ".");
    void *so = dlopen(path, RTLD_NOW | RTLD_LOCAL);
    const struct tenuo_plugin_v1 *plugin = so == NULL ? NULL : dlsym(so, "tenuo_plugin_v1");
    if (plugin == NULL) {
        report("replay_memory", -1, "ns", "no plugin memory");
        return;
    }
    must(plugin->replay->open(&host, args, 2, &self), "replay store");
    report("replay_memory_new", use_all(plugin->replay, self, TENUO_OK), "ns",
          "a new proof, while the table fills to a million and takes its pages");
    report("replay_memory_seen", use_all(plugin->replay, self, TENUO_E_REPLAYED), "ns", "a proof that is in the table");
    plugin->replay->close(self);
}
