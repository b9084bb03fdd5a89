/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The comparison rules of the vector format (tests/vectors/README.md, "Verdict objects" and "ours"): a list means any
 * of its members, a refusal compares its code (one, several or none), a success compares all its members.
 *
 * Must never be more lenient than those rules.
 */
#include "runner.h"
#include <string.h>

const json_t *expected(const json_t *vector)
{
    const json_t *ours = json_object_get(vector, "ours");
    return ours != NULL ? ours : json_object_get(vector, "expect");
}

/* The order of checks may differ where a case has two faults at once, so only the refusal counts there. */
static bool two_faults(const json_t *vector)
{
    const char *name = get_text(vector, "name", NULL), *kind = get_text(vector, "kind", NULL);
    if (name == NULL || kind == NULL)
        return false;
    if (strncmp(name, "x-two-faults", 12) == 0)
        return true;
    bool decodes = strcmp(kind, "warrant") == 0 || strcmp(kind, "stack") == 0;
    return decodes && (strcmp(name, "bit-flip") == 0 || strcmp(name, "byte-edit") == 0);
}

static bool informative(const char *member)
{
    return strcmp(member, "stage") == 0 || strcmp(member, "variant") == 0 || strcmp(member, "note") == 0;
}

static bool number_equal(const json_t *a, const json_t *b)
{
    return json_is_number(a) && json_is_number(b) && json_number_value(a) >= json_number_value(b) &&
           json_number_value(a) <= json_number_value(b);
}

static bool code_in(const json_t *list, const json_t *code)
{
    size_t i;
    json_t *item;
    json_array_foreach(list, i, item) if (number_equal(item, code)) return true;
    return false;
}

static bool refusal_meets(const json_t *vector, const json_t *want, const json_t *answer)
{
    const json_t *code = json_object_get(want, "code"), *name = json_object_get(want, "name");
    if (code == NULL || two_faults(vector))
        return true;
    const json_t *got = json_object_get(answer, "code");
    if (json_is_array(code))
        return code_in(code, got);
    return number_equal(code, got) && (name == NULL || json_equal(name, json_object_get(answer, "name")));
}

/* Ids of a list come back by bytes, in the file they stand as sent: each must be among the other's. */
static bool same_members(const json_t *a, const json_t *b)
{
    size_t i, k;
    json_t *x, *y;
    bool all = json_is_array(a) && json_is_array(b);
    json_array_foreach((json_t *)(uintptr_t)a, i, x)
    {
        bool found = false;
        json_array_foreach((json_t *)(uintptr_t)b, k, y) found = found || json_equal(x, y);
        all = all && found;
    }
    return all;
}

static bool member_meets(const json_t *vector, const char *key, const json_t *want, const json_t *got)
{
    const char *kind = get_text(vector, "kind", NULL);
    if (kind != NULL && strcmp(kind, "srl_verify") == 0 && strcmp(key, "ids") == 0)
        return same_members(want, got) && same_members(got, want);
    return json_equal(want, got) || number_equal(want, got);
}

static bool members_meet(const json_t *vector, const json_t *want, const json_t *answer)
{
    const char *key;
    json_t *value;
    json_object_foreach((json_t *)(uintptr_t)want, key, value)
    {
        const json_t *got = json_object_get(answer, key);
        if (!informative(key) && (got == NULL || !member_meets(vector, key, value, got)))
            return false;
    }
    return true;
}

static bool meets_one(const json_t *vector, const json_t *want, const json_t *answer)
{
    if (!json_is_object(want))
        return json_equal(want, answer);
    if (!json_is_object(answer))
        return false;
    const json_t *ok = json_object_get(want, "ok"), *got = json_object_get(answer, "ok");
    if (ok != NULL && json_is_false(ok))
        return json_is_false(got) && refusal_meets(vector, want, answer);
    return members_meet(vector, want, answer);
}

/* A builder's result that the reference itself cannot decode again: README, mint.jsonl. */
static bool undecodable_mint(const json_t *vector, const json_t *want)
{
    const char *kind = get_text(vector, "kind", NULL);
    return kind != NULL && strncmp(kind, "mint_", 5) == 0 && json_is_object(want) &&
           json_object_get(want, "note") != NULL;
}

/* The tracker has no codes: there the variant is what counts. */
static bool step_meets(const json_t *vector, const json_t *want, const json_t *answer)
{
    const json_t *variant = json_object_get(want, "variant");
    bool by_variant = json_object_get(want, "code") == NULL && variant != NULL;
    return meets_one(vector, want, answer) && (!by_variant || json_equal(variant, json_object_get(answer, "variant")));
}

/* Cases with `steps` expect one verdict for each; their list is no choice. */
static bool steps_meet(const json_t *vector, const json_t *want, const json_t *answer)
{
    size_t i;
    json_t *item;
    if (!json_is_array(want) || json_array_size(want) != json_array_size(answer))
        return false;
    json_array_foreach((json_t *)(uintptr_t)want, i, item) if (!step_meets(vector, item, json_array_get(answer, i)))
        return false;
    return true;
}

bool meets(const json_t *vector, const json_t *answer)
{
    const json_t *want = expected(vector);
    if (json_object_get(vector, "steps") != NULL)
        return steps_meet(vector, want, answer);
    if (undecodable_mint(vector, want))
        return json_is_false(json_object_get(answer, "ok")) &&
               json_integer_value(json_object_get(answer, "code")) == TENUO_E_PAYLOAD_STRUCTURE;
    if (!json_is_array(want))
        return meets_one(vector, want, answer);
    size_t i;
    json_t *item;
    json_array_foreach((json_t *)(uintptr_t)want, i, item) if (meets_one(vector, item, answer)) return true;
    return false;
}
