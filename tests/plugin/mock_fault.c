/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A resolver that keeps its contract, and breaks it in the one way that `fault=` names: what `tenuo plugin test` must
 * find (conform.sh has the list). Keys are raw seeds in files ID@N below `path`, versions from 1 upwards. It signs and
 * exports.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <locale.h>
#include <pthread.h>
#include <signal.h>
#include <sodium.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "mock.h"

struct store {
    const struct tenuo_host *host;
    const char *fault; /* "" or one of conform.sh's */
    char kept[32];
    int dir;
    pid_t opener;
    atomic_uint asked;
    uint8_t shared[TENUO_SEED_BYTES]; /* where the fault "threads" puts everybody's answer */
};

static int has(const struct store *s, const char *fault)
{
    return strcmp(s->fault, fault) == 0;
}

static void nap(unsigned ms)
{
    const struct timespec ts = { ms / 1000, (long)(ms % 1000) * 1000000 };
    nanosleep(&ts, NULL);
}

static void *sleep_for_ever(void *arg)
{
    for (;;)
        pause();
    return arg;
}

static void on_signal(int n)
{
    (void)n;
}

/* What open does to the process. */
static void harm_process(const struct store *s)
{
    pthread_t thread;
    if (has(s, "umask"))
        umask(0);
    if (has(s, "environment"))
        setenv("MOCK_FAULT", "1", 1);
    if (has(s, "directory") && chdir("/") != 0)
        abort();
    if (has(s, "signal"))
        signal(SIGUSR1, on_signal);
    if (has(s, "thread"))
        (void)pthread_create(&thread, NULL, sleep_for_ever, NULL);
    if (has(s, "child") && fork() == 0)
        sleep_for_ever(NULL);
    if (has(s, "descriptor"))
        (void)fcntl(s->dir, F_DUPFD_CLOEXEC, 0);
    if (has(s, "memory") && malloc(100) == NULL)
        abort();
    if (has(s, "pages") && mmap(NULL, 65536, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) == MAP_FAILED)
        abort();
    if (has(s, "abort"))
        abort();
}

static int fault_check(const struct tenuo_host *host, const struct tenuo_arg *args, size_t nargs)
{
    (void)nargs;
    if (args[1].value != NULL && strcmp(args[1].value, "check") == 0) {
        host->error(host, "refused by check alone");
        return TENUO_E_CONF;
    }
    return TENUO_OK;
}

static int fault_open(const struct tenuo_host *host, const struct tenuo_arg *args, size_t nargs, void **ret_self)
{
    struct store *s = calloc(1, sizeof *s);
    (void)nargs;
    if (s == NULL || sodium_init() < 0)
        return TENUO_E_NOMEM;
    s->host = host;
    snprintf(s->kept, sizeof s->kept, "%s", args[1].value != NULL ? args[1].value : "");
    s->fault = s->kept;
    s->opener = getpid();
    s->dir = open(args[0].value, O_RDONLY | O_DIRECTORY | (has(s, "inherited") ? 0 : O_CLOEXEC));
    if (s->dir < 0 || (has(s, "second") && flock(s->dir, LOCK_EX | LOCK_NB) != 0)) {
        host->error(host, "%s: %s", args[0].value, strerror(errno));
        if (s->dir >= 0)
            close(s->dir);
        free(s);
        return TENUO_E_UNAVAILABLE;
    }
    harm_process(s);
    *ret_self = s;
    return TENUO_OK;
}

static void fault_close(void *self)
{
    struct store *s = self;
    close(s->dir);
    free(s);
}

/* ---- files ---- */

