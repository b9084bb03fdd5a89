/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A context as a guarded program uses it: configuration, built plugins, decisions, audit. The first argument is the
 * folder of the mock plugins, from which that of the real ones follows.
 */
#include <jansson.h>
#include <pthread.h>
#include <stdatomic.h>
#include <sys/wait.h>
#include <tenuo/tenuo.h>

#include "stage.h"
#include "tap.h"

#define NOW 1893456000

static struct tenuo_signer *root_key, *holder_key;
static struct tenuo_stack *stack;
static uint8_t wire[4096];
static size_t wire_len;
static char logged[8192], found[4096];

static void must(int r, const char *what)
{
    if (r == TENUO_OK)
        return;
    printf("Bail out! %s: %d\n", what, r);
    exit(1);
}

static void keep_log(void *arg, int level, const char *line)
{
    (void)arg, (void)level;
    size_t n = strlen(logged);
    snprintf(logged + n, sizeof logged - n, "%s\n", line);
}

static void keep_diag(void *arg, int is_error, const char *line)
{
    (void)arg;
    size_t n = strlen(found);
    snprintf(found + n, sizeof found - n, "%s: %s\n", is_error ? "error" : "warning", line);
}

/* read_file with path below /data, for the holder. */
static void make_warrant(void)
{
    uint8_t seed[32] = { 1 };
    struct tenuo_mint *mint = NULL;
    struct tenuo_constraint *below = NULL;
    struct tenuo_constraint_set *set = NULL;
    must(tenuo_signer_from_seed(seed, &root_key, NULL), "root key");
    memset(seed, 7, sizeof seed); /* what mock_good has under "mock" */
    must(tenuo_signer_from_seed(seed, &holder_key, NULL), "holder key");
    must(tenuo_constraint_subpath("/data", 5, 1, 1, &below, NULL), "constraint");
    must(tenuo_constraint_set_new(&set, NULL), "set");
    must(tenuo_constraint_set_put(set, "path", 4, below, NULL), "put");
    must(tenuo_mint_root(&mint, NULL), "mint");
    must(tenuo_mint_add_tool(mint, "read_file", 9, set, NULL), "tool");
    must(tenuo_mint_set_holder(mint, tenuo_signer_public_key(holder_key), NULL), "holder");
    tenuo_mint_set_ttl(mint, 86400);
    must(tenuo_mint_sign(mint, root_key, NOW - 60, &stack, NULL), "sign");
    wire_len = sizeof wire;
    must(tenuo_stack_encode(stack, TENUO_FORM_CBOR, wire, &wire_len, NULL), "encode");
    tenuo_mint_free(mint);
    tenuo_constraint_set_free(set);
    tenuo_constraint_free(below);
}

static struct tenuo_request *request(const char *path, const char *id, int64_t when)
{
    struct tenuo_request *q = NULL;
    struct tenuo_args *args = NULL;
    struct tenuo_value *value = NULL;
    uint8_t pop[64];
    must(tenuo_value_string(path, strlen(path), &value, NULL), "value");
    must(tenuo_args_new(&args, NULL), "args");
    must(tenuo_args_put(args, "path", 4, value, NULL), "put");
    must(tenuo_request_new("read_file", 9, &q, NULL), "request");
    must(tenuo_request_set_args(q, args, NULL), "set args");
    must(tenuo_pop_sign(holder_key, tenuo_stack_leaf(stack), "read_file", 9, args, when, pop, NULL), "pop");
    tenuo_request_set_pop(q, pop);
    must(tenuo_request_set_id(q, id, NULL), "id");
    must(tenuo_request_add_attribute(q, "queue", "q1", NULL), "attribute");
    tenuo_args_free(args);
    tenuo_value_free(value);
    return q;
}

/* $ROOT in the text is the stage. */
static int open_conf(const char *text, struct tenuo_ctx **ctx, struct tenuo_error *err)
{
    char conf[4096] = "";
    size_t n = 0;
    for (const char *p = text; *p != '\0'; p++) {
        if (strncmp(p, "$ROOT", 5) == 0) {
            n += (size_t)snprintf(conf + n, sizeof conf - n, "%s", stage_root);
            p += 4;
        } else {
            conf[n++] = *p;
        }
    }
    char plugins[128];
    snprintf(plugins, sizeof plugins, "%s/plugins", stage_root);
    struct tenuo_open_options o = { .size = sizeof o,
                                    .conf = stage_text("tenuo.conf", conf),
                                    .plugin_dir = plugins,
                                    .log = keep_log,
                                    .diag = keep_diag };
    logged[0] = found[0] = '\0';
    unlink(stage_path("a.jsonl"));
    return tenuo_open("shop", &o, ctx, err);
}

static struct tenuo_ctx *opened(const char *text)
{
    struct tenuo_ctx *ctx = NULL;
    struct tenuo_error err = { 0 };
    int r = open_conf(text, &ctx, &err);
    if (r != TENUO_OK)
        printf("# %s\n", err.msg);
    must(r, "tenuo_open");
    return ctx;
}

struct answer {
    int outcome, code, step;
    char id[33], reason[256];
};

