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


#define TOOL(args) "a16174a16461726773" args
#define RANGE(min) \
    "8203a4636d696e" min "636d6178f66d6d696e5f696e636c7573697665f56d6d61785f696e636c7573697665f5"

static void test_strict(void)
{
    /* Constraint gates on `a`: a range from 1000, one of "x" or 1, and any of a range or one of those. */
    static const char range[] = TOOL("a16161" RANGE("f963d0"));
    static const char list[] = TOOL("a161618204a16676616c7565738261780a");
    static const char any[] =
        TOOL("a16161820da16b636f6e73747261696e747382" RANGE("f963d0") "8204a16676616c756573816178");
    static const struct {
        const char *gates, *args;
        int plain, strict;
        const char *name;
    } cases[] = {
        { range, "a161611903e8", 1707, 1707, "a number in the range" },
        { range, "a161611903e7", 0, 0, "a number outside it" },
        { range, "a161616431303030", 0, 1707, "a text under a range" },
        { range, "a16161f6", 0, 1707, "null under a range" },
        { list, "a161616179", 0, 0, "another text than the list's" },
        { list, "a161610b", 0, 0, "another number" },
        { list, "a16161f4", 0, 1707, "a type that the list has not" },
        { any, "a161616179", 0, 0, "a text that one of two may match" },
        { any, "a161611903e7", 0, 0, "a number that the other may match" },
        { any, "a1616180", 0, 1707, "a list that neither may match" },
    };
    for (size_t i = 0; i < TN_ARRAY_LEN(cases); i++) {
        is_int(ask(cases[i].gates, cases[i].args, 1), cases[i].plain, "%s", cases[i].name);
        strict = true;
        is_int(ask(cases[i].gates, cases[i].args, 1), cases[i].strict, "%s, strict_gates", cases[i].name);
        strict = false;
    }
}

static void message(const char *text, size_t len, const char *want, size_t want_len, const char *name)
{
    struct tn_str got = tn_gate_message((struct tn_str){ (const uint8_t *)text, len });
    ok(got.n == want_len && (want == NULL ? got.p == NULL : memcmp(got.p, want, want_len) == 0), "message: %s", name);
}

static void test_message(void)
{
    char text[620];
    message("why", 3, "why", 3, "as it is");
    message(" \t why not\n", 11, "why not", 7, "trimmed");
    message("\xc2\xa0why\xe3\x80\x80", 8, "why", 3, "blanks of Unicode too");
    message("", 0, NULL, 0, "empty");
    message(" \n ", 3, NULL, 0, "blank");
    memset(text, 'a', sizeof text);
    message(text, 200, text, 200, "200 characters");
    message(text, 201, text, 200, "one too many");
    text[199] = ' ';
    message(text, 210, text, 200, "cut behind a blank");
    for (size_t i = 0; i < 206; i++)
        memcpy(text + 3 * i, "\xe2\x82\xac", 3);
    message(text, 618, text, 600, "characters, not bytes");
}

/* One side of a link. */
struct side {
    const char *gates;
    const char *tool;
    size_t napprovers;
    int64_t min;
    bool issuer;
};

static const uint8_t keys[4][32] = { { 1 }, { 2 }, { 3 }, { 4 } };
static const uint8_t *const key_list[] = { keys[0], keys[1], keys[2], keys[3] };

static uint32_t pairs = TN_SUBSET_BUDGET; /* that a link may compare */

