/* SPDX-License-Identifier: Apache-2.0 */
/* The arguments of a call: -a NAME=TEXT, -a NAME:=JSON, --args JSON|@FILE|-. They are collected as one JSON object,
 * which a request for approval shows, and made typed values from it. A name given twice is an error, never "last wins".
 */
#include "cli.h"

#include <string.h>

json_t *cli_args_new(void)
{
    json_t *object = json_object();
    if (!object)
        cli_no_memory();
    return object;
}

/* Takes `value`. */
static int put(json_t *args, const char *name, size_t len, json_t *value, struct tenuo_error *err)
{
    int shown = (int)(len < 64 ? len : 64);
    if (json_object_getn(args, name, len)) {
        json_decref(value);
        return cli_set_error(err, TENUO_E_INVALID_ARGUMENT, "argument '%.*s': an argument name is repeated", shown,
                             name);
    }
    if (json_object_setn_new(args, name, len, value) != 0)
        return cli_set_error(err, TENUO_E_INVALID_ARGUMENT, "argument '%.*s': the name is not valid UTF-8", shown,
                             name);
    return TENUO_OK;
}

int cli_args_put(json_t *args, const char *assignment, struct tenuo_error *err)
{
    const char *equals = strchr(assignment, '=');
    if (!equals || equals == assignment || (equals == assignment + 1 && *assignment == ':'))
        return cli_set_error(err, TENUO_E_INVALID_ARGUMENT, "-a wants NAME=TEXT or NAME:=JSON");
    size_t len = (size_t)(equals - assignment);
    const char *text = equals + 1;
    bool is_json = equals[-1] == ':';
    char what[96];
    len -= is_json;
    snprintf(what, sizeof what, "argument '%.*s'", (int)(len < 64 ? len : 64), assignment);
    json_t *value = is_json ? cli_json_load(what, text, strlen(text), err) : json_string(text);
    if (!value && is_json)
        return err->code;
    if (!value)
        return cli_set_error(err, TENUO_E_INVALID_ARGUMENT, "%s: not valid UTF-8", what);
    return put(args, assignment, len, value, err);
}

int cli_args_put_json(json_t *args, const char *source, struct tenuo_error *err)
{
    struct cli_bytes file = { 0 };
    bool from_file = *source == '@' || strcmp(source, "-") == 0;
    if (from_file && cli_read_file(*source == '@' ? source + 1 : source, CLI_MAX_JSON_FILE, &file, err))
        return err->code == TENUO_E_TOO_LARGE ? (err->code = TENUO_E_INVALID_ARGUMENT) : err->code;
    json_t *json = cli_json_load("--args", from_file ? (const char *)file.data : source,
                                 from_file ? file.len : strlen(source), err);
    int code = json ? TENUO_OK : err->code;
    if (json && !json_is_object(json))
        code = cli_set_error(err, TENUO_E_INVALID_ARGUMENT, "--args wants a JSON object of names and values");
    for (void *i = code ? NULL : json_object_iter(json); i && !code; i = json_object_iter_next(json, i))
        code = put(args, json_object_iter_key(i), json_object_iter_key_len(i), json_incref(json_object_iter_value(i)),
                   err);
    json_decref(json);
    cli_bytes_free(&file);
    return code;
}

static int build_one(struct tenuo_args *args, const char *name, size_t len, const json_t *json, struct tenuo_error *err)
{
    struct tenuo_value *value = NULL;
    struct tenuo_error why;
    int code = cli_value_from_json(json, &value, &why);
    if (!code)
        code = tenuo_args_put(args, name, len, value, &why);
    tenuo_value_free(value);
    if (code == TENUO_E_NOMEM)
        cli_no_memory();
    return code ? cli_set_error(err, code, "argument '%.*s': %s", (int)(len < 64 ? len : 64), name, why.msg) : TENUO_OK;
}

int cli_args_build(json_t *json, struct tenuo_args **ret, struct tenuo_error *err)
{
    struct tenuo_args *args = NULL;
    int code = tenuo_args_new(&args, err);
    for (void *i = code ? NULL : json_object_iter(json); i && !code; i = json_object_iter_next(json, i))
        code = build_one(args, json_object_iter_key(i), json_object_iter_key_len(i), json_object_iter_value(i), err);
    if (code)
        tenuo_args_free(args);
    else
        *ret = args;
    return code;
}
