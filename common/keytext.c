/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Key texts to 32 bytes and back. The PEM reader follows RFC 7468's strict grammar: anything before the BEGIN line,
 * 64-character lines, at most one line end after the END line. Never branches on the value of a secret: decoding is
 * libsodium's.
 */
#include "keytext.h"

#include <sodium.h>
#include <string.h>

#define DER_MAX 83 /* PKCS#8 v2; one byte more is asked for so that a longer one is seen */
#define BEGIN "-----BEGIN "
#define END "-----END "
#define DASHES "-----"

static const uint8_t spki_head[] = { 0x30, 0x2a, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x03, 0x21, 0x00 };
static const uint8_t pkcs8_v1_head[] = { 0x30, 0x2e, 0x02, 0x01, 0x00, 0x30, 0x05, 0x06,
                                         0x03, 0x2b, 0x65, 0x70, 0x04, 0x22, 0x04, 0x20 };
static const uint8_t pkcs8_v2_head[] = { 0x30, 0x51, 0x02, 0x01, 0x01, 0x30, 0x05, 0x06,
                                         0x03, 0x2b, 0x65, 0x70, 0x04, 0x22, 0x04, 0x20 };
static const uint8_t pkcs8_v2_mid[] = { 0x81, 0x21, 0x00 };

struct span {
    const char *p;
    size_t n;
};

static bool starts(struct span s, const char *prefix)
{
    size_t n = strlen(prefix);
    return s.n >= n && memcmp(s.p, prefix, n) == 0;
}

static bool cut_suffix(struct span *s, const char *suffix)
{
    size_t n = strlen(suffix);
    if (s->n < n || memcmp(s->p + s->n - n, suffix, n) != 0)
        return false;
    s->n -= n;
    return true;
}

static bool cut_prefix(struct span *s, const char *prefix)
{
    if (!starts(*s, prefix))
        return false;
    s->p += strlen(prefix);
    s->n -= strlen(prefix);
    return true;
}

static bool cut_leading_eol(struct span *s)
{
    return cut_prefix(s, "\r\n") || cut_prefix(s, "\n") || cut_prefix(s, "\r");
}

static bool cut_trailing_eol(struct span *s)
{
    return cut_suffix(s, "\r\n") || cut_suffix(s, "\n") || cut_suffix(s, "\r");
}

static bool blank(char c)
{
    return c == ' ' || (c >= '\t' && c <= '\r');
}

static struct span trim(const char *text, size_t len)
{
    struct span s = { text, len };
    while (s.n > 0 && blank(s.p[0])) {
        s.p++;
        s.n--;
    }
    while (s.n > 0 && blank(s.p[s.n - 1]))
        s.n--;
    return s;
}

/* What stands between the BEGIN and END lines of `label`, line ends stripped at both ends. */
static bool pem_body(const char *text, size_t len, const char *label, struct span *ret)
{
    struct span s = { text, len };
    while (!starts(s, BEGIN)) { /* text before it is allowed, but it must end its line */
        const char *nl = s.n == 0 ? NULL : memchr(s.p, '\n', s.n);
        if (nl == NULL || memchr(s.p, '\0', (size_t)(nl - s.p)) != NULL)
            return false;
        s.n -= (size_t)(nl + 1 - s.p);
        s.p = nl + 1;
    }
    (void)cut_trailing_eol(&s);
    if (!cut_prefix(&s, BEGIN) || !cut_prefix(&s, label) || !cut_prefix(&s, DASHES) || !cut_leading_eol(&s))
        return false;
    if (!cut_suffix(&s, DASHES) || !cut_suffix(&s, label) || !cut_suffix(&s, END) || !cut_trailing_eol(&s))
        return false;
    *ret = s;
    return true;
}

/* Joins lines of exactly 64 characters, the last one shorter; false for anything else. */
static bool join_lines(struct span body, char *buf, size_t cap, size_t *ret_len)
{
    size_t n = 0;
    while (body.n > 0) {
        size_t line = 0;
        while (line < body.n && body.p[line] != '\r' && body.p[line] != '\n')
            line++;
        if (line == 0 || line > 64 || line > cap - n)
            return false;
        memcpy(buf + n, body.p, line);
        n += line;
        body.p += line;
        body.n -= line;
        if (body.n > 0 && (line != 64 || !cut_leading_eol(&body) || body.n == 0))
            return false;
    }
    *ret_len = n;
    return n > 0;
}

static bool pem_der(const char *text, size_t len, const char *label, uint8_t der[DER_MAX + 1], size_t *ret_len)
{
    char joined[(DER_MAX + 2) / 3 * 4 + 4];
    struct span body;
    size_t n = 0;
    bool good =
        pem_body(text, len, label, &body) && join_lines(body, joined, sizeof joined, &n) &&
        sodium_base642bin(der, DER_MAX + 1, joined, n, NULL, ret_len, NULL, sodium_base64_VARIANT_ORIGINAL) == 0;
    sodium_memzero(joined, sizeof joined);
    return good;
}

