/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Values of the language: from the argument's CBOR, and maps. Keys are integers, unsigned integers, truth values and
 * texts; 1 and 1u are two keys.
 */
#include "cel.h"

#include <stdlib.h>

#include "../../core/cbor_read.h"

static bool scalar(const struct tn_item *item, struct cel_value *ret)
{
    switch (item->kind) {
    case TN_TEXT: *ret = cel_text(item->str.p, item->str.n); return item->str.n <= UINT32_MAX;
    case TN_UINT: *ret = cel_int((int64_t)item->num); return item->num <= INT64_MAX;
    case TN_NINT: *ret = cel_int(-1 - (int64_t)item->num); return item->num <= INT64_MAX;
    case TN_FLOAT: *ret = cel_double(item->real); return true;
    case TN_BOOL: *ret = cel_bool(item->num != 0); return true;
    case TN_NULL: *ret = cel_null(); return true;
    case TN_BYTES: case TN_ARRAY: case TN_MAP: case TN_TAG: return false;
    }
    return false;
}

struct level {
    struct cel_value *items;
    size_t left;
    struct cel_value *map; /* to be sorted when complete */
};

/* An array or map: room for its items, which come next. */
static bool open_level(struct cel_run *run, const struct tn_item *item, struct cel_value *slot, struct level *ret)
{
    size_t n = (size_t)item->num * (item->kind == TN_MAP ? 2 : 1);
    ret->items = tn_cel_array(run, n);
    if (item->num > UINT32_MAX || ret->items == NULL)
        return false;
    ret->left = n;
    ret->map = item->kind == TN_MAP ? slot : NULL;
    *slot = (struct cel_value){ .kind = item->kind == TN_MAP ? CEL_MAP : CEL_LIST, .n = (uint32_t)item->num,
                                .items = ret->items };
    return true;
}

/* Keys of an object are texts and ascend, as in every canonical value. */
static bool keys_ascend(const struct cel_value *map)
{
    for (size_t i = 0; i < map->n; i++) {
        const struct cel_value *key = &map->items[i * 2];
        if (!cel_is(key, CEL_STRING) || (i > 0 && tn_str_cmp(cel_str(key - 2), cel_str(key)) >= 0))
            return false;
    }
    return true;
}

bool tn_cel_from_cbor(struct tn_str cbor, struct cel_run *run, struct cel_value *ret)
{
    TN_UNINIT struct level levels[TN_MAX_VALUE_DEPTH + 1];
    struct cel_value root;
    struct tn_reader r;
    size_t depth = 0;
    levels[0] = (struct level){ &root, 1, NULL };
    tn_reader_init(&r, cbor, NULL);
    for (;;) {
        struct tn_item item;
        while (levels[depth].left == 0) {
            if (levels[depth].map != NULL && !keys_ascend(levels[depth].map))
                return false;
            if (depth-- == 0) {
                *ret = root;
                return tn_read_end(&r, "the value");
            }
        }
        if (!tn_read_item(&r, &item))
            return false;
        levels[depth].left--;
        if (item.kind != TN_ARRAY && item.kind != TN_MAP) {
            if (!scalar(&item, levels[depth].items++))
                return false;
            continue;
        }
        if (depth == TN_MAX_VALUE_DEPTH || !open_level(run, &item, levels[depth].items++, &levels[depth + 1]))
            return false;
        depth++;
    }
}

bool tn_cel_key(const struct cel_value *v, struct cel_value *ret)
{
    while (cel_is(v, CEL_OPTIONAL)) {
        if (v->items == NULL)
            return false;
        v = v->items;
    }
    *ret = *v;
    return cel_is(v, CEL_BOOL) || cel_is(v, CEL_INT) || cel_is(v, CEL_UINT) || cel_is(v, CEL_STRING);
}

static int compare_keys(const struct cel_value *a, const struct cel_value *b)
{
    if (a->kind != b->kind)
        return a->kind < b->kind ? -1 : 1;
    switch (a->kind) {
    case CEL_BOOL: return a->b - b->b;
    case CEL_INT: return a->i < b->i ? -1 : a->i > b->i;
    case CEL_UINT: return a->u < b->u ? -1 : a->u > b->u;
    default: return tn_str_cmp(cel_str(a), cel_str(b));
    }
}

/* Equal keys stay in the order of the source, so that the last of them is known after sorting. */
struct entry {
    struct cel_value key, value;
    size_t place;
};

static int compare_entries(const void *a, const void *b)
{
    const struct entry *x = a, *y = b;
    int c = compare_keys(&x->key, &y->key);
    return c != 0 ? c : x->place < y->place ? -1 : 1;
}

struct cel_value tn_cel_map(struct cel_run *run, struct cel_value *entries, size_t n)
{
    struct entry *sorted;
    size_t kept = 0;
    uint64_t rounds = 1; /* in which sorting looks at each key */
    while (n >> rounds != 0)
        rounds++;
    if (n > UINT32_MAX / 2 || (sorted = tn_cel_alloc(run, n * sizeof *sorted)) == NULL || !tn_cel_charge(run, n * 2))
        return tn_cel_fatal(run, "the expression takes too much memory");
    for (size_t i = 0; i < n; i++) {
        struct cel_value ignored;
        if (cel_is(&entries[i * 2], CEL_OPTIONAL) || !tn_cel_key(&entries[i * 2], &ignored))
            return cel_error("a map key is of a kind that no key can have");
        if (!tn_cel_charge(run, rounds * cel_weight(&entries[i * 2])))
            return cel_error(run->fatal);
        sorted[i] = (struct entry){ entries[i * 2], entries[i * 2 + 1], i };
    }
    if (n > 1)
        qsort(sorted, n, sizeof *sorted, compare_entries);
    for (size_t i = 0; i < n; i++) {
        if (i + 1 < n && compare_keys(&sorted[i].key, &sorted[i + 1].key) == 0)
            continue;
        entries[kept * 2] = sorted[i].key;
        entries[kept * 2 + 1] = sorted[i].value;
        kept++;
    }
    return (struct cel_value){ .kind = CEL_MAP, .n = (uint32_t)kept, .items = entries };
}

const struct cel_value *tn_cel_lookup(const struct cel_value *map, const struct cel_value *key)
{
    size_t lo = 0, hi = map->n;
    while (lo < hi) {
        size_t mid = lo + (hi - lo) / 2;
        int c = compare_keys(&map->items[mid * 2], key);
        if (c == 0)
            return &map->items[mid * 2 + 1];
        if (c < 0)
            lo = mid + 1;
        else
            hi = mid;
    }
    return NULL;
}

const struct cel_value *tn_cel_lookup_name(const struct cel_value *map, struct tn_str name)
{
    struct cel_value key = cel_text(name.p, name.n);
    return tn_cel_lookup(map, &key);
}
