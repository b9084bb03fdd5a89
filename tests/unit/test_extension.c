/* SPDX-License-Identifier: Apache-2.0 */
/* Extensions of a warrant: read back by key, and never handed on to a child by themselves. */
#include "tap.h"

#include <tenuo/tenuo.h>

#define T0 1700000000

static const uint8_t value[] = { 0, 255, 7 };

static struct tenuo_signer *signer_of(uint8_t fill)
{
    struct tenuo_signer *s = NULL;
    uint8_t seed[32];
    memset(seed, fill, sizeof seed);
    return tenuo_signer_from_seed(seed, &s, NULL) == TENUO_OK ? s : NULL;
}

static int root(const struct tenuo_signer *by, const struct tenuo_signer *holder, struct tenuo_stack **ret)
{
    struct tenuo_mint *m = NULL;
    int r = tenuo_mint_root(&m, NULL);
    r = r != 0 ? r : tenuo_mint_set_holder(m, tenuo_signer_public_key(holder), NULL);
    r = r != 0 ? r : tenuo_mint_add_tool(m, "t", 1, NULL, NULL);
    r = r != 0 ? r : tenuo_mint_add_extension(m, "org.cost", 8, value, sizeof value, NULL);
    r = r != 0 ? r : tenuo_mint_add_extension(m, "a\0b", 3, value, 1, NULL);
    r = r != 0 ? r : tenuo_mint_set_session_id(m, "s-1", 3, NULL);
    r = r != 0 ? r : tenuo_mint_sign(m, by, T0, ret, NULL);
    tenuo_mint_free(m);
    return r;
}

static int child(const struct tenuo_stack *parent, const struct tenuo_signer *by, const struct tenuo_signer *holder,
                 struct tenuo_stack **ret)
{
    struct tenuo_mint *m = NULL;
    int r = tenuo_mint_attenuate(parent, &m, NULL);
    r = r != 0 ? r : tenuo_mint_set_holder(m, tenuo_signer_public_key(holder), NULL);
    r = r != 0 ? r : tenuo_mint_add_tool(m, "t", 1, NULL, NULL);
    r = r != 0 ? r : tenuo_mint_sign(m, by, T0, ret, NULL);
    tenuo_mint_free(m);
    return r;
}

int main(void)
{
    struct tenuo_signer *a = signer_of(1), *b = signer_of(2), *c = signer_of(3);
    struct tenuo_stack *parent = NULL, *chain = NULL;
    size_t len = 99;
    is_int(root(a, b, &parent), 0, "a root with two extensions");
    const struct tenuo_warrant *w = tenuo_stack_leaf(parent);
    const uint8_t *p = tenuo_warrant_extension(w, "org.cost", 8, &len);
    ok(p != NULL && len == sizeof value && memcmp(p, value, len) == 0, "is read by its key");
    p = tenuo_warrant_extension(w, "a\0b", 3, &len);
    ok(p != NULL && len == 1, "a key may hold any byte");
    len = 99;
    ok(tenuo_warrant_extension(w, "a", 1, &len) == NULL && len == 99, "another key is another one");
    ok(tenuo_warrant_extension(w, "tenuo.session_id", 16, &len) == NULL, "the session has its own getter");
    is_int(child(parent, b, c, &chain), 0, "a child");
    w = tenuo_stack_leaf(chain);
    ok(tenuo_warrant_extension(w, "org.cost", 8, &len) == NULL && tenuo_warrant_extension_count(w) == 0,
       "inherits no extension");
    tenuo_stack_free(parent);
    tenuo_stack_free(chain);
    tenuo_signer_free(a);
    tenuo_signer_free(b);
    tenuo_signer_free(c);
    return done_testing();
}
