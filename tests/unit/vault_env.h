/* SPDX-License-Identifier: Apache-2.0 */
/* The plugin vault as the library would call it: lines by name, a deadline that runs, a sentence for each thread. */
#ifndef TN_VAULT_ENV_H
#define TN_VAULT_ENV_H

#include "../services/vault.h"
#include "mock_host.h"
#include "stage.h"
#include "tap.h"

static const struct tenuo_resolver_ops *ops;
static const struct tenuo_arg_spec *schema;
static struct tenuo_host host;
static uint32_t deadline_ms = 5000;
static _Thread_local uint64_t call_ends;
static _Thread_local char said[1024];

static inline uint64_t clock_ms(void)
{
    struct timespec ts;
    clock_gettime(CLOCK_MONOTONIC, &ts);
    return (uint64_t)ts.tv_sec * 1000 + (uint64_t)ts.tv_nsec / 1000000;
}

static inline void sleep_ms(unsigned ms)
{
    struct timespec ts = { ms / 1000, (long)(ms % 1000) * 1000000 };
    nanosleep(&ts, NULL);
}

static inline uint32_t env_deadline(const struct tenuo_host *h)
{
    uint64_t now = clock_ms();
    (void)h;
    return now >= call_ends ? 0 : (uint32_t)(call_ends - now);
}

TENUO_PRINTF(2, 3) static inline void env_error(const struct tenuo_host *h, const char *fmt, ...)
{
    va_list ap;
    (void)h;
    va_start(ap, fmt);
    vsnprintf(said, sizeof said, fmt, ap);
    va_end(ap);
}

static inline void env_begin(int argc, char **argv)
{
    const struct tenuo_plugin_v1 *plugin = mock_load("vault", argc, argv);
    ops = plugin->resolver;
    schema = plugin->args;
    host = mock_host;
    host.deadline = env_deadline;
    host.error = env_error;
    if (sodium_init() < 0 || curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK)
        exit(1);
    stage_begin();
}

static inline void begin_call(void)
{
    said[0] = '\0';
    call_ends = clock_ms() + deadline_ms;
}

/* `pairs`: name, value, ..., NULL; a NULL value leaves the argument out. */
static inline int open_pairs(const char *const *pairs, void **ret_self)
{
    struct tenuo_arg args[32] = { { 0 } };
    size_t n = 0;
    for (; schema[n].name != NULL; n++) {
        args[n].name = schema[n].name;
        for (const char *const *p = pairs; *p != NULL; p += 2)
            if (strcmp(*p, schema[n].name) == 0)
                args[n].value = p[1];
        if (args[n].value != NULL && schema[n].type == TENUO_ARG_DURATION)
            args[n].number = strtoull(args[n].value, NULL, 10); /* milliseconds here */
    }
    begin_call();
    return ops->open(&host, args, n, ret_self);
}

static inline void *opened_pairs(const char *const *pairs)
{
    void *self = NULL;
    int r = open_pairs(pairs, &self);
    if (r != TENUO_OK) {
        printf("Bail out! open: %d %s\n", r, said);
        exit(1);
    }
    return self;
}

#define OPEN(...) opened_pairs((const char *const[]){ __VA_ARGS__, NULL })

static inline int public_key(void *self, const char *id, uint32_t want, uint8_t key[32], uint32_t *version)
{
    begin_call();
    return ops->public_key(self, id, want, key, version);
}

static inline int seed_of(void *self, const char *id, uint32_t version, uint8_t seed[32])
{
    begin_call();
    return ops->export_seed(self, id, version, seed);
}

static inline int sign(void *self, const char *id, uint32_t version, const char *text, uint8_t sig[64])
{
    begin_call();
    return ops->sign(self, id, version, (const uint8_t *)text, strlen(text), sig);
}

/* The code of reading an id, which has to come with a sentence. */
static inline int reading(void *self, const char *id)
{
    uint8_t key[32], before[32];
    uint32_t version = 77;
    memset(key, 0x55, sizeof key);
    memcpy(before, key, sizeof key);
    int r = public_key(self, id, 0, key, &version);
    if (r != TENUO_OK)
        ok(said[0] != '\0' && version == 77 && memcmp(key, before, 32) == 0, "says why, outputs are untouched: %s",
           said);
    return r;
}

static inline bool says(const char *part)
{
    if (strstr(said, part) != NULL)
        return true;
    printf("# no '%s' in: %s\n", part, said);
    return false;
}

/* The key of version `want`: usable, and the one that is expected (NULL: any). */
static inline bool is_key(void *self, const char *id, uint32_t want, uint32_t number, const uint8_t *expected)
{
    static const char text[] = "what is signed";
    uint8_t key[32], seed[32], derived[32], secret[64], sig[64];
    uint32_t version = 0;
    int r = public_key(self, id, want, key, &version);
    if (r == TENUO_OK && ops->can(self) == TENUO_RESOLVER_EXPORTS) {
        r = seed_of(self, id, version, seed);
        crypto_sign_seed_keypair(derived, secret, seed);
        crypto_sign_detached(sig, NULL, (const uint8_t *)text, strlen(text), secret);
    } else if (r == TENUO_OK) {
        r = sign(self, id, version, text, sig);
    }
    bool good = r == TENUO_OK && version == number && (expected == NULL || memcmp(expected, key, 32) == 0) &&
                crypto_sign_verify_detached(sig, (const uint8_t *)text, strlen(text), key) == 0;
    if (!good)
        printf("# %s@%u: %d, version %u, not %u: %s\n", id, (unsigned)want, r, (unsigned)version, (unsigned)number,
               said);
    return good;
}

#endif
