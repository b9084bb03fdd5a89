/* SPDX-License-Identifier: Apache-2.0 */
/* tenuo receipt. Shows receipts, checks what one claims, and checks that nothing is missing from a run of them. Never
 * writes a journal. */
#include "receipt.h"

#include <stdlib.h>
#include <string.h>

enum {
    OPT_SIGNER = CLI_OPT_FIRST,
    OPT_ARGS,
    OPT_POP_AT,
    OPT_EXACT_ROOTS,
    OPT_SRL,
    OPT_POLICY,
    OPT_LINE,
    OPT_ANCHOR,
    OPT_AFTER
};

/* Which actions an option belongs to. */
enum { SHOW = 1, VERIFY = 2, CHAIN = 4, ANCHOR = 8 };

static const struct action {
    const char *name;
    unsigned bit;
} actions[] = { { "show", SHOW }, { "verify", VERIFY }, { "chain", CHAIN }, { "anchor", ANCHOR } };

struct input {
    struct receipt_run run;
    unsigned wanted; /* actions that every option so far belongs to */
    const char *odd; /* the option that narrowed them last */
};

static error_t checked(struct input *in, int code, const struct tenuo_error *err)
{
    if (!code)
        return 0;
    if (code == TENUO_E_INVALID_ARGUMENT)
        return cli_usage(in->run.cli, "%s", err->msg);
    exit(cli_fail_and_close(in->run.cli, err));
}

static int root_option(struct receipt_run *r, const char *arg, struct tenuo_error *err)
{
    uint8_t key[TENUO_PUBLIC_KEY_BYTES];
    int code = cli_public_key("--root", arg, key, err);
    if (!code && !r->builder)
        code = tenuo_verifier_builder_new(&r->builder, err);
    return code ? code : tenuo_verifier_builder_add_root(r->builder, key, err);
}

static int digest_of(const char *option, const char *text, uint8_t ret[TENUO_RECEIPT_DIGEST_BYTES],
                     struct tenuo_error *err)
{
    size_t n = 0;
    if (strlen(text) == 64 && cli_unhex(text, 64, ret, TENUO_RECEIPT_DIGEST_BYTES, &n))
        return TENUO_OK;
    return cli_set_error(err, TENUO_E_INVALID_ARGUMENT, "%s wants a digest of 64 hex digits", option);
}

static int anchor_option(struct receipt_run *r, const char *arg, struct tenuo_error *err)
{
    r->anchors = cli_grow(r->anchors, r->nanchors + 1, sizeof *r->anchors);
    return digest_of("--anchor", arg, r->anchors[r->nanchors++], err);
}

static void belongs(struct input *in, unsigned to, const char *option)
{
    if ((in->wanted & to) != in->wanted)
        in->odd = option;
    in->wanted &= to;
}

static error_t word(struct input *in, const char *arg)
{
    struct receipt_run *r = &in->run;
    if (!r->action) {
        r->action = arg;
        return 0;
    }
    r->files = cli_grow(r->files, r->nfiles + 1, sizeof *r->files);
    r->files[r->nfiles++] = arg;
    return 0;
}

static error_t verify_option(struct input *in, int key, const char *arg)
{
    struct receipt_run *r = &in->run;
    struct tenuo_error err = { 0 };
    belongs(in, VERIFY, "an option of verify");
    switch (key) {
    case 'r':
        return checked(in, root_option(r, arg, &err), &err);
    case 'a':
        r->has_args = true;
        return checked(in, cli_args_put(r->arguments, arg, &err), &err);
    case OPT_ARGS:
        r->has_args = true;
        return checked(in, cli_args_put_json(r->arguments, arg, &err), &err);
    case OPT_POP_AT:
        r->has_pop_at = true;
        return cli_time_parse(arg, &r->pop_at)
                   ? 0
                   : cli_usage(r->cli, "--pop-at wants RFC 3339 (2030-01-31T12:00:00Z) or Unix seconds");
    case OPT_EXACT_ROOTS:
        r->exact_roots = true;
        return 0;
    case OPT_SRL:
        r->srl = arg;
        return 0;
    default:
        r->policy = arg;
        return 0;
    }
}

static error_t line_option(struct input *in, const char *arg)
{
    belongs(in, SHOW | VERIFY, "--line");
    return cli_number_parse(arg, INT64_MAX, &in->run.line) && in->run.line
               ? 0
               : cli_usage(in->run.cli, "--line wants a number from 1 on");
}

