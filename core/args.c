/* SPDX-License-Identifier: Apache-2.0 */
/* Public values and argument maps: built bottom-up, held canonical, so every way in yields the same bytes (spec
 * warrant.md 2.4). */
#include <stdlib.h>
#include <tenuo/request.h>

#include "err.h"
#include "limits.h"
#include "value.h"

static int new_value(struct tn_buf *b, unsigned depth, struct tenuo_value **ret, struct tenuo_error *err)
{
    struct tenuo_value *v = b->failed ? NULL : malloc(sizeof *v + b->n);
    int r = TENUO_OK;
    if (v == NULL) {
        r = tn_fail_code(err, TENUO_E_NOMEM);
    } else {
        if (b->n != 0)
            memcpy(v->data, b->p, b->n);
        v->cbor = (struct tn_str){ v->data, b->n };
        v->depth = depth;
        *ret = v;
    }
    tn_buf_free(b);
    return r;
}

int tenuo_value_null(struct tenuo_value **ret)
{
    struct tn_buf b = { 0 };
    tn_put_null(&b);
    return new_value(&b, 0, ret, NULL);
}

int tenuo_value_bool(int v, struct tenuo_value **ret)
{
    struct tn_buf b = { 0 };
    tn_put_bool(&b, v != 0);
    return new_value(&b, 0, ret, NULL);
}

int tenuo_value_int(int64_t v, struct tenuo_value **ret)
{
    struct tn_buf b = { 0 };
    tn_put_int(&b, v);
    return new_value(&b, 0, ret, NULL);
}

int tenuo_value_float(double v, struct tenuo_value **ret)
{
    struct tn_buf b = { 0 };
    tn_put_float(&b, v);
    return new_value(&b, 0, ret, NULL);
}

static int check_text(struct tn_str s, const char *what, struct tenuo_error *err)
{
    if (s.n > TN_MAX_ARGS_BYTES)
        return tn_fail(err, TENUO_E_INVALID_ARGUMENT, "%s is longer than %d bytes", what, TN_MAX_ARGS_BYTES);
    if (!tn_utf8_valid(s))
        return tn_fail(err, TENUO_E_INVALID_ARGUMENT, "%s is not UTF-8", what);
    return TENUO_OK;
}

int tenuo_value_string(const char *text, size_t len, struct tenuo_value **ret, struct tenuo_error *reterr)
{
    struct tn_str s = { (const uint8_t *)text, len };
    struct tn_buf b = { 0 };
    int r = check_text(s, "a text value", reterr);
    if (r != TENUO_OK)
        return r;
    tn_put_text(&b, s);
    return new_value(&b, 0, ret, reterr);
}

/* Depth of a container over `items`, and their total size within bounds. */
static int check_members(const struct tenuo_value *const *items, size_t count, unsigned *ret_depth,
                         struct tenuo_error *err)
{
    size_t total = 0;
    unsigned depth = 0;
    for (size_t i = 0; i < count; i++) {
        if (items[i]->depth > depth)
            depth = items[i]->depth;
        total += items[i]->cbor.n;
        if (total > TN_MAX_ARGS_BYTES)
            return tn_fail(err, TENUO_E_INVALID_ARGUMENT, "a value is larger than %d bytes", TN_MAX_ARGS_BYTES);
    }
    if (depth + 1 > TN_MAX_VALUE_DEPTH)
        return tn_fail(err, TENUO_E_INVALID_ARGUMENT, "a value nests more than %d deep", TN_MAX_VALUE_DEPTH);
    *ret_depth = depth + 1;
    return TENUO_OK;
}

int tenuo_value_list(const struct tenuo_value *const *items, size_t count, struct tenuo_value **ret,
                     struct tenuo_error *reterr)
{
    struct tn_buf b = { 0 };
    unsigned depth = 0;
    int r = check_members(items, count, &depth, reterr);
    if (r != TENUO_OK)
        return r;
    tn_put_array(&b, count);
    for (size_t i = 0; i < count; i++)
        tn_buf_str(&b, items[i]->cbor);
    return new_value(&b, depth, ret, reterr);
}

struct member {
    struct tn_str key, value;
};

static int member_cmp(const void *a, const void *b)
{
    const struct member *x = a, *y = b;
    return tn_str_cmp(x->key, y->key);
}

static int put_members(struct tn_buf *b, struct member *m, size_t count, struct tenuo_error *err)
{
    qsort(m, count, sizeof *m, member_cmp);
    tn_put_map(b, count);
    for (size_t i = 0; i < count; i++) {
        if (i > 0 && tn_str_eq(m[i - 1].key, m[i].key))
            return tn_fail(err, TENUO_E_INVALID_ARGUMENT, "an object key is repeated");
        tn_put_text(b, m[i].key);
        tn_buf_str(b, m[i].value);
    }
    return TENUO_OK;
}

