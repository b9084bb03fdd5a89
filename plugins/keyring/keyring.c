/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Resolver "keyring": 32-byte seeds as keys of type user in a keyring of the kernel, PREFIX and the key id being their
 * description. The public key lies beside each, readable without the right to sign. Keeps nothing.
 */
#include "ring.h"

#include <errno.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define DEFAULT_PREFIX "tenuo:"
#define MOST_TIMEOUT_MS 2147483647000u

#define READ_TRIES 16 /* when rotations come between */

enum { KEYRING, PREFIX, KEY_TIMEOUT };

static bool good_name(const char *name)
{
    static const char *const words[] = { "session", "user", "user_session", "process", "thread", "persistent" };
    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++)
        if (strcmp(name, words[i]) == 0)
            return true;
    return strncmp(name, "%:", 2) == 0 && name[2] != '\0' && strlen(name) < sizeof((struct ring *)NULL)->name;
}

static int fill(struct ring *r, const struct tenuo_host *host, const struct tenuo_arg *args)
{
    const char *name = args[KEYRING].value != NULL ? args[KEYRING].value : "user";
    const char *prefix = args[PREFIX].value != NULL ? args[PREFIX].value : DEFAULT_PREFIX;
    if (!good_name(name)) {
        host->error(host,
                    "keyring: want session, user, user_session, persistent, process, thread, or %%:NAME of a keyring "
                    "that is linked into one of them");
        return TENUO_E_CONF;
    }
    if (prefix[0] == '\0' || strlen(prefix) > RING_PREFIX_MAX || strpbrk(prefix, ";@#") != NULL) {
        host->error(host, "prefix: want 1 to %d characters without ';', '@' and '#'", RING_PREFIX_MAX);
        return TENUO_E_CONF;
    }
    if (args[KEY_TIMEOUT].value != NULL &&
        (args[KEY_TIMEOUT].number < 1000 || args[KEY_TIMEOUT].number > MOST_TIMEOUT_MS)) {
        host->error(host, "key_timeout: want a second or more");
        return TENUO_E_CONF;
    }
    r->host = host;
    snprintf(r->name, sizeof r->name, "%s", name);
    snprintf(r->prefix, sizeof r->prefix, "%s", prefix);
    r->timeout_s = args[KEY_TIMEOUT].value != NULL ? (uint32_t)(args[KEY_TIMEOUT].number / 1000) : 0;
    return TENUO_OK;
}

/* Keys of a process or a thread are not found by another one: whoever writes such a line should know. */
static int keyring_check(const struct tenuo_host *host, const struct tenuo_arg *args, size_t nargs)
{
    struct ring r;
    (void)nargs;
    int code = fill(&r, host, args);
    if (code != TENUO_OK || (strcmp(r.name, "process") != 0 && strcmp(r.name, "thread") != 0))
        return code;
    host->error(host,
                "keyring=%s: a key that a command stores here ends with the command: use user, session or persistent",
                r.name);
    return TENUO_E_UNAVAILABLE;
}

static int keyring_open(const struct tenuo_host *host, const struct tenuo_arg *args, size_t nargs, void **ret_self)
{
    (void)nargs;
    if (sodium_init() < 0) {
        host->error(host, "libsodium cannot start: no randomness from the system");
        return TENUO_E_SYSTEM;
    }
    struct ring *r = calloc(1, sizeof *r);
    if (r == NULL)
        return TENUO_E_NOMEM;
    int code = fill(r, host, args);
    if (code != TENUO_OK) {
        free(r);
        return code;
    }
    *ret_self = r;
    return TENUO_OK;
}

static void keyring_close(void *self)
{
    free(self);
}

static void note_all(struct tn_versions *v, const char *key_id, const struct ring_names *names)
{
    for (size_t i = 0; i < names->count; i++) {
        const struct ring_name *n = &names->v[i];
        (n->is_public ? tn_versions_note_removed : tn_versions_note)(v, key_id, n->name, strlen(n->name));
    }
}

static void public_of(const uint8_t seed[TENUO_SEED_BYTES], uint8_t ret_key[TENUO_PUBKEY_BYTES])
{
    uint8_t secret[crypto_sign_SECRETKEYBYTES];
    crypto_sign_seed_keypair(ret_key, secret, seed);
    sodium_memzero(secret, sizeof secret);
}

/* Both parts as they are at one moment. *ret_fits: no public part, or that of the seed, or a seed that we may not read.
 */
