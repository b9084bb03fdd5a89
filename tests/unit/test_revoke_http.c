/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A context with a list from a web server that dies, answers late or lies: it denies or goes on with the last good list
 * within its bound, asks rarely, says so once a step, and heals. Arguments: the folder of plugins,
 * tests/revocation/server.py.
 */
#include <stdatomic.h>

#include "../revocation/server.h"
#include "revoke_env.h"

static const char *script;
static char list[128], log_path[128];

static void begin(uint64_t version, bool ours)
{
    unlink(stage_path("floor"));
    put_list("list", version, ours);
}

static int requests(void)
{
    size_t len = 0;
    int n = 0;
    char *text = stage_read(stage_path("log"), &len);
    for (size_t i = 0; i < len; i++)
        n += text[i] == '\n';
    free(text);
    return n;
}

static struct tenuo_ctx *open_http(const struct server *s, const char *path, const char *more)
{
    char conf[512];
    snprintf(conf, sizeof conf,
             "revocation required http url=http://127.0.0.1:%d/%s floor=$ROOT/floor refresh=200ms %s\n", s->port, path,
             more);
    return opened(conf);
}

/* A server that dies: the list stays to its bound, the server is asked rarely, and all is well when it comes back. */
static void check_http_dies(void)
{
    begin(1, false);
    struct server s = server_start(script, list, log_path, NULL);
    struct tenuo_ctx *ctx = open_http(&s, "list", "max_age=2s");
    is_int(ask(ctx), 0, "from a server");
    put_list("list", 2, true);
    becomes(ctx, TENUO_E_REVOKED, 2000, "the next list");
    int port = s.port;
    server_stop(&s);
    stays(ctx, TENUO_E_REVOKED, 1000, "it dies");
    logs("version 2 stays in force");
    sleep_ms(2500);
    is_int(ask(ctx), TENUO_E_REVOKED, "revoked stays revoked, however old the list is");
    logs("there is no revocation list that may be used");
    ok(logged_times("127.0.0.1:") <= 4, "said a step: %d", logged_times("127.0.0.1:"));
    char text[16];
    snprintf(text, sizeof text, "%d", port);
    setenv("PORT", text, 1);
    s = server_start(script, list, log_path, NULL);
    unsetenv("PORT");
    put_list("list", 3, true);
    sleep_ms(8500); /* more than the step that is running */
    (void)ask(ctx);
    is_int(logged_times("version 3 with 2 ids is in force"), 1, "it comes back: heals");
    tenuo_ctx_unref(ctx);
    server_stop(&s);
}

/* Answers that are none; each with a list before and with none. */
static void check_http_lies(void)
{
    static const char *const paths[] = { "error", "unasked304", "dies", "drip", "late",
                                         "big",   "garbage",    "bomb", "zip",  "redirect" };
    begin(1, false);
    struct server s = server_start(script, list, log_path, NULL);
    for (size_t i = 0; i < sizeof paths / sizeof paths[0]; i++) {
        int before = requests();
        double began = monotonic();
        struct tenuo_ctx *ctx = open_http(&s, paths[i], "timeout=400ms");
        is_int(ask(ctx), TENUO_E_UNAVAILABLE, "%s: denies", paths[i]);
        stays(ctx, TENUO_E_UNAVAILABLE, 500, paths[i]);
        int asked = requests() - before;
        ok(asked >= 1 && asked <= most_since(began), "%s: asked once: %d times", paths[i], asked);
        told_once("asked again in", began, paths[i]);
        tenuo_ctx_unref(ctx);
    }
    struct tenuo_ctx *ctx = open_http(&s, "sametag", "max_age=3s");
    put_list("list", 2, true);
    stays(ctx, 0, 800, "a server that says 'unchanged' for ever");
    tenuo_ctx_unref(ctx);
    ctx = open_http(&s, "sametag", "max_age=3s");
    is_int(ask(ctx), TENUO_E_REVOKED, "is asked without a tag by the next program");
    tenuo_ctx_unref(ctx);
    ctx = open_http(&s, "json", "");
    is_int(ask(ctx), TENUO_E_REVOKED, "JSON of a control plane");
    tenuo_ctx_unref(ctx);
    server_stop(&s);
}

/* A slow server holds up one decision, not the others. */
static atomic_int answered;
static void *ask_much(void *arg)
{
    struct tenuo_ctx *ctx = arg;
    for (int i = 0; i < 20; i++) {
        struct tenuo_decision *d = NULL;
        if (tenuo_ctx_authorize_at(ctx, wire, wire_len, call, born, &d, NULL) == TENUO_OK)
            atomic_fetch_add(&answered, tenuo_decision_code(d) == 0);
        tenuo_decision_free(d);
        sleep_ms(25);
    }
    return NULL;
}

static void check_http_slow(void)
{
    pthread_t threads[3];
    begin(1, false);
    struct server s = server_start(script, list, log_path, NULL);
    struct tenuo_ctx *ctx = open_http(&s, "late", "timeout=4s max_age=60s");
    sleep_ms(300); /* the next fetch is due, and takes two seconds */
    for (size_t i = 0; i < 3; i++)
        pthread_create(&threads[i], NULL, ask_much, ctx);
    sleep_ms(1200);
    ok(atomic_load(&answered) >= 39, "two of three threads are done before the fetch is: %d", atomic_load(&answered));
    for (size_t i = 0; i < 3; i++)
        pthread_join(threads[i], NULL);
    is_int(atomic_load(&answered), 60, "all are allowed in the end");
    tenuo_ctx_unref(ctx);
    server_stop(&s);
}

int main(int argc, char **argv)
{
    if (argc != 3)
        return fprintf(stderr, "usage: %s PLUGINS SERVER\n", argv[0]), 2;
    env_begin();
    env_plugin(argv[1], "tenuo_http.so", "tenuo_http.so");
    script = argv[2];
    snprintf(list, sizeof list, "%s", stage_path("list"));
    snprintf(log_path, sizeof log_path, "%s", stage_path("log"));
    check_http_dies();
    check_http_lies();
    check_http_slow();
    return env_end();
}
