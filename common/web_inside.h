/* SPDX-License-Identifier: Apache-2.0 */
/* What the files of web.h share. No plugin includes this. */
#ifndef TN_WEB_INSIDE_H
#define TN_WEB_INSIDE_H

#include <curl/curl.h>
#include <pthread.h>

#include "web.h"

#define TN_WEB_MARGIN_MS 100 /* for what comes after a transfer */

struct tn_web {
    const struct tenuo_host *host;
    char *url, *ca, *cert; /* ca and cert may be NULL */
    struct tn_secret_source key;
    char agent[32];
    char server[128];
    uint32_t connect_ms;
    const char *origin; /* "url=" */
    bool tls, cleanse, no_cert;
    const char *(*meaning)(long status);

    pthread_mutex_t lock; /* what follows */
    pthread_cond_t freed;
    CURL *handle[TN_WEB_CONNECTIONS]; /* NULL: not made yet */
    bool busy[TN_WEB_CONNECTIONS];
    /* Breaker. */
    unsigned failures; /* in a row */
    bool probing;
    uint64_t closed_until; /* tn_web_clock_ms: nobody is asked before */
    char last[TN_WEB_WHY]; /* sentence of the last failure */
};

/* A handle for one transfer; NULL with *ret_code and a sentence. */
CURL *tn_web_take(struct tn_web *w, int *ret_code, char why[TN_WEB_WHY]);
void tn_web_give(struct tn_web *w, CURL *handle);
/* What libcurl's failure means, in one sentence that names the server and what to do. libcurl's own detail names hosts
 * and certificates, never a header. */
enum tn_web_fate tn_web_explain(const struct tn_web *w, CURL *handle, CURLcode code, const char *detail,
                                char why[TN_WEB_WHY]);

#endif
