/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a plugin may leave behind in the process that loads it: nothing. Memory and descriptors over many cycles, and
 * everything that belongs to the application: environment, umask, working directory, signal handlers, threads,
 * children.
 */
#include "conform.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <locale.h>
#include <malloc.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#define CYCLES 1000u
#define WARM_UP 20u
#define CYCLES_MS 20000u /* slow stores make fewer cycles */
#define HEAP_LEAK 16u    /* bytes a cycle: the smallest block of the allocator has more */
#define HEAP_NOISE \
    15000u /* of a half, kept by TLS libraries and their like: below what the smallest leak makes of 500 */
#define PAGE_LEAK 4096u
#define PAGE_LEAK_SANITIZED 32768u /* an instrumented allocator maps on its own account */

/* There when the process runs under the sanitizer; the allocator is not the system's then. */
extern int __lsan_do_recoverable_leak_check(void) __attribute__((weak));
extern void __asan_init(void) __attribute__((weak));
extern void __tsan_init(void) __attribute__((weak));

static bool is_instrumented(void)
{
    return __asan_init || __tsan_init || __lsan_do_recoverable_leak_check;
}

static unsigned entries_of(const char *path)
{
    DIR *dir = opendir(path);
    unsigned n = 0;
    if (!dir)
        return 0;
    for (struct dirent *d = readdir(dir); d; d = readdir(dir))
        n += d->d_name[0] != '.';
    closedir(dir);
    return n;
}

/* ---- cycles ---- */

struct use {
    size_t heap, mapped;
    unsigned descriptors;
};

static struct use use_now(void)
{
    struct use use = { .descriptors = entries_of("/proc/self/fd") };
    unsigned long pages = 0;
    struct mallinfo2 info = mallinfo2();
    FILE *statm = fopen("/proc/self/statm", "re");
    if (statm) {
        if (fscanf(statm, "%lu", &pages) != 1)
            pages = 0;
        fclose(statm);
    }
    use.heap = info.uordblks + info.hblkhd;
    use.mapped = (size_t)pages * (size_t)sysconf(_SC_PAGESIZE);
    return use;
}

typedef bool cycle_fn(struct conform *c, struct conform_verdict *v);

static unsigned run_cycles(struct conform *c, struct conform_verdict *v, cycle_fn *cycle, unsigned count)
{
    uint64_t until = conform_clock_ms() + CYCLES_MS / 2;
    unsigned n = 0;
    while (n < count && (n == 0 || conform_clock_ms() < until)) {
        if (!cycle(c, v))
            return 0;
        n++;
    }
    return n;
}

/* By at least so much a cycle, in both halves, so that something that is kept once is no leak. */
static bool leaks(const size_t used[3], const unsigned n[2], size_t each, size_t noise)
{
    for (int half = 0; half < 2; half++) {
        size_t growth = used[half + 1] > used[half] ? used[half + 1] - used[half] : 0;
        if (growth < (size_t)n[half] * each || growth < noise)
            return false;
    }
    return true;
}

static void judge_use(struct conform_verdict *v, const char *what, const struct use use[3], const unsigned n[2])
{
    const size_t heap[3] = { use[0].heap, use[1].heap, use[2].heap };
    const size_t mapped[3] = { use[0].mapped, use[1].mapped, use[2].mapped };
    if (use[2].descriptors > use[0].descriptors)
        conform_fail(v, "%s leaks file descriptors: %u more after %u rounds", what,
                     use[2].descriptors - use[0].descriptors, n[0] + n[1]);
    if (!is_instrumented() && leaks(heap, n, HEAP_LEAK, HEAP_NOISE))
        conform_fail(v, "%s leaks memory: about %zu bytes a round; run it under LeakSanitizer or valgrind", what,
                     (heap[2] - heap[1]) / n[1]);
    if (!__tsan_init && leaks(mapped, n, is_instrumented() ? PAGE_LEAK_SANITIZED : PAGE_LEAK, 0))
        conform_fail(v, "%s leaks mapped pages: about %zu bytes a round", what, (mapped[2] - mapped[1]) / n[1]);
}

