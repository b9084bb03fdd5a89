/* SPDX-License-Identifier: Apache-2.0 */
/* Calls that a token signs, through a configuration and the library: decided, in forked children too, before and after
 * the key is rotated and removed by the library's store operations; and what stays in memory. */
#include <sodium.h>
#include <tenuo/tenuo.h>

#include "pkcs11_env.h"
#include "tap.h"

#define NOW 1893456000

static void must(int r, const struct tenuo_error *err, const char *what)
{
    if (r == TENUO_OK)
        return;
    printf("Bail out! %s: %d %s\n", what, r, err->msg);
    exit(1);
}

static struct tenuo_ctx *open_ctx(const char *token, const char *pin)
{
    static const char line[] = "set plugin_dir %s\ntrust required file path=%s\n"
                               "resolver required pkcs11 uri=pkcs11:token=%s module=%s pin_file=%s\n";
    char conf[3 * PATH_MAX];
    struct tenuo_ctx *ctx = NULL;
    struct tenuo_error err = { 0 };
    snprintf(conf, sizeof conf, line, stage_path("plugins"), stage_path("roots.pub"), token, module, stage_path(pin));
    stage_text("tenuo.conf", conf);
    struct tenuo_open_options options = { .size = sizeof options, .conf = stage_path("tenuo.conf") };
    must(tenuo_open("test", &options, &ctx, &err), &err, "open");
    return ctx;
}

static struct tenuo_stack *warrant_for(const struct tenuo_signer *root, const uint8_t holder[32])
{
    struct tenuo_mint *mint = NULL;
    struct tenuo_stack *stack = NULL;
    struct tenuo_error err = { 0 };
    must(tenuo_mint_root(&mint, &err), &err, "mint");
    must(tenuo_mint_add_tool(mint, "read_file", 9, NULL, &err), &err, "tool");
    must(tenuo_mint_set_holder(mint, holder, &err), &err, "holder");
    tenuo_mint_set_ttl(mint, 86400);
    must(tenuo_mint_sign(mint, root, NOW - 60, &stack, &err), &err, "sign");
    tenuo_mint_free(mint);
    return stack;
}

/* Signs a call with the context's key and asks the context: the decision's code. */
static int decide(struct tenuo_ctx *ctx, const char *id, const struct tenuo_stack *stack, const uint8_t *holder)
{
    struct tenuo_signer *signer = NULL;
    struct tenuo_request *q = NULL;
    struct tenuo_args *args = NULL;
    struct tenuo_decision *d = NULL;
    struct tenuo_error err = { 0 };
    uint8_t pop[64], wire[4096];
    size_t len = sizeof wire;
    int r = tenuo_ctx_signer(ctx, id, 0, holder, &signer, &err);
    if (r != TENUO_OK)
        return r;
    must(tenuo_args_new(&args, &err), &err, "args");
    r = tenuo_pop_sign(signer, tenuo_stack_leaf(stack), "read_file", 9, args, NOW, pop, &err);
    tenuo_signer_free(signer);
    must(tenuo_request_new("read_file", 9, &q, &err), &err, "request");
    must(tenuo_request_set_args(q, args, &err), &err, "set args");
    must(tenuo_stack_encode(stack, TENUO_FORM_CBOR, wire, &len, &err), &err, "encode");
    if (r == TENUO_OK) {
        tenuo_request_set_pop(q, pop);
        r = tenuo_ctx_authorize_at(ctx, wire, len, q, NOW, &d, &err);
        r = r != TENUO_OK ? r : tenuo_decision_code(d);
    }
    tenuo_decision_free(d);
    tenuo_request_free(q);
    tenuo_args_free(args);
    return r;
}

