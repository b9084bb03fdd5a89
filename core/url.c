/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The WHATWG URL parser without base URL, narrowed: no backslash, tab or line break, no blank ends, exactly "//"
 * behind a special scheme (TN_URL_REFUSED). Owns scheme, authority and port; host and path have files of their own.
 * Query, fragment and userinfo are checked for nothing and kept nowhere.
 */
#include <stdlib.h>

#include "url.h"

#define MAX_TEXT ((size_t)1 << 20)

static const struct special {
    const char *name;
    uint32_t port;
} specials[] = {
    { "http", 80 }, { "https", 443 }, { "ws", 80 }, { "wss", 443 }, { "ftp", 21 }, { "file", TN_URL_PORT_NONE },
};

struct parser {
    struct tn_str rest;
    struct tn_url u;
    size_t used; /* of u.buf */
    bool file;
    uint32_t default_port;
};

static struct tn_str skip(struct tn_str s, size_t n) { return (struct tn_str){ s.p + n, s.n - n }; }

static bool ends_authority(uint8_t c) { return c == '/' || c == '?' || c == '#'; }

/* What parsers disagree about is refused before anything is parsed. */
static bool has_disputed_byte(struct tn_str s)
{
    if (s.n > 0 && (s.p[0] <= 0x20 || s.p[s.n - 1] <= 0x20))
        return true;
    for (size_t i = 0; i < s.n; i++) {
        uint8_t c = s.p[i];
        if (c == '\\' || c == '\t' || c == '\n' || c == '\r')
            return true;
    }
    return false;
}

static bool read_scheme(struct parser *ps)
{
    struct tn_str s = ps->rest;
    size_t n = 0;
    if (s.n == 0 || !tn_is_alpha(s.p[0]))
        return false;
    while (n < s.n && (tn_is_alpha(s.p[n]) || tn_is_digit(s.p[n]) || s.p[n] == '+' || s.p[n] == '-' || s.p[n] == '.')) {
        ps->u.buf[n] = tn_lower(s.p[n]);
        n++;
    }
    if (n == s.n || s.p[n] != ':')
        return false;
    ps->u.scheme = (struct tn_str){ ps->u.buf, n };
    ps->used = n;
    ps->rest = skip(s, n + 1);
    ps->default_port = TN_URL_PORT_NONE;
    for (size_t i = 0; i < TN_ARRAY_LEN(specials); i++) {
        if (tn_str_eq(ps->u.scheme, tn_lit(specials[i].name))) {
            ps->u.special = true;
            ps->default_port = specials[i].port;
            ps->file = specials[i].port == TN_URL_PORT_NONE;
        }
    }
    return true;
}

/* ":" and digits, or nothing; an empty number and the scheme's default are no port. */
static bool read_port(struct parser *ps, struct tn_str s)
{
    uint32_t port = 0;
    for (size_t i = 1; i < s.n; i++) {
        if (!tn_is_digit(s.p[i]))
            return false;
        port = port * 10 + (s.p[i] - (uint32_t)'0');
        if (port > 65535)
            return false;
    }
    if (s.n > 1 && port != ps->default_port)
        ps->u.port = port;
    return true;
}

static enum tn_url_status take_host(struct parser *ps, struct tn_str raw)
{
    uint8_t *at = ps->u.buf + ps->used;
    size_t n = 0;
    enum tn_url_status st = ps->u.special ? tn_url_host(raw, at, &n) : tn_url_opaque_host(raw, at, &n);
    if (st != TN_URL_OK)
        return st;
    ps->u.host = (struct tn_str){ at, n };
    ps->u.has_host = n > 0;
    ps->used += n;
    return TN_URL_OK;
}

/* Splits at the first ':' outside brackets. */
static size_t host_length(struct tn_str s)
{
    bool inside = false;
    for (size_t i = 0; i < s.n; i++) {
        if (s.p[i] == ':' && !inside)
            return i;
        if (s.p[i] == '[' || s.p[i] == ']')
            inside = s.p[i] == '[';
    }
    return s.n;
}

static size_t authority_length(struct tn_str s)
{
    size_t n = 0;
    while (n < s.n && !ends_authority(s.p[n]))
        n++;
    return n;
}

