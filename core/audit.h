/* SPDX-License-Identifier: Apache-2.0 */
/* Decisions to audit sinks: what an event says, and what a sink's refusal means (style.md 4.7, design.md 3). */
#ifndef TN_AUDIT_H
#define TN_AUDIT_H

#include "ctx.h"
#include "decision.h"
#include "request.h"

/* What is recorded about one call. */
struct tn_audited {
    const struct tenuo_decision *d;
    const struct tenuo_request *q;
    struct tn_str chain; /* the stack as presented, in binary; empty when it could not be decoded */
    int64_t as_of;
    int64_t time_ns; /* when it was decided: the one reading of the clock, Unix time in nanoseconds */
    uint64_t began;  /* tn_clock_ns when the call began; 0: not known */
};

#define TN_AUDIT_MESSAGE_BYTES 1536
/* audit_text.c: the event's sentence, from its other members. */
void tn_audit_message(const struct tenuo_audit_event *e, char ret[TN_AUDIT_MESSAGE_BYTES]);
/* As in syslog: 6 informational, 5 notice, 4 warning. */
int tn_audit_priority(enum tenuo_outcome outcome);
int64_t tn_audit_clock_ns(void);

/*
 * Hands the decision to every sink. False when a required one did not take it; the others that had taken an allow (or
 * would_deny) then get a second event with the same id: deny, 9400. *ret_taken counts the sinks that hold a record of
 * the answer. *ret_err tells which sink and why.
 */
bool tn_audit_write(struct tenuo_ctx *c, const struct tn_audited *what, size_t *ret_taken,
                    struct tenuo_error *ret_err);

/* audit_receipt.c: a receipt for one sink. `taken_back`: the denial (9400) of a call whose first receipt let it
 * through. */
int tn_audit_give_receipt(struct tenuo_ctx *c, const struct tn_line *line, const struct tn_audited *what,
                          bool taken_back, struct tenuo_error *err);
/* Tells what an optional line lost and nobody was told yet: it closes. */
void tn_audit_last_words(const struct tenuo_ctx *c, struct tn_instance *i);

/* audit_notice.c: to every sink that takes notices. */
#define TN_NOTICE_PRIORITY 5
/* A notice whose message is written afterwards. */
struct tenuo_audit_notice tn_audit_notice(const struct tenuo_ctx *c, int kind, char message[TN_AUDIT_MESSAGE_BYTES]);
void tn_audit_reloaded(struct tenuo_ctx *c);
void tn_audit_list_changed(struct tenuo_ctx *c, const struct tn_revoke_news *news);
/* `what`: "rotated" or "removed"; version 0: all of them. */
void tn_audit_key_retired(struct tenuo_ctx *c, const struct tn_instance *store, const char *key_id, uint32_t version,
                          const char *what);

/* checkpoint.c */
int tn_checkpoint_sign(struct tenuo_ctx *c, const char *key_id, const uint8_t head[32], uint64_t count,
                       uint8_t ret_public_key[32], uint8_t ret_signature[64], struct tenuo_error *err);
/* stats.c: for host->stats. */
void tn_stats_tell(struct tenuo_ctx *c, int (*each)(void *arg, const struct tenuo_stat *stat), void *arg);

/* args_json.c: the arguments as one JSON object; with mask all values are replaced by the names of their types, else
 * those whose name (at any depth) is on the list `hidden` (redact.h; NULL: none). False when memory is out. */
bool tn_args_json(struct tn_buf *b, const struct tenuo_args *args, bool mask, const char *hidden);

#endif
