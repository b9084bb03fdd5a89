/* SPDX-License-Identifier: Apache-2.0 */
/* The list that verify and authorize are given beside explicit roots. One that cannot be used ends the run: a decision
 * without it would not be the one that was asked for. */
#include "srl.h"

#include <string.h>

static bool is_root(uint8_t (*roots)[TENUO_PUBLIC_KEY_BYTES], size_t n, const uint8_t *key)
{
    for (size_t i = 0; i < n; i++)
        if (memcmp(roots[i], key, TENUO_PUBLIC_KEY_BYTES) == 0)
            return true;
    return false;
}

int srl_use(struct tenuo_verifier_builder *builder, const char *path, const uint8_t *issuer,
            uint8_t (*roots)[TENUO_PUBLIC_KEY_BYTES], size_t nroots, struct tenuo_error *err)
{
    struct tenuo_revocation_source source = { .fresh_until = INT64_MAX };
    struct tenuo_revocation *revocation = NULL;
    if (!path)
        return TENUO_OK;
    int code = srl_read(path, issuer, &source.list, err);
    if (!code && !issuer && !is_root(roots, nroots, tenuo_srl_issuer(source.list)))
        code = cli_set_error(err, TENUO_E_UNTRUSTED_ROOT,
                             "%.128s: signed by none of the roots; name its key with --srl-issuer", path);
    if (!code)
        code = tenuo_revocation_new(&source, 1, &revocation, err);
    if (!code)
        tenuo_verifier_builder_set_revocation(builder, revocation);
    tenuo_revocation_unref(revocation);
    tenuo_srl_unref(source.list);
    return code;
}