static int read_parts(const struct ring *r, const char *name, uint8_t key[TENUO_PUBKEY_BYTES], bool *ret_fits)
{
    uint8_t seed[TENUO_SEED_BYTES], stated[TENUO_PUBKEY_BYTES];
    const int said = ring_read(r, name, RING_PUBLIC, stated);
    int code = ring_read(r, name, "", seed);
    if (code == TENUO_OK)
        public_of(seed, key);
    sodium_memzero(seed, sizeof seed);
    *ret_fits = said != TENUO_OK || code != TENUO_OK || memcmp(stated, key, sizeof stated) == 0;
    if (said == TENUO_OK && code == TENUO_E_KEY_DENIED) { /* readable without the right to sign */
        memcpy(key, stated, sizeof stated);
        return TENUO_OK;
    }
    return said == TENUO_OK || said == TENUO_E_KEY_NOT_FOUND ? code : said;
}

/* A key that somebody else stored has no public part; one that does not fit was put there to have warrants made out to
 * it. A rotation between the two looks the same, so it is looked at again. */
static int read_public(const struct ring *r, const char *name, uint8_t ret_key[TENUO_PUBKEY_BYTES])
{
    uint8_t key[TENUO_PUBKEY_BYTES];
    bool fits = false;
    int code = TENUO_OK;
    for (int i = 0; i < READ_TRIES && code == TENUO_OK && !fits; i++)
        code = read_parts(r, name, key, &fits);
    if (code == TENUO_OK && !fits) {
        r->host->error(r->host,
                       "%s%s" RING_PUBLIC " in the keyring '%s' is not the public key of the seed beside it: one of "
                       "them was replaced",
                       r->prefix, name, r->name);
        return TENUO_E_KEY_INVALID;
    }
    if (code == TENUO_OK)
        memcpy(ret_key, key, sizeof key);
    return code;
}

/* An ID@N with the key of ID is a rotation under way, or one that was cut off: until ID is replaced, ID itself has the
 * number N. */
static void uncount_copy(const struct ring *r, const char *key_id, struct tn_versions *v)
{
    char name[TN_VERSION_NAME_BYTES];
    uint8_t plain[TENUO_PUBKEY_BYTES], copy[TENUO_PUBKEY_BYTES];
    if (!v->plain || v->count == 0 || v->n[v->count - 1] != v->highest)
        return;
    tn_version_name(key_id, v->highest, name);
    if (read_public(r, key_id, plain) == TENUO_OK && read_public(r, name, copy) == TENUO_OK &&
        memcmp(plain, copy, sizeof plain) == 0) {
        v->count--;
        v->highest--;
    }
}

static int find_versions(const struct ring *r, const char *key_id, struct tn_versions *v)
{
    struct ring_names names = { 0 };
    *v = (struct tn_versions){ 0 };
    int code = ring_list(r, &names);
    if (code != TENUO_OK)
        return code;
    note_all(v, key_id, &names);
    free(names.v);
    uncount_copy(r, key_id, v);
    return TENUO_OK;
}

/* Under which name a version is. The newest is under the plain id wherever the kernel finds it, also in a keyring that
 * is linked into ours; its number is what lies directly in ours. */
static int name_of(const struct ring *r, const char *key_id, uint32_t version, char ret_name[TN_VERSION_NAME_BYTES],
                   struct tn_versions *v)
{
    uint32_t suffix = 0;
    int code = find_versions(r, key_id, v);
    if (code != TENUO_OK)
        return code;
    if (version != 0 && !tn_versions_find(v, version, &suffix)) {
        r->host->error(r->host, "%s%s in the keyring '%s' has no version %u", r->prefix, key_id, r->name,
                       (unsigned)version);
        return TENUO_E_KEY_NOT_FOUND;
    }
    tn_version_name(key_id, suffix, ret_name);
    /* A listing does not show what was revoked or has expired; its public part may still be there. */
    return suffix == 0 && !v->plain && ring_is_dead(r, key_id) ? ring_check(r, key_id) : TENUO_OK;
}

/* A number that the plain id has now may be another key's at the next moment: then it is looked for again. `read` is
 * ring_read of the seed, or read_public. */
static int read_version(const struct ring *r, const char *key_id, uint32_t version,
                        int (*read)(const struct ring *r, const char *name, uint8_t ret_bytes[32]),
                        uint8_t ret_bytes[32], struct tn_versions *ret_versions)
{
    char name[TN_VERSION_NAME_BYTES];
    struct tn_versions now;
    for (int i = 0; i < READ_TRIES; i++) {
        int code = name_of(r, key_id, version, name, ret_versions);
        if (code != TENUO_OK)
            return code;
        code = read(r, name, ret_bytes);
        if (strchr(name, '@') != NULL || (find_versions(r, key_id, &now) == TENUO_OK &&
                                          tn_versions_newest(&now) == tn_versions_newest(ret_versions)))
            return code;
    }
    r->host->error(r->host, "%s%s in the keyring '%s' is rotated faster than it can be read: try again", r->prefix,
                   key_id, r->name);
    return TENUO_E_UNAVAILABLE;
}

