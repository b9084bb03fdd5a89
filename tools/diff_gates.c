/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What differs between two warrants in human approval: gates, approvers, and how many of them are needed. The verdict
 * is the library's, on all of them together; the rows only show what changed.
 */
#include "diff.h"

#include <stdlib.h>
#include <string.h>

typedef const struct tenuo_warrant *warrant;

static size_t find(const struct tenuo_gates *gates, const char *tool, size_t len)
{
    size_t i = 0, n;
    for (; i < tenuo_gates_count(gates); i++) {
        const char *name = tenuo_gates_tool(gates, i, &n);
        if (n == len && memcmp(name, tool, n) == 0)
            break;
    }
    return i;
}

/* "all", "Range(>= 5)" or "exempt Range(>= 5)", as an argument's gate is written. */
static char *arg_text(const json_t *arg, const char *before)
{
    static const char sep[] = ", ";
    const json_t *text = json_object_get(json_object_get(arg, "constraint"), "text");
    const char *kind = json_string_value(json_object_get(arg, "kind"));
    bool exempt = strcmp(kind, "exempt") == 0;
    char *ret = NULL;
    if (asprintf(&ret, "%s%s%s: %s%s", before ? before : "", before ? sep : "",
                 json_string_value(json_object_get(arg, "argument")), exempt ? "exempt " : "",
                 text ? json_string_value(text) : kind) < 0)
        cli_no_memory();
    return ret;
}

static json_t *gate_json(const struct tenuo_gates *gates, size_t i)
{
    json_t *gate = cli_gate_json(gates, i), *arg;
    bool whole = tenuo_gates_is_whole(gates, i);
    char *text = NULL;
    size_t k;
    json_array_foreach(json_object_get(gate, "arguments"), k, arg)
    {
        char *longer = arg_text(arg, text);
        free(text);
        text = longer;
    }
    const char *message = json_string_value(json_object_get(gate, "message"));
    char *line = NULL;
    if (asprintf(&line, "%s%s%s%s",
                 whole  ? "every call"
                 : text ? text
                        : "",
                 message ? " (\"" : "", message ? message : "", message ? "\")" : "") < 0)
        cli_no_memory();
    cli_set(gate, "text", cli_text(line, strlen(line)));
    free(line);
    free(text);
    return gate;
}

/* Do both ask for approval of the same calls, whatever their messages? */
static bool same_calls(const json_t *a, const json_t *b)
{
    const json_t *x = json_object_get(a, "arguments"), *y = json_object_get(b, "arguments");
    return json_equal(json_object_get(a, "whole"), json_object_get(b, "whole")) && (x == y || json_equal(x, y));
}

/* Gates of one side; those that both have are shown once, from the parent's walk. */
static bool gate_rows(struct diff *d, const struct tenuo_gates *from, const struct tenuo_gates *other, bool from_child)
{
    bool changed = false;
    for (size_t i = 0; i < tenuo_gates_count(from); i++) {
        size_t len;
        const char *tool = tenuo_gates_tool(from, i, &len);
        size_t at = find(other, tool, len);
        bool both = at < tenuo_gates_count(other);
        if (both && from_child)
            continue;
        json_t *mine = gate_json(from, i), *its = both ? gate_json(other, at) : NULL;
        enum verdict v = its && json_equal(mine, its) ? SAME : CHANGED;
        json_t *r = diff_row(d, "gate", v, from_child ? its : mine, from_child ? mine : its);
        cli_set(r, "tool", cli_text(tool, len));
        changed = changed || !its || !same_calls(mine, its);
    }
    return changed;
}

static bool has_approver(warrant w, const uint8_t *key)
{
    for (size_t i = 0; i < tenuo_warrant_approver_count(w); i++)
        if (memcmp(tenuo_warrant_approver(w, i), key, TENUO_PUBLIC_KEY_BYTES) == 0)
            return true;
    return false;
}

static bool approver_rows(struct diff *d, bool from_child)
{
    warrant from = from_child ? d->c : d->p, other = from_child ? d->p : d->c;
    bool changed = false;
    for (size_t i = 0; i < tenuo_warrant_approver_count(from); i++) {
        const uint8_t *key = tenuo_warrant_approver(from, i);
        bool both = has_approver(other, key);
        if (both && from_child)
            continue;
        diff_row(d, "approver", both ? SAME : CHANGED, from_child ? NULL : cli_key_json(key),
                 from_child || both ? cli_key_json(key) : NULL);
        changed = changed || !both;
    }
    return changed;
}

static bool threshold_row(struct diff *d)
{
    uint32_t p = tenuo_warrant_approval_threshold(d->p), c = tenuo_warrant_approval_threshold(d->c);
    if (p || c)
        diff_row(d, "approvals_needed", p == c ? SAME : CHANGED, json_integer(p), json_integer(c));
    return p != c;
}

void diff_gates(struct diff *d)
{
    struct tenuo_gates *p = NULL, *c = NULL;
    struct tenuo_error err = { 0 };
    int code = tenuo_gates_of(d->p, &p, &err);
    if (!code)
        code = tenuo_gates_of(d->c, &c, &err);
    bool changed = gate_rows(d, p, c, false);
    changed |= gate_rows(d, c, p, true);
    changed |= approver_rows(d, false);
    changed |= approver_rows(d, true);
    changed |= threshold_row(d);
    if (!code && changed)
        code = tenuo_gates_attenuate(d->p, d->c, d->matchers, d->as_of, &err);
    if (code == TENUO_E_NOMEM)
        cli_no_memory();
    if (code || changed) {
        enum verdict v = code == TENUO_OK ? NARROWER : code == TENUO_E_UNKNOWN_CONSTRAINT ? UNDECIDED : WIDER;
        diff_because(diff_row(d, "approvals", v, json_boolean(p != NULL), json_boolean(c != NULL)), v, err.msg);
    }
    tenuo_gates_free(p);
    tenuo_gates_free(c);
}
