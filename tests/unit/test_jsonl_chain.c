/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The chain of the sink jsonl, loaded as the library would: many processes, deaths in the middle, stopped lock holders,
 * rotation under load, damaged ends, lost ledgers, keys that do not sign. What `tenuo audit verify` makes of logs is
 * tested apart (tests/audit); here each line is held against the one before by the same few rules, written anew.
 */
#include <errno.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>

#include "../../common/audit_link.h"
#include "mock_host.h"
#include "stage.h"
#include "tap.h"

static const struct tenuo_audit_ops *ops;
static unsigned deadline_ms = 5000;
static int sign_code;
static unsigned signed_times;
static atomic_uint *slow_signatures; /* of all processes; NULL: signing takes no time */

static uint32_t short_deadline(const struct tenuo_host *host)
{
    static _Thread_local uint64_t began;
    struct timespec ts;
    (void)host;
    clock_gettime(CLOCK_MONOTONIC, &ts);
    uint64_t now = (uint64_t)ts.tv_sec * 1000 + (uint64_t)ts.tv_nsec / 1000000;
    if (began == 0 || now - began > 10000)
        began = now;
    if (now - began < deadline_ms)
        return (uint32_t)(deadline_ms - (now - began));
    began = 0;
    return 0;
}

static int fake_sign(const struct tenuo_host *host, const char *key_id, const uint8_t head[32], uint64_t count,
                     uint8_t ret_public_key[32], uint8_t ret_signature[64])
{
    (void)host, (void)key_id, (void)head, (void)count;
    memset(ret_public_key, 1, 32);
    memset(ret_signature, 2, 64);
    signed_times += sign_code == 0;
    if (slow_signatures != NULL) {
        atomic_fetch_add(slow_signatures, 1);
        nanosleep(&(struct timespec){ .tv_nsec = 30000000 }, NULL);
    }
    return sign_code;
}

static int64_t clock_offset;

static int64_t shifted_now(void)
{
    return (int64_t)time(NULL) + clock_offset;
}

static struct tenuo_host host;

struct options {
    uint64_t every, backlog, max_size, max_age, keep;
    bool key;
};

static void *open_sink(const char *path, struct options o, int *ret_code)
{
    struct tenuo_arg args[10] = { { "path", path, 0 },
                                  { "mode", NULL, 0 },
                                  { "fsync", NULL, 0 },
                                  { "chain", "yes", 1 },
                                  { "checkpoint_key", o.key ? "ck" : NULL, 0 },
                                  { "checkpoint_every", o.every ? "n" : NULL, o.every },
                                  { "checkpoint_backlog", o.backlog ? "n" : NULL, o.backlog },
                                  { "max_size", o.max_size ? "n" : NULL, o.max_size },
                                  { "max_age", o.max_age ? "n" : NULL, o.max_age },
                                  { "keep", o.keep ? "n" : NULL, o.keep } };
    void *self = NULL;
    host = mock_host;
    host.deadline = short_deadline;
    host.sign_checkpoint = fake_sign;
    host.now = shifted_now;
    mock_said[0] = '\0';
    *ret_code = ops->open(&host, args, 10, &self);
    return self;
}

static void *opened(const char *path, struct options o)
{
    int code;
    void *self = open_sink(path, o, &code);
    if (code != TENUO_OK) {
        printf("Bail out! open: %d %s\n", code, mock_said);
        exit(1);
    }
    return self;
}

static int put(void *self, const char *id)
{
    const struct tenuo_audit_event e = {
        .size = sizeof e, .time_ns = 1893456000000000007, .decision_id = id, .service = "shop", .decision = "allow",
        .code_name = "", .step = "done", .reason = "", .warrant_id = "", .root = "", .holder = "", .tool = "t",
        .field = "", .args_sha256 = "", .args_json = "", .request_id = "", .message = "allowed", .peer_uid = -1,
        .peer_pid = -1
    };
    return ops->decision(self, &e);
}

/* What a log says about itself. */
struct log {
    uint64_t lines, decisions, bad, checkpoints, recoveries, starts;
    struct tn_link last;
};

