/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One action of a service: a JSON body, signed (SigV4) by libcurl, and its answer. Bodies and answers that may hold a
 * seed are in guarded memory. Nothing of an answer's text reaches a sentence but a code of letters and digits.
 */
#include "aws.h"

#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct aws_body {
    size_t len;
    bool full;
    char text[AWS_BODY_MAX];
};

struct aws_body *aws_body_new(void)
{
    struct aws_body *b = sodium_malloc(sizeof *b);
    if (b == NULL)
        return NULL;
    b->len = 0;
    b->full = false;
    return b;
}

void aws_body_free(struct aws_body *b)
{
    sodium_free(b); /* wipes */
}

static void put_bytes(struct aws_body *b, const char *text, size_t n)
{
    if (b == NULL || b->full || n > sizeof b->text - b->len) {
        if (b != NULL)
            b->full = true;
        return;
    }
    memcpy(b->text + b->len, text, n);
    b->len += n;
}

void aws_put(struct aws_body *b, const char *text)
{
    put_bytes(b, text, strlen(text));
}

/* What a server gave (a page's token) comes back to it as JSON wants it. */
void aws_put_string(struct aws_body *b, const char *text)
{
    aws_put(b, "\"");
    for (; *text != '\0'; text++) {
        char hex[8];
        if ((unsigned char)*text < 0x20) {
            snprintf(hex, sizeof hex, "\\u%04x", (unsigned)(unsigned char)*text);
            aws_put(b, hex);
            continue;
        }
        if (*text == '"' || *text == '\\')
            aws_put(b, "\\");
        put_bytes(b, text, 1);
    }
    aws_put(b, "\"");
}

void aws_put_base64(struct aws_body *b, const void *bytes, size_t n)
{
    size_t need = sodium_base64_encoded_len(n, sodium_base64_VARIANT_ORIGINAL); /* with a NUL */
    aws_put(b, "\"");
    if (b == NULL || b->full || need > sizeof b->text - b->len) {
        if (b != NULL)
            b->full = true;
        return;
    }
    sodium_bin2base64(b->text + b->len, need, bytes, n, sodium_base64_VARIANT_ORIGINAL);
    b->len += need - 1;
    aws_put(b, "\"");
}

void aws_put_uint(struct aws_body *b, uint32_t n)
{
    char text[12];
    snprintf(text, sizeof text, "%lu", (unsigned long)n);
    aws_put(b, text);
}

static bool is_throttled(const struct tn_web_answer *answer)
{
    char code[AWS_CODE_MAX + 1];
    if (answer->status < 400)
        return false;
    aws_error_code(answer, code);
    return aws_meaning(NULL, answer, code).kind == AWS_THROTTLED;
}

static int send(struct aws *a, const struct aws_ask *q, const struct aws_body *body, const struct aws_creds *creds,
                struct tn_web_answer *ret)
{
    char target[96];
    const struct tn_web_sigv4 sigv4 = { a->provider, creds->id, creds->secret };
    const struct tn_web_header headers[] = {
        { "X-Amz-Target", target },
        { "Content-Type", "application/x-amz-json-1.1" },
        { "X-Amz-Security-Token", creds->token },
    };
    const struct tn_web_request request = {
        .method = TN_WEB_POST,
        .path = "/",
        .headers = headers,
        .nheaders = creds->token[0] != '\0' ? 3 : 2,
        .body = body->text,
        .body_len = body->len,
        .secret_body = q->secret_body,
        .secret_answer = !q->list,
        .once = q->once,
        .most = q->list ? AWS_LIST_MAX : 0,
        .sigv4 = &sigv4,
        .is_throttled = is_throttled,
    };
    snprintf(target, sizeof target, "%s.%s", a->service->target, q->action);
    return tn_web_ask(a->web, &request, ret);
}

int aws_odd(const struct aws *a, const struct aws_ask *q, const char *what)
{
    return aws_fail(a, TENUO_E_UNAVAILABLE, "%s: %s of %s: %s: look at endpoint=", tn_web_server(a->web), q->action,
                    q->what, what);
}

