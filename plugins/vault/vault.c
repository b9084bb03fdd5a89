/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Resolver "vault": keys in HashiCorp Vault. KV v2 and v1 hand out seeds; transit signs and keeps them. Here: what the
 * arguments of a line may be, and which engine answers what. Opens without asking the server, keeps no seed.
 */
#include "vault.h"

#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PLACE "{key_id}"
#define SERVICE_ACCOUNT "/var/run/secrets/kubernetes.io/serviceaccount/token"

enum {
    ARG_URL,
    ARG_ENGINE,
    ARG_MOUNT,
    ARG_TEMPLATE,
    ARG_FIELD,
    ARG_PUBLIC_FIELD,
    ARG_AUTH,
    ARG_AUTH_MOUNT,
    ARG_ROLE,
    ARG_TOKEN_FILE,
    ARG_TOKEN_CREDENTIAL,
    ARG_ROLE_ID_FILE,
    ARG_ROLE_ID_CREDENTIAL,
    ARG_SECRET_ID_FILE,
    ARG_SECRET_ID_CREDENTIAL,
    ARG_JWT_FILE,
    ARG_NAMESPACE,
    ARG_CA,
    ARG_CERT,
    ARG_KEY_FILE,
    ARG_KEY_CREDENTIAL,
    ARG_CONNECT_TIMEOUT,
    ARG_COUNT
};

static int refuse(const struct vault *v, const char *sentence)
{
    return vault_say(v, TENUO_E_CONF, "%s", sentence);
}

/* Which of the words, or -1. */
static int choice(const char *value, const char *const *words)
{
    for (int i = 0; value != NULL && words[i] != NULL; i++)
        if (strcmp(value, words[i]) == 0)
            return i;
    return value == NULL ? 0 : -1;
}

static bool is_plain(const char *text)
{
    for (; *text != '\0'; text++)
        if ((unsigned char)*text < 0x20 || *text == 0x7f || *text == '{' || *text == '}' || *text == '\\')
            return false;
    return true;
}

/* Parts between slashes, none of them empty or a step upwards. */
static bool is_path(const char *text)
{
    while (*text != '\0') {
        size_t n = strcspn(text, "/");
        if (n == 0 || (n == 1 && text[0] == '.') || (n == 2 && text[0] == '.' && text[1] == '.'))
            return false;
        text += n;
        if (*text == '/' && *++text == '\0')
            return false;
    }
    return true;
}

static int set_name(const struct vault *v, const char *name, const char *value, const char *missing,
                    char ret[VAULT_NAME_MAX + 1])
{
    const char *text = value != NULL ? value : missing;
    size_t n = strlen(text);
    if (n > 0 && text[n - 1] == '/')
        n--; /* as 'vault secrets list' shows mounts */
    if (n > VAULT_NAME_MAX)
        return vault_say(v, TENUO_E_CONF, "%s is longer than %d bytes", name, VAULT_NAME_MAX);
    memcpy(ret, text, n);
    ret[n] = '\0';
    if (!is_plain(ret) || !is_path(ret) || (value != NULL && n == 0))
        return vault_say(v, TENUO_E_CONF, "%s: want a path such as secret or teams/a/secret, without braces", name);
    return TENUO_OK;
}

static int set_field(const struct vault *v, const char *name, const char *value, const char *missing,
                     char ret[VAULT_FIELD_MAX + 1])
{
    const char *text = value != NULL ? value : missing;
    size_t n = strlen(text);
    if (n == 0 || n > VAULT_FIELD_MAX || !is_plain(text))
        return vault_say(v, TENUO_E_CONF, "%s: want the name of a field, 1 to %d bytes", name, VAULT_FIELD_MAX);
    memcpy(ret, text, n + 1);
    return TENUO_OK;
}

static int set_template(struct vault *v, const char *value)
{
    const char *text = value != NULL ? value : v->engine == ENGINE_TRANSIT ? PLACE : "tenuo/keys/" PLACE;
    const char *place = strstr(text, PLACE), *slash = NULL;
    char whole[VAULT_TEMPLATE_MAX + 1];
    if (strlen(text) > VAULT_TEMPLATE_MAX || place == NULL)
        return refuse(v, "path_template: want a path with " PLACE " once in it, for example tenuo/keys/" PLACE);
    size_t before = (size_t)(place - text);
    memcpy(whole, text, before);
    whole[before] = 'x'; /* in the place of the id, to judge the rest */
    snprintf(whole + before + 1, sizeof whole - before - 1, "%s", place + sizeof PLACE - 1);
    if (!is_plain(whole) || !is_path(whole))
        return refuse(v, "path_template: want a path with " PLACE " once in it, no other braces, and no empty part");
    if (v->engine == ENGINE_TRANSIT && strchr(whole, '/') != NULL)
        return refuse(v, "path_template: names of transit keys have no '/': for example tenuo-" PLACE);
    for (size_t i = 0; i < before; i++)
        if (text[i] == '/')
            slash = text + i;
    size_t folder = slash == NULL ? 0 : (size_t)(slash - text) + 1;
    memcpy(v->folder, text, folder);
    memcpy(v->before, text + folder, before - folder);
    snprintf(v->after, sizeof v->after, "%s", place + sizeof PLACE - 1);
    return TENUO_OK;
}

