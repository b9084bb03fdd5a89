/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Signing with a key of a store: opened from the key cache and used for one call, by one and by eight threads; a hit of
 * the cache alone; and the first look-up in the resolver file. By the clock on the wall.
 */
#include "bench.h"

#include <pthread.h>
#include <string.h>
#include <time.h>

#define KEY_ID "bench"
#define THREADS 8
#define CALLS 2000
#define ROUNDS 20

struct signing {
    struct tenuo_ctx *ctx;
    const struct tenuo_warrant *warrant;
    struct tenuo_args *args;
};

static double wall_ns(void)
{
    struct timespec t;
    (void)clock_gettime(CLOCK_MONOTONIC, &t);
    return 1e9 * (double)t.tv_sec + (double)t.tv_nsec;
}

static void *sign_calls(void *arg)
{
    const struct signing *s = arg;
    uint8_t pop[64];
    for (int i = 0; i < CALLS; i++) {
        struct tenuo_signer *signer = NULL;
        must(tenuo_ctx_signer(s->ctx, KEY_ID, 0, tenuo_warrant_holder(s->warrant), &signer, NULL), "signer");
        must(tenuo_pop_sign(signer, s->warrant, "read_file", 9, s->args, BENCH_NOW, pop, NULL), "proof");
        tenuo_signer_free(signer);
    }
    return NULL;
}

/* Signatures a second, best of the rounds. */
static double rate(struct signing *s, size_t threads)
{
    double best = 0;
    for (int round = 0; round < ROUNDS; round++) {
        pthread_t t[THREADS];
        double start = wall_ns(), found;
        for (size_t i = 0; i < threads; i++)
            must(pthread_create(&t[i], NULL, sign_calls, s) == 0 ? 0 : TENUO_E_SYSTEM, "thread");
        for (size_t i = 0; i < threads; i++)
            (void)pthread_join(t[i], NULL);
        found = 1e9 * (double)threads * CALLS / (wall_ns() - start);
        best = found > best ? found : best;
    }
    return best;
}

/* Opening and letting go, nanoseconds. */
static double hit(const struct signing *s)
{
    double least = -1;
    for (int round = 0; round < ROUNDS; round++) {
        double start = wall_ns(), ns;
        for (int i = 0; i < CALLS; i++) {
            struct tenuo_signer *signer = NULL;
            must(tenuo_ctx_signer(s->ctx, KEY_ID, TENUO_SIGNER_NO_IO, NULL, &signer, NULL), "hit");
            tenuo_signer_free(signer);
        }
        ns = (wall_ns() - start) / CALLS;
        least = least < 0 || ns < least ? ns : least;
    }
    return least;
}

/* In a context that has no key yet, nanoseconds. */
static double cold(const struct tenuo_ctx *ctx)
{
    double least = -1;
    for (int round = 0; round < ROUNDS; round++) {
        struct tenuo_ctx *fresh = NULL;
        struct tenuo_signer *signer = NULL;
        must(tenuo_ctx_reload(ctx, &fresh, NULL), "reload");
        double start = wall_ns(), ns;
        must(tenuo_ctx_signer(fresh, KEY_ID, 0, NULL, &signer, NULL), "cold");
        ns = wall_ns() - start;
        least = least < 0 || ns < least ? ns : least;
        tenuo_signer_free(signer);
        tenuo_ctx_unref(fresh);
    }
    return least;
}

static struct tenuo_stack *warrant_for(const uint8_t holder[32])
{
    struct tenuo_signer *root = NULL;
    struct tenuo_mint *mint = NULL;
    struct tenuo_stack *stack = NULL;
    must(tenuo_signer_generate(&root, NULL), "root");
    must(tenuo_mint_root(&mint, NULL), "builder");
    must(tenuo_mint_add_tool(mint, "read_file", 9, NULL, NULL), "tool");
    must(tenuo_mint_set_holder(mint, holder, NULL), "holder");
    must(tenuo_mint_sign(mint, root, BENCH_NOW, &stack, NULL), "sign");
    tenuo_mint_free(mint);
    tenuo_signer_free(root);
    return stack;
}

void report_keys(const char *conf, value_fn *report)
{
    struct tenuo_open_options options = { .size = sizeof options, .conf = conf };
    struct signing s = { 0 };
    struct tenuo_signer *signer = NULL;
    struct tenuo_stack *stack;
    if (conf == NULL || tenuo_open("", &options, &s.ctx, NULL) != TENUO_OK ||
        tenuo_ctx_signer(s.ctx, KEY_ID, 0, NULL, &signer, NULL) != TENUO_OK) {
        report("key_cache_hit", -1, "ns", "no configuration with a key 'bench'");
        tenuo_ctx_unref(s.ctx);
        return;
    }
    stack = warrant_for(tenuo_signer_public_key(signer));
    s.warrant = tenuo_stack_leaf(stack);
    must(tenuo_args_new(&s.args, NULL), "arguments");
    report("key_cache_hit", hit(&s), "ns", "a signer from the key cache, opened and let go");
    report("key_cold_file", cold(s.ctx) / 1000, "us", "a signer from the resolver file, nothing cached");
    report("pop_cached_1_thread", rate(&s, 1), "1/s", "signer from the cache and a proof, signatures a second");
    report("pop_cached_8_threads", rate(&s, THREADS), "1/s", "the same by eight threads on this machine's cores");
    tenuo_args_free(s.args);
    tenuo_stack_free(stack);
    tenuo_signer_free(signer);
    tenuo_ctx_unref(s.ctx);
}
