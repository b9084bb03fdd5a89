/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Audit sink "jsonl": one JSON object a line, appended to a file that other processes write too and that may be rotated
 * away at any time, maybe as one hash chain with signed checkpoints. A record counts as stored only when all of it was
 * written. This file is the sink's life: arguments, open, what is done with each event, close.
 */
#include "jsonl.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define DEFAULT_MODE 0640u

enum { PATH, MODE, FSYNC, CHAIN, KEY, EVERY, BACKLOG, MAX_SIZE, MAX_AGE, KEEP, NARGS };

/* Ends the object at s->line + 1 that was made for a log without a chain. */
static int write_plain(struct jsonl *s, size_t n)
{
    memcpy(s->line + 1 + n, "}\n", 2);
    return jsonl_append(s, n + 2);
}

/* What is written: an event, or a notice. */
struct what {
    const struct tenuo_audit_event *event;
    const struct tenuo_audit_notice *notice;
};

/* Into s->line + 1. *ret_len 0: nothing to be written. */
static int make_record(struct jsonl *s, const struct what *what, size_t *ret_len)
{
    bool fits = what->event != NULL ? jsonl_record(s->line + 1, what->event, ret_len)
                                    : jsonl_notice_record(s->line + 1, what->notice, ret_len);
    if (fits)
        return TENUO_OK;
    s->host->error(s->host, "the record does not fit into %d bytes", LINE_MAX_BYTES);
    return TENUO_E_AUDIT_REFUSED;
}

/* With the lock: many processes write one chain, and one of them rotates. */
static int write_locked(struct jsonl *s, const struct what *what)
{
    size_t n = 0;
    int r = jsonl_follow(s);
    if (r == TENUO_OK && s->chained)
        r = jsonl_chain_heal(s);
    if (r == TENUO_OK)
        r = make_record(s, what, &n);
    if (r != TENUO_OK || n == 0)
        return r;
    if ((s->max_size != 0 || s->max_age != 0) && jsonl_rotate(s, n)) {
        r = make_record(s, what, &n);
        if (r != TENUO_OK)
            return r;
    }
    return s->chained ? jsonl_chain_append(s, n) : write_plain(s, n);
}

static int write_shared(struct jsonl *s, const struct what *what)
{
    int r = jsonl_ledger_lock(s);
    if (r != TENUO_OK)
        return r;
    r = write_locked(s, what);
    jsonl_ledger_unlock(s);
    if (r != TENUO_OK)
        return r;
    s->written++;
    return s->chained ? jsonl_checkpoint(s, false) : TENUO_OK;
}

static int write_event(struct jsonl *s, const struct what *what)
{
    size_t n = 0;
    int r;
    if (s->head_path != NULL)
        return write_shared(s, what);
    r = jsonl_follow(s);
    if (r == TENUO_OK)
        r = make_record(s, what, &n);
    return r == TENUO_OK && n != 0 ? write_plain(s, n) : r;
}

static int jsonl_decision(void *self, const struct tenuo_audit_event *event)
{
    return write_event(self, &(struct what){ .event = event });
}

static int jsonl_notice(void *self, const struct tenuo_audit_notice *notice)
{
    return write_event(self, &(struct what){ .notice = notice });
}

static int jsonl_flush(void *self)
{
    return jsonl_sync_disk(self);
}

/* ---- life ---- */

static void free_sink(struct jsonl *s)
{
    if (s->fd >= 0)
        close(s->fd);
    jsonl_ledger_close(s);
    free(s->path);
    free(s->key);
    free(s);
}

/* A program that made one decision leaves no checkpoint behind it: there would be one for each. */
static void jsonl_close(void *self)
{
    struct jsonl *s = self;
    if (s == NULL)
        return;
    if (s->chained && s->written > 1)
        (void)jsonl_checkpoint(s, true);
    free_sink(s);
}

