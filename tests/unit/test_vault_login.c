/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The plugin vault and a real Vault: each way to log in, tokens that end, are renewed, used up or revoked, TLS that is
 * not to be trusted, a server that is sealed, killed or stopped; after each the same open line goes on by itself.
 */
#include "vault_env.h"

static struct vault_server dev, raft;
static char audit_path[PATH_MAX];

static const char *file_of(const char *name, const char *text)
{
    return stage_write(name, text, strlen(text), 0600);
}

static int audited(const char *path)
{
    char want[256];
    size_t len = 0;
    int n = 0;
    char *text = stage_read(audit_path, &len);
    snprintf(want, sizeof want, "\"path\":\"%s\"", path);
    for (char *line = text != NULL ? strtok(text, "\n") : NULL; line != NULL; line = strtok(NULL, "\n"))
        n += strstr(line, want) != NULL && strstr(line, "\"type\":\"request\"") != NULL;
    free(text);
    return n;
}

static void answer_of(const char *method, const char *path, const char *body, const char *member, char ret[256])
{
    char answer[8192];
    long status = vault_admin(&dev, method, path, body, answer, sizeof answer);
    vault_member(answer, member, ret);
    if (status != 200 || ret[0] == '\0')
        printf("# %s: %ld %s\n", path, status, answer);
}

/* ---- tokens ---- */

static void new_token(const char *body)
{
    char token[256];
    answer_of("POST", "auth/token/create", body, "client_token", token);
    file_of("token", token);
}

static void tokens(void)
{
    void *self;
    new_token("{\"policies\":[\"tenuo\"],\"ttl\":\"3s\"}");
    self = OPEN("url", dev.url, "ca", dev.ca, "token_file", stage_path("token"));
    int before = audited("auth/token/renew-self");
    for (int i = 0; i < 8; i++) { /* four seconds: beyond its life */
        if (!ok(is_key(self, "web", 0, 1, NULL), "half a second later"))
            break;
        sleep_ms(500);
    }
    ok(audited("auth/token/renew-self") > before && audited("auth/token/renew-self") <= before + 4,
       "the token was renewed, now and then: %d", audited("auth/token/renew-self") - before);
    sleep_ms(3500); /* nobody came: it ended */
    is_int(reading(self, "web"), TENUO_E_KEY_DENIED, "a token that ended");
    ok(says("token_file="), "says what to do");
    new_token("{\"policies\":[\"tenuo\"],\"ttl\":\"1h\"}");
    is_int(reading(self, "web"), TENUO_OK, "a new one in the file is used at once: %s", said);
    new_token("{\"policies\":[\"tenuo\"],\"explicit_max_ttl\":\"2s\"}");
    is_int(reading(self, "web"), TENUO_OK, "one that cannot live longer: %s", said);
    sleep_ms(1500);
    is_int(reading(self, "web"), TENUO_OK, "is used while it lives: %s", said);
    file_of("token", "s.nonsense");
    is_int(reading(self, "web"), TENUO_E_KEY_DENIED, "no token of this Vault: %s", said);
    stage_write("token", "root", 4, 0644);
    is_int(reading(self, "web"), TENUO_E_KEY_DENIED, "one that others can read: %s", said);
    ok(says("chmod 600"), "says what to do");
    file_of("token", "root");
    chmod(stage_path("token"), 0600);
    is_int(reading(self, "web"), TENUO_OK, "put right: %s", said);
    ops->close(self);
}

/* ---- AppRole ---- */

static void new_secret(void)
{
    char secret[256];
    answer_of("POST", "auth/approle/role/tenuo/secret-id", "{}", "secret_id", secret);
    file_of("secret", secret);
}

static void *approle(void)
{
    return OPEN("url", dev.url, "ca", dev.ca, "auth", "approle", "role_id_file", stage_path("role"), "secret_id_file",
                stage_path("secret"));
}

