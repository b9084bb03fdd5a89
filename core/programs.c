/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A hash table with the order of use. Payloads come from outside: the hash is keyed, and payloads are compared whole.
 * The lock is never held while a plugin runs. A child of a fork starts anew: a lock inside a plugin's program may be
 * held there by a thread that does not exist.
 */
#include "programs.h"

#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#include "forkgen.h"
#include "limits.h"

#define BUCKETS 1024u

struct tn_programs {
    struct tn_lock lock;
    unsigned generation; /* of forks, to which the entries belong; under lock, as all below */
    struct tn_program *buckets[BUCKETS], *newest, *oldest;
    size_t count, bytes;
    uint8_t key[crypto_shorthash_KEYBYTES];
};

struct tn_programs *tn_programs_new(void)
{
    struct tn_programs *c = calloc(1, sizeof *c);
    if (c == NULL || !tn_lock_init(&c->lock)) {
        free(c);
        return NULL;
    }
    c->generation = tn_forkgen();
    randombytes_buf(c->key, sizeof c->key);
    return c;
}

static void enter(struct tn_programs *c)
{
    tn_lock_acquire(&c->lock);
    if (c->generation == tn_forkgen())
        return;
    memset(c->buckets, 0, sizeof c->buckets); /* left to the parent */
    c->newest = c->oldest = NULL;
    c->count = c->bytes = 0;
    c->generation = tn_forkgen();
}

static uint64_t hash_of(const struct tn_programs *c, uint8_t type, struct tn_str payload)
{
    uint8_t out[crypto_shorthash_BYTES];
    uint64_t h;
    crypto_shorthash(out, payload.p, payload.n, c->key);
    memcpy(&h, out, sizeof h);
    return h ^ type;
}

static void unlink_use(struct tn_programs *c, struct tn_program *p)
{
    *(p->newer != NULL ? &p->newer->older : &c->newest) = p->older;
    *(p->older != NULL ? &p->older->newer : &c->oldest) = p->newer;
}

static void link_newest(struct tn_programs *c, struct tn_program *p)
{
    p->newer = NULL;
    p->older = c->newest;
    *(c->newest != NULL ? &c->newest->newer : &c->oldest) = p;
    c->newest = p;
}

static struct tn_program *look_up(const struct tn_programs *c, uint64_t hash, uint8_t type, struct tn_str payload)
{
    struct tn_program *p = c->buckets[hash % BUCKETS];
    while (p != NULL && (p->hash != hash || p->type != type || !tn_str_eq(p->payload, payload)))
        p = p->next;
    return p;
}

struct tn_program *tn_programs_find(struct tn_programs *programs, uint8_t type, struct tn_str payload)
{
    uint64_t hash = hash_of(programs, type, payload);
    struct tn_program *p;
    enter(programs);
    p = look_up(programs, hash, type, payload);
    if (p != NULL) {
        atomic_fetch_add_explicit(&p->refs, 1, memory_order_relaxed);
        if (p != programs->newest) {
            unlink_use(programs, p);
            link_newest(programs, p);
        }
    }
    tn_lock_release(&programs->lock);
    return p;
}

/* The least recently used, taken out; its reference goes to the caller. */
static struct tn_program *take_oldest(struct tn_programs *c)
{
    struct tn_program *p = c->oldest, **at = &c->buckets[p->hash % BUCKETS];
    while (*at != p)
        at = &(*at)->next;
    *at = p->next;
    unlink_use(c, p);
    c->count--;
    c->bytes -= p->cost;
    return p;
}

/* Under lock: enters p and takes out what is too much, chained by `next`. */
static struct tn_program *insert(struct tn_programs *c, struct tn_program *p)
{
    struct tn_program *dropped = NULL;
    if (look_up(c, p->hash, p->type, p->payload) != NULL)
        return NULL; /* another thread was faster */
    while (c->count != 0 &&
           (c->count >= TN_PROGRAM_CACHE_ENTRIES || c->bytes > TN_PROGRAM_CACHE_BYTES - p->cost)) {
        struct tn_program *old = take_oldest(c);
        old->next = dropped;
        dropped = old;
    }
    p->next = c->buckets[p->hash % BUCKETS];
    c->buckets[p->hash % BUCKETS] = p;
    link_newest(c, p);
    c->count++;
    c->bytes += p->cost;
    atomic_fetch_add_explicit(&p->refs, 1, memory_order_relaxed);
    return dropped;
}

static void unref_all(struct tn_program *p)
{
    while (p != NULL) {
        struct tn_program *next = p->next;
        tn_program_unref(p);
        p = next;
    }
}

void tn_programs_put(struct tn_programs *programs, struct tn_program *program)
{
    struct tn_program *dropped;
    if (program->cost > TN_PROGRAM_CACHE_BYTES / 2)
        return;
    program->hash = hash_of(programs, program->type, program->payload);
    enter(programs);
    dropped = insert(programs, program);
    tn_lock_release(&programs->lock);
    unref_all(dropped);
}

/* The payload's copy lies behind. */
static struct tn_program *blank(uint8_t type, struct tn_str payload, size_t bytes)
{
    size_t own = sizeof(struct tn_program) + payload.n;
    struct tn_program *p = malloc(own);
    if (p == NULL)
        return NULL;
    *p = (struct tn_program){ .type = type, .cost = bytes > SIZE_MAX - own ? SIZE_MAX : own + bytes };
    atomic_init(&p->refs, 1);
    p->payload = (struct tn_str){ (uint8_t *)(p + 1), payload.n };
    if (payload.n != 0)
        memcpy(p + 1, payload.p, payload.n);
    return p;
}

struct tn_program *tn_program_new(const struct tenuo_matcher_ops *ops, void *self, uint8_t type, struct tn_str payload,
                                  void *program, size_t bytes)
{
    struct tn_program *p = blank(type, payload, bytes);
    if (p == NULL)
        return NULL;
    p->ops = ops;
    p->self = self;
    p->program = program;
    return p;
}

struct tn_program *tn_program_new_failed(uint8_t type, struct tn_str payload, int code, const char *sentence)
{
    struct tn_program *p = blank(type, payload, strlen(sentence) + 1);
    char *copy = p != NULL ? strdup(sentence) : NULL;
    if (copy == NULL) {
        free(p);
        return NULL;
    }
    p->code = code;
    p->sentence = copy;
    return p;
}

void tn_program_unref(struct tn_program *program)
{
    if (program == NULL || atomic_fetch_sub_explicit(&program->refs, 1, memory_order_acq_rel) != 1)
        return;
    if (program->ops != NULL)
        program->ops->release(program->self, program->program);
    free(program->sentence);
    free(program);
}

size_t tn_programs_count(struct tn_programs *programs, size_t *ret_bytes)
{
    size_t n;
    enter(programs);
    n = programs->count;
    *ret_bytes = programs->bytes;
    tn_lock_release(&programs->lock);
    return n;
}

void tn_programs_free(struct tn_programs *programs)
{
    if (programs == NULL)
        return;
    enter(programs);
    tn_lock_release(&programs->lock);
    while (programs->count != 0)
        tn_program_unref(take_oldest(programs));
    tn_lock_destroy(&programs->lock);
    free(programs);
}
