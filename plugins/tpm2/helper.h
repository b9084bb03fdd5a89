/* SPDX-License-Identifier: Apache-2.0 */
/* The inside of the helper program: one TPM, one request. It ends after it, so what the TPM library leaves in memory
 * goes with it. */
#ifndef TN_TPM2_HELPER_H
#define TN_TPM2_HELPER_H

#include <stdbool.h>
#include <stdint.h>
#include <tss2/tss2_esys.h>

#include "talk.h"

struct tpm {
    struct tpm2_talk *talk;
    uint64_t ends; /* CLOCK_MONOTONIC, ms */
    TSS2_TCTI_CONTEXT *tcti;
    ESYS_CONTEXT *esys;
    ESYS_TR parent, hmac, policy, object; /* ESYS_TR_NONE: not there */
    uint32_t parent_handle;
    bool owns_parent;          /* a transient primary, to be flushed */
    const char *step;          /* what was asked of the TPM last */
    TSS2_RC rc;                /* what it said; 0 while a failure was said in words */
    char pcrs[TPM2_PCRS_TEXT]; /* that the key is bound to, or "" */
};

/* helper_tpm.c: the request as a whole, with its answer in t->talk. */
void tpm_run(struct tpm *t);
/* Notes what the TPM said to a step; true when it did it. */
bool tpm_did(struct tpm *t, const char *step, TSS2_RC rc);
bool tpm_start_session(struct tpm *t, ESYS_TR salt, TPM2_SE type, ESYS_TR *ret);

/* helper_policy.c */
#define TPM_DIGEST 32                  /* SHA-256 */
#define TPM_BODY (2 + TPM_DIGEST + 10) /* of PolicyPCR: TPM2B_DIGEST, TPML_PCR_SELECTION of one bank */
bool tpm_apply_policy(struct tpm *t, ESYS_TR session, const struct tpm2_statement *s, size_t n);
bool tpm_needs_auth(const struct tpm2_statement *s, size_t n);
/* The statements for a key that is being made; `body` is the first one's. */
bool tpm_plan_policy(struct tpm *t, uint8_t body[TPM_BODY], struct tpm2_statement ret[2], size_t *ret_n);
/* Their digest, from a session that judges: PCRs that changed meanwhile are refused here. */
bool tpm_policy_digest(struct tpm *t, const struct tpm2_statement *s, size_t n, TPM2B_DIGEST *ret);

/* helper_rc.c: the answer for t->rc at t->step. */
void tpm_explain(struct tpm *t);
/* Whether the TPM only asks to come again. */
bool tpm_is_busy(TSS2_RC rc);
/* Whether it has no room for an object or a session. */
bool tpm_is_full(TSS2_RC rc);
/* The answer in words; for failures that no TPM reports. */
void tpm_say(struct tpm *t, int code, const char *fmt, ...) __attribute__((format(printf, 3, 4)));
/* Says why the TPM cannot be reached. */
void tpm_explain_tcti(struct tpm *t, TSS2_RC rc);

#endif
