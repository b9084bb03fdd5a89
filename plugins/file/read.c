/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Reading the files of a key in an open directory. The two files of a pair are replaced one after the other: a pair
 * that does not fit is looked at again before anybody is told that one of the two was replaced.
 */
#include "file.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "../../common/keytext.h"

#define PAIR_TRIES 3

static int no_versions(const struct store *s, const char *what)
{
    s->host->error(s->host, "%s: %s", s->path != NULL ? s->path : "credentials", what);
    return TENUO_E_UNAVAILABLE;
}

bool file_same(int dir, const char *a, const char *b)
{
    struct stat x, y;
    return fstatat(dir, a, &x, AT_SYMLINK_NOFOLLOW) == 0 && fstatat(dir, b, &y, AT_SYMLINK_NOFOLLOW) == 0 &&
           x.st_dev == y.st_dev && x.st_ino == y.st_ino;
}

static void uncount_copy(const struct store *s, int dir, const char *key_id, struct tn_versions *v)
{
    char plain[FILE_NAME_BYTES], copy[FILE_NAME_BYTES];
    if (!v->plain || v->count == 0 || v->n[v->count - 1] != v->highest)
        return;
    file_key_name(s, key_id, 0, plain);
    file_key_name(s, key_id, v->highest, copy);
    if (file_same(dir, plain, copy)) {
        v->count--;
        v->highest--;
    }
}

int file_versions(const struct store *s, int dir, const char *key_id, struct tn_versions *ret)
{
    struct tn_versions v = { 0 };
    int fd = openat(dir, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC); /* a position of its own */
    DIR *d = fd < 0 ? NULL : fdopendir(fd);
    if (d == NULL) {
        int r = no_versions(s, strerror(errno));
        if (fd >= 0)
            close(fd);
        return r;
    }
    struct dirent *e;
    errno = 0;
    while ((e = readdir(d)) != NULL) {
        const char *stem;
        size_t n;
        bool is_public;
        if (file_stem(s, e->d_name, &stem, &n, &is_public))
            (is_public ? tn_versions_note_removed : tn_versions_note)(&v, key_id, stem, n);
    }
    const int failed = errno;
    closedir(d);
    if (failed != 0)
        return no_versions(s, strerror(failed));
    uncount_copy(s, dir, key_id, &v);
    *ret = v;
    return TENUO_OK;
}

int file_find(const struct store *s, int dir, const char *key_id, uint32_t version, uint32_t *ret_suffix,
              struct tn_versions *ret_versions)
{
    char name[FILE_NAME_BYTES];
    uint32_t suffix = 0;
    int r = file_versions(s, dir, key_id, ret_versions);
    if (r != TENUO_OK)
        return r;
    if (version != 0 && !tn_versions_find(ret_versions, version, &suffix)) {
        file_key_name(s, key_id, version, name);
        return file_judge(s, name, TN_KEYFILE_MISSING, "no such version of the key");
    }
    *ret_suffix = suffix;
    return TENUO_OK;
}

bool file_moved(const struct store *s, int dir, const char *key_id, const struct tn_versions *before)
{
    struct tn_versions now;
    return file_versions(s, dir, key_id, &now) != TENUO_OK || tn_versions_newest(&now) != tn_versions_newest(before);
}

static int read_seed(const struct store *s, int dir, const char *key_id, uint32_t suffix,
                     uint8_t ret_seed[TENUO_SEED_BYTES])
{
    char name[FILE_NAME_BYTES], why[160];
    size_t len = 0;
    file_key_name(s, key_id, suffix, name);
    uint8_t *data = sodium_malloc(TN_KEYFILE_MAX); /* wiped by sodium_free */
    if (data == NULL)
        return TENUO_E_NOMEM;
    int r = file_judge(s, name, tn_keyfile_read(dir, name, s->flags, data, &len, why), why);
    if (r == TENUO_OK && !tn_seed_from_file(data, len, ret_seed))
        r = file_judge(s, name, TN_KEYFILE_INVALID,
                       "holds no Ed25519 secret key (PKCS#8 PEM, hex, base64 or 32 raw bytes)");
    sodium_free(data);
    return r;
}

