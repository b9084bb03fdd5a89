/* SPDX-License-Identifier: Apache-2.0 */
/* What the two files about Secrets Manager share: reading a secret, and changing it. */
#ifndef TN_AWS_SECRETS_H
#define TN_AWS_SECRETS_H

#include "aws.h"

#define SECRETS_VERSION_ID 64 /* bytes of a VersionId, the longest that the service takes */

struct secrets_found {
    bool managed;     /* written by this plugin: the number is known without looking for siblings */
    uint32_t version; /* 0: not known */
    uint8_t key[32];
    int64_t changed_at; /* 0: not said */
    char version_id[SECRETS_VERSION_ID + 1];
};

/* secrets.c */
void secrets_name(const struct aws *a, const char *key_id, uint32_t version, char ret[AWS_NAME_BYTES]);
void secrets_version_id(uint32_t version, const uint8_t key[32], char ret[SECRETS_VERSION_ID + 1]);
/* Of a map of version ids to labels: the current one. The key is set when it is managed. */
bool secrets_read_stages(const struct tn_json *j, int stages, struct secrets_found *ret);
int secrets_describe_one(struct aws *a, const char *name, bool quiet_denied, struct secrets_found *ret);
/* ret_seed may be NULL. */
int secrets_get(struct aws *a, const char *name, struct secrets_found *ret, uint8_t ret_seed[32]);
/* Key and number of a version, and the seed unless ret_seed is NULL. */
int secrets_locate(struct aws *a, const char *key_id, uint32_t version, struct secrets_found *ret, uint8_t *ret_seed);

/* secrets_admin.c */
int secrets_siblings(struct aws *a, const char *key_id, struct tn_versions *ret);
int secrets_list(struct aws *a, int (*each)(void *arg, const struct tenuo_key_entry *entry), void *arg);
int secrets_describe(struct aws *a, const char *key_id, uint32_t version, struct tenuo_key_entry *ret_entry);
int secrets_import(struct aws *a, const char *key_id, unsigned flags, const uint8_t seed[32], const uint8_t key[32],
                   uint32_t *ret_version);
int secrets_remove(struct aws *a, const char *key_id, uint32_t version);

#endif
