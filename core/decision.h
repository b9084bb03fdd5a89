/* SPDX-License-Identifier: Apache-2.0 */
/* The inside of a decision: plain data, filled by verify.c and, for what a context adds, by ctx_authorize.c. */
#ifndef TN_DECISION_H
#define TN_DECISION_H

#include "approval.h"
#include "limits.h"
#include "str.h"
#include <tenuo/verify.h>

struct tenuo_decision {
    enum tenuo_outcome outcome;
    int code; /* 0 on allow */
    enum tenuo_step step;
    int link;
    char reason[256];
    char field[256]; /* escaped, NUL-terminated */
    char tool[4 * TN_MAX_TOOL_NAME + 4]; /* escaped, NUL-terminated */
    char id[33];
    bool has_request_hash, has_keys, has_srl, pop_verified;
    uint8_t request_hash[32], root_key[32], holder[32], srl_sha256[32];
    uint64_t srl_version;
    uint32_t leaf_depth;
    uint64_t expires_at;
    int64_t pop_window; /* start of the window that the proof of possession was signed for; 0 without one */
    struct tn_gate_answer gate; /* owned */
    size_t audited; /* sinks that hold a record of this answer */
    size_t chain_len;
    char chain_ids[][TENUO_WARRANT_ID_TEXT_BYTES];
};

/* A denial without any warrant (undecodable input, audit refused ...); NULL when memory is out. */
struct tenuo_decision *tn_decision_new(size_t chain_len);
/* Turns a decision into a denial with this code and step; reason is the table's sentence when NULL. */
void tn_decision_deny(struct tenuo_decision *d, int code, enum tenuo_step step, const char *reason);

#endif
