/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Strict CBOR reader. libcbor's streaming decoder takes the head apart; what it is lenient about (long heads,
 * indefinite lengths, UTF-8, undefined, declared counts) is refused here before anything is done with the item.
 */
#include "cbor_read.h"

#include <cbor.h>
#include <stdarg.h>
#include <stdio.h>

#include "limits.h"

/* What the decoder's callbacks leave behind for one item. */
struct sink {
    struct tn_item item;
    bool refused; /* an item that no field of the format can hold */
};

static void on_uint(void *ctx, uint64_t v)
{
    struct sink *s = ctx;
    s->item.kind = TN_UINT;
    s->item.num = v;
}
static void on_uint8(void *ctx, uint8_t v) { on_uint(ctx, v); }
static void on_uint16(void *ctx, uint16_t v) { on_uint(ctx, v); }
static void on_uint32(void *ctx, uint32_t v) { on_uint(ctx, v); }

static void on_nint(void *ctx, uint64_t v)
{
    struct sink *s = ctx;
    s->item.kind = TN_NINT;
    s->item.num = v;
}
static void on_nint8(void *ctx, uint8_t v) { on_nint(ctx, v); }
static void on_nint16(void *ctx, uint16_t v) { on_nint(ctx, v); }
static void on_nint32(void *ctx, uint32_t v) { on_nint(ctx, v); }

static void on_bytes(void *ctx, cbor_data data, size_t len)
{
    struct sink *s = ctx;
    s->item.kind = TN_BYTES;
    s->item.num = len;
    s->item.str = (struct tn_str){ data, len };
}

static void on_text(void *ctx, cbor_data data, size_t len)
{
    on_bytes(ctx, data, len);
    ((struct sink *)ctx)->item.kind = TN_TEXT;
}

static void on_array(void *ctx, size_t n)
{
    struct sink *s = ctx;
    s->item.kind = TN_ARRAY;
    s->item.num = n;
}

static void on_map(void *ctx, size_t n)
{
    on_array(ctx, n);
    ((struct sink *)ctx)->item.kind = TN_MAP;
}

static void on_tag(void *ctx, uint64_t v)
{
    on_uint(ctx, v);
    ((struct sink *)ctx)->item.kind = TN_TAG;
}

static void on_float(struct sink *s, double v, uint8_t width)
{
    s->item.kind = TN_FLOAT;
    s->item.real = v;
    s->item.float_width = width;
}
static void on_float2(void *ctx, float v) { on_float(ctx, (double)v, 2); }
static void on_float4(void *ctx, float v) { on_float(ctx, (double)v, 4); }
static void on_float8(void *ctx, double v) { on_float(ctx, v, 8); }

static void on_bool(void *ctx, bool v)
{
    on_uint(ctx, v);
    ((struct sink *)ctx)->item.kind = TN_BOOL;
}

static void on_null(void *ctx)
{
    ((struct sink *)ctx)->item.kind = TN_NULL;
}

static void on_refused(void *ctx)
{
    ((struct sink *)ctx)->refused = true;
}

static const struct cbor_callbacks callbacks = {
    .uint8 = on_uint8, .uint16 = on_uint16, .uint32 = on_uint32, .uint64 = on_uint,
    .negint8 = on_nint8, .negint16 = on_nint16, .negint32 = on_nint32, .negint64 = on_nint,
    .byte_string = on_bytes, .byte_string_start = on_refused,
    .string = on_text, .string_start = on_refused,
    .array_start = on_array, .indef_array_start = on_refused,
    .map_start = on_map, .indef_map_start = on_refused,
    .tag = on_tag, .float2 = on_float2, .float4 = on_float4, .float8 = on_float8,
    .boolean = on_bool, .null = on_null, .undefined = on_refused, .indef_break = on_refused,
};

void tn_reader_init(struct tn_reader *r, struct tn_str bytes, struct tenuo_error *err)
{
    *r = (struct tn_reader){ bytes.p, bytes.p, bytes.p + bytes.n, 0, err };
}

bool tn_reader_fail(struct tn_reader *r, int code, const char *fmt, ...)
{
    if (r->code == 0) {
        r->code = code;
        if (r->err != NULL) {
            int n = snprintf(r->err->msg, sizeof r->err->msg, "byte %zu: ", (size_t)(r->p - r->start));
            va_list ap;
            va_start(ap, fmt);
            vsnprintf(r->err->msg + n, sizeof r->err->msg - (size_t)n, fmt, ap);
            va_end(ap);
            r->err->code = code;
        }
    }
    return false;
}

static size_t shortest_head(uint64_t v)
{
    return v < 24 ? 1 : v <= UINT8_MAX ? 2 : v <= UINT16_MAX ? 3 : v <= UINT32_MAX ? 5 : 9;
}

/* Length heads and integers must be the shortest; floats and simple values have no choice to make. */
static bool head_is_shortest(const struct tn_item *item, size_t head)
{
    switch (item->kind) {
    case TN_UINT: case TN_NINT: case TN_BYTES: case TN_TEXT: case TN_ARRAY: case TN_MAP: case TN_TAG:
        return head == shortest_head(item->num);
    case TN_BOOL: case TN_NULL:
        return head == 1;
    case TN_FLOAT:
        return true;
    }
    return false;
}

