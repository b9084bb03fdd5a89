/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The whole contract for plugin authors: one shared object exports one constant object, `tenuo_plugin_v1`, and imports
 * nothing from libtenuo. Everything a plugin needs from the host comes through `struct tenuo_host`.
 *
 * Rules that hold for every call:
 *   - `open` gets arguments that the host has checked against the plugin's schema: args[i] belongs to row i of the
 * schema, value NULL when an optional argument is absent. Strings are lent for the time of `open`: copy what you keep.
 *   - `*ret_self` is this line's instance; two configuration lines are two instances; keep no globals.
 *   - outputs (`ret_...`) are written only on success; inputs are lent for the call.
 *   - return one of the codes below; anything else is reported as 9203 and counts as a failure. Say why with
 * host->error().
 *   - a call must come back by host->deadline(): nothing is interrupted, but a later answer counts as unavailable.
 *   - the host serialises calls on an instance unless TENUO_PLUGIN_THREAD_SAFE is set. After a fork it opens the
 * instance again in the child unless TENUO_PLUGIN_FORK_SAFE is set. Objects are never unloaded: no destructors, no
 * atexit, no thread-local storage.
 *   - never log or return a secret, a token or an argument value.
 */
#ifndef TENUO_PLUGIN_H
#define TENUO_PLUGIN_H

#include <stddef.h>
#include <stdint.h>

#define TENUO_PLUGIN_MAGIC 0x4c504e54u /* "TNPL", little-endian */
#define TENUO_PLUGIN_ABI_MAJOR 1
#define TENUO_PLUGIN_ABI_MINOR 1

#if defined(__GNUC__)
#define TENUO_PLUGIN_EXPORT __attribute__((visibility("default"), used))
#define TENUO_PRINTF(f, a) __attribute__((format(printf, f, a)))
#else
#define TENUO_PLUGIN_EXPORT
#define TENUO_PRINTF(f, a)
#endif

/* Sizes, in bytes. */
#define TENUO_SEED_BYTES 32   /* Ed25519 secret seed */
#define TENUO_PUBKEY_BYTES 32 /* Ed25519 public key */
#define TENUO_SIG_BYTES 64    /* Ed25519 signature */
#define TENUO_KEY_ID_MAX \
    128 /* [A-Za-z0-9._-]{1,128}, not ".", no ".."; checked by the host before any plugin sees it */

/* Codes that a plugin may return. The same numbers as in tenuo/error.h. */
#define TENUO_OK 0
#define TENUO_E_SRL_INVALID 1801 /* revocation: what the store has is no list, or larger than allowed */
#define TENUO_E_NOMEM 9000
#define TENUO_E_INVALID_ARGUMENT 9001
#define TENUO_E_SYSTEM 9002
#define TENUO_E_CONF 9100          /* open: an argument is well formed but unusable */
#define TENUO_E_KEY_NOT_FOUND 9300 /* the store answered: no such key. The chain goes on */
#define TENUO_E_UNAVAILABLE 9301   /* the store did not answer. Remembered; the chain goes on */
#define TENUO_E_WOULD_BLOCK 9302   /* the answer needs I/O that the caller forbade */
#define TENUO_E_KEY_CONFLICT 9303  /* the store holds two keys under that id; generate, import: it is taken */
#define TENUO_E_KEY_DENIED 9304    /* permission, policy, lockout */
#define TENUO_E_KEY_INVALID 9305   /* there is something under that id, and it is no usable key */
#define TENUO_E_AUDIT_REFUSED 9400 /* audit: the record could not be stored */
#define TENUO_E_REPLAYED 9401      /* replay: seen before */

enum tenuo_log_level { TENUO_LOG_ERR = 3, TENUO_LOG_WARNING = 4, TENUO_LOG_INFO = 6, TENUO_LOG_DEBUG = 7 };

struct tenuo_stat;

/* What the host offers. Lent for the life of the instance. Check `size` before using a member that a later minor added.
 */
