/* SPDX-License-Identifier: Apache-2.0 */
/* Revocation lines of a context: what a list does to decisions, control words, issuers, unions, reloads, forks and
 * threads, plugins that break their contract. The argument is the folder of mocks. */
#include <stdatomic.h>
#include <sys/wait.h>

#include "revoke_env.h"

#define FILE_LINE "revocation required file path=$ROOT/list floor=$ROOT/floor refresh=100ms max_age=60s"

static void fresh_floor(void)
{
    unlink(stage_path("floor"));
}

static void check_list(void)
{
    fresh_floor();
    put_list("list", 1, false);
    struct tenuo_ctx *ctx = opened(FILE_LINE "\n");
    is_int(ask(ctx), 0, "not on the list");
    logs("version 1 with 1 ids is in force");
    put_list("list", 2, true);
    becomes(ctx, TENUO_E_REVOKED, 2000, "on the next list");
    stays(ctx, TENUO_E_REVOKED, 300, "and stays so");
    is_int(logged_times("version 2 with 2 ids"), 1, "said once");
    put_list("list", 3, false);
    sleep_ms(200);
    stays(ctx, TENUO_E_REVOKED, 200, "a list that leaves it out revokes it still");
    logs("leaves out 1 ids of version 2, which stay revoked here (revocation_union): tnu_wrt_");
    tenuo_ctx_unref(ctx);
    put_list("list", 4, true);
    ctx = opened("set revocation_union no\n" FILE_LINE "\n");
    is_int(ask(ctx), TENUO_E_REVOKED, "revoked");
    put_list("list", 5, false);
    becomes(ctx, 0, 2000, "revocation_union no: valid again");
    logs("4 " /* warning */);
    logs("are valid again");
    struct stat st;
    ok(stat(stage_path("floor"), &st) == 0 && (st.st_mode & 07777) == 0600, "the floor is 0600");
    size_t len = 0;
    char *floor = stage_read(stage_path("floor"), &len);
    ok(floor != NULL && strstr(floor, " 5 ") != NULL, "and has the version");
    free(floor);
    tenuo_ctx_unref(ctx);
}

static void check_pure(void)
{
    fresh_floor();
    put_list("list", 1, true);
    struct tenuo_ctx *ctx = opened(FILE_LINE "\n");
    struct tenuo_verifier *v = tenuo_ctx_verifier(ctx), *w = tenuo_ctx_verifier(ctx);
    struct tenuo_decision *d = NULL;
    ok(v == w, "one verifier while nothing changes");
    tenuo_verifier_unref(w);
    tenuo_ctx_unref(ctx);
    must(tenuo_authorize(v, wire, wire_len, call, born, &d, NULL), "authorize");
    is_int(tenuo_decision_code(d), TENUO_E_REVOKED, "a verifier outlives its context, with its list");
    tenuo_decision_free(d);
    tenuo_verifier_unref(v);
}

#define LINE(control, name, more) \
    "revocation " control " file path=$ROOT/" name " floor=$ROOT/floor." name " refresh=100ms max_age=60s" more "\n"

static void fresh_lists(void)
{
    static const char *const names[] = { "a", "b", "floor.a", "floor.b" };
    for (size_t i = 0; i < 4; i++)
        unlink(stage_path(names[i]));
}

static void answer_is(const char *conf, int code, const char *what)
{
    struct tenuo_ctx *ctx = opened(conf);
    is_int(ask(ctx), code, "%s (%s)", what, why);
    tenuo_ctx_unref(ctx);
}

static void check_controls(void)
{
    fresh_lists();
    put_list("a", 1, false);
    answer_is(LINE("required", "a", "") LINE("required", "b", ""), TENUO_E_UNAVAILABLE, "one required line is silent");
    ok(strstr(why, "tenuo.conf:3 file") != NULL, "and named: %s", why);
    answer_is(LINE("requisite", "b", "") LINE("required", "a", ""), TENUO_E_UNAVAILABLE, "a requisite one");
    answer_is(LINE("required", "a", "") LINE("optional", "b", ""), 0, "a silent optional one");
    answer_is(LINE("optional", "b", ""), TENUO_E_UNAVAILABLE, "a chain that is silent denies");
    answer_is(LINE("sufficient", "b", ""), TENUO_E_UNAVAILABLE, "also a sufficient one");
    answer_is(LINE("optional", "a", "") LINE("optional", "b", ""), 0, "one optional line that answers is enough");
    answer_is(LINE("sufficient", "a", "") LINE("required", "b", ""), 0, "a sufficient one ends the chain");
    answer_is(LINE("sufficient", "b", "") LINE("required", "a", ""), 0, "or the next one answers");
    answer_is(LINE("required", "b", "") LINE("sufficient", "a", ""), TENUO_E_UNAVAILABLE, "not after a failure");
    put_list("b", 1, true);
    answer_is(LINE("required", "a", "") LINE("required", "b", ""), TENUO_E_REVOKED, "revoked if any list says so");
    answer_is(LINE("required", "a", "") LINE("optional", "b", ""), TENUO_E_REVOKED, "an optional one too");
    answer_is(LINE("sufficient", "a", "") LINE("required", "b", ""), 0, "not one that is not consulted");
    answer_is("revocation optional nowhere\n", TENUO_E_UNAVAILABLE, "lines that were all left out are silent");
    answer_is("set mode observe\n" LINE("required", "b", ""), TENUO_E_REVOKED, "observe: lets it through");
}

