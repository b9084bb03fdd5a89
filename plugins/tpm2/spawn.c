/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Runs the helper program for one request and never lets it outlive the call. Works in any host: with SIGCHLD ignored
 * or handled by somebody else, with descriptors 0 to 2 closed, in a thread of many. Starts nothing whose file others
 * could have changed, hands over no environment and no descriptor but two, and believes no answer that is not complete.
 */
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sodium.h>
#include <spawn.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "../../core/trust.h"
#include "tpm2.h"

#define HELPER "tenuo-tpm2"
#define PATH_BYTES 1024
#define LONGEST 600000 /* ms for one request, whatever the line says */
#define FIRST_FD 10    /* ours lie above what the helper gets as 0 to 3 */
#define STDERR_MAX 512 /* bytes kept of what the helper prints */
#define SLICE 20       /* ms between looks at a helper when the kernel has no pidfd */
#define KILL_WAIT 500  /* ms that a killed helper may take to go */
#ifndef MFD_NOEXEC_SEAL
#define MFD_NOEXEC_SEAL 0x0008U
#endif

static const char anchor[] = HELPER; /* its address says which file we are */

uint64_t tpm2_clock(void)
{
    struct timespec ts;
    clock_gettime(CLOCK_MONOTONIC, &ts);
    return (uint64_t)ts.tv_sec * 1000 + (uint64_t)ts.tv_nsec / 1000000;
}

/* ---- the memory of a request ---- */

/* Moves a descriptor out of the way of 0 to 3, which a host may have closed. */
static int raise_fd(int fd)
{
    int high = fd < 0 ? -1 : fcntl(fd, F_DUPFD_CLOEXEC, FIRST_FD);
    if (fd >= 0)
        close(fd);
    return high;
}

static int make_memory(void)
{
    const unsigned flags = MFD_CLOEXEC | MFD_ALLOW_SEALING;
    int fd = memfd_create("tenuo-tpm2", flags | MFD_NOEXEC_SEAL);
    if (fd < 0 && errno == EINVAL) /* before Linux 6.3 */
        fd = memfd_create("tenuo-tpm2", flags);
    fd = raise_fd(fd);
    if (fd < 0)
        return -1;
    if (ftruncate(fd, sizeof(struct tpm2_talk)) == 0 &&
        fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL) == 0)
        return fd;
    close(fd);
    return -1;
}

