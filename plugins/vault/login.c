/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Tokens: read from a file, or got by a login; renewed at two thirds of their life by whichever call comes then. One
 * call does it, the others go on with the old token or wait for the outcome; a failure stands for a while, so that no
 * trouble makes a storm of logins. Tokens live in guarded memory.
 */
#include "vault.h"

#include <errno.h>
#include <sodium.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#define BODY_BYTES (3 * TN_KEYFILE_MAX)
#define DENIED_REST_MS 2000
#define AWAY_REST_MS 500
#define YOUNG_MS 5000 /* a login that is so fresh is not doubted without proof */
#define TOKEN_BYTES 8192

bool vault_login_init(struct vault_login *l)
{
    pthread_condattr_t attr;
    if (pthread_condattr_init(&attr) != 0)
        return false;
    bool good = pthread_condattr_setclock(&attr, CLOCK_MONOTONIC) == 0 && pthread_cond_init(&l->done, &attr) == 0;
    pthread_condattr_destroy(&attr);
    if (good && pthread_mutex_init(&l->lock, NULL) == 0)
        return true;
    if (good)
        pthread_cond_destroy(&l->done);
    return false;
}

void vault_login_free(struct vault_login *l)
{
    sodium_free(l->token);
    pthread_cond_destroy(&l->done);
    pthread_mutex_destroy(&l->lock);
}

static int no_memory(char why[TN_WEB_WHY])
{
    snprintf(why, TN_WEB_WHY, "out of memory");
    return TENUO_E_NOMEM;
}

static char *copy_token(const char *text)
{
    size_t n = strlen(text) + 1;
    char *copy = sodium_malloc(n);
    if (copy != NULL)
        memcpy(copy, text, n);
    return copy;
}

/* `text` is taken over; NULL: the token stays, with a new end. Seconds 0: it never ends. */
static void put_token(struct vault_login *l, char *text, uint64_t seconds, bool renewable)
{
    uint64_t now = tn_web_clock_ms(), ms = seconds < UINT32_MAX ? seconds * 1000 : (uint64_t)UINT32_MAX * 1000;
    pthread_mutex_lock(&l->lock);
    if (text != NULL) {
        sodium_free(l->token);
        l->token = text;
        l->ttl = ms;
        l->born = now;
        l->serial++;
    }
    l->renewable = renewable;
    l->expires = ms == 0 ? 0 : now + ms;
    l->renew_at = ms == 0 ? 0 : now + ms / 3 * 2;
    pthread_mutex_unlock(&l->lock);
}

/* From an answer with "auth": the token, when it is wanted, and how long it lives. */
static int take_auth(struct vault *v, const struct tn_web_answer *a, bool with_token, char why[TN_WEB_WHY])
{
    bool nomem = false;
    struct tn_json *j = a->body != NULL ? tn_json_parse(a->body, a->len, &nomem) : NULL;
    int auth = j != NULL ? tn_json_get(j, 0, "auth") : TN_JSON_NONE;
    char *token = with_token ? sodium_malloc(TOKEN_BYTES) : NULL;
    uint64_t seconds = 0;
    size_t n = 0;
    bool good = j != NULL && tn_json_uint(j, tn_json_get(j, auth, "lease_duration"), &seconds);
    if (with_token)
        good = good && token != NULL &&
               tn_json_string(j, tn_json_get(j, auth, "client_token"), token, TOKEN_BYTES, &n) && n > 0 &&
               strpbrk(token, " \r\n\t") == NULL;
    if (good) {
        char *exact = with_token ? copy_token(token) : NULL;
        if (exact != NULL || !with_token)
            put_token(&v->login, exact, seconds, tn_json_true(j, tn_json_get(j, auth, "renewable")));
        else
            nomem = true;
    }
    nomem = nomem || (with_token && token == NULL);
    tn_json_free(j);
    sodium_free(token);
    if (nomem)
        return no_memory(why);
    if (good)
        return TENUO_OK;
    snprintf(why, TN_WEB_WHY, "%s: the login was answered without a token: is it Vault that listens at url=?",
             tn_web_server(v->web));
    return TENUO_E_UNAVAILABLE;
}

