/* SPDX-License-Identifier: Apache-2.0 */
/* Names in the directory, what they say about versions, and the lock on it. Opens no file of a key. */
#include "files.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <time.h>
#include <unistd.h>

#include "../../core/trust.h"

#define READER_WAIT 500 /* ms for the lock; after that a reader goes without */

int tpm2_open_dir(const struct tpm2 *s, int *ret_dir)
{
    struct tenuo_error err;
    int r = tn_trust_open(s->path, TN_TRUST_DIR, TENUO_E_KEY_DENIED, ret_dir, &err);
    if (r == TENUO_OK)
        return r;
    s->host->error(s->host, "%s", err.msg);
    return r == TENUO_E_SYSTEM ? TENUO_E_UNAVAILABLE : r;
}

int tpm2_say(const struct tpm2 *s, const char *name, enum tn_keyfile_result result, const char *why)
{
    if (result == TN_KEYFILE_OK)
        return TENUO_OK;
    s->host->error(s->host, "%s/%s: %s", s->path, name, why);
    switch (result) {
    case TN_KEYFILE_MISSING:
        return TENUO_E_KEY_NOT_FOUND;
    case TN_KEYFILE_DENIED:
        return TENUO_E_KEY_DENIED;
    case TN_KEYFILE_INVALID:
        return TENUO_E_KEY_INVALID;
    case TN_KEYFILE_OK:
    case TN_KEYFILE_SYSTEM:
        break;
    }
    return TENUO_E_UNAVAILABLE;
}

int tpm2_say_errno(const struct tpm2 *s, const char *name, int error)
{
    bool denied = error == EACCES || error == EPERM || error == EROFS;
    return tpm2_say(s, name, denied ? TN_KEYFILE_DENIED : TN_KEYFILE_SYSTEM, strerror(error));
}

/* ---- the lock ---- */

static bool take_lock(int dir, int how, uint32_t ms)
{
    uint64_t ends = tpm2_clock() + ms;
    struct timespec pause = { 0, 5000000 };
    while (flock(dir, how | LOCK_NB) != 0) {
        if ((errno != EWOULDBLOCK && errno != EINTR) || tpm2_clock() >= ends)
            return false;
        nanosleep(&pause, NULL);
    }
    return true;
}

void tpm2_lock_for_reading(const struct tpm2 *s, int dir)
{
    uint32_t ms = s->host->deadline(s->host) / 4;
    (void)take_lock(dir, LOCK_SH, ms < READER_WAIT ? ms : READER_WAIT);
}

int tpm2_lock_for_writing(const struct tpm2 *s, int dir)
{
    if (take_lock(dir, LOCK_EX, s->host->deadline(s->host) / 2))
        return TENUO_OK;
    if (errno != EWOULDBLOCK)
        return tpm2_say_errno(s, ".", errno);
    s->host->error(s->host,
                   "%s: another program holds the lock on this directory: try again, or look who it is with lsof",
                   s->path);
    return TENUO_E_UNAVAILABLE;
}

void tpm2_unlock(int dir)
{
    (void)flock(dir, LOCK_UN);
}

/* ---- names ---- */

void tpm2_file_name(const char *key_id, uint32_t suffix, const char *ending, char ret_name[TPM2_NAME_BYTES])
{
    char name[TN_VERSION_NAME_BYTES];
    tn_version_name(key_id, suffix, name);
    snprintf(ret_name, TPM2_NAME_BYTES, "%s%s", name, ending);
}

/* A stream of its own over the directory, from its beginning. */
int tpm2_open_stream(const struct tpm2 *s, int dir, DIR **ret)
{
    int fd = openat(dir, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *d = fd < 0 ? NULL : fdopendir(fd);
    if (d == NULL) {
        int error = errno;
        if (fd >= 0)
            close(fd);
        return tpm2_say_errno(s, ".", error);
    }
    *ret = d;
    return TENUO_OK;
}

size_t tpm2_stem(const char *file, const char *ending)
{
    size_t n = strlen(file), len = strlen(ending);
    if (file[0] == '.' || n <= len || strcmp(file + n - len, ending) != 0)
        return 0;
    return n - len;
}

static void note(struct tpm2_names *n, const char *key_id, const char *file)
{
    char id[TENUO_KEY_ID_MAX + 1];
    uint32_t number;
    tn_versions_note(&n->v, key_id, file, tpm2_stem(file, TPM2_SECRET));
    if (tn_version_parse(file, tpm2_stem(file, TPM2_MARK), id, &number) && strcmp(id, key_id) == 0 && number > n->mark)
        n->mark = number;
}

uint32_t tpm2_newest(const struct tpm2_names *n)
{
    uint32_t number = tn_versions_newest(&n->v);
    return number != 0 && number <= n->mark ? n->mark + 1 : number;
}

bool tpm2_find_suffix(const struct tpm2_names *n, uint32_t version, uint32_t *ret_suffix)
{
    if (version != 0 && version != tpm2_newest(n) && n->v.plain && version == tn_versions_newest(&n->v))
        return false; /* what the names alone would call it */
    return tn_versions_find(&n->v, version == tpm2_newest(n) ? 0 : version, ret_suffix);
}

int tpm2_scan(const struct tpm2 *s, int dir, const char *key_id, struct tpm2_names *ret)
{
    struct dirent *e;
    DIR *d;
    int r = tpm2_open_stream(s, dir, &d);
    if (r != TENUO_OK)
        return r;
    *ret = (struct tpm2_names){ 0 };
    for (errno = 0; (e = readdir(d)) != NULL; errno = 0)
        note(ret, key_id, e->d_name);
    r = errno == 0 ? TENUO_OK : tpm2_say_errno(s, ".", errno);
    closedir(d);
    return r;
}