static int read_seed(const struct ring *r, const char *name, uint8_t ret_seed[TENUO_SEED_BYTES])
{
    return ring_read(r, name, "", ret_seed);
}

static int keyring_export_seed(void *self, const char *key_id, uint32_t version, uint8_t ret_seed[TENUO_SEED_BYTES])
{
    uint8_t seed[TENUO_SEED_BYTES];
    struct tn_versions v;
    int code = version == 0 ? read_seed(self, key_id, seed) : read_version(self, key_id, version, read_seed, seed, &v);
    if (code == TENUO_OK)
        memcpy(ret_seed, seed, sizeof seed);
    sodium_memzero(seed, sizeof seed);
    return code;
}

static int keyring_public_key(void *self, const char *key_id, uint32_t version, uint8_t ret_key[TENUO_PUBKEY_BYTES],
                              uint32_t *ret_version)
{
    uint8_t key[TENUO_PUBKEY_BYTES];
    struct tn_versions v;
    int code = read_version(self, key_id, version, read_public, key, &v);
    if (code != TENUO_OK)
        return code;
    memcpy(ret_key, key, sizeof key);
    *ret_version = version != 0 ? version : tn_versions_newest(&v);
    return TENUO_OK;
}

/* key NULL: it cannot be read. */
static void describe(const struct ring *r, const char *key_id, uint32_t version, const uint8_t *key,
                     const struct tn_versions *v, struct tenuo_key_entry *entry)
{
    snprintf(entry->id, sizeof entry->id, "%s", key_id);
    entry->newest = tn_versions_newest(v);
    entry->oldest = v->plain ? tn_versions_oldest(v) : 0; /* of a linked keyring nothing is known */
    entry->version = version != 0 ? version : entry->newest;
    entry->has_public_key = key != NULL;
    if (key != NULL)
        memcpy(entry->public_key, key, sizeof entry->public_key);
    snprintf(entry->note, sizeof entry->note, entry->has_public_key ? "keyring %s" : "no usable key in keyring %s",
             r->name);
}

static int keyring_describe(void *self, const char *key_id, uint32_t version, struct tenuo_key_entry *ret_entry)
{
    struct tenuo_key_entry entry = { .size = sizeof entry };
    uint8_t key[TENUO_PUBKEY_BYTES];
    struct tn_versions v;
    int code = read_version(self, key_id, version, read_public, key, &v);
    if (code != TENUO_OK)
        return code;
    describe(self, key_id, version, key, &v, &entry);
    *ret_entry = entry;
    return TENUO_OK;
}

static int keyring_list(void *self, int (*each)(void *arg, const struct tenuo_key_entry *entry), void *arg)
{
    struct ring_names names = { 0 };
    int code = ring_list(self, &names);
    for (size_t i = 0; code == TENUO_OK && i < names.count; i++) {
        const char *id = names.v[i].name;
        struct tenuo_key_entry entry = { .size = sizeof entry };
        struct tn_versions v = { 0 };
        uint8_t key[TENUO_PUBKEY_BYTES];
        if (strchr(id, '@') != NULL || names.v[i].is_public)
            continue;
        const bool good = read_version(self, id, 0, read_public, key, &v) == TENUO_OK;
        describe(self, id, 0, good ? key : NULL, &v, &entry);
        if (each(arg, &entry) != 0)
            break;
    }
    free(names.v);
    return code;
}

static int write_public(const struct ring *r, const char *name, const uint8_t seed[TENUO_SEED_BYTES])
{
    uint8_t key[TENUO_PUBKEY_BYTES];
    public_of(seed, key);
    return ring_write(r, name, RING_PUBLIC, key, 0); /* also a record of the number: it outlives the seed */
}

/* A new name: both parts or none, since a public part alone looks like a version that was removed. The seed first: it
 * is complete without the other. */
static int write_pair(const struct ring *r, const char *name, const uint8_t seed[TENUO_SEED_BYTES], uint32_t seconds)
{
    int code = ring_write(r, name, "", seed, seconds);
    if (code != TENUO_OK)
        return code;
    code = write_public(r, name, seed);
    if (code != TENUO_OK)
        (void)ring_drop(r, name, "");
    return code;
}

