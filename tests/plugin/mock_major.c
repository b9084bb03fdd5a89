/* SPDX-License-Identifier: Apache-2.0 */
/* The next ABI major. */
#include "mock.h"

static const struct tenuo_resolver_ops ops = MOCK_RESOLVER;

TENUO_PLUGIN_EXPORT const struct tenuo_plugin_v1 tenuo_plugin_v1 = {
    .magic = TENUO_PLUGIN_MAGIC,
    .abi_major = TENUO_PLUGIN_ABI_MAJOR + 1,
    .abi_minor = TENUO_PLUGIN_ABI_MINOR,
    .size = sizeof(struct tenuo_plugin_v1),
    .name = "major",
    .version = "1.0",
    .summary = "test mock",
    .resolver = &ops,
};
