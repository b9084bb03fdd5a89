/* SPDX-License-Identifier: Apache-2.0 */
/* Walks the decoded tree, which nests at most 32 combinators deep, and asks the library about the leaves alone. */
#include "order_free.h"

#include "../core/constraint.h"

static enum free_match judge_leaf(const struct tenuo_constraint *c, const struct tenuo_value *value,
                                  const struct tenuo_matchers *matchers)
{
    int match = TENUO_NO_MATCH;
    if (tenuo_constraint_match(c, value, matchers, 0, &match, NULL) != 0)
        return FREE_ERROR;
    return match == TENUO_MATCH ? FREE_YES : FREE_NO;
}

/* One branch that gives `decides` settles it; else an error does; else the opposite. An empty All is an error. */
static enum free_match judge_list(const struct tenuo_constraint *c, const struct tenuo_value *value,
                                  const struct tenuo_matchers *matchers, enum free_match decides)
{
    enum free_match result = decides == FREE_YES ? FREE_NO : FREE_YES;
    if (c->type == TENUO_C_ALL && c->child == NULL)
        return FREE_ERROR;
    for (const struct tenuo_constraint *inner = c->child; inner != NULL; inner = inner->next) {
        enum free_match one = order_free_match(inner, value, matchers);
        if (one == decides)
            return decides;
        if (one == FREE_ERROR)
            result = FREE_ERROR;
    }
    return result;
}

enum free_match order_free_match(const struct tenuo_constraint *c, const struct tenuo_value *value,
                                 const struct tenuo_matchers *matchers)
{
    enum free_match inner;
    switch (c->type) {
    case TENUO_C_ANY: return judge_list(c, value, matchers, FREE_YES);
    case TENUO_C_ALL: return judge_list(c, value, matchers, FREE_NO);
    case TENUO_C_NOT:
        inner = order_free_match(c->child, value, matchers);
        return inner == FREE_ERROR ? FREE_ERROR : inner == FREE_YES ? FREE_NO : FREE_YES;
    default: return judge_leaf(c, value, matchers);
    }
}