static void seed_public(const uint8_t seed[32], uint8_t ret_key[32])
{
    uint8_t secret[crypto_sign_SECRETKEYBYTES];
    crypto_sign_seed_keypair(ret_key, secret, seed);
    sodium_memzero(secret, sizeof secret);
}

static bool der_is_v1(const uint8_t *der, size_t n)
{
    return n == sizeof pkcs8_v1_head + 32 && memcmp(der, pkcs8_v1_head, sizeof pkcs8_v1_head) == 0;
}

static bool der_is_v2(const uint8_t *der, size_t n)
{
    uint8_t key[32];
    if (n != sizeof pkcs8_v2_head + 32 + sizeof pkcs8_v2_mid + 32 ||
        memcmp(der, pkcs8_v2_head, sizeof pkcs8_v2_head) != 0 ||
        memcmp(der + 48, pkcs8_v2_mid, sizeof pkcs8_v2_mid) != 0)
        return false;
    seed_public(der + 16, key);
    return memcmp(der + 51, key, sizeof key) == 0;
}

bool tn_seed_from_pem(const char *text, size_t len, uint8_t ret_seed[32])
{
    uint8_t der[DER_MAX + 1];
    size_t n = 0;
    bool good =
        len <= TN_KEYTEXT_MAX && pem_der(text, len, "PRIVATE KEY", der, &n) && (der_is_v1(der, n) || der_is_v2(der, n));
    if (good)
        memcpy(ret_seed, der + 16, 32);
    sodium_memzero(der, sizeof der);
    return good;
}

/* 64 hex digits; with `blanks` also blanks between the bytes. libsodium would skip NUL with any ignore list: refused
 * first. */
static bool from_hex(struct span s, bool blanks, uint8_t ret[32])
{
    uint8_t bytes[32];
    size_t n = 0;
    if (s.n < 64 || s.n > TN_KEYTEXT_MAX || memchr(s.p, '\0', s.n) != NULL)
        return false;
    bool good = sodium_hex2bin(bytes, sizeof bytes, s.p, s.n, blanks ? " \t\n\v\f\r" : NULL, &n, NULL) == 0 &&
                n == sizeof bytes;
    if (good)
        memcpy(ret, bytes, sizeof bytes);
    sodium_memzero(bytes, sizeof bytes);
    return good;
}

/* 43 characters of either alphabet, or 44 with the padding. */
static bool from_base64(struct span s, int plain, int padded, uint8_t ret[32])
{
    uint8_t bytes[33];
    size_t n = 0;
    if (s.n != 43 && s.n != 44)
        return false;
    bool good =
        sodium_base642bin(bytes, sizeof bytes, s.p, s.n, NULL, &n, NULL, s.n == 43 ? plain : padded) == 0 && n == 32;
    if (good)
        memcpy(ret, bytes, 32);
    sodium_memzero(bytes, sizeof bytes);
    return good;
}

static bool from_any_base64(struct span s, uint8_t ret[32])
{
    return from_base64(s, sodium_base64_VARIANT_ORIGINAL_NO_PADDING, sodium_base64_VARIANT_ORIGINAL, ret) ||
           from_base64(s, sodium_base64_VARIANT_URLSAFE_NO_PADDING, sodium_base64_VARIANT_URLSAFE, ret);
}

static bool from_pem_hex(struct span s, uint8_t ret[32])
{
    struct span body;
    if (!pem_body(s.p, s.n, "PRIVATE KEY", &body))
        return false;
    return from_hex(trim(body.p, body.n), true, ret);
}

bool tn_seed_from_text(const char *text, size_t len, uint8_t ret_seed[32])
{
    if (len > TN_KEYTEXT_MAX)
        return false;
    struct span s = trim(text, len);
    return tn_seed_from_pem(s.p, s.n, ret_seed) || from_pem_hex(s, ret_seed) || from_hex(s, false, ret_seed) ||
           from_any_base64(s, ret_seed);
}

bool tn_seed_from_env(const char *text, size_t len, uint8_t ret_seed[32])
{
    if (len > TN_KEYTEXT_MAX)
        return false;
    struct span s = trim(text, len);
    return from_any_base64(s, ret_seed) || from_hex(s, true, ret_seed);
}

bool tn_seed_from_file(const uint8_t *bytes, size_t len, uint8_t ret_seed[32])
{
    if (len == 32) { /* no text form is that short */
        memcpy(ret_seed, bytes, 32);
        return true;
    }
    return tn_seed_from_text((const char *)bytes, len, ret_seed);
}

