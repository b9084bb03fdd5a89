/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Keys in moto through the library: a configuration with one line, a warrant for the key, a call signed and allowed,
 * rotation, the old version, removal, an outage in between. Arguments: the plugins' folder, moto_server.py.
 */
#include <tenuo/tenuo.h>
#include <time.h>

#include "../services/moto.h"

static struct tenuo_signer *root_key;
static struct tenuo_error err;

static void must(int r, const char *what)
{
    if (r == TENUO_OK)
        return;
    printf("Bail out! %s: %d %s\n", what, r, err.msg);
    exit(1);
}

static double now_ms(void)
{
    struct timespec ts;
    clock_gettime(CLOCK_MONOTONIC, &ts);
    return (double)ts.tv_sec * 1e3 + (double)ts.tv_nsec / 1e6;
}

static struct tenuo_ctx *open_with(const char *line)
{
    char conf[2048], plugins[128];
    struct tenuo_ctx *ctx = NULL;
    snprintf(conf, sizeof conf,
             "set key_cache 1s\ntrust required file path=%s/roots.pub\nresolver required aws region=eu-west-1 "
             "endpoint=http://127.0.0.1:%d timeout=10s %s\n",
             stage_root, moto_port("front"), line);
    snprintf(plugins, sizeof plugins, "%s/plugins", stage_root);
    struct tenuo_open_options o = { .size = sizeof o, .conf = stage_text("tenuo.conf", conf), .plugin_dir = plugins };
    must(tenuo_open("", &o, &ctx, &err), "tenuo_open");
    return ctx;
}

static struct tenuo_stack *warrant_for(const uint8_t holder[32])
{
    struct tenuo_mint *mint = NULL;
    struct tenuo_constraint_set *set = NULL;
    struct tenuo_stack *stack = NULL;
    must(tenuo_constraint_set_new(&set, &err), "set");
    must(tenuo_mint_root(&mint, &err), "mint");
    must(tenuo_mint_add_tool(mint, "ping", 4, set, &err), "tool");
    must(tenuo_mint_set_holder(mint, holder, &err), "holder");
    tenuo_mint_set_ttl(mint, 3600);
    must(tenuo_mint_sign(mint, root_key, (uint64_t)time(NULL), &stack, &err), "sign");
    tenuo_mint_free(mint);
    tenuo_constraint_set_free(set);
    return stack;
}

/* The code of the first thing that fails: signer, proof of possession, decision. */
static int call_with(struct tenuo_ctx *ctx, const char *id, const uint8_t holder[32])
{
    struct tenuo_stack *stack = warrant_for(holder);
    struct tenuo_signer *signer = NULL;
    struct tenuo_args *args = NULL;
    struct tenuo_request *call = NULL;
    struct tenuo_decision *decision = NULL;
    uint8_t pop[64], wire[4096];
    size_t n = sizeof wire;
    must(tenuo_stack_encode(stack, TENUO_FORM_CBOR, wire, &n, &err), "encode");
    must(tenuo_args_new(&args, &err), "args");
    must(tenuo_request_new("ping", 4, &call, &err), "request");
    err.msg[0] = '\0';
    double began = now_ms();
    int r = tenuo_ctx_signer(ctx, id, 0, holder, &signer, &err);
    double looked_up = now_ms();
    if (r == TENUO_OK)
        r = tenuo_pop_sign(signer, tenuo_stack_leaf(stack), "ping", 4, args, time(NULL), pop, &err);
    if (r == TENUO_OK)
        printf("# %s: looked up in %.1f ms, signed in %.1f ms\n", id, looked_up - began, now_ms() - looked_up);
    if (r == TENUO_OK) {
        tenuo_request_set_pop(call, pop);
        r = tenuo_ctx_authorize(ctx, wire, n, call, &decision, &err);
    }
    if (r == TENUO_OK && tenuo_decision_code(decision) != 0)
        r = tenuo_decision_code(decision);
    tenuo_decision_free(decision);
    tenuo_request_free(call);
    tenuo_args_free(args);
    tenuo_signer_free(signer);
    tenuo_stack_free(stack);
    return r;
}

static void wait_for_cache(void)
{
    const struct timespec t = { 1, 100000000 };
    nanosleep(&t, NULL);
}