static void app_roles(void)
{
    char role[256];
    vault_must(&dev, "POST", "sys/auth/approle", "{\"type\":\"approle\"}");
    vault_must(&dev, "POST", "auth/approle/role/tenuo",
               "{\"token_policies\":\"tenuo\",\"token_ttl\":\"2s\",\"token_max_ttl\":\"4s\",\"secret_id_num_uses\":3}");
    answer_of("GET", "auth/approle/role/tenuo/role-id", NULL, "role_id", role);
    file_of("role", role);
    new_secret();
    void *self = approle();
    int logins = audited("auth/approle/login"), renewals = audited("auth/token/renew-self");
    for (int i = 0; i < 10; i++) { /* five seconds: beyond its last end */
        if (!ok(is_key(self, "web", 0, 1, NULL), "half a second later"))
            break;
        sleep_ms(500);
    }
    logins = audited("auth/approle/login") - logins;
    renewals = audited("auth/token/renew-self") - renewals;
    ok(logins >= 2 && logins <= 3, "%d logins", logins);
    ok(renewals >= 1 && renewals <= 8, "%d renewals", renewals);
    sleep_ms(2500);
    for (int i = 0; i < 3 && reading(self, "web") == TENUO_OK; i++) /* what uses of the secret id are left */
        sleep_ms(2500);
    is_int(reading(self, "web"), TENUO_E_KEY_DENIED, "the secret id is used up");
    ok(says("login at auth/approle refused") && says("issue a new secret_id"), "says so, and what to do");
    logins = audited("auth/approle/login");
    for (int i = 0; i < 20; i++)
        (void)reading(self, "web");
    ok(audited("auth/approle/login") - logins <= 1, "that makes no storm of logins");
    new_secret();
    sleep_ms(2100);
    is_int(reading(self, "web"), TENUO_OK, "a new one is used: %s", said);
    ops->close(self);
    self = OPEN("url", dev.url, "ca", dev.ca, "auth", "approle", "auth_mount", "nowhere", "role_id_file",
                stage_path("role"));
    is_int(reading(self, "web"), TENUO_E_KEY_DENIED, "a method that is not there: %s", said);
    ok(says("auth/nowhere"), "says where");
    ops->close(self);
}

/* Somebody else revokes our token: one new login within the same call. */
static void revoked(void)
{
    int logins;
    vault_must(&dev, "POST", "auth/approle/role/tenuo",
               "{\"token_policies\":\"tenuo\",\"token_ttl\":\"1h\",\"token_max_ttl\":\"2h\",\"secret_id_num_uses\":0}");
    new_secret();
    void *self = approle();
    is_int(reading(self, "web"), TENUO_OK, "a login: %s", said);
    vault_must(&dev, "PUT", "sys/leases/revoke-prefix/auth/approle/login", "{\"sync\":true}");
    logins = audited("auth/approle/login");
    is_int(reading(self, "web"), TENUO_OK, "its token was revoked: %s", said);
    is_int(audited("auth/approle/login") - logins, 1, "one new login");
    is_int(reading(self, "other"), TENUO_E_KEY_DENIED, "what the policy forbids: %s", said);
    ok(says("capabilities"), "says what is missing");
    is_int(audited("auth/approle/login") - logins, 1, "and is no reason to log in again");
    ops->close(self);
}

/* ---- certificates, Kubernetes ---- */

__attribute__((format(printf, 1, 2))) static bool shell(const char *fmt, ...)
{
    char command[8192];
    va_list ap;
    va_start(ap, fmt);
    int n = snprintf(command, sizeof command, "cd %s && umask 077 && exec 2>>shell.log && ", stage_root);
    vsnprintf(command + n, sizeof command - (size_t)n, fmt, ap);
    va_end(ap);
    return system(command) == 0;
}

/* A file as the value of a JSON member. */
static void put_file(const char *path, const char *before, const char *file, const char *after)
{
    static char body[16384];
    size_t len = 0, n = (size_t)snprintf(body, sizeof body, "%s", before);
    char *text = stage_read(file, &len);
    for (size_t i = 0; i < len && n < sizeof body - 8; i++) {
        if (text[i] == '\n')
            body[n++] = '\\';
        body[n++] = text[i] == '\n' ? 'n' : text[i];
    }
    snprintf(body + n, sizeof body - n, "%s", after);
    free(text);
    vault_must(&dev, "POST", path, body);
}

