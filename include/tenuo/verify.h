/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The pure decision: verifier + warrants + request + time -> decision.
 *
 * No I/O, no clock, no randomness. A verifier is immutable and reference-counted; it may be shared by any number of
 * threads. Its link cache remembers which signatures were good and can only change how long an answer takes.
 */
#ifndef TENUO_VERIFY_H
#define TENUO_VERIFY_H

#include <stddef.h>
#include <stdint.h>
#include <tenuo/error.h>
#include <tenuo/matchers.h>
#include <tenuo/request.h>
#include <tenuo/warrant.h>

#ifdef __cplusplus
extern "C" {
#endif

struct tenuo_verifier_builder;
struct tenuo_verifier;
struct tenuo_decision;

TENUO_API TENUO_MUST_USE int tenuo_verifier_builder_new(struct tenuo_verifier_builder **ret_builder,
                                                        struct tenuo_error *reterr);
TENUO_API void tenuo_verifier_builder_free(struct tenuo_verifier_builder *builder);
/* Trusted root; refuses a weak key (1100). Adding one twice is fine. */
TENUO_API TENUO_MUST_USE int tenuo_verifier_builder_add_root(struct tenuo_verifier_builder *builder,
                                                             const uint8_t key[TENUO_PUBLIC_KEY_BYTES],
                                                             struct tenuo_error *reterr);
/* The same, trusted only while not_before <= as_of < not_after (Unix seconds); outside: 1406. */
TENUO_API TENUO_MUST_USE int tenuo_verifier_builder_add_root_valid(struct tenuo_verifier_builder *builder,
                                                                   const uint8_t key[TENUO_PUBLIC_KEY_BYTES],
                                                                   uint64_t not_before, uint64_t not_after,
                                                                   struct tenuo_error *reterr);
/* Minimum clearance for tools by exact name, `prefix*` or `*`: exact wins, then the longest prefix. 1201 for a bad
 * pattern. */
TENUO_API TENUO_MUST_USE int tenuo_verifier_builder_require_clearance(struct tenuo_verifier_builder *builder,
                                                                      const char *pattern, size_t len, uint8_t level,
                                                                      struct tenuo_error *reterr);
/* Settings; defaults in parentheses. */
TENUO_API void tenuo_verifier_builder_set_clock_tolerance(struct tenuo_verifier_builder *builder,
                                                          uint32_t secs); /* (30) */
TENUO_API void tenuo_verifier_builder_set_pop_windows(struct tenuo_verifier_builder *builder,
                                                      uint32_t n); /* (5); 0 accepts none, > 10 counts as 10 */
TENUO_API void tenuo_verifier_builder_set_max_chain(struct tenuo_verifier_builder *builder,
                                                    uint32_t n); /* (65), lower on request */
TENUO_API void tenuo_verifier_builder_set_max_lifetime(struct tenuo_verifier_builder *builder,
                                                       uint64_t secs); /* (none: UINT64_MAX) */
TENUO_API void tenuo_verifier_builder_set_link_cache(struct tenuo_verifier_builder *builder,
                                                     uint32_t entries); /* (4096), 0: off */
/* Session enforcement: every warrant carries the root's session id (off). */
TENUO_API void tenuo_verifier_builder_set_strict_session(struct tenuo_verifier_builder *builder, int on);
/* What judges Regex, Cel and experimental constraints; takes a reference. NULL: none, and they deny with 1504,
 * experimental ones with 1501. */
TENUO_API void tenuo_verifier_builder_set_matchers(struct tenuo_verifier_builder *builder,
                                                   struct tenuo_matchers *matchers);
/* May the leaf's holder approve its own calls (off)? */
TENUO_API void tenuo_verifier_builder_set_self_approval(struct tenuo_verifier_builder *builder, int on);
/* Longest lifetime of an approval that counts, in seconds (3600); 0: no bound. */
TENUO_API void tenuo_verifier_builder_set_max_approval_lifetime(struct tenuo_verifier_builder *builder, uint64_t secs);
/* A constraint gate fires as well when the value is of a type that the constraint cannot match (off). */
TENUO_API void tenuo_verifier_builder_set_strict_gates(struct tenuo_verifier_builder *builder, int on);
/* 1201 without a root. The builder stays usable. */
TENUO_API TENUO_MUST_USE int tenuo_verifier_builder_build(const struct tenuo_verifier_builder *builder,
                                                          struct tenuo_verifier **ret_verifier,
                                                          struct tenuo_error *reterr);
TENUO_API struct tenuo_verifier *tenuo_verifier_ref(struct tenuo_verifier *verifier);
TENUO_API void tenuo_verifier_unref(struct tenuo_verifier *verifier);

/*
 * Decisions. A return other than 0 means that no decision could be made (9xxx; never an allow). With 0, *ret_decision
 * tells allow or deny; free it with tenuo_decision_free. `bytes` is a binary warrant or stack, as in tenuo_stack_parse;
 * undecodable input is a denial, not an error. `as_of` is Unix seconds; read the clock once for a decision.
 */
TENUO_API TENUO_MUST_USE int tenuo_verify(struct tenuo_verifier *verifier, const uint8_t *bytes, size_t len,
                                          int64_t as_of, struct tenuo_decision **ret_decision,
                                          struct tenuo_error *reterr);
TENUO_API TENUO_MUST_USE int tenuo_authorize(struct tenuo_verifier *verifier, const uint8_t *bytes, size_t len,
                                             const struct tenuo_request *request, int64_t as_of,
                                             struct tenuo_decision **ret_decision, struct tenuo_error *reterr);
/* The same for a stack that is parsed already. */
TENUO_API TENUO_MUST_USE int tenuo_verify_stack(struct tenuo_verifier *verifier, const struct tenuo_stack *stack,
                                                int64_t as_of, struct tenuo_decision **ret_decision,
                                                struct tenuo_error *reterr);
TENUO_API TENUO_MUST_USE int tenuo_authorize_stack(struct tenuo_verifier *verifier, const struct tenuo_stack *stack,
                                                   const struct tenuo_request *request, int64_t as_of,
                                                   struct tenuo_decision **ret_decision, struct tenuo_error *reterr);
/* Is one PoP good for the warrant's holder? 0 or 1100. `windows` as above. Not an authorization. */
TENUO_API TENUO_MUST_USE int tenuo_pop_verify(const struct tenuo_warrant *warrant, const char *tool, size_t tool_len,
                                              const struct tenuo_args *args,
                                              const uint8_t signature[TENUO_SIGNATURE_BYTES], int64_t as_of,
                                              uint32_t windows, struct tenuo_error *reterr);

enum tenuo_outcome {
    TENUO_DENY = 0,
    TENUO_ALLOW = 1,
    TENUO_WOULD_DENY =
        2 /* mode observe: let through, although the code says why it would be denied (context layer only) */
};

/* Where a decision ended. Order of the enum is the order of the steps. */
enum tenuo_step {
    TENUO_STEP_DECODE, TENUO_STEP_CHAIN, TENUO_STEP_REVOCATION, TENUO_STEP_TRUST, TENUO_STEP_TIME, TENUO_STEP_LINK,
    TENUO_STEP_CLEARANCE, TENUO_STEP_TYPE, TENUO_STEP_POP, TENUO_STEP_TOOL, TENUO_STEP_CONSTRAINT, TENUO_STEP_GATE,
    TENUO_STEP_REPLAY, TENUO_STEP_AUDIT, TENUO_STEP_DONE
};
TENUO_API const char *tenuo_step_name(enum tenuo_step step);

TENUO_API void tenuo_decision_free(struct tenuo_decision *decision);
TENUO_API enum tenuo_outcome tenuo_decision_outcome(const struct tenuo_decision *d);
/* 0 on allow; else the wire code, its name, and the sentence: names the place, never a value. */
TENUO_API int tenuo_decision_code(const struct tenuo_decision *d);
TENUO_API const char *tenuo_decision_name(const struct tenuo_decision *d);
/*
 * The finest code of the protocol that fits: where all approvals were rejected for one reason that has a code of its
 * own (1702, 1703, 1705, 1706), that code beside the 1700 or 1701 which other implementations answer and clients branch
 * on; else the same as tenuo_decision_code. tenuo_err_name names it.
 */
TENUO_API int tenuo_decision_precise_code(const struct tenuo_decision *d);
TENUO_API const char *tenuo_decision_reason(const struct tenuo_decision *d);
TENUO_API enum tenuo_step tenuo_decision_step(const struct tenuo_decision *d);
/* Argument name of a constraint violation, or "". NUL-terminated copy, control characters escaped. */
TENUO_API const char *tenuo_decision_field(const struct tenuo_decision *d);
/* Index of the warrant concerned (0 = root), or -1. */
TENUO_API int tenuo_decision_link(const struct tenuo_decision *d);
TENUO_API const char *tenuo_decision_tool(const struct tenuo_decision *d);
/* The chain as far as it was decoded: 0 when it was not. Ids are text, root first. */
TENUO_API size_t tenuo_decision_chain_length(const struct tenuo_decision *d);
TENUO_API const char *tenuo_decision_chain_id(const struct tenuo_decision *d, size_t index);
/* 32 bytes each, NULL when not decoded. */
TENUO_API const uint8_t *tenuo_decision_root_key(const struct tenuo_decision *d);
TENUO_API const uint8_t *tenuo_decision_holder(const struct tenuo_decision *d);
TENUO_API uint32_t tenuo_decision_leaf_depth(const struct tenuo_decision *d);
TENUO_API uint64_t tenuo_decision_expires_at(const struct tenuo_decision *d);
/* 32 bytes, NULL for a chain verification or an undecodable warrant. */
TENUO_API const uint8_t *tenuo_decision_request_hash(const struct tenuo_decision *d);
/* Random 32 hex digits when it came from a context, else "". */
TENUO_API const char *tenuo_decision_id(const struct tenuo_decision *d);
/* How many audit sinks hold a record of this answer; 0 without a context, without audit lines, or when none took it. */
TENUO_API size_t tenuo_decision_audited(const struct tenuo_decision *d);

#ifdef __cplusplus
}
#endif
#endif
