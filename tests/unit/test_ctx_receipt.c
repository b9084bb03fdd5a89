/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Receipts as a guarded program gets them: what a context writes into them, and that a required one comes before the
 * answer. The first argument is the folder of the mock plugins.
 */
#include <pthread.h>
#include <signal.h>
#include <sodium.h>
#include <sys/resource.h>
#include <tenuo/tenuo.h>
#include <time.h>

#include "stage.h"
#include "tap.h"

#define NOW 1893456000

static struct tenuo_signer *root_key, *holder_key;
static struct tenuo_stack *stack;
static uint8_t wire[2048];
static size_t wire_len;

static void must(int r, const char *what)
{
    if (r == TENUO_OK)
        return;
    printf("Bail out! %s: %d\n", what, r);
    exit(1);
}

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
    must(tenuo_mint_sign(mint, root_key, NOW - 60, &stack, NULL), "sign");
    wire_len = sizeof wire;
    must(tenuo_stack_encode(stack, TENUO_FORM_CBOR, wire, &wire_len, NULL), "encode");
    tenuo_mint_free(mint);
    tenuo_constraint_set_free(set);
    tenuo_constraint_free(below);
}

static struct tenuo_args *args_of(const char *path)
{
    struct tenuo_args *args = NULL;
    struct tenuo_value *value = NULL;
    must(tenuo_value_string(path, strlen(path), &value, NULL), "value");
    must(tenuo_args_new(&args, NULL), "args");
    must(tenuo_args_put(args, "path", 4, value, NULL), "put");
    tenuo_value_free(value);
    return args;
}

static struct tenuo_ctx *open_with(const char *lines, char *said, size_t size)
{
    char conf[2048] = "", plugins[128];
    struct tenuo_ctx *ctx = NULL;
    struct tenuo_error err = { 0 };
    snprintf(conf, sizeof conf, "trust required file path=%s/roots.pub\nresolver required good path=/x\n%s", stage_root,
             lines);
    snprintf(plugins, sizeof plugins, "%s/plugins", stage_root);
    struct tenuo_open_options o = { .size = sizeof o, .conf = stage_text("tenuo.conf", conf), .plugin_dir = plugins };
    if (tenuo_open("shop", &o, &ctx, &err) != TENUO_OK && said == NULL)
        printf("Bail out! %s\n", err.msg), exit(1);
    if (said != NULL)
        snprintf(said, size, "%s", err.msg);
    return ctx;
}

static const char *line(const char *control, const char *key, const char *more)
{
    static char text[1024];
    snprintf(text, sizeof text, "set receipt_key %s\naudit %s receipt path=%s/r/j\n%s\n", key, control, stage_root,
             more);
    return text;
}

struct answer {
    int outcome, code;
    char id[33];
};

static struct answer ask_at(struct tenuo_ctx *ctx, const void *bytes, size_t len, const char *path, const char *id,
                            int64_t signed_at)
{
    struct tenuo_args *args = args_of(path);
    struct tenuo_request *q = NULL;
    struct tenuo_decision *d = NULL;
    struct answer a = { .outcome = -1 };
    uint8_t pop[64];
    must(tenuo_request_new("read_file", 9, &q, NULL), "request");
    must(tenuo_request_set_args(q, args, NULL), "set args");
    must(tenuo_pop_sign(holder_key, tenuo_stack_leaf(stack), "read_file", 9, args, signed_at, pop, NULL), "pop");
    tenuo_request_set_pop(q, pop);
    must(tenuo_request_set_id(q, id, NULL), "id");
    struct tenuo_error err = { 0 };
    a.code = tenuo_ctx_authorize_at(ctx, bytes, len, q, NOW, &d, &err);
    if (a.code != TENUO_OK)
        printf("# %s\n", err.msg);
    if (a.code == TENUO_OK) {
        a.outcome = (int)tenuo_decision_outcome(d);
        a.code = tenuo_decision_code(d);
        snprintf(a.id, sizeof a.id, "%s", tenuo_decision_id(d));
    }
    tenuo_decision_free(d);
    tenuo_request_free(q);
    tenuo_args_free(args);
    return a;
}

static struct answer ask(struct tenuo_ctx *ctx, const char *path, const char *id)
{
    return ask_at(ctx, wire, wire_len, path, id, NOW);
}

