/* SPDX-License-Identifier: Apache-2.0 */
/* The comparison of two warrants as text, from the JSON that programs get. Text from warrants is escaped. */
#include "diff.h"

#include <string.h>

static const char *text_of(const json_t *json, const char *key)
{
    const char *text = json_string_value(json_object_get(json, key));
    return text ? text : "";
}

static void print_value(const json_t *value)
{
    const json_t *text = json_object_get(value, "text");
    if (json_is_object(value)) /* a description, in which the library has escaped what it quotes */
        cli_print_ascii(stdout, json_string_value(text), json_string_length(text));
    else if (json_is_string(value))
        cli_print_escaped(stdout, json_string_value(value), json_string_length(value));
    else if (json_is_integer(value))
        printf("%lld", (long long)json_integer_value(value));
    else
        fputs(json_is_true(value) ? "yes" : json_is_false(value) ? "no" : "none", stdout);
}

static void print_name(const json_t *row, const char *key, const char *before)
{
    const json_t *name = json_object_get(row, key);
    if (!name)
        return;
    fputs(before, stdout);
    cli_print_escaped(stdout, json_string_value(name), json_string_length(name));
}

/* Rows that belong to the tool or the bounds above them. */
static bool is_within(const json_t *row)
{
    const char *field = text_of(row, "field");
    return strcmp(field, "constraint") == 0 || strcmp(field, "bound") == 0 || strstr(field, "allow_unknown");
}

/* What a row is about: "expires", "tool read_file", and for what lies within a tool its argument, indented. */
static void print_label(const json_t *row)
{
    static const char *const fields[][2] = { { "expires_at", "expires" },
                                             { "issued_at", "issued" },
                                             { "session_id", "session" },
                                             { "agent_id", "agent" },
                                             { "max_depth", "max depth" },
                                             { "max_issue_depth", "max issue depth" },
                                             { "constraint", "" },
                                             { "bound", "" },
                                             { "allow_unknown", "other arguments" },
                                             { "issuable_tool", "issuable" },
                                             { "bounds_allow_unknown", "other arguments" },
                                             { "approvals_needed", "approvals needed" } };
    const char *field = text_of(row, "field"), *label = field;
    for (size_t i = 0; i < sizeof fields / sizeof fields[0]; i++)
        if (strcmp(field, fields[i][0]) == 0)
            label = fields[i][1];
    printf("%s%s", is_within(row) ? "  " : "", label);
    if (!is_within(row))
        print_name(row, "tool", " ");
    print_name(row, "argument", *label ? " " : "");
    print_name(row, "key", " ");
}

static bool is_bad(const json_t *row)
{
    const char *verdict = text_of(row, "verdict");
    return strcmp(verdict, "wider") == 0 || strcmp(verdict, "incomparable") == 0 || strcmp(verdict, "undecided") == 0;
}

/* Does a row below, about one argument, say why this one is what it is? */
static bool explained_below(const json_t *rows, size_t i)
{
    for (i++; i < json_array_size(rows) && is_within(json_array_get(rows, i)); i++)
        if (is_bad(json_array_get(rows, i)))
            return true;
    return false;
}

/* A tool or the like that is there or not, on each side. */
static void print_presence(bool parent, bool child)
{
    puts(parent == child ? "" : child ? ": added" : ": removed");
}

static void print_row(const json_t *rows, size_t i)
{
    const json_t *row = json_array_get(rows, i), *parent = json_object_get(row, "parent"),
                 *child = json_object_get(row, "child");
    const char *verdict = text_of(row, "verdict"), *reason = text_of(row, "reason");
    printf("  %-14s ", strcmp(verdict, "wider") == 0          ? "WIDER"
                       : strcmp(verdict, "incomparable") == 0 ? "INCOMPARABLE"
                                                              : verdict);
    print_label(row);
    if (json_is_boolean(child) && !is_within(row)) {
        print_presence(json_is_true(parent), json_is_true(child));
    } else {
        fputs(": ", stdout);
        print_value(parent);
        if (!json_equal(parent, child)) {
            fputs(" -> ", stdout);
            print_value(child);
        }
        putchar('\n');
    }
    if (*reason && (is_within(row) || !explained_below(rows, i))) {
        printf("  %-14s   ", "");
        cli_print_ascii(stdout, reason, strlen(reason));
        putchar('\n');
    }
}

void cli_print_diff(const json_t *diff)
{
    const json_t *p = json_object_get(diff, "parent"), *c = json_object_get(diff, "child"),
                 *rows = json_object_get(diff, "fields");
    const char *verdict = text_of(diff, "verdict");
    printf("Parent: %s (%s)\nChild:  %s (%s)\n", text_of(p, "id"), text_of(p, "type"), text_of(c, "id"),
           text_of(c, "type"));
    puts(json_is_true(json_object_get(diff, "linked"))
             ? "Linked: the child names this parent's hash, and its issuer is the parent's holder"
             : "Linked: NO, the child was not made from this parent");
    for (size_t i = 0; i < json_array_size(rows); i++)
        print_row(rows, i);
    puts(strcmp(verdict, "wider") == 0       ? "WIDER: the child is not within the parent; see the lines marked so"
         : strcmp(verdict, "undecided") == 0 ? "UNDECIDED: a constraint needs a matcher that is not installed"
         : strcmp(verdict, "narrower") == 0  ? "NARROWER: the child is within the parent"
                                             : "SAME: the child allows what the parent allows");
}
