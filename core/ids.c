/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Warrant ids and clearance levels as people write them (spec warrant.md 3.5, governance.md 9). One table of words;
 * ASCII only, no locale. An id is never guessed: what is not exactly one of the spellings is refused.
 */
#include <sodium.h>
#include <tenuo/warrant.h>

#include "crypto.h"
#include "err.h"
#include "str.h"

#define PREFIX "tnu_wrt_"

static int hex_digit(uint8_t c)
{
    if (tn_is_digit(c))
        return c - '0';
    c = tn_lower(c);
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* Exactly 32 hex digits; with `dashes` in the groups 8-4-4-4-12. Nothing else: no sign, no blank. */
static bool read_digits(struct tn_str s, bool dashes, uint8_t ret[16])
{
    size_t digits = 0;
    if (s.n != (dashes ? 36u : 32u))
        return false;
    for (size_t i = 0; i < s.n; i++) {
        bool dash = dashes && (i == 8 || i == 13 || i == 18 || i == 23);
        int d = dash ? 0 : hex_digit(s.p[i]);
        if (d < 0 || (dash && s.p[i] != '-'))
            return false;
        if (dash)
            continue;
        ret[digits / 2] = (uint8_t)(digits % 2 == 0 ? d << 4 : ret[digits / 2] | d);
        digits++;
    }
    return true;
}

static struct tn_str skip(struct tn_str s, size_t n)
{
    return (struct tn_str){ s.p + n, s.n - n };
}

/* The spellings of a UUID that have dashes: plain, in braces, as a URN. */
static bool read_uuid(struct tn_str s, uint8_t ret[16])
{
    struct tn_str urn = tn_lit("urn:uuid:");
    if (tn_str_starts(s, urn))
        s = skip(s, urn.n);
    else if (s.n == 38 && s.p[0] == '{' && s.p[37] == '}')
        s = (struct tn_str){ s.p + 1, 36 };
    return read_digits(s, true, ret);
}

void tenuo_warrant_id_text(const uint8_t id[TENUO_WARRANT_ID_BYTES], char ret_text[TENUO_WARRANT_ID_TEXT_BYTES])
{
    memcpy(ret_text, PREFIX, sizeof PREFIX - 1);
    tn_hex(ret_text + sizeof PREFIX - 1, id, TENUO_WARRANT_ID_BYTES);
}

int tenuo_warrant_id_parse(const char *text, size_t len, uint8_t ret_id[TENUO_WARRANT_ID_BYTES],
                           struct tenuo_error *reterr)
{
    struct tn_str s = { (const uint8_t *)text, len };
    uint8_t id[TENUO_WARRANT_ID_BYTES];
    bool good;
    if ((text == NULL && len != 0) || ret_id == NULL)
        return tn_fail(reterr, TENUO_E_INVALID_ARGUMENT, "tenuo_warrant_id_parse: no argument may be NULL");
    if (tn_str_starts(s, tn_lit(PREFIX)))
        good = read_digits(skip(s, sizeof PREFIX - 1), false, id);
    else if (len != 0 && memchr(text, '-', len) != NULL)
        good = read_uuid(s, id);
    else
        good = read_digits(s, false, id);
    if (!good) {
        char shown[80];
        tn_quote(shown, sizeof shown, text, len);
        return tn_fail(reterr, TENUO_E_PAYLOAD_STRUCTURE,
                       "warrant id '%s': want " PREFIX " and 32 hex digits, the digits, or a UUID", shown);
    }
    memcpy(ret_id, id, sizeof id);
    return TENUO_OK;
}

void tn_uuid7(uint8_t ret[16], uint64_t now)
{
    uint64_t ms = now * 1000 + randombytes_uniform(1000);
    randombytes_buf(ret, 16);
    for (size_t i = 0; i < 6; i++)
        ret[i] = (uint8_t)(ms >> (8 * (5 - i)));
    ret[6] = (uint8_t)(0x70 | (ret[6] & 0x0f));
    ret[8] = (uint8_t)(0x80 | (ret[8] & 0x3f));
}

static const struct {
    uint8_t level;
    const char *name;
} words[] = {
    { 0, "Untrusted" }, { 10, "External" },   { 20, "Partner" },
    { 30, "Internal" }, { 40, "Privileged" }, { 50, "System" },
};

static bool same_word(struct tn_str s, const char *word)
{
    struct tn_str w = tn_lit(word);
    if (s.n != w.n)
        return false;
    for (size_t i = 0; i < s.n; i++)
        if (tn_lower(s.p[i]) != tn_lower(w.p[i]))
            return false;
    return true;
}

/* Decimal 0..255; one plus sign and leading zeros pass, as they do in the protocol's reader. */
static bool read_level(struct tn_str s, uint8_t *ret)
{
    unsigned level = 0;
    if (s.n > 0 && s.p[0] == '+')
        s = skip(s, 1);
    if (s.n == 0)
        return false;
    for (size_t i = 0; i < s.n; i++) {
        if (!tn_is_digit(s.p[i]))
            return false;
        level = level * 10 + (unsigned)(s.p[i] - '0');
        if (level > UINT8_MAX)
            return false;
    }
    *ret = (uint8_t)level;
    return true;
}

int tenuo_clearance_parse(const char *text, size_t len, uint8_t *ret_level, struct tenuo_error *reterr)
{
    struct tn_str s = { (const uint8_t *)text, len };
    if ((text == NULL && len != 0) || ret_level == NULL)
        return tn_fail(reterr, TENUO_E_INVALID_ARGUMENT, "tenuo_clearance_parse: no argument may be NULL");
    for (size_t i = 0; i < TN_ARRAY_LEN(words); i++) {
        if (same_word(s, words[i].name)) {
            *ret_level = words[i].level;
            return TENUO_OK;
        }
    }
    if (read_level(s, ret_level))
        return TENUO_OK;
    char shown[80];
    tn_quote(shown, sizeof shown, text, len);
    return tn_fail(reterr, TENUO_E_PAYLOAD_STRUCTURE,
                   "clearance '%s': want untrusted, external, partner, internal, privileged, system or 0 to 255",
                   shown);
}

const char *tenuo_clearance_name(uint8_t level)
{
    for (size_t i = 0; i < TN_ARRAY_LEN(words); i++)
        if (words[i].level == level)
            return words[i].name;
    return NULL;
}
