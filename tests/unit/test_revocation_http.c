/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The plugin http against a real web server on loopback, one that behaves and one that does not: bytes arrive whole or
 * not at all, in time or not at all. Arguments: the folder of plugins, tests/revocation/server.py.
 */
#include <time.h>

#include "../revocation/server.h"
#include "mock_host.h"
#include "stage.h"
#include "tap.h"

static const struct tenuo_revocation_ops *ops;
static struct tenuo_host host;
static uint32_t deadline_ms = 5000;
static const char *script;
static char list_path[128], log_path[128];

static uint32_t deadline(const struct tenuo_host *h)
{
    (void)h;
    return deadline_ms;
}

enum { URL, CA, CERT, KEY, TOKEN, CONNECT, COUNT };

static int open_with(const char *const values[COUNT], uint64_t connect_ms, void **ret)
{
    static const char *const names[COUNT] = { "url", "ca", "cert", "key", "token_file", "connect_timeout" };
    struct tenuo_arg args[COUNT];
    for (int i = 0; i < COUNT; i++)
        args[i] = (struct tenuo_arg){ names[i], values[i], i == CONNECT ? connect_ms : 0 };
    mock_said[0] = '\0';
    return ops->open(&host, args, COUNT, ret);
}

static void *opened(const struct server *s, const char *path)
{
    char url[128];
    const char *values[COUNT] = { url };
    void *self = NULL;
    snprintf(url, sizeof url, "http://127.0.0.1:%d/%s", s->port, path);
    if (open_with(values, 0, &self) != TENUO_OK) {
        printf("Bail out! %s: %s\n", url, mock_said);
        exit(1);
    }
    return self;
}

struct got {
    int code;
    uint8_t *bytes;
    size_t len;
    long ms;
};

