/* SPDX-License-Identifier: Apache-2.0 */
/* Text around a sealed key: its PEM, and PCRs as "sha256:0,7". Bounded, locale-free, copies into the caller's buffers
 * alone. */
#include <stdio.h>
#include <string.h>

#include "keyblob.h"

static const char begin_line[] = "-----BEGIN TSS2 PRIVATE KEY-----";
static const char end_line[] = "-----END TSS2 PRIVATE KEY-----";
static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
#define LINE 64

static bool fail(const char **ret_why, const char *why)
{
    *ret_why = why;
    return false;
}

static bool is_blank(char c)
{
    return c == '\n' || c == '\r' || c == ' ' || c == '\t';
}

/* Padded base64 with blanks anywhere; what it holds is no secret, so it may branch on it. */
static bool decode(const char *text, size_t len, uint8_t *ret, size_t *ret_len)
{
    uint32_t bits = 0;
    size_t count = 0, pads = 0, n = 0;
    for (size_t i = 0; i < len; i++) {
        const char *digit = text[i] == '\0' ? NULL : strchr(digits, text[i]);
        if (is_blank(text[i]))
            continue;
        if (text[i] == '=' && count % 4 >= 2 && pads < 2)
            pads++;
        else if (digit == NULL || pads != 0)
            return false;
        bits = bits << 6 | (digit == NULL ? 0 : (uint32_t)(digit - digits));
        if (++count % 4 != 0)
            continue;
        if (n + 3 > TPM2_DER_MAX)
            return false;
        for (size_t k = 0; k < 3 - pads; k++)
            ret[n++] = (uint8_t)(bits >> (16 - 8 * k));
        if ((pads == 1 && (bits & 0xff) != 0) || (pads == 2 && (bits & 0xffff) != 0))
            return false;
    }
    *ret_len = n;
    return count % 4 == 0 && n != 0;
}

bool tpm2_pem_read(const char *text, size_t len, uint8_t ret_der[TPM2_DER_MAX], size_t *ret_len, const char **ret_why)
{
    uint8_t der[TPM2_DER_MAX];
    const char *start = memmem(text, len, begin_line, sizeof begin_line - 1), *body;
    size_t n;
    if (start == NULL)
        return fail(ret_why, "is no TSS2 key file: there is no line BEGIN TSS2 PRIVATE KEY");
    body = start + sizeof begin_line - 1;
    const char *end = memmem(body, len - (size_t)(body - text), end_line, sizeof end_line - 1);
    if (end == NULL)
        return fail(ret_why, "is cut off: there is no line END TSS2 PRIVATE KEY");
    if (!decode(body, (size_t)(end - body), der, &n))
        return fail(ret_why, "is damaged: its PEM holds no base64 of at most 2048 bytes");
    memcpy(ret_der, der, n);
    *ret_len = n;
    return true;
}

/* Four characters for up to three bytes. */
static void encode(const uint8_t *p, size_t n, char ret[4])
{
    uint32_t bits = (uint32_t)p[0] << 16 | (n > 1 ? (uint32_t)p[1] << 8 : 0) | (n > 2 ? p[2] : 0);
    for (size_t i = 0; i < 4; i++)
        ret[i] = i <= n ? digits[bits >> (18 - 6 * i) & 63] : '=';
}

size_t tpm2_pem_write(const uint8_t *der, size_t len, char ret_pem[TPM2_PEM_MAX])
{
    size_t at, column = 0;
    if (len == 0 || len > TPM2_DER_MAX) /* 2048 bytes make 2732 characters, 43 newlines and two lines more */
        return 0;
    at = (size_t)snprintf(ret_pem, TPM2_PEM_MAX, "%s\n", begin_line);
    for (size_t i = 0; i < len; i += 3) {
        encode(der + i, len - i < 3 ? len - i : 3, ret_pem + at);
        at += 4;
        column += 4;
        if (column == LINE || i + 3 >= len) {
            ret_pem[at++] = '\n';
            column = 0;
        }
    }
    return at + (size_t)snprintf(ret_pem + at, TPM2_PEM_MAX - at, "%s\n", end_line);
}

static const struct {
    uint16_t id;
    const char *name;
} banks[] = {
    { 0x000b, "sha256" }, { 0x000c, "sha384" }, { 0x000d, "sha512" }, { 0x0012, "sm3_256" }, { 0x0004, "sha1" }
};
#define WRITABLE 3 /* of these; the others are only read */

static bool parse_list(const char *p, uint32_t *ret_mask)
{
    uint32_t mask = 0;
    for (;;) {
        uint32_t n = 0;
        size_t count = strspn(p, "0123456789");
        if (count == 0 || count > 2 || (count == 2 && p[0] == '0'))
            return false;
        for (size_t i = 0; i < count; i++)
            n = n * 10 + (uint32_t)(p[i] - '0');
        if (n > 23 || (mask >> n & 1) != 0)
            return false;
        mask |= 1u << n;
        p += count;
        if (*p == '\0')
            break;
        if (*p++ != ',')
            return false;
    }
    *ret_mask = mask;
    return true;
}

bool tpm2_pcrs_parse(const char *text, uint16_t *ret_bank, uint32_t *ret_mask)
{
    for (size_t i = 0; i < WRITABLE; i++) {
        size_t n = strlen(banks[i].name);
        uint32_t mask;
        if (strncmp(text, banks[i].name, n) != 0 || text[n] != ':' || !parse_list(text + n + 1, &mask))
            continue;
        *ret_bank = banks[i].id;
        *ret_mask = mask;
        return true;
    }
    return false;
}

void tpm2_pcrs_write(uint16_t bank, uint32_t mask, uint8_t ret[10])
{
    const uint8_t bytes[10] = {
        0, 0, 0, 1, (uint8_t)(bank >> 8), (uint8_t)bank, 3, (uint8_t)mask, (uint8_t)(mask >> 8), (uint8_t)(mask >> 16)
    };
    memcpy(ret, bytes, sizeof bytes);
}

struct text {
    char *p;
    size_t len;
};

/* What does not fit is left out whole. */
static void add(struct text *t, const char *word)
{
    size_t n = strlen(word);
    if (n >= TPM2_PCRS_TEXT - t->len)
        return;
    memcpy(t->p + t->len, word, n + 1);
    t->len += n;
}

static void add_bank(struct text *t, unsigned id)
{
    char number[16];
    for (size_t i = 0; i < sizeof banks / sizeof banks[0]; i++)
        if (banks[i].id == id) {
            add(t, banks[i].name);
            return;
        }
    snprintf(number, sizeof number, "0x%04x", id);
    add(t, number);
}

static void add_bits(struct text *t, const uint8_t *bits, size_t n)
{
    const char *before = ":";
    char number[16];
    for (size_t i = 0; i < 8 * n; i++) {
        if ((bits[i / 8] >> (i % 8) & 1) == 0)
            continue;
        snprintf(number, sizeof number, "%s%zu", before, i);
        add(t, number);
        before = ",";
    }
}

void tpm2_pcrs_text(const uint8_t *selection, size_t len, char ret[TPM2_PCRS_TEXT])
{
    struct text t = { ret, 0 };
    ret[0] = '\0';
    for (size_t at = 4; len - at >= 3 && at < len; at += 3 + (size_t)selection[at + 2]) {
        if (selection[at + 2] > len - at - 3)
            return;
        if (at > 4)
            add(&t, "+");
        add_bank(&t, (unsigned)selection[at] << 8 | selection[at + 1]);
        add_bits(&t, selection + at + 3, selection[at + 2]);
    }
}
