/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The settings by which calls are decided, as one object: receipts name its hash (governance.md 11.2, key 11), so that
 * it can be proven later under which policy a decision was made. A new setting belongs to it unless it is listed here.
 */
#include <stdlib.h>

#include "audit.h"
#include "conf_parse.h"
#include "crypto.h"
#include "err.h"

/* What changes how an answer is found, stored or labelled, and never which. */
static bool is_aside(const char *name)
{
    static const char *const aside[] = { "plugin_dir",     "deadline",    "key_cache",
                                         "link_cache",     "audit_args",  "audit_mask",
                                         "audit_hash_key", "receipt_key", "receipt_authorizer" };
    for (size_t i = 0; i < TN_ARRAY_LEN(aside); i++)
        if (strcmp(aside[i], name) == 0)
            return true;
    return false;
}

static const char *value_in_force(const struct tn_conf *conf, const char *name, const char *fallback)
{
    for (size_t i = 0; i < conf->nset_lines; i++)
        if (strcmp(conf->set_lines[i].key, name) == 0)
            return conf->set_lines[i].value;
    return fallback;
}

static int put_text(struct tenuo_args *args, const char *name, const char *text, struct tenuo_error *err)
{
    struct tenuo_value *value = NULL;
    int r = tenuo_value_string(text, strlen(text), &value, err);
    if (r == TENUO_OK)
        r = tenuo_args_put(args, name, strlen(name), value, err);
    tenuo_value_free(value);
    return r;
}

struct levels {
    const char **keys;
    size_t *lens;
    struct tenuo_value **values;
    size_t n;
};

static int fill_levels(struct levels *l, const struct tn_settings *set)
{
    l->keys = calloc(set->nclearance + 1, sizeof *l->keys);
    l->lens = calloc(set->nclearance + 1, sizeof *l->lens);
    l->values = calloc(set->nclearance + 1, sizeof *l->values);
    if (l->keys == NULL || l->lens == NULL || l->values == NULL)
        return TENUO_E_NOMEM;
    for (size_t i = 0; i < set->nclearance; i++, l->n++) {
        l->keys[i] = set->clearance[i].pattern;
        l->lens[i] = strlen(l->keys[i]);
        int r = tenuo_value_int(set->clearance[i].level, &l->values[i]);
        if (r != TENUO_OK)
            return r;
    }
    return TENUO_OK;
}

static int put_clearance(struct tenuo_args *args, const struct tn_settings *set, struct tenuo_error *err)
{
    struct levels l = { 0 };
    struct tenuo_value *object = NULL;
    int r = fill_levels(&l, set);
    if (r == TENUO_OK)
        r = tenuo_value_object(l.keys, l.lens, (const struct tenuo_value *const *)l.values, l.n, &object, err);
    else
        r = tn_fail_code(err, r);
    if (r == TENUO_OK)
        r = tenuo_args_put(args, "clearance", 9, object, err);
    tenuo_value_free(object);
    for (size_t i = 0; i < l.n; i++)
        tenuo_value_free(l.values[i]);
    free(l.keys);
    free(l.lens);
    free(l.values);
    return r;
}

static int fill(struct tenuo_args *args, const struct tn_conf *conf, struct tenuo_error *err)
{
    const char *fallback = NULL;
    int r = put_clearance(args, &conf->set, err);
    for (size_t row = 0; r == TENUO_OK && tn_setting_name(row, &fallback) != NULL; row++) {
        const char *name = tn_setting_name(row, &fallback), *text = value_in_force(conf, name, fallback);
        if (strcmp(name, "clearance") != 0 && !is_aside(name) && text != NULL)
            r = put_text(args, name, text, err);
    }
    return r;
}

static int make(const struct tn_conf *conf, struct tenuo_args **ret, struct tenuo_error *err)
{
    struct tenuo_args *args = NULL;
    int r = tenuo_args_new(&args, err);
    if (r == TENUO_OK)
        r = fill(args, conf, err);
    if (r == TENUO_OK)
        *ret = args;
    else
        tenuo_args_free(args);
    return r;
}

int tn_conf_policy_hash(const struct tn_conf *conf, uint8_t ret_hash[32], struct tenuo_error *err)
{
    struct tenuo_args *args = NULL;
    struct tn_buf map = { 0 };
    int r = make(conf, &args, err);
    if (r != TENUO_OK)
        return r;
    tn_args_put_map(&map, args);
    if (map.failed)
        r = tn_fail_code(err, TENUO_E_NOMEM);
    else
        tn_sha256(ret_hash, tn_buf_view(&map));
    tn_buf_free(&map);
    tenuo_args_free(args);
    return r;
}

static int print(const struct tn_conf *conf, void (*line)(void *arg, const char *text), void *arg,
                 struct tenuo_error *err)
{
    struct tenuo_args *args = NULL;
    struct tn_buf json = { 0 };
    int r = make(conf, &args, err);
    if (r != TENUO_OK)
        return r;
    bool good = tn_args_json(&json, args, false, NULL);
    tn_buf_put(&json, "", 1); /* NUL */
    if (good && !json.failed)
        line(arg, (const char *)json.p);
    else
        r = tn_fail_code(err, TENUO_E_NOMEM);
    tn_buf_free(&json);
    tenuo_args_free(args);
    return r;
}

int tenuo_conf_policy(const char *service, const struct tenuo_open_options *options,
                      void (*line)(void *arg, const char *text), void *arg, struct tenuo_error *reterr)
{
    struct tenuo_open_options o = { 0 };
    struct tn_conf *conf = NULL;
    if (options != NULL) /* the caller's structure may be of another age */
        memcpy(&o, options, options->size < sizeof o ? options->size : sizeof o);
    struct tn_diag d = { .fn = o.diag, .arg = o.diag_arg };
    struct tn_conf_source from;
    int r = tn_conf_source(&o, &from, reterr);
    if (r == TENUO_OK)
        r = tn_conf_load(&from, service, &d, &conf, reterr);
    if (r == TENUO_OK)
        r = print(conf, line, arg, reterr);
    tn_conf_free(conf);
    return r;
}
