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
};

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
bool tn_audit_is_required(const struct tn_line *line);

/* args_json.c: the arguments as one JSON object; with mask, values are replaced by the names of their types. False when
 * memory is out. */
bool tn_args_json(struct tn_buf *b, const struct tenuo_args *args, bool mask);

#endif