/* Its own report goes to standard error; this sentence is the finding. */
static void ask_sanitizer(struct conform_verdict *v)
{
    if (__lsan_do_recoverable_leak_check && __lsan_do_recoverable_leak_check() != 0)
        conform_fail(v, "LeakSanitizer found memory that nobody can reach any more");
}

static void measure(struct conform *c, struct conform_verdict *v, const char *what, cycle_fn *cycle)
{
    struct use use[3];
    unsigned n[2];
    if (run_cycles(c, v, cycle, WARM_UP) == 0)
        return;
    use[0] = use_now();
    for (unsigned half = 0; half < 2; half++) {
        n[half] = run_cycles(c, v, cycle, CYCLES / 2);
        use[half + 1] = use_now();
        if (n[half] == 0)
            return;
    }
    judge_use(v, what, use, n);
    if (n[0] + n[1] < CYCLES)
        conform_good(v, "%u rounds in the time that there was, nothing is left over", n[0] + n[1]);
    conform_good(v, "%u rounds, nothing is left over", CYCLES);
}

static bool open_and_close(struct conform *c, struct conform_verdict *v)
{
    void *self = NULL;
    int code = conform_open_self(c, &self);
    if (code != TENUO_OK)
        conform_fail(v, "open, which succeeded before, answered %s", conform_code(code));
    else if (c->ops.head.close)
        c->ops.head.close(self);
    return code == TENUO_OK;
}

void conform_check_cycles(struct conform *c, struct conform_verdict *v)
{
    if (!conform_load(c, v))
        return;
    measure(c, v, "open and close", open_and_close);
    free(c->args);
    c->args = NULL;
    ask_sanitizer(v);
}

static int take_one(void *arg, const struct tenuo_key_entry *entry)
{
    (void)arg, (void)entry;
    return 1;
}

/* Every call that only reads, on the key when there is one, and on an id that is not there. */
static bool look_around(struct conform *c, struct conform_verdict *v)
{
    static const uint8_t message[100] = { 1 };
    uint8_t key[TENUO_PUBKEY_BYTES], seed[TENUO_SEED_BYTES], signature[TENUO_SIG_BYTES];
    const char *ids[2] = { "conform-nobody", c->shared->key_id };
    uint32_t version = 0;
    struct tenuo_key_entry entry;
    (void)v;
    for (size_t i = 0; i < 2 && ids[i][0] != '\0'; i++) {
        if (c->ops.resolver.public_key)
            (void)conform_public_key(c, ids[i], 0, key, &version);
        if (c->ops.resolver.export_seed)
            (void)conform_export(c, ids[i], 0, seed);
        if (c->ops.resolver.sign)
            (void)conform_sign(c, ids[i], version, message, sizeof message, signature);
        if (c->ops.resolver.describe)
            (void)conform_describe(c, ids[i], 0, &entry);
    }
    if (c->ops.resolver.list)
        (void)conform_list(c, take_one, NULL);
    tenuo_wipe(seed, sizeof seed);
    return true;
}

void conform_check_leaks(struct conform *c, struct conform_verdict *v)
{
    if (!conform_open(c, v))
        return;
    measure(c, v, "looking up keys", look_around);
    conform_close(c);
    ask_sanitizer(v);
}

/* ---- what belongs to the application ---- */

struct snapshot {
    char *environment, *directory, *locale;
    mode_t mask;
    struct sigaction actions[NSIG];
    sigset_t blocked;
    unsigned threads;
    bool descriptors[1024]; /* open ones */
};

static char *environment_text(void)
{
    char *text = NULL;
    size_t size = 0;
    FILE *memory = open_memstream(&text, &size);
    if (!memory)
        cli_no_memory();
    for (char **p = environ; p && *p; p++)
        fprintf(memory, "%s\n", *p);
    if (fclose(memory) != 0)
        cli_no_memory();
    return text;
}

static void take_snapshot(struct snapshot *s)
{
    memset(s, 0, sizeof *s);
    s->environment = environment_text();
    s->directory = getcwd(NULL, 0);
    const char *locale = setlocale(LC_ALL, NULL);
    s->locale = strdup(locale ? locale : "");
    s->mask = umask(022);
    umask(s->mask);
    for (int n = 1; n < NSIG; n++)
        (void)sigaction(n, NULL, &s->actions[n]);
    sigprocmask(SIG_BLOCK, NULL, &s->blocked);
    s->threads = entries_of("/proc/self/task");
    for (int fd = 0; fd < 1024; fd++)
        s->descriptors[fd] = fcntl(fd, F_GETFD) >= 0;
}

