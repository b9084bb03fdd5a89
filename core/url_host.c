/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The host of a URL: IPv6 in brackets, numbers read as IPv4, or an ASCII name. Owns the deviations that concern
 * hosts: no non-ASCII, no '%', no "xn--" label (there are no IDNA tables here), no number with a leading zero. Never
 * resolves a name.
 */
#include "url.h"

static const struct tn_str empty = { NULL, 0 };

static bool forbidden_in_opaque(uint8_t c)
{
    static const char list[] = "\0\t\n\r #/:<>?@[\\]^|";
    return memchr(list, c, sizeof list - 1) != NULL;
}

static bool forbidden_in_name(uint8_t c)
{
    return c <= 0x20 || c == 0x7f || c == '%' || forbidden_in_opaque(c);
}

/* What cannot be judged without IDNA and percent-decoding. */
static bool outside_alphabet(struct tn_str s)
{
    for (size_t i = 0; i < s.n; i++) {
        if (s.p[i] >= 0x80 || s.p[i] == '%')
            return true;
    }
    return false;
}

/* Cuts the text before the next '.' off the front. False when nothing is left. */
static bool next_label(struct tn_str *rest, struct tn_str *ret)
{
    if (rest->p == NULL)
        return false;
    const uint8_t *dot = rest->n == 0 ? NULL : memchr(rest->p, '.', rest->n);
    if (dot == NULL) {
        *ret = *rest;
        *rest = empty;
        return true;
    }
    size_t n = (size_t)(dot - rest->p);
    *ret = (struct tn_str){ rest->p, n };
    *rest = (struct tn_str){ dot + 1, rest->n - n - 1 };
    return true;
}

static bool has_punycode(struct tn_str name)
{
    struct tn_str label;
    while (next_label(&name, &label)) {
        if (tn_str_starts(label, tn_lit("xn--")))
            return true;
    }
    return false;
}

static bool all_digits(struct tn_str s)
{
    for (size_t i = 0; i < s.n; i++) {
        if (!tn_is_digit(s.p[i]))
            return false;
    }
    return s.n != 0;
}

/* Lowercase only: names are folded before. 16 for what is no digit at all. */
static unsigned digit_value(uint8_t c)
{
    if (tn_is_digit(c))
        return c - (unsigned)'0';
    return c >= 'a' && c <= 'f' ? c - (unsigned)'a' + 10 : 16;
}

/* Decimal, 0-octal or 0x-hex; "0x" alone is 0. False when it is no number; more than 32 bits read as UINT64_MAX. */
static bool read_number(struct tn_str s, uint64_t *ret)
{
    unsigned base = 10;
    uint64_t v = 0;
    if (s.n == 0)
        return false;
    if (tn_str_starts(s, tn_lit("0x")))
        base = 16;
    else if (s.n >= 2 && s.p[0] == '0')
        base = 8;
    for (size_t i = base == 16 ? 2 : 0; i < s.n; i++) {
        unsigned d = digit_value(s.p[i]);
        if (d >= base)
            return false;
        v = v > UINT32_MAX ? UINT64_MAX >> 8 : v * base + d;
    }
    *ret = v > UINT32_MAX ? UINT64_MAX : v;
    return true;
}

/* One trailing dot does not count. */
static struct tn_str without_dot(struct tn_str name)
{
    if (name.n > 0 && name.p[name.n - 1] == '.')
        name.n--;
    return name;
}

static bool ends_in_number(struct tn_str name)
{
    uint64_t v;
    struct tn_str last = without_dot(name);
    size_t begin = last.n;
    while (begin > 0 && last.p[begin - 1] != '.')
        begin--;
    last = (struct tn_str){ last.p + begin, last.n - begin };
    return all_digits(last) || read_number(last, &v);
}

/* One to four parts, the last fills what is left. *ret_ambiguous: a leading zero, octal to some, decimal to others. */
static bool read_ipv4(struct tn_str name, uint32_t *ret, bool *ret_ambiguous)
{
    struct tn_str rest = without_dot(name), part;
    uint64_t sum = 0;
    unsigned count = 0;
    bool ambiguous = false;
    while (next_label(&rest, &part)) {
        uint64_t v;
        if (++count > 4 || !read_number(part, &v))
            return false;
        ambiguous = ambiguous || (part.n > 1 && part.p[0] == '0' && all_digits(part));
        if (rest.p != NULL) {
            if (v > 255)
                return false;
            sum |= v << (8 * (4 - count));
        } else {
            if (v > UINT32_MAX >> (8 * (count - 1)))
                return false;
            sum |= v;
        }
    }
    *ret = (uint32_t)sum;
    *ret_ambiguous = ambiguous;
    return true;
}

