/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Approval gates as people write and read them: --gate TOOL, --gate TOOL:ARG=..., and what a warrant's gates say. What
 * is legal is the library's to judge; here are the hazards of what is legal.
 */
#include "cli.h"

#include <stdlib.h>
#include <string.h>

struct gate_text {
    const char *tool, *arg;
    int tool_len, arg_len;
    enum tenuo_gate_kind kind;
    char *constraint; /* "ARG=TYPE:VALUE" or "ARG:=JSON", for constraint_text.c */
};

/* "TOOL:ARG" ends at `end`; the last ':' parts them, since names of tools may hold one. */
static bool split(const char *text, const char *end, struct gate_text *ret)
{
    const char *colon = memrchr(text, ':', (size_t)(end - text));
    if (!colon || colon == text || colon + 1 == end)
        return false;
    ret->tool = text;
    ret->tool_len = (int)(colon - text);
    ret->arg = colon + 1;
    ret->arg_len = (int)(end - colon - 1);
    return true;
}

static int gate_parse(const char *text, const char *equals, struct gate_text *ret, struct tenuo_error *err)
{
    bool json = equals > text && equals[-1] == ':';
    const char *value = equals + 1;
    if (!split(text, equals - json, ret))
        return cli_set_error(err, TENUO_E_INVALID_ARGUMENT,
                             "--gate wants TOOL, TOOL:ARG=all, TOOL:ARG=TYPE:VALUE or TOOL:ARG=exempt:TYPE:VALUE");
    if (!json && strcmp(value, "all") == 0) {
        ret->kind = TENUO_GATE_ALL;
        return TENUO_OK;
    }
    ret->kind = TENUO_GATE_CONSTRAINT;
    if (!json && strncmp(value, "exempt:", 7) == 0) {
        ret->kind = TENUO_GATE_EXEMPT;
        value += 7;
        json = *value == '=';
        value += json;
    }
    if (asprintf(&ret->constraint, "%.*s%s=%s", ret->arg_len, ret->arg, json ? ":" : "", value) < 0)
        cli_no_memory();
    return TENUO_OK;
}

static int shown(int len)
{
    return len < 64 ? len : 64;
}

static void warn_about(struct cli *cli, const struct gate_text *g, const struct cli_hazards *hazards)
{
    if (g->kind == TENUO_GATE_CONSTRAINT)
        cli_warn(cli,
                 "gate of '%.*s' on '%.*s': a value of another kind than the constraint speaks of needs no approval; "
                 "say what is exempt instead (exempt:...)",
                 shown(g->tool_len), g->tool, shown(g->arg_len), g->arg);
    for (size_t i = 0; g->kind == TENUO_GATE_EXEMPT && i < hazards->count; i++)
        cli_warn(cli, "gate of '%.*s' on '%.*s', what is exempt: %s", shown(g->tool_len), g->tool, shown(g->arg_len),
                 g->arg, hazards->text[i]);
}

static int arg_gate(struct cli *cli, struct tenuo_mint *mint, const char *text, const char *equals,
                    struct tenuo_error *err)
{
    struct gate_text g = { 0 };
    struct cli_hazards hazards = { 0 };
    struct tenuo_constraint *constraint = NULL;
    size_t len;
    int code = gate_parse(text, equals, &g, err);
    if (!code && g.constraint)
        code = cli_constraint_from_text(g.constraint, &len, &constraint, &hazards, err);
    if (hazards.not_only)
        cli_hazard(&hazards, "this only excludes: everything else, also of another kind, needs no approval");
    if (!code)
        code = tenuo_mint_add_arg_gate(mint, g.tool, (size_t)g.tool_len, g.arg, (size_t)g.arg_len, g.kind, constraint,
                                       err);
    if (!code)
        warn_about(cli, &g, &hazards);
    tenuo_constraint_free(constraint);
    free(g.constraint);
    return code;
}

int cli_gate_add(struct cli *cli, struct tenuo_mint *mint, const char *text, struct tenuo_error *err)
{
    const char *equals = strchr(text, '=');
    if (strcmp(text, "*") == 0 || strncmp(text, "*:", 2) == 0)
        cli_warn(cli, "gate of '*': other verifiers than this library's never ask for it; name every tool");
    return equals ? arg_gate(cli, mint, text, equals, err) : tenuo_mint_add_gate(mint, text, strlen(text), err);
}

