/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Text and file forms of warrants (spec warrant.md 3.1-3.3): armor and base64url off, then the binary parser decides
 * everything. Blocks of a chain are checked to hold one envelope each before they are put together, so bytes can never
 * move between them.
 */
#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#include "../common/keytext.h"
#include "err.h"
#include "limits.h"
#include "mem.h"
#include "str.h"
#include "warrant.h"

#define LABEL_ONE "TENUO WARRANT"
#define LABEL_CHAIN "TENUO WARRANT CHAIN"
#define BEGIN(label) "-----BEGIN " label "-----"
#define END(label) "-----END " label "-----"
#define PEM_LINE 64
#define ARRAY_HEAD_MAX 2 /* TN_MAX_CHAIN elements need 98 xx */

static const uint8_t magic[] = { 0x54, 0x45, 0x4e, 0x55, 0x01 };

static struct tn_str skip(struct tn_str s, size_t n)
{
    return (struct tn_str){ s.p + n, s.n - n };
}

/* First occurrence, or NULL. */
static const uint8_t *find(struct tn_str s, const char *what)
{
    return s.p == NULL || s.n == 0 ? NULL : memmem(s.p, s.n, what, strlen(what));
}

static size_t offset(struct tn_str s, const uint8_t *at)
{
    return (size_t)(at - s.p);
}

/* Bytes of the blank at the front of s, 0 when there is none: every character with Unicode's White_Space, as the
 * protocol skips. */
size_t tn_blank_len(struct tn_str s)
{
    uint8_t c = s.p[0];
    if (c == ' ' || (c >= '\t' && c <= '\r'))
        return 1;
    if (c == 0xc2)
        return s.n >= 2 && (s.p[1] == 0x85 || s.p[1] == 0xa0) ? 2 : 0;
    if (s.n < 3 || c < 0xe1 || c > 0xe3)
        return 0;
    unsigned code = (c & 0x0fu) << 12 | (s.p[1] & 0x3fu) << 6 | (s.p[2] & 0x3fu);
    bool utf8 = (s.p[1] & 0xc0) == 0x80 && (s.p[2] & 0xc0) == 0x80;
    bool space = code == 0x1680 || (code >= 0x2000 && code <= 0x200a) || code == 0x2028 || code == 0x2029 ||
                 code == 0x202f || code == 0x205f || code == 0x3000;
    return utf8 && space ? 3 : 0;
}

static struct tn_str trim_front(struct tn_str s)
{
    while (s.n > 0) {
        size_t n = tn_blank_len(s);
        if (n == 0)
            break;
        s = skip(s, n);
    }
    return s;
}

/* Appends s without its blanks; `out` has room for all of s. Returns what was written. */
static size_t squeeze(struct tn_str s, char *out)
{
    size_t n = 0;
    while (s.n > 0) {
        size_t blank = tn_blank_len(s);
        if (blank == 0)
            out[n++] = (char)s.p[0];
        s = skip(s, blank == 0 ? 1 : blank);
    }
    return n;
}

/* The same line by line, without the lines that begin with dashes. */
static size_t squeeze_block(struct tn_str s, char *out)
{
    size_t n = 0;
    while (s.n > 0) {
        const uint8_t *nl = memchr(s.p, '\n', s.n);
        size_t len = nl == NULL ? s.n : offset(s, nl) + 1;
        if (!tn_str_starts(trim_front((struct tn_str){ s.p, len }), tn_lit("-----")))
            n += squeeze((struct tn_str){ s.p, len }, out + n);
        s = skip(s, len);
    }
    return n;
}

/* Characters to bytes, at most `max` of them: 1900 beyond, 1202 for what is no base64url. `out` has max + 3 bytes. */
static int decode(const char *chars, size_t n, size_t max, uint8_t *out, size_t *ret_len, struct tenuo_error *err)
{
    if (n / 4 * 3 + n % 4 * 3 / 4 > max)
        return tn_fail(err, TENUO_E_TOO_LARGE, "warrant text: more than %zu bytes when decoded", max);
    if (!tn_base64url_decode(out, max + 3, chars, n, ret_len))
        return tn_fail(err, TENUO_E_MALFORMED_CBOR, "warrant text: not base64url without padding");
    if (*ret_len == 0)
        return tn_fail(err, TENUO_E_MALFORMED_CBOR, "warrant text: empty");
    return TENUO_OK;
}