static struct answer ask_with(struct tenuo_ctx *ctx, const uint8_t *bytes, size_t len, const struct tenuo_request *q)
{
    struct tenuo_decision *d = NULL;
    struct tenuo_error err = { 0 };
    struct answer a = { .outcome = -1 };
    a.code = tenuo_ctx_authorize_at(ctx, bytes, len, q, NOW, &d, &err);
    if (a.code != TENUO_OK)
        return a;
    a.outcome = (int)tenuo_decision_outcome(d);
    a.code = tenuo_decision_code(d);
    a.step = (int)tenuo_decision_step(d);
    snprintf(a.id, sizeof a.id, "%s", tenuo_decision_id(d));
    snprintf(a.reason, sizeof a.reason, "%s", tenuo_decision_reason(d));
    tenuo_decision_free(d);
    return a;
}

static struct answer ask(struct tenuo_ctx *ctx, const char *path, const char *id, int64_t when)
{
    struct tenuo_request *q = request(path, id, when);
    struct answer a = ask_with(ctx, wire, wire_len, q);
    tenuo_request_free(q);
    return a;
}

/* Line `index` of the audit file; NULL when there is none. */
static json_t *record(size_t index)
{
    size_t len = 0;
    char *text = stage_read(stage_path("a.jsonl"), &len), *save = NULL;
    json_t *o = NULL;
    char *p = text == NULL ? NULL : strtok_r(text, "\n", &save);
    for (size_t i = 0; p != NULL; i++, p = strtok_r(NULL, "\n", &save))
        if (i == index)
            o = json_loads(p, 0, NULL);
    free(text);
    return o;
}

static void recorded(size_t index, const char *decision, int code, const char *id)
{
    json_t *o = record(index);
    is_str(json_string_value(json_object_get(o, "decision")), decision, "record %zu: decision", index);
    is_int(json_integer_value(json_object_get(o, "code")), code, "record %zu: code", index);
    if (id != NULL)
        is_str(json_string_value(json_object_get(o, "decision_id")), id, "record %zu: decision_id", index);
    json_decref(o);
}

static void no_record(size_t index)
{
    json_t *o = record(index);
    ok(o == NULL, "no record %zu", index);
    json_decref(o);
}

#define TRUST "trust required file path=$ROOT/roots.pub\n"
#define JSONL "audit required jsonl path=$ROOT/a.jsonl\n"

static void check_decisions(void)
{
    struct tenuo_ctx *ctx = opened(TRUST JSONL);
    is_int((long long)tenuo_ctx_root_count(ctx), 1, "one root");
    ok(memcmp(tenuo_ctx_root(ctx, 0), tenuo_signer_public_key(root_key), 32) == 0 && tenuo_ctx_root(ctx, 1) == NULL,
       "the right one");
    struct answer a = ask(ctx, "/data/x", "r-1", NOW);
    is_int(a.outcome, TENUO_ALLOW, "allowed: %s", a.reason);
    is_int((long long)strspn(a.id, "0123456789abcdef"), 32, "32 hex digits");
    recorded(0, "allow", 0, a.id);
    json_t *o = record(0);
    is_str(json_string_value(json_object_get(o, "service")), "shop", "service");
    is_str(json_string_value(json_object_get(o, "request_id")), "r-1", "request id");
    is_str(json_string_value(json_object_get(o, "attr_queue")), "q1", "attribute");
    is_str(json_string_value(json_object_get(o, "tool")), "read_file", "tool");
    is_int((long long)json_string_length(json_object_get(o, "args_sha256")), 64, "request hash");
    is_int((long long)json_string_length(json_object_get(o, "root")), 16, "root's fingerprint");
    ok(json_object_get(o, "args") == NULL, "no argument by default");
    json_decref(o);

    struct answer b = ask(ctx, "/etc/passwd", "r-2", NOW);
    is_int(b.outcome, TENUO_DENY, "outside: denied");
    is_int(b.code, TENUO_E_CONSTRAINT_VIOLATION, "with 1501");
    ok(strcmp(a.id, b.id) != 0, "another id");
    recorded(1, "deny", 1501, b.id);
    size_t len = 0;
    char *text = stage_read(stage_path("a.jsonl"), &len);
    ok(strstr(text, "passwd") == NULL, "no argument value in the records");
    free(text);

    struct tenuo_request *q = request("/data/x", "", NOW);
    a = ask_with(ctx, (const uint8_t *)"garbage", 7, q);
    ok(a.outcome == TENUO_DENY && a.step == TENUO_STEP_DECODE && a.code >= 1000 && a.code < 2200,
       "undecodable: denied with %d", a.code);
    recorded(2, "deny", a.code, a.id);
    a = ask_with(ctx, NULL, 0, q);
    ok(a.outcome == TENUO_DENY && a.code < 2200, "nothing at all: denied with %d", a.code);
    recorded(3, "deny", a.code, a.id);
    uint8_t pem[8192];
    size_t n = sizeof pem;
    must(tenuo_stack_encode(stack, TENUO_FORM_PEM, pem, &n, NULL), "pem");
    is_int(ask_with(ctx, pem, n, q).outcome, TENUO_ALLOW, "PEM");
    n = sizeof pem;
    must(tenuo_stack_encode(stack, TENUO_FORM_BASE64URL, pem, &n, NULL), "base64url");
    is_int(ask_with(ctx, pem, n, q).outcome, TENUO_ALLOW, "base64url");
    is_int(ask_with(ctx, wire, wire_len, NULL).code, TENUO_E_INVALID_ARGUMENT, "without a request nothing is decided");
    tenuo_request_free(q);
    tenuo_ctx_unref(ctx);
}