static void check_issuer(void)
{
    char conf[1024], hex[72] = "";
    const uint8_t *key = tenuo_signer_public_key(other_key);
    for (size_t i = 0; i < 32; i++)
        snprintf(hex + 2 * i, 3, "%02x", key[i]);
    fresh_lists();
    put_list_by("a", 1, true, other_key, born);
    answer_is(LINE("required", "a", ""), TENUO_E_UNAVAILABLE, "a list of a key that is no root");
    logs("not trusted");
    snprintf(conf, sizeof conf, LINE("required", "a", " issuer=%s"), hex);
    answer_is(conf, TENUO_E_REVOKED, "issuer= names it");
    put_list("a", 2, true);
    answer_is(conf, TENUO_E_UNAVAILABLE, "and then no root counts");
    put_list_by("a", 3, true, other_key, born);
    stage_text("issuer.pub", strcat(hex, "\n"));
    answer_is(LINE("required", "a", " issuer=$ROOT/issuer.pub"), TENUO_E_REVOKED, "from a file");
    struct tenuo_ctx *ctx = NULL;
    struct tenuo_error err;
    is_int(open_conf(LINE("required", "a", " issuer=$ROOT/none.pub"), &ctx, &err), TENUO_E_CONF, "no such file: %s",
           err.msg);
}

/* The server of lists is away while the configuration is read again. */
static void check_reload(void)
{
    struct tenuo_ctx *ctx, *next = NULL;
    fresh_lists();
    put_list("a", 1, false);
    ctx = opened(LINE("required", "a", ""));
    is_int(ask(ctx), 0, "before");
    unlink(stage_path("a"));
    must(tenuo_ctx_reload(ctx, &next, NULL), "reload");
    is_int(ask(next), 0, "after: the list that was in force still is (%s)", why);
    tenuo_ctx_unref(ctx);
    stays(next, 0, 300, "and stays so");
    put_list("a", 2, true);
    becomes(next, TENUO_E_REVOKED, 3000, "until the next one");
    tenuo_ctx_unref(next);
}

static void check_fork(void)
{
    fresh_lists();
    put_list("a", 1, false);
    struct tenuo_ctx *ctx = opened(LINE("required", "a", ""));
    int status = 0;
    put_list("b", 2, true); /* made here: a child has no keys */
    fflush(stdout);
    pid_t child = fork();
    if (child == 0) {
        int code = ask(ctx);
        (void)rename(stage_path("b"), stage_path("a"));
        for (int i = 0; i < 200 && code == 0; i++) {
            sleep_ms(20);
            code = ask(ctx);
        }
        _exit(code == TENUO_E_REVOKED ? 0 : 1);
    }
    ok(waitpid(child, &status, 0) == child && status == 0, "a child decides, and fetches");
    becomes(ctx, TENUO_E_REVOKED, 2000, "the parent fetches too");
    tenuo_ctx_unref(ctx);
}

static struct tenuo_ctx *shared;
static atomic_bool stop;
static atomic_int asked, wrong, revoked;

static void *keep_asking(void *arg)
{
    (void)arg;
    while (!atomic_load(&stop)) {
        struct tenuo_decision *d = NULL;
        int code = tenuo_ctx_authorize_at(shared, wire, wire_len, call, born, &d, NULL);
        code = code == TENUO_OK ? tenuo_decision_code(d) : code;
        tenuo_decision_free(d);
        atomic_fetch_add(&asked, 1);
        if (code == TENUO_E_REVOKED)
            atomic_fetch_add(&revoked, 1);
        else if (code != 0)
            atomic_fetch_add(&wrong, 1);
    }
    return NULL;
}