/* Scratch for one text: characters as long as the text, and the bytes they make. */
struct scratch {
    char *chars;
    uint8_t *bytes;
};

static int scratch_new(struct scratch *s, size_t len, size_t max, struct tenuo_error *err)
{
    s->chars = malloc(len + 1);
    s->bytes = malloc(max + ARRAY_HEAD_MAX + 3);
    return s->chars != NULL && s->bytes != NULL ? TENUO_OK : tn_fail_code(err, TENUO_E_NOMEM);
}

static void scratch_free(struct scratch *s)
{
    free(s->chars);
    free(s->bytes);
}

/* One warrant, bare or in its armor. Armor must be the first thing in the text. */
static size_t squeeze_single(struct tn_str text, char *out)
{
    bool armored = tn_str_starts(trim_front(text), tn_lit(BEGIN(LABEL_ONE)));
    return armored ? squeeze_block(text, out) : squeeze(text, out);
}

static int parse_single_text(struct tn_str text, struct tenuo_stack **ret_stack, struct tenuo_error *err)
{
    struct scratch s = { 0 };
    size_t n = 0;
    int r = scratch_new(&s, text.n, TN_MAX_WARRANT_BYTES, err);
    if (r == TENUO_OK)
        r = decode(s.chars, squeeze_single(text, s.chars), TN_MAX_WARRANT_BYTES, s.bytes, &n, err);
    if (r == TENUO_OK)
        r = tenuo_stack_parse_single(s.bytes, n, ret_stack, err);
    scratch_free(&s);
    return r;
}

/* True when the bytes are the frame of exactly one envelope; what is inside is the binary parser's to judge. */
static bool is_one_envelope(const uint8_t *p, size_t n)
{
    static const uint8_t tail[] = { 0x82, 0x01, 0x58, 0x40 };
    size_t head = 3, payload;
    if (n < 8 || p[0] != 0x83 || p[1] != 0x01 || p[2] >> 5 != 2)
        return false;
    switch (p[2]) {
    case 0x58:
        payload = p[3];
        head = 4;
        break;
    case 0x59:
        payload = (size_t)p[3] << 8 | p[4];
        head = 5;
        break;
    case 0x5a:
        payload = (size_t)p[3] << 24 | (size_t)p[4] << 16 | (size_t)p[5] << 8 | p[6];
        head = 7;
        break;
    default:
        payload = p[2] & 0x1fu;
        if (payload > 23)
            return false;
        break;
    }
    return n == head + payload + sizeof tail + TENUO_SIGNATURE_BYTES &&
           memcmp(p + head + payload, tail, sizeof tail) == 0;
}

static size_t array_head(uint8_t *out, size_t n)
{
    if (n <= 23) {
        out[0] = (uint8_t)(0x80 | n);
        return 1;
    }
    out[0] = 0x98;
    out[1] = (uint8_t)n;
    return ARRAY_HEAD_MAX;
}

static int fail_open_block(struct tenuo_error *err, const char *label)
{
    return tn_fail(err, TENUO_E_MALFORMED_CBOR, "warrant text: a %s block has no END line: the text was cut", label);
}

/* Decodes one block behind `used` bytes of the others. */
static int add_block(struct tn_str block, struct scratch *s, size_t *used, struct tenuo_error *err)
{
    size_t n = 0, chars = squeeze_block(block, s->chars);
    size_t left = TN_MAX_STACK_BYTES - *used;
    uint8_t *out = s->bytes + ARRAY_HEAD_MAX + *used;
    if (left > TN_MAX_WARRANT_BYTES)
        left = TN_MAX_WARRANT_BYTES;
    int r = decode(s->chars, chars, left, out, &n, err);
    if (r != TENUO_OK)
        return r;
    if (!is_one_envelope(out, n))
        return tn_fail(err, TENUO_E_MALFORMED_CBOR,
                       "warrant text: a " LABEL_ONE " block holds something else than one warrant");
    *used += n;
    return TENUO_OK;
}

