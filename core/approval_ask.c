/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What an approver is asked, and the gate step of a decision: whether a gate fires, whether enough approvals came, and
 * what is wanted when not (spec governance.md 5, 6.4). An approval request is only ever made from a verified leaf.
 */
#include "approval.h"

#include <stdlib.h>

#include "crypto.h"
#include "err.h"

static bool copy_approvers(struct tenuo_approval_request *w, const uint8_t *const *keys, size_t n)
{
    uint8_t(*own)[32] = tn_arena_array(&w->arena, n, sizeof *own);
    w->approvers = tn_arena_array(&w->arena, n, sizeof *w->approvers);
    if (own == NULL || w->approvers == NULL)
        return false;
    for (size_t i = 0; i < n; i++) {
        memcpy(own[i], keys[i], 32);
        w->approvers[i] = own[i];
    }
    w->napprovers = n;
    return true;
}

/* The gate's own message, or the sentence of the protocol. */
static bool copy_message(struct tenuo_approval_request *w, const struct tn_gate *gate)
{
    struct tn_buf b = { 0 };
    bool good;
    if (gate->message.p != NULL)
        return tn_arena_str(&w->arena, gate->message, &w->message);
    tn_buf_str(&b, tn_lit("Approval required for tool '"));
    tn_buf_str(&b, w->tool);
    tn_buf_str(&b, tn_lit("'"));
    good = !b.failed && tn_arena_str(&w->arena, tn_buf_view(&b), &w->message);
    tn_buf_free(&b);
    return good;
}

static struct tenuo_approval_request *new_request(void)
{
    struct tenuo_approval_request *w = calloc(1, sizeof *w);
    if (w != NULL)
        tn_arena_init(&w->arena, 512);
    return w;
}

/* A request for one call under the gate that fires for it. */
static int ask(const struct tenuo_warrant *leaf, struct tn_str tool, const struct tenuo_args *args,
               const struct tn_gate *gate, struct tenuo_approval_request **ret, struct tenuo_error *err)
{
    struct tenuo_approval_request *w = new_request();
    int r = TENUO_OK;
    if (w == NULL)
        return tn_fail_code(err, TENUO_E_NOMEM);
    tenuo_warrant_id_text(leaf->id, w->warrant_id);
    w->threshold = tenuo_warrant_approval_threshold(leaf);
    w->expires_at = leaf->expires_at;
    if (!tn_arena_str(&w->arena, tool, &w->tool) || !copy_message(w, gate) ||
        !copy_approvers(w, leaf->approvers, leaf->napprovers))
        r = tn_fail_code(err, TENUO_E_NOMEM);
    if (r == TENUO_OK)
        r = tn_args_copy(args, &w->args, err);
    if (r == TENUO_OK)
        r = tenuo_request_hash(w->warrant_id, (const char *)tool.p, tool.n, args, leaf->holder, w->hash, err);
    if (r != TENUO_OK) {
        tenuo_approval_request_free(w);
        return r;
    }
    *ret = w;
    return TENUO_OK;
}

/* *ret is NULL for a call that needs no approval. */
static int evaluate(const struct tenuo_warrant *leaf, struct tn_str tool, const struct tenuo_args *args, bool strict,
                    struct tn_match_env *env, struct tenuo_approval_request **ret, struct tenuo_error *err)
{
    const struct tn_gate *gate = NULL;
    struct tn_gate_map map = { 0 };
    struct tn_arena arena;
    int r;
    *ret = NULL;
    if (leaf->gates.n == 0)
        return TENUO_OK;
    tn_arena_init(&arena, 1024);
    r = tn_gate_map_read(leaf->gates, &arena, &map, err);
    if (r == TENUO_OK)
        r = tn_gate_fires(&map, tool, args, strict, env, &gate, err);
    if (r == TENUO_OK && gate != NULL && tenuo_warrant_approval_threshold(leaf) == 0)
        r = tn_fail(err, TENUO_E_APPROVAL_INVALID,
                    "the call needs an approval, and the warrant names nobody who could give it");
    if (r == TENUO_OK && gate != NULL)
        r = ask(leaf, tool, args, gate, ret, err);
    tn_arena_free(&arena);
    return r;
}

int tn_gate_check(const struct tenuo_warrant *leaf, const struct tenuo_request *q, const struct tn_policy *policy,
                  struct tn_match_env *env, struct tn_gate_answer *ret, struct tenuo_error *err)
{
    int r = evaluate(leaf, q->tool, q->args, policy->strict_gates, env, &ret->wanted, err);
    if (r != TENUO_OK || ret->wanted == NULL)
        return r;
    if (q->napprovals == 0) {
        ret->tally.required = ret->wanted->threshold;
        return tn_fail(err, TENUO_E_APPROVAL_REQUIRED, "the call needs an approval");
    }
    r = tn_approvals_count(leaf, q, ret->wanted->hash, policy, env->as_of, &ret->tally, err);
    if (r == TENUO_OK) {
        tenuo_approval_request_free(ret->wanted);
        ret->wanted = NULL;
    }
    return r;
}

void tn_gate_answer_clear(struct tn_gate_answer *answer)
{
    tenuo_approval_request_free(answer->wanted);
    free(answer->tally.keys);
    *answer = (struct tn_gate_answer){ 0 };
}