static size_t append(char *buf, size_t at, const char *text)
{
    size_t n = strlen(text);
    memcpy(buf + at, text, n + 1);
    return at + n;
}

/* The callers' constants bound it: at most 83 bytes of DER, 112 characters, in a buffer of 256. */
static size_t write_pem(const char *label, const uint8_t *der, size_t n, char *ret_pem)
{
    char b64[(DER_MAX + 2) / 3 * 4 + 1];
    size_t at = append(ret_pem, 0, BEGIN);
    sodium_bin2base64(b64, sizeof b64, der, n, sodium_base64_VARIANT_ORIGINAL);
    at = append(ret_pem, at, label);
    at = append(ret_pem, at, DASHES "\n");
    for (size_t i = 0, len = strlen(b64); i < len; i += 64) {
        size_t line = len - i < 64 ? len - i : 64;
        memcpy(ret_pem + at, b64 + i, line);
        at += line;
        ret_pem[at++] = '\n';
    }
    at = append(ret_pem, at, END);
    at = append(ret_pem, at, label);
    sodium_memzero(b64, sizeof b64);
    return append(ret_pem, at, DASHES "\n");
}

size_t tn_seed_to_pem(const uint8_t seed[32], const uint8_t public_key[32], int version,
                      char ret_pem[TN_KEYTEXT_SECRET_PEM])
{
    uint8_t der[DER_MAX];
    size_t n = sizeof pkcs8_v1_head + 32;
    if (version != 1 && version != 2)
        return 0;
    memcpy(der, version == 1 ? pkcs8_v1_head : pkcs8_v2_head, sizeof pkcs8_v1_head);
    memcpy(der + sizeof pkcs8_v1_head, seed, 32);
    if (version == 2) {
        memcpy(der + n, pkcs8_v2_mid, sizeof pkcs8_v2_mid);
        memcpy(der + n + sizeof pkcs8_v2_mid, public_key, 32);
        n = DER_MAX;
    }
    n = write_pem("PRIVATE KEY", der, n, ret_pem);
    sodium_memzero(der, sizeof der);
    return n;
}

bool tn_public_from_pem(const char *text, size_t len, uint8_t ret_key[32])
{
    uint8_t der[DER_MAX + 1];
    size_t n = 0;
    if (len > TN_KEYTEXT_MAX || !pem_der(text, len, "PUBLIC KEY", der, &n))
        return false;
    if (n != sizeof spki_head + 32 || memcmp(der, spki_head, sizeof spki_head) != 0)
        return false;
    memcpy(ret_key, der + sizeof spki_head, 32);
    return true;
}

bool tn_public_from_base64url(const char *text, size_t len, uint8_t ret_key[32])
{
    struct span s = { text, len };
    return len == 43 &&
           from_base64(s, sodium_base64_VARIANT_URLSAFE_NO_PADDING, sodium_base64_VARIANT_URLSAFE, ret_key);
}

bool tn_public_from_text(const char *text, size_t len, uint8_t ret_key[32])
{
    if (len > TN_KEYTEXT_MAX)
        return false;
    struct span s = trim(text, len);
    return tn_public_from_pem(s.p, s.n, ret_key) || from_hex(s, false, ret_key) || from_any_base64(s, ret_key);
}

size_t tn_public_to_pem(const uint8_t key[32], char ret_pem[TN_KEYTEXT_PUBLIC_PEM])
{
    uint8_t der[sizeof spki_head + 32];
    memcpy(der, spki_head, sizeof spki_head);
    memcpy(der + sizeof spki_head, key, 32);
    return write_pem("PUBLIC KEY", der, sizeof der, ret_pem);
}

size_t tn_base64url_len(size_t n)
{
    return n / 3 * 4 + (n % 3 == 0 ? 0 : n % 3 + 1);
}

/* Not for secrets: a table, and no NUL, so that it writes straight into a caller's exact buffer. */
void tn_base64url_encode(char *ret, const uint8_t *bytes, size_t n)
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    uint32_t acc = 0;
    unsigned bits = 0;
    for (size_t i = 0; i < n; i++) {
        acc = (acc << 8 | bytes[i]) & 0xffff;
        for (bits += 8; bits >= 6; bits -= 6)
            *ret++ = digits[acc >> (bits - 6) & 63];
    }
    if (bits > 0)
        *ret = digits[acc << (6 - bits) & 63];
}

bool tn_base64url_decode(uint8_t *ret, size_t cap, const char *text, size_t len, size_t *ret_len)
{
    return sodium_base642bin(ret, cap, text, len, NULL, ret_len, NULL, sodium_base64_VARIANT_URLSAFE_NO_PADDING) == 0;
}