static int join_blocks(struct tn_str text, struct scratch *s, size_t *ret_count, size_t *ret_used,
                       struct tenuo_error *err)
{
    for (;;) {
        const uint8_t *begin = find(text, BEGIN(LABEL_ONE));
        if (begin == NULL)
            return TENUO_OK;
        text = skip(text, offset(text, begin));
        const uint8_t *end = find(text, END(LABEL_ONE));
        if (end == NULL)
            return fail_open_block(err, LABEL_ONE);
        if (++*ret_count > TN_MAX_CHAIN)
            return tn_fail(err, TENUO_E_CHAIN_TOO_LONG, "warrant text: more than %d blocks", TN_MAX_CHAIN);
        size_t len = offset(text, end) + sizeof END(LABEL_ONE) - 1;
        int r = add_block((struct tn_str){ text.p, len }, s, ret_used, err);
        if (r != TENUO_OK)
            return r;
        text = skip(text, len);
    }
}

/* Single blocks in order: the chain that they make. */
static int parse_blocks(struct tn_str text, struct tenuo_stack **ret_stack, struct tenuo_error *err)
{
    struct scratch s = { 0 };
    uint8_t head[ARRAY_HEAD_MAX];
    size_t count = 0, used = 0;
    int r = scratch_new(&s, text.n, TN_MAX_STACK_BYTES, err);
    if (r == TENUO_OK)
        r = join_blocks(text, &s, &count, &used, err);
    if (r == TENUO_OK) {
        size_t n = array_head(head, count);
        uint8_t *start = s.bytes + ARRAY_HEAD_MAX - n;
        memcpy(start, head, n);
        r = tenuo_stack_parse_array(start, used + n, ret_stack, err);
    }
    scratch_free(&s);
    return r;
}

/* What is inside a chain's armor. */
static int parse_chain_body(struct tn_str body, struct tenuo_stack **ret_stack, struct tenuo_error *err)
{
    struct scratch s = { 0 };
    size_t n = 0;
    int r = scratch_new(&s, body.n, TN_MAX_STACK_BYTES, err);
    if (r == TENUO_OK)
        r = decode(s.chars, squeeze(body, s.chars), TN_MAX_STACK_BYTES, s.bytes, &n, err);
    if (r == TENUO_OK)
        r = tenuo_stack_parse_array(s.bytes, n, ret_stack, err);
    scratch_free(&s);
    return r;
}

static int parse_chain_text(struct tn_str text, struct tenuo_stack **ret_stack, struct tenuo_error *err)
{
    const uint8_t *begin = find(text, BEGIN(LABEL_CHAIN));
    if (begin != NULL) {
        struct tn_str body = skip(text, offset(text, begin) + sizeof BEGIN(LABEL_CHAIN) - 1);
        const uint8_t *end = find(body, END(LABEL_CHAIN));
        if (end == NULL)
            return fail_open_block(err, LABEL_CHAIN);
        return parse_chain_body((struct tn_str){ body.p, offset(body, end) }, ret_stack, err);
    }
    if (find(text, BEGIN(LABEL_ONE)) != NULL)
        return parse_blocks(text, ret_stack, err);
    return parse_single_text(text, ret_stack, err);
}

static bool bad_arguments(const void *text, size_t len, const void *ret)
{
    return (text == NULL && len != 0) || ret == NULL;
}

int tenuo_stack_parse_warrant_text(const char *text, size_t len, struct tenuo_stack **ret_stack,
                                   struct tenuo_error *reterr)
{
    if (bad_arguments(text, len, ret_stack))
        return tn_fail(reterr, TENUO_E_INVALID_ARGUMENT, "warrant text: no argument may be NULL");
    return parse_single_text((struct tn_str){ (const uint8_t *)text, len }, ret_stack, reterr);
}

