/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Every allocation of opening a context with a revocation list, and of deciding by it, fails in turn (linked with
 * --wrap). The warrant is on the list: no failure may ever make an allow of it, or leak.
 */
#include "revoke_env.h"

void *__real_malloc(size_t n);
void *__real_calloc(size_t n, size_t size);
void *__real_realloc(void *p, size_t n);
void *__wrap_malloc(size_t n);
void *__wrap_calloc(size_t n, size_t size);
void *__wrap_realloc(void *p, size_t n);

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

static char conf[128];

/* The code of the decision, or of what kept it from being made. */
static int run(bool reload)
{
    struct tenuo_open_options o = { .size = sizeof o, .conf = conf };
    struct tenuo_ctx *ctx = NULL, *next = NULL;
    int code = tenuo_open("", &o, &ctx, NULL);
    if (code == TENUO_OK && reload) {
        code = tenuo_ctx_reload(ctx, &next, NULL);
        tenuo_ctx_unref(ctx);
        ctx = next;
    }
    if (code != TENUO_OK)
        return code;
    code = ask(ctx);
    tenuo_ctx_unref(ctx);
    return code;
}

static void fail_each(bool reload, const char *what)
{
    int allowed = 0;
    long n = 0;
    for (; n < 5000; n++) {
        fail_at = n;
        count = 0;
        allowed += run(reload) == 0;
        bool done = count <= n;
        fail_at = -1;
        if (done)
            break;
    }
    ok(allowed == 0 && n > 30 && n < 5000, "%s: %ld allocations failed in turn, %d allows", what, n, allowed);
}

int main(void)
{
    env_begin();
    put_list("list", 1, true);
    tenuo_ctx_unref(
        opened("revocation required file path=$ROOT/list floor=$ROOT/floor refresh=100ms max_age=60s timeout=1h\n"));
    snprintf(conf, sizeof conf, "%s", stage_path("tenuo.conf"));
    is_int(run(false), TENUO_E_REVOKED, "revoked");
    fail_each(false, "open and decide");
    unlink(stage_path("floor"));
    fail_each(true, "with a reload");
    is_int(run(true), TENUO_E_REVOKED, "revoked");
    return env_end();
}
