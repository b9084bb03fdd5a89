/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Constraints as JSON: the vocabulary of constraint_text.c, every type and every option. Unknown members are refused,
 * never ignored: an option with a typing error would otherwise widen a warrant. No recursion.
 */
#include "cli.h"

#include <stdlib.h>
#include <string.h>

#define MAX_DEPTH 32 /* combinators above a leaf, constraints.md 1.4 */

static int bad(struct tenuo_error *err, const char *type, const char *wants)
{
    return cli_set_error(err, TENUO_E_INVALID_ARGUMENT, "%s: %s", type, wants);
}

/* Every member of `object` must be one of `names` (NULL-terminated). */
static int only(const json_t *object, const char *type, const char *const *names, struct tenuo_error *err)
{
    for (void *i = json_object_iter((json_t *)(uintptr_t)object); i;
         i = json_object_iter_next((json_t *)(uintptr_t)object, i)) {
        const char *const *n = names;
        while (*n && strcmp(*n, json_object_iter_key(i)) != 0)
            n++;
        if (!*n)
            return cli_set_error(err, TENUO_E_INVALID_ARGUMENT, "%s: unknown member '%.64s'", type,
                                 json_object_iter_key(i));
    }
    return TENUO_OK;
}

static int flag(const json_t *object, const char *name, int *ret, struct tenuo_error *err)
{
    const json_t *json = json_object_get(object, name);
    if (json && !json_is_boolean(json))
        return bad(err, name, "wants true or false");
    if (json)
        *ret = json_is_true(json);
    return TENUO_OK;
}

static int exact(const json_t *json, struct tenuo_constraint **ret, struct tenuo_error *err)
{
    struct tenuo_value *value = NULL;
    int code = cli_value_from_json(json, &value, err);
    if (!code)
        code = tenuo_constraint_exact(value, ret, err);
    tenuo_value_free(value);
    return code;
}

static int values(enum tenuo_constraint_type type, const char *name, const json_t *list, struct tenuo_constraint **ret,
                  struct tenuo_error *err)
{
    size_t count = json_array_size(list), done = 0;
    int code = TENUO_OK;
    if (!json_is_array(list))
        return bad(err, name, "wants a list of values");
    struct tenuo_value **items = cli_alloc(count, sizeof(struct tenuo_value *));
    while (!code && done < count) {
        code = cli_value_from_json(json_array_get(list, done), &items[done], err);
        done += !code;
    }
    if (!code)
        code = tenuo_constraint_values(type, (const struct tenuo_value *const *)items, count, ret, err);
    while (done)
        tenuo_value_free(items[--done]);
    free(items);
    return code;
}

/* An exact double, or the number would be another one than was written. */
static int bound(const json_t *range, const char *name, double *ret, const double **ret_bound, struct tenuo_error *err)
{
    const json_t *json = json_object_get(range, name);
    *ret_bound = NULL;
    if (!json || json_is_null(json))
        return TENUO_OK;
    if (!json_is_number(json))
        return bad(err, name, "wants a number or null");
    *ret = json_number_value(json);
    if (json_is_integer(json) && (json_integer_value(json) > (1LL << 53) || json_integer_value(json) < -(1LL << 53)))
        return bad(err, name, "ranges compare as doubles; beyond 2^53 they are not exact");
    *ret_bound = ret;
    return TENUO_OK;
}

static int range(const json_t *json, struct tenuo_constraint **ret, struct tenuo_error *err)
{
    static const char *const names[] = { "min", "max", "min_inclusive", "max_inclusive", NULL };
    double min, max;
    const double *lo, *hi;
    int min_inclusive = 1, max_inclusive = 1, code;
    if (!json_is_object(json))
        return bad(err, "range", "wants an object with min and max");
    if ((code = only(json, "range", names, err)) || (code = bound(json, "min", &min, &lo, err)) ||
        (code = bound(json, "max", &max, &hi, err)) || (code = flag(json, "min_inclusive", &min_inclusive, err)) ||
        (code = flag(json, "max_inclusive", &max_inclusive, err)))
        return code;
    return tenuo_constraint_range(lo, hi, min_inclusive, max_inclusive, ret, err);
}

