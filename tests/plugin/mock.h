/* SPDX-License-Identifier: Apache-2.0 */
/* Shared by the mock plugins: calls that do what they should. A mock takes these and is wrong in exactly one way. */
#ifndef TN_MOCK_H
#define TN_MOCK_H

#include <stdlib.h>
#include <string.h>
#include <tenuo/plugin.h>

#define MOCK_DESCRIPTOR(mock_name) \
    .magic = TENUO_PLUGIN_MAGIC, .abi_major = TENUO_PLUGIN_ABI_MAJOR, .abi_minor = TENUO_PLUGIN_ABI_MINOR, \
    .size = sizeof(struct tenuo_plugin_v1), .name = mock_name, .version = "1.0", .summary = "test mock"

static inline int mock_open(const struct tenuo_host *host, const struct tenuo_arg *args, size_t nargs, void **ret_self)
{
    (void)host, (void)args, (void)nargs;
    *ret_self = malloc(1);
    return *ret_self != NULL ? TENUO_OK : TENUO_E_NOMEM;
}

static inline void mock_close(void *self)
{
    free(self);
}

/* The seed of every id is 32 times 7. */
static inline int mock_export_seed(void *self, const char *key_id, uint32_t version,
                                   uint8_t ret_seed[TENUO_SEED_BYTES])
{
    (void)self;
    if (strcmp(key_id, "mock") != 0 || version != 0)
        return TENUO_E_KEY_NOT_FOUND;
    memset(ret_seed, 7, TENUO_SEED_BYTES);
    return TENUO_OK;
}

static inline int mock_decision(void *self, const struct tenuo_audit_event *event)
{
    (void)self, (void)event;
    return TENUO_OK;
}

#define MOCK_RESOLVER \
    { .size = sizeof(struct tenuo_resolver_ops), .open = mock_open, .close = mock_close, \
      .export_seed = mock_export_seed }
#define MOCK_AUDIT \
    { .size = sizeof(struct tenuo_audit_ops), .open = mock_open, .close = mock_close, .decision = mock_decision }

#endif