int tenuo_stack_parse_chain_text(const char *text, size_t len, struct tenuo_stack **ret_stack,
                                 struct tenuo_error *reterr)
{
    if (bad_arguments(text, len, ret_stack))
        return tn_fail(reterr, TENUO_E_INVALID_ARGUMENT, "chain text: no argument may be NULL");
    return parse_chain_text((struct tn_str){ (const uint8_t *)text, len }, ret_stack, reterr);
}

/* Bare base64 of a warrant or a stack. The padded and standard forms appear in headers and in verified results: taken
 * here only. */
static int parse_bare(struct tn_str text, struct tenuo_stack **ret_stack, struct tenuo_error *err)
{
    static const int variants[] = { sodium_base64_VARIANT_URLSAFE_NO_PADDING, sodium_base64_VARIANT_URLSAFE,
                                    sodium_base64_VARIANT_ORIGINAL };
    struct scratch s = { 0 };
    size_t n = 0;
    int r = scratch_new(&s, text.n, TN_MAX_STACK_BYTES, err);
    if (r != TENUO_OK)
        goto out;
    size_t chars = squeeze(text, s.chars);
    r = tn_fail(err, TENUO_E_MALFORMED_CBOR, "warrant: neither binary nor base64 nor PEM");
    if (chars > TN_MAX_STACK_BYTES / 3 * 4 + 4)
        r = tn_fail(err, TENUO_E_TOO_LARGE, "warrant text: more than %d bytes when decoded", TN_MAX_STACK_BYTES);
    else
        for (size_t i = 0; i < TN_ARRAY_LEN(variants) && n == 0; i++)
            if (sodium_base642bin(s.bytes, TN_MAX_STACK_BYTES + 3, s.chars, chars, NULL, &n, NULL, variants[i]) != 0)
                n = 0;
    if (n != 0)
        r = tenuo_stack_parse(s.bytes, n, ret_stack, err);
out:
    scratch_free(&s);
    return r;
}

int tenuo_stack_parse_any(const uint8_t *text, size_t len, struct tenuo_stack **ret_stack, struct tenuo_error *reterr)
{
    struct tn_str s = { text, len };
    if (bad_arguments(text, len, ret_stack))
        return tn_fail(reterr, TENUO_E_INVALID_ARGUMENT, "warrant: no argument may be NULL");
    if (len == 0)
        return tn_fail(reterr, TENUO_E_MALFORMED_CBOR, "warrant: empty input");
    if (tn_str_starts(s, (struct tn_str){ magic, sizeof magic }))
        return tenuo_stack_parse_array(text + sizeof magic, len - sizeof magic, ret_stack, reterr);
    if (text[0] >> 5 == 4) /* a CBOR array; no text form starts with such a byte */
        return tenuo_stack_parse(text, len, ret_stack, reterr);
    if (find(s, "-----BEGIN " LABEL_ONE) != NULL)
        return parse_chain_text(s, ret_stack, reterr);
    return parse_bare(s, ret_stack, reterr);
}

/* ---- writing ---- */

/* Warrants that lie one after the other: a stack's, or one of them. */
struct run {
    const struct tenuo_warrant *w;
    size_t n;
    bool array;
};

static size_t binary_size(const struct run *run)
{
    uint8_t head[ARRAY_HEAD_MAX];
    size_t total = run->array ? array_head(head, run->n) : 0;
    for (size_t i = 0; i < run->n; i++)
        total += run->w[i].envelope.n;
    return total;
}

static void binary_write(const struct run *run, uint8_t *out)
{
    if (run->array)
        out += array_head(out, run->n);
    for (size_t i = 0; i < run->n; i++) {
        memcpy(out, run->w[i].envelope.p, run->w[i].envelope.n);
        out += run->w[i].envelope.n;
    }
}

static size_t pem_size(size_t chars, size_t label)
{
    return sizeof BEGIN("") - 1 + sizeof END("") - 1 + 2 * label + 2 + chars + (chars + PEM_LINE - 1) / PEM_LINE;
}

static uint8_t *put(uint8_t *out, const char *text, size_t n)
{
    memcpy(out, text, n);
    return out + n;
}

