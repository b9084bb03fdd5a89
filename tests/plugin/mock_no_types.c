/* SPDX-License-Identifier: Apache-2.0 */
/* A matcher that claims no constraint type. */
#include "mock.h"

static const uint8_t none[] = { 0 };

static const struct tenuo_matcher_ops matcher = {
    .size = sizeof(struct tenuo_matcher_ops), .open = mock_open, .close = mock_close, .types = none
};

TENUO_PLUGIN_EXPORT const struct tenuo_plugin_v1 tenuo_plugin_v1 = {
    MOCK_DESCRIPTOR("no_types"), .flags = TENUO_PLUGIN_THREAD_SAFE | TENUO_PLUGIN_FORK_SAFE, .matcher = &matcher
};
