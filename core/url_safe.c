/* SPDX-License-Identifier: Apache-2.0 */
/*
 * UrlSafe: may a program fetch this URL without reaching into its own network? Owns the order of the checks of
 * constraint type 18, the domain patterns and the narrowing rule. Never resolves a name: what a public name points to
 * is not its business.
 */
#include <stdlib.h>

#include "url.h"
#include "url_safe.h"

static struct tn_str tail(struct tn_str s, size_t at) { return (struct tn_str){ s.p + at, s.n - at }; }

/* A domain entry in canonical form: "*." if it had one, then the host. */
struct domain {
    bool wildcard;
    struct tn_str name;
};

/* `buf` has entry.n + TN_URL_HOST_SLACK bytes. */
static bool read_domain(struct tn_str entry, uint8_t *buf, struct domain *ret)
{
    uint8_t addr[16];
    struct domain d = { .wildcard = tn_str_starts(entry, tn_lit("*.")) };
    struct tn_str raw = d.wildcard ? tail(entry, 2) : entry;
    size_t n = 0;
    if ((raw.n > 0 && memchr(raw.p, '*', raw.n) != NULL) || tn_url_host(raw, buf, &n) != TN_URL_OK)
        return false;
    if (n > 0 && buf[n - 1] == '.')
        n--;
    d.name = (struct tn_str){ buf, n };
    if (n == 0 || buf[n - 1] == '.')
        return false;
    if (d.wildcard && (buf[0] == '.' || buf[0] == '[' || tn_ip_parse(d.name, addr) != 0))
        return false;
    *ret = d;
    return true;
}

static bool domain_has(const struct domain *d, struct tn_str name)
{
    if (tn_str_eq(d->name, name))
        return true;
    return d->wildcard && name.n > d->name.n && tn_str_ends(name, d->name) && name.p[name.n - d->name.n - 1] == '.';
}

/* A plain entry covers only itself; "*.S" covers S, every name below it, and wildcards over those. */
static bool domain_covers(const struct domain *a, const struct domain *b)
{
    return a->wildcard ? domain_has(a, b->name) : !b->wildcard && tn_str_eq(a->name, b->name);
}

static size_t longest(const struct tn_str *list, size_t n)
{
    size_t max = 0;
    for (size_t i = 0; i < n; i++)
        max = list[i].n > max ? list[i].n : max;
    return max;
}

static enum tn_match list_is_valid(const struct tn_str *list, size_t n)
{
    struct domain d;
    uint8_t *buf = malloc(longest(list, n) + TN_URL_HOST_SLACK);
    bool valid = true;
    if (buf == NULL)
        return TN_NOMEM;
    for (size_t i = 0; valid && i < n; i++)
        valid = read_domain(list[i], buf, &d);
    free(buf);
    return valid ? TN_TRUE : TN_FALSE;
}

enum tn_match tn_url_safe_valid(const struct tn_url_safe *c)
{
    enum tn_match m = c->has_allow_domains ? list_is_valid(c->allow_domains, c->nallow_domains) : TN_TRUE;
    return m == TN_TRUE && c->has_deny_domains ? list_is_valid(c->deny_domains, c->ndeny_domains) : m;
}

/* TN_TRUE: some entry matches. A list that cannot be read is TN_ERROR. */
static enum tn_match find_domain(const struct tn_str *list, size_t n, struct tn_str host)
{
    struct domain d;
    enum tn_match m = TN_FALSE;
    uint8_t *buf = malloc(longest(list, n) + TN_URL_HOST_SLACK);
    if (buf == NULL)
        return TN_NOMEM;
    for (size_t i = 0; m == TN_FALSE && i < n; i++) {
        if (!read_domain(list[i], buf, &d))
            m = TN_ERROR;
        else if (domain_has(&d, host))
            m = TN_TRUE;
    }
    free(buf);
    return m;
}

/* One character of a scheme entry in lowercase. U+212A is the one character beyond ASCII whose lowercase is ASCII. */
static uint8_t scheme_char(struct tn_str s, size_t *at)
{
    if (tn_str_starts(tail(s, *at), tn_lit("\xe2\x84\xaa"))) {
        *at += 3;
        return 'k';
    }
    return tn_lower(s.p[(*at)++]);
}

static bool same_scheme(struct tn_str a, struct tn_str b)
{
    size_t i = 0, j = 0;
    while (i < a.n && j < b.n) {
        if (scheme_char(a, &i) != scheme_char(b, &j))
            return false;
    }
    return i == a.n && j == b.n;
}

static bool has_scheme(const struct tn_url_safe *c, struct tn_str scheme)
{
    for (size_t i = 0; i < c->nschemes; i++) {
        if (same_scheme(c->schemes[i], scheme))
            return true;
    }
    return false;
}

static bool has_port(const struct tn_url_safe *c, uint32_t port)
{
    for (size_t i = 0; i < c->nallow_ports; i++) {
        if (c->allow_ports[i] == port)
            return true;
    }
    return false;
}

/*
 * The host as the rules below see it: lowercase, one trailing dot gone, escapes decoded. Only control characters are
 * escaped in a host: two digits, the first below '8'. Works in u's memory.
 */
