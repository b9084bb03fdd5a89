/* SPDX-License-Identifier: Apache-2.0 */
/* UrlSafe: addresses in every spelling, domain lists, ports, narrowing. */
#include "../../core/match.h"
#include "tap.h"

static const struct tn_str *schemes(void)
{
    static struct tn_str list[3];
    list[0] = tn_lit("http");
    list[1] = tn_lit("HTTPS");
    list[2] = tn_lit("redis");
    return list;
}

static struct tn_url_safe defaults(void)
{
    return (struct tn_url_safe){ .schemes = schemes(), .nschemes = 3, .block_private = true, .block_loopback = true,
                                 .block_metadata = true, .block_reserved = true };
}

static const char *const safe[] = {
    "http://example.com/", "https://example.com:8443/", "http://8.8.8.8/", "http://[2606:4700::1111]/",
    "http://intranet/",
    "http://127.0.0.1@example.com/", "http://[64:ff9b::808:808]/", "http://192.0.0.9/", "http://[2001:20::1]/",
    "http://example.com./",
    "http://a.internal/", "redis://h/",
};

static const char *const unsafe[] = {
    "", "x", "ftp://h/", "file:///x", "redis:x", "http://localhost/", "http://LOCALHOST./", "http://127.0.0.1/",
    "http://127.1/",
    "http://2130706433/", "http://0x7f000001/", "http://[::1]/", "http://[::]/", "http://[::ffff:127.0.0.1]/",
    "http://[::7f00:1]/",
    "http://[64:ff9b::a00:1]/", "http://[2002:a00:1::]/", "http://[2001:0:1::f5ff:fffe]/", "http://10.0.0.1/",
    "http://172.16.0.1/",
    "http://192.168.0.1/", "http://100.64.0.1/", "http://198.18.0.1/", "http://169.254.169.254/",
    "http://100.100.100.200/",
    "http://metadata.google.internal/", "http://[fd00:ec2::254]/", "http://[fc00::1]/", "http://[fe80::1]/",
    "http://0.0.0.0/",
    "http://192.0.0.1/", "http://192.0.2.1/", "http://198.51.100.1/", "http://203.0.113.1/", "http://224.0.0.1/",
    "http://255.255.255.255/", "http://[ff02::1]/", "http://[2001:db8::1]/", "http://[3fff::1]/", "http://[2001:1::4]/",
    "http://example.com../", "http://example.com@127.0.0.1/", "redis://0x7f000001/", "http://h:99999/",
};

static const char *const ours[] = {
    "http://example.com\\@127.0.0.1/", "http://010.0.0.1/", "http://a.localhost/", "http://168.63.129.16/",
    "http://[::ffff:0:127.0.0.1]/", "redis://127.1/", "redis://8.8.8.8/", "http://xn--bcher-kva.de/",
    "http:example.com",
};

static void test_flags(void)
{
    struct tn_url_safe c = defaults();
    c.block_loopback = c.block_metadata = c.block_private = c.block_reserved = false;
    is_int(tn_url_safe_match(&c, tn_lit("http://127.0.0.1/")), TN_TRUE, "without flags loopback passes");
    is_int(tn_url_safe_match(&c, tn_lit("http://[fd20:ce::254]/")), TN_TRUE, "without flags metadata passes");
    c.block_metadata = true;
    is_int(tn_url_safe_match(&c, tn_lit("http://[fd20:ce::254]/")), TN_ERROR, "metadata that only this library knows");
    c.block_metadata = false;
    c.block_private = true;
    is_int(tn_url_safe_match(&c, tn_lit("http://169.254.1.1/")), TN_TRUE, "link-local is not private");
    is_int(tn_url_safe_match(&c, tn_lit("http://[fd20:ce::254]/")), TN_FALSE, "what the reference blocks is FALSE");
    c = defaults();
    c.block_internal_tlds = true;
    is_int(tn_url_safe_match(&c, tn_lit("http://a.internal/")), TN_FALSE, "an internal name");
    is_int(tn_url_safe_match(&c, tn_lit("http://home.arpa/")), TN_TRUE, "home.arpa is none of them");
    c = defaults();
    c.block_loopback = false;
    is_int(tn_url_safe_match(&c, tn_lit("http://[::1]/")), TN_FALSE, "::1 is then a reserved 0.0.0.1");
}

