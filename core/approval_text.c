/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Approvals as they travel with a call (spec governance.md 3.1): four carriers, told apart by their first byte, to
 * envelopes in a request. Takes all of a carrier or nothing of it.
 */
#include <sodium.h>
#include <stdlib.h>

#include "approval.h"
#include "crypto.h"
#include "err.h"
#include "limits.h"

/* Approvals taken so far from one carrier. */
struct taken {
    struct tenuo_approval **v;
    size_t n, room;
    struct tenuo_error *err;
};

static int malformed(struct tenuo_error *err, const char *what)
{
    return tn_fail(err, TENUO_E_MALFORMED_CBOR, "approvals: %s", what);
}

static int take(struct taken *t, struct tn_str envelope)
{
    struct tenuo_approval *a = NULL, **grown;
    int r;
    if (t->n == t->room)
        return tn_fail(t->err, TENUO_E_TOO_LARGE, "more than %d approvals in one request", TENUO_APPROVAL_MAX_COUNT);
    grown = realloc(t->v, (t->n + 1) * sizeof *grown);
    if (grown == NULL)
        return tn_fail_code(t->err, TENUO_E_NOMEM);
    t->v = grown;
    r = tn_approval_decode(envelope, &a, t->err);
    if (r == TENUO_OK)
        t->v[t->n++] = a;
    return r;
}

static void drop(struct taken *t)
{
    for (size_t i = 0; i < t->n; i++)
        tenuo_approval_free(t->v[i]);
    free(t->v);
}

/* Behind those that the request has already. */
static int give(struct taken *t, struct tenuo_request *q)
{
    struct tenuo_approval **grown;
    if (t->n == 0) {
        free(t->v);
        return TENUO_OK;
    }
    grown = realloc(q->approvals, (q->napprovals + t->n) * sizeof *grown);
    if (grown == NULL) {
        drop(t);
        return tn_fail_code(t->err, TENUO_E_NOMEM);
    }
    memcpy(grown + q->napprovals, t->v, t->n * sizeof *grown);
    q->approvals = grown;
    q->napprovals += t->n;
    free(t->v);
    return TENUO_OK;
}

/* Either alphabet, padded or not; strict otherwise: no blank, no stray bit. `ret` has room for all of it. */
static bool decode_base64(struct tn_str text, uint8_t *ret, size_t *ret_len)
{
    static const int variants[] = {
        sodium_base64_VARIANT_URLSAFE_NO_PADDING, sodium_base64_VARIANT_ORIGINAL,
        sodium_base64_VARIANT_ORIGINAL_NO_PADDING, sodium_base64_VARIANT_URLSAFE,
    };
    for (size_t i = 0; i < TN_ARRAY_LEN(variants); i++) {
        const char *end = NULL;
        if (sodium_base642bin(ret, text.n, (const char *)text.p, text.n, NULL, ret_len, &end, variants[i]) == 0 &&
            end == (const char *)text.p + text.n)
            return true;
    }
    return false;
}

/* One envelope in base64. */
static int take_text(struct taken *t, struct tn_str text)
{
    uint8_t *bytes;
    size_t n = 0;
    int r;
    if (text.n > TN_MAX_APPROVAL_TEXT)
        return tn_fail(t->err, TENUO_E_TOO_LARGE, "an approval is longer than %d characters", TN_MAX_APPROVAL_TEXT);
    bytes = malloc(text.n + 1);
    if (bytes == NULL)
        return tn_fail_code(t->err, TENUO_E_NOMEM);
    r = decode_base64(text, bytes, &n) ? take(t, (struct tn_str){ bytes, n })
                                       : malformed(t->err, "an element is not base64");
    free(bytes);
    return r;
}

