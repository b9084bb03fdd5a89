/* SPDX-License-Identifier: Apache-2.0 */
/* A schema that names an argument of the core. */
#include "mock.h"

static const struct tenuo_arg_spec args[] = {
    { "sha256", TENUO_ARG_STRING, 0, "not ours to name" },
    { NULL, 0, 0, NULL },
};
static const struct tenuo_resolver_ops ops = MOCK_RESOLVER;

TENUO_PLUGIN_EXPORT const struct tenuo_plugin_v1 tenuo_plugin_v1 = {
    MOCK_DESCRIPTOR("core_arg"), .args = args, .resolver = &ops
};
