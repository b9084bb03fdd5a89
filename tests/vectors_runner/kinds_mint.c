/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Kinds `mint_root`, `mint_child`, `mint_issue`: builder inputs to the exact bytes of payload and envelope, or the
 * refusal.
 *
 * Id and both times come from the case; nothing random or timed enters an answer.
 */
#include "runner.h"
#include <stdlib.h>
#include <string.h>

static int bad_case(void)
{
    return TENUO_E_INVALID_ARGUMENT;
}

static bool hex_item(const json_t *item, struct bytes *ret)
{
    return json_is_string(item) && hex_decode(json_string_value(item), json_string_length(item), ret);
}

static int add_tool(struct tenuo_mint *mint, const json_t *pair)
{
    const json_t *name = json_array_get(pair, 0);
    struct bytes cbor;
    struct tenuo_constraint_set *set = NULL;
    if (!json_is_string(name) || !hex_item(json_array_get(pair, 1), &cbor))
        return bad_case();
    int rc = tenuo_constraint_set_parse(cbor.p, cbor.len, &set, NULL);
    if (rc == 0)
        rc = tenuo_mint_add_tool(mint, json_string_value(name), json_string_length(name), set, NULL);
    tenuo_constraint_set_free(set);
    free(cbor.p);
    return rc;
}

static int add_issuable(struct tenuo_mint *mint, const json_t *name)
{
    return json_is_string(name) ? tenuo_mint_add_issuable(mint, json_string_value(name), json_string_length(name), NULL)
                                : bad_case();
}

static int add_extension(struct tenuo_mint *mint, const json_t *pair)
{
    const json_t *key = json_array_get(pair, 0);
    struct bytes value;
    if (!json_is_string(key) || !hex_item(json_array_get(pair, 1), &value))
        return bad_case();
    int rc = tenuo_mint_add_extension(mint, json_string_value(key), json_string_length(key), value.p, value.len, NULL);
    free(value.p);
    return rc;
}

static int add_approver(struct tenuo_mint *mint, const json_t *key)
{
    struct bytes b;
    if (!hex_item(key, &b))
        return bad_case();
    int rc = b.len == TENUO_PUBLIC_KEY_BYTES ? tenuo_mint_add_approver(mint, b.p, NULL) : bad_case();
    free(b.p);
    return rc;
}

static int each(const json_t *json, const char *member, struct tenuo_mint *mint,
                int (*add)(struct tenuo_mint *, const json_t *))
{
    const json_t *list = json_object_get(json, member);
    int rc = 0;
    for (size_t i = 0; rc == 0 && i < json_array_size(list); i++)
        rc = add(mint, json_array_get(list, i));
    return rc;
}

static int put_bound(struct tenuo_constraint_set *set, const json_t *pair)
{
    const json_t *name = json_array_get(pair, 0);
    struct bytes cbor;
    struct tenuo_constraint *constraint = NULL;
    if (!json_is_string(name) || !hex_item(json_array_get(pair, 1), &cbor))
        return bad_case();
    int rc = tenuo_constraint_parse(cbor.p, cbor.len, &constraint, NULL);
    if (rc == 0)
        rc = tenuo_constraint_set_put(set, json_string_value(name), json_string_length(name), constraint, NULL);
    tenuo_constraint_free(constraint);
    free(cbor.p);
    return rc;
}

static int set_bounds(const json_t *json, struct tenuo_mint *mint)
{
    const json_t *list = json_object_get(json, "constraint_bounds");
    struct tenuo_constraint_set *set = NULL;
    if (list == NULL)
        return 0;
    int rc = tenuo_constraint_set_new(&set, NULL);
    for (size_t i = 0; rc == 0 && i < json_array_size(list); i++)
        rc = put_bound(set, json_array_get(list, i));
    if (rc == 0)
        rc = tenuo_mint_set_bounds(mint, set, NULL);
    tenuo_constraint_set_free(set);
    return rc;
}

static int set_texts(const json_t *json, struct tenuo_mint *mint)
{
    size_t len = 0;
    int rc = 0;
    const char *text = get_text(json, "session_id", &len);
    if (text != NULL)
        rc = tenuo_mint_set_session_id(mint, text, len, NULL);
    text = get_text(json, "agent_id", &len);
    if (rc == 0 && text != NULL)
        rc = tenuo_mint_set_agent_id(mint, text, len, NULL);
    return rc;
}

