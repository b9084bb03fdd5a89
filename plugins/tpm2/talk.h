/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the plugin and its helper program say to each other: one structure in memory that both have mapped, handed over
 * as descriptor 3. No system call carries a secret, so a trace of either process shows none, and the seed never lies in
 * a buffer of the kernel. The plugin fills in the request and starts the helper; the helper fills in the answer, `done`
 * last, and ends.
 */
#ifndef TN_TPM2_TALK_H
#define TN_TPM2_TALK_H

#include <stdint.h>

#include "keyblob.h"

#define TPM2_TALK_FD 3
#define TPM2_TALK_MAGIC 0x314d5054u /* "TPM1": changes with this structure */
#define TPM2_TALK_DONE 0x454e4f44u
#define TPM2_TCTI_MAX 255
#define TPM2_AUTH_MAX 64

enum tpm2_op { TPM2_OP_UNSEAL = 1, TPM2_OP_SEAL };

struct tpm2_auth {
    uint32_t given; /* 0: none, which is the empty value */
    uint32_t len;
    uint8_t bytes[TPM2_AUTH_MAX];
};

struct tpm2_talk {
    uint32_t magic, size; /* both must be the helper's own: a file of another version is refused */
    uint32_t op;
    uint32_t deadline_ms;
    uint32_t parent;     /* seal: under what */
    uint32_t bank, pcrs; /* seal: the policy; unseal: for an object whose file does not state one. 0: none */
    char tcti[TPM2_TCTI_MAX + 1];
    struct tpm2_auth auth, parent_auth;
    /* Both ways. */
    uint32_t der_len;
    uint8_t der[TPM2_DER_MAX];
    uint8_t seed[32];
    /* The answer. */
    int32_t code;  /* one that a resolver may return */
    char why[512]; /* what goes after the file's name */
    uint32_t done;
};

#endif
