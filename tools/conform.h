/* SPDX-License-Identifier: Apache-2.0 */
/*
 * `tenuo plugin test`: does a plugin keep the contract of tenuo/plugin.h? Each check is one function that runs in a
 * process of its own, so that a crash, an exit or a call that hangs is a finding and never the end of the report. Uses
 * the public API and plugin.h alone. Must never print what a store holds.
 */
#ifndef TENUO_TOOLS_CONFORM_H
#define TENUO_TOOLS_CONFORM_H

#include "cli.h"

#include <limits.h>
#include <stdatomic.h>
#include <tenuo/plugin.h>

#define CONFORM_TEXT 480
#define CONFORM_DEADLINE_MS 5000u /* of the library for a call, when no timeout= is given */

enum conform_kind {
    CONFORM_RESOLVER,
    CONFORM_TRUST,
    CONFORM_AUDIT,
    CONFORM_REVOCATION,
    CONFORM_REPLAY,
    CONFORM_MATCHER,
    CONFORM_KINDS
};
enum conform_result { CONFORM_OK, CONFORM_FAIL, CONFORM_WARN, CONFORM_SKIP };

/* What holds for every call of every check, and is reported once at the end. */
enum conform_rule {
    CONFORM_CODES,
    CONFORM_OUTPUTS,
    CONFORM_SENTENCES,
    CONFORM_SECRETS,
    CONFORM_IN_TIME,
    CONFORM_STDIO,
    CONFORM_RULES
};

struct conform_verdict {
    enum conform_result result;
    char text[CONFORM_TEXT]; /* "": nothing was said yet */
};

/* Memory that the checks' processes share with the one that reports. No secret ever stands in it. */
struct conform_shared {
    atomic_bool done; /* the check came to its end */
    struct conform_verdict verdict;
    atomic_int active;   /* calls of the plugin under way */
    atomic_ullong moved; /* when one of them began or ended last */
    char what[32];       /* the one that began last */
    struct {
        atomic_bool taken, broken;
        char text[CONFORM_TEXT];
    } rules[CONFORM_RULES];
    /* What one check finds out for the later ones, and for whoever waits for them. */
    atomic_uint deadline_ms;
    int load_code;
    char path[PATH_MAX];
    unsigned kinds; /* a bit each */
    char key_id[TENUO_KEY_ID_MAX + 1];
    bool made; /* key_id is one of ours */
};

/* One run of the command; each check's process has a copy of it and opens its own instance. */
struct conform {
    struct cli *cli;
    const char *name, *plugin_dir;
    char **words; /* ARG=VALUE */
    size_t nwords;
    const char *key_id;
    bool write;
    enum conform_kind kind;
    uint32_t deadline_ms, call_ms; /* of the line; of the next calls */
    struct conform_shared *shared;
    char own_id[32], second_id[32]; /* of keys that the suite makes */
    /* In a check's process: */
    struct tenuo_host host;
    struct tenuo_plugin_v1 plugin;
    union {
        struct conform_head { /* the same for every kind */
            uint32_t size;
            const struct tenuo_arg_spec *args;
            int (*open)(const struct tenuo_host *host, const struct tenuo_arg *args, size_t nargs, void **ret_self);
            void (*close)(void *self);
            int (*check)(const struct tenuo_host *host, const struct tenuo_arg *args, size_t nargs);
        } head;
        struct tenuo_resolver_ops resolver;
        struct tenuo_trust_ops trust;
        struct tenuo_audit_ops audit;
        struct tenuo_revocation_ops revocation;
        struct tenuo_replay_ops replay;
        struct tenuo_matcher_ops matcher;
    } ops;
    struct tenuo_arg *args;
    size_t nargs;
    void *self;
    struct conform_secret *secrets;
};

struct conform_options {
    const char *name, *plugin_dir, *kind, *key_id;
    char **words;
    size_t nwords;
    bool write;
};

typedef void conform_fn(struct conform *c, struct conform_verdict *v);

#define CONFORM_NEEDS_OPEN 1u  /* open has succeeded */
#define CONFORM_NEEDS_KEY 2u   /* a key is known */
#define CONFORM_NEEDS_WRITE 4u /* --write was given */
#define CONFORM_NEEDS_MADE 8u  /* the suite made a key of its own */

struct conform_check {
    const char *name;
    unsigned kinds, needs;
    conform_fn *run;
};

/* conform.c: the command. */
int conform_test(struct cli *cli, const struct conform_options *options);
extern const char *const conform_kind_names[CONFORM_KINDS];

/* conform_run.c: one check in a process of its own. */
void conform_run(struct conform *c, const struct conform_check *check, struct conform_verdict *ret);