/* Adds "name": the word of a secret. */
static int add_secret(struct vault_text *t, const char *name, const struct tn_secret_source *s, char why[TN_WEB_WHY])
{
    char *text = NULL, reason[TN_SECRET_WHY];
    size_t n = 0;
    int r = tn_secret_read_word(s, &text, &n, reason);
    if (r != TENUO_OK) {
        snprintf(why, TN_WEB_WHY, "%s", reason);
        return r;
    }
    vault_text_add(t, t->len > 1 ? "," : "");
    vault_text_add_string(t, name);
    vault_text_add(t, ":");
    vault_text_add_string(t, text);
    tn_secret_free(text);
    return TENUO_OK;
}

static void add_plain(struct vault_text *t, const char *name, const char *value)
{
    if (value[0] == '\0')
        return;
    vault_text_add(t, t->len > 1 ? "," : "");
    vault_text_add_string(t, name);
    vault_text_add(t, ":");
    vault_text_add_string(t, value);
}

static int make_body(struct vault *v, struct vault_text *t, char why[TN_WEB_WHY])
{
    int r = TENUO_OK;
    vault_text_add(t, "{");
    if (v->auth == AUTH_APPROLE)
        r = add_secret(t, "role_id", &v->role_id, why);
    if (r == TENUO_OK && v->auth == AUTH_APPROLE && tn_secret_given(&v->secret_id))
        r = add_secret(t, "secret_id", &v->secret_id, why);
    if (v->auth == AUTH_KUBERNETES) {
        add_plain(t, "role", v->role);
        r = add_secret(t, "jwt", &v->jwt, why);
    }
    if (v->auth == AUTH_CERT)
        add_plain(t, "name", v->role);
    vault_text_add(t, "}");
    return r == TENUO_OK && t->bad ? no_memory(why) : r;
}

static const char *remedy(const struct vault *v)
{
    switch (v->auth) {
    case AUTH_APPROLE:
        return "issue a new secret_id, or look at role_id and the role's limits";
    case AUTH_CERT:
        return "look at cert=, role= and the certificates that the method trusts";
    case AUTH_KUBERNETES:
        return "look at role=, the service account and its token";
    case AUTH_TOKEN:
        break;
    }
    return "look at the token";
}

static int refuse_login(const struct vault *v, const struct tn_web_answer *a, char why[TN_WEB_WHY])
{
    char text[160];
    vault_first_error(a, text, sizeof text);
    if (a->status == 404)
        snprintf(why, TN_WEB_WHY,
                 "%s: no login at auth/%s: look at auth_mount= and namespace=, and at 'vault auth list'",
                 tn_web_server(v->web), v->auth_mount);
    else
        snprintf(why, TN_WEB_WHY, "%s: login at auth/%s refused (%ld, %s): %s", tn_web_server(v->web), v->auth_mount,
                 a->status, text, remedy(v));
    return a->status >= 300 && a->status < 400 ? TENUO_E_UNAVAILABLE : TENUO_E_KEY_DENIED;
}

/* A secret is sent at most once: a secret_id may be good for a counted number of logins. */
static int send_login(struct vault *v, const struct vault_text *body, char why[TN_WEB_WHY])
{
    char mount[3 * VAULT_NAME_MAX + 4], path[3 * VAULT_NAME_MAX + 32];
    struct vault_ask ask = { TN_WEB_POST, .body = body->p, .body_len = body->len, .secret = true, .once = true };
    struct tn_web_answer a;
    if (!tn_web_escape(v->auth_mount, true, mount, sizeof mount))
        return TENUO_E_INVALID_ARGUMENT;
    snprintf(path, sizeof path, "/v1/auth/%s/login", mount);
    int r = vault_send(v, NULL, &ask, path, &a);
    if (r != TENUO_OK)
        snprintf(why, TN_WEB_WHY, "%s", a.why);
    else
        r = a.status == 200 ? take_auth(v, &a, true, why) : refuse_login(v, &a, why);
    tn_web_forget(&a);
    return r;
}

static int log_in(struct vault *v, char why[TN_WEB_WHY])
{
    struct vault_text body;
    vault_text_begin(&body, BODY_BYTES);
    int r = body.bad ? no_memory(why) : make_body(v, &body, why);
    if (r == TENUO_OK)
        r = send_login(v, &body, why);
    vault_text_end(&body);
    return r;
}