struct tenuo_host {
    uint32_t size;
    uint16_t abi_major, abi_minor;
    /* One line for the administrator; goes where the application sends the library's log. */
    void (*log)(const struct tenuo_host *host, int level, const char *fmt, ...) TENUO_PRINTF(3, 4);
    /* The sentence for the failure that this call is about to return: place and remedy. */
    void (*error)(const struct tenuo_host *host, const char *fmt, ...) TENUO_PRINTF(2, 3);
    /* Overwrites memory for certain. */
    void (*wipe)(void *p, size_t len);
    /* Cryptographic randomness. */
    void (*random)(void *p, size_t len);
    /* Unix time in seconds. */
    int64_t (*now)(void);
    /* Milliseconds that this call may still take; 0 when none are left. */
    uint32_t (*deadline)(const struct tenuo_host *host);
    void *priv; /* the host's own */
    /*
     * Since 1.1, for audit sinks, from within a call on the instance (close too); 9001 elsewhere and for other kinds.
     * Signs a checkpoint of a log with a key of this service's resolver lines: the message is
     * "tenuo-warrant-v1tenuo-audit-checkpoint-v1", head, and count as 8 bytes with the highest first. tenuo/audit.h
     * verifies it.
     * May ask a store, within that line's own deadline. Answers 9300 to 9305, 9400 when signing failed otherwise; on
     * failure host->error has been called with the reason.
     */
    int (*sign_checkpoint)(const struct tenuo_host *host, const char *key_id, const uint8_t head[32], uint64_t count,
                           uint8_t ret_public_key[TENUO_PUBKEY_BYTES], uint8_t ret_signature[TENUO_SIG_BYTES]);
    /*
     * Since 1.1, for audit sinks, likewise: what the context counts itself, one call of `each` a number until it
     * returns non-zero. Asks no store and waits for nobody: what cannot be had at once is left out. TENUO_OK or 9001.
     */
    int (*stats)(const struct tenuo_host *host, int (*each)(void *arg, const struct tenuo_stat *stat), void *arg);
};

/* What a number of host->stats counts. Counters begin with 0 when a configuration is opened, also again, and in the
 * child of a fork: they are of this process alone. The others say how things are now. */
enum tenuo_stat_what {
    TENUO_STAT_LINK_CACHE_HITS = 1, /* counter: links whose signature was known to be good */
    TENUO_STAT_LINK_CACHE_MISSES,   /* counter */
    TENUO_STAT_KEY_CACHE_HITS,      /* counter: keys that no store had to be asked for */
    TENUO_STAT_KEY_CACHE_MISSES,    /* counter */
    TENUO_STAT_RESOLVER_CALLS,      /* counter, label: name of the line. Calls to the store */
    TENUO_STAT_RESOLVER_FAILURES,   /* counter, likewise: answers that were neither a key nor "no such key" */
    TENUO_STAT_RESOLVER_NS,         /* counter, likewise: nanoseconds that the calls took together */
    TENUO_STAT_RESOLVER_BUCKET,     /* counter, likewise: calls that took at most bound_ns; cumulative */
    TENUO_STAT_AUDIT_LOST,          /* counter, label: name of the line. Records that an optional line did not take */
    /* Of revocation lines: those that were asked last time, so none behind a `sufficient` one that has a list. */
    TENUO_STAT_REVOCATION_FETCHED,  /* label: name of the line. Unix time at which its list was current; 0: none yet */
    TENUO_STAT_REVOCATION_VERSION,  /* likewise: version of the list */
    TENUO_STAT_KEY_CREATED,         /* label: key id. Unix time; only keys in use whose store tells it */
    TENUO_STAT_ROOT_ENDS,           /* label: first 8 bytes of the root's key, hex. Unix time; only roots that end */
    TENUO_STAT_REVOCATION_ISSUED,   /* label: name of the line. Unix time at which its list was signed; 0: none yet */
    TENUO_STAT_REVOCATION_ENDS,     /* likewise: when that list is too old; only under revocation_max_age */
    TENUO_STAT_ROOT_BEGINS          /* as TENUO_STAT_ROOT_ENDS; only roots that have a begin */
};

struct tenuo_stat {
    uint32_t size;
    int what;          /* enum tenuo_stat_what; skip those that you do not know */
    const char *label; /* lent for the call, "" where there is none */
    uint64_t value;
    uint64_t bound_ns; /* of a bucket; UINT64_MAX: no bound */
};

enum tenuo_arg_type {
    TENUO_ARG_STRING = 1, /* any text */
    TENUO_ARG_PATH,       /* absolute path */
    TENUO_ARG_UINT,       /* decimal, 0..4294967295 */
    TENUO_ARG_BOOL,       /* yes | no; a bare word without "=" means yes */
    TENUO_ARG_DURATION,   /* number with ms, s, m, h or d; handed over as written */
    TENUO_ARG_URL         /* scheme://host... */
};

