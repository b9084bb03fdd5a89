/* SPDX-License-Identifier: Apache-2.0 */
/* Formats one line and hands it to the application's callback. Keeps nothing and never fails: a line that is too long
 * is cut. */
#include "log.h"

#include <stdio.h>
#include <string.h>

#define LINE_BYTES 1024

void tn_log_clean(char *text)
{
    for (; *text != '\0'; text++) {
        unsigned char c = (unsigned char)*text;
        if (c < 0x20 || c == 0x7f)
            *text = '?';
    }
}

void tn_vlog(const struct tn_log *log, int level, const char *prefix, const char *fmt, va_list ap)
{
    char line[LINE_BYTES];
    if (log == NULL || log->fn == NULL)
        return;
    int n = snprintf(line, sizeof line, "%s", prefix);
    size_t used = n < 0 ? 0 : (size_t)n >= sizeof line ? sizeof line - 1 : (size_t)n;
    vsnprintf(line + used, sizeof line - used, fmt, ap);
    tn_log_clean(line);
    log->fn(log->arg, level, line);
}

void tn_log(const struct tn_log *log, int level, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    tn_vlog(log, level, "", fmt, ap);
    va_end(ap);
}
