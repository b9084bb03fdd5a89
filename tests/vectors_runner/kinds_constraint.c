/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Kinds `match`, `attenuate`, `attenuate_set`: three-valued matching and the yes or no of a delegation.
 *
 * An answer of our own ("cannot decide", 9000 and above) is neither, and must never pass as a refusal of the protocol.
 */
#include "runner.h"
#include <stdlib.h>

#define NO_MATCHER "Regex or Cel constraint, no matcher"

static json_t *undecided(int code)
{
    return json_sprintf("undecided %d", code);
}

static json_t *match_answer(struct vector *v, int rc, int match)
{
    if (rc >= TENUO_E_NOMEM)
        return undecided(rc);
    if (rc == TENUO_E_UNKNOWN_CONSTRAINT)
        v->skip = NO_MATCHER;
    return rc != 0 ? json_string("error") : json_boolean(match == TENUO_MATCH);
}

static json_t *run_match(struct vector *v)
{
    struct bytes c = { 0 }, x = { 0 };
    struct tenuo_constraint *constraint = NULL;
    struct tenuo_value *value = NULL;
    json_t *answer = NULL;
    int match = TENUO_NO_MATCH;
    if (!get_bytes(v->json, "constraint", &c) || !get_bytes(v->json, "value", &x))
        goto out;
    int rc = tenuo_constraint_parse(c.p, c.len, &constraint, NULL);
    if (rc == 0)
        rc = tenuo_value_parse(x.p, x.len, &value, NULL);
    if (rc == 0)
        rc = tenuo_constraint_match(constraint, value, NULL, 0, &match, NULL);
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
    if (rc == TENUO_E_UNKNOWN_CONSTRAINT)
        v->skip = NO_MATCHER;
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
        rc = tenuo_constraint_attenuates(parent, child, NULL, 0, NULL);
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
        rc = tenuo_constraint_set_attenuates(parent, child, NULL, 0, NULL);
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
