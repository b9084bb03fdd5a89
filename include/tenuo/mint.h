/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Making warrants: a root, a narrower child of the same type, or an execution warrant from an issuer warrant.
 *
 * One builder type; what it makes is fixed when it is created. Nothing is implied for tools: a child carries only what
 * is named. The result is decoded by our own decoder and, for a child, checked as a link before it is returned.
 * Builders belong to one thread.
 */
#ifndef TENUO_MINT_H
#define TENUO_MINT_H

#include <stddef.h>
#include <stdint.h>
#include <tenuo/approval.h>
#include <tenuo/constraint.h>
#include <tenuo/error.h>
#include <tenuo/key.h>
#include <tenuo/matchers.h>
#include <tenuo/warrant.h>

#ifdef __cplusplus
extern "C" {
#endif

#define TENUO_DEFAULT_TTL_SECS 300
#define TENUO_MAX_TTL_SECS 7776000 /* 90 days, roots only */

struct tenuo_mint;

TENUO_API TENUO_MUST_USE int tenuo_mint_root(struct tenuo_mint **ret_mint, struct tenuo_error *reterr);
/* `parent` is the chain so far; its leaf is the parent. Copied. The result is the chain with the child appended. */
TENUO_API TENUO_MUST_USE int tenuo_mint_attenuate(const struct tenuo_stack *parent, struct tenuo_mint **ret_mint,
                                                  struct tenuo_error *reterr);
TENUO_API TENUO_MUST_USE int tenuo_mint_issue(const struct tenuo_stack *parent, struct tenuo_mint **ret_mint,
                                              struct tenuo_error *reterr);
TENUO_API void tenuo_mint_free(struct tenuo_mint *mint);

/* Type of a root; otherwise inferred from tools and issuable tools. */
TENUO_API void tenuo_mint_set_type(struct tenuo_mint *mint, enum tenuo_warrant_type type);
/* What judges Regex, Cel and experimental constraints while the link to the parent is checked; takes a reference, NULL:
 * none. Default: none, and a child that needs them is refused (1504, or 1502). */
TENUO_API void tenuo_mint_set_matchers(struct tenuo_mint *mint, struct tenuo_matchers *matchers);
/* Default: UUIDv7 of the time of signing. */
TENUO_API void tenuo_mint_set_id(struct tenuo_mint *mint, const uint8_t id[TENUO_WARRANT_ID_BYTES]);
/* Default: the signer's key (root), the parent's holder (attenuate); required for issue. */
TENUO_API TENUO_MUST_USE int tenuo_mint_set_holder(struct tenuo_mint *mint, const uint8_t key[TENUO_PUBLIC_KEY_BYTES],
                                                   struct tenuo_error *reterr);
/* Lifetime in seconds from the time of signing. Beyond the parent's expiry: 1502, unless capped, which shortens it
 * silently. */
TENUO_API void tenuo_mint_set_ttl(struct tenuo_mint *mint, uint64_t secs);
TENUO_API void tenuo_mint_set_ttl_capped(struct tenuo_mint *mint, uint64_t secs);
/* Absolute expiry, instead of a lifetime. */
TENUO_API void tenuo_mint_set_expires_at(struct tenuo_mint *mint, uint64_t when);
/* NULL set: an empty one, which allows every argument. Copied. */
TENUO_API TENUO_MUST_USE int tenuo_mint_add_tool(struct tenuo_mint *mint, const char *name, size_t len,
                                                 const struct tenuo_constraint_set *set, struct tenuo_error *reterr);
/* Takes the parent's set for the tool (or that of "*"): 1502 when the parent has neither. */
TENUO_API TENUO_MUST_USE int tenuo_mint_keep_tool(struct tenuo_mint *mint, const char *name, size_t len,
                                                  struct tenuo_error *reterr);
TENUO_API TENUO_MUST_USE int tenuo_mint_keep_all(struct tenuo_mint *mint, struct tenuo_error *reterr);
TENUO_API TENUO_MUST_USE int tenuo_mint_add_issuable(struct tenuo_mint *mint, const char *name, size_t len,
                                                     struct tenuo_error *reterr);
TENUO_API TENUO_MUST_USE int tenuo_mint_set_bounds(struct tenuo_mint *mint, const struct tenuo_constraint_set *set,
                                                   struct tenuo_error *reterr);
TENUO_API void tenuo_mint_set_max_depth(struct tenuo_mint *mint, uint32_t depth);
/* No further delegation: max_depth becomes the depth of the new warrant. */
TENUO_API void tenuo_mint_set_terminal(struct tenuo_mint *mint);
TENUO_API void tenuo_mint_set_max_issue_depth(struct tenuo_mint *mint, uint32_t depth);
TENUO_API void tenuo_mint_set_clearance(struct tenuo_mint *mint, uint8_t level);
TENUO_API TENUO_MUST_USE int tenuo_mint_set_session_id(struct tenuo_mint *mint, const char *text, size_t len,
                                                       struct tenuo_error *reterr);
TENUO_API TENUO_MUST_USE int tenuo_mint_set_agent_id(struct tenuo_mint *mint, const char *text, size_t len,
                                                     struct tenuo_error *reterr);
TENUO_API TENUO_MUST_USE int tenuo_mint_add_extension(struct tenuo_mint *mint, const char *key, size_t key_len,
                                                      const uint8_t *value, size_t value_len,
                                                      struct tenuo_error *reterr);
TENUO_API TENUO_MUST_USE int tenuo_mint_add_approver(struct tenuo_mint *mint, const uint8_t key[TENUO_PUBLIC_KEY_BYTES],
                                                     struct tenuo_error *reterr);
TENUO_API void tenuo_mint_set_min_approvals(struct tenuo_mint *mint, uint32_t n);
/*
 * Approval gates. A child inherits its parent's approvers, and the gates of what it carries;
 * what is added here is merged: a whole tool beats single arguments, and the parent's gate for an argument stays, so
 * that another one for it is refused when the child is signed (1502).
 * Approvers need gates and gates approvers (1201); a minimum above the number of approvers is 1502. The minimum of a
 * child is by default the parent's, plus one for each approver added.
 */
/* Every call of the tool ("*": of every tool). */
TENUO_API TENUO_MUST_USE int tenuo_mint_add_gate(struct tenuo_mint *mint, const char *tool, size_t tool_len,
                                                 struct tenuo_error *reterr);
/*
 * Calls of the tool by one argument; `constraint` is copied, NULL for TENUO_GATE_ALL. 9001 when the tool's argument has
 * a gate already or the constraint's type cannot be an exemption.
 */
TENUO_API TENUO_MUST_USE int tenuo_mint_add_arg_gate(struct tenuo_mint *mint, const char *tool, size_t tool_len,
                                                     const char *arg, size_t arg_len, enum tenuo_gate_kind kind,
                                                     const struct tenuo_constraint *constraint,
                                                     struct tenuo_error *reterr);
/* What approvers are told when the tool's gate fires: trimmed, cut to 200 code points; empty removes it. */
TENUO_API TENUO_MUST_USE int tenuo_mint_set_gate_message(struct tenuo_mint *mint, const char *tool, size_t tool_len,
                                                         const char *text, size_t len, struct tenuo_error *reterr);

/* One shot: checks, signs, returns the whole chain. `now` is Unix seconds. */
TENUO_API TENUO_MUST_USE int tenuo_mint_sign(struct tenuo_mint *mint, const struct tenuo_signer *signer, uint64_t now,
                                             struct tenuo_stack **ret_stack, struct tenuo_error *reterr);
/*
 * Split: freeze the payload for a signer elsewhere. *ret_message (free with tenuo_bytes_free) is the complete Ed25519
 * message. Then finish with the signature, which is verified before anything is returned. After prepare nothing can be
 * set any more.
 */
TENUO_API TENUO_MUST_USE int tenuo_mint_prepare(struct tenuo_mint *mint, const uint8_t issuer[TENUO_PUBLIC_KEY_BYTES],
                                                uint64_t now, uint8_t **ret_message, size_t *ret_len,
                                                struct tenuo_error *reterr);
TENUO_API TENUO_MUST_USE int tenuo_mint_finish(struct tenuo_mint *mint, const uint8_t signature[TENUO_SIGNATURE_BYTES],
                                               struct tenuo_stack **ret_stack, struct tenuo_error *reterr);

#ifdef __cplusplus
}
#endif
#endif
