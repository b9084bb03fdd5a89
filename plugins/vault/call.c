/* SPDX-License-Identifier: Apache-2.0 */
/* One request to Vault, and what its answer means: which code, which place, which remedy. Never shows a token, a body
 * or a field. */
#include "vault.h"

#include <sodium.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "../../core/rfc3339.h"

int vault_say(const struct vault *v, int code, const char *fmt, ...)
{
    char text[TN_WEB_WHY];
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(text, sizeof text, fmt, ap);
    va_end(ap);
    v->host->error(v->host, "%s", text);
    return code;
}

void vault_text_begin(struct vault_text *t, size_t cap)
{
    *t = (struct vault_text){ .p = sodium_malloc(cap), .cap = cap };
    t->bad = t->p == NULL;
    if (!t->bad)
        t->p[0] = '\0';
}

static void add_bytes(struct vault_text *t, const char *p, size_t n)
{
    if (t->bad || n >= t->cap - t->len) {
        t->bad = true;
        return;
    }
    memcpy(t->p + t->len, p, n);
    t->len += n;
    t->p[t->len] = '\0';
}

void vault_text_add(struct vault_text *t, const char *raw)
{
    add_bytes(t, raw, strlen(raw));
}

void vault_text_add_string(struct vault_text *t, const char *text)
{
    char escape[8];
    add_bytes(t, "\"", 1);
    for (; *text != '\0'; text++) {
        if ((unsigned char)*text < 0x20 || *text == '"' || *text == '\\') {
            snprintf(escape, sizeof escape, "\\u%04x", (unsigned)(unsigned char)*text);
            add_bytes(t, escape, 6);
        } else {
            add_bytes(t, text, 1);
        }
    }
    add_bytes(t, "\"", 1);
}

void vault_text_end(struct vault_text *t)
{
    sodium_free(t->p); /* wipes */
    t->p = NULL;
}

void vault_api(const struct vault *v, const char *prefix, const char *name, char ret[VAULT_API_BYTES])
{
    const char *const parts[] = { prefix, v->folder, v->before, name, v->after };
    size_t at = 0;
    for (size_t i = 0; i < sizeof parts / sizeof parts[0]; i++) {
        size_t n = strlen(parts[i]), room = VAULT_API_BYTES - 1 - at; /* the bounds of open make it enough */
        memcpy(ret + at, parts[i], n < room ? n : room);
        at += n < room ? n : room;
    }
    ret[at] = '\0';
}

bool vault_id_of(const struct vault *v, const char *entry, size_t len, const char **ret_name, size_t *ret_len)
{
    size_t before = strlen(v->before), after = strlen(v->after);
    if (len <= before + after || memcmp(entry, v->before, before) != 0 ||
        memcmp(entry + len - after, v->after, after) != 0)
        return false;
    *ret_name = entry + before;
    *ret_len = len - before - after;
    return true;
}

int64_t vault_time(const struct tn_json *j, int node)
{
    char text[64];
    size_t n = 0;
    uint64_t when = 0;
    if (!tn_json_string(j, node, text, sizeof text, &n) || n < 20 || text[n - 1] != 'Z')
        return 0;
    text[19] = 'Z'; /* without the fraction */
    return tn_rfc3339_parse((struct tn_str){ (const uint8_t *)text, 20 }, &when) ? (int64_t)when : 0;
}

/* Puts one of the texts of an array into `ret`, on one line. */
static void first_text(const struct tn_web_answer *a, const char *member, char *ret, size_t size)
{
    char whole[1024];
    bool nomem = false;
    int at = TN_JSON_NONE, node = TN_JSON_NONE;
    struct tn_json *j = a->body != NULL ? tn_json_parse(a->body, a->len, &nomem) : NULL;
    ret[0] = '\0';
    if (j == NULL)
        return;
    if (tn_json_next(j, tn_json_get(j, 0, member), &at, NULL, &node) &&
        tn_json_string(j, node, whole, sizeof whole, NULL))
        snprintf(ret, size, "%s", whole);
    tn_json_free(j);
    for (char *p = ret; *p != '\0'; p++)
        if ((unsigned char)*p < 0x20)
            *p = ' ';
}

