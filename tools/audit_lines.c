/* SPDX-License-Identifier: Apache-2.0 */
/* The lines of an audit log, whatever stands in them: bounded, and with the place of each. */
#include "audit.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* *left: bytes that are still to be read; negative: all. */
static bool next(FILE *f, off_t *left, char *buf, struct audit_line *line)
{
    size_t n = 0;
    int c = EOF;
    while (*left != 0 && (c = getc_unlocked(f)) != EOF) {
        *left -= *left > 0;
        if (c == '\n')
            break;
        if (n <= AUDIT_MAX_LINE)
            buf[n++] = (char)c;
        c = EOF;
    }
    buf[n] = '\0';
    line->len = n;
    line->torn = c == EOF;
    line->number++;
    return c != EOF || n != 0;
}

/* As logrotate leaves files: no record would be found in it, and each line be called an altered one. */
static const char *packed_by(const struct audit_line *line)
{
    static const struct {
        const char *magic, *reader;
    } kinds[] = {
        { "\x1f\x8b\x08", "zcat" }, { "\xfd\x37zXZ", "xzcat" }, { "(\xb5/\xfd", "zstdcat" }, { "BZh", "bzcat" }
    };
    for (size_t i = 0; line->number == 1 && i < sizeof kinds / sizeof *kinds; i++)
        if (strncmp(line->text, kinds[i].magic, strlen(kinds[i].magic)) == 0)
            return kinds[i].reader;
    return NULL;
}

static int each_line(FILE *f, const char *path, off_t left, audit_line_fn *each, void *arg, struct tenuo_error *err)
{
    char *buf = cli_alloc(AUDIT_MAX_LINE + 2, 1);
    struct audit_line line = { .text = buf };
    const char *reader = NULL;
    while (next(f, &left, buf, &line) && !(reader = packed_by(&line)))
        if (!each(arg, &line))
            break;
    int failed = ferror(f) ? errno : 0;
    free(buf);
    if (reader)
        return cli_set_error(err, TENUO_E_SYSTEM, "%s: compressed: give <(%s %s) instead", path, reader, path);
    return failed ? cli_set_error(err, TENUO_E_SYSTEM, "%s: cannot read: %s", path, strerror(failed)) : TENUO_OK;
}

int audit_each_line(const char *path, audit_line_fn *each, void *arg, struct tenuo_error *err)
{
    bool standard = strcmp(path, "-") == 0;
    FILE *f = standard ? stdin : fopen(path, "rbe");
    if (!f)
        return cli_set_error(err, TENUO_E_SYSTEM, "%s: cannot open: %s", path, strerror(errno));
    int code = each_line(f, path, -1, each, arg, err);
    if (!standard)
        fclose(f);
    return code;
}

int audit_file_lines(const struct audit_file *file, audit_line_fn *each, void *arg, struct tenuo_error *err)
{
    int fd = fcntl(file->fd, F_DUPFD_CLOEXEC, 0);
    FILE *f = fd < 0 || (file->size >= 0 && lseek(fd, 0, SEEK_SET) != 0) ? NULL : fdopen(fd, "rb");
    if (!f) {
        int failed = errno;
        if (fd >= 0)
            close(fd);
        return cli_set_error(err, TENUO_E_SYSTEM, "%s: cannot read: %s", file->path, strerror(failed));
    }
    int code = each_line(f, file->path, file->size, each, arg, err);
    fclose(f);
    return code;
}
