/* SPDX-License-Identifier: Apache-2.0 */
/* A replay store for one process: remembers a few keys, and is full after `size` of them. */
#include "mock.h"

#define MOST 64

struct store {
    unsigned char keys[MOST][32];
    size_t n, size;
};

static int replay_open(const struct tenuo_host *host, const struct tenuo_arg *args, size_t nargs, void **ret_self)
{
    (void)host, (void)nargs;
    struct store *s = calloc(1, sizeof *s);
    if (s == NULL)
        return TENUO_E_NOMEM;
    s->size = args[0].value != NULL && args[0].number < MOST ? (size_t)args[0].number : MOST;
    *ret_self = s;
    return TENUO_OK;
}

static int check_and_set(void *self, const uint8_t key[32], int64_t signed_at, int64_t expires_at)
{
    struct store *s = self;
    (void)signed_at, (void)expires_at;
    for (size_t i = 0; i < s->n; i++)
        if (memcmp(s->keys[i], key, 32) == 0)
            return TENUO_E_REPLAYED;
    if (s->n == s->size)
        return TENUO_E_UNAVAILABLE;
    memcpy(s->keys[s->n++], key, 32);
    return TENUO_OK;
}

static const struct tenuo_arg_spec args[] = {
    { "size", TENUO_ARG_UINT, 0, "how many keys fit" },
    { NULL, 0, 0, NULL },
};
static const struct tenuo_replay_ops ops = { .size = sizeof(struct tenuo_replay_ops),
                                             .args = args,
                                             .open = replay_open,
                                             .close = mock_close,
                                             .check_and_set = check_and_set };

TENUO_PLUGIN_EXPORT const struct tenuo_plugin_v1 tenuo_plugin_v1 = { MOCK_DESCRIPTOR("replay"), .replay = &ops };
