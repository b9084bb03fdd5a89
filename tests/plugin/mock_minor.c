/* SPDX-License-Identifier: Apache-2.0 */
/* A later minor with a member that this library does not know: must be taken. */
#include "mock.h"

static const struct tenuo_resolver_ops ops = MOCK_RESOLVER;

struct later {
    struct tenuo_plugin_v1 v1;
    const void *new_kind;
};

TENUO_PLUGIN_EXPORT const struct later tenuo_plugin_v1 = {
    { .magic = TENUO_PLUGIN_MAGIC, .abi_major = TENUO_PLUGIN_ABI_MAJOR, .abi_minor = 7, .size = sizeof(struct later),
      .name = "minor", .version = "1.0", .summary = "test mock", .resolver = &ops },
    &ops,
};
