/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Every allocation of minting, decoding and deciding fails in turn (linked with --wrap): each ends in 9000, never in an
 * allow, a denial that blames the call, a crash, a leak (run under ASan) or a changed output.
 */
#include "tap.h"

#include <stdlib.h>
#include <tenuo/tenuo.h>

#define T0 1700000000

void *__real_malloc(size_t n);
void *__real_calloc(size_t n, size_t size);
void *__real_realloc(void *p, size_t n);
void *__wrap_malloc(size_t n);
void *__wrap_calloc(size_t n, size_t size);
void *__wrap_realloc(void *p, size_t n);

static long fail_at = -1, count; /* -1: never */

static int fails(void)
{
    return fail_at >= 0 && count++ == fail_at;
}

void *__wrap_malloc(size_t n) { return fails() ? NULL : __real_malloc(n); }
void *__wrap_calloc(size_t n, size_t size) { return fails() ? NULL : __real_calloc(n, size); }
void *__wrap_realloc(void *p, size_t n) { return fails() ? NULL : __real_realloc(p, n); }

static struct tenuo_signer *root, *holder;
static struct tenuo_verifier *verifier;
static uint8_t bytes[4096];
static size_t len;

static int make_set(struct tenuo_constraint_set **ret)
{
    struct tenuo_constraint *url = NULL, *path = NULL, *any = NULL;
    struct tenuo_constraint_set *set = NULL;
    const struct tenuo_constraint *both[2];
    int r = tenuo_constraint_text(TENUO_C_URL_PATTERN, "https://*.example.com/a/*", 25, &url, NULL);
    r = r != 0 ? r : tenuo_constraint_subpath("/data", 5, 1, 1, &path, NULL);
    both[0] = url;
    both[1] = path;
    r = r != 0 ? r : tenuo_constraint_combine(TENUO_C_ANY, both, 2, &any, NULL);
    r = r != 0 ? r : tenuo_constraint_set_new(&set, NULL);
    r = r != 0 ? r : tenuo_constraint_set_put(set, "where", 5, any, NULL);
    tenuo_constraint_free(url);
    tenuo_constraint_free(path);
    tenuo_constraint_free(any);
    if (r != TENUO_OK)
        tenuo_constraint_set_free(set);
    else
        *ret = set;
    return r;
}

static int mint(void)
{
    struct tenuo_constraint_set *set = NULL;
    struct tenuo_mint *m = NULL;
    struct tenuo_stack *s = NULL;
    size_t n = sizeof bytes;
    int r = make_set(&set);
    r = r != 0 ? r : tenuo_mint_root(&m, NULL);
    r = r != 0 ? r : tenuo_mint_set_holder(m, tenuo_signer_public_key(holder), NULL);
    r = r != 0 ? r : tenuo_mint_add_tool(m, "fetch", 5, set, NULL);
    r = r != 0 ? r : tenuo_mint_set_agent_id(m, "a", 1, NULL);
    r = r != 0 ? r : tenuo_mint_sign(m, root, T0, &s, NULL);
    r = r != 0 ? r : tenuo_stack_encode(s, TENUO_FORM_CBOR, bytes, &n, NULL);
    if (r == 0)
        len = n;
    tenuo_stack_free(s);
    tenuo_mint_free(m);
    tenuo_constraint_set_free(set);
    return r;
}

static int decide(void)
{
    static const uint8_t args_cbor[] = { 0xa1, 0x65, 'w', 'h', 'e', 'r', 'e', 0x78, 0x1c, 'h', 't', 't', 'p',
                                         's',  ':',  '/', '/', 'x', '.', 'e', 'x',  'a',  'm', 'p', 'l', 'e',
                                         '.',  'c',  'o', 'm', '/', 'a', '/', 'b',  'c',  'd', 'e' };
    struct tenuo_args *args = NULL;
    struct tenuo_request *q = NULL;
    struct tenuo_stack *s = NULL;
    struct tenuo_decision *d = NULL;
    uint8_t pop[64];
    int r = tenuo_args_parse(args_cbor, sizeof args_cbor, &args, NULL);
    r = r != 0 ? r : tenuo_stack_parse(bytes, len, &s, NULL);
    r = r != 0 ? r : tenuo_pop_sign(holder, tenuo_stack_leaf(s), "fetch", 5, args, T0, pop, NULL);
    r = r != 0 ? r : tenuo_request_new("fetch", 5, &q, NULL);
    r = r != 0 ? r : tenuo_request_set_args(q, args, NULL);
    if (r == 0) {
        tenuo_request_set_pop(q, pop);
        r = tenuo_authorize(verifier, bytes, len, q, T0, &d, NULL);
    }
    if (r == 0 && tenuo_decision_outcome(d) != TENUO_ALLOW)
        r = tenuo_decision_code(d);
    tenuo_decision_free(d);
    tenuo_stack_free(s);
    tenuo_request_free(q);
    tenuo_args_free(args);
    return r;
}

