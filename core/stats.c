/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a context counts itself, for sinks that show it (plugin.h, host->stats). Asks no store and waits for no lock
 * that is held around a call to one; labels are names of lines, ids of keys and fingerprints, never values of a call.
 */
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "audit.h"
#include "crypto.h"
#include "err.h"
#include "forkgen.h"

const uint64_t tn_latency_bounds_ns[TN_LATENCY_BUCKETS] = { 100000,   500000,    1000000,   5000000,    10000000,
                                                            50000000, 100000000, 500000000, 1000000000, 5000000000 };

struct teller {
    int (*each)(void *arg, const struct tenuo_stat *stat);
    void *arg;
    bool stopped;
};

static void tell_bound(struct teller *t, int what, const char *label, uint64_t value, uint64_t bound_ns)
{
    const struct tenuo_stat stat = {
        .size = sizeof stat, .what = what, .label = label, .value = value, .bound_ns = bound_ns
    };
    if (!t->stopped)
        t->stopped = t->each(t->arg, &stat) != 0;
}

static void tell(struct teller *t, int what, const char *label, uint64_t value)
{
    tell_bound(t, what, label, value, UINT64_MAX);
}

/* A child has counted nothing. */
static void forget(void *arg)
{
    struct tn_counts *counts = arg;
    atomic_store_explicit(&counts->calls, 0, memory_order_relaxed);
    atomic_store_explicit(&counts->failures, 0, memory_order_relaxed);
    atomic_store_explicit(&counts->ns, 0, memory_order_relaxed);
    atomic_store_explicit(&counts->lost, 0, memory_order_relaxed);
    atomic_store_explicit(&counts->untold, 0, memory_order_relaxed);
    for (size_t i = 0; i < TN_LATENCY_BUCKETS; i++)
        atomic_store_explicit(&counts->within[i], 0, memory_order_relaxed);
}

static void begin(struct tn_counts *counts)
{
    tn_fork_renew(&counts->process, forget, counts);
}

uint64_t tn_counts_lose(struct tn_counts *counts)
{
    begin(counts);
    atomic_fetch_add_explicit(&counts->lost, 1, memory_order_relaxed);
    return atomic_fetch_add_explicit(&counts->untold, 1, memory_order_relaxed) + 1;
}

uint64_t tn_counts_recover(struct tn_counts *counts)
{
    begin(counts);
    if (atomic_load_explicit(&counts->untold, memory_order_relaxed) == 0)
        return 0;
    return atomic_exchange_explicit(&counts->untold, 0, memory_order_relaxed);
}

void tn_counts_add(struct tn_counts *counts, int code, uint64_t ns)
{
    begin(counts);
    atomic_fetch_add_explicit(&counts->calls, 1, memory_order_relaxed);
    atomic_fetch_add_explicit(&counts->ns, ns, memory_order_relaxed);
    if (code != TENUO_OK && code != TENUO_E_KEY_NOT_FOUND && code != TENUO_E_WOULD_BLOCK)
        atomic_fetch_add_explicit(&counts->failures, 1, memory_order_relaxed);
    for (size_t i = 0; i < TN_LATENCY_BUCKETS; i++) {
        if (ns <= tn_latency_bounds_ns[i]) {
            atomic_fetch_add_explicit(&counts->within[i], 1, memory_order_relaxed);
            break;
        }
    }
}

static uint64_t value_of(atomic_ullong *counter)
{
    return atomic_load_explicit(counter, memory_order_relaxed);
}

static void tell_resolver(struct teller *t, struct tn_instance *i)
{
    const char *label = tn_instance_name(i);
    uint64_t sum = 0;
    begin(&i->counts);
    tell(t, TENUO_STAT_RESOLVER_CALLS, label, value_of(&i->counts.calls));
    tell(t, TENUO_STAT_RESOLVER_FAILURES, label, value_of(&i->counts.failures));
    tell(t, TENUO_STAT_RESOLVER_NS, label, value_of(&i->counts.ns));
    for (size_t k = 0; k < TN_LATENCY_BUCKETS; k++) {
        sum += value_of(&i->counts.within[k]);
        tell_bound(t, TENUO_STAT_RESOLVER_BUCKET, label, sum, tn_latency_bounds_ns[k]);
    }
}

static void tell_lost(struct teller *t, struct tn_instance *i)
{
    begin(&i->counts);
    tell(t, TENUO_STAT_AUDIT_LOST, tn_instance_name(i), value_of(&i->counts.lost));
}

static void tell_caches(struct teller *t, struct tenuo_ctx *c)
{
    uint64_t hits = 0, misses = 0;
    if (c->verifier != NULL && c->verifier->cache != NULL) {
        tn_link_cache_counts(c->verifier->cache, &hits, &misses);
        tell(t, TENUO_STAT_LINK_CACHE_HITS, "", hits);
        tell(t, TENUO_STAT_LINK_CACHE_MISSES, "", misses);
    }
    tn_keycache_counts(&c->keys, &hits, &misses);
    tell(t, TENUO_STAT_KEY_CACHE_HITS, "", hits);
    tell(t, TENUO_STAT_KEY_CACHE_MISSES, "", misses);
}

static void tell_keys(struct teller *t, struct tenuo_ctx *c)
{
    struct tn_key_birth *births = calloc(TN_MAX_KEY_CACHE, sizeof *births);
    size_t n = births == NULL ? 0 : tn_keycache_births(&c->keys, births, TN_MAX_KEY_CACHE);
    for (size_t i = 0; i < n; i++)
        tell(t, TENUO_STAT_KEY_CREATED, births[i].id, (uint64_t)births[i].created_at);
    free(births);
}

static void tell_roots(struct teller *t, const struct tenuo_ctx *c)
{
    char label[17];
    for (size_t i = 0; i < tenuo_ctx_root_count(c); i++) {
        const struct tn_root *root = &c->verifier->policy.roots[i];
        tn_hex(label, root->key, 8);
        if (root->not_before != 0)
            tell(t, TENUO_STAT_ROOT_BEGINS, label, root->not_before);
        if (root->not_after != UINT64_MAX)
            tell(t, TENUO_STAT_ROOT_ENDS, label, root->not_after);
    }
}

static void tell_list(void *arg, const struct tn_revoke_told *told)
{
    struct teller *t = arg;
    tell(t, TENUO_STAT_REVOCATION_FETCHED, told->name, told->fetched_at);
    tell(t, TENUO_STAT_REVOCATION_VERSION, told->name, told->version);
    tell(t, TENUO_STAT_REVOCATION_ISSUED, told->name, told->issued_at);
    if (told->ends_at != 0)
        tell(t, TENUO_STAT_REVOCATION_ENDS, told->name, told->ends_at);
}

void tn_stats_tell(struct tenuo_ctx *c, int (*each)(void *arg, const struct tenuo_stat *stat), void *arg)
{
    struct teller t = { each, arg, false };
    atomic_store_explicit(&c->wants_key_age, true, memory_order_relaxed);
    tell_caches(&t, c);
    for (size_t i = 0; i < c->lines[TN_F_RESOLVER].n; i++)
        tell_resolver(&t, c->lines[TN_F_RESOLVER].v[i].instance);
    for (size_t i = 0; i < c->lines[TN_F_AUDIT].n; i++)
        if (!tn_line_is_required(&c->lines[TN_F_AUDIT].v[i]))
            tell_lost(&t, c->lines[TN_F_AUDIT].v[i].instance);
    tell_keys(&t, c);
    tell_roots(&t, c);
    if (c->revoke != NULL)
        tn_revoke_tell(c->revoke, tell_list, &t);
}
