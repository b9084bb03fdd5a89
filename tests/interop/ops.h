/* SPDX-License-Identifier: Apache-2.0 */
/* What the files of the interop driver share. Answers are those of the vector runner. */
#ifndef INTEROP_OPS_H
#define INTEROP_OPS_H

#include "../vectors_runner/runner.h"

struct op {
    const char *name; /* NULL: end of the table */
    json_t *(*run)(const json_t *);
};
extern const struct op governance_ops[];

/* driver.c: members of a request. 0, or the code of what is wrong with it. */
int hex_item(const json_t *item, struct bytes *ret);
int signer_of(const json_t *json, struct tenuo_signer **ret_signer); /* "seed" */
int stack_of(const json_t *json, const char *member, struct tenuo_stack **ret_stack);
int args_of(const json_t *json, struct tenuo_args **ret_args); /* "args" */

/* governance.c: optional members of mint ("gates", "approvers", "min_approvals") and authorize ("approvals", "srl"). */
int add_gates(const json_t *json, struct tenuo_mint *mint);
int add_approvals(const json_t *json, struct tenuo_request *request);
int set_list(const json_t *json, struct tenuo_verifier_builder *builder);
void put_approvers(json_t *answer, const struct tenuo_decision *decision);

#endif