/* conform_call.c: verdicts, rules, the host table, and what surrounds every call. */
uint64_t conform_clock_ms(void);
/* The first failure stays; a warning gives way to it, and praise to both. */
void conform_say(struct conform_verdict *v, enum conform_result result, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));
#define conform_fail(v, ...) conform_say(v, CONFORM_FAIL, __VA_ARGS__)
#define conform_warn(v, ...) conform_say(v, CONFORM_WARN, __VA_ARGS__)
#define conform_good(v, ...) conform_say(v, CONFORM_OK, __VA_ARGS__)
#define conform_skip(v, ...) conform_say(v, CONFORM_SKIP, __VA_ARGS__)
void conform_breach(struct conform *c, enum conform_rule rule, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));

struct conform_call {
    struct conform_call *outer;
    const char *what;
    uint64_t began, ends;
    char sentence[CONFORM_TEXT];
};
void conform_host_init(struct conform *c);
void conform_begin(struct conform *c, struct conform_call *call, const char *what);
/* Judges code, time and sentence; `legal` ends with 0. Returns the code. */
int conform_end(struct conform *c, struct conform_call *call, const int *legal, int code);
/* The sentence of the last call of this thread that failed, or "". */
const char *conform_last(void);
/* "9301 unavailable: sentence" for a verdict; one static buffer a thread. */
const char *conform_code(int code);
/* A seed that must not turn up in any sentence. */
void conform_learn(struct conform *c, const uint8_t seed[TENUO_SEED_BYTES]);
void conform_forget(struct conform *c);
void conform_scan(struct conform *c, const char *what, const char *text);

/* conform_load.c: load, schema, check, open, cycles. */
conform_fn conform_check_load, conform_check_schema, conform_check_check, conform_check_open;
/* Loads the plugin as a context would, and lays out the arguments. */
bool conform_load(struct conform *c, struct conform_verdict *v);
/* The same and opens an instance. */
bool conform_open(struct conform *c, struct conform_verdict *v);
int conform_open_self(struct conform *c, void **ret_self);
void conform_close(struct conform *c);

/* conform_process.c: what a plugin may leave behind in a process: nothing. */
conform_fn conform_check_cycles, conform_check_process, conform_check_leaks;

/* conform_ops.c: the calls of a resolver, watched. */
int conform_public_key(struct conform *c, const char *id, uint32_t version, uint8_t ret_key[TENUO_PUBKEY_BYTES],
                       uint32_t *ret_version);
int conform_sign(struct conform *c, const char *id, uint32_t version, const uint8_t *message, size_t len,
                 uint8_t ret_signature[TENUO_SIG_BYTES]);
int conform_export(struct conform *c, const char *id, uint32_t version, uint8_t ret_seed[TENUO_SEED_BYTES]);
int conform_describe(struct conform *c, const char *id, uint32_t version, struct tenuo_key_entry *ret_entry);
int conform_list(struct conform *c, int (*each)(void *arg, const struct tenuo_key_entry *entry), void *arg);
/* generate, or import of a fresh seed where the store makes none. */
int conform_make(struct conform *c, const char *id, unsigned flags, uint8_t ret_key[TENUO_PUBKEY_BYTES],
                 uint32_t *ret_version);
int conform_import(struct conform *c, const char *id, unsigned flags, const uint8_t seed[TENUO_SEED_BYTES],
                   uint32_t *ret_version);
int conform_remove(struct conform *c, const char *id, uint32_t version);
/* TENUO_RESOLVER_... of the opened line, as the host takes it; 0: it broke the contract. */
unsigned conform_can(struct conform *c);
/* What `can` says not to work on the opened line is as if the plugin had it not. */
void conform_drop_ops(struct conform *c);
/* Public key by the way that the line has; *ret_version 0 when it tells none. */
int conform_lookup(struct conform *c, const char *id, uint32_t version, uint8_t ret_key[TENUO_PUBKEY_BYTES],
                   uint32_t *ret_version);
bool conform_public_of(const uint8_t seed[TENUO_SEED_BYTES], uint8_t ret_key[TENUO_PUBKEY_BYTES]);
bool conform_verifies(const uint8_t key[TENUO_PUBKEY_BYTES], const uint8_t *message, size_t len,
                      const uint8_t signature[TENUO_SIG_BYTES]);
void conform_random_id(char *ret_id, size_t size, const char *prefix);
bool conform_id_valid(const char *id);

/* conform_key.c, conform_hard.c, conform_store.c: resolvers. */
conform_fn conform_check_key, conform_check_not_found, conform_check_ids, conform_check_bad_ids, conform_check_can,
    conform_check_agree, conform_check_signatures, conform_check_versions, conform_check_list;
conform_fn conform_check_deadline, conform_check_threads, conform_check_fork;
conform_fn conform_check_generate, conform_check_taken, conform_check_rotate, conform_check_import,
    conform_check_remove;

/* conform_kinds.c: the other kinds. */
conform_fn conform_check_roots, conform_check_decision, conform_check_fetch, conform_check_replay,
    conform_check_matcher;

#endif
