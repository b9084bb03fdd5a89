/* SPDX-License-Identifier: Apache-2.0 */
/* Subpath: lexical containment, soundness of roots, narrowing. */
#include <stdlib.h>

#include "../../core/match.h"
#include "tap.h"

static struct tn_subpath sub(const char *root, bool case_sensitive, bool allow_equal)
{
    return (struct tn_subpath){ tn_lit(root), case_sensitive, allow_equal };
}

static const struct row {
    const char *root, *path;
    bool case_sensitive, allow_equal;
    enum tn_match want;
} rows[] = {
    { "/data", "/data", true, true, TN_TRUE },
    { "/data", "/data/", true, true, TN_TRUE },
    { "/data", "/data/x/../y", true, true, TN_TRUE },
    { "/data", "//data/./x", true, true, TN_TRUE },
    { "/data", "/../data", true, true, TN_TRUE },
    { "/data", "/data/...", true, true, TN_TRUE },
    { "/data", "/data/%2e%2e/etc", true, true, TN_TRUE },
    { "/data", "/datax", true, true, TN_FALSE },
    { "/data", "/data/../etc", true, true, TN_FALSE },
    { "/data", "data/x", true, true, TN_FALSE },
    { "/data", "", true, true, TN_FALSE },
    { "/data", "/DATA/x", true, true, TN_FALSE },
    { "/data", "/DATA/x", false, true, TN_TRUE },
    { "/data", "/data/.", true, false, TN_FALSE },
    { "/data", "/data/x", true, false, TN_TRUE },
    { "/data", "/data\\x", true, true, TN_ERROR },
    { "/data", "/data/\xc3\xa9", true, true, TN_TRUE },
    { "/data", "/data/\xc3\xa9", false, true, TN_ERROR },
    { "/d\xc3\xa9", "/x", false, true, TN_ERROR },
    { "/", "/", true, true, TN_TRUE },
    { "/", "/x", true, false, TN_TRUE },
    { "/", "/x/..", true, false, TN_ERROR },
    { "", "/x", true, true, TN_ERROR },
    { "/data/", "/data/x", true, true, TN_ERROR },
    { "/data/../etc", "/etc", true, true, TN_ERROR },
    { "data", "data/x", true, true, TN_ERROR },
    { "/Data", "/data", false, true, TN_ERROR },
    { "C:\\data", "C:\\data\\x", true, true, TN_TRUE },
    { "C:\\data", "C:/data/x", true, true, TN_FALSE },
    { "C:\\", "C:\\x", true, true, TN_FALSE },
    { "C:\\", "C:\\", true, true, TN_TRUE },
    { "C:/", "C:/x", true, true, TN_TRUE },
};

static void test_narrower(void)
{
    struct tn_subpath data = sub("/data", true, true), strict = sub("/data", true, false), x = sub("/data/x",
    true, true);
    struct tn_subpath x_folded = sub("/data/x", false, true), folded = sub("/data",
    false, true), odd = sub("/data/x/", true, true);
    struct tn_subpath other = sub("/etc", true, true), slash = sub("/data\\x", true, true);
    is_int(tn_subpath_narrower(&data, &data), TENUO_OK, "equal");
    is_int(tn_subpath_narrower(&data, &x), TENUO_OK, "below");
    is_int(tn_subpath_narrower(&data, &strict), TENUO_OK, "drops the root itself");
    is_int(tn_subpath_narrower(&folded, &x), TENUO_OK, "becomes case-sensitive");
    is_int(tn_subpath_narrower(&data, &x_folded), TENUO_E_INVALID_ATTENUATION, "becomes case-insensitive");
    is_int(tn_subpath_narrower(&strict, &x), TENUO_E_INVALID_ATTENUATION, "allow_equal returns");
    is_int(tn_subpath_narrower(&strict, &strict), TENUO_E_CONSTRAINT_VIOLATION, "a strict root is not below itself");
    is_int(tn_subpath_narrower(&data, &other), TENUO_E_CONSTRAINT_VIOLATION, "elsewhere");
    is_int(tn_subpath_narrower(&data, &odd), TENUO_E_CAPABILITY_EXPANSION, "an unsound child");
    is_int(tn_subpath_narrower(&odd, &odd), TENUO_E_CAPABILITY_EXPANSION, "an unsound parent");
    ok(tn_subpath_narrower(&data, &slash) != TENUO_OK, "a backslash in the child's root");
    ok(tn_subpath_sound(&data) && !tn_subpath_sound(&odd), "soundness");
}

static void test_normalise(void)
{
    static const struct {
        const char *text, *want;
        bool lower;
    } cases[] = {
        { "/", "/", false },           { "/a//b/./c/..", "/a/b", false }, { "/../..", "/", false },
        { "C:\\a\\b", "C:\\a/b", false }, { "/A/B", "/a/b", true },        { "/a\\b", "/a/b", false },
    };
    for (size_t i = 0; i < TN_ARRAY_LEN(cases); i++) {
        uint8_t buf[64];
        size_t n = 0;
        bool absolute = tn_subpath_normalise(tn_lit(cases[i].text), cases[i].lower, buf, &n);
        ok(absolute && tn_str_eq((struct tn_str){ buf, n }, tn_lit(cases[i].want)), "%s", cases[i].text);
    }
    uint8_t buf[8];
    size_t n = 77;
    ok(!tn_subpath_normalise(tn_lit("a/b"), false, buf, &n) && n == 77, "a relative path is refused");
}

int main(void)
{
    for (size_t i = 0; i < TN_ARRAY_LEN(rows); i++) {
        struct tn_subpath c = sub(rows[i].root, rows[i].case_sensitive, rows[i].allow_equal);
        is_int(tn_subpath_match(&c, tn_lit(rows[i].path)), rows[i].want, "row %zu: %s under %s",
        i, rows[i].path, rows[i].root);
    }
    struct tn_subpath data = sub("/data", true, true);
    is_int(tn_subpath_match(&data, (struct tn_str){ (const uint8_t *)"/data/\0", 7 }), TN_FALSE, "a NUL is nowhere");
    uint8_t *deep = malloc(200000);
    if (ok(deep != NULL, "memory")) {
        for (size_t i = 0; i < 200000; i++)
            deep[i] = (uint8_t)"/data/../"[i < 5 ? i : 5 + (i - 5) % 4];
        is_int(tn_subpath_match(&data, (struct tn_str){ deep, 200000 }), TN_FALSE, "a long path of parents");
        free(deep);
    }
    test_narrower();
    test_normalise();
    return done_testing();
}
