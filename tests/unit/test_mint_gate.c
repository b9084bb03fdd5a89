/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Gates and approvers from builder to decision: what is merged, inherited and refused, a call that needs an approval,
 * what its approver is asked, and the call again with the approval.
 */
#include "tap.h"

#include <stdlib.h>
#include <tenuo/tenuo.h>

#define T0 1700000000u

static struct tenuo_signer *root, *alice, *bob, *boss, *chief;
static struct tenuo_verifier *verifier;
static struct tenuo_error err;

static struct tenuo_signer *seeded(uint8_t v)
{
    uint8_t seed[32];
    struct tenuo_signer *s = NULL;
    memset(seed, v, sizeof seed);
    return tenuo_signer_from_seed(seed, &s, NULL) == TENUO_OK ? s : NULL;
}

/* A builder for alice with the tools a and b, and the boss as approver when asked for. */
static struct tenuo_mint *new_root(bool approver)
{
    struct tenuo_mint *m = NULL;
    int r = tenuo_mint_root(&m, NULL);
    r = r != 0 ? r : tenuo_mint_set_holder(m, tenuo_signer_public_key(alice), NULL);
    r = r != 0 ? r : tenuo_mint_add_tool(m, "a", 1, NULL, NULL);
    r = r != 0 ? r : tenuo_mint_add_tool(m, "b", 1, NULL, NULL);
    r = r != 0 || !approver ? r : tenuo_mint_add_approver(m, tenuo_signer_public_key(boss), NULL);
    return r == 0 ? m : NULL;
}

static int finish(struct tenuo_mint *m, const struct tenuo_signer *as, struct tenuo_stack **ret)
{
    struct tenuo_stack *s = NULL;
    int r = tenuo_mint_sign(m, as, T0, &s, &err);
    tenuo_mint_free(m);
    if (ret != NULL)
        *ret = s;
    else
        tenuo_stack_free(s);
    return r;
}

static struct tenuo_mint *child_of(const struct tenuo_stack *parent, const char *tool)
{
    struct tenuo_mint *m = NULL;
    int r = tenuo_mint_attenuate(parent, &m, NULL);
    r = r != 0 ? r : tenuo_mint_set_holder(m, tenuo_signer_public_key(bob), NULL);
    r = r != 0 ? r : tenuo_mint_keep_tool(m, tool, 1, NULL);
    return r == 0 ? m : NULL;
}

static int gate(struct tenuo_mint *m, const char *tool)
{
    return tenuo_mint_add_gate(m, tool, strlen(tool), NULL);
}

static int gate_arg(struct tenuo_mint *m, const char *tool, const char *arg, enum tenuo_gate_kind kind,
                    const char *text)
{
    struct tenuo_constraint *c = NULL;
    int r = text == NULL ? 0 : tenuo_constraint_text(TENUO_C_PATTERN, text, strlen(text), &c, NULL);
    r = r != 0 ? r : tenuo_mint_add_arg_gate(m, tool, strlen(tool), arg, strlen(arg), kind, c, NULL);
    tenuo_constraint_free(c);
    return r;
}

/* The gates of the leaf as text: "a:whole b[x=all y=constraint]". */
static const char *shown(const struct tenuo_stack *s)
{
    static const char *const kinds[] = { "all", "constraint", "exempt" };
    static char out[256];
    struct tenuo_gates *g = NULL;
    size_t n = 0, at = 0;
    out[0] = '\0';
    if (s == NULL || tenuo_gates_of(tenuo_stack_leaf(s), &g, NULL) != 0)
        return "malformed";
    for (size_t i = 0; i < tenuo_gates_count(g); i++) {
        const char *tool = tenuo_gates_tool(g, i, &n), *message;
        at += (size_t)snprintf(out + at, sizeof out - at, "%s%.*s%s", i == 0 ? "" : " ", (int)n, tool,
                               tenuo_gates_is_whole(g, i) ? ":whole" : "");
        for (size_t k = 0; k < tenuo_gates_arg_count(g, i); k++) {
            const char *name = tenuo_gates_arg_name(g, i, k, &n);
            at += (size_t)snprintf(out + at, sizeof out - at, ":%.*s=%s", (int)n, name,
                                   kinds[tenuo_gates_arg_kind(g, i, k)]);
            if ((tenuo_gates_arg_constraint(g, i, k) == NULL) != (tenuo_gates_arg_kind(g, i, k) == TENUO_GATE_ALL))
                return "a constraint where none belongs";
        }
        message = tenuo_gates_message(g, i, &n);
        if (message != NULL)
            at += (size_t)snprintf(out + at, sizeof out - at, "(%.*s)", (int)n, message);
    }
    tenuo_gates_free(g);
    return out;
}

