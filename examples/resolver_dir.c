/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Resolver "dir", a complete plugin to start from: one raw 32-byte seed per file, PATH/KEY_ID.seed.
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
#include <unistd.h>
#include <tenuo/plugin.h>

struct dir { int fd; };

static int dir_open(const struct tenuo_host *host, const struct tenuo_arg *args, size_t nargs, void **ret_self)
{
    (void)nargs; /* the host has checked args against dir_args */
    struct dir *d = calloc(1, sizeof *d);
    if (d == NULL)
        return TENUO_E_NOMEM;
    d->fd = open(args[0].value, O_PATH | O_DIRECTORY | O_CLOEXEC);
    if (d->fd < 0) {
        host->log(host, TENUO_LOG_ERR, "%s: %s", args[0].value, strerror(errno));
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
    struct dir *d = self;
    uint8_t seed[TENUO_SEED_BYTES];
    char name[300]; /* key ids are at most 128 bytes, without '/' */
    snprintf(name, sizeof name, "%s.seed", key_id);
    int fd = openat(d->fd, name, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
    if (fd < 0) /* only a missing file is "not found" */
        return errno == ENOENT ? TENUO_E_KEY_NOT_FOUND : TENUO_E_UNAVAILABLE;
    ssize_t n = read(fd, seed, sizeof seed);
    close(fd);
    if (n == TENUO_SEED_BYTES) /* outputs are written only on success */
        memcpy(ret_seed, seed, sizeof seed);
    explicit_bzero(seed, sizeof seed);
    return n == TENUO_SEED_BYTES ? TENUO_OK : TENUO_E_UNAVAILABLE;
}

static const struct tenuo_arg_spec dir_args[] = {
    { "path", TENUO_ARG_PATH, 1, "directory that holds KEY_ID.seed files" }, { NULL, 0, 0, NULL } };
static const struct tenuo_resolver_ops dir_ops = { .size = sizeof dir_ops,
    .open = dir_open, .close = dir_close, .export_seed = dir_export_seed };
TENUO_PLUGIN_EXPORT const struct tenuo_plugin_v1 tenuo_plugin_v1 = {
    .magic = TENUO_PLUGIN_MAGIC, .abi_major = TENUO_PLUGIN_ABI_MAJOR, .abi_minor = TENUO_PLUGIN_ABI_MINOR,
    .size = sizeof tenuo_plugin_v1, .name = "dir", .version = "1.0", .summary = "seeds in a directory",
    .args = dir_args, .resolver = &dir_ops };
