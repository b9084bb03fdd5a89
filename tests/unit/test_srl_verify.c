/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Lists in a decision: every warrant of a chain, several lists, lists that are missing or too old, verifiers that share
 * everything but their list; and requests to revoke.
 */
#include "tap.h"

#include <sodium.h>
#include <stdlib.h>
#include <tenuo/tenuo.h>

#define T0 1700000000

static struct tenuo_signer *root, *alice, *bob, *stranger;
static struct tenuo_stack *chain;
static struct tenuo_verifier *plain;

static const uint8_t *leaf_id(void)
{
    return tenuo_warrant_id(tenuo_stack_leaf(chain));
}

static const uint8_t *root_id(void)
{
    return tenuo_warrant_id(tenuo_stack_warrant(chain, 0));
}

static void mint(void)
{
    struct tenuo_constraint_set *set = NULL;
    struct tenuo_stack *top = NULL;
    struct tenuo_mint *m = NULL;
    ok(tenuo_constraint_set_new(&set, NULL) == 0 && tenuo_mint_root(&m, NULL) == 0, "a root warrant");
    ok(tenuo_mint_add_tool(m, "read", 4, set, NULL) == 0, "with a tool");
    ok(tenuo_mint_set_holder(m, tenuo_signer_public_key(alice), NULL) == 0, "for alice");
    ok(tenuo_mint_sign(m, root, T0, &top, NULL) == 0, "signed");
    tenuo_mint_free(m);
    ok(tenuo_mint_attenuate(top, &m, NULL) == 0 && tenuo_mint_keep_all(m, NULL) == 0, "its child");
    ok(tenuo_mint_set_holder(m, tenuo_signer_public_key(bob), NULL) == 0, "for bob");
    ok(tenuo_mint_sign(m, alice, T0, &chain, NULL) == 0, "signed");
    tenuo_mint_free(m);
    tenuo_stack_free(top);
    tenuo_constraint_set_free(set);
}

static struct tenuo_srl *list_of(const uint8_t *id, uint64_t version)
{
    struct tenuo_srl_builder *b = NULL;
    struct tenuo_srl *srl = NULL;
    uint8_t *bytes = NULL;
    size_t n = 0;
    ok(tenuo_srl_builder_new(version, &b, NULL) == 0, "builder");
    ok(id == NULL || tenuo_srl_builder_add(b, id, NULL) == 0, "added");
    ok(tenuo_srl_builder_sign(b, root, T0, &bytes, &n, NULL) == 0, "signed");
    ok(tenuo_srl_parse(bytes, n, tenuo_signer_public_key(root), &srl, NULL) == 0, "read");
    tenuo_bytes_free(bytes, n);
    tenuo_srl_builder_free(b);
    return srl;
}

/* One decision under these sources; the answer's code, or 0. */
static int decide(const struct tenuo_revocation_source *sources, size_t n, struct tenuo_decision **ret)
{
    struct tenuo_revocation *r = NULL;
    struct tenuo_verifier *v = NULL;
    struct tenuo_decision *d = NULL;
    ok(tenuo_revocation_new(sources, n, &r, NULL) == 0, "snapshot");
    ok(tenuo_verifier_with_revocation(plain, r, &v, NULL) == 0, "verifier");
    tenuo_revocation_unref(r);
    ok(tenuo_verify_stack(v, chain, T0, &d, NULL) == 0, "decided");
    tenuo_verifier_unref(v);
    int code = tenuo_decision_code(d);
    if (ret != NULL)
        *ret = d;
    else
        tenuo_decision_free(d);
    return code;
}

static void decisions(void)
{
    struct tenuo_srl *none = list_of(NULL, 3), *leaf = list_of(leaf_id(), 4), *top = list_of(root_id(), 5);
    struct tenuo_revocation_source s[3] = { { none, INT64_MAX, "a", NULL },
                                            { leaf, INT64_MAX, "b", NULL },
                                            { top, INT64_MAX, NULL, NULL } };
    struct tenuo_decision *d = NULL;
    is_int(decide(s, 1, &d), 0, "on no list");
    ok(tenuo_decision_srl_version(d) == 3 && memcmp(tenuo_decision_srl_sha256(d), tenuo_srl_sha256(none), 32) == 0,
       "and it says which list");
    tenuo_decision_free(d);
    is_int(decide(s, 2, &d), 1800, "on the second list");
    is_int(tenuo_decision_step(d), TENUO_STEP_REVOCATION, "at revocation");
    is_int(tenuo_decision_link(d), 1, "the leaf");
    is_str(tenuo_decision_reason(d), "the warrant is on revocation list version 4 of b", "which list it was");
    tenuo_decision_free(d);
    is_int(decide(s, 3, &d), 1800, "leaf and root");
    is_int(tenuo_decision_link(d), 0, "the root is asked first");
    tenuo_decision_free(d);
    s[1].fresh_until = T0 - 1;
    is_int(decide(s, 2, NULL), 1800, "an old list is believed when it names a warrant");
    s[0].fresh_until = T0 - 1;
    is_int(decide(s, 1, &d), 9301, "and not when it names none");
    ok(tenuo_decision_outcome(d) == TENUO_DENY && tenuo_decision_chain_length(d) == 2, "a denial of a known chain");
    is_str(tenuo_decision_reason(d),
           "the revocation list is too old to decide by for a: publish a current one where it is read from", "why");
    tenuo_decision_free(d);
    s[0].why = "the disk is full";
    is_int(decide(s, 1, &d), 9301, "with a cause");
    is_str(tenuo_decision_reason(d), "the revocation list is too old to decide by for a: the disk is full",
           "it is named");
    tenuo_decision_free(d);
    s[0].why = NULL;
    s[0].fresh_until = T0;
    is_int(decide(s, 1, NULL), 0, "its last second");
    s[0].list = NULL;
    is_int(decide(s, 1, NULL), 9301, "a source without a list");
    is_int(decide(s, 3, NULL), 1800, "a revocation elsewhere is the better answer");
    is_int(decide(NULL, 0, NULL), 9301, "configured, and nothing there");
    tenuo_srl_unref(none);
    tenuo_srl_unref(leaf);
    tenuo_srl_unref(top);
}