static void test_root(void)
{
    struct tenuo_stack *s = NULL;
    struct tenuo_mint *m = new_root(true);
    ok(gate(m, "b") == 0 && gate_arg(m, "a", "y", TENUO_GATE_CONSTRAINT, "x*") == 0 &&
           gate_arg(m, "a", "x", TENUO_GATE_ALL, NULL) == 0 && gate_arg(m, "a", "z", TENUO_GATE_EXEMPT, "t*") == 0,
       "gates of all kinds");
    is_int(tenuo_mint_set_gate_message(m, "a", 1, " ask first ", 11, NULL), 0, "a message");
    is_int(tenuo_mint_set_gate_message(m, "c", 1, "x", 1, NULL), 9001, "but none without a gate");
    is_int(gate_arg(m, "a", "x", TENUO_GATE_ALL, NULL), 9001, "an argument twice");
    is_int(gate_arg(m, "a", "w", TENUO_GATE_ALL, "x"), 9001, "a constraint for all values");
    is_int(gate_arg(m, "a", "w", TENUO_GATE_EXEMPT, NULL), 9001, "an exemption of nothing");
    is_int(finish(m, root, &s), 0, "minted");
    is_str(shown(s), "a:x=all:y=constraint:z=exempt(ask first) b:whole", "as said, sorted");
    tenuo_stack_free(s);
    m = new_root(true);
    ok(gate_arg(m, "a", "x", TENUO_GATE_ALL, NULL) == 0 && gate(m, "a") == 0, "by argument, then whole");
    is_int(finish(m, root, &s), 0, "minted");
    is_str(shown(s), "a:whole", "the whole tool wins");
    tenuo_stack_free(s);
}

static void test_refused(void)
{
    static const uint8_t raw[] = { 0xa1, 0x61, 'a', 0xa1, 0x64, 'a', 'r', 'g', 's', 0xf6 };
    struct tenuo_constraint *any = NULL;
    struct tenuo_mint *m = new_root(true);
    is_int(finish(m, root, NULL), 1201, "approvers without gates");
    m = new_root(false);
    ok(gate(m, "a") == 0, "a gate");
    is_int(finish(m, root, NULL), 1201, "without approvers");
    m = new_root(true);
    ok(gate(m, "c") == 0, "a gate");
    is_int(finish(m, root, NULL), 1201, "for a tool that the warrant has not");
    m = new_root(true);
    ok(gate(m, "*") == 0, "a gate for every tool");
    is_int(finish(m, root, NULL), 0, "is for those that it has");
    m = new_root(true);
    tenuo_mint_set_min_approvals(m, 2);
    ok(gate(m, "a") == 0, "a gate");
    is_int(finish(m, root, NULL), 1502, "with more approvals than approvers");
    m = new_root(true);
    tenuo_mint_set_min_approvals(m, 0);
    ok(gate(m, "a") == 0, "a gate");
    is_int(finish(m, root, NULL), 1201, "with no approvals");
    m = new_root(true);
    ok(gate(m, "a") == 0 && tenuo_mint_add_extension(m, "tenuo.approval_gates", 20, raw, sizeof raw, NULL) == 0,
       "a gate, and gates as an extension");
    is_int(finish(m, root, NULL), 9001, "are too much");
    m = new_root(true);
    ok(tenuo_mint_add_extension(m, "tenuo.approval_gates", 20, raw, sizeof raw - 1, NULL) == 0, "a cut gate map");
    is_int(finish(m, root, NULL), 1202, "is not minted");
    m = new_root(true);
    is_int(tenuo_mint_add_gate(m, "", 0, NULL), 1201, "a tool without a name");
    is_int(tenuo_mint_add_gate(m, "\xff", 1, NULL), 9001, "or not in UTF-8");
    ok(tenuo_constraint_wildcard(&any, NULL) == 0, "a wildcard");
    is_int(tenuo_mint_add_arg_gate(m, "a", 1, "x", 1, TENUO_GATE_EXEMPT, any, NULL), 9001, "exempts nothing");
    tenuo_constraint_free(any);
    tenuo_mint_free(m);
}