static void life(const char *line)
{
    uint8_t first[32], second[32];
    uint32_t version = 0;
    moto_as("admin");
    struct tenuo_ctx *ctx = open_with(line);
    printf("# %s\n", line);
    is_int(tenuo_store_generate(ctx, "aws", "agent", first, &version, &err), TENUO_OK, "provision: %s", err.msg);
    is_int(call_with(ctx, "agent", first), TENUO_OK, "a call is signed and allowed: %s", err.msg);
    is_int(tenuo_store_rotate(ctx, "aws", "agent", NULL, second, &version, &err), TENUO_OK, "rotate: %s", err.msg);
    is_int(call_with(ctx, "agent", second), TENUO_OK, "the new key signs: %s", err.msg);
    wait_for_cache();
    is_int(call_with(ctx, "agent@1", first), TENUO_OK, "the old one by its version: %s", err.msg);
    is_int(call_with(ctx, "agent", first), TENUO_OK, "and by the warrant that names it: %s", err.msg);
    is_int(call_with(ctx, "agent@1", second), TENUO_E_HOLDER_MISMATCH, "but not for another warrant");
    wait_for_cache();
    moto_do(json_pack("{ss sb}", "do", "moto", "run", 0));
    is_int(call_with(ctx, "agent", second), TENUO_E_UNAVAILABLE, "moto is down: no signature: %s", err.msg);
    moto_do(json_pack("{ss sb}", "do", "moto", "run", 1));
    wait_for_cache();
    wait_for_cache();
    is_int(call_with(ctx, "agent", second), TENUO_OK, "up again: %s", err.msg);
    is_int(tenuo_store_remove(ctx, "aws", "agent", &err), TENUO_OK, "remove: %s", err.msg);
    wait_for_cache();
    is_int(call_with(ctx, "agent", second), TENUO_E_KEY_NOT_FOUND, "gone: %s", err.msg);
    tenuo_ctx_unref(ctx);
}

/* moto has no Ed25519 key in KMS: a fake of ours in the front. */
static void fake_kms_signs(void)
{
    uint8_t key[32];
    struct tenuo_ctx *ctx = open_with("service=kms mode=sign");
    struct tenuo_stored_key found = { .size = sizeof found };
    moto_do(json_pack("{ss ss}", "do", "ed25519", "mode", "ok"));
    moto_as("sign");
    is_int(tenuo_store_describe(ctx, "aws", "signer", &found, &err), TENUO_OK, "fake KMS: describe: %s", err.msg);
    memcpy(key, found.public_key, sizeof key);
    is_int(call_with(ctx, "signer", key), TENUO_OK, "fake KMS: a call that KMS signs is allowed: %s", err.msg);
    moto_do(json_pack("{ss ss}", "do", "ed25519", "mode", "liar"));
    ok(call_with(ctx, "signer", key) != TENUO_OK, "fake KMS: a signature over something else is not used: %s", err.msg);
    moto_do(json_pack("{ss ss}", "do", "ed25519", "mode", "off"));
    tenuo_ctx_unref(ctx);
}

int main(int argc, char **argv)
{
    char from[4096], kms[256], pem[TENUO_PUBLIC_PEM_MAX_BYTES];
    if (argc < 3)
        return 1;
    stage_begin();
    moto_clean_environment();
    if (!moto_begin(argv[2])) {
        stage_end();
        return done_testing();
    }
    setenv("HOME", stage_root, 1);
    stage_mkdir("plugins", 0755);
    stage_mkdir("kms", 0700);
    snprintf(from, sizeof from, "%s/tenuo_aws.so", argv[1]);
    stage_copy(from, "plugins/tenuo_aws.so", 0755);
    must(tenuo_signer_generate(&root_key, &err), "root");
    tenuo_public_key_pem(tenuo_signer_public_key(root_key), pem);
    stage_text("roots.pub", pem);
    snprintf(kms, sizeof kms, "service=kms kms_key=alias/wrapping path=%s", stage_path("kms"));
    life("recovery=0");
    life("service=ssm");
    life(kms);
    fake_kms_signs();
    tenuo_signer_free(root_key);
    moto_end();
    stage_end();
    return done_testing();
}
