/* SPDX-License-Identifier: Apache-2.0 */
/* An audit sink that takes no events. */
#include "mock.h"

static const struct tenuo_audit_ops audit = {
    .size = sizeof(struct tenuo_audit_ops), .open = mock_open, .close = mock_close
};

TENUO_PLUGIN_EXPORT const struct tenuo_plugin_v1 tenuo_plugin_v1 = {
    MOCK_DESCRIPTOR("no_decision"), .audit = &audit
};
