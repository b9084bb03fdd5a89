/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Kinds `warrant` and `stack`: bytes to a verified chain at the case's own time; `bytes` and `raw`: the published
 * envelopes.
 *
 * Never reads a clock. Revocation lists are not built.
 */
#include "runner.h"
#include "verifier.h"
#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#define MAX_ENVELOPE (TENUO_WARRANT_MAX_BYTES * 2)

struct tenuo_stack *parse_single(const json_t *json, const char *member, int *ret_code)
{
    struct bytes b;
    struct tenuo_stack *stack = NULL;
    if (!get_bytes(json, member, &b))
        return NULL;
    *ret_code = tenuo_stack_parse_single(b.p, b.len, &stack, NULL);
    free(b.p);
    return stack;
}

static json_t *chain_answer(const struct tenuo_decision *d)
{
    int code = tenuo_decision_code(d);
    if (tenuo_decision_outcome(d) != TENUO_ALLOW)
        return answer_refused(code);
    json_t *answer = answer_ok(), *ids = json_array();
    for (size_t i = 0; i < tenuo_decision_chain_length(d); i++)
        (void)json_array_append_new(ids, json_string(tenuo_decision_chain_id(d, i)));
    (void)json_object_set_new(answer, "chain_length", json_integer((json_int_t)tenuo_decision_chain_length(d)));
    (void)json_object_set_new(answer, "leaf_depth", json_integer((json_int_t)tenuo_decision_leaf_depth(d)));
    (void)json_object_set_new(answer, "ids", ids);
    return answer;
}

/* The decision on a parsed stack and the one on its bytes are the same code path for callers, so they must agree. */
static json_t *verify_both(struct tenuo_verifier *verifier, const struct tenuo_stack *stack, const struct bytes *input,
                           int64_t now)
{
    struct tenuo_decision *a = NULL, *b = NULL;
    json_t *answer = NULL;
    int rc = tenuo_verify_stack(verifier, stack, now, &a, NULL);
    if (rc == 0)
        rc = tenuo_verify(verifier, input->p, input->len, now, &b, NULL);
    if (rc != 0)
        answer = answer_refused(rc);
    else if (tenuo_decision_code(a) != tenuo_decision_code(b))
        answer = json_sprintf("parsed %d, bytes %d", tenuo_decision_code(a), tenuo_decision_code(b));
    else
        answer = chain_answer(a);
    tenuo_decision_free(a);
    tenuo_decision_free(b);
    return answer;
}

static json_t *verify_case(struct vector *v, bool array)
{
    struct bytes input;
    struct tenuo_stack *stack = NULL;
    struct tenuo_verifier *verifier = NULL;
    json_t *answer = NULL;
    int64_t now = 0;
    if (!get_bytes(v->json, "input", &input))
        return NULL;
    if (!get_number(v->json, "now", &now))
        goto out;
    int rc = array ? tenuo_stack_parse_array(input.p, input.len, &stack, NULL)
                   : tenuo_stack_parse_single(input.p, input.len, &stack, NULL);
    if (rc == 0)
        rc = verifier_of_case(v->json, &verifier);
    answer = rc == 0 ? verify_both(verifier, stack, &input, now) : answer_refused(rc);
    v->skip = no_matcher(json_integer_value(json_object_get(answer, "code")));
out:
    tenuo_verifier_unref(verifier);
    tenuo_stack_free(stack);
    free(input.p);
    return answer;
}

static json_t *run_warrant(struct vector *v)
{
    return verify_case(v, false);
}

static json_t *run_stack(struct vector *v)
{
    return verify_case(v, true);
}

/* 83 01 bstr(payload) 82 01 58 40 signature: warrant.md 1.1. */
static size_t envelope(const struct bytes *payload, const struct bytes *signature, uint8_t *ret)
{
    static const uint8_t head[] = { 0x83, 0x01 }, tail[] = { 0x82, 0x01, 0x58, 0x40 };
    size_t n = sizeof head;
    memcpy(ret, head, n);
    if (payload->len > 0xff) {
        ret[n++] = 0x59;
        ret[n++] = (uint8_t)(payload->len >> 8);
    } else if (payload->len > 23) {
        ret[n++] = 0x58;
    }
    ret[n] = (uint8_t)(payload->len & 0xff);
    if (payload->len <= 23)
        ret[n] = (uint8_t)(0x40 | ret[n]);
    n++;
    memcpy(ret + n, payload->p, payload->len);
    n += payload->len;
    memcpy(ret + n, tail, sizeof tail);
    n += sizeof tail;
    memcpy(ret + n, signature->p, signature->len);
    return n + signature->len;
}

/* What the library reads from the envelope, where it accepts it: payload, hash, signature and the bytes once more. */
static bool library_agrees(const uint8_t *bytes, size_t len, const struct bytes *payload, uint8_t hash[32])
{
    struct tenuo_stack *stack = NULL;
    if (tenuo_stack_parse_single(bytes, len, &stack, NULL) != 0)
        return true; /* the published set holds forged and malformed ones on purpose */
    const struct tenuo_warrant *w = tenuo_stack_leaf(stack);
    size_t got_len = 0, room = MAX_ENVELOPE;
    const uint8_t *got = tenuo_warrant_payload(w, &got_len);
    uint8_t *again = malloc(room);
    tenuo_warrant_payload_hash(w, hash);
    bool same = got_len == payload->len && memcmp(got, payload->p, got_len) == 0 && again != NULL &&
                memcmp(tenuo_warrant_signature(w), bytes + len - 64, 64) == 0 &&
                tenuo_warrant_encode(w, TENUO_FORM_CBOR, again, &room, NULL) == 0 && room == len &&
                memcmp(again, bytes, len) == 0;
    free(again);
    tenuo_stack_free(stack);
    return same;
}

static json_t *run_bytes(struct vector *v)
{
    struct bytes payload = { 0 }, signature = { 0 };
    uint8_t hash[crypto_hash_sha256_BYTES], *bytes = malloc(MAX_ENVELOPE);
    json_t *answer = NULL;
    if (bytes == NULL || !get_bytes(v->json, "payload", &payload) || !get_bytes(v->json, "signature", &signature) ||
        signature.len != TENUO_SIGNATURE_BYTES || payload.len > TENUO_WARRANT_MAX_BYTES - 1)
        goto out;
    size_t len = envelope(&payload, &signature, bytes);
    crypto_hash_sha256(hash, payload.p, payload.len);
    if (library_agrees(bytes, len, &payload, hash)) {
        answer = json_object();
        put_hex(answer, "warrant", bytes, len);
        put_hex(answer, "payload_sha256", hash, sizeof hash);
    } else {
        answer = json_string("the library reads other bytes");
    }
out:
    free(bytes);
    free(payload.p);
    free(signature.p);
    return answer;
}

static json_t *run_raw(struct vector *v)
{
    struct bytes b;
    if (!get_bytes(v->json, "bytes", &b))
        return NULL;
    free(b.p);
    return json_pack("{s:I}", "length", (json_int_t)b.len);
}

const struct kind kinds_warrant[] = {
    { "warrant", run_warrant, NULL }, { "stack", run_stack, NULL }, { "bytes", run_bytes, NULL },
    { "raw", run_raw, NULL },         { NULL, NULL, NULL },
};
