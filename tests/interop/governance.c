/* SPDX-License-Identifier: Apache-2.0 */
/* Operations of the interop driver on approvals, revocation lists and requests, and receipts. */
#include "ops.h"
#include <stdlib.h>
#include <string.h>

static json_t *bytes_answer(int rc, const char *member, const uint8_t *bytes, size_t len)
{
    json_t *answer = rc == 0 ? answer_ok() : answer_refused(rc);
    if (rc == 0)
        put_hex(answer, member, bytes, len);
    return answer;
}

/* ---- members of other operations ---- */

static int add_gate(struct tenuo_mint *mint, const json_t *gate)
{
    const char *tool = json_string_value(json_object_get(gate, "tool")), *arg = NULL, *kind = NULL;
    struct tenuo_constraint *constraint = NULL;
    struct bytes b = { 0 };
    int rc = 0;
    if (!has(gate, "arg"))
        return tenuo_mint_add_gate(mint, tool, strlen(tool), NULL);
    arg = json_string_value(json_object_get(gate, "arg"));
    kind = json_string_value(json_object_get(gate, "kind"));
    if (has(gate, "constraint")) {
        rc = hex_item(json_object_get(gate, "constraint"), &b);
        if (rc == 0)
            rc = tenuo_constraint_parse(b.p, b.len, &constraint, NULL);
    }
    if (rc == 0)
        rc = tenuo_mint_add_arg_gate(mint, tool, strlen(tool), arg, strlen(arg),
                                     strcmp(kind, "all") == 0      ? TENUO_GATE_ALL
                                     : strcmp(kind, "exempt") == 0 ? TENUO_GATE_EXEMPT
                                                                   : TENUO_GATE_CONSTRAINT,
                                     constraint, NULL);
    tenuo_constraint_free(constraint);
    free(b.p);
    return rc;
}

int add_gates(const json_t *json, struct tenuo_mint *mint)
{
    const json_t *item;
    size_t i;
    int64_t min;
    int rc = 0;
    json_array_foreach(json_object_get(json, "gates"), i, item)
        if (rc == 0)
            rc = add_gate(mint, item);
    json_array_foreach(json_object_get(json, "approvers"), i, item) {
        struct bytes key = { 0 };
        if (rc == 0)
            rc = hex_item(item, &key);
        if (rc == 0)
            rc = key.len == TENUO_PUBLIC_KEY_BYTES ? tenuo_mint_add_approver(mint, key.p, NULL)
                                                   : TENUO_E_INVALID_ARGUMENT;
        free(key.p);
    }
    if (get_number(json, "min_approvals", &min))
        tenuo_mint_set_min_approvals(mint, (uint32_t)min);
    return rc;
}

int add_approvals(const json_t *json, struct tenuo_request *request)
{
    const json_t *item;
    size_t i;
    int rc = 0;
    json_array_foreach(json_object_get(json, "approvals"), i, item) {
        struct bytes b = { 0 };
        if (rc == 0)
            rc = hex_item(item, &b);
        if (rc == 0)
            rc = tenuo_request_add_approval(request, b.p, b.len, NULL);
        free(b.p);
    }
    return rc;
}

int set_list(const json_t *json, struct tenuo_verifier_builder *builder)
{
    struct tenuo_revocation *revocation = NULL;
    struct tenuo_revocation_source source = { .fresh_until = INT64_MAX };
    struct bytes b;
    if (!get_bytes(json, "srl", &b))
        return 0;
    int rc = tenuo_srl_parse(b.p, b.len, NULL, &source.list, NULL);
    if (rc == 0)
        rc = tenuo_revocation_new(&source, 1, &revocation, NULL);
    if (rc == 0)
        tenuo_verifier_builder_set_revocation(builder, revocation);
    tenuo_revocation_unref(revocation);
    tenuo_srl_unref(source.list);
    free(b.p);
    return rc;
}

void put_approvers(json_t *answer, const struct tenuo_decision *decision)
{
    json_t *keys = json_array();
    for (size_t i = 0; i < tenuo_decision_approved_count(decision); i++)
        (void)json_array_append_new(keys, answer_hex(tenuo_decision_approved_by(decision, i), TENUO_PUBLIC_KEY_BYTES));
    (void)json_object_set_new(answer, "approved_by", keys);
}

