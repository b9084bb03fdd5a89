/* SPDX-License-Identifier: Apache-2.0 */
/* Names ID and ID@N, and which version is where. */
#include "../../common/versions.h"

#include "tap.h"

static bool parses(const char *text, const char *want_id, uint32_t want_version)
{
    char id[TENUO_KEY_ID_MAX + 1] = "-";
    uint32_t version = 77;
    bool good = tn_version_parse(text, strlen(text), id, &version);
    if (want_id == NULL)
        return !good && strcmp(id, "-") == 0 && version == 77;
    return good && strcmp(id, want_id) == 0 && version == want_version;
}

static void check_names(void)
{
    static const char *bad[] = {
        "",      "@",     "@1",   "a@", "a@0",  "a@01", "a@-1",     "a@1x", "a@4294967295", "a@99999999999",
        "a@1@2", "a/b@1", "..@1", ".",  "a..b", "a b",  "\xc3\xa9", "a@ 1", "a@1 "
    };
    char name[TN_VERSION_NAME_BYTES], longest[TENUO_KEY_ID_MAX + 2];
    ok(parses("agent", "agent", 0), "an id is its newest version");
    ok(parses("agent@1", "agent", 1) && parses("a.b-c_9@4294967294", "a.b-c_9", 4294967294u), "ID@N");
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        ok(parses(bad[i], NULL, 0), "refused: row %zu", i);
    memset(longest, 'x', sizeof longest);
    longest[TENUO_KEY_ID_MAX + 1] = '\0';
    ok(parses(longest, NULL, 0), "an id of 129 characters");
    longest[TENUO_KEY_ID_MAX] = '\0';
    ok(parses(longest, longest, 0), "and one of 128");
    char with_nul[] = "a\0b", id[TENUO_KEY_ID_MAX + 1];
    uint32_t version;
    ok(!tn_version_parse(with_nul, 3, id, &version), "a NUL within");
    tn_version_name("agent", 0, name);
    is_str(name, "agent", "the newest");
    tn_version_name("agent", 12, name);
    is_str(name, "agent@12", "version 12");
    tn_version_name(longest, UINT32_MAX - 1, name);
    is_int((long long)strlen(name), TENUO_KEY_ID_MAX + 11, "the longest name fits");
    ok(parses(name, longest, UINT32_MAX - 1), "and comes back");
}

static void note(struct tn_versions *v, const char *name)
{
    tn_versions_note(v, "k", name, strlen(name));
}

static void check_sets(void)
{
    struct tn_versions v = { 0 };
    uint32_t suffix = 9;
    ok(tn_versions_newest(&v) == 0 && tn_versions_oldest(&v) == 0 && !tn_versions_find(&v, 0, &suffix),
       "nothing there");
    note(&v, "other");
    note(&v, "k2");
    note(&v, "k@x");
    ok(!v.plain && v.count == 0, "names of others are not counted");
    note(&v, "k");
    ok(tn_versions_newest(&v) == 1 && tn_versions_oldest(&v) == 1, "never replaced: version 1");
    ok(tn_versions_find(&v, 1, &suffix) && suffix == 0, "which stands under the id");
    note(&v, "k@3");
    note(&v, "k@1");
    note(&v, "k@3");
    ok(v.count == 2 && tn_versions_newest(&v) == 4 && tn_versions_oldest(&v) == 1, "1, 3 and the newest, 4");
    ok(tn_versions_find(&v, 0, &suffix) && suffix == 0, "0: the newest");
    ok(tn_versions_find(&v, 4, &suffix) && suffix == 0, "by its number");
    ok(tn_versions_find(&v, 3, &suffix) && suffix == 3, "an older one");
    ok(!tn_versions_find(&v, 2, &suffix) && !tn_versions_find(&v, 5, &suffix), "one that was removed, one to come");
    v.plain = false;
    ok(tn_versions_newest(&v) == 0 && !tn_versions_find(&v, 0, &suffix), "old versions alone are no key");
    ok(tn_versions_find(&v, 1, &suffix) && suffix == 1, "but are there by number");
}

static void check_full(void)
{
    struct tn_versions v = { 0 };
    char name[TN_VERSION_NAME_BYTES];
    for (uint32_t i = 0; i < TENUO_KEY_VERSIONS_MAX; i++) {
        tn_version_name("k", 10 + i, name);
        note(&v, name);
    }
    ok(!v.full && v.count == TENUO_KEY_VERSIONS_MAX, "as many as fit");
    note(&v, "k@5");
    ok(v.full && v.n[0] == 10, "one more, and lower: left out");
    note(&v, "k@1000");
    note(&v, "k");
    ok(v.n[0] == 11 && v.n[TENUO_KEY_VERSIONS_MAX - 1] == 1000 && tn_versions_newest(&v) == 1001,
       "one more, and higher: the lowest goes");
    note(&v, "k@500");
    bool ascending = true;
    for (size_t i = 1; i < v.count; i++)
        ascending = ascending && v.n[i - 1] < v.n[i];
    ok(ascending && v.count == TENUO_KEY_VERSIONS_MAX, "still in order");
}

int main(void)
{
    check_names();
    check_sets();
    check_full();
    return done_testing();
}
