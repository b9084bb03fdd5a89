/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Resolver "tpm2": Ed25519 seeds sealed by a TPM 2.0, one TSS2 key file each. Everything that speaks to the TPM is done
 * by a helper program that lives for one call, because the TPM library leaves copies of what it decrypts in its memory.
 * Keeps no seed and no authorization value between two calls.
 */
#include "tpm2.h"

#include <fcntl.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "../../common/keyfile.h"
#include "../../core/trust.h"

#define DEFAULT_PATH "/var/lib/tenuo/tpm"
#define DEFAULT_TCTI "device:/dev/tpmrm0"
#define OBJECT_AUTH_MAX 32 /* the digest size of the name algorithm, SHA-256 */

enum { PATH, TCTI, PARENT, PCRS, AUTH_FILE, AUTH_CREDENTIAL, PARENT_AUTH_FILE, PARENT_AUTH_CREDENTIAL, ARGS };

/* ---- the line ---- */

static bool printable(const char *text)
{
    for (; *text != '\0'; text++)
        if (*text <= ' ' || *text > '~')
            return false;
    return true;
}

/* NAME or NAME:CONF. The name chooses a library that the helper loads: none but those of TPMs. */
static const char *judge_tcti(const char *tcti)
{
    static const char *const names[] = { "device", "swtpm", "mssim", "tabrmd" };
    size_t n = strcspn(tcti, ":");
    bool good = false;
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        good = good || (strlen(names[i]) == n && memcmp(names[i], tcti, n) == 0);
    if (!good || strlen(tcti) > TPM2_TCTI_MAX || !printable(tcti))
        return "tcti: want device, swtpm, mssim or tabrmd, then \":\" and where, for example device:/dev/tpmrm0";
    if (strncmp(tcti, "device:", 7) == 0 && (tcti[7] != '/' || strstr(tcti, "..") != NULL))
        return "tcti: the device is an absolute path, for example device:/dev/tpmrm0";
    return NULL;
}

static bool parse_parent(const char *text, uint32_t *ret)
{
    size_t n = strlen(text);
    if (n != 10 || strncmp(text, "0x", 2) != 0 || strspn(text + 2, "0123456789abcdefABCDEF") != 8)
        return false;
    *ret = (uint32_t)strtoul(text, NULL, 16);
    return *ret == TPM2_OWNER || *ret == TPM2_ENDORSEMENT || TPM2_IS_PERSISTENT(*ret);
}

static bool bad_name(const char *credential)
{
    return credential != NULL && (credential[0] == '\0' || credential[0] == '.' || strchr(credential, '/') != NULL);
}

static const char *judge_line(const struct tenuo_arg *a)
{
    uint32_t number;
    uint16_t bank;
    const char *wrong = a[TCTI].value != NULL ? judge_tcti(a[TCTI].value) : NULL;
    if (wrong != NULL)
        return wrong;
    if (a[PARENT].value != NULL && !parse_parent(a[PARENT].value, &number))
        return "parent: want 0x40000001, the owner hierarchy, or the handle of a persistent storage key, 0x81......";
    if (a[PCRS].value != NULL && !tpm2_pcrs_parse(a[PCRS].value, &bank, &number))
        return "pcrs: want sha256, sha384 or sha512 and numbers from 0 to 23, each once, for example sha256:0,7";
    if ((a[AUTH_FILE].value != NULL && a[AUTH_CREDENTIAL].value != NULL) ||
        (a[PARENT_AUTH_FILE].value != NULL && a[PARENT_AUTH_CREDENTIAL].value != NULL))
        return "a file and a credential for the same value exclude each other";
    if (bad_name(a[AUTH_CREDENTIAL].value) || bad_name(a[PARENT_AUTH_CREDENTIAL].value))
        return "a credential is a name without '/'";
    return NULL;
}