/* How long the token of a file lives. It may be one that must not ask: then nobody knows, and it is used as it is. */
static int look_up(struct vault *v, char *token, char why[TN_WEB_WHY])
{
    struct vault_ask ask = { TN_WEB_GET, .secret = true };
    struct tn_web_answer a;
    bool nomem = false, renewable = false;
    uint64_t seconds = 0;
    int r = vault_send(v, token, &ask, "/v1/auth/token/lookup-self", &a);
    if (r == TENUO_OK && a.status == 200) {
        struct tn_json *j = a.body != NULL ? tn_json_parse(a.body, a.len, &nomem) : NULL;
        int data = j != NULL ? tn_json_get(j, 0, "data") : TN_JSON_NONE;
        if (j != NULL && tn_json_uint(j, tn_json_get(j, data, "ttl"), &seconds))
            renewable = tn_json_true(j, tn_json_get(j, data, "renewable"));
        tn_json_free(j);
    }
    if (r == TENUO_OK)
        put_token(&v->login, token, seconds, renewable);
    else
        snprintf(why, TN_WEB_WHY, "%s", a.why);
    tn_web_forget(&a);
    return r;
}

static int adopt(struct vault *v, const char *text, char why[TN_WEB_WHY])
{
    char *copy = copy_token(text);
    if (copy == NULL)
        return no_memory(why);
    int r = look_up(v, copy, why);
    if (r != TENUO_OK)
        sodium_free(copy);
    return r;
}

/* TENUO_E_KEY_DENIED: this token will not live longer. */
static int renew(struct vault *v, char why[TN_WEB_WHY])
{
    struct vault_ask ask = { TN_WEB_POST, .body = "{}", .body_len = 2, .secret = true };
    struct tn_web_answer a;
    int r = vault_send(v, v->login.token, &ask, "/v1/auth/token/renew-self", &a);
    if (r != TENUO_OK) {
        snprintf(why, TN_WEB_WHY, "%s", a.why);
    } else if (a.status == 200) {
        r = take_auth(v, &a, false, why);
    } else {
        snprintf(why, TN_WEB_WHY, "%s: the token cannot be renewed (%ld)", tn_web_server(v->web), a.status);
        r = TENUO_E_KEY_DENIED;
    }
    tn_web_forget(&a);
    return r;
}

/* A token near its last end is renewed for less and less. */
static bool is_fading(struct vault_login *l)
{
    uint64_t now = tn_web_clock_ms();
    pthread_mutex_lock(&l->lock);
    bool fading = l->expires != 0 && (l->expires <= now || l->expires - now < l->ttl / 2);
    pthread_mutex_unlock(&l->lock);
    return fading;
}

/* By the one call that is busy with it. `file`: what the file of auth=token holds. */
static int refresh(struct vault *v, const char *file, bool changed, bool usable, char why[TN_WEB_WHY])
{
    struct vault_login *l = &v->login;
    if (changed && file != NULL)
        return adopt(v, file, why);
    if (usable && l->renewable) {
        int r = renew(v, why);
        if (r == TENUO_OK && (v->auth == AUTH_TOKEN || !is_fading(l)))
            return r;
        if (r != TENUO_OK && (r != TENUO_E_KEY_DENIED || v->auth == AUTH_TOKEN))
            return r;
    }
    if (v->auth != AUTH_TOKEN)
        return log_in(v, why);
    pthread_mutex_lock(&l->lock);
    l->renew_at = 0; /* it ends when it ends */
    pthread_mutex_unlock(&l->lock);
    return TENUO_OK;
}

/* With the lock held. When the token of a file ends is Vault's to say: it tells its life in whole seconds. */
static bool is_usable(const struct vault *v, bool changed)
{
    const struct vault_login *l = &v->login;
    return l->token != NULL && !changed && (l->expires == 0 || v->auth == AUTH_TOKEN || tn_web_clock_ms() < l->expires);
}

static int note_failure(struct vault_login *l, int code, const char *why)
{
    l->failures++;
    l->code = code;
    l->rest_until = tn_web_clock_ms() + (code == TENUO_E_KEY_DENIED ? DENIED_REST_MS : AWAY_REST_MS);
    snprintf(l->why, sizeof l->why, "%s", why);
    return code;
}

/* With the lock held, which is given back meanwhile. */
static int do_refresh(struct vault *v, const char *file, bool changed, bool usable)
{
    struct vault_login *l = &v->login;
    char why[TN_WEB_WHY] = "";
    l->busy = true;
    pthread_mutex_unlock(&l->lock);
    int r = refresh(v, file, changed, usable, why);
    pthread_mutex_lock(&l->lock);
    l->busy = false;
    if (r != TENUO_OK)
        note_failure(l, r, why);
    pthread_cond_broadcast(&l->done);
    return r;
}

