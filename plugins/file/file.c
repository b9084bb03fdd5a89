/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Resolver "file": one key per file, ID.key with ID.pub beside it, in a directory or among the service manager's
 * credentials; older versions under ID@N. The directory is walked and judged at every call, so that a wrong chmod is
 * seen at once. Never follows a link, never keeps a seed.
 */
#include "file.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "../../core/trust.h"

#define DEFAULT_PATH "/var/lib/tenuo/keys"
#define PLACE "{key_id}"
#define PUBLIC_SUFFIX ".pub"

static bool set_part(char part[FILE_PART_MAX + 1], const char *text, size_t n)
{
    if (n > FILE_PART_MAX || memchr(text, '/', n) != NULL)
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
int file_open_dir(const struct store *s, int *ret_fd)
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
    const bool missing = r == TENUO_E_SYSTEM && s->path != NULL && access(path, F_OK) != 0 && errno == ENOENT;
    s->host->error(s->host, missing ? "%s: make it with: install -d -m 0700 %s" : "%s", err.msg, path);
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
    int fd = -1, r = file_open_dir(s, &fd);
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

/* Credentials belong to the service manager. */
static unsigned file_can(void *self)
{
    const struct store *s = self;
    const unsigned not = TENUO_RESOLVER_NO_GENERATE | TENUO_RESOLVER_NO_IMPORT | TENUO_RESOLVER_NO_REMOVE;
    return TENUO_RESOLVER_EXPORTS | (s->path == NULL ? not : 0);
}

bool file_valid_id(const char *id)
{
    char copy[TENUO_KEY_ID_MAX + 1];
    uint32_t version = 1;
    return tn_version_parse(id, strlen(id), copy, &version) && version == 0;
}

void file_key_name(const struct store *s, const char *key_id, uint32_t suffix, char ret_name[FILE_NAME_BYTES])
{
    char name[TN_VERSION_NAME_BYTES];
    tn_version_name(key_id, suffix, name);
    snprintf(ret_name, FILE_NAME_BYTES, "%s%s%s", s->prefix, name, s->suffix);
}

void file_public_name(const char *key_id, uint32_t suffix, char ret_name[FILE_NAME_BYTES])
{
    char name[TN_VERSION_NAME_BYTES];
    tn_version_name(key_id, suffix, name);
    snprintf(ret_name, FILE_NAME_BYTES, "%s" PUBLIC_SUFFIX, name);
}

static bool between(const char *name, const char *prefix, const char *suffix, const char **ret_stem, size_t *ret_len)
{
    size_t n = strlen(name), before = strlen(prefix), after = strlen(suffix);
    if (n <= before + after || strncmp(name, prefix, before) != 0 || strcmp(name + n - after, suffix) != 0)
        return false;
    *ret_stem = name + before;
    *ret_len = n - before - after;
    return true;
}

bool file_stem(const struct store *s, const char *name, const char **ret_stem, size_t *ret_len, bool *ret_public)
{
    if (name[0] == '.') /* an unfinished write */
        return false;
    *ret_public = s->path != NULL && between(name, "", PUBLIC_SUFFIX, ret_stem, ret_len);
    return *ret_public || between(name, s->prefix, s->suffix, ret_stem, ret_len);
}

/* Says what is wrong with which file, and what that means for the caller. */
int file_judge(const struct store *s, const char *name, enum tn_keyfile_result result, const char *why)
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

static int too_fast(const struct store *s, const char *key_id)
{
    s->host->error(s->host, "%s/%s: it is rotated faster than it can be read: try again", s->path, key_id);
    return TENUO_E_UNAVAILABLE;
}

/* A number that the plain id has now may be another key's at the next moment: then it is looked for again. */
static int export_version(const struct store *s, int dir, const char *key_id, uint32_t version,
                          uint8_t ret_seed[TENUO_SEED_BYTES])
{
    uint8_t key[TENUO_PUBKEY_BYTES];
    struct tn_versions v;
    uint32_t suffix = 0;
    if (version == 0)
        return file_read_pair(s, dir, key_id, 0, ret_seed, key);
    for (int i = 0; i < FILE_READ_TRIES; i++) {
        int r = file_find(s, dir, key_id, version, &suffix, &v);
        if (r != TENUO_OK)
            return r;
        r = file_read_pair(s, dir, key_id, suffix, ret_seed, key);
        if (suffix != 0 || !file_moved(s, dir, key_id, &v))
            return r;
    }
    return too_fast(s, key_id);
}

static int file_export_seed(void *self, const char *key_id, uint32_t version, uint8_t ret_seed[TENUO_SEED_BYTES])
{
    uint8_t seed[TENUO_SEED_BYTES];
    int dir = -1, r = file_valid_id(key_id) ? file_open_dir(self, &dir) : TENUO_E_INVALID_ARGUMENT;
    if (r != TENUO_OK)
        return r;
    r = export_version(self, dir, key_id, version, seed);
    close(dir);
    if (r == TENUO_OK)
        memcpy(ret_seed, seed, sizeof seed);
    sodium_memzero(seed, sizeof seed);
    return r;
}

static void set_created(const struct store *s, int dir, uint32_t suffix, struct tenuo_key_entry *entry)
{
    char name[FILE_NAME_BYTES];
    struct stat st;
    file_key_name(s, entry->id, suffix, name);
    if (fstatat(dir, name, &st, AT_SYMLINK_NOFOLLOW) == 0)
        entry->created_at = st.st_mtim.tv_sec;
}

static int describe_in(const struct store *s, int dir, const char *key_id, uint32_t version,
                       struct tenuo_key_entry *ret_entry)
{
    struct tenuo_key_entry entry = { .size = sizeof entry };
    struct tn_versions v;
    uint32_t suffix = 0;
    bool moved = true;
    for (int i = 0; i < FILE_READ_TRIES && moved; i++) {
        int r = file_find(s, dir, key_id, version, &suffix, &v);
        if (r == TENUO_OK)
            r = file_read_public(s, dir, key_id, suffix, entry.public_key);
        moved = suffix == 0 && file_moved(s, dir, key_id, &v);
        if (r != TENUO_OK && !moved)
            return r;
    }
    if (moved)
        return too_fast(s, key_id);
    snprintf(entry.id, sizeof entry.id, "%s", key_id);
    entry.newest = tn_versions_newest(&v);
    entry.oldest = tn_versions_oldest(&v);
    entry.version = version != 0 ? version : entry.newest;
    entry.has_public_key = 1;
    snprintf(entry.note, sizeof entry.note, "%s", s->path != NULL ? "file" : "credential");
    set_created(s, dir, suffix, &entry);
    *ret_entry = entry;
    return TENUO_OK;
}

static int file_describe(void *self, const char *key_id, uint32_t version, struct tenuo_key_entry *ret_entry)
{
    int dir = -1, r = file_valid_id(key_id) ? file_open_dir(self, &dir) : TENUO_E_INVALID_ARGUMENT;
    if (r != TENUO_OK)
        return r;
    r = describe_in(self, dir, key_id, version, ret_entry);
    close(dir);
    return r;
}

static int file_public_key(void *self, const char *key_id, uint32_t version, uint8_t ret_key[TENUO_PUBKEY_BYTES],
                           uint32_t *ret_version)
{
    struct tenuo_key_entry entry;
    int r = file_describe(self, key_id, version, &entry);
    if (r != TENUO_OK)
        return r;
    memcpy(ret_key, entry.public_key, TENUO_PUBKEY_BYTES);
    *ret_version = entry.version;
    return TENUO_OK;
}

/* The id of a newest key's secret file. */
static bool listed_id(const struct store *s, const char *name, char id[TENUO_KEY_ID_MAX + 1])
{
    const char *stem;
    size_t n;
    uint32_t version;
    bool is_public;
    return file_stem(s, name, &stem, &n, &is_public) && !is_public && tn_version_parse(stem, n, id, &version) &&
           version == 0;
}

/* What is no usable key is listed with a note: people look for the mistake. */
static int list_dir(struct store *s, DIR *dir, int (*each)(void *arg, const struct tenuo_key_entry *entry), void *arg)
{
    struct tenuo_key_entry entry;
    char id[TENUO_KEY_ID_MAX + 1];
    for (;;) {
        errno = 0;
        struct dirent *d = readdir(dir);
        if (d == NULL)
            return errno == 0 ? TENUO_OK : TENUO_E_UNAVAILABLE;
        if (!listed_id(s, d->d_name, id))
            continue;
        entry = (struct tenuo_key_entry){ .size = sizeof entry, .note = "no usable key" };
        if (describe_in(s, dirfd(dir), id, 0, &entry) != TENUO_OK)
            memcpy(entry.id, id, sizeof id);
        if (each(arg, &entry) != 0)
            return TENUO_OK;
    }
}

static int file_list(void *self, int (*each)(void *arg, const struct tenuo_key_entry *entry), void *arg)
{
    int fd = -1, r = file_open_dir(self, &fd);
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
    .can = file_can,
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
