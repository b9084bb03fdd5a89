/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One request to one server. What may not happen is switched off here: other schemes, redirects, proxies of the
 * environment, compressed answers, answers longer than a list may be, waiting longer than the host allows.
 */
#include "http.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "../../common/keyfile.h"
#include "../../core/trust.h"

#define SECRET_BYTES (TN_KEYFILE_MAX + 1)
#define MARGIN_MS 100 /* for what comes after the transfer */
#define MOST_RETRY_AFTER 3600

/* False when the library has no such option, as with an old libcurl: nothing is used that would be less strict. */
static bool set_options(CURL *c, const struct http *h)
{
    const bool tls = strncmp(h->url, "https:", 6) == 0;
    CURLcode r[] = {
        curl_easy_setopt(c, CURLOPT_URL, h->url),
        curl_easy_setopt(c, CURLOPT_PROTOCOLS_STR, tls ? "https" : "http"),
        curl_easy_setopt(c, CURLOPT_FOLLOWLOCATION, 0L),
        curl_easy_setopt(c, CURLOPT_PROXY, ""),
        curl_easy_setopt(c, CURLOPT_NETRC, (long)CURL_NETRC_IGNORED),
        curl_easy_setopt(c, CURLOPT_NOSIGNAL, 1L),
        curl_easy_setopt(c, CURLOPT_HTTPGET, 1L),
        curl_easy_setopt(c, CURLOPT_USERAGENT, "tenuo_http"),
        curl_easy_setopt(c, CURLOPT_SSL_VERIFYPEER, 1L),
        curl_easy_setopt(c, CURLOPT_SSL_VERIFYHOST, 2L),
        curl_easy_setopt(c, CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2),
        curl_easy_setopt(c, CURLOPT_MAXFILESIZE_LARGE, (curl_off_t)HTTP_BODY_MAX),
        curl_easy_setopt(c, CURLOPT_CONNECTTIMEOUT_MS, (long)h->connect_ms),
        h->ca != NULL ? curl_easy_setopt(c, CURLOPT_CAINFO, h->ca) : CURLE_OK,
        h->ca != NULL ? curl_easy_setopt(c, CURLOPT_CAPATH, NULL) : CURLE_OK,
        h->cert != NULL ? curl_easy_setopt(c, CURLOPT_SSLCERT, h->cert) : CURLE_OK,
    };
    for (size_t i = 0; i < sizeof r / sizeof r[0]; i++)
        if (r[i] != CURLE_OK)
            return false;
    return true;
}

CURL *http_new_handle(const struct http *h)
{
    CURL *c = curl_easy_init();
    if (c == NULL || set_options(c, h))
        return c;
    curl_easy_cleanup(c);
    return NULL;
}

/* Room for `more` bytes, doubling; the cap is the longest answer that could hold a list. */
static bool make_room(struct http_answer *a, size_t more)
{
    if (more > HTTP_BODY_MAX - a->len) {
        a->too_long = true;
        return false;
    }
    if (a->cap - a->len >= more)
        return true;
    size_t cap = a->cap < 8192 ? 8192 : a->cap;
    while (cap - a->len < more)
        cap *= 2;
    uint8_t *grown = realloc(a->body, cap);
    if (grown == NULL) {
        a->out_of_memory = true;
        return false;
    }
    a->body = grown;
    a->cap = cap;
    return true;
}

static size_t take_body(char *data, size_t one, size_t n, void *arg)
{
    struct http_answer *a = arg;
    (void)one;
    if (!make_room(a, n))
        return n == 0 ? 1 : 0; /* anything but n ends the transfer */
    memcpy(a->body + a->len, data, n);
    a->len += n;
    return n;
}

/* An entity tag goes back to the server as it came: printable, and none at all when it is too long. */
static void take_etag(struct http_answer *a, const char *text, size_t n)
{
    while (n > 0 && (*text == ' ' || *text == '\t')) {
        text++;
        n--;
    }
    while (n > 0 && (text[n - 1] == '\r' || text[n - 1] == '\n' || text[n - 1] == ' '))
        n--;
    a->etag[0] = '\0';
    if (n > HTTP_ETAG_MAX)
        return;
    for (size_t i = 0; i < n; i++)
        if ((unsigned char)text[i] < 0x20 || (unsigned char)text[i] > 0x7e)
            return;
    memcpy(a->etag, text, n);
    a->etag[n] = '\0';
}

