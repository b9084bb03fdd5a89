/* SPDX-License-Identifier: Apache-2.0 */
/* The steps of a decision, in order, with both sides of what a failing link compared. Children are made past the
 * builder's own link check, since nothing else would make a bad one. */
#include "tap.h"

#include "../../core/cbor_write.h"
#include "../../core/mint.h"
#include "../../core/signer.h"
#include <tenuo/tenuo.h>

#define T0 1700000000

static struct tenuo_signer *key;
static struct tenuo_verifier *verifier;

static struct tenuo_constraint_set *path_under(const char *dir)
{
    struct tenuo_constraint_set *set = NULL;
    struct tenuo_constraint *c = NULL;
    int r = tenuo_constraint_set_new(&set, NULL);
    r = r != 0 ? r : tenuo_constraint_subpath(dir, strlen(dir), 1, 1, &c, NULL);
    r = r != 0 ? r : tenuo_constraint_set_put(set, "path", 4, c, NULL);
    tenuo_constraint_free(c);
    return r == 0 ? set : NULL;
}

static void (*prepare)(struct tenuo_mint *m); /* what the warrant asks for besides */

/* A child that may read below `dir`, with what `spoil` does to it; decoded as a stack. */
static struct tenuo_stack *forge(const struct tenuo_stack *parent, const char *dir, void (*spoil)(struct tenuo_mint *m))
{
    struct tenuo_constraint_set *set = path_under(dir);
    struct tenuo_stack *stack = NULL;
    struct tn_buf message = { 0 }, all = { 0 };
    struct tenuo_mint *m = NULL;
    uint8_t signature[64], id[16] = { parent == NULL ? 1 : 2 };
    int r = parent == NULL ? tenuo_mint_root(&m, NULL) : tenuo_mint_attenuate(parent, &m, NULL);
    r = r != 0 ? r : tenuo_mint_add_tool(m, "read", 4, set, NULL);
    tenuo_mint_set_id(m, id);
    tenuo_mint_set_ttl(m, 600);
    if (prepare != NULL)
        prepare(m);
    r = r != 0 ? r : tn_mint_settle(m, tenuo_signer_public_key(key), T0, NULL);
    if (spoil != NULL)
        spoil(m);
    r = r != 0 ? r : tn_mint_write(m, NULL);
    tn_buf_put(&message, "\x01", 1);
    tn_buf_str(&message, tn_buf_view(&m->payload));
    r = r != 0 ? r : tn_signer_sign_own(key, message.p, message.n, signature, NULL);
    tn_put_array(&all, parent == NULL ? 1 : parent->n + 1);
    for (size_t i = 0; parent != NULL && i < parent->n; i++)
        tn_buf_str(&all, parent->w[i].envelope);
    tn_put_array(&all, 3);
    tn_put_uint(&all, 1);
    tn_put_bytes(&all, tn_buf_view(&m->payload));
    tn_put_array(&all, 2);
    tn_put_uint(&all, 1);
    tn_put_bytes(&all, (struct tn_str){ signature, 64 });
    r = r != 0 ? r : tn_stack_decode(tn_buf_view(&all), TN_STACK_ARRAY, NULL, false, &stack, NULL);
    is_int(r, 0, "a chain for the test");
    tn_buf_free(&message);
    tn_buf_free(&all);
    tenuo_mint_free(m);
    tenuo_constraint_set_free(set);
    return stack;
}

/* Steps as lines "step link code tool field parent child". */
struct said {
    char lines[4096];
    size_t n;
};

static void hear(void *arg, const struct tenuo_explanation *e)
{
    struct said *s = arg;
    int n = snprintf(s->lines + s->n, sizeof s->lines - s->n, "%s %d %d [%s] [%s] [%s] [%s]\n",
                     tenuo_step_name(e->step), e->link, e->code, e->tool, e->field, e->parent, e->child);
    s->n += n > 0 ? (size_t)n : 0;
}

static void is_said(const struct tenuo_stack *stack, const struct tenuo_request *q, const char *want, const char *what)
{
    struct tenuo_decision *d = NULL;
    struct said s = { .n = 0 };
    is_int(tenuo_explain_stack(verifier, stack, q, T0, hear, &s, &d, NULL), 0, "explained: %s", what);
    is_str(s.lines, want, "%s", what);
    tenuo_decision_free(d);
}

