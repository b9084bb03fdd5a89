/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Files in and out. Reading is bounded; writing goes to a file beside the target, which is then renamed, so that nobody
 * ever sees half a file; devices and pipes are written in place. A failed write or close is an error, also on standard
 * output.
 */
#include "cli.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

void cli_bytes_free(struct cli_bytes *bytes)
{
    if (bytes->data)
        tenuo_wipe(bytes->data, bytes->len);
    free(bytes->data);
    *bytes = (struct cli_bytes){ 0 };
}

/* Reads at most max + 1 bytes, so that the caller sees an excess. */
static int read_all(int fd, size_t max, struct cli_bytes *ret)
{
    struct cli_bytes b = { 0 };
    for (size_t room = 0; b.len <= max;) {
        if (b.len == room) {
            /* a key may be in there: copy and wipe, never realloc */
            size_t bigger = room ? room * 2 : 4096;
            uint8_t *data = cli_alloc(bigger + 1, 1);
            if (b.data) {
                memcpy(data, b.data, b.len);
                tenuo_wipe(b.data, b.len);
                free(b.data);
            }
            b.data = data;
            room = bigger;
        }
        ssize_t n = read(fd, b.data + b.len, room - b.len);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0) {
            int saved = errno;
            cli_bytes_free(&b);
            return saved;
        }
        if (n == 0)
            break;
        b.len += (size_t)n;
    }
    b.data[b.len] = '\0';
    *ret = b;
    return 0;
}

int cli_read_file(const char *path, size_t max, struct cli_bytes *ret, struct tenuo_error *err)
{
    static bool taken;
    bool standard = strcmp(path, "-") == 0;
    if (standard && taken)
        return cli_set_error(err, TENUO_E_INVALID_ARGUMENT, "only one thing can come from standard input");
    taken = taken || standard;
    int fd = standard ? STDIN_FILENO : open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
    if (fd < 0)
        return cli_set_error(err, TENUO_E_SYSTEM, "%s: cannot open: %s", path, strerror(errno));
    struct cli_bytes b = { 0 };
    int failed = read_all(fd, max, &b);
    if (!standard)
        close(fd);
    if (failed)
        return cli_set_error(err, TENUO_E_SYSTEM, "%s: cannot read: %s", standard ? "standard input" : path,
                             strerror(failed));
    if (b.len > max) {
        cli_bytes_free(&b);
        return cli_set_error(err, TENUO_E_TOO_LARGE, "%s: longer than the %zu bytes that may come here",
                             standard ? "standard input" : path, max);
    }
    *ret = b;
    return TENUO_OK;
}

static bool write_all(int fd, const void *data, size_t len)
{
    const char *p = data;
    while (len) {
        ssize_t n = write(fd, p, len);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return false;
        p += n;
        len -= (size_t)n;
    }
    return true;
}

static int write_in_place(const char *path, const void *data, size_t len, struct tenuo_error *err)
{
    int fd = open(path, O_WRONLY | O_CLOEXEC | O_NOCTTY);
    if (fd < 0)
        return cli_set_error(err, TENUO_E_SYSTEM, "%s: cannot open for writing: %s", path, strerror(errno));
    bool good = write_all(fd, data, len);
    int saved = errno;
    if (close(fd) != 0 && good) {
        good = false;
        saved = errno;
    }
    return good ? TENUO_OK : cli_set_error(err, TENUO_E_SYSTEM, "%s: cannot write: %s", path, strerror(saved));
}

/* From the temporary name to the final one; a fresh file must not be there, and the kernel makes that one step. */
static bool move_into_place(const char *beside, const char *path, bool fresh)
{
    if (!fresh)
        return rename(beside, path) == 0;
    if (renameat2(AT_FDCWD, beside, AT_FDCWD, path, RENAME_NOREPLACE) == 0)
        return true;
    if (errno != EINVAL && errno != ENOSYS)
        return false;
    return link(beside, path) == 0 && unlink(beside) == 0; /* file systems without the flag */
}

