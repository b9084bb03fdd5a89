/* SPDX-License-Identifier: Apache-2.0 */
/* A configured server: what its URL may be, its files, and the handles whose connections are kept. */
#include "web_inside.h"

#include <arpa/inet.h>
#include <errno.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "../core/trust.h"

#define CONNECT_MS 2000
#define LONGEST_CONNECT_MS 3600000

uint64_t tn_web_clock_ms(void)
{
    struct timespec ts = { 0 };
    clock_gettime(CLOCK_MONOTONIC, &ts);
    return (uint64_t)ts.tv_sec * 1000 + (uint64_t)ts.tv_nsec / 1000000;
}

static int refuse(char why[TN_WEB_WHY], const char *sentence)
{
    snprintf(why, TN_WEB_WHY, "%s", sentence);
    return TENUO_E_CONF;
}

static const char *origin_of(const struct tn_web_options *o)
{
    return o->origin != NULL ? o->origin : "url=";
}

static int refuse_url(const struct tn_web_options *o, char why[TN_WEB_WHY], const char *sentence)
{
    const char *origin = origin_of(o);
    snprintf(why, TN_WEB_WHY, "%.*s: %s", (int)strcspn(origin, "="), origin, sentence);
    return TENUO_E_CONF;
}

static int no_memory(char why[TN_WEB_WHY])
{
    snprintf(why, TN_WEB_WHY, "out of memory");
    return TENUO_E_NOMEM;
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

/* The services of Amazon: instance, container, EKS pod. */
static bool is_metadata(const char *host)
{
    return is_loopback(host) || strcmp(host, "169.254.169.254") == 0 || strcmp(host, "169.254.170.2") == 0 ||
           strcmp(host, "169.254.170.23") == 0;
}

static bool has_part(CURLU *u, CURLUPart part)
{
    char *text = NULL;
    bool there = curl_url_get(u, part, &text, 0) == CURLUE_OK;
    curl_free(text);
    return there;
}

/* What of a URL is judged, and kept. */
struct parts {
    char *scheme, *host, *port, *url;
};

static void free_parts(struct parts *p)
{
    curl_free(p->scheme);
    curl_free(p->host);
    curl_free(p->port);
    curl_free(p->url);
}

static int judge_parts(const struct tn_web_options *o, CURLU *u, const struct parts *p, char why[TN_WEB_WHY])
{
    if (strcmp(p->scheme, "https") != 0 && strcmp(p->scheme, "http") != 0)
        return refuse_url(o, why, "only https is spoken, and http to this machine");
    if (o->metadata && !is_metadata(p->host))
        return refuse_url(o, why, "a metadata service is on this machine, 169.254.169.254, 169.254.170.2 or "
                                  "169.254.170.23, and nowhere else");
    if (p->scheme[4] == '\0' && !o->metadata && !is_loopback(p->host))
        return refuse_url(o, why, "http is for a server on this machine (127.0.0.1, [::1], localhost): use https");
    if (has_part(u, CURLUPART_USER) || has_part(u, CURLUPART_PASSWORD) || has_part(u, CURLUPART_FRAGMENT)) {
        char sentence[160];
        snprintf(sentence, sizeof sentence, "a name, a password or a fragment has no place in it: use %s", o->secrets);
        return refuse_url(o, why, sentence);
    }
    if (!o->with_query && has_part(u, CURLUPART_QUERY))
        return refuse_url(o, why, "a query has no place in it: give the address of the server alone");
    return TENUO_OK;
}

static int read_url(const struct tn_web_options *o, struct parts *p, char why[TN_WEB_WHY])
{
    CURLU *u = curl_url();
    int r;
    if (u == NULL)
        return no_memory(why);
    if (curl_url_set(u, CURLUPART_URL, o->url, 0) != CURLUE_OK ||
        curl_url_get(u, CURLUPART_SCHEME, &p->scheme, 0) != CURLUE_OK ||
        curl_url_get(u, CURLUPART_HOST, &p->host, 0) != CURLUE_OK ||
        curl_url_get(u, CURLUPART_PORT, &p->port, CURLU_DEFAULT_PORT) != CURLUE_OK ||
        curl_url_get(u, CURLUPART_URL, &p->url, 0) != CURLUE_OK)
        r = refuse_url(o, why, "not a URL that can be asked: https://HOST[:PORT]/PATH");
    else
        r = judge_parts(o, u, p, why);
    curl_url_cleanup(u);
    return r;
}

int tn_web_check_url(const struct tn_web_options *o, char why[TN_WEB_WHY])
{
    struct parts p = { 0 };
    int r = read_url(o, &p, why);
    free_parts(&p);
    return r;
}

/* A file that is away or untrusted is this line's misfortune alone: it may come back, and other lines go on. */
int tn_web_check_file(const char *option, const char *path, char why[TN_WEB_WHY])
{
    struct tenuo_error err;
    int fd = -1, r = path == NULL ? TENUO_OK : tn_trust_open(path, TN_TRUST_FILE, TENUO_E_KEY_DENIED, &fd, &err);
    if (r != TENUO_OK) {
        snprintf(why, TN_WEB_WHY, "%s=: %s", option, err.msg);
        return r == TENUO_E_SYSTEM ? TENUO_E_UNAVAILABLE : r;
    }
    if (fd >= 0)
        close(fd);
    return TENUO_OK;
}

int tn_web_connect_ms(const struct tenuo_arg *arg, uint32_t *ret_ms, char why[TN_WEB_WHY])
{
    if (arg->value == NULL) {
        *ret_ms = CONNECT_MS;
        return TENUO_OK;
    }
    if (arg->number < 1 || arg->number > LONGEST_CONNECT_MS)
        return refuse(why, "connect_timeout wants a duration from 1ms to 1h");
    *ret_ms = (uint32_t)arg->number;
    return TENUO_OK;
}

static int set_url(struct tn_web *w, const struct tn_web_options *o, char why[TN_WEB_WHY])
{
    struct parts p = { 0 };
    int r = read_url(o, &p, why);
    if (r == TENUO_OK) {
        size_t n = strlen(p.url);
        if (!o->with_query && n > 0 && p.url[n - 1] == '/')
            p.url[n - 1] = '\0'; /* a path follows */
        w->tls = p.scheme[4] != '\0';
        snprintf(w->server, sizeof w->server, "%s:%s", p.host, p.port);
        w->url = strdup(p.url);
        r = w->url != NULL ? TENUO_OK : no_memory(why);
    }
    free_parts(&p);
    return r;
}

static int set_file(char **ret, const char *option, const char *path, char why[TN_WEB_WHY])
{
    int r = tn_web_check_file(option, path, why);
    if (r != TENUO_OK || path == NULL)
        return r;
    *ret = strdup(path);
    return *ret != NULL ? TENUO_OK : no_memory(why);
}

static bool init_lock(struct tn_web *w)
{
    pthread_condattr_t attr;
    if (pthread_condattr_init(&attr) != 0)
        return false;
    bool good = pthread_condattr_setclock(&attr, CLOCK_MONOTONIC) == 0 && pthread_cond_init(&w->freed, &attr) == 0;
    pthread_condattr_destroy(&attr);
    if (good && pthread_mutex_init(&w->lock, NULL) == 0)
        return true;
    if (good)
        pthread_cond_destroy(&w->freed);
    return false;
}

/* Which library does TLS is known at run time only: the option that wipes is OpenSSL's. */
static bool can_cleanse(const struct tn_web *w)
{
#ifdef TN_WITH_OPENSSL
    const curl_version_info_data *v = curl_version_info(CURLVERSION_NOW);
    return w->tls && v != NULL && v->ssl_version != NULL && strncmp(v->ssl_version, "OpenSSL/", 8) == 0;
#else
    (void)w;
    return false;
#endif
}

static void warn_of_plaintext(const struct tn_web *w)
{
    const curl_version_info_data *v = curl_version_info(CURLVERSION_NOW);
    const char *library = v != NULL && v->ssl_version != NULL ? v->ssl_version : "an unknown library";
    w->host->log(w->host, TENUO_LOG_WARNING,
                 "%s: libcurl does TLS with %s here, which does not wipe what it has decrypted: seeds may stay in "
                 "memory; use a libcurl on OpenSSL, or an engine that signs itself",
                 w->server, library);
}

int tn_web_open(const struct tn_web_options *o, struct tn_secret_source *key, struct tn_web **ret, char why[TN_WEB_WHY])
{
    struct tn_web *w = NULL;
    int r;
    if (sodium_init() < 0 || curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK) {
        snprintf(why, TN_WEB_WHY, "libcurl or libsodium cannot start");
        return TENUO_E_SYSTEM;
    }
    w = calloc(1, sizeof *w);
    if (w == NULL || !init_lock(w)) {
        free(w);
        return no_memory(why);
    }
    w->host = o->host;
    w->connect_ms = o->connect_ms != 0 ? o->connect_ms : CONNECT_MS;
    w->meaning = o->meaning;
    w->origin = origin_of(o);
    w->no_cert = o->no_cert;
    snprintf(w->agent, sizeof w->agent, "%s", o->agent);
    r = set_url(w, o, why);
    if (r == TENUO_OK)
        r = set_file(&w->ca, "ca", o->ca, why);
    if (r == TENUO_OK)
        r = set_file(&w->cert, "cert", o->cert, why);
    if (r != TENUO_OK) {
        tn_web_close(w);
        return r;
    }
    w->cleanse = can_cleanse(w);
    if (o->seeds && w->tls && !w->cleanse)
        warn_of_plaintext(w);
    if (key != NULL) {
        w->key = *key;
        *key = (struct tn_secret_source){ 0 };
    }
    *ret = w;
    return TENUO_OK;
}

void tn_web_close(struct tn_web *w)
{
    if (w == NULL)
        return;
    for (size_t i = 0; i < TN_WEB_CONNECTIONS; i++)
        curl_easy_cleanup(w->handle[i]);
    pthread_cond_destroy(&w->freed);
    pthread_mutex_destroy(&w->lock);
    tn_secret_clear(&w->key);
    free(w->url);
    free(w->ca);
    free(w->cert);
    free(w);
}

const char *tn_web_server(const struct tn_web *w)
{
    return w->server;
}

/* With the lock held. A handle that was used before is preferred: its connection may still stand. */
static CURL *find_idle(struct tn_web *w)
{
    for (size_t i = 0; i < TN_WEB_CONNECTIONS; i++) {
        if (w->busy[i])
            continue;
        if (w->handle[i] == NULL)
            w->handle[i] = curl_easy_init();
        w->busy[i] = w->handle[i] != NULL;
        return w->handle[i];
    }
    return NULL;
}

static bool all_busy(const struct tn_web *w)
{
    for (size_t i = 0; i < TN_WEB_CONNECTIONS; i++)
        if (!w->busy[i])
            return false;
    return true;
}

/* Waits with the lock held for another call to end; false when this call's time is over before. */
static bool wait_idle(struct tn_web *w)
{
    uint64_t ends = tn_web_clock_ms() + w->host->deadline(w->host);
    struct timespec until = { .tv_sec = (time_t)(ends / 1000), .tv_nsec = (long)(ends % 1000) * 1000000 };
    while (all_busy(w))
        if (pthread_cond_timedwait(&w->freed, &w->lock, &until) == ETIMEDOUT)
            return !all_busy(w);
    return true;
}

CURL *tn_web_take(struct tn_web *w, int *ret_code, char why[TN_WEB_WHY])
{
    CURL *handle = NULL;
    pthread_mutex_lock(&w->lock);
    if (wait_idle(w)) {
        handle = find_idle(w);
        if (handle == NULL)
            *ret_code = no_memory(why);
    } else {
        *ret_code = TENUO_E_UNAVAILABLE;
        snprintf(why, TN_WEB_WHY, "%s: %d calls wait for it already, and no time is left", w->server,
                 TN_WEB_CONNECTIONS);
    }
    pthread_mutex_unlock(&w->lock);
    return handle;
}

void tn_web_give(struct tn_web *w, CURL *handle)
{
    curl_easy_reset(handle); /* forgets keys and headers, keeps the connection */
    pthread_mutex_lock(&w->lock);
    for (size_t i = 0; i < TN_WEB_CONNECTIONS; i++)
        if (w->handle[i] == handle)
            w->busy[i] = false;
    pthread_cond_signal(&w->freed);
    pthread_mutex_unlock(&w->lock);
}
