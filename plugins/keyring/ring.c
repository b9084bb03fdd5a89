/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Calls to the kernel's key retention service. Every call is about this thread's credentials: nothing is kept between
 * two calls, so that threads, forks and changed session keyrings need no care. Seeds go into memory that the caller
 * chose and are wiped here.
 */
#include "ring.h"

#include <errno.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Possessor: all; the same user: to see that it is there. Others: nothing. */
#define SEED_PERM (KEY_POS_ALL | KEY_USR_VIEW)
/* A public key may be read by the same user without possessing it. */
#define PUBLIC_PERM (KEY_POS_ALL | KEY_USR_VIEW | KEY_USR_READ | KEY_USR_SEARCH)

int ring_failed(const struct ring *r, const char *what, int error)
{
    const struct tenuo_host *h = r->host;
    switch (error) {
    case ENOKEY:
        h->error(h, "%s is not in the keyring '%s'", what, r->name);
        return TENUO_E_KEY_NOT_FOUND;
    case EKEYREVOKED:
        h->error(h, "%s in the keyring '%s' was revoked: store a new key, or import the old one again", what, r->name);
        return TENUO_E_KEY_DENIED;
    case EKEYEXPIRED:
        h->error(h, "%s in the keyring '%s' has expired: import it again", what, r->name);
        return TENUO_E_KEY_DENIED;
    case EKEYREJECTED:
        h->error(h, "%s in the keyring '%s' was rejected by the service that should have made it", what, r->name);
        return TENUO_E_KEY_DENIED;
    case EACCES:
    case EPERM:
        h->error(h,
                 "%s in the keyring '%s': permission denied: the key must belong to this user and give its possessor "
                 "read and search (keyctl setperm KEY 0x3f010000)",
                 what, r->name);
        return TENUO_E_KEY_DENIED;
    case EDQUOT:
        h->error(h, "%s: this user's quota of keys is used up: remove keys, or raise kernel.keys.maxkeys and maxbytes",
                 what);
        return TENUO_E_KEY_DENIED;
    case EOPNOTSUPP:
        h->error(h, "%s in the keyring '%s' is of a type that cannot be read: it must be of type user", what, r->name);
        return TENUO_E_KEY_INVALID;
    case ENOSYS:
        h->error(h, "this kernel, or the container's sandbox, has no keyrings: use another store");
        return TENUO_E_UNAVAILABLE;
    case ENOMEM:
        return TENUO_E_NOMEM;
    default:
        h->error(h, "%s in the keyring '%s': %s", what, r->name, strerror(error));
        return TENUO_E_UNAVAILABLE;
    }
}

static const struct {
    const char *name;
    key_serial_t serial;
} known[] = {
    { "session", KEY_SPEC_SESSION_KEYRING },
    { "user", KEY_SPEC_USER_KEYRING },
    { "user_session", KEY_SPEC_USER_SESSION_KEYRING },
    { "process", KEY_SPEC_PROCESS_KEYRING },
    { "thread", KEY_SPEC_THREAD_KEYRING },
};

static int find_named(const struct ring *r, key_serial_t *ret_ring)
{
    char what[160];
    long serial = keyctl_search(KEY_SPEC_SESSION_KEYRING, "keyring", r->name + 2, 0);
    if (serial < 0)
        serial = keyctl_search(KEY_SPEC_USER_KEYRING, "keyring", r->name + 2, 0);
    if (serial < 0) {
        if (errno == ENOKEY) { /* the store is not there, not the key */
            r->host->error(
                r->host,
                "no keyring of the name '%s' is linked into the session's or the user's: keyctl link it there, "
                "or make it with keyctl newring %s @u",
                r->name + 2, r->name + 2);
            return TENUO_E_UNAVAILABLE;
        }
        snprintf(what, sizeof what, "a keyring of the name '%s'", r->name + 2);
        return ring_failed(r, what, errno);
    }
    *ret_ring = (key_serial_t)serial;
    return TENUO_OK;
}

