/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Reading values: one pass that checks every rule and notices whether the bytes are canonical already (they are, from
 * every known producer); only others are taken apart and written again. No recursion: explicit levels, at most
 * TN_MAX_VALUE_DEPTH.
 */
#include "value.h"

#include <math.h>
#include <stdlib.h>

#include "limits.h"

/* One item of a value in reading order, for the rewriting pass. */
struct token {
    struct tn_item item;
    uint32_t end; /* index behind the item's last descendant */
};

struct level {
    uint64_t left; /* items still to come, keys included */
    bool is_map, have_key;
    struct tn_str key;
    uint32_t token;
};

struct scan {
    struct tn_reader *r;
    enum tn_value_form form;
    struct level level[TN_MAX_VALUE_DEPTH + 1];
    size_t depth;
    bool canonical, has_nan;
    struct token *tokens; /* NULL in the checking pass */
    uint32_t ntokens, captokens;
};

static bool is_shortest_float(const struct tn_item *item)
{
    uint64_t bits;
    return !isnan(item->real) && tn_float_bits(item->real, &bits) == item->float_width;
}

static void note_float(struct scan *s, const struct tn_item *item)
{
    if (isnan(item->real))
        s->has_nan = true;
    if (s->form != TN_FORM_SIGNED && (isnan(item->real) || (item->real == 0 && signbit(item->real))))
        s->canonical = false;
    if (s->canonical && !is_shortest_float(item))
        s->canonical = false;
}

/* A key of an object: text, and where the keys do not ascend the rewriting pass finds duplicates. */
static bool note_key(struct scan *s, struct level *l, const struct tn_item *item)
{
    if (item->kind != TN_TEXT)
        return tn_reader_fail(s->r, TENUO_E_MALFORMED_CBOR, "an object key is not text");
    if (l->have_key) {
        int c = tn_str_cmp(l->key, item->str);
        if (c == 0)
            return tn_reader_fail(s->r, TENUO_E_MALFORMED_CBOR, "an object key is repeated");
        if (c > 0)
            s->canonical = false;
    }
    l->have_key = true;
    l->key = item->str;
    return true;
}

static bool is_value_kind(struct scan *s, const struct tn_item *item)
{
    switch (item->kind) {
    case TN_BYTES:
        return tn_reader_fail(s->r, TENUO_E_MALFORMED_CBOR, "a byte string is no value");
    case TN_TAG:
        return tn_reader_fail(s->r, TENUO_E_MALFORMED_CBOR, "a tag is no value");
    case TN_UINT:
    case TN_NINT:
        return item->num <= INT64_MAX ||
               tn_reader_fail(s->r, TENUO_E_MALFORMED_CBOR, "an integer does not fit 64 signed bits");
    case TN_FLOAT:
        note_float(s, item);
        return true;
    case TN_TEXT: case TN_ARRAY: case TN_MAP: case TN_BOOL: case TN_NULL:
        return true;
    }
    return false;
}

static bool push_token(struct scan *s, const struct tn_item *item)
{
    if (s->ntokens == s->captokens) {
        uint32_t cap = s->captokens == 0 ? 64 : s->captokens * 2;
        struct token *t = realloc(s->tokens, cap * sizeof *t);
        if (t == NULL)
            return tn_reader_fail(s->r, TENUO_E_NOMEM, "memory ran out");
        s->tokens = t;
        s->captokens = cap;
    }
    s->tokens[s->ntokens] = (struct token){ *item, s->ntokens + 1 };
    s->ntokens++;
    return true;
}

static bool enter(struct scan *s, const struct tn_item *item)
{
    struct level *l;
    if (item->kind != TN_ARRAY && item->kind != TN_MAP)
        return true;
    if (++s->depth > TN_MAX_VALUE_DEPTH)
        return tn_reader_fail(s->r, TENUO_E_MALFORMED_CBOR, "a value nests more than %d deep", TN_MAX_VALUE_DEPTH);
    l = &s->level[s->depth];
    *l = (struct level){ .left = item->num, .is_map = item->kind == TN_MAP, .token = s->ntokens - 1 };
    if (l->is_map)
        l->left *= 2;
    return true;
}

