/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Resolver "aws": keys in Secrets Manager or Parameter Store, seeds that KMS wrapped, or keys that never leave KMS.
 * This file is the descriptor and hands every call to the service of the line. Keeps no seed.
 */
#include "aws.h"

#include <sodium.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int aws_fail(const struct aws *a, int code, const char *fmt, ...)
{
    char text[1024];
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(text, sizeof text, fmt, ap);
    va_end(ap);
    a->host->error(a->host, "%s", text);
    return code;
}

void aws_public_of(const uint8_t seed[32], uint8_t ret_key[32])
{
    uint8_t secret[crypto_sign_SECRETKEYBYTES];
    crypto_sign_seed_keypair(ret_key, secret, seed);
    sodium_memzero(secret, sizeof secret);
}

static void aws_close(void *self)
{
    struct aws *a = self;
    if (a == NULL)
        return;
    aws_unset(a);
    pthread_mutex_destroy(&a->lock);
    pthread_mutex_destroy(&a->asking);
    free(a);
}

static int make(const struct tenuo_host *host, const struct tenuo_arg *args, size_t nargs, bool open, struct aws **ret)
{
    struct aws *a = nargs == aws_args_count() ? calloc(1, sizeof *a) : NULL;
    if (a == NULL || sodium_init() < 0 || pthread_mutex_init(&a->lock, NULL) != 0) {
        free(a);
        return TENUO_E_NOMEM;
    }
    if (pthread_mutex_init(&a->asking, NULL) != 0) {
        pthread_mutex_destroy(&a->lock);
        free(a);
        return TENUO_E_NOMEM;
    }
    a->host = host;
    int r = aws_set(a, args, open);
    if (r != TENUO_OK) {
        aws_close(a);
        return r;
    }
    *ret = a;
    return TENUO_OK;
}

static int aws_open(const struct tenuo_host *host, const struct tenuo_arg *args, size_t nargs, void **ret_self)
{
    struct aws *a = NULL;
    int r = make(host, args, nargs, true, &a);
    if (r == TENUO_OK)
        *ret_self = a;
    return r;
}

static int aws_check(const struct tenuo_host *host, const struct tenuo_arg *args, size_t nargs)
{
    struct aws *a = NULL;
    int r = make(host, args, nargs, false, &a);
    if (r == TENUO_OK)
        aws_close(a);
    return r;
}

unsigned aws_hands_out(const struct aws *a)
{
    (void)a;
    return TENUO_RESOLVER_EXPORTS;
}

static unsigned aws_can(void *self)
{
    const struct aws *a = self;
    return a->service->can(a);
}

static int cannot(const struct aws *a, const char *what)
{
    return aws_fail(a, TENUO_E_INVALID_ARGUMENT, "%s cannot %s", a->service->label, what);
}

static int aws_public_key(void *self, const char *key_id, uint32_t version, uint8_t ret_key[TENUO_PUBKEY_BYTES],
                          uint32_t *ret_version)
{
    struct aws *a = self;
    uint8_t key[TENUO_PUBKEY_BYTES];
    uint32_t found = 0;
    int r = a->service->public_key(a, key_id, version, key, &found);
    if (r != TENUO_OK)
        return r;
    memcpy(ret_key, key, sizeof key);
    *ret_version = found;
    return TENUO_OK;
}

static int aws_sign(void *self, const char *key_id, uint32_t version, const uint8_t *message, size_t len,
                    uint8_t ret_signature[TENUO_SIG_BYTES])
{
    struct aws *a = self;
    if (a->service->sign == NULL)
        return cannot(a, "sign: the host takes the seed and signs itself");
    return a->service->sign(a, key_id, version, message, len, ret_signature);
}

static int aws_export_seed(void *self, const char *key_id, uint32_t version, uint8_t ret_seed[TENUO_SEED_BYTES])
{
    struct aws *a = self;
    uint8_t seed[TENUO_SEED_BYTES];
    if (a->service->export_seed == NULL)
        return cannot(a, "hand out a key");
    int r = a->service->export_seed(a, key_id, version, seed);
    if (r == TENUO_OK)
        memcpy(ret_seed, seed, sizeof seed);
    sodium_memzero(seed, sizeof seed);
    return r;
}

static int aws_list(void *self, int (*each)(void *arg, const struct tenuo_key_entry *entry), void *arg)
{
    struct aws *a = self;
    return a->service->list == NULL ? cannot(a, "list keys") : a->service->list(a, each, arg);
}

static int aws_describe(void *self, const char *key_id, uint32_t version, struct tenuo_key_entry *ret_entry)
{
    struct aws *a = self;
    struct tenuo_key_entry entry = { .size = sizeof entry };
    snprintf(entry.id, sizeof entry.id, "%s", key_id);
    snprintf(entry.note, sizeof entry.note, "%s, %s", a->service->label, a->region);
    int r = a->service->describe(a, key_id, version, &entry);
    if (r == TENUO_OK)
        *ret_entry = entry;
    return r;
}

static int aws_import(void *self, const char *key_id, unsigned flags, const uint8_t seed[TENUO_SEED_BYTES],
                      uint32_t *ret_version)
{
    struct aws *a = self;
    uint8_t key[TENUO_PUBKEY_BYTES];
    if (a->service->import == NULL)
        return cannot(a, "take a key: it makes its own");
    if ((flags & ~TENUO_STORE_NEW_VERSION) != 0)
        return cannot(a, "do what these flags ask for");
    aws_public_of(seed, key);
    return a->service->import(a, key_id, flags, seed, key, ret_version);
}

/* A service that makes no keys is given one. */
static int aws_generate(void *self, const char *key_id, unsigned flags, uint8_t ret_key[TENUO_PUBKEY_BYTES],
                        uint32_t *ret_version)
{
    struct aws *a = self;
    uint8_t key[TENUO_PUBKEY_BYTES];
    if (a->service->generate != NULL)
        return a->service->generate(a, key_id, flags, ret_key, ret_version);
    uint8_t *seed = sodium_malloc(TENUO_SEED_BYTES);
    if (seed == NULL)
        return TENUO_E_NOMEM;
    a->host->random(seed, TENUO_SEED_BYTES);
    aws_public_of(seed, key);
    int r = aws_import(a, key_id, flags, seed, ret_version);
    sodium_free(seed);
    if (r == TENUO_OK)
        memcpy(ret_key, key, sizeof key);
    return r;
}

static int aws_remove(void *self, const char *key_id, uint32_t version)
{
    struct aws *a = self;
    return a->service->remove == NULL ? cannot(a, "remove keys") : a->service->remove(a, key_id, version);
}

static const struct tenuo_resolver_ops ops = {
    .size = sizeof ops,
    .args = aws_args,
    .open = aws_open,
    .close = aws_close,
    .check = aws_check,
    .can = aws_can,
    .public_key = aws_public_key,
    .sign = aws_sign,
    .export_seed = aws_export_seed,
    .list = aws_list,
    .describe = aws_describe,
    .generate = aws_generate,
    .import = aws_import,
    .remove = aws_remove,
};

TENUO_PLUGIN_EXPORT const struct tenuo_plugin_v1 tenuo_plugin_v1 = {
    .magic = TENUO_PLUGIN_MAGIC,
    .abi_major = TENUO_PLUGIN_ABI_MAJOR,
    .abi_minor = TENUO_PLUGIN_ABI_MINOR,
    .size = sizeof tenuo_plugin_v1,
    .flags = TENUO_PLUGIN_THREAD_SAFE,
    .name = "aws",
    .version = "1.0",
    .summary = "private keys in AWS Secrets Manager, Parameter Store and KMS",
    .resolver = &ops,
};