static void tpm2_close(void *self)
{
    struct tpm2 *s = self;
    if (s == NULL)
        return;
    free(s->path);
    free(s->tcti);
    free(s->auth_file);
    free(s->auth_credential);
    free(s->parent_auth_file);
    free(s->parent_auth_credential);
    free(s);
}

/* False when memory is out; nothing to copy is fine. */
static bool copy(char **ret, const char *value, const char *otherwise)
{
    const char *from = value != NULL ? value : otherwise;
    *ret = from != NULL ? strdup(from) : NULL;
    return from == NULL || *ret != NULL;
}

static struct tpm2 *make(const struct tenuo_host *host, const struct tenuo_arg *a)
{
    struct tpm2 *s = calloc(1, sizeof *s);
    if (s == NULL)
        return NULL;
    s->host = host;
    s->parent = TPM2_OWNER;
    if (a[PARENT].value != NULL)
        (void)parse_parent(a[PARENT].value, &s->parent);
    if (a[PCRS].value != NULL)
        (void)tpm2_pcrs_parse(a[PCRS].value, &s->bank, &s->pcrs);
    if (copy(&s->path, a[PATH].value, DEFAULT_PATH) && copy(&s->tcti, a[TCTI].value, DEFAULT_TCTI) &&
        copy(&s->auth_file, a[AUTH_FILE].value, NULL) && copy(&s->auth_credential, a[AUTH_CREDENTIAL].value, NULL) &&
        copy(&s->parent_auth_file, a[PARENT_AUTH_FILE].value, NULL) &&
        copy(&s->parent_auth_credential, a[PARENT_AUTH_CREDENTIAL].value, NULL))
        return s;
    tpm2_close(s);
    return NULL;
}

static int make_line(const struct tenuo_host *host, const struct tenuo_arg *args, size_t nargs, struct tpm2 **ret)
{
    if (nargs < ARGS)
        return TENUO_E_INVALID_ARGUMENT;
    const char *wrong = judge_line(args);
    if (wrong != NULL) {
        host->error(host, "%s", wrong);
        return TENUO_E_CONF;
    }
    struct tpm2 *s = make(host, args);
    if (s == NULL)
        return TENUO_E_NOMEM;
    *ret = s;
    return TENUO_OK;
}

static int tpm2_check(const struct tenuo_host *host, const struct tenuo_arg *args, size_t nargs)
{
    char helper[1024];
    struct tpm2 *s = NULL;
    int dir = -1, r = make_line(host, args, nargs, &s);
    if (r != TENUO_OK)
        return r;
    r = tpm2_open_dir(s, &dir);
    if (dir >= 0)
        close(dir);
    tpm2_close(s);
    return r != TENUO_OK ? r : tpm2_try_helper(host, helper, sizeof helper);
}

/* A directory that anybody can write to is refused here already; what is missing may still come. */
static int tpm2_open(const struct tenuo_host *host, const struct tenuo_arg *args, size_t nargs, void **ret_self)
{
    struct tpm2 *s = NULL;
    int dir = -1;
    if (sodium_init() < 0) {
        host->error(host, "libsodium cannot start: no randomness from the system");
        return TENUO_E_SYSTEM;
    }
    int r = make_line(host, args, nargs, &s);
    if (r != TENUO_OK)
        return r;
    r = tpm2_open_dir(s, &dir);
    if (dir >= 0)
        close(dir);
    if (r != TENUO_OK && r != TENUO_E_UNAVAILABLE) {
        tpm2_close(s);
        return r;
    }
    *ret_self = s;
    return TENUO_OK;
}

/* ---- authorization values ---- */

static int open_credentials(const struct tpm2 *s, int *ret_dir)
{
    const char *path = secure_getenv("CREDENTIALS_DIRECTORY");
    struct tenuo_error err;
    if (path == NULL) {
        s->host->error(s->host, "CREDENTIALS_DIRECTORY is not set: the service manager passed no credential");
        return TENUO_E_UNAVAILABLE;
    }
    int r = tn_trust_open(path, TN_TRUST_DIR, TENUO_E_KEY_DENIED, ret_dir, &err);
    if (r == TENUO_OK)
        return r;
    s->host->error(s->host, "%s", err.msg);
    return r == TENUO_E_SYSTEM ? TENUO_E_UNAVAILABLE : r;
}

