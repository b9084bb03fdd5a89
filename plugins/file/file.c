/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Resolver "file": one key per file, ID.key with ID.pub beside it, in a directory or among the service manager's
 * credentials. The directory is walked and judged at every call, so that a wrong chmod is seen at once. Never follows a
 * link, never keeps a seed.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "../../common/keyfile.h"
#include "../../common/keytext.h"
#include "../../core/trust.h"
#include <tenuo/plugin.h>

#define DEFAULT_PATH "/var/lib/tenuo/keys"
#define PLACE "{key_id}"
#define PART_MAX 100
#define NAME_BYTES (PART_MAX + TENUO_KEY_ID_MAX + PART_MAX + 1)

/* A key's file is prefix + id + suffix in `path`, or in the credentials directory when path is NULL. */
struct store {
    const struct tenuo_host *host;
    char *path;
    char prefix[PART_MAX + 1], suffix[PART_MAX + 1];
    unsigned flags; /* TN_KEYFILE_... of the key files */
};

static bool set_part(char part[PART_MAX + 1], const char *text, size_t n)
{
    if (n > PART_MAX || memchr(text, '/', n) != NULL)
        return false;
    memcpy(part, text, n);
    part[n] = '\0';
    return true;
}

static int set_template(struct store *s, const char *template)
{
    const char *place = strstr(template, PLACE);
    const char *rest = place == NULL ? NULL : place + sizeof PLACE - 1;
    if (place == NULL || strpbrk(rest, "{}") != NULL || !set_part(s->prefix, template, (size_t)(place - template)) ||
        strpbrk(s->prefix, "{}") != NULL || !set_part(s->suffix, rest, strlen(rest))) {
        s->host->error(s->host,
                       "credential: want a name with " PLACE " once in it and no '/', for example tenuo-" PLACE);
        return TENUO_E_CONF;
    }
    s->flags = TN_KEYFILE_CREDENTIAL;
    return TENUO_OK;
}

static int set_path(struct store *s, const char *path)
{
    (void)set_part(s->suffix, ".key", 4);
    s->path = strdup(path);
    return s->path != NULL ? TENUO_OK : TENUO_E_NOMEM;
}

/* Opens the directory. A store that is not there did not answer: that is not "no such key". */
static int open_dir(const struct store *s, int *ret_fd)
{
    const char *path = s->path != NULL ? s->path : secure_getenv("CREDENTIALS_DIRECTORY");
    struct tenuo_error err;
    if (path == NULL) {
        s->host->error(s->host, "CREDENTIALS_DIRECTORY is not set: the service manager passed no credential");
        return TENUO_E_UNAVAILABLE;
    }
    int r = tn_trust_open(path, TN_TRUST_DIR, TENUO_E_KEY_DENIED, ret_fd, &err);
    if (r == TENUO_OK)
        return r;
    s->host->error(s->host, "%s", err.msg);
    return r == TENUO_E_SYSTEM ? TENUO_E_UNAVAILABLE : r;
}

static void file_close(void *self)
{
    struct store *s = self;
    if (s != NULL)
        free(s->path);
    free(s);
}

static int make_store(const struct tenuo_host *host, const struct tenuo_arg *args, size_t nargs, struct store **ret)
{
    const char *path = nargs > 0 ? args[0].value : NULL, *credential = nargs > 1 ? args[1].value : NULL;
    if (path != NULL && credential != NULL) {
        host->error(host, "path and credential exclude each other: use two lines");
        return TENUO_E_CONF;
    }
    struct store *s = calloc(1, sizeof *s);
    if (s == NULL)
        return TENUO_E_NOMEM;
    s->host = host;
    int r = credential != NULL ? set_template(s, credential) : set_path(s, path != NULL ? path : DEFAULT_PATH);
    if (r != TENUO_OK) {
        file_close(s);
        return r;
    }
    *ret = s;
    return TENUO_OK;
}

static int try_dir(const struct store *s)
{
    int fd = -1, r = open_dir(s, &fd);
    if (fd >= 0)
        close(fd);
    return r;
}