static void check_audit_failure(void)
{
    struct tenuo_ctx *ctx = opened(TRUST JSONL "audit required jsonl path=/dev/full\n");
    struct answer a = ask(ctx, "/data/x", "", NOW);
    is_int(a.outcome, TENUO_DENY, "a required sink that fails: denied");
    is_int(a.code, TENUO_E_AUDIT_REFUSED, "with 9400");
    is_int(a.step, TENUO_STEP_AUDIT, "at the audit step");
    ok(strstr(a.reason, "/dev/full") != NULL, "naming the sink: %s", a.reason);
    recorded(0, "allow", 0, a.id);
    recorded(1, "deny", 9400, a.id);
    a = ask(ctx, "/etc/passwd", "", NOW);
    is_int(a.code, 1501, "a denial stays what it is");
    recorded(2, "deny", 1501, a.id);
    no_record(3);
    tenuo_ctx_unref(ctx);

    ctx = opened(TRUST "audit requisite jsonl path=/dev/full\n" JSONL);
    a = ask(ctx, "/data/x", "", NOW);
    is_int(a.code, TENUO_E_AUDIT_REFUSED, "requisite is required");
    recorded(0, "allow", 0, a.id);
    recorded(1, "deny", 9400, a.id);
    tenuo_ctx_unref(ctx);

    ctx = opened(TRUST JSONL "audit optional jsonl path=/dev/full\n");
    a = ask(ctx, "/data/x", "", NOW);
    is_int(a.outcome, TENUO_ALLOW, "an optional sink that fails: allowed");
    no_record(1);
    ok(strstr(logged, "1 records lost") != NULL && strstr(logged, "/dev/full") != NULL, "counted and logged: %s",
       logged);
    tenuo_ctx_unref(ctx);

    ctx = opened("set deadline 50ms\n" TRUST JSONL "audit required late\n");
    a = ask(ctx, "/data/x", "", NOW);
    is_int(a.code, TENUO_E_AUDIT_REFUSED, "a sink that takes too long has not taken it: %s", a.reason);
    tenuo_ctx_unref(ctx);

    ctx = opened("set deadline 50ms\n" TRUST JSONL "audit optional late\n");
    is_int(ask(ctx, "/data/x", "", NOW).outcome, TENUO_ALLOW, "an optional one may");
    tenuo_ctx_unref(ctx);
    ok(strstr(logged, "lost") == NULL, "and what it has at last is not lost: %s", logged);

    ctx = opened(TRUST "audit required jsonl path=$ROOT/none/a.jsonl\n");
    a = ask(ctx, "/data/x", "", NOW);
    is_int(a.code, TENUO_E_AUDIT_REFUSED, "a sink that cannot be opened denies: %s", a.reason);
    stage_mkdir("none", 0755);
    is_int(ask(ctx, "/data/x", "", NOW).outcome, TENUO_ALLOW, "until it can");
    tenuo_ctx_unref(ctx);
}

static void ask_times(struct tenuo_ctx *ctx, int times)
{
    for (int i = 0; i < times; i++)
        is_int(ask(ctx, "/data/x", "", NOW).outcome, TENUO_ALLOW, "an optional sink that is away: allowed");
}

/* In a child: nothing of its parent's, and its own. */
static int child_loses(struct tenuo_ctx *ctx, const struct tenuo_request *q)
{
    logged[0] = '\0';
    for (int i = 0; i < 3; i++)
        (void)ask_with(ctx, wire, wire_len, q);
    tenuo_ctx_unref(ctx);
    return strstr(logged, "1 records lost so far") != NULL && strstr(logged, ": 3 records lost when") != NULL ? 0 : 1;
}

static void check_losses(void)
{
    struct tenuo_ctx *ctx = opened(TRUST JSONL "audit optional jsonl path=$ROOT/gone/a.jsonl\n");
    int status = -1;
    ask_times(ctx, 5);
    ok(strstr(logged, "4 records lost so far") != NULL, "losses are told, not each: %s", logged);
    fflush(stdout);
    struct tenuo_request *q = request("/data/x", "", NOW); /* here: a key's secret is empty in a child */
    pid_t child = fork();
    if (child == 0)
        _exit(child_loses(ctx, q));
    tenuo_request_free(q);
    ok(waitpid(child, &status, 0) == child && status == 0, "a child counts its own");
    stage_mkdir("gone", 0755);
    ask_times(ctx, 2);
    ok(strstr(logged, "works again after 5 lost records") != NULL, "all of them when it is back: %s", logged);
    logged[0] = '\0';
    tenuo_ctx_unref(ctx);
    is_str(logged, "", "and nothing is left to tell");
}

static void check_observe(void)
{
    struct tenuo_ctx *ctx = opened("set mode observe\n" TRUST JSONL);
    struct answer a = ask(ctx, "/data/x", "", NOW);
    is_int(a.outcome, TENUO_ALLOW, "observe: an allow is one");
    a = ask(ctx, "/etc/passwd", "", NOW);
    is_int(a.outcome, TENUO_WOULD_DENY, "a denial is let through");
    is_int(a.code, 1501, "with its code");
    recorded(1, "would_deny", 1501, a.id);
    struct tenuo_request *q = request("/data/x", "", NOW);
    a = ask_with(ctx, (const uint8_t *)"garbage", 7, q);
    is_int(a.outcome, TENUO_WOULD_DENY, "undecodable input too");
    tenuo_request_free(q);
    ok(strstr(logged, "only observes") != NULL, "said in the log");
    tenuo_ctx_unref(ctx);
    ctx = opened("set mode observe\n" TRUST JSONL "audit required jsonl path=/dev/full\n");
    a = ask(ctx, "/etc/passwd", "", NOW);
    is_int(a.outcome, TENUO_DENY, "without its record nothing is let through");
    is_int(a.code, TENUO_E_AUDIT_REFUSED, "9400");
    recorded(0, "would_deny", 1501, a.id);
    recorded(1, "deny", 9400, a.id);
    tenuo_ctx_unref(ctx);
}