/* One row of an argument schema; a row whose name is NULL ends the array. */
struct tenuo_arg_spec {
    const char
        *name; /* [a-z][a-z0-9_]*, and none of the core's own: sha256 trace timeout name cache_ttl stale_if_error; in a
                  schema for revocation: issuer refresh max_age floor */
    int type;         /* enum tenuo_arg_type */
    int required;
    const char *help; /* one line for `tenuo plugin info` */
};

/* An argument as handed to open. `number` is the value of UINT, BOOL (0/1) and DURATION (milliseconds). */
struct tenuo_arg {
    const char *name;
    const char *value; /* NULL: absent */
    uint64_t number;
};

/*
 * Every kind has open, close and, optional, check: what `tenuo conf check` asks about a line, maybe as another user
 * than the service's. It opens no store, makes and changes nothing and asks nobody on a network. TENUO_E_CONF when open
 * would refuse these arguments; any other code but TENUO_OK is shown as a warning: they are good, and something that
 * can be looked at here will not work as it is now. With a sentence from host->error both times.
 */

/* ---- kind "resolver": private keys by id ---- */

/*
 * Versions. A store may keep several keys under one id, numbered from 1 upwards: `version` 0 asks for the newest, any
 * other number for that one (TENUO_E_KEY_NOT_FOUND when it is not there). The host asks for a number only when it was
 * told it by this line (public_key, describe) or by a person. A store without versions gets 0 and answers 0, and says
 * TENUO_E_KEY_NOT_FOUND to any other number.
 */

#define TENUO_KEY_VERSIONS_MAX 64 /* of one id: what the host looks through, and what a store should keep at most */

struct tenuo_key_entry { /* one answer of list or describe; the host has set `size` and zeroed the rest */
    uint32_t size;
    char id[TENUO_KEY_ID_MAX + 1];
    uint32_t version;        /* of this key; 0: the store keeps no versions */
    uint32_t oldest, newest; /* the versions that are there under this id, or 0 */
    uint8_t public_key[TENUO_PUBKEY_BYTES];
    int has_public_key;
    int64_t created_at, expires_at; /* Unix seconds; 0: the store does not say */
    char note[128];                 /* protection, place, what is wrong with it: for people */
};

#define TENUO_RESOLVER_SIGNS 1u   /* `can`: sign works on this line, and the secret stays in the store */
#define TENUO_RESOLVER_EXPORTS 2u /* `can`: export_seed works on this line */
/* `can`, since 1.1: an op that the plugin has never works on this line, whatever it is asked. */
#define TENUO_RESOLVER_NO_LIST 4u
#define TENUO_RESOLVER_NO_GENERATE 8u
#define TENUO_RESOLVER_NO_IMPORT 16u
#define TENUO_RESOLVER_NO_REMOVE 32u

#define TENUO_STORE_NEW_VERSION 1u /* generate, import: the id is there already and gets a newer version */

struct tenuo_resolver_ops {
    uint32_t size;
    const struct tenuo_arg_spec *args; /* schema of this kind; NULL: the descriptor's */
    int (*open)(const struct tenuo_host *host, const struct tenuo_arg *args, size_t nargs, void **ret_self);
    void (*close)(void *self);
    int (*check)(const struct tenuo_host *host, const struct tenuo_arg *args, size_t nargs);
    /* Optional: which of the two ways this line has, and which store operations it has not, when its arguments decide
     * that (TENUO_RESOLVER_...). Without it the ops that are there do. Answers at once, and always alike. */
    unsigned (*can)(void *self);
    /* At least one of sign / export_seed; sign needs public_key. The host signs with the version that public_key named,
     * so that no rotation comes between, and verifies what sign returns. */
    int (*public_key)(void *self, const char *key_id, uint32_t version, uint8_t ret_key[TENUO_PUBKEY_BYTES],
                      uint32_t *ret_version);
    int (*sign)(void *self, const char *key_id, uint32_t version, const uint8_t *message, size_t len,
                uint8_t ret_signature[TENUO_SIG_BYTES]);
    int (*export_seed)(void *self, const char *key_id, uint32_t version, uint8_t ret_seed[TENUO_SEED_BYTES]);
    /*
     * Optional store operations, for the administrator's commands. `list` calls `each` once an id, with its newest
     * version, until it returns non-zero. generate and import answer TENUO_E_KEY_CONFLICT when the id is there already
     * (with TENUO_STORE_NEW_VERSION: TENUO_E_KEY_NOT_FOUND when it is not); either the key is in the store afterwards
     * or nothing changed. Without generate the host makes a seed and calls import. `remove` with version 0 removes all
     * versions; the newest alone cannot go while older ones stay (TENUO_E_INVALID_ARGUMENT). What `can` says not to
     * work may be called all the same, for the sentence: it changes nothing and says why.
     */
    int (*list)(void *self, int (*each)(void *arg, const struct tenuo_key_entry *entry), void *arg);
    int (*describe)(void *self, const char *key_id, uint32_t version, struct tenuo_key_entry *ret_entry);
    int (*generate)(void *self, const char *key_id, unsigned flags, uint8_t ret_key[TENUO_PUBKEY_BYTES],
                    uint32_t *ret_version);
    int (*import)(void *self, const char *key_id, unsigned flags, const uint8_t seed[TENUO_SEED_BYTES],
                  uint32_t *ret_version);
    int (*remove)(void *self, const char *key_id, uint32_t version);
};

