/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tenuo srl. Signed revocation lists: made, added to, shown, verified and compared; and signed requests to revoke.
 * Never signs a version that is not higher than that of the list it changes, and never loses an id on the way.
 */
#include "srl.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

enum {
    OPT_KEY = CLI_OPT_FIRST,
    OPT_KEY_ID,
    OPT_AT,
    OPT_VERSION,
    OPT_CHAIN,
    OPT_REQUEST,
    OPT_WARRANT,
    OPT_EXPIRED,
    OPT_ISSUER,
    OPT_ROOT,
    OPT_AFTER,
    OPT_MAX_AGE,
    OPT_REASON
};

enum { CREATE = 1, ADD = 2, SHOW = 4, VERIFY = 8, DIFF = 16, REQUEST = 32 };

static const struct cli_action actions[] = {
    { "create", CREATE, 1, SIZE_MAX, "the new file, then ids or warrants" },
    { "add", ADD, 1, SIZE_MAX, "the list's file, then ids or warrants" },
    { "show", SHOW, 1, 1, "one list: a file or -" },
    { "verify", VERIFY, 1, 1, "one list: a file or -" },
    { "diff", DIFF, 2, 2, "two lists, the older one first" },
    { "request", REQUEST, 1, 1, "one warrant or id" },
    { 0 },
};

struct input {
    struct srl_run run;
    struct cli_choice choice;
};

static error_t once(struct input *in, unsigned to, const char *option, const char **target, const char *arg)
{
    cli_belongs(&in->choice, to, option);
    if (*target)
        return cli_usage(in->run.cli, "%s is given twice", option);
    *target = arg;
    return 0;
}

static error_t issuer_option(struct input *in, const char *arg)
{
    struct tenuo_error err = { 0 };
    cli_belongs(&in->choice, ADD | VERIFY, "--issuer");
    int code = cli_public_key("--issuer", arg, in->run.issuer, &err);
    in->run.has_issuer = true;
    if (code == TENUO_E_INVALID_ARGUMENT)
        return cli_usage(in->run.cli, "%s", err.msg);
    if (code)
        exit(cli_fail_and_close(in->run.cli, &err));
    return 0;
}

static error_t root_option(struct input *in, const char *arg)
{
    struct tenuo_error err = { 0 };
    cli_belongs(&in->choice, ADD, "--root");
    int code = cli_root_option(&in->run.roots, arg, &err);
    if (code == TENUO_E_INVALID_ARGUMENT)
        return cli_usage(in->run.cli, "%s", err.msg);
    if (code)
        exit(cli_fail_and_close(in->run.cli, &err));
    return 0;
}

static error_t number_option(struct input *in, int key, const char *arg)
{
    struct srl_run *r = &in->run;
    if (key == OPT_VERSION) {
        cli_belongs(&in->choice, CREATE | ADD, "--list-version");
        return cli_number_parse(arg, INT64_MAX, &r->version) && r->version /* half of them stay for later lists */
                   ? 0
                   : cli_usage(r->cli, "--list-version wants a number from 1 to %jd", (intmax_t)INT64_MAX);
    }
    if (key == OPT_MAX_AGE) {
        cli_belongs(&in->choice, VERIFY, "--max-age");
        return cli_duration_parse(arg, &r->max_age) && r->max_age
                   ? 0
                   : cli_usage(r->cli, "--max-age wants 90s, 15m, 24h or 7d");
    }
    cli_belongs(&in->choice, CREATE | ADD | VERIFY | REQUEST, "--at");
    r->has_at = true;
    return cli_time_parse(arg, &r->at)
               ? 0
               : cli_usage(r->cli, "--at wants RFC 3339 (2030-01-31T12:00:00Z) or Unix seconds");
}

static error_t add_option(struct input *in, int key, const char *arg)
{
    struct srl_run *r = &in->run;
    cli_belongs(&in->choice, ADD, "an option of add");
    return cli_push(key == OPT_REQUEST ? &r->requests : key == OPT_WARRANT ? &r->warrants : &r->expired, arg);
}