/* Root with a whole gate on a, of one approver of one. */
static struct tenuo_stack *gated(void)
{
    struct tenuo_stack *s = NULL;
    struct tenuo_mint *m = new_root(true);
    tenuo_mint_set_min_approvals(m, 1);
    if (gate_arg(m, "a", "x", TENUO_GATE_CONSTRAINT, "p*") != 0 ||
        tenuo_mint_set_gate_message(m, "a", 1, "p", 1, NULL) != 0)
        return NULL;
    return finish(m, root, &s) == 0 ? s : NULL;
}

static void test_child(void)
{
    struct tenuo_stack *parent = gated(), *s = NULL;
    struct tenuo_mint *m = child_of(parent, "a");
    is_int(finish(m, alice, &s), 0, "a child of a gated tool");
    is_str(shown(s), "a:x=constraint(p)", "inherits the gate");
    is_int((long long)tenuo_warrant_approver_count(tenuo_stack_leaf(s)), 1, "and the approver");
    is_int(tenuo_warrant_min_approvals(tenuo_stack_leaf(s)), 1, "and the minimum");
    tenuo_stack_free(s);
    m = child_of(parent, "b");
    is_int(finish(m, alice, &s), 0, "a child of another tool");
    is_str(shown(s), "", "has no gate");
    is_int((long long)tenuo_warrant_approver_count(tenuo_stack_leaf(s)), 0, "and no approver");
    is_int(tenuo_warrant_min_approvals(tenuo_stack_leaf(s)), -1, "and no minimum");
    tenuo_stack_free(s);
    m = child_of(parent, "b");
    ok(tenuo_mint_add_approver(m, tenuo_signer_public_key(chief), NULL) == 0, "an approver");
    is_int(finish(m, alice, NULL), 1502, "has nothing to approve there");
    m = child_of(parent, "b");
    tenuo_mint_set_min_approvals(m, 1);
    is_int(finish(m, alice, NULL), 1502, "nor has a minimum a meaning");
    m = child_of(parent, "a");
    ok(gate_arg(m, "a", "x", TENUO_GATE_CONSTRAINT, "q*") == 0, "another gate on an argument that the parent gates");
    is_int(finish(m, alice, NULL), 1502, "is refused and not lost");
    m = child_of(parent, "a");
    ok(gate_arg(m, "a", "x", TENUO_GATE_CONSTRAINT, "p*") == 0 && gate_arg(m, "a", "w", TENUO_GATE_ALL, NULL) == 0 &&
           gate(m, "*") == 0 && tenuo_mint_set_gate_message(m, "a", 1, "q", 1, NULL) == 0,
       "more gates, one of them the same");
    is_int(finish(m, alice, &s), 0, "are merged");
    is_str(shown(s), "*:whole a:w=all:x=constraint(q)", "the message is the child's");
    tenuo_stack_free(s);
    m = child_of(parent, "a");
    ok(tenuo_mint_add_approver(m, tenuo_signer_public_key(chief), NULL) == 0, "an approver more");
    is_int(finish(m, alice, &s), 0, "asks for one approval more");
    is_int(tenuo_warrant_min_approvals(tenuo_stack_leaf(s)), 2, "by default");
    tenuo_stack_free(s);
    m = child_of(parent, "a");
    ok(tenuo_mint_add_approver(m, tenuo_signer_public_key(chief), NULL) == 0 &&
           tenuo_mint_add_approver(m, tenuo_signer_public_key(alice), NULL) == 0, "two approvers more");
    tenuo_mint_set_min_approvals(m, 2);
    is_int(finish(m, alice, NULL), 1502, "and only one approval more");
    m = child_of(parent, "a");
    tenuo_mint_set_min_approvals(m, 2);
    is_int(finish(m, alice, NULL), 1502, "more approvals than approvers");
    tenuo_stack_free(parent);
}

