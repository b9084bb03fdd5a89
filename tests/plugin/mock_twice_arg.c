/* SPDX-License-Identifier: Apache-2.0 */
/* A schema with one name twice. */
#include "mock.h"

static const struct tenuo_arg_spec args[] = {
    { "path", TENUO_ARG_PATH, 0, "once" },
    { "path", TENUO_ARG_PATH, 0, "twice" },
    { NULL, 0, 0, NULL },
};
static const struct tenuo_resolver_ops ops = MOCK_RESOLVER;

TENUO_PLUGIN_EXPORT const struct tenuo_plugin_v1 tenuo_plugin_v1 = {
    MOCK_DESCRIPTOR("twice_arg"), .args = args, .resolver = &ops
};
