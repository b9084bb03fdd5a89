/* SPDX-License-Identifier: Apache-2.0 */
/* tenuo help [COMMAND|constraints]. */
#include "cli.h"

#include <string.h>

extern const struct cli_command cli_commands[];

int cmd_help(struct cli *cli, int argc, char **argv)
{
    if (argc > 1 && strcmp(argv[1], "constraints") == 0) {
        fputs(cli_constraint_help, stdout);
        return CLI_YES;
    }
    for (const struct cli_command *c = cli_commands; argc > 1 && c->name; c++)
        if (strcmp(argv[1], c->name) == 0 && c->run != cmd_help) {
            char option[] = "--help", *words[] = { argv[1], option, NULL };
            cli->command = c->name;
            return c->run(cli, 2, words);
        }
    if (argc > 1 && strcmp(argv[1], "--help") != 0)
        return cli_failf(cli, TENUO_E_INVALID_ARGUMENT, "there is no command '%.64s'", argv[1]);
    puts("Usage: tenuo COMMAND [OPTION...]\n");
    for (const struct cli_command *c = cli_commands; c->name; c++)
        printf("  %-10s %s\n", c->name, c->help);
    fputs("\n'tenuo COMMAND --help' has the options and examples, 'tenuo help constraints' the constraints.\n"
          "Warrants are files, - for standard input, or the text itself. --json works everywhere.\n"
          "Exit status: 0 yes or done, 1 denied or invalid, 2 usage, 3 cannot decide (configuration, plugin, input or "
          "output).\n",
          stdout);
    return CLI_YES;
}
