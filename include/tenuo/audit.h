/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Proofs about audit logs that are kept as a hash chain (tenuo_jsonl(8)): a checkpoint is
 * the statement of a service's key that a log had so many records, the last of which has this hash. All functions are
 * pure: no clock, no I/O, any thread.
 */
#ifndef TENUO_AUDIT_H
#define TENUO_AUDIT_H

#include <stdint.h>
#include <tenuo/error.h>
#include <tenuo/key.h>

#ifdef __cplusplus
extern "C" {
#endif

/*
 * Is this the key's signature over a log of `count` records whose last one has the hash `head`? The signed message is
 * "tenuo-warrant-v1tenuo-audit-checkpoint-v1", head, and count as 8 bytes with the highest first. 0, or 1100. Says
 * nothing about whose key it is: compare it with the one that the service has.
 */
TENUO_API TENUO_MUST_USE int tenuo_audit_checkpoint_verify(const uint8_t public_key[TENUO_PUBLIC_KEY_BYTES],
                                                           const uint8_t head[32], uint64_t count,
                                                           const uint8_t signature[TENUO_SIGNATURE_BYTES],
                                                           struct tenuo_error *reterr);

#ifdef __cplusplus
}
#endif
#endif
