/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Ed25519 keys: public keys as 32 bytes with their text forms, and signers, which hold a secret that never leaves them.
 *
 * A signer is local (a seed in guarded memory) or remote (a store signs; opened through a context). Both sign only
 * messages that this library builds, always under the protocol's domain prefix, so a signer is no oracle for other
 * protocols. Signers may be shared between threads. After a fork the child must open its own: a local signer made
 * before the fork answers 9301 there.
 */
#ifndef TENUO_KEY_H
#define TENUO_KEY_H

#include <stddef.h>
#include <stdint.h>
#include <tenuo/error.h>
#include <tenuo/warrant.h>

#ifdef __cplusplus
extern "C" {
#endif

#define TENUO_SECRET_SEED_BYTES 32
#define TENUO_FINGERPRINT_TEXT_BYTES 17 /* 16 hex digits + NUL */
#define TENUO_PUBLIC_PEM_MAX_BYTES 128
#define TENUO_SECRET_PEM_MAX_BYTES 256

struct tenuo_signer;

/* Signer from a 32-byte seed; the caller wipes its own copy. */
TENUO_API TENUO_MUST_USE int tenuo_signer_from_seed(const uint8_t seed[TENUO_SECRET_SEED_BYTES],
                                                    struct tenuo_signer **ret_signer, struct tenuo_error *reterr);
/* Fresh key from the operating system's randomness. */
TENUO_API TENUO_MUST_USE int tenuo_signer_generate(struct tenuo_signer **ret_signer, struct tenuo_error *reterr);
/* Secret key text in any form of 3.4: PKCS#8 v1 or v2 PEM, PEM around hex, hex, base64, base64url. 1100 when it is none
 * of them. */
TENUO_API TENUO_MUST_USE int tenuo_signer_from_text(const char *text, size_t len, struct tenuo_signer **ret_signer,
                                                    struct tenuo_error *reterr);
/* The file form of tenuo_signer_from_text; also takes exactly 32 raw bytes. Refuses links, and files that others can
 * read. */
TENUO_API TENUO_MUST_USE int tenuo_signer_from_file(const char *path, struct tenuo_signer **ret_signer,
                                                    struct tenuo_error *reterr);
/* Wipes the secret. NULL is fine. */
TENUO_API void tenuo_signer_free(struct tenuo_signer *signer);

TENUO_API const uint8_t *tenuo_signer_public_key(const struct tenuo_signer *signer);
/* 1 when the secret is in this process, 0 when a store signs. */
TENUO_API int tenuo_signer_is_local(const struct tenuo_signer *signer);
/* Signs a message that no part of the protocol takes for its own and verifies it: 0 when the key works, 9203 when its
 * store returns what its public key does not verify, else what the store says. */
TENUO_API TENUO_MUST_USE int tenuo_signer_self_test(const struct tenuo_signer *signer, struct tenuo_error *reterr);
/* Signs "tenuo-warrant-v1" + message. A remote signer refuses: no signing oracle. */
TENUO_API TENUO_MUST_USE int tenuo_signer_sign(const struct tenuo_signer *signer, const uint8_t *message, size_t len,
                                               uint8_t ret_signature[TENUO_SIGNATURE_BYTES],
                                               struct tenuo_error *reterr);
/* The 32-byte seed of a local signer, for writing it into a store; wipe it with tenuo_wipe. 9304: a store keeps it. */
TENUO_API TENUO_MUST_USE int tenuo_signer_seed(const struct tenuo_signer *signer,
                                               uint8_t ret_seed[TENUO_SECRET_SEED_BYTES], struct tenuo_error *reterr);
/*
 * PKCS#8 PEM of a local signer (v1 as `tenuo keygen` writes it), NUL-terminated. With tenuo_signer_seed the only way
 * out for a secret: call it to write a key file, then wipe the buffer with tenuo_wipe.
 */
TENUO_API TENUO_MUST_USE int tenuo_signer_secret_pem(const struct tenuo_signer *signer, int pkcs8_version,
                                                     char ret_pem[TENUO_SECRET_PEM_MAX_BYTES],
                                                     struct tenuo_error *reterr);
/* Overwrites memory in a way that no compiler removes. */
TENUO_API void tenuo_wipe(void *p, size_t len);

/* Public keys. Parsing accepts SPKI PEM, 64 hex digits, base64url or base64 of 32 bytes; refuses small-order points
 * (1100). */
TENUO_API TENUO_MUST_USE int tenuo_public_key_parse(const char *text, size_t len,
                                                    uint8_t ret_key[TENUO_PUBLIC_KEY_BYTES],
                                                    struct tenuo_error *reterr);
/* Each of the strict single forms, as the protocol's own readers take them. */
TENUO_API TENUO_MUST_USE int tenuo_public_key_parse_pem(const char *text, size_t len,
                                                        uint8_t ret_key[TENUO_PUBLIC_KEY_BYTES],
                                                        struct tenuo_error *reterr);
TENUO_API TENUO_MUST_USE int tenuo_public_key_parse_base64url(const char *text, size_t len,
                                                              uint8_t ret_key[TENUO_PUBLIC_KEY_BYTES],
                                                              struct tenuo_error *reterr);
/* The secret's strict PEM reader; otherwise as tenuo_signer_from_text. */
TENUO_API TENUO_MUST_USE int tenuo_signer_from_pem(const char *text, size_t len, struct tenuo_signer **ret_signer,
                                                   struct tenuo_error *reterr);
/* SPKI PEM, NUL-terminated. */
TENUO_API void tenuo_public_key_pem(const uint8_t key[TENUO_PUBLIC_KEY_BYTES],
                                    char ret_pem[TENUO_PUBLIC_PEM_MAX_BYTES]);
/* base64url without padding: 43 characters + NUL. */
TENUO_API void tenuo_public_key_base64url(const uint8_t key[TENUO_PUBLIC_KEY_BYTES], char ret_text[44]);
/* 0 when the key is a valid curve point of large order, else 1100. */
TENUO_API TENUO_MUST_USE int tenuo_public_key_check(const uint8_t key[TENUO_PUBLIC_KEY_BYTES]);
/* Lowercase hex of the first 8 bytes. */
TENUO_API void tenuo_fingerprint(const uint8_t key[TENUO_PUBLIC_KEY_BYTES],
                                 char ret_text[TENUO_FINGERPRINT_TEXT_BYTES]);

#ifdef __cplusplus
}
#endif
#endif
