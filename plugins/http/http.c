/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Revocation "http": a signed list from a web server or a control plane. Speaks TLS to every server but one on this
 * machine, asks only for what changed, and stays away as long as a server asks it to. Brings bytes and judges nothing:
 * signature, issuer and version are the host's to verify.
 */
#include "http.h"

#include <arpa/inet.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "../../core/trust.h"

enum { ARG_URL, ARG_CA, ARG_CERT, ARG_KEY, ARG_TOKEN_FILE, ARG_CONNECT_TIMEOUT, ARG_COUNT };

static uint64_t clock_ms(void)
{
    struct timespec ts = { 0 };
    clock_gettime(CLOCK_MONOTONIC, &ts);
    return (uint64_t)ts.tv_sec * 1000 + (uint64_t)ts.tv_nsec / 1000000;
}

static int refuse(const struct http *h, const char *sentence)
{
    h->host->error(h->host, "%s", sentence);
    return TENUO_E_CONF;
}

static bool is_loopback(const char *host)
{
    struct in_addr v4;
    struct in6_addr v6;
    char bare[INET6_ADDRSTRLEN] = "";
    size_t n = strlen(host);
    if (strcmp(host, "localhost") == 0)
        return true;
    if (inet_pton(AF_INET, host, &v4) == 1)
        return (ntohl(v4.s_addr) >> 24) == 127;
    if (n > 2 && n - 2 < sizeof bare && host[0] == '[')
        memcpy(bare, host + 1, n - 2);
    return inet_pton(AF_INET6, bare, &v6) == 1 && IN6_IS_ADDR_LOOPBACK(&v6);
}

static bool has_part(CURLU *u, CURLUPart part)
{
    char *text = NULL;
    bool there = curl_url_get(u, part, &text, 0) == CURLUE_OK;
    curl_free(text);
    return there;
}

static int judge_url(struct http *h, CURLU *u, const char *scheme, const char *host, const char *port)
{
    if (strcmp(scheme, "https") != 0 && strcmp(scheme, "http") != 0)
        return refuse(h, "url: only https is spoken, and http to this machine");
    if (scheme[4] == '\0' && !is_loopback(host))
        return refuse(h, "url: http is for a server on this machine (127.0.0.1, [::1], localhost): use https");
    if (has_part(u, CURLUPART_USER) || has_part(u, CURLUPART_PASSWORD) || has_part(u, CURLUPART_FRAGMENT))
        return refuse(h, "url: a name, a password or a fragment has no place in it: use token_file= or cert= and key=");
    snprintf(h->server, sizeof h->server, "%s:%s", host, port);
    return TENUO_OK;
}

static int read_url(struct http *h, CURLU *u, const char *url)
{
    char *scheme = NULL, *host = NULL, *port = NULL;
    int r;
    if (curl_url_set(u, CURLUPART_URL, url, 0) != CURLUE_OK ||
        curl_url_get(u, CURLUPART_SCHEME, &scheme, 0) != CURLUE_OK ||
        curl_url_get(u, CURLUPART_HOST, &host, 0) != CURLUE_OK ||
        curl_url_get(u, CURLUPART_PORT, &port, CURLU_DEFAULT_PORT) != CURLUE_OK ||
        curl_url_get(u, CURLUPART_URL, &h->url, 0) != CURLUE_OK)
        r = refuse(h, "url: not a URL that can be asked: https://HOST[:PORT]/PATH");
    else
        r = judge_url(h, u, scheme, host, port);
    curl_free(scheme);
    curl_free(host);
    curl_free(port);
    return r;
}

static int set_url(struct http *h, const char *url)
{
    CURLU *u = curl_url();
    int r = u == NULL ? TENUO_E_NOMEM : read_url(h, u, url);
    curl_url_cleanup(u);
    return r;
}

/* A file that decides whom to trust, or that is shown to the server: nobody else may have written it. */
static int set_file(struct http *h, const char *path, char **ret)
{
    struct tenuo_error why;
    int fd = -1, r;
    if (path == NULL)
        return TENUO_OK;
    r = tn_trust_open(path, TN_TRUST_FILE, TENUO_E_CONF, &fd, &why);
    if (r != TENUO_OK)
        return refuse(h, why.msg);
    close(fd);
    *ret = strdup(path);
    return *ret != NULL ? TENUO_OK : TENUO_E_NOMEM;
}