/* Walks one value; `keep` records tokens for the rewriting pass. */
static bool walk(struct scan *s, bool keep)
{
    s->depth = 0;
    s->level[0] = (struct level){ .left = 1 };
    for (;;) {
        struct tn_item item = { 0 };
        struct level *l;
        while (s->level[s->depth].left == 0) {
            if (s->depth == 0)
                return true;
            if (keep)
                s->tokens[s->level[s->depth].token].end = s->ntokens;
            s->depth--;
        }
        l = &s->level[s->depth];
        if (!tn_read_item(s->r, &item))
            return false;
        if (l->is_map && l->left % 2 == 0 && !note_key(s, l, &item))
            return false;
        l->left--;
        if (!is_value_kind(s, &item) || (keep && !push_token(s, &item)) || !enter(s, &item))
            return false;
    }
}

struct entry {
    struct tn_str key;
    uint32_t value;
};

static int entry_cmp(const void *a, const void *b)
{
    const struct entry *x = a, *y = b;
    return tn_str_cmp(x->key, y->key);
}

/* The entries of the object at token `at`, sorted; NULL when a key is repeated or memory is out. */
static struct entry *sorted_entries(struct scan *s, uint32_t at)
{
    size_t n = (size_t)s->tokens[at].item.num;
    struct entry *e = calloc(n + 1, sizeof *e);
    uint32_t t = at + 1;
    if (e == NULL) {
        tn_reader_fail(s->r, TENUO_E_NOMEM, "memory ran out");
        return NULL;
    }
    for (size_t i = 0; i < n; i++) {
        e[i] = (struct entry){ s->tokens[t].item.str, t + 1 };
        t = s->tokens[t + 1].end;
    }
    qsort(e, n, sizeof *e, entry_cmp);
    for (size_t i = 1; i < n; i++) {
        if (tn_str_eq(e[i - 1].key, e[i].key)) {
            tn_reader_fail(s->r, TENUO_E_MALFORMED_CBOR, "an object key is repeated");
            free(e);
            return NULL;
        }
    }
    return e;
}

static void put_scalar(const struct scan *s, struct tn_buf *b, const struct tn_item *item)
{
    switch (item->kind) {
    case TN_UINT: tn_put_uint(b, item->num); break;
    case TN_NINT: tn_put_int(b, -1 - (int64_t)item->num); break;
    case TN_TEXT: tn_put_text(b, item->str); break;
    case TN_BOOL: tn_put_bool(b, item->num != 0); break;
    case TN_NULL: tn_put_null(b); break;
    case TN_FLOAT:
        if (s->form == TN_FORM_ARGUMENT && isnan(item->real))
            tn_buf_put(b, "\xf9\x7e\x01", 3);
        else
            tn_put_float(b, s->form != TN_FORM_SIGNED && item->real == 0 ? 0.0 : item->real);
        break;
    case TN_BYTES: case TN_TAG: case TN_ARRAY: case TN_MAP: break; /* never here */
    }
}

struct frame {
    struct entry *entries; /* NULL for a list */
    size_t i, n;
    uint32_t next; /* list: token of the next element */
};

/* Writes the token at `at`; a list or object opens a frame, whose members the caller's loop then takes. */
static bool put_token(struct scan *s, struct tn_buf *b, uint32_t at, struct frame *stack, size_t *depth)
{
    const struct tn_item *item = &s->tokens[at].item;
    struct frame *f;
    if (item->kind != TN_ARRAY && item->kind != TN_MAP) {
        put_scalar(s, b, item);
        return true;
    }
    f = &stack[++*depth];
    *f = (struct frame){ .n = (size_t)item->num, .next = at + 1 };
    if (item->kind == TN_ARRAY) {
        tn_put_array(b, f->n);
        return true;
    }
    tn_put_map(b, f->n);
    f->entries = sorted_entries(s, at);
    if (f->entries == NULL)
        --*depth;
    return s->r->code == 0;
}