/* A gated root and a child with a gate more. */
static int mint_gated(void)
{
    struct tenuo_constraint *c = NULL;
    struct tenuo_mint *m = NULL;
    struct tenuo_stack *s = NULL, *child = NULL;
    size_t n = sizeof bytes;
    int r = tenuo_mint_root(&m, NULL);
    r = r != 0 ? r : tenuo_mint_set_holder(m, tenuo_signer_public_key(holder), NULL);
    r = r != 0 ? r : tenuo_mint_add_tool(m, "fetch", 5, NULL, NULL);
    r = r != 0 ? r : tenuo_mint_add_approver(m, tenuo_signer_public_key(root), NULL);
    r = r != 0 ? r : tenuo_constraint_text(TENUO_C_PATTERN, "a*", 2, &c, NULL);
    r = r != 0 ? r : tenuo_mint_add_arg_gate(m, "fetch", 5, "x", 1, TENUO_GATE_EXEMPT, c, NULL);
    r = r != 0 ? r : tenuo_mint_set_gate_message(m, "fetch", 5, "why", 3, NULL);
    r = r != 0 ? r : tenuo_mint_sign(m, root, T0, &s, NULL);
    tenuo_mint_free(m);
    m = NULL;
    r = r != 0 ? r : tenuo_mint_attenuate(s, &m, NULL);
    r = r != 0 ? r : tenuo_mint_keep_all(m, NULL);
    r = r != 0 ? r : tenuo_mint_add_gate(m, "*", 1, NULL);
    r = r != 0 ? r : tenuo_mint_sign(m, holder, T0, &child, NULL);
    r = r != 0 ? r : tenuo_stack_encode(child, TENUO_FORM_CBOR, bytes, &n, NULL);
    if (r == 0)
        len = n;
    tenuo_stack_free(s);
    tenuo_stack_free(child);
    tenuo_mint_free(m);
    tenuo_constraint_free(c);
    return r;
}

static int approve(const uint8_t hash[32], struct tenuo_request *q)
{
    struct tenuo_approve *a = NULL;
    struct tenuo_approval *made = NULL;
    const uint8_t *p;
    size_t n = 0;
    int r = tenuo_approve_new(hash, &a, NULL);
    r = r != 0 ? r : tenuo_approve_set_external_id(a, "me", 2, NULL);
    r = r != 0 ? r : tenuo_approve_add_extension(a, "k", 1, (const uint8_t *)"v", 1, NULL);
    r = r != 0 ? r : tenuo_approve_sign(a, root, T0, &made, NULL);
    if (r == 0) {
        p = tenuo_approval_bytes(made, &n);
        r = tenuo_request_add_approvals(q, p, n, NULL);
    }
    tenuo_approval_free(made);
    tenuo_approve_free(a);
    return r;
}

static unsigned allowed; /* without an approval */

/* The call is denied, approved, and allowed. */
static int decide_gated(void)
{
    struct tenuo_request *q = NULL;
    struct tenuo_stack *s = NULL;
    struct tenuo_decision *d = NULL, *again = NULL;
    struct tenuo_approval_request *wanted = NULL;
    struct tenuo_approval_request_view v;
    uint8_t pop[64];
    int r = tenuo_stack_parse(bytes, len, &s, NULL);
    r = r != 0 ? r : tenuo_pop_sign(holder, tenuo_stack_leaf(s), "fetch", 5, NULL, T0, pop, NULL);
    r = r != 0 ? r : tenuo_request_new("fetch", 5, &q, NULL);
    if (r == 0) {
        tenuo_request_set_pop(q, pop);
        r = tenuo_authorize(verifier, bytes, len, q, T0, &d, NULL);
    }
    if (r == 0 && tenuo_decision_outcome(d) == TENUO_ALLOW)
        allowed++;
    if (r == 0 && tenuo_decision_code(d) != TENUO_E_APPROVAL_REQUIRED)
        r = tenuo_decision_code(d) == 0 ? TENUO_E_APPROVAL_REQUIRED : tenuo_decision_code(d);
    r = r != 0 ? r : tenuo_approval_request_copy(tenuo_decision_approval_request(d), &wanted, NULL);
    if (r == 0) {
        tenuo_approval_request_get(wanted, &v);
        r = tenuo_approval_request_check(&v, verifier, tenuo_stack_leaf(s), T0, NULL);
    }
    r = r != 0 ? r : approve(v.request_hash, q);
    r = r != 0 ? r : tenuo_authorize(verifier, bytes, len, q, T0, &again, NULL);
    if (r == 0)
        r = tenuo_decision_code(again);
    tenuo_approval_request_free(wanted);
    tenuo_decision_free(d);
    tenuo_decision_free(again);
    tenuo_stack_free(s);
    tenuo_request_free(q);
    return r;
}

/* Fails the n-th allocation for every n until none was left to fail. */
static void fail_each(const char *name, int (*run)(void))
{
    unsigned wrong = 0, runs = 0;
    for (long n = 0; n < 2000; n++) {
        int r;
        fail_at = n;
        count = 0;
        r = run();
        fail_at = -1;
        runs++;
        if (count <= n) { /* nothing failed any more */
            is_int(r, 0, "%s succeeds when memory is there again", name);
            break;
        }
        if (r != TENUO_E_NOMEM)
            wrong++;
    }
    ok(wrong == 0 && runs > 0, "%s: %u allocations failed in turn, each was 9000", name, runs);
}