static void certificates(void)
{
    if (!shell(
            "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout client.key -out client.pem "
            "-days 2 -subj /CN=web -addext extendedKeyUsage=clientAuth && cp client.key other.key && "
            "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout other.key -out other.pem "
            "-days 2 -subj /CN=other -addext extendedKeyUsage=clientAuth")) {
        skip_test("certificates", "openssl cannot make them");
        return;
    }
    vault_must(&dev, "POST", "sys/auth/cert", "{\"type\":\"cert\"}");
    put_file("auth/cert/certs/web", "{\"token_policies\":\"tenuo\",\"certificate\":\"", stage_path("client.pem"),
             "\"}");
    void *self = OPEN("url", dev.url, "ca", dev.ca, "auth", "cert", "role", "web", "cert", stage_path("client.pem"),
                      "key_file", stage_path("client.key"));
    ok(is_key(self, "web", 0, 1, NULL), "a client certificate");
    ops->close(self);
    self = OPEN("url", dev.url, "ca", dev.ca, "auth", "cert", "cert", stage_path("other.pem"), "key_file",
                stage_path("other.key"));
    is_int(reading(self, "web"), TENUO_E_KEY_DENIED, "one that nobody knows: %s", said);
    ok(says("auth/cert"), "says where");
    ops->close(self);
    self = OPEN("url", dev.url, "ca", dev.ca, "auth", "cert", "cert", stage_path("client.pem"), "key_file",
                stage_path("other.key"));
    is_int(reading(self, "web"), TENUO_E_UNAVAILABLE, "a key of another certificate: %s", said);
    ok(says("belong together"), "says so");
    ops->close(self);
}

/* The method jwt takes what kubernetes takes; the build of the tests has no other. */
static void kubernetes(void)
{
    if (!shell("openssl genrsa -out jwt.key 2048 && openssl rsa -in jwt.key -pubout -out jwt.pub && mkdir -p ..data && "
               "b() { base64 -w0 | tr '+/' '-_' | tr -d '='; } && "
               "h=$(printf '{\"alg\":\"RS256\",\"typ\":\"JWT\"}' | b) && "
               "p=$(printf '{\"sub\":\"web\",\"aud\":\"vault\",\"nbf\":%%d,\"exp\":%%d}' $(($(date +%%s) - 60)) "
               "$(($(date +%%s) + 3600)) | b) && "
               "s=$(printf '%%s.%%s' $h $p | openssl dgst -sha256 -sign jwt.key -binary | b) && "
               "printf '%%s.%%s.%%s' $h $p $s >..data/token && chmod 644 ..data/token && ln -s ..data/token jwt")) {
        skip_test("a service account", "openssl cannot sign its token");
        return;
    }
    vault_must(&dev, "POST", "sys/auth/kubernetes", "{\"type\":\"jwt\"}");
    put_file("auth/kubernetes/config", "{\"jwt_validation_pubkeys\":[\"", stage_path("jwt.pub"), "\"]}");
    vault_must(
        &dev, "POST", "auth/kubernetes/role/web",
        "{\"role_type\":\"jwt\",\"user_claim\":\"sub\",\"bound_audiences\":[\"vault\"],\"token_policies\":\"tenuo\"}");
    void *self = OPEN("url", dev.url, "ca", dev.ca, "auth", "kubernetes", "role", "web", "jwt_file", stage_path("jwt"));
    ok(is_key(self, "web", 0, 1, NULL), "a service account, behind a link");
    ops->close(self);
    self = OPEN("url", dev.url, "ca", dev.ca, "auth", "kubernetes", "role", "nobody", "jwt_file", stage_path("jwt"));
    is_int(reading(self, "web"), TENUO_E_KEY_DENIED, "another role: %s", said);
    ok(says("look at role="), "says where to look");
    ops->close(self);
}

/* ---- TLS ---- */