/* ---- kind "trust": root public keys ---- */

struct tenuo_root {
    uint8_t key[TENUO_PUBKEY_BYTES];
    uint64_t not_before; /* Unix seconds, inclusive; 0: always */
    uint64_t not_after;  /* exclusive; UINT64_MAX: never ends */
    char name[64];       /* for people; may be empty */
};

struct tenuo_trust_ops {
    uint32_t size;
    const struct tenuo_arg_spec *args;
    int (*open)(const struct tenuo_host *host, const struct tenuo_arg *args, size_t nargs, void **ret_self);
    void (*close)(void *self);
    int (*check)(const struct tenuo_host *host, const struct tenuo_arg *args, size_t nargs);
    /* All roots of this line. `each` returns non-zero to stop (out of memory): return TENUO_E_NOMEM then. */
    int (*roots)(void *self, int (*each)(void *arg, const struct tenuo_root *root), void *arg);
};

/* ---- kind "audit": a record of every decision ---- */

struct tenuo_audit_attr {
    const char *name;  /* [a-z0-9_]{1,53} */
    const char *value;
};

/* One decision. Strings are UTF-8, NUL-terminated, never NULL ("" when unknown); lent for the call. Arguments are
 * redacted by the host. */
struct tenuo_audit_event {
    uint32_t size;
    int64_t time_ns;             /* Unix time of the decision in nanoseconds */
    const char *decision_id;     /* 32 hex digits, random */
    const char *service;
    const char *decision;        /* "allow", "deny", "would_deny" */
    int code;                    /* 0 on allow */
    const char *code_name;       /* "" on allow */
    const char *step;            /* step that decided */
    const char *reason;
    const char *warrant_id;      /* leaf, tnu_wrt_... */
    const char *const *chain_ids; /* root first */
    size_t chain_len;
    const char *root;            /* first 8 bytes of the root's key, hex */
    const char *holder;          /* of the leaf, likewise */
    const char *tool;
    const char *field;           /* argument name of a constraint violation */
    const char *args_sha256;     /* request hash, hex */
    const char *args_json;       /* "" unless audit_args is mask or full */
    const char *request_id;
    uint64_t conf_generation;
    const struct tenuo_audit_attr *attrs;
    size_t nattrs;
    const char *const *approvers; /* whose approvals counted: first 8 bytes of each key, hex */
    size_t napprovers;
    /* Since 1.1. */
    const char *message; /* one sentence for people, the same in every sink */
    int priority;        /* as in syslog: 6 allow, 5 would_deny, 4 deny */
    int has_srl_version; /* a revocation list was looked at */
    uint64_t srl_version;
    uint64_t duration_ns;      /* from the beginning of the call to this record; 0: not measured */
    int64_t peer_uid, peer_pid; /* who called, as the guarding program's socket told it; -1: unknown */
};

/* What happened to a service besides decisions. */
enum tenuo_notice_kind {
    TENUO_NOTICE_CONFIG_RELOAD = 1, /* a configuration took the place of another */
    TENUO_NOTICE_REVOCATION_UPDATE, /* another revocation list is in force */
    TENUO_NOTICE_KEY_RETIRED,       /* a key was rotated or removed by an administrator */
    TENUO_NOTICE_PROBE              /* an administrator tries whether the sink takes records (tenuo doctor) */
};

