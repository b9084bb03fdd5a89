/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Kinds about one call: `authorize` (the whole decision), `pop`, `pop_verify`, `request_hash`.
 * Never reads a clock.
 */
#include "runner.h"
#include "verifier.h"
#include <stdlib.h>
#include <string.h>

/* A call as a case states it. */
struct call {
    const char *tool;
    size_t tool_len;
    struct tenuo_args *args;
};

static bool get_call(const json_t *json, struct call *call, int *ret_code)
{
    struct bytes args;
    call->tool = get_text(json, "tool", &call->tool_len);
    call->args = NULL;
    if (call->tool == NULL || !get_bytes(json, "args", &args))
        return false;
    *ret_code = tenuo_args_parse(args.p, args.len, &call->args, NULL);
    free(args.p);
    return true;
}

static int add_approvals(const json_t *json, struct tenuo_request *request)
{
    const json_t *list = json_object_get(json, "approvals");
    for (size_t i = 0; i < json_array_size(list); i++) {
        const json_t *text = json_array_get(list, i);
        struct bytes b;
        if (!json_is_string(text) || !hex_decode(json_string_value(text), json_string_length(text), &b))
            return TENUO_E_INVALID_ARGUMENT;
        int rc = tenuo_request_add_approval(request, b.p, b.len, NULL);
        free(b.p);
        if (rc != 0)
            return rc;
    }
    return 0;
}

static int build_request(const json_t *json, const struct call *call, struct tenuo_request **ret_request)
{
    struct tenuo_request *request = NULL;
    uint8_t pop[TENUO_SIGNATURE_BYTES];
    int rc = tenuo_request_new(call->tool, call->tool_len, &request, NULL);
    if (rc == 0)
        rc = tenuo_request_set_args(request, call->args, NULL);
    if (rc == 0)
        rc = add_approvals(json, request);
    if (rc != 0) {
        tenuo_request_free(request);
        return rc;
    }
    if (get_fixed(json, "pop", pop, sizeof pop))
        tenuo_request_set_pop(request, pop);
    *ret_request = request;
    return 0;
}

static json_t *allow_answer(const struct tenuo_decision *d)
{
    json_t *answer = answer_ok();
    (void)json_object_set_new(answer, "chain_length", json_integer((json_int_t)tenuo_decision_chain_length(d)));
    (void)json_object_set_new(answer, "leaf_depth", json_integer((json_int_t)tenuo_decision_leaf_depth(d)));
    const uint8_t *hash = tenuo_decision_request_hash(d);
    if (hash != NULL)
        put_hex(answer, "request_hash", hash, 32);
    json_t *by = json_array();
    for (size_t i = 0; i < tenuo_decision_approved_count(d); i++)
        (void)json_array_append_new(by, answer_hex(tenuo_decision_approved_by(d, i), TENUO_PUBLIC_KEY_BYTES));
    (void)json_object_set_new(answer, "approved_by", by);
    return answer;
}

static json_t *decide(struct tenuo_verifier *verifier, const struct tenuo_stack *stack, const struct bytes *input,
                      const struct tenuo_request *request, int64_t now)
{
    struct tenuo_decision *a = NULL, *b = NULL;
    json_t *answer;
    int rc = tenuo_authorize_stack(verifier, stack, request, now, &a, NULL);
    if (rc == 0)
        rc = tenuo_authorize(verifier, input->p, input->len, request, now, &b, NULL);
    if (rc != 0)
        answer = answer_refused(rc);
    else if (tenuo_decision_code(a) != tenuo_decision_code(b) || tenuo_decision_outcome(a) != tenuo_decision_outcome(b))
        answer = json_sprintf("parsed %d, bytes %d", tenuo_decision_code(a), tenuo_decision_code(b));
    else
        answer = tenuo_decision_outcome(a) == TENUO_ALLOW ? allow_answer(a) : answer_refused(tenuo_decision_code(a));
    tenuo_decision_free(a);
    tenuo_decision_free(b);
    return answer;
}

/* Why a case cannot be judged before matchers are built; NULL when it can. */
static const char *not_built(const struct vector *v, const json_t *answer)
{
    const json_t *json = v->json;
    json_int_t code = json_integer_value(json_object_get(answer, "code"));
    int64_t window = WINDOW_SECS;
    (void)get_number(json, "pop_window", &window);
    if (window != WINDOW_SECS && json_object_get(json, "ours") == NULL)
        return "PoP window other than 30 s cannot be configured";
    return no_matcher(code);
}

static json_t *authorize_call(struct vector *v, const struct tenuo_stack *stack, const struct bytes *input,
                              const struct call *call, int64_t now)
{
    struct tenuo_verifier *verifier = NULL;
    struct tenuo_request *request = NULL;
    int rc = verifier_of_case(v->json, &verifier);
    if (rc == 0)
        rc = build_request(v->json, call, &request);
    json_t *answer = rc == 0 ? decide(verifier, stack, input, request, now) : answer_refused(rc);
    tenuo_request_free(request);
    tenuo_verifier_unref(verifier);
    return answer;
}

static json_t *run_authorize(struct vector *v)
{
    struct bytes input;
    struct tenuo_stack *stack = NULL;
    struct call call = { 0 };
    json_t *answer = NULL;
    int64_t now = 0;
    int rc = 0;
    if (!get_bytes(v->json, "stack", &input))
        return NULL;
    if (!get_number(v->json, "now", &now) || !get_call(v->json, &call, &rc))
        goto out;
    if (rc == 0)
        rc = tenuo_stack_parse_array(input.p, input.len, &stack, NULL);
    answer = rc == 0 ? authorize_call(v, stack, &input, &call, now) : answer_refused(rc);
    v->skip = not_built(v, answer);
out:
    tenuo_args_free(call.args);
    tenuo_stack_free(stack);
    free(input.p);
    return answer;
}

