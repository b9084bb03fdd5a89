/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Resolver "dir", a complete plugin to start from: one raw 32-byte seed per file, PATH/KEY_ID.seed, mode 0600.
 *
 *   cc -std=c17 -D_GNU_SOURCE -fPIC -shared -fvisibility=hidden -Wl,-z,defs,-z,nodelete,-z,relro,-z,now \
 *      $(pkg-config --cflags tenuo-plugin) -o tenuo_dir.so resolver_dir.c
 *   install -o root -g root -m 0755 tenuo_dir.so "$(pkg-config --variable=plugindir tenuo-plugin)/"
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <tenuo/plugin.h>

struct dir { const struct tenuo_host *host; int fd; }; /* of one line: keep no globals */

static int dir_open(const struct tenuo_host *host, const struct tenuo_arg *args, size_t nargs, void **ret_self)
{
    (void)nargs; /* the host has checked args against dir_args */
    struct dir *d = calloc(1, sizeof *d);
    if (d == NULL)
        return TENUO_E_NOMEM;
    *d = (struct dir){ host, open(args[0].value, O_PATH | O_DIRECTORY | O_CLOEXEC) };
    if (d->fd < 0) { /* the host comes again: a store that is away now needs no restart later */
        host->error(host, "%s: %s; make the directory, or correct path=", args[0].value, strerror(errno));
        free(d);
        return TENUO_E_UNAVAILABLE;
    }
    *ret_self = d;
    return TENUO_OK;
}

static void dir_close(void *self)
{
    struct dir *d = self;
    close(d->fd);
    free(d);
}

static int dir_export_seed(void *self, const char *key_id, uint32_t version, uint8_t ret_seed[TENUO_SEED_BYTES])
{
    const struct dir *d = self;
    uint8_t seed[TENUO_SEED_BYTES + 1]; /* one more, to see a file that is too long */
    char name[TENUO_KEY_ID_MAX + 8];
    struct stat st;
    if (version != 0 || (size_t)snprintf(name, sizeof name, "%s.seed", key_id) >= sizeof name)
        return TENUO_E_KEY_NOT_FOUND; /* it keeps no versions, and the host hands over no longer id */
    int fd = openat(d->fd, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
    if (fd < 0 && errno == ENOENT) /* only a missing file is "not found" */
        return TENUO_E_KEY_NOT_FOUND;
    ssize_t n = fd >= 0 && fstat(fd, &st) == 0 ? read(fd, seed, sizeof seed) : -1;
    int r = n < 0 ? TENUO_E_UNAVAILABLE : n != TENUO_SEED_BYTES ? TENUO_E_KEY_INVALID : TENUO_OK;
    if (r == TENUO_OK && (st.st_mode & 077) != 0)
        r = TENUO_E_KEY_DENIED;
    if (r != TENUO_OK) /* place and remedy, never a byte of what stands there */
        d->host->error(d->host, "%s: %s", name, r == TENUO_E_KEY_DENIED ? "others can read it: chmod 0600" :
                       r == TENUO_E_KEY_INVALID ? "not 32 bytes: put the raw seed there" : strerror(errno));
    if (r == TENUO_OK) /* outputs are written only on success */
        memcpy(ret_seed, seed, TENUO_SEED_BYTES);
    explicit_bzero(seed, sizeof seed);
    if (fd >= 0)
        close(fd);
    return r;
}

static const struct tenuo_arg_spec dir_args[] = {
    { "path", TENUO_ARG_PATH, 1, "directory that holds KEY_ID.seed files" }, { NULL, 0, 0, NULL } };
static const struct tenuo_resolver_ops dir_ops = { .size = sizeof dir_ops,
    .open = dir_open, .close = dir_close, .export_seed = dir_export_seed };
TENUO_PLUGIN_EXPORT const struct tenuo_plugin_v1 tenuo_plugin_v1 = {
    .magic = TENUO_PLUGIN_MAGIC, .abi_major = TENUO_PLUGIN_ABI_MAJOR, .abi_minor = TENUO_PLUGIN_ABI_MINOR,
    .size = sizeof tenuo_plugin_v1, .name = "dir", .version = "1.0", .summary = "seeds in a directory",
    .flags = TENUO_PLUGIN_THREAD_SAFE | TENUO_PLUGIN_FORK_SAFE | TENUO_PLUGIN_NO_NETWORK,
    .args = dir_args, .resolver = &dir_ops };