/* Strings as in an event. */
struct tenuo_audit_notice {
    uint32_t size;
    int kind;        /* enum tenuo_notice_kind; answer TENUO_OK to those that you do not know */
    int64_t time_ns; /* Unix time in nanoseconds */
    const char *service;
    const char *message;
    int priority;        /* as in syslog */
    const char *origin;  /* place of the line that it is about, or "" */
    const char *key_id;  /* KEY_RETIRED */
    uint64_t conf_generation;
    int has_srl_version;
    uint64_t srl_version; /* REVOCATION_UPDATE */
};

/*
 * One receipt to be kept. Each is signed over the digest of the one before it, so the sink first
 * takes its journal for itself, also against other processes, then asks for the receipt that follows, then stores it.
 */
struct tenuo_receipt_job {
    uint32_t size;
    /* 1: an allow, or the denial that takes one back. 0: any other denial; a flood of these must not push out the
     * former, so the two are kept apart. Each has a run of its own. */
    int allow;
    /* 1: the call is let through only when the receipt is kept, so it may wait until the deadline. 0: the call is
     * denied whatever comes; better none than a queue. */
    int must;
    /* Signs. `prev`: SHA-256 of the last receipt of the run, NULL when there is none. Call it once; on failure return
     * its code. *ret_bytes is lent until `receipt` returns. */
    int (*make)(const struct tenuo_receipt_job *job, const uint8_t *prev, const uint8_t **ret_bytes, size_t *ret_len);
    void *priv; /* the host's own */
};

struct tenuo_audit_ops {
    uint32_t size;
    const struct tenuo_arg_spec *args;
    int (*open)(const struct tenuo_host *host, const struct tenuo_arg *args, size_t nargs, void **ret_self);
    void (*close)(void *self);
    int (*check)(const struct tenuo_host *host, const struct tenuo_arg *args, size_t nargs);
    /* TENUO_OK only when the record is where it must be; anything else, and a required sink's line turns an allow into
     * 9400. */
    int (*decision)(void *self, const struct tenuo_audit_event *event);
    int (*flush)(void *self); /* optional */
    /* A sink that keeps receipts has this in place of `decision`, which is not called then. TENUO_OK only when the
     * receipt is where it must be. */
    int (*receipt)(void *self, const struct tenuo_receipt_job *job);
    /* Since 1.1, optional: codes as for `decision`. Nothing hangs on it; a failure is logged. */
    int (*notice)(void *self, const struct tenuo_audit_notice *notice);
};

/* ---- kind "revocation": is a warrant on a signed list? ---- */

#define TENUO_REVOCATION_LIST_MAX 100663296 /* bytes; an id takes 42 */

struct tenuo_revocation_ops {
    uint32_t size;
    const struct tenuo_arg_spec *args;
    int (*open)(const struct tenuo_host *host, const struct tenuo_arg *args, size_t nargs, void **ret_self);
    void (*close)(void *self);
    int (*check)(const struct tenuo_host *host, const struct tenuo_arg *args, size_t nargs);
    /*
     * The current signed list as its issuer wrote it, at most TENUO_REVOCATION_LIST_MAX bytes,
     * owned by the plugin until `release`. *ret_fetched_at: Unix time at which the store said that this is its current
     * list. The host verifies signature, issuer and version: bring bytes, judge nothing.
     * unchanged_ok 1: the host has accepted what the last fetch of this instance handed over. When the store says that
     * it is still the current one, answer TENUO_OK with *ret_list NULL and *ret_len 0: nothing is copied or verified
     * again. With 0 that answer is a breach of this contract (9203), and an instance that was just opened hands over a
     * list whatever it is asked. Anything but TENUO_OK: the host goes on with the list it has as long as `max_age` lets
     * it, and asks again later, less and less often.
     */
    int (*fetch)(void *self, int unchanged_ok, const uint8_t **ret_list, size_t *ret_len, int64_t *ret_fetched_at);
    void (*release)(void *self, const uint8_t *list, size_t len); /* never with NULL */
};

/* ---- kind "replay": has this proof been used? ---- */

