/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Sealing and unsealing. Every session is salted with the parent key, and encrypts what goes in and comes out, so that
 * a look at the bus shows no seed; authorization values never leave this process. Handles are loaded for this call and
 * flushed on every way out. Knows no files.
 */
#include <sodium.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <tss2/tss2_mu.h>
#include <tss2/tss2_tctildr.h>

#include "helper.h"
#include <tenuo/plugin.h>

#define SEED 32
#define FIRST_PAUSE 20 /* ms between two tries at a busy TPM; doubles */
#define LONGEST_PAUSE 640

static const TPMT_SYM_DEF aes_cfb = { .algorithm = TPM2_ALG_AES, .keyBits.aes = 128, .mode.aes = TPM2_ALG_CFB };

/* The storage primary of the key-file draft: P-256, empty points, as other readers of these files make it. */
static const TPM2B_PUBLIC primary_template = {
    .publicArea = {
        .type = TPM2_ALG_ECC,
        .nameAlg = TPM2_ALG_SHA256,
        .objectAttributes = TPMA_OBJECT_USERWITHAUTH | TPMA_OBJECT_RESTRICTED | TPMA_OBJECT_DECRYPT | TPMA_OBJECT_NODA |
                            TPMA_OBJECT_FIXEDTPM | TPMA_OBJECT_FIXEDPARENT | TPMA_OBJECT_SENSITIVEDATAORIGIN,
        .parameters.eccDetail = {
            .symmetric = { .algorithm = TPM2_ALG_AES, .keyBits.aes = 128, .mode.aes = TPM2_ALG_CFB },
            .scheme.scheme = TPM2_ALG_NULL,
            .curveID = TPM2_ECC_NIST_P256,
            .kdf.scheme = TPM2_ALG_NULL,
        },
    },
};

static uint64_t now_ms(void)
{
    struct timespec ts;
    clock_gettime(CLOCK_MONOTONIC, &ts);
    return (uint64_t)ts.tv_sec * 1000 + (uint64_t)ts.tv_nsec / 1000000;
}

bool tpm_did(struct tpm *t, const char *step, TSS2_RC rc)
{
    t->step = step;
    t->rc = rc;
    return rc == TSS2_RC_SUCCESS;
}

/* ---- parent and sessions ---- */

static bool set_auth(struct tpm *t, ESYS_TR handle, const struct tpm2_auth *auth)
{
    TPM2B_AUTH value = { .size = (UINT16)auth->len };
    if (auth->len == 0)
        return true;
    memcpy(value.buffer, auth->bytes, auth->len);
    bool good = tpm_did(t, "SetAuth", Esys_TR_SetAuth(t->esys, handle, &value));
    sodium_memzero(&value, sizeof value);
    return good;
}

bool tpm_start_session(struct tpm *t, ESYS_TR salt, TPM2_SE type, ESYS_TR *ret)
{
    return tpm_did(t, "StartAuthSession",
                   Esys_StartAuthSession(t->esys, salt, ESYS_TR_NONE, ESYS_TR_NONE, ESYS_TR_NONE, ESYS_TR_NONE, NULL,
                                         type, &aes_cfb, TPM2_ALG_SHA256, ret));
}

static bool set_attributes(struct tpm *t, ESYS_TR session, TPMA_SESSION attributes)
{
    return tpm_did(t, "SetAttributes",
                   Esys_TRSess_SetAttributes(t->esys, session, attributes | TPMA_SESSION_CONTINUESESSION, 0xff));
}