/* Receipt `index` of a journal; NULL when there is none. */
static struct tenuo_receipt *kept(const char *name, size_t index)
{
    static uint8_t bytes[TENUO_RECEIPT_MAX_BYTES];
    struct tenuo_receipt *r = NULL;
    size_t len = 0, n = 0;
    char *text = stage_read(stage_path(name), &len), *p = text;
    for (size_t i = 0; p != NULL && i < index; i++)
        p = strchr(p, '\n') != NULL ? strchr(p, '\n') + 1 : NULL;
    p = p == NULL ? NULL : strstr(p, "\"receipt\":\"");
    if (p != NULL)
        (void)sodium_hex2bin(bytes, sizeof bytes, p + 11, strcspn(p + 11, "\""), NULL, &n, NULL);
    free(text);
    if (p != NULL)
        must(tenuo_receipt_parse(bytes, n, &r, NULL), "a receipt of the journal");
    return r;
}

static void fresh(void)
{
    static const char *const names[] = { "r/j", "r/j.denied" };
    for (size_t i = 0; i < 2; i++)
        unlink(stage_path(names[i]));
}

static bool says(const char *p, size_t n, const char *want)
{
    return p != NULL && n == strlen(want) && memcmp(p, want, n) == 0;
}

static void check_allow(void)
{
    fresh();
    struct tenuo_ctx *ctx = open_with(line("required", "mock", ""), NULL, 0);
    struct tenuo_args *args = args_of("/data/x");
    is_int(ask(ctx, "/data/x", "r-1").outcome, TENUO_ALLOW, "allowed");
    struct answer a = ask(ctx, "/data/x", "");
    struct tenuo_receipt *r = kept("r/j", 0), *next = kept("r/j", 1);
    const struct tenuo_receipt_fields *f = tenuo_receipt_get_fields(r);
    struct tenuo_verifier *v = tenuo_ctx_verifier(ctx);
    uint8_t digest[32];
    ok(f->allow && f->timestamp == NOW && says(f->tool, f->tool_len, "read_file"), "an allow of this tool now");
    ok(says(f->authorizer_id, f->authorizer_id_len, "shop"), "by the service");
    ok(says(f->request_id, f->request_id_len, "r-1"), "for the request");
    ok(memcmp(tenuo_receipt_signer(r), tenuo_signer_public_key(holder_key), 32) == 0, "signed with receipt_key");
    ok(f->policy_hash != NULL, "under a policy that it names");
    is_int(tenuo_receipt_check_chain(r, v, NULL), 0, "its chain holds");
    is_int(tenuo_receipt_check_args(r, args, NULL), 0, "its request hash too");
    is_int(tenuo_receipt_check_pop(r, args, NOW, 5, NULL), 0, "and its proof");
    is_int(tenuo_receipt_check_roots(r, v, NULL), 0, "and its roots");
    f = tenuo_receipt_get_fields(next);
    ok(says(f->request_id, f->request_id_len, a.id), "without a request id the decision's");
    tenuo_receipt_digest(r, digest);
    ok(f->prev_receipt_hash != NULL && memcmp(f->prev_receipt_hash, digest, 32) == 0, "linked");
    tenuo_verifier_unref(v);
    tenuo_receipt_free(r);
    tenuo_receipt_free(next);
    tenuo_args_free(args);
    tenuo_ctx_unref(ctx);
}

static void denied(const char *name, size_t index, const char *code, bool pop, bool chain)
{
    struct tenuo_receipt *r = kept(name, index);
    const struct tenuo_receipt_fields *f = r == NULL ? NULL : tenuo_receipt_get_fields(r);
    ok(f != NULL && !f->allow && says(f->decision_code, f->decision_code_len, code), "%s %zu: a denial, %s", name,
       index, code);
    ok(f != NULL && (f->pop_signature != NULL) == pop, "%s the proof", pop ? "with" : "without");
    ok(f != NULL && (f->warrant_chain_len == wire_len && memcmp(f->warrant_chain, wire, wire_len) == 0) == chain,
       "%s the warrants", chain ? "with" : "without");
    tenuo_receipt_free(r);
}

static void check_denials(void)
{
    static uint8_t text[4096];
    size_t n = sizeof text;
    fresh();
    struct tenuo_ctx *ctx = open_with(line("required", "mock", "set receipt_authorizer gate-7"), NULL, 0);
    is_int(ask(ctx, "/etc/x", "a").code, TENUO_E_CONSTRAINT_VIOLATION, "a path outside");
    denied("r/j.denied", 0, "constraint-violation", true, true);
    is_int(ask_at(ctx, wire, wire_len, "/data/x", "b", NOW - 4000).code, TENUO_E_SIGNATURE_INVALID, "an old proof");
    denied("r/j.denied", 1, "signature-invalid", false, true);
    ok(ask_at(ctx, "\x83", 1, "/data/x", "c", NOW).code != 0, "bytes that are no warrant");
    denied("r/j.denied", 2, "malformed-cbor", false, false);
    must(tenuo_stack_encode(stack, TENUO_FORM_BASE64URL, text, &n, NULL), "text");
    is_int(ask_at(ctx, text, n, "/etc/x", "d", NOW).code, TENUO_E_CONSTRAINT_VIOLATION, "warrants as text");
    denied("r/j.denied", 3, "constraint-violation", true, true);
    struct tenuo_receipt *r = kept("r/j.denied", 3);
    const struct tenuo_receipt_fields *f = tenuo_receipt_get_fields(r);
    ok(says(f->authorizer_id, f->authorizer_id_len, "gate-7"), "the label of the settings");
    tenuo_receipt_free(r);
    ok((r = kept("r/j", 0)) == NULL, "the journal of allows has none");
    tenuo_receipt_free(r);
    tenuo_ctx_unref(ctx);
}

