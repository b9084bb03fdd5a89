/* SPDX-License-Identifier: Apache-2.0 */
/* Questions to a person: on the terminal and nowhere else, whatever standard input and output are. */
#include "cli.h"

#include <string.h>
#include <termios.h>

FILE *cli_terminal(void)
{
    FILE *terminal = fopen("/dev/tty", "r+e");
    if (terminal)
        setvbuf(terminal, NULL, _IONBF, 0);
    return terminal;
}

bool cli_terminal_yes(FILE *terminal)
{
    char answer[8] = "";
    tcflush(fileno(terminal), TCIFLUSH); /* what was typed before the question was read is no answer to it */
    fputs("Type yes: ", terminal);
    fflush(terminal);
    return fgets(answer, sizeof answer, terminal) && strcmp(answer, "yes\n") == 0;
}