int tenuo_gate_evaluate(const struct tenuo_verifier *verifier, const struct tenuo_warrant *leaf,
                        const struct tenuo_request *request, int64_t as_of, struct tenuo_approval_request **ret_wanted,
                        struct tenuo_error *reterr)
{
    struct tn_match_env env = TN_MATCH_ENV(verifier == NULL ? NULL : verifier->policy.matchers, as_of);
    struct tenuo_approval_request *wanted = NULL;
    int r = evaluate(leaf, request->tool, request->args, verifier != NULL && verifier->policy.strict_gates, &env,
                     &wanted, reterr);
    if (r == TENUO_OK)
        *ret_wanted = wanted;
    return r;
}

int tenuo_approval_request_copy(const struct tenuo_approval_request *wanted, struct tenuo_approval_request **ret_copy,
                                struct tenuo_error *reterr)
{
    struct tenuo_approval_request *w = new_request();
    struct tn_arena arena;
    int r = TENUO_OK;
    if (w == NULL)
        return tn_fail_code(reterr, TENUO_E_NOMEM);
    arena = w->arena;
    *w = *wanted;
    w->arena = arena;
    w->args = NULL;
    if (!tn_arena_str(&w->arena, wanted->tool, &w->tool) || !tn_arena_str(&w->arena, wanted->message, &w->message) ||
        !copy_approvers(w, wanted->approvers, wanted->napprovers))
        r = tn_fail_code(reterr, TENUO_E_NOMEM);
    if (r == TENUO_OK)
        r = tn_args_copy(wanted->args, &w->args, reterr);
    if (r != TENUO_OK) {
        tenuo_approval_request_free(w);
        return r;
    }
    *ret_copy = w;
    return TENUO_OK;
}

void tenuo_approval_request_free(struct tenuo_approval_request *wanted)
{
    if (wanted == NULL)
        return;
    tenuo_args_free(wanted->args);
    tn_arena_free(&wanted->arena);
    free(wanted);
}

void tenuo_approval_request_stamp(struct tenuo_approval_request *wanted, uint64_t now, const uint8_t *id)
{
    if (id == NULL)
        tn_uuid7(wanted->request_id, now);
    else
        memcpy(wanted->request_id, id, sizeof wanted->request_id);
    wanted->created_at = now;
    wanted->stamped = true;
}

static struct tenuo_approval_request_view view_of(const struct tenuo_approval_request *w)
{
    return (struct tenuo_approval_request_view){
        .size = sizeof(struct tenuo_approval_request_view),
        .request_id = w->stamped ? w->request_id : NULL,
        .warrant_id = w->warrant_id,
        .tool = (const char *)w->tool.p,
        .tool_len = w->tool.n,
        .args = w->args,
        .request_hash = w->hash,
        .approvers = w->approvers,
        .approver_count = w->napprovers,
        .threshold = w->threshold,
        .warrant_expires_at = w->expires_at,
        .created_at = w->created_at,
        .message = (const char *)w->message.p,
        .message_len = w->message.n,
    };
}

void tenuo_approval_request_get(const struct tenuo_approval_request *wanted,
                                struct tenuo_approval_request_view *ret_view)
{
    *ret_view = view_of(wanted);
}

static int differs(struct tenuo_error *err, const char *what)
{
    return tn_fail(err, TENUO_E_APPROVAL_INVALID, "approval request: %s: do not approve it", what);
}

/* Everything that the warrant fixes; `want` is what it makes of the same call. */
static int compare(const struct tenuo_approval_request_view *c, const struct tenuo_approval_request *want,
                   struct tenuo_error *err)
{
    const struct tn_str message = { (const uint8_t *)c->message, c->message_len };
    if (c->warrant_id == NULL || strcmp(c->warrant_id, want->warrant_id) != 0)
        return differs(err, "it is for another warrant");
    if (c->request_hash == NULL || memcmp(c->request_hash, want->hash, sizeof want->hash) != 0)
        return tn_fail(err, TENUO_E_APPROVAL_HASH_MISMATCH,
                       "approval request: the hash is not that of the call it shows: do not approve it");
    if (!tn_str_eq(message, want->message))
        return differs(err, "the message is not the warrant's");
    if (c->approver_count != want->napprovers)
        return differs(err, "the approvers are not the warrant's");
    for (size_t i = 0; i < want->napprovers; i++)
        if (memcmp(c->approvers[i], want->approvers[i], 32) != 0)
            return differs(err, "the approvers are not the warrant's");
    if (c->threshold != want->threshold)
        return differs(err, "the number of approvals is not the warrant's");
    if (c->warrant_expires_at != want->expires_at)
        return differs(err, "the expiry is not the warrant's");
    return TENUO_OK;
}

int tenuo_approval_request_check(const struct tenuo_approval_request_view *claimed,
                                 const struct tenuo_verifier *verifier, const struct tenuo_warrant *leaf,
                                 int64_t as_of, struct tenuo_error *reterr)
{
    struct tn_match_env env = TN_MATCH_ENV(verifier == NULL ? NULL : verifier->policy.matchers, as_of);
    struct tenuo_approval_request_view c = { 0 };
    struct tenuo_approval_request *want = NULL;
    int r;
    memcpy(&c, claimed, claimed->size < sizeof c ? claimed->size : sizeof c);
    r = evaluate(leaf, (struct tn_str){ (const uint8_t *)c.tool, c.tool_len }, c.args,
                 verifier != NULL && verifier->policy.strict_gates, &env, &want, reterr);
    if (r == TENUO_OK)
        r = want == NULL ? differs(reterr, "the call needs no approval") : compare(&c, want, reterr);
    tenuo_approval_request_free(want);
    return r;
}
