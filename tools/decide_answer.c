/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The answer of verify and authorize, as JSON and, from the same JSON, as text. It decides nothing, and it says when
 * nothing was audited.
 */
#include "ask.h"
#include "decide.h"

#include <string.h>

static const char *word(const struct decide *d, enum tenuo_outcome outcome)
{
    static const char *const calls[] = {
        [TENUO_DENY] = "deny", [TENUO_ALLOW] = "allow", [TENUO_WOULD_DENY] = "would_deny"
    };
    return d->call ? calls[outcome] : outcome == TENUO_ALLOW ? "valid" : "invalid";
}

static void identity_json(json_t *object, const struct tenuo_decision *decision)
{
    json_t *chain = json_array();
    char hash[65];
    if (!chain)
        cli_no_memory();
    for (size_t i = 0; i < tenuo_decision_chain_length(decision); i++)
        cli_append(chain, json_string(tenuo_decision_chain_id(decision, i)));
    cli_set(object, "chain", chain);
    cli_set(object, "chain_length", json_integer((json_int_t)tenuo_decision_chain_length(decision)));
    if (tenuo_decision_chain_length(decision))
        cli_set(object, "warrant_id", json_string(tenuo_decision_chain_id(
                                          decision, tenuo_decision_chain_length(decision) - 1)));
    if (tenuo_decision_root_key(decision))
        cli_set(object, "root", cli_key_json(tenuo_decision_root_key(decision)));
    if (tenuo_decision_holder(decision)) {
        char when[CLI_TIME_TEXT];
        uint64_t expires = tenuo_decision_expires_at(decision);
        cli_time_text(expires, when);
        cli_set(object, "holder", cli_key_json(tenuo_decision_holder(decision)));
        cli_set(object, "depth", json_integer(tenuo_decision_leaf_depth(decision)));
        cli_set(object, "expires_at", cli_u64_json(expires));
        cli_set(object, "expires_at_text", json_string(when));
    }
    if (tenuo_decision_srl_sha256(decision)) {
        cli_set(object, "srl_version", cli_u64_json(tenuo_decision_srl_version(decision)));
        cli_set(object, "srl_sha256", cli_hex_json(tenuo_decision_srl_sha256(decision), 32));
    }
    if (tenuo_decision_request_hash(decision)) {
        cli_hex(tenuo_decision_request_hash(decision), 32, hash);
        cli_set(object, "request_hash", json_string(hash));
    }
}

/* A chain ends at its links, and a pure verifier neither asks stores nor writes records. */
static enum tenuo_step last_step(const struct decide *d)
{
    return !d->call ? TENUO_STEP_LINK : d->audited ? TENUO_STEP_AUDIT : TENUO_STEP_GATE;
}

static void find_replay(void *arg, const char *line)
{
    bool *found = arg;
    *found = *found || strncmp(line, "replay ", 7) == 0;
}

static bool has_replay_lines(struct cli *cli)
{
    struct tenuo_open_options options;
    bool found = false;
    cli_open_options(cli, &options);
    return tenuo_conf_show(cli->service ? cli->service : "", &options, find_replay, &found, NULL) == TENUO_OK && found;
}

static json_t *explanation(const struct decide *d, const struct tenuo_decision *decision)
{
    struct cli_ending ending = { .last = last_step(d),
                                 .step = tenuo_decision_step(decision),
                                 .reason = tenuo_decision_code(decision) ? tenuo_decision_reason(decision) : NULL,
                                 .recorded = tenuo_decision_audited(decision) != 0,
                                 .replay_lines = d->audited && has_replay_lines(d->cli) };
    return cli_explain(d->verifier, d->bytes, d->request, d->at, &ending);
}

/* What the leaf of a good chain allows, in the shape of `inspect`. */
static void capabilities_json(const struct decide *d, json_t *object)
{
    struct tenuo_stack *stack = NULL;
    if (tenuo_stack_parse_any(d->bytes->data, d->bytes->len, &stack, NULL) != TENUO_OK)
        return;
    json_t *chain = cli_describe_stack(stack);
    json_t *leaf = json_array_get(chain, json_array_size(chain) - 1);
    cli_set(object, "tools", json_incref(json_object_get(leaf, "tools")));
    json_decref(chain);
    tenuo_stack_free(stack);
}

static json_t *answer_json(struct decide *d, const struct tenuo_decision *decision)
{
    enum tenuo_outcome outcome = tenuo_decision_outcome(decision);
    const char *field = tenuo_decision_field(decision), *reason = tenuo_decision_reason(decision);
    json_t *object = cli_object(d->cli, outcome != TENUO_DENY);
    cli_set(object, "decision", json_string(word(d, outcome)));
    cli_set(object, "code", json_integer(tenuo_decision_code(decision)));
    if (tenuo_decision_code(decision)) {
        int precise = tenuo_decision_precise_code(decision);
        cli_set(object, "name", json_string(tenuo_decision_name(decision)));
        cli_set(object, "precise_code", json_integer(precise));
        cli_set(object, "precise_name", json_string(tenuo_err_name(precise)));
        cli_set(object, "message", cli_text(reason, strlen(reason)));
        cli_set(object, "step", json_string(tenuo_step_name(tenuo_decision_step(decision))));
    }
    if (*field)
        cli_set(object, "field", cli_text(field, strlen(field)));
    if (tenuo_decision_link(decision) >= 0 && tenuo_decision_code(decision))
        cli_set(object, "link", json_integer(tenuo_decision_link(decision)));
    if (d->tool)
        cli_set(object, "tool", cli_text(d->tool, strlen(d->tool)));
    identity_json(object, decision);
    if (!d->call && outcome == TENUO_ALLOW)
        capabilities_json(d, object);
    cli_set(object, "audited", json_boolean(tenuo_decision_audited(decision) != 0));
    if (*tenuo_decision_id(decision))
        cli_set(object, "decision_id", json_string(tenuo_decision_id(decision)));
    if (d->call)
        cli_set_approvals(object, decision, d->args, d->bytes);
    if (d->explain)
        cli_set(object, "steps", explanation(d, decision));
    return object;
}