/* A TLS server that is somebody else: its certificate is of a trusted authority, and for another name. */
static pid_t start_other(int port)
{
    char text[16];
    pid_t pid = fork();
    snprintf(text, sizeof text, "%d", port);
    if (pid == 0) {
        int null = open("/dev/null", O_RDWR | O_CLOEXEC);
        prctl(PR_SET_PDEATHSIG, SIGTERM);
        dup2(null, 0);
        dup2(null, 1);
        dup2(null, 2);
        execlp("openssl", "openssl", "s_server", "-accept", text, "-cert", stage_path("ca2.pem"), "-key",
               stage_path("ca2.key"), "-quiet", (char *)NULL);
        _exit(127);
    }
    sleep_ms(500);
    return pid;
}

static void wrong_name(const char *token)
{
    char url[128];
    int port = free_port();
    pid_t pid = start_other(port);
    snprintf(url, sizeof url, "https://127.0.0.1:%d", port);
    void *self = OPEN("url", url, "ca", stage_path("ca2.pem"), "token_file", token);
    is_int(reading(self, "web"), TENUO_E_UNAVAILABLE, "a certificate for another name");
    ok(says("is for another name"), "says so");
    ops->close(self);
    kill(pid, SIGKILL);
    waitpid(pid, NULL, 0);
}

static void tls(void)
{
    char url[128];
    const char *token = stage_path("token");
    void *self = OPEN("url", dev.url, "token_file", token);
    is_int(reading(self, "web"), TENUO_E_UNAVAILABLE, "an authority that nobody knows");
    ok(says("is of no authority that this line trusts") && says("ca="), "says so");
    ops->close(self);
    (void)shell(
        "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout ca2.key -out ca2.pem -days 2 "
        "-subj /CN=another -addext subjectAltName=DNS:elsewhere.example");
    self = OPEN("url", dev.url, "ca", stage_path("ca2.pem"), "token_file", token);
    is_int(reading(self, "web"), TENUO_E_UNAVAILABLE, "another authority");
    ok(says("is of no authority that this line trusts"), "says so");
    ops->close(self);
    wrong_name(token);
    snprintf(url, sizeof url, "https://127.0.0.2:%d", dev.port);
    self = OPEN("url", url, "ca", dev.ca, "token_file", token);
    is_int(reading(self, "web"), TENUO_E_UNAVAILABLE, "nobody at that address: %s", said);
    ok(says("refused"), "says so");
    ops->close(self);
    snprintf(url, sizeof url, "http://127.0.0.1:%d", dev.port);
    self = OPEN("url", url, "token_file", token);
    is_int(reading(self, "web"), TENUO_E_UNAVAILABLE, "HTTP to a TLS port: %s", said);
    ops->close(self);
}

/* ---- a server that goes and comes back ---- */

static char unseal[512], raft_key[256];

static bool unseal_raft(void)
{
    for (int i = 0; i < 100; i++) {
        if (vault_admin(&raft, "PUT", "sys/unseal", unseal, NULL, 0) == 200)
            return true;
        sleep_ms(100);
    }
    return false;
}

/* Until it leads itself. */
static bool raft_ready(void)
{
    for (int i = 0; i < 200; i++) {
        if (vault_admin(&raft, "GET", "sys/health", NULL, NULL, 0) == 200)
            return true;
        sleep_ms(100);
    }
    return false;
}

static bool begin_raft(const char *program)
{
    char answer[4096];
    vault_start_raft(&raft, program, &dev);
    if (!vault_wait(&raft, 501, 503))
        return false;
    if (vault_admin(&raft, "PUT", "sys/init", "{\"secret_shares\":1,\"secret_threshold\":1}", answer, sizeof answer) !=
        200)
        return false;
    const char *keys = strstr(answer, "\"keys_base64\":[");
    vault_member(keys != NULL ? keys : "", "keys_base64", raft_key);
    vault_member(answer, "root_token", unseal);
    snprintf(raft.token, sizeof raft.token, "%.120s", unseal);
    snprintf(unseal, sizeof unseal, "{\"key\":\"%s\"}", raft_key);
    return unseal_raft() && raft_ready();
}