static bool plain_host(struct tn_url *u, struct tn_str *ret)
{
    uint8_t *p = u->buf + (u->host.p - u->buf);
    size_t n = 0;
    for (size_t i = 0; i < u->host.n; i++) {
        uint8_t c = u->host.p[i];
        if (c == '%' && u->host.n - i > 2) {
            uint8_t low = u->host.p[i + 2];
            c = (uint8_t)((u->host.p[i + 1] - '0') << 4 | (tn_is_digit(low) ? low - '0' : low - 'A' + 10));
            i += 2;
        }
        p[n++] = tn_lower(c);
    }
    if (n > 0 && p[n - 1] == '.')
        n--;
    *ret = (struct tn_str){ p, n };
    return n > 0 && p[n - 1] != '.';
}

static uint32_t effective_port(const struct tn_url *u)
{
    if (u->port != TN_URL_PORT_NONE || !u->special)
        return u->port;
    if (tn_str_eq(u->scheme, tn_lit("http")) || tn_str_eq(u->scheme, tn_lit("ws")))
        return 80;
    if (tn_str_eq(u->scheme, tn_lit("https")) || tn_str_eq(u->scheme, tn_lit("wss")))
        return 443;
    return tn_str_eq(u->scheme, tn_lit("ftp")) ? 21 : TN_URL_PORT_NONE;
}

static bool is_one_of(struct tn_str s, const char *const *names, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        if (tn_str_eq(s, tn_lit(names[i])))
            return true;
    }
    return false;
}

static struct tn_str last_label(struct tn_str host)
{
    size_t at = host.n;
    while (at > 0 && host.p[at - 1] != '.')
        at--;
    return tail(host, at);
}

static enum tn_match judge_name(const struct tn_url_safe *c, struct tn_str host)
{
    static const char *const loopback[] = { "localhost", "localhost.localdomain" };
    static const char *const internal[] = { "internal", "local", "localhost", "lan", "corp", "home", "svc", "default" };
    static const char *const metadata[] = { "169.254.169.254", "metadata.google.internal", "metadata.goog",
                                            "100.100.100.200" };
    if (c->block_loopback && is_one_of(host, loopback, TN_ARRAY_LEN(loopback)))
        return TN_FALSE;
    if (c->block_internal_tlds && is_one_of(last_label(host), internal, TN_ARRAY_LEN(internal)))
        return TN_FALSE;
    if (c->block_metadata && is_one_of(host, metadata, TN_ARRAY_LEN(metadata)))
        return TN_FALSE;
    return c->block_loopback && tn_str_ends(host, tn_lit(".localhost")) ? TN_ERROR : TN_TRUE;
}

static unsigned hex_value(uint8_t c)
{
    if (tn_is_digit(c))
        return c - (unsigned)'0';
    return c >= 'a' && c <= 'f' ? c - (unsigned)'a' + 10 : 16;
}

/* "0x" and a number of 32 bits: an address to some clients, under schemes whose hosts the URL parser leaves alone. */
static bool read_hex_ipv4(struct tn_str host, uint8_t ret[4])
{
    uint64_t v = 0;
    if (!tn_str_starts(host, tn_lit("0x")))
        return false;
    host = tail(host, 2);
    if (host.n > 1 && host.p[0] == '+')
        host = tail(host, 1);
    for (size_t i = 0; i < host.n; i++) {
        unsigned d = hex_value(host.p[i]);
        if (d > 15)
            return false;
        v = v << 4 | d;
        if (v > UINT32_MAX)
            return false;
    }
    for (unsigned i = 0; i < 4; i++)
        ret[i] = (uint8_t)(v >> (24 - 8 * i));
    return host.n > 0;
}

static enum tn_match judge_address(const struct tn_url_safe *c, struct tn_str host)
{
    uint8_t addr[16];
    if (host.p[0] == '[' && tn_ip_parse((struct tn_str){ host.p + 1, host.n - 2 }, addr) == 6)
        return tn_url_safe_ipv6(c, addr);
    if (tn_ip_parse(host, addr) == 4 || read_hex_ipv4(host, addr))
        return tn_url_safe_ipv4(c, addr);
    return TN_TRUE;
}

static bool digits_and_dots(struct tn_str host)
{
    for (size_t i = 0; i < host.n; i++) {
        if (!tn_is_digit(host.p[i]) && host.p[i] != '.')
            return false;
    }
    return true;
}

static enum tn_match judge_port(const struct tn_url_safe *c, const struct tn_url *u)
{
    uint32_t port = effective_port(u);
    if (!c->has_allow_ports)
        return TN_TRUE;
    if (port == TN_URL_PORT_NONE)
        return TN_ERROR;
    return has_port(c, port) ? TN_TRUE : TN_FALSE;
}

static enum tn_match judge_domains(const struct tn_url_safe *c, struct tn_str host)
{
    if (c->has_allow_domains) {
        enum tn_match m = find_domain(c->allow_domains, c->nallow_domains, host);
        if (m != TN_TRUE)
            return m;
    }
    if (!c->has_deny_domains)
        return TN_TRUE;
    enum tn_match m = find_domain(c->deny_domains, c->ndeny_domains, host);
    return m == TN_TRUE ? TN_FALSE : m == TN_FALSE ? TN_TRUE : m;
}

