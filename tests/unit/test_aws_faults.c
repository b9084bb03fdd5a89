/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Resolver aws when something is wrong: a service that is busy, slow, broken, lying or away, TLS with the wrong end,
 * and credentials from each of their places. moto is real; "front" in a name is our own front forcing what moto cannot
 * show, and so are the two metadata services. Arguments: the folder of plugins, tests/services/moto_server.py.
 */
#include <pthread.h>

#include "aws_env.h"

static uint8_t the_key[32];

/* One export through a line of its own, so that no breaker of another test is in the way. */
static int one_export(const char *fault, int times, int ms)
{
    uint8_t key[32];
    void *self = over_front("recovery=0");
    if (fault != NULL)
        front(fault, times, ms);
    int r = exported(self, "k", 0, key);
    if (r == TENUO_OK && memcmp(key, the_key, 32) != 0)
        r = -1;
    ops->close(self);
    front("none", 0, 0);
    return r;
}

static void is_export(int want, const char *fault, int times, int ms, const char *says)
{
    uint64_t began = now_ms();
    int r = one_export(fault, times, ms);
    uint64_t took = now_ms() - began;
    is_int(r, want, "front: %s %d times (%llu ms): %s", fault, times, (unsigned long long)took, mock_said);
    ok(took < deadline_ms + 1000, "front: %s: in time", fault);
    if (says != NULL)
        sentence(says);
}

static void busy(void)
{
    static const char *const faults[] = { "throttle", "too-many", "500", "503", "drop", "half-answer" };
    deadline_ms = 3000;
    for (size_t i = 0; i < sizeof faults / sizeof faults[0]; i++) {
        (void)front_seen("total");
        is_export(TENUO_OK, faults[i], 1, 0, NULL);
        is_int(front_seen("GetSecretValue"), 2, "front: %s: asked again once", faults[i]);
        is_export(TENUO_E_UNAVAILABLE, faults[i], 1000, 0, "127.0.0.1");
        ok(front_seen("GetSecretValue") <= 4, "front: %s: and not for ever", faults[i]);
    }
    is_export(TENUO_E_UNAVAILABLE, "throttle", 1000, 0, "too many requests");
}

static void slow(void)
{
    deadline_ms = 800;
    is_export(TENUO_E_UNAVAILABLE, "slow", 10, 2000, "did not answer in time");
    deadline_ms = 3000;
    is_export(TENUO_OK, "slow", 1, 500, NULL);
}

static void lies(void)
{
    static const char *const faults[] = { "garbage", "empty", "half", "huge", "deep", "not-object", "redirect", "odd" };
    for (size_t i = 0; i < sizeof faults / sizeof faults[0]; i++)
        is_export(TENUO_E_UNAVAILABLE, faults[i], 1000, 0, "");
}

static void refusals(void)
{
    (void)front_seen("total");
    is_export(TENUO_OK, "expired", 1, 0, NULL);
    is_int(front_seen("GetSecretValue"), 2, "front: expired: once more with what is there now");
    is_export(TENUO_E_KEY_DENIED, "expired", 1000, 0, "renew");
    is_export(TENUO_E_KEY_DENIED, "skew", 1000, 0, "set the clock");
    is_export(TENUO_E_KEY_DENIED, "too-skewed", 1000, 0, "set the clock");
    is_export(TENUO_E_KEY_DENIED, "deny", 1000, 0, "IAM");
    is_export(TENUO_E_KEY_DENIED, "disabled", 1000, 0, "enable the KMS key");
}

/* A parameter that is written twice is two versions: nothing is sent again that may have arrived. */
static void written_once(void)
{
    void *self = over_front("service=ssm");
    uint8_t key[32];
    uint32_t version = 0;
    moto_as("admin");
    (void)front_seen("total");
    front("drop", 1, 0);
    is_int(generate(self, "once", 0, key, &version), TENUO_E_UNAVAILABLE, "front: drop: a write is not repeated: %s",
           mock_said);
    is_int(front_seen("PutParameter"), 1, "front: drop: it was sent once");
    front("throttle", 1, 0);
    is_int(generate(self, "once", 0, key, &version), TENUO_OK, "front: throttle: it is, when nothing was done: %s",
           mock_said);
    is_int(version, 1, "and it is one version");
    front("none", 0, 0);
    ops->close(self);
}

