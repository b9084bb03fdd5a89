/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Signers and public keys. A local secret lives in guarded, locked, read-only pages, is wiped in a forked child and on
 * free, and leaves only through tenuo_signer_secret_pem and tenuo_signer_seed. A signer never signs bytes that do not
 * start with the protocol's prefix.
 */
#include "signer.h"

#include <fcntl.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "../common/keyfile.h"
#include "../common/keytext.h"
#include "crypto.h"
#include "err.h"
#include "forkgen.h"
#include "mem.h"

#define ALIVE 0x53u /* zero once the kernel has wiped the page in a forked child */
#define SMALL 2048  /* messages up to here are prefixed on the stack */

/* What sits in the guarded pages. `expanded` is libsodium's form: seed, then public key. */
struct secret {
    uint8_t expanded[crypto_sign_SECRETKEYBYTES];
    uint8_t alive;
};

struct tenuo_signer {
    uint8_t public_key[32];
    const uint8_t *expanded; /* NULL: remote */
    struct secret *secret;   /* where it is, when the pages are this signer's own */
    pid_t owner;
    unsigned generation;
    struct tn_remote_key remote;
    void (*release)(void *arg);
    void *arg;
};

static int fail_small_order(struct tenuo_error *err)
{
    return tn_fail(err, TENUO_E_SIGNATURE_INVALID, "public key: not a point of large order on the curve");
}

/* Best effort: on a kernel without it the pid alone keeps a child from signing. */
static void wipe_on_fork(void *p, size_t len)
{
    uintptr_t page = (uintptr_t)sysconf(_SC_PAGESIZE), start = (uintptr_t)p / page * page;
    uintptr_t end = ((uintptr_t)p + len + page - 1) / page * page;
    (void)madvise((void *)start, end - start, MADV_WIPEONFORK);
}

static void secret_free(struct secret *secret)
{
    /* Wiped by a fork: its guard canary is gone too, and libsodium would abort. The pages are zero; nothing is left to
     * protect. */
    if (secret != NULL && secret->alive == ALIVE)
        sodium_free(secret);
}

static int secret_new(const uint8_t seed[32], uint8_t ret_public[32], struct secret **ret, struct tenuo_error *err)
{
    struct secret *secret = sodium_malloc(sizeof *secret); /* locks it too, where the limit allows */
    if (secret == NULL)
        return tn_fail(err, TENUO_E_NOMEM, "no guarded memory for a secret key: raise RLIMIT_AS or vm.max_map_count");
    wipe_on_fork(secret, sizeof *secret);
    crypto_sign_seed_keypair(ret_public, secret->expanded, seed);
    secret->alive = ALIVE;
    if (sodium_mprotect_readonly(secret) != 0) {
        sodium_free(secret);
        return tn_fail(err, TENUO_E_SYSTEM, "secret key: its pages cannot be made read-only");
    }
    *ret = secret;
    return TENUO_OK;
}

static int signer_new(struct tenuo_signer **ret_signer, struct tenuo_error *err)
{
    struct tenuo_signer *signer;
    if (!tn_crypto_init())
        return tn_fail(err, TENUO_E_SYSTEM, "libsodium cannot start: no randomness from the system");
    signer = calloc(1, sizeof *signer);
    if (signer == NULL)
        return tn_fail_code(err, TENUO_E_NOMEM);
    signer->owner = getpid();
    signer->generation = tn_forkgen();
    *ret_signer = signer;
    return TENUO_OK;
}

int tn_signer_local(const uint8_t seed[32], struct tenuo_signer **ret_signer, struct tenuo_error *err)
{
    struct tenuo_signer *signer = NULL;
    int r = signer_new(&signer, err);
    if (r == TENUO_OK)
        r = secret_new(seed, signer->public_key, &signer->secret, err);
    if (r != TENUO_OK) {
        free(signer);
        return r;
    }
    signer->expanded = signer->secret->expanded;
    *ret_signer = signer;
    return TENUO_OK;
}

