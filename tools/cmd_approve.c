/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tenuo approve. An approver's signature under one call. A request comes from a stranger: the chain is verified against
 * trusted roots first, and everything that the request claims is compared with the warrant, before a person is shown
 * anything; then the person is asked, on the terminal and nowhere else, before anything is signed.
 */
#include "ask.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

#define ONE_HOUR 3600 /* what verifiers accept unless they are told otherwise */
#define MOST_DAYS 90 /* as long as a warrant may live */

enum { OPT_KEY = CLI_OPT_FIRST, OPT_KEY_ID, OPT_LIFETIME, OPT_EXTERNAL_ID, OPT_YES, OPT_AT, OPT_FORM };

struct approve {
    struct cli *cli;
    const char *path, *key, *key_id, *external_id, *out, *form;
    bool yes, has_at;
    int64_t at;
    uint64_t lifetime;
    struct tenuo_verifier_builder *builder;
    struct tenuo_verifier *verifier;
    struct cli_ask ask;
    struct tenuo_signer *signer;
};

static error_t root(struct approve *a, const char *arg)
{
    struct tenuo_error err = { 0 };
    int code = cli_root_option(&a->builder, arg, &err);
    if (code && code != TENUO_E_INVALID_ARGUMENT)
        exit(cli_fail_and_close(a->cli, &err));
    return code ? cli_usage(a->cli, "%s", err.msg) : 0;
}

static error_t form(struct approve *a, const char *arg)
{
    if (strcmp(arg, "base64url") != 0 && strcmp(arg, "base64") != 0 && strcmp(arg, "cbor") != 0)
        return cli_usage(a->cli, "--form is base64url, base64 or cbor");
    return cli_once(a->cli, &a->form, arg);
}