static void outage(void)
{
    void *self = over_front("recovery=0");
    void *direct = aws_opened("region=eu-west-1 endpoint=http://127.0.0.1:%d/", moto_port("moto"));
    uint8_t key[32];
    moto_as("sign");
    is_int(exported(self, "k", 0, key), TENUO_OK, "moto is up");
    moto_do(json_pack("{ss sb}", "do", "moto", "run", 0));
    is_int(exported(self, "k", 0, key), TENUO_E_UNAVAILABLE, "moto is down: %s", mock_said);
    is_int(exported(direct, "k", 0, key), TENUO_E_UNAVAILABLE, "nobody listens: %s", mock_said);
    sentence("refused");
    for (int i = 0; i < 8; i++)
        (void)exported(self, "k", 0, key);
    uint64_t began = now_ms();
    is_int(exported(self, "k", 0, key), TENUO_E_UNAVAILABLE, "after many failures: %s", mock_said);
    ok(now_ms() - began < 500, "nobody is made to wait");
    moto_do(json_pack("{ss sb}", "do", "moto", "run", 1));
    struct timespec second = { 1, 100000000 };
    nanosleep(&second, NULL);
    is_int(exported(self, "k", 0, key), TENUO_OK, "up again: the same instance answers: %s", mock_said);
    is_int(exported(direct, "k", 0, key), TENUO_OK, "and the other: %s", mock_said);
    ops->close(self);
    ops->close(direct);
}

static void over_tls(const char *which, const char *ca, int want, const char *says)
{
    uint8_t key[32];
    char path[256];
    snprintf(path, sizeof path, "%s", stage_path(ca));
    void *self = aws_opened("region=eu-west-1 endpoint=https://127.0.0.1:%d ca=%s", moto_port(which), path);
    is_int(exported(self, "k", 0, key), want, "TLS, %s, %s: %s", which, ca, mock_said);
    if (says != NULL)
        sentence(says);
    ops->close(self);
}

static void tls(void)
{
    uint8_t key[32];
    moto_as("sign");
    over_tls("tls", "ca.pem", TENUO_OK, NULL);
    over_tls("tls", "other-ca.pem", TENUO_E_UNAVAILABLE, "authority");
    over_tls("wrong_name", "ca.pem", TENUO_E_UNAVAILABLE, "use a name of the certificate in endpoint=");
    over_tls("front", "ca.pem", TENUO_E_UNAVAILABLE, "");
    ok(strstr(mock_said, "cert=") == NULL, "names no argument that the line has not: %s", mock_said);
    void *self = aws_opened("region=eu-west-1 endpoint=https://127.0.0.1:%d", moto_port("tls"));
    is_int(exported(self, "k", 0, key), TENUO_E_UNAVAILABLE, "TLS, the system's authorities: %s", mock_said);
    ops->close(self);
}

/* ---- arguments ---- */

static void refused(const char *line, const char *says)
{
    void *self = NULL;
    is_int(aws_open_line(line, &self), TENUO_E_CONF, "refused: %s", line);
    sentence(says);
}

/* What `tenuo conf check` asks: `what` to look at is a warning, not an error. */
static void checked(const char *line, int want, const char *says)
{
    struct tenuo_arg args[32];
    size_t n = aws_line(line, args);
    begin();
    is_int(ops->check(&host, args, n), want, "check: %s: %s", line, mock_said);
    if (says != NULL)
        sentence(says);
}

