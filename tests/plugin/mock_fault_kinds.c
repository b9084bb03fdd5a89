/* SPDX-License-Identifier: Apache-2.0 */
/* One line of every kind but resolver. Each keeps its contract, and breaks it in the one way that `fault=` names: what
 * `tenuo plugin test --kind` must find. */
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "mock.h"

struct line {
    const struct tenuo_host *host;
    char fault[32];
    uint8_t seen[64][32];
    size_t nseen;
    unsigned asked;
};

static int has(const struct line *l, const char *fault)
{
    return strcmp(l->fault, fault) == 0;
}

static int kinds_open(const struct tenuo_host *host, const struct tenuo_arg *args, size_t nargs, void **ret_self)
{
    struct line *l = calloc(1, sizeof *l);
    (void)nargs;
    if (l == NULL)
        return TENUO_E_NOMEM;
    l->host = host;
    snprintf(l->fault, sizeof l->fault, "%s", args[0].value != NULL ? args[0].value : "");
    *ret_self = l;
    return TENUO_OK;
}

static int kinds_roots(void *self, int (*each)(void *arg, const struct tenuo_root *root), void *arg)
{
    /* the base point: any valid key will do */
    static const uint8_t key[TENUO_PUBKEY_BYTES] = { 0x58, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66,
                                                     0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66,
                                                     0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66 };
    struct tenuo_root root = { .not_after = UINT64_MAX, .name = "root" };
    memcpy(root.key, key, sizeof key);
    root.key[0] ^= has(self, "root") ? 0x58 : 0;
    for (int i = 0; i < 2; i++)
        if (each(arg, &root) != 0 && !has(self, "stop"))
            return TENUO_E_NOMEM;
    return TENUO_OK;
}

static int kinds_decision(void *self, const struct tenuo_audit_event *event)
{
    const struct line *l = self;
    return has(l, "decision") && event->tool[0] == '\0' ? TENUO_E_AUDIT_REFUSED : TENUO_OK;
}

static int kinds_fetch(void *self, int unchanged_ok, const uint8_t **ret_list, size_t *ret_len, int64_t *ret_fetched_at)
{
    static const uint8_t list[] = { 0xa0 };
    *ret_list = unchanged_ok || has(self, "fetch") ? NULL : list;
    *ret_len = *ret_list != NULL ? sizeof list : 0;
    *ret_fetched_at = (int64_t)time(NULL);
    return TENUO_OK;
}

static void kinds_release(void *self, const uint8_t *list, size_t len)
{
    (void)self, (void)list, (void)len;
}

static int kinds_check_and_set(void *self, const uint8_t key[32], int64_t signed_at, int64_t expires_at)
{
    struct line *l = self;
    (void)signed_at, (void)expires_at;
    for (size_t i = 0; i < l->nseen; i++)
        if (memcmp(l->seen[i], key, 32) == 0)
            return TENUO_E_REPLAYED;
    if (!has(l, "forgets") && l->nseen < 64)
        memcpy(l->seen[l->nseen++], key, 32);
    return TENUO_OK;
}

static int kinds_compile(void *self, uint8_t type, const uint8_t *payload, size_t len, void **ret_program,
                         size_t *ret_bytes)
{
    (void)self, (void)type;
    if (len == 0 || payload[0] < 0x60 || payload[0] > 0x7b)
        return TENUO_E_INVALID_ARGUMENT;
    *ret_program = malloc(1);
    *ret_bytes = 1;
    return *ret_program != NULL ? TENUO_OK : TENUO_E_NOMEM;
}

static void kinds_free(void *self, void *program)
{
    (void)self;
    free(program);
}

static int kinds_match(void *self, const void *program, const uint8_t *value, size_t len, int64_t as_of, uint64_t *work,
                       int *ret_match)
{
    struct line *l = self;
    (void)program, (void)value, (void)as_of, (void)work;
    *ret_match = has(l, "match") ? (int)(l->asked++ % 2) : len % 2 == 0;
    return TENUO_OK;
}

static int kinds_attenuates(void *self, uint8_t parent_type, const uint8_t *parent, size_t parent_len,
                            uint8_t child_type, const uint8_t *child, size_t child_len, int *ret_ok)
{
    (void)parent_type, (void)child_type;
    *ret_ok = has(self, "attenuates") ? 7 : parent_len == child_len && memcmp(parent, child, child_len) == 0;
    return TENUO_OK;
}

static const uint8_t types[] = { 200, 0 };
static const struct tenuo_arg_spec args[] = { { "fault", TENUO_ARG_STRING, 0, "what to do wrong" },
                                              { NULL, 0, 0, NULL } };
#define LIFE(kind) .size = sizeof(struct tenuo_##kind##_ops), .open = kinds_open, .close = mock_close
static const struct tenuo_trust_ops trust = { LIFE(trust), .roots = kinds_roots };
static const struct tenuo_audit_ops audit = { LIFE(audit), .decision = kinds_decision };
static const struct tenuo_revocation_ops revocation = { LIFE(revocation), .fetch = kinds_fetch,
                                                        .release = kinds_release };
static const struct tenuo_replay_ops replay = { LIFE(replay), .check_and_set = kinds_check_and_set };
static const struct tenuo_matcher_ops matcher = {
    LIFE(matcher),         .types = types,       .compile = kinds_compile,
    .release = kinds_free, .match = kinds_match, .attenuates = kinds_attenuates
};

TENUO_PLUGIN_EXPORT const struct tenuo_plugin_v1 tenuo_plugin_v1 = { MOCK_DESCRIPTOR("fault_kinds"),
                                                                     .flags = TENUO_PLUGIN_THREAD_SAFE |
                                                                              TENUO_PLUGIN_FORK_SAFE,
                                                                     .args = args,
                                                                     .trust = &trust,
                                                                     .audit = &audit,
                                                                     .revocation = &revocation,
                                                                     .replay = &replay,
                                                                     .matcher = &matcher };
