/* SPDX-License-Identifier: Apache-2.0 */
/* The URL parser: what it makes of an address, what nobody accepts, and what only this library refuses. */
#include <stdlib.h>

#include "../../core/match.h"
#include "tap.h"

static const struct good {
    const char *text, *scheme, *host;
    uint32_t port;
    const char *path;
} goods[] = {
    { "http://h", "http", "h", TN_URL_PORT_NONE, "/" },
    { "HTTPS://Ex.COM:443/A", "https", "ex.com", TN_URL_PORT_NONE, "/A" },
    { "https://h:0080/?q#f", "https", "h", 80, "/" },
    { "https://h:?q", "https", "h", TN_URL_PORT_NONE, "/" },
    { "http://a:b@c@h/x", "http", "h", TN_URL_PORT_NONE, "/x" },
    { "http://h/a/./b/../c", "http", "h", TN_URL_PORT_NONE, "/a/c" },
    { "http://h/a/%2E%2e/b/%2e", "http", "h", TN_URL_PORT_NONE, "/b/" },
    { "http://h/a/..", "http", "h", TN_URL_PORT_NONE, "/" },
    { "http://h/../..", "http", "h", TN_URL_PORT_NONE, "/" },
    { "http://h/a//../b", "http", "h", TN_URL_PORT_NONE, "/a/b" },
    { "http://h/C:/../x", "http", "h", TN_URL_PORT_NONE, "/C:/x" },
    { "http://h/ \"<>`{}|^'[]%zz\xc3\xa9", "http", "h", TN_URL_PORT_NONE, "/%20%22%3C%3E%60%7B%7D|^'[]%zz%C3%A9" },
    { "http://127.1/", "http", "127.0.0.1", TN_URL_PORT_NONE, "/" },
    { "http://0x7f.1./", "http", "127.0.0.1", TN_URL_PORT_NONE, "/" },
    { "http://2130706433/", "http", "127.0.0.1", TN_URL_PORT_NONE, "/" },
    { "http://0x/", "http", "0.0.0.0", TN_URL_PORT_NONE, "/" },
    { "http://h./", "http", "h.", TN_URL_PORT_NONE, "/" },
    { "http://a..b_*/", "http", "a..b_*", TN_URL_PORT_NONE, "/" },
    { "http://[::1]:81/", "http", "[::1]", 81, "/" },
    { "http://[1:0:0:2:0:0:0:3]/", "http", "[1:0:0:2::3]", TN_URL_PORT_NONE, "/" },
    { "http://[::FFFF:127.0.0.1]/", "http", "[::ffff:7f00:1]", TN_URL_PORT_NONE, "/" },
    { "http://[1:0:2:3:4:5:6:7]/", "http", "[1:0:2:3:4:5:6:7]", TN_URL_PORT_NONE, "/" },
    { "redis://Ho.ST:6379", "redis", "Ho.ST", 6379, "" },
    { "redis://127.1/x/../y", "redis", "127.1", TN_URL_PORT_NONE, "/y" },
    { "redis:///x", "redis", "", TN_URL_PORT_NONE, "/x" },
    { "foo://@", "foo", "", TN_URL_PORT_NONE, "" },
    { "foo://h\x01/", "foo", "h%01", TN_URL_PORT_NONE, "/" },
    { "foo:/a/../b", "foo", "", TN_URL_PORT_NONE, "/b" },
    { "mailto:a b?c", "mailto", "", TN_URL_PORT_NONE, "a b" },
    { "file:///etc/x", "file", "", TN_URL_PORT_NONE, "/etc/x" },
    { "file://host/etc", "file", "host", TN_URL_PORT_NONE, "/etc" },
    { "file://localhost/etc", "file", "", TN_URL_PORT_NONE, "/etc" },
    { "file://host/C|/x", "file", "", TN_URL_PORT_NONE, "/C:/x" },
    { "file://C|/x", "file", "", TN_URL_PORT_NONE, "/C:/x" },
    { "file:////x", "file", "", TN_URL_PORT_NONE, "/x" },
};

static const char *const invalid[] = {
    "",           "h",          "://h",      "1http://h",   "http://",         "http://:80/",    "http://u@/",
      "http://h:65536/",
    "http://h:x/", "http://h b/", "http://h<>", "http://256.1.1.1/", "http://1.2.3.4.5/", "http://1.2.3.08x.09/",
    "http://[::1/",
    "http://[1.2.3.4]/", "http://[fe80::1%lo]x/", "foo://:80/", "foo://u@/", "foo://h h/", "foo://@/x",
    "file://h:80/", "http://4294967296/",
};

static const char *const refused[] = {
    "http://a.com\\@b/", "http://h/a\tb", "http://h/\n", " http://h/", "http://h/ ", "https:h/x", "https:/h/x",
    "https:///h/x",
    "file:/x", "http://b\xc3\xbc.de/", "http://%61.com/", "redis://%61/", "http://xn--a/", "http://a.XN--bcher-kva.de/",
    "http://010.0.0.1/", "http://00/", "file://010.0.0.1/x", "foo:\\x",
};

static bool same(struct tn_str got, const char *want) { return tn_str_eq(got, tn_lit(want)); }

static void test_long(void)
{
    size_t n = (size_t)1 << 20;
    uint8_t *text = malloc(n + 1);
    struct tn_url u;
    if (!ok(text != NULL, "memory"))
        return;
    for (size_t i = 0; i <= n; i++)
        text[i] = i < 9 ? (uint8_t)"http://h/"[i] : (uint8_t)"C:/../"[(i - 9) % 6];
    is_int(tn_url_parse((struct tn_str){ text, n + 1 }, &u), TN_URL_REFUSED, "above 1 MiB");
    if (is_int(tn_url_parse((struct tn_str){ text, n }, &u), TN_URL_OK, "1 MiB of drive letters"))
        tn_url_free(&u);
    free(text);
}

int main(void)
{
    struct tn_url u;
    for (size_t i = 0; i < TN_ARRAY_LEN(goods); i++) {
        const struct good *g = &goods[i];
        if (!is_int(tn_url_parse(tn_lit(g->text), &u), TN_URL_OK, "parses %s", g->text))
            continue;
        ok(same(u.scheme, g->scheme) && same(u.host, g->host) && u.has_host == (g->host[0] != '\0'), "host of %s",
        g->text);
        is_int(u.port, g->port, "port of %s", g->text);
        ok(same(u.path, g->path), "path of %s", g->text);
        tn_url_free(&u);
    }
    for (size_t i = 0; i < TN_ARRAY_LEN(invalid); i++)
        ok(tn_url_parse(tn_lit(invalid[i]), &u) != TN_URL_OK, "invalid: %s", invalid[i]);
    is_int(tn_url_parse(tn_lit("http://h:65536/"), &u), TN_URL_INVALID, "what nobody accepts is told apart");
    for (size_t i = 0; i < TN_ARRAY_LEN(refused); i++)
        is_int(tn_url_parse(tn_lit(refused[i]), &u), TN_URL_REFUSED, "refused: %s", refused[i]);
    test_long();
    return done_testing();
}
