/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Why a decision came out as it did: the same decision, with every step told as it is taken.
 *
 * This is the path of tenuo_verify and tenuo_authorize itself with an observer on it, so that an explanation cannot
 * differ from the answer. Pure, as they are. Steps that only a context adds (replay, audit, receipts) are not part of
 * it. Argument values are never told; constraints, ids, keys and times of the warrants are.
 */
#ifndef TENUO_EXPLAIN_H
#define TENUO_EXPLAIN_H

#include <stddef.h>
#include <stdint.h>
#include <tenuo/error.h>
#include <tenuo/request.h>
#include <tenuo/verify.h>
#include <tenuo/warrant.h>

#ifdef __cplusplus
extern "C" {
#endif

/* One step. Texts are lent for the call, NUL-terminated, never NULL ("" when there is none), control characters
 * escaped. */
struct tenuo_explanation {
    uint32_t size; /* sizeof(struct tenuo_explanation) of the library */
    enum tenuo_step step;
    int link;           /* index of the warrant concerned, 0 = root; -1: the chain or the call as a whole */
    int code;           /* 0: passed; else the decision's code, and no further step comes */
    const char *text;   /* what was found; of the failing step, the reason */
    const char *tool;   /* link, tool: the tool concerned */
    const char *field;  /* argument name, or at a failing link the member of the payload that was compared */
    const char *parent; /* failing link: what the parent says */
    const char *child;  /* failing link: what the child says; argument: the constraint */
};
/* Told once a step, in order, on the thread that decides. */
typedef void tenuo_explain_fn(void *arg, const struct tenuo_explanation *step);

/*
 * As tenuo_authorize, or as tenuo_verify when `request` is NULL. `ret_decision` may be NULL when the steps alone are
 * wanted. Codes as there.
 */
TENUO_API TENUO_MUST_USE int tenuo_explain(struct tenuo_verifier *verifier, const uint8_t *bytes, size_t len,
                                           const struct tenuo_request *request, int64_t as_of, tenuo_explain_fn *fn,
                                           void *arg, struct tenuo_decision **ret_decision, struct tenuo_error *reterr);
/* The same for a stack that is parsed already. */
TENUO_API TENUO_MUST_USE int tenuo_explain_stack(struct tenuo_verifier *verifier, const struct tenuo_stack *stack,
                                                 const struct tenuo_request *request, int64_t as_of,
                                                 tenuo_explain_fn *fn, void *arg, struct tenuo_decision **ret_decision,
                                                 struct tenuo_error *reterr);

#ifdef __cplusplus
}
#endif
#endif
