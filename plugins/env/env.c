/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Resolver "env": seeds in environment variables, PREFIX + key id. For development and containers: the environment is
 * readable in /proc by the same user. Never answers in a set-uid program, whose environment is a stranger's.
 */
#include <sodium.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <unistd.h>

#include "../../common/keytext.h"
#include <tenuo/plugin.h>

#define PREFIX_MAX 64

struct env {
    const struct tenuo_host *host;
    char prefix[PREFIX_MAX + 1];
};

static const char *prefix_of(const struct tenuo_arg *args, size_t nargs)
{
    return nargs > 0 && args[0].value != NULL ? args[0].value : "TENUO_KEY_";
}

static int env_check(const struct tenuo_host *host, const struct tenuo_arg *args, size_t nargs)
{
    const char *prefix = prefix_of(args, nargs);
    if (prefix[0] != '\0' && strlen(prefix) <= PREFIX_MAX && strchr(prefix, '=') == NULL)
        return TENUO_OK;
    host->error(host, "prefix must have 1 to %d characters, none of them '='", PREFIX_MAX);
    return TENUO_E_CONF;
}

static int env_open(const struct tenuo_host *host, const struct tenuo_arg *args, size_t nargs, void **ret_self)
{
    const char *prefix = prefix_of(args, nargs);
    if (getauxval(AT_SECURE) != 0) {
        host->error(host,
                    "refused, because this program runs with rights that its caller has not: use resolver file");
        return TENUO_E_KEY_DENIED;
    }
    if (env_check(host, args, nargs) != TENUO_OK)
        return TENUO_E_CONF;
    if (sodium_init() < 0) {
        host->error(host, "libsodium cannot start: no randomness from the system");
        return TENUO_E_SYSTEM;
    }
    struct env *env = calloc(1, sizeof *env);
    if (env == NULL)
        return TENUO_E_NOMEM;
    env->host = host;
    memcpy(env->prefix, prefix, strlen(prefix) + 1);
    *ret_self = env;
    return TENUO_OK;
}

static void env_close(void *self)
{
    free(self);
}

/* Ids that the host can ask for; a variable with another name is no key of ours. */
static bool valid_id(const char *id, size_t n)
{
    static const char allowed[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._-";
    return n > 0 && n <= TENUO_KEY_ID_MAX && strspn(id, allowed) >= n;
}

static int read_seed(const struct env *env, const char *key_id, uint8_t ret_seed[TENUO_SEED_BYTES])
{
    char name[PREFIX_MAX + TENUO_KEY_ID_MAX + 1];
    size_t prefix = strlen(env->prefix), n = strlen(key_id);
    if (!valid_id(key_id, n))
        return TENUO_E_INVALID_ARGUMENT;
    memcpy(name, env->prefix, prefix);
    memcpy(name + prefix, key_id, n + 1);
    const char *text = secure_getenv(name);
    if (text == NULL) {
        env->host->error(env->host, "%s is not set", name);
        return TENUO_E_KEY_NOT_FOUND;
    }
    if (!tn_seed_from_env(text, strlen(text), ret_seed)) {
        env->host->error(env->host, "%s holds no 32-byte seed in base64, base64url or hex", name);
        return TENUO_E_KEY_INVALID;
    }
    return TENUO_OK;
}

static int env_export_seed(void *self, const char *key_id, uint32_t version, uint8_t ret_seed[TENUO_SEED_BYTES])
{
    return version == 0 ? read_seed(self, key_id, ret_seed) : TENUO_E_KEY_NOT_FOUND;
}

static int env_public_key(void *self, const char *key_id, uint32_t version, uint8_t ret_key[TENUO_PUBKEY_BYTES],
                          uint32_t *ret_version)
{
    uint8_t seed[TENUO_SEED_BYTES], secret[crypto_sign_SECRETKEYBYTES];
    int r = env_export_seed(self, key_id, version, seed);
    if (r != TENUO_OK)
        return r;
    crypto_sign_seed_keypair(ret_key, secret, seed);
    sodium_memzero(seed, sizeof seed);
    sodium_memzero(secret, sizeof secret);
    *ret_version = 0;
    return TENUO_OK;
}

static int env_describe(void *self, const char *key_id, uint32_t version, struct tenuo_key_entry *ret_entry)
{
    struct tenuo_key_entry entry = { .size = sizeof entry, .note = "environment variable" };
    int r = env_public_key(self, key_id, version, entry.public_key, &entry.version);
    if (r != TENUO_OK)
        return r;
    memcpy(entry.id, key_id, strlen(key_id) + 1);
    entry.has_public_key = 1;
    *ret_entry = entry;
    return TENUO_OK;
}

/* A variable that is no key is listed with a note: people look for the typing error. */
static int list_one(struct env *env, const char *id, size_t n,
                    int (*each)(void *arg, const struct tenuo_key_entry *entry), void *arg)
{
    struct tenuo_key_entry entry = { .size = sizeof entry, .note = "no usable key" };
    char name[TENUO_KEY_ID_MAX + 1];
    memcpy(name, id, n);
    name[n] = '\0';
    if (env_describe(env, name, 0, &entry) != TENUO_OK)
        memcpy(entry.id, name, n + 1);
    return each(arg, &entry);
}

static int env_list(void *self, int (*each)(void *arg, const struct tenuo_key_entry *entry), void *arg)
{
    struct env *env = self;
    size_t prefix = strlen(env->prefix);
    for (char **p = environ; p != NULL && *p != NULL; p++) {
        const char *id = *p + prefix;
        if (strncmp(*p, env->prefix, prefix) != 0)
            continue;
        size_t n = strcspn(id, "=");
        if (id[n] == '=' && valid_id(id, n) && list_one(env, id, n, each, arg) != 0)
            break;
    }
    return TENUO_OK;
}

static const struct tenuo_arg_spec args[] = {
    { "prefix", TENUO_ARG_STRING, 0, "what stands before the key id in the variable's name (TENUO_KEY_)" },
    { NULL, 0, 0, NULL },
};

static const struct tenuo_resolver_ops ops = {
    .size = sizeof ops,
    .open = env_open,
    .close = env_close,
    .check = env_check,
    .public_key = env_public_key,
    .export_seed = env_export_seed,
    .list = env_list,
    .describe = env_describe,
};

TENUO_PLUGIN_EXPORT const struct tenuo_plugin_v1 tenuo_plugin_v1 = {
    .magic = TENUO_PLUGIN_MAGIC,
    .abi_major = TENUO_PLUGIN_ABI_MAJOR,
    .abi_minor = TENUO_PLUGIN_ABI_MINOR,
    .size = sizeof tenuo_plugin_v1,
    .flags = TENUO_PLUGIN_THREAD_SAFE | TENUO_PLUGIN_FORK_SAFE | TENUO_PLUGIN_NO_NETWORK,
    .name = "env",
    .version = "1.0",
    .summary = "private keys in environment variables",
    .args = args,
    .resolver = &ops,
};
