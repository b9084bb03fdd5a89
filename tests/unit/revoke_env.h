/* SPDX-License-Identifier: Apache-2.0 */
/* What the tests of revocation lines share: a warrant and a call that are good now, lists with and without that
 * warrant, contexts of a few lines of configuration, and everything that they log. */
#ifndef TN_TEST_REVOKE_ENV_H
#define TN_TEST_REVOKE_ENV_H

#include <pthread.h>
#include <tenuo/tenuo.h>
#include <time.h>

#include "stage.h"
#include "tap.h"

static struct tenuo_signer *root_key, *other_key;
static uint8_t wire[4096], warrant_id[TENUO_WARRANT_ID_BYTES];
static size_t wire_len;
static struct tenuo_request *call;
static int64_t born;
static char plugin_dir[128], logged[65536];
static pthread_mutex_t log_lock = PTHREAD_MUTEX_INITIALIZER;

static inline void must(int r, const char *what)
{
    if (r == TENUO_OK)
        return;
    printf("Bail out! %s: %d\n", what, r);
    exit(1);
}

static inline void keep_log(void *arg, int level, const char *line)
{
    (void)arg;
    pthread_mutex_lock(&log_lock);
    size_t n = strlen(logged);
    snprintf(logged + n, sizeof logged - n, "%d %s\n", level, line);
    pthread_mutex_unlock(&log_lock);
}

/* How often a text was logged. */
static inline int logged_times(const char *text)
{
    int n = 0;
    pthread_mutex_lock(&log_lock);
    for (const char *p = strstr(logged, text); p != NULL; p = strstr(p + 1, text))
        n++;
    pthread_mutex_unlock(&log_lock);
    return n;
}

static inline void logs(const char *text)
{
    if (!ok(logged_times(text) != 0, "logs '%s'", text))
        printf("# %.2000s\n", logged);
}

static inline void sleep_ms(unsigned ms)
{
    const struct timespec ts = { ms / 1000, (long)(ms % 1000) * 1000000 };
    nanosleep(&ts, NULL);
}

/* Beside the configuration, since nobody else may write there: a checkout may be open to others. */
static inline void env_plugin(const char *dir, const char *file, const char *as)
{
    char from[4200], to[128];
    snprintf(from, sizeof from, "%s/%s", dir, file);
    snprintf(to, sizeof to, "plugins/%s", as);
    stage_copy(from, to, 0755);
}

static inline void env_begin(void)
{
    uint8_t seed[32] = { 1 }, pop[64];
    struct tenuo_mint *mint = NULL;
    struct tenuo_constraint_set *set = NULL;
    struct tenuo_stack *stack = NULL;
    struct tenuo_args *args = NULL;
    stage_begin();
    snprintf(plugin_dir, sizeof plugin_dir, "%s", stage_mkdir("plugins", 0700));
    born = (int64_t)time(NULL);
    must(tenuo_signer_from_seed(seed, &root_key, NULL), "root key");
    seed[0] = 2;
    must(tenuo_signer_from_seed(seed, &other_key, NULL), "other key");
    must(tenuo_constraint_set_new(&set, NULL), "set");
    must(tenuo_mint_root(&mint, NULL), "mint");
    must(tenuo_mint_add_tool(mint, "ping", 4, set, NULL), "tool");
    must(tenuo_mint_set_holder(mint, tenuo_signer_public_key(other_key), NULL), "holder");
    tenuo_mint_set_ttl(mint, 3600);
    must(tenuo_mint_sign(mint, root_key, (uint64_t)born, &stack, NULL), "sign");
    wire_len = sizeof wire;
    must(tenuo_stack_encode(stack, TENUO_FORM_CBOR, wire, &wire_len, NULL), "encode");
    memcpy(warrant_id, tenuo_warrant_id(tenuo_stack_leaf(stack)), sizeof warrant_id);
    must(tenuo_args_new(&args, NULL), "args");
    must(tenuo_request_new("ping", 4, &call, NULL), "request");
    must(tenuo_pop_sign(other_key, tenuo_stack_leaf(stack), "ping", 4, args, born, pop, NULL), "pop");
    tenuo_request_set_pop(call, pop);
    tenuo_args_free(args);
    tenuo_stack_free(stack);
    tenuo_mint_free(mint);
    tenuo_constraint_set_free(set);
    char pem[TENUO_PUBLIC_PEM_MAX_BYTES];
    tenuo_public_key_pem(tenuo_signer_public_key(root_key), pem);
    stage_text("roots.pub", pem);
}

static inline int env_end(void)
{
    tenuo_request_free(call);
    tenuo_signer_free(root_key);
    tenuo_signer_free(other_key);
    stage_end();
    return done_testing();
}

/* A new file under the name, as who distributes lists should do it. */
static inline void put_bytes(const char *name, const void *bytes, size_t len)
{
    char next[64];
    snprintf(next, sizeof next, "%s.new", name);
    const char *from = stage_write(next, bytes, len, 0644);
    if (rename(from, stage_path(name)) != 0)
        stage_die(name);
}

