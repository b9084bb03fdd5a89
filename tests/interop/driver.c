/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tenuo-interop-driver: the public API over JSON lines, so that the interop test can run hundreds of cases in one
 * process. A request a line on stdin, an answer a line on stdout; binary members are hex. Operations of warrants and
 * calls are here, those of approvals, lists and receipts in governance.c.
 *
 * For tests only: it takes seeds in clear. It must never decide anything that the library did not.
 */
#include "ops.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct tenuo_matchers *shipped; /* the shipped ones, when their folder was given */

int hex_item(const json_t *item, struct bytes *ret)
{
    return json_is_string(item) && hex_decode(json_string_value(item), json_string_length(item), ret)
               ? 0
               : TENUO_E_INVALID_ARGUMENT;
}

int signer_of(const json_t *json, struct tenuo_signer **ret_signer)
{
    uint8_t seed[TENUO_SECRET_SEED_BYTES];
    return get_fixed(json, "seed", seed, sizeof seed) ? tenuo_signer_from_seed(seed, ret_signer, NULL)
                                                      : TENUO_E_INVALID_ARGUMENT;
}

int stack_of(const json_t *json, const char *member, struct tenuo_stack **ret_stack)
{
    struct bytes b;
    if (!get_bytes(json, member, &b))
        return TENUO_E_INVALID_ARGUMENT;
    int rc = tenuo_stack_parse(b.p, b.len, ret_stack, NULL);
    free(b.p);
    return rc;
}

int args_of(const json_t *json, struct tenuo_args **ret_args)
{
    struct bytes b;
    if (!get_bytes(json, "args", &b))
        return TENUO_E_INVALID_ARGUMENT;
    int rc = tenuo_args_parse(b.p, b.len, ret_args, NULL);
    free(b.p);
    return rc;
}

static int add_tools(const json_t *json, struct tenuo_mint *mint)
{
    const json_t *tools = json_object_get(json, "tools");
    int rc = 0;
    for (size_t i = 0; rc == 0 && i < json_array_size(tools); i++) {
        const json_t *pair = json_array_get(tools, i), *name = json_array_get(pair, 0);
        struct tenuo_constraint_set *set = NULL;
        struct bytes cbor = { 0 };
        rc = hex_item(json_array_get(pair, 1), &cbor);
        if (rc == 0)
            rc = tenuo_constraint_set_parse(cbor.p, cbor.len, &set, NULL);
        if (rc == 0)
            rc = tenuo_mint_add_tool(mint, json_string_value(name), json_string_length(name), set, NULL);
        tenuo_constraint_set_free(set);
        free(cbor.p);
    }
    return rc;
}

static json_t *stack_answer(const struct tenuo_stack *stack)
{
    size_t len = 0;
    int rc = tenuo_stack_encode(stack, TENUO_FORM_STACK, NULL, &len, NULL);
    uint8_t *bytes = malloc(len + 1);
    if (bytes != NULL)
        rc = tenuo_stack_encode(stack, TENUO_FORM_STACK, bytes, &len, NULL);
    json_t *answer = rc == 0 && bytes != NULL ? answer_ok() : answer_refused(rc);
    if (rc == 0 && bytes != NULL)
        put_hex(answer, "stack", bytes, len);
    free(bytes);
    return answer;
}

static int fill(const json_t *json, struct tenuo_mint *mint)
{
    uint8_t holder[TENUO_PUBLIC_KEY_BYTES];
    int64_t ttl;
    int rc = add_tools(json, mint);
    tenuo_mint_set_matchers(mint, shipped);
    if (rc == 0 && get_fixed(json, "holder", holder, sizeof holder))
        rc = tenuo_mint_set_holder(mint, holder, NULL);
    if (get_number(json, "ttl", &ttl))
        tenuo_mint_set_ttl(mint, (uint64_t)ttl);
    return rc == 0 ? add_gates(json, mint) : rc;
}

static json_t *build(const json_t *json, struct tenuo_mint *mint, int rc)
{
    struct tenuo_signer *signer = NULL;
    struct tenuo_stack *stack = NULL;
    int64_t now = 0;
    if (rc == 0)
        rc = signer_of(json, &signer);
    if (rc == 0)
        rc = fill(json, mint);
    if (rc == 0 && !get_number(json, "now", &now))
        rc = TENUO_E_INVALID_ARGUMENT;
    if (rc == 0)
        rc = tenuo_mint_sign(mint, signer, (uint64_t)now, &stack, NULL);
    json_t *answer = rc == 0 ? stack_answer(stack) : answer_refused(rc);
    tenuo_stack_free(stack);
    tenuo_signer_free(signer);
    tenuo_mint_free(mint);
    return answer;
}

static json_t *op_mint(const json_t *json)
{
    struct tenuo_mint *mint = NULL;
    int rc = tenuo_mint_root(&mint, NULL);
    return build(json, mint, rc);
}

static json_t *op_attenuate(const json_t *json)
{
    struct tenuo_mint *mint = NULL;
    struct tenuo_stack *parent = NULL;
    int rc = stack_of(json, "parent", &parent);
    if (rc == 0)
        rc = tenuo_mint_attenuate(parent, &mint, NULL);
    tenuo_stack_free(parent);
    return build(json, mint, rc);
}

