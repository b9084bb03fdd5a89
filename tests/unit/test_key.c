/* SPDX-License-Identifier: Apache-2.0 */
/* Signers: known answers, what a remote one may not do, and what is left of a local one after a fork. */
#include <sodium.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../../core/crypto.h"
#include "../../core/signer.h"
#include "stage.h"
#include "tap.h"

/* Under the outer prefix, as every verifier asks. */
static bool verifies(const uint8_t key[32], const uint8_t signature[64], struct tn_str message)
{
    uint8_t whole[6000];
    size_t prefix = sizeof TN_DOMAIN_WARRANT - 1;
    if (message.n > sizeof whole - prefix)
        return false;
    memcpy(whole, TN_DOMAIN_WARRANT, prefix);
    memcpy(whole + prefix, message.p, message.n);
    return tn_verify_whole(key, signature, (struct tn_str){ whole, prefix + message.n });
}

static const uint8_t seed[32] = { 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1,
                                  1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1 };
static int released;

static void on_release(void *arg)
{
    (void)arg;
    released++;
}

static struct tenuo_signer *local(void)
{
    struct tenuo_signer *signer = NULL;
    is_int(tenuo_signer_from_seed(seed, &signer, NULL), TENUO_OK, "a signer from a seed");
    return signer;
}

static void signing(void)
{
    static uint8_t big[5000];
    struct tenuo_signer *signer = local();
    const uint8_t *key = tenuo_signer_public_key(signer);
    uint8_t signature[64];
    char text[TENUO_FINGERPRINT_TEXT_BYTES], url[44];
    tenuo_fingerprint(key, text);
    is_str(text, "8a88e3dd7409f195", "fingerprint of the published key");
    tenuo_public_key_base64url(key, url);
    is_str(url, "iojj3XQJ8ZX9UtstPLpdcspnCb8dlBIb83SIAbQPb1w", "its base64url");
    is_int(tenuo_signer_is_local(signer), 1, "is local");
    static const size_t sizes[] = { 0, 1, 2032, 2033, sizeof big };
    for (size_t i = 0; i < TN_ARRAY_LEN(sizes); i++) {
        struct tn_str message = { big, sizes[i] };
        int r = tenuo_signer_sign(signer, sizes[i] == 0 ? NULL : big, sizes[i], signature, NULL);
        ok(r == TENUO_OK && verifies(key, signature, message), "%zu bytes are signed under the prefix", sizes[i]);
        ok(crypto_sign_verify_detached(signature, big, sizes[i], key) != 0, "and never without it");
    }
    tenuo_signer_free(signer);
    tenuo_signer_free(NULL);
}

/* What the child saw, as an exit status: one bit a failure. */
static int in_child(struct tenuo_signer *signer)
{
    uint8_t signature[64];
    char pem[TENUO_SECRET_PEM_MAX_BYTES];
    struct tenuo_signer *own = NULL;
    int bad = 0;
    if (tenuo_signer_sign(signer, seed, sizeof seed, signature, NULL) != TENUO_E_UNAVAILABLE)
        bad |= 1;
    if (tenuo_signer_secret_pem(signer, 1, pem, NULL) != TENUO_E_UNAVAILABLE)
        bad |= 2;
    if (tenuo_signer_from_seed(seed, &own, NULL) != TENUO_OK)
        return bad | 4;
    if (tenuo_signer_sign(own, seed, sizeof seed, signature, NULL) != TENUO_OK)
        bad |= 8;
    tenuo_signer_free(own);
    tenuo_signer_free(signer); /* its guard pages were wiped: must not abort */
    return bad;
}

static void forking(void)
{
    struct tenuo_signer *signer = local();
    uint8_t signature[64];
    int status = -1;
    fflush(NULL);
    pid_t pid = fork();
    if (pid == 0)
        _exit(in_child(signer));
    waitpid(pid, &status, 0);
    ok(WIFEXITED(status) && WEXITSTATUS(status) == 0, "a forked child gets 9301 and can open its own (status %#x)",
       (unsigned)status);
    is_int(tenuo_signer_sign(signer, seed, sizeof seed, signature, NULL), TENUO_OK, "the parent goes on");
    tenuo_signer_free(signer);
}

static int sign_right(void *arg, const uint8_t *message, size_t len, uint8_t ret_signature[64], struct tenuo_error *err)
{
    uint8_t key[32], secret[64];
    (void)arg, (void)err;
    crypto_sign_seed_keypair(key, secret, seed);
    return crypto_sign_detached(ret_signature, NULL, message, len, secret);
}

static int sign_wrong(void *arg, const uint8_t *message, size_t len, uint8_t ret_signature[64], struct tenuo_error *err)
{
    int r = sign_right(arg, message, len, ret_signature, err);
    ret_signature[0] ^= 1;
    return r;
}