/* The hierarchy's value is proven, not sent: an HMAC session, which nothing can salt yet. */
static bool make_primary(struct tpm *t)
{
    const TPM2B_SENSITIVE_CREATE sensitive = { 0 };
    const TPM2B_DATA outside = { 0 };
    const TPML_PCR_SELECTION no_pcrs = { 0 };
    ESYS_TR hierarchy = t->parent_handle == TPM2_OWNER ? ESYS_TR_RH_OWNER : ESYS_TR_RH_ENDORSEMENT;
    ESYS_TR session = ESYS_TR_PASSWORD;
    if (!set_auth(t, hierarchy, &t->talk->parent_auth))
        return false;
    if (t->talk->parent_auth.len != 0) {
        if (!tpm_start_session(t, ESYS_TR_NONE, TPM2_SE_HMAC, &t->hmac) || !set_attributes(t, t->hmac, 0))
            return false;
        session = t->hmac;
    }
    t->owns_parent =
        tpm_did(t, "CreatePrimary",
                Esys_CreatePrimary(t->esys, hierarchy, session, ESYS_TR_NONE, ESYS_TR_NONE, &sensitive,
                                   &primary_template, &outside, &no_pcrs, &t->parent, NULL, NULL, NULL, NULL));
    if (!t->owns_parent)
        return false;
    if (t->hmac != ESYS_TR_NONE && tpm_did(t, "FlushContext", Esys_FlushContext(t->esys, t->hmac)))
        t->hmac = ESYS_TR_NONE;
    return t->rc == 0;
}

static bool open_parent(struct tpm *t)
{
    if (!TPM2_IS_PERSISTENT(t->parent_handle))
        return make_primary(t);
    return tpm_did(t, "ReadPublic",
                   Esys_TR_FromTPMPublic(t->esys, t->parent_handle, ESYS_TR_NONE, ESYS_TR_NONE, ESYS_TR_NONE,
                                         &t->parent)) &&
           set_auth(t, t->parent, &t->talk->parent_auth);
}

/* The salted session that authorizes, and encrypts. */
static bool open_hmac(struct tpm *t)
{
    return t->hmac != ESYS_TR_NONE || tpm_start_session(t, t->parent, TPM2_SE_HMAC, &t->hmac);
}

/* ---- sealing ---- */

static bool write_key(struct tpm *t, const TPM2B_PUBLIC *public, const TPM2B_PRIVATE *private,
                      const struct tpm2_statement *s, size_t n)
{
    uint8_t pub[sizeof *public], priv[sizeof *private];
    struct tpm2_key key = { .sealed = true,
                            .empty_auth = t->talk->auth.len == 0,
                            .parent = t->parent_handle,
                            .pub = pub,
                            .priv = priv,
                            .npolicy = n };
    if (Tss2_MU_TPM2B_PUBLIC_Marshal(public, pub, sizeof pub, &key.pub_len) != 0 ||
        Tss2_MU_TPM2B_PRIVATE_Marshal(private, priv, sizeof priv, &key.priv_len) != 0) {
        tpm_say(t, TENUO_E_UNAVAILABLE, "the TPM made a key that cannot be written");
        return false;
    }
    for (size_t i = 0; i < n; i++)
        key.policy[i] = s[i];
    t->talk->der_len = (uint32_t)tpm2_key_write(&key, t->talk->der);
    if (t->talk->der_len == 0)
        tpm_say(t, TENUO_E_UNAVAILABLE, "the TPM made a key that is too large");
    return t->talk->der_len != 0;
}

/* A key without an authorization value has nothing to guess: it is kept out of the lockout. */
static TPMA_OBJECT attributes(const struct tpm *t, size_t npolicy)
{
    return TPMA_OBJECT_FIXEDTPM | TPMA_OBJECT_FIXEDPARENT | (npolicy == 0 ? TPMA_OBJECT_USERWITHAUTH : 0) |
           (t->talk->auth.len == 0 ? TPMA_OBJECT_NODA : 0);
}

