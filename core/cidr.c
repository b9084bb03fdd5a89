/* SPDX-License-Identifier: Apache-2.0 */
/*
 * IP literals and networks: strict text forms only (no short forms, leading zeros, brackets or zones), families never
 * mix. Owns the grammar of Cidr and of every IP literal in this library. Must never resolve a name.
 */
#include <arpa/inet.h>

#include "match.h"

/* The longest IPv6 text, "ffff:ffff:ffff:ffff:ffff:ffff:255.255.255.255", has 45 bytes. */
#define MAX_LITERAL 45

int tn_ip_parse(struct tn_str text, uint8_t ret_addr[16])
{
    char s[MAX_LITERAL + 1];
    uint8_t addr[16] = { 0 };
    if (text.n == 0 || text.n > MAX_LITERAL || memchr(text.p, 0, text.n) != NULL)
        return 0;
    memcpy(s, text.p, text.n);
    s[text.n] = 0;
    if (inet_pton(AF_INET, s, addr) == 1) {
        memcpy(ret_addr, addr, 4);
        return 4;
    }
    if (inet_pton(AF_INET6, s, addr) == 1) {
        memcpy(ret_addr, addr, 16);
        return 6;
    }
    return 0;
}

/* Decimal without sign or leading zero, at most `max`. */
static bool parse_length(struct tn_str s, unsigned max, uint8_t *ret)
{
    unsigned v = 0;
    if (s.n == 0 || s.n > 3 || (s.n > 1 && s.p[0] == '0'))
        return false;
    for (size_t i = 0; i < s.n; i++) {
        if (!tn_is_digit(s.p[i]))
            return false;
        v = v * 10 + (s.p[i] - (unsigned)'0');
    }
    if (v > max)
        return false;
    *ret = (uint8_t)v;
    return true;
}

/* A dotted mask of leading ones. */
static bool parse_netmask(struct tn_str s, uint8_t *ret)
{
    uint8_t b[16];
    if (tn_ip_parse(s, b) != 4)
        return false;
    uint32_t mask = (uint32_t)b[0] << 24 | (uint32_t)b[1] << 16 | (uint32_t)b[2] << 8 | b[3];
    uint8_t ones = 0;
    while (ones < 32 && (mask & (0x80000000u >> ones)) != 0)
        ones++;
    if (ones < 32 && (mask << ones) != 0)
        return false;
    *ret = ones;
    return true;
}

static void clear_host_bits(struct tn_cidr *c)
{
    for (unsigned i = 0; i < 16; i++) {
        unsigned keep = c->prefix > i * 8 ? c->prefix - i * 8 : 0;
        if (keep < 8)
            c->addr[i] &= (uint8_t)(0xff00u >> keep);
    }
}

bool tn_cidr_parse(struct tn_str text, struct tn_cidr *ret)
{
    struct tn_cidr c = { 0 };
    struct tn_str addr = text, length = { 0 };
    const uint8_t *slash = text.n == 0 ? NULL : memchr(text.p, '/', text.n);
    if (slash != NULL) {
        addr.n = (size_t)(slash - text.p);
        length = (struct tn_str){ slash + 1, text.n - addr.n - 1 };
    }
    int family = tn_ip_parse(addr, c.addr);
    if (family == 0)
        return false;
    uint8_t max = family == 4 ? 32 : 128;
    c.family = (uint8_t)family;
    c.prefix = max;
    if (slash != NULL && !parse_length(length, max, &c.prefix) && (family != 4 || !parse_netmask(length, &c.prefix)))
        return false;
    clear_host_bits(&c);
    *ret = c;
    return true;
}

static bool holds(const struct tn_cidr *net, const uint8_t addr[16])
{
    unsigned whole = net->prefix / 8u, rest = net->prefix % 8u;
    if (memcmp(net->addr, addr, whole) != 0)
        return false;
    return rest == 0 || ((net->addr[whole] ^ addr[whole]) & (0xff00u >> rest) & 0xffu) == 0;
}

enum tn_match tn_cidr_match(const struct tn_cidr *net, struct tn_str text)
{
    uint8_t addr[16] = { 0 };
    int family = tn_ip_parse(text, addr);
    if (family == 0)
        return TN_ERROR;
    return family == net->family && holds(net, addr) ? TN_TRUE : TN_FALSE;
}

bool tn_cidr_contains(const struct tn_cidr *parent, const struct tn_cidr *child)
{
    return parent->family == child->family && parent->prefix <= child->prefix && holds(parent, child->addr);
}
