/* SPDX-License-Identifier: Apache-2.0 */
/* Operators: checked arithmetic within one kind of number, order, membership, members and elements. */
#include "cel.h"

static const char no_overload[] = "an operator does not take values of these kinds";
static const char overflow[] = "a number is out of range";
static const char by_zero[] = "division by zero";

static struct cel_value ints(unsigned op, int64_t a, int64_t b)
{
    int64_t v = 0;
    bool bad;
    if ((op == T_SLASH || op == T_PERCENT) && b == 0)
        return cel_error(by_zero);
    switch (op) {
    case T_PLUS: bad = __builtin_add_overflow(a, b, &v); break;
    case T_MINUS: bad = __builtin_sub_overflow(a, b, &v); break;
    case T_STAR: bad = __builtin_mul_overflow(a, b, &v); break;
    default:
        bad = a == INT64_MIN && b == -1;
        if (!bad)
            v = op == T_SLASH ? a / b : a % b;
    }
    return bad ? cel_error(overflow) : cel_int(v);
}

static struct cel_value uints(unsigned op, uint64_t a, uint64_t b)
{
    uint64_t v = 0;
    bool bad = false;
    if ((op == T_SLASH || op == T_PERCENT) && b == 0)
        return cel_error(by_zero);
    switch (op) {
    case T_PLUS: bad = __builtin_add_overflow(a, b, &v); break;
    case T_MINUS: bad = __builtin_sub_overflow(a, b, &v); break;
    case T_STAR: bad = __builtin_mul_overflow(a, b, &v); break;
    default: v = op == T_SLASH ? a / b : a % b;
    }
    return bad ? cel_error(overflow) : cel_uint(v);
}

static struct cel_value doubles(unsigned op, double a, double b)
{
    switch (op) {
    case T_PLUS: return cel_double(a + b);
    case T_MINUS: return cel_double(a - b);
    case T_STAR: return cel_double(a * b);
    case T_SLASH: return cel_double(a / b);
    default: return cel_error(no_overload);
    }
}

static struct cel_value concat(struct cel_run *run, const struct cel_value *a, const struct cel_value *b)
{
    struct cel_value v = *a;
    size_t n = (size_t)a->n + b->n;
    uint8_t *p = n > UINT32_MAX ? NULL : tn_cel_alloc(run, n);
    if (p == NULL || !tn_cel_charge(run, n / 64))
        return tn_cel_fatal(run, "the expression takes too much memory");
    if (a->n > 0)
        memcpy(p, a->p, a->n);
    if (b->n > 0)
        memcpy(p + a->n, b->p, b->n);
    v.p = p;
    v.n = (uint32_t)n;
    return v;
}

/* A map on the right side gives its keys. */
static struct cel_value join_lists(struct cel_run *run, const struct cel_value *a, const struct cel_value *b)
{
    size_t stride = cel_is(b, CEL_MAP) ? 2 : 1, n = (size_t)a->n + b->n;
    struct cel_value *items = tn_cel_array(run, n);
    if (items == NULL || n > UINT32_MAX || !tn_cel_charge(run, n / 8))
        return tn_cel_fatal(run, "the expression takes too much memory");
    for (size_t i = 0; i < n; i++)
        items[i] = i < a->n ? a->items[i] : b->items[(i - a->n) * stride];
    return (struct cel_value){ .kind = CEL_LIST, .n = (uint32_t)n, .items = items,
                               .unordered = a->unordered || b->unordered || (stride == 2 && b->n > 1) };
}

static struct cel_value times(struct cel_run *run, unsigned op, const struct cel_value *a,
                              const struct cel_value *b)
{
    struct cel_value v;
    bool known = cel_is(b, CEL_DURATION) || (op == T_MINUS && cel_is(a, CEL_TIME) && cel_is(b, CEL_TIME));
    if (!known || (op != T_PLUS && op != T_MINUS))
        return cel_error(no_overload);
    if (tn_cel_add_time(a, b, op == T_PLUS ? 1 : -1, &v))
        return v;
    return cel_is(a, CEL_TIME) ? cel_error(overflow) : tn_cel_fatal(run, "a duration is out of range");
}

static struct cel_value arithmetic(struct cel_run *run, unsigned op, const struct cel_value *a,
                                   const struct cel_value *b)
{
    if (cel_is(a, CEL_DURATION) || cel_is(a, CEL_TIME))
        return times(run, op, a, b);
    if (op == T_PLUS && cel_is(a, CEL_LIST) && (cel_is(b, CEL_LIST) || cel_is(b, CEL_MAP)))
        return join_lists(run, a, b);
    if (a->kind != b->kind)
        return cel_error(no_overload);
    switch (a->kind) {
    case CEL_INT: return ints(op, a->i, b->i);
    case CEL_UINT: return uints(op, a->u, b->u);
    case CEL_DOUBLE: return doubles(op, a->d, b->d);
    case CEL_STRING: case CEL_BYTES: return op == T_PLUS ? concat(run, a, b) : cel_error(no_overload);
    default: return cel_error(no_overload);
    }
}

