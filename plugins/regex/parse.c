/* SPDX-License-Identifier: Apache-2.0 */
/* Single characters and escapes of a pattern, and the text that comes out. */
#include "parse.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

bool tn_refuse(struct tn_parse *p, size_t at, const char *what)
{
    p->refused = true;
    p->error.at = at;
    (void)snprintf(p->error.what, sizeof p->error.what, "%s", what);
    return false;
}

static bool append(struct tn_buffer *b, const char *bytes, size_t n)
{
    if (b->cap - b->n < n + 1) {
        size_t cap = 2 * (b->cap + n) + 64;
        char *grown = realloc(b->p, cap);
        if (grown == NULL)
            return false;
        b->p = grown;
        b->cap = cap;
    }
    memcpy(b->p + b->n, bytes, n);
    b->n += n;
    return true;
}

bool tn_buffer_end(struct tn_buffer *b)
{
    if (!append(b, "", 1))
        return false;
    b->n--;
    return true;
}

bool tn_put_bytes(struct tn_parse *p, const char *bytes, size_t n)
{
    if (p->out.n + n > TN_REGEX_MAX_OUTPUT)
        return tn_refuse(p, p->i, "a pattern as long");
    return append(&p->out, bytes, n);
}

bool tn_put(struct tn_parse *p, const char *text)
{
    return tn_put_bytes(p, text, strlen(text));
}

bool tn_put_char(struct tn_parse *p, uint32_t c)
{
    char text[16];
    int n;
    if (c < 0x80 && tn_is_word((uint8_t)c))
        n = snprintf(text, sizeof text, "%c", (char)c);
    else
        n = snprintf(text, sizeof text, "\\x{%x}", (unsigned)c);
    return tn_put_bytes(p, text, (size_t)n);
}

static size_t utf8(uint32_t c, char ret[4])
{
    size_t n = c < 0x800 ? 2 : c < 0x10000 ? 3 : 4;
    static const uint8_t lead[] = { 0, 0, 0xc0, 0xe0, 0xf0 };
    for (size_t i = n; i-- > 1; c >>= 6)
        ret[i] = (char)(0x80 | (c & 0x3f));
    ret[0] = (char)(lead[n] | c);
    return n;
}

bool tn_put_literal(struct tn_parse *p, uint32_t c)
{
    char bytes[4];
    if (p->fold && c >= 0x80 && !append(&p->folded, bytes, utf8(c, bytes)))
        return false;
    return tn_put_char(p, c);
}

bool tn_parse_char(struct tn_parse *p, uint32_t *ret)
{
    uint8_t lead = p->in[p->i];
    size_t more = lead < 0x80 ? 0 : lead < 0xe0 ? 1 : lead < 0xf0 ? 2 : 3;
    uint32_t c = more == 0 ? lead : lead & (0x3fu >> more);
    if (p->n - p->i <= more)
        return tn_refuse(p, p->i, "text that is not UTF-8");
    for (size_t k = 1; k <= more; k++)
        c = c << 6 | (p->in[p->i + k] & 0x3f);
    p->i += more + 1;
    *ret = c;
    return true;
}

static int hex_digit(uint8_t c)
{
    if (tn_is_decimal(c))
        return c - '0';
    c |= 0x20;
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* \x41 or \x{41}, behind the x. */
static bool hex(struct tn_parse *p, size_t at, uint32_t *ret)
{
    bool braces = p->i < p->n && p->in[p->i] == '{';
    size_t digits = 0, most = braces ? 8 : 2;
    uint64_t c = 0;
    p->i += braces;
    for (; digits < most && p->i < p->n && hex_digit(p->in[p->i]) >= 0; digits++)
        c = c << 4 | (unsigned)hex_digit(p->in[p->i++]);
    bool complete = braces ? digits > 0 && p->i < p->n && p->in[p->i] == '}' : digits == 2;
    if (!complete || c > 0x10ffff || (c >= 0xd800 && c <= 0xdfff))
        return tn_refuse(p, at, "this \\x escape");
    p->i += braces;
    *ret = (uint32_t)c;
    return true;
}

static bool refuse_escape(struct tn_parse *p, size_t at, uint8_t c)
{
    char what[] = "\\?";
    what[1] = (char)c;
    return tn_refuse(p, at, c > ' ' && c < 0x7f ? what : "this escape");
}

bool tn_parse_escape(struct tn_parse *p, uint32_t *ret)
{
    static const char names[] = "nrtfva", values[] = "\n\r\t\f\v\a";
    size_t at = p->i;
    uint8_t c = p->n - at < 2 ? 0 : p->in[at + 1];
    const char *name = c == 0 ? NULL : strchr(names, c);
    p->i += 2;
    if (c == 'x')
        return hex(p, at, ret);
    if (name != NULL) {
        *ret = (uint8_t)values[name - names];
        return true;
    }
    if (c <= ' ' || c >= 0x7f || tn_is_letter(c) || tn_is_decimal(c) || c == '<' || c == '>')
        return refuse_escape(p, at, c);
    *ret = c;
    return true;
}