int tn_signer_shared(const uint8_t *secret_key, void (*release)(void *arg), void *arg, struct tenuo_signer **ret_signer,
                     struct tenuo_error *err)
{
    struct tenuo_signer *signer = NULL;
    int r = signer_new(&signer, err);
    if (r != TENUO_OK)
        return r;
    memcpy(signer->public_key, secret_key + TENUO_SECRET_SEED_BYTES, 32);
    signer->expanded = secret_key;
    signer->release = release;
    signer->arg = arg;
    *ret_signer = signer;
    return TENUO_OK;
}

int tn_signer_remote(const uint8_t public_key[32], const struct tn_remote_key *remote, struct tenuo_signer **ret_signer,
                     struct tenuo_error *err)
{
    struct tenuo_signer *signer;
    int r;
    if (tenuo_public_key_check(public_key) != TENUO_OK) {
        r = fail_small_order(err);
        goto fail;
    }
    signer = calloc(1, sizeof *signer);
    if (signer == NULL) {
        r = tn_fail_code(err, TENUO_E_NOMEM);
        goto fail;
    }
    memcpy(signer->public_key, public_key, 32);
    signer->remote = *remote;
    *ret_signer = signer;
    return TENUO_OK;
fail:
    if (remote->release != NULL)
        remote->release(remote->arg);
    return r;
}

void tenuo_signer_free(struct tenuo_signer *signer)
{
    if (signer == NULL)
        return;
    secret_free(signer->secret);
    if (signer->remote.release != NULL)
        signer->remote.release(signer->remote.arg);
    if (signer->release != NULL)
        signer->release(signer->arg);
    free(signer);
}

/* 9301 in a child: the secret stayed in the parent. */
static int check_owner(const struct tenuo_signer *signer, struct tenuo_error *err)
{
    if (signer->owner == getpid() && signer->generation == tn_forkgen() &&
        (signer->secret == NULL || signer->secret->alive == ALIVE))
        return TENUO_OK;
    return tn_fail(err, TENUO_E_UNAVAILABLE,
                   "signer: opened before a fork, its secret stayed in the parent: open it again here");
}

static int fail_lied(const struct tenuo_signer *signer, struct tenuo_error *err)
{
    if (signer->remote.lied != NULL)
        return signer->remote.lied(signer->remote.arg, err);
    return tn_fail(err, TENUO_E_PLUGIN_PROTOCOL,
                   "remote key: the store returned a signature that its public key does not verify");
}

static int sign_whole(const struct tenuo_signer *signer, const uint8_t *whole, size_t n, uint8_t ret_signature[64],
                      struct tenuo_error *err)
{
    uint8_t signature[64];
    int r;
    if (signer->expanded != NULL) {
        r = check_owner(signer, err);
        if (r == TENUO_OK)
            crypto_sign_detached(signature, NULL, whole, n, signer->expanded);
    } else {
        r = signer->remote.sign(signer->remote.arg, whole, n, signature, err);
        if (r == TENUO_OK && !tn_verify_whole(signer->public_key, signature, (struct tn_str){ whole, n }))
            r = fail_lied(signer, err);
    }
    if (r == TENUO_OK)
        memcpy(ret_signature, signature, sizeof signature);
    return r;
}

int tn_signer_sign_own(const struct tenuo_signer *signer, const uint8_t *message, size_t len, uint8_t ret_signature[64],
                       struct tenuo_error *err)
{
    static const char prefix[] = TN_DOMAIN_WARRANT;
    uint8_t small[SMALL], *whole = small;
    size_t n = 0;
    if (!tn_add_size(len, sizeof prefix - 1, &n))
        return tn_fail_code(err, TENUO_E_NOMEM);
    if (n > sizeof small)
        whole = malloc(n);
    if (whole == NULL)
        return tn_fail_code(err, TENUO_E_NOMEM);
    memcpy(whole, prefix, sizeof prefix - 1);
    if (len != 0)
        memcpy(whole + sizeof prefix - 1, message, len);
    int r = sign_whole(signer, whole, n, ret_signature, err);
    if (whole != small)
        free(whole);
    return r;
}

