/* SPDX-License-Identifier: Apache-2.0 */
/* The inside of the file plugin: one directory of key files, or the service manager's credentials. */
#ifndef TN_FILE_H
#define TN_FILE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <time.h>

#include "../../common/keyfile.h"
#include "../../common/versions.h"
#include <tenuo/plugin.h>

#define FILE_PART_MAX 100
#define FILE_READ_TRIES 8 /* when rotations come between */
#define FILE_NAME_BYTES (FILE_PART_MAX + TN_VERSION_NAME_BYTES + FILE_PART_MAX)

/* A key's file is prefix + ID or ID@N + suffix in `path`, or in the credentials directory when path is NULL. */
struct store {
    const struct tenuo_host *host;
    char *path;
    char prefix[FILE_PART_MAX + 1], suffix[FILE_PART_MAX + 1];
    unsigned flags; /* TN_KEYFILE_... of the key files */
};

/* file.c. Opens the directory, judged on the way. A store that is not there did not answer: that is not "no such key".
 */
int file_open_dir(const struct store *s, int *ret_fd);
/* Says what is wrong with which file, and what that means for the caller. */
int file_judge(const struct store *s, const char *name, enum tn_keyfile_result result, const char *why);
bool file_valid_id(const char *id);
/* Names of the two files of a version, 0 for the plain id. */
void file_key_name(const struct store *s, const char *key_id, uint32_t suffix, char ret_name[FILE_NAME_BYTES]);
void file_public_name(const char *key_id, uint32_t suffix, char ret_name[FILE_NAME_BYTES]);
/* ID or ID@N within a file name; *ret_public says which of the two files it is. False for any other file. */
bool file_stem(const struct store *s, const char *name, const char **ret_stem, size_t *ret_len, bool *ret_public);

/* read.c. All take the open directory. What versions there are of one id. An ID@N that is the same file as ID is a
 * rotation under way, or one that a crash cut off: until ID is replaced, ID itself has the number N. */
int file_versions(const struct store *s, int dir, const char *key_id, struct tn_versions *ret);
/* The suffix of a version, 0 for the plain id, and the versions that say so. 9300 with a sentence. */
int file_find(const struct store *s, int dir, const char *key_id, uint32_t version, uint32_t *ret_suffix,
              struct tn_versions *ret_versions);
/* Whether the newest key got another number since: what was read under the plain id is then of another version. */
bool file_moved(const struct store *s, int dir, const char *key_id, const struct tn_versions *before);
/* Two names of one file. */
bool file_same(int dir, const char *a, const char *b);
/* The seed, its public key, and a complaint when the .pub beside it is of another key. */
int file_read_pair(const struct store *s, int dir, const char *key_id, uint32_t suffix,
                   uint8_t ret_seed[TENUO_SEED_BYTES], uint8_t ret_key[TENUO_PUBKEY_BYTES]);
/* The .pub first: it can be read without the right to sign. */
int file_read_public(const struct store *s, int dir, const char *key_id, uint32_t suffix,
                     uint8_t ret_key[TENUO_PUBKEY_BYTES]);
void file_public_of(const uint8_t seed[TENUO_SEED_BYTES], uint8_t ret_key[TENUO_PUBKEY_BYTES]);

/* write.c: the operations that change the store. */
int file_generate(void *self, const char *key_id, unsigned flags, uint8_t ret_key[TENUO_PUBKEY_BYTES],
                  uint32_t *ret_version);
int file_import(void *self, const char *key_id, unsigned flags, const uint8_t seed[TENUO_SEED_BYTES],
                uint32_t *ret_version);
int file_remove(void *self, const char *key_id, uint32_t version);

#endif
