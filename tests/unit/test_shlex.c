/* SPDX-License-Identifier: Apache-2.0 */
/* Shlex: quoting, operators, the command word. */
#include "../../core/match.h"
#include "tap.h"

static const char *const allowed[] = { "ls",    "ls -la", "\"ls\"",       "l\\s", "'l's",   "  ls",  "ls ';'",
    "ls \"a;b\"",
                                       "ls *",  "ls ~",   "ls {a,b}",     "ls !x", "ls # x", "ls\t-a", "ls ../..",
                                       "''ls",
                                       "'my prog' x", "my\\ prog", "ls \"\\\"\"", "/usr/bin/git status", "ls ''" };
static const char *const denied[] = { "",        " ",        "/bin/ls", "./ls",    "git",      "LS",      "FOO=1 ls",
    "ls a#;b",
                                      "ls > f",  "ls 2>&1",  "ls &",    "(ls)",    "ls\\;rm",  "ls '$X'", "ls \\$x",
                                       "# ls",
                                      "ls `x`",  "ls '",     "ls \"",   "ls \\",   "ls\nrm",   "ls\rrm",  "ls\vrm",
                                        "ls\x7f",
                                      "'' ls",   "a..b",     "\"l\\s\"", "ls|sh",  "; ls",     "my prog",
                                      "ls\xc2\xa0-la" };

int main(void)
{
    const struct tn_str allow[] = { tn_lit("ls"), tn_lit("/usr/bin/git"), tn_lit("my prog"), tn_lit("a..b"),
                                    tn_lit(";"), tn_lit("") };
    size_t n = TN_ARRAY_LEN(allow);
    for (size_t i = 0; i < TN_ARRAY_LEN(allowed); i++)
        is_int(tn_shlex_match(allow, n, tn_lit(allowed[i])), TN_TRUE, "allowed: %s", allowed[i]);
    for (size_t i = 0; i < TN_ARRAY_LEN(denied); i++)
        is_int(tn_shlex_match(allow, n, tn_lit(denied[i])), TN_FALSE, "denied: %s", denied[i]);
    is_int(tn_shlex_match(allow, n, (struct tn_str){ (const uint8_t *)"ls\0", 3 }), TN_FALSE, "a NUL");
    is_int(tn_shlex_match(allow, n, tn_lit("ls \x1b[0m")), TN_ERROR, "an escape character");
    is_int(tn_shlex_match(allow, n, tn_lit("ls \x01")), TN_ERROR, "a control character");
    is_int(tn_shlex_match(allow, 0, tn_lit("ls")), TN_FALSE, "an empty list allows nothing");
    return done_testing();
}