struct tenuo_replay_ops {
    uint32_t size;
    const struct tenuo_arg_spec *args;
    int (*open)(const struct tenuo_host *host, const struct tenuo_arg *args, size_t nargs, void **ret_self);
    void (*close)(void *self);
    int (*check)(const struct tenuo_host *host, const struct tenuo_arg *args, size_t nargs);
    /* Remembers the key until `expires_at` has passed: TENUO_OK the first time, TENUO_E_REPLAYED after,
     * TENUO_E_UNAVAILABLE when full or unable to tell; never forgets early. `signed_at` is the start of the 30 s window
     * that the proof was signed for. Both in Unix seconds; the signer's clock may have been wrong. An instance
     * passes to the equal line of a reloaded configuration, and forgets nothing then. */
    int (*check_and_set)(void *self, const uint8_t key[32], int64_t signed_at, int64_t expires_at);
};

/*
 * ---- kind "matcher": constraint types 5, 15, 128-255 ----
 *
 * A matcher is called inside the pure decision, by any thread and in a forked child: the descriptor must say
 * TENUO_PLUGIN_THREAD_SAFE and TENUO_PLUGIN_FORK_SAFE, or the plugin is refused. Nothing interrupts it and no deadline
 * is kept: compile, match and attenuates bound their own work and memory, do no I/O and read no clock. The same input
 * gives the same answer. host->log is silent but for open. TENUO_E_INVALID_ARGUMENT and a sentence from host->error
 * refuse a payload or a value: the call is denied with 1501 and that sentence. A refusal by compile is remembered.
 */

struct tenuo_matcher_ops {
    uint32_t size;
    const struct tenuo_arg_spec *args;
    int (*open)(const struct tenuo_host *host, const struct tenuo_arg *args, size_t nargs, void **ret_self);
    void (*close)(void *self);
    int (*check)(const struct tenuo_host *host, const struct tenuo_arg *args, size_t nargs);
    const uint8_t *types; /* type ids, ended by 0 */
    /* payload: CBOR of the constraint's value. *ret_program is immutable and shared between threads; the host keeps it
     * for later matches of the same payload. *ret_bytes: about how much memory it holds. */
    int (*compile)(void *self, uint8_t type, const uint8_t *payload, size_t len, void **ret_program,
                   size_t *ret_bytes);
    void (*release)(void *self, void *program);
    /*
     * value: canonical CBOR. as_of: the time of the decision, Unix seconds. *work: how many elementary steps, about ten
     * nanoseconds each, all matching of this decision may still take; the host has taken off the value's length. Take
     * off what this call takes beyond that, and refuse (TENUO_E_INVALID_ARGUMENT) what is not there. *ret_match 1 or 0;
     * any error denies.
     */
    int (*match)(void *self, const void *program, const uint8_t *value, size_t len, int64_t as_of, uint64_t *work,
                 int *ret_match);
    /* *ret_ok 1 when the child's payload is not wider than the parent's; the child may be of another type. The host
     * does not ask about a Wildcard on either side, nor about an Exact below a Regex, where it asks match. */
    int (*attenuates)(void *self, uint8_t parent_type, const uint8_t *parent, size_t parent_len, uint8_t child_type,
                      const uint8_t *child, size_t child_len, int *ret_ok);
};

/* ---- the descriptor ---- */

#define TENUO_PLUGIN_THREAD_SAFE 1u /* calls on one instance may overlap */
#define TENUO_PLUGIN_FORK_SAFE 2u   /* an instance works on in a forked child */
#define TENUO_PLUGIN_NO_NETWORK 4u  /* says of itself that it opens no network connection */

struct tenuo_plugin_v1 {
    uint32_t magic;
    uint16_t abi_major, abi_minor;
    uint32_t size; /* sizeof(struct tenuo_plugin_v1) of the header it was built with */
    uint32_t flags;
    const char *name; /* [a-z0-9_]+, as in tenuo_NAME.so */
    const char *version;
    const char *summary;
    const struct tenuo_arg_spec *args; /* NULL: no arguments */
    const struct tenuo_resolver_ops *resolver;
    const struct tenuo_trust_ops *trust;
    const struct tenuo_audit_ops *audit;
    const struct tenuo_revocation_ops *revocation;
    const struct tenuo_replay_ops *replay;
    const struct tenuo_matcher_ops *matcher;
    /* New kinds are appended here; the host reads a member only when it lies within `size`. */
};

#endif
