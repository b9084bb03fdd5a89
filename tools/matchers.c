/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The matcher plugins of a run: those of --matcher, else those of the configuration that the run uses, else the shipped
 * ones that are installed. Plugins are loaded only when a warrant or an option has a constraint for them.
 */
#include "cli.h"

#include <stdlib.h>
#include <string.h>

static bool set_needs(const struct tenuo_constraint_set *set)
{
    const char *name;
    size_t len;
    for (size_t i = 0; set && i < tenuo_constraint_set_count(set); i++)
        if (tenuo_constraint_needs_matcher(tenuo_constraint_set_get(set, i, &name, &len)))
            return true;
    return false;
}

/* Constraints in gates are not looked at: a warrant with gates may need a matcher. */
static bool has_gates(const struct tenuo_warrant *w)
{
    static const char key[] = "tenuo.approval_gates";
    size_t len;
    return tenuo_warrant_extension(w, key, sizeof key - 1, &len) != NULL;
}

bool cli_needs_matchers(const struct tenuo_stack *stack)
{
    for (size_t i = 0; i < tenuo_stack_length(stack); i++) {
        const struct tenuo_warrant *w = tenuo_stack_warrant(stack, i);
        if (has_gates(w) || set_needs(tenuo_warrant_bounds(w)))
            return true;
        for (size_t k = 0; k < tenuo_warrant_tool_count(w); k++)
            if (set_needs(tenuo_warrant_tool_set(w, k)))
                return true;
    }
    return false;
}

/* A path is made absolute, since the trust walk starts at "/". */
static int open_named(struct cli *cli, const char *plugin_dir, struct tenuo_error *err)
{
    const char **names = cli_alloc(cli->nmatchers, sizeof *names);
    char **made = cli_alloc(cli->nmatchers, sizeof *made);
    for (size_t i = 0; i < cli->nmatchers; i++)
        names[i] = strchr(cli->matcher_names[i], '/') ? cli_absolute(cli->matcher_names[i], &made[i])
                                                      : cli->matcher_names[i];
    int code = tenuo_matchers_open(plugin_dir, names, cli->nmatchers, &cli->matchers, err);
    for (size_t i = 0; i < cli->nmatchers; i++)
        free(made[i]);
    free(made);
    free(names);
    return code;
}

int cli_matchers(struct cli *cli, bool needed, struct tenuo_matchers **ret, struct tenuo_error *err)
{
    struct tenuo_open_options options;
    int code = TENUO_OK;
    cli_open_options(cli, &options);
    if (!cli->matchers && cli->nmatchers)
        code = open_named(cli, options.plugin_dir, err);
    else if (!cli->matchers && needed && (cli->ctx || cli->conf || cli->service))
        code = cli_open(cli, err);
    else if (!cli->matchers && needed)
        code = tenuo_matchers_open(options.plugin_dir, NULL, 0, &cli->matchers, err);
    if (!code)
        *ret = cli->matchers || !cli->ctx ? cli->matchers : tenuo_ctx_matchers(cli->ctx);
    return code;
}
