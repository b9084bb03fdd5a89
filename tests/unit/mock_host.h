/* SPDX-License-Identifier: Apache-2.0 */
/* A host table for tests that load a built plugin as the library would: keeps the last sentence, checks nothing. */
#ifndef TN_MOCK_HOST_H
#define TN_MOCK_HOST_H

#include <dlfcn.h>
#include <sodium.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <tenuo/plugin.h>
#include <time.h>

static char mock_said[1024];

TENUO_PRINTF(3, 4) static inline void mock_log(const struct tenuo_host *host, int level, const char *fmt, ...)
{
    (void)host;
    (void)level;
    (void)fmt;
}

TENUO_PRINTF(2, 3) static inline void mock_error(const struct tenuo_host *host, const char *fmt, ...)
{
    va_list ap;
    (void)host;
    va_start(ap, fmt);
    vsnprintf(mock_said, sizeof mock_said, fmt, ap);
    va_end(ap);
}

static inline int64_t mock_now(void)
{
    return (int64_t)time(NULL);
}

static inline uint32_t mock_deadline(const struct tenuo_host *host)
{
    (void)host;
    return 5000;
}

static inline void mock_wipe(void *p, size_t len)
{
    sodium_memzero(p, len);
}

static inline void mock_random(void *p, size_t len)
{
    randombytes_buf(p, len);
}

static const struct tenuo_host mock_host = {
    .size = sizeof mock_host,
    .abi_major = TENUO_PLUGIN_ABI_MAJOR,
    .abi_minor = TENUO_PLUGIN_ABI_MINOR,
    .log = mock_log,
    .error = mock_error,
    .wipe = mock_wipe,
    .random = mock_random,
    .now = mock_now,
    .deadline = mock_deadline,
};

/* The descriptor of tenuo_NAME.so in the folder of the first argument, else of PLUGIN_BUILD_DIR; ends the program
 * without it. */
static inline const struct tenuo_plugin_v1 *mock_load(const char *name, int argc, char **argv)
{
    const char *dir = argc > 1 ? argv[1] : getenv("PLUGIN_BUILD_DIR");
    char path[4096];
    snprintf(path, sizeof path, "%s/tenuo_%s.so", dir == NULL ? "." : dir, name);
    void *so = dlopen(path, RTLD_NOW | RTLD_LOCAL);
    const struct tenuo_plugin_v1 *plugin = so == NULL ? NULL : dlsym(so, "tenuo_plugin_v1");
    if (plugin == NULL) {
        printf("Bail out! %s: %s\n", path, dlerror());
        exit(1);
    }
    return plugin;
}

#endif