/*
 * Items whose head is one or two bytes and whose meaning is plain: nearly all of a warrant. Everything else, and
 * everything that is not in its shortest form, is left to the strict path below. Returns the bytes used, 0 for "not
 * here".
 */
static size_t short_item(const uint8_t *p, size_t left, struct tn_item *ret)
{
    static const uint8_t kinds[8] = { TN_UINT, TN_NINT, TN_BYTES, TN_TEXT, TN_ARRAY, TN_MAP, TN_TAG, TN_TAG };
    size_t head = 1, n;
    unsigned major;
    if (left < 2)
        return 0;
    major = p[0] >> 5;
    n = p[0] & 31;
    if (major > 5 || n > 24)
        return 0;
    if (n == 24) {
        n = p[1];
        head = 2;
        if (n < 24)
            return 0;
    }
    ret->kind = (enum tn_kind)kinds[major];
    ret->num = n;
    if (major != 2 && major != 3)
        return head;
    if (n > left - head)
        return 0;
    ret->str = (struct tn_str){ p + head, n };
    return head + n;
}

/* libcbor hands a signalling or exotic half float on through ldexp; only NaN needs a fixed meaning, and has one. */
static __attribute__((noinline)) bool long_item(struct tn_reader *r, size_t left, struct tn_item *ret, size_t *ret_used)
{
    struct sink s = { .refused = false };
    struct cbor_decoder_result res = cbor_stream_decode(r->p, left, &callbacks, &s);
    size_t head;
    if (res.status != CBOR_DECODER_FINISHED)
        return tn_reader_fail(r, TENUO_E_MALFORMED_CBOR,
                              res.status == CBOR_DECODER_ERROR ? "no CBOR item starts here" : "cut off");
    if (s.refused)
        return tn_reader_fail(r, TENUO_E_MALFORMED_CBOR, "indefinite length, break or undefined");
    head = res.read - s.item.str.n;
    if (!head_is_shortest(&s.item, head))
        return tn_reader_fail(r, TENUO_E_MALFORMED_CBOR, "a number or length is not in its shortest form");
    *ret = s.item;
    *ret_used = res.read;
    return true;
}

/* *ret is written in place, also on failure: copying items costs more than reading them. */
static inline bool next_item(struct tn_reader *r, struct tn_item *ret)
{
    size_t left = (size_t)(r->end - r->p), used;
    if (r->code != 0)
        return false;
    used = short_item(r->p, left, ret);
    if (used == 0 && !long_item(r, left, ret, &used))
        return false;
    if (ret->kind == TN_TEXT && !tn_utf8_valid(ret->str))
        return tn_reader_fail(r, TENUO_E_MALFORMED_CBOR, "text is not UTF-8");
    left -= used;
    if ((ret->kind == TN_ARRAY && ret->num > left) || (ret->kind == TN_MAP && ret->num > left / 2))
        return tn_reader_fail(r, TENUO_E_MALFORMED_CBOR, "more elements declared than bytes left");
    r->p += used;
    return true;
}

bool tn_read_item(struct tn_reader *r, struct tn_item *ret)
{
    return next_item(r, ret);
}

bool tn_read_kind(struct tn_reader *r, enum tn_kind kind, const char *what, struct tn_item *ret)
{
    const uint8_t *before = r->p;
    if (!next_item(r, ret))
        return false;
    if (ret->kind != kind) {
        r->p = before;
        return tn_reader_fail(r, TENUO_E_MALFORMED_CBOR, "%s has the wrong CBOR type", what);
    }
    return true;
}

bool tn_read_text(struct tn_reader *r, const char *what, struct tn_str *ret)
{
    struct tn_item item;
    if (!tn_read_kind(r, TN_TEXT, what, &item))
        return false;
    *ret = item.str;
    return true;
}

bool tn_read_uint(struct tn_reader *r, const char *what, uint64_t max, uint64_t *ret)
{
    struct tn_item item;
    if (!tn_read_kind(r, TN_UINT, what, &item))
        return false;
    if (item.num > max)
        return tn_reader_fail(r, TENUO_E_MALFORMED_CBOR, "%s is out of range", what);
    *ret = item.num;
    return true;
}

bool tn_read_bool(struct tn_reader *r, const char *what, bool *ret)
{
    struct tn_item item;
    if (!tn_read_kind(r, TN_BOOL, what, &item))
        return false;
    *ret = item.num != 0;
    return true;
}

static bool read_count(struct tn_reader *r, enum tn_kind kind, const char *what, size_t *ret)
{
    struct tn_item item;
    if (!tn_read_kind(r, kind, what, &item))
        return false;
    *ret = (size_t)item.num; /* no larger than the bytes left */
    return true;
}

bool tn_read_array(struct tn_reader *r, const char *what, size_t *ret)
{
    return read_count(r, TN_ARRAY, what, ret);
}