int cli_gate_message(struct tenuo_mint *mint, const char *text, struct tenuo_error *err)
{
    const char *equals = strchr(text, '=');
    if (!equals || equals == text)
        return cli_set_error(err, TENUO_E_INVALID_ARGUMENT, "--gate-message wants TOOL=TEXT");
    return tenuo_mint_set_gate_message(mint, text, (size_t)(equals - text), equals + 1, strlen(equals + 1), err);
}

static const char *const kinds[] = {
    [TENUO_GATE_ALL] = "all", [TENUO_GATE_CONSTRAINT] = "constraint", [TENUO_GATE_EXEMPT] = "exempt"
};

static json_t *args_json(const struct tenuo_gates *gates, size_t i)
{
    json_t *list = json_array();
    if (!list)
        cli_no_memory();
    for (size_t k = 0; k < tenuo_gates_arg_count(gates, i); k++) {
        size_t len;
        const char *name = tenuo_gates_arg_name(gates, i, k, &len);
        const struct tenuo_constraint *constraint = tenuo_gates_arg_constraint(gates, i, k);
        json_t *arg = json_object();
        if (!arg)
            cli_no_memory();
        cli_set(arg, "argument", cli_text(name, len));
        cli_set(arg, "kind", json_string(kinds[tenuo_gates_arg_kind(gates, i, k)]));
        if (constraint)
            cli_set(arg, "constraint", cli_constraint_json(constraint));
        cli_append(list, arg);
    }
    return list;
}

json_t *cli_gate_json(const struct tenuo_gates *gates, size_t i)
{
    size_t len;
    const char *tool = tenuo_gates_tool(gates, i, &len);
    json_t *gate = json_object();
    if (!gate)
        cli_no_memory();
    cli_set(gate, "tool", cli_text(tool, len));
    cli_set(gate, "whole", json_boolean(tenuo_gates_is_whole(gates, i)));
    const char *message = tenuo_gates_message(gates, i, &len);
    if (message)
        cli_set(gate, "message", cli_text(message, len));
    if (!tenuo_gates_is_whole(gates, i))
        cli_set(gate, "arguments", args_json(gates, i));
    return gate;
}

void cli_set_gates(json_t *object, const struct tenuo_warrant *w)
{
    struct tenuo_gates *gates = NULL;
    struct tenuo_error err;
    json_t *list = json_array();
    if (!list)
        cli_no_memory();
    if (tenuo_gates_of(w, &gates, &err))
        cli_set(object, "approval_gates_error", cli_text(err.msg, strlen(err.msg)));
    for (size_t i = 0; i < tenuo_gates_count(gates); i++)
        cli_append(list, cli_gate_json(gates, i));
    cli_set(object, "approval_gates", list);
    if (tenuo_warrant_approver_count(w))
        cli_set(object, "approvals_needed", json_integer(tenuo_warrant_approval_threshold(w)));
    tenuo_gates_free(gates);
}

static void print_arg(const json_t *arg)
{
    const json_t *name = json_object_get(arg, "argument"),
                 *text = json_object_get(json_object_get(arg, "constraint"), "text");
    const char *kind = json_string_value(json_object_get(arg, "kind"));
    fputs("    ", stdout);
    cli_print_escaped(stdout, json_string_value(name), json_string_length(name));
    fputs(strcmp(kind, "all") == 0      ? ": any value needs approval"
          : strcmp(kind, "exempt") == 0 ? ": needs approval unless "
                                        : ": needs approval when ",
          stdout);
    if (text)
        cli_print_ascii(stdout, json_string_value(text), json_string_length(text));
    putchar('\n');
}

void cli_print_gates(const json_t *w)
{
    const json_t *gate, *arg, *error = json_object_get(w, "approval_gates_error");
    size_t i, k;
    if (error) {
        printf("  %-16s MALFORMED, every call will be denied: ", "gates");
        cli_print_ascii(stdout, json_string_value(error), json_string_length(error));
        putchar('\n');
    }
    json_array_foreach(json_object_get(w, "approval_gates"), i, gate)
    {
        const json_t *tool = json_object_get(gate, "tool"), *message = json_object_get(gate, "message");
        printf("  %-16s ", "gate");
        cli_print_escaped(stdout, json_string_value(tool), json_string_length(tool));
        if (json_is_true(json_object_get(gate, "whole")))
            fputs(": every call needs approval", stdout);
        if (message) {
            fputs(" (\"", stdout);
            cli_print_escaped(stdout, json_string_value(message), json_string_length(message));
            fputs("\")", stdout);
        }
        putchar('\n');
        json_array_foreach(json_object_get(gate, "arguments"), k, arg) print_arg(arg);
    }
}