int tenuo_value_object(const char *const *keys, const size_t *key_lens, const struct tenuo_value *const *items,
                       size_t count, struct tenuo_value **ret, struct tenuo_error *reterr)
{
    struct tn_buf b = { 0 };
    struct member *m = NULL;
    unsigned depth = 0;
    int r = check_members(items, count, &depth, reterr);
    if (r != TENUO_OK)
        return r;
    m = calloc(count + 1, sizeof *m);
    if (m == NULL)
        return tn_fail_code(reterr, TENUO_E_NOMEM);
    for (size_t i = 0; i < count && r == TENUO_OK; i++) {
        m[i] = (struct member){ { (const uint8_t *)keys[i], key_lens[i] }, items[i]->cbor };
        r = check_text(m[i].key, "an object key", reterr);
    }
    if (r == TENUO_OK)
        r = put_members(&b, m, count, reterr);
    free(m);
    if (r != TENUO_OK) {
        tn_buf_free(&b);
        return r;
    }
    return new_value(&b, depth, ret, reterr);
}

/* Levels of a canonical value, for the depth of what is built on top of it. */
static unsigned depth_of(struct tn_str cbor)
{
    uint64_t open[TN_MAX_VALUE_DEPTH + 2] = { 1 };
    unsigned depth = 0, deepest = 0;
    struct tn_reader r;
    struct tn_item item = { 0 };
    tn_reader_init(&r, cbor, NULL);
    while (tn_read_item(&r, &item)) {
        open[depth]--;
        if ((item.kind == TN_ARRAY || item.kind == TN_MAP) && depth <= TN_MAX_VALUE_DEPTH)
            open[++depth] = item.kind == TN_MAP ? item.num * 2 : item.num;
        if (depth > deepest)
            deepest = depth;
        while (depth > 0 && open[depth] == 0)
            depth--;
        if (depth == 0 && open[0] == 0)
            break;
    }
    return deepest;
}

int tenuo_value_parse(const uint8_t *cbor, size_t len, struct tenuo_value **ret, struct tenuo_error *reterr)
{
    struct tn_arena arena;
    struct tn_reader r;
    struct tn_val val = { 0 };
    struct tn_buf b = { 0 };
    unsigned depth = 0;
    if (len > TN_MAX_ARGS_BYTES)
        return tn_fail(reterr, TENUO_E_MALFORMED_CBOR, "a value is larger than %d bytes", TN_MAX_ARGS_BYTES);
    tn_arena_init(&arena, 256);
    tn_reader_init(&r, (struct tn_str){ cbor, len }, reterr);
    if (tn_value_read(&r, TN_FORM_SIGNED, &arena, &val) && tn_read_end(&r, "the value")) {
        tn_buf_str(&b, val.cbor);
        depth = depth_of(val.cbor);
    }
    tn_arena_free(&arena);
    if (r.code != 0)
        return r.code;
    return new_value(&b, depth, ret, reterr);
}

void tenuo_value_free(struct tenuo_value *value)
{
    free(value);
}

const uint8_t *tenuo_value_cbor(const struct tenuo_value *value, size_t *ret_len)
{
    *ret_len = value->cbor.n;
    return value->cbor.p;
}

int tenuo_args_new(struct tenuo_args **ret_args, struct tenuo_error *reterr)
{
    struct tenuo_args *a = calloc(1, sizeof *a);
    if (a == NULL)
        return tn_fail_code(reterr, TENUO_E_NOMEM);
    tn_arena_init(&a->arena, 512);
    *ret_args = a;
    return TENUO_OK;
}

void tenuo_args_free(struct tenuo_args *args)
{
    if (args == NULL)
        return;
    tn_arena_free(&args->arena);
    free(args->args);
    free(args);
}

size_t tenuo_args_count(const struct tenuo_args *args)
{
    return args == NULL ? 0 : args->n;
}

/* Index of the name, or where it belongs. */
static size_t lower_bound(const struct tenuo_args *args, struct tn_str name)
{
    size_t lo = 0, hi = args->n;
    while (lo < hi) {
        size_t mid = lo + (hi - lo) / 2;
        if (tn_str_cmp(args->args[mid].name, name) < 0)
            lo = mid + 1;
        else
            hi = mid;
    }
    return lo;
}

const struct tn_arg *tn_args_find(const struct tenuo_args *args, struct tn_str name)
{
    size_t i;
    if (args == NULL)
        return NULL;
    i = lower_bound(args, name);
    return i < args->n && tn_str_eq(args->args[i].name, name) ? &args->args[i] : NULL;
}

