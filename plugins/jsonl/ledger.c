/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What all writers of one log share, in the file PATH.head beside it: a lock that outlives rotation, and where the log
 * stands. The log itself is the truth; this says what it should be, so that a log that was cut is noticed. Never waits
 * longer than the call may take.
 */
#include "jsonl.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define MAGIC "tenuo-log-1"
/* Fixed widths: a shorter text can never leave digits of a longer one behind. */
#define FORM MAGIC " %020" PRIu64 " %64s %020" PRIu64 " %020" PRIu64 " %020" PRIu64 " %020" PRId64 "\n"
#define FORM_BYTES (sizeof MAGIC - 1 + 5 * 21 + 65 + 1)

static int open_head(struct jsonl *s)
{
    struct stat st;
    const int flags = O_RDWR | O_CLOEXEC | O_NOFOLLOW | O_NOCTTY | O_NONBLOCK;
    s->head_fd = open(s->head_path, flags | O_CREAT, s->mode);
    if (s->head_fd < 0 || fstat(s->head_fd, &st) != 0) {
        s->host->error(s->host, "%s cannot be opened: %s", s->head_path,
                       errno == ELOOP ? "it is a symbolic link: name the file itself" : strerror(errno));
        return TENUO_E_SYSTEM;
    }
    s->head_pid = getpid();
    if (S_ISREG(st.st_mode)) {
        if (st.st_size == 0 && st.st_uid == geteuid())
            (void)fchmod(s->head_fd, s->mode); /* as of the log: the umask has no say */
        return TENUO_OK;
    }
    s->host->error(s->host, "%s is no regular file: remove it", s->head_path);
    return TENUO_E_CONF;
}

int jsonl_ledger_open(struct jsonl *s)
{
    if (asprintf(&s->head_path, "%s.head", s->path) < 0) {
        s->head_path = NULL;
        return TENUO_E_NOMEM;
    }
    return open_head(s);
}

void jsonl_ledger_close(struct jsonl *s)
{
    if (s->head_fd >= 0)
        close(s->head_fd);
    free(s->head_path);
}

static int load(struct jsonl *s)
{
    char text[FORM_BYTES + 1] = "", hash[65] = "";
    struct ledger l = { 0 };
    ssize_t n = pread(s->head_fd, text, FORM_BYTES, 0);
    s->ledger = l;
    if (n == 0)
        return TENUO_OK;
    if (n == (ssize_t)FORM_BYTES &&
        sscanf(text, MAGIC " %" SCNu64 " %64s %" SCNu64 " %" SCNu64 " %" SCNu64 " %" SCNd64, &l.seq, hash,
               &l.signed_seq, &l.ino, &l.size, &l.born) == 6 &&
        tn_link_unhex(hash, l.head)) {
        s->ledger = l;
        return TENUO_OK;
    }
    s->host->error(s->host,
                   "%s is damaged: look at the log with `tenuo audit verify`, then remove this file to begin anew from "
                   "the log's last record",
                   s->head_path);
    return TENUO_E_AUDIT_REFUSED;
}

/* Is the open file still the one of that name? An administrator may have removed a damaged one, and then a lock on what
 * is open would keep nobody out who opened the new one. */
static bool is_named(const struct jsonl *s)
{
    struct stat held, named;
    return fstat(s->head_fd, &held) == 0 && lstat(s->head_path, &named) == 0 && held.st_dev == named.st_dev &&
           held.st_ino == named.st_ino;
}

/* The file of that name, opened by this process. */
static int reopen(struct jsonl *s)
{
    if (s->head_fd >= 0)
        close(s->head_fd);
    s->head_fd = -1;
    return open_head(s) == TENUO_OK ? TENUO_OK : TENUO_E_AUDIT_REFUSED;
}

/* Without waiting. */
static bool lock(const struct jsonl *s, short type, off_t start, off_t len)
{
    struct flock part = { .l_type = type, .l_whence = SEEK_SET, .l_start = start, .l_len = len };
    return fcntl(s->head_fd, F_OFD_SETLK, &part) == 0;
}

/* 1: locked; 0: somebody else has the lock, or the file has another name by now. */
static int try_lock(struct jsonl *s)
{
    if ((s->head_fd < 0 || s->head_pid != getpid()) && reopen(s) != TENUO_OK)
        return -1;
    bool locked = lock(s, F_WRLCK, 0, TN_HEAD_LOCK_BYTES);
    if (!locked && errno != EAGAIN && errno != EACCES && errno != EINTR) {
        s->host->error(s->host, "%s cannot be locked: %s", s->head_path, strerror(errno));
        return -1;
    }
    if (is_named(s))
        return locked;
    return reopen(s) == TENUO_OK ? 0 : -1;
}

int jsonl_ledger_lock(struct jsonl *s)
{
    struct timespec pause = { .tv_nsec = 20000 };
    int got;
    while ((got = try_lock(s)) == 0) {
        if (s->host->deadline(s->host) == 0) {
            s->host->error(s->host, "another process holds the lock on %s and does not let go", s->head_path);
            return TENUO_E_AUDIT_REFUSED;
        }
        (void)nanosleep(&pause, NULL);
        if (pause.tv_nsec < 1000000)
            pause.tv_nsec += pause.tv_nsec / 4;
    }
    if (got < 0)
        return TENUO_E_AUDIT_REFUSED;
    int r = load(s);
    if (r != TENUO_OK)
        jsonl_ledger_unlock(s);
    return r;
}

void jsonl_ledger_store(struct jsonl *s)
{
    const struct ledger *l = &s->ledger;
    char text[FORM_BYTES + 1], hash[65];
    tn_link_hex(l->head, hash);
    (void)snprintf(text, sizeof text, FORM, l->seq, hash, l->signed_seq, l->ino, l->size, l->born);
    if (pwrite(s->head_fd, text, FORM_BYTES, 0) != (ssize_t)FORM_BYTES) /* the log has the record: no loss */
        s->host->log(s->host, TENUO_LOG_WARNING, "%s cannot be written: %s", s->head_path, strerror(errno));
}

void jsonl_ledger_unlock(struct jsonl *s)
{
    (void)lock(s, F_UNLCK, 0, TN_HEAD_LOCK_BYTES);
}

bool jsonl_sign_lock(struct jsonl *s)
{
    return lock(s, F_WRLCK, TN_HEAD_LOCK_BYTES, 1);
}

void jsonl_sign_unlock(struct jsonl *s)
{
    (void)lock(s, F_UNLCK, TN_HEAD_LOCK_BYTES, 1);
}
