/* SPDX-License-Identifier: Apache-2.0 */
/* Kinds `approval_envelope` and `approval_create`: signed approvals from bytes, and to bytes. Never reads a clock. */
#include "runner.h"
#include <stdlib.h>

static void put_number(json_t *answer, const char *member, uint64_t n)
{
    (void)json_object_set_new(answer, member, json_integer((json_int_t)n));
}

static json_t *run_envelope(struct vector *v)
{
    struct tenuo_approval *a = NULL;
    struct bytes input;
    size_t len = 0;
    if (!get_bytes(v->json, "approval", &input))
        return NULL;
    int rc = tenuo_approval_parse(input.p, input.len, &a, NULL);
    json_t *answer = rc == 0 ? answer_ok() : answer_refused(rc);
    if (rc == 0) {
        const char *id = tenuo_approval_external_id(a, &len);
        put_hex(answer, "request_hash", tenuo_approval_request_hash(a), TENUO_REQUEST_HASH_BYTES);
        put_hex(answer, "nonce", tenuo_approval_nonce(a), TENUO_APPROVAL_NONCE_BYTES);
        put_text(answer, "external_id", id, len);
        put_number(answer, "approved_at", tenuo_approval_approved_at(a));
        put_number(answer, "expires_at", tenuo_approval_expires_at(a));
    }
    tenuo_approval_free(a);
    free(input.p);
    return answer;
}

static int set_times(const json_t *json, struct tenuo_approve *approve, int64_t *ret_now)
{
    int64_t expires = 0;
    if (!get_number(json, "approved_at", ret_now) || !get_number(json, "expires_at", &expires))
        return TENUO_E_INVALID_ARGUMENT;
    tenuo_approve_set_lifetime(approve, (uint64_t)(expires - *ret_now));
    return 0;
}

static json_t *create(const json_t *json, const struct tenuo_signer *signer, const uint8_t hash[32])
{
    uint8_t nonce[TENUO_APPROVAL_NONCE_BYTES];
    struct tenuo_approve *approve = NULL;
    struct tenuo_approval *a = NULL;
    json_t *answer = json_object();
    size_t len = 0;
    int64_t now = 0;
    const char *id = get_text(json, "external_id", &len);
    int rc = tenuo_approve_new(hash, &approve, NULL);
    if (rc == 0 && id != NULL)
        rc = tenuo_approve_set_external_id(approve, id, len, NULL);
    if (rc == 0)
        rc = set_times(json, approve, &now);
    if (rc == 0 && get_fixed(json, "nonce", nonce, sizeof nonce))
        tenuo_approve_set_nonce(approve, nonce);
    if (rc == 0)
        rc = tenuo_approve_sign(approve, signer, (uint64_t)now, &a, NULL);
    if (rc == 0) {
        const uint8_t *bytes = tenuo_approval_bytes(a, &len);
        put_hex(answer, "approval", bytes, len);
    } else {
        put_number(answer, "refused", (uint64_t)rc);
    }
    tenuo_approval_free(a);
    tenuo_approve_free(approve);
    return answer;
}

static json_t *run_create(struct vector *v)
{
    uint8_t seed[TENUO_SECRET_SEED_BYTES], hash[TENUO_REQUEST_HASH_BYTES];
    struct tenuo_signer *signer = NULL;
    if (!get_fixed(v->json, "approver_secret", seed, sizeof seed) ||
        !get_fixed(v->json, "request_hash", hash, sizeof hash) || tenuo_signer_from_seed(seed, &signer, NULL) != 0)
        return NULL;
    json_t *answer = create(v->json, signer, hash);
    tenuo_signer_free(signer);
    return answer;
}

const struct kind kinds_approval[] = {
    { "approval_envelope", run_envelope, NULL },
    { "approval_create", run_create, NULL },
    { NULL, NULL, NULL },
};