static void test_issue(void)
{
    struct tenuo_stack *issuer = NULL, *s = NULL;
    struct tenuo_mint *m = NULL;
    int r = tenuo_mint_root(&m, NULL);
    r = r != 0 ? r : tenuo_mint_set_holder(m, tenuo_signer_public_key(alice), NULL);
    r = r != 0 ? r : tenuo_mint_add_issuable(m, "a", 1, NULL);
    r = r != 0 ? r : tenuo_mint_add_issuable(m, "b", 1, NULL);
    r = r != 0 ? r : tenuo_mint_add_approver(m, tenuo_signer_public_key(boss), NULL);
    r = r != 0 ? r : gate(m, "a");
    is_int(r != 0 ? r : finish(m, root, &issuer), 0, "an issuer warrant with a gate on what it may issue");
    for (int i = 0; i < 2; i++) {
        ok(tenuo_mint_issue(issuer, &m, NULL) == 0 &&
               tenuo_mint_set_holder(m, tenuo_signer_public_key(bob), NULL) == 0 &&
               tenuo_mint_add_tool(m, i == 0 ? "a" : "b", 1, NULL, NULL) == 0, "issuing");
        tenuo_mint_set_ttl(m, 60);
        is_int(finish(m, alice, &s), 0, "issued");
        is_str(shown(s), i == 0 ? "a:whole" : "", i == 0 ? "with the gate" : "without it");
        tenuo_stack_free(s);
    }
    tenuo_stack_free(issuer);
}

/* A call of tool a with x = VALUE by its holder. */
static struct tenuo_request *call(const struct tenuo_stack *s, const struct tenuo_signer *holder, const char *value)
{
    struct tenuo_value *v = NULL;
    struct tenuo_args *args = NULL;
    struct tenuo_request *q = NULL;
    uint8_t pop[64];
    int r = tenuo_args_new(&args, NULL);
    r = r != 0 ? r : tenuo_value_string(value, strlen(value), &v, NULL);
    r = r != 0 ? r : tenuo_args_put(args, "x", 1, v, NULL);
    r = r != 0 ? r : tenuo_pop_sign(holder, tenuo_stack_leaf(s), "a", 1, args, T0, pop, NULL);
    r = r != 0 ? r : tenuo_request_new("a", 1, &q, NULL);
    r = r != 0 ? r : tenuo_request_set_args(q, args, NULL);
    if (r == 0)
        tenuo_request_set_pop(q, pop);
    tenuo_args_free(args);
    tenuo_value_free(v);
    return q;
}

static struct tenuo_decision *decide(const struct tenuo_stack *s, const struct tenuo_request *q)
{
    struct tenuo_decision *d = NULL;
    return tenuo_authorize_stack(verifier, s, q, T0, &d, &err) == 0 ? d : NULL;
}

static int add_approval(struct tenuo_request *q, const uint8_t hash[32], const struct tenuo_signer *as)
{
    struct tenuo_approve *a = NULL;
    struct tenuo_approval *made = NULL;
    size_t n = 0;
    int r = tenuo_approve_new(hash, &a, NULL);
    r = r != 0 ? r : tenuo_approve_sign(a, as, T0, &made, NULL);
    if (r == 0) {
        const uint8_t *bytes = tenuo_approval_bytes(made, &n);
        r = tenuo_request_add_approvals(q, bytes, n, NULL);
    }
    tenuo_approval_free(made);
    tenuo_approve_free(a);
    return r;
}

