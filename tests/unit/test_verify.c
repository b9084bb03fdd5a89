/* SPDX-License-Identifier: Apache-2.0 */
/* Decisions beyond the vectors: order of checks, pop_as_of and its bound, root windows, the link cache, both entry
 * points, threads. */
#include "tap.h"

#include <pthread.h>
#include <stdlib.h>
#include <tenuo/tenuo.h>

#define T0 1700000000

static struct tenuo_signer *root, *holder, *other;
static struct tenuo_stack *stack;
static uint8_t *bytes;
static size_t len;

static struct tenuo_signer *seeded(uint8_t v)
{
    uint8_t seed[32];
    struct tenuo_signer *s = NULL;
    memset(seed, v, sizeof seed);
    return tenuo_signer_from_seed(seed, &s, NULL) == TENUO_OK ? s : NULL;
}

static void make_stack(void)
{
    struct tenuo_mint *m = NULL;
    int r = tenuo_mint_root(&m, NULL);
    r = r != 0 ? r : tenuo_mint_set_holder(m, tenuo_signer_public_key(holder), NULL);
    r = r != 0 ? r : tenuo_mint_add_tool(m, "read", 4, NULL, NULL);
    tenuo_mint_set_clearance(m, 20);
    tenuo_mint_set_ttl(m, 3600);
    r = r != 0 ? r : tenuo_mint_sign(m, root, T0, &stack, NULL);
    r = r != 0 ? r : tenuo_stack_encode(stack, TENUO_FORM_CBOR, NULL, &len, NULL);
    bytes = malloc(len);
    r = r != 0 && r != TENUO_E_INVALID_ARGUMENT ? r : tenuo_stack_encode(stack, TENUO_FORM_CBOR, bytes, &len, NULL);
    is_int(r, 0, "a warrant to decide about");
    tenuo_mint_free(m);
}

struct setup {
    const char *tool;
    const struct tenuo_signer *signer;
    int64_t signed_at, as_of, pop_as_of;
    uint32_t bound, windows, cache;
    uint64_t not_before, not_after;
    int clearance; /* required for read; -1: none */
};

static struct setup usual(void)
{
    return (struct setup){ "read", holder, T0 + 10, T0 + 10, -1, 0, 5, 64, 0, UINT64_MAX, -1 };
}

static struct tenuo_verifier *verifier(const struct setup *s)
{
    struct tenuo_verifier_builder *b = NULL;
    struct tenuo_verifier *v = NULL;
    int r = tenuo_verifier_builder_new(&b, NULL);
    r = r != 0 ? r
               : tenuo_verifier_builder_add_root_valid(b, tenuo_signer_public_key(root), s->not_before, s->not_after,
                                                       NULL);
    tenuo_verifier_builder_set_pop_windows(b, s->windows);
    tenuo_verifier_builder_set_link_cache(b, s->cache);
    if (r == 0 && s->clearance >= 0)
        r = tenuo_verifier_builder_require_clearance(b, "re*", 3, (uint8_t)s->clearance, NULL);
    r = r != 0 ? r : tenuo_verifier_builder_build(b, &v, NULL);
    tenuo_verifier_builder_free(b);
    return r == 0 ? v : NULL;
}

static struct tenuo_request *request(const struct setup *s)
{
    struct tenuo_request *q = NULL;
    struct tenuo_signer *as = seeded(2); /* the warrant's holder signs unless another one is asked for */
    uint8_t pop[64];
    size_t n = strlen(s->tool);
    if (tenuo_request_new(s->tool, n, &q, NULL) != TENUO_OK)
        return NULL;
    if (s->signer == holder &&
        tenuo_pop_sign(as, tenuo_stack_leaf(stack), s->tool, n, NULL, s->signed_at, pop, NULL) == TENUO_OK)
        tenuo_request_set_pop(q, pop);
    if (s->signer == other) {
        memset(pop, 7, sizeof pop);
        tenuo_request_set_pop(q, pop);
    }
    if (s->pop_as_of >= 0)
        tenuo_request_set_pop_as_of(q, s->pop_as_of, s->bound);
    tenuo_signer_free(as);
    return q;
}

/* 0 for allow, else the code; -1 when the two entry points differ. */
static int decide(const struct setup *s)
{
    struct tenuo_verifier *v = verifier(s);
    struct tenuo_request *q = request(s);
    struct tenuo_decision *a = NULL, *b = NULL;
    int code = -2;
    if (tenuo_authorize(v, bytes, len, q, s->as_of, &a, NULL) == TENUO_OK &&
        tenuo_authorize_stack(v, stack, q, s->as_of, &b, NULL) == TENUO_OK)
        code = tenuo_decision_code(a) == tenuo_decision_code(b) ? tenuo_decision_code(a) : -1;
    if (code == 0 && tenuo_decision_outcome(a) != TENUO_ALLOW)
        code = -3;
    tenuo_decision_free(a);
    tenuo_decision_free(b);
    tenuo_request_free(q);
    tenuo_verifier_unref(v);
    return code;
}

static void test_order(void)
{
    struct setup s = usual();
    is_int(decide(&s), 0, "the usual call is allowed");
    s.tool = "write";
    is_int(decide(&s), 1500, "another tool is not");
    s.signer = other;
    is_int(decide(&s), 1100, "without possession nobody learns about tools");
    s.signer = NULL;
    is_int(decide(&s), 1100, "no proof at all");
    s = usual();
    s.clearance = 20;
    is_int(decide(&s), 0, "clearance as high as required");
    s.clearance = 21;
    is_int(decide(&s), 1500, "clearance too low");
    s = usual();
    s.windows = 0;
    is_int(decide(&s), 1100, "no windows accept nothing");
}