static void remote(void)
{
    struct tn_remote_key key = { sign_right, on_release, NULL, NULL };
    struct tenuo_signer *mine = local(), *signer = NULL;
    const uint8_t *public_key = tenuo_signer_public_key(mine);
    uint8_t signature[64], before[64];
    char pem[TENUO_SECRET_PEM_MAX_BYTES];
    memset(signature, 0x33, sizeof signature);
    memcpy(before, signature, sizeof before);
    is_int(tn_signer_remote(public_key, &key, &signer, NULL), TENUO_OK, "a remote signer");
    is_int(tenuo_signer_is_local(signer), 0, "is not local");
    is_int(tenuo_signer_sign(signer, seed, sizeof seed, signature, NULL), TENUO_E_KEY_DENIED, "is no oracle");
    is_int(tenuo_signer_secret_pem(signer, 1, pem, NULL), TENUO_E_KEY_DENIED, "has no secret to give");
    is_int(tn_signer_sign_own(signer, seed, sizeof seed, signature, NULL), TENUO_OK, "signs what the library built");
    ok(verifies(public_key, signature, (struct tn_str){ seed, sizeof seed }), "and rightly");
    tenuo_signer_free(signer);
    is_int(released, 1, "is let go once");
    key.sign = sign_wrong;
    is_int(tn_signer_remote(public_key, &key, &signer, NULL), TENUO_OK, "a store that lies");
    memcpy(signature, before, sizeof before);
    is_int(tn_signer_sign_own(signer, seed, sizeof seed, signature, NULL), TENUO_E_PLUGIN_PROTOCOL, "is found out");
    ok(memcmp(signature, before, sizeof before) == 0, "its signature goes nowhere");
    tenuo_signer_free(signer);
    signer = NULL;
    is_int(tn_signer_remote((const uint8_t[32]){ 1 }, &key, &signer, NULL), TENUO_E_SIGNATURE_INVALID,
           "a small-order key is refused");
    ok(signer == NULL && released == 3, "and its store is let go");
    tenuo_signer_free(mine);
    released = 0;
    uint8_t shared[64], unused[32];
    crypto_sign_seed_keypair(unused, shared, seed);
    is_int(tn_signer_shared(shared, on_release, NULL, &signer, NULL), TENUO_OK, "a local signer on shared memory");
    is_int(tenuo_signer_self_test(signer, NULL), TENUO_OK, "works");
    tenuo_signer_free(signer);
    is_int(released, 1, "drops it");
}

static void file_is(const char *path, int want, const char *what)
{
    struct tenuo_signer *signer = NULL;
    struct tenuo_error err = { 0 };
    is_int(tenuo_signer_from_file(path, &signer, &err), want, "key file: %s", what);
    ok((signer != NULL) == (want == TENUO_OK) && (want == TENUO_OK || strstr(err.msg, path) != NULL),
       "its message names the file");
    tenuo_signer_free(signer);
}

static void files(void)
{
    static char large[5000];
    struct tenuo_signer *signer = local();
    char pem[TENUO_SECRET_PEM_MAX_BYTES];
    const char *good;
    stage_begin();
    is_int(tenuo_signer_secret_pem(signer, 1, pem, NULL), TENUO_OK, "the secret as PEM");
    tenuo_signer_free(signer);
    good = stage_write("good.key", pem, strlen(pem), 0600);
    file_is(good, TENUO_OK, "PEM, 0600");
    file_is(stage_write("raw.key", seed, 32, 0400), TENUO_OK, "32 raw bytes, 0400");
    file_is(stage_write("group.key", pem, strlen(pem), 0640), TENUO_E_KEY_DENIED, "readable by the group");
    file_is(stage_write("world.key", pem, strlen(pem), 0604), TENUO_E_KEY_DENIED, "readable by all");
    file_is(stage_write("bad.key", "hello", 5, 0600), TENUO_E_SIGNATURE_INVALID, "no key");
    file_is(stage_write("large.key", large, sizeof large, 0600), TENUO_E_SIGNATURE_INVALID, "too large");
    file_is(stage_path("none.key"), TENUO_E_KEY_NOT_FOUND, "missing");
    file_is(stage_mkdir("dir.key", 0700), TENUO_E_SIGNATURE_INVALID, "a directory");
    const char *link = stage_path("link.key"), *fifo = stage_path("fifo.key");
    ok(symlink(good, link) == 0 && mkfifo(fifo, 0600) == 0, "a link and a pipe");
    file_is(link, TENUO_E_KEY_DENIED, "a link");
    file_is(fifo, TENUO_E_SIGNATURE_INVALID, "a pipe, which must not block");
    stage_end();
}

static void arguments(void)
{
    struct tenuo_signer *signer = NULL;
    uint8_t key[32] = { 9 };
    is_int(tenuo_signer_from_text("x", 1, &signer, NULL), TENUO_E_SIGNATURE_INVALID, "no secret");
    is_int(tenuo_signer_from_text(NULL, 1, &signer, NULL), TENUO_E_INVALID_ARGUMENT, "NULL text");
    is_int(tenuo_signer_from_seed(NULL, &signer, NULL), TENUO_E_INVALID_ARGUMENT, "NULL seed");
    ok(signer == NULL, "nothing was made");
    is_int(tenuo_public_key_parse("0100000000000000000000000000000000000000000000000000000000000000", 64, key, NULL),
           TENUO_E_SIGNATURE_INVALID, "a small-order public key in hex");
    is_int(key[0], 9, "the output is untouched");
    struct tenuo_signer *a = NULL, *b = NULL;
    ok(tenuo_signer_generate(&a, NULL) == TENUO_OK && tenuo_signer_generate(&b, NULL) == TENUO_OK &&
           memcmp(tenuo_signer_public_key(a), tenuo_signer_public_key(b), 32) != 0,
       "two fresh keys differ");
    tenuo_signer_free(a);
    tenuo_signer_free(b);
}

int main(void)
{
    if (!tn_crypto_init())
        return 1;
    signing();
    forking();
    remote();
    files();
    arguments();
    return done_testing();
}
