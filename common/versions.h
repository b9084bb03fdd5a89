/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Versions of a key in stores that keep none themselves (design.md 9 row 4): the newest stands under its id, an older
 * one under ID@N, N from 1 upwards. A key that was never replaced is version 1. '@' is in no key id, so no name is
 * ambiguous. Pure functions that plugins link: libc alone.
 *
 * Replacing a key: first put the key that stands under ID under ID@N as well, N being tn_versions_newest, then put the
 * new one under ID in one step. A crash between the two leaves one key under two names, which hurts nobody. Removing
 * ID@N leaves its public part, where the store keeps one apart; removing ID removes all.
 */
#ifndef TN_VERSIONS_H
#define TN_VERSIONS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <tenuo/plugin.h>

#define TN_VERSION_NAME_BYTES (TENUO_KEY_ID_MAX + 12) /* ID@4294967295 and its NUL */

/* What the store holds under one id. Zero-initialise, note every name, then ask. */
struct tn_versions {
    uint32_t n[TENUO_KEY_VERSIONS_MAX]; /* the ID@N, in ascending order */
    size_t count;
    uint32_t highest; /* N of any ID@N, also of one that was removed */
    bool plain; /* ID itself */
    bool full;  /* there are more ID@N than fit: nothing may be added */
};

/* "ID", or "ID@N" for a version that is not 0. */
void tn_version_name(const char *key_id, uint32_t version, char ret_name[TN_VERSION_NAME_BYTES]);
/* The reverse; *ret_version 0 for a plain id. False when it is neither: bad id, leading zero, too large. */
bool tn_version_parse(const char *name, size_t len, char ret_id[TENUO_KEY_ID_MAX + 1], uint32_t *ret_version);

/* Notes one name of the store when it is of `key_id`. */
void tn_versions_note(struct tn_versions *v, const char *key_id, const char *name, size_t len);
/* Likewise the name of a version that was removed: its public key stays as a record, so that no number is given twice.
 */
void tn_versions_note_removed(struct tn_versions *v, const char *key_id, const char *name, size_t len);
/* Number of what stands under ID: one more than the highest ID@N ever. 0 when there is no ID. */
uint32_t tn_versions_newest(const struct tn_versions *v);
uint32_t tn_versions_oldest(const struct tn_versions *v);
/* Under which name `version` (0: the newest) is: *ret_suffix 0 for ID, else N. False: not there. */
bool tn_versions_find(const struct tn_versions *v, uint32_t version, uint32_t *ret_suffix);

#endif
