/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a new warrant grants, collected from --tool, -c, --allow-unknown and --bound in the order in which they were
 * given: before the first --tool for all tools, after it for the last one named. Tool names are exact and never split.
 */
#include "cli.h"

#include <stdlib.h>
#include <string.h>

struct grant {
    const char *name; /* NULL: for all tools */
    struct {
        const char *arg;
        size_t len;
        struct tenuo_constraint *constraint;
    } *list;
    size_t count;
    bool allow_unknown;
};

struct cli_grants {
    struct grant all, bounds, *tools;
    size_t ntools;
};

struct cli_grants *cli_grants_new(void)
{
    return cli_alloc(1, sizeof(struct cli_grants));
}

static void grant_clear(struct grant *g)
{
    for (size_t i = 0; i < g->count; i++)
        tenuo_constraint_free(g->list[i].constraint);
    free(g->list);
}

void cli_grants_free(struct cli_grants *grants)
{
    if (!grants)
        return;
    for (size_t i = 0; i < grants->ntools; i++)
        grant_clear(&grants->tools[i]);
    grant_clear(&grants->all);
    grant_clear(&grants->bounds);
    free(grants->tools);
    free(grants);
}

int cli_grants_tool(struct cli_grants *grants, const char *name, struct tenuo_error *err)
{
    if (!*name)
        return cli_set_error(err, TENUO_E_INVALID_ARGUMENT, "--tool wants a name");
    for (size_t i = 0; i < grants->ntools; i++)
        if (strcmp(grants->tools[i].name, name) == 0)
            return cli_set_error(err, TENUO_E_INVALID_ARGUMENT, "--tool '%.64s' is given twice", name);
    grants->tools = cli_grow(grants->tools, grants->ntools + 1, sizeof *grants->tools);
    grants->tools[grants->ntools++] = (struct grant){ .name = name };
    return TENUO_OK;
}

static struct grant *current(struct cli_grants *grants)
{
    return grants->ntools ? &grants->tools[grants->ntools - 1] : &grants->all;
}

static const struct tenuo_constraint *find(const struct grant *g, const char *arg, size_t len)
{
    for (size_t i = 0; i < g->count; i++)
        if (g->list[i].len == len && memcmp(g->list[i].arg, arg, len) == 0)
            return g->list[i].constraint;
    return NULL;
}

static int add(struct cli *cli, struct grant *g, const char *text, struct tenuo_error *err)
{
    struct cli_hazards hazards = { 0 };
    struct tenuo_constraint *constraint = NULL;
    size_t len;
    int code = cli_constraint_from_text(text, &len, &constraint, &hazards, err);
    if (code)
        return code;
    int shown = (int)(len < 64 ? len : 64);
    if (find(g, text, len)) {
        tenuo_constraint_free(constraint);
        return cli_set_error(err, TENUO_E_INVALID_ARGUMENT,
                             "two constraints on '%.*s' of one tool; join them with {\"all\": [...]}", shown, text);
    }
    if (hazards.not_only)
        cli_hazard(&hazards, "this only excludes: everything else, also of another kind, is allowed");
    for (size_t i = 0; i < hazards.count; i++)
        cli_warn(cli, "constraint on '%.*s': %s", shown, text, hazards.text[i]);
    g->list = cli_grow(g->list, g->count + 1, sizeof *g->list);
    g->list[g->count].arg = text;
    g->list[g->count].len = len;
    g->list[g->count++].constraint = constraint;
    return TENUO_OK;
}

int cli_grants_constraint(struct cli *cli, struct cli_grants *grants, const char *text, struct tenuo_error *err)
{
    return add(cli, current(grants), text, err);
}

int cli_grants_bound(struct cli *cli, struct cli_grants *grants, const char *text, struct tenuo_error *err)
{
    return add(cli, &grants->bounds, text, err);
}

void cli_grants_allow_unknown(struct cli_grants *grants)
{
    current(grants)->allow_unknown = true;
}

/* Every constraint that was given, until `each` says to stop. */
static bool any_constraint(const struct cli_grants *g, bool (*each)(void *arg, const char *name, size_t len,
                                                                    const struct tenuo_constraint *c), void *arg)
{
    for (size_t i = 0; i < g->ntools + 2; i++) {
        const struct grant *from = i < g->ntools ? &g->tools[i] : i == g->ntools ? &g->all : &g->bounds;
        for (size_t k = 0; k < from->count; k++)
            if (each(arg, from->list[k].arg, from->list[k].len, from->list[k].constraint))
                return true;
    }
    return false;
}

static bool needs(void *arg, const char *name, size_t len, const struct tenuo_constraint *c)
{
    (void)arg, (void)name, (void)len;
    return tenuo_constraint_needs_matcher(c) != 0;
}

bool cli_grants_need_matchers(const struct cli_grants *grants)
{
    return any_constraint(grants, needs, NULL);
}

struct check {
    struct cli *cli;
    const struct tenuo_matchers *matchers;
};

/* A type without a matcher here may well have one where the call is decided. */
void cli_check_constraint(struct cli *cli, const struct tenuo_matchers *matchers, const char *what,
                          const struct tenuo_constraint *c)
{
    struct tenuo_error err = { 0 };
    unsigned type = tenuo_constraint_needs_matcher(c);
    const char *name = type == TENUO_C_REGEX ? " (regex)" : type == TENUO_C_CEL ? " (cel)" : "";
    if (type && !tenuo_matchers_has(matchers, type))
        cli_warn(cli, "%s: not checked: no matcher for constraint type %u%s is installed here", what, type, name);
    else if (type && tenuo_constraint_check(c, matchers, &err) == TENUO_E_CONSTRAINT_VIOLATION)
        cli_warn(cli, "%s: every call will be denied here: %s", what, err.msg);
}