static error_t parse(int key, char *arg, struct argp_state *state)
{
    struct approve *a = state->input;
    switch (key) {
    case ARGP_KEY_INIT:
        state->child_inputs[0] = state->child_inputs[1] = a->cli;
        return 0;
    case ARGP_KEY_ARG:
        return cli_once(a->cli, &a->path, arg);
    case 'r':
        return root(a, arg);
    case OPT_KEY:
        return cli_once(a->cli, &a->key, arg);
    case OPT_KEY_ID:
        return cli_once(a->cli, &a->key_id, arg);
    case OPT_EXTERNAL_ID:
        return cli_once(a->cli, &a->external_id, arg);
    case OPT_LIFETIME:
        return cli_duration_parse(arg, &a->lifetime) && a->lifetime > 0 && a->lifetime <= MOST_DAYS * 86400
                   ? 0
                   : cli_usage(a->cli, "--lifetime wants a time such as 90s, 5m or 1h, %d days at most", MOST_DAYS);
    case OPT_YES:
        a->yes = true;
        return 0;
    case OPT_AT:
        a->has_at = true;
        return cli_time_parse(arg, &a->at) && a->at >= 0
                   ? 0
                   : cli_usage(a->cli, "--at wants RFC 3339 (2030-01-31T12:00:00Z) or Unix seconds");
    case OPT_FORM:
        return form(a, arg);
    case 'o':
        return cli_once(a->cli, &a->out, arg);
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

static const struct argp_option options[] = {
    { "key", OPT_KEY, "FILE", 0, "The approver's key file", 9 },
    { "key-id", OPT_KEY_ID, "ID", 0, "The approver's key from the key stores of the configuration", 9 },
    { "root", 'r', "KEY", 0, "Trusted root instead of those of the configuration (repeatable)", 10 },
    { "lifetime", OPT_LIFETIME, "TIME", 0, "How long the approval is good: 90s, 5m (default), 1h", 11 },
    { "external-id", OPT_EXTERNAL_ID, "TEXT", 0, "Who approves, for the audit record; signed", 11 },
    { "at", OPT_AT, "TIME", 0, "Verify and sign as of this time instead of now", 11 },
    { "yes", OPT_YES, NULL, 0, "Do not ask: the caller has shown the call to a person", 12 },
    { "output", 'o', "FILE", 0, "Written beside and renamed; - is standard output, the default", 15 },
    { "form", OPT_FORM, "FORM", 0, "base64url (default), base64 or cbor", 15 },
    { 0 }
};
static const struct argp_child children[] = {
    { &cli_conf_argp, 0, NULL, 0 }, { &cli_matcher_argp, 0, NULL, 0 }, { 0 }
};
static const struct argp parser = {
    options,
    parse,
    "REQUEST",
    "Approve a call that 'tenuo request' asks for. REQUEST is a file, or - for standard input. The chain and all that "
    "the request claims are verified, the call is shown, and the question is asked on the terminal.\v"
    "Exit status: 0 signed, 1 the request is not what the warrant says, or the answer was no.\n"
    "Examples:\n"
    "  tenuo approve --root root.pub --key carol.key deploy.request \\\n"
    "      -o carol.approval\n"
    "  tenuo approve --service web --key-id carol --lifetime 15m \\\n"
    "      --external-id carol@example.org deploy.request > carol.approval\n",
    children,
    cli_help_filter,
    NULL
};

static int verify_chain(struct approve *a, struct tenuo_error *err)
{
    struct tenuo_decision *decision = NULL;
    int code = cli_verifier(a->cli, a->builder, a->ask.stack, &a->verifier, err);
    if (!code)
        code = tenuo_verify_stack(a->verifier, a->ask.stack, a->at, &decision, err);
    if (!code && tenuo_decision_outcome(decision) != TENUO_ALLOW)
        code = cli_set_error(err, tenuo_decision_code(decision), "the chain in the request does not hold: %.200s",
                             tenuo_decision_reason(decision));
    tenuo_decision_free(decision);
    return code;
}

static int check_context(const struct cli_ask *ask, struct tenuo_error *err)
{
    if (!ask->signed_by_holder)
        return TENUO_OK;
    int code = tenuo_approval_context_verify(tenuo_warrant_holder(tenuo_stack_leaf(ask->stack)), ask->view.warrant_id,
                                             ask->view.tool, ask->view.tool_len, ask->view.args, ask->context, err);
    return code == TENUO_E_SIGNATURE_INVALID
               ? cli_set_error(err, code, "the holder's signature in the request is not one under this call")
               : code;
}

static bool is_approver(const struct tenuo_warrant *leaf, const uint8_t *key)
{
    for (size_t i = 0; i < tenuo_warrant_approver_count(leaf); i++)
        if (memcmp(tenuo_warrant_approver(leaf, i), key, TENUO_PUBLIC_KEY_BYTES) == 0)
            return true;
    return false;
}

/* After a rotation the warrant may still name the older key: the version that it names is the one to sign with. */
static void choose_version(struct approve *a, const struct tenuo_warrant *leaf)
{
    struct tenuo_signer *other = NULL;
    struct tenuo_error why = { 0 };
    for (size_t i = 0; i < tenuo_warrant_approver_count(leaf); i++)
        if (cli_signer(a->cli, NULL, a->key_id, tenuo_warrant_approver(leaf, i), &other, &why) == TENUO_OK) {
            tenuo_signer_free(a->signer);
            a->signer = other;
            return;
        }
}

static int open_key(struct approve *a, const struct tenuo_warrant *leaf, struct tenuo_error *err)
{
    int code = cli_signer(a->cli, a->key, a->key_id, NULL, &a->signer, err);
    if (code)
        return code;
    if (a->key_id && !is_approver(leaf, tenuo_signer_public_key(a->signer)))
        choose_version(a, leaf);
    const uint8_t *key = tenuo_signer_public_key(a->signer);
    if (!is_approver(leaf, key))
        return cli_set_error(err, TENUO_E_APPROVER_NOT_AUTHORIZED, "this key is not among the warrant's approvers");
    if (memcmp(key, tenuo_warrant_holder(leaf), TENUO_PUBLIC_KEY_BYTES) == 0)
        cli_warn(a->cli, "this key is the holder of the warrant: its approval does not count unless the verifier sets "
                         "self_approval");
    return TENUO_OK;
}

static int examine(struct approve *a, struct tenuo_error *err)
{
    if (!a->path)
        return cli_set_error(err, TENUO_E_INVALID_ARGUMENT, "name the file with the request, or - for standard input");
    if (!a->has_at)
        a->at = (int64_t)time(NULL);
    int code = cli_ask_read(a->path, &a->ask, err);
    if (!code)
        code = verify_chain(a, err);
    const struct tenuo_warrant *leaf = code ? NULL : tenuo_stack_leaf(a->ask.stack);
    if (!code)
        code = tenuo_approval_request_check(&a->ask.view, a->verifier, leaf, a->at, err);
    if (!code)
        code = check_context(&a->ask, err);
    if (!code)
        code = open_key(a, leaf, err);
    if (!code && a->lifetime > ONE_HOUR)
        cli_warn(a->cli, "verifiers refuse an approval for more than an hour unless they set max_approval_lifetime");
    return code;
}

static void show(FILE *out, const struct approve *a)
{
    fputs("Verified: the chain holds, and this is what its last warrant asks approval for:\n", out);
    cli_ask_print(out, &a->ask, (uint64_t)a->at, a->lifetime);
}

static bool is_yes(FILE *terminal, const struct cli_ask *ask)
{
    size_t n = json_object_size(ask->args_json);
    fputs("Approve this call of ", terminal); /* once more: the top may have scrolled away */
    cli_print_escaped(terminal, ask->view.tool, ask->view.tool_len);
    fprintf(terminal, " with %zu argument%s? ", n, n == 1 ? "" : "s");
    return cli_terminal_yes(terminal);
}

static int ask_person(const struct approve *a, bool *ret_yes, struct tenuo_error *err)
{
    FILE *terminal = NULL;
    if (!a->yes && !(terminal = cli_terminal()))
        return cli_set_error(err, TENUO_E_INVALID_ARGUMENT,
                             "there is no terminal to ask on; --yes is for callers that have asked a person");
    if (terminal || !a->cli->json)
        show(terminal ? terminal : stderr, a);
    *ret_yes = a->yes || is_yes(terminal, &a->ask);
    if (terminal)
        fclose(terminal);
    return TENUO_OK;
}

static int sign(struct approve *a, struct tenuo_approval **ret, struct tenuo_error *err)
{
    struct tenuo_approve *approve = NULL;
    int code = tenuo_approve_new(a->ask.hash, &approve, err);
    if (!code && a->external_id)
        code = tenuo_approve_set_external_id(approve, a->external_id, strlen(a->external_id), err);
    if (!code) {
        tenuo_approve_set_lifetime(approve, a->lifetime);
        /* the time that was spent on reading counts: now, unless --at */
        code = tenuo_approve_sign(approve, a->signer, (uint64_t)(a->has_at ? a->at : (int64_t)time(NULL)), ret, err);
    }
    tenuo_approve_free(approve);
    return code;
}

static int write_approval(const struct approve *a, const uint8_t *bytes, size_t len, const char *text,
                          struct tenuo_error *err)
{
    const char *path = a->out ? a->out : "-";
    if (a->form && strcmp(a->form, "cbor") == 0)
        return cli_write_file(path, bytes, len, 0644, false, err);
    char *line = NULL;
    if (asprintf(&line, "%s\n", text) < 0)
        cli_no_memory();
    int code = cli_write_file(path, line, strlen(line), 0644, false, err);
    free(line);
    return code;
}

static void emit(const struct approve *a, const struct tenuo_approval *approval, const char *text)
{
    const struct tenuo_warrant *leaf = tenuo_stack_leaf(a->ask.stack);
    char hash[65], expires[CLI_TIME_TEXT];
    json_t *object = cli_object(a->cli, true);
    cli_time_text(tenuo_warrant_expires_at(leaf), expires);
    cli_hex(a->ask.hash, sizeof a->ask.hash, hash);
    cli_set(object, "decision", json_string("approved"));
    cli_set(object, "warrant_id", json_string(a->ask.view.warrant_id));
    cli_set(object, "tool", cli_text(a->ask.view.tool, a->ask.view.tool_len));
    cli_set(object, "args", json_incref(a->ask.args_json));
    cli_set(object, "holder", cli_key_json(tenuo_warrant_holder(leaf)));
    cli_set(object, "warrant_expires_at_text", json_string(expires));
    cli_set(object, "message", cli_text(a->ask.view.message, a->ask.view.message_len));
    cli_set(object, "request_hash", json_string(hash));
    cli_set(object, "approver", cli_key_json(tenuo_approval_key(approval)));
    cli_set(object, "approved_at", cli_u64_json(tenuo_approval_approved_at(approval)));
    cli_set(object, "expires_at", cli_u64_json(tenuo_approval_expires_at(approval)));
    cli_set(object, "signed_by_holder", json_boolean(a->ask.signed_by_holder));
    cli_set(object, "approval", json_string(text));
    if (a->out && strcmp(a->out, "-") != 0)
        cli_set(object, "file", cli_text(a->out, strlen(a->out)));
    cli_emit(a->cli, object);
}

static int report(const struct approve *a, const struct tenuo_approval *approval, struct tenuo_error *err)
{
    size_t len;
    const uint8_t *bytes = tenuo_approval_bytes(approval, &len);
    char *text = cli_base64(a->form && strcmp(a->form, "base64") == 0 ? CLI_BASE64 : CLI_BASE64URL, bytes, len);
    bool to_file = a->out && strcmp(a->out, "-") != 0;
    int code = !a->cli->json || to_file ? write_approval(a, bytes, len, text, err) : TENUO_OK;
    if (!code && a->cli->json)
        emit(a, approval, text);
    free(text);
    return code;
}

static int declined(const struct approve *a)
{
    if (a->cli->json) {
        json_t *object = cli_object(a->cli, false);
        cli_set(object, "decision", json_string("declined"));
        cli_set(object, "message", json_string("the answer was no: nothing was signed"));
        cli_emit(a->cli, object);
    } else {
        fputs("tenuo approve: the answer was no: nothing was signed\n", stderr);
    }
    return CLI_NO;
}

static int run(struct approve *a)
{
    struct tenuo_error err = { 0 };
    struct tenuo_approval *approval = NULL;
    bool yes = false;
    int code = examine(a, &err);
    if (!code)
        code = ask_person(a, &yes, &err);
    if (!code && !yes)
        return declined(a);
    if (!code)
        code = sign(a, &approval, &err);
    if (!code)
        code = report(a, approval, &err);
    tenuo_approval_free(approval);
    return code ? cli_fail(a->cli, &err) : CLI_YES;
}

int cmd_approve(struct cli *cli, int argc, char **argv)
{
    struct approve a = { .cli = cli, .lifetime = TENUO_APPROVAL_LIFETIME_SECS };
    int status;
    if (cli_parse(cli, &parser, argc, argv, &a, &status))
        status = run(&a);
    tenuo_signer_free(a.signer);
    cli_ask_free(&a.ask);
    tenuo_verifier_unref(a.verifier);
    tenuo_verifier_builder_free(a.builder);
    return status;
}
