/* SPDX-License-Identifier: Apache-2.0 */
/* IP literals and networks: strict syntax, host bits, no mixing of families. */
#include "../../core/match.h"
#include "tap.h"

static void test_parse(void)
{
    static const char *const good[] = { "10.0.0.0/8",     "10.0.0.5/8", "10.0.0.1",     "10.0.0.0/255.0.0.0",
        "0.0.0.0/0",
                                        "1.2.3.4/0.0.0.0", "::/0",       "2001:db8::/32", "::1",
                                                       "::1.2.3.4/128" };
    static const char *const bad[] = { "",          "10.0.0.0/33",  "10.0.0/8",   "010.0.0.0/8",  "10.0.0.0/",
                                       "10.0.0.0/+8", "10.0.0.0/08", "10.0.0.0/255.0.255.0", "::/129", "::/255.0.0.0",
                                       "[::1]/128", "fe80::1%lo",   " 10.0.0.1",  "10.0.0.1/8/8", "host",
                                       "::00001",   "1::2::3",      "1:2:3:4:5:6:7:8::" };
    struct tn_cidr c;
    for (size_t i = 0; i < TN_ARRAY_LEN(good); i++)
        ok(tn_cidr_parse(tn_lit(good[i]), &c), "accepts %s", good[i]);
    for (size_t i = 0; i < TN_ARRAY_LEN(bad); i++)
        ok(!tn_cidr_parse(tn_lit(bad[i]), &c), "refuses '%s'", bad[i]);
    ok(!tn_cidr_parse((struct tn_str){ (const uint8_t *)"1.2.3.4\0", 8 }, &c), "refuses a NUL behind the address");
    ok(tn_cidr_parse(tn_lit("10.1.2.3/255.255.0.0"), &c) && c.prefix == 16 && c.addr[2] == 0 && c.addr[1] == 1,
       "a mask is a prefix and clears the host bits");
}

static void test_match(void)
{
    static const struct {
        const char *net, *text;
        enum tn_match want;
    } rows[] = {
        { "10.0.0.0/8", "10.255.255.255", TN_TRUE }, { "10.0.0.0/8", "11.0.0.0", TN_FALSE },
        { "10.0.0.5/8", "10.9.9.9", TN_TRUE },       { "0.0.0.0/0", "::1", TN_FALSE },
        { "10.0.0.0/8", "::ffff:10.0.0.1", TN_FALSE }, { "::ffff:0:0/96", "10.0.0.1", TN_FALSE },
        { "10.0.0.0/8", "localhost", TN_ERROR },     { "10.0.0.0/8", "10.0.0.1/8", TN_ERROR },
        { "10.0.0.0/8", "[::1]", TN_ERROR },         { "2001:db8::/33", "2001:db8:7fff::1", TN_TRUE },
        { "2001:db8::/33", "2001:db8:8000::1", TN_FALSE },
    };
    for (size_t i = 0; i < TN_ARRAY_LEN(rows); i++) {
        struct tn_cidr c;
        if (ok(tn_cidr_parse(tn_lit(rows[i].net), &c), "%s", rows[i].net))
            is_int(tn_cidr_match(&c, tn_lit(rows[i].text)), rows[i].want, "%s in %s", rows[i].text, rows[i].net);
    }
}

static bool contains(const char *parent, const char *child)
{
    struct tn_cidr p, c;
    return tn_cidr_parse(tn_lit(parent), &p) && tn_cidr_parse(tn_lit(child), &c) && tn_cidr_contains(&p, &c);
}

int main(void)
{
    test_parse();
    test_match();
    ok(contains("10.0.0.0/8", "10.1.0.0/16"), "a network holds its part");
    ok(contains("10.9.9.9/8", "10.0.0.0/8"), "host bits do not count");
    ok(!contains("10.1.0.0/16", "10.0.0.0/8"), "a part does not hold the network");
    ok(!contains("10.0.0.0/8", "11.0.0.0/16"), "a stranger is not held");
    ok(!contains("0.0.0.0/0", "::/0") && !contains("::/0", "0.0.0.0/0"), "families never mix");
    return done_testing();
}
