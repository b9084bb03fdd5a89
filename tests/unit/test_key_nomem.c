/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Every allocation of opening, searching, listing and changing keys fails in turn (linked with --wrap, guarded memory
 * too): each ends in 9000, leaves outputs as they were, leaks nothing (run under ASan), and is not remembered as an
 * answer of the store.
 */
#include "store_env.h"

void *__real_malloc(size_t n);
void *__real_calloc(size_t n, size_t size);
void *__real_realloc(void *p, size_t n);
void *__real_sodium_malloc(size_t n);
void *__wrap_malloc(size_t n);
void *__wrap_calloc(size_t n, size_t size);
void *__wrap_realloc(void *p, size_t n);
void *__wrap_sodium_malloc(size_t n);

static long fail_at = -1, count; /* -1: never */

static bool fails(void)
{
    return fail_at >= 0 && count++ == fail_at;
}

void *__wrap_malloc(size_t n)
{
    return fails() ? NULL : __real_malloc(n);
}

void *__wrap_calloc(size_t n, size_t size)
{
    return fails() ? NULL : __real_calloc(n, size);
}

void *__wrap_realloc(void *p, size_t n)
{
    return fails() ? NULL : __real_realloc(p, n);
}

void *__wrap_sodium_malloc(size_t n)
{
    return fails() ? NULL : __real_sodium_malloc(n);
}

static struct mock_store *w;

typedef int step_fn(struct tenuo_ctx *ctx);

static int open_newest(struct tenuo_ctx *ctx)
{
    struct tenuo_signer *s = NULL;
    int r = tenuo_ctx_signer(ctx, "k", 0, NULL, &s, &err);
    if (r != TENUO_OK && s != NULL)
        return -1;
    tenuo_signer_free(s);
    return r;
}

static int open_older(struct tenuo_ctx *ctx)
{
    struct tenuo_signer *s = NULL;
    int r = tenuo_ctx_signer(ctx, "k", 0, public_of(1), &s, &err);
    if (r != TENUO_OK && s != NULL)
        return -1;
    tenuo_signer_free(s);
    return r;
}

static int preload(struct tenuo_ctx *ctx)
{
    const char *keys[] = { "k", "k@1" };
    return tenuo_keys_preload(ctx, keys, 2, &err);
}

static int open_store(struct tenuo_ctx *ctx)
{
    struct tenuo_signer *s = NULL;
    int r = tenuo_store_signer(ctx, "store", "k@1", &s, &err);
    if (r != TENUO_OK && s != NULL)
        return -1;
    tenuo_signer_free(s);
    return r;
}

static int each(void *arg, const struct tenuo_stored_key *key)
{
    (void)key;
    ++*(int *)arg;
    return 0;
}

static int list(struct tenuo_ctx *ctx)
{
    int n = 0, r = tenuo_store_list(ctx, "store", each, &n, &err);
    return r != TENUO_OK && n != 0 ? -1 : r; /* all or nothing */
}

static int rotate(struct tenuo_ctx *ctx)
{
    uint8_t key[32];
    uint32_t version;
    return tenuo_store_rotate(ctx, "store", "r", NULL, key, &version, &err);
}

static int generate(struct tenuo_ctx *ctx)
{
    uint8_t key[32];
    uint32_t version;
    world_clear(w);
    return tenuo_store_generate(ctx, "bare", "made", key, &version, &err);
}

static void each_fails(const char *name, step_fn *step, unsigned can)
{
    long n = 0;
    int r = TENUO_E_NOMEM;
    w->can = can;
    for (; r == TENUO_E_NOMEM; n++) {
        struct tenuo_ctx *ctx = open_with("resolver required store %1\nresolver optional bare %1\n", w, NULL, NULL);
        count = 0;
        fail_at = n;
        r = step(ctx);
        fail_at = -1;
        if (r == TENUO_E_NOMEM && step(ctx) != TENUO_OK) { /* memory is back: nothing of the failure is left */
            ok(false, "%s, allocation %ld: %s", name, n, err.msg);
            r = -1;
        }
        tenuo_ctx_unref(ctx);
    }
    is_int(r, TENUO_OK, "%s: after %ld failures", name, n - 1);
    ok(n > 1, "there was something to fail");
}

int main(int argc, char **argv)
{
    if (argc != 2)
        return 2;
    env_begin(argv[1]);
    w = world_new(true);
    for (uint8_t v = 1; v <= 20; v++)
        world_put(w, "k", v);
    world_put(w, "r", 9);
    for (unsigned can = TENUO_RESOLVER_SIGNS; can <= TENUO_RESOLVER_EXPORTS; can++) {
        each_fails("open", open_newest, can);
        each_fails("open an older version", open_older, can);
        each_fails("preload", preload, can);
        each_fails("open from a store", open_store, can);
    }
    each_fails("list", list, 0);
    struct tenuo_ctx *ctx = open_with("resolver required store %1\n", w, NULL, NULL);
    fail_at = count = 0;
    is_int(rotate(ctx), TENUO_OK, "rotation");
    fail_at = -1;
    is_int(count, 0, "allocates nothing here");
    tenuo_ctx_unref(ctx);
    each_fails("generate by import", generate, 0);
    world_free(w);
    stage_end();
    return done_testing();
}
