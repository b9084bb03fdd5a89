/* SPDX-License-Identifier: Apache-2.0 */
/* UrlPattern: the table of constraints.md 5.9, what the constructor refuses, narrowing. */
#include "../../core/match.h"
#include "tap.h"

static const struct row {
    const char *pattern, *text;
    enum tn_match want;
} rows[] = {
    { "https://h/api", "https://h/api?q=1", TN_TRUE },
    { "https://h/api", "https://h:9999/api", TN_TRUE },
    { "https://h/api", "https://u:p@h/a/../api", TN_TRUE },
    { "https://h/api", "https:\\\\h\\api", TN_ERROR },
    { "https://h/api", "https:h/api", TN_ERROR },
    { "https://h/api", "https://h/api/", TN_FALSE },
    { "https://h/api", "https://h./api", TN_FALSE },
    { "https://h/api", "https://h/%61pi", TN_FALSE },
    { "https://h/api", "http://h/api", TN_FALSE },
    { "https://h/", "https://h/any", TN_TRUE },
    { "https://h/a/*", "https://h/a/b/c", TN_TRUE },
    { "https://h/a/*", "https://h/a", TN_FALSE },
    { "https://h/a/*", "https://h/a/%2e%2e/b", TN_FALSE },
    { "https://h/*.json", "https://h/a.json", TN_FALSE },
    { "https://h/a[12]", "https://h/a2", TN_TRUE },
    { "https://h/a[1", "https://h/a[1", TN_TRUE },
    { "https://h/a[1", "https://h/a1", TN_FALSE },
    { "https://h:443/*", "https://h:8443/", TN_TRUE },
    { "https://h:8443/*", "https://h/", TN_FALSE },
    { "https://*.x.com/*", "https://x.com/", TN_TRUE },
    { "https://*.x.com/*", "https://a.b.x.com:8080/", TN_TRUE },
    { "https://*.x.com/*", "https://evilx.com/", TN_FALSE },
    { "https://*.x.com/*", "https://a.x.com./", TN_FALSE },
    { "https://*/*", "https://x/", TN_FALSE },
    { "*://x.com:80/*", "http://x.com/", TN_TRUE },
    { "*://x.com:80/*", "ws://x.com/", TN_FALSE },
    { "*://x.com/*", "foo://X.com/a", TN_TRUE },
    { "redis://*.x.com", "redis://a.X.com", TN_FALSE },
    { "https://127.0.0.1/*", "https://0x7f.1/", TN_TRUE },
    { "file:///etc/*", "file://host/etc/x", TN_TRUE },
    { "https://h/*", "not a url", TN_ERROR },
};

static const char *const bad[] = {
    "", "https", "h/x", "https://", "https://__tenuo_path_wildcard__/", "https://h/__tenuo_host_wildcard__",
    "https:h://",
    "https://h\\x/", "https://010.0.0.1/*", "https://%41/", " https://h/", "http*://h/", "https:///h/*",
};

static const struct pair {
    const char *parent, *child;
    bool want;
} pairs[] = {
    { "https://h/api", "https://h/api", true },      { "https://h/api", "https://h/api/*", false },
    { "https://h/a*b", "https://h/a*b/*", false },   { "https://h/a/*", "https://h/a/b", true },
    { "https://h/a/*", "https://h/a/b/*", true },    { "https://h/a/*", "https://h/ab", false },
    { "https://h/*", "https://h/", false },          { "https://h", "https://h/x", true },
    { "https://h/*", "http://h/*", false },          { "*://h/*", "http://h/*", true },
    { "http://h/*", "*://h/*", false },              { "https://*.x.com/*", "https://a.x.com/*", true },
    { "https://*.x.com/*", "https://*.a.x.com/*", true }, { "https://*.x.com/*", "https://ax.com/*", false },
    { "https://h/*", "https://h:8443/*", true },     { "https://h:8443/*", "https://h/*", false },
    { "https://h:8443/*", "https://h:8444/*", false }, { "https://h/[/*", "https://h/[/]x*", false },
    { "file:///x", "file://h/x", true },             { "file://h/x", "file:///x", false },
};

static bool narrower(const char *parent, const char *child)
{
    struct tn_url_pattern p, c;
    if (!is_int(tn_url_pattern_parse(tn_lit(parent), &p), TN_URL_OK, "parses %s", parent))
        return false;
    bool result = false;
    if (is_int(tn_url_pattern_parse(tn_lit(child), &c), TN_URL_OK, "parses %s", child)) {
        result = tn_url_pattern_narrower(&p, &c);
        tn_url_pattern_free(&c);
    }
    tn_url_pattern_free(&p);
    return result;
}

static bool constructible(const char *text)
{
    struct tn_url_pattern p;
    if (tn_url_pattern_parse(tn_lit(text), &p) != TN_URL_OK)
        return false;
    bool result = tn_url_pattern_constructible(&p);
    tn_url_pattern_free(&p);
    return result;
}

int main(void)
{
    struct tn_url_pattern p;
    for (size_t i = 0; i < TN_ARRAY_LEN(rows); i++) {
        if (!is_int(tn_url_pattern_parse(tn_lit(rows[i].pattern), &p), TN_URL_OK, "parses %s", rows[i].pattern))
            continue;
        is_int(tn_url_pattern_match(&p, tn_lit(rows[i].text)), rows[i].want, "%s on %s", rows[i].pattern, rows[i].text);
        tn_url_pattern_free(&p);
    }
    for (size_t i = 0; i < TN_ARRAY_LEN(bad); i++)
        ok(tn_url_pattern_parse(tn_lit(bad[i]), &p) != TN_URL_OK, "refuses '%s'", bad[i]);
    for (size_t i = 0; i < TN_ARRAY_LEN(pairs); i++)
        is_int(narrower(pairs[i].parent, pairs[i].child), pairs[i].want, "%s -> %s", pairs[i].parent, pairs[i].child);
    ok(constructible("https://*.x.com/*") && constructible("file:///x"), "the constructor takes what can match");
    ok(!constructible("https://*/*") && !constructible("https://a*.x.com/") && !constructible("https://x.*/*"),
       "the constructor refuses a host that matches only its own marks");
    return done_testing();
}