static bool is_json_blank(uint8_t c)
{
    return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

static struct tn_str skip(struct tn_str s, size_t n)
{
    return (struct tn_str){ s.p + n, s.n - n };
}

static struct tn_str skip_blanks(struct tn_str s)
{
    while (s.n > 0 && is_json_blank(s.p[0]))
        s = skip(s, 1);
    return s;
}

static bool eat(struct tn_str *s, uint8_t c)
{
    *s = skip_blanks(*s);
    if (s->n == 0 || s->p[0] != c)
        return false;
    *s = skip(*s, 1);
    return true;
}

/* Without the one escape that a writer of base64 uses, that of the slash. */
static int take_escaped(struct taken *t, struct tn_str s)
{
    uint8_t *chars = malloc(s.n + 1);
    size_t n = 0;
    int r;
    if (chars == NULL)
        return tn_fail_code(t->err, TENUO_E_NOMEM);
    for (size_t i = 0; i < s.n; i++)
        if (s.p[i] != '\\' || i + 1 == s.n || s.p[i + 1] != '/')
            chars[n++] = s.p[i];
    r = take_text(t, (struct tn_str){ chars, n });
    free(chars);
    return r;
}

/* An escaped quote is no base64, so the first quote ends the text. */
static int take_json_text(struct taken *t, struct tn_str *s)
{
    const uint8_t *quote = eat(s, '"') ? memchr(s->p, '"', s->n) : NULL;
    struct tn_str text;
    if (quote == NULL)
        return malformed(t->err, "an element of the JSON array is not a text");
    text = (struct tn_str){ s->p, (size_t)(quote - s->p) };
    *s = skip(*s, text.n + 1);
    if (text.n > 2 * TN_MAX_APPROVAL_TEXT)
        return tn_fail(t->err, TENUO_E_TOO_LARGE, "an approval is longer than %d characters", TN_MAX_APPROVAL_TEXT);
    return take_escaped(t, text);
}

static int take_json(struct taken *t, struct tn_str s)
{
    size_t n = 0;
    (void)eat(&s, '[');
    if (!eat(&s, ']')) {
        do {
            int r;
            if (n++ == TN_MAX_APPROVALS_JSON)
                return tn_fail(t->err, TENUO_E_TOO_LARGE, "more than %d approvals in one array",
                               TN_MAX_APPROVALS_JSON);
            r = take_json_text(t, &s);
            if (r != TENUO_OK)
                return r;
        } while (eat(&s, ','));
        if (!eat(&s, ']'))
            return malformed(t->err, "the JSON array does not end");
    }
    return skip_blanks(s).n == 0 ? TENUO_OK : malformed(t->err, "something follows the JSON array");
}

/* One envelope, or an array of them. */
static int take_cbor(struct taken *t, struct tn_str s)
{
    struct tn_reader r;
    size_t n = 0;
    if (s.n > TENUO_APPROVAL_MAX_BYTES)
        return tn_fail(t->err, TENUO_E_TOO_LARGE, "the approvals are larger than %d bytes", TENUO_APPROVAL_MAX_BYTES);
    if (s.n == 0 || s.p[0] >> 5 != 4)
        return take(t, s);
    tn_reader_init(&r, s, t->err);
    if (!tn_read_array(&r, "the approvals", &n))
        return r.code;
    for (size_t i = 0; i < n; i++) {
        struct tn_str one = { 0 };
        int code;
        if (!tn_read_opaque(&r, &one))
            return r.code;
        code = take(t, one);
        if (code != TENUO_OK)
            return code;
    }
    return tn_read_end(&r, "the approvals") ? TENUO_OK : r.code;
}

static int take_base64(struct taken *t, struct tn_str s)
{
    uint8_t *bytes;
    size_t n = 0;
    int r;
    while (s.n > 0 && is_json_blank(s.p[s.n - 1]))
        s.n--;
    bytes = malloc(s.n + 1);
    if (bytes == NULL)
        return tn_fail_code(t->err, TENUO_E_NOMEM);
    if (!decode_base64(s, bytes, &n) || n == 0)
        r = malformed(t->err, "neither a JSON array, nor base64, nor CBOR");
    else
        r = bytes[0] == '[' ? take_json(t, (struct tn_str){ bytes, n }) : take_cbor(t, (struct tn_str){ bytes, n });
    free(bytes);
    return r;
}

static int take_any(struct taken *t, struct tn_str s)
{
    if (s.n > TN_MAX_APPROVALS_TEXT)
        return tn_fail(t->err, TENUO_E_TOO_LARGE, "the approvals are larger than %d bytes", TN_MAX_APPROVALS_TEXT);
    if (!tn_crypto_init())
        return tn_fail_code(t->err, TENUO_E_NOMEM);
    if (s.n > 0 && s.p[0] >= 0x80) /* no text begins so */
        return take_cbor(t, s);
    s = skip_blanks(s);
    if (s.n == 0)
        return malformed(t->err, "there is nothing");
    return s.p[0] == '[' ? take_json(t, s) : take_base64(t, s);
}

static int settle(struct taken *t, int r, struct tenuo_request *q)
{
    if (r == TENUO_OK)
        return give(t, q);
    drop(t);
    return r;
}

int tenuo_request_add_approval(struct tenuo_request *request, const uint8_t *bytes, size_t len,
                               struct tenuo_error *reterr)
{
    struct taken t = { .room = TENUO_APPROVAL_MAX_COUNT - request->napprovals, .err = reterr };
    return settle(&t, take(&t, (struct tn_str){ bytes, len }), request);
}

int tenuo_request_add_approvals(struct tenuo_request *request, const uint8_t *text, size_t len,
                                struct tenuo_error *reterr)
{
    struct taken t = { .room = TENUO_APPROVAL_MAX_COUNT - request->napprovals, .err = reterr };
    return settle(&t, take_any(&t, (struct tn_str){ text, len }), request);
}

size_t tenuo_request_approval_count(const struct tenuo_request *request) { return request->napprovals; }
