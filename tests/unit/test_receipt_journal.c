/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The audit sink "receipt", loaded as the library would: one run of receipts over restarts, processes, rotation, dead
 * writers and full disks; what it cannot keep it refuses.
 */
#include <dirent.h>
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <tenuo/tenuo.h>

#include "mock_host.h"
#include "stage.h"
#include "tap.h"

static const struct tenuo_audit_ops *ops;
static struct tenuo_signer *signer;
static struct tenuo_host host;
static int64_t clock_now;
static uint32_t time_left = 5000;

/* Warnings so far, and the last of them. */
static unsigned warnings;
static char warned[1024];

TENUO_PRINTF(3, 4) static void fake_log(const struct tenuo_host *h, int level, const char *fmt, ...)
{
    va_list ap;
    (void)h;
    if (level != TENUO_LOG_WARNING)
        return;
    warnings++;
    va_start(ap, fmt);
    vsnprintf(warned, sizeof warned, fmt, ap);
    va_end(ap);
}

static int64_t fake_now(void)
{
    return clock_now != 0 ? clock_now : mock_now();
}

static uint32_t fake_deadline(const struct tenuo_host *h)
{
    (void)h;
    static uint32_t asked;
    return time_left == 0 ? (++asked % 20 == 0 ? 0 : 1) : time_left;
}

struct want {
    const char *path, *denials, *fsync, *max_size, *max_age, *keep, *keep_denials;
};

static struct tenuo_arg arg(const char *name, const char *value, uint64_t number)
{
    return (struct tenuo_arg){ name, value, value != NULL ? number : 0 };
}

static uint64_t decimal(const char *s)
{
    return s == NULL ? 0 : strtoull(s, NULL, 10);
}

static int open_sink(const struct want *w, void **ret)
{
    struct tenuo_arg args[] = { arg("path", w->path, 0),
                                arg("denials", w->denials, 0),
                                arg("fsync", w->fsync, w->fsync != NULL && strcmp(w->fsync, "yes") == 0),
                                arg("max_size", w->max_size, decimal(w->max_size)),
                                arg("max_age", w->max_age, decimal(w->max_age) * 1000),
                                arg("keep", w->keep, decimal(w->keep)),
                                arg("keep_denials", w->keep_denials, decimal(w->keep_denials)) };
    mock_said[0] = '\0';
    return ops->open(&host, args, sizeof args / sizeof args[0], ret);
}

static void *opened(const struct want *w)
{
    void *self = NULL;
    int r = open_sink(w, &self);
    if (r != TENUO_OK) {
        printf("Bail out! %d %s\n", r, mock_said);
        exit(1);
    }
    return self;
}

/* What the host would do. */
struct making {
    size_t chain_len;
    int allow, fail, slow_ms;
    uint8_t *bytes;
    size_t len;
};

static uint8_t big_chain[262144];

static int make(const struct tenuo_receipt_job *job, const uint8_t *prev, const uint8_t **ret_bytes, size_t *ret_len)
{
    static const uint8_t pop[64] = { 9 };
    struct making *m = job->priv;
    struct tenuo_receipt_fields f = { .size = sizeof f, .allow = m->allow, .tool = "t", .tool_len = 1,
                                      .timestamp = 1, .request_id = "r", .request_id_len = 1,
                                      .pop_signature = m->allow ? pop : NULL,
                                      .decision_code = m->allow ? NULL : "replayed", .decision_code_len = 8,
                                      .prev_receipt_hash = prev,
                                      .warrant_chain = m->chain_len != 0 ? big_chain : NULL,
                                      .warrant_chain_len = m->chain_len };
    if (m->fail != 0)
        return m->fail;
    usleep((useconds_t)m->slow_ms * 1000);
    int r = tenuo_receipt_sign(&f, signer, &m->bytes, &m->len, NULL);
    *ret_bytes = m->bytes;
    *ret_len = m->len;
    return r;
}

static int put_with(void *self, int allow, size_t chain_len, int fail)
{
    struct making m = { .allow = allow, .chain_len = chain_len, .fail = fail };
    struct tenuo_receipt_job job = { .size = sizeof job, .allow = allow, .make = make, .priv = &m };
    mock_said[0] = '\0';
    int r = ops->receipt(self, &job);
    free(m.bytes);
    return r;
}

static int put(void *self)
{
    return put_with(self, 1, 0, 0);
}

