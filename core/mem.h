/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Memory of parsed objects: an arena that lives and dies with one object, and overflow-checked sizes. Nothing secret
 * goes here.
 */
#ifndef TN_MEM_H
#define TN_MEM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "str.h"

struct tn_chunk;
struct tn_defer;

struct tn_arena {
    struct tn_chunk *chunks;
    struct tn_defer *defers;
    uint8_t *next;
    size_t left, grow;
};

/* `first` is the size of the first chunk; chunks double from there. */
void tn_arena_init(struct tn_arena *arena, size_t first);
/* Zeroed, aligned for any object; NULL when memory is out. */
void *tn_arena_alloc(struct tn_arena *arena, size_t size);
void *tn_arena_array(struct tn_arena *arena, size_t count, size_t size);
/* A copy of the bytes; false when memory is out. */
bool tn_arena_str(struct tn_arena *arena, struct tn_str s, struct tn_str *ret);
/* Calls fn(arg) when the arena is freed: for parts that own memory of their own. False when memory is out. */
bool tn_arena_defer(struct tn_arena *arena, void (*fn)(void *arg), void *arg);
void tn_arena_free(struct tn_arena *arena);

/* False on overflow; *ret is then untouched. */
bool tn_add_size(size_t a, size_t b, size_t *ret);
bool tn_mul_size(size_t a, size_t b, size_t *ret);

#endif