/* Preimage, signature and both hashes; NULL when one of them is refused. */
static json_t *pop_answer(const struct tenuo_signer *signer, const struct tenuo_warrant *w, const struct call *call,
                          int64_t when)
{
    uint8_t signature[TENUO_SIGNATURE_BYTES], hash[32], *preimage = NULL;
    char id[TENUO_WARRANT_ID_TEXT_BYTES], dedup[65];
    size_t len = 0;
    tenuo_warrant_id_text(tenuo_warrant_id(w), id);
    int rc = tenuo_pop_preimage(w, call->tool, call->tool_len, call->args, when, &preimage, &len, NULL);
    if (rc == 0)
        rc = tenuo_pop_sign(signer, w, call->tool, call->tool_len, call->args, when, signature, NULL);
    if (rc == 0)
        rc = tenuo_request_hash(id, call->tool, call->tool_len, call->args, tenuo_warrant_holder(w), hash, NULL);
    if (rc == 0)
        rc = tenuo_pop_dedup_key(w, call->tool, call->tool_len, call->args, dedup, NULL);
    json_t *answer = rc == 0 ? json_object() : json_sprintf("refused with %d", rc);
    if (rc == 0) {
        put_hex(answer, "preimage", preimage, len);
        put_hex(answer, "signature", signature, sizeof signature);
        put_hex(answer, "request_hash", hash, sizeof hash);
        put_text(answer, "dedup_key", dedup, 64);
    }
    tenuo_bytes_free(preimage, len);
    return answer;
}

static json_t *run_pop(struct vector *v)
{
    uint8_t seed[TENUO_SECRET_SEED_BYTES];
    struct tenuo_signer *signer = NULL;
    struct tenuo_stack *stack = NULL;
    struct call call = { 0 };
    json_t *answer = NULL;
    int64_t when = 0, window = WINDOW_SECS;
    int rc = 0, args_rc = 0;
    (void)get_number(v->json, "window", &window);
    if (window != WINDOW_SECS)
        v->skip = "PoP window other than 30 s cannot be configured";
    if (!get_fixed(v->json, "holder_secret", seed, sizeof seed) || !get_number(v->json, "timestamp", &when) ||
        !get_call(v->json, &call, &args_rc))
        goto out;
    stack = parse_single(v->json, "warrant", &rc);
    if (rc == 0)
        rc = tenuo_signer_from_seed(seed, &signer, NULL);
    if (rc != 0)
        answer = json_sprintf("refused with %d", rc);
    else if (args_rc != 0)
        answer = json_string("error");
    else
        answer = pop_answer(signer, tenuo_stack_leaf(stack), &call, when);
out:
    tenuo_args_free(call.args);
    tenuo_stack_free(stack);
    tenuo_signer_free(signer);
    return answer;
}

static json_t *run_pop_verify(struct vector *v)
{
    uint8_t pop[TENUO_SIGNATURE_BYTES];
    struct tenuo_stack *stack = NULL;
    struct call call = { 0 };
    json_t *answer = NULL;
    int64_t now = 0, window = WINDOW_SECS, windows = 5;
    int rc = 0;
    (void)get_number(v->json, "window", &window);
    (void)get_number(v->json, "max_windows", &windows);
    if (window != WINDOW_SECS)
        v->skip = "PoP window other than 30 s cannot be configured";
    if (!get_fixed(v->json, "pop", pop, sizeof pop) || !get_number(v->json, "now", &now) ||
        !get_call(v->json, &call, &rc))
        goto out;
    if (rc == 0)
        stack = parse_single(v->json, "warrant", &rc);
    if (rc == 0)
        rc = tenuo_pop_verify(tenuo_stack_leaf(stack), call.tool, call.tool_len, call.args, pop, now,
                              windows < 0 ? 0 : (uint32_t)windows, NULL);
    answer = rc == 0 ? answer_ok() : answer_refused(rc);
out:
    tenuo_args_free(call.args);
    tenuo_stack_free(stack);
    return answer;
}

static json_t *run_request_hash(struct vector *v)
{
    uint8_t holder[TENUO_PUBLIC_KEY_BYTES], hash[32];
    const char *id = get_text(v->json, "warrant_id", NULL);
    struct call call = { 0 };
    json_t *answer = NULL;
    int rc = 0;
    bool known = has(v->json, "holder");
    if (id == NULL || (known && !get_fixed(v->json, "holder", holder, sizeof holder)) || !get_call(v->json, &call, &rc))
        goto out;
    if (rc == 0)
        rc = tenuo_request_hash(id, call.tool, call.tool_len, call.args, known ? holder : NULL, hash, NULL);
    answer = rc == 0 ? json_object() : answer_refused(rc);
    if (rc == 0)
        put_hex(answer, "hash", hash, sizeof hash);
out:
    tenuo_args_free(call.args);
    return answer;
}

const struct kind kinds_call[] = {
    { "authorize", run_authorize, NULL },
    { "pop", run_pop, NULL },
    { "pop_verify", run_pop_verify, NULL },
    { "request_hash", run_request_hash, NULL },
    { NULL, NULL, NULL },
};
