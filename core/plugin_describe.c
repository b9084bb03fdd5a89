/* SPDX-License-Identifier: Apache-2.0 */
/* What `tenuo plugin info` prints of a plugin, as "key: value" lines. Loads the file as a context would, and opens no
 * instance. */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <sodium.h>
#include <tenuo/context.h>

#include "err.h"
#include "plugin_load.h"
#include "str.h"

struct out {
    void (*line)(void *arg, const char *text);
    void *arg;
};

static void say(const struct out *out, const char *key, const char *fmt, ...) __attribute__((format(printf, 3, 4)));

/* What a plugin says of itself is foreign text. */
static void say(const struct out *out, const char *key, const char *fmt, ...)
{
    char value[700], shown[800], line[900];
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(value, sizeof value, fmt, ap);
    va_end(ap);
    tn_quote(shown, sizeof shown, value, strlen(value));
    snprintf(line, sizeof line, "%s: %s", key, shown);
    out->line(out->arg, line);
}

static const char *type_name(int type)
{
    static const char *const names[] = { "string", "path", "uint", "bool", "duration", "url" };
    return names[type - TENUO_ARG_STRING]; /* the loader has checked the range */
}

/* The constraint types that a matcher line of it answers for. */
static void say_types(const struct out *out, const uint8_t *types)
{
    char list[256 * 4 + 1] = "";
    size_t n = 0;
    for (; *types != 0 && n + 5 < sizeof list; types++)
        n += (size_t)snprintf(list + n, sizeof list - n, "%s%u", n == 0 ? "" : " ", (unsigned)*types);
    say(out, "types", "%s", list);
}

static void say_kind(const struct out *out, const struct tn_plugin *plugin, enum tn_facility facility)
{
    const struct tenuo_arg_spec *row = tn_plugin_schema(plugin, facility);
    say(out, "kind", "%s", tn_facility_names[facility]);
    if (facility == TN_F_MATCHER)
        say_types(out, plugin->desc.matcher->types);
    for (; row->name != NULL; row++)
        say(out, "arg", "%s %s (%s%s): %s", tn_facility_names[facility], row->name, type_name(row->type),
            row->required ? ", required" : "", row->help != NULL ? row->help : "");
}

static void say_flags(const struct out *out, uint32_t flags)
{
    say(out, "thread_safe", "%s", (flags & TENUO_PLUGIN_THREAD_SAFE) != 0 ? "yes" : "no");
    say(out, "fork_safe", "%s", (flags & TENUO_PLUGIN_FORK_SAFE) != 0 ? "yes" : "no");
    say(out, "no_network", "%s", (flags & TENUO_PLUGIN_NO_NETWORK) != 0 ? "yes" : "no");
}

static void say_plugin(const struct out *out, const struct tn_plugin *plugin)
{
    const struct tenuo_plugin_v1 *desc = &plugin->desc;
    char hex[65];
    say(out, "name", "%s", desc->name);
    say(out, "path", "%s", plugin->path);
    say(out, "version", "%s", desc->version);
    say(out, "summary", "%s", desc->summary);
    say(out, "abi", "%u.%u", desc->abi_major, desc->abi_minor);
    if (!plugin->builtin)
        say(out, "sha256", "%s", sodium_bin2hex(hex, sizeof hex, plugin->sha256, sizeof plugin->sha256));
    say_flags(out, desc->flags);
    for (unsigned f = 0; f < TN_F_COUNT; f++)
        if (tn_plugin_ops(plugin, (enum tn_facility)f) != NULL)
            say_kind(out, plugin, (enum tn_facility)f);
}

/* Built-ins of that name, whatever their kind; one that serves two kinds is said once. */
static size_t say_builtins(const struct out *out, const char *name)
{
    const struct tn_plugin *plugin = NULL, *said = NULL;
    size_t count = 0;
    for (unsigned f = 0; f < TN_F_COUNT && name[0] != '/'; f++) {
        if (tn_builtin_find((enum tn_facility)f, name) == NULL ||
            tn_plugin_load((enum tn_facility)f, name, NULL, NULL, &plugin, NULL) != TENUO_OK || plugin == said)
            continue;
        say_plugin(out, plugin);
        said = plugin;
        count++;
    }
    return count;
}

int tenuo_plugin_describe(const char *name_or_path, const char *plugin_dir, void (*line)(void *arg, const char *text),
                          void *arg, struct tenuo_error *reterr)
{
    const struct out out = { line, arg };
    const struct tn_plugin *plugin = NULL;
    struct tenuo_error why;
    int r = tn_plugin_load_file(name_or_path, plugin_dir, NULL, &plugin, &why);
    if (r != TENUO_OK && r != TENUO_E_SYSTEM)
        return tn_fail(reterr, r, "%s", why.msg);
    size_t builtins = say_builtins(&out, name_or_path);
    if (r == TENUO_OK)
        say_plugin(&out, plugin);
    else if (builtins == 0)
        return tn_fail(reterr, TENUO_E_PLUGIN_LOAD, "%s", why.msg);
    return TENUO_OK;
}