static void set_numbers(const json_t *json, struct tenuo_mint *mint)
{
    int64_t n;
    const char *type = get_text(json, "type", NULL);
    if (type != NULL)
        tenuo_mint_set_type(mint, strcmp(type, "issuer") == 0 ? TENUO_ISSUER : TENUO_EXECUTION);
    if (get_number(json, "max_depth", &n))
        tenuo_mint_set_max_depth(mint, (uint32_t)n);
    if (get_number(json, "max_issue_depth", &n))
        tenuo_mint_set_max_issue_depth(mint, (uint32_t)n);
    if (get_number(json, "clearance", &n))
        tenuo_mint_set_clearance(mint, (uint8_t)n);
    if (get_number(json, "min_approvals", &n))
        tenuo_mint_set_min_approvals(mint, (uint32_t)n);
    if (get_number(json, "expires_at", &n))
        tenuo_mint_set_expires_at(mint, (uint64_t)n);
}

static int fill(const json_t *json, struct tenuo_mint *mint)
{
    uint8_t id[TENUO_WARRANT_ID_BYTES], holder[TENUO_PUBLIC_KEY_BYTES];
    if (!get_fixed(json, "warrant_id", id, sizeof id) || !get_fixed(json, "holder", holder, sizeof holder))
        return bad_case();
    tenuo_mint_set_id(mint, id);
    set_numbers(json, mint);
    int rc = tenuo_mint_set_holder(mint, holder, NULL);
    if (rc == 0)
        rc = each(json, "tools", mint, add_tool);
    if (rc == 0)
        rc = each(json, "issuable_tools", mint, add_issuable);
    if (rc == 0)
        rc = set_bounds(json, mint);
    if (rc == 0)
        rc = set_texts(json, mint);
    if (rc == 0)
        rc = each(json, "extensions", mint, add_extension);
    return rc != 0 ? rc : each(json, "required_approvers", mint, add_approver);
}

static json_t *minted_answer(const struct tenuo_stack *stack)
{
    const struct tenuo_warrant *w = tenuo_stack_leaf(stack);
    size_t payload_len = 0, len = 0;
    const uint8_t *payload = tenuo_warrant_payload(w, &payload_len);
    int rc = tenuo_warrant_encode(w, TENUO_FORM_CBOR, NULL, &len, NULL);
    uint8_t *bytes = malloc(len + 1);
    if (bytes != NULL)
        rc = tenuo_warrant_encode(w, TENUO_FORM_CBOR, bytes, &len, NULL);
    json_t *answer = rc == 0 && bytes != NULL ? answer_ok() : answer_refused(rc);
    if (rc == 0 && bytes != NULL) {
        put_hex(answer, "payload", payload, payload_len);
        put_hex(answer, "warrant", bytes, len);
    }
    free(bytes);
    return answer;
}

static json_t *sign(const json_t *json, const char *secret, struct tenuo_mint *mint)
{
    uint8_t seed[TENUO_SECRET_SEED_BYTES];
    struct tenuo_signer *signer = NULL;
    struct tenuo_stack *stack = NULL;
    int64_t now = 0;
    if (!get_fixed(json, secret, seed, sizeof seed) || !get_number(json, "issued_at", &now))
        return NULL;
    int rc = tenuo_signer_from_seed(seed, &signer, NULL);
    if (rc == 0)
        rc = fill(json, mint);
    if (rc == 0)
        rc = tenuo_mint_sign(mint, signer, (uint64_t)now, &stack, NULL);
    json_t *answer = rc == 0 ? minted_answer(stack) : answer_refused(rc);
    tenuo_stack_free(stack);
    tenuo_signer_free(signer);
    return answer;
}

static json_t *run_mint_root(struct vector *v)
{
    struct tenuo_mint *mint = NULL;
    int rc = tenuo_mint_root(&mint, NULL);
    json_t *answer = rc == 0 ? sign(v->json, "issuer_secret", mint) : answer_refused(rc);
    tenuo_mint_free(mint);
    return answer;
}

typedef int open_fn(const struct tenuo_stack *, struct tenuo_mint **, struct tenuo_error *);

static json_t *run_below(struct vector *v, const char *parent_member, open_fn *open)
{
    struct tenuo_mint *mint = NULL;
    int rc = TENUO_E_INVALID_ARGUMENT;
    struct tenuo_stack *parent = parse_single(v->json, parent_member, &rc);
    if (rc == 0)
        rc = open(parent, &mint, NULL);
    json_t *answer = rc == 0 ? sign(v->json, "holder_secret", mint) : answer_refused(rc);
    tenuo_mint_free(mint);
    tenuo_stack_free(parent);
    return answer;
}

static json_t *run_mint_child(struct vector *v)
{
    return run_below(v, "parent", tenuo_mint_attenuate);
}

static json_t *run_mint_issue(struct vector *v)
{
    return run_below(v, "issuer_warrant", tenuo_mint_issue);
}

const struct kind kinds_mint[] = {
    { "mint_root", run_mint_root, NULL },
    { "mint_child", run_mint_child, NULL },
    { "mint_issue", run_mint_issue, NULL },
    { NULL, NULL, NULL },
};
