/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The plugin vault and a stub that fails in ways the real server cannot be brought to: each failure has its code and
 * its sentence, nothing takes longer than the deadline, and what is back is used again. Arguments: the folder of
 * plugins, tests/services/vault_fake.py.
 */
#include <pthread.h>

#include "../revocation/server.h"
#include "vault_env.h"

#define THREADS 100

static const char *script;
static char log_path[128], token_path[128];

static struct server start(void)
{
    return server_start(script, log_path, NULL, NULL);
}

/* server_start hands over LIST and LOG; here the first is the log and the second the port. */
static struct server start_at(int port)
{
    char text[16];
    snprintf(text, sizeof text, "%d", port);
    return server_start(script, log_path, text, NULL);
}

static void *line(int port)
{
    char url[64];
    snprintf(url, sizeof url, "http://127.0.0.1:%d", port);
    return OPEN("url", url, "token_file", token_path, "path_template", "{key_id}");
}

static int requests(const char *path)
{
    size_t len = 0;
    int n = 0;
    char *text = stage_read(log_path, &len);
    if (text == NULL)
        return 0;
    for (const char *p = text; (p = strstr(p, path)) != NULL; p++)
        n++;
    free(text);
    return n;
}

/* An own line each time: the breaker of one must not touch the next. */
static void is_refused(const struct server *s, const char *id, int code, const char *sentence)
{
    void *self = line(s->port);
    uint64_t began = clock_ms();
    is_int(reading(self, id), code, "%s", id);
    ok(says(sentence), "%s: says '%s'", id, sentence);
    ok(clock_ms() - began < deadline_ms + 400, "%s: within the deadline", id);
    ops->close(self);
}

static void check_statuses(const struct server *s)
{
    is_refused(s, "error500", TENUO_E_UNAVAILABLE, "it answered 500");
    is_int(requests("data/error500 "), 4, "three more tries");
    is_refused(s, "limited", TENUO_E_UNAVAILABLE, "rate limit quotas");
    is_refused(s, "bad-gateway", TENUO_E_UNAVAILABLE, "a proxy in front of it");
    is_refused(s, "backend404", TENUO_E_UNAVAILABLE, "is it Vault that listens");
    is_refused(s, "foreign404", TENUO_E_UNAVAILABLE, "not as Vault does");
    is_refused(s, "standby", TENUO_E_UNAVAILABLE, "standby");
    is_refused(s, "redirect", TENUO_E_UNAVAILABLE, "redirects");
    is_refused(s, "nowhere", TENUO_E_KEY_NOT_FOUND, "nothing at secret/data/nowhere");
    is_refused(s, "patience", TENUO_E_UNAVAILABLE, "429");
    is_int(requests("data/patience "), 1, "a server that asks for ten minutes is not asked again");
}

static void check_bodies(const struct server *s)
{
    is_refused(s, "html", TENUO_E_UNAVAILABLE, "is no JSON");
    is_refused(s, "nothing", TENUO_E_UNAVAILABLE, "is no JSON");
    is_refused(s, "trailing", TENUO_E_UNAVAILABLE, "is no JSON");
    is_refused(s, "deep", TENUO_E_UNAVAILABLE, "is no JSON");
    is_refused(s, "endless", TENUO_E_UNAVAILABLE, "longer than");
    is_refused(s, "torn", TENUO_E_UNAVAILABLE, "the connection broke");
    is_refused(s, "silent", TENUO_E_UNAVAILABLE, "the connection broke");
    is_refused(s, "twice", TENUO_E_KEY_INVALID, "no text in field key");
    is_refused(s, "noversion", TENUO_E_UNAVAILABLE, "none of KV version 2");
}

static void check_slow(const struct server *s)
{
    deadline_ms = 700;
    is_refused(s, "late", TENUO_E_UNAVAILABLE, "did not answer in time");
    is_refused(s, "drip", TENUO_E_UNAVAILABLE, "did not answer in time");
    deadline_ms = 5000;
}

static void check_good(const struct server *s)
{
    uint8_t key[32], seed[32], secret[64];
    uint32_t version = 0;
    void *self = line(s->port);
    memset(seed, 7, sizeof seed);
    crypto_sign_seed_keypair(key, secret, seed);
    ok(is_key(self, "good", 0, 1, key), "a key");
    ok(is_key(self, "chunked", 0, 1, key), "in many small parts");
    ok(is_key(self, "escaped", 0, 1, key), "with escapes");
    ok(is_key(self, "once500", 0, 1, key), "500 once");
    ok(is_key(self, "torn-once", 0, 1, key), "a torn answer once");
    uint64_t began = clock_ms();
    ok(is_key(self, "once429", 0, 1, key), "429 once, with Retry-After");
    ok(clock_ms() - began >= 1000, "it is waited for as asked");
    is_int(public_key(self, "othersversion", 3, key, &version), TENUO_E_UNAVAILABLE, "another version than asked for");
    ops->close(self);
}