static int find_persistent(const struct ring *r, key_serial_t *ret_ring)
{
    long serial = keyctl_get_persistent((uid_t)-1, KEY_SPEC_PROCESS_KEYRING);
    if (serial < 0)
        return ring_failed(r, "the persistent keyring", errno);
    *ret_ring = (key_serial_t)serial;
    return TENUO_OK;
}

int ring_find(const struct ring *r, key_serial_t *ret_ring)
{
    key_serial_t ring = 0;
    if (strcmp(r->name, "persistent") == 0)
        return find_persistent(r, ret_ring);
    for (size_t i = 0; i < sizeof known / sizeof known[0]; i++)
        if (strcmp(r->name, known[i].name) == 0)
            ring = known[i].serial;
    if (ring == 0) {
        int code = find_named(r, &ring);
        if (code != TENUO_OK)
            return code;
    }
    if (ring == KEY_SPEC_SESSION_KEYRING || ring == KEY_SPEC_PROCESS_KEYRING || ring == KEY_SPEC_THREAD_KEYRING) {
        *ret_ring = ring; /* possessed as it is */
        return TENUO_OK;
    }
    if (keyctl_link(ring, KEY_SPEC_PROCESS_KEYRING) < 0)
        return ring_failed(r, "a link to it from the process keyring", errno);
    *ret_ring = ring;
    return TENUO_OK;
}

static void description(const struct ring *r, const char *name, const char *suffix, char ret[RING_DESC_BYTES])
{
    snprintf(ret, RING_DESC_BYTES, "%s%s%s", r->prefix, name, suffix);
}

/* Something else of that name: then the answer is not that nothing is there. */
static bool other_type(key_serial_t ring, const char *desc)
{
    static const char *const types[] = { "logon", "big_key", "encrypted", "trusted", "asymmetric", "keyring" };
    for (size_t i = 0; i < sizeof types / sizeof types[0]; i++)
        if (keyctl_search(ring, types[i], desc, 0) >= 0)
            return true;
    return false;
}

static int search(const struct ring *r, const char *desc, key_serial_t *ret_ring, key_serial_t *ret_key)
{
    key_serial_t ring = 0;
    int code = ring_find(r, &ring);
    if (code != TENUO_OK)
        return code;
    long key = keyctl_search(ring, "user", desc, 0);
    if (key < 0) {
        int error = errno;
        return ring_failed(r, desc, error == ENOKEY && other_type(ring, desc) ? EOPNOTSUPP : error);
    }
    *ret_ring = ring;
    *ret_key = (key_serial_t)key;
    return TENUO_OK;
}

int ring_read(const struct ring *r, const char *name, const char *suffix, uint8_t ret_bytes[32])
{
    char desc[RING_DESC_BYTES], bytes[33];
    key_serial_t ring, key;
    description(r, name, suffix, desc);
    int code = search(r, desc, &ring, &key);
    if (code != TENUO_OK)
        return code;
    long n = keyctl_read(key, bytes, sizeof bytes);
    if (n < 0) {
        code = ring_failed(r, desc, errno);
    } else if (n != 32) {
        r->host->error(r->host,
                       "%s in the keyring '%s' has %ld bytes: an Ed25519 key has 32, as keyctl padd stores them", desc,
                       r->name, n);
        code = TENUO_E_KEY_INVALID;
    } else {
        memcpy(ret_bytes, bytes, 32);
    }
    sodium_memzero(bytes, sizeof bytes);
    return code;
}

int ring_look(const struct ring *r, const char *name)
{
    char desc[RING_DESC_BYTES];
    key_serial_t ring = 0;
    int code = ring_find(r, &ring);
    if (code != TENUO_OK)
        return code;
    description(r, name, "", desc);
    if (keyctl_search(ring, "user", desc, 0) >= 0 || errno == EACCES || errno == EPERM)
        return TENUO_OK;
    if (errno == ENOKEY || errno == EKEYREVOKED || errno == EKEYEXPIRED)
        return TENUO_E_KEY_NOT_FOUND;
    return ring_failed(r, desc, errno);
}

