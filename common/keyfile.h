/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Reading a secret from a file that only its owner can read, judged on the open descriptor (style.md 4.6 point 6).
 * Shared by the library and the plugins: libc alone. Never follows a link in the last component, never prints.
 */
#ifndef TN_KEYFILE_H
#define TN_KEYFILE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#define TN_KEYFILE_MAX 4096 /* bytes */

enum tn_keyfile_result {
    TN_KEYFILE_OK,
    TN_KEYFILE_MISSING, /* no such file */
    TN_KEYFILE_DENIED,  /* link, foreign owner, readable by others, or the system says so */
    TN_KEYFILE_INVALID, /* not a regular file, or too large */
    TN_KEYFILE_SYSTEM   /* I/O error: the store did not answer */
};

/* Service-manager credentials: root's, and the mode may show the ACL mask as group read. */
#define TN_KEYFILE_CREDENTIAL 1u
/* A public key: others may read it, but not write it. */
#define TN_KEYFILE_PUBLIC 2u

/*
 * Opens `name` (relative to dirfd, which may be AT_FDCWD) and reads it whole. `why` gets a phrase that goes after the
 * name of the file: "mode 0644 lets others read it: chmod 600 it". The caller wipes buf.
 */
enum tn_keyfile_result tn_keyfile_read(int dirfd, const char *name, unsigned flags, uint8_t buf[TN_KEYFILE_MAX],
                                       size_t *ret_len, char why[160]);

/*
 * Writes a new file whole or not at all: O_EXCL beside it, fsync, rename, fsync of the directory. Without `replace` a
 * file of that name is left alone and the answer is TN_KEYFILE_DENIED.
 */
enum tn_keyfile_result tn_keyfile_write(int dirfd, const char *name, const void *data, size_t len, mode_t mode,
                                        bool replace, char why[160]);

#endif
