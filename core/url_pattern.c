/* SPDX-License-Identifier: Apache-2.0 */
/*
 * UrlPattern: scheme, host, port and path of a URL against a pattern with wildcards. Owns the syntax of constraint
 * type 9, its matching and its narrowing rule. Looks at no query, fragment or userinfo, and never resolves a name.
 */
#include <stdlib.h>

#include "url.h"

/*
 * The pattern goes through the URL parser with its wildcards spelled as names: the "*" of "*." as HOST_MARK, any
 * other one behind a slash as PATH_MARK. The names are part of the format: a mark that ends up in the wrong member
 * stays there and matches only itself.
 */
#define HOST_MARK "__tenuo_host_wildcard__"
#define PATH_MARK "__tenuo_path_wildcard__"

struct writer {
    uint8_t *p;
    size_t n;
};

static void put(struct writer *w, struct tn_str s)
{
    if (s.n > 0)
        memcpy(w->p + w->n, s.p, s.n);
    w->n += s.n;
}

static struct tn_str tail(struct tn_str s, size_t at) { return (struct tn_str){ s.p + at, s.n - at }; }

/* Where needle begins in s, or s.n. */
static size_t find(struct tn_str s, struct tn_str needle)
{
    for (size_t i = 0; i + needle.n <= s.n; i++) {
        if (s.p[i] == needle.p[0] && memcmp(s.p + i, needle.p, needle.n) == 0)
            return i;
    }
    return s.n;
}

static bool contains(struct tn_str s, struct tn_str needle) { return find(s, needle) < s.n; }

static void put_replaced(struct writer *w, struct tn_str s, struct tn_str from, struct tn_str to)
{
    while (s.n > 0) {
        size_t n = find(s, from);
        put(w, (struct tn_str){ s.p, n });
        if (n == s.n)
            return;
        put(w, to);
        s = tail(s, n + from.n);
    }
}

/* Both wildcards in one pass: a '*' before '.' is never also the one behind '/'. */
static size_t write_marked(struct tn_str s, uint8_t *ret)
{
    struct writer w = { ret, 0 };
    for (size_t i = 0; i < s.n; i++) {
        if (s.p[i] == '*' && i + 1 < s.n && s.p[i + 1] == '.')
            put(&w, tn_lit(HOST_MARK));
        else if (s.p[i] == '*' && i > 0 && s.p[i - 1] == '/')
            put(&w, tn_lit(PATH_MARK));
        else
            w.p[w.n++] = s.p[i];
    }
    return w.n;
}

static size_t count_stars(struct tn_str s)
{
    size_t n = 0;
    for (size_t i = 0; i < s.n; i++)
        n += s.p[i] == '*';
    return n;
}

/* Fills u from `head` (scheme and colon) and the rest of the pattern. */
static enum tn_url_status parse_marked(struct tn_str head, struct tn_str rest, struct tn_url *ret)
{
    uint8_t *buf = malloc(head.n + rest.n + count_stars(rest) * sizeof HOST_MARK + 1);
    if (buf == NULL)
        return TN_URL_NOMEM;
    struct writer w = { buf, 0 };
    put(&w, head);
    w.n += write_marked(rest, buf + w.n);
    enum tn_url_status st = tn_url_parse((struct tn_str){ buf, w.n }, ret);
    free(buf);
    return st;
}

static struct tn_str written_since(const struct writer *w, size_t begin)
{
    return (struct tn_str){ w->p + begin, w->n - begin };
}

/* False: memory is out. */
static bool take_members(const struct tn_url *u, struct tn_str scheme, bool any_scheme, struct tn_url_pattern *ret)
{
    struct tn_url_pattern p = { .any_scheme = any_scheme, .port = u->port };
    struct writer w = { malloc(scheme.n + u->host.n + u->path.n + 1), 0 };
    if (w.p == NULL)
        return false;
    put(&w, scheme);
    for (size_t i = 0; i < w.n; i++)
        w.p[i] = tn_lower(w.p[i]);
    p.scheme = written_since(&w, 0);
    size_t begin = w.n;
    put_replaced(&w, u->host, tn_lit(HOST_MARK "."), tn_lit("*."));
    p.host = written_since(&w, begin);
    p.has_host = u->has_host;
    begin = w.n;
    put_replaced(&w, u->path, tn_lit(PATH_MARK), tn_lit("*"));
    p.path = written_since(&w, begin);
    p.has_path = u->path.n > 0 && !tn_str_eq(u->path, tn_lit("/"));
    p.buf = w.p;
    *ret = p;
    return true;
}