static bool create(struct tpm *t, const TPM2B_DIGEST *digest, const struct tpm2_statement *s, size_t n)
{
    const TPM2B_DATA outside = { 0 };
    const TPML_PCR_SELECTION no_pcrs = { 0 };
    TPM2B_PUBLIC *public = NULL, want = { .publicArea = { .type = TPM2_ALG_KEYEDHASH,
                                                          .nameAlg = TPM2_ALG_SHA256,
                                                          .objectAttributes = attributes(t, n),
                                                          .authPolicy = *digest,
                                                          .parameters.keyedHashDetail.scheme.scheme = TPM2_ALG_NULL } };
    TPM2B_PRIVATE *private = NULL;
    TPM2B_SENSITIVE_CREATE sensitive = { .sensitive = { .userAuth.size = (UINT16)t->talk->auth.len,
                                                        .data.size = SEED } };
    memcpy(sensitive.sensitive.userAuth.buffer, t->talk->auth.bytes, t->talk->auth.len);
    memcpy(sensitive.sensitive.data.buffer, t->talk->seed, SEED);
    bool good = open_hmac(t) && set_attributes(t, t->hmac, TPMA_SESSION_DECRYPT | TPMA_SESSION_ENCRYPT) &&
                tpm_did(t, "Create",
                        Esys_Create(t->esys, t->parent, t->hmac, ESYS_TR_NONE, ESYS_TR_NONE, &sensitive, &want,
                                    &outside, &no_pcrs, &private, &public, NULL, NULL, NULL));
    sodium_memzero(&sensitive, sizeof sensitive);
    good = good && write_key(t, public, private, s, n);
    Esys_Free(public);
    Esys_Free(private);
    return good;
}

static bool seal(struct tpm *t)
{
    uint8_t body[TPM_BODY];
    struct tpm2_statement s[2];
    TPM2B_DIGEST digest = { 0 };
    size_t n;
    t->parent_handle = t->talk->parent;
    return open_parent(t) && tpm_plan_policy(t, body, s, &n) && tpm_policy_digest(t, s, n, &digest) &&
           create(t, &digest, s, n);
}

/* ---- unsealing ---- */

static bool load(struct tpm *t, const struct tpm2_key *key)
{
    TPM2B_PUBLIC public = { 0 };
    TPM2B_PRIVATE private = { 0 };
    ESYS_TR session = ESYS_TR_PASSWORD; /* of the empty value */
    size_t at = 0, at_private = 0;
    if (Tss2_MU_TPM2B_PUBLIC_Unmarshal(key->pub, key->pub_len, &at, &public) != 0 || at != key->pub_len ||
        Tss2_MU_TPM2B_PRIVATE_Unmarshal(key->priv, key->priv_len, &at_private, &private) != 0 ||
        at_private != key->priv_len) {
        tpm_say(t, TENUO_E_KEY_INVALID,
                "is damaged: its parts are not what a TPM makes; restore it from a backup, or "
                "make the key anew");
        return false;
    }
    if (TPM2_IS_PERSISTENT(t->parent_handle) && t->talk->parent_auth.len != 0) {
        if (!open_hmac(t) || !set_attributes(t, t->hmac, 0))
            return false;
        session = t->hmac;
    }
    return tpm_did(t, "Load",
                   Esys_Load(t->esys, t->parent, session, ESYS_TR_NONE, ESYS_TR_NONE, &private, &public, &t->object));
}

/* The statements that open the key: the file's, or those of the line for an object whose file states none. */
static bool choose_policy(struct tpm *t, const struct tpm2_key *key, uint8_t body[12],
                          struct tpm2_statement ret[TPM2_POLICY_MAX], size_t *ret_n)
{
    struct tpm2_public public;
    const char *why;
    if (!tpm2_public_read(key->pub, key->pub_len, &public, &why)) {
        tpm_say(t, TENUO_E_KEY_INVALID, "%s", why);
        return false;
    }
    *ret_n = key->npolicy;
    memcpy(ret, key->policy, key->npolicy * sizeof ret[0]);
    if (key->npolicy != 0 || public.user_with_auth || !public.has_policy || t->talk->pcrs == 0)
        return true;
    body[0] = body[1] = 0; /* no digest: the TPM takes what the PCRs are */
    tpm2_pcrs_write((uint16_t)t->talk->bank, t->talk->pcrs, body + 2);
    ret[(*ret_n)++] = (struct tpm2_statement){ TPM2_CC_POLICY_PCR, body, 12 };
    if (t->talk->auth.len != 0)
        ret[(*ret_n)++] = (struct tpm2_statement){ TPM2_CC_POLICY_AUTH_VALUE, NULL, 0 };
    return true;
}

