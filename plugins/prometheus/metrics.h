/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The inside of the sink "prometheus": counters in a file that all processes of a service map (counters.c), and their
 * text for node_exporter's textfile collector (text.c).
 */
#ifndef TN_METRICS_H
#define TN_METRICS_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/types.h>
#include <tenuo/plugin.h>

#define SLOTS 1024     /* series of one service, all kinds together */
#define LABEL_MAX 96   /* bytes of a label's value; a longer one is cut */
#define VALUES 12      /* numbers of one series: ten classes, sum, count */
#define TOOL_MAX 64    /* a longer name of a tool is counted as "other" */
#define BUCKETS 10
#define MAX_TOOLS 50   /* default */
#define MAX_KEYS 200   /* keys whose age is shown */

/* What a series is of. The values stand in files: never renumber. */
enum series {
    S_DECISIONS = 1, /* label: tool; number: code; word: decision. value 0 */
    S_LATENCY,       /* classes, sum (ns), count */
    S_NOTICES,       /* number: kind of notice. value 0 */
    S_STORE_CALLS,   /* label: store. classes, sum (ns), count */
    S_STORE_FAILED,  /* label: store. value 0 */
    S_CACHE,         /* number: 1 link, 2 key; value 0 hits, 1 misses */
    S_AUDIT_LOST,    /* label: sink. value 0 */
    S_LIST,          /* gauge. label: revocation line; value 0 time, 1 version, 2 time of issue */
    S_KEY,           /* gauge. label: key id; value 0 time of its making */
    S_ROOT,          /* gauge. label: root; value 0 time of its end */
    S_UNCOUNTED,     /* events that found no free slot. value 0 */
    S_TOOL           /* label: a tool with series of its own; not shown */
};

struct slot {
    atomic_uint used; /* set last: the rest is there then, and never changes but for the values */
    uint32_t kind, number, word;
    char label[LABEL_MAX];
    atomic_ullong value[VALUES];
};

struct counters_head {
    uint64_t magic;
    uint32_t version, slots;
    uint64_t made_ns; /* tells one file from the next */
};

/* The whole file. */
struct counters {
    struct counters_head head;
    atomic_ullong rendered_ms; /* when the text was written, CLOCK_REALTIME */
    atomic_ullong reserved[4];
    struct slot slot[SLOTS];
};

struct metrics {
    const struct tenuo_host *host;
    char *directory, *state; /* of the text, of the counters */
    uint64_t interval_ms;
    uint32_t max_tools;
    char service[65];       /* of the first event; "" until then */
    char *text_path, *counters_path;
    int fd;
    pid_t pid; /* who opened fd: its lock belongs to the open file, which a child would share */
    struct counters *map;
    uint64_t made_ns; /* of the file that `last` is about */
    unsigned long long last[SLOTS][VALUES]; /* what host->stats said of a series the last time */
};

/* counters.c */
/* Before every use: maps the file of the service, made when it is missing, unless it is mapped and still in its place.
 */
int metrics_open(struct metrics *m, const char *service);
void metrics_close(struct metrics *m);
/* The series, made when it is missing; NULL: no slot is free. */
struct slot *metrics_slot(struct metrics *m, uint32_t kind, const char *label, uint32_t number, uint32_t word);
/* Without waiting, unless `wait`: then until the call's time is over. */
bool metrics_lock(const struct metrics *m, bool wait);
void metrics_unlock(const struct metrics *m);

/* text.c */
extern const uint64_t metrics_bounds_ns[BUCKETS];
void metrics_write(struct metrics *m, FILE *out);

#endif