static int link_sides(struct side p, struct side c)
{
    uint8_t a[256], b[256];
    const uint8_t *pk[4], *ck[4];
    struct tn_tool pt = { .name = tn_lit(p.tool) }, ct = { .name = tn_lit(c.tool) };
    struct tn_str name = tn_lit(c.tool);
    struct tenuo_warrant pw = { .gates = { a, unhex(p.gates, a) }, .approvers = pk, .napprovers = p.napprovers,
                                .ndistinct = p.napprovers, .min_approvals = p.min, .ntools = 1, .tools = &pt };
    struct tenuo_warrant cw = { .gates = { b, unhex(c.gates, b) }, .approvers = ck, .napprovers = c.napprovers,
                                .ndistinct = c.napprovers, .min_approvals = c.min, .ntools = 1, .tools = &ct };
    struct tn_match_env env = TN_MATCH_ENV(NULL, 0);
    env.budget.pairs = pairs;
    memcpy(pk, key_list, sizeof pk);
    memcpy(ck, key_list, sizeof ck);
    if (c.issuer) {
        cw.type = TENUO_ISSUER;
        cw.ntools = 0;
        cw.issuable = &name;
        cw.nissuable = 1;
    }
    int r = tn_gate_link(&pw, &cw, &env, NULL);
    return pairs != TN_SUBSET_BUDGET || tenuo_gates_attenuate(&pw, &cw, NULL, 0, NULL) == r ? r : -1;
}

#define WHOLE TOOL("f6")
#define NEVER TOOL("a0")
#define ALL TOOL("a1616163616c6c")
#define RANGE_10 TOOL("a16161" RANGE("f94900"))
#define RANGE_20 TOOL("a16161" RANGE("f94d00"))
#define ONE_AB TOOL("a161618204a16676616c75657382616161" "62")
#define ONE_BA TOOL("a161618204a16676616c75657382616261" "61")
#define EX_AB TOOL("a16161a1666578656d70748204a16676616c7565738261616162")
#define EX_BA TOOL("a16161a1666578656d70748204a16676616c7565738261626161")
#define EX_A TOOL("a16161a1666578656d70748204a16676616c756573816161")
#define ONE_NAN TOOL("a161618204a16676616c75657381f97e00")
#define EX_NAN TOOL("a16161a1666578656d70748204a16676616c75657381f97e00")
#define TWO TOOL("a2616163616c6c616263616c6c")
#define STAR "a1612aa16461726773f6"
#define STAR_AND_T "a2612aa16461726773f66174a16461726773f6"

static void test_link_gates(void)
{
    static const struct {
        const char *parent, *child;
        int code;
        const char *name;
    } cases[] = {
        { WHOLE, WHOLE, 0, "carried unchanged" },
        { WHOLE, "", 1405, "dropped" },
        { WHOLE, NEVER, 1405, "every call, then none" },
        { WHOLE, ALL, 1405, "every call, then by argument" },
        { ALL, WHOLE, 0, "by argument, then every call" },
        { ALL, TWO, 0, "an argument more" },
        { TWO, ALL, 1405, "an argument less" },
        { NEVER, ALL, 0, "none, then some" },
        { ALL, RANGE_10, 1405, "all values, then a range" },
        { RANGE_10, ALL, 0, "a range, then all values" },
        { RANGE_10, RANGE_20, 1405, "a narrower range gates fewer calls" },
        { RANGE_20, RANGE_10, 1405, "a wider one is refused as well" },
        { ONE_AB, ONE_BA, 0, "a list in another order" },
        { ONE_NAN, ONE_NAN, 1405, "a list with NaN, which equals nothing" },
        { EX_NAN, EX_NAN, 1405, "an exemption with one" },
        { ONE_AB, EX_AB, 1405, "a constraint, then an exemption" },
        { EX_AB, ONE_AB, 1405, "an exemption, then a constraint" },
        { EX_AB, EX_BA, 0, "an exemption in another order" },
        { EX_AB, EX_A, 0, "fewer values exempt" },
        { EX_A, EX_AB, 1405, "more values exempt" },
        { EX_AB, ALL, 0, "none exempt" },
        { "", WHOLE, 0, "gates added" },
        { "", "01", 0, "malformed ones added: nothing can be called under them" },
        { "01", "01", 1202, "malformed ones carried" },
        { WHOLE, "01", 1202, "malformed ones instead" },
        { STAR, STAR, 0, "a gate for every tool" },
        { STAR, WHOLE, 1405, "replaced by the tool's own" },
        { STAR, STAR_AND_T, 0, "kept beside the tool's own" },
        { STAR_AND_T, STAR, 1405, "the tool's own dropped" },
    };
    for (size_t i = 0; i < TN_ARRAY_LEN(cases); i++)
        is_int(link_sides((struct side){ cases[i].parent, "t", 1, -1, false },
                          (struct side){ cases[i].child, "t", 1, -1, false }), cases[i].code, "link: %s",
               cases[i].name);
}