static bool grow(struct tenuo_args *args)
{
    size_t cap = args->cap == 0 ? 8 : args->cap * 2;
    struct tn_arg *p;
    if (args->n < args->cap)
        return true;
    p = realloc(args->args, cap * sizeof *p);
    if (p == NULL)
        return false;
    args->args = p;
    args->cap = cap;
    return true;
}

static int put(struct tenuo_args *args, struct tn_str name, struct tn_str value, int dup_code, struct tenuo_error *err)
{
    struct tn_arg arg = { 0 };
    struct tn_val eq = { 0 };
    size_t at = lower_bound(args, name);
    if (at < args->n && tn_str_eq(args->args[at].name, name))
        return tn_fail(err, dup_code, "an argument name is repeated");
    if (args->n >= TN_MAX_ARGS || name.n + value.n > TN_MAX_ARGS_BYTES - args->bytes)
        return tn_fail(err, TENUO_E_INVALID_ARGUMENT, "more than %d arguments or %d bytes of them", TN_MAX_ARGS,
                       TN_MAX_ARGS_BYTES);
    if (!grow(args) || !tn_arena_str(&args->arena, name, &arg.name) || !tn_arena_str(&args->arena, value, &arg.value) ||
        !tn_value_eq_form(arg.value, TN_FORM_ARGUMENT, &args->arena, &eq))
        return tn_fail_code(err, TENUO_E_NOMEM);
    arg.eq = eq.cbor;
    memmove(args->args + at + 1, args->args + at, (args->n - at) * sizeof arg);
    args->args[at] = arg;
    args->n++;
    args->bytes += name.n + value.n;
    return TENUO_OK;
}

int tenuo_args_put(struct tenuo_args *args, const char *name, size_t len, const struct tenuo_value *value,
                   struct tenuo_error *reterr)
{
    struct tn_str s = { (const uint8_t *)name, len };
    int r = check_text(s, "an argument name", reterr);
    return r != TENUO_OK ? r : put(args, s, value->cbor, TENUO_E_INVALID_ARGUMENT, reterr);
}

int tenuo_args_parse(const uint8_t *cbor, size_t len, struct tenuo_args **ret_args, struct tenuo_error *reterr)
{
    struct tenuo_args *args = NULL;
    struct tn_reader r;
    size_t count = 0;
    int code = len > TN_MAX_ARGS_BYTES
                   ? tn_fail(reterr, TENUO_E_MALFORMED_CBOR, "arguments are larger than %d bytes", TN_MAX_ARGS_BYTES)
                   : tenuo_args_new(&args, reterr);
    if (code != TENUO_OK)
        return code;
    tn_reader_init(&r, (struct tn_str){ cbor, len }, reterr);
    tn_read_map(&r, "the argument map", &count);
    for (size_t i = 0; i < count && r.code == 0 && code == TENUO_OK; i++) {
        struct tn_str name = { 0 };
        struct tn_val val = { 0 };
        if (tn_read_text(&r, "an argument name", &name) && tn_value_read(&r, TN_FORM_SIGNED, &args->arena, &val))
            code = put(args, name, val.cbor, TENUO_E_MALFORMED_CBOR, reterr);
    }
    if (code == TENUO_OK)
        tn_read_end(&r, "the argument map");
    code = code != TENUO_OK ? code : r.code;
    if (code != TENUO_OK) {
        tenuo_args_free(args);
        return code;
    }
    *ret_args = args;
    return TENUO_OK;
}

int tn_args_copy(const struct tenuo_args *args, struct tenuo_args **ret, struct tenuo_error *err)
{
    struct tenuo_args *copy = NULL;
    int r = TENUO_OK;
    if (args == NULL) {
        *ret = NULL;
        return TENUO_OK;
    }
    r = tenuo_args_new(&copy, err);
    for (size_t i = 0; i < args->n && r == TENUO_OK; i++)
        r = put(copy, args->args[i].name, args->args[i].value, TENUO_E_INVALID_ARGUMENT, err);
    if (r != TENUO_OK) {
        tenuo_args_free(copy);
        return r;
    }
    *ret = copy;
    return TENUO_OK;
}

void tn_args_put_map(struct tn_buf *b, const struct tenuo_args *args)
{
    size_t n = tenuo_args_count(args);
    tn_put_map(b, n);
    for (size_t i = 0; i < n; i++) {
        tn_put_text(b, args->args[i].name);
        tn_buf_str(b, args->args[i].value);
    }
}

void tenuo_bytes_free(uint8_t *bytes, size_t len)
{
    (void)len;
    free(bytes);
}