/*
 * Which value opens the key. A file of our type says so; tpm2_encodeobject writes emptyAuth the wrong way round, so for
 * its type the line decides.
 */
static bool choose_auth(struct tpm *t, const struct tpm2_key *key, bool wanted)
{
    const struct tpm2_auth none = { 0 };
    if (key->sealed && key->empty_auth)
        return true;
    if (key->sealed && wanted && t->talk->auth.given == 0) {
        tpm_say(t, TENUO_E_KEY_DENIED, "needs an authorization value: give the line auth_file= or auth_credential=");
        return false;
    }
    return set_auth(t, t->object, wanted ? &t->talk->auth : &none);
}

static bool open_session(struct tpm *t, const struct tpm2_statement *s, size_t n, ESYS_TR *ret)
{
    if (n == 0) {
        bool good = open_hmac(t) && set_attributes(t, t->hmac, TPMA_SESSION_ENCRYPT);
        *ret = t->hmac;
        return good;
    }
    if (!tpm_start_session(t, t->parent, TPM2_SE_POLICY, &t->policy) || !tpm_apply_policy(t, t->policy, s, n))
        return false;
    *ret = t->policy;
    return set_attributes(t, t->policy, TPMA_SESSION_ENCRYPT);
}

static bool take_seed(struct tpm *t, TPM2B_SENSITIVE_DATA *data)
{
    bool good = data->size == SEED;
    if (good)
        memcpy(t->talk->seed, data->buffer, SEED);
    else
        tpm_say(t, TENUO_E_KEY_INVALID, "holds %u bytes, and an Ed25519 seed has 32: another kind of secret was sealed",
                (unsigned)data->size);
    sodium_memzero(data, sizeof *data);
    Esys_Free(data);
    return good;
}

static bool unseal(struct tpm *t)
{
    uint8_t body[12];
    struct tpm2_statement s[TPM2_POLICY_MAX];
    struct tpm2_key key;
    TPM2B_SENSITIVE_DATA *data = NULL;
    ESYS_TR session;
    const char *why;
    size_t n;
    if (!tpm2_key_read(t->talk->der, t->talk->der_len, &key, &why)) {
        tpm_say(t, TENUO_E_KEY_INVALID, "%s", why);
        return false;
    }
    t->parent_handle = key.parent;
    return choose_policy(t, &key, body, s, &n) && open_parent(t) && load(t, &key) &&
           choose_auth(t, &key, n == 0 || tpm_needs_auth(s, n)) && open_session(t, s, n, &session) &&
           tpm_did(t, "Unseal", Esys_Unseal(t->esys, t->object, session, ESYS_TR_NONE, ESYS_TR_NONE, &data)) &&
           take_seed(t, data);
}

/* ---- the request ---- */

static bool connect_tpm(struct tpm *t)
{
    TSS2_RC rc = Tss2_TctiLdr_Initialize(t->talk->tcti, &t->tcti);
    if (rc == TSS2_RC_SUCCESS)
        rc = Esys_Initialize(&t->esys, t->tcti, NULL);
    if (rc == TSS2_RC_SUCCESS)
        return true;
    tpm_explain_tcti(t, rc);
    return false;
}

