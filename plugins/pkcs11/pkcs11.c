/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Resolver "pkcs11": keys on a token that a PKCS#11 module speaks to. The token signs; no secret ever comes here.
 * `open` loads nothing and asks nobody, so a token that is away stops no program from starting; the first call does.
 */
#include <errno.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#include "pkcs11.h"

enum { URI, MODULE, PIN_FILE, PIN_CREDENTIAL };

static const char *value(const struct tenuo_arg *args, size_t nargs, size_t i)
{
    return i < nargs ? args[i].value : NULL;
}

static bool copy(char **ret, const char *text)
{
    *ret = text == NULL ? NULL : strdup(text);
    return text == NULL || *ret != NULL;
}

static int set_pin(struct p11 *p, const char *file, const char *credential)
{
    if (file != NULL && credential != NULL) {
        p->host->error(p->host, "pin_file and pin_credential exclude each other");
        return TENUO_E_CONF;
    }
    if (file != NULL && (file[0] != '/' || file[strlen(file) - 1] == '/' || strlen(file) > 1000)) {
        p->host->error(p->host, "pin_file: want the absolute path of a file");
        return TENUO_E_CONF;
    }
    if (credential != NULL && (credential[0] == '\0' || credential[0] == '.' || strchr(credential, '/') != NULL ||
                               strlen(credential) > 200)) {
        p->host->error(p->host, "pin_credential: want the name of a credential, without '/'");
        return TENUO_E_CONF;
    }
    return copy(&p->pin_file, file) && copy(&p->pin_credential, credential) ? TENUO_OK : TENUO_E_NOMEM;
}

static bool init_locks(struct p11 *p)
{
    pthread_condattr_t attr;
    if (pthread_condattr_init(&attr) != 0)
        return false;
    (void)pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    bool good = pthread_cond_init(&p->changed, &attr) == 0 && pthread_mutex_init(&p->lock, NULL) == 0 &&
                pthread_mutex_init(&p->login_lock, NULL) == 0; /* on Linux these cannot fail */
    pthread_condattr_destroy(&attr);
    return good;
}

static void drop(struct p11 *p)
{
    p11_kit_uri_free(p->uri);
    free(p->module);
    free(p->pin_file);
    free(p->pin_credential);
    sodium_free(p->refused);
    pthread_cond_destroy(&p->changed);
    pthread_mutex_destroy(&p->lock);
    pthread_mutex_destroy(&p->login_lock);
    free(p);
}

static int set(struct p11 *p, const struct tenuo_arg *args, size_t nargs)
{
    int r = value(args, nargs, URI) != NULL ? p11_uri_set(p, args[URI].value) : TENUO_E_INVALID_ARGUMENT;
    if (r == TENUO_OK)
        r = set_pin(p, value(args, nargs, PIN_FILE), value(args, nargs, PIN_CREDENTIAL));
    if (r == TENUO_OK && !copy(&p->module, value(args, nargs, MODULE)))
        r = TENUO_E_NOMEM;
    if (r != TENUO_OK)
        return r;
    p->refused = sodium_malloc(sizeof *p->refused);
    if (p->refused == NULL)
        return TENUO_E_NOMEM;
    memset(p->refused, 0, sizeof *p->refused);
    randombytes_buf(p->refused->key, sizeof p->refused->key);
    return TENUO_OK;
}

static int make(const struct tenuo_host *host, const struct tenuo_arg *args, size_t nargs, struct p11 **ret)
{
    if (sodium_init() < 0) {
        host->error(host, "libsodium cannot start: no randomness from the system");
        return TENUO_E_SYSTEM;
    }
    struct p11 *p = calloc(1, sizeof *p);
    if (p == NULL || !init_locks(p)) {
        free(p);
        return TENUO_E_NOMEM;
    }
    p->host = host;
    int r = set(p, args, nargs);
    if (r != TENUO_OK) {
        drop(p);
        return r;
    }
    *ret = p;
    return TENUO_OK;
}

static int pkcs11_check(const struct tenuo_host *host, const struct tenuo_arg *args, size_t nargs)
{
    struct p11 *p = NULL;
    int r = make(host, args, nargs, &p);
    if (r != TENUO_OK)
        return r;
    r = p11_module_judge(p);
    if (r == TENUO_OK)
        r = p11_pin_judge(p);
    drop(p);
    return r;
}

