/* SPDX-License-Identifier: Apache-2.0 */
/* What revocation lists and requests share on the wire: member names, keys and signatures, times, the signed message.
 */
#ifndef TN_SRL_WIRE_H
#define TN_SRL_WIRE_H

#include "cbor_read.h"
#include "cbor_write.h"
#include <tenuo/key.h>

/* The next item is this member name. */
bool tn_wire_key(struct tn_reader *r, const char *key);
/* [1, bstr(want)]: algorithm Ed25519 and the raw bytes, which are lent. */
bool tn_wire_algorithm(struct tn_reader *r, const char *what, size_t want, const uint8_t **ret);
/* RFC 3339 in the one form of tn_rfc3339_canonical; whole seconds. */
bool tn_wire_time(struct tn_reader *r, const char *what, uint64_t *ret);
void tn_wire_put_algorithm(struct tn_buf *b, const uint8_t *p, size_t n);
void tn_wire_put_time(struct tn_buf *b, uint64_t when);
/* The outer prefix, the domain and the message under an Ed25519 signature: 0, 1100 or 9000. */
int tn_wire_verify(const uint8_t key[32], const uint8_t signature[64], const char *domain, struct tn_str message);
int tn_wire_sign(const struct tenuo_signer *signer, const char *domain, struct tn_str message, uint8_t ret[64],
                 struct tenuo_error *err);

#endif
