/* SPDX-License-Identifier: Apache-2.0 */
/* The arena: a list of chunks, filled from the front, freed together. Chunks grow only with what was really asked for.
 */
#include "mem.h"

#include <stdalign.h>
#include <stdlib.h>
#include <string.h>

struct tn_chunk {
    struct tn_chunk *prev;
    alignas(max_align_t) uint8_t data[];
};

struct tn_defer {
    struct tn_defer *prev;
    void (*fn)(void *arg);
    void *arg;
};

#define CHUNK_MAX ((size_t)64 * 1024)

bool tn_add_size(size_t a, size_t b, size_t *ret)
{
    if (a > SIZE_MAX - b)
        return false;
    *ret = a + b;
    return true;
}

bool tn_mul_size(size_t a, size_t b, size_t *ret)
{
    if (b != 0 && a > SIZE_MAX / b)
        return false;
    *ret = a * b;
    return true;
}

void tn_arena_init(struct tn_arena *arena, size_t first)
{
    *arena = (struct tn_arena){ .grow = first };
}

static bool add_chunk(struct tn_arena *arena, size_t need)
{
    size_t size = arena->grow > need ? arena->grow : need;
    struct tn_chunk *chunk;
    if (size > SIZE_MAX / 2)
        return false;
    chunk = malloc(sizeof *chunk + size);
    if (chunk == NULL)
        return false;
    chunk->prev = arena->chunks;
    arena->chunks = chunk;
    arena->next = chunk->data;
    arena->left = size;
    if (arena->grow < CHUNK_MAX)
        arena->grow *= 2;
    return true;
}

void *tn_arena_alloc(struct tn_arena *arena, size_t size)
{
    const size_t align = alignof(max_align_t);
    size_t need;
    void *p;
    if (!tn_add_size(size, align - 1, &need))
        return NULL;
    need -= need % align;
    if (need == 0)
        need = align;
    if (arena->left < need && !add_chunk(arena, need))
        return NULL;
    p = arena->next;
    arena->next += need;
    arena->left -= need;
    return memset(p, 0, need);
}

void *tn_arena_array(struct tn_arena *arena, size_t count, size_t size)
{
    size_t total;
    return tn_mul_size(count, size, &total) ? tn_arena_alloc(arena, total) : NULL;
}

bool tn_arena_str(struct tn_arena *arena, struct tn_str s, struct tn_str *ret)
{
    uint8_t *p = tn_arena_alloc(arena, s.n);
    if (p == NULL)
        return false;
    if (s.n != 0)
        memcpy(p, s.p, s.n);
    *ret = (struct tn_str){ p, s.n };
    return true;
}

bool tn_arena_defer(struct tn_arena *arena, void (*fn)(void *arg), void *arg)
{
    struct tn_defer *d = tn_arena_alloc(arena, sizeof *d);
    if (d == NULL)
        return false;
    *d = (struct tn_defer){ arena->defers, fn, arg };
    arena->defers = d;
    return true;
}

void tn_arena_free(struct tn_arena *arena)
{
    for (struct tn_defer *d = arena->defers; d != NULL; d = d->prev)
        d->fn(d->arg);
    while (arena->chunks != NULL) {
        struct tn_chunk *prev = arena->chunks->prev;
        free(arena->chunks);
        arena->chunks = prev;
    }
    *arena = (struct tn_arena){ 0 };
}
