/* SPDX-License-Identifier: Apache-2.0 */
/*
 * verify and authorize. With --root a pure verifier decides and nothing is audited, which the answer says; otherwise
 * the configuration of the service decides, by the same path that applications use. Without a root there is no answer:
 * never "valid".
 */
#include "ask.h"
#include "decide.h"
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
        return cli_once(d->cli, &d->srl, arg);
    case OPT_SRL_ISSUER:
        return checked(d, srl_issuer_option(d, arg, &err), &err);
    case OPT_STRICT_SESSION:
        return checked(d, strict_session_option(d, &err), &err);
    case OPT_WARRANT:
    case ARGP_KEY_ARG:
        return cli_once(d->cli, &d->warrant, arg);
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
        return cli_once(d->cli, &d->tool, arg);
    case 'a':
        return checked(d, cli_args_put(d->args, arg, &err), &err);
    case OPT_ARGS:
        return checked(d, cli_args_put_json(d->args, arg, &err), &err);
    case OPT_POP:
        return cli_once(d->cli, &d->pop, arg);
    case OPT_REQUEST_ID:
        return cli_once(d->cli, &d->request_id, arg);
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
    { "request-id", OPT_REQUEST_ID, "TEXT", 0, "Id for audit and replay; never one that came with the call", 13 },
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
        status = decide_answer(d, decision);
    else
        status = err.code < TENUO_E_NOMEM ? decide_undecodable(d, &err) : cli_fail(d->cli, &err);
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