/* A list with one id that nobody has, and with the warrant's if wanted; free the bytes. */
static inline uint8_t *make_list(uint64_t version, bool with_ours, const struct tenuo_signer *signer, int64_t issued_at,
                                 size_t *ret_len)
{
    uint8_t nobody[TENUO_WARRANT_ID_BYTES] = { 9 }, *bytes = NULL;
    struct tenuo_srl_builder *b = NULL;
    must(tenuo_srl_builder_new(version, &b, NULL), "builder");
    must(tenuo_srl_builder_add(b, nobody, NULL), "add");
    if (with_ours)
        must(tenuo_srl_builder_add(b, warrant_id, NULL), "add");
    must(tenuo_srl_builder_sign(b, signer, issued_at, &bytes, ret_len, NULL), "sign list");
    tenuo_srl_builder_free(b);
    return bytes;
}

static inline void put_list_by(const char *name, uint64_t version, bool with_ours, const struct tenuo_signer *signer,
                               int64_t issued_at)
{
    size_t len = 0;
    uint8_t *bytes = make_list(version, with_ours, signer, issued_at, &len);
    put_bytes(name, bytes, len);
    tenuo_bytes_free(bytes, len);
}

static inline void put_list(const char *name, uint64_t version, bool with_ours)
{
    put_list_by(name, version, with_ours, root_key, born);
}

#define TRUST "trust required file path=$ROOT/roots.pub\n"

/* $ROOT in the text is the stage. The log begins anew. */
static inline int open_conf(const char *text, struct tenuo_ctx **ret, struct tenuo_error *err)
{
    char conf[4096] = TRUST, *at;
    snprintf(conf, sizeof conf, "%s%s", TRUST, text);
    FILE *f = fopen(stage_path("tenuo.conf"), "we");
    for (const char *p = conf; (at = strstr(p, "$ROOT")) != NULL || *p != '\0'; p = at + 5) {
        if (at == NULL) {
            fputs(p, f);
            break;
        }
        fprintf(f, "%.*s%s", (int)(at - p), p, stage_root);
    }
    fclose(f);
    struct tenuo_open_options o = {
        .size = sizeof o, .conf = stage_path("tenuo.conf"), .plugin_dir = plugin_dir, .log = keep_log
    };
    logged[0] = '\0';
    return tenuo_open("", &o, ret, err);
}

static inline struct tenuo_ctx *opened(const char *text)
{
    struct tenuo_ctx *ctx = NULL;
    struct tenuo_error err = { 0 };
    int r = open_conf(text, &ctx, &err);
    if (r != TENUO_OK)
        printf("# %s\n", err.msg);
    must(r, "tenuo_open");
    return ctx;
}

/* The code of a decision now; the sentence in `why`. */
static char why[256];
static inline int ask(struct tenuo_ctx *ctx)
{
    struct tenuo_decision *d = NULL;
    struct tenuo_error err = { 0 };
    int code = tenuo_ctx_authorize_at(ctx, wire, wire_len, call, (int64_t)time(NULL), &d, &err);
    if (code != TENUO_OK)
        return code;
    code = tenuo_decision_code(d);
    snprintf(why, sizeof why, "%s", tenuo_decision_reason(d));
    tenuo_decision_free(d);
    return code;
}

/* Asks until the answer is the wanted one, at most for so long. */
static inline void becomes(struct tenuo_ctx *ctx, int code, unsigned most_ms, const char *what)
{
    int got = ask(ctx);
    for (unsigned ms = 0; got != code && ms < most_ms; ms += 20) {
        sleep_ms(20);
        got = ask(ctx);
    }
    is_int(got, code, "%s (%s)", what, why);
}

/* The answer stays what it is for so long. */
static inline double monotonic(void)
{
    struct timespec ts = { 0 };
    clock_gettime(CLOCK_MONOTONIC, &ts);
    return (double)ts.tv_sec + (double)ts.tv_nsec / 1e9;
}

/* A line that failed is asked again after three quarters of a second at the soonest: once, unless this machine stood
 * still for so long. */
static inline int most_since(double began)
{
    return 1 + (int)((monotonic() - began) / 0.75);
}

static inline void told_once(const char *text, double began, const char *what)
{
    int n = logged_times(text), most = most_since(began);
    ok(n >= 1 && n <= most, "%s: told once: \"%s\" %d times of at most %d", what, text, n, most);
}

static inline void stays(struct tenuo_ctx *ctx, int code, unsigned for_ms, const char *what)
{
    int got = ask(ctx);
    for (unsigned ms = 0; got == code && ms < for_ms; ms += 20) {
        sleep_ms(20);
        got = ask(ctx);
    }
    is_int(got, code, "%s (%s)", what, why);
}

#endif