static struct cel_value in(struct cel_run *run, const struct cel_value *a, const struct cel_value *b)
{
    struct cel_value key, unsure = cel_bool(false);
    if (cel_is(b, CEL_MAP)) {
        if (!tn_cel_key(a, &key))
            return cel_error("a map key is of a kind that no key can have");
        tn_cel_charge(run, cel_is(&key, CEL_STRING) ? key.n / 64 : 0);
        return cel_bool(tn_cel_lookup(b, &key) != NULL);
    }
    if (!cel_is(b, CEL_LIST))
        return cel_error(no_overload);
    for (size_t i = 0; i < b->n; i++) {
        struct cel_value same = tn_cel_equal(run, a, &b->items[i], false);
        if (!tn_cel_charge(run, 1) || (cel_is(&same, CEL_BOOL) && same.b))
            return same;
        if (cel_is(&same, CEL_ERROR))
            unsure = same;
    }
    return unsure;
}

static struct cel_value relation(unsigned op, const struct cel_value *a, const struct cel_value *b)
{
    int c = tn_cel_order(a, b);
    if (c == CEL_UNORDERED)
        return cel_error("values of these kinds have no order");
    switch (op) {
    case T_LT: return cel_bool(c < 0);
    case T_LE: return cel_bool(c <= 0);
    case T_GT: return cel_bool(c > 0);
    default: return cel_bool(c >= 0);
    }
}

struct cel_value tn_cel_binary(struct cel_run *run, unsigned op, const struct cel_value *a,
                               const struct cel_value *b)
{
    struct cel_value same;
    switch (op) {
    case T_EQ: case T_NE:
        same = tn_cel_equal(run, a, b, false);
        return cel_is(&same, CEL_ERROR) ? same : cel_bool(same.b == (op == T_EQ));
    case T_IN: return in(run, a, b);
    case T_LT: case T_LE: case T_GT: case T_GE:
        tn_cel_charge(run, cel_is(a, CEL_STRING) ? a->n / 64 : 0);
        return relation(op, a, b);
    default: return arithmetic(run, op, a, b);
    }
}

/* The reference negates truth values too. What it makes of the smallest integer depends on how it was built. */
struct cel_value tn_cel_negate(struct cel_run *run, const struct cel_value *v)
{
    switch (v->kind) {
    case CEL_INT: return v->i == INT64_MIN ? tn_cel_fatal(run, overflow) : cel_int(-v->i);
    case CEL_DOUBLE: return cel_double(-v->d);
    case CEL_BOOL: return cel_bool(!v->b);
    default: return cel_error(no_overload);
    }
}

static struct cel_value element(const struct cel_value *list, const struct cel_value *key)
{
    uint64_t at = key->u;
    if (!cel_is(key, CEL_UINT) && !cel_is(key, CEL_INT))
        return cel_error("the index of a list is an integer");
    if ((cel_is(key, CEL_INT) && key->i < 0) || at >= list->n)
        return cel_error("an index is out of bounds");
    if (list->unordered)
        return cel_error("a list made from a map has no order to index");
    return list->items[at];
}

struct cel_value tn_cel_index(struct cel_run *run, const struct cel_value *v, const struct cel_value *key)
{
    struct cel_value plain;
    const struct cel_value *found;
    if (cel_is(v, CEL_LIST))
        return element(v, key);
    if (!cel_is(v, CEL_MAP))
        return cel_error("only lists and maps have elements");
    if (!tn_cel_key(key, &plain))
        return cel_error("a map key is of a kind that no key can have");
    tn_cel_charge(run, cel_is(&plain, CEL_STRING) ? plain.n / 64 : 0);
    found = tn_cel_lookup(v, &plain);
    return found == NULL ? cel_error("a map has no such key") : *found;
}

/* A member of what is no map is false in the reference, and has() says so too. */
struct cel_value tn_cel_select(const struct cel_value *v, struct tn_str name, bool test)
{
    const struct cel_value *found;
    if (!cel_is(v, CEL_MAP))
        return cel_bool(false);
    found = tn_cel_lookup_name(v, name);
    if (test)
        return cel_bool(found != NULL);
    return found == NULL ? cel_error("a map has no such key") : *found;
}