static int id_is_good(const char *id)
{
    static const char allowed[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._-";
    size_t n = strlen(id);
    return n > 0 && n <= TENUO_KEY_ID_MAX && strspn(id, allowed) == n;
}

/* "ID@N": N, or 0 for another name. */
static uint32_t version_in(const char *name, const char *id)
{
    size_t n = strlen(id);
    return strncmp(name, id, n) == 0 && name[n] == '@' ? (uint32_t)strtoul(name + n + 1, NULL, 10) : 0;
}

/* oldest and newest stay 0 when there is nothing under that id. */
static void look(const struct store *s, const char *id, uint32_t *ret_oldest, uint32_t *ret_newest)
{
    int fd = openat(s->dir, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *dir = fd < 0 ? NULL : fdopendir(fd);
    *ret_oldest = *ret_newest = 0;
    for (struct dirent *d = dir == NULL ? NULL : readdir(dir); d != NULL; d = readdir(dir)) {
        uint32_t n = version_in(d->d_name, id);
        if (n == 0)
            continue;
        *ret_newest = n > *ret_newest ? n : *ret_newest;
        *ret_oldest = *ret_oldest == 0 || n < *ret_oldest ? n : *ret_oldest;
    }
    if (dir != NULL)
        closedir(dir);
}

static int read_seed(const struct store *s, const char *id, uint32_t version, uint8_t seed[TENUO_SEED_BYTES])
{
    char name[TENUO_KEY_ID_MAX + 16];
    snprintf(name, sizeof name, "%s@%u", id, (unsigned)version);
    int fd = openat(s->dir, name, O_RDONLY | O_CLOEXEC);
    ssize_t n = fd < 0 ? -1 : read(fd, seed, TENUO_SEED_BYTES);
    if (fd >= 0)
        close(fd);
    return n == TENUO_SEED_BYTES;
}

static int write_seed(const struct store *s, const char *id, uint32_t version, const uint8_t seed[TENUO_SEED_BYTES])
{
    char name[TENUO_KEY_ID_MAX + 16];
    snprintf(name, sizeof name, "%s@%u", id, (unsigned)version);
    int fd = openat(s->dir, name, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    ssize_t n = fd < 0 ? -1 : write(fd, seed, TENUO_SEED_BYTES);
    if (fd >= 0)
        close(fd);
    return n == TENUO_SEED_BYTES;
}

/* ---- looking up ---- */

/* Faults of whoever looks something up; 0 when there is none. */
static int misbehave(struct store *s, const char *id)
{
    unsigned asked = ++s->asked;
    if (has(s, "late") && asked == 3)
        nap(s->host->deadline(s->host) + 100);
    if (has(s, "slow") && asked == 2 && s->host->deadline(s->host) <= 1)
        nap(1300);
    if (has(s, "hasty") && s->host->deadline(s->host) <= 1)
        return TENUO_E_KEY_NOT_FOUND;
    if (has(s, "fork") && getpid() != s->opener)
        return TENUO_E_UNAVAILABLE;
    if (has(s, "prints"))
        puts("looking");
    if (has(s, "complains"))
        fputs("looking\n", stderr);
    if (has(s, "dots") && strchr(id, '.') != NULL)
        return TENUO_E_INVALID_ARGUMENT;
    if (has(s, "code") && strcmp(id, "x") == 0)
        return 4711;
    if (has(s, "lookup_memory") && malloc(100) == NULL)
        return TENUO_E_NOMEM;
    if (has(s, "lookup_descriptor"))
        (void)fcntl(s->dir, F_DUPFD_CLOEXEC, 0);
    return 0;
}

/* The sentence of a failure, with the seed in it when that is the fault. */
static int missing(const struct store *s, const char *id, const uint8_t seed[TENUO_SEED_BYTES])
{
    char text[2 * TENUO_SEED_BYTES + 1];
    if (has(s, "secret"))
        s->host->error(s->host, "%s is not there, %s is", id,
                       sodium_bin2hex(text, sizeof text, seed, TENUO_SEED_BYTES));
    if (has(s, "secret_log"))
        s->host->log(
            s->host, TENUO_LOG_DEBUG, "%s",
            sodium_bin2base64(text, sizeof text, seed, TENUO_SEED_BYTES, sodium_base64_VARIANT_URLSAFE_NO_PADDING));
    return has(s, "absent") || has(s, "silent") ? TENUO_E_UNAVAILABLE : TENUO_E_KEY_NOT_FOUND;
}

static int find(struct store *s, const char *id, uint32_t version, uint8_t seed[TENUO_SEED_BYTES],
                uint32_t *ret_version)
{
    uint32_t oldest, newest;
    int r = misbehave(s, id);
    memset(seed, 0, TENUO_SEED_BYTES);
    if (r != 0)
        return r;
    if (!id_is_good(id) && !has(s, "bad_id"))
        return TENUO_E_INVALID_ARGUMENT;
    look(s, id, &oldest, &newest);
    if (has(s, "bad_id") && !id_is_good(id))
        return TENUO_OK;
    if (newest == 0)
        return missing(s, id, seed);
    uint32_t wanted = version == 0 ? newest : version;
    if (has(s, "ghost") && wanted > newest)
        wanted = newest;
    if (!read_seed(s, id, wanted, seed))
        return read_seed(s, id, newest, seed) ? missing(s, id, seed) : TENUO_E_KEY_NOT_FOUND;
    *ret_version = has(s, "ghost") && version != 0 ? version : wanted;
    return TENUO_OK;
}

static void public_of(const uint8_t seed[TENUO_SEED_BYTES], uint8_t key[TENUO_PUBKEY_BYTES],
                      uint8_t secret[crypto_sign_SECRETKEYBYTES])
{
    crypto_sign_seed_keypair(key, secret, seed);
}

static int fault_public_key(void *self, const char *key_id, uint32_t version, uint8_t ret_key[TENUO_PUBKEY_BYTES],
                            uint32_t *ret_version)
{
    struct store *s = self;
    uint8_t seed[TENUO_SEED_BYTES], secret[crypto_sign_SECRETKEYBYTES], key[TENUO_PUBKEY_BYTES];
    uint32_t n = 0;
    int r = find(s, key_id, version, seed, &n);
    if (r != TENUO_OK && has(s, "touched"))
        memset(ret_key, 0, TENUO_PUBKEY_BYTES);
    if (r != TENUO_OK && has(s, "touched_version"))
        *ret_version = 0;
    if (r != TENUO_OK)
        return r;
    public_of(seed, key, secret);
    key[3] ^= has(s, "pair") ? 1 : 0;
    memcpy(ret_key, key, sizeof key);
    if (has(s, "beyond")) { /* where no compiler sees it */
        uint8_t *volatile end = ret_key + TENUO_PUBKEY_BYTES;
        *end = 0;
    }
    if (!has(s, "no_version"))
        *ret_version = has(s, "other_version") ? n + 1 : n;
    return TENUO_OK;
}

static int fault_export_seed(void *self, const char *key_id, uint32_t version, uint8_t ret_seed[TENUO_SEED_BYTES])
{
    struct store *s = self;
    uint8_t seed[TENUO_SEED_BYTES];
    uint32_t n = 0;
    int r = find(s, key_id, version, seed, &n);
    if (r == TENUO_OK && has(s, "threads")) { /* one buffer for all: somebody is always in between */
        memcpy(s->shared, seed, sizeof seed);
        s->shared[0] ^= 1;
        nap(1);
        s->shared[0] ^= 1;
        memcpy(seed, s->shared, sizeof seed);
    }
    if (r == TENUO_OK)
        memcpy(ret_seed, seed, sizeof seed);
    return r;
}

static int fault_sign(void *self, const char *key_id, uint32_t version, const uint8_t *message, size_t len,
                      uint8_t ret_signature[TENUO_SIG_BYTES])
{
    struct store *s = self;
    uint8_t seed[TENUO_SEED_BYTES], secret[crypto_sign_SECRETKEYBYTES], key[TENUO_PUBKEY_BYTES];
    uint32_t n = 0;
    int r = find(s, key_id, version, seed, &n);
    if (r != TENUO_OK)
        return r;
    if (has(s, "short_messages") && len > 2000)
        return TENUO_E_INVALID_ARGUMENT;
    public_of(seed, key, secret);
    crypto_sign_detached(ret_signature, NULL, message, len, secret);
    if (has(s, "signature") && len == 65)
        ret_signature[40] ^= 1;
    if (has(s, "message") && len > 0)
        ((uint8_t *)(uintptr_t)message)[0] ^= 1;
    return TENUO_OK;
}

static unsigned fault_can(void *self)
{
    struct store *s = self;
    if (has(s, "can"))
        return ++s->asked % 2 == 0 ? TENUO_RESOLVER_SIGNS : TENUO_RESOLVER_EXPORTS;
    if (has(s, "refuses_seeds"))
        return TENUO_RESOLVER_SIGNS | TENUO_RESOLVER_EXPORTS | TENUO_RESOLVER_NO_IMPORT;
    if (has(s, "unknown_ability"))
        return TENUO_RESOLVER_EXPORTS | 1u << 31;
    return has(s, "cannot") ? 0 : TENUO_RESOLVER_SIGNS | TENUO_RESOLVER_EXPORTS;
}

/* ---- the administrator's side ---- */

static int fault_describe(void *self, const char *key_id, uint32_t version, struct tenuo_key_entry *ret_entry)
{
    struct store *s = self;
    uint8_t seed[TENUO_SEED_BYTES], secret[crypto_sign_SECRETKEYBYTES];
    struct tenuo_key_entry entry = { .size = sizeof entry, .has_public_key = 1 };
    int r = id_is_good(key_id) ? find(s, key_id, version, seed, &entry.version) : TENUO_E_INVALID_ARGUMENT;
    if (has(s, "crash"))
        raise(SIGSEGV);
    if (r != TENUO_OK)
        return r;
    snprintf(entry.id, sizeof entry.id, "%s", key_id);
    look(s, key_id, &entry.oldest, &entry.newest);
    if (has(s, "numbers"))
        entry.version++;
    public_of(seed, entry.public_key, secret);
    if (has(s, "secret_note"))
        sodium_bin2hex(entry.note, sizeof entry.note, seed, sizeof seed);
    *ret_entry = entry;
    return TENUO_OK;
}

static int list_one(struct store *s, const char *name, int (*each)(void *arg, const struct tenuo_key_entry *entry),
                    void *arg)
{
    struct tenuo_key_entry entry;
    char id[TENUO_KEY_ID_MAX + 1];
    uint32_t oldest, newest;
    const char *at = strchr(name, '@');
    if (at == NULL)
        return 0;
    snprintf(id, sizeof id, "%.*s", (int)(at - name), name);
    look(s, id, &oldest, &newest);
    if ((version_in(name, id) != newest && !has(s, "twice")) || fault_describe(s, id, 0, &entry) != TENUO_OK)
        return 0;
    if (has(s, "entry"))
        entry.id[0] = '/';
    if (has(s, "twice") && each(arg, &entry) != 0)
        return 1;
    return each(arg, &entry);
}

static int fault_list(void *self, int (*each)(void *arg, const struct tenuo_key_entry *entry), void *arg)
{
    struct store *s = self;
    int stop = 0, fd = openat(s->dir, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *dir = fd < 0 ? NULL : fdopendir(fd);
    if (has(s, "exit"))
        exit(7);
    if (has(s, "hang"))
        sleep_for_ever(NULL);
    for (struct dirent *d = dir == NULL ? NULL : readdir(dir); d != NULL; d = readdir(dir)) {
        stop = list_one(s, d->d_name, each, arg) != 0;
        if (stop && !has(s, "stop"))
            break;
    }
    if (dir != NULL)
        closedir(dir);
    return TENUO_OK;
}

/* *ret_version: of the key that is to be written. */
static int make_room(struct store *s, const char *id, unsigned flags, uint32_t *ret_version)
{
    uint32_t oldest, newest;
    look(s, id, &oldest, &newest);
    *ret_version = newest + 1;
    if (newest != 0 && flags == 0 && has(s, "taken"))
        *ret_version = newest; /* replaced without a word */
    else if (newest != 0 && flags == 0) {
        s->host->error(s->host, "%s is there already", id);
        return TENUO_E_KEY_CONFLICT;
    }
    if (newest == 0 && flags == TENUO_STORE_NEW_VERSION && !has(s, "rotate_nothing"))
        return TENUO_E_KEY_NOT_FOUND;
    return TENUO_OK;
}

static int fault_import(void *self, const char *key_id, unsigned flags, const uint8_t seed[TENUO_SEED_BYTES],
                        uint32_t *ret_version)
{
    struct store *s = self;
    uint8_t kept[TENUO_SEED_BYTES];
    uint32_t n;
    if (has(s, "refuses_seeds") || has(s, "unsaid"))
        return TENUO_E_INVALID_ARGUMENT;
    int r = make_room(s, key_id, flags, &n);
    if (r != TENUO_OK)
        return r;
    memcpy(kept, seed, sizeof kept);
    kept[0] ^= has(s, "import") ? 1 : 0;
    if (!write_seed(s, key_id, n, kept))
        return TENUO_E_SYSTEM;
    *ret_version = n;
    return TENUO_OK;
}

static int fault_generate(void *self, const char *key_id, unsigned flags, uint8_t ret_key[TENUO_PUBKEY_BYTES],
                          uint32_t *ret_version)
{
    struct store *s = self;
    uint8_t seed[TENUO_SEED_BYTES], secret[crypto_sign_SECRETKEYBYTES], key[TENUO_PUBKEY_BYTES];
    uint32_t n;
    int r = make_room(s, key_id, flags, &n);
    if (r != TENUO_OK)
        return r;
    s->host->random(seed, sizeof seed);
    if (has(s, "rotate") && n > 1)
        (void)read_seed(s, key_id, n - 1, seed);
    if (!write_seed(s, key_id, n, seed))
        return TENUO_E_SYSTEM;
    public_of(seed, key, secret);
    key[0] ^= has(s, "generate") ? 1 : 0;
    memcpy(ret_key, key, sizeof key);
    *ret_version = n;
    return TENUO_OK;
}

static int fault_remove(void *self, const char *key_id, uint32_t version)
{
    struct store *s = self;
    char name[TENUO_KEY_ID_MAX + 16];
    uint32_t oldest, newest, n;
    look(s, key_id, &oldest, &newest);
    if (newest == 0 || version > newest || (version != 0 && version < oldest))
        return TENUO_E_KEY_NOT_FOUND;
    if (version == newest && oldest < newest && !has(s, "newest"))
        return TENUO_E_INVALID_ARGUMENT;
    for (n = oldest; n <= newest; n++) {
        snprintf(name, sizeof name, "%s@%u", key_id, (unsigned)n);
        if ((version == 0 || version == n) && !(has(s, "remove") && version == 0))
            (void)unlinkat(s->dir, name, 0);
    }
    return TENUO_OK;
}

static const struct tenuo_arg_spec args[] = {
    { "path", TENUO_ARG_PATH, 1, "directory of ID@N files" },
    { "fault", TENUO_ARG_STRING, 0, "what to do wrong" },
    { NULL, 0, 0, NULL },
};

static const struct tenuo_resolver_ops ops = {
    .size = sizeof ops,
    .open = fault_open,
    .close = fault_close,
    .check = fault_check,
    .can = fault_can,
    .public_key = fault_public_key,
    .sign = fault_sign,
    .export_seed = fault_export_seed,
    .list = fault_list,
    .describe = fault_describe,
    .generate = fault_generate,
    .import = fault_import,
    .remove = fault_remove,
};

TENUO_PLUGIN_EXPORT const struct tenuo_plugin_v1 tenuo_plugin_v1 = {
    MOCK_DESCRIPTOR("fault"), .flags = TENUO_PLUGIN_THREAD_SAFE | TENUO_PLUGIN_FORK_SAFE, .args = args, .resolver = &ops
};
