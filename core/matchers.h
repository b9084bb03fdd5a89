/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The matcher plugins of one context by constraint type id. Filled while a context opens, never changed afterwards; a
 * verifier holds a borrowed pointer. Says which plugin answers for a type and nothing about constraints themselves.
 */
#ifndef TN_MATCHERS_H
#define TN_MATCHERS_H

#include <stdint.h>
#include <tenuo/error.h>
#include <tenuo/plugin.h>
#include <tenuo/verify.h>

struct tn_matcher {
    const struct tenuo_matcher_ops *ops; /* NULL: no plugin claims the type */
    void *self;
    const char *origin; /* FILE:LINE of the rule, for messages; lives as long as the context */
};

struct tenuo_matchers {
    struct tn_matcher by_type[256];
};

/* The plugin for a type id and its instance, or NULL; `matchers` may be NULL. */
const struct tenuo_matcher_ops *tn_matchers_find(const struct tenuo_matchers *matchers, uint8_t type, void **ret_self);
/* Claims every type of ops->types. 9203 for a type that no plugin may claim, 9100 when another line has it. */
int tn_matchers_add(struct tenuo_matchers *matchers, const struct tenuo_matcher_ops *ops, void *self,
                    const char *origin, struct tenuo_error *err);

#endif
