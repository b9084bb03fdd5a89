/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One transfer. What may not happen is switched off here: other schemes, redirects, proxies and passwords of the
 * environment, compressed answers, answers longer than the caller wants, waiting longer than the host allows.
 */
#include "web_inside.h"

#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#ifdef TN_WITH_OPENSSL
#include <openssl/ssl.h>
#endif

#define MOST_RETRY_AFTER 3600
#define FIRST_ROOM 8192

/* One call on its way. */
struct call {
    struct tn_web *w;
    const struct tn_web_request *q;
    struct tn_web_answer *a;
    CURL *handle;
    size_t cap, most;
    bool too_long, out_of_memory;
    struct curl_slist *headers;
    char *url, *client_key; /* the latter guarded */
    size_t client_key_len;
    size_t sent;
    char detail[CURL_ERROR_SIZE];
};

/* Room for `more` bytes and a NUL. A secret has all its room from the start: growing would leave copies. */
static bool make_room(struct call *c, size_t more)
{
    struct tn_web_answer *a = c->a;
    if (more > c->most - a->len) {
        c->too_long = true;
        return false;
    }
    if (a->body != NULL && c->cap - a->len > more)
        return true;
    size_t cap = c->cap < FIRST_ROOM ? FIRST_ROOM : c->cap;
    while (cap - a->len <= more)
        cap *= 2;
    if (a->secret)
        cap = c->most + 1;
    uint8_t *grown = a->secret ? sodium_malloc(cap) : realloc(a->body, cap);
    if (grown == NULL) {
        c->out_of_memory = true;
        return false;
    }
    a->body = grown;
    c->cap = cap;
    return true;
}

/* libcurl's receive buffer is its own and lives on with the handle: what was taken is overwritten there. */
static size_t take_body(char *data, size_t one, size_t n, void *arg)
{
    struct call *c = arg;
    (void)one;
    bool good = make_room(c, n);
    if (good) {
        memcpy(c->a->body + c->a->len, data, n);
        c->a->len += n;
        c->a->body[c->a->len] = '\0';
    }
    sodium_memzero(data, n); /* under UBSan gcc takes explicit_bzero's word that data might be NULL */
    return good ? n : n == 0 ? 1 : 0; /* anything but n ends the transfer */
}

/* Bytes of a secret body on the wire. */
static size_t whole_len(const struct tn_web_request *q)
{
    return q->sigv4 != NULL && q->secret_body ? 2 * q->body_len : q->body_len;
}

/* Hands out a secret body, and at the end overwrites the buffer that it went through: with the blanks behind a signed
 * body, else when libcurl asks whether there is more. */
static size_t give_body(char *data, size_t one, size_t n, void *arg)
{
    struct call *c = arg;
    const size_t len = c->q->body_len;
    size_t left = (c->sent < len ? len : whole_len(c->q)) - c->sent;
    n *= one;
    if (left == 0) {
        explicit_bzero(data, n);
        return 0;
    }
    if (n > left)
        n = left;
    if (c->sent < len)
        memcpy(data, (const uint8_t *)c->q->body + c->sent, n);
    else
        memset(data, ' ', n);
    c->sent += n;
    return n;
}

/* On a connection that died while it was kept, libcurl sends once more. */
static int rewind_body(void *arg, curl_off_t offset, int origin)
{
    struct call *c = arg;
    if (offset != 0 || origin != SEEK_SET)
        return CURL_SEEKFUNC_CANTSEEK;
    c->sent = 0;
    return CURL_SEEKFUNC_OK;
}

/* What the caller wanted to keep: printable, and nothing at all when it is too long. */
static void keep_header(struct tn_web_answer *a, const char *text, size_t n)
{
    while (n > 0 && (*text == ' ' || *text == '\t')) {
        text++;
        n--;
    }
    while (n > 0 && (text[n - 1] == '\r' || text[n - 1] == '\n' || text[n - 1] == ' '))
        n--;
    a->header[0] = '\0';
    if (n > TN_WEB_HEADER_MAX)
        return;
    for (size_t i = 0; i < n; i++)
        if ((unsigned char)text[i] < 0x20 || (unsigned char)text[i] > 0x7e)
            return;
    memcpy(a->header, text, n);
    a->header[n] = '\0';
}

static size_t take_header(char *line, size_t one, size_t n, void *arg)
{
    struct call *c = arg;
    size_t len = c->q->keep_header != NULL ? strlen(c->q->keep_header) : 0;
    (void)one;
    if (len != 0 && n > len && line[len] == ':' && strncasecmp(line, c->q->keep_header, len) == 0)
        keep_header(c->a, line + len + 1, n - len - 1);
    return n;
}