static long now_ms(void)
{
    struct timespec ts;
    clock_gettime(CLOCK_MONOTONIC, &ts);
    return (long)ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

static struct got fetch(void *self, int unchanged_ok)
{
    const uint8_t *list = (const uint8_t *)"untouched";
    size_t len = 77;
    int64_t at = -1;
    struct got g = { 0 };
    long began = now_ms();
    mock_said[0] = '\0';
    g.code = ops->fetch(self, unchanged_ok, &list, &len, &at);
    g.ms = now_ms() - began;
    if (g.code != TENUO_OK) {
        ok(len == 77 && at == -1, "outputs are untouched (%d: %s)", g.code, mock_said);
        return g;
    }
    g.len = len;
    if (list != NULL) {
        g.bytes = malloc(len + 1);
        memcpy(g.bytes, list, len);
        ops->release(self, list, len);
    }
    return g;
}

static void put(const char *text)
{
    FILE *f = fopen(list_path, "we");
    fputs(text, f);
    fclose(f);
}

static void is_list(struct got g, const char *want, const char *what)
{
    ok(g.code == TENUO_OK && g.bytes != NULL && g.len == strlen(want) && memcmp(g.bytes, want, g.len) == 0,
       "%s (%d, %zu bytes: %s)", what, g.code, g.len, mock_said);
    free(g.bytes);
}

static void is_unchanged(struct got g, const char *what)
{
    ok(g.code == TENUO_OK && g.bytes == NULL && g.len == 0, "%s (%d: %s)", what, g.code, mock_said);
    free(g.bytes);
}

static const char *last_request(void)
{
    static char line[512];
    size_t len = 0;
    char *text = stage_read(log_path, &len);
    if (text == NULL)
        return "";
    if (len > 0)
        text[len - 1] = '\0';
    const char *nl = strrchr(text, '\n');
    snprintf(line, sizeof line, "%s", nl == NULL ? text : nl + 1);
    free(text);
    return line;
}

static int requests(void)
{
    size_t len = 0;
    int n = 0;
    char *text = stage_read(log_path, &len);
    for (size_t i = 0; i < len; i++)
        n += text[i] == '\n';
    free(text);
    return n;
}

static void check_good(const struct server *s)
{
    void *self = opened(s, "list");
    put("one");
    is_list(fetch(self, 1), "one", "an instance that was just opened hands over");
    ok(strstr(last_request(), "/list - -") != NULL, "an unconditional request: %s", last_request());
    is_unchanged(fetch(self, 1), "304: unchanged");
    ok(strstr(last_request(), "/list \"") != NULL, "by the entity tag: %s", last_request());
    is_list(fetch(self, 0), "one", "whole when the host wants it");
    put("two");
    is_list(fetch(self, 1), "two", "a change is seen");
    ops->close(self);
    self = opened(s, "untagged");
    is_list(fetch(self, 1), "two", "a server without tags");
    is_unchanged(fetch(self, 1), "the same bytes are unchanged");
    ops->close(self);
    self = opened(s, "longtag");
    is_list(fetch(self, 1), "two", "a tag that is too long");
    is_unchanged(fetch(self, 1), "is not used");
    ok(strstr(last_request(), "/longtag - -") != NULL, "nor sent: %s", last_request());
    ops->close(self);
    self = opened(s, "json");
    is_list(fetch(self, 1), "two", "JSON of a control plane");
    is_unchanged(fetch(self, 1), "unchanged there too");
    ops->close(self);
}

static void is_refused(const struct server *s, const char *path, int code, const char *sentence)
{
    void *self = opened(s, path);
    struct got g = fetch(self, 1);
    is_int(g.code, code, "%s", path);
    ok(strstr(mock_said, sentence) != NULL, "%s: says '%s': %s", path, sentence, mock_said);
    ok(strstr(mock_said, "127.0.0.1:") != NULL, "%s: and which server", path);
    free(g.bytes);
    ops->close(self);
}

static void check_bad(const struct server *s)
{
    is_refused(s, "error", TENUO_E_UNAVAILABLE, "500");
    is_refused(s, "nowhere", TENUO_E_UNAVAILABLE, "there is no list at that address");
    is_refused(s, "denied", TENUO_E_UNAVAILABLE, "token_file=");
    is_refused(s, "redirect", TENUO_E_UNAVAILABLE, "redirects");
    is_refused(s, "unasked304", TENUO_E_UNAVAILABLE, "304, although it was not asked");
    is_refused(s, "empty", TENUO_E_SRL_INVALID, "the answer is empty");
    is_refused(s, "dies", TENUO_E_UNAVAILABLE, "");
    is_refused(s, "garbage", TENUO_E_UNAVAILABLE, "");
    is_refused(s, "big", TENUO_E_SRL_INVALID, "longer than a revocation list");
    is_refused(s, "endless", TENUO_E_SRL_INVALID, "longer than a revocation list");
    is_refused(s, "halfjson", TENUO_E_SRL_INVALID, "JSON");
    is_refused(s, "otherjson", TENUO_E_SRL_INVALID, "\"srl\"");
    is_refused(s, "notbase64", TENUO_E_SRL_INVALID, "base64");
    is_refused(s, "bomb", TENUO_E_SRL_INVALID, "members");
    is_refused(s, "nested", TENUO_E_SRL_INVALID, "members");
    void *self = opened(s, "zip");
    struct got g = fetch(self, 1);
    ok(g.code == TENUO_OK && g.len == 2 + strlen("two"), "a compressed answer is not taken apart");
    free(g.bytes);
    ops->close(self);
}

static void check_slow(const struct server *s)
{
    static const char *const paths[] = { "drip", "late" };
    deadline_ms = 600;
    for (size_t i = 0; i < 2; i++) {
        void *self = opened(s, paths[i]);
        put("a list that takes its time to arrive");
        struct got g = fetch(self, 1);
        is_int(g.code, TENUO_E_UNAVAILABLE, "%s: given up", paths[i]);
        ok(g.ms >= 400 && g.ms <= 600, "%s: in time (%ld ms)", paths[i], g.ms);
        ops->close(self);
    }
    deadline_ms = 50;
    void *self = opened(s, "list");
    is_int(fetch(self, 1).code, TENUO_E_UNAVAILABLE, "no time, no request");
    deadline_ms = 5000;
    is_list(fetch(self, 1), "a list that takes its time to arrive", "works again");
    ops->close(self);
}

static void check_retry_after(const struct server *s)
{
    void *self = opened(s, "busy");
    is_int(fetch(self, 1).code, TENUO_E_UNAVAILABLE, "503");
    int asked = requests();
    struct got g = fetch(self, 1);
    is_int(g.code, TENUO_E_UNAVAILABLE, "again at once");
    ok(strstr(mock_said, "left alone") != NULL, "says why: %s", mock_said);
    is_int(requests(), asked, "without asking the server");
    usleep(2100000);
    is_int(fetch(self, 1).code, TENUO_E_UNAVAILABLE, "after that time");
    is_int(requests(), asked + 1, "it is asked");
    ops->close(self);
}

static void check_dead(void)
{
    struct server s = server_start(script, list_path, log_path, NULL);
    void *self = opened(&s, "list");
    put("alive");
    is_list(fetch(self, 1), "alive", "alive");
    server_stop(&s);
    is_int(fetch(self, 1).code, TENUO_E_UNAVAILABLE, "the server died: %s", mock_said);
    is_int(fetch(self, 0).code, TENUO_E_UNAVAILABLE, "and stays so: %s", mock_said);
    ops->close(self);
}

static void token_is(const struct server *s, const char *text, mode_t mode, int code, const char *what)
{
    char url[128];
    const char *values[COUNT] = { [URL] = url, [TOKEN] = stage_write("token", text, strlen(text), mode) };
    void *self = NULL;
    snprintf(url, sizeof url, "http://127.0.0.1:%d/token", s->port);
    is_int(open_with(values, 0, &self), TENUO_OK, "%s: opens", what);
    struct got g = fetch(self, 1);
    is_int(g.code, code, "%s: %s", what, mock_said);
    ok(strstr(mock_said, "s3cret") == NULL, "%s: not in the sentence", what);
    free(g.bytes);
    ops->close(self);
}

static void check_token(const struct server *s)
{
    token_is(s, "s3cret\n", 0600, TENUO_OK, "the token");
    token_is(s, "other", 0600, TENUO_E_UNAVAILABLE, "another token");
    token_is(s, "s3cret", 0644, TENUO_E_KEY_DENIED, "a token that others can read");
    token_is(s, "s3cret\r\nX: y", 0600, TENUO_E_KEY_DENIED, "a token with a second header");
    token_is(s, "\n", 0600, TENUO_E_KEY_DENIED, "an empty token");
}

static void conf_is(const char *url, const char *cert, int code, const char *sentence)
{
    const char *values[COUNT] = { [URL] = url, [CERT] = cert };
    void *self = NULL;
    is_int(open_with(values, 0, &self), code, "%s", url);
    ok(strstr(mock_said, sentence) != NULL, "says '%s': %s", sentence, mock_said);
    if (self != NULL)
        ops->close(self);
}

static void check_conf(void)
{
    conf_is("https://lists.example/srl", NULL, TENUO_OK, "");
    conf_is("http://127.8.9.1/srl", NULL, TENUO_OK, "");
    conf_is("http://[::1]:80/srl", NULL, TENUO_OK, "");
    conf_is("http://localhost/srl", NULL, TENUO_OK, "");
    conf_is("http://lists.example/srl", NULL, TENUO_E_CONF, "use https");
    conf_is("http://128.0.0.1/srl", NULL, TENUO_E_CONF, "use https");
    conf_is("http://127.0.0.1.example/srl", NULL, TENUO_E_CONF, "use https");
    conf_is("http://127.0.0.1@lists.example/", NULL, TENUO_E_CONF, "use https");
    conf_is("https://me:pw@lists.example/", NULL, TENUO_E_CONF, "token_file=");
    conf_is("https://lists.example/#x", NULL, TENUO_E_CONF, "fragment");
    conf_is("ftp://127.0.0.1/srl", NULL, TENUO_E_CONF, "only https");
    conf_is("file://localhost/etc/passwd", NULL, TENUO_E_CONF, "");
    conf_is("https://lists.example/", "/nonexistent", TENUO_E_CONF, "cert and key belong together");
    const char *ca[COUNT] = { [URL] = "https://lists.example/", [CA] = stage_write("ca.open", "x", 1, 0666) };
    void *self = NULL;
    is_int(open_with(ca, 0, &self), TENUO_E_KEY_DENIED, "authorities that others may change: %s", mock_said);
}

/* One self-made authority; it signs the server's and the client's certificate. */
static bool make_certificates(void)
{
    char command[2048];
    snprintf(
        command, sizeof command,
        "cd %s && umask 077 && exec >/dev/null 2>&1 && "
        "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout ca.key -out ca.pem -days 2 "
        "-subj /CN=test-ca && for n in server client other; do "
        "openssl req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout $n.key -out $n.csr -subj /CN=$n && "
        "printf 'subjectAltName=IP:127.0.0.1' >$n.ext && "
        "openssl x509 -req -in $n.csr -CA ca.pem -CAkey ca.key -CAcreateserial -days 2 -extfile $n.ext -out $n.pem "
        "|| exit 1; done",
        stage_root);
    return system(command) == 0;
}

static void tls_is(const char *host_name, int port, const char *ca, bool client, int code, const char *what)
{
    char url[128];
    const char *values[COUNT] = { [URL] = url, [CA] = ca };
    void *self = NULL;
    snprintf(url, sizeof url, "https://%s:%d/list", host_name, port);
    if (client) {
        values[CERT] = stage_path("client.pem");
        values[KEY] = stage_path("client.key");
    }
    is_int(open_with(values, 0, &self), TENUO_OK, "%s: opens: %s", what, mock_said);
    struct got g = fetch(self, 1);
    is_int(g.code, code, "%s: %s", what, mock_said);
    free(g.bytes);
    ops->close(self);
}

static void check_tls(void)
{
    if (!make_certificates()) {
        skip_test("TLS", "openssl cannot make certificates");
        return;
    }
    const char *ca = stage_path("ca.pem");
    char cert[128], key[128], authority[128];
    snprintf(cert, sizeof cert, "%s", stage_path("server.pem"));
    snprintf(key, sizeof key, "%s", stage_path("server.key"));
    snprintf(authority, sizeof authority, "%s", ca);
    const char *const plain[] = { cert, key, NULL }, *const mutual[] = { cert, key, authority, NULL };
    struct server s = server_start(script, list_path, log_path, plain);
    tls_is("127.0.0.1", s.port, authority, false, TENUO_OK, "a server of our authority");
    tls_is("127.0.0.1", s.port, NULL, false, TENUO_E_UNAVAILABLE, "one that the system does not know");
    tls_is("localhost", s.port, authority, false, TENUO_E_UNAVAILABLE, "under a name that it has not");
    server_stop(&s);
    s = server_start(script, list_path, log_path, mutual);
    tls_is("127.0.0.1", s.port, authority, true, TENUO_OK, "with our certificate");
    tls_is("127.0.0.1", s.port, authority, false, TENUO_E_UNAVAILABLE, "without");
    server_stop(&s);
}

/* What the environment says of proxies is not asked. */
static void check_environment(const struct server *s)
{
    setenv("http_proxy", "http://127.0.0.1:1", 1);
    setenv("ALL_PROXY", "http://127.0.0.1:1", 1);
    void *self = opened(s, "list");
    put("direct");
    is_list(fetch(self, 1), "direct", "no proxy of the environment");
    ops->close(self);
    unsetenv("http_proxy");
    unsetenv("ALL_PROXY");
}

int main(int argc, char **argv)
{
    const struct tenuo_plugin_v1 *plugin = mock_load("http", argc, argv);
    ops = plugin->revocation;
    host = mock_host;
    host.deadline = deadline;
    script = argc > 2 ? argv[2] : "server.py";
    stage_begin();
    snprintf(list_path, sizeof list_path, "%s", stage_write("list", "", 0, 0644));
    snprintf(log_path, sizeof log_path, "%s", stage_path("log"));
    struct server s = server_start(script, list_path, log_path, NULL);
    check_good(&s);
    check_bad(&s);
    check_slow(&s);
    check_retry_after(&s);
    check_token(&s);
    check_environment(&s);
    server_stop(&s);
    check_dead();
    check_conf();
    check_tls();
    stage_end();
    return done_testing();
}
