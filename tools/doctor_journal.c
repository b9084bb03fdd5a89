/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tenuo doctor, the journal's rate limit: what a unit writes faster is dropped by journald after its socket took it, so
 * that no sink can know. Reads journald.conf as journald does: /etc/systemd/journald.conf, then each *.conf of the
 * drop-in directories by name, a later word over an earlier one (journald.conf(5)).
 */
#include "doctor.h"

#include <glob.h>
#include <stdlib.h>
#include <string.h>

#define MOST_LINES_READ 10000
#define DEFAULT_INTERVAL "30s" /* journald.conf(5); an empty word means it too */
#define DEFAULT_BURST "10000"

struct limit {
    char interval[32], burst[32];
};

static void take_word(struct limit *l, char *line)
{
    char *value = strchr(line, '=');
    if (!value)
        return;
    *value++ = '\0';
    line[strcspn(line, " \t")] = '\0';
    value += strspn(value, " \t");
    value[strcspn(value, " \t\r\n")] = '\0';
    if (strcmp(line, "RateLimitIntervalSec") == 0 || strcmp(line, "RateLimitInterval") == 0)
        snprintf(l->interval, sizeof l->interval, "%.31s", value[0] != '\0' ? value : DEFAULT_INTERVAL);
    else if (strcmp(line, "RateLimitBurst") == 0)
        snprintf(l->burst, sizeof l->burst, "%.31s", value[0] != '\0' ? value : DEFAULT_BURST);
}

static void read_file(struct limit *l, const char *path)
{
    char line[512];
    FILE *f = fopen(path, "re");
    for (int n = 0; f && n < MOST_LINES_READ && fgets(line, sizeof line, f); n++)
        take_word(l, line + strspn(line, " \t"));
    if (f)
        fclose(f);
}

static const char *base_of(const char *path)
{
    return strrchr(path, '/') + 1;
}

static int by_name(const void *a, const void *b)
{
    return strcmp(base_of(*(char *const *)a), base_of(*(char *const *)b));
}

/* A file of /etc hides one of the same name in /run, and that one in /usr/lib. */
static bool is_hidden(const glob_t *found, size_t i)
{
    for (size_t k = 0; k < i; k++)
        if (strcmp(base_of(found->gl_pathv[k]), base_of(found->gl_pathv[i])) == 0)
            return true;
    return false;
}

static void read_drop_ins(struct limit *l)
{
    glob_t found = { 0 };
    size_t n = 0;
    glob("/etc/systemd/journald.conf.d/*.conf", 0, NULL, &found);
    glob("/run/systemd/journald.conf.d/*.conf", GLOB_APPEND, NULL, &found);
    glob("/usr/lib/systemd/journald.conf.d/*.conf", GLOB_APPEND, NULL, &found);
    char **path = calloc(found.gl_pathc + 1, sizeof *path);
    if (!path)
        cli_no_memory();
    for (size_t i = 0; i < found.gl_pathc; i++)
        if (!is_hidden(&found, i))
            path[n++] = found.gl_pathv[i];
    qsort(path, n, sizeof *path, by_name);
    for (size_t i = 0; i < n; i++)
        read_file(l, path[i]);
    free(path);
    globfree(&found);
}

static bool is_off(const char *word)
{
    return strcmp(word, "0") == 0 || strcmp(word, "0s") == 0;
}

void doctor_journal(struct doctor *d, const char *place)
{
    struct limit l = { DEFAULT_INTERVAL, DEFAULT_BURST };
    char text[200];
    read_file(&l, "/etc/systemd/journald.conf");
    read_drop_ins(&l);
    if (is_off(l.interval) || is_off(l.burst))
        return;
    snprintf(text, sizeof text, "journald may drop what one unit writes beyond %s records in %s, and tells no sink",
             l.burst, l.interval);
    doctor_say(d, DOCTOR_NOTE, "audit", place, text,
               "LogRateLimitIntervalSec=0 in the service's unit lifts it, in journald.conf RateLimitIntervalSec=0",
               -1);
}
