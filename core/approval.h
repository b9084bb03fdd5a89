/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The inside of approvals: a signed approval, what an approver is asked, and the step of a decision that counts them
 * (spec governance.md 3 to 8). Never reads a clock.
 */
#ifndef TN_APPROVAL_H
#define TN_APPROVAL_H

#include "gate.h"
#include "mem.h"
#include "verifier.h"
#include <tenuo/approval.h>

#define TN_DOMAIN_APPROVAL "tenuo-approval-v1"
#define TN_DOMAIN_APPROVAL_CONTEXT "tenuo-approval-context-v1"

struct tenuo_approval {
    struct tn_arena arena; /* everything below lies in it */
    struct tn_str envelope, payload;
    uint64_t envelope_version;
    const uint8_t *key, *signature; /* 32, 64 */
    int payload_code;               /* 0, or why the payload says nothing: 1200, 1202, 1701 */
    struct tenuo_error payload_error;
    uint64_t version, approved_at, expires_at;
    const uint8_t *hash, *nonce; /* 32, 16; NULL unless the payload is good */
    struct tn_str external_id;
    struct tn_extension *extensions;
    size_t nextensions;
};

struct tenuo_approval_request {
    struct tn_arena arena;
    char warrant_id[TENUO_WARRANT_ID_TEXT_BYTES];
    uint8_t request_id[TENUO_APPROVAL_REQUEST_ID_BYTES], hash[TENUO_REQUEST_HASH_BYTES];
    bool stamped;
    struct tn_str tool, message;
    struct tenuo_args *args; /* NULL: none */
    const uint8_t **approvers;
    size_t napprovers;
    uint32_t threshold;
    uint64_t expires_at, created_at;
};

/* What became of the approvals of one call. */
struct tn_tally {
    uint32_t required, presented, rejected[TENUO_APPROVAL_CLASSES];
    uint8_t (*keys)[32]; /* that counted, in order; owned */
    size_t nkeys;
};

/* What the gate step leaves for the decision; both parts owned. */
struct tn_gate_answer {
    struct tenuo_approval_request *wanted; /* NULL: nothing is missing */
    struct tn_tally tally;
};
void tn_gate_answer_clear(struct tn_gate_answer *answer);

/*
 * approval.c. Decodes an envelope; what is wrong within the payload is kept in the object (payload_code), for a
 * decision to count. 1202, 1900 or 9000.
 */
int tn_approval_decode(struct tn_str bytes, struct tenuo_approval **ret, struct tenuo_error *err);
/* Version, signature and payload: 0, 1200, 1100, 1202, 1701 or 9000. */
int tn_approval_check(const struct tenuo_approval *a, struct tenuo_error *err);
/* What the key signs, without the prefix that all signed messages share. */
void tn_approval_message(struct tn_buf *b, struct tn_str payload);

/* approval_count.c. Section 4 for the leaf's approvers: 0, 1700, 1701 or 9000. *ret is filled in any case. */
int tn_approvals_count(const struct tenuo_warrant *leaf, const struct tenuo_request *q, const uint8_t hash[32],
                       const struct tn_policy *policy, int64_t as_of, struct tn_tally *ret, struct tenuo_error *err);

/* approval_ask.c. The whole gate step of a decision: 0, 1202, 1501, 1504, 1700, 1701, 1707 or 9000. */
int tn_gate_check(const struct tenuo_warrant *leaf, const struct tenuo_request *q, const struct tn_policy *policy,
                  struct tn_match_env *env, struct tn_gate_answer *ret, struct tenuo_error *err);

#endif
