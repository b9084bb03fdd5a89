/* SPDX-License-Identifier: Apache-2.0 */
/* What the files about keys that KMS wrapped share: ID.kms and ID.pub in one directory, ID@N.* for older versions. */
#ifndef TN_AWS_KMS_H
#define TN_AWS_KMS_H

#include "aws.h"

#define KMS_SUFFIX ".kms"
#define PUBLIC_SUFFIX ".pub"
#define KMS_BLOB_MAX 1024 /* bytes; a wrapped seed has about 200 */

struct kms_blob {
    size_t len;
    uint8_t bytes[KMS_BLOB_MAX];
};

struct kms_place {
    int dir;
    struct tn_versions versions;
    uint32_t suffix, version; /* 0 for ID; its number */
    char name[TN_VERSION_NAME_BYTES];
};

/* kms_files.c: each says its sentence. `name` is ID or ID@N. */
int kms_open(const struct aws *a, int *ret_dir);
int kms_versions(const struct aws *a, int dir, const char *key_id, struct tn_versions *ret);
int kms_read_blob(const struct aws *a, int dir, const char *name, struct kms_blob *ret);
/* TENUO_E_KEY_NOT_FOUND without a sentence: it is optional. */
int kms_read_public(const struct aws *a, int dir, const char *name, uint8_t ret_key[32]);
/* What stands under ID, with this public key, goes under ID@version as well. */
int kms_put_aside(const struct aws *a, int dir, const char *key_id, uint32_t version, const uint8_t key[32]);
int kms_write(const struct aws *a, int dir, const char *key_id, const struct kms_blob *blob, const uint8_t key[32],
              bool replace);
/* Its public key stays as a record, so that no other key gets the number. */
int kms_remove_version(const struct aws *a, int dir, const char *key_id, uint32_t suffix);
int kms_remove_all(const struct aws *a, int dir, const char *key_id);
int kms_list(struct aws *a, int (*each)(void *arg, const struct tenuo_key_entry *entry), void *arg);

#endif