static void later(struct tenuo_mint *m) { m->expires_at += 3600; }
static void deeper(struct tenuo_mint *m) { m->max_depth = 64; }

static void test_links(const struct tenuo_stack *root)
{
    struct tenuo_stack *wide = forge(root, "/", NULL), *late = forge(root, "/data", later);
    struct tenuo_stack *deep = forge(root, "/data", deeper), *good = forge(root, "/data/x", NULL);
    is_said(good, NULL,
            "decode -1 0 [] [] [] []\nchain -1 0 [] [] [] []\ntrust 0 0 [] [] [] []\ntime 0 0 [] [] [] []\n"
            "time 1 0 [] [] [] []\nlink 1 0 [] [] [] []\n",
            "a good chain");
    is_said(wide, NULL,
            "decode -1 0 [] [] [] []\nchain -1 0 [] [] [] []\ntrust 0 0 [] [] [] []\ntime 0 0 [] [] [] []\n"
            "time 1 0 [] [] [] []\n"
            "link 1 1501 [read] [path] [Subpath(\"/data\")] [Subpath(\"/\")]\n",
            "a wider constraint");
    is_said(late, NULL,
            "decode -1 0 [] [] [] []\nchain -1 0 [] [] [] []\ntrust 0 0 [] [] [] []\ntime 0 0 [] [] [] []\n"
            "time 1 0 [] [] [] []\n"
            "link 1 1405 [] [expires_at] [2023-11-14T22:23:20Z] [2023-11-14T23:23:20Z]\n",
            "a later end");
    is_said(deep, NULL,
            "decode -1 0 [] [] [] []\nchain -1 0 [] [] [] []\ntrust 0 0 [] [] [] []\ntime 0 0 [] [] [] []\n"
            "time 1 0 [] [] [] []\nlink 1 1405 [] [max_depth] [3] [64]\n",
            "more delegation");
    tenuo_stack_free(wide);
    tenuo_stack_free(late);
    tenuo_stack_free(deep);
    tenuo_stack_free(good);
}

static void gated(struct tenuo_mint *m)
{
    is_int(tenuo_mint_add_arg_gate(m, "read", 4, "path", 4, TENUO_GATE_ALL, NULL, NULL), 0, "a gate");
    is_int(tenuo_mint_add_approver(m, tenuo_signer_public_key(key), NULL), 0, "an approver");
}
static void exempting(struct tenuo_mint *m)
{
    /* {read: {args: {path: {exempt: Exact("x")}}}} */
    static const char gates[] = "\xa1\x64"
                                "read\xa1\x64"
                                "args\xa1\x64"
                                "path\xa1\x66"
                                "exempt\x82\x01\xa1\x65"
                                "value\x61x";
    for (size_t i = 0; i < m->nextensions; i++)
        if (tn_str_eq(m->extensions[i].key, tn_lit("tenuo.approval_gates")))
            m->extensions[i].value = tn_lit(gates);
}
static void unapproved(struct tenuo_mint *m)
{
    m->napprovers = 0;
}

#define ON_THE_WAY \
    "decode -1 0 [] [] [] []\nchain -1 0 [] [] [] []\ntrust 0 0 [] [] [] []\ntime 0 0 [] [] [] []\ntime 1 0 [] [] [] " \
    "[]\n"

static void test_gates(void)
{
    prepare = gated;
    struct tenuo_stack *root = forge(NULL, "/data", NULL);
    prepare = NULL;
    struct tenuo_stack *exempt = forge(root, "/data", exempting), *nobody = forge(root, "/data", unapproved);
    is_said(exempt, NULL, ON_THE_WAY "link 1 1405 [read] [path] [all] [exempt Exact(\"x\")]\n", "a weaker gate");
    is_said(nobody, NULL, ON_THE_WAY "link 1 1405 [] [required_approvers] [1 of 1 approvers] [0 of 0 approvers]\n",
            "nobody left to approve");
    tenuo_stack_free(exempt);
    tenuo_stack_free(nobody);
    tenuo_stack_free(root);
}

static void open_world(struct tenuo_mint *m) { m->tools[0].set.allow_unknown = true; }