static void read_line(struct log *l, const char *line, size_t n)
{
    struct tn_link link;
    l->lines++;
    if (!tn_link_read(line, n, &link) || !tn_link_holds(line, n, &link)) {
        l->bad++;
        return;
    }
    if (link.seq != l->last.seq + 1 || memcmp(link.prev, l->last.hash, 32) != 0)
        l->bad++;
    l->last = link;
    char *copy = strndup(line, n);
    l->checkpoints += strstr(copy, "\"event\":\"checkpoint\"") != NULL;
    l->recoveries += strstr(copy, "\"event\":\"recovery\"") != NULL;
    l->starts += strstr(copy, "\"event\":\"start\"") != NULL;
    l->decisions += strstr(copy, "\"decision\":") != NULL;
    free(copy);
}

static void read_file(struct log *l, const char *path)
{
    size_t len = 0;
    char *text = stage_read(path, &len);
    for (char *p = text, *end; text != NULL && p < text + len; p = end + 1) {
        end = memchr(p, '\n', (size_t)(text + len - p));
        if (end == NULL)
            end = text + len;
        read_line(l, p, (size_t)(end - p));
    }
    free(text);
}

/* PATH.N ... PATH.1 PATH */
static struct log read_log(const char *path)
{
    struct log l = { 0 };
    char name[1200];
    for (int i = 99; i > 0; i--) {
        snprintf(name, sizeof name, "%s.%d", path, i);
        if (access(name, F_OK) == 0)
            read_file(&l, name);
    }
    read_file(&l, path);
    return l;
}

static void check_link_form(void)
{
    char line[512] = "{\"a\":\"\\\",\\\"hash\\\":\\\"\"";
    struct tn_link link = { .seq = 7 }, got;
    memset(link.prev, 0xab, 32);
    size_t n = tn_link_close(line, strlen(line), &link);
    is_int(line[n - 1], '\n', "ends with a newline");
    ok(tn_link_read(line, n - 1, &got) && got.seq == 7 && memcmp(&got, &link, sizeof got) == 0, "read back");
    ok(tn_link_holds(line, n - 1, &got), "and it holds");
    size_t found = 0;
    for (size_t i = 0; i + 1 < n; i++) { /* each byte matters, but for those of the hash itself, which then differ */
        line[i] ^= 1;
        found += !tn_link_read(line, n - 1, &got) || !tn_link_holds(line, n - 1, &got);
        line[i] ^= 1;
    }
    is_int((long long)found, (long long)n - 1, "every changed byte is noticed");
    for (size_t i = 0; i < n - 1; i++)
        if (tn_link_read(line, i, &got) && tn_link_holds(line, i, &got))
            found = 0;
    ok(found != 0, "no shorter line is a record");
    ok(!tn_link_read("{}", 2, &got) && !tn_link_read("", 0, &got), "short lines are none");
    struct tn_link most = { .seq = UINT64_MAX };
    strcpy(line, "{\"a\":1");
    n = tn_link_close(line, strlen(line), &most);
    ok(tn_link_read(line, n - 1, &got) && got.seq == UINT64_MAX, "the largest number");
    ok(n - strlen("{\"a\":1") <= TN_LINK_MAX, "fits the room that is promised");
}

static void check_alone(void)
{
    const char *path = stage_path("alone");
    void *self = opened(path, (struct options){ .key = true, .every = 5 });
    sign_code = 0;
    signed_times = 0;
    for (int i = 0; i < 12; i++)
        is_int(put(self, "x"), TENUO_OK, "record %d", i);
    ops->close(self);
    struct log l = read_log(path);
    is_int((long long)l.bad, 0, "one chain");
    is_int((long long)l.decisions, 12, "all records");
    is_int((long long)l.starts, 1, "one beginning");
    ok(l.checkpoints >= 3 && l.checkpoints <= 4 && l.checkpoints == signed_times,
       "checkpoints: %llu, the last at the end", (unsigned long long)l.checkpoints);
    self = opened(path, (struct options){ .key = true });
    is_int(put(self, "y"), TENUO_OK, "another process goes on");
    ops->close(self);
    l = read_log(path);
    is_int((long long)l.bad, 0, "still one chain");
    is_int((long long)l.starts, 1, "with one beginning");
}

static void check_keys(void)
{
    const char *path = stage_path("keys");
    void *self = opened(path, (struct options){ .key = true, .every = 2, .backlog = 6 });
    int refused = 0;
    sign_code = TENUO_E_UNAVAILABLE;
    for (int i = 0; i < 8; i++)
        refused += put(self, "x") != TENUO_OK;
    ok(refused >= 2 && refused <= 4, "refuses when too much is unsigned: %d, %s", refused, mock_said);
    ok(strstr(mock_said, "without a checkpoint") != NULL, "and says why");
    sign_code = 0;
    ops->close(self);
    struct log l = read_log(path);
    is_int((long long)l.decisions, 8, "but every record is there");
    is_int((long long)l.checkpoints, 1, "signed when it closes");
    self = opened(path, (struct options){ .key = true, .every = 2, .backlog = 6 });
    is_int(put(self, "y"), TENUO_OK, "and all is well again");
    ops->close(self);
}