bool tn_read_map(struct tn_reader *r, const char *what, size_t *ret)
{
    return read_count(r, TN_MAP, what, ret);
}

bool tn_read_null(struct tn_reader *r)
{
    if (r->code != 0 || r->p == r->end || *r->p != 0xf6)
        return false;
    r->p++;
    return true;
}

/* One integer 0..255. Its two usual forms are taken at once: a parent hash alone has 32 of them. */
static bool read_byte(struct tn_reader *r, const char *what, uint8_t *ret)
{
    size_t left = (size_t)(r->end - r->p);
    uint64_t v = 0;
    if (left > 0 && r->p[0] < 24) {
        *ret = *r->p++;
        return true;
    }
    if (left > 1 && r->p[0] == 0x18 && r->p[1] >= 24) {
        *ret = r->p[1];
        r->p += 2;
        return true;
    }
    if (!tn_read_uint(r, what, 255, &v))
        return false;
    *ret = (uint8_t)v;
    return true;
}

bool tn_read_bytes_or_ints(struct tn_reader *r, const char *what, struct tn_arena *arena, struct tn_str *ret)
{
    struct tn_item item;
    uint8_t *copy;
    if (!next_item(r, &item))
        return false;
    if (item.kind == TN_BYTES) {
        *ret = item.str;
        return true;
    }
    if (item.kind != TN_ARRAY)
        return tn_reader_fail(r, TENUO_E_MALFORMED_CBOR, "%s is neither bytes nor an array of bytes", what);
    copy = tn_arena_alloc(arena, (size_t)item.num);
    if (copy == NULL)
        return tn_reader_fail(r, TENUO_E_NOMEM, "memory ran out");
    for (size_t i = 0; i < (size_t)item.num; i++)
        if (!read_byte(r, what, &copy[i]))
            return false;
    *ret = (struct tn_str){ copy, (size_t)item.num };
    return true;
}

bool tn_read_opaque(struct tn_reader *r, struct tn_str *ret)
{
    TN_UNINIT uint64_t open[TN_MAX_VALUE_DEPTH + 1]; /* items still to come on each level */
    size_t depth = 0;
    const uint8_t *start = r->p;
    open[0] = 1;
    for (;;) {
        struct tn_item item;
        while (open[depth] == 0) {
            if (depth == 0) {
                *ret = (struct tn_str){ start, (size_t)(r->p - start) };
                return true;
            }
            depth--;
        }
        if (!next_item(r, &item))
            return false;
        if (item.kind == TN_TAG)
            continue; /* stands in front of the item that is still due */
        open[depth]--;
        if (item.kind != TN_ARRAY && item.kind != TN_MAP)
            continue;
        if (++depth > TN_MAX_VALUE_DEPTH)
            return tn_reader_fail(r, TENUO_E_MALFORMED_CBOR, "a value nests more than %d deep", TN_MAX_VALUE_DEPTH);
        open[depth] = item.kind == TN_MAP ? item.num * 2 : item.num; /* num <= bytes left / 2: no overflow */
    }
}

bool tn_read_end(struct tn_reader *r, const char *what)
{
    if (r->code != 0)
        return false;
    return r->p == r->end || tn_reader_fail(r, TENUO_E_MALFORMED_CBOR, "bytes follow %s", what);
}

/* Length of the UTF-8 sequence that starts here, 0 when there is none (overlong, surrogate, above U+10FFFF, cut). */
static size_t utf8_step(const uint8_t *p, size_t n)
{
    uint8_t lo = 0x80, hi = 0xbf;
    size_t len;
    if (p[0] < 0x80)
        return 1;
    if (p[0] >= 0xc2 && p[0] <= 0xdf)
        len = 2;
    else if (p[0] >= 0xe0 && p[0] <= 0xef)
        len = 3;
    else if (p[0] >= 0xf0 && p[0] <= 0xf4)
        len = 4;
    else
        return 0;
    if (p[0] == 0xe0)
        lo = 0xa0;
    else if (p[0] == 0xed)
        hi = 0x9f;
    else if (p[0] == 0xf0)
        lo = 0x90;
    else if (p[0] == 0xf4)
        hi = 0x8f;
    if (n < len || p[1] < lo || p[1] > hi)
        return 0;
    for (size_t i = 2; i < len; i++)
        if (p[i] < 0x80 || p[i] > 0xbf)
            return 0;
    return len;
}

bool tn_utf8_valid(struct tn_str s)
{
    size_t i = 0;
    while (i < s.n) {
        uint64_t eight;
        if (s.n - i >= sizeof eight) { /* eight ASCII bytes at once */
            memcpy(&eight, s.p + i, sizeof eight);
            if ((eight & 0x8080808080808080u) == 0) {
                i += sizeof eight;
                continue;
            }
        }
        if (s.p[i] < 0x80) {
            i++;
            continue;
        }
        size_t step = utf8_step(s.p + i, s.n - i);
        if (step == 0)
            return false;
        i += step;
    }
    return true;
}