static bool rewrite(struct scan *s, struct tn_buf *b)
{
    TN_UNINIT struct frame stack[TN_MAX_VALUE_DEPTH + 1];
    size_t depth = 0;
    bool good = put_token(s, b, 0, stack, &depth);
    while (depth > 0) {
        struct frame *f = &stack[depth];
        uint32_t at = f->next;
        if (!good || f->i == f->n) {
            free(f->entries);
            depth--;
            continue;
        }
        if (f->entries != NULL) {
            tn_put_text(b, f->entries[f->i].key);
            at = f->entries[f->i].value;
        } else {
            f->next = s->tokens[at].end;
        }
        f->i++;
        good = put_token(s, b, at, stack, &depth);
    }
    return good && (!b->failed || tn_reader_fail(s->r, TENUO_E_NOMEM, "memory ran out"));
}

/* The slow way: from the start of the value again, with tokens, into the arena. Not inlined, so that the fast
 * way keeps a small frame. */
__attribute__((noinline)) static bool reread(struct scan *s, const uint8_t *start, struct tn_arena *arena,
                                             struct tn_str *ret)
{
    struct tn_buf b = { 0 };
    uint8_t *copy = NULL;
    bool good;
    s->r->p = start;
    good = walk(s, true) && rewrite(s, &b);
    if (good) {
        copy = tn_arena_alloc(arena, b.n);
        good = copy != NULL || tn_reader_fail(s->r, TENUO_E_NOMEM, "memory ran out");
    }
    if (good) {
        memcpy(copy, b.p, b.n);
        *ret = (struct tn_str){ copy, b.n };
    }
    free(s->tokens);
    tn_buf_free(&b);
    return good;
}

bool tn_value_read(struct tn_reader *r, enum tn_value_form form, struct tn_arena *arena, struct tn_val *ret)
{
    TN_UNINIT struct scan s;
    const uint8_t *start = r->p;
    struct tn_str cbor;
    s.r = r; /* the levels are set as they are entered; zeroing them costs more than the value */
    s.form = form;
    s.canonical = true;
    s.has_nan = false;
    s.tokens = NULL;
    s.ntokens = s.captokens = 0;
    if (!walk(&s, false))
        return false;
    cbor = (struct tn_str){ start, (size_t)(r->p - start) };
    if (!s.canonical && !reread(&s, start, arena, &cbor))
        return false;
    *ret = (struct tn_val){ cbor, s.has_nan };
    return true;
}

bool tn_value_eq_form(struct tn_str signed_cbor, enum tn_value_form form, struct tn_arena *arena, struct tn_val *ret)
{
    struct tn_reader r;
    tn_reader_init(&r, signed_cbor, NULL);
    return tn_value_read(&r, form, arena, ret);
}

struct tn_str tn_value_next(struct tn_str *items)
{
    struct tn_reader r;
    struct tn_str one = { items->p, 0 };
    tn_reader_init(&r, *items, NULL);
    if (tn_read_opaque(&r, &one)) {
        items->p += one.n;
        items->n -= one.n;
    }
    return one;
}

struct tn_peek tn_value_peek(struct tn_str cbor)
{
    struct tn_reader r;
    struct tn_item item = { .kind = TN_NULL };
    struct tn_peek peek = { .type = TN_T_NULL };
    tn_reader_init(&r, cbor, NULL);
    if (!tn_read_item(&r, &item))
        return peek;
    switch (item.kind) {
    case TN_UINT: peek.type = TN_T_INT; peek.integer = (int64_t)item.num; break;
    case TN_NINT: peek.type = TN_T_INT; peek.integer = -1 - (int64_t)item.num; break;
    case TN_TEXT: peek.type = TN_T_STRING; peek.text = item.str; break;
    case TN_BOOL: peek.type = TN_T_BOOL; peek.boolean = item.num != 0; break;
    case TN_FLOAT: peek.type = TN_T_FLOAT; peek.real = item.real; break;
    case TN_ARRAY: case TN_MAP:
        peek.type = item.kind == TN_ARRAY ? TN_T_LIST : TN_T_OBJECT;
        peek.count = (size_t)item.num;
        peek.items = (struct tn_str){ r.p, (size_t)(r.end - r.p) };
        break;
    case TN_NULL: case TN_BYTES: case TN_TAG: break;
    }
    return peek;
}
