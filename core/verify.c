/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The decision: every check in order, the first failure wins (spec warrant.md 7 in the order of the design: possession
 * is proven before the tool is named). Pure: the answer depends on the arguments alone.
 */
#include <stdlib.h>
#include <tenuo/verify.h>

#include "approval.h"
#include "crypto.h"
#include "decision.h"
#include "err.h"
#include "explain.h"
#include "request.h"
#include "verifier.h"

struct judge {
    struct tenuo_verifier *v;
    const struct tenuo_stack *stack;
    const struct tenuo_request *q; /* NULL: chain only */
    int64_t as_of, pop_window;
    bool holder_pending; /* the leaf's key was not checked when it was decoded */
    bool pop_verified;
    enum tenuo_step step;
    int link;
    struct tn_str field; /* argument of a violation */
    struct tn_match_env env;
    struct tn_gate_answer gate; /* moves to the decision */
    struct tn_explain *x; /* NULL: nobody asks why */
    struct tenuo_error err;
};

/* A step is over: tells it to who asked, and hands its code on. */
static int told(const struct judge *j, int code, const char *found)
{
    if (j->x != NULL)
        tn_explain_step(j->x, j->step, j->link, code, &j->err, "%s", found);
    return code;
}

static int check_clearance(struct judge *j, const struct tenuo_warrant *leaf)
{
    int need = tn_required_clearance(&j->v->policy, j->q->tool), have = leaf->clearance < 0 ? 0 : leaf->clearance;
    j->step = TENUO_STEP_CLEARANCE;
    if (have < need)
        return told(j,
                    tn_fail(&j->err, TENUO_E_TOOL_NOT_AUTHORIZED, "the tool needs clearance %d, the warrant has %d",
                            need, have),
                    "");
    return told(j, TENUO_OK, need < 0 ? "no clearance is asked for this tool" : "the clearance suffices");
}

/* The instant at which the PoP is judged: the scheduled time, never later than now and no further back than the program
 * allows. */
static int pop_time(struct judge *j, int64_t *ret)
{
    int64_t when = j->q->has_pop_as_of ? j->q->pop_as_of : j->as_of;
    if (when > j->as_of)
        when = j->as_of;
    if ((uint64_t)j->as_of - (uint64_t)when > j->q->pop_bound)
        return tn_fail(&j->err, TENUO_E_SIGNATURE_INVALID, "the call was scheduled more than %u s ago",
                       j->q->pop_bound);
    *ret = when;
    return TENUO_OK;
}

static int check_pop(struct judge *j, const struct tenuo_warrant *leaf)
{
    int64_t when = 0;
    int r;
    j->step = TENUO_STEP_POP;
    if (!j->q->has_pop)
        return tn_fail(&j->err, TENUO_E_SIGNATURE_INVALID, "the call carries no proof of possession");
    r = pop_time(j, &when);
    if (r != TENUO_OK)
        return r;
    r = tn_pop_check(leaf, j->q->tool, j->q->args, j->q->pop, when, j->v->policy.pop_windows,
                     &j->pop_window);
    if (r == TENUO_E_NOMEM)
        return tn_fail_code(&j->err, r);
    if (r != TENUO_OK)
        return tn_fail(&j->err, TENUO_E_SIGNATURE_INVALID,
                       "the proof of possession does not verify: other key, tool, arguments or time");
    j->holder_pending = false; /* a signature verified under this very key */
    j->pop_verified = true;
    return TENUO_OK;
}

static int violation(struct judge *j, struct tn_str name, const char *why)
{
    char quoted[80];
    j->field = name;
    tn_quote(quoted, sizeof quoted, name.p, name.n);
    return tn_fail(&j->err, TENUO_E_CONSTRAINT_VIOLATION, "argument '%s': %s", quoted, why);
}

static int judge_argument(struct judge *j, const struct tn_named *want, const struct tenuo_args *args)
{
    const struct tn_arg *arg = tn_args_find(args, want->name);
    int code = TENUO_OK;
    if (arg == NULL)
        return violation(j, want->name, "missing required argument");
    switch (tn_constraint_match(want->constraint, arg, &j->env, &code, &j->err)) {
    case TN_TRUE:
        return TENUO_OK;
    case TN_FALSE:
        return violation(j, want->name, "value does not match constraint");
    case TN_ERROR:
    case TN_NOMEM:
        break;
    }
    j->field = want->name;
    return code;
}