/* FALSE of any check, for the reference says so too; else NOMEM or ERROR of any. */
static enum tn_match judge(const struct tn_url_safe *c, struct tn_url *u)
{
    struct tn_str host;
    if (!has_scheme(c, u->scheme) || !u->has_host || !plain_host(u, &host))
        return TN_FALSE;
    const enum tn_match verdicts[] = {
        judge_port(c, u),
        judge_name(c, host),
        !u->special && digits_and_dots(host) ? TN_ERROR : judge_address(c, host),
        judge_domains(c, host),
    };
    enum tn_match m = TN_TRUE;
    for (size_t i = 0; i < TN_ARRAY_LEN(verdicts); i++) {
        if (verdicts[i] == TN_FALSE)
            return TN_FALSE;
        if (verdicts[i] == TN_NOMEM || (verdicts[i] == TN_ERROR && m == TN_TRUE))
            m = verdicts[i];
    }
    return m;
}

enum tn_match tn_url_safe_match(const struct tn_url_safe *c, struct tn_str text)
{
    struct tn_url u;
    enum tn_match valid = tn_url_safe_valid(c);
    if (valid != TN_TRUE)
        return valid == TN_NOMEM ? TN_NOMEM : TN_ERROR;
    if (text.n == 0 || memchr(text.p, 0, text.n) != NULL)
        return TN_FALSE;
    enum tn_url_status st = tn_url_parse(text, &u);
    if (st == TN_URL_NOMEM)
        return TN_NOMEM;
    if (st != TN_URL_OK)
        return st == TN_URL_REFUSED ? TN_ERROR : TN_FALSE;
    enum tn_match m = judge(c, &u);
    tn_url_free(&u);
    return m;
}

static bool some_covers(const struct tn_str *list, size_t n, const struct domain *b, uint8_t *buf)
{
    struct domain a;
    for (size_t i = 0; i < n; i++) {
        if (read_domain(list[i], buf, &a) && domain_covers(&a, b))
            return true;
    }
    return false;
}

/* Every entry of `inner` is covered by some entry of `outer`. */
static enum tn_match all_covered(const struct tn_str *outer, size_t nouter, const struct tn_str *inner, size_t ninner)
{
    struct domain b;
    uint8_t *outer_buf = malloc(longest(outer, nouter) + TN_URL_HOST_SLACK);
    uint8_t *inner_buf = malloc(longest(inner, ninner) + TN_URL_HOST_SLACK);
    enum tn_match m = outer_buf != NULL && inner_buf != NULL ? TN_TRUE : TN_NOMEM;
    for (size_t i = 0; m == TN_TRUE && i < ninner; i++)
        if (!read_domain(inner[i], inner_buf, &b) || !some_covers(outer, nouter, &b, outer_buf))
            m = TN_FALSE;
    free(outer_buf);
    free(inner_buf);
    return m;
}

static enum tn_match domains_narrower(const struct tn_url_safe *p, const struct tn_url_safe *c)
{
    enum tn_match m = TN_TRUE;
    if ((p->has_allow_domains && !c->has_allow_domains) || (p->has_deny_domains && !c->has_deny_domains))
        return TN_FALSE;
    if (p->has_allow_domains)
        m = all_covered(p->allow_domains, p->nallow_domains, c->allow_domains, c->nallow_domains);
    if (m == TN_TRUE && p->has_deny_domains)
        m = all_covered(c->deny_domains, c->ndeny_domains, p->deny_domains, p->ndeny_domains);
    return m;
}

static bool ports_narrower(const struct tn_url_safe *p, const struct tn_url_safe *c)
{
    if (!p->has_allow_ports)
        return true;
    if (!c->has_allow_ports)
        return false;
    for (size_t i = 0; i < c->nallow_ports; i++) {
        if (!has_port(p, c->allow_ports[i]))
            return false;
    }
    return true;
}

static bool flags_narrower(const struct tn_url_safe *p, const struct tn_url_safe *c)
{
    return (!p->block_private || c->block_private) && (!p->block_loopback || c->block_loopback) &&
           (!p->block_metadata || c->block_metadata) && (!p->block_reserved || c->block_reserved) &&
           (!p->block_internal_tlds || c->block_internal_tlds);
}

enum tn_match tn_url_safe_narrower(const struct tn_url_safe *parent, const struct tn_url_safe *child)
{
    enum tn_match p = tn_url_safe_valid(parent), c = tn_url_safe_valid(child);
    if (p == TN_NOMEM || c == TN_NOMEM)
        return TN_NOMEM;
    if (p != TN_TRUE || c != TN_TRUE || !flags_narrower(parent, child))
        return TN_FALSE;
    for (size_t i = 0; i < child->nschemes; i++) {
        if (!has_scheme(parent, child->schemes[i]))
            return TN_FALSE;
    }
    return ports_narrower(parent, child) ? domains_narrower(parent, child) : TN_FALSE;
}
