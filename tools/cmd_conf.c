/* SPDX-License-Identifier: Apache-2.0 */
/* tenuo conf. Checks a configuration and shows what a service gets; opens no store and changes nothing. */
#include "cli.h"

#include <stdlib.h>
#include <string.h>

enum { OPT_NO_LOAD = CLI_OPT_FIRST, OPT_POLICY };

struct conf {
    struct cli *cli;
    const char *action;
    bool no_load, policy;
    json_t *lines;
    unsigned errors, warnings;
};

static error_t parse(int key, char *arg, struct argp_state *state)
{
    struct conf *c = state->input;
    switch (key) {
    case ARGP_KEY_INIT:
        state->child_inputs[0] = c->cli;
        return 0;
    case OPT_NO_LOAD:
        c->no_load = true;
        return 0;
    case OPT_POLICY:
        c->policy = true;
        return 0;
    case ARGP_KEY_ARG:
        if (!c->action)
            c->action = arg;
        else if (!c->cli->conf)
            c->cli->conf = arg;
        else
            return cli_usage(c->cli, "'%.64s': the file is named already", arg);
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

static const struct argp_option options[] = {
    { "no-load", OPT_NO_LOAD, NULL, 0, "check: do not load plugins, so do not check their arguments", 10 },
    { "policy", OPT_POLICY, NULL, 0, "show: the settings by which calls are decided, as receipts name them", 10 },
    { 0 }
};
static const struct argp_child children[] = { { &cli_conf_argp, 0, NULL, 0 }, { 0 } };
static const struct argp parser = {
    options,
    parse,
    "check|show [FILE]",
    "Check a configuration with its drop-ins and plugins, or show the merged result for a service.\v"
    "Exit status: 0 good, 3 not.\n"
    "Examples:\n"
    "  tenuo conf check\n"
    "  tenuo conf check ./tenuo.conf --plugin-dir build/plugins\n"
    "  tenuo conf show --service web\n"
    "  tenuo conf show --policy > policy.json\n",
    children,
    cli_help_filter,
    NULL
};

static void finding(void *arg, int is_error, const char *line)
{
    struct conf *c = arg;
    *(is_error ? &c->errors : &c->warnings) += 1;
    if (!c->cli->json) {
        cli_line(stdout, "%s%s", is_error ? "" : "warning: ", line);
        return;
    }
    json_t *entry = json_object();
    if (!entry)
        cli_no_memory();
    cli_set(entry, "severity", json_string(is_error ? "error" : "warning"));
    cli_set(entry, "text", cli_text(line, strlen(line)));
    cli_append(c->lines, entry);
}

static void shown(void *arg, const char *line)
{
    struct conf *c = arg;
    if (c->cli->json)
        cli_append(c->lines, cli_text(line, strlen(line)));
    else
        puts(line);
}

static int check(struct conf *c, const struct tenuo_open_options *base)
{
    struct tenuo_open_options options_with_findings = *base;
    struct tenuo_error err = { 0 };
    options_with_findings.diag = finding;
    options_with_findings.diag_arg = c;
    int code = tenuo_conf_check(c->cli->service ? c->cli->service : "", &options_with_findings, !c->no_load, &err);
    if (code && !c->errors)
        return cli_fail(c->cli, &err); /* no diagnostic said it: a missing file, for one */
    if (!c->cli->json) {
        printf("%u error%s, %u warning%s\n", c->errors, c->errors == 1 ? "" : "s", c->warnings,
               c->warnings == 1 ? "" : "s");
        return code ? CLI_UNDECIDED : CLI_YES;
    }
    json_t *object = cli_object(c->cli, !code);
    if (code) {
        cli_set(object, "code", json_integer(code));
        cli_set(object, "name", json_string(tenuo_err_name(code)));
        cli_set(object, "message", cli_text(err.msg, strlen(err.msg)));
    }
    cli_set(object, "errors", json_integer(c->errors));
    cli_set(object, "warning_count", json_integer(c->warnings));
    cli_set(object, "diagnostics", json_incref(c->lines));
    cli_emit(c->cli, object);
    return code ? CLI_UNDECIDED : CLI_YES;
}

static int show(struct conf *c, const struct tenuo_open_options *base)
{
    struct tenuo_error err = { 0 };
    if (tenuo_conf_show(c->cli->service ? c->cli->service : "", base, shown, c, &err))
        return cli_fail(c->cli, &err);
    if (c->cli->json) {
        json_t *object = cli_object(c->cli, true);
        cli_set(object, "lines", json_incref(c->lines));
        cli_emit(c->cli, object);
    }
    return CLI_YES;
}

static int policy(struct conf *c, const struct tenuo_open_options *base)
{
    struct tenuo_error err = { 0 };
    if (tenuo_conf_policy(c->cli->service ? c->cli->service : "", base, shown, c, &err))
        return cli_fail(c->cli, &err);
    if (c->cli->json) {
        const json_t *text = json_array_get(c->lines, 0);
        json_t *object = cli_object(c->cli, true), *parsed;
        if (!(parsed = cli_json_load("the policy", json_string_value(text), json_string_length(text), &err)))
            cli_no_memory(); /* it is our own JSON */
        cli_set(object, "policy", parsed);
        cli_emit(c->cli, object);
    }
    return CLI_YES;
}

int cmd_conf(struct cli *cli, int argc, char **argv)
{
    struct conf c = { .cli = cli };
    struct tenuo_open_options base;
    int status;
    if (!cli_parse(cli, &parser, argc, argv, &c, &status))
        return status;
    if (!c.action || (strcmp(c.action, "check") != 0 && strcmp(c.action, "show") != 0))
        return cli_failf(cli, TENUO_E_INVALID_ARGUMENT, "say 'tenuo conf check' or 'tenuo conf show'");
    if (!(c.lines = json_array()))
        cli_no_memory();
    cli_open_options(cli, &base);
    status = strcmp(c.action, "check") == 0 ? check(&c, &base) : c.policy ? policy(&c, &base) : show(&c, &base);
    json_decref(c.lines);
    return status;
}