static void checks(void)
{
    char line[512];
    checked("region=eu-west-1", TENUO_OK, NULL);
    checked("region=eu-west-1 endpoint=https://127.0.0.1:1 ca=/nonexistent/ca.pem", TENUO_E_UNAVAILABLE,
            "/nonexistent");
    checked("region=eu-west-1 credentials_file=/nonexistent/aws", TENUO_E_UNAVAILABLE, "/nonexistent");
    checked("region=eu-west-1 service=kms path=/nonexistent/kms", TENUO_E_UNAVAILABLE, "/nonexistent");
    checked("region=eu-west-1 recovery=1", TENUO_E_CONF, "recovery");
    snprintf(line, sizeof line, "region=eu-west-1 credentials_file=%s", stage_text("open", "[default]\n"));
    checked(line, TENUO_E_UNAVAILABLE, "chmod");
    is_int(front_seen("total"), 0, "front: a check asks nobody");
}

static void arguments(void)
{
    refused("prefix=x/", "region");
    refused("region=eu-west-1 endpoint=http://192.0.2.1", "endpoint: http is for");
    refused("region=EU/west endpoint=http://127.0.0.1:1", "region");
    refused("region=eu-west-1 service=s3", "secretsmanager");
    refused("region=eu-west-1 mode=sign", "kms");
    refused("region=eu-west-1 service=kms mode=both", "unwrap");
    refused("region=eu-west-1 prefix=a\"b", "prefix");
    refused("region=eu-west-1 service=ssm prefix=a@b", "prefix");
    refused("region=eu-west-1 service=kms prefix=a", "prefix");
    refused("region=eu-west-1 path=/var/x", "path");
    refused("region=eu-west-1 key=alias/x", "key");
    refused("region=eu-west-1 service=kms mode=sign key=alias/{id}", "key");
    refused("region=eu-west-1 kms_key=a\"b", "kms_key");
    refused("region=eu-west-1 recovery=3", "recovery");
    refused("region=eu-west-1 profile=a]b", "profile");
    refused("region=eu-west-1 endpoint=https://user:word@127.0.0.1", "credentials_file=");
    setenv("AWS_REGION", "eu-west-1", 1);
    void *self = aws_opened("prefix=x/");
    ops->close(self);
    unsetenv("AWS_REGION");
}

/* ---- credentials ---- */

static void write_credentials(const char *more, mode_t mode)
{
    char text[2048];
    int n = snprintf(text, sizeof text,
                     "# by hand\n[other]\naws_access_key_id = AKIAOTHER\naws_secret_access_key = x\n\n[tenuo]\r\n"
                     "aws_access_key_id=%s\n  aws_secret_access_key = %s \n%s\n",
                     moto_key("sign", "AccessKeyId"), moto_key("sign", "SecretAccessKey"), more);
    stage_write("credentials", text, (size_t)n, mode);
}

static void from_file(const char *profile, int want, const char *says)
{
    uint8_t key[32];
    char more[512];
    snprintf(more, sizeof more, "credentials_file=%s profile=%s", stage_path("credentials"), profile);
    void *self = over_front(more);
    is_int(exported(self, "k", 0, key), want, "file, profile %s: %s", profile, mock_said);
    if (says != NULL)
        sentence(says);
    ops->close(self);
}

static void files(void)
{
    uint8_t key[32];
    write_credentials("", 0600);
    from_file("tenuo", TENUO_OK, NULL);
    from_file("other", TENUO_E_KEY_DENIED, "[other] in");
    from_file("none", TENUO_E_KEY_DENIED, "profile [none]");
    write_credentials("", 0644);
    from_file("tenuo", TENUO_E_KEY_DENIED, "chmod");
    write_credentials("role_arn = arn:aws:iam::1:role/x\n", 0600);
    from_file("tenuo", TENUO_E_KEY_DENIED, "role");
    write_credentials("credential_process = /bin/true\n", 0600);
    from_file("tenuo", TENUO_E_KEY_DENIED, "program");
    write_credentials("aws_session_token = of/another\n", 0600);
    from_file("tenuo", TENUO_E_KEY_DENIED, "access key");
    unlink(stage_path("credentials"));
    from_file("tenuo", TENUO_E_UNAVAILABLE, "credentials");
    write_credentials("", 0600);
    setenv("AWS_SHARED_CREDENTIALS_FILE", stage_path("credentials"), 1);
    setenv("AWS_PROFILE", "tenuo", 1);
    void *self = over_front("");
    is_int(exported(self, "k", 0, key), TENUO_OK, "the shared file of the environment: %s", mock_said);
    write_credentials("role_arn = x\n", 0600);
    is_int(exported(self, "k", 0, key), TENUO_E_KEY_DENIED, "is read at every use");
    unsetenv("AWS_SHARED_CREDENTIALS_FILE");
    unsetenv("AWS_PROFILE");
    is_int(exported(self, "k", 0, key), TENUO_E_KEY_DENIED, "no credentials at all: %s", mock_said);
    sentence("no AWS credentials");
    setenv("AWS_ACCESS_KEY_ID", "AKIAX", 1);
    is_int(exported(self, "k", 0, key), TENUO_E_KEY_DENIED, "half of the environment: %s", mock_said);
    unsetenv("AWS_ACCESS_KEY_ID");
    ops->close(self);
}

