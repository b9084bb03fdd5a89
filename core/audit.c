/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The audit record of a decision. Every sink gets every event; an answer that lets a call through stands only when each
 * required sink has taken it. Arguments are redacted here, before any plugin sees them.
 */
#include "audit.h"

#include <sodium.h>
#include <stdlib.h>
#include <time.h>

#include "crypto.h"
#include "err.h"
#include "redact.h"

struct record {
    const struct tn_audited *what;
    bool taken_back;
    struct tenuo_audit_event event;
    char root[17], holder[17], hash[65], message[TN_AUDIT_MESSAGE_BYTES];
    const char **chain, **approvers;
    char (*approver_text)[17];
    struct tenuo_audit_attr *attrs;
    struct tn_buf args;
};

static const char *outcome_name(enum tenuo_outcome outcome)
{
    return outcome == TENUO_ALLOW ? "allow" : outcome == TENUO_WOULD_DENY ? "would_deny" : "deny";
}

int64_t tn_audit_clock_ns(void)
{
    struct timespec t = { 0 };
    clock_gettime(CLOCK_REALTIME, &t);
    return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

static void fill_keys(struct record *r, const struct tenuo_decision *d)
{
    if (d->has_keys) {
        tn_hex(r->root, d->root_key, 8);
        tn_hex(r->holder, d->holder, 8);
    }
}

/*
 * A hash of arguments that can be guessed can be guessed too, but for who does not have the key. Two records of equal
 * calls still show the same one.
 */
static void fill_hash(struct record *r, const struct tenuo_ctx *c, const struct tenuo_decision *d)
{
    uint8_t keyed[crypto_auth_hmacsha256_BYTES];
    if (!d->has_request_hash)
        return;
    if (c->conf->set.audit_hash_key == NULL) {
        tn_hex(r->hash, d->request_hash, 32);
        return;
    }
    (void)crypto_auth_hmacsha256(keyed, d->request_hash, sizeof d->request_hash, c->args_hash_key);
    tn_hex(r->hash, keyed, sizeof keyed);
}

static bool fill_lists(struct record *r, const struct tenuo_ctx *c, const struct tenuo_decision *d,
                       const struct tenuo_request *q)
{
    size_t nattrs = q == NULL ? 0 : q->nattrs;
    r->chain = calloc(d->chain_len + 1, sizeof *r->chain);
    r->attrs = calloc(nattrs + 1, sizeof *r->attrs);
    if (r->chain == NULL || r->attrs == NULL)
        return false;
    for (size_t i = 0; i < d->chain_len; i++)
        r->chain[i] = d->chain_ids[i];
    for (size_t i = 0; i < nattrs; i++)
        r->attrs[i] = (struct tenuo_audit_attr){
            q->attrs[i].name,
            tn_mask_hides(c->conf->set.audit_mask, tn_lit(q->attrs[i].name)) ? TN_MASKED : q->attrs[i].value
        };
    r->event.chain_ids = r->chain;
    r->event.chain_len = d->chain_len;
    r->event.attrs = r->attrs;
    r->event.nattrs = nattrs;
    return true;
}

static bool fill_approvers(struct record *r, const struct tenuo_decision *d)
{
    size_t n = tenuo_decision_approved_count(d);
    r->approvers = calloc(n + 1, sizeof *r->approvers);
    r->approver_text = calloc(n + 1, sizeof *r->approver_text);
    if (r->approvers == NULL || r->approver_text == NULL)
        return false;
    for (size_t i = 0; i < n; i++) {
        tn_hex(r->approver_text[i], tenuo_decision_approved_by(d, i), 8);
        r->approvers[i] = r->approver_text[i];
    }
    r->event.approvers = r->approvers;
    r->event.napprovers = n;
    return true;
}

static bool fill_args(struct record *r, const struct tenuo_ctx *c, const struct tenuo_request *q)
{
    r->event.args_json = "";
    if (c->conf->set.audit_args == TN_AUDIT_HASH || q == NULL)
        return true;
    if (!tn_args_json(&r->args, q->args, c->conf->set.audit_args == TN_AUDIT_MASK,
                      c->conf->set.audit_mask))
        return false;
    tn_buf_put(&r->args, "", 1); /* NUL */
    r->event.args_json = (const char *)r->args.p;
    return !r->args.failed;
}

static bool fill(struct record *r, const struct tenuo_ctx *c, const struct tn_audited *what)
{
    const struct tenuo_decision *d = what->d;
    const struct tenuo_request *q = what->q;
    r->what = what;
    fill_keys(r, d);
    fill_hash(r, c, d);
    r->event = (struct tenuo_audit_event){
        .size = sizeof r->event,
        .time_ns = what->time_ns,
        .decision_id = d->id,
        .service = c->service,
        .decision = outcome_name(d->outcome),
        .code = d->code,
        .code_name = d->code == 0 ? "" : tenuo_err_name(d->code),
        .step = tenuo_step_name(d->step),
        .reason = d->reason,
        .root = r->root,
        .holder = r->holder,
        .tool = d->tool,
        .field = d->field,
        .args_sha256 = r->hash,
        .request_id = q == NULL ? "" : q->id,
        .conf_generation = c->generation,
        .warrant_id = d->chain_len == 0 ? "" : d->chain_ids[d->chain_len - 1],
        .message = r->message,
        .priority = tn_audit_priority(d->outcome),
        .has_srl_version = d->has_srl,
        .srl_version = d->has_srl ? d->srl_version : 0,
        .duration_ns = what->began == 0 ? 0 : tn_clock_ns() - what->began,
        .peer_uid = q == NULL ? -1 : q->peer_uid,
        .peer_pid = q == NULL ? -1 : q->peer_pid,
    };
    tn_audit_message(&r->event, r->message);
    return fill_lists(r, c, d, q) && fill_approvers(r, d) && fill_args(r, c, q);
}

static void clear(struct record *r)
{
    free(r->chain);
    free(r->approvers);
    free(r->approver_text);
    free(r->attrs);
    tn_buf_free(&r->args);
}

/* 1, 2, 4, 8 ...: no flood. */
static bool is_told(unsigned long long lost)
{
    return (lost & (lost - 1)) == 0;
}

void tn_audit_last_words(const struct tenuo_ctx *c, struct tn_instance *i)
{
    unsigned long long lost = tn_counts_recover(&i->counts);
    if (lost != 0 && !is_told(lost))
        tn_log(&c->log, TENUO_LOG_WARNING, "%s: %llu records lost when it was closed", i->origin, lost);
}

/* An optional sink may fail: its losses are counted, and told when it is back, or closed. */
static void note_optional(struct tenuo_ctx *c, struct tn_instance *i, int code, const struct tenuo_error *why)
{
    unsigned long long lost;
    if (code != TENUO_OK) {
        lost = tn_counts_lose(&i->counts);
        if (is_told(lost))
            tn_log(&c->log, TENUO_LOG_WARNING, "%s; %llu records lost so far", why->msg, lost);
        return;
    }
    lost = tn_counts_recover(&i->counts);
    if (lost != 0)
        tn_log(&c->log, TENUO_LOG_WARNING, "%s: works again after %llu lost records", i->origin, lost);
}

/* No call waits for an optional line, so what it stored late it has not lost. */
static int deliver(struct tenuo_ctx *c, const struct tn_line *line, const struct record *r, struct tenuo_error *err)
{
    bool stored = false;
    int code;
    if (tn_audit_keeps_receipts(line->instance))
        return tn_audit_give_receipt(c, line, r->what, r->taken_back, err);
    code = tn_audit_decision(line->instance, &r->event, &stored, err);
    return stored && !tn_line_is_required(line) ? TENUO_OK : code;
}

/* Nothing hangs on it: the line is optional, or it would have been a receipt of a call that is denied anyway. */
static bool is_best_effort(const struct tn_line *line, const struct record *r)
{
    return !tn_line_is_required(line) ||
           (tn_audit_keeps_receipts(line->instance) && r->what->d->outcome == TENUO_DENY);
}

/*
 * The call is denied after all, and every sink is told: one that answered with an error may hold the first record all
 * the same (written but not synced, or late).
 */
static void take_back(struct tenuo_ctx *c, struct record *r, const bool *took)
{
    struct tenuo_error ignored;
    r->taken_back = true;
    r->event.decision = "deny";
    r->event.code = TENUO_E_AUDIT_REFUSED;
    r->event.code_name = tenuo_err_name(TENUO_E_AUDIT_REFUSED);
    r->event.step = tenuo_step_name(TENUO_STEP_AUDIT);
    r->event.reason = tenuo_err_text(TENUO_E_AUDIT_REFUSED);
    r->event.time_ns = tn_audit_clock_ns();
    r->event.priority = tn_audit_priority(TENUO_DENY);
    tn_audit_message(&r->event, r->message);
    for (size_t i = 0; i < c->lines[TN_F_AUDIT].n; i++)
        if (deliver(c, &c->lines[TN_F_AUDIT].v[i], r, &ignored) != TENUO_OK && took[i])
            tn_log(&c->log, TENUO_LOG_ERR, "%s; its last record says allow, the call was denied", ignored.msg);
}

static bool send(struct tenuo_ctx *c, struct record *r, bool *took, struct tenuo_error *ret_err)
{
    bool good = true;
    for (size_t i = 0; i < c->lines[TN_F_AUDIT].n; i++) {
        struct tn_line *line = &c->lines[TN_F_AUDIT].v[i];
        struct tenuo_error why = { 0 };
        int code = deliver(c, line, r, &why);
        took[i] = code == TENUO_OK;
        if (is_best_effort(line, r)) {
            note_optional(c, line->instance, code, &why);
        } else if (code != TENUO_OK) {
            tn_log(&c->log, TENUO_LOG_ERR, "%s", why.msg);
            if (good)
                *ret_err = why;
            good = false;
        }
    }
    return good;
}

bool tn_audit_write(struct tenuo_ctx *c, const struct tn_audited *what, size_t *ret_taken,
                    struct tenuo_error *ret_err)
{
    struct record r = { 0 };
    bool *took = calloc(c->lines[TN_F_AUDIT].n + 1, sizeof *took);
    bool good = took != NULL && fill(&r, c, what);
    *ret_taken = 0;
    if (!good) {
        tn_fail_code(ret_err, TENUO_E_NOMEM);
    } else {
        good = send(c, &r, took, ret_err);
        if (!good && what->d->outcome != TENUO_DENY)
            take_back(c, &r, took);
        for (size_t i = 0; i < c->lines[TN_F_AUDIT].n; i++)
            *ret_taken += took[i];
    }
    clear(&r);
    free(took);
    return good;
}