int tenuo_signer_sign(const struct tenuo_signer *signer, const uint8_t *message, size_t len,
                      uint8_t ret_signature[TENUO_SIGNATURE_BYTES], struct tenuo_error *reterr)
{
    if (signer == NULL || (message == NULL && len != 0))
        return tn_fail(reterr, TENUO_E_INVALID_ARGUMENT, "tenuo_signer_sign: signer and message must not be NULL");
    if (signer->expanded == NULL)
        return tn_fail(reterr, TENUO_E_KEY_DENIED,
                       "remote key: signs warrants and proofs only, never bytes of the caller's choice");
    return tn_signer_sign_own(signer, message, len, ret_signature, reterr);
}

const uint8_t *tenuo_signer_public_key(const struct tenuo_signer *signer)
{
    return signer->public_key;
}

int tenuo_signer_is_local(const struct tenuo_signer *signer)
{
    return signer->expanded != NULL;
}

int tenuo_signer_self_test(const struct tenuo_signer *signer, struct tenuo_error *reterr)
{
    static const char domain[] = TN_DOMAIN_SELF_TEST;
    uint8_t whole[sizeof TN_DOMAIN_WARRANT - 1 + sizeof domain - 1 + 32] = TN_DOMAIN_WARRANT, signature[64];
    uint8_t *own = whole + sizeof TN_DOMAIN_WARRANT - 1;
    size_t n = sizeof domain - 1 + 32;
    if (signer == NULL)
        return tn_fail(reterr, TENUO_E_INVALID_ARGUMENT, "tenuo_signer_self_test: signer must not be NULL");
    memcpy(own, domain, sizeof domain - 1);
    randombytes_buf(own + sizeof domain - 1, 32);
    int r = tn_signer_sign_own(signer, own, n, signature, reterr);
    if (r == TENUO_OK && !tn_verify_whole(signer->public_key, signature, (struct tn_str){ whole, sizeof whole }))
        r = tn_fail(reterr, TENUO_E_KEY_INVALID, "the secret key does not belong to its public key");
    return r;
}

int tenuo_signer_from_seed(const uint8_t seed[TENUO_SECRET_SEED_BYTES], struct tenuo_signer **ret_signer,
                           struct tenuo_error *reterr)
{
    if (seed == NULL || ret_signer == NULL)
        return tn_fail(reterr, TENUO_E_INVALID_ARGUMENT, "tenuo_signer_from_seed: no argument may be NULL");
    return tn_signer_local(seed, ret_signer, reterr);
}

int tenuo_signer_generate(struct tenuo_signer **ret_signer, struct tenuo_error *reterr)
{
    uint8_t seed[32];
    if (!tn_crypto_init())
        return tn_fail(reterr, TENUO_E_SYSTEM, "libsodium cannot start: no randomness from the system");
    randombytes_buf(seed, sizeof seed);
    int r = tenuo_signer_from_seed(seed, ret_signer, reterr);
    sodium_memzero(seed, sizeof seed);
    return r;
}

typedef bool (*seed_reader)(const char *text, size_t len, uint8_t ret_seed[32]);

static int signer_from(seed_reader reader, const char *text, size_t len, const char *what,
                       struct tenuo_signer **ret_signer, struct tenuo_error *err)
{
    uint8_t seed[32];
    if ((text == NULL && len != 0) || ret_signer == NULL)
        return tn_fail(err, TENUO_E_INVALID_ARGUMENT, "secret key text: no argument may be NULL");
    if (!tn_crypto_init())
        return tn_fail(err, TENUO_E_SYSTEM, "libsodium cannot start: no randomness from the system");
    if (!reader(text == NULL ? "" : text, len, seed))
        return tn_fail(err, TENUO_E_SIGNATURE_INVALID, "secret key text: %s", what);
    int r = tn_signer_local(seed, ret_signer, err);
    sodium_memzero(seed, sizeof seed);
    return r;
}

