/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Every allocation of building, reading, checking and chaining receipts fails in turn (linked with --wrap), and so does
 * every one of core's while a context decides with a required receipt: never an allow that left none behind.
 */
#include <sodium.h>
#include <tenuo/tenuo.h>

#include "stage.h"
#include "tap.h"

#define T0 1700000000

void *__real_malloc(size_t n);
void *__real_calloc(size_t n, size_t size);
void *__real_realloc(void *p, size_t n);
void *__wrap_malloc(size_t n);
void *__wrap_calloc(size_t n, size_t size);
void *__wrap_realloc(void *p, size_t n);

static long fail_at = -1, count;

static int fails(void)
{
    return fail_at >= 0 && count++ == fail_at;
}

void *__wrap_malloc(size_t n) { return fails() ? NULL : __real_malloc(n); }
void *__wrap_calloc(size_t n, size_t size) { return fails() ? NULL : __real_calloc(n, size); }
void *__wrap_realloc(void *p, size_t n) { return fails() ? NULL : __real_realloc(p, n); }

static struct tenuo_signer *root, *holder;
static struct tenuo_verifier *verifier;
static struct tenuo_stack *stack;
static struct tenuo_args *args;
static struct tenuo_request *request;
static struct tenuo_ctx *ctx;
static uint8_t bytes[4096], pop[64], hash[32];
static size_t len;

static void must(int r, const char *what)
{
    if (r == TENUO_OK)
        return;
    printf("Bail out! %s: %d\n", what, r);
    exit(1);
}

static int make(uint8_t **ret, size_t *ret_len)
{
    struct tenuo_receipt_fields f = { .size = sizeof f,
                                      .allow = 1,
                                      .tool = "t",
                                      .tool_len = 1,
                                      .warrant_chain = bytes,
                                      .warrant_chain_len = len,
                                      .timestamp = T0,
                                      .request_hash = hash,
                                      .pop_signature = pop,
                                      .request_id = "r",
                                      .request_id_len = 1 };
    int r = tenuo_verifier_roots_hash(verifier, hash, NULL);
    memset(hash, 1, sizeof hash);
    return r != 0 ? r : tenuo_receipt_sign(&f, root, ret, ret_len, NULL);
}

static int whole_life(void)
{
    struct tenuo_receipt *receipt = NULL;
    struct tenuo_receipt_chain *chain = NULL;
    struct tenuo_receipt_fields f;
    uint8_t *wire = NULL, *message = NULL;
    size_t n = 0, m = 0;
    int r = make(&wire, &n);
    r = r != 0 ? r : tenuo_receipt_parse(wire, n, &receipt, NULL);
    r = r != 0 ? r : tenuo_receipt_check_chain(receipt, verifier, NULL);
    r = r != 0 ? r : tenuo_receipt_check_pop(receipt, args, T0, 5, NULL);
    r = r != 0 ? r : tenuo_receipt_chain_new(NULL, NULL, &chain, NULL);
    r = r != 0 ? r : tenuo_receipt_chain_add(chain, receipt, NULL);
    if (r == 0) {
        f = *tenuo_receipt_get_fields(receipt);
        r = tenuo_receipt_prepare(&f, &message, &m, NULL);
    }
    tenuo_bytes_free(message, m);
    tenuo_bytes_free(wire, n);
    tenuo_receipt_chain_free(chain);
    tenuo_receipt_free(receipt);
    return r;
}

static size_t lines(const char *path)
{
    size_t n = 0, found = 0;
    char *text = stage_read(path, &n);
    for (size_t i = 0; text != NULL && i < n; i++)
        found += text[i] == '\n';
    free(text);
    return found;
}

/* An allow, or why not; -1 for an allow without its receipt. */
static int decide(void)
{
    struct tenuo_decision *d = NULL;
    long saved = fail_at;
    fail_at = -1;
    size_t before = lines(stage_path("j"));
    fail_at = saved;
    int r = tenuo_ctx_authorize_at(ctx, bytes, len, request, T0, &d, NULL);
    fail_at = -1;
    if (r == TENUO_OK && tenuo_decision_outcome(d) != TENUO_ALLOW)
        r = tenuo_decision_code(d);
    if (r == TENUO_OK && lines(stage_path("j")) != before + 1)
        r = -1;
    tenuo_decision_free(d);
    return r;
}