static int same_time(const struct ring *r, const char *key_id)
{
    r->host->error(r->host,
                   "%s%s in the keyring '%s' was changed at the same time by somebody else: look, then try again",
                   r->prefix, key_id, r->name);
    return TENUO_E_KEY_CONFLICT;
}

/* The public part goes first and comes back last, so that at no time one is beside the seed of another key. When it
 * cannot be written the key works without it. */
static int replace_newest(const struct ring *r, const char *key_id, const uint8_t old[TENUO_SEED_BYTES],
                          const uint8_t seed[TENUO_SEED_BYTES])
{
    uint8_t now[TENUO_SEED_BYTES];
    int code = ring_read(r, key_id, "", now);
    if (code == TENUO_OK && sodium_memcmp(now, old, sizeof now) != 0)
        code = same_time(r, key_id);
    if (code == TENUO_OK)
        code = ring_drop(r, key_id, RING_PUBLIC);
    if (code == TENUO_OK) {
        code = ring_write(r, key_id, "", seed, r->timeout_s);
        if (write_public(r, key_id, code == TENUO_OK ? seed : old) != TENUO_OK)
            r->host->log(r->host, TENUO_LOG_WARNING, "%s%s has no public part: the key works without it", r->prefix,
                         key_id);
    }
    if (code == TENUO_OK)
        code = ring_read(r, key_id, "", now);
    if (code == TENUO_OK && sodium_memcmp(now, seed, sizeof now) != 0)
        code = same_time(r, key_id);
    sodium_memzero(now, sizeof now);
    return code;
}

/* The kernel's add_key writes over what is there, so the one before is first put under its number. */
static int rotate(const struct ring *r, const char *key_id, uint32_t number, const uint8_t seed[TENUO_SEED_BYTES])
{
    uint8_t old[TENUO_SEED_BYTES];
    char name[TN_VERSION_NAME_BYTES];
    uint32_t left = 0;
    tn_version_name(key_id, number, name);
    int code = ring_read(r, key_id, "", old);
    if (code == TENUO_OK)
        code = ring_left(r, key_id, &left);
    if (code == TENUO_OK && sodium_memcmp(old, seed, sizeof old) == 0) {
        r->host->error(r->host, "%s%s in the keyring '%s' is that very key: rotate to a new one", r->prefix, key_id,
                       r->name);
        code = TENUO_E_KEY_CONFLICT;
    }
    if (code == TENUO_OK)
        code = write_pair(r, name, old, left);
    if (code == TENUO_OK)
        code = replace_newest(r, key_id, old, seed);
    sodium_memzero(old, sizeof old);
    return code;
}

/* Whoever asks for a number shall never get another key: neither one that was removed, nor, when its public part is not
 * there, one of which nothing but the number is known. */
static int leave_record(const struct ring *r, const char *key_id, const char *of, uint32_t number)
{
    uint8_t key[TENUO_PUBKEY_BYTES] = { 0 };
    char name[TN_VERSION_NAME_BYTES];
    tn_version_name(key_id, number, name);
    if (ring_read(r, of, RING_PUBLIC, key) != TENUO_OK)
        (void)read_public(r, of, key);
    return ring_write(r, name, RING_PUBLIC, key, 0);
}

/* The newest was revoked or has expired: what comes now is another version. */
static int bury(const struct ring *r, const char *key_id, struct tn_versions *v)
{
    int code = leave_record(r, key_id, key_id, v->highest + 1);
    if (code == TENUO_OK)
        code = ring_drop(r, key_id, RING_PUBLIC);
    if (code == TENUO_OK)
        v->highest++;
    return code;
}

static int import_new(const struct ring *r, const char *key_id, const uint8_t seed[TENUO_SEED_BYTES],
                      uint32_t *ret_version)
{
    struct tn_versions v = { 0 };
    int code = ring_look(r, key_id);
    if (code == TENUO_OK) {
        r->host->error(r->host, "%s%s is in the keyring '%s' already: rotate it, or remove it first", r->prefix, key_id,
                       r->name);
        return TENUO_E_KEY_CONFLICT;
    }
    if (code == TENUO_E_KEY_NOT_FOUND)
        code = find_versions(r, key_id, &v);
    if (code == TENUO_OK && ring_is_dead(r, key_id))
        code = bury(r, key_id, &v);
    if (code == TENUO_OK)
        code = write_pair(r, key_id, seed, r->timeout_s);
    if (code == TENUO_OK)
        *ret_version = v.highest + 1;
    return code;
}