/* The file's bytes without a newline at their end, as the TPM's own tools take them. */
static int read_auth(const struct tpm2 *s, int dir, const char *name, unsigned flags, size_t max, struct tpm2_auth *ret)
{
    char why[160] = "";
    size_t len = 0;
    uint8_t *data = sodium_malloc(TN_KEYFILE_MAX); /* wiped by sodium_free */
    if (data == NULL)
        return TENUO_E_NOMEM;
    enum tn_keyfile_result result = tn_keyfile_read(dir, name, flags, data, &len, why);
    if (result == TN_KEYFILE_OK && len > 0 && data[len - 1] == '\n')
        len--;
    if (result == TN_KEYFILE_OK && (len == 0 || len > max)) {
        result = TN_KEYFILE_INVALID;
        snprintf(why, sizeof why, "want an authorization value of 1 to %zu bytes", max);
    }
    if (result == TN_KEYFILE_OK) {
        ret->given = 1;
        ret->len = (uint32_t)len;
        memcpy(ret->bytes, data, len);
    }
    sodium_free(data);
    if (result == TN_KEYFILE_OK)
        return TENUO_OK;
    s->host->error(s->host, "authorization value %s: %s", name, why);
    return result == TN_KEYFILE_MISSING || result == TN_KEYFILE_SYSTEM ? TENUO_E_UNAVAILABLE : TENUO_E_KEY_DENIED;
}

static int load_auth(const struct tpm2 *s, const char *file, const char *credential, size_t max, struct tpm2_auth *ret)
{
    int dir = -1;
    if (file != NULL)
        return read_auth(s, AT_FDCWD, file, 0, max, ret);
    if (credential == NULL)
        return TENUO_OK;
    int r = open_credentials(s, &dir);
    if (r != TENUO_OK)
        return r;
    r = read_auth(s, dir, credential, TN_KEYFILE_CREDENTIAL, max, ret);
    close(dir);
    return r;
}

/* ---- one request ---- */

static int begin(struct tpm2 *s, struct tpm2_call *call, enum tpm2_op op)
{
    if (!tpm2_call_begin(call)) {
        s->host->error(s->host, "no memory to share with the helper program");
        return TENUO_E_NOMEM;
    }
    struct tpm2_talk *t = call->talk;
    t->op = op;
    t->parent = s->parent;
    t->bank = s->bank;
    t->pcrs = s->pcrs;
    snprintf(t->tcti, sizeof t->tcti, "%s", s->tcti);
    int r = load_auth(s, s->auth_file, s->auth_credential, OBJECT_AUTH_MAX, &t->auth);
    r = r != TENUO_OK ? r
                      : load_auth(s, s->parent_auth_file, s->parent_auth_credential, TPM2_AUTH_MAX, &t->parent_auth);
    if (r != TENUO_OK)
        tpm2_call_end(call);
    return r;
}

static void public_of(const uint8_t seed[TENUO_SEED_BYTES], uint8_t ret_key[TENUO_PUBKEY_BYTES])
{
    uint8_t secret[crypto_sign_SECRETKEYBYTES];
    crypto_sign_seed_keypair(ret_key, secret, seed);
    sodium_memzero(secret, sizeof secret);
}

