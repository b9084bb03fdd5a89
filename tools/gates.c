/* SPDX-License-Identifier: Apache-2.0 */
/* What a warrant's approval gates say, as JSON and as text. Judges nothing. */
#include "cli.h"

#include <stdlib.h>
#include <string.h>

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
