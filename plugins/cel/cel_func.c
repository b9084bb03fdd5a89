/* SPDX-License-Identifier: Apache-2.0 */
/* The table of functions, and those about texts, lists and maps. */
#include "cel.h"

static const char not_text[] = "a function takes texts only";

static struct cel_value size(struct cel_call *c)
{
    const struct cel_value *v = &c->args[0];
    switch (v->kind) {
    case CEL_STRING: case CEL_BYTES: case CEL_LIST: case CEL_MAP: return cel_int(v->n);
    default: return cel_error("size() takes a text, bytes, a list or a map");
    }
}

static bool find(struct tn_str in, struct tn_str what)
{
    return what.n == 0 || (in.n >= what.n && memmem(in.p, in.n, what.p, what.n) != NULL);
}

static struct cel_value list_contains(struct cel_call *c)
{
    const struct cel_value *list = &c->args[0];
    struct cel_value unsure = cel_bool(false);
    for (size_t i = 0; i < list->n; i++) {
        struct cel_value same = tn_cel_equal(c->run, &list->items[i], &c->args[1], true);
        if (!tn_cel_charge(c->run, 1) || (cel_is(&same, CEL_BOOL) && same.b))
            return same;
        if (cel_is(&same, CEL_ERROR))
            unsure = same;
    }
    return unsure;
}

/* False, and no error, for a receiver that cannot contain anything. */
static struct cel_value contains(struct cel_call *c)
{
    const struct cel_value *a = &c->args[0], *b = &c->args[1];
    struct cel_value key;
    switch (a->kind) {
    case CEL_LIST: return list_contains(c);
    case CEL_MAP:
        if (cel_is(b, CEL_OPTIONAL) || !tn_cel_key(b, &key))
            return cel_error("a map key is of a kind that no key can have");
        tn_cel_charge(c->run, key.kind == CEL_STRING ? key.n / 64 : 0);
        return cel_bool(tn_cel_lookup(a, &key) != NULL);
    case CEL_STRING: case CEL_BYTES:
        tn_cel_charge(c->run, a->n / 64);
        return cel_bool(a->kind == b->kind && find(cel_str(a), cel_str(b)));
    default: return cel_bool(false);
    }
}

static bool two_texts(const struct cel_call *c)
{
    tn_cel_charge(c->run, c->args[1].n / 64);
    return cel_is(&c->args[0], CEL_STRING) && cel_is(&c->args[1], CEL_STRING);
}

static struct cel_value starts_with(struct cel_call *c)
{
    return two_texts(c) ? cel_bool(tn_str_starts(cel_str(&c->args[0]), cel_str(&c->args[1]))) : cel_error(not_text);
}

static struct cel_value ends_with(struct cel_call *c)
{
    return two_texts(c) ? cel_bool(tn_str_ends(cel_str(&c->args[0]), cel_str(&c->args[1]))) : cel_error(not_text);
}

/* Of equals the later one is the answer; it may be of another kind. */
static struct cel_value extreme(struct cel_call *c, int sign)
{
    const struct cel_value *v = c->args, *best;
    size_t n = c->n;
    bool unordered = false;
    if (n == 1 && cel_is(v, CEL_LIST)) {
        n = v->n;
        unordered = v->unordered;
        v = v->items;
    }
    if (n == 0)
        return cel_null();
    best = v;
    for (size_t i = 1; i < n; i++) {
        int order;
        if (!tn_cel_charge(c->run, cel_weight(&v[i])))
            return cel_error(c->run->fatal);
        order = cel_is(best, CEL_NULL) && cel_is(&v[i], CEL_NULL) ? 0 : tn_cel_order(best, &v[i]);
        if (order == CEL_UNORDERED || cel_is(best, CEL_BYTES) || (order == 0 && unordered && best->kind != v[i].kind))
            return cel_error("max() and min() take values that have an order");
        if (order * sign <= 0)
            best = &v[i];
    }
    return *best;
}

static struct cel_value max(struct cel_call *c)
{
    return extreme(c, 1);
}

static struct cel_value min(struct cel_call *c)
{
    return extreme(c, -1);
}

static const struct cel_function functions[] = {
    { "size", 1, true, size },
    { "contains", 2, true, contains },
    { "startsWith", 2, true, starts_with },
    { "endsWith", 2, true, ends_with },
    { "matches", 2, true, tn_cel_matches },
    { "max", CEL_ANY_ARGS, false, max },
    { "min", CEL_ANY_ARGS, false, min },
    { "string", 1, true, tn_cel_string },
    { "double", 1, true, tn_cel_double_of },
    { "int", 1, true, tn_cel_int_of },
    { "uint", 1, true, tn_cel_uint_of },
    { "bytes", 1, false, tn_cel_bytes_of },
    { "duration", 1, false, tn_cel_duration_of },
    { "timestamp", 1, false, tn_cel_time_of },
    { "getFullYear", 1, true, tn_cel_get_year },
    { "getMonth", 1, true, tn_cel_get_month },
    { "getDayOfYear", 1, true, tn_cel_get_day_of_year },
    { "getDayOfMonth", 1, true, tn_cel_get_day_of_month },
    { "getDate", 1, true, tn_cel_get_date },
    { "getDayOfWeek", 1, true, tn_cel_get_day_of_week },
    { "getHours", 1, true, tn_cel_get_hours },
    { "getMinutes", 1, true, tn_cel_get_minutes },
    { "getSeconds", 1, true, tn_cel_get_seconds },
    { "getMilliseconds", 1, true, tn_cel_get_milliseconds },
    { "value", 1, true, tn_cel_optional_value },
    { "hasValue", 1, true, tn_cel_optional_has_value },
    { "or", 2, true, tn_cel_optional_or },
    { "orValue", 2, true, tn_cel_optional_or_value },
    { "time_now", 1, false, tn_cel_time_now },
    { "time_is_expired", 1, false, tn_cel_time_is_expired },
    { "time_since", 1, false, tn_cel_time_since },
    { "net_in_cidr", 2, false, tn_cel_net_in_cidr },
    { "net_is_private", 1, false, tn_cel_net_is_private },
    { "tenuo_object", 0, false, tn_cel_tenuo_object },
    { "optional.none", 0, false, tn_cel_optional_none },
    { "optional.of", 1, false, tn_cel_optional_of },
    { "optional.ofNonZeroValue", 1, false, tn_cel_optional_of_non_zero },
};

const struct cel_function *tn_cel_function(size_t number)
{
    return number < TN_ARRAY_LEN(functions) ? &functions[number] : NULL;
}

/* No name of the language has a dot in it, so the two name spaces do not mix. */
size_t tn_cel_find_function(struct tn_str name, bool optional)
{
    const struct tn_str space = tn_lit("optional.");
    for (size_t i = 0; i < TN_ARRAY_LEN(functions); i++) {
        struct tn_str full = tn_lit(functions[i].name);
        if (tn_str_starts(full, space) != optional)
            continue;
        if (optional)
            full = (struct tn_str){ full.p + space.n, full.n - space.n };
        if (tn_str_eq(full, name))
            return i;
    }
    return CEL_NO_FUNCTION;
}