static int subpath(const json_t *object, struct tenuo_constraint **ret, struct tenuo_error *err)
{
    static const char *const names[] = { "subpath", "case_sensitive", "allow_equal", NULL };
    const json_t *root = json_object_get(object, "subpath");
    int case_sensitive = 1, allow_equal = 1, code;
    if (!json_is_string(root))
        return bad(err, "subpath", "wants an absolute path");
    if ((code = only(object, "subpath", names, err)) || (code = flag(object, "case_sensitive", &case_sensitive, err)) ||
        (code = flag(object, "allow_equal", &allow_equal, err)))
        return code;
    return tenuo_constraint_subpath(json_string_value(root), json_string_length(root), case_sensitive, allow_equal, ret,
                                    err);
}

/* Texts without NUL, lent by the JSON. *ret_texts stays NULL when the member is absent. */
static int texts(const json_t *list, const char *name, const char ***ret_texts, size_t *ret_count,
                 struct tenuo_error *err)
{
    size_t count = json_array_size(list);
    if (!list || json_is_null(list))
        return TENUO_OK;
    if (!json_is_array(list))
        return bad(err, name, "wants a list of texts");
    for (size_t i = 0; i < count; i++) {
        const json_t *item = json_array_get(list, i);
        if (!json_is_string(item) || strlen(json_string_value(item)) != json_string_length(item))
            return bad(err, name, "wants a list of texts without NUL");
    }
    *ret_texts = cli_alloc(count, sizeof(char *));
    for (size_t i = 0; i < count; i++)
        (*ret_texts)[i] = json_string_value(json_array_get(list, i));
    *ret_count = count;
    return TENUO_OK;
}

static int ports(const json_t *list, uint16_t **ret_ports, size_t *ret_count, struct tenuo_error *err)
{
    size_t count = json_array_size(list);
    if (!list || json_is_null(list))
        return TENUO_OK;
    uint16_t *numbers = cli_alloc(count, sizeof *numbers);
    bool good = json_is_array(list);
    for (size_t i = 0; good && i < count; i++) {
        const json_t *item = json_array_get(list, i);
        good = json_is_integer(item) && json_integer_value(item) >= 0 && json_integer_value(item) <= 65535;
        numbers[i] = good ? (uint16_t)json_integer_value(item) : 0;
    }
    if (!good) {
        free(numbers);
        return bad(err, "allow_ports", "wants a list of numbers from 0 to 65535");
    }
    *ret_ports = numbers;
    *ret_count = count;
    return TENUO_OK;
}

static int urlsafe(const json_t *json, struct tenuo_constraint **ret, struct tenuo_error *err)
{
    static const char *const names[] = {
        "schemes",        "allow_domains",  "deny_domains",   "allow_ports",         "block_private",
        "block_loopback", "block_metadata", "block_reserved", "block_internal_tlds", NULL
    };
    struct tenuo_url_safe o = TENUO_URL_SAFE_INIT;
    const char **schemes = NULL, **allow = NULL, **deny = NULL;
    uint16_t *port_list = NULL;
    int code;
    if (json_is_true(json))
        return tenuo_constraint_url_safe(&o, ret, err);
    if (!json_is_object(json))
        return bad(err, "urlsafe", "wants an object of options, {} for the defaults");
    if ((code = only(json, "urlsafe", names, err)) ||
        (code = texts(json_object_get(json, "schemes"), "schemes", &schemes, &o.nschemes, err)) ||
        (code = texts(json_object_get(json, "allow_domains"), "allow_domains", &allow, &o.nallow_domains, err)) ||
        (code = texts(json_object_get(json, "deny_domains"), "deny_domains", &deny, &o.ndeny_domains, err)) ||
        (code = ports(json_object_get(json, "allow_ports"), &port_list, &o.nallow_ports, err)) ||
        (code = flag(json, "block_private", &o.block_private, err)) ||
        (code = flag(json, "block_loopback", &o.block_loopback, err)) ||
        (code = flag(json, "block_metadata", &o.block_metadata, err)) ||
        (code = flag(json, "block_reserved", &o.block_reserved, err)) ||
        (code = flag(json, "block_internal_tlds", &o.block_internal_tlds, err)))
        goto out;
    o.schemes = schemes;
    o.allow_domains = allow;
    o.deny_domains = deny;
    o.allow_ports = port_list;
    code = tenuo_constraint_url_safe(&o, ret, err);
out:
    free(schemes);
    free(allow);
    free(deny);
    free(port_list);
    return code;
}

