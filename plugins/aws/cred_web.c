/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Credentials from the service of a container or of an instance. These are link-local addresses (or this machine) that
 * speak plain HTTP: nothing between this machine and its own host could hold a certificate for them. It is the one
 * exception to TLS, and the addresses are fixed, so that no variable can send the token elsewhere.
 */
#include "aws.h"

#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../../common/secret_source.h"
#include "../../core/rfc3339.h"

#define CONTAINER "http://169.254.170.2"
#define INSTANCE "http://169.254.169.254"
#define ROLES "/latest/meta-data/iam/security-credentials/"
#define TOKEN_SECONDS "21600"
#define CONNECT_MS 1000 /* elsewhere than in a cloud nobody is there */
#define ROLE_MAX 128
#define METADATA_TOKEN_MAX 1024

/* `origin`: the variable that names such a service. */
static int open_service(const struct aws *a, const char *url, const char *origin, bool whole, struct tn_web **ret,
                        char why[TN_WEB_WHY])
{
    const struct tn_web_options o = {
        .host = a->host,
        .url = url,
        .connect_ms = CONNECT_MS,
        .agent = "tenuo_aws",
        .with_query = whole,
        .secrets = "a token file",
        .origin = origin,
        .no_cert = true,
        .metadata = true,
    };
    int r = tn_web_open(&o, NULL, ret, why);
    return r == TENUO_E_CONF ? TENUO_E_KEY_DENIED : r; /* comes of a variable, not of the line */
}

static bool member(const struct tn_json *j, const char *name, char *ret, size_t most, bool needed)
{
    int node = tn_json_get(j, 0, name);
    if (node == TN_JSON_NONE)
        return !needed;
    if (!tn_json_string(j, node, ret, most + 1, NULL))
        return false;
    for (const char *p = ret; *p != '\0'; p++)
        if ((unsigned char)*p <= 0x20 || (unsigned char)*p > 0x7e)
            return false;
    return ret[0] != '\0' || !needed;
}

static bool read_end(const struct tn_json *j, int64_t *ret)
{
    char text[64];
    uint64_t end = 0;
    if (!tn_json_string(j, tn_json_get(j, 0, "Expiration"), text, sizeof text, NULL) ||
        !tn_rfc3339_parse(tn_lit(text), &end))
        return false;
    *ret = (int64_t)end;
    return true;
}

static int read_creds(struct tn_web *w, const struct tn_web_answer *answer, struct aws_creds *ret, char why[TN_WEB_WHY])
{
    bool nomem = false;
    struct tn_json *j = answer->body == NULL ? NULL : tn_json_parse(answer->body, answer->len, &nomem);
    bool good = j != NULL && member(j, "AccessKeyId", ret->id, AWS_ID_MAX, true) &&
                member(j, "SecretAccessKey", ret->secret, AWS_ID_MAX, true) &&
                member(j, "Token", ret->token, AWS_TOKEN_MAX, false) && read_end(j, &ret->ends_at);
    tn_json_free(j);
    if (nomem)
        return TENUO_E_NOMEM;
    if (!good)
        snprintf(why, TN_WEB_WHY, "%s: what it gave are no credentials: look at the role", tn_web_server(w));
    return good ? TENUO_OK : TENUO_E_UNAVAILABLE;
}

/* One request; anything but 200 is a failure with a sentence. */
static int ask(struct tn_web *w, enum tn_web_method method, const char *path, const struct tn_web_header *header,
               struct tn_web_answer *ret, char why[TN_WEB_WHY])
{
    const struct tn_web_request q = {
        .method = method,
        .path = path,
        .headers = header,
        .nheaders = header != NULL ? 1 : 0,
        .secret_answer = true,
    };
    int r = tn_web_call(w, &q, ret);
    if (r != TENUO_OK) {
        snprintf(why, TN_WEB_WHY, "%s", ret->why);
        return r;
    }
    if (ret->status == 200)
        return TENUO_OK;
    snprintf(why, TN_WEB_WHY, "%s: it answered %ld: %s", tn_web_server(w), ret->status,
             ret->status == 404 ? "it has no role for us: attach one" : "look at the role and at the token");
    r = ret->status == 401 || ret->status == 403 ? TENUO_E_KEY_DENIED : TENUO_E_UNAVAILABLE;
    tn_web_forget(ret);
    return r;
}

/* The token of a container: from a file that its orchestrator rotates, or the environment. NULL: none is asked for. */
static int container_token(char **ret, char why[TN_WEB_WHY])
{
    const char *file = secure_getenv("AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE"),
               *word = secure_getenv("AWS_CONTAINER_AUTHORIZATION_TOKEN");
    struct tn_secret_source source = { .shared = true };
    char sentence[TN_SECRET_WHY] = "", *text = NULL;
    size_t n = 0;
    if (file == NULL && word == NULL)
        return TENUO_OK;
    if (file == NULL) {
        n = strlen(word);
        text = n <= AWS_TOKEN_MAX ? sodium_malloc(n + 1) : NULL;
        if (text == NULL)
            return TENUO_E_NOMEM;
        memcpy(text, word, n + 1);
        *ret = text;
        return TENUO_OK;
    }
    int r = tn_secret_set(&source, "AWS_CONTAINER_AUTHORIZATION_TOKEN", file, NULL, sentence);
    if (r == TENUO_OK)
        r = tn_secret_read_word(&source, ret, &n, sentence);
    tn_secret_clear(&source);
    if (r != TENUO_OK)
        snprintf(why, TN_WEB_WHY, "%s", sentence);
    return r == TENUO_E_CONF ? TENUO_E_KEY_DENIED : r;
}

