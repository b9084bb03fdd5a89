/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Appending to a journal that other processes append to as well. Whoever holds the lock is alone: an unfinished line is
 * what a dead process left, never another one's work. A receipt that cannot be stored whole is taken out again.
 */
#include "journal.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "../../core/trust.h"

#define OPEN_FLAGS (O_CLOEXEC | O_NOFOLLOW | O_NOCTTY | O_NONBLOCK)

static int refuse(const struct journal *j, const char *what)
{
    j->host->error(j->host, "%s %s: %s", j->rules->path, what, strerror(errno));
    return TENUO_E_AUDIT_REFUSED;
}

static int refuse_link(const struct journal *j)
{
    j->host->error(j->host, "%s is a symbolic link: name the file itself", j->rules->path);
    return TENUO_E_AUDIT_REFUSED;
}

/* Nobody else may be able to put files into the place of ours. */
static int open_dir(struct journal *j)
{
    const char *slash = strrchr(j->rules->path, '/');
    struct tenuo_error why = { 0 };
    char *dir = strndup(j->rules->path, slash == j->rules->path ? 1 : (size_t)(slash - j->rules->path));
    int r = dir == NULL ? TENUO_E_NOMEM : tn_trust_open(dir, TN_TRUST_DIR, TENUO_E_CONF, &j->dir, &why);
    if (dir != NULL && r != TENUO_OK)
        j->host->error(j->host, "%s", why.msg);
    free(dir);
    j->name = slash + 1;
    return r;
}

static int check_file(const struct journal *j, int fd, off_t *ret_size)
{
    struct stat st;
    if (fstat(fd, &st) != 0)
        return refuse(j, "cannot be examined");
    if (!S_ISREG(st.st_mode) || st.st_nlink != 1 || (st.st_uid != geteuid() && st.st_uid != 0) ||
        (st.st_mode & (S_IWGRP | S_IWOTH)) != 0) {
        j->host->error(j->host,
                       "%s must be a regular file of root or this user that nobody else may write, "
                       "with one name",
                       j->rules->path);
        return TENUO_E_CONF;
    }
    *ret_size = st.st_size;
    return TENUO_OK;
}

/* A lock of the open file: released when this process dies, and held against its other threads too. Nobody waits past
 * the deadline. */
static int take_lock(struct journal *j)
{
    char name[NAME_MAX + 1];
    struct timespec nap = { .tv_nsec = 50000 };
    int64_t waited_ns = 0;
    int n = snprintf(name, sizeof name, "%s.lock", j->name);
    struct flock whole = { .l_type = F_WRLCK, .l_whence = SEEK_SET };
    if (n < 0 || (size_t)n >= sizeof name) {
        errno = ENAMETOOLONG;
        return refuse(j, "has a name that is too long");
    }
    j->lock = openat(j->dir, name, O_RDWR | O_CREAT | OPEN_FLAGS, 0600);
    if (j->lock < 0)
        return refuse(j, "cannot be locked: its file .lock cannot be opened");
    while (fcntl(j->lock, F_OFD_SETLK, &whole) != 0) {
        if (errno != EAGAIN && errno != EACCES && errno != EINTR)
            return refuse(j, "cannot be locked");
        waited_ns += nap.tv_nsec;
        if (j->host->deadline(j->host) == 0 || waited_ns / 1000000 >= (int64_t)j->patience_ms) {
            j->host->error(j->host, "%s is held by another process for too long", j->rules->path);
            return TENUO_E_UNAVAILABLE;
        }
        (void)nanosleep(&nap, NULL);
        if (nap.tv_nsec < 2000000)
            nap.tv_nsec *= 2;
    }
    return TENUO_OK;
}

static int open_file(struct journal *j)
{
    j->fd = openat(j->dir, j->name, O_RDWR | O_APPEND | O_CREAT | OPEN_FLAGS, 0600);
    if (j->fd < 0)
        return errno == ELOOP ? refuse_link(j) : refuse(j, "cannot be opened");
    return check_file(j, j->fd, &j->size);
}

/* The end of the last whole line. */
static off_t end_of_lines(const struct journal *j)
{
    char block[2048];
    for (off_t end = j->size; end > 0;) {
        size_t n = end < (off_t)sizeof block ? (size_t)end : sizeof block;
        if (pread(j->fd, block, n, end - (off_t)n) != (ssize_t)n)
            return -1;
        const char *last = memrchr(block, '\n', n);
        if (last != NULL)
            return end - (off_t)n + (last - block) + 1;
        end -= (off_t)n;
    }
    return 0;
}

static int begin_new(struct journal *j, int (*put_away)(struct journal *j))
{
    int r = put_away(j);
    if (r != TENUO_OK)
        return r;
    close(j->fd);
    j->fd = -1;
    r = open_file(j);
    if (r == TENUO_OK && j->rules->sync && fsync(j->dir) != 0)
        r = refuse(j, "has a new file that cannot be brought to the disk");
    return r;
}

/* What is left of a receipt whose process died counts for nothing: its call was never let through. Where the file can
 * only grow, the line is closed and passed over. */
static int cut_half(struct journal *j, off_t end)
{
    if (ftruncate(j->fd, end) == 0)
        j->size = end;
    else if (write(j->fd, "\n", 1) == 1)
        j->size++;
    else
        return refuse(j, "ends in half a line that cannot be removed");
    j->host->log(j->host, TENUO_LOG_WARNING, "%s ended in half a receipt, which a process left when it died",
                 j->rules->path);
    return TENUO_OK;
}

