/* SPDX-License-Identifier: Apache-2.0 */
/* The lines of an audit log, whatever stands in them: bounded, and with the place of each. */
#include "audit.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static bool next(FILE *f, char *buf, struct audit_line *line)
{
    size_t n = 0;
    int c;
    while ((c = getc_unlocked(f)) != EOF && c != '\n')
        if (n <= AUDIT_MAX_LINE)
            buf[n++] = (char)c;
    buf[n] = '\0';
    line->len = n;
    line->torn = c == EOF;
    line->number++;
    return c != EOF || n != 0;
}

int audit_each_line(const char *path, audit_line_fn *each, void *arg, struct tenuo_error *err)
{
    bool standard = strcmp(path, "-") == 0;
    FILE *f = standard ? stdin : fopen(path, "rbe");
    if (!f)
        return cli_set_error(err, TENUO_E_SYSTEM, "%s: cannot open: %s", path, strerror(errno));
    char *buf = cli_alloc(AUDIT_MAX_LINE + 2, 1);
    struct audit_line line = { .text = buf };
    while (next(f, buf, &line))
        if (!each(arg, &line))
            break;
    int failed = ferror(f) ? errno : 0;
    free(buf);
    if (!standard)
        fclose(f);
    return failed ? cli_set_error(err, TENUO_E_SYSTEM, "%s: cannot read: %s", path, strerror(failed)) : TENUO_OK;
}