static json_t *op_sign(const json_t *json)
{
    uint8_t pop[TENUO_SIGNATURE_BYTES];
    struct tenuo_signer *signer = NULL;
    struct tenuo_stack *stack = NULL;
    struct tenuo_args *args = NULL;
    int64_t when = 0;
    size_t len = 0;
    const char *tool = get_text(json, "tool", &len);
    int rc = tool != NULL && get_number(json, "now", &when) ? signer_of(json, &signer) : TENUO_E_INVALID_ARGUMENT;
    if (rc == 0)
        rc = stack_of(json, "stack", &stack);
    if (rc == 0)
        rc = args_of(json, &args);
    if (rc == 0)
        rc = tenuo_pop_sign(signer, tenuo_stack_leaf(stack), tool, len, args, when, pop, NULL);
    json_t *answer = rc == 0 ? answer_ok() : answer_refused(rc);
    if (rc == 0)
        put_hex(answer, "pop", pop, sizeof pop);
    tenuo_args_free(args);
    tenuo_stack_free(stack);
    tenuo_signer_free(signer);
    return answer;
}

static int verifier_of(const json_t *json, struct tenuo_verifier **ret_verifier)
{
    uint8_t root[TENUO_PUBLIC_KEY_BYTES];
    struct tenuo_verifier_builder *builder = NULL;
    if (!get_fixed(json, "root", root, sizeof root))
        return TENUO_E_INVALID_ARGUMENT;
    int rc = tenuo_verifier_builder_new(&builder, NULL);
    if (rc == 0)
        rc = tenuo_verifier_builder_add_root(builder, root, NULL);
    if (rc == 0)
        rc = set_list(json, builder);
    if (rc == 0)
        tenuo_verifier_builder_set_matchers(builder, shipped);
    if (rc == 0)
        rc = tenuo_verifier_builder_build(builder, ret_verifier, NULL);
    tenuo_verifier_builder_free(builder);
    return rc;
}

static int request_of(const json_t *json, struct tenuo_request **ret_request)
{
    uint8_t pop[TENUO_SIGNATURE_BYTES];
    struct tenuo_args *args = NULL;
    size_t len = 0;
    const char *tool = get_text(json, "tool", &len);
    int rc = tool != NULL ? args_of(json, &args) : TENUO_E_INVALID_ARGUMENT;
    if (rc == 0)
        rc = tenuo_request_new(tool, len, ret_request, NULL);
    if (rc == 0)
        rc = tenuo_request_set_args(*ret_request, args, NULL);
    if (rc == 0 && get_fixed(json, "pop", pop, sizeof pop))
        tenuo_request_set_pop(*ret_request, pop);
    tenuo_args_free(args);
    return rc == 0 ? add_approvals(json, *ret_request) : rc;
}

static json_t *op_authorize(const json_t *json)
{
    struct tenuo_verifier *verifier = NULL;
    struct tenuo_request *request = NULL;
    struct tenuo_decision *decision = NULL;
    struct bytes input = { 0 };
    int64_t now = 0;
    int rc = get_bytes(json, "stack", &input) && get_number(json, "now", &now) ? 0 : TENUO_E_INVALID_ARGUMENT;
    if (rc == 0)
        rc = verifier_of(json, &verifier);
    if (rc == 0)
        rc = request_of(json, &request);
    if (rc == 0)
        rc = tenuo_authorize(verifier, input.p, input.len, request, now, &decision, NULL);
    bool allowed = rc == 0 && tenuo_decision_outcome(decision) == TENUO_ALLOW;
    json_t *answer = allowed ? answer_ok() : answer_refused(rc != 0 ? rc : tenuo_decision_code(decision));
    if (allowed)
        put_approvers(answer, decision);
    tenuo_decision_free(decision);
    tenuo_request_free(request);
    tenuo_verifier_unref(verifier);
    free(input.p);
    return answer;
}

static const struct op warrant_ops[] = { { "mint", op_mint },
                                         { "attenuate", op_attenuate },
                                         { "sign", op_sign },
                                         { "authorize", op_authorize },
                                         { NULL, NULL } };

static json_t *dispatch(const json_t *json)
{
    const struct op *const tables[] = { warrant_ops, governance_ops };
    const char *name = get_text(json, "op", NULL);
    for (size_t i = 0; name != NULL && i < sizeof tables / sizeof tables[0]; i++)
        for (const struct op *op = tables[i]; op->name != NULL; op++)
            if (strcmp(op->name, name) == 0)
                return op->run(json);
    return answer_refused(TENUO_E_INVALID_ARGUMENT);
}

/* usage: tenuo-interop-driver [FOLDER OF PLUGINS] */
int main(int argc, char **argv)
{
    char *line = NULL;
    size_t room = 0;
    ssize_t n;
    if (argc > 1 && tenuo_matchers_open(argv[1], NULL, 0, &shipped, NULL) != 0)
        return 1;
    while ((n = getline(&line, &room, stdin)) > 0) {
        json_t *json = json_loadb(line, (size_t)n, JSON_ALLOW_NUL, NULL), *answer = dispatch(json);
        (void)json_dumpf(answer, stdout, JSON_COMPACT);
        (void)putchar('\n');
        (void)fflush(stdout);
        json_decref(answer);
        json_decref(json);
    }
    free(line);
    tenuo_matchers_unref(shipped);
    return 0;
}
