/* SPDX-License-Identifier: Apache-2.0 */
/* Operations of an earlier minor: they end within `list`, and what stands from there on must not be taken. */
#include "mock.h"

#include <stddef.h>

static int trap(void *self, int (*each)(void *arg, const struct tenuo_key_entry *entry), void *arg)
{
    (void)self, (void)each, (void)arg;
    abort();
}

static const struct tenuo_resolver_ops ops = {
    .size = offsetof(struct tenuo_resolver_ops, list) + 4, .open = mock_open, .close = mock_close,
    .export_seed = mock_export_seed, .list = trap
};

TENUO_PLUGIN_EXPORT const struct tenuo_plugin_v1 tenuo_plugin_v1 = {
    MOCK_DESCRIPTOR("old_ops"), .resolver = &ops
};
