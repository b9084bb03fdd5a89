/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The trust walk of style.md 4.6: from "/" to a file or directory, one component at a time, never through a link.
 * Decides by what is opened, not by what a name says. Never executes, never writes, and keeps no descriptor but the one
 * it hands out.
 */
#include "trust.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/limits.h> /* <limits.h> could be our own limits.h */
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/stat.h>
#include <unistd.h>

#include "err.h"

#define UNMAPPED_UID 65534u /* what the kernel shows for an owner that a user namespace does not map */

struct walk {
    const char *path;
    size_t end; /* bytes of path up to and with the component in hand */
    int code;
    struct tenuo_error *err;
    char shown[160];
};

/* The component in hand, as a path, fit for a message. */
static const char *shown(struct walk *w)
{
    tn_quote(w->shown, sizeof w->shown, w->path, w->end == 0 ? 1 : w->end);
    return w->shown;
}

/* Ours count only while nobody lent us rights: a set-uid program run by a stranger trusts root alone. */
static bool owner_accepted(uid_t owner)
{
    if (owner == 0)
        return true;
    return geteuid() != 0 && owner == geteuid() && getauxval(AT_SECURE) == 0;
}

static int check_owner(struct walk *w, const struct stat *st)
{
    if (owner_accepted(st->st_uid))
        return TENUO_OK;
    return tn_fail(w->err, w->code, "%s: owned by uid %u, mode %04o, and must belong to root: chown root it%s",
                   shown(w), (unsigned)st->st_uid, (unsigned)(st->st_mode & 07777),
                   st->st_uid == UNMAPPED_UID ? " (65534: an owner that this user namespace does not map)"
                   : geteuid() == 0           ? ", or run this as its owner"
                                              : "");
}

/* `ancestor`: a sticky directory is good enough above a component whose owner passes, since nobody else can replace
 * that one. */
static int check_mode(struct walk *w, const struct stat *st, bool ancestor)
{
    bool group = (st->st_mode & S_IWGRP) != 0, world = (st->st_mode & S_IWOTH) != 0;
    if (!group && !world)
        return TENUO_OK;
    if (ancestor && S_ISDIR(st->st_mode) && (st->st_mode & S_ISVTX) != 0)
        return TENUO_OK;
    return tn_fail(w->err, w->code, "%s: owned by uid %u, mode %04o, writable by %s: chmod %s it", shown(w),
                   (unsigned)st->st_uid, (unsigned)(st->st_mode & 07777), world ? "everybody" : "its group",
                   world ? "go-w" : "g-w");
}

static int check_object(struct walk *w, int fd, enum tn_trust_kind kind, bool ancestor)
{
    struct stat st;
    if (fstat(fd, &st) != 0)
        return tn_fail(w->err, w->code, "%s: cannot be examined: %s", shown(w), strerror(errno));
    if (kind == TN_TRUST_FILE && !S_ISREG(st.st_mode))
        return tn_fail(w->err, w->code, "%s: not a regular file", shown(w));
    int r = check_owner(w, &st);
    return r != TENUO_OK ? r : check_mode(w, &st, ancestor);
}

static int fail_open(struct walk *w, int dir, const char *name, int error)
{
    struct stat st;
    if (error == ENOENT)
        return tn_fail(w->err, TENUO_E_SYSTEM, "%s: no such file or directory", shown(w));
    const bool seen = fstatat(dir, name, &st, AT_SYMLINK_NOFOLLOW) == 0;
    if (!seen && error == EACCES)
        return tn_fail(
            w->err, w->code,
            "%s: this user may not look into the directory above it: give that one the right to be entered (x)",
            shown(w));
    if (seen && S_ISLNK(st.st_mode))
        return tn_fail(w->err, w->code, "%s: a symbolic link, owned by uid %u: name the real path (readlink -f)",
                       shown(w), (unsigned)st.st_uid);
    return tn_fail(w->err, w->code, "%s: cannot be opened: %s", shown(w), strerror(error));
}

/* The last component. Looked at before it is opened: opening a device can do things. */
static int open_end(struct walk *w, int dir, const char *name, enum tn_trust_kind kind, int *ret_fd)
{
    struct stat st;
    int flags = O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC;
    if (fstatat(dir, name, &st, AT_SYMLINK_NOFOLLOW) != 0)
        return fail_open(w, dir, name, errno);
    if (S_ISLNK(st.st_mode))
        return fail_open(w, dir, name, ELOOP);
    if (kind == TN_TRUST_FILE && !S_ISREG(st.st_mode))
        return tn_fail(w->err, w->code, "%s: not a regular file", shown(w));
    int fd = openat(dir, name, kind == TN_TRUST_DIR ? flags | O_DIRECTORY : flags);
    if (fd < 0)
        return fail_open(w, dir, name, errno);
    int r = check_object(w, fd, kind, false);
    if (r != TENUO_OK) {
        close(fd);
        return r;
    }
    *ret_fd = fd;
    return TENUO_OK;
}

