/* SPDX-License-Identifier: Apache-2.0 */
/* Key texts: each form of a known key, and mutations of it that must be refused without touching the output. */
#include <sodium.h>
#include <string.h>

#include "../../common/keytext.h"
#include "tap.h"

/* Seed of 32 times 1: the published test key "control_plane". */
#define SEED_HEX "0101010101010101010101010101010101010101010101010101010101010101"
#define SEED_B64 "AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQE"
#define PUBLIC_HEX "8a88e3dd7409f195fd52db2d3cba5d72ca6709bf1d94121bf3748801b40f6f5c"
#define PUBLIC_URL "iojj3XQJ8ZX9UtstPLpdcspnCb8dlBIb83SIAbQPb1w"
#define V1_BODY "MC4CAQAwBQYDK2VwBCIEIAEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEB"
#define HEAD "-----BEGIN PRIVATE KEY-----\n"
#define TAIL "-----END PRIVATE KEY-----\n"
#define V1 HEAD V1_BODY "\n" TAIL

typedef bool (*reader)(const char *text, size_t len, uint8_t ret[32]);

static uint8_t seed[32], public_key[32];

static void reads(reader read, const char *text, size_t len, bool want, const uint8_t *key, const char *what)
{
    uint8_t got[32], before[32];
    memset(got, 0x77, sizeof got);
    memcpy(before, got, sizeof got);
    bool good = read(text, len, got);
    ok(good == want && memcmp(got, good ? key : before, 32) == 0, "%s %s", what, want ? "is taken" : "is refused");
}

static void seed_is(reader read, const char *text, bool want, const char *what)
{
    reads(read, text, strlen(text), want, seed, what);
}

static void public_is(reader read, const char *text, bool want, const char *what)
{
    reads(read, text, strlen(text), want, public_key, what);
}