int tenuo_signer_from_text(const char *text, size_t len, struct tenuo_signer **ret_signer, struct tenuo_error *reterr)
{
    return signer_from(tn_seed_from_text, text, len,
                       "neither PKCS#8 PEM of an Ed25519 key nor 32 bytes in hex, base64 or base64url", ret_signer,
                       reterr);
}

int tenuo_signer_from_pem(const char *text, size_t len, struct tenuo_signer **ret_signer, struct tenuo_error *reterr)
{
    return signer_from(tn_seed_from_pem, text, len, "not a PKCS#8 PEM of an Ed25519 key", ret_signer, reterr);
}

static int keyfile_code(enum tn_keyfile_result result)
{
    switch (result) {
    case TN_KEYFILE_OK:
        return TENUO_OK;
    case TN_KEYFILE_MISSING:
        return TENUO_E_KEY_NOT_FOUND;
    case TN_KEYFILE_DENIED:
        return TENUO_E_KEY_DENIED;
    case TN_KEYFILE_INVALID:
        return TENUO_E_SIGNATURE_INVALID;
    case TN_KEYFILE_SYSTEM:
        return TENUO_E_SYSTEM;
    }
    return TENUO_E_SYSTEM;
}

static int signer_from_bytes(const char *shown, const uint8_t *data, size_t len, struct tenuo_signer **ret_signer,
                             struct tenuo_error *err)
{
    uint8_t seed[32];
    if (!tn_seed_from_file(data, len, seed))
        return tn_fail(err, TENUO_E_SIGNATURE_INVALID,
                       "%s: holds no Ed25519 secret key (PKCS#8 PEM, hex, base64 or 32 bytes)", shown);
    int r = tn_signer_local(seed, ret_signer, err);
    sodium_memzero(seed, sizeof seed);
    return r;
}

int tenuo_signer_from_file(const char *path, struct tenuo_signer **ret_signer, struct tenuo_error *reterr)
{
    char shown[120], why[160];
    size_t len = 0;
    if (path == NULL || ret_signer == NULL)
        return tn_fail(reterr, TENUO_E_INVALID_ARGUMENT, "tenuo_signer_from_file: no argument may be NULL");
    if (!tn_crypto_init())
        return tn_fail(reterr, TENUO_E_SYSTEM, "libsodium cannot start: no randomness from the system");
    uint8_t *data = sodium_malloc(TN_KEYFILE_MAX); /* wiped by sodium_free */
    if (data == NULL)
        return tn_fail_code(reterr, TENUO_E_NOMEM);
    tn_quote(shown, sizeof shown, path, strlen(path));
    enum tn_keyfile_result result = tn_keyfile_read(AT_FDCWD, path, 0, data, &len, why);
    int r;
    if (result != TN_KEYFILE_OK)
        r = tn_fail(reterr, keyfile_code(result), "%s: %s", shown, why);
    else
        r = signer_from_bytes(shown, data, len, ret_signer, reterr);
    sodium_free(data);
    return r;
}

int tn_signer_seed(const struct tenuo_signer *signer, uint8_t ret_seed[32], struct tenuo_error *err)
{
    if (signer->expanded == NULL)
        return tn_fail(err, TENUO_E_KEY_DENIED, "remote key: its store keeps the secret");
    int r = check_owner(signer, err);
    if (r == TENUO_OK)
        memcpy(ret_seed, signer->expanded, TENUO_SECRET_SEED_BYTES);
    return r;
}