/* With the lock held: until the busy one is done. False when this call's time is over. */
static bool wait_done(struct vault *v)
{
    struct vault_login *l = &v->login;
    uint64_t ends = tn_web_clock_ms() + v->host->deadline(v->host);
    struct timespec until = { .tv_sec = (time_t)(ends / 1000), .tv_nsec = (long)(ends % 1000) * 1000000 };
    while (l->busy)
        if (pthread_cond_timedwait(&l->done, &l->lock, &until) == ETIMEDOUT)
            return !l->busy;
    return true;
}

/* With the lock held: TENUO_OK when there is a token to use. */
static int have_token(struct vault *v, const char *file, char why[TN_WEB_WHY])
{
    struct vault_login *l = &v->login;
    unsigned before = l->failures;
    for (;;) {
        bool changed = file != NULL && (l->token == NULL || strcmp(file, l->token) != 0);
        bool usable = is_usable(v, changed);
        uint64_t now = tn_web_clock_ms();
        bool due = !usable || (l->renew_at != 0 && now >= l->renew_at);
        bool spared = now < l->rest_until && !changed;
        if (!due || (usable && (l->busy || spared)))
            return TENUO_OK;
        if (!l->busy && !spared && l->failures == before) {
            int r = do_refresh(v, file, changed, usable);
            if (r == TENUO_OK || is_usable(v, changed))
                return TENUO_OK;
        }
        if (l->failures != before || (spared && !l->busy)) {
            snprintf(why, TN_WEB_WHY, "%s", l->why);
            return l->code;
        }
        if (!wait_done(v)) {
            snprintf(why, TN_WEB_WHY, "%s: the login did not end in time: look at the server's load",
                     tn_web_server(v->web));
            return TENUO_E_UNAVAILABLE;
        }
    }
}

/* The token's file is read at each call, so that a new one is used at once. */
static int read_file(struct vault *v, char **ret_text)
{
    char why[TN_SECRET_WHY];
    size_t n = 0;
    if (v->auth != AUTH_TOKEN)
        return TENUO_OK;
    int r = tn_secret_read_word(&v->token, ret_text, &n, why);
    return r == TENUO_OK ? r : vault_say(v, r, "%s", why);
}

int vault_token(struct vault *v, char **ret_token, unsigned *ret_serial)
{
    struct vault_login *l = &v->login;
    char *file = NULL, *copy = NULL, why[TN_WEB_WHY] = "";
    int r = read_file(v, &file);
    if (r != TENUO_OK)
        return r;
    pthread_mutex_lock(&l->lock);
    r = have_token(v, file, why);
    if (r == TENUO_OK) {
        copy = copy_token(l->token);
        *ret_serial = l->serial;
    }
    pthread_mutex_unlock(&l->lock);
    tn_secret_free(file);
    if (r != TENUO_OK)
        return vault_say(v, r, "%s", why);
    if (copy == NULL)
        return TENUO_E_NOMEM;
    *ret_token = copy;
    return TENUO_OK;
}

/* Vault says so, or it does not even let the token look at itself. */
static bool is_ended(struct vault *v, const char *token, const struct tn_web_answer *a)
{
    struct vault_ask ask = { TN_WEB_GET, .secret = true };
    struct tn_web_answer look;
    char text[160];
    vault_first_error(a, text, sizeof text);
    if (strstr(text, "invalid token") != NULL || strstr(text, "bad token") != NULL)
        return true;
    pthread_mutex_lock(&v->login.lock);
    bool young = tn_web_clock_ms() - v->login.born < YOUNG_MS;
    pthread_mutex_unlock(&v->login.lock);
    if (young)
        return false;
    int r = vault_send(v, token, &ask, "/v1/auth/token/lookup-self", &look);
    bool ended = r == TENUO_OK && look.status == 403;
    tn_web_forget(&look);
    return ended;
}

enum vault_verdict vault_judge_token(struct vault *v, const char *token, unsigned serial, const struct tn_web_answer *a)
{
    struct vault_login *l = &v->login;
    bool ended = is_ended(v, token, a);
    pthread_mutex_lock(&l->lock);
    bool other = l->serial != serial;
    if (ended && !other && v->auth != AUTH_TOKEN)
        l->expires = 1; /* long ago */
    pthread_mutex_unlock(&l->lock);
    if (other)
        return TOKEN_REPLACED;
    if (!ended)
        return TOKEN_ALIVE;
    return v->auth == AUTH_TOKEN ? TOKEN_DEAD : TOKEN_REPLACED;
}
