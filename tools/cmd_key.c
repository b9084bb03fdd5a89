/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tenuo key. Keys in the stores of a configuration: listed, shown, imported, replaced, removed and tested. No secret is
 * ever a word of the command line or part of an answer, and no memory of a run is dumped.
 */
#include "key.h"

#include <stdlib.h>
#include <string.h>

enum { OPT_NEW_VERSION = CLI_OPT_FIRST, OPT_IMPORT, OPT_WARRANTS, OPT_CHECK, OPT_YES, OPT_HOLDER, OPT_PEM };

enum { LIST = 1, SHOW = 2, PUBLIC = 4, IMPORT = 8, ROTATE = 16, REMOVE = 32, TEST = 64, ALL = 127 };

static const struct cli_action actions[] = {
    { "list", LIST, 0, 1, "at most one store" },
    { "show", SHOW, 1, 1, "one key: ID, ID@N or STORE:ID" },
    { "public", PUBLIC, 1, 1, "one key: ID, ID@N or STORE:ID" },
    { "import", IMPORT, 2, 2, "STORE:ID and the secret's file, or - for standard input" },
    { "rotate", ROTATE, 1, 1, "STORE:ID, and files with warrants after --warrants" },
    { "remove", REMOVE, 1, 1, "STORE:ID for all versions of a key, or STORE:ID@N for one" },
    { "test", TEST, 1, 1, "one key: ID, ID@N or STORE:ID" },
    { 0 },
};

struct input {
    struct key_run run;
    struct cli_choice choice;
};

/* --warrants *.tenuo: the shell makes words of all but the first. */
static error_t word(struct key_run *r, const char *arg)
{
    if (!r->action) {
        r->action = arg;
        return 0;
    }
    return cli_push(r->words.n && r->warrants.n ? &r->warrants : &r->words, arg);
}

static error_t holder(struct input *in, const char *arg)
{
    struct tenuo_error err = { 0 };
    cli_belongs(&in->choice, TEST, "--holder");
    int code = cli_public_key("--holder", arg, in->run.holder, &err);
    in->run.has_holder = true;
    if (code == TENUO_E_INVALID_ARGUMENT)
        return cli_usage(in->run.cli, "%s", err.msg);
    if (code)
        exit(cli_fail_and_close(in->run.cli, &err));
    return 0;
}

static error_t flag(struct input *in, unsigned to, const char *option, bool *target)
{
    cli_belongs(&in->choice, to, option);
    *target = true;
    return 0;
}

