/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Revocation "http": a signed list from a web server or a control plane. Speaks TLS to every server but one on this
 * machine, asks only for what changed, and stays away as long as a server asks it to. Brings bytes and judges nothing:
 * signature, issuer and version are the host's to verify.
 */
#include "http.h"

#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../../common/web.h"

#define SECRETS "token_file= or cert= and key="
/* The list as base64 within JSON, and some room for what stands around it. */
#define BODY_MAX ((size_t)TENUO_REVOCATION_LIST_MAX / 3 * 4 + 65536)

enum { ARG_URL, ARG_CA, ARG_CERT, ARG_KEY, ARG_TOKEN_FILE, ARG_CONNECT_TIMEOUT, ARG_COUNT };

/* One open line. */
struct http {
    const struct tenuo_host *host;
    struct tn_web *web;
    struct tn_secret_source token;
    char etag[TN_WEB_HEADER_MAX + 1]; /* of the list that was handed over last; "" when the server gave none */
    uint8_t digest[32];               /* of that list's bytes */
    bool known;                       /* the two above hold */
    uint64_t wait_until;              /* tn_web_clock_ms: the server asked not to come before */
};

static int say(const struct tenuo_host *host, int code, const char *why)
{
    if (code != TENUO_OK)
        host->error(host, "%s", why);
    return code;
}

/* What stands in the line alone. */
static int judge_line(const struct tenuo_host *host, const struct tenuo_arg *args, struct tn_web_options *o)
{
    char why[TN_WEB_WHY] = "cert and key belong together: give both";
    *o = (struct tn_web_options){
        .host = host,
        .url = args[ARG_URL].value,
        .ca = args[ARG_CA].value,
        .cert = args[ARG_CERT].value,
        .agent = "tenuo_http",
        .with_query = true,
        .secrets = SECRETS,
    };
    int r = (args[ARG_CERT].value == NULL) != (args[ARG_KEY].value == NULL) ? TENUO_E_CONF : TENUO_OK;
    if (r == TENUO_OK)
        r = tn_web_check_url(o, why);
    if (r == TENUO_OK)
        r = tn_web_connect_ms(&args[ARG_CONNECT_TIMEOUT], &o->connect_ms, why);
    return say(host, r, why);
}

static void http_close(void *self)
{
    struct http *h = self;
    tn_web_close(h->web);
    tn_secret_clear(&h->token);
    free(h);
}

static int try_secret(const char *path, char why[TN_SECRET_WHY])
{
    struct tn_secret_source s = { 0 };
    char *text = NULL;
    size_t n = 0;
    int r = tn_secret_set(&s, "token", path, NULL, why);
    if (r == TENUO_OK && path != NULL)
        r = tn_secret_read(&s, &text, &n, why);
    tn_secret_free(text);
    tn_secret_clear(&s);
    return r;
}

/* Files that this user may not trust, and the service's user may: no error here. */
static int http_check(const struct tenuo_host *host, const struct tenuo_arg *args, size_t nargs)
{
    struct tn_web_options o;
    char why[TN_WEB_WHY];
    int r = nargs == ARG_COUNT ? judge_line(host, args, &o) : TENUO_E_NOMEM;
    if (r != TENUO_OK)
        return r;
    if (tn_web_check_file("ca", o.ca, why) == TENUO_OK && tn_web_check_file("cert", o.cert, why) == TENUO_OK &&
        try_secret(args[ARG_KEY].value, why) == TENUO_OK && try_secret(args[ARG_TOKEN_FILE].value, why) == TENUO_OK)
        return TENUO_OK;
    return say(host, TENUO_E_UNAVAILABLE, why);
}

static int open_all(struct http *h, const struct tenuo_arg *args)
{
    struct tn_web_options o;
    struct tn_secret_source key = { 0 };
    char why[TN_WEB_WHY];
    int r = judge_line(h->host, args, &o);
    if (r != TENUO_OK)
        return r;
    r = tn_secret_set(&h->token, "token", args[ARG_TOKEN_FILE].value, NULL, why);
    if (r == TENUO_OK)
        r = tn_secret_set(&key, "key", args[ARG_KEY].value, NULL, why);
    if (r == TENUO_OK)
        r = tn_web_open(&o, &key, &h->web, why);
    tn_secret_clear(&key);
    return say(h->host, r, why);
}