/* Bytes up to and with the last '@'. */
static size_t userinfo_length(struct tn_str authority)
{
    size_t n = authority.n;
    while (n > 0 && authority.p[n - 1] != '@')
        n--;
    return n;
}

static enum tn_url_status read_authority(struct parser *ps)
{
    struct tn_str a = { ps->rest.p, authority_length(ps->rest) };
    ps->rest = skip(ps->rest, a.n);
    size_t user = userinfo_length(a);
    bool lone_at = user == 1, credentials = user > 2 || (user == 2 && a.p[0] != ':');
    a = skip(a, user);
    size_t n = host_length(a);
    struct tn_str host = { a.p, n }, port = skip(a, n);
    enum tn_url_status st = take_host(ps, host);
    if (st != TN_URL_OK)
        return st;
    /* Credentials or a port need a host. */
    if (n == 0 && (credentials || port.n > 0 || (lone_at && ps->rest.n > 0)))
        return TN_URL_INVALID;
    return read_port(ps, port) ? TN_URL_OK : TN_URL_INVALID;
}

/* A drive letter is no host but the start of the path; "localhost" is no host either. */
static enum tn_url_status read_file_host(struct parser *ps)
{
    struct tn_str host = { ps->rest.p, authority_length(ps->rest) };
    if (host.n == 0 || tn_url_is_drive(host))
        return TN_URL_OK;
    size_t before = ps->used;
    ps->rest = skip(ps->rest, host.n);
    enum tn_url_status st = take_host(ps, host);
    if (st == TN_URL_OK && tn_str_eq(ps->u.host, tn_lit("localhost"))) {
        ps->used = before;
        ps->u.host.n = 0;
        ps->u.has_host = false;
    }
    return st;
}

static void drop_host(struct parser *ps)
{
    ps->u.host.n = 0;
    ps->u.has_host = false;
}

static void take_path(struct parser *ps)
{
    struct tn_str in = { ps->rest.p, 0 };
    uint8_t *at = ps->u.buf + ps->used;
    bool drive = false;
    while (in.n < ps->rest.n && ps->rest.p[in.n] != '?' && ps->rest.p[in.n] != '#')
        in.n++;
    ps->u.path = (struct tn_str){ at, 0 };
    if (ps->u.opaque_path) {
        ps->u.path.n = tn_url_opaque_path(in, at);
    } else if (ps->u.special || in.n > 0) {
        /* Behind an empty file host every '/' belongs to the path, the first one too. */
        bool whole = in.n == 0 || in.p[0] != '/' || (ps->file && !ps->u.has_host);
        ps->u.path.n = tn_url_path(whole ? in : skip(in, 1), ps->file, at, &drive);
    }
    if (drive)
        drop_host(ps);
}

static enum tn_url_status parse(struct parser *ps)
{
    enum tn_url_status st = TN_URL_OK;
    if (!read_scheme(ps))
        return TN_URL_INVALID;
    bool slashes = tn_str_starts(ps->rest, tn_lit("//"));
    if (ps->u.special && (!slashes || (!ps->file && tn_str_starts(ps->rest, tn_lit("///")))))
        return TN_URL_REFUSED;
    if (slashes) {
        ps->rest = skip(ps->rest, 2);
        st = ps->file ? read_file_host(ps) : read_authority(ps);
    } else {
        ps->u.opaque_path = !tn_str_starts(ps->rest, tn_lit("/"));
    }
    if (st == TN_URL_OK)
        take_path(ps);
    return st;
}

enum tn_url_status tn_url_parse(struct tn_str text, struct tn_url *ret)
{
    struct parser ps = { .rest = text, .u = { .port = TN_URL_PORT_NONE } };
    if (text.n > MAX_TEXT || has_disputed_byte(text))
        return TN_URL_REFUSED;
    ps.u.buf = malloc(3 * text.n + TN_URL_HOST_SLACK + 2);
    if (ps.u.buf == NULL)
        return TN_URL_NOMEM;
    ps.u.host.p = ps.u.buf;
    enum tn_url_status st = parse(&ps);
    if (st == TN_URL_OK)
        *ret = ps.u;
    else
        free(ps.u.buf);
    return st;
}

void tn_url_free(struct tn_url *u)
{
    free(u->buf);
    u->buf = NULL;
}
