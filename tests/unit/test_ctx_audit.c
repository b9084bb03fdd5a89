/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the host tells a sink besides the decision: the sentence, the peer, the version of the list, its own numbers,
 * and a signature under a log. A mock writes all of it down. The arguments are the folders of mocks and of plugins.
 */
#include "../../core/redact.h"
#include "revoke_env.h"

#include <sys/wait.h>
#include <tenuo/plugin.h>

#define PROBE "audit required probe path=$ROOT/probe key=ck\n"
#define KEYS "resolver required file path=$ROOT/keys\n"

/* Everything that the probe wrote so far. */
static const char *written(void)
{
    static char *text;
    size_t n = 0;
    free(text);
    text = stage_read(stage_path("probe"), &n);
    return text != NULL ? text : "";
}

static void says(const char *text, const char *what)
{
    if (!ok(strstr(written(), text) != NULL, "%s: '%s'", what, text))
        printf("# %.3000s\n", written());
}

static void says_not(const char *text, const char *what)
{
    if (!ok(strstr(written(), text) == NULL, "%s: no '%s'", what, text))
        printf("# %.3000s\n", written());
}

static struct tenuo_ctx *fresh(const char *conf)
{
    (void)unlink(stage_path("probe"));
    return opened(conf);
}

static void check_event(void)
{
    struct tenuo_ctx *ctx = fresh(PROBE);
    char id[TENUO_WARRANT_ID_TEXT_BYTES], want[256];
    is_int(ask(ctx), 0, "an allow");
    tenuo_warrant_id_text(warrant_id, id);
    snprintf(want, sizeof want, "event 6 -1:-1 0:0 1 allowed tool \"ping\" to holder ");
    says(want, "priority, nobody known, no list, a duration, the sentence");
    snprintf(want, sizeof want, " under %s||", id);
    says(want, "the sentence ends with the warrant");
    tenuo_request_set_peer(call, 1000, 77);
    is_int(ask(ctx), 0, "again");
    says("event 6 1000:77 ", "the peer");
    tenuo_request_set_peer(call, -1, -1);
    struct tenuo_decision *d = NULL;
    must(tenuo_ctx_authorize_at(ctx, wire, wire_len, call, born + 7200, &d, NULL), "decide");
    says("event 4 -1:-1 0:0 1 denied tool \"ping\" to holder ", "a denial is a warning");
    says(tenuo_err_name(tenuo_decision_code(d)), "with the name of its code");
    tenuo_decision_free(d);
    says("open 9300\n", "a checkpoint by a key that is not there");
    tenuo_ctx_unref(ctx);
    says("checkpoint 9300 ", "likewise when it closes");
}

static const char *after(const char *text, const char *lead)
{
    const char *p = strstr(text, lead);
    return p == NULL ? "" : p + strlen(lead);
}

static void from_hex(const char *hex, uint8_t *ret, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        unsigned b = 0;
        if (sscanf(hex + 2 * i, "%2x", &b) != 1)
            b = 0;
        ret[i] = (uint8_t)b;
    }
}

/* The sink signs when it closes, which is after the program has let go of the context. */
static void check_checkpoint(void)
{
    struct tenuo_ctx *ctx = fresh(KEYS PROBE);
    uint8_t made[32], key[32], head[32], signature[64];
    uint32_t version;
    const char *p;
    must(tenuo_store_generate(ctx, "file", "ck", made, &version, NULL), "a key");
    is_int(ask(ctx), 0, "an allow");
    tenuo_ctx_unref(ctx);
    p = after(written(), "checkpoint 0 ");
    from_hex(p, key, sizeof key);
    from_hex(p + (*p == '\0' ? 0 : 65), signature, sizeof signature);
    memset(head, 0x5a, sizeof head);
    ok(memcmp(key, made, sizeof key) == 0, "signed with the key of the store");
    is_int(tenuo_audit_checkpoint_verify(key, head, 258, signature, NULL), 0, "it verifies");
    is_int(tenuo_audit_checkpoint_verify(key, head, 259, signature, NULL), TENUO_E_SIGNATURE_INVALID, "another count");
    head[31] ^= 1;
    is_int(tenuo_audit_checkpoint_verify(key, head, 258, signature, NULL), TENUO_E_SIGNATURE_INVALID, "another head");
    head[31] ^= 1;
    is_int(tenuo_audit_checkpoint_verify(tenuo_signer_public_key(root_key), head, 258, signature, NULL),
           TENUO_E_SIGNATURE_INVALID, "another key");
    memset(key, 0, sizeof key);
    is_int(tenuo_audit_checkpoint_verify(key, head, 258, signature, NULL), TENUO_E_SIGNATURE_INVALID, "no key at all");
}

