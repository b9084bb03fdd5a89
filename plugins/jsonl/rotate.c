/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Rotation of our own: PATH becomes PATH.1, PATH.1 becomes PATH.2, and so on; the oldest goes. Under the ledger's lock,
 * so that one process does it and all others follow. What cannot be renamed stays, and the log grows on.
 */
#include "jsonl.h"

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static bool is_due(struct jsonl *s, size_t n)
{
    struct stat st;
    const int64_t now = s->host->now();
    if (fstat(s->fd, &st) != 0 || !S_ISREG(st.st_mode))
        return false;
    /* Begun by somebody else, lately; or while the clock was ahead. */
    if (s->ledger.born == 0 || (uint64_t)st.st_ino != s->ledger.ino || s->ledger.born > now) {
        s->ledger.born = st.st_size != 0 && st.st_ctime < now ? (int64_t)st.st_ctime : now;
        s->ledger.ino = (uint64_t)st.st_ino;
        s->ledger.size = (uint64_t)st.st_size;
        jsonl_ledger_store(s);
    }
    if (st.st_size == 0 || jsonl_too_soon(s, s->rotate_at, ROTATE_RETRY_SECS))
        return false;
    if (s->max_size != 0 && (uint64_t)st.st_size + n + TN_LINK_MAX > s->max_size)
        return true;
    return s->max_age != 0 && now - s->ledger.born >= (int64_t)s->max_age;
}

/* The name of the i-th file, PATH for 0; freed by the caller. */
static char *name_of(const struct jsonl *s, uint64_t i)
{
    char *name = NULL;
    if (i == 0)
        return strdup(s->path);
    return asprintf(&name, "%s.%llu", s->path, (unsigned long long)i) < 0 ? NULL : name;
}

static bool shift(const struct jsonl *s, uint64_t i)
{
    char *from = name_of(s, i - 1), *to = name_of(s, i);
    bool good = from != NULL && to != NULL && (rename(from, to) == 0 || errno == ENOENT);
    free(from);
    free(to);
    return good;
}

static void sync_directory(const struct jsonl *s)
{
    char *copy = strdup(s->path);
    int fd = copy == NULL ? -1 : open(dirname(copy), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd >= 0) {
        (void)fsync(fd);
        close(fd);
    }
    free(copy);
}

/* From the oldest on; it ends at the first gap, so that a missing number costs no file behind it. */
static bool shift_all(const struct jsonl *s)
{
    uint64_t last = 1;
    for (; last < s->keep; last++) {
        char *name = name_of(s, last);
        bool there = name != NULL && access(name, F_OK) == 0;
        free(name);
        if (!there)
            break;
    }
    for (uint64_t i = last; i >= 1; i--)
        if (!shift(s, i))
            return false;
    return true;
}

bool jsonl_rotate(struct jsonl *s, size_t n)
{
    if (!is_due(s, n))
        return false;
    if (s->chained)
        jsonl_checkpoint_locked(s);
    (void)jsonl_sync_disk(s);
    if (!shift_all(s)) {
        s->host->log(s->host, TENUO_LOG_WARNING, "%s cannot be rotated: %s; it grows on", s->path, strerror(errno));
        s->rotate_at = s->host->now() + ROTATE_RETRY_SECS; /* not again at every record */
        return true;
    }
    s->rotate_at = 0;
    sync_directory(s);
    s->ledger.born = 0;
    if (jsonl_follow(s) != TENUO_OK)
        s->host->log(s->host, TENUO_LOG_WARNING, "%s cannot be made anew: records go on in the renamed file", s->path);
    else
        s->ledger.born = s->host->now();
    jsonl_ledger_store(s);
    return true;
}