/* One that is back is used within this many milliseconds. */
static bool comes_back(void *self)
{
    uint64_t began = clock_ms();
    while (clock_ms() - began < 3000) {
        if (is_key(self, "web", 0, 1, NULL))
            return true;
        sleep_ms(100);
    }
    return false;
}

static void outages(const char *program)
{
    uint8_t key[32];
    uint32_t v = 0;
    if (!ok(begin_raft(program), "a Vault on disk"))
        return;
    vault_must(&raft, "POST", "sys/mounts/secret", "{\"type\":\"kv\",\"options\":{\"version\":\"2\"}}");
    sleep_ms(1500); /* a new KV v2 upgrades itself for a moment */
    void *self = OPEN("url", raft.url, "ca", raft.ca, "token_file", file_of("raft.token", raft.token));
    begin_call();
    is_int(ops->generate(self, "web", 0, key, &v), TENUO_OK, "a key: %s", said);
    ok(is_key(self, "web", 0, 1, key), "is there");

    vault_must(&raft, "PUT", "sys/seal", NULL);
    is_int(reading(self, "web"), TENUO_E_UNAVAILABLE, "sealed");
    ok(says("it is sealed") && says("unseal"), "says so, and what to do");
    (void)reading(self, "web");
    ok(unseal_raft() && raft_ready(), "unsealed");
    ok(comes_back(self), "the line goes on by itself");

    vault_stop(&raft);
    is_int(reading(self, "web"), TENUO_E_UNAVAILABLE, "killed");
    ok(says("refused"), "says so");
    vault_start_raft(&raft, program, &dev);
    ok(vault_wait(&raft, 503, 503), "started again, still sealed");
    sleep_ms(1100);
    is_int(reading(self, "web"), TENUO_E_UNAVAILABLE, "and that is said: %s", said);
    ok(says("sealed"), "sealed");
    ok(unseal_raft() && raft_ready(), "unsealed");
    ok(comes_back(self), "the line goes on by itself");

    kill(raft.pid, SIGSTOP);
    waitpid(raft.pid, NULL, WUNTRACED); /* until all its threads have stopped */
    deadline_ms = 1000;
    uint64_t began = clock_ms();
    is_int(reading(self, "web"), TENUO_E_UNAVAILABLE, "one that hangs");
    ok(says("did not answer in time") && clock_ms() - began < 1300, "within the deadline");
    deadline_ms = 5000;
    kill(raft.pid, SIGCONT);
    ok(comes_back(self), "the line goes on by itself");
    ops->close(self);
    vault_stop(&raft);
}

static void prepare(void)
{
    char body[PATH_MAX + 128];
    uint8_t key[32];
    uint32_t v = 0;
    snprintf(audit_path, sizeof audit_path, "%s", stage_path("audit.log"));
    snprintf(body, sizeof body, "{\"type\":\"file\",\"options\":{\"file_path\":\"%s\"}}", audit_path);
    vault_must(&dev, "PUT", "sys/audit/file", body);
    vault_must(&dev, "PUT", "sys/policies/acl/tenuo",
               "{\"policy\":\"path \\\"secret/data/tenuo/keys/web\\\" { capabilities = [\\\"read\\\"] }\"}");
    file_of("token", "root");
    void *self = OPEN("url", dev.url, "ca", dev.ca, "token_file", stage_path("token"));
    begin_call();
    is_int(ops->generate(self, "web", 0, key, &v), TENUO_OK, "a key: %s", said);
    ops->close(self);
}

int main(int argc, char **argv)
{
    char program[PATH_MAX];
    env_begin(argc, argv);
    if (!vault_find(program)) {
        skip_test("a real Vault", "tests/services/install_vault.sh has not built one: ./dev test does");
    } else if (!ok(vault_start_dev(&dev, program), "Vault")) {
        vault_stop(&dev);
    } else {
        prepare();
        tokens();
        app_roles();
        revoked();
        certificates();
        kubernetes();
        tls();
        outages(program);
        vault_stop(&raft);
        vault_stop(&dev);
    }
    stage_end();
    return done_testing();
}
