/* SPDX-License-Identifier: Apache-2.0 */
/* Policies: PolicyPCR and PolicyAuthValue, as a file states them or as a new key gets them. Sees no seed. */
#include <sodium.h>
#include <string.h>
#include <tss2/tss2_mu.h>

#include "helper.h"
#include <tenuo/plugin.h>

static bool apply_pcr(struct tpm *t, ESYS_TR session, const struct tpm2_statement *s)
{
    struct tpm2_pcr_statement pcr;
    TPM2B_DIGEST digest = { 0 };
    TPML_PCR_SELECTION selection = { 0 };
    size_t at = 0;
    if (!tpm2_pcr_read(s->body, s->len, &pcr) ||
        Tss2_MU_TPML_PCR_SELECTION_Unmarshal(pcr.selection, pcr.selection_len, &at, &selection) != 0) {
        tpm_say(t, TENUO_E_KEY_INVALID, "has a policy about PCRs that is none");
        return false;
    }
    tpm2_pcrs_text(pcr.selection, pcr.selection_len, t->pcrs);
    digest.size = (UINT16)pcr.digest_len; /* at most 64, says tpm2_pcr_read */
    memcpy(digest.buffer, pcr.digest, pcr.digest_len);
    return tpm_did(t, "PolicyPCR",
                   Esys_PolicyPCR(t->esys, session, ESYS_TR_NONE, ESYS_TR_NONE, ESYS_TR_NONE, &digest, &selection));
}

bool tpm_apply_policy(struct tpm *t, ESYS_TR session, const struct tpm2_statement *s, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        if (s[i].code == TPM2_CC_POLICY_PCR
                ? !apply_pcr(t, session, &s[i])
                : !tpm_did(t, "PolicyAuthValue",
                           Esys_PolicyAuthValue(t->esys, session, ESYS_TR_NONE, ESYS_TR_NONE, ESYS_TR_NONE)))
            return false;
    }
    return true;
}

bool tpm_needs_auth(const struct tpm2_statement *s, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (s[i].code != TPM2_CC_POLICY_PCR)
            return true;
    return false;
}

/* Appends what the TPM read, in the order of a selection. */
static bool add_digests(struct tpm *t, const TPML_DIGEST *values, crypto_hash_sha256_state *hash)
{
    if (values->count == 0 || values->count > 8) {
        tpm_say(t, TENUO_E_UNAVAILABLE, "the TPM has no such PCRs: look which banks it has with tpm2_getcap pcrs");
        return false;
    }
    for (UINT32 i = 0; i < values->count; i++)
        crypto_hash_sha256_update(hash, values->digests[i].buffer, values->digests[i].size);
    return true;
}

/* What the PCRs are now. A change while they are read shows when the policy is tried. */
static bool hash_pcrs(struct tpm *t, uint32_t mask, uint8_t ret[TPM_DIGEST])
{
    crypto_hash_sha256_state hash;
    crypto_hash_sha256_init(&hash);
    while (mask != 0) {
        TPML_PCR_SELECTION want = { .count = 1,
                                    .pcrSelections = {
                                        { .hash = (UINT16)t->talk->bank,
                                          .sizeofSelect = 3,
                                          .pcrSelect = { (BYTE)mask, (BYTE)(mask >> 8), (BYTE)(mask >> 16) } } } };
        TPML_PCR_SELECTION *got = NULL;
        TPML_DIGEST *values = NULL;
        bool good =
            tpm_did(t, "PCR_Read",
                    Esys_PCR_Read(t->esys, ESYS_TR_NONE, ESYS_TR_NONE, ESYS_TR_NONE, &want, NULL, &got, &values)) &&
            add_digests(t, values, &hash);
        uint32_t read = good && got->count == 1
                            ? (uint32_t)(got->pcrSelections[0].pcrSelect[0] | got->pcrSelections[0].pcrSelect[1] << 8 |
                                         got->pcrSelections[0].pcrSelect[2] << 16)
                            : 0;
        Esys_Free(got);
        Esys_Free(values);
        if (good && (read & mask) == 0)
            tpm_say(t, TENUO_E_UNAVAILABLE, "the TPM reads no such PCRs: look which ones it has with tpm2_getcap pcrs");
        if ((read & mask) == 0)
            return false;
        mask &= ~read;
    }
    crypto_hash_sha256_final(&hash, ret);
    return true;
}

bool tpm_plan_policy(struct tpm *t, uint8_t body[TPM_BODY], struct tpm2_statement ret[2], size_t *ret_n)
{
    *ret_n = 0;
    if (t->talk->pcrs == 0)
        return true;
    if (!hash_pcrs(t, t->talk->pcrs, body + 2))
        return false;
    body[0] = 0;
    body[1] = TPM_DIGEST;
    tpm2_pcrs_write((uint16_t)t->talk->bank, t->talk->pcrs, body + 2 + TPM_DIGEST);
    ret[(*ret_n)++] = (struct tpm2_statement){ TPM2_CC_POLICY_PCR, body, TPM_BODY };
    if (t->talk->auth.len != 0)
        ret[(*ret_n)++] = (struct tpm2_statement){ TPM2_CC_POLICY_AUTH_VALUE, NULL, 0 };
    return true;
}

bool tpm_policy_digest(struct tpm *t, const struct tpm2_statement *s, size_t n, TPM2B_DIGEST *ret)
{
    TPM2B_DIGEST *digest = NULL;
    if (n == 0)
        return true;
    bool good = tpm_start_session(t, t->parent, TPM2_SE_POLICY, &t->policy) && tpm_apply_policy(t, t->policy, s, n) &&
                tpm_did(t, "PolicyGetDigest",
                        Esys_PolicyGetDigest(t->esys, t->policy, ESYS_TR_NONE, ESYS_TR_NONE, ESYS_TR_NONE, &digest));
    if (good)
        *ret = *digest;
    Esys_Free(digest);
    return good;
}
