/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Changing the store: each file appears whole or not at all, and a crash or a full disk at any point leaves every key
 * that was there usable. A rotation first gives the old files a second name, then replaces the first. One change at a
 * time: a lock on the directory keeps out other processes.
 */
#include "file.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <sodium.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "../../common/keytext.h"

#define LOCK_PAUSE_NS 5000000
#define MARGIN_MS 20 /* for the change itself */

/* Two rotations at once would each keep the same old key, and the first new one would be lost. Goes with the
 * descriptor. */
static int lock(const struct store *s, int dir)
{
    const struct timespec pause = { 0, LOCK_PAUSE_NS };
    while (flock(dir, LOCK_EX | LOCK_NB) != 0) {
        if (errno != EWOULDBLOCK && errno != EINTR) {
            s->host->error(s->host, "%s cannot be locked: %s: keep keys on a file system with locks", s->path,
                           strerror(errno));
            return TENUO_E_UNAVAILABLE;
        }
        if (s->host->deadline(s->host) <= MARGIN_MS) {
            s->host->error(s->host, "%s: somebody else is changing keys there: try again", s->path);
            return TENUO_E_UNAVAILABLE;
        }
        nanosleep(&pause, NULL);
    }
    return TENUO_OK;
}

/* Credentials belong to the service manager. */
static int open_writable(const struct store *s, const char *key_id, int *ret_dir)
{
    if (!file_valid_id(key_id) || key_id[0] == '.')
        return TENUO_E_INVALID_ARGUMENT;
    if (s->path == NULL) {
        s->host->error(s->host, "credentials are the service manager's: this line cannot change them");
        return TENUO_E_KEY_DENIED;
    }
    int dir = -1, r = file_open_dir(s, &dir);
    if (r != TENUO_OK)
        return r;
    r = lock(s, dir);
    if (r == TENUO_OK)
        *ret_dir = dir;
    else
        close(dir);
    return r;
}

static int failed(const struct store *s, const char *name)
{
    const int error = errno;
    return file_judge(s, name, error == EACCES || error == EPERM ? TN_KEYFILE_DENIED : TN_KEYFILE_SYSTEM,
                      strerror(error));
}

static bool exists(int dir, const char *name)
{
    struct stat st;
    return fstatat(dir, name, &st, AT_SYMLINK_NOFOLLOW) == 0 || errno != ENOENT;
}

static int write_public(const struct store *s, int dir, const char *key_id, uint32_t suffix,
                        const uint8_t key[TENUO_PUBKEY_BYTES])
{
    char pem[TN_KEYTEXT_SECRET_PEM], name[FILE_NAME_BYTES], why[160];
    size_t n = tn_public_to_pem(key, pem);
    file_public_name(key_id, suffix, name);
    return file_judge(s, name, tn_keyfile_write(dir, name, pem, n, 0644, true, why), why);
}

static int write_secret(const struct store *s, int dir, const char *name, const uint8_t seed[TENUO_SEED_BYTES],
                        const uint8_t key[TENUO_PUBKEY_BYTES], bool replace)
{
    char pem[TN_KEYTEXT_SECRET_PEM], why[160];
    size_t n = tn_seed_to_pem(seed, key, 1, pem);
    int r = file_judge(s, name, tn_keyfile_write(dir, name, pem, n, 0600, replace, why), why);
    sodium_memzero(pem, sizeof pem);
    return r;
}

static int taken(const struct store *s, const char *key_id)
{
    s->host->error(s->host, "%s/%s%s is there already: rotate the key, or remove it first", s->path, key_id, s->suffix);
    return TENUO_E_KEY_CONFLICT;
}

/* The secret first: without it the .pub says nothing. A left-over .pub of a removed key is replaced. */
static int write_new(const struct store *s, int dir, const char *key_id, const uint8_t seed[TENUO_SEED_BYTES],
                     const uint8_t key[TENUO_PUBKEY_BYTES], uint32_t *ret_version)
{
    char secret[FILE_NAME_BYTES];
    struct tn_versions v = { 0 };
    file_key_name(s, key_id, 0, secret);
    if (exists(dir, secret))
        return taken(s, key_id);
    int r = file_versions(s, dir, key_id, &v);
    if (r == TENUO_OK)
        r = write_secret(s, dir, secret, seed, key, false);
    if (r == TENUO_E_KEY_DENIED && exists(dir, secret))
        return taken(s, key_id);
    if (r != TENUO_OK) { /* it may be there all the same, when only the directory could not be synced */
        (void)unlinkat(dir, secret, 0);
        return r;
    }
    r = write_public(s, dir, key_id, 0, key);
    if (r != TENUO_OK)
        (void)unlinkat(dir, secret, 0);
    else
        *ret_version = v.highest + 1;
    return r;
}