static void append_bytes(const char *path, const char *text)
{
    FILE *f = fopen(path, "a");
    fputs(text, f);
    fclose(f);
}

static void check_damage(void)
{
    const char *path = stage_path("damage");
    void *self = opened(path, (struct options){ 0 });
    char head[1200];
    struct stat st;
    for (int i = 0; i < 4; i++)
        (void)put(self, "x");
    append_bytes(path, "{\"time\":\"half");
    is_int(put(self, "x"), TENUO_OK, "behind a torn line");
    struct log l = read_log(path);
    is_int((long long)l.bad, 1, "the torn line alone is bad");
    is_int((long long)l.recoveries, 1, "and is told");
    append_bytes(path, "{\"somebody\":\"else\"}\n");
    is_int(put(self, "x"), TENUO_OK, "behind a foreign line");
    l = read_log(path);
    is_int((long long)l.bad, 2, "which is bad");
    is_int((long long)l.recoveries, 2, "and told");
    (void)stat(path, &st);
    ok(truncate(path, st.st_size - 400) == 0, "the end is cut off");
    is_int(put(self, "x"), TENUO_OK, "goes on");
    l = read_log(path);
    is_int((long long)l.recoveries, 2 + (l.lines > 0), "told");
    snprintf(head, sizeof head, "%s.head", path);
    ok(unlink(head) == 0, "the ledger is lost");
    ops->close(self);
    self = opened(path, (struct options){ 0 });
    is_int(put(self, "x"), TENUO_OK, "goes on from the log's end");
    ops->close(self);
    stage_text("damage.head", "rubbish");
    self = opened(path, (struct options){ 0 });
    is_int(put(self, "x"), TENUO_E_AUDIT_REFUSED, "a damaged ledger refuses: %s", mock_said);
    ok(strstr(mock_said, "damage.head") != NULL && strstr(mock_said, "remove") != NULL, "with a remedy");
    ops->close(self);
}

/* After a power failure the disk may have an older ledger than log. `rows` records are behind it. */
static void check_head_behind(int rows, const char *torn, bool rotated)
{
    const char *path = stage_path("behind");
    char head[1200], name[1200];
    snprintf(head, sizeof head, "%s.head", path);
    snprintf(name, sizeof name, "%s.1", path);
    (void)unlink(path), (void)unlink(head), (void)unlink(name);
    void *self = opened(path, (struct options){ 0 });
    is_int(put(self, "x"), TENUO_OK, "a record");
    size_t len = 0;
    char *old = stage_read(head, &len);
    for (int i = 0; i < rows; i++)
        (void)put(self, "x");
    ops->close(self);
    stage_write("behind.head", old, len, 0640);
    free(old);
    append_bytes(path, torn);
    if (rotated)
        ok(rename(path, name) == 0, "rotated by somebody else");
    self = opened(path, (struct options){ 0 });
    is_int(put(self, "y"), TENUO_OK, "goes on: %s", mock_said);
    ops->close(self);
    struct log l = read_log(path);
    is_int((long long)l.bad, torn[0] != '\0', "one chain, but for what was torn");
    is_int((long long)l.decisions, 2 + rows, "with every record");
    is_int((long long)l.recoveries, torn[0] != '\0' || rows > 1, "and told");
}

