/* SPDX-License-Identifier: Apache-2.0 */
/* An argument that nobody explains. */
#include "mock.h"

static const struct tenuo_arg_spec args[] = { { "thing", TENUO_ARG_STRING, 0, NULL }, { NULL, 0, 0, NULL } };
static const struct tenuo_resolver_ops ops = MOCK_RESOLVER;

TENUO_PLUGIN_EXPORT const struct tenuo_plugin_v1 tenuo_plugin_v1 = {
    MOCK_DESCRIPTOR("no_help"), .args = args, .resolver = &ops
};
