/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A call to be decided: typed arguments, the proof of possession over them, and what the guarding program adds.
 *
 * Values are built bottom-up and are immutable once built. They are held in the protocol's canonical encoding, so the
 * same value always yields the same PoP bytes, whichever way it came in.
 */
#ifndef TENUO_REQUEST_H
#define TENUO_REQUEST_H

#include <stddef.h>
#include <stdint.h>
#include <tenuo/error.h>
#include <tenuo/key.h>
#include <tenuo/warrant.h>

#ifdef __cplusplus
extern "C" {
#endif

#define TENUO_ARGS_MAX_BYTES 1048576 /* canonical encoding of all arguments of one call; more is refused with 9001 */
#define TENUO_VALUE_MAX_DEPTH 64     /* nested lists and objects of one value */

struct tenuo_value;
struct tenuo_args;
struct tenuo_request;

/* Constructors: 9001 for broken UTF-8 or a duplicate key, 9000. Lists and objects copy their members. */
TENUO_API TENUO_MUST_USE int tenuo_value_null(struct tenuo_value **ret);
TENUO_API TENUO_MUST_USE int tenuo_value_bool(int b, struct tenuo_value **ret);
TENUO_API TENUO_MUST_USE int tenuo_value_int(int64_t i, struct tenuo_value **ret);
TENUO_API TENUO_MUST_USE int tenuo_value_float(double d, struct tenuo_value **ret);
TENUO_API TENUO_MUST_USE int tenuo_value_string(const char *text, size_t len, struct tenuo_value **ret,
                                                struct tenuo_error *reterr);
TENUO_API TENUO_MUST_USE int tenuo_value_list(const struct tenuo_value *const *items, size_t count,
                                              struct tenuo_value **ret, struct tenuo_error *reterr);
TENUO_API TENUO_MUST_USE int tenuo_value_object(const char *const *keys, const size_t *key_lens,
                                                const struct tenuo_value *const *items, size_t count,
                                                struct tenuo_value **ret, struct tenuo_error *reterr);
/* One value from CBOR, under the protocol's strict rules: 1202 when refused. Key order is free. */
TENUO_API TENUO_MUST_USE int tenuo_value_parse(const uint8_t *cbor, size_t len, struct tenuo_value **ret,
                                               struct tenuo_error *reterr);
TENUO_API void tenuo_value_free(struct tenuo_value *value);
/* Canonical bytes; lent. */
TENUO_API const uint8_t *tenuo_value_cbor(const struct tenuo_value *value, size_t *ret_len);

/* Argument maps. Fill, then use; put copies. 9001 for a name that is there already or too much data. */
TENUO_API TENUO_MUST_USE int tenuo_args_new(struct tenuo_args **ret_args, struct tenuo_error *reterr);
TENUO_API TENUO_MUST_USE int tenuo_args_put(struct tenuo_args *args, const char *name, size_t len,
                                            const struct tenuo_value *value, struct tenuo_error *reterr);
/* From a CBOR map text -> value: 1202 when refused. */
TENUO_API TENUO_MUST_USE int tenuo_args_parse(const uint8_t *cbor, size_t len, struct tenuo_args **ret_args,
                                              struct tenuo_error *reterr);
TENUO_API void tenuo_args_free(struct tenuo_args *args);
TENUO_API size_t tenuo_args_count(const struct tenuo_args *args);

/* Challenge, signature and hashes of a call. `args` may be NULL for none. `when` is Unix seconds. */

/* The preimage, "tenuo-pop-v1" + challenge; the signed message has the outer prefix in front.
   *ret_bytes is allocated; free it with tenuo_bytes_free. */
TENUO_API TENUO_MUST_USE int tenuo_pop_preimage(const struct tenuo_warrant *warrant, const char *tool, size_t tool_len,
                                                const struct tenuo_args *args, int64_t when, uint8_t **ret_bytes,
                                                size_t *ret_len, struct tenuo_error *reterr);
TENUO_API void tenuo_bytes_free(uint8_t *bytes, size_t len);
/* Signs the call. 9306 when the signer's key is not the warrant's holder; remote signers may take time and fail with
 * 93xx. */
TENUO_API TENUO_MUST_USE int tenuo_pop_sign(const struct tenuo_signer *signer, const struct tenuo_warrant *warrant,
                                            const char *tool, size_t tool_len, const struct tenuo_args *args,
                                            int64_t when, uint8_t ret_signature[TENUO_SIGNATURE_BYTES],
                                            struct tenuo_error *reterr);
/* 32 bytes: what approvers sign and audit records. `holder` may be NULL (unknown). */
TENUO_API TENUO_MUST_USE int tenuo_request_hash(const char *warrant_id_text, const char *tool, size_t tool_len,
                                                const struct tenuo_args *args, const uint8_t *holder,
                                                uint8_t ret_hash[32], struct tenuo_error *reterr);
/* 64 hex digits + NUL: key under which replays of the call are recognised. */
TENUO_API TENUO_MUST_USE int tenuo_pop_dedup_key(const struct tenuo_warrant *warrant, const char *tool, size_t tool_len,
                                                 const struct tenuo_args *args, char ret_hex[65],
                                                 struct tenuo_error *reterr);

/* Requests. Everything set is copied. Tool: at most 256 bytes of UTF-8 (9001). */
TENUO_API TENUO_MUST_USE int tenuo_request_new(const char *tool, size_t tool_len, struct tenuo_request **ret_request,
                                               struct tenuo_error *reterr);
TENUO_API void tenuo_request_free(struct tenuo_request *request);
/* What the holder signed. */
TENUO_API TENUO_MUST_USE int tenuo_request_set_args(struct tenuo_request *request, const struct tenuo_args *args,
                                                    struct tenuo_error *reterr);
/* What constraints see, when a transport renames or extracts fields; defaults to the former. */
TENUO_API TENUO_MUST_USE int tenuo_request_set_constraint_args(struct tenuo_request *request,
                                                               const struct tenuo_args *args,
                                                               struct tenuo_error *reterr);
TENUO_API void tenuo_request_set_pop(struct tenuo_request *request, const uint8_t signature[TENUO_SIGNATURE_BYTES]);
/*
 * The PoP is judged at `when` instead of the time of the decision, for a call that was signed when it was scheduled.
 * `bound_secs` is how far apart the two may be (0: not at all) and must come from the guarding program, never from what
 * came with the call. Give all calls that one proof may come with one bound: replay stores remember it so long.
 */
TENUO_API void tenuo_request_set_pop_as_of(struct tenuo_request *request, int64_t when, uint32_t bound_secs);
/*
 * Correlation, audit only; the id is also part of the replay scope: a call that honestly repeats another needs an id of
 * its own. It is not signed: it must come from the guarding program, never from what came with the call, or a stolen
 * proof passes the replay stores again under another id. At most 32 attributes, none twice (9001); names
 * [a-z0-9_]{1,53}, values up to 256 bytes.
 */
TENUO_API TENUO_MUST_USE int tenuo_request_set_id(struct tenuo_request *request, const char *text,
                                                  struct tenuo_error *reterr);
/* Who called, as the guarding program's socket told it (SO_PEERCRED); audit only. -1: unknown, as without this call. */
TENUO_API void tenuo_request_set_peer(struct tenuo_request *request, int64_t uid, int64_t pid);
/*
 * This is a further attempt at a call whose first attempt was decided: replay stores are not asked. Only a guarding
 * program whose own engine counts the attempts may say so, never what came with the call.
 */
TENUO_API void tenuo_request_set_retry(struct tenuo_request *request);
TENUO_API TENUO_MUST_USE int tenuo_request_add_attribute(struct tenuo_request *request, const char *name,
                                                         const char *value, struct tenuo_error *reterr);

#ifdef __cplusplus
}
#endif
#endif
