/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Mutations for the hostile-input test: small edits that keep most of the structure alive, so that they reach deep.
 *
 * Deterministic for a seed; never reads a clock or the system's randomness.
 */
#include "mutate.h"
#include <string.h>

/* splitmix64: enough for tests, and the same on every machine. */
uint64_t rng_next(struct rng *rng)
{
    uint64_t z = (rng->state += 0x9e3779b97f4a7c15u);
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return z ^ (z >> 31);
}

size_t rng_below(struct rng *rng, size_t bound)
{
    return bound == 0 ? 0 : (size_t)(rng_next(rng) % bound);
}

void flip_bit(struct rng *rng, uint8_t *p, size_t len)
{
    if (len == 0)
        return;
    size_t at = rng_below(rng, len);
    p[at] = (uint8_t)(p[at] ^ (1u << rng_below(rng, 8)));
}

static void overwrite(struct rng *rng, uint8_t *p, size_t len)
{
    /* break, indefinite heads, 64-bit lengths, tags, undefined, NaN, limits of the one-byte heads */
    static const uint8_t values[] = { 0xff, 0x9f, 0xbf, 0x5f, 0x7f, 0x1b, 0x3b, 0x5b, 0x7b, 0x9b,
                                      0xbb, 0xdb, 0xc0, 0xc2, 0xf7, 0xf6, 0xf9, 0xfb, 0x00, 0x17,
                                      0x18, 0x1f, 0x20, 0x37, 0x80, 0xa0, 0x60, 0x40 };
    size_t count = 1 + rng_below(rng, 3);
    while (count-- > 0)
        p[rng_below(rng, len)] = values[rng_below(rng, sizeof values)];
}

static size_t delete_span(struct rng *rng, uint8_t *p, size_t len)
{
    size_t at = rng_below(rng, len), n = 1 + rng_below(rng, len - at < 16 ? len - at : 16);
    memmove(p + at, p + at + n, len - at - n);
    return len - n;
}

static size_t double_span(struct rng *rng, uint8_t *p, size_t len)
{
    size_t at = rng_below(rng, len), room = len - at < MUTATE_GROWTH ? len - at : MUTATE_GROWTH,
           n = 1 + rng_below(rng, room);
    memmove(p + at + n, p + at, len - at);
    return len + n;
}

static void move_span(struct rng *rng, uint8_t *p, size_t len)
{
    uint8_t span[16];
    size_t n = 1 + rng_below(rng, len < sizeof span ? len : sizeof span);
    memcpy(span, p + rng_below(rng, len - n + 1), n);
    memcpy(p + rng_below(rng, len - n + 1), span, n);
}

size_t mutate(struct rng *rng, uint8_t *p, size_t len)
{
    if (len == 0) {
        p[0] = (uint8_t)rng_next(rng);
        return 1;
    }
    switch (rng_below(rng, 5)) {
    case 0:
        return delete_span(rng, p, len);
    case 1:
        return double_span(rng, p, len);
    case 2:
        move_span(rng, p, len);
        return len;
    case 3:
        flip_bit(rng, p, len);
        return len;
    default:
        overwrite(rng, p, len);
        return len;
    }
}