static void test_scope(void)
{
    const struct side p = { WHOLE, "*", 1, -1, false };
    is_int(link_sides(p, (struct side){ "", "u", 0, -1, false }), 0, "a gate out of scope is dropped, with approvers");
    is_int(link_sides(p, (struct side){ "", "t", 0, -1, false }), 1405, "but not in scope");
    is_int(link_sides(p, (struct side){ "", "*", 0, -1, false }), 1405, "nor under any tool");
    is_int(link_sides(p, (struct side){ "", "u", 0, -1, true }), 0, "tools that may be issued count");
    is_int(link_sides(p, (struct side){ "", "t", 1, -1, true }), 1405, "in the same way");
    is_int(link_sides((struct side){ STAR, "*", 1, -1, false }, (struct side){ "", "u", 0, -1, false }), 1405,
           "a gate for every tool is always in scope");
    pairs = 1;
    is_int(link_sides(p, (struct side){ "", "u", 0, -1, true }), 1405, "looking for issuable tools has a price");
    pairs = 4;
    is_int(link_sides((struct side){ WHOLE, "t", 2, 1, false }, (struct side){ WHOLE, "t", 3, 2, false }), 1405,
           "and so has comparing approvers");
    pairs = TN_SUBSET_BUDGET;
}

static void test_link_approvers(void)
{
    static const struct {
        size_t p, c;
        int64_t pmin, cmin;
        int code;
        const char *name;
    } cases[] = {
        { 2, 2, 1, 1, 0, "the same" },
        { 2, 2, 1, 2, 0, "a higher minimum" },
        { 2, 2, 2, 1, 1405, "a lower one" },
        { 2, 1, 1, 1, 1405, "an approver removed" },
        { 2, 0, -1, -1, 1405, "all removed" },
        { 2, 3, 1, 1, 1405, "one added, the minimum as it was" },
        { 2, 3, 1, 2, 0, "one added, the minimum raised" },
        { 2, 4, 1, 2, 1405, "two added, raised by one" },
        { 2, 4, 1, 3, 0, "two added, raised by two" },
        { 2, 4, -1, -1, 0, "all of two, then all of four" },
        { 2, 3, -1, 2, 1405, "all of two, then two of three" },
        { 0, 1, -1, -1, 1405, "approvers for gates that nobody could approve" },
        { 0, 0, -1, -1, 0, "nobody, then nobody" },
    };
    for (size_t i = 0; i < TN_ARRAY_LEN(cases); i++)
        is_int(link_sides((struct side){ WHOLE, "t", cases[i].p, cases[i].pmin, false },
                          (struct side){ WHOLE, "t", cases[i].c, cases[i].cmin, false }), cases[i].code,
               "approvers: %s", cases[i].name);
    is_int(link_sides((struct side){ "", "t", 2, 2, false }, (struct side){ WHOLE, "t", 1, 1, false }), 0,
           "a parent without gates binds no approvers");
    is_int(link_sides((struct side){ WHOLE, "*", 0, -1, false },
                          (struct side){ "a16175a16461726773f6", "u", 1, -1, false }),
           0, "gates of a tool that the child has not bind nobody");
}

int main(void)
{
    test_fires();
    test_malformed();
    test_strict();
    test_message();
    test_link_gates();
    test_scope();
    test_link_approvers();
    return done_testing();
}