static error_t parse(int key, char *arg, struct argp_state *state)
{
    struct input *in = state->input;
    struct srl_run *r = &in->run;
    switch (key) {
    case ARGP_KEY_INIT:
        state->child_inputs[0] = r->cli;
        return 0;
    case ARGP_KEY_ARG:
        if (!r->action)
            return once(in, in->choice.wanted, "the action", &r->action, arg);
        return cli_push(&r->words, arg);
    case OPT_KEY:
        return once(in, CREATE | ADD | REQUEST, "--key", &r->key, arg);
    case OPT_KEY_ID:
        return once(in, CREATE | ADD | REQUEST, "--key-id", &r->key_id, arg);
    case 'o':
        return once(in, REQUEST, "--output", &r->out, arg);
    case OPT_REASON:
        return once(in, REQUEST, "--reason", &r->reason, arg);
    case OPT_AFTER:
        return once(in, VERIFY, "--after", &r->after, arg);
    case OPT_CHAIN:
        cli_belongs(&in->choice, CREATE | ADD, "--chain");
        r->chain = true;
        return 0;
    case OPT_ISSUER:
        return issuer_option(in, arg);
    case OPT_ROOT:
        return root_option(in, arg);
    case OPT_REQUEST:
    case OPT_WARRANT:
    case OPT_EXPIRED:
        return add_option(in, key, arg);
    case OPT_VERSION:
    case OPT_MAX_AGE:
    case OPT_AT:
        return number_option(in, key, arg);
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

static const struct argp_option options[] = {
    { "key", OPT_KEY, "FILE", 0, "create, add, request: the signing key's file; - is standard input", 9 },
    { "key-id", OPT_KEY_ID, "ID", 0, "The signing key from the key stores of the configuration", 9 },
    { "at", OPT_AT, "TIME", 0, "Sign or judge as of this time instead of now", 9 },
    { "list-version", OPT_VERSION, "N", 0, "create, add: instead of 1, or of the next one", 10 },
    { "chain", OPT_CHAIN, NULL, 0, "create, add: every warrant of a chain, not only its last", 10 },
    { "request", OPT_REQUEST, "FILE", 0, "add: a signed request to revoke (repeatable)", 11 },
    { "warrant", OPT_WARRANT, "WARRANT", 0, "add: from your own records, what a request is about (repeatable)", 11 },
    { "prune", OPT_EXPIRED, "WARRANT", 0, "add: leave its id out once it has expired (repeatable)", 11 },
    { "root", OPT_ROOT, "KEY", 0,
      "add: a root whose warrants --prune and --warrant may name, beside the signing key (repeatable)", 11 },
    { "issuer", OPT_ISSUER, "KEY", 0,
      "verify: who must have signed; otherwise a root of the configuration. add: who signed the list so far", 12 },
    { "after", OPT_AFTER, "FILE", 0, "verify: the list that it replaces", 12 },
    { "max-age", OPT_MAX_AGE, "DURATION", 0, "verify: refuse a list that was issued longer ago", 12 },
    { "reason", OPT_REASON, "TEXT", 0, "request: why", 13 },
    { "output", 'o', "FILE", 0, "request: where to write it; - is standard output", 13 },
    { 0 }
};
static const struct argp_child children[] = { { &cli_conf_argp, 0, NULL, 0 }, { 0 } };
static const struct argp parser = {
    options,
    parse,
    "create|add FILE [ID|WARRANT...]\nshow|verify FILE\ndiff OLDER NEWER\nrequest ID|WARRANT",
    "Signed revocation lists. A revoked warrant takes everything that was derived from it along. "
    "add changes the file in one step and raises its version; without ids it only signs anew.\v"
    "Exit status: 0 done or good, 1 not, 2 usage, 3 something cannot be read or written.\n"
    "Examples:\n"
    "  tenuo srl create revoked.srl --key root.key\n"
    "  tenuo srl add revoked.srl --key root.key alice.tenuo\n"
    "  tenuo srl verify revoked.srl --issuer root.pub --max-age 24h\n"
    "  tenuo srl diff yesterday.srl revoked.srl\n"
    "  tenuo srl request bob.tenuo --key bob.key \\\n"
    "      --reason 'laptop lost' -o bob.request\n"
    "  tenuo srl add revoked.srl --key root.key \\\n"
    "      --request bob.request --warrant bob.tenuo\n",
    children,
    cli_help_filter,
    NULL
};

static int make(struct srl_run *r, int (*fn)(struct srl_run *, struct tenuo_error *))
{
    struct tenuo_error err = { 0 };
    return fn(r, &err) ? cli_fail(r->cli, &err) : CLI_YES;
}

static int run(struct input *in)
{
    struct srl_run *r = &in->run;
    const struct cli_action *action = NULL;
    int status = cli_choose(r->cli, actions, &in->choice, r->action, r->words.n,
                            "'tenuo srl create', 'add', 'show', 'verify', 'diff' or 'request'", &action);
    if (!action)
        return status;
    if (!r->has_at)
        r->at = (int64_t)time(NULL);
    switch (action->bit) {
    case CREATE:
        return make(r, srl_create);
    case ADD:
        return make(r, srl_add);
    case REQUEST:
        return make(r, srl_request);
    case SHOW:
        return srl_show(r);
    case VERIFY:
        return srl_verify(r);
    default:
        return srl_diff(r);
    }
}

int cmd_srl(struct cli *cli, int argc, char **argv)
{
    struct input in = { .run.cli = cli, .choice.wanted = CREATE | ADD | SHOW | VERIFY | DIFF | REQUEST };
    int status;
    if (cli_parse(cli, &parser, argc, argv, &in, &status))
        status = run(&in);
    tenuo_verifier_builder_free(in.run.roots);
    free(in.run.words.v);
    free(in.run.requests.v);
    free(in.run.warrants.v);
    free(in.run.expired.v);
    return status;
}