/* ---- approvals ---- */

static json_t *op_request_hash(const json_t *json)
{
    uint8_t hash[TENUO_REQUEST_HASH_BYTES], holder[TENUO_PUBLIC_KEY_BYTES];
    struct tenuo_args *args = NULL;
    size_t len = 0;
    const char *tool = get_text(json, "tool", &len), *id = get_text(json, "warrant_id", NULL);
    int rc = tool != NULL && id != NULL ? args_of(json, &args) : TENUO_E_INVALID_ARGUMENT;
    if (rc == 0)
        rc = tenuo_request_hash(id, tool, len, args, get_fixed(json, "holder", holder, sizeof holder) ? holder : NULL,
                                hash, NULL);
    tenuo_args_free(args);
    return bytes_answer(rc, "hash", hash, sizeof hash);
}

static json_t *op_approve(const json_t *json)
{
    uint8_t hash[TENUO_REQUEST_HASH_BYTES];
    struct tenuo_signer *signer = NULL;
    struct tenuo_approve *approve = NULL;
    struct tenuo_approval *approval = NULL;
    int64_t now = 0, lifetime = 0;
    size_t len = 0;
    const char *external = get_text(json, "external_id", &len);
    int rc = get_fixed(json, "hash", hash, sizeof hash) && get_number(json, "now", &now) ? signer_of(json, &signer)
                                                                                       : TENUO_E_INVALID_ARGUMENT;
    if (rc == 0)
        rc = tenuo_approve_new(hash, &approve, NULL);
    if (rc == 0 && external != NULL)
        rc = tenuo_approve_set_external_id(approve, external, len, NULL);
    if (rc == 0 && get_number(json, "lifetime", &lifetime))
        tenuo_approve_set_lifetime(approve, (uint64_t)lifetime);
    if (rc == 0)
        rc = tenuo_approve_sign(approve, signer, (uint64_t)now, &approval, NULL);
    size_t n = 0;
    const uint8_t *bytes = rc == 0 ? tenuo_approval_bytes(approval, &n) : NULL;
    json_t *answer = bytes_answer(rc, "approval", bytes, n);
    tenuo_approval_free(approval);
    tenuo_approve_free(approve);
    tenuo_signer_free(signer);
    return answer;
}

static json_t *op_approval(const json_t *json)
{
    struct tenuo_approval *approval = NULL;
    struct bytes b;
    if (!get_bytes(json, "approval", &b))
        return answer_refused(TENUO_E_INVALID_ARGUMENT);
    int rc = tenuo_approval_parse(b.p, b.len, &approval, NULL);
    json_t *answer = bytes_answer(rc, "hash", rc == 0 ? tenuo_approval_request_hash(approval) : NULL,
                                  TENUO_REQUEST_HASH_BYTES);
    if (rc == 0) {
        size_t n = 0;
        const char *external = tenuo_approval_external_id(approval, &n);
        put_hex(answer, "key", tenuo_approval_key(approval), TENUO_PUBLIC_KEY_BYTES);
        put_text(answer, "external_id", external, n);
        (void)json_object_set_new(answer, "approved_at",
                                  json_integer((json_int_t)tenuo_approval_approved_at(approval)));
        (void)json_object_set_new(answer, "expires_at",
                                  json_integer((json_int_t)tenuo_approval_expires_at(approval)));
    }
    tenuo_approval_free(approval);
    free(b.p);
    return answer;
}

static json_t *op_attest(const json_t *json)
{
    uint8_t signature[TENUO_SIGNATURE_BYTES];
    struct tenuo_signer *signer = NULL;
    struct tenuo_args *args = NULL;
    size_t len = 0;
    const char *tool = get_text(json, "tool", &len), *id = get_text(json, "warrant_id", NULL);
    int rc = tool != NULL && id != NULL ? signer_of(json, &signer) : TENUO_E_INVALID_ARGUMENT;
    if (rc == 0)
        rc = args_of(json, &args);
    if (rc == 0)
        rc = tenuo_approval_context_sign(signer, id, tool, len, args, signature, NULL);
    json_t *answer = bytes_answer(rc, "signature", signature, sizeof signature);
    tenuo_args_free(args);
    tenuo_signer_free(signer);
    return answer;
}

