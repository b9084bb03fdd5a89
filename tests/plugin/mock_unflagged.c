/* SPDX-License-Identifier: Apache-2.0 */
/* A matcher that does not say that threads may share it. */
#include "mock.h"

static int compile(void *self, uint8_t type, const uint8_t *payload, size_t len, void **ret_program,
                   size_t *ret_bytes)
{
    (void)self, (void)type, (void)payload, (void)len, (void)ret_program, (void)ret_bytes;
    return TENUO_E_INVALID_ARGUMENT;
}

static void release(void *self, void *program)
{
    (void)self, (void)program;
}

static int match(void *self, const void *program, const uint8_t *value, size_t len, int64_t as_of,
                 uint64_t *work, int *ret_match)
{
    (void)work, (void)self, (void)program, (void)value, (void)len, (void)as_of, (void)ret_match;
    return TENUO_E_INVALID_ARGUMENT;
}

static int attenuates(void *self, uint8_t parent_type, const uint8_t *parent, size_t parent_len, uint8_t child_type,
                      const uint8_t *child, size_t child_len, int *ret_ok)
{
    (void)self, (void)parent_type, (void)parent, (void)parent_len, (void)child_type, (void)child, (void)child_len;
    (void)ret_ok;
    return TENUO_E_INVALID_ARGUMENT;
}

static const uint8_t types[] = { 5, 0 };
static const struct tenuo_matcher_ops ops = {
    .size = sizeof(struct tenuo_matcher_ops), .open = mock_open, .close = mock_close, .types = types,
    .compile = compile, .release = release, .match = match, .attenuates = attenuates
};

TENUO_PLUGIN_EXPORT const struct tenuo_plugin_v1 tenuo_plugin_v1 = {
    MOCK_DESCRIPTOR("unflagged"), .flags = TENUO_PLUGIN_FORK_SAFE, .matcher = &ops
};