static void secret_pem(void)
{
    static const struct {
        const char *text, *what;
        bool want;
    } rows[] = {
        { V1, "PEM v1", true },
        { HEAD V1_BODY "\r\n-----END PRIVATE KEY-----", "no final line end", true },
        { "text\n" V1, "text before", true },
        { "text" V1, "text on the BEGIN line", false },
        { V1 "\n", "an empty line after", false },
        { V1 "x", "text after", false },
        { V1 V1, "two keys", false },
        { HEAD " " V1_BODY "\n" TAIL, "an indented line", false },
        { HEAD "\n" V1_BODY "\n" TAIL, "an empty line within", false },
        { HEAD "MC4CAQAwBQYDK2VwBCIE\nIAEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEB\n" TAIL, "a short line", false },
        { HEAD V1_BODY "A===\n" TAIL, "a long line", false },
        { HEAD V1_BODY "\nAAAA\n" TAIL, "bytes behind the DER", false },
        { HEAD "NC4CAQAwBQYDK2VwBCIEIAEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEB\n" TAIL, "another DER tag", false },
        { HEAD TAIL, "no body", false },
        { HEAD V1_BODY "\n", "no END", false },
        { "-----BEGIN PUBLIC KEY-----\n" V1_BODY "\n-----END PUBLIC KEY-----\n", "another label", false },
        { HEAD V1_BODY "\n-----END PUBLIC KEY-----\n", "another END label", false },
        { HEAD SEED_HEX "\n" TAIL, "hex within", false },
        { "", "nothing", false },
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
        seed_is(tn_seed_from_pem, rows[i].text, rows[i].want, rows[i].what);
    reads(tn_seed_from_pem, "\0\n" V1, sizeof "\0\n" V1 - 1, false, seed, "NUL before BEGIN");
}

static void pkcs8_v2(void)
{
    char pem[TN_KEYTEXT_SECRET_PEM];
    uint8_t other[32];
    size_t n = tn_seed_to_pem(seed, public_key, 1, pem);
    ok(n == strlen(V1) && strcmp(pem, V1) == 0, "version 1 is written as it is read");
    n = tn_seed_to_pem(seed, public_key, 2, pem);
    is_int((long long)n, (long long)strlen(pem), "length of version 2");
    seed_is(tn_seed_from_pem, pem, true, "PEM v2");
    seed_is(tn_seed_from_text, pem, true, "PEM v2 as any text");
    memcpy(other, public_key, sizeof other);
    other[31] ^= 1;
    (void)tn_seed_to_pem(seed, other, 2, pem);
    seed_is(tn_seed_from_pem, pem, false, "v2 with the public key of another");
    seed_is(tn_seed_from_text, pem, false, "the same as any text");
    is_int((long long)tn_seed_to_pem(seed, public_key, 3, pem), 0, "there is no version 3");
}

static void secret_text(void)
{
    seed_is(tn_seed_from_text, V1 "\n\n", true, "PEM with lines after");
    seed_is(tn_seed_from_text, HEAD SEED_HEX "\n" TAIL, true, "PEM around hex");
    seed_is(tn_seed_from_text, SEED_HEX, true, "hex");
    seed_is(tn_seed_from_text, " \t" SEED_HEX "\r\n", true, "hex among blanks");
    seed_is(tn_seed_from_text, SEED_B64, true, "base64 without padding");
    seed_is(tn_seed_from_text, SEED_B64 "=\n", true, "base64 with padding");
    seed_is(tn_seed_from_text, SEED_B64 "==", false, "too much padding");
    seed_is(tn_seed_from_text, "!!" SEED_B64, false, "junk before base64");
    seed_is(tn_seed_from_text, "0x" SEED_HEX, false, "0x");
    seed_is(tn_seed_from_text, SEED_HEX "00", false, "33 bytes of hex");
    seed_is(tn_seed_from_text, "AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQF", false, "stray bits at the end");
    seed_is(tn_seed_from_text, "", false, "nothing");
    reads(tn_seed_from_text, SEED_HEX, 65, false, seed, "a NUL behind hex");
}

static void environment(void)
{
    static const char spaced[] =
        "01 01 01 01 01 01 01 01 01 01 01 01 01 01 01 01 01 01 01 01 01 01 01 01 01 01 01 01 01 01 01 01";
    seed_is(tn_seed_from_env, SEED_B64 "=", true, "env: base64");
    seed_is(tn_seed_from_env, " " SEED_B64 "=\n", true, "env: base64 among blanks");
    seed_is(tn_seed_from_env, SEED_B64, true, "env: base64 without padding");
    seed_is(tn_seed_from_env, SEED_HEX, true, "env: hex");
    seed_is(tn_seed_from_env, spaced, true, "env: hex with spaces");
    seed_is(tn_seed_from_env, "!!" SEED_B64 "=", false, "env: junk");
    seed_is(tn_seed_from_env, V1, false, "env: PEM");
    seed_is(tn_seed_from_env, "0x" SEED_HEX, false, "env: 0x");
    seed_is(tn_seed_from_env, "", false, "env: empty");
}

static void files(void)
{
    uint8_t got[32];
    ok(tn_seed_from_file(seed, 32, got) && memcmp(got, seed, 32) == 0, "32 raw bytes");
    ok(!tn_seed_from_file(seed, 31, got), "31 raw bytes");
    ok(tn_seed_from_file((const uint8_t *)V1, strlen(V1), got), "a PEM file");
}

static void public_text(void)
{
    char pem[TN_KEYTEXT_PUBLIC_PEM];
    (void)tn_public_to_pem(public_key, pem);
    public_is(tn_public_from_pem, pem, true, "SPKI PEM");
    public_is(tn_public_from_text, pem, true, "SPKI PEM as any text");
    public_is(tn_public_from_text, PUBLIC_HEX, true, "public hex");
    public_is(tn_public_from_text, PUBLIC_URL "\n", true, "public base64url");
    public_is(tn_public_from_text, "iojj3XQJ8ZX9UtstPLpdcspnCb8dlBIb83SIAbQPb1w=", true, "public base64");
    public_is(tn_public_from_base64url, PUBLIC_URL, true, "strict base64url");
    public_is(tn_public_from_base64url, PUBLIC_URL "=", false, "strict base64url with padding");
    public_is(tn_public_from_base64url, " " PUBLIC_URL, false, "strict base64url with a blank");
    public_is(tn_public_from_pem, V1, false, "a secret for a public key");
    public_is(tn_public_from_text, V1, false, "a secret for a public key in any form");
}

static void base64url(void)
{
    static const uint8_t bytes[] = { 0xff, 0xee, 0xfb, 0x00, 0x10 };
    uint8_t back[16];
    bool same = true;
    for (size_t n = 0; n <= sizeof bytes; n++) {
        char ours[16] = { 0 }, theirs[16];
        size_t len = 99;
        tn_base64url_encode(ours, bytes, n);
        sodium_bin2base64(theirs, sizeof theirs, bytes, n, sodium_base64_VARIANT_URLSAFE_NO_PADDING);
        same = same && strcmp(ours, theirs) == 0 && tn_base64url_len(n) == strlen(theirs) &&
               tn_base64url_decode(back, sizeof back, ours, strlen(ours), &len) && len == n &&
               memcmp(back, bytes, n) == 0;
    }
    ok(same, "base64url of 0 to 5 bytes is libsodium's, and comes back");
    size_t len;
    ok(!tn_base64url_decode(back, sizeof back, "AAA=", 4, &len) &&
           !tn_base64url_decode(back, sizeof back, "AA A", 4, &len) &&
           !tn_base64url_decode(back, sizeof back, "A", 1, &len) &&
           !tn_base64url_decode(back, sizeof back, "AB", 2, &len) &&
           !tn_base64url_decode(back, sizeof back, "AA+A", 4, &len),
       "padding, blanks, single characters, stray bits and '+' are refused");
}

int main(void)
{
    uint8_t secret[64];
    if (sodium_init() < 0)
        return 1;
    memset(seed, 1, sizeof seed);
    crypto_sign_seed_keypair(public_key, secret, seed);
    secret_pem();
    pkcs8_v2();
    secret_text();
    environment();
    files();
    public_text();
    base64url();
    return done_testing();
}