/* Who cuts off the end together with the ledger's memory of it is found out by a program that goes on. */
static void check_cut_with_head(void)
{
    const char *path = stage_path("cut");
    char head[1200];
    size_t len = 0, head_len = 0;
    void *self = opened(path, (struct options){ 0 }), *other = opened(path, (struct options){ 0 });
    snprintf(head, sizeof head, "%s.head", path);
    for (int i = 0; i < 4; i++)
        is_int(put(i % 2 ? other : self, "x"), TENUO_OK, "a record");
    is_int((long long)read_log(path).recoveries, 0, "two programs take turns");
    char *text = stage_read(path, &len), *ledger = stage_read(head, &head_len);
    for (int i = 0; i < 3; i++)
        (void)put(self, "x");
    stage_write("cut.head", ledger, head_len, 0640);
    ok(truncate(path, (off_t)len) == 0, "the end is cut off, the ledger rewritten");
    free(text);
    free(ledger);
    is_int(put(other, "x"), TENUO_OK, "who wrote before that goes on");
    is_int((long long)read_log(path).recoveries, 0, "and sees nothing");
    is_int(put(self, "x"), TENUO_OK, "who wrote what was cut goes on");
    is_int(put(self, "x"), TENUO_OK, "twice");
    struct log l = read_log(path);
    is_int((long long)l.recoveries, 1, "and says so once");
    is_int((long long)l.bad, 0, "in one chain");
    ops->close(self);
    ops->close(other);
}

/* Somebody's records are not taken for ours: they show. */
static void check_strange_records(void)
{
    const char *path = stage_path("strange"), *other = stage_path("other");
    size_t len = 0;
    void *self = opened(path, (struct options){ 0 }), *theirs = opened(other, (struct options){ 0 });
    for (int i = 0; i < 9; i++)
        is_int(i < 3 ? put(self, "x") : put(theirs, "x"), TENUO_OK, "a record");
    ops->close(theirs);
    char *text = stage_read(other, &len);
    stage_write("strange", text, len, 0640);
    free(text);
    is_int(put(self, "y"), TENUO_OK, "goes on");
    ops->close(self);
    struct log l = read_log(path);
    ok(l.bad >= 1 && l.recoveries == 1, "another log's records are no longer log of ours: %llu",
       (unsigned long long)l.bad);
}

/* A process that could not close a torn line must not close it when another one did. */
static void check_torn_twice(void)
{
    const char *path = stage_path("twice");
    struct rlimit limit, small;
    struct stat st;
    void *self = opened(path, (struct options){ 0 }), *other = opened(path, (struct options){ 0 });
    is_int(put(self, "x"), TENUO_OK, "a record");
    append_bytes(path, "half");
    (void)stat(path, &st);
    (void)getrlimit(RLIMIT_FSIZE, &limit);
    small = limit;
    small.rlim_cur = (rlim_t)st.st_size;
    (void)signal(SIGXFSZ, SIG_IGN);
    (void)setrlimit(RLIMIT_FSIZE, &small);
    is_int(put(self, "x"), TENUO_E_AUDIT_REFUSED, "no room: %s", mock_said);
    (void)setrlimit(RLIMIT_FSIZE, &limit);
    is_int(put(other, "x"), TENUO_OK, "another process has");
    is_int(put(self, "x"), TENUO_OK, "and so has the first one");
    ops->close(self);
    ops->close(other);
    struct log l = read_log(path);
    is_int((long long)l.bad, 1, "the torn line alone is bad");
    is_int((long long)l.decisions, 3, "and nothing is lost");
}

static void check_head_lost(void)
{
    const char *path = stage_path("lost");
    char head[1200], name[1200];
    void *self = opened(path, (struct options){ 0 });
    snprintf(head, sizeof head, "%s.head", path);
    snprintf(name, sizeof name, "%s.1", path);
    is_int(put(self, "x"), TENUO_OK, "a record");
    append_bytes(path, "half a line");
    ok(unlink(head) == 0, "the ledger is lost behind a torn line");
    is_int(put(self, "x"), TENUO_OK, "goes on");
    ok(unlink(head) == 0 && rename(path, name) == 0, "and once more, with a rotation");
    is_int(put(self, "x"), TENUO_OK, "goes on");
    ops->close(self);
    struct log l = read_log(path);
    is_int((long long)l.bad, 1, "one chain, but for what was torn");
    is_int((long long)l.starts, 1, "begun once");
    is_int((long long)l.recoveries, 2, "and told");
}

/* What the message about a damaged ledger tells to do, with programs that go on meanwhile. */
static void check_head_removed(void)
{
    const char *path = stage_path("removed");
    char head[1200];
    void *first = opened(path, (struct options){ 0 }), *second;
    snprintf(head, sizeof head, "%s.head", path);
    is_int(put(first, "x"), TENUO_OK, "a record");
    stage_text("removed.head", "rubbish");
    is_int(put(first, "x"), TENUO_E_AUDIT_REFUSED, "its ledger is damaged");
    ok(unlink(head) == 0, "and removed");
    second = opened(path, (struct options){ 0 });
    is_int(put(second, "x"), TENUO_OK, "a new program makes it anew");
    for (int i = 0; i < 4; i++)
        is_int(put(i % 2 ? second : first, "x"), TENUO_OK, "and an old one goes there: %s", mock_said);
    struct log l = read_log(path);
    is_int((long long)l.bad, 0, "one chain");
    is_int((long long)l.decisions, 6, "of all records");
    is_int((long long)l.recoveries, 1, "mended once");
    ops->close(first);
    ops->close(second);
}