static int explain(const struct aws *a, const struct aws_ask *q, const struct aws_creds *creds,
                   const struct tn_web_answer *answer, enum aws_kind *ret_kind)
{
    char code[AWS_CODE_MAX + 1];
    aws_error_code(answer, code);
    struct aws_meaning m = aws_meaning(a->service, answer, code);
    *ret_kind = m.kind;
    if (m.code == TENUO_E_KEY_DENIED && q->quiet_denied)
        return m.code;
    return aws_fail(a, m.code, "%s: %s of %s: %s: %s (credentials: %s)", tn_web_server(a->web), q->action, q->what,
                    code[0] != '\0' ? code : "no code", m.remedy, creds->source);
}

static int read_answer(const struct aws *a, const struct aws_ask *q, struct aws_reply *r)
{
    bool nomem = false;
    if (r->answer.body != NULL)
        r->json = tn_json_parse(r->answer.body, r->answer.len, &nomem);
    if (nomem)
        return TENUO_E_NOMEM;
    if (r->json == NULL || tn_json_type(r->json, 0) != TN_JSON_OBJECT)
        return aws_odd(a, q, "the answer is no JSON object");
    return TENUO_OK;
}

static int attempt(struct aws *a, const struct aws_ask *q, const struct aws_body *body, bool fresh,
                   struct aws_reply *ret, enum aws_kind *ret_kind)
{
    struct aws_creds *creds = NULL;
    int r = aws_credentials(a, fresh, &creds);
    if (r != TENUO_OK)
        return r;
    r = send(a, q, body, creds, &ret->answer);
    if (r != TENUO_OK)
        (void)aws_fail(a, r, "%s", ret->answer.why);
    else if (ret->answer.status == 200)
        r = read_answer(a, q, ret);
    else
        r = explain(a, q, creds, &ret->answer, ret_kind);
    aws_credentials_forget(creds);
    return r;
}

int aws_call(struct aws *a, const struct aws_ask *q, struct aws_body *body, struct aws_reply *ret)
{
    enum aws_kind kind = AWS_OTHER;
    int r = TENUO_E_NOMEM;
    *ret = (struct aws_reply){ 0 };
    if (body == NULL)
        return r;
    if (body->full) {
        r = aws_fail(a, TENUO_E_INVALID_ARGUMENT, "%s of %s: the request is too long", q->action, q->what);
        goto out;
    }
    r = attempt(a, q, body, false, ret, &kind);
    if (kind == AWS_EXPIRED) { /* once more, with what the source gives now */
        aws_reply_end(ret);
        r = attempt(a, q, body, true, ret, &kind);
    }
out:
    aws_body_free(body);
    if (r != TENUO_OK)
        aws_reply_end(ret);
    return r;
}

void aws_reply_end(struct aws_reply *r)
{
    tn_json_free(r->json);
    r->json = NULL;
    tn_web_forget(&r->answer);
}

struct aws_pages *aws_pages_new(void)
{
    struct aws_pages *p = calloc(1, sizeof *p);
    if (p != NULL)
        p->more = true;
    return p;
}

int aws_pages_turn(const struct aws *a, const struct aws_ask *q, const struct tn_json *j, const char *member,
                   struct aws_pages *p)
{
    int next = tn_json_get(j, 0, member);
    p->more = next != TN_JSON_NONE && !tn_json_null(j, next) && !tn_json_is(j, next, "");
    if (p->more && !tn_json_string(j, next, p->token, sizeof p->token, NULL))
        return aws_odd(a, q, "the answer cannot be continued");
    if (p->more && ++p->count >= AWS_PAGES_MAX)
        return aws_odd(a, q, "the list has no end");
    return TENUO_OK;
}

bool aws_get_bytes(const struct tn_json *j, int node, uint8_t *ret, size_t n)
{
    const char *text = NULL;
    size_t len = 0, got = 0;
    return tn_json_slice(j, node, &text, &len) &&
           sodium_base642bin(ret, n, text, len, NULL, &got, NULL, sodium_base64_VARIANT_ORIGINAL) == 0 && got == n;
}