static void metadata(const char *mode, int lifetime)
{
    moto_do(json_pack("{ss ss si}", "do", "metadata", "mode", mode, "lifetime", lifetime));
    (void)front_seen("total");
}

static int at_front(const char *variable, const char *path)
{
    char url[128];
    snprintf(url, sizeof url, "http://127.0.0.1:%d%s", moto_port("front"), path);
    return setenv(variable, url, 1);
}

static void fake_container(void)
{
    uint8_t key[32];
    void *self = over_front("");
    (void)at_front("AWS_CONTAINER_CREDENTIALS_FULL_URI", "/task/credentials");
    metadata("ok", 3600);
    is_int(exported(self, "k", 0, key), TENUO_E_KEY_DENIED, "fake container service: no token: %s", mock_said);
    sentence("401");
    stage_text("token", "Bearer container-secret"); /* two words are none */
    setenv("AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE", stage_path("token"), 1);
    is_int(exported(self, "k", 0, key), TENUO_E_KEY_DENIED, "fake container service: a token with a blank: %s",
           mock_said);
    unsetenv("AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE");
    setenv("AWS_CONTAINER_AUTHORIZATION_TOKEN", "Bearer container-secret", 1);
    is_int(exported(self, "k", 0, key), TENUO_OK, "fake container service: a token of the environment: %s", mock_said);
    is_int(front_seen("metadata"), 2, "fake container service: asked");
    is_int(exported(self, "k", 0, key), TENUO_OK, "fake container service: again");
    is_int(front_seen("metadata"), 0, "fake container service: and kept");
    setenv("AWS_CONTAINER_CREDENTIALS_FULL_URI", "http://192.0.2.1/steal", 1);
    ops->close(self);
    self = over_front("");
    is_int(exported(self, "k", 0, key), TENUO_E_KEY_DENIED, "fake container service: another machine: %s", mock_said);
    sentence("nowhere else");
    unsetenv("AWS_CONTAINER_CREDENTIALS_FULL_URI");
    unsetenv("AWS_CONTAINER_AUTHORIZATION_TOKEN");
    ops->close(self);
}

struct worker {
    pthread_t thread;
    void *self;
    int failed;
};

static void *work(void *arg)
{
    struct worker *w = arg;
    uint8_t seed[32], key[32];
    for (int i = 0; i < 10; i++) {
        memset(seed, 0, sizeof seed);
        if (ops->export_seed(w->self, "k", 0, seed) != TENUO_OK)
            w->failed++;
        public_of(seed, key);
        w->failed += memcmp(key, the_key, sizeof key) != 0;
    }
    return NULL;
}

/* One instance and its credentials; those that end soon are renewed all the time. */
static void threads(void *self, int lifetime)
{
    struct worker w[8] = { 0 };
    int failed = 0;
    metadata("ok", lifetime);
    begin();
    for (size_t i = 0; i < 8; i++) {
        w[i].self = self;
        if (pthread_create(&w[i].thread, NULL, work, &w[i]) != 0)
            exit(1);
    }
    for (size_t i = 0; i < 8; i++) {
        pthread_join(w[i].thread, NULL);
        failed += w[i].failed;
    }
    is_int(failed, 0, "fake metadata: eight threads at once: %s", mock_said);
    int seen = front_seen("metadata");
    ok(lifetime < 300 ? seen > 3 : seen == 3, "fake metadata: %s (%d)",
       lifetime < 300 ? "asked all the time" : "one asks for all", seen);
}

