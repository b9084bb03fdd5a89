/* SPDX-License-Identifier: Apache-2.0 */
/*
 * TSS2 key files (draft-bottomley-tpm2-keys): the PEM and the DER of one sealed key, and what its public area and its
 * policy say. Pure functions over hostile bytes, linked by the plugin and by its helper: libc alone, no allocation, no
 * recursion. A blob is no secret without its TPM.
 */
#ifndef TN_TPM2_KEYBLOB_H
#define TN_TPM2_KEYBLOB_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define TPM2_DER_MAX 2048
#define TPM2_PEM_MAX 4096
#define TPM2_POLICY_MAX 8  /* statements */
#define TPM2_PCRS_TEXT 160 /* room for "sha256:0,7" and its NUL */
#define TPM2_BANKS_MAX 16  /* of one selection, TPM 2.0 */

#define TPM2_CC_POLICY_AUTH_VALUE 0x16bu
#define TPM2_CC_POLICY_PCR 0x17fu
#define TPM2_CC_POLICY_PASSWORD 0x18cu

#define TPM2_OWNER 0x40000001u
#define TPM2_ENDORSEMENT 0x4000000bu
#define TPM2_IS_PERSISTENT(handle) ((handle) >> 24 == 0x81u)

struct tpm2_statement { /* one policy command; body lies within the DER */
    uint32_t code;
    const uint8_t *body;
    size_t len;
};

struct tpm2_key { /* pointers lie within the DER */
    bool sealed;  /* id-sealedkey; false: id-loadablekey, which tpm2_encodeobject writes for sealed data too */
    bool empty_auth;
    uint32_t parent;
    const uint8_t *pub, *priv; /* TPM2B_PUBLIC and TPM2B_PRIVATE with their sizes */
    size_t pub_len, priv_len;
    struct tpm2_statement policy[TPM2_POLICY_MAX];
    size_t npolicy;
};

/* What of the public area matters here. */
struct tpm2_public {
    bool user_with_auth, no_da, has_policy;
};

/* All readers: false leaves the output untouched, and *ret_why is a phrase that goes after the file's name. */
bool tpm2_pem_read(const char *text, size_t len, uint8_t ret_der[TPM2_DER_MAX], size_t *ret_len, const char **ret_why);
bool tpm2_key_read(const uint8_t *der, size_t len, struct tpm2_key *ret, const char **ret_why);
/* False when this is no sealed data object. */
bool tpm2_public_read(const uint8_t *pub, size_t len, struct tpm2_public *ret, const char **ret_why);
/*
 * A PolicyPCR statement: the digest, of 0 bytes where there is none, and the selection (TPML_PCR_SELECTION). The draft
 * has the command's body, digest first; older files have what is hashed, the selection first and a bare digest.
 */
struct tpm2_pcr_statement {
    const uint8_t *digest, *selection;
    size_t digest_len, selection_len;
};
bool tpm2_pcr_read(const uint8_t *body, size_t len, struct tpm2_pcr_statement *ret);

/* Writers: the length, 0 when it does not fit. */
size_t tpm2_key_write(const struct tpm2_key *key, uint8_t ret_der[TPM2_DER_MAX]);
size_t tpm2_pem_write(const uint8_t *der, size_t len, char ret_pem[TPM2_PEM_MAX]);

/* "sha256:0,7"; a mask has bit N for PCR N. False: no such bank, no PCR, one beyond 23, one twice. */
bool tpm2_pcrs_parse(const char *text, uint16_t *ret_bank, uint32_t *ret_mask);
/* For people: the PCRs of a selection, shortened when they do not fit. */
void tpm2_pcrs_text(const uint8_t *selection, size_t len, char ret[TPM2_PCRS_TEXT]);
/* TPML_PCR_SELECTION of one bank: 10 bytes. */
void tpm2_pcrs_write(uint16_t bank, uint32_t mask, uint8_t ret[10]);

#endif
