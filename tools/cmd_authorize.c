/* SPDX-License-Identifier: Apache-2.0 */
/* tenuo authorize. Decides one call; everything is in decide.c. */
#include "cli.h"

int cmd_authorize(struct cli *cli, int argc, char **argv)
{
    return cli_decide_run(cli, true, argc, argv);
}
