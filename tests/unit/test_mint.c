/* SPDX-License-Identifier: Apache-2.0 */
/* Builders beyond the vectors: the split form, capped lifetimes, what a child takes over, and what is refused before
 * anything is signed. */
#include "tap.h"

#include <stdlib.h>
#include <tenuo/tenuo.h>

#define T0 1700000000u

static struct tenuo_signer *root, *alice, *bob;

static struct tenuo_signer *seeded(uint8_t v)
{
    uint8_t seed[32];
    struct tenuo_signer *s = NULL;
    memset(seed, v, sizeof seed);
    return tenuo_signer_from_seed(seed, &s, NULL) == TENUO_OK ? s : NULL;
}

static struct tenuo_constraint_set *path_under(const char *dir)
{
    struct tenuo_constraint_set *set = NULL;
    struct tenuo_constraint *c = NULL;
    int r = tenuo_constraint_set_new(&set, NULL);
    r = r != 0 ? r : tenuo_constraint_subpath(dir, strlen(dir), 1, 1, &c, NULL);
    r = r != 0 ? r : tenuo_constraint_set_put(set, "path", 4, c, NULL);
    tenuo_constraint_free(c);
    return r == 0 ? set : NULL;
}

/* Root for alice: read under /data, list unconstrained, one hour. */
static struct tenuo_stack *make_root(void)
{
    struct tenuo_constraint_set *set = path_under("/data");
    struct tenuo_stack *s = NULL;
    struct tenuo_mint *m = NULL;
    int r = tenuo_mint_root(&m, NULL);
    r = r != 0 ? r : tenuo_mint_set_holder(m, tenuo_signer_public_key(alice), NULL);
    r = r != 0 ? r : tenuo_mint_add_tool(m, "read", 4, set, NULL);
    r = r != 0 ? r : tenuo_mint_add_tool(m, "list", 4, NULL, NULL);
    r = r != 0 ? r : tenuo_mint_set_session_id(m, "s1", 2, NULL);
    tenuo_mint_set_ttl(m, 3600);
    tenuo_mint_set_max_depth(m, 2);
    r = r != 0 ? r : tenuo_mint_sign(m, root, T0, &s, NULL);
    tenuo_mint_free(m);
    tenuo_constraint_set_free(set);
    return r == 0 ? s : NULL;
}

static struct tenuo_mint *child_of(const struct tenuo_stack *parent)
{
    struct tenuo_mint *m = NULL;
    if (tenuo_mint_attenuate(parent, &m, NULL) != TENUO_OK ||
        tenuo_mint_set_holder(m, tenuo_signer_public_key(bob), NULL) != TENUO_OK)
        return NULL;
    return m;
}

static int sign_and_free(struct tenuo_mint *m, const struct tenuo_signer *as, uint64_t now, struct tenuo_stack **ret)
{
    struct tenuo_stack *s = NULL;
    int r = tenuo_mint_sign(m, as, now, &s, NULL);
    tenuo_mint_free(m);
    if (ret != NULL)
        *ret = s;
    else
        tenuo_stack_free(s);
    return r;
}

static void test_child(const struct tenuo_stack *parent)
{
    struct tenuo_stack *s = NULL;
    struct tenuo_mint *m = child_of(parent);
    size_t n = 0;
    is_int(tenuo_mint_keep_tool(m, "read", 4, NULL), 0, "a kept tool");
    is_int(sign_and_free(m, alice, T0 + 10, &s), 0, "a child");
    is_int((long long)tenuo_stack_length(s), 2, "comes with its chain");
    is_int((long long)tenuo_warrant_expires_at(tenuo_stack_leaf(s)), T0 + 3600, "expires with its parent by default");
    is_int((long long)tenuo_warrant_max_depth(tenuo_stack_leaf(s)), 2, "max_depth is the parent's");
    ok(tenuo_warrant_session_id(tenuo_stack_leaf(s), &n) != NULL && n == 2, "the session id is inherited");
    tenuo_stack_free(s);

    m = child_of(parent);
    ok(tenuo_mint_keep_all(m, NULL) == TENUO_OK, "all tools kept");
    tenuo_mint_set_ttl_capped(m, 1000000);
    tenuo_mint_set_terminal(m);
    is_int(sign_and_free(m, alice, T0 + 10, &s), 0, "a capped, terminal child");
    is_int((long long)tenuo_warrant_expires_at(tenuo_stack_leaf(s)), T0 + 3600, "is cut to its parent's end");
    is_int((long long)tenuo_warrant_max_depth(tenuo_stack_leaf(s)), 1, "and ends the delegation");
    m = child_of(s);
    ok(m != NULL && tenuo_mint_keep_all(m, NULL) == TENUO_OK, "a builder below a terminal warrant");
    is_int(sign_and_free(m, bob, T0 + 20, NULL), 1402, "gets no further");
    tenuo_stack_free(s);
}

