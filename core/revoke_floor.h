/* SPDX-License-Identifier: Apache-2.0 */
/* The version floor of revocation lists on disk: what was accepted of each issuer, so that an older list is known as
 * one also after a restart (governance.md 10.3). */
#ifndef TN_REVOKE_FLOOR_H
#define TN_REVOKE_FLOOR_H

#include <stdbool.h>

#include <tenuo/revocation.h>

#define TN_FLOOR_DEFAULT "/var/lib/tenuo/revocation.floor"

/* The file while this process alone may change it. */
struct tn_floor {
    const char *path; /* lent */
    int dir, lock;
    struct tenuo_srl_floor *v;
    size_t n;
};

/*
 * Waits for other processes, at most two seconds, then reads. The file may be missing, its directory may not. 9100: the
 * walk refuses the place, or the content is damaged; 9301: another process holds it; 9002: the system refused.
 */
int tn_floor_open(const char *path, struct tn_floor *ret_floor, struct tenuo_error *err);
/* NULL when nothing is remembered of the issuer. */
const struct tenuo_srl_floor *tn_floor_find(const struct tn_floor *floor, const uint8_t issuer[32]);
/* Stores one entry with the others, whole or not at all: temporary file, fsync, rename, fsync of the directory. */
int tn_floor_store(struct tn_floor *floor, const struct tenuo_srl_floor *entry, struct tenuo_error *err);
void tn_floor_close(struct tn_floor *floor);
/* One look without the lock: the version remembered of the issuer, 0 when there is none. */
int tn_floor_version(const char *path, const uint8_t issuer[32], uint64_t *ret_version, struct tenuo_error *err);
/* Could a list be accepted here, as this user? For `conf check`; writes nothing. */
int tn_floor_check(const char *path, struct tenuo_error *err);

#endif