/* ---- revocation ---- */

static int add_id(struct tenuo_srl_builder *builder, const json_t *id)
{
    uint8_t raw[TENUO_WARRANT_ID_BYTES];
    int rc = tenuo_warrant_id_parse(json_string_value(id), json_string_length(id), raw, NULL);
    return rc == 0 ? tenuo_srl_builder_add(builder, raw, NULL) : rc;
}

static json_t *op_srl(const json_t *json)
{
    struct tenuo_srl_builder *builder = NULL;
    struct tenuo_signer *signer = NULL;
    uint8_t *bytes = NULL;
    size_t len = 0, i;
    const json_t *id;
    int64_t version = 0, now = 0;
    int rc = get_number(json, "version", &version) && get_number(json, "now", &now) ? signer_of(json, &signer)
                                                                                    : TENUO_E_INVALID_ARGUMENT;
    if (rc == 0)
        rc = tenuo_srl_builder_new((uint64_t)version, &builder, NULL);
    json_array_foreach(json_object_get(json, "ids"), i, id)
        if (rc == 0)
            rc = add_id(builder, id);
    if (rc == 0)
        rc = tenuo_srl_builder_sign(builder, signer, now, &bytes, &len, NULL);
    json_t *answer = bytes_answer(rc, "srl", bytes, len);
    if (rc == 0)
        tenuo_bytes_free(bytes, len);
    tenuo_srl_builder_free(builder);
    tenuo_signer_free(signer);
    return answer;
}

static int append_id(void *arg, const char *id, size_t len)
{
    return json_array_append_new(arg, json_stringn(id, len));
}

static json_t *op_srl_read(const json_t *json)
{
    uint8_t issuer[TENUO_PUBLIC_KEY_BYTES];
    struct tenuo_srl *srl = NULL;
    struct bytes b;
    if (!get_bytes(json, "srl", &b) || !get_fixed(json, "issuer", issuer, sizeof issuer))
        return answer_refused(TENUO_E_INVALID_ARGUMENT);
    int rc = tenuo_srl_parse(b.p, b.len, issuer, &srl, NULL);
    json_t *answer = bytes_answer(rc, "sha256", rc == 0 ? tenuo_srl_sha256(srl) : NULL, 32);
    if (rc == 0) {
        json_t *ids = json_array();
        (void)tenuo_srl_each(srl, append_id, ids);
        (void)json_object_set_new(answer, "ids", ids);
        (void)json_object_set_new(answer, "version", json_integer((json_int_t)tenuo_srl_version(srl)));
    }
    tenuo_srl_unref(srl);
    free(b.p);
    return answer;
}

static json_t *op_revoke(const json_t *json)
{
    struct tenuo_signer *signer = NULL;
    uint8_t id[TENUO_WARRANT_ID_BYTES], *bytes = NULL;
    size_t len = 0, idlen = 0, n = 0;
    int64_t now = 0;
    const char *reason = get_text(json, "reason", &n), *text = get_text(json, "warrant_id", &idlen);
    int rc = reason != NULL && text != NULL && get_number(json, "now", &now) ? signer_of(json, &signer)
                                                                             : TENUO_E_INVALID_ARGUMENT;
    if (rc == 0)
        rc = tenuo_warrant_id_parse(text, idlen, id, NULL);
    if (rc == 0)
        rc = tenuo_revocation_request_create(id, reason, n, signer, now, &bytes, &len, NULL);
    json_t *answer = bytes_answer(rc, "request", bytes, len);
    if (rc == 0)
        tenuo_bytes_free(bytes, len);
    tenuo_signer_free(signer);
    return answer;
}

