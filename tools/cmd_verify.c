/* SPDX-License-Identifier: Apache-2.0 */
/* tenuo verify. Is the chain good; everything is in decide.c. */
#include "cli.h"

int cmd_verify(struct cli *cli, int argc, char **argv)
{
    return cli_decide_run(cli, false, argc, argv);
}