/* As before, also when the secret was replaced and only its directory could not be synced. The old secret never goes
 * unless it is under the plain id again. */
static void undo(const struct store *s, int dir, const char *key_id, uint32_t number,
                 const uint8_t old[TENUO_PUBKEY_BYTES])
{
    char plain[FILE_NAME_BYTES], copy[FILE_NAME_BYTES];
    file_key_name(s, key_id, 0, plain);
    file_key_name(s, key_id, number, copy);
    if (renameat(dir, copy, dir, plain) != 0)
        return;
    (void)unlinkat(dir, copy, 0); /* two names of one file are both left by the rename */
    (void)write_public(s, dir, key_id, 0, old);
    file_public_name(key_id, number, copy);
    (void)unlinkat(dir, copy, 0);
}

/* The old pair under its number as well; taken back by undo when the rest fails. */
static int keep_old(const struct store *s, int dir, const char *key_id, uint32_t number,
                    uint8_t ret_key[TENUO_PUBKEY_BYTES])
{
    char from[FILE_NAME_BYTES], to[FILE_NAME_BYTES];
    int r = file_read_public(s, dir, key_id, 0, ret_key);
    if (r != TENUO_OK)
        return r;
    file_key_name(s, key_id, 0, from);
    file_key_name(s, key_id, number, to);
    if (linkat(dir, from, dir, to, 0) != 0 && (errno != EEXIST || !file_same(dir, from, to)))
        return failed(s, to);
    r = write_public(s, dir, key_id, number, ret_key);
    if (r != TENUO_OK)
        undo(s, dir, key_id, number, ret_key);
    return r;
}

/* The .pub goes before the secret is replaced, so that no reader sees it beside the new one; it is optional. Then it
 * comes back. When it cannot be written the key works without it. */
static int replace_newest(const struct store *s, int dir, const char *key_id, const uint8_t seed[TENUO_SEED_BYTES],
                          const uint8_t key[TENUO_PUBKEY_BYTES])
{
    char name[FILE_NAME_BYTES];
    file_public_name(key_id, 0, name);
    if (unlinkat(dir, name, 0) != 0 && errno != ENOENT)
        return failed(s, name);
    file_key_name(s, key_id, 0, name);
    int r = write_secret(s, dir, name, seed, key, true);
    if (r != TENUO_OK)
        return r;
    if (write_public(s, dir, key_id, 0, key) != TENUO_OK)
        s->host->log(s->host, TENUO_LOG_WARNING, "%s/%s.pub could not be written: the key works without it", s->path,
                     key_id);
    return TENUO_OK;
}

static int write_version(const struct store *s, int dir, const char *key_id, const uint8_t seed[TENUO_SEED_BYTES],
                         const uint8_t key[TENUO_PUBKEY_BYTES], uint32_t *ret_version)
{
    uint8_t old[TENUO_PUBKEY_BYTES];
    char name[FILE_NAME_BYTES];
    struct tn_versions v = { 0 };
    int r = file_versions(s, dir, key_id, &v);
    if (r != TENUO_OK)
        return r;
    const uint32_t newest = tn_versions_newest(&v);
    file_key_name(s, key_id, 0, name);
    if (newest == 0)
        return file_judge(s, name, TN_KEYFILE_MISSING,
                          "no such file: there is nothing to rotate; a first key needs no new version");
    if (v.full || v.count >= TENUO_KEY_VERSIONS_MAX - 1 || newest >= UINT32_MAX - 2)
        return file_judge(s, name, TN_KEYFILE_DENIED, "has too many versions: remove old ones first");
    r = keep_old(s, dir, key_id, newest, old);
    if (r != TENUO_OK)
        return r;
    r = replace_newest(s, dir, key_id, seed, key);
    if (r != TENUO_OK)
        undo(s, dir, key_id, newest, old);
    else
        *ret_version = newest + 1;
    return r;
}

static int store_seed(const struct store *s, const char *key_id, unsigned flags, const uint8_t seed[TENUO_SEED_BYTES],
                      uint8_t ret_key[TENUO_PUBKEY_BYTES], uint32_t *ret_version)
{
    uint8_t key[TENUO_PUBKEY_BYTES];
    int dir = -1, r = open_writable(s, key_id, &dir);
    if (r != TENUO_OK)
        return r;
    file_public_of(seed, key);
    r = ((flags & TENUO_STORE_NEW_VERSION) != 0 ? write_version : write_new)(s, dir, key_id, seed, key, ret_version);
    close(dir);
    if (r == TENUO_OK)
        memcpy(ret_key, key, sizeof key);
    return r;
}