/* A child that cannot open the ledger for itself must not write without it. */
static void check_child_without_files(void)
{
    const char *path = stage_path("child");
    void *self = opened(path, (struct options){ 0 });
    int status;
    is_int(put(self, "x"), TENUO_OK, "a record");
    pid_t pid = fork();
    if (pid == 0) {
        const struct rlimit none = { 0, 0 };
        (void)setrlimit(RLIMIT_NOFILE, &none);
        int refused = 0;
        for (int i = 0; i < 3; i++)
            refused += put(self, "child") == TENUO_E_AUDIT_REFUSED;
        _exit(refused);
    }
    (void)waitpid(pid, &status, 0);
    is_int(WEXITSTATUS(status), 3, "a child without descriptors is refused, each time");
    is_int(put(self, "x"), TENUO_OK, "its parent goes on");
    struct log l = read_log(path);
    is_int((long long)l.bad, 0, "nothing was written outside the chain");
    is_int((long long)l.decisions, 2, "two records");
    ops->close(self);
}

static void check_head_mode(void)
{
    const char *path = stage_path("modes");
    char head[1200];
    struct stat st = { 0 };
    mode_t before = umask(0077);
    void *self = opened(path, (struct options){ 0 });
    (void)umask(before);
    ops->close(self);
    snprintf(head, sizeof head, "%s.head", path);
    ok(stat(head, &st) == 0 && (st.st_mode & 0777) == 0640, "the ledger has the mode of the log, not of the umask: %o",
       (unsigned)st.st_mode & 0777);
}

static void check_rotation(void)
{
    const char *path = stage_path("rotate");
    char name[1200];
    void *self = opened(path, (struct options){ .max_size = 131072, .keep = 50, .key = true, .every = 100 });
    sign_code = 0;
    for (int i = 0; i < 700; i++)
        if (put(self, "x") != TENUO_OK)
            printf("# %s\n", mock_said);
    ops->close(self);
    snprintf(name, sizeof name, "%s.2", path);
    ok(access(name, F_OK) == 0, "rotated more than once");
    struct stat st;
    ok(stat(name, &st) == 0 && st.st_size <= 131072 + 1024, "no file is longer than it may be");
    struct log l = read_log(path);
    is_int((long long)l.bad, 0, "one chain through all files");
    is_int((long long)l.decisions, 700, "nothing lost");
    const char *aged = stage_path("aged");
    self = opened(aged, (struct options){ .max_age = 1000 });
    is_int(put(self, "x"), TENUO_OK, "a record");
    nanosleep(&(struct timespec){ .tv_sec = 2, .tv_nsec = 100000000 }, NULL);
    is_int(put(self, "y"), TENUO_OK, "another, later");
    ops->close(self);
    snprintf(name, sizeof name, "%s.1", aged);
    ok(access(name, F_OK) == 0, "rotated by its age");
    is_int((long long)read_log(aged).bad, 0, "one chain");
    ok(rename(path, stage_path("rotate.0")) == 0, "rotated by somebody else");
    self = opened(path, (struct options){ 0 });
    is_int(put(self, "x"), TENUO_OK, "a new file");
    ops->close(self);
    struct log more = { .last = l.last };
    read_file(&more, path);
    is_int((long long)more.bad, 0, "which goes on where the other ended");
}

static bool is_rotated(const char *path, int number)
{
    char name[1200];
    snprintf(name, sizeof name, "%s.%d", path, number);
    return access(name, F_OK) == 0;
}