/* ---- reading back ---- */

struct run {
    struct tenuo_receipt_chain *chain;
    unsigned bad_lines, bad_links;
};

static void read_line(struct run *run, const char *line)
{
    const char *hex = strstr(line, "\"receipt\":\"");
    static uint8_t bytes[TENUO_RECEIPT_MAX_BYTES];
    struct tenuo_receipt *r = NULL;
    size_t n = 0;
    if (hex == NULL || sodium_hex2bin(bytes, sizeof bytes, hex + 11, strcspn(hex + 11, "\""), NULL, &n, NULL) != 0 ||
        tenuo_receipt_parse(bytes, n, &r, NULL) != TENUO_OK) {
        run->bad_lines++;
        return;
    }
    run->bad_links += tenuo_receipt_chain_add(run->chain, r, NULL) != TENUO_OK;
    tenuo_receipt_free(r);
}

static void read_file(struct run *run, const char *path)
{
    size_t len = 0;
    char *text = stage_read(path, &len), *save = NULL;
    if (text == NULL)
        return;
    for (char *p = strtok_r(text, "\n", &save); p != NULL; p = strtok_r(NULL, "\n", &save))
        read_line(run, p);
    free(text);
}

static unsigned full_files(const char *path)
{
    char name[1200];
    unsigned n = 0;
    for (unsigned i = 1; i < 100; i++) {
        snprintf(name, sizeof name, "%s.%08u", path, i);
        n += access(name, F_OK) == 0;
    }
    return n;
}

/* All files in order; the count, or the negative number of what is wrong. */
static long count_run(const char *path)
{
    struct run run = { 0 };
    char name[1200];
    if (tenuo_receipt_chain_new(tenuo_signer_public_key(signer), NULL, &run.chain, NULL) != TENUO_OK)
        return -1000;
    for (unsigned i = 1; i < 100; i++) {
        snprintf(name, sizeof name, "%s.%08u", path, i);
        read_file(&run, name);
    }
    read_file(&run, path);
    long count = (long)tenuo_receipt_chain_count(run.chain);
    tenuo_receipt_chain_free(run.chain);
    if (run.bad_lines != 0 || run.bad_links != 0)
        printf("# %u bad lines, %u bad links\n", run.bad_lines, run.bad_links);
    return run.bad_links != 0 || run.bad_lines != 0 ? -1 - (long)run.bad_links : count;
}

static off_t size_of(const char *path)
{
    struct stat st;
    return stat(path, &st) == 0 ? st.st_size : -1;
}

static void append_text(const char *path, const char *text)
{
    int fd = open(path, O_WRONLY | O_APPEND | O_CLOEXEC);
    if (fd < 0 || write(fd, text, strlen(text)) != (ssize_t)strlen(text))
        stage_die(path);
    close(fd);
}

/* ---- tests ---- */

static void check_one_run(void)
{
    struct want w = { .path = stage_path("run") };
    struct stat st;
    void *self = opened(&w);
    ok(put(self) == 0 && put(self) == 0, "two receipts");
    ops->close(self);
    self = opened(&w);
    is_int(put(self), 0, "one more after a restart");
    is_int(put_with(self, 0, 0, 0), 0, "a denial");
    ops->close(self);
    is_int(count_run(w.path), 3, "the allows are one run");
    is_int(count_run(stage_path("run.denied")), 1, "the denials are another one");
    ok(stat(w.path, &st) == 0 && (st.st_mode & 07777) == 0600, "0600");
}

static void check_make_fails(void)
{
    struct want w = { .path = stage_path("failing") };
    void *self = opened(&w);
    is_int(put(self), 0, "a receipt");
    off_t before = size_of(w.path);
    is_int(put_with(self, 1, 0, TENUO_E_UNAVAILABLE), TENUO_E_UNAVAILABLE, "a key store that is away is handed on");
    is_int(size_of(w.path), before, "and nothing is written");
    is_int(put(self), 0, "the journal is free again");
    is_int(count_run(w.path), 2, "and whole");
    ops->close(self);
}

