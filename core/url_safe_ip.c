/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which addresses UrlSafe blocks: the tables of constraint type 18, and IPv4 carried inside IPv6. Never resolves a
 * name. A range that only this library blocks is reported apart, for the reference would let it pass.
 */
#include "url_safe.h"

enum flag { PRIVATE = 1, LOOPBACK = 2, METADATA = 4, RESERVED = 8, OURS = 16 };

struct range4 {
    uint32_t first, last;
    unsigned flags;
};

/* In order of judgement; the first range that holds the address and whose flag is set decides. */
static const struct range4 ranges4[] = {
    { 0x00000000, 0x00000000, RESERVED | LOOPBACK },
    { 0x7f000000, 0x7fffffff, LOOPBACK },
    { 0xa9fe0000, 0xa9feffff, METADATA },
    { 0x646464c8, 0x646464c8, METADATA }, /* 100.100.100.200 */
    { 0x0a000000, 0x0affffff, PRIVATE },
    { 0xac100000, 0xac1fffff, PRIVATE },
    { 0xc0a80000, 0xc0a8ffff, PRIVATE },
    { 0x64400000, 0x647fffff, PRIVATE },
    { 0xc6120000, 0xc613ffff, PRIVATE },
    { 0x00000000, 0x00ffffff, RESERVED },
    { 0xc0000000, 0xc0000008, RESERVED }, /* 192.0.0/24 except .9 and .10 */
    { 0xc000000b, 0xc00000ff, RESERVED },
    { 0xc0000200, 0xc00002ff, RESERVED },
    { 0xc6336400, 0xc63364ff, RESERVED },
    { 0xcb007100, 0xcb0071ff, RESERVED },
    { 0xc0586300, 0xc05863ff, RESERVED },
    { 0xe0000000, 0xffffffff, RESERVED },
    { 0xa83f8110, 0xa83f8110, METADATA | OURS }, /* 168.63.129.16 */
};

struct range6 {
    uint8_t addr[16];
    uint8_t prefix;
    unsigned flags; /* 0: an exception, the address is judged no further */
};

static const struct range6 ranges6[] = {
    { { 0x00, 0x64, 0xff, 0x9b, 0, 1 }, 48, PRIVATE },
    { { 0xfd, 0x00, 0x0e, 0xc2, [14] = 0x02, [15] = 0x54 }, 128, METADATA },
    { { 0xfc }, 7, PRIVATE },
    { { 0xfe, 0x80 }, 10, PRIVATE },
    { { 0xfe, 0xc0 }, 10, PRIVATE },
    { { 0xfd, 0x20, 0x00, 0xce, [14] = 0x02, [15] = 0x54 }, 128, METADATA | OURS },
    { { 0x01, 0x00 }, 64, RESERVED },
    { { 0x01, 0x00, [7] = 1 }, 64, RESERVED },
    { { 0x20, 0x01, 0x0d, 0xb8 }, 32, RESERVED },
    { { 0x3f, 0xff }, 20, RESERVED },
    { { 0x5f, 0x00 }, 16, RESERVED },
    { { 0xff }, 8, RESERVED },
    { { 0x20, 0x01, 0x00, 0x01, [15] = 1 }, 128, 0 },
    { { 0x20, 0x01, 0x00, 0x01, [15] = 2 }, 128, 0 },
    { { 0x20, 0x01, 0x00, 0x01, [15] = 3 }, 128, 0 },
    { { 0x20, 0x01, 0x00, 0x03 }, 32, 0 },
    { { 0x20, 0x01, 0x00, 0x04, 0x01, 0x12 }, 48, 0 },
    { { 0x20, 0x01, 0x00, 0x20 }, 27, 0 }, /* 2001:20:: to 2001:3f:ffff... */
    { { 0x20, 0x01 }, 23, RESERVED },
};

