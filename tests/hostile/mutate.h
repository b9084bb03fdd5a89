/* SPDX-License-Identifier: Apache-2.0 */
/* Repeatable mutations of a byte string. */
#ifndef MUTATE_H
#define MUTATE_H

#include <stddef.h>
#include <stdint.h>

struct rng {
    uint64_t state;
};
uint64_t rng_next(struct rng *rng);
size_t rng_below(struct rng *rng, size_t bound); /* 0 when bound is 0 */

/* Flips one bit. */
void flip_bit(struct rng *rng, uint8_t *p, size_t len);
/*
 * One random edit: bytes overwritten with values that mean something in CBOR, a span deleted, doubled or moved. `p` has
 * room for `len` + MUTATE_GROWTH bytes. Returns the new length.
 */
#define MUTATE_GROWTH 64
size_t mutate(struct rng *rng, uint8_t *p, size_t len);

#endif
