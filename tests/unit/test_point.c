/* SPDX-License-Identifier: Apache-2.0 */
/* Public keys that must never count: off the curve, or of small order in any encoding; and those that must. */
#include <sodium.h>
#include <string.h>

#include "tap.h"
#include <tenuo/key.h>

static bool usable(const char *hex)
{
    uint8_t key[32];
    size_t n = 0;
    return sodium_hex2bin(key, sizeof key, hex, strlen(hex), NULL, &n, NULL) == 0 && n == 32 &&
           tenuo_public_key_check(key) == TENUO_OK;
}

static void small_order(void)
{
    static const char *const points[] = {
        "0000000000000000000000000000000000000000000000000000000000000000",
        "0000000000000000000000000000000000000000000000000000000000000080",
        "0100000000000000000000000000000000000000000000000000000000000000",
        "0100000000000000000000000000000000000000000000000000000000000080",
        "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05",
        "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc85",
        "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a",
        "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac03fa",
        "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
        "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff",
        "edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
        "edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff",
        "eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
        "eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff",
    };
    for (size_t i = 0; i < sizeof points / sizeof points[0]; i++)
        ok(!usable(points[i]), "small order: %s", points[i]);
}

/* A key plus a point of order 2 is of mixed order: the protocol takes it, and so must the check. */
static void mixed_order(const uint8_t key[32])
{
    uint8_t order2[32], mixed[32];
    memset(order2, 0xff, sizeof order2);
    order2[0] = 0xec;
    order2[31] = 0x7f;
    is_int(crypto_core_ed25519_add(mixed, key, order2), 0, "a mixed-order key can be made");
    ok(memcmp(mixed, key, 32) != 0, "and it is another key");
    is_int(tenuo_public_key_check(mixed), TENUO_OK, "mixed order is taken");
}

int main(void)
{
    uint8_t key[32], secret[64], seed[32] = { 1 };
    unsigned on_curve = 0, agreed = 0;
    if (sodium_init() < 0)
        return 1;
    small_order();
    crypto_sign_seed_keypair(key, secret, seed);
    is_int(tenuo_public_key_check(key), TENUO_OK, "an ordinary key");
    mixed_order(key);
    for (unsigned i = 0; i < 256; i++) { /* about half of all encodings are points */
        uint8_t other[32];
        crypto_hash_sha256(other, (uint8_t[]){ (uint8_t)i }, 1);
        bool valid = crypto_core_ed25519_add(key, other, other) == 0;
        on_curve += valid;
        agreed += valid == (tenuo_public_key_check(other) == TENUO_OK);
    }
    ok(on_curve > 64 && on_curve < 192, "%u of 256 hashes are points", on_curve);
    is_int(agreed, 256, "exactly those are taken");
    memset(key, 0, sizeof key);
    key[0] = 2;
    is_int(tenuo_public_key_check(key), TENUO_E_SIGNATURE_INVALID, "y = 2 is not on the curve");
    return done_testing();
}