int ring_check(const struct ring *r, const char *name)
{
    char desc[RING_DESC_BYTES];
    key_serial_t ring, key;
    description(r, name, "", desc);
    return search(r, desc, &ring, &key);
}

bool ring_is_dead(const struct ring *r, const char *name)
{
    char desc[RING_DESC_BYTES];
    key_serial_t ring = 0;
    if (ring_find(r, &ring) != TENUO_OK)
        return false;
    description(r, name, "", desc);
    return keyctl_search(ring, "user", desc, 0) < 0 && (errno == EKEYREVOKED || errno == EKEYEXPIRED);
}

/* "12s", "5m", "3h", "2d", "1w", rounded down by the kernel; "perm" is 0. */
static bool read_span(const char *text, uint32_t *ret_seconds)
{
    static const struct {
        char unit;
        uint32_t seconds;
    } units[] = { { 's', 1 }, { 'm', 60 }, { 'h', 3600 }, { 'd', 86400 }, { 'w', 604800 } };
    unsigned long n;
    char unit = 0;
    if (strcmp(text, "perm") == 0) {
        *ret_seconds = 0;
        return true;
    }
    if (sscanf(text, "%8lu%c", &n, &unit) != 2)
        return false;
    for (size_t i = 0; i < sizeof units / sizeof units[0]; i++)
        if (units[i].unit == unit) {
            const uint64_t all = (uint64_t)n * units[i].seconds;
            *ret_seconds = all == 0 ? 1 : all > INT32_MAX ? INT32_MAX : (uint32_t)all;
            return true;
        }
    return false;
}

/* The kernel tells an expiry in /proc/keys alone: "SERIAL FLAGS USAGE EXPIRY ..." a line. */
int ring_left(const struct ring *r, const char *name, uint32_t *ret_seconds)
{
    char desc[RING_DESC_BYTES], line[1024], span[16];
    key_serial_t ring, key;
    unsigned long serial;
    bool found = false;
    description(r, name, "", desc);
    int code = search(r, desc, &ring, &key);
    if (code != TENUO_OK)
        return code;
    FILE *f = fopen("/proc/keys", "re");
    while (f != NULL && !found && fgets(line, sizeof line, f) != NULL)
        found = sscanf(line, "%8lx %*15s %*15s %15s", &serial, span) == 2 && serial == (unsigned long)(uint32_t)key &&
                read_span(span, ret_seconds);
    if (f != NULL)
        fclose(f);
    if (found)
        return TENUO_OK;
    r->host->error(r->host,
                   "%s in the keyring '%s': /proc/keys does not say when it expires, so its copy could outlive it: "
                   "make a key of another id instead",
                   desc, r->name);
    return TENUO_E_KEY_DENIED;
}

int ring_write(const struct ring *r, const char *name, const char *suffix, const uint8_t bytes[32], uint32_t seconds)
{
    const bool is_public = suffix[0] != '\0';
    char desc[RING_DESC_BYTES];
    key_serial_t ring = 0;
    int code = ring_find(r, &ring);
    if (code != TENUO_OK)
        return code;
    description(r, name, suffix, desc);
    key_serial_t key = add_key("user", desc, bytes, 32, ring);
    if (key < 0)
        return ring_failed(r, desc, errno);
    if (keyctl_setperm(key, is_public ? PUBLIC_PERM : SEED_PERM) < 0 ||
        (seconds != 0 && keyctl_set_timeout(key, seconds) < 0)) {
        code = ring_failed(r, desc, errno);
        (void)keyctl_unlink(key, ring);
    }
    return code;
}

int ring_remove(const struct ring *r, const char *name, const char *suffix)
{
    char desc[RING_DESC_BYTES];
    key_serial_t ring, key;
    description(r, name, suffix, desc);
    int code = search(r, desc, &ring, &key);
    if (code != TENUO_OK)
        return code;
    /* Invalid everywhere at once; the link would go with the next garbage collection, and until then it would look
     * like a key that was revoked. */
    const bool invalid = keyctl_invalidate(key) >= 0;
    if (keyctl_unlink(key, ring) < 0 && !invalid)
        return ring_failed(r, desc, errno);
    return TENUO_OK;
}

