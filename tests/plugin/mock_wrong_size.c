/* SPDX-License-Identifier: Apache-2.0 */
/* Finds a key of the wrong size, and leaves half of it in the output although it fails. */
#include "mock.h"

static int export_seed(void *self, const char *key_id, uint32_t version, uint8_t ret_seed[TENUO_SEED_BYTES])
{
    (void)self, (void)version, (void)key_id;
    memset(ret_seed, 7, TENUO_SEED_BYTES / 2);
    return TENUO_E_KEY_INVALID;
}

static const struct tenuo_resolver_ops ops = {
    .size = sizeof(struct tenuo_resolver_ops), .open = mock_open, .close = mock_close, .export_seed = export_seed
};

TENUO_PLUGIN_EXPORT const struct tenuo_plugin_v1 tenuo_plugin_v1 = {
    MOCK_DESCRIPTOR("wrong_size"), .resolver = &ops
};
