/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Matcher "cel": constraint type 15. Compiles an expression once, runs it over a value within fixed bounds, and says
 * whether one expression narrows another. Holds no state: everything a decision needs comes with the call.
 */
#include "cel.h"

#include <stdlib.h>
#include <tenuo/plugin.h>

#include "../../core/cbor_read.h"
#include "../regex/engine.h"

#define STEP_WORK 16 /* steps of the host's that one of the interpreter's is worth */

struct cel {
    const struct tenuo_host *host;
    struct tn_regex_engine *regex; /* NULL: built without */
};

static int cel_open(const struct tenuo_host *host, const struct tenuo_arg *args, size_t nargs, void **ret_self)
{
    struct cel *cel = malloc(sizeof *cel);
    (void)args;
    (void)nargs;
    if (cel == NULL)
        return TENUO_E_NOMEM;
    cel->host = host;
    cel->regex = NULL;
#ifdef TN_WITH_RE2
    cel->regex = tn_regex_engine_new();
    if (cel->regex == NULL) {
        free(cel);
        host->error(host, "RE2 does not start: memory ran out, or another version is installed");
        return TENUO_E_SYSTEM;
    }
#endif
    *ret_self = cel;
    return TENUO_OK;
}

static void cel_close(void *self)
{
#ifdef TN_WITH_RE2
    struct cel *cel = self;
    tn_regex_engine_free(cel->regex);
#endif
    free(self);
}

/* {"expression": text, "parent_expression"?: text or null}; what the parent's was is nobody's business here. */
static bool read_expression(const uint8_t *payload, size_t len, struct tn_str *ret)
{
    struct tn_reader r;
    struct tn_str key, text, expression = { 0 };
    size_t n = 0, expressions = 0;
    tn_reader_init(&r, (struct tn_str){ payload, len }, NULL);
    if (!tn_read_map(&r, "a CEL constraint", &n))
        return false;
    for (size_t i = 0; i < n; i++) {
        if (!tn_read_text(&r, "a member", &key))
            return false;
        if (tn_str_eq(key, tn_lit("parent_expression")) && tn_read_null(&r))
            continue;
        if (!tn_read_text(&r, "an expression", &text))
            return false;
        if (tn_str_eq(key, tn_lit("expression"))) {
            expression = text;
            expressions++;
        } else if (!tn_str_eq(key, tn_lit("parent_expression"))) {
            return false;
        }
    }
    *ret = expression;
    return expressions == 1 && tn_read_end(&r, "a CEL constraint");
}

static int refuse(const struct cel *cel, const char *what)
{
    cel->host->error(cel->host, "%s", what);
    return TENUO_E_INVALID_ARGUMENT;
}

static int cel_compile(void *self, uint8_t type, const uint8_t *payload, size_t len, void **ret_program,
                       size_t *ret_bytes)
{
    const struct cel *cel = self;
    struct cel_program *program;
    struct cel_fault fault = { 0 };
    struct tn_str text;
    (void)type;
    if (!read_expression(payload, len, &text))
        return refuse(cel, "the constraint has no expression");
    program = tn_cel_compile(text, cel->regex, &fault);
    if (program == NULL && fault.nomem)
        return TENUO_E_NOMEM;
    if (program == NULL) {
        cel->host->error(cel->host, "byte %zu of the expression: %s", fault.at, fault.why);
        return TENUO_E_INVALID_ARGUMENT;
    }
    *ret_program = program;
    *ret_bytes = tn_cel_bytes(program);
    return TENUO_OK;
}

static void cel_release(void *self, void *program)
{
    (void)self;
    tn_cel_free(program);
}

static int cel_match(void *self, const void *program, const uint8_t *value, size_t len, int64_t as_of, uint64_t *work,
                     int *ret_match)
{
    const struct cel *cel = self;
    const uint64_t steps = *work / STEP_WORK < TN_CEL_STEPS ? *work / STEP_WORK : TN_CEL_STEPS;
    struct cel_run run = { .bytes = TN_CEL_MEMORY, .steps = steps, .as_of = as_of, .regex = cel->regex };
    struct cel_value v;
    int r = TENUO_OK;
    tn_arena_init(&run.arena, 4096);
    if (!tn_cel_from_cbor((struct tn_str){ value, len }, &run, &run.value))
        v = cel_error(run.fatal != NULL ? run.fatal : "the value is none");
    else
        v = tn_cel_run(program, &run);
    if (cel_is(&v, CEL_BOOL))
        *ret_match = v.b;
    else if (run.nomem)
        r = TENUO_E_NOMEM;
    else
        r = refuse(cel, cel_is(&v, CEL_ERROR) ? v.why : "the expression's result is no truth value");
    *work -= (steps - run.steps) * STEP_WORK;
    tn_arena_free(&run.arena);
    return r;
}

static int cel_attenuates(void *self, uint8_t parent_type, const uint8_t *parent, size_t parent_len,
                          uint8_t child_type, const uint8_t *child, size_t child_len, int *ret_ok)
{
    const struct cel *cel = self;
    struct tn_str p, c;
    struct cel_fault fault = { 0 };
    bool ok = false;
    if (parent_type == child_type && read_expression(parent, parent_len, &p) && read_expression(child, child_len, &c))
        ok = tn_cel_narrower(p, c, &fault);
    if (fault.nomem)
        return TENUO_E_NOMEM;
    if (fault.why != NULL)
        cel->host->error(cel->host, "%s", fault.why);
    *ret_ok = ok;
    return TENUO_OK;
}

static const uint8_t types[] = { 15, 0 };

static const struct tenuo_matcher_ops ops = {
    .size = sizeof ops,
    .open = cel_open,
    .close = cel_close,
    .types = types,
    .compile = cel_compile,
    .release = cel_release,
    .match = cel_match,
    .attenuates = cel_attenuates,
};

TENUO_PLUGIN_EXPORT const struct tenuo_plugin_v1 tenuo_plugin_v1 = {
    .magic = TENUO_PLUGIN_MAGIC,
    .abi_major = TENUO_PLUGIN_ABI_MAJOR,
    .abi_minor = TENUO_PLUGIN_ABI_MINOR,
    .size = sizeof tenuo_plugin_v1,
    .flags = TENUO_PLUGIN_THREAD_SAFE | TENUO_PLUGIN_FORK_SAFE | TENUO_PLUGIN_NO_NETWORK,
    .name = "cel",
    .version = "1.0",
    .summary = "expressions in the Common Expression Language (constraint type 15)",
    .matcher = &ops,
};