/* The new name must survive a power cut as the bytes do; where a directory cannot be synced, nothing can be done. */
static void sync_directory(const char *path)
{
    const char *slash = strrchr(path, '/');
    char *dir = slash == path ? strdup("/") : slash ? strndup(path, (size_t)(slash - path)) : strdup(".");
    int fd = dir ? open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC) : -1;
    if (fd >= 0) {
        (void)fsync(fd);
        close(fd);
    }
    free(dir);
}

/* How the file is to be; an owner of -1 is whoever writes it. */
struct form {
    mode_t mode;
    uid_t owner;
    gid_t group;
    bool fresh;
};

/* Only root may give a file away; where that fails it keeps at least its mode, and the caller can see whose it is. */
static bool shape(int fd, const struct form *form)
{
    bool given = fchown(fd, form->owner, form->group) == 0 || fchown(fd, (uid_t)-1, form->group) == 0;
    (void)given;
    return fchmod(fd, form->mode) == 0;
}

static int write_beside(const char *path, const void *data, size_t len, const struct form *form,
                        struct tenuo_error *err)
{
    size_t size = strlen(path) + sizeof ".XXXXXX";
    char *beside = cli_alloc(size, 1);
    snprintf(beside, size, "%s.XXXXXX", path);
    int fd = mkostemp(beside, O_CLOEXEC); /* O_EXCL and 0600 */
    int code = TENUO_OK;
    if (fd < 0) {
        code = cli_set_error(err, TENUO_E_SYSTEM, "%s: cannot create a file beside it: %s", path, strerror(errno));
        goto out;
    }
    bool good = write_all(fd, data, len) && shape(fd, form) && fsync(fd) == 0;
    int saved = errno;
    if (close(fd) != 0 && good) {
        good = false;
        saved = errno;
    }
    if (good && !move_into_place(beside, path, form->fresh)) {
        good = false;
        saved = errno;
    }
    if (good)
        sync_directory(path);
    if (!good) {
        unlink(beside);
        code = saved == EEXIST ? cli_set_error(err, TENUO_E_SYSTEM, "%s: is there already; --force replaces it", path)
                               : cli_set_error(err, TENUO_E_SYSTEM, "%s: cannot write: %s", path, strerror(saved));
    }
out:
    free(beside);
    return code;
}

int cli_write_file(const char *path, const void *data, size_t len, unsigned mode, bool fresh, struct tenuo_error *err)
{
    struct form form = { .mode = (mode_t)mode, .owner = (uid_t)-1, .group = (gid_t)-1, .fresh = fresh };
    struct stat st;
    if (strcmp(path, "-") == 0) {
        if ((fwrite(data, 1, len, stdout) != len || fflush(stdout) != 0) && errno != EPIPE)
            return cli_set_error(err, TENUO_E_SYSTEM, "standard output: cannot write: %s", strerror(errno));
        return TENUO_OK;
    }
    if (stat(path, &st) == 0 && !S_ISREG(st.st_mode)) {
        if (S_ISDIR(st.st_mode))
            return cli_set_error(err, TENUO_E_SYSTEM, "%s: is a directory", path);
        return write_in_place(path, data, len, err);
    }
    return write_beside(path, data, len, &form, err);
}

int cli_replace_file(const char *path, const void *data, size_t len, const struct stat *like, struct tenuo_error *err)
{
    struct form form = { .mode = like->st_mode & 0777, .owner = like->st_uid, .group = like->st_gid };
    return write_beside(path, data, len, &form, err);
}

bool cli_close_stdout(void)
{
    struct pollfd fd = { .fd = STDOUT_FILENO, .events = POLLOUT };
    bool good = fflush(stdout) == 0 && !ferror(stdout);
    bool reader_gone = poll(&fd, 1, 0) == 1 && (fd.revents & POLLERR);
    return (fclose(stdout) == 0 && good) || reader_gone; /* it has seen enough; our answer is the exit status */
}
