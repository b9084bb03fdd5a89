/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One opened line of the configuration: a plugin, its arguments, and how it may be called. Every call goes through
 * here, where deadlines, forks, locks, legal codes and messages are dealt with, so that no plugin needs to be trusted
 * to do it and no caller can forget it.
 */
#ifndef TN_INSTANCE_H
#define TN_INSTANCE_H

#include <stdatomic.h>

#include "conf.h"
#include "forkgen.h"
#include "log.h"
#include "plugin_load.h"

/*
 * What a plugin's open made, with everything that was lent to it. It belongs to one line, and passes to the line of a
 * reloaded configuration that is the same but for its place and its limits: what the plugin remembers is not lost.
 */
struct tn_opened {
    atomic_uint refs;
    struct tenuo_host host; /* priv is this */
    struct tn_log log;
    uint32_t deadline_ms; /* of the line that it was made for: for a plugin's own thread alone */
    char origin[240];     /* likewise */
    void (*close)(void *self);
    struct tn_lock lock;
    void *self;
    bool open;
    atomic_uint generation; /* fork generation that self belongs to */
};

/* In the sentence about an answer that came too late. */
#define TN_LATE_WORDS "answered after its deadline"

/* Upper bounds of the classes that calls to stores are counted in; the last class has none. */
#define TN_LATENCY_BUCKETS 10
extern const uint64_t tn_latency_bounds_ns[TN_LATENCY_BUCKETS];

/* Of this process alone. Resolver: calls to the store; audit: records that an optional line did not take. */
struct tn_counts {
    atomic_uint process;
    atomic_ullong calls, failures, ns, lost;
    atomic_ullong untold;                     /* lost since the line last took one */
    atomic_ullong within[TN_LATENCY_BUCKETS]; /* above the bound before, up to this one */
};
/* stats.c */
void tn_counts_add(struct tn_counts *counts, int code, uint64_t ns);
/* One more record lost: how many since the line last took one. */
uint64_t tn_counts_lose(struct tn_counts *counts);
/* The line took one, or closes: how many it had lost. */
uint64_t tn_counts_recover(struct tn_counts *counts);

struct tenuo_ctx;

struct tn_instance {
    struct tn_opened *opened;
    struct tenuo_ctx *ctx; /* audit: whose line it is; else NULL */
    const struct tn_plugin *plugin;
    enum tn_facility facility;
    const struct tn_rule *rule; /* borrowed: lives as long as the context; NULL once detached */
    const void *ops;
    struct tenuo_arg *args;
    size_t nargs;
    const struct tn_log *log;
    uint32_t deadline_ms; /* 0: none may be taken */
    bool trace;
    char origin[240]; /* "FILE:LINE: MODULE", or "... NAME (MODULE)", in front of every message */
    char place[120];  /* "FILE:LINE" */
    struct tn_counts counts;
};

/*
 * Prepares one line; takes args (malloc'ed, tn_plugin_args) also on failure. Nothing of the plugin runs yet.
 * `deadline_ms` is the service's; `timeout=` on the line goes before it.
 */
int tn_instance_new(const struct tn_rule *rule, const struct tn_plugin *plugin, struct tenuo_arg *args, size_t nargs,
                    uint32_t deadline_ms, const struct tn_log *log, struct tn_instance **ret, struct tenuo_error *err);
/* Opens it. An instance that is not open is tried again by the next call on it. */
int tn_instance_open(struct tn_instance *i, struct tenuo_error *err);
/* Asks the plugin about the arguments and opens nothing: its code, with "MODULE: sentence" and no place. */
int tn_instance_check(struct tn_instance *i, struct tenuo_error *err);
/* Forgets rule, arguments and log, so that it may outlive the context. Only for plugins that are never opened again. */
void tn_instance_detach(struct tn_instance *i);
/* A line that is not open yet takes what `old` holds, when both are the same plugin with the same arguments. */
bool tn_instance_take_over(struct tn_instance *i, const struct tn_instance *old);
/* Lets go of what it opened, before it is freed: no call may follow. */
void tn_instance_close(struct tn_instance *i);
/* The last line that holds it closes what this process opened. NULL is fine. */
void tn_instance_free(struct tn_instance *i);
/* `name=` of the line, else the module. */
const char *tn_instance_name(const struct tn_instance *i);
/* A duration argument of core on the line ("cache_ttl"), in milliseconds: 0 for "off", `missing` without it. */
uint64_t tn_instance_duration(const struct tn_instance *i, const char *key, uint64_t missing);

