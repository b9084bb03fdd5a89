/* SPDX-License-Identifier: Apache-2.0 */
/* Pattern: the glob dialect, its narrowing rule, and the bound on its cost. */
#include <stdlib.h>

#include "../../core/match.h"
#include "tap.h"

static const struct row {
    const char *pattern, *text;
    enum tn_match want;
} rows[] = {
    { "", "", TN_TRUE },
    { "", "a", TN_FALSE },
    { "*", "", TN_TRUE },
    { "*", "a/b\nc", TN_TRUE },
    { "a?c", "abc", TN_TRUE },
    { "a?c", "a\xc3\xa9"
             "c",
      TN_TRUE },
    { "a??c", "a\xc3\xa9"
              "c",
      TN_FALSE },
    { "\\*", "\\x", TN_TRUE },
    { "{a,b}", "a", TN_FALSE },
    { "[*]", "*", TN_TRUE },
    { "[*]", "x", TN_FALSE },
    { "[]]", "]", TN_TRUE },
    { "[!]]", "]", TN_FALSE },
    { "[!]]", "x", TN_TRUE },
    { "[^a]", "^", TN_TRUE },
    { "[^a]", "b", TN_FALSE },
    { "[a-c]", "b", TN_TRUE },
    { "[c-a]", "b", TN_FALSE },
    { "[a-]", "-", TN_TRUE },
    { "[-a]", "-", TN_TRUE },
    { "[\xc3\xa0-\xc3\xaf]", "\xc3\xa9", TN_TRUE },
    { "]", "]", TN_TRUE },
    { "[]", "", TN_ERROR },
    { "[!]", "", TN_ERROR },
    { "[a", "a", TN_ERROR },
    { "***", "a", TN_ERROR },
    { "a**", "a", TN_ERROR },
    { "**a", "a", TN_ERROR },
    { "a/**/b", "a/b", TN_TRUE },
    { "a/**/b", "a/x/y/b", TN_TRUE },
    { "a/**/b", "a//b", TN_TRUE },
    { "a/**/b", "a/xb", TN_FALSE },
    { "**/b", "b", TN_TRUE },
    { "**/b", "/b", TN_TRUE },
    { "**/b", "xb", TN_FALSE },
    { "a/**", "a/", TN_TRUE },
    { "a/**", "a", TN_FALSE },
    { "**/*x", "q/yx", TN_TRUE },
    { "*/**/b", "x/y/zb", TN_FALSE },
    { "*.txt", "a.txt", TN_TRUE },
    { "*a*b", "xaxbxaxb", TN_TRUE },
    { "A", "a", TN_FALSE },
};

static const struct pair {
    const char *parent, *child;
    bool want;
} pairs[] = {
    { "a*", "ab*", true },  { "a*", "ab", true },    { "ab*", "a*", false },   { "*a", "*ba", true },
    { "*a", "ba", true },   { "*", "*-x", false },   { "*", "a*b", false },    { "a*b", "a*b", true },
    { "a", "a", true },     { "a", "b", false },     { "a?", "a?", true },     { "a*", "a?", false },
    { "*a]", "*[xa]", false }, { "[*", "[*", false }, { "[*", "[a]*", false }, { "*]", "*[!q]", false },
};

static void test_bounds(void)
{
    size_t n = (size_t)1 << 20;
    uint8_t *text = malloc(n + 1), *pattern = malloc(8001);
    if (!ok(text != NULL && pattern != NULL, "memory"))
        return;
    memset(text, 'a', n + 1);
    for (size_t i = 0; i < 8000; i++)
        pattern[i] = i % 4000 == 0 ? '*' : 'a';
    pattern[8000] = 'b';
    is_int(tn_glob_match(tn_lit("*"), (struct tn_str){ text, n + 1 }), TN_ERROR, "a text above 1 MiB is refused");
    is_int(tn_glob_match(tn_lit("*"), (struct tn_str){ text, n }), TN_TRUE, "a text of 1 MiB is not");
    is_int(tn_glob_match((struct tn_str){ pattern, 8001 },
    (struct tn_str){ text, n }), TN_ERROR, "the work is bounded");
    free(text);
    free(pattern);
}

int main(void)
{
    for (size_t i = 0; i < TN_ARRAY_LEN(rows); i++)
        is_int(tn_glob_match(tn_lit(rows[i].pattern), tn_lit(rows[i].text)), rows[i].want, "row %zu: %s",
        i, rows[i].pattern);
    for (size_t i = 0; i < TN_ARRAY_LEN(pairs); i++)
        is_int(tn_glob_narrower(tn_lit(pairs[i].parent), tn_lit(pairs[i].child)), pairs[i].want, "%s -> %s",
        pairs[i].parent,
               pairs[i].child);
    is_int(tn_glob_match(tn_lit("a*"), (struct tn_str){ (const uint8_t *)"a\0b", 3 }), TN_TRUE, "a NUL is a character");
    test_bounds();
    return done_testing();
}
