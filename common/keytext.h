/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Text forms of Ed25519 keys (spec warrant.md 3.4, temporal.md 7.1). Pure functions that the library and the plugins
 * both link: they need libsodium and libc alone, and must never print, allocate, or keep anything. Secrets go through
 * libsodium's constant-time codecs and every intermediate copy is wiped. Nothing here says whether a public key is a
 * usable point.
 */
#ifndef TN_KEYTEXT_H
#define TN_KEYTEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define TN_KEYTEXT_MAX 4096       /* bytes of any key text or key file */
#define TN_KEYTEXT_SECRET_PEM 256 /* room for either PKCS#8 PEM and its NUL */
#define TN_KEYTEXT_PUBLIC_PEM 128 /* room for an SPKI PEM and its NUL */

/* All readers: false when the text is not such a key, the output is then untouched. */

/* PKCS#8 v1 or v2 PEM as the protocol's own reader takes it; the public key within v2 must be that of the seed. */
bool tn_seed_from_pem(const char *text, size_t len, uint8_t ret_seed[32]);
/* In this order: PEM, PEM around 64 hex digits, 64 hex digits, base64, base64url. Blanks around it are ignored. */
bool tn_seed_from_text(const char *text, size_t len, uint8_t ret_seed[32]);
/* The forms of an environment variable: hex with or without blanks between bytes, base64 and base64url, padded or not.
 */
bool tn_seed_from_env(const char *text, size_t len, uint8_t ret_seed[32]);
/* What a key file holds: exactly 32 raw bytes, or the forms of tn_seed_from_text. */
bool tn_seed_from_file(const uint8_t *bytes, size_t len, uint8_t ret_seed[32]);
/* version 1: seed alone, as the command writes it; 2: with the public key. Returns the length without the NUL, 0 for
 * others. */
size_t tn_seed_to_pem(const uint8_t seed[32], const uint8_t public_key[32], int version,
                      char ret_pem[TN_KEYTEXT_SECRET_PEM]);

bool tn_public_from_pem(const char *text, size_t len, uint8_t ret_key[32]);
/* Exactly 43 characters, no padding, no blanks. */
bool tn_public_from_base64url(const char *text, size_t len, uint8_t ret_key[32]);
/* SPKI PEM, 64 hex digits, base64url or base64, padded or not; blanks around it are ignored. */
bool tn_public_from_text(const char *text, size_t len, uint8_t ret_key[32]);
size_t tn_public_to_pem(const uint8_t key[32], char ret_pem[TN_KEYTEXT_PUBLIC_PEM]);

/* base64url without padding. The decoder is strict: no blanks, no padding, no stray bits; cap is at least len / 4 * 3
 * + 2. */
size_t tn_base64url_len(size_t n);
void tn_base64url_encode(char *ret, const uint8_t *bytes, size_t n); /* tn_base64url_len(n) characters, no NUL */
bool tn_base64url_decode(uint8_t *ret, size_t cap, const char *text, size_t len, size_t *ret_len);

#endif
