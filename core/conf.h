/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The configuration as plain data: what the files say for one service, each item with the place it came from
 * (style.md 4.7, design.md 3). Parsing loads no plugin and opens no store.
 */
#ifndef TN_CONF_H
#define TN_CONF_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "str.h"
#include <tenuo/context.h>
#include <tenuo/error.h>

enum tn_facility { TN_F_TRUST, TN_F_RESOLVER, TN_F_MATCHER, TN_F_REVOCATION, TN_F_REPLAY, TN_F_AUDIT, TN_F_COUNT };
enum tn_control { TN_REQUIRED, TN_REQUISITE, TN_SUFFICIENT, TN_OPTIONAL, TN_CONTROL_COUNT };
enum tn_audit_args { TN_AUDIT_HASH, TN_AUDIT_MASK, TN_AUDIT_FULL };

extern const char *const tn_facility_names[TN_F_COUNT];
extern const char *const tn_control_names[TN_CONTROL_COUNT];

struct tn_place {
    const char *file; /* owned by the tn_conf */
    unsigned line, col;
};

struct tn_conf_arg {
    char *key, *value; /* value NULL: bare word */
    struct tn_place place, value_place;
};

struct tn_rule {
    enum tn_facility facility;
    enum tn_control control;
    char *module; /* bare name or absolute path */
    struct tn_conf_arg *args;
    size_t nargs;
    struct tn_place place, module_place;
};

struct tn_clearance_rule {
    char *pattern;
    uint8_t level;
    struct tn_place place;
};

/* Settings after defaults, for one service. */
struct tn_settings {
    char *plugin_dir; /* NULL: the caller's default */
    uint32_t deadline_ms;
    uint32_t clock_tolerance, pop_windows, max_chain;
    uint64_t max_lifetime; /* 0: none */
    uint32_t key_cache_ms; /* 0: off */
    uint32_t link_cache;   /* entries, 0: off */
    enum tn_audit_args audit_args;
    char *audit_mask;     /* redact.h; NULL: off */
    char *audit_hash_key; /* path; NULL: hashes without a key */
    bool observe;
    uint64_t revocation_max_age;    /* seconds, 0: none */
    bool strict_gates, self_approval, revocation_union; /* governance.md 14 rows 4 (no), 5 (no), 9 (yes) */
    bool strict_session; /* every warrant of a chain carries the root's session id (no) */
    uint64_t max_approval_lifetime; /* seconds (3600) */
    char *receipt_key;        /* key id; NULL: none */
    char *receipt_authorizer; /* NULL: the service's name */
    struct tn_clearance_rule *clearance;
    size_t nclearance;
};

/* A setting as written, for `conf show`. */
struct tn_set_line {
    char *key, *value;
    char *section; /* "" = top */
    struct tn_place place;
};

struct tn_conf {
    struct tn_rule *rules; /* of this service, in file order, all facilities */
    size_t nrules;
    struct tn_settings set;
    char **files; /* every file read */
    size_t nfiles;
    char *service;
    struct tn_set_line *set_lines; /* those in force for this service, in file order */
    size_t nset_lines;
};

/* Collects diagnostics: counts, remembers the first error, hands each on. */
struct tn_diag {
    tenuo_diag_fn *fn;
    void *arg;
    unsigned errors, warnings;
    struct tenuo_error first;
};
void tn_diag_error(struct tn_diag *d, const struct tn_place *place, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));
void tn_diag_warning(struct tn_diag *d, const struct tn_place *place, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));

/* Name of the main file: explicit, else TENUO_CONF (secure_getenv), else /etc/tenuo.conf. */
const char *tn_conf_path(const char *explicit_path);
/* Name of a configuration that was given in memory, as diagnostics show it. */
#define TN_CONF_MEMORY "(memory)"
/* Where a configuration comes from: a main file with its drop-ins, or `text` alone when that is not NULL. */
struct tn_conf_source {
    const char *path;
    struct tn_str text;
};
/* What the options name; 9001 when they name two. */
int tn_conf_source(const struct tenuo_open_options *o, struct tn_conf_source *ret_from, struct tenuo_error *err);
/* Reads everything for `service` ("" = top). All errors go to d; 9100 when there was one. */
int tn_conf_load(const struct tn_conf_source *from, const char *service, struct tn_diag *d, struct tn_conf **ret_conf,
                 struct tenuo_error *err);
void tn_conf_free(struct tn_conf *conf);
/* conf_policy.c: SHA-256 of what tenuo_conf_policy prints, in canonical CBOR. 9000. */
int tn_conf_policy_hash(const struct tn_conf *conf, uint8_t ret_hash[32], struct tenuo_error *err);
/* The known word that `word` was meant to be (edit distance at most 2), or NULL. The list ends with NULL. */
const char *tn_did_you_mean(const char *word, const char *const *known);
/* "300s" and the like to milliseconds; false when malformed or its number is above UINT32_MAX. The milliseconds may be
 * more. */
bool tn_duration_ms(const char *text, uint64_t *ret_ms);
/* The core's own arguments on a rule line: sha256, trace, timeout, name; cache_ttl, stale_if_error on resolver lines;
 * issuer, refresh, max_age, floor on revocation lines. */
bool tn_conf_is_core_arg(enum tn_facility facility, const char *key);
const struct tn_conf_arg *tn_rule_arg(const struct tn_rule *rule, const char *key);

#endif