/* An id that only an earlier list had: said so, and the newer list is not named for it. */
static void united(void)
{
    struct tenuo_srl *older = list_of(leaf_id(), 4), *newer = list_of(root_id(), 5), *both = NULL;
    struct tenuo_srl *empty = list_of(NULL, 6), *kept = NULL;
    struct tenuo_decision *d = NULL;
    ok(tenuo_srl_union(newer, older, &both, NULL) == 0 && tenuo_srl_union(empty, older, &kept, NULL) == 0, "unions");
    struct tenuo_revocation_source s = { both, INT64_MAX, "a", NULL };
    is_int(decide(&s, 1, &d), 1800, "on the newer list of two");
    is_str(tenuo_decision_reason(d), "the warrant is on revocation list version 5 of a", "that is named");
    ok(tenuo_decision_srl_version(d) == 5, "in the decision too");
    tenuo_decision_free(d);
    s.list = kept;
    is_int(decide(&s, 1, &d), 1800, "on the earlier list of two");
    is_str(tenuo_decision_reason(d),
           "the warrant was on an earlier revocation list than version 6 of a, and stays revoked here "
           "(revocation_union)",
           "the newer is not said to have it");
    ok(tenuo_decision_srl_sha256(d) == NULL, "nor named in the decision");
    tenuo_decision_free(d);
    tenuo_srl_unref(older);
    tenuo_srl_unref(newer);
    tenuo_srl_unref(empty);
    tenuo_srl_unref(both);
    tenuo_srl_unref(kept);
}

/* Before a root is trusted or a time looked at. */
static void comes_first(void)
{
    struct tenuo_srl *leaf = list_of(leaf_id(), 1);
    struct tenuo_revocation_source s = { leaf, INT64_MAX, NULL, NULL };
    struct tenuo_verifier_builder *b = NULL;
    struct tenuo_revocation *r = NULL;
    struct tenuo_verifier *v = NULL, *cleared = NULL, *again = NULL;
    struct tenuo_decision *d = NULL;
    ok(tenuo_revocation_new(&s, 1, &r, NULL) == 0 && tenuo_verifier_builder_new(&b, NULL) == 0, "another verifier");
    ok(tenuo_verifier_builder_add_root(b, tenuo_signer_public_key(stranger), NULL) == 0, "that trusts another root");
    tenuo_verifier_builder_set_revocation(b, r);
    tenuo_verifier_builder_set_revocation(b, r); /* set twice: one reference */
    ok(tenuo_verifier_builder_build(b, &v, NULL) == 0, "built");
    ok(tenuo_verify_stack(v, chain, T0 + 999999, &d, NULL) == 0, "decided");
    is_int(tenuo_decision_code(d), 1800, "revoked goes before untrusted and expired");
    tenuo_decision_free(d);
    ok(tenuo_verifier_with_revocation(v, NULL, &cleared, NULL) == 0, "the same without a list");
    ok(tenuo_verifier_with_revocation(cleared, r, &again, NULL) == 0, "and with it again");
    tenuo_verifier_unref(v); /* what the others share lives on */
    ok(tenuo_verify_stack(cleared, chain, T0, &d, NULL) == 0, "decided");
    is_int(tenuo_decision_code(d), 1406, "without the list the root is what fails");
    ok(tenuo_decision_srl_sha256(d) == NULL && tenuo_decision_srl_version(d) == 0, "no list to name");
    tenuo_decision_free(d);
    tenuo_verifier_unref(cleared);
    ok(tenuo_verify_stack(again, chain, T0, &d, NULL) == 0, "decided");
    is_int(tenuo_decision_code(d), 1800, "and with it revoked again");
    tenuo_decision_free(d);
    tenuo_verifier_unref(again);
    tenuo_verifier_builder_free(b);
    tenuo_revocation_unref(r);
    tenuo_srl_unref(leaf);
}