int file_generate(void *self, const char *key_id, unsigned flags, uint8_t ret_key[TENUO_PUBKEY_BYTES],
                  uint32_t *ret_version)
{
    uint8_t seed[TENUO_SEED_BYTES];
    randombytes_buf(seed, sizeof seed);
    int r = store_seed(self, key_id, flags, seed, ret_key, ret_version);
    sodium_memzero(seed, sizeof seed);
    return r;
}

int file_import(void *self, const char *key_id, unsigned flags, const uint8_t seed[TENUO_SEED_BYTES],
                uint32_t *ret_version)
{
    uint8_t key[TENUO_PUBKEY_BYTES];
    return store_seed(self, key_id, flags, seed, key, ret_version);
}

/* The newest secret last but for public files: until then nothing is lost but old versions. */
static int remove_others(const struct store *s, int dir, const char *key_id)
{
    char id[TENUO_KEY_ID_MAX + 1];
    struct dirent *e;
    int fd = openat(dir, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC), r = TENUO_OK;
    DIR *d = fd < 0 ? NULL : fdopendir(fd);
    if (d == NULL) {
        r = failed(s, key_id);
        if (fd >= 0)
            close(fd);
        return r;
    }
    while (r == TENUO_OK && (e = readdir(d)) != NULL) {
        const char *stem;
        size_t n;
        uint32_t version;
        bool is_public;
        if (file_stem(s, e->d_name, &stem, &n, &is_public) && tn_version_parse(stem, n, id, &version) &&
            version != 0 && strcmp(id, key_id) == 0 && unlinkat(dir, e->d_name, 0) != 0 && errno != ENOENT)
            r = failed(s, e->d_name);
    }
    closedir(d);
    return r;
}

static int remove_secret(const struct store *s, int dir, const char *key_id, uint32_t suffix)
{
    char name[FILE_NAME_BYTES];
    file_key_name(s, key_id, suffix, name);
    if (unlinkat(dir, name, 0) != 0)
        return errno == ENOENT ? file_judge(s, name, TN_KEYFILE_MISSING, "no such file") : failed(s, name);
    return TENUO_OK;
}

static int remove_all(const struct store *s, int dir, const char *key_id)
{
    char name[FILE_NAME_BYTES];
    file_key_name(s, key_id, 0, name);
    int r = exists(dir, name) ? remove_others(s, dir, key_id) : TENUO_OK;
    if (r == TENUO_OK)
        r = remove_secret(s, dir, key_id, 0);
    if (r != TENUO_OK)
        return r;
    file_public_name(key_id, 0, name);
    return unlinkat(dir, name, 0) == 0 || errno == ENOENT ? TENUO_OK : failed(s, name);
}

/* The .pub of a version is optional, and the number must stay taken also without one, or of a secret that is no key. */
static int leave_record(const struct store *s, int dir, const char *key_id, uint32_t number)
{
    uint8_t key[TENUO_PUBKEY_BYTES] = { 0 };
    char name[FILE_NAME_BYTES];
    file_public_name(key_id, number, name);
    if (exists(dir, name))
        return TENUO_OK;
    (void)file_read_public(s, dir, key_id, number, key);
    return write_public(s, dir, key_id, number, key);
}

/* Its .pub stays as a record, so that no other key gets the number. */
static int remove_version(const struct store *s, int dir, const char *key_id, uint32_t version)
{
    struct tn_versions v;
    uint32_t suffix = 0;
    int r = file_find(s, dir, key_id, version, &suffix, &v);
    if (r != TENUO_OK)
        return r;
    if (suffix != 0) {
        r = leave_record(s, dir, key_id, suffix);
        return r == TENUO_OK ? remove_secret(s, dir, key_id, suffix) : r;
    }
    if (v.count == 0)
        return remove_all(s, dir, key_id);
    s->host->error(s->host, "'%s@%u' is the newest version: rotate first, or remove '%s' with all its versions", key_id,
                   (unsigned)version, key_id);
    return TENUO_E_INVALID_ARGUMENT;
}

int file_remove(void *self, const char *key_id, uint32_t version)
{
    const struct store *s = self;
    int dir = -1, r = open_writable(s, key_id, &dir);
    if (r != TENUO_OK)
        return r;
    r = version == 0 ? remove_all(s, dir, key_id) : remove_version(s, dir, key_id, version);
    if (r == TENUO_OK && fsync(dir) != 0)
        r = failed(s, key_id);
    close(dir);
    return r;
}
