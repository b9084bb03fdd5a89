/* SPDX-License-Identifier: Apache-2.0 */
/* The settings self_approval, max_approval_lifetime and strict_gates, from a configuration to a decision. */
#include <tenuo/tenuo.h>

#include "stage.h"
#include "tap.h"

#define NOW 1893456000

static struct tenuo_signer *root, *holder, *boss;
static uint8_t wire[4096];
static size_t wire_len;

static struct tenuo_signer *seeded(uint8_t v)
{
    uint8_t seed[32];
    struct tenuo_signer *s = NULL;
    memset(seed, v, sizeof seed);
    return tenuo_signer_from_seed(seed, &s, NULL) == TENUO_OK ? s : NULL;
}

/* Tool t for the holder; its argument n is gated from 1000 upwards; holder or boss approve. */
static int make_warrant(void)
{
    const double low = 1000;
    struct tenuo_constraint *range = NULL;
    struct tenuo_mint *m = NULL;
    struct tenuo_stack *s = NULL;
    int r = tenuo_constraint_range(&low, NULL, 1, 1, &range, NULL);
    r = r != 0 ? r : tenuo_mint_root(&m, NULL);
    r = r != 0 ? r : tenuo_mint_add_tool(m, "t", 1, NULL, NULL);
    r = r != 0 ? r : tenuo_mint_set_holder(m, tenuo_signer_public_key(holder), NULL);
    r = r != 0 ? r : tenuo_mint_add_arg_gate(m, "t", 1, "n", 1, TENUO_GATE_CONSTRAINT, range, NULL);
    r = r != 0 ? r : tenuo_mint_add_approver(m, tenuo_signer_public_key(holder), NULL);
    r = r != 0 ? r : tenuo_mint_add_approver(m, tenuo_signer_public_key(boss), NULL);
    tenuo_mint_set_min_approvals(m, 1);
    tenuo_mint_set_ttl(m, 86400);
    r = r != 0 ? r : tenuo_mint_sign(m, root, NOW - 60, &s, NULL);
    wire_len = sizeof wire;
    r = r != 0 ? r : tenuo_stack_encode(s, TENUO_FORM_CBOR, wire, &wire_len, NULL);
    tenuo_stack_free(s);
    tenuo_mint_free(m);
    tenuo_constraint_free(range);
    return r;
}

static int add_approval(struct tenuo_request *q, const struct tenuo_warrant *w, const struct tenuo_args *args,
                        const struct tenuo_signer *by, uint64_t lifetime)
{
    char id[TENUO_WARRANT_ID_TEXT_BYTES];
    uint8_t hash[32];
    struct tenuo_approve *a = NULL;
    struct tenuo_approval *made = NULL;
    size_t n = 0;
    int r;
    tenuo_warrant_id_text(tenuo_warrant_id(w), id);
    r = tenuo_request_hash(id, "t", 1, args, tenuo_warrant_holder(w), hash, NULL);
    r = r != 0 ? r : tenuo_approve_new(hash, &a, NULL);
    if (r == 0)
        tenuo_approve_set_lifetime(a, lifetime);
    r = r != 0 ? r : tenuo_approve_sign(a, by, NOW, &made, NULL);
    if (r == 0) {
        const uint8_t *bytes = tenuo_approval_bytes(made, &n);
        r = tenuo_request_add_approval(q, bytes, n, NULL);
    }
    tenuo_approval_free(made);
    tenuo_approve_free(a);
    return r;
}

/* The code of a call with n = `value` (CBOR), approved by `by` (NULL: nobody) for `lifetime` seconds. */
static int ask(const char *setting, const uint8_t value, const struct tenuo_signer *by, uint64_t lifetime)
{
    char text[512];
    const uint8_t args_cbor[] = { 0xa1, 0x61, 'n', value == 0 ? 0xf6 : 0x19, 0x10, value };
    struct tenuo_ctx *ctx = NULL;
    struct tenuo_args *args = NULL;
    struct tenuo_request *q = NULL;
    struct tenuo_stack *s = NULL;
    struct tenuo_decision *d = NULL;
    uint8_t pop[64];
    snprintf(text, sizeof text, "%s\ntrust required file path=%s/root.pub\n", setting, stage_root);
    const struct tenuo_open_options o = { .size = sizeof o, .conf = stage_text("tenuo.conf", text) };
    int r = tenuo_open("shop", &o, &ctx, NULL);
    r = r != 0 ? r : tenuo_args_parse(args_cbor, value == 0 ? 4 : sizeof args_cbor, &args, NULL);
    r = r != 0 ? r : tenuo_stack_parse(wire, wire_len, &s, NULL);
    r = r != 0 ? r : tenuo_pop_sign(holder, tenuo_stack_leaf(s), "t", 1, args, NOW, pop, NULL);
    r = r != 0 ? r : tenuo_request_new("t", 1, &q, NULL);
    r = r != 0 ? r : tenuo_request_set_args(q, args, NULL);
    if (r == 0)
        tenuo_request_set_pop(q, pop);
    if (r == 0 && by != NULL)
        r = add_approval(q, tenuo_stack_leaf(s), args, by, lifetime);
    r = r != 0 ? r : tenuo_ctx_authorize_at(ctx, wire, wire_len, q, NOW, &d, NULL);
    if (r == 0)
        r = tenuo_decision_code(d);
    tenuo_decision_free(d);
    tenuo_request_free(q);
    tenuo_stack_free(s);
    tenuo_args_free(args);
    tenuo_ctx_unref(ctx);
    return r;
}

int main(void)
{
    char key[44];
    root = seeded(1);
    holder = seeded(2);
    boss = seeded(3);
    stage_begin();
    tenuo_public_key_base64url(tenuo_signer_public_key(root), key);
    stage_text("root.pub", key);
    is_int(make_warrant(), 0, "a gated warrant");
    is_int(ask("", 1, NULL, 0), 1707, "a call that needs an approval");
    is_int(ask("", 1, boss, 3600), 0, "with one of an hour");
    is_int(ask("", 1, boss, 3601), 1701, "of more than an hour");
    is_int(ask("set max_approval_lifetime 2h", 1, boss, 7200), 0, "of two, as the setting says");
    is_int(ask("set max_approval_lifetime 60s", 1, boss, 61), 1701, "of a second more than it says");
    is_int(ask("", 1, holder, 300), 1701, "by the holder itself");
    is_int(ask("set self_approval yes", 1, holder, 300), 0, "which a setting allows");
    is_int(ask("", 0, NULL, 0), 0, "null is no number from 1000");
    is_int(ask("set strict_gates yes", 0, NULL, 0), 1707, "but nothing that a strict gate lets through");
    tenuo_signer_free(root);
    tenuo_signer_free(holder);
    tenuo_signer_free(boss);
    stage_end();
    return done_testing();
}
