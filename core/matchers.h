/* SPDX-License-Identifier: Apache-2.0 */
/* The matcher plugins of a verifier, by constraint type. Immutable once handed over; instances stay the context's. */
#ifndef TN_MATCHERS_H
#define TN_MATCHERS_H

#include <stdint.h>
#include <tenuo/plugin.h>

struct tenuo_matchers {
    struct {
        const struct tenuo_matcher_ops *ops;
        void *self;
    } by_type[256];
};

/* NULL when no line claims the type; `matchers` may be NULL. Built-in types but Regex and Cel are never looked up. */
static inline const struct tenuo_matcher_ops *tn_matchers_find(const struct tenuo_matchers *matchers, uint8_t type, void **ret_self)
{
    if (matchers == NULL || matchers->by_type[type].ops == NULL)
        return NULL;
    *ret_self = matchers->by_type[type].self;
    return matchers->by_type[type].ops;
}

#endif
