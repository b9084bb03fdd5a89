/* SPDX-License-Identifier: Apache-2.0 */
/* Signs, and cannot say with which key. */
#include "mock.h"

static int sign(void *self, const char *key_id, uint32_t version, const uint8_t *message, size_t len,
                uint8_t ret_signature[TENUO_SIG_BYTES])
{
    (void)self, (void)key_id, (void)version, (void)message, (void)len, (void)ret_signature;
    return TENUO_E_UNAVAILABLE;
}

static const struct tenuo_resolver_ops ops = {
    .size = sizeof(struct tenuo_resolver_ops), .open = mock_open, .close = mock_close, .sign = sign
};

TENUO_PLUGIN_EXPORT const struct tenuo_plugin_v1 tenuo_plugin_v1 = {
    MOCK_DESCRIPTOR("missing_op"), .resolver = &ops
};