static void test_decision(void)
{
    struct tenuo_stack *s = gated();
    struct tenuo_request *q = call(s, alice, "prod");
    struct tenuo_decision *d = decide(s, q);
    struct tenuo_approval_request_view view;
    uint8_t hash[32];
    is_int(tenuo_decision_code(d), 1707, "a call that needs an approval");
    is_int(tenuo_decision_approvals_required(d), 1, "of one");
    ok(tenuo_decision_approval_request(d) != NULL, "tells what an approver needs");
    tenuo_approval_request_get(tenuo_decision_approval_request(d), &view);
    ok(memcmp(view.request_hash, tenuo_decision_request_hash(d), 32) == 0 && view.approver_count == 1 &&
           memcmp(view.approvers[0], tenuo_signer_public_key(boss), 32) == 0 && view.threshold == 1 &&
           view.message_len == 1 && view.message[0] == 'p' && view.request_id == NULL && view.created_at == 0,
       "hash, approvers, threshold and message, not stamped");
    is_str(view.warrant_id, tenuo_decision_chain_id(d, 0), "the warrant");
    memcpy(hash, view.request_hash, 32);
    tenuo_decision_free(d);
    ok(add_approval(q, hash, chief) == 0, "a stranger's approval");
    d = decide(s, q);
    is_int(tenuo_decision_code(d), 1701, "is denied");
    is_int(tenuo_decision_approvals_rejected(d, TENUO_APPROVAL_NOT_AUTHORIZED), 1, "for being one");
    ok(tenuo_decision_approval_request(d) != NULL, "and still says what is needed");
    tenuo_decision_free(d);
    ok(add_approval(q, hash, boss) == 0, "the approver's beside it");
    d = decide(s, q);
    is_int(tenuo_decision_outcome(d), TENUO_ALLOW, "allows the call");
    ok(tenuo_decision_approved_count(d) == 1 &&
           memcmp(tenuo_decision_approved_by(d, 0), tenuo_signer_public_key(boss), 32) == 0 &&
           tenuo_decision_approved_by(d, 1) == NULL && tenuo_decision_approval_request(d) == NULL, "and says by whom");
    tenuo_decision_free(d);
    tenuo_request_free(q);
    q = call(s, alice, "test");
    d = decide(s, q);
    is_int(tenuo_decision_outcome(d), TENUO_ALLOW, "a call that no gate fires for");
    is_int((long long)tenuo_decision_approved_count(d), 0, "was approved by nobody");
    tenuo_decision_free(d);
    tenuo_request_free(q);
    tenuo_stack_free(s);
}

static void test_preflight(void)
{
    struct tenuo_stack *s = gated();
    struct tenuo_request *free_call = call(s, alice, "test"), *q = call(s, alice, "prod");
    struct tenuo_approval_request *wanted = NULL, *copy = NULL;
    struct tenuo_approval_request_view v, w;
    const struct tenuo_warrant *leaf = tenuo_stack_leaf(s);
    const uint8_t *strangers[] = { tenuo_signer_public_key(chief) };
    uint8_t other[32] = { 0 };
    is_int(tenuo_gate_evaluate(NULL, leaf, free_call, T0, &wanted, NULL), 0, "would this call need an approval?");
    ok(wanted == NULL, "no");
    is_int(tenuo_gate_evaluate(verifier, leaf, q, T0, &wanted, NULL), 0, "and this one?");
    ok(wanted != NULL, "yes");
    is_int(tenuo_approval_request_copy(wanted, &copy, NULL), 0, "a copy");
    tenuo_approval_request_free(wanted);
    tenuo_approval_request_stamp(copy, T0, NULL);
    tenuo_approval_request_get(copy, &v);
    ok(v.created_at == T0 && v.request_id != NULL && v.request_id[6] >> 4 == 7, "is stamped with a UUIDv7");
    is_int(tenuo_approval_request_check(&v, verifier, leaf, T0, NULL), 0, "it is what the warrant says");
    w = v;
    w.tool = "b";
    is_int(tenuo_approval_request_check(&w, verifier, leaf, T0, NULL), 1701, "with a tool that needs no approval");
    w = v;
    w.args = NULL;
    is_int(tenuo_approval_request_check(&w, verifier, leaf, T0, NULL), 1706, "with other arguments");
    w = v;
    w.request_hash = other;
    is_int(tenuo_approval_request_check(&w, verifier, leaf, T0, NULL), 1706, "with another hash");
    w = v;
    w.warrant_id = "tnu_wrt_00000000000000000000000000000000";
    is_int(tenuo_approval_request_check(&w, verifier, leaf, T0, NULL), 1701, "of another warrant");
    w = v;
    w.message = "q";
    is_int(tenuo_approval_request_check(&w, verifier, leaf, T0, NULL), 1701, "with another message");
    w = v;
    w.approvers = strangers;
    is_int(tenuo_approval_request_check(&w, verifier, leaf, T0, NULL), 1701, "with other approvers");
    w = v;
    w.threshold = 0;
    is_int(tenuo_approval_request_check(&w, verifier, leaf, T0, NULL), 1701, "with another threshold");
    w = v;
    w.warrant_expires_at++;
    is_int(tenuo_approval_request_check(&w, verifier, leaf, T0, NULL), 1701, "with another expiry");
    w = v;
    w.created_at++;
    w.request_id = NULL;
    is_int(tenuo_approval_request_check(&w, verifier, leaf, T0, NULL), 0, "what correlates is not compared");
    tenuo_approval_request_free(copy);
    tenuo_request_free(free_call);
    tenuo_request_free(q);
    tenuo_stack_free(s);
}

