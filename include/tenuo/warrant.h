/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Warrants as received: bytes or text to immutable objects, and what they say.
 *
 * Parsing checks the size, strict CBOR, every structural rule and the signature under the key that the warrant names as
 * its issuer. It says nothing about trust: a parsed warrant is well formed, not authorized. Objects are immutable and
 * may be shared between threads; free them once, when no thread uses them any more. Everything a getter returns is lent
 * until the stack is freed.
 */
#ifndef TENUO_WARRANT_H
#define TENUO_WARRANT_H

#include <stddef.h>
#include <stdint.h>
#include <tenuo/error.h>

#ifdef __cplusplus
extern "C" {
#endif

#define TENUO_WARRANT_MAX_BYTES 65536  /* one encoded envelope */
#define TENUO_STACK_MAX_BYTES 262144   /* one encoded stack */
#define TENUO_WARRANT_ID_BYTES 16
#define TENUO_WARRANT_ID_TEXT_BYTES 41 /* "tnu_wrt_" + 32 hex digits + NUL */
#define TENUO_PUBLIC_KEY_BYTES 32
#define TENUO_SIGNATURE_BYTES 64

enum tenuo_warrant_type { TENUO_EXECUTION = 0, TENUO_ISSUER = 1 };

struct tenuo_warrant; /* one warrant; lives inside its stack */
struct tenuo_stack;   /* one or more warrants, root first, leaf last */

/*
 * Parses one binary warrant or one binary stack; which of the two is told by the first element. A
 * single warrant becomes a stack of length 1. Errors: 1900 too large, 1202 malformed or bad signature, 1201, 1402, 1404
 * structural, 9000.
 */
TENUO_API TENUO_MUST_USE int tenuo_stack_parse(const uint8_t *bytes, size_t len, struct tenuo_stack **ret_stack,
                                               struct tenuo_error *reterr);

/* The same for a caller who knows what must come: a stack given as a warrant is refused, and the reverse (1202). */
TENUO_API TENUO_MUST_USE int tenuo_stack_parse_single(const uint8_t *bytes, size_t len, struct tenuo_stack **ret_stack,
                                                      struct tenuo_error *reterr);
TENUO_API TENUO_MUST_USE int tenuo_stack_parse_array(const uint8_t *bytes, size_t len, struct tenuo_stack **ret_stack,
                                                     struct tenuo_error *reterr);

/*
 * Parses any form in which warrants travel: binary, `.tenuo` file (magic), chain PEM, warrant PEM blocks in order,
 * base64url of a warrant or of a stack. `len` excludes any NUL.
 */
TENUO_API TENUO_MUST_USE int tenuo_stack_parse_any(const uint8_t *text, size_t len, struct tenuo_stack **ret_stack,
                                                   struct tenuo_error *reterr);

/* Exactly the protocol's two text decoders: base64url of one warrant (3.1), and the chain decoder of 3.2. */
TENUO_API TENUO_MUST_USE int tenuo_stack_parse_warrant_text(const char *text, size_t len,
                                                            struct tenuo_stack **ret_stack, struct tenuo_error *reterr);
TENUO_API TENUO_MUST_USE int tenuo_stack_parse_chain_text(const char *text, size_t len, struct tenuo_stack **ret_stack,
                                                          struct tenuo_error *reterr);

/* A stack of single warrants, root first; they are copied. 9001 for none, 1404 for too many. Whether they belong
 * together is for a verifier to say. */
TENUO_API TENUO_MUST_USE int tenuo_stack_join(const struct tenuo_warrant *const *warrants, size_t count,
                                              struct tenuo_stack **ret_stack, struct tenuo_error *reterr);
/* NULL is fine. */
TENUO_API void tenuo_stack_free(struct tenuo_stack *stack);

TENUO_API size_t tenuo_stack_length(const struct tenuo_stack *stack);
/* Index 0 is the root; NULL when out of range. */
TENUO_API const struct tenuo_warrant *tenuo_stack_warrant(const struct tenuo_stack *stack, size_t index);
TENUO_API const struct tenuo_warrant *tenuo_stack_leaf(const struct tenuo_stack *stack);

enum tenuo_text_form {
    TENUO_FORM_CBOR,      /* binary: a single envelope for one warrant, else an array of envelopes */
    TENUO_FORM_STACK,     /* binary: always an array of envelopes */
    TENUO_FORM_BASE64URL, /* base64url without padding of TENUO_FORM_CBOR, no newline */
    TENUO_FORM_PEM,       /* TENUO WARRANT for one warrant, else TENUO WARRANT CHAIN */
    TENUO_FORM_FILE       /* `.tenuo` file: magic 54 45 4E 55 01, then the stack */
};

/*
 * Writes the stack in a form. Call with buf NULL to learn the size. *len holds the capacity on entry and the size on
 * return; text forms are not NUL-terminated. 9001 when the capacity is too small (*len is then the size needed).
 */
TENUO_API TENUO_MUST_USE int tenuo_stack_encode(const struct tenuo_stack *stack, enum tenuo_text_form form,
                                                uint8_t *buf, size_t *len, struct tenuo_error *reterr);
/* The same for one warrant of a stack. */
TENUO_API TENUO_MUST_USE int tenuo_warrant_encode(const struct tenuo_warrant *warrant, enum tenuo_text_form form,
                                                  uint8_t *buf, size_t *len, struct tenuo_error *reterr);

/* Getters. Pointers to keys are 32 bytes, ids 16 bytes, signatures 64 bytes. Times are Unix seconds. */
TENUO_API const uint8_t *tenuo_warrant_id(const struct tenuo_warrant *w);
TENUO_API enum tenuo_warrant_type tenuo_warrant_get_type(const struct tenuo_warrant *w);
TENUO_API const uint8_t *tenuo_warrant_holder(const struct tenuo_warrant *w);
TENUO_API const uint8_t *tenuo_warrant_issuer(const struct tenuo_warrant *w);
TENUO_API uint64_t tenuo_warrant_issued_at(const struct tenuo_warrant *w);
TENUO_API uint64_t tenuo_warrant_expires_at(const struct tenuo_warrant *w);
TENUO_API uint32_t tenuo_warrant_depth(const struct tenuo_warrant *w);
TENUO_API uint32_t tenuo_warrant_max_depth(const struct tenuo_warrant *w);
/* 32 bytes, or NULL for a root. */
TENUO_API const uint8_t *tenuo_warrant_parent_hash(const struct tenuo_warrant *w);
/* SHA-256 of the payload bytes, what a child names as its parent_hash. */
TENUO_API void tenuo_warrant_payload_hash(const struct tenuo_warrant *w, uint8_t ret_hash[32]);
TENUO_API const uint8_t *tenuo_warrant_payload(const struct tenuo_warrant *w, size_t *ret_len);
TENUO_API const uint8_t *tenuo_warrant_signature(const struct tenuo_warrant *w);
/* -1 when absent. */
TENUO_API int tenuo_warrant_clearance(const struct tenuo_warrant *w);
TENUO_API int64_t tenuo_warrant_max_issue_depth(const struct tenuo_warrant *w);
TENUO_API int64_t tenuo_warrant_min_approvals(const struct tenuo_warrant *w);
/* Text without NUL; NULL when absent. */
TENUO_API const char *tenuo_warrant_session_id(const struct tenuo_warrant *w, size_t *ret_len);
TENUO_API const char *tenuo_warrant_agent_id(const struct tenuo_warrant *w, size_t *ret_len);

TENUO_API size_t tenuo_warrant_tool_count(const struct tenuo_warrant *w);
/* Name without NUL, in byte order of names; NULL when out of range. */
TENUO_API const char *tenuo_warrant_tool_name(const struct tenuo_warrant *w, size_t index, size_t *ret_len);
TENUO_API size_t tenuo_warrant_issuable_count(const struct tenuo_warrant *w);
TENUO_API const char *tenuo_warrant_issuable_name(const struct tenuo_warrant *w, size_t index, size_t *ret_len);
/* The constraint set of a tool as a borrowed view; see constraint.h. NULL when the warrant does not name the tool. */
struct tenuo_constraint_set;
TENUO_API const struct tenuo_constraint_set *tenuo_warrant_tool_set(const struct tenuo_warrant *w, size_t index);
/* Issuer bounds; NULL when absent. */
TENUO_API const struct tenuo_constraint_set *tenuo_warrant_bounds(const struct tenuo_warrant *w);

TENUO_API size_t tenuo_warrant_approver_count(const struct tenuo_warrant *w);
TENUO_API const uint8_t *tenuo_warrant_approver(const struct tenuo_warrant *w, size_t index);
/*
 * Extensions other than session and agent id, in wire order. They are this warrant's own: nothing is inherited, nothing
 * is compared along a chain but tenuo.approval_gates, and a holder writes what it likes into the child that it signs.
 * What grants anything must be read from the root, or found equal in every warrant of the chain.
 */
TENUO_API size_t tenuo_warrant_extension_count(const struct tenuo_warrant *w);
TENUO_API const char *tenuo_warrant_extension_key(const struct tenuo_warrant *w, size_t index, size_t *ret_len);
TENUO_API const uint8_t *tenuo_warrant_extension_value(const struct tenuo_warrant *w, size_t index, size_t *ret_len);
/* The value of one extension of this warrant; NULL when it has none of that key. */
TENUO_API const uint8_t *tenuo_warrant_extension(const struct tenuo_warrant *w, const char *key, size_t key_len,
                                                 size_t *ret_len);

/* Warrant id text. Always writes TENUO_WARRANT_ID_TEXT_BYTES including the NUL. */
TENUO_API void tenuo_warrant_id_text(const uint8_t id[TENUO_WARRANT_ID_BYTES],
                                     char ret_text[TENUO_WARRANT_ID_TEXT_BYTES]);
/* Any accepted spelling to 16 bytes; 1201 otherwise. */
TENUO_API TENUO_MUST_USE int tenuo_warrant_id_parse(const char *text, size_t len,
                                                    uint8_t ret_id[TENUO_WARRANT_ID_BYTES], struct tenuo_error *reterr);

/* Clearance word ("internal") or number 0..255 to a level; 1201 otherwise. */
TENUO_API TENUO_MUST_USE int tenuo_clearance_parse(const char *text, size_t len, uint8_t *ret_level,
                                                   struct tenuo_error *reterr);
/* Word for a level, or NULL where there is none. */
TENUO_API const char *tenuo_clearance_name(uint8_t level);

#ifdef __cplusplus
}
#endif
#endif