static json_t *op_revoke_read(const json_t *json)
{
    struct tenuo_revocation_request *request = NULL;
    struct bytes b;
    if (!get_bytes(json, "request", &b))
        return answer_refused(TENUO_E_INVALID_ARGUMENT);
    int rc = tenuo_revocation_request_parse(b.p, b.len, &request, NULL);
    json_t *answer = rc == 0 ? answer_ok() : answer_refused(rc);
    if (rc == 0) {
        size_t n = 0;
        const char *reason = tenuo_revocation_request_reason(request, &n), *id =
            tenuo_revocation_request_warrant_id(request);
        put_text(answer, "reason", reason, n);
        put_text(answer, "warrant_id", id, strlen(id));
        put_hex(answer, "requestor", tenuo_revocation_request_requestor(request), TENUO_PUBLIC_KEY_BYTES);
    }
    tenuo_revocation_request_free(request);
    free(b.p);
    return answer;
}

/* ---- receipts ---- */

static json_t *op_receipt_read(const json_t *json)
{
    struct tenuo_receipt *receipt = NULL;
    uint8_t digest[TENUO_RECEIPT_DIGEST_BYTES];
    struct bytes b;
    if (!get_bytes(json, "receipt", &b))
        return answer_refused(TENUO_E_INVALID_ARGUMENT);
    int rc = tenuo_receipt_parse(b.p, b.len, &receipt, NULL);
    if (rc == 0)
        tenuo_receipt_digest(receipt, digest);
    json_t *answer = bytes_answer(rc, "digest", digest, sizeof digest);
    if (rc == 0) {
        const struct tenuo_receipt_fields *f = tenuo_receipt_get_fields(receipt);
        put_hex(answer, "signer", tenuo_receipt_signer(receipt), TENUO_PUBLIC_KEY_BYTES);
        put_text(answer, "request_id", f->request_id, f->request_id_len);
        (void)json_object_set_new(answer, "allow", json_boolean(f->allow));
        (void)json_object_set_new(answer, "timestamp", json_integer((json_int_t)f->timestamp));
        if (f->request_hash != NULL)
            put_hex(answer, "request_hash", f->request_hash, TENUO_REQUEST_HASH_BYTES);
        put_text(answer, "action", f->action, f->action_len);
    }
    tenuo_receipt_free(receipt);
    free(b.p);
    return answer;
}

static json_t *op_receipt(const json_t *json)
{
    struct tenuo_receipt_fields f = { .size = sizeof f };
    struct tenuo_signer *signer = NULL;
    uint8_t pop[TENUO_SIGNATURE_BYTES], hash[TENUO_REQUEST_HASH_BYTES], prev[TENUO_RECEIPT_DIGEST_BYTES], *bytes = NULL;
    struct bytes chain = { 0 };
    size_t len = 0;
    int rc = get_bytes(json, "stack", &chain) && get_number(json, "now", &f.timestamp) ? signer_of(json, &signer)
                                                                                      : TENUO_E_INVALID_ARGUMENT;
    f.allow = json_is_true(json_object_get(json, "allow"));
    f.warrant_chain = chain.p;
    f.warrant_chain_len = chain.len;
    f.tool = get_text(json, "tool", &f.tool_len);
    f.request_id = get_text(json, "request_id", &f.request_id_len);
    f.decision_code = get_text(json, "decision_code", &f.decision_code_len);
    f.pop_signature = get_fixed(json, "pop", pop, sizeof pop) ? pop : NULL;
    f.request_hash = get_fixed(json, "request_hash", hash, sizeof hash) ? hash : NULL;
    f.prev_receipt_hash = get_fixed(json, "prev", prev, sizeof prev) ? prev : NULL;
    if (rc == 0)
        rc = tenuo_receipt_sign(&f, signer, &bytes, &len, NULL);
    json_t *answer = bytes_answer(rc, "receipt", bytes, len);
    if (rc == 0)
        tenuo_bytes_free(bytes, len);
    tenuo_signer_free(signer);
    free(chain.p);
    return answer;
}

const struct op governance_ops[] = {
    { "request_hash", op_request_hash }, { "approve", op_approve },         { "approval", op_approval },
    { "attest", op_attest },             { "srl", op_srl },                 { "srl_read", op_srl_read },
    { "revoke", op_revoke },             { "revoke_read", op_revoke_read }, { "receipt", op_receipt },
    { "receipt_read", op_receipt_read }, { NULL, NULL }
};
