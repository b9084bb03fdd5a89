/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A derived chain never allows what an ancestor denies. Chains of up to four warrants are made over small alphabets of
 * tools, arguments, constraints and approval gates, past the builder's own link check, so that the verifier alone
 * stands between a wider child and an allow. One key holds every warrant, so that each prefix of the chain can be asked
 * about the same call. Exceptions are those of fuzz_subset (H-11), recognised in the same way and counted apart.
 */
#include "fuzz.h"
#include "order_free.h"

#include "../core/cbor_write.h"
#include "../core/constraint.h"
#include "../core/mint.h"
#include "../core/signer.h"
#include <tenuo/key.h>

#define NOW 1700000000
#define LONGEST 4

static struct {
    unsigned long calls, allowed, exceptions;
} count;
static struct tenuo_signer *key;
static struct tenuo_verifier *verifier;

static void report(void)
{
    (void)printf("%lu calls, %lu allowed under a delegated warrant, %lu exceptions by order\n", count.calls,
                 count.allowed, count.exceptions);
}

static void set_up(void)
{
    static const uint8_t seed[32] = { 7 };
    struct tenuo_verifier_builder *builder = NULL;
    REQUIRE(tenuo_signer_from_seed(seed, &key, NULL) == 0 && tenuo_verifier_builder_new(&builder, NULL) == 0);
    REQUIRE(tenuo_verifier_builder_add_root(builder, tenuo_signer_public_key(key), NULL) == 0);
    if (gen_matchers() != NULL)
        tenuo_verifier_builder_set_matchers(builder, gen_matchers());
    REQUIRE(tenuo_verifier_builder_build(builder, &verifier, NULL) == 0);
    tenuo_verifier_builder_free(builder);
    (void)atexit(report);
}

static struct tenuo_constraint_set *make_set(struct source *source, const struct tenuo_constraint_set *parent)
{
    static const char *const names[] = { "p", "q" };
    struct tenuo_constraint_set *set = NULL;
    uint8_t choice = source_byte(source);
    REQUIRE(tenuo_constraint_set_new(&set, NULL) == 0);
    tenuo_constraint_set_allow_unknown(set, choice & 1);
    for (size_t i = 0; i < 2; i++) {
        const struct tenuo_constraint *from = parent == NULL ? NULL : tn_set_find(parent, tn_lit(names[i]));
        struct tenuo_constraint *c = NULL;
        struct gen bytes = { .len = 0 }, given = { .len = 0 };
        if (((choice >> (2 * i + 1)) & 3) != 3 && from == NULL)
            continue;
        if (from == NULL) {
            gen_constraint(&bytes, source, 0);
        } else {
            memcpy(given.bytes, from->raw.p, from->raw.n);
            given.len = from->raw.n;
            gen_narrowed(&bytes, &given, source);
        }
        if (tenuo_constraint_parse(bytes.bytes, bytes.len, &c, NULL) == 0)
            REQUIRE(tenuo_constraint_set_put(set, names[i], 1, c, NULL) == 0);
        tenuo_constraint_free(c);
    }
    return set;
}

static void add_tools(struct tenuo_mint *m, struct source *source)
{
    static const char *const tools[] = { "a", "b", "*" };
    uint8_t choice = source_byte(source);
    if ((choice & 7) == 0)
        choice |= 1;
    for (size_t i = 0; i < 3; i++) {
        const struct tn_tool *from = m->parent == NULL ? NULL : tn_warrant_find_tool(m->parent, tn_lit(tools[i]));
        if (((choice >> i) & 1) == 0)
            continue;
        if (from == NULL && m->parent != NULL)
            from = tn_warrant_find_tool(m->parent, tn_lit("*"));
        struct tenuo_constraint_set *set = make_set(source, from == NULL ? NULL : &from->set);
        REQUIRE(tenuo_mint_add_tool(m, tools[i], 1, set, NULL) == 0);
        tenuo_constraint_set_free(set);
    }
}

static struct tenuo_constraint *small_constraint(struct source *source)
{
    struct tenuo_constraint *c = NULL;
    struct gen bytes = { .len = 0 };
    gen_constraint(&bytes, source, source_byte(source) & 1 ? TENUO_C_ONE_OF : TENUO_C_EXACT);
    return tenuo_constraint_parse(bytes.bytes, bytes.len, &c, NULL) == 0 ? c : NULL;
}

