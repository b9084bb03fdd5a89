/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Literals of the expression: numbers within their range, texts with their escapes. The reference reads a quoted text
 * as a run of quoted pieces, so ''a'' inside triple quotes loses its quotes; that is kept.
 */
#include "cel.h"

#include <math.h>

static bool refuse(struct cel_fault *fault, const char *why)
{
    *fault = (struct cel_fault){ 0, why, false };
    return false;
}

static bool integer(struct tn_str s, bool negative, struct cel_value *ret, struct cel_fault *fault)
{
    bool hex = s.n > 2 && s.p[1] == 'x';
    uint64_t v;
    if (hex && negative)
        return refuse(fault, "a hexadecimal number takes no sign: write -(0x...)");
    if (hex)
        s = (struct tn_str){ s.p + 2, s.n - 2 };
    if (!tn_cel_parse_u64(s, hex ? 16 : 10, &v) || v > (uint64_t)INT64_MAX + negative)
        return refuse(fault, "an integer is out of range");
    *ret = cel_int(negative ? (int64_t)(0 - v) : (int64_t)v);
    return true;
}

static bool unsigned_integer(struct tn_str s, struct cel_value *ret, struct cel_fault *fault)
{
    bool hex = s.n > 3 && s.p[1] == 'x';
    uint64_t v;
    s.n--; /* u */
    if (hex)
        s = (struct tn_str){ s.p + 2, s.n - 2 };
    if (!tn_cel_parse_u64(s, hex ? 16 : 10, &v))
        return refuse(fault, "an unsigned integer is out of range");
    *ret = cel_uint(v);
    return true;
}

static bool real(struct tn_str s, bool negative, struct cel_value *ret, struct cel_fault *fault)
{
    double d;
    if (!tn_cel_parse_double(s, &d) || isinf(d))
        return refuse(fault, "a number is out of range");
    *ret = cel_double(negative ? -d : d);
    return true;
}

/* Reads `count` digits; the lexer has seen that they are there. */
static uint32_t code_point(const uint8_t *p, size_t count, unsigned base)
{
    uint64_t v = 0;
    tn_cel_parse_u64((struct tn_str){ p, count }, base, &v);
    return (uint32_t)v;
}

static size_t put_utf8(uint32_t c, uint8_t *out)
{
    if (c < 0x80) {
        out[0] = (uint8_t)c;
        return 1;
    }
    if (c < 0x800) {
        out[0] = (uint8_t)(0xc0 | c >> 6);
        out[1] = (uint8_t)(0x80 | (c & 63));
        return 2;
    }
    if (c < 0x10000) {
        out[0] = (uint8_t)(0xe0 | c >> 12);
        out[1] = (uint8_t)(0x80 | (c >> 6 & 63));
        out[2] = (uint8_t)(0x80 | (c & 63));
        return 3;
    }
    out[0] = (uint8_t)(0xf0 | c >> 18);
    out[1] = (uint8_t)(0x80 | (c >> 12 & 63));
    out[2] = (uint8_t)(0x80 | (c >> 6 & 63));
    out[3] = (uint8_t)(0x80 | (c & 63));
    return 4;
}

/* One escape at p; never longer decoded than written. Bytes used, 0 when it has no meaning. */
static size_t unescape(const uint8_t *p, uint8_t quote, uint8_t *out, size_t *ret_len)
{
    static const char names[] = "abfnrtv\\?`";
    static const char meanings[] = "\a\b\f\n\r\t\v\\?`";
    const char *name = memchr(names, p[1], sizeof names - 1);
    size_t hex = p[1] == 'x' ? 2 : p[1] == 'u' ? 4 : p[1] == 'U' ? 8 : 0;
    uint32_t c;
    *ret_len = 0;
    if (name != NULL) {
        out[(*ret_len)++] = (uint8_t)meanings[name - names];
        return 2;
    }
    if (p[1] == '\'' || p[1] == '"') { /* the other quote keeps its backslash */
        if (p[1] != quote)
            out[(*ret_len)++] = '\\';
        out[(*ret_len)++] = p[1];
        return 2;
    }
    if (p[1] == 'X')
        return 0;
    c = hex > 0 ? code_point(p + 2, hex, 16) : code_point(p + 1, 3, 8);
    if (c > 0x10ffff || (c >= 0xd800 && c <= 0xdfff))
        return 0;
    *ret_len = put_utf8(c, out);
    return hex > 0 ? 2 + hex : 4;
}

static bool text(struct tn_str s, uint8_t *out, size_t *ret_len, struct cel_fault *fault)
{
    bool raw = tn_lower(s.p[0]) == 'r';
    uint8_t quote = 0; /* of the piece we are in */
    size_t n = 0, len;
    for (size_t i = raw; i < s.n; i++) {
        uint8_t c = s.p[i];
        if (c == '\\' && raw && i + 1 < s.n && s.p[i + 1] == quote && i + 2 < s.n)
            return refuse(fault, "a raw text holds a backslash before a quote");
        if (c == '\\' && !raw && quote != 0) {
            size_t used = unescape(s.p + i, quote, out + n, &len);
            if (used == 0)
                return refuse(fault, "an escape sequence names no character");
            i += used - 1;
            n += len;
        } else if ((c == '\'' || c == '"') && (quote == 0 || quote == c)) {
            quote = quote == 0 ? c : 0;
        } else if (quote == 0) {
            return refuse(fault, "a quote inside a quoted text ends it: escape it");
        } else {
            out[n++] = c;
        }
    }
    *ret_len = n;
    return true;
}

/* Only \xHH and \OOO mean something, and only the outermost quotes are taken off, whatever stands inside. */
static bool octets(struct tn_str s, uint8_t *out, size_t *ret_len, struct cel_fault *fault)
{
    size_t n = 0;
    for (size_t i = 2; i + 1 < s.n; i++) {
        uint8_t c = s.p[i];
        if (c != '\\') {
            out[n++] = c;
        } else if (i + 4 < s.n && s.p[i + 1] == 'x') {
            out[n++] = (uint8_t)code_point(s.p + i + 2, 2, 16);
            i += 3;
        } else if (i + 4 < s.n && tn_is_digit(s.p[i + 1])) {
            out[n++] = (uint8_t)code_point(s.p + i + 1, 3, 8);
            i += 3;
        } else {
            return refuse(fault, "a bytes literal knows the escapes \\xHH and \\OOO only");
        }
    }
    *ret_len = n;
    return true;
}

bool tn_cel_literal(enum cel_tok kind, struct tn_str s, bool negative, struct tn_arena *arena, struct cel_value *ret,
                    struct cel_fault *fault)
{
    uint8_t *out;
    size_t n;
    if (kind == T_INT)
        return integer(s, negative, ret, fault);
    if (kind == T_UINT)
        return unsigned_integer(s, ret, fault);
    if (kind == T_DOUBLE)
        return real(s, negative, ret, fault);
    out = tn_arena_alloc(arena, s.n + 4); /* \` and the like shrink, a quote that keeps its backslash stays */
    if (out == NULL) {
        *fault = (struct cel_fault){ 0, "memory ran out", true };
        return false;
    }
    if (!(kind == T_STRING ? text(s, out, &n, fault) : octets(s, out, &n, fault)))
        return false;
    *ret = cel_text(out, n);
    ret->kind = kind == T_STRING ? CEL_STRING : CEL_BYTES;
    return true;
}
