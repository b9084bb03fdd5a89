/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The audited decision: clock once, pure decision, replay, audit, answer. Whatever goes wrong on the way, the answer is
 * no; and every answer, also that nothing could be decided, is offered to the sinks.
 */
#include <sodium.h>
#include <time.h>

#include "audit.h"
#include "crypto.h"
#include "err.h"

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

/*
 * The dedup key of warrant.md 8.3 and the request id as scope, so that an honest identical call is told from a replay.
 * The leaf's id text is its prefix and the 32 hex digits that the key is made over.
 */
static bool replay_key(const struct tenuo_decision *d, const struct tenuo_request *q, uint8_t ret[32])
{
    struct tn_str id = tn_lit(d->chain_ids[d->chain_len - 1]);
    struct tn_buf call = { 0 };
    uint8_t hash[32];
    char dedup[65] = "";
    crypto_hash_sha256_state st;
    id = (struct tn_str){ id.p + id.n - 32, 32 };
    tn_put_array(&call, 3);
    tn_put_text(&call, id);
    tn_put_text(&call, q->tool);
    tn_put_arg_pairs(&call, q->args);
    tn_sha256(hash, tn_buf_view(&call));
    tn_hex(dedup, hash, sizeof hash);
    crypto_hash_sha256_init(&st);
    crypto_hash_sha256_update(&st, (const uint8_t *)dedup, 64);
    crypto_hash_sha256_update(&st, (const uint8_t *)q->id, strlen(q->id));
    crypto_hash_sha256_final(&st, ret);
    bool good = !call.failed;
    tn_buf_free(&call);
    return good;
}

/* Until when the proof could be accepted again: by the time of the decision or by the clock that the stores keep,
 * whichever is later. */
static int64_t replay_until(const struct tenuo_ctx *c, const struct tenuo_request *q, int64_t as_of)
{
    int64_t span = (int64_t)TN_POP_WINDOW * c->conf->set.pop_windows + q->pop_bound;
    struct timespec now = { 0 };
    clock_gettime(CLOCK_REALTIME, &now);
    if (as_of < (int64_t)now.tv_sec)
        as_of = (int64_t)now.tv_sec;
    return as_of > INT64_MAX - span ? INT64_MAX : as_of + span;
}

/* Any line that has seen the proof, or cannot tell, denies; without a line nothing is asked. */
static void check_replay(struct tenuo_ctx *c, struct tenuo_decision *d, const struct tenuo_request *q, int64_t as_of)
{
    uint8_t key[32];
    int64_t until = replay_until(c, q, as_of);
    if (c->replay_silent)
        tn_decision_deny(d, TENUO_E_UNAVAILABLE, TENUO_STEP_REPLAY,
                         "every replay line of the configuration was left out");
    if (c->lines[TN_F_REPLAY].n == 0)
        return;
    if (!replay_key(d, q, key)) {
        tn_decision_deny(d, TENUO_E_NOMEM, TENUO_STEP_REPLAY, NULL);
        return;
    }
    for (size_t i = 0; i < c->lines[TN_F_REPLAY].n; i++) {
        struct tenuo_error why = { 0 };
        int r = tn_replay_check(c->lines[TN_F_REPLAY].v[i].instance, key, until, &why);
        if (r == TENUO_E_REPLAYED) /* goes before the line that could not tell */
            tn_decision_deny(d, r, TENUO_STEP_REPLAY, NULL);
        else if (r != TENUO_OK && d->outcome == TENUO_ALLOW)
            tn_decision_deny(d, r, TENUO_STEP_REPLAY, why.msg);
    }
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
static void record_failure(struct tenuo_ctx *c, const struct tenuo_request *q, int64_t as_of,
                           const struct tenuo_error *why)
{
    struct tenuo_error ignored = { 0 };
    struct tenuo_decision *d = NULL;
    if (denied(why, q, &d, NULL) != TENUO_OK)
        return;
    name_decision(d);
    struct tn_audited what = { .d = d, .q = q, .as_of = as_of };
    (void)tn_audit_write(c, &what, &d->audited, &ignored); /* nothing hangs on it: the answer is no already */
    tenuo_decision_free(d);
}

int tenuo_ctx_authorize_at(struct tenuo_ctx *ctx, const uint8_t *bytes, size_t len, const struct tenuo_request *request,
                           int64_t as_of, struct tenuo_decision **ret_decision, struct tenuo_error *reterr)
{
    struct tn_audited what = { .q = request, .as_of = as_of };
    struct tenuo_error why = { 0 };
    struct tenuo_stack *stack = NULL;
    struct tenuo_decision *d = NULL;
    struct tenuo_verifier *v;
    int r;
    if (request == NULL || (bytes == NULL && len != 0))
        return tn_fail(reterr, TENUO_E_INVALID_ARGUMENT, "a decision needs a request and the warrant's bytes");
    v = tenuo_ctx_verifier(ctx);
    r = decide(v, (struct tn_str){ bytes, len }, request, as_of, &d, &stack, &why);
    tenuo_verifier_unref(v);
    if (r != TENUO_OK) {
        why.code = r;
        record_failure(ctx, request, as_of, &why);
        tenuo_stack_free(stack);
        return tn_fail(reterr, r, "%s", why.msg);
    }
    name_decision(d);
    if (d->outcome == TENUO_ALLOW)
        check_replay(ctx, d, request, as_of);
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

int tenuo_ctx_authorize(struct tenuo_ctx *ctx, const uint8_t *bytes, size_t len, const struct tenuo_request *request,
                        struct tenuo_decision **ret_decision, struct tenuo_error *reterr)
{
    struct timespec now = { 0 };
    if (clock_gettime(CLOCK_REALTIME, &now) != 0)
        return tn_fail(reterr, TENUO_E_SYSTEM, "the clock cannot be read");
    return tenuo_ctx_authorize_at(ctx, bytes, len, request, (int64_t)now.tv_sec, ret_decision, reterr);
}
