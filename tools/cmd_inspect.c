/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tenuo inspect. Everything that a warrant or stack says, or what differs between two, and first of all that nobody has
 * verified it. Its yes means "the child is within the parent", never "this may be trusted".
 */
#include "diff.h"

#include <string.h>
#include <time.h>

enum { OPT_DIFF = CLI_OPT_FIRST, OPT_LINKS, OPT_PLUGIN_DIR };

struct inspect {
    struct cli *cli;
    const char *warrants[2];
    struct tenuo_stack *stacks[2];
    bool diff;
    uint64_t links[2]; /* counted as the output does, from 1; 0: the last two */
};

static bool links_option(struct inspect *in, const char *arg)
{
    char first[8] = "";
    const char *comma = strchr(arg, ',');
    size_t len = comma ? (size_t)(comma - arg) : sizeof first;
    if (len >= sizeof first)
        return false;
    memcpy(first, arg, len);
    return cli_number_parse(first, 999, &in->links[0]) && cli_number_parse(comma + 1, 999, &in->links[1]) &&
           in->links[0] > 0 && in->links[1] > 0;
}

static error_t parse(int key, char *arg, struct argp_state *state)
{
    struct inspect *in = state->input;
    switch (key) {
    case ARGP_KEY_INIT:
        state->child_inputs[0] = state->child_inputs[1] = in->cli;
        return 0;
    case OPT_DIFF:
        in->diff = true;
        return 0;
    case OPT_LINKS:
        in->diff = true;
        return links_option(in, arg) ? 0 : cli_usage(in->cli, "--links wants two numbers from 1, such as 1,3");
    case OPT_PLUGIN_DIR:
        in->cli->plugin_dir = arg;
        return 0;
    case ARGP_KEY_ARG:
        if (in->warrants[0] && in->warrants[1])
            return cli_usage(in->cli, "'%.64s' is one word too many", arg);
        in->warrants[in->warrants[0] != NULL] = arg;
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

static const struct argp_option options[] = {
    { "diff", OPT_DIFF, NULL, 0, "Compare two warrants, or the last two of one chain", 9 },
    { "links", OPT_LINKS, "N,M", 0, "Compare these two of one chain; 1 is the root", 9 },
    { "plugin-dir", OPT_PLUGIN_DIR, "DIR", 0, "With --diff: where the matchers regex and cel are", 9 },
    { 0 }
};
static const struct argp_child children[] = {
    { &cli_common_argp, 0, NULL, 0 }, { &cli_matcher_argp, 0, NULL, 0 }, { 0 }
};
static const struct argp parser = {
    options,
    parse,
    "WARRANT [WARRANT]",
    "Say everything in a warrant or chain. WARRANT is a file, - or the text itself. "
    "Nothing is verified: use verify for that.\v"
    "With --diff the last warrant of each chain counts. Exit status then: 0 same or narrower, 1 the child is wider "
    "somewhere, 3 a constraint needs a matcher that is not installed.\n"
    "Examples:\n"
    "  tenuo inspect alice.tenuo\n"
    "  tenuo inspect --json - < alice.tenuo | jq '.chain[-1].tools'\n"
    "  tenuo inspect --diff alice.tenuo bob.tenuo\n"
    "  tenuo inspect --diff bob.tenuo\n",
    children,
    cli_help_filter,
    NULL
};

static int pick(struct inspect *in, const struct tenuo_warrant *ret[2], struct tenuo_error *err)
{
    size_t n = tenuo_stack_length(in->stacks[0]);
    if (in->stacks[1]) {
        if (in->links[0])
            return cli_set_error(err, TENUO_E_INVALID_ARGUMENT, "--links goes with one chain");
        ret[0] = tenuo_stack_leaf(in->stacks[0]);
        ret[1] = tenuo_stack_leaf(in->stacks[1]);
        return TENUO_OK;
    }
    if (n < 2 && !in->links[0])
        return cli_set_error(err, TENUO_E_INVALID_ARGUMENT, "the chain has one warrant; name a second one to compare");
    if (in->links[0] > n || in->links[1] > n)
        return cli_set_error(err, TENUO_E_INVALID_ARGUMENT, "--links: the chain has %zu warrant%s", n,
                             n == 1 ? "" : "s");
    ret[0] = tenuo_stack_warrant(in->stacks[0], in->links[0] ? in->links[0] - 1 : n - 2);
    ret[1] = tenuo_stack_warrant(in->stacks[0], in->links[0] ? in->links[1] - 1 : n - 1);
    return TENUO_OK;
}

static bool is_verdict(const json_t *diff, const char *word)
{
    return strcmp(json_string_value(json_object_get(diff, "verdict")), word) == 0;
}

static int answer(struct inspect *in, json_t *diff)
{
    int code = is_verdict(diff, "wider")       ? TENUO_E_INVALID_ATTENUATION
               : is_verdict(diff, "undecided") ? TENUO_E_UNKNOWN_CONSTRAINT
                                               : TENUO_OK;
    if (in->cli->json) {
        json_t *object = cli_object(in->cli, !code);
        cli_set(object, "verified", json_false());
        if (code) {
            cli_set(object, "code", json_integer(code));
            cli_set(object, "name", json_string(tenuo_err_name(code)));
            cli_set(object, "message",
                    json_string(code == TENUO_E_INVALID_ATTENUATION
                                    ? "the child is not within the parent"
                                    : "a constraint needs a matcher plugin that is not loaded"));
        }
        cli_set(object, "diff", diff);
        cli_emit(in->cli, object);
    } else {
        puts("UNVERIFIED: what follows is what the warrants say; whether they may be trusted was not asked (tenuo "
             "verify).");
        cli_print_diff(diff);
        json_decref(diff);
    }
    return code == TENUO_E_UNKNOWN_CONSTRAINT ? CLI_UNDECIDED : cli_exit_status(code);
}

/* Plugins are loaded only when an answer of no or of nothing may come from their absence. */
static int diff(struct inspect *in, struct tenuo_error *err)
{
    const struct tenuo_warrant *w[2] = { 0 };
    struct tenuo_matchers *matchers = NULL;
    int64_t now = (int64_t)time(NULL);
    int code = pick(in, w, err);
    if (code)
        return cli_fail(in->cli, err);
    json_t *result = cli_diff(w[0], w[1], NULL, now);
    if (is_verdict(result, "wider") || is_verdict(result, "undecided"))
        code = cli_matchers(in->cli, true, &matchers, err);
    if (code && is_verdict(result, "undecided")) {
        json_decref(result);
        return cli_fail(in->cli, err);
    }
    if (matchers) {
        json_decref(result);
        result = cli_diff(w[0], w[1], matchers, now);
    }
    return answer(in, result);
}

static int say(struct inspect *in)
{
    if (in->cli->json) {
        json_t *object = cli_object(in->cli, true);
        cli_set(object, "verified", json_false());
        cli_set(object, "chain", cli_describe_stack(in->stacks[0]));
        cli_emit(in->cli, object);
    } else {
        puts("UNVERIFIED: what follows is what the warrant says; whether it may be trusted was not asked (tenuo "
             "verify).");
        cli_print_stack(in->stacks[0]);
    }
    return CLI_YES;
}

static int run(struct inspect *in)
{
    struct tenuo_error err = { 0 };
    if (!in->warrants[0])
        return cli_failf(in->cli, TENUO_E_INVALID_ARGUMENT, "name the warrant: a file, - or the text itself");
    if (in->warrants[1] && !in->diff)
        return cli_failf(in->cli, TENUO_E_INVALID_ARGUMENT, "'%.64s' is one word too many; --diff compares two",
                         in->warrants[1]);
    for (size_t i = 0; i < 2 && in->warrants[i]; i++)
        if (cli_read_stack(in->warrants[i], &in->stacks[i], &err))
            return cli_fail(in->cli, &err);
    return in->diff ? diff(in, &err) : say(in);
}

int cmd_inspect(struct cli *cli, int argc, char **argv)
{
    struct inspect in = { .cli = cli };
    int status;
    if (cli_parse(cli, &parser, argc, argv, &in, &status))
        status = run(&in);
    tenuo_stack_free(in.stacks[0]);
    tenuo_stack_free(in.stacks[1]);
    return status;
}
