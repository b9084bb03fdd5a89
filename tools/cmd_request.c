/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tenuo request. What a holder hands to its approvers: the call, what the warrant says about it, the chain, and the
 * holder's signature when a key is given. With --check only the answer: would this call need approval, and could its
 * arguments pass at all? Nothing is verified here, and no approval request is an approval.
 */
#include "ask.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { OPT_KEY = CLI_OPT_FIRST, OPT_KEY_ID, OPT_WARRANT, OPT_ARGS, OPT_AT, OPT_CHECK };

struct request {
    struct cli *cli;
    json_t *args;
    const char *warrant, *tool, *key, *key_id, *out;
    bool has_at, check;
    int64_t at;
    struct tenuo_stack *stack;
    struct tenuo_args *built;
    struct tenuo_verifier *verifier; /* of a configuration, for its matchers and settings; else NULL */
    struct tenuo_approval_request *wanted;
    json_t *unknown, *missing;
};

static error_t parse(int key, char *arg, struct argp_state *state)
{
    struct request *r = state->input;
    switch (key) {
    case ARGP_KEY_INIT:
        state->child_inputs[0] = state->child_inputs[1] = r->cli;
        return 0;
    case OPT_WARRANT:
    case ARGP_KEY_ARG:
        return cli_once(r->cli, &r->warrant, arg);
    case OPT_KEY:
        return cli_once(r->cli, &r->key, arg);
    case OPT_KEY_ID:
        return cli_once(r->cli, &r->key_id, arg);
    case 't':
        return cli_once(r->cli, &r->tool, arg);
    case 'o':
        return cli_once(r->cli, &r->out, arg);
    case 'a':
    case OPT_ARGS:
        return cli_args_option(r->cli, r->args, key, arg);
    case OPT_CHECK:
        r->check = true;
        return 0;
    case OPT_AT:
        r->has_at = true;
        return cli_time_parse(arg, &r->at) && r->at >= 0
                   ? 0
                   : cli_usage(r->cli, "--at wants RFC 3339 (2030-01-31T12:00:00Z) or Unix seconds");
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

static const struct argp_option options[] = {
    { "tool", 't', "NAME", 0, "The tool that will be called", 9 },
    { "arg", 'a', "NAME=TEXT", 0, "An argument; NAME:=JSON for other values than text (repeatable)", 9 },
    { "args", OPT_ARGS, "JSON", 0, "Arguments as a JSON object; @FILE or - reads it", 9 },
    { "warrant", OPT_WARRANT, "WARRANT", 0, "The warrant, instead of the word after the options", 10 },
    { "key", OPT_KEY, "FILE", 0, "The holder's key file: the request is signed, and approvers see who asks", 10 },
    { "key-id", OPT_KEY_ID, "ID", 0, "The same from the key stores of the configuration", 10 },
    { "at", OPT_AT, "TIME", 0, "Date the request so instead of now", 11 },
    { "check", OPT_CHECK, NULL, 0, "Only say what the call would need; write nothing", 12 },
    { "output", 'o', "FILE", 0, "Mode 0600, written beside and renamed; - is standard output, the default", 15 },
    { 0 }
};
static const struct argp_child children[] = {
    { &cli_conf_argp, 0, NULL, 0 }, { &cli_matcher_argp, 0, NULL, 0 }, { 0 }
};
static const struct argp parser = {
    options,
    parse,
    "WARRANT",
    "Ask for approval of a call: write what approvers need for 'tenuo approve'. Says so when the call needs none.\v"
    "Exit status: 0 written, or no approval is needed; with --check 0 when nothing stands in the way of the call, 1 "
    "when it needs approval or its tool or arguments cannot pass.\n"
    "Examples:\n"
    "  tenuo request alice.tenuo --key alice.key --tool deploy \\\n"
    "      -a env=prod -o deploy.request\n"
    "  tenuo request alice.tenuo --tool deploy -a env=prod --check\n",
    children,
    cli_help_filter,
    NULL
};

/* The names that the warrant does not know, and those that it demands. */
static int check_names(struct request *r, struct tenuo_error *err)
{
    struct tenuo_prevalidation *found = NULL;
    size_t n = json_object_size(r->args), count = 0;
    const char **names = cli_alloc(n, sizeof *names);
    size_t *lens = cli_alloc(n, sizeof *lens);
    for (void *i = json_object_iter(r->args); i; i = json_object_iter_next(r->args, i)) {
        names[count] = json_object_iter_key(i);
        lens[count++] = json_object_iter_key_len(i);
    }
    int code = tenuo_warrant_prevalidate(tenuo_stack_leaf(r->stack), r->tool, strlen(r->tool), names, lens, count,
                                         &found, err);
    for (size_t i = 0; !code && i < tenuo_prevalidation_unknown_count(found); i++) {
        size_t at = tenuo_prevalidation_unknown(found, i);
        cli_append(r->unknown, cli_text(names[at], lens[at]));
    }
    for (size_t i = 0; !code && i < tenuo_prevalidation_missing_count(found); i++) {
        size_t len;
        const char *name = tenuo_prevalidation_missing(found, i, &len);
        cli_append(r->missing, cli_text(name, len));
    }
    tenuo_prevalidation_free(found);
    free(names);
    free(lens);
    return code;
}

/* A gate needs a matcher: those of --matcher, or the installed ones. The root is there because a verifier has one;
 * nothing is verified with it. */
static int with_matchers(struct request *r, struct tenuo_error *err)
{
    struct tenuo_verifier_builder *builder = NULL;
    int code = tenuo_verifier_builder_new(&builder, err);
    if (!code)
        code = tenuo_verifier_builder_add_root(builder, tenuo_warrant_issuer(tenuo_stack_warrant(r->stack, 0)), err);
    if (!code)
        code = cli_verifier(r->cli, builder, r->stack, &r->verifier, err);
    tenuo_verifier_builder_free(builder);
    return code;
}

static int evaluate(struct request *r, struct tenuo_error *err)
{
    struct tenuo_request *request = NULL;
    const struct tenuo_warrant *leaf = tenuo_stack_leaf(r->stack);
    int code = tenuo_request_new(r->tool, strlen(r->tool), &request, err);
    if (!code)
        code = tenuo_request_set_args(request, r->built, err);
    if (!code)
        code = tenuo_gate_evaluate(r->verifier, leaf, request, r->at, &r->wanted, err);
    if (code == TENUO_E_UNKNOWN_CONSTRAINT && !r->verifier && !(code = with_matchers(r, err)))
        code = tenuo_gate_evaluate(r->verifier, leaf, request, r->at, &r->wanted, err);
    tenuo_request_free(request);
    return code;
}

static int prepare(struct request *r, struct tenuo_error *err)
{
    if (!r->warrant || !r->tool)
        return cli_set_error(err, TENUO_E_INVALID_ARGUMENT,
                             r->warrant ? "name the tool with --tool"
                                        : "name the warrant: a file, - or the text itself");
    if (r->check && (r->out || r->key || r->key_id))
        return cli_set_error(err, TENUO_E_INVALID_ARGUMENT, "--check neither writes nor signs");
    if (!r->has_at)
        r->at = (int64_t)time(NULL);
    int code = cli_args_build(r->args, &r->built, err);
    if (!code)
        code = cli_read_stack(r->warrant, &r->stack, err);
    if (!code && (r->cli->conf || r->cli->service_given))
        code = cli_verifier(r->cli, NULL, r->stack, &r->verifier, err);
    if (!code)
        code = check_names(r, err);
    return code ? code : evaluate(r, err);
}

static void warn_names(struct request *r, const json_t *names, const char *what)
{
    const json_t *name;
    size_t i;
    json_array_foreach(names, i, name)
        cli_warn(r->cli, "the call will be denied: argument '%.64s' %s", json_string_value(name), what);
}

static int context(struct request *r, uint8_t signature[TENUO_SIGNATURE_BYTES], struct tenuo_error *err)
{
    struct tenuo_signer *signer = NULL;
    const struct tenuo_warrant *leaf = tenuo_stack_leaf(r->stack);
    char id[TENUO_WARRANT_ID_TEXT_BYTES];
    tenuo_warrant_id_text(tenuo_warrant_id(leaf), id);
    int code = cli_signer(r->cli, r->key, r->key_id, tenuo_warrant_holder(leaf), &signer, err);
    if (!code && memcmp(tenuo_signer_public_key(signer), tenuo_warrant_holder(leaf), TENUO_PUBLIC_KEY_BYTES) != 0)
        code = cli_set_error(err, TENUO_E_HOLDER_MISMATCH,
                             "the key is not the holder of the warrant: ask with the holder's key");
    if (!code)
        code = tenuo_approval_context_sign(signer, id, r->tool, strlen(r->tool), r->built, signature, err);
    tenuo_signer_free(signer);
    return code;
}

static int write_request(struct request *r, json_t *ask, struct tenuo_error *err)
{
    char *text = json_dumps(ask, JSON_INDENT(2) | JSON_ENSURE_ASCII | JSON_REAL_PRECISION(17)), *line = NULL;
    if (!text || asprintf(&line, "%s\n", text) < 0)
        cli_no_memory();
    int code = cli_write_file(r->out ? r->out : "-", line, strlen(line), 0600, false, err);
    free(text);
    free(line);
    return code;
}

/* The request, or that none is needed. */
static int ask(struct request *r, struct tenuo_error *err)
{
    uint8_t signature[TENUO_SIGNATURE_BYTES];
    bool sign = r->key || r->key_id, to_file = r->out && strcmp(r->out, "-") != 0;
    json_t *request = NULL;
    int code = r->wanted && sign ? context(r, signature, err) : TENUO_OK;
    warn_names(r, r->unknown, "is not allowed");
    warn_names(r, r->missing, "is missing");
    if (!code && r->wanted) {
        tenuo_approval_request_stamp(r->wanted, (uint64_t)r->at, NULL);
        request = cli_ask_json(r->wanted, r->args, r->stack, sign ? signature : NULL);
        if (to_file || !r->cli->json)
            code = write_request(r, request, err);
    }
    if (!code && r->cli->json) {
        json_t *object = cli_object(r->cli, true);
        cli_set(object, "approval_needed", json_boolean(r->wanted != NULL));
        if (request)
            cli_set(object, "approval_request", json_incref(request));
        if (request && to_file)
            cli_set(object, "file", cli_text(r->out, strlen(r->out)));
        cli_emit(r->cli, object);
    } else if (!code && !r->wanted) {
        fprintf(stderr, "tenuo request: this call needs no approval; nothing was written\n");
    }
    json_decref(request);
    return code;
}

static void print_names(const char *label, const json_t *names)
{
    const json_t *name;
    size_t i;
    json_array_foreach(names, i, name)
    {
        printf("  %-11s ", i ? "" : label);
        cli_print_escaped(stdout, json_string_value(name), json_string_length(name));
        putchar('\n');
    }
}

static void print_check(const struct request *r, const struct tenuo_approval_request_view *view)
{
    puts("UNVERIFIED: what this warrant says about the call; the chain, the values and a signature were not asked.");
    print_names("unknown", r->unknown);
    print_names("missing", r->missing);
    if (!r->wanted) {
        puts("  approval    not needed");
        return;
    }
    printf("  approval    needed: %u of %zu approvers\n  %-11s ", view->threshold, view->approver_count, "message");
    cli_print_escaped(stdout, view->message, view->message_len);
    putchar('\n');
    for (size_t i = 0; i < view->approver_count; i++) {
        char text[44];
        tenuo_public_key_base64url(view->approvers[i], text);
        printf("  %-11s %s\n", i ? "" : "approvers", text);
    }
}

static int check(struct request *r)
{
    struct tenuo_approval_request_view view = { .size = sizeof view };
    bool names = json_array_size(r->unknown) || json_array_size(r->missing);
    int code = names ? TENUO_E_CONSTRAINT_VIOLATION : r->wanted ? TENUO_E_APPROVAL_REQUIRED : TENUO_OK;
    if (r->wanted)
        tenuo_approval_request_get(r->wanted, &view);
    if (!r->cli->json) {
        print_check(r, &view);
        return cli_exit_status(code);
    }
    json_t *object = cli_object(r->cli, !code);
    cli_set(object, "verified", json_false());
    if (code) {
        cli_set(object, "code", json_integer(code));
        cli_set(object, "name", json_string(tenuo_err_name(code)));
        cli_set(object, "message",
                json_string(names ? "the warrant refuses these names of arguments" : "the call needs approval"));
    }
    cli_set(object, "unknown", json_incref(r->unknown));
    cli_set(object, "missing", json_incref(r->missing));
    cli_set(object, "approval_needed", json_boolean(r->wanted != NULL));
    if (r->wanted)
        cli_set(object, "approval_request", cli_ask_json(r->wanted, r->args, r->stack, NULL));
    cli_emit(r->cli, object);
    return cli_exit_status(code);
}

static int run(struct request *r)
{
    struct tenuo_error err = { 0 };
    if (prepare(r, &err))
        return cli_fail(r->cli, &err);
    if (r->check)
        return check(r);
    return ask(r, &err) ? cli_fail(r->cli, &err) : CLI_YES;
}

int cmd_request(struct cli *cli, int argc, char **argv)
{
    struct request r = { .cli = cli, .args = cli_args_new(), .unknown = json_array(), .missing = json_array() };
    int status;
    if (!r.unknown || !r.missing)
        cli_no_memory();
    if (cli_parse(cli, &parser, argc, argv, &r, &status))
        status = run(&r);
    tenuo_approval_request_free(r.wanted);
    tenuo_verifier_unref(r.verifier);
    tenuo_args_free(r.built);
    tenuo_stack_free(r.stack);
    json_decref(r.args);
    json_decref(r.unknown);
    json_decref(r.missing);
    return status;
}
