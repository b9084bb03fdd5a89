/* SPDX-License-Identifier: Apache-2.0 */
/* tenuo attenuate. Narrows a warrant for another holder; everything is in make.c. */
#include "cli.h"

int cmd_attenuate(struct cli *cli, int argc, char **argv)
{
    return cli_make_run(cli, CLI_ATTENUATE, argc, argv);
}
