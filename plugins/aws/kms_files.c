/* SPDX-License-Identifier: Apache-2.0 */
/* The directory of wrapped keys. What is in it is no secret, but who could change it could take keys away: it is walked
 * and judged at every call as the directory of plain keys is. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "../../common/keyfile.h"
#include "../../common/keytext.h"
#include "../../core/trust.h"
#include "kms.h"

#define FILE_BYTES (TN_VERSION_NAME_BYTES + 8)

static void blob_name(const char *name, char ret[FILE_BYTES])
{
    snprintf(ret, FILE_BYTES, "%.*s" KMS_SUFFIX, TN_VERSION_NAME_BYTES - 1, name);
}

static void public_name(const char *name, char ret[FILE_BYTES])
{
    snprintf(ret, FILE_BYTES, "%.*s" PUBLIC_SUFFIX, TN_VERSION_NAME_BYTES - 1, name);
}

static int judge(const struct aws *a, const char *file, enum tn_keyfile_result result, const char *why)
{
    static const int codes[] = {
        [TN_KEYFILE_OK] = TENUO_OK,
        [TN_KEYFILE_MISSING] = TENUO_E_KEY_NOT_FOUND,
        [TN_KEYFILE_DENIED] = TENUO_E_KEY_DENIED,
        [TN_KEYFILE_INVALID] = TENUO_E_KEY_INVALID,
        [TN_KEYFILE_SYSTEM] = TENUO_E_UNAVAILABLE,
    };
    return result == TN_KEYFILE_OK ? TENUO_OK : aws_fail(a, codes[result], "%s/%s: %s", a->path, file, why);
}

int kms_open(const struct aws *a, int *ret_dir)
{
    struct tenuo_error err;
    int r = tn_trust_open(a->path, TN_TRUST_DIR, TENUO_E_KEY_DENIED, ret_dir, &err);
    return r == TENUO_OK ? r : aws_fail(a, r == TENUO_E_SYSTEM ? TENUO_E_UNAVAILABLE : r, "%s", err.msg);
}

/* Its own descriptor, so that the caller's position does not matter. */
static int open_list(const struct aws *a, int dir, DIR **ret)
{
    int fd = openat(dir, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *d = fd < 0 ? NULL : fdopendir(fd);
    if (d == NULL) {
        if (fd >= 0)
            close(fd);
        return aws_fail(a, TENUO_E_UNAVAILABLE, "%s: cannot be read: %s", a->path, strerror(errno));
    }
    *ret = d;
    return TENUO_OK;
}

/* The part before the suffix; 0 when it is no such name. */
static size_t stem_of(const char *name, const char *suffix)
{
    size_t n = strlen(name), m = strlen(suffix);
    return name[0] != '.' && n > m && strcmp(name + n - m, suffix) == 0 ? n - m : 0;
}

/* The public key of a version that was removed is its record. */
int kms_versions(const struct aws *a, int dir, const char *key_id, struct tn_versions *ret)
{
    DIR *d = NULL;
    int r = open_list(a, dir, &d);
    if (r != TENUO_OK)
        return r;
    for (const struct dirent *e = readdir(d); e != NULL; e = readdir(d)) {
        size_t n = stem_of(e->d_name, KMS_SUFFIX), m = stem_of(e->d_name, PUBLIC_SUFFIX);
        if (n != 0)
            tn_versions_note(ret, key_id, e->d_name, n);
        else if (m != 0)
            tn_versions_note_removed(ret, key_id, e->d_name, m);
    }
    closedir(d);
    return TENUO_OK;
}

/* Text as `aws kms encrypt` prints it, or the bytes themselves. */
static bool read_blob(const uint8_t *data, size_t len, struct kms_blob *ret)
{
    const char *text = (const char *)data, *end = NULL;
    if (len > 0 &&
        sodium_base642bin(ret->bytes, sizeof ret->bytes, text, len, " \r\n", &ret->len, &end,
                          sodium_base64_VARIANT_ORIGINAL) == 0 &&
        end == text + len && ret->len > 0)
        return true;
    if (len == 0 || len > sizeof ret->bytes)
        return false;
    memcpy(ret->bytes, data, len);
    ret->len = len;
    return true;
}

int kms_read_blob(const struct aws *a, int dir, const char *name, struct kms_blob *ret)
{
    char file[FILE_BYTES], why[160];
    uint8_t *whole = malloc(TN_KEYFILE_MAX);
    size_t n = 0;
    if (whole == NULL)
        return TENUO_E_NOMEM;
    blob_name(name, file);
    int r = judge(a, file, tn_keyfile_read(dir, file, TN_KEYFILE_PUBLIC, whole, &n, why), why);
    if (r == TENUO_OK && !read_blob(whole, n, ret))
        r = judge(a, file, TN_KEYFILE_INVALID, "is empty or too long for a wrapped key: wrap the key again");
    free(whole);
    return r;
}

int kms_read_public(const struct aws *a, int dir, const char *name, uint8_t ret_key[32])
{
    char file[FILE_BYTES], why[160];
    uint8_t *data = malloc(TN_KEYFILE_MAX);
    size_t n = 0;
    if (data == NULL)
        return TENUO_E_NOMEM;
    public_name(name, file);
    enum tn_keyfile_result result = tn_keyfile_read(dir, file, TN_KEYFILE_PUBLIC, data, &n, why);
    int r = result == TN_KEYFILE_MISSING ? TENUO_E_KEY_NOT_FOUND : judge(a, file, result, why);
    if (r == TENUO_OK && !tn_public_from_text((const char *)data, n, ret_key))
        r = judge(a, file, TN_KEYFILE_INVALID, "holds no Ed25519 public key (SPKI PEM, hex or base64)");
    free(data);
    return r;
}

static int put_file(const struct aws *a, int dir, const char *file, const void *data, size_t n, bool replace)
{
    char why[160];
    return judge(a, file, tn_keyfile_write(dir, file, data, n, 0644, replace, why), why);
}

static int put_public(const struct aws *a, int dir, const char *name, const uint8_t key[32])
{
    char file[FILE_BYTES], pem[TN_KEYTEXT_PUBLIC_PEM];
    public_name(name, file);
    return put_file(a, dir, file, pem, tn_public_to_pem(key, pem), true);
}

int kms_put_aside(const struct aws *a, int dir, const char *key_id, uint32_t version, const uint8_t key[32])
{
    char from[FILE_BYTES], to[FILE_BYTES], name[TN_VERSION_NAME_BYTES], why[160];
    uint8_t *data = malloc(TN_KEYFILE_MAX);
    size_t n = 0;
    if (data == NULL)
        return TENUO_E_NOMEM;
    tn_version_name(key_id, version, name);
    blob_name(key_id, from);
    blob_name(name, to);
    int r = put_public(a, dir, name, key);
    if (r == TENUO_OK)
        r = judge(a, from, tn_keyfile_read(dir, from, TN_KEYFILE_PUBLIC, data, &n, why), why);
    if (r == TENUO_OK)
        r = put_file(a, dir, to, data, n, true);
    free(data);
    return r;
}

/* The public key goes before the other is replaced, so that nobody reads the two of different keys: it is optional. */
static int drop_public(const struct aws *a, int dir, const char *key_id)
{
    char file[FILE_BYTES];
    public_name(key_id, file);
    return unlinkat(dir, file, 0) == 0 || errno == ENOENT ? TENUO_OK
                                                          : judge(a, file, TN_KEYFILE_SYSTEM, strerror(errno));
}

int kms_write(const struct aws *a, int dir, const char *key_id, const struct kms_blob *blob, const uint8_t key[32],
              bool replace)
{
    char file[FILE_BYTES];
    size_t need = sodium_base64_encoded_len(blob->len, sodium_base64_VARIANT_ORIGINAL); /* with room for a newline */
    char *text = malloc(need);
    if (text == NULL)
        return TENUO_E_NOMEM;
    sodium_bin2base64(text, need, blob->bytes, blob->len, sodium_base64_VARIANT_ORIGINAL);
    text[need - 1] = '\n';
    blob_name(key_id, file);
    int r = replace ? drop_public(a, dir, key_id) : TENUO_OK;
    if (r == TENUO_OK)
        r = put_file(a, dir, file, text, need, replace);
    free(text);
    if (r != TENUO_OK)
        return r;
    if (put_public(a, dir, key_id, key) != TENUO_OK)
        a->host->log(a->host, TENUO_LOG_WARNING, "%s/%s.pub could not be written: the key works without it", a->path,
                     key_id);
    return TENUO_OK;
}

static int drop(const struct aws *a, int dir, const char *file)
{
    if (unlinkat(dir, file, 0) == 0 || errno == ENOENT)
        return TENUO_OK;
    return judge(a, file, errno == EACCES || errno == EPERM ? TN_KEYFILE_DENIED : TN_KEYFILE_SYSTEM, strerror(errno));
}

static int synced(const struct aws *a, int dir, int r)
{
    if (r == TENUO_OK && fsync(dir) != 0)
        return aws_fail(a, TENUO_E_UNAVAILABLE, "%s: %s", a->path, strerror(errno));
    return r;
}

int kms_remove_version(const struct aws *a, int dir, const char *key_id, uint32_t suffix)
{
    char file[FILE_BYTES], name[TN_VERSION_NAME_BYTES];
    tn_version_name(key_id, suffix, name);
    blob_name(name, file);
    return synced(a, dir, drop(a, dir, file));
}

/* ID@N and its record? */
static bool is_version_of(const char *file, const char *key_id)
{
    char id[TENUO_KEY_ID_MAX + 1];
    uint32_t version = 0;
    size_t n = stem_of(file, KMS_SUFFIX);
    if (n == 0)
        n = stem_of(file, PUBLIC_SUFFIX);
    return n != 0 && tn_version_parse(file, n, id, &version) && version != 0 && strcmp(id, key_id) == 0;
}

int kms_remove_all(const struct aws *a, int dir, const char *key_id)
{
    char file[FILE_BYTES];
    DIR *d = NULL;
    int r = open_list(a, dir, &d);
    if (r != TENUO_OK)
        return r;
    for (const struct dirent *e = readdir(d); e != NULL && r == TENUO_OK; e = readdir(d))
        if (is_version_of(e->d_name, key_id))
            r = drop(a, dir, e->d_name);
    closedir(d);
    blob_name(key_id, file);
    if (r == TENUO_OK)
        r = drop(a, dir, file);
    public_name(key_id, file);
    return synced(a, dir, r == TENUO_OK ? drop(a, dir, file) : r);
}

static int fill(const struct aws *a, int dir, struct tenuo_key_entry *e)
{
    struct tn_versions v = { 0 };
    int r = kms_versions(a, dir, e->id, &v);
    if (r != TENUO_OK)
        return r;
    e->version = e->newest = tn_versions_newest(&v);
    e->oldest = tn_versions_oldest(&v);
    e->has_public_key = kms_read_public(a, dir, e->id, e->public_key) == TENUO_OK;
    snprintf(e->note, sizeof e->note, "%s, %s", a->service->label, a->region);
    return TENUO_OK;
}

/* Without a call of KMS: a key without ID.pub is listed without its public key. */
int kms_list(struct aws *a, int (*each)(void *arg, const struct tenuo_key_entry *entry), void *arg)
{
    DIR *d = NULL;
    int dir = -1, r = kms_open(a, &dir);
    if (r != TENUO_OK)
        return r;
    r = open_list(a, dir, &d);
    while (r == TENUO_OK) {
        struct tenuo_key_entry entry = { .size = sizeof entry };
        uint32_t suffix = 0;
        const struct dirent *e = readdir(d);
        if (e == NULL)
            break;
        size_t n = stem_of(e->d_name, KMS_SUFFIX);
        if (n == 0 || !tn_version_parse(e->d_name, n, entry.id, &suffix) || suffix != 0)
            continue;
        r = fill(a, dir, &entry);
        if (r == TENUO_OK && each(arg, &entry) != 0)
            break;
    }
    if (d != NULL)
        closedir(d);
    close(dir);
    return r;
}