static void check_replay(void)
{
    struct tenuo_ctx *ctx = opened(TRUST JSONL "replay required replay size=3\n");
    is_int(ask(ctx, "/data/x", "r-1", NOW).outcome, TENUO_ALLOW, "the first time");
    struct answer a = ask(ctx, "/data/x", "r-1", NOW);
    is_int(a.code, TENUO_E_REPLAYED, "the second time");
    is_int(a.step, TENUO_STEP_REPLAY, "at the replay step");
    recorded(1, "deny", 9401, a.id);
    is_int(ask(ctx, "/data/x", "r-1", NOW - 30).code, TENUO_E_REPLAYED, "signed anew: the same call");
    is_int(ask(ctx, "/etc/passwd", "r-1", NOW).code, 1501, "a denial asks no replay store");
    is_int(ask(ctx, "/data/x", "r-2", NOW).outcome, TENUO_ALLOW, "another request");
    is_int(ask(ctx, "/data/y", "r-1", NOW).outcome, TENUO_ALLOW, "other arguments");
    is_int(ask(ctx, "/data/z", "r-1", NOW).code, TENUO_E_UNAVAILABLE, "a full store denies");
    is_int(ask(ctx, "/data/x", "r-1", NOW).code, TENUO_E_REPLAYED, "and remembers");
    tenuo_ctx_unref(ctx);
    ctx = opened("set mode observe\n" TRUST JSONL "replay optional replay size=0\nreplay optional replay\n");
    is_int(ask(ctx, "/data/x", "", NOW).outcome, TENUO_DENY, "a store that cannot tell denies, also in mode observe");
    a = ask(ctx, "/data/x", "", NOW);
    is_int(a.code, TENUO_E_REPLAYED, "all stores are asked; \"seen\" goes first");
    is_int(a.outcome, TENUO_DENY, "and denies, also in mode observe");
    tenuo_ctx_unref(ctx);
}

static int ask_reloaded(struct tenuo_ctx **ctx, const char *conf, const char *path)
{
    struct tenuo_ctx *fresh = NULL;
    char text[4096] = "";
    size_t n = 0;
    for (const char *p = conf; *p != '\0'; p++)
        n += strncmp(p, "$ROOT", 5) == 0 ? (p += 4, (size_t)sprintf(text + n, "%s", stage_root)) : (text[n] = *p, 1u);
    text[n] = '\0';
    stage_text("tenuo.conf", text);
    logged[0] = '\0';
    must(tenuo_ctx_reload(*ctx, &fresh, NULL), "reload");
    tenuo_ctx_unref(*ctx);
    *ctx = fresh;
    return ask(*ctx, path, "", NOW).code;
}

#define TWO_STORES "replay required memory entries=2000\nreplay required memory entries=2000\n"

/* What a store remembers outlives the context that opened it. */
static void check_replay_reload(void)
{
    struct tenuo_ctx *ctx = opened(TRUST JSONL "replay required memory entries=2000\n");
    is_int(ask(ctx, "/data/x", "", NOW).outcome, TENUO_ALLOW, "before the reload");
    is_int(ask_reloaded(&ctx, TRUST JSONL "replay required memory entries=2000\n", "/data/x"), TENUO_E_REPLAYED,
           "a reload forgets nothing");
    is_str(logged, "", "and has nothing to say");
    is_int(ask_reloaded(&ctx, "# moved\nset deadline 2s\nset pop_windows 10\n" TRUST
                        "replay optional memory entries=2000 timeout=1s trace=no\n" JSONL, "/data/x"),
           TENUO_E_REPLAYED, "nor when the line moves, or gets another control word or limits");
    is_int(ask_reloaded(&ctx, TRUST JSONL TWO_STORES, "/data/y"), TENUO_OK, "a second equal line is another store");
    is_int(ask_reloaded(&ctx, TRUST JSONL TWO_STORES, "/data/z"), TENUO_OK, "also when both are carried over");
    is_int(ask(ctx, "/data/x", "", NOW).code, TENUO_E_REPLAYED, "and the first remembers");
    is_int(ask_reloaded(&ctx, TRUST JSONL "replay required memory entries=3000\n", "/data/x"), TENUO_OK,
           "other arguments: another store");
    ok(strstr(logged, "changes or removes this replay line") != NULL, "with a warning: %s", logged);
    struct tenuo_ctx *fresh = NULL;
    stage_text("tenuo.conf", "nonsense\n");
    ok(tenuo_ctx_reload(ctx, &fresh, NULL) != TENUO_OK, "a reload that fails");
    is_int(ask(ctx, "/data/x", "", NOW).code, TENUO_E_REPLAYED, "changes nothing");
    struct tenuo_ctx *other = opened(TRUST JSONL "replay required memory entries=3000\n");
    is_int(ask(other, "/data/x", "", NOW).code, TENUO_OK, "another open of the same service is another store");
    tenuo_ctx_unref(other);
    struct tenuo_request *used = request("/data/x", "", NOW), *unused = request("/data/f", "", NOW);
    pid_t child = fork();
    if (child == 0)
        _exit(ask_with(ctx, wire, wire_len, used).code == TENUO_E_REPLAYED &&
                      ask_with(ctx, wire, wire_len, unused).code == TENUO_OK
                  ? 0
                  : 1);
    tenuo_request_free(used);
    tenuo_request_free(unused);
    int status = 1;
    waitpid(child, &status, 0);
    is_int(status, 0, "a child knows what its parent used");
    is_int(ask(ctx, "/data/f", "", NOW).code, TENUO_E_REPLAYED, "and the parent what the child used");
    tenuo_ctx_unref(ctx);
}

