/* SPDX-License-Identifier: Apache-2.0 */
/* How plugins are called: deadlines, legal codes, sentences, locks, forks, re-opening, tracing. The plugins are structs
 * of this file. */
#include "../../core/instance.h"

#include <stdlib.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "tap.h"

/* What the plugin does next, and what has been seen. Shared by all instances: this is the store behind them. */
static struct {
    int open_code, code;
    unsigned open_ms, call_ms;
    const char *sentence;
    atomic_int opened, closed, inside, most_inside;
    atomic_int calls;
    uint32_t deadline_seen;
} world;

struct self {
    const struct tenuo_host *host;
    pid_t owner;
};

static void sleep_ms(unsigned ms)
{
    struct timespec ts = { ms / 1000, (long)(ms % 1000) * 1000000 };
    nanosleep(&ts, NULL);
}

static int w_open(const struct tenuo_host *host, const struct tenuo_arg *args, size_t nargs, void **ret_self)
{
    (void)args, (void)nargs;
    sleep_ms(world.open_ms);
    if (world.open_code != TENUO_OK) {
        host->error(host, "the store is %s", "away");
        return world.open_code;
    }
    struct self *s = malloc(sizeof *s);
    if (s == NULL)
        return TENUO_E_NOMEM;
    *s = (struct self){ host, getpid() };
    atomic_fetch_add(&world.opened, 1);
    *ret_self = s;
    return TENUO_OK;
}

static void w_close(void *self)
{
    atomic_fetch_add(&world.closed, 1);
    free(self);
}

static int act(const struct self *s)
{
    int inside = atomic_fetch_add(&world.inside, 1) + 1, most = atomic_load(&world.most_inside);
    while (inside > most && !atomic_compare_exchange_weak(&world.most_inside, &most, inside))
        ;
    atomic_fetch_add(&world.calls, 1);
    sleep_ms(world.call_ms);
    if (world.sentence != NULL)
        s->host->error(s->host, "%s", world.sentence);
    atomic_fetch_sub(&world.inside, 1);
    return s->owner == getpid() ? world.code : TENUO_E_KEY_DENIED; /* an instance of another process */
}

static _Thread_local uint32_t version_of_key;

static int w_export(void *self, const char *key_id, uint32_t version, uint8_t ret_seed[32])
{
    (void)version;
    memset(ret_seed, key_id[0], 32);
    return act(self);
}

static int w_public_key(void *self, const char *key_id, uint32_t version, uint8_t ret_key[32], uint32_t *ret_version)
{
    (void)version;
    *ret_version = 0;
    memset(ret_key, key_id[0], 32);
    return act(self);
}

static int w_decision(void *self, const struct tenuo_audit_event *event)
{
    const struct self *s = self;
    world.deadline_seen = s->host->deadline(s->host);
    s->host->log(s->host, TENUO_LOG_INFO, "stored %s\n", event->decision_id);
    return act(self);
}

static const struct tenuo_resolver_ops resolver = {
    .size = sizeof resolver, .open = w_open, .close = w_close, .export_seed = w_export, .public_key = w_public_key
};
static const struct tenuo_audit_ops audit = {
    .size = sizeof audit, .open = w_open, .close = w_close, .decision = w_decision
};

static struct tn_plugin plugin_with(uint32_t flags)
{
    return (struct tn_plugin){ .desc = { .flags = flags, .name = "world", .resolver = &resolver, .audit = &audit },
                               .path = "(test)" };
}

static char logged[4096];

static void keep_log(void *arg, int level, const char *line)
{
    (void)arg, (void)level;
    snprintf(logged + strlen(logged), sizeof logged - strlen(logged), "%s\n", line);
}

static const struct tn_log log_to = { keep_log, NULL };
static char timeout_key[] = "timeout", trace_key[] = "trace", yes[] = "yes", short_time[] = "50ms",
            module_name[] = "world";
static struct tn_conf_arg fast_args[] = { { .key = timeout_key, .value = short_time },
                                          { .key = trace_key, .value = yes } };

static struct tn_instance *make(const struct tn_plugin *plugin, struct tn_rule *rule, enum tn_facility facility,
                                size_t nargs)
{
    struct tn_instance *i = NULL;
    *rule = (struct tn_rule){
        .facility = facility, .module = module_name, .args = fast_args, .nargs = nargs, .place = { "/etc/t.conf", 7, 1 }
    };
    if (tn_instance_new(rule, plugin, NULL, 0, 5000, &log_to, &i, NULL) != TENUO_OK)
        exit(1);
    return i;
}

