/* SPDX-License-Identifier: Apache-2.0 */
/* A keeper of receipts that does not hear when the host could not sign, and asks a second time. */
#include "mock.h"

static int receipt(void *self, const struct tenuo_receipt_job *job)
{
    const uint8_t *bytes;
    size_t len;
    (void)self;
    (void)job->make(job, NULL, &bytes, &len);
    (void)job->make(job, NULL, &bytes, &len);
    return TENUO_OK;
}

static const struct tenuo_audit_ops ops = {
    .size = sizeof(struct tenuo_audit_ops), .open = mock_open, .close = mock_close, .receipt = receipt
};

TENUO_PLUGIN_EXPORT const struct tenuo_plugin_v1 tenuo_plugin_v1 = { MOCK_DESCRIPTOR("deaf_receipt"), .audit = &ops };