/* The same proof at the first and at the last moment at which it is accepted. */
static void check_replay_span(void)
{
    struct tenuo_ctx *ctx = opened(TRUST JSONL "replay required memory entries=1000\n");
    struct tenuo_request *q = request("/data/x", "", NOW);
    struct tenuo_decision *d = NULL;
    static const struct { int64_t at; int code; } rows[] = {
        { NOW - 61, TENUO_E_SIGNATURE_INVALID }, { NOW - 60, 0 }, { NOW + 89, TENUO_E_REPLAYED },
        { NOW + 90, TENUO_E_SIGNATURE_INVALID },
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        must(tenuo_ctx_authorize_at(ctx, wire, wire_len, q, rows[i].at, &d, NULL), "decide");
        is_int(tenuo_decision_code(d), rows[i].code, "at %+lld s", (long long)(rows[i].at - NOW));
        tenuo_decision_free(d);
    }
    tenuo_request_free(q);
    tenuo_ctx_unref(ctx);
}

static void check_args(void)
{
    struct tenuo_ctx *ctx = opened("set audit_args full\n" TRUST JSONL);
    (void)ask(ctx, "/data/\"q\"", "", NOW);
    json_t *o = record(0);
    is_str(json_string_value(json_object_get(json_object_get(o, "args"), "path")), "/data/\"q\"", "audit_args full");
    json_decref(o);
    tenuo_ctx_unref(ctx);
    ctx = opened("set audit_args mask\n" TRUST JSONL);
    (void)ask(ctx, "/data/x", "", NOW);
    o = record(0);
    is_str(json_string_value(json_object_get(json_object_get(o, "args"), "path")), "<string>", "audit_args mask");
    json_decref(o);
    tenuo_ctx_unref(ctx);
}

static int signer(struct tenuo_ctx *ctx, const char *id, unsigned flags, const uint8_t *holder)
{
    struct tenuo_signer *s = NULL;
    int r = tenuo_ctx_signer(ctx, id, flags, holder, &s, NULL);
    tenuo_signer_free(s);
    return r;
}

static void check_keys(void)
{
    const uint8_t *holder = tenuo_signer_public_key(holder_key), *other = tenuo_signer_public_key(root_key);
    struct tenuo_ctx *ctx = opened(TRUST JSONL "resolver required good path=/x\n");
    const char *ids[] = { "mock" }, *bad[] = { "", ".", "..", "a..b", "a/b", "a b", "k\n", "\xc3\xa9" };
    is_int(signer(ctx, "mock", TENUO_SIGNER_NO_IO, NULL), TENUO_E_WOULD_BLOCK, "not in the cache");
    is_int(tenuo_keys_preload(ctx, ids, 1, NULL), TENUO_OK, "preloaded");
    is_int(signer(ctx, "mock", TENUO_SIGNER_NO_IO, holder), TENUO_OK, "from the cache");
    is_int(signer(ctx, "mock", 0, other), TENUO_E_HOLDER_MISMATCH, "another holder");
    is_int(signer(ctx, "none", 0, NULL), TENUO_E_KEY_NOT_FOUND, "no such key");
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        is_int(signer(ctx, bad[i], 0, NULL), TENUO_E_INVALID_ARGUMENT, "bad id %zu", i);
    struct tenuo_signer *s = NULL;
    must(tenuo_ctx_signer(ctx, "mock", 0, NULL, &s, NULL), "signer");
    tenuo_ctx_unref(ctx);
    ok(memcmp(tenuo_signer_public_key(s), holder, 32) == 0, "a signer outlives the program's reference");
    tenuo_signer_free(s);

    char hex[65];
    memset(hex, '3', 64);
    hex[64] = '\0';
    mkdir(stage_path("keys"), 0700);
    stage_write("keys/mock.key", hex, 64, 0600);
    ctx = opened(TRUST JSONL "resolver optional good path=/x\nresolver optional file path=$ROOT/keys\n");
    is_int(signer(ctx, "mock", 0, NULL), TENUO_E_KEY_CONFLICT, "two stores, two keys");
    tenuo_ctx_unref(ctx);
    ctx = opened(TRUST JSONL "resolver sufficient good path=/x\nresolver optional file path=$ROOT/keys\n");
    is_int(signer(ctx, "mock", 0, holder), TENUO_OK, "sufficient: the second store is not asked");
    tenuo_ctx_unref(ctx);
    ctx = opened("set key_cache off\n" TRUST JSONL "resolver required good path=/x\n");
    is_int(signer(ctx, "mock", 0, NULL), TENUO_OK, "without a key cache");
    is_int(signer(ctx, "mock", TENUO_SIGNER_NO_IO, NULL), TENUO_E_WOULD_BLOCK, "nothing is kept");
    tenuo_ctx_unref(ctx);
    ctx = opened(TRUST JSONL);
    is_int(signer(ctx, "mock", 0, NULL), TENUO_E_KEY_NOT_FOUND, "an empty chain denies");
    tenuo_ctx_unref(ctx);
}