static bool check(void *arg, const char *name, size_t len, const struct tenuo_constraint *c)
{
    struct check *k = arg;
    char what[96];
    snprintf(what, sizeof what, "constraint on '%.*s'", (int)(len < 64 ? len : 64), name);
    cli_check_constraint(k->cli, k->matchers, what, c);
    return false;
}

void cli_grants_check(struct cli *cli, const struct cli_grants *grants, const struct tenuo_matchers *matchers)
{
    struct check k = { cli, matchers };
    (void)any_constraint(grants, check, &k);
}

size_t cli_grants_count(const struct cli_grants *grants)
{
    return grants->ntools;
}

/* All of `from` that is not in the set under construction already, which `taken` and `also` say. */
static int put_missing(struct tenuo_constraint_set *set, const struct grant *from, const struct grant *taken,
                       struct tenuo_error *err)
{
    int code = TENUO_OK;
    for (size_t i = 0; i < from->count && !code; i++)
        if (!taken || !find(taken, from->list[i].arg, from->list[i].len))
            code = tenuo_constraint_set_put(set, from->list[i].arg, from->list[i].len, from->list[i].constraint, err);
    return code;
}

static const struct tenuo_constraint_set *parent_set(const struct tenuo_warrant *parent, const char *name)
{
    const struct tenuo_constraint_set *any = NULL;
    for (size_t i = 0; parent && i < tenuo_warrant_tool_count(parent); i++) {
        size_t len;
        const char *tool = tenuo_warrant_tool_name(parent, i, &len);
        if (len == strlen(name) && memcmp(tool, name, len) == 0)
            return tenuo_warrant_tool_set(parent, i);
        if (len == 1 && *tool == '*')
            any = tenuo_warrant_tool_set(parent, i);
    }
    return any;
}

/* A child may not drop an argument of its parent, so those that are not named again stay as they were. */
static int put_parent(struct tenuo_constraint_set *set, const struct tenuo_constraint_set *parent,
                      const struct grant *own, const struct grant *all, struct tenuo_error *err)
{
    int code = TENUO_OK;
    for (size_t i = 0; parent && i < tenuo_constraint_set_count(parent) && !code; i++) {
        const char *arg;
        size_t len;
        const struct tenuo_constraint *c = tenuo_constraint_set_get(parent, i, &arg, &len);
        if (!find(own, arg, len) && !find(all, arg, len))
            code = tenuo_constraint_set_put(set, arg, len, c, err);
    }
    return code;
}

static int apply_tool(struct cli *cli, const struct cli_grants *grants, const struct grant *g,
                      const struct tenuo_warrant *parent, struct tenuo_mint *mint, struct tenuo_error *err)
{
    size_t name_len = strlen(g->name);
    bool unknown = g->allow_unknown || grants->all.allow_unknown;
    if (parent && g->count + grants->all.count == 0 && !unknown)
        return tenuo_mint_keep_tool(mint, g->name, name_len, err);
    struct tenuo_constraint_set *set = NULL;
    int code = tenuo_constraint_set_new(&set, err);
    if (!code)
        code = put_missing(set, g, NULL, err);
    if (!code)
        code = put_missing(set, &grants->all, g, err);
    if (!code)
        code = put_parent(set, parent_set(parent, g->name), g, &grants->all, err);
    if (!code) {
        if (tenuo_constraint_set_count(set) == 0)
            cli_warn(cli, "tool '%.64s' has no constraint: every argument is allowed", g->name);
        else if (unknown)
            cli_warn(cli, "tool '%.64s' allows arguments that no constraint names", g->name);
        tenuo_constraint_set_allow_unknown(set, unknown);
        code = tenuo_mint_add_tool(mint, g->name, name_len, set, err);
    }
    tenuo_constraint_set_free(set);
    return code;
}

static int apply_bounds(const struct cli_grants *grants, struct tenuo_mint *mint, struct tenuo_error *err)
{
    struct tenuo_constraint_set *set = NULL;
    if (grants->bounds.count == 0)
        return TENUO_OK;
    int code = tenuo_constraint_set_new(&set, err);
    if (!code)
        code = put_missing(set, &grants->bounds, NULL, err);
    if (!code)
        code = tenuo_mint_set_bounds(mint, set, err);
    tenuo_constraint_set_free(set);
    return code;
}

int cli_grants_apply(struct cli *cli, const struct cli_grants *grants, const struct tenuo_warrant *parent,
                     struct tenuo_mint *mint, struct tenuo_error *err)
{
    int code = TENUO_OK;
    bool any = false;
    if (grants->ntools == 0 && (grants->all.count || grants->all.allow_unknown))
        return cli_set_error(err, TENUO_E_INVALID_ARGUMENT, "-c and --allow-unknown need a --tool");
    for (size_t i = 0; i < grants->ntools && !code; i++) {
        code = apply_tool(cli, grants, &grants->tools[i], parent, mint, err);
        any = any || strcmp(grants->tools[i].name, "*") == 0;
    }
    if (!code && any && grants->ntools > 1)
        cli_warn(cli, "'*' stands next to named tools: it allows every other tool as well");
    return code ? code : apply_bounds(grants, mint, err);
}