static void limit_size(rlim_t n)
{
    struct rlimit lim;
    getrlimit(RLIMIT_FSIZE, &lim);
    lim.rlim_cur = n;
    setrlimit(RLIMIT_FSIZE, &lim);
}

static void check_policies(void)
{
    fresh();
    signal(SIGXFSZ, SIG_IGN);
    struct tenuo_ctx *ctx = open_with(line("required", "mock", ""), NULL, 0);
    limit_size(0);
    is_int(ask(ctx, "/data/x", "").code, TENUO_E_AUDIT_REFUSED, "required: no receipt, no allow");
    is_int(ask(ctx, "/etc/x", "").code, TENUO_E_CONSTRAINT_VIOLATION, "a denial stays what it is");
    limit_size(RLIM_INFINITY);
    is_int(ask(ctx, "/data/x", "").outcome, TENUO_ALLOW, "then again");
    tenuo_ctx_unref(ctx);
    ctx = open_with(line("optional", "mock", ""), NULL, 0);
    limit_size(0);
    is_int(ask(ctx, "/data/x", "").outcome, TENUO_ALLOW, "optional: the call goes on");
    limit_size(RLIM_INFINITY);
    tenuo_ctx_unref(ctx);
    ctx = open_with(line("required", "nobody", ""), NULL, 0);
    is_int(ask(ctx, "/data/x", "").code, TENUO_E_AUDIT_REFUSED, "a key that no store has");
    is_int(ask(ctx, "/etc/x", "").code, TENUO_E_CONSTRAINT_VIOLATION, "a denial stays what it is");
    tenuo_ctx_unref(ctx);
    struct tenuo_receipt *r = kept("r/j", 1);
    ok(r == NULL, "one receipt was kept in all");
    tenuo_receipt_free(r);
}

static void check_taken_back(void)
{
    fresh();
    struct tenuo_ctx *ctx = open_with(line("required", "mock", "audit required jsonl path=/dev/full"), NULL, 0);
    is_int(ask(ctx, "/data/x", "q").code, TENUO_E_AUDIT_REFUSED, "another required sink fails");
    struct tenuo_receipt *r = kept("r/j", 0);
    ok(r != NULL && tenuo_receipt_get_fields(r)->allow, "the allow was kept already");
    tenuo_receipt_free(r);
    denied("r/j", 1, "audit-refused", true, true);
    tenuo_ctx_unref(ctx);
    fresh();
    ctx = open_with(line("required", "mock", "set mode observe"), NULL, 0);
    is_int(ask(ctx, "/etc/x", "q").outcome, TENUO_WOULD_DENY, "mode observe lets a denial through");
    denied("r/j.denied", 0, "constraint-violation", true, true);
    tenuo_ctx_unref(ctx);
}

static void check_refusals(void)
{
    char said[512], text[512];
    snprintf(text, sizeof text, "audit required receipt path=%s/r/j\n", stage_root);
    ok(open_with(text, said, sizeof said) == NULL && strstr(said, "receipt_key") != NULL, "no key is set: %s", said);
    stage_mkdir("anybody", 0777);
    snprintf(text, sizeof text, "set receipt_key mock\naudit required receipt path=%s/anybody/j\n", stage_root);
    ok(open_with(text, said, sizeof said) == NULL && strstr(said, "anybody") != NULL, "a shared directory: %s", said);
}

static void check_liars(void)
{
    struct tenuo_ctx *ctx = open_with("set receipt_key mock\naudit required no_receipt\n", NULL, 0);
    is_int(ask(ctx, "/data/x", "").code, TENUO_E_AUDIT_REFUSED, "a sink that never asked for what it says it kept");
    tenuo_ctx_unref(ctx);
    ctx = open_with("set receipt_key mock\naudit required deaf_receipt\n", NULL, 0);
    is_int(ask(ctx, "/data/x", "").code, TENUO_E_AUDIT_REFUSED, "one that asked twice");
    tenuo_ctx_unref(ctx);
}

