/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tenuo plugin. `list` walks the rules of a configuration and says for each whether its module can be loaded; `info`
 * describes one. Both load plugins exactly as a context would, trust walk first, and open no store.
 */
#include "cli.h"

#include <stdlib.h>
#include <string.h>

struct plugin {
    struct cli *cli;
    const char *action, *name;
    char *dir; /* "set plugin_dir" of the configuration */
    char **rules;
    size_t nrules;
    json_t *list;
};

static error_t parse(int key, char *arg, struct argp_state *state)
{
    struct plugin *p = state->input;
    switch (key) {
    case ARGP_KEY_INIT:
        state->child_inputs[0] = p->cli;
        return 0;
    case ARGP_KEY_ARG:
        if (p->name)
            return cli_usage(p->cli, "'%.64s' is one word too many", arg);
        *(p->action ? &p->name : &p->action) = arg;
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

static const struct argp_child children[] = { { &cli_conf_argp, 0, NULL, 0 }, { 0 } };
static const struct argp parser = {
    NULL,
    parse,
    "list|info NAME",
    "List the plugins that a configuration uses and their state, or describe one by name or absolute path.\v"
    "Exit status: 0 all can be loaded, 3 one cannot.\n"
    "Examples:\n"
    "  tenuo plugin list --service web\n"
    "  tenuo plugin info jsonl\n"
    "  tenuo plugin info /usr/lib/tenuo/tenuo_env.so\n",
    children,
    cli_help_filter,
    NULL
};

/* What describe says about the module of one rule. */
struct probe {
    const char *facility;
    char *path, *version; /* of the plugin that is being told */
    char *found_path, *found_version;
};

static void replace(char **target, const char *text)
{
    free(*target);
    if (!(*target = strdup(text)))
        cli_no_memory();
}

static void probe_line(void *arg, const char *line)
{
    struct probe *p = arg;
    if (strncmp(line, "path: ", 6) == 0)
        replace(&p->path, line + 6);
    else if (strncmp(line, "version: ", 9) == 0)
        replace(&p->version, line + 9);
    else if (strncmp(line, "kind: ", 6) == 0 && strcmp(line + 6, p->facility) == 0 && !p->found_path && p->path &&
             p->version) {
        replace(&p->found_path, p->path);
        replace(&p->found_version, p->version);
    }
}

static void collect(void *arg, const char *line)
{
    struct plugin *p = arg;
    const char *rest = line;
    char *first = cli_next_word(&rest), *second = first ? cli_next_word(&rest) : NULL;
    if (first && second && strcmp(first, "set") == 0) {
        if (strcmp(second, "plugin_dir") == 0) {
            free(p->dir);
            p->dir = cli_next_word(&rest);
        }
    } else if (first && second) {
        p->rules = cli_grow(p->rules, p->nrules + 1, sizeof *p->rules);
        if (!(p->rules[p->nrules++] = strdup(line)))
            cli_no_memory();
    }
    free(first);
    free(second);
}

static void say_rule(struct plugin *p, const char *facility, const char *control, const char *module,
                     const struct probe *probe, const struct tenuo_error *err)
{
    bool good = probe->found_path;
    const char *why = err->code ? err->msg : "it serves no such facility";
    if (!p->cli->json) {
        printf("%-10s  %-10s  %-12s  ", facility, control, module);
        if (good)
            cli_line(stdout, "ok     %s  %s", probe->found_version, probe->found_path);
        else
            cli_line(stdout, "ERROR  %s", why);
        return;
    }
    json_t *entry = json_object();
    if (!entry)
        cli_no_memory();
    cli_set(entry, "facility", json_string(facility));
    cli_set(entry, "control", json_string(control));
    cli_set(entry, "module", cli_text(module, strlen(module)));
    cli_set(entry, "state", json_string(good ? "ok" : "error"));
    if (good) {
        cli_set(entry, "version", cli_text(probe->found_version, strlen(probe->found_version)));
        cli_set(entry, "path", cli_text(probe->found_path, strlen(probe->found_path)));
    } else {
        cli_set(entry, "code", json_integer(err->code ? err->code : TENUO_E_PLUGIN_ABI));
        cli_set(entry, "message", cli_text(why, strlen(why)));
    }
    cli_append(p->list, entry);
}

/* True when the rule's module can be loaded and serves the rule's facility. */
static bool list_rule(struct plugin *p, const char *line)
{
    char *facility = cli_next_word(&line), *control = facility ? cli_next_word(&line) : NULL,
         *module = control ? cli_next_word(&line) : NULL;
    struct probe probe = { .facility = facility };
    struct tenuo_error err = { 0 };
    if (module) {
        if (tenuo_plugin_describe(module, p->dir ? p->dir : p->cli->plugin_dir, probe_line, &probe, &err) == TENUO_OK)
            err.code = TENUO_OK;
        say_rule(p, facility, control, module, &probe, &err);
    }
    bool good = !module || probe.found_path || strcmp(control, "optional") == 0;
    free(facility);
    free(control);
    free(module);
    free(probe.path);
    free(probe.version);
    free(probe.found_path);
    free(probe.found_version);
    return good;
}

static int list(struct plugin *p)
{
    struct tenuo_open_options options;
    struct tenuo_error err = { 0 };
    bool good = true;
    cli_open_options(p->cli, &options);
    if (tenuo_conf_show(p->cli->service ? p->cli->service : "", &options, collect, p, &err))
        return cli_fail(p->cli, &err);
    for (size_t i = 0; i < p->nrules; i++)
        good = list_rule(p, p->rules[i]) && good;
    if (p->cli->json) {
        json_t *object = cli_object(p->cli, good);
        if (!good) {
            cli_set(object, "code", json_integer(TENUO_E_PLUGIN_LOAD));
            cli_set(object, "name", json_string(tenuo_err_name(TENUO_E_PLUGIN_LOAD)));
            cli_set(object, "message", json_string("a plugin of the configuration cannot be loaded"));
        }
        cli_set(object, "plugins", json_incref(p->list));
        cli_emit(p->cli, object);
    }
    return good ? CLI_YES : CLI_UNDECIDED;
}

static void info_line(void *arg, const char *line)
{
    struct plugin *p = arg;
    const char *colon = strstr(line, ": ");
    if (!p->cli->json) {
        cli_line(stdout, "%s", line);
        return;
    }
    json_t *entry = json_object();
    if (!entry)
        cli_no_memory();
    cli_set(entry, "key", cli_text(line, colon ? (size_t)(colon - line) : strlen(line)));
    cli_set(entry, "value", colon ? cli_text(colon + 2, strlen(colon + 2)) : json_null());
    cli_append(p->list, entry);
}

static int info(struct plugin *p)
{
    struct tenuo_open_options options;
    struct tenuo_error err = { 0 };
    cli_open_options(p->cli, &options);
    if (!p->name)
        return cli_failf(p->cli, TENUO_E_INVALID_ARGUMENT, "name the plugin: tenuo plugin info NAME");
    if (p->cli->conf || p->cli->service) { /* its plugin_dir is the place to look */
        if (tenuo_conf_show(p->cli->service ? p->cli->service : "", &options, collect, p, &err))
            return cli_fail(p->cli, &err);
    }
    if (tenuo_plugin_describe(p->name, p->dir ? p->dir : p->cli->plugin_dir, info_line, p, &err)) {
        int status = cli_fail(p->cli, &err);
        return status == CLI_USAGE ? status : CLI_UNDECIDED;
    }
    if (p->cli->json) {
        json_t *object = cli_object(p->cli, true);
        cli_set(object, "properties", json_incref(p->list));
        cli_emit(p->cli, object);
    }
    return CLI_YES;
}

int cmd_plugin(struct cli *cli, int argc, char **argv)
{
    struct plugin p = { .cli = cli };
    int status;
    if (!cli_parse(cli, &parser, argc, argv, &p, &status))
        return status;
    if (!p.action || (strcmp(p.action, "list") != 0 && strcmp(p.action, "info") != 0))
        return cli_failf(cli, TENUO_E_INVALID_ARGUMENT, "say 'tenuo plugin list' or 'tenuo plugin info NAME'");
    if (!(p.list = json_array()))
        cli_no_memory();
    status = strcmp(p.action, "list") == 0 ? list(&p) : info(&p);
    for (size_t i = 0; i < p.nrules; i++)
        free(p.rules[i]);
    free(p.rules);
    free(p.dir);
    json_decref(p.list);
    return status;
}