/* The calls. Outputs are written on success alone. err gets "FILE:LINE: MODULE: sentence". */
/* TENUO_RESOLVER_...: what the line can, at least one, and what it cannot. */
int tn_resolver_can(struct tn_instance *i, unsigned *ret_can, struct tenuo_error *err);
/* version 0: the newest. *ret_version: which one it was, 0 when the store keeps none; what sign wants. */
int tn_resolver_public_key(struct tn_instance *i, const char *key_id, uint32_t version, uint8_t ret_key[32],
                           uint32_t *ret_version, struct tenuo_error *err);
int tn_resolver_sign(struct tn_instance *i, const char *key_id, uint32_t version, const uint8_t *message, size_t len,
                     uint8_t ret_signature[64], struct tenuo_error *err);
/* ret_seed is written by the plugin itself: give guarded memory. It is wiped on failure. */
int tn_resolver_export_seed(struct tn_instance *i, const char *key_id, uint32_t version, uint8_t ret_seed[32],
                            struct tenuo_error *err);
/* instance_store.c: the store operations, for the administrator. TENUO_STORE_... of the line: */
int tn_store_abilities(struct tn_instance *i, unsigned *ret_abilities, struct tenuo_error *err);
/* malloc'ed; judged, sorted by id. */
int tn_store_list(struct tn_instance *i, struct tenuo_key_entry **ret_entries, size_t *ret_n, struct tenuo_error *err);
int tn_store_describe(struct tn_instance *i, const char *key_id, uint32_t version, struct tenuo_key_entry *ret_entry,
                      struct tenuo_error *err);
/* flags: 0 or TENUO_STORE_NEW_VERSION. The version is judged, the key is a usable one. */
int tn_store_generate(struct tn_instance *i, const char *key_id, unsigned flags, uint8_t ret_key[32],
                      uint32_t *ret_version, struct tenuo_error *err);
int tn_store_import(struct tn_instance *i, const char *key_id, unsigned flags, const uint8_t seed[32],
                    uint32_t *ret_version, struct tenuo_error *err);
int tn_store_remove(struct tn_instance *i, const char *key_id, uint32_t version, struct tenuo_error *err);

int tn_trust_roots(struct tn_instance *i, int (*each)(void *arg, const struct tenuo_root *root), void *arg,
                   struct tenuo_error *err);
/* *ret_stored: the sink said that it has the record, although perhaps too late for a success. */
int tn_audit_decision(struct tn_instance *i, const struct tenuo_audit_event *event, bool *ret_stored,
                      struct tenuo_error *err);
/* Also TENUO_OK when the sink takes no notices. */
int tn_audit_give_notice(struct tn_instance *i, const struct tenuo_audit_notice *notice, struct tenuo_error *err);
bool tn_audit_keeps_receipts(const struct tn_instance *i);
int tn_audit_receipt(struct tn_instance *i, const char *decision_id, const struct tenuo_receipt_job *job,
                     struct tenuo_error *err);
int tn_audit_flush(struct tn_instance *i, struct tenuo_error *err);
/*
 * *unchanged_ok: the caller has what the instance handed over last; then *ret_list may be NULL, for "still the same".
 * Else give the list back with tn_revocation_release. *unchanged_ok becomes false, also on failure, when the instance
 * handed over anything: what came too late was handed over too, and the next "unchanged" would mean that.
 */
int tn_revocation_fetch(struct tn_instance *i, bool *unchanged_ok, const uint8_t **ret_list, size_t *ret_len,
                        int64_t *ret_fetched_at, struct tenuo_error *err);
void tn_revocation_release(struct tn_instance *i, const uint8_t *list, size_t len);
int tn_replay_check(struct tn_instance *i, const uint8_t key[32], int64_t signed_at, int64_t expires_at,
                    struct tenuo_error *err);

/* instance_host.c: the call that runs on this thread, so that host functions know whom they serve. Calls may nest; one
 * around others on the same instance is the deadline of them all. */
struct tn_call {
    struct tn_call *outer;
    struct tn_instance *instance;
    uint64_t ends; /* tn_clock_ms */
    char sentence[512]; /* with the place in front no longer than TN_SENTENCE_BYTES */
};
/* When a call that begins now has to be over. */
uint64_t tn_call_ends(const struct tn_instance *i);
void tn_call_begin(struct tn_call *call, struct tn_instance *i);
/* Within a pure decision: no deadline, no clock. */
void tn_call_begin_pure(struct tn_call *call, struct tn_instance *i);
void tn_call_end(struct tn_call *call);
void tn_host_init(struct tenuo_host *host, struct tn_opened *o);

/* instance.c: one call under all the rules. `fn` gets ops and self; `legal` are the codes it may answer besides the
 * general ones, ended by 0. */
typedef int tn_call_fn(const void *ops, void *self, void *arg);
int tn_instance_call(struct tn_instance *i, const char *what, const char *key_id, const int *legal, tn_call_fn *fn,
                     void *arg, struct tenuo_error *err);

#endif