static void drop_snapshot(struct snapshot *s)
{
    tenuo_wipe(s->environment, strlen(s->environment)); /* resolver env has its seeds there */
    free(s->environment);
    free(s->directory);
    free(s->locale);
}

/* An end of a nameless pair of Unix sockets: what older libcurls wake themselves with. It leads nowhere. */
static bool is_pair(int fd)
{
    struct sockaddr_un own, peer;
    socklen_t own_len = sizeof own, peer_len = sizeof peer;
    return getsockname(fd, (struct sockaddr *)&own, &own_len) == 0 && own.sun_family == AF_UNIX &&
           own_len == sizeof own.sun_family && getpeername(fd, (struct sockaddr *)&peer, &peer_len) == 0 &&
           peer_len == sizeof peer.sun_family;
}

static void judge_descriptors(const struct snapshot *before, struct conform_verdict *v)
{
    for (int fd = 0; fd < 1024; fd++) {
        int flags = fcntl(fd, F_GETFD);
        char name[32], what[256];
        if (flags < 0 || before->descriptors[fd] || (flags & FD_CLOEXEC) != 0)
            continue;
        snprintf(name, sizeof name, "/proc/self/fd/%d", fd);
        ssize_t n = readlink(name, what, sizeof what - 1);
        what[n > 0 ? n : 0] = '\0';
        conform_say(v, is_pair(fd) ? CONFORM_WARN : CONFORM_FAIL,
                    "descriptor %d (%s) is open without close-on-exec: a program that is started would inherit it", fd,
                    what);
    }
}

static bool same_signals(const struct snapshot *a, const struct snapshot *b, int *ret_signal)
{
    for (int n = 1; n < NSIG; n++) {
        *ret_signal = n;
        if (a->actions[n].sa_handler != b->actions[n].sa_handler || a->actions[n].sa_flags != b->actions[n].sa_flags ||
            sigismember(&a->blocked, n) != sigismember(&b->blocked, n))
            return false;
    }
    return true;
}

static void judge_snapshots(const struct snapshot *a, const struct snapshot *b, struct conform_verdict *v)
{
    int n = 0;
    if (strcmp(a->environment, b->environment) != 0)
        conform_fail(v, "the environment was changed: it is the application's, and no thread may touch it");
    if (!a->directory || !b->directory || strcmp(a->directory, b->directory) != 0)
        conform_fail(v, "the working directory was changed: use openat()");
    if (strcmp(a->locale, b->locale) != 0)
        conform_fail(v, "the locale was changed");
    if (a->mask != b->mask)
        conform_fail(v, "the umask was changed from %03o to %03o: give a mode to open() instead", (unsigned)a->mask,
                     (unsigned)b->mask);
    if (!same_signals(a, b, &n))
        conform_fail(v, "the handling of signal %d (%s) was changed: it is the application's", n, strsignal(n));
    if (b->threads > a->threads && !__tsan_init)
        conform_fail(v, "%u thread%s left running after close", b->threads - a->threads,
                     b->threads - a->threads == 1 ? " is" : "s are");
    if (waitpid(-1, NULL, WNOHANG) >= 0 || errno != ECHILD)
        conform_fail(v, "a child process is left after close: wait for it within the call that starts it");
}

void conform_check_process(struct conform *c, struct conform_verdict *v)
{
    struct snapshot *before = cli_alloc(2, sizeof *before), *after = before + 1;
    take_snapshot(before);
    if (conform_open(c, v)) {
        if (c->kind == CONFORM_RESOLVER)
            (void)look_around(c, v);
        judge_descriptors(before, v);
        conform_close(c);
        judge_descriptors(before, v);
        take_snapshot(after);
        judge_snapshots(before, after, v);
        drop_snapshot(after);
        conform_good(v, "environment, umask, directory, signals, threads, children and descriptors are as they were");
    }
    drop_snapshot(before);
    free(before);
}