static int set_secret(const struct vault *v, struct tn_secret_source *s, const char *name, const char *file,
                      const char *credential)
{
    char why[TN_SECRET_WHY];
    int r = tn_secret_set(s, name, file, credential, why);
    return r == TENUO_OK ? r : vault_say(v, r, "%s", why);
}

static int set_secrets(struct vault *v, const struct tenuo_arg *args)
{
    const char *jwt = args[ARG_JWT_FILE].value;
    int r = set_secret(v, &v->token, "token", args[ARG_TOKEN_FILE].value, args[ARG_TOKEN_CREDENTIAL].value);
    if (r == TENUO_OK)
        r = set_secret(v, &v->role_id, "role_id", args[ARG_ROLE_ID_FILE].value, args[ARG_ROLE_ID_CREDENTIAL].value);
    if (r == TENUO_OK)
        r = set_secret(v, &v->secret_id, "secret_id", args[ARG_SECRET_ID_FILE].value,
                       args[ARG_SECRET_ID_CREDENTIAL].value);
    if (r == TENUO_OK && v->auth == AUTH_KUBERNETES) {
        r = set_secret(v, &v->jwt, "jwt", jwt != NULL ? jwt : SERVICE_ACCOUNT, NULL);
        v->jwt.shared = true;
    }
    return r;
}

/* What each way to log in wants, and what is of no use to it. */
static int judge_auth(const struct vault *v, const struct tenuo_arg *args)
{
    if (v->auth == AUTH_TOKEN && !tn_secret_given(&v->token))
        return refuse(v, "auth=token wants token_file= or token_credential=");
    if (v->auth != AUTH_TOKEN && tn_secret_given(&v->token))
        return refuse(v, "token_file= and token_credential= are for auth=token");
    if (v->auth == AUTH_APPROLE && !tn_secret_given(&v->role_id))
        return refuse(v, "auth=approle wants role_id_file= or role_id_credential=");
    if (v->auth != AUTH_APPROLE && (tn_secret_given(&v->role_id) || tn_secret_given(&v->secret_id)))
        return refuse(v, "role_id_... and secret_id_... are for auth=approle");
    if (v->auth == AUTH_CERT && args[ARG_CERT].value == NULL)
        return refuse(v, "auth=cert wants cert= and key_file= or key_credential=");
    if (v->auth == AUTH_KUBERNETES && v->role[0] == '\0')
        return refuse(v, "auth=kubernetes wants role=");
    if (v->auth != AUTH_KUBERNETES && args[ARG_JWT_FILE].value != NULL)
        return refuse(v, "jwt_file= is for auth=kubernetes");
    return TENUO_OK;
}

static int set_words(struct vault *v, const struct tenuo_arg *args)
{
    static const char *const engines[] = { "kv2", "kv1", "transit", NULL };
    static const char *const auths[] = { "token", "approle", "cert", "kubernetes", NULL };
    int engine = choice(args[ARG_ENGINE].value, engines), auth = choice(args[ARG_AUTH].value, auths);
    if (engine < 0)
        return refuse(v, "engine: want kv2, kv1 or transit");
    if (auth < 0)
        return refuse(v, "auth: want token, approle, cert or kubernetes");
    v->engine = (enum vault_engine)engine;
    v->auth = (enum vault_auth)auth;
    int r = set_name(v, "mount", args[ARG_MOUNT].value, engine == ENGINE_TRANSIT ? "transit" : "secret", v->mount);
    if (r == TENUO_OK)
        r = set_name(v, "auth_mount", args[ARG_AUTH_MOUNT].value, auths[auth], v->auth_mount);
    if (r == TENUO_OK)
        r = set_name(v, "namespace", args[ARG_NAMESPACE].value, "", v->namespace);
    if (r == TENUO_OK)
        r = set_name(v, "role", args[ARG_ROLE].value, "", v->role);
    if (r == TENUO_OK)
        r = set_field(v, "field", args[ARG_FIELD].value, "key", v->field);
    if (r == TENUO_OK)
        r = set_field(v, "public_field", args[ARG_PUBLIC_FIELD].value, "public_key", v->public_field);
    if (r == TENUO_OK && strcmp(v->field, v->public_field) == 0)
        r = refuse(v, "field and public_field are two fields");
    return r == TENUO_OK ? set_template(v, args[ARG_TEMPLATE].value) : r;
}