/* A file that cannot be renamed costs one attempt, not one for each record behind its limit. */
static void check_not_rotated(void)
{
    const char *path = stage_path("stuck");
    void *self = opened(path, (struct options){ .max_size = 131072, .keep = 1, .key = true });
    stage_mkdir("stuck.1", 0700);
    signed_times = 0;
    is_int(put(self, "x"), TENUO_OK, "a record");
    is_int(signed_times, 1, "the first one is signed at once");
    signed_times = 0;
    for (int i = 0; i < 400; i++)
        if (put(self, "x") != TENUO_OK)
            printf("# %s\n", mock_said);
    is_int(signed_times, 1, "signed once for a rotation that failed");
    ok(rmdir(stage_path("stuck.1")) == 0, "the name is free");
    clock_offset += 61;
    is_int(put(self, "x"), TENUO_OK, "a minute later");
    ok(is_rotated(path, 1), "it is rotated");
    ops->close(self);
    is_int((long long)read_log(path).bad, 0, "one chain");
    clock_offset = 0;
}

/* Ages count from when the present file was begun, by the clock as it goes now. */
static void check_ages(void)
{
    const char *path = stage_path("ages");
    char name[1200];
    void *self = opened(path, (struct options){ .max_age = 100000 });
    (void)put(self, "x");
    (void)put(self, "x");
    clock_offset = 90;
    snprintf(name, sizeof name, "%s.x", path);
    ok(rename(path, name) == 0, "rotated by somebody else");
    (void)put(self, "x");
    clock_offset = 110;
    (void)put(self, "x");
    ok(!is_rotated(path, 1), "a file of another age");
    clock_offset = -100000;
    (void)put(self, "x");
    clock_offset = -100000 + 99;
    (void)put(self, "x");
    ok(!is_rotated(path, 1), "the clock was set back");
    clock_offset = -100000 + 101;
    (void)put(self, "x");
    ok(is_rotated(path, 1), "which does not keep a file for ever");
    ops->close(self);
    clock_offset = 0;
}

/* A key that could not sign is tried again, also when the clock was set back meanwhile. */
static void check_signing_clock(void)
{
    const char *path = stage_path("signing");
    void *self = opened(path, (struct options){ .key = true, .every = 2, .backlog = 6 });
    sign_code = TENUO_E_UNAVAILABLE;
    for (int i = 0; i < 3; i++)
        (void)put(self, "x");
    sign_code = 0;
    signed_times = 0;
    clock_offset = -3600;
    (void)put(self, "x");
    is_int(signed_times, 1, "signed again, behind a clock that was set back");
    ops->close(self);
    clock_offset = 0;
}

#define WRITERS 8
#define EACH 150

static void writer(const char *path, int w, int count)
{
    void *self = opened(path, (struct options){ .max_size = 131072, .keep = 90, .key = true, .every = 64 });
    char id[32];
    for (int i = 0; i < count; i++) {
        snprintf(id, sizeof id, "%d-%d", w, i);
        if (put(self, id) != TENUO_OK)
            _exit(1);
    }
    ops->close(self);
    _exit(0);
}

static void check_processes(void)
{
    const char *path = stage_path("many");
    int good = 0, status;
    for (int w = 0; w < WRITERS; w++)
        if (fork() == 0)
            writer(path, w, EACH);
    for (int w = 0; w < WRITERS; w++)
        good += wait(&status) > 0 && status == 0;
    is_int(good, WRITERS, "all writers finish");
    struct log l = read_log(path);
    is_int((long long)l.bad, 0, "one chain of all of them");
    is_int((long long)l.decisions, WRITERS * EACH, "with every record");
    is_int((long long)l.starts, 1, "begun once");
    is_int((long long)l.recoveries, 0, "and never mended");
}

