/* SPDX-License-Identifier: Apache-2.0 */
/* The inside of the http plugin: one configured server, one transfer at a time, and the form of its answer. */
#ifndef TN_HTTP_H
#define TN_HTTP_H

#include <curl/curl.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <tenuo/plugin.h>

#define HTTP_ETAG_MAX 256
/* The list as base64 within JSON, and some room for what stands around it. */
#define HTTP_BODY_MAX ((size_t)TENUO_REVOCATION_LIST_MAX / 3 * 4 + 65536)

/* One open line. */
struct http {
    const struct tenuo_host *host;
    CURL *curl;
    char *url, *ca, *cert, *key, *token_file; /* all but url may be NULL; paths are absolute */
    uint32_t connect_ms;
    char server[128];             /* host and port, for messages */
    char etag[HTTP_ETAG_MAX + 1]; /* of the list that was handed over last; "" when the server gave none */
    uint8_t digest[32];           /* of that list's bytes */
    bool known;                   /* the two above hold */
    uint64_t wait_until;          /* CLOCK_MONOTONIC milliseconds: the server asked not to come before */
};

/* One answer of the server. */
struct http_answer {
    uint8_t *body;
    size_t len, cap;
    bool too_long, out_of_memory;
    char etag[HTTP_ETAG_MAX + 1];
    long status;
    long retry_after; /* seconds, 0: not said */
};

/* transfer.c: a handle that may speak to this server alone, or NULL when memory is out. */
CURL *http_new_handle(const struct http *h);
/* One GET. 0 with any status, else a code with its sentence said; ret_answer is filled either way, with a body on
 * success alone, which the caller frees. `conditional`: only if the server's tag is another one than h->etag. */
int http_get(struct http *h, bool conditional, struct http_answer *ret_answer);
/* Whether the file of a secret, NULL for none, can be read and nobody else reads it; with a sentence. */
int http_try_secret(const struct http *h, const char *path);

/* body.c: takes a list out of its JSON form {"srl": base64, "version": number}; raw lists stay as they are. *body is
 * malloc'ed and is replaced. On failure *ret_why is a phrase. */
bool http_unwrap(uint8_t **body, size_t *len, const char **ret_why);

#endif
