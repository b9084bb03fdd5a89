/* SPDX-License-Identifier: Apache-2.0 */
/* tenuo help [COMMAND|constraints]. */
#include "cli.h"

#include <string.h>

extern const struct cli_command cli_commands[];

/* --json anywhere: an object with the commands, and errors as one too. */
static int take_json(struct cli *cli, int argc, char **argv)
{
    int n = 0;
    for (int i = 0; i < argc; i++)
        if (i > 0 && strcmp(argv[i], "--json") == 0)
            cli->json = true;
        else
            argv[n++] = argv[i];
    return n;
}

static int list_json(struct cli *cli)
{
    json_t *object = cli_object(cli, true), *list = json_array();
    for (const struct cli_command *c = cli_commands; c->name; c++) {
        json_t *entry = json_object();
        if (!list || !entry)
            cli_no_memory();
        cli_set(entry, "command", json_string(c->name));
        cli_set(entry, "help", json_string(c->help));
        cli_append(list, entry);
    }
    cli_set(object, "commands", list);
    cli_emit(cli, object);
    return CLI_YES;
}

int cmd_help(struct cli *cli, int argc, char **argv)
{
    argc = take_json(cli, argc, argv);
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
    if (cli->json)
        return list_json(cli);
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
