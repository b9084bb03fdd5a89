/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The arguments of a rule against the schema of its plugin: unknown, missing and malformed ones are refused with their
 * place before any code of the plugin runs. Says which argument is wrong, never what stands in it.
 */
#include <stdlib.h>
#include <string.h>

#include "err.h"
#include "limits.h"
#include "plugin_load.h"
#include "str.h"

static size_t schema_rows(const struct tenuo_arg_spec *schema)
{
    size_t n = 0;
    while (schema[n].name != NULL)
        n++;
    return n;
}

static bool has_row(const struct tenuo_arg_spec *schema, const char *name)
{
    for (; schema->name != NULL; schema++)
        if (strcmp(schema->name, name) == 0)
            return true;
    return false;
}

static void report_unknown(const struct tn_rule *rule, const struct tn_conf_arg *arg,
                           const struct tenuo_arg_spec *schema, struct tn_diag *d)
{
    const char *names[TN_MAX_RULE_ARGS + 1];
    char module[96];
    size_t n = 0;
    for (; schema[n].name != NULL && n < TN_MAX_RULE_ARGS; n++)
        names[n] = schema[n].name;
    names[n] = NULL;
    tn_quote(module, sizeof module, rule->module, strlen(rule->module));
    const char *meant = tn_did_you_mean(arg->key, names);
    if (meant != NULL)
        tn_diag_error(d, &arg->place, "unknown argument '%.64s' of %s '%s' (did you mean '%s'?)", arg->key,
                      tn_facility_names[rule->facility], module, meant);
    else
        tn_diag_error(d, &arg->place, "unknown argument '%.64s' of %s '%s'", arg->key,
                      tn_facility_names[rule->facility], module);
}

static bool read_uint(const char *s, uint64_t *ret)
{
    uint64_t n = 0;
    size_t i = 0;
    for (; tn_is_digit((uint8_t)s[i]); i++) {
        n = n * 10 + (uint64_t)(s[i] - '0');
        if (n > UINT32_MAX)
            return false;
    }
    *ret = n;
    return i != 0 && s[i] == '\0';
}

static bool read_bool(const char *s, uint64_t *ret)
{
    *ret = strcmp(s, "yes") == 0;
    return *ret == 1 || strcmp(s, "no") == 0;
}

/* scheme "://" and something after it. */
static bool is_url(const char *s)
{
    size_t i = 0;
    while (tn_is_alpha((uint8_t)s[i]) ||
           (i != 0 && (tn_is_digit((uint8_t)s[i]) || s[i] == '+' || s[i] == '-' || s[i] == '.')))
        i++;
    return i != 0 && strncmp(s + i, "://", 3) == 0 && s[i + 3] != '\0' && s[i + 3] != '/';
}

/* What the argument should have been, or NULL when it is good. */
static const char *convert(int type, const char *value, uint64_t *ret_number)
{
    switch ((enum tenuo_arg_type)type) {
    case TENUO_ARG_STRING:
        return NULL;
    case TENUO_ARG_PATH:
        return value[0] == '/' ? NULL : "an absolute path";
    case TENUO_ARG_UINT:
        return read_uint(value, ret_number) ? NULL : "a number from 0 to 4294967295";
    case TENUO_ARG_BOOL:
        return read_bool(value, ret_number) ? NULL : "'yes' or 'no'";
    case TENUO_ARG_DURATION:
        return tn_duration_ms(value, ret_number) ? NULL : "a duration such as 500ms, 5s, 10m, 1h or 2d";
    case TENUO_ARG_URL:
        return is_url(value) ? NULL : "a URL: SCHEME://HOST...";
    }
    return "nothing that this library knows";
}

static bool fill_row(const struct tn_rule *rule, const struct tenuo_arg_spec *row, struct tn_diag *d,
                     struct tenuo_arg *ret_arg)
{
    const struct tn_conf_arg *arg = tn_rule_arg(rule, row->name);
    ret_arg->name = row->name;
    if (arg == NULL) {
        if (row->required)
            tn_diag_error(d, &rule->module_place, "%s '%s' needs the argument '%s'", tn_facility_names[rule->facility],
                          rule->module, row->name);
        return !row->required;
    }
    const char *value = arg->value;
    if (value == NULL && row->type == TENUO_ARG_BOOL)
        value = "yes";
    if (value == NULL) {
        tn_diag_error(d, &arg->place, "argument '%s' needs a value: %s=VALUE", arg->key, arg->key);
        return false;
    }
    const char *wants = convert(row->type, value, &ret_arg->number);
    if (wants != NULL)
        tn_diag_error(d, &arg->value_place, "argument '%s' wants %s", arg->key, wants);
    ret_arg->value = value;
    return wants == NULL;
}

bool tn_plugin_args(const struct tn_rule *rule, const struct tenuo_arg_spec *schema, struct tn_diag *d,
                    struct tenuo_arg **ret_args, size_t *ret_n)
{
    size_t rows = schema_rows(schema);
    bool good = true;
    struct tenuo_arg *args = calloc(rows + 1, sizeof *args);
    if (args == NULL) {
        tn_diag_error(d, &rule->place, "%s", tenuo_err_text(TENUO_E_NOMEM));
        return false;
    }
    for (size_t i = 0; i < rule->nargs; i++) {
        const struct tn_conf_arg *arg = &rule->args[i];
        if (tn_conf_is_core_arg(rule->facility, arg->key) || has_row(schema, arg->key))
            continue;
        report_unknown(rule, arg, schema, d);
        good = false;
    }
    for (size_t i = 0; i < rows; i++)
        good = fill_row(rule, &schema[i], d, &args[i]) && good;
    if (!good) {
        free(args);
        return false;
    }
    *ret_args = args;
    *ret_n = rows;
    return true;
}
