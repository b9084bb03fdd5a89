/* SPDX-License-Identifier: Apache-2.0 */
/* A descriptor that offers nothing. */
#include "mock.h"

TENUO_PLUGIN_EXPORT const struct tenuo_plugin_v1 tenuo_plugin_v1 = {
    MOCK_DESCRIPTOR("no_ops")
};