/* A module that others could have changed is refused here already; one that is missing may still come. */
static int pkcs11_open(const struct tenuo_host *host, const struct tenuo_arg *args, size_t nargs, void **ret_self)
{
    struct p11 *p = NULL;
    int r = make(host, args, nargs, &p);
    if (r != TENUO_OK)
        return r;
    r = p11_module_judge(p);
    if (r != TENUO_OK && r != TENUO_E_UNAVAILABLE) {
        drop(p);
        return r;
    }
    *ret_self = p;
    return TENUO_OK;
}

static void pkcs11_close(void *self)
{
    struct p11 *p = self;
    if (p == NULL)
        return;
    p11_sessions_close(p);
    drop(p);
}

struct use {
    const char *key_id;
    uint32_t version;
    const uint8_t *message;
    size_t len;
    uint8_t key[TENUO_PUBKEY_BYTES], signature[TENUO_SIG_BYTES];
};

static int find_public(struct p11_session *s, void *arg)
{
    struct use *use = arg;
    struct p11_place place;
    struct p11_key key;
    int r = p11_locate(s, use->key_id, use->version, &place);
    if (r == TENUO_OK)
        r = p11_public_of(s, &place, &key);
    if (r != TENUO_OK)
        return r;
    memcpy(use->key, key.point, sizeof use->key);
    use->version = place.number;
    return TENUO_OK;
}

static int pkcs11_public_key(void *self, const char *key_id, uint32_t version, uint8_t ret_key[TENUO_PUBKEY_BYTES],
                             uint32_t *ret_version)
{
    struct use use = { .key_id = key_id, .version = version };
    int r = p11_with(self, false, find_public, &use);
    if (r != TENUO_OK)
        return r;
    memcpy(ret_key, use.key, sizeof use.key);
    *ret_version = use.version;
    return TENUO_OK;
}

static int sign(struct p11_session *s, void *arg)
{
    struct use *use = arg;
    char text[TN_VERSION_NAME_BYTES];
    struct p11_key key;
    int r = p11_private_of(s, use->key_id, use->version, &key, text);
    if (r != TENUO_OK)
        return r;
    if (!key.sign)
        return p11_say(s, TENUO_E_KEY_DENIED, "'%s' may not sign (CKA_SIGN is false): make a new key", text);
    return p11_sign_with(s, &key, use->message, use->len, use->signature);
}

static int pkcs11_sign(void *self, const char *key_id, uint32_t version, const uint8_t *message, size_t len,
                       uint8_t ret_signature[TENUO_SIG_BYTES])
{
    struct use use = { .key_id = key_id, .version = version, .message = message, .len = len };
    int r = p11_with(self, false, sign, &use);
    if (r == TENUO_OK)
        memcpy(ret_signature, use.signature, sizeof use.signature);
    return r;
}

static const struct tenuo_arg_spec args[] = {
    { "uri", TENUO_ARG_STRING, 1, "RFC 7512 URI of the token; {key_id} may stand in object= or id= (object={key_id})" },
    { "module", TENUO_ARG_PATH, 0, "PKCS#11 module to load (those that p11-kit is configured with)" },
    { "pin_file", TENUO_ARG_PATH, 0, "file with the user PIN" },
    { "pin_credential", TENUO_ARG_STRING, 0, "name of the service manager's credential with the user PIN" },
    { NULL, 0, 0, NULL },
};

static const struct tenuo_resolver_ops ops = {
    .size = sizeof ops,
    .open = pkcs11_open,
    .close = pkcs11_close,
    .check = pkcs11_check,
    .public_key = pkcs11_public_key,
    .sign = pkcs11_sign,
    .list = p11_list,
    .describe = p11_describe,
    .generate = p11_generate,
    .import = p11_import,
    .remove = p11_remove,
};

TENUO_PLUGIN_EXPORT const struct tenuo_plugin_v1 tenuo_plugin_v1 = {
    .magic = TENUO_PLUGIN_MAGIC,
    .abi_major = TENUO_PLUGIN_ABI_MAJOR,
    .abi_minor = TENUO_PLUGIN_ABI_MINOR,
    .size = sizeof tenuo_plugin_v1,
    .flags = TENUO_PLUGIN_THREAD_SAFE,
    .name = "pkcs11",
    .version = "1.0",
    .summary = "private keys on tokens and HSMs, which sign themselves (PKCS#11)",
    .args = args,
    .resolver = &ops,
};
