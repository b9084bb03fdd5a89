/* SPDX-License-Identifier: Apache-2.0 */
/*
 * verify and authorize. With --root a pure verifier decides and nothing is audited, which the answer says; otherwise
 * the configuration of the service decides, by the same path that applications use. Without a root there is no answer:
 * never "valid".
 */
#include "ask.h"
#include "srl.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

enum {
    OPT_ROOT = CLI_OPT_FIRST,
    OPT_WARRANT,
    OPT_AT,
    OPT_ARGS,
    OPT_POP,
    OPT_EXPLAIN,
    OPT_REQUEST_ID,
    OPT_ATTRIBUTE,
    OPT_REQUIRE,
    OPT_STRICT_SESSION,
    OPT_SRL,
    OPT_SRL_ISSUER,
    OPT_APPROVAL
};

struct decide {
    struct cli *cli;
    bool call;                              /* authorize */
    struct tenuo_verifier_builder *builder; /* NULL: from the configuration */
    struct tenuo_verifier *verifier;        /* that decided */
    const struct cli_bytes *bytes;          /* what it decided about */
    struct tenuo_stack *stack;              /* the same, once it is read */
    json_t *args;
    struct tenuo_request *request;
    const char *warrant, *tool, *pop, *request_id;
    const char **attributes, **approvals;
    size_t nattributes, napprovals, nroots;
    uint8_t (*roots)[TENUO_PUBLIC_KEY_BYTES];
    const char *srl;
    uint8_t srl_issuer[TENUO_PUBLIC_KEY_BYTES];
    bool has_srl_issuer;
    bool quiet, explain, has_at, audited;
    int64_t at;
};

static error_t root_option(struct decide *d, const char *arg, struct tenuo_error *err)
{
    uint8_t key[TENUO_PUBLIC_KEY_BYTES];
    int code = cli_public_key("--root", arg, key, err);
    if (!code && !d->builder)
        code = tenuo_verifier_builder_new(&d->builder, err);
    if (!code)
        code = tenuo_verifier_builder_add_root(d->builder, key, err);
    d->roots = cli_grow(d->roots, d->nroots + 1, sizeof *d->roots);
    memcpy(d->roots[d->nroots++], key, sizeof key);
    return code;
}

static error_t strict_session_option(struct decide *d, struct tenuo_error *err)
{
    int code = d->builder ? TENUO_OK : tenuo_verifier_builder_new(&d->builder, err);
    if (!code)
        tenuo_verifier_builder_set_strict_session(d->builder, 1);
    return code;
}

static error_t require_option(struct decide *d, const char *arg, struct tenuo_error *err)
{
    const char *equals = strrchr(arg, '=');
    uint8_t level;
    if (!equals || tenuo_clearance_parse(equals + 1, strlen(equals + 1), &level, NULL))
        return cli_set_error(err, TENUO_E_INVALID_ARGUMENT, "--require-clearance wants TOOL=LEVEL");
    int code = d->builder ? TENUO_OK : tenuo_verifier_builder_new(&d->builder, err);
    if (!code)
        code = tenuo_verifier_builder_require_clearance(d->builder, arg, (size_t)(equals - arg), level, err);
    return code && code < TENUO_E_NOMEM ? (err->code = TENUO_E_INVALID_ARGUMENT) : code;
}

static error_t srl_issuer_option(struct decide *d, const char *arg, struct tenuo_error *err)
{
    d->has_srl_issuer = true;
    return cli_public_key("--srl-issuer", arg, d->srl_issuer, err);
}

static error_t once(struct decide *d, const char **target, const char *arg)
{
    if (*target)
        return cli_usage(d->cli, "'%.64s': given twice, or one word too many", arg);
    *target = arg;
    return 0;
}

