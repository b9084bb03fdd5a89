/* SPDX-License-Identifier: Apache-2.0 */
/* Arguments as JSON for the audit record, when the configuration asks for them. Walks canonical values with an explicit
 * stack. */
#include <math.h>
#include <stdio.h>

#include "audit.h"
#include "redact.h"

static void put(struct tn_buf *b, const char *s)
{
    tn_buf_put(b, s, strlen(s));
}

static void put_string(struct tn_buf *b, struct tn_str s)
{
    char esc[8];
    put(b, "\"");
    for (size_t i = 0; i < s.n; i++) {
        if (s.p[i] == '"' || s.p[i] == '\\') {
            snprintf(esc, sizeof esc, "\\%c", s.p[i]);
            put(b, esc);
        } else if (s.p[i] < 0x20) {
            snprintf(esc, sizeof esc, "\\u%04x", s.p[i]);
            put(b, esc);
        } else {
            tn_buf_put(b, s.p + i, 1);
        }
    }
    put(b, "\"");
}

/* printf takes the radix character, which may be several bytes, from the program's locale: JSON's is a point. */
static void put_decimal(struct tn_buf *b, const char *text)
{
    bool foreign = false;
    for (const char *p = text; *p != '\0'; p++) {
        bool plain = tn_is_digit((uint8_t)*p) || *p == '-' || *p == '+' || *p == 'e';
        if (plain)
            tn_buf_put(b, p, 1);
        else if (!foreign)
            put(b, ".");
        foreign = !plain;
    }
}

/* JSON knows no NaN and no infinity: those become their names as text. */
static void put_number(struct tn_buf *b, double v)
{
    char text[48];
    if (isnan(v) || isinf(v)) {
        put(b, isnan(v) ? "\"NaN\"" : v > 0 ? "\"Infinity\"" : "\"-Infinity\"");
        return;
    }
    snprintf(text, sizeof text, "%.17g", v);
    put_decimal(b, text);
}

static void put_scalar(struct tn_buf *b, const struct tn_item *item)
{
    char text[24];
    switch (item->kind) {
    case TN_UINT:
        snprintf(text, sizeof text, "%llu", (unsigned long long)item->num);
        put(b, text);
        break;
    case TN_NINT:
        snprintf(text, sizeof text, "%lld", -1 - (long long)item->num);
        put(b, text);
        break;
    case TN_TEXT:
        put_string(b, item->str);
        break;
    case TN_BOOL:
        put(b, item->num != 0 ? "true" : "false");
        break;
    case TN_FLOAT:
        put_number(b, item->real);
        break;
    case TN_NULL:
    case TN_BYTES:
    case TN_TAG:
    case TN_ARRAY:
    case TN_MAP:
        put(b, "null");
        break;
    }
}

struct level {
    uint64_t left;
    bool is_map, first, key; /* key: the next item is one */
};

/* What stands between two items, and the bookkeeping for the one that comes. */
static void separate(struct tn_buf *b, struct level *l)
{
    if (l->is_map && !l->key)
        put(b, ":");
    else if (!l->first)
        put(b, ",");
    l->first = false;
    l->left--;
    l->key = l->is_map && !l->key;
}

static const char *type_name(struct tn_str cbor)
{
    static const char *const names[] = { [TN_T_STRING] = "\"<string>\"",
                                         [TN_T_INT] = "\"<integer>\"",
                                         [TN_T_FLOAT] = "\"<float>\"",
                                         [TN_T_BOOL] = "\"<boolean>\"",
                                         [TN_T_LIST] = "\"<list>\"",
                                         [TN_T_OBJECT] = "\"<object>\"",
                                         [TN_T_NULL] = "null" };
    return names[tn_value_peek(cbor).type];
}

/* The value of a name that hides it, which is next. */
static bool put_hidden(struct tn_buf *b, struct tn_reader *r, struct level *l)
{
    struct tn_str value;
    if (!tn_read_opaque(r, &value))
        return false;
    separate(b, l);
    put(b, type_name(value));
    return true;
}

/* False when there is no next one. */
static bool put_next(struct tn_buf *b, struct tn_reader *r, struct level stack[], size_t *depth, const char *hidden)
{
    struct level *l = &stack[*depth];
    bool is_key = l->is_map && l->key;
    struct tn_item item = { 0 };
    if (!tn_read_item(r, &item))
        return false;
    separate(b, l);
    if (item.kind != TN_ARRAY && item.kind != TN_MAP) {
        put_scalar(b, &item);
        return !is_key || item.kind != TN_TEXT || !tn_mask_hides(hidden, item.str) || put_hidden(b, r, l);
    }
    put(b, item.kind == TN_MAP ? "{" : "[");
    stack[++*depth] = (struct level){ .left = item.kind == TN_MAP ? item.num * 2 : item.num,
                                      .is_map = item.kind == TN_MAP,
                                      .first = true,
                                      .key = item.kind == TN_MAP };
    return true;
}

static void put_value(struct tn_buf *b, struct tn_str cbor, const char *hidden)
{
    struct level stack[TN_MAX_VALUE_DEPTH + 2] = { { .left = 1, .first = true } };
    size_t depth = 0;
    struct tn_reader r;
    tn_reader_init(&r, cbor, NULL);
    while (!b->failed) {
        while (stack[depth].left == 0) {
            if (depth == 0)
                return;
            put(b, stack[depth--].is_map ? "}" : "]");
        }
        if (!put_next(b, &r, stack, &depth, hidden))
            return;
    }
}

bool tn_args_json(struct tn_buf *b, const struct tenuo_args *args, bool mask, const char *hidden)
{
    put(b, "{");
    for (size_t i = 0; i < tenuo_args_count(args); i++) {
        if (i != 0)
            put(b, ",");
        put_string(b, args->args[i].name);
        put(b, ":");
        if (mask || tn_mask_hides(hidden, args->args[i].name))
            put(b, type_name(args->args[i].value));
        else
            put_value(b, args->args[i].value, hidden);
    }
    put(b, "}");
    return !b->failed;
}
