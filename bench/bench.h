/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The benchmark's parts: work items (what is timed, as bytes that both sides read), the peer process, and reporting.
 *
 * Times are thread CPU time in nanoseconds; the minimum over rounds counts, and both sides take turns within a round.
 */
#ifndef BENCH_H
#define BENCH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <tenuo/tenuo.h>

#define BENCH_MAX_ITEMS 48
#define BENCH_NOW 1704067260

struct blob {
    uint8_t *p;
    size_t len;
};

enum bench_kind { BENCH_AUTHORIZE, BENCH_MATCH, BENCH_PARSE, BENCH_MINT, BENCH_ATTENUATE, BENCH_SIGN, BENCH_SRL };

/* One thing to time. Members that a kind does not use are empty. */
struct item {
    enum bench_kind kind;
    char name[32];
    bool warm;  /* the link cache is on and filled */
    bool cold;  /* match: a regular expression that was not compiled before, each time */
    bool allow; /* what an authorization answers */
    uint32_t iterations;
    int64_t now; /* of the call or the builder, Unix seconds */
    uint8_t root[32], seed[32], holder[32], pop[64];
    struct blob bytes; /* stack, warrant, parent or constraint */
    struct blob args;  /* arguments, constraint set or value */
    struct blob approvals; /* CBOR array of envelopes; empty: none */
    uint32_t revoked;      /* ids on the revocation list of a call, or of the list to load; 0: no list */
    const char *tool;
    double ours_us, peer_us; /* minimum; peer_us < 0 when there is no peer */

    /* Prepared objects of our side. */
    struct tenuo_verifier *verifier;
    struct tenuo_request *request;
    struct tenuo_stack *stack;
    struct tenuo_signer *signer;
    struct tenuo_args *call_args;
    struct tenuo_constraint *constraint;
    struct tenuo_constraint **variants; /* cold: more than are kept */
    size_t *next;
    struct tenuo_constraint_set *set;
    struct tenuo_value *value;
    const struct tenuo_matchers *matchers; /* borrowed; NULL: the constraint needs none */
};

/* Ends the program with a sentence when a step of the preparation fails. */
void must(int rc, const char *step);
double cpu_ns(void); /* of this thread */

/* items.c */
/* Constraints that need a matcher are measured only where `matchers` has it; may be NULL. */
size_t make_items(struct item items[BENCH_MAX_ITEMS], const struct tenuo_matchers *matchers);
void write_items(FILE *f, const struct item *items, size_t count); /* the peer's input */
void free_items(struct item *items, size_t count);

/* ours.c: prepares our objects, and runs an item `iterations` times. */
void prepare_item(struct item *item);
void run_item(const struct item *item, uint32_t iterations);

/* peer.c */
struct peer;
struct peer *peer_start(const char *program, const char *items_path);  /* NULL: there is none, said on stderr */
double peer_run(struct peer *peer, size_t index, uint32_t iterations); /* nanoseconds, or negative */
void peer_stop(struct peer *peer);

/* values.c: size, dependencies, memory, start-up. Each prints through `report`; negative: not measured, with a note. */
typedef void value_fn(const char *name, double value, const char *unit, const char *note);
void report_library(const char *path, value_fn *report);
void report_memory(const char *self, const char *conf, value_fn *report);
void report_startup(const char *command, value_fn *report, const struct item *item);
/* shared.c: two threads on one verifier, by a prepared call; the replay store of the folder `plugins`, or NULL. */
void report_threads(const struct item *items, size_t count, value_fn *report);
void report_replay(const char *plugins, value_fn *report);
/* keys.c: signing with a cached key 'bench' of the configuration, or NULL. */
void report_keys(const char *conf, value_fn *report);
/* revocation.c: a list of any length, to be freed with tenuo_bytes_free; and what lists cost, by a prepared call. */
struct blob make_list(size_t ids, const struct tenuo_signer *signer);
void report_revocation(const struct item *items, size_t count, value_fn *report);
int memory_child(const char *conf); /* opens a context and prints its resident memory in KiB */

#endif
