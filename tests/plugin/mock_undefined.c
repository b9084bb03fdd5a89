/* SPDX-License-Identifier: Apache-2.0 */
/* Needs a symbol that nobody has. Linked without -z defs. */
#include "mock.h"

int tn_symbol_that_nobody_has(void *self);

static int flush(void *self)
{
    return tn_symbol_that_nobody_has(self);
}

static const struct tenuo_audit_ops audit = {
    .size = sizeof(struct tenuo_audit_ops), .open = mock_open, .close = mock_close, .decision = mock_decision,
    .flush = flush
};

TENUO_PLUGIN_EXPORT const struct tenuo_plugin_v1 tenuo_plugin_v1 = {
    MOCK_DESCRIPTOR("undefined"), .audit = &audit
};