static void test_time(void)
{
    struct setup s = usual();
    s.as_of = T0 + 3599;
    s.signed_at = s.as_of;
    is_int(decide(&s), 0, "the last second");
    s.as_of = s.signed_at = T0 + 3600;
    is_int(decide(&s), 1300, "expired");
    s.as_of = s.signed_at = T0 - 30;
    is_int(decide(&s), 0, "issued within the clock tolerance");
    s.as_of = s.signed_at = T0 - 31;
    is_int(decide(&s), 1302, "issued in the future");
    s = usual();
    s.not_before = T0 + 10;
    s.not_after = T0 + 11;
    is_int(decide(&s), 0, "inside the root's window");
    s.not_before = T0 + 11;
    s.not_after = UINT64_MAX;
    is_int(decide(&s), 1406, "before the root's window");
    s.not_before = 0;
    s.not_after = T0 + 10;
    is_int(decide(&s), 1406, "after the root's window");
}

static void test_pop_as_of(void)
{
    struct setup s = usual();
    s.as_of = T0 + 1000;
    is_int(decide(&s), 1100, "a proof of long ago is stale");
    s.pop_as_of = T0 + 10;
    is_int(decide(&s), 1100, "a scheduled time helps nobody without a bound");
    s.bound = 990;
    is_int(decide(&s), 0, "within the bound");
    s.bound = 989;
    is_int(decide(&s), 1100, "one second beyond it");
    s.pop_as_of = T0 + 5000;
    is_int(decide(&s), 1100, "a scheduled time in the future counts as now");
    s.as_of = T0 + 3600;
    s.pop_as_of = T0 + 10;
    s.bound = 10000;
    is_int(decide(&s), 1300, "expiry is judged now, not then");
}

static struct tenuo_verifier *shared;
static struct tenuo_request *shared_request;

static void *hammer(void *arg)
{
    long *wrong = arg;
    for (int i = 0; i < 300; i++) {
        struct tenuo_decision *d = NULL;
        if (tenuo_authorize(shared, bytes, len, shared_request, T0 + 10, &d, NULL) != TENUO_OK ||
            tenuo_decision_outcome(d) != TENUO_ALLOW)
            ++*wrong;
        tenuo_decision_free(d);
    }
    return NULL;
}

static void test_threads(void)
{
    struct setup s = usual();
    pthread_t t[4];
    long wrong[4] = { 0 };
    s.cache = 4; /* small: threads evict each other */
    shared = verifier(&s);
    shared_request = request(&s);
    for (size_t i = 0; i < 4; i++)
        pthread_create(&t[i], NULL, hammer, &wrong[i]);
    for (size_t i = 0; i < 4; i++)
        pthread_join(t[i], NULL);
    is_int(wrong[0] + wrong[1] + wrong[2] + wrong[3], 0, "four threads share a verifier");
    tenuo_request_free(shared_request);
    tenuo_verifier_unref(shared);
}

/* A flipped bit in what was cached is another link: the cache may never vouch for it. */
static void test_cache_vouches_for_bytes_alone(void)
{
    struct setup s = usual();
    struct tenuo_verifier *v = verifier(&s);
    unsigned accepted = 0;
    struct tenuo_decision *d = NULL;
    ok(tenuo_verify(v, bytes, len, T0, &d, NULL) == TENUO_OK && tenuo_decision_outcome(d) == TENUO_ALLOW, "warmed up");
    tenuo_decision_free(d);
    for (size_t i = 0; i < len * 8; i++) {
        d = NULL;
        bytes[i / 8] ^= (uint8_t)(1u << (i % 8));
        if (tenuo_verify(v, bytes, len, T0, &d, NULL) == TENUO_OK && tenuo_decision_outcome(d) != TENUO_DENY)
            accepted++;
        tenuo_decision_free(d);
        bytes[i / 8] ^= (uint8_t)(1u << (i % 8));
    }
    is_int(accepted, 0, "every single bit flip is refused");
    tenuo_verifier_unref(v);
}

static void test_no_request(void)
{
    struct setup s = usual();
    struct tenuo_verifier *v = verifier(&s);
    struct tenuo_decision *d = NULL;
    is_int(tenuo_authorize(v, bytes, len, NULL, T0, &d, NULL), TENUO_E_INVALID_ARGUMENT, "no request, no decision");
    is_int(tenuo_authorize_stack(v, stack, NULL, T0, &d, NULL), TENUO_E_INVALID_ARGUMENT, "nor for a parsed stack");
    ok(d == NULL, "and nothing that could be read as an allow");
    tenuo_verifier_unref(v);
}

int main(void)
{
    root = seeded(1);
    holder = seeded(2);
    other = seeded(3);
    make_stack();
    test_order();
    test_time();
    test_pop_as_of();
    test_no_request();
    test_threads();
    test_cache_vouches_for_bytes_alone();
    tenuo_stack_free(stack);
    free(bytes);
    tenuo_signer_free(root);
    tenuo_signer_free(holder);
    tenuo_signer_free(other);
    return done_testing();
}
