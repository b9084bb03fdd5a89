/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Revocation lines of a context: lists are fetched when they are due, on the thread of a decision, and the verifier
 * with the new snapshot takes the place of the old one in one step. What is immutable stays so: the verifier of a
 * decision that runs is never changed under it.
 */
#ifndef TN_REVOKE_H
#define TN_REVOKE_H

#include "instance.h"
#include "verifier.h"
#include <tenuo/revocation.h>

#define TN_REVOKE_REFRESH_MS 30000   /* refresh= */
#define TN_REVOKE_MAX_AGE 3600       /* max_age=, seconds */
#define TN_REVOKE_RETRY_MS 1000      /* after a first failure; doubled with each further one */
#define TN_REVOKE_RETRY_MAX_MS 64000 /* or refresh= when that is longer */
#define TN_REVOKE_SHOWN_IDS 16       /* dropped ids that are named in the log */

struct tn_revoke_line {
    struct tn_instance *instance; /* the context's */
    enum tn_control control;
    char name[64]; /* "FILE:LINE MODULE", short, for decisions */
    bool has_issuer;
    uint8_t issuer[32];
    uint64_t refresh_ms, max_age;
    const char *floor; /* path */
    bool asked; /* when the lists were last looked at: no line before it was enough */
    /* What is known now. */
    struct tenuo_srl *list; /* as accepted; NULL: none yet */
    struct tenuo_srl *used; /* with the ids that earlier lists had, under revocation_union; else the same list */
    int64_t fetched_at, fresh_until;
    bool has_news;    /* another list came into force and nobody was told */
    bool handed;      /* it is what the instance handed over last, so "unchanged" is an answer */
    uint64_t next_ms; /* when it is due; tn_clock_ms */
    unsigned failures;
    struct tenuo_error why; /* of the last failure; code 0: the last fetch was good */
};

/* What every line needs of its context; borrowed. */
struct tn_revoke_env {
    const struct tn_policy *policy; /* trusted roots */
    const struct tn_settings *set;
    const struct tn_log *log;
};

/* revoke_line.c */
/* Reads the core's arguments of the line. 9100 when the issuer's file is unusable. */
int tn_revoke_line_init(struct tn_revoke_line *line, struct tn_instance *instance, enum tn_control control,
                        struct tenuo_error *err);
void tn_revoke_line_clear(struct tn_revoke_line *line);
/* A good list at this time? */
bool tn_revoke_line_fresh(const struct tn_revoke_line *line, int64_t now);
/* Fetches, judges, and on failure keeps what is there; then says when the line is due again. Logs. */
void tn_revoke_line_refresh(struct tn_revoke_line *line, const struct tn_revoke_env *env);
/* Takes over what the same line of a context had before its reload, unless its issuer is no longer trusted. */
void tn_revoke_line_inherit(struct tn_revoke_line *line, const struct tn_revoke_line *old,
                            const struct tn_revoke_env *env);
/* What `conf check` can say of the core's arguments of a revocation line. */
void tn_revoke_check_rule(const struct tn_rule *rule, struct tn_diag *d);

/* revoke.c */
struct tn_revoke;
struct tn_line;
/*
 * Fetches every list once. `base` is the verifier without revocation; `lines` the context's, none open yet. Lists that
 * cannot be had now are no error, every decision is refused until they come; wrong arguments are. `old` may be NULL.
 */
int tn_revoke_new(const struct tn_line *lines, size_t nlines, struct tenuo_verifier *base,
                  const struct tn_revoke_env *env, struct tn_revoke *old, struct tn_revoke **ret,
                  struct tenuo_error *err);
void tn_revoke_free(struct tn_revoke *revoke);
/* Another list came into force: told once. False when there is nothing new, or another thread is fetching just now. */
struct tn_revoke_news {
    char origin[240];
    uint64_t version;
    size_t count;
};
bool tn_revoke_take_news(struct tn_revoke *revoke, struct tn_revoke_news *ret_news);
/* What a line has; all 0 without a list. Unix times. */
struct tn_revoke_told {
    struct tn_instance *instance;
    enum tn_control control;
    const char *name;
    const struct tenuo_error *why; /* why it has no list that may be used; code 0: it has one */
    uint64_t fetched_at, issued_at, version;
    uint64_t ends_at; /* when it is too old by revocation_max_age; 0: never */
};
/* Each line that was asked when the lists were last looked at; those that nobody needs are no news. Nothing while
 * another thread is fetching. */
void tn_revoke_tell(struct tn_revoke *revoke, void (*each)(void *arg, const struct tn_revoke_told *told), void *arg);
/* The verifier for a decision that is made now: a reference. Refreshes what is due when nobody else does. */
struct tenuo_verifier *tn_revoke_verifier(struct tn_revoke *revoke);

#endif
