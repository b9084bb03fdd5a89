/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Approval gates as people write them: --gate TOOL, --gate TOOL:ARG=..., --gate-message. What is legal is the library's
 * to judge; here are the hazards of what is legal.
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

/* A gate that cannot be judged denies; a set of plugins that cannot be loaded is told where the warrant is made. */
static void check_readable(struct cli *cli, const struct gate_text *g, const struct tenuo_constraint *constraint)
{
    struct tenuo_matchers *matchers = NULL;
    struct tenuo_error err = { 0 };
    char what[192];
    if (!tenuo_constraint_needs_matcher(constraint) || cli_matchers(cli, true, &matchers, &err))
        return;
    snprintf(what, sizeof what, "gate of '%.*s' on '%.*s'", shown(g->tool_len), g->tool, shown(g->arg_len), g->arg);
    cli_check_constraint(cli, matchers, what, constraint);
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
    if (!code && constraint)
        check_readable(cli, &g, constraint);
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

/* What a call of the tool may have: NULL when any argument will do, or the tool is not the warrant's own. */
static const struct tenuo_constraint_set *closed_set(const struct tenuo_warrant *w, const char *tool, size_t len)
{
    for (size_t i = 0; i < tenuo_warrant_tool_count(w); i++) {
        size_t n;
        const char *name = tenuo_warrant_tool_name(w, i, &n);
        const struct tenuo_constraint_set *set = tenuo_warrant_tool_set(w, i);
        if (n == len && memcmp(name, tool, n) == 0)
            return tenuo_constraint_set_count(set) && !tenuo_constraint_set_allows_unknown(set) ? set : NULL;
    }
    return NULL;
}

static bool has_argument(const struct tenuo_constraint_set *set, const char *arg, size_t len)
{
    for (size_t i = 0; i < tenuo_constraint_set_count(set); i++) {
        const char *name;
        size_t n;
        (void)tenuo_constraint_set_get(set, i, &name, &n);
        if (n == len && memcmp(name, arg, n) == 0)
            return true;
    }
    return false;
}

void cli_warn_of_gates(struct cli *cli, const struct tenuo_warrant *w)
{
    struct tenuo_gates *gates = NULL;
    struct tenuo_error err;
    if (tenuo_gates_of(w, &gates, &err))
        return;
    for (size_t i = 0; i < tenuo_gates_count(gates); i++) {
        size_t len, n;
        const char *tool = tenuo_gates_tool(gates, i, &len);
        const struct tenuo_constraint_set *set = closed_set(w, tool, len);
        for (size_t k = 0; set && k < tenuo_gates_arg_count(gates, i); k++) {
            const char *arg = tenuo_gates_arg_name(gates, i, k, &n);
            if (!has_argument(set, arg, n))
                cli_warn(cli,
                         "gate of '%.*s' on '%.*s': no call of the tool may have that argument, so every call needs "
                         "approval: gate the whole tool, or name another argument",
                         shown((int)len), tool, shown((int)n), arg);
        }
    }
    tenuo_gates_free(gates);
}