static void reset(void)
{
    memset(&world, 0, sizeof world);
    logged[0] = '\0';
}

static void check_success(void)
{
    unsigned can = 0;
    struct tn_plugin plugin = plugin_with(0);
    struct tn_rule rule;
    uint8_t seed[32] = { 0 }, key[32] = { 0 };
    reset();
    struct tn_instance *i = make(&plugin, &rule, TN_F_RESOLVER, 0);
    is_int(atomic_load(&world.opened), 0, "nothing of the plugin runs before open");
    is_int(tn_instance_open(i, NULL), TENUO_OK, "opens");
    is_int(tn_instance_open(i, NULL), TENUO_OK, "once");
    is_int(atomic_load(&world.opened), 1, "really");
    is_int(tn_resolver_export_seed(i, "s", 0, seed, NULL), TENUO_OK, "export_seed");
    ok(seed[31] == 's', "the seed");
    is_int(tn_resolver_public_key(i, "p", 0, key, &version_of_key, NULL), TENUO_OK, "public_key");
    ok(key[31] == 'p', "the key");
    is_int(tn_resolver_can(i, &can, NULL), TENUO_OK, "can");
    ok(can == TENUO_RESOLVER_EXPORTS, "what it can");
    tn_instance_free(i);
    is_int(atomic_load(&world.closed), 1, "closed");
}

static void check_codes(void)
{
    static const struct {
        int code, resolver, audit;
    } rows[] = {
        { TENUO_OK, 0, 0 },
        { TENUO_E_NOMEM, 9000, 9000 },
        { TENUO_E_INVALID_ARGUMENT, 9001, 9001 },
        { TENUO_E_SYSTEM, 9002, 9002 },
        { TENUO_E_UNAVAILABLE, 9301, 9301 },
        { TENUO_E_KEY_NOT_FOUND, 9300, 9203 },
        { TENUO_E_WOULD_BLOCK, 9302, 9203 },
        { TENUO_E_KEY_DENIED, 9304, 9203 },
        { TENUO_E_KEY_INVALID, 9305, 9203 },
        { TENUO_E_AUDIT_REFUSED, 9203, 9400 },
        { TENUO_E_REPLAYED, 9203, 9203 },
        { TENUO_E_CONF, 9203, 9203 },
        { 1, 9203, 9203 },
        { -1, 9203, 9203 },
        { 1501, 9203, 9203 },
        { TENUO_E_KEY_CONFLICT, 9303, 9203 },
    };
    struct tn_plugin plugin = plugin_with(0);
    struct tn_rule r1, r2;
    reset();
    struct tn_instance *r = make(&plugin, &r1, TN_F_RESOLVER, 0), *a = make(&plugin, &r2, TN_F_AUDIT, 0);
    struct tenuo_audit_event e = { .decision_id = "d" };
    for (size_t k = 0; k < sizeof rows / sizeof rows[0]; k++) {
        uint8_t seed[32] = { 0 }, key[32] = { 0 };
        bool stored = false;
        world.code = rows[k].code;
        is_int(tn_resolver_export_seed(r, "s", 0, seed, NULL), rows[k].resolver, "resolver answers %d", rows[k].code);
        ok(seed[0] == (rows[k].resolver == 0 ? 's' : 0), "no seed but on success");
        is_int(tn_resolver_public_key(r, "p", 0, key, &version_of_key, NULL), rows[k].resolver, "public_key answers %d",
               rows[k].code);
        ok(key[0] == (rows[k].resolver == 0 ? 'p' : 0), "no key but on success");
        is_int(tn_audit_decision(a, &e, &stored, NULL), rows[k].audit, "sink answers %d", rows[k].code);
    }
    tn_instance_free(r);
    tn_instance_free(a);
}