/* Reports at once, with the exit status of the code: an unreadable root is no usage error. */
static error_t checked(struct decide *d, int code, const struct tenuo_error *err)
{
    if (!code)
        return 0;
    if (code == TENUO_E_INVALID_ARGUMENT)
        return cli_usage(d->cli, "%s", err->msg);
    exit(cli_fail_and_close(d->cli, err));
}

static error_t parse(int key, char *arg, struct argp_state *state)
{
    struct decide *d = state->input;
    struct tenuo_error err = { 0 };
    switch (key) {
    case ARGP_KEY_INIT:
        state->child_inputs[0] = state->child_inputs[1] = d->cli;
        return 0;
    case 'r':
        return checked(d, root_option(d, arg, &err), &err);
    case OPT_REQUIRE:
        return checked(d, require_option(d, arg, &err), &err);
    case OPT_SRL:
        return once(d, &d->srl, arg);
    case OPT_SRL_ISSUER:
        return checked(d, srl_issuer_option(d, arg, &err), &err);
    case OPT_STRICT_SESSION:
        return checked(d, strict_session_option(d, &err), &err);
    case OPT_WARRANT:
    case ARGP_KEY_ARG:
        return once(d, &d->warrant, arg);
    case OPT_AT:
        d->has_at = true;
        return cli_time_parse(arg, &d->at)
                   ? 0
                   : cli_usage(d->cli, "--at wants RFC 3339 (2030-01-31T12:00:00Z) or Unix seconds");
    case 'q':
        d->quiet = true;
        return 0;
    case OPT_EXPLAIN:
        d->explain = true;
        return 0;
    case 't':
        return once(d, &d->tool, arg);
    case 'a':
        return checked(d, cli_args_put(d->args, arg, &err), &err);
    case OPT_ARGS:
        return checked(d, cli_args_put_json(d->args, arg, &err), &err);
    case OPT_POP:
        return once(d, &d->pop, arg);
    case OPT_REQUEST_ID:
        return once(d, &d->request_id, arg);
    case OPT_ATTRIBUTE:
        d->attributes = cli_grow(d->attributes, d->nattributes + 1, sizeof *d->attributes);
        d->attributes[d->nattributes++] = arg;
        return 0;
    case OPT_APPROVAL:
        d->approvals = cli_grow(d->approvals, d->napprovals + 1, sizeof *d->approvals);
        d->approvals[d->napprovals++] = arg;
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

/* clang-format off */
#define ROOT_OPTIONS \
    { "root", 'r', "KEY", 0, "Trusted root instead of the configuration (repeatable); nothing is audited", 10 }, \
    { "warrant", OPT_WARRANT, "WARRANT", 0, "The warrant, instead of the word after the options", 10 }, \
    { "strict-session", OPT_STRICT_SESSION, NULL, 0, "With --root: every warrant carries the root's session id", 10 }, \
    { "srl", OPT_SRL, "FILE", 0, "With --root: the signed revocation list to look every warrant up in", 10 }, \
    { "srl-issuer", OPT_SRL_ISSUER, "KEY", 0, "Who must have signed it, if not one of the roots", 10 }, \
    { "at", OPT_AT, "TIME", 0, "Decide as of this time, RFC 3339 or Unix seconds", 11 }, \
    { "explain", OPT_EXPLAIN, NULL, 0, "Every step and where it ended", 12 }, \
    { "quiet", 'q', NULL, 0, "Say nothing but the exit status", 12 }
/* clang-format on */

static const struct argp_option verify_options[] = { ROOT_OPTIONS, { 0 } };
static const struct argp_option authorize_options[] = {
    ROOT_OPTIONS,
    { "tool", 't', "NAME", 0, "The tool that is called", 9 },
    { "arg", 'a', "NAME=TEXT", 0, "An argument; NAME:=JSON for other values than text (repeatable)", 9 },
    { "args", OPT_ARGS, "JSON", 0, "Arguments as a JSON object; @FILE or - reads it", 9 },
    { "pop", OPT_POP, "SIGNATURE", 0, "Proof of possession: base64url, base64, hex, or @FILE", 9 },
    { "approval", OPT_APPROVAL, "FILE", 0, "Approvals, in any form in which they travel (repeatable)", 9 },
    { "require-clearance", OPT_REQUIRE, "TOOL=LEVEL", 0, "With --root: clearance that a tool needs (repeatable)", 10 },
    { "request-id", OPT_REQUEST_ID, "TEXT", 0, "Id of the request, for the audit record", 13 },
    { "attribute", OPT_ATTRIBUTE, "NAME=VALUE", 0, "Attribute for the audit record (repeatable)", 13 },
    { 0 }
};
static const struct argp_child children[] = {
    { &cli_conf_argp, 0, NULL, 0 }, { &cli_matcher_argp, 0, NULL, 0 }, { 0 }
};
static const struct argp parsers[] = {
    { verify_options, parse, "WARRANT",
      "Is the chain good, from a trusted root to the leaf? Says nothing about a call, and is not audited.\v"
      "Examples:\n"
      "  tenuo verify alice.tenuo\n"
      "  tenuo verify --root root.pub --at 2030-01-31T12:00:00Z - \\\n"
      "      < alice.tenuo\n",
      children, cli_help_filter, NULL },
    { authorize_options, parse, "WARRANT",
      "Decide one call, as a guarded program would: chain, proof of possession, tool, constraints, audit.\v"
      "Exit status: 0 allow, 1 deny, 2 usage, 3 no decision.\n"
      "Examples:\n"
      "  tenuo authorize --service web alice.tenuo --tool read_file \\\n"
      "      -a path=/data/a.txt --pop @pop.sig\n"
      "  tenuo authorize --root root.pub alice.tenuo --tool resize \\\n"
      "      --args '{\"width\": 40}' --pop BASE64URL --explain\n",
      children, cli_help_filter, NULL }
};

static int read_pop(struct decide *d, struct tenuo_error *err)
{
    uint8_t signature[TENUO_SIGNATURE_BYTES];
    struct cli_bytes file = { 0 };
    if (!d->pop)
        return TENUO_OK; /* the decision says that it is missing */
    if (*d->pop == '@' && cli_read_file(d->pop + 1, CLI_MAX_KEY_FILE, &file, err))
        return err->code == TENUO_E_TOO_LARGE ? (err->code = TENUO_E_INVALID_ARGUMENT) : err->code;
    const char *text = file.data ? (const char *)file.data : d->pop;
    bool good = cli_signature_parse(text, file.data ? file.len : strlen(text), signature);
    cli_bytes_free(&file);
    if (!good)
        return cli_set_error(err, TENUO_E_INVALID_ARGUMENT,
                             "--pop wants 64 bytes as base64url, base64 or hex, or @FILE with them");
    tenuo_request_set_pop(d->request, signature);
    return TENUO_OK;
}

static int add_attributes(struct decide *d, struct tenuo_error *err)
{
    int code = d->request_id ? tenuo_request_set_id(d->request, d->request_id, err) : TENUO_OK;
    for (size_t i = 0; i < d->nattributes && !code; i++) {
        const char *equals = strchr(d->attributes[i], '=');
        if (!equals)
            return cli_set_error(err, TENUO_E_INVALID_ARGUMENT, "--attribute wants NAME=VALUE");
        char *name = strndup(d->attributes[i], (size_t)(equals - d->attributes[i]));
        if (!name)
            cli_no_memory();
        code = tenuo_request_add_attribute(d->request, name, equals + 1, err);
        free(name);
    }
    return code;
}

static int build_request(struct decide *d, struct tenuo_error *err)
{
    if (!d->call)
        return TENUO_OK;
    if (!d->tool)
        return cli_set_error(err, TENUO_E_INVALID_ARGUMENT, "name the tool that is called with --tool");
    struct tenuo_args *args = NULL;
    int code = tenuo_request_new(d->tool, strlen(d->tool), &d->request, err);
    if (!code)
        code = cli_args_build(d->args, &args, err);
    if (!code)
        code = tenuo_request_set_args(d->request, args, err);
    tenuo_args_free(args);
    if (!code)
        code = read_pop(d, err);
    if (!code)
        code = cli_add_approvals(d->request, d->approvals, d->napprovals, err);
    return code ? code : add_attributes(d, err);
}

/* The pure decision over text or bytes. What cannot be decoded is denied, as the library does for binary input. */
static int decide_pure(struct decide *d, struct tenuo_decision **ret_decision, struct tenuo_error *err)
{
    int code = d->stack ? TENUO_OK : tenuo_stack_parse_any(d->bytes->data, d->bytes->len, &d->stack, err);
    if (code)
        return code;
    return d->call ? tenuo_authorize_stack(d->verifier, d->stack, d->request, d->at, ret_decision, err)
                   : tenuo_verify_stack(d->verifier, d->stack, d->at, ret_decision, err);
}

/* Explicit roots, and the matchers that the chain needs. */
static int build_verifier(struct decide *d, struct tenuo_error *err)
{
    struct tenuo_matchers *matchers = NULL;
    int code = tenuo_stack_parse_any(d->bytes->data, d->bytes->len, &d->stack, err);
    if (!code)
        code = cli_matchers(d->cli, cli_needs_matchers(d->stack), &matchers, err);
    if (code)
        return code;
    tenuo_verifier_builder_set_matchers(d->builder, matchers);
    return tenuo_verifier_builder_build(d->builder, &d->verifier, err);
}

/* The verifier and the instant stay in `d` for who asks why. */
static int decide(struct decide *d, struct tenuo_decision **ret_decision, struct tenuo_error *err)
{
    int code = d->builder ? build_verifier(d, err) : cli_open(d->cli, err);
    if (code)
        return code;
    if (!d->builder)
        d->verifier = tenuo_ctx_verifier(d->cli->ctx);
    if (d->builder || !d->call)
        return decide_pure(d, ret_decision, err);
    d->audited = true;
    return d->has_at || d->explain
               ? tenuo_ctx_authorize_at(d->cli->ctx, d->bytes->data, d->bytes->len, d->request, d->at, ret_decision,
                                        err)
               : tenuo_ctx_authorize(d->cli->ctx, d->bytes->data, d->bytes->len, d->request, ret_decision, err);
}

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
        cli_set(object, "expires_at",
                expires <= INT64_MAX ? json_integer((json_int_t)expires) : json_real((double)expires));
        cli_set(object, "expires_at_text", json_string(when));
    }
    if (tenuo_decision_srl_sha256(decision)) {
        uint64_t version = tenuo_decision_srl_version(decision);
        cli_set(object, "srl_version",
                version <= INT64_MAX ? json_integer((json_int_t)version) : json_real((double)version));
        cli_set(object, "srl_sha256", cli_hex_json(tenuo_decision_srl_sha256(decision), 32));
    }
    if (tenuo_decision_request_hash(decision)) {
        cli_hex(tenuo_decision_request_hash(decision), 32, hash);
        cli_set(object, "request_hash", json_string(hash));
    }
}

