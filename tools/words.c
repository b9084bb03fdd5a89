/* SPDX-License-Identifier: Apache-2.0 */
/* The words of a line as tenuo_conf_show prints it. */
#include "cli.h"

#include <string.h>

char *cli_next_word(const char **line)
{
    *line += strspn(*line, " ");
    if (**line == '\0' || **line == '#')
        return NULL;
    char *word = cli_alloc(strlen(*line) + 1, 1), *out = word;
    bool quoted = false;
    for (; **line && (quoted || **line != ' '); *line += 1) {
        if (**line == '"') {
            quoted = !quoted;
            continue;
        }
        *line += quoted && **line == '\\' && (*line)[1];
        *out++ = **line;
    }
    return word;
}