static void check_sentences(void)
{
    struct tn_plugin plugin = plugin_with(0);
    struct tn_rule rule;
    struct tenuo_error err;
    uint8_t seed[32];
    reset();
    struct tn_instance *i = make(&plugin, &rule, TN_F_RESOLVER, 0);
    world.code = TENUO_E_UNAVAILABLE;
    (void)tn_resolver_export_seed(i, "s", 0, seed, &err);
    is_str(err.msg, "/etc/t.conf:7: world: key 's': a store did not answer", "without a sentence: the code's");
    world.sentence = "token\nexpired";
    (void)tn_resolver_export_seed(i, "s", 0, seed, &err);
    is_str(err.msg, "/etc/t.conf:7: world: token?expired", "place, module, the plugin's sentence in one line");
    world.code = 77;
    (void)tn_resolver_export_seed(i, "s", 0, seed, &err);
    is_str(err.msg, "/etc/t.conf:7: world: export_seed answered 77, which it may not", "an illegal code");
    world.sentence = NULL;
    world.code = TENUO_OK;
    is_int(tn_resolver_export_seed(i, "s", 0, seed, &err), TENUO_OK, "well again");
    world.code = TENUO_E_SYSTEM;
    (void)tn_resolver_export_seed(i, "s", 0, seed, &err);
    ok(strstr(err.msg, "expired") == NULL, "no sentence of an earlier call: %s", err.msg);
    tn_instance_free(i);
}

static void check_late(void)
{
    struct tn_plugin plugin = plugin_with(0);
    struct tn_rule rule;
    struct tenuo_error err = { 0 };
    uint8_t seed[32] = { 0 };
    reset();
    struct tn_instance *i = make(&plugin, &rule, TN_F_RESOLVER, 2);
    is_int(tn_resolver_export_seed(i, "s", 0, seed, NULL), TENUO_OK, "in time");
    world.call_ms = 120;
    is_int(tn_resolver_export_seed(i, "s", 0, seed, &err), TENUO_E_UNAVAILABLE, "a good answer that is late is none");
    ok(seed[0] == 0, "and leaves no seed");
    is_str(err.msg, "/etc/t.conf:7: world: export_seed answered after its deadline of 50 ms", "says so");
    ok(strstr(logged, "/etc/t.conf:7: world: trace: export_seed(s) = 0 (ok), ") != NULL, "traced");
    ok(strstr(logged, "= 9301 (unavailable)") != NULL, "the late one too");
    tn_instance_free(i);
    reset();
    world.open_ms = 120;
    i = make(&plugin, &rule, TN_F_RESOLVER, 1);
    is_int(tn_instance_open(i, NULL), TENUO_E_UNAVAILABLE, "a late open");
    is_int(atomic_load(&world.closed), 1, "is closed again");
    is_str(logged, "", "no trace unless asked for");
    tn_instance_free(i);
    is_int(atomic_load(&world.closed), 1, "once");
}

static void check_reopen(void)
{
    struct tn_plugin plugin = plugin_with(0);
    struct tn_rule rule;
    struct tenuo_error err = { 0 };
    uint8_t seed[32];
    reset();
    world.open_code = TENUO_E_UNAVAILABLE;
    struct tn_instance *i = make(&plugin, &rule, TN_F_RESOLVER, 0);
    is_int(tn_instance_open(i, NULL), TENUO_E_UNAVAILABLE, "away at start");
    is_int(tn_resolver_export_seed(i, "s", 0, seed, &err), TENUO_E_UNAVAILABLE, "still away");
    is_str(err.msg, "/etc/t.conf:7: world: the store is away", "the sentence of open");
    is_int(atomic_load(&world.calls), 0, "no call without an instance");
    world.open_code = TENUO_OK;
    is_int(tn_resolver_export_seed(i, "s", 0, seed, NULL), TENUO_OK, "back: opened by the call");
    tn_instance_free(i);
}

static void *one_call(void *arg)
{
    uint8_t key[32];
    return tn_resolver_public_key(arg, "p", 0, key, &version_of_key, NULL) == TENUO_OK ? arg : NULL;
}

static int together(uint32_t flags)
{
    struct tn_plugin plugin = plugin_with(flags);
    struct tn_rule rule;
    pthread_t threads[4];
    int good = 0;
    reset();
    world.call_ms = 100;
    struct tn_instance *i = make(&plugin, &rule, TN_F_RESOLVER, 0);
    for (size_t t = 0; t < 4; t++)
        pthread_create(&threads[t], NULL, one_call, i);
    for (size_t t = 0; t < 4; t++) {
        void *result = NULL;
        pthread_join(threads[t], &result);
        good += result != NULL;
    }
    is_int(good, 4, "flags %u: four calls", flags);
    is_int(atomic_load(&world.opened), 1, "flags %u: one open", flags);
    tn_instance_free(i);
    return atomic_load(&world.most_inside);
}

