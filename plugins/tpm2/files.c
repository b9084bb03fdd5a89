/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The files of the store: ID.tss with ID.pub beside, older versions under ID@N. The directory is walked and judged at
 * every call. Asks no TPM, and never sees a seed. A lock on the directory keeps readers from the two files of two
 * versions; one that is held too long hinders writers alone.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "../../common/keyfile.h"
#include "../../common/keytext.h"
#include "../../core/trust.h"
#include "tpm2.h"

#define SECRET ".tss"
#define PUBLIC ".pub"
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

static int say(const struct tpm2 *s, const char *name, enum tn_keyfile_result result, const char *why)
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

static int say_errno(const struct tpm2 *s, const char *name, int error)
{
    bool denied = error == EACCES || error == EPERM || error == EROFS;
    return say(s, name, denied ? TN_KEYFILE_DENIED : TN_KEYFILE_SYSTEM, strerror(error));
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

static void lock_for_reading(const struct tpm2 *s, int dir)
{
    uint32_t ms = s->host->deadline(s->host) / 4;
    (void)take_lock(dir, LOCK_SH, ms < READER_WAIT ? ms : READER_WAIT);
}

static int lock_for_writing(const struct tpm2 *s, int dir)
{
    if (take_lock(dir, LOCK_EX, s->host->deadline(s->host) / 2))
        return TENUO_OK;
    s->host->error(s->host,
                   "%s: another program holds the lock on this directory: try again, or look who it is with "
                   "lsof",
                   s->path);
    return TENUO_E_UNAVAILABLE;
}

static void unlock(int dir)
{
    (void)flock(dir, LOCK_UN);
}

/* ---- names ---- */

static void file_name(const char *key_id, uint32_t suffix, const char *ending, char ret_name[TPM2_NAME_BYTES])
{
    char name[TN_VERSION_NAME_BYTES];
    tn_version_name(key_id, suffix, name);
    snprintf(ret_name, TPM2_NAME_BYTES, "%s%s", name, ending);
}

/* A stream of its own over the directory, from its beginning. */
static int open_stream(const struct tpm2 *s, int dir, DIR **ret)
{
    int fd = openat(dir, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *d = fd < 0 ? NULL : fdopendir(fd);
    if (d == NULL) {
        int error = errno;
        if (fd >= 0)
            close(fd);
        return say_errno(s, ".", error);
    }
    *ret = d;
    return TENUO_OK;
}

/* Length of the key's name in a file's name; 0 when it is none of ours, or an unfinished write. */
static size_t stem(const char *file)
{
    size_t n = strlen(file), ending = sizeof SECRET - 1;
    if (file[0] == '.' || n <= ending || strcmp(file + n - ending, SECRET) != 0)
        return 0;
    return n - ending;
}

static int scan(const struct tpm2 *s, int dir, const char *key_id, struct tn_versions *ret)
{
    struct dirent *e;
    DIR *d;
    int r = open_stream(s, dir, &d);
    if (r != TENUO_OK)
        return r;
    *ret = (struct tn_versions){ 0 };
    for (errno = 0; (e = readdir(d)) != NULL; errno = 0)
        tn_versions_note(ret, key_id, e->d_name, stem(e->d_name));
    r = errno == 0 ? TENUO_OK : say_errno(s, ".", errno);
    closedir(d);
    return r;
}

/* ---- reading ---- */

static int read_secret(const struct tpm2 *s, int dir, struct tpm2_found *f)
{
    uint8_t *data = malloc(TN_KEYFILE_MAX);
    const char *reason = NULL;
    char why[160];
    size_t len = 0;
    struct stat st;
    struct tpm2_key key;
    if (data == NULL)
        return TENUO_E_NOMEM;
    int r = say(s, f->name, tn_keyfile_read(dir, f->name, 0, data, &len, why), why);
    if (r == TENUO_OK && (!tpm2_pem_read((const char *)data, len, f->der, &f->der_len, &reason) ||
                          !tpm2_key_read(f->der, f->der_len, &key, &reason)))
        r = say(s, f->name, TN_KEYFILE_INVALID, reason);
    free(data);
    f->written_at = fstatat(dir, f->name, &st, AT_SYMLINK_NOFOLLOW) == 0 ? st.st_mtim.tv_sec : 0;
    return r;
}

/* ID.pub is optional. */
static int read_public(const struct tpm2 *s, int dir, const char *key_id, uint32_t suffix, struct tpm2_found *f)
{
    char name[TPM2_NAME_BYTES], why[160];
    size_t len = 0;
    file_name(key_id, suffix, PUBLIC, name);
    char *data = malloc(TN_KEYFILE_MAX);
    if (data == NULL)
        return TENUO_E_NOMEM;
    enum tn_keyfile_result result = tn_keyfile_read(dir, name, TN_KEYFILE_PUBLIC, (uint8_t *)data, &len, why);
    int r = result == TN_KEYFILE_MISSING ? TENUO_OK : say(s, name, result, why);
    f->has_public_key = result == TN_KEYFILE_OK;
    if (f->has_public_key && !tn_public_from_text(data, len, f->public_key))
        r = say(s, name, TN_KEYFILE_INVALID, "holds no Ed25519 public key (SPKI PEM, hex or base64)");
    free(data);
    return r;
}

static int find_locked(const struct tpm2 *s, int dir, const char *key_id, uint32_t version, enum tpm2_parts want,
                       struct tpm2_found *f)
{
    struct tn_versions v;
    uint32_t suffix;
    int r = scan(s, dir, key_id, &v);
    if (r != TENUO_OK)
        return r;
    if (!tn_versions_find(&v, version, &suffix)) {
        file_name(key_id, version, SECRET, f->name);
        return say(s, f->name, TN_KEYFILE_MISSING, "no such file");
    }
    f->newest = tn_versions_newest(&v);
    f->oldest = tn_versions_oldest(&v);
    f->version = suffix == 0 ? f->newest : suffix;
    file_name(key_id, suffix, SECRET, f->name);
    r = read_public(s, dir, key_id, suffix, f);
    if (r == TENUO_OK && (want == TPM2_BOTH || !f->has_public_key))
        r = read_secret(s, dir, f);
    return r;
}

int tpm2_find(const struct tpm2 *s, int dir, const char *key_id, uint32_t version, enum tpm2_parts want,
              struct tpm2_found *ret)
{
    *ret = (struct tpm2_found){ 0 };
    lock_for_reading(s, dir);
    int r = find_locked(s, dir, key_id, version, want, ret);
    unlock(dir);
    return r;
}

/* ---- what the administrator sees ---- */

static void protection(const struct tpm2_found *f, char note[128])
{
    struct tpm2_key key;
    struct tpm2_pcr_statement pcr;
    char pcrs[TPM2_PCRS_TEXT] = "";
    const char *reason;
    bool auth = false;
    if (!tpm2_key_read(f->der, f->der_len, &key, &reason))
        return;
    for (size_t i = 0; i < key.npolicy; i++) {
        auth = auth || key.policy[i].code != TPM2_CC_POLICY_PCR;
        if (key.policy[i].code == TPM2_CC_POLICY_PCR && tpm2_pcr_read(key.policy[i].body, key.policy[i].len, &pcr))
            tpm2_pcrs_text(pcr.selection, pcr.selection_len, pcrs);
    }
    auth = auth || (key.npolicy == 0 && key.sealed && !key.empty_auth);
    snprintf(note, 128, "sealed under 0x%08x%s%.60s%s", (unsigned)key.parent, pcrs[0] != '\0' ? ", PCR " : "", pcrs,
             auth ? ", authorization value" : "");
}

int tpm2_describe(const struct tpm2 *s, int dir, const char *key_id, uint32_t version, struct tenuo_key_entry *ret)
{
    struct tpm2_found f;
    int r = tpm2_find(s, dir, key_id, version, TPM2_BOTH, &f);
    bool mine = r == TENUO_OK;
    if (r == TENUO_E_KEY_DENIED) /* the public key is for those, too, who may not sign */
        r = tpm2_find(s, dir, key_id, version, TPM2_PUBLIC, &f);
    if (r != TENUO_OK)
        return r;
    struct tenuo_key_entry entry = { .size = sizeof entry,
                                     .version = f.version,
                                     .oldest = f.oldest,
                                     .newest = f.newest,
                                     .has_public_key = f.has_public_key,
                                     .created_at = f.written_at };
    snprintf(entry.id, sizeof entry.id, "%s", key_id);
    memcpy(entry.public_key, f.public_key, sizeof entry.public_key);
    if (mine)
        protection(&f, entry.note);
    else
        snprintf(entry.note, sizeof entry.note, "sealed; this user may not read how");
    *ret = entry;
    return TENUO_OK;
}

int tpm2_list(struct tpm2 *s, int (*each)(void *arg, const struct tenuo_key_entry *entry), void *arg)
{
    char id[TENUO_KEY_ID_MAX + 1];
    struct tenuo_key_entry entry;
    struct dirent *e;
    uint32_t suffix;
    DIR *d = NULL;
    int dir = -1, r = tpm2_open_dir(s, &dir);
    r = r != TENUO_OK ? r : open_stream(s, dir, &d);
    while (r == TENUO_OK) {
        errno = 0;
        e = readdir(d);
        if (e == NULL) {
            r = errno == 0 ? TENUO_OK : say_errno(s, ".", errno);
            break;
        }
        if (!tn_version_parse(e->d_name, stem(e->d_name), id, &suffix) || suffix != 0)
            continue;
        entry = (struct tenuo_key_entry){ .size = sizeof entry, .note = "no usable key" };
        if (tpm2_describe(s, dir, id, 0, &entry) != TENUO_OK)
            memcpy(entry.id, id, sizeof id);
        if (each(arg, &entry) != 0)
            break;
    }
    if (d != NULL)
        closedir(d);
    if (dir >= 0)
        close(dir);
    return r;
}

/* ---- writing ---- */

static int may_add(const struct tpm2 *s, int dir, const char *key_id, unsigned flags, struct tn_versions *ret)
{
    char name[TPM2_NAME_BYTES];
    bool newer = (flags & TENUO_STORE_NEW_VERSION) != 0;
    file_name(key_id, 0, SECRET, name);
    if ((flags & ~TENUO_STORE_NEW_VERSION) != 0 || key_id[0] == '.')
        return TENUO_E_INVALID_ARGUMENT;
    int r = scan(s, dir, key_id, ret);
    if (r != TENUO_OK)
        return r;
    if (newer && !ret->plain)
        return say(s, name, TN_KEYFILE_MISSING, "no such file: make the key first");
    if (!newer && (ret->plain || ret->count != 0)) {
        s->host->error(s->host, "%s/%s: there is a key under this id: rotate it, or remove it first", s->path, name);
        return TENUO_E_KEY_CONFLICT;
    }
    if (ret->full || ret->count + 1 >= TENUO_KEY_VERSIONS_MAX) {
        s->host->error(s->host, "%s/%s: there are %d versions: remove old ones first", s->path, name,
                       TENUO_KEY_VERSIONS_MAX);
        return TENUO_E_INVALID_ARGUMENT;
    }
    return TENUO_OK;
}

int tpm2_may_add(const struct tpm2 *s, int dir, const char *key_id, unsigned flags, uint32_t *ret_version)
{
    struct tn_versions v;
    int r = may_add(s, dir, key_id, flags, &v);
    if (r == TENUO_OK)
        *ret_version = tn_versions_newest(&v) + 1;
    return r;
}

static int write_file(const struct tpm2 *s, int dir, const char *name, const void *data, size_t len, mode_t mode,
                      bool replace)
{
    char why[160] = "";
    return say(s, name, tn_keyfile_write(dir, name, data, len, mode, replace, why), why);
}

/* ID to ID@N: what stands under ID@N already is what an interrupted rotation left. */
static int copy(const struct tpm2 *s, int dir, const char *key_id, uint32_t n, const char *ending, unsigned flags)
{
    char from[TPM2_NAME_BYTES], to[TPM2_NAME_BYTES], why[160];
    size_t len = 0;
    file_name(key_id, 0, ending, from);
    file_name(key_id, n, ending, to);
    uint8_t *data = malloc(TN_KEYFILE_MAX);
    if (data == NULL)
        return TENUO_E_NOMEM;
    enum tn_keyfile_result result = tn_keyfile_read(dir, from, flags, data, &len, why);
    int r;
    if (result == TN_KEYFILE_MISSING && (flags & TN_KEYFILE_PUBLIC) != 0)
        r = TENUO_OK;
    else
        r = say(s, from, result, why);
    if (result == TN_KEYFILE_OK)
        r = write_file(s, dir, to, data, len, (flags & TN_KEYFILE_PUBLIC) != 0 ? 0644 : 0600, true);
    free(data);
    return r;
}

/* Takes back what a failed rotation wrote. */
static void restore_public(const struct tpm2 *s, int dir, const char *key_id, uint32_t n)
{
    char name[TPM2_NAME_BYTES], old[TPM2_NAME_BYTES];
    file_name(key_id, 0, PUBLIC, name);
    (void)unlinkat(dir, name, 0);
    if (n == 0)
        return;
    file_name(key_id, n, PUBLIC, old);
    (void)renameat(dir, old, dir, name);
    file_name(key_id, n, SECRET, old);
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
    file_name(key_id, 0, PUBLIC, name);
    int r = write_file(s, dir, name, public, n, 0644, true);
    if (r == TENUO_OK) {
        file_name(key_id, 0, SECRET, name);
        r = write_file(s, dir, name, pem, pem_len, 0600, old != 0);
    }
    free(pem);
    if (r != TENUO_OK)
        restore_public(s, dir, key_id, old);
    return r;
}

static int add_locked(const struct tpm2 *s, int dir, const char *key_id, unsigned flags, const uint8_t *der, size_t len,
                      const uint8_t key[TENUO_PUBKEY_BYTES], uint32_t *ret_version)
{
    struct tn_versions v;
    int r = may_add(s, dir, key_id, flags, &v);
    if (r != TENUO_OK)
        return r;
    uint32_t old = tn_versions_newest(&v);
    if (old != 0)
        r = copy(s, dir, key_id, old, PUBLIC, TN_KEYFILE_PUBLIC);
    if (r == TENUO_OK && old != 0)
        r = copy(s, dir, key_id, old, SECRET, 0);
    r = r != TENUO_OK ? r : write_pair(s, dir, key_id, old, der, len, key);
    if (r == TENUO_OK)
        *ret_version = old + 1;
    return r;
}

int tpm2_add(const struct tpm2 *s, int dir, const char *key_id, unsigned flags, const uint8_t *der, size_t len,
             const uint8_t key[TENUO_PUBKEY_BYTES], uint32_t *ret_version)
{
    int r = lock_for_writing(s, dir);
    if (r != TENUO_OK)
        return r;
    r = add_locked(s, dir, key_id, flags, der, len, key, ret_version);
    unlock(dir);
    return r;
}

static int remove_one(const struct tpm2 *s, int dir, const char *key_id, uint32_t suffix)
{
    char name[TPM2_NAME_BYTES];
    file_name(key_id, suffix, SECRET, name);
    if (unlinkat(dir, name, 0) != 0 && errno != ENOENT)
        return say_errno(s, name, errno);
    file_name(key_id, suffix, PUBLIC, name);
    if (unlinkat(dir, name, 0) != 0 && errno != ENOENT)
        return say_errno(s, name, errno);
    return TENUO_OK;
}

static int remove_locked(const struct tpm2 *s, int dir, const char *key_id, uint32_t version)
{
    char name[TPM2_NAME_BYTES];
    struct tn_versions v;
    uint32_t suffix = 0;
    int r = scan(s, dir, key_id, &v);
    if (r != TENUO_OK)
        return r;
    file_name(key_id, version, SECRET, name);
    if (version == 0 ? !v.plain && v.count == 0 : !tn_versions_find(&v, version, &suffix))
        return say(s, name, TN_KEYFILE_MISSING, "no such file");
    if (version != 0 && suffix == 0 && v.count != 0) {
        s->host->error(s->host, "%s: version %u is the newest: remove the older ones first, or all", s->path,
                       (unsigned)version);
        return TENUO_E_INVALID_ARGUMENT;
    }
    for (size_t i = 0; i < v.count && r == TENUO_OK; i++) /* the newest goes last, or its number would change hands */
        if (version == 0 || v.n[i] == suffix)
            r = remove_one(s, dir, key_id, v.n[i]);
    if (r == TENUO_OK && suffix == 0)
        r = remove_one(s, dir, key_id, 0);
    return r == TENUO_OK && fsync(dir) != 0 ? say_errno(s, ".", errno) : r;
}

int tpm2_remove(const struct tpm2 *s, int dir, const char *key_id, uint32_t version)
{
    int r = lock_for_writing(s, dir);
    if (r != TENUO_OK)
        return r;
    r = remove_locked(s, dir, key_id, version);
    unlock(dir);
    return r;
}
