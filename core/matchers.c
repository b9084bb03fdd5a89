/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which matcher plugin answers for which constraint type. There is no chain here: one type, one plugin, because two
 * opinions about a match would have to be reconciled. Never calls a plugin.
 */
#include "matchers.h"

#include <stdbool.h>
#include <stddef.h>
#include <tenuo/constraint.h>

#include "err.h"

/* Regex and Cel, and the range of experimental types but for Shlex, which core matches itself. */
static bool claimable(uint8_t type)
{
    return type == TENUO_C_REGEX || type == TENUO_C_CEL || (type >= 128 && type != TENUO_C_SHLEX);
}

const struct tenuo_matcher_ops *tn_matchers_find(const struct tenuo_matchers *matchers, uint8_t type, void **ret_self)
{
    const struct tn_matcher *m = matchers == NULL ? NULL : &matchers->by_type[type];
    if (m == NULL || m->ops == NULL)
        return NULL;
    *ret_self = m->self;
    return m->ops;
}

static int check_type(const struct tenuo_matchers *matchers, uint8_t type, const char *origin, struct tenuo_error *err)
{
    const struct tn_matcher *other = &matchers->by_type[type];
    if (!claimable(type))
        return tn_fail(err, TENUO_E_PLUGIN_PROTOCOL, "%s: claims constraint type %u, which is not open to matchers",
                       origin, type);
    if (other->ops != NULL)
        return tn_fail(err, TENUO_E_CONF,
                       "%s: claims constraint type %u, which %s has already: remove one of the two lines", origin, type,
                       other->origin);
    return TENUO_OK;
}

int tn_matchers_add(struct tenuo_matchers *matchers, const struct tenuo_matcher_ops *ops, void *self,
                    const char *origin, struct tenuo_error *err)
{
    if (ops->types == NULL || ops->types[0] == 0)
        return tn_fail(err, TENUO_E_PLUGIN_PROTOCOL, "%s: claims no constraint type", origin);
    for (const uint8_t *t = ops->types; *t != 0; t++) {
        int r = check_type(matchers, *t, origin, err);
        if (r != TENUO_OK)
            return r;
        matchers->by_type[*t] = (struct tn_matcher){ ops, self, origin };
    }
    return TENUO_OK;
}
