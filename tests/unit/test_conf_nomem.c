/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Every allocation of reading a configuration fails in turn: the answer is an error, nothing leaks (run under a leak
 * checker), and no output is touched. Linked with --wrap for each allocating function.
 */
#include <stdarg.h>

#include "../../core/conf.h"
#include "stage.h"
#include "tap.h"

static long countdown = -1; /* allocations that still succeed; -1: all */

static bool fails(void)
{
    return countdown >= 0 && countdown-- == 0;
}

void *__real_malloc(size_t size);
void *__real_calloc(size_t count, size_t size);
void *__real_realloc(void *p, size_t size);
void *__real_reallocarray(void *p, size_t count, size_t size);
char *__real_strdup(const char *s);
char *__real_strndup(const char *s, size_t n);
void *__wrap_malloc(size_t size);
void *__wrap_calloc(size_t count, size_t size);
void *__wrap_realloc(void *p, size_t size);
void *__wrap_reallocarray(void *p, size_t count, size_t size);
char *__wrap_strdup(const char *s);
char *__wrap_strndup(const char *s, size_t n);
int __wrap_asprintf(char **ret, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

void *__wrap_malloc(size_t size)
{
    return fails() ? NULL : __real_malloc(size);
}

void *__wrap_calloc(size_t count, size_t size)
{
    return fails() ? NULL : __real_calloc(count, size);
}

void *__wrap_realloc(void *p, size_t size)
{
    return fails() ? NULL : __real_realloc(p, size);
}

void *__wrap_reallocarray(void *p, size_t count, size_t size)
{
    return fails() ? NULL : __real_reallocarray(p, count, size);
}

char *__wrap_strdup(const char *s)
{
    return fails() ? NULL : __real_strdup(s);
}

char *__wrap_strndup(const char *s, size_t n)
{
    return fails() ? NULL : __real_strndup(s, n);
}

int __wrap_asprintf(char **ret, const char *fmt, ...)
{
    va_list ap;
    if (fails())
        return -1;
    va_start(ap, fmt);
    int n = vasprintf(ret, fmt, ap);
    va_end(ap);
    return n;
}

int main(void)
{
    struct tn_conf *const untouched = (struct tn_conf *)(uintptr_t)16;
    char text[512];
    bool good = true;
    long n = 0;
    stage_begin();
    stage_mkdir("main.conf.d", 0755);
    stage_text("main.conf.d/1.conf", "trust required file path=/x y\n");
    snprintf(text, sizeof text,
             "set plugin_dir /p\nset clearance a=1\nset mode observe\ninclude %s/part\n[web]\nset mode enforce\n"
             "set clearance a=2\nresolver required file path=/x\n",
             stage_root);
    stage_text("part", "audit required jsonl path=/y\n");
    const char *path = stage_text("main.conf", text);
    for (int r = TENUO_E_NOMEM; r != TENUO_OK && n < 1000; n++) {
        struct tn_diag d = { 0 };
        struct tenuo_error err = { 0 };
        struct tn_conf *conf = untouched;
        countdown = n;
        r = tn_conf_load(&(struct tn_conf_source){ .path = path }, "web", &d, &conf, &err);
        countdown = -1;
        if (r == TENUO_OK)
            tn_conf_free(conf);
        else
            good = good && conf == untouched && err.code == r && (r == TENUO_E_NOMEM || r == TENUO_E_CONF);
    }
    ok(good, "each failed allocation is an error with its code, outputs untouched");
    ok(n > 20 && n < 1000, "after %ld allocations it succeeds", n - 1);
    stage_end();
    return done_testing();
}
