/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Equality and order of values. == never takes values of two kinds for equal, nor any optional; contains() compares
 * numbers by value and looks into optionals. Lists in an order that the reference leaves to chance are compared only
 * where the order cannot matter.
 */
#include "cel.h"

#include <math.h>

#define MAX_OPEN 96 /* no argument nests deeper, and no literal */

static bool is_number(const struct cel_value *v)
{
    return cel_is(v, CEL_INT) || cel_is(v, CEL_UINT) || cel_is(v, CEL_DOUBLE);
}

static double as_double(const struct cel_value *v)
{
    return cel_is(v, CEL_INT) ? (double)v->i : cel_is(v, CEL_UINT) ? (double)v->u : v->d;
}

static int order_numbers(const struct cel_value *a, const struct cel_value *b)
{
    double x, y;
    if (cel_is(a, CEL_INT) && cel_is(b, CEL_INT))
        return a->i < b->i ? -1 : a->i > b->i;
    if (cel_is(a, CEL_UINT) && cel_is(b, CEL_UINT))
        return a->u < b->u ? -1 : a->u > b->u;
    if (cel_is(a, CEL_INT) && cel_is(b, CEL_UINT))
        return a->i < 0 || (uint64_t)a->i < b->u ? -1 : (uint64_t)a->i > b->u;
    if (cel_is(a, CEL_UINT) && cel_is(b, CEL_INT))
        return -order_numbers(b, a);
    x = as_double(a);
    y = as_double(b);
    if (isnan(x) || isnan(y))
        return CEL_UNORDERED;
    return x < y ? -1 : x > y;
}

static int order_times(const struct cel_value *a, const struct cel_value *b)
{
    if (a->i != b->i)
        return a->i < b->i ? -1 : 1;
    return a->n < b->n ? -1 : a->n > b->n;
}

int tn_cel_order(const struct cel_value *a, const struct cel_value *b)
{
    int c;
    if (is_number(a) && is_number(b))
        return order_numbers(a, b);
    if (a->kind != b->kind)
        return CEL_UNORDERED;
    switch (a->kind) {
    case CEL_BOOL: return a->b - b->b;
    case CEL_STRING: case CEL_BYTES:
        c = tn_str_cmp(cel_str(a), cel_str(b));
        return c < 0 ? -1 : c > 0;
    case CEL_DURATION: case CEL_TIME: return order_times(a, b);
    default: return CEL_UNORDERED;
    }
}

/* Two values that hold no others. */
static bool same_scalar(const struct cel_value *a, const struct cel_value *b, bool loose)
{
    if (loose && is_number(a) && is_number(b))
        return order_numbers(a, b) == 0;
    if (a->kind != b->kind)
        return false;
    return cel_is(a, CEL_NULL) || tn_cel_order(a, b) == 0;
}

struct pair {
    const struct cel_value *a, *b;
    uint32_t at, n;
    bool maps;
};

struct equal {
    struct cel_run *run;
    struct pair open[MAX_OPEN];
    size_t depth;
    bool loose, uncertain;
};

/* Compares the outsides of two values; their insides are left on the stack. False when they differ. */
static bool same_shape(struct equal *e, const struct cel_value *a, const struct cel_value *b)
{
    struct pair inner = { a->items, b->items, 0, a->n, cel_is(a, CEL_MAP) };
    bool nested = cel_is(a, CEL_LIST) || cel_is(a, CEL_MAP) || cel_is(a, CEL_OPTIONAL);
    if (!nested || a->kind != b->kind)
        return !nested && same_scalar(a, b, e->loose);
    if (cel_is(a, CEL_OPTIONAL)) {
        if (!e->loose || a->items == NULL || b->items == NULL)
            return e->loose && a->items == b->items;
        inner.n = 1;
    } else if (a->n != b->n) {
        return false;
    } else if (a->unordered || b->unordered) {
        e->uncertain = true;
        return true;
    }
    if (e->depth == MAX_OPEN) {
        tn_cel_fatal(e->run, "values nest too deep to be compared");
        return false;
    }
    e->open[e->depth++] = inner;
    return true;
}

/* The next pair of inner values; false when some key is missing. */
static bool next_pair(struct pair *p, const struct cel_value **ret_a, const struct cel_value **ret_b)
{
    uint32_t at = p->at++;
    if (!p->maps) {
        *ret_a = &p->a[at];
        *ret_b = &p->b[at];
        return true;
    }
    struct cel_value map = { .kind = CEL_MAP, .n = p->n, .items = p->b };
    *ret_a = &p->a[(size_t)at * 2 + 1];
    *ret_b = tn_cel_lookup(&map, &p->a[(size_t)at * 2]);
    return *ret_b != NULL;
}

struct cel_value tn_cel_equal(struct cel_run *run, const struct cel_value *a, const struct cel_value *b, bool loose)
{
    TN_UNINIT struct equal e;
    e.run = run;
    e.depth = 0;
    e.loose = loose;
    e.uncertain = false;
    if (!tn_cel_charge(run, cel_weight(a)) || !same_shape(&e, a, b))
        return run->fatal != NULL ? cel_error(run->fatal) : cel_bool(false);
    while (e.depth > 0) {
        struct pair *p = &e.open[e.depth - 1];
        if (p->at == p->n) {
            e.depth--;
            continue;
        }
        if (p->maps && !tn_cel_charge(run, cel_weight(&p->a[(size_t)p->at * 2])))
            return cel_error(run->fatal);
        if (!next_pair(p, &a, &b))
            return cel_bool(false);
        if (!tn_cel_charge(run, cel_weight(a)) || !same_shape(&e, a, b))
            return run->fatal != NULL ? cel_error(run->fatal) : cel_bool(false);
    }
    return e.uncertain ? cel_error("lists made from a map have no order to compare") : cel_bool(true);
}
