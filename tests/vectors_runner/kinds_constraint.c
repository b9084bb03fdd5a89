/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Kinds `match`, `attenuate`, `attenuate_set`: three-valued matching and the yes or no of a delegation.
 *
 * An answer of our own ("cannot decide", 9000 and above) is neither, and must never pass as a refusal of the protocol.
 */
#include "runner.h"
#include <stdlib.h>

static json_t *undecided(int code)
{
    return json_sprintf("undecided %d", code);
}

static json_t *match_answer(struct vector *v, int rc, int match)
{
    if (rc >= TENUO_E_NOMEM)
        return undecided(rc);
    v->skip = no_matcher(rc);
    return rc != 0 ? json_string("error") : json_boolean(match == TENUO_MATCH);
}

static json_t *run_match(struct vector *v)
{
    struct bytes c = { 0 }, x = { 0 };
    struct tenuo_constraint *constraint = NULL;
    struct tenuo_value *value = NULL;
    json_t *answer = NULL;
    int match = TENUO_NO_MATCH;
    int64_t now = 1782864000; /* of cases that do not say: the middle of 2026 */
    (void)get_number(v->json, "now", &now);
    if (!get_bytes(v->json, "constraint", &c) || !get_bytes(v->json, "value", &x))
        goto out;
    int rc = tenuo_constraint_parse(c.p, c.len, &constraint, NULL);
    if (rc == 0)
        rc = tenuo_value_parse(x.p, x.len, &value, NULL);
    if (rc == 0)
        rc = tenuo_constraint_match(constraint, value, matchers, now, &match, NULL);
    answer = match_answer(v, rc, match);
out:
    tenuo_value_free(value);
    tenuo_constraint_free(constraint);
    free(c.p);
    free(x.p);
    return answer;
}

static json_t *attenuate_answer(struct vector *v, int rc)
{
    if (rc >= TENUO_E_NOMEM)
        return undecided(rc);
    v->skip = no_matcher(rc);
    return json_string(rc == 0 ? "ok" : "deny");
}

static json_t *run_attenuate(struct vector *v)
{
    struct bytes p = { 0 }, c = { 0 };
    struct tenuo_constraint *parent = NULL, *child = NULL;
    json_t *answer = NULL;
    if (!get_bytes(v->json, "parent", &p) || !get_bytes(v->json, "child", &c))
        goto out;
    int rc = tenuo_constraint_parse(p.p, p.len, &parent, NULL);
    if (rc == 0)
        rc = tenuo_constraint_parse(c.p, c.len, &child, NULL);
    if (rc == 0)
        rc = tenuo_constraint_attenuates(parent, child, matchers, 0, NULL);
    answer = attenuate_answer(v, rc);
out:
    tenuo_constraint_free(parent);
    tenuo_constraint_free(child);
    free(p.p);
    free(c.p);
    return answer;
}

static json_t *run_attenuate_set(struct vector *v)
{
    struct bytes p = { 0 }, c = { 0 };
    struct tenuo_constraint_set *parent = NULL, *child = NULL;
    json_t *answer = NULL;
    if (!get_bytes(v->json, "parent", &p) || !get_bytes(v->json, "child", &c))
        goto out;
    int rc = tenuo_constraint_set_parse(p.p, p.len, &parent, NULL);
    if (rc == 0)
        rc = tenuo_constraint_set_parse(c.p, c.len, &child, NULL);
    if (rc == 0)
        rc = tenuo_constraint_set_attenuates(parent, child, matchers, 0, NULL);
    answer = attenuate_answer(v, rc);
out:
    tenuo_constraint_set_free(parent);
    tenuo_constraint_set_free(child);
    free(p.p);
    free(c.p);
    return answer;
}

const struct kind kinds_constraint[] = {
    { "match", run_match, NULL },
    { "attenuate", run_attenuate, NULL },
    { "attenuate_set", run_attenuate_set, NULL },
    { NULL, NULL, NULL },
};
