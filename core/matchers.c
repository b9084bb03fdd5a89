/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which matcher plugin answers for which constraint type, with or without a configuration. There is no chain here: one
 * type, one plugin, because two opinions about a match would have to be reconciled. Calls nothing of a plugin but open
 * and close.
 */
#include "matchers.h"

#include <stdlib.h>
#include <tenuo/constraint.h>

#include "crypto.h"
#include "err.h"
#include "limits.h"

/* Regex and Cel, and the range of experimental types but for Shlex, which core matches itself. */
static bool claimable(uint8_t type)
{
    return type == TENUO_C_REGEX || type == TENUO_C_CEL || (type >= 128 && type != TENUO_C_SHLEX);
}

int tn_matchers_new(struct tenuo_matchers **ret, struct tenuo_error *err)
{
    struct tenuo_matchers *m = tn_crypto_init() ? calloc(1, sizeof *m) : NULL;
    if (m == NULL || (m->programs = tn_programs_new()) == NULL) {
        free(m);
        return tn_fail_code(err, TENUO_E_NOMEM);
    }
    atomic_init(&m->refs, 1);
    *ret = m;
    return TENUO_OK;
}

static int claim(struct tenuo_matchers *m, struct tn_instance *i, uint8_t type, struct tenuo_error *err)
{
    if (!claimable(type))
        return tn_fail(err, TENUO_E_PLUGIN_PROTOCOL, "%s: claims constraint type %u, which is not open to matchers",
                       i->origin, type);
    if (m->by_type[type] != NULL)
        return tn_fail(err, TENUO_E_CONF,
                       "%s: claims constraint type %u, which %s has already: remove one of the two", i->origin, type,
                       m->by_type[type]->origin);
    m->by_type[type] = i;
    return TENUO_OK;
}

static int claim_all(struct tenuo_matchers *m, struct tn_instance *i, struct tenuo_error *err)
{
    const struct tenuo_matcher_ops *ops = i->ops;
    if (ops->types == NULL || ops->types[0] == 0)
        return tn_fail(err, TENUO_E_PLUGIN_PROTOCOL, "%s: claims no constraint type", i->origin);
    for (const uint8_t *t = ops->types; *t != 0; t++) {
        int r = claim(m, i, *t, err);
        if (r != TENUO_OK)
            return r;
    }
    return TENUO_OK;
}

static bool keep(struct tenuo_matchers *m, struct tn_instance *i)
{
    struct tn_instance **grown = realloc(m->instances, (m->n + 1) * sizeof(struct tn_instance *));
    if (grown == NULL)
        return false;
    m->instances = grown;
    m->instances[m->n++] = i;
    return true;
}

int tn_matchers_add(struct tenuo_matchers *matchers, struct tn_instance *instance, struct tenuo_error *err)
{
    int r;
    if (!keep(matchers, instance)) {
        tn_instance_free(instance);
        return tn_fail_code(err, TENUO_E_NOMEM);
    }
    r = tn_instance_open(instance, err);
    tn_instance_detach(instance);
    return r != TENUO_OK ? r : claim_all(matchers, instance, err);
}

bool tn_matchers_have(const struct tenuo_matchers *matchers, unsigned type)
{
    return matchers != NULL && type < TN_ARRAY_LEN(matchers->by_type) && matchers->by_type[type] != NULL;
}

/* One plugin by name, as a configuration line without arguments would load it. */
static int open_named(struct tenuo_matchers *m, const char *plugin_dir, const char *name, bool optional,
                      struct tenuo_error *err)
{
    /* Neither is written: a rule owns its texts elsewhere. */
    struct tn_rule rule = { .facility = TN_F_MATCHER, .control = TN_REQUIRED, .place.file = "matcher" };
    const struct tn_plugin *plugin = NULL;
    struct tn_instance *instance = NULL;
    struct tenuo_arg *args = NULL;
    struct tn_diag d = { 0 };
    size_t nargs = 0;
    int r = tn_plugin_load(TN_F_MATCHER, name, plugin_dir, NULL, &plugin, err);
    if (r != TENUO_OK)
        return r == TENUO_E_SYSTEM && optional ? TENUO_OK : r;
    rule.module = (char *)(uintptr_t)name;
    rule.module_place = rule.place;
    if (!tn_plugin_args(&rule, tn_plugin_schema(plugin, TN_F_MATCHER), &d, &args, &nargs))
        return tn_fail(err, TENUO_E_CONF, "%s", d.first.msg);
    r = tn_instance_new(&rule, plugin, args, nargs, TN_MATCHER_OPEN_MS, NULL, &instance, err);
    return r != TENUO_OK ? r : tn_matchers_add(m, instance, err);
}

int tenuo_matchers_open(const char *plugin_dir, const char *const *names, size_t count,
                        struct tenuo_matchers **ret_matchers, struct tenuo_error *reterr)
{
    static const char *const shipped[] = { "regex", "cel" };
    bool optional = names == NULL;
    struct tenuo_matchers *m = NULL;
    int r = tn_matchers_new(&m, reterr);
    if (optional) {
        names = shipped;
        count = TN_ARRAY_LEN(shipped);
    }
    for (size_t i = 0; r == TENUO_OK && i < count; i++)
        r = open_named(m, plugin_dir, names[i], optional, reterr);
    if (r == TENUO_OK)
        *ret_matchers = m;
    else
        tenuo_matchers_unref(m);
    return r;
}

struct tenuo_matchers *tenuo_matchers_ref(struct tenuo_matchers *matchers)
{
    atomic_fetch_add_explicit(&matchers->refs, 1, memory_order_relaxed);
    return matchers;
}

void tenuo_matchers_unref(struct tenuo_matchers *matchers)
{
    if (matchers == NULL || atomic_fetch_sub_explicit(&matchers->refs, 1, memory_order_acq_rel) != 1)
        return;
    tn_programs_free(matchers->programs); /* before the instances that made them */
    for (size_t i = 0; i < matchers->n; i++)
        tn_instance_free(matchers->instances[i]);
    free(matchers->instances);
    free(matchers);
}

int tenuo_matchers_has(const struct tenuo_matchers *matchers, unsigned type)
{
    return tn_matchers_have(matchers, type);
}