static error_t parse(int key, char *arg, struct argp_state *state)
{
    struct input *in = state->input;
    struct receipt_run *r = &in->run;
    struct tenuo_error err = { 0 };
    switch (key) {
    case ARGP_KEY_INIT:
        state->child_inputs[0] = r->cli;
        return 0;
    case ARGP_KEY_ARG:
        return word(in, arg);
    case OPT_SIGNER:
        belongs(in, VERIFY | CHAIN | ANCHOR, "--signer");
        r->has_signer = true;
        return checked(in, cli_public_key("--signer", arg, r->signer, &err), &err);
    case OPT_LINE:
        return line_option(in, arg);
    case OPT_ANCHOR:
        belongs(in, CHAIN, "--anchor");
        return checked(in, anchor_option(r, arg, &err), &err);
    case OPT_AFTER:
        belongs(in, CHAIN | ANCHOR, "--after");
        r->has_after = true;
        return checked(in, digest_of("--after", arg, r->after, &err), &err);
    case 'r':
    case 'a':
    case OPT_ARGS:
    case OPT_POP_AT:
    case OPT_EXACT_ROOTS:
    case OPT_SRL:
    case OPT_POLICY:
        return verify_option(in, key, arg);
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

static const struct argp_option options[] = {
    { "signer", OPT_SIGNER, "KEY", 0, "The key that must have signed; without it the receipt's own word is taken", 9 },
    { "line", OPT_LINE, "N", 0, "show, verify: the receipt in this line of a journal", 9 },
    { "root", 'r', "KEY", 0, "verify: trusted root to judge the warrants by (repeatable)", 10 },
    { "exact-roots", OPT_EXACT_ROOTS, NULL, 0, "verify: the decision must have been made under these very roots", 10 },
    { "arg", 'a', "NAME=TEXT", 0, "verify: an argument of the call; NAME:=JSON for other values (repeatable)", 10 },
    { "args", OPT_ARGS, "JSON", 0, "verify: the arguments as a JSON object; @FILE or - reads it", 10 },
    { "pop-at", OPT_POP_AT, "TIME", 0, "verify: when the call was signed, if long before the decision", 10 },
    { "srl", OPT_SRL, "FILE", 0, "verify: the revocation list that must have been in force", 10 },
    { "policy", OPT_POLICY, "FILE", 0, "verify: the policy, a JSON object, that must have been in force", 10 },
    { "anchor", OPT_ANCHOR, "DIGEST", 0, "chain: a published digest that must be in the run (repeatable)", 11 },
    { "after", OPT_AFTER, "DIGEST", 0, "chain, anchor: what the first receipt must be linked to", 11 },
    { 0 }
};
static const struct argp_child children[] = { { &cli_conf_argp, 0, NULL, 0 }, { 0 } };
static const struct argp parser = {
    options,
    parse,
    "show|verify RECEIPT\nchain|anchor JOURNAL...",
    "Signed receipts of decisions: show one, check what it claims, check that a run is whole, print the digest to "
    "publish. RECEIPT is a file or - with binary, hex, base64 or a line of a journal.\v"
    "Exit status: 0 good, 1 not, 2 usage, 3 something cannot be read.\n"
    "Examples:\n"
    "  tenuo receipt verify --signer gate.pub --root root.pub \\\n"
    "      --args '{\"path\":\"/data/a\"}' --line 7 receipts\n"
    "  tenuo receipt chain --signer gate.pub receipts.[0-9]* receipts\n"
    "  tenuo receipt anchor --signer gate.pub receipts.[0-9]* receipts\n"
    "  tenuo receipt chain --signer gate.pub --anchor DIGEST \\\n"
    "      receipts.[0-9]* receipts\n"
    "receipts.[0-9]* are the full files; leave it out while there is none.\n",
    children,
    cli_help_filter,
    NULL
};

static int show(struct receipt_run *r)
{
    struct tenuo_receipt *receipt = NULL;
    struct tenuo_error err = { 0 };
    if (receipt_read(r->files[0], r->line, &receipt, &err))
        return cli_fail(r->cli, &err);
    json_t *json = receipt_json(receipt);
    tenuo_receipt_free(receipt);
    if (r->cli->json) {
        json_t *object = cli_object(r->cli, true);
        cli_set(object, "receipt", json);
        cli_emit(r->cli, object);
        return CLI_YES;
    }
    puts("The signature is good; whether to trust its key, and what it claims, was not asked (tenuo receipt verify).");
    receipt_print(json);
    json_decref(json);
    return CLI_YES;
}

static const struct action *find_action(const char *name)
{
    for (size_t i = 0; name && i < sizeof actions / sizeof actions[0]; i++)
        if (strcmp(actions[i].name, name) == 0)
            return &actions[i];
    return NULL;
}

static int run(struct input *in)
{
    struct receipt_run *r = &in->run;
    const struct action *action = find_action(r->action);
    if (!action)
        return cli_failf(r->cli, TENUO_E_INVALID_ARGUMENT, "say 'tenuo receipt show', 'verify', 'chain' or 'anchor'");
    if (!(in->wanted & action->bit))
        return cli_failf(r->cli, TENUO_E_INVALID_ARGUMENT, "%s does not go with %s", in->odd, action->name);
    if (!r->nfiles || (action->bit & (SHOW | VERIFY) && r->nfiles > 1))
        return cli_failf(r->cli, TENUO_E_INVALID_ARGUMENT,
                         action->bit & (SHOW | VERIFY) ? "name one receipt: a file or -"
                                                       : "name the journals, oldest first");
    if (r->builder && (r->cli->conf || r->cli->service))
        return cli_failf(r->cli, TENUO_E_INVALID_ARGUMENT, "give --root, or --service and --conf, not both");
    switch (action->bit) {
    case SHOW:
        return show(r);
    case VERIFY:
        return receipt_verify_run(r);
    default:
        return receipt_chain_run(r, action->bit == ANCHOR);
    }
}

int cmd_receipt(struct cli *cli, int argc, char **argv)
{
    struct input in = { .run.cli = cli, .run.arguments = cli_args_new(), .wanted = SHOW | VERIFY | CHAIN | ANCHOR };
    struct tenuo_error err = { 0 };
    int status;
    if (cli_parse(cli, &parser, argc, argv, &in, &status))
        status = cli_args_build(in.run.arguments, &in.run.args, &err) ? cli_fail(cli, &err) : run(&in);
    tenuo_args_free(in.run.args);
    json_decref(in.run.arguments);
    tenuo_verifier_builder_free(in.run.builder);
    free(in.run.anchors);
    free(in.run.files);
    return status;
}