/* IPv6 networks that carry an IPv4 address at byte `at`. */
static const struct carrier {
    uint8_t addr[16];
    uint8_t prefix, at;
    bool inverted, ours;
} carriers[] = {
    { { [10] = 0xff, [11] = 0xff }, 96, 12, false, false },
    { { 0 }, 96, 12, false, false },
    { { 0x00, 0x64, 0xff, 0x9b }, 96, 12, false, false },
    { { 0x20, 0x02 }, 16, 2, false, false },
    { { 0x20, 0x01 }, 32, 12, true, false },
    { { [8] = 0xff, [9] = 0xff }, 96, 12, false, true },
};

static bool within(const uint8_t net[16], unsigned prefix, const uint8_t addr[16])
{
    unsigned whole = prefix / 8, rest = prefix % 8;
    return memcmp(net, addr, whole) == 0 && (rest == 0 || ((net[whole] ^ addr[whole]) & (0xff00u >> rest) & 0xff) == 0);
}

static unsigned flags_of(const struct tn_url_safe *c)
{
    unsigned flags = c->block_private ? PRIVATE : 0;
    flags |= c->block_loopback ? LOOPBACK : 0u;
    flags |= c->block_metadata ? METADATA : 0u;
    return flags | (c->block_reserved ? RESERVED : 0u);
}

static enum tn_match verdict(unsigned flags) { return (flags & OURS) != 0 ? TN_ERROR : TN_FALSE; }

static uint32_t big_endian(const uint8_t b[4])
{
    return (uint32_t)b[0] << 24 | (uint32_t)b[1] << 16 | (uint32_t)b[2] << 8 | b[3];
}

static enum tn_match judge4(unsigned blocked, uint32_t addr)
{
    for (size_t i = 0; i < TN_ARRAY_LEN(ranges4); i++) {
        const struct range4 *r = &ranges4[i];
        if (r->first <= addr && addr <= r->last && (r->flags & blocked) != 0)
            return verdict(r->flags);
    }
    return TN_TRUE;
}

static enum tn_match judge_carried(unsigned blocked, const uint8_t addr[16])
{
    enum tn_match m = TN_TRUE;
    for (size_t i = 0; i < TN_ARRAY_LEN(carriers); i++) {
        const struct carrier *k = &carriers[i];
        if (!within(k->addr, k->prefix, addr))
            continue;
        uint32_t v4 = big_endian(addr + k->at);
        enum tn_match inner = judge4(blocked, k->inverted ? ~v4 : v4);
        if (inner == TN_FALSE && !k->ours)
            return TN_FALSE;
        if (inner != TN_TRUE)
            m = TN_ERROR;
    }
    return m;
}

/* Like the table of IPv4, but an address the reference blocks is FALSE even when a range of ours holds it too. */
static enum tn_match judge_ranges6(unsigned blocked, const uint8_t addr[16])
{
    enum tn_match m = TN_TRUE;
    for (size_t i = 0; i < TN_ARRAY_LEN(ranges6); i++) {
        const struct range6 *r = &ranges6[i];
        if (!within(r->addr, r->prefix, addr))
            continue;
        if (r->flags == 0)
            break;
        if ((r->flags & blocked) == 0)
            continue;
        if (verdict(r->flags) == TN_FALSE)
            return TN_FALSE;
        m = TN_ERROR;
    }
    return m;
}

enum tn_match tn_url_safe_ipv4(const struct tn_url_safe *c, const uint8_t addr[4])
{
    return judge4(flags_of(c), big_endian(addr));
}

enum tn_match tn_url_safe_ipv6(const struct tn_url_safe *c, const uint8_t addr[16])
{
    static const uint8_t unspecified[16] = { 0 }, loopback[16] = { [15] = 1 };
    unsigned blocked = flags_of(c);
    if (memcmp(addr, unspecified, 16) == 0)
        return judge4(blocked, 0);
    if (memcmp(addr, loopback, 16) == 0 && c->block_loopback)
        return TN_FALSE;
    enum tn_match carried = judge_carried(blocked, addr);
    if (carried == TN_FALSE)
        return TN_FALSE;
    enum tn_match own = judge_ranges6(blocked, addr);
    return own == TN_TRUE ? carried : own;
}