/* The credentials directory is the service's alone: nothing can be said of it here. */
static int file_check(const struct tenuo_host *host, const struct tenuo_arg *args, size_t nargs)
{
    struct store *s = NULL;
    int r = make_store(host, args, nargs, &s);
    if (r != TENUO_OK)
        return r;
    r = s->path != NULL ? try_dir(s) : TENUO_OK;
    file_close(s);
    return r;
}

/* A directory that anybody can write to is refused here already; one that is missing may still come. */
static int file_open(const struct tenuo_host *host, const struct tenuo_arg *args, size_t nargs, void **ret_self)
{
    struct store *s = NULL;
    if (sodium_init() < 0) {
        host->error(host, "libsodium cannot start: no randomness from the system");
        return TENUO_E_SYSTEM;
    }
    int r = make_store(host, args, nargs, &s);
    if (r != TENUO_OK)
        return r;
    r = try_dir(s);
    if (r != TENUO_OK && r != TENUO_E_UNAVAILABLE) {
        file_close(s);
        return r;
    }
    *ret_self = s;
    return TENUO_OK;
}

static bool valid_id(const char *id, size_t n)
{
    static const char allowed[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._-";
    return n > 0 && n <= TENUO_KEY_ID_MAX && strspn(id, allowed) >= n;
}

static int key_name(const struct store *s, const char *key_id, char name[NAME_BYTES])
{
    if (!valid_id(key_id, strlen(key_id)))
        return TENUO_E_INVALID_ARGUMENT;
    snprintf(name, NAME_BYTES, "%s%s%s", s->prefix, key_id, s->suffix);
    return TENUO_OK;
}

static void public_name(const char *key_id, char name[NAME_BYTES])
{
    snprintf(name, NAME_BYTES, "%s.pub", key_id);
}

/* Says what is wrong with which file, and what that means for the caller. */
static int judge(const struct store *s, const char *name, enum tn_keyfile_result result, const char *why)
{
    if (result == TN_KEYFILE_OK)
        return TENUO_OK;
    s->host->error(s->host, "%s/%s: %s", s->path != NULL ? s->path : "credentials", name, why);
    switch (result) {
    case TN_KEYFILE_OK:
        break;
    case TN_KEYFILE_MISSING:
        return TENUO_E_KEY_NOT_FOUND;
    case TN_KEYFILE_DENIED:
        return TENUO_E_KEY_DENIED;
    case TN_KEYFILE_INVALID:
        return TENUO_E_KEY_INVALID;
    case TN_KEYFILE_SYSTEM:
        return TENUO_E_UNAVAILABLE;
    }
    return TENUO_E_UNAVAILABLE;
}

static int read_seed(const struct store *s, int dir, const char *key_id, uint8_t ret_seed[TENUO_SEED_BYTES])
{
    char name[NAME_BYTES], why[160];
    size_t len = 0;
    int r = key_name(s, key_id, name);
    if (r != TENUO_OK)
        return r;
    uint8_t *data = sodium_malloc(TN_KEYFILE_MAX); /* wiped by sodium_free */
    if (data == NULL)
        return TENUO_E_NOMEM;
    r = judge(s, name, tn_keyfile_read(dir, name, s->flags, data, &len, why), why);
    if (r == TENUO_OK && !tn_seed_from_file(data, len, ret_seed))
        r = judge(s, name, TN_KEYFILE_INVALID, "holds no Ed25519 secret key (PKCS#8 PEM, hex, base64 or 32 raw bytes)");
    sodium_free(data);
    return r;
}

static void public_of(const uint8_t seed[TENUO_SEED_BYTES], uint8_t ret_key[TENUO_PUBKEY_BYTES])
{
    uint8_t secret[crypto_sign_SECRETKEYBYTES];
    crypto_sign_seed_keypair(ret_key, secret, seed);
    sodium_memzero(secret, sizeof secret);
}

/* TENUO_E_KEY_NOT_FOUND, without a sentence, when there is no ID.pub: it is optional. */
static int read_public(const struct store *s, int dir, const char *key_id, uint8_t ret_key[TENUO_PUBKEY_BYTES])
{
    char name[NAME_BYTES], why[160];
    size_t len = 0;
    if (s->path == NULL)
        return TENUO_E_KEY_NOT_FOUND;
    public_name(key_id, name);
    uint8_t *data = malloc(TN_KEYFILE_MAX);
    if (data == NULL)
        return TENUO_E_NOMEM;
    enum tn_keyfile_result result = tn_keyfile_read(dir, name, TN_KEYFILE_PUBLIC, data, &len, why);
    int r = result == TN_KEYFILE_MISSING ? TENUO_E_KEY_NOT_FOUND : judge(s, name, result, why);
    if (r == TENUO_OK && !tn_public_from_text((const char *)data, len, ret_key))
        r = judge(s, name, TN_KEYFILE_INVALID, "holds no Ed25519 public key (SPKI PEM, hex or base64)");
    free(data);
    return r;
}

/* The seed, and a complaint when ID.pub is of another key: then one of the two was replaced. */
static int read_pair(const struct store *s, int dir, const char *key_id, uint8_t ret_seed[TENUO_SEED_BYTES],
                     uint8_t ret_key[TENUO_PUBKEY_BYTES])
{
    uint8_t stated[TENUO_PUBKEY_BYTES];
    char name[NAME_BYTES];
    int r = read_seed(s, dir, key_id, ret_seed);
    if (r != TENUO_OK)
        return r;
    public_of(ret_seed, ret_key);
    r = read_public(s, dir, key_id, stated);
    if (r == TENUO_E_KEY_NOT_FOUND)
        return TENUO_OK;
    if (r == TENUO_OK && memcmp(stated, ret_key, sizeof stated) != 0) {
        public_name(key_id, name);
        r = judge(s, name, TN_KEYFILE_INVALID,
                  "is not the public key of the secret beside it: one of them was replaced");
    }
    if (r != TENUO_OK)
        sodium_memzero(ret_seed, TENUO_SEED_BYTES);
    return r;
}

static int file_export_seed(void *self, const char *key_id, uint32_t version, uint8_t ret_seed[TENUO_SEED_BYTES])
{
    uint8_t seed[TENUO_SEED_BYTES], key[TENUO_PUBKEY_BYTES];
    int dir = -1, r = version == 0 ? open_dir(self, &dir) : TENUO_E_KEY_NOT_FOUND;
    if (r != TENUO_OK)
        return r;
    r = read_pair(self, dir, key_id, seed, key);
    close(dir);
    if (r == TENUO_OK)
        memcpy(ret_seed, seed, sizeof seed);
    sodium_memzero(seed, sizeof seed);
    return r;
}

/* ID.pub first: it can be read without the right to sign. */
static int find_public(const struct store *s, int dir, const char *key_id, uint8_t ret_key[TENUO_PUBKEY_BYTES])
{
    uint8_t seed[TENUO_SEED_BYTES];
    int r = valid_id(key_id, strlen(key_id)) ? read_public(s, dir, key_id, ret_key) : TENUO_E_INVALID_ARGUMENT;
    if (r != TENUO_E_KEY_NOT_FOUND)
        return r;
    r = read_seed(s, dir, key_id, seed);
    if (r == TENUO_OK)
        public_of(seed, ret_key);
    sodium_memzero(seed, sizeof seed);
    return r;
}

static int file_public_key(void *self, const char *key_id, uint32_t version, uint8_t ret_key[TENUO_PUBKEY_BYTES],
                           uint32_t *ret_version)
{
    int dir = -1, r = version == 0 ? open_dir(self, &dir) : TENUO_E_KEY_NOT_FOUND;
    if (r != TENUO_OK)
        return r;
    r = find_public(self, dir, key_id, ret_key);
    close(dir);
    if (r == TENUO_OK)
        *ret_version = 0;
    return r;
}

static int describe_in(const struct store *s, int dir, const char *key_id, struct tenuo_key_entry *ret_entry)
{
    struct tenuo_key_entry entry = { .size = sizeof entry };
    int r = find_public(s, dir, key_id, entry.public_key);
    if (r != TENUO_OK)
        return r;
    entry.has_public_key = 1;
    snprintf(entry.id, sizeof entry.id, "%s", key_id);
    snprintf(entry.note, sizeof entry.note, "%s", s->path != NULL ? "file" : "credential");
    *ret_entry = entry;
    return TENUO_OK;
}

static int file_describe(void *self, const char *key_id, uint32_t version, struct tenuo_key_entry *ret_entry)
{
    int dir = -1, r = version == 0 ? open_dir(self, &dir) : TENUO_E_KEY_NOT_FOUND;
    if (r != TENUO_OK)
        return r;
    r = describe_in(self, dir, key_id, ret_entry);
    close(dir);
    return r;
}

/* The id within a file name of this store. */
static bool id_of(const struct store *s, const char *name, char id[TENUO_KEY_ID_MAX + 1])
{
    size_t n = strlen(name), prefix = strlen(s->prefix), suffix = strlen(s->suffix);
    if (n <= prefix + suffix || n - prefix - suffix > TENUO_KEY_ID_MAX || strncmp(name, s->prefix, prefix) != 0 ||
        strcmp(name + n - suffix, s->suffix) != 0)
        return false;
    memcpy(id, name + prefix, n - prefix - suffix);
    id[n - prefix - suffix] = '\0';
    return id[0] != '.' && valid_id(id, strlen(id)); /* a dot in front is an unfinished write */
}

static int list_dir(struct store *s, DIR *dir, int (*each)(void *arg, const struct tenuo_key_entry *entry), void *arg)
{
    struct tenuo_key_entry entry;
    char id[TENUO_KEY_ID_MAX + 1];
    for (;;) {
        errno = 0;
        struct dirent *d = readdir(dir);
        if (d == NULL)
            return errno == 0 ? TENUO_OK : TENUO_E_UNAVAILABLE;
        if (!id_of(s, d->d_name, id))
            continue;
        entry = (struct tenuo_key_entry){ .size = sizeof entry, .note = "no usable key" };
        if (describe_in(s, dirfd(dir), id, &entry) != TENUO_OK)
            memcpy(entry.id, id, sizeof id);
        if (each(arg, &entry) != 0)
            return TENUO_OK;
    }
}

static int file_list(void *self, int (*each)(void *arg, const struct tenuo_key_entry *entry), void *arg)
{
    int fd = -1, r = open_dir(self, &fd);
    if (r != TENUO_OK)
        return r;
    DIR *dir = fdopendir(fd);
    if (dir == NULL) {
        close(fd);
        return TENUO_E_NOMEM;
    }
    r = list_dir(self, dir, each, arg);
    closedir(dir);
    return r;
}

/* Credentials belong to the service manager. */
static int open_writable(const struct store *s, const char *key_id, int *ret_dir)
{
    if (!valid_id(key_id, strlen(key_id)) || key_id[0] == '.')
        return TENUO_E_INVALID_ARGUMENT;
    if (s->path == NULL) {
        s->host->error(s->host, "credentials are the service manager's: this line cannot change them");
        return TENUO_E_KEY_DENIED;
    }
    return open_dir(s, ret_dir);
}

/* The secret first: without it ID.pub says nothing. A left-over ID.pub of a removed key is replaced. */
static int write_pair(const struct store *s, int dir, const char *key_id, const uint8_t seed[TENUO_SEED_BYTES],
                      const uint8_t key[TENUO_PUBKEY_BYTES])
{
    char pem[TN_KEYTEXT_SECRET_PEM], name[NAME_BYTES], secret[NAME_BYTES], why[160];
    size_t n = tn_seed_to_pem(seed, key, 1, pem);
    int r = key_name(s, key_id, secret);
    if (r == TENUO_OK)
        r = judge(s, secret, tn_keyfile_write(dir, secret, pem, n, 0600, false, why), why);
    sodium_memzero(pem, sizeof pem);
    if (r != TENUO_OK)
        return r;
    public_name(key_id, name);
    n = tn_public_to_pem(key, pem);
    r = judge(s, name, tn_keyfile_write(dir, name, pem, n, 0644, true, why), why);
    if (r != TENUO_OK)
        (void)unlinkat(dir, secret, 0);
    return r;
}

static int store_seed(struct store *s, const char *key_id, const uint8_t seed[TENUO_SEED_BYTES],
                      uint8_t ret_key[TENUO_PUBKEY_BYTES])
{
    uint8_t key[TENUO_PUBKEY_BYTES];
    int dir = -1, r = open_writable(s, key_id, &dir);
    if (r != TENUO_OK)
        return r;
    public_of(seed, key);
    r = write_pair(s, dir, key_id, seed, key);
    close(dir);
    if (r == TENUO_OK)
        memcpy(ret_key, key, sizeof key);
    return r;
}

static int file_generate(void *self, const char *key_id, unsigned flags, uint8_t ret_key[TENUO_PUBKEY_BYTES],
                         uint32_t *ret_version)
{
    uint8_t seed[TENUO_SEED_BYTES];
    if (flags != 0)
        return TENUO_E_INVALID_ARGUMENT;
    *ret_version = 0;
    randombytes_buf(seed, sizeof seed);
    int r = store_seed(self, key_id, seed, ret_key);
    sodium_memzero(seed, sizeof seed);
    return r;
}

static int file_import(void *self, const char *key_id, unsigned flags, const uint8_t seed[TENUO_SEED_BYTES],
                       uint32_t *ret_version)
{
    uint8_t key[TENUO_PUBKEY_BYTES];
    if (flags != 0)
        return TENUO_E_INVALID_ARGUMENT;
    *ret_version = 0;
    return store_seed(self, key_id, seed, key);
}

static int remove_pair(const struct store *s, int dir, const char *key_id)
{
    char name[NAME_BYTES];
    int r = key_name(s, key_id, name);
    if (r != TENUO_OK)
        return r;
    if (unlinkat(dir, name, 0) != 0) {
        if (errno == ENOENT)
            return judge(s, name, TN_KEYFILE_MISSING, "no such file");
        return judge(s, name, errno == EACCES || errno == EPERM ? TN_KEYFILE_DENIED : TN_KEYFILE_SYSTEM,
                     strerror(errno));
    }
    public_name(key_id, name);
    if (unlinkat(dir, name, 0) != 0 && errno != ENOENT)
        return judge(s, name, TN_KEYFILE_SYSTEM, strerror(errno));
    return fsync(dir) == 0 ? TENUO_OK : judge(s, name, TN_KEYFILE_SYSTEM, strerror(errno));
}

static int file_remove(void *self, const char *key_id, uint32_t version)
{
    int dir = -1, r = version == 0 ? open_writable(self, key_id, &dir) : TENUO_E_KEY_NOT_FOUND;
    if (r != TENUO_OK)
        return r;
    r = remove_pair(self, dir, key_id);
    close(dir);
    return r;
}

static const struct tenuo_arg_spec args[] = {
    { "path", TENUO_ARG_PATH, 0, "directory of ID.key files (" DEFAULT_PATH ")" },
    { "credential", TENUO_ARG_STRING, 0, "name of a service manager's credential, with " PLACE " in it" },
    { NULL, 0, 0, NULL },
};

static const struct tenuo_resolver_ops ops = {
    .size = sizeof ops,
    .open = file_open,
    .close = file_close,
    .check = file_check,
    .public_key = file_public_key,
    .export_seed = file_export_seed,
    .list = file_list,
    .describe = file_describe,
    .generate = file_generate,
    .import = file_import,
    .remove = file_remove,
};

TENUO_PLUGIN_EXPORT const struct tenuo_plugin_v1 tenuo_plugin_v1 = {
    .magic = TENUO_PLUGIN_MAGIC,
    .abi_major = TENUO_PLUGIN_ABI_MAJOR,
    .abi_minor = TENUO_PLUGIN_ABI_MINOR,
    .size = sizeof tenuo_plugin_v1,
    .flags = TENUO_PLUGIN_THREAD_SAFE | TENUO_PLUGIN_FORK_SAFE | TENUO_PLUGIN_NO_NETWORK,
    .name = "file",
    .version = "1.0",
    .summary = "private keys in files, or in credentials of the service manager",
    .args = args,
    .resolver = &ops,
};