static const char *meaning(long status)
{
    if (status == 503)
        return "it is sealed, or not ready yet: vault status, then vault operator unseal";
    if (status == 429)
        return "it has too many requests: look at its rate limit quotas (vault list sys/quotas/rate-limit)";
    if (status == 502 || status == 504)
        return "a proxy in front of it does not reach it";
    return NULL;
}

/* What stands in the line alone. */
static int set_line(struct vault *v, const struct tenuo_arg *args, struct tn_web_options *o,
                    struct tn_secret_source *key)
{
    char why[TN_WEB_WHY];
    int r = set_words(v, args);
    *o = (struct tn_web_options){
        .host = v->host,
        .url = args[ARG_URL].value,
        .ca = args[ARG_CA].value,
        .cert = args[ARG_CERT].value,
        .agent = "tenuo_vault",
        .secrets = "token_file=, or another auth=",
        .meaning = meaning,
        .seeds = v->engine != ENGINE_TRANSIT,
    };
    if (r == TENUO_OK)
        r = set_secrets(v, args);
    if (r == TENUO_OK)
        r = set_secret(v, key, "key", args[ARG_KEY_FILE].value, args[ARG_KEY_CREDENTIAL].value);
    if (r == TENUO_OK)
        r = judge_auth(v, args);
    if (r == TENUO_OK && tn_secret_given(key) != (o->cert != NULL))
        r = refuse(v, "cert= and key_file= (or key_credential=) belong together: give both");
    if (r != TENUO_OK)
        return r;
    r = tn_web_check_url(o, why);
    if (r == TENUO_OK)
        r = tn_web_connect_ms(&args[ARG_CONNECT_TIMEOUT], &o->connect_ms, why);
    return r == TENUO_OK ? r : vault_say(v, r, "%s", why);
}

static void vault_close(void *self)
{
    struct vault *v = self;
    tn_web_close(v->web);
    tn_secret_clear(&v->token);
    tn_secret_clear(&v->role_id);
    tn_secret_clear(&v->secret_id);
    tn_secret_clear(&v->jwt);
    vault_login_free(&v->login);
    free(v);
}

static struct vault *new_vault(const struct tenuo_host *host, size_t nargs)
{
    struct vault *v = nargs == ARG_COUNT && sodium_init() >= 0 ? calloc(1, sizeof *v) : NULL;
    if (v == NULL)
        return NULL;
    v->host = host;
    if (vault_login_init(&v->login))
        return v;
    free(v);
    return NULL;
}

static int vault_open(const struct tenuo_host *host, const struct tenuo_arg *args, size_t nargs, void **ret_self)
{
    struct tn_web_options o;
    struct tn_secret_source key = { 0 };
    char why[TN_WEB_WHY];
    struct vault *v = new_vault(host, nargs);
    if (v == NULL)
        return TENUO_E_NOMEM;
    int r = set_line(v, args, &o, &key);
    if (r == TENUO_OK) {
        r = tn_web_open(&o, &key, &v->web, why);
        if (r != TENUO_OK)
            vault_say(v, r, "%s", why);
    }
    tn_secret_clear(&key);
    if (r != TENUO_OK) {
        vault_close(v);
        return r;
    }
    *ret_self = v;
    return TENUO_OK;
}

static int try_secret(const struct tn_secret_source *s, char why[TN_WEB_WHY])
{
    char *text = NULL, reason[TN_SECRET_WHY] = "";
    size_t n = 0;
    if (!tn_secret_given(s) || s->credential != NULL) /* credentials are the service's alone */
        return TENUO_OK;
    int r = tn_secret_read(s, &text, &n, reason);
    snprintf(why, TN_WEB_WHY, "%s", reason);
    tn_secret_free(text);
    return r;
}