static error_t parse(int key, char *arg, struct argp_state *state)
{
    struct input *in = state->input;
    switch (key) {
    case ARGP_KEY_INIT:
        state->child_inputs[0] = in->run.cli;
        return 0;
    case ARGP_KEY_ARG:
        return word(&in->run, arg);
    case OPT_NEW_VERSION:
        return flag(in, IMPORT, "--new-version", &in->run.new_version);
    case OPT_CHECK:
        return flag(in, ROTATE, "--check", &in->run.check);
    case OPT_YES:
        return flag(in, REMOVE, "--yes", &in->run.yes);
    case OPT_PEM:
        return flag(in, SHOW | PUBLIC, "--pem", &in->run.pem);
    case OPT_HOLDER:
        return holder(in, arg);
    case OPT_IMPORT:
        cli_belongs(&in->choice, ROTATE, "--import");
        return cli_once(in->run.cli, &in->run.import, arg);
    case OPT_WARRANTS:
        cli_belongs(&in->choice, ROTATE, "--warrants");
        return cli_push(&in->run.warrants, arg);
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

static const struct argp_option options[] = {
    { "new-version", OPT_NEW_VERSION, NULL, 0, "import: the id is there; this becomes its newest version", 10 },
    { "import", OPT_IMPORT, "FILE", 0, "rotate: the new secret from this file, or - for standard input", 10 },
    { "warrants", OPT_WARRANTS, "FILE...", 0, "rotate: say which of these warrants name the old key", 10 },
    { "check", OPT_CHECK, NULL, 0, "rotate: change nothing; only say what names the key", 10 },
    { "yes", OPT_YES, NULL, 0, "remove: do not ask", 11 },
    { "holder", OPT_HOLDER, "KEY", 0, "test: the version that is this public key, as for a warrant with that holder",
      12 },
    { "pem", OPT_PEM, NULL, 0, "show: only the public key in PEM, as 'key public' prints it", 12 },
    { 0 }
};
static const struct argp_child children[] = { { &cli_conf_argp, 0, NULL, 0 }, { 0 } };
static const struct argp parser = {
    options,
    parse,
    "list [STORE]\nshow|public|test [STORE:]ID[@N]\nimport STORE:ID FILE|-\nrotate STORE:ID\nremove STORE:ID[@N]",
    "Keys in the stores of a configuration. STORE is what name= of a resolver line says, or else its module; ID is the "
    "newest version of a key and ID@N an older one. 'tenuo keygen --to STORE:ID' makes one.\v"
    "Exit status: 0 done, 2 usage, 3 a store could not be asked or refused. test: 0 it signs, 1 it does not, 3 nobody "
    "can say.\n"
    "Examples:\n"
    "  tenuo key list\n"
    "  tenuo key test alice --service web\n"
    "  tenuo key public alice > alice.pub\n"
    "  tenuo key import file:alice alice.key\n"
    "  tenuo key rotate file:alice --check --warrants *.tenuo\n"
    "  tenuo key rotate file:alice\n"
    "  tenuo key remove file:alice@1\n",
    children,
    cli_help_filter,
    NULL
};

static int change(struct key_run *r, int (*fn)(struct key_run *, struct tenuo_error *))
{
    struct tenuo_error err = { 0 };
    return fn(r, &err) ? cli_fail(r->cli, &err) : CLI_YES;
}

static int remove_key(struct key_run *r)
{
    struct tenuo_error err = { 0 };
    bool declined = false;
    if (key_remove(r, &declined, &err))
        return cli_fail(r->cli, &err);
    if (!declined)
        return CLI_YES;
    if (r->cli->json) {
        json_t *object = cli_object(r->cli, false);
        cli_set(object, "message", json_string("the answer was no: nothing was removed"));
        cli_emit(r->cli, object);
    } else {
        fputs("tenuo key: the answer was no: nothing was removed\n", stderr);
    }
    return CLI_NO;
}

static int act(struct key_run *r, unsigned action)
{
    switch (action) {
    case LIST:
        return key_list(r);
    case SHOW:
        return key_show(r);
    case PUBLIC:
        return key_public(r);
    case IMPORT:
        return change(r, key_import);
    case ROTATE:
        return change(r, key_rotate);
    case REMOVE:
        return remove_key(r);
    default:
        return key_test(r);
    }
}

static int run(struct input *in)
{
    struct key_run *r = &in->run;
    const struct cli_action *action = NULL;
    int status = cli_choose(r->cli, actions, &in->choice, r->action, r->words.n,
                            "'tenuo key list', 'show', 'public', 'import', 'rotate', 'remove' or 'test'", &action);
    if (!action)
        return status;
    if (action->bit == ROTATE || action->bit == REMOVE)
        r->cli->keys_only = TENUO_OPEN_KEYS_AUDITED; /* that a key is no longer the newest is recorded */
    cli_hold_secret();
    return act(r, action->bit);
}

int cmd_key(struct cli *cli, int argc, char **argv)
{
    struct input in = { .run.cli = cli, .choice.wanted = ALL };
    int status;
    cli->keys_only = TENUO_OPEN_KEYS; /* the first key comes before there is a root to trust */
    if (cli_parse(cli, &parser, argc, argv, &in, &status))
        status = run(&in);
    free(in.run.words.v);
    free(in.run.warrants.v);
    return status;
}