static int check_argument(struct judge *j, const struct tn_named *want, const struct tenuo_args *args)
{
    int r = judge_argument(j, want, args);
    if (j->x != NULL)
        tn_explain_argument(j->x, j->link, r, &j->err, want->name, want->constraint);
    return r;
}

static int unknown_argument(struct judge *j, struct tn_str name)
{
    int r = violation(j, name, "unknown field not allowed (zero-trust mode)");
    if (j->x != NULL)
        tn_explain_argument(j->x, j->link, r, &j->err, name, NULL);
    return r;
}

static int check_arguments(struct judge *j, const struct tenuo_constraint_set *set)
{
    const struct tenuo_args *args = j->q->has_cargs ? j->q->cargs : j->q->args;
    int r = TENUO_OK;
    j->step = TENUO_STEP_CONSTRAINT;
    if (set->n != 0 && !set->allow_unknown)
        for (size_t i = 0; i < tenuo_args_count(args); i++)
            if (tn_set_find(set, args->args[i].name) == NULL)
                return unknown_argument(j, args->args[i].name);
    if (set->n == 0)
        return told(j, r, "the set is empty: every argument is allowed");
    for (size_t i = 0; i < set->n && r == TENUO_OK; i++)
        r = check_argument(j, &set->items[i], args);
    return r;
}

static int check_type(struct judge *j, const struct tenuo_warrant *leaf)
{
    j->step = TENUO_STEP_TYPE;
    if (leaf->type == TENUO_EXECUTION)
        return TENUO_OK;
    return tn_fail(&j->err, TENUO_E_PAYLOAD_STRUCTURE, "an issuer warrant authorizes no calls");
}

static int check_tool(struct judge *j, const struct tenuo_warrant *leaf, const struct tn_tool **ret)
{
    const struct tn_tool *tool = tn_warrant_find_tool(leaf, j->q->tool);
    j->step = TENUO_STEP_TOOL;
    if (tool == NULL)
        tool = tn_warrant_find_tool(leaf, tn_lit("*"));
    if (tool == NULL)
        return told(j, tn_fail(&j->err, TENUO_E_TOOL_NOT_AUTHORIZED, "the warrant does not allow this tool"), "");
    if (j->x != NULL)
        tn_explain_tool(j->x, j->link, j->q->tool, tool->name);
    *ret = tool;
    return TENUO_OK;
}

static int check_gates(struct judge *j, const struct tenuo_warrant *leaf)
{
    struct tn_match_env env = TN_MATCH_ENV(j->v->policy.matchers, j->as_of); /* with a budget of its own */
    j->step = TENUO_STEP_GATE;
    return told(j, tn_gate_check(leaf, j->q, &j->v->policy, &env, &j->gate, &j->err), "no approval is missing");
}

static int check_call(struct judge *j, const struct tenuo_warrant *leaf)
{
    const struct tn_tool *tool = NULL;
    int r = check_clearance(j, leaf);
    if (r == TENUO_OK)
        r = told(j, check_type(j, leaf), "an execution warrant");
    if (r == TENUO_OK)
        r = told(j, check_pop(j, leaf), "the holder signed this call");
    if (r == TENUO_OK)
        r = check_tool(j, leaf, &tool);
    if (r == TENUO_OK)
        r = check_arguments(j, &tool->set);
    return r != TENUO_OK ? r : check_gates(j, leaf);
}

/* A leaf with an unusable holder is undecodable, and that comes before every other refusal. */
static int check_pending_holder(struct judge *j, const struct tenuo_warrant *leaf, int code)
{
    struct tenuo_error bad;
    if (code == TENUO_OK || !j->holder_pending || tn_warrant_check_holder(leaf, &bad) == TENUO_OK)
        return code;
    j->step = TENUO_STEP_DECODE;
    j->err = bad;
    return told(j, bad.code, "");
}

