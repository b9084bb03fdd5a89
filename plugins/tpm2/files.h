/* SPDX-License-Identifier: Apache-2.0 */
/* What the readers (files.c) and the writers (store.c) of the directory share: names, versions, the lock, sentences. */
#ifndef TN_TPM2_FILES_H
#define TN_TPM2_FILES_H

#include <dirent.h>

#include "../../common/keyfile.h"
#include "tpm2.h"

#define TPM2_SECRET ".tss"
#define TPM2_PUB ".pub"
#define TPM2_MARK ".was" /* ID@N.was: empty; number N was used and its key is removed */

/* What there is under one id. A number never comes to mean another key as long as there is one: the mark of the highest
 * that was removed keeps the newest from taking it. */
struct tpm2_names {
    struct tn_versions v;
    uint32_t mark; /* 0: none */
};

/* The code for a result, with the sentence "PATH/NAME: why" for all but TN_KEYFILE_OK. */
int tpm2_say(const struct tpm2 *s, const char *name, enum tn_keyfile_result result, const char *why);
int tpm2_say_errno(const struct tpm2 *s, const char *name, int error);

void tpm2_lock_for_reading(const struct tpm2 *s, int dir);
int tpm2_lock_for_writing(const struct tpm2 *s, int dir);
void tpm2_unlock(int dir);

void tpm2_file_name(const char *key_id, uint32_t suffix, const char *ending, char ret_name[TPM2_NAME_BYTES]);
/* Length of the key's name in a file's name; 0 when it has another ending, or is an unfinished write. */
size_t tpm2_stem(const char *file, const char *ending);
int tpm2_open_stream(const struct tpm2 *s, int dir, DIR **ret);
int tpm2_scan(const struct tpm2 *s, int dir, const char *key_id, struct tpm2_names *ret);
uint32_t tpm2_newest(const struct tpm2_names *n);
bool tpm2_find_suffix(const struct tpm2_names *n, uint32_t version, uint32_t *ret_suffix);

#endif
