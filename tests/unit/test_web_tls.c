/* SPDX-License-Identifier: Apache-2.0 */
/* common/web.c on a libcurl that is built on another TLS library (linked with --wrap): what is not wiped is said. */
#include <curl/curl.h>
#include <string.h>

#include "../../common/web.h"
#include "mock_host.h"
#include "tap.h"

curl_version_info_data *__wrap_curl_version_info(CURLversion age);

static char logged[512];
static const char *tls_library;

curl_version_info_data *__wrap_curl_version_info(CURLversion age)
{
    static curl_version_info_data info;
    info.age = age;
    info.ssl_version = tls_library;
    return &info;
}

TENUO_PRINTF(3, 4) static void keep_log(const struct tenuo_host *host, int level, const char *fmt, ...)
{
    va_list ap;
    (void)host;
    va_start(ap, fmt);
    if (level == TENUO_LOG_WARNING)
        vsnprintf(logged, sizeof logged, fmt, ap);
    va_end(ap);
}

/* The warning of a line, or "". */
static const char *opened(const char *library, const char *url, bool seeds)
{
    struct tenuo_host host = mock_host;
    struct tn_web_options o = { .host = &host, .url = url, .agent = "test", .secrets = "nothing", .seeds = seeds };
    struct tn_web *w = NULL;
    char why[TN_WEB_WHY] = "";
    host.log = keep_log;
    logged[0] = '\0';
    tls_library = library;
    is_int(tn_web_open(&o, NULL, &w, why), TENUO_OK, "%s opens: %s", url, why);
    tn_web_close(w);
    return logged;
}

int main(void)
{
    const char *said = opened("GnuTLS/3.7.9", "https://127.0.0.1:1", true);
    ok(strstr(said, "GnuTLS/3.7.9") != NULL && strstr(said, "does not wipe") != NULL, "says so: %s", said);
    is_str(opened("GnuTLS/3.7.9", "https://127.0.0.1:1", false), "", "nothing where no seed comes");
    is_str(opened("GnuTLS/3.7.9", "http://127.0.0.1:1", true), "", "nor without TLS");
    said = opened(NULL, "https://127.0.0.1:1", true);
    ok(said[0] != '\0', "a library without a name: %s", said);
#ifdef TN_WITH_OPENSSL
    is_str(opened("OpenSSL/3.0.17", "https://127.0.0.1:1", true), "", "nothing with OpenSSL");
#endif
    return done_testing();
}
