/* SPDX-License-Identifier: Apache-2.0 */
/* tenuo mint. Makes a root warrant; everything is in make.c. */
#include "cli.h"

int cmd_mint(struct cli *cli, int argc, char **argv)
{
    return cli_make_run(cli, CLI_MINT, argc, argv);
}
