/* SPDX-License-Identifier: Apache-2.0 */
/* tenuo issue. Issues an execution warrant from an issuer warrant; everything is in make.c. */
#include "cli.h"

int cmd_issue(struct cli *cli, int argc, char **argv)
{
    return cli_make_run(cli, CLI_ISSUE, argc, argv);
}
