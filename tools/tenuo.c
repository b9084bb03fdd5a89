/* SPDX-License-Identifier: Apache-2.0 */
/* The `tenuo` command: from its first word to a subcommand, and the end of every run: a full disk must not look like
 * success. */
#include "cli.h"

#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

extern const struct cli_command cli_commands[];
const struct cli_command cli_commands[] = { { "keygen", cmd_keygen,
                                              "make an Ed25519 key pair, in files or in a store" },
                                            { "key", cmd_key, "keys in the stores of a configuration" },
                                            { "mint", cmd_mint, "make a root warrant" },
                                            { "attenuate", cmd_attenuate, "narrow a warrant for another holder" },
                                            { "issue", cmd_issue, "issue an execution warrant from an issuer warrant" },
                                            { "inspect", cmd_inspect, "say everything in a warrant, unverified" },
                                            { "sign", cmd_sign, "sign a call: proof of possession" },
                                            { "request", cmd_request, "ask for approval of a call" },
                                            { "approve", cmd_approve, "approve a call that was asked for" },
                                            { "verify", cmd_verify, "check a chain against trusted roots" },
                                            { "authorize", cmd_authorize, "decide a call, audited" },
                                            { "conf", cmd_conf, "check or show a configuration" },
                                            { "plugin", cmd_plugin, "list plugins or describe one" },
                                            { "doctor", cmd_doctor, "find what is wrong with a service on this host" },
                                            { "audit", cmd_audit, "prove that audit logs are whole, show records" },
                                            { "receipt", cmd_receipt, "check what happened: signed receipts" },
                                            { "srl", cmd_srl, "signed revocation lists" },
                                            { "help", cmd_help, "this help, that of a command, or 'constraints'" },
                                            { NULL, NULL, NULL } };

static int version(int argc, char **argv)
{
    if (argc > 2 && strcmp(argv[2], "--json") == 0)
        printf("{\"schema\":\"%s\",\"ok\":true,\"command\":\"version\",\"version\":\"%s\",\"library\":\"%s\"}\n",
               CLI_SCHEMA, TENUO_VERSION, tenuo_version());
    else
        printf("tenuo %s (libtenuo %s)\n", TENUO_VERSION, tenuo_version());
    return CLI_YES;
}

static int no_command(int argc, char **argv)
{
    struct cli cli = { .command = "help" };
    for (int i = 1; i < argc; i++)
        if (strcmp(argv[i], "--json") == 0)
            cli.json = true;
    if (cli.json)
        return cli_failf(&cli, TENUO_E_INVALID_ARGUMENT, "there is no command '%.64s'", argc > 1 ? argv[1] : "");
    if (argc > 1)
        cli_line(stderr, "tenuo: there is no command '%.64s'", argv[1]);
    fputs("Usage: tenuo COMMAND [OPTION...]; try 'tenuo help'.\n", stderr);
    return CLI_USAGE;
}

static int run(struct cli *cli, int argc, char **argv)
{
    const char *name = argc > 1 ? argv[1] : "";
    if (strcmp(name, "--version") == 0 || strcmp(name, "-V") == 0)
        return version(argc, argv);
    if (strcmp(name, "--help") == 0 || strcmp(name, "-h") == 0) {
        cli->command = "help";
        return cmd_help(cli, 1, argv);
    }
    for (const struct cli_command *c = cli_commands; c->name; c++)
        if (strcmp(name, c->name) == 0) {
            cli->command = c->name;
            return c->run(cli, argc - 1, argv + 1);
        }
    return no_command(argc, argv);
}

/* Started without standard files, the next file opened would take their numbers, and our answer would go into an audit
 * log. */
static void hold_standard_files(void)
{
    for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++)
        if (fcntl(fd, F_GETFD) < 0 && open("/dev/null", fd == STDIN_FILENO ? O_RDONLY : O_WRONLY) != fd)
            _exit(CLI_UNDECIDED);
}

int main(int argc, char **argv)
{
    struct cli cli = { .command = "help" };
    hold_standard_files();
    signal(SIGPIPE, SIG_IGN); /* a closed pipe is a failed write, and the exit status keeps its meaning */
    int status = run(&cli, argc, argv);
    tenuo_ctx_unref(cli.ctx);
    tenuo_matchers_unref(cli.matchers);
    free(cli.matcher_names);
    free(cli.made[0]);
    free(cli.made[1]);
    json_decref(cli.warnings);
    json_decref(cli.diagnostics);
    if (!cli_close_stdout()) {
        fputs("tenuo: standard output: cannot write\n", stderr);
        return CLI_UNDECIDED;
    }
    return status;
}