/* libcurl's own sockets would be open in programs that the application starts. */
static curl_socket_t open_socket(void *arg, curlsocktype purpose, struct curl_sockaddr *address)
{
    (void)arg, (void)purpose;
    return socket(address->family, address->socktype | SOCK_CLOEXEC, address->protocol);
}

#ifdef TN_WITH_OPENSSL
/* OpenSSL keeps the last record's plaintext in a buffer of the connection, which is kept; with this option it is
 * overwritten as soon as it has been read. */
static CURLcode prepare_tls(CURL *handle, void *context, void *arg)
{
    (void)handle, (void)arg;
    SSL_CTX_set_options(context, SSL_OP_CLEANSE_PLAINTEXT);
    return CURLE_OK;
}
#endif

static bool all_good(const CURLcode *r, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (r[i] != CURLE_OK)
            return false;
    return true;
}

/* False when the library has no such option, as with an old libcurl: nothing is used that would be less strict. */
static bool set_rules(CURL *h, const struct tn_web *w)
{
    const CURLcode r[] = {
        curl_easy_setopt(h, CURLOPT_PROTOCOLS_STR, w->tls ? "https" : "http"),
        curl_easy_setopt(h, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1),
        curl_easy_setopt(h, CURLOPT_PATH_AS_IS, 1L),
        curl_easy_setopt(h, CURLOPT_FOLLOWLOCATION, 0L),
        curl_easy_setopt(h, CURLOPT_PROXY, ""),
        curl_easy_setopt(h, CURLOPT_NETRC, (long)CURL_NETRC_IGNORED),
        curl_easy_setopt(h, CURLOPT_NOSIGNAL, 1L),
        /* Or it waits for its thread that asks for names, however long that takes. Plugins are never unloaded. */
        curl_easy_setopt(h, CURLOPT_QUICK_EXIT, 1L),
        curl_easy_setopt(h, CURLOPT_OPENSOCKETFUNCTION, open_socket),
        curl_easy_setopt(h, CURLOPT_USERAGENT, w->agent),
        curl_easy_setopt(h, CURLOPT_SSL_VERIFYPEER, 1L),
        curl_easy_setopt(h, CURLOPT_SSL_VERIFYHOST, 2L),
        curl_easy_setopt(h, CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2),
        curl_easy_setopt(h, CURLOPT_CONNECTTIMEOUT_MS, (long)w->connect_ms),
        w->ca != NULL ? curl_easy_setopt(h, CURLOPT_CAINFO, w->ca) : CURLE_OK,
        w->ca != NULL ? curl_easy_setopt(h, CURLOPT_CAPATH, NULL) : CURLE_OK,
        w->cert != NULL ? curl_easy_setopt(h, CURLOPT_SSLCERT, w->cert) : CURLE_OK,
#ifdef TN_WITH_OPENSSL
        w->cleanse ? curl_easy_setopt(h, CURLOPT_SSL_CTX_FUNCTION, prepare_tls) : CURLE_OK,
#endif
    };
    return all_good(r, sizeof r / sizeof r[0]);
}

static bool set_method(CURL *h, struct call *c)
{
    static const char *const names[] = { NULL, "POST", "PUT", "PATCH", "DELETE", "LIST" };
    const struct tn_web_request *q = c->q;
    CURLcode r = CURLE_OK;
    if (q->body == NULL && q->method == TN_WEB_GET)
        return curl_easy_setopt(h, CURLOPT_HTTPGET, 1L) == CURLE_OK;
    if (q->secret_body && q->body != NULL) {
        /* Without a length the buffer is offered once more at the end, to be overwritten. A signed body has one, and
         * blanks behind it; as a POST it is sent without waiting for "100 Continue". */
        const CURLcode s[] = {
            q->sigv4 == NULL ? curl_easy_setopt(h, CURLOPT_UPLOAD, 1L) : curl_easy_setopt(h, CURLOPT_POST, 1L),
            q->sigv4 == NULL ? CURLE_OK
                             : curl_easy_setopt(h, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)whole_len(q)),
            curl_easy_setopt(h, CURLOPT_READFUNCTION, give_body),
            curl_easy_setopt(h, CURLOPT_READDATA, c),
            curl_easy_setopt(h, CURLOPT_SEEKFUNCTION, rewind_body),
            curl_easy_setopt(h, CURLOPT_SEEKDATA, c),
        };
        r = all_good(s, sizeof s / sizeof s[0]) ? CURLE_OK : CURLE_UNKNOWN_OPTION;
    } else if (q->body != NULL || q->method == TN_WEB_POST || q->method == TN_WEB_PUT) {
        const CURLcode s[] = {
            curl_easy_setopt(h, CURLOPT_POST, 1L),
            curl_easy_setopt(h, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)q->body_len),
            curl_easy_setopt(h, CURLOPT_POSTFIELDS, q->body != NULL ? q->body : ""),
        };
        r = all_good(s, sizeof s / sizeof s[0]) ? CURLE_OK : CURLE_UNKNOWN_OPTION;
    }
    return r == CURLE_OK && curl_easy_setopt(h, CURLOPT_CUSTOMREQUEST, names[q->method]) == CURLE_OK;
}

