/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Text forms of keys, ids and clearance: what is accepted is written in the one canonical form and read back as the
 * same.
 */
#include "fuzz.h"

static void require_key(const char *text, size_t len)
{
    uint8_t key[TENUO_PUBLIC_KEY_BYTES], again[TENUO_PUBLIC_KEY_BYTES];
    char pem[TENUO_PUBLIC_PEM_MAX_BYTES], url[44];
    if (tenuo_public_key_parse(text, len, key, NULL) != 0)
        return;
    REQUIRE(tenuo_public_key_check(key) == 0);
    tenuo_public_key_pem(key, pem);
    REQUIRE(tenuo_public_key_parse_pem(pem, strlen(pem), again, NULL) == 0 && memcmp(key, again, sizeof key) == 0);
    tenuo_public_key_base64url(key, url);
    REQUIRE(tenuo_public_key_parse_base64url(url, strlen(url), again, NULL) == 0 &&
            memcmp(key, again, sizeof key) == 0);
}

static void require_secret(const char *text, size_t len)
{
    struct tenuo_signer *signer = NULL, *again = NULL;
    char pem[TENUO_SECRET_PEM_MAX_BYTES];
    if (tenuo_signer_from_text(text, len, &signer, NULL) != 0)
        return;
    REQUIRE(tenuo_signer_secret_pem(signer, 1, pem, NULL) == 0 &&
            tenuo_signer_from_pem(pem, strlen(pem), &again, NULL) == 0);
    REQUIRE(memcmp(tenuo_signer_public_key(signer), tenuo_signer_public_key(again), TENUO_PUBLIC_KEY_BYTES) == 0);
    tenuo_signer_free(again);
    tenuo_signer_free(signer);
}

static void require_id(const char *text, size_t len)
{
    uint8_t id[TENUO_WARRANT_ID_BYTES], again[TENUO_WARRANT_ID_BYTES];
    char out[TENUO_WARRANT_ID_TEXT_BYTES];
    if (tenuo_warrant_id_parse(text, len, id, NULL) != 0)
        return;
    tenuo_warrant_id_text(id, out);
    REQUIRE(tenuo_warrant_id_parse(out, strlen(out), again, NULL) == 0 && memcmp(id, again, sizeof id) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const char *text = (const char *)data;
    uint8_t level = 0;
    require_key(text, size);
    require_secret(text, size);
    require_id(text, size);
    if (tenuo_clearance_parse(text, size, &level, NULL) == 0)
        REQUIRE(size > 0);
    return 0;
}
