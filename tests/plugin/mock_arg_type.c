/* SPDX-License-Identifier: Apache-2.0 */
/* A schema with a type that nobody knows. */
#include "mock.h"

static const struct tenuo_arg_spec args[] = {
    { "path", 99, 0, "of no type" },
    { NULL, 0, 0, NULL },
};
static const struct tenuo_resolver_ops ops = MOCK_RESOLVER;

TENUO_PLUGIN_EXPORT const struct tenuo_plugin_v1 tenuo_plugin_v1 = {
    MOCK_DESCRIPTOR("arg_type"), .args = args, .resolver = &ops
};
