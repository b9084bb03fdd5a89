/* SPDX-License-Identifier: Apache-2.0 */
/* Replay protection of a context: what the stores are asked after a decision, and what a reload keeps of them. */
#ifndef TN_REPLAY_H
#define TN_REPLAY_H

#include "ctx.h"
#include "decision.h"
#include "request.h"

/* Asks every replay line about an allow of the pure decision: d becomes a denial when one has seen the proof, or cannot
 * tell. Without a line nothing is asked. */
void tn_replay_ask(struct tenuo_ctx *c, struct tenuo_decision *d, const struct tenuo_request *q, int64_t as_of);
/* Until when a store must remember a proof that was accepted at `as_of` for the window that begins at `window`, as the
 * clock of the stores, `now`, counts. */
int64_t tn_replay_until(int64_t window, int64_t as_of, int64_t now, uint32_t pop_windows, uint32_t pop_bound);
/* What the lines of `old` remember passes to the equal lines of c, which are not open yet. */
void tn_replay_take_over(struct tenuo_ctx *c, const struct tenuo_ctx *old);

#endif
