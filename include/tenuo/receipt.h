/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Receipts: signed statements of an authorizer about one decision, each linked to the one before.
 *
 * A receipt proves who said it. What it says is proven by the checks below, each against something that the reader
 * already has: roots, arguments, a published list. Parsed receipts are immutable and may be shared between threads; a
 * chain belongs to one thread at a time. All functions are pure: no clock, no I/O.
 */
#ifndef TENUO_RECEIPT_H
#define TENUO_RECEIPT_H

#include <stddef.h>
#include <stdint.h>
#include <tenuo/error.h>
#include <tenuo/key.h>
#include <tenuo/request.h>
#include <tenuo/verify.h>
#include <tenuo/warrant.h>

#ifdef __cplusplus
extern "C" {
#endif

#define TENUO_RECEIPT_MAX_BYTES 270336 /* of one envelope: the largest stack and 8 KiB */
#define TENUO_RECEIPT_DIGEST_BYTES 32

struct tenuo_receipt;
struct tenuo_receipt_chain;

/*
 * What a receipt says; the number is the key in the signed payload. Text is UTF-8 with a length, NULL when
 * absent; hashes are 32 bytes, NULL when absent. Zero-initialise, set `size`, then what is to be said.
 */
struct tenuo_receipt_fields {
    uint32_t size; /* sizeof(struct tenuo_receipt_fields) */
    int allow;     /* 4: 1 allow, 0 deny */
    const char *authorizer_id; /* 1: a label, never a trust input */
    size_t authorizer_id_len;
    const uint8_t *warrant_chain; /* 2: the stack as presented; building without one writes the empty stack */
    size_t warrant_chain_len;
    const char *tool; /* 3: the part behind "tool:", or all of an action that was read and has no such prefix */
    size_t tool_len;
    const char *action; /* 3 whole; set when read, ignored when built */
    size_t action_len;
    int64_t timestamp;          /* 5: Unix seconds */
    const char *root_principal; /* 6 */
    size_t root_principal_len;
    const uint8_t *request_hash;  /* 7: tenuo_request_hash */
    const uint8_t *pop_signature; /* 8: 64 bytes; needed for allow; on deny when it had verified */
    const char *request_id;       /* 9: correlation handle; needed */
    size_t request_id_len;
    const char *decision_code; /* 10: error name (tenuo_err_name); needed for deny */
    size_t decision_code_len;
    const uint8_t *policy_hash; /* 11: tenuo_policy_hash */
    int has_srl_version;
    uint64_t srl_version;              /* 12 */
    const uint8_t *srl_hash;           /* 13: SHA-256 of the list's bytes */
    const uint8_t *prev_receipt_hash;  /* 14: tenuo_receipt_digest of the one before; NULL on the first */
    const uint8_t *trusted_roots_hash; /* 15: tenuo_verifier_roots_hash */
};

/*
 * Builds and signs. *ret_bytes (free with tenuo_bytes_free) is the envelope. 9001 for fields that no reader would take
 * (allow without a proof, deny without a code, broken UTF-8, too large); 93xx from a remote signer.
 */
TENUO_API TENUO_MUST_USE int tenuo_receipt_sign(const struct tenuo_receipt_fields *fields,
                                                const struct tenuo_signer *signer, uint8_t **ret_bytes, size_t *ret_len,
                                                struct tenuo_error *reterr);
/* Split, for a signer elsewhere: *ret_message (free with tenuo_bytes_free) is the complete Ed25519 message. */
TENUO_API TENUO_MUST_USE int tenuo_receipt_prepare(const struct tenuo_receipt_fields *fields, uint8_t **ret_message,
                                                   size_t *ret_len, struct tenuo_error *reterr);
/* The message of prepare and its signature to an envelope. The signature is verified first (1100). */
TENUO_API TENUO_MUST_USE int tenuo_receipt_finish(const uint8_t *message, size_t len,
                                                  const uint8_t key[TENUO_PUBLIC_KEY_BYTES],
                                                  const uint8_t signature[TENUO_SIGNATURE_BYTES], uint8_t **ret_bytes,
                                                  size_t *ret_len, struct tenuo_error *reterr);

/*
 * Strict reader and signature in one: whatever is returned is well-formed and was signed by the key that it names.
 * 1202 encoding, 1200 version, 1201 structure, 1204 missing field, 1100 signature or key, 1900 too large.
 */
TENUO_API TENUO_MUST_USE int tenuo_receipt_parse(const uint8_t *bytes, size_t len, struct tenuo_receipt **ret_receipt,
                                                 struct tenuo_error *reterr);
TENUO_API void tenuo_receipt_free(struct tenuo_receipt *receipt);
/* Everything it says; lent. */
TENUO_API const struct tenuo_receipt_fields *tenuo_receipt_get_fields(const struct tenuo_receipt *receipt);
/* 32 bytes; lent. Pin it: a receipt by a key that nobody vouches for proves nothing. */
TENUO_API const uint8_t *tenuo_receipt_signer(const struct tenuo_receipt *receipt);
/* SHA-256 of the whole envelope: what the next receipt links to, and what to publish. */
TENUO_API void tenuo_receipt_digest(const struct tenuo_receipt *receipt,
                                    uint8_t ret_digest[TENUO_RECEIPT_DIGEST_BYTES]);

/*
 * More than the signature. Each returns 0 when the claim holds; 1201 when the receipt does not
 * make it or it is another; other codes as said.
 */
/* Key 2 is a chain that this verifier accepts at the instant of key 5; the codes of tenuo_verify. */
TENUO_API TENUO_MUST_USE int tenuo_receipt_check_chain(const struct tenuo_receipt *receipt,
                                                       struct tenuo_verifier *verifier, struct tenuo_error *reterr);
/* Key 7 is the hash of this call: leaf of key 2, tool of key 3, these arguments (NULL: none). */
TENUO_API TENUO_MUST_USE int tenuo_receipt_check_args(const struct tenuo_receipt *receipt,
                                                      const struct tenuo_args *args, struct tenuo_error *reterr);
/* Key 8 is the leaf holder's proof for this call at `when`, which is key 5 unless the call was signed long before.
 * 1100. */
TENUO_API TENUO_MUST_USE int tenuo_receipt_check_pop(const struct tenuo_receipt *receipt, const struct tenuo_args *args,
                                                     int64_t when, uint32_t windows, struct tenuo_error *reterr);
/* Key 15 is the digest of this verifier's roots. */
TENUO_API TENUO_MUST_USE int tenuo_receipt_check_roots(const struct tenuo_receipt *receipt,
                                                       const struct tenuo_verifier *verifier,
                                                       struct tenuo_error *reterr);
/* Keys 12 and 13 name this list, given as it was loaded. */
TENUO_API TENUO_MUST_USE int tenuo_receipt_check_list(const struct tenuo_receipt *receipt, uint64_t version,
                                                      const uint8_t *list, size_t len, struct tenuo_error *reterr);

/*
 * A run of receipts: one signer throughout, each linked to the one before. Shows removal,
 * insertion, change and reordering within the run, not a cut at its end: compare the head with one published elsewhere.
 */
/* `signer` (32 bytes) pins the key; NULL takes the first receipt's. `before` (32 bytes) is the digest that the first
 * must link to, NULL for any. */
TENUO_API TENUO_MUST_USE int tenuo_receipt_chain_new(const uint8_t *signer, const uint8_t *before,
                                                     struct tenuo_receipt_chain **ret_chain,
                                                     struct tenuo_error *reterr);
TENUO_API void tenuo_receipt_chain_free(struct tenuo_receipt_chain *chain);
/* 1400 another signer, 1405 the link does not hold; then the chain is as it was. */
TENUO_API TENUO_MUST_USE int tenuo_receipt_chain_add(struct tenuo_receipt_chain *chain,
                                                     const struct tenuo_receipt *receipt, struct tenuo_error *reterr);
TENUO_API uint64_t tenuo_receipt_chain_count(const struct tenuo_receipt_chain *chain);
/* Digest of the last one, its signer, and what the first one links to: 32 bytes, lent; NULL when there is none. */
TENUO_API const uint8_t *tenuo_receipt_chain_head(const struct tenuo_receipt_chain *chain);
TENUO_API const uint8_t *tenuo_receipt_chain_signer(const struct tenuo_receipt_chain *chain);
TENUO_API const uint8_t *tenuo_receipt_chain_before(const struct tenuo_receipt_chain *chain);

/* Key 15: SHA-256 of the root keys, sorted, without duplicates, whatever their validity times. 9000. */
TENUO_API TENUO_MUST_USE int tenuo_verifier_roots_hash(const struct tenuo_verifier *verifier, uint8_t ret_hash[32],
                                                       struct tenuo_error *reterr);
/* Key 11: SHA-256 of the canonical encoding of a policy object (tenuo_value_object: keys sorted at every depth). */
TENUO_API void tenuo_policy_hash(const struct tenuo_value *policy, uint8_t ret_hash[32]);

#ifdef __cplusplus
}
#endif
#endif