static void refused(const char *text, const char *want)
{
    struct tenuo_ctx *ctx = NULL;
    struct tenuo_error err = { 0 };
    int r = open_conf(text, &ctx, &err);
    ok(r >= TENUO_E_NOMEM && ctx == NULL, "refused with %d: %s", r, want);
    ok(strstr(err.msg, want) != NULL, "says so: %s", err.msg);
    tenuo_ctx_unref(ctx);
}

/* The plugins belong to what uses them: a verifier goes on when its context is gone. */
static void check_matchers_outlive(void)
{
    struct tenuo_ctx *ctx = opened(TRUST "matcher required matcher\n");
    struct tenuo_matchers *m = tenuo_matchers_ref(tenuo_ctx_matchers(ctx));
    struct tenuo_verifier *v = tenuo_ctx_verifier(ctx);
    struct tenuo_constraint *c = NULL;
    struct tenuo_value *x = NULL;
    struct tenuo_error err = { 0 };
    int match;
    tenuo_ctx_unref(ctx);
    must(tenuo_constraint_text(TENUO_C_REGEX, "a", 1, &c, NULL), "constraint");
    must(tenuo_value_string("a", 1, &x, NULL), "value");
    is_int(tenuo_constraint_match(c, x, m, 0, &match, &err), TENUO_E_CONSTRAINT_VIOLATION, "the matcher still answers");
    ok(strstr(err.msg, "matcher 'matcher'") != NULL, "says: %s", err.msg);
    tenuo_matchers_unref(m);
    tenuo_verifier_unref(v);
    ctx = opened(TRUST);
    ok(tenuo_ctx_matchers(ctx) == NULL, "no line, no matchers");
    tenuo_ctx_unref(ctx);
    tenuo_value_free(x);
    tenuo_constraint_free(c);
}

static void check_refusals(void)
{
    refused(JSONL, "no trust line for service 'shop'");
    refused("trust required file path=$ROOT/missing\n", "missing");
    refused(TRUST "trust optional file path=$ROOT/missing\n", "missing");
    refused("trust required file path=$ROOT/empty\n", "holds no root key");
    refused("trust optional file path=$ROOT/empty\n", "trusted roots");
    refused(TRUST "revocation required file\n", "needs the argument 'path'");
    refused(TRUST "audit required nosuch\n", "nosuch");
    refused(TRUST "audit required jsonl\n", "path");
    refused(TRUST "audit required jsonl path=$ROOT/a.jsonl mode=0777\n", "mode");
    refused(TRUST "matcher required matcher\nmatcher required matcher\n", "type");
    struct tenuo_ctx *ctx = opened(TRUST JSONL "audit optional nosuch\n");
    ok(strstr(found, "warning: ") != NULL && strstr(found, "nosuch") != NULL,
       "a missing optional plugin is a warning: %s", found);
    tenuo_ctx_unref(ctx);
    ctx = opened(TRUST "trust optional file path=$ROOT/more\n" JSONL);
    is_int((long long)tenuo_ctx_root_count(ctx), 2, "all trust lines are united");
    tenuo_ctx_unref(ctx);
}

/* ---- reload while others decide ---- */

static pthread_mutex_t current_mutex = PTHREAD_MUTEX_INITIALIZER;
static struct tenuo_ctx *current;
static atomic_bool stop;
static atomic_int wrong, answered;

static struct tenuo_ctx *take_current(void)
{
    pthread_mutex_lock(&current_mutex);
    struct tenuo_ctx *ctx = tenuo_ctx_ref(current);
    pthread_mutex_unlock(&current_mutex);
    return ctx;
}

static void *worker(void *arg)
{
    const struct tenuo_request *const *q = arg;
    for (unsigned i = 0; !atomic_load(&stop) || i < 4; i++) {
        struct tenuo_ctx *ctx = take_current();
        struct answer a = ask_with(ctx, wire, wire_len, q[i % 2]);
        if (a.code != (i % 2 == 0 ? 0 : 1501))
            atomic_fetch_add(&wrong, 1);
        if (i % 8 == 0 && signer(ctx, "mock", 0, NULL) != TENUO_OK)
            atomic_fetch_add(&wrong, 1);
        atomic_fetch_add(&answered, 1);
        tenuo_ctx_unref(ctx);
    }
    return NULL;
}

