/* SPDX-License-Identifier: Apache-2.0 */
/* The only place that calls libsodium's signatures and hashes for the protocol; every domain prefix stands here once.
 */
#ifndef TN_CRYPTO_H
#define TN_CRYPTO_H

#include "str.h"
#include <tenuo/error.h>

#define TN_DOMAIN_WARRANT "tenuo-warrant-v1" /* in front of every signed message (governance.md 1) */
#define TN_DOMAIN_SELF_TEST "tenuo-selftest-v1" /* then 32 random bytes: no message of the protocol */
#define TN_DOMAIN_POP "tenuo-pop-v1"
#define TN_DOMAIN_RECEIPT "tenuo-receipt-v1"
#define TN_DOMAIN_CHECKPOINT "tenuo-audit-checkpoint-v1"
#define TN_DOMAIN_SRL "tenuo-srl-v1"
#define TN_DOMAIN_REVOCATION_REQUEST "tenuo-revocation-request-v1"

/* False when libsodium cannot start; cheap after the first time. */
bool tn_crypto_init(void);
/* Strict verification of a message that carries the outer prefix already. */
bool tn_verify_whole(const uint8_t key[32], const uint8_t signature[64], struct tn_str whole);
/* "\x01" + payload under the outer prefix: what a warrant's issuer signs. 0, 1100 or 9000. */
int tn_verify_payload(const uint8_t key[32], const uint8_t signature[64], struct tn_str payload);
void tn_sha256(uint8_t ret[32], struct tn_str s);
/* Lowercase, with a NUL. */
void tn_hex(char *ret, const uint8_t *p, size_t n);

/* ids.c: UUIDv7 of an instant in Unix seconds: milliseconds, then randomness (RFC 9562). */
void tn_uuid7(uint8_t ret[16], uint64_t now);

#endif
