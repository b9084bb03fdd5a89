/* SPDX-License-Identifier: Apache-2.0 */
/* The inside of the plugin tpm2: one configured line, its files, and how it runs its helper. Nothing here knows a TPM
 * library: that is the helper's. */
#ifndef TN_TPM2_H
#define TN_TPM2_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "../../common/versions.h"
#include "keyblob.h"
#include "talk.h"
#include <tenuo/plugin.h>

#define TPM2_NAME_BYTES (TN_VERSION_NAME_BYTES + 4) /* ID@N.tss */

/* One open line. */
struct tpm2 {
    const struct tenuo_host *host;
    char *path, *tcti;
    char *auth_file, *auth_credential, *parent_auth_file, *parent_auth_credential; /* or NULL */
    uint32_t parent;
    uint16_t bank;
    uint32_t pcrs; /* 0: no policy */
    pid_t stuck;   /* a helper that was killed and has not gone yet, else 0 */
};

/* A key of the store, read from its files. */
struct tpm2_found {
    char name[TPM2_NAME_BYTES]; /* of its .tss */
    uint32_t version, oldest, newest;
    uint8_t der[TPM2_DER_MAX];
    size_t der_len;
    int64_t written_at;
    uint8_t public_key[TENUO_PUBKEY_BYTES];
    bool has_public_key;
};

/* names.c, files.c, store.c: all say why they fail. */
int tpm2_open_dir(const struct tpm2 *s, int *ret_dir);
/* Reads ID.tss and ID.pub of one moment; TPM2_PUBLIC: the former only when there is no ID.pub. */
enum tpm2_parts { TPM2_PUBLIC, TPM2_BOTH };
int tpm2_find(const struct tpm2 *s, int dir, const char *key_id, uint32_t version, enum tpm2_parts want,
              struct tpm2_found *ret);
int tpm2_list(struct tpm2 *s, int (*each)(void *arg, const struct tenuo_key_entry *entry), void *arg);
int tpm2_describe(const struct tpm2 *s, int dir, const char *key_id, uint32_t version, struct tenuo_key_entry *ret);
/* Whether a new key, or with TENUO_STORE_NEW_VERSION a newer one, may be put under this id. */
int tpm2_may_add(const struct tpm2 *s, int dir, const char *key_id, unsigned flags, uint32_t *ret_version);
int tpm2_add(const struct tpm2 *s, int dir, const char *key_id, unsigned flags, const uint8_t *der, size_t len,
             const uint8_t key[TENUO_PUBKEY_BYTES], uint32_t *ret_version);
int tpm2_remove(const struct tpm2 *s, int dir, const char *key_id, uint32_t version);

/* spawn.c: one request. `begin` gives zeroed memory that no dump and no child sees; `end` wipes it. */
struct tpm2_call {
    struct tpm2_talk *talk;
    int fd;
};
bool tpm2_call_begin(struct tpm2_call *call);
void tpm2_call_end(struct tpm2_call *call);
/* Runs the helper. `file` is what a sentence is about. TENUO_OK: the answer stands in call->talk. */
int tpm2_ask(struct tpm2 *s, struct tpm2_call *call, const char *file);
/* Whether the helper is there and could not have been changed by others. */
int tpm2_try_helper(const struct tenuo_host *host, char *ret_path, size_t size);
uint64_t tpm2_clock(void); /* ms */

#endif