static void check_torn(void)
{
    struct want w = { .path = stage_path("torn") };
    void *self = opened(&w);
    is_int(put(self), 0, "a receipt");
    append_text(w.path, "{\"written\":1,\"receipt\":\"a46f72656365");
    is_int(put(self), 0, "half a line is removed");
    is_int(count_run(w.path), 2, "and the run goes on from the last whole one");
    append_text(w.path, "what a disk left\n\n{\"written\":1,\"receipt\":\"00\"}\n");
    is_int(put(self), 0, "lines that are no receipts are passed over");
    is_int(count_run(w.path), -1, "though they stay where they are");
    ops->close(self);
}

/* What stands in a file after the sink has been told to use it. */
static bool still_has(const char *path, const char *text)
{
    size_t len = 0;
    char *now = stage_read(path, &len);
    bool same = now != NULL && len == strlen(text) && memcmp(now, text, len) == 0;
    free(now);
    return same;
}

static void check_foreign(void)
{
    static const char *const texts[] = {
        "nothing\n",
        "line one\nprecious last line without newline",
        "one line without newline",
        "line one\n{\"written\":1,\"receipt\":\"a46f72",
        "{\"written\":1,\"receipt\":\"00\"}\nlast",
        "{ \"written\":1",
    };
    char name[32];
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        snprintf(name, sizeof name, "foreign-%zu", i);
        struct want w = { .path = stage_write(name, texts[i], strlen(texts[i]), 0600), .max_age = "1" };
        void *self = NULL;
        is_int(open_sink(&w, &self), TENUO_E_SYSTEM, "%s is no journal: %s", name, mock_said);
        ok(still_has(w.path, texts[i]), "nor is it touched");
    }
    struct want w = { .path = stage_path("foreign-later") };
    void *self = opened(&w);
    stage_write("foreign-later", texts[1], strlen(texts[1]), 0600);
    is_int(put(self), TENUO_E_AUDIT_REFUSED, "nor what comes to be there later: %s", mock_said);
    ok(still_has(w.path, texts[1]), "as it was");
    ops->close(self);
}

/* A process died over the first line. */
static void check_torn_first(void)
{
    static const char first[] = "{\"written\":1,\"receipt\":\"a46f72", second[] = "{";
    struct want w = { .path = stage_write("half", first, strlen(first), 0600) };
    void *self = opened(&w);
    is_int(put(self), 0, "half a first line is no receipt");
    is_int(count_run(w.path), 1, "and gone from the journal");
    ok(still_has(stage_path("half.torn.1"), first), "but not lost");
    stage_write("half", second, strlen(second), 0600);
    is_int(put(self), 0, "once more");
    ok(still_has(stage_path("half.torn.1"), first) && still_has(stage_path("half.torn.2"), second), "both are kept");
    ops->close(self);
}

static void check_trust(void)
{
    struct want w = { .path = stage_path("open-dir/journal") };
    void *self = NULL;
    stage_mkdir("open-dir", 0777);
    is_int(open_sink(&w, &self), TENUO_E_CONF, "a directory that others may write is refused: %s", mock_said);
    w.path = stage_path("link");
    ok(symlink(stage_path("run"), w.path) == 0 && open_sink(&w, &self) == TENUO_E_SYSTEM, "so is a link: %s",
       mock_said);
    ok(strstr(mock_said, "is a symbolic link") != NULL && strstr(mock_said, "levels") == NULL, "by that name");
    w.path = stage_path("missing/journal");
    ok(open_sink(&w, &self) != 0, "a missing directory: %s", mock_said);
    w.path = stage_write("writable", "", 0, 0666);
    is_int(open_sink(&w, &self), TENUO_E_CONF, "a file that others may write: %s", mock_said);
    w = (struct want){ .path = stage_path("same"), .denials = stage_path("same") };
    is_int(open_sink(&w, &self), TENUO_E_CONF, "one file for both: %s", mock_said);
    w.denials = "relative";
    is_int(open_sink(&w, &self), TENUO_E_CONF, "a relative name: %s", mock_said);
    w.denials = "no";
    is_int(open_sink(&w, &self), 0, "no denials");
    is_int(put_with(self, 0, 0, 0), 0, "are let go");
    ops->close(self);
}

/* A signer is its process's own. */
static void make_signer(void)
{
    uint8_t seed[32] = { 4 };
    if (tenuo_signer_from_seed(seed, &signer, NULL) != TENUO_OK)
        stage_die("signer");
}

