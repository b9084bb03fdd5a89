/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Human approvals: which calls need them (gates), what an approver is asked, and what an approver signs.
 *
 * A gate fires for a call; the decision is then 1707 and carries an approval request. Approvers sign its request hash;
 * the signed approvals are added to the request, and the call is decided again. Everything here but a fresh nonce and a
 * fresh request id is pure. Objects are immutable once made and may be shared between threads; builders belong to one
 * thread. What a getter returns is lent until the object is freed.
 */
#ifndef TENUO_APPROVAL_H
#define TENUO_APPROVAL_H

#include <stddef.h>
#include <stdint.h>
#include <tenuo/constraint.h>
#include <tenuo/error.h>
#include <tenuo/key.h>
#include <tenuo/request.h>
#include <tenuo/verify.h>
#include <tenuo/warrant.h>

#ifdef __cplusplus
extern "C" {
#endif

#define TENUO_APPROVAL_MAX_BYTES 65536     /* one encoded approval, and a list of them in binary */
#define TENUO_APPROVAL_MAX_COUNT 1024      /* approvals of one request */
#define TENUO_APPROVAL_NONCE_BYTES 16
#define TENUO_APPROVAL_LIFETIME_SECS 300   /* of a new approval, unless set */
#define TENUO_APPROVAL_TOLERANCE_SECS 30   /* how far ahead an approval may be dated by default */
#define TENUO_APPROVAL_REQUEST_ID_BYTES 16
#define TENUO_REQUEST_HASH_BYTES 32

/* Signed approvals. */

struct tenuo_approval; /* one, as received or made */

/*
 * Decodes one signed approval (CBOR, section 3) and checks all that its bytes decide: 1202 for a malformed envelope or
 * bytes behind envelope or payload, 1200 for another version, 1100 for a signature that does not verify under the key
 * it names, 1701 for a payload that says nothing valid (also one that expires before it begins), 9000. It says nothing
 * about who may approve, nor about time.
 */
TENUO_API TENUO_MUST_USE int tenuo_approval_parse(const uint8_t *bytes, size_t len,
                                                  struct tenuo_approval **ret_approval, struct tenuo_error *reterr);
/* NULL is fine. */
TENUO_API void tenuo_approval_free(struct tenuo_approval *approval);
/* The envelope, byte for byte. */
TENUO_API const uint8_t *tenuo_approval_bytes(const struct tenuo_approval *approval, size_t *ret_len);
/* 32 bytes: who signed. */
TENUO_API const uint8_t *tenuo_approval_key(const struct tenuo_approval *approval);
/* 32 bytes: the call that is approved (tenuo_request_hash). */
TENUO_API const uint8_t *tenuo_approval_request_hash(const struct tenuo_approval *approval);
/* TENUO_APPROVAL_NONCE_BYTES. */
TENUO_API const uint8_t *tenuo_approval_nonce(const struct tenuo_approval *approval);
/* The approver's label for audit, as text without NUL; may be empty. */
TENUO_API const char *tenuo_approval_external_id(const struct tenuo_approval *approval, size_t *ret_len);
/* Unix seconds. It counts while as_of < expires_at. */
TENUO_API uint64_t tenuo_approval_approved_at(const struct tenuo_approval *approval);
TENUO_API uint64_t tenuo_approval_expires_at(const struct tenuo_approval *approval);
/* Signed additions, opaque to decisions; in wire order. NULL when out of range. */
TENUO_API size_t tenuo_approval_extension_count(const struct tenuo_approval *approval);
TENUO_API const char *tenuo_approval_extension_key(const struct tenuo_approval *approval, size_t index,
                                                   size_t *ret_len);
TENUO_API const uint8_t *tenuo_approval_extension_value(const struct tenuo_approval *approval, size_t index,
                                                        size_t *ret_len);
/*
 * Is an approval that stands alone good at `as_of`? 0, or 1701 when it is dated more than `tolerance` seconds ahead.
 * Expiry is the caller's to judge (section 4), with tenuo_approval_expires_at.
 */
TENUO_API TENUO_MUST_USE int tenuo_approval_verify(const struct tenuo_approval *approval, int64_t as_of,
                                                   uint32_t tolerance, struct tenuo_error *reterr);

/* Making one. Everything set is copied. */

struct tenuo_approve; /* an approval that is not signed yet */

TENUO_API TENUO_MUST_USE int tenuo_approve_new(const uint8_t request_hash[TENUO_REQUEST_HASH_BYTES],
                                               struct tenuo_approve **ret_approve, struct tenuo_error *reterr);
TENUO_API void tenuo_approve_free(struct tenuo_approve *approve);
/* Default: random. */
TENUO_API void tenuo_approve_set_nonce(struct tenuo_approve *approve, const uint8_t nonce[TENUO_APPROVAL_NONCE_BYTES]);
/* Default: empty. UTF-8 of at most 1024 bytes (9001). */
TENUO_API TENUO_MUST_USE int tenuo_approve_set_external_id(struct tenuo_approve *approve, const char *text, size_t len,
                                                           struct tenuo_error *reterr);
/* Seconds from the time of signing; default TENUO_APPROVAL_LIFETIME_SECS. 0 is refused when it is signed (9001). */
TENUO_API void tenuo_approve_set_lifetime(struct tenuo_approve *approve, uint64_t secs);
/* At most 64, keys of at most 255 and values of at most 8192 bytes, no key twice (9001). */
TENUO_API TENUO_MUST_USE int tenuo_approve_add_extension(struct tenuo_approve *approve, const char *key,
                                                         size_t key_len, const uint8_t *value, size_t value_len,
                                                         struct tenuo_error *reterr);
/* One shot; `now` (Unix seconds) becomes approved_at. Remote signers may take time and fail with 93xx. */
TENUO_API TENUO_MUST_USE int tenuo_approve_sign(struct tenuo_approve *approve, const struct tenuo_signer *signer,
                                                uint64_t now, struct tenuo_approval **ret_approval,
                                                struct tenuo_error *reterr);
/*
 * Split: *ret_message (free with tenuo_bytes_free) is the complete Ed25519 message for the key `approver`; finish takes
 * the signature, verifies it (1100) and makes the approval. After prepare nothing can be set any more.
 */
TENUO_API TENUO_MUST_USE int tenuo_approve_prepare(struct tenuo_approve *approve,
                                                   const uint8_t approver[TENUO_PUBLIC_KEY_BYTES], uint64_t now,
                                                   uint8_t **ret_message, size_t *ret_len,
                                                   struct tenuo_error *reterr);
TENUO_API TENUO_MUST_USE int tenuo_approve_finish(struct tenuo_approve *approve,
                                                  const uint8_t signature[TENUO_SIGNATURE_BYTES],
                                                  struct tenuo_approval **ret_approval, struct tenuo_error *reterr);

/*
 * Approvals that came with a call. They are copied, in the order of presentation. What is malformed is refused here
 * with 1202 (1900 when larger than its bound) and the request stays as it was: the caller denies the call or goes on
 * without them. Versions, signatures, keys and times are judged by the decision, and only if a gate fires.
 */
/* One binary envelope. */
TENUO_API TENUO_MUST_USE int tenuo_request_add_approval(struct tenuo_request *request, const uint8_t *bytes,
                                                        size_t len, struct tenuo_error *reterr);
/*
 * All approvals of one carrier (section 3.1), told apart by their first byte:
 *   - a JSON array of texts, each the base64 of one envelope: at most 64 of at most 8192 characters;
 *   - base64 of such an array;
 *   - base64 of one CBOR array of envelopes, or of one envelope: at most 65536 bytes;
 *   - the same CBOR as it is.
 * base64 is the URL alphabet or the standard one, with or without padding; blanks around the whole are skipped.
 */
TENUO_API TENUO_MUST_USE int tenuo_request_add_approvals(struct tenuo_request *request, const uint8_t *text,
                                                         size_t len, struct tenuo_error *reterr);
TENUO_API size_t tenuo_request_approval_count(const struct tenuo_request *request);

/* Gates: which calls of a warrant need approval (section 6). */

enum tenuo_gate_kind {
    TENUO_GATE_ALL,        /* any value, and no value, of the argument */
    TENUO_GATE_CONSTRAINT, /* fires when the value matches */
    TENUO_GATE_EXEMPT      /* fires unless the value matches */
};

struct tenuo_gates;

/* The gates of a warrant: *ret_gates is NULL when it has none. 1202 when they are malformed. */
TENUO_API TENUO_MUST_USE int tenuo_gates_of(const struct tenuo_warrant *warrant, struct tenuo_gates **ret_gates,
                                            struct tenuo_error *reterr);
TENUO_API void tenuo_gates_free(struct tenuo_gates *gates);
/* Gated tools, in byte order of their names; "*" gates every tool. 0 for NULL. */
TENUO_API size_t tenuo_gates_count(const struct tenuo_gates *gates);
TENUO_API const char *tenuo_gates_tool(const struct tenuo_gates *gates, size_t index, size_t *ret_len);
/* 1: every call of the tool. 0: by argument, as listed. */
TENUO_API int tenuo_gates_is_whole(const struct tenuo_gates *gates, size_t index);
/* Trimmed, at most 200 code points, without NUL; NULL when there is none. */
TENUO_API const char *tenuo_gates_message(const struct tenuo_gates *gates, size_t index, size_t *ret_len);
TENUO_API size_t tenuo_gates_arg_count(const struct tenuo_gates *gates, size_t index);
TENUO_API const char *tenuo_gates_arg_name(const struct tenuo_gates *gates, size_t index, size_t arg, size_t *ret_len);
TENUO_API enum tenuo_gate_kind tenuo_gates_arg_kind(const struct tenuo_gates *gates, size_t index, size_t arg);
/* NULL for TENUO_GATE_ALL. */
TENUO_API const struct tenuo_constraint *tenuo_gates_arg_constraint(const struct tenuo_gates *gates, size_t index,
                                                                    size_t arg);

/*
 * May a child of `parent` have the gates, approvers and threshold of `child` (sections 6.3 and 7)? Nothing else of the
 * two is compared. 0, or 1405; 1202 for malformed gates, 9000. `matchers` may be NULL.
 */
TENUO_API TENUO_MUST_USE int tenuo_gates_attenuate(const struct tenuo_warrant *parent,
                                                   const struct tenuo_warrant *child,
                                                   const struct tenuo_matchers *matchers, int64_t as_of,
                                                   struct tenuo_error *reterr);

/* How many different approvers a gated call needs (section 8); 0 when the warrant names none. */
TENUO_API uint32_t tenuo_warrant_approval_threshold(const struct tenuo_warrant *warrant);

/* Approval requests: what an approver is shown (section 5). Not signed by itself. */

struct tenuo_approval_request;

/* All of one request. Pointers are lent; ids and hash hold 16 and 32 bytes. */
struct tenuo_approval_request_view {
    size_t size;               /* sizeof of the structure, as the caller knows it */
    const uint8_t *request_id; /* UUIDv7, for correlation only; NULL until stamped */
    const char *warrant_id;    /* text form, NUL-terminated */
    const char *tool;
    size_t tool_len;
    const struct tenuo_args *args; /* NULL: none */
    const uint8_t *request_hash;
    const uint8_t *const *approvers; /* as the warrant lists them */
    size_t approver_count;
    uint32_t threshold;            /* min_approvals: how many of them are needed */
    uint64_t warrant_expires_at, created_at; /* Unix seconds; created_at is 0 until stamped, never trusted */
    const char *message;           /* the gate's, or "Approval required for tool '...'"; without NUL */
    size_t message_len;
};

/*
 * Does this call need an approval (preflight)? Pure. With 0, *ret_wanted is NULL for a call that needs none, else what
 * an approver needs; free it with tenuo_approval_request_free. Nothing but the leaf's gates is judged: neither chain,
 * nor tool, nor constraints. `verifier` gives matchers and settings and may be NULL for none. 1701 when a gate fires
 * and the warrant names nobody who could approve, 1202 for malformed gates, 1501 or 1504 when a gate's constraint
 * cannot judge the value.
 */
TENUO_API TENUO_MUST_USE int tenuo_gate_evaluate(const struct tenuo_verifier *verifier,
                                                 const struct tenuo_warrant *leaf,
                                                 const struct tenuo_request *request, int64_t as_of,
                                                 struct tenuo_approval_request **ret_wanted,
                                                 struct tenuo_error *reterr);
/* Of a decision with code 1707, 1700 or 1701 by approvals that were not enough; else NULL. Lent until the decision is
 * freed. */
TENUO_API const struct tenuo_approval_request *tenuo_decision_approval_request(const struct tenuo_decision *d);
/* A copy that can be stamped and outlives the decision. */
TENUO_API TENUO_MUST_USE int tenuo_approval_request_copy(const struct tenuo_approval_request *wanted,
                                                         struct tenuo_approval_request **ret_copy,
                                                         struct tenuo_error *reterr);
TENUO_API void tenuo_approval_request_free(struct tenuo_approval_request *wanted);
/* Sets created_at and the request id; `id` NULL: a fresh UUIDv7 of `now`. */
TENUO_API void tenuo_approval_request_stamp(struct tenuo_approval_request *wanted, uint64_t now,
                                            const uint8_t *id);
TENUO_API void tenuo_approval_request_get(const struct tenuo_approval_request *wanted,
                                          struct tenuo_approval_request_view *ret_view);
/*
 * Is a request that came from outside what the warrant says? Verify the chain first (tenuo_verify_stack); `leaf` is its
 * last warrant. Compares id, hash (recomputed with the leaf's holder), message, approvers in order, threshold and
 * expiry: 1706 when the hash is another call's, 1701 for any other difference, also when no gate fires for the call.
 * `claimed->size` must be set. Request id and created_at are never trusted and not compared.
 */
TENUO_API TENUO_MUST_USE int tenuo_approval_request_check(const struct tenuo_approval_request_view *claimed,
                                                          const struct tenuo_verifier *verifier,
                                                          const struct tenuo_warrant *leaf, int64_t as_of,
                                                          struct tenuo_error *reterr);

/*
 * The holder's signature under what it asks approval for (approval-context attestation). The signer is the holder; the
 * request hash in it is computed from the other parts. Verify: 0 or 1100.
 */
TENUO_API TENUO_MUST_USE int tenuo_approval_context_sign(const struct tenuo_signer *holder, const char *warrant_id,
                                                         const char *tool, size_t tool_len,
                                                         const struct tenuo_args *args,
                                                         uint8_t ret_signature[TENUO_SIGNATURE_BYTES],
                                                         struct tenuo_error *reterr);
TENUO_API TENUO_MUST_USE int tenuo_approval_context_verify(const uint8_t holder[TENUO_PUBLIC_KEY_BYTES],
                                                           const char *warrant_id, const char *tool, size_t tool_len,
                                                           const struct tenuo_args *args,
                                                           const uint8_t signature[TENUO_SIGNATURE_BYTES],
                                                           struct tenuo_error *reterr);

/* What became of the approvals of a decision. */

/* Why an approval did not count: the first test of section 4.5 that it failed, in that order. */
enum tenuo_approval_class {
    TENUO_APPROVAL_INVALID,        /* version, signature or payload */
    TENUO_APPROVAL_NOT_AUTHORIZED, /* the key is no approver of the warrant */
    TENUO_APPROVAL_DUPLICATE,      /* the key has counted already */
    TENUO_APPROVAL_EXPIRED,
    TENUO_APPROVAL_NOT_YET_VALID,
    TENUO_APPROVAL_HASH_MISMATCH,  /* of another call */
    TENUO_APPROVAL_SELF,           /* by the holder itself (setting self_approval) */
    TENUO_APPROVAL_TOO_LONG,       /* lives longer than max_approval_lifetime */
    TENUO_APPROVAL_CLASSES         /* number of classes */
};
/* "invalid", "not authorized", "duplicate" ...; static. */
TENUO_API const char *tenuo_approval_class_name(enum tenuo_approval_class reason);

/* The keys that counted, 32 bytes each, in the order of presentation; NULL when out of range. */
TENUO_API size_t tenuo_decision_approved_count(const struct tenuo_decision *d);
TENUO_API const uint8_t *tenuo_decision_approved_by(const struct tenuo_decision *d, size_t index);
/* Approvals that were rejected for this reason, among those that were looked at. */
TENUO_API uint32_t tenuo_decision_approvals_rejected(const struct tenuo_decision *d, enum tenuo_approval_class reason);
/* How many the call needs; 0 when no gate fired. */
TENUO_API uint32_t tenuo_decision_approvals_required(const struct tenuo_decision *d);

/* Preflight of names: can this set of arguments pass at all? */

struct tenuo_prevalidation;

/* Of the tool's constraint set, or that of "*": 1500 when the warrant has neither. */
TENUO_API TENUO_MUST_USE int tenuo_warrant_prevalidate(const struct tenuo_warrant *warrant, const char *tool,
                                                       size_t tool_len, const char *const *names,
                                                       const size_t *name_lens, size_t count,
                                                       struct tenuo_prevalidation **ret_result,
                                                       struct tenuo_error *reterr);
TENUO_API void tenuo_prevalidation_free(struct tenuo_prevalidation *result);
/* Arguments that the warrant does not know and would refuse, as indices into `names`, ascending. */
TENUO_API size_t tenuo_prevalidation_unknown_count(const struct tenuo_prevalidation *result);
TENUO_API size_t tenuo_prevalidation_unknown(const struct tenuo_prevalidation *result, size_t index);
/* Arguments that the warrant demands and that are not there; names without NUL, in byte order. */
TENUO_API size_t tenuo_prevalidation_missing_count(const struct tenuo_prevalidation *result);
TENUO_API const char *tenuo_prevalidation_missing(const struct tenuo_prevalidation *result, size_t index,
                                                  size_t *ret_len);

#ifdef __cplusplus
}
#endif
#endif
