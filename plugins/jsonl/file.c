/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The file that a sink appends to, and that others write, rename or remove meanwhile. One write() a record, so that
 * lines never mix. Never waits for a reader, never follows a link.
 */
#include "jsonl.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

/* Opens for appending, without waiting for the reader of a FIFO; makes the file when it is not there. -1 with errno. */
static int open_fd(const struct jsonl *s)
{
    const int flags = O_APPEND | O_CLOEXEC | O_NOFOLLOW | O_NOCTTY | O_NONBLOCK;
    for (int attempt = 0; attempt < 8; attempt++) {
        int fd = open(s->path, O_RDWR | flags);
        if (fd < 0 && errno == EACCES) /* may append and not read: then a torn end is not seen */
            fd = open(s->path, O_WRONLY | flags);
        if (fd >= 0 || errno != ENOENT)
            return fd;
        fd = open(s->path, O_RDWR | O_CREAT | O_EXCL | flags, 0600);
        if (fd >= 0) {
            (void)fchmod(fd, s->mode); /* the umask has no say; where modes do not exist, so be it */
            return fd;
        }
        if (errno != EEXIST) /* else another process was faster: take its file */
            return -1;
    }
    return -1;
}

static bool ends_within_line(int fd, off_t size)
{
    char last;
    return size > 0 && pread(fd, &last, 1, size - 1) == 1 && last != '\n';
}

/*
 * A full disk or a process that died may have left half a line: the next record must not be glued to it. Another
 * process's write under way looks the same for a moment, and is told apart by looking again.
 */
static bool ends_torn(int fd, const struct stat *st)
{
    static const struct timespec moment = { .tv_nsec = 500000 };
    struct stat now = *st;
    off_t seen = -1;
    if (!S_ISREG(now.st_mode))
        return false;
    for (int look = 0; look < 8; look++) {
        if (!ends_within_line(fd, now.st_size))
            return false;
        if (now.st_size == seen)
            return true;
        seen = now.st_size;
        (void)nanosleep(&moment, NULL);
        if (fstat(fd, &now) != 0)
            break;
    }
    return true;
}

/* Takes the descriptor. */
static int adopt(struct jsonl *s, int fd)
{
    struct stat st;
    if (fstat(fd, &st) != 0) {
        s->host->error(s->host, "%s cannot be examined: %s", s->path, strerror(errno));
        close(fd);
        return TENUO_E_SYSTEM;
    }
    if (!S_ISREG(st.st_mode) && !S_ISCHR(st.st_mode)) {
        s->host->error(s->host, "%s is no regular file: a pipe or socket would lose records", s->path);
        close(fd);
        return TENUO_E_CONF;
    }
    if (s->fd >= 0)
        close(s->fd);
    s->fd = fd;
    s->torn = ends_torn(fd, &st);
    return TENUO_OK;
}

int jsonl_open_file(struct jsonl *s)
{
    int fd = open_fd(s);
    if (fd >= 0)
        return adopt(s, fd);
    s->host->error(s->host, "%s cannot be opened for appending: %s", s->path,
                   errno == ELOOP ? "it is a symbolic link: name the file itself" : strerror(errno));
    return TENUO_E_SYSTEM;
}

/* After rotation the path names another file, or none. Where that one is not ours to make, the renamed file still keeps
 * records. */
int jsonl_follow(struct jsonl *s)
{
    struct stat named, held;
    if (fstat(s->fd, &held) != 0) {
        s->host->error(s->host, "%s cannot be examined: %s", s->path, strerror(errno));
        return TENUO_E_AUDIT_REFUSED;
    }
    if (lstat(s->path, &named) == 0 && named.st_dev == held.st_dev && named.st_ino == held.st_ino) {
        s->torn = s->torn || ends_torn(s->fd, &held); /* another process may have met the full disk */
        return TENUO_OK;
    }
    int fd = open_fd(s);
    if (fd >= 0)
        return adopt(s, fd) == TENUO_OK ? TENUO_OK : TENUO_E_AUDIT_REFUSED;
    if (held.st_nlink > 0)
        return TENUO_OK;
    s->host->error(s->host, "%s was removed and cannot be made again: %s", s->path, strerror(errno));
    return TENUO_E_AUDIT_REFUSED;
}

static int append(struct jsonl *s, const char *p, size_t n)
{
    ssize_t done;
    do
        done = write(s->fd, p, n);
    while (done < 0 && errno == EINTR);
    if (done == (ssize_t)n)
        return TENUO_OK;
    if (done < 0)
        s->host->error(s->host, "cannot write to %s: %s", s->path, strerror(errno));
    else
        s->host->error(s->host, "%s took %zd of %zu bytes: is the disk full, or a limit reached?", s->path, done,
                       n);
    if (done > 0)
        s->torn = p[done - 1] != '\n';
    return TENUO_E_AUDIT_REFUSED;
}

int jsonl_sync_disk(struct jsonl *s)
{
    if (fdatasync(s->fd) == 0 || errno == EINVAL || errno == EROFS) /* those two: a device */
        return TENUO_OK;
    s->host->error(s->host, "cannot bring %s to the disk: %s", s->path, strerror(errno));
    return TENUO_E_AUDIT_REFUSED;
}

int jsonl_append(struct jsonl *s, size_t n)
{
    bool torn = s->torn;
    s->line[0] = '\n';
    int r = torn ? append(s, s->line, n + 1) : append(s, s->line + 1, n);
    if (r == TENUO_OK)
        s->torn = false;
    return r == TENUO_OK && s->sync ? jsonl_sync_disk(s) : r;
}
