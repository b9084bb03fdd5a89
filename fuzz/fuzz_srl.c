/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Revocation lists and requests to revoke behind their signature, which no fuzzer can make: here every one verifies.
 * Whatever list is read has its ids in order, each of them found, and the same set when it is signed anew.
 */
#define tn_wire_verify any_signature /* as core/srl_wire.h declares it */
#include "../core/revocation_request.c"
#include "../core/srl_read.c"

#include "fuzz.h"

int any_signature(const uint8_t key[32], const uint8_t signature[64], const char *domain, struct tn_str message)
{
    REQUIRE(key != NULL && signature != NULL && domain != NULL && message.p != NULL && message.n != 0);
    return TENUO_OK;
}

struct seen {
    const struct tenuo_srl *srl;
    struct tn_str last;
    char text[TENUO_WARRANT_ID_TEXT_BYTES];
    size_t count;
};

static int see(void *arg, const char *id, size_t len)
{
    struct tn_str now = { (const uint8_t *)id, len };
    struct seen *s = arg;
    uint8_t raw[16];
    REQUIRE(s->count == 0 || tn_str_cmp(s->last, now) < 0);
    if (tn_srl_id(now, raw)) {
        REQUIRE(tenuo_srl_contains(s->srl, raw));
        memcpy(s->text, id, len); /* an id is lent until the next one */
        now.p = (const uint8_t *)s->text;
    }
    s->last = now;
    s->count++;
    return 0;
}

static struct tenuo_signer *signer(void)
{
    static const uint8_t seed[32] = "a key which signs nothing of use";
    static struct tenuo_signer *made;
    if (made == NULL)
        REQUIRE(tenuo_signer_from_seed(seed, &made, NULL) == 0);
    return made;
}

static void require_again(const struct tenuo_srl *srl)
{
    struct tenuo_srl_builder *b = NULL;
    struct tenuo_srl *next = NULL;
    uint8_t *bytes = NULL;
    size_t n = 0, added = 1, dropped = 1;
    if (tenuo_srl_version(srl) == UINT64_MAX)
        return;
    REQUIRE(tenuo_srl_builder_new(tenuo_srl_version(srl) + 1, &b, NULL) == 0);
    REQUIRE(tenuo_srl_builder_carry(b, srl, NULL, NULL, NULL, NULL) == 0);
    REQUIRE(tenuo_srl_builder_sign(b, signer(), tenuo_srl_issued_at(srl), &bytes, &n, NULL) == 0);
    REQUIRE(tenuo_srl_parse(bytes, n, NULL, &next, NULL) == 0);
    REQUIRE(tenuo_srl_diff(srl, next, NULL, NULL, &added, &dropped) == 0 && added == 0 && dropped == 0);
    REQUIRE(tenuo_srl_compare(srl, next, NULL) == 0 && tenuo_srl_compare(next, srl, NULL) == TENUO_E_SRL_ROLLBACK);
    tenuo_srl_unref(next);
    tenuo_srl_builder_free(b);
    tenuo_bytes_free(bytes, n);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct tenuo_revocation_request *request = NULL;
    struct tenuo_srl *srl = NULL;
    if (tenuo_srl_parse(data, size, NULL, &srl, NULL) == 0) {
        struct seen seen = { .srl = srl };
        REQUIRE(tenuo_srl_each(srl, see, &seen) == 0 && seen.count == tenuo_srl_count(srl));
        require_again(srl);
    }
    tenuo_srl_unref(srl);
    if (tenuo_revocation_request_parse(data, size, &request, NULL) == 0)
        REQUIRE(tenuo_revocation_request_requested_at(request) >= 0);
    tenuo_revocation_request_free(request);
    return 0;
}