void vault_first_error(const struct tn_web_answer *a, char *ret, size_t size)
{
    first_text(a, "errors", ret, size);
}

int vault_json(const struct vault *v, const struct tn_web_answer *a, struct tn_json **ret)
{
    bool nomem = false;
    *ret = a->body != NULL ? tn_json_parse(a->body, a->len, &nomem) : NULL;
    if (*ret != NULL)
        return TENUO_OK;
    if (nomem)
        return TENUO_E_NOMEM;
    return vault_say(v, TENUO_E_UNAVAILABLE, "%s: the answer is no JSON: is it Vault that listens at url=?",
                     tn_web_server(v->web));
}

int vault_send(struct vault *v, const char *token, const struct vault_ask *ask, const char *path,
               struct tn_web_answer *ret)
{
    struct tn_web_header headers[4] = { { "X-Vault-Request", "true" } };
    struct tn_web_request q = {
        .method = ask->method,
        .path = path,
        .headers = headers,
        .nheaders = 1,
        .body = ask->body,
        .body_len = ask->body_len,
        .secret_body = ask->secret,
        .secret_answer = ask->secret,
        .most = ask->secret ? 0 : TN_JSON_TEXT_MAX,
        .once = ask->once,
        .settled = ask->settled,
    };
    if (token != NULL)
        headers[q.nheaders++] = (struct tn_web_header){ "X-Vault-Token", token };
    if (v->namespace[0] != '\0')
        headers[q.nheaders++] = (struct tn_web_header){ "X-Vault-Namespace", v->namespace };
    if (ask->body != NULL)
        headers[q.nheaders++] = (struct tn_web_header){ "Content-Type", "application/json" };
    return tn_web_ask(v->web, &q, ret);
}

static bool make_path(const struct vault *v, const struct vault_ask *ask, char ret[VAULT_PATH_BYTES])
{
    char mount[3 * VAULT_NAME_MAX + 4], api[3 * VAULT_API_BYTES + 4];
    if (!tn_web_escape(v->mount, true, mount, sizeof mount) || !tn_web_escape(ask->api, true, api, sizeof api))
        return false;
    int n = snprintf(ret, VAULT_PATH_BYTES, "/v1/%s/%s%s", mount, api, ask->query != NULL ? ask->query : "");
    return n > 0 && n < VAULT_PATH_BYTES;
}

/* Vault says what is not there in words of its own; a proxy in front of it, or another server, says 404 too. */
static int is_vaults(const struct vault *v, const struct tn_web_answer *a)
{
    static const char *const members[] = { "errors", "data" };
    struct tn_json *j = NULL;
    int r = vault_json(v, a, &j);
    if (r != TENUO_OK)
        return r;
    bool said = false;
    for (size_t i = 0; i < sizeof members / sizeof members[0]; i++)
        said = said || tn_json_get(j, 0, members[i]) != TN_JSON_NONE;
    tn_json_free(j);
    if (said)
        return TENUO_OK;
    return vault_say(v, TENUO_E_UNAVAILABLE,
                     "%s: it answered 404, and not as Vault does: is it Vault that listens at url=?",
                     tn_web_server(v->web));
}

static int judge_404(const struct vault *v, const struct tn_web_answer *a)
{
    char text[160];
    int r = is_vaults(v, a);
    if (r != TENUO_OK)
        return r;
    vault_first_error(a, text, sizeof text);
    if (strstr(text, "no handler for route") != NULL)
        return vault_say(v, TENUO_E_UNAVAILABLE,
                         "%s: no secrets engine is mounted at %s: look at mount= and namespace=, and at 'vault secrets "
                         "list'",
                         tn_web_server(v->web), v->mount);
    first_text(a, "warnings", text, sizeof text);
    if (strstr(text, "versioned K/V") != NULL)
        return vault_say(v, TENUO_E_UNAVAILABLE, "%s: the engine at %s is KV version 2: write engine=kv2",
                         tn_web_server(v->web), v->mount);
    return TENUO_OK;
}