/* Secrets may come later: they are read, and judged, at each request. */
static int set_secret(const char *path, char **ret)
{
    if (path == NULL)
        return TENUO_OK;
    *ret = strdup(path);
    return *ret != NULL ? TENUO_OK : TENUO_E_NOMEM;
}

/* What stands in the line alone. */
static int set_rules(struct http *h, const struct tenuo_arg *args)
{
    const struct tenuo_arg *connect = &args[ARG_CONNECT_TIMEOUT];
    int r = set_url(h, args[ARG_URL].value);
    h->connect_ms = 2000;
    if (r == TENUO_OK && (args[ARG_CERT].value == NULL) != (args[ARG_KEY].value == NULL))
        r = refuse(h, "cert and key belong together: give both");
    if (r == TENUO_OK && connect->value != NULL && (connect->number < 1 || connect->number > 3600000))
        r = refuse(h, "connect_timeout wants a duration from 1ms to 1h");
    if (r == TENUO_OK && connect->value != NULL)
        h->connect_ms = (uint32_t)connect->number;
    return r;
}

static int set_all(struct http *h, const struct tenuo_arg *args)
{
    int r = set_rules(h, args);
    if (r == TENUO_OK)
        r = set_file(h, args[ARG_CA].value, &h->ca);
    if (r == TENUO_OK)
        r = set_file(h, args[ARG_CERT].value, &h->cert);
    if (r == TENUO_OK)
        r = set_secret(args[ARG_KEY].value, &h->key);
    if (r == TENUO_OK)
        r = set_secret(args[ARG_TOKEN_FILE].value, &h->token_file);
    return r;
}

static void http_close(void *self)
{
    struct http *h = self;
    curl_easy_cleanup(h->curl);
    curl_free(h->url);
    free(h->ca);
    free(h->cert);
    free(h->key);
    free(h->token_file);
    free(h);
}

/* Files that this user may not trust, and the service's user may: no error here. */
static int http_check(const struct tenuo_host *host, const struct tenuo_arg *args, size_t nargs)
{
    struct http *h = nargs == ARG_COUNT ? calloc(1, sizeof *h) : NULL;
    int r;
    if (h == NULL)
        return TENUO_E_NOMEM;
    h->host = host;
    r = set_rules(h, args);
    if (r == TENUO_OK && (set_file(h, args[ARG_CA].value, &h->ca) != TENUO_OK ||
                          set_file(h, args[ARG_CERT].value, &h->cert) != TENUO_OK ||
                          http_try_secret(h, args[ARG_KEY].value) != TENUO_OK ||
                          http_try_secret(h, args[ARG_TOKEN_FILE].value) != TENUO_OK))
        r = TENUO_E_UNAVAILABLE;
    http_close(h);
    return r;
}

static int http_open(const struct tenuo_host *host, const struct tenuo_arg *args, size_t nargs, void **ret_self)
{
    struct http *h = nargs == ARG_COUNT ? calloc(1, sizeof *h) : NULL;
    int r;
    if (h == NULL)
        return TENUO_E_NOMEM;
    h->host = host;
    if (sodium_init() < 0 || curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK) {
        host->error(host, "libcurl or libsodium cannot start");
        free(h);
        return TENUO_E_SYSTEM;
    }
    r = set_all(h, args);
    if (r == TENUO_OK) {
        h->curl = http_new_handle(h);
        r = h->curl == NULL ? TENUO_E_NOMEM : TENUO_OK;
    }
    if (r != TENUO_OK) {
        http_close(h);
        return r;
    }
    *ret_self = h;
    return TENUO_OK;
}

static const char *meaning(long status)
{
    if (status == 304)
        return ", although it was not asked whether the list changed";
    if (status >= 300 && status < 400)
        return ": it redirects, which is not followed: name the last address in url=";
    if (status == 401 || status == 403)
        return ": it does not let us in: look at token_file=, cert= and key=";
    if (status == 404)
        return ": there is no list at that address";
    return "";
}

static int bad_status(struct http *h, const struct http_answer *a)
{
    h->host->error(h->host, "%s: the server answered %ld%s", h->server, a->status, meaning(a->status));
    return TENUO_E_UNAVAILABLE;
}

