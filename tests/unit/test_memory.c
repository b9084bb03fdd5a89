/* SPDX-License-Identifier: Apache-2.0 */
/* The replay store memory, loaded as the library would: first and second use, time, clocks that jump, a full table,
 * threads, forked children and their deaths, a million entries. */
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "mock_host.h"
#include "tap.h"

#define T 1893456000

static const struct tenuo_replay_ops *ops;
static _Atomic int64_t clock_now = T;
static atomic_int logs;

static int64_t test_now(void)
{
    return atomic_load(&clock_now);
}

TENUO_PRINTF(3, 4) static void count_log(const struct tenuo_host *host, int level, const char *fmt, ...)
{
    (void)host, (void)level, (void)fmt;
    atomic_fetch_add(&logs, 1);
}

TENUO_PRINTF(2, 3) static void no_error(const struct tenuo_host *host, const char *fmt, ...)
{
    (void)host, (void)fmt;
}

static struct tenuo_host host;

static void *opened(unsigned entries, int strict, int *ret_code)
{
    char text[32];
    snprintf(text, sizeof text, "%u", entries);
    struct tenuo_arg args[] = { { "entries", entries == 0 ? NULL : text, entries },
                                { "strict_start", strict ? "yes" : NULL, (uint64_t)strict } };
    void *self = NULL;
    mock_said[0] = '\0';
    int r = ops->open(&host, args, 2, &self);
    if (ret_code != NULL)
        *ret_code = r;
    return self;
}

static int use(void *self, uint64_t n, int64_t expires)
{
    uint8_t key[32] = { 0 };
    memcpy(key, &n, sizeof n);
    return ops->check_and_set(self, key, atomic_load(&clock_now), expires);
}

static void check_arguments(void)
{
    int r;
    void *self = opened(0, 0, &r);
    is_int(r, TENUO_OK, "without arguments");
    ops->close(self);
    ok(opened(999, 0, &r) == NULL && r == TENUO_E_CONF, "too few entries: %s", mock_said);
    ok(opened(100000001, 0, &r) == NULL && r == TENUO_E_CONF, "too many entries: %s", mock_said);
    ops->close(NULL);
}

static void check_time(void)
{
    void *self = opened(1000, 0, NULL);
    is_int(use(self, 1, T + 180), TENUO_OK, "the first time");
    is_int(use(self, 1, T + 180), TENUO_E_REPLAYED, "the second time");
    is_int(use(self, 2, T + 180), TENUO_OK, "another proof");
    is_int(use(self, 3, T), TENUO_OK, "until now");
    is_int(use(self, 3, T + 5), TENUO_E_REPLAYED, "is still remembered now");
    atomic_store(&clock_now, T + 180);
    is_int(use(self, 1, T + 360), TENUO_E_REPLAYED, "in the last second");
    atomic_store(&clock_now, T + 181);
    is_int(use(self, 1, T + 361), TENUO_OK, "after it");
    is_int(use(self, 1, T + 361), TENUO_E_REPLAYED, "once");
    atomic_store(&clock_now, T);
    is_int(use(self, 1, T + 180), TENUO_E_REPLAYED, "a clock that goes back frees nothing");
    is_int(use(self, 4, T - 1), TENUO_E_INVALID_ARGUMENT, "a time that has passed: %s", mock_said);
    is_int(use(self, 4, 0), TENUO_E_INVALID_ARGUMENT, "the time 0");
    is_int(use(self, 4, INT64_MIN), TENUO_E_INVALID_ARGUMENT, "the smallest time");
    is_int(use(self, 4, INT64_MAX), TENUO_OK, "the largest time");
    is_int(use(self, 4, INT64_MAX), TENUO_E_REPLAYED, "is remembered");
    atomic_store(&clock_now, INT64_MAX);
    is_int(use(self, 4, INT64_MAX), TENUO_E_REPLAYED, "until the end of time");
    atomic_store(&clock_now, INT64_MIN);
    is_int(use(self, 4, T), TENUO_E_REPLAYED, "a clock before the beginning of time: seen stays seen");
    is_int(use(self, 5, T), TENUO_E_UNAVAILABLE, "and nothing new is let through: %s", mock_said);
    atomic_store(&clock_now, T);
    ops->close(self);
}

/* Uses new keys until one is refused; how many were taken. */
static uint64_t fill(void *self, uint64_t from, int64_t expires, int *ret_code)
{
    uint64_t n = from;
    while (n < from + 10000000) {
        *ret_code = use(self, n, expires);
        if (*ret_code != TENUO_OK)
            break;
        n++;
    }
    return n - from;
}

