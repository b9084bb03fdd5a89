/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What matcher plugins made of constraints' payloads, kept for the next match: bounded by bytes and by entries, the
 * least recently used goes first. Can change how long an answer takes, never the answer.
 */
#ifndef TN_PROGRAMS_H
#define TN_PROGRAMS_H

#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>

#include "str.h"
#include <tenuo/plugin.h>

/* One compiled payload, or the lasting failure to compile it. Immutable; shared by all threads. */
struct tn_program {
    int code;             /* 0, or what compiling said */
    char *sentence;       /* of the failure; NULL: none */
    void *program;        /* the plugin's own */
    const struct tenuo_matcher_ops *ops;
    void *self;
    size_t cost;          /* bytes, this structure included */
    atomic_uint refs;     /* the cache's and one for each user */
    uint64_t hash;
    struct tn_program *next;          /* of one bucket */
    struct tn_program *newer, *older; /* order of use */
    struct tn_str payload;            /* behind this structure */
    uint8_t type;
};

struct tn_programs;

/* NULL when memory or locks ran out. */
struct tn_programs *tn_programs_new(void);
/* Nobody may hold a program any more. NULL is fine. */
void tn_programs_free(struct tn_programs *programs);
/* The program of a payload with a reference of the caller's own, or NULL. */
struct tn_program *tn_programs_find(struct tn_programs *programs, uint8_t type, struct tn_str payload);
/* A program that nobody knows yet, with the caller's reference; NULL when memory ran out. On success it owns `program`.
 */
struct tn_program *tn_program_new(const struct tenuo_matcher_ops *ops, void *self, uint8_t type, struct tn_str payload,
                                  void *program, size_t bytes);
/* The same for a payload that does not compile. */
struct tn_program *tn_program_new_failed(uint8_t type, struct tn_str payload, int code, const char *sentence);
/* Keeps it for others, if it is not too large. */
void tn_programs_put(struct tn_programs *programs, struct tn_program *program);
/* Gives a reference back; the last one releases the plugin's program. NULL is fine. */
void tn_program_unref(struct tn_program *program);
/* What is held now; for tests. */
size_t tn_programs_count(struct tn_programs *programs, size_t *ret_bytes);

#endif