static int import_version(const struct ring *r, const char *key_id, const uint8_t seed[TENUO_SEED_BYTES],
                          uint32_t *ret_version)
{
    struct tn_versions v = { 0 };
    int code = ring_look(r, key_id);
    if (code == TENUO_E_KEY_NOT_FOUND)
        return ring_check(r, key_id); /* says which: there is none, or it was revoked */
    if (code == TENUO_OK)
        code = find_versions(r, key_id, &v);
    if (code != TENUO_OK)
        return code;
    const uint32_t newest = tn_versions_newest(&v);
    if (newest == 0) {
        r->host->error(r->host, "%s%s lies in a keyring linked into '%s': name that one to rotate it", r->prefix,
                       key_id, r->name);
        return TENUO_E_KEY_DENIED;
    }
    if (v.full || v.count >= TENUO_KEY_VERSIONS_MAX - 1) {
        r->host->error(r->host, "%s%s has %zu versions: remove old ones first", r->prefix, key_id, v.count + 1);
        return TENUO_E_KEY_DENIED;
    }
    code = rotate(r, key_id, newest, seed);
    if (code == TENUO_OK)
        *ret_version = newest + 1;
    return code;
}

static int keyring_import(void *self, const char *key_id, unsigned flags, const uint8_t seed[TENUO_SEED_BYTES],
                          uint32_t *ret_version)
{
    return (flags & TENUO_STORE_NEW_VERSION) != 0 ? import_version(self, key_id, seed, ret_version)
                                                  : import_new(self, key_id, seed, ret_version);
}

/* The newest last: until then nothing is lost but old versions. */
static int remove_all(const struct ring *r, const char *key_id)
{
    struct ring_names names = { 0 };
    char id[TENUO_KEY_ID_MAX + 1];
    uint32_t version;
    int code = ring_look(r, key_id) == TENUO_E_KEY_NOT_FOUND ? ring_remove(r, key_id, "") : ring_list(r, &names);
    for (size_t i = 0; code == TENUO_OK && i < names.count; i++) {
        const struct ring_name *n = &names.v[i];
        if (tn_version_parse(n->name, strlen(n->name), id, &version) && strcmp(id, key_id) == 0 && version != 0)
            code = ring_remove(r, n->name, n->is_public ? RING_PUBLIC : "");
    }
    free(names.v);
    if (code == TENUO_OK)
        code = ring_remove(r, key_id, "");
    return code == TENUO_OK ? ring_drop(r, key_id, RING_PUBLIC) : code;
}

static int keyring_remove(void *self, const char *key_id, uint32_t version)
{
    struct ring *r = self;
    char name[TN_VERSION_NAME_BYTES];
    struct tn_versions v;
    int code = name_of(r, key_id, version, name, &v);
    if (code != TENUO_OK)
        return code;
    const bool newest = version == tn_versions_newest(&v);
    if (version == 0 || (newest && v.count == 0))
        return remove_all(r, key_id);
    if (newest) {
        r->host->error(r->host, "'%s@%u' is the newest version: rotate first, or remove '%s' with all its versions",
                       key_id, (unsigned)version, key_id);
        return TENUO_E_INVALID_ARGUMENT;
    }
    code = leave_record(r, key_id, name, version);
    return code == TENUO_OK ? ring_remove(r, name, "") : code;
}

static const struct tenuo_arg_spec args[] = {
    { "keyring", TENUO_ARG_STRING, 0, "session, user, user_session, persistent, process, thread or %:NAME (user)" },
    { "prefix", TENUO_ARG_STRING, 0, "what stands before the key id in the description (" DEFAULT_PREFIX ")" },
    { "key_timeout", TENUO_ARG_DURATION, 0, "how long a key that is stored here lives (without end)" },
    { NULL, 0, 0, NULL },
};

static const struct tenuo_resolver_ops ops = {
    .size = sizeof ops,
    .open = keyring_open,
    .close = keyring_close,
    .check = keyring_check,
    .public_key = keyring_public_key,
    .export_seed = keyring_export_seed,
    .list = keyring_list,
    .describe = keyring_describe,
    .import = keyring_import,
    .remove = keyring_remove,
};

TENUO_PLUGIN_EXPORT const struct tenuo_plugin_v1 tenuo_plugin_v1 = {
    .magic = TENUO_PLUGIN_MAGIC,
    .abi_major = TENUO_PLUGIN_ABI_MAJOR,
    .abi_minor = TENUO_PLUGIN_ABI_MINOR,
    .size = sizeof tenuo_plugin_v1,
    .flags = TENUO_PLUGIN_THREAD_SAFE | TENUO_PLUGIN_FORK_SAFE | TENUO_PLUGIN_NO_NETWORK,
    .name = "keyring",
    .version = "1.0",
    .summary = "private keys in a keyring of the kernel",
    .args = args,
    .resolver = &ops,
};
