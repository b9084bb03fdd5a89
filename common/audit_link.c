/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Ends of chained lines: fixed forms at fixed places, so that nothing inside a record, however it is written, can be
 * taken for one. Never allocates.
 */
#include "audit_link.h"

#include <inttypes.h>
#include <sodium.h>
#include <stdio.h>
#include <string.h>

#define HASH_LEAD ",\"hash\":\""
#define PREV_LEAD ",\"prev\":\""
#define SEQ_LEAD ",\"seq\":"
#define LEAD (sizeof HASH_LEAD - 1) /* of either */
#define HASH_TAIL (LEAD + 64 + 2)   /* with quote and brace */
#define PREV_TAIL (LEAD + 64 + 1)

void tn_link_hex(const uint8_t hash[TN_LINK_HASH_BYTES], char ret[65])
{
    (void)sodium_bin2hex(ret, 65, hash, TN_LINK_HASH_BYTES);
}

bool tn_link_unhex(const char *text, uint8_t ret[TN_LINK_HASH_BYTES])
{
    uint8_t bytes[TN_LINK_HASH_BYTES];
    for (size_t i = 0; i < 64; i++)
        if (!((text[i] >= '0' && text[i] <= '9') || (text[i] >= 'a' && text[i] <= 'f')))
            return false;
    if (sodium_hex2bin(bytes, sizeof bytes, text, 64, NULL, NULL, NULL) != 0)
        return false;
    memcpy(ret, bytes, sizeof bytes);
    return true;
}

static void hash_of(const char *line, size_t n, uint8_t ret[TN_LINK_HASH_BYTES])
{
    (void)crypto_hash_sha256(ret, (const unsigned char *)line, n);
}

size_t tn_link_close(char *line, size_t n, struct tn_link *link)
{
    char prev[65], hash[65];
    tn_link_hex(link->prev, prev);
    n += (size_t)snprintf(line + n, TN_LINK_MAX, SEQ_LEAD "%" PRIu64 PREV_LEAD "%s\"", link->seq, prev);
    hash_of(line, n, link->hash);
    tn_link_hex(link->hash, hash);
    n += (size_t)snprintf(line + n, HASH_TAIL + 2, HASH_LEAD "%s\"}\n", hash);
    return n;
}

/* The number that ends at `end`, with its lead in front; *ret_start is where the lead begins. */
static bool read_seq(const char *line, size_t end, uint64_t *ret_seq)
{
    size_t i = end, lead = sizeof SEQ_LEAD - 1;
    uint64_t seq = 0, unit = 1;
    while (i > 0 && end - i < 20 && line[i - 1] >= '0' && line[i - 1] <= '9') {
        uint64_t digit = (uint64_t)(line[--i] - '0');
        if (digit != 0 && (unit == 0 || digit > (UINT64_MAX - seq) / unit))
            return false;
        seq += digit * unit;
        unit = unit > UINT64_MAX / 10 ? 0 : unit * 10;
    }
    if (i == end || i < lead + 1 || line[i] == '0' || memcmp(line + i - lead, SEQ_LEAD, lead) != 0)
        return false;
    *ret_seq = seq;
    return true;
}

bool tn_link_read(const char *line, size_t n, struct tn_link *ret)
{
    struct tn_link link;
    size_t hash, prev;
    if (n < HASH_TAIL + PREV_TAIL + sizeof SEQ_LEAD || line[0] != '{')
        return false;
    hash = n - HASH_TAIL;
    prev = hash - PREV_TAIL;
    if (memcmp(line + hash, HASH_LEAD, LEAD) != 0 || memcmp(line + n - 2, "\"}", 2) != 0 ||
        memcmp(line + prev, PREV_LEAD, LEAD) != 0 || line[hash - 1] != '"')
        return false;
    if (!tn_link_unhex(line + hash + LEAD, link.hash) || !tn_link_unhex(line + prev + LEAD, link.prev) ||
        !read_seq(line, prev, &link.seq))
        return false;
    *ret = link;
    return true;
}

bool tn_link_holds(const char *line, size_t n, const struct tn_link *link)
{
    uint8_t hash[TN_LINK_HASH_BYTES];
    hash_of(line, n - HASH_TAIL, hash);
    return memcmp(hash, link->hash, sizeof hash) == 0;
}