/* After an answer that was none the library does nothing more with its connection: the same by a new one, by hand. */
static void flush_raw(struct tpm *t, const TPM2_HANDLE *handles, size_t n)
{
    uint8_t answer[64];
    if (n == 0 || Tss2_TctiLdr_Initialize(t->talk->tcti, &t->tcti) != TSS2_RC_SUCCESS)
        return;
    for (size_t i = 0; i < n; i++) {
        const TPM2_HANDLE h = handles[i];
        const uint8_t command[] = {
            0x80,      0x01, 0, 0, 0, 14, 0, 0, 0x01, 0x65, (uint8_t)(h >> 24), (uint8_t)(h >> 16), (uint8_t)(h >> 8),
            (uint8_t)h
        };
        size_t len = sizeof answer;
        if (Tss2_Tcti_Transmit(t->tcti, sizeof command, command) != TSS2_RC_SUCCESS ||
            Tss2_Tcti_Receive(t->tcti, &len, answer, TSS2_TCTI_TIMEOUT_BLOCK) != TSS2_RC_SUCCESS)
            break;
    }
    Tss2_TctiLdr_Finalize(&t->tcti);
}

/* Nothing of this call stays in the TPM, also when no resource manager sees to that. */
static void forget(struct tpm *t)
{
    const ESYS_TR ours[] = { t->object, t->policy, t->hmac, t->owns_parent ? t->parent : ESYS_TR_NONE };
    TPM2_HANDLE left[4];
    size_t n = 0;
    for (size_t i = 0; t->esys != NULL && i < sizeof ours / sizeof ours[0]; i++)
        if (ours[i] != ESYS_TR_NONE && Esys_TR_GetTpmHandle(t->esys, ours[i], &left[n]) == TSS2_RC_SUCCESS &&
            Esys_FlushContext(t->esys, ours[i]) != TSS2_RC_SUCCESS)
            n++;
    if (t->esys != NULL)
        Esys_Finalize(&t->esys);
    if (t->tcti != NULL)
        Tss2_TctiLdr_Finalize(&t->tcti);
    flush_raw(t, left, n);
    t->parent = t->object = t->policy = t->hmac = ESYS_TR_NONE;
    t->owns_parent = false;
}

static bool try_once(struct tpm *t)
{
    t->parent = t->hmac = t->policy = t->object = ESYS_TR_NONE;
    t->pcrs[0] = '\0';
    bool good = connect_tpm(t) && (t->talk->op == TPM2_OP_SEAL ? seal(t) : unseal(t));
    TSS2_RC rc = t->rc;
    forget(t);
    t->rc = rc;
    return good;
}

/* How long to go on asking: a busy TPM until the deadline, a full one half of that, since others may leave it. A try
 * that would not end in time is not begun: it would be killed, and leave its objects in the TPM. */
static bool worth_waiting(const struct tpm *t, uint64_t pause, uint64_t took)
{
    uint64_t ends = t->ends - (tpm_is_full(t->rc) ? t->talk->deadline_ms / 2 : 0);
    return (tpm_is_busy(t->rc) || tpm_is_full(t->rc)) && now_ms() + pause + took < ends;
}

void tpm_run(struct tpm *t)
{
    uint32_t pause = FIRST_PAUSE;
    uint64_t began = now_ms();
    t->ends = began + t->talk->deadline_ms - t->talk->deadline_ms / 8;
    t->talk->code = TENUO_E_UNAVAILABLE;
    while (!try_once(t)) {
        uint32_t ms = pause + randombytes_uniform(pause); /* not in step with others that wait */
        struct timespec ts = { 0, (long)ms * 1000000 };
        if (t->rc == 0)
            return; /* said in words */
        if (!worth_waiting(t, ms, now_ms() - began)) {
            tpm_explain(t);
            return;
        }
        nanosleep(&ts, NULL);
        pause = pause >= LONGEST_PAUSE ? LONGEST_PAUSE : 2 * pause;
        began = now_ms();
    }
    t->talk->code = TENUO_OK;
}
