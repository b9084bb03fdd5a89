/* SPDX-License-Identifier: Apache-2.0 */
/* Sentences for transfers that failed: which server, what happened, what to look at. */
#include "web_inside.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

static const char *refused(CURL *handle)
{
    long number = 0;
    curl_easy_getinfo(handle, CURLINFO_OS_ERRNO, &number);
    if (number == ECONNREFUSED)
        return "the connection was refused: is the server running, and does it listen on that port?";
    return "no connection to it: look at url=, the network and the firewall";
}

static bool is_connected(CURL *handle)
{
    curl_off_t at = 0;
    return curl_easy_getinfo(handle, CURLINFO_PRETRANSFER_TIME_T, &at) == CURLE_OK && at > 0;
}

/* The certificate's chain, or its name? libcurl has one code for both. */
static const char *mistrusted(CURL *handle, const char *detail)
{
    long chain = 0;
    /* First: the chain counts as not verified as long as the name was not accepted. */
    if (strstr(detail, "does not match") != NULL || strstr(detail, "matches") != NULL)
        return "its certificate is for another name: use a name of the certificate in url=, or issue one for this name";
    curl_easy_getinfo(handle, CURLINFO_SSL_VERIFYRESULT, &chain);
    if (chain != 0)
        return "its certificate is of no authority that this line trusts, or out of date: look at ca= and at the "
               "server's certificate";
    return "its certificate was not accepted: look at ca= and at the name in url=";
}

static const char *timed_out(CURL *handle)
{
    return is_connected(handle) ? "it did not answer in time: look at its load, or raise timeout= of this line"
                                : "no connection in time: look at url=, the network and connect_timeout=";
}

struct meaning {
    enum tn_web_fate fate;
    const char *text;
};

static struct meaning meaning_of(CURL *handle, CURLcode code, const char *detail)
{
    /* libcurl has some hundred codes; those that an administrator meets have a sentence. */
    if (code == CURLE_COULDNT_RESOLVE_HOST)
        return (struct meaning){ TN_WEB_UNREACHED, "its name cannot be resolved: look at url= and at the DNS" };
    if (code == CURLE_COULDNT_CONNECT)
        return (struct meaning){ TN_WEB_UNREACHED, refused(handle) };
    if (code == CURLE_OPERATION_TIMEDOUT)
        return (struct meaning){ is_connected(handle) ? TN_WEB_BROKEN : TN_WEB_UNREACHED, timed_out(handle) };
    if (code == CURLE_PEER_FAILED_VERIFICATION)
        return (struct meaning){ TN_WEB_MISTRUSTED, mistrusted(handle, detail) };
    if (code == CURLE_SSL_CACERT_BADFILE)
        return (struct meaning){ TN_WEB_MISTRUSTED, "the file of ca= holds no usable certificate" };
    if (code == CURLE_SSL_CERTPROBLEM)
        return (struct meaning){ TN_WEB_MISTRUSTED, "the client certificate or its key cannot be used: do cert= and "
                                                    "the key belong together?" };
    if (code == CURLE_SSL_CONNECT_ERROR)
        return (struct meaning){ TN_WEB_MISTRUSTED, "TLS failed: is it a TLS server of version 1.2 or later, and does "
                                                    "it want a client certificate (cert=)?" };
    if (code == CURLE_GOT_NOTHING || code == CURLE_RECV_ERROR || code == CURLE_SEND_ERROR || code == CURLE_PARTIAL_FILE)
        return (struct meaning){ TN_WEB_BROKEN, "the connection broke before the answer was whole: look at the "
                                                "server's log, and whether it wants a client certificate (cert=)" };
    if (code == CURLE_UNSUPPORTED_PROTOCOL || code == CURLE_WEIRD_SERVER_REPLY)
        return (struct meaning){ TN_WEB_BROKEN, "it speaks something else than HTTP: look at the port in url=" };
    return (struct meaning){ TN_WEB_BROKEN, "the transfer failed" };
}

/* The sentences name arguments; this line may have another one for the URL, and none for a client certificate. */
static void put_sentence(const struct tn_web *w, const char *text, char *ret, size_t size)
{
    static const char url[] = "url=", cert[] = " (cert=)";
    size_t n = 0;
    ret[0] = '\0';
    while (*text != '\0' && n + 1 < size) {
        bool is_url = strncmp(text, url, sizeof url - 1) == 0, is_cert = strncmp(text, cert, sizeof cert - 1) == 0;
        if (is_url)
            n += (size_t)snprintf(ret + n, size - n, "%s", w->origin);
        else if (!is_cert || !w->no_cert)
            ret[n++] = *text;
        text += is_url ? sizeof url - 1 : is_cert && w->no_cert ? sizeof cert - 1 : 1;
    }
    ret[n < size ? n : size - 1] = '\0';
}

enum tn_web_fate tn_web_explain(const struct tn_web *w, CURL *handle, CURLcode code, const char *detail,
                                char why[TN_WEB_WHY])
{
    struct meaning m = meaning_of(handle, code, detail);
    char sentence[256];
    const char *more = detail[0] != '\0' ? detail : curl_easy_strerror(code);
    put_sentence(w, m.text, sentence, sizeof sentence);
    snprintf(why, TN_WEB_WHY, "%s: %s (%.200s)", w->server, sentence, more);
    return m.fate;
}
