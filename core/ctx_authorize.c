/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The audited decision: clock once, pure decision, replay, audit, answer. Whatever goes wrong on the way, the answer is
 * no; and every answer, also that nothing could be decided, is offered to the sinks.
 */
#include <sodium.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "audit.h"
#include "crypto.h"
#include "err.h"
#include "replay.h"

/* Binary goes the way with the link cache; any text form is decoded on its own. */
static bool is_binary(const uint8_t *bytes, size_t len)
{
    return len > 0 && bytes[0] >= 0x80 && bytes[0] <= 0x9b;
}

static int denied(const struct tenuo_error *why, const struct tenuo_request *q, struct tenuo_decision **ret,
                  struct tenuo_error *err)
{
    struct tenuo_decision *d = tn_decision_new(0);
    if (d == NULL)
        return tn_fail_code(err, TENUO_E_NOMEM);
    tn_decision_deny(d, why->code, TENUO_STEP_DECODE, why->msg);
    tn_quote(d->tool, sizeof d->tool, q->tool.p, q->tool.n);
    *ret = d;
    return TENUO_OK;
}

/* A stack that came as text is given back for the record. */
static int decide(struct tenuo_verifier *v, struct tn_str sent, const struct tenuo_request *q, int64_t as_of,
                  struct tenuo_decision **ret, struct tenuo_stack **ret_stack, struct tenuo_error *err)
{
    struct tenuo_stack *stack = NULL;
    struct tenuo_error why = { 0 };
    int r;
    if (is_binary(sent.p, sent.n))
        return tenuo_authorize(v, sent.p, sent.n, q, as_of, ret, err);
    r = tenuo_stack_parse_any(sent.p, sent.n, &stack, &why);
    if (r >= TENUO_E_NOMEM)
        return tn_fail(err, r, "%s", why.msg);
    if (r != TENUO_OK)
        return denied(&why, q, ret, err);
    r = tenuo_authorize_stack(v, stack, q, as_of, ret, err);
    *ret_stack = stack;
    return r;
}

/* Mode observe lets denials through that say so; what could not be decided is never let through. */
static void observe(const struct tenuo_ctx *c, struct tenuo_decision *d)
{
    if (c->conf->set.observe && d->outcome == TENUO_DENY && d->code < TENUO_E_NOMEM)
        d->outcome = TENUO_WOULD_DENY;
}

static void name_decision(struct tenuo_decision *d)
{
    uint8_t id[16];
    randombytes_buf(id, sizeof id);
    tn_hex(d->id, id, sizeof id);
}

/* No decision at all: recorded as a denial with its 9xxx code, and returned as the error that it is. */
static void record_failure(struct tenuo_ctx *c, struct tn_audited what, const struct tenuo_error *why)
{
    struct tenuo_error ignored = { 0 };
    struct tenuo_decision *d = NULL;
    if (denied(why, what.q, &d, NULL) != TENUO_OK)
        return;
    name_decision(d);
    what.d = d;
    (void)tn_audit_write(c, &what, &d->audited, &ignored); /* nothing hangs on it: the answer is no already */
    tenuo_decision_free(d);
}

/* The decision that is recorded, with an id of its own: a copy that borrows what the program's one owns, or one made
 * of why the program denied. Plain free() frees either. */
static int named_copy(const struct tenuo_decision *decision, const struct tenuo_error *denial,
                      const struct tenuo_request *request, struct tenuo_decision **ret_made, struct tenuo_error *err)
{
    size_t size;
    int r = TENUO_OK;
    if ((decision == NULL) == (denial == NULL) || (denial != NULL && denial->code == TENUO_OK))
        return tn_fail(err, TENUO_E_INVALID_ARGUMENT, "a record is of a decision or of a denial with its code");
    if (decision != NULL && decision->id[0] != '\0')
        return tn_fail(err, TENUO_E_INVALID_ARGUMENT, "the context that made this decision has recorded it");
    if (decision == NULL) {
        r = denied(denial, request, ret_made, err);
    } else {
        size = sizeof *decision + decision->chain_len * sizeof decision->chain_ids[0];
        *ret_made = malloc(size);
        if (*ret_made == NULL)
            return tn_fail_code(err, TENUO_E_NOMEM);
        memcpy(*ret_made, decision, size);
    }
    if (r == TENUO_OK)
        name_decision(*ret_made);
    return r;
}

