/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A decision as a receipt (governance.md 11): the sink says which receipt came before, the key of `receipt_key` signs
 * what follows. The secret stays with the core or its store; a sink sees finished receipts alone.
 */
#include <stdio.h>
#include <stdlib.h>

#include "audit.h"
#include "err.h"
#include <tenuo/receipt.h>

struct receipt_making {
    struct tenuo_receipt_fields fields;
    struct tenuo_signer *signer;
    struct tenuo_error why;
    uint8_t *bytes;
    size_t len;
    bool asked;
};

static int make(const struct tenuo_receipt_job *job, const uint8_t *prev, const uint8_t **ret_bytes, size_t *ret_len)
{
    struct receipt_making *m = job->priv;
    int r;
    if (m->asked) { /* one receipt, one digest before it */
        m->why.code = TENUO_E_PLUGIN_PROTOCOL;
        snprintf(m->why.msg, sizeof m->why.msg, "asked for its receipt twice");
        return TENUO_E_INVALID_ARGUMENT;
    }
    m->asked = true;
    m->fields.prev_receipt_hash = prev;
    r = tenuo_receipt_sign(&m->fields, m->signer, &m->bytes, &m->len, &m->why);
    m->fields.prev_receipt_hash = NULL; /* lent to this call alone */
    if (r != TENUO_OK) {
        m->why.code = r;
        return r >= TENUO_E_KEY_NOT_FOUND && r <= TENUO_E_KEY_INVALID && r != TENUO_E_KEY_CONFLICT
                   ? r
                   : TENUO_E_AUDIT_REFUSED;
    }
    *ret_bytes = m->bytes;
    *ret_len = m->len;
    return TENUO_OK;
}

static bool is_allow(const struct tn_audited *what, bool taken_back)
{
    return what->d->outcome == TENUO_ALLOW && !taken_back;
}

/* The request's own id when it has one, else the decision's: what the caller and the other records know. */
static const char *correlation(const struct tn_audited *what)
{
    return what->q != NULL && what->q->id[0] != '\0' ? what->q->id : what->d->id;
}

static void fill(struct tenuo_receipt_fields *f, const struct tenuo_ctx *c, const struct tn_audited *what,
                 bool taken_back)
{
    const char *authorizer = c->conf->set.receipt_authorizer != NULL ? c->conf->set.receipt_authorizer : c->service;
    const struct tenuo_decision *d = what->d;
    *f = (struct tenuo_receipt_fields){ .size = sizeof *f,
                                        .allow = is_allow(what, taken_back),
                                        .warrant_chain = what->chain.p,
                                        .warrant_chain_len = what->chain.n,
                                        .tool = (const char *)what->q->tool.p,
                                        .tool_len = what->q->tool.n,
                                        .timestamp = what->as_of,
                                        .request_hash = d->has_request_hash ? d->request_hash : NULL,
                                        .pop_signature = d->pop_verified ? what->q->pop : NULL,
                                        .request_id = correlation(what),
                                        .policy_hash = c->policy_hash,
                                        .trusted_roots_hash = c->roots_hash };
    f->request_id_len = strlen(f->request_id);
    if (d->has_srl) {
        f->has_srl_version = 1;
        f->srl_version = d->srl_version;
        f->srl_hash = d->srl_sha256;
    }
    if (authorizer[0] != '\0') {
        f->authorizer_id = authorizer;
        f->authorizer_id_len = strlen(authorizer);
    }
    if (!f->allow) {
        f->decision_code = tenuo_err_name(taken_back ? TENUO_E_AUDIT_REFUSED : d->code);
        f->decision_code_len = strlen(f->decision_code);
    }
}

static int prepare(struct receipt_making *m, struct tenuo_ctx *c, const struct tn_audited *what, bool taken_back,
                   struct tenuo_error *err)
{
    struct tenuo_error why = { 0 };
    int r = tenuo_ctx_signer(c, c->conf->set.receipt_key, 0, NULL, &m->signer, &why);
    if (r != TENUO_OK)
        return tn_fail(err, r, "receipt_key: %.240s", why.msg);
    fill(&m->fields, c, what, taken_back);
    return TENUO_OK;
}

int tn_audit_give_receipt(struct tenuo_ctx *c, const struct tn_line *line, const struct tn_audited *what,
                          bool taken_back, struct tenuo_error *err)
{
    struct tn_instance *i = line->instance;
    struct receipt_making m = { 0 };
    struct tenuo_receipt_job job = { .size = sizeof job,
                                     .allow = what->d->outcome == TENUO_ALLOW, /* also when it is taken back */
                                     .must = what->d->outcome != TENUO_DENY && tn_line_is_required(line),
                                     .make = make,
                                     .priv = &m };
    int r = prepare(&m, c, what, taken_back, err);
    if (r == TENUO_OK)
        r = tn_audit_receipt(i, what->d->id, &job, err);
    if (m.why.code != TENUO_OK) /* the sink can only say that it was told no */
        r = tn_fail(err, m.why.code, "%s: %.150s", i->origin, m.why.msg);
    else if (r == TENUO_OK && !m.asked)
        r = tn_fail(err, TENUO_E_PLUGIN_PROTOCOL, "%s: says that it kept a receipt that it never asked for", i->origin);
    tenuo_bytes_free(m.bytes, m.len);
    tenuo_signer_free(m.signer);
    return r;
}
