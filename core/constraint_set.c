/* SPDX-License-Identifier: Apache-2.0 */
/* Public constraint sets: a sorted array of named constraints. Those of a warrant are the same type and are only lent.
 */
#include <stdlib.h>
#include <tenuo/constraint.h>

#include "constraint.h"
#include "err.h"
#include "limits.h"

int tenuo_constraint_set_new(struct tenuo_constraint_set **ret_set, struct tenuo_error *reterr)
{
    struct tenuo_constraint_set *set = calloc(1, sizeof *set);
    if (set == NULL)
        return tn_fail_code(reterr, TENUO_E_NOMEM);
    set->standalone = true;
    *ret_set = set;
    return TENUO_OK;
}

static void free_item(struct tn_named *item)
{
    union { const uint8_t *lent; uint8_t *own; } name = { .lent = item->name.p };
    free(name.own);
    tenuo_constraint_free(item->constraint);
}

void tenuo_constraint_set_free(struct tenuo_constraint_set *set)
{
    if (set == NULL || !set->standalone)
        return;
    for (size_t i = 0; i < set->n; i++)
        free_item(&set->items[i]);
    free(set->items);
    free(set);
}

static size_t lower_bound(const struct tenuo_constraint_set *set, struct tn_str name)
{
    size_t i = 0;
    while (i < set->n && tn_str_cmp(set->items[i].name, name) < 0)
        i++;
    return i;
}

static int insert(struct tenuo_constraint_set *set, size_t at, struct tn_named item, struct tenuo_error *err)
{
    struct tn_named *grown = realloc(set->items, (set->n + 1) * sizeof *grown);
    if (grown == NULL)
        return tn_fail_code(err, TENUO_E_NOMEM);
    set->items = grown;
    memmove(grown + at + 1, grown + at, (set->n - at) * sizeof *grown);
    grown[at] = item;
    set->n++;
    return TENUO_OK;
}

int tenuo_constraint_set_put(struct tenuo_constraint_set *set, const char *name, size_t len,
                             const struct tenuo_constraint *constraint, struct tenuo_error *reterr)
{
    struct tn_named item = { .name = { (const uint8_t *)name, len } };
    size_t at = lower_bound(set, item.name);
    uint8_t *copy;
    int r;
    if (!set->standalone)
        return tn_fail(reterr, TENUO_E_INVALID_ARGUMENT, "a warrant's own constraint set cannot be changed");
    if (!tn_utf8_valid(item.name) || (at < set->n && tn_str_eq(set->items[at].name, item.name)))
        return tn_fail(reterr, TENUO_E_INVALID_ARGUMENT, "an argument name is repeated or not UTF-8");
    if (set->n >= TN_MAX_CONSTRAINTS)
        return tn_fail(reterr, TENUO_E_PAYLOAD_STRUCTURE, "a tool has at most %d constraints", TN_MAX_CONSTRAINTS);
    copy = malloc(len + 1);
    if (copy == NULL)
        return tn_fail_code(reterr, TENUO_E_NOMEM);
    memcpy(copy, name, len);
    item.name.p = copy;
    r = tenuo_constraint_parse(constraint->raw.p, constraint->raw.n, &item.constraint, reterr);
    if (r == TENUO_OK)
        r = insert(set, at, item, reterr);
    if (r != TENUO_OK)
        free_item(&item);
    return r;
}

/* Through the warrant's reader, then copied member by member: a set of its own. */
int tenuo_constraint_set_parse(const uint8_t *cbor, size_t len, struct tenuo_constraint_set **ret_set,
                               struct tenuo_error *reterr)
{
    struct tenuo_constraint_set read = { 0 }, *set = NULL;
    struct tn_arena arena;
    struct tn_reader r;
    int code;
    if (len > TN_MAX_WARRANT_BYTES)
        return tn_fail(reterr, TENUO_E_TOO_LARGE, "a constraint set is larger than %d bytes", TN_MAX_WARRANT_BYTES);
    tn_arena_init(&arena, 1024 + len);
    tn_reader_init(&r, (struct tn_str){ cbor, len }, reterr);
    code = tn_constraint_set_read(&r, &arena, &read) && tn_read_end(&r, "the constraint set")
               ? tenuo_constraint_set_new(&set, reterr)
               : r.code;
    for (size_t i = 0; i < read.n && code == TENUO_OK; i++)
        code = tenuo_constraint_set_put(set, (const char *)read.items[i].name.p, read.items[i].name.n,
                                        read.items[i].constraint, reterr);
    if (code == TENUO_OK) {
        set->allow_unknown = read.allow_unknown;
        *ret_set = set;
    } else {
        tenuo_constraint_set_free(set);
    }
    tn_arena_free(&arena);
    return code;
}

void tenuo_constraint_set_allow_unknown(struct tenuo_constraint_set *set, int allow)
{
    if (set->standalone)
        set->allow_unknown = allow != 0;
}

int tenuo_constraint_set_allows_unknown(const struct tenuo_constraint_set *set) { return set->allow_unknown; }
size_t tenuo_constraint_set_count(const struct tenuo_constraint_set *set) { return set->n; }

const struct tenuo_constraint *tenuo_constraint_set_get(const struct tenuo_constraint_set *set, size_t index,
                                                        const char **ret_name, size_t *ret_len)
{
    if (index >= set->n)
        return NULL;
    *ret_name = (const char *)set->items[index].name.p;
    *ret_len = set->items[index].name.n;
    return set->items[index].constraint;
}

int tenuo_constraint_set_attenuates(const struct tenuo_constraint_set *parent, const struct tenuo_constraint_set *child,
                                    const struct tenuo_matchers *matchers, int64_t as_of, struct tenuo_error *reterr)
{
    struct tn_match_env env = TN_MATCH_ENV(matchers, as_of);
    return tn_constraint_set_narrower(parent, child, &env, reterr);
}