enum tn_url_status tn_url_pattern_parse(struct tn_str text, struct tn_url_pattern *ret)
{
    struct tn_url u;
    if (contains(text, tn_lit(HOST_MARK)) || contains(text, tn_lit(PATH_MARK)))
        return TN_URL_INVALID;
    bool any = tn_str_starts(text, tn_lit("*://"));
    size_t n = any ? 1 : find(text, tn_lit("://"));
    if (n == text.n)
        return TN_URL_INVALID;
    struct tn_str scheme = { text.p, any ? 0 : n };
    enum tn_url_status st =
        any ? parse_marked(tn_lit("https"), tail(text, 1), &u) : parse_marked((struct tn_str){ 0 }, text, &u);
    if (st != TN_URL_OK)
        return st;
    bool taken = take_members(&u, scheme, any, ret);
    tn_url_free(&u);
    return taken ? TN_URL_OK : TN_URL_NOMEM;
}

void tn_url_pattern_free(struct tn_url_pattern *p)
{
    free(p->buf);
    p->buf = NULL;
}

static bool is_subdomain_pattern(struct tn_str host) { return tn_str_starts(host, tn_lit("*.")); }

bool tn_url_pattern_constructible(const struct tn_url_pattern *p)
{
    struct tn_str host = is_subdomain_pattern(p->host) ? tail(p->host, 2) : p->host;
    return !p->has_host || (!contains(host, tn_lit("*")) && !contains(host, tn_lit(HOST_MARK)) &&
                            !contains(host, tn_lit(PATH_MARK)));
}

static bool equal_ignoring_case(struct tn_str a, struct tn_str b)
{
    if (a.n != b.n)
        return false;
    for (size_t i = 0; i < a.n; i++) {
        if (tn_lower(a.p[i]) != tn_lower(b.p[i]))
            return false;
    }
    return true;
}

/* `host` is a name or, when patterns are compared, a pattern itself. "*.S" covers S too. */
static bool host_covers(struct tn_str pattern, struct tn_str host)
{
    if (!is_subdomain_pattern(pattern))
        return equal_ignoring_case(pattern, host);
    return tn_str_eq(tail(pattern, 2), host) || tn_str_ends(host, tail(pattern, 1));
}

static uint32_t known_port(const struct tn_url *u)
{
    if (u->port != TN_URL_PORT_NONE)
        return u->port;
    if (tn_str_eq(u->scheme, tn_lit("https")))
        return 443;
    return tn_str_eq(u->scheme, tn_lit("http")) ? 80 : 0;
}

static bool is_any_path(struct tn_str path) { return tn_str_eq(path, tn_lit("/*")) || tn_str_eq(path, tn_lit("*")); }

static enum tn_match match_path(struct tn_str pattern, struct tn_str path)
{
    if (is_any_path(pattern))
        return TN_TRUE;
    if (!tn_glob_valid(pattern))
        return tn_str_eq(pattern, path) ? TN_TRUE : TN_FALSE;
    return tn_glob_match(pattern, path);
}

static enum tn_match match_parsed(const struct tn_url_pattern *p, const struct tn_url *u)
{
    if (!p->any_scheme && !tn_str_eq(p->scheme, u->scheme))
        return TN_FALSE;
    if (p->has_host && !host_covers(p->host, u->host))
        return TN_FALSE;
    if (p->port != TN_URL_PORT_NONE && p->port != known_port(u))
        return TN_FALSE;
    return p->has_path ? match_path(p->path, u->path) : TN_TRUE;
}

enum tn_match tn_url_pattern_match(const struct tn_url_pattern *p, struct tn_str text)
{
    struct tn_url u;
    enum tn_url_status st = tn_url_parse(text, &u);
    if (st != TN_URL_OK)
        return st == TN_URL_NOMEM ? TN_NOMEM : TN_ERROR;
    enum tn_match m = match_parsed(p, &u);
    tn_url_free(&u);
    return m;
}

static bool has_class(struct tn_str path) { return contains(path, tn_lit("[")); }

static bool path_narrower(struct tn_str parent, struct tn_str child)
{
    if (is_any_path(parent) || tn_str_eq(parent, child))
        return true;
    if (!tn_str_ends(parent, tn_lit("/*")))
        return false;
    /* A path that does not compile stands for its own text, which the prefix test below would not respect. */
    if ((has_class(parent) || has_class(child)) && (!tn_glob_valid(parent) || !tn_glob_valid(child)))
        return false;
    return tn_str_starts(child, (struct tn_str){ parent.p, parent.n - 1 });
}

bool tn_url_pattern_narrower(const struct tn_url_pattern *parent, const struct tn_url_pattern *child)
{
    if (!parent->any_scheme && (child->any_scheme || !tn_str_eq(parent->scheme, child->scheme)))
        return false;
    bool any_host = !parent->has_host || tn_str_eq(parent->host, tn_lit("*"));
    if (parent->has_host && !child->has_host)
        return false;
    if (!any_host && !host_covers(parent->host, child->host))
        return false;
    if (parent->port != TN_URL_PORT_NONE && parent->port != child->port)
        return false;
    return !parent->has_path || (child->has_path && path_narrower(parent->path, child->path));
}
