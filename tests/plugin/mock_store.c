/* SPDX-License-Identifier: Apache-2.0 */
/* See mock_store.h. With MOCK_BARE the same store without list, describe, generate, remove and sign. */
#include "mock_store.h"

#include <errno.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

struct self {
    const struct tenuo_host *host;
    struct mock_store *w;
};

static int store_open(const struct tenuo_host *host, const struct tenuo_arg *args, size_t nargs, void **ret_self)
{
    struct self *s = malloc(sizeof *s);
    (void)nargs;
    if (s == NULL)
        return TENUO_E_NOMEM;
    *s = (struct self){ host, (struct mock_store *)(uintptr_t)strtoull(args[0].value, NULL, 16) };
    atomic_fetch_add(&s->w->calls[MOCK_OPEN], 1);
    *ret_self = s;
    return TENUO_OK;
}

static void store_close(void *self)
{
    free(self);
}

/* Takes the lock, unless the answer is one that the test has set. */
static int enter(struct self *s, enum mock_op op)
{
    unsigned ms = atomic_load(&s->w->delay_ms);
    struct timespec ts = { ms / 1000, (long)(ms % 1000) * 1000000 };
    int code;
    atomic_fetch_add(&s->w->calls[op], 1);
    if (ms != 0)
        nanosleep(&ts, NULL);
    code = atomic_load(&s->w->code);
    if (atomic_load(&s->w->fault) == MOCK_ILLEGAL)
        return 4711;
    if (code != TENUO_OK) {
        if (atomic_load(&s->w->fault) == MOCK_LONG_SENTENCE)
            s->host->error(s->host, "the store says %d %0300d: restart it", code, code);
        else
            s->host->error(s->host, "the store says %d", code);
        return code;
    }
    pthread_mutex_lock(&s->w->lock);
    return TENUO_OK;
}

static int leave(struct self *s, int code)
{
    pthread_mutex_unlock(&s->w->lock);
    return code;
}

static uint32_t newest(const struct mock_store *w, const char *id, uint32_t *ret_oldest)
{
    uint32_t high = 0, low = UINT32_MAX;
    for (size_t k = 0; k < MOCK_STORE_KEYS; k++) {
        if (w->keys[k].version == 0 || strcmp(w->keys[k].id, id) != 0)
            continue;
        high = w->keys[k].version > high ? w->keys[k].version : high;
        low = w->keys[k].version < low ? w->keys[k].version : low;
    }
    *ret_oldest = high == 0 ? 0 : low;
    return high;
}

/* Slot of a key, -1: none. */
static int find(const struct mock_store *w, const char *id, uint32_t version)
{
    uint32_t oldest, wanted = version == 0 ? newest(w, id, &oldest) : version;
    if (!w->versions && version != 0)
        return -1;
    for (int k = 0; k < MOCK_STORE_KEYS; k++)
        if (wanted != 0 && w->keys[k].version == wanted && strcmp(w->keys[k].id, id) == 0)
            return k;
    return -1;
}

static int store_export(void *self, const char *id, uint32_t version, uint8_t ret_seed[TENUO_SEED_BYTES])
{
    struct self *s = self;
    int r = enter(s, MOCK_EXPORT), k;
    if (r != TENUO_OK)
        return r;
    k = find(s->w, id, version);
    if (k >= 0)
        memcpy(ret_seed, s->w->keys[k].seed, TENUO_SEED_BYTES);
    return leave(s, k < 0 ? TENUO_E_KEY_NOT_FOUND : TENUO_OK);
}

static int put(struct self *s, enum mock_op op, const char *id, unsigned flags, const uint8_t *seed,
               uint32_t *ret_version)
{
    struct mock_store *w = s->w;
    int r = enter(s, op);
    uint32_t oldest, high;
    size_t k = 0;
    if (r != TENUO_OK)
        return r;
    high = newest(w, id, &oldest);
    if ((flags & TENUO_STORE_NEW_VERSION) != 0 && !w->versions)
        return leave(s, TENUO_E_INVALID_ARGUMENT);
    if ((flags & TENUO_STORE_NEW_VERSION) != 0 && high == 0)
        return leave(s, TENUO_E_KEY_NOT_FOUND);
    if ((flags & TENUO_STORE_NEW_VERSION) == 0 && high != 0)
        return leave(s, TENUO_E_KEY_CONFLICT);
    while (k < MOCK_STORE_KEYS && w->keys[k].version != 0)
        k++;
    if (k == MOCK_STORE_KEYS)
        return leave(s, TENUO_E_SYSTEM);
    snprintf(w->keys[k].id, sizeof w->keys[k].id, "%s", id);
    memcpy(w->keys[k].seed, seed, TENUO_SEED_BYTES);
    w->keys[k].version = high + 1;
    *ret_version = !w->versions ? 0 : atomic_load(&w->fault) == MOCK_OLD_VERSION ? high : high + 1;
    return leave(s, TENUO_OK);
}

