/* SPDX-License-Identifier: Apache-2.0 */
/*
 * matches(): a search with a regular expression of the dialect that the regex matcher accepts. Literal patterns are
 * compiled with the program; computed ones at each call, which is charged. A pattern or text that is refused is an
 * error as any other: whatever && and || make of it holds for every answer that the reference may have.
 */
#include "cel.h"

#ifdef TN_WITH_RE2
#include "../regex/engine.h"

/* Steps of the budget, each about as long as an instruction of the interpreter takes. */
#define COMPILE_STEPS 1000u
#define PATTERN_STEPS 10u /* for each byte */
#define FAILED_STEPS 10000u /* for one that is refused, perhaps late */
#define BYTES_A_STEP 1024u  /* of a program */
#define SEARCH_SHIFT 4    /* bytes times instructions of RE2 at worst: 16 are a step */

bool tn_cel_keep_pattern(struct cel_program *program, const struct tn_regex_engine *regex,
                         const struct cel_value *pattern, struct cel_fault *fault)
{
    char why[TN_REGEX_WHY];
    struct tn_regex *compiled = NULL;
    size_t bytes = 0;
    enum tn_regex_result r;
    if (regex == NULL || program->ntried == TN_CEL_PATTERNS)
        return true;
    program->ntried++;
    r = tn_regex_compile(regex, (const char *)pattern->p, pattern->n, &compiled, &bytes, why);
    if (r == TN_REGEX_NOMEM) {
        *fault = (struct cel_fault){ 0, "memory ran out", true };
        return false;
    }
    if (r != TN_REGEX_YES)
        return true;
    if (bytes > TN_CEL_PATTERN_BYTES - program->pattern_bytes) {
        tn_regex_free(compiled);
        return true;
    }
    program->patterns[program->npatterns++] = (struct cel_pattern){ pattern->p, compiled };
    program->pattern_bytes += bytes;
    return true;
}

void tn_cel_drop_patterns(struct cel_program *program)
{
    while (program->npatterns > 0)
        tn_regex_free(program->patterns[--program->npatterns].regex);
}

static const struct tn_regex *kept(const struct cel_program *program, const struct cel_value *pattern)
{
    for (size_t i = 0; i < program->npatterns; i++)
        if (program->patterns[i].text == pattern->p)
            return program->patterns[i].regex;
    return NULL;
}

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
        return cel_error(run->fatal);
    memcpy(copy, why, n + 1);
    return cel_error(copy);
}

static struct cel_value search(struct cel_run *run, const struct tn_regex *regex, const struct cel_value *text)
{
    char why[TN_REGEX_WHY] = "";
    enum tn_regex_result r;
    if (!tn_cel_charge(run, text->n / 16 + (tn_regex_cost(regex, text->n) >> SEARCH_SHIFT)))
        return cel_error(run->fatal);
    r = tn_regex_search(run->regex, regex, (const char *)text->p, text->n, why);
    return r == TN_REGEX_YES || r == TN_REGEX_NO ? cel_bool(r == TN_REGEX_YES) : failed(run, r, why);
}

static struct cel_value compile_and_search(struct cel_run *run, const struct cel_value *pattern,
                                           const struct cel_value *text)
{
    char why[TN_REGEX_WHY] = "";
    struct tn_regex *regex = NULL;
    struct cel_value v;
    size_t bytes = 0;
    enum tn_regex_result r;
    if (!tn_cel_charge(run, COMPILE_STEPS + (uint64_t)PATTERN_STEPS * pattern->n))
        return cel_error(run->fatal);
    r = tn_regex_compile(run->regex, (const char *)pattern->p, pattern->n, &regex, &bytes, why);
    if (r != TN_REGEX_YES)
        return tn_cel_charge(run, FAILED_STEPS) ? failed(run, r, why) : cel_error(run->fatal);
    if (!tn_cel_charge(run, bytes / BYTES_A_STEP)) {
        tn_regex_free(regex);
        return cel_error(run->fatal);
    }
    v = search(run, regex, text);
    tn_regex_free(regex);
    return v;
}

static struct cel_value matches(struct cel_run *run, const struct cel_value *pattern, const struct cel_value *text)
{
    const struct tn_regex *regex = kept(run->program, pattern);
    return regex != NULL ? search(run, regex, text) : compile_and_search(run, pattern, text);
}
#else
bool tn_cel_keep_pattern(struct cel_program *program, const struct tn_regex_engine *regex,
                         const struct cel_value *pattern, struct cel_fault *fault)
{
    (void)program, (void)regex, (void)pattern, (void)fault;
    return true;
}

void tn_cel_drop_patterns(struct cel_program *program)
{
    (void)program;
}

static struct cel_value matches(struct cel_run *run, const struct cel_value *pattern, const struct cel_value *text)
{
    (void)run, (void)pattern, (void)text;
    return cel_error("matches() needs RE2, which this build lacks");
}
#endif

struct cel_value tn_cel_matches(struct cel_call *c)
{
    if (!cel_is(&c->args[0], CEL_STRING) || !cel_is(&c->args[1], CEL_STRING))
        return cel_error("matches() takes texts");
    return matches(c->run, &c->args[1], &c->args[0]);
}