static size_t write_ipv4(uint32_t addr, uint8_t *ret)
{
    size_t n = 0;
    for (int shift = 24; shift >= 0; shift -= 8) {
        unsigned b = (addr >> shift) & 255;
        if (b >= 100)
            ret[n++] = (uint8_t)('0' + b / 100);
        if (b >= 10)
            ret[n++] = (uint8_t)('0' + b / 10 % 10);
        ret[n++] = (uint8_t)('0' + b % 10);
        if (shift > 0)
            ret[n++] = '.';
    }
    return n;
}

/* The longest run of at least two zero pieces, the first of equals. */
static unsigned zero_run(const uint16_t piece[8], unsigned *ret_begin)
{
    unsigned best = 1, begin = 8, run = 0;
    for (unsigned i = 0; i < 8; i++) {
        run = piece[i] == 0 ? run + 1 : 0;
        if (run > best) {
            best = run;
            begin = i + 1 - run;
        }
    }
    *ret_begin = begin;
    return best;
}

static size_t write_piece(unsigned v, uint8_t *ret)
{
    size_t n = 0;
    for (int shift = 12; shift >= 0; shift -= 4) {
        unsigned d = (v >> shift) & 15;
        if (n > 0 || d != 0 || shift == 0)
            ret[n++] = (uint8_t)(d < 10 ? '0' + d : 'a' + d - 10);
    }
    return n;
}

static size_t write_ipv6(const uint8_t addr[16], uint8_t *ret)
{
    uint16_t piece[8];
    unsigned begin;
    size_t n = 0;
    for (unsigned i = 0; i < 8; i++)
        piece[i] = (uint16_t)(addr[2 * i] << 8 | addr[2 * i + 1]);
    unsigned run = zero_run(piece, &begin);
    ret[n++] = '[';
    for (unsigned i = 0; i < 8;) {
        if (i == begin) {
            ret[n++] = ':';
            if (i == 0)
                ret[n++] = ':';
            i += run;
            continue;
        }
        n += write_piece(piece[i++], ret + n);
        if (i < 8)
            ret[n++] = ':';
    }
    ret[n++] = ']';
    return n;
}

static enum tn_url_status bracketed(struct tn_str raw, uint8_t *ret, size_t *ret_len)
{
    uint8_t addr[16];
    if (raw.n < 2 || raw.p[raw.n - 1] != ']' || tn_ip_parse((struct tn_str){ raw.p + 1, raw.n - 2 }, addr) != 6)
        return TN_URL_INVALID;
    *ret_len = write_ipv6(addr, ret);
    return TN_URL_OK;
}

enum tn_url_status tn_url_host(struct tn_str raw, uint8_t *ret, size_t *ret_len)
{
    if (outside_alphabet(raw))
        return TN_URL_REFUSED;
    if (raw.n == 0)
        return TN_URL_INVALID;
    if (raw.p[0] == '[')
        return bracketed(raw, ret, ret_len);
    for (size_t i = 0; i < raw.n; i++) {
        if (forbidden_in_name(raw.p[i]))
            return TN_URL_INVALID;
        ret[i] = tn_lower(raw.p[i]);
    }
    struct tn_str name = { ret, raw.n };
    if (has_punycode(name))
        return TN_URL_REFUSED;
    *ret_len = name.n;
    if (!ends_in_number(name))
        return TN_URL_OK;
    uint32_t addr;
    bool ambiguous;
    if (!read_ipv4(name, &addr, &ambiguous))
        return TN_URL_INVALID;
    *ret_len = write_ipv4(addr, ret);
    return ambiguous ? TN_URL_REFUSED : TN_URL_OK;
}

enum tn_url_status tn_url_opaque_host(struct tn_str raw, uint8_t *ret, size_t *ret_len)
{
    size_t n = 0;
    if (outside_alphabet(raw))
        return TN_URL_REFUSED;
    if (raw.n > 0 && raw.p[0] == '[')
        return bracketed(raw, ret, ret_len);
    for (size_t i = 0; i < raw.n; i++) {
        if (forbidden_in_opaque(raw.p[i]))
            return TN_URL_INVALID;
        if (raw.p[i] < 0x20 || raw.p[i] == 0x7f)
            n += tn_url_escape(raw.p[i], ret + n);
        else
            ret[n++] = raw.p[i];
    }
    *ret_len = n;
    return TN_URL_OK;
}