/* The client's private key stays in our memory: libcurl is lent it for this transfer. */
static bool lend_key(CURL *h, struct call *c)
{
    struct curl_blob blob = { .data = c->client_key, .len = c->client_key_len, .flags = CURL_BLOB_NOCOPY };
    return c->client_key == NULL || curl_easy_setopt(h, CURLOPT_SSLKEY_BLOB, &blob) == CURLE_OK;
}

static bool set_sigv4(CURL *h, const struct tn_web_sigv4 *s)
{
    return s == NULL || (curl_easy_setopt(h, CURLOPT_AWS_SIGV4, s->provider) == CURLE_OK &&
                         curl_easy_setopt(h, CURLOPT_USERNAME, s->user) == CURLE_OK &&
                         curl_easy_setopt(h, CURLOPT_PASSWORD, s->secret) == CURLE_OK);
}

static bool set_call(CURL *h, struct call *c, long timeout_ms)
{
    const CURLcode r[] = {
        curl_easy_setopt(h, CURLOPT_URL, c->url),
        curl_easy_setopt(h, CURLOPT_HTTPHEADER, c->headers),
        curl_easy_setopt(h, CURLOPT_TIMEOUT_MS, timeout_ms),
        curl_easy_setopt(h, CURLOPT_MAXFILESIZE_LARGE, (curl_off_t)c->most),
        curl_easy_setopt(h, CURLOPT_ERRORBUFFER, c->detail),
        curl_easy_setopt(h, CURLOPT_WRITEFUNCTION, take_body),
        curl_easy_setopt(h, CURLOPT_WRITEDATA, c),
        curl_easy_setopt(h, CURLOPT_HEADERFUNCTION, take_header),
        curl_easy_setopt(h, CURLOPT_HEADERDATA, c),
    };
    return all_good(r, sizeof r / sizeof r[0]) && set_method(h, c) && lend_key(h, c) && set_sigv4(h, c->q->sigv4);
}

static bool add_line(struct call *c, const char *name, const char *value)
{
    char *line = NULL;
    if (asprintf(&line, "%s: %s", name, value) < 0)
        return false;
    struct curl_slist *grown = curl_slist_append(c->headers, line);
    explicit_bzero(line, strlen(line));
    free(line);
    if (grown != NULL)
        c->headers = grown;
    return grown != NULL;
}

/* libcurl signs the hash that it is told, since it does not see such a body in advance. */
static bool add_digest(struct call *c)
{
    crypto_hash_sha256_state state;
    uint8_t digest[crypto_hash_sha256_BYTES];
    char hex[2 * sizeof digest + 1];
    crypto_hash_sha256_init(&state);
    crypto_hash_sha256_update(&state, c->q->body, c->q->body_len);
    for (size_t i = 0; i < c->q->body_len; i++)
        crypto_hash_sha256_update(&state, (const uint8_t *)" ", 1);
    crypto_hash_sha256_final(&state, digest);
    sodium_memzero(&state, sizeof state);
    sodium_bin2hex(hex, sizeof hex, digest, sizeof digest);
    return add_line(c, "x-amz-content-sha256", hex);
}

static bool make_headers(struct call *c)
{
    for (size_t i = 0; i < c->q->nheaders; i++)
        if (!add_line(c, c->q->headers[i].name, c->q->headers[i].value))
            return false;
    if (c->q->sigv4 != NULL && c->q->secret_body && !add_digest(c))
        return false;
    /* libcurl would sign the header that it is told not to send; with a length it sends none for bodies as ours. */
    if (c->q->body == NULL || c->q->sigv4 != NULL)
        return true;
    struct curl_slist *grown = curl_slist_append(c->headers, "Expect:"); /* no "100 Continue" in between */
    if (grown != NULL)
        c->headers = grown;
    return grown != NULL;
}

static bool is_path(const char *p)
{
    if (p[0] != '/')
        return false;
    for (; *p != '\0'; p++)
        if ((unsigned char)*p <= 0x20 || (unsigned char)*p > 0x7e || *p == '#')
            return false;
    return true;
}

static int make_url(struct call *c)
{
    if (c->q->path != NULL && !is_path(c->q->path)) {
        snprintf(c->a->why, sizeof c->a->why, "%s: the path of the request holds what must be escaped", c->w->server);
        return TENUO_E_INVALID_ARGUMENT;
    }
    if (asprintf(&c->url, "%s%s", c->w->url, c->q->path != NULL ? c->q->path : "") >= 0)
        return TENUO_OK;
    c->url = NULL;
    return TENUO_E_NOMEM;
}

