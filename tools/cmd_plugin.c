/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tenuo plugin. `list` walks the rules of a configuration and says for each whether its module can be loaded; `info`
 * describes one; `test` (conform.c) makes it show that it keeps the contract. All load plugins exactly as a context
 * would, trust walk first; the first two open no store.
 */
#include "conform.h"

#include <stdlib.h>
#include <string.h>

struct plugin {
    struct cli *cli;
    const char *action, *name, *key_id, *kind;
    char **words; /* ARG=VALUE, for test */
    size_t nwords;
    bool write;
    char *dir; /* "set plugin_dir" of the configuration */
    char **rules;
    size_t nrules;
    json_t *list;
};

enum { OPT_KEY_ID = CLI_OPT_FIRST, OPT_KIND, OPT_WRITE };

static const struct argp_option options[] = {
    { NULL, 0, NULL, 0, "Test:", 1 },
    { "key-id", OPT_KEY_ID, "ID", 0, "A key that is in the store, for what only a key can show", 2 },
    { "kind", OPT_KIND, "KIND", 0, "Which kind, when it serves several: resolver, trust, audit, ...", 2 },
    { "write", OPT_WRITE, NULL, 0, "Also make, rotate and remove keys of its own, or write records", 2 },
    { 0 }
};

static error_t take_word(struct plugin *p, char *arg)
{
    if (p->name && strcmp(p->action, "test") != 0)
        return cli_usage(p->cli, "'%.64s' is one word too many", arg);
    if (p->name) {
        p->words = cli_grow(p->words, p->nwords + 1, sizeof *p->words);
        p->words[p->nwords++] = arg;
    } else {
        *(p->action ? &p->name : &p->action) = arg;
    }
    return 0;
}

static error_t parse(int key, char *arg, struct argp_state *state)
{
    struct plugin *p = state->input;
    switch (key) {
    case ARGP_KEY_INIT:
        state->child_inputs[0] = p->cli;
        return 0;
    case OPT_KEY_ID:
        return cli_once(p->cli, &p->key_id, arg);
    case OPT_KIND:
        return cli_once(p->cli, &p->kind, arg);
    case OPT_WRITE:
        p->write = true;
        return 0;
    case ARGP_KEY_ARG:
        return take_word(p, arg);
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

static const struct argp_child children[] = { { &cli_conf_argp, 0, NULL, 0 }, { 0 } };
static const struct argp parser = {
    options,
    parse,
    "list|info NAME|test NAME [ARG=VALUE...]",
    "List the plugins that a configuration uses and their state, or describe one by name or absolute path, or test "
    "whether one keeps the contract of plugins (tenuo-plugin(3)), opened with the arguments of a configuration line.\v"
    "Exit status: 0 all can be loaded, 3 one cannot; test: 0 no check failed, 1 one did, 3 it cannot be tested.\n"
    "Examples:\n"
    "  tenuo plugin list --service web\n"
    "  tenuo plugin info jsonl\n"
    "  tenuo plugin info ./tenuo_mine.so\n"
    "  tenuo plugin test file path=/var/lib/tenuo/keys --key-id alice\n"
    "  tenuo plugin test ./tenuo_mine.so url=https://store.test timeout=2s --write\n",
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
    struct tenuo_open_options open;
    struct tenuo_error err = { 0 };
    bool good = true;
    cli_open_options(p->cli, &open);
    if (tenuo_conf_show(p->cli->service ? p->cli->service : "", &open, collect, p, &err))
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

/* The plugin_dir of a configuration that is named is the place to look. */
static int look_into_conf(struct plugin *p, struct tenuo_error *err)
{
    struct tenuo_open_options open;
    cli_open_options(p->cli, &open);
    if (!p->cli->conf && !p->cli->service)
        return TENUO_OK;
    return tenuo_conf_show(p->cli->service ? p->cli->service : "", &open, collect, p, err);
}

static int info(struct plugin *p)
{
    struct tenuo_error err = { 0 };
    if (!p->name)
        return cli_failf(p->cli, TENUO_E_INVALID_ARGUMENT, "name the plugin: tenuo plugin info NAME");
    if (look_into_conf(p, &err))
        return cli_fail(p->cli, &err);
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

static bool is_kind(const char *word)
{
    for (unsigned k = 0; k < CONFORM_KINDS; k++)
        if (strcmp(word, conform_kind_names[k]) == 0)
            return true;
    return false;
}

static int test(struct plugin *p)
{
    struct tenuo_error err = { 0 };
    if (!p->name)
        return cli_failf(p->cli, TENUO_E_INVALID_ARGUMENT, "name the plugin: tenuo plugin test NAME [ARG=VALUE...]");
    if (p->kind && !is_kind(p->kind))
        return cli_failf(p->cli, TENUO_E_INVALID_ARGUMENT,
                         "--kind is one of resolver, trust, audit, revocation, replay, matcher");
    if (p->key_id && !conform_id_valid(p->key_id))
        return cli_failf(p->cli, TENUO_E_INVALID_ARGUMENT, "--key-id: no key has such an id ([A-Za-z0-9._-]{1,128})");
    int code = look_into_conf(p, &err);
    if (code)
        return cli_fail(p->cli, &err);
    const struct conform_options o = { .name = p->name,
                                       .plugin_dir = p->dir ? p->dir : p->cli->plugin_dir,
                                       .kind = p->kind,
                                       .key_id = p->key_id,
                                       .words = p->words,
                                       .nwords = p->nwords,
                                       .write = p->write };
    return conform_test(p->cli, &o);
}

int cmd_plugin(struct cli *cli, int argc, char **argv)
{
    static const struct {
        const char *word;
        int (*run)(struct plugin *p);
    } actions[] = { { "list", list }, { "info", info }, { "test", test } };
    struct plugin p = { .cli = cli };
    int status;
    if (!cli_parse(cli, &parser, argc, argv, &p, &status))
        return status;
    size_t which = 0;
    while (which < 3 && (!p.action || strcmp(p.action, actions[which].word) != 0))
        which++;
    if (which == 3)
        return cli_failf(cli, TENUO_E_INVALID_ARGUMENT,
                         "say 'tenuo plugin list', 'tenuo plugin info NAME' or 'tenuo plugin test NAME'");
    if (which != 2 && (p.key_id || p.kind || p.write))
        return cli_failf(cli, TENUO_E_INVALID_ARGUMENT, "--key-id, --kind and --write belong to 'tenuo plugin test'");
    if (!(p.list = json_array()))
        cli_no_memory();
    status = actions[which].run(&p);
    for (size_t i = 0; i < p.nrules; i++)
        free(p.rules[i]);
    free(p.rules);
    free(p.words);
    free(p.dir);
    json_decref(p.list);
    return status;
}