/* The seed and its public key; ret_seed NULL when the latter alone is wanted. */
static int unseal(struct tpm2 *s, const struct tpm2_found *f, uint8_t *ret_seed, uint8_t ret_key[TENUO_PUBKEY_BYTES])
{
    char file[TPM2_NAME_BYTES + 256];
    uint8_t key[TENUO_PUBKEY_BYTES];
    struct tpm2_call call;
    int r = begin(s, &call, TPM2_OP_UNSEAL);
    if (r != TENUO_OK)
        return r;
    snprintf(file, sizeof file, "%.200s/%s", s->path, f->name);
    memcpy(call.talk->der, f->der, f->der_len);
    call.talk->der_len = (uint32_t)f->der_len;
    r = tpm2_ask(s, &call, file);
    if (r == TENUO_OK)
        public_of(call.talk->seed, key);
    if (r == TENUO_OK && f->has_public_key && memcmp(key, f->public_key, sizeof key) != 0) {
        s->host->error(s->host,
                       "%s: holds another key than the .pub file beside it says: one of them was replaced, or a "
                       "rotation was cut short; put the .pub file of this key back, or remove it",
                       file);
        r = TENUO_E_KEY_INVALID;
    }
    if (r == TENUO_OK) {
        if (ret_seed != NULL)
            memcpy(ret_seed, call.talk->seed, TENUO_SEED_BYTES);
        memcpy(ret_key, key, sizeof key);
    }
    tpm2_call_end(&call);
    return r;
}

static int seal(struct tpm2 *s, const char *key_id, const uint8_t seed[TENUO_SEED_BYTES], uint8_t ret_der[TPM2_DER_MAX],
                size_t *ret_len)
{
    struct tpm2_call call;
    int r = begin(s, &call, TPM2_OP_SEAL);
    if (r != TENUO_OK)
        return r;
    memcpy(call.talk->seed, seed, TENUO_SEED_BYTES);
    r = tpm2_ask(s, &call, key_id);
    if (r == TENUO_OK) {
        memcpy(ret_der, call.talk->der, call.talk->der_len);
        *ret_len = call.talk->der_len;
    }
    tpm2_call_end(&call);
    return r;
}

/* ---- the operations ---- */

static int tpm2_export_seed(void *self, const char *key_id, uint32_t version, uint8_t ret_seed[TENUO_SEED_BYTES])
{
    uint8_t key[TENUO_PUBKEY_BYTES];
    struct tpm2_found f;
    int dir = -1, r = tpm2_open_dir(self, &dir);
    if (r != TENUO_OK)
        return r;
    r = tpm2_find(self, dir, key_id, version, TPM2_BOTH, &f);
    close(dir);
    return r != TENUO_OK ? r : unseal(self, &f, ret_seed, key);
}

/* From ID.pub, without the TPM and the right to use it. */
static int tpm2_public_key(void *self, const char *key_id, uint32_t version, uint8_t ret_key[TENUO_PUBKEY_BYTES],
                           uint32_t *ret_version)
{
    struct tpm2_found f;
    int dir = -1, r = tpm2_open_dir(self, &dir);
    if (r != TENUO_OK)
        return r;
    r = tpm2_find(self, dir, key_id, version, TPM2_PUBLIC, &f);
    close(dir);
    if (r == TENUO_OK && !f.has_public_key)
        r = unseal(self, &f, NULL, f.public_key);
    if (r != TENUO_OK)
        return r;
    memcpy(ret_key, f.public_key, TENUO_PUBKEY_BYTES);
    *ret_version = f.version;
    return TENUO_OK;
}

static int tpm2_describe_op(void *self, const char *key_id, uint32_t version, struct tenuo_key_entry *ret_entry)
{
    int dir = -1, r = tpm2_open_dir(self, &dir);
    if (r != TENUO_OK)
        return r;
    r = tpm2_describe(self, dir, key_id, version, ret_entry);
    close(dir);
    return r;
}

static int tpm2_list_op(void *self, int (*each)(void *arg, const struct tenuo_key_entry *entry), void *arg)
{
    return tpm2_list(self, each, arg);
}