/* Files that this user may not trust, and the service's user may: no error here. */
static int try_files(const struct vault *v, const struct tn_web_options *o, const struct tn_secret_source *key)
{
    char why[TN_WEB_WHY];
    if (tn_web_check_file("ca", o->ca, why) == TENUO_OK && tn_web_check_file("cert", o->cert, why) == TENUO_OK &&
        try_secret(key, why) == TENUO_OK && try_secret(&v->token, why) == TENUO_OK &&
        try_secret(&v->role_id, why) == TENUO_OK && try_secret(&v->secret_id, why) == TENUO_OK &&
        try_secret(&v->jwt, why) == TENUO_OK)
        return TENUO_OK;
    return vault_say(v, TENUO_E_UNAVAILABLE, "%s", why);
}

static int vault_check(const struct tenuo_host *host, const struct tenuo_arg *args, size_t nargs)
{
    struct tn_web_options o;
    struct tn_secret_source key = { 0 };
    struct vault *v = new_vault(host, nargs);
    if (v == NULL)
        return TENUO_E_NOMEM;
    int r = set_line(v, args, &o, &key);
    if (r == TENUO_OK)
        r = try_files(v, &o, &key);
    tn_secret_clear(&key);
    vault_close(v);
    return r;
}

static unsigned vault_can(void *self)
{
    const struct vault *v = self;
    if (v->engine == ENGINE_TRANSIT)
        return TENUO_RESOLVER_SIGNS | TENUO_RESOLVER_NO_IMPORT;
    return TENUO_RESOLVER_EXPORTS | (kv_can_list(v) ? 0 : TENUO_RESOLVER_NO_LIST);
}

static int check_id(const char *key_id)
{
    char id[TENUO_KEY_ID_MAX + 1];
    uint32_t version;
    return tn_version_parse(key_id, strlen(key_id), id, &version) && version == 0 ? TENUO_OK : TENUO_E_INVALID_ARGUMENT;
}

static int vault_public_key(void *self, const char *key_id, uint32_t version, uint8_t ret_key[TENUO_PUBKEY_BYTES],
                            uint32_t *ret_version)
{
    struct vault *v = self;
    int r = check_id(key_id);
    if (r != TENUO_OK)
        return r;
    return v->engine == ENGINE_TRANSIT ? transit_public_key(v, key_id, version, ret_key, ret_version)
                                       : kv_public_key(v, key_id, version, ret_key, ret_version);
}

static int vault_sign(void *self, const char *key_id, uint32_t version, const uint8_t *message, size_t len,
                      uint8_t ret_signature[TENUO_SIG_BYTES])
{
    struct vault *v = self;
    int r = check_id(key_id);
    if (r != TENUO_OK || v->engine != ENGINE_TRANSIT)
        return TENUO_E_INVALID_ARGUMENT;
    return transit_sign(v, key_id, version, message, len, ret_signature);
}

static int vault_export_seed(void *self, const char *key_id, uint32_t version, uint8_t ret_seed[TENUO_SEED_BYTES])
{
    struct vault *v = self;
    int r = check_id(key_id);
    if (r != TENUO_OK || v->engine == ENGINE_TRANSIT)
        return TENUO_E_INVALID_ARGUMENT;
    return kv_export_seed(v, key_id, version, ret_seed);
}

static int vault_list(void *self, int (*each)(void *arg, const struct tenuo_key_entry *entry), void *arg)
{
    struct vault *v = self;
    return v->engine == ENGINE_TRANSIT ? transit_list(v, each, arg) : kv_list(v, each, arg);
}

static int vault_describe(void *self, const char *key_id, uint32_t version, struct tenuo_key_entry *ret_entry)
{
    struct vault *v = self;
    int r = check_id(key_id);
    if (r != TENUO_OK)
        return r;
    return v->engine == ENGINE_TRANSIT ? transit_describe(v, key_id, version, ret_entry)
                                       : kv_describe(v, key_id, version, ret_entry);
}

static int vault_import(void *self, const char *key_id, unsigned flags, const uint8_t seed[TENUO_SEED_BYTES],
                        uint32_t *ret_version)
{
    struct vault *v = self;
    int r = check_id(key_id);
    if (r != TENUO_OK || (flags & ~TENUO_STORE_NEW_VERSION) != 0)
        return TENUO_E_INVALID_ARGUMENT;
    if (v->engine == ENGINE_TRANSIT)
        return vault_say(v, TENUO_E_INVALID_ARGUMENT,
                         "transit makes its keys itself: use keygen or rotate; a seed goes "
                         "in by 'vault transit import' alone, wrapped for Vault");
    return kv_import(v, key_id, flags, seed, ret_version);
}

