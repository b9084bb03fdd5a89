/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Approval gates: which calls need a human's approval (spec governance.md 6). Approvals themselves are not built yet,
 * so a gate that fires denies: 1707, or 1701 where nobody could approve.
 */
#ifndef TN_GATE_H
#define TN_GATE_H

#include "request.h"
#include "warrant.h"

/* 0: no gate fires. 1202 malformed, 1701, 1707, or the code of a constraint that cannot judge. */
int tn_gate_check(const struct tenuo_warrant *leaf, struct tn_str tool, const struct tenuo_args *args,
                  struct tn_match_env *env, struct tenuo_error *err);
/* Gates and approvers of one link: 1405, 1202. Stricter than the reference until approvals are built: see PROTOCOL.md.
 */
int tn_gate_link(const struct tenuo_warrant *p, const struct tenuo_warrant *c, struct tn_match_env *env,
                 struct tenuo_error *err);

#endif