static void check_namespace(const struct server *s)
{
    char url[64];
    snprintf(url, sizeof url, "http://127.0.0.1:%d/", s->port);
    void *self = OPEN("url", url, "token_file", token_path, "path_template", "{key_id}", "namespace", "teams/a/");
    is_int(reading(self, "good"), TENUO_OK, "with a namespace: %s", said);
    ops->close(self);
    is_int(requests("secret/data/good s3cret teams/a"), 1, "the header is sent");
    is_int(requests("lookup-self s3cret teams/a"), 1, "likewise about the token");
}

/* ---- many at once ---- */

static void *shared;
static int codes[THREADS];

static void *ask(void *arg)
{
    int *code = arg;
    uint8_t key[32];
    uint32_t version;
    *code = public_key(shared, "lingering", 0, key, &version);
    return NULL;
}

static int all_at_once(void)
{
    pthread_t threads[THREADS];
    int good = 0;
    for (int i = 0; i < THREADS; i++)
        if (pthread_create(&threads[i], NULL, ask, &codes[i]) != 0)
            exit(1);
    for (int i = 0; i < THREADS; i++) {
        pthread_join(threads[i], NULL);
        good += codes[i] == TENUO_OK;
    }
    return good;
}

/* The key's own single flight is the host's; here each call is a request, and the login is one. */
static void check_login_flight(const struct server *s)
{
    char url[64];
    snprintf(url, sizeof url, "http://127.0.0.1:%d", s->port);
    shared = OPEN("url", url, "auth", "approle", "auth_mount", "slow", "role_id_file", token_path, "path_template",
                  "{key_id}");
    deadline_ms = 20000;
    is_int(all_at_once(), THREADS, "a hundred threads read a key");
    is_int(requests("POST auth/slow/login"), 1, "after one login");
    is_int(requests("data/lingering t1 "), THREADS, "all with its token");
    deadline_ms = 5000;
    ops->close(shared);
    void *self = OPEN("url", url, "auth", "approle", "auth_mount", "broken", "role_id_file", token_path);
    is_int(reading(self, "good"), TENUO_E_UNAVAILABLE, "a login without a token");
    is_int(reading(self, "good"), TENUO_E_UNAVAILABLE, "asked again at once");
    is_int(requests("POST auth/broken/login"), 1, "is no second login");
    ops->close(self);
}

/* Down, asked until the breaker opens, and back. */
static void check_breaker(struct server *s)
{
    void *self = line(s->port);
    int port = s->port;
    is_int(reading(self, "good"), TENUO_OK, "a server");
    server_stop(s);
    deadline_ms = 3000;
    is_int(reading(self, "good"), TENUO_E_UNAVAILABLE, "is gone");
    ok(says("refused"), "and that is said");
    is_int(reading(self, "good"), TENUO_E_UNAVAILABLE, "still gone");
    uint64_t began = clock_ms();
    is_int(reading(self, "good"), TENUO_E_UNAVAILABLE, "the breaker is open");
    ok(clock_ms() - began < 50, "that takes no time (%llu ms)", (unsigned long long)(clock_ms() - began));
    ok(says("refused") && says("in a row"), "and still says why");
    *s = start_at(port);
    sleep_ms(1100);
    is_int(reading(self, "good"), TENUO_OK, "back: the same line goes on: %s", said);
    int before = requests("data/error500 ");
    for (int i = 0; i < 8; i++)
        (void)reading(self, "error500");
    ok(requests("data/error500 ") - before <= 8, "a server in trouble is spared: %d requests",
       requests("data/error500 ") - before);
    sleep_ms(1100);
    is_int(reading(self, "good"), TENUO_OK, "and used again");
    deadline_ms = 5000;
    ops->close(self);
}

int main(int argc, char **argv)
{
    env_begin(argc, argv);
    script = argc > 2 ? argv[2] : "tests/services/vault_fake.py";
    snprintf(log_path, sizeof log_path, "%s", stage_path("requests"));
    snprintf(token_path, sizeof token_path, "%s", stage_write("token", "s3cret\n", 7, 0600));
    struct server s = start();
    check_good(&s);
    check_namespace(&s);
    check_statuses(&s);
    check_bodies(&s);
    check_slow(&s);
    check_login_flight(&s);
    check_breaker(&s);
    server_stop(&s);
    stage_end();
    return done_testing();
}