/* Lists come and go under load; nobody ever sees a moment without one. */
static void check_threads(void)
{
    pthread_t threads[4];
    fresh_lists();
    put_list("a", 1, false);
    shared = opened("set revocation_union no\n" LINE("required", "a", ""));
    for (size_t i = 0; i < 4; i++)
        pthread_create(&threads[i], NULL, keep_asking, NULL);
    for (uint64_t version = 2; version < 12; version++) {
        put_list("a", version, version % 2 == 0);
        sleep_ms(150);
    }
    atomic_store(&stop, true);
    for (size_t i = 0; i < 4; i++)
        pthread_join(threads[i], NULL);
    is_int(atomic_load(&wrong), 0, "no other answer in %d", atomic_load(&asked));
    ok(atomic_load(&revoked) > 0 && atomic_load(&revoked) < atomic_load(&asked), "and both of the two");
    tenuo_ctx_unref(shared);
}

static pthread_mutex_t shared_lock = PTHREAD_MUTEX_INITIALIZER;

static void *keep_asking_anew(void *arg)
{
    (void)arg;
    while (!atomic_load(&stop)) {
        pthread_mutex_lock(&shared_lock);
        struct tenuo_ctx *ctx = tenuo_ctx_ref(shared);
        pthread_mutex_unlock(&shared_lock);
        struct tenuo_decision *d = NULL;
        int code = tenuo_ctx_authorize_at(ctx, wire, wire_len, call, born, &d, NULL);
        code = code == TENUO_OK ? tenuo_decision_code(d) : code;
        tenuo_decision_free(d);
        tenuo_ctx_unref(ctx);
        atomic_fetch_add(&asked, 1);
        atomic_fetch_add(&wrong, code != TENUO_E_REVOKED);
    }
    return NULL;
}

/* Reloads in a loop while the source is away: what was revoked is revoked in every context. */
static void check_reloads_under_load(void)
{
    pthread_t threads[3];
    int failed = 0;
    fresh_lists();
    put_list("a", 1, true);
    shared = opened(LINE("required", "a", ""));
    unlink(stage_path("a"));
    atomic_store(&stop, false);
    atomic_store(&asked, 0);
    for (size_t i = 0; i < 3; i++)
        pthread_create(&threads[i], NULL, keep_asking_anew, NULL);
    for (int i = 0; i < 40; i++) {
        struct tenuo_ctx *next = NULL, *old = shared;
        failed += tenuo_ctx_reload(old, &next, NULL) != TENUO_OK;
        if (next == NULL)
            continue;
        pthread_mutex_lock(&shared_lock);
        shared = next;
        pthread_mutex_unlock(&shared_lock);
        tenuo_ctx_unref(old);
        sleep_ms(20);
    }
    atomic_store(&stop, true);
    for (size_t i = 0; i < 3; i++)
        pthread_join(threads[i], NULL);
    is_int(failed, 0, "forty reloads");
    is_int(atomic_load(&wrong), 0, "no other answer in %d", atomic_load(&asked));
    tenuo_ctx_unref(shared);
}

/* A plugin that is wrong in one way; with a good list before, which stays. */
static void check_plugins(void)
{
    static const struct {
        const char *fault, *sentence;
    } faults[] = {
        { "future", "fetched in the future" },
        { "old", "fetched more than 60 s ago" },
        { "long", "longer than" },
        { "late", "answered after its deadline of 100 ms" },
        { "null", "handed over no list" },
        { "code", "answered 42, which it may not" },
    };
    char conf[512];
    fresh_lists();
    put_list("a", 1, false);
    answer_is("revocation required revocation path=$ROOT/a floor=$ROOT/floor.a\n", 0, "a good plugin");
    for (size_t i = 0; i < sizeof faults / sizeof faults[0]; i++) {
        snprintf(conf, sizeof conf,
                 "revocation required revocation path=$ROOT/a floor=$ROOT/floor.a max_age=60s timeout=100ms fault=%s\n",
                 faults[i].fault);
        answer_is(conf, TENUO_E_UNAVAILABLE, faults[i].fault);
        logs(faults[i].sentence);
    }
}

/* A list that came too late was handed over all the same: "unchanged" after it would be about that one. */
static void check_late_list(void)
{
    fresh_lists();
    put_list("a", 1, false);
    struct tenuo_ctx *ctx = opened("revocation required revocation path=$ROOT/a floor=$ROOT/floor.a max_age=60s "
                                   "refresh=100ms timeout=150ms fault=second\n");
    is_int(ask(ctx), 0, "the first list");
    put_list("a", 2, true);
    becomes(ctx, TENUO_E_REVOKED, 4000, "the second comes late, and again");
    logs("answered after its deadline");
    tenuo_ctx_unref(ctx);
}

int main(int argc, char **argv)
{
    env_begin();
    env_plugin(argc > 1 ? argv[1] : ".", "mock_revocation.so", "tenuo_revocation.so");
    check_list();
    check_pure();
    check_controls();
    check_issuer();
    check_reload();
    check_fork();
    check_threads();
    check_reloads_under_load();
    check_plugins();
    check_late_list();
    return env_end();
}
