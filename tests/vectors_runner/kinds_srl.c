/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Kinds about revocation lists: `srl_verify` (one list), `srl_update` (lists that follow one another in one verifier),
 * `srl_tracker` (the same with a floor for each issuer, and with time).
 */
#include "runner.h"
#include <stdlib.h>
#include <string.h>

int srl_of(const json_t *json, const uint8_t *issuer, struct tenuo_srl **ret)
{
    struct bytes list;
    if (!get_bytes(json, "srl", &list))
        return TENUO_E_INVALID_ARGUMENT;
    int rc = tenuo_srl_parse(list.p, list.len, issuer, ret, NULL);
    free(list.p);
    return rc;
}

/* Ids of a list and of an answer are compared as sets in order: the file has them as sent, the library by bytes. */
static int add_id(void *arg, const char *id, size_t len)
{
    return json_array_append_new(arg, json_stringn(id, len));
}

static json_t *list_answer(const struct tenuo_srl *srl)
{
    json_t *answer = answer_ok(), *ids = json_array();
    (void)tenuo_srl_each(srl, add_id, ids);
    (void)json_object_set_new(answer, "ids", ids);
    (void)json_object_set_new(answer, "issued_at", json_integer(tenuo_srl_issued_at(srl)));
    /* As far as JSON's integers here go; the largest version is compared as a real. */
    uint64_t version = tenuo_srl_version(srl);
    (void)json_object_set_new(answer, "version",
                              version > INT64_MAX ? json_real((double)version) : json_integer((json_int_t)version));
    return answer;
}

static json_t *run_verify(struct vector *v)
{
    uint8_t issuer[TENUO_PUBLIC_KEY_BYTES];
    struct tenuo_srl *srl = NULL;
    if (!get_fixed(v->json, "issuer", issuer, sizeof issuer))
        return NULL;
    int rc = srl_of(v->json, issuer, &srl);
    json_t *answer = rc == 0 ? list_answer(srl) : answer_refused(rc);
    tenuo_srl_unref(srl);
    return answer;
}

/* *installed is replaced only by a list that may follow it. */
static int update(const json_t *step, struct tenuo_srl **installed)
{
    uint8_t issuer[TENUO_PUBLIC_KEY_BYTES];
    struct tenuo_srl *next = NULL;
    if (!get_fixed(step, "issuer", issuer, sizeof issuer))
        return TENUO_E_INVALID_ARGUMENT;
    int rc = srl_of(step, issuer, &next);
    if (rc == 0 && *installed != NULL)
        rc = tenuo_srl_compare(*installed, next, NULL);
    if (rc != 0) {
        tenuo_srl_unref(next);
        return rc;
    }
    tenuo_srl_unref(*installed);
    *installed = next;
    return 0;
}

static json_t *run_update(struct vector *v)
{
    const json_t *steps = json_object_get(v->json, "steps"), *step;
    struct tenuo_srl *installed = NULL;
    json_t *answer = json_array();
    size_t i;
    json_array_foreach(steps, i, step)
    {
        int rc = update(step, &installed);
        (void)json_array_append_new(answer, rc == 0 ? answer_ok() : answer_refused(rc));
    }
    tenuo_srl_unref(installed);
    return answer;
}

#define MAX_FLOORS 8

struct tracker {
    struct tenuo_srl_rules rules;
    struct tenuo_srl_floor floors[MAX_FLOORS];
    size_t n;
};

static struct tenuo_srl_floor *floor_of(struct tracker *t, const uint8_t *issuer)
{
    for (size_t i = 0; i < t->n; i++)
        if (memcmp(t->floors[i].issuer, issuer, TENUO_PUBLIC_KEY_BYTES) == 0)
            return &t->floors[i];
    return NULL;
}

static int track(const json_t *step, struct tracker *t)
{
    struct tenuo_srl_floor next, *floor;
    struct tenuo_srl *srl = NULL;
    int64_t fetched_at = 0, as_of = 0;
    if (!get_number(step, "fetched_at", &fetched_at) || !get_number(step, "as_of", &as_of))
        return TENUO_E_INVALID_ARGUMENT;
    int rc = srl_of(step, NULL, &srl);
    if (rc != 0)
        return rc;
    floor = floor_of(t, tenuo_srl_issuer(srl));
    rc = tenuo_srl_accept(srl, &t->rules, floor, fetched_at, as_of, &next, NULL, NULL);
    if (rc == 0 && floor == NULL && t->n < MAX_FLOORS)
        floor = &t->floors[t->n++];
    if (rc == 0 && floor != NULL)
        *floor = next;
    tenuo_srl_unref(srl);
    return rc;
}

static json_t *variant_answer(int code)
{
    static const struct {
        int code;
        const char *name;
    } names[] = { { TENUO_E_SRL_ROLLBACK, "Rollback" },           { TENUO_E_SRL_CHANGED, "Equivocation" },
                  { TENUO_E_UNTRUSTED_ROOT, "UntrustedIssuer" },  { TENUO_E_SIGNATURE_INVALID, "SignatureInvalid" },
                  { TENUO_E_SRL_INVALID, "FetchedInFuture" },     { TENUO_E_UNAVAILABLE, "Stale" } };
    json_t *answer = answer_refused(code);
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        if (names[i].code == code)
            put_text(answer, "variant", names[i].name, strlen(names[i].name));
    return answer;
}

static json_t *run_tracker(struct vector *v)
{
    const json_t *steps = json_object_get(v->json, "steps"), *trusted = json_object_get(v->json, "trusted"), *item;
    uint8_t keys[MAX_FLOORS][TENUO_PUBLIC_KEY_BYTES];
    int64_t max_age = 0, tolerance = 0;
    struct tracker t = { .rules = { .size = sizeof t.rules, .issuers = keys[0] } };
    json_t *answer = json_array();
    size_t i;
    json_array_foreach(trusted, i, item)
    {
        struct bytes key;
        if (t.rules.issuer_count < MAX_FLOORS && hex_decode(json_string_value(item), json_string_length(item), &key)) {
            memcpy(keys[t.rules.issuer_count++], key.p, TENUO_PUBLIC_KEY_BYTES);
            free(key.p);
        }
    }
    (void)get_number(v->json, "max_age", &max_age);
    (void)get_number(v->json, "clock_tolerance", &tolerance);
    t.rules.max_age = (uint64_t)max_age;
    t.rules.clock_tolerance = (uint32_t)tolerance;
    json_array_foreach(steps, i, item)
    {
        int rc = track(item, &t);
        (void)json_array_append_new(answer, rc == 0 ? answer_ok() : variant_answer(rc));
    }
    return answer;
}

const struct kind kinds_srl[] = {
    { "srl_verify", run_verify, NULL },
    { "srl_update", run_update, NULL },
    { "srl_tracker", run_tracker, NULL },
    { NULL, NULL, NULL },
};
