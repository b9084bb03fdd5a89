/* SPDX-License-Identifier: Apache-2.0 */
/* Nothing is wrong with this one: it is loaded by several threads at once. */
#include "mock.h"

static const struct tenuo_resolver_ops ops = MOCK_RESOLVER;

TENUO_PLUGIN_EXPORT const struct tenuo_plugin_v1 tenuo_plugin_v1 = {
    MOCK_DESCRIPTOR("threads"), .resolver = &ops
};
