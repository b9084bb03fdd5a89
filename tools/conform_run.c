/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One check in a process of its own: started, watched, ended. What the plugin does to that process (a crash, exit, a
 * call that does not come back, words on standard output) becomes the verdict. Must leave no process behind.
 */
#include "conform.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define CHECK_MAX_MS 120000u /* of one check, however well its calls keep their deadlines */
#define GRACE_MS 1500u       /* beyond a call's deadline, before the process is taken down */
#define READ_MAX 65536

static int capture(const char *name)
{
    int fd = memfd_create(name, MFD_CLOEXEC);
    if (fd < 0)
        cli_no_memory();
    return fd;
}

_Noreturn static void in_child(struct conform *c, const struct conform_check *check, int out, int err)
{
    const struct rlimit none = { 0, 0 };
    int null = open("/dev/null", O_RDONLY | O_CLOEXEC);
    setpgid(0, 0);
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    setrlimit(RLIMIT_CORE, &none); /* seeds pass through here */
    if (null < 0 || dup2(null, 0) < 0 || dup2(out, 1) < 0 || dup2(err, 2) < 0)
        _exit(125);
    conform_host_init(c);
    check->run(c, &c->shared->verdict);
    conform_forget(c);
    fflush(NULL);
    atomic_store(&c->shared->done, true);
    _exit(0);
}

/* How long one call may take before its process is taken down. */
static unsigned patience_ms(const struct conform *c)
{
    return atomic_load(&c->shared->deadline_ms) + GRACE_MS;
}

/* Waits for the process; false: it had to be killed. */
static bool await(struct conform *c, pid_t pid, int *ret_status)
{
    const struct timespec nap = { 0, 2000000 };
    uint64_t began = conform_clock_ms();
    for (;;) {
        pid_t got = waitpid(pid, ret_status, WNOHANG);
        if (got == pid || (got < 0 && errno != EINTR))
            return true;
        uint64_t now = conform_clock_ms(), moved = atomic_load(&c->shared->moved);
        bool stuck = atomic_load(&c->shared->active) > 0 && now > moved + patience_ms(c);
        if (stuck || now > began + CHECK_MAX_MS) {
            kill(-pid, SIGKILL);
            kill(pid, SIGKILL);
            while (waitpid(pid, ret_status, 0) < 0 && errno == EINTR)
                continue;
            return false;
        }
        nanosleep(&nap, NULL);
    }
}

/* The first line of a sanitizer's report, or NULL. */
static char *sanitizer_line(const char *text)
{
    static const char *const marks[] = { "ERROR: AddressSanitizer", "WARNING: ThreadSanitizer",
                                         "runtime error: ", "ERROR: LeakSanitizer" };
    for (size_t i = 0; i < sizeof marks / sizeof *marks; i++) {
        const char *at = strstr(text, marks[i]);
        if (at)
            return strndup(at, strcspn(at, "\n"));
    }
    return NULL;
}

static char *captured(int fd)
{
    char *text = cli_alloc(READ_MAX + 1, 1);
    ssize_t n = pread(fd, text, READ_MAX, 0);
    text[n > 0 ? n : 0] = '\0';
    return text;
}

static void judge_output(struct conform *c, const char *name, int out, int err, struct conform_verdict *v)
{
    char *said = captured(err), *words = captured(out), *line = sanitizer_line(said);
    if (line)
        conform_fail(v, "%s", line);
    else if (said[0] != '\0' || words[0] != '\0')
        conform_breach(c, CONFORM_STDIO,
                       "the plugin wrote to standard %s (check %s): what it has to say goes to host->log",
                       words[0] != '\0' ? "output" : "error", name);
    tenuo_wipe(said, READ_MAX);
    tenuo_wipe(words, READ_MAX);
    free(line);
    free(said);
    free(words);
}

static void judge_end(struct conform *c, bool in_time, int status, struct conform_verdict *v)
{
    const char *what = c->shared->what[0] != '\0' ? c->shared->what : "dlopen";
    bool within = atomic_load(&c->shared->active) > 0;
    if (!in_time && within)
        conform_fail(v, "%s did not come back within %u ms: bound it by host->deadline()", what, patience_ms(c));
    else if (!in_time)
        conform_fail(v, "it did not end within %u s; the last call was %s", CHECK_MAX_MS / 1000, what);
    else if (WIFSIGNALED(status))
        conform_fail(v, "the process died of %s %s %s: run this command under a debugger (set follow-fork-mode child)",
                     strsignal(WTERMSIG(status)), within ? "in" : "after", what);
    else if (!atomic_load(&c->shared->done))
        conform_fail(v, "the plugin ended the process (exit status %d) %s %s: return a code, never call exit()",
                     WEXITSTATUS(status), within ? "in" : "after", what);
}

void conform_run(struct conform *c, const struct conform_check *check, struct conform_verdict *ret)
{
    int out = capture("stdout"), err = capture("stderr"), status = 0;
    atomic_store(&c->shared->done, false);
    atomic_store(&c->shared->active, 0);
    atomic_store(&c->shared->moved, conform_clock_ms());
    memset(&c->shared->verdict, 0, sizeof c->shared->verdict);
    c->shared->what[0] = '\0';
    fflush(NULL);
    pid_t pid = fork();
    if (pid == 0)
        in_child(c, check, out, err);
    if (pid < 0) {
        conform_fail(ret, "no process could be started: %s", strerror(errno));
    } else {
        setpgid(pid, pid);
        bool in_time = await(c, pid, &status);
        kill(-pid, SIGKILL); /* whatever the plugin started */
        *ret = c->shared->verdict;
        ret->text[CONFORM_TEXT - 1] = '\0';
        judge_output(c, check->name, out, err, ret);
        judge_end(c, in_time, status, ret);
    }
    close(out);
    close(err);
}