static int vault_generate(void *self, const char *key_id, unsigned flags, uint8_t ret_key[TENUO_PUBKEY_BYTES],
                          uint32_t *ret_version)
{
    struct vault *v = self;
    uint8_t seed[TENUO_SEED_BYTES], secret[crypto_sign_SECRETKEYBYTES], key[TENUO_PUBKEY_BYTES];
    int r = check_id(key_id);
    if (r != TENUO_OK || (flags & ~TENUO_STORE_NEW_VERSION) != 0)
        return TENUO_E_INVALID_ARGUMENT;
    if (v->engine == ENGINE_TRANSIT)
        return transit_generate(v, key_id, flags, ret_key, ret_version);
    randombytes_buf(seed, sizeof seed);
    crypto_sign_seed_keypair(key, secret, seed);
    sodium_memzero(secret, sizeof secret);
    r = kv_import(v, key_id, flags, seed, ret_version);
    sodium_memzero(seed, sizeof seed);
    if (r == TENUO_OK)
        memcpy(ret_key, key, sizeof key);
    return r;
}

static int vault_remove(void *self, const char *key_id, uint32_t version)
{
    struct vault *v = self;
    int r = check_id(key_id);
    if (r != TENUO_OK)
        return r;
    return v->engine == ENGINE_TRANSIT ? transit_remove(v, key_id, version) : kv_remove(v, key_id, version);
}

static const struct tenuo_arg_spec args[] = {
    { "url", TENUO_ARG_URL, 1, "address of Vault: https://HOST:8200, or http:// on this machine" },
    { "engine", TENUO_ARG_STRING, 0, "kv2, kv1 or transit (kv2)" },
    { "mount", TENUO_ARG_STRING, 0, "where the secrets engine is mounted (secret; transit)" },
    { "path_template", TENUO_ARG_STRING, 0,
      "path of a key, with " PLACE " in it (tenuo/keys/" PLACE "; transit " PLACE ")" },
    { "field", TENUO_ARG_STRING, 0, "field of the seed (key)" },
    { "public_field", TENUO_ARG_STRING, 0, "field of the public key beside it (public_key)" },
    { "auth", TENUO_ARG_STRING, 0, "token, approle, cert or kubernetes (token)" },
    { "auth_mount", TENUO_ARG_STRING, 0, "where the auth method is mounted (its name)" },
    { "role", TENUO_ARG_STRING, 0, "role to log in as: kubernetes, cert" },
    { "token_file", TENUO_ARG_PATH, 0, "file with the token" },
    { "token_credential", TENUO_ARG_STRING, 0, "service manager's credential with the token" },
    { "role_id_file", TENUO_ARG_PATH, 0, "file with the role id of approle" },
    { "role_id_credential", TENUO_ARG_STRING, 0, "service manager's credential with it" },
    { "secret_id_file", TENUO_ARG_PATH, 0, "file with the secret id of approle" },
    { "secret_id_credential", TENUO_ARG_STRING, 0, "service manager's credential with it" },
    { "jwt_file", TENUO_ARG_PATH, 0, "service account's token (" SERVICE_ACCOUNT ")" },
    { "namespace", TENUO_ARG_STRING, 0, "namespace of Vault Enterprise" },
    { "ca", TENUO_ARG_PATH, 0, "PEM file of the certificate authorities to trust, instead of the system's" },
    { "cert", TENUO_ARG_PATH, 0, "PEM file of the client certificate" },
    { "key_file", TENUO_ARG_PATH, 0, "PEM file of its private key" },
    { "key_credential", TENUO_ARG_STRING, 0, "service manager's credential with it" },
    { "connect_timeout", TENUO_ARG_DURATION, 0, "longest time until the server is reached (2s)" },
    { NULL, 0, 0, NULL },
};

static const struct tenuo_resolver_ops ops = {
    .size = sizeof ops,
    .open = vault_open,
    .close = vault_close,
    .check = vault_check,
    .can = vault_can,
    .public_key = vault_public_key,
    .sign = vault_sign,
    .export_seed = vault_export_seed,
    .list = vault_list,
    .describe = vault_describe,
    .generate = vault_generate,
    .import = vault_import,
    .remove = vault_remove,
};

TENUO_PLUGIN_EXPORT const struct tenuo_plugin_v1 tenuo_plugin_v1 = {
    .magic = TENUO_PLUGIN_MAGIC,
    .abi_major = TENUO_PLUGIN_ABI_MAJOR,
    .abi_minor = TENUO_PLUGIN_ABI_MINOR,
    .size = sizeof tenuo_plugin_v1,
    .flags = TENUO_PLUGIN_THREAD_SAFE,
    .name = "vault",
    .version = "1.0",
    .summary = "private keys in HashiCorp Vault: KV, or signing in transit",
    .args = args,
    .resolver = &ops,
};
