/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Roots, tolerance, windows, lifetime, clearance rules and revocation list of a case to a verifier.
 *
 * Must never add trust: a case without roots gets a verifier that trusts one key nobody holds, which decides the same.
 */
#include "verifier.h"
#include "runner.h"
#include <stdlib.h>

static int add_stranger(struct tenuo_verifier_builder *builder)
{
    static const uint8_t seed[TENUO_SECRET_SEED_BYTES] = "a key which signs no test vector";
    struct tenuo_signer *signer = NULL;
    int rc = tenuo_signer_from_seed(seed, &signer, NULL);
    if (rc == 0)
        rc = tenuo_verifier_builder_add_root(builder, tenuo_signer_public_key(signer), NULL);
    tenuo_signer_free(signer);
    return rc;
}

static int add_roots(const json_t *json, struct tenuo_verifier_builder *builder)
{
    const json_t *roots = json_object_get(json, "roots");
    if (json_array_size(roots) == 0)
        return add_stranger(builder);
    for (size_t i = 0; i < json_array_size(roots); i++) {
        const json_t *text = json_array_get(roots, i);
        struct bytes key;
        if (!json_is_string(text) || !hex_decode(json_string_value(text), json_string_length(text), &key))
            return TENUO_E_INVALID_ARGUMENT;
        int rc = key.len == TENUO_PUBLIC_KEY_BYTES ? tenuo_verifier_builder_add_root(builder, key.p, NULL)
                                                   : TENUO_E_INVALID_ARGUMENT;
        free(key.p);
        if (rc != 0)
            return rc;
    }
    return 0;
}

static int add_clearances(const json_t *json, struct tenuo_verifier_builder *builder)
{
    const json_t *rules = json_object_get(json, "required_clearance");
    for (size_t i = 0; i < json_array_size(rules); i++) {
        const json_t *rule = json_array_get(rules, i), *pattern = json_array_get(rule, 0);
        json_int_t level = json_integer_value(json_array_get(rule, 1));
        if (!json_is_string(pattern) || level < 0 || level > UINT8_MAX)
            return TENUO_E_INVALID_ARGUMENT;
        int rc = tenuo_verifier_builder_require_clearance(builder, json_string_value(pattern),
                                                          json_string_length(pattern), (uint8_t)level, NULL);
        if (rc != 0)
            return rc;
    }
    return 0;
}

static uint32_t to_u32(int64_t n)
{
    return n < 0 ? 0 : n > UINT32_MAX ? UINT32_MAX : (uint32_t)n;
}

static void apply_settings(const json_t *json, struct tenuo_verifier_builder *builder)
{
    int64_t n;
    if (get_number(json, "clock_tolerance", &n))
        tenuo_verifier_builder_set_clock_tolerance(builder, to_u32(n));
    if (get_number(json, "pop_max_windows", &n))
        tenuo_verifier_builder_set_pop_windows(builder, to_u32(n));
    const json_t *ours = json_object_get(json, "ours_setting");
    if (get_number(ours, "max_approval_lifetime", &n))
        tenuo_verifier_builder_set_max_approval_lifetime(builder, n < 0 ? 0 : (uint64_t)n);
    if (get_number(json, "max_token_lifetime", &n))
        tenuo_verifier_builder_set_max_lifetime(builder, n < 0 ? 0 : (uint64_t)n);
}

/* `srl` signed by `srl_issuer`; a case without one has no revocation. */
static int add_list(const json_t *json, struct tenuo_verifier_builder *builder)
{
    uint8_t issuer[TENUO_PUBLIC_KEY_BYTES];
    struct tenuo_revocation_source source = { .fresh_until = INT64_MAX };
    struct tenuo_revocation *revocation = NULL;
    if (!has(json, "srl"))
        return 0;
    if (!get_fixed(json, "srl_issuer", issuer, sizeof issuer))
        return TENUO_E_INVALID_ARGUMENT;
    int rc = srl_of(json, issuer, &source.list);
    if (rc == 0)
        rc = tenuo_revocation_new(&source, 1, &revocation, NULL);
    if (rc == 0)
        tenuo_verifier_builder_set_revocation(builder, revocation);
    tenuo_revocation_unref(revocation);
    tenuo_srl_unref(source.list);
    return rc;
}

int verifier_of_case(const json_t *json, struct tenuo_verifier **ret_verifier)
{
    struct tenuo_verifier_builder *builder = NULL;
    int rc = tenuo_verifier_builder_new(&builder, NULL);
    if (rc != 0)
        return rc;
    rc = add_roots(json, builder);
    if (rc == 0)
        rc = add_clearances(json, builder);
    if (rc == 0)
        rc = add_list(json, builder);
    apply_settings(json, builder);
    tenuo_verifier_builder_set_matchers(builder, matchers);
    if (rc == 0)
        rc = tenuo_verifier_builder_build(builder, ret_verifier, NULL);
    tenuo_verifier_builder_free(builder);
    return rc;
}
