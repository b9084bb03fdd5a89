/* SPDX-License-Identifier: Apache-2.0 */
/* Gates fire and deny; malformed ones deny with 1202; a child may gate more than its parent, never less. */
#include "../../core/approval.h"
#include "tap.h"

static size_t unhex(const char *hex, uint8_t *out)
{
    size_t n = strlen(hex) / 2;
    for (size_t i = 0; i < n; i++) {
        unsigned v = 0;
        sscanf(hex + 2 * i, "%2x", &v);
        out[i] = (uint8_t)v;
    }
    return n;
}

static const uint8_t approver[32] = { 9 };
static const uint8_t *approvers[] = { approver };

static bool strict; /* setting strict_gates */

/* The answer for tool "t" with these arguments under a gate map. */
static int ask(const char *gates_hex, const char *args_hex, size_t napprovers)
{
    uint8_t gates[256], cbor[64];
    struct tenuo_request *q = NULL;
    struct tenuo_args *args = NULL;
    const struct tenuo_warrant w = { .gates = { gates, unhex(gates_hex, gates) },
                                     .id = approver,
                                     .holder = approver,
                                     .min_approvals = -1,
                                     .approvers = approvers,
                                     .napprovers = napprovers,
                                     .ndistinct = napprovers };
    const struct tn_policy policy = { .strict_gates = strict };
    struct tn_match_env env = TN_MATCH_ENV(NULL, 0);
    struct tn_gate_answer answer = { 0 };
    int r = tenuo_args_parse(cbor, unhex(args_hex, cbor), &args, NULL);
    if (r == TENUO_OK)
        r = tenuo_request_new("t", 1, &q, NULL);
    if (r == TENUO_OK)
        r = tenuo_request_set_args(q, args, NULL);
    if (r == TENUO_OK)
        r = tn_gate_check(&w, q, &policy, &env, &answer, NULL);
    tn_gate_answer_clear(&answer);
    tenuo_request_free(q);
    tenuo_args_free(args);
    return r;
}

static void test_fires(void)
{
    /* {t: {args: {a: "all", env: OneOf[prod], p: Exempt(OneOf[x])}, message: "why"}}, from governance.md 6.1 */
    static const char full[] =
        "a16174a26461726773a3616163616c6c63656e768204a16676616c756573816470726f646170a1666578656d70748204a16676616c75"
        "6573816178676d65737361676563776879";
    static const char env[] = "a16174a16461726773a163656e768204a16676616c756573816470726f64";
    static const char exempt[] = "a16174a16461726773a16170a1666578656d70748204a16676616c756573816178";
    is_int(ask("a16174a16461726773f6", "a0", 1), 1707, "the whole tool");
    is_int(ask("a16174a16461726773f6", "a0", 0), 1701, "and nobody could approve");
    is_int(ask("a16178a16461726773f6", "a0", 1), 0, "another tool's gate");
    is_int(ask("a1612aa16461726773f6", "a0", 1), 1707, "a gate for every tool");
    is_int(ask(full, "a1616101", 1), 1707, "\"all\" fires on any value");
    is_int(ask(env, "a163656e766470726f64", 1), 1707, "a constraint fires when it matches");
    is_int(ask(env, "a163656e7663646576", 1), 0, "and not when it does not");
    is_int(ask(env, "a0", 1), 1707, "an absent argument fires");
    is_int(ask(exempt, "a161706178", 1), 0, "an exempt value is free");
    is_int(ask(exempt, "a1617001", 1), 1707, "any other value is not");
    is_int(ask("a16174a16461726773a0", "a0", 1), 0, "a gate without arguments never fires");
    is_int(ask("", "a0", 1), 0, "no gates at all");
}

static void test_malformed(void)
{
    static const char *const bad[][2] = {
        { "01", "no map" },
        { "a16174f6", "a gate that is null" },
        { "a16174a0", "a gate without args" },
        { "a16174a16461726773a1616164736f6d65", "\"some\" instead of \"all\"" },
        { "a16174a16461726773f600", "a trailing byte" },
        { "a26174a16461726773f66174a16461726773f6", "a tool twice" },
        { "a16174a26461726773f66461726773f6", "args twice" },
        { "a16174a16461726773a16170a1666578656d70748210f6", "an exemption for everything" },
    };
    for (size_t i = 0; i < TN_ARRAY_LEN(bad); i++)
        is_int(ask(bad[i][0], "a0", 1), 1202, "malformed: %s", bad[i][1]);
}

static int link_of(const char *parent, const char *child, size_t child_approvers)
{
    uint8_t a[64], b[64];
    struct tn_tool tool = { .name = tn_lit("t") };
    const struct tenuo_warrant p = { .gates = { a, unhex(parent, a) },
                                     .approvers = approvers,
                                     .napprovers = 1,
                                     .ndistinct = 1,
                                     .min_approvals = -1 };
    const struct tenuo_warrant c = { .gates = { b, unhex(child, b) },
                                     .approvers = approvers,
                                     .napprovers = child_approvers,
                                     .ndistinct = child_approvers,
                                     .min_approvals = -1,
                                     .ntools = 1,
                                     .tools = &tool };
    struct tn_match_env env = TN_MATCH_ENV(NULL, 0);
    return tn_gate_link(&p, &c, &env, NULL);
}

static void test_link(void)
{
    is_int(link_of("a16174a16461726773f6", "a16174a16461726773f6", 1), 0, "gates carried unchanged");
    is_int(link_of("a16174a16461726773f6", "", 1), 1405, "gates dropped");
    is_int(link_of("a16174a16461726773f6", "a16174a16461726773a0", 1), 1405, "gates changed");
    is_int(link_of("a16174a16461726773f6", "a16174a16461726773f6", 0), 1405, "approvers dropped");
    is_int(link_of("", "a16174a16461726773f6", 1), 0, "gates added");
    is_int(link_of("", "01", 1), 0, "malformed ones added: nothing can be called under them");
    is_int(link_of("01", "01", 1), 1202, "malformed ones carried");
}

int main(void)
{
    test_fires();
    test_malformed();
    test_link();
    return done_testing();
}