/* Asked before and after the sealing, which takes long: the second time counts. */
static int store(struct tpm2 *s, const char *key_id, unsigned flags, const uint8_t seed[TENUO_SEED_BYTES],
                 uint8_t ret_key[TENUO_PUBKEY_BYTES], uint32_t *ret_version)
{
    uint8_t der[TPM2_DER_MAX], key[TENUO_PUBKEY_BYTES];
    uint32_t version;
    size_t len = 0;
    int dir = -1, r = tpm2_open_dir(s, &dir);
    if (r != TENUO_OK)
        return r;
    public_of(seed, key);
    r = tpm2_may_add(s, dir, key_id, flags, &version);
    r = r != TENUO_OK ? r : seal(s, key_id, seed, der, &len);
    r = r != TENUO_OK ? r : tpm2_add(s, dir, key_id, flags, der, len, key, &version);
    close(dir);
    if (r != TENUO_OK)
        return r;
    memcpy(ret_key, key, sizeof key);
    *ret_version = version;
    return TENUO_OK;
}

static int tpm2_generate(void *self, const char *key_id, unsigned flags, uint8_t ret_key[TENUO_PUBKEY_BYTES],
                         uint32_t *ret_version)
{
    uint8_t *seed = sodium_malloc(TENUO_SEED_BYTES);
    if (seed == NULL)
        return TENUO_E_NOMEM;
    randombytes_buf(seed, TENUO_SEED_BYTES);
    int r = store(self, key_id, flags, seed, ret_key, ret_version);
    sodium_free(seed);
    return r;
}

static int tpm2_import(void *self, const char *key_id, unsigned flags, const uint8_t seed[TENUO_SEED_BYTES],
                       uint32_t *ret_version)
{
    uint8_t key[TENUO_PUBKEY_BYTES];
    return store(self, key_id, flags, seed, key, ret_version);
}

static int tpm2_remove_op(void *self, const char *key_id, uint32_t version)
{
    int dir = -1, r = tpm2_open_dir(self, &dir);
    if (r != TENUO_OK)
        return r;
    r = tpm2_remove(self, dir, key_id, version);
    close(dir);
    return r;
}

static const struct tenuo_arg_spec args[] = {
    { "path", TENUO_ARG_PATH, 0, "directory of ID.tss files (" DEFAULT_PATH ")" },
    { "tcti", TENUO_ARG_STRING, 0, "how to reach the TPM (" DEFAULT_TCTI ")" },
    { "parent", TENUO_ARG_STRING, 0, "under which key new ones are sealed (0x40000001)" },
    { "pcrs", TENUO_ARG_STRING, 0, "PCRs that new keys are bound to, for example sha256:0,7 (none)" },
    { "auth_file", TENUO_ARG_PATH, 0, "file with the keys' authorization value, which nobody else can read" },
    { "auth_credential", TENUO_ARG_STRING, 0, "the same as a credential of the service manager" },
    { "parent_auth_file", TENUO_ARG_PATH, 0, "file with the authorization value of the parent or its hierarchy" },
    { "parent_auth_credential", TENUO_ARG_STRING, 0, "the same as a credential of the service manager" },
    { NULL, 0, 0, NULL },
};

static const struct tenuo_resolver_ops ops = {
    .size = sizeof ops,
    .open = tpm2_open,
    .close = tpm2_close,
    .check = tpm2_check,
    .public_key = tpm2_public_key,
    .export_seed = tpm2_export_seed,
    .list = tpm2_list_op,
    .describe = tpm2_describe_op,
    .generate = tpm2_generate,
    .import = tpm2_import,
    .remove = tpm2_remove_op,
};

/* Not thread-safe: a TPM does one thing at a time. Not fork-safe: a child waits for its own helpers. */
TENUO_PLUGIN_EXPORT const struct tenuo_plugin_v1 tenuo_plugin_v1 = {
    .magic = TENUO_PLUGIN_MAGIC,
    .abi_major = TENUO_PLUGIN_ABI_MAJOR,
    .abi_minor = TENUO_PLUGIN_ABI_MINOR,
    .size = sizeof tenuo_plugin_v1,
    .name = "tpm2",
    .version = "1.0",
    .summary = "private keys sealed by a TPM 2.0",
    .args = args,
    .resolver = &ops,
};