static void test_unknown(const struct tenuo_stack *root)
{
    struct tenuo_stack *open = forge(root, "/data", open_world);
    is_said(open, NULL, ON_THE_WAY "link 1 1502 [read] [allow_unknown] [no] [yes]\n", "unknown arguments");
    tenuo_stack_free(open);
}

static struct tenuo_request *call(const struct tenuo_stack *stack, const char *path)
{
    struct tenuo_request *q = NULL;
    struct tenuo_args *args = NULL;
    struct tenuo_value *v = NULL;
    uint8_t pop[64];
    int r = tenuo_args_new(&args, NULL);
    r = r != 0 ? r : tenuo_value_string(path, strlen(path), &v, NULL);
    r = r != 0 ? r : tenuo_args_put(args, "path", 4, v, NULL);
    r = r != 0 ? r : tenuo_pop_sign(key, tenuo_stack_leaf(stack), "read", 4, args, T0, pop, NULL);
    r = r != 0 ? r : tenuo_request_new("read", 4, &q, NULL);
    r = r != 0 ? r : tenuo_request_set_args(q, args, NULL);
    tenuo_request_set_pop(q, pop);
    is_int(r, 0, "a call for the test");
    tenuo_value_free(v);
    tenuo_args_free(args);
    return q;
}

static void test_calls(const struct tenuo_stack *root)
{
    struct tenuo_request *good = call(root, "/data/a"), *bad = call(root, "/etc/a");
    is_said(root, good,
            "decode -1 0 [] [] [] []\nchain -1 0 [] [] [] []\ntrust 0 0 [] [] [] []\ntime 0 0 [] [] [] []\n"
            "clearance 0 0 [] [] [] []\ntype 0 0 [] [] [] []\npop 0 0 [] [] [] []\ntool 0 0 [read] [] [] []\n"
            "constraint 0 0 [] [path] [] [Subpath(\"/data\")]\ngate 0 0 [] [] [] []\n",
            "an allowed call");
    is_said(root, bad,
            "decode -1 0 [] [] [] []\nchain -1 0 [] [] [] []\ntrust 0 0 [] [] [] []\ntime 0 0 [] [] [] []\n"
            "clearance 0 0 [] [] [] []\ntype 0 0 [] [] [] []\npop 0 0 [] [] [] []\ntool 0 0 [read] [] [] []\n"
            "constraint 0 1501 [] [path] [] [Subpath(\"/data\")]\n",
            "a call that breaks its constraint");
    tenuo_request_free(good);
    tenuo_request_free(bad);
}

static void test_undecodable(void)
{
    struct tenuo_decision *d = NULL;
    struct said s = { .n = 0 };
    is_int(tenuo_explain(verifier, (const uint8_t *)"\x80", 1, NULL, T0, hear, &s, &d, NULL), 0, "an empty stack");
    is_str(s.lines, "decode -1 1202 [] [] [] []\n", "fails while it is decoded");
    is_int(tenuo_decision_outcome(d), TENUO_DENY, "and is denied");
    is_int(tenuo_explain(verifier, (const uint8_t *)"\x80", 1, NULL, T0, hear, &s, NULL, NULL), 0,
           "the steps alone can be had");
    tenuo_decision_free(d);
}

static void shallow(struct tenuo_mint *m) { m->max_depth = 3; }

int main(void)
{
    static const uint8_t seed[32] = { 5 };
    struct tenuo_verifier_builder *b = NULL;
    int r = tenuo_signer_from_seed(seed, &key, NULL);
    r = r != 0 ? r : tenuo_verifier_builder_new(&b, NULL);
    r = r != 0 ? r : tenuo_verifier_builder_add_root(b, tenuo_signer_public_key(key), NULL);
    r = r != 0 ? r : tenuo_verifier_builder_build(b, &verifier, NULL);
    is_int(r, 0, "a verifier");
    struct tenuo_stack *root = forge(NULL, "/data", shallow);
    test_links(root);
    test_unknown(root);
    test_gates();
    test_calls(root);
    test_undecodable();
    tenuo_stack_free(root);
    tenuo_verifier_builder_free(b);
    tenuo_verifier_unref(verifier);
    tenuo_signer_free(key);
    return done_testing();
}