/* A waiting call gives up at its own deadline. */
static void check_busy(void)
{
    struct tn_plugin plugin = plugin_with(0);
    struct tn_rule rule;
    pthread_t thread;
    uint8_t key[32];
    struct tenuo_error err = { 0 };
    reset();
    struct tn_instance *i = make(&plugin, &rule, TN_F_RESOLVER, 1);
    (void)tn_instance_open(i, NULL);
    world.call_ms = 400;
    pthread_create(&thread, NULL, one_call, i);
    while (atomic_load(&world.inside) == 0)
        sleep_ms(1);
    is_int(tn_resolver_public_key(i, "p", 0, key, &version_of_key, &err), TENUO_E_UNAVAILABLE,
           "a line that is busy beyond the deadline");
    ok(strstr(err.msg, "waited longer than 50 ms") != NULL, "says so: %s", err.msg);
    pthread_join(thread, NULL);
    tn_instance_free(i);
}

static int child_status(struct tn_instance *i, int want_opened)
{
    int status = -1;
    pid_t child = fork();
    if (child == 0) {
        uint8_t key[32];
        alarm(10);
        int r = tn_resolver_public_key(i, "p", 0, key, &version_of_key, NULL);
        int second = tn_resolver_public_key(i, "p", 0, key, &version_of_key, NULL);
        int opened = atomic_load(&world.opened);
        int closed = atomic_load(&world.closed);
        _exit(r != second               ? 90
              : closed != 0             ? 91
              : opened != want_opened   ? 92
              : r == TENUO_OK           ? 0
              : r == TENUO_E_KEY_DENIED ? 1
                                        : 93);
    }
    waitpid(child, &status, 0);
    return WIFEXITED(status) ? WEXITSTATUS(status) : 100 + status;
}

static void check_fork(void)
{
    struct tn_plugin plain = plugin_with(0), safe = plugin_with(TENUO_PLUGIN_FORK_SAFE),
                     threads = plugin_with(TENUO_PLUGIN_THREAD_SAFE);
    struct tn_rule rule;
    const struct tn_plugin *all[] = { &plain, &threads };
    for (size_t k = 0; k < 2; k++) {
        reset();
        struct tn_instance *i = make(all[k], &rule, TN_F_RESOLVER, 0);
        (void)tn_instance_open(i, NULL);
        is_int(child_status(i, 2), 0, "a child opens its own, once, and closes nothing of the parent's");
        tn_instance_free(i);
        is_int(atomic_load(&world.closed), 1, "the parent closes its own");
    }
    reset();
    struct tn_instance *i = make(&safe, &rule, TN_F_RESOLVER, 0);
    (void)tn_instance_open(i, NULL);
    is_int(child_status(i, 1), 1, "FORK_SAFE: the parent's instance goes on");
    tn_instance_free(i);
}

static void check_host(void)
{
    struct tn_plugin plugin = plugin_with(0);
    struct tn_rule rule;
    struct tenuo_audit_event e = { .decision_id = "d-1" };
    reset();
    struct tn_instance *i = make(&plugin, &rule, TN_F_AUDIT, 1);
    bool stored = false;
    is_int(tn_audit_decision(i, &e, &stored, NULL), TENUO_OK, "stored");
    ok(stored, "and the sink said so");
    ok(world.deadline_seen > 0 && world.deadline_seen <= 50, "deadline of the line: %u", world.deadline_seen);
    is_str(logged, "/etc/t.conf:7: world: stored d-1?\n", "log line with its place, control characters gone");
    is_int(tn_audit_flush(i, NULL), TENUO_OK, "flush is optional");
    ok(i->opened->host.deadline(&i->opened->host) == 50, "outside of a call: the whole time");
    i->opened->host.error(&i->opened->host, "nobody listens");
    tn_instance_free(i);
}

int main(void)
{
    check_success();
    check_codes();
    check_sentences();
    check_late();
    check_reopen();
    is_int(together(0), 1, "not thread-safe: one at a time");
    ok(together(TENUO_PLUGIN_THREAD_SAFE) > 1, "thread-safe: together");
    check_busy();
    check_fork();
    check_host();
    return done_testing();
}