int tenuo_signer_secret_pem(const struct tenuo_signer *signer, int pkcs8_version,
                            char ret_pem[TENUO_SECRET_PEM_MAX_BYTES], struct tenuo_error *reterr)
{
    if (signer == NULL || ret_pem == NULL || (pkcs8_version != 1 && pkcs8_version != 2))
        return tn_fail(reterr, TENUO_E_INVALID_ARGUMENT,
                       "tenuo_signer_secret_pem: version is 1 or 2, nothing may be NULL");
    if (signer->expanded == NULL)
        return tn_fail(reterr, TENUO_E_KEY_DENIED, "remote key: its store keeps the secret");
    int r = check_owner(signer, reterr);
    if (r == TENUO_OK)
        (void)tn_seed_to_pem(signer->expanded, signer->public_key, pkcs8_version, ret_pem);
    return r;
}

int tenuo_signer_seed(const struct tenuo_signer *signer, uint8_t ret_seed[TENUO_SECRET_SEED_BYTES],
                      struct tenuo_error *reterr)
{
    if (signer == NULL || ret_seed == NULL)
        return tn_fail(reterr, TENUO_E_INVALID_ARGUMENT, "tenuo_signer_seed: nothing may be NULL");
    if (signer->expanded == NULL)
        return tn_fail(reterr, TENUO_E_KEY_DENIED, "remote key: its store keeps the secret");
    int r = check_owner(signer, reterr);
    if (r == TENUO_OK)
        memcpy(ret_seed, signer->expanded, TENUO_SECRET_SEED_BYTES);
    return r;
}

void tenuo_wipe(void *p, size_t len)
{
    if (p != NULL)
        sodium_memzero(p, len);
}

typedef bool (*key_reader)(const char *text, size_t len, uint8_t ret_key[32]);

static int public_from(key_reader reader, const char *text, size_t len, const char *what, uint8_t ret_key[32],
                       struct tenuo_error *err)
{
    uint8_t key[32];
    if ((text == NULL && len != 0) || ret_key == NULL)
        return tn_fail(err, TENUO_E_INVALID_ARGUMENT, "public key text: no argument may be NULL");
    if (!reader(text == NULL ? "" : text, len, key))
        return tn_fail(err, TENUO_E_SIGNATURE_INVALID, "public key text: %s", what);
    if (tenuo_public_key_check(key) != TENUO_OK)
        return fail_small_order(err);
    memcpy(ret_key, key, sizeof key);
    return TENUO_OK;
}

int tenuo_public_key_parse(const char *text, size_t len, uint8_t ret_key[TENUO_PUBLIC_KEY_BYTES],
                           struct tenuo_error *reterr)
{
    return public_from(tn_public_from_text, text, len,
                       "neither SPKI PEM of an Ed25519 key nor 32 bytes in hex, base64url or base64", ret_key, reterr);
}

int tenuo_public_key_parse_pem(const char *text, size_t len, uint8_t ret_key[TENUO_PUBLIC_KEY_BYTES],
                               struct tenuo_error *reterr)
{
    return public_from(tn_public_from_pem, text, len, "not an SPKI PEM of an Ed25519 key", ret_key, reterr);
}

int tenuo_public_key_parse_base64url(const char *text, size_t len, uint8_t ret_key[TENUO_PUBLIC_KEY_BYTES],
                                     struct tenuo_error *reterr)
{
    return public_from(tn_public_from_base64url, text, len, "not 43 characters of base64url without padding", ret_key,
                       reterr);
}

void tenuo_public_key_pem(const uint8_t key[TENUO_PUBLIC_KEY_BYTES], char ret_pem[TENUO_PUBLIC_PEM_MAX_BYTES])
{
    (void)tn_public_to_pem(key, ret_pem);
}

void tenuo_public_key_base64url(const uint8_t key[TENUO_PUBLIC_KEY_BYTES], char ret_text[44])
{
    tn_base64url_encode(ret_text, key, TENUO_PUBLIC_KEY_BYTES);
    ret_text[43] = '\0';
}

void tenuo_fingerprint(const uint8_t key[TENUO_PUBLIC_KEY_BYTES], char ret_text[TENUO_FINGERPRINT_TEXT_BYTES])
{
    tn_hex(ret_text, key, 8);
}
