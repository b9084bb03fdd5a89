/* SPDX-License-Identifier: Apache-2.0 */
/* The answer as an object: made by verify.c, read by everybody. */
#include "decision.h"

#include <stdlib.h>
#include <string.h>

#include "err.h"
#include <tenuo/revocation.h>

struct tenuo_decision *tn_decision_new(size_t chain_len)
{
    struct tenuo_decision *d = calloc(1, sizeof *d + chain_len * sizeof d->chain_ids[0]);
    if (d != NULL) {
        d->chain_len = chain_len;
        d->link = -1;
    }
    return d;
}

void tn_decision_deny(struct tenuo_decision *d, int code, enum tenuo_step step, const char *reason)
{
    const char *text = reason != NULL ? reason : tenuo_err_text(code);
    size_t n = strnlen(text, sizeof d->reason - 1);
    d->outcome = TENUO_DENY;
    d->code = code;
    d->step = step;
    memmove(d->reason, text, n);
    d->reason[n] = '\0';
}

const char *tenuo_step_name(enum tenuo_step step)
{
    switch (step) {
    case TENUO_STEP_DECODE: return "decode";
    case TENUO_STEP_CHAIN: return "chain";
    case TENUO_STEP_REVOCATION: return "revocation";
    case TENUO_STEP_TRUST: return "trust";
    case TENUO_STEP_TIME: return "time";
    case TENUO_STEP_LINK: return "link";
    case TENUO_STEP_CLEARANCE: return "clearance";
    case TENUO_STEP_TYPE: return "type";
    case TENUO_STEP_POP: return "pop";
    case TENUO_STEP_TOOL: return "tool";
    case TENUO_STEP_CONSTRAINT: return "constraint";
    case TENUO_STEP_GATE: return "gate";
    case TENUO_STEP_REPLAY: return "replay";
    case TENUO_STEP_AUDIT: return "audit";
    case TENUO_STEP_DONE: return "done";
    }
    return "unknown";
}

void tenuo_decision_free(struct tenuo_decision *decision)
{
    if (decision == NULL)
        return;
    tn_gate_answer_clear(&decision->gate);
    free(decision);
}

enum tenuo_outcome tenuo_decision_outcome(const struct tenuo_decision *d) { return d->outcome; }
int tenuo_decision_code(const struct tenuo_decision *d) { return d->code; }
const char *tenuo_decision_name(const struct tenuo_decision *d) { return d->code == 0 ? "" : tenuo_err_name(d->code); }
const char *tenuo_decision_reason(const struct tenuo_decision *d) { return d->reason; }
enum tenuo_step tenuo_decision_step(const struct tenuo_decision *d) { return d->step; }
const char *tenuo_decision_field(const struct tenuo_decision *d) { return d->field; }
int tenuo_decision_link(const struct tenuo_decision *d) { return d->link; }
const char *tenuo_decision_tool(const struct tenuo_decision *d) { return d->tool; }
size_t tenuo_decision_chain_length(const struct tenuo_decision *d) { return d->chain_len; }

const char *tenuo_decision_chain_id(const struct tenuo_decision *d, size_t index)
{
    return index < d->chain_len ? d->chain_ids[index] : NULL;
}

const uint8_t *tenuo_decision_root_key(const struct tenuo_decision *d) { return d->has_keys ? d->root_key : NULL; }
const uint8_t *tenuo_decision_holder(const struct tenuo_decision *d) { return d->has_keys ? d->holder : NULL; }
uint32_t tenuo_decision_leaf_depth(const struct tenuo_decision *d) { return d->leaf_depth; }
uint64_t tenuo_decision_expires_at(const struct tenuo_decision *d) { return d->expires_at; }

const uint8_t *tenuo_decision_request_hash(const struct tenuo_decision *d)
{
    return d->has_request_hash ? d->request_hash : NULL;
}

const char *tenuo_decision_id(const struct tenuo_decision *d) { return d->id; }

size_t tenuo_decision_audited(const struct tenuo_decision *d) { return d->audited; }

const uint8_t *tenuo_decision_srl_sha256(const struct tenuo_decision *d) { return d->has_srl ? d->srl_sha256 : NULL; }
uint64_t tenuo_decision_srl_version(const struct tenuo_decision *d) { return d->srl_version; }

const struct tenuo_approval_request *tenuo_decision_approval_request(const struct tenuo_decision *d)
{
    return d->gate.wanted;
}

size_t tenuo_decision_approved_count(const struct tenuo_decision *d) { return d->gate.tally.nkeys; }

const uint8_t *tenuo_decision_approved_by(const struct tenuo_decision *d, size_t index)
{
    return index < d->gate.tally.nkeys ? d->gate.tally.keys[index] : NULL;
}

/* governance.md 15: the codes that the reference defines for approvals and never raises. 0: none fits. */
static int code_of_class(enum tenuo_approval_class reason)
{
    switch (reason) {
    case TENUO_APPROVAL_INVALID: return TENUO_E_APPROVAL_PAYLOAD;
    case TENUO_APPROVAL_NOT_AUTHORIZED: case TENUO_APPROVAL_SELF: return TENUO_E_APPROVER_NOT_AUTHORIZED;
    case TENUO_APPROVAL_EXPIRED: return TENUO_E_APPROVAL_EXPIRED;
    case TENUO_APPROVAL_HASH_MISMATCH: return TENUO_E_APPROVAL_HASH_MISMATCH;
    case TENUO_APPROVAL_DUPLICATE: case TENUO_APPROVAL_NOT_YET_VALID: case TENUO_APPROVAL_TOO_LONG:
    case TENUO_APPROVAL_CLASSES: break;
    }
    return 0;
}

int tenuo_decision_precise_code(const struct tenuo_decision *d)
{
    enum tenuo_approval_class only = TENUO_APPROVAL_CLASSES;
    size_t reasons = 0;
    if (d->code != TENUO_E_INSUFFICIENT_APPROVALS && d->code != TENUO_E_APPROVAL_INVALID)
        return d->code;
    for (unsigned i = 0; i < TENUO_APPROVAL_CLASSES; i++) {
        if (d->gate.tally.rejected[i] == 0)
            continue;
        only = (enum tenuo_approval_class)i;
        reasons++;
    }
    return reasons == 1 && code_of_class(only) != 0 ? code_of_class(only) : d->code;
}

uint32_t tenuo_decision_approvals_rejected(const struct tenuo_decision *d, enum tenuo_approval_class reason)
{
    return (unsigned)reason < TENUO_APPROVAL_CLASSES ? d->gate.tally.rejected[reason] : 0;
}

uint32_t tenuo_decision_approvals_required(const struct tenuo_decision *d) { return d->gate.tally.required; }