static void check_list(void)
{
    static const uint8_t other[TENUO_WARRANT_ID_BYTES] = { 1 };
    struct tenuo_srl_builder *b = NULL;
    uint8_t *list = NULL, hash[32];
    char more[256];
    size_t len = 0;
    if (time(NULL) > NOW) {
        skip_test("a revocation list", "the fetch would lie after the decision");
        return;
    }
    must(tenuo_srl_builder_new(42, &b, NULL), "list");
    must(tenuo_srl_builder_add(b, other, NULL), "add");
    /* The real clock fetches it. */
    must(tenuo_srl_builder_sign(b, root_key, 1700000000, &list, &len, NULL), "sign list");
    stage_write("list.srl", list, len, 0644);
    snprintf(more, sizeof more, "revocation required file path=%s/list.srl floor=%s/r/floor max_age=3650d", stage_root,
             stage_root);
    fresh();
    struct tenuo_ctx *ctx = open_with(line("required", "mock", more), NULL, 0);
    struct answer a = ask(ctx, "/data/x", "");
    is_int(a.outcome, TENUO_ALLOW, "allowed under a revocation list (%d)", a.code);
    struct tenuo_receipt *r = kept("r/j", 0);
    const struct tenuo_receipt_fields *f = r == NULL ? NULL : tenuo_receipt_get_fields(r);
    crypto_hash_sha256(hash, list, len);
    ok(f != NULL && f->has_srl_version && f->srl_version == 42 && f->srl_hash != NULL &&
           memcmp(f->srl_hash, hash, sizeof hash) == 0, "which the receipt names");
    is_int(r == NULL ? -1 : tenuo_receipt_check_list(r, 42, list, len, NULL), 0, "so that it can be checked");
    tenuo_receipt_free(r);
    tenuo_bytes_free(list, len);
    tenuo_srl_builder_free(b);
    tenuo_ctx_unref(ctx);
}

static void *ask_many(void *arg)
{
    long bad = 0;
    for (unsigned i = 0; i < 25; i++)
        bad += ask(arg, "/data/x", "").outcome != TENUO_ALLOW;
    return (void *)bad;
}

static void check_threads(void)
{
    struct tenuo_receipt_chain *chain = NULL;
    struct tenuo_receipt *r;
    pthread_t thread[4];
    long bad = 0;
    fresh();
    struct tenuo_ctx *ctx = open_with(line("required", "mock", ""), NULL, 0);
    for (unsigned i = 0; i < 4; i++)
        must(pthread_create(&thread[i], NULL, ask_many, ctx), "thread");
    for (unsigned i = 0; i < 4; i++) {
        void *result = NULL;
        pthread_join(thread[i], &result);
        bad += (long)result;
    }
    is_int(bad, 0, "four threads");
    must(tenuo_receipt_chain_new(NULL, NULL, &chain, NULL), "chain");
    for (size_t i = 0; (r = kept("r/j", i)) != NULL; i++) {
        bad += tenuo_receipt_chain_add(chain, r, NULL) != 0;
        tenuo_receipt_free(r);
    }
    ok(bad == 0 && tenuo_receipt_chain_count(chain) == 100, "write one run");
    tenuo_receipt_chain_free(chain);
    tenuo_ctx_unref(ctx);
}

static void stage_plugins(const char *mocks)
{
    static const char *const mock[] = { "good", "no_receipt", "deaf_receipt" };
    char from[4096], to[64];
    stage_mkdir("plugins", 0755);
    snprintf(from, sizeof from, "%s/../../plugins/tenuo_jsonl.so", mocks);
    stage_copy(from, "plugins/tenuo_jsonl.so", 0755);
    snprintf(from, sizeof from, "%s/../../plugins/tenuo_receipt.so", mocks);
    stage_copy(from, "plugins/tenuo_receipt.so", 0755);
    for (size_t i = 0; i < sizeof mock / sizeof mock[0]; i++) {
        snprintf(from, sizeof from, "%s/mock_%s.so", mocks, mock[i]);
        snprintf(to, sizeof to, "plugins/tenuo_%s.so", mock[i]);
        stage_copy(from, to, 0755);
    }
}

int main(int argc, char **argv)
{
    char key[44];
    if (argc < 2 || sodium_init() < 0)
        return 2;
    stage_begin();
    stage_plugins(argv[1]);
    make_warrant();
    tenuo_public_key_base64url(tenuo_signer_public_key(root_key), key);
    stage_text("roots.pub", key);
    stage_mkdir("r", 0700);
    check_allow();
    check_denials();
    check_policies();
    check_taken_back();
    check_refusals();
    check_liars();
    check_list();
    check_threads();
    tenuo_stack_free(stack);
    tenuo_signer_free(root_key);
    tenuo_signer_free(holder_key);
    stage_end();
    return done_testing();
}