/* A chain ends at its links, and a pure verifier neither asks stores nor writes records. */
static json_t *explanation(const struct decide *d, const struct tenuo_decision *decision)
{
    enum tenuo_step last = !d->call ? TENUO_STEP_LINK : d->audited ? TENUO_STEP_AUDIT : TENUO_STEP_GATE;
    return cli_explain(d->verifier, d->bytes, d->request, d->at, decision, last);
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
        cli_set(object, "name", json_string(tenuo_decision_name(decision)));
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

static int answer(struct decide *d, const struct tenuo_decision *decision)
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

/* A warrant that a pure verifier could not decode: an answer of no, in the shape of every other. */
static int undecodable(struct decide *d, const struct tenuo_error *err)
{
    if (d->quiet)
        return cli_exit_status(err->code);
    if (!d->cli->json) {
        printf("%s %d %s\n  %-11s %s\n  %-11s %s\n", d->call ? "DENY" : "INVALID", err->code, tenuo_err_name(err->code),
               "reason", err->msg, "step", tenuo_step_name(TENUO_STEP_DECODE));
        return cli_exit_status(err->code);
    }
    json_t *object = cli_object(d->cli, false);
    cli_set(object, "decision", json_string(word(d, TENUO_DENY)));
    cli_set(object, "code", json_integer(err->code));
    cli_set(object, "name", json_string(tenuo_err_name(err->code)));
    cli_set(object, "message", cli_text(err->msg, strlen(err->msg)));
    cli_set(object, "step", json_string(tenuo_step_name(TENUO_STEP_DECODE)));
    cli_set(object, "audited", json_false());
    cli_emit(d->cli, object);
    return cli_exit_status(err->code);
}

static int check_options(struct decide *d, struct tenuo_error *err)
{
    if (!d->warrant)
        return cli_set_error(err, TENUO_E_INVALID_ARGUMENT, "name the warrant: a file, - or the text itself");
    if (d->builder && !d->nroots)
        return cli_set_error(err, TENUO_E_INVALID_ARGUMENT,
                             "--require-clearance and --strict-session go with --root; a configuration has its own");
    if (!d->builder && d->cli->nmatchers)
        return cli_set_error(err, TENUO_E_INVALID_ARGUMENT, "--matcher goes with --root; a configuration has its own");
    if (d->builder && (d->cli->conf || d->cli->service))
        return cli_set_error(err, TENUO_E_INVALID_ARGUMENT, "give --root, or --service and --conf, not both");
    if ((d->srl || d->has_srl_issuer) && !d->nroots)
        return cli_set_error(err, TENUO_E_INVALID_ARGUMENT,
                             "--srl goes with --root; a configuration names its lists itself");
    if (d->has_srl_issuer && !d->srl)
        return cli_set_error(err, TENUO_E_INVALID_ARGUMENT, "--srl-issuer goes with --srl");
    if (!d->has_at)
        d->at = (int64_t)time(NULL);
    return TENUO_OK;
}

static int run(struct decide *d)
{
    struct tenuo_error err = { 0 };
    struct cli_bytes bytes = { 0 };
    struct tenuo_decision *decision = NULL;
    int status = CLI_UNDECIDED;
    if (check_options(d, &err) || build_request(d, &err) ||
        srl_use(d->builder, d->srl, d->has_srl_issuer ? d->srl_issuer : NULL, d->roots, d->nroots, &err) ||
        cli_read_warrant_bytes(d->warrant, &bytes, &err)) {
        status = cli_fail(d->cli, &err);
        goto out;
    }
    d->bytes = &bytes;
    if (decide(d, &decision, &err) == TENUO_OK)
        status = answer(d, decision);
    else
        status = err.code < TENUO_E_NOMEM ? undecodable(d, &err) : cli_fail(d->cli, &err);
out:
    tenuo_decision_free(decision);
    cli_bytes_free(&bytes);
    return status;
}

int cli_decide_run(struct cli *cli, bool call, int argc, char **argv)
{
    struct decide d = { .cli = cli, .call = call, .args = cli_args_new() };
    int status;
    if (cli_parse(cli, &parsers[call], argc, argv, &d, &status))
        status = run(&d);
    tenuo_stack_free(d.stack);
    tenuo_request_free(d.request);
    json_decref(d.args);
    tenuo_verifier_unref(d.verifier);
    tenuo_verifier_builder_free(d.builder);
    free(d.attributes);
    free(d.roots);
    free(d.approvals);
    return status;
}
