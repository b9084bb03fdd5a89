/* SPDX-License-Identifier: Apache-2.0 */
/* Hex and base64 for what the command reads and writes besides warrants and keys. Strict: no characters are skipped
 * inside. */
#include "cli.h"

#include <string.h>

static const char alphabets[2][65] = { "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/",
                                       "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_" };

void cli_hex(const uint8_t *bytes, size_t len, char *ret_text)
{
    static const char digits[] = "0123456789abcdef";
    for (size_t i = 0; i < len; i++) {
        ret_text[2 * i] = digits[bytes[i] >> 4];
        ret_text[2 * i + 1] = digits[bytes[i] & 15];
    }
    ret_text[2 * len] = '\0';
}

static int hex_digit(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

bool cli_unhex(const char *text, size_t len, uint8_t *ret_bytes, size_t size, size_t *ret_len)
{
    if (len % 2 || len / 2 > size)
        return false;
    for (size_t i = 0; i < len; i += 2) {
        int hi = hex_digit(text[i]), lo = hex_digit(text[i + 1]);
        if (hi < 0 || lo < 0)
            return false;
        ret_bytes[i / 2] = (uint8_t)(hi << 4 | lo);
    }
    *ret_len = len / 2;
    return true;
}

char *cli_base64(enum cli_alphabet alphabet, const uint8_t *bytes, size_t len)
{
    char *text = cli_alloc(len / 3 * 4 + 5, 1), *p = text;
    for (size_t i = 0; i < len; i += 3) {
        size_t left = len - i < 3 ? len - i : 3;
        uint32_t n =
            (uint32_t)bytes[i] << 16 | (left > 1 ? (uint32_t)bytes[i + 1] << 8 : 0) | (left > 2 ? bytes[i + 2] : 0);
        for (size_t k = 0; k <= left; k++)
            *p++ = alphabets[alphabet][n >> (18 - 6 * k) & 63];
        for (size_t k = left; alphabet == CLI_BASE64 && k < 3; k++)
            *p++ = '=';
    }
    *p = '\0';
    return text;
}

static int base64_digit(char c)
{
    for (int i = 0; c && i < 64; i++)
        if (alphabets[CLI_BASE64][i] == c || alphabets[CLI_BASE64URL][i] == c)
            return i;
    return -1;
}

static bool is_space(char c)
{
    return c == ' ' || c == '\n' || c == '\r' || c == '\t';
}

bool cli_unbase64(const char *text, size_t len, uint8_t *ret_bytes, size_t size, size_t *ret_len)
{
    while (len && is_space(text[len - 1]))
        len--;
    while (len && is_space(*text))
        text++, len--;
    size_t pad = 0, bits = 0, out = 0;
    for (; pad < 2 && len && text[len - 1] == '='; pad++)
        len--;
    if (pad && (len + pad) % 4)
        return false;
    uint32_t n = 0;
    for (size_t i = 0; i < len; i++) {
        int digit = base64_digit(text[i]);
        if (digit < 0)
            return false;
        n = n << 6 | (uint32_t)digit;
        bits += 6;
        if (bits >= 8) {
            bits -= 8;
            if (out == size)
                return false;
            ret_bytes[out++] = (uint8_t)(n >> bits);
        }
    }
    *ret_len = out;
    return bits < 6 && (n & ((1u << bits) - 1)) == 0; /* one spelling for one value */
}

bool cli_signature_parse(const char *text, size_t len, uint8_t ret_signature[TENUO_SIGNATURE_BYTES])
{
    uint8_t bytes[TENUO_SIGNATURE_BYTES];
    size_t n = 0;
    while (len && is_space(text[len - 1]))
        len--;
    bool good = len == 2 * sizeof bytes ? cli_unhex(text, len, bytes, sizeof bytes, &n)
                                        : cli_unbase64(text, len, bytes, sizeof bytes, &n);
    if (!good || n != sizeof bytes)
        return false;
    memcpy(ret_signature, bytes, sizeof bytes);
    return true;
}