int tenuo_ctx_record(struct tenuo_ctx *ctx, const uint8_t *bytes, size_t len, const struct tenuo_request *request,
                     const struct tenuo_decision *decision, const struct tenuo_error *denial, int64_t as_of,
                     size_t *ret_audited, struct tenuo_error *reterr)
{
    struct tn_audited what = { .q = request, .as_of = as_of };
    struct tenuo_decision *made = NULL;
    struct timespec now = { 0 };
    struct tenuo_error why = { 0 };
    size_t taken = 0;
    int r;
    if (request == NULL || (bytes == NULL && len != 0))
        return tn_fail(reterr, TENUO_E_INVALID_ARGUMENT, "a record needs a request");
    if (ctx->keys_only)
        return tn_fail(reterr, TENUO_E_INVALID_ARGUMENT, "this context was opened for its keys alone: it has no audit");
    r = clock_gettime(CLOCK_REALTIME, &now) == 0 ? TENUO_OK
                                                 : tn_fail(reterr, TENUO_E_SYSTEM, "the clock cannot be read");
    if (r == TENUO_OK)
        r = named_copy(decision, denial, request, &made, reterr);
    if (r != TENUO_OK)
        return r;
    what.d = made;
    what.time_ns = (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
    if (what.d->chain_len != 0)
        what.chain = (struct tn_str){ bytes, len };
    if (!tn_audit_write(ctx, &what, &taken, &why))
        r = tn_fail(reterr, TENUO_E_AUDIT_REFUSED, "%s", why.msg);
    free(made);
    if (r == TENUO_OK && ret_audited != NULL)
        *ret_audited = taken;
    return r;
}

static int decide_and_record(struct tenuo_ctx *ctx, const uint8_t *bytes, size_t len,
                             const struct tenuo_request *request, int64_t as_of, const struct timespec *now,
                             uint64_t began, struct tenuo_decision **ret_decision, struct tenuo_error *reterr)
{
    struct tn_audited what = {
        .q = request, .as_of = as_of, .time_ns = (int64_t)now->tv_sec * 1000000000 + now->tv_nsec, .began = began
    };
    struct tenuo_error why = { 0 };
    struct tenuo_stack *stack = NULL;
    struct tenuo_decision *d = NULL;
    struct tenuo_verifier *v;
    int r;
    if (request == NULL || (bytes == NULL && len != 0))
        return tn_fail(reterr, TENUO_E_INVALID_ARGUMENT, "a decision needs a request and the warrant's bytes");
    if (ctx->keys_only)
        return tn_fail(reterr, TENUO_E_INVALID_ARGUMENT,
                       "this context was opened for its keys alone: open it without keys_only to decide calls");
    v = tenuo_ctx_verifier(ctx);
    r = decide(v, (struct tn_str){ bytes, len }, request, as_of, &d, &stack, &why);
    tenuo_verifier_unref(v);
    if (r != TENUO_OK) {
        why.code = r;
        record_failure(ctx, what, &why);
        tenuo_stack_free(stack);
        return tn_fail(reterr, r, "%s", why.msg);
    }
    name_decision(d);
    if (d->outcome == TENUO_ALLOW)
        tn_replay_ask(ctx, d, request, as_of);
    observe(ctx, d);
    what.d = d;
    if (d->chain_len != 0)
        what.chain = stack != NULL ? tn_stack_bytes(stack) : (struct tn_str){ bytes, len };
    if (!tn_audit_write(ctx, &what, &d->audited, &why) && d->outcome != TENUO_DENY)
        tn_decision_deny(d, TENUO_E_AUDIT_REFUSED, TENUO_STEP_AUDIT, why.msg);
    tenuo_stack_free(stack);
    *ret_decision = d;
    return TENUO_OK;
}

static int read_clock(struct timespec *ret, struct tenuo_error *err)
{
    return clock_gettime(CLOCK_REALTIME, ret) == 0 ? TENUO_OK
                                                   : tn_fail(err, TENUO_E_SYSTEM, "the clock cannot be read");
}

int tenuo_ctx_authorize_at(struct tenuo_ctx *ctx, const uint8_t *bytes, size_t len, const struct tenuo_request *request,
                           int64_t as_of, struct tenuo_decision **ret_decision, struct tenuo_error *reterr)
{
    struct timespec now = { 0 };
    uint64_t began = tn_clock_ns();
    int r = read_clock(&now, reterr);
    return r != TENUO_OK ? r : decide_and_record(ctx, bytes, len, request, as_of, &now, began, ret_decision, reterr);
}

int tenuo_ctx_authorize(struct tenuo_ctx *ctx, const uint8_t *bytes, size_t len, const struct tenuo_request *request,
                        struct tenuo_decision **ret_decision, struct tenuo_error *reterr)
{
    struct timespec now = { 0 };
    uint64_t began = tn_clock_ns();
    int r = read_clock(&now, reterr);
    return r != TENUO_OK ? r
                         : decide_and_record(ctx, bytes, len, request, (int64_t)now.tv_sec, &now, began, ret_decision,
                                             reterr);
}
