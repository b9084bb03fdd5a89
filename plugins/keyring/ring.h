/* SPDX-License-Identifier: Apache-2.0 */
/* The inside of the keyring plugin: one keyring of the kernel, and what lies in it under our prefix. */
#ifndef TN_RING_H
#define TN_RING_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include <keyutils.h>

#include "../../common/versions.h"
#include <tenuo/plugin.h>

#define RING_PREFIX_MAX 64
#define RING_KEYS_MAX 65536 /* keys in one keyring that are looked at */
#define RING_DESC_BYTES (RING_PREFIX_MAX + TN_VERSION_NAME_BYTES + 8)
#define RING_PUBLIC "#public" /* after the name: '#' is in no key id, so a public key never passes for a seed */

struct ring {
    const struct tenuo_host *host;
    char name[128]; /* as the line says it: "user", "session", "%:name" ... */
    char prefix[RING_PREFIX_MAX + 1];
    uint32_t timeout_s; /* of keys that are stored; 0: none */
};

/* The names under our prefix, as they are in the keyring now. */
struct ring_names {
    struct ring_name {
        char name[TN_VERSION_NAME_BYTES]; /* ID or ID@N */
        bool is_public;
    } *v;
    size_t count;
};

/*
 * The keyring's serial, for this thread: it is linked into the process keyring first, since a key that lies in a
 * keyring which this thread does not possess is found but cannot be read. A code with its sentence otherwise.
 */
int ring_find(const struct ring *r, key_serial_t *ret_ring);
/* All of them, seeds and public parts; free `v` with free(). */
int ring_list(const struct ring *r, struct ring_names *ret_names);
/* The key of that name and kind (suffix "" or RING_PUBLIC), 32 bytes of it. 9300, 9304, 9305 with a sentence. */
int ring_read(const struct ring *r, const char *name, const char *suffix, uint8_t ret_bytes[32]);
/* TENUO_OK when a seed of that name is there, readable or not; 9300 when none is, or one that was revoked or has
 * expired and may be written over. */
int ring_look(const struct ring *r, const char *name);
/* Whether a seed of that name can be used: TENUO_OK, or why not, with a sentence. Also in a keyring linked into ours.
 */
int ring_check(const struct ring *r, const char *name);
/* A seed of that name is there, revoked or expired. */
bool ring_is_dead(const struct ring *r, const char *name);
/* Writes or replaces one, with the permissions that are ours, for so many seconds; 0: without end. */
int ring_write(const struct ring *r, const char *name, const char *suffix, const uint8_t bytes[32], uint32_t seconds);
/* How long the seed of that name will still live, rounded down; 0: without end. TENUO_E_KEY_DENIED when the kernel does
 * not say. */
int ring_left(const struct ring *r, const char *name, uint32_t *ret_seconds);
/* Gone at once, in every keyring. 9300 when it is not there. */
int ring_remove(const struct ring *r, const char *name, const char *suffix);
/* Likewise; that it is not there is fine, and says nothing. */
int ring_drop(const struct ring *r, const char *name, const char *suffix);
/* The sentence and code for an errno of a keyctl call about `what`. */
int ring_failed(const struct ring *r, const char *what, int error);

#endif
