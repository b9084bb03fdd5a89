/* SPDX-License-Identifier: Apache-2.0 */
/* Preflight of argument names against a tool's constraint set: what is unknown, what is missing (spec temporal.md 11.2,
 * row 19). Looks at no value. */
#include <stdlib.h>

#include "constraint.h"
#include "err.h"
#include "warrant.h"
#include <tenuo/approval.h>

struct tenuo_prevalidation {
    struct tn_arena arena;
    size_t *unknown, nunknown;
    struct tn_str *missing;
    size_t nmissing;
};

static bool is_given(struct tn_str name, const char *const *names, const size_t *lens, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (tn_str_eq(name, (struct tn_str){ (const uint8_t *)names[i], lens[i] }))
            return true;
    return false;
}

static bool fill(struct tenuo_prevalidation *v, const struct tenuo_constraint_set *set, const char *const *names,
                 const size_t *lens, size_t count)
{
    bool closed = set->n != 0 && !set->allow_unknown;
    v->unknown = tn_arena_array(&v->arena, count, sizeof *v->unknown);
    v->missing = tn_arena_array(&v->arena, set->n, sizeof *v->missing);
    if (v->unknown == NULL || v->missing == NULL)
        return false;
    for (size_t i = 0; closed && i < count; i++)
        if (tn_set_find(set, (struct tn_str){ (const uint8_t *)names[i], lens[i] }) == NULL)
            v->unknown[v->nunknown++] = i;
    for (size_t i = 0; i < set->n; i++)
        if (!is_given(set->items[i].name, names, lens, count) &&
            !tn_arena_str(&v->arena, set->items[i].name, &v->missing[v->nmissing++]))
            return false;
    return true;
}

int tenuo_warrant_prevalidate(const struct tenuo_warrant *warrant, const char *tool, size_t tool_len,
                              const char *const *names, const size_t *name_lens, size_t count,
                              struct tenuo_prevalidation **ret_result, struct tenuo_error *reterr)
{
    const struct tn_tool *t = tn_warrant_find_tool(warrant, (struct tn_str){ (const uint8_t *)tool, tool_len });
    struct tenuo_prevalidation *v;
    if (t == NULL)
        t = tn_warrant_find_tool(warrant, tn_lit("*"));
    if (t == NULL)
        return tn_fail(reterr, TENUO_E_TOOL_NOT_AUTHORIZED, "the warrant does not allow this tool");
    if (count > TN_MAX_ARGS)
        return tn_fail(reterr, TENUO_E_INVALID_ARGUMENT, "more than %d arguments", TN_MAX_ARGS);
    v = calloc(1, sizeof *v);
    if (v == NULL)
        return tn_fail_code(reterr, TENUO_E_NOMEM);
    tn_arena_init(&v->arena, 256);
    if (!fill(v, &t->set, names, name_lens, count)) {
        tenuo_prevalidation_free(v);
        return tn_fail_code(reterr, TENUO_E_NOMEM);
    }
    *ret_result = v;
    return TENUO_OK;
}

void tenuo_prevalidation_free(struct tenuo_prevalidation *result)
{
    if (result == NULL)
        return;
    tn_arena_free(&result->arena);
    free(result);
}

size_t tenuo_prevalidation_unknown_count(const struct tenuo_prevalidation *result) { return result->nunknown; }

size_t tenuo_prevalidation_unknown(const struct tenuo_prevalidation *result, size_t index)
{
    return index < result->nunknown ? result->unknown[index] : SIZE_MAX;
}

size_t tenuo_prevalidation_missing_count(const struct tenuo_prevalidation *result) { return result->nmissing; }

const char *tenuo_prevalidation_missing(const struct tenuo_prevalidation *result, size_t index, size_t *ret_len)
{
    if (index >= result->nmissing)
        return NULL;
    *ret_len = result->missing[index].n;
    return (const char *)result->missing[index].p;
}