static void fake_instance(void)
{
    uint8_t key[32];
    void *self = over_front("");
    unsetenv("AWS_EC2_METADATA_DISABLED");
    (void)at_front("AWS_EC2_METADATA_SERVICE_ENDPOINT", "");
    metadata("no-role", 3600);
    is_int(exported(self, "k", 0, key), TENUO_E_UNAVAILABLE, "fake metadata: no role: %s", mock_said);
    sentence("attach");
    metadata("bad-json", 3600);
    is_int(exported(self, "k", 0, key), TENUO_E_UNAVAILABLE, "fake metadata: no credentials: %s", mock_said);
    metadata("missing", 3600);
    is_int(exported(self, "k", 0, key), TENUO_E_UNAVAILABLE, "fake metadata: not there: %s", mock_said);
    metadata("slow", 3600);
    deadline_ms = 1000;
    uint64_t began = now_ms();
    is_int(exported(self, "k", 0, key), TENUO_E_UNAVAILABLE, "fake metadata: slow: %s", mock_said);
    ok(now_ms() - began < 2000, "fake metadata: slow: in time");
    deadline_ms = 10000;
    metadata("ok", 3600);
    is_int(exported(self, "k", 0, key), TENUO_OK, "fake metadata: a role, without a restart: %s", mock_said);
    is_int(front_seen("metadata"), 3, "fake metadata: token, role, credentials");
    is_int(exported(self, "k", 0, key), TENUO_OK, "fake metadata: again");
    is_int(front_seen("metadata"), 0, "fake metadata: kept");
    front("expired", 1, 0);
    is_int(exported(self, "k", 0, key), TENUO_OK, "fake metadata: refused as expired: %s", mock_said);
    is_int(front_seen("metadata"), 3, "fake metadata: renewed");
    ops->close(self);
    self = over_front("");
    metadata("ok", 60); /* ends soon: new ones are asked for, and these are good meanwhile */
    is_int(exported(self, "k", 0, key), TENUO_OK, "fake metadata: a short life: %s", mock_said);
    metadata("no-role", 60);
    is_int(exported(self, "k", 0, key), TENUO_OK, "fake metadata: not renewed, still good: %s", mock_said);
    ok(front_seen("metadata") > 0, "fake metadata: it was tried");
    is_int(exported(self, "k", 0, key), TENUO_OK, "fake metadata: again: %s", mock_said);
    is_int(front_seen("metadata"), 0, "fake metadata: left alone for a while");
    ops->close(self);
    self = over_front("");
    threads(self, 3600);
    ops->close(self);
    self = over_front("");
    threads(self, 60);
    setenv("AWS_EC2_METADATA_SERVICE_ENDPOINT", "http://192.0.2.1", 1);
    ops->close(self);
    self = over_front("");
    is_int(exported(self, "k", 0, key), TENUO_E_KEY_DENIED, "fake metadata: another machine: %s", mock_said);
    unsetenv("AWS_EC2_METADATA_SERVICE_ENDPOINT");
    setenv("AWS_EC2_METADATA_DISABLED", "true", 1);
    ops->close(self);
}

int main(int argc, char **argv)
{
    uint32_t version;
    if (!aws_env_begin(argc, argv))
        return done_testing();
    moto_as("admin");
    void *self = over_front("recovery=0");
    is_int(generate(self, "k", 0, the_key, &version), TENUO_OK, "a key: %s", mock_said);
    ops->close(self);
    moto_as("sign");
    (void)front_seen("total");
    checks();
    arguments();
    busy();
    slow();
    lies();
    refusals();
    written_once();
    deadline_ms = 10000;
    outage();
    tls();
    unsetenv("AWS_ACCESS_KEY_ID");
    unsetenv("AWS_SECRET_ACCESS_KEY");
    files();
    fake_container();
    fake_instance();
    return aws_env_end();
}
