/* SPDX-License-Identifier: Apache-2.0 */
/*
 * argp, with three things it does not do by itself: exit status 2 for every usage error, the error as JSON under
 * --json, and help that notices a full disk.
 */
#include "cli.h"

#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

static struct {
    bool help;     /* help was printed: stop with success */
    bool reported; /* cli_usage has spoken */
} state;

error_t cli_usage(struct cli *cli, const char *fmt, ...)
{
    struct tenuo_error err = { .code = TENUO_E_INVALID_ARGUMENT };
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(err.msg, sizeof err.msg, fmt, ap);
    va_end(ap);
    if (!state.reported && !state.help) {
        cli_fail(cli, &err);
        if (!cli->json)
            fprintf(stderr, "Try 'tenuo %s --help'.\n", cli->command);
    }
    state.reported = true;
    return EINVAL;
}

static error_t parse_common(int key, char *arg, struct argp_state *argp_state)
{
    struct cli *cli = argp_state->input;
    switch (key) {
    case CLI_OPT_JSON:
        cli->json = true;
        return 0;
    case 'h':
    case CLI_OPT_HELP:
    case CLI_OPT_USAGE:
        if (!state.help)
            argp_state_help(argp_state, stdout,
                            key == CLI_OPT_USAGE ? ARGP_HELP_USAGE : ARGP_HELP_STD_HELP & ~(unsigned)ARGP_HELP_EXIT_OK);
        state.help = true;
        return EINVAL;
    case CLI_OPT_VERBOSE:
        cli->verbose = true;
        return 0;
    case CLI_OPT_CONF:
        cli->conf = arg;
        return 0;
    case CLI_OPT_SERVICE:
        cli->service = arg;
        cli->service_given = true;
        return 0;
    case CLI_OPT_PLUGIN_DIR:
        cli->plugin_dir = arg;
        return 0;
    case CLI_OPT_MATCHER:
        cli->matcher_names = cli_grow(cli->matcher_names, cli->nmatchers + 1, sizeof *cli->matcher_names);
        cli->matcher_names[cli->nmatchers++] = arg;
        return 0;
    case ARGP_KEY_ERROR: /* getopt has printed its own line; under --json it is silent, so say which word it was */
        if (cli->json && !state.reported && !state.help)
            cli_usage(cli, "unknown option, or one without its value, near '%s'",
                      argp_state->next > 0 && argp_state->next <= argp_state->argc
                          ? argp_state->argv[argp_state->next - 1]
                          : "");
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

char *cli_help_filter(int key, const char *text, void *input)
{
    (void)input;
    return key == ARGP_KEY_HELP_DUP_ARGS_NOTE ? NULL : (char *)(uintptr_t)text;
}

/* clang-format off */
#define COMMON_OPTIONS \
    { "json", CLI_OPT_JSON, NULL, 0, "One JSON object on standard output, errors too", -2 }, \
    { "help", CLI_OPT_HELP, NULL, 0, "This help", -1 }, { NULL, 'h', NULL, OPTION_ALIAS | OPTION_HIDDEN, NULL, -1 }, \
    { "usage", CLI_OPT_USAGE, NULL, 0, "A short reminder", -1 }
/* clang-format on */

static const struct argp_option common_options[] = { COMMON_OPTIONS, { 0 } };
static const struct argp_option conf_options[] = {
    { NULL, 0, NULL, 0, "Configuration:", 90 },
    { "service", CLI_OPT_SERVICE, "NAME", 0, "The rules of this service; without it those at the top of the file", 91 },
    { "conf", CLI_OPT_CONF, "FILE", 0, "Main file instead of /etc/tenuo.conf", 91 },
    { "plugin-dir", CLI_OPT_PLUGIN_DIR, "DIR", 0, "Directory of plugins when the file sets none", 91 },
    { "verbose", CLI_OPT_VERBOSE, NULL, 0, "The library's log on standard error, not only its warnings", 91 },
    COMMON_OPTIONS,
    { 0 }
};
static const struct argp_option matcher_options[] = {
    { "matcher", CLI_OPT_MATCHER, "NAME", 0,
      "Matcher plugin without a configuration (repeatable); default: regex and cel if they are installed", 91 },
    { 0 }
};
const struct argp cli_common_argp = { common_options, parse_common, NULL, NULL, NULL, NULL, NULL };
const struct argp cli_conf_argp = { conf_options, parse_common, NULL, NULL, NULL, NULL, NULL };
const struct argp cli_matcher_argp = { matcher_options, parse_common, NULL, NULL, NULL, NULL, NULL };

/* getopt prints the name of an option that it does not know as it came. White space is in keys that are values. */
static bool odd_option(int argc, char **argv)
{
    for (int i = 1; i < argc && strcmp(argv[i], "--") != 0; i++) {
        size_t n = strncmp(argv[i], "--", 2) == 0 ? strcspn(argv[i], "=") : argv[i][0] == '-' ? strnlen(argv[i], 2) : 0;
        for (size_t k = 0; k < n; k++) {
            unsigned char c = (unsigned char)argv[i][k];
            if ((c < 0x20 && !strchr("\t\n\r", c)) || c >= 0x7f)
                return true;
        }
    }
    return false;
}

/* Seen before parsing, because an error may come before the option's place. */
static bool wants_json(int argc, char **argv)
{
    for (int i = 1; i < argc && strcmp(argv[i], "--") != 0; i++)
        if (strcmp(argv[i], "--json") == 0)
            return true;
    return false;
}

bool cli_parse(struct cli *cli, const struct argp *argp, int argc, char **argv, void *input, int *ret_status)
{
    char name[64];
    snprintf(name, sizeof name, "tenuo %s", cli->command);
    argv[0] = name;
    cli->json = wants_json(argc, argv);
    state.help = state.reported = false;
    if (odd_option(argc, argv)) {
        cli_usage(cli, "no option has a name with bytes that are no printable ASCII");
        *ret_status = CLI_USAGE;
        return false;
    }
    unsigned flags = ARGP_NO_EXIT | ARGP_NO_HELP | (cli->json ? ARGP_NO_ERRS : 0);
    error_t failed = argp_parse(argp, argc, argv, flags, NULL, input);
    argv[0] = cli->json ? argv[0] : NULL;
    if (state.help) {
        *ret_status = CLI_YES;
        return false;
    }
    if (!failed)
        return true;
    if (!state.reported && cli->json)
        cli_usage(cli, "usage error");
    *ret_status = CLI_USAGE;
    return false;
}

error_t cli_once(struct cli *cli, const char **target, const char *arg)
{
    if (*target)
        return cli_usage(cli, "'%.64s': given twice, or one word too many", arg);
    *target = arg;
    return 0;
}

error_t cli_args_option(struct cli *cli, json_t *args, int key, const char *arg)
{
    struct tenuo_error err = { 0 };
    int code = key == 'a' ? cli_args_put(args, arg, &err) : cli_args_put_json(args, arg, &err);
    if (code && code != TENUO_E_INVALID_ARGUMENT)
        exit(cli_fail_and_close(cli, &err));
    return code ? cli_usage(cli, "%s", err.msg) : 0;
}
