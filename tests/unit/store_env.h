/* SPDX-License-Identifier: Apache-2.0 */
/* Contexts over mock stores: a staged folder of plugins, one root, and worlds whose addresses stand on the lines. */
#ifndef TN_STORE_ENV_H
#define TN_STORE_ENV_H

#include <sodium.h>
#include <tenuo/tenuo.h>
#include <time.h>

#include "../plugin/mock_store.h"
#include "stage.h"
#include "tap.h"

static struct tenuo_error err;
static char said[16384];

static inline void must(int r, const char *what)
{
    if (r == TENUO_OK)
        return;
    printf("Bail out! %s: %d %s\n", what, r, err.msg);
    exit(1);
}

static inline void env_log(void *arg, int level, const char *line)
{
    size_t n = strlen(said);
    (void)arg, (void)level;
    snprintf(said + n, sizeof said - n, "%s\n", line);
}

static inline void env_begin(const char *mocks)
{
    static const char *names[] = { "store", "bare" };
    char from[512], to[64];
    if (sodium_init() < 0)
        exit(1);
    stage_begin();
    stage_mkdir("plugins", 0755);
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        snprintf(from, sizeof from, "%s/mock_%s.so", mocks, names[i]);
        snprintf(to, sizeof to, "plugins/tenuo_%s.so", names[i]);
        stage_copy(from, to, 0755);
    }
    struct tenuo_signer *root = NULL;
    char key[TENUO_PUBLIC_PEM_MAX_BYTES];
    must(tenuo_signer_generate(&root, NULL), "root");
    tenuo_public_key_pem(tenuo_signer_public_key(root), key);
    stage_text("roots.pub", key);
    tenuo_signer_free(root);
}

static inline struct mock_store *world_new(bool versions)
{
    struct mock_store *w = calloc(1, sizeof *w);
    if (w == NULL || pthread_mutex_init(&w->lock, NULL) != 0)
        exit(1);
    w->versions = versions;
    return w;
}

static inline void world_free(struct mock_store *w)
{
    pthread_mutex_destroy(&w->lock);
    free(w);
}

/* A key whose seed is 32 times `byte`, as the next version of the id. */
static inline void world_put(struct mock_store *w, const char *id, uint8_t byte)
{
    uint32_t version = 1;
    size_t slot = 0;
    pthread_mutex_lock(&w->lock);
    for (size_t k = 0; k < MOCK_STORE_KEYS; k++)
        if (w->keys[k].version >= version && strcmp(w->keys[k].id, id) == 0)
            version = w->keys[k].version + 1;
    while (w->keys[slot].version != 0)
        slot++;
    snprintf(w->keys[slot].id, sizeof w->keys[slot].id, "%s", id);
    memset(w->keys[slot].seed, byte, TENUO_SEED_BYTES);
    w->keys[slot].version = version;
    pthread_mutex_unlock(&w->lock);
}

static inline void world_clear(struct mock_store *w)
{
    pthread_mutex_lock(&w->lock);
    for (size_t k = 0; k < MOCK_STORE_KEYS; k++)
        w->keys[k].version = 0;
    pthread_mutex_unlock(&w->lock);
}

static inline int calls(struct mock_store *w, enum mock_op op)
{
    return atomic_load(&w->calls[op]);
}

static inline const uint8_t *public_of(uint8_t byte)
{
    static _Thread_local uint8_t keys[16][32];
    static _Thread_local unsigned next;
    uint8_t seed[32], secret[64], *key = keys[next++ % 16];
    memset(seed, byte, sizeof seed);
    crypto_sign_seed_keypair(key, secret, seed);
    return key;
}

/* Opens a configuration of resolver lines; %1 to %3 stand for the addresses of worlds. */
static inline struct tenuo_ctx *open_with(const char *lines, struct mock_store *w1, struct mock_store *w2,
                                          struct mock_store *w3)
{
    struct mock_store *w[] = { w1, w2, w3 };
    char conf[4096], plugins[128];
    struct tenuo_ctx *ctx = NULL;
    int n = snprintf(conf, sizeof conf, "trust required file path=%s/roots.pub\n", stage_root);
    for (const char *p = lines; *p != '\0'; p++) {
        if (p[0] == '%' && p[1] >= '1' && p[1] <= '3') {
            n += snprintf(conf + n, sizeof conf - (size_t)n, "world=%llx",
                          (unsigned long long)(uintptr_t)w[p[1] - '1']);
            p++;
        } else {
            conf[n++] = *p;
        }
    }
    conf[n] = '\0';
    snprintf(plugins, sizeof plugins, "%s/plugins", stage_root);
    struct tenuo_open_options o = {
        .size = sizeof o, .conf = stage_text("tenuo.conf", conf), .plugin_dir = plugins, .log = env_log
    };
    said[0] = '\0';
    must(tenuo_open("", &o, &ctx, &err), "tenuo_open");
    return ctx;
}

static inline void sleep_ms(unsigned ms)
{
    struct timespec ts = { ms / 1000, (long)(ms % 1000) * 1000000 };
    nanosleep(&ts, NULL);
}

static inline bool err_says(const char *part)
{
    if (strstr(err.msg, part) != NULL)
        return true;
    printf("# no '%s' in: %s\n", part, err.msg);
    return false;
}

#endif