bool tpm2_call_begin(struct tpm2_call *call)
{
    int fd = make_memory();
    if (fd < 0)
        return false;
    void *p = mmap(NULL, sizeof *call->talk, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    if (p == MAP_FAILED || madvise(p, sizeof *call->talk, MADV_DONTDUMP) != 0 ||
        madvise(p, sizeof *call->talk, MADV_DONTFORK) != 0) {
        if (p != MAP_FAILED)
            munmap(p, sizeof *call->talk);
        close(fd);
        return false;
    }
    (void)mlock(p, sizeof *call->talk); /* as far as the limit of the user lets us */
    *call = (struct tpm2_call){ p, fd };
    return true;
}

void tpm2_call_end(struct tpm2_call *call)
{
    sodium_memzero(call->talk, sizeof *call->talk);
    munmap(call->talk, sizeof *call->talk);
    if (call->fd >= 0)
        close(call->fd);
}

/* ---- the helper's file ---- */

static bool helper_path(char *ret_path, size_t size)
{
    Dl_info info;
    if (dladdr(anchor, &info) == 0 || info.dli_fname == NULL || info.dli_fname[0] != '/')
        return false;
    const char *slash = strrchr(info.dli_fname, '/');
    int n = snprintf(ret_path, size, "%.*s/" HELPER, (int)(slash - info.dli_fname), info.dli_fname);
    return n > 0 && (size_t)n < size;
}

int tpm2_try_helper(const struct tenuo_host *host, char *ret_path, size_t size)
{
    struct tenuo_error err;
    int fd = -1;
    if (!helper_path(ret_path, size)) {
        host->error(host, "cannot tell where the plugin's own file is, and so not where " HELPER " is: name the "
                          "plugin by an absolute path");
        return TENUO_E_UNAVAILABLE;
    }
    int r = tn_trust_open(ret_path, TN_TRUST_FILE, TENUO_E_KEY_DENIED, &fd, &err);
    if (r == TENUO_OK)
        close(fd);
    else if (r == TENUO_E_SYSTEM)
        host->error(host, "%s: the plugin's helper program belongs beside the plugin: install it there", err.msg);
    else
        host->error(host, "%s; the helper program was not run", err.msg);
    return r == TENUO_E_SYSTEM ? TENUO_E_UNAVAILABLE : r;
}

/* ---- one child ---- */

struct child {
    pid_t pid;
    int pidfd; /* readable when it has ended; -1: the kernel cannot say */
    int out;   /* what it prints; -1 after its end */
    int status;
    bool ended, known; /* known: status holds */
    char said[STDERR_MAX + 1];
    size_t nsaid;
};

static int make_actions(posix_spawn_file_actions_t *a, int memory, int out)
{
    int r = posix_spawn_file_actions_init(a);
    if (r != 0)
        return r;
    r = posix_spawn_file_actions_addopen(a, 0, "/dev/null", O_RDWR, 0);
    r = r != 0 ? r : posix_spawn_file_actions_adddup2(a, 0, 1);
    r = r != 0 ? r : posix_spawn_file_actions_adddup2(a, out, 2);
    r = r != 0 ? r : posix_spawn_file_actions_adddup2(a, memory, TPM2_TALK_FD);
    if (r != 0)
        posix_spawn_file_actions_destroy(a);
    return r;
}

/* No signal of the host's is blocked or ignored in the child. */
static int make_attributes(posix_spawnattr_t *attr)
{
    sigset_t none, all;
    sigemptyset(&none);
    sigfillset(&all);
    int r = posix_spawnattr_init(attr);
    if (r != 0)
        return r;
    r = posix_spawnattr_setsigmask(attr, &none);
    r = r != 0 ? r : posix_spawnattr_setsigdefault(attr, &all);
    r = r != 0 ? r : posix_spawnattr_setflags(attr, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
    if (r != 0)
        posix_spawnattr_destroy(attr);
    return r;
}

static int spawn(const char *path, int memory, int out, pid_t *ret_pid)
{
    char name[] = HELPER, env_path[] = "PATH=/usr/bin:/bin", env_log[] = "TSS2_LOG=all+none";
    char *const argv[] = { name, NULL }, *const envp[] = { env_path, env_log, NULL };
    posix_spawn_file_actions_t actions;
    posix_spawnattr_t attr;
    int r = make_actions(&actions, memory, out);
    if (r != 0)
        return r;
    r = make_attributes(&attr);
    if (r == 0) {
        r = posix_spawn(ret_pid, path, &actions, &attr, argv, envp);
        posix_spawnattr_destroy(&attr);
    }
    posix_spawn_file_actions_destroy(&actions);
    return r;
}

/* 0, or an errno. */
static int start(const char *path, int memory, struct child *c)
{
    int ends[2];
    *c = (struct child){ .pidfd = -1, .out = -1 };
    if (pipe2(ends, O_CLOEXEC) != 0)
        return errno;
    ends[0] = raise_fd(ends[0]);
    ends[1] = raise_fd(ends[1]);
    int r = ends[0] < 0 || ends[1] < 0 || fcntl(ends[0], F_SETFL, O_NONBLOCK) != 0 ? EMFILE : 0;
    r = r != 0 ? r : spawn(path, memory, ends[1], &c->pid);
    if (ends[1] >= 0)
        close(ends[1]);
    if (r != 0) {
        if (ends[0] >= 0)
            close(ends[0]);
        return r;
    }
    c->out = ends[0];
    c->pidfd = (int)syscall(SYS_pidfd_open, c->pid, 0);
    return 0;
}

/* Takes the child's end if it has come. A host that ignores SIGCHLD, or waits for every child itself, took it away. */
static bool ended(struct child *c)
{
    if (c->ended)
        return true;
    pid_t r = waitpid(c->pid, &c->status, WNOHANG);
    c->known = r == c->pid;
    c->ended = c->known || (r < 0 && errno == ECHILD);
    return c->ended;
}

static void hear(struct child *c)
{
    char buf[256];
    while (c->out >= 0) {
        ssize_t n = read(c->out, buf, sizeof buf);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0 && errno == EAGAIN)
            return;
        if (n <= 0) {
            close(c->out);
            c->out = -1;
            return;
        }
        size_t room = STDERR_MAX - c->nsaid, take = (size_t)n < room ? (size_t)n : room;
        memcpy(c->said + c->nsaid, buf, take);
        c->nsaid += take;
    }
}

/* False when it still runs at `ends`. */
static bool wait_until(struct child *c, uint64_t ends)
{
    while (!ended(c)) {
        uint64_t now = tpm2_clock();
        if (now >= ends)
            return false;
        uint64_t left = ends - now, slice = c->pidfd >= 0 ? left : c->out >= 0 ? SLICE : 1;
        struct pollfd p[] = { { .fd = c->pidfd, .events = POLLIN }, { .fd = c->out, .events = POLLIN } };
        if (poll(p, 2, (int)(left < slice ? left : slice)) <= 0)
            continue;
        if (p[1].revents != 0)
            hear(c);
        if (p[0].revents != 0 && !ended(c))
            c->ended = true; /* the kernel says so, and somebody else takes its status */
    }
    hear(c);
    return true;
}

static void kill_child(const struct child *c)
{
    if (c->pidfd >= 0)
        (void)syscall(SYS_pidfd_send_signal, c->pidfd, SIGKILL, NULL, 0);
    else
        (void)kill(c->pid, SIGKILL); /* waitpid has just said that it is still ours */
}

static void finish(struct child *c)
{
    if (c->out >= 0)
        close(c->out);
    if (c->pidfd >= 0)
        close(c->pidfd);
}

/* ---- one request ---- */

/* The last line that the helper printed, fit for a sentence. */
static const char *last_line(struct child *c)
{
    size_t n = c->nsaid;
    while (n > 0 && c->said[n - 1] == '\n')
        n--;
    c->said[n] = '\0';
    char *line = memrchr(c->said, '\n', n);
    line = line == NULL ? c->said : line + 1;
    for (char *p = line; *p != '\0'; p++)
        if (*p < ' ' || *p > '~')
            *p = '?';
    return line;
}

static int no_answer(struct tpm2 *s, struct child *c, const char *file)
{
    char how[64] = "ended without an answer";
    if (c->known && WIFSIGNALED(c->status))
        snprintf(how, sizeof how, "was ended by signal %d", WTERMSIG(c->status));
    const char *line = last_line(c);
    s->host->error(s->host, "%s: the helper program " HELPER " %s%s%s: try again; check its libraries with ldd", file,
                   how, line[0] != '\0' ? ": " : "", line);
    return TENUO_E_UNAVAILABLE;
}

static int too_late(struct tpm2 *s, struct child *c, const char *file, uint32_t ms)
{
    kill_child(c);
    if (!wait_until(c, tpm2_clock() + KILL_WAIT))
        s->stuck = c->pid; /* it waits for the device within the kernel; taken away by a later call */
    s->host->error(s->host,
                   "%s: the TPM (%s) did not answer within %u ms: check that it is there and not busy, or give "
                   "the line a longer timeout=",
                   file, s->tcti, ms);
    return TENUO_E_UNAVAILABLE;
}

/* Codes outside the list, and a text that is none, come only from a helper of another version. */
static int judge(struct tpm2 *s, struct child *c, struct tpm2_talk *t, const char *file)
{
    if (t->done != TPM2_TALK_DONE)
        return no_answer(s, c, file);
    t->why[sizeof t->why - 1] = '\0';
    for (char *p = t->why; *p != '\0'; p++)
        if (*p < ' ' || *p > '~')
            *p = '?';
    if (t->code == TENUO_OK && t->der_len <= TPM2_DER_MAX)
        return TENUO_OK;
    s->host->error(s->host, "%s: %s", file, t->why);
    return t->code == TENUO_E_KEY_DENIED || t->code == TENUO_E_KEY_INVALID || t->code == TENUO_E_NOMEM
               ? t->code
               : TENUO_E_UNAVAILABLE;
}

static bool is_stuck(struct tpm2 *s)
{
    struct child c = { .pid = s->stuck };
    if (s->stuck == 0 || ended(&c)) {
        s->stuck = 0;
        return false;
    }
    return true;
}

int tpm2_ask(struct tpm2 *s, struct tpm2_call *call, const char *file)
{
    char path[PATH_BYTES];
    struct child c;
    uint32_t told = s->host->deadline(s->host), ms = told > LONGEST ? LONGEST : told;
    uint32_t margin = ms / 10 > 100 ? 100 : ms / 10;
    uint64_t ends = tpm2_clock() + ms - margin; /* time to kill, and to come back */
    int r = tpm2_try_helper(s->host, path, sizeof path);
    if (r != TENUO_OK)
        return r;
    if (is_stuck(s)) {
        s->host->error(s->host,
                       "%s: the helper program of an earlier call (pid %ld) still hangs at the TPM (%s): look "
                       "at the kernel's log",
                       file, (long)s->stuck, s->tcti);
        return TENUO_E_UNAVAILABLE;
    }
    call->talk->magic = TPM2_TALK_MAGIC;
    call->talk->size = sizeof *call->talk;
    call->talk->deadline_ms = ms - margin;
    r = start(path, call->fd, &c);
    close(call->fd);
    call->fd = -1;
    if (r != 0) {
        s->host->error(s->host, "%s: %s cannot be run: %s", file, path, strerror(r));
        return TENUO_E_UNAVAILABLE;
    }
    r = wait_until(&c, ends) ? judge(s, &c, call->talk, file) : too_late(s, &c, file, ms);
    finish(&c);
    return r;
}