/* A gate for some tools, and somebody who may approve. What the builder refuses is left out. */
static void add_gates(struct tenuo_mint *m, struct source *source)
{
    static const char *const tools[] = { "a", "b", "*" };
    uint8_t choice = source_byte(source), approver[32];
    memcpy(approver, tenuo_signer_public_key(key), sizeof approver);
    if (choice & 0x80)
        return;
    for (size_t i = 0; i < 3; i++) {
        struct tenuo_constraint *c = choice & 0x40 ? small_constraint(source) : NULL;
        enum tenuo_gate_kind kind = c == NULL     ? TENUO_GATE_ALL
                                    : choice & 8 ? TENUO_GATE_CONSTRAINT
                                                 : TENUO_GATE_EXEMPT;
        bool wanted = ((choice >> i) & 1) != 0;
        int ignored = 0;
        if (wanted && (choice & 0x10))
            ignored = tenuo_mint_add_gate(m, tools[i], 1, NULL);
        else if (wanted)
            ignored = tenuo_mint_add_arg_gate(m, tools[i], 1, "p", 1, kind, c, NULL);
        (void)ignored;
        tenuo_constraint_free(c);
    }
    if (choice & 7)
        REQUIRE(tenuo_mint_add_approver(m, approver, NULL) == 0);
}

/* The gates that the builder settled on give way to others, or to none. */
static void spoil_gates(struct tenuo_mint *m, struct source *source)
{
    static const char *const maps[] = {
        "\xa1\x61\x61\xa1\x64" "args\xf6",                         /* a: every call */
        "\xa1\x61\x2a\xa1\x64" "args\xf6",                         /* *: every call */
        "\xa1\x61\x61\xa1\x64" "args\xa0",                         /* a: no argument, so never */
        "\xa1\x61\x61\xa1\x64" "args\xa1\x61\x70\x63" "all",     /* a, by p */
        "\xa1\x61\x62\xa1\x64" "args\xf6"                          /* b: every call */
    };
    uint8_t choice = source_byte(source);
    size_t i = 0;
    while (i < m->nextensions && !tn_str_eq(m->extensions[i].key, tn_lit("tenuo.approval_gates")))
        i++;
    if (choice < 128 || i == m->nextensions)
        return;
    if (choice % 6 == 5)
        m->extensions[i] = m->extensions[--m->nextensions];
    else
        m->extensions[i].value = tn_lit(maps[choice % 6]);
    if (choice & 0x40)
        m->napprovers = 0;
}

/* Wrong values behind the builder's back, now and then. */
static void spoil(struct tenuo_mint *m, struct source *source)
{
    switch (source_byte(source) % 16) {
    case 1: m->expires_at += 100; break;
    case 2: m->issued_at -= 100; break;
    case 3: m->max_depth = 64; break;
    case 4: m->clearance = 50; break;
    case 5: m->depth++; break;
    case 6: m->max_depth = 0; break;
    default: spoil_gates(m, source); break;
    }
}

/* The signed warrant's envelope after the builder's settling, without its link check; false when settling refuses. */
static bool append(struct tenuo_mint *m, struct source *source, struct tn_buf *ret)
{
    struct tn_buf message = { 0 };
    uint8_t signature[64];
    if (tn_mint_settle(m, tenuo_signer_public_key(key), NOW - 50, NULL) != 0)
        return false;
    spoil(m, source);
    if (tn_mint_write(m, NULL) != 0)
        return false;
    tn_buf_put(&message, "\x01", 1);
    tn_buf_str(&message, tn_buf_view(&m->payload));
    REQUIRE(tn_signer_sign_own(key, message.p, message.n, signature, NULL) == 0);
    tn_buf_free(&message);
    tn_put_array(ret, 3);
    tn_put_uint(ret, 1);
    tn_put_bytes(ret, tn_buf_view(&m->payload));
    tn_put_array(ret, 2);
    tn_put_uint(ret, 1);
    tn_put_bytes(ret, (struct tn_str){ signature, 64 });
    return true;
}

/* One more warrant below `parent` (NULL: a root): the whole chain, or NULL when nothing decodes. */
static struct tenuo_stack *extend(const struct tenuo_stack *parent, struct source *source)
{
    struct tenuo_mint *m = NULL;
    struct tenuo_stack *stack = NULL;
    struct tn_buf own = { 0 }, all = { 0 };
    uint8_t id[16] = { (uint8_t)(parent == NULL ? 1 : 1 + parent->n) };
    REQUIRE((parent == NULL ? tenuo_mint_root(&m, NULL) : tenuo_mint_attenuate(parent, &m, NULL)) == 0);
    tenuo_mint_set_id(m, id);
    add_tools(m, source);
    add_gates(m, source);
    tenuo_mint_set_ttl(m, parent == NULL ? 1000 : 1000 - 100 * parent->n);
    if (append(m, source, &own)) {
        tn_put_array(&all, parent == NULL ? 1 : parent->n + 1);
        for (size_t i = 0; parent != NULL && i < parent->n; i++)
            tn_buf_str(&all, parent->w[i].envelope);
        tn_buf_str(&all, tn_buf_view(&own));
        (void)tn_stack_decode(tn_buf_view(&all), TN_STACK_ARRAY, NULL, false, &stack, NULL);
    }
    tn_buf_free(&all);
    tn_buf_free(&own);
    tenuo_mint_free(m);
    return stack;
}

