/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Our side of every item: objects that a program would keep are made once, then the timed call runs in a loop.
 *
 * A timed call that answers something else than it should ends the program: a wrong answer must not look fast.
 */
#include "bench.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void add_list(const struct item *it, struct tenuo_verifier_builder *builder)
{
    struct tenuo_revocation_source source = { .fresh_until = INT64_MAX };
    struct tenuo_revocation *revocation = NULL;
    struct tenuo_signer *signer = NULL;
    must(tenuo_signer_from_seed(it->seed, &signer, NULL), "key");
    struct blob list = make_list(it->revoked, signer);
    must(tenuo_srl_parse(list.p, list.len, NULL, &source.list, NULL), "list");
    must(tenuo_revocation_new(&source, 1, &revocation, NULL), "snapshot");
    tenuo_verifier_builder_set_revocation(builder, revocation);
    tenuo_revocation_unref(revocation);
    tenuo_srl_unref(source.list);
    tenuo_bytes_free(list.p, list.len);
    tenuo_signer_free(signer);
}

static void prepare_call(struct item *it)
{
    struct tenuo_verifier_builder *builder = NULL;
    must(tenuo_verifier_builder_new(&builder, NULL), "builder");
    must(tenuo_verifier_builder_add_root(builder, it->root, NULL), "root");
    tenuo_verifier_builder_set_link_cache(builder, it->warm ? 4096 : 0);
    if (it->revoked != 0) {
        add_list(it, builder);
    }
    must(tenuo_verifier_builder_build(builder, &it->verifier, NULL), "verifier");
    tenuo_verifier_builder_free(builder);
    must(tenuo_args_parse(it->args.p, it->args.len, &it->call_args, NULL), "arguments");
    must(tenuo_request_new(it->tool, strlen(it->tool), &it->request, NULL), "request");
    must(tenuo_request_set_args(it->request, it->call_args, NULL), "request");
    tenuo_request_set_pop(it->request, it->pop);
    if (it->approvals.len != 0)
        must(tenuo_request_add_approvals(it->request, it->approvals.p, it->approvals.len, NULL), "approvals");
}

/* 64 MiB at 256 KiB each are kept: 300 in turn are never found. */
#define VARIANTS 300

static void prepare_variants(struct item *it)
{
    it->variants = calloc(VARIANTS, sizeof(struct tenuo_constraint *));
    it->next = calloc(1, sizeof *it->next);
    must(it->variants == NULL || it->next == NULL ? TENUO_E_NOMEM : 0, it->name);
    for (unsigned i = 0; i < VARIANTS; i++) {
        char pattern[64];
        int n = snprintf(pattern, sizeof pattern, "^/data/[a-z0-9_]+\\.txt$|^%u$", i);
        must(tenuo_constraint_text(TENUO_C_REGEX, pattern, (size_t)n, &it->variants[i], NULL), it->name);
    }
}

void prepare_item(struct item *it)
{
    switch (it->kind) {
    case BENCH_AUTHORIZE:
        prepare_call(it);
        break;
    case BENCH_MATCH:
        must(tenuo_constraint_parse(it->bytes.p, it->bytes.len, &it->constraint, NULL), it->name);
        must(tenuo_value_parse(it->args.p, it->args.len, &it->value, NULL), it->name);
        if (it->cold)
            prepare_variants(it);
        break;
    case BENCH_PARSE:
        break;
    case BENCH_SRL:
        must(tenuo_signer_from_seed(it->seed, &it->signer, NULL), "key");
        it->bytes = make_list(it->revoked, it->signer);
        break;
    case BENCH_ATTENUATE:
        must(tenuo_stack_parse(it->bytes.p, it->bytes.len, &it->stack, NULL), "parent");
        must(tenuo_signer_from_seed(it->seed, &it->signer, NULL), "key");
        must(tenuo_constraint_set_parse(it->args.p, it->args.len, &it->set, NULL), "constraint set");
        break;
    case BENCH_MINT:
        must(tenuo_signer_from_seed(it->seed, &it->signer, NULL), "key");
        must(tenuo_constraint_set_parse(it->args.p, it->args.len, &it->set, NULL), "constraint set");
        break;
    case BENCH_SIGN:
        must(tenuo_stack_parse(it->bytes.p, it->bytes.len, &it->stack, NULL), "warrant");
        must(tenuo_signer_from_seed(it->seed, &it->signer, NULL), "key");
        must(tenuo_args_parse(it->args.p, it->args.len, &it->call_args, NULL), "arguments");
        break;
    }
    run_item(it, 1); /* fills the link cache, and shows a wrong answer before anything is timed */
}

static void run_call(const struct item *it)
{
    struct tenuo_decision *decision = NULL;
    must(tenuo_authorize(it->verifier, it->bytes.p, it->bytes.len, it->request, it->now, &decision, NULL), it->name);
    bool allowed = tenuo_decision_outcome(decision) == TENUO_ALLOW;
    must(allowed == it->allow ? 0 : tenuo_decision_code(decision), it->name);
    tenuo_decision_free(decision);
}

static void run_match(const struct item *it)
{
    int match = TENUO_NO_MATCH;
    const struct tenuo_constraint *c = it->cold ? it->variants[(*it->next)++ % VARIANTS] : it->constraint;
    must(tenuo_constraint_match(c, it->value, it->matchers, it->now, &match, NULL), it->name);
    must(match == TENUO_MATCH ? 0 : TENUO_E_CONSTRAINT_VIOLATION, it->name);
}

static void run_parse(const struct item *it)
{
    struct tenuo_stack *stack = NULL;
    int rc = tenuo_stack_parse_single(it->bytes.p, it->bytes.len, &stack, NULL);
    must(rc == TENUO_E_MALFORMED_CBOR ? 0 : TENUO_E_INVALID_ARGUMENT, it->name);
}

static void run_mint(const struct item *it)
{
    struct tenuo_mint *mint = NULL;
    struct tenuo_stack *made = NULL;
    must(it->kind == BENCH_MINT ? tenuo_mint_root(&mint, NULL) : tenuo_mint_attenuate(it->stack, &mint, NULL),
         it->name);
    must(tenuo_mint_add_tool(mint, it->tool, strlen(it->tool), it->set, NULL), it->name);
    must(tenuo_mint_set_holder(mint, it->holder, NULL), it->name);
    tenuo_mint_set_ttl(mint, 300);
    must(tenuo_mint_sign(mint, it->signer, (uint64_t)it->now, &made, NULL), it->name);
    tenuo_stack_free(made);
    tenuo_mint_free(mint);
}

static void run_sign(const struct item *it)
{
    uint8_t pop[TENUO_SIGNATURE_BYTES];
    must(tenuo_pop_sign(it->signer, tenuo_stack_leaf(it->stack), it->tool, strlen(it->tool), it->call_args, it->now,
                        pop, NULL),
         it->name);
}

static void run_srl(const struct item *it)
{
    struct tenuo_srl *srl = NULL;
    must(tenuo_srl_parse(it->bytes.p, it->bytes.len, NULL, &srl, NULL), it->name);
    must(tenuo_srl_count(srl) == it->revoked ? 0 : TENUO_E_SRL_INVALID, it->name);
    tenuo_srl_unref(srl);
}

void run_item(const struct item *it, uint32_t iterations)
{
    static void (*const runs[])(const struct item *) = { run_call, run_match, run_parse, run_mint,
                                                    run_mint, run_sign,  run_srl };
    for (uint32_t i = 0; i < iterations; i++)
        runs[it->kind](it);
}
