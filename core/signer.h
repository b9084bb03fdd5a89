/* SPDX-License-Identifier: Apache-2.0 */
/* The inside of a signer: one type for a secret in guarded memory and for a key that a store keeps to itself. */
#ifndef TN_SIGNER_H
#define TN_SIGNER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <tenuo/key.h>

/* A remote key: how to sign and how to let go. `sign` gets the complete Ed25519 message. */
struct tn_remote_key {
    int (*sign)(void *arg, const uint8_t *message, size_t len, uint8_t ret_signature[64], struct tenuo_error *err);
    void (*release)(void *arg);
    void *arg;
    /* Optional: what `sign` gave does not verify. Forgets the key where it is cached; 9203 with the store's name. */
    int (*lied)(void *arg, struct tenuo_error *err);
};

/* Takes ownership of `remote` (released on failure too). */
int tn_signer_remote(const uint8_t public_key[32], const struct tn_remote_key *remote, struct tenuo_signer **ret_signer,
                     struct tenuo_error *err);
/* Local signer from a seed, with guarded pages of its own. */
int tn_signer_local(const uint8_t seed[32], struct tenuo_signer **ret_signer, struct tenuo_error *err);
/* Local signer on libsodium's 64-byte secret key in guarded memory of somebody else, which stays there until release.
 * Nothing is released on failure. */
int tn_signer_shared(const uint8_t *secret_key, void (*release)(void *arg), void *arg, struct tenuo_signer **ret_signer,
                     struct tenuo_error *err);
/*
 * Signs "tenuo-warrant-v1" + message for a message that core has built itself (warrant, PoP, approval ...), local or
 * remote. A remote signature is verified against the public key before it is returned (9203 when wrong).
 */
int tn_signer_sign_own(const struct tenuo_signer *signer, const uint8_t *message, size_t len, uint8_t ret_signature[64],
                       struct tenuo_error *err);
/* The seed of a local signer, into memory that the caller wipes: for a store that takes keys. */
int tn_signer_seed(const struct tenuo_signer *signer, uint8_t ret_seed[32], struct tenuo_error *err);

#endif