static int open_ancestor(struct walk *w, int dir, const char *name, int *ret_fd)
{
    int fd = openat(dir, name, O_PATH | O_NOFOLLOW | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0)
        return fail_open(w, dir, name, errno);
    int r = check_object(w, fd, TN_TRUST_DIR, true);
    if (r != TENUO_OK) {
        close(fd);
        return r;
    }
    *ret_fd = fd;
    return TENUO_OK;
}

/* Next component into name; false for one that no trusted path has: empty, ".", "..", too long. */
static bool next_component(struct walk *w, char name[NAME_MAX + 1], bool *ret_last)
{
    const char *start = w->path + w->end + 1;
    size_t n = strcspn(start, "/");
    if (n == 0 || n > NAME_MAX || (n == 1 && start[0] == '.') || (n == 2 && start[0] == '.' && start[1] == '.'))
        return false;
    memcpy(name, start, n);
    name[n] = '\0';
    w->end += n + 1;
    *ret_last = start[n] == '\0';
    return true;
}

static int walk_from(struct walk *w, int root, enum tn_trust_kind kind, int *ret_fd)
{
    char name[NAME_MAX + 1];
    int dir = root, fd = -1, r;
    bool last = false;
    for (;;) {
        if (!next_component(w, name, &last)) {
            w->end = strlen(w->path);
            r = tn_fail(w->err, w->code, "%s: a path may have no empty, '.' or '..' component", shown(w));
            break;
        }
        r = last ? open_end(w, dir, name, kind, &fd) : open_ancestor(w, dir, name, &fd);
        if (r != TENUO_OK || last)
            break;
        close(dir);
        dir = fd;
    }
    close(dir);
    if (r == TENUO_OK)
        *ret_fd = fd;
    return r;
}

int tn_trust_open(const char *path, enum tn_trust_kind kind, int code, int *ret_fd, struct tenuo_error *err)
{
    struct walk w = { .path = path, .code = code, .err = err };
    if (path[0] != '/' || strlen(path) >= PATH_MAX) {
        char quoted[160];
        tn_quote(quoted, sizeof quoted, path, strlen(path));
        return tn_fail(err, code, "%s: not an absolute path: write it from '/' on", quoted);
    }
    int root = open("/", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (root < 0)
        return fail_open(&w, AT_FDCWD, "/", errno);
    int r = check_object(&w, root, TN_TRUST_DIR, path[1] != '\0');
    if (r != TENUO_OK) {
        close(root);
        return r;
    }
    if (path[1] == '\0' && kind == TN_TRUST_DIR) {
        *ret_fd = root;
        return TENUO_OK;
    }
    return walk_from(&w, root, kind, ret_fd);
}

/* One byte more than allowed is asked for, so that a file that grew is seen. */
static int read_all(int fd, const char *path, size_t max, int code, uint8_t **ret_data, size_t *ret_len,
                    struct tenuo_error *err)
{
    char quoted[160];
    struct stat st;
    size_t len = 0;
    tn_quote(quoted, sizeof quoted, path, strlen(path));
    if (fstat(fd, &st) != 0)
        return tn_fail(err, code, "%s: cannot be examined: %s", quoted, strerror(errno));
    if (st.st_size < 0 || (uint64_t)st.st_size > max)
        return tn_fail(err, code, "%s: larger than %zu bytes", quoted, max);
    size_t cap = (size_t)st.st_size + 1;
    uint8_t *data = malloc(cap + 1);
    if (data == NULL)
        return tn_fail_code(err, TENUO_E_NOMEM);
    while (len < cap) {
        ssize_t n = read(fd, data + len, cap - len);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0) {
            int error = errno;
            free(data);
            return tn_fail(err, code, "%s: cannot be read: %s", quoted, strerror(error));
        }
        if (n == 0)
            break;
        len += (size_t)n;
    }
    if (len == cap) {
        free(data);
        return tn_fail(err, code, "%s: grew while it was read: try again", quoted);
    }
    data[len] = '\0';
    *ret_data = data;
    *ret_len = len;
    return TENUO_OK;
}

int tn_trust_read(const char *path, size_t max, int code, uint8_t **ret_data, size_t *ret_len, struct tenuo_error *err)
{
    int fd = -1;
    int r = tn_trust_open(path, TN_TRUST_FILE, code, &fd, err);
    if (r != TENUO_OK)
        return r;
    r = read_all(fd, path, max, code, ret_data, ret_len, err);
    close(fd);
    return r;
}