static void check_full(void)
{
    int r = 0;
    void *self = opened(1000, 0, NULL);
    atomic_store(&logs, 0);
    uint64_t n = fill(self, 0, T + 180, &r);
    ok(n >= 1000, "as many as asked for: %llu", (unsigned long long)n);
    is_int(r, TENUO_E_UNAVAILABLE, "then full: %s", mock_said);
    ok(strstr(mock_said, "entries=") != NULL, "with the remedy");
    uint64_t lost = 0;
    for (uint64_t k = 0; k < n; k++)
        lost += use(self, k, T + 180) != TENUO_E_REPLAYED;
    is_int((long long)lost, 0, "nothing is forgotten");
    for (int k = 0; k < 100; k++)
        (void)use(self, n, T + 180);
    is_int(atomic_load(&logs), 1, "logged once");
    atomic_store(&clock_now, T + 61);
    (void)use(self, n, T + 180);
    is_int(atomic_load(&logs), 2, "and again after a minute");
    atomic_store(&clock_now, T + 180 + 30);
    is_int(use(self, n, T + 400), TENUO_E_UNAVAILABLE, "an entry keeps its place for a grace of 30 s");
    atomic_store(&clock_now, T + 180 + 31);
    uint64_t again = fill(self, n, T + 400, &r);
    ok(again >= 1000, "after it all places are free: %llu", (unsigned long long)again);
    ops->close(self);
    atomic_store(&clock_now, T);
}

/* Places are taken again only after the grace; a clock that goes back further than that cannot be answered. */
static void check_clock_back(void)
{
    int r = 0, wrong = 0;
    void *self = opened(1000, 0, NULL);
    uint64_t n = fill(self, 0, T + 180, &r);
    atomic_store(&clock_now, T + 3600);
    (void)fill(self, n, T + 3780, &r);
    atomic_store(&clock_now, T + 60);
    for (uint64_t k = 0; k < n; k++)
        wrong += use(self, k, T + 240) == TENUO_OK;
    is_int(wrong, 0, "forward an hour and back: no proof is taken twice");
    is_int(use(self, 5000000, T + 240), TENUO_E_UNAVAILABLE, "nor a new one: %s", mock_said);
    ok(strstr(mock_said, "clock was set back") != NULL, "it says why");
    atomic_store(&clock_now, T + 3600);
    ops->close(self);
    self = opened(1000, 0, NULL);
    atomic_store(&clock_now, T + 3599);
    is_int(use(self, 1, T + 3779), TENUO_OK, "a small step back is no matter");
    ops->close(self);
    atomic_store(&clock_now, T);
}

static void check_strict_start(void)
{
    uint8_t key[32] = { 9 };
    void *self = opened(1000, 1, NULL);
    is_int(ops->check_and_set(self, key, T - 30, T + 180), TENUO_E_UNAVAILABLE, "signed before the table began");
    ok(strstr(mock_said, "sign the call again") != NULL, "with the remedy: %s", mock_said);
    is_int(ops->check_and_set(self, key, T, T + 180), TENUO_E_UNAVAILABLE, "in the window of that second");
    is_int(ops->check_and_set(self, key, T + 30, T + 180), TENUO_OK, "after it");
    is_int(ops->check_and_set(self, key, T + 30, T + 180), TENUO_E_REPLAYED, "once");
    ops->close(self);
}

/* ---- threads and processes ---- */

#define KEYS 20000
static void *shared;
static atomic_int taken, wrong;

static void *use_all(void *arg)
{
    uint64_t from = *(const uint64_t *)arg;
    for (uint64_t k = 0; k < KEYS; k++) {
        int r = use(shared, (from + k) % KEYS, T + 180);
        if (r == TENUO_OK)
            atomic_fetch_add(&taken, 1);
        else if (r != TENUO_E_REPLAYED)
            atomic_fetch_add(&wrong, 1);
    }
    return NULL;
}

static void check_threads(void)
{
    pthread_t threads[4];
    uint64_t from[4] = { 0, 0, KEYS / 2, 7 };
    host.error = no_error; /* the mock's has one buffer */
    shared = opened(KEYS, 0, NULL);
    for (size_t i = 0; i < 4; i++)
        pthread_create(&threads[i], NULL, use_all, &from[i]);
    for (size_t i = 0; i < 4; i++)
        pthread_join(threads[i], NULL);
    is_int(atomic_load(&taken), KEYS, "four threads, one key each once");
    is_int(atomic_load(&wrong), 0, "no other answer");
    ops->close(shared);
    host.error = mock_error;
}

/* How many of the keys the child could use. */
static int in_child(uint64_t from, uint64_t n)
{
    int p[2], count = 0, status = 0;
    if (pipe(p) != 0)
        return -1;
    pid_t child = fork();
    if (child == 0) {
        alarm(30);
        for (uint64_t k = from; k < from + n; k++)
            count += use(shared, k, T + 180) == TENUO_OK;
        _exit(write(p[1], &count, sizeof count) == sizeof count ? 0 : 1);
    }
    close(p[1]);
    if (read(p[0], &count, sizeof count) != sizeof count)
        count = -1;
    close(p[0]);
    waitpid(child, &status, 0);
    return status == 0 ? count : -1;
}