static int judge_others(const struct vault *v, const struct vault_ask *ask, const struct tn_web_answer *a)
{
    char text[160];
    const char *server = tn_web_server(v->web);
    vault_first_error(a, text, sizeof text);
    if (a->status >= 300 && a->status < 400)
        return vault_say(v, TENUO_E_UNAVAILABLE,
                         "%s: it redirects (%ld), which is not followed: a standby, perhaps; name the active node in "
                         "url=",
                         server, a->status);
    if (a->status == 472 || a->status == 473 || a->status == 412)
        return vault_say(v, TENUO_E_UNAVAILABLE,
                         "%s: it is a standby that cannot answer yet (%ld): name the active "
                         "node in url=",
                         server, a->status);
    return vault_say(v, TENUO_E_UNAVAILABLE, "%s: it answered %ld to %s/%s: %s", server, a->status, v->mount, ask->api,
                     text[0] != '\0' ? text : "is that engine mounted there?");
}

static int judge(const struct vault *v, const struct vault_ask *ask, const struct tn_web_answer *a)
{
    if (a->status >= 200 && a->status < 300)
        return TENUO_OK;
    if (a->status == 404)
        return judge_404(v, a);
    if ((a->status == 400 && ask->refused_ok) || a->status >= 500)
        return TENUO_OK;
    if (a->status == 403 && ask->denied_ok)
        return TENUO_E_KEY_DENIED;
    if (a->status == 403)
        return vault_say(v, TENUO_E_KEY_DENIED,
                         "%s: permission denied: the policy needs  path \"%s/%s\" { capabilities = [\"%s\"] }",
                         tn_web_server(v->web), v->mount, ask->api, ask->capability);
    return judge_others(v, ask, a);
}

/* One try; *ret_again when the token had ended and another one may do. */
static int try_once(struct vault *v, const struct vault_ask *ask, const char *path, bool last,
                    struct tn_web_answer *ret, bool *ret_again)
{
    char *token = NULL;
    unsigned serial = 0;
    enum vault_verdict verdict = TOKEN_ALIVE;
    int r = vault_token(v, &token, &serial);
    *ret_again = false;
    if (r != TENUO_OK)
        return r;
    r = vault_send(v, token, ask, path, ret);
    if (r != TENUO_OK)
        v->host->error(v->host, "%s", ret->why);
    else if (ret->status == 403)
        verdict = vault_judge_token(v, token, serial, ret);
    tn_secret_free(token);
    if (r != TENUO_OK)
        return r;
    if (verdict == TOKEN_REPLACED && !last) {
        *ret_again = true;
        return TENUO_OK;
    }
    if (verdict == TOKEN_DEAD)
        return vault_say(v, TENUO_E_KEY_DENIED,
                         "%s: the token has ended or was revoked: put a new one in place of the "
                         "old (token_file=, token_credential=)",
                         tn_web_server(v->web));
    return judge(v, ask, ret);
}

int vault_call(struct vault *v, const struct vault_ask *ask, struct tn_web_answer *ret)
{
    char path[VAULT_PATH_BYTES];
    bool again = false;
    int r;
    *ret = (struct tn_web_answer){ 0 };
    if (!make_path(v, ask, path))
        return TENUO_E_INVALID_ARGUMENT;
    r = try_once(v, ask, path, false, ret, &again);
    if (!again)
        return r;
    tn_web_forget(ret);
    return try_once(v, ask, path, true, ret, &again);
}

int vault_each(struct vault *v, const char *api, bool denied_ok, int (*each)(void *arg, const char *entry, size_t len),
               void *arg)
{
    static const char *const keys[] = { "data", "keys", NULL };
    struct vault_ask ask = { TN_WEB_LIST, .api = api, .capability = "list", .denied_ok = denied_ok };
    struct tn_web_answer a;
    struct tn_json *j = NULL;
    char entry[VAULT_API_BYTES];
    int at = TN_JSON_NONE, node, r = vault_call(v, &ask, &a);
    size_t n = 0;
    if (r == TENUO_OK && a.status != 404)
        r = vault_json(v, &a, &j);
    if (j != NULL)
        while (tn_json_next(j, tn_json_path(j, 0, keys), &at, NULL, &node))
            if (tn_json_string(j, node, entry, sizeof entry, &n) && each(arg, entry, n) != 0)
                break;
    tn_json_free(j);
    tn_web_forget(&a);
    return r;
}