static void test_prevalidate(void)
{
    static const char *const names[] = { "path", "mode", "x" };
    static const size_t lens[] = { 4, 4, 1 };
    struct tenuo_constraint_set *set = NULL;
    struct tenuo_constraint *c = NULL;
    struct tenuo_prevalidation *p = NULL;
    struct tenuo_stack *s = NULL;
    struct tenuo_mint *m = new_root(false);
    size_t n = 0;
    int r = tenuo_constraint_wildcard(&c, NULL);
    r = r != 0 ? r : tenuo_constraint_set_new(&set, NULL);
    r = r != 0 ? r : tenuo_constraint_set_put(set, "path", 4, c, NULL);
    r = r != 0 ? r : tenuo_constraint_set_put(set, "size", 4, c, NULL);
    r = r != 0 ? r : tenuo_mint_add_tool(m, "read", 4, set, NULL);
    is_int(r != 0 ? r : finish(m, root, &s), 0, "a tool with two constraints");
    is_int(tenuo_warrant_prevalidate(tenuo_stack_leaf(s), "read", 4, names, lens, 3, &p, NULL), 0, "three names");
    ok(tenuo_prevalidation_unknown_count(p) == 2 && tenuo_prevalidation_unknown(p, 0) == 1 &&
           tenuo_prevalidation_unknown(p, 1) == 2, "two are unknown");
    ok(tenuo_prevalidation_missing_count(p) == 1 && memcmp(tenuo_prevalidation_missing(p, 0, &n), "size", 4) == 0 &&
           n == 4 && tenuo_prevalidation_missing(p, 1, &n) == NULL, "one is missing");
    tenuo_prevalidation_free(p);
    is_int(tenuo_warrant_prevalidate(tenuo_stack_leaf(s), "a", 1, names, lens, 3, &p, NULL), 0, "an open tool");
    ok(tenuo_prevalidation_unknown_count(p) == 0 && tenuo_prevalidation_missing_count(p) == 0, "knows no rule");
    tenuo_prevalidation_free(p);
    is_int(tenuo_warrant_prevalidate(tenuo_stack_leaf(s), "c", 1, names, lens, 3, &p, NULL), 1500, "no such tool");
    tenuo_stack_free(s);
    tenuo_constraint_free(c);
    tenuo_constraint_set_free(set);
}

static int start(void)
{
    struct tenuo_verifier_builder *b = NULL;
    int r = tenuo_verifier_builder_new(&b, NULL);
    root = seeded(1);
    alice = seeded(2);
    bob = seeded(3);
    boss = seeded(4);
    chief = seeded(5);
    r = r != 0 ? r : tenuo_verifier_builder_add_root(b, tenuo_signer_public_key(root), NULL);
    r = r != 0 ? r : tenuo_verifier_builder_build(b, &verifier, NULL);
    tenuo_verifier_builder_free(b);
    return r;
}

int main(void)
{
    if (start() != 0)
        return 1;
    test_root();
    test_refused();
    test_child();
    test_issue();
    test_decision();
    test_preflight();
    test_prevalidate();
    tenuo_verifier_unref(verifier);
    tenuo_signer_free(root);
    tenuo_signer_free(alice);
    tenuo_signer_free(bob);
    tenuo_signer_free(boss);
    tenuo_signer_free(chief);
    return done_testing();
}