/* In a child the line is opened anew; what the parent has stays the parent's. */
static int decide_in_child(struct tenuo_ctx *ctx, const struct tenuo_stack *stack)
{
    int status = 0;
    pid_t pid = fork();
    if (pid == 0)
        _exit(decide(ctx, "agent", stack, NULL) == TENUO_OK ? 0 : 1);
    return pid > 0 && waitpid(pid, &status, 0) == pid && WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static void through_the_library(const char *plugins)
{
    char path[4096], hex[66];
    uint8_t seed[32] = { 1 }, first[32], second[32];
    uint32_t v = 0;
    struct tenuo_signer *root = NULL, *signer = NULL;
    struct tenuo_error err = { 0 };
    snprintf(path, sizeof path, "%s/tenuo_pkcs11.so", plugins);
    stage_mkdir("plugins", 0755);
    stage_copy(path, "plugins/tenuo_pkcs11.so", 0755);
    must(tenuo_signer_from_seed(seed, &root, &err), &err, "root");
    sodium_bin2hex(hex, sizeof hex, tenuo_signer_public_key(root), 32);
    stage_text("roots.pub", hex);
    struct tenuo_ctx *ctx = open_ctx("tenuo", "pin");
    is_int(tenuo_store_generate(ctx, "pkcs11", "agent", first, &v, &err), TENUO_OK, "generate");
    struct tenuo_stack *old = warrant_for(root, first);
    is_int(decide(ctx, "agent", old, NULL), TENUO_OK, "a call that the token signed is allowed");
    is_int(decide_in_child(ctx, old), 0, "likewise in a forked child");
    is_int(decide(ctx, "agent", old, NULL), TENUO_OK, "and then again here");
    is_int(tenuo_store_rotate(ctx, "pkcs11", "agent", NULL, second, &v, &err), TENUO_OK, "rotate");
    struct tenuo_stack *new = warrant_for(root, second);
    is_int(decide(ctx, "agent", new, second), TENUO_OK, "the new key's calls are allowed");
    is_int(decide(ctx, "agent", old, first), TENUO_OK, "the old warrant finds its own version");
    is_int(tenuo_store_signer(ctx, "pkcs11", "agent@1", &signer, &err), TENUO_OK, "the old version can be named");
    ok(memcmp(tenuo_signer_public_key(signer), first, 32) == 0, "and is what it was");
    tenuo_signer_free(signer);
    is_int(decide(ctx, "agent", old, tenuo_signer_public_key(root)), TENUO_E_HOLDER_MISMATCH, "another holder: 9306");
    is_int(tenuo_store_remove(ctx, "pkcs11", "agent", &err), TENUO_OK, "remove");
    is_int(decide(ctx, "agent", new, NULL), TENUO_E_KEY_NOT_FOUND, "no key");
    tenuo_stack_free(old);
    tenuo_stack_free(new);
    tenuo_signer_free(root);
    tenuo_ctx_unref(ctx);
}

/* ---- what stays in memory ---- */

#if !defined __SANITIZE_ADDRESS__ && !defined __SANITIZE_THREAD__ /* whose own memory is not to be read */
#define MASK 0x5a

struct secret { /* masked, so that it does not find itself */
    uint8_t bytes[64];
    size_t n;
};

static struct secret masked(const void *bytes, size_t n)
{
    struct secret s = { .n = n };
    memcpy(s.bytes, bytes, n);
    for (size_t i = 0; i < n; i++)
        s.bytes[i] ^= MASK;
    return s;
}

static size_t found_in(const volatile uint8_t *p, size_t len, const struct secret *s)
{
    size_t count = 0;
    for (size_t i = 0; i + s->n <= len; i++) {
        size_t k = 0;
        while (k < s->n && (p[i + k] ^ MASK) == s->bytes[k])
            k++;
        count += k == s->n;
    }
    return count;
}

/* How often it stands in what this process can read and write; guarded pages cannot be read. */
static size_t found(const struct secret *s)
{
    char line[512], mode[8];
    unsigned long from, to;
    size_t count = 0;
    FILE *f = fopen("/proc/self/maps", "re");
    if (f == NULL)
        stage_die("maps");
    while (fgets(line, sizeof line, f) != NULL)
        if (sscanf(line, "%lx-%lx %7s", &from, &to, mode) == 3 && strncmp(mode, "rw", 2) == 0)
            count += found_in((const volatile uint8_t *)from, to - from, s);
    fclose(f);
    return count;
}

static void fill(uint8_t seed[32], char pin[49])
{
    uint8_t raw[24];
    randombytes_buf(seed, 32);
    randombytes_buf(raw, sizeof raw);
    sodium_bin2hex(pin, 49, raw, sizeof raw);
    sodium_memzero(raw, sizeof raw);
}

/* A PIN and a seed that pass through are gone when the line is closed, in whatever library. */
static void memory(void)
{
    char pin[49];
    uint8_t seed[32], key[32], pop[64];
    uint32_t v;
    struct tenuo_signer *signer = NULL;
    struct tenuo_error err = { 0 };
    fill(seed, pin);
    struct secret secret_pin = masked(pin, 48), secret_seed = masked(seed, 32);
    is_int((long long)found(&secret_pin), 1, "what is there is found");
    is_int(RUN("softhsm2-util", "--init-token", "--free", "--label", "memory", "--pin", pin, "--so-pin", "5678"), 0,
           "token");
    stage_write("memory.pin", pin, 48, 0600);
    sodium_memzero(pin, sizeof pin);
    struct tenuo_ctx *ctx = open_ctx("memory", "memory.pin");
    must(tenuo_signer_from_seed(seed, &signer, &err), &err, "signer");
    sodium_memzero(seed, sizeof seed);
    is_int(tenuo_store_import(ctx, "pkcs11", "m", signer, &v, &err), TENUO_OK, "import: %s", err.msg);
    memcpy(key, tenuo_signer_public_key(signer), sizeof key);
    struct tenuo_stack *stack = warrant_for(signer, key);
    tenuo_signer_free(signer);
    must(tenuo_ctx_signer(ctx, "m", 0, key, &signer, &err), &err, "signer");
    struct tenuo_args *args = NULL;
    must(tenuo_args_new(&args, &err), &err, "args");
    is_int(tenuo_pop_sign(signer, tenuo_stack_leaf(stack), "read_file", 9, args, NOW, pop, &err), TENUO_OK, "sign");
    is_int((long long)found(&secret_pin), 0, "no PIN while the line is open");
    tenuo_args_free(args);
    tenuo_signer_free(signer);
    tenuo_stack_free(stack);
    tenuo_ctx_unref(ctx);
    is_int((long long)found(&secret_pin), 0, "no PIN after close");
    is_int((long long)found(&secret_seed), 0, "no seed after close");
}
#else
static void memory(void)
{
}
#endif

int main(int argc, char **argv)
{
    stage_begin();
    if (!find_module() || !make_token("softhsm.conf", "tokens", "tenuo")) {
        skip_test("a real token", "softhsm2 is not installed");
    } else {
        stage_write("pin", "1234\n", 5, 0600);
        through_the_library(argc > 1 ? argv[1] : ".");
        memory();
    }
    stage_end();
    return done_testing();
}