static int fetch_container(struct aws *a, const char *url, const char *origin, struct aws_creds *ret,
                           char why[TN_WEB_WHY])
{
    struct tn_web *w = NULL;
    struct tn_web_answer answer = { 0 };
    struct tn_web_header header = { "Authorization", NULL };
    char *token = NULL;
    int r = container_token(&token, why);
    if (r == TENUO_OK)
        r = open_service(a, url, origin, true, &w, why);
    header.value = token;
    if (r == TENUO_OK)
        r = ask(w, TN_WEB_GET, NULL, token != NULL ? &header : NULL, &answer, why);
    if (r == TENUO_OK)
        r = read_creds(w, &answer, ret, why);
    if (r == TENUO_OK)
        snprintf(ret->source, sizeof ret->source, "container service %.120s", tn_web_server(w));
    tn_web_forget(&answer);
    tn_web_close(w);
    tn_secret_free(token);
    return r;
}

int aws_cred_container(struct aws *a, struct aws_creds *ret, char why[TN_WEB_WHY])
{
    const char *relative = secure_getenv("AWS_CONTAINER_CREDENTIALS_RELATIVE_URI"),
               *full = secure_getenv("AWS_CONTAINER_CREDENTIALS_FULL_URI");
    char *url = NULL;
    if (relative == NULL && full == NULL)
        return TENUO_E_KEY_NOT_FOUND;
    if (relative != NULL && relative[0] != '/') {
        snprintf(why, TN_WEB_WHY, "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI does not begin with '/'");
        return TENUO_E_KEY_DENIED;
    }
    if (asprintf(&url, "%s%s", relative != NULL ? CONTAINER : "", relative != NULL ? relative : full) < 0)
        return TENUO_E_NOMEM;
    const char *origin = relative != NULL ? "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI"
                                          : "AWS_CONTAINER_CREDENTIALS_FULL_URI";
    int r = fetch_container(a, url, origin, ret, why);
    free(url);
    return r;
}

/* Bytes of an answer as a word of some alphabet: a token, or the name of a role. */
static bool take_word(const struct tn_web_answer *answer, const char *others, char *ret, size_t most)
{
    size_t n = answer->len;
    const char *p = (const char *)answer->body;
    if (p != NULL && memchr(p, '\n', n) != NULL)
        n = (size_t)((const char *)memchr(p, '\n', n) - p); /* one role: the first */
    if (p == NULL || n == 0 || n > most)
        return false;
    for (size_t i = 0; i < n; i++)
        if (!((p[i] >= 'A' && p[i] <= 'Z') || (p[i] >= 'a' && p[i] <= 'z') || (p[i] >= '0' && p[i] <= '9') ||
              (p[i] != '\0' && strchr(others, p[i]) != NULL)))
            return false;
    memcpy(ret, p, n);
    ret[n] = '\0';
    return true;
}

static int get_word(struct tn_web *w, enum tn_web_method method, const char *path, const struct tn_web_header *header,
                    const char *others, char *ret, size_t most, char why[TN_WEB_WHY])
{
    struct tn_web_answer answer = { 0 };
    int r = ask(w, method, path, header, &answer, why);
    if (r == TENUO_OK && !take_word(&answer, others, ret, most)) {
        snprintf(why, TN_WEB_WHY, "%s: it is no metadata service, or of another kind", tn_web_server(w));
        r = TENUO_E_UNAVAILABLE;
    }
    tn_web_forget(&answer);
    return r;
}

/* Version 2 alone: the token that must be fetched with PUT is what keeps a confused proxy from handing keys out. */
static int fetch_instance(struct tn_web *w, char token[METADATA_TOKEN_MAX + 1], struct aws_creds *ret,
                          char why[TN_WEB_WHY])
{
    const struct tn_web_header lifetime = { "X-aws-ec2-metadata-token-ttl-seconds", TOKEN_SECONDS },
                               header = { "X-aws-ec2-metadata-token", token };
    char path[sizeof ROLES + ROLE_MAX] = ROLES, role[ROLE_MAX + 1] = "";
    struct tn_web_answer answer = { 0 };
    int r = get_word(w, TN_WEB_PUT, "/latest/api/token", &lifetime, "=-_+/.", token, METADATA_TOKEN_MAX, why);
    if (r == TENUO_OK)
        r = get_word(w, TN_WEB_GET, ROLES, &header, "=-_+.,@", role, ROLE_MAX, why);
    if (r != TENUO_OK)
        return r;
    memcpy(path + sizeof ROLES - 1, role, strlen(role) + 1);
    r = ask(w, TN_WEB_GET, path, &header, &answer, why);
    if (r == TENUO_OK)
        r = read_creds(w, &answer, ret, why);
    tn_web_forget(&answer);
    if (r == TENUO_OK)
        snprintf(ret->source, sizeof ret->source, "role %s of this instance", role);
    return r;
}

int aws_cred_instance(struct aws *a, struct aws_creds *ret, char why[TN_WEB_WHY])
{
    const char *off = secure_getenv("AWS_EC2_METADATA_DISABLED"),
               *url = secure_getenv("AWS_EC2_METADATA_SERVICE_ENDPOINT");
    struct tn_web *w = NULL;
    if (off != NULL && strcasecmp(off, "true") == 0)
        return TENUO_E_KEY_NOT_FOUND;
    char *token = sodium_malloc(METADATA_TOKEN_MAX + 1);
    int r = token == NULL
                ? TENUO_E_NOMEM
                : open_service(a, url != NULL ? url : INSTANCE, "AWS_EC2_METADATA_SERVICE_ENDPOINT", false, &w, why);
    if (r == TENUO_OK)
        r = fetch_instance(w, token, ret, why);
    tn_web_close(w);
    sodium_free(token);
    return r;
}
