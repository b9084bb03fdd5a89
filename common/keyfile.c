/* SPDX-License-Identifier: Apache-2.0 */
/* Opens, judges and reads one secret file. The descriptor is judged, not the name, so nothing can be swapped in
 * between. */
#include "keyfile.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#define WHY 160

static enum tn_keyfile_result fail(char why[WHY], enum tn_keyfile_result result, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));

static enum tn_keyfile_result fail(char why[WHY], enum tn_keyfile_result result, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(why, WHY, fmt, ap);
    va_end(ap);
    return result;
}

static enum tn_keyfile_result fail_open(int dirfd, const char *name, int error, char why[WHY])
{
    struct stat st;
    if (error == ENOENT)
        return fail(why, TN_KEYFILE_MISSING, "no such file");
    if (fstatat(dirfd, name, &st, AT_SYMLINK_NOFOLLOW) == 0 && S_ISLNK(st.st_mode))
        return fail(why, TN_KEYFILE_DENIED, "a symbolic link: name the real file");
    if (error == EACCES || error == EPERM)
        return fail(why, TN_KEYFILE_DENIED, "uid %u may not read it: %s", (unsigned)geteuid(), strerror(error));
    return fail(why, TN_KEYFILE_SYSTEM, "cannot be opened: %s", strerror(error));
}

static enum tn_keyfile_result judge(int fd, unsigned flags, char why[WHY])
{
    struct stat st;
    if (fstat(fd, &st) != 0)
        return fail(why, TN_KEYFILE_SYSTEM, "cannot be examined: %s", strerror(errno));
    unsigned mode = (unsigned)(st.st_mode & 07777);
    mode_t others = S_IRWXG | S_IRWXO;
    if (!S_ISREG(st.st_mode))
        return fail(why, TN_KEYFILE_INVALID, "not a regular file");
    if (st.st_uid != 0 && st.st_uid != geteuid())
        return fail(why, TN_KEYFILE_DENIED, "owned by uid %u, and must belong to root or uid %u: chown it",
                    (unsigned)st.st_uid, (unsigned)geteuid());
    if ((flags & TN_KEYFILE_CREDENTIAL) != 0 && st.st_uid == 0)
        others &= ~(mode_t)S_IRGRP;
    if ((flags & TN_KEYFILE_PUBLIC) != 0)
        others = S_IWGRP | S_IWOTH;
    if ((st.st_mode & others) != 0)
        return fail(why, TN_KEYFILE_DENIED, "mode %04o gives others access: chmod %s it", mode,
                    (flags & TN_KEYFILE_PUBLIC) != 0 ? "go-w" : "600");
    if (st.st_size > TN_KEYFILE_MAX)
        return fail(why, TN_KEYFILE_INVALID, "larger than %d bytes: no key file", TN_KEYFILE_MAX);
    return TN_KEYFILE_OK;
}

static enum tn_keyfile_result read_all(int fd, uint8_t *buf, size_t *ret_len, char why[WHY])
{
    size_t len = 0;
    uint8_t more;
    for (;;) {
        bool full = len == TN_KEYFILE_MAX;
        ssize_t n = read(fd, full ? &more : buf + len, full ? 1 : TN_KEYFILE_MAX - len);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return fail(why, TN_KEYFILE_SYSTEM, "cannot be read: %s", strerror(errno));
        if (n > 0 && full)
            return fail(why, TN_KEYFILE_INVALID, "larger than %d bytes: no key file", TN_KEYFILE_MAX);
        if (n == 0)
            break;
        len += (size_t)n;
    }
    *ret_len = len;
    return TN_KEYFILE_OK;
}

enum tn_keyfile_result tn_keyfile_read(int dirfd, const char *name, unsigned flags, uint8_t buf[TN_KEYFILE_MAX],
                                       size_t *ret_len, char why[WHY])
{
    /* O_NONBLOCK: a pipe or a device must not hold us up before it is judged. */
    int fd = openat(dirfd, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
    if (fd < 0)
        return fail_open(dirfd, name, errno, why);
    enum tn_keyfile_result r = judge(fd, flags, why);
    if (r == TN_KEYFILE_OK)
        r = read_all(fd, buf, ret_len, why);
    close(fd);
    return r;
}

static bool write_all(int fd, const uint8_t *p, size_t len)
{
    while (len > 0) {
        ssize_t n = write(fd, p, len);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return false;
        p += n;
        len -= (size_t)n;
    }
    return fsync(fd) == 0;
}

/* A name that nobody else uses at the same time, and that no listing takes for a key. */
static bool temporary_name(const char *name, char *buf, size_t size)
{
    uint64_t number;
    if (getrandom(&number, sizeof number, 0) != (ssize_t)sizeof number)
        return false;
    int n = snprintf(buf, size, ".%s.%016llx.new", name, (unsigned long long)number);
    return n > 0 && (size_t)n < size;
}

/* renameat2 where the file system has it; else a hard link, which refuses an existing name too. */
static bool move_into_place(int dirfd, const char *from, const char *to, bool replace)
{
    if (replace)
        return renameat(dirfd, from, dirfd, to) == 0;
    if (renameat2(dirfd, from, dirfd, to, RENAME_NOREPLACE) == 0)
        return true;
    if (errno != EINVAL && errno != ENOSYS)
        return false;
    return linkat(dirfd, from, dirfd, to, 0) == 0 && unlinkat(dirfd, from, 0) == 0;
}

enum tn_keyfile_result tn_keyfile_write(int dirfd, const char *name, const void *data, size_t len, mode_t mode,
                                        bool replace, char why[WHY])
{
    char temporary[256];
    if (!temporary_name(name, temporary, sizeof temporary))
        return fail(why, TN_KEYFILE_SYSTEM, "cannot be named: too long, or no randomness");
    int fd = openat(dirfd, temporary, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, mode);
    if (fd < 0) {
        bool denied = errno == EACCES || errno == EPERM || errno == EROFS;
        return fail(why, denied ? TN_KEYFILE_DENIED : TN_KEYFILE_SYSTEM, "cannot be created: %s", strerror(errno));
    }
    bool good = fchmod(fd, mode) == 0 && write_all(fd, data, len); /* the mode counts, not the umask */
    int error = errno;
    close(fd);
    if (good) {
        good = move_into_place(dirfd, temporary, name, replace);
        error = errno;
    }
    if (!good) {
        (void)unlinkat(dirfd, temporary, 0);
        if (error == EEXIST)
            return fail(why, TN_KEYFILE_DENIED, "exists already: remove it first");
        return fail(why, TN_KEYFILE_SYSTEM, "cannot be written: %s", strerror(error));
    }
    if (fsync(dirfd) != 0)
        return fail(why, TN_KEYFILE_SYSTEM, "its directory cannot be synced: %s", strerror(errno));
    return TN_KEYFILE_OK;
}