static int judge(struct judge *j)
{
    const struct tenuo_warrant *leaf = &j->stack->w[j->stack->n - 1];
    int r;
    if (j->x != NULL)
        tn_explain_step(j->x, TENUO_STEP_DECODE, -1, TENUO_OK, &j->err, "%zu warrant%s, every signature verified",
                        j->stack->n, j->stack->n == 1 ? "" : "s");
    r = tn_chain_verify(j->v, j->stack, j->as_of, j->x, &j->step, &j->link, &j->err);
    if (r == TENUO_OK && j->q != NULL) {
        j->link = (int)j->stack->n - 1;
        r = check_call(j, leaf);
    }
    return check_pending_holder(j, leaf, r);
}

static void describe(struct tenuo_decision *d, const struct judge *j)
{
    const struct tenuo_stack *s = j->stack;
    const struct tenuo_warrant *leaf = &s->w[s->n - 1];
    for (size_t i = 0; i < s->n; i++)
        tenuo_warrant_id_text(s->w[i].id, d->chain_ids[i]);
    memcpy(d->root_key, s->w[0].issuer, 32);
    memcpy(d->holder, leaf->holder, 32);
    d->has_keys = true;
    d->pop_verified = j->pop_verified;
    d->leaf_depth = (uint32_t)leaf->depth;
    d->pop_window = j->pop_window;
    d->expires_at = leaf->expires_at;
    for (size_t i = 0; i < s->n; i++)
        if (s->w[i].expires_at < d->expires_at)
            d->expires_at = s->w[i].expires_at;
    if (j->q != NULL)
        d->has_request_hash = tenuo_request_hash(d->chain_ids[s->n - 1], (const char *)j->q->tool.p, j->q->tool.n,
                                                 j->q->args, leaf->holder, d->request_hash, NULL) == TENUO_OK;
}

/* The list that revoked, else the first one that there is: what a receipt names. */
static void describe_list(struct tenuo_decision *d, const struct judge *j, int code)
{
    const struct tenuo_revocation *r = j->v->revocation;
    const uint8_t *revoked = code == TENUO_E_REVOKED ? j->stack->w[j->link].id : NULL;
    for (size_t i = 0; r != NULL && i < r->n && !d->has_srl; i++) {
        if (r->sources[i].list == NULL || (revoked != NULL && !tn_revocation_names(r->sources[i].list, revoked)))
            continue;
        d->has_srl = true;
        d->srl_version = r->sources[i].list->version;
        memcpy(d->srl_sha256, r->sources[i].list->sha256, sizeof d->srl_sha256);
    }
}

static void quote_tool(struct tenuo_decision *d, const struct tenuo_request *q)
{
    if (q != NULL)
        tn_quote(d->tool, sizeof d->tool, q->tool.p, q->tool.n);
}

/* 9xxx is no decision: the caller gets the error itself. A missing revocation list is one: it denies a known chain. */
static int finish(struct judge *j, int code, struct tenuo_decision **ret, struct tenuo_error *err)
{
    struct tenuo_decision *d;
    bool undecided = code >= TENUO_E_NOMEM && !(code == TENUO_E_UNAVAILABLE && j->step == TENUO_STEP_REVOCATION);
    d = undecided ? NULL : tn_decision_new(j->stack == NULL ? 0 : j->stack->n);
    if (d == NULL) {
        tn_gate_answer_clear(&j->gate);
        return undecided ? tn_fail(err, code, "%s", j->err.msg) : tn_fail_code(err, TENUO_E_NOMEM);
    }
    d->gate = j->gate;
    if (j->stack != NULL)
        describe(d, j);
    describe_list(d, j, code);
    if (j->q != NULL && j->stack != NULL && !d->has_request_hash) {
        tenuo_decision_free(d);
        return tn_fail_code(err, TENUO_E_NOMEM);
    }
    quote_tool(d, j->q);
    tn_quote(d->field, sizeof d->field, j->field.p, j->field.n);
    if (code == TENUO_OK) {
        d->outcome = TENUO_ALLOW;
        d->step = TENUO_STEP_DONE;
    } else {
        tn_decision_deny(d, code, j->step, j->err.msg);
        d->link = j->link;
    }
    *ret = d;
    return TENUO_OK;
}

static int decide_stack(struct judge *j, struct tenuo_decision **ret, struct tenuo_error *err)
{
    return finish(j, judge(j), ret, err);
}