static int http_open(const struct tenuo_host *host, const struct tenuo_arg *args, size_t nargs, void **ret_self)
{
    struct http *h = nargs == ARG_COUNT ? calloc(1, sizeof *h) : NULL;
    int r;
    if (h == NULL)
        return TENUO_E_NOMEM;
    h->host = host;
    r = open_all(h, args);
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

static int bad_status(struct http *h, const struct tn_web_answer *a)
{
    h->host->error(h->host, "%s: the server answered %ld%s", tn_web_server(h->web), a->status, meaning(a->status));
    return TENUO_E_UNAVAILABLE;
}

/* The list of a good answer, or NULL in *ret_list when it is the one that the host has. */
static int take_list(struct http *h, bool unchanged_ok, struct tn_web_answer *a, const uint8_t **ret_list,
                     size_t *ret_len)
{
    const char *why = NULL;
    uint8_t digest[32];
    if (a->len == 0) {
        h->host->error(h->host, "%s: the answer is empty: publish the list at that address", tn_web_server(h->web));
        return TENUO_E_SRL_INVALID;
    }
    if (!http_unwrap(&a->body, &a->len, &why)) {
        h->host->error(h->host, "%s: %s", tn_web_server(h->web), why);
        return TENUO_E_SRL_INVALID;
    }
    crypto_hash_sha256(digest, a->body, a->len);
    bool same = unchanged_ok && h->known && memcmp(digest, h->digest, sizeof digest) == 0;
    memcpy(h->digest, digest, sizeof digest);
    memcpy(h->etag, a->header, sizeof h->etag);
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

static int judge(struct http *h, bool conditional, bool unchanged_ok, struct tn_web_answer *a, const uint8_t **ret_list,
                 size_t *ret_len)
{
    if (a->status == 304 && conditional) {
        *ret_list = NULL;
        *ret_len = 0;
        return TENUO_OK;
    }
    return a->status == 200 ? take_list(h, unchanged_ok, a, ret_list, ret_len) : bad_status(h, a);
}

/* One GET. `conditional`: only if the server's tag is another one than ours. */
static int get(struct http *h, bool conditional, struct tn_web_answer *ret_answer)
{
    struct tn_web_header headers[3] = { { "Accept", "application/cbor, application/json" } };
    struct tn_web_request q = { .headers = headers, .nheaders = 1, .most = BODY_MAX, .keep_header = "ETag" };
    char *token = NULL, *bearer = NULL, why[TN_SECRET_WHY];
    size_t n = 0;
    int r = TENUO_OK;
    if (conditional)
        headers[q.nheaders++] = (struct tn_web_header){ "If-None-Match", h->etag };
    if (tn_secret_given(&h->token)) {
        r = say(h->host, tn_secret_read_word(&h->token, &token, &n, why), why);
        if (r != TENUO_OK)
            return r;
        bearer = sodium_malloc(n + 8);
        if (bearer != NULL)
            snprintf(bearer, n + 8, "Bearer %s", token);
        tn_secret_free(token);
        if (bearer == NULL)
            return TENUO_E_NOMEM;
        headers[q.nheaders++] = (struct tn_web_header){ "Authorization", bearer };
    }
    r = tn_web_call(h->web, &q, ret_answer);
    tn_secret_free(bearer);
    if (ret_answer->fate != TN_WEB_TOO_LONG)
        return say(h->host, r, ret_answer->why);
    h->host->error(h->host, "%s: the answer is longer than a revocation list may be (96 MiB)", tn_web_server(h->web));
    return TENUO_E_SRL_INVALID;
}

static int http_fetch(void *self, int unchanged_ok, const uint8_t **ret_list, size_t *ret_len, int64_t *ret_fetched_at)
{
    struct http *h = self;
    struct tn_web_answer a = { 0 };
    uint64_t now = tn_web_clock_ms();
    int64_t asked = h->host->now(); /* before the answer: a slow one is no younger for it */
    bool conditional = unchanged_ok != 0 && h->known && h->etag[0] != '\0';
    int r;
    if (now < h->wait_until) {
        h->host->error(h->host, "%s: the server asked to be left alone for %llu s more", tn_web_server(h->web),
                       (unsigned long long)((h->wait_until - now + 999) / 1000));
        return TENUO_E_UNAVAILABLE;
    }
    r = get(h, conditional, &a);
    if (r == TENUO_OK)
        r = judge(h, conditional, unchanged_ok != 0, &a, ret_list, ret_len);
    if (r != TENUO_OK && a.retry_after > 0)
        h->wait_until = tn_web_clock_ms() + (uint64_t)a.retry_after * 1000;
    tn_web_forget(&a);
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