static int shlex(const json_t *json, struct tenuo_constraint **ret, struct tenuo_error *err)
{
    const char **allow = NULL;
    size_t count = 0;
    if (!json_is_array(json))
        return bad(err, "shlex", "wants a list of program names");
    int code = texts(json, "shlex", &allow, &count, err);
    if (!code)
        code = tenuo_constraint_shlex(allow, count, ret, err);
    free(allow);
    return code;
}

static int from_cbor(const json_t *json, struct tenuo_constraint **ret, struct tenuo_error *err)
{
    size_t size = json_string_length(json) / 2, len;
    if (!json_is_string(json))
        return bad(err, "cbor", "wants hex digits");
    uint8_t *bytes = cli_alloc(size, 1);
    int code = cli_unhex(json_string_value(json), json_string_length(json), bytes, size, &len)
                   ? tenuo_constraint_parse(bytes, len, ret, err)
                   : bad(err, "cbor", "wants hex digits");
    free(bytes);
    return code;
}

static int one_text(const char *name, const json_t *json, struct tenuo_constraint **ret, struct cli_hazards *hazards,
                    struct tenuo_error *err)
{
    static const struct {
        const char *name;
        enum tenuo_constraint_type type;
    } types[] = { { "pattern", TENUO_C_PATTERN },
                  { "regex", TENUO_C_REGEX },
                  { "cidr", TENUO_C_CIDR },
                  { "url", TENUO_C_URL_PATTERN },
                  { "cel", TENUO_C_CEL } };
    for (size_t i = 0; i < sizeof types / sizeof types[0]; i++)
        if (strcmp(name, types[i].name) == 0)
            return json_is_string(json) ? cli_constraint_of_text(types[i].type, json_string_value(json),
                                                                 json_string_length(json), ret, hazards, err)
                                        : bad(err, name, "wants a text");
    return cli_set_error(err, TENUO_E_INVALID_ARGUMENT, "unknown constraint type '%.32s'; see 'tenuo help constraints'",
                         name);
}

/* A constraint without others inside. */
static int leaf(const json_t *json, struct tenuo_constraint **ret, struct cli_hazards *hazards, struct tenuo_error *err)
{
    static const struct {
        const char *name;
        enum tenuo_constraint_type type;
    } lists[] = { { "oneof", TENUO_C_ONE_OF },
                  { "notoneof", TENUO_C_NOT_ONE_OF },
                  { "contains", TENUO_C_CONTAINS },
                  { "subset", TENUO_C_SUBSET } };
    if (json_is_array(json))
        return cli_set_error(err, TENUO_E_INVALID_ARGUMENT,
                             "a list is no constraint; write {\"oneof\": [...]} or {\"exact\": [...]}");
    if (!json_is_object(json))
        return exact(json, ret, err);
    if (json_object_get(json, "subpath"))
        return subpath(json, ret, err);
    void *i = json_object_iter((json_t *)(uintptr_t)json);
    if (json_object_size(json) != 1)
        return cli_set_error(err, TENUO_E_INVALID_ARGUMENT, "a constraint object has one member, its type");
    const char *name = json_object_iter_key(i);
    const json_t *value = json_object_iter_value(i);
    for (size_t k = 0; k < sizeof lists / sizeof lists[0]; k++)
        if (strcmp(name, lists[k].name) == 0)
            return values(lists[k].type, name, value, ret, err);
    if (strcmp(name, "exact") == 0)
        return exact(value, ret, err);
    if (strcmp(name, "wildcard") == 0)
        return json_is_true(value) || json_is_null(value) ? tenuo_constraint_wildcard(ret, err)
                                                          : bad(err, name, "wants true");
    if (strcmp(name, "range") == 0)
        return range(value, ret, err);
    if (strcmp(name, "urlsafe") == 0)
        return urlsafe(value, ret, err);
    if (strcmp(name, "shlex") == 0)
        return shlex(value, ret, err);
    if (strcmp(name, "cbor") == 0)
        return from_cbor(value, ret, err);
    return one_text(name, value, ret, hazards, err);
}