static void check_stats(void)
{
    struct tenuo_ctx *ctx = fresh("resolver required file path=$ROOT/keys name=disk\n"
                                  "audit optional probe path=$ROOT/probe2 name=second\n" PROBE
                                  "audit optional probe path=$ROOT/nowhere/x name=lost\n");
    char want[64];
    struct tenuo_signer *s = NULL;
    is_int(ask(ctx), 0, "an allow");
    must(tenuo_ctx_signer(ctx, "ck", 0, NULL, &s, NULL), "signer");
    tenuo_signer_free(s);
    must(tenuo_ctx_signer(ctx, "ck", 0, NULL, &s, NULL), "signer again");
    tenuo_signer_free(s);
    ok(tenuo_ctx_signer(ctx, "none", 0, NULL, &s, NULL) != 0, "no such key");
    is_int(ask(ctx), 0, "another allow");
    says("stats 0\n", "answered");
    snprintf(want, sizeof want, "stat %d - 1 ", TENUO_STAT_LINK_CACHE_HITS);
    says(want, "the warrant was known the second time");
    snprintf(want, sizeof want, "stat %d - 1 ", TENUO_STAT_LINK_CACHE_MISSES);
    says(want, "and not the first");
    snprintf(want, sizeof want, "stat %d - 1 ", TENUO_STAT_KEY_CACHE_HITS);
    says(want, "the key was known the second time");
    snprintf(want, sizeof want, "stat %d disk 0 ", TENUO_STAT_RESOLVER_FAILURES);
    says(want, "no such key is no failure of the store");
    ok(strtoull(after(written(), "\nstat 7 disk "), NULL, 10) < UINT64_MAX, "time in the store");
    snprintf(want, sizeof want, "stat %d lost 2 ", TENUO_STAT_AUDIT_LOST);
    tenuo_ctx_unref(ctx);
    snprintf(want, sizeof want, "stat %d lost 1 ", TENUO_STAT_AUDIT_LOST);
    says(want, "what the optional line lost");
    says("closed 0\n", "and numbers are there until the last sink has closed");
}

static void take_probe(void *arg, const struct tenuo_probe *p)
{
    size_t *n = arg;
    (*n)++;
    if (strcmp(p->name, "lost") == 0)
        ok(p->code == TENUO_E_SYSTEM && !p->required && p->message[0] != '\0', "a sink that fails: %d", p->code);
    else
        ok(p->code == 0 && p->required && strcmp(p->module, "probe") == 0 && strstr(p->origin, "tenuo.conf:") != NULL,
           "a sink that works: %s", p->origin);
}

static int count_stat(void *arg, const struct tenuo_stat *stat)
{
    (void)stat;
    return ++*(size_t *)arg == 3;
}

static int sum_stat(void *arg, const struct tenuo_stat *stat)
{
    if (stat->what <= TENUO_STAT_AUDIT_LOST)
        *(uint64_t *)arg += stat->value;
    return 0;
}

static uint64_t counted(struct tenuo_ctx *ctx)
{
    uint64_t sum = 0;
    tenuo_ctx_stats(ctx, sum_stat, &sum);
    return sum;
}

static void check_child(void)
{
    struct tenuo_ctx *ctx = fresh(KEYS PROBE "audit optional probe path=$ROOT/nowhere/x name=lost\n");
    struct tenuo_signer *s = NULL;
    int status = 0;
    must(tenuo_ctx_signer(ctx, "ck", 0, NULL, &s, NULL), "signer");
    tenuo_signer_free(s);
    is_int(ask(ctx), 0, "an allow");
    is_int(ask(ctx), 0, "and another");
    ok(counted(ctx) > 4, "the parent has counted");
    pid_t pid = fork();
    if (pid == 0) {
        uint64_t before = counted(ctx);
        int code = ask(ctx);
        _exit(before != 0 ? 1 : code != 0 ? 2 : counted(ctx) == 0 ? 3 : 0);
    }
    (void)waitpid(pid, &status, 0);
    is_int(status, 0, "a child counts from 0");
    ok(counted(ctx) > 4, "and its parent goes on");
    tenuo_ctx_unref(ctx);
}

static void check_probe(void)
{
    struct tenuo_ctx *ctx = fresh(PROBE "audit optional probe path=$ROOT/nowhere/x name=lost\n");
    size_t n = 0, stats = 0;
    tenuo_ctx_probe_audit(ctx, take_probe, &n);
    is_int((long long)n, 2, "both are tried");
    says("notice 4 ", "and a record tells it");
    tenuo_ctx_stats(ctx, count_stat, &stats);
    is_int((long long)stats, 3, "numbers, until there are enough");
    tenuo_ctx_unref(ctx);
}