/* A slow store is asked by one process at a time; the others go on. */
static void check_slow_store(void)
{
    const char *path = stage_path("slow");
    int good = 0, status;
    slow_signatures = mmap(NULL, sizeof *slow_signatures, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (slow_signatures == MAP_FAILED)
        exit(1);
    for (int w = 0; w < WRITERS; w++)
        if (fork() == 0)
            writer(path, w, 100);
    for (int w = 0; w < WRITERS; w++)
        good += wait(&status) > 0 && status == 0;
    is_int(good, WRITERS, "all writers finish");
    struct log l = read_log(path);
    const unsigned most = 1 + WRITERS * 100 / 64 + WRITERS; /* the first, each 64 records, and who closes */
    ok(*slow_signatures >= 2 && *slow_signatures <= most, "signed %u times", *slow_signatures);
    is_int((long long)l.bad, 0, "one chain");
    slow_signatures = NULL;
}

/* Writers that are killed at any instant leave a chain, at most with lines that were closed. */
static void check_killed(void)
{
    const char *path = stage_path("killed");
    for (int round = 0; round < 12; round++) {
        pid_t pid[3];
        const struct timespec while_ = { .tv_nsec = 3000000 + round * 700000 };
        for (int w = 0; w < 3; w++) {
            pid[w] = fork();
            if (pid[w] == 0)
                writer(path, w, 100000);
        }
        nanosleep(&while_, NULL);
        for (int w = 0; w < 3; w++) {
            kill(pid[w], SIGKILL);
            (void)waitpid(pid[w], NULL, 0);
        }
    }
    void *self = opened(path, (struct options){ .max_size = 131072, .keep = 90, .key = true, .every = 64 });
    is_int(put(self, "last"), TENUO_OK, "it goes on: %s", mock_said);
    ops->close(self);
    struct log l = read_log(path);
    ok(l.decisions > 20, "there was something to kill: %llu records", (unsigned long long)l.decisions);
    ok(l.bad <= l.recoveries, "whatever was torn is told: %llu, %llu", (unsigned long long)l.bad,
       (unsigned long long)l.recoveries);
}

/* A stopped process that holds the lock stops nobody for ever: the call ends in time, with a refusal. */
static void check_stopped(void)
{
    const char *path = stage_path("stopped");
    char head[1200];
    void *self = opened(path, (struct options){ 0 });
    is_int(put(self, "x"), TENUO_OK, "a record");
    snprintf(head, sizeof head, "%s.head", path);
    pid_t pid = fork();
    if (pid == 0) {
        struct flock whole = { .l_type = F_WRLCK, .l_whence = SEEK_SET };
        int fd = open(head, O_RDWR | O_CLOEXEC);
        if (fcntl(fd, F_OFD_SETLK, &whole) != 0)
            _exit(1);
        raise(SIGSTOP);
        _exit(0);
    }
    int status;
    (void)waitpid(pid, &status, WUNTRACED);
    ok(WIFSTOPPED(status), "another process holds the lock and stands still");
    deadline_ms = 200;
    is_int(put(self, "y"), TENUO_E_AUDIT_REFUSED, "refused in time: %s", mock_said);
    ok(strstr(mock_said, "lock") != NULL, "and says why");
    deadline_ms = 5000;
    kill(pid, SIGKILL);
    (void)waitpid(pid, NULL, 0);
    is_int(put(self, "z"), TENUO_OK, "and goes on when the lock is free");
    /* A child has the lock for itself, not its parent's. */
    pid = fork();
    if (pid == 0) {
        for (int i = 0; i < 200; i++)
            if (put(self, "child") != TENUO_OK)
                _exit(1);
        _exit(0);
    }
    int good = 0;
    for (int i = 0; i < 200; i++)
        good += put(self, "parent") == TENUO_OK;
    (void)waitpid(pid, &status, 0);
    is_int(status, 0, "a forked child writes");
    is_int(good, 200, "and so does its parent");
    ops->close(self);
    struct log l = read_log(path);
    is_int((long long)l.bad, 0, "into one chain");
    is_int((long long)l.decisions, 402, "with all records");
}

static void check_arguments(void)
{
    static const struct options rows[] = { { .every = 5 }, { .backlog = 5 }, { .key = true, .every = 9, .backlog = 3 },
                                           { .max_size = 100 }, { .max_age = 10 }, { .keep = 20000 } };
    int code;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        open_sink(stage_path("arguments"), rows[i], &code);
        is_int(code, TENUO_E_CONF, "refused: %s", mock_said);
    }
    open_sink("/dev/null", (struct options){ 0 }, &code);
    is_int(code, TENUO_E_CONF, "a device is no log: %s", mock_said);
}

int main(int argc, char **argv)
{
    ops = mock_load("jsonl", argc, argv)->audit;
    stage_begin();
    check_link_form();
    check_alone();
    check_keys();
    check_damage();
    check_head_removed();
    check_head_behind(1, "", false);
    check_head_behind(1, "", true);
    check_head_behind(9, "", false);
    check_head_behind(9, "{half", false);
    check_head_behind(300, "", true);
    check_cut_with_head();
    check_strange_records();
    check_head_lost();
    check_torn_twice();
    check_child_without_files();
    check_head_mode();
    check_rotation();
    check_not_rotated();
    check_ages();
    check_signing_clock();
    check_processes();
    check_slow_store();
    check_killed();
    check_stopped();
    check_arguments();
    stage_end();
    return done_testing();
}