static void test_lists(void)
{
    const struct tn_str allow[] = { tn_lit("*.Example.com"), tn_lit("8.8.8.8") },
    deny[] = { tn_lit("bad.example.com") };
    const uint16_t ports[] = { 443 };
    struct tn_url_safe c = defaults();
    c.allow_domains = allow;
    c.nallow_domains = 2;
    c.deny_domains = deny;
    c.ndeny_domains = 1;
    c.allow_ports = ports;
    c.nallow_ports = 1;
    c.has_allow_domains = c.has_deny_domains = c.has_allow_ports = true;
    is_int(tn_url_safe_match(&c, tn_lit("https://example.com/")), TN_TRUE, "the bare domain");
    is_int(tn_url_safe_match(&c, tn_lit("https://a.example.com./")), TN_TRUE, "below the domain");
    is_int(tn_url_safe_match(&c, tn_lit("https://evilexample.com/")), TN_FALSE, "another domain");
    is_int(tn_url_safe_match(&c, tn_lit("https://bad.example.com/")), TN_FALSE, "deny wins");
    is_int(tn_url_safe_match(&c, tn_lit("https://8.8.8.8/")), TN_TRUE, "an address in the list");
    is_int(tn_url_safe_match(&c, tn_lit("http://example.com/")), TN_FALSE, "the scheme's port counts");
    is_int(tn_url_safe_match(&c, tn_lit("redis://example.com/")), TN_ERROR, "an unknown port under a list of ports");
    c.nallow_domains = 0;
    is_int(tn_url_safe_match(&c, tn_lit("https://example.com/")), TN_FALSE, "an empty list allows nothing");
}

static void test_domains(void)
{
    static const char *const bad[] = { "", "*", "*.", "*.*.com", "ex*mple.com", "*.1.2.3.4", "*.[::1]",
        "%2a.example.com", "example.com..",
                                       "https://example.com", "example.com:443", "*..com", "b\xc3\xbc.de",
                                       "xn--bcher-kva.de", "010.0.0.1" };
    static const char *const good[] = { "example.com", "example.com.", "*.com", "1.2.3.4", "[::1]", ".example.com" };
    struct tn_url_safe c = defaults();
    struct tn_str entry;
    c.has_deny_domains = true;
    c.deny_domains = &entry;
    c.ndeny_domains = 1;
    for (size_t i = 0; i < TN_ARRAY_LEN(bad); i++) {
        entry = tn_lit(bad[i]);
        ok(!tn_url_safe_valid(&c), "refuses '%s'", bad[i]);
        is_int(tn_url_safe_match(&c, tn_lit("x")), TN_ERROR, "and every URL with it");
    }
    for (size_t i = 0; i < TN_ARRAY_LEN(good); i++) {
        entry = tn_lit(good[i]);
        ok(tn_url_safe_valid(&c), "accepts %s", good[i]);
    }
}

static void test_narrower(void)
{
    const struct tn_str wide[] = { tn_lit("*.x.com") }, narrow[] = { tn_lit("a.X.com"), tn_lit("*.b.x.com") };
    const uint16_t ports[] = { 80, 443 };
    struct tn_url_safe p = defaults(), c = defaults();
    ok(tn_url_safe_narrower(&p, &c), "equal");
    c.block_private = false;
    ok(!tn_url_safe_narrower(&p, &c), "a flag falls");
    c = defaults();
    c.nschemes = 1;
    ok(tn_url_safe_narrower(&p, &c) && !tn_url_safe_narrower(&c, &p), "fewer schemes");
    c = defaults();
    p.allow_domains = wide;
    p.nallow_domains = 1;
    p.has_allow_domains = true;
    ok(!tn_url_safe_narrower(&p, &c), "the list is gone");
    c.allow_domains = narrow;
    c.nallow_domains = 2;
    c.has_allow_domains = true;
    ok(tn_url_safe_narrower(&p, &c) && !tn_url_safe_narrower(&c, &p), "names below the parent's");
    p = c = defaults();
    p.has_deny_domains = true;
    ok(!tn_url_safe_narrower(&p, &c), "an empty deny list is still a list");
    p = c = defaults();
    p.allow_ports = c.allow_ports = ports;
    p.nallow_ports = 2;
    c.nallow_ports = 1;
    p.has_allow_ports = c.has_allow_ports = true;
    ok(tn_url_safe_narrower(&p, &c) && !tn_url_safe_narrower(&c, &p), "fewer ports");
}

int main(void)
{
    struct tn_url_safe c = defaults();
    for (size_t i = 0; i < TN_ARRAY_LEN(safe); i++)
        is_int(tn_url_safe_match(&c, tn_lit(safe[i])), TN_TRUE, "safe: %s", safe[i]);
    for (size_t i = 0; i < TN_ARRAY_LEN(unsafe); i++)
        is_int(tn_url_safe_match(&c, tn_lit(unsafe[i])), TN_FALSE, "unsafe: %s", unsafe[i]);
    for (size_t i = 0; i < TN_ARRAY_LEN(ours); i++)
        is_int(tn_url_safe_match(&c, tn_lit(ours[i])), TN_ERROR, "refused here: %s", ours[i]);
    is_int(tn_url_safe_match(&c, (struct tn_str){ (const uint8_t *)"http://h/\0", 10 }), TN_FALSE, "a NUL");
    test_flags();
    test_lists();
    test_domains();
    test_narrower();
    return done_testing();
}