static void check_reload(void)
{
    struct tenuo_request *q[2] = { request("/data/x", "", NOW), request("/etc/passwd", "", NOW) };
    pthread_t threads[3];
    int failed = 0;
    current = opened(TRUST JSONL "resolver required good path=/x\n");
    for (size_t t = 0; t < 3; t++)
        pthread_create(&threads[t], NULL, worker, q);
    for (int i = 0; i < 30; i++) {
        struct tenuo_ctx *fresh = NULL;
        failed += tenuo_ctx_reload(current, &fresh, NULL) != TENUO_OK;
        if (fresh == NULL)
            continue;
        pthread_mutex_lock(&current_mutex);
        struct tenuo_ctx *old = current;
        current = fresh;
        pthread_mutex_unlock(&current_mutex);
        tenuo_ctx_unref(old);
    }
    atomic_store(&stop, true);
    for (size_t t = 0; t < 3; t++)
        pthread_join(threads[t], NULL);
    is_int(failed, 0, "thirty reloads");
    is_int(atomic_load(&wrong), 0, "no wrong answer among %d", atomic_load(&answered));
    size_t len = 0, lines = 0;
    char *text = stage_read(stage_path("a.jsonl"), &len);
    for (size_t i = 0; i < len; i++)
        lines += text[i] == '\n';
    free(text);
    is_int((long long)lines, atomic_load(&answered) + 30, "a record for every answer and reload");
    (void)ask(current, "/data/x", "", NOW);
    json_t *o = record(lines);
    is_int(json_integer_value(json_object_get(o, "conf_generation")), 31, "the generation counts");
    json_decref(o);
    struct tenuo_ctx *fresh = NULL;
    stage_text("tenuo.conf", "trust suficient file path=/x\n");
    ok(tenuo_ctx_reload(current, &fresh, NULL) != TENUO_OK && fresh == NULL, "a broken configuration is not taken");
    is_int(ask(current, "/data/x", "", NOW).outcome, TENUO_ALLOW, "the old one works on");
    tenuo_ctx_unref(current);
    tenuo_request_free(q[0]);
    tenuo_request_free(q[1]);
}

/* ---- one proof under threads and reloads ---- */

static atomic_int passed, odd;

static void *replayer(void *arg)
{
    for (unsigned i = 0; !atomic_load(&stop) || i < 4; i++) {
        struct tenuo_ctx *ctx = take_current();
        struct answer a = ask_with(ctx, wire, wire_len, arg);
        atomic_fetch_add(a.code == TENUO_OK ? &passed : &odd, a.code != TENUO_E_REPLAYED);
        tenuo_ctx_unref(ctx);
    }
    return NULL;
}

static void check_replay_under_reload(void)
{
    struct tenuo_request *q = request("/data/x", "", NOW);
    pthread_t threads[3];
    current = opened(TRUST JSONL "replay required memory entries=1000\n");
    atomic_store(&stop, false);
    for (size_t t = 0; t < 3; t++)
        pthread_create(&threads[t], NULL, replayer, q);
    for (int i = 0; i < 20; i++) {
        struct tenuo_ctx *fresh = NULL;
        must(tenuo_ctx_reload(current, &fresh, NULL), "reload");
        pthread_mutex_lock(&current_mutex);
        struct tenuo_ctx *old = current;
        current = fresh;
        pthread_mutex_unlock(&current_mutex);
        tenuo_ctx_unref(old);
    }
    atomic_store(&stop, true);
    for (size_t t = 0; t < 3; t++)
        pthread_join(threads[t], NULL);
    is_int(atomic_load(&passed), 1, "three threads and twenty reloads: one proof passes once");
    is_int(atomic_load(&odd), 0, "and is seen by all others");
    tenuo_ctx_unref(current);
    tenuo_request_free(q);
}

static void stage_plugins(const char *mocks)
{
    static const char *const real[] = { "jsonl", "file", "memory" };
    static const char *const mock[] = { "good", "late", "matcher", "replay" };
    char from[4096], to[64];
    stage_mkdir("plugins", 0755);
    for (size_t i = 0; i < sizeof real / sizeof real[0]; i++) {
        snprintf(from, sizeof from, "%s/../../plugins/tenuo_%s.so", mocks, real[i]);
        snprintf(to, sizeof to, "plugins/tenuo_%s.so", real[i]);
        stage_copy(from, to, 0755);
    }
    for (size_t i = 0; i < sizeof mock / sizeof mock[0]; i++) {
        snprintf(from, sizeof from, "%s/mock_%s.so", mocks, mock[i]);
        snprintf(to, sizeof to, "plugins/tenuo_%s.so", mock[i]);
        stage_copy(from, to, 0755);
    }
}

/* What the program decided by itself is recorded like the library's own answers, and an allow hangs on it. */
static void check_record(void)
{
    struct tenuo_ctx *ctx =
        opened("trust required file path=$ROOT/roots.pub\naudit required jsonl path=$ROOT/a.jsonl\n");
    struct tenuo_request *q = request("/data/x", "r-own", NOW);
    const struct tenuo_error denial = { TENUO_E_CHAIN_TOO_LONG, "the program says no" };
    struct tenuo_verifier *v = tenuo_ctx_verifier(ctx);
    struct tenuo_decision *d = NULL;
    struct tenuo_error err = { 0 };
    size_t taken = 0;
    is_int(tenuo_ctx_record(ctx, NULL, 0, q, NULL, &denial, NOW, &taken, &err), 0, "a denial is recorded");
    is_int((long long)taken, 1, "by one sink");
    recorded(0, "deny", TENUO_E_CHAIN_TOO_LONG, NULL);
    must(tenuo_authorize(v, wire, wire_len, q, NOW, &d, NULL), "pure decision");
    is_int(tenuo_ctx_record(ctx, wire, wire_len, q, d, NULL, NOW, &taken, &err), 0, "an allow is recorded");
    recorded(1, "allow", 0, NULL);
    is_int(tenuo_ctx_record(ctx, wire, wire_len, q, d, &denial, NOW, &taken, &err), TENUO_E_INVALID_ARGUMENT,
           "not both at once");
    is_int(tenuo_ctx_record(ctx, NULL, 0, q, NULL, NULL, NOW, &taken, &err), TENUO_E_INVALID_ARGUMENT, "not nothing");
    tenuo_ctx_unref(ctx);
    ctx = opened("trust required file path=$ROOT/roots.pub\naudit required jsonl path=$ROOT/nowhere/a.jsonl\n");
    is_int(tenuo_ctx_record(ctx, wire, wire_len, q, d, NULL, NOW, &taken, &err), TENUO_E_AUDIT_REFUSED,
           "an allow that is not recorded is none: %s", err.msg);
    tenuo_decision_free(d);
    tenuo_verifier_unref(v);
    tenuo_request_free(q);
    tenuo_ctx_unref(ctx);
}