static struct tenuo_args *make_args(struct source *source)
{
    static const char *const names[] = { "p", "q", "r" };
    struct tenuo_args *args = NULL;
    uint8_t choice = source_byte(source);
    REQUIRE(tenuo_args_new(&args, NULL) == 0);
    for (size_t i = 0; i < 3; i++) {
        struct tenuo_value *value = NULL;
        struct gen bytes = { .len = 0 };
        if (i == 2 ? (choice & 0xc0) != 0xc0 : ((choice >> i) & 1) != 0)
            continue;
        gen_value(&bytes, source);
        if (tenuo_value_parse(bytes.bytes, bytes.len, &value, NULL) == 0)
            REQUIRE(tenuo_args_put(args, names[i], 1, value, NULL) == 0);
        tenuo_value_free(value);
    }
    return args;
}

/* The step that decided: TENUO_STEP_DONE for an allow. */
static enum tenuo_step decided_at(const struct tenuo_stack *stack, const char *tool, const struct tenuo_args *args)
{
    struct tenuo_request *request = NULL;
    struct tenuo_decision *decision = NULL, *again = NULL;
    uint8_t pop[64];
    REQUIRE(tenuo_pop_sign(key, tenuo_stack_leaf(stack), tool, 1, args, NOW, pop, NULL) == 0);
    REQUIRE(tenuo_request_new(tool, 1, &request, NULL) == 0 && tenuo_request_set_args(request, args, NULL) == 0);
    tenuo_request_set_pop(request, pop);
    REQUIRE(tenuo_authorize_stack(verifier, stack, request, NOW, &decision, NULL) == 0);
    REQUIRE(tenuo_authorize_stack(verifier, stack, request, NOW, &again, NULL) == 0);
    enum tenuo_step step = tenuo_decision_step(decision);
    REQUIRE((step == TENUO_STEP_DONE) == (tenuo_decision_outcome(decision) == TENUO_ALLOW));
    REQUIRE(tenuo_decision_code(decision) == tenuo_decision_code(again));
    tenuo_decision_free(again);
    tenuo_decision_free(decision);
    tenuo_request_free(request);
    count.calls++;
    return step;
}

/* Would the leaf allow the arguments if the order of branches did not count? */
static bool allows_order_free(const struct tenuo_stack *stack, const char *tool, const struct tenuo_args *args)
{
    const struct tenuo_warrant *leaf = tenuo_stack_leaf(stack);
    const struct tn_tool *t = tn_warrant_find_tool(leaf, tn_lit(tool));
    if (t == NULL)
        t = tn_warrant_find_tool(leaf, tn_lit("*"));
    for (size_t i = 0; t != NULL && i < t->set.n; i++) {
        const struct tn_arg *arg = tn_args_find(args, t->set.items[i].name);
        struct tenuo_value *value = NULL;
        if (arg == NULL || tenuo_value_parse(arg->value.p, arg->value.n, &value, NULL) != 0)
            return false;
        enum free_match m = order_free_match(t->set.items[i].constraint, value, gen_matchers());
        tenuo_value_free(value);
        if (m != FREE_YES)
            return false;
    }
    return t != NULL;
}

static void ask(struct tenuo_stack *const *chains, size_t n, struct source *source)
{
    const char *tool = source_byte(source) & 1 ? "a" : "b";
    struct tenuo_args *args = make_args(source);
    for (size_t i = n; i-- > 1;) {
        if (decided_at(chains[i], tool, args) != TENUO_STEP_DONE)
            continue;
        count.allowed++;
        for (size_t above = 0; above < i; above++) {
            enum tenuo_step step = decided_at(chains[above], tool, args);
            if (step == TENUO_STEP_DONE)
                continue;
            bool explained_by_order =
                step == TENUO_STEP_CONSTRAINT && allows_order_free(chains[above], tool, args);
            REQUIRE(explained_by_order);
            count.exceptions++;
        }
        break; /* the prefixes of this one have been asked */
    }
    tenuo_args_free(args);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct source source = { data, size };
    struct tenuo_stack *chains[LONGEST];
    size_t n = 0, wanted = 2 + source_byte(&source) % (LONGEST - 1);
    if (verifier == NULL)
        set_up();
    while (n < wanted) {
        chains[n] = extend(n == 0 ? NULL : chains[n - 1], &source);
        if (chains[n] == NULL)
            break;
        n++;
    }
    for (size_t calls = 0; n > 1 && calls < 4; calls++)
        ask(chains, n, &source);
    while (n-- > 0)
        tenuo_stack_free(chains[n]);
    return 0;
}