static void print_row(const json_t *object, const char *key, const char *label)
{
    const json_t *value = json_object_get(object, key);
    if (!value)
        return;
    printf("  %-11s ", label);
    if (json_is_string(value) && strcmp(key, "tool") == 0)
        cli_print_escaped(stdout, json_string_value(value), json_string_length(value));
    else if (json_is_string(value))
        cli_print_ascii(stdout, json_string_value(value), json_string_length(value));
    else
        printf("%lld", (long long)json_integer_value(value));
    putchar('\n');
}

static void print_headline(const struct decide *d, const json_t *object)
{
    for (const char *p = json_string_value(json_object_get(object, "decision")); *p; p++)
        putchar(*p >= 'a' && *p <= 'z' ? *p - 32 : *p);
    long long code = (long long)json_integer_value(json_object_get(object, "code"));
    if (code)
        printf(" %lld %s", code, json_string_value(json_object_get(object, "name")));
    if (!d->call && !code)
        fputs(" (the chain; no call was decided)", stdout);
    putchar('\n');
}

static void print_answer(const struct decide *d, const json_t *object)
{
    static const char *const rows[][2] = { { "message", "reason" },      { "step", "step" },
                                           { "field", "argument" },      { "link", "link" },
                                           { "tool", "tool" },           { "root", "root" },
                                           { "holder", "holder" },       { "expires_at_text", "expires" },
                                           { "decision_id", "decision" } };
    const json_t *item;
    size_t i;
    print_headline(d, object);
    for (i = 0; i < sizeof rows / sizeof rows[0]; i++)
        print_row(object, rows[i][0], rows[i][1]);
    json_array_foreach(json_object_get(object, "chain"), i, item)
        printf("  %-11s %s\n", i ? "" : "chain", json_string_value(item));
    printf("  %-11s %s\n", "audited",
           json_is_true(json_object_get(object, "audited")) ? "yes"
           : d->audited                                     ? "no: no audit sink holds a record of it"
           : d->nroots                                      ? "no: explicit roots, nothing was audited"
                                                            : "no: the chain alone is no decision about a call");
    cli_print_approvals(object);
    cli_print_steps(json_object_get(object, "steps"));
}

int decide_answer(struct decide *d, const struct tenuo_decision *decision)
{
    enum tenuo_outcome outcome = tenuo_decision_outcome(decision);
    int code = tenuo_decision_code(decision);
    if (!d->quiet) {
        json_t *object = answer_json(d, decision);
        if (d->cli->json) {
            cli_emit(d->cli, object);
        } else {
            print_answer(d, object);
            json_decref(object);
        }
    }
    if (outcome != TENUO_DENY)
        return CLI_YES;
    return code >= TENUO_E_NOMEM && code != TENUO_E_REPLAYED ? CLI_UNDECIDED : CLI_NO;
}

int decide_undecodable(struct decide *d, const struct tenuo_error *err)
{
    struct cli_ending ending = { .last = last_step(d), .step = TENUO_STEP_DECODE, .reason = err->msg };
    if (d->quiet)
        return cli_exit_status(err->code);
    json_t *steps = d->explain ? cli_explain(NULL, d->bytes, NULL, d->at, &ending) : NULL;
    if (!d->cli->json) {
        printf("%s %d %s\n  %-11s %s\n  %-11s %s\n", d->call ? "DENY" : "INVALID", err->code, tenuo_err_name(err->code),
               "reason", err->msg, "step", tenuo_step_name(TENUO_STEP_DECODE));
        cli_print_steps(steps);
        json_decref(steps);
        return cli_exit_status(err->code);
    }
    json_t *object = cli_object(d->cli, false);
    cli_set(object, "decision", json_string(word(d, TENUO_DENY)));
    cli_set(object, "code", json_integer(err->code));
    cli_set(object, "name", json_string(tenuo_err_name(err->code)));
    cli_set(object, "precise_code", json_integer(err->code));
    cli_set(object, "precise_name", json_string(tenuo_err_name(err->code)));
    cli_set(object, "message", cli_text(err->msg, strlen(err->msg)));
    cli_set(object, "step", json_string(tenuo_step_name(TENUO_STEP_DECODE)));
    cli_set(object, "audited", json_false());
    if (steps)
        cli_set(object, "steps", steps);
    cli_emit(d->cli, object);
    return cli_exit_status(err->code);
}