static int store_import(void *self, const char *id, unsigned flags, const uint8_t *seed, uint32_t *ret_version)
{
    return put(self, MOCK_IMPORT, id, flags, seed, ret_version);
}

static const struct tenuo_arg_spec args[] = { { "world", TENUO_ARG_STRING, 1, "address of the test's struct" },
                                              { NULL, 0, 0, NULL } };

#ifdef MOCK_BARE
#define NAME "bare"
static const struct tenuo_resolver_ops ops = { .size = sizeof ops,
                                               .args = args,
                                               .open = store_open,
                                               .close = store_close,
                                               .export_seed = store_export,
                                               .import = store_import };
#else
#define NAME "store"

static void public_of(const uint8_t *seed, uint8_t ret_key[32])
{
    uint8_t secret[crypto_sign_SECRETKEYBYTES];
    crypto_sign_seed_keypair(ret_key, secret, seed);
}

static unsigned store_can(void *self)
{
    const struct self *s = self;
    return s->w->can != 0 ? s->w->can | s->w->cannot : s->w->cannot | TENUO_RESOLVER_SIGNS | TENUO_RESOLVER_EXPORTS;
}

static int store_public(void *self, const char *id, uint32_t version, uint8_t ret_key[32], uint32_t *ret_version)
{
    struct self *s = self;
    int r = enter(s, MOCK_PUBLIC), k, fault = atomic_load(&s->w->fault);
    if (r != TENUO_OK)
        return r;
    k = find(s->w, id, version);
    if (k < 0)
        return leave(s, TENUO_E_KEY_NOT_FOUND);
    public_of(s->w->keys[k].seed, ret_key);
    if (fault == MOCK_WEAK_KEY)
        memset(ret_key, 0, 32);
    *ret_version = s->w->versions ? s->w->keys[k].version : 0;
    if (fault == MOCK_WRONG_VERSION)
        *ret_version += 1;
    return leave(s, TENUO_OK);
}

static int store_sign(void *self, const char *id, uint32_t version, const uint8_t *message, size_t len,
                      uint8_t ret_signature[64])
{
    uint8_t key[32], secret[crypto_sign_SECRETKEYBYTES];
    struct self *s = self;
    int r = enter(s, MOCK_SIGN), k;
    if (r != TENUO_OK)
        return r;
    k = find(s->w, id, version);
    if (k < 0)
        return leave(s, TENUO_E_KEY_NOT_FOUND);
    crypto_sign_seed_keypair(key, secret, s->w->keys[k].seed);
    crypto_sign_detached(ret_signature, NULL, message, len, secret);
    if (atomic_load(&s->w->fault) == MOCK_WRONG_SIGNATURE)
        ret_signature[0] ^= 1;
    return leave(s, TENUO_OK);
}

static void fill(const struct mock_store *w, int k, struct tenuo_key_entry *e, int fault)
{
    *e = (struct tenuo_key_entry){ .size = sizeof *e,
                                   .has_public_key = fault == MOCK_NO_PUBLIC ? 0 : 7,
                                   .created_at = 1700000000 };
    snprintf(e->id, sizeof e->id, "%s", w->keys[k].id);
    snprintf(e->note, sizeof e->note, "%s", fault == MOCK_CONTROL_NOTE ? "a\x1b[2Jb\xff" : "kept in a struct");
    public_of(w->keys[k].seed, e->public_key);
    if (w->versions) {
        e->version = w->keys[k].version;
        e->newest = newest(w, w->keys[k].id, &e->oldest);
    }
    if (fault == MOCK_BAD_ID)
        snprintf(e->id, sizeof e->id, "../shadow");
    else if (fault == MOCK_OTHER_ID)
        snprintf(e->id, sizeof e->id, "other");
    else if (fault == MOCK_OPEN_NOTE)
        memset(e->note, 'n', sizeof e->note);
    else if (fault == MOCK_BAD_VERSIONS)
        e->version = 1, e->oldest = 9, e->newest = 3;
    else if (fault == MOCK_WRONG_VERSION)
        e->version++, e->newest++;
    else if (fault == MOCK_WEAK_KEY)
        memset(e->public_key, 0, sizeof e->public_key);
    else if (fault == MOCK_NO_SIZE)
        e->size = 4;
}

