/* SPDX-License-Identifier: Apache-2.0 */
/*
 * matches(): a search with a regular expression of the dialect that the regex matcher accepts. The pattern may be
 * computed, so it is compiled at each call and both compiling and searching are charged.
 */
#include "cel.h"

#ifdef TN_WITH_RE2
#include "../regex/engine.h"

/* Steps of the budget, each about as long as an instruction of the interpreter takes. */
#define COMPILE_STEPS 1000u
#define PATTERN_STEPS 10u /* for each byte */
#define SEARCH_SHIFT 12   /* bytes times instructions of RE2 at worst: 4096 are a step */

static struct cel_value failed(struct cel_run *run, enum tn_regex_result r, const char *why)
{
    size_t n = strlen(why);
    char *copy;
    if (r == TN_REGEX_NOMEM) {
        run->nomem = true;
        return tn_cel_fatal(run, "memory ran out");
    }
    copy = tn_cel_alloc(run, n + 1);
    if (copy == NULL)
        return tn_cel_fatal(run, run->fatal);
    memcpy(copy, why, n + 1);
    return tn_cel_fatal(run, copy); /* the reference may have an answer: nothing may absorb this */
}

static struct cel_value search(struct cel_run *run, const struct cel_value *pattern, const struct cel_value *text)
{
    char why[TN_REGEX_WHY] = "";
    struct tn_regex *regex = NULL;
    size_t bytes = 0;
    enum tn_regex_result r =
        tn_regex_compile(run->regex, (const char *)pattern->p, pattern->n, &regex, &bytes, why);
    if (r != TN_REGEX_YES)
        return failed(run, r, why);
    if (!tn_cel_charge(run, text->n / 16 + (tn_regex_cost(regex, text->n) >> SEARCH_SHIFT))) {
        tn_regex_free(regex);
        return tn_cel_fatal(run, run->fatal);
    }
    r = tn_regex_search(run->regex, regex, (const char *)text->p, text->n, why);
    tn_regex_free(regex);
    return r == TN_REGEX_YES || r == TN_REGEX_NO ? cel_bool(r == TN_REGEX_YES) : failed(run, r, why);
}
#endif

struct cel_value tn_cel_matches(struct cel_call *c)
{
    if (!cel_is(&c->args[0], CEL_STRING) || !cel_is(&c->args[1], CEL_STRING))
        return cel_error("matches() takes texts");
#ifdef TN_WITH_RE2
    if (!tn_cel_charge(c->run, COMPILE_STEPS + (uint64_t)PATTERN_STEPS * c->args[1].n))
        return tn_cel_fatal(c->run, c->run->fatal);
    return search(c->run, &c->args[1], &c->args[0]);
#else
    return tn_cel_fatal(c->run, "matches() needs RE2, which this build lacks");
#endif
}
