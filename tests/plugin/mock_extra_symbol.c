/* SPDX-License-Identifier: Apache-2.0 */
/* Exports a second symbol, which must not become visible to the rest of the process. */
#include "mock.h"

static const struct tenuo_resolver_ops ops = MOCK_RESOLVER;

extern const int tn_mock_extra_symbol;
TENUO_PLUGIN_EXPORT const int tn_mock_extra_symbol = 1;

TENUO_PLUGIN_EXPORT const struct tenuo_plugin_v1 tenuo_plugin_v1 = {
    MOCK_DESCRIPTOR("extra_symbol"), .resolver = &ops
};