static int prepare(struct call *c)
{
    int r = make_url(c);
    if (r == TENUO_OK && !make_headers(c))
        r = TENUO_E_NOMEM;
    if (r == TENUO_OK && tn_secret_given(&c->w->key)) {
        char why[TN_SECRET_WHY];
        r = tn_secret_read(&c->w->key, &c->client_key, &c->client_key_len, why);
        if (r != TENUO_OK)
            snprintf(c->a->why, sizeof c->a->why, "%s", why);
    }
    return r;
}

static void clean(struct call *c)
{
    for (const struct curl_slist *s = c->headers; s != NULL; s = s->next)
        explicit_bzero(s->data, strlen(s->data)); /* one may be a token */
    curl_slist_free_all(c->headers);
    tn_secret_free(c->client_key);
    free(c->url);
}

static int failed(struct call *c, CURLcode code)
{
    struct tn_web_answer *a = c->a;
    if (c->out_of_memory || code == CURLE_OUT_OF_MEMORY) {
        a->fate = TN_WEB_UNTRIED;
        snprintf(a->why, sizeof a->why, "out of memory");
        return TENUO_E_NOMEM;
    }
    if (c->too_long || code == CURLE_FILESIZE_EXCEEDED) {
        a->fate = TN_WEB_TOO_LONG;
        snprintf(a->why, sizeof a->why, "%s: the answer is longer than the %zu bytes that are taken", c->w->server,
                 c->most);
        return TENUO_E_UNAVAILABLE;
    }
    a->fate = tn_web_explain(c->w, c->handle, code, c->detail, a->why);
    return TENUO_E_UNAVAILABLE;
}

static int transfer(struct call *c)
{
    struct tn_web_answer *a = c->a;
    uint32_t left = c->w->host->deadline(c->w->host);
    curl_off_t wait = 0;
    CURLcode code;
    if (left <= TN_WEB_MARGIN_MS) {
        snprintf(a->why, sizeof a->why, "%s: no time is left for a request", c->w->server);
        return TENUO_E_UNAVAILABLE;
    }
    if (!set_rules(c->handle, c->w) || !set_call(c->handle, c, (long)(left - TN_WEB_MARGIN_MS))) {
        snprintf(a->why, sizeof a->why, "libcurl lacks an option that is needed, or memory is out");
        return TENUO_E_NOMEM;
    }
    code = curl_easy_perform(c->handle);
    curl_easy_getinfo(c->handle, CURLINFO_RESPONSE_CODE, &a->status);
    if (curl_easy_getinfo(c->handle, CURLINFO_RETRY_AFTER, &wait) == CURLE_OK && wait > 0)
        a->retry_after = wait < MOST_RETRY_AFTER ? (long)wait : MOST_RETRY_AFTER;
    if (code != CURLE_OK)
        return failed(c, code);
    a->fate = TN_WEB_ANSWERED;
    return TENUO_OK;
}

int tn_web_call(struct tn_web *w, const struct tn_web_request *q, struct tn_web_answer *ret)
{
    struct call c = { .w = w, .q = q, .a = ret, .most = q->most != 0 ? q->most : TN_WEB_SECRET_MOST };
    int r;
    *ret = (struct tn_web_answer){ .fate = TN_WEB_UNTRIED, .secret = q->secret_answer };
    r = prepare(&c);
    if (r == TENUO_OK) {
        c.handle = tn_web_take(w, &r, ret->why);
        if (c.handle != NULL) {
            r = transfer(&c);
            tn_web_give(w, c.handle); /* before what it points to goes */
        }
    }
    clean(&c);
    if (r != TENUO_OK)
        tn_web_forget(ret);
    if (r == TENUO_E_NOMEM && ret->why[0] == '\0')
        snprintf(ret->why, sizeof ret->why, "out of memory");
    return r;
}

void tn_web_forget(struct tn_web_answer *a)
{
    if (a->secret)
        sodium_free(a->body); /* wipes */
    else
        free(a->body);
    a->body = NULL;
    a->len = 0;
}

bool tn_web_escape(const char *text, bool keep_slash, char *ret, size_t size)
{
    static const char plain[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._~-";
    size_t n = 0;
    for (; *text != '\0'; text++) {
        bool keep = strchr(plain, *text) != NULL || (keep_slash && *text == '/');
        if (size - n < 4)
            return false;
        if (keep)
            ret[n++] = *text;
        else
            n += (size_t)snprintf(ret + n, size - n, "%%%02X", (unsigned)(unsigned char)*text);
    }
    ret[n] = '\0';
    return true;
}