int ring_drop(const struct ring *r, const char *name, const char *suffix)
{
    char desc[RING_DESC_BYTES];
    key_serial_t ring = 0;
    int code = ring_find(r, &ring);
    if (code != TENUO_OK)
        return code;
    description(r, name, suffix, desc);
    long key = keyctl_search(ring, "user", desc, 0);
    if (key < 0 && (errno == ENOKEY || errno == EKEYREVOKED || errno == EKEYEXPIRED))
        return TENUO_OK;
    if (key < 0)
        return ring_failed(r, desc, errno);
    /* The link first: who looks in between finds nothing, and not a key that seems to be revoked. */
    const bool unlinked = keyctl_unlink((key_serial_t)key, ring) >= 0;
    if (keyctl_invalidate((key_serial_t)key) < 0 && !unlinked)
        return ring_failed(r, desc, errno);
    return TENUO_OK;
}

/* The serials of the keyring's keys; it may grow between two readings. */
static int read_serials(const struct ring *r, key_serial_t ring, key_serial_t **ret, size_t *ret_count)
{
    size_t room = 256;
    for (;;) {
        key_serial_t *v = calloc(room, sizeof *v);
        if (v == NULL)
            return TENUO_E_NOMEM;
        long n = keyctl_read(ring, (char *)v, room * sizeof *v);
        if (n >= 0 && (size_t)n <= room * sizeof *v) {
            *ret = v;
            *ret_count = (size_t)n / sizeof *v;
            return TENUO_OK;
        }
        int error = errno;
        free(v);
        if (n < 0 && error == ENOKEY) { /* a process or thread keyring is made with its first key */
            *ret = NULL;
            *ret_count = 0;
            return TENUO_OK;
        }
        if (n < 0)
            return ring_failed(r, "the list of keys", error);
        room = (size_t)n / sizeof *v + 64;
        if (room > RING_KEYS_MAX) {
            r->host->error(r->host, "the keyring '%s' holds more than %d keys: use one of its own for these", r->name,
                           RING_KEYS_MAX);
            return TENUO_E_UNAVAILABLE;
        }
    }
}

/* "user;UID;GID;PERM;PREFIX..." with our prefix, and a name behind it. */
static bool our_name(const struct ring *r, key_serial_t key, struct ring_name *ret_name)
{
    const size_t tail = sizeof RING_PUBLIC - 1;
    char text[512], id[TENUO_KEY_ID_MAX + 1];
    uint32_t version;
    long n = keyctl_describe(key, text, sizeof text);
    if (n <= 0 || (size_t)n > sizeof text || strncmp(text, "user;", 5) != 0)
        return false;
    const char *desc = text;
    for (int i = 0; i < 4 && desc != NULL; i++) {
        desc = strchr(desc, ';');
        desc = desc != NULL ? desc + 1 : NULL;
    }
    if (desc == NULL || strncmp(desc, r->prefix, strlen(r->prefix)) != 0)
        return false;
    desc += strlen(r->prefix);
    size_t len = strlen(desc);
    ret_name->is_public = len > tail && strcmp(desc + len - tail, RING_PUBLIC) == 0;
    if (!tn_version_parse(desc, ret_name->is_public ? len - tail : len, id, &version))
        return false;
    tn_version_name(id, version, ret_name->name);
    return true;
}

int ring_list(const struct ring *r, struct ring_names *ret_names)
{
    key_serial_t ring = 0, *serials = NULL;
    struct ring_names names = { 0 };
    size_t n = 0;
    int code = ring_find(r, &ring);
    if (code == TENUO_OK)
        code = read_serials(r, ring, &serials, &n);
    if (code != TENUO_OK)
        return code;
    names.v = calloc(n + 1, sizeof names.v[0]);
    for (size_t i = 0; names.v != NULL && i < n; i++)
        if (our_name(r, serials[i], &names.v[names.count]))
            names.count++;
    free(serials);
    if (names.v == NULL)
        return TENUO_E_NOMEM;
    *ret_names = names;
    return TENUO_OK;
}
