/* SPDX-License-Identifier: Apache-2.0 */
/*
 * JSON to typed values, strictly: no name twice in an object, at most TENUO_VALUE_MAX_DEPTH levels, integers within 64
 * bits. A number with '.', 'e' or 'E' is a Float, any other an Integer: the two differ in a proof of possession. No
 * recursion.
 */
#include "cli.h"

#include <stdlib.h>
#include <string.h>

/* The parser itself recurses; this keeps hostile nesting away from it. Brackets inside strings do not count. */
static bool too_deep(const char *text, size_t len)
{
    int depth = 0;
    bool quoted = false;
    for (size_t i = 0; i < len; i++) {
        if (quoted && text[i] == '\\')
            i++;
        else if (text[i] == '"')
            quoted = !quoted;
        else if (!quoted && (text[i] == '[' || text[i] == '{') && ++depth > TENUO_VALUE_MAX_DEPTH + 2)
            return true;
        else if (!quoted && (text[i] == ']' || text[i] == '}'))
            depth--;
    }
    return false;
}

/* The parser's own text may quote the input: say the kind alone. */
static const char *fault_text(enum json_error_code fault)
{
    static const struct {
        enum json_error_code fault;
        const char *text;
    } faults[] = {
        { json_error_duplicate_key, "one name twice in an object" },
        { json_error_numeric_overflow, "a number beyond 64 bits" },
        { json_error_end_of_input_expected, "more text after the JSON value" },
        { json_error_null_byte_in_key, "a NUL in a name" },
        { json_error_invalid_utf8, "not valid UTF-8" },
        { json_error_premature_end_of_input, "the JSON text ends too early" },
        { json_error_out_of_memory, "out of memory" },
    };
    for (size_t i = 0; i < sizeof faults / sizeof faults[0]; i++)
        if (faults[i].fault == fault)
            return faults[i].text;
    return "not valid JSON";
}

json_t *cli_json_load(const char *what, const char *text, size_t len, struct tenuo_error *err)
{
    if (too_deep(text, len)) {
        cli_set_error(err, TENUO_E_INVALID_ARGUMENT, "%s: JSON nests more than %d levels", what, TENUO_VALUE_MAX_DEPTH);
        return NULL;
    }
    json_error_t where;
    json_t *json = json_loadb(text, len, JSON_REJECT_DUPLICATES | JSON_DECODE_ANY | JSON_ALLOW_NUL, &where);
    if (json)
        return json;
    cli_set_error(err, TENUO_E_INVALID_ARGUMENT, "%s: line %d, column %d: %s", what, where.line, where.column,
                  fault_text(json_error_code(&where)));
    return NULL;
}

/* A list or object whose members are being built. */
struct frame {
    const json_t *node;
    void *iter; /* objects: the member being built */
    size_t count, done;
    struct tenuo_value **items;
    const char **keys;
    size_t *key_lens;
};

static void frame_free(struct frame *f)
{
    for (size_t i = 0; i < f->done; i++)
        tenuo_value_free(f->items[i]);
    free(f->items);
    free(f->keys);
    free(f->key_lens);
}

static json_t *unconst(const json_t *json)
{
    return (json_t *)(uintptr_t)json; /* jansson's iterators take no const */
}

static const json_t *frame_open(struct frame *f, const json_t *node)
{
    *f = (struct frame){ .node = node, .count = json_is_object(node) ? json_object_size(node) : json_array_size(node) };
    f->items = cli_alloc(f->count, sizeof(struct tenuo_value *));
    f->keys = cli_alloc(f->count, sizeof(char *));
    f->key_lens = cli_alloc(f->count, sizeof(size_t));
    if (json_is_array(node))
        return json_array_get(node, 0);
    f->iter = json_object_iter(unconst(node));
    return json_object_iter_value(f->iter);
}

/* Takes the finished member; the next one, or NULL when the container is complete. */
static const json_t *frame_take(struct frame *f, struct tenuo_value *value)
{
    if (f->iter) {
        f->keys[f->done] = json_object_iter_key(f->iter);
        f->key_lens[f->done] = json_object_iter_key_len(f->iter);
        f->iter = json_object_iter_next(unconst(f->node), f->iter);
    }
    f->items[f->done++] = value;
    if (f->done == f->count)
        return NULL;
    return f->iter ? json_object_iter_value(f->iter) : json_array_get(f->node, f->done);
}

static int combine(const struct frame *f, struct tenuo_value **ret, struct tenuo_error *err)
{
    const struct tenuo_value *const *items = (const struct tenuo_value *const *)f->items;
    if (json_is_array(f->node))
        return tenuo_value_list(items, f->done, ret, err);
    return tenuo_value_object(f->keys, f->key_lens, items, f->done, ret, err);
}

static int scalar(const json_t *json, struct tenuo_value **ret, struct tenuo_error *err)
{
    int code;
    switch (json_typeof(json)) {
    case JSON_STRING:
        return tenuo_value_string(json_string_value(json), json_string_length(json), ret, err);
    case JSON_INTEGER:
        code = tenuo_value_int(json_integer_value(json), ret);
        break;
    case JSON_REAL:
        code = tenuo_value_float(json_real_value(json), ret);
        break;
    case JSON_TRUE:
    case JSON_FALSE:
        code = tenuo_value_bool(json_is_true(json), ret);
        break;
    case JSON_ARRAY:
        return tenuo_value_list(NULL, 0, ret, err);
    case JSON_OBJECT:
        return tenuo_value_object(NULL, NULL, NULL, 0, ret, err);
    case JSON_NULL:
    default:
        code = tenuo_value_null(ret);
        break;
    }
    return code ? cli_set_error(err, code, "%s", tenuo_err_text(code)) : TENUO_OK;
}

int cli_value_from_json(const json_t *json, struct tenuo_value **ret, struct tenuo_error *err)
{
    struct frame stack[TENUO_VALUE_MAX_DEPTH];
    size_t depth = 0;
    struct tenuo_value *value = NULL;
    int code = TENUO_OK;
    while (!code) {
        if ((json_is_array(json) && json_array_size(json)) || (json_is_object(json) && json_object_size(json))) {
            if (depth == TENUO_VALUE_MAX_DEPTH) {
                code = cli_set_error(err, TENUO_E_INVALID_ARGUMENT, "JSON nests more than %d levels",
                                     TENUO_VALUE_MAX_DEPTH);
                break;
            }
            json = frame_open(&stack[depth++], json);
            continue;
        }
        code = scalar(json, &value, err);
        json = NULL;
        while (!code && depth && !(json = frame_take(&stack[depth - 1], value))) {
            code = combine(&stack[depth - 1], &value, err);
            frame_free(&stack[--depth]);
        }
        if (!code && !json)
            break; /* the outermost value is complete */
    }
    while (depth)
        frame_free(&stack[--depth]);
    if (!code)
        *ret = value;
    return code;
}

int cli_value_from_text(const char *what, const char *text, size_t len, struct tenuo_value **ret,
                        struct tenuo_error *err)
{
    json_t *json = cli_json_load(what, text, len, err);
    if (!json)
        return err->code;
    int code = cli_value_from_json(json, ret, err);
    json_decref(json);
    return code;
}