static int store_list(void *self, int (*each)(void *arg, const struct tenuo_key_entry *entry), void *arg)
{
    struct self *s = self;
    struct tenuo_key_entry e;
    int r = enter(s, MOCK_LIST), fault = atomic_load(&s->w->fault), stop = 0;
    uint32_t oldest;
    if (r != TENUO_OK)
        return r;
    for (int k = 0; k < MOCK_STORE_KEYS && !stop; k++) {
        if (s->w->keys[k].version == 0 || s->w->keys[k].version != newest(s->w, s->w->keys[k].id, &oldest))
            continue;
        fill(s->w, k, &e, fault);
        do
            stop = each(arg, fault == MOCK_NULL_ENTRY ? NULL : &e);
        while (!stop && fault == MOCK_ENDLESS);
    }
    return leave(s, TENUO_OK);
}

static int store_describe(void *self, const char *id, uint32_t version, struct tenuo_key_entry *ret_entry)
{
    struct self *s = self;
    int r = enter(s, MOCK_DESCRIBE), k;
    if (r != TENUO_OK)
        return r;
    k = find(s->w, id, version);
    if (k >= 0)
        fill(s->w, k, ret_entry, atomic_load(&s->w->fault));
    return leave(s, k < 0 ? TENUO_E_KEY_NOT_FOUND : TENUO_OK);
}

static int store_generate(void *self, const char *id, unsigned flags, uint8_t ret_key[32], uint32_t *ret_version)
{
    struct self *s = self;
    uint8_t seed[TENUO_SEED_BYTES];
    int fault = atomic_load(&s->w->fault), r;
    s->host->random(seed, sizeof seed);
    if (fault == MOCK_SAME_KEY) {
        int k = find(s->w, id, 0);
        memcpy(seed, s->w->keys[k < 0 ? 0 : k].seed, sizeof seed);
    }
    r = put(s, MOCK_GENERATE, id, flags, seed, ret_version);
    if (r == TENUO_OK)
        public_of(seed, ret_key);
    if (r == TENUO_OK && fault == MOCK_WEAK_KEY)
        memset(ret_key, 0, 32);
    s->host->wipe(seed, sizeof seed);
    return r;
}

static int store_remove(void *self, const char *id, uint32_t version)
{
    struct self *s = self;
    int r = enter(s, MOCK_REMOVE), gone = 0;
    uint32_t oldest, high;
    if (r != TENUO_OK)
        return r;
    high = newest(s->w, id, &oldest);
    if (version != 0 && version == high && oldest != high)
        return leave(s, TENUO_E_INVALID_ARGUMENT);
    for (size_t k = 0; k < MOCK_STORE_KEYS; k++)
        if (s->w->keys[k].version != 0 && strcmp(s->w->keys[k].id, id) == 0 &&
            (version == 0 || s->w->keys[k].version == version)) {
            s->w->keys[k].version = 0;
            gone++;
        }
    return leave(s, gone == 0 ? TENUO_E_KEY_NOT_FOUND : TENUO_OK);
}

static const struct tenuo_resolver_ops ops = { .size = sizeof ops,
                                               .args = args,
                                               .open = store_open,
                                               .close = store_close,
                                               .can = store_can,
                                               .public_key = store_public,
                                               .sign = store_sign,
                                               .export_seed = store_export,
                                               .list = store_list,
                                               .describe = store_describe,
                                               .generate = store_generate,
                                               .import = store_import,
                                               .remove = store_remove };
#endif

TENUO_PLUGIN_EXPORT const struct tenuo_plugin_v1 tenuo_plugin_v1 = { .magic = TENUO_PLUGIN_MAGIC,
                                                                     .abi_major = TENUO_PLUGIN_ABI_MAJOR,
                                                                     .abi_minor = TENUO_PLUGIN_ABI_MINOR,
                                                                     .size = sizeof(struct tenuo_plugin_v1),
                                                                     .name = NAME,
                                                                     .version = "1.0",
                                                                     .summary = "test store",
                                                                     .flags = TENUO_PLUGIN_THREAD_SAFE |
                                                                              TENUO_PLUGIN_FORK_SAFE,
                                                                     .resolver = &ops };