static void check_fork(void)
{
    shared = opened(KEYS, 0, NULL);
    is_int(use(shared, 1, T + 180), TENUO_OK, "used before the fork");
    is_int(in_child(1, 3), 2, "a child knows it");
    is_int(use(shared, 2, T + 180), TENUO_E_REPLAYED, "the parent knows what the child used");
    is_int(in_child(2, 3), 1, "and so does the next child");
    ops->close(shared);
}

/* Children that die at any moment, also while they hold a lock. */
static void check_deaths(void)
{
    int stuck = 0;
    struct timespec moment = { .tv_nsec = 3000000 };
    shared = opened(1000000, 0, NULL);
    for (int i = 0; i < 20; i++) {
        pid_t child = fork();
        if (child == 0) {
            for (uint64_t k = 0;; k++)
                (void)use(shared, (uint64_t)i << 32 | k % 20000, T + 180);
        }
        nanosleep(&moment, NULL);
        kill(child, SIGKILL);
        waitpid(child, NULL, 0);
        for (uint64_t k = 0; k < 64; k++)
            stuck += use(shared, (uint64_t)(100 + i) << 32 | k, T + 180) != TENUO_OK;
    }
    is_int(stuck, 0, "killed children stop nobody");
    ops->close(shared);
}

static uint32_t short_deadline(const struct tenuo_host *h)
{
    (void)h;
    return 50;
}

/* A child that is stopped while it holds a lock makes answers late, and never wrong. */
static void check_stopped(void)
{
    struct timespec moment = { .tv_nsec = 1000000 };
    int bad = 0;
    host.deadline = short_deadline;
    shared = opened(1000000, 0, NULL);
    pid_t child = fork();
    if (child == 0)
        for (uint64_t k = 0;; k++)
            (void)use(shared, k % 20000, T + 180);
    for (int i = 0; i < 10; i++) {
        nanosleep(&moment, NULL);
        kill(child, SIGSTOP);
        waitpid(child, NULL, WUNTRACED);
        for (uint64_t k = 0; k < 64; k++) {
            int r = use(shared, (uint64_t)(100 + i) << 32 | k, T + 180);
            bad += r != TENUO_OK && r != TENUO_E_UNAVAILABLE;
        }
        kill(child, SIGCONT);
    }
    kill(child, SIGKILL);
    waitpid(child, NULL, 0);
    is_int(bad, 0, "a stopped child: answers come in time");
    ops->close(shared);
    host.deadline = mock_deadline;
}

static double seconds(void)
{
    struct timespec ts;
    clock_gettime(CLOCK_MONOTONIC, &ts);
    return (double)ts.tv_sec + (double)ts.tv_nsec / 1e9;
}

/* Of the table alone: sanitizers have pages of their own. */
static long shared_kib(void)
{
    char line[256];
    long kib = 0;
    FILE *f = fopen("/proc/self/status", "re");
    while (f != NULL && fgets(line, sizeof line, f) != NULL)
        if (strncmp(line, "RssShmem:", 9) == 0)
            kib = strtol(line + 9, NULL, 10);
    if (f != NULL)
        fclose(f);
    return kib;
}

static void check_million(void)
{
    const uint64_t n = 1000000;
    uint64_t refused = 0, seen = 0;
    double slowest = 0;
    void *self = opened(0, 0, NULL);
    long before = shared_kib();
    double began = seconds();
    for (uint64_t k = 0; k < n; k++)
        refused += use(self, k, T + 180) != TENUO_OK;
    double filled = seconds();
    long bytes = (shared_kib() - before) * 1024;
    for (uint64_t k = 0; k < n; k += 16)
        seen += use(self, k, T + 180) == TENUO_E_REPLAYED;
    is_int((long long)refused, 0, "a million entries fit");
    is_int((long long)seen, (long long)(n / 16), "and are remembered");
    atomic_store(&clock_now, T + 300);
    for (uint64_t k = 0; k < n; k += 16) {
        double start = seconds();
        refused += use(self, n + k, T + 480) != TENUO_OK;
        slowest = seconds() - start > slowest ? seconds() - start : slowest;
    }
    is_int((long long)refused, 0, "expired ones make room");
    ok(bytes > 24 * (long)n && bytes <= 48 * (long)n, "%ld bytes an entry", bytes / (long)n);
    printf("# %.0f ns for one of a million new entries; the slowest that took an expired one's place: %.0f us\n",
           (filled - began) * 1e9 / (double)n, slowest * 1e6);
    ops->close(self);
    atomic_store(&clock_now, T);
}

int main(int argc, char **argv)
{
    const struct tenuo_plugin_v1 *plugin = mock_load("memory", argc, argv);
    ops = plugin->replay;
    host = mock_host;
    host.now = test_now;
    host.log = count_log;
    check_arguments();
    check_time();
    check_full();
    check_clock_back();
    check_strict_start();
    check_threads();
    check_fork();
    check_deaths();
    check_stopped();
    check_million();
    return done_testing();
}
