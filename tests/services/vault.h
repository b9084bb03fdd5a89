/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A real Vault on loopback, in the test's own folder: started, asked as its administrator, ended by its pid. The
 * program is what install_vault.sh built into $TENUO_CACHE, or $TENUO_VAULT.
 */
#ifndef TN_TEST_VAULT_H
#define TN_TEST_VAULT_H

#include <arpa/inet.h>
#include <curl/curl.h>
#include <glob.h>
#include <linux/limits.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>

#include "../unit/stage.h"

struct vault_server {
    pid_t pid;
    int port, cluster; /* cluster: raft's other port, which nobody else may happen to have */
    char url[64], ca[PATH_MAX], folder[PATH_MAX];
    char token[128]; /* of its administrator */
};

static inline bool vault_find(char ret[PATH_MAX])
{
    const char *given = getenv("TENUO_VAULT"), *cache = getenv("TENUO_CACHE"), *home = getenv("HOME");
    char pattern[PATH_MAX];
    glob_t found;
    bool good = false;
    if (given != NULL) {
        snprintf(ret, PATH_MAX, "%s", given);
        return access(ret, X_OK) == 0;
    }
    if (cache != NULL)
        snprintf(pattern, sizeof pattern, "%s/vault-*/vault", cache);
    else
        snprintf(pattern, sizeof pattern, "%s/.cache/tenuo/vault-*/vault", home != NULL ? home : "");
    if (glob(pattern, 0, NULL, &found) == 0) {
        snprintf(ret, PATH_MAX, "%s", found.gl_pathv[0]);
        good = access(ret, X_OK) == 0;
        globfree(&found);
    }
    return good;
}

static inline int free_port(void)
{
    struct sockaddr_in a = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    socklen_t n = sizeof a;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0 || bind(fd, (struct sockaddr *)&a, sizeof a) != 0 || getsockname(fd, (struct sockaddr *)&a, &n) != 0)
        stage_die("port");
    close(fd);
    return ntohs(a.sin_port);
}

struct vault_text {
    char *p;
    size_t size, len;
};

static inline size_t vault_take(char *data, size_t one, size_t n, void *arg)
{
    struct vault_text *t = arg;
    (void)one;
    size_t room = t->size - 1 - t->len, take = n < room ? n : room;
    memcpy(t->p + t->len, data, take);
    t->len += take;
    t->p[t->len] = '\0';
    return n;
}

/* One request as the administrator; the status, 0 without an answer. `ret` may be NULL. */
static inline long vault_admin(const struct vault_server *s, const char *method, const char *path, const char *body,
                               char *ret, size_t size)
{
    char url[1024], token[160], nothing[8];
    struct vault_text t = { ret != NULL ? ret : nothing, ret != NULL ? size : sizeof nothing, 0 };
    struct curl_slist *headers = NULL;
    long status = 0;
    CURL *c = curl_easy_init();
    snprintf(url, sizeof url, "%s/v1/%s", s->url, path);
    snprintf(token, sizeof token, "X-Vault-Token: %s", s->token);
    t.p[0] = '\0';
    headers = curl_slist_append(headers, token);
    curl_easy_setopt(c, CURLOPT_URL, url);
    curl_easy_setopt(c, CURLOPT_PROXY, "");
    curl_easy_setopt(c, CURLOPT_CAINFO, s->ca);
    curl_easy_setopt(c, CURLOPT_HTTPHEADER, headers);
    curl_easy_setopt(c, CURLOPT_CUSTOMREQUEST, method);
    if (body != NULL)
        curl_easy_setopt(c, CURLOPT_POSTFIELDS, body);
    curl_easy_setopt(c, CURLOPT_TIMEOUT_MS, 10000L);
    curl_easy_setopt(c, CURLOPT_WRITEFUNCTION, vault_take);
    curl_easy_setopt(c, CURLOPT_WRITEDATA, &t);
    if (curl_easy_perform(c) == CURLE_OK)
        curl_easy_getinfo(c, CURLINFO_RESPONSE_CODE, &status);
    curl_easy_cleanup(c);
    curl_slist_free_all(headers);
    return status;
}

static inline void vault_must(const struct vault_server *s, const char *method, const char *path, const char *body)
{
    char answer[2048];
    long status = vault_admin(s, method, path, body, answer, sizeof answer);
    if (status >= 200 && status < 300)
        return;
    printf("Bail out! Vault: %s %s: %ld %s\n", method, path, status, answer);
    exit(1);
}