static void pem_write(const char *chars, size_t n, bool chain, uint8_t *out)
{
    static const char one[2][64] = { BEGIN(LABEL_ONE) "\n", END(LABEL_ONE) "\n" };
    static const char many[2][64] = { BEGIN(LABEL_CHAIN) "\n", END(LABEL_CHAIN) "\n" };
    const char(*armor)[64] = chain ? many : one;
    out = put(out, armor[0], strlen(armor[0]));
    for (size_t i = 0; i < n; i += PEM_LINE) {
        out = put(out, chars + i, n - i < PEM_LINE ? n - i : PEM_LINE);
        out = put(out, "\n", 1);
    }
    put(out, armor[1], strlen(armor[1]));
}

static int text_write(const struct run *run, enum tenuo_text_form form, size_t size, uint8_t *out,
                      struct tenuo_error *err)
{
    size_t n = tn_base64url_len(size);
    uint8_t *bytes = malloc(size);
    char *chars = form == TENUO_FORM_PEM ? malloc(n) : (char *)out;
    int r = bytes != NULL && chars != NULL ? TENUO_OK : tn_fail_code(err, TENUO_E_NOMEM);
    if (r == TENUO_OK) {
        binary_write(run, bytes);
        tn_base64url_encode(chars, bytes, size);
        if (form == TENUO_FORM_PEM)
            pem_write(chars, n, run->array, out);
    }
    if (form == TENUO_FORM_PEM)
        free(chars);
    free(bytes);
    return r;
}

static size_t form_size(enum tenuo_text_form form, size_t binary, bool array)
{
    switch (form) {
    case TENUO_FORM_CBOR:
    case TENUO_FORM_STACK:
        return binary;
    case TENUO_FORM_FILE:
        return binary + sizeof magic;
    case TENUO_FORM_BASE64URL:
        return tn_base64url_len(binary);
    case TENUO_FORM_PEM:
        return pem_size(tn_base64url_len(binary), array ? sizeof LABEL_CHAIN - 1 : sizeof LABEL_ONE - 1);
    }
    return 0;
}

static int encode(struct run run, enum tenuo_text_form form, uint8_t *buf, size_t *len, struct tenuo_error *err)
{
    run.array = run.n != 1 || form == TENUO_FORM_STACK || form == TENUO_FORM_FILE;
    size_t binary = binary_size(&run), need = form_size(form, binary, run.array);
    if (need == 0)
        return tn_fail(err, TENUO_E_INVALID_ARGUMENT, "warrant encode: unknown form %d", (int)form);
    size_t cap = buf == NULL ? need : *len;
    *len = need;
    if (cap < need)
        return tn_fail(err, TENUO_E_INVALID_ARGUMENT, "warrant encode: buffer of %zu bytes, %zu needed", cap, need);
    if (buf == NULL)
        return TENUO_OK;
    if (form == TENUO_FORM_BASE64URL || form == TENUO_FORM_PEM)
        return text_write(&run, form, binary, buf, err);
    if (form == TENUO_FORM_FILE) {
        memcpy(buf, magic, sizeof magic);
        buf += sizeof magic;
    }
    binary_write(&run, buf);
    return TENUO_OK;
}

int tenuo_stack_encode(const struct tenuo_stack *stack, enum tenuo_text_form form, uint8_t *buf, size_t *len,
                       struct tenuo_error *reterr)
{
    if (stack == NULL || len == NULL)
        return tn_fail(reterr, TENUO_E_INVALID_ARGUMENT, "tenuo_stack_encode: stack and len must not be NULL");
    return encode((struct run){ stack->w, stack->n, false }, form, buf, len, reterr);
}

int tenuo_warrant_encode(const struct tenuo_warrant *warrant, enum tenuo_text_form form, uint8_t *buf, size_t *len,
                         struct tenuo_error *reterr)
{
    if (warrant == NULL || len == NULL)
        return tn_fail(reterr, TENUO_E_INVALID_ARGUMENT, "tenuo_warrant_encode: warrant and len must not be NULL");
    return encode((struct run){ warrant, 1, false }, form, buf, len, reterr);
}
