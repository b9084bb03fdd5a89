/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Reads the files of the store: ID.tss with ID.pub beside, older versions under ID@N. The directory is walked and
 * judged at every call. Asks no TPM, and never sees a seed. A lock on the directory keeps readers from the two files of
 * two versions; one that is held too long hinders writers alone.
 */
#include "files.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "../../common/keytext.h"

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
    int r = tpm2_say(s, f->name, tn_keyfile_read(dir, f->name, 0, data, &len, why), why);
    if (r == TENUO_OK && (!tpm2_pem_read((const char *)data, len, f->der, &f->der_len, &reason) ||
                          !tpm2_key_read(f->der, f->der_len, &key, &reason)))
        r = tpm2_say(s, f->name, TN_KEYFILE_INVALID, reason);
    free(data);
    f->written_at = fstatat(dir, f->name, &st, AT_SYMLINK_NOFOLLOW) == 0 ? st.st_mtim.tv_sec : 0;
    return r;
}

/* ID.pub is optional. */
static int read_public(const struct tpm2 *s, int dir, const char *key_id, uint32_t suffix, struct tpm2_found *f)
{
    char name[TPM2_NAME_BYTES], why[160];
    size_t len = 0;
    tpm2_file_name(key_id, suffix, TPM2_PUB, name);
    char *data = malloc(TN_KEYFILE_MAX);
    if (data == NULL)
        return TENUO_E_NOMEM;
    enum tn_keyfile_result result = tn_keyfile_read(dir, name, TN_KEYFILE_PUBLIC, (uint8_t *)data, &len, why);
    int r = result == TN_KEYFILE_MISSING ? TENUO_OK : tpm2_say(s, name, result, why);
    f->has_public_key = result == TN_KEYFILE_OK;
    if (f->has_public_key && !tn_public_from_text(data, len, f->public_key))
        r = tpm2_say(s, name, TN_KEYFILE_INVALID, "holds no Ed25519 public key (SPKI PEM, hex or base64)");
    free(data);
    return r;
}

static int find_locked(const struct tpm2 *s, int dir, const char *key_id, uint32_t version, enum tpm2_parts want,
                       struct tpm2_found *f)
{
    struct tpm2_names n;
    uint32_t suffix;
    int r = tpm2_scan(s, dir, key_id, &n);
    if (r != TENUO_OK)
        return r;
    if (!tpm2_find_suffix(&n, version, &suffix)) {
        tpm2_file_name(key_id, version, TPM2_SECRET, f->name);
        return tpm2_say(s, f->name, TN_KEYFILE_MISSING, "no such file");
    }
    f->newest = tpm2_newest(&n);
    f->oldest = n.v.count != 0 ? n.v.n[0] : f->newest;
    f->version = suffix == 0 ? f->newest : suffix;
    tpm2_file_name(key_id, suffix, TPM2_SECRET, f->name);
    r = read_public(s, dir, key_id, suffix, f);
    if (r == TENUO_OK && (want == TPM2_BOTH || !f->has_public_key))
        r = read_secret(s, dir, f);
    return r;
}

int tpm2_find(const struct tpm2 *s, int dir, const char *key_id, uint32_t version, enum tpm2_parts want,
              struct tpm2_found *ret)
{
    *ret = (struct tpm2_found){ 0 };
    tpm2_lock_for_reading(s, dir);
    int r = find_locked(s, dir, key_id, version, want, ret);
    tpm2_unlock(dir);
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
    r = r != TENUO_OK ? r : tpm2_open_stream(s, dir, &d);
    while (r == TENUO_OK) {
        errno = 0;
        e = readdir(d);
        if (e == NULL) {
            r = errno == 0 ? TENUO_OK : tpm2_say_errno(s, ".", errno);
            break;
        }
        if (!tn_version_parse(e->d_name, tpm2_stem(e->d_name, TPM2_SECRET), id, &suffix) || suffix != 0)
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
