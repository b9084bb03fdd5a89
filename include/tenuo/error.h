/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Error numbers, names and the error structure that every fallible function can fill.
 *
 * Numbers 1000-2199 are the wire codes of the protocol and never change meaning. Numbers from 9000
 * are this library's own: conditions in which no answer about a warrant was reached.
 *
 * Conventions of the whole API:
 *   - a fallible function returns TENUO_OK (0) or one of these numbers, and nothing else;
 *   - the last parameter, `reterr`, may be NULL; it is written only on failure;
 *   - `ret_...` outputs belong to the caller and are left untouched on failure;
 *   - inputs are borrowed for the call only, getters lend until the owner is freed;
 *   - no message ever holds a key, a seed, a token or an argument value.
 */
#ifndef TENUO_ERROR_H
#define TENUO_ERROR_H

#include <stddef.h>

#if defined(__GNUC__)
#define TENUO_API __attribute__((visibility("default")))
#define TENUO_MUST_USE __attribute__((warn_unused_result))
#else
#define TENUO_API
#define TENUO_MUST_USE
#endif

#ifdef __cplusplus
extern "C" {
#endif

#define TENUO_OK 0

/* Wire codes. Comments give the HTTP status only where it is not that of the hundred (tenuo_err_http_status). */
#define TENUO_E_ENVELOPE_VERSION 1000
#define TENUO_E_ENVELOPE_STRUCTURE 1001
#define TENUO_E_SIGNATURE_INVALID 1100
#define TENUO_E_PAYLOAD_VERSION 1200
#define TENUO_E_PAYLOAD_STRUCTURE 1201
#define TENUO_E_MALFORMED_CBOR 1202
#define TENUO_E_MISSING_FIELD 1204
#define TENUO_E_EXPIRED 1300
#define TENUO_E_ISSUED_IN_FUTURE 1302
#define TENUO_E_TTL_EXCEEDED 1303
#define TENUO_E_INVALID_ISSUER 1400
#define TENUO_E_DEPTH_EXCEEDED 1402
#define TENUO_E_CHAIN_TOO_LONG 1404
#define TENUO_E_CHAIN_BROKEN 1405
#define TENUO_E_UNTRUSTED_ROOT 1406
#define TENUO_E_TOOL_NOT_AUTHORIZED 1500
#define TENUO_E_CONSTRAINT_VIOLATION 1501
#define TENUO_E_INVALID_ATTENUATION 1502
#define TENUO_E_CAPABILITY_EXPANSION 1503
#define TENUO_E_UNKNOWN_CONSTRAINT 1504
#define TENUO_E_INSUFFICIENT_APPROVALS 1700
#define TENUO_E_APPROVAL_INVALID 1701
#define TENUO_E_APPROVER_NOT_AUTHORIZED 1702
#define TENUO_E_APPROVAL_EXPIRED 1703
#define TENUO_E_APPROVAL_PAYLOAD 1705
#define TENUO_E_APPROVAL_HASH_MISMATCH 1706
#define TENUO_E_APPROVAL_REQUIRED 1707
#define TENUO_E_REVOKED 1800
#define TENUO_E_SRL_INVALID 1801
#define TENUO_E_SRL_ROLLBACK 1802
#define TENUO_E_SRL_CHANGED 1803
#define TENUO_E_TOO_LARGE 1900
#define TENUO_E_TOO_MANY_CONSTRAINTS 1903

/* Ours. "Cannot decide": never an allow, and exit status 3 in the command (9001: 2). */
#define TENUO_E_NOMEM 9000
#define TENUO_E_INVALID_ARGUMENT 9001
#define TENUO_E_SYSTEM 9002
#define TENUO_E_CONF 9100
#define TENUO_E_PLUGIN_UNTRUSTED 9200
#define TENUO_E_PLUGIN_ABI 9201
#define TENUO_E_PLUGIN_LOAD 9202
#define TENUO_E_PLUGIN_PROTOCOL 9203
#define TENUO_E_KEY_NOT_FOUND 9300
#define TENUO_E_UNAVAILABLE 9301
#define TENUO_E_WOULD_BLOCK 9302
#define TENUO_E_KEY_CONFLICT 9303
#define TENUO_E_KEY_DENIED 9304
#define TENUO_E_KEY_INVALID 9305
#define TENUO_E_HOLDER_MISMATCH 9306
#define TENUO_E_AUDIT_REFUSED 9400
#define TENUO_E_REPLAYED 9401

#define TENUO_ERROR_MSG_BYTES 256

/* What went wrong, for people: `msg` is one NUL-terminated sentence that names the place and, where there is one, the
 * remedy. */
struct tenuo_error {
    int code;
    char msg[TENUO_ERROR_MSG_BYTES];
};

/* Kebab-case wire name ("warrant-expired"). Never NULL: an unknown number gives "unknown-error". Static storage; any
 * thread. */
TENUO_API const char *tenuo_err_name(int code);

/* One English sentence for the code alone. Never NULL. Static storage; any thread. */
TENUO_API const char *tenuo_err_text(int code);

/* HTTP status that the protocol assigns to the code; 500 for everything without one. */
TENUO_API int tenuo_err_http_status(int code);

#ifdef __cplusplus
}
#endif
#endif