/* A further attempt is the guarding program's to tell from a replay. */
static void check_retry(void)
{
    struct tenuo_ctx *ctx = opened("trust required file path=$ROOT/roots.pub\nreplay required replay\n");
    struct tenuo_request *q = request("/data/x", "run-1", NOW);
    is_int(ask_with(ctx, wire, wire_len, q).code, 0, "first attempt");
    is_int(ask_with(ctx, wire, wire_len, q).code, TENUO_E_REPLAYED, "the same again is a replay");
    tenuo_request_set_retry(q);
    is_int(ask_with(ctx, wire, wire_len, q).code, 0, "unless the program says that it is a retry");
    tenuo_request_free(q);
    tenuo_ctx_unref(ctx);
}

/* A configuration without a file: the same rules, and a reload reads it again. */
static void check_conf_text(void)
{
    char text[512], plugins[128];
    struct tenuo_open_options o = { .size = sizeof o, .plugin_dir = plugins, .diag = keep_diag };
    struct tenuo_ctx *ctx = NULL, *again = NULL;
    struct tenuo_error err = { 0 };
    snprintf(plugins, sizeof plugins, "%s/plugins", stage_root);
    snprintf(text, sizeof text, "trust required file path=%s/roots.pub\n", stage_root);
    o.conf_text = text;
    o.conf_text_len = strlen(text);
    must(tenuo_open("shop", &o, &ctx, &err), err.msg);
    is_int((long long)tenuo_ctx_root_count(ctx), 1, "a root from a configuration in memory");
    memset(text, '#', strlen(text)); /* it was copied */
    is_int(tenuo_ctx_reload(ctx, &again, &err), 0, "reload: %s", err.msg);
    is_int(again == NULL ? 0 : (long long)tenuo_ctx_root_count(again), 1, "the same");
    tenuo_ctx_unref(ctx);
    tenuo_ctx_unref(again);
    found[0] = '\0';
    o.conf_text = "nonsense\n";
    o.conf_text_len = 9;
    is_int(tenuo_open("shop", &o, &ctx, &err), TENUO_E_CONF, "a wrong one is refused");
    ok(strstr(found, "(memory):1:1:") != NULL, "and named: %s", found);
    o.conf = "/etc/tenuo.conf";
    is_int(tenuo_open("shop", &o, &ctx, &err), TENUO_E_INVALID_ARGUMENT, "a file and a text are one too many");
}

/* Single warrants to a stack, and a secret on request. */
static void check_small(void)
{
    const struct tenuo_warrant *two[] = { tenuo_stack_leaf(stack), tenuo_stack_leaf(stack) };
    struct tenuo_stack *joined = NULL;
    struct tenuo_error err = { 0 };
    uint8_t seed[32] = { 0 }, all[32];
    memset(all, 7, sizeof all);
    is_int(tenuo_stack_join(two, 2, &joined, &err), 0, "two warrants joined: %s", err.msg);
    is_int(joined == NULL ? 0 : (long long)tenuo_stack_length(joined), 2, "are two");
    tenuo_stack_free(joined);
    is_int(tenuo_stack_join(two, 0, &joined, &err), TENUO_E_INVALID_ARGUMENT, "none is no chain");
    is_int(tenuo_signer_seed(holder_key, seed, &err), 0, "the seed of a local key");
    ok(memcmp(seed, all, sizeof all) == 0, "is the seed");
}

int main(int argc, char **argv)
{
    char key[44];
    if (argc < 2)
        return 2;
    stage_begin();
    stage_plugins(argv[1]);
    make_warrant();
    tenuo_public_key_base64url(tenuo_signer_public_key(root_key), key);
    stage_text("roots.pub", key);
    tenuo_public_key_base64url(tenuo_signer_public_key(holder_key), key);
    stage_text("more", key);
    stage_mkdir("empty", 0755);
    check_decisions();
    check_audit_failure();
    check_losses();
    check_observe();
    check_replay();
    check_replay_reload();
    check_replay_span();
    check_args();
    check_keys();
    check_refusals();
    check_matchers_outlive();
    check_reload();
    check_replay_under_reload();
    check_record();
    check_retry();
    check_conf_text();
    check_small();
    tenuo_stack_free(stack);
    tenuo_signer_free(root_key);
    tenuo_signer_free(holder_key);
    stage_end();
    return done_testing();
}