static int decide_bytes(struct judge *j, struct tn_str bytes, struct tenuo_decision **ret, struct tenuo_error *err)
{
    struct tenuo_stack *s = NULL;
    int r;
    j->step = TENUO_STEP_DECODE;
    j->link = -1;
    r = tn_stack_decode(bytes, TN_STACK_EITHER, j->v->cache, j->q != NULL, &s, &j->err);
    if (r != TENUO_OK)
        return finish(j, told(j, r, ""), ret, err);
    j->stack = s;
    j->holder_pending = !s->w[s->n - 1].holder_checked;
    r = decide_stack(j, ret, err);
    tenuo_stack_free(s);
    return r;
}

static struct judge judge_of(struct tenuo_verifier *v, const struct tenuo_stack *stack, const struct tenuo_request *q,
                             int64_t as_of)
{
    return (struct judge){ .v = v, .stack = stack, .q = q, .as_of = as_of,
                           .env = TN_MATCH_ENV(v->policy.matchers, as_of) };
}

static int no_request(struct tenuo_error *err)
{
    return tn_fail(err, TENUO_E_INVALID_ARGUMENT, "a call to decide needs a request");
}

int tenuo_verify(struct tenuo_verifier *verifier, const uint8_t *bytes, size_t len, int64_t as_of,
                 struct tenuo_decision **ret_decision, struct tenuo_error *reterr)
{
    struct judge j = judge_of(verifier, NULL, NULL, as_of);
    return decide_bytes(&j, (struct tn_str){ bytes, len }, ret_decision, reterr);
}

int tenuo_authorize(struct tenuo_verifier *verifier, const uint8_t *bytes, size_t len,
                    const struct tenuo_request *request, int64_t as_of, struct tenuo_decision **ret_decision,
                    struct tenuo_error *reterr)
{
    struct judge j = judge_of(verifier, NULL, request, as_of);
    return request == NULL ? no_request(reterr)
                           : decide_bytes(&j, (struct tn_str){ bytes, len }, ret_decision, reterr);
}

int tenuo_verify_stack(struct tenuo_verifier *verifier, const struct tenuo_stack *stack, int64_t as_of,
                       struct tenuo_decision **ret_decision, struct tenuo_error *reterr)
{
    struct judge j = judge_of(verifier, stack, NULL, as_of);
    return decide_stack(&j, ret_decision, reterr);
}

int tenuo_authorize_stack(struct tenuo_verifier *verifier, const struct tenuo_stack *stack,
                          const struct tenuo_request *request, int64_t as_of, struct tenuo_decision **ret_decision,
                          struct tenuo_error *reterr)
{
    struct judge j = judge_of(verifier, stack, request, as_of);
    return request == NULL ? no_request(reterr) : decide_stack(&j, ret_decision, reterr);
}

/* `decide` with an observer on it; the decision is thrown away when nobody wants it. */
static int explain(struct judge *j, tenuo_explain_fn *fn, void *arg, const struct tn_str *bytes,
                   struct tenuo_decision **ret_decision, struct tenuo_error *err)
{
    struct tn_explain x = { .fn = fn, .arg = arg };
    struct tenuo_decision *d = NULL;
    int r;
    j->x = &x;
    r = bytes != NULL ? decide_bytes(j, *bytes, &d, err) : decide_stack(j, &d, err);
    if (r == TENUO_OK && ret_decision != NULL)
        *ret_decision = d;
    else
        tenuo_decision_free(d);
    return r;
}

int tenuo_explain(struct tenuo_verifier *verifier, const uint8_t *bytes, size_t len,
                  const struct tenuo_request *request, int64_t as_of, tenuo_explain_fn *fn, void *arg,
                  struct tenuo_decision **ret_decision, struct tenuo_error *reterr)
{
    struct judge j = judge_of(verifier, NULL, request, as_of);
    return explain(&j, fn, arg, &(struct tn_str){ bytes, len }, ret_decision, reterr);
}

int tenuo_explain_stack(struct tenuo_verifier *verifier, const struct tenuo_stack *stack,
                        const struct tenuo_request *request, int64_t as_of, tenuo_explain_fn *fn, void *arg,
                        struct tenuo_decision **ret_decision, struct tenuo_error *reterr)
{
    struct judge j = judge_of(verifier, stack, request, as_of);
    return explain(&j, fn, arg, NULL, ret_decision, reterr);
}