static struct tenuo_revocation_request *request_by(const struct tenuo_signer *who, const uint8_t *id, int64_t when)
{
    struct tenuo_revocation_request *q = NULL;
    uint8_t *bytes = NULL;
    size_t n = 0, wrong = 0;
    ok(tenuo_revocation_request_create(id, "lost key", 8, who, when, &bytes, &n, NULL) == 0, "a request");
    for (size_t i = 0; i < n; i++) {
        wrong += tenuo_revocation_request_parse(bytes, i, &q, NULL) == 0;
        bytes[i] ^= 1;
        wrong += tenuo_revocation_request_parse(bytes, n, &q, NULL) == 0;
        bytes[i] ^= 1;
    }
    ok(wrong == 0 && q == NULL, "no changed or cut byte passes");
    ok(tenuo_revocation_request_parse(bytes, n, &q, NULL) == 0, "read");
    tenuo_bytes_free(bytes, n);
    return q;
}

static int may(const struct tenuo_signer *who, const uint8_t *id, int64_t when, int64_t as_of)
{
    struct tenuo_revocation_request *q = request_by(who, id, when);
    int r = tenuo_revocation_request_check(q, tenuo_stack_leaf(chain), tenuo_signer_public_key(root), as_of, NULL);
    tenuo_revocation_request_free(q);
    return r;
}

static void requests(void)
{
    uint8_t *bytes = NULL;
    size_t n = 0;
    is_int(may(bob, leaf_id(), T0, T0), 0, "by the holder");
    is_int(may(alice, leaf_id(), T0, T0), 0, "by the issuer");
    is_int(may(root, leaf_id(), T0, T0), 0, "by who signs the list");
    is_int(may(stranger, leaf_id(), T0, T0), 1400, "by a stranger");
    is_int(may(bob, root_id(), T0, T0), 1400, "for another warrant");
    is_int(may(bob, leaf_id(), T0 - 250, T0 + 50), 0, "300 s old");
    is_int(may(bob, leaf_id(), T0 - 251, T0 + 50), 1400, "301 s old");
    is_int(may(bob, leaf_id(), T0 + 60, T0), 0, "60 s ahead");
    is_int(may(bob, leaf_id(), T0 + 61, T0), 1400, "61 s ahead");
    is_int(may(bob, leaf_id(), T0 + 300, T0 + 300), 1300, "the warrant has expired");
    is_int(tenuo_revocation_request_create(leaf_id(), "\xff", 1, bob, T0, &bytes, &n, NULL), 1201,
           "a reason that is no text");
    is_int(tenuo_revocation_request_create(leaf_id(), "", 0, bob, -1, &bytes, &n, NULL), 9001, "no time");
    ok(bytes == NULL && n == 0, "nothing was handed out");
}

/* governance.md 10.5, seed 02, id ..01, reason "lost key". */
static void published(void)
{
    static const char hex[] =
        "a56a77617272616e745f69647828746e755f7772745f303030303030303030303030303030303030303030303030303030303030"
        "303166726561736f6e686c6f7374206b657969726571756573746f72820158208139770ea87d175f56a35466c34c7ecccb8d8a91"
        "b4ee37a25df60f5b8fc9b3946c7265717565737465645f6174781e323032362d31312d32325430343a34343a35302e3730333131"
        "393734345a697369676e6174757265820158405de78cccb9df53f7f23febe0f7234084e8a9214fa4abe8293ed906d5bab31983fd"
        "7869c50b81567758159e7cec1d294c3c4dfd23a01f01ec3df31f9c6c4c8308";
    struct tenuo_revocation_request *q = NULL;
    uint8_t bytes[512];
    size_t n = 0, len = 0;
    ok(sodium_hex2bin(bytes, sizeof bytes, hex, sizeof hex - 1, NULL, &n, NULL) == 0, "the test's hex");
    is_int(tenuo_revocation_request_parse(bytes, n, &q, NULL), 0, "the published request");
    is_str(tenuo_revocation_request_warrant_id(q), "tnu_wrt_00000000000000000000000000000001", "its id");
    is_str(tenuo_revocation_request_reason(q, &len), "lost key", "its reason");
    is_int(tenuo_revocation_request_requested_at(q), 1795322690, "its time");
    tenuo_revocation_request_free(q);
}

int main(void)
{
    struct tenuo_verifier_builder *b = NULL;
    ok(tenuo_signer_generate(&root, NULL) == 0 && tenuo_signer_generate(&alice, NULL) == 0, "keys");
    ok(tenuo_signer_generate(&bob, NULL) == 0 && tenuo_signer_generate(&stranger, NULL) == 0, "keys");
    ok(tenuo_verifier_builder_new(&b, NULL) == 0, "builder");
    ok(tenuo_verifier_builder_add_root(b, tenuo_signer_public_key(root), NULL) == 0, "root");
    ok(tenuo_verifier_builder_build(b, &plain, NULL) == 0, "verifier");
    tenuo_verifier_builder_free(b);
    mint();
    decisions();
    united();
    comes_first();
    requests();
    published();
    tenuo_verifier_unref(plain);
    tenuo_stack_free(chain);
    tenuo_signer_free(root);
    tenuo_signer_free(alice);
    tenuo_signer_free(bob);
    tenuo_signer_free(stranger);
    return done_testing();
}