void file_public_of(const uint8_t seed[TENUO_SEED_BYTES], uint8_t ret_key[TENUO_PUBKEY_BYTES])
{
    uint8_t secret[crypto_sign_SECRETKEYBYTES];
    crypto_sign_seed_keypair(ret_key, secret, seed);
    sodium_memzero(secret, sizeof secret);
}

/* TENUO_E_KEY_NOT_FOUND, without a sentence, when there is no .pub: it is optional. */
static int read_stated(const struct store *s, int dir, const char *key_id, uint32_t suffix,
                       uint8_t ret_key[TENUO_PUBKEY_BYTES])
{
    char name[FILE_NAME_BYTES], why[160];
    size_t len = 0;
    if (s->path == NULL)
        return TENUO_E_KEY_NOT_FOUND;
    file_public_name(key_id, suffix, name);
    uint8_t *data = malloc(TN_KEYFILE_MAX);
    if (data == NULL)
        return TENUO_E_NOMEM;
    enum tn_keyfile_result result = tn_keyfile_read(dir, name, TN_KEYFILE_PUBLIC, data, &len, why);
    int r = result == TN_KEYFILE_MISSING ? TENUO_E_KEY_NOT_FOUND : file_judge(s, name, result, why);
    if (r == TENUO_OK && !tn_public_from_text((const char *)data, len, ret_key))
        r = file_judge(s, name, TN_KEYFILE_INVALID, "holds no Ed25519 public key (SPKI PEM, hex or base64)");
    free(data);
    return r;
}

/* *ret_fits false: both were read, and are of two keys. */
static int read_both(const struct store *s, int dir, const char *key_id, uint32_t suffix,
                     uint8_t seed[TENUO_SEED_BYTES], uint8_t key[TENUO_PUBKEY_BYTES], bool *ret_fits)
{
    uint8_t stated[TENUO_PUBKEY_BYTES];
    int r = read_seed(s, dir, key_id, suffix, seed);
    if (r != TENUO_OK)
        return r;
    file_public_of(seed, key);
    r = read_stated(s, dir, key_id, suffix, stated);
    *ret_fits = r != TENUO_OK || memcmp(stated, key, sizeof stated) == 0;
    return r == TENUO_E_KEY_NOT_FOUND ? TENUO_OK : r;
}

int file_read_pair(const struct store *s, int dir, const char *key_id, uint32_t suffix,
                   uint8_t ret_seed[TENUO_SEED_BYTES], uint8_t ret_key[TENUO_PUBKEY_BYTES])
{
    uint8_t seed[TENUO_SEED_BYTES], key[TENUO_PUBKEY_BYTES];
    char name[FILE_NAME_BYTES];
    bool fits = false;
    int r = TENUO_OK;
    for (int i = 0; i < PAIR_TRIES && r == TENUO_OK && !fits; i++)
        r = read_both(s, dir, key_id, suffix, seed, key, &fits);
    if (r == TENUO_OK && !fits) {
        file_public_name(key_id, suffix, name);
        r = file_judge(s, name, TN_KEYFILE_INVALID,
                       "is not the public key of the secret beside it: one of them was replaced");
    }
    if (r == TENUO_OK) {
        memcpy(ret_seed, seed, sizeof seed);
        memcpy(ret_key, key, sizeof key);
    }
    sodium_memzero(seed, sizeof seed);
    return r;
}

int file_read_public(const struct store *s, int dir, const char *key_id, uint32_t suffix,
                     uint8_t ret_key[TENUO_PUBKEY_BYTES])
{
    uint8_t seed[TENUO_SEED_BYTES];
    int r = read_stated(s, dir, key_id, suffix, ret_key);
    if (r != TENUO_E_KEY_NOT_FOUND)
        return r;
    r = read_seed(s, dir, key_id, suffix, seed);
    if (r == TENUO_OK)
        file_public_of(seed, ret_key);
    sodium_memzero(seed, sizeof seed);
    return r;
}
