/* SPDX-License-Identifier: Apache-2.0 */
/* Says one public key and exports the seed of another. */
#include "mock.h"

static int public_key(void *self, const char *key_id, uint32_t version, uint8_t ret_key[TENUO_PUBKEY_BYTES],
                      uint32_t *ret_version)
{
    (void)self, (void)key_id, (void)version;
    *ret_version = 0;
    memset(ret_key, 0x66, TENUO_PUBKEY_BYTES); /* the base point: a valid key, and not that of the seed */
    ret_key[0] = 0x58;
    return TENUO_OK;
}

static const struct tenuo_resolver_ops ops = {
    .size = sizeof(struct tenuo_resolver_ops), .open = mock_open, .close = mock_close, .public_key = public_key,
    .export_seed = mock_export_seed
};

TENUO_PLUGIN_EXPORT const struct tenuo_plugin_v1 tenuo_plugin_v1 = {
    MOCK_DESCRIPTOR("wrong_key"), .resolver = &ops
};
