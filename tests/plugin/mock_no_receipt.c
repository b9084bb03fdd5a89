/* SPDX-License-Identifier: Apache-2.0 */
/* A keeper of receipts that says it kept one without ever asking for it. */
#include "mock.h"

static int receipt(void *self, const struct tenuo_receipt_job *job)
{
    (void)self, (void)job;
    return TENUO_OK;
}

static const struct tenuo_audit_ops ops = {
    .size = sizeof(struct tenuo_audit_ops), .open = mock_open, .close = mock_close, .receipt = receipt
};

TENUO_PLUGIN_EXPORT const struct tenuo_plugin_v1 tenuo_plugin_v1 = { MOCK_DESCRIPTOR("no_receipt"), .audit = &ops };