/* The list of a good answer, or NULL in *ret_list when it is the one that the host has. */
static int take_list(struct http *h, bool unchanged_ok, struct http_answer *a, const uint8_t **ret_list,
                     size_t *ret_len)
{
    const char *why = NULL;
    uint8_t digest[32];
    if (a->len == 0) {
        h->host->error(h->host, "%s: the answer is empty: publish the list at that address", h->server);
        return TENUO_E_SRL_INVALID;
    }
    if (!http_unwrap(&a->body, &a->len, &why)) {
        h->host->error(h->host, "%s: %s", h->server, why);
        return TENUO_E_SRL_INVALID;
    }
    crypto_hash_sha256(digest, a->body, a->len);
    bool same = unchanged_ok && h->known && memcmp(digest, h->digest, sizeof digest) == 0;
    memcpy(h->digest, digest, sizeof digest);
    memcpy(h->etag, a->etag, sizeof h->etag);
    h->known = true;
    if (same) {
        *ret_list = NULL;
        *ret_len = 0;
        return TENUO_OK;
    }
    *ret_list = a->body;
    *ret_len = a->len;
    a->body = NULL;
    return TENUO_OK;
}

static int judge(struct http *h, bool conditional, bool unchanged_ok, struct http_answer *a, const uint8_t **ret_list,
                 size_t *ret_len)
{
    if (a->status == 304 && conditional) {
        *ret_list = NULL;
        *ret_len = 0;
        return TENUO_OK;
    }
    return a->status == 200 ? take_list(h, unchanged_ok, a, ret_list, ret_len) : bad_status(h, a);
}

static int http_fetch(void *self, int unchanged_ok, const uint8_t **ret_list, size_t *ret_len, int64_t *ret_fetched_at)
{
    struct http *h = self;
    struct http_answer a = { 0 };
    uint64_t now = clock_ms();
    int64_t asked = h->host->now(); /* before the answer: a slow one is no younger for it */
    bool conditional = unchanged_ok != 0 && h->known && h->etag[0] != '\0';
    int r;
    if (now < h->wait_until) {
        h->host->error(h->host, "%s: the server asked to be left alone for %llu s more", h->server,
                       (unsigned long long)((h->wait_until - now + 999) / 1000));
        return TENUO_E_UNAVAILABLE;
    }
    r = http_get(h, conditional, &a);
    if (r == TENUO_OK)
        r = judge(h, conditional, unchanged_ok != 0, &a, ret_list, ret_len);
    if (r != TENUO_OK && a.retry_after > 0)
        h->wait_until = clock_ms() + (uint64_t)a.retry_after * 1000;
    free(a.body);
    if (r == TENUO_OK)
        *ret_fetched_at = asked;
    return r;
}

static void http_release(void *self, const uint8_t *list, size_t len)
{
    (void)self, (void)len;
    free((void *)(uintptr_t)list);
}

static const struct tenuo_arg_spec args[] = {
    { "url", TENUO_ARG_URL, 1, "where the list is: https://..., or http:// on this machine" },
    { "ca", TENUO_ARG_PATH, 0, "PEM file of the certificate authorities to trust, instead of the system's" },
    { "cert", TENUO_ARG_PATH, 0, "PEM file of the client certificate" },
    { "key", TENUO_ARG_PATH, 0, "PEM file of its private key" },
    { "token_file", TENUO_ARG_PATH, 0, "file with a bearer token" },
    { "connect_timeout", TENUO_ARG_DURATION, 0, "longest time until the server is reached (2s)" },
    { NULL, 0, 0, NULL },
};

static const struct tenuo_revocation_ops ops = {
    .size = sizeof ops,
    .args = args,
    .open = http_open,
    .close = http_close,
    .check = http_check,
    .fetch = http_fetch,
    .release = http_release,
};

TENUO_PLUGIN_EXPORT const struct tenuo_plugin_v1 tenuo_plugin_v1 = {
    .magic = TENUO_PLUGIN_MAGIC,
    .abi_major = TENUO_PLUGIN_ABI_MAJOR,
    .abi_minor = TENUO_PLUGIN_ABI_MINOR,
    .size = sizeof tenuo_plugin_v1,
    .name = "http",
    .version = "1.0",
    .summary = "a signed revocation list from a web server",
    .revocation = &ops,
};