static char lower(char c)
{
    return c >= 'A' && c <= 'Z' ? (char)(c + 32) : c;
}

static size_t take_header(char *line, size_t one, size_t n, void *arg)
{
    static const char name[] = "etag:";
    size_t i = 0;
    (void)one;
    while (i < sizeof name - 1 && i < n && lower(line[i]) == name[i])
        i++;
    if (i == sizeof name - 1)
        take_etag(arg, line + i, n - i);
    return n;
}

static bool add_header(struct curl_slist **list, const char *name, const char *value)
{
    char *line = NULL;
    if (asprintf(&line, "%s %s", name, value) < 0)
        return false;
    struct curl_slist *grown = curl_slist_append(*list, line);
    explicit_bzero(line, strlen(line));
    free(line);
    if (grown != NULL)
        *list = grown;
    return grown != NULL;
}

static void free_secret(char *text)
{
    if (text != NULL)
        explicit_bzero(text, SECRET_BYTES);
    free(text);
}

static void free_headers(struct curl_slist *list)
{
    for (const struct curl_slist *s = list; s != NULL; s = s->next)
        explicit_bzero(s->data, strlen(s->data)); /* one may be the token */
    curl_slist_free_all(list);
}

/* A secret of a file that nobody else can read; read at each use, so that it can be rotated. *ret_text is
 * NUL-terminated and has SECRET_BYTES: wipe it. */
static int read_secret(const struct http *h, const char *path, char **ret_text, size_t *ret_len)
{
    const char *slash = strrchr(path, '/');
    char *dir = slash == path ? strdup("/") : strndup(path, (size_t)(slash - path)), *text = malloc(SECRET_BYTES);
    char why[160];
    struct tenuo_error err;
    int fd = -1, r = dir == NULL || text == NULL ? TENUO_E_NOMEM
                                                 : tn_trust_open(dir, TN_TRUST_DIR, TENUO_E_KEY_DENIED, &fd, &err);
    if (r == TENUO_OK) {
        enum tn_keyfile_result k = tn_keyfile_read(fd, slash + 1, TN_KEYFILE_CREDENTIAL, (uint8_t *)text, ret_len, why);
        close(fd);
        if (k != TN_KEYFILE_OK) {
            r = k == TN_KEYFILE_MISSING || k == TN_KEYFILE_SYSTEM ? TENUO_E_UNAVAILABLE : TENUO_E_KEY_DENIED;
            h->host->error(h->host, "%s: %s", path, why);
        }
    } else if (r != TENUO_E_NOMEM) {
        r = r == TENUO_E_SYSTEM ? TENUO_E_UNAVAILABLE : r;
        h->host->error(h->host, "%s", err.msg);
    }
    free(dir);
    if (r != TENUO_OK) {
        free_secret(text);
        return r;
    }
    text[*ret_len] = '\0';
    *ret_text = text;
    return TENUO_OK;
}

int http_try_secret(const struct http *h, const char *path)
{
    char *text = NULL;
    size_t n = 0;
    int r = path == NULL ? TENUO_OK : read_secret(h, path, &text, &n);
    free_secret(text);
    return r;
}

static bool is_token(const char *text, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if ((unsigned char)text[i] <= 0x20 || (unsigned char)text[i] > 0x7e)
            return false;
    return n != 0;
}

static int add_token(const struct http *h, struct curl_slist **headers)
{
    char *token = NULL;
    size_t n = 0;
    int r = read_secret(h, h->token_file, &token, &n);
    if (r != TENUO_OK)
        return r;
    while (n > 0 && (token[n - 1] == '\n' || token[n - 1] == '\r'))
        token[--n] = '\0';
    if (!is_token(token, n)) {
        h->host->error(h->host, "%s: holds no token: one line of printable characters without blanks", h->token_file);
        r = TENUO_E_KEY_DENIED;
    } else if (!add_header(headers, "Authorization: Bearer", token)) {
        r = TENUO_E_NOMEM;
    }
    free_secret(token);
    return r;
}