static void test_refused(const struct tenuo_stack *parent)
{
    struct tenuo_constraint_set *wide = path_under("/");
    struct tenuo_mint *m = child_of(parent);
    is_int(tenuo_mint_keep_tool(m, "write", 5, NULL), 1502, "a tool that the parent lacks cannot be kept");
    is_int(tenuo_mint_add_tool(m, "read", 4, wide, NULL), 0, "a wider path is taken by the builder");
    ok(sign_and_free(m, alice, T0, NULL) >= 1501, "and refused when it is signed");
    m = child_of(parent);
    is_int(sign_and_free(m, alice, T0, NULL), 1201, "no tools");
    m = child_of(parent);
    ok(tenuo_mint_keep_all(m, NULL) == TENUO_OK, "kept");
    is_int(sign_and_free(m, bob, T0, NULL), 1400, "signed by somebody else than the parent's holder");
    m = child_of(parent);
    ok(tenuo_mint_keep_all(m, NULL) == TENUO_OK, "kept");
    is_int(sign_and_free(m, alice, T0 + 3600, NULL), 1300, "under an expired parent");
    m = child_of(parent);
    ok(tenuo_mint_keep_all(m, NULL) == TENUO_OK, "kept");
    tenuo_mint_set_ttl(m, 3601);
    is_int(sign_and_free(m, alice, T0, NULL), 1502, "outliving the parent");
    m = child_of(parent);
    ok(tenuo_mint_keep_all(m, NULL) == TENUO_OK, "kept");
    tenuo_mint_set_ttl(m, 0);
    is_int(sign_and_free(m, alice, T0, NULL), 1201, "a lifetime of nothing");
    m = child_of(parent);
    ok(tenuo_mint_keep_all(m, NULL) == TENUO_OK, "kept");
    tenuo_mint_set_clearance(m, 1);
    is_int(sign_and_free(m, alice, T0, NULL), 1503, "a clearance under a parent without one");
    tenuo_constraint_set_free(wide);
}

static void test_split(void)
{
    struct tenuo_mint *m = NULL;
    struct tenuo_stack *s = NULL, *again = NULL;
    uint8_t *message = NULL, signature[64];
    size_t n = 0;
    ok(tenuo_mint_root(&m, NULL) == TENUO_OK && tenuo_mint_add_tool(m, "t", 1, NULL, NULL) == TENUO_OK, "a builder");
    is_int(tenuo_mint_finish(m, signature, &s, NULL), TENUO_E_INVALID_ARGUMENT, "finish before prepare");
    is_int(tenuo_mint_prepare(m, tenuo_signer_public_key(root), T0, &message, &n, NULL), 0, "bytes to sign");
    ok(n > 17 && memcmp(message, "tenuo-warrant-v1\x01", 17) == 0, "under the warrant's prefix");
    is_int(tenuo_signer_sign(alice, message + 16, n - 16, signature, NULL), 0, "signed by the wrong key");
    is_int(tenuo_mint_finish(m, signature, &s, NULL), 1100, "is not released");
    is_int(tenuo_signer_sign(root, message + 16, n - 16, signature, NULL), 0, "signed by the right key");
    is_int(tenuo_mint_finish(m, signature, &s, NULL), 0, "is");
    is_int(tenuo_mint_prepare(m, tenuo_signer_public_key(root), T0, &message, &n, NULL), TENUO_E_INVALID_ARGUMENT,
           "one payload a builder");
    tenuo_bytes_free(message, n);
    n = 0;
    is_int(tenuo_stack_encode(s, TENUO_FORM_CBOR, NULL, &n, NULL) == TENUO_OK || n > 0, 1, "its size");
    message = malloc(n);
    ok(tenuo_stack_encode(s, TENUO_FORM_CBOR, message, &n, NULL) == TENUO_OK &&
           tenuo_stack_parse(message, n, &again, NULL) == TENUO_OK,
       "the decoder takes it, signature included");
    free(message);
    tenuo_stack_free(again);
    tenuo_stack_free(s);
    tenuo_mint_free(m);
}

static void test_issue(void)
{
    struct tenuo_mint *m = NULL;
    struct tenuo_stack *issuer = NULL, *s = NULL;
    int r = tenuo_mint_root(&m, NULL);
    r = r != 0 ? r : tenuo_mint_set_holder(m, tenuo_signer_public_key(alice), NULL);
    r = r != 0 ? r : tenuo_mint_add_issuable(m, "read", 4, NULL);
    tenuo_mint_set_max_issue_depth(m, 1);
    is_int(r != 0 ? r : sign_and_free(m, root, T0, &issuer), 0, "an issuer warrant");
    r = tenuo_mint_issue(issuer, &m, NULL);
    r = r != 0 ? r : tenuo_mint_add_tool(m, "read", 4, NULL, NULL);
    r = r != 0 ? r : tenuo_mint_set_holder(m, tenuo_signer_public_key(bob), NULL);
    is_int(r != 0 ? r : sign_and_free(m, alice, T0, NULL), 1204, "issuing needs a lifetime");
    r = tenuo_mint_issue(issuer, &m, NULL);
    r = r != 0 ? r : tenuo_mint_add_tool(m, "read", 4, NULL, NULL);
    r = r != 0 ? r : tenuo_mint_set_holder(m, tenuo_signer_public_key(alice), NULL);
    tenuo_mint_set_ttl(m, 60);
    is_int(r != 0 ? r : sign_and_free(m, alice, T0, NULL), 1400, "nobody issues to himself");
    r = tenuo_mint_issue(issuer, &m, NULL);
    r = r != 0 ? r : tenuo_mint_add_tool(m, "read", 4, NULL, NULL);
    r = r != 0 ? r : tenuo_mint_set_holder(m, tenuo_signer_public_key(bob), NULL);
    tenuo_mint_set_ttl(m, 60);
    is_int(r != 0 ? r : sign_and_free(m, alice, T0, &s), 0, "an issued warrant");
    tenuo_stack_free(s);
    tenuo_stack_free(issuer);
}

int main(void)
{
    struct tenuo_stack *parent;
    root = seeded(1);
    alice = seeded(2);
    bob = seeded(3);
    parent = make_root();
    ok(parent != NULL, "a root warrant");
    test_child(parent);
    test_refused(parent);
    test_split();
    test_issue();
    tenuo_stack_free(parent);
    tenuo_signer_free(root);
    tenuo_signer_free(alice);
    tenuo_signer_free(bob);
    return done_testing();
}
