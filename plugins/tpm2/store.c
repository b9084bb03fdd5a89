/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Writes the files of the store, each whole or not at all, under the lock. A rotation that is cut short leaves the old
 * key under two names at most. Never sees a seed.
 */
#include "files.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "../../common/keytext.h"

static int may_add(const struct tpm2 *s, int dir, const char *key_id, unsigned flags, struct tpm2_names *ret)
{
    char name[TPM2_NAME_BYTES];
    bool newer = (flags & TENUO_STORE_NEW_VERSION) != 0;
    tpm2_file_name(key_id, 0, TPM2_SECRET, name);
    if ((flags & ~TENUO_STORE_NEW_VERSION) != 0 || key_id[0] == '.')
        return TENUO_E_INVALID_ARGUMENT;
    int r = tpm2_scan(s, dir, key_id, ret);
    if (r != TENUO_OK)
        return r;
    if (newer && !ret->v.plain)
        return tpm2_say(s, name, TN_KEYFILE_MISSING, "no such file: make the key first");
    if (!newer && (ret->v.plain || ret->v.count != 0)) {
        s->host->error(s->host, "%s/%s: there is a key under this id: rotate it, or remove it first", s->path, name);
        return TENUO_E_KEY_CONFLICT;
    }
    if (ret->v.full || ret->v.count + 1 >= TENUO_KEY_VERSIONS_MAX) {
        s->host->error(s->host, "%s/%s: there are %d versions: remove old ones first", s->path, name,
                       TENUO_KEY_VERSIONS_MAX);
        return TENUO_E_INVALID_ARGUMENT;
    }
    return TENUO_OK;
}

int tpm2_may_add(const struct tpm2 *s, int dir, const char *key_id, unsigned flags, uint32_t *ret_version)
{
    struct tpm2_names n;
    int r = may_add(s, dir, key_id, flags, &n);
    if (r == TENUO_OK)
        *ret_version = tpm2_newest(&n) + 1;
    return r;
}

static int write_file(const struct tpm2 *s, int dir, const char *name, const void *data, size_t len, mode_t mode,
                      bool replace)
{
    char why[160] = "";
    return tpm2_say(s, name, tn_keyfile_write(dir, name, data, len, mode, replace, why), why);
}

/* ID to ID@N: what stands under ID@N already is what an interrupted rotation left. */
static int copy(const struct tpm2 *s, int dir, const char *key_id, uint32_t n, const char *ending, unsigned flags)
{
    char from[TPM2_NAME_BYTES], to[TPM2_NAME_BYTES], why[160];
    size_t len = 0;
    tpm2_file_name(key_id, 0, ending, from);
    tpm2_file_name(key_id, n, ending, to);
    uint8_t *data = malloc(TN_KEYFILE_MAX);
    if (data == NULL)
        return TENUO_E_NOMEM;
    enum tn_keyfile_result result = tn_keyfile_read(dir, from, flags, data, &len, why);
    int r;
    if (result == TN_KEYFILE_MISSING && (flags & TN_KEYFILE_PUBLIC) != 0)
        r = TENUO_OK;
    else
        r = tpm2_say(s, from, result, why);
    if (result == TN_KEYFILE_OK)
        r = write_file(s, dir, to, data, len, (flags & TN_KEYFILE_PUBLIC) != 0 ? 0644 : 0600, true);
    free(data);
    return r;
}

/* Takes back what a failed rotation wrote. */
static void restore_public(const struct tpm2 *s, int dir, const char *key_id, uint32_t n)
{
    char name[TPM2_NAME_BYTES], old[TPM2_NAME_BYTES];
    tpm2_file_name(key_id, 0, TPM2_PUB, name);
    (void)unlinkat(dir, name, 0);
    if (n == 0)
        return;
    tpm2_file_name(key_id, n, TPM2_PUB, old);
    (void)renameat(dir, old, dir, name);
    tpm2_file_name(key_id, n, TPM2_SECRET, old);
    (void)unlinkat(dir, old, 0);
    (void)s;
}

/* The public key first: it says nothing without the secret. */
static int write_pair(const struct tpm2 *s, int dir, const char *key_id, uint32_t old, const uint8_t *der, size_t len,
                      const uint8_t key[TENUO_PUBKEY_BYTES])
{
    char name[TPM2_NAME_BYTES], public[TN_KEYTEXT_PUBLIC_PEM];
    size_t n = tn_public_to_pem(key, public);
    char *pem = malloc(TPM2_PEM_MAX);
    if (pem == NULL)
        return TENUO_E_NOMEM;
    size_t pem_len = tpm2_pem_write(der, len, pem);
    tpm2_file_name(key_id, 0, TPM2_PUB, name);
    int r = write_file(s, dir, name, public, n, 0644, true);
    if (r == TENUO_OK) {
        tpm2_file_name(key_id, 0, TPM2_SECRET, name);
        r = write_file(s, dir, name, pem, pem_len, 0600, old != 0);
    }
    free(pem);
    if (r != TENUO_OK)
        restore_public(s, dir, key_id, old);
    return r;
}

