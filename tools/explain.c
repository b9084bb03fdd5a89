/* SPDX-License-Identifier: Apache-2.0 */
/*
 * --explain: the steps of a decision as the library tells them, then those that the decision had besides (a context's)
 * or never reached. Decides nothing.
 */
#include "cli.h"

#include <string.h>

struct telling {
    json_t *steps;
    enum tenuo_step last; /* told so far */
};

static void set_text(json_t *entry, const char *key, const char *text)
{
    if (*text)
        cli_set(entry, key, cli_text(text, strlen(text)));
}

static json_t *add_entry(json_t *steps, enum tenuo_step step, const char *result)
{
    json_t *entry = json_object();
    if (!entry)
        cli_no_memory();
    cli_set(entry, "step", json_string(tenuo_step_name(step)));
    cli_set(entry, "result", json_string(result));
    cli_append(steps, entry);
    return entry;
}

static void told(void *arg, const struct tenuo_explanation *step)
{
    struct telling *t = arg;
    if (step->step == TENUO_STEP_DONE)
        return;
    json_t *entry = add_entry(t->steps, step->step, step->code ? "failed" : "passed");
    if (step->link >= 0)
        cli_set(entry, "link", json_integer(step->link));
    set_text(entry, "text", step->text);
    set_text(entry, "tool", step->tool);
    set_text(entry, "field", step->field);
    set_text(entry, "parent", step->parent);
    set_text(entry, "child", step->child);
    t->last = step->step;
}

/* A denial is recorded too, and replay is asked only where a line says so. */
static const char *result_of(enum tenuo_step s, const struct cli_ending *ending)
{
    bool failed = ending->reason != NULL;
    if (failed && s == ending->step)
        return "failed";
    if (s == TENUO_STEP_AUDIT && ending->recorded)
        return "recorded";
    if (s == TENUO_STEP_REPLAY && !ending->replay_lines && (!failed || s < ending->step))
        return "not asked";
    return !failed || s < ending->step ? "passed" : "not reached";
}

/* What the pure decision does not know: the steps of a context, and those behind the one that failed. */
static void add_rest(struct telling *t, const struct cli_ending *ending)
{
    for (enum tenuo_step s = t->last + 1; s <= ending->last; s++) {
        const char *result = result_of(s, ending);
        json_t *entry = add_entry(t->steps, s, result);
        if (strcmp(result, "failed") == 0)
            set_text(entry, "text", ending->reason);
        else if (strcmp(result, "not asked") == 0)
            set_text(entry, "text", "no replay line");
    }
}

json_t *cli_explain(struct tenuo_verifier *verifier, const struct cli_bytes *bytes, const struct tenuo_request *request,
                    int64_t as_of, const struct cli_ending *ending)
{
    struct telling t = { .steps = json_array(), .last = TENUO_STEP_DECODE };
    struct tenuo_stack *stack = NULL;
    struct tenuo_error err = { 0 };
    if (!t.steps)
        cli_no_memory();
    int code = verifier ? tenuo_stack_parse_any(bytes->data, bytes->len, &stack, &err) : TENUO_OK;
    if (code || !verifier)
        set_text(add_entry(t.steps, TENUO_STEP_DECODE, "failed"), "text", verifier ? err.msg : ending->reason);
    else
        code = tenuo_explain_stack(verifier, stack, request, as_of, told, &t, NULL, &err);
    tenuo_stack_free(stack);
    if (code >= TENUO_E_NOMEM)
        cli_no_memory();
    add_rest(&t, ending);
    return t.steps;
}

static const char *member(const json_t *entry, const char *key)
{
    const char *text = json_string_value(json_object_get(entry, key));
    return text ? text : "";
}

static void print_side(const json_t *entry, const char *key, const char *label)
{
    const char *text = member(entry, key);
    if (!*text)
        return;
    printf("  %-11s   %-22s ", "", label);
    cli_print_ascii(stdout, text, strlen(text));
    putchar('\n');
}

static void print_step(const json_t *entry, const char *label)
{
    const json_t *link = json_object_get(entry, "link");
    const char *text = member(entry, "text");
    bool failed = strcmp(member(entry, "result"), "failed") == 0;
    char step[40];
    if (link)
        snprintf(step, sizeof step, "%s %d", member(entry, "step"), (int)json_integer_value(link));
    else
        snprintf(step, sizeof step, "%s", member(entry, "step"));
    printf("  %-11s %-13s %-11s", label, step, failed ? "FAILED" : member(entry, "result"));
    if (*text)
        cli_print_ascii(stdout, text, strlen(text));
    putchar('\n');
    print_side(entry, "tool", "tool");
    print_side(entry, "field", *member(entry, "parent") ? "compared" : "argument");
    print_side(entry, "parent", "parent");
    print_side(entry, "child", *member(entry, "parent") ? "child" : "constraint");
}

void cli_print_steps(const json_t *steps)
{
    const json_t *entry;
    size_t i;
    json_array_foreach(steps, i, entry)
        print_step(entry, i ? "" : "steps");
}
