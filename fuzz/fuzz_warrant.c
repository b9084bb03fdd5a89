/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One signed warrant. Accepted bytes encode to themselves, and two verifications, without and with the link cache,
 * agree.
 */
#include "fuzz.h"

static struct tenuo_verifier *trusting(const uint8_t *root)
{
    struct tenuo_verifier_builder *builder = NULL;
    struct tenuo_verifier *verifier = NULL;
    REQUIRE(tenuo_verifier_builder_new(&builder, NULL) == 0);
    if (tenuo_verifier_builder_add_root(builder, root, NULL) == 0)
        REQUIRE(tenuo_verifier_builder_build(builder, &verifier, NULL) == 0);
    tenuo_verifier_builder_free(builder);
    return verifier;
}

static int verdict(struct tenuo_verifier *verifier, const uint8_t *data, size_t size, int64_t now)
{
    struct tenuo_decision *decision = NULL;
    REQUIRE(tenuo_verify(verifier, data, size, now, &decision, NULL) == 0);
    int code = tenuo_decision_code(decision);
    REQUIRE((code == 0) == (tenuo_decision_outcome(decision) == TENUO_ALLOW));
    tenuo_decision_free(decision);
    return code;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct tenuo_stack *stack = NULL;
    uint8_t again[TENUO_WARRANT_MAX_BYTES];
    size_t len = sizeof again;
    if (tenuo_stack_parse_single(data, size, &stack, NULL) != 0)
        return 0;
    const struct tenuo_warrant *w = tenuo_stack_leaf(stack);
    REQUIRE(tenuo_warrant_encode(w, TENUO_FORM_CBOR, again, &len, NULL) == 0);
    REQUIRE(len == size && memcmp(again, data, size) == 0);
    struct tenuo_verifier *verifier = trusting(tenuo_warrant_issuer(w));
    int64_t now = (int64_t)tenuo_warrant_issued_at(w);
    if (verifier != NULL)
        REQUIRE(verdict(verifier, data, size, now) == verdict(verifier, data, size, now));
    tenuo_verifier_unref(verifier);
    tenuo_stack_free(stack);
    return 0;
}
