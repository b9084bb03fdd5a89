/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Signed checkpoints of audit logs (design.md 9 row 1): that so many records, of which the last one's hash is this,
 * were there when a key of the service signed. A domain of its own: no other message of the protocol reads like one.
 */
#include <string.h>

#include "audit.h"
#include "crypto.h"
#include "err.h"
#include "signer.h"
#include <tenuo/audit.h>

#define PREFIX_BYTES (sizeof TN_DOMAIN_WARRANT - 1)
#define DOMAIN_BYTES (sizeof TN_DOMAIN_CHECKPOINT - 1)

/* As signed: the outer prefix, the domain, head, and the count with its highest byte first. */
struct message {
    uint8_t bytes[PREFIX_BYTES + DOMAIN_BYTES + 32 + 8];
};

static struct message message_of(const uint8_t head[32], uint64_t count)
{
    struct message m;
    uint8_t *p = m.bytes;
    memcpy(p, TN_DOMAIN_WARRANT, PREFIX_BYTES);
    memcpy(p += PREFIX_BYTES, TN_DOMAIN_CHECKPOINT, DOMAIN_BYTES);
    memcpy(p += DOMAIN_BYTES, head, 32);
    p += 32;
    for (unsigned i = 0; i < 8; i++)
        p[i] = (uint8_t)(count >> (56 - 8 * i));
    return m;
}

int tn_checkpoint_sign(struct tenuo_ctx *c, const char *key_id, const uint8_t head[32], uint64_t count,
                       uint8_t ret_public_key[32], uint8_t ret_signature[64], struct tenuo_error *err)
{
    const struct message m = message_of(head, count);
    struct tenuo_signer *signer = NULL;
    int r = tenuo_ctx_signer(c, key_id, 0, NULL, &signer, err);
    if (r != TENUO_OK)
        return r;
    r = tn_signer_sign_own(signer, m.bytes + PREFIX_BYTES, sizeof m.bytes - PREFIX_BYTES, ret_signature, err);
    if (r == TENUO_OK)
        memcpy(ret_public_key, tenuo_signer_public_key(signer), 32);
    tenuo_signer_free(signer);
    return r;
}

int tenuo_audit_checkpoint_verify(const uint8_t public_key[TENUO_PUBLIC_KEY_BYTES], const uint8_t head[32],
                                  uint64_t count, const uint8_t signature[TENUO_SIGNATURE_BYTES],
                                  struct tenuo_error *reterr)
{
    const struct message m = message_of(head, count);
    if (!tn_crypto_init())
        return tn_fail(reterr, TENUO_E_SYSTEM, "libsodium cannot start: no randomness from the system");
    if (tenuo_public_key_check(public_key) == TENUO_OK &&
        tn_verify_whole(public_key, signature, (struct tn_str){ m.bytes, sizeof m.bytes }))
        return TENUO_OK;
    return tn_fail(reterr, TENUO_E_SIGNATURE_INVALID, "the checkpoint's signature does not verify under its key");
}