/* "640" or "0640": the owner reads and writes, nobody executes, others never write. */
static bool read_mode(const char *text, mode_t *ret_mode)
{
    size_t n = strlen(text);
    mode_t mode = 0;
    if (n < 3 || n > 4 || strspn(text, "01234567") != n)
        return false;
    for (size_t i = 0; i < n; i++)
        mode = mode * 8 + (mode_t)(text[i] - '0');
    if ((mode & ~(mode_t)0664) != 0 || (mode & 0600) != 0600)
        return false;
    *ret_mode = mode;
    return true;
}

static int refuse(const struct tenuo_host *host, const char *sentence)
{
    host->error(host, "%s", sentence);
    return TENUO_E_CONF;
}

static bool given(const struct tenuo_arg *args, size_t i)
{
    return args[i].value != NULL;
}

static int read_args(const struct tenuo_host *host, const struct tenuo_arg *args, size_t nargs, struct jsonl *s)
{
    if (nargs < NARGS || !given(args, PATH))
        return TENUO_E_INVALID_ARGUMENT;
    s->mode = DEFAULT_MODE;
    if (given(args, MODE) && !read_mode(args[MODE].value, &s->mode))
        return refuse(host, "mode: want three or four octal digits from 0600 to 0664, as in mode=0640");
    s->sync = given(args, FSYNC) && args[FSYNC].number != 0;
    s->chained = given(args, CHAIN) && args[CHAIN].number != 0;
    s->every = given(args, EVERY) ? args[EVERY].number : CHECKPOINT_EVERY;
    s->backlog = given(args, BACKLOG) ? args[BACKLOG].number : s->every * CHECKPOINT_BACKLOG;
    s->max_size = args[MAX_SIZE].value != NULL ? args[MAX_SIZE].number : 0;
    s->max_age = given(args, MAX_AGE) ? args[MAX_AGE].number / 1000 : 0;
    s->keep = given(args, KEEP) ? args[KEEP].number : ROTATED_KEEP;
    if (given(args, KEY) && !s->chained)
        return refuse(host, "checkpoint_key: there is nothing to sign without chain=yes");
    if (!given(args, KEY) && (given(args, EVERY) || given(args, BACKLOG)))
        return refuse(host, "checkpoint_every and checkpoint_backlog want a checkpoint_key");
    if (s->every == 0 || s->backlog < s->every)
        return refuse(host, "checkpoint_every: want at least 1, and checkpoint_backlog not less than it");
    if (s->max_size != 0 && s->max_size < 2 * LINE_MAX_BYTES)
        return refuse(host, "max_size: want 131072 bytes or more, or 0");
    if ((given(args, MAX_AGE) && s->max_age == 0) || s->keep == 0 || s->keep > 10000)
        return refuse(host, "max_age: want a second or more; keep: want 1 to 10000 files");
    return TENUO_OK;
}

/* The file is made when it is missing; its directory is not. */
static int jsonl_check(const struct tenuo_host *host, const struct tenuo_arg *args, size_t nargs)
{
    struct jsonl *probe = calloc(1, sizeof *probe);
    struct stat st;
    int r = probe == NULL ? TENUO_E_NOMEM : read_args(host, args, nargs, probe);
    free(probe);
    if (r != TENUO_OK)
        return r;
    const char *path = args[PATH].value, *slash = strrchr(path, '/');
    char *dir = strndup(path, slash == path ? 1 : (size_t)(slash - path));
    if (dir == NULL)
        return TENUO_E_NOMEM;
    if (stat(dir, &st) != 0 || !S_ISDIR(st.st_mode)) {
        host->error(host, "%s cannot be written to: its directory is not there", path);
        r = TENUO_E_UNAVAILABLE;
    } else if ((st.st_mode & S_IWOTH) != 0 && (st.st_mode & S_ISVTX) == 0) {
        host->error(host, "%s can be replaced by everybody, as its directory has mode %04o: chmod o-w it", path,
                    (unsigned)(st.st_mode & 07777));
        r = TENUO_E_UNAVAILABLE;
    } else if (stat(path, &st) == 0 && S_ISREG(st.st_mode) && (st.st_mode & S_IWOTH) != 0) {
        host->error(host, "%s can be written by everybody, mode %04o: chmod o-w it", path,
                    (unsigned)(st.st_mode & 07777));
        r = TENUO_E_UNAVAILABLE;
    }
    free(dir);
    return r;
}

