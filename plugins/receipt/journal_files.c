/* SPDX-License-Identifier: Apache-2.0 */
/* The full files of a journal: PATH.00000001 and so on, in the order of their numbers. Called with the lock held. */
#include "journal.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define DIGITS 8
#define LAST 99999999u
#define MAX_ASIDE 99 /* more say that something is wrong with this machine */

/* The number of a full file, 0 for any other name. */
static uint64_t number_of(const struct journal *j, const char *entry)
{
    size_t n = strlen(j->name);
    uint64_t number = 0;
    if (strncmp(entry, j->name, n) != 0 || entry[n] != '.' || strlen(entry + n + 1) != DIGITS)
        return 0;
    for (const char *p = entry + n + 1; *p != '\0'; p++) {
        if (*p < '0' || *p > '9')
            return 0;
        number = number * 10 + (uint64_t)(*p - '0');
    }
    return number;
}

/* Calls for each full file; `each` gets its number. */
static int each_full(struct journal *j, void (*each)(struct journal *j, uint64_t number, void *arg), void *arg)
{
    int fd = openat(j->dir, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *dir = fd < 0 ? NULL : fdopendir(fd);
    if (dir == NULL) {
        j->host->error(j->host, "the directory of %s cannot be listed: %s", j->rules->path, strerror(errno));
        if (fd >= 0)
            close(fd);
        return TENUO_E_AUDIT_REFUSED;
    }
    for (const struct dirent *entry = readdir(dir); entry != NULL; entry = readdir(dir)) {
        uint64_t number = number_of(j, entry->d_name);
        if (number != 0)
            each(j, number, arg);
    }
    closedir(dir);
    return TENUO_OK;
}

static void take_greatest(struct journal *j, uint64_t number, void *arg)
{
    uint64_t *greatest = arg;
    (void)j;
    if (number > *greatest)
        *greatest = number;
}

int journal_newest(struct journal *j, uint64_t *ret_number)
{
    *ret_number = 0;
    return each_full(j, take_greatest, ret_number);
}

static void full_name(const struct journal *j, uint64_t number, char ret_name[NAME_MAX + 1])
{
    snprintf(ret_name, NAME_MAX + 1, "%s.%0*llu", j->name, DIGITS, (unsigned long long)number);
}

int journal_open_full(const struct journal *j, uint64_t number)
{
    char name[NAME_MAX + 1];
    full_name(j, number, name);
    return openat(j->dir, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NOCTTY | O_NONBLOCK);
}

bool journal_is_full(const struct journal *j, uint64_t number, ino_t inode)
{
    char name[NAME_MAX + 1];
    struct stat st;
    full_name(j, number, name);
    return fstatat(j->dir, name, &st, AT_SYMLINK_NOFOLLOW) == 0 && st.st_ino == inode;
}

static void remove_old(struct journal *j, uint64_t number, void *arg)
{
    const uint64_t *oldest = arg;
    char name[NAME_MAX + 1];
    if (number >= *oldest)
        return;
    full_name(j, number, name);
    if (unlinkat(j->dir, name, 0) != 0)
        j->host->log(j->host, TENUO_LOG_WARNING, "%s.%08llu cannot be removed: %s", j->rules->path,
                     (unsigned long long)number, strerror(errno));
}

int journal_retire(struct journal *j)
{
    char name[NAME_MAX + 1];
    uint64_t newest, oldest;
    int r = journal_newest(j, &newest);
    if (r != TENUO_OK)
        return r;
    full_name(j, newest + 1, name);
    if (newest >= LAST || renameat(j->dir, j->name, j->dir, name) != 0) {
        j->host->error(j->host, "%s cannot be renamed to %s: %s", j->rules->path, name,
                       newest >= LAST ? "no number is left" : strerror(errno));
        return TENUO_E_AUDIT_REFUSED;
    }
    if (j->rules->keep != 0 && newest + 1 > j->rules->keep) {
        oldest = newest + 2 - j->rules->keep;
        (void)each_full(j, remove_old, &oldest); /* too many files are no reason to refuse */
    }
    return TENUO_OK;
}

/* Whoever holds the lock is alone, and nobody else may write into the directory: a name that is free stays free. */
int journal_set_aside(struct journal *j)
{
    char name[NAME_MAX + 1];
    struct stat st;
    for (unsigned i = 1; i <= MAX_ASIDE; i++) {
        int n = snprintf(name, sizeof name, "%s.torn.%u", j->name, i);
        if (n < 0 || (size_t)n >= sizeof name)
            break;
        if (fstatat(j->dir, name, &st, AT_SYMLINK_NOFOLLOW) == 0)
            continue;
        if (errno != ENOENT || renameat(j->dir, j->name, j->dir, name) != 0)
            break;
        j->host->log(j->host, TENUO_LOG_WARNING, "%s had half a receipt and nothing else: it is %s now",
                     j->rules->path, name);
        return TENUO_OK;
    }
    j->host->error(j->host, "%s has half a receipt and nothing else, and cannot be renamed: move it away",
                   j->rules->path);
    return TENUO_E_AUDIT_REFUSED;
}
