/* SPDX-License-Identifier: Apache-2.0 */
/* Ends the process as soon as it is loaded. */
#include "mock.h"

__attribute__((constructor)) static void die(void)
{
    abort();
}

static const struct tenuo_resolver_ops ops = MOCK_RESOLVER;

TENUO_PLUGIN_EXPORT const struct tenuo_plugin_v1 tenuo_plugin_v1 = {
    MOCK_DESCRIPTOR("dies"), .resolver = &ops
};