/* The text of "name":"..." in an answer. */
static inline const char *vault_member(const char *json, const char *name, char ret[256])
{
    char want[80];
    snprintf(want, sizeof want, "\"%s\":", name);
    const char *p = strstr(json, want);
    size_t n = 0;
    ret[0] = '\0';
    if (p == NULL)
        return ret;
    p += strlen(want);
    p += strspn(p, " [\n\"");
    n = strcspn(p, "\"");
    if (n < 256) {
        memcpy(ret, p, n);
        ret[n] = '\0';
    }
    return ret;
}

static inline void vault_run(struct vault_server *s, const char *const *argv)
{
    s->pid = fork();
    if (s->pid == 0) {
        int log = open(stage_path("vault.log"), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
        prctl(PR_SET_PDEATHSIG, SIGTERM);
        dup2(log, 1);
        dup2(log, 2);
        setenv("HOME", s->folder, 1);
        execv(argv[0], (char *const *)(uintptr_t)argv);
        _exit(127);
    }
}

static inline bool vault_wait(const struct vault_server *s, long want1, long want2)
{
    struct timespec pause = { 0, 50000000 };
    for (int i = 0; i < 600 && waitpid(s->pid, NULL, WNOHANG) == 0; i++) {
        long status = vault_admin(s, "GET", "sys/health", NULL, NULL, 0);
        if (status == want1 || status == want2)
            return true;
        nanosleep(&pause, NULL);
    }
    printf("# Vault did not start: see %s\n", stage_path("vault.log"));
    return false;
}

/* In memory, with TLS and a certificate of its own authority. */
static inline bool vault_start_dev(struct vault_server *s, const char *program)
{
    char certs[PATH_MAX + 32], listen[64];
    *s = (struct vault_server){ .port = free_port() };
    snprintf(s->folder, sizeof s->folder, "%s", stage_mkdir("dev", 0700));
    snprintf(certs, sizeof certs, "-dev-tls-cert-dir=%s", s->folder);
    snprintf(listen, sizeof listen, "-dev-listen-address=127.0.0.1:%d", s->port);
    snprintf(s->url, sizeof s->url, "https://127.0.0.1:%d", s->port);
    if ((size_t)snprintf(s->ca, sizeof s->ca, "%s/vault-ca.pem", s->folder) >= sizeof s->ca)
        return false;
    snprintf(s->token, sizeof s->token, "root");
    const char *const argv[] = {
        program, "server",          "-dev", "-dev-tls", certs, "-dev-root-token-id=root", "-dev-no-store-token",
        listen,  "-log-level=warn", NULL
    };
    vault_run(s, argv);
    return vault_wait(s, 200, 200);
}

/* On disk, with the certificate of `other`: one that can be sealed, stopped and started again. */
static inline void vault_start_raft(struct vault_server *s, const char *program, const struct vault_server *other)
{
    static char conf[4 * PATH_MAX];
    const char *path;
    if (s->port == 0) {
        s->port = free_port();
        do
            s->cluster = free_port();
        while (s->cluster == s->port);
        snprintf(s->url, sizeof s->url, "https://127.0.0.1:%d", s->port);
        snprintf(s->folder, sizeof s->folder, "%s", stage_mkdir("raft", 0700));
        memcpy(s->ca, other->ca, sizeof s->ca);
    }
    snprintf(conf, sizeof conf,
             "storage \"raft\" {\n  path = \"%s\"\n  node_id = \"n1\"\n}\nlistener \"tcp\" {\n  address = "
             "\"127.0.0.1:%d\"\n  cluster_address = \"127.0.0.1:%d\"\n  tls_cert_file = \"%s/vault-cert.pem\"\n  "
             "tls_key_file = \"%s/vault-key.pem\"\n}\n"
             "disable_mlock = true\napi_addr = \"%s\"\ncluster_addr = \"https://127.0.0.1:%d\"\n",
             s->folder, s->port, s->cluster, other->folder, other->folder, s->url, s->cluster);
    path = stage_text("raft.hcl", conf);
    const char *const argv[] = { program, "server", "-config", path, "-log-level=warn", NULL };
    vault_run(s, argv);
}

static inline void vault_stop(struct vault_server *s)
{
    struct timespec pause = { 0, 20000000 };
    if (s->pid <= 0)
        return;
    kill(s->pid, SIGCONT);
    kill(s->pid, SIGTERM);
    for (int i = 0; i < 250 && waitpid(s->pid, NULL, WNOHANG) == 0; i++)
        nanosleep(&pause, NULL);
    if (kill(s->pid, SIGKILL) == 0)
        waitpid(s->pid, NULL, 0);
    s->pid = 0;
}

#endif
