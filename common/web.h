/* SPDX-License-Identifier: Apache-2.0 */
/*
 * HTTP for plugins: one configured server, spoken to by several threads at once over connections that are kept. TLS to
 * every server but one on this machine; no redirects, no proxy and nothing else of the environment; every answer and
 * every wait is bounded. Never shows a header or a body. Plugins compile in what they use: web*.c, secret_source.c.
 *
 * What a secret leaves behind: an answer that is asked for as secret goes to guarded memory, libcurl's receive buffer
 * is overwritten as soon as its bytes are taken, and OpenSSL forgets the plaintext (SSL_OP_CLEANSE_PLAINTEXT). A secret
 * body goes out through a buffer that is overwritten with it. Headers, a token among them, pass through memory of
 * libcurl that it frees without wiping. curl_global_init_mem could wipe it, and is not ours to call: allocators belong
 * to the whole process, which may use libcurl itself and have started it.
 */
#ifndef TN_WEB_H
#define TN_WEB_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <tenuo/plugin.h>

#include "secret_source.h"

#define TN_WEB_WHY 640        /* bytes of a sentence */
#define TN_WEB_HEADER_MAX 256 /* bytes of an answer's header that is kept */
#define TN_WEB_SECRET_MOST 65536
#define TN_WEB_CONNECTIONS 8 /* more calls than this wait for each other */

struct tn_web;

enum tn_web_method { TN_WEB_GET, TN_WEB_POST, TN_WEB_PUT, TN_WEB_PATCH, TN_WEB_DELETE, TN_WEB_LIST };

/* Lent for the time of tn_web_open; `key` is taken over on success. */
struct tn_web_options {
    const struct tenuo_host *host;
    const char *url;     /* the server, perhaps with a path that goes before every other */
    const char *ca;      /* PEM file of authorities, or NULL for the system's */
    const char *cert;    /* PEM file of a client certificate, or NULL */
    uint32_t connect_ms; /* 0: two seconds */
    const char *agent;   /* "tenuo_vault" */
    bool with_query;     /* the URL is whole: it may have a query, and no path is ever added */
    const char *secrets; /* the arguments that carry secrets, for the sentence about passwords in the URL */
    const char *origin;  /* what says the URL, for sentences: "endpoint=" or a variable; a constant. NULL: "url=" */
    bool no_cert;        /* the line has no cert= that a sentence could name */
    bool seeds;          /* comes with answers that hold seeds: opening warns when TLS does not wipe them */
    /* What an answer of 429 or 5xx means for the one who has to mend it, or NULL; goes behind "it answered 503". */
    const char *(*meaning)(long status);
    /* A cloud's metadata service: this machine or one of its link-local addresses, and nothing else, by http or https.
     * Nothing on the way to these could have a certificate. */
    bool metadata;
};

/* Opens nothing on the network. TENUO_E_CONF with a sentence in `why`. The key's source belongs to the server then. */
int tn_web_open(const struct tn_web_options *o, struct tn_secret_source *key, struct tn_web **ret,
                char why[TN_WEB_WHY]);
void tn_web_close(struct tn_web *w);
/* The same judgement of url= and connect_timeout= alone, for `check`. */
int tn_web_check_url(const struct tn_web_options *o, char why[TN_WEB_WHY]);
/* A file that decides whom to trust, or that is shown to the server: nobody else may have written it. NULL is fine. */
int tn_web_check_file(const char *option, const char *path, char why[TN_WEB_WHY]);
/* connect_timeout= of a line: 1ms to 1h, else TENUO_E_CONF. */
int tn_web_connect_ms(const struct tenuo_arg *arg, uint32_t *ret_ms, char why[TN_WEB_WHY]);
uint64_t tn_web_clock_ms(void); /* CLOCK_MONOTONIC */
/* "host:port", for sentences. */
const char *tn_web_server(const struct tn_web *w);

struct tn_web_header {
    const char *name, *value; /* the value may be a secret */
};

/* Signs as AWS wants it: CURLOPT_AWS_SIGV4. A secret body is followed by as many blanks as it is long: what is signed
 * must have a length, and the blanks overwrite the buffer that the secret went through. JSON does not mind them. */
struct tn_web_sigv4 {
    const char *provider; /* "aws:amz:REGION:SERVICE" */
    const char *user, *secret;
};

struct tn_web_answer;

struct tn_web_request {
    enum tn_web_method method;
    const char *path; /* "/v1/...", escaped by the caller (tn_web_escape); NULL: the URL as it is */
    const struct tn_web_header *headers;
    size_t nheaders;
    const void *body; /* NULL: none */
    size_t body_len;
    bool secret_body;
    bool secret_answer; /* guarded memory */
    bool once;          /* must not be sent again when it may have arrived */
    size_t most;        /* bytes of the longest answer; 0: TN_WEB_SECRET_MOST */
    const struct tn_web_sigv4 *sigv4;
    const char *keep_header; /* name of a header of the answer to keep, or NULL */
    /* tn_web_ask: an answer that is like a 429 (nothing was done) although its status is another one; or NULL. */
    bool (*is_throttled)(const struct tn_web_answer *answer);
    /* web_retry.c: is this answer of 429 or 5xx final, although it looks like trouble? NULL: none is. */
    bool (*settled)(const struct tn_web_answer *a);
};

enum tn_web_fate {
    TN_WEB_ANSWERED,   /* whole, with any status */
    TN_WEB_UNTRIED,    /* nothing was sent, and asking again at once is no use: files, memory, no time, breaker */
    TN_WEB_UNREACHED,  /* no connection: nothing was sent */
    TN_WEB_MISTRUSTED, /* a connection, and TLS found the wrong one at its end */
    TN_WEB_BROKEN,     /* sent, perhaps, and no whole answer came */
    TN_WEB_TOO_LONG    /* the answer is longer than `most` */
};

struct tn_web_answer {
    enum tn_web_fate fate;
    long status;
    uint8_t *body; /* NUL behind it; NULL when there is none */
    size_t len;
    bool secret;
    long retry_after; /* seconds, 0: not said */
    char header[TN_WEB_HEADER_MAX + 1];
    char why[TN_WEB_WHY]; /* the sentence for a failure; it names the server */
};

/*
 * One transfer, within host->deadline(). TENUO_OK with any status, else a code of the resolver's with the sentence in
 * ret->why. *ret is filled either way; end it with tn_web_forget.
 */
int tn_web_call(struct tn_web *w, const struct tn_web_request *q, struct tn_web_answer *ret);
void tn_web_forget(struct tn_web_answer *a);

/*
 * web_retry.c: the same with patience. A request that reached nobody, or met 429 or 5xx, is sent again after a random
 * time that grows (or as long as the server asks), while the deadline lets it. After several failures in a row nobody
 * is asked for a second; then one call tries. An answer of 429 or 5xx that stays is TENUO_E_UNAVAILABLE here.
 */
int tn_web_ask(struct tn_web *w, const struct tn_web_request *q, struct tn_web_answer *ret);

/* Percent-encodes all but [A-Za-z0-9._~-], and '/' when told so; false when it does not fit. */
bool tn_web_escape(const char *text, bool keep_slash, char *ret, size_t size);

#endif