static int in_children(unsigned children, int (*run)(void *arg, unsigned child), void *arg)
{
    int bad = 0;
    for (unsigned i = 0; i < children; i++) {
        pid_t pid = fork();
        if (pid == 0)
            _exit(run(arg, i));
        bad += pid < 0;
    }
    for (unsigned i = 0; i < children; i++) {
        int status = 0;
        if (wait(&status) < 0 || status != 0)
            bad++;
    }
    return bad;
}

struct work {
    struct want want;
    unsigned count;
    size_t chain_len;
};

static int write_many(void *arg, unsigned child)
{
    const struct work *w = arg;
    void *self = opened(&w->want);
    int bad = 0;
    (void)child;
    make_signer();
    for (unsigned i = 0; i < w->count; i++)
        bad += put_with(self, 1, w->chain_len, 0) != 0;
    ops->close(self);
    return bad != 0;
}

static void check_processes(void)
{
    struct work w = { .want = { .path = stage_path("shared"), .fsync = "no" }, .count = 150 };
    is_int(in_children(4, write_many, &w), 0, "four processes write one journal");
    is_int(count_run(w.want.path), 600, "one run of all their receipts");
}

static void check_rotation(void)
{
    struct work w = { .want = { .path = stage_path("turning"), .fsync = "no", .max_size = "1" },
                      .count = 8,
                      .chain_len = 200000 };
    is_int(in_children(3, write_many, &w), 0, "three processes write past the size of a file");
    is_int(count_run(w.want.path), 24, "one run over all files");
    ok(full_files(w.want.path) >= 5, "%u full files", full_files(w.want.path));
    w.want.keep = "2";
    w.count = 8;
    is_int(in_children(1, write_many, &w), 0, "with a number of files to keep");
    is_int(full_files(w.want.path), 2, "older ones go");
}

static void check_age(void)
{
    struct want w = { .path = stage_path("aging"), .max_age = "3600" };
    clock_now = 1700000000;
    void *self = opened(&w);
    ok(put(self) == 0 && put(self) == 0, "two receipts");
    clock_now += 3599;
    is_int(put(self), 0, "one just in time");
    is_int(full_files(w.path), 0, "no new file yet");
    clock_now += 1;
    is_int(put(self), 0, "one an hour after the first");
    is_int(full_files(w.path), 1, "begins a new file");
    is_int(count_run(w.path), 4, "that links to the last");
    clock_now = 0;
    ok(unlink(w.path) == 0 && put(self) == 0, "a crash between rename and new file");
    is_int(count_run(w.path), 4, "does not begin a new run");
    ops->close(self);
}

/* Two more receipts of a running program, and what it logs. */
static void put_two(void *self, unsigned expected, const char *what)
{
    warnings = 0;
    ok(put(self) == 0 && put(self) == 0, "after a journal that %s", what);
    is_int(warnings, expected, "%u warning: %s", expected, expected == 0 ? "" : warned);
}

static void check_taken_away(void)
{
    struct want w = { .path = stage_path("taken"), .max_age = "3600" }, other = w;
    const char *old = stage_path("taken.old"), *gone = stage_path("taken.gone");
    void *self = opened(&w);
    put_two(self, 0, "was empty");
    ok(rename(w.path, old) == 0, "another program renames it");
    put_two(self, 1, "was renamed");
    ok(unlink(w.path) == 0, "and removes it");
    put_two(self, 1, "was removed");
    ok(truncate(w.path, 0) == 0, "and cuts it");
    put_two(self, 1, "was cut");
    ok(rename(w.path, gone) == 0, "and renames it");
    void *second = opened(&other);
    is_int(put(second), 0, "where another process comes first");
    put_two(self, 1, "another process began");
    clock_now = mock_now() + 3600;
    put_two(self, 0, "got old");
    is_int(full_files(w.path), 1, "which began a new file");
    put_two(second, 0, "another process retired");
    ok(rename(w.path, gone) == 0, "it is renamed, with a full one before it");
    put_two(second, 1, "was renamed then");
    clock_now = 0;
    ops->close(self);
    ops->close(second);
}

static void limit_size(rlim_t n)
{
    struct rlimit lim;
    getrlimit(RLIMIT_FSIZE, &lim);
    lim.rlim_cur = n;
    setrlimit(RLIMIT_FSIZE, &lim);
}