static void check_key_age(void)
{
    struct tenuo_ctx *ctx = fresh(KEYS PROBE);
    char want[64];
    struct tenuo_signer *s = NULL;
    is_int(ask(ctx), 0, "an allow");
    must(tenuo_ctx_signer(ctx, "ck", 0, NULL, &s, NULL), "signer");
    tenuo_signer_free(s);
    is_int(ask(ctx), 0, "another");
    snprintf(want, sizeof want, "stat %d ck ", TENUO_STAT_KEY_CREATED);
    long long created = atoll(after(written(), want));
    ok(created >= born - 60 && created <= born + 600, "the key's age: %lld", created);
    tenuo_ctx_unref(ctx);
}

static void check_lists(void)
{
    put_list("list", 1, false);
    struct tenuo_ctx *ctx = fresh("revocation required file path=$ROOT/list refresh=100ms floor=$ROOT/floor\n" PROBE);
    char want[64];
    is_int(ask(ctx), 0, "an allow");
    says("event 6 -1:-1 1:1 ", "the list's version");
    snprintf(want, sizeof want, "stat %d file 1 ", TENUO_STAT_REVOCATION_VERSION);
    says(want, "and among the numbers");
    snprintf(want, sizeof want, "stat %d file %lld ", TENUO_STAT_REVOCATION_ISSUED, (long long)born);
    says(want, "the time of its signature too");
    snprintf(want, sizeof want, "stat %d file", TENUO_STAT_REVOCATION_ENDS);
    says_not(want, "which bounds nothing without revocation_max_age");
    says_not("notice 2", "the first list is no news");
    put_list("list", 2, true);
    becomes(ctx, TENUO_E_REVOKED, 5000, "revoked by version 2");
    says("notice 2 ", "a notice");
    says("revocation list version 2 with 2 ids is in force", "its sentence");
    says("srl=1:2 ", "its version");
    ok(strstr(after(written(), "notice 2"), "notice 2") == NULL, "once");
    tenuo_ctx_unref(ctx);
}

static void check_reload_and_keys(void)
{
    struct tenuo_ctx *ctx = fresh(KEYS PROBE), *next = NULL;
    uint8_t made[32];
    uint32_t version;
    must(tenuo_ctx_reload(ctx, &next, NULL), "reload");
    says("notice 1 ", "a notice of the reload");
    says("generation=2 ", "with the generation");
    must(tenuo_store_rotate(next, "file", "ck", NULL, made, &version, NULL), "rotate");
    says("key ck@1 was rotated in ", "a notice of the rotation");
    says("key=ck|", "with the key's id");
    must(tenuo_store_remove(next, "file", "ck@1", NULL), "remove");
    says("key ck@1 was removed in ", "and of the removal");
    tenuo_ctx_unref(ctx);
    tenuo_ctx_unref(next);
}

/* A call whose argument has a secret's name. */
static struct tenuo_request *secret_call(void)
{
    struct tenuo_request *q = NULL;
    struct tenuo_args *args = NULL;
    struct tenuo_value *value = NULL;
    must(tenuo_value_string("hunter2", 7, &value, NULL), "value");
    must(tenuo_args_new(&args, NULL), "args");
    must(tenuo_args_put(args, "dbPassword", 10, value, NULL), "put");
    must(tenuo_request_new("ping", 4, &q, NULL), "request");
    must(tenuo_request_set_args(q, args, NULL), "set args");
    must(tenuo_request_add_attribute(q, "auth_token", "t0ps3cret", NULL), "attribute");
    must(tenuo_request_add_attribute(q, "queue", "q1", NULL), "attribute");
    must(tenuo_request_add_attribute(q, "a23456789_123456789_123456789_123456789_123456789_123", "", NULL),
         "the longest name");
    if (tenuo_request_add_attribute(q, "a23456789_123456789_123456789_123456789_123456789_1234", "", NULL) !=
        TENUO_E_INVALID_ARGUMENT)
        must(TENUO_E_INVALID_ARGUMENT, "a longer name is refused");
    tenuo_args_free(args);
    tenuo_value_free(value);
    return q;
}

static void record_secret(struct tenuo_ctx *ctx)
{
    struct tenuo_request *q = secret_call();
    struct tenuo_decision *d = NULL;
    must(tenuo_ctx_authorize_at(ctx, wire, wire_len, q, born, &d, NULL), "decide");
    tenuo_decision_free(d);
    tenuo_request_free(q);
}