static int open_all(struct jsonl *s)
{
    struct stat st;
    int r = jsonl_open_file(s);
    if (r != TENUO_OK || (!s->chained && s->max_size == 0 && s->max_age == 0))
        return r;
    if (fstat(s->fd, &st) != 0 || !S_ISREG(st.st_mode))
        return refuse(s->host, "chain, max_size and max_age want a regular file");
    return jsonl_ledger_open(s);
}

static int jsonl_open(const struct tenuo_host *host, const struct tenuo_arg *args, size_t nargs, void **ret_self)
{
    struct jsonl *s = calloc(1, sizeof *s);
    int r;
    if (s == NULL)
        return TENUO_E_NOMEM;
    s->host = host;
    s->fd = s->head_fd = -1;
    r = read_args(host, args, nargs, s);
    if (r == TENUO_OK) {
        s->path = strdup(args[PATH].value);
        s->key = given(args, KEY) ? strdup(args[KEY].value) : NULL;
        r = s->path == NULL || (given(args, KEY) && s->key == NULL) ? TENUO_E_NOMEM : open_all(s);
    }
    if (r != TENUO_OK) {
        free_sink(s);
        return r;
    }
    *ret_self = s;
    return TENUO_OK;
}

static const struct tenuo_arg_spec args[] = {
    { "path", TENUO_ARG_PATH, 1, "file to append to; made when it is missing" },
    { "mode", TENUO_ARG_STRING, 0, "permissions of a new file in octal, 0600 to 0664 (0640)" },
    { "fsync", TENUO_ARG_BOOL, 0, "wait for the disk after every record (no)" },
    { "chain", TENUO_ARG_BOOL, 0, "each record carries the hash of the one before (no)" },
    { "checkpoint_key", TENUO_ARG_STRING, 0, "key id whose key signs the chain now and then (none)" },
    { "checkpoint_every", TENUO_ARG_UINT, 0, "records between two checkpoints (1000)" },
    { "checkpoint_backlog", TENUO_ARG_UINT, 0, "unsigned records that are too many (10 times checkpoint_every)" },
    { "max_size", TENUO_ARG_UINT, 0, "bytes at which the file is rotated (0: never)" },
    { "max_age", TENUO_ARG_DURATION, 0, "age at which the file is rotated (never)" },
    { "keep", TENUO_ARG_UINT, 0, "rotated files that are kept (10)" },
    { NULL, 0, 0, NULL },
};

static const struct tenuo_audit_ops ops = {
    .size = sizeof ops,
    .open = jsonl_open,
    .close = jsonl_close,
    .check = jsonl_check,
    .decision = jsonl_decision,
    .flush = jsonl_flush,
    .notice = jsonl_notice,
};

/* Not thread-safe: one line buffer. Fork-safe: a child appends through the same open file, whole lines like everybody.
 */
TENUO_PLUGIN_EXPORT const struct tenuo_plugin_v1 tenuo_plugin_v1 = {
    .magic = TENUO_PLUGIN_MAGIC,
    .abi_major = TENUO_PLUGIN_ABI_MAJOR,
    .abi_minor = TENUO_PLUGIN_ABI_MINOR,
    .size = sizeof tenuo_plugin_v1,
    .flags = TENUO_PLUGIN_FORK_SAFE | TENUO_PLUGIN_NO_NETWORK,
    .name = "jsonl",
    .version = "1.0",
    .summary = "audit records as lines of JSON in a file",
    .args = args,
    .audit = &ops,
};