/* An All, Any or Not whose inner constraints are being built. */
struct frame {
    enum tenuo_constraint_type type;
    const json_t *list;           /* NULL for Not */
    size_t count, done, positive; /* of the inner ones, how many allow only what they name */
    struct tenuo_constraint **items;
};

/* Is this a combinator? Then *ret_first is its first inner constraint, NULL when it has none. */
static bool frame_open(const json_t *json, struct frame *f, const json_t **ret_first, bool *ret_wrong)
{
    static const struct {
        const char *name;
        enum tenuo_constraint_type type;
    } combinators[] = { { "all", TENUO_C_ALL }, { "any", TENUO_C_ANY }, { "not", TENUO_C_NOT } };
    if (!json_is_object(json) || json_object_size(json) != 1)
        return false;
    for (size_t i = 0; i < 3; i++) {
        const json_t *inner = json_object_get(json, combinators[i].name);
        if (!inner)
            continue;
        bool is_not = combinators[i].type == TENUO_C_NOT;
        *ret_wrong = !is_not && !json_is_array(inner);
        *f = (struct frame){ .type = combinators[i].type,
                             .list = is_not ? NULL : inner,
                             .count = is_not ? 1 : json_array_size(inner) };
        f->items = cli_alloc(f->count, sizeof(struct tenuo_constraint *));
        *ret_first = is_not ? inner : json_array_get(inner, 0);
        return true;
    }
    return false;
}

static void frame_free(struct frame *f)
{
    while (f->done)
        tenuo_constraint_free(f->items[--f->done]);
    free(f->items);
}

/* Does the finished combinator name what it allows? An All does when one part does, an Any when every part does. */
static bool is_positive(const struct frame *f)
{
    if (f->type == TENUO_C_NOT)
        return false;
    return f->type == TENUO_C_ALL ? f->positive > 0 : f->positive == f->count;
}

static int build(const json_t *json, struct tenuo_constraint **ret, struct cli_hazards *hazards,
                 struct tenuo_error *err)
{
    struct frame stack[MAX_DEPTH];
    size_t depth = 0;
    struct tenuo_constraint *made = NULL;
    bool positive = true, wrong = false;
    int code = TENUO_OK;
    while (!code) {
        struct frame next;
        const json_t *first = NULL;
        if (frame_open(json, &next, &first, &wrong)) {
            if (depth == MAX_DEPTH || wrong) {
                frame_free(&next);
                code = wrong ? bad(err, "all, any", "want a list of constraints")
                             : bad(err, "constraint", "more than 32 levels");
                break;
            }
            stack[depth++] = next;
            if ((json = first))
                continue;
        } else {
            code = leaf(json, &made, hazards, err);
            if (code)
                break;
            positive = tenuo_constraint_get_type(made) != TENUO_C_NOT_ONE_OF;
            json = NULL;
        }
        while (!code && depth && !json) {
            struct frame *f = &stack[depth - 1];
            if (made) {
                f->positive += positive;
                f->items[f->done++] = made;
                made = NULL;
            }
            if (f->done < f->count) {
                json = json_array_get(f->list, f->done);
                break;
            }
            positive = is_positive(f);
            code = tenuo_constraint_combine(f->type, (const struct tenuo_constraint *const *)f->items, f->count, &made,
                                            err);
            frame_free(f);
            depth--;
        }
        if (!json)
            break;
    }
    while (depth)
        frame_free(&stack[--depth]);
    if (code)
        return code;
    hazards->not_only = !positive;
    *ret = made;
    return TENUO_OK;
}

int cli_constraint_from_json(const char *text, size_t len, struct tenuo_constraint **ret, struct cli_hazards *hazards,
                             struct tenuo_error *err)
{
    json_t *json = cli_json_load("JSON", text, len, err);
    if (!json)
        return err->code;
    int code = build(json, ret, hazards, err);
    json_decref(json);
    return code;
}
