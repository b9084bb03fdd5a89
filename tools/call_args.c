/* SPDX-License-Identifier: Apache-2.0 */
/* The arguments of a call: -a NAME=TEXT, -a NAME:=JSON, --args JSON|@FILE|-. A name given twice is an error, never
 * "last wins". */
#include "cli.h"

#include <string.h>

static int put(struct tenuo_args *args, const char *name, size_t len, const struct tenuo_value *value,
               struct tenuo_error *err)
{
    struct tenuo_error why;
    if (tenuo_args_put(args, name, len, value, &why) == TENUO_OK)
        return TENUO_OK;
    if (why.code == TENUO_E_NOMEM)
        cli_no_memory();
    return cli_set_error(err, why.code, "argument '%.*s': %s", (int)(len < 64 ? len : 64), name, why.msg);
}

int cli_args_put(struct tenuo_args *args, const char *assignment, struct tenuo_error *err)
{
    const char *equals = strchr(assignment, '=');
    if (!equals || equals == assignment || (equals == assignment + 1 && *assignment == ':'))
        return cli_set_error(err, TENUO_E_INVALID_ARGUMENT, "-a wants NAME=TEXT or NAME:=JSON");
    size_t len = (size_t)(equals - assignment);
    const char *text = equals + 1;
    struct tenuo_value *value = NULL;
    int code;
    if (equals[-1] == ':') {
        char what[96];
        len--;
        snprintf(what, sizeof what, "argument '%.*s'", (int)(len < 64 ? len : 64), assignment);
        code = cli_value_from_text(what, text, strlen(text), &value, err);
    } else {
        code = tenuo_value_string(text, strlen(text), &value, err);
    }
    if (!code)
        code = put(args, assignment, len, value, err);
    tenuo_value_free(value);
    return code;
}

static int put_object(struct tenuo_args *args, json_t *object, struct tenuo_error *err)
{
    int code = TENUO_OK;
    for (void *i = json_object_iter(object); i && !code; i = json_object_iter_next(object, i)) {
        struct tenuo_value *value = NULL;
        code = cli_value_from_json(json_object_iter_value(i), &value, err);
        if (!code)
            code = put(args, json_object_iter_key(i), json_object_iter_key_len(i), value, err);
        tenuo_value_free(value);
    }
    return code;
}

int cli_args_put_json(struct tenuo_args *args, const char *source, struct tenuo_error *err)
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
    if (!code)
        code = put_object(args, json, err);
    json_decref(json);
    cli_bytes_free(&file);
    return code;
}