static void check_full_disk(void)
{
    struct want w = { .path = stage_path("full") };
    void *self = opened(&w);
    is_int(put(self), 0, "a receipt");
    off_t before = size_of(w.path);
    signal(SIGXFSZ, SIG_IGN);
    limit_size((rlim_t)before + 100);
    is_int(put(self), TENUO_E_AUDIT_REFUSED, "half of one has room: %s", mock_said);
    is_int(size_of(w.path), before, "and is taken out again");
    limit_size((rlim_t)before);
    is_int(put(self), TENUO_E_AUDIT_REFUSED, "none has: %s", mock_said);
    limit_size(RLIM_INFINITY);
    is_int(put(self), 0, "there is room again");
    is_int(count_run(w.path), 2, "the run is whole");
    ops->close(self);
}

static int write_forever(void *arg)
{
    void *self = opened(arg);
    make_signer();
    for (;;)
        (void)put_with(self, 1, 40000, 0);
    return 0;
}

static void check_killed(void)
{
    struct want w = { .path = stage_path("killed"), .fsync = "no" };
    unsigned good = 0;
    for (unsigned i = 0; i < 12; i++) {
        pid_t pid = fork();
        if (pid == 0)
            _exit(write_forever(&w));
        usleep(4000 + 700 * i);
        kill(pid, SIGKILL);
        waitpid(pid, NULL, 0);
        void *self = opened(&w);
        good += put(self) == 0;
        ops->close(self);
    }
    is_int(good, 12, "after each writer that was killed the next one goes on");
    ok(count_run(w.path) >= 12, "in one run of %ld receipts", count_run(w.path));
}

static void check_held(void)
{
    struct want w = { .path = stage_path("held") };
    struct flock whole = { .l_type = F_WRLCK, .l_whence = SEEK_SET };
    void *self = opened(&w);
    int fd = open(stage_path("held.lock"), O_RDWR | O_CLOEXEC);
    ok(fd >= 0 && fcntl(fd, F_OFD_SETLK, &whole) == 0, "somebody holds the journal");
    time_left = 0;
    is_int(put(self), TENUO_E_UNAVAILABLE, "nobody waits past the deadline: %s", mock_said);
    time_left = 5000;
    close(fd);
    is_int(put(self), 0, "then it goes on");
    ops->close(self);
}

static long now_ms(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

/* A denial that takes 600 ms to sign. */
static void *deny_slowly(void *self)
{
    struct making m = { .slow_ms = 600 };
    struct tenuo_receipt_job job = { .size = sizeof job, .make = make, .priv = &m };
    long r = ops->receipt(self, &job);
    free(m.bytes);
    return (void *)r;
}

static void check_flood(void)
{
    struct want w = { .path = stage_path("flood") };
    struct making m = { .slow_ms = 0 };
    struct tenuo_receipt_job must = { .size = sizeof must, .must = 1, .make = make, .priv = &m };
    pthread_t thread;
    void *self = opened(&w), *result = NULL;
    ok(pthread_create(&thread, NULL, deny_slowly, self) == 0, "a denial that is slow to sign");
    usleep(100000);
    long began = now_ms();
    is_int(put(self), 0, "holds up no allow");
    ok(now_ms() - began < 300, "within 300 ms: %ld", now_ms() - began);
    began = now_ms();
    is_int(put_with(self, 0, 0, 0), TENUO_E_UNAVAILABLE, "other denials do not wait for it long");
    ok(now_ms() - began < 300, "within 300 ms: %ld", now_ms() - began);
    is_int(ops->receipt(self, &must), 0, "one that an answer hangs on does");
    free(m.bytes);
    pthread_join(thread, &result);
    is_int((long)result, 0, "the slow one is kept");
    is_int(count_run(stage_path("flood.denied")), 2, "the run is whole");
    ops->close(self);
}

int main(int argc, char **argv)
{
    if (sodium_init() < 0)
        return 1;
    make_signer();
    host = mock_host;
    host.log = fake_log;
    host.now = fake_now;
    host.deadline = fake_deadline;
    ops = mock_load("receipt", argc, argv)->audit;
    stage_begin();
    check_one_run();
    check_make_fails();
    check_torn();
    check_foreign();
    check_torn_first();
    check_trust();
    check_processes();
    check_rotation();
    check_age();
    check_taken_away();
    check_full_disk();
    check_killed();
    check_held();
    check_flood();
    stage_end();
    tenuo_signer_free(signer);
    return done_testing();
}