static void remove_mark(int dir, const char *key_id, uint32_t mark)
{
    char name[TPM2_NAME_BYTES];
    if (mark == 0)
        return;
    tpm2_file_name(key_id, mark, TPM2_MARK, name);
    (void)unlinkat(dir, name, 0);
}

static int add_locked(const struct tpm2 *s, int dir, const char *key_id, unsigned flags, const uint8_t *der, size_t len,
                      const uint8_t key[TENUO_PUBKEY_BYTES], uint32_t *ret_version)
{
    struct tpm2_names n;
    int r = may_add(s, dir, key_id, flags, &n);
    if (r != TENUO_OK)
        return r;
    uint32_t old = tpm2_newest(&n);
    if (old != 0)
        r = copy(s, dir, key_id, old, TPM2_PUB, TN_KEYFILE_PUBLIC);
    if (r == TENUO_OK && old != 0)
        r = copy(s, dir, key_id, old, TPM2_SECRET, 0);
    r = r != TENUO_OK ? r : write_pair(s, dir, key_id, old, der, len, key);
    if (r != TENUO_OK)
        return r;
    remove_mark(dir, key_id, n.mark); /* ID@old says more now */
    *ret_version = old + 1;
    return TENUO_OK;
}

int tpm2_add(const struct tpm2 *s, int dir, const char *key_id, unsigned flags, const uint8_t *der, size_t len,
             const uint8_t key[TENUO_PUBKEY_BYTES], uint32_t *ret_version)
{
    int r = tpm2_lock_for_writing(s, dir);
    if (r != TENUO_OK)
        return r;
    r = add_locked(s, dir, key_id, flags, der, len, key, ret_version);
    tpm2_unlock(dir);
    return r;
}

static int remove_one(const struct tpm2 *s, int dir, const char *key_id, uint32_t suffix)
{
    char name[TPM2_NAME_BYTES];
    tpm2_file_name(key_id, suffix, TPM2_SECRET, name);
    if (unlinkat(dir, name, 0) != 0 && errno != ENOENT)
        return tpm2_say_errno(s, name, errno);
    tpm2_file_name(key_id, suffix, TPM2_PUB, name);
    if (unlinkat(dir, name, 0) != 0 && errno != ENOENT)
        return tpm2_say_errno(s, name, errno);
    return TENUO_OK;
}

/* Before the highest of the older ones goes. */
static int set_mark(const struct tpm2 *s, int dir, const char *key_id, const struct tpm2_names *n, uint32_t number)
{
    char name[TPM2_NAME_BYTES];
    if (number != n->v.n[n->v.count - 1])
        return TENUO_OK;
    tpm2_file_name(key_id, number, TPM2_MARK, name);
    int r = write_file(s, dir, name, "", 0, 0644, true);
    if (r == TENUO_OK && n->mark != number)
        remove_mark(dir, key_id, n->mark);
    return r;
}

/* The newest goes last, or its number would change hands. */
static int remove_all(const struct tpm2 *s, int dir, const char *key_id, const struct tpm2_names *n)
{
    int r = TENUO_OK;
    for (size_t i = 0; i < n->v.count && r == TENUO_OK; i++)
        r = remove_one(s, dir, key_id, n->v.n[i]);
    r = r != TENUO_OK ? r : remove_one(s, dir, key_id, 0);
    if (r == TENUO_OK)
        remove_mark(dir, key_id, n->mark);
    return r;
}

static int remove_version(const struct tpm2 *s, int dir, const char *key_id, const struct tpm2_names *n,
                          uint32_t version, uint32_t suffix)
{
    if (suffix == 0 && n->v.count != 0) {
        s->host->error(s->host, "%s: version %u is the newest: remove the older ones first, or all", s->path,
                       (unsigned)version);
        return TENUO_E_INVALID_ARGUMENT;
    }
    if (suffix == 0)
        return remove_all(s, dir, key_id, n);
    int r = n->v.plain ? set_mark(s, dir, key_id, n, suffix) : TENUO_OK;
    return r != TENUO_OK ? r : remove_one(s, dir, key_id, suffix);
}

static int remove_locked(const struct tpm2 *s, int dir, const char *key_id, uint32_t version)
{
    char name[TPM2_NAME_BYTES];
    struct tpm2_names n;
    uint32_t suffix = 0;
    int r = tpm2_scan(s, dir, key_id, &n);
    if (r != TENUO_OK)
        return r;
    tpm2_file_name(key_id, version, TPM2_SECRET, name);
    if (version == 0 ? !n.v.plain && n.v.count == 0 : !tpm2_find_suffix(&n, version, &suffix))
        return tpm2_say(s, name, TN_KEYFILE_MISSING, "no such file");
    r = version == 0 ? remove_all(s, dir, key_id, &n) : remove_version(s, dir, key_id, &n, version, suffix);
    return r == TENUO_OK && fsync(dir) != 0 ? tpm2_say_errno(s, ".", errno) : r;
}

int tpm2_remove(const struct tpm2 *s, int dir, const char *key_id, uint32_t version)
{
    int r = tpm2_lock_for_writing(s, dir);
    if (r != TENUO_OK)
        return r;
    r = remove_locked(s, dir, key_id, version);
    tpm2_unlock(dir);
    return r;
}
