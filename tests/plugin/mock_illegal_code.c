/* SPDX-License-Identifier: Apache-2.0 */
/* Returns codes that no call may return. */
#include "mock.h"

static int export_seed(void *self, const char *key_id, uint32_t version, uint8_t ret_seed[TENUO_SEED_BYTES])
{
    (void)self, (void)version, (void)key_id, (void)ret_seed;
    return 42;
}

static int decision(void *self, const struct tenuo_audit_event *event)
{
    (void)self, (void)event;
    return -1;
}

static const struct tenuo_resolver_ops ops = {
    .size = sizeof(struct tenuo_resolver_ops), .open = mock_open, .close = mock_close, .export_seed = export_seed
};
static const struct tenuo_audit_ops audit = {
    .size = sizeof(struct tenuo_audit_ops), .open = mock_open, .close = mock_close, .decision = decision
};

TENUO_PLUGIN_EXPORT const struct tenuo_plugin_v1 tenuo_plugin_v1 = {
    MOCK_DESCRIPTOR("illegal_code"), .resolver = &ops, .audit = &audit
};