static void check_mask(void)
{
    struct tenuo_ctx *ctx = fresh("set audit_args full\n" PROBE);
    record_secret(ctx);
    says("{\"dbPassword\":\"<string>\"}", "hidden under audit_args full");
    says("attr auth_token=[masked]\n", "hidden in an attribute");
    says("attr queue=q1\n", "and no other");
    tenuo_ctx_unref(ctx);
    says_not("hunter2", "nowhere");
    says_not("t0ps3cret", "nowhere");
    ctx = fresh("set audit_args full\nset audit_mask queue\n" PROBE);
    record_secret(ctx);
    says("{\"dbPassword\":\"hunter2\"}", "another list hides something else");
    says("attr queue=[masked]\n", "which it names");
    tenuo_ctx_unref(ctx);
    ctx = fresh("set audit_args full\nset audit_mask off\n" PROBE);
    record_secret(ctx);
    says("attr auth_token=t0ps3cret\n", "off");
    tenuo_ctx_unref(ctx);
    struct tenuo_error err = { 0 };
    is_int(open_conf("set audit_mask Pass,word\n" PROBE, &ctx, &err), TENUO_E_CONF, "a capital in the list");
}

static void check_names(void)
{
    static const struct {
        const char *name;
        bool hidden;
    } rows[] = {
        { "password", true },     { "PASSWORD", true },  { "db_password", true },  { "dbPassword", true },
        { "password2", true },    { "passwordless", false }, { "tokens", true },   { "tokenizer", false },
        { "TOKENS", true },       { "API_KEYS2", true }, { "secret2nd", false },   { "secrets_2", true },
        { "accessToken", true },  { "x-api-key", true }, { "apiKey", true },       { "apikey", true },
        { "API_KEY", true },      { "monkey", false },   { "secretary", false },   { "client.secret", true },
        { "", false },            { "s", false },        { "my-private_key.pem", true },
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
        is_int(tn_mask_hides(TN_MASK_DEFAULT, tn_lit(rows[i].name)), rows[i].hidden, "'%s'", rows[i].name);
    ok(tn_mask_valid(TN_MASK_DEFAULT), "the default is a list");
    ok(!tn_mask_valid("") && !tn_mask_valid("a,") && !tn_mask_valid(",a") && !tn_mask_valid("a b"),
       "and these are none");
    ok(!tn_mask_hides(NULL, tn_lit("password")), "no list hides nothing");
}

static void check_hash_key(void)
{
    static const char plain[] = "0123456789abcdef0123456789abcdef";
    struct tenuo_error err = { 0 };
    struct tenuo_ctx *ctx = fresh(PROBE);
    char before[65] = "", keyed[65] = "";
    is_int(ask(ctx), 0, "an allow");
    snprintf(before, sizeof before, "%.64s", after(after(written(), "event "), "||"));
    tenuo_ctx_unref(ctx);
    stage_write("hash.key", plain, sizeof plain - 1, 0600);
    ctx = fresh("set audit_hash_key $ROOT/hash.key\n" PROBE);
    is_int(ask(ctx), 0, "an allow");
    snprintf(keyed, sizeof keyed, "%.64s", after(after(written(), "event "), "||"));
    tenuo_ctx_unref(ctx);
    ok(strlen(before) == 64 && strlen(keyed) == 64 && strcmp(before, keyed) != 0, "another hash under a key");
    (void)chmod(stage_path("hash.key"), 0644);
    is_int(open_conf("set audit_hash_key $ROOT/hash.key\n" PROBE, &ctx, &err), TENUO_E_CONF, "a key that others read");
    ok(strstr(err.msg, "hash.key") != NULL, "named: %s", err.msg);
    stage_write("hash.key", plain, 31, 0600);
    (void)chmod(stage_path("hash.key"), 0600);
    is_int(open_conf("set audit_hash_key $ROOT/hash.key\n" PROBE, &ctx, &err), TENUO_E_CONF, "a short key");
    is_int(open_conf("set audit_hash_key $ROOT/none\n" PROBE, &ctx, &err), TENUO_E_CONF, "no key");
}

int main(int argc, char **argv)
{
    if (argc < 3)
        return 2;
    env_begin();
    env_plugin(argv[1], "mock_probe.so", "tenuo_probe.so");
    env_plugin(argv[2], "tenuo_file.so", "tenuo_file.so");
    stage_mkdir("keys", 0700);
    check_event();
    check_checkpoint();
    check_stats();
    check_probe();
    check_child();
    check_key_age();
    check_lists();
    check_reload_and_keys();
    check_mask();
    check_names();
    check_hash_key();
    return env_end();
}