/* Whether the file is a journal, and where its whole lines end. The path may be another file's by mistake. */
static int judge(struct journal *j, off_t *ret_end)
{
    off_t end = end_of_lines(j);
    if (end < 0)
        return refuse(j, "cannot be read");
    if (end == 0 && j->size != 0 && !journal_begins(j->fd)) {
        j->host->error(j->host, "receipt: %s is no journal of receipts and is left as it is: name another file",
                       j->rules->path);
        return TENUO_E_AUDIT_REFUSED;
    }
    *ret_end = end;
    return end == 0 ? TENUO_OK : journal_tail(j, j->fd, end, j->last, &j->has_last);
}

/* When nothing stands before half a line, it may not be lost, even if it begins as a receipt does. */
static int mend(struct journal *j)
{
    off_t end = 0;
    int r = judge(j, &end);
    if (r != TENUO_OK || end == j->size)
        return r;
    return end == 0 ? begin_new(j, journal_set_aside) : cut_half(j, end);
}

int journal_check(const struct tenuo_host *host, const struct journal_rules *rules)
{
    struct journal j = { .host = host, .rules = rules, .dir = -1, .lock = -1, .fd = -1 };
    struct stat st;
    off_t end;
    int r = open_dir(&j);
    if (r == TENUO_OK)
        j.fd = openat(j.dir, j.name, O_RDONLY | OPEN_FLAGS);
    if (r == TENUO_OK && j.fd < 0 && errno != ENOENT && errno != EACCES)
        r = refuse(&j, errno == ELOOP ? "is a link: name the file itself" : "cannot be opened");
    if (j.fd >= 0 && fstat(j.fd, &st) == 0) {
        j.size = st.st_size;
        r = judge(&j, &end);
    }
    journal_close(&j);
    return r;
}

static bool is_due(const struct journal *j)
{
    int64_t began;
    if (j->size == 0)
        return false;
    if (j->rules->max_size != 0 && (uint64_t)j->size >= j->rules->max_size)
        return true;
    began = j->rules->max_age == 0 ? -1 : journal_first_time(j->fd);
    return began >= 0 && j->host->now() - began >= (int64_t)j->rules->max_age;
}

int journal_open(struct journal *j, const struct tenuo_host *host, const struct journal_rules *rules,
                 uint32_t patience_ms)
{
    *j = (struct journal){ .host = host, .rules = rules, .dir = -1, .lock = -1, .fd = -1, .patience_ms = patience_ms };
    int r = open_dir(j);
    if (r == TENUO_OK)
        r = take_lock(j);
    if (r == TENUO_OK)
        r = open_file(j);
    if (r == TENUO_OK)
        r = mend(j);
    if (r == TENUO_OK && is_due(j))
        r = begin_new(j, journal_retire);
    return r;
}

void journal_watch(struct journal *j, struct journal_seen *seen)
{
    uint64_t newest = seen->newest;
    struct stat st;
    if (fstat(j->fd, &st) != 0)
        return;
    bool same = st.st_ino == seen->inode && st.st_size >= seen->size;
    if (!same && journal_newest(j, &newest) != TENUO_OK)
        return;
    if (!same && seen->size != 0 && newest == seen->newest && !journal_is_full(j, newest, seen->inode))
        j->host->log(j->host, TENUO_LOG_WARNING,
                     "%s was renamed, removed or cut by another program: the run of receipts is broken there; "
                     "let max_size= and max_age= begin new files",
                     j->rules->path);
    *seen = (struct journal_seen){ .inode = st.st_ino, .size = st.st_size, .newest = newest };
}

int journal_last(struct journal *j, uint8_t ret_digest[32], bool *ret_has)
{
    uint64_t number = 0;
    off_t size = 0;
    int fd, r;
    if (j->size != 0) {
        memcpy(ret_digest, j->last, sizeof j->last);
        *ret_has = j->has_last;
        return TENUO_OK;
    }
    r = journal_newest(j, &number);
    if (r != TENUO_OK || number == 0) {
        *ret_has = false;
        return r;
    }
    fd = journal_open_full(j, number);
    if (fd < 0)
        return refuse(j, "goes on from a full file that cannot be opened");
    r = check_file(j, fd, &size);
    if (r == TENUO_OK)
        r = journal_tail(j, fd, size, ret_digest, ret_has);
    close(fd);
    return r;
}

static int take_out(struct journal *j, int code)
{
    if (ftruncate(j->fd, j->size) != 0)
        j->host->log(j->host, TENUO_LOG_ERR, "%s: a receipt that was refused cannot be taken out: %s",
                     j->rules->path, strerror(errno));
    return code;
}

int journal_append(struct journal *j, const uint8_t *receipt, size_t len)
{
    size_t n = 0;
    char *line = journal_line(j->host->now(), receipt, len, &n);
    ssize_t done;
    int r = TENUO_OK;
    if (line == NULL)
        return TENUO_E_NOMEM;
    do
        done = write(j->fd, line, n);
    while (done < 0 && errno == EINTR);
    free(line);
    if (done < 0) {
        r = refuse(j, "cannot be written");
    } else if (done != (ssize_t)n) {
        j->host->error(j->host, "%s took %zd of %zu bytes: is the disk full, or a limit reached?",
                       j->rules->path, done, n);
        r = TENUO_E_AUDIT_REFUSED;
    } else if (j->rules->sync && fdatasync(j->fd) != 0) {
        r = refuse(j, "cannot be brought to the disk");
    }
    return r == TENUO_OK || done <= 0 ? r : take_out(j, r);
}

void journal_close(struct journal *j)
{
    if (j->fd >= 0)
        close(j->fd);
    if (j->lock >= 0)
        close(j->lock);
    if (j->dir >= 0)
        close(j->dir);
}