/* A constraint on text, the same below a Not, and a value that it allows. */
static struct judged {
    const char *name;
    int (*make)(struct tenuo_constraint **ret);
    struct tenuo_constraint *plain, *not;
    struct tenuo_value *value;
} *judged;

static char long_path[3000]; /* too long for the stack */

static int url_pattern(struct tenuo_constraint **ret)
{
    return tenuo_constraint_text(TENUO_C_URL_PATTERN, "https://*.example.com/a/*", 25, ret, NULL);
}

static int url_safe(struct tenuo_constraint **ret)
{
    static const char *const yes[] = { "*.example.com" }, *const nobody[] = { "bad.example.com" };
    struct tenuo_url_safe o = TENUO_URL_SAFE_INIT;
    o.allow_domains = yes;
    o.deny_domains = nobody;
    o.nallow_domains = o.ndeny_domains = 1;
    return tenuo_constraint_url_safe(&o, ret, NULL);
}

static int subpath(struct tenuo_constraint **ret)
{
    return tenuo_constraint_subpath(long_path, sizeof long_path - 1, 1, 1, ret, NULL);
}

static int remake(void)
{
    struct tenuo_constraint *c = NULL;
    int r = judged->make(&c);
    tenuo_constraint_free(c);
    return r;
}

static int match_plain(void)
{
    int match = TENUO_MATCH;
    return tenuo_constraint_match(judged->plain, judged->value, NULL, T0, &match, NULL);
}

static int match_not(void)
{
    int match = TENUO_MATCH;
    return tenuo_constraint_match(judged->not, judged->value, NULL, T0, &match, NULL);
}

static int narrow_plain(void)
{
    return tenuo_constraint_attenuates(judged->plain, judged->plain, NULL, T0, NULL);
}

static int narrow_not(void)
{
    return tenuo_constraint_attenuates(judged->not, judged->not, NULL, T0, NULL);
}

/* An answer that was never found is neither yes nor no, also where a Not would turn it round. */
static void judge_each(void)
{
    static const char url[] = "https://www.example.com/a/b";
    static const struct {
        const char *name;
        int (*run)(void);
    } runs[] = { { "making", remake },
                 { "matching", match_plain },
                 { "matching below Not", match_not },
                 { "narrowing", narrow_plain },
                 { "narrowing below Not", narrow_not } };
    struct judged rows[] = { { .name = "UrlPattern", .make = url_pattern },
                                   { .name = "UrlSafe", .make = url_safe },
                                   { .name = "Subpath", .make = subpath } };
    memset(long_path, 'x', sizeof long_path - 1);
    long_path[0] = '/';
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        const char *text = rows[i].make == subpath ? long_path : url;
        judged = &rows[i];
        int r = judged->make(&judged->plain);
        const struct tenuo_constraint *inner = judged->plain;
        r = r != 0 ? r : tenuo_constraint_combine(TENUO_C_NOT, &inner, 1, &judged->not, NULL);
        r = r != 0 ? r : tenuo_value_string(text, strlen(text), &judged->value, NULL);
        is_int(r, 0, "a %s", judged->name);
        for (size_t k = 0; k < sizeof runs / sizeof *runs; k++) {
            char name[64];
            snprintf(name, sizeof name, "%s: %s", judged->name, runs[k].name);
            fail_each(name, runs[k].run);
        }
        tenuo_constraint_free(judged->plain);
        tenuo_constraint_free(judged->not);
        tenuo_value_free(judged->value);
    }
}

static int start(void)
{
    struct tenuo_verifier_builder *b = NULL;
    uint8_t seed[32];
    int r;
    memset(seed, 1, sizeof seed);
    r = tenuo_signer_from_seed(seed, &root, NULL);
    memset(seed, 2, sizeof seed);
    r = r != 0 ? r : tenuo_signer_from_seed(seed, &holder, NULL);
    r = r != 0 ? r : tenuo_verifier_builder_new(&b, NULL);
    r = r != 0 ? r : tenuo_verifier_builder_add_root(b, tenuo_signer_public_key(root), NULL);
    tenuo_verifier_builder_set_link_cache(b, 0);
    r = r != 0 ? r : tenuo_verifier_builder_build(b, &verifier, NULL);
    tenuo_verifier_builder_free(b);
    return r;
}

int main(void)
{
    is_int(start(), 0, "keys and a verifier");
    is_int(mint(), 0, "minting");
    is_int(decide(), 0, "deciding");
    judge_each();
    fail_each("minting", mint);
    fail_each("deciding", decide);
    is_int(mint_gated(), 0, "minting gates");
    is_int(decide_gated(), 0, "deciding with an approval");
    fail_each("minting gates", mint_gated);
    fail_each("deciding with an approval", decide_gated);
    is_int(allowed, 0, "no call went through without its approval");
    tenuo_verifier_unref(verifier);
    tenuo_signer_free(root);
    tenuo_signer_free(holder);
    return done_testing();
}
