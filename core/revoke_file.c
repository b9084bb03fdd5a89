/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Revocation `file`, built in: a signed list in one file, put there by whatever distributes it. Built in, and not one
 * more kind of tenuo_file.so, because a verifier that reads a list from its disk then needs no plugin directory, and
 * the trust walk is the library's anyway. Reads the file only when it changed; bytes that moved while they were read
 * are thrown away. Judges owner and mode, never the list.
 */
#include "builtin.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "err.h"
#include "trust.h"

/* A change within this time of the last one could have the same time stamps. */
#define SETTLED_SECONDS 2

struct revoke_file {
    const struct tenuo_host *host;
    bool known; /* seen is of the bytes that were handed over last */
    struct stat seen;
    char path[];
};

static bool same_time(struct timespec a, struct timespec b)
{
    return a.tv_sec == b.tv_sec && a.tv_nsec == b.tv_nsec;
}

static bool same_file(const struct stat *a, const struct stat *b)
{
    return a->st_dev == b->st_dev && a->st_ino == b->st_ino && a->st_size == b->st_size &&
           same_time(a->st_mtim, b->st_mtim) && same_time(a->st_ctim, b->st_ctim);
}

static int refuse(const struct revoke_file *f, int code, const char *why)
{
    f->host->error(f->host, "%s: %s", f->path, why);
    return code;
}

static int open_list(const struct revoke_file *f, int *ret_fd, struct stat *ret_st)
{
    struct tenuo_error why;
    int fd = -1, r = tn_trust_open(f->path, TN_TRUST_FILE, TENUO_E_CONF, &fd, &why);
    if (r != TENUO_OK) {
        f->host->error(f->host, "%s", why.msg);
        return r == TENUO_E_SYSTEM ? TENUO_E_UNAVAILABLE : r;
    }
    if (fstat(fd, ret_st) != 0 || ret_st->st_size < 0) {
        close(fd);
        return refuse(f, TENUO_E_UNAVAILABLE, "cannot be examined");
    }
    *ret_fd = fd;
    return TENUO_OK;
}

static int read_bytes(const struct revoke_file *f, int fd, uint8_t *bytes, size_t len)
{
    size_t have = 0;
    while (have < len) {
        ssize_t n = read(fd, bytes + have, len - have);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return refuse(f, TENUO_E_UNAVAILABLE, strerror(errno));
        if (n == 0)
            break;
        have += (size_t)n;
    }
    return have == len ? TENUO_OK : refuse(f, TENUO_E_UNAVAILABLE, "became shorter while it was read: asked again");
}

static int read_list(const struct revoke_file *f, int fd, const struct stat *before, uint8_t **ret_bytes)
{
    struct stat after;
    if ((uint64_t)before->st_size > TENUO_REVOCATION_LIST_MAX)
        return refuse(f, TENUO_E_SRL_INVALID, "larger than a revocation list may be (96 MiB)");
    size_t len = (size_t)before->st_size;
    uint8_t *bytes = malloc(len + 1);
    if (bytes == NULL)
        return TENUO_E_NOMEM;
    int r = read_bytes(f, fd, bytes, len);
    if (r == TENUO_OK && (fstat(fd, &after) != 0 || !same_file(before, &after)))
        r = refuse(f, TENUO_E_UNAVAILABLE, "changed while it was read: asked again; write a new file and rename it");
    if (r != TENUO_OK) {
        free(bytes);
        return r;
    }
    *ret_bytes = bytes;
    return TENUO_OK;
}

static int revoke_file_fetch(void *self, int unchanged_ok, const uint8_t **ret_list, size_t *ret_len,
                             int64_t *ret_fetched_at)
{
    struct revoke_file *f = self;
    struct stat st;
    uint8_t *bytes = NULL;
    int64_t now = f->host->now();
    int fd = -1, r = open_list(f, &fd, &st);
    if (r != TENUO_OK)
        return r;
    bool unchanged = unchanged_ok != 0 && f->known && same_file(&st, &f->seen);
    if (!unchanged)
        r = read_list(f, fd, &st, &bytes);
    close(fd);
    if (r != TENUO_OK)
        return r;
    f->known = false; /* first, for a child that another thread forks here */
    f->seen = st;
    f->known = now - (int64_t)st.st_ctim.tv_sec >= SETTLED_SECONDS; /* else read once more */
    *ret_list = bytes;
    *ret_len = unchanged ? 0 : (size_t)st.st_size;
    *ret_fetched_at = now;
    return TENUO_OK;
}

static void revoke_file_release(void *self, const uint8_t *list, size_t len)
{
    (void)self, (void)len;
    free((void *)(uintptr_t)list);
}

static int revoke_file_open(const struct tenuo_host *host, const struct tenuo_arg *args, size_t nargs, void **ret_self)
{
    size_t n = strlen(args[0].value) + 1;
    struct revoke_file *f = calloc(1, sizeof *f + n);
    (void)nargs;
    if (f == NULL)
        return TENUO_E_NOMEM;
    f->host = host;
    memcpy(f->path, args[0].value, n);
    *ret_self = f;
    return TENUO_OK;
}

static void revoke_file_close(void *self)
{
    free(self);
}

static int revoke_file_check(const struct tenuo_host *host, const struct tenuo_arg *args, size_t nargs)
{
    void *self = NULL;
    struct stat st;
    int fd = -1, r = revoke_file_open(host, args, nargs, &self);
    if (r == TENUO_OK && open_list(self, &fd, &st) != TENUO_OK)
        r = TENUO_E_UNAVAILABLE;
    if (fd >= 0)
        close(fd);
    revoke_file_close(self);
    return r;
}

static const struct tenuo_arg_spec revoke_file_args[] = {
    { "path", TENUO_ARG_PATH, 1, "file with the signed list" },
    { NULL, 0, 0, NULL },
};

static const struct tenuo_revocation_ops revoke_file_ops = {
    .size = sizeof revoke_file_ops,
    .open = revoke_file_open,
    .close = revoke_file_close,
    .check = revoke_file_check,
    .fetch = revoke_file_fetch,
    .release = revoke_file_release,
};

const struct tenuo_plugin_v1 tn_builtin_revocation_file = {
    .magic = TENUO_PLUGIN_MAGIC,
    .abi_major = TENUO_PLUGIN_ABI_MAJOR,
    .abi_minor = TENUO_PLUGIN_ABI_MINOR,
    .size = sizeof tn_builtin_revocation_file,
    .flags = TENUO_PLUGIN_FORK_SAFE | TENUO_PLUGIN_NO_NETWORK,
    .name = "file",
    .version = "1.0",
    .summary = "a signed revocation list in a file",
    .args = revoke_file_args,
    .revocation = &revoke_file_ops,
};
