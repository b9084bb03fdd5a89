/* SPDX-License-Identifier: Apache-2.0 */
/* tenuo inspect. Everything that a warrant or stack says, and first of all that nobody has verified it. */
#include "cli.h"

#include <string.h>
#include <time.h>

struct inspect {
    struct cli *cli;
    const char *warrant;
};

static error_t parse(int key, char *arg, struct argp_state *state)
{
    struct inspect *in = state->input;
    switch (key) {
    case ARGP_KEY_INIT:
        state->child_inputs[0] = in->cli;
        return 0;
    case ARGP_KEY_ARG:
        if (in->warrant)
            return cli_usage(in->cli, "'%.64s' is one word too many", arg);
        in->warrant = arg;
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

static const struct argp_child children[] = { { &cli_common_argp, 0, NULL, 0 }, { 0 } };
static const struct argp parser = { NULL,
                                    parse,
                                    "WARRANT",
                                    "Say everything in a warrant or chain. WARRANT is a file, - or the text itself. "
                                    "Nothing is verified: use verify for that.\v"
                                    "Examples:\n"
                                    "  tenuo inspect alice.tenuo\n"
                                    "  tenuo inspect --json - < alice.tenuo | jq '.chain[-1].tools'\n",
                                    children,
                                    cli_help_filter,
                                    NULL };

int cmd_inspect(struct cli *cli, int argc, char **argv)
{
    struct inspect in = { .cli = cli };
    struct tenuo_error err = { 0 };
    struct tenuo_stack *stack = NULL;
    int status;
    if (!cli_parse(cli, &parser, argc, argv, &in, &status))
        return status;
    if (!in.warrant)
        return cli_failf(cli, TENUO_E_INVALID_ARGUMENT, "name the warrant: a file, - or the text itself");
    if (cli_read_stack(in.warrant, &stack, &err))
        return cli_fail(cli, &err);
    if (cli->json) {
        json_t *object = cli_object(cli, true);
        cli_set(object, "verified", json_false());
        cli_set(object, "chain", cli_describe_stack(stack));
        cli_emit(cli, object);
    } else {
        puts("UNVERIFIED: what follows is what the warrant says; whether it may be trusted was not asked (tenuo "
             "verify).");
        cli_print_stack(stack);
    }
    tenuo_stack_free(stack);
    return CLI_YES;
}
