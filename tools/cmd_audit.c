/* SPDX-License-Identifier: Apache-2.0 */
/* tenuo audit. Proves that chained logs are whole, and shows records. Never writes a log. */
#include "audit.h"

#include <stdlib.h>
#include <string.h>

enum {
    OPT_KEY = CLI_OPT_FIRST,
    OPT_FROM_START,
    OPT_MAX_UNSIGNED,
    OPT_SINCE,
    OPT_UNTIL,
    OPT_TOOL,
    OPT_DECISION,
    OPT_WARRANT,
    OPT_CODE,
    OPT_OF_SERVICE,
    OPT_EVENT,
    OPT_RAW
};
enum { VERIFY = 1, SHOW = 2 };

static const struct cli_action actions[] = { { "verify", VERIFY, 1, SIZE_MAX, "the files of one log" },
                                             { "show", SHOW, 1, SIZE_MAX, "the files" },
                                             { NULL, 0, 0, 0, NULL } };

struct input {
    struct audit_run run;
    struct cli_choice choice;
    const char *action;
};

static error_t key_option(struct audit_run *r, const char *arg)
{
    struct tenuo_error err = { 0 };
    r->keys = cli_grow(r->keys, r->nkeys + 1, sizeof *r->keys);
    if (!cli_public_key("--key", arg, r->keys[r->nkeys++], &err))
        return 0;
    if (err.code == TENUO_E_INVALID_ARGUMENT)
        return cli_usage(r->cli, "%s", err.msg);
    exit(cli_fail_and_close(r->cli, &err));
}

static error_t time_option(struct cli *cli, const char *option, const char *arg, bool *ret_has, int64_t *ret)
{
    *ret_has = true;
    return cli_time_parse(arg, ret)
               ? 0
               : cli_usage(cli, "%s wants RFC 3339 (2030-01-31T12:00:00Z) or Unix seconds", option);
}

static error_t filter_option(struct input *in, int key, const char *arg)
{
    struct audit_filter *f = &in->run.filter;
    struct cli *cli = in->run.cli;
    cli_belongs(&in->choice, SHOW, "an option of show");
    switch (key) {
    case OPT_SINCE:
        return time_option(cli, "--since", arg, &f->has_since, &f->since);
    case OPT_UNTIL:
        return time_option(cli, "--until", arg, &f->has_until, &f->until);
    case OPT_CODE:
        f->has_code = true;
        return cli_number_parse(arg, 99999, &f->code) ? 0 : cli_usage(cli, "--code wants a number");
    case OPT_TOOL:
        return cli_once(cli, &f->tool, arg);
    case OPT_DECISION:
        return cli_once(cli, &f->decision, arg);
    case OPT_WARRANT:
        return cli_once(cli, &f->warrant, arg);
    case OPT_OF_SERVICE:
        return cli_once(cli, &f->service, arg);
    default:
        return cli_once(cli, &f->event, arg);
    }
}

static error_t parse(int key, char *arg, struct argp_state *state)
{
    struct input *in = state->input;
    switch (key) {
    case ARGP_KEY_INIT:
        state->child_inputs[0] = in->run.cli;
        return 0;
    case ARGP_KEY_ARG:
        if (in->action)
            return cli_push(&in->run.files, arg);
        in->action = arg;
        return 0;
    case OPT_KEY:
        cli_belongs(&in->choice, VERIFY, "--key");
        return key_option(&in->run, arg);
    case OPT_FROM_START:
        cli_belongs(&in->choice, VERIFY, "--from-start");
        in->run.from_start = true;
        return 0;
    case OPT_MAX_UNSIGNED:
        cli_belongs(&in->choice, VERIFY, "--max-unsigned");
        in->run.has_max_unsigned = true;
        return cli_number_parse(arg, UINT64_MAX, &in->run.max_unsigned)
                   ? 0
                   : cli_usage(in->run.cli, "--max-unsigned wants a number of records");
    case OPT_RAW:
        cli_belongs(&in->choice, SHOW, "--raw");
        in->run.raw = true;
        return 0;
    case OPT_SINCE:
    case OPT_UNTIL:
    case OPT_TOOL:
    case OPT_DECISION:
    case OPT_WARRANT:
    case OPT_CODE:
    case OPT_OF_SERVICE:
    case OPT_EVENT:
        return filter_option(in, key, arg);
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

static const struct argp_option options[] = {
    { "key", OPT_KEY, "KEY", 0, "verify: the key that must have signed checkpoints (repeatable)", 9 },
    { "from-start", OPT_FROM_START, NULL, 0, "verify: the first record of all must be there", 9 },
    { "max-unsigned", OPT_MAX_UNSIGNED, "N", 0, "verify: no more records than this without a checkpoint", 9 },
    { "since", OPT_SINCE, "TIME", 0, "show: records of this time or later", 10 },
    { "until", OPT_UNTIL, "TIME", 0, "show: records before this time", 10 },
    { "tool", OPT_TOOL, "NAME", 0, "show: of this tool", 10 },
    { "decision", OPT_DECISION, "WORD", 0, "show: allow, deny or would_deny", 10 },
    { "warrant", OPT_WARRANT, "ID", 0, "show: with this warrant in the chain", 10 },
    { "code", OPT_CODE, "N", 0, "show: with this error code; 0 on an allow", 10 },
    { "of-service", OPT_OF_SERVICE, "NAME", 0, "show: of this service", 10 },
    { "event", OPT_EVENT, "WORD", 0, "show: decision, checkpoint, recovery, config-reload, key-retired ...", 10 },
    { "raw", OPT_RAW, NULL, 0, "show: the lines as they stand in the file", 10 },
    { 0 }
};
static const struct argp_child children[] = { { &cli_common_argp, 0, NULL, 0 }, { 0 } };
static const struct argp parser = {
    options,
    parse,
    "verify FILE...\nshow FILE...",
    "Audit logs of the sink jsonl: prove that a chained log is whole across its rotated files, whatever their order on "
    "the command line, and show records. - is standard input.\v"
    "Exit status: 0 whole or shown, 1 not whole, 2 usage, 3 something cannot be read.\n"
    "Examples:\n"
    "  tenuo audit verify --key gate.pub /var/log/tenuo/audit.jsonl*\n"
    "  tenuo audit show --decision deny --since 2030-01-31T00:00:00Z \\\n"
    "      /var/log/tenuo/audit.jsonl\n",
    children,
    cli_help_filter,
    NULL
};

int cmd_audit(struct cli *cli, int argc, char **argv)
{
    struct input in = { .run.cli = cli, .choice.wanted = VERIFY | SHOW };
    const struct cli_action *action = NULL;
    int status;
    if (cli_parse(cli, &parser, argc, argv, &in, &status)) {
        status = cli_choose(cli, actions, &in.choice, in.action, in.run.files.n,
                            "'tenuo audit verify' or 'tenuo audit show'", &action);
        if (action)
            status = action->bit == VERIFY ? audit_verify_run(&in.run) : audit_show_run(&in.run);
    }
    free(in.run.files.v);
    free(in.run.keys);
    return status;
}