static void fail_each(const char *name, int (*run)(void), unsigned least)
{
    unsigned wrong = 0, runs = 0;
    for (long n = 0; n < 2000; n++) {
        fail_at = n;
        count = 0;
        int r = run();
        fail_at = -1;
        runs++;
        wrong += r == -1 || (r == TENUO_OK && count > n);
        if (count <= n) {
            is_int(r, 0, "%s succeeds when memory is there again", name);
            break;
        }
    }
    ok(wrong == 0 && runs > least, "%s: %u allocations failed in turn, each was an error", name, runs);
}

static void make_call(void)
{
    static const uint8_t cbor[] = { 0xa1, 0x61, 'a', 0x01 };
    struct tenuo_verifier_builder *b = NULL;
    struct tenuo_mint *m = NULL;
    uint8_t seed[32] = { 1 };
    must(tenuo_signer_from_seed(seed, &root, NULL), "root");
    memset(seed, 7, sizeof seed);
    must(tenuo_signer_from_seed(seed, &holder, NULL), "holder");
    must(tenuo_verifier_builder_new(&b, NULL), "builder");
    must(tenuo_verifier_builder_add_root(b, tenuo_signer_public_key(root), NULL), "add root");
    tenuo_verifier_builder_set_link_cache(b, 0);
    must(tenuo_verifier_builder_build(b, &verifier, NULL), "verifier");
    tenuo_verifier_builder_free(b);
    must(tenuo_mint_root(&m, NULL), "mint");
    must(tenuo_mint_set_holder(m, tenuo_signer_public_key(holder), NULL), "holder");
    must(tenuo_mint_add_tool(m, "t", 1, NULL, NULL), "tool");
    must(tenuo_mint_sign(m, root, T0, &stack, NULL), "sign");
    tenuo_mint_free(m);
    len = sizeof bytes;
    must(tenuo_stack_encode(stack, TENUO_FORM_CBOR, bytes, &len, NULL), "encode");
    must(tenuo_args_parse(cbor, sizeof cbor, &args, NULL), "args");
    must(tenuo_pop_sign(holder, tenuo_stack_leaf(stack), "t", 1, args, T0, pop, NULL), "pop");
    must(tenuo_request_new("t", 1, &request, NULL), "request");
    must(tenuo_request_set_args(request, args, NULL), "args");
    tenuo_request_set_pop(request, pop);
}

static void open_context(const char *mocks)
{
    char from[4096], key[44];
    struct tenuo_error err = { 0 };
    stage_mkdir("plugins", 0755);
    snprintf(from, sizeof from, "%s/../../plugins/tenuo_receipt.so", mocks);
    stage_copy(from, "plugins/tenuo_receipt.so", 0755);
    snprintf(from, sizeof from, "%s/mock_good.so", mocks);
    stage_copy(from, "plugins/tenuo_good.so", 0755);
    tenuo_public_key_base64url(tenuo_signer_public_key(root), key);
    stage_text("roots.pub", key);
    snprintf(from, sizeof from,
             "set plugin_dir %s/plugins\nset receipt_key mock\nset link_cache off\n"
             "trust required file path=%s/roots.pub\n"
             "resolver required good path=/x\naudit required receipt path=%s/j fsync=no\n",
             stage_root, stage_root, stage_root);
    struct tenuo_open_options o = { .size = sizeof o, .conf = stage_text("tenuo.conf", from) };
    if (tenuo_open("", &o, &ctx, &err) != TENUO_OK)
        printf("Bail out! %s\n", err.msg), exit(1);
}

int main(int argc, char **argv)
{
    if (argc < 2 || sodium_init() < 0)
        return 2;
    stage_begin();
    make_call();
    open_context(argv[1]);
    is_int(whole_life(), 0, "a receipt");
    is_int(decide(), 0, "a decision with one");
    fail_each("a receipt's life", whole_life, 8);
    fail_each("a decision with a receipt", decide, 8);
    tenuo_ctx_unref(ctx);
    tenuo_request_free(request);
    tenuo_args_free(args);
    tenuo_stack_free(stack);
    tenuo_verifier_unref(verifier);
    tenuo_signer_free(root);
    tenuo_signer_free(holder);
    stage_end();
    return done_testing();
}
