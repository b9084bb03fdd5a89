/* SPDX-License-Identifier: Apache-2.0 */
/* Signatures and hashes through libsodium. Verification is strict there: canonical S, no small-order R or key, no
 * cofactor. */
#include "crypto.h"

#include <pthread.h>
#include <sodium.h>
#include <stdlib.h>

static pthread_once_t once = PTHREAD_ONCE_INIT;
static bool ready;

static void start(void)
{
    ready = sodium_init() >= 0;
}

bool tn_crypto_init(void)
{
    pthread_once(&once, start);
    return ready;
}

bool tn_verify_whole(const uint8_t key[32], const uint8_t signature[64], struct tn_str whole)
{
    return tn_crypto_init() && crypto_sign_verify_detached(signature, whole.p, whole.n, key) == 0;
}

#define SMALL 2048 /* realistic warrants fit: no allocation */

int tn_verify_payload(const uint8_t key[32], const uint8_t signature[64], struct tn_str payload)
{
    static const char prefix[] = TN_DOMAIN_WARRANT "\x01";
    TN_UNINIT uint8_t small[SMALL];
    uint8_t *whole = small;
    size_t n = sizeof prefix - 1 + payload.n;
    bool good;
    if (n > sizeof small)
        whole = malloc(n);
    if (whole == NULL)
        return TENUO_E_NOMEM;
    memcpy(whole, prefix, sizeof prefix - 1);
    if (payload.n != 0)
        memcpy(whole + sizeof prefix - 1, payload.p, payload.n);
    good = tn_verify_whole(key, signature, (struct tn_str){ whole, n });
    if (whole != small)
        free(whole);
    return good ? TENUO_OK : TENUO_E_SIGNATURE_INVALID;
}

void tn_sha256(uint8_t ret[32], struct tn_str s)
{
    crypto_hash_sha256(ret, s.p, s.n);
}

void tn_hex(char *ret, const uint8_t *p, size_t n)
{
    sodium_bin2hex(ret, n * 2 + 1, p, n);
}