static int make_headers(const struct http *h, bool conditional, struct curl_slist **headers)
{
    if (!add_header(headers, "Accept:", "application/cbor, application/json"))
        return TENUO_E_NOMEM;
    if (conditional && h->etag[0] != '\0' && !add_header(headers, "If-None-Match:", h->etag))
        return TENUO_E_NOMEM;
    return h->token_file != NULL ? add_token(h, headers) : TENUO_OK;
}

/* libcurl's sentence names hosts and certificates, never a header. */
static int failed(const struct http *h, const struct http_answer *a, CURLcode code, const char *detail)
{
    if (a->out_of_memory || code == CURLE_OUT_OF_MEMORY)
        return TENUO_E_NOMEM;
    if (a->too_long || code == CURLE_FILESIZE_EXCEEDED) {
        h->host->error(h->host, "%s: the answer is longer than a revocation list may be (96 MiB)", h->server);
        return TENUO_E_SRL_INVALID;
    }
    h->host->error(h->host, "%s: %s", h->server, detail[0] != '\0' ? detail : curl_easy_strerror(code));
    return TENUO_E_UNAVAILABLE;
}

static int perform(struct http *h, struct curl_slist *headers, struct http_answer *a)
{
    char detail[CURL_ERROR_SIZE] = "";
    uint32_t left = h->host->deadline(h->host);
    curl_off_t wait = 0;
    if (left <= MARGIN_MS) {
        h->host->error(h->host, "%s: no time is left for a request", h->server);
        return TENUO_E_UNAVAILABLE;
    }
    CURLcode code = curl_easy_setopt(h->curl, CURLOPT_TIMEOUT_MS, (long)(left - MARGIN_MS));
    if (code == CURLE_OK) {
        curl_easy_setopt(h->curl, CURLOPT_HTTPHEADER, headers);
        curl_easy_setopt(h->curl, CURLOPT_ERRORBUFFER, detail);
        curl_easy_setopt(h->curl, CURLOPT_WRITEFUNCTION, take_body);
        curl_easy_setopt(h->curl, CURLOPT_WRITEDATA, a);
        curl_easy_setopt(h->curl, CURLOPT_HEADERFUNCTION, take_header);
        curl_easy_setopt(h->curl, CURLOPT_HEADERDATA, a);
        code = curl_easy_perform(h->curl);
        curl_easy_setopt(h->curl, CURLOPT_HTTPHEADER, NULL);
        curl_easy_setopt(h->curl, CURLOPT_ERRORBUFFER, NULL);
    }
    curl_easy_getinfo(h->curl, CURLINFO_RESPONSE_CODE, &a->status);
    if (curl_easy_getinfo(h->curl, CURLINFO_RETRY_AFTER, &wait) == CURLE_OK && wait > 0)
        a->retry_after = wait < MOST_RETRY_AFTER ? (long)wait : MOST_RETRY_AFTER;
    return code == CURLE_OK ? TENUO_OK : failed(h, a, code, detail);
}

/* The client's private key, for the time of one request. libcurl hands it to OpenSSL and wipes nothing of its copy. */
static int lend_key(struct http *h)
{
    char *key = NULL;
    struct curl_blob blob = { .flags = CURL_BLOB_COPY };
    int r = read_secret(h, h->key, &key, &blob.len);
    if (r != TENUO_OK)
        return r;
    blob.data = key;
    if (curl_easy_setopt(h->curl, CURLOPT_SSLKEY_BLOB, &blob) != CURLE_OK)
        r = TENUO_E_NOMEM;
    free_secret(key);
    return r;
}

int http_get(struct http *h, bool conditional, struct http_answer *ret_answer)
{
    struct http_answer a = { 0 };
    struct curl_slist *headers = NULL;
    int r = make_headers(h, conditional, &headers);
    if (r == TENUO_OK && h->key != NULL)
        r = lend_key(h);
    if (r == TENUO_OK)
        r = perform(h, headers, &a);
    free_headers(headers);
    if (r != TENUO_OK) {
        free(a.body);
        a.body = NULL;
    }
    *ret_answer = a; /* also on failure: the server may have said how long to wait */
    return r;
}
