/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The calls on matcher plugins within a pure decision: compile once, match, compare. No deadline, no clock, no lock
 * held meanwhile. Whatever a plugin answers that it may not is an error here, and an error denies.
 */
#include <tenuo/constraint.h>

#include "constraint.h"
#include "err.h"
#include "limits.h"
#include "matchers.h"

int tn_matchers_missing(unsigned type, struct tenuo_error *err)
{
    bool shipped = type == TENUO_C_REGEX || type == TENUO_C_CEL;
    const char *name = type == TENUO_C_REGEX ? "regex" : type == TENUO_C_CEL ? "cel" : "NAME";
    if (!shipped && type < 128) /* no plugin may claim it */
        return tn_fail(err, TENUO_E_CONSTRAINT_VIOLATION, "unknown constraint type ID %u", type);
    return tn_fail(err, shipped ? TENUO_E_UNKNOWN_CONSTRAINT : TENUO_E_CONSTRAINT_VIOLATION,
                   "unknown constraint type ID %u: no matcher for it is loaded (add a line \"matcher required %s\", or "
                   "give --matcher %s)",
                   type, name, name);
}

/* What a plugin's code means. Its sentence must not be lost: it is the reason of the decision. */
static int judge(const struct tn_instance *i, const char *what, int code, const char *sentence,
                 struct tenuo_error *err)
{
    const char *name = i->plugin->desc.name;
    if (code == TENUO_OK)
        return TENUO_OK;
    if (code == TENUO_E_NOMEM)
        return tn_fail_code(err, TENUO_E_NOMEM);
    if (code != TENUO_E_INVALID_ARGUMENT && code != TENUO_E_SYSTEM && code != TENUO_E_UNAVAILABLE)
        return tn_fail(err, TENUO_E_PLUGIN_PROTOCOL, "matcher '%.64s': %s answered %d, which it may not", name, what,
                       code);
    if (code == TENUO_E_INVALID_ARGUMENT)
        code = TENUO_E_CONSTRAINT_VIOLATION;
    return tn_fail(err, code, "matcher '%.64s': %s", name,
                   sentence != NULL && sentence[0] != '\0' ? sentence : "refuses the constraint or the value");
}

static struct tn_program *compile(struct tn_instance *i, uint8_t type, struct tn_str payload)
{
    const struct tenuo_matcher_ops *ops = i->ops;
    struct tn_program *p = NULL;
    struct tn_call call;
    void *program = NULL;
    size_t bytes = 0;
    int r;
    tn_call_begin_pure(&call, i);
    r = ops->compile(i->opened->self, type, payload.p, payload.n, &program, &bytes);
    tn_call_end(&call);
    if (r != TENUO_OK)
        return tn_program_new_failed(type, payload, r, call.sentence);
    p = tn_program_new(ops, i->opened->self, type, payload, program, bytes);
    if (p == NULL)
        ops->release(i->opened->self, program);
    return p;
}

/* From the cache, or compiled now and kept; but for a failure that may pass. */
static struct tn_program *program_of(const struct tenuo_matchers *m, uint8_t type, struct tn_str payload)
{
    struct tn_program *p = tn_programs_find(m->programs, type, payload);
    if (p != NULL)
        return p;
    p = compile(m->by_type[type], type, payload);
    if (p != NULL && (p->code == TENUO_OK || p->code == TENUO_E_INVALID_ARGUMENT))
        tn_programs_put(m->programs, p);
    return p;
}

int tn_matchers_check(const struct tenuo_matchers *matchers, uint8_t type, struct tn_str payload,
                      struct tenuo_error *err)
{
    struct tn_program *p = program_of(matchers, type, payload);
    int r = p == NULL ? tn_fail_code(err, TENUO_E_NOMEM)
                      : judge(matchers->by_type[type], "compile", p->code, p->sentence, err);
    tn_program_unref(p);
    return r;
}

/* Takes steps off what the decision, or the link, has left. What cannot be paid takes all: nothing follows it. */
static int spend(struct tn_match_env *env, uint64_t steps, struct tenuo_error *err)
{
    if (steps >= env->budget.work) {
        env->budget.work = 0;
        return tn_fail(err, TENUO_E_CONSTRAINT_VIOLATION, "matching takes more steps than one decision may take");
    }
    env->budget.work -= steps;
    return TENUO_OK;
}

/*
 * Compiling counts, a step for each byte that the program holds, whether or not it was kept from before: the cache must
 * not change an answer.
 */
static int match(struct tn_instance *i, const struct tn_program *p, struct tn_str value, struct tn_match_env *env,
                 int *ret_match, struct tenuo_error *err)
{
    const struct tenuo_matcher_ops *ops = i->ops;
    struct tn_call call;
    uint64_t left;
    int r;
    r = spend(env, p->code != TENUO_OK ? TN_MATCHER_FAILED : value.n + p->cost, err);
    if (r != TENUO_OK)
        return r;
    if (p->code != TENUO_OK)
        return judge(i, "compile", p->code, p->sentence, err);
    left = env->budget.work;
    tn_call_begin_pure(&call, i);
    r = ops->match(i->opened->self, p->program, value.p, value.n, env->as_of, &left, ret_match);
    tn_call_end(&call);
    env->budget.work = left < env->budget.work ? left : env->budget.work;
    return judge(i, "match", r, call.sentence, err);
}

enum tn_match tn_matchers_match(const struct tenuo_matchers *matchers, uint8_t type, struct tn_str payload,
                                struct tn_str value, struct tn_match_env *env, int *ret_code, struct tenuo_error *err)
{
    struct tn_instance *i = matchers->by_type[type];
    struct tn_program *p = NULL;
    int matched = -1;
    int r = spend(env, 0, err); /* the price of a program is known once it is made: not even that when all is spent */
    if (r == TENUO_OK) {
        p = program_of(matchers, type, payload);
        r = p == NULL ? tn_fail_code(err, TENUO_E_NOMEM) : match(i, p, value, env, &matched, err);
    }
    tn_program_unref(p);
    if (r == TENUO_OK && matched != 0 && matched != 1)
        r = tn_fail(err, TENUO_E_PLUGIN_PROTOCOL, "matcher '%.64s': match said neither yes nor no",
                    i->plugin->desc.name);
    if (r == TENUO_OK)
        return matched == 1 ? TN_TRUE : TN_FALSE;
    *ret_code = r;
    return TN_ERROR;
}

int tn_matchers_attenuates(struct tn_match_env *env, uint8_t parent_type, struct tn_str parent, uint8_t child_type,
                           struct tn_str child, struct tenuo_error *err)
{
    struct tn_instance *i = env->matchers->by_type[parent_type];
    const struct tenuo_matcher_ops *ops = i->ops;
    struct tn_call call;
    int r, ok = 0;
    if (spend(env, TN_MATCHER_COMPARE * ((uint64_t)parent.n + child.n), err) != TENUO_OK)
        return tn_fail(err, TENUO_E_INVALID_ATTENUATION, "comparing the constraints takes too many steps");
    tn_call_begin_pure(&call, i);
    r = ops->attenuates(i->opened->self, parent_type, parent.p, parent.n, child_type, child.p, child.n, &ok);
    tn_call_end(&call);
    if (r == TENUO_OK && ok == 1)
        return TENUO_OK;
    if (r == TENUO_E_NOMEM)
        return tn_fail_code(err, TENUO_E_NOMEM);
    return tn_fail(err, TENUO_E_INVALID_ATTENUATION, "matcher '%.64s': %s", i->plugin->desc.name,
                   call.sentence[0] != '\0' ? call.sentence : "the child may allow what its parent does not");
}
